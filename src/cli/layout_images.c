#include "cli/layout_images.h"

#include <string.h>

#include "oci/manifest.h"
#include "oci/reference.h"
#include "oci/titles.h"

/* ---- Names ----------------------------------------------------------------------------------- */

/* A tag, or the full reference; and always the full reference, as containerd has it. */
static const struct slice NAMES[] = {SLICE_INIT("org.opencontainers.image.ref.name"),
                                     SLICE_INIT("io.containerd.image.name")};
#define NAMES_COUNT (sizeof NAMES / sizeof NAMES[0])

/* One of these annotations, unescaped; "" if there is none that could be a reference. */
static struct slice name_of(const struct layout_images *images, int image, size_t which,
                            char text[REFERENCE_MAX])
{
    struct writer w = writer_to(text, REFERENCE_MAX);
    int value = layer_annotation(&images->index, image, NAMES[which]);
    return value != NO_VALUE && document_write(&images->index, value, &w) ? written(&w) : SLICE("");
}

static bool parse(struct reference *r, struct slice name)
{
    static struct error e;
    error_clear(&e);
    return reference_parse(r, name, &e);
}

/* The tag of an image; empty if it has none. */
static struct slice tag_of(const struct layout_images *images, int image, char text[REFERENCE_MAX])
{
    struct reference r;
    for (size_t i = 0; i < NAMES_COUNT; i++) {
        struct slice name = name_of(images, image, i, text);
        if (i == 0 && tag_valid(name))
            return name;
        if (parse(&r, name) && r.tag.size)
            return r.tag;
    }
    return SLICE("");
}

static struct slice repository_of(const struct reference *r, struct writer *w)
{
    write_repository(w, r);
    return written(w);
}

static bool is_same_reference(struct slice one, struct slice other)
{
    char one_text[REPOSITORY_MAX], other_text[REPOSITORY_MAX];
    struct writer w = writer_to(one_text, sizeof one_text), x = writer_to(other_text, sizeof other_text);
    struct reference a, b;
    return parse(&a, one) && parse(&b, other) && slice_equal(a.registry, b.registry) &&
           slice_equal(repository_of(&a, &w), repository_of(&b, &x)) &&
           slice_equal(reference_tag(&a), reference_tag(&b)) && slice_equal(a.digest, b.digest);
}

static struct slice digest_at(const struct layout_images *images, int image)
{
    return descriptor_digest(&images->index, image);
}

static bool is_wanted(const struct layout_images *images, int image)
{
    char text[REFERENCE_MAX];
    struct slice wanted = slice_of(images->wanted);
    if (!images->wanted || slice_equal(wanted, digest_at(images, image)))
        return true;
    for (size_t i = 0; i < NAMES_COUNT; i++) {
        struct slice name = name_of(images, image, i, text);
        if (name.size && (slice_equal(name, wanted) || is_same_reference(name, wanted)))
            return true;
    }
    return false;
}

/* ---- Those that are to be loaded ----------------------------------------------------------------- */

/* The first of them from `image` on; NO_VALUE: there is none. */
static int next_of(const struct layout_images *images, int image)
{
    char text[REFERENCE_MAX];
    while (image != NO_VALUE &&
           !(is_wanted(images, image) && (!images->named || tag_of(images, image, text).size)))
        image = document_next(&images->index, image);
    return image;
}

static int first_of(const struct layout_images *images)
{
    return next_of(images, document_first(&images->index, images->list));
}

static int after(const struct layout_images *images, int image)
{
    return next_of(images, document_next(&images->index, image));
}

bool images_get(const struct layout_images *images, size_t number, struct layout_image *image)
{
    char text[REFERENCE_MAX];
    int i = first_of(images);
    while (i != NO_VALUE && number--)
        i = images->own_tags ? after(images, i) : NO_VALUE;
    struct slice digest = digest_at(images, i), tag = tag_of(images, i, text);
    if (!digest_is_sha256(digest)) /* there is none; or it is not what was accepted */
        return false;
    memset(image, 0, sizeof *image);
    memcpy(image->digest, digest.data, digest.size);
    memcpy(image->tag, tag.data, tag.size);
    return true;
}

/* ---- What may be wrong --------------------------------------------------------------------------- */

/* With all of them as `%.*s`. */
static bool fail(const struct layout_images *images, enum regtag_status status, const char *problem,
                 struct error *e)
{
    char list[LAYERS_TEXT_MAX], text[REFERENCE_MAX];
    struct writer w = writer_to(list, sizeof list);
    const struct document *d = &images->index;
    for (int i = document_first(d, images->list); i != NO_VALUE && !w.overflow;
         i = document_next(d, i)) {
        struct slice name = name_of(images, i, 1, text);
        if (!name.size)
            name = name_of(images, i, 0, text);
        write_format(&w, "%s%.*s", w.used ? ", " : "",
                     SLICE_ARG(name.size ? name : digest_at(images, i)));
    }
    error_set(e, (int)status, "%s: %s; it has: %.*s%s", images->layout, problem, SLICE_ARG(written(&w)),
              w.overflow ? " ..."
              : w.used   ? ""
                         : "none");
    return false;
}

