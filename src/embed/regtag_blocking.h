/* SPDX-License-Identifier: MIT
 * Copyright (c) the regtag authors */

/* regtag.h for a program that has nothing else to do in the meantime: calls that come back when all is
 * done, at the latest when config->timeout is over. They allocate nothing.
 *
 *     struct regtag_call call = {.memory = memory, .size = sizeof memory, .config = &config,
 *                                .sockets = &sockets};
 *     if (regtag_call_tag(&call, "registry.example/team/app:1.0", names, 1) != REGTAG_OK)
 *         puts(call.error);
 */
#ifndef REGTAG_BLOCKING_H
#define REGTAG_BLOCKING_H

#include "regtag_sockets.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a call works with: the caller's, and it must stay. */
struct regtag_call {
    void *memory;                       /* for the operation, as regtag_init wants it */
    size_t size;                        /* bytes of it, regtag_size(config) at least */
    const struct regtag_config *config; /* its transport is regtag_sockets_transport(sockets) */
    struct regtag_sockets *sockets;
    /* May be NULL. Told of REGTAG_UPLOAD, REGTAG_SETTLED and REGTAG_LISTED, with the result; when it
     * answers false, the operation is given up there: regtag_error says REGTAG_OK then. */
    bool (*told)(void *context, enum regtag_event event, const struct regtag_result *result);
    void *told_context;

    /* Set by each call. Both stay until the next one with the same memory. */
    struct regtag *operation; /* the operation, which is over; NULL where there was none */
    const char *error;        /* the message where the status isn't REGTAG_OK, else "" */
    enum regtag_hint hint;    /* what would help then */
    void *reserved[4];
};

/* As the calls of the same name in regtag.h, and all the steps behind them. What they answer is the
 * status of the whole operation; REGTAG_E_OTHER where the memory does not do (see regtag_init). */
enum regtag_status regtag_call_tag(struct regtag_call *call, const char *image, const char *const *names,
                                   size_t count);
enum regtag_status regtag_call_delete(struct regtag_call *call, const char *image);
enum regtag_status regtag_call_list(struct regtag_call *call, const char *repository, uint64_t limit);

/* *digest is the operation's, as `error` above. */
enum regtag_status regtag_call_digest(struct regtag_call *call, const char *image, const char **digest);

/* So is *document, of *size bytes. */
enum regtag_status regtag_call_manifest(struct regtag_call *call, const char *image,
                                        const char **document, size_t *size);

/* For any other operation: all the steps of call->operation, whose task has been set. The connections are
 * closed at the end, unless config->keep is set; then regtag_sockets_close is left to the caller. */
enum regtag_status regtag_call_run(struct regtag_call *call);

/* Looks names up by the C library's getaddrinfo. That may take many seconds, the operation's timeout
 * notwithstanding, and it allocates. */
struct regtag_resolver regtag_blocking_resolver(void);

#ifdef __cplusplus
}
#endif

#endif
