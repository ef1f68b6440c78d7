/* Docker's config.json and podman's auth.json: what such a file says about a registry. No file is opened
 * here, and no helper is run. */
#ifndef REGTAG_CLI_AUTHFILE_H
#define REGTAG_CLI_AUTHFILE_H

#include "base/sizes.h"
#include "cli/secrets.h"
#include "oci/document.h"

/* Docker Hub goes by this name in references, and by the URL in Docker's file and for its helpers. */
#define HUB "docker.io"
#define HUB_URL "https://index.docker.io/v1/"

enum authfile_verdict {
    AUTHFILE_NOTHING, /* nothing to log in with */
    AUTHFILE_SECRETS, /* they were written to the credentials */
    AUTHFILE_HELPER,  /* a helper knows */
    AUTHFILE_BROKEN   /* e says why, with REGTAG_CREDENTIALS */
};

/* A file and what is asked of it. */
struct authfile {
    const char *name; /* for messages */
    struct slice text;
    struct slice query; /* HOST[:PORT][/REPOSITORY] */
    const struct document_memory *memory;
};

struct authfile_answer {
    bool named; /* the file names this registry: a helper for it has to be there (CVE-2021-41092) */
    char helper[AUTHFILE_HELPER_MAX + 1]; /* with AUTHFILE_HELPER: NAME of docker-credential-NAME */
};

/* What the file says for the registry. `c` must be empty, and stays so but with AUTHFILE_SECRETS.
 *
 * A helper in "credHelpers" for the host goes before all else, and an empty one says that there is none.
 * Then comes the member of "auths" that fits best: HOST/NAMESPACE before HOST, the longest of these first,
 * and HOST before https://HOST/... and http://HOST/..., whose paths mean nothing. Hosts are compared without
 * case, and Docker Hub's names and URL are one. "auth" goes before "username" and "password". Where there is
 * no secret, the helper in "credsStore" knows. What is null is not there. What is said about other
 * registries is not looked at. */
enum authfile_verdict authfile_find(const struct authfile *f, struct authfile_answer *a,
                                    struct credentials *c, struct error *e);

/* Whether s may be a helper's name: [A-Za-z0-9_-]+. */
bool helper_name_valid(struct slice s);

#endif
