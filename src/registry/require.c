/* regtag_require_signature: installs what looks for signatures, so that nobody else links it. */
#include "registry/store_signatures.h"

enum regtag_status regtag_require_signature(struct regtag *r)
{
    static const struct gate GATE = {signatures_begin, signatures_step, store_is_signed};
    if (!r->config.keys || !r->config.verify)
        return VERB_USAGE(r, "a signature is required, but there is no key to verify it with");
    r->gate = &GATE;
    return REGTAG_OK;
}
