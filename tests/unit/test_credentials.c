/* src/cli: where credentials come from, helpers and what becomes of them, and that nothing of a secret is
 * left. More of what files say is in tests/vectors/creds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/authfile.h"
#include "cli/credentials.h"
#include "cli/helper.h"
#include "regtag_sockets.h"
#include "net/file.h"
#include "skip.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SOON 300   /* milliseconds, for what must not come to an end by itself */
#define LATE 20000 /* for what must */
#define DAY 86400000
#define TEXT_MAX 70000

#define LOGIN(user, password) "{\"username\":\"" user "\",\"password\":\"" password "\"}"
#define HOST_FILE(host, user, password) "{\"auths\":{\"" host "\":" LOGIN(user, password) "}}"

#define BY_HELPER "{\"credHelpers\":{\"reg.example:5000\":\"x\"}}"

/* ---- A home of its own for every test -------------------------------------------------------- */

static char top[64];
static char before[4096]; /* PATH */
static struct credentials c;
static struct options o;
static struct error e;
static struct reference r;

static const char *const VARIABLES[] = {"REGTAG_USER",        "REGTAG_PASSWORD",    "REGTAG_TOKEN",
                                        "DOCKER_AUTH_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR",
                                        "DOCKER_CONFIG"};

/* The path of something in the home; it stays for a while. */
static const char *at(const char *name)
{
    static char paths[64][256];
    static unsigned next;
    char *path = paths[next++ % 64];
    snprintf(path, sizeof paths[0], "%s/%s", top, name);
    return path;
}

static void set(const char *name, const char *value)
{
    assert_int_equal(setenv(name, value, 1), 0);
}

static int begin(void **state)
{
    char path[4200];
    (void)state;
    for (size_t i = 0; i < COUNT(VARIABLES); i++)
        unsetenv(VARIABLES[i]);
    snprintf(top, sizeof top, "/tmp/regtag-test-XXXXXX");
    if (!mkdtemp(top))
        return -1;
    snprintf(before, sizeof before, "%s", getenv("PATH") ? getenv("PATH") : "");
    snprintf(path, sizeof path, "%s/bin:%s", top, before);
    set("PATH", path);
    set("HOME", at("home"));
    set("TOP", top);
    memset(&c, 0, sizeof c);
    memset(&o, 0, sizeof o);
    memset(&e, 0, sizeof e);
    file_wipe();
    return reference_parse(&r, SLICE("reg.example:5000/team/app:1"), &e) ? 0 : -1;
}

static int end(void **state)
{
    char command[128];
    (void)state;
    set("PATH", before);
    snprintf(command, sizeof command, "rm -rf %s", top);
    return system(command);
}

static void make_folders(const char *path)
{
    char part[256];
    for (size_t i = strlen(top) + 1; path[i]; i++) {
        if (path[i] != '/')
            continue;
        snprintf(part, sizeof part, "%.*s", (int)i, path);
        mkdir(part, 0700);
    }
}

static void put_bytes(const char *name, mode_t mode, const char *text, size_t size)
{
    const char *path = at(name);
    make_folders(path);
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, size), size);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void put(const char *name, const char *text)
{
    put_bytes(name, 0600, text, strlen(text));
}

/* A helper that is a shell script. */
static void put_helper(const char *name, const char *script)
{
    char path[128], text[4096];
    snprintf(path, sizeof path, "bin/docker-credential-%s", name);
    snprintf(text, sizeof text, "#!/bin/sh\n%s\n", script);
    put_bytes(path, 0700, text, strlen(text));
}

/* What is in a file, without the last line end. */
static const char *content(const char *name)
{
    static char text[TEXT_MAX];
    FILE *file = fopen(at(name), "rb");
    if (!file)
        fail_msg("there is no %s", name);
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size > 0 && text[size - 1] == '\n' ? size - 1 : size] = '\0';
    return text;
}

static bool exists(const char *name)
{
    struct stat s;
    return stat(at(name), &s) == 0;
}

/* What `done` writes to standard error. */
static int saved_stderr;

