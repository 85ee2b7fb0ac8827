/* tools/terminal.c: the terminal while a machine has it */
#define _GNU_SOURCE
#include "terminal.h"

#include <termios.h>
#include <unistd.h>

#define ESCAPE '\1' /* ^A */

void terminal_hand_over(bool to_machine)
{
    static struct termios before;
    static bool changed;
    if (changed && !to_machine)
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
    changed = false;
    if (!to_machine || tcgetattr(STDIN_FILENO, &before))
        return;
    struct termios raw = before;
    cfmakeraw(&raw);
    changed = !tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

size_t terminal_filter_keys(void *of, const char *bytes, size_t size, char *to)
{
    struct terminal_keys *keys = of;
    size_t made = 0;
    for (size_t i = 0; i < size; i++) {
        bool escaped = keys->escaped;
        keys->escaped = !escaped && bytes[i] == ESCAPE;
        if (keys->escaped)
            continue;
        if (escaped && bytes[i] == 'x') {
            keys->leave = true;
            return made;
        }
        if (escaped && bytes[i] != ESCAPE && bytes[i] != 'a')
            to[made++] = ESCAPE;
        to[made++] = escaped && bytes[i] == 'a' ? ESCAPE : bytes[i];
    }
    return made;
}
