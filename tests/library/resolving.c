/* Names that a program looks up itself: resolving IMAGE ADDRESS... asks for the image's digest. The host has the
 * IPv4 addresses given, which are known at the third time that the transport asks for them. Prints the status, then
 * the digest or the message. */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "regtag.h"
#include "regtag_sha256.h"
#include "regtag_sockets.h"

#define ASKED_BEFORE 2u

struct names {
    unsigned asked;
    int count;
    char **texts;
};

static ptrdiff_t resolve(void *context, unsigned connection, const struct regtag_origin *origin,
                         struct regtag_address *list, size_t room, int *fd, struct regtag_failure *f)
{
    struct names *names = context;
    size_t count = 0;
    (void)connection;
    (void)origin;
    (void)fd;
    (void)f;
    if (names->asked++ < ASKED_BEFORE)
        return REGTAG_IO_AGAIN;
    for (; count < (size_t)names->count && count < room; count++)
        if (!regtag_address_parse(&list[count], names->texts[count]))
            exit(REGTAG_E_USAGE);
    return (ptrdiff_t)count;
}

static struct regtag *begin(struct regtag_sockets *sockets, struct regtag_sha256_context *sha256,
                            const char *image)
{
    static uint64_t memory[(REGTAG_SIZE(4096, 64, REGTAG_CONNECTIONS_MIN) + 7) / 8];
    struct regtag_config config;
    memset(&config, 0, sizeof config);
    config.size = sizeof config;
    config.hash = regtag_sha256(sha256);
    config.transport = regtag_sockets_transport(sockets);
    config.scheme = REGTAG_SCHEME_PLAIN;
    config.timeout = 2000;
    config.manifest_max = 4096;
    config.tokens_max = 64;
    struct regtag *operation = regtag_init(memory, sizeof memory, &config);
    regtag_digest(operation, image);
    return operation;
}

int main(int argc, char **argv)
{
    static struct regtag_socket memory[REGTAG_CONNECTIONS_MIN];
    static struct regtag_sockets sockets = {.sockets = memory, .count = REGTAG_CONNECTIONS_MIN};
    static struct regtag_sha256_context sha256;
    struct names names = {0, argc - 2, argv + 2};
    enum regtag_event event = REGTAG_WAIT;
    const char *error;
    if (argc < 2)
        return REGTAG_E_USAGE;
    sockets.resolver.resolve = resolve;
    sockets.resolver.context = &names;
    struct regtag *operation = begin(&sockets, &sha256, argv[1]);
    while (event != REGTAG_DONE && event != REGTAG_ERROR) {
        struct regtag_want want[REGTAG_CONNECTIONS_MIN];
        struct pollfd list[REGTAG_POLL_ENTRIES(REGTAG_CONNECTIONS_MIN)];
        event = regtag_sockets_run(&sockets, operation, want, list, sizeof list / sizeof list[0]);
    }
    int status = (int)regtag_error(operation, &error);
    printf("%d\n%s\n", status, status ? error : regtag_result(operation)->digest);
    return 0;
}
