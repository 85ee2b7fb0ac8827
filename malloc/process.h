/* malloc/process.h: which process a report is of */
#ifndef QUIRE_MALLOC_PROCESS_H
#define QUIRE_MALLOC_PROCESS_H

/* When the program starts, if there will be a report. */
void process_learn(void);
/* ASCII without control characters; "?": it isn't known. */
const char *process_name(void);
long process_number(void);

#endif
