/* src/embed: numeric addresses, and what they look like. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>

#include <cmocka.h>

#include "regtag_address.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct regtag_address address_of(const char *text, uint16_t port)
{
    struct regtag_address a;
    assert_true(regtag_address_parse(&a, text));
    regtag_address_set_port(&a, port);
    return a;
}

static void test_text_is_as_everybody_writes_it(void **state)
{
    static const char *const CASES[][2] = {
        {"127.0.0.1", "127.0.0.1"},
        {"255.255.255.255", "255.255.255.255"},
        {"0.0.0.0", "0.0.0.0"},
        {"::", "::"},
        {"::1", "::1"},
        {"1::", "1::"},
        {"2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
        {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
        {"0:0:0:1::", "0:0:0:1::"},
        {"fe80::0fff:10", "fe80::fff:10"},
        {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
        {"1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"},
        {"0:0:3:4:5:6:7:8", "::3:4:5:6:7:8"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        {"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
        {"1::ffff:c000:201", "1::ffff:c000:201"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        char text[REGTAG_ADDRESS_TEXT_MAX];
        struct regtag_address a = address_of(CASES[i][0], 443);
        regtag_address_text(&a, text);
        assert_string_equal(text, CASES[i][1]);
    }
}

/* All 256 ways in which groups may be zero, against the C library's. */
static void test_text_is_that_of_inet_ntop(void **state)
{
    (void)state;
    for (unsigned zeros = 0; zeros < 256; zeros++) {
        char text[REGTAG_ADDRESS_TEXT_MAX], expected[INET6_ADDRSTRLEN];
        struct regtag_address a = address_of("::1", 443);
        for (unsigned i = 0; i < 8; i++) {
            a.socket.v6.sin6_addr.s6_addr[2 * i] = 0;
            a.socket.v6.sin6_addr.s6_addr[2 * i + 1] = zeros >> i & 1 ? 0 : (unsigned char)(16 + i);
        }
        if ((zeros & 0x3f) == 0x3f) /* glibc writes these as IPv4 */
            continue;
        regtag_address_text(&a, text);
        assert_non_null(inet_ntop(AF_INET6, &a.socket.v6.sin6_addr, expected, sizeof expected));
        assert_string_equal(text, expected);
    }
}

static void test_port_is_set_in_either_family(void **state)
{
    (void)state;
    assert_int_equal(ntohs(address_of("192.0.2.1", 5000).socket.v4.sin_port), 5000);
    assert_int_equal(ntohs(address_of("fd00::1", 5001).socket.v6.sin6_port), 5001);
}

static void test_what_is_no_address_is_refused(void **state)
{
    static const char *const CASES[] = {"",        "1.2.3",    "1.2.3.256", "host",
                                        "1:2:3:4", "::1%eth0", "[::1]",     "0x7f.0.0.1"};
    struct regtag_address a;
    struct sockaddr odd = {.sa_family = AF_UNIX};
    (void)state;
    for (size_t i = 0; i < COUNT(CASES); i++)
        assert_false(regtag_address_parse(&a, CASES[i]));
    assert_false(regtag_address_set(&a, &odd, sizeof odd));
}

static void test_an_address_of_the_c_library_is_taken_over(void **state)
{
    struct regtag_address from = address_of("fd00::1", 443), to;
    (void)state;
    assert_true(regtag_address_set(&to, &from.socket.any, from.size));
    assert_int_equal(to.size, sizeof from.socket.v6);
    assert_memory_equal(&to.socket.v6, &from.socket.v6, sizeof from.socket.v6);
    assert_false(regtag_address_set(&to, &from.socket.any, sizeof from.socket + 1));
}

static void test_families_take_turns(void **state)
{
    static const char *const FROM[] = {"fd00::1", "fd00::2", "fd00::3", "192.0.2.1", "192.0.2.2"};
    static const char *const TO[] = {"fd00::1", "192.0.2.1", "fd00::2", "192.0.2.2", "fd00::3"};
    struct regtag_address list[COUNT(FROM)];
    (void)state;
    for (size_t i = 0; i < COUNT(FROM); i++)
        assert_true(regtag_address_parse(&list[i], FROM[i]));
    regtag_addresses_interleave(list, COUNT(FROM));
    for (size_t i = 0; i < COUNT(TO); i++) {
        char text[REGTAG_ADDRESS_TEXT_MAX];
        regtag_address_text(&list[i], text);
        assert_string_equal(text, TO[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_is_as_everybody_writes_it),
        cmocka_unit_test(test_text_is_that_of_inet_ntop),
        cmocka_unit_test(test_port_is_set_in_either_family),
        cmocka_unit_test(test_what_is_no_address_is_refused),
        cmocka_unit_test(test_an_address_of_the_c_library_is_taken_over),
        cmocka_unit_test(test_families_take_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
