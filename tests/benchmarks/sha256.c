/* Hashes as many bytes as its argument says, and does nothing else: the same block again and again. */
#include <mbedtls/sha256.h>

#include <stdlib.h>
#include <string.h>

/* For sha256.o alone. */
void mbedtls_platform_zeroize(void *memory, size_t size)
{
    memset(memory, 0, size);
}

int main(int argc, char **argv)
{
    static unsigned char block[8192];
    unsigned char sum[32];
    mbedtls_sha256_context context;
    mbedtls_sha256_init(&context);
    int failed = mbedtls_sha256_starts(&context, 0);
    for (long left = argc > 1 ? atol(argv[1]) : 0; left > 0; left -= (long)sizeof block)
        failed |= mbedtls_sha256_update(&context, block,
                                        left < (long)sizeof block ? (size_t)left : sizeof block);
    return failed | mbedtls_sha256_finish(&context, sum);
}
