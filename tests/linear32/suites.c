/* tests/linear32/suites.c: suites that run with addresses of 32 bits (QUIRE_LINEAR_BITS)
 *
 * Those of all tests that speak of no address beyond 4 GiB; where they ask for x86-64's tables they
 * get PAE's (vm_machine.c).
 */
#include "tests/harness/harness.h"

extern const struct test_suite suite_linear32, suite_vm_advice, suite_vm_change, suite_vm_seal,
    suite_vm_rmap, suite_vm_unmap, suite_vm_moves, suite_vm_shmem, suite_vm_userfault,
    suite_vm_model, suite_vm_areas_model;

const struct test_suite *const test_suites[] = {
    &suite_linear32,       //
    &suite_vm_advice,      //
    &suite_vm_change,      //
    &suite_vm_seal,        //
    &suite_vm_rmap,        //
    &suite_vm_unmap,       //
    &suite_vm_moves,       //
    &suite_vm_shmem,       //
    &suite_vm_userfault,   //
    &suite_vm_model,       //
    &suite_vm_areas_model, //
    NULL,
};
