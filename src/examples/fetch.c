/* SPDX-License-Identifier: MIT
 * Copyright (c) the regtag authors */

/* Downloads the first layer of an image to a file, which is there only if it is right: fetch CA.PEM|- IMAGE FILE */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "regtag.h"
#include "regtag_blocking.h"
#include "regtag_sha256.h"
#include "tls.h"

static struct regtag_socket socket_memory[REGTAG_CONNECTIONS_MIN];
static struct regtag_sockets sockets = {.sockets = socket_memory, .count = REGTAG_CONNECTIONS_MIN};
static struct regtag_sha256_context sha256;
static struct regtag_call call;
static FILE *file;
static bool chosen, verified;

static bool on_event(void *context, enum regtag_event event, const struct regtag_result *result)
{
    uint64_t at;
    size_t size;
    (void)context;
    if (event == REGTAG_CHOOSE && !chosen) {
        regtag_choose(call.operation, 0);
        chosen = true; /* without a choice, the operation ends */
    } else if (event == REGTAG_BYTES) {
        const void *bytes = regtag_bytes(call.operation, &at, &size);
        if (fwrite(bytes, 1, size, file) != size)
            regtag_decline(call.operation, "the file cannot be written");
    } else if (event == REGTAG_SETTLED)
        verified = result->status == REGTAG_OK;
    return true;
}

static enum regtag_status fetch(enum regtag_scheme scheme, const char *image)
{
    struct regtag_config config = {.size = sizeof config};
    config.hash = regtag_sha256(&sha256);
    config.transport = regtag_sockets_transport(&sockets);
    config.scheme = scheme;
    config.timeout = 3600000; /* milliseconds */
    config.stall = 60000;
    config.retries = 3;
    sockets.resolver = regtag_blocking_resolver();

    call.config = &config;
    call.sockets = &sockets;
    call.on_event = on_event;
    call.size = regtag_size(&config);
    call.memory = malloc(call.size);
    enum regtag_status status = regtag_call_fetch(&call, image);
    if (status != REGTAG_OK)
        fprintf(stderr, "fetch: %s\n", call.error);
    free(call.memory);
    return status;
}

/* As FILE.new, until its digest is verified. */
static int fetch_to(enum regtag_scheme scheme, const char *image, const char *path)
{
    char name[4096];
    int size = snprintf(name, sizeof name, "%s.new", path);
    file = size > 0 && (size_t)size < sizeof name ? fopen(name, "wb") : NULL;
    if (!file) {
        perror(path);
        return REGTAG_E_OTHER;
    }
    enum regtag_status status = fetch(scheme, image);
    if (fclose(file) == 0 && verified && rename(name, path) == 0)
        return (int)status;
    remove(name);
    return status ? (int)status : REGTAG_E_OTHER;
}

int main(int argc, char **argv)
{
    const char *problem = argc != 4 ? "usage: fetch CA.PEM|- IMAGE FILE" : NULL;
    bool plain = argc > 1 && strcmp(argv[1], "-") == 0;
    if (!problem && !plain)
        problem = tls_set_up(&sockets.tls, argv[1]);
    if (problem) {
        fprintf(stderr, "fetch: %s\n", problem);
        return REGTAG_E_USAGE;
    }
    return fetch_to(plain ? REGTAG_SCHEME_PLAIN : REGTAG_SCHEME_TLS, argv[2], argv[3]);
}
