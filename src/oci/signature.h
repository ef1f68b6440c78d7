/* Signatures of images by cosign, with a key: simple signing, and sigstore bundles v0.3. Nothing in them is trusted, or
 * even read, before the signature over its exact bytes has been verified. */
#ifndef REGTAG_OCI_SIGNATURE_H
#define REGTAG_OCI_SIGNATURE_H

#include "oci/document.h"
#include "regtag.h"

#define SIGNATURE_BUNDLE "application/vnd.dev.sigstore.bundle.v0.3+json"
#define SIGNATURE_MAX 512 /* bytes: that of RSA with 4096 bits */

/* What was found. The larger, the closer to a signature by the right key: of several, the largest says most. */
enum signature_finding {
    SIGNATURE_NONE,        /* something else: another type, or for another image */
    SIGNATURE_MALFORMED,   /* malformed or ambiguous */
    SIGNATURE_OTHER_KEY,   /* not by any of the keys */
    SIGNATURE_ATTESTATION, /* by one of the keys, but it says something else about an image */
    SIGNATURE_OTHER_IMAGE, /* by one of the keys, but for another digest */
    SIGNATURE_GOOD
};

struct signature_check {
    /* As in struct regtag_config. */
    int (*verify)(void *context, unsigned key, const struct regtag_part *parts, size_t count,
                  const void *signature, size_t size);
    void *context;
    unsigned keys;

    struct slice image;                   /* its digest, a SHA-256 */
    const struct document_memory *memory; /* is overwritten */
    unsigned left;                        /* how many more signatures may be looked at */

    bool cut;     /* out: there were more than that; never cleared */
    bool unable;  /* out: there was not enough memory to verify one; never cleared */
    unsigned key; /* out: with SIGNATURE_GOOD, the key that it is by */
};

/* A phrase for messages: "the signature is by another key". */
const char *signature_text(enum signature_finding finding);

/* ---- Simple signing: the manifest under the tag sha256-HEX.sig has a layer for each signature -- */

/* Whether this layer has a signature, in an annotation, which is decoded into `memory`. The manifest is one that
 * manifest_check has accepted; descriptor_digest and descriptor_size of titles.h say where the payload is. */
enum signature_finding signature_of_layer(const struct document *manifest, int layer,
                                          char memory[SIGNATURE_MAX], struct slice *signature);

/* Verifies it; the payload is the layer's bytes, whose digest was verified. */
enum signature_finding signature_check_payload(struct signature_check *c, struct slice payload,
                                               struct slice signature);

/* ---- Bundles: each is the only layer of a manifest that refers to the image ------------------- */

/* Finds the layer with the bundle in a manifest that manifest_check has accepted. SIGNATURE_GOOD: there it is. */
enum signature_finding signature_bundle_layer(const struct document *manifest, struct slice image,
                                              int *layer);

/* Verifies the signatures of a bundle, the layer's bytes, whose digest was verified. Overwrites them. */
enum signature_finding signature_check_bundle(struct signature_check *c, char *bundle, size_t size);

#endif
