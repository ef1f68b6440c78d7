/* One verb: the input is what registries say, an answer after the other. However they lie, the operation ends, in time, and
 * uploads nothing but a manifest that is valid, and the right one where its digest is given; a blob or a manifest that it calls
 * right is right; and it changes nothing, and says so, without a request for it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "../layers.h"
#include "regtag.h"
#include "regtag_sha256.h"

#define STEPS_MAX 1000000u
#define TIMEOUT 60000

/* The choices, in the first byte: */
#define GUARDED 1
#define BY_DIGEST 2 /* of the image */
#define OTHER 4     /* what the verb has of its own: see below */
#define SIGNED 8

/* in the fourth, above how often it is tried again: */
#define STALL 4
#define CONFIRM 8
#define DRY_RUN 16
#define KEEP 32
#define OPTIONS 64 /* of delete and fetch */
#define PLATFORM 128

#define CONFIG                                                                                          \
    "\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"size\":2,"                \
    "\"digest\":\"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\"}"
#define OCI "application/vnd.oci.image.manifest.v1+json"
#define INDEX "application/vnd.oci.image.index.v1+json"
#define LAYER_TYPE "application/vnd.oci.image.layer.v1.tar"

static const char *const names[] = {"x", "y", "x"};
static const char *const expected[] = {"absent"};

/* ---- The image ------------------------------------------------------------------------------- */

#define BLOB "something that is there already, and more"
#define SMALL "something"

/* With two layers that are files. */
static const char *image(void)
{
    static char text[1024];
    char digest[2][72];
    wire_digest(SMALL, strlen(SMALL), digest[0]);
    wire_digest(BLOB, strlen(BLOB), digest[1]);
    snprintf(text, sizeof text,
             "{\"schemaVersion\":2,\"mediaType\":\"" OCI "\"," CONFIG ",\"layers\":["
             "{\"mediaType\":\"" LAYER_TYPE "\",\"size\":%zu,\"digest\":\"%s\","
             "\"annotations\":{\"org.opencontainers.image.title\":\"a\"}},"
             "{\"mediaType\":\"" LAYER_TYPE "\",\"size\":%zu,\"digest\":\"%s\","
             "\"annotations\":{\"org.opencontainers.image.title\":\"b/c\"}}]}",
             strlen(SMALL), digest[0], strlen(BLOB), digest[1]);
    return text;
}

static const char *image_digest(void)
{
    static char digest[72];
    wire_digest(image(), strlen(image()), digest);
    return digest;
}

static const char *reference(uint8_t choice)
{
    static char text[128];
    snprintf(text, sizeof text, "localhost/a%s%s", choice & BY_DIGEST ? "@" : ":",
             choice & BY_DIGEST ? image_digest() : "base");
    return text;
}

/* ---- What is loaded, and what signs -------------------------------------------------------------- */

/* What is loaded: a manifest with this config. */
static const char *const stored[] = {
    "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"a/b\",\"size\":2,\"digest\":"
    "\"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\"},\"layers\":[]}",
    "{}"};

static ptrdiff_t store_read(void *context, const char *digest, uint64_t offset, void *bytes, size_t size)
{
    char found[72];
    (void)context;
    for (size_t i = 0; i < 2; i++) {
        size_t whole = strlen(stored[i]);
        wire_digest(stored[i], whole, found);
        if (strcmp(found, digest) != 0)
            continue;
        expect(offset <= whole, "read behind the end");
        size = size < whole - offset ? size : (size_t)(whole - offset);
        memcpy(bytes, stored[i] + offset, size);
        return (ptrdiff_t)size;
    }
    return REGTAG_IO_CLOSED;
}

/* Some signatures are good. */
static int verify(void *context, unsigned key, const struct regtag_part *parts, size_t count,
                  const void *signature, size_t size)
{
    (void)context;
    (void)key;
    (void)parts;
    (void)count;
    return size == 0 || *(const char *)signature % 2;
}

/* ---- Verbs ----------------------------------------------------------------------------------- */

static enum regtag_status begin_tag(struct regtag *r, uint8_t choice)
{
    return regtag_tag(r, reference(choice), names, 3);
}

static enum regtag_status begin_digest(struct regtag *r, uint8_t choice)
{
    return regtag_digest(r, reference(choice));
}

