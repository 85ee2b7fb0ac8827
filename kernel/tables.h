/* kernel/tables.h: the kernel's own page tables, by Quire */
#ifndef KERNEL_TABLES_H
#define KERNEL_TABLES_H

/* From the tables of the boot to those of layer 3, which programs' tables share: code can't be
 * written, data can't be executed, what is left of the image can't be reached otherwise. Turns on
 * what the processor has to protect the kernel. */
void tables_init(void);

#endif
