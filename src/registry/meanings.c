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
    {404, 404, NULL, REGTAG_NOT_FOUND, NO_IMAGE},
    {410, 410, NULL, REGTAG_NOT_FOUND, NO_IMAGE},
    {0, 0, NULL, 0, NULL},
};

const struct meaning LIST_MEANINGS[] = {
    {404, 404, NULL, REGTAG_NOT_FOUND, "there is no such repository"},
    {0, 0, NULL, 0, NULL},
};

const struct meaning UPLOAD_MEANINGS[] = {
    {400, 400, "TAG_INVALID", REGTAG_IMMUTABLE, FIXED},
    {400, 400, "MANIFEST_", REGTAG_REFUSED, "the registry does not take the manifest"},
    {404, 404, NULL, REGTAG_NOT_FOUND, "the registry does not know the repository"},
    {405, 405, NULL, REGTAG_IMMUTABLE, "the registry is read-only"},
    {409, 409, NULL, REGTAG_IMMUTABLE, FIXED},
    {412, 412, NULL, REGTAG_IMMUTABLE, FIXED},
    {413, 413, NULL, REGTAG_REFUSED, "the registry finds the manifest too large"},
    {415, 415, NULL, REGTAG_REFUSED, "the registry does not take manifests of this media type"},
    {0, 0, NULL, 0, NULL},
};

const struct meaning DELETE_TAG_MEANINGS[] = {
    {400, 400, NULL, REGTAG_IMMUTABLE, ONLY_WHOLE}, {405, 405, NULL, REGTAG_IMMUTABLE, ONLY_WHOLE},
    {404, 404, NULL, REGTAG_NOT_FOUND, NO_TAG},     {409, 409, NULL, REGTAG_IMMUTABLE, KEPT},
    {412, 412, NULL, REGTAG_IMMUTABLE, KEPT},       {0, 0, NULL, 0, NULL},
};

const struct meaning DELETE_DIGEST_MEANINGS[] = {
    {400, 400, NULL, REGTAG_IMMUTABLE, KEEPS_MANIFESTS},
    {405, 405, NULL, REGTAG_IMMUTABLE, KEEPS_MANIFESTS},
    {404, 404, NULL, REGTAG_NOT_FOUND, NO_TAG},
    {409, 409, NULL, REGTAG_IMMUTABLE, KEPT},
    {412, 412, NULL, REGTAG_IMMUTABLE, KEPT},
    {0, 0, NULL, 0, NULL},
};