static enum regtag_status begin_manifest(struct regtag *r, uint8_t choice)
{
    return regtag_manifest(r, reference(choice));
}

/* OTHER: with digests. */
static enum regtag_status begin_ls(struct regtag *r, uint8_t choice)
{
    return choice & OTHER ? regtag_digests(r, "localhost/a", choice >> 5)
                          : regtag_list(r, "localhost/a", choice >> 5);
}

static enum regtag_status begin_delete(struct regtag *r, uint8_t choice)
{
    (void)choice;
    return regtag_delete(r, "localhost/a:x");
}

/* OTHER: to another registry. */
static enum regtag_status begin_copy(struct regtag *r, uint8_t choice)
{
    return regtag_copy(r, reference(choice), choice & OTHER ? "127.0.0.1:5001/a:x" : "localhost/b:x");
}

/* OTHER: a single blob, which nobody signs. */
static enum regtag_status begin_fetch(struct regtag *r, uint8_t choice)
{
    static char text[128];
    char digest[72];
    wire_digest(BLOB, strlen(BLOB), digest);
    snprintf(text, sizeof text, "localhost/a@%s", digest);
    return choice & OTHER ? regtag_fetch_blob(r, text) : regtag_fetch(r, reference(choice));
}

static enum regtag_status begin_save(struct regtag *r, uint8_t choice)
{
    return regtag_save(r, reference(choice));
}

/* OTHER: without a tag. */
static enum regtag_status begin_load(struct regtag *r, uint8_t choice)
{
    static char digest[72];
    wire_digest(stored[0], strlen(stored[0]), digest);
    return regtag_load(r, digest, choice & OTHER ? "localhost/a" : "localhost/a:x");
}

/* OTHER: of one type. */
static enum regtag_status begin_referrers(struct regtag *r, uint8_t choice)
{
    return regtag_referrers(r, reference(choice), choice & OTHER ? "a/b" : NULL);
}

/* ---- What is downloaded ------------------------------------------------------------------------ */

/* A blob that is fetched: its bytes so far. */
static struct {
    uint64_t number;
    size_t size;
    char bytes[65536];
} blob;

static void choose(struct regtag *r)
{
    static const char had[] = "something that is there already";
    struct regtag_layer layer;
    blob.size = 0;
    if (!regtag_layer(r, blob.number, &layer))
        return;
    regtag_choose(r, blob.number);
    if (blob.number % 2) {
        blob.size = sizeof had - 1;
        memcpy(blob.bytes, had, blob.size);
        regtag_have(r, had, blob.size);
    }
}

static void take_bytes(struct regtag *r)
{
    uint64_t at;
    size_t size;
    const void *bytes = regtag_bytes(r, &at, &size);
    if (at == 0)
        blob.size = 0;
    expect(at == blob.size && size > 0, "bytes out of order");
    if (size > sizeof blob.bytes - blob.size) {
        regtag_decline(r, "too large");
        return;
    }
    memcpy(blob.bytes + blob.size, bytes, size);
    blob.size += size;
}

static void check_blob(struct regtag *r)
{
    struct regtag_layer layer;
    char digest[72];
    bool good = regtag_result(r)->status == REGTAG_OK;
    expect(regtag_layer(r, blob.number++, &layer), "a layer has vanished");
    wire_digest(blob.bytes, blob.size, digest);
    expect(!good || (strcmp(digest, layer.digest) == 0 && layer.size == blob.size), "a wrong blob");
}

static void follow_fetch(struct regtag *r, enum regtag_event event)
{
    if (event == REGTAG_CHOOSE)
        choose(r);
    else if (event == REGTAG_BYTES)
        take_bytes(r);
    else if (event == REGTAG_SETTLED)
        check_blob(r);
}

/* What was chosen to be saved; "": the image. */
static struct {
    char digest[72];
    bool begun, manifest;
} chosen;

static void choose_part(struct regtag *r)
{
    struct regtag_descriptor part;
    blob.size = 0;
    if (!chosen.begun) {
        chosen.begun = chosen.manifest = true;
        chosen.digest[0] = '\0';
    } else if (regtag_descriptor(r, &part)) {
        expect(strlen(part.digest) == 71, "no SHA-256");
        memcpy(chosen.digest, part.digest, sizeof chosen.digest);
        chosen.manifest = part.manifest && ++blob.number < 4;
    } else
        return;
    if (chosen.manifest)
        regtag_choose_manifest(r, chosen.digest);
    else
        regtag_choose_blob(r, chosen.digest, part.size);
}

