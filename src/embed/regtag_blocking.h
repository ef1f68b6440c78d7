/* SPDX-License-Identifier: MIT
 * Copyright (c) the regtag authors */

/* regtag.h for a program that has nothing else to do meanwhile: calls that return when the operation
 * is over, after config->timeout at the latest. They allocate nothing.
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

/* What a call works with. All of it is the caller's, and must stay valid during the call. */
struct regtag_call {
    void *memory;                       /* for the operation, aligned as for regtag_init */
    size_t size;                        /* of it, at least regtag_size(config) bytes */
    const struct regtag_config *config; /* its transport is regtag_sockets_transport(sockets) */
    struct regtag_sockets *sockets;
    /* May be NULL. Called for all events but REGTAG_WAIT, REGTAG_DONE and REGTAG_ERROR, with the result. If it
     * returns false, the operation is abandoned there (see regtag_end), and the call returns REGTAG_OK unless
     * something has failed before. What became of tags that were announced before is not found out then: to leave only
     * this one and the next ones alone, call regtag_decline and return true. */
    bool (*on_event)(void *context, enum regtag_event event, const struct regtag_result *result);
    void *event_context;

    /* Set by each call, and valid until the next one with the same memory. */
    struct regtag *operation; /* the operation, which is over; NULL if it could not be set up */
    const char *error;        /* the message if the status isn't REGTAG_OK, else "" */
    enum regtag_hint hint;    /* what would help then */
    /* NULL, or regtag_require_signature, if there are keys in the configuration. */
    enum regtag_status (*require)(struct regtag *r);
    void *reserved[3];
};

/* As the calls of the same name in regtag.h, with all the steps that follow. They return the status of the
 * whole operation; REGTAG_E_OTHER if it could not be set up (see regtag_init), or if there are more sockets
 * than REGTAG_CONNECTIONS_MAX. */
enum regtag_status regtag_call_tag(struct regtag_call *call, const char *image, const char *const *names,
                                   size_t count);
enum regtag_status regtag_call_delete(struct regtag_call *call, const char *image);
enum regtag_status regtag_call_list(struct regtag_call *call, const char *repository, uint64_t limit);
enum regtag_status regtag_call_digests(struct regtag_call *call, const char *repository, uint64_t limit);
enum regtag_status regtag_call_referrers(struct regtag_call *call, const char *image,
                                         const char *artifact_type);

/* *digest is owned by the operation, and valid for as long as `error`; "" if it is unknown. */
enum regtag_status regtag_call_digest(struct regtag_call *call, const char *image, const char **digest);

/* So is *document, *size bytes that are not NUL-terminated; none unless REGTAG_OK is returned. */
enum regtag_status regtag_call_manifest(struct regtag_call *call, const char *image,
                                        const char **document, size_t *size);

/* `on_event` chooses layers, and takes their bytes. */
enum regtag_status regtag_call_fetch(struct regtag_call *call, const char *image);
enum regtag_status regtag_call_fetch_blob(struct regtag_call *call, const char *blob);

/* `on_event` chooses manifests and blobs, and takes their bytes. */
enum regtag_status regtag_call_save(struct regtag_call *call, const char *image);

/* For any other operation: runs call->operation, after one of the calls of regtag.h has chosen what it does.
 * There may be up to REGTAG_CONNECTIONS_MAX sockets. Closes the connections at the end, unless config->keep
 * is set and the operation was not abandoned; then calling regtag_sockets_close is up to the caller. */
enum regtag_status regtag_call_run(struct regtag_call *call);

/* Looks names up by the C library's getaddrinfo, which allocates, and may block for many seconds, even past
 * the operation's timeout. Where it finds nothing, it looks for IPv4 addresses alone. */
struct regtag_resolver regtag_blocking_resolver(void);

#ifdef __cplusplus
}
#endif

#endif
