/* kernel/fs/random.h: random bytes
 *
 * ChaCha20 with a key that is replaced after each use, as Linux's generator; seeded from what the
 * machine supplies: the CPU's RDRAND if it has it, the clock always. Without RDRAND it is no source
 * of secrets: the machine has no other noise.
 */
#ifndef KERNEL_FS_RANDOM_H
#define KERNEL_FS_RANDOM_H

#include <stddef.h>

/* Mixes something into the key. */
void random_seed(const void *seed, size_t size);
void random_bytes(void *to, size_t size);

#endif
