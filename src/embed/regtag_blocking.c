#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include "regtag_blocking.h"

#include <netdb.h>
#include <string.h>

ptrdiff_t regtag_resolve_blocking(void *context, const char *host, struct regtag_address *list,
                                  size_t room)
{
    struct addrinfo wanted, *found = NULL;
    size_t count = 0;
    (void)context;
    memset(&wanted, 0, sizeof wanted);
    wanted.ai_socktype = SOCK_STREAM;
    if (getaddrinfo(host, NULL, &wanted, &found) != 0)
        return 0;
    for (const struct addrinfo *a = found; a && count < room; a = a->ai_next) {
        if (a->ai_family != AF_INET && a->ai_family != AF_INET6)
            continue;
        memcpy(&list[count].socket, a->ai_addr, a->ai_addrlen);
        list[count++].size = a->ai_addrlen;
    }
    freeaddrinfo(found);
    return (ptrdiff_t)count;
}

/* ---- Calls ----------------------------------------------------------------------------------- */

static enum regtag_status ended(struct regtag_call *call)
{
    return regtag_error(call->operation, &call->error);
}

enum regtag_status regtag_call_run(struct regtag_call *call)
{
    enum regtag_event event = REGTAG_WAIT;
    bool wanted = true;
    while (wanted && event != REGTAG_DONE && event != REGTAG_ERROR) {
        struct regtag_want want;
        struct pollfd list[REGTAG_CONNECTIONS];
        uint64_t now = regtag_clock();
        event = regtag_step(call->operation, now, &want);
        regtag_sockets_apply(call->sockets, now, &want, list);
        if (event == REGTAG_WAIT)
            poll(list, REGTAG_CONNECTIONS, regtag_clock_until(want.until));
        else if (call->told && event != REGTAG_DONE && event != REGTAG_ERROR)
            wanted = call->told(call->told_context, event, regtag_result(call->operation));
    }
    if (!call->config->keep)
        regtag_sockets_close(call->sockets);
    return ended(call);
}

static bool begin(struct regtag_call *call)
{
    call->operation = regtag_init(call->memory, call->size, call->config);
    call->error = call->operation
                      ? ""
                      : "the memory is too small or not aligned, or regtag.h is of another version";
    return call->operation != NULL;
}

static enum regtag_status go(struct regtag_call *call, enum regtag_status status)
{
    return status == REGTAG_OK ? regtag_call_run(call) : ended(call);
}

enum regtag_status regtag_call_tag(struct regtag_call *call, const char *image, const char *const *names,
                                   size_t count)
{
    return begin(call) ? go(call, regtag_tag(call->operation, image, names, count)) : REGTAG_OTHER;
}

enum regtag_status regtag_call_delete(struct regtag_call *call, const char *image)
{
    return begin(call) ? go(call, regtag_delete(call->operation, image)) : REGTAG_OTHER;
}

enum regtag_status regtag_call_list(struct regtag_call *call, const char *repository, uint64_t limit)
{
    return begin(call) ? go(call, regtag_list(call->operation, repository, limit)) : REGTAG_OTHER;
}

enum regtag_status regtag_call_digest(struct regtag_call *call, const char *image, const char **digest)
{
    *digest = "";
    if (!begin(call))
        return REGTAG_OTHER;
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
        return REGTAG_OTHER;
    enum regtag_status status = go(call, regtag_manifest(call->operation, image));
    if (status == REGTAG_OK)
        *document = regtag_document(call->operation, size);
    return status;
}
