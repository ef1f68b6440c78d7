/* The clock of build/adversity/regtag: waits take no time. Whoever runs it, at the other end of a socket pair whose number is in
 * YEARS_FD, is asked whether anything is still under way before a wait is cut short, and told each time that a check is over. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

#include "net/tls_arena.h"

#pragma weak tls_arena_in_use /* a build without TLS has none */

#define LIST_MAX 80

int __real_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t);
int __real_poll(struct pollfd *list, nfds_t count, int timeout);
int __wrap_poll(struct pollfd *list, nfds_t count, int timeout);
int __wrap_pselect(int count, fd_set *r, fd_set *w, fd_set *x, const struct timespec *timeout,
                   const sigset_t *mask);
time_t __wrap_time(time_t *t);

/* 'q': is anything under way? 'w': a check is over, and the next one comes after a wait. */
struct question {
    uint64_t kind, arena;
};

/* Milliseconds that have passed meanwhile, and by how many seconds the date is wrong. */
struct reply {
    int64_t skip, shift;
};

static int control = -1;
static bool asked; /* and not been answered yet */
static struct reply now;

static void fail_if(bool failed)
{
    if (failed)
        abort();
}

static void ask(uint64_t kind)
{
    struct question q = {kind, tls_arena_in_use ? tls_arena_in_use() : 0};
    if (control < 0) {
        const char *number = getenv("YEARS_FD");
        fail_if(!number);
        control = (int)strtol(number, NULL, 10);
        fcntl(control, F_SETFD, FD_CLOEXEC);
    }
    fail_if(write(control, &q, sizeof q) != (ssize_t)sizeof q);
    asked = true;
}

static void take(void)
{
    struct reply r;
    ssize_t size;
    do
        size = read(control, &r, sizeof r);
    while (size < 0 && errno == EINTR);
    if (size == 0)
        _exit(0);
    fail_if(size != (ssize_t)sizeof r);
    now.skip += r.skip;
    now.shift = r.shift;
    asked = false;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
    int result = __real_clock_gettime(clock, t);
    int64_t nanoseconds = t->tv_nsec + now.skip % 1000 * 1000000;
    t->tv_sec +=
        (time_t)(now.skip / 1000 + nanoseconds / 1000000000 + (clock == CLOCK_REALTIME ? now.shift : 0));
    t->tv_nsec = (long)(nanoseconds % 1000000000);
    return result;
}

time_t __wrap_time(time_t *t)
{
    struct timespec found;
    __wrap_clock_gettime(CLOCK_REALTIME, &found);
    if (t)
        *t = found.tv_sec;
    return found.tv_sec;
}

/* The kernel may keep a segment back for a while, which is under way, too. */
static bool has_unsent(const struct pollfd *list, nfds_t count)
{
    for (nfds_t i = 0; i < count; i++) {
        int size = 0;
        if (ioctl(list[i].fd, SIOCOUTQNSD, &size) == 0 && size > 0)
            return true;
    }
    return false;
}

/* Whether something has happened before whoever runs us has nothing left to do. */
static int wait_for_either(struct pollfd *list, nfds_t count)
{
    struct pollfd both[LIST_MAX + 1];
    fail_if(count > LIST_MAX);
    if (count)
        memcpy(both, list, count * sizeof *list);
    both[count] = (struct pollfd){control, POLLIN, 0};
    int ready = __real_poll(both, count + 1, -1);
    if (ready < 0)
        return ready;
    if (both[count].revents)
        take();
    return __real_poll(list, count, 0);
}

int __wrap_poll(struct pollfd *list, nfds_t count, int timeout)
{
    int ready = __real_poll(list, count, 0);
    if (ready == 0 && timeout && asked) {
        take();
        ready = __real_poll(list, count, 0);
    }
    while (ready == 0 && timeout && has_unsent(list, count))
        ready = __real_poll(list, count, 1);
    if (ready || timeout == 0)
        return ready;
    ask('q');
    ready = wait_for_either(list, count);
    fail_if(ready == 0 && timeout < 0);
    if (ready == 0)
        now.skip += timeout;
    return ready;
}

int __wrap_pselect(int count, fd_set *r, fd_set *w, fd_set *x, const struct timespec *timeout,
                   const sigset_t *mask)
{
    fail_if(count || r || w || x || !mask);
    if (asked)
        take();
    if (timeout->tv_sec == 0 && timeout->tv_nsec == 0)
        return 0;
    ask('w');
    take();
    now.skip += (int64_t)timeout->tv_sec * 1000 + timeout->tv_nsec / 1000000;
    return 0;
}
