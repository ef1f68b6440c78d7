/* Where credentials come from. The first of these that knows some for the registry is taken:
 *
 *   1. --user NAME, with the password from --password-stdin or --password-file FILE
 *   2. REGTAG_USER and REGTAG_PASSWORD, or REGTAG_TOKEN (a bearer token); empty is as good as unset
 *   3. --authfile FILE, and then nothing else is looked at
 *   4. podman's file: $REGISTRY_AUTH_FILE, or else $XDG_RUNTIME_DIR/containers/auth.json
 *   5. Docker's file: $DOCKER_CONFIG/config.json, or else $HOME/.docker/config.json
 *
 * --anonymous means none of them. A file that was named, by an option or by REGISTRY_AUTH_FILE, has to be
 * there, and may be a pipe. Those of the usual places may be missing, but where there is something it has to
 * be a file that can be read. */
#ifndef REGTAG_CLI_CREDENTIALS_H
#define REGTAG_CLI_CREDENTIALS_H

#include "cli/options.h"
#include "cli/secrets.h"
#include "oci/reference.h"

/* Finds the credentials for the registry of `r`; when there are none, all of *c is empty. Reading and
 * helpers end at the deadline, of clock_now(). Anything but REGTAG_OK is in e as well: REGTAG_USAGE for what
 * --user says, REGTAG_CREDENTIALS for all else. Warns of files that others can read, unless --quiet. */
enum regtag_status credentials_find(struct credentials *c, const struct options *o,
                                    const struct reference *r, uint64_t deadline, struct error *e);

/* Whether --user or the environment says who logs in, at whatever registry. */
bool credentials_for_any(const struct options *o);

#endif
