#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IMAGE "sha256:5930dc755c63191dd1204d43b837bd89d23215af09b8a7bcf0830fc68795b7e7"
#define OCI "application/vnd.oci.image.manifest.v1+json"
#define INDEX "application/vnd.oci.image.index.v1+json"
#define DOCKER "application/vnd.docker.distribution.manifest."

const struct harness HARNESSES[] = {
    {"ref", fuzz_layer, false, "files", {NULL}},
    {"json", fuzz_layer, true, "json", {NULL}},
    {"index", fuzz_layer, false, "json", {NULL, "-", "v1", "a.test/app:v1", "app", IMAGE, NULL, "-"}},
    {"tar", fuzz_layer, false, "tar", {NULL}},
    {"titles", fuzz_layer, true, "json", {NULL}},
    {"base64", fuzz_layer, false, "files", {NULL}},
    {"payload", fuzz_layer, true, "json", {IMAGE, IMAGE, IMAGE, IMAGE, IMAGE, IMAGE, IMAGE, IMAGE}},
    {"statement", fuzz_layer, true, "json", {IMAGE, IMAGE, IMAGE, IMAGE, IMAGE, IMAGE, IMAGE, IMAGE}},
    {"bundle", fuzz_layer, true, "json", {IMAGE, IMAGE, IMAGE, IMAGE, IMAGE, IMAGE, IMAGE, IMAGE}},
    {"signature", fuzz_layer, true, "json", {IMAGE, IMAGE, IMAGE, IMAGE, IMAGE, IMAGE, IMAGE, IMAGE}},
    {"manifest",
     fuzz_layer,
     true,
     "json",
     {OCI, INDEX, DOCKER "v2+json", DOCKER "list.v2+json",
      "application/vnd.oci.artifact.manifest.v1+json", DOCKER "v1+prettyjws", DOCKER "v1+json",
      "text/html"}},
    {"platform",
     fuzz_layer,
     true,
     "json",
     {INDEX " linux/amd64", INDEX " linux/arm/v7", INDEX " linux/arm", DOCKER "list.v2+json linux/amd64",
      INDEX " windows/amd64", INDEX " unknown/unknown", OCI " linux/amd64", INDEX " linux/arm64"}},
    {"http", fuzz_layer, true, "http", {"GET", "HEAD", "PUT", "CONNECT", "GET", "GET", "GET", "GET"}},
    {"date", fuzz_layer, true, "http", {NULL}},
    {"link",
     fuzz_layer,
     true,
     "http",
     {"http://localhost:5000/v2/a/tags/list?n=2", "http://example.com/v2/a", "https://example.com/v2/a",
      "http://[::1]:5000/v2/a", "http://localhost:5000", "http://example.com:80/v2/a",
      "http://localhost:5000/v2/a/tags/", "https://example.com/v2/a?x/../y"}},
    {"challenge", fuzz_layer, true, "http", {NULL}},
    {"token", fuzz_layer, true, "json", {NULL}},
    {"tags", fuzz_layer, true, "json", {NULL}},
    {"creds",
     fuzz_layer,
     false,
     "json",
     {"a.test", "a.test:5000", "a.test/team/app", "A.test", "docker.io", "docker.io/library/app",
      "[::1]:5000", "localhost/team"}},

    {"proxy", fuzz_proxy, false, "files", {NULL}},
    {"no_proxy", fuzz_no_proxy, false, "files", {NULL}},
    {"pem", fuzz_pem, false, "pem", {NULL}},
    {"key", fuzz_key, false, "pem", {NULL}},
    {"journal", fuzz_journal, false, "files", {NULL}},
    {"tag_line", fuzz_tag_line, false, "files", {NULL}},

    {"verb_tag", fuzz_verb, true, "http", {NULL}},
    {"verb_digest", fuzz_verb, true, "http", {NULL}},
    {"verb_manifest", fuzz_verb, true, "http", {NULL}},
    {"verb_ls", fuzz_verb, true, "http", {NULL}},
    {"verb_delete", fuzz_verb, true, "http", {NULL}},
    {"verb_watch", fuzz_verb, true, "http", {NULL}},
    {"verb_copy", fuzz_verb, true, "http", {NULL}},
    {"verb_fetch", fuzz_verb, true, "http", {NULL}},
    {"verb_save", fuzz_verb, true, "http", {NULL}},
    {"verb_load", fuzz_verb, true, "http", {NULL}},
    {"verb_verify", fuzz_verb, true, "http", {NULL}},
    {"verb_referrers", fuzz_verb, true, "http", {NULL}},
    {"conversation", fuzz_conversation, true, "http", {NULL}},
    {NULL, NULL, false, NULL, {NULL}},
};

void expect(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}

const struct harness *harness_find(const char *name)
{
    const char *slash = strrchr(name, '/');
    for (const struct harness *h = HARNESSES; h->name; h++)
        if (strcmp(h->name, slash ? slash + 1 : name) == 0)
            return h;
    return NULL;
}

static const struct harness *chosen;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    chosen = harness_find((*argv)[0]);
    expect(chosen, "no harness has the name of this program");
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    chosen->run(chosen, data, size);
    return 0;
}
