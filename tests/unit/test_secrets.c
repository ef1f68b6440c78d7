/* src/client: what is masked in a text that others have written, and whom a password may go to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "base/base64.h"
#include "client/mask.h"
#include "client/realm.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- Masking --------------------------------------------------------------------------------- */

static const struct masked {
    const char *secret, *text, *shown;
} masked[] = {
    {"abcd+/=~", "no abcd+/=~!", "no ********!"},
    {"abcd+/=~", "no abcd%2B%2F%3D~!", "no **************!"},
    {"abcd+/=~", "no abcd%2b%2f%3d~!", "no **************!"},
    {"abcd+/=~", "%61%62%63%64%2B/=%7e", "********************"},
    {"a%2Bbcdefgh", "a%2Bbcdefgh", "***********"},
    {"a%2Bbcdefgh", "a%252Bbcdefgh", "*************"},
    {"a%zzbcdefgh", "a%zzbcdefgh %zz", "*********** %zz"},
    {"\xc3\xa9tudes-1", "%C3%A9tudes-1 %c3%a9tudes-1", "************* *************"},
    {"a longer secret", "it has: a longer", "it has: ********"},
    {"a longer secret", "it has: a%20longer", "it has: **********"},
    {"a longer secret", "it has: a longe", "it has: a longe"},
    {"a/b", "a%2Fb", "*****"},
    {"a/b", "a%2", "a%2"},
    {"abc", "abc", "***"},
    {"abc", "ab%6", "ab%6"},
    {"abc", "ab%", "ab%"},
    {"ab", "ab", "ab"},
    {"", "ab", "ab"},
    {"abcabcabcabd", "abcabcabcabcabd", "***************"},
    {"%25", "a %25", "a ***"},
};

static void a_secret_is_masked_in_each_form_in_which_it_is_sent(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(masked); i++) {
        char text[64];
        size_t size = strlen(masked[i].text);
        memcpy(text, masked[i].text, size + 1);
        mask((struct slice){masked[i].secret, strlen(masked[i].secret)}, text, size);
        assert_string_equal(text, masked[i].shown);
        struct guard g = guard_end(masked[i].text, size);
        mask((struct slice){masked[i].secret, strlen(masked[i].secret)}, g.data, g.size);
        assert_memory_equal(g.data, masked[i].shown, size);
        guard_free(&g);
    }
}

static void a_login_is_masked_as_it_is_sent(void **state)
{
    const struct regtag_credentials password = {.user = "user", .password = "pass/word"};
    const struct regtag_credentials token = {.identity_token = "to/ken-1"};
    char text[] = "Basic dXNlcjpwYXNzL3dvcmQ= pass%2fword",
         other[] = "PHRva2VuPjp0by9rZW4tMQ== to%2Fken-1";
    (void)state;
    mask_credentials(&password, text, strlen(text));
    assert_string_equal(text, "Basic *******************= ***********");
    mask_credentials(&token, other, strlen(other));
    assert_string_equal(other, "**********************== **********");
}

/* RFC 7617: what is sent is Base64 of "user:password"; a login of a few bytes is masked whole. */
static void a_short_login_is_masked_as_it_is_sent(void **state)
{
    static const struct {
        struct regtag_credentials credentials;
        const char *text, *shown;
    } SHORT[] = {{{.user = "a", .password = "b"}, "Basic YTpi", "Basic ****"},
                 {{.user = "a", .password = "bc"}, "Basic YTpiYw==", "Basic ******=="},
                 {{.user = "a", .password = "bcd"}, "Basic YTpiY2Q=", "Basic *******="}};
    (void)state;
    for (size_t i = 0; i < COUNT(SHORT); i++) {
        char text[32];
        snprintf(text, sizeof text, "%s", SHORT[i].text);
        mask_credentials(&SHORT[i].credentials, text, strlen(text));
        assert_string_equal(text, SHORT[i].shown);
    }
}

/* Base64 has the password in parts, of which the last has 5 digits. */
static void a_long_password_is_masked_to_its_end(void **state)
{
    enum { SIZE = 1800, DIGITS = (SIZE + 5 + 3) * 4 / 3 };
    static char password[SIZE + 3 + 1], login[SIZE + 3 + 8], text[DIGITS + 8];
    struct writer w = writer_to(text, sizeof text);
    (void)state;
    for (size_t i = 0; i < SIZE + 3; i++)
        password[i] = (char)('!' + i * i % 90);
    snprintf(login, sizeof login, "user:%s", password);
    write_base64(&w, slice_of(login));
    const struct regtag_credentials c = {.user = "user", .password = password};
    mask_credentials(&c, text, w.used);
    for (size_t i = 0; i < w.used; i++)
        assert_true(text[i] == '*' || text[i] == '=');
}

