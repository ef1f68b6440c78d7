#include "cli/authfile.h"

#include "base/base64.h"
#include "base/sizes.h"
#include "base/wipe.h"
#include "regtag.h"

/* A key of the file, parsed; or what is searched for. */
struct place {
    struct slice host; /* HOST[:PORT]; HUB for any of its names */
    struct slice path; /* NAMESPACE of HOST/NAMESPACE */
    bool url;
};

/* Only the first error is kept, so a search may go on after it. */
struct search {
    const char *name;
    struct document d;
    struct place wanted;
    struct credentials *c;
    struct error *e;
};

/* ---- Places ---------------------------------------------------------------------------------- */

static bool take_prefix(struct slice *s, struct slice prefix)
{
    if (!slice_equal_nocase(slice_head(*s, prefix.size), prefix))
        return false;
    *s = slice_from(*s, prefix.size);
    return true;
}

static bool is_hub(struct slice host)
{
    return slice_equal_nocase(host, SLICE(HUB)) || slice_equal_nocase(host, SLICE("index.docker.io")) ||
           slice_equal_nocase(host, SLICE("registry-1.docker.io"));
}

/* "v1/" or "v2/", alone or at the end: the path of the registry's API, not a namespace. */
static bool is_api(struct slice path)
{
    struct slice end = slice_from(path, path.size < 3 ? 0 : path.size - 3);
    return (slice_equal(end, SLICE("v1/")) || slice_equal(end, SLICE("v2/"))) &&
           (path.size == 3 || end.data[-1] == '/');
}

static struct place place_of(struct slice key)
{
    struct place p = {.path = {NULL, 0}};
    p.url = take_prefix(&key, SLICE("https://")) || take_prefix(&key, SLICE("http://"));
    p.host = slice_split(&key, '/');
    if (is_hub(p.host))
        p.host = SLICE(HUB);
    p.url = p.url || is_api(key);
    while (key.size && key.data[key.size - 1] == '/')
        key.size--;
    if (!p.url)
        p.path = key;
    return p;
}

/* Whether the components of `prefix` are the first ones of `path`. */
static bool path_starts(struct slice path, struct slice prefix)
{
    return slice_starts(path, prefix) &&
           (prefix.size == 0 || path.size == prefix.size || path.data[prefix.size] == '/');
}

/* Ranks spellings of one host: Docker's own first, then the plainest. */
static size_t spelling(struct slice key, bool url, struct slice host)
{
    if (slice_equal(key, SLICE(HUB_URL)))
        return 4;
    if (url)
        return 1;
    return slice_starts(key, host) ? 3 : 2;
}

/* How well a key matches; 0: not at all. */
static size_t key_rank(struct slice key, const struct place *wanted)
{
    struct place p = place_of(key);
    if (!slice_equal_nocase(p.host, wanted->host) || !path_starts(wanted->path, p.path))
        return 0;
    return p.path.size * 8 + spelling(key, p.url, wanted->host);
}

/* ---- Members --------------------------------------------------------------------------------- */

/* The value, which must be of that type; NO_VALUE if it is null. */
static int of_type(struct search *s, int value, jsmntype_t type, struct slice name)
{
    if (value == NO_VALUE || document_is_null(&s->d, value))
        return NO_VALUE;
    if (s->d.tokens[value].type == type)
        return value;
    error_set(s->e, REGTAG_E_CREDENTIALS, "%s: \"%.*s\" is not %s", s->name, SLICE_ARG(name),
              type == JSMN_STRING ? "a string" : "an object");
    return NO_VALUE;
}

/* "credSstore" is how many switch "credsStore" off. */
static bool is_switched_off(struct search *s, int object, struct slice name)
{
    bool ignored;
    return slice_equal(name, SLICE("credsStore")) &&
           document_member(&s->d, object, SLICE("credSstore"), &ignored) != NO_VALUE;
}

static int member(struct search *s, int object, struct slice name, jsmntype_t type)
{
    bool alike = false;
    int value = document_member(&s->d, object, name, &alike);
    if (alike && !is_switched_off(s, object, name))
        error_set(s->e, REGTAG_E_CREDENTIALS, "%s: a key differs from \"%.*s\" only in case", s->name,
                  SLICE_ARG(name));
    return of_type(s, value, type, name);
}

/* The member whose key matches best. */
static int place_member(struct search *s, int object, const struct place *wanted, jsmntype_t type)
{
    char text[AUTHFILE_KEY_MAX];
    int best = NO_VALUE;
    size_t best_rank = 0;
    for (int key = document_first_key(&s->d, object); key != NO_VALUE;
         key = document_next_key(&s->d, key)) {
        struct writer w = writer_to(text, sizeof text);
        size_t rank = document_write(&s->d, key, &w) ? key_rank(written(&w), wanted) : 0;
        if (rank > best_rank) {
            best_rank = rank;
            best = key + 1;
        }
    }
    return of_type(s, best, type, wanted->host);
}

/* ---- Logins ---------------------------------------------------------------------------------- */

/* Sets the error if there is a problem. */
static void bad_secret(struct search *s, enum secret which, const char *problem)
{
    if (problem)
        error_set(s->e, REGTAG_E_CREDENTIALS, "%s: the %s for %.*s %s", s->name, secret_name(which),
                  SLICE_ARG(s->wanted.host), problem);
}

static void bad_login(struct search *s, const char *problem)
{
    error_set(s->e, REGTAG_E_CREDENTIALS, "%s: \"auth\" for %.*s is not Base64 of USER:PASSWORD: %s",
              s->name, SLICE_ARG(s->wanted.host), problem);
}

