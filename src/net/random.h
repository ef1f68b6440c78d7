/* The kernel's randomness. */
#ifndef REGTAG_NET_RANDOM_H
#define REGTAG_NET_RANDOM_H

#include <stdbool.h>
#include <stddef.h>

/* For keys: waits until the kernel has gathered enough entropy, which may take a while after boot. False
 * if there is no source of it. */
bool random_secret(void *bytes, size_t size);

/* For struct regtag_random: never blocks; for jitter, not for keys. The context is not used. */
int random_bytes(void *context, void *bytes, size_t size);

#endif
