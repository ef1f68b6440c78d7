/* The bytes of a connection: opening and closing it, what is handed over, what is read, and what is said when it fails.
 * For connection.c only, which has the answers. */
#ifndef REGTAG_CLIENT_CONNECTION_IO_H
#define REGTAG_CLIENT_CONNECTION_IO_H

#include "client/connection.h"

/* Asks the caller to open it; what was written out before is void. */
void connection_open(struct connection *c);

/* An entry of the queue is no longer in flight. */
void connection_lose(struct in_flight *f);

/* Each closes the connection and says why, to whoever is at the front of the queue, in the context's error. */
void connection_fail(struct connection *c, int status, const char *problem, const char *more);
void connection_fail_protocol(struct connection *c, const char *problem);
void connection_fail_transport(struct connection *c); /* with what the transport says */
void connection_fail_closed(struct connection *c);

/* Reads what is there into c->input, which has to be used up; as the transport's read. */
ptrdiff_t connection_read(struct connection *c);

enum quiet { QUIET, SPEAKS, ENDED, BROKEN };

/* Empty lines between answers are harmless. */
void connection_skip_empty_lines(struct connection *c);

/* Whether anything has come that nobody asked for. */
enum quiet connection_listen(struct connection *c);

/* Writes out the headers of what is queued, as many as can be. */
void connection_write_headers(struct connection *c);

/* Hands over as much as the connection takes, after listening before the first byte. */
void connection_send_pending(struct connection *c);

/* Whether there is anything to be handed over, now. */
bool connection_has_unsent(const struct connection *c);

#endif
