#include "cli/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/file.h"
#include "oci/digest.h"
#include "regtag_sockets.h"

static const char TO_FILE[] = "write it to a file first, and load that";

/* ---- Reading --------------------------------------------------------------------------------- */

static ptrdiff_t fail(struct layout *l, int status, const char *problem)
{
    error_set(&l->e, status, "%s: %s", l->name, problem);
    return -1;
}

/* Fewer bytes only at the end. */
static ptrdiff_t read_file(struct layout *l, int fd, uint64_t at, char *bytes, size_t size)
{
    size_t used = 0;
    while (used < size) {
        ssize_t n = pread(fd, bytes + used, size - used, (off_t)(at + used));
        if (n == 0)
            break;
        if (n < 0 && errno != EINTR)
            return fail(l, REGTAG_E_OTHER, strerror(errno));
        used += n > 0 ? (size_t)n : 0;
    }
    return (ptrdiff_t)used;
}

static ptrdiff_t read_ready(struct layout *l, char *bytes, size_t size)
{
    uint64_t now = regtag_clock();
    uint64_t until = l->stall && l->stall < l->deadline - now ? now + l->stall : l->deadline;
    while (now < l->deadline) {
        struct pollfd ready = {l->fd, POLLIN, 0};
        int n = poll(&ready, 1, regtag_clock_until(until));
        ssize_t got = n > 0 ? read(l->fd, bytes, size) : -1;
        if (got >= 0)
            return got;
        if (n && errno != EINTR && errno != EAGAIN)
            return fail(l, REGTAG_E_OTHER, strerror(errno));
        now = regtag_clock();
        if (now >= until)
            break;
    }
    return fail(l, REGTAG_E_TIMEOUT,
                until < l->deadline
                    ? "nothing came through the pipe for too long; --stall sets the limit"
                    : "the pipe did not end in time; --timeout sets the limit");
}

/* Any number of bytes; 0 at the end. */
static ptrdiff_t read_some(struct layout *l, uint64_t at, char *bytes, size_t size)
{
    static char skipped[FETCH_BLOCK];
    if (at == l->first_at && size) {
        *bytes = l->first;
        return 1;
    }
    if (at < l->position) {
        error_set(&l->e, REGTAG_E_USAGE, "%s cannot be read twice; %s", l->name, TO_FILE);
        return -1;
    }
    while (l->position < at) {
        uint64_t left = at - l->position;
        ptrdiff_t n = read_ready(l, skipped, left < sizeof skipped ? (size_t)left : sizeof skipped);
        if (n <= 0)
            return n;
        l->position += (uint64_t)n;
    }
    ptrdiff_t n = read_ready(l, bytes, size);
    l->position += n > 0 ? (uint64_t)n : 0;
    return n;
}

static ptrdiff_t read_pipe(struct layout *l, uint64_t at, char *bytes, size_t size)
{
    size_t used = 0;
    while (used < size) {
        ptrdiff_t n = read_some(l, at + used, bytes + used, size - used);
        if (n < 0)
            return n;
        if (n == 0)
            break;
        used += (size_t)n;
    }
    return (ptrdiff_t)used;
}

static ptrdiff_t read_tar(void *context, uint64_t at, void *bytes, size_t size)
{
    struct layout *l = context;
    return l->kind == LAYOUT_PIPE ? read_pipe(l, at, bytes, size) : read_file(l, l->fd, at, bytes, size);
}

/* ---- What a tar file is that cannot be read ------------------------------------------------------ */

/* The program that unpacks it; NULL: it is not compressed. */
static const char *compressor(const struct tar_reader *t)
{
    static const struct {
        char magic[5], name[6];
    } COMPRESSED[] = {{"\x1f\x8b", "gzip"},
                      {"\x28\xb5\x2f\xfd", "zstd"},
                      {"\xfd"
                       "7zX",
                       "xz"},
                      {"BZh", "bzip2"}};
    struct slice start = {(const char *)t->block, t->held};
    for (size_t i = 0; i < sizeof COMPRESSED / sizeof COMPRESSED[0]; i++)
        if (slice_starts(start, slice_of(COMPRESSED[i].magic)))
            return COMPRESSED[i].name;
    return NULL;
}

static void set_no_tar(const struct layout *l, struct error *e)
{
    const char *program = compressor(&l->tar);
    if (program && l->fd == STDIN_FILENO)
        error_set(e, REGTAG_E_USAGE,
                  "%s is compressed; unpack it on the way: ... | %s -dc | regtag load -", l->name,
                  program);
    else if (program)
        error_set(e, REGTAG_E_USAGE, "%s is compressed; unpack it first: %s -dc %s >NEW.tar", l->name,
                  program, l->name);
    else
        error_set(e, REGTAG_E_USAGE, "%s is %s, not a tar archive of an OCI image layout", l->name,
                  l->tar.held ? "something else" : "empty");
}

