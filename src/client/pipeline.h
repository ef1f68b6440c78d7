/* Several requests in flight on one connection (RFC 9112, 9.3.2), and servers or proxies that cannot cope
 * with that: they close the connection after the first answer, never answer the others, or refuse them. */
#ifndef REGTAG_CLIENT_PIPELINE_H
#define REGTAG_CLIENT_PIPELINE_H

#include "client/remote.h"

/* Whether a request can be sent behind those that are in flight on the connection. */
bool pipeline_takes(const struct remote *r, const struct connection *c,
                    const struct regtag_origin *origin);

/* Whether a request was left without an answer, and not alone. A manifest and one lookup are no pipeline that
 * needs to be spared. */
bool pipeline_has_lost(const struct transfer *t);

/* A pipelined request got no answer; `lost`: while another one was at the front. What is learned from that
 * holds for all connections of the remote. */
void pipeline_broke(struct remote *r, const struct connection *c, bool lost);

/* Whether the response, to a pipelined request, is not the registry's: some proxies refuse whatever comes
 * behind another request, and close. */
bool pipeline_is_refused(const struct http_response *response, const struct answer_words *words);

/* How long to wait for the response to a pipelined request to begin, in milliseconds. */
uint64_t pipeline_patience(const struct remote *r);

#endif
