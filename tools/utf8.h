/* tools/utf8.h: what users give us as text may hold any byte; JSON and HTML may not
 */
#ifndef TOOLS_UTF8_H
#define TOOLS_UTF8_H

/* Each byte that isn't of a UTF-8 sequence becomes a question mark. */
void utf8_clean(char *text);

#endif
