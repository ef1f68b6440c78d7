/* Digests (OCI image specification, "Descriptor: Digests") and the SHA-256 that makes them.
 * The hash itself is the caller's: struct regtag_hash of regtag.h. */
#ifndef REGTAG_OCI_DIGEST_H
#define REGTAG_OCI_DIGEST_H

#include "base/slice.h"
#include "regtag.h"

#define DIGEST_SHA256_SIZE (7 + 64) /* "sha256:" and the hex digits */
#define DIGEST_MAX (7 + 128)        /* the longest accepted digest, a sha512 one */

/* Whether s is "sha256:" and 64, or "sha512:" and 128 lower-case hexadecimal digits. */
bool digest_valid(struct slice s);

/* Whether s is a digest by the grammar of OCI, of whatever algorithm; only those that the specification
 * registers must have the right length. It need not be one that anybody here can compute. */
bool digest_well_formed(struct slice s);

/* Whether a valid digest is a SHA-256, which the library can compute. */
bool digest_is_sha256(struct slice s);

/* Writes the digest for a SHA-256, and a NUL. */
void digest_from_sum(const unsigned char sum[32], char text[DIGEST_SHA256_SIZE + 1]);

/* Writes the digest of the concatenated parts, and a NUL. False if the hash failed. */
bool digest_of(const struct regtag_hash *hash, const struct slice *parts, size_t count,
               char text[DIGEST_SHA256_SIZE + 1]);

#endif
