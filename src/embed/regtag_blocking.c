/* SPDX-License-Identifier: MIT
 * Copyright (c) the regtag authors */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include "regtag_blocking.h"

#include <netdb.h>
#include <string.h>

#define POLL_ROOM 64 /* entries; more than that are rare, and cost some needless wake-ups */

/* ---- Names ----------------------------------------------------------------------------------- */

static ptrdiff_t resolve(void *context, unsigned connection, const struct regtag_origin *origin,
                         struct regtag_address *list, size_t room, int *fd, struct regtag_failure *f)
{
    struct addrinfo hints, *found = NULL;
    size_t count = 0;
    (void)context;
    (void)connection;
    (void)fd;
    (void)f;
    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_STREAM;
    /* musl's fails for both families if a name server fails for one, which is IPv6 then. */
    if (getaddrinfo(origin->host, NULL, &hints, &found) != 0) {
        hints.ai_family = AF_INET;
        if (getaddrinfo(origin->host, NULL, &hints, &found) != 0)
            return 0;
    }
    for (const struct addrinfo *a = found; a && count < room; a = a->ai_next)
        count += regtag_address_set(&list[count], a->ai_addr, a->ai_addrlen);
    freeaddrinfo(found);
    return (ptrdiff_t)count;
}

struct regtag_resolver regtag_blocking_resolver(void)
{
    struct regtag_resolver resolver;
    memset(&resolver, 0, sizeof resolver);
    resolver.resolve = resolve;
    return resolver;
}

/* ---- Calls ----------------------------------------------------------------------------------- */

static enum regtag_status ended(struct regtag_call *call)
{
    call->hint = regtag_hint(call->operation);
    return regtag_error(call->operation, &call->error);
}

enum regtag_status regtag_call_run(struct regtag_call *call)
{
    struct regtag_want want[REGTAG_CONNECTIONS_MAX];
    struct pollfd list[POLL_ROOM];
    enum regtag_event event = REGTAG_WAIT;
    bool wanted = true;
    while (wanted && event != REGTAG_DONE && event != REGTAG_ERROR) {
        event = regtag_sockets_run(call->sockets, call->operation, want, list, POLL_ROOM);
        if (call->on_event && event != REGTAG_DONE && event != REGTAG_ERROR)
            wanted = call->on_event(call->event_context, event, regtag_result(call->operation));
    }
    if (!wanted)
        regtag_end(call->operation);
    if (!wanted || !call->config->keep)
        regtag_sockets_close(call->sockets);
    return ended(call);
}

static bool begin(struct regtag_call *call)
{
    bool room = call->sockets->count <= REGTAG_CONNECTIONS_MAX;
    call->operation = room ? regtag_init(call->memory, call->size, call->config) : NULL;
    call->error = call->operation
                      ? ""
                      : "the memory is too small or not aligned, or the configuration is not usable";
    call->hint = REGTAG_HINT_NONE;
    if (call->operation && call->require)
        call->require(call->operation);
    return call->operation != NULL;
}

static enum regtag_status go(struct regtag_call *call, enum regtag_status status)
{
    return status == REGTAG_OK ? regtag_call_run(call) : ended(call);
}

enum regtag_status regtag_call_tag(struct regtag_call *call, const char *image, const char *const *names,
                                   size_t count)
{
    return begin(call) ? go(call, regtag_tag(call->operation, image, names, count)) : REGTAG_E_OTHER;
}

enum regtag_status regtag_call_delete(struct regtag_call *call, const char *image)
{
    return begin(call) ? go(call, regtag_delete(call->operation, image)) : REGTAG_E_OTHER;
}

enum regtag_status regtag_call_list(struct regtag_call *call, const char *repository, uint64_t limit)
{
    return begin(call) ? go(call, regtag_list(call->operation, repository, limit)) : REGTAG_E_OTHER;
}

enum regtag_status regtag_call_digests(struct regtag_call *call, const char *repository, uint64_t limit)
{
    return begin(call) ? go(call, regtag_digests(call->operation, repository, limit)) : REGTAG_E_OTHER;
}

enum regtag_status regtag_call_referrers(struct regtag_call *call, const char *image,
                                         const char *artifact_type)
{
    return begin(call) ? go(call, regtag_referrers(call->operation, image, artifact_type))
                       : REGTAG_E_OTHER;
}

enum regtag_status regtag_call_digest(struct regtag_call *call, const char *image, const char **digest)
{
    *digest = "";
    if (!begin(call))
        return REGTAG_E_OTHER;
    enum regtag_status status = go(call, regtag_digest(call->operation, image));
    *digest = regtag_result(call->operation)->digest;
    return status;
}

enum regtag_status regtag_call_manifest(struct regtag_call *call, const char *image,
                                        const char **document, size_t *size)
{
    *document = "";
    *size = 0;
    if (!begin(call))
        return REGTAG_E_OTHER;
    enum regtag_status status = go(call, regtag_manifest(call->operation, image));
    if (status == REGTAG_OK)
        *document = regtag_document(call->operation, size);
    return status;
}

enum regtag_status regtag_call_fetch(struct regtag_call *call, const char *image)
{
    return begin(call) ? go(call, regtag_fetch(call->operation, image)) : REGTAG_E_OTHER;
}

enum regtag_status regtag_call_fetch_blob(struct regtag_call *call, const char *blob)
{
    return begin(call) ? go(call, regtag_fetch_blob(call->operation, blob)) : REGTAG_E_OTHER;
}

enum regtag_status regtag_call_save(struct regtag_call *call, const char *image)
{
    return begin(call) ? go(call, regtag_save(call->operation, image)) : REGTAG_E_OTHER;
}