static void check_part(const struct regtag *r)
{
    char digest[72];
    size_t size = blob.size;
    const char *bytes = chosen.manifest ? regtag_document(r, &size) : blob.bytes;
    wire_digest(bytes, size, digest);
    bool good = regtag_result(r)->status == REGTAG_OK;
    expect(!good || strcmp(digest, *chosen.digest ? chosen.digest : digest) == 0, "a wrong part");
}

static void follow_save(struct regtag *r, enum regtag_event event)
{
    if (event == REGTAG_CHOOSE)
        choose_part(r);
    else if (event == REGTAG_BYTES)
        take_bytes(r);
    else if (event == REGTAG_SETTLED)
        check_part(r);
}

/* ---- Results --------------------------------------------------------------------------------- */

static void check_settled(const struct regtag_result *result)
{
    bool good = result->outcome != REGTAG_TAG_FAILED && result->outcome != REGTAG_TAG_UNCERTAIN;
    expect(result->outcome != REGTAG_TAG_PENDING, "settled, and pending");
    expect(good == (result->status == REGTAG_OK), "outcome and status differ");
    expect((result->outcome == REGTAG_TAG_UNCERTAIN) == (result->status == REGTAG_E_UNCERTAIN),
           "uncertain, and not");
    expect((result->before == REGTAG_PREVIOUS_KNOWN) == (*result->previous != '\0'),
           "where it was is known, and is not");
    expect((result->status == REGTAG_OK) == (*result->error == '\0'), "status and message differ");
}

static void follow(struct regtag *r, enum regtag_event event)
{
    const struct regtag_result *result = regtag_result(r);
    expect(result && result->name && result->digest && result->error, "a result without its texts");
    if (event == REGTAG_SETTLED)
        check_settled(result);
    if (event == REGTAG_LISTED)
        expect(*result->digest || (strlen(result->name) >= 1 && strlen(result->name) <= 128),
               "neither a referrer, nor a tag of a length that a tag has");
}

static const struct verb {
    const char *name;
    enum regtag_status (*begin)(struct regtag *r, uint8_t choice);
    void (*follow)(struct regtag *r, enum regtag_event event);
    bool again; /* with KEEP */
} VERBS[] = {
    {"verb_tag", begin_tag, follow, true},           {"verb_digest", begin_digest, follow, true},
    {"verb_manifest", begin_manifest, follow, true}, {"verb_ls", begin_ls, follow, true},
    {"verb_delete", begin_delete, follow, true},     {"verb_watch", begin_digest, follow, true},
    {"verb_copy", begin_copy, follow, true},         {"verb_fetch", begin_fetch, follow_fetch, false},
    {"verb_save", begin_save, follow_save, false},   {"verb_load", begin_load, follow, false},
    {"verb_verify", begin_manifest, follow, true},   {"verb_referrers", begin_referrers, follow, true},
};

/* One operation after the other in the same memory, with one registry. */
struct trial {
    const struct verb *verb;
    const uint8_t *choices;
    struct wire wire;
    struct regtag_config config;
    struct regtag *regtag;
    bool signed_image, watched;
    unsigned puts; /* that were looked at */
};

/* ---- Running --------------------------------------------------------------------------------- */

/* What was uploaded last is a valid manifest, and that of the digest. */
static void check_upload(struct trial *t)
{
    static char answer[LAYER_ANSWER_MAX];
    const struct wire *w = &t->wire;
    char digest[72];
    if (w->puts == t->puts)
        return;
    t->puts = w->puts;
    expect(layer_run("manifest", w->put_type, w->put_body.data, w->put_body.size, 0, answer,
                     sizeof answer) == LAYER_ACCEPTED,
           "what was uploaded is no valid manifest");
    expect(!t->config.dry_run, "an upload of a dry run");
    wire_digest(w->put_body.data, w->put_body.size, digest);
    if (t->choices[0] & BY_DIGEST && !t->config.platform && t->verb->begin != begin_load)
        expect(strcmp(digest, image_digest()) == 0, "another manifest was uploaded");
    if (t->verb->begin == begin_load)
        expect(memcmp(w->put_body.data, stored[0], w->put_body.size) == 0, "it was not loaded");
}

