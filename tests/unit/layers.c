#include "layers.h"

#include <stdio.h>
#include <string.h>

#include "cli/authfile.h"
#include "cli/tar_reader.h"
#include "http/challenge.h"
#include "http/link.h"
#include "http/response.h"
#include "http/url.h"
#include "regtag_sha256.h"
#include "oci/json.h"
#include "oci/manifest.h"
#include "oci/platform.h"
#include "oci/reference.h"
#include "oci/titles.h"
#include "client/token.h"
#include "regtag.h"

struct layer_case {
    struct slice argument;
    struct slice input;
    size_t step;
    char *out;
    size_t out_size;
};

static int reject(const struct layer_case *c)
{
    snprintf(c->out, c->out_size, "reject");
    return LAYER_REJECTED;
}

/* Takes the next piece off the input. */
static struct slice next_piece(struct slice *rest, size_t step)
{
    struct slice piece = slice_head(*rest, step ? step : rest->size);
    *rest = slice_from(*rest, piece.size);
    return piece;
}

/* ---- ref, json, manifest --------------------------------------------------------------------- */

static int run_ref(const struct layer_case *c)
{
    struct reference r;
    struct error e = {.status = 0};
    if (!reference_parse(&r, c->input, &e))
        return reject(c);
    struct slice tag = reference_tag(&r);
    snprintf(c->out, c->out_size, "ok %.*s %s%.*s %.*s %.*s", SLICE_ARG(r.registry),
             r.library ? "library/" : "", SLICE_ARG(r.repository),
             SLICE_ARG(tag.size ? tag : SLICE("-")), SLICE_ARG(r.digest.size ? r.digest : SLICE("-")));
    return LAYER_ACCEPTED;
}

static int run_json(const struct layer_case *c)
{
    struct json j = {0};
    struct slice rest = c->input, text;
    while (rest.size) {
        struct slice piece = next_piece(&rest, c->step);
        enum json_event event;
        do
            event = json_next(&j, &piece, &text);
        while (event != JSON_MORE && event != JSON_BROKEN);
    }
    if (!json_end(&j))
        return reject(c);
    snprintf(c->out, c->out_size, "ok");
    return LAYER_ACCEPTED;
}

static jsmntok_t tokens[REGTAG_TOKENS_MAX];
static struct document_key keys[REGTAG_TOKENS_MAX / 2];
static const struct document_memory document = {tokens, keys, REGTAG_TOKENS_MAX};

static int run_manifest(const struct layer_case *c)
{
    const struct media_type *type = media_type_find(c->argument);
    mbedtls_sha256_context context;
    struct regtag_hash hash = regtag_sha256(&context);
    char digest[DIGEST_SHA256_SIZE + 1];
    struct error e = {.status = 0};

    if (!type || c->input.size > REGTAG_MANIFEST_MAX ||
        !(type = manifest_type(c->input, type, &document, &e)) ||
        !manifest_digest(c->input, type, &document, &hash, digest, &e) ||
        !manifest_check(c->input, type, &document, &e))
        return reject(c);
    snprintf(c->out, c->out_size, "ok %s", digest);
    return LAYER_ACCEPTED;
}

/* ---- platform -------------------------------------------------------------------------------- */

static int run_platform(const struct layer_case *c)
{
    struct slice platform = c->argument, name = slice_split(&platform, ' ');
    const struct media_type *type = media_type_find(name);
    char digest[DIGEST_SHA256_SIZE + 1];
    struct error e = {.status = 0};

    if (!platform.data || !platform_valid(platform))
        return LAYER_BAD_CALL;
    if (!type || c->input.size > REGTAG_MANIFEST_MAX ||
        !(type = manifest_type(c->input, type, &document, &e)) ||
        !manifest_check(c->input, type, &document, &e))
        return reject(c);
    if (platform_child(c->input, type, &document, platform, digest, &e))
        snprintf(c->out, c->out_size, "ok %s", digest);
    else if (e.status == REGTAG_E_NOT_FOUND)
        snprintf(c->out, c->out_size, "none");
    else
        return reject(c);
    return LAYER_ACCEPTED;
}

/* ---- titles ---------------------------------------------------------------------------------- */