static void set_broken(const struct layout *l, struct error *e)
{
    if (l->e.status)
        error_set(e, l->e.status, "%s", l->e.text);
    else if (l->tar.at == 0)
        set_no_tar(l, e);
    else
        error_set(e, REGTAG_E_REFUSED, "%s is damaged: %s, at byte %llu", l->name, l->tar.problem,
                  (unsigned long long)l->tar.at);
}

static void set_no_layout(const struct layout *l, const char *missing, struct error *e)
{
    if (l->is_docker)
        error_set(e, REGTAG_E_USAGE,
                  "%s is no OCI image layout, but what docker save wrote before version 25; convert it: "
                  "skopeo copy docker-archive:%s oci-archive:NEW.tar",
                  l->name, l->fd == STDIN_FILENO ? "FILE" : l->name);
    else
        error_set(e, REGTAG_E_USAGE, "%s is no OCI image layout: it has no %s", l->name, missing);
}

/* ---- Files ----------------------------------------------------------------------------------- */

/* Of the name of an entry; "": it does not matter. */
static const char *key_of(const char *name)
{
    struct slice s = slice_of(name);
    if (slice_starts(s, SLICE("blobs/sha256/")) && s.size == 13 + LAYOUT_KEY_SIZE - 1)
        return name + 13;
    return strcmp(name, LAYOUT_INDEX) == 0 || strcmp(name, LAYOUT_MARK) == 0 ? name : "";
}

static struct layout_file *add_found(struct layout *l, const char *key, int fd, uint64_t at,
                                     uint64_t size)
{
    struct layout_file *f = &l->found[l->next_found++ % LAYOUT_FOUND];
    if (f->fd >= 0)
        close(f->fd);
    *f = (struct layout_file){.fd = fd, .at = at, .size = size};
    memcpy(f->key, key, strlen(key));
    return f;
}

/* NULL, and the error set, if an entry with a name that matters is no plain file. */
static struct layout_file *add_entry(struct layout *l, const char *key, const struct tar_entry *entry)
{
    if (entry->type == TAR_FILE)
        return add_found(l, key, -1, entry->at, entry->size);
    error_set(&l->e, REGTAG_E_REFUSED, "%s: its %s is %s", l->name, entry->name,
              entry->type == TAR_LINK     ? "a link, which is not followed"
              : entry->type == TAR_SPARSE ? "a sparse file, which cannot be read"
                                          : "not a file");
    return NULL;
}

static void begin_tar(struct layout *l)
{
    l->tar = (struct tar_reader){.context = l, .read = read_tar};
}

/* ---- A regular file ------------------------------------------------------------------------------ */

/* The next entry that matters, with its key. */
static bool next_entry(struct layout *l, struct tar_entry *entry, const char **key, bool *ended)
{
    enum tar_event event = tar_next(&l->tar, entry);
    *ended = event == TAR_END;
    if (event == TAR_BROKEN)
        set_broken(l, &l->e);
    else if (event == TAR_ENTRY) {
        *key = key_of(entry->name);
        l->is_docker |= strcmp(entry->name, "manifest.json") == 0;
        l->has_mark |= strcmp(*key, LAYOUT_MARK) == 0;
    }
    return event == TAR_ENTRY;
}

/* All headers, once. The reader is at the beginning afterwards. */
static bool survey(struct layout *l)
{
    struct tar_entry entry;
    const char *key;
    bool ended;
    begin_tar(l);
    while (next_entry(l, &entry, &key, &ended))
        if (strcmp(key, LAYOUT_INDEX) == 0) {
            if (l->has_index)
                fail(l, REGTAG_E_REFUSED, "it has two files " LAYOUT_INDEX);
            l->has_index = true;
        }
    if (ended && !(l->has_index && l->has_mark))
        set_no_layout(l, l->has_index ? LAYOUT_MARK : LAYOUT_INDEX, &l->e);
    begin_tar(l);
    return !l->e.status;
}

