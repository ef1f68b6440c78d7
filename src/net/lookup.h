/* Looks up a host's addresses. Numeric addresses and names from --resolve need no look-up. All others
 * are looked up by the C library, in child processes, since getaddrinfo cannot be interrupted. */
#ifndef REGTAG_NET_LOOKUP_H
#define REGTAG_NET_LOOKUP_H

#include <sys/types.h>

#include "base/error.h"
#include "base/sizes.h"
#include "regtag_address.h"
#include "regtag.h"

/* HOST:PORT:ADDRESS[,ADDRESS...] of --resolve. */
struct override {
    struct slice host;
    uint16_t port;
    unsigned count;
    struct regtag_address list[REGTAG_ADDRESSES_MAX];
};

struct overrides {
    unsigned count;
    struct override list[OVERRIDES_MAX];
};

/* Adds a --resolve option to *o; it points into `text`. Returns NULL, or what is wrong with it. */
const char *override_parse(struct overrides *o, const char *text);

/* To begin, clear the whole struct. */
struct lookup {
    pid_t child;  /* 0: none */
    int fd;       /* with REGTAG_IO_AGAIN: readable when there is something to do */
    bool unknown; /* with REGTAG_IO_FAILED: there is no such host, so a retry is pointless */
};

/* Begins a lookup, or continues with the one under way. Fills in list[0..room) and returns how many
 * addresses there are; or REGTAG_IO_AGAIN; or REGTAG_IO_FAILED, and e says why. */
ptrdiff_t lookup_step(struct lookup *l, const struct overrides *overrides,
                      const struct regtag_origin *origin, struct regtag_address *list, size_t room,
                      struct error *e);

/* The message for a look-up that timed out. */
const char *lookup_timeout_text(void);

/* May be called at any time; kills the child and waits for its end. */
void lookup_end(struct lookup *l);

#endif
