/* tests/stress/suites.c: suites that need threads or a process: the host only
 *
 * The build reads the names from the list below: one line a suite, `suite_NAME` for NAME.
 */
#include "tests/harness/harness.h"

extern const struct test_suite suite_pcp_protocol;
extern const struct test_suite suite_phys_stress;
extern const struct test_suite suite_pool_process;
extern const struct test_suite suite_pool_stress;
extern const struct test_suite suite_posix;
extern const struct test_suite suite_ranges_stress;
extern const struct test_suite suite_slab_stress;
extern const struct test_suite suite_slab_race;
extern const struct test_suite suite_sim_stress;
extern const struct test_suite suite_tables_stress;
extern const struct test_suite suite_heap_reap_steps;
extern const struct test_suite suite_heap_stress;
extern const struct test_suite suite_heap_steps;
extern const struct test_suite suite_vm_stress;
extern const struct test_suite suite_vm_swap_stress;
extern const struct test_suite suite_vm_file_stress;
extern const struct test_suite suite_vmalloc_stress;
extern const struct test_suite suite_windows_stress;

const struct test_suite *const test_suites[] = {
    &suite_pcp_protocol,    //
    &suite_phys_stress,     //
    &suite_pool_process,    //
    &suite_pool_stress,     //
    &suite_posix,           //
    &suite_ranges_stress,   //
    &suite_slab_stress,     //
    &suite_slab_race,       //
    &suite_sim_stress,      //
    &suite_tables_stress,   //
    &suite_heap_reap_steps, //
    &suite_heap_stress,     //
    &suite_heap_steps,      //
    &suite_vm_stress,       //
    &suite_vm_swap_stress,  //
    &suite_vm_file_stress,  //
    &suite_vmalloc_stress,  //
    &suite_windows_stress,  //
    NULL,
};
