/* Signatures by Debian's cosign and by openssl, from tests/signatures, whole and with each byte changed; and which keys
 * are accepted. What a statement and a payload must say is in tests/vectors/{bundle,payload,signature,statement}. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"
#include "net/tls_arena.h"
#include "oci/digest.h"
#include "oci/signature.h"
#include "regtag_verify_mbedtls.h"

#define FILE_MAX 4096
#define TOKENS_MAX 256
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const KEYS[] = {"p256", "p384", "rsa2048", "rsa3072", "rsa4096"};

struct file {
    char bytes[FILE_MAX];
    size_t size;
};

static struct file read_file(const char *name, const char *kind)
{
    struct file f;
    char path[100];
    snprintf(path, sizeof path, "tests/signatures/%s%s", name, kind);
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("%s cannot be read", path);
    f.size = fread(f.bytes, 1, sizeof f.bytes, file);
    fclose(file);
    assert_in_range(f.size, 1, FILE_MAX - 1);
    f.bytes[f.size] = '\0';
    return f;
}

/* A file in Base64, with or without a line end. */
static struct file decoded(const char *name, const char *kind)
{
    struct file f = read_file(name, kind);
    struct slice bytes;
    f.size -= f.bytes[f.size - 1] == '\n';
    assert_true(base64_decode((struct slice){f.bytes, f.size}, f.bytes, f.size, &bytes));
    f.size = bytes.size;
    return f;
}

static struct slice slice(const struct file *f)
{
    return (struct slice){f->bytes, f->size};
}

static const char *add(struct regtag_verify *v, const char *name)
{
    struct file pem = read_file(name, ".pub");
    return regtag_verify_add(v, pem.bytes, pem.size);
}

static struct regtag_verify only(const char *name)
{
    struct regtag_verify v = {.count = 0};
    assert_null(add(&v, name));
    return v;
}

static struct regtag_verify all_keys(void)
{
    struct regtag_verify v = {.count = 0};
    for (size_t i = 0; i < COUNT(KEYS); i++)
        assert_null(add(&v, KEYS[i]));
    return v;
}

static jsmntok_t tokens[TOKENS_MAX];
static struct document_key document_keys[TOKENS_MAX / 2];
static const struct document_memory memory = {tokens, document_keys, TOKENS_MAX};
static struct file image;

static struct signature_check checker(struct regtag_verify *v)
{
    return (struct signature_check){.verify = regtag_verify_mbedtls,
                                    .context = v,
                                    .keys = v->count,
                                    .image = {image.bytes, DIGEST_SHA256_SIZE},
                                    .memory = &memory,
                                    .left = 32};
}

static enum signature_finding check_payload(struct regtag_verify *v, const struct file *payload,
                                            const struct file *signature)
{
    struct signature_check c = checker(v);
    return signature_check_payload(&c, slice(payload), slice(signature));
}

static enum signature_finding check_bundle(struct regtag_verify *v, const struct file *bundle)
{
    struct signature_check c = checker(v);
    struct file copy = *bundle;
    return signature_check_bundle(&c, copy.bytes, copy.size);
}

/* ---- Good signatures ------------------------------------------------------------------------- */

static void test_cosign(void **state)
{
    (void)state;
    struct regtag_verify v = all_keys();
    for (unsigned i = 0; i < COUNT(KEYS); i++) {
        struct file payload = read_file(KEYS[i], ".payload"), signature = decoded(KEYS[i], ".signature");
        struct file bundle = read_file(KEYS[i], ".bundle");
        struct signature_check c = checker(&v);
        assert_int_equal(signature_check_payload(&c, slice(&payload), slice(&signature)),
                         SIGNATURE_GOOD);
        assert_int_equal(c.key, i);
        assert_int_equal(signature_check_bundle(&c, bundle.bytes, bundle.size), SIGNATURE_GOOD);
        assert_int_equal(c.key, i);
        assert_int_equal(c.left, 30);
        assert_false(c.cut);
    }
}

static void test_each_key_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(KEYS); i++) {
        struct regtag_verify v = only(KEYS[i]);
        for (size_t j = 0; j < COUNT(KEYS); j++) {
            struct file payload = read_file(KEYS[j], ".payload"),
                        signature = decoded(KEYS[j], ".signature"),
                        bundle = read_file(KEYS[j], ".bundle");
            enum signature_finding expected = i == j ? SIGNATURE_GOOD : SIGNATURE_OTHER_KEY;
            assert_int_equal(check_payload(&v, &payload, &signature), expected);
            assert_int_equal(check_bundle(&v, &bundle), expected);
        }
    }
}

