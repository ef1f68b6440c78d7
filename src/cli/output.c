#include "cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/sizes.h"
#include "regtag_sockets.h"

/* What a pipe takes at once, without blocking, if poll says that it can be written to. */
#ifdef PIPE_BUF
#define WRITE_MAX PIPE_BUF
#else
#define WRITE_MAX _POSIX_PIPE_BUF
#endif

#define GRACE                                                                                           \
    1000u /* milliseconds: a reader that is only slow gets that much after the deadline, for each piece */

static uint64_t deadline = UINT64_MAX;
static char buffer[OUTPUT_MAX];
static size_t used;
static int problem;
static bool stuck; /* nobody reads standard error */

bool output_open_standard(void)
{
    bool open_before = fcntl(STDOUT_FILENO, F_GETFD) != -1;
    int fd;
    do
        fd = output_open_null();
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
    return open_before;
}

int output_open_null(void)
{
    int ends[2], fd = open("/dev/null", O_RDWR);
    if (fd >= 0 || pipe(ends) != 0)
        return fd;
    close(ends[1]);
    return ends[0];
}

/* Writes what it can by `until`, and takes it off *s. Returns 0 when that was all; or errno, ETIMEDOUT if
 * nobody has read it. */
static int write_until(int fd, struct slice *s, uint64_t until)
{
    while (s->size) {
        struct pollfd ready = {fd, POLLOUT, 0};
        ssize_t n = poll(&ready, 1, regtag_clock_until(until));
        if (n > 0)
            n = write(fd, s->data, s->size < WRITE_MAX ? s->size : WRITE_MAX);
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return errno;
        if (n > 0)
            *s = slice_from(*s, (size_t)n);
        else if (regtag_clock() >= until)
            return ETIMEDOUT;
    }
    return 0;
}

int output_write_all(int fd, struct slice s)
{
    return write_until(fd, &s, UINT64_MAX);
}

void output_deadline(uint64_t until)
{
    deadline = until;
}

static void flush_until(uint64_t until)
{
    struct slice s = {buffer, used};
    int result = problem ? 0 : write_until(STDOUT_FILENO, &s, until);
    used = 0;
    if (result == ETIMEDOUT && until == 0) {
        memmove(buffer, s.data, s.size);
        used = s.size;
    } else if (result)
        problem = result;
}

static uint64_t at_least_grace(uint64_t until)
{
    uint64_t grace = regtag_clock() + GRACE;
    return until > grace ? until : grace;
}

void output_flush(void)
{
    flush_until(at_least_grace(deadline));
}

void output_offer(void)
{
    if (regtag_clock() < deadline) /* then all goes out together */
        flush_until(0);
}

void output_write(struct slice s)
{
    while (s.size) {
        size_t part = s.size < sizeof buffer - used ? s.size : sizeof buffer - used;
        memcpy(buffer + used, s.data, part);
        used += part;
        s = slice_from(s, part);
        if (used == sizeof buffer)
            output_flush();
    }
}

const char *output_problem(void)
{
    if (problem == ETIMEDOUT)
        return "nobody read the output by the deadline (--timeout)";
    return problem ? strerror(problem) : NULL;
}

void output_transient(struct slice text)
{
    static bool shown;
    char line[100];
    struct writer w = writer_to(line, sizeof line);
    struct slice rest;
    if (!shown && text.size == 0)
        return;
    shown = text.size != 0;
    write_format(&w, "\r\033[K%.*s",
                 SLICE_ARG(text)); /* as any terminal since the VT100 erases a line */
    rest = written(&w);
    write_until(STDERR_FILENO, &rest, 0);
}

/* Without a reader, the first line waits for a quarter of the time that is left, and the next ones do not
 * wait at all: what was asked for is still to be done. */
static void write_line(struct slice line)
{
    output_transient(SLICE(""));
    uint64_t now = regtag_clock(), left = deadline > now ? deadline - now : 0;
    uint64_t until = stuck ? 0 : at_least_grace(now + left / 4);
    stuck = write_until(STDERR_FILENO, &line, until) == ETIMEDOUT;
}

void output_note(const char *before, struct slice text)
{
    static char line[LINE_BYTES_MAX];
    struct writer w = writer_to(line, sizeof line - 1);
    write_text(&w, before);
    write_escaped(&w, text);
    line[w.used] = '\n';
    write_line((struct slice){line, w.used + 1});
}

void output_error(const char *text)
{
    output_note("regtag: ", slice_of(text));
}

void output_message(const char *format, ...)
{
    char text[ERROR_TEXT_MAX + 200];
    struct writer w = writer_to(text, sizeof text);
    va_list arguments;
    va_start(arguments, format);
    write_arguments(&w, format, arguments);
    va_end(arguments);
    output_note("regtag: ", written(&w));
}
