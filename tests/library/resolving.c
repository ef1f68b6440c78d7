/* Names that a program looks up itself: resolving IMAGE ADDRESS... asks for the image's digest. The host has the
 * IPv4 addresses given, which are known at the third time that the transport asks for them. Prints the status, then
 * the digest or the message. */
#define _POSIX_C_SOURCE 200809L

#include <arpa/inet.h>
#include <netinet/in.h>
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

static ptrdiff_t resolve(void *context, const char *host, struct regtag_address *list, size_t room)
{
    struct names *names = context;
    ptrdiff_t count = 0;
    (void)host;
    if (names->asked++ < ASKED_BEFORE)
        return REGTAG_AGAIN;
    for (; count < names->count && (size_t)count < room; count++) {
        struct sockaddr_in a;
        memset(&a, 0, sizeof a);
        a.sin_family = AF_INET;
        if (inet_pton(AF_INET, names->texts[count], &a.sin_addr) != 1)
            exit(REGTAG_USAGE);
        memcpy(&list[count].socket, &a, sizeof a);
        list[count].size = sizeof a;
    }
    return count;
}

static struct regtag *begin(struct regtag_sockets *sockets, mbedtls_sha256_context *sha256,
                            const char *image)
{
    static uint64_t memory[(REGTAG_SIZE(4096, 64) + 7) / 8];
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
    static struct regtag_sockets sockets;
    static mbedtls_sha256_context sha256;
    struct names names = {0, argc - 2, argv + 2};
    enum regtag_event event = REGTAG_WAIT;
    const char *error;
    if (argc < 2)
        return REGTAG_USAGE;
    sockets.resolve = resolve;
    sockets.resolve_context = &names;
    struct regtag *operation = begin(&sockets, &sha256, argv[1]);
    while (event != REGTAG_DONE && event != REGTAG_ERROR) {
        struct regtag_want want;
        struct pollfd list[REGTAG_CONNECTIONS];
        uint64_t now = regtag_clock();
        event = regtag_step(operation, now, &want);
        regtag_sockets_apply(&sockets, now, &want, list);
        if (names.asked > 0 && names.asked <= ASKED_BEFORE)
            want.until = now + 10; /* the program's own business */
        if (event == REGTAG_WAIT)
            poll(list, REGTAG_CONNECTIONS, regtag_clock_until(want.until));
    }
    int status = (int)regtag_error(operation, &error);
    printf("%d\n%s\n", status, status ? error : regtag_result(operation)->digest);
    return 0;
}
