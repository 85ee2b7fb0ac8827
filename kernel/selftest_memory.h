/* kernel/selftest_memory.h: zeroed memory for one simulated machine after the other */
#ifndef KERNEL_SELFTEST_MEMORY_H
#define KERNEL_SELFTEST_MEMORY_H

#include <quire/port.h>

/* For test_environment.memory; what was given before is given up. False: there is no room. Cheap
 * where little was written to what was given before. */
bool selftest_memory(uint64_t size, struct quire_port_mem *pm);

/* Before the machine's own memory is looked at. */
void selftest_memory_give_back(void);

#endif
