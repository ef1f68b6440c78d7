#include "client/answer.h"

#include <string.h>

#include "http/challenge.h"
#include "http/quoted.h"
#include "oci/digest.h"
#include "oci/json.h"
#include "regtag.h"

void answer_words_add(struct answer_words *words, struct slice body)
{
    size_t room = sizeof words->text - words->size;
    struct slice part = slice_head(body, room);
    if (part.size)
        memcpy(words->text + words->size, part.data, part.size);
    words->size += part.size;
}

bool answer_is_plain(const struct http_response *response, struct error *e)
{
    struct slice coding;
    bool single = http_response_field(response, SLICE("content-encoding"), &coding);
    if (single && (coding.size == 0 || slice_equal_nocase(coding, SLICE("identity"))))
        return true;
    error_set(e, REGTAG_E_PROTOCOL, "the answer is compressed, which was not requested");
    return false;
}

bool answer_is_long(const struct http_response *response, size_t taken)
{
    return taken + response->length > BAD_DOCUMENT_MAX; /* unless it is stated, `length` is 0 */
}

bool answer_digest(const struct http_response *response, struct slice *digest)
{
    return http_response_field(response, SLICE("docker-content-digest"), digest) &&
           (digest->size == 0 || digest_valid(*digest));
}

bool answer_fits(const struct http_response *response, struct slice digest)
{
    struct slice stated;
    return answer_digest(response, &stated) && (stated.size == 0 || slice_equal(stated, digest));
}

bool answer_sha256(const struct http_response *response, struct slice *digest, struct error *e)
{
    if (!answer_digest(response, digest))
        error_set(e, REGTAG_E_PROTOCOL, "the registry states a malformed digest");
    else if (digest->size && !digest_is_sha256(*digest))
        error_set(e, REGTAG_E_PROTOCOL,
                  "the registry states a digest that is not a SHA-256, which cannot be checked");
    return e->status == 0;
}

bool answer_digest_matches(struct slice stated, struct slice found, const char *what, struct error *e)
{
    if (stated.size == 0 || slice_equal(stated, found))
        return true;
    error_set(e, REGTAG_E_REFUSED, "the %s that arrived is %.*s, but the registry states %.*s", what,
              SLICE_ARG(found), SLICE_ARG(stated));
    return false;
}

/* The text of an entity tag, which is "TEXT" or W/"TEXT". */
static struct slice entity_tag(const struct http_response *response)
{
    struct slice tag;
    http_response_field(response, SLICE("etag"), &tag);
    if (slice_starts(tag, SLICE("W/")))
        tag = slice_from(tag, 2);
    skip_char(&tag, '"');
    return slice_split(&tag, '"');
}

bool answer_still(const struct http_response *response, struct slice known, struct slice *digest)
{
    if (!answer_digest(response, digest))
        return false;
    if (digest->size && !slice_equal(*digest, known))
        return true;
    *digest = entity_tag(response);
    if (!digest_valid(*digest))
        *digest = known;
    return true;
}

/* ---- The server's error message -------------------------------------------------------------- */

/* The first error of {"errors": [{"code": …, "message": …, "detail": …}]}, or of these members alone. */
struct first_error {
    struct writer code, message, detail;
    char code_text[64], message_text[300], detail_text[200];
};

static void cut_to(struct writer *w, struct slice text)
{
    write_slice(w, slice_head(text, w->size - w->used));
}

static struct writer *member(struct first_error *f, struct slice name)
{
    return slice_equal(name, SLICE("code"))      ? &f->code
           : slice_equal(name, SLICE("message")) ? &f->message
           : slice_equal(name, SLICE("detail"))  ? &f->detail
                                                 : NULL;
}

/* The body may be cut off: use whatever was read before the end. */
static void read_first_error(struct first_error *f, struct slice body)
{
    struct json j = {0};
    struct slice text;
    enum json_event event;
    char key[16];
    struct writer name = writer_to(key, sizeof key), *value = NULL;

    f->code = writer_to(f->code_text, sizeof f->code_text);
    f->message = writer_to(f->message_text, sizeof f->message_text);
    f->detail = writer_to(f->detail_text, sizeof f->detail_text);
    do {
        event = json_next(&j, &body, &text);
        if (j.depth != 1 && j.depth != 3)
            continue;
        if (event == JSON_TEXT && j.in_key)
            cut_to(&name, text);
        else if (event == JSON_TEXT && value)
            cut_to(value, text);
        else if (event == JSON_STRING && j.in_key) {
            value = member(f, written(&name));
            name.used = 0;
        } else
            value = NULL;
    } while (event != JSON_MORE && event != JSON_BROKEN && event != JSON_CLOSE);
}

/* The text of the first <title>, up to the next tag. */
static struct slice title(struct slice body)
{
    static const struct slice TITLE = SLICE_INIT("<title>");
    while (body.size && !slice_equal_nocase(slice_head(body, TITLE.size), TITLE))
        body = slice_from(body, 1);
    body = slice_from(body, TITLE.size);
    return slice_head(body, slice_find(body, '<'));
}

static bool is_text(struct slice body)
{
    return body.size > 0 && body.data[0] != '<' && body.data[0] != '{';
}

static void write_part(struct writer *w, struct slice part)
{
    if (part.size)
        write_format(w, ": %.*s", SLICE_ARG(part));
}

