#include "cli/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/file.h"
#include "oci/digest.h"
#include "regtag_sockets.h"

static ptrdiff_t read_tar(void *context, uint64_t at, void *bytes, size_t size)
{
    struct layout *l = context;
    return input_read(&l->in, at, bytes, size);
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
    if (program && l->in.fd == STDIN_FILENO)
        error_set(e, REGTAG_E_USAGE,
                  "%s is compressed; unpack it on the way: ... | %s -dc | regtag load -", l->in.name,
                  program);
    else if (program)
        error_set(e, REGTAG_E_USAGE, "%s is compressed; unpack it first: %s -dc %s >NEW.tar", l->in.name,
                  program, l->in.name);
    else
        error_set(e, REGTAG_E_USAGE, "%s is %snot a tar archive of an OCI image layout", l->in.name,
                  l->tar.held ? "" : "empty, ");
}

static void set_broken(const struct layout *l, struct error *e)
{
    if (l->in.e.status)
        error_set(e, l->in.e.status, "%s", l->in.e.text);
    else if (l->tar.at == 0)
        set_no_tar(l, e);
    else
        error_set(e, REGTAG_E_REFUSED, "%s is damaged, at byte %llu: %s", l->in.name,
                  (unsigned long long)l->tar.at, l->tar.problem);
}

static void set_no_layout(const struct layout *l, const char *missing, struct error *e)
{
    if (l->is_docker)
        error_set(
            e, REGTAG_E_USAGE,
            "%s is not an OCI image layout, but what docker save wrote before version 25; convert it: "
            "skopeo copy docker-archive:%s oci-archive:NEW.tar",
            l->in.name, l->in.fd == STDIN_FILENO ? "FILE" : l->in.name);
    else
        error_set(e, REGTAG_E_USAGE, "%s is not an OCI image layout: it has no %s", l->in.name, missing);
}

/* ---- Files ----------------------------------------------------------------------------------- */

