/* kernel/fs/initrd.c: the initial RAM disk (Linux: Documentation/driver-api/early-userspace/
 * buffer-format.rst)
 *
 * A member is a header of 110 characters (numbers of 8 hexadecimal digits), its name with a NUL,
 * and its data, the last two padded to 4 bytes. Files of several links come as members of the same
 * number, of which the last has the data, or each, as the writer likes. The end is TRAILER!!!, and
 * another archive may follow, after zeros.
 *
 * Nothing is believed: every length is looked at against what is left.
 */
#include "fs/initrd.h"

#include "base/text.h"
#include "fs/names.h"
#include "fs/ramfs.h"
#include "string.h"

#define HEADER_BYTES 110u
#define NR_FIELDS 13u
#define MAGIC_BYTES 6u
#define PIECE_BYTES 0x10000u

enum field {
    INO,
    MODE,
    UID,
    GID,
    NLINK,
    MTIME,
    FILESIZE,
    DEV_MAJOR,
    DEV_MINOR,
    RDEV_MAJOR,
    RDEV_MINOR,
    NAMESIZE,
    CHECK
};

struct member {
    uint32_t field[NR_FIELDS];
    const char *name; /* ends with NUL */
    const char *data;
};

/* A file of several links that has been made. */
struct linked {
    struct linked *next;
    uint32_t ino, major, minor;
    struct inode *inode;
};

struct archive {
    const char *bytes;
    size_t size, at;
    struct fs_at in;
    struct linked *linked;
    const char *what; /* is wrong */
    initrd_used_fn *used;
    void *used_arg;
};

static const struct credentials root_user;

/* ---- reading --------------------------------------------------------------------------------- */

static bool hex_number(const char *digits, uint32_t *number)
{
    *number = 0;
    for (unsigned i = 0; i < 8; i++) {
        unsigned c = (unsigned char)digits[i];
        unsigned digit = c - '0';
        if (digit > 9) {
            digit = (c | 0x20) - 'a' + 10;
            if (digit < 10 || digit > 15)
                return false;
        }
        *number = *number << 4 | digit;
    }
    return true;
}

static int bad(struct archive *archive, const char *what)
{
    archive->what = what;
    return -EINVAL;
}

static size_t aligned(size_t at)
{
    return (at + 3) & ~(size_t)3;
}

static int read_header(struct archive *archive, struct member *member)
{
    const char *header = archive->bytes + archive->at;
    if (archive->size - archive->at < HEADER_BYTES)
        return bad(archive, "a header is cut off");
    if (__builtin_memcmp(header, "07070", 5) || (header[5] != '1' && header[5] != '2'))
        return bad(archive, "a header isn't of cpio's newc format");
    for (unsigned i = 0; i < NR_FIELDS; i++)
        if (!hex_number(header + MAGIC_BYTES + 8 * (size_t)i, &member->field[i]))
            return bad(archive, "a header has a number that isn't hexadecimal");
    return 0;
}

/* Leaves `at` behind the member. */
static int read_member(struct archive *archive, struct member *member)
{
    int error = read_header(archive, member);
    if (error)
        return error;
    size_t name_at = archive->at + HEADER_BYTES, name_size = member->field[NAMESIZE];
    if (!name_size || name_size > FS_PATH_MAX)
        return bad(archive, "a name is empty or too long");
    if (archive->size - name_at < name_size)
        return bad(archive, "a name is cut off");
    member->name = archive->bytes + name_at;
    if (string_length_within(member->name, name_size) != name_size - 1)
        return bad(archive, "a name doesn't end where its header says");
    size_t data_at = aligned(name_at + name_size);
    if (data_at > archive->size || archive->size - data_at < member->field[FILESIZE])
        return bad(archive, "a file is cut off");
    member->data = archive->bytes + data_at;
    size_t end = aligned(data_at + member->field[FILESIZE]);
    archive->at = end < archive->size ? end : archive->size;
    return 0;
}

