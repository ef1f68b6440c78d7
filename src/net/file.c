#include "net/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sizes.h"
#include "base/wipe.h"
#include "net/hide.h"
#include "regtag_sockets.h"

static const char TOO_LARGE[] = "it is too large";
static const char PIPES_TOO_LARGE[] = "more than 64 KiB came from pipes; use a file instead";

/* Only the last one may be unfinished: whoever needs a pipe goes no further until it has ended. */
static struct pipe {
    const char *path; /* the caller's */
    int fd;           /* -1: it has ended */
    struct writer text;
} pipes[PIPES_MAX + 1]; /* the one after the last has no path */

static char memory[PIPES_TEXT_MAX + 1];

/* ---- Reading --------------------------------------------------------------------------------- */

int file_open(const char *path)
{
    return open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static const char *read_some(int fd, struct writer *w, bool *ended)
{
    ssize_t n = read(fd, w->data + w->used, w->size + 1 - w->used);
    if (n < 0)
        return errno == EINTR || errno == EAGAIN ? NULL : strerror(errno);
    w->used += (size_t)n;
    *ended = n == 0;
    return w->used > w->size ? TOO_LARGE : NULL;
}

/* A regular file is always ready, so only others can be late. */
static const char *read_all(int fd, struct writer *w, uint64_t deadline)
{
    const char *problem = NULL;
    bool ended = false;
    while (!ended && !problem) {
        struct pollfd ready = {fd, POLLIN, 0};
        if (poll(&ready, 1, regtag_clock_until(deadline)) > 0)
            problem = read_some(fd, w, &ended);
        else if (regtag_clock() >= deadline)
            problem = w->used ? "it did not end in time" : "nothing was written to it in time";
    }
    return problem;
}

/* ---- Pipes ----------------------------------------------------------------------------------- */

/* The pipe that was opened at this path, or a new one. */
static struct pipe *find(const char *path)
{
    struct pipe *p = pipes;
    while (p->path && strcmp(p->path, path) != 0)
        p++;
    return p;
}

static bool is_stdin(const char *path)
{
    return strcmp(path, FILE_STDIN) == 0;
}

static const char *open_pipe(struct pipe *p, const char *path)
{
    size_t used = 0;
    for (const struct pipe *before = pipes; before < p; before++)
        used += before->text.used;
    if (p == pipes + PIPES_MAX || used > PIPES_TEXT_MAX)
        return PIPES_TOO_LARGE;
    p->fd = is_stdin(path) ? STDIN_FILENO : file_open(path);
    if (p->fd < 0)
        return strerror(errno);
    p->path = path;
    p->text = writer_to(memory + used, PIPES_TEXT_MAX - used);
    return NULL;
}

const char *file_keep(const char *path, uint64_t deadline)
{
    struct stat s;
    struct pipe *p = find(path);
    const char *problem = NULL;
    if (!p->path) {
        if (!is_stdin(path) && (stat(path, &s) != 0 || S_ISREG(s.st_mode) || S_ISDIR(s.st_mode)))
            return NULL;
        problem = deadline ? open_pipe(p, path) : "not a regular file";
    }
    if (problem || p->fd < 0)
        return problem;
    problem = read_all(p->fd, &p->text, deadline);
    if (p->text.used > p->text.size)
        return PIPES_TOO_LARGE;
    if (!problem) {
        close(p->fd);
        p->fd = -1;
    }
    return problem;
}

bool file_kept(const char *path, struct slice *text)
{
    const struct pipe *p = find(path);
    *text = written(&p->text);
    return p->path != NULL;
}

void file_wipe(void)
{
    for (struct pipe *p = pipes; p->path; p++) {
        wipe(p->text.data, p->text.used);
        p->path = NULL;
    }
}

const char *file_read(const char *path, struct writer *w, uint64_t deadline)
{
    struct slice text;
    hide_memory();
    if (!path)
        return read_all(STDIN_FILENO, w, deadline);
    const char *problem = file_keep(path, deadline);
    if (problem)
        return problem;
    if (file_kept(path, &text)) {
        write_slice(w, text);
        return w->overflow ? TOO_LARGE : NULL;
    }
    int fd = file_open(path);
    problem = fd < 0 ? strerror(errno) : read_all(fd, w, deadline);
    close(fd);
    return problem;
}

/* ---- Changes --------------------------------------------------------------------------------- */

bool file_stamp(const char *path, uint64_t *stamp)
{
    struct stat s;
    if (stat(path, &s) != 0 || !S_ISREG(s.st_mode))
        return false;
    const uint64_t parts[] = {(uint64_t)s.st_dev,          (uint64_t)s.st_ino,
                              (uint64_t)s.st_size,         (uint64_t)s.st_mtim.tv_sec,
                              (uint64_t)s.st_mtim.tv_nsec, (uint64_t)s.st_ctim.tv_sec,
                              (uint64_t)s.st_ctim.tv_nsec};
    uint64_t sum = 0;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        sum = (sum ^ parts[i]) * 0x9e3779b97f4a7c15u;
        sum ^= sum >> 32;
    }
    *stamp += sum;
    return true;
}