/* Writes ": CODE: message: detail" from a registry error, or else the <title> or first line of the body. */
static void write_words(struct writer *w, const struct first_error *f, struct slice body)
{
    write_part(w, written(&f->code));
    write_part(w, written(&f->message));
    if (!slice_equal(written(&f->detail), written(&f->message)))
        write_part(w, written(&f->detail));
    if (w->used)
        return;
    struct slice line = title(body);
    if (line.size == 0)
        line = slice_trim(slice_split(&body, '\n'));
    if (is_text(line))
        write_part(w, slice_head(line, 200));
}

/* ---- Meanings -------------------------------------------------------------------------------- */

#define REDIRECTED "the registry sent a redirect that cannot be followed"

const struct meaning ANSWER_MEANINGS[] = {
    {100, 299, REGTAG_E_PROTOCOL, CODE_ANY, 0, "the answer does not fit the request"},
    {300, 399, REGTAG_E_PROTOCOL, CODE_ANY, 0, REDIRECTED},
    {400, 400, REGTAG_E_OTHER, CODE_ANY, 0, "the registry does not understand the request"},
    {401, 401, REGTAG_E_DENIED, CODE_ANY, 0, "not authenticated"},
    {402, 402, REGTAG_E_DENIED, CODE_ANY, 0, "the registry requires payment"},
    {403, 403, REGTAG_E_DENIED, CODE_ANY, 0, "the registry does not allow it"},
    {408, 408, REGTAG_E_TIMEOUT, CODE_ANY, 0, "the registry timed out waiting for the request"},
    {410, 410, REGTAG_E_NOT_FOUND, CODE_ANY, 0, "it is gone for good"},
    {412, 412, REGTAG_E_DENIED, CODE_ANY, 0, "a policy of the registry forbids it"},
    {423, 423, REGTAG_E_DENIED, CODE_ANY, 0, "the registry has locked it"},
    {451, 451, REGTAG_E_DENIED, CODE_ANY, 0, "the registry may not serve it for legal reasons"},
    {429, 429, REGTAG_E_SLOW_DOWN, CODE_ANY, 0, "the registry asks to slow down; try again later"},
    {501, 501, REGTAG_E_OTHER, CODE_ANY, 0, "the registry does not support the request"},
    {500, 999, REGTAG_E_SERVER_FAILED, CODE_ANY, 0, "the registry failed; try again later"},
    {0, 999, REGTAG_E_PROTOCOL, CODE_ANY, 0, "the registry sent an unexpected answer"},
};

/* Whether the words, in either case, say that a tag must stay as it is. */
static bool says_fixed(struct slice words)
{
    return slice_contains(words, SLICE("mmutab")) || slice_contains(words, SLICE("IMMUTAB")) ||
           slice_contains(words, SLICE("not allow updating")) ||
           (slice_contains(words, SLICE("rotected")) &&
            (slice_contains(words, SLICE("tag")) || slice_contains(words, SLICE("Tag"))));
}

/* The words begin with ": CODE". */
static bool matches(const struct meaning *m, unsigned http, struct slice words)
{
    static const char *const CODES[] = {"", ": TAG_INVALID", ": MANIFEST_", ""};
    return http >= m->first && http <= m->last && slice_starts(words, slice_of(CODES[m->code])) &&
           (m->code != CODE_FIXED || says_fixed(words));
}

/* Web servers answer plain HTTP on a TLS port with a 400 that mentions HTTPS. */
static const struct meaning SPEAKS_TLS = {400,
                                          400,
                                          REGTAG_E_PROTOCOL,
                                          CODE_ANY,
                                          REGTAG_HINT_SCHEME_TLS,
                                          "this port speaks TLS, not plain HTTP"};

/* Whoever is asked, a 407 is a proxy's. */
static const struct meaning PROXY_LOGIN[] = {
    {407, 407, REGTAG_E_DENIED, CODE_ANY, 0, "the proxy requires a user and password, or other ones"},
    {407, 407, REGTAG_E_DENIED, CODE_ANY, 0, PROXY_LACKS_BASIC},
};

/* Terminates: the last entry of ANSWER_MEANINGS matches everything. */
static const struct meaning *meaning_of(const struct meaning *table,
                                        const struct http_response *response, struct slice words,
                                        struct slice body)
{
    const struct meaning *m = table;
    unsigned http = response->status;
    const struct meaning *proxy = &PROXY_LOGIN[proxy_lacks_basic(http_response_fields(response))];
    if (matches(proxy, http, words))
        return proxy;
    if (matches(&SPEAKS_TLS, http, words) && slice_contains(body, SLICE("HTTPS")))
        return &SPEAKS_TLS;
    while (m->text && !matches(m, http, words))
        m++;
    if (m->text)
        return m;
    for (m = ANSWER_MEANINGS; !matches(m, http, words);)
        m++;
    return m;
}

int answer_error(const struct meaning *table, const struct http_response *response,
                 const struct answer_words *words, struct slice who, struct error *e)
{
    struct slice body = {words->text, words->size};
    struct first_error f;
    char text[600];
    struct writer w = writer_to(text, sizeof text);

    read_first_error(&f, body);
    write_words(&w, &f, body);
    const struct meaning *m = meaning_of(table, response, written(&w), body);
    return error_set(error_hint(e, m->hint), m->status, "%.*s%s (HTTP %u%.*s)", SLICE_ARG(who), m->text,
                     response->status, SLICE_ARG(written(&w)));
}
