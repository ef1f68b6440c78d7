/* src/embed/regtag_chain: names and name constraints, byte by byte. tests/e2e/test_tls_agreement.py compares whole
 * chains with openssl. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <string.h>

#include "base/writer.h"
#include <mbedtls/oid.h>

#include "guard.h"
#include "regtag_chain.h"

#define DNS "\x82"
#define ADDRESS "\x87"
#define DIRECTORY "\xa4"
#define MAIL "\x81"
#define URI "\x86"

/* The content of nameConstraints. */
#define PERMITTED_TEST "\xa0\x08\x30\x06\x82\x04test"
#define PERMITTED_BELOW "\xa0\x09\x30\x07\x82\x05.test"
#define EXCLUDED_TEST "\xa1\x08\x30\x06\x82\x04test"
#define EXCLUDED_BAD                                                                                    \
    "\xa1\x07\x30\x05\x82\x03"                                                                          \
    "bad"
#define PERMITTED_ANY "\xa0\x04\x30\x02\x82\x00"
#define PERMITTED_NET "\xa0\x0c\x30\x0a\x87\x08\x0a\x01\x00\x00\xff\xff\x00\x00"
#define EXCLUDED_NET "\xa1\x0c\x30\x0a\x87\x08\x0a\x01\x00\x00\xff\xff\x00\x00"
#define ODD_NET "\xa1\x0a\x30\x08\x87\x06\x0a\x01\x00\xff\xff\x00"
#define PERMITTED_DIRECTORY "\xa0\x08\x30\x06\xa4\x04\x30\x02\x31\x00"
#define EXCLUDED_DIRECTORY "\xa1\x08\x30\x06\xa4\x04\x30\x02\x31\x00"
#define PERMITTED_MAIL "\xa0\x08\x30\x06\x81\x04test"
#define TO_A_DEPTH "\xa0\x0b\x30\x09\x82\x04test\x80\x01\x01"

static mbedtls_x509_buf buffer(int tag, struct slice s)
{
    return (mbedtls_x509_buf){tag, s.size, (unsigned char *)(uintptr_t)s.data};
}

/* An element around others. */
static struct slice wrap(unsigned char tag, struct slice content, char *memory)
{
    size_t size = content.size;
    assert_true(size < 128);
    memmove(memory + 2, content.data, size);
    memory[0] = (char)tag;
    memory[1] = (char)size;
    return (struct slice){memory, size + 2};
}

/* The content of nameConstraints as the extension of a CA. */
static mbedtls_x509_crt authority(struct slice constraints, char memory[256])
{
    mbedtls_x509_crt c;
    char inner[256];
    struct slice octets = wrap(0x04, wrap(0x30, constraints, inner), inner);
    struct writer w = writer_to(memory, 256);
    memset(&c, 0, sizeof c);
    write_slice(&w, SLICE("\x06\x03\x55\x1d\x1e\x01\x01\xff")); /* 2.5.29.30, critical */
    write_slice(&w, octets);
    assert_false(w.overflow);
    c.v3_ext = buffer(0xa3, wrap(0x30, wrap(0x30, written(&w), memory), memory));
    return c;
}

/* A certificate with one alternative name, or with a subject. */
static mbedtls_x509_crt named(const char *tag, struct slice name)
{
    mbedtls_x509_crt c;
    memset(&c, 0, sizeof c);
    c.subject_alt_names.buf = buffer((unsigned char)*tag, name);
    return c;
}

/* Also cut anywhere, which never permits anything, and with a page behind it that must not be read. */
static bool permits(struct slice constraints, const char *tag, struct slice name)
{
    char memory[256];
    mbedtls_x509_crt ca = authority(constraints, memory), c = named(tag, name);
    size_t size = ca.v3_ext.len;
    for (size_t i = 0; i <= size; i++) {
        struct guard g = guard_end(memory, i);
        ca.v3_ext.p = (unsigned char *)g.data;
        ca.v3_ext.len = i;
        bool permitted = regtag_chain_permits(&ca, &c);
        guard_free(&g);
        if (i == size)
            return permitted;
        assert_false(permitted);
    }
    return false;
}