static void take_member(struct search *s, int entry, struct slice name, enum secret which)
{
    int value = member(s, entry, name, JSMN_STRING);
    if (value != NO_VALUE)
        bad_secret(s, which, secret_read(s->c, which, &s->d, value));
}

static struct slice without_nuls(struct slice s)
{
    while (s.size && s.data[s.size - 1] == '\0')
        s.size--;
    return s;
}

/* USER:PASSWORD; the password may contain colons. */
static void take_decoded(struct search *s, struct slice decoded)
{
    struct slice password = without_nuls(decoded);
    struct slice user = slice_split(&password, ':');
    if (!password.data || user.size == 0) {
        bad_login(s, user.size ? "it contains no colon" : "it contains no user");
        return;
    }
    bad_secret(s, SECRET_USER, secret_set(s->c, SECRET_USER, user));
    bad_secret(s, SECRET_PASSWORD, secret_set(s->c, SECRET_PASSWORD, password));
}

/* Base64 is often broken into lines; Docker ignores their ends. */
static struct slice join_lines(char *text, size_t size)
{
    size_t kept = 0;
    for (size_t i = 0; i < size; i++)
        if (text[i] != '\r' && text[i] != '\n')
            text[kept++] = text[i];
    return (struct slice){text, kept};
}

static void take_auth(struct search *s, int value)
{
    static char text[LOGIN64_MAX]; /* too large for a small stack */
    struct slice decoded;
    struct writer w = writer_to(text, sizeof text);
    if (!document_write(&s->d, value, &w))
        bad_login(s, w.overflow ? "it is too long" : "it contains half a character");
    else if (!base64_decode(join_lines(text, w.used), text, sizeof text, &decoded))
        bad_login(s, "it cannot be decoded");
    else
        take_decoded(s, decoded);
    wipe(text, w.used);
}

static void take_entry(struct search *s, int entry)
{
    int auth = member(s, entry, SLICE("auth"), JSMN_STRING);
    take_member(s, entry, SLICE("username"), SECRET_USER);
    take_member(s, entry, SLICE("password"), SECRET_PASSWORD);
    take_member(s, entry, SLICE("identitytoken"), SECRET_IDENTITY_TOKEN);
    take_member(s, entry, SLICE("registrytoken"), SECRET_REGISTRY_TOKEN);
    if (document_string(&s->d, auth).size)
        take_auth(s, auth);
    if (*s->c->password && !*s->c->user)
        error_set(s->e, REGTAG_E_CREDENTIALS, "%s: a password for %.*s, but no user name", s->name,
                  SLICE_ARG(s->wanted.host));
}

/* ---- Helpers --------------------------------------------------------------------------------- */

bool helper_name_valid(struct slice s)
{
    return slice_is_word(s, "_-.") && s.data[0] != '.';
}

static void take_helper(struct search *s, int value, struct authfile_answer *a)
{
    struct writer w = writer_to(a->helper, AUTHFILE_HELPER_MAX);
    if (!document_write(&s->d, value, &w) || !helper_name_valid(written(&w)))
        error_set(
            s->e, REGTAG_E_CREDENTIALS,
            "%s: \"%.*s\" is not a valid name for a credential helper: use letters, digits, _, - and .",
            s->name, SLICE_ARG(slice_head(document_string(&s->d, value), 100)));
    a->helper[w.used] = '\0';
}

/* ---- Files ----------------------------------------------------------------------------------- */

static bool index_file(struct search *s, struct slice text, const struct document_memory *memory)
{
    struct error why;
    error_clear(&why);
    if (document_index(&s->d, text, memory, s->name, &why)) {
        if (document_is_object(&s->d, 0))
            return true;
        error_set(&why, REGTAG_E_CREDENTIALS, "%s is not a JSON object", s->name);
    }
    error_set(s->e, REGTAG_E_CREDENTIALS, "%s", why.text);
    return false;
}

static enum authfile_verdict search_document(struct search *s, struct authfile_answer *a)
{
    struct place host = {.host = s->wanted.host};
    int auths = member(s, 0, SLICE("auths"), JSMN_OBJECT);
    int helpers = member(s, 0, SLICE("credHelpers"), JSMN_OBJECT);
    int store = member(s, 0, SLICE("credsStore"), JSMN_STRING);
    int helper = place_member(s, helpers, &host, JSMN_STRING);
    int entry = place_member(s, auths, &s->wanted, JSMN_OBJECT);

    if (helper == NO_VALUE || document_string(&s->d, helper).size == 0) {
        take_entry(s, entry);
        if (credentials_any(s->c))
            return AUTHFILE_SECRETS;
        helper = helper == NO_VALUE ? store : NO_VALUE;
    }
    if (document_string(&s->d, helper).size == 0)
        return AUTHFILE_NOTHING;
    take_helper(s, helper, a);
    return AUTHFILE_HELPER;
}

static bool is_blank(struct slice s)
{
    while (s.size && (s.data[0] == ' ' || s.data[0] == '\t' || s.data[0] == '\r' || s.data[0] == '\n'))
        s = slice_from(s, 1);
    return s.size == 0;
}

enum authfile_verdict authfile_find(const struct authfile *f, struct authfile_answer *a,
                                    struct credentials *c, struct error *e)
{
    struct search s = {.name = f->name, .wanted = place_of(f->query), .c = c, .e = e};
    enum authfile_verdict verdict = AUTHFILE_BROKEN;
    if (is_blank(f->text))
        return AUTHFILE_NOTHING;
    if (index_file(&s, f->text, f->memory))
        verdict = search_document(&s, a);
    if (e->status == 0)
        return verdict;
    credentials_wipe(c);
    return AUTHFILE_BROKEN;
}