/* From the entry after the last one that was found, to the end and on from the beginning. */
static struct layout_file *search_archive(struct layout *l, const char *key)
{
    struct tar_entry entry;
    const char *found;
    uint64_t start = l->tar.at;
    bool ended, wrapped = start == 0;
    for (;;) {
        if (next_entry(l, &entry, &found, &ended)) {
            if (strcmp(found, key) == 0)
                return add_entry(l, key, &entry);
            if (!wrapped || l->tar.at <= start || start == 0)
                continue;
        } else if (ended) {
            begin_tar(l);
            if (!wrapped) {
                wrapped = true;
                continue;
            }
        }
        return NULL;
    }
}

/* ---- A pipe ---------------------------------------------------------------------------------- */

/* What a pipe brings before it is wanted, or what may be wanted again. */
static char kept[KEPT_MAX];
static size_t kept_size;
static struct layout_file kept_files[KEPT_FILES_MAX];
static unsigned kept_count;

static struct layout_file *find_kept(const char *key)
{
    for (unsigned i = 0; i < kept_count; i++)
        if (strcmp(kept_files[i].key, key) == 0)
            return &kept_files[i];
    return NULL;
}

/* Keeps documents, and nothing else: manifests are wanted again. NULL: it is not one, or does not fit. */
static struct layout_file *keep(struct layout *l, const char *key, const struct tar_entry *entry)
{
    struct layout_file *f = &kept_files[kept_count];
    size_t size = (size_t)entry->size;
    if (entry->type != TAR_FILE || read_pipe(l, entry->at, &l->first, entry->size > 0) != 1)
        return NULL;
    l->first_at = entry->at;
    if (l->first != '{' || entry->size > sizeof kept - kept_size || kept_count == KEPT_FILES_MAX ||
        read_pipe(l, entry->at, kept + kept_size, size) != (ptrdiff_t)size)
        return NULL;
    *f = (struct layout_file){.fd = -1, .kept = kept + kept_size, .size = size};
    memcpy(f->key, key, strlen(key));
    kept_size += size;
    kept_count++;
    return f;
}

static void set_order(struct layout *l, const char *key)
{
    error_set(&l->e, REGTAG_E_USAGE,
              "%s is a pipe, in which %s does not come in time, or not at all; %s", l->name, key,
              TO_FILE);
}

static struct layout_file *search_pipe(struct layout *l, const char *key)
{
    struct tar_entry entry;
    const char *found;
    bool ended, for_index = strcmp(key, LAYOUT_INDEX) == 0;
    while (next_entry(l, &entry, &found, &ended)) {
        bool wanted = strcmp(found, key) == 0;
        struct layout_file *f = *found ? keep(l, found, &entry) : NULL;
        if (l->e.status || (wanted && f))
            return f;
        l->passed |= *found && !f;
        if (wanted)
            return add_entry(l, key, &entry);
        if (for_index && l->passed)
            break;
    }
    if (ended && for_index && !l->passed)
        set_no_layout(l, key, &l->e);
    else if (l->passed)
        set_order(l, key);
    return NULL;
}

/* ---- A folder -------------------------------------------------------------------------------- */

/* Opens what is in a folder; never a symbolic link. -1: it is not there, or the error is set. */
static int open_in(struct layout *l, int folder, const char *name, int flags)
{
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | flags);
    if (fd < 0 && errno != ENOENT)
        error_set(&l->e, REGTAG_E_OTHER, "%s: its %s: %s", l->name, name,
                  errno == ELOOP || errno == ENOTDIR ? "a symbolic link is not followed"
                                                     : strerror(errno));
    return fd;
}

static struct layout_file *open_file(struct layout *l, int folder, const char *name)
{
    struct stat s;
    int fd = open_in(l, folder, name, 0);
    if (fd < 0)
        return NULL;
    if (fstat(fd, &s) == 0 && S_ISREG(s.st_mode))
        return add_found(l, name, fd, 0, (uint64_t)s.st_size);
    close(fd);
    error_set(&l->e, REGTAG_E_REFUSED, "%s: its %s is not a regular file", l->name, name);
    return NULL;
}

static struct layout_file *search_folder(struct layout *l, const char *key)
{
    if (strlen(key) < LAYOUT_KEY_SIZE - 1)
        return open_file(l, l->fd, key);
    if (l->blobs < 0) {
        int all = open_in(l, l->fd, "blobs", O_DIRECTORY);
        if (all < 0)
            return NULL;
        l->blobs = open_in(l, all, "sha256", O_DIRECTORY);
        close(all);
    }
    return l->blobs < 0 ? NULL : open_file(l, l->blobs, key);
}

/* ---- The layout ------------------------------------------------------------------------------ */

