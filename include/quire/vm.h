/* quire/vm.h: address spaces (layer 4)
 *
 * What a process sees of memory. A machine's virtual memory is a `struct quire_vm`, made over its
 * quire_mem and quire_slab; an address space is a `struct quire_mm`, with page tables of its own.
 * Its areas are made and changed by the operations of mmap(2) and its relatives; pages come by
 * faults, which whoever runs the processor hands to quire_handle_fault. Files are in quire/file.h;
 * swap, reclaim and what happens when memory ends in quire/swap.h.
 *
 *     struct quire_vm *vm;
 *     struct quire_mm *mm;
 *     quire_vm_init(&vm, &(struct quire_vm_config){.mem = mem, .slab = slab,
 *                                                  .format = QUIRE_PT_FORMAT_X86_64});
 *     quire_mm_create(&mm, vm, &quire_mm_layout_x86_64);
 *     int64_t at = quire_mmap(mm, 0, 1 << 20, QUIRE_PROT_READ | QUIRE_PROT_WRITE,
 *                             QUIRE_MAP_PRIVATE | QUIRE_MAP_ANONYMOUS, NULL, 0);
 *     quire_handle_fault(mm, (quire_linear_t)at, QUIRE_FAULT_FLAG_USER | QUIRE_FAULT_FLAG_WRITE,
 *                        NULL);
 *
 * Constants have Linux's values (x86), so that system calls can be passed through.
 *
 * Contexts. All functions may sleep: they wait for locks, for backing stores and for memory; none
 * is for interrupt handlers, nor to be called with a lock held that a callback takes. An address
 * space has one lock that readers share: faults, mincore, msync, populating and kernel access are
 * readers, what changes areas is a writer. "Locks: reader" and the like below mean that one.
 *
 * Errors: 0 or a negative errno; an address or a negative errno in an int64_t. An operation that
 * fails leaves things as they were, unless its line says otherwise, as POSIX and Linux let some.
 */
#ifndef QUIRE_VM_H
#define QUIRE_VM_H

#include <quire/map.h>

