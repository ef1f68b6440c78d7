#include "cli/command.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sizes.h"
#include "base/writer.h"
#include "cli/output.h"
#include "cli/process.h"
#include "cli/signals.h"

/* The exit statuses of shells. */
#define STATUS_CANNOT_RUN 126
#define STATUS_NOT_FOUND 127
#define STATUS_SIGNAL 128

/* ---- The child ------------------------------------------------------------------------------- */

extern char **environ;

/* Not by setenv: it calls malloc, and the heap of a static program is not made for it. */
static char *variables[VARIABLES_MAX + 1];
static char texts[VARIABLES_TEXT_MAX];

static void set_variable(struct writer *w, size_t *count, const char *name, const char *value)
{
    variables[(*count)++] = texts + w->used;
    write_text(w, name);
    write_char(w, '=');
    write_text(w, value);
    write_char(w, '\0');
}

static bool is_set_here(const char *variable)
{
    return strncmp(variable, "REGTAG_IMAGE=", 13) == 0 || strncmp(variable, "REGTAG_OLD=", 11) == 0 ||
           strncmp(variable, "REGTAG_NEW=", 11) == 0;
}

static bool set_variables(const struct command *c)
{
    struct writer w = writer_to(texts, sizeof texts);
    size_t count = 0;
    set_variable(&w, &count, "REGTAG_IMAGE", c->image);
    set_variable(&w, &count, "REGTAG_OLD", c->old_digest);
    set_variable(&w, &count, "REGTAG_NEW", c->new_digest);
    for (char **i = environ; i && *i && count <= VARIABLES_MAX; i++)
        if (!is_set_here(*i))
            variables[count++] = *i;
    if (w.overflow || count > VARIABLES_MAX) {
        errno = E2BIG;
        return false;
    }
    variables[count] = NULL;
    environ = variables;
    return true;
}

static bool prepare(const struct command *c)
{
    int null = output_open_null();
    if (null < 0 || dup2(null, STDIN_FILENO) < 0)
        return false;
    if (null != STDIN_FILENO)
        close(null);
    return set_variables(c);
}

/* Writes errno to `report` on failure; on success exec closes it. */
static void exec_command(const struct command *c, int report)
{
    setpgid(0, 0);
    process_restore();
    if (prepare(c))
        execvp(c->arguments[0], c->arguments);
    int problem = errno;
    ssize_t n = write(report, &problem, sizeof problem);
    _exit(n < 0 ? STATUS_CANNOT_RUN : STATUS_NOT_FOUND);
}

/* ---- The parent ------------------------------------------------------------------------------ */

/* A pipe that is closed on exec. Returns 0, or errno. */
static int make_pipe(int ends[2])
{
    if (pipe(ends) != 0)
        return errno;
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    return 0;
}

/* Blocks signals around fork, so that one that ends us never misses the child. Returns 0, or errno. */
static int start(const struct command *c, int report, pid_t *child)
{
    sigset_t before;
    signals_block(&before);
    *child = fork();
    int problem = *child < 0 ? errno : 0;
    if (*child == 0)
        exec_command(c, report);
    if (*child > 0) {
        setpgid(*child, *child); /* in the child too, since either may run first */
        signals_set_group(*child);
    }
    signals_restore(&before);
    return problem;
}

/* The errno with which exec failed, or 0. */
static int start_problem(int fd)
{
    int problem = 0;
    ssize_t n;
    do
        n = read(fd, &problem, sizeof problem);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof problem ? problem : 0;
}

/* Reaps the child only after signals_set_group(0): from then on its number may belong to another
 * process. Returns 0, or errno. */
static int wait_for(pid_t child, int *status)
{
    siginfo_t ignored;
    pid_t ended;
    while (waitid(P_PID, (id_t)child, &ignored, WEXITED | WNOWAIT) != 0 && errno == EINTR)
        ;
    signals_set_group(0);
    do
        ended = waitpid(child, status, 0);
    while (ended < 0 && errno == EINTR);
    return ended < 0 ? errno : 0;
}

static int cannot_run(const struct command *c, int problem, struct error *e)
{
    int status = problem == ENOENT ? STATUS_NOT_FOUND : STATUS_CANNOT_RUN;
    return error_set(e, status, "%s cannot be run: %s", c->arguments[0], strerror(problem));
}

static int check_status(const struct command *c, int status, struct error *e)
{
    const char *name = c->arguments[0];
    if (WIFSIGNALED(status))
        return error_set(e, STATUS_SIGNAL + WTERMSIG(status), "%s was ended by signal %u", name,
                         (unsigned)WTERMSIG(status));
    if (WEXITSTATUS(status) != 0)
        return error_set(e, WEXITSTATUS(status), "%s ended with status %u", name,
                         (unsigned)WEXITSTATUS(status));
    return 0;
}

int command_run(const struct command *c, struct error *e)
{
    int ends[2], status = 0;
    pid_t child = 0;
    int problem = make_pipe(ends);
    if (problem)
        return cannot_run(c, problem, e);
    problem = start(c, ends[1], &child);
    close(ends[1]);
    if (!problem) {
        problem = start_problem(ends[0]);
        int lost = wait_for(child, &status);
        problem = problem ? problem : lost;
    }
    close(ends[0]);
    return problem ? cannot_run(c, problem, e) : check_status(c, status, e);
}

void command_reap(void)
{
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
}
