/* tools/utf8.h: what users give us as text may hold any byte; JSON and HTML may not
 */
#ifndef TOOLS_UTF8_H
#define TOOLS_UTF8_H

/* Each byte that isn't of a UTF-8 sequence becomes a question mark. */
void utf8_clean(char *text);
/* And each of a character that a terminal obeys, or that changes the order in which others are
 * shown. */
void utf8_print(char *text);

#endif