static int run_titles(const struct layer_case *c)
{
    struct writer w = writer_to(c->out, c->out_size - 1);
    struct error e = {.status = 0};
    struct document d;
    if (c->input.size > REGTAG_MANIFEST_MAX ||
        !document_index(&d, c->input, &document, "the manifest", &e) || !titles_check(&d, &document, &e))
        return reject(c);
    write_text(&w, "ok");
    for (int i = document_first(&d, layers_of(&d)); i != NO_VALUE; i = document_next(&d, i)) {
        write_text(&w, layer_title(&d, i) == NO_VALUE ? "" : "\n");
        document_write(&d, layer_title(&d, i), &w);
    }
    c->out[w.used] = '\0';
    return w.overflow ? reject(c) : LAYER_ACCEPTED;
}

/* ---- tar ------------------------------------------------------------------------------------- */

/* Offsets never go back, as on a pipe. */
struct tar_input {
    struct slice bytes;
    uint64_t read;
};

static ptrdiff_t read_tar(void *context, uint64_t at, void *bytes, size_t size)
{
    struct tar_input *input = context;
    if (at < input->read)
        return -1;
    struct slice rest = at < input->bytes.size ? slice_from(input->bytes, (size_t)at) : SLICE("");
    rest = slice_head(rest, size);
    memcpy(bytes, rest.size ? rest.data : "", rest.size);
    input->read = at + rest.size;
    return (ptrdiff_t)rest.size;
}

static int run_tar(const struct layer_case *c)
{
    static const char *const TYPES[] = {"file", "link", "sparse", "other"};
    struct writer w = writer_to(c->out, c->out_size - 1);
    struct tar_input input = {c->input, 0};
    struct tar_reader t = {.context = &input, .read = read_tar};
    struct tar_entry entry;
    enum tar_event event;
    write_text(&w, "ok");
    while ((event = tar_next(&t, &entry)) == TAR_ENTRY)
        write_format(&w, "\n%s %s %llu %llu", entry.name, TYPES[entry.type],
                     (unsigned long long)entry.at, (unsigned long long)entry.size);
    if (event == TAR_BROKEN)
        return reject(c);
    c->out[w.used] = '\0';
    return LAYER_ACCEPTED;
}

/* ---- http ------------------------------------------------------------------------------------ */

struct body_sum {
    struct regtag_hash hash;
    unsigned long long size;
};

/* Feeds one piece; answers the event that it ended with. */
static enum http_event feed(struct http_response *r, struct slice piece, struct body_sum *sum)
{
    struct slice body;
    enum http_event event;
    for (;;) {
        event = http_response_take(r, &piece, &body);
        if (event == HTTP_BODY) {
            sum->hash.update(sum->hash.context, body.data, body.size);
            sum->size += body.size;
        } else if (event != HTTP_HEAD)
            return event;
    }
}

static int run_http(const struct layer_case *c)
{
    static char head[HTTP_HEAD_MAX];
    mbedtls_sha256_context context;
    struct body_sum sum = {regtag_sha256(&context), 0};
    struct http_response r;
    struct slice rest = c->input;
    enum http_event event = HTTP_MORE;
    unsigned char digest[32];

    if (c->argument.size == 0)
        return LAYER_BAD_CALL;
    http_response_start(&r, slice_equal(c->argument, SLICE("HEAD")), head);
    r.connect_request = slice_equal(c->argument, SLICE("CONNECT"));
    sum.hash.start(sum.hash.context);
    while (rest.size && event == HTTP_MORE)
        event = feed(&r, next_piece(&rest, c->step), &sum);
    if (event == HTTP_MORE)
        event = http_response_eof(&r, false);
    sum.hash.finish(sum.hash.context, digest);
    if (event != HTTP_END)
        return reject(c);

    int used = snprintf(c->out, c->out_size, "ok %u %llu ", r.status, sum.size);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(c->out + used + 2 * i, c->out_size - (size_t)used - 2 * i, "%02x", digest[i]);
    return LAYER_ACCEPTED;
}

/* ---- link ------------------------------------------------------------------------------------ */

static int run_link(const struct layer_case *c)
{
    struct slice rest = c->input, target = {NULL, 0}, found;
    char text[URL_MAX];
    struct writer w = writer_to(text, sizeof text);
    struct url from, to;

    if (!url_parse(&from, c->argument))
        return LAYER_BAD_CALL;
    while (rest.data) {
        if (!link_next(slice_split(&rest, '\n'), &found))
            return reject(c);
        if (!target.data)
            target = found;
    }
    if (!target.data) {
        snprintf(c->out, c->out_size, "end");
        return LAYER_ACCEPTED;
    }
    if (!url_resolve(c->argument, target, &w) || !url_parse(&to, written(&w)) ||
        !url_same_origin(&from, &to))
        return reject(c);
    if (slice_equal(to.target, from.target))
        snprintf(c->out, c->out_size, "end");
    else
        snprintf(c->out, c->out_size, "next %.*s", SLICE_ARG(written(&w)));
    return LAYER_ACCEPTED;
}

