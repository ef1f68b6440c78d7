#include "cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/sizes.h"

static char buffer[OUTPUT_MAX];
static size_t used;
static int problem;

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

int output_write_all(int fd, struct slice s)
{
    while (s.size) {
        ssize_t n = write(fd, s.data, s.size);
        if (n < 0 && errno == EAGAIN) {
            /* We were given a pipe that does not block: wait for its reader. */
            struct pollfd ready = {fd, POLLOUT, 0};
            poll(&ready, 1, -1);
            continue;
        }
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : EIO;
        s = slice_from(s, (size_t)n);
    }
    return 0;
}

void output_flush(void)
{
    if (used && !problem)
        problem = output_write_all(STDOUT_FILENO, (struct slice){buffer, used});
    used = 0;
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

int output_problem(void)
{
    return problem;
}

void output_note(const char *before, struct slice text)
{
    char line[LINE_BYTES_MAX];
    struct writer w = writer_to(line, sizeof line - 1);
    write_text(&w, before);
    write_escaped(&w, text);
    line[w.used] = '\n';
    output_write_all(STDERR_FILENO, (struct slice){line, w.used + 1});
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
