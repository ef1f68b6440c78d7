/* Searches the text of Docker's config.json or podman's auth.json for a registry's credentials. Opens no
 * file and runs no helper. */
#ifndef REGTAG_CLI_AUTHFILE_H
#define REGTAG_CLI_AUTHFILE_H

#include "base/sizes.h"
#include "cli/secrets.h"
#include "oci/document.h"

/* Docker Hub's name in references, and in Docker's file and its helpers. */
#define HUB "docker.io"
#define HUB_URL "https://index.docker.io/v1/"

enum authfile_verdict {
    AUTHFILE_NOTHING, /* nothing to log in with */
    AUTHFILE_SECRETS, /* they were written to the credentials */
    AUTHFILE_HELPER,  /* a helper has to be run */
    AUTHFILE_BROKEN   /* e says why, with REGTAG_E_CREDENTIALS */
};

struct authfile {
    const char *name; /* for messages */
    struct slice text;
    struct slice query; /* HOST[:PORT][/REPOSITORY] */
    const struct document_memory *memory;
};

struct authfile_answer {
    /* With AUTHFILE_HELPER: NAME of docker-credential-NAME. */
    char helper[AUTHFILE_HELPER_MAX + 1];
};

/* `c` must be empty, and stays so except with AUTHFILE_SECRETS.
 *
 * A helper for the host in "credHelpers" has precedence; an empty one means that there is none. Next is
 * the member of "auths" that matches best: HOST/NAMESPACE before HOST, the longest of these first, and
 * HOST before https://HOST/..., http://HOST/..., HOST/v1/ and HOST/v2/, whose paths are ignored. Hosts are compared without
 * case, and Docker Hub's names and URL are equal. "auth" has precedence over "username" and "password".
 * If there is no secret, the helper in "credsStore" is used. null is as good as a missing member, and
 * white space as {}.
 * Entries for other registries are not checked. */
enum authfile_verdict authfile_find(const struct authfile *f, struct authfile_answer *a,
                                    struct credentials *c, struct error *e);

/* Whether s may be a helper's name: [A-Za-z0-9_-][A-Za-z0-9_.-]*. */
bool helper_name_valid(struct slice s);

#endif
