#include "cli/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/file_sync.h"
#include "cli/output.h"

#define PATH_BYTES 4096

/* ---- Opening --------------------------------------------------------------------------------- */

static int open_flags(enum journal_mode mode)
{
    /* O_NONBLOCK: do not wait for the reader of a FIFO, which is refused later. O_RDWR even for
     * appending: ends_torn reads the last byte. */
    int flags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    switch (mode) {
    case JOURNAL_APPEND: return flags | O_RDWR | O_APPEND | O_CREAT;
    case JOURNAL_UPDATE: return flags | O_RDWR | O_APPEND;
    default: return flags | O_RDONLY;
    }
}

/* Syncs the directory of a new file. Goes on without where it cannot be read. Returns 0, or errno. */
static int sync_directory(const char *path)
{
    static char text[PATH_BYTES]; /* too much for the stack */
    struct writer w = writer_to(text, sizeof text - 1);
    const char *slash = strrchr(path, '/');
    write_slice(&w, slash ? (struct slice){path, (size_t)(slash - path) + 1} : SLICE("."));
    text[w.used] = '\0';
    int fd = open(text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    int problem = folder_sync(fd);
    close(fd);
    return problem;
}

/* What is appended to the file of another program may damage it, and could not be undone. Returns NULL, or what is wrong. */
static const char *check_beginning(int fd)
{
    char text[JOURNAL_TIME_SIZE];
    struct journal_line ignored;
    ssize_t n;
    do
        n = pread(fd, text, sizeof text, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return strerror(errno);
    struct slice rest = {text, (size_t)n}, line = slice_split(&rest, '\n');
    return journal_line_read(line, &ignored) == JOURNAL_INVALID ? "it is not a journal of regtag" : NULL;
}

static const char *check_file(const struct journal *j, enum journal_mode mode)
{
    struct stat s;
    int problem = 0;
    if (fstat(j->fd, &s) != 0)
        return strerror(errno);
    if (!S_ISREG(s.st_mode))
        return "not a regular file, which a journal must be";
    if (mode == JOURNAL_APPEND && s.st_size > 0)
        return check_beginning(j->fd);
    if (mode == JOURNAL_APPEND)
        problem = sync_directory(j->path);
    return problem ? strerror(problem) : NULL;
}

bool journal_open(struct journal *j, const char *path, enum journal_mode mode, struct error *e)
{
    j->path = path;
    j->fd = open(path, open_flags(mode), 0644);
    const char *problem = j->fd < 0 ? strerror(errno) : check_file(j, mode);
    if (!problem)
        return true;
    journal_close(j);
    error_set(e, REGTAG_E_OTHER, "cannot %s the journal %s: %s; nothing was done",
              mode == JOURNAL_APPEND ? "write to" : "use", path, problem);
    return false;
}

void journal_close(struct journal *j)
{
    if (j->fd >= 0)
        close(j->fd);
    j->fd = -1;
}

bool journal_is_shared(const struct journal *j)
{
    struct stat s;
    return fstat(j->fd, &s) != 0 || s.st_mode & (S_IWGRP | S_IWOTH) ||
           (s.st_uid != 0 && s.st_uid != geteuid());
}

/* ---- Appending ------------------------------------------------------------------------------- */

/* Whether the last line has no newline. Returns 0, or errno. */
static int ends_torn(int fd, bool *torn)
{
    struct stat s;
    char last = '\n';
    if (fstat(fd, &s) != 0)
        return errno;
    while (s.st_size > 0 && pread(fd, &last, 1, s.st_size - 1) < 0)
        if (errno != EINTR)
            return errno;
    *torn = last != '\n';
    return 0;
}

/* Usually one call of write, so that lines of several processes do not mix. Returns 0, or errno. */
static int write_synced(int fd, struct slice s)
{
    int problem = output_write_all(fd, s);
    return problem ? problem : file_sync(fd);
}

const char *journal_append(struct journal *j, const struct journal_line *line)
{
    char text[1 + JOURNAL_LINE_MAX] = "\n";
    struct writer w = writer_to(text + 1, JOURNAL_LINE_MAX);
    bool torn = false;

    write_journal_line(&w, (int64_t)time(NULL), line);
    if (w.overflow)
        return "the name of the image is too long for it";
    int problem = ends_torn(j->fd, &torn);
    if (!problem)
        problem = write_synced(j->fd, torn ? (struct slice){text, 1 + w.used} : written(&w));
    return problem ? strerror(problem) : NULL;
}
