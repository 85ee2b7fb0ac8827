/* tests/guest/fail.h: operations for which allocations fail, and what they work with
 *
 * An operation returns 0 or an errno, and undoes what it began when it didn't go on.
 */
#ifndef TESTS_GUEST_FAIL_H
#define TESTS_GUEST_FAIL_H

#include <errno.h>
#include <stdbool.h>

#define PAGE 4096ul
#define NR_PAGES 24u
#define MOST 3000u /* allocations of one operation */
#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { NOT_REACHED = 100, WRONG = 101 }; /* exit statuses of a child */

#define TRY(call)                                                                                  \
    do {                                                                                           \
        if ((call) < 0)                                                                            \
            return errno;                                                                          \
    } while (0)

/* Made before anything fails. */
extern unsigned char *pages; /* NR_PAGES, touched */
extern int file;             /* of NR_PAGES, in /tmp */
extern unsigned armed_nth, armed_count;
extern int control; /* fail-nth of the child */
extern char *self;

void touch(unsigned char *at, unsigned long count);

void arm(unsigned nth, unsigned count);
/* Whether some allocation has failed. */
bool disarm(unsigned nth);
bool open_control(void);

typedef int operation_fn(void);

/* fail_tasks.c */
operation_fn op_fork, op_fork_swapped, op_vfork, op_exec, op_spawn, op_thread, op_ldt, op_own_files,
    op_core, op_signals;
/* fail_memory.c */
operation_fn op_mmap, op_populate, op_split, op_mremap, op_brk, op_frames, op_swap, op_swap_in,
    op_shm, op_memfd, op_vector;
/* fail_files.c */
operation_fn op_file, op_file_map, op_names, op_proc, op_pipe, op_socket, op_listen, op_events,
    op_locks;
void undo_names(void); /* what files' operations may leave */

#endif
