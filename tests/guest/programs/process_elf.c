/* execve of files made here: what Linux takes for a program */
#include "say.h"

#include <elf.h>
#include <stddef.h>
#include <sys/stat.h>

#ifdef __x86_64__
typedef Elf64_Ehdr header_t;
typedef Elf64_Phdr segment_t;
#define CLASS ELFCLASS64
#define MACHINE EM_X86_64
#define CODE 0x400000u
#else
typedef Elf32_Ehdr header_t;
typedef Elf32_Phdr segment_t;
#define CLASS ELFCLASS32
#define MACHINE EM_386
#define CODE 0x8048000u
#endif
#define BSS (CODE + 0x100000u)

/* Adds 7 to what is at BSS, and exits with it. */
static const unsigned char code[] = {
#ifdef __x86_64__
    0x80, 0x04, 0x25, 0x00, 0x00, 0x50, 0x00, 7,    /* addb $7, BSS */
    0x0f, 0xb6, 0x3c, 0x25, 0x00, 0x00, 0x50, 0x00, /* movzbl BSS, %edi */
    0xb8, 60,   0,    0,    0,    0x0f, 0x05,       /* mov $60, %eax; syscall */
#else
    0x80, 0x05, 0x00, 0x80, 0x14, 0x08, 7,    /* addb $7, BSS */
    0x0f, 0xb6, 0x1d, 0x00, 0x80, 0x14, 0x08, /* movzbl BSS, %ebx */
    0xb8, 1,    0,    0,    0,    0xcd, 0x80, /* mov $1, %eax; int $0x80 */
#endif
};

struct image {
    header_t header;
    segment_t segment[2];
    unsigned char code[sizeof code];
};

static struct image image_of(unsigned long bss_offset)
{
    struct image image = {
        .header = {.e_ident = {0x7f, 'E', 'L', 'F', CLASS, ELFDATA2LSB, EV_CURRENT},
                   .e_type = ET_EXEC,
                   .e_machine = MACHINE,
                   .e_version = EV_CURRENT,
                   .e_entry = CODE + offsetof(struct image, code),
                   .e_phoff = offsetof(struct image, segment),
                   .e_ehsize = sizeof(header_t),
                   .e_phentsize = sizeof(segment_t),
                   .e_phnum = 2},
        .segment = {{.p_type = PT_LOAD,
                     .p_flags = PF_R | PF_X,
                     .p_vaddr = CODE,
                     .p_filesz = sizeof image,
                     .p_memsz = sizeof image,
                     .p_align = PAGE},
                    {.p_type = PT_LOAD,
                     .p_flags = PF_R | PF_W,
                     .p_offset = bss_offset,
                     .p_vaddr = BSS,
                     .p_memsz = 2 * PAGE,
                     .p_align = PAGE}},
    };
    memcpy(image.code, code, sizeof code);
    return image;
}

/* How a program of these bytes ends; or why it isn't started. */
static void run(const char *what, const void *bytes, size_t size)
{
    int status;
    int fd = open("made", O_WRONLY | O_CREAT | O_TRUNC, 0755);
    if (write(fd, bytes, size) != (ssize_t)size)
        printf("not written\n");
    close(fd);
    pid_t pid = fork();
    if (!pid) {
        char *const arguments[] = {(char *)(uintptr_t) "made", NULL};
        execv("./made", arguments);
        printf("%s: %s\n", what, error_name(errno));
        _exit(0);
    }
    waitpid(pid, &status, 0);
    say_status(what, status);
    unlink("made");
}

int main(void)
{
    struct image plain = image_of(0), odd = image_of(0x123);
    run("bytes of memory alone", &plain, sizeof plain);
    run("whose place in the file makes no sense", &odd, sizeof odd);
    run("a header alone", &plain, sizeof plain.header);
    run("half a header", &plain, sizeof plain.header / 2);
    run("nothing", &plain, 0);
    return 0;
}
