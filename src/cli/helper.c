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
#include "client/mask.h"
#include "net/child.h"
#include "regtag_sockets.h"

#define FILES_MAX 1024     /* no open file of ours has a higher number */
#define POLL_INTERVAL 20   /* milliseconds between two calls of waitpid */
#define STATUS_NOT_RUN 127 /* of a child whose exec failed, and of a shell that found no program */

static const char PATH_DEFAULT[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/* What it writes to a pipe. */
struct stream {
    int fd; /* -1: it has ended */
    struct writer text;
};

/* A running helper. */
struct run {
    const struct helper *h;
    pid_t child;
    bool ended;
    int status;                  /* waitpid's, once it has ended */
    struct stream answer, aside; /* its standard output and standard error */
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
static void exec_helper(char *path, int question, int answer, int aside)
{
    char get[] = "get";
    char *arguments[] = {path, get, NULL};

    setpgid(0, 0);
    if (dup2(question, STDIN_FILENO) < 0 || dup2(answer, STDOUT_FILENO) < 0 ||
        dup2(aside, STDERR_FILENO) < 0)
        _exit(STATUS_NOT_RUN);
    for (int fd = STDERR_FILENO + 1; fd < FILES_MAX; fd++)
        close(fd);
    process_restore();
    execv(path, arguments);
    const char *problem = strerror(errno);
    ssize_t n = write(STDOUT_FILENO, problem, strlen(problem));
    _exit(n < 0 ? STATUS_NOT_RUN - 1 : STATUS_NOT_RUN);
}

/* Returns 0, or errno. */
static int open_pipes(const struct helper *h, int question[2], int answer[2], int aside[2])
{
    if (pipe(question) != 0 || pipe(answer) != 0 || (h->show_stderr && pipe(aside) != 0))
        return errno;
    if (!h->show_stderr)
        aside[1] = output_open_null();
    return aside[1] < 0 ? errno : 0;
}

/* Cannot block: the pipe is empty, and has room for all of it. Returns 0, or errno. */
static int write_question(const struct helper *h, int fd)
{
    ssize_t n = write(fd, h->server.data, h->server.size);
    return n < 0 ? errno : n == (ssize_t)h->server.size ? 0 : EIO;
}

/* Returns 0, or errno. */
static int start(struct run *run, char *path)
{
    int question[2] = {-1, -1}, answer[2] = {-1, -1}, aside[2] = {-1, -1};
    int problem = open_pipes(run->h, question, answer, aside);
    if (!problem)
        problem = write_question(run->h, question[1]);
    if (!problem) {
        run->child = child_fork();
        problem = run->child < 0 ? errno : 0;
    }
    if (!problem && run->child == 0)
        exec_helper(path, question[0], answer[1], aside[1]);
    if (!problem)
        setpgid(run->child, run->child); /* in the child too, since either may run first */
    close(question[0]);
    close(question[1]);
    close(answer[1]);
    close(aside[1]);
    run->answer.fd = answer[0];
    run->aside.fd = aside[0];
    return problem;
}

/* ---- Its answer ------------------------------------------------------------------------------ */

static void close_stream(struct stream *s)
{
    close(s->fd);
    s->fd = -1;
}

/* Reads what is ready. What there is no room for is dropped. */
static void read_stream(struct stream *s)
{
    char dropped[256];
    struct writer *w = &s->text;
    size_t room = w->size - w->used;
    ssize_t n = read(s->fd, room ? w->data + w->used : dropped, room ? room : sizeof dropped);
    if (n > 0 && room)
        w->used += (size_t)n;
    else if (n > 0)
        w->overflow = true;
    else if (n == 0 || errno != EINTR)
        close_stream(s);
}

static int pause_until(uint64_t deadline)
{
    int left = regtag_clock_until(deadline);
    return left < POLL_INTERVAL ? left : POLL_INTERVAL;
}

/* Reads until the helper has ended. Does not wait for the end of its output: processes that it leaves in
 * the background may keep that open for ever, and write without end. False at the deadline, and if the answer is
 * too large. */
static bool read_answer(struct run *run)
{
    for (;;) {
        if (!run->ended)
            run->ended = waitpid(run->child, &run->status, WNOHANG) == run->child;
        int aside = run->ended && run->aside.text.overflow ? -1 : run->aside.fd;
        struct pollfd ready[] = {{run->answer.fd, POLLIN, 0}, {aside, POLLIN, 0}};
        int n = poll(ready, 2, run->ended ? 0 : pause_until(run->h->deadline));
        if (n > 0 && ready[0].revents)
            read_stream(&run->answer);
        if (n > 0 && ready[1].revents)
            read_stream(&run->aside);
        if (n <= 0 && run->ended)
            return true;
        if (run->answer.text.overflow || (!run->ended && regtag_clock() >= run->h->deadline))
            return false;
    }
}

/* Kills it if it is still running, and its process group, which it may have left. */
static void finish(struct run *run)
{
    if (!run->ended) {
        kill(-run->child, SIGKILL);
        child_end(run->child);
    }
    close_stream(&run->answer);
    close_stream(&run->aside);
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
        write_format(&w, "was killed by signal %u", (unsigned)WTERMSIG(run->status));
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
    struct slice text = trim_lines(written(&run->answer.text));
    bool exited = WIFEXITED(run->status);
    struct document d;
    struct error why;
    error_clear(&why);

    if (exited && WEXITSTATUS(run->status) == 0) {
        if (document_index(&d, text, run->h->index, "it", &why))
            return take_login(run->h, &d, c, e);
        return fail(run->h, e, "gave an unusable answer: ", why.text);
    }
    if (exited && slice_equal(text, SLICE("credentials not found in native keychain")))
        return HELPER_NOTHING;
    return fail_with_status(run, text, e);
}

/* Shows what it said on standard error, which may have secrets in it: those of its answer, or all of that. */
static void show_aside(const struct run *run, const struct credentials *c)
{
    const struct regtag_credentials known = {
        .user = c->user, .password = c->password, .identity_token = c->identity_token};
    const struct writer *w = &run->aside.text;
    struct slice rest = written(w);
    char before[AUTHFILE_HELPER_MAX + 32];
    struct writer b = writer_to(before, sizeof before - 1);
    write_format(&b, "regtag: docker-credential-%s: ", run->h->name);
    before[b.used] = '\0';
    mask_credentials(&known, w->data, w->used);
    mask(trim_lines(written(&run->answer.text)), w->data, w->used);
    while (rest.size)
        output_note(before, slice_split(&rest, '\n'));
    if (w->overflow)
        output_note(before, SLICE("..."));
}

enum helper_verdict helper_get(const struct helper *h, struct credentials *c, struct error *e)
{
    static char path[HELPER_PROGRAM_MAX]; /* too large for a small stack */
    struct run run = {.h = h,
                      .answer = {-1, writer_to(h->memory, HELPER_ANSWER_MAX)},
                      .aside = {-1, writer_to(h->memory + HELPER_ANSWER_MAX, HELPER_ASIDE_MAX)}};

    if (!helper_name_valid(slice_of(h->name)))
        return fail(h, e, "is not a valid name for a helper", "");
    int problem = find_program(h->name, path) ? start(&run, path) : ENOENT;
    if (problem) {
        close_stream(&run.answer);
        close_stream(&run.aside);
        fail(h, e, problem == ENOENT ? "was not found in PATH" : "cannot be started: ",
             problem == ENOENT ? "" : strerror(problem));
        return HELPER_NOT_RUN;
    }
    bool whole = read_answer(&run);
    finish(&run);
    const char *why = run.answer.text.overflow ? "gave too long an answer" : "gave no answer in time";
    enum helper_verdict verdict = whole ? evaluate(&run, c, e) : fail(h, e, why, "");
    show_aside(&run, c);
    wipe(h->memory, run.answer.text.used);
    wipe(run.aside.text.data, run.aside.text.used);
    if (verdict == HELPER_FAILED)
        credentials_wipe(c);
    return verdict;
}
