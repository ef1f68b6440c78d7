/* src/net: which proxy leads where, and the tunnel through it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <sys/prctl.h>

#include "cli/proxy_env.h"
#include "net/no_proxy.h"
#include "net/proxy.h"
#include "net/tunnel.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct regtag_origin origin_of(bool tls, const char *host, unsigned port)
{
    struct regtag_origin origin = {.tls = tls, .port = (uint16_t)port};
    assert_true(strlen(host) < sizeof origin.host);
    strcpy(origin.host, host);
    return origin;
}

static bool memory_has(const void *memory, size_t size, const char *text)
{
    return slice_contains((struct slice){memory, size}, slice_of(text));
}

/* ---- no_proxy -------------------------------------------------------------------------------- */

struct no_proxy_case {
    const char *list, *host;
    unsigned port;
    bool named;
};

static void check_lists(const struct no_proxy_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct regtag_origin origin = origin_of(true, cases[i].host, cases[i].port);
        if (no_proxy_names(slice_of(cases[i].list), &origin) != cases[i].named)
            fail_msg("\"%s\" and %s:%u", cases[i].list, cases[i].host, cases[i].port);
    }
}

static void names_are_exempt_with_all_under_them(void **state)
{
    static const struct no_proxy_case cases[] = {
        {"example.com", "example.com", 443, true},
        {"example.com", "a.example.com", 443, true},
        {"example.com", "a.b.example.com", 443, true},
        {"example.com", "aexample.com", 443, false},
        {"example.com", "example.com.au", 443, false},
        {"example.com", "com", 443, false},
        {"EXAMPLE.com", "A.Example.COM", 443, true},
        {".example.com", "example.com", 443, false},
        {".example.com", "a.example.com", 443, true},
        {".example.com", ".example.com", 443, false},
        {"*.example.com", "a.example.com", 443, true},
        {"*.example.com", "example.com", 443, false},
        {"a*.example.com", "ab.example.com", 443, false},
        {"example.com.", "example.com", 443, true},
        {"example.com", "example.com.", 443, true},
        {"example.com", "a.example.com.", 443, true},
        {".", "example.com", 443, false},
        {"registry", "registry", 5000, true},
        {"com", "example.com", 443, true},
    };
    (void)state;
    check_lists(cases, COUNT(cases));
}

static void a_star_exempts_every_host(void **state)
{
    static const struct no_proxy_case cases[] = {
        {"*", "example.com", 443, true}, {"*", "192.0.2.1", 443, true},
        {"*", "2001:db8::1", 443, true}, {"a,*", "b", 443, true},
        {"*:5000", "b", 5000, true},     {"*:5000", "b", 443, false},
        {"**", "b", 443, false},         {"*", "xn--nxasmq6b", 443, true},
    };
    (void)state;
    check_lists(cases, COUNT(cases));
}

static void a_port_exempts_that_port_only(void **state)
{
    static const struct no_proxy_case cases[] = {
        {"example.com:5000", "example.com", 5000, true},
        {"example.com:5000", "a.example.com", 5000, true},
        {"example.com:5000", "example.com", 443, false},
        {".example.com:5000", "a.example.com", 5000, true},
        {".example.com:5000", "example.com", 5000, false},
        {"192.0.2.1:5000", "192.0.2.1", 5000, true},
        {"192.0.2.1:5000", "192.0.2.1", 5001, false},
        {"[2001:db8::1]:5000", "2001:db8::1", 5000, true},
        {"[2001:db8::1]:5000", "2001:db8::1", 443, false},
        {"[2001:db8::1]", "2001:db8::1", 443, true},
        {"[2001:db8::1", "2001:db8::1", 443, false},
        {"[2001:db8::1]x", "2001:db8::1", 443, false},
        {"[2001:db8::1]x443", "2001:db8::1", 443, false},
        {"2001:db8::1:5000", "2001:db8::1", 5000, false}, /* another address */
        {"example.com:", "example.com", 443, false},
        {"example.com:https", "example.com", 443, false},
        {"example.com:65979", "example.com", 443, false}, /* 443 + 65536 */
        {"example.com:-443", "example.com", 443, false},
        {":443", "example.com", 443, false},
    };
    (void)state;
    check_lists(cases, COUNT(cases));
}

static void addresses_are_compared_as_numbers(void **state)
{
    static const struct no_proxy_case cases[] = {
        {"192.0.2.1", "192.0.2.1", 443, true},
        {"192.0.2.1", "192.0.2.10", 443, false},
        {"0.2.1", "192.0.2.1", 443, false},
        {"1", "192.0.2.1", 443, false},
        {".0.2.1", "192.0.2.1", 443, false},
        {"*.2.1", "192.0.2.1", 443, false},
        {"2001:db8::1", "2001:DB8:0:0:0:0:0:1", 443, true},
        {"2001:DB8:0::0:1", "2001:db8::1", 443, true},
        {"2001:db8::1", "2001:db8::2", 443, false},
        {"::ffff:192.0.2.1", "192.0.2.1", 443, true},
        {"192.0.2.1", "::ffff:192.0.2.1", 443, true},
        {"192.0.2.1", "192.0.2.1.example.com", 443, false},
        {"192.0.2.1", "a.192.0.2.1", 443, true}, /* such a name is none, but a name */
    };
    (void)state;
    check_lists(cases, COUNT(cases));
}

