/* The images of an OCI image layout, as its index.json has them: which of them are to be loaded, and their tags. */
#ifndef REGTAG_CLI_LAYOUT_IMAGES_H
#define REGTAG_CLI_LAYOUT_IMAGES_H

#include "oci/digest.h"
#include "oci/document.h"

struct layout_images {
    const char *layout; /* for messages */
    const char *wanted; /* a name or a digest; NULL: all */
    bool own_tags;      /* they keep their tags; else it must be a single one */

    struct document index;
    int list;    /* its descriptors */
    bool named;  /* only those with a tag */
    size_t left; /* those without a tag that were left out */
};

struct layout_image {
    char digest[DIGEST_SHA256_SIZE + 1];
    char tag[TAG_MAX + 1]; /* its own; or "" */
};

/* Whether the text, which `scan` has taken, is that of a file "oci-layout" of version 1; else e is set with
 * REGTAG_E_REFUSED. */
bool layout_version_check(const char *layout, struct slice text, struct document_scan *scan,
                          const struct document_memory *memory, struct error *e);

/* Reads an index, which `scan` has taken, and which is used as long as `images` is. The members up to `own_tags` must be set. False, and e set with
 * REGTAG_E_REFUSED, if it is not valid. */
bool images_read(struct layout_images *images, struct slice index, struct document_scan *scan,
                 const struct document_memory *memory, struct error *e);

/* Whether it is clear which images are meant; else e is set: with REGTAG_E_NOT_FOUND if there is none, with
 * REGTAG_E_USAGE if several cannot have one tag, or have the same tag, or none has one, and with REGTAG_E_REFUSED if one
 * cannot be loaded. */
bool images_check(struct layout_images *images, struct error *e);

/* The image `number`, counted from 0, of those that images_check has accepted. False: there are no more. */
bool images_get(const struct layout_images *images, size_t number, struct layout_image *image);

#endif
