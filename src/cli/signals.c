#include "cli/signals.h"

#include <poll.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

#include "regtag_sockets.h"

#define SIGNAL_STATUS 128 /* and the signal, as in a shell's $? */

static volatile sig_atomic_t hung_up;
static volatile sig_atomic_t child_group; /* a pid_t: on every POSIX system an int */

static void on_hangup(int number)
{
    (void)number;
    hung_up = 1;
}

/* Only if that does not block: nobody may be reading. */
static void say_ended(void)
{
    static const char TEXT[] = "regtag: ended; COMMAND was told to end, too\n";
    struct pollfd ready = {STDERR_FILENO, POLLOUT, 0};
    if (poll(&ready, 1, 0) != 1 || write(STDERR_FILENO, TEXT, sizeof TEXT - 1) < 0)
        return;
}

/* With SIGTERM in either case: jobs in the background of a shell ignore SIGINT. A stopped process gets
 * it when it is continued, which our exit does (POSIX, _exit). COMMAND may have left its group. */
static void end_group(void)
{
    pid_t group = (pid_t)child_group;
    if (group > 0 && (kill(-group, SIGTERM) == 0 || kill(group, SIGTERM) == 0))
        say_ended();
}

static void on_terminate(int number)
{
    (void)number;
    end_group();
    _exit(0);
}

/* SA_RESETHAND has removed this handler, so raise ends us, and our parent sees by which signal. Unless we
 * are process 1, which default actions do not end. */
static void on_interrupt(int number)
{
    sigset_t pending;
    end_group();
    sigemptyset(&pending);
    sigaddset(&pending, number);
    sigprocmask(SIG_UNBLOCK, &pending, NULL);
    raise(number);
    _exit(SIGNAL_STATUS + number);
}

static void on_fatal(int number)
{
    _exit(SIGNAL_STATUS + number);
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

void signals_as_process_1(void)
{
    static const int FATAL[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    for (size_t i = 0; getpid() == 1 && i < sizeof FATAL / sizeof FATAL[0]; i++)
        if (!is_ignored(FATAL[i]))
            handle(FATAL[i], on_fatal, 0);
}

/* Our parent may have blocked or ignored any of them. SIGINT stays ignored, as for a job in the
 * background of a shell; SIGCHLD must not be, since waitpid could then not tell how a child ended. */
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

/* Only pselect unblocks SIGHUP, so none can arrive unnoticed between the test of the flag and the
 * wait. */
bool signals_wait(uint64_t until)
{
    sigset_t open;
    sigprocmask(SIG_SETMASK, NULL, &open);
    sigdelset(&open, SIGHUP);
    for (;;) {
        uint64_t now = regtag_clock();
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

void signals_block(sigset_t *before)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, before);
}

void signals_restore(const sigset_t *before)
{
    sigprocmask(SIG_SETMASK, before, NULL);
}

void signals_set_group(pid_t group)
{
    child_group = (sig_atomic_t)group;
}