static const struct {
    struct slice constraints;
    const char *tag;
    struct slice name;
    bool permitted;
} CONSTRAINTS[] = {
    {SLICE_INIT(PERMITTED_TEST), DNS, SLICE_INIT("test"), true},
    {SLICE_INIT(PERMITTED_TEST), DNS, SLICE_INIT("a.TEST"), true},
    {SLICE_INIT(PERMITTED_TEST), DNS, SLICE_INIT("a.b.test"), true},
    {SLICE_INIT(PERMITTED_TEST), DNS, SLICE_INIT("atest"), false},
    {SLICE_INIT(PERMITTED_TEST), DNS, SLICE_INIT("tes"), false},
    {SLICE_INIT(PERMITTED_TEST), DNS, SLICE_INIT("test.a"), false},
    {SLICE_INIT(PERMITTED_BELOW), DNS, SLICE_INIT("a.test"), true},
    {SLICE_INIT(PERMITTED_BELOW), DNS, SLICE_INIT("test"), false},
    {SLICE_INIT(EXCLUDED_TEST), DNS, SLICE_INIT("a.test"), false},
    {SLICE_INIT(EXCLUDED_TEST), DNS, SLICE_INIT("test.a"), true},
    {SLICE_INIT(PERMITTED_TEST EXCLUDED_BAD), DNS, SLICE_INIT("a.test"), true},
    {SLICE_INIT(PERMITTED_TEST EXCLUDED_BAD), DNS, SLICE_INIT("a.bad"), false},
    {SLICE_INIT(PERMITTED_ANY EXCLUDED_TEST), DNS, SLICE_INIT("a.test"), false},
    {SLICE_INIT(PERMITTED_ANY EXCLUDED_TEST), DNS, SLICE_INIT("a"), true},
    {SLICE_INIT(PERMITTED_TEST), ADDRESS, SLICE_INIT("\x0a\x01\x02\x03"), true},
    {SLICE_INIT(PERMITTED_NET), DNS, SLICE_INIT("test"), true},
    {SLICE_INIT(PERMITTED_NET), ADDRESS, SLICE_INIT("\x0a\x01\x02\x03"), true},
    {SLICE_INIT(PERMITTED_NET), ADDRESS, SLICE_INIT("\x0a\x02\x02\x03"), false},
    {SLICE_INIT(PERMITTED_NET), ADDRESS, SLICE_INIT("\x0a\x01\x02\x03\0\0\0\0\0\0\0\0\0\0\0\0"), false},
    {SLICE_INIT(EXCLUDED_NET), ADDRESS, SLICE_INIT("\x0a\x01\xff\xff"), false},
    {SLICE_INIT(EXCLUDED_NET), ADDRESS, SLICE_INIT("\x0a\x02\x02\x03"), true},
    {SLICE_INIT(EXCLUDED_NET), ADDRESS, SLICE_INIT("\x0a\x01\x02\x03\0\0\0\0\0\0\0\0\0\0\0\0"), true},
    {SLICE_INIT(ODD_NET), ADDRESS, SLICE_INIT("\x0b\x01\x02\x03"), false},
    {SLICE_INIT(PERMITTED_DIRECTORY), DIRECTORY, SLICE_INIT("\x30\x02\x31\x00"), true},
    {SLICE_INIT(PERMITTED_DIRECTORY), DIRECTORY, SLICE_INIT("\x30\x04\x31\x00\x31\x00"), true},
    {SLICE_INIT(PERMITTED_DIRECTORY), DIRECTORY, SLICE_INIT("\x30\x02\x32\x00"), false},
    {SLICE_INIT(PERMITTED_DIRECTORY), DIRECTORY, SLICE_INIT("\x30\x00"), false},
    {SLICE_INIT(PERMITTED_DIRECTORY), DIRECTORY, SLICE_INIT("\x30"), false},
    {SLICE_INIT(EXCLUDED_DIRECTORY), DIRECTORY, SLICE_INIT("\x30\x02\x32\x00"), false},
    {SLICE_INIT(PERMITTED_MAIL), MAIL, SLICE_INIT("me@test"), false},
    {SLICE_INIT(PERMITTED_MAIL), URI, SLICE_INIT("http://test"), true},
    {SLICE_INIT(TO_A_DEPTH), DNS, SLICE_INIT("test"), false},
    {SLICE_INIT(TO_A_DEPTH), ADDRESS, SLICE_INIT("\x0a\x01\x02\x03"), true},
    /* No DER */
    {SLICE_INIT("\xa0\x01\x30"), DNS, SLICE_INIT("test"), false},
    {SLICE_INIT("\xa0\x02\x30\x00"), DNS, SLICE_INIT("test"), false},
    {SLICE_INIT("\xa0\x08\x30\x06\x82\x05test"), DNS, SLICE_INIT("test"), false},
    {SLICE_INIT(PERMITTED_TEST "\xa1"), DNS, SLICE_INIT("test"), false},
};

static void test_constraints(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof CONSTRAINTS / sizeof CONSTRAINTS[0]; i++)
        if (permits(CONSTRAINTS[i].constraints, CONSTRAINTS[i].tag, CONSTRAINTS[i].name) !=
            CONSTRAINTS[i].permitted)
            fail_msg("constraint %zu", i);
}

static void test_an_authority_without_extensions(void **state)
{
    mbedtls_x509_crt ca, c = named(DNS, SLICE("test"));
    (void)state;
    memset(&ca, 0, sizeof ca);
    assert_true(regtag_chain_permits(&ca, &c));
}

