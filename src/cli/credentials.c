#include "cli/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sizes.h"
#include "base/wipe.h"
#include "cli/authfile.h"
#include "cli/helper.h"
#include "cli/output.h"
#include "net/clock.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What is being read: a file, a password, a helper's answer, one after the other. One byte more than any of
 * them may have. It is wiped after each. */
static struct {
    size_t used;
    char text[AUTHFILE_MAX + 1];
    jsmntok_t tokens[AUTHFILE_TOKENS];
    struct document_key keys[AUTHFILE_TOKENS / 2];
} memory;

static const struct document_memory json = {memory.tokens, memory.keys, AUTHFILE_TOKENS};

struct quest {
    const struct options *o;
    const struct reference *r;
    uint64_t deadline;
    struct credentials *c;
    struct error *e;
};

enum verdict { FOUND, NOTHING, FAILED };

static enum verdict failed(struct quest *q, const char *what, const char *problem)
{
    error_set(q->e, REGTAG_CREDENTIALS, "%s: %s", what, problem);
    return FAILED;
}

static enum verdict found(struct quest *q, const char *where)
{
    struct writer w = writer_to(q->c->source, SOURCE_MAX);
    write_format(&w, "%s", where);
    return FOUND;
}

/* ---- Reading --------------------------------------------------------------------------------- */

static void forget(void)
{
    wipe(memory.text, memory.used);
    memory.used = 0;
}

/* Returns NULL, or what is wrong. */
static const char *read_some(int fd, size_t max, bool *ended)
{
    ssize_t n = read(fd, memory.text + memory.used, max + 1 - memory.used);
    if (n < 0)
        return errno == EINTR || errno == EAGAIN ? NULL : strerror(errno);
    memory.used += (size_t)n;
    *ended = n == 0;
    return memory.used > max ? "it is too large" : NULL;
}

/* Reads all of it, be it a file, a pipe or a terminal. Returns NULL, or what is wrong. */
static const char *read_all(int fd, size_t max, uint64_t deadline)
{
    const char *problem = NULL;
    bool ended = false;
    while (!ended && !problem) {
        struct pollfd ready = {fd, POLLIN, 0};
        int n = poll(&ready, 1, clock_until(deadline));
        if (n > 0)
            problem = read_some(fd, max, &ended);
        else if (n < 0 && errno != EINTR)
            problem = strerror(errno);
        else if (clock_now() >= deadline)
            problem = "its end did not come in time";
    }
    return problem;
}

