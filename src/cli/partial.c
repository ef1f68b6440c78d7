#include "cli/partial.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h> /* renameat */
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/file_lock.h"
#include "cli/file_sync.h"
#include "cli/output.h"
#include "regtag.h"

#define WEEK (7 * 86400)
#define PREFIX (sizeof PARTIAL_PREFIX - 1)
#define OWNER (S_IRUSR | S_IWUSR)

/* Never waits, whatever has that name. */
#define OPEN_PARTIAL (O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

/* ---- What interrupted runs have left --------------------------------------------------------- */

/* It is in use if it is locked. Closing it releases no lock of ours, since we have none yet. */
static void remove_old(int folder, const char *name)
{
    struct stat s;
    int fd = openat(folder, name, OPEN_PARTIAL);
    if (fd < 0)
        return;
    if (fstat(fd, &s) == 0 && S_ISREG(s.st_mode) && time(NULL) - s.st_mtime > WEEK &&
        file_lock(fd, true) == 0)
        unlinkat(folder, name, 0);
    close(fd);
}

static bool is_partial(const char *name)
{
    size_t digits = 0;
    if (strncmp(name, PARTIAL_PREFIX, PREFIX) != 0)
        return false;
    while (hex_digit(name[PREFIX + digits]) >= 0)
        digits++;
    return name[PREFIX + digits] == '\0' && digits == PARTIAL_DIGITS;
}

/* Lists a folder once, however many files it gets. */
static bool is_clean(struct partial *p, int fd)
{
    struct stat s;
    if (fstat(fd, &s) != 0 || (s.st_dev == p->device && s.st_ino == p->folder))
        return true;
    p->device = s.st_dev;
    p->folder = s.st_ino;
    return false;
}

/* All but the file that is going to be opened. */
static void clean(struct partial *p)
{
    int folder = p->place->folder;
    int fd = is_clean(p, folder) ? -1 : openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    while (directory && (entry = readdir(directory)) != NULL)
        if (is_partial(entry->d_name) && strcmp(entry->d_name, p->name) != 0)
            remove_old(folder, entry->d_name);
    if (directory)
        closedir(directory);
    else if (fd >= 0)
        close(fd);
}

/* ---- Opening --------------------------------------------------------------------------------- */

static enum partial_state fail(struct partial *p, const char *problem, struct error *e)
{
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
    error_set(e, REGTAG_E_OTHER, "%s: cannot write to %s in the same folder: %s", p->place->path,
              p->name, problem);
    return PARTIAL_FAILED;
}

static enum partial_state again(struct partial *p)
{
    close(p->fd);
    p->fd = -1;
    return PARTIAL_AGAIN;
}

static enum partial_state wait_for_other(struct partial *p, uint64_t deadline, bool quiet,
                                         struct error *e)
{
    if (!quiet)
        output_message("waiting for another regtag to finish %s", p->place->path);
    if (file_lock_busy(file_lock_wait(p->fd, true, deadline)))
        error_set(e, REGTAG_E_TIMEOUT, "%s: another regtag did not finish in time (--timeout)",
                  p->place->path);
    again(p);
    return e->status ? PARTIAL_FAILED : PARTIAL_AGAIN;
}

/* What others can write to, now or later, must not get the right name; nor must a file be changed that has another
 * name elsewhere. */
static bool is_ours(const struct stat *s)
{
    return S_ISREG(s->st_mode) && s->st_nlink == 1 && (s->st_uid == 0 || s->st_uid == geteuid());
}

/* Whether the name leads to the file that is open. */
static bool has_name(const struct partial *p, struct stat *open)
{
    struct stat named;
    return fstat(p->fd, open) == 0 &&
           fstatat(p->place->folder, p->name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           named.st_ino == open->st_ino && named.st_dev == open->st_dev;
}

/* The lock is ours. */
static enum partial_state check(struct partial *p, struct error *e)
{
    struct stat ours;
    if (!has_name(p, &ours))
        return again(p);
    if (!is_ours(&ours))
        return fail(p, "it is not a file of this user's alone; remove it", e);
    p->size = (uint64_t)ours.st_size;
    return PARTIAL_OPEN;
}

enum partial_state partial_open(struct partial *p, const struct place *place, const char *digest,
                                uint64_t deadline, bool quiet, struct error *e)
{
    p->place = place;
    memcpy(p->name, PARTIAL_PREFIX, PREFIX);
    memcpy(p->name + PREFIX, strchr(digest, ':') + 1, PARTIAL_DIGITS);
    clean(p);
    /* As private as what it replaces. */
    mode_t mode = place->exists ? place->mode | OWNER : 0666;
    p->fd = openat(place->folder, p->name, OPEN_PARTIAL | O_CREAT, mode);
    int problem = p->fd < 0 ? errno : file_lock(p->fd, true);
    if (p->fd >= 0 && file_lock_busy(problem))
        return wait_for_other(p, deadline, quiet, e);
    return problem ? fail(p, strerror(problem), e) : check(p, e);
}

/* ---- Writing --------------------------------------------------------------------------------- */

int partial_write(struct partial *p, uint64_t at, const void *bytes, size_t size)
{
    const char *from = bytes;
    if (at != p->size) {
        if (ftruncate(p->fd, (off_t)at) != 0 || lseek(p->fd, (off_t)at, SEEK_SET) < 0)
            return errno;
        p->size = at;
    }
    while (size) {
        ssize_t n = write(p->fd, from, size);
        if (n < 0 && errno != EINTR)
            return errno;
        if (n > 0) {
            from += n;
            size -= (size_t)n;
            p->size += (uint64_t)n;
        }
    }
    return 0;
}

/* Its owner has to open it again for the second pass, and after an interruption. */
int partial_sync(struct partial *p)
{
    if (ftruncate(p->fd, (off_t)p->size) != 0 ||
        (p->place->exists && fchmod(p->fd, p->place->mode | OWNER) != 0))
        return errno;
    return file_sync(p->fd);
}

int partial_rename(struct partial *p)
{
    const struct place *place = p->place;
    struct stat ours;
    if (!has_name(p, &ours))
        return ENOENT; /* somebody has removed it, and it is no longer locked */
    bool is_open_to_owner = !place->exists || (place->mode & OWNER) == OWNER;
    if (renameat(place->folder, p->name, place->folder, place->name) != 0 ||
        (!is_open_to_owner && fchmod(p->fd, place->mode) != 0))
        return errno;
    close(p->fd);
    p->fd = -1;
    return folder_sync(place->folder);
}

void partial_close(struct partial *p, bool useless)
{
    if (p->fd < 0)
        return;
    if (useless || p->size == 0)
        unlinkat(p->place->folder, p->name, 0);
    close(p->fd);
    p->fd = -1;
}
