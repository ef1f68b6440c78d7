/* Looks up a host's addresses. Numeric addresses and names from --resolve need no look-up. All others
 * are looked up by the C library, in a child process, since getaddrinfo cannot be interrupted. */
#ifndef REGTAG_NET_LOOKUP_H
#define REGTAG_NET_LOOKUP_H

#include <sys/types.h>

#include "base/error.h"
#include "base/sizes.h"
#include "net/address.h"
#include "regtag.h"

/* HOST:PORT:ADDRESS[,ADDRESS...] of --resolve. */
struct override {
    struct slice host;
    uint16_t port;
    struct addresses addresses;
};

struct overrides {
    unsigned count;
    struct override list[OVERRIDES_MAX];
};

/* Adds a --resolve option to *o; it points into `text`. Returns NULL, or what is wrong with it. */
const char *override_parse(struct overrides *o, const char *text);

struct lookup {
    pid_t child;  /* 0: none */
    int fd;       /* the child's answer */
    bool unknown; /* with LOOKUP_FAILED: there is no such host, so a retry is pointless */
    struct addresses *addresses;
};

enum lookup_progress { LOOKUP_MORE, LOOKUP_DONE, LOOKUP_FAILED };

/* Starts to fill *addresses, which must outlive the look-up. With LOOKUP_MORE, call lookup_step when
 * l->fd is readable, and lookup_end at last. With LOOKUP_FAILED, e says why. */
enum lookup_progress lookup_begin(struct lookup *l, const struct regtag_origin *origin,
                                  const struct overrides *overrides, struct addresses *addresses,
                                  struct error *e);
enum lookup_progress lookup_step(struct lookup *l, struct error *e);

/* The message for a look-up that timed out. */
const char *lookup_timeout_text(void);

/* May be called at any time; kills the child and waits for its end. */
void lookup_end(struct lookup *l);

#endif
