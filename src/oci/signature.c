#include "oci/signature.h"

#include "base/base64.h"
#include "oci/digest.h"
#include "oci/titles.h"

#define SIMPLE_SIGNING "application/vnd.dev.cosign.simplesigning.v1+json"
#define SIMPLE_SIGNING_TYPE "cosign container image signature"
#define IN_TOTO "application/vnd.in-toto+json"
#define COSIGN_SIGN "https://sigstore.dev/cosign/sign/v1"

const char *signature_text(enum signature_finding finding)
{
    static const char *const TEXTS[] = {
        "there is no signature",
        "what was found is malformed or ambiguous",
        "the signature is by another key",
        "what is signed is an attestation, or something else about the image",
        "what is signed is another digest",
        "",
    };
    return TEXTS[finding];
}

static int member(const struct document *d, int object, const char *name, bool *alike)
{
    return document_member(d, object, slice_of(name), alike);
}

/* Why something is not valid JSON does not matter: nobody can rely on what it says. */
static bool read_document(struct document *d, const struct signature_check *c, struct slice text)
{
    struct error e;
    error_clear(&e);
    return document_index(d, text, c->memory, "", &e);
}

/* Decodes a string in Base64 that is not empty. */
static bool decode(const struct document *d, int value, char *memory, size_t max, struct slice *decoded)
{
    return base64_decode(document_string(d, value), memory, max, decoded) && decoded->size;
}

/* Whether the signature is by one of the keys. */
static bool verify(struct signature_check *c, const struct regtag_part *parts, size_t count,
                   struct slice signature)
{
    c->cut |= c->left == 0;
    if (c->left == 0)
        return false;
    c->left--;
    for (c->key = 0; c->key < c->keys; c->key++) {
        int result = c->verify(c->context, c->key, parts, count, signature.data, signature.size);
        if (result == 0)
            return true;
        c->unable |= result == REGTAG_VERIFY_UNABLE;
    }
    return false;
}

/* ---- Simple signing -------------------------------------------------------------------------- */

enum signature_finding signature_of_layer(const struct document *manifest, int layer,
                                          char memory[SIGNATURE_MAX], struct slice *signature)
{
    bool alike = false;
    int type = member(manifest, layer, "mediaType", &alike);
    int annotations = member(manifest, layer, "annotations", &alike);
    int value = member(manifest, annotations, "dev.cosignproject.cosign/signature", &alike);
    if (!document_is_text(manifest, type, SLICE(SIMPLE_SIGNING)))
        return SIGNATURE_NONE;
    return !alike && decode(manifest, value, memory, SIGNATURE_MAX, signature) &&
                   digest_is_sha256(descriptor_digest(manifest, layer))
               ? SIGNATURE_GOOD
               : SIGNATURE_MALFORMED;
}

/* The identity, docker-reference, is whatever the signer has called the image. */
static enum signature_finding read_payload(const struct signature_check *c, struct slice payload)
{
    struct document d;
    bool alike = false;
    if (!read_document(&d, c, payload))
        return SIGNATURE_MALFORMED;
    int critical = member(&d, 0, "critical", &alike);
    int type = member(&d, critical, "type", &alike);
    int image = member(&d, critical, "image", &alike);
    int digest = member(&d, image, "docker-manifest-digest", &alike);
    if (alike || !document_is_string(&d, type) || !document_is_string(&d, digest))
        return SIGNATURE_MALFORMED;
    if (!document_is_text(&d, type, SLICE(SIMPLE_SIGNING_TYPE)))
        return SIGNATURE_ATTESTATION;
    return document_is_text(&d, digest, c->image) ? SIGNATURE_GOOD : SIGNATURE_OTHER_IMAGE;
}

enum signature_finding signature_check_payload(struct signature_check *c, struct slice payload,
                                               struct slice signature)
{
    struct regtag_part part = {payload.data, payload.size};
    return verify(c, &part, 1, signature) ? read_payload(c, payload) : SIGNATURE_OTHER_KEY;
}

/* ---- Bundles --------------------------------------------------------------------------------- */