#ifdef __cplusplus
extern "C" {
#endif

struct quire_vm;
struct quire_mm;
struct quire_mapping; /* a file, or memory that is shared like one: quire/file.h */

/* ---- a machine's virtual memory -------------------------------------------------------------- */

struct quire_vm_config {
    struct quire_mem *mem;
    struct quire_slab *slab;
    enum quire_pt_format_id format;    /* of all address spaces */
    struct quire_pt_features features; /* of the processors */
    quire_tlb_flush_fn *flush;         /* NULL: the port's, level 2 */
    void *flush_arg;
    /* Reclaim that clears an accessed bit flushes the page, so that it sees every later use.
     * Without, a page that stays in a TLB seems unused, which costs nothing and, where TLBs are
     * emptied often, matters little: Linux on x86 doesn't flush, on other processors it does. */
    bool flush_accessed;
    /* The kernel's own page tables, of this mem, format and features: every address space shares
     * what they keep of the kernel's part (quire_pgtable_keep), and what comes and goes there later
     * needs no word to this layer. They stay until quire_vm_destroy. The kernel's part begins at
     * the layout's end, rounded up to what a root entry covers (4 MiB on i386, 1 GiB with PAE); on
     * x86-64 it is the upper half, 0xffff800000000000 on (0xff00000000000000 with five levels),
     * whatever the layout. NULL: address spaces have their own part alone. */
    struct quire_pgtable *kernel_tables;
};

/* Makes the machine's virtual memory, and tells `mem` that it reclaims (quire_set_reclaim). The
 * quire_vm lives in the slab.
 *   -EINVAL   mem, slab or format is missing or unknown; QUIRE_PAGE_SHIFT isn't 12, the pages of
 *             page tables; kernel_tables are of another kind; or `mem` has frames that the page
 *             tables can't map (beyond 4 GiB on i386 without PAE, beyond MAXPHYADDR), as a line of
 *             the log says: nor may such memory be added later
 *   -ENOMEM */
QUIRE_MUST_CHECK int quire_vm_init(struct quire_vm **vm, const struct quire_vm_config *config);

/* The end: no address space, mapping or swap area is left, and nobody allocates from `mem`
 * meanwhile. -EBUSY: something is left, or a swapoff isn't done; nothing changed, and the log says
 * how many there are of each. */
QUIRE_MUST_CHECK int quire_vm_destroy(struct quire_vm *vm);

/* Checks every invariant while nothing runs; a broken one is a panic. O(frames). For tests. */
void quire_vm_check(struct quire_vm *vm);

/* ---- address spaces -------------------------------------------------------------------------- */

/* Where things are in an address space, as Linux places them without randomisation. */
struct quire_mm_layout {
    quire_linear_t end;      /* user addresses are below this: TASK_SIZE; 2^52 at most */
    quire_linear_t min_addr; /* and not below this without MAP_FIXED: vm.mmap_min_addr */
    quire_linear_t gap_min;  /* the mmap area begins at least so far below `end` ... */
    quire_linear_t gap_max;  /* ... and at most; between them it is the stack's limit and its gap */
    unsigned stack_gap;      /* pages that stay free below a growing stack: stack_guard_gap */
    bool bottom_up;          /* mmap looks upwards from end / 3: legacy_va_layout */
};
extern const struct quire_mm_layout quire_mm_layout_i386; /* 3 GiB */
#if QUIRE_LINEAR_BITS > 32
extern const struct quire_mm_layout quire_mm_layout_x86_64; /* 47 bits */
#endif

/* An empty address space with one user. -EINVAL: no such layout with these page tables, or
 * something of the kernel's part isn't kept; -ENOMEM. */
QUIRE_MUST_CHECK int quire_mm_create(struct quire_mm **mm, struct quire_vm *vm,
                                     const struct quire_mm_layout *layout);

/* A copy of `parent`, as fork(2) makes it: private memory is shared until written. Areas with
 * DONTFORK are left out, those with WIPEONFORK are empty in the child; locks of memory aren't
 * inherited. -ENOMEM: no memory, or the overcommit mode forbids it. Locks: writer of the parent.
 * O(areas + pages mapped). */
QUIRE_MUST_CHECK int quire_mm_fork(struct quire_mm **child, struct quire_mm *parent);

/* Users of an address space: threads. With the last one all areas are unmapped and the quire_mm
 * goes. It is loaded on no CPU any more then. */
void quire_mm_get(struct quire_mm *mm);
void quire_mm_put(struct quire_mm *mm);

/* The page tables: for CR3, and for quire_pgtable_cpu_enter and _leave. */
struct quire_pgtable *quire_mm_pgtable(struct quire_mm *mm);

/* Bytes; QUIRE_LIMIT_INFINITE: none. Linux's RLIMIT_AS, _DATA, _STACK, _MEMLOCK. A new address
 * space has an 8 MiB stack, 8 MiB of locked memory and no other limits; the child of a fork has its
 * parent's. */
enum quire_limit {
    QUIRE_LIMIT_AS,
    QUIRE_LIMIT_DATA,
    QUIRE_LIMIT_STACK,
    QUIRE_LIMIT_MEMLOCK,
    QUIRE_NR_LIMITS
};
#define QUIRE_LIMIT_INFINITE UINT64_MAX
void quire_mm_set_limit(struct quire_mm *mm, enum quire_limit limit, uint64_t bytes);
uint64_t quire_mm_limit(struct quire_mm *mm, enum quire_limit limit);

/* For views and for choosing whom to kill: a process's number and name (at most 15 characters are
 * kept), and its oom_score_adj, -1000 to 1000 (-EINVAL beyond). */
void quire_mm_set_name(struct quire_mm *mm, int pid, const char *name);
QUIRE_MUST_CHECK int quire_mm_set_oom_score_adj(struct quire_mm *mm, int adj);

/* Where a program's parts are, for brk, /proc and views: as execve(2) finds them. The mmap area's
 * top is computed from the stack limit when the first of these is set, as Linux does at exec.
 * `brk` is where the heap begins. -EINVAL: not within the address space. */
struct quire_mm_program {
    quire_linear_t start_code, end_code, start_data, end_data, brk, start_stack;
    quire_linear_t arg_start, arg_end, env_start, env_end;
};
QUIRE_MUST_CHECK int quire_mm_set_program(struct quire_mm *mm,
                                          const struct quire_mm_program *program);
/* As it was set; all 0 before. */
void quire_mm_get_program(struct quire_mm *mm, struct quire_mm_program *program);

/* ---- operations ------------------------------------------------------------------------------ */

#define QUIRE_PROT_NONE 0x0u
#define QUIRE_PROT_READ 0x1u
#define QUIRE_PROT_WRITE 0x2u
#define QUIRE_PROT_EXEC 0x4u
#define QUIRE_PROT_GROWSDOWN 0x01000000u
#define QUIRE_PROT_GROWSUP 0x02000000u

#define QUIRE_MAP_SHARED 0x01u
#define QUIRE_MAP_PRIVATE 0x02u
#define QUIRE_MAP_SHARED_VALIDATE 0x03u
#define QUIRE_MAP_TYPE 0x0fu
#define QUIRE_MAP_FIXED 0x10u
#define QUIRE_MAP_ANONYMOUS 0x20u
#define QUIRE_MAP_32BIT 0x40u
#define QUIRE_MAP_GROWSDOWN 0x0100u
#define QUIRE_MAP_DENYWRITE 0x0800u  /* ignored, as by Linux */
#define QUIRE_MAP_EXECUTABLE 0x1000u /* ignored */
#define QUIRE_MAP_LOCKED 0x2000u
#define QUIRE_MAP_NORESERVE 0x4000u
#define QUIRE_MAP_POPULATE 0x8000u
#define QUIRE_MAP_NONBLOCK 0x10000u
#define QUIRE_MAP_STACK 0x20000u
#define QUIRE_MAP_HUGETLB 0x40000u /* -EINVAL: there are no reserved huge pages */
#define QUIRE_MAP_SYNC 0x80000u
#define QUIRE_MAP_FIXED_NOREPLACE 0x100000u
/* Not Linux's, which looks at the descriptor: a shared mapping that stays read-only, whatever the
 * file allows others. */
#define QUIRE_MAP_NO_WRITE 0x40000000u

/* mmap(2). `mapping` is NULL with ANONYMOUS, and what the descriptor refers to without; the area
 * holds a reference to it. `offset` in bytes. May the file be written, executed? is for the caller
 * to know: `mapping`'s own may_* flags say it. Locks: writer. O(log areas), and what it replaces;
 * POPULATE and LOCKED fault pages in afterwards, whose failure isn't an error.
 *   -EINVAL   length 0, offset or (with FIXED) address not of whole pages, no type or an unknown
 *             one, MAP_GROWSDOWN of a file, HUGETLB
 *   -EOPNOTSUPP SHARED_VALIDATE with flags that Linux doesn't know
 *   -EOVERFLOW offset and length beyond what a file can have; with page tables of a 32-bit machine
 *             beyond 2^32 pages, of anonymous memory too, before anything else but -EINVAL
 *   -EACCES   the mapping can't be read, or written for a shared writable one
 *   -EPERM    executable, which the mapping forbids; FIXED below min_addr; LOCKED with limit 0
 *   -ENODEV   the mapping can't be mapped
 *   -EEXIST   FIXED_NOREPLACE, and something is there
 *   -EAGAIN   LOCKED beyond the limit
 *   -ENOMEM   no such gap, a limit, too many areas, the overcommit mode, or no memory */
QUIRE_MUST_CHECK int64_t quire_mmap(struct quire_mm *mm, quire_linear_t address, uint64_t length,
                                    unsigned prot, unsigned flags, struct quire_mapping *mapping,
                                    uint64_t offset);

/* munmap(2). Locks: writer. O(log areas + areas and pages in it). -EINVAL: not of whole pages,
 * empty, or beyond the address space; -ENOMEM: an area had to be split and there are too many. */
QUIRE_MUST_CHECK int quire_munmap(struct quire_mm *mm, quire_linear_t address, uint64_t length);

/* mprotect(2). What lies below a hole or a refusal has been changed then, as on Linux. Locks:
 * writer.
 *   -EINVAL   not of whole pages, unknown bits, both GROWS bits, or a GROWS bit and no such area
 *   -EACCES   writable, and the file doesn't allow it
 *   -ENOMEM   a hole, too many areas, the overcommit mode, or no memory */
QUIRE_MUST_CHECK int quire_mprotect(struct quire_mm *mm, quire_linear_t address, uint64_t length,
                                    unsigned prot);

#define QUIRE_MREMAP_MAYMOVE 1u
#define QUIRE_MREMAP_FIXED 2u
#define QUIRE_MREMAP_DONTUNMAP 4u

/* mremap(2): the new address. With DONTUNMAP and without FIXED, new_address is a hint. What is in
 * the way of a FIXED place goes after all checks, but is gone when memory for the move itself is
 * short. Locks: writer. O(log areas + pages moved). -EINVAL, -EFAULT (not one area), -EAGAIN
 * (locked beyond the limit), -ENOMEM: as the manual */
QUIRE_MUST_CHECK int64_t quire_mremap(struct quire_mm *mm, quire_linear_t old_address,
                                      uint64_t old_length, uint64_t new_length, unsigned flags,
                                      quire_linear_t new_address);

/* brk(2) as the system call is: the new break, or the old one if it can't be had; 0 as long as no
 * program is set. The heap isn't joined with an area that ends where it begins, as on Linux. Locks:
 * writer. */
quire_linear_t quire_brk(struct quire_mm *mm, quire_linear_t brk);

/* mseal(2): areas of the range aren't unmapped, moved, resized or given other rights any more, nor
 * is what is private and read-only there thrown away by madvise: -EPERM. A fork's child has them
 * so, too. Locks: writer. -EINVAL: address or length; -ENOMEM: a hole (nothing changed), or too
 * many areas. */
QUIRE_MUST_CHECK int quire_mseal(struct quire_mm *mm, quire_linear_t address, uint64_t length);

/* remap_file_pages(2): as mmap of the file that a shared mapping has there, from page `index` on.
 * Locks: reader, then writer. -EINVAL: `prot` isn't 0, a range that is empty or wraps around, or
 * isn't of one shared mapping; and what mmap says. */
QUIRE_MUST_CHECK int quire_remap_file_pages(struct quire_mm *mm, quire_linear_t start,
                                            uint64_t size, unsigned prot, uint64_t index,
                                            unsigned flags);

#define QUIRE_MADV_NORMAL 0
#define QUIRE_MADV_RANDOM 1
#define QUIRE_MADV_SEQUENTIAL 2
#define QUIRE_MADV_WILLNEED 3
#define QUIRE_MADV_DONTNEED 4
#define QUIRE_MADV_FREE 8
#define QUIRE_MADV_REMOVE 9
#define QUIRE_MADV_DONTFORK 10
#define QUIRE_MADV_DOFORK 11
#define QUIRE_MADV_MERGEABLE 12 /* of private memory: quire/ksm.h */
#define QUIRE_MADV_UNMERGEABLE 13
#define QUIRE_MADV_HUGEPAGE 14 /* noted, and shown in smaps; pages stay small */
#define QUIRE_MADV_NOHUGEPAGE 15
#define QUIRE_MADV_DONTDUMP 16
#define QUIRE_MADV_DODUMP 17
#define QUIRE_MADV_WIPEONFORK 18
#define QUIRE_MADV_KEEPONFORK 19
#define QUIRE_MADV_COLD 20
#define QUIRE_MADV_PAGEOUT 21
#define QUIRE_MADV_POPULATE_READ 22
#define QUIRE_MADV_POPULATE_WRITE 23
#define QUIRE_MADV_DONTNEED_LOCKED 24
/* The frames are never handed out again; their content is lost, or moves to others first. Whether a
 * program may do that is for the caller to say. */
#define QUIRE_MADV_HWPOISON 100
#define QUIRE_MADV_SOFT_OFFLINE 101

/* madvise(2). Holes are skipped, and give -ENOMEM at the end. Locks: writer for what changes areas,
 * reader for the rest.
 *   -EINVAL   not of whole pages, unknown advice, or not for such memory (locked, of a file, not
 *             readable or writable)
 *   -EACCES   REMOVE of what isn't shared and writable
 *   -EPERM    sealed (mseal), private and read-only, and the advice would lose what is there
 *   -EOPNOTSUPP REMOVE of a file that has an owner: quire_mapping_punch is for him to call
 *   -EAGAIN   no memory, or too many areas
 *   -EFAULT, -ENOMEM  POPULATE_*, HWPOISON, SOFT_OFFLINE: a page couldn't be had; of the latter two
 *             -EFAULT for holes, too
 *   -EBUSY    HWPOISON, SOFT_OFFLINE: somebody pins the page, or shares it as a merged one or one
 * of zeros */
QUIRE_MUST_CHECK int quire_madvise(struct quire_mm *mm, quire_linear_t address, uint64_t length,
                                   int advice);

/* mincore(2): a byte a page, bit 0 set if it is resident. `vec` is the kernel's memory. Locks:
 * reader. -EINVAL: not of whole pages; -ENOMEM: a hole. */
QUIRE_MUST_CHECK int quire_mincore(struct quire_mm *mm, quire_linear_t address, uint64_t length,
                                   unsigned char *vec);

#define QUIRE_MS_ASYNC 1u
#define QUIRE_MS_INVALIDATE 2u
#define QUIRE_MS_SYNC 4u

/* msync(2). SYNC writes dirty pages of shared file mappings and waits. -EINVAL, -EBUSY (INVALIDATE
 * of locked memory), -ENOMEM (a hole; the rest is done), -EIO (a write failed). Locks: reader. */
QUIRE_MUST_CHECK int quire_msync(struct quire_mm *mm, quire_linear_t address, uint64_t length,
                                 unsigned flags);

#define QUIRE_MLOCK_ONFAULT 1u
#define QUIRE_MCL_CURRENT 1u
#define QUIRE_MCL_FUTURE 2u
#define QUIRE_MCL_ONFAULT 4u

/* mlock(2), mlock2(2) and the others. Locks: writer, then reader to fault pages in. -ENOMEM: a
 * limit, a hole, or too many areas; -EPERM: the limit is 0; -EINVAL; -EAGAIN: some pages couldn't
 * be had. */
QUIRE_MUST_CHECK int quire_mlock(struct quire_mm *mm, quire_linear_t address, uint64_t length,
                                 unsigned flags);
QUIRE_MUST_CHECK int quire_munlock(struct quire_mm *mm, quire_linear_t address, uint64_t length);
QUIRE_MUST_CHECK int quire_mlockall(struct quire_mm *mm, unsigned flags);
QUIRE_MUST_CHECK int quire_munlockall(struct quire_mm *mm);

/* ---- faults ---------------------------------------------------------------------------------- */

#define QUIRE_FAULT_FLAG_WRITE 0x1u
#define QUIRE_FAULT_FLAG_EXEC 0x2u
#define QUIRE_FAULT_FLAG_USER 0x4u /* from user mode; the kernel's faults are treated alike */

/* What a fault came to. From SIGSEGV on nothing was mapped. */
enum quire_fault_result {
    QUIRE_VM_MINOR,       /* done, without waiting for a backing store: try the access again */
    QUIRE_VM_MAJOR,       /* done, after reading from one */
    QUIRE_VM_SEGV_MAPERR, /* SIGSEGV with SEGV_MAPERR: no area */
    QUIRE_VM_SEGV_ACCERR, /* SIGSEGV with SEGV_ACCERR: the area doesn't allow it */
    QUIRE_VM_BUS_ADRERR,  /* SIGBUS with BUS_ADRERR: beyond the file's end, or reading failed */
    QUIRE_VM_BUS_MCEERR,  /* SIGBUS with BUS_MCEERR_AR: the frame was taken out of use */
    QUIRE_VM_OOM,         /* no memory, even after the OOM callback */
};

/* A thread's memory of the area that it used last, and of the table of its last fault; all zero at
 * first. One thread uses it. */
struct quire_fault_cache {
    struct quire_mm *mm;
    void *vma;
    uint64_t generation;
    quire_linear_t
        region;  /* what the table is for: the address without the bits that it translates */
    void *table; /* NULL: not known */
};

/* A page fault at any address. `cache` may be NULL. Counted in min_flt or maj_flt, as are faults
 * that the kernel's access, populating and locking make themselves. Locks: reader. O(log areas), a
 * level of tables each, and the page. */
enum quire_fault_result quire_handle_fault(struct quire_mm *mm, quire_linear_t address,
                                           unsigned flags, struct quire_fault_cache *cache);

/* ---- the kernel's access to user memory ------------------------------------------------------ */

/* Copy by pages, faulting them in as the process itself would, whatever the hardware's rights: so
 * they work without running on the address space. The number of bytes NOT copied, as Linux:
 * 0 is success. Ranges that leave the address space stop there. Locks: reader. */
QUIRE_MUST_CHECK size_t quire_copy_from_user(struct quire_mm *mm, void *to, quire_linear_t from,
                                             size_t size);
QUIRE_MUST_CHECK size_t quire_copy_to_user(struct quire_mm *mm, quire_linear_t to, const void *from,
                                           size_t size);
QUIRE_MUST_CHECK size_t quire_clear_user(struct quire_mm *mm, quire_linear_t to, size_t size);

/* At most `size` bytes of a string with its NUL: its length without the NUL, `size` if there is no
 * NUL, -EFAULT. */
QUIRE_MUST_CHECK int64_t quire_strncpy_from_user(struct quire_mm *mm, char *to, quire_linear_t from,
                                                 size_t size);
/* The length with its NUL, at most `size` + 1 (then there is none); 0: a fault. */
QUIRE_MUST_CHECK size_t quire_strnlen_user(struct quire_mm *mm, quire_linear_t at, size_t size);

/* The page at an address, faulted in for reading or writing, with a reference that keeps it from
 * being freed or moved until quire_put_user_page (dirty: it was written to). It doesn't keep the
 * page at that address: after a fork it may be the child's alone. -EFAULT; -ENOMEM. */
QUIRE_MUST_CHECK int quire_get_user_page(struct quire_mm *mm, quire_linear_t address, bool write,
                                         struct quire_page **page);
void quire_put_user_page(struct quire_vm *vm, struct quire_page *page, bool dirty);

/* ---- overcommit ------------------------------------------------------------------------------ */

enum quire_overcommit {
    QUIRE_OVERCOMMIT_GUESS,  /* refuse only what is more than all memory and swap */
    QUIRE_OVERCOMMIT_ALWAYS, /* refuse nothing */
    QUIRE_OVERCOMMIT_NEVER,  /* less than swap and `ratio` percent of memory, of which 1/32 of its
                              * addresses (128 MiB at most) is kept from a process */
};
/* vm.overcommit_memory and vm.overcommit_ratio (at first GUESS and 50). -EINVAL: no such mode. */
QUIRE_MUST_CHECK int quire_vm_set_overcommit(struct quire_vm *vm, enum quire_overcommit mode,
                                             unsigned ratio);
/* vm.overcommit_kbytes: in place of the ratio, as long as neither is set anew; 0: the ratio. */
void quire_vm_set_overcommit_kbytes(struct quire_vm *vm, unsigned long kbytes);
/* vm.max_map_count: areas that an address space may have, 65530 at first. */
void quire_vm_set_max_map_count(struct quire_vm *vm, unsigned areas);

/* ---- counts and views ------------------------------------------------------------------------ */

/* In pages, exact while nothing runs in it. */
struct quire_mm_info {
    unsigned long nr_areas;
    unsigned long total, locked, pinned, data, exec, stack; /* of addresses */
    unsigned long rss_anon, rss_file, rss_shmem, swap;      /* of pages */
    unsigned long hiwater_total, hiwater_rss;
    unsigned long tables; /* pages of page tables */
    unsigned long min_flt, maj_flt;
};
void quire_mm_info(struct quire_mm *mm, struct quire_mm_info *info);
/* min_flt and maj_flt of it, without a lock. */
void quire_mm_nr_faults(struct quire_mm *mm, unsigned long *minor, unsigned long *major);
/* Pages in memory as they are counted now. Takes no lock: also for callbacks of swap.h. */
unsigned long quire_mm_nr_resident(struct quire_mm *mm);

/* One area. `mapping` is borrowed: it stays at least as long as the area does. */
struct quire_area {
    quire_linear_t start, end;
    struct quire_mapping *mapping; /* NULL: anonymous */
    uint64_t offset;               /* of `start` in it */
    unsigned prot;
    bool shared;
    bool dont_dump;  /* MADV_DONTDUMP */
    bool is_written; /* private pages were made in it, be it in part of it */
};
/* The first area that ends above `from`. -ENOENT: there is none. Locks: reader. O(log areas). */
QUIRE_MUST_CHECK int quire_mm_area(struct quire_mm *mm, quire_linear_t from,
                                   struct quire_area *area);

/* /proc/PID/: maps, smaps, smaps_rollup, status (the lines Vm*, Rss*), statm, numa_maps. As text
 * in Linux's format, or as JSON, where addresses and offsets are strings in hexadecimal. `write` is
 * called with the address space's lock (reader): it must not call back. */
enum quire_mm_view {
    QUIRE_MM_VIEW_MAPS,
    QUIRE_MM_VIEW_SMAPS,
    QUIRE_MM_VIEW_SMAPS_ROLLUP,
    QUIRE_MM_VIEW_STATUS,
    QUIRE_MM_VIEW_STATM,
    QUIRE_MM_VIEW_NUMA_MAPS,
    QUIRE_NR_MM_VIEWS
};
QUIRE_MUST_CHECK int quire_mm_view(struct quire_mm *mm, enum quire_mm_view view,
                                   enum quire_format format, quire_write_fn *write, void *arg);
/* The text that maps or smaps has of one area, the first that ends above *from, which becomes its
 * end: for who reads in pieces. -ENOENT: there is none; -EINVAL: another view. Locks: reader. */
QUIRE_MUST_CHECK int quire_mm_view_area(struct quire_mm *mm, enum quire_mm_view view,
                                        quire_linear_t *from, quire_write_fn *write, void *arg);

/* /proc/PID/clear_refs: nothing of anonymous memory, of files, seems referenced; and the most that
 * was resident is what is. Locks: reader; none. O(pages). */
void quire_mm_clear_refs(struct quire_mm *mm, bool anon, bool file);
void quire_mm_reset_peak(struct quire_mm *mm);

/* /proc/PID/pagemap: entries of `count` pages from `address` on (man 5 proc_pid_pagemap); 0 beyond
 * the address space. */
void quire_pagemap(struct quire_mm *mm, uint64_t address, unsigned long count, uint64_t *entries);

/* /proc/kpageflags and /proc/kpagecount: of `count` frames from `first` on the flags of Linux
 * (QUIRE_KPF_*, bits by number), and how many entries map them. No locks: it may change meanwhile,
 * and frees and allocations are seen or not. O(count). */
#define QUIRE_KPF_LOCKED 0
#define QUIRE_KPF_REFERENCED 2
#define QUIRE_KPF_UPTODATE 3
#define QUIRE_KPF_DIRTY 4
#define QUIRE_KPF_LRU 5
#define QUIRE_KPF_SLAB 7
#define QUIRE_KPF_WRITEBACK 8
#define QUIRE_KPF_BUDDY 10
#define QUIRE_KPF_MMAP 11
#define QUIRE_KPF_ANON 12
#define QUIRE_KPF_SWAPCACHE 13
#define QUIRE_KPF_SWAPBACKED 14
#define QUIRE_KPF_UNEVICTABLE 18
#define QUIRE_KPF_HWPOISON 19
#define QUIRE_KPF_NOPAGE 20
#define QUIRE_KPF_KSM 21
#define QUIRE_KPF_ZERO_PAGE 24
void quire_kpageflags(struct quire_vm *vm, quire_pfn_t first, unsigned long count, uint64_t *flags);
void quire_kpagecount(struct quire_vm *vm, quire_pfn_t first, unsigned long count,
                      uint64_t *counts);
/* Frames behind the last that exists: where both files end. */
unsigned long quire_kpage_end(struct quire_vm *vm);

/* /proc/meminfo, /proc/vmstat (with this layer's counters after phys's), /proc/swaps. */
enum quire_vm_view {
    QUIRE_VM_VIEW_MEMINFO,
    QUIRE_VM_VIEW_VMSTAT,
    QUIRE_VM_VIEW_SWAPS,
    QUIRE_NR_VM_VIEWS
};
QUIRE_MUST_CHECK int quire_vm_view(struct quire_vm *vm, enum quire_vm_view view,
                                   enum quire_format format, quire_write_fn *write, void *arg);

#ifdef __cplusplus
}
#endif

#endif
