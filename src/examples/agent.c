/* SPDX-License-Identifier: MIT
 * Copyright (c) the regtag authors */

/* An update agent without a heap: agent IMAGE DEVICE SECONDS [CA.PEM]
 *
 * Every so many seconds it asks where the tag of IMAGE points. When that has changed, it installs the image
 * and then says so in the registry, by giving the image the tag DEVICE-installed. All of this happens in its
 * own loop, beside whatever else the agent has to do: here that is stdin, where a line means "look now", and
 * the end means "end". */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "regtag.h"
#include "regtag_sha256.h"
#include "regtag_sockets.h"
#include "tls.h"

#define MANIFEST_MAX (64 * 1024) /* bytes; a larger one is refused */
#define TOKENS_MAX 2048          /* JSON values and keys in it */
#define CONNECTIONS REGTAG_CONNECTIONS_MIN
#define ENTRIES REGTAG_POLL_ENTRIES(CONNECTIONS)

/* All the memory of an operation, aligned for what is in it. */
static uint64_t memory[(REGTAG_SIZE(MANIFEST_MAX, TOKENS_MAX, CONNECTIONS) + 7) / 8];

static struct regtag_config config;
static struct regtag_socket socket_memory[CONNECTIONS];
static struct regtag_sockets sockets = {.sockets = socket_memory, .count = CONNECTIONS};
static struct regtag_sha256_context sha256;

static const char *image;
static char tag[129], installed[512]; /* DEVICE-installed, and IMAGE@DIGEST */
static uint64_t interval, next;       /* milliseconds between two looks, and when the next one is due */
static bool marked = true;            /* the registry knows what is installed */

static struct regtag *operation; /* the one under way, or NULL */
static bool marking;             /* it sets the tag; else it asks for the digest */

/* Writes a, b and c one behind the other, if there is room for them. */
static bool join(char *text, size_t room, const char *a, const char *b, const char *c)
{
    if (strlen(a) + strlen(b) + strlen(c) >= room)
        return false;
    strcat(strcat(strcpy(text, a), b), c);
    return true;
}

/* Writes a line. A server's words may be in it, and are not to be trusted with a terminal. */
static void say(int fd, const char *text)
{
    char line[1200];
    size_t size = 0;
    for (; size < sizeof line - 1 && text[size]; size++)
        line[size] = text[size] >= ' ' && text[size] <= '~' ? text[size] : '?';
    line[size++] = '\n';
    if (write(fd, line, size) < 0)
        _exit(REGTAG_E_OTHER);
}

/* Yours: brings the image onto the device, and remembers that across restarts. */
static bool install(const char *reference)
{
    say(STDOUT_FILENO, reference);
    return true;
}

static void begin(void)
{
    static const char *const tags[] = {tag};
    operation = regtag_init(memory, sizeof memory, &config);
    marking = !marked && !marking; /* where the tag cannot be set, it looks in between */
    if (marking)
        regtag_tag(operation, installed, tags, 1);
    else
        regtag_digest(operation, image); /* what is wrong with the name, regtag_step tells as well */
}

static void look_at(const char *digest)
{
    char found[sizeof installed];
    if (!join(found, sizeof found, image, "@", digest) || strcmp(found, installed) == 0 ||
        !install(found))
        return;
    strcpy(installed, found);
    marked = false;
    next = 0; /* to be told at once */
}

/* The operation is over. What failed is tried again when the next look is due. */
static void finish(uint64_t now)
{
    const char *error;
    uint64_t pause = regtag_pause(operation); /* the registry may want to be left alone for longer */
    next = now + (pause > interval ? pause : interval);
    if (regtag_error(operation, &error) != REGTAG_OK)
        say(STDERR_FILENO, error);
    else if (marking)
        marked = true;
    else
        look_at(regtag_result(operation)->digest);
    operation = NULL;
}

/* One step of what is to be done. Fills in what poll is to wait for, *count entries, and returns until when. */
static uint64_t step(uint64_t now, struct pollfd list[ENTRIES], size_t *count)
{
    struct regtag_want want[CONNECTIONS];
    *count = 0;
    if (!operation && now >= next)
        begin();
    if (!operation)
        return next;
    enum regtag_event event = regtag_step(operation, now, want, CONNECTIONS);
    uint64_t until = event == REGTAG_WAIT ? regtag_until(operation) : now;
    *count = regtag_sockets_apply(&sockets, now, want, list, ENTRIES, &until);
    if (event == REGTAG_DONE || event == REGTAG_ERROR)
        finish(now);
    return until;
}

int main(int argc, char **argv)
{
    const char *problem = NULL;
    if (argc < 4 || (interval = strtoul(argv[3], NULL, 10) * UINT64_C(1000)) == 0 ||
        !join(tag, sizeof tag, argv[2], "-", "installed"))
        problem = "usage: agent IMAGE DEVICE SECONDS [CA.PEM]";
    else if (argc > 4)
        problem = tls_set_up(&sockets.tls, argv[4]);
    if (problem) {
        say(STDERR_FILENO, problem);
        return REGTAG_E_USAGE;
    }
    image = argv[1];
    config.size = sizeof config;
    config.hash = regtag_sha256(&sha256);
    config.transport = regtag_sockets_transport(&sockets);
    config.scheme = argc > 4 ? REGTAG_SCHEME_TLS : REGTAG_SCHEME_PLAIN;
    config.timeout = 30000; /* milliseconds, for one operation */
    config.manifest_max = MANIFEST_MAX;
    config.tokens_max = TOKENS_MAX;

    for (;;) {
        struct pollfd list[1 + ENTRIES] = {{STDIN_FILENO, POLLIN, 0}};
        size_t count;
        char line[64];
        uint64_t until = step(regtag_clock(), list + 1, &count);
        poll(list, (nfds_t)(1 + count), regtag_clock_until(until));
        if (list[0].revents && read(STDIN_FILENO, line, sizeof line) <= 0)
            break;
        if (list[0].revents)
            next = 0;
    }
    regtag_sockets_close(&sockets);
    return 0;
}
