#include "cli/credentials.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/sizes.h"
#include "base/wipe.h"
#include "cli/authfile.h"
#include "cli/helper.h"
#include "cli/output.h"
#include "net/file.h"
#include "net/hide.h"
#include "regtag_sockets.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* For a file, a password and a helper's answer, one after the other; wiped after each. Has room for one
 * byte more than a file may have, so that a larger one is noticed. */
static struct {
    size_t used;
    char text[AUTHFILE_MAX + 1];
    jsmntok_t tokens[AUTHFILE_TOKENS];
    struct document_key keys[AUTHFILE_TOKENS / 2];
} memory;

static const struct document_memory json = {memory.tokens, memory.keys, AUTHFILE_TOKENS};

enum verdict { FOUND, NOTHING, FAILED };

struct search {
    const struct options *o;
    const struct side_options *side;
    const struct reference *r;
    uint64_t deadline;
    struct credentials *c;
    struct error *e;
    enum verdict (*visit)(struct search *s, const char *path, bool named); /* what to do with a file */
    uint64_t *stamp;                                                       /* for stamp_file */
};

static enum verdict fail(struct search *s, const char *what, const char *problem)
{
    error_set(s->e, REGTAG_E_CREDENTIALS, "%s: %s", what, problem);
    return FAILED;
}

static enum verdict accept_from(struct search *s, const char *where)
{
    struct writer w = writer_to(s->c->source, SOURCE_MAX);
    write_format(&w, "%s", where);
    return FOUND;
}

/* ---- Reading --------------------------------------------------------------------------------- */

static void wipe_memory(void)
{
    wipe(memory.text, memory.used);
    memory.used = 0;
}

/* Reads the file at `path`, or standard input if that is NULL. Returns NULL, or what is wrong. */
static const char *read_file(const char *path, size_t max, uint64_t deadline)
{
    struct writer w = writer_to(memory.text, max);
    const char *problem = file_read(path, &w, deadline);
    memory.used = w.used;
    return problem;
}

/* Warns if others than its owner can read a file with secrets. */
static void warn_if_shared(const struct search *s, const char *path)
{
    struct stat status;
    if (s->o->quiet || s->o->warned || stat(path, &status) != 0 || !S_ISREG(status.st_mode) ||
        !(status.st_mode & (S_IRGRP | S_IROTH)))
        return;
    output_message("warning: %s: others can read the secrets in it; chmod 600 prevents that", path);
}

/* ---- --user ---------------------------------------------------------------------------------- */

/* A newline at the end is not a part of the password. */
static struct slice without_line_end(struct slice s)
{
    if (s.size && s.data[s.size - 1] == '\n')
        s.size--;
    if (s.size && s.data[s.size - 1] == '\r')
        s.size--;
    return s;
}

static enum verdict try_password(struct search *s)
{
    const char *path = s->side->password_file, *where = path ? path : "standard input";
    const char *option = path ? "--password-file " : "";
    const char *problem = read_file(path, REGTAG_PASSWORD_MAX + 2, s->deadline);
    struct slice password = without_line_end((struct slice){memory.text, memory.used});
    if (!problem && password.size == 0)
        problem = "the password is empty";
    if (problem)
        error_set(s->e, REGTAG_E_CREDENTIALS, "%s%s: %s", option, where, problem);
    else if ((problem = secret_set(s->c, SECRET_PASSWORD, password)))
        error_set(s->e, REGTAG_E_CREDENTIALS, "%s%s: the password %s", option, where, problem);
    if (problem)
        return FAILED;
    if (path)
        warn_if_shared(s, path);
    return accept_from(s, "--user");
}

static enum verdict try_user(struct search *s)
{
    if (!s->side->user)
        return NOTHING;
    const char *problem = secret_set(s->c, SECRET_USER, slice_of(s->side->user));
    if (!problem && !*s->side->user)
        problem = "is empty";
    if (problem) {
        error_set(s->e, REGTAG_E_USAGE, "--user: the name %s", problem);
        return FAILED;
    }
    enum verdict verdict = try_password(s);
    wipe_memory();
    return verdict;
}