static void listen_begin(void)
{
    int fd = open(at("stderr"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    saved_stderr = dup(STDERR_FILENO);
    dup2(fd, STDERR_FILENO);
    close(fd);
}

static const char *listen_end(void)
{
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    return content("stderr");
}

/* ---- What is expected ------------------------------------------------------------------------ */

static void assert_empty(void)
{
    static const struct credentials empty;
    assert_memory_equal(&c, &empty, sizeof c);
}

static enum regtag_status find(void)
{
    error_clear(&e);
    return credentials_find(&c, &o, &o.side[0], &r, regtag_clock() + LATE, &e);
}

static void assert_found(const char *user, const char *password)
{
    if (find() != REGTAG_OK)
        fail_msg("%s", e.text);
    assert_string_equal(c.user, user);
    assert_string_equal(c.password, password);
}

static void assert_nothing(void)
{
    if (find() != REGTAG_OK)
        fail_msg("%s", e.text);
    assert_empty();
}

static void assert_refused_as(enum regtag_status status, const char *words)
{
    assert_int_equal(find(), status);
    assert_int_equal(e.status, status);
    if (!strstr(e.text, words))
        fail_msg("\"%s\" is not in: %s", words, e.text);
    assert_empty();
}

/* No credentials, and no others in their place, but a reason. */
static void assert_unavailable(const char *words)
{
    struct credentials reason = {.source = ""};
    listen_begin();
    enum regtag_status status = find();
    assert_non_null(strstr(listen_end(), "; trying without a login"));
    if (status != REGTAG_OK)
        fail_msg("%s", e.text);
    if (!strstr(c.unavailable, words))
        fail_msg("\"%s\" is not in: %s", words, c.unavailable);
    memcpy(reason.unavailable, c.unavailable, sizeof c.unavailable);
    assert_memory_equal(&c, &reason, sizeof c);
}

static void assert_refused(const char *words)
{
    assert_refused_as(REGTAG_E_CREDENTIALS, words);
}

/* ---- The order ------------------------------------------------------------------------------- */

/* Everything that can be there is there. */
static void put_everything(void)
{
    o.side[0].user = "option";
    o.side[0].password_file = at("password");
    o.side[0].authfile = at("named.json");
    put("password", "p1\n");
    set("REGTAG_USER", "environment");
    set("REGTAG_PASSWORD", "p2");
    put("named.json", HOST_FILE("reg.example:5000", "authfile", "p3"));
    set("REGISTRY_AUTH_FILE", at("variable.json"));
    put("variable.json", HOST_FILE("reg.example:5000", "variable", "p4"));
    set("XDG_RUNTIME_DIR", at("run"));
    put("run/containers/auth.json", HOST_FILE("reg.example:5000", "podman", "p5"));
    set("DOCKER_CONFIG", at("docker"));
    put("docker/config.json", HOST_FILE("reg.example:5000", "docker", "p6"));
    put("home/.docker/config.json", HOST_FILE("reg.example:5000", "home", "p7"));
}

static void the_nearest_to_the_user_is_taken(void **state)
{
    (void)state;
    put_everything();
    assert_found("option", "p1");
    o.side[0].user = o.side[0].password_file = NULL;
    assert_found("environment", "p2");
    unsetenv("REGTAG_USER");
    unsetenv("REGTAG_PASSWORD");
    assert_found("authfile", "p3");
    o.side[0].authfile = NULL;
    assert_found("variable", "p4");
    unsetenv("REGISTRY_AUTH_FILE");
    assert_found("podman", "p5");
    unsetenv("XDG_RUNTIME_DIR");
    assert_found("docker", "p6");
    unsetenv("DOCKER_CONFIG");
    assert_found("home", "p7");
    unsetenv("HOME");
    assert_nothing();
}

static void anonymous_is_none_whatever_there_is(void **state)
{
    (void)state;
    put_everything();
    o.side[0].user = o.side[0].password_file = o.side[0].authfile = NULL;
    o.side[0].anonymous = true;
    assert_nothing();
}

static void what_is_empty_is_unset(void **state)
{
    (void)state;
    put_everything();
    o.side[0].user = o.side[0].password_file = o.side[0].authfile = NULL;
    for (size_t i = 0; i < COUNT(VARIABLES); i++)
        set(VARIABLES[i], "");
    assert_found("home", "p7");
    set("HOME", "");
    assert_nothing();
}

static void dockers_file_is_asked_when_podmans_knows_nothing(void **state)
{
    (void)state;
    put_everything();
    o.side[0].user = o.side[0].password_file = o.side[0].authfile = NULL;
    unsetenv("REGTAG_USER");
    unsetenv("REGTAG_PASSWORD");
    put("variable.json", HOST_FILE("other.example", "variable", "p4"));
    assert_found("docker", "p6");
    assert_string_equal(c.source, at("docker/config.json"));
}

static void a_file_that_is_named_is_the_only_one(void **state)
{
    (void)state;
    put_everything();
    o.side[0].user = o.side[0].password_file = NULL;
    unsetenv("REGTAG_USER");
    unsetenv("REGTAG_PASSWORD");
    put("named.json", "{}");
    assert_nothing();
}

static void what_was_there_before_is_forgotten(void **state)
{
    (void)state;
    put("home/.docker/config.json", HOST_FILE("reg.example:5000", "a-long-name", "a-long-password"));
    assert_found("a-long-name", "a-long-password");
    put("home/.docker/config.json", HOST_FILE("reg.example:5000", "a", "b"));
    assert_found("a", "b");
    o.side[0].anonymous = true;
    assert_nothing();
}

static void docker_hub_is_found_under_dockers_name_for_it(void **state)
{
    (void)state;
    assert_true(reference_parse(&r, SLICE("debian"), &e));
    put("home/.docker/config.json", HOST_FILE("https://index.docker.io/v1/", "hub", "x"));
    assert_found("hub", "x");
    put("home/.docker/config.json", HOST_FILE("docker.io/library", "library", "x"));
    assert_found("library", "x");
    put("home/.docker/config.json", HOST_FILE("docker.io/other", "other", "x"));
    assert_nothing();
}

/* ---- Passwords ------------------------------------------------------------------------------- */

static void expect_password(const char *text, const char *password)
{
    put("password", text);
    assert_found("me", password);
}

static void one_line_end_is_not_a_part_of_a_password(void **state)
{
    (void)state;
    o.side[0].user = "me";
    o.side[0].password_file = at("password");
    expect_password("secret", "secret");
    expect_password("secret\n", "secret");
    expect_password("secret\r\n", "secret");
    expect_password(" se:cr\xc3\xa9t ", " se:cr\xc3\xa9t ");
    assert_string_equal(c.source, "--user");
    expect_password("secret\n\n", "secret\n");
    expect_password("secret\n\r\n", "secret\n");
    expect_password("\nsecret\nand\tmore\x7f", "\nsecret\nand\tmore\x7f");
    put_bytes("password", 0600, "se\0cret", 7);
    assert_refused("NUL");
    put_bytes("password", 0600, "secret\0", 7);
    assert_refused("NUL");
}

static void a_password_is_one_to_16384_bytes(void **state)
{
    static char text[REGTAG_PASSWORD_MAX + 8];
    (void)state;
    o.side[0].user = "me";
    o.side[0].password_file = at("password");
    memset(text, 'x', sizeof text);
    put_bytes("password", 0600, text, REGTAG_PASSWORD_MAX);
    assert_int_equal(find(), REGTAG_OK);
    assert_int_equal(strlen(c.password), REGTAG_PASSWORD_MAX);
    memcpy(text + REGTAG_PASSWORD_MAX, "\r\n", 2);
    put_bytes("password", 0600, text, REGTAG_PASSWORD_MAX + 2);
    assert_int_equal(find(), REGTAG_OK);
    assert_int_equal(strlen(c.password), REGTAG_PASSWORD_MAX);
    text[REGTAG_PASSWORD_MAX] = 'x';
    put_bytes("password", 0600, text, REGTAG_PASSWORD_MAX + 1);
    assert_refused("longer than 16384 bytes");
    put_bytes("password", 0600, text, sizeof text);
    assert_refused("too large");
    put("password", "");
    assert_refused("empty");
    put("password", "\r\n");
    assert_refused("empty");
}

static void a_user_is_a_name(void **state)
{
    static char name[REGTAG_USER_MAX + 2];
    (void)state;
    put("password", "secret");
    o.side[0].password_file = at("password");
    o.side[0].user = "";
    assert_refused_as(REGTAG_E_USAGE, "--user");
    o.side[0].user = "a:b";
    assert_refused_as(REGTAG_E_USAGE, "colon");
    o.side[0].user = "a\nb";
    assert_refused_as(REGTAG_E_USAGE, "control character");
    memset(name, 'x', sizeof name - 1);
    o.side[0].user = name;
    assert_refused_as(REGTAG_E_USAGE, "longer than");
    name[REGTAG_USER_MAX] = '\0';
    assert_found(name, "secret");
}

static void a_password_that_cannot_be_read_is_told(void **state)
{
    (void)state;
    o.side[0].user = "me";
    o.side[0].password_file = at("nowhere");
    assert_refused("No such file");
    o.side[0].password_file = top;
    assert_refused("directory");
}

/* Runs in a child: opens a pipe by its name after a while, and writes in two parts. */
static pid_t write_slowly(const char *path)
{
    pid_t child = fork();
    if (child != 0)
        return child;
    const struct timespec pause = {0, 100000000};
    nanosleep(&pause, NULL);
    int fd = open(path, O_WRONLY);
    ssize_t n = write(fd, "sec", 3);
    nanosleep(&pause, NULL);
    n += write(fd, "ret\n", 4);
    _exit(n == 7 ? 0 : 1);
}

static void a_password_may_come_through_a_named_pipe(void **state)
{
    (void)state;
    int status;
    o.side[0].user = "me";
    o.side[0].password_file = at("pipe");
    assert_int_equal(mkfifo(o.side[0].password_file, 0600), 0);
    pid_t child = write_slowly(o.side[0].password_file);
    assert_found("me", "secret");
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void assert_out_of_time(void)
{
    uint64_t start = regtag_clock();
    error_clear(&e);
    assert_int_equal(credentials_find(&c, &o, &o.side[0], &r, start + SOON, &e), REGTAG_E_CREDENTIALS);
    assert_true(regtag_clock() - start >= SOON);
    assert_true(regtag_clock() - start < LATE);
    assert_non_null(strstr(e.text, "in time"));
    assert_empty();
}

static void a_pipe_that_nobody_writes_to_is_left_at_the_deadline(void **state)
{
    (void)state;
    o.side[0].user = "me";
    o.side[0].password_file = at("pipe");
    assert_int_equal(mkfifo(at("pipe"), 0600), 0);
    assert_out_of_time();
    o.side[0].user = o.side[0].password_file = NULL;
    o.side[0].authfile = at("pipe");
    assert_out_of_time();
}

/* With these bytes on standard input, after which it ends or not. */
static void with_input(const char *text, bool ends, void (*done)(void))
{
    int ends_of[2], saved = dup(STDIN_FILENO);
    assert_int_equal(pipe(ends_of), 0);
    assert_int_equal(write(ends_of[1], text, strlen(text)), strlen(text));
    dup2(ends_of[0], STDIN_FILENO);
    close(ends_of[0]);
    if (ends)
        close(ends_of[1]);
    done();
    if (!ends)
        close(ends_of[1]);
    dup2(saved, STDIN_FILENO);
    close(saved);
}

static void expect_from_stdin(void)
{
    assert_found("me", "from stdin");
}

static void refuse_empty_stdin(void)
{
    assert_refused("standard input");
}

static void a_password_may_come_from_stdin(void **state)
{
    (void)state;
    o.side[0].user = "me";
    o.side[0].password_stdin = true;
    with_input("from stdin\n", true, expect_from_stdin);
    with_input("", true, refuse_empty_stdin);
    with_input("never the end", false, assert_out_of_time);
}

/* ---- The environment ------------------------------------------------------------------------- */

static void a_token_comes_from_the_environment(void **state)
{
    (void)state;
    set("REGTAG_TOKEN", "a.b-c_d~e+f/g==");
    assert_found("", "");
    assert_string_equal(c.registry_token, "a.b-c_d~e+f/g==");
    assert_string_equal(c.identity_token, "");
    assert_string_equal(c.source, "REGTAG_TOKEN");
    set("REGTAG_TOKEN", "a\r\nX-Header: b");
    assert_refused("REGTAG_TOKEN");
    set("REGTAG_TOKEN", "a b");
    assert_refused("space");
}

static void half_a_login_in_the_environment_is_refused(void **state)
{
    (void)state;
    put("home/.docker/config.json", HOST_FILE("reg.example:5000", "home", "p7"));
    set("REGTAG_USER", "me");
    assert_refused("without REGTAG_PASSWORD");
    unsetenv("REGTAG_USER");
    set("REGTAG_PASSWORD", "canary");
    assert_refused("without REGTAG_USER");
    assert_null(strstr(e.text, "canary"));
    set("REGTAG_USER", "me");
    set("REGTAG_TOKEN", "token");
    assert_refused("REGTAG_TOKEN");
}

static void a_password_in_the_environment_is_taken_as_it_is(void **state)
{
    (void)state;
    set("REGTAG_USER", "me");
    set("REGTAG_PASSWORD", "{\n\t\"a\": 1\n}\n");
    assert_found("me", "{\n\t\"a\": 1\n}\n");
}

/* ---- What a file says ------------------------------------------------------------------------ */

/* Asks a file: "USER PASSWORD", "none", "helper NAME", "broken". */
static const char *say(const char *text, const char *query)
{
    static jsmntok_t tokens[64];
    static struct document_key keys[32];
    static char said[REGTAG_USER_MAX + REGTAG_PASSWORD_MAX + 2];
    const struct document_memory index = {tokens, keys, COUNT(tokens)};
    const struct authfile file = {"file", slice_of(text), slice_of(query), &index};
    struct authfile_answer a;

    error_clear(&e);
    credentials_wipe(&c);
    enum authfile_verdict verdict = authfile_find(&file, &a, &c, &e);
    if (verdict == AUTHFILE_SECRETS)
        snprintf(said, sizeof said, "%s %s", c.user, c.password);
    else
        assert_empty();
    if (verdict == AUTHFILE_HELPER)
        snprintf(said, sizeof said, "helper %s", a.helper);
    assert_int_equal(e.status, verdict == AUTHFILE_BROKEN ? REGTAG_E_CREDENTIALS : REGTAG_OK);
    if (verdict == AUTHFILE_BROKEN)
        return "broken";
    return verdict == AUTHFILE_NOTHING ? "none" : said;
}

static void the_plainest_spelling_of_a_host_goes_first(void **state)
{
    static const char FILE1[] = "{\"auths\":{\"https://a.test\":" LOGIN("url", "x") ",\"A.test\":" LOGIN(
        "other", "x") ",\"a.test/team/\":" LOGIN("team", "x") "}}";
    static const char FILE2[] =
        "{\"auths\":{\"A.test\":" LOGIN("other", "x") ",\"a.test\":" LOGIN("same", "x") "}}";
    (void)state;
    assert_string_equal(say(FILE1, "a.test"), "other x");
    assert_string_equal(say(FILE1, "a.test/team/app"), "team x");
    assert_string_equal(say(FILE1, "a.test/teams/app"), "other x");
    assert_string_equal(say(FILE2, "a.test"), "same x");
    assert_string_equal(say(FILE2, "A.test"), "other x");
}

static void keys_in_other_letters_are_refused(void **state)
{
    (void)state;
    assert_string_equal(say("{\"Auths\":{}}", "a"), "broken");
    assert_string_equal(say("{\"credhelpers\":{}}", "a"), "broken");
    assert_string_equal(say("{\"credsstore\":\"\"}", "a"), "broken");
    assert_string_equal(say("{\"credSstore\":\"x\"}", "a"), "none");
    assert_string_equal(say("{\"credSstore\":\"x\",\"credsStore\":\"y\"}", "a"), "helper y");
    assert_string_equal(say("{\"credSstore\":\"x\",\"Auths\":{}}", "a"), "broken");
    assert_string_equal(say("{\"auths\":{\"a\":{\"Auth\":\"dTpw\"}}}", "a"), "broken");
    assert_string_equal(say("{\"auths\":{\"b\":{\"Auth\":\"dTpw\"}}}", "a"), "none");
}

static void auth_is_a_user_and_a_password(void **state)
{
    (void)state;
    assert_string_equal(say("{\"auths\":{\"a\":{\"auth\":\"dTpw\"}}}", "a"), "u p");
    assert_string_equal(say("{\"auths\":{\"a\":{\"auth\":\"dTpwAAA=\"}}}", "a"), "u p");
    assert_string_equal(say("{\"auths\":{\"a\":{\"auth\":\"dTpwAHA=\"}}}", "a"), "broken");
    assert_string_equal(say("{\"auths\":{\"a\":{\"auth\":\"dTo=\"}}}", "a"), "u ");
    assert_string_equal(say("{\"auths\":{\"a\":{\"auth\":\"Og==\"}}}", "a"), "broken");
    assert_string_equal(say("{\"auths\":{\"a\":{\"auth\":\"OnA=\"}}}", "a"), "broken");
    assert_string_equal(say("{\"auths\":{\"a\":{\"username\":\"u\"}}}", "a"), "u ");
    assert_string_equal(say("{\"auths\":{\"a\":{\"password\":\"p\"}}}", "a"), "broken");
}

static void passwords_are_what_their_escapes_mean(void **state)
{
    (void)state;
    assert_string_equal(
        say("{\"auths\":{\"a\":" LOGIN("u", "\\u0026\\u00e9\\u20ac\\ud83d\\udd11\\/") "}}", "a"),
        "u &\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x91/");
    assert_string_equal(say("{\"auths\":{\"a\":" LOGIN("u", "x\\ud83d") "}}", "a"), "broken");
    assert_string_equal(say("{\"auths\":{\"a\":" LOGIN("u", "x\\u0000") "}}", "a"), "broken");
}

static void an_empty_helper_of_the_host_is_none(void **state)
{
    (void)state;
    assert_string_equal(say("{\"credsStore\":\"x\",\"credHelpers\":{\"a\":\"\"}}", "a"), "none");
    assert_string_equal(say("{\"credHelpers\":{\"a\":\"\"},\"auths\":{\"a\":" LOGIN("u", "p") "}}", "a"),
                        "u p");
    assert_string_equal(
        say("{\"credHelpers\":{\"a\":\"x\"},\"auths\":{\"a\":" LOGIN("u", "p") "}}", "a"), "helper x");
}

static void helpers_are_for_hosts_only(void **state)
{
    (void)state;
    assert_string_equal(say("{\"credHelpers\":{\"a/b\":\"x\"}}", "a/b"), "none");
    assert_string_equal(say("{\"credHelpers\":{\"a\":\"x\"}}", "a/b"), "helper x");
    assert_string_equal(say("{\"credHelpers\":{\"a\":null},\"credsStore\":\"y\"}", "a/b"), "helper y");
}

/* ---- Files ----------------------------------------------------------------------------------- */

static void a_file_that_was_named_must_be_there(void **state)
{
    (void)state;
    o.side[0].authfile = at("nowhere.json");
    assert_refused("nowhere.json: No such file");
    o.side[0].authfile = NULL;
    set("REGISTRY_AUTH_FILE", at("nowhere.json"));
    assert_refused("nowhere.json: No such file");
    set("REGISTRY_AUTH_FILE", top);
    assert_refused("directory");
}

static void usual_files_may_be_missing(void **state)
{
    (void)state;
    assert_nothing();
    set("XDG_RUNTIME_DIR", at("nowhere"));
    set("DOCKER_CONFIG", at("nowhere"));
    assert_nothing();
    put("nowhere", "no directory");
    assert_nothing();
}

static void usual_files_must_be_files(void **state)
{
    (void)state;
    put("home/.docker/config.json/x", "");
    assert_refused("config.json: Is a directory");
    set("DOCKER_CONFIG", at("home"));
    assert_int_equal(mkfifo(at("home/config.json"), 0600), 0);
    assert_refused("config.json: not a regular file");
}

static void usual_files_must_be_readable(void **state)
{
    (void)state;
    if (geteuid() == 0)
        SKIP("root may read everything");
    put_bytes("home/.docker/config.json", 0, "{}", 2);
    assert_refused("Permission denied");
}

static void broken_files_are_refused_and_nothing_else_is_tried(void **state)
{
    (void)state;
    set("XDG_RUNTIME_DIR", at("run"));
    put("home/.docker/config.json", HOST_FILE("reg.example:5000", "home", "p7"));
    put("run/containers/auth.json", "{");
    assert_refused("auth.json is not valid JSON at byte 1");
    put("run/containers/auth.json", "{\"auths\":{\"reg.example:5000\":{\"auth\":\"canary!\"}}}");
    assert_refused("auth.json: \"auth\" for reg.example:5000");
    assert_null(strstr(e.text, "canary"));
}

static void a_file_without_text_says_nothing(void **state)
{
    static const char *const BLANK[] = {"", "\n", " \t\r\n\n"};
    (void)state;
    set("XDG_RUNTIME_DIR", at("run"));
    put("home/.docker/config.json", HOST_FILE("reg.example:5000", "home", "p7"));
    for (size_t i = 0; i < COUNT(BLANK); i++) {
        put("run/containers/auth.json", BLANK[i]);
        assert_found("home", "p7");
        o.side[0].authfile = at("run/containers/auth.json");
        assert_nothing();
        o.side[0].authfile = NULL;
    }
    put_bytes("run/containers/auth.json", 0600, "\0\0", 2);
    assert_refused("not valid JSON");
}

static void a_variable_may_have_the_text_of_a_file(void **state)
{
    (void)state;
    set("DOCKER_AUTH_CONFIG", HOST_FILE("reg.example:5000", "variable", "p8"));
    listen_begin();
    assert_found("variable", "p8");
    assert_string_equal(listen_end(), "");
    assert_string_equal(c.source, "DOCKER_AUTH_CONFIG");
    put("home/.docker/config.json", HOST_FILE("other.example", "home", "p7"));
    assert_found("variable", "p8");
    put("home/.docker/config.json", HOST_FILE("reg.example:5000", "home", "p7"));
    assert_found("home", "p7");
    o.side[0].authfile = at("named.json");
    put("named.json", "{}");
    assert_nothing();
    o.side[0].authfile = NULL;
    unlink(at("home/.docker/config.json"));
    set("DOCKER_AUTH_CONFIG", "{\"auths\"");
    assert_refused("DOCKER_AUTH_CONFIG is not valid JSON");
    put_helper("x", "echo '{\"Username\":\"u\",\"Secret\":\"s\"}'");
    set("DOCKER_AUTH_CONFIG", BY_HELPER);
    assert_found("u", "s");
    o.side[0].anonymous = true;
    assert_nothing();
}

static void files_have_64_kib_at_most(void **state)
{
    static char text[AUTHFILE_MAX + 1];
    const char file[] = HOST_FILE("reg.example:5000", "home", "p7");
    (void)state;
    memset(text, ' ', sizeof text);
    memcpy(text + AUTHFILE_MAX - sizeof file, file, sizeof file - 1);
    put_bytes("home/.docker/config.json", 0600, text, AUTHFILE_MAX);
    assert_found("home", "p7");
    put_bytes("home/.docker/config.json", 0600, text, AUTHFILE_MAX + 1);
    assert_refused("too large");
}

/* A path of so many bytes to a file that isn't there. */
static void set_long(const char *name, size_t size)
{
    static char path[8192];
    memset(path, 'x', size);
    path[0] = '/';
    path[size] = '\0';
    set(name, path);
}

static void long_paths_are_told(void **state)
{
    (void)state;
    set_long("DOCKER_CONFIG", 4000);
    assert_refused("too long");
}

static void assert_warned(mode_t mode, bool warned)
{
    const char file[] = HOST_FILE("reg.example:5000", "home", "p7");
    put_bytes("home/.docker/config.json", mode, file, sizeof file - 1);
    listen_begin();
    assert_int_equal(find(), REGTAG_OK);
    const char *said = listen_end();
    if (warned) {
        assert_int_equal(strncmp(said, "regtag: warning: /tmp/", 22), 0);
        assert_non_null(strstr(said, "config.json"));
    } else
        assert_string_equal(said, "");
}

static void files_that_others_can_read_get_a_warning(void **state)
{
    (void)state;
    assert_warned(0600, false);
    assert_warned(0400, false);
    assert_warned(0640, true);
    assert_warned(0604, true);
    assert_warned(0644, true);
    o.quiet = true;
    assert_warned(0644, false);
}

static void password_files_that_others_can_read_get_a_warning(void **state)
{
    (void)state;
    o.side[0].user = "me";
    o.side[0].password_file = at("password");
    put_bytes("password", 0644, "x", 1);
    listen_begin();
    assert_int_equal(find(), REGTAG_OK);
    assert_non_null(strstr(listen_end(), "password"));
}

static void files_without_secrets_of_the_registry_get_no_warning(void **state)
{
    (void)state;
    put_helper("here", "echo '{\"Username\":\"u\",\"Secret\":\"s\"}'");
    put_bytes("home/.docker/config.json", 0644, "{\"credsStore\":\"here\"}", 21);
    listen_begin();
    assert_int_equal(find(), REGTAG_OK);
    assert_string_equal(listen_end(), "");
    assert_string_equal(c.source, "docker-credential-here");
}

/* ---- Helpers --------------------------------------------------------------------------------- */

static void use_helper(const char *script)
{
    put("home/.docker/config.json", BY_HELPER);
    put_helper("x", script);
}

static void a_helper_is_asked_as_docker_asks_it(void **state)
{
    (void)state;
    use_helper("cat >$TOP/question; echo \"$@\" >$TOP/arguments\n"
               "echo '{\"ServerURL\":\"?\",\"Username\":\"u\",\"Secret\":\"s\\u0026\\/\\u00e9\"}'");
    assert_found("u", "s&/\xc3\xa9");
    assert_string_equal(content("question"), "reg.example:5000");
    assert_string_equal(content("arguments"), "get");
    assert_string_equal(c.source, "docker-credential-x");
}

static void a_helper_knows_docker_hub_by_its_url(void **state)
{
    (void)state;
    assert_true(reference_parse(&r, SLICE("debian"), &e));
    put("home/.docker/config.json", "{\"credsStore\":\"x\"}");
    put_helper("x", "cat >$TOP/question; echo '{\"Username\":\"u\",\"Secret\":\"s\"}'");
    assert_found("u", "s");
    assert_string_equal(content("question"), "https://index.docker.io/v1/");
}

static void a_helpers_token_is_an_identity_token(void **state)
{
    (void)state;
    use_helper("echo '{\"Username\":\"<token>\",\"Secret\":\"refresh\"}'");
    assert_found("", "");
    assert_string_equal(c.identity_token, "refresh");
}

static void a_helpers_secret_is_taken_as_it_is(void **state)
{
    (void)state;
    put("answer", "{\"Username\":\"u\",\"Secret\":\"{\\n \\\"a\\\": 1\\n}\\n\"}");
    use_helper("cat \"$TOP/answer\"");
    assert_found("u", "{\n \"a\": 1\n}\n");
    put("answer", "{\"Username\":\"<token>\",\"Secret\":\"a b\"}");
    assert_found("", "");
    assert_string_equal(c.identity_token, "a b");
}

static void a_helper_gets_no_secret_of_ours(void **state)
{
    (void)state;
    use_helper("env >$TOP/environment; echo '{\"Username\":\"u\",\"Secret\":\"s\"}'");
    set("REGTAG_USER", "canary1");
    set("REGTAG_PASSWORD", "");
    set("REGTAG_TOKEN", "canary2");
    set("OTHERS", "stay");
    unsetenv("REGTAG_TRANSITIONS"); /* of the tests, and no secret */
    struct authfile_answer a = {"x"};
    static char memory[HELPER_ANSWER_MAX + HELPER_ASIDE_MAX];
    static jsmntok_t tokens[64];
    static struct document_key keys[32];
    const struct document_memory index = {tokens, keys, 64};
    const struct helper h = {a.helper, SLICE("host"), regtag_clock() + LATE, false, memory, &index};
    assert_int_equal(helper_get(&h, &c, &e), HELPER_SECRETS);
    assert_string_equal(c.password, "s");
    assert_non_null(strstr(content("environment"), "OTHERS=stay"));
    assert_null(strstr(content("environment"), "REGTAG_"));
    assert_null(strstr(content("environment"), "canary"));
    assert_string_equal(getenv("REGTAG_TOKEN"), "canary2");
    for (size_t i = 0; i < sizeof memory; i++)
        assert_int_equal(memory[i], 0);
}

static void a_helper_gets_no_file_of_ours(void **state)
{
    (void)state;
    int fd = open("/dev/null", O_RDONLY);
    int high = fcntl(fd, F_DUPFD, 200);
    use_helper("ls /proc/$$/fd >$TOP/files; grep SigIgn /proc/$$/status >$TOP/signals\n"
               "ps -o pgid= $$ >$TOP/group 2>/dev/null\n"
               "echo '{\"Username\":\"u\",\"Secret\":\"s\"}'");
    void (*was)(int) = signal(SIGPIPE, SIG_IGN);
    assert_found("u", "s");
    signal(SIGPIPE, was);
    close(fd);
    close(high);
    /* The shell itself may hold its script at 10 or 255. */
    for (int i = 3; i < 10; i++) {
        char name[16];
        snprintf(name, sizeof name, "\n%d\n", i);
        assert_null(strstr(content("files"), name));
    }
    assert_null(strstr(content("files"), "\n200"));
    unsigned long long ignored = strtoull(content("signals") + 8, NULL, 16);
    assert_int_equal(ignored >> (SIGPIPE - 1) & 1, 0);
}

static void what_a_helper_does_not_know_is_none(void **state)
{
    (void)state;
    use_helper("echo 'credentials not found in native keychain'; exit 1");
    assert_nothing();
    use_helper("printf 'credentials not found in native keychain'; exit 1");
    assert_nothing();
    use_helper("echo '{\"Username\":\"\",\"Secret\":\"\"}'");
    assert_nothing();
}

static void what_podmans_helper_does_not_know_dockers_file_may(void **state)
{
    (void)state;
    set("XDG_RUNTIME_DIR", at("run"));
    put("run/containers/auth.json", BY_HELPER);
    put_helper("x", "echo 'credentials not found in native keychain'; exit 1");
    put("home/.docker/config.json", HOST_FILE("reg.example:5000", "home", "p7"));
    assert_found("home", "p7");
}

static void a_helper_that_fails_is_told(void **state)
{
    (void)state;
    use_helper("echo 'keychain is locked'; echo 'and more'; exit 3");
    assert_refused(
        "docker-credential-x, asked for reg.example:5000, ended with status 3: keychain is locked");
    assert_null(strstr(e.text, "and more"));
    use_helper("exit 0");
    assert_refused("unusable");
    use_helper("kill -9 $$");
    assert_refused("signal 9");
    use_helper("echo ' {\"Username\":\"u\",\"Secret\":\"canary\"}'; exit 1");
    assert_refused("ended with status 1");
    assert_null(strstr(e.text, "canary"));
    use_helper("echo 'Credentials not found'; exit 1");
    assert_refused("Credentials not found");
    use_helper("echo 'credentials not found in native keychain'");
    assert_refused("unusable");
    use_helper("echo 'credentials not found in native keychain'; kill -9 $$");
    assert_refused("signal 9");
}

static void answers_that_are_none_are_refused(void **state)
{
    static const char *const ANSWERS[] = {
        "[]",
        "null",
        "\"canary\"",
        "{}",
        "{\"Username\":\"u\"}",
        "{\"Secret\":\"canary\"}",
        "{\"Username\":\"u\",\"Secret\":\"\"}",
        "{\"Username\":\"\",\"Secret\":\"canary\"}",
        "{\"Username\":\"u\",\"Secret\":5}",
        "{\"Username\":null,\"Secret\":\"canary\"}",
        "{\"username\":\"u\",\"secret\":\"canary\"}",
        "{\"Username\":\"u\",\"Secret\":\"canary\",\"Secret\":\"canary\"}",
        "{\"Username\":\"u\",\"Secret\":\"canary\",\"secret\":\"canary\"}",
        "{\"Username\":\"u\",\"Secret\":\"canary\"}{}",
        "{\"Username\":\"u\",\"Secret\":\"canary",
        "{\"Username\":\"u:v\",\"Secret\":\"canary\"}",
        "{\"Username\":\"u\\n\",\"Secret\":\"canary\"}",
        "{\"Username\":\"<token>\",\"Secret\":\"canary\\n\"}",
        "{\"Username\":\"u\",\"Secret\":\"canary\\u0000x\"}",
        "{\"Username\":\"u\",\"Secret\":\"canary\\ud800\"}",
        "{\"Username\":\"<token>\",\"Secret\":\"canary \\u00e9\"}",
    };
    (void)state;
    use_helper("cat \"$TOP/answer\"");
    for (size_t i = 0; i < COUNT(ANSWERS); i++) {
        put("answer", ANSWERS[i]);
        if (find() != REGTAG_E_CREDENTIALS)
            fail_msg("taken: %s", ANSWERS[i]);
        if (strstr(e.text, "canary"))
            fail_msg("a secret is told: %s", e.text);
        assert_empty();
    }
}

static void a_helper_may_not_talk_without_end(void **state)
{
    (void)state;
    use_helper("while :; do echo 'a line of words that never end'; done");
    assert_refused("too long");
    use_helper("dd if=/dev/zero bs=1000 count=100 2>/dev/null; sleep 100");
    assert_refused("too long");
}

static void a_helper_that_hangs_is_ended_before_the_deadline(void **state)
{
    (void)state;
    uint64_t start = regtag_clock();
    use_helper("sleep 100");
    o.helper_limit = 1;
    error_clear(&e);
    assert_int_equal(credentials_find(&c, &o, &o.side[0], &r, start + DAY, &e), REGTAG_E_CREDENTIALS);
    assert_in_range(regtag_clock() - start, 1000, LATE);
    assert_non_null(strstr(e.text, "in time"));
    assert_empty();
}

static void a_helper_is_ended_at_the_deadline_with_all_that_it_began(void **state)
{
    (void)state;
    const struct timespec pause = {1, 500000000};
    use_helper("(sleep 1; touch $TOP/alive) & sleep 100");
    assert_out_of_time();
    use_helper("exec >&- 2>&-; sleep 100");
    assert_out_of_time();
    use_helper("trap '' TERM INT HUP; while :; do sleep 1; done");
    assert_out_of_time();
    nanosleep(&pause, NULL);
    assert_false(exists("alive"));
}

static void what_a_helper_leaves_behind_is_not_waited_for(void **state)
{
    (void)state;
    use_helper("sleep 5 & echo '{\"Username\":\"u\",\"Secret\":\"s\"}'");
    uint64_t start = regtag_clock();
    assert_found("u", "s");
    assert_true(regtag_clock() - start < 4000);
}

static void an_answer_may_come_in_pieces(void **state)
{
    (void)state;
    use_helper(
        "printf '{\"Username\":'; sleep 0.1; printf '\"u\",'; sleep 0.1; echo '\"Secret\":\"s\"}'\n"
        "exec >&-; sleep 0.1");
    assert_found("u", "s");
}

static void a_helper_works_where_children_are_ignored(void **state)
{
    (void)state;
    use_helper("echo '{\"Username\":\"u\",\"Secret\":\"s\"}'");
    void (*was)(int) = signal(SIGCHLD, SIG_IGN);
    assert_found("u", "s");
    signal(SIGCHLD, was);
}

static void a_helper_that_is_missing_never_leads_to_others(void **state)
{
    static const char *const FILES[] = {
        "{\"credsStore\":\"missing\"}",
        "{\"auths\":{\"other\":{}},\"credsStore\":\"missing\"}",
        "{\"auths\":{\"reg.example:5000\":{}},\"credsStore\":\"missing\"}",
        "{\"credHelpers\":{\"reg.example:5000\":\"missing\"}}",
        "{\"credHelpers\":{\"reg.example:5000\":\"missing\"},\"credsStore\":\"x\"}",
        "{\"credHelpers\":{\"reg.example:5000\":\"missing\"},"
        "\"auths\":{\"reg.example:5000\":" LOGIN("u", "p") "}}",
    };
    (void)state;
    put_helper("x", "echo '{\"Username\":\"u\",\"Secret\":\"s\"}'");
    put("home/.docker/config.json", HOST_FILE("reg.example:5000", "home", "p7"));
    set("DOCKER_AUTH_CONFIG", HOST_FILE("reg.example:5000", "variable", "p8"));
    set("XDG_RUNTIME_DIR", at("run"));
    for (size_t i = 0; i < COUNT(FILES); i++) {
        put("run/containers/auth.json", FILES[i]);
        assert_unavailable(
            "auth.json: docker-credential-missing, asked for reg.example:5000, was not found in PATH");
    }
}

static void a_helper_that_cannot_be_run_gets_no_warning_if_quiet(void **state)
{
    (void)state;
    put("home/.docker/config.json", BY_HELPER);
    o.quiet = true;
    listen_begin();
    find();
    assert_string_equal(listen_end(), "");
}

static void a_shell_that_cannot_run_the_helper_is_none(void **state)
{
    (void)state;
    use_helper("exec /nowhere/at/all 2>/dev/null");
    assert_unavailable("docker-credential-x, asked for reg.example:5000, cannot be run");
    use_helper("exec /dev/null");
    assert_unavailable("cannot be run");
    put_bytes("bin/docker-credential-x", 0700, "#!/nowhere\n", 11);
    assert_unavailable("cannot be run: No such file or directory");
}

static void a_helper_that_is_there_but_fails_always_matters(void **state)
{
    (void)state;
    put("home/.docker/config.json", "{\"credsStore\":\"x\"}");
    put_helper("x", "exit 1");
    assert_refused("status 1");
}

static void a_helper_is_run_without_a_shell(void **state)
{
    (void)state;
    const char text[] = "touch $TOP/shell; echo '{\"Username\":\"u\",\"Secret\":\"s\"}'\n";
    put("home/.docker/config.json", BY_HELPER);
    put_bytes("bin/docker-credential-x", 0700, text, sizeof text - 1);
    assert_unavailable("cannot be run: Exec format error");
    assert_false(exists("shell"));
    put("home/.docker/config.json", "{\"credHelpers\":{\"reg.example:5000\":\"x;touch $TOP/shell\"}}");
    assert_refused("is not a valid name for a credential helper");
    put("home/.docker/config.json",
        "{\"credHelpers\":{\"reg.example:5000\":\"../bin/docker-credential-x\"}}");
    assert_refused("is not a valid name for a credential helper");
    assert_false(exists("shell"));
}

static void only_absolute_directories_are_searched_for_helpers(void **state)
{
    (void)state;
    char here[1024];
    use_helper("echo '{\"Username\":\"u\",\"Secret\":\"s\"}'");
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(at("bin")), 0);
    set("PATH", ":.:bin::/usr/bin:/bin");
    assert_unavailable("not found in PATH");
    assert_int_equal(chdir(here), 0);
    set("PATH", "");
    assert_unavailable("not found in PATH");
    unsetenv("PATH");
    assert_unavailable("not found in PATH");
}

static void only_programs_are_helpers(void **state)
{
    (void)state;
    put("home/.docker/config.json", BY_HELPER);
    put_bytes("bin/docker-credential-x", 0600, "#!/bin/sh\n", 10);
    assert_unavailable("not found in PATH");
    unlink(at("bin/docker-credential-x"));
    put("bin/docker-credential-x/y", "");
    assert_unavailable("not found in PATH");
}

static void what_a_helper_says_aside_is_shown_with_verbose_only(void **state)
{
    (void)state;
    use_helper("echo aside >&2; echo '{\"Username\":\"u\",\"Secret\":\"s\"}'");
    listen_begin();
    find();
    assert_string_equal(listen_end(), "");
    o.verbose = true;
    listen_begin();
    find();
    assert_string_equal(listen_end(), "regtag: docker-credential-x: aside");
}

static void what_a_helper_says_aside_is_escaped_and_masked(void **state)
{
    (void)state;
    o.verbose = true;
    use_helper("printf 'a\\033[31mb\\nmy-secret+1 my-secret%%2b1 dTpteS1zZWNyZXQrMQ==' >&2\n"
               "echo '{\"Username\":\"u\",\"Secret\":\"my-secret+1\"}'");
    listen_begin();
    find();
    assert_string_equal(listen_end(),
                        "regtag: docker-credential-x: a\\x1b[31mb\n"
                        "regtag: docker-credential-x: *********** ************* ******************==");
    use_helper("echo '{\"Username\":\"u\",\"Secret\":\"a\\u0041b\"}' | tee /dev/stderr; exit 1");
    listen_begin();
    find();
    assert_null(strstr(listen_end(), "u0041b"));
}

static void a_helper_may_talk_aside_without_end(void **state)
{
    (void)state;
    o.verbose = true;
    use_helper("dd if=/dev/zero bs=1000 count=100 >&2 2>/dev/null\n"
               "(setsid sh -c 'echo $$ >$TOP/pid; exec yes aside' >&2 &)\n"
               "while [ ! -s $TOP/pid ]; do sleep 0.01; done\n"
               "echo '{\"Username\":\"u\",\"Secret\":\"s\"}'");
    listen_begin();
    find();
    const char *said = listen_end();
    assert_string_equal(c.password, "s");
    assert_non_null(strstr(said, "\\x00\\x00"));
    assert_string_equal(said + strlen(said) - 5, ": ...");
    kill(atoi(content("pid")), SIGKILL);
}

/* ---- Nobody looks ---------------------------------------------------------------------------- */

/* Whether others may trace us, and a core may be dumped, once the credentials were searched for. */
static bool traceable(void)
{
    assert_int_equal(prctl(PR_SET_DUMPABLE, 1), 0);
    listen_begin();
    find();
    listen_end();
    return prctl(PR_GET_DUMPABLE) == 1;
}

static void without_credentials_one_stays_traceable(void **state)
{
    (void)state;
    assert_true(traceable());
    set("XDG_RUNTIME_DIR", at("nowhere"));
    set("DOCKER_AUTH_CONFIG", "");
    set("REGTAG_TOKEN", "");
    assert_true(traceable());
    put_everything();
    o.side[0].anonymous = true;
    o.side[0].user = o.side[0].password_file = o.side[0].authfile = NULL;
    assert_true(traceable());
}

static void one_is_hidden_before_a_secret_is_read(void **state)
{
    static const char *const VALUES[] = {"good", "not\ngood"};
    (void)state;
    for (size_t i = 0; i < COUNT(VALUES); i++) {
        set("REGTAG_TOKEN", VALUES[i]);
        assert_false(traceable());
        unsetenv("REGTAG_TOKEN");
        set("DOCKER_AUTH_CONFIG", VALUES[i]);
        assert_false(traceable());
        unsetenv("DOCKER_AUTH_CONFIG");
        put("home/.docker/config.json", VALUES[i]);
        assert_false(traceable());
        unlink(at("home/.docker/config.json"));
    }
    set("REGTAG_USER", "me");
    set("REGTAG_PASSWORD", "secret");
    assert_false(traceable());
    unsetenv("REGTAG_USER");
    unsetenv("REGTAG_PASSWORD");
    o.side[0].authfile = at("missing");
    assert_false(traceable());
    o.side[0].authfile = NULL;
    o.side[0].user = "me";
    o.side[0].password_file = at("missing");
    assert_false(traceable());
}

/* ---- Nothing is left ------------------------------------------------------------------------- */

#define REGION_MAX (64u * 1024 * 1024)

/* Base64 of PLAIN. Neither is ever copied: they lie in memory that cannot be written, which is not searched. */
static const char CANARY[] = "Y2FuYXJ5LW9mLXRoZS10ZXN0";
static const char PLAIN[] = "canary-of-the-test";

static void put_secret(const char *name, const char *start, const char *behind)
{
    put(name, start);
    int fd = open(at(name), O_WRONLY | O_APPEND);
    assert_int_equal(write(fd, CANARY, sizeof CANARY - 1), sizeof CANARY - 1);
    assert_int_equal(write(fd, behind, strlen(behind)), strlen(behind));
    close(fd);
}

static void put_secret_file(const char *start, const char *behind)
{
    put_secret("home/.docker/config.json", start, behind);
}

#if defined __SANITIZE_ADDRESS__
#define SANITIZED 1
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* How often a text lies in this memory. */
static unsigned count_in(const volatile char *p, const volatile char *last, const char *text)
{
    unsigned count = 0;
    for (; p < last; p++) {
        size_t i = 0;
        while (p + i < last && text[i] && p[i] == text[i])
            i++;
        count += text[i] == '\0';
    }
    return count;
}

static unsigned count_everywhere(const char *text)
{
    char line[512], rights[8];
    unsigned long long from, to;
    unsigned count = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%llx-%llx %7s", &from, &to, rights) == 3 && strncmp(rights, "rw", 2) == 0 &&
            to - from < REGION_MAX)
            count += count_in((const char *)(uintptr_t)from, (const char *)(uintptr_t)to, text);
    }
    fclose(maps);
    return count;
}

