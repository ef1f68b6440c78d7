#include "layers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "cli/authfile.h"
#include "cli/layout_images.h"
#include "cli/tar_reader.h"
#include "http/challenge.h"
#include "http/date.h"
#include "http/link.h"
#include "http/response.h"
#include "http/url.h"
#include "regtag_sha256.h"
#include "oci/json.h"
#include "oci/manifest.h"
#include "oci/platform.h"
#include "oci/reference.h"
#include "oci/signature.h"
#include "oci/titles.h"
#include "client/token.h"
#include "registry/tag_list.h"
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

/* In pieces, as a document arrives. What is given up on must be refused. */
static struct document_scan *scanned(struct slice input)
{
    static struct document_scan s;
    struct document d;
    struct error e = {.status = 0};
    bool good = true;
    s = (struct document_scan){0};
    for (size_t at = 0; at < input.size; at += 61)
        good &= document_scan_take(&s, slice_head(slice_from(input, at), 61), REGTAG_TOKENS_MAX);
    if (!good && document_index(&d, input, &document, "it", &e))
        abort();
    return &s;
}

static int run_manifest(const struct layer_case *c)
{
    const struct media_type *type = media_type_find(c->argument);
    struct regtag_sha256_context context;
    struct regtag_hash hash = regtag_sha256(&context);
    char digest[DIGEST_SHA256_SIZE + 1];
    struct error e = {.status = 0};

    if (!type || c->input.size > REGTAG_MANIFEST_MAX ||
        !(type = manifest_type(c->input, scanned(c->input), type, &document, &e)) ||
        !manifest_digest(c->input, type, &document, &hash, digest, &e) ||
        !manifest_check(c->input, scanned(c->input), type, &document, &e))
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
        !(type = manifest_type(c->input, scanned(c->input), type, &document, &e)) ||
        !manifest_check(c->input, scanned(c->input), type, &document, &e))
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

/* ---- base64, and signatures: payload, statement, bundle, signature --------------------------- */

#define BUNDLE_MAX 65536

static int run_base64(const struct layer_case *c)
{
    char memory[BUNDLE_MAX];
    struct slice decoded;
    struct writer w = writer_to(c->out, c->out_size - 1);
    if (!base64_decode(c->input, memory, sizeof memory, &decoded))
        return reject(c);
    write_text(&w, "ok ");
    write_base64(&w, decoded);
    c->out[w.used] = '\0';
    return w.overflow ? reject(c) : LAYER_ACCEPTED;
}

/* What is verified is appended to the answer; only the signature "good" is. */
static int verify(void *context, unsigned key, const struct regtag_part *parts, size_t count,
                  const void *signature, size_t size)
{
    struct writer *w = context;
    for (size_t i = 0; i < count && key == 0; i++)
        write_slice(w, (struct slice){parts[i].bytes, parts[i].size});
    return key == 1 && size == 4 && memcmp(signature, "good", 4) == 0 ? 0 : 1;
}

static int say(const struct layer_case *c, struct writer *w, enum signature_finding finding)
{
    static const char *const NAMES[] = {"none",        "reject",      "other key",
                                        "attestation", "other image", "good"};
    char message[LAYER_ANSWER_MAX];
    struct slice verified = slice_head(written(w), sizeof message);
    memcpy(message, verified.data, verified.size); /* it may stand where the answer goes */
    verified.data = message;
    if (finding == SIGNATURE_MALFORMED || w->overflow)
        return reject(c);
    snprintf(c->out, c->out_size, "%s%s%.*s", NAMES[finding], verified.size ? " " : "",
             SLICE_ARG(verified));
    return LAYER_ACCEPTED;
}

static struct signature_check checker(const struct layer_case *c, struct writer *w)
{
    return (struct signature_check){
        .verify = verify, .context = w, .keys = 2, .image = c->argument, .memory = &document, .left = 3};
}

static int check_bundle(const struct layer_case *c, char *bundle, size_t size, bool show)
{
    struct writer w = writer_to(c->out, c->out_size - 100), none = writer_to(c->out, 0);
    struct signature_check check = checker(c, &w);
    enum signature_finding finding = signature_check_bundle(&check, bundle, size);
    return say(c, show ? &w : &none, finding);
}

static int run_bundle(const struct layer_case *c)
{
    static char memory[BUNDLE_MAX];
    if (!digest_is_sha256(c->argument) || c->input.size > sizeof memory)
        return reject(c);
    memcpy(memory, c->input.data, c->input.size);
    return check_bundle(c, memory, c->input.size, true);
}

/* In a bundle that is good. */
static int run_statement(const struct layer_case *c)
{
    static char memory[BUNDLE_MAX];
    struct writer w = writer_to(memory, sizeof memory);
    write_text(&w, "{\"dsseEnvelope\":{\"payloadType\":\"application/vnd.in-toto+json\",\"payload\":\"");
    write_base64(&w, c->input);
    write_text(&w, "\",\"signatures\":[{\"sig\":\"Z29vZA==\"}]}}");
    if (!digest_is_sha256(c->argument) || w.overflow)
        return reject(c);
    return check_bundle(c, memory, w.used, false);
}