static bool refuse(const struct layout_images *images, const char *problem, struct error *e)
{
    error_set(e, REGTAG_E_REFUSED, "%s: its index.json %s", images->layout, problem);
    return false;
}

/* Whether nobody else could take the descriptor for another one. */
static bool is_clear(const struct document *d, int image)
{
    bool alike = !document_is_object(d, image);
    document_member(d, image, SLICE("digest"), &alike);
    document_member(d, image, SLICE("mediaType"), &alike);
    document_member(d, image, SLICE("annotations"), &alike);
    return !alike;
}

static bool check_image(const struct layout_images *images, int image, struct error *e)
{
    const struct document *d = &images->index;
    bool alike = false;
    struct slice digest = digest_at(images, image);
    struct slice type = document_string(d, document_member(d, image, SLICE("mediaType"), &alike));
    if (!digest_valid(digest) || !digest_is_sha256(digest))
        return refuse(images, "has an image without a SHA-256", e);
    if (!media_type_find(type))
        error_set(e, REGTAG_E_REFUSED, "%s: %.*s: " NO_MANIFEST, images->layout, SLICE_ARG(digest),
                  SLICE_ARG(slice_head(type, 100)));
    return !e->status;
}

/* Two images with the same tag, or for the same tag. */
static bool collide(const struct layout_images *images, int one, int other)
{
    char text[REFERENCE_MAX], other_text[REFERENCE_MAX];
    return !slice_equal(digest_at(images, one), digest_at(images, other)) &&
           (!images->own_tags ||
            slice_equal(tag_of(images, one, text), tag_of(images, other, other_text)));
}

/* Of those for one tag, which may be thousands, all must be like the first one. */
static bool check_against_others(const struct layout_images *images, int image, struct error *e)
{
    for (int i = first_of(images); i < image; i = images->own_tags ? after(images, i) : image)
        if (collide(images, i, image))
            return fail(images, REGTAG_E_USAGE,
                        images->own_tags
                            ? "two images have the same tag; choose one with --image"
                            : "there are several images, for one tag; choose one with --image",
                        e);
    return true;
}

/* Without --image, those without a tag are left out if others have one: they are parts of these, mostly. */
bool images_check(struct layout_images *images, struct error *e)
{
    char text[REFERENCE_MAX];
    int first = first_of(images);
    if (first == NO_VALUE)
        return fail(images, REGTAG_E_NOT_FOUND, images->wanted ? "no such image" : "no image", e);
    size_t tagged = 0;
    images->left = 0;
    for (int i = first; i != NO_VALUE; i = after(images, i))
        ++*(tag_of(images, i, text).size ? &tagged : &images->left);
    if (tagged > LAYOUT_IMAGES_MAX)
        return fail(images, REGTAG_E_USAGE, "too many images; choose one with --image", e);
    if (!tagged && images->own_tags)
        return fail(
            images, REGTAG_E_USAGE,
            "no image has a tag of its own; write REPOSITORY:TAG, and choose one with --image if "
            "there are several",
            e);
    images->named = images->own_tags || (tagged && !images->wanted);
    images->left = images->named ? images->left : 0;
    for (int i = first_of(images); i != NO_VALUE; i = after(images, i))
        if (!check_image(images, i, e) || !check_against_others(images, i, e))
            return false;
    return true;
}

/* ---- Documents ------------------------------------------------------------------------------- */

bool images_read(struct layout_images *images, struct slice index, struct document_scan *scan,
                 const struct document_memory *memory, struct error *e)
{
    struct document *d = &images->index;
    bool alike = false;
    if (!document_index_scanned(d, index, scan, memory, "index.json", e))
        return false;
    images->list = document_member(d, 0, SLICE("manifests"), &alike);
    if (!document_is_object(d, 0) || !document_is_array(d, images->list) || alike)
        return refuse(images, "has no list of manifests", e);
    for (int i = document_first(d, images->list); i != NO_VALUE; i = document_next(d, i))
        if (!is_clear(d, i))
            return refuse(images, "is ambiguous", e);
    return true;
}

bool layout_version_check(const char *layout, struct slice text, struct document_scan *scan,
                          const struct document_memory *memory, struct error *e)
{
    struct document d;
    bool alike = false;
    if (!document_index_scanned(&d, text, scan, memory, "oci-layout", e))
        return false;
    struct slice version =
        document_string(&d, document_member(&d, 0, SLICE("imageLayoutVersion"), &alike));
    if (!slice_starts(version, SLICE("1.")) || alike)
        error_set(e, REGTAG_E_REFUSED,
                  "%s is an OCI image layout of a version that is not known: \"%.*s\"", layout,
                  SLICE_ARG(slice_head(version, 100)));
    return !e->status;
}
