/* tests/kernel/fs_machine.h: a tree of files on a simulated machine, for a test case
 *
 *     if (!fs_boot())
 *         return;
 *     CHECK_EQ(put_file("/tmp/a", "text"), 0);
 *     fs_end();
 *
 * On vm_machine.h's machine. What would sleep calls `fs_while_asleep` instead, which does what
 * others would have done meanwhile; without it whoever waits gets -EINTR.
 */
#ifndef QUIRE_TESTS_FS_MACHINE_H
#define QUIRE_TESTS_FS_MACHINE_H

#include "tests/unit/vm_machine.h"

#include "kernel/fs/file.h"
#include "kernel/fs/fs.h"
#include "kernel/fs/names.h"
#include "kernel/fs/ramfs.h"

extern struct fs_context *fs_test; /* at the root, umask 022 */
extern const struct credentials root_user, plain_user, other_user;
extern struct fs_at at_root;         /* root_user's, at the root */
extern int (*fs_while_asleep)(void); /* 0, or what event_wait returns */

bool fs_boot(void);
/* All that is left is the tree; sees that nothing stays allocated. */
void fs_end(void);

/* By root. NULL or a negative errno: -fs_error. */
struct file *open_or_null(const char *path, int flags);
extern int fs_error;
int put_file(const char *path, const char *text);
/* Whether the file's content is `text`. */
bool has_text(const char *path, const char *text);
/* Whether a link's target, or a file's path, is `text`. */
bool link_is(const char *path, const char *text);
bool exists(const char *path);
struct attributes attributes_of(const char *path); /* not followed; all 0: there is no such file */
/* The names in a directory, each with a blank behind. */
const char *names_in(const char *path);
bool same_text(const char *a, const char *b);

#endif
