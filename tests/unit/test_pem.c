/* src/net/tls_pem: finding the certificates in a file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "base/base64.h"
#include "net/tls_pem.h"

#define BEGIN "-----BEGIN CERTIFICATE-----\n"
#define END "-----END CERTIFICATE-----\n"
#define LONG 600 /* bytes of a certificate */

static char path[64];
static struct tls_pem pem;

static void put(struct slice content)
{
    snprintf(path, sizeof path, "/tmp/regtag-test-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content.data, content.size), content.size);
    close(fd);
}

/* The certificates, which are short texts here, with a comma after each. */
static void found(struct slice content, const char *expected)
{
    char text[200];
    struct writer w = writer_to(text, sizeof text);
    struct slice der;
    put(content);
    assert_true(tls_pem_open(&pem, path));
    while (tls_pem_next(&pem, &der)) {
        write_slice(&w, der);
        write_char(&w, ',');
    }
    tls_pem_close(&pem);
    unlink(path);
    assert_false(w.overflow);
    assert_int_equal(w.used, strlen(expected));
    assert_memory_equal(text, expected, w.used);
}

static void test_lines(void **state)
{
    (void)state;
    found(SLICE(BEGIN "b25l\n" END), "one,");
    found(SLICE(BEGIN "b25l\n" END BEGIN "dHdv\n" END), "one,two,");
    found(SLICE("-----BEGIN X509 CERTIFICATE-----\r\nb25l\r\n-----END X509 CERTIFICATE-----"), "one,");
    found(SLICE("text\n\n" BEGIN "b2\n\n \t5l \n" END "text"), "one,");
    found(SLICE(BEGIN "b\n2\n5\nl\n" END), "one,");
    found(SLICE(BEGIN "dGhyZWU=\n" END), "three,");
}

static void test_what_is_no_certificate(void **state)
{
    (void)state;
    found(SLICE(""), "");
    found(SLICE("-"), "");
    found(SLICE(BEGIN), "");
    found(SLICE(BEGIN END), "");
    found(SLICE(BEGIN "b25l"), "");
    found(SLICE(BEGIN "b25l\n-----BEGIN KEY-----\n"), "");
    found(SLICE(" " BEGIN "b25l\n" END), "");
    found(SLICE("x" BEGIN "b25l\n" END), "");
    found(SLICE("x----BEGIN CERTIFICATE-----\nb25l\n" END), "");
    found(SLICE(BEGIN "b2!l\n" END), "");
    found(SLICE(BEGIN "b25lb\n" END), "");
    found(SLICE("-----BEGIN TRUSTED CERTIFICATE-----\nb25l\n-----END TRUSTED CERTIFICATE-----\n"), "");
}

static void test_one_after_what_is_no_certificate(void **state)
{
    (void)state;
    found(SLICE(BEGIN "dHdv\n" BEGIN "b25l\n" END), "one,");
    found(SLICE(BEGIN "dHdvd\n" BEGIN "b25l\n" END), "one,");
    found(SLICE(BEGIN "dHdv\n-----EN\n" BEGIN "b25l\n" END), "one,");
    found(SLICE(BEGIN "d!!v\n" END BEGIN "b25l\n" END), "one,");
    found(SLICE("-----BEGIN KEY-----\ndHdv\n-----END KEY-----\n" BEGIN "b25l\n" END), "one,");
}

static void test_the_beginning_of_a_file(void **state)
{
    (void)state;
    found(SLICE("\xef\xbb\xbf" BEGIN "b25l\n" END), "one,");
    found(SLICE("\n\xef\xbb\xbf\n" BEGIN "b25l\n" END), "one,");
    found(SLICE("\xef\xbb"), "");
    found(SLICE("0\n" BEGIN "b25l\n" END), "one,");
    found(SLICE("0"), "");
    found(SLICE("0\x81\x03yes"), "0\x81\x03yes,");
}

/* A certificate of `size` bytes on a single line, which is longer than any buffer. */
static size_t put_long(size_t size)
{
    static char text[3 * TLS_CERTIFICATE_MAX], body[2 * TLS_CERTIFICATE_MAX];
    struct writer w = writer_to(text, sizeof text);
    struct slice der;
    memset(body, 'x', sizeof body);
    write_text(&w, BEGIN);
    write_base64(&w, (struct slice){body, size});
    write_text(&w, "\n" END);
    assert_false(w.overflow);
    put(written(&w));
    assert_true(tls_pem_open(&pem, path));
    size_t found_size = tls_pem_next(&pem, &der) ? der.size : 0;
    tls_pem_close(&pem);
    unlink(path);
    return found_size;
}

static void test_a_long_line(void **state)
{
    (void)state;
    for (size_t size = 90; size < LONG; size++)
        assert_int_equal(put_long(size), size);
    assert_int_equal(put_long(TLS_CERTIFICATE_MAX), TLS_CERTIFICATE_MAX);
    assert_int_equal(put_long(TLS_CERTIFICATE_MAX + 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_what_is_no_certificate),
        cmocka_unit_test(test_one_after_what_is_no_certificate),
        cmocka_unit_test(test_the_beginning_of_a_file),
        cmocka_unit_test(test_a_long_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
