/* tools/cpio.c: writes cpio archives, form "newc" (Linux's buffer-format.rst in its early-userspace
 * documents)
 *
 * Each file is a header of 110 characters, all numbers in eight hexadecimal digits, its name with a
 * NUL, then its bytes; names and bytes are padded to four. An entry TRAILER!!! ends it. The order
 * is the tree's and the file numbers count up, so that equal trees give equal archives.
 */
#define _GNU_SOURCE
#include "cpio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "quire.h"

#define HEADER_BYTES 110u
#define TRAILER "TRAILER!!!"
#define BUFFER_BYTES 65536u

struct writer {
    const char *name;
    FILE *to;
    uint32_t files;
    uint64_t at;
};

static uint64_t padded(uint64_t size)
{
    return (size + 3) & ~(uint64_t)3;
}

/* Names have no slash at their beginning, so that other tools unpack them where they stand. */
static uint64_t entry_size(const char *name, uint64_t size)
{
    return padded(HEADER_BYTES + strlen(name) + 1) + padded(size);
}

static bool count(void *arg, const struct node *node)
{
    uint64_t *size = arg;
    if (node->size > UINT32_MAX) {
        complain("%s has %llu bytes; a RAM disk's files have at most 4 GiB",
                 node->host ? node->host : node->path, (unsigned long long)node->size);
        return false;
    }
    *size += entry_size(node->path + 1, node->size);
    return true;
}

bool cpio_size(const struct tree *tree, uint64_t *size)
{
    *size = entry_size(TRAILER, 0);
    return tree_walk(tree, count, size);
}

static bool unwritten(const struct writer *writer)
{
    complain("%s can't be written: %s", writer->name, strerror(errno));
    return false;
}

static bool put(struct writer *writer, const void *bytes, size_t size)
{
    writer->at += size;
    return fwrite(bytes, 1, size, writer->to) == size || unwritten(writer);
}

static bool pad(struct writer *writer)
{
    static const char zeros[3];
    return put(writer, zeros, (size_t)(padded(writer->at) - writer->at));
}

static uint32_t seconds(int64_t modified)
{
    return modified < 0 ? 0 : modified > UINT32_MAX ? UINT32_MAX : (uint32_t)modified;
}

static bool put_header(struct writer *writer, const struct node *node, const char *name)
{
    char header[HEADER_BYTES + 1];
    size_t length = strlen(name) + 1;
    snprintf(header, sizeof header, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
             ++writer->files, (unsigned)node->mode, (unsigned)node->uid, (unsigned)node->gid,
             S_ISDIR(node->mode) ? 2u : 1u, seconds(node->modified), (unsigned)node->size, 0u, 0u,
             0u, 0u, (unsigned)length, 0u);
    return put(writer, header, HEADER_BYTES) && put(writer, name, length) && pad(writer);
}

/* Exactly as many bytes as the header says. */
static bool put_content(struct writer *writer, const struct node *node, int fd)
{
    static char buffer[BUFFER_BYTES];
    for (uint64_t left = node->size; left;) {
        ssize_t got = read(fd, buffer, left < sizeof buffer ? (size_t)left : sizeof buffer);
        if (got <= 0) {
            complain(got ? "%s can't be read: %s"
                         : "%s was cut off while it was packed; try again%s",
                     node->host, got ? strerror(errno) : "");
            return false;
        }
        if (!put(writer, buffer, (size_t)got))
            return false;
        left -= (uint64_t)got;
    }
    return true;
}

static bool put_host(struct writer *writer, const struct node *node)
{
    int fd = open(node->host, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        complain("%s: %s", node->host, strerror(errno));
        return false;
    }
    bool done = put_content(writer, node, fd);
    close(fd);
    return done;
}

static bool put_node(void *arg, const struct node *node)
{
    struct writer *writer = arg;
    return put_header(writer, node, node->path + 1) &&
           (node->host ? put_host(writer, node) : put(writer, node->bytes, (size_t)node->size)) &&
           pad(writer);
}

bool cpio_write(const struct tree *tree, int fd, const char *name)
{
    static const struct node end;
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    struct writer writer = {.name = name, .to = copy < 0 ? NULL : fdopen(copy, "w")};
    if (!writer.to)
        return unwritten(&writer);
    bool done = tree_walk(tree, put_node, &writer) && put_header(&writer, &end, TRAILER);
    if (fclose(writer.to) && done)
        done = unwritten(&writer);
    return done;
}
