#include "net/verify.h"

#include "net/file.h"
#include "regtag_verify_mbedtls.h"

static struct regtag_verify keys;

const char *verify_add(const char *path, uint64_t deadline)
{
    char bytes[REGTAG_VERIFY_FILE_MAX + 1];
    struct writer w = writer_to(bytes, REGTAG_VERIFY_FILE_MAX);
    const char *problem = file_read(path, &w, deadline);
    return problem ? problem : regtag_verify_add(&keys, bytes, w.used);
}

void verify_config(struct regtag_config *config)
{
    config->verify = regtag_verify_mbedtls;
    config->verify_context = &keys;
    config->keys = keys.count;
}

const char *verify_key_sha256(unsigned key)
{
    return keys.keys[key].sha256;
}