static int run_payload(const struct layer_case *c)
{
    struct writer w = writer_to(c->out, c->out_size - 100), none = writer_to(c->out, 0);
    struct signature_check check = checker(c, &w);
    if (!digest_is_sha256(c->argument))
        return reject(c);
    enum signature_finding finding = signature_check_payload(&check, c->input, SLICE("good"));
    bool exact = slice_equal(written(&w), slice_head(c->input, w.used));
    return exact ? say(c, &none, finding) : LAYER_BAD_CALL;
}

/* A manifest: of a bundle, or one whose first layer is a simple signing. */
static int run_signature(const struct layer_case *c)
{
    char memory[SIGNATURE_MAX];
    struct slice signature = SLICE("");
    struct writer w = writer_to(memory, sizeof memory);
    struct document d;
    struct error e = {.status = 0};
    int layer;
    if (!manifest_check(c->input, scanned(c->input),
                        media_type_find(SLICE("application/vnd.oci.image.manifest.v1+json")), &document,
                        &e) ||
        !document_index(&d, c->input, &document, "the manifest", &e))
        return reject(c);
    enum signature_finding finding = signature_bundle_layer(&d, c->argument, &layer);
    if (finding == SIGNATURE_NONE)
        finding = signature_of_layer(&d, document_first(&d, layers_of(&d)), memory, &signature);
    w.used = signature.size;
    return say(c, &w, finding);
}

/* ---- index ----------------------------------------------------------------------------------- */

static int run_index(const struct layer_case *c)
{
    char wanted[256] = "";
    struct writer w = writer_to(c->out, c->out_size - 1);
    struct layout_images images = {.layout = "the layout", .own_tags = c->argument.size == 0};
    struct layout_image image;
    struct error e = {.status = 0};
    snprintf(wanted, sizeof wanted, "%.*s", SLICE_ARG(c->argument));
    images.wanted = images.own_tags || strcmp(wanted, "-") == 0 ? NULL : wanted;
    if (c->input.size > REGTAG_MANIFEST_MAX ||
        !images_read(&images, c->input, scanned(c->input), &document, &e) || !images_check(&images, &e))
        return e.status == REGTAG_E_NOT_FOUND ? (snprintf(c->out, c->out_size, "none"), LAYER_ACCEPTED)
                                              : reject(c);
    write_text(&w, "ok");
    for (size_t i = 0; images_get(&images, i, &image) && !w.overflow; i++)
        write_format(&w, "\n%s %s", image.digest, image.tag);
    c->out[w.used] = '\0';
    return w.overflow ? reject(c) : LAYER_ACCEPTED;
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
    struct regtag_sha256_context context;
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

/* ---- date ------------------------------------------------------------------------------------ */

/* The fields of an answer that ask for a pause. */
static int run_date(const struct layer_case *c)
{
    static char head[HTTP_HEAD_MAX];
    struct http_response r;
    struct slice rest = c->input, status = SLICE("HTTP/1.1 200 OK\r\n"), end = SLICE("\r\n"), body;
    uint64_t remaining, window;
    enum http_event event;
    http_response_start(&r, true, head);
    event = http_response_take(&r, &status, &body);
    while (rest.size && event == HTTP_MORE) {
        struct slice piece = next_piece(&rest, c->step);
        event = http_response_take(&r, &piece, &body);
    }
    if (event == HTTP_MORE)
        event = http_response_take(&r, &end, &body);
    if (event != HTTP_HEAD)
        return reject(c);
    int used = snprintf(c->out, c->out_size, "ok %llu", (unsigned long long)http_retry_after(&r));
    if (http_rate_limit(&r, &remaining, &window))
        snprintf(c->out + used, c->out_size - (size_t)used, " %llu/%llu", (unsigned long long)remaining,
                 (unsigned long long)window);
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

/* ---- tags ------------------------------------------------------------------------------------ */

static int run_tags(const struct layer_case *c)
{
    struct tag_list t;
    struct slice rest = c->input;
    struct writer w = writer_to(c->out, c->out_size - 1);
    memset(&t, 0, sizeof t);
    write_text(&w, "ok");
    while (rest.size && !t.problem) {
        struct slice piece = next_piece(&rest, c->step);
        enum tag_list_event event;
        while ((event = tag_list_take(&t, &piece)) == TAG_LIST_TAG || event == TAG_LIST_OTHER)
            write_format(&w, "\n%s%s", event == TAG_LIST_OTHER ? "?" : "", t.name);
    }
    if (t.problem || !tag_list_end(&t) || w.overflow)
        return reject(c);
    c->out[w.used] = '\0';
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
    {"ref", run_ref},
    {"json", run_json},
    {"manifest", run_manifest},
    {"http", run_http},
    {"date", run_date},
    {"link", run_link},
    {"challenge", run_challenge},
    {"token", run_token},
    {"tags", run_tags},
    {"creds", run_creds},
    {"platform", run_platform},
    {"titles", run_titles},
    {"tar", run_tar},
    {"index", run_index},
    {"base64", run_base64},
    {"payload", run_payload},
    {"statement", run_statement},
    {"bundle", run_bundle},
    {"signature", run_signature},
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
