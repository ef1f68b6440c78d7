/* Finds credentials. The first of these sources that has any for the registry is used:
 *
 *   1. --user NAME, with the password from --password-stdin or --password-file FILE
 *   2. REGTAG_USER and REGTAG_PASSWORD, or REGTAG_TOKEN (a bearer token); empty counts as unset
 *   3. --authfile FILE; those that follow are ignored then
 *   4. podman's file: $REGISTRY_AUTH_FILE, or else $XDG_RUNTIME_DIR/containers/auth.json
 *   5. Docker's file: $DOCKER_CONFIG/config.json, or else $HOME/.docker/config.json
 *   6. DOCKER_AUTH_CONFIG, the text of such a file
 *
 * --anonymous means none of them. A file that was named, by an option or by REGISTRY_AUTH_FILE, has to
 * exist, and may be a pipe, which is read once. The default files may be missing, but if they exist they
 * have to be regular and readable. A helper that cannot be run ends the search: *c then has no login, but
 * says why. */
#ifndef REGTAG_CLI_CREDENTIALS_H
#define REGTAG_CLI_CREDENTIALS_H

#include "cli/options.h"
#include "cli/secrets.h"
#include "oci/reference.h"

/* Finds the credentials for the registry of `r`, which is reached as `side` says; *c is empty if there are none. Reading and helpers end
 * at the deadline, of regtag_clock(). On failure e is set as well: with REGTAG_E_USAGE for --user, else with
 * REGTAG_E_CREDENTIALS. Warns of files that others can read, unless --quiet. */
enum regtag_status credentials_find(struct credentials *c, const struct options *o,
                                    const struct side_options *side, const struct reference *r,
                                    uint64_t deadline, struct error *e);

/* Adds all files that they might come from to *stamp, as file_stamp does. */
void credentials_stamp(const struct options *o, uint64_t *stamp);

/* Whether --user or the environment gives credentials, which are for any registry. */
bool credentials_for_any(const struct side_options *side);

#endif
