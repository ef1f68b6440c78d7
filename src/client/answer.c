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

bool answer_digest(const struct http_response *response, struct slice *digest)
{
    return http_response_field(response, SLICE("docker-content-digest"), digest) &&
           (digest->size == 0 || digest_valid(*digest));
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

/* The first error of {"errors": [{"code": …, "message": …}]}. */
struct first_error {
    struct writer code, message;
    char code_text[64], message_text[300];
};

static void cut_to(struct writer *w, struct slice text)
{
    write_slice(w, slice_head(text, w->size - w->used));
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
    do {
        event = json_next(&j, &body, &text);
        if (j.depth != 3)
            continue;
        if (event == JSON_TEXT && j.in_key)
            cut_to(&name, text);
        else if (event == JSON_TEXT && value)
            cut_to(value, text);
        else if (event == JSON_STRING && j.in_key) {
            value = slice_equal(written(&name), SLICE("code"))      ? &f->code
                    : slice_equal(written(&name), SLICE("message")) ? &f->message
                                                                    : NULL;
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

/* Writes "CODE: message" from a registry error, or else the <title> or first line of the body. */
static void write_words(struct writer *w, const struct first_error *f, struct slice body)
{
    struct slice code = written(&f->code), message = written(&f->message);
    if (code.size || message.size) {
        write_format(w, ": %.*s%s%.*s", SLICE_ARG(code), code.size && message.size ? ": " : "",
                     SLICE_ARG(message));
        return;
    }
    struct slice line = title(body);
    if (line.size == 0)
        line = slice_trim(slice_split(&body, '\n'));
    if (is_text(line))
        write_format(w, ": %.*s", SLICE_ARG(slice_head(line, 200)));
}

/* ---- Meanings -------------------------------------------------------------------------------- */

#define REDIRECTED "the registry redirects in a way that cannot be followed"

const struct meaning ANSWER_MEANINGS[] = {
    {100, 299, REGTAG_E_PROTOCOL, CODE_ANY, 0, "the answer is not one to this request"},
    {300, 399, REGTAG_E_PROTOCOL, CODE_ANY, 0, REDIRECTED},
    {400, 400, REGTAG_E_OTHER, CODE_ANY, 0, "the registry does not understand the request"},
    {401, 401, REGTAG_E_DENIED, CODE_ANY, 0, "not authenticated"},
    {403, 403, REGTAG_E_DENIED, CODE_ANY, 0, "the registry does not allow it"},
    {408, 408, REGTAG_E_TIMEOUT, CODE_ANY, 0, "the registry waited too long for the request"},
    {429, 429, REGTAG_E_SLOW_DOWN, CODE_ANY, 0, "the registry asks to slow down; try again later"},
    {500, 999, REGTAG_E_SERVER_FAILED, CODE_ANY, 0, "the registry failed; try again later"},
    {0, 999, REGTAG_E_PROTOCOL, CODE_ANY, 0, "the registry gives an answer that has no meaning here"},
};

static const char *const CODES[] = {"", "TAG_INVALID", "MANIFEST_"};

static bool matches(const struct meaning *m, unsigned http, struct slice code)
{
    return http >= m->first && http <= m->last && slice_starts(code, slice_of(CODES[m->code]));
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
    {407, 407, REGTAG_E_DENIED, CODE_ANY, 0, "the proxy wants a user and a password, or others"},
    {407, 407, REGTAG_E_DENIED, CODE_ANY, 0, PROXY_LACKS_BASIC},
};

/* Terminates: the last entry of ANSWER_MEANINGS matches everything. */
static const struct meaning *meaning_of(const struct meaning *table,
                                        const struct http_response *response, struct slice code,
                                        struct slice body)
{
    const struct meaning *m = table;
    unsigned http = response->status;
    if (http == 407)
        return &PROXY_LOGIN[proxy_lacks_basic(http_response_fields(response))];
    if (http == 400 && slice_contains(body, SLICE("HTTPS")))
        return &SPEAKS_TLS;
    while (m->text && !matches(m, http, code))
        m++;
    if (m->text)
        return m;
    for (m = ANSWER_MEANINGS; !matches(m, http, code);)
        m++;
    return m;
}

int answer_error(const struct meaning *table, const struct http_response *response,
                 const struct answer_words *words, struct slice who, struct error *e)
{
    struct slice body = {words->text, words->size};
    struct first_error f;
    char text[400];
    struct writer w = writer_to(text, sizeof text);

    read_first_error(&f, body);
    write_words(&w, &f, body);
    const struct meaning *m = meaning_of(table, response, written(&f.code), body);
    return error_set(error_hint(e, m->hint), m->status, "%.*s%s (HTTP %u%.*s)", SLICE_ARG(who), m->text,
                     response->status, SLICE_ARG(written(&w)));
}