/* ---- challenge, token ------------------------------------------------------------------------ */

/* Writes the lines of one WWW-Authenticate value, without those of malformed challenges. */
static void write_challenges(struct writer *w, struct slice value)
{
    struct slice name, text;
    bool inside = false;
    size_t good = w->used; /* before the current challenge */
    for (;;) {
        switch (challenge_next(&value, &inside, &name, &text)) {
        case CHALLENGE_SCHEME:
            good = w->used;
            write_format(w, "%s%.*s", w->used ? "\n" : "", SLICE_ARG(name));
            break;
        case CHALLENGE_PARAMETER:
            write_format(w, "\n%.*s=", SLICE_ARG(name));
            write_unquoted(w, text);
            break;
        case CHALLENGE_BROKEN: w->used = good; break;
        case CHALLENGE_END: return;
        }
    }
}

static int run_challenge(const struct layer_case *c)
{
    struct slice rest = c->input;
    struct writer w = writer_to(c->out, c->out_size - 1);
    while (rest.data)
        write_challenges(&w, slice_split(&rest, '\n'));
    c->out[w.used] = '\0';
    return w.used && !w.overflow ? LAYER_ACCEPTED : reject(c);
}

static int run_token(const struct layer_case *c)
{
    static struct token_answer answer;
    struct slice rest = c->input;
    memset(&answer, 0, sizeof answer);
    while (rest.size)
        token_answer_take(&answer, next_piece(&rest, c->step));
    if (!token_answer_end(&answer))
        return reject(c);
    snprintf(c->out, c->out_size, "ok %s", answer.token);
    return LAYER_ACCEPTED;
}

/* ---- creds ----------------------------------------------------------------------------------- */

static void add_line(const struct layer_case *c, const char *name, const char *value)
{
    size_t used = strlen(c->out);
    if (*value)
        snprintf(c->out + used, c->out_size - used, "%s%s=%s", used ? "\n" : "", name, value);
}

static int run_creds(const struct layer_case *c)
{
    static jsmntok_t file_tokens[AUTHFILE_TOKENS];
    static struct document_key file_keys[AUTHFILE_TOKENS / 2];
    static struct credentials credentials;
    const struct document_memory memory = {file_tokens, file_keys, AUTHFILE_TOKENS};
    const struct authfile file = {"the file", c->input, c->argument, &memory};
    struct authfile_answer answer;
    struct error e = {.status = 0};

    if (c->argument.size == 0)
        return LAYER_BAD_CALL;
    if (c->input.size > AUTHFILE_MAX)
        return reject(c);
    c->out[0] = '\0';
    switch (authfile_find(&file, &answer, &credentials, &e)) {
    case AUTHFILE_NOTHING: snprintf(c->out, c->out_size, "none"); break;
    case AUTHFILE_HELPER: add_line(c, "helper", answer.helper); break;
    case AUTHFILE_SECRETS:
        add_line(c, "username", credentials.user);
        add_line(c, "password", credentials.password);
        add_line(c, "identitytoken", credentials.identity_token);
        add_line(c, "registrytoken", credentials.registry_token);
        break;
    case AUTHFILE_BROKEN: return reject(c);
    }
    credentials_wipe(&credentials);
    return LAYER_ACCEPTED;
}

/* ---------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    int (*run)(const struct layer_case *c);
} LAYERS[] = {
    {"ref", run_ref},       {"json", run_json},   {"manifest", run_manifest},
    {"http", run_http},     {"link", run_link},   {"challenge", run_challenge},
    {"token", run_token},   {"creds", run_creds}, {"platform", run_platform},
    {"titles", run_titles}, {"tar", run_tar},
};

int layer_run(const char *layer, const char *argument, const char *input, size_t size, size_t step,
              char *out, size_t out_size)
{
    struct layer_case c = {slice_of(argument), {input, size}, step, out, out_size};
    for (size_t i = 0; i < sizeof LAYERS / sizeof LAYERS[0]; i++)
        if (strcmp(layer, LAYERS[i].name) == 0)
            return LAYERS[i].run(&c);
    return LAYER_BAD_CALL;
}
