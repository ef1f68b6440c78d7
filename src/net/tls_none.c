#include "net/tls.h"

static const char MISSING[] =
    "this address needs TLS, which this regtag is built without; --plain-http speaks plain HTTP where the "
    "registry allows it";

const char *tls_missing(void)
{
    return MISSING;
}

bool tls_open(unsigned connection, int fd, const struct regtag_origin *origin,
              const struct tls_settings *settings, bool registry, struct error *e)
{
    (void)connection;
    (void)fd;
    (void)origin;
    (void)settings;
    (void)registry;
    error_set(e, REGTAG_UNTRUSTED, "%s", MISSING);
    return false;
}

enum tls_progress tls_handshake(unsigned connection, struct error *e)
{
    (void)connection;
    (void)e;
    return TLS_FAILED;
}

ptrdiff_t tls_read(unsigned connection, void *bytes, size_t size, enum tls_progress *wants,
                   struct error *e)
{
    (void)connection;
    (void)bytes;
    (void)size;
    (void)wants;
    (void)e;
    return REGTAG_FAILED;
}

ptrdiff_t tls_write(unsigned connection, const void *bytes, size_t size, enum tls_progress *wants,
                    struct error *e)
{
    (void)connection;
    (void)bytes;
    (void)size;
    (void)wants;
    (void)e;
    return REGTAG_FAILED;
}

bool tls_pending(unsigned connection)
{
    (void)connection;
    return false;
}

void tls_close(unsigned connection)
{
    (void)connection;
}
