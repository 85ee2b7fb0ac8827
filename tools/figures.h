/* tools/figures.h: numbers as people read them */
#ifndef TOOLS_FIGURES_H
#define TOOLS_FIGURES_H

#include <stdint.h>

#define FIGURE_BYTES 32

/* Four digits or fewer before the unit: "3.5 MiB". Returns `text`, as the others do. */
const char *size_text(char text[FIGURE_BYTES], uint64_t bytes);
/* With commas between thousands. */
const char *count_text(char text[FIGURE_BYTES], uint64_t number);
/* Of a whole, with one digit behind the point: "4.3 %". A whole of 0 is "0.0 %". What isn't nothing
 * isn't 0, and what isn't all isn't 100: "<0.1 %", ">99.9 %". */
const char *share_text(char text[FIGURE_BYTES], uint64_t part, uint64_t whole);
/* "1.234 s", and below 10 ms "1.234 ms". */
const char *time_text(char text[FIGURE_BYTES], uint64_t ns);
/* In whole milliseconds. */
double seconds_of(uint64_t ns);

#endif
