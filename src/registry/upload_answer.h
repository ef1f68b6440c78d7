/* What a registry's answers say about the upload of a blob: where it goes on, and how far it has come (OCI distribution
 * specification, "Pushing a blob in chunks"). */
#ifndef REGTAG_REGISTRY_UPLOAD_ANSWER_H
#define REGTAG_REGISTRY_UPLOAD_ANSWER_H

#include "http/response.h"

/* Writes the Location, resolved against the URL that was asked for (RFC 9110, 10.2.2), to `location`, which has URL_MAX + 1
 * bytes. False if there is none, if it leads from TLS to plain HTTP, or if it leaves no room to append
 * `digest`; *location is unchanged then. `asked` may point to it. */
bool upload_location(const struct http_response *response, struct slice asked, struct slice digest,
                     char *location);

/* How many bytes the registry has, from the Range; false if it does not say. */
bool upload_size(const struct http_response *response, uint64_t *size);

#endif
