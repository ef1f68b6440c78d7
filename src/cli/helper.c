#include "cli/helper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sizes.h"
#include "base/wipe.h"
#include "cli/authfile.h"
#include "cli/output.h"
#include "cli/process.h"
#include "net/child.h"
#include "regtag_sockets.h"

#define FILES_MAX 1024     /* no open file of ours has a higher number */
#define POLL_INTERVAL 20   /* milliseconds between two calls of waitpid */
#define STATUS_NOT_RUN 127 /* of a child whose exec failed, and of a shell that found no program */

static const char PATH_DEFAULT[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/* A running helper. */
struct run {
    const struct helper *h;
    pid_t child;
    int fd; /* its standard output */
    bool ended;
    int status; /* waitpid's, once it has ended */
    struct writer answer;
};

static enum helper_verdict fail(const struct helper *h, struct error *e, const char *what,
                                const char *more)
{
    error_set(e, REGTAG_E_CREDENTIALS, "docker-credential-%s, asked for %.*s, %s%s", h->name,
              SLICE_ARG(h->server), what, more);
    return HELPER_FAILED;
}

/* ---- The program ----------------------------------------------------------------------------- */

static bool is_program(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 && S_ISREG(s.st_mode) && access(path, X_OK) == 0;
}

/* Skips relative directories in PATH: whoever owns the working directory could put a helper there. */
static bool find_program(const char *name, char path[HELPER_PROGRAM_MAX])
{
    const char *list = getenv("PATH");
    struct slice rest = slice_of(list ? list : PATH_DEFAULT);
    do {
        struct slice directory = slice_split(&rest, ':');
        struct writer w = writer_to(path, HELPER_PROGRAM_MAX - 1);
        write_format(&w, "%.*s/docker-credential-%s", SLICE_ARG(directory), name);
        path[w.used] = '\0';
        if (directory.size && directory.data[0] == '/' && !w.overflow && is_program(path))
            return true;
    } while (rest.data);
    return false;
}

/* ---- The child ------------------------------------------------------------------------------- */

/* If exec fails, writes why to standard output, in place of the answer. */
static void exec_helper(char *path, const struct helper *h, int question, int answer)
{
    char get[] = "get";
    char *arguments[] = {path, get, NULL};
    int null = output_open_null();

    setpgid(0, 0);
    if (dup2(question, STDIN_FILENO) < 0 || dup2(answer, STDOUT_FILENO) < 0 ||
        (!h->show_stderr && dup2(null, STDERR_FILENO) < 0))
        _exit(STATUS_NOT_RUN);
    for (int fd = STDERR_FILENO + 1; fd < FILES_MAX; fd++)
        close(fd);
    process_restore();
    execv(path, arguments);
    const char *problem = strerror(errno);
    ssize_t n = write(STDOUT_FILENO, problem, strlen(problem));
    _exit(n < 0 ? STATUS_NOT_RUN - 1 : STATUS_NOT_RUN);
}

/* Cannot block: the pipe is empty, and has room for all of it. */
static bool write_question(const struct helper *h, int fd)
{
    ssize_t n = write(fd, h->server.data, h->server.size);
    close(fd);
    return n == (ssize_t)h->server.size;
}

/* Returns 0, or errno. */
static int start(struct run *run, char *path)
{
    int question[2], answer[2];
    pid_t parent = getpid();
    if (pipe(question) != 0)
        return errno;
    if (!write_question(run->h, question[1]) || pipe(answer) != 0) {
        int problem = errno;
        close(question[0]);
        return problem;
    }
    signal(SIGCHLD, SIG_DFL); /* were it ignored, waitpid could not tell how the child ended */
    run->child = fork();
    int problem = run->child < 0 ? errno : 0;
    if (run->child == 0) {
        child_dies_with(parent);
        exec_helper(path, run->h, question[0], answer[1]);
    }
    if (run->child > 0)
        setpgid(run->child, run->child); /* in the child too, since either may run first */
    close(question[0]);
    close(answer[1]);
    run->fd = answer[0];
    if (problem)
        close(run->fd);
    return problem;
}

/* ---- Its answer ------------------------------------------------------------------------------ */

/* Reads what is ready. False at the end, and on overflow. */
static bool read_some(struct run *run)
{
    struct writer *w = &run->answer;
    if (w->used == w->size) {
        w->overflow = true;
        return false;
    }
    ssize_t n = read(run->fd, w->data + w->used, w->size - w->used);
    if (n > 0)
        w->used += (size_t)n;
    return n > 0 || (n < 0 && errno == EINTR);
}

static int pause_until(uint64_t deadline)
{
    int left = regtag_clock_until(deadline);
    return left < POLL_INTERVAL ? left : POLL_INTERVAL;
}

/* Reads until the helper has ended. Does not wait for the end of its output: processes that it leaves in
 * the background may keep that open for ever. False at the deadline, and if the answer is too large. */
static bool read_answer(struct run *run)
{
    bool more = true;
    while (more || !run->ended) {
        struct pollfd ready = {more ? run->fd : -1, POLLIN, 0};
        if (!run->ended)
            run->ended = waitpid(run->child, &run->status, WNOHANG) == run->child;
        int n = poll(&ready, 1, run->ended ? 0 : pause_until(run->h->deadline));
        if (n > 0)
            more = read_some(run);
        else if (run->ended)
            return true;
        if (run->answer.overflow || (!run->ended && regtag_clock() >= run->h->deadline))
            return false;
    }
    return true;
}

/* Kills its process group if it is still running. */
static void finish(struct run *run)
{
    if (!run->ended) {
        kill(-run->child, SIGKILL);
        while (waitpid(run->child, &run->status, 0) < 0 && errno == EINTR)
            ;
    }
    close(run->fd);
}

static struct slice trim_lines(struct slice s)
{
    while (s.size && (unsigned char)s.data[0] <= ' ')
        s = slice_from(s, 1);
    while (s.size && (unsigned char)s.data[s.size - 1] <= ' ')
        s.size--;
    return s;
}

/* Its exit status says failure. Does not show what looks like JSON: it may hold a secret. */
static enum helper_verdict fail_with_status(const struct run *run, struct slice text, struct error *e)
{
    char problem[HELPER_MESSAGE_MAX + 64];
    struct writer w = writer_to(problem, sizeof problem - 1);
    unsigned status = WIFEXITED(run->status) ? (unsigned)WEXITSTATUS(run->status) : 0;
    bool not_run = status == STATUS_NOT_RUN || status == STATUS_NOT_RUN - 1;
    if (not_run)
        write_text(&w, "cannot be run");
    else if (status)
        write_format(&w, "ended with status %u", status);
    else
        write_format(&w, "was ended by signal %u", (unsigned)WTERMSIG(run->status));
    struct slice line = slice_split(&text, '\n');
    if (line.size && line.data[0] != '{')
        write_format(&w, ": %.*s", SLICE_ARG(slice_head(line, HELPER_MESSAGE_MAX)));
    problem[w.used] = '\0';
    fail(run->h, e, problem, "");
    return not_run ? HELPER_NOT_RUN : HELPER_FAILED;
}

static enum helper_verdict take_login(const struct helper *h, const struct document *d,
                                      struct credentials *c, struct error *e)
{
    bool alike = false;
    int user = document_member(d, 0, SLICE("Username"), &alike);
    int secret = document_member(d, 0, SLICE("Secret"), &alike);
    bool token = document_is_text(d, user, SLICE("<token>"));

    if (alike || !document_is_string(d, user) || !document_is_string(d, secret))
        return fail(h, e, "gave no {\"Username\": \"...\", \"Secret\": \"...\"}", "");
    if (document_string(d, user).size == 0 && document_string(d, secret).size == 0)
        return HELPER_NOTHING;
    if (document_string(d, user).size == 0 || document_string(d, secret).size == 0)
        return fail(h, e, "gave only one of user name and secret", "");
    const char *problem = secret_read(c, token ? SECRET_IDENTITY_TOKEN : SECRET_PASSWORD, d, secret);
    if (problem)
        return fail(h, e, "gave a secret that ", problem);
    problem = token ? NULL : secret_read(c, SECRET_USER, d, user);
    return problem ? fail(h, e, "gave a user name that ", problem) : HELPER_SECRETS;
}

static enum helper_verdict evaluate(const struct run *run, struct credentials *c, struct error *e)
{
    struct slice text = trim_lines(written(&run->answer));
    bool exited = WIFEXITED(run->status);
    struct document d;
    struct error why;
    error_clear(&why);

    if (exited && WEXITSTATUS(run->status) == 0) {
        if (document_index(&d, text, run->h->index, "it", &why))
            return take_login(run->h, &d, c, e);
        return fail(run->h, e, "gave an answer that is of no use: ", why.text);
    }
    if (exited && slice_equal(text, SLICE("credentials not found in native keychain")))
        return HELPER_NOTHING;
    return fail_with_status(run, text, e);
}

enum helper_verdict helper_get(const struct helper *h, struct credentials *c, struct error *e)
{
    char path[HELPER_PROGRAM_MAX];
    struct run run = {.h = h, .answer = writer_to(h->memory, HELPER_ANSWER_MAX)};

    if (!helper_name_valid(slice_of(h->name)))
        return fail(h, e, "has a name that no helper can have", "");
    int problem = find_program(h->name, path) ? start(&run, path) : ENOENT;
    if (problem) {
        fail(h, e, problem == ENOENT ? "is in no directory of PATH" : "cannot be started: ",
             problem == ENOENT ? "" : strerror(problem));
        return HELPER_NOT_RUN;
    }
    bool whole = read_answer(&run);
    finish(&run);
    const char *why = run.answer.overflow ? "has too much to say" : "gave no answer in time";
    enum helper_verdict verdict = whole ? evaluate(&run, c, e) : fail(h, e, why, "");
    wipe(h->memory, run.answer.used);
    if (verdict == HELPER_FAILED)
        credentials_wipe(c);
    return verdict;
}