static void test_salts_of_any_length(void **state)
{
    (void)state;
    static const char *const SALTS[] = {".pss0", ".pss20", ".pss32", ".pss222"};
    struct regtag_verify v = all_keys();
    struct file payload = read_file("rsa2048", ".payload"), longest = decoded("rsa4096", ".pss478");
    for (size_t i = 0; i < COUNT(SALTS); i++) {
        struct file signature = decoded("rsa2048", SALTS[i]);
        assert_int_equal(check_payload(&v, &payload, &signature), SIGNATURE_GOOD);
        signature.bytes[i] ^= 1;
        assert_int_equal(check_payload(&v, &payload, &signature), SIGNATURE_OTHER_KEY);
    }
    payload = read_file("rsa4096", ".payload");
    assert_int_equal(check_payload(&v, &payload, &longest), SIGNATURE_GOOD);
}

/* The message is what all parts make up. */
static void test_parts(void **state)
{
    (void)state;
    struct regtag_verify v = only("p256");
    struct file payload = read_file("p256", ".payload"), signature = decoded("p256", ".signature");
    for (size_t i = 0; i <= 5; i++) {
        size_t at = payload.size * i / 5;
        struct regtag_part parts[] = {
            {payload.bytes, at}, {NULL, 0}, {payload.bytes + at, payload.size - at}};
        assert_int_equal(regtag_verify_mbedtls(&v, 0, parts, 3, signature.bytes, signature.size), 0);
        int result = regtag_verify_mbedtls(&v, 0, parts, 2, signature.bytes, signature.size);
        assert_int_equal(result == 0, at == payload.size);
        assert_int_not_equal(regtag_verify_mbedtls(&v, 1, parts, 3, signature.bytes, signature.size), 0);
    }
}

/* With so much memory less each time that another allocation fails: whether good or bad, who cannot tell must not say that it
 * is not signed. */
static bool is_told(size_t left, struct regtag_verify *v, const char *name, const struct file *signature,
                    bool good)
{
    struct file payload = read_file(name, ".payload"), pem = read_file(name, ".pub");
    struct regtag_part part = {payload.bytes, payload.size};
    struct regtag_verify other = {.count = 0};
    void *taken = tls_arena_calloc(1, tls_arena_size() - left);
    assert_non_null(taken);
    int result = regtag_verify_mbedtls(v, 0, &part, 1, signature->bytes, signature->size);
    const char *problem = regtag_verify_add(&other, pem.bytes, pem.size);
    tls_arena_free(taken);
    if (problem)
        assert_string_equal(problem, "there is not enough memory for it");
    if (result != REGTAG_VERIFY_UNABLE)
        assert_int_equal(result == 0, good);
    return result != REGTAG_VERIFY_UNABLE && !problem;
}

static void test_not_enough_memory(void **state)
{
    (void)state;
#ifndef MBEDTLS_CONFIG_FILE
    skip(); /* the system's mbedTLS has the system's memory */
#endif
    for (unsigned i = 0; i < 4; i++) {
        const char *name = i < 2 ? "p256" : "rsa2048";
        struct regtag_verify v = only(name);
        struct file signature = decoded(name, ".signature");
        size_t left = sizeof(uint64_t[4]);
        if (i % 2)
            signature.bytes[signature.size - 1] ^= 1;
        assert_false(is_told(left, &v, name, &signature, i % 2 == 0));
        while (!is_told(left, &v, name, &signature, i % 2 == 0))
            left += sizeof(uint64_t[2]);
        assert_in_range(left, 1000, 11 * 1024);
    }
}

/* ---- Bad ones -------------------------------------------------------------------------------- */

static void test_each_byte_of_a_payload(void **state)
{
    (void)state;
    struct regtag_verify v = only("rsa2048");
    struct file payload = read_file("rsa2048", ".payload"), signature = decoded("rsa2048", ".signature");
    for (size_t i = 0; i < payload.size; i++) {
        payload.bytes[i] ^= 1;
        assert_int_equal(check_payload(&v, &payload, &signature), SIGNATURE_OTHER_KEY);
        payload.bytes[i] ^= 1;
    }
    payload.size--;
    assert_int_equal(check_payload(&v, &payload, &signature), SIGNATURE_OTHER_KEY);
}

