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

#define STATUS_CANNOT_RUN 126 /* as shells have it */
#define STATUS_NOT_FOUND 127
#define STATUS_SIGNAL 128

/* ---- The child ------------------------------------------------------------------------------- */

extern char **environ;

/* setenv would ask for memory, of which a static program has none for this. */
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
    int nowhere = output_nowhere();
    if (nowhere < 0 || dup2(nowhere, STDIN_FILENO) < 0)
        return false;
    if (nowhere != STDIN_FILENO)
        close(nowhere);
    return set_variables(c);
}

/* Becomes the program. Where that fails, `report` gets errno; else it is closed on the way. */
static void become(const struct command *c, int report)
{
    setpgid(0, 0);
    process_hand_over();
    if (prepare(c))
        execvp(c->arguments[0], c->arguments);
    int problem = errno;
    ssize_t n = write(report, &problem, sizeof problem);
    _exit(n < 0 ? STATUS_CANNOT_RUN : STATUS_NOT_FOUND);
}

/* ---- Its life -------------------------------------------------------------------------------- */

/* A pipe that no program inherits. Returns 0, or errno. */
static int make_pipe(int ends[2])
{
    if (pipe(ends) != 0)
        return errno;
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    return 0;
}

/* Starts it. A signal that ends us meets it as well, from its first moment on. Returns 0, or errno. */
static int start(const struct command *c, int report, pid_t *child)
{
    sigset_t before;
    signals_hold(&before);
    *child = fork();
    int problem = *child < 0 ? errno : 0;
    if (*child == 0)
        become(c, report);
    if (*child > 0) {
        setpgid(*child, *child); /* the child does so too: whoever comes first */
        signals_end_with_us(*child);
    }
    signals_release(&before);
    return problem;
}

/* What has kept the child from becoming the program: an errno, or 0. */
static int start_problem(int fd)
{
    int problem = 0;
    ssize_t n;
    do
        n = read(fd, &problem, sizeof problem);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof problem ? problem : 0;
}

/* The process is let go of only when no signal can be sent to it any more: its number may then be another's. */
static int wait_for(pid_t child)
{
    siginfo_t ignored;
    int status = 0;
    while (waitid(P_PID, (id_t)child, &ignored, WEXITED | WNOWAIT) != 0 && errno == EINTR)
        ;
    signals_end_with_us(0);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

static int cannot_run(const struct command *c, int problem, struct error *e)
{
    int status = problem == ENOENT ? STATUS_NOT_FOUND : STATUS_CANNOT_RUN;
    return error_set(e, status, "%s cannot be run: %s", c->arguments[0], strerror(problem));
}

static int judge(const struct command *c, int status, struct error *e)
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
    int ends[2], status;
    pid_t child = 0;
    int problem = make_pipe(ends);
    if (problem)
        return cannot_run(c, problem, e);
    problem = start(c, ends[1], &child);
    close(ends[1]);
    if (!problem) {
        problem = start_problem(ends[0]);
        status = wait_for(child);
    }
    close(ends[0]);
    return problem ? cannot_run(c, problem, e) : judge(c, status, e);
}

void command_reap(void)
{
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
}
