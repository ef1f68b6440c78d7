/* What an operation of the program stands on: memory, connections, hash, randomness, credentials. There is
 * one of each, so there is one operation at a time. */
#ifndef REGTAG_CLI_SESSION_H
#define REGTAG_CLI_SESSION_H

#include "base/error.h"
#include "cli/options.h"
#include "regtag.h"

/* Reads the options that belong to TLS and proxies. *o must stay. False, and e set with REGTAG_USAGE, when
 * they make no sense. */
bool session_init(const struct options *o, struct error *e);

/* Finds the credentials for the registry of `image`, by the deadline, of clock_now(). False, and e set, when
 * the image is none, or something is wrong with the credentials. Nothing is sent yet. */
bool session_login(const char *image, uint64_t deadline, struct error *e);

/* The same for one image after the other: keeps what was found for the last one where it serves. */
bool session_login_next(const char *image, uint64_t deadline, struct error *e);

/* Whether one login may serve both images: --user and the like are for one registry. False, and e set with
 * REGTAG_USAGE, when it would be sent to two. */
bool session_same_login(const char *image, const char *other, struct error *e);

/* The configuration that the options ask for. The operation ends at the deadline. */
struct regtag_config session_config(uint64_t deadline);

/* Makes an operation, over whatever the last one left. */
struct regtag *session_operation(const struct regtag_config *config);

/* Whether the operation has not failed; else e is set to its error. */
bool session_operation_ok(const struct regtag *r, struct error *e);

/* Steps it until it has something to tell: any event but REGTAG_WAIT. */
enum regtag_event session_step(struct regtag *r);

/* Tells, with --verbose, what is being done. */
void session_note(const char *text);

/* Closes all connections, which an operation that is over may have left open. */
void session_close(void);

/* Closes all connections and wipes the credentials. */
void session_end(void);

#endif
