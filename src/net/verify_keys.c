#include "net/verify.h"

#include "net/file.h"
#include "net/tls_arena.h"
#include "regtag_verify_mbedtls.h"

static struct regtag_verify keys;

/* mbedTLS reports a lack of memory as one of many errors, which would say that the signature is not good. */
static int verify(void *context, unsigned key, const struct regtag_part *parts, size_t count,
                  const void *signature, size_t size)
{
    int result = regtag_verify_mbedtls(context, key, parts, count, signature, size);
    return result != 0 && tls_arena_exhausted() ? REGTAG_VERIFY_UNABLE : result;
}

const char *verify_add(const char *path, uint64_t deadline)
{
    char bytes[REGTAG_VERIFY_FILE_MAX + 1];
    struct writer w = writer_to(bytes, REGTAG_VERIFY_FILE_MAX);
    const char *problem = file_read(path, &w, deadline);
    if (!problem)
        problem = regtag_verify_add(&keys, bytes, w.used);
    return problem && tls_arena_exhausted() ? "there is not enough memory for it" : problem;
}

void verify_config(struct regtag_config *config)
{
    config->verify = verify;
    config->verify_context = &keys;
    config->keys = keys.count;
}

const char *verify_key_sha256(unsigned key)
{
    return keys.keys[key].sha256;
}
