/* TLS over a socket that takes no more: writes CA.PEM PORT. Writes 3,000 bytes at a time until the server has to read, and
 * prints how many it will have written in the end. What could not be written is then offered again with more behind it,
 * as the library does when requests have joined the queue meanwhile. Ends with standard input. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "regtag_sockets.h"
#include "tls.h"

#define PART 3000
#define MORE 1000
#define ALL 20000000

static unsigned char bytes[ALL];
static struct regtag_socket memory[1];
static struct regtag_sockets sockets = {.sockets = memory, .count = 1};

static void apply(struct regtag_want *want)
{
    struct pollfd list[REGTAG_POLL_ENTRIES(1)];
    uint64_t until = UINT64_MAX, now = regtag_clock();
    size_t entries = regtag_sockets_apply(&sockets, now, want, list, REGTAG_POLL_ENTRIES(1), &until);
    poll(list, (nfds_t)entries, regtag_clock_until(until));
    want->open = false;
}

int main(int argc, char **argv)
{
    static struct regtag_origin origin = {.tls = true, .host = "127.0.0.1"};
    struct regtag_want want = {.open = true, .write = true, .origin = &origin};
    size_t written = 0, end = 0;
    bool full = false;
    if (argc != 3 || tls_set_up(&sockets.tls, argv[1]))
        return REGTAG_E_USAGE;
    origin.port = (uint16_t)strtoul(argv[2], NULL, 10);
    for (size_t i = 0; i < ALL; i++)
        bytes[i] = (unsigned char)(i * 2654435761u >> 16);
    struct regtag_transport transport = regtag_sockets_transport(&sockets);
    apply(&want);
    while (!full || written < end) {
        size_t size = full ? end - written : PART;
        ptrdiff_t n = transport.write(transport.context, 0, bytes + written, size);
        if (n > 0)
            written += (size_t)n;
        else if (n != REGTAG_IO_AGAIN)
            return REGTAG_E_NO_CONNECTION;
        else {
            if (written && !full) {
                full = true;
                end = written + PART + MORE;
                printf("%lu\n", (unsigned long)end);
                fflush(stdout);
            }
            apply(&want);
        }
    }
    while (getchar() != EOF)
        ;
    regtag_sockets_close(&sockets);
    return 0;
}
