#include "registry/meanings.h"

#include "regtag.h"

#define FIXED "the registry does not let this tag be moved"
#define KEPT "the registry does not let this tag be deleted"
#define NO_TAG "there is no such tag"
#define NO_IMAGE "there is no such image; \"regtag ls\" lists the tags of a repository"
#define ONLY_WHOLE                                                                                      \
    "the registry cannot delete a tag alone, only the manifest with all its tags, as \"regtag delete "  \
    "--with-siblings\" does"
#define KEEPS_MANIFESTS "the registry does not let manifests be deleted"

const struct meaning MANIFEST_MEANINGS[] = {
    {404, 404, REGTAG_NOT_FOUND, CODE_ANY, NO_IMAGE},
    {410, 410, REGTAG_NOT_FOUND, CODE_ANY, NO_IMAGE},
    {0, 0, 0, CODE_ANY, NULL},
};

const struct meaning LIST_MEANINGS[] = {
    {404, 404, REGTAG_NOT_FOUND, CODE_ANY, "there is no such repository"},
    {0, 0, 0, CODE_ANY, NULL},
};

const struct meaning UPLOAD_MEANINGS[] = {
    {400, 400, REGTAG_IMMUTABLE, CODE_TAG_INVALID, FIXED},
    {400, 400, REGTAG_REFUSED, CODE_MANIFEST, "the registry does not take the manifest"},
    {404, 404, REGTAG_NOT_FOUND, CODE_ANY, "the registry does not know the repository"},
    {405, 405, REGTAG_IMMUTABLE, CODE_ANY, "the registry is read-only"},
    {409, 409, REGTAG_IMMUTABLE, CODE_ANY, FIXED},
    {412, 412, REGTAG_IMMUTABLE, CODE_ANY, FIXED},
    {413, 413, REGTAG_REFUSED, CODE_ANY, "the registry finds the manifest too large"},
    {415, 415, REGTAG_REFUSED, CODE_ANY, "the registry does not take manifests of this media type"},
    {0, 0, 0, CODE_ANY, NULL},
};

const struct meaning DELETE_TAG_MEANINGS[] = {
    {400, 400, REGTAG_IMMUTABLE, CODE_ANY, ONLY_WHOLE},
    {405, 405, REGTAG_IMMUTABLE, CODE_ANY, ONLY_WHOLE},
    {404, 404, REGTAG_NOT_FOUND, CODE_ANY, NO_TAG},
    {409, 409, REGTAG_IMMUTABLE, CODE_ANY, KEPT},
    {412, 412, REGTAG_IMMUTABLE, CODE_ANY, KEPT},
    {0, 0, 0, CODE_ANY, NULL},
};

const struct meaning DELETE_DIGEST_MEANINGS[] = {
    {400, 400, REGTAG_IMMUTABLE, CODE_ANY, KEEPS_MANIFESTS},
    {405, 405, REGTAG_IMMUTABLE, CODE_ANY, KEEPS_MANIFESTS},
    {404, 404, REGTAG_NOT_FOUND, CODE_ANY, NO_TAG},
    {409, 409, REGTAG_IMMUTABLE, CODE_ANY, KEPT},
    {412, 412, REGTAG_IMMUTABLE, CODE_ANY, KEPT},
    {0, 0, 0, CODE_ANY, NULL},
};
