/* A connection's I/O: opening, closing, reading, writing, and its error messages. Private to
 * connection.c, which handles the responses. */
#ifndef REGTAG_CLIENT_CONNECTION_IO_H
#define REGTAG_CLIENT_CONNECTION_IO_H

#include "client/connection.h"

/* Forgets what was written to the output, and wipes it. */
void connection_drop_headers(struct connection *c);

/* Asks the caller to open the connection; drops any output left from before. */
void connection_open(struct connection *c);

/* Detaches the transfer of a queue entry: it is no longer in flight. */
void connection_lose(struct in_flight *f);

/* There is a place again: for a request that was not stepped since it found none. */
void connection_make_room(const struct connection *c);

/* Requests and answers of the batch are out of step, or may be. */
void connection_doubt(struct connection *c);

/* Each sets the context's error, fails the transfer at the front, and closes the connection. The message
 * is `problem`, or what the transport says, and then `more`; a hint of the transport's takes precedence. */
void connection_fail(struct connection *c, int status, int hint, const char *problem, const char *more);
void connection_fail_protocol(struct connection *c, const char *problem);
void connection_fail_transport(struct connection *c, int hint, const char *more);
void connection_fail_closed(struct connection *c);

/* Reads into c->input, which must be empty. Returns what the transport's read returns. */
ptrdiff_t connection_read(struct connection *c);

enum quiet { QUIET, SPEAKS, ENDED, BROKEN };

/* Empty lines between responses are harmless. */
void connection_skip_empty_lines(struct connection *c);

/* Checks an idle connection for unsolicited data. */
enum quiet connection_listen(struct connection *c);

/* Writes the headers of the queued requests, as many as fit. */
void connection_write_headers(struct connection *c);

/* Hands over as much as the transport takes; checks for unsolicited data before the first byte. */
void connection_send_pending(struct connection *c);

/* Whether anything can be handed over now. */
bool connection_has_unsent(const struct connection *c);

#endif