/* Of the name of an entry; "": it does not matter. */
static const char *key_of(const char *name)
{
    struct slice s = slice_of(name);
    if (slice_starts(s, SLICE(LAYOUT_BLOBS)) && s.size == sizeof LAYOUT_BLOBS - 1 + LAYOUT_KEY_SIZE - 1)
        return name + sizeof LAYOUT_BLOBS - 1;
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
    error_set(&l->in.e, REGTAG_E_REFUSED, "%s: its %s is %s", l->in.name, entry->name,
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
        set_broken(l, &l->in.e);
    else if (event == TAR_ENTRY) {
        *key = key_of(entry->name);
        l->is_docker |= strcmp(entry->name, "manifest.json") == 0;
        l->has_mark |= strcmp(*key, LAYOUT_MARK) == 0;
    }
    return event == TAR_ENTRY;
}

/* All headers, once. The reader is at the beginning afterwards. */
static void survey(struct layout *l)
{
    struct tar_entry entry;
    const char *key;
    bool ended;
    begin_tar(l);
    while (next_entry(l, &entry, &key, &ended))
        if (strcmp(key, LAYOUT_INDEX) == 0) {
            if (l->has_index)
                input_fail(&l->in, REGTAG_E_REFUSED, "it has two files " LAYOUT_INDEX);
            l->has_index = true;
        }
    if (ended && !(l->has_index && l->has_mark))
        set_no_layout(l, l->has_index ? LAYOUT_MARK : LAYOUT_INDEX, &l->in.e);
    begin_tar(l);
}

/* From the entry after the last one that was found, to the end and on from the beginning. That takes time: an index may
 * name thousands of images, and an archive have many more files. */
static struct layout_file *search_archive(struct layout *l, const char *key)
{
    struct tar_entry entry;
    const char *found;
    uint64_t start = l->tar.at;
    bool ended, wrapped = start == 0;
    if (regtag_clock() >= l->in.deadline) {
        input_fail(&l->in, REGTAG_E_TIMEOUT, "it was not searched in time; --timeout sets the limit");
        return NULL;
    }
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
    char first;
    if (entry->type != TAR_FILE || entry->size == 0 || !input_peek(&l->in, entry->at, &first))
        return NULL;
    if (first != '{' || entry->size > sizeof kept - kept_size || kept_count == KEPT_FILES_MAX ||
        input_read(&l->in, entry->at, kept + kept_size, size) != (ptrdiff_t)size)
        return NULL;
    *f = (struct layout_file){.fd = -1, .kept = kept + kept_size, .size = size};
    memcpy(f->key, key, strlen(key));
    kept_size += size;
    kept_count++;
    return f;
}

static void set_order(struct layout *l, const char *key)
{
    error_set(&l->in.e, REGTAG_E_USAGE,
              "%s is a pipe, in which %s does not come in time, or not at all; " LAYOUT_TO_FILE,
              l->in.name, key);
}

static struct layout_file *search_pipe(struct layout *l, const char *key)
{
    struct tar_entry entry;
    const char *found;
    bool ended, for_index = strcmp(key, LAYOUT_INDEX) == 0;
    while (next_entry(l, &entry, &found, &ended)) {
        bool wanted = strcmp(found, key) == 0;
        struct layout_file *f = *found ? keep(l, found, &entry) : NULL;
        if (l->in.e.status || (wanted && f))
            return f;
        l->passed |= *found && !f;
        if (wanted)
            return add_entry(l, key, &entry);
        if (for_index && l->passed)
            break;
    }
    if (ended && for_index && !l->passed)
        set_no_layout(l, key, &l->in.e);
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
        error_set(&l->in.e, REGTAG_E_OTHER, "%s: its %s: %s", l->in.name, name,
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
    error_set(&l->in.e, REGTAG_E_REFUSED, "%s: its %s is not a regular file", l->in.name, name);
    return NULL;
}

static struct layout_file *search_folder(struct layout *l, const char *key)
{
    if (strlen(key) < LAYOUT_KEY_SIZE - 1)
        return open_file(l, l->in.fd, key);
    if (l->blobs < 0) {
        int all = open_in(l, l->in.fd, "blobs", O_DIRECTORY);
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
    if (f->fd >= 0)
        return input_read_file(&l->in, f->fd, f->at + at, bytes, size);
    if (!f->kept)
        return input_read(&l->in, f->at + at, bytes, size);
    memcpy(bytes, f->kept + at, size);
    return (ptrdiff_t)size;
}

/* `f` is what find has returned. */
static ptrdiff_t read_at(struct layout *l, const struct layout_file *f, uint64_t at, char *bytes,
                         size_t size)
{
    if (!f)
        return l->in.e.status ? REGTAG_IO_FAILED : REGTAG_IO_CLOSED;
    if (at >= f->size)
        return 0;
    if (size > f->size - at)
        size = (size_t)(f->size - at);
    if (read_found(l, f, at, bytes, size) == (ptrdiff_t)size)
        return (ptrdiff_t)size;
    input_fail(&l->in, REGTAG_E_REFUSED, "it is cut off");
    return REGTAG_IO_FAILED;
}

static ptrdiff_t read_key(struct layout *l, const char *key, uint64_t at, char *bytes, size_t size)
{
    error_clear(&l->in.e);
    return read_at(l, find(l, key), at, bytes, size);
}

static ptrdiff_t read_blob(void *context, const char *digest, uint64_t at, void *bytes, size_t size)
{
    bool known = digest_valid(slice_of(digest)) && digest_is_sha256(slice_of(digest));
    if (strcmp(digest, LAYOUT_INDEX) == 0)
        return read_key(context, LAYOUT_INDEX, at, bytes, size);
    return known ? read_key(context, digest + 7, at, bytes, size) : REGTAG_IO_CLOSED;
}

static const char *problem(void *context)
{
    const struct layout *l = context;
    return l->in.e.text;
}

struct regtag_store layout_store(struct layout *l)
{
    return (struct regtag_store){
        .context = l, .read = read_blob, .problem = problem, .list = LAYOUT_INDEX};
}

bool layout_read(struct layout *l, const char *key, struct writer *w, struct document_scan *scan,
                 unsigned tokens_max, struct error *e)
{
    ptrdiff_t n;
    bool good;
    error_clear(&l->in.e);
    const struct layout_file *f = find(l, key);
    if (f && f->size >= w->size) {
        error_set(e, REGTAG_E_REFUSED, "%s: its %s is larger than %zu bytes", l->in.name, key,
                  w->size - 1);
        return false;
    }
    do {
        struct slice part = {w->data + w->used, 0};
        n = read_at(l, f, w->used, w->data + w->used, DOCUMENT_READ_MAX);
        part.size = n > 0 ? (size_t)n : 0;
        w->used += part.size;
        good = document_scan_take(scan, part, tokens_max);
    } while (n > 0 && good);
    if (n == REGTAG_IO_CLOSED)
        set_no_layout(l, key, e);
    else if (n < 0)
        error_set(e, l->in.e.status, "%s", l->in.e.text);
    return !e->status;
}

static void choose_kind(struct layout *l, const struct stat *s)
{
    if (S_ISDIR(s->st_mode))
        l->kind = LAYOUT_FOLDER;
    else if (S_ISREG(s->st_mode) && lseek(l->in.fd, 0, SEEK_CUR) == 0)
        l->kind = LAYOUT_ARCHIVE;
    else
        l->kind = LAYOUT_PIPE;
    l->in.pipe = l->kind == LAYOUT_PIPE;
    begin_tar(l);
    if (l->kind == LAYOUT_ARCHIVE)
        survey(l);
}

bool layout_open(struct layout *l, const char *path, uint64_t deadline, uint64_t stall, struct error *e)
{
    struct stat s;
    bool standard = strcmp(path, "-") == 0;
    memset(l, 0, sizeof *l);
    l->in.name = standard ? "stdin" : path;
    l->in.deadline = deadline;
    l->in.stall = stall;
    l->in.first_at = UINT64_MAX;
    l->in.fd = standard ? STDIN_FILENO : file_open(path);
    l->blobs = -1;
    for (unsigned i = 0; i < LAYOUT_FOUND; i++)
        l->found[i].fd = -1;
    if (l->in.fd < 0 || fstat(l->in.fd, &s) != 0)
        input_fail(&l->in, REGTAG_E_OTHER,
                   errno == ENOENT ? "no such file; it comes first, then the target" : strerror(errno));
    else
        choose_kind(l, &s);
    if (l->in.e.status)
        error_set(e, l->in.e.status, "%s", l->in.e.text);
    return !e->status;
}

void layout_close(struct layout *l)
{
    for (unsigned i = 0; i < LAYOUT_FOUND; i++)
        if (l->found[i].fd >= 0)
            close(l->found[i].fd);
    if (l->blobs >= 0)
        close(l->blobs);
    if (l->in.fd > STDIN_FILENO)
        close(l->in.fd);
}
