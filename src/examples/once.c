/* SPDX-License-Identifier: MIT
 * Copyright (c) the regtag authors */

/* Gives an image more tags, and waits until that is done: once CA.PEM|- IMAGE NAME... */
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

static bool on_event(void *context, enum regtag_event event, const struct regtag_result *result)
{
    (void)context;
    if (event == REGTAG_SETTLED)
        printf("%s %s\n", result->name, result->status == REGTAG_OK ? result->digest : "failed");
    return true;
}

static enum regtag_status tag(enum regtag_scheme scheme, const char *image, const char *const *names,
                              size_t count)
{
    struct regtag_config config = {.size = sizeof config};
    config.hash = regtag_sha256(&sha256);
    config.transport = regtag_sockets_transport(&sockets);
    config.scheme = scheme;
    config.timeout = 60000; /* milliseconds */
    sockets.resolver = regtag_blocking_resolver();

    struct regtag_call call = {.config = &config, .sockets = &sockets, .on_event = on_event};
    call.size = regtag_size(&config);
    call.memory = malloc(call.size);
    enum regtag_status status = regtag_call_tag(&call, image, names, count);
    if (status != REGTAG_OK)
        fprintf(stderr, "once: %s\n", call.error);
    free(call.memory);
    return status;
}

int main(int argc, char **argv)
{
    const char *problem = argc < 4 ? "usage: once CA.PEM|- IMAGE NAME..." : NULL;
    bool plain = argc > 1 && strcmp(argv[1], "-") == 0;
    if (!problem && !plain)
        problem = tls_set_up(&sockets.tls, argv[1]);
    if (problem) {
        fprintf(stderr, "once: %s\n", problem);
        return REGTAG_E_USAGE;
    }
    return (int)tag(plain ? REGTAG_SCHEME_PLAIN : REGTAG_SCHEME_TLS, argv[2],
                    (const char *const *)argv + 3, (size_t)argc - 3);
}
