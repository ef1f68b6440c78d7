/* What every operation needs: memory, connections, hash, randomness, credentials. There is one of each,
 * so only one operation runs at a time. */
#ifndef REGTAG_CLI_SESSION_H
#define REGTAG_CLI_SESSION_H

#include "base/error.h"
#include "cli/options.h"
#include "regtag.h"

/* Reads the options for TLS, proxies and signatures, and pipes among their files by the deadline, of regtag_clock(). *o
 * must outlive the session. False, and e set with REGTAG_E_USAGE or REGTAG_E_CREDENTIALS, if they are not
 * valid. */
bool session_init(const struct options *o, uint64_t deadline, struct error *e);

/* Finds the credentials for the registry of `image`, by the deadline, of regtag_clock(); sends nothing.
 * False, and e set, if `image` is no reference or the credentials are unusable. */
bool session_login(const char *image, uint64_t deadline, struct error *e);

/* The same for the registries of both sides of a copy. --user and the like are for one registry only: e is set with
 * REGTAG_E_USAGE if they would be sent to two. */
bool session_login_copy(const char *image, const char *target, uint64_t deadline, struct error *e);

/* The same for one image after the other: keeps the credentials of the last one where they serve. */
bool session_login_next(const char *image, uint64_t deadline, struct error *e);

/* --user and the like are for one registry only. False, and e set with REGTAG_E_USAGE, if they would be
 * sent to two. */
bool session_same_login(const char *image, const char *other, struct error *e);

/* Whether a file with credentials, certificates or keys has changed since the last call. What is open by
 * then was made with the old one. */
bool session_files_changed(void);

/* The configuration that the options ask for; the operation ends at the deadline. */
struct regtag_config session_config(uint64_t deadline);

/* The memory that the next operation will take, for something else until then; the last one ends. Aligned as malloc
 * would align it, and large enough for a manifest, its tokens and keys (struct document_memory). */
void *session_scratch(void);

/* Makes an operation; the last one ends. */
struct regtag *session_operation(const struct regtag_config *config);

/* The same after an operation with `keep`, with the connections and the token of that one (regtag_next). */
struct regtag *session_next(const struct regtag_config *config);

/* Whether the operation has not failed; else e is set to its error. */
bool session_operation_ok(const struct regtag *r, struct error *e);

/* Steps it to the next event other than REGTAG_WAIT. */
enum regtag_event session_step(struct regtag *r);

/* For --verbose. */
void session_note(const char *text);

/* Closes all connections. A finished operation may leave some open for the next one. */
void session_close(void);

/* Closes all connections and wipes the credentials. */
void session_end(void);

#endif
