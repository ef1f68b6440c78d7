/* Operations side by side in one thread, with one poll for all: pair NAME IMAGE... gives each image the tag NAME.
 * Prints "STATUS DIGEST" for each of them, and last the number of times that another one came to its turn while one
 * was under way. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "regtag.h"
#include "regtag_sha256.h"
#include "regtag_sockets.h"

#define OPERATIONS_MAX 16

struct one {
    struct regtag *operation;
    struct regtag_socket memory[REGTAG_CONNECTIONS_MIN];
    struct regtag_sockets sockets;
    struct regtag_sha256_context sha256;
    bool over;
};

static struct one all[OPERATIONS_MAX];

static void begin(struct one *one, const char *image, const char *const *name)
{
    struct regtag_config config;
    one->sockets.sockets = one->memory;
    one->sockets.count = REGTAG_CONNECTIONS_MIN;
    memset(&config, 0, sizeof config);
    config.size = sizeof config;
    config.hash = regtag_sha256(&one->sha256);
    config.transport = regtag_sockets_transport(&one->sockets);
    config.timeout = 20000;
    config.retries = 4; /* docker-registry fails while it writes a tag that is asked for */
    config.manifest_max = 65536;
    config.tokens_max = 1024;
    size_t size = regtag_size(&config);
    one->operation = regtag_init(malloc(size), size, &config);
    regtag_tag(one->operation, image, name, 1);
}

/* One step; what it waits for is added to the list. Returns how many entries that are. */
static size_t step(struct one *one, struct pollfd *list, size_t room, uint64_t *until)
{
    struct regtag_want want[REGTAG_CONNECTIONS_MIN];
    uint64_t now = regtag_clock();
    enum regtag_event event = regtag_step(one->operation, now, want, REGTAG_CONNECTIONS_MIN);
    uint64_t then = event == REGTAG_WAIT ? regtag_until(one->operation) : now;
    size_t entries = regtag_sockets_apply(&one->sockets, now, want, list, room, &then);
    one->over = event == REGTAG_DONE || event == REGTAG_ERROR;
    *until = then < *until ? then : *until;
    return entries;
}

int main(int argc, char **argv)
{
    int count = argc - 2, left = count;
    unsigned turns = 0;
    if (count < 1 || count > OPERATIONS_MAX)
        return REGTAG_E_USAGE;
    for (int i = 0; i < count; i++)
        begin(&all[i], argv[i + 2], (const char *const *)argv + 1);
    while (left > 0) {
        struct pollfd list[OPERATIONS_MAX * REGTAG_POLL_ENTRIES(REGTAG_CONNECTIONS_MIN)];
        size_t used = 0;
        uint64_t until = UINT64_MAX;
        left = 0;
        for (int i = 0; i < count; i++) {
            if (all[i].over)
                continue;
            used += step(&all[i], list + used, sizeof list / sizeof list[0] - used, &until);
            left += !all[i].over;
        }
        turns += left > 1;
        poll(list, (nfds_t)used, regtag_clock_until(until));
    }
    for (int i = 0; i < count; i++) {
        regtag_sockets_close(&all[i].sockets);
        printf("%d %s\n", (int)regtag_error(all[i].operation, NULL),
               regtag_result(all[i].operation)->digest);
        free(all[i].operation);
    }
    printf("%u\n", turns);
    return 0;
}
