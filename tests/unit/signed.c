#include "signed.h"

#include "oci/digest.h"

/* ---- Keys ------------------------------------------------------------------------------------ */

/* "KEY:" and the SHA-256 of the message. */
static void make_signature(unsigned key, const struct regtag_part *parts, size_t count, char text[80])
{
    struct regtag_sha256_context context;
    struct regtag_hash hash = regtag_sha256(&context);
    struct slice slices[4];
    char digest[72];
    assert_true(count <= COUNT(slices));
    for (size_t i = 0; i < count; i++)
        slices[i] = (struct slice){parts[i].bytes, parts[i].size};
    assert_true(digest_of(&hash, slices, count, digest));
    snprintf(text, 80, "%u:%s", key, digest);
}

int signed_verify(void *context, unsigned key, const struct regtag_part *parts, size_t count,
                  const void *signature, size_t size)
{
    char expected[80];
    (void)context;
    make_signature(key, parts, count, expected);
    return size != strlen(expected) || memcmp(signature, expected, size) != 0;
}

static void encode(const char *bytes, size_t size, char *text)
{
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        unsigned long n = 0;
        for (size_t j = 0; j < 3; j++)
            n = n << 8 | (i + j < size ? (unsigned char)bytes[i + j] : 0);
        for (unsigned j = 0; j < 4; j++)
            *text++ = i + j <= size ? DIGITS[n >> (18 - 6 * j) & 63] : '=';
    }
    *text = '\0';
}

/* ---- The operation --------------------------------------------------------------------------- */

void begin_signed_again(struct run *run)
{
    begin_again(run);
    assert_int_equal(regtag_require_signature(run->regtag), REGTAG_OK);
}

void begin_signed(struct run *run, unsigned keys)
{
    begin(run);
    run->config.keys = keys;
    run->config.verify = signed_verify;
    run->config.manifest_max = 128 * 1024;
    run->config.tokens_max = 2048;
    widen(run, 2);
    begin_signed_again(run);
}

/* ---- The registry ---------------------------------------------------------------------------- */

const char *tag_of(const char *digest, const char *suffix)
{
    static char tags[4][80];
    static unsigned last;
    char *tag = tags[++last % COUNT(tags)];
    snprintf(tag, sizeof tags[0], "sha256-%s%s", digest + 7, suffix);
    return tag;
}

static const char *push_payload(struct run *run, const struct signed_layer *layer, char *signature,
                                int *size)
{
    char payload[512], made[80];
    *size = snprintf(payload, sizeof payload,
                     "{\"critical\":{\"identity\":{\"docker-reference\":\"whatever\"},\"image\":"
                     "{\"docker-manifest-digest\":\"%s\"},\"type\":\"%s\"},\"optional\":{\"n\":%zu}}",
                     layer->digest, layer->type ? layer->type : SIMPLE, run->wire.blob_count);
    struct regtag_part part = {payload, (size_t)*size};
    make_signature(layer->key, &part, 1, made);
    encode(made, strlen(made), signature);
    return wire_push_blob(&run->wire, payload, (size_t)*size, NULL);
}

void push_layers(struct run *run, const char *image, const struct signed_layer *layers, size_t count)
{
    static char text[SIGNED_LAYERS_MAX * 600];
    int used = snprintf(text, sizeof text, "{\"schemaVersion\":2,\"config\":%s,\"layers\":[", CONFIG);
    for (size_t i = 0; i < count; i++) {
        char signature[128];
        int size;
        const char *digest = push_payload(run, &layers[i], signature, &size);
        used += snprintf(text + used, sizeof text - (size_t)used,
                         "%s{\"mediaType\":\"application/vnd.dev.cosign.simplesigning.v1+json\","
                         "\"size\":%d,\"digest\":\"%s\",\"annotations\":{"
                         "\"dev.cosignproject.cosign/signature\":\"%s\"}}",
                         i ? "," : "", size, digest, signature);
    }
    used += snprintf(text + used, sizeof text - (size_t)used, "]}");
    assert_true((size_t)used < sizeof text);
    wire_push(&run->wire, tag_of(image, ".sig"), OCI, text, (size_t)used);
}

const char *push_bundle(struct run *run, const char *image, const char *digest, const char *predicate,
                        unsigned key)
{
    static char manifest[2048];
    char statement[600], payload[900], head[80], made[80], signature[128], bundle[1400];
    int size = snprintf(statement, sizeof statement,
                        "{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{\"digest\":"
                        "{\"sha256\":\"%s\"}}],\"predicateType\":\"%s\",\"predicate\":{\"n\":%zu}}",
                        digest + 7, predicate, run->wire.blob_count);
    snprintf(head, sizeof head, "DSSEv1 28 application/vnd.in-toto+json %d ", size);
    struct regtag_part parts[] = {{head, strlen(head)}, {statement, (size_t)size}};
    make_signature(key, parts, COUNT(parts), made);
    encode(made, strlen(made), signature);
    encode(statement, (size_t)size, payload);
    size = snprintf(bundle, sizeof bundle,
                    "{\"mediaType\":\"" BUNDLE "\",\"dsseEnvelope\":{\"payload\":\"%s\",\"payloadType\":"
                    "\"application/vnd.in-toto+json\",\"signatures\":[{\"sig\":\"%s\"}]}}",
                    payload, signature);
    const char *layer = wire_push_blob(&run->wire, bundle, (size_t)size, NULL);
    snprintf(manifest, sizeof manifest,
             "{\"schemaVersion\":2,\"artifactType\":\"" BUNDLE "\",\"config\":%s,\"layers\":[{"
             "\"mediaType\":\"" BUNDLE "\",\"size\":%d,\"digest\":\"%s\"}],\"subject\":{"
             "\"mediaType\":\"%s\",\"size\":2,\"digest\":\"%s\"}}",
             CONFIG, size, layer, OCI, image);
    char name[32];
    snprintf(name, sizeof name, "bundle-%zu", run->wire.tag_count);
    wire_push(&run->wire, name, OCI, manifest, strlen(manifest));
    return wire_find(&run->wire, name)->digest;
}

void push_index(struct run *run, const char *tag, const char *const *digests, size_t count,
                const char *type)
{
    static char text[SIGNED_LAYERS_MAX * 300];
    int used =
        snprintf(text, sizeof text, "{\"schemaVersion\":2,\"mediaType\":\"%s\",\"manifests\":[", INDEX);
    for (size_t i = 0; i < count; i++)
        used +=
            snprintf(text + used, sizeof text - (size_t)used,
                     "%s{\"mediaType\":\"%s\",\"size\":%zu,\"digest\":\"%s\",\"artifactType\":\"%s\"}",
                     i ? "," : "", OCI, 100 + i, digests[i], type ? type : BUNDLE);
    used += snprintf(text + used, sizeof text - (size_t)used, "]}");
    assert_true((size_t)used < sizeof text);
    wire_push(&run->wire, tag, INDEX, text, (size_t)used);
}

void corrupt(struct run *run, const char *tag)
{
    const struct wire_tag *t = wire_find(&run->wire, tag);
    assert_non_null(t);
    strstr(t->manifest.data, "\"size\":")[7]++;
}