/* DER among it: every length and tag. */
static void test_each_byte_of_a_signature(void **state)
{
    (void)state;
    for (size_t k = 0; k < 3; k++) {
        struct regtag_verify v = only(KEYS[k]);
        struct file payload = read_file(KEYS[k], ".payload"), signature = decoded(KEYS[k], ".signature");
        for (size_t i = 0; i < signature.size; i++) {
            signature.bytes[i] ^= 1;
            assert_int_equal(check_payload(&v, &payload, &signature), SIGNATURE_OTHER_KEY);
            signature.bytes[i] ^= 1;
        }
        signature.size++;
        assert_int_equal(check_payload(&v, &payload, &signature), SIGNATURE_OTHER_KEY);
        for (signature.size -= 2; signature.size > 0; signature.size /= 2)
            assert_int_equal(check_payload(&v, &payload, &signature), SIGNATURE_OTHER_KEY);
    }
}

/* What comes before the envelope means nothing. */
static void test_each_byte_of_a_bundle(void **state)
{
    (void)state;
    struct regtag_verify v = only("rsa2048");
    struct file bundle = read_file("rsa2048", ".bundle");
    size_t envelope = (size_t)(strstr(bundle.bytes, "\"dsseEnvelope\"") - bundle.bytes), good = 0;
    for (size_t i = 0; i < bundle.size; i++) {
        bundle.bytes[i] ^= 1;
        enum signature_finding finding = check_bundle(&v, &bundle);
        good += finding == SIGNATURE_GOOD;
        assert_true(i < envelope ? finding == SIGNATURE_GOOD || finding == SIGNATURE_MALFORMED
                                 : finding == SIGNATURE_OTHER_KEY || finding == SIGNATURE_MALFORMED);
        bundle.bytes[i] ^= 1;
    }
    assert_in_range(good, 50, envelope);
    assert_int_equal(check_bundle(&v, &bundle), SIGNATURE_GOOD);
}

/* A changed key is refused, or another key, or the very same. */
static void test_each_byte_of_a_key(void **state)
{
    (void)state;
    for (size_t k = 0; k < 3; k++) {
        struct regtag_verify before = only(KEYS[k]);
        struct file pem = read_file(KEYS[k], ".pub"), payload = read_file(KEYS[k], ".payload"),
                    signature = decoded(KEYS[k], ".signature");
        for (size_t i = 0; i < pem.size; i++) {
            struct regtag_verify v = {.count = 0};
            pem.bytes[i] ^= 1;
            bool refused = regtag_verify_add(&v, pem.bytes, pem.size) != NULL;
            bool same = !refused && strcmp(v.keys[0].sha256, before.keys[0].sha256) == 0;
            assert_true(refused || same || strncmp(KEYS[k], "rsa", 3) == 0); /* no other point */
            if (!refused)
                assert_int_equal(check_payload(&v, &payload, &signature),
                                 same ? SIGNATURE_GOOD : SIGNATURE_OTHER_KEY);
            pem.bytes[i] ^= 1;
        }
    }
}

/* A sequence of three numbers, and one that ends too early. */
static void test_more_than_two_numbers(void **state)
{
    (void)state;
    struct regtag_verify v = only("p256");
    struct file payload = read_file("p256", ".payload"), signature = decoded("p256", ".signature");
    memcpy(signature.bytes + signature.size, "\2\1\1", 3);
    signature.bytes[1] = (char)(signature.bytes[1] + 3);
    signature.size += 3;
    assert_int_equal(check_payload(&v, &payload, &signature), SIGNATURE_OTHER_KEY);
    signature.size -= 3;
    assert_int_equal(check_payload(&v, &payload, &signature), SIGNATURE_OTHER_KEY);
}

static void test_another_image(void **state)
{
    (void)state;
    struct regtag_verify v = all_keys();
    struct file payload = read_file("p256", ".payload"), signature = decoded("p256", ".signature"),
                bundle = read_file("p256", ".bundle");
    image.bytes[10] ^= 1;
    assert_int_equal(check_payload(&v, &payload, &signature), SIGNATURE_OTHER_IMAGE);
    assert_int_equal(check_bundle(&v, &bundle), SIGNATURE_OTHER_IMAGE);
    image.bytes[10] ^= 1;
}

