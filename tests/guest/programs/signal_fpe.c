/* Why arithmetic fails: the codes of SIGFPE. Of the x87 only: QEMU's emulation knows no exceptions
 * of SSE.
 */
#include "say.h"

static sigjmp_buf again;
static volatile int code;
static void *volatile address;

static void handler(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)context;
    code = info->si_code;
    address = info->si_addr;
    siglongjmp(again, 1);
}

static const char *name_of(int of)
{
    static const char *const names[] = {"?",      "INTDIV", "INTOVF", "FLTDIV", "FLTOVF",
                                        "FLTUND", "FLTRES", "FLTINV", "FLTSUB"};
    return of >= 0 && of < (int)COUNT(names) ? names[of] : "??";
}

static volatile double one = 1, zero = 0, three = 3, minus = -1;
static volatile long double large = 1e4000L, small = 1e-4000L;
static volatile int integer = 1, nothing = 0;

/* The exceptions of this mask come. */
static void unmask(unsigned mask)
{
    uint16_t control = (uint16_t)(0x37f & ~mask);
    __asm__ volatile("fninit\n\tfldcw %0" : : "m"(control));
}

static void divide(void)
{
    unmask(0x04);
    __asm__ volatile("fldl %0\n\tfdivl %1\n\tfwait" : : "m"(one), "m"(zero));
}

static void invalid(void)
{
    unmask(0x01);
    __asm__ volatile("fldl %0\n\tfsqrt\n\tfwait" : : "m"(minus));
}

static void overflow(void)
{
    unmask(0x08);
    __asm__ volatile("fldt %0\n\tfmul %%st, %%st\n\tfwait" : : "m"(large));
}

static void underflow(void)
{
    unmask(0x10);
    __asm__ volatile("fldt %0\n\tfmul %%st, %%st\n\tfwait" : : "m"(small));
}

static void inexact(void)
{
    unmask(0x20);
    __asm__ volatile("fldl %0\n\tfdivl %1\n\tfwait" : : "m"(one), "m"(three));
}

/* Of several the first in Linux's order is told. */
static void several(void)
{
    unmask(0x3f);
    __asm__ volatile("fldt %0\n\tfmul %%st, %%st\n\tfwait" : : "m"(large));
}

static void whole_numbers(void)
{
    printf("%d\n", integer / nothing);
}

static void try(const char *what, void (*run)(void))
{
    code = 0;
    address = NULL;
    if (!sigsetjmp(again, 1))
        run();
    __asm__ volatile("fninit");
    printf("%s: %s, with an address: %d\n", what, name_of(code), address != NULL);
}

static void dies(void)
{
    signal(SIGFPE, SIG_DFL);
    divide();
}

int main(void)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigaction(SIGFPE, &action, NULL);
    try("integers", whole_numbers);
    try("division", divide);
    try("invalid", invalid);
    try("overflow", overflow);
    try("underflow", underflow);
    try("inexact", inexact);
    try("several", several);
    IN_CHILD(dies);
    return 0;
}
