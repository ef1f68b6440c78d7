#include "registry/answer.h"

#include <string.h>

#include "oci/digest.h"
#include "oci/json.h"

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

/* ---- The server's own words ------------------------------------------------------------------ */

/* The first error of {"errors": [{"code": …, "message": …}]}. */
struct first_error {
    struct writer code, message;
    char code_text[64], message_text[300];
};

static void cut_to(struct writer *w, struct slice text)
{
    write_slice(w, slice_head(text, w->size - w->used));
}

/* Reads as much of the body as there is; half a document is as good as a whole one here. */
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

/* What stands between the first <title> and the tag behind it. */
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

/* Writes "CODE: message" of a registry's error, or the first line of a body in plain text. */
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

/* ---- What it means --------------------------------------------------------------------------- */

struct meaning {
    unsigned http;
    int status;
    const char *text;
};

#define DENIED "not authenticated"
#define PROXY_DENIED "the proxy wants a user and a password, or others"
#define NOT_ALLOWED "the registry does not allow it"
#define SLOW_DOWN "the registry asks to slow down; try again later"
#define FIXED "the registry does not let this tag be moved"

static const struct meaning MEANINGS[] = {
    {401, REGTAG_DENIED, DENIED},
    {403, REGTAG_DENIED, NOT_ALLOWED},
    {407, REGTAG_DENIED, PROXY_DENIED},
    {408, REGTAG_TIMEOUT, "the registry waited too long for the request"},
    {429, REGTAG_SLOW_DOWN, SLOW_DOWN},
};

static const struct meaning UPLOAD_MEANINGS[] = {
    {404, REGTAG_NOT_FOUND, "the registry does not know the repository"},
    {405, REGTAG_IMMUTABLE, "the registry is read-only"},
    {409, REGTAG_IMMUTABLE, FIXED},
    {412, REGTAG_IMMUTABLE, FIXED},
    {413, REGTAG_REFUSED, "the registry finds the manifest too large"},
    {415, REGTAG_REFUSED, "the registry does not take manifests of this media type"},
};

#define ONLY_WHOLE                                                                                      \
    "the registry cannot delete a tag alone, only the manifest with all its tags, as \"regtag delete --with-siblings\" does"

static const struct meaning DELETE_MEANINGS[] = {
    {400, REGTAG_IMMUTABLE, ONLY_WHOLE},
    {405, REGTAG_IMMUTABLE, ONLY_WHOLE},
    {404, REGTAG_NOT_FOUND, "there is no such tag"},
    {409, REGTAG_IMMUTABLE, "the registry does not let this tag be deleted"},
    {412, REGTAG_IMMUTABLE, "the registry does not let this tag be deleted"},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct meaning *find_meaning(const struct meaning *list, size_t count, unsigned http)
{
    for (size_t i = 0; i < count; i++)
        if (list[i].http == http)
            return &list[i];
    return NULL;
}

/* 400 means different things, and only the words tell which. */
static struct meaning bad_request(enum request_kind kind, const struct first_error *f, struct slice body)
{
    struct slice code = written(&f->code);
    if (slice_contains(body, SLICE("HTTPS")))
        return (struct meaning){400, REGTAG_PROTOCOL, "this port speaks TLS, not plain HTTP; try --tls"};
    if (kind == REQUEST_UPLOAD && slice_equal(code, SLICE("TAG_INVALID")))
        return (struct meaning){400, REGTAG_IMMUTABLE, FIXED};
    if (kind == REQUEST_UPLOAD && slice_starts(code, SLICE("MANIFEST_")))
        return (struct meaning){400, REGTAG_REFUSED, "the registry does not take the manifest"};
    return (struct meaning){400, REGTAG_OTHER, "the registry does not understand the request"};
}

/* A token server's answer other than 200. */
static struct meaning token_meaning(unsigned http)
{
    if (http == 404)
        return (struct meaning){http, REGTAG_PROTOCOL, "there is no token server at that address"};
    if (http == 429)
        return (struct meaning){http, REGTAG_SLOW_DOWN, "it asks to slow down; try again later"};
    if (http >= 400 && http < 404)
        return (struct meaning){http, REGTAG_DENIED, "it does not take these credentials"};
    if (http == 407)
        return (struct meaning){http, REGTAG_DENIED, PROXY_DENIED};
    if (http >= 500)
        return (struct meaning){http, REGTAG_SERVER_FAILED, "it failed; try again later"};
    return (struct meaning){http, REGTAG_PROTOCOL, "that is not the answer of a token server"};
}

static struct meaning meaning_of(enum request_kind kind, unsigned http, const struct first_error *f,
                                 struct slice body)
{
    const struct meaning *m = NULL;
    if (kind == REQUEST_UPLOAD)
        m = find_meaning(UPLOAD_MEANINGS, COUNT(UPLOAD_MEANINGS), http);
    if (kind == REQUEST_DELETE_ALL && (http == 400 || http == 405))
        return (struct meaning){http, REGTAG_IMMUTABLE,
                                "the registry does not let manifests be deleted"};
    if (kind == REQUEST_DELETE || kind == REQUEST_DELETE_ALL)
        m = find_meaning(DELETE_MEANINGS, COUNT(DELETE_MEANINGS), http);
    if (!m)
        m = find_meaning(MEANINGS, COUNT(MEANINGS), http);
    if (kind == REQUEST_TOKEN)
        return token_meaning(http);
    if (m)
        return *m;
    if (http == 400)
        return bad_request(kind, f, body);
    if (http == 404 || (http == 410 && kind == REQUEST_MANIFEST))
        return (struct meaning){http, REGTAG_NOT_FOUND,
                                kind == REQUEST_LIST ? "there is no such repository"
                                                     : "there is no such image; \"regtag ls\" lists "
                                                       "the tags of a repository"};
    if (http >= 500)
        return (struct meaning){http, REGTAG_SERVER_FAILED, "the registry failed; try again later"};
    if (http >= 300 && http < 400)
        return (struct meaning){http, REGTAG_PROTOCOL,
                                "the registry redirects in a way that cannot be followed"};
    if (http < 300)
        return (struct meaning){http, REGTAG_PROTOCOL, "the answer is not one to this request"};
    return (struct meaning){http, REGTAG_PROTOCOL,
                            "the registry gives an answer that has no meaning here"};
}

int answer_error(enum request_kind kind, const struct http_response *response,
                 const struct answer_words *words, struct error *e)
{
    struct slice body = {words->text, words->size};
    struct first_error f;
    char text[400];
    struct writer w = writer_to(text, sizeof text);

    read_first_error(&f, body);
    write_words(&w, &f, body);
    struct meaning m = meaning_of(kind, response->status, &f, body);
    return error_set(e, m.status, "%s (HTTP %u%.*s)", m.text, response->status, SLICE_ARG(written(&w)));
}
