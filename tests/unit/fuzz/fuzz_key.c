/* Files with a public key, which is then asked to verify a signature: the last bytes of the input. The first one
 * chooses between PEM and DER. */
#include <string.h>

#include "base/base64.h"
#include "harness.h"
#include "regtag_verify_mbedtls.h"

#define SIGNATURE_SIZE 72

/* As a file in PEM. */
static struct slice wrapped(struct slice der)
{
    static char memory[REGTAG_VERIFY_FILE_MAX];
    struct writer w = writer_to(memory, sizeof memory);
    write_text(&w, "-----BEGIN PUBLIC KEY-----\n");
    write_base64(&w, der);
    write_text(&w, "\n-----END PUBLIC KEY-----\n");
    return written(&w);
}

void fuzz_key(const struct harness *h, const uint8_t *data, size_t size)
{
    static struct regtag_verify v;
    struct regtag_part part = {"message", 7};
    (void)h;
    memset(&v, 0, sizeof v);
    if (size <= SIGNATURE_SIZE)
        return;
    struct slice file = {(const char *)data + 1, size - 1 - SIGNATURE_SIZE};
    if (data[0] & 1)
        file = wrapped(file);
    const char *problem = regtag_verify_add(&v, file.data, file.size);
    expect(problem ? v.count == 0 : v.count == 1 && strlen(v.keys[0].sha256) == 64,
           "a key that is none");
    expect(regtag_verify_mbedtls(&v, 0, &part, 1, data + size - SIGNATURE_SIZE, SIGNATURE_SIZE) != 0,
           "nobody has signed this");
}
