/* tests/harness/suites.c: the suites that run on the host and in the machine
 *
 * The build reads the names from the list below: one line a suite, `suite_NAME` for NAME.
 */
#include "tests/harness/harness.h"

extern const struct test_suite suite_harness;
extern const struct test_suite suite_text;
extern const struct test_suite suite_bits;
extern const struct test_suite suite_list;
extern const struct test_suite suite_tree;
extern const struct test_suite suite_memblock;
extern const struct test_suite suite_memblock_alloc;
extern const struct test_suite suite_memblock_model;
extern const struct test_suite suite_compaction;
extern const struct test_suite suite_contig;
extern const struct test_suite suite_cma;
extern const struct test_suite suite_hotplug;
extern const struct test_suite suite_run;
extern const struct test_suite suite_phys_model;
extern const struct test_suite suite_phys_faults;
extern const struct test_suite suite_phys_start;
extern const struct test_suite suite_json;
extern const struct test_suite suite_init;
extern const struct test_suite suite_alloc;
extern const struct test_suite suite_free;
extern const struct test_suite suite_zonelist;
extern const struct test_suite suite_pcp;
extern const struct test_suite suite_shard;
extern const struct test_suite suite_inbox;
extern const struct test_suite suite_watermark;
extern const struct test_suite suite_fallback;
extern const struct test_suite suite_family;
extern const struct test_suite suite_reference;
extern const struct test_suite suite_debug;
extern const struct test_suite suite_slowpath;
extern const struct test_suite suite_view;
extern const struct test_suite suite_slab_cache;
extern const struct test_suite suite_slab_take;
extern const struct test_suite suite_slab_put;
extern const struct test_suite suite_kmalloc;
extern const struct test_suite suite_slab_debug;
extern const struct test_suite suite_slab_options;
extern const struct test_suite suite_sheaf;
extern const struct test_suite suite_slab_view;
extern const struct test_suite suite_slab_grace;
extern const struct test_suite suite_slab_faults;
extern const struct test_suite suite_slab_model;
extern const struct test_suite suite_map_format;
extern const struct test_suite suite_segment;
extern const struct test_suite suite_mmu;
extern const struct test_suite suite_translation;
extern const struct test_suite suite_mmu_walk;
extern const struct test_suite suite_sim;
extern const struct test_suite suite_mapping;
extern const struct test_suite suite_map_change;
extern const struct test_suite suite_tables_boot;
extern const struct test_suite suite_tables_shared;
extern const struct test_suite suite_windows;
extern const struct test_suite suite_tables_model;
extern const struct test_suite suite_tables_faults;
extern const struct test_suite suite_vmalloc;
extern const struct test_suite suite_vmalloc_faults;
extern const struct test_suite suite_vmalloc_model;
extern const struct test_suite suite_heap;
extern const struct test_suite suite_heap_mistake;
extern const struct test_suite suite_heap_cache;
extern const struct test_suite suite_heap_fall;
extern const struct test_suite suite_heap_reap;
extern const struct test_suite suite_heap_regular;
extern const struct test_suite suite_heap_loan;
extern const struct test_suite suite_heap_margin;
extern const struct test_suite suite_heap_faults;
extern const struct test_suite suite_heap_model;
extern const struct test_suite suite_vm_xarray;
extern const struct test_suite suite_vm_interval;
extern const struct test_suite suite_vm_roots;
extern const struct test_suite suite_vm_families;
extern const struct test_suite suite_vm_anon_model;
extern const struct test_suite suite_vm_rmap;
extern const struct test_suite suite_vm_unmap;
extern const struct test_suite suite_vm_migrate;
extern const struct test_suite suite_vm_moves;
extern const struct test_suite suite_vm_numa;
extern const struct test_suite suite_vm_seal;
extern const struct test_suite suite_vm_userfault;
extern const struct test_suite suite_vm_ksm;
extern const struct test_suite suite_vm_numa_model;
extern const struct test_suite suite_vm_rmap_model;
extern const struct test_suite suite_vm_rmap_faults;
extern const struct test_suite suite_vm_fault;
extern const struct test_suite suite_vm_kernel;
extern const struct test_suite suite_vm_linux;
extern const struct test_suite suite_vm_many;
extern const struct test_suite suite_vm_area_faults;
extern const struct test_suite suite_vm_views;
extern const struct test_suite suite_vm_advice;
extern const struct test_suite suite_vm_change;
extern const struct test_suite suite_vm_mmap;
extern const struct test_suite suite_vm_mmap_order;
extern const struct test_suite suite_vm_cache;
extern const struct test_suite suite_vm_file;
extern const struct test_suite suite_vm_owner;
extern const struct test_suite suite_vm_user_io;
extern const struct test_suite suite_vm_shmem;
extern const struct test_suite suite_vm_file_model;
extern const struct test_suite suite_vm_file_faults;
extern const struct test_suite suite_vm_swap;
extern const struct test_suite suite_vm_swap_area;
extern const struct test_suite suite_vm_policy;
extern const struct test_suite suite_vm_reclaim;
extern const struct test_suite suite_vm_oom;
extern const struct test_suite suite_vm_swap_model;
extern const struct test_suite suite_vm_faults;
extern const struct test_suite suite_vm_model;
extern const struct test_suite suite_vm_areas_model;
extern const struct test_suite suite_pool;
extern const struct test_suite suite_pool_cleanup;
extern const struct test_suite suite_pool_limit;
extern const struct test_suite suite_pool_source;
extern const struct test_suite suite_pool_text;
extern const struct test_suite suite_pool_thread;
extern const struct test_suite suite_pool_model;
extern const struct test_suite suite_pool_faults;

