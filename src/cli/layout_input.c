#include "cli/layout_input.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "regtag.h"
#include "regtag_sockets.h"

ptrdiff_t input_fail(struct layout_input *in, int status, const char *problem)
{
    error_set(&in->e, status, "%s: %s", in->name, problem);
    return -1;
}

ptrdiff_t input_read_file(struct layout_input *in, int fd, uint64_t at, char *bytes, size_t size)
{
    size_t used = 0;
    while (used < size) {
        ssize_t n = pread(fd, bytes + used, size - used, (off_t)(at + used));
        if (n == 0)
            break;
        if (n < 0 && errno != EINTR)
            return input_fail(in, REGTAG_E_OTHER, strerror(errno));
        used += n > 0 ? (size_t)n : 0;
    }
    return (ptrdiff_t)used;
}

static ptrdiff_t read_ready(struct layout_input *in, char *bytes, size_t size)
{
    uint64_t now = regtag_clock();
    uint64_t until = in->stall && in->stall < in->deadline - now ? now + in->stall : in->deadline;
    while (now < in->deadline) {
        struct pollfd ready = {in->fd, POLLIN, 0};
        int n = poll(&ready, 1, regtag_clock_until(until));
        ssize_t got = n > 0 ? read(in->fd, bytes, size) : -1;
        if (got >= 0)
            return got;
        if (n && errno != EINTR && errno != EAGAIN)
            return input_fail(in, REGTAG_E_OTHER, strerror(errno));
        now = regtag_clock();
        if (now >= until)
            break;
    }
    return input_fail(in, REGTAG_E_TIMEOUT,
                      until < in->deadline
                          ? "nothing came through the pipe for too long; --stall sets the limit"
                          : "the pipe did not end in time; --timeout sets the limit");
}

/* Any number of bytes; 0 at the end. */
static ptrdiff_t read_some(struct layout_input *in, uint64_t at, char *bytes, size_t size)
{
    static char skipped[4096];
    if (at == in->first_at && size) {
        *bytes = in->first;
        return 1;
    }
    if (at < in->position) {
        error_set(&in->e, REGTAG_E_USAGE, "%s cannot be read twice; " LAYOUT_TO_FILE, in->name);
        return -1;
    }
    while (in->position < at) {
        uint64_t left = at - in->position;
        ptrdiff_t n = read_ready(in, skipped, left < sizeof skipped ? (size_t)left : sizeof skipped);
        if (n <= 0)
            return n;
        in->position += (uint64_t)n;
    }
    ptrdiff_t n = read_ready(in, bytes, size);
    in->position += n > 0 ? (uint64_t)n : 0;
    return n;
}

static ptrdiff_t read_pipe(struct layout_input *in, uint64_t at, char *bytes, size_t size)
{
    size_t used = 0;
    while (used < size) {
        ptrdiff_t n = read_some(in, at + used, bytes + used, size - used);
        if (n < 0)
            return n;
        if (n == 0)
            break;
        used += (size_t)n;
    }
    return (ptrdiff_t)used;
}

ptrdiff_t input_read(struct layout_input *in, uint64_t at, void *bytes, size_t size)
{
    return in->pipe ? read_pipe(in, at, bytes, size) : input_read_file(in, in->fd, at, bytes, size);
}

bool input_peek(struct layout_input *in, uint64_t at, char *byte)
{
    if (read_some(in, at, byte, 1) != 1)
        return false;
    in->first = *byte;
    in->first_at = at;
    return true;
}

void input_drain(struct layout_input *in)
{
    char bytes[512];
    while (in->pipe && read_some(in, in->position, bytes, sizeof bytes) > 0)
        ;
}
