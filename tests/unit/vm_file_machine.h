/* tests/unit/vm_file_machine.h: what tests of files have in common */
#ifndef QUIRE_TESTS_VM_FILE_MACHINE_H
#define QUIRE_TESTS_VM_FILE_MACHINE_H

#include "tests/unit/vm_machine.h"

#define RW (QUIRE_PROT_READ | QUIRE_PROT_WRITE)

/* Runs `body` on a fresh machine of each format, with an address space that runs. */
void on_each_format(void (*body)(struct quire_mm *mm));

struct quire_mapping_info info_of_file(struct quire_mapping *file);
struct quire_mapping *shm_of(struct quire_mapping_config config);

/* A word by read(2), by write(2), and as the store has it. */
uint64_t word_at(struct quire_mapping *file, uint64_t at);
void put_word(struct quire_mapping *file, uint64_t at, uint64_t word);
uint64_t stored(uint64_t at);

/* Whether reading there comes to SIGBUS. */
bool no_access(quire_linear_t at);

/* Reclaims until there is little left that could be. */
void reclaim_all(void);

#endif