/* ---- The environment ------------------------------------------------------------------------- */

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static void take_variable(struct search *s, const char *name, enum secret which)
{
    const char *problem = secret_set(s->c, which, slice_of(environment(name)));
    if (problem)
        error_set(s->e, REGTAG_E_CREDENTIALS, "the value of %s %s", name, problem);
}

static enum verdict try_environment(struct search *s)
{
    bool user = environment("REGTAG_USER"), password = environment("REGTAG_PASSWORD");
    bool token = environment("REGTAG_TOKEN");

    if (token && (user || password))
        return fail(s, "REGTAG_TOKEN",
                    "set together with REGTAG_USER or REGTAG_PASSWORD; unset one of them");
    if (user != password)
        return fail(s, user ? "REGTAG_USER" : "REGTAG_PASSWORD",
                    user ? "set without REGTAG_PASSWORD" : "set without REGTAG_USER");
    if (!user && !token)
        return NOTHING;
    hide_memory();
    take_variable(s, "REGTAG_USER", SECRET_USER);
    take_variable(s, "REGTAG_PASSWORD", SECRET_PASSWORD);
    take_variable(s, "REGTAG_TOKEN", SECRET_REGISTRY_TOKEN);
    return s->e->status ? FAILED : accept_from(s, token ? "REGTAG_TOKEN" : "REGTAG_USER");
}

/* ---- Files ----------------------------------------------------------------------------------- */

/* No other credentials take the place of those that the helper has (CVE-2021-41092). */
static enum verdict go_without(struct search *s, const char *path)
{
    struct writer w = writer_to(s->c->unavailable, sizeof s->c->unavailable - 1);
    write_format(&w, "%s: %s", path, s->e->text);
    s->c->unavailable[w.used] = '\0';
    error_clear(s->e);
    if (!s->o->quiet && !s->o->warned)
        output_message("%s; trying without a login", s->c->unavailable);
    return FOUND;
}

static enum verdict try_helper(struct search *s, const char *path, const struct authfile_answer *a)
{
    struct helper h = {.name = a->helper, .server = s->r->registry, .deadline = s->deadline};
    uint64_t limit = s->o->helper_limit * 1000, until = regtag_clock() + limit;
    char program[AUTHFILE_HELPER_MAX + 32];
    struct writer w = writer_to(program, sizeof program - 1);

    if (slice_equal(h.server, SLICE(HUB)))
        h.server = SLICE(HUB_URL);
    if (limit && until < h.deadline)
        h.deadline = until;
    h.show_stderr = s->o->verbose;
    h.memory = memory.text;
    h.index = &json;
    write_format(&w, "docker-credential-%s", a->helper);
    program[w.used] = '\0';
    switch (helper_get(&h, s->c, s->e)) {
    case HELPER_SECRETS: return accept_from(s, program);
    case HELPER_NOTHING: return NOTHING;
    case HELPER_NOT_RUN: return go_without(s, path);
    case HELPER_FAILED: break;
    }
    return FAILED;
}

static enum verdict try_text(struct search *s, const char *name, struct slice text)
{
    char query[QUERY_MAX];
    struct writer w = writer_to(query, sizeof query);
    struct authfile f = {.name = name, .text = text, .memory = &json};
    struct authfile_answer a;

    write_slice(&w, s->r->registry);
    write_char(&w, '/');
    write_repository(&w, s->r);
    f.query = written(&w);
    enum authfile_verdict verdict = authfile_find(&f, &a, s->c, s->e);
    if (verdict == AUTHFILE_SECRETS && text.data == memory.text)
        warn_if_shared(s, name);
    wipe_memory();
    switch (verdict) {
    case AUTHFILE_NOTHING: return NOTHING;
    case AUTHFILE_SECRETS: return accept_from(s, name);
    case AUTHFILE_HELPER: return try_helper(s, name, &a);
    case AUTHFILE_BROKEN: break;
    }
    return FAILED;
}

