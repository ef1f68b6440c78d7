#include "cli/signals.h"

#include <string.h>
#include <sys/select.h>
#include <unistd.h>

#include "net/clock.h"

static volatile sig_atomic_t hung_up;
static volatile sig_atomic_t passed_on; /* a pid_t, which is an int wherever there is POSIX */

static void on_hangup(int number)
{
    (void)number;
    hung_up = 1;
}

/* A process that is stopped takes no signal but this one. */
static void end_group(int number)
{
    static const char TOLD[] = "regtag: ended; COMMAND was told to end, too\n";
    pid_t group = (pid_t)passed_on;
    if (group <= 0)
        return;
    kill(-group, number);
    kill(-group, SIGCONT);
    if (write(STDERR_FILENO, TOLD, sizeof TOLD - 1) < 0)
        return; /* nobody reads: it ends all the same */
}

static void on_terminate(int number)
{
    end_group(number);
    _exit(0);
}

/* The handler is gone by now: whoever waits for us sees that it was the signal. */
static void on_interrupt(int number)
{
    end_group(number);
    raise(number);
}

static void handle(int number, void (*handler)(int), int flags)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = flags;
    sigfillset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

static bool is_ignored(int number)
{
    struct sigaction action;
    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

/* Whoever starts us may have blocked or ignored them. SIGINT stays ignored, as it is in the background of
 * a shell; SIGCHLD does not, for then nobody would learn how a child has ended. */
void signals_begin(void)
{
    sigset_t ends, waits;
    handle(SIGHUP, on_hangup, 0);
    handle(SIGTERM, on_terminate, 0);
    handle(SIGCHLD, SIG_DFL, 0);
    if (!is_ignored(SIGINT))
        handle(SIGINT, on_interrupt, (int)SA_RESETHAND);
    sigemptyset(&waits);
    sigaddset(&waits, SIGHUP);
    sigprocmask(SIG_BLOCK, &waits, NULL);
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_UNBLOCK, &ends, NULL);
}

/* The signal is let in by pselect alone, so none is missed between a look at the flag and the wait. */
bool signals_wait(uint64_t until)
{
    sigset_t open;
    sigprocmask(SIG_SETMASK, NULL, &open);
    sigdelset(&open, SIGHUP);
    for (;;) {
        uint64_t now = clock_now();
        uint64_t left = now < until ? until - now : 0;
        struct timespec time = {(time_t)(left / 1000), (long)(left % 1000) * 1000000};
        pselect(0, NULL, NULL, NULL, &time, &open);
        if (hung_up || left == 0)
            break;
    }
    bool early = hung_up != 0;
    hung_up = 0;
    return early;
}

void signals_hold(sigset_t *before)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, before);
}

void signals_release(const sigset_t *before)
{
    sigprocmask(SIG_SETMASK, before, NULL);
}

void signals_pass_on(pid_t group)
{
    passed_on = (sig_atomic_t)group;
}
