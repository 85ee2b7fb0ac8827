/* munmap: edges, holes, ranges of several areas */
#include "say.h"

int main(void)
{
    char *area = pages(8);
    memset(area, 'a', 8 * PAGE);
    TELL(munmap(area, 0));
    TELL(munmap(area + 1, PAGE));
    TELL(munmap(area, (size_t)-1));
    TELL(munmap((void *)(-2 * PAGE), PAGE));
    TELL(munmap(area + 3 * PAGE, 1)); /* a byte is its page */
    say_access("the page of that byte", area + 3 * PAGE, READ);
    say_access("the one before", area + 3 * PAGE - 1, READ);
    say_access("the one behind", area + 4 * PAGE, READ);
    TELL(munmap(area + 3 * PAGE, PAGE)); /* again: nothing is there */
    TELL(mprotect(area + 5 * PAGE, PAGE, PROT_READ));
    TELL(munmap(area + 2 * PAGE, 4 * PAGE)); /* a hole and three areas */
    for (int page = 0; page < 8; page++)
        printf("page %d: %s\n", page, faults(area + page * PAGE, READ) ? "gone" : "there");
    TELL(munmap(area - PAGE, 10 * PAGE));
    say_access("the first page", area, WRITE);
    return 0;
}