/* A default file, not `named` by the user, may be missing, but must not be a pipe. */
static enum verdict try_file(struct search *s, const char *path, bool named)
{
    const char *source = !named ? "" : s->side->authfile ? "--authfile " : "REGISTRY_AUTH_FILE ";
    struct stat status;
    if (!named && stat(path, &status) != 0 && (errno == ENOENT || errno == ENOTDIR))
        return NOTHING;
    enum verdict verdict = FAILED;
    const char *problem = read_file(path, AUTHFILE_MAX, named ? s->deadline : 0);
    if (problem)
        error_set(s->e, REGTAG_E_CREDENTIALS, "%s%s: %s; to do without, use --anonymous", source, path,
                  problem);
    else
        verdict = try_text(s, path, (struct slice){memory.text, memory.used});
    wipe_memory();
    return verdict;
}

static enum verdict stamp_file(struct search *s, const char *path, bool named)
{
    (void)named;
    file_stamp(path, s->stamp);
    return NOTHING;
}

/* `directory` is the value of an environment variable, NULL if unset. */
static enum verdict try_file_in(struct search *s, const char *directory, const char *name)
{
    static char path[FILE_PATH_MAX]; /* too large for a small stack */
    struct writer w = writer_to(path, sizeof path - 1);
    if (!directory)
        return NOTHING;
    write_format(&w, "%s/%s", directory, name);
    path[w.used] = '\0';
    if (!w.overflow)
        return s->visit(s, path, false);
    error_set(s->e, REGTAG_E_CREDENTIALS, "%.*s...: the name is too long",
              SLICE_ARG(slice_head(written(&w), 200)));
    return FAILED;
}

static enum verdict try_podman(struct search *s)
{
    const char *path = environment("REGISTRY_AUTH_FILE");
    if (path)
        return s->visit(s, path, true);
    return try_file_in(s, environment("XDG_RUNTIME_DIR"), "containers/auth.json");
}

static enum verdict try_docker(struct search *s)
{
    const char *directory = environment("DOCKER_CONFIG");
    if (directory)
        return try_file_in(s, directory, "config.json");
    return try_file_in(s, environment("HOME"), ".docker/config.json");
}

static enum verdict try_files(struct search *s)
{
    if (s->side->authfile)
        return s->visit(s, s->side->authfile, true);
    enum verdict verdict = try_podman(s);
    return verdict == NOTHING ? try_docker(s) : verdict;
}

static enum verdict try_variable(struct search *s)
{
    const char *text = environment("DOCKER_AUTH_CONFIG");
    if (!text || s->side->authfile)
        return NOTHING;
    hide_memory();
    return try_text(s, "DOCKER_AUTH_CONFIG", slice_of(text));
}

enum regtag_status credentials_find(struct credentials *c, const struct options *o,
                                    const struct side_options *side, const struct reference *r,
                                    uint64_t deadline, struct error *e)
{
    static enum verdict (*const SOURCES[])(struct search *) = {try_user, try_environment, try_files,
                                                               try_variable};
    struct search s = {o, side, r, deadline, c, e, try_file, NULL};
    enum verdict verdict = NOTHING;

    credentials_wipe(c);
    for (size_t i = 0; i < COUNT(SOURCES) && verdict == NOTHING && !side->anonymous; i++)
        verdict = SOURCES[i](&s);
    if (verdict != FAILED)
        return REGTAG_OK;
    credentials_wipe(c);
    return (enum regtag_status)e->status;
}

bool credentials_for_any(const struct side_options *side)
{
    return !side->anonymous && (side->user || environment("REGTAG_USER") || environment("REGTAG_TOKEN"));
}

void credentials_stamp(const struct options *o, uint64_t *stamp)
{
    struct error ignored; /* reading the credentials will meet it again */
    const struct side_options *side = &o->side[0];
    struct search s = {.o = o, .side = side, .e = &ignored, .visit = stamp_file, .stamp = stamp};
    error_clear(&ignored);
    if (side->password_file)
        file_stamp(side->password_file, stamp);
    if (!side->anonymous && !credentials_for_any(side))
        try_files(&s);
}
