/* The kernel's randomness. */
#ifndef REGTAG_NET_RANDOM_H
#define REGTAG_NET_RANDOM_H

#include <stdbool.h>
#include <stddef.h>

/* Fit for keys: waits until the kernel has gathered enough, which right after the start of a device may take
 * a while. False when there is none to be had. */
bool random_secret(void *bytes, size_t size);

/* As regtag_random wants it: good enough to spread things in time, and never waited for. The context is not
 * used. */
int random_bytes(void *context, void *bytes, size_t size);

#endif