enum signature_finding signature_bundle_layer(const struct document *manifest, struct slice image,
                                              int *layer)
{
    bool alike = false;
    int subject = member(manifest, 0, "subject", &alike);
    int type = member(manifest, 0, "artifactType", &alike);
    *layer = document_first(manifest, member(manifest, 0, "layers", &alike));
    if (!document_is_text(manifest, type, SLICE(SIGNATURE_BUNDLE)) ||
        !slice_equal(descriptor_digest(manifest, subject), image))
        return SIGNATURE_NONE;
    bool one = *layer != NO_VALUE && document_next(manifest, *layer) == NO_VALUE;
    type = member(manifest, *layer, "mediaType", &alike);
    return one && !alike && document_is_text(manifest, type, SLICE(SIGNATURE_BUNDLE)) &&
                   digest_is_sha256(descriptor_digest(manifest, *layer))
               ? SIGNATURE_GOOD
               : SIGNATURE_MALFORMED;
}

/* An in-toto statement. */
static enum signature_finding read_statement(const struct signature_check *c, struct slice statement)
{
    struct document d;
    bool alike = false, found = false;
    if (!read_document(&d, c, statement))
        return SIGNATURE_MALFORMED;
    int type = member(&d, 0, "predicateType", &alike);
    int subject = member(&d, 0, "subject", &alike);
    if (!document_is_array(&d, subject))
        return SIGNATURE_MALFORMED;
    for (int i = document_first(&d, subject); i != NO_VALUE; i = document_next(&d, i)) {
        int sum = member(&d, member(&d, i, "digest", &alike), "sha256", &alike);
        found |= document_is_text(&d, sum, slice_from(c->image, sizeof "sha256:" - 1));
    }
    if (alike || !document_is_string(&d, type))
        return SIGNATURE_MALFORMED;
    if (!document_is_text(&d, type, SLICE(COSIGN_SIGN)))
        return SIGNATURE_ATTESTATION;
    return found ? SIGNATURE_GOOD : SIGNATURE_OTHER_IMAGE;
}

/* Whether one of the signatures of an envelope is by one of the keys. What is signed is DSSE's PAE. */
static enum signature_finding verify_envelope(struct signature_check *c, const struct document *d,
                                              int signatures, struct slice payload)
{
    enum signature_finding finding = SIGNATURE_MALFORMED;
    char head[sizeof IN_TOTO + 40], memory[SIGNATURE_MAX];
    struct writer w = writer_to(head, sizeof head);
    write_format(&w, "DSSEv1 %zu %s %zu ", sizeof IN_TOTO - 1, IN_TOTO, payload.size);
    struct regtag_part parts[] = {{head, w.used}, {payload.data, payload.size}};
    for (int i = document_first(d, signatures); i != NO_VALUE; i = document_next(d, i)) {
        bool alike = false;
        struct slice signature;
        int value = member(d, i, "sig", &alike);
        if (alike || !decode(d, value, memory, sizeof memory, &signature))
            continue;
        if (verify(c, parts, 2, signature))
            return SIGNATURE_GOOD;
        finding = SIGNATURE_OTHER_KEY;
    }
    return finding;
}

enum signature_finding signature_check_bundle(struct signature_check *c, char *bundle, size_t size)
{
    struct document d;
    bool alike = false;
    if (!read_document(&d, c, (struct slice){bundle, size}))
        return SIGNATURE_MALFORMED;
    int envelope = member(&d, 0, "dsseEnvelope", &alike);
    int type = member(&d, envelope, "payloadType", &alike);
    int signatures = member(&d, envelope, "signatures", &alike);
    int value = member(&d, envelope, "payload", &alike);
    if (alike || !document_is_text(&d, type, SLICE(IN_TOTO)) || !document_is_array(&d, signatures))
        return SIGNATURE_MALFORMED;

    /* In place: nothing looks at this string again. */
    struct slice payload = document_string(&d, value);
    char *memory = bundle + (payload.size ? payload.data - bundle : 0);
    if (!decode(&d, value, memory, payload.size, &payload))
        return SIGNATURE_MALFORMED;
    enum signature_finding finding = verify_envelope(c, &d, signatures, payload);
    return finding == SIGNATURE_GOOD ? read_statement(c, payload) : finding;
}
