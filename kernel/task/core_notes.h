/* kernel/task/core_notes.h: the notes of a core (System V ABI; Linux, include/uapi/linux/elfcore.h)
 */
#ifndef KERNEL_TASK_CORE_NOTES_H
#define KERNEL_TASK_CORE_NOTES_H

#include "fs/text_file.h"
#include "task/task.h"

#if defined(__x86_64__)
#define NR_CORE_REGISTERS 27
#else
#define NR_CORE_REGISTERS 17
#endif

/* All of the current process but its files: the current thread's first. */
void core_notes(struct text_file *notes, const struct signal_info *info);
/* One note. `name`: "CORE" or "LINUX". */
void core_note(struct text_file *notes, const char *name, uint32_t type, const void *bytes,
               size_t size);
/* Its head, when the bytes follow in pieces, and what comes behind them. */
void core_note_begin(struct text_file *notes, const char *name, uint32_t type, size_t size);
void core_note_end(struct text_file *notes, size_t size);

/* Of each architecture: core.c. What its trap frame has, in the order of user_regs_struct; and the
 * FPU's state. */
void core_registers(const struct task *task, unsigned long registers[NR_CORE_REGISTERS]);
void core_fpu_notes(struct text_file *notes, const uint8_t *fpu);

#endif
