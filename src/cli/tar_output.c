#include "cli/tar_output.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cli/file_scan.h"
#include "cli/output.h"
#include "cli/tar_writer.h"
#include "oci/digest.h"
#include "regtag_sha256.h"

#define TRIES_MAX 100 /* a file system may say that a name leads elsewhere every time */

/* ---- Opening --------------------------------------------------------------------------------- */

/* The partial file is named for the file that it becomes. */
static bool open_partial(struct tar_output *t, uint64_t deadline, bool quiet, struct error *e)
{
    static struct regtag_sha256_context context;
    struct regtag_hash hash = regtag_sha256(&context);
    struct slice name = slice_of(t->place.name);
    char digest[DIGEST_SHA256_SIZE + 1];
    enum partial_state state = PARTIAL_AGAIN;
    bool hashed = digest_of(&hash, &name, 1, digest);
    for (unsigned tries = 0; hashed && state == PARTIAL_AGAIN && tries < TRIES_MAX; tries++)
        state = partial_open(&t->partial, &t->place, digest, deadline, quiet, e);
    if (state == PARTIAL_AGAIN)
        error_set(e, REGTAG_E_OTHER, "%s: cannot keep hold of %s in the same folder", t->path,
                  t->partial.name);
    return state == PARTIAL_OPEN;
}

bool tar_output_open(struct tar_output *t, const char *path, uint64_t deadline, bool quiet,
                     struct error *e)
{
    struct writer w = writer_to(t->path, sizeof t->path - 1);
    memset(t, 0, offsetof(struct tar_output, path));
    t->place.folder = t->partial.fd = -1;
    t->to_output = strcmp(path, "-") == 0;
    write_text(&w, path);
    t->path[w.used] = '\0';
    if (w.overflow)
        error_set(e, REGTAG_E_OTHER, "%.*s...: too long", SLICE_ARG(slice_head(slice_of(path), 200)));
    if (t->to_output || w.overflow)
        return t->to_output;
    const char *slash = strrchr(t->path, '/');
    return place_open(&t->place, t->path, slash ? (size_t)(slash + 1 - t->path) : 0, false, e) &&
           open_partial(t, deadline, quiet, e);
}

/* ---- What is there already ------------------------------------------------------------------- */

/* An interrupted run has left the beginning of an archive. As long as the same bytes are to be written, they are only
 * read; the partial file ends with the first other ones. */
static bool is_there(struct tar_output *t, const char *bytes, size_t size)
{
    char block[TAR_BLOCK];
    while (size) {
        size_t part = size < sizeof block ? size : sizeof block;
        if (read(t->partial.fd, block, part) != (ssize_t)part || memcmp(block, bytes, part) != 0)
            return false;
        bytes += part;
        size -= part;
    }
    return true;
}

static void cut(struct tar_output *t)
{
    if (ftruncate(t->partial.fd, (off_t)t->written) != 0 ||
        lseek(t->partial.fd, (off_t)t->written, SEEK_SET) < 0)
        t->problem = errno;
    t->partial.size = t->written;
}

void tar_output_left(struct tar_output *t, uint64_t deadline,
                     void (*visit)(void *context, const void *bytes, size_t size), void *context)
{
    uint64_t left = t->partial.size > t->written ? t->partial.size - t->written : 0;
    if (!t->to_output)
        t->at = file_scan(t->partial.fd, left < t->size ? left : t->size, deadline, visit, context);
    t->written += t->at;
}

void tar_output_again(struct tar_output *t)
{
    t->written -= t->at;
    t->at = 0;
    cut(t);
}

/* ---- Writing --------------------------------------------------------------------------------- */

static void put_into_file(struct tar_output *t, const void *bytes, size_t size)
{
    if (t->written < t->partial.size) {
        if (t->partial.size - t->written >= size && is_there(t, bytes, size))
            return;
        cut(t);
    }
    if (!t->problem)
        t->problem = partial_write(&t->partial, t->written, bytes, size);
}

static void put(struct tar_output *t, const void *bytes, size_t size)
{
    if (t->to_output)
        output_write((struct slice){bytes, size});
    else if (!t->problem)
        put_into_file(t, bytes, size);
    t->written += size;
}

static void put_zeros(struct tar_output *t, size_t size)
{
    char zeros[TAR_BLOCK];
    memset(zeros, 0, sizeof zeros);
    for (; size > sizeof zeros; size -= sizeof zeros)
        put(t, zeros, sizeof zeros);
    put(t, zeros, size);
}

void tar_output_file(struct tar_output *t, const char *name, uint64_t size)
{
    char block[TAR_BLOCK];
    tar_write_header(block, name, size);
    put_zeros(t, tar_padding(t->size)); /* of the last one */
    put(t, block, sizeof block);
    t->size = size;
    t->at = 0;
}

void tar_output_bytes(struct tar_output *t, const void *bytes, size_t size)
{
    put(t, bytes, size);
    t->at += size;
}

const char *tar_output_problem(const struct tar_output *t)
{
    return t->to_output ? output_problem() : t->problem ? strerror(t->problem) : NULL;
}

/* ---- The end --------------------------------------------------------------------------------- */

bool tar_output_end(struct tar_output *t, struct error *e)
{
    put_zeros(t, tar_padding(t->size) + TAR_END_SIZE);
    t->partial.size = t->written; /* nothing of a longer one follows */
    if (!t->to_output && !t->problem)
        t->problem = partial_sync(&t->partial);
    if (!t->to_output && !t->problem)
        t->problem = partial_rename(&t->partial);
    if (tar_output_problem(t))
        error_set(e, REGTAG_E_OTHER, "%s: %s", t->path, tar_output_problem(t));
    return e->status == 0;
}

void tar_output_close(struct tar_output *t, bool useless)
{
    partial_close(&t->partial, useless);
    place_close(&t->place);
}
