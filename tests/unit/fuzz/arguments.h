/* How a fuzzer's input becomes a case of one layer: its first byte chooses, the others are the case. */
#ifndef FUZZ_ARGUMENTS_H
#define FUZZ_ARGUMENTS_H

#include <stddef.h>
#include <string.h>

#define FUZZ_ARGUMENTS 8 /* the upper three bits of the first byte choose one of them */
#define FUZZ_STEPS 32    /* the lower five bits, how many bytes are fed at a time, less one */

#define IMAGE "sha256:5930dc755c63191dd1204d43b837bd89d23215af09b8a7bcf0830fc68795b7e7"

static const struct {
    const char *layer;
    const char *arguments[FUZZ_ARGUMENTS];
} FUZZ_LAYERS[] = {
    {"ref", {NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL}},
    {"json", {NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL}},
    {"index", {NULL, "-", "v1", "a.test/app:v1", "app", IMAGE, NULL, "-"}},
    {"tar", {NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL}},
    {"titles", {NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL}},
    {"base64", {NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL}},
    {"payload", {IMAGE, IMAGE, IMAGE, IMAGE, IMAGE, IMAGE, IMAGE, IMAGE}},
    {"statement", {IMAGE, IMAGE, IMAGE, IMAGE, IMAGE, IMAGE, IMAGE, IMAGE}},
    {"bundle", {IMAGE, IMAGE, IMAGE, IMAGE, IMAGE, IMAGE, IMAGE, IMAGE}},
    {"signature", {IMAGE, IMAGE, IMAGE, IMAGE, IMAGE, IMAGE, IMAGE, IMAGE}},
    {"manifest",
     {"application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json",
      "application/vnd.docker.distribution.manifest.v2+json",
      "application/vnd.docker.distribution.manifest.list.v2+json",
      "application/vnd.oci.artifact.manifest.v1+json",
      "application/vnd.docker.distribution.manifest.v1+prettyjws",
      "application/vnd.docker.distribution.manifest.v1+json", "text/html"}},
    {"platform",
     {"application/vnd.oci.image.index.v1+json linux/amd64",
      "application/vnd.oci.image.index.v1+json linux/arm/v7",
      "application/vnd.oci.image.index.v1+json linux/arm",
      "application/vnd.docker.distribution.manifest.list.v2+json linux/amd64",
      "application/vnd.oci.image.index.v1+json windows/amd64",
      "application/vnd.oci.image.index.v1+json unknown/unknown",
      "application/vnd.oci.image.manifest.v1+json linux/amd64",
      "application/vnd.oci.image.index.v1+json linux/arm64"}},
    {"http", {"GET", "HEAD", "PUT", "GET", "GET", "GET", "GET", "GET"}},
    {"link",
     {"http://localhost:5000/v2/a/tags/list?n=2", "http://example.com/v2/a", "https://example.com/v2/a",
      "http://[::1]:5000/v2/a", "http://localhost:5000", "http://example.com:80/v2/a",
      "http://localhost:5000/v2/a/tags/", "https://example.com/v2/a?x/../y"}},
    {"creds",
     {"a.test", "a.test:5000", "a.test/team/app", "A.test", "docker.io", "docker.io/library/app",
      "[::1]:5000", "localhost/team"}},
};

#define FUZZ_LAYER_COUNT (sizeof(FUZZ_LAYERS) / sizeof(FUZZ_LAYERS[0]))

static inline const char *fuzz_argument(const char *layer, unsigned char choice)
{
    for (size_t i = 0; i < FUZZ_LAYER_COUNT; i++) {
        if (strcmp(FUZZ_LAYERS[i].layer, layer) == 0)
            return FUZZ_LAYERS[i].arguments[choice >> 5];
    }
    return NULL;
}

#endif
