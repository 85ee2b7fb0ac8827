/* mprotect: rights, splits, errors half way */
#include "say.h"

static void rights(char *page)
{
    static const struct {
        const char *name;
        int prot;
    } kinds[] = {{"nothing", PROT_NONE},
                 {"read", PROT_READ},
                 {"write", PROT_WRITE},
                 {"read-write", PROT_READ | PROT_WRITE},
                 {"read-execute", PROT_READ | PROT_EXEC}};
    page[0] = (char)0xc3; /* ret */
    for (unsigned i = 0; i < COUNT(kinds); i++) {
        mprotect(page, PAGE, kinds[i].prot);
        printf("%s: read %d, write %d\n", kinds[i].name, !faults(page, READ),
               !faults(page + 1, WRITE));
    }
    say_access("read-execute", page, EXECUTE);
    TELL(mprotect(page, PAGE, PROT_READ | PROT_WRITE));
    printf("what was there is: %d %d\n", (unsigned char)page[0], page[1]);
}

int main(void)
{
    char *area = pages(6);
    memset(area, 'm', 6 * PAGE);
    TELL(mprotect(area + 1, PAGE, PROT_READ));
    TELL(mprotect(area, 0, PROT_READ));
    TELL(mprotect(area, PAGE, 0x40));
#ifdef __x86_64__ /* a 64-bit kernel knows no wrap of 32 bits */
    TELL(mprotect(area, (size_t)-PAGE, PROT_READ));
#endif
    TELL(mprotect(area - PAGE, PAGE, PROT_READ));
    rights(area);
    TELL(mprotect(area + PAGE, 2 * PAGE, PROT_READ));
    TELL(munmap(area + 3 * PAGE, PAGE));
    TELL(mprotect(area + 2 * PAGE, 3 * PAGE, PROT_NONE)); /* meets the hole */
    say_access("the page before the hole", area + 2 * PAGE, READ);
    say_access("the page behind the hole", area + 4 * PAGE, WRITE);
    TELL(mprotect(area + PAGE, PAGE, PROT_READ | PROT_WRITE));
    say_access("a page between", area + PAGE, WRITE);

    int fd = letters("file", PAGE), read_only = open("file", O_RDONLY);
    char *shared = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, read_only, 0);
    TELL(mprotect(shared, PAGE, PROT_READ | PROT_WRITE));
    TELL(mprotect(shared, PAGE, PROT_READ | PROT_EXEC));
    char *private = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, read_only, 0);
    TELL(mprotect(private, PAGE, PROT_READ | PROT_WRITE));
    private[0] = 'P';
    printf("%c %c\n", shared[0], private[0]);
    close(fd);
    TELL(mprotect(area + 5 * PAGE, PAGE, PROT_READ | PROT_GROWSDOWN));
    return 0;
}