/* ---- making ---------------------------------------------------------------------------------- */

static int find(const struct archive *archive, const char *name, struct walk *walk)
{
    return path_walk(walk, archive->in.fs, archive->in.who, archive->in.start, name, 0);
}

/* The directories above `name`, as far as there are none. */
static int make_above(const struct archive *archive, const char *name)
{
    char *path = string_copy(name, string_length(name));
    int error = path ? 0 : -ENOMEM;
    for (size_t i = 1; !error && path[i]; i++) {
        if (path[i] != '/' || path[i - 1] == '/')
            continue;
        path[i] = '\0';
        error = names_make(&archive->in, path, S_IFDIR | 0755, 0);
        error = error == -EEXIST ? 0 : error;
        path[i] = '/';
    }
    quire_kfree(machine_slab, path);
    return error;
}

/* Of a member nothing is read after its data. No limit but memory: the archive is there already. */
static int write_data(const struct archive *archive, struct inode *inode,
                      const struct member *member)
{
    size_t size = member->field[FILESIZE];
    int error = ramfile_truncate(inode, 0);
    for (size_t done = 0; !error && done < size;) {
        size_t left = size - done < PIECE_BYTES ? size - done : PIECE_BYTES;
        int64_t piece = ramfile_fill(inode, done, member->data + done, left);
        if (piece < 0)
            error = (int)piece;
        else
            done += (size_t)piece;
        archive->used(archive->used_arg, (size_t)(member->data - archive->bytes) + done);
    }
    return error;
}

static void set_attributes(struct inode *inode, const struct member *member)
{
    struct fs_time time = {member->field[MTIME], 0};
    inode->uid = member->field[UID];
    inode->gid = member->field[GID];
    if (!inode_is(inode, S_IFLNK))
        inode->mode = (inode->mode & S_IFMT) | (member->field[MODE] & S_PERMISSIONS);
    inode->modified = inode->accessed = inode->changed = time;
}

static struct linked *find_linked(const struct archive *archive, const struct member *member)
{
    struct linked *linked = archive->linked;
    while (linked &&
           (linked->ino != member->field[INO] || linked->major != member->field[DEV_MAJOR] ||
            linked->minor != member->field[DEV_MINOR]))
        linked = linked->next;
    return linked;
}

static int remember(struct archive *archive, const struct member *member, struct inode *inode)
{
    if (member->field[NLINK] < 2 || find_linked(archive, member))
        return 0;
    struct linked *linked = quire_kmalloc(machine_slab, sizeof *linked, QUIRE_GFP_KERNEL);
    if (!linked)
        return -ENOMEM;
    *linked = (struct linked){archive->linked, member->field[INO], member->field[DEV_MAJOR],
                              member->field[DEV_MINOR], inode_get(inode)};
    archive->linked = linked;
    return 0;
}

static uint64_t device_of(const struct member *member)
{
    uint64_t major = member->field[RDEV_MAJOR], minor = member->field[RDEV_MINOR];
    return (minor & 0xff) | major << 8 | (minor & ~(uint64_t)0xff) << 12;
}

static int make_link(struct archive *archive, const struct member *member)
{
    size_t size = member->field[FILESIZE];
    if (!size || size >= FS_PATH_MAX || string_length_within(member->data, size) != size)
        return bad(archive, "a symbolic link's target is empty, too long or has a NUL");
    char *target = string_copy(member->data, size);
    int error = target ? names_symlink(&archive->in, member->name, target) : -ENOMEM;
    quire_kfree(machine_slab, target);
    return error;
}