/* What a proxy is sent; an answer may have it decoded. */
static void a_login_that_came_encoded_is_masked_in_both_forms(void **state)
{
    static const struct masked LOGINS[] = {
        {"dXNlcjpwYXNzL3dvcmQ=", "dXNlcjpwYXNzL3dvcmQ= user pass/word",
         "*******************= user *********"},
        {"dXNlcjpwYXNzd29yZA==", "user:password pass%77ord", "user:******** **********"},
        {"YS1sb25lLXRva2Vu", "a-lone-token YS1sb25lLXRva2Vu", "************ ****************"},
        {"not*base64", "not*base64 not", "********** not"},
        {"", "user:", "user:"},
        {"==", "user==", "user=="},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(LOGINS); i++) {
        char text[64];
        snprintf(text, sizeof text, "%s", LOGINS[i].text);
        mask_encoded_login(slice_of(LOGINS[i].secret), text, strlen(text));
        assert_string_equal(text, LOGINS[i].shown);
    }
}

/* ---- Token servers --------------------------------------------------------------------------- */

/* A token server's URL; the registry is named with its scheme. */
static bool is_realm_asked(const char *realm, const char *registry, const struct regtag_side *side)
{
    struct url u;
    struct regtag_origin origin;
    struct error e;
    error_clear(&e);
    assert_true(url_parse(&u, slice_of(registry)));
    url_origin(&u, &origin);
    bool asked = realm_check(slice_of(realm), side, &origin, &e);
    assert_int_equal(e.status, asked ? 0 : REGTAG_E_DENIED);
    assert_int_equal(e.hint, asked ? 0 : REGTAG_HINT_REALM);
    return asked;
}

static bool is_asked(const char *host, const char *registry)
{
    static const struct regtag_side side;
    char realm[300], url[300];
    snprintf(realm, sizeof realm, "https://%s:5001/token", host);
    snprintf(url, sizeof url, "https://%s", registry);
    return is_realm_asked(realm, url, &side);
}

static void a_name_of_this_machine_is_private(void **state)
{
    static const char *const NAMES[] = {
        "localhost",
        "LocalHost",
        "localhost.",
        "a.localhost",
        "a.b.LOCALHOST.",
        "localhost6",
        "ip6-localhost",
        "ip6-loopback",
        "loopback",
        "a-hostname",
        "a_hostname",
        "localhost.localdomain",
        "a.localdomain",
        "a.localdomain.",
        "127.0.0.1.",
        "localhost6.localdomain6",
        "localhost4.localdomain4",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(NAMES); i++) {
        if (is_asked(NAMES[i], "registry.example"))
            fail_msg("asked: %s", NAMES[i]);
        assert_true(is_asked(NAMES[i], "localhost"));
        assert_true(is_asked(NAMES[i], "registry"));
    }
}

static void a_public_name_or_address_is_asked(void **state)
{
    static const char *const NAMES[] = {
        "auth.example",
        "localhost.example",
        "alocalhost.example",
        "a.notlocalhost",
        "localhost.a.test",
        "ip6-localhost.test",
        "8.8.8.8",
        "[2001:4860:4860::8888]",
        "[2a00:1450::1]",
        "[3fff::1]",
        "1.2.3.4",
        "100.63.0.1",
        "100.128.0.1",
        "101.64.0.1",
        "169.253.0.1",
        "169.255.0.1",
        "170.254.0.1",
        "172.15.0.1",
        "172.32.0.1",
        "173.16.0.1",
        "192.167.0.1",
        "192.169.0.1",
        "193.168.0.1",
        "11.0.0.1",
        "126.0.0.1",
        "128.0.0.1",
        "8.8.8.8.",
        "0.example",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(NAMES); i++)
        if (!is_asked(NAMES[i], "registry.example"))
            fail_msg("not asked: %s", NAMES[i]);
}

static void an_address_of_ipv6_that_is_not_global_is_private(void **state)
{
    static const char *const HOSTS[] = {"[::1]", "[::]", "[2::1]", "[200::1]", "[fd12::1]", "[3::]"};
    (void)state;
    for (size_t i = 0; i < COUNT(HOSTS); i++)
        if (is_asked(HOSTS[i], "registry.example"))
            fail_msg("asked: %s", HOSTS[i]);
}

