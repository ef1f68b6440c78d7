/* One layer of the program at a time, for the vectors, the fuzzers and build/probe. */
#ifndef LAYERS_H
#define LAYERS_H

#include <stddef.h>

#define LAYER_ACCEPTED 0
#define LAYER_REJECTED 1
#define LAYER_BAD_CALL 2 /* no such layer, or an argument that it cannot use */

#define LAYER_ANSWER_MAX 40960 /* bytes; every answer fits, its NUL included */

/* Runs one case through one layer, as `probe LAYER [ARGUMENT]` does with its standard input. The
 * input is fed in steps of `step` bytes (0: all at once) to layers that are streaming; the others
 * take it whole. `argument` is NULL where none is given. The answer is written to out, of out_size
 * bytes, NUL-terminated and without a final newline:
 *
 *     ref                    reject | ok REGISTRY REPOSITORY TAG|- DIGEST|-
 *     json                   reject | ok
 *     manifest CONTENT-TYPE  reject | ok DIGEST
 *     http METHOD            reject | ok STATUS BODY-LENGTH BODY-SHA256
 *     date                   reject | ok MILLISECONDS [REMAINING/WINDOW]: the pause that fields of an answer ask for
 *     tags                   reject | ok, and a line for each entry; those that are no tags with "?" in front
 *     link REQUEST-URL       reject | end | next URL
 *     tar                    reject | ok, and lines NAME file|link|sparse|other OFFSET SIZE
 *     index [IMAGE|-]        reject | none | ok, and lines DIGEST TAG: of all, of those that are wanted, of the only one
 *     creds QUERY            reject | none | helper=NAME | lines username=, password=, identitytoken=,
 *                            registrytoken=, those that there are
 *
 *     base64                 reject | ok BASE64
 *     payload DIGEST, statement DIGEST, bundle DIGEST, signature DIGEST
 *                            reject | none | other key | attestation | other image | good; and what was verified
 *
 * Returns one of the three values above. */
int layer_run(const char *layer, const char *argument, const char *input, size_t size, size_t step,
              char *out, size_t out_size);

#endif
