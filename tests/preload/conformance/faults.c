/* tests/preload/conformance/faults.c: each system call for memory fails once, and from each one on
 * all do
 *
 * A seccomp filter turns mmap, munmap, mremap, madvise, mprotect and brk into SIGSYS, whose handler
 * makes the call or says ENOMEM in its place. What allocates may then return NULL with ENOMEM and
 * nothing else: no block loses its contents, and when calls succeed again, so does all the rest.
 * x86-64 alone.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "conformance.h"

#define NR_BLOCKS 200u
#define NR_STEPS 800u
#define MOST_RUNS 60u

/* Shared with the children. */
static struct {
    unsigned long calls, failed;
} * counts;

/* Calls with these numbers fail; no call at first. */
static unsigned long fail_from = (unsigned long)-1, fail_until;

/* The only place whose calls the filter lets through. */
__attribute__((visibility("hidden"))) long call_through(long number, const long long *arguments);
extern __attribute__((visibility("hidden"))) const char call_through_end[];
__asm__(".text\n"
        "call_through:\n"
        "    mov %rdi, %rax\n"
        "    mov %rsi, %r11\n"
        "    mov 0(%r11), %rdi\n"
        "    mov 8(%r11), %rsi\n"
        "    mov 16(%r11), %rdx\n"
        "    mov 24(%r11), %r10\n"
        "    mov 32(%r11), %r8\n"
        "    mov 40(%r11), %r9\n"
        "    syscall\n"
        "call_through_end:\n"
        "    ret\n");

static void on_call(int number, siginfo_t *info, void *context)
{
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    const long long arguments[] = {registers[REG_RDI], registers[REG_RSI], registers[REG_RDX],
                                   registers[REG_R10], registers[REG_R8],  registers[REG_R9]};
    unsigned long call = counts->calls++;
    (void)number;
    if (call >= fail_from && call < fail_until) {
        static const long long nowhere[6];
        counts->failed++;
        /* brk says where the break is, whatever was asked. */
        registers[REG_RAX] =
            info->si_syscall == __NR_brk ? call_through(__NR_brk, nowhere) : -ENOMEM;
    } else {
        registers[REG_RAX] = call_through(info->si_syscall, arguments);
    }
}

#define TRAP(name)                                                                                 \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 1),                                        \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP)
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))

static void trap_calls(void)
{
    uintptr_t through = (uintptr_t)call_through_end;
    struct sock_filter filter[] = {
        LOAD(arch),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        LOAD(instruction_pointer),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)through, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer) + 4),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(through >> 32), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        LOAD(nr),
        TRAP(mmap),
        TRAP(munmap),
        TRAP(mremap),
        TRAP(madvise),
        TRAP(mprotect),
        TRAP(brk),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
    struct sigaction action = {.sa_sigaction = on_call, .sa_flags = SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGSYS, &action, NULL) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        _exit(77);
}

/* ---- what a program does meanwhile ----------------------------------------------------------- */

static struct {
    char *at;
    size_t size;
} block[NR_BLOCKS];

/* A new or resized block, or the old one where there was no memory. */
static void step(unsigned i, uint64_t *state)
{
    size_t size = random_size(state, random_next(state) % 20 ? 20000 : 1000000);
    size_t kept = block[i].size < 200 ? block[i].size : 200;
    unsigned way = (unsigned)(random_next(state) % 5);
    CHECK(!block[i].at || holds(block[i].at, kept, i));
    if (way) {
        free(block[i].at);
        block[i].at = NULL;
        block[i].size = kept = 0;
    }
    errno = 0;
    char *next = way == 0   ? realloc(block[i].at, size)
                 : way == 1 ? calloc(1, size)
                 : way == 2 ? memalign(4096, size)
                            : malloc(size);
    if (!next) {
        CHECK_EQ(errno, ENOMEM);
        return;
    }
    kept = kept < size ? kept : size;
    CHECK(holds(next, kept, i) && (way != 1 || is_zero(next, size)));
    block[i].at = next;
    block[i].size = size;
    fill(next, size < 200 ? size : 200, i);
}

static void use_memory(void)
{
    uint64_t state = 6;
    for (unsigned i = 0; i < NR_STEPS; i++) {
        step((unsigned)(random_next(&state) % NR_BLOCKS), &state);
        if (i % 200 == 199)
            malloc_trim(0);
    }
}

/* All calls succeed again: so there is memory of every size. */
static void use_memory_again(void)
{
    fail_until = 0;
    for (unsigned i = 0; i < NR_BLOCKS; i++) {
        size_t kept = block[i].size < 200 ? block[i].size : 200;
        CHECK(!block[i].at || holds(block[i].at, kept, i));
        free(block[i].at);
    }
    for (size_t size = 1; size < (size_t)8 << 20; size = size * 3 + 1) {
        char *large = opaque(malloc(size));
        REQUIRE(large);
        memset(large, 1, size);
        free(large);
    }
}

/* In a child; its status. */
static int run(unsigned long from, unsigned long until)
{
    int status = -1;
    counts->calls = counts->failed = 0;
    pid_t pid = fork();
    if (!pid) {
        fail_from = from;
        fail_until = until;
        trap_calls();
        use_memory();
        use_memory_again();
        end_case();
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip("no filter of system calls can be installed here");
    return status;
}

static void fail_each(unsigned long length)
{
    unsigned long hits = 0;
    counts = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(counts != MAP_FAILED);
    CHECK_EQ(run((unsigned long)-1, 0), 0);
    unsigned long calls = counts->calls, stride = calls / MOST_RUNS + 1;
    for (unsigned long n = 0; n < calls; n += stride) {
        int status = run(n, n + length);
        hits += counts->failed;
        if (status)
            note("call %lu of %lu: wait status %#x", n, calls, (unsigned)status);
        CHECK_EQ(status, 0);
    }
    note("%lu calls, of which %lu failed in turn", calls, hits);
    CHECK(hits > 0);
}

static void each_call_fails_once(void)
{
    fail_each(1);
}

static void from_each_call_on_all_fail_for_a_while(void)
{
    fail_each(1000000);
}

static const struct conformance_case cases[] = {
    CASE(each_call_fails_once),
    CASE(from_each_call_on_all_fail_for_a_while),
    END_OF_CASES,
};
const struct conformance_group conformance_faults = {"faults", cases};
