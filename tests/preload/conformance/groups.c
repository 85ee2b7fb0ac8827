/* tests/preload/conformance/groups.c: the groups of quire-conformance */
#include "conformance.h"

extern const struct conformance_group conformance_aligned, conformance_faults, conformance_figures,
    conformance_forks, conformance_fragmentation, conformance_lifetime, conformance_limits,
    conformance_modes, conformance_names, conformance_options, conformance_resize,
    conformance_sizes, conformance_threads;

const struct conformance_group *const conformance_groups[] = {
    &conformance_names,    &conformance_sizes,
    &conformance_aligned,  &conformance_resize,
    &conformance_figures,  &conformance_fragmentation,
    &conformance_options,  &conformance_limits,
    &conformance_faults,   &conformance_threads,
    &conformance_forks,    &conformance_modes,
    &conformance_lifetime, NULL,
};
