/* From a host's name to its addresses. An address needs no look-up; a name that --resolve gave an address
 * needs none either; all others are looked up by the C library, in a child process, because nothing else
 * can end a look-up that hangs. */
#ifndef REGTAG_NET_RESOLVE_H
#define REGTAG_NET_RESOLVE_H

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

/* Reads a --resolve option into *o. The slice of the host points into `text`. Returns NULL, or what is
 * wrong with it. */
const char *override_parse(struct overrides *o, const char *text);

/* A look-up under way. */
struct lookup {
    pid_t child;  /* 0: none */
    int fd;       /* the child's answer */
    bool unknown; /* with LOOKUP_FAILED: there is no such host, and asking again would not change it */
    struct addresses *addresses;
};

enum lookup_progress { LOOKUP_MORE, LOOKUP_DONE, LOOKUP_FAILED };

/* Begins to fill *addresses, which must outlive the look-up. LOOKUP_MORE: call lookup_step when l->fd can
 * be read, and lookup_end at last. With LOOKUP_FAILED, e says why. */
enum lookup_progress lookup_begin(struct lookup *l, const struct regtag_origin *origin,
                                  const struct overrides *overrides, struct addresses *addresses,
                                  struct error *e);
enum lookup_progress lookup_step(struct lookup *l, struct error *e);

/* What was waited for, when a look-up takes too long. */
const char *lookup_waiting(void);

/* Ends a look-up wherever it is; the child is gone afterwards. */
void lookup_end(struct lookup *l);

#endif