static void test_swapped(void **state)
{
    (void)state;
    struct regtag_verify v = all_keys();
    for (size_t i = 0; i < COUNT(KEYS); i++) {
        struct file payload = read_file(KEYS[i], ".payload"),
                    signature = decoded(KEYS[(i + 1) % COUNT(KEYS)], ".signature");
        assert_int_equal(check_payload(&v, &payload, &signature), SIGNATURE_OTHER_KEY);
    }
}

static void test_no_more_than_allowed(void **state)
{
    (void)state;
    struct regtag_verify v = all_keys();
    struct file payload = read_file("p256", ".payload"), signature = decoded("p256", ".signature");
    struct signature_check c = checker(&v);
    c.left = 1;
    assert_int_equal(signature_check_payload(&c, slice(&payload), slice(&signature)), SIGNATURE_GOOD);
    assert_false(c.cut);
    assert_int_equal(signature_check_payload(&c, slice(&payload), slice(&signature)),
                     SIGNATURE_OTHER_KEY);
    assert_true(c.cut);
}

/* ---- Keys ------------------------------------------------------------------------------------ */

static void refused(const char *pem, size_t size, const char *problem)
{
    struct regtag_verify v = {.count = 0};
    const char *said = regtag_verify_add(&v, pem, size);
    assert_non_null(said);
    assert_non_null(strstr(said, problem));
    assert_int_equal(v.count, 0);
}

static void test_other_kinds_of_keys(void **state)
{
    (void)state;
    static const char *const OTHERS[] = {"p521",    "secp256k1", "ed25519",   "rsa1024",
                                         "rsa2040", "rsa4104",   "compressed"};
    for (size_t i = 0; i < COUNT(OTHERS); i++) {
        struct file pem = read_file(OTHERS[i], ".pub");
        refused(pem.bytes, pem.size, "it is not a key for ECDSA with P-256 or P-384");
    }
    struct file pem = read_file("certificate", ".pub");
    refused(pem.bytes, pem.size, "it has a certificate");
    pem = read_file("pkcs1", ".pub");
    refused(pem.bytes, pem.size, "it is not a public key in PEM");
}

/* With the exponent 1, any signature would be good that says what it signs. */
static void test_an_exponent_that_signs_all(void **state)
{
    (void)state;
    struct file pem = read_file("rsa2048", ".pub");
    char *exponent = strstr(pem.bytes, "AQAB\n");
    assert_non_null(exponent);
    memcpy(exponent, "AAAB", 4);
    refused(pem.bytes, pem.size, "it is not a key for");
}

#define BEGIN "-----BEGIN PUBLIC KEY-----\n"
#define END "-----END PUBLIC KEY-----\n"
#define PRIVATE(kind) "-----BEGIN " kind "PRIVATE KEY-----\nMIGH\n-----END " kind "PRIVATE KEY-----\n"

static void test_files_that_are_no_keys(void **state)
{
    (void)state;
    static const struct {
        const char *text, *problem;
    } FILES[] = {
        {"", "not a public key in PEM"},
        {"\n", "not a public key in PEM"},
        {"MIGH", "not a public key in PEM"},
        {BEGIN, "not a public key in PEM"},
        {END BEGIN, "not a public key in PEM"},
        {PRIVATE(""), "private key"},
        {PRIVATE("EC "), "private key"},
        {PRIVATE("ENCRYPTED SIGSTORE "), "private key"},
        {"# text\n" PRIVATE(""), "private key"},
        {BEGIN END, "not a key for"},
        {BEGIN "MIGH\n" END, "not a key for"},
        {BEGIN "MI!H\n" END, "not valid PEM"},
        {BEGIN "MIG\n" END, "not valid PEM"},
        {BEGIN "Proc-Type: 4,ENCRYPTED\n\nMIGH\n" END, "not valid PEM"},
        {BEGIN "MIGH\n" BEGIN "MIGH\n" END, "not valid PEM"},
    };
    for (size_t i = 0; i < COUNT(FILES); i++)
        refused(FILES[i].text, strlen(FILES[i].text), FILES[i].problem);
}