static void test_mail_in_the_subject(void **state)
{
    static const char MAIL_OID[] = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01";
    char memory[256];
    mbedtls_x509_crt c, ca = authority(SLICE(PERMITTED_MAIL), memory);
    (void)state;
    memset(&c, 0, sizeof c);
    c.subject_raw = buffer(0x30, SLICE("\x30\x00"));
    c.subject.oid = buffer(0x06, SLICE("\x55\x04\x03"));
    c.subject.val = buffer(0x0c, SLICE("me@test"));
    assert_true(regtag_chain_permits(&ca, &c));
    c.subject.oid = buffer(0x06, (struct slice){MAIL_OID, sizeof MAIL_OID - 1});
    assert_false(regtag_chain_permits(&ca, &c));
}

static const struct {
    const char *tag;
    struct slice name;
    const char *host;
    bool same;
} HOSTS[] = {
    {DNS, SLICE_INIT("a.test"), "a.test", true},
    {DNS, SLICE_INIT("A.Test"), "a.test", true},
    {DNS, SLICE_INIT("a.test"), "b.test", false},
    {DNS, SLICE_INIT("a.test\0"), "a.test", false},
    {DNS, SLICE_INIT("a.tes\0"), "a.tes", false},
    {DNS, SLICE_INIT("*.b.test"), "a.b.test", true},
    {DNS, SLICE_INIT("*.b.test"), "a.B.TEST", true},
    {DNS, SLICE_INIT("*.b.test"), "b.test", false},
    {DNS, SLICE_INIT("*.b.test"), "c.a.b.test", false},
    {DNS, SLICE_INIT("*.b.test"), ".b.test", false},
    {DNS, SLICE_INIT("*.test"), "a.test", false},
    {DNS, SLICE_INIT("*"), "test", false},
    {DNS, SLICE_INIT("*."), "test.", false},
    {DNS, SLICE_INIT("*a.b.test"), "aa.b.test", false},
    {DNS, SLICE_INIT("a*.b.test"), "aa.b.test", false},
    {DNS, SLICE_INIT(""), "a.test", false},
    {URI, SLICE_INIT("a.test"), "a.test", false},
    {MAIL, SLICE_INIT("a.test"), "a.test", false},
    {ADDRESS, SLICE_INIT("\x7f\0\0\x01"), "127.0.0.1", true},
    {ADDRESS, SLICE_INIT("\x7f\0\0\x02"), "127.0.0.1", false},
    {DNS, SLICE_INIT("127.0.0.1"), "127.0.0.1", false},
    {ADDRESS, SLICE_INIT("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"), "::1", true},
    {ADDRESS, SLICE_INIT("\0\0\0\0"), "::", false},
};

static void test_hosts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof HOSTS / sizeof HOSTS[0]; i++) {
        mbedtls_x509_crt c = named(HOSTS[i].tag, HOSTS[i].name);
        assert_false(regtag_chain_is_for_host(&c, HOSTS[i].host));
        c.MBEDTLS_PRIVATE(ext_types) = MBEDTLS_X509_EXT_SUBJECT_ALT_NAME;
        if (regtag_chain_is_for_host(&c, HOSTS[i].host) != HOSTS[i].same)
            fail_msg("host %zu: %s", i, HOSTS[i].host);
    }
}

/* Of a certificate with one extension: Netscape's type, with these bits. */
#define NETSCAPE(size, type) "\x30" size "\x06\x09\x60\x86\x48\x01\x86\xf8\x42\x01\x01" type

static bool is_for_servers(struct slice extension, bool authority)
{
    mbedtls_x509_crt c;
    char memory[64];
    memset(&c, 0, sizeof c);
    c.v3_ext = buffer(0xa3, wrap(0x30, extension, memory));
    return regtag_chain_is_for_servers(&c, authority);
}

static void test_netscape(void **state)
{
    const struct slice client = SLICE(NETSCAPE("\x11", "\x04\x04\x03\x02\x07\x80"));
    (void)state;
    assert_true(is_for_servers(SLICE(""), false));
    assert_true(is_for_servers(SLICE("\x30\x07\x06\x03\x55\x1d\x1e\x04\x00"), false));
    assert_true(is_for_servers(SLICE(NETSCAPE("\x11", "\x04\x04\x03\x02\x06\x40")), false));
    assert_true(is_for_servers(SLICE(NETSCAPE("\x11", "\x04\x04\x03\x02\x06\xc0")), false));
    assert_true(is_for_servers(client, true));
    assert_false(is_for_servers(client, false));
    assert_false(is_for_servers(SLICE(NETSCAPE("\x10", "\x04\x03\x03\x01\x00")), false));
    assert_false(is_for_servers(SLICE(NETSCAPE("\x0f", "\x04\x02\x03\x00")), false));
    assert_false(is_for_servers(SLICE(NETSCAPE("\x0b", "")), false));
    assert_false(is_for_servers(SLICE("\x30\x00"), false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constraints),
        cmocka_unit_test(test_an_authority_without_extensions),
        cmocka_unit_test(test_mail_in_the_subject),
        cmocka_unit_test(test_netscape),
        cmocka_unit_test(test_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
