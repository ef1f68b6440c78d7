/* libFuzzer over the whole operation: the input is what a registry says. However it lies, the operation
 * ends, in time, and uploads nothing but a manifest that is valid; a blob that it calls right is right. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layers.h"
#include "regtag_sha256.h"
#include "regtag.h"
#include "wire.h"

#define STEPS_MAX 1000000u
#define TIMEOUT 60000
#define CHOICES 4 /* bytes at the beginning of the input */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {"x", "y", "x"};
static const char *const expected[] = {"absent"};

static void expect(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}

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

static enum regtag_status load(struct regtag *r)
{
    static char digest[72];
    wire_digest(stored[0], strlen(stored[0]), digest);
    return regtag_load(r, digest, "localhost/a:x");
}

#define REFERRERS 0x40 /* in the first byte */
#define SIGNED 0x80

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

static void set_out(struct regtag *r, uint8_t choice)
{
    enum regtag_status status;
    if (choice & SIGNED)
        regtag_require_signature(r);
    switch (choice % 8) {
    case 0: status = load(r); break;
    case 4: status = regtag_tag(r, "localhost/a:base", names, 3); break;
    case 1: status = regtag_list(r, "localhost/a", choice >> 4); break;
    case 2: status = regtag_digest(r, "localhost/a:base"); break;
    case 6: status = regtag_delete(r, "localhost/a:x"); break;
    case 7: status = regtag_fetch(r, "localhost/a:base"); break;
    case 5: status = regtag_save(r, "localhost/a:base"); break;
    default:
        status = choice & REFERRERS ? regtag_referrers(r, "localhost/a:base", NULL)
                                    : regtag_manifest(r, "localhost/a:base");
    }
    expect(status == REGTAG_OK, "it was not taken");
}

/* Time passes until something can be done. */
static void wait(struct wire *w, const struct regtag *r, const struct regtag_want *want)
{
    uint64_t ready = wire_ready(w, want), until = regtag_until(r);
    uint64_t next = ready < until ? ready : until;
    w->now = next > w->now ? next : w->now;
}

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

static void fetch(struct regtag *r, enum regtag_event event)
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

static void save(struct regtag *r, enum regtag_event event)
{
    if (event == REGTAG_CHOOSE)
        choose_part(r);
    else if (event == REGTAG_BYTES)
        take_bytes(r);
    else if (event == REGTAG_SETTLED)
        check_part(r);
}

static void check_result(const struct regtag_result *result, enum regtag_event event)
{
    expect(result && result->name && result->digest && result->error, "a result without its texts");
    if (event == REGTAG_SETTLED) {
        expect(result->outcome != REGTAG_TAG_PENDING, "settled, and pending");
        bool good = result->outcome != REGTAG_TAG_FAILED && result->outcome != REGTAG_TAG_UNCERTAIN;
        expect(good == (result->status == REGTAG_OK), "outcome and status differ");
        expect((result->outcome == REGTAG_TAG_UNCERTAIN) == (result->status == REGTAG_E_UNCERTAIN),
               "uncertain, and not");
        expect((result->before == REGTAG_PREVIOUS_KNOWN) == (*result->previous != '\0'),
               "where it was is known, and is not");
        expect((result->status == REGTAG_OK) == (*result->error == '\0'), "status and message differ");
    }
    if (event == REGTAG_LISTED)
        expect(*result->digest || (strlen(result->name) >= 1 && strlen(result->name) <= 128),
               "neither a referrer, nor a tag of a length that a tag has");
}

static void check_upload(const struct wire *w)
{
    static char answer[LAYER_ANSWER_MAX];
    if (w->puts == 0)
        return;
    int result =
        layer_run("manifest", w->put_type, w->put_body.data, w->put_body.size, 0, answer, sizeof answer);
    expect(result == LAYER_ACCEPTED, "what was uploaded is no valid manifest");
}

static enum regtag_event run(struct regtag *r, struct wire *w, unsigned choice)
{
    struct regtag_want want[WIRE_LINES];
    enum regtag_event event;
    unsigned steps = 0;
    do {
        event = regtag_step(r, w->now, want, WIRE_LINES);
        expect(w->misuse == NULL, w->misuse ? w->misuse : "");
        expect(++steps < STEPS_MAX, "it does not end");
        if (choice == 7)
            fetch(r, event);
        else if (choice == 5)
            save(r, event);
        else
            check_result(regtag_result(r), event);
        wire_obey(w, want);
        if (event == REGTAG_WAIT)
            wait(w, r, want);
    } while (event != REGTAG_DONE && event != REGTAG_ERROR);
    return event;
}

static void check_end(struct regtag *r, enum regtag_event event)
{
    const char *text;
    enum regtag_status status = regtag_error(r, &text);
    expect(status >= REGTAG_OK && status <= REGTAG_E_UNSIGNED, "a status that there is not");
    expect((event == REGTAG_DONE) == (status == REGTAG_OK), "event and status differ");
    expect((status == REGTAG_OK) == (*text == '\0'), "status and text differ");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static mbedtls_sha256_context hash;
    struct wire w;
    if (size < CHOICES)
        return 0;
    wire_init(&w);
    w.seed = data[1];
    w.step = data[2] % 16;
    w.manners.raw = (const char *)data + CHOICES;
    w.manners.raw_size = size - CHOICES;
    struct regtag_config config = {.size = sizeof config,
                                   .hash = regtag_sha256(&hash),
                                   .transport = wire_transport(&w),
                                   .store = {.read = store_read},
                                   .timeout = TIMEOUT,
                                   .retries = data[3] & 3,
                                   .stall = data[3] & 4 ? 10000 : 0,
                                   .confirm = data[3] & 8,
                                   .dry_run = data[3] & 16,
                                   .keep = data[3] & 32,
                                   .siblings = data[3] & 64,
                                   .titles_are_names = data[3] & 64,
                                   .platform = data[3] & 128 ? "linux/amd64" : NULL,
                                   .expected = expected,
                                   .expected_count = data[0] >> 3 & 1,
                                   .manifest_max = data[0] & SIGNED ? 16384 : 4096,
                                   .keys = data[0] >> 7,
                                   .verify = verify,
                                   .tokens_max = 128};
    size_t block_size = regtag_size(&config);
    void *block = malloc(block_size);
    expect(block != NULL, "no memory");
    struct regtag *r = regtag_init(block, block_size, &config);
    expect(r != NULL, "the block was not taken");
    unsigned choice = data[0] % 8;
    blob.number = 0;
    chosen.begun = false;
    set_out(r, data[0]);
    check_end(r, run(r, &w, choice));
    bool again = choice != 0 && choice != 5 && choice != 7;
    if (config.keep && again) { /* as for watch; for other verbs it is the end again */
        regtag_again(r, regtag_result(r)->digest);
        check_end(r, run(r, &w, 0));
        if (regtag_next(r, &config)) { /* not after a copy */
            set_out(r, data[0]);
            check_end(r, run(r, &w, choice));
        }
    }
    check_upload(&w);
    wire_free(&w);
    free(block);
    return 0;
}