const struct test_suite *const test_suites[] = {
    &suite_harness,        //
    &suite_text,           //
    &suite_bits,           //
    &suite_list,           //
    &suite_tree,           //
    &suite_memblock,       //
    &suite_memblock_alloc, //
    &suite_memblock_model, //
    &suite_compaction,     //
    &suite_contig,         //
    &suite_cma,            //
    &suite_hotplug,        //
    &suite_run,            //
    &suite_phys_model,     //
    &suite_phys_faults,    //
    &suite_phys_start,     //
    &suite_json,           //
    &suite_init,           //
    &suite_alloc,          //
    &suite_free,           //
    &suite_zonelist,       //
    &suite_pcp,            //
    &suite_shard,          //
    &suite_inbox,          //
    &suite_watermark,      //
    &suite_fallback,       //
    &suite_family,         //
    &suite_reference,      //
    &suite_debug,          //
    &suite_slowpath,       //
    &suite_view,           //
    &suite_slab_cache,     //
    &suite_slab_take,      //
    &suite_slab_put,       //
    &suite_kmalloc,        //
    &suite_slab_debug,     //
    &suite_slab_options,   //
    &suite_sheaf,          //
    &suite_slab_view,      //
    &suite_slab_grace,     //
    &suite_slab_faults,    //
    &suite_slab_model,     //
    &suite_map_format,     //
    &suite_segment,        //
    &suite_mmu,            //
    &suite_translation,    //
    &suite_mmu_walk,       //
    &suite_sim,            //
    &suite_mapping,        //
    &suite_map_change,     //
    &suite_tables_boot,    //
    &suite_tables_shared,  //
    &suite_windows,        //
    &suite_tables_model,   //
    &suite_tables_faults,  //
    &suite_vmalloc,        //
    &suite_vmalloc_faults, //
    &suite_vmalloc_model,  //
    &suite_vm_xarray,      //
    &suite_vm_interval,    //
    &suite_vm_roots,       //
    &suite_vm_families,    //
    &suite_vm_anon_model,  //
    &suite_vm_rmap,        //
    &suite_vm_unmap,       //
    &suite_vm_migrate,     //
    &suite_vm_moves,       //
    &suite_vm_numa,        //
    &suite_vm_seal,        //
    &suite_vm_userfault,   //
    &suite_vm_ksm,         //
    &suite_vm_numa_model,  //
    &suite_vm_rmap_model,  //
    &suite_vm_rmap_faults, //
    &suite_vm_fault,       //
    &suite_vm_kernel,      //
    &suite_vm_linux,       //
    &suite_vm_many,        //
    &suite_vm_area_faults, //
    &suite_vm_views,       //
    &suite_vm_advice,      //
    &suite_vm_change,      //
    &suite_vm_mmap,        //
    &suite_vm_mmap_order,  //
    &suite_vm_cache,       //
    &suite_vm_file,        //
    &suite_vm_owner,       //
    &suite_vm_user_io,     //
    &suite_vm_shmem,       //
    &suite_vm_file_model,  //
    &suite_vm_file_faults, //
    &suite_vm_swap,        //
    &suite_vm_swap_area,   //
    &suite_vm_policy,      //
    &suite_vm_reclaim,     //
    &suite_vm_oom,         //
    &suite_vm_swap_model,  //
    &suite_vm_faults,      //
    &suite_vm_model,       //
    &suite_vm_areas_model, //
    &suite_heap,           //
    &suite_heap_mistake,   //
    &suite_heap_cache,     //
    &suite_heap_fall,      //
    &suite_heap_reap,      //
    &suite_heap_regular,   //
    &suite_heap_loan,      //
    &suite_heap_margin,    //
    &suite_heap_faults,    //
    &suite_heap_model,     //
    &suite_pool,           //
    &suite_pool_cleanup,   //
    &suite_pool_limit,     //
    &suite_pool_source,    //
    &suite_pool_text,      //
    &suite_pool_thread,    //
    &suite_pool_model,     //
    &suite_pool_faults,    //
    NULL,
};
