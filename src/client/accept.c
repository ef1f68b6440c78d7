#include "client/accept.h"

#include "http/request.h"
#include "oci/manifest.h"

void accept_write(struct writer *w, bool lines)
{
    struct slice types = slice_of(MANIFEST_ACCEPT);
    do
        write_field(w, "Accept", slice_split(&types, lines ? ',' : '\0'));
    while (types.data);
}

bool accept_is_misread(const struct http_response *response)
{
    struct slice type = SLICE("");
    http_response_field(response, SLICE("content-type"), &type);
    const struct media_type *media_type = media_type_find(type);
    return (response->status == 406 && !response->head_request) ||
           (response->status == 200 && media_type && media_type->kind == MANIFEST_SCHEMA1);
}
