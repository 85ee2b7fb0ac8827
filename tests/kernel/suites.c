/* tests/kernel/suites.c: suites of the parts of the kernel that run on the host too */
#include "tests/harness/harness.h"

extern const struct test_suite suite_acpi;
extern const struct test_suite suite_pvh;
extern const struct test_suite suite_cmdline;
extern const struct test_suite suite_fs_block;
extern const struct test_suite suite_fs_faults;
extern const struct test_suite suite_fs_file;
extern const struct test_suite suite_fs_pipe;
extern const struct test_suite suite_fs_initrd;
extern const struct test_suite suite_fs_proc;
extern const struct test_suite suite_fs_socket;
extern const struct test_suite suite_fs_tty;
extern const struct test_suite suite_fs_tree;
extern const struct test_suite suite_lines;
extern const struct test_suite suite_virtio_blk;

const struct test_suite *const test_suites[] = {
    &suite_acpi,      //
    &suite_pvh,       //
    &suite_cmdline,   //
    &suite_fs_block,  //
    &suite_fs_faults, //
    &suite_fs_file,   //
    &suite_fs_pipe,   //
    &suite_fs_initrd, //
    &suite_fs_proc,   //
    &suite_fs_socket, //
    &suite_fs_tty,    //
    &suite_fs_tree,   //
    &suite_lines,     //
    &suite_virtio_blk, NULL,
};