static void expect_gone(const char *text, unsigned while_there)
{
    assert_int_equal(count_everywhere(text), while_there);
    credentials_wipe(&c);
    assert_empty();
    assert_int_equal(count_everywhere(text), 0);
}

static void secrets_are_in_one_place_and_then_in_none(void **state)
{
    (void)state;
    if (SANITIZED)
        SKIP("a sanitizer has memory of its own");
    put_secret_file("{\"auths\":{\"reg.example:5000\":{\"username\":\"u\",\"password\":\"", "\"}}}");
    assert_int_equal(find(), REGTAG_OK);
    expect_gone(CANARY, 1);
    put_secret_file("{\"auths\":{\"reg.example:5000\":{\"registrytoken\":\"", "\"}}}");
    assert_int_equal(find(), REGTAG_OK);
    expect_gone(CANARY, 1);
    put_secret_file("{\"auths\":{\"reg.example:5000\":{\"identitytoken\":\"", "\"}}}");
    assert_int_equal(find(), REGTAG_OK);
    expect_gone(CANARY, 1);
    o.side[0].user = "me";
    o.side[0].password_file = at("home/.docker/config.json");
    put_secret_file("", "\n");
    assert_int_equal(find(), REGTAG_OK);
    expect_gone(CANARY, 1);
}