static struct layout_file *find(struct layout *l, const char *key)
{
    for (unsigned i = 0; i < LAYOUT_FOUND; i++)
        if (strcmp(l->found[i].key, key) == 0)
            return &l->found[i];
    switch (l->kind) {
    case LAYOUT_FOLDER: return search_folder(l, key);
    case LAYOUT_ARCHIVE: return search_archive(l, key);
    default: break;
    }
    struct layout_file *f = find_kept(key);
    return f ? f : search_pipe(l, key);
}

static ptrdiff_t read_found(struct layout *l, const struct layout_file *f, uint64_t at, char *bytes,
                            size_t size)
{
    if (f->kept)
        memcpy(bytes, f->kept + at, size);
    else if (l->kind == LAYOUT_PIPE)
        return read_pipe(l, f->at + at, bytes, size);
    else
        return read_file(l, f->fd >= 0 ? f->fd : l->fd, f->at + at, bytes, size);
    return (ptrdiff_t)size;
}

static ptrdiff_t read_key(struct layout *l, const char *key, uint64_t at, char *bytes, size_t size)
{
    error_clear(&l->e);
    const struct layout_file *f = find(l, key);
    if (!f)
        return l->e.status ? REGTAG_IO_FAILED : REGTAG_IO_CLOSED;
    if (at >= f->size)
        return 0;
    if (size > f->size - at)
        size = (size_t)(f->size - at);
    if (read_found(l, f, at, bytes, size) == (ptrdiff_t)size)
        return (ptrdiff_t)size;
    fail(l, REGTAG_E_REFUSED, "it is cut off");
    return REGTAG_IO_FAILED;
}

static ptrdiff_t read_blob(void *context, const char *digest, uint64_t at, void *bytes, size_t size)
{
    bool known = digest_valid(slice_of(digest)) && digest_is_sha256(slice_of(digest));
    return known ? read_key(context, digest + 7, at, bytes, size) : REGTAG_IO_CLOSED;
}

static const char *problem(void *context)
{
    const struct layout *l = context;
    return l->e.text;
}

struct regtag_store layout_store(struct layout *l)
{
    return (struct regtag_store){.context = l, .read = read_blob, .problem = problem};
}

bool layout_read(struct layout *l, const char *key, struct writer *w, struct error *e)
{
    ptrdiff_t n;
    do {
        n = read_key(l, key, w->used, w->data + w->used, w->size - w->used);
        w->used += n > 0 ? (size_t)n : 0;
    } while (n > 0 && w->used < w->size);
    if (n == REGTAG_IO_CLOSED)
        set_no_layout(l, key, e);
    else if (n < 0)
        error_set(e, l->e.status, "%s", l->e.text);
    else if (n)
        error_set(e, REGTAG_E_REFUSED, "%s: its %s is larger than %zu bytes", l->name, key, w->size - 1);
    return !e->status;
}

static bool check(struct layout *l, const struct stat *s)
{
    if (S_ISDIR(s->st_mode))
        l->kind = LAYOUT_FOLDER;
    else if (S_ISREG(s->st_mode) && lseek(l->fd, 0, SEEK_CUR) == 0)
        l->kind = LAYOUT_ARCHIVE;
    else
        l->kind = LAYOUT_PIPE;
    begin_tar(l);
    return l->kind != LAYOUT_ARCHIVE || survey(l);
}

bool layout_open(struct layout *l, const char *path, uint64_t deadline, uint64_t stall, struct error *e)
{
    struct stat s;
    bool standard = strcmp(path, "-") == 0;
    memset(l, 0, sizeof *l);
    l->name = standard ? "stdin" : path;
    l->deadline = deadline;
    l->stall = stall;
    l->first_at = UINT64_MAX;
    l->fd = standard ? STDIN_FILENO : file_open(path);
    l->blobs = -1;
    for (unsigned i = 0; i < LAYOUT_FOUND; i++)
        l->found[i].fd = -1;
    if (l->fd < 0 || fstat(l->fd, &s) != 0)
        fail(l, REGTAG_E_OTHER, strerror(errno));
    else
        check(l, &s);
    if (l->e.status)
        error_set(e, l->e.status, "%s", l->e.text);
    return !e->status;
}

void layout_drain(struct layout *l)
{
    char bytes[512];
    while (l->kind == LAYOUT_PIPE && read_some(l, l->position, bytes, sizeof bytes) > 0)
        ;
}

void layout_close(struct layout *l)
{
    for (unsigned i = 0; i < LAYOUT_FOUND; i++)
        if (l->found[i].fd >= 0)
            close(l->found[i].fd);
    if (l->blobs >= 0)
        close(l->blobs);
    if (l->fd > STDIN_FILENO)
        close(l->fd);
}
