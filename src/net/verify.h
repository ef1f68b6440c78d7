/* Public keys that images must be signed with. verify_keys.c, or verify_none.c: the build links one or the other. */
#ifndef REGTAG_NET_VERIFY_H
#define REGTAG_NET_VERIFY_H

#include "regtag.h"

/* Adds the key in the file at this path, which may be a pipe. The deadline is that of file_read. Returns NULL, or what
 * is wrong. */
const char *verify_add(const char *path, uint64_t deadline);

/* Tells the library about all that were added. */
void verify_config(struct regtag_config *config);

/* The SHA-256 of a key's DER (SubjectPublicKeyInfo), in hexadecimal. */
const char *verify_key_sha256(unsigned key);

#endif
