/* TLS with memory for a single session: sessions NUMBER asks for that of connection NUMBER. Prints the status and the
 * message. */
#include <stdio.h>
#include <stdlib.h>

#include "regtag_tls_mbedtls.h"

int main(int argc, char **argv)
{
    static struct regtag_mbedtls_session memory[1];
    static struct regtag_mbedtls mbedtls = {.sessions = memory, .count = 1};
    static const struct regtag_origin origin = {.tls = true, .host = "registry.test"};
    struct regtag_failure f = {.lasting = false};
    struct regtag_tls tls = regtag_mbedtls_tls(&mbedtls);
    if (argc != 2)
        return REGTAG_E_USAGE;
    int result = tls.open(tls.context, (unsigned)strtoul(argv[1], NULL, 10), -1, &origin, &f);
    printf("%d %d %s\n", result, (int)f.status, f.text);
    return 0;
}