static void secrets_in_base64_leave_nothing_either(void **state)
{
    (void)state;
    if (SANITIZED)
        SKIP("a sanitizer has memory of its own");
    put_secret_file("{\"auths\":{\"reg.example:5000\":{\"auth\":\"dTp4", "\"}}}");
    assert_int_equal(find(), REGTAG_OK);
    assert_int_equal(count_everywhere(CANARY), 0);
    expect_gone(PLAIN, 1);
}

static void a_helpers_secret_leaves_nothing_either(void **state)
{
    (void)state;
    if (SANITIZED)
        SKIP("a sanitizer has memory of its own");
    put_secret("answer", "{\"Username\":\"u\",\"Secret\":\"", "\"}");
    use_helper("cat $TOP/answer");
    assert_int_equal(find(), REGTAG_OK);
    expect_gone(CANARY, 1);
}

static void refused_secrets_leave_nothing_either(void **state)
{
    (void)state;
    if (SANITIZED)
        SKIP("a sanitizer has memory of its own");
    put_secret_file("{\"auths\":{\"reg.example:5000\":{\"username\":\"u\",\"password\":\"",
                    "\\u0000\"}}}");
    assert_refused("NUL");
    expect_gone(CANARY, 0);
    put_secret_file("{\"auths\":{\"reg.example:5000\":{\"registrytoken\":\"",
                    "\",\"password\":\"x\"}}}");
    assert_refused("no user name");
    expect_gone(CANARY, 0);
    put_secret_file("{\"auths\":{\"reg.example:5000\":{\"registrytoken\":\"", "\"}}");
    assert_refused("not valid JSON");
    expect_gone(CANARY, 0);
    o.side[0].user = "me";
    o.side[0].password_file = at("home/.docker/config.json");
    put_bytes("home/.docker/config.json", 0600, CANARY, sizeof CANARY);
    assert_refused("NUL");
    expect_gone(CANARY, 0);
}