static void blocks_exempt_addresses_and_no_names(void **state)
{
    static const struct no_proxy_case cases[] = {
        {"10.0.0.0/8", "10.255.0.1", 443, true},
        {"10.0.0.0/8", "11.0.0.1", 443, false},
        {"10.1.2.3/8", "10.9.9.9", 443, true}, /* the bits behind the block's size do not matter */
        {"192.0.2.0/24", "192.0.2.255", 5000, true},
        {"192.0.2.0/24", "192.0.3.0", 443, false},
        {"192.0.2.128/25", "192.0.2.128", 443, true},
        {"192.0.2.128/25", "192.0.2.127", 443, false},
        {"192.0.2.4/31", "192.0.2.5", 443, true},
        {"192.0.2.4/31", "192.0.2.6", 443, false},
        {"192.0.2.4/32", "192.0.2.4", 443, true},
        {"192.0.2.4/32", "192.0.2.5", 443, false},
        {"192.0.2.4/33", "192.0.2.4", 443, false},
        {"0.0.0.0/0", "203.0.113.9", 443, true},
        {"0.0.0.0/0", "2001:db8::1", 443, false},
        {"::/0", "2001:db8::1", 443, true},
        {"::/0", "192.0.2.1", 443, false},
        {"fd00::/8", "fdff::1", 443, true},
        {"fd00::/8", "fe00::1", 443, false},
        {"2001:db8::/33", "2001:db8:7fff::1", 443, true},
        {"2001:db8::/33", "2001:db8:8000::1", 443, false},
        {"2001:db8::1/128", "2001:db8::1", 443, true},
        {"2001:db8::1/128", "2001:db8::2", 443, false},
        {"2001:db8::1/129", "2001:db8::1", 443, false},
        {"10.0.0.0/8", "::ffff:10.1.1.1", 443, true},
        {"::ffff:10.0.0.0/104", "10.1.1.1", 443, true},
        {"::ffff:10.0.0.0/104", "::ffff:10.1.1.1", 443, true},
        {"::ffff:10.0.0.0/104", "11.1.1.1", 443, false},
        {"::ffff:10.0.0.0/96", "11.1.1.1", 443, true},
        {"::ffff:10.0.0.0/95", "10.1.1.1", 443, false},
        {"10.0.0.0/", "10.0.0.0", 443, false},
        {"10.0.0.0/a", "10.0.0.0", 443, false},
        {"10.0.0/8", "10.0.0.0", 443, false},
        {"10/8", "10.0.0.0", 443, false},
        {"10.0.0.0/8", "a.example.com", 443, false},
        {"example.com/8", "example.com", 443, false},
    };
    (void)state;
    check_lists(cases, COUNT(cases));
}

static void a_list_has_commas_and_white_space(void **state)
{
    static const struct no_proxy_case cases[] = {
        {"a,b,c", "c", 443, true},
        {"a, b ,c", "b", 443, true},
        {"a b\tc", "c", 443, true},
        {"a\nb\r\n", "b", 443, true},
        {" ,, a,", "a", 443, true},
        {"a,b", "a,b", 443, false},
        {"", "a", 443, false},
        {" , ", "a", 443, false},
        {"<local>,http://a,a/", "a", 443, false},
        {"[,],:,/,[]:,10.0.0.0/99999999999999999999,a", "a", 443, true},
        {"1111:2222:3333:4444:5555:6666:123.123.123.1234", "192.0.2.1", 443,
         false}, /* a byte too long */
        {"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd:eeee", "a", 443, false},
    };
    (void)state;
    check_lists(cases, COUNT(cases));
    struct regtag_origin a = origin_of(true, "a", 443);
    assert_false(no_proxy_names(slice_of(NULL), &a));
}

/* ---- Choosing -------------------------------------------------------------------------------- */

static struct proxy proxy;

/* Chooses, and asserts that it could. */
static const struct proxy *chosen(struct proxy_settings settings, bool tls, const char *host)
{
    struct error e = {.status = 0};
    struct regtag_origin origin = origin_of(tls, host, tls ? 443 : 80);
    if (!proxy_choose(&proxy, &settings, &origin, &e))
        fail_msg("%s", e.text);
    assert_int_equal(e.status, 0);
    return &proxy;
}

static void assert_chosen(struct proxy_settings settings, bool tls, const char *expected)
{
    const struct proxy *p = chosen(settings, tls, "example.com");
    if (!expected)
        assert_false(p->used);
    else {
        assert_true(p->used);
        assert_string_equal(p->origin.host, expected);
    }
}

static void the_scheme_chooses_the_variable(void **state)
{
    struct proxy_settings all = {.env_https = "s", .env_http = "p", .env_all = "a"};
    struct proxy_settings empty = {.env_https = "", .env_http = "", .env_all = "a"};
    struct proxy_settings none = {.env_all = ""};
    (void)state;
    assert_chosen(all, true, "s");
    assert_chosen(all, false, "p");
    assert_chosen(empty, true, "a");
    assert_chosen(empty, false, "a");
    assert_chosen(none, true, NULL);
    assert_chosen((struct proxy_settings){.env_http = "p"}, true, NULL);
    assert_chosen((struct proxy_settings){.env_https = "s"}, false, NULL);
}

static void an_option_wins_over_the_environment(void **state)
{
    struct proxy_settings s = {.proxy = "o", .env_https = "s", .env_http = "p", .env_all = "a"};
    (void)state;
    assert_chosen(s, true, "o");
    assert_chosen(s, false, "o");
    s.env_no_proxy = "example.com";
    assert_chosen(s, true, NULL);
    s.no_proxy = "";
    assert_chosen(s, true, "o");
    s.no_proxy = "b, example.com";
    s.env_no_proxy = "";
    assert_chosen(s, true, NULL);
    s.no_proxy = NULL;
    s.proxy = "";
    assert_chosen(s, true, NULL);
}

static void loopback_is_never_proxied(void **state)
{
    static const char *const hosts[] = {"localhost",   "LOCALHOST", "127.0.0.1",
                                        "127.255.1.2", "::1",       "0:0::1"};
    struct proxy_settings s = {.proxy = "socks5://bad", .no_proxy = "", .env_http = "%", .env_all = "%"};
    (void)state;
    for (size_t i = 0; i < COUNT(hosts); i++) {
        assert_false(chosen(s, true, hosts[i])->used);
        assert_false(chosen(s, false, hosts[i])->used);
    }
}

/* ---- The URL --------------------------------------------------------------------------------- */

