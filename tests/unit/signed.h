/* Signatures of images, made by keys that are numbers, and put where cosign puts them in the registry of wire.h. */
#ifndef SIGNED_H
#define SIGNED_H

#include "run.h"

#define SIMPLE "cosign container image signature"
#define SIGN "https://sigstore.dev/cosign/sign/v1"
#define BUNDLE "application/vnd.dev.sigstore.bundle.v0.3+json"
#define SIGNED_LAYERS_MAX 40

/* A layer of the manifest at sha256-HEX.sig. */
struct signed_layer {
    const char *digest; /* of the image, that is signed */
    const char *type;   /* NULL: SIMPLE */
    unsigned key;
};

/* An operation for which `keys` keys are good. */
void begin_signed(struct run *run, unsigned keys);
void begin_signed_again(struct run *run);

/* For regtag_config. */
int signed_verify(void *context, unsigned key, const struct regtag_part *parts, size_t count,
                  const void *signature, size_t size);

/* The tag sha256-HEX.sig for an image. */
void push_layers(struct run *run, const char *image, const struct signed_layer *layers, size_t count);

/* A bundle in a manifest that refers to `image`, and signs `digest`. Returns the manifest's digest. */
const char *push_bundle(struct run *run, const char *image, const char *digest, const char *predicate,
                        unsigned key);

/* The index of some referrers, at a tag. Their type is that of a bundle, or `type`. */
void push_index(struct run *run, const char *tag, const char *const *digests, size_t count,
                const char *type);

/* Changes a size in the manifest at a tag, so that it no longer has the digest that the registry states. */
void corrupt(struct run *run, const char *tag);

/* "sha256-HEX" of an image, and what is behind it. In static memory, until the fourth call after it. */
const char *tag_of(const char *digest, const char *suffix);

#endif
