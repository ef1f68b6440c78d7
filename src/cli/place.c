#include "cli/place.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cli/file_scan.h"
#include "cli/file_sync.h"
#include "oci/digest.h"
#include "regtag_sha256.h"

#define OPEN_FOLDER (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

bool place_is_folder(const char *path)
{
    struct stat s;
    size_t size = strlen(path);
    return path[size - 1] == '/' || (stat(path, &s) == 0 && S_ISDIR(s.st_mode));
}

/* ---- The folder ------------------------------------------------------------------------------ */

/* Opens a folder in the folder `fd`, which is closed. */
static int enter(int fd, const char *name, int flags, bool make)
{
    int next = openat(fd, name, OPEN_FOLDER | flags);
    if (next < 0 && errno == ENOENT && make && (mkdirat(fd, name, 0777) == 0 || errno == EEXIST)) {
        folder_sync(fd);
        next = openat(fd, name, OPEN_FOLDER | flags);
    }
    int problem = errno;
    close(fd);
    errno = problem;
    return next;
}

/* Goes from the folder `fd` on along path[*from..to), which ends with a slash. On failure *from is the end of what
 * could not be entered. */
static int walk(int fd, char *path, size_t *from, size_t to, int flags, bool make)
{
    while (fd >= 0 && *from < to) {
        char *name = path + *from;
        size_t size = slice_find((struct slice){name, to - *from}, '/');
        name[size] = '\0';
        if (size)
            fd = enter(fd, name, flags, make);
        name[size] = '/';
        *from += size + (fd >= 0);
    }
    return fd;
}

/* As a whole, since the folders on the way to it need not be readable, unless one has to be made. */
static int open_base(char *path, size_t *base, bool make)
{
    char next = path[*base];
    path[*base] = '\0';
    int fd = open(*base ? path : ".", OPEN_FOLDER);
    path[*base] = next;
    if (fd >= 0 || errno != ENOENT || !make)
        return fd;
    size_t from = *path == '/';
    fd = walk(open(from ? "/" : ".", OPEN_FOLDER), path, &from, *base, 0, true);
    *base = from;
    return fd;
}

static bool open_folder(struct place *p, char *path, size_t base, bool make, struct error *e)
{
    p->folder = open_base(path, &base, make);
    if (p->folder >= 0)
        p->folder = walk(p->folder, path, &base, (size_t)(p->name - path), O_NOFOLLOW, make);
    if (p->folder < 0)
        error_set(e, REGTAG_E_OTHER, "cannot use the folder %.*s: %s", (int)base, path,
                  errno == ENOTDIR || errno == ELOOP
                      ? "it is not a folder, or a symbolic link where none is followed"
                      : strerror(errno));
    return p->folder >= 0;
}

/* ---- The file -------------------------------------------------------------------------------- */

static const char *obstacle(mode_t mode)
{
    return S_ISDIR(mode)   ? "there is a folder of this name; remove it"
           : S_ISLNK(mode) ? "it is a symbolic link, which is not followed; name the file itself"
                           : "it is not a regular file; to write to a device, use \"-o - >DEVICE\"";
}

static bool look(struct place *p, struct error *e)
{
    struct stat s;
    p->exists = fstatat(p->folder, p->name, &s, AT_SYMLINK_NOFOLLOW) == 0;
    if (!p->exists && errno != ENOENT)
        error_set(e, REGTAG_E_OTHER, "%s: %s", p->path, strerror(errno));
    if (p->exists && !S_ISREG(s.st_mode))
        error_set(e, REGTAG_E_OTHER, "%s: %s", p->path, obstacle(s.st_mode));
    if (p->exists) {
        p->mode = s.st_mode & 0777;
        p->size = (uint64_t)s.st_size;
    }
    return e->status == 0;
}

bool place_open(struct place *p, char *path, size_t base, bool make, struct error *e)
{
    const char *slash = strrchr(path, '/');
    p->path = path;
    p->name = slash ? slash + 1 : path;
    if (open_folder(p, path, base, make, e) && look(p, e))
        return true;
    place_close(p);
    return false;
}

void place_close(struct place *p)
{
    if (p->folder >= 0)
        close(p->folder);
    p->folder = -1;
}

/* ---- Its content ----------------------------------------------------------------------------- */

static void update(void *context, const void *bytes, size_t size)
{
    const struct regtag_hash *hash = context;
    hash->update(hash->context, bytes, size);
}

int place_file(const struct place *p)
{
    return openat(p->folder, p->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

bool place_has(const struct place *p, const char *digest, uint64_t size, uint64_t deadline)
{
    static struct regtag_sha256_context context;
    struct regtag_hash hash = regtag_sha256(&context);
    unsigned char sum[32];
    char text[DIGEST_SHA256_SIZE + 1];
    if (!p->exists || (size != UINT64_MAX && size != p->size))
        return false;
    int fd = place_file(p);
    if (fd < 0)
        return false;
    bool done =
        hash.start(&context) == 0 && file_scan(fd, UINT64_MAX, deadline, update, &hash) == p->size;
    close(fd);
    if (hash.finish(&context, sum) != 0 || !done)
        return false;
    digest_from_sum(sum, text);
    return strcmp(text, digest) == 0;
}
