#include "oci/manifest.h"

#include "oci/schema1.h"
#include "regtag.h"

#define OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define OCI_ARTIFACT "application/vnd.oci.artifact.manifest.v1+json"
#define DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define SCHEMA1_SIGNED "application/vnd.docker.distribution.manifest.v1+prettyjws"
#define SCHEMA1_PLAIN "application/vnd.docker.distribution.manifest.v1+json"

const char MANIFEST_ACCEPT[] = OCI_INDEX "," OCI_MANIFEST "," DOCKER_LIST "," DOCKER_MANIFEST
                                         "," OCI_ARTIFACT "," SCHEMA1_SIGNED "," SCHEMA1_PLAIN;

static const struct media_type MEDIA_TYPES[] = {
    {SLICE_INIT(OCI_INDEX), MANIFEST_INDEX, false},
    {SLICE_INIT(OCI_MANIFEST), MANIFEST_IMAGE, false},
    {SLICE_INIT(OCI_ARTIFACT), MANIFEST_ARTIFACT, true},
    {SLICE_INIT(DOCKER_LIST), MANIFEST_INDEX, true},
    {SLICE_INIT(DOCKER_MANIFEST), MANIFEST_IMAGE, true},
    {SLICE_INIT(SCHEMA1_SIGNED), MANIFEST_SCHEMA1, false},
    {SLICE_INIT(SCHEMA1_PLAIN), MANIFEST_SCHEMA1, false},
    /* What gateways and file servers make of any of them, and what schema 1 had at first. */
    {SLICE_INIT("application/json"), MANIFEST_UNSTATED, false},
    {SLICE_INIT("application/octet-stream"), MANIFEST_UNSTATED, false},
    {SLICE_INIT("binary/octet-stream"), MANIFEST_UNSTATED, false},
    {SLICE_INIT("text/plain"), MANIFEST_UNSTATED, false},
    {SLICE_INIT(""), MANIFEST_UNSTATED, false},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const struct media_type *media_type_find(struct slice content_type)
{
    struct slice bare = slice_trim(slice_split(&content_type, ';'));
    for (size_t i = 0; i < COUNT(MEDIA_TYPES); i++)
        if (slice_equal_nocase(bare, MEDIA_TYPES[i].name))
            return &MEDIA_TYPES[i];
    return NULL;
}

/* ---- The document's own media type -------------------------------------------------------------- */

/* Members that identify a kind of document. If there are several, manifest_check refuses the others. */
static const struct {
    const char *member, *type;
} IDENTIFYING[] = {
    {"manifests", OCI_INDEX},       {"config", OCI_MANIFEST},    {"layers", OCI_MANIFEST},
    {"signatures", SCHEMA1_SIGNED}, {"fsLayers", SCHEMA1_PLAIN},
};

static const struct media_type *type_by_members(const struct document *d)
{
    bool alike = false;
    for (size_t i = 0; i < COUNT(IDENTIFYING); i++)
        if (document_member(d, 0, slice_of(IDENTIFYING[i].member), &alike) != NO_VALUE)
            return media_type_find(slice_of(IDENTIFYING[i].type));
    return NULL;
}

/* `value` is the document's mediaType. */
static const struct media_type *type_by_name(const struct document *d, int value)
{
    for (size_t i = 0; i < COUNT(MEDIA_TYPES); i++)
        if (MEDIA_TYPES[i].kind != MANIFEST_UNSTATED && document_is_text(d, value, MEDIA_TYPES[i].name))
            return &MEDIA_TYPES[i];
    return NULL;
}

const struct media_type *manifest_type(struct slice bytes, struct document_scan *scan,
                                       const struct media_type *type,
                                       const struct document_memory *memory, struct error *e)
{
    struct document d;
    bool alike = false;
    if (type->kind != MANIFEST_UNSTATED)
        return type;
    if (!document_index_scanned(&d, bytes, scan, memory, "the manifest", e))
        return NULL;
    int value = document_member(&d, 0, SLICE("mediaType"), &alike);
    type = value == NO_VALUE ? type_by_members(&d) : type_by_name(&d, value);
    if (!type && value == NO_VALUE)
        error_set(e, REGTAG_E_REFUSED,
                  "neither its Content-Type nor the document says what kind of manifest it is");
    else if (!type)
        error_set(e, REGTAG_E_REFUSED, NO_MANIFEST,
                  SLICE_ARG(slice_head(document_string(&d, value), 100)));
    return type;
}

/* ---- Fields: what each kind of document must, may and must not have -------------------------- */

enum rule {
    DESCRIPTOR,  /* an object with mediaType, size and digest */
    DESCRIPTORS, /* an array of these */
    TEXT,        /* a non-empty string */
    ARRAY
};

enum presence { OPTIONAL, REQUIRED, FORBIDDEN };

struct field {
    unsigned char kind, presence, rule; /* the enums; small, since there are many */
    const char *name;
};

/* FORBIDDEN fields identify another kind of document: a manifest that has them would be ambiguous
 * (CVE-2021-41190). */
static const struct field FIELDS[] = {
    {MANIFEST_IMAGE, REQUIRED, DESCRIPTOR, "config"},
    {MANIFEST_IMAGE, REQUIRED, DESCRIPTORS, "layers"},
    {MANIFEST_IMAGE, OPTIONAL, DESCRIPTOR, "subject"},
    {MANIFEST_IMAGE, FORBIDDEN, ARRAY, "manifests"},
    {MANIFEST_IMAGE, FORBIDDEN, ARRAY, "fsLayers"},
    {MANIFEST_IMAGE, FORBIDDEN, ARRAY, "history"},
    {MANIFEST_INDEX, REQUIRED, DESCRIPTORS, "manifests"},
    {MANIFEST_INDEX, OPTIONAL, DESCRIPTOR, "subject"},
    {MANIFEST_INDEX, FORBIDDEN, DESCRIPTOR, "config"},
    {MANIFEST_INDEX, FORBIDDEN, ARRAY, "layers"},
    {MANIFEST_INDEX, FORBIDDEN, ARRAY, "fsLayers"},
    {MANIFEST_INDEX, FORBIDDEN, ARRAY, "history"},
    {MANIFEST_ARTIFACT, REQUIRED, TEXT, "artifactType"},
    {MANIFEST_ARTIFACT, OPTIONAL, DESCRIPTORS, "blobs"},
    {MANIFEST_ARTIFACT, OPTIONAL, DESCRIPTOR, "subject"},
    {MANIFEST_ARTIFACT, FORBIDDEN, ARRAY, "manifests"},
    {MANIFEST_ARTIFACT, FORBIDDEN, DESCRIPTOR, "config"},
    {MANIFEST_ARTIFACT, FORBIDDEN, ARRAY, "layers"},
    {MANIFEST_ARTIFACT, FORBIDDEN, ARRAY, "fsLayers"},
    {MANIFEST_ARTIFACT, FORBIDDEN, ARRAY, "history"},
    {MANIFEST_SCHEMA1, REQUIRED, TEXT, "name"},
    {MANIFEST_SCHEMA1, REQUIRED, ARRAY, "fsLayers"},
    {MANIFEST_SCHEMA1, REQUIRED, ARRAY, "history"},
    {MANIFEST_SCHEMA1, FORBIDDEN, ARRAY, "manifests"},
    {MANIFEST_SCHEMA1, FORBIDDEN, DESCRIPTOR, "config"},
    {MANIFEST_SCHEMA1, FORBIDDEN, ARRAY, "layers"},
};

static bool refuse(struct error *e, struct slice where, const char *what)
{
    error_set(e, REGTAG_E_REFUSED, "the manifest is not valid: \"%.*s\" %s", SLICE_ARG(where), what);
    return false;
}

static bool require(bool valid, struct error *e, struct slice where, const char *otherwise)
{
    if (!valid)
        refuse(e, where, otherwise);
    return valid;
}

static bool refuse_alike(struct error *e, struct slice name)
{
    return refuse(e, name, "is spelled differently, and registries disagree on that");
}

/* All members of a platform, even those that regtag does not use: clients choose an image by them. */
static const struct slice PLATFORM_MEMBERS[] = {
    SLICE_INIT("os"),         SLICE_INIT("architecture"), SLICE_INIT("variant"),
    SLICE_INIT("os.version"), SLICE_INIT("os.features"),  SLICE_INIT("features"),
};

/* Sets *alike as document_member does. */
static void check_platform(const struct document *d, int descriptor, bool *alike)
{
    int platform = document_member(d, descriptor, SLICE("platform"), alike);
    for (size_t i = 0; i < COUNT(PLATFORM_MEMBERS); i++)
        document_member(d, platform, PLATFORM_MEMBERS[i], alike);
}

static bool check_descriptor(const struct document *d, int value, struct slice where, struct error *e)
{
    bool alike = false;
    uint64_t size;
    if (!document_is_object(d, value))
        return refuse(e, where, "is not a descriptor or an array of descriptors, as it should be");

    struct slice type = document_string(d, document_member(d, value, SLICE("mediaType"), &alike));
    struct slice number = document_number(d, document_member(d, value, SLICE("size"), &alike));
    struct slice digest = document_string(d, document_member(d, value, SLICE("digest"), &alike));
    check_platform(d, value, &alike);
    if (alike)
        return refuse(e, where,
                      "has a field that is spelled differently, and registries disagree on that");
    if (type.size == 0)
        return refuse(e, where, "has a descriptor without a mediaType");
    if (!slice_number(number, INT64_MAX, &size))
        return refuse(e, where, "has a descriptor without a valid size");
    if (!digest_well_formed(digest))
        return refuse(e, where, "has a descriptor without a well-formed digest");
    return true;
}

static bool check_descriptors(const struct document *d, int array, struct slice where, struct error *e)
{
    if (!document_is_array(d, array))
        return refuse(e, where, "is not an array");
    for (int i = document_first(d, array); i != NO_VALUE; i = document_next(d, i))
        if (!check_descriptor(d, i, where, e))
            return false;
    return true;
}

static bool check_rule(const struct document *d, enum rule rule, struct slice name, int value,
                       struct error *e)
{
    switch (rule) {
    case DESCRIPTOR: return check_descriptor(d, value, name, e);
    case DESCRIPTORS: return check_descriptors(d, value, name, e);
    case TEXT: return require(document_string(d, value).size > 0, e, name, "is not a string");
    default: return require(document_is_array(d, value), e, name, "is not an array");
    }
}

static bool check_field(const struct document *d, const struct field *f, struct error *e)
{
    bool alike = false;
    struct slice name = slice_of(f->name);
    int value = document_member(d, 0, name, &alike);
    if (alike)
        return refuse_alike(e, name);
    if (f->presence == FORBIDDEN) {
        if (value == NO_VALUE)
            return true;
        error_set(e, REGTAG_E_REFUSED,
                  "the manifest is ambiguous: \"%.*s\" does not belong in its media type, so it could "
                  "be read as another image (CVE-2021-41190)",
                  SLICE_ARG(name));
        return false;
    }
    if (value == NO_VALUE)
        return require(f->presence == OPTIONAL, e, name, "is missing");
    return check_rule(d, f->rule, name, value, e);
}

static bool check_media_type(const struct document *d, const struct media_type *type, struct error *e)
{
    bool alike = false;
    int value = document_member(d, 0, SLICE("mediaType"), &alike);
    if (alike)
        return refuse_alike(e, SLICE("mediaType"));
    if (value == NO_VALUE)
        return require(!type->stated, e, SLICE("mediaType"), "is missing");
    if (!document_is_text(d, value, type->name)) {
        error_set(e, REGTAG_E_REFUSED,
                  "the manifest is ambiguous: its mediaType is \"%.*s\", but it was sent as %.*s",
                  SLICE_ARG(slice_head(document_string(d, value), 100)), SLICE_ARG(type->name));
        return false;
    }
    return true;
}

static bool check_version(const struct document *d, const struct media_type *type, struct error *e)
{
    bool alike = false;
    int value = document_member(d, 0, SLICE("schemaVersion"), &alike);
    bool schema1 = type->kind == MANIFEST_SCHEMA1;
    if (alike)
        return refuse_alike(e, SLICE("schemaVersion"));
    if (value == NO_VALUE && type->kind == MANIFEST_ARTIFACT)
        return true;
    return require(slice_equal(document_number(d, value), schema1 ? SLICE("1") : SLICE("2")), e,
                   SLICE("schemaVersion"), schema1 ? "is not 1" : "is not 2");
}

static bool check_document(const struct document *d, const struct media_type *type, struct error *e)
{
    if (!document_is_object(d, 0)) {
        error_set(e, REGTAG_E_REFUSED, "the manifest is not valid: it is not a JSON object");
        return false;
    }
    if (!check_version(d, type, e) || !check_media_type(d, type, e))
        return false;
    for (size_t i = 0; i < COUNT(FIELDS); i++)
        if (FIELDS[i].kind == type->kind && !check_field(d, &FIELDS[i], e))
            return false;
    return true;
}

bool manifest_check(struct slice bytes, struct document_scan *scan, const struct media_type *type,
                    const struct document_memory *memory, struct error *e)
{
    struct document d;
    return document_index_scanned(&d, bytes, scan, memory, "the manifest", e) &&
           check_document(&d, type, e);
}

/* ---- The digest ------------------------------------------------------------------------------ */

/* The payload of a schema 1 manifest: all of it if it is not signed. */
static bool payload(struct slice bytes, const struct media_type *type,
                    const struct document_memory *memory, struct slice parts[2], char *tail,
                    struct error *e)
{
    struct document d;
    bool alike = false;
    if (!document_index(&d, bytes, memory, "the manifest", e))
        return false;
    bool is_signed = document_member(&d, 0, SLICE("signatures"), &alike) != NO_VALUE ||
                     slice_equal(type->name, SLICE(SCHEMA1_SIGNED));
    if (alike)
        return refuse_alike(e, SLICE("signatures"));
    return require(!is_signed || schema1_payload(&d, parts, tail), e, SLICE("signatures"),
                   "does not say which part of the manifest is signed");
}

bool manifest_digest(struct slice bytes, const struct media_type *type,
                     const struct document_memory *memory, const struct regtag_hash *hash,
                     char digest[DIGEST_SHA256_SIZE + 1], struct error *e)
{
    struct slice parts[2] = {bytes, {NULL, 0}};
    char tail[SCHEMA1_TAIL_MAX];

    if (type->kind == MANIFEST_SCHEMA1 && !payload(bytes, type, memory, parts, tail, e))
        return false;
    if (!digest_of(hash, parts, 2, digest)) {
        error_set(e, REGTAG_E_OTHER, "SHA-256 failed");
        return false;
    }
    return true;
}