/* A new name of the member's type. */
static int make_name(struct archive *archive, const struct member *member)
{
    uint32_t type = member->field[MODE] & S_IFMT;
    struct linked *linked = type == S_IFREG ? find_linked(archive, member) : NULL;
    if (linked && member->field[NLINK] >= 2)
        return names_link(&archive->in, member->name, linked->inode);
    if (type == S_IFLNK)
        return make_link(archive, member);
    if (type != S_IFREG && type != S_IFDIR && type != S_IFCHR && type != S_IFBLK &&
        type != S_IFIFO && type != S_IFSOCK)
        return bad(archive, "a file is of no known type");
    return names_make(&archive->in, member->name, type | (member->field[MODE] & S_PERMISSIONS),
                      device_of(member));
}

/* What is in the way of a member goes, but a directory stays for a directory. */
static int make_way(struct archive *archive, const struct member *member)
{
    struct walk walk;
    int error = find(archive, member->name, &walk);
    if (error)
        return error == -ENOENT ? make_above(archive, member->name) : error;
    bool is_directory = inode_is(walk.inode, S_IFDIR);
    bool wanted = (member->field[MODE] & S_IFMT) == S_IFDIR;
    walk_end(&walk);
    if (is_directory && !wanted)
        return bad(archive, "a file has a directory's name");
    return is_directory ? 0 : names_unlink(&archive->in, member->name);
}

static int fill(struct archive *archive, const struct member *member)
{
    struct walk walk;
    int error = find(archive, member->name, &walk);
    if (error)
        return error;
    if (inode_is(walk.inode, S_IFREG)) {
        error = remember(archive, member, walk.inode);
        if (!error && (member->field[FILESIZE] || walk.inode->nlink < 2))
            error = write_data(archive, walk.inode, member);
    }
    if (!error)
        set_attributes(walk.inode, member);
    walk_end(&walk);
    return error;
}

static int unpack(struct archive *archive, const struct member *member)
{
    int error = make_way(archive, member);
    if (!error) {
        error = make_name(archive, member);
        error = error == -EEXIST && (member->field[MODE] & S_IFMT) == S_IFDIR ? 0 : error;
    }
    return error ? error : fill(archive, member);
}

/* ---- all ------------------------------------------------------------------------------------- */

static void forget_linked(struct archive *archive)
{
    for (struct linked *linked = archive->linked, *next; linked; linked = next) {
        next = linked->next;
        inode_put(linked->inode);
        quire_kfree(machine_slab, linked);
    }
    archive->linked = NULL;
}

static bool skip_zeros(struct archive *archive)
{
    while (archive->at < archive->size && !archive->bytes[archive->at])
        archive->at++;
    return archive->at < archive->size;
}

static int unpack_all(struct archive *archive, struct initrd_error *error)
{
    bool ended = false;
    int result = 0;
    while (!result && (ended ? skip_zeros(archive) : archive->at < archive->size)) {
        struct member member;
        error->at = archive->at;
        result = read_member(archive, &member);
        if (result)
            break;
        quire_snprintf(error->name, sizeof error->name, "%s", member.name);
        ended = string_equal(member.name, "TRAILER!!!");
        if (ended)
            forget_linked(archive);
        else
            result = unpack(archive, &member);
    }
    if (!result && !ended)
        result = bad(archive, "the archive has no end");
    return result;
}

static void used_by_nobody(void *arg, size_t bytes)
{
    (void)arg;
    (void)bytes;
}

int initrd_unpack(struct inode *root, const void *bytes, size_t size, struct initrd_error *error)
{
    return initrd_consume(root, bytes, size, used_by_nobody, NULL, error);
}

int initrd_consume(struct inode *root, const void *bytes, size_t size, initrd_used_fn *used,
                   void *arg, struct initrd_error *error)
{
    struct initrd_error ignored;
    struct fs_context context = {.root = root, .cwd = root};
    struct archive archive = {
        .bytes = bytes,
        .size = size,
        .in = {.fs = &context, .who = &root_user, .start = root},
        .used = used,
        .used_arg = arg,
    };
    error = error ? error : &ignored;
    *error = (struct initrd_error){0};
    int result = unpack_all(&archive, error);
    forget_linked(&archive);
    error->what = archive.what;
    return result;
}