/* Whether a tag was set or, where there is none, the manifest was uploaded by its digest. */
static bool was_uploaded(const struct trial *t)
{
    const struct wire_bytes *asked = &t->wire.asked;
    return *regtag_result(t->regtag)->name ? t->wire.puts > 0
                                           : asked->data && strstr(asked->data, "PUT sha256:");
}

/* Nothing has changed without a request for it. */
static void check_changes(const struct trial *t, enum regtag_event event)
{
    enum regtag_outcome outcome = regtag_result(t->regtag)->outcome;
    if (event != REGTAG_SETTLED || t->config.dry_run)
        return;
    if (outcome == REGTAG_TAG_CREATED || outcome == REGTAG_TAG_MOVED || outcome == REGTAG_TAG_SET)
        expect(was_uploaded(t), "set without an upload");
    if (outcome == REGTAG_TAG_DELETED)
        expect(t->wire.deletes > 0, "deleted without a request");
}

/* Time passes until something can be done. */
static void wait(struct wire *w, const struct regtag *r, const struct regtag_want *want)
{
    uint64_t ready = wire_ready(w, want), until = regtag_until(r);
    uint64_t next = ready < until ? ready : until;
    w->now = next > w->now ? next : w->now;
}

static void check_end(struct regtag *r, enum regtag_event event)
{
    const char *text;
    enum regtag_status status = regtag_error(r, &text);
    expect(status >= REGTAG_OK && status <= REGTAG_E_UNSIGNED, "a status that there is not");
    expect((event == REGTAG_DONE) == (status == REGTAG_OK), "event and status differ");
    expect((status == REGTAG_OK) == (*text == '\0'), "status and text differ");
}

static void run(struct trial *t)
{
    struct regtag_want want[WIRE_LINES];
    struct wire *w = &t->wire;
    enum regtag_event event;
    unsigned steps = 0;
    uint64_t end = w->now + TIMEOUT;
    do {
        event = regtag_step(t->regtag, w->now, want, WIRE_LINES);
        expect(w->misuse == NULL, w->misuse ? w->misuse : "");
        expect(++steps < STEPS_MAX, "it does not end");
        check_upload(t);
        check_changes(t, event);
        t->verb->follow(t->regtag, event);
        wire_obey(w, want);
        if (event == REGTAG_WAIT)
            wait(w, t->regtag, want);
    } while (event != REGTAG_DONE && event != REGTAG_ERROR);
    expect(w->now <= end, "it ends too late");
    check_end(t->regtag, event);
}

static void begin(struct trial *t)
{
    blob.number = 0;
    chosen.begun = false;
    if (t->signed_image)
        regtag_require_signature(t->regtag);
    expect(t->verb->begin(t->regtag, t->choices[0]) == REGTAG_OK, "it was not taken");
    run(t);
}

static void configure(struct trial *t, struct regtag_sha256_context *hash)
{
    uint8_t choice = t->choices[0], option = t->choices[3];
    t->signed_image = choice & SIGNED && !(choice & OTHER && t->verb->begin == begin_fetch);
    if (strcmp(t->verb->name, "verb_verify") == 0)
        t->signed_image = true;
    t->watched = strcmp(t->verb->name, "verb_watch") == 0;
    t->config = (struct regtag_config){.size = sizeof t->config,
                                       .hash = regtag_sha256(hash),
                                       .transport = wire_transport(&t->wire),
                                       .store = {.read = store_read},
                                       .timeout = TIMEOUT,
                                       .retries = option & 3,
                                       .stall = option & STALL ? 10000 : 0,
                                       .confirm = option & CONFIRM,
                                       .dry_run = option & DRY_RUN,
                                       .keep = option & KEEP,
                                       .siblings = option & OPTIONS,
                                       .titles_are_names = option & OPTIONS,
                                       .platform = option & PLATFORM ? "linux/amd64" : NULL,
                                       .expected = expected,
                                       .expected_count = choice & GUARDED,
                                       .manifest_max = t->signed_image ? 16384 : 4096,
                                       .keys = t->signed_image,
                                       .verify = verify,
                                       .tokens_max = 128,
                                       .connections = t->verb->begin == begin_copy ? 4 : 2};
}

