/* src/client: what is masked in a text that others have written, and whom a password may go to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

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

/* ---- Token servers --------------------------------------------------------------------------- */

static bool is_asked(const char *host, const char *registry)
{
    static const struct regtag_side side;
    char realm[300];
    struct regtag_origin origin = {.tls = true, .port = 443};
    struct error e;
    error_clear(&e);
    snprintf(realm, sizeof realm, "https://%s:5001/token", host);
    snprintf(origin.host, sizeof origin.host, "%s", registry);
    return realm_check(slice_of(realm), &side, &origin, &e);
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
        "auth.example",   "localhost.example",      "alocalhost.example",
        "a.notlocalhost", "localhost.a.test",       "ip6-localhost.test",
        "8.8.8.8",        "[2001:4860:4860::8888]", "[2a00:1450::1]",
        "[3fff::1]",
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

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_is_masked_in_each_form_in_which_it_is_sent),
        cmocka_unit_test(a_login_is_masked_as_it_is_sent),
        cmocka_unit_test(a_long_password_is_masked_to_its_end),
        cmocka_unit_test(a_name_of_this_machine_is_private),
        cmocka_unit_test(a_public_name_or_address_is_asked),
        cmocka_unit_test(an_address_of_ipv6_that_is_not_global_is_private),
    };
    return cmocka_run_group_tests_name("secrets", tests, NULL, NULL);
}