/* In any notation that inet_aton takes. */
static void an_address_of_ipv4_that_is_not_global_is_private(void **state)
{
    static const char *const HOSTS[] = {
        "0.0.0.0",      "0.1.2.3",         "10.0.0.1",        "10.255.255.255", "127.0.0.1",
        "100.64.0.1",   "100.127.255.255", "169.254.1.2",     "172.16.0.1",     "172.31.255.255",
        "192.168.0.1",  "127.1",           "0x7f.1",          "2130706433",     "010.0.0.1",
        "8.08.8.8",     "1.2.3.256",       "1.2.3",           "1.2.3.4.5",      "a.2130706433",
        "example.0x7f", "8.8.8.8..",       "registry.test..",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(HOSTS); i++) {
        if (is_asked(HOSTS[i], "registry.example"))
            fail_msg("asked: %s", HOSTS[i]);
        assert_true(is_asked(HOSTS[i], "10.1.2.3"));
        assert_true(is_asked(HOSTS[i], HOSTS[i]));
    }
}

static void plain_http_is_for_the_same_host_or_this_machine(void **state)
{
    static const struct regtag_side side;
    static const struct {
        const char *realm, *registry;
        bool asked;
    } REALMS[] = {
        {"http://a.test/token", "http://a.test", true},
        {"http://A.test:81/token", "http://a.test", true},
        {"http://b.test/token", "http://a.test", false},
        {"http://localhost/token", "http://127.0.0.1", true},
        {"http://localhost/token", "http://a.test", false},
        {"http://a.test/token", "http://localhost", false},
        {"http://a.test/token", "https://a.test", false},
        {"http://localhost/token", "https://localhost", false},
        {"https://b.test/token", "http://a.test", true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(REALMS); i++)
        if (is_realm_asked(REALMS[i].realm, REALMS[i].registry, &side) != REALMS[i].asked)
            fail_msg("%s for %s", REALMS[i].realm, REALMS[i].registry);
}

static void a_server_that_was_allowed_is_asked_wherever_it_is(void **state)
{
    static const char *const allowed[] = {"other.test",    "10.0.0.1:80", "B.test:8080",
                                          "[fd00::1]:443", "[fd00::3]",   "fd00::4"};
    static const struct regtag_side side = {.allowed_realms = allowed,
                                            .allowed_realms_count = COUNT(allowed)};
    static const struct {
        const char *realm;
        bool asked;
    } REALMS[] = {
        {"http://other.test/", true},      {"http://other.test:99/", true},
        {"http://10.0.0.1/token", true},   {"http://10.0.0.1:80/", true},
        {"http://10.0.0.1:81/", false},    {"http://b.test:8080/", true},
        {"http://b.test/", false},         {"http://c.test/", false},
        {"https://[fd00::1]:443/", true},  {"https://[fd00::2]/", false},
        {"https://[fd00::1]/", true},      {"https://[fd00::1]:5001/", false},
        {"https://[fd00::3]/", true},      {"https://[fd00::3]:5001/", true},
        {"https://[fd00::4]:5001/", true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(REALMS); i++)
        if (is_realm_asked(REALMS[i].realm, "https://registry.test", &side) != REALMS[i].asked)
            fail_msg("%s", REALMS[i].realm);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_is_masked_in_each_form_in_which_it_is_sent),
        cmocka_unit_test(a_login_is_masked_as_it_is_sent),
        cmocka_unit_test(a_short_login_is_masked_as_it_is_sent),
        cmocka_unit_test(a_long_password_is_masked_to_its_end),
        cmocka_unit_test(a_login_that_came_encoded_is_masked_in_both_forms),
        cmocka_unit_test(a_name_of_this_machine_is_private),
        cmocka_unit_test(a_public_name_or_address_is_asked),
        cmocka_unit_test(an_address_of_ipv6_that_is_not_global_is_private),
        cmocka_unit_test(an_address_of_ipv4_that_is_not_global_is_private),
        cmocka_unit_test(plain_http_is_for_the_same_host_or_this_machine),
        cmocka_unit_test(a_server_that_was_allowed_is_asked_wherever_it_is),
    };
    return cmocka_run_group_tests_name("secrets", tests, NULL, NULL);
}
