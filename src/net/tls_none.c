#include "net/tls.h"

#include <string.h>

struct regtag_tls tls_hooks(const struct tls_settings settings[2], unsigned connections)
{
    struct regtag_tls none;
    (void)settings;
    (void)connections;
    memset(&none, 0, sizeof none);
    return none;
}

const char *tls_check_authority(const char *path)
{
    (void)path;
    return NULL;
}

void tls_stamp(const struct tls_settings *settings, uint64_t *stamp)
{
    (void)settings;
    (void)stamp;
}