/* Once; to be watched, or kept, a second and a third time. */
static void try_verb(struct trial *t)
{
    struct regtag_sha256_context hash;
    configure(t, &hash);
    size_t size = regtag_size(&t->config);
    void *block = malloc(size);
    expect(block != NULL, "no memory");
    t->regtag = regtag_init(block, size, &t->config);
    expect(t->regtag != NULL, "the block was not taken");
    begin(t);
    if (t->config.keep && t->watched) {
        regtag_again(t->regtag, regtag_result(t->regtag)->digest);
        run(t);
    }
    if (t->config.keep && t->verb->again) {
        expect(regtag_next(t->regtag, &t->config), "there is no next one");
        begin(t);
    }
    free(block);
}

static const struct verb *verb_of(const struct harness *h)
{
    for (size_t i = 0; i < sizeof VERBS / sizeof VERBS[0]; i++)
        if (strcmp(VERBS[i].name, h->name) == 0)
            return &VERBS[i];
    return NULL;
}

void fuzz_verb(const struct harness *h, const uint8_t *data, size_t size)
{
    static struct trial t;
    if (size < FUZZ_CHOICES)
        return;
    t = (struct trial){.verb = verb_of(h), .choices = data};
    wire_init(&t.wire);
    t.wire.seed = data[1];
    t.wire.step = data[2] % 16;
    t.wire.manners.raw = (const char *)data + FUZZ_CHOICES;
    t.wire.manners.raw_size = size - FUZZ_CHOICES;
    try_verb(&t);
    wire_free(&t.wire);
}

/* ---- A good conversation --------------------------------------------------------------------- */

static void push(struct wire *w, const char *tag, const char *type, const char *manifest)
{
    wire_push(w, tag, type, manifest, strlen(manifest));
}

/* The image, an index of it, and who refers to it: at a tag as cosign's signatures do, and in a list. */
static void furnish(struct wire *w, bool platform)
{
    static char text[2048];
    const char *digest = image_digest();
    wire_push_blob(w, "{}", 2, NULL);
    wire_push_blob(w, SMALL, strlen(SMALL), NULL);
    wire_push_blob(w, BLOB, strlen(BLOB), NULL);
    snprintf(text, sizeof text,
             "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"" OCI
             "\",\"size\":%zu,\"digest\":\"%s\","
             "\"artifactType\":\"a/b\",\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}}]}",
             strlen(image()), digest);
    push(w, "base", platform ? INDEX : OCI, platform ? text : image());
    push(w, digest, OCI, image());
    push(w, "old", OCI, stored[0]);
    push(w, "x", OCI, stored[0]);
    push(w, "referrers", INDEX, text);
    w->manners.referrers_status = 200;
    w->manners.page = 2;
    snprintf(
        text, sizeof text,
        "{\"critical\":{\"identity\":{\"docker-reference\":\"a\"},\"image\":{\"docker-manifest-digest\":"
        "\"%s\"},\"type\":\"cosign container image signature\"},\"optional\":null}",
        digest);
    size_t size = strlen(text);
    const char *payload = wire_push_blob(w, text, size, NULL);
    snprintf(text, sizeof text,
             "{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"mediaType\":"
             "\"application/vnd.dev.cosign.simplesigning.v1+json\",\"size\":%zu,\"digest\":\"%s\","
             "\"annotations\":{\"dev.cosignproject.cosign/signature\":\"Z29vZA==\"}}]}",
             size, payload);
    char tag[80];
    snprintf(tag, sizeof tag, "sha256-%s.sig", digest + 7);
    push(w, tag, OCI, text);
}

void fuzz_verb_record(const struct harness *h, const uint8_t choices[FUZZ_CHOICES],
                      struct wire_bytes *answers)
{
    static struct trial t;
    t = (struct trial){.verb = verb_of(h), .choices = choices};
    wire_init(&t.wire);
    furnish(&t.wire, choices[3] & PLATFORM);
    t.wire.record = answers;
    try_verb(&t);
    wire_free(&t.wire);
}