/* The key of a file with something before it, behind it, or for a line end. */
static struct file around(const char *before, const char *behind, const char *line_end)
{
    struct file pem = read_file("p384", ".pub"), out;
    struct writer w = writer_to(out.bytes, sizeof out.bytes);
    write_text(&w, before);
    for (size_t i = 0; i < pem.size; i++)
        if (pem.bytes[i] == '\n')
            write_text(&w, line_end);
        else
            write_char(&w, pem.bytes[i]);
    write_text(&w, behind);
    out.size = w.used;
    return out;
}

static void test_a_key_must_be_alone(void **state)
{
    (void)state;
    struct file two = around("", BEGIN "MIGH\n" END, "\n");
    refused(two.bytes, two.size, "something follows the key");
    two = around("", "x", "\n");
    refused(two.bytes, two.size, "something follows the key");
    two = around("", PRIVATE(""), "\n");
    refused(two.bytes, two.size, "something follows the key");
    two = around("x", "", "\n");
    refused(two.bytes, two.size, "not a public key in PEM");
    two = around("", "", "\n");
    two.bytes[two.size - 1] = '\0';
    refused(two.bytes, two.size, "something follows the key");
    refused(two.bytes, REGTAG_VERIFY_FILE_MAX + 1, "too large");
}

static void test_line_ends_and_space(void **state)
{
    (void)state;
    static const char *const LINE_ENDS[] = {"\n", "\r\n", "\n\n", " \n"};
    struct regtag_verify expected = only("p384");
    for (size_t i = 0; i < COUNT(LINE_ENDS); i++) {
        struct file pem = around(" \n\t", "\n \r\n", LINE_ENDS[i]);
        struct regtag_verify v = {.count = 0};
        assert_null(regtag_verify_add(&v, pem.bytes, pem.size));
        assert_string_equal(v.keys[0].sha256, expected.keys[0].sha256);
    }
}

static void test_eight_keys(void **state)
{
    (void)state;
    struct regtag_verify v = {.count = 0};
    for (size_t i = 0; i < REGTAG_VERIFY_KEYS_MAX; i++)
        assert_null(add(&v, KEYS[i % COUNT(KEYS)]));
    assert_string_equal(add(&v, "p256"), "there are more than 8 keys");
    assert_int_equal(v.count, REGTAG_VERIFY_KEYS_MAX);
}

/* cosign's bundles name the key by the same, in Base64. */
static void test_sha256_of_a_key(void **state)
{
    (void)state;
    struct regtag_verify v = all_keys();
    for (size_t i = 0; i < COUNT(KEYS); i++) {
        struct file bundle = read_file(KEYS[i], ".bundle");
        const char *hint = strstr(bundle.bytes, "\"hint\":\"") + 8;
        struct slice sum;
        char bytes[32], hex[65];
        assert_true(base64_decode((struct slice){hint, strcspn(hint, "\"")}, bytes, sizeof bytes, &sum));
        for (size_t n = 0; n < 32; n++)
            snprintf(hex + 2 * n, 3, "%02x", (unsigned char)bytes[n]);
        assert_string_equal(v.keys[i].sha256, hex);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cosign),
        cmocka_unit_test(test_each_key_alone),
        cmocka_unit_test(test_salts_of_any_length),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_not_enough_memory),
        cmocka_unit_test(test_each_byte_of_a_payload),
        cmocka_unit_test(test_each_byte_of_a_signature),
        cmocka_unit_test(test_each_byte_of_a_bundle),
        cmocka_unit_test(test_each_byte_of_a_key),
        cmocka_unit_test(test_more_than_two_numbers),
        cmocka_unit_test(test_another_image),
        cmocka_unit_test(test_swapped),
        cmocka_unit_test(test_no_more_than_allowed),
        cmocka_unit_test(test_other_kinds_of_keys),
        cmocka_unit_test(test_an_exponent_that_signs_all),
        cmocka_unit_test(test_files_that_are_no_keys),
        cmocka_unit_test(test_a_key_must_be_alone),
        cmocka_unit_test(test_line_ends_and_space),
        cmocka_unit_test(test_eight_keys),
        cmocka_unit_test(test_sha256_of_a_key),
    };
    image = read_file("image", "");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
