#include "net/tls.h"

const char *tls_missing(void)
{
    return "this address needs TLS, which this regtag is built without; --plain-http speaks plain HTTP "
           "where the registry allows it";
}
