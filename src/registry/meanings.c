#include "registry/meanings.h"

#include "regtag.h"

#define FIXED "the registry does not allow moving this tag"
#define KEPT "the registry does not allow deleting this tag"
#define NO_TAG "no such tag"
#define NO_IMAGE "no such image"
#define NO_BLOB "the registry does not have this blob"
#define NO_REPOSITORY "no such repository"
#define ONLY_WHOLE "the registry cannot delete a tag alone, only the manifest with all its tags"
#define KEEPS_MANIFESTS "the registry does not allow deleting manifests"

const struct meaning MANIFEST_MEANINGS[] = {
    {404, 404, REGTAG_E_NOT_FOUND, CODE_ANY, REGTAG_HINT_LIST, NO_IMAGE},
    {410, 410, REGTAG_E_NOT_FOUND, CODE_ANY, REGTAG_HINT_LIST, NO_IMAGE},
    {.text = NULL},
};

const struct meaning BLOB_MEANINGS[] = {
    {404, 404, REGTAG_E_NOT_FOUND, CODE_ANY, 0, NO_BLOB},
    {410, 410, REGTAG_E_NOT_FOUND, CODE_ANY, 0, NO_BLOB},
    {.text = NULL},
};

const struct meaning PUSH_MEANINGS[] = {
    {404, 404, REGTAG_E_NOT_FOUND, CODE_ANY, 0, NO_REPOSITORY},
    {405, 405, REGTAG_E_IMMUTABLE, CODE_ANY, 0, "the registry is read-only"},
    {413, 413, REGTAG_E_REFUSED, CODE_ANY, 0, "the blob is too large for the registry"},
    {400, 400, REGTAG_E_REFUSED, CODE_ANY, 0, "the registry rejects the blob"},
    {409, 411, REGTAG_E_REFUSED, CODE_ANY, 0, "the registry rejects the blob"},
    {414, 416, REGTAG_E_REFUSED, CODE_ANY, 0, "the registry rejects the blob"},
    {.text = NULL},
};

const struct meaning LIST_MEANINGS[] = {
    {404, 404, REGTAG_E_NOT_FOUND, CODE_ANY, 0, NO_REPOSITORY},
    {410, 410, REGTAG_E_NOT_FOUND, CODE_ANY, 0, NO_REPOSITORY},
    {.text = NULL},
};

const struct meaning UPLOAD_MEANINGS[] = {
    {400, 499, REGTAG_E_IMMUTABLE, CODE_FIXED, 0, FIXED},
    {400, 400, REGTAG_E_IMMUTABLE, CODE_TAG_INVALID, 0, FIXED},
    {400, 400, REGTAG_E_REFUSED, CODE_MANIFEST, 0, "the registry rejects the manifest"},
    {404, 404, REGTAG_E_NOT_FOUND, CODE_ANY, 0, NO_REPOSITORY},
    {405, 405, REGTAG_E_IMMUTABLE, CODE_ANY, 0, "the registry is read-only"},
    {409, 409, REGTAG_E_IMMUTABLE, CODE_ANY, 0, FIXED},
    {412, 412, REGTAG_E_IMMUTABLE, CODE_ANY, 0, FIXED},
    {423, 423, REGTAG_E_IMMUTABLE, CODE_ANY, 0, FIXED},
    {501, 501, REGTAG_E_IMMUTABLE, CODE_ANY, 0, "the registry does not support uploading this manifest"},
    {413, 413, REGTAG_E_REFUSED, CODE_ANY, 0, "the manifest is too large for the registry"},
    {415, 415, REGTAG_E_REFUSED, CODE_ANY, 0, "the registry does not accept this media type"},
    {.text = NULL},
};

const struct meaning DELETE_TAG_MEANINGS[] = {
    {400, 499, REGTAG_E_IMMUTABLE, CODE_FIXED, 0, KEPT},
    {400, 400, REGTAG_E_IMMUTABLE, CODE_ANY, REGTAG_HINT_SIBLINGS, ONLY_WHOLE},
    {405, 405, REGTAG_E_IMMUTABLE, CODE_ANY, REGTAG_HINT_SIBLINGS, ONLY_WHOLE},
    {501, 501, REGTAG_E_IMMUTABLE, CODE_ANY, REGTAG_HINT_SIBLINGS, ONLY_WHOLE},
    {404, 404, REGTAG_E_NOT_FOUND, CODE_ANY, 0, NO_TAG},
    {410, 410, REGTAG_E_NOT_FOUND, CODE_ANY, 0, NO_TAG},
    {423, 423, REGTAG_E_IMMUTABLE, CODE_ANY, 0, KEPT},
    {409, 409, REGTAG_E_IMMUTABLE, CODE_ANY, 0, KEPT},
    {412, 412, REGTAG_E_IMMUTABLE, CODE_ANY, 0, KEPT},
    {.text = NULL},
};

const struct meaning DELETE_DIGEST_MEANINGS[] = {
    {400, 499, REGTAG_E_IMMUTABLE, CODE_FIXED, 0, KEPT},
    {400, 400, REGTAG_E_IMMUTABLE, CODE_ANY, 0, KEEPS_MANIFESTS},
    {405, 405, REGTAG_E_IMMUTABLE, CODE_ANY, 0, KEEPS_MANIFESTS},
    {501, 501, REGTAG_E_IMMUTABLE, CODE_ANY, 0, KEEPS_MANIFESTS},
    {404, 404, REGTAG_E_NOT_FOUND, CODE_ANY, 0, NO_TAG},
    {410, 410, REGTAG_E_NOT_FOUND, CODE_ANY, 0, NO_TAG},
    {423, 423, REGTAG_E_IMMUTABLE, CODE_ANY, 0, KEPT},
    {409, 409, REGTAG_E_IMMUTABLE, CODE_ANY, 0, KEPT},
    {412, 412, REGTAG_E_IMMUTABLE, CODE_ANY, 0, KEPT},
    {.text = NULL},
};

bool referrers_are_unsupported(unsigned status)
{
    return status == 501 || (status >= 400 && status < 500 && status != 401 && status != 407 &&
                             status != 408 && status != 429);
}