/* ---------------------------------------------------------------------------------------------- */

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_nearest_to_the_user_is_taken),
        TEST(anonymous_is_none_whatever_there_is),
        TEST(what_is_empty_is_unset),
        TEST(dockers_file_is_asked_when_podmans_knows_nothing),
        TEST(a_file_that_is_named_is_the_only_one),
        TEST(what_was_there_before_is_forgotten),
        TEST(docker_hub_is_found_under_dockers_name_for_it),
        TEST(one_line_end_is_not_a_part_of_a_password),
        TEST(a_password_is_one_to_16384_bytes),
        TEST(a_user_is_a_name),
        TEST(a_password_that_cannot_be_read_is_told),
        TEST(a_password_may_come_through_a_named_pipe),
        TEST(a_pipe_that_nobody_writes_to_is_left_at_the_deadline),
        TEST(a_password_may_come_from_stdin),
        TEST(a_token_comes_from_the_environment),
        TEST(half_a_login_in_the_environment_is_refused),
        TEST(a_password_in_the_environment_is_taken_as_it_is),
        TEST(the_plainest_spelling_of_a_host_goes_first),
        TEST(keys_in_other_letters_are_refused),
        TEST(auth_is_a_user_and_a_password),
        TEST(passwords_are_what_their_escapes_mean),
        TEST(an_empty_helper_of_the_host_is_none),
        TEST(helpers_are_for_hosts_only),
        TEST(a_file_that_was_named_must_be_there),
        TEST(usual_files_may_be_missing),
        TEST(usual_files_must_be_files),
        TEST(usual_files_must_be_readable),
        TEST(broken_files_are_refused_and_nothing_else_is_tried),
        TEST(a_file_without_text_says_nothing),
        TEST(a_variable_may_have_the_text_of_a_file),
        TEST(files_have_64_kib_at_most),
        TEST(long_paths_are_told),
        TEST(files_that_others_can_read_get_a_warning),
        TEST(password_files_that_others_can_read_get_a_warning),
        TEST(files_without_secrets_of_the_registry_get_no_warning),
        TEST(a_helper_is_asked_as_docker_asks_it),
        TEST(a_helper_knows_docker_hub_by_its_url),
        TEST(a_helpers_token_is_an_identity_token),
        TEST(a_helpers_secret_is_taken_as_it_is),
        TEST(a_helper_gets_no_secret_of_ours),
        TEST(a_helper_gets_no_file_of_ours),
        TEST(what_a_helper_does_not_know_is_none),
        TEST(what_podmans_helper_does_not_know_dockers_file_may),
        TEST(a_helper_that_fails_is_told),
        TEST(answers_that_are_none_are_refused),
        TEST(a_helper_may_not_talk_without_end),
        TEST(a_helper_that_hangs_is_ended_before_the_deadline),
        TEST(a_helper_is_ended_at_the_deadline_with_all_that_it_began),
        TEST(what_a_helper_leaves_behind_is_not_waited_for),
        TEST(an_answer_may_come_in_pieces),
        TEST(a_helper_works_where_children_are_ignored),
        TEST(a_helper_that_is_missing_never_leads_to_others),
        TEST(a_helper_that_cannot_be_run_gets_no_warning_if_quiet),
        TEST(a_shell_that_cannot_run_the_helper_is_none),
        TEST(a_helper_that_is_there_but_fails_always_matters),
        TEST(a_helper_is_run_without_a_shell),
        TEST(only_absolute_directories_are_searched_for_helpers),
        TEST(only_programs_are_helpers),
        TEST(what_a_helper_says_aside_is_shown_with_verbose_only),
        TEST(what_a_helper_says_aside_is_escaped_and_masked),
        TEST(a_helper_may_talk_aside_without_end),
        TEST(without_credentials_one_stays_traceable),
        TEST(one_is_hidden_before_a_secret_is_read),
        TEST(secrets_are_in_one_place_and_then_in_none),
        TEST(secrets_in_base64_leave_nothing_either),
        TEST(a_helpers_secret_leaves_nothing_either),
        TEST(refused_secrets_leave_nothing_either),
    };
    return cmocka_run_group_tests_name("credentials", tests, NULL, NULL);
}
