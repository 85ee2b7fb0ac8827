/* tests/unit/slab_options_test.c: debugging by the option string */
#include "tests/unit/slab_machine.h"

#define ALL_DEBUG QUIRE_SLAB_DEBUG_FLAGS

static quire_slab_flags_t flags_of(const char *options, const char *name, quire_slab_flags_t flags)
{
    if (!slab_boot(&(struct quire_slab_config){.debug = options}))
        return 0;
    struct quire_kmem_cache *made = cache_of(name, 64, flags);
    flags = info_of(made).flags;
    destroy(made);
    slab_end();
    return flags;
}

static void the_option_string_turns_debugging_on(void)
{
    enum { F = QUIRE_SLAB_CONSISTENCY_CHECKS, Z = QUIRE_SLAB_RED_ZONE, P = QUIRE_SLAB_POISON };
    enum { U = QUIRE_SLAB_STORE_USER, R = QUIRE_SLAB_FREELIST_RANDOM };
    CHECK_EQ(flags_of("FZ", "task", 0), F | Z);
    CHECK_EQ(flags_of("quire_slab_debug=PU", "task", 0), P | U);
    CHECK_EQ(flags_of("slab_debug=PU", "task", 0), P | U);
    CHECK_EQ(flags_of("slub_debug=PU", "task", 0), P | U);
    CHECK_EQ(flags_of("slab_debug=", "task", 0), ALL_DEBUG);
    CHECK_EQ(flags_of("slab_debug=-", "task", P), 0);
    CHECK_EQ(flags_of("", "task", 0), ALL_DEBUG);
    CHECK_EQ(flags_of("F,task", "task", 0), F);
    CHECK_EQ(flags_of("F,task", "task2", 0), 0);
    CHECK_EQ(flags_of("F,ta*", "task2", 0), F);
    CHECK_EQ(flags_of("Z,inode,task", "task", 0), Z);
    CHECK_EQ(flags_of(",task", "task", 0), ALL_DEBUG);
    CHECK_EQ(flags_of("F;Z,task", "task", 0), Z);
    CHECK_EQ(flags_of("Z,task;F", "task", 0), Z);
    CHECK_EQ(flags_of("FZP;-,task", "task", 0), 0);
    CHECK_EQ(flags_of("-", "task", P | U), 0);
    CHECK_EQ(flags_of("R", "task", U), R | U);
    CHECK_EQ(flags_of("F,other", "task", U), U);
    CHECK_EQ(flags_of("F,a task", "a task", 0), F);
    CHECK_EQ(flags_of("F,*", "task", 0), F);
}

static void an_option_string_that_is_not_understood_is_refused(void)
{
    static const char *const bad[] = {"X",
                                      "FQ",
                                      "F,",
                                      "F,a,,b",
                                      "-F",
                                      "F;X,a",
                                      "f",
                                      "F, task",
                                      "F,task ",
                                      "F,a;",
                                      ";F",
                                      "F;;Z",
                                      ";",
                                      "F a",
                                      " F",
                                      "slab_debug",
                                      "slab_debug=slab_debug=F",
                                      "F,a name of thirty-two characters."};
    static char long_one[300];
    if (!machine_boot_plain(16 * MIB, (struct quire_mem_config){.nr_cpus = 2}))
        return;
    unsigned long free = quire_nr_free_pages(machine.mem);
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK_EQ(quire_slab_init(&slab, machine.mem, &(struct quire_slab_config){.debug = bad[i]}),
                 -QUIRE_EINVAL);
    CHECK(machine_said("config.debug isn't understood from \"F, task\" on"));
    for (unsigned i = 0; i < sizeof long_one - 1; i++)
        long_one[i] = 'F';
    CHECK_EQ(quire_slab_init(&slab, machine.mem, &(struct quire_slab_config){.debug = long_one}),
             -QUIRE_EINVAL);
    CHECK_EQ(quire_slab_init(&slab, machine.mem, &(struct quire_slab_config){.max_caches = 63}),
             -QUIRE_EINVAL);
    CHECK_EQ(quire_slab_init(&slab, machine.mem, &(struct quire_slab_config){.max_caches = 2001}),
             -QUIRE_EINVAL);
    CHECK_EQ(quire_nr_free_pages(machine.mem), free);
}

static const struct test_case cases[] = {
    TEST_CASE(the_option_string_turns_debugging_on),
    TEST_CASE(an_option_string_that_is_not_understood_is_refused),
    {0},
};
const struct test_suite suite_slab_options = {"slab_options", cases};