/* A pipe is opened without waiting for someone to write to it; that is done while reading. */
static int open_file(const char *path)
{
    return open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* Warns of a file with secrets in it that others than its owner can read. */
static void warn_if_shared(const struct quest *q, int fd, const char *path)
{
    char text[FILE_PATH_MAX + 64];
    struct writer w = writer_to(text, sizeof text);
    struct stat s;
    if (q->o->quiet || q->o->warned || fstat(fd, &s) != 0 || !S_ISREG(s.st_mode) ||
        !(s.st_mode & (S_IRGRP | S_IROTH)))
        return;
    write_format(&w, "%s: others can read the secrets in it; chmod 600 keeps them out", path);
    output_note("regtag: ", written(&w));
}

/* ---- --user ---------------------------------------------------------------------------------- */

/* A line end behind a password is not a part of it. */
static struct slice without_line_end(struct slice s)
{
    if (s.size && s.data[s.size - 1] == '\n')
        s.size--;
    if (s.size && s.data[s.size - 1] == '\r')
        s.size--;
    return s;
}

static enum verdict read_password(struct quest *q, int fd, const char *where)
{
    const char *problem = read_all(fd, REGTAG_PASSWORD_MAX + 2, q->deadline);
    struct slice password = without_line_end((struct slice){memory.text, memory.used});
    if (!problem && password.size == 0)
        problem = "the password in it is empty";
    if (problem)
        return failed(q, where, problem);
    problem = secret_set(q->c, SECRET_PASSWORD, password);
    if (problem)
        error_set(q->e, REGTAG_CREDENTIALS, "%s: the password in it %s", where, problem);
    return problem ? FAILED : found(q, "--user");
}

static enum verdict ask_password(struct quest *q)
{
    const char *path = q->o->password_file;
    if (!path)
        return read_password(q, STDIN_FILENO, "standard input");
    int fd = open_file(path);
    if (fd < 0)
        return failed(q, path, strerror(errno));
    enum verdict verdict = read_password(q, fd, path);
    if (verdict == FOUND)
        warn_if_shared(q, fd, path);
    close(fd);
    return verdict;
}

static enum verdict ask_user(struct quest *q)
{
    if (!q->o->user)
        return NOTHING;
    const char *problem = secret_set(q->c, SECRET_USER, slice_of(q->o->user));
    if (!problem && !*q->o->user)
        problem = "is empty";
    if (problem) {
        error_set(q->e, REGTAG_USAGE, "--user: the name %s", problem);
        return FAILED;
    }
    enum verdict verdict = ask_password(q);
    forget();
    return verdict;
}

/* ---- The environment ------------------------------------------------------------------------- */

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static void take_variable(struct quest *q, const char *name, enum secret which)
{
    const char *problem = secret_set(q->c, which, slice_of(environment(name)));
    if (problem)
        error_set(q->e, REGTAG_CREDENTIALS, "what is in %s %s", name, problem);
}

static enum verdict ask_environment(struct quest *q)
{
    bool user = environment("REGTAG_USER"), password = environment("REGTAG_PASSWORD");
    bool token = environment("REGTAG_TOKEN");

    if (token && (user || password))
        return failed(q, "REGTAG_TOKEN",
                      "it is set beside REGTAG_USER or REGTAG_PASSWORD; unset one of them");
    if (user != password)
        return failed(q, user ? "REGTAG_USER" : "REGTAG_PASSWORD",
                      user ? "it is set without REGTAG_PASSWORD" : "it is set without REGTAG_USER");
    if (!user && !token)
        return NOTHING;
    take_variable(q, "REGTAG_USER", SECRET_USER);
    take_variable(q, "REGTAG_PASSWORD", SECRET_PASSWORD);
    take_variable(q, "REGTAG_TOKEN", SECRET_REGISTRY_TOKEN);
    return q->e->status ? FAILED : found(q, token ? "REGTAG_TOKEN" : "REGTAG_USER");
}

/* ---- Files ----------------------------------------------------------------------------------- */

static enum verdict ask_helper(struct quest *q, const char *path, const struct authfile_answer *a)
{
    struct helper h = {.name = a->helper, .server = q->r->registry, .deadline = q->deadline};
    char program[AUTHFILE_HELPER_MAX + 32];
    struct writer w = writer_to(program, sizeof program - 1);

    if (slice_equal(h.server, SLICE(HUB)))
        h.server = SLICE(HUB_URL);
    h.chatty = q->o->verbose;
    h.memory = memory.text;
    h.index = &json;
    write_format(&w, "docker-credential-%s", a->helper);
    program[w.used] = '\0';
    switch (helper_get(&h, q->c, q->e)) {
    case HELPER_SECRETS: return found(q, program);
    case HELPER_NOTHING: return NOTHING;
    case HELPER_FAILED: return FAILED;
    case HELPER_MISSING: break;
    }
    if (!a->named)
        return NOTHING;
    error_set(
        q->e, REGTAG_CREDENTIALS,
        "%s leaves the login for %.*s to %s, which is in no directory of PATH; --anonymous does without",
        path, SLICE_ARG(q->r->registry), program);
    return FAILED;
}

static enum verdict ask_text(struct quest *q, int fd, const char *path)
{
    char query[QUERY_MAX];
    struct writer w = writer_to(query, sizeof query);
    struct authfile f = {.name = path, .text = {memory.text, memory.used}, .memory = &json};
    struct authfile_answer a;

    write_slice(&w, q->r->registry);
    write_char(&w, '/');
    write_repository(&w, q->r);
    f.query = written(&w);
    enum authfile_verdict verdict = authfile_find(&f, &a, q->c, q->e);
    forget();
    if (verdict == AUTHFILE_SECRETS)
        warn_if_shared(q, fd, path);
    switch (verdict) {
    case AUTHFILE_NOTHING: return NOTHING;
    case AUTHFILE_SECRETS: return found(q, path);
    case AUTHFILE_HELPER: return ask_helper(q, path, &a);
    case AUTHFILE_BROKEN: break;
    }
    return FAILED;
}

static enum verdict ask_open_file(struct quest *q, int fd, const char *path, bool named)
{
    struct stat s;
    bool odd = !named && (fstat(fd, &s) != 0 || !S_ISREG(s.st_mode));
    const char *problem = odd ? "it is not a file" : read_all(fd, AUTHFILE_MAX, q->deadline);
    enum verdict verdict = problem ? failed(q, path, problem) : ask_text(q, fd, path);
    forget();
    return verdict;
}

/* Asks a file; one that was not named may be missing. */
static enum verdict ask_file(struct quest *q, const char *path, bool named)
{
    int fd = open_file(path);
    if (fd < 0 && !named && (errno == ENOENT || errno == ENOTDIR))
        return NOTHING;
    if (fd < 0) {
        error_set(q->e, REGTAG_CREDENTIALS, "%s: %s; --anonymous does without", path, strerror(errno));
        return FAILED;
    }
    enum verdict verdict = ask_open_file(q, fd, path, named);
    close(fd);
    return verdict;
}

/* Asks the file in the directory that an environment variable names, if it does. */
static enum verdict ask_file_in(struct quest *q, const char *directory, const char *name)
{
    char path[FILE_PATH_MAX];
    struct writer w = writer_to(path, sizeof path - 1);
    if (!directory)
        return NOTHING;
    write_format(&w, "%s/%s", directory, name);
    path[w.used] = '\0';
    if (!w.overflow)
        return ask_file(q, path, false);
    error_set(q->e, REGTAG_CREDENTIALS, "%.*s...: the name is too long",
              SLICE_ARG(slice_head(written(&w), 200)));
    return FAILED;
}

static enum verdict ask_podman(struct quest *q)
{
    const char *path = environment("REGISTRY_AUTH_FILE");
    if (path)
        return ask_file(q, path, true);
    return ask_file_in(q, environment("XDG_RUNTIME_DIR"), "containers/auth.json");
}

static enum verdict ask_docker(struct quest *q)
{
    const char *directory = environment("DOCKER_CONFIG");
    if (directory)
        return ask_file_in(q, directory, "config.json");
    return ask_file_in(q, environment("HOME"), ".docker/config.json");
}

static enum verdict ask_files(struct quest *q)
{
    if (q->o->authfile)
        return ask_file(q, q->o->authfile, true);
    enum verdict verdict = ask_podman(q);
    return verdict == NOTHING ? ask_docker(q) : verdict;
}

enum regtag_status credentials_find(struct credentials *c, const struct options *o,
                                    const struct reference *r, uint64_t deadline, struct error *e)
{
    static enum verdict (*const ASK[])(struct quest *) = {ask_user, ask_environment, ask_files};
    struct quest q = {o, r, deadline, c, e};
    enum verdict verdict = NOTHING;

    credentials_wipe(c);
    for (size_t i = 0; i < COUNT(ASK) && verdict == NOTHING && !o->anonymous; i++)
        verdict = ASK[i](&q);
    if (verdict != FAILED)
        return REGTAG_OK;
    credentials_wipe(c);
    return (enum regtag_status)e->status;
}

bool credentials_for_any(const struct options *o)
{
    return !o->anonymous && (o->user || environment("REGTAG_USER") || environment("REGTAG_TOKEN"));
}