static void a_proxy_is_taken_apart(void **state)
{
    static char longest[300] = "http://";
    static const struct {
        const char *url, *host;
        unsigned port;
        const char *authorization;
    } cases[] = {
        {"http://proxy:3128", "proxy", 3128, ""},
        {"http://proxy:3128/", "proxy", 3128, ""},
        {"HTTP://Proxy", "Proxy", 80, ""},
        {"proxy", "proxy", 80, ""},
        {"proxy.example.com:8080/", "proxy.example.com", 8080, ""},
        {"192.0.2.1:1", "192.0.2.1", 1, ""},
        {"http://[2001:db8::1]", "2001:db8::1", 80, ""},
        {"[2001:db8::1]:65535", "2001:db8::1", 65535, ""},
        {"http://Aladdin:open%20sesame@a:1", "a", 1, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="},
        {"Aladdin:open sesame@a:1", "a", 1, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="},
        {"http://u:p@[::1]:1/", "::1", 1, "Basic dTpw"},
        {"http://u@a", "a", 80, "Basic dTo="},
        {"http://u:@a", "a", 80, "Basic dTo="},
        {"http://:p@a", "a", 80, "Basic OnA="},
        {"http://@a", "a", 80, ""},
        {"http://u:p:q@a", "a", 80, "Basic dTpwOnE="},
        {"http://u:p@q@a", "a", 80, "Basic dTpwQHE="},
        {"http://u:p%40q@a", "a", 80, "Basic dTpwQHE="},
        {"http://u:%2f%2F%25@a", "a", 80, "Basic dTovLyU="},
        {"http://u:\xc3\xa4@a", "a", 80, "Basic dTrDpA=="},
        {longest, longest + 7, 80, ""},
    };
    (void)state;
    memset(longest + 7, 'a', 255);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct proxy *p = chosen((struct proxy_settings){.env_https = cases[i].url}, true, "b");
        assert_true(p->used);
        assert_string_equal(p->origin.host, cases[i].host);
        assert_int_equal(p->origin.port, cases[i].port);
        assert_false(p->origin.tls);
        if (strcmp(p->authorization, cases[i].authorization) != 0)
            fail_msg("%s: %s", cases[i].url, p->authorization);
    }
}

/* Asserts that it is refused, in words that show nothing of it, and that nothing of it is kept. */
static void assert_refused(struct proxy_settings settings, const char *words)
{
    struct error e = {.status = 0};
    struct regtag_origin origin = origin_of(true, "example.com", 443);
    if (proxy_choose(&proxy, &settings, &origin, &e))
        fail_msg("%s was taken", settings.proxy ? settings.proxy : settings.env_https);
    assert_int_equal(e.status, REGTAG_E_USAGE);
    assert_false(proxy.used);
    if (!strstr(e.text, words))
        fail_msg("%s", e.text);
    assert_null(strstr(e.text, "canary"));
    assert_false(memory_has(&proxy, sizeof proxy, "canary"));
    assert_false(memory_has(&proxy, sizeof proxy, "dTpj")); /* Base64 of "u:c" */
}

static void what_is_no_proxy_is_refused_and_not_shown(void **state)
{
    static const char *const cases[][2] = {
        {"https://u:canary@a", "https_proxy: a proxy must be http://, not https://"},
        {"socks5://u:canary@a", "SOCKS"},
        {"socks5h://a", "SOCKS"},
        {"SOCKS4a://a", "SOCKS"},
        {"ftp://u:canary@a", "must be http://"},
        {"canary://a", "must be http://"},
        {"http://", "HOST"},
        {"http://u:canary@", "HOST"},
        {"http://u:canary@:80", "HOST"},
        {"http://u:canary@a:0", "HOST"},
        {"http://u:canary@a:65536", "HOST"},
        {"http://u:canary@a:-1", "HOST"},
        {"http://canary@a b", "HOST"},
        {"http://u:canary@a\r\nb: c", "HOST"},
        {"http://u:canary@a#b", "HOST"},
        {"http://u:canary@a?b", "HOST"},
        {"http://u:canary@[::1", "HOST"},
        {"http://u:canary@[::1]1", "HOST"},
        {"http://u:canary@\xc3\xa4", "HOST"},
        {"http://u:can/ary@a", "follow the '/'"},
        {"http://u:1/canary@a", "follow the '/'"},
        {"http://u:canary@a/b", "follow the '/'"},
        {"http:///canary", "follow the '/'"},
        {"http://u:canary%@a", "'%' in the password"},
        {"http://u:canary%4@a", "'%' in the password"},
        {"http://u:canary%4g@a", "'%' in the password"},
        {"http://u:canary%g4@a", "'%' in the password"},
        {"http://u%:canary@a", "'%' in the user"},
        {"http://u%3a:canary@a", "':'"},
        {"http://u:canary%00@a", "control character"},
        {"http://u:canary%0d%0a@a", "control character"},
        {"http://u:canary%7F@a", "control character"},
        {"http://u:canary\t@a", "control character"},
        {"//canary", "follow the '/'"},
        {" http://canary", "follow"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_refused((struct proxy_settings){.env_https = cases[i][0]}, cases[i][1]);
    assert_refused((struct proxy_settings){.env_all = "https://a"}, "in all_proxy: ");
}

static void a_host_that_is_too_long_is_refused(void **state)
{
    char url[PROXY_SECRET_MAX] = "";
    (void)state;
    for (size_t size = 256; size < sizeof url; size += size < 300 ? 1 : 500) {
        memset(url, 'a', size);
        assert_refused((struct proxy_settings){.env_https = url}, "HOST");
    }
}

static void a_secret_of_4096_bytes_is_taken_and_no_more(void **state)
{
    static char url[PROXY_SECRET_MAX + 32];
    (void)state;
    memset(url, 'a', sizeof url);
    url[1] = ':';
    strcpy(url + PROXY_SECRET_MAX, "@a");
    const struct proxy *p = chosen((struct proxy_settings){.env_https = url}, true, "b");
    assert_int_equal(strlen(p->authorization), PROXY_AUTHORIZATION_MAX - 1);
    url[PROXY_SECRET_MAX] = 'a';
    strcpy(url + PROXY_SECRET_MAX + 1, "@a");
    assert_refused((struct proxy_settings){.env_https = url}, "longer than 4096 bytes");
}

static void an_option_has_no_secret(void **state)
{
    (void)state;
    assert_refused((struct proxy_settings){.proxy = "http://u:canary@a"}, "can read the command line");
    assert_refused((struct proxy_settings){.proxy = "canary@a"}, "can read the command line");
    assert_chosen((struct proxy_settings){.proxy = "http://a:3128"}, true, "a");
}

static void an_option_is_checked_wherever_it_is_used(void **state)
{
    static const struct {
        const char *url;
        bool valid;
    } cases[] = {
        {NULL, true},          {"", true},           {"http://a:3128", true}, {"a", true},
        {"socks5://a", false}, {"https://a", false}, {"http://", false},      {"u:canary@a", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct proxy_settings s = {.proxy = cases[i].url, .no_proxy = "*", .env_all = "socks5://a"};
        struct error e = {.status = 0};
        assert_int_equal(proxy_check(&proxy, &s, &e), cases[i].valid);
        assert_int_equal(e.status, cases[i].valid ? 0 : REGTAG_E_USAGE);
        assert_false(proxy.used);
        assert_null(strstr(e.text, "canary"));
    }
}

/* Asserts that nothing is left of it. */
static void assert_no_secret(void)
{
    for (size_t i = 0; i < sizeof proxy.authorization; i++)
        assert_int_equal(proxy.authorization[i], 0);
}

static void one_is_hidden_before_a_secret_is_read(void **state)
{
    static const struct {
        const char *url;
        bool hidden;
    } cases[] = {{NULL, false}, {"http://a:3128", false}, {"http://u:canary@a", true}, {"u@a", true}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(prctl(PR_SET_DUMPABLE, 1), 0);
        chosen((struct proxy_settings){.env_https = cases[i].url}, true, "localhost");
        assert_int_equal(prctl(PR_GET_DUMPABLE), 1);
        chosen((struct proxy_settings){.env_https = cases[i].url}, true, "b");
        assert_int_equal(prctl(PR_GET_DUMPABLE), !cases[i].hidden);
    }
}

static void a_secret_is_wiped(void **state)
{
    static const struct proxy_settings good = {.env_https = "http://u:canary@a"};
    static const struct proxy_settings bad = {.env_https = "http://u:canary@a:b"};
    static const struct proxy_settings open_to_all = {.env_https = "http://a"};
    struct regtag_origin origin = origin_of(true, "b", 443);
    struct error e = {.status = 0};
    (void)state;
    chosen(good, true, "b");
    assert_true(memory_has(&proxy, sizeof proxy, "dTpj"));
    proxy_wipe(&proxy);
    assert_false(proxy.used);
    assert_no_secret();

    chosen(good, true, "b");
    assert_false(proxy_choose(&proxy, &bad, &origin, &e));
    assert_no_secret();
    chosen(good, true, "b");
    chosen(good, true, "localhost");
    assert_no_secret();
    chosen(good, true, "b");
    chosen(open_to_all, true, "b");
    assert_no_secret();
}

static void a_secret_is_recognised(void **state)
{
    static const struct {
        const char *url, *text;
        bool found;
    } cases[] = {
        {"http://user:password1234@a", "user user: Basic proxy", false},
        {"http://user:password1234@a", "wrong password: password1234!", true},
        {"http://user:password1234@a", "password", true},
        {"http://user:password1234@a", "passwor", false},
        {"http://user:password1234@a", "Basic dXNlcjpwYXNzd29yZDEyMzQ=", true},
        {"http://user:password1234@a", "dXNlcjpw", true},
        {"http://user:pw@a", "npwn", true},
        {"http://user:p%77@a", "npwn", true},
        {"http://thetoken@a", "thetoken", true},
        {"http://thetoken@a", "the token", false},
        {"http://a", "anything", false},
        {"http://a", "", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct proxy *p = chosen((struct proxy_settings){.env_https = cases[i].url}, true, "b");
        if (proxy_secret_in(p, slice_of(cases[i].text)) != cases[i].found)
            fail_msg("%s and \"%s\"", cases[i].url, cases[i].text);
    }
}

/* ---- The environment ------------------------------------------------------------------------- */

static const char *const variables[] = {"https_proxy", "HTTPS_PROXY", "http_proxy",
                                        "HTTP_PROXY",  "all_proxy",   "ALL_PROXY",
                                        "no_proxy",    "NO_PROXY",    "REQUEST_METHOD"};

static int clear_environment(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(variables); i++)
        unsetenv(variables[i]);
    return 0;
}

static void assert_text(const char *got, const char *expected)
{
    if (expected)
        assert_string_equal(got, expected);
    else
        assert_true(!got || !*got);
}

static void assert_settings(const char *https, const char *http, const char *all, const char *no_proxy)
{
    static const struct options options;
    struct proxy_settings s = proxy_settings(&options);
    assert_null(s.proxy);
    assert_null(s.no_proxy);
    assert_text(s.env_https, https);
    assert_text(s.env_http, http);
    assert_text(s.env_all, all);
    assert_text(s.env_no_proxy, no_proxy);
}

static void lower_case_wins_and_empty_is_unset(void **state)
{
    (void)state;
    assert_settings(NULL, NULL, NULL, NULL);
    for (size_t i = 1; i < 8; i += 2)
        setenv(variables[i], variables[i], 1);
    assert_settings("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY");
    for (size_t i = 0; i < 8; i += 2)
        setenv(variables[i], variables[i], 1);
    assert_settings("https_proxy", "http_proxy", "all_proxy", "no_proxy");
    setenv("https_proxy", "", 1);
    setenv("no_proxy", "", 1);
    assert_settings("HTTPS_PROXY", "http_proxy", "all_proxy", "NO_PROXY");
    setenv("HTTPS_PROXY", "", 1);
    assert_settings(NULL, "http_proxy", "all_proxy", "NO_PROXY");
}

static void a_client_of_a_cgi_program_names_no_proxy(void **state)
{
    (void)state;
    setenv("REQUEST_METHOD", "GET", 1);
    setenv("HTTP_PROXY", "evil", 1);
    setenv("HTTPS_PROXY", "good", 1);
    assert_settings("good", NULL, NULL, NULL);
    setenv("http_proxy", "good", 1);
    assert_settings("good", "good", NULL, NULL);
}

static void options_are_handed_on(void **state)
{
    struct options options = {.proxy = "p", .no_proxy = ""};
    (void)state;
    setenv("https_proxy", "s", 1);
    struct proxy_settings s = proxy_settings(&options);
    assert_string_equal(s.proxy, "p");
    assert_string_equal(s.no_proxy, "");
    assert_string_equal(s.env_https, "s");
}

/* ---- The tunnel ------------------------------------------------------------------------------ */

#define SECRET "http://user:thecanary@proxy:3128"
#define SECRET_BASE64 "dXNlcjp0aGVjYW5hcnk="

/* A tunnel under way, and the proxy's end of its connection. */
static struct fixture {
    struct tunnel tunnel;
    int ours, theirs;
    struct error error;
    char memory[TUNNEL_MEMORY];
    char request[2 * PROXY_AUTHORIZATION_MAX];
} fixture;

static void begin(const char *url, const char *host, unsigned port)
{
    struct fixture *f = &fixture;
    struct regtag_origin origin = origin_of(true, host, port);
    int fds[2];
    chosen((struct proxy_settings){.env_https = url}, true, host);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    f->ours = fds[0];
    f->theirs = fds[1];
    assert_int_equal(fcntl(f->ours, F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(fcntl(f->theirs, F_SETFL, O_NONBLOCK), 0);
    memset(f->memory, 0, sizeof f->memory);
    memset(&f->tunnel, 0, sizeof f->tunnel); /* an answer to another test may have the secret */
    error_clear(&f->error);
    tunnel_begin(&f->tunnel, &proxy, &origin, f->memory);
}

static enum tunnel_progress step(void)
{
    return tunnel_step(&fixture.tunnel, fixture.ours, &fixture.error);
}

/* Sends the request; the proxy reads it. */
static void ask(void)
{
    struct fixture *f = &fixture;
    size_t size = 0;
    ssize_t n;
    while (step() == TUNNEL_WRITE)
        while ((n = read(f->theirs, f->request + size, sizeof f->request - 1 - size)) > 0)
            size += (size_t)n;
    while ((n = read(f->theirs, f->request + size, sizeof f->request - 1 - size)) > 0)
        size += (size_t)n;
    f->request[size] = '\0';
}

static void end(void)
{
    close(fixture.ours);
    if (fixture.theirs >= 0)
        close(fixture.theirs);
}

static void send_bytes(struct slice bytes)
{
    assert_int_equal(send(fixture.theirs, bytes.data, bytes.size, MSG_NOSIGNAL), bytes.size);
}

/* The proxy answers in pieces of `size` bytes, and closes behind them if it is to. Returns when the tunnel
 * knows; what it has not been sent by then is left in *answer. */
static enum tunnel_progress answer_in(struct slice *answer, size_t size, bool closes)
{
    enum tunnel_progress progress = TUNNEL_READ;
    while (answer->size && progress == TUNNEL_READ) {
        send_bytes(slice_head(*answer, size));
        *answer = slice_from(*answer, size);
        progress = step();
    }
    if (closes) {
        close(fixture.theirs);
        fixture.theirs = -1;
    }
    for (int i = 0; (closes || i < 3) && progress == TUNNEL_READ; i++)
        progress = step();
    return progress;
}

static void a_tunnel_is_asked_for_to_the_byte(void **state)
{
    static const struct {
        const char *url, *host;
        unsigned port;
        const char *request;
    } cases[] = {
        {"http://a", "example.com", 443,
         "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n"
         "User-Agent: regtag/" REGTAG_VERSION "\r\n\r\n"},
        {SECRET, "2001:db8::1", 80,
         "CONNECT [2001:db8::1]:80 HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n"
         "User-Agent: regtag/" REGTAG_VERSION "\r\nProxy-Authorization: Basic " SECRET_BASE64
         "\r\n\r\n"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        begin(cases[i].url, cases[i].host, cases[i].port);
        ask();
        assert_string_equal(fixture.request, cases[i].request);
        end();
    }
}

static void a_request_may_go_out_in_pieces(void **state)
{
    static char url[PROXY_SECRET_MAX + 8];
    int one = 1;
    (void)state;
    memset(url, 'a', PROXY_SECRET_MAX);
    url[1] = ':';
    strcpy(url + PROXY_SECRET_MAX, "@a");
    begin(url, "b", 443);
    assert_int_equal(setsockopt(fixture.ours, SOL_SOCKET, SO_SNDBUF, &one, sizeof one), 0);
    assert_int_equal(step(), TUNNEL_WRITE);
    assert_int_equal(step(), TUNNEL_WRITE); /* it would block */
    ask();
    assert_true(strlen(fixture.request) > PROXY_AUTHORIZATION_MAX);
    assert_string_equal(fixture.request + strlen(fixture.request) - 4, "\r\n\r\n");
    assert_true(memory_has(fixture.request, strlen(fixture.request), proxy.authorization));
    send_bytes(SLICE("HTTP/1.1 200 OK\r\n\r\n"));
    assert_int_equal(step(), TUNNEL_DONE);
    end();
}

static void a_name_cannot_smuggle(void **state)
{
    (void)state;
    begin("http://a", "b\r\nc: d", 443);
    assert_int_equal(step(), TUNNEL_FAILED);
    assert_int_equal(fixture.error.status, REGTAG_E_OTHER);
    assert_int_equal(read(fixture.theirs, fixture.request, 1), -1);
    end();
}

static void any_2xx_opens_the_tunnel_and_has_no_body(void **state)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 Connection established\r\n\r\n",
        "HTTP/1.0 200 OK\r\nProxy-Agent: tinyproxy/1.11\r\n\r\n",
        "HTTP/1.1 200\r\n\r\n",
        "HTTP/1.1 200 OK\n\n",
        "HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 299 Odd\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nContent-Type: text/plain\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++) {
        for (size_t size = 1; size <= strlen(answers[i]); size++) {
            struct slice answer = slice_of(answers[i]);
            begin(SECRET, "example.com", 443);
            ask();
            if (answer_in(&answer, size, false) != TUNNEL_DONE)
                fail_msg("%s in pieces of %zu: %s", answers[i], size, fixture.error.text);
            assert_int_equal(answer.size, 0);
            assert_int_equal(fixture.error.status, 0);
            assert_int_equal(tunnel_until(&fixture.tunnel), UINT64_MAX);
            end();
        }
    }
}

static void what_follows_the_answer_stays_in_the_socket(void **state)
{
    char byte;
    struct slice answer = SLICE("HTTP/1.1 200 OK\r\n\r\n");
    (void)state;
    begin("http://a", "b", 443);
    ask();
    assert_int_equal(answer_in(&answer, 3, false), TUNNEL_DONE);
    send_bytes(SLICE("T"));
    assert_int_equal(read(fixture.ours, &byte, 1), 1);
    assert_int_equal(byte, 'T');
    end();
}

static void a_proxy_does_not_speak_for_the_origin(void **state)
{
    (void)state;
    begin("http://a:1", "b", 443);
    ask();
    send_bytes(SLICE("HTTP/1.1 200 OK\r\n\r\n\x16"));
    assert_int_equal(step(), TUNNEL_FAILED);
    assert_int_equal(fixture.error.status, REGTAG_E_PROTOCOL);
    assert_non_null(strstr(fixture.error.text, "the proxy a:1 sent something before"));
    end();
}

struct refusal {
    const char *url, *answer;
    int status;
    const char *text;
};

static void check_refusal(const struct refusal *r, size_t size)
{
    struct slice answer = slice_of(r->answer);
    begin(r->url, "example.com", 443);
    ask();
    if (answer_in(&answer, size, true) != TUNNEL_FAILED || fixture.error.status != r->status ||
        strcmp(fixture.error.text, r->text) != 0)
        fail_msg("%s in pieces of %zu: %d %s", r->answer, size, fixture.error.status,
                 fixture.error.text);
    end();
}

static void check_refusals(const struct refusal *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t size = 1; size <= strlen(cases[i].answer) + 1; size++)
            check_refusal(&cases[i], size);
}

static void a_refusal_is_told_in_the_proxys_words(void **state)
{
    static const struct refusal cases[] = {
        {"http://a:3128", "HTTP/1.1 403 Forbidden\r\n\r\n", 5,
         "the proxy a:3128 refuses to connect: 403 Forbidden"},
        {"http://[::1]", "HTTP/1.1 503  Not now \r\nContent-Length: 0\r\n\r\n", 5,
         "the proxy [::1]:80 refuses to connect: 503 Not now"},
        {"http://a:1", "HTTP/1.1 500\r\n\r\n", 5, "the proxy a:1 refuses to connect: 500"},
        {"http://a:1", "HTTP/1.1 302 Found\r\nLocation: http://b/\r\n\r\n", 5,
         "the proxy a:1 refuses to connect: 302 Found"},
        {"http://a:1",
         "HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nContent-Length: 3\r\n\r\n<p>", 5,
         "the proxy a:1 refuses to connect: 403 Forbidden"},
        {"http://a:1",
         "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: 14\r\n\r\nnot on "
         "my list",
         5, "the proxy a:1 refuses to connect: 403 Forbidden: not on my list"},
        {"http://a:1",
         "HTTP/1.0 403 Forbidden\r\nContent-Type: Text/Plain ; charset=utf-8\r\n\r\n\r\n not today "
         "\r\nand more\r\n",
         5, "the proxy a:1 refuses to connect: 403 Forbidden: not today"},
        {"http://a:1",
         "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
         "2\r\nno\r\n6\r\n route\r\n0\r\n\r\n",
         5, "the proxy a:1 refuses to connect: 502 Bad Gateway: no route"},
        {"http://a:1",
         "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
         "2\r\nno\r\nx\r\n",
         5, "the proxy a:1 refuses to connect: 502 Bad Gateway: no"},
        {"http://a:1",
         "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: 99\r\n\r\ncut", 5,
         "the proxy a:1 refuses to connect: 403 Forbidden: cut"},
        {"http://a:1", "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n",
         5, "the proxy a:1 refuses to connect: 403 Forbidden"},
        {"http://a:1",
         "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n", 5,
         "the proxy a:1 refuses to connect: 403 Forbidden"},
        {"http://a:1", "HTTP/1.0 502 Bad Gateway\r\nTransfer-Encoding: chunked\r\n\r\n", 5,
         "the proxy a:1 refuses to connect: 502 Bad Gateway"},
    };
    (void)state;
    check_refusals(cases, COUNT(cases));
}

static void a_proxy_that_wants_credentials_says_so(void **state)
{
    static const struct refusal cases[] = {
        {"http://a:1",
         "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=x\r\n\r\n", 4,
         "the proxy a:1 requires a user and password (set http_proxy or https_proxy to "
         "http://USER:PASSWORD@HOST:PORT): 407 Proxy Authentication Required"},
        {SECRET, "HTTP/1.1 407 Who?\r\nContent-Type: text/plain\r\n\r\ngo away\n", 4,
         "the proxy proxy:3128 rejects the user and password in its URL: 407 Who?: go away"},
    };
    (void)state;
    check_refusals(cases, COUNT(cases));
}

#define WHO "HTTP/1.1 407 Who?\r\n"
#define OTHER_LOGINS                                                                                       \
    "accepts only logins that are not supported (NTLM, Negotiate, ...); run one on this machine that can " \
    "log in to it, such as cntlm: 407 Who?"
#define A_PASSWORD                                                                                      \
    "requires a user and password (set http_proxy or https_proxy to http://USER:PASSWORD@HOST:PORT): "  \
    "407 Who?"

static void a_password_is_not_asked_for_where_it_would_not_help(void **state)
{
    static const struct refusal cases[] = {
        {"http://a:1", WHO "Proxy-Authenticate: NTLM\r\n\r\n", 4, "the proxy a:1 " OTHER_LOGINS},
        {SECRET, WHO "Proxy-Authenticate: Negotiate\r\n\r\n", 4, "the proxy proxy:3128 " OTHER_LOGINS},
        {"http://a:1", WHO "proxy-authenticate: Negotiate\r\nproxy-authenticate: NTLM TlRM==\r\n\r\n", 4,
         "the proxy a:1 " OTHER_LOGINS},
        {"http://a:1", WHO "Proxy-Authenticate: Kerberos, Digest realm=\"Basic\", nonce=\"b\"\r\n\r\n",
         4, "the proxy a:1 " OTHER_LOGINS},
        /* One that takes a password among others, or may. */
        {"http://a:1", WHO "Proxy-Authenticate: NTLM\r\nProxy-Authenticate: basic realm=\"x\"\r\n\r\n",
         4, "the proxy a:1 " A_PASSWORD},
        {"http://a:1", WHO "Proxy-Authenticate: Negotiate, Basic realm=\"x\"\r\n\r\n", 4,
         "the proxy a:1 " A_PASSWORD},
        {"http://a:1", WHO "Proxy-Authenticate: NTLM\r\nProxy-Authenticate: \"?\r\n\r\n", 4,
         "the proxy a:1 " A_PASSWORD},
        {"http://a:1", WHO "Proxy-Authenticate: realm=\"x\"\r\n\r\n", 4, "the proxy a:1 " A_PASSWORD},
        {"http://a:1", WHO "WWW-Authenticate: NTLM\r\n\r\n", 4, "the proxy a:1 " A_PASSWORD},
        {"http://a:1", WHO "\r\n", 4, "the proxy a:1 " A_PASSWORD},
    };
    (void)state;
    check_refusals(cases, COUNT(cases));
}

static void a_refusal_does_not_tell_the_secret(void **state)
{
    static const struct refusal cases[] = {
        {SECRET, "HTTP/1.1 407 Not thecanary\r\n\r\n", 4,
         "the proxy proxy:3128 rejects the user and password in its URL: 407"},
        {SECRET, "HTTP/1.1 403 No\r\nContent-Type: text/plain\r\n\r\n" SECRET_BASE64 "\n", 5,
         "the proxy proxy:3128 refuses to connect: 403 No"},
    };
    (void)state;
    check_refusals(cases, COUNT(cases));
}

static void long_words_are_cut(void **state)
{
    char answer[1024] = "HTTP/1.1 403 ";
    struct slice rest;
    (void)state;
    memset(answer + 13, 'x', 300);
    strcat(answer, "\r\nContent-Type: text/plain\r\n\r\n");
    memset(answer + strlen(answer), 'y', 300);
    for (size_t size = 1; size < 700; size += 7) {
        rest = slice_of(answer);
        begin("http://a:1", "b", 443);
        ask();
        assert_int_equal(answer_in(&rest, size, false), TUNNEL_FAILED);
        assert_int_equal(strlen(fixture.error.text),
                         strlen("the proxy a:1 refuses to connect: 403 : ") + 2 * TUNNEL_REASON_MAX);
        end();
    }
}

static void words_that_do_not_come_are_not_waited_for(void **state)
{
    (void)state;
    begin("http://a:1", "b", 443);
    ask();
    assert_int_equal(tunnel_until(&fixture.tunnel), UINT64_MAX);
    send_bytes(SLICE("HTTP/1.1 403 No\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\nbec"));
    assert_int_equal(step(), TUNNEL_READ);
    assert_int_equal(step(), TUNNEL_READ);
    assert_true(tunnel_until(&fixture.tunnel) != UINT64_MAX);
    fixture.tunnel.until = 1; /* time passes */
    assert_int_equal(step(), TUNNEL_FAILED);
    assert_int_equal(fixture.error.status, REGTAG_E_NO_CONNECTION);
    assert_string_equal(fixture.error.text, "the proxy a:1 refuses to connect: 403 No: bec");
    end();
}

static void nothing_is_waited_for_behind_a_refusal(void **state)
{
    static const char *const answers[] = {
        "HTTP/1.1 403 No\r\n\r\n",
        "HTTP/1.1 403 No\r\nContent-Length: 99\r\n\r\n",
        "HTTP/1.1 403 No\r\nContent-Type: text/plain\r\n\r\nfirst line\n",
        "HTTP/1.1 403 No\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nno",
        "HTTP/1.1 403 No\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++) {
        begin("http://a:1", "b", 443);
        ask();
        send_bytes(slice_of(answers[i]));
        assert_int_equal(step(), TUNNEL_FAILED);
        assert_int_equal(fixture.error.status, REGTAG_E_NO_CONNECTION);
        end();
    }
}

static void what_is_no_proxys_answer_is_told_from_a_refusal(void **state)
{
    static const struct refusal cases[] = {
        {"http://a:1", "SSH-2.0-OpenSSH_9.2\r\n", 9,
         "the proxy a:1 did not answer like a proxy: it does not speak HTTP/1.1"},
        {"http://a:1", "\x15\x03\x01", 9,
         "the proxy a:1 did not answer like a proxy: it speaks TLS, not plain HTTP"},
        {"http://a:1", "HTTP/1.1 200OK\r\n\r\n", 9,
         "the proxy a:1 did not answer like a proxy: its status line is malformed"},
        {"http://a:1", "HTTP/1.1 200 OK\r\nA b\r\n\r\n", 9,
         "the proxy a:1 did not answer like a proxy: a header line has no ':' after its name"},
        {"http://a:1", "HTTP/1.1 101 Switching\r\n\r\n", 9,
         "the proxy a:1 did not answer like a proxy: it switches to another protocol"},
    };
    (void)state;
    check_refusals(cases, COUNT(cases));
}

static void an_answer_that_is_cut_off_is_a_lost_connection(void **state)
{
    static const char whole[] = "HTTP/1.1 200 OK\r\nA: b\r\n\r\n";
    (void)state;
    for (size_t size = 0; size < sizeof whole - 1; size++) {
        struct slice answer = {whole, size};
        begin(SECRET, "example.com", 443);
        ask();
        assert_int_equal(answer_in(&answer, 4, true), TUNNEL_FAILED);
        assert_int_equal(fixture.error.status, REGTAG_E_NO_CONNECTION);
        assert_string_equal(fixture.error.text,
                            "the proxy proxy:3128 closed the connection without a complete answer");
        end();
    }
}

static void a_proxy_that_hangs_up_on_the_request_is_still_heard(void **state)
{
    (void)state;
    begin("http://a:1", "b", 443);
    send_bytes(SLICE("HTTP/1.1 403 Too many\r\n\r\n"));
    close(fixture.theirs);
    fixture.theirs = -1;
    assert_int_equal(step(), TUNNEL_READ); /* EPIPE */
    assert_int_equal(step(), TUNNEL_FAILED);
    assert_string_equal(fixture.error.text, "the proxy a:1 refuses to connect: 403 Too many");
    end();
}

static void a_header_without_end_is_refused(void **state)
{
    char line[256];
    enum tunnel_progress progress = TUNNEL_READ;
    (void)state;
    memset(line, 'a', sizeof line);
    line[1] = ':';
    line[sizeof line - 1] = '\n';
    begin("http://a:1", "b", 443);
    ask();
    send_bytes(SLICE("HTTP/1.1 200 OK\r\n"));
    for (int i = 0; i < 1000 && progress == TUNNEL_READ; i++) {
        send_bytes((struct slice){line, sizeof line});
        progress = step();
    }
    assert_int_equal(progress, TUNNEL_FAILED);
    assert_int_equal(fixture.error.status, REGTAG_E_PROTOCOL);
    end();
}

static void assert_forgotten(void)
{
    assert_false(memory_has(fixture.memory, sizeof fixture.memory, "dXNlcjp0"));
    assert_false(memory_has(&fixture.tunnel, sizeof fixture.tunnel, "dXNlcjp0"));
    assert_false(memory_has(&fixture.tunnel, sizeof fixture.tunnel, "thecanary"));
    assert_false(memory_has(&fixture.error, sizeof fixture.error, "thecanary"));
}

static void a_tunnel_forgets_the_secret(void **state)
{
    (void)state;
    begin(SECRET, "b", 443);
    assert_true(memory_has(fixture.memory, sizeof fixture.memory, SECRET_BASE64));
    tunnel_end(&fixture.tunnel); /* before anything happened */
    assert_forgotten();
    end();

    begin(SECRET, "b", 443);
    ask();
    assert_forgotten();
    send_bytes(SLICE("HTTP/1.1 200 OK\r\n\r\n"));
    assert_int_equal(step(), TUNNEL_DONE);
    assert_forgotten();
    tunnel_end(&fixture.tunnel);
    end();

    begin(SECRET, "b", 443);
    close(fixture.theirs);
    fixture.theirs = -1;
    while (step() != TUNNEL_FAILED)
        ;
    assert_forgotten();
    end();

    begin(SECRET, "b\n", 443);
    assert_int_equal(step(), TUNNEL_FAILED);
    assert_forgotten();
    end();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_exempt_with_all_under_them),
        cmocka_unit_test(a_star_exempts_every_host),
        cmocka_unit_test(a_port_exempts_that_port_only),
        cmocka_unit_test(addresses_are_compared_as_numbers),
        cmocka_unit_test(blocks_exempt_addresses_and_no_names),
        cmocka_unit_test(a_list_has_commas_and_white_space),
        cmocka_unit_test(the_scheme_chooses_the_variable),
        cmocka_unit_test(an_option_wins_over_the_environment),
        cmocka_unit_test(loopback_is_never_proxied),
        cmocka_unit_test(a_proxy_is_taken_apart),
        cmocka_unit_test(what_is_no_proxy_is_refused_and_not_shown),
        cmocka_unit_test(a_host_that_is_too_long_is_refused),
        cmocka_unit_test(a_secret_of_4096_bytes_is_taken_and_no_more),
        cmocka_unit_test(an_option_has_no_secret),
        cmocka_unit_test(an_option_is_checked_wherever_it_is_used),
        cmocka_unit_test(one_is_hidden_before_a_secret_is_read),
        cmocka_unit_test(a_secret_is_wiped),
        cmocka_unit_test(a_secret_is_recognised),
        cmocka_unit_test_setup(lower_case_wins_and_empty_is_unset, clear_environment),
        cmocka_unit_test_setup(a_client_of_a_cgi_program_names_no_proxy, clear_environment),
        cmocka_unit_test_setup(options_are_handed_on, clear_environment),
        cmocka_unit_test(a_tunnel_is_asked_for_to_the_byte),
        cmocka_unit_test(a_request_may_go_out_in_pieces),
        cmocka_unit_test(a_name_cannot_smuggle),
        cmocka_unit_test(any_2xx_opens_the_tunnel_and_has_no_body),
        cmocka_unit_test(what_follows_the_answer_stays_in_the_socket),
        cmocka_unit_test(a_proxy_does_not_speak_for_the_origin),
        cmocka_unit_test(a_refusal_is_told_in_the_proxys_words),
        cmocka_unit_test(a_proxy_that_wants_credentials_says_so),
        cmocka_unit_test(a_password_is_not_asked_for_where_it_would_not_help),
        cmocka_unit_test(a_refusal_does_not_tell_the_secret),
        cmocka_unit_test(long_words_are_cut),
        cmocka_unit_test(words_that_do_not_come_are_not_waited_for),
        cmocka_unit_test(nothing_is_waited_for_behind_a_refusal),
        cmocka_unit_test(what_is_no_proxys_answer_is_told_from_a_refusal),
        cmocka_unit_test(an_answer_that_is_cut_off_is_a_lost_connection),
        cmocka_unit_test(a_proxy_that_hangs_up_on_the_request_is_still_heard),
        cmocka_unit_test(a_header_without_end_is_refused),
        cmocka_unit_test(a_tunnel_forgets_the_secret),
    };
    return cmocka_run_group_tests_name("proxy", tests, NULL, NULL);
}
