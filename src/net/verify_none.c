#include "net/verify.h"

const char *verify_add(const char *path, uint64_t deadline)
{
    (void)path;
    (void)deadline;
    return "this program was built without signatures (make VERIFY=1)";
}

void verify_config(struct regtag_config *config)
{
    (void)config;
}

const char *verify_key_sha256(unsigned key)
{
    (void)key;
    return "";
}
