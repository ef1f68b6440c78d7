/* src/http, where the vectors do not reach: URLs, requests, lists, and what the response reader tells
 * beside the body. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "http/date.h"
#include "http/fields.h"
#include "http/request.h"
#include "http/response.h"
#include "http/url.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void assert_slice(struct slice got, const char *expected)
{
    if (got.size != strlen(expected) || (got.size > 0 && memcmp(got.data, expected, got.size) != 0))
        fail_msg("expected \"%s\", got \"%.*s\"", expected, SLICE_ARG(got));
}

/* ---- URLs ------------------------------------------------------------------------------------ */

static void a_url_is_taken_apart(void **state)
{
    static const struct {
        const char *text;
        bool tls;
        const char *host;
        unsigned port;
        const char *authority;
        const char *target;
    } cases[] = {
        {"http://example.com/v2/?n=1", false, "example.com", 80, "example.com", "/v2/?n=1"},
        {"https://example.com/", true, "example.com", 443, "example.com", "/"},
        {"http://localhost:5000", false, "localhost", 5000, "localhost:5000", ""},
        {"https://[::1]:5000/a", true, "::1", 5000, "[::1]:5000", "/a"},
        {"http://127.0.0.1:1/a#b", false, "127.0.0.1", 1, "127.0.0.1:1", "/a"},
        {"HTTPS://example.com:65535/a", true, "example.com", 65535, "example.com:65535", "/a"},
        {"http://example.com?a=b", false, "example.com", 80, "example.com", "?a=b"},
        {"http://example.com#b", false, "example.com", 80, "example.com", ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct guard g = guard_end(cases[i].text, strlen(cases[i].text));
        struct url u;
        if (!url_parse(&u, (struct slice){g.data, g.size}))
            fail_msg("%s is a URL", cases[i].text);
        assert_int_equal(u.tls, cases[i].tls);
        assert_slice(u.host, cases[i].host);
        assert_int_equal(u.port, cases[i].port);
        assert_slice(u.authority, cases[i].authority);
        assert_slice(u.target, cases[i].target);
        guard_free(&g);
    }
}

static void what_is_no_url_is_refused(void **state)
{
    static const char *const texts[] = {"",
                                        "http",
                                        "http:",
                                        "http:/",
                                        "http://",
                                        "http:///a",
                                        "example.com",
                                        "/a",
                                        "//example.com/a",
                                        "ftp://example.com/",
                                        "http://:80/",
                                        "http://a:0/",
                                        "http://a:65536/",
                                        "http://a:x/",
                                        "http://a:-1/",
                                        "http://u@a/",
                                        "http://u:p@a/",
                                        "http://[::1/",
                                        "http://::1/",
                                        "http://[]/",
                                        "http://[x]/",
                                        "http://a b/",
                                        "http://a/b c",
                                        "http://a/\r\n",
                                        "http://a/\x7f",
                                        "http://a/\xc3\xa9",
                                        " http://a/",
                                        "http://a/ ",
                                        "http://a:80:80/",
                                        "http://[::1]x/",
                                        "http://a:4294967376/"};
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct guard g = guard_end(texts[i], strlen(texts[i]));
        struct url u;
        if (url_parse(&u, (struct slice){g.data, g.size}))
            fail_msg("\"%s\" was taken", texts[i]);
        guard_free(&g);
    }
    struct url u;
    assert_false(url_parse(&u, SLICE("http://a/\0b")));
    assert_false(url_parse(&u, (struct slice){NULL, 0}));
}

/* The examples of RFC 3986, 5.4, as far as their scheme is one of ours; its base is
 * http://a/b/c/d;p?q. */
static const char *const resolved[][2] = {
    {"g", "http://a/b/c/g"},
    {"./g", "http://a/b/c/g"},
    {"g/", "http://a/b/c/g/"},
    {"/g", "http://a/g"},
    {"//g", "http://g"},
    {"?y", "http://a/b/c/d;p?y"},
    {"g?y", "http://a/b/c/g?y"},
    {";x", "http://a/b/c/;x"},
    {"g;x", "http://a/b/c/g;x"},
    {"", "http://a/b/c/d;p?q"},
    {".", "http://a/b/c/"},
    {"./", "http://a/b/c/"},
    {"..", "http://a/b/"},
    {"../", "http://a/b/"},
    {"../g", "http://a/b/g"},
    {"../..", "http://a/"},
    {"../../", "http://a/"},
    {"../../g", "http://a/g"},
    {"../../../g", "http://a/g"},
    {"../../../../g", "http://a/g"},
    {"/./g", "http://a/g"},
    {"/../g", "http://a/g"},
    {"g.", "http://a/b/c/g."},
    {".g", "http://a/b/c/.g"},
    {"g..", "http://a/b/c/g.."},
    {"..g", "http://a/b/c/..g"},
    {"./../g", "http://a/b/g"},
    {"./g/.", "http://a/b/c/g/"},
    {"g/./h", "http://a/b/c/g/h"},
    {"g/../h", "http://a/b/c/h"},
    {"g;x=1/./y", "http://a/b/c/g;x=1/y"},
    {"g;x=1/../y", "http://a/b/c/y"},
    {"g?y/./x", "http://a/b/c/g?y/./x"},
    {"g?y/../x", "http://a/b/c/g?y/../x"},
};

static void references_are_resolved_as_the_standard_shows(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(resolved); i++) {
        struct guard g = guard_end(resolved[i][0], strlen(resolved[i][0]));
        char memory[64];
        struct writer w = writer_to(memory, sizeof memory);
        if (!url_resolve(SLICE("http://a/b/c/d;p?q"), (struct slice){g.data, g.size}, &w))
            fail_msg("\"%s\" was refused", resolved[i][0]);
        assert_slice(written(&w), resolved[i][1]);
        guard_free(&g);
    }
}

static void references_are_resolved_from_any_base(void **state)
{
    static const char *const cases[][3] = {
        {"http://a", "?q", "http://a/?q"},
        {"http://a", "g", "http://a/g"},
        {"https://a/b", "//c?q", "https://c/?q"},
        {"http://a/b", "//[::ffff:192.0.2.1]:81/c", "http://[::ffff:192.0.2.1]:81/c"},
    };
    char memory[64];
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct writer w = writer_to(memory, sizeof memory);
        assert_true(url_resolve(slice_of(cases[i][0]), slice_of(cases[i][1]), &w));
        assert_slice(written(&w), cases[i][2]);
    }
    struct writer w = writer_to(memory, sizeof memory);
    assert_false(url_resolve(SLICE("a/b"), SLICE("http://c/"), &w));
    static const char *const bad[] = {" a", "\"a", "<", "a ", "a\\b", "a\x80"}; /* RFC 3986, 2 */
    for (size_t i = 0; i < COUNT(bad); i++) {
        w = writer_to(memory, sizeof memory);
        assert_false(url_resolve(SLICE("http://a/"), slice_of(bad[i]), &w));
    }
}

static void a_result_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(resolved); i++) {
        for (size_t size = 0; size < strlen(resolved[i][1]); size++) {
            struct guard g = guard_end(NULL, size);
            struct writer w = writer_to(g.data, g.size);
            if (url_resolve(SLICE("http://a/b/c/d;p?q"), slice_of(resolved[i][0]), &w))
                fail_msg("\"%s\" was taken for %zu bytes", resolved[i][0], size);
            guard_free(&g);
        }
    }
}

static void origins_are_scheme_host_and_port(void **state)
{
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        {"http://a/x", "http://a/y", true},       {"http://a/", "http://a:80/", true},
        {"https://a/", "https://a:443/", true},   {"http://EXAMPLE.com/", "http://example.COM/", true},
        {"http://a/", "https://a/", false},       {"http://a:443/", "https://a:443/", false},
        {"http://a/", "http://a:8080/", false},   {"http://a/", "http://b/", false},
        {"http://a/", "http://a.b/", false},      {"http://[::1]/", "http://[::1]:80/", true},
        {"http://[::1]/", "http://[::2]/", false}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct url a, b;
        assert_true(url_parse(&a, slice_of(cases[i].a)));
        assert_true(url_parse(&b, slice_of(cases[i].b)));
        if (url_same_origin(&a, &b) != cases[i].same || url_same_origin(&b, &a) != cases[i].same)
            fail_msg("%s and %s", cases[i].a, cases[i].b);
    }
}

static void an_authority_names_the_port_where_it_matters(void **state)
{
    static const struct {
        bool tls;
        const char *host;
        unsigned port;
        const char *text;
    } cases[] = {{false, "a", 80, "a"},        {false, "a", 443, "a:443"},
                 {true, "a", 443, "a"},        {true, "a", 80, "a:80"},
                 {false, "::1", 80, "[::1]"},  {true, "::1", 5000, "[::1]:5000"},
                 {true, "a", 65535, "a:65535"}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char memory[64];
        struct writer w = writer_to(memory, sizeof memory);
        write_authority(&w, cases[i].tls, slice_of(cases[i].host), cases[i].port);
        assert_slice(written(&w), cases[i].text);
    }
}

static void an_origin_is_written_with_its_scheme(void **state)
{
    static const struct {
        struct regtag_origin origin;
        const char *text;
    } cases[] = {{{.host = "a", .port = 80}, "http://a"},
                 {{.host = "a", .port = 443, .tls = true}, "https://a"},
                 {{.host = "::1", .port = 5000, .tls = true}, "https://[::1]:5000"}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char memory[64];
        struct writer w = writer_to(memory, sizeof memory);
        write_origin(&w, &cases[i].origin);
        assert_slice(written(&w), cases[i].text);
    }
}

static void values_in_a_query_are_encoded(void **state)
{
    char memory[64];
    struct writer w = writer_to(memory, sizeof memory);
    (void)state;
    write_encoded(&w, SLICE("aZ0-._~ /+%\0\xff"));
    assert_slice(written(&w), "aZ0-._~%20%2F%2B%25%00%FF");
}

/* ---- Requests -------------------------------------------------------------------------------- */

static void a_request_is_written_to_the_byte(void **state)
{
    static const char expected[] = "PUT /v2/a/manifests/b HTTP/1.1\r\n"
                                   "Host: localhost:5000\r\n"
                                   "Content-Type: text/plain\r\n"
                                   "\r\n";
    struct guard g = guard_end(NULL, sizeof expected - 1);
    struct writer w = writer_to(g.data, g.size);
    (void)state;
    write_request(&w, "PUT", SLICE(""), SLICE("/v2/a/manifests/b"), SLICE("localhost:5000"));
    write_field(&w, "Content-Type", SLICE("text/plain"));
    write_fields_end(&w);
    assert_false(w.overflow);
    assert_slice(written(&w), expected);
    guard_free(&g);
}

static void a_request_without_a_path_asks_for_the_root(void **state)
{
    char memory[64];
    struct writer w = writer_to(memory, sizeof memory);
    (void)state;
    write_request(&w, "GET", SLICE(""), SLICE(""), SLICE("a"));
    assert_slice(written(&w), "GET / HTTP/1.1\r\nHost: a\r\n");
    w = writer_to(memory, sizeof memory);
    write_request(&w, "GET", SLICE(""), SLICE("?q"), SLICE("a"));
    assert_slice(written(&w), "GET /?q HTTP/1.1\r\nHost: a\r\n");
}

static void a_request_through_a_proxy_has_the_whole_url(void **state)
{
    char memory[64];
    struct writer w = writer_to(memory, sizeof memory);
    (void)state;
    write_request(&w, "GET", SLICE("!a~"), SLICE("/!~"), SLICE("a"));
    assert_false(w.overflow); /* all between a space and DEL may be in a request */
    assert_slice(written(&w), "GET http://!a~/!~ HTTP/1.1\r\nHost: a\r\n");
    w = writer_to(memory, sizeof memory);
    write_request(&w, "GET", SLICE("a b"), SLICE("/"), SLICE("a"));
    assert_true(w.overflow);
}

static void a_request_that_does_not_fit_is_poisoned(void **state)
{
    (void)state;
    for (size_t size = 0; size < 36; size++) {
        struct guard g = guard_end(NULL, size);
        struct writer w = writer_to(g.data, g.size);
        write_request(&w, "GET", SLICE(""), SLICE("/"), SLICE("a"));
        write_field(&w, "B", SLICE("cdef"));
        write_fields_end(&w);
        assert_int_equal(w.overflow, size < 25 + 9 + 2);
        guard_free(&g);
    }
}

static void nothing_is_smuggled_into_a_request(void **state)
{
    static const struct slice texts[] = {
        SLICE_INIT("/a\r\nB: c"), SLICE_INIT("/a\nB"), SLICE_INIT("/a\r"),  SLICE_INIT("/a b"),
        SLICE_INIT("/\0"),        SLICE_INIT("/\t"),   SLICE_INIT("/\x1b"), SLICE_INIT("/\x7f")};
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        char memory[256];
        struct writer w = writer_to(memory, sizeof memory);
        write_request(&w, "GET", SLICE(""), texts[i], SLICE("a"));
        assert_true(w.overflow);
    }
}

static void nothing_is_smuggled_into_a_field(void **state)
{
    static const struct slice texts[] = {SLICE_INIT("a\r\nB: c"), SLICE_INIT("a\nB: c"),
                                         SLICE_INIT("a\r"), SLICE_INIT("\n"), SLICE_INIT("a\0b")};
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        char memory[256];
        struct writer w = writer_to(memory, sizeof memory);
        write_field(&w, "A", texts[i]);
        assert_true(w.overflow);
    }
}

/* ---- Fields and lists ------------------------------------------------------------------------ */

static void lists_are_taken_apart(void **state)
{
    struct slice list = SLICE(" a,b , ,\t c d\t,,");
    struct slice element;
    (void)state;
    assert_true(http_list_next(&list, &element));
    assert_slice(element, "a");
    assert_true(http_list_next(&list, &element));
    assert_slice(element, "b");
    assert_true(http_list_next(&list, &element));
    assert_slice(element, "c d");
    assert_false(http_list_next(&list, &element));
    assert_false(http_list_next(&list, &element));
}

static void token_characters_are_those_of_the_standard(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        char c = (char)byte;
        bool expected = is_alnum(c) || (byte && strchr("!#$%&'*+-.^_`|~", byte));
        assert_int_equal(is_token_char(c), expected);
    }
}

/* ---- Answers --------------------------------------------------------------------------------- */

static char head[HTTP_HEAD_MAX];

/* Reads an answer up to the end of its header. */
static struct http_response head_of(const char *text)
{
    struct http_response r;
    struct slice in = slice_of(text);
    struct slice body;
    http_response_start(&r, false, head);
    enum http_event event = http_response_take(&r, &in, &body);
    if (event != HTTP_HEAD)
        fail_msg("not the end of a header (%d): %s", event, text);
    return r;
}

static void fields_are_found_whatever_their_case(void **state)
{
    struct http_response r =
        head_of("HTTP/1.1 200 All fine\r\nA: 1\r\nDocker-Content-Digest: \t x y\t \r\n"
                "Empty:\r\n\r\n");
    struct slice value;
    (void)state;
    assert_slice(http_response_status_line(&r), "HTTP/1.1 200 All fine");
    assert_true(http_response_field(&r, SLICE("docker-content-DIGEST"), &value));
    assert_slice(value, "x y");
    assert_true(http_response_field(&r, SLICE("Empty"), &value));
    assert_slice(value, "");
    assert_true(http_response_field(&r, SLICE("Missing"), &value));
    assert_slice(value, "");
}

static void a_field_with_two_values_has_none(void **state)
{
    struct http_response r = head_of("HTTP/1.1 200 OK\r\nA: 1\r\na: 2\r\nB: 3\r\nb: 3\r\n\r\n");
    struct slice value;
    (void)state;
    assert_false(http_response_field(&r, SLICE("A"), &value));
    assert_true(http_response_field(&r, SLICE("B"), &value));
    assert_slice(value, "3");
}

static void fields_are_listed_in_their_order(void **state)
{
    static const char *const expected[][2] = {{"A", "1"}, {"B", "2: 3"}, {"a", ""}};
    struct http_response r = head_of("HTTP/1.1 100 Continue\r\nNo: 0\r\n\r\n"
                                     "HTTP/1.1 200 OK\nA: 1\nB:2: 3 \r\na:\r\n\r\n");
    struct slice section = http_response_fields(&r);
    struct slice name, value;
    (void)state;
    for (size_t i = 0; i < COUNT(expected); i++) {
        assert_true(http_field_next(&section, &name, &value));
        assert_slice(name, expected[i][0]);
        assert_slice(value, expected[i][1]);
    }
    assert_false(http_field_next(&section, &name, &value));
}

static void a_connection_is_kept_unless_something_ends_it(void **state)
{
    static const struct {
        const char *text;
        bool keep;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", true},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", true},
        {"HTTP/1.1 204 No Content\r\n\r\n", true},
        {"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", true},
        {"HTTP/1.1 200 OK\r\nConnection: upgrade, x\r\nContent-Length: 0\r\n\r\n", true},
        {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", false},
        {"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n", false},
        {"HTTP/1.1 200 OK\r\nconnection: x ,\tclose, y\r\nContent-Length: 0\r\n\r\n", false},
        {"HTTP/1.1 200 OK\r\nConnection: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", false},
        {"HTTP/1.1 200 OK\r\nConnection: keep-alive, close\r\nContent-Length: 0\r\n\r\n", false},
        {"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", false},
        {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", true},
        {"HTTP/1.1 200 OK\r\n\r\n", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct http_response r = head_of(cases[i].text);
        if (r.keep_alive != cases[i].keep)
            fail_msg("%s", cases[i].text);
    }
}

static void what_follows_an_answer_is_left_in_the_input(void **state)
{
    static const char chunked[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                  "5\r\nhello\r\n0\r\nA: b\r\n\r\nREST";
    static const char *const texts[] = {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloREST", chunked,
                                        "HTTP/1.1 204 No Content\r\n\r\nREST",
                                        "HTTP/1.1 200 OK\nContent-Length: 0\n\nREST"};
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct http_response r;
        struct slice in = slice_of(texts[i]);
        struct slice body;
        enum http_event event;
        http_response_start(&r, false, head);
        while ((event = http_response_take(&r, &in, &body)) == HTTP_HEAD || event == HTTP_BODY)
            ;
        assert_int_equal(event, HTTP_END);
        assert_slice(in, "REST");
        assert_int_equal(http_response_take(&r, &in, &body), HTTP_END);
        assert_slice(in, "REST");
        assert_int_equal(http_response_eof(&r, false), HTTP_END);
    }
}

static void a_broken_answer_stays_broken(void **state)
{
    struct http_response r;
    struct slice in = SLICE("HTTP/1.1 200 OK\r\nA b\r\n\r\n");
    struct slice good = SLICE("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    struct slice body;
    (void)state;
    http_response_start(&r, false, head);
    assert_int_equal(http_response_take(&r, &in, &body), HTTP_BROKEN);
    assert_non_null(r.problem);
    assert_int_equal(http_response_take(&r, &good, &body), HTTP_BROKEN);
    assert_int_equal(http_response_eof(&r, false), HTTP_BROKEN);
}

/* What ends with the connection must not be taken for whole when an attacker may have ended it. */
static void an_end_completes_what_has_no_other_end(void **state)
{
    static const struct {
        const char *text;
        bool head, cut;
        enum http_event event;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\n\r\nx", false, false, HTTP_END},
        {"HTTP/1.1 200 OK\r\n\r\nx", false, true, HTTP_BROKEN},
        {"HTTP/1.1 200 OK\r\n\r\n", true, true, HTTP_END},
        {"HTTP/1.1 204 No Content\r\n\r\n", false, true, HTTP_END},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nx", false, false, HTTP_BROKEN},
        {"HTTP/1.1 200 OK\r\n", false, false, HTTP_BROKEN},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct http_response r;
        struct slice in = slice_of(cases[i].text), body;
        http_response_start(&r, cases[i].head, head);
        http_response_take(&r, &in, &body);
        if (in.size)
            assert_int_equal(http_response_take(&r, &in, &body), HTTP_BODY);
        if (http_response_eof(&r, cases[i].cut) != cases[i].event)
            fail_msg("case %zu", i);
    }
}

static void an_answer_has_begun_with_its_first_byte(void **state)
{
    struct http_response r;
    struct slice in = SLICE("");
    struct slice first = SLICE("H");
    struct slice body;
    (void)state;
    http_response_start(&r, false, head);
    assert_false(http_response_begun(&r));
    assert_int_equal(http_response_take(&r, &in, &body), HTTP_MORE);
    assert_false(http_response_begun(&r));
    assert_int_equal(http_response_take(&r, &first, &body), HTTP_MORE);
    assert_true(http_response_begun(&r));
}

/* What is left in the memory behind the header is no part of it. */
static void fields_behind_the_header_are_not_there(void **state)
{
    static const char old[] = "HTTP/1.1 200 OK\r\nAge: 1\r\nAge: 1\r\nAge: 1\r\nAge: 1\r\nAge: 1\r\n";
    static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    static char memory[HTTP_HEAD_MAX];
    struct http_response r;
    struct slice in = slice_of(text), body, value;
    (void)state;
    memcpy(memory, old, sizeof old);
    http_response_start(&r, false, memory);
    assert_int_equal(http_response_take(&r, &in, &body), HTTP_HEAD);
    assert_true(http_response_field(&r, SLICE("age"), &value));
    assert_slice(value, "");
    assert_slice(http_response_fields(&r), "Content-Length: 0\r\n\r\n");
}

static void why_a_header_is_refused_is_told(void **state)
{
    static const char *const cases[][2] = {
        {"A: b\r\n c\r\n", "a header line is folded"},
        {"A: b\r\n\tc\r\n", "a header line is folded"},
        {"A: b\r\n:c\r\n", "a header line does not begin with a name"},
        {"A: b\r\nc\r\n", "a header line has no ':' after its name"},
    };
    static char memory[HTTP_HEAD_MAX];
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[128];
        struct http_response r;
        struct slice in, body;
        snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\n%s\r\n", cases[i][0]);
        in = slice_of(text);
        http_response_start(&r, false, memory);
        assert_int_equal(http_response_take(&r, &in, &body), HTTP_BROKEN);
        assert_non_null(strstr(r.problem, cases[i][1]));
    }
}

static void nothing_of_one_answer_leaks_into_the_next(void **state)
{
    struct http_response r = head_of("HTTP/1.0 404 Not Found\r\nContent-Length: 99\r\nA: b\r\n\r\nhel");
    struct slice in = SLICE("HTTP/1.1 200 OK\r\nC: d\r\n\r\n");
    struct slice value;
    (void)state;
    http_response_start(&r, false, head);
    assert_false(http_response_begun(&r));
    assert_int_equal(http_response_take(&r, &in, &value), HTTP_HEAD);
    assert_int_equal(r.status, 200);
    assert_int_equal(r.framing, HTTP_UNTIL_CLOSE);
    assert_true(http_response_field(&r, SLICE("A"), &value));
    assert_slice(value, "");
}

static void tls_instead_of_http_is_recognised(void **state)
{
    static const struct {
        struct slice text;
        bool tls;
    } cases[] = {{SLICE_INIT("\x15\x03\x01\x00\x02\x02\x16"), true},
                 {SLICE_INIT("\x15\x03\x03\x00\x02\x02\x28"), true},
                 {SLICE_INIT("\x16\x03\x03\x00\x02\x02\x28"), true},
                 {SLICE_INIT("HTTQ/1.1 200 OK\r\n\r\n"), false},
                 {SLICE_INIT("SSH-2.0-OpenSSH_9.2\r\n"), false}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (size_t step = 1; step <= cases[i].text.size; step++) {
            struct http_response r;
            struct slice rest = cases[i].text;
            struct slice body;
            enum http_event event = HTTP_MORE;
            http_response_start(&r, false, head);
            while (event == HTTP_MORE && rest.size > 0) {
                struct slice in = slice_head(rest, step);
                rest = slice_from(rest, in.size);
                event = http_response_take(&r, &in, &body);
            }
            if (event == HTTP_MORE)
                event = http_response_eof(&r, false);
            assert_int_equal(event, HTTP_BROKEN);
            if (http_response_is_tls(&r) != cases[i].tls)
                fail_msg("case %zu in steps of %zu", i, step);
        }
    }
}

/* ---- Dates, and when to ask again ------------------------------------------------------------ */

/* Seconds as `date -u -d ... +%s` gives them. */
static void a_header_that_is_too_long_at_once_is_not_tls(void **state)
{
    static char text[HTTP_HEAD_MAX + 1];
    struct http_response r;
    struct slice in = {text, sizeof text}, body;
    (void)state;
    memset(text, 0x16, sizeof text);
    http_response_start(&r, false, head);
    assert_int_equal(http_response_take(&r, &in, &body), HTTP_BROKEN);
    assert_false(http_response_is_tls(&r));
}

static void an_http_date_is_read(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } cases[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777}, /* RFC 9110, 5.6.7 */
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"Tue, 19 Jan 2038 03:14:08 GMT", 2147483648},
        {"Thu, 29 Feb 2024 23:59:59 GMT", 1709251199},
        {"Fri, 31 Dec 9999 23:59:59 GMT", 253402300799},
        {"Tue, 01 Jul 2025 12:00:00 GMT", 1751371200},
        {"Xxx, 06 Nov 1994 08:49:37 GMT", 784111777}, /* the day of the week adds nothing */
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct guard g = guard_end(cases[i].text, strlen(cases[i].text));
        int64_t seconds = -1;
        if (!http_date((struct slice){g.data, g.size}, &seconds) || seconds != cases[i].seconds)
            fail_msg("%s: %lld", cases[i].text, (long long)seconds);
        guard_free(&g);
    }
}

static void every_month_of_an_http_date_is_known(void **state)
{
    static const char *const names[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334}; /* days */
    (void)state;
    for (int i = 0; i < 12; i++) {
        char text[40];
        int64_t seconds = -1;
        snprintf(text, sizeof text, "Mon, 01 %s 1971 00:00:00 GMT", names[i]);
        assert_true(http_date(slice_of(text), &seconds));
        assert_int_equal(seconds, (365 + before[i]) * 86400);
    }
}

static void what_is_no_http_date_is_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "Sun",
        "Sun,",
        "Sunday, 06-Nov-94 08:49:37 GMT", /* the obsolete forms */
        "Sun Nov  6 08:49:37 1994",
        "06 Nov 1994 08:49:37 GMT",
        "Sun,06 Nov 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 006 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06 Nov  1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 06 Nov 11994 08:49:37 GMT",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 06 Nov 1994 08:49 GMT",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 ",
        "Sun, 06 Nov 1994 08:49:37 gmt",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 06 Nov 1994 08:49:37 GMT+1",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 23:60:00 GMT",
        "Sun, 06 Nov 1994 23:00:61 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 29 Feb 2023 08:49:37 GMT",
        "Sun, 06 Nov 1969 08:49:37 GMT",
        "Sun, +6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 -8:49:37 GMT",
        "Sun, 06 JanFeb 1994 08:49:37 GMT",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct guard g = guard_end(cases[i], strlen(cases[i]));
        int64_t seconds;
        if (http_date((struct slice){g.data, g.size}, &seconds))
            fail_msg("\"%s\" is read", cases[i]);
        guard_free(&g);
    }
}

static void a_cut_http_date_is_refused(void **state)
{
    static const char text[] = "Sun, 06 Nov 1994 08:49:37 GMT";
    (void)state;
    for (size_t size = 0; size < sizeof text - 1; size++) {
        struct guard g = guard_end(text, size);
        int64_t seconds;
        assert_false(http_date((struct slice){g.data, g.size}, &seconds));
        guard_free(&g);
    }
}

/* An answer with these fields, as far as its header. */
static void answer_with(struct http_response *r, char memory[HTTP_HEAD_MAX], const char *fields)
{
    char text[1024];
    struct slice in, body;
    snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\n%sContent-Length: 0\r\n\r\n", fields);
    in = slice_of(text);
    http_response_start(r, false, memory);
    assert_int_equal(http_response_take(r, &in, &body), HTTP_HEAD);
}

static void retry_after_is_read_in_all_forms(void **state)
{
    static const struct {
        const char *fields;
        uint64_t milliseconds;
    } cases[] = {
        {"", 0},
        {"Retry-After: 0\r\n", 0},
        {"Retry-After: 1\r\n", 1000},
        {"RETRY-AFTER:120\r\n", 120000},
        {"Retry-After: 31622400\r\n", UINT64_C(31622400000)}, /* 366 days: nobody waits longer */
        {"Retry-After: 31622401\r\n", UINT64_C(31622400000)},
        {"Retry-After: 18446744073709551616\r\n", UINT64_C(31622400000)},
        {"Retry-After: -1\r\n", 0},
        {"Retry-After: +1\r\n", 0},
        {"Retry-After: soon\r\n", 0},
        {"Retry-After:\r\n", 0},
        {"Retry-After: 1\r\nRetry-After: 2\r\n", 0},
        {"Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\nDate: Sun, 06 Nov 1994 08:49:00 GMT\r\n", 37000},
        {"Date: Sat, 05 Nov 1994 08:49:37 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
         86400000},
        {"Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 0},
        {"Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\nDate: Sun, 06 Nov 1994 08:49:38 GMT\r\n", 0},
        {"Retry-After: Fri, 31 Dec 9999 23:59:59 GMT\r\nDate: Sun, 06 Nov 1994 08:49:38 GMT\r\n",
         UINT64_C(31622400000)},
        {"Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 0}, /* by whose clock? */
        {"Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\nDate: today\r\n", 0},

        /* Against the rules, but clear. */
        {"Retry-After: 0.5\r\n", 500},
        {"Retry-After: 1.25\r\n", 1250},
        {"Retry-After: 2.0\r\n", 2000},
        {"Retry-After: 0.0004999999999999999999\r\n", 0},
        {"Retry-After: 2.9999999999999999999999\r\n", 2999},
        {"Retry-After: 2s\r\n", 2000},
        {"Retry-After: 60s\r\n", 60000},
        {"Retry-After: 1.5s\r\n", 1500},
        {"Retry-After: 500ms\r\n", 500},
        {"Retry-After: 2m\r\n", 120000},
        {"Retry-After: 1h\r\n", 3600000},
        {"Retry-After: 9999999999999999999h\r\n", UINT64_C(31622400000)},
        {"Retry-After: 999999999\r\n", UINT64_C(31622400000)},

        /* 2001-09-09 01:46:40 is 10^9; no other clock than the server's tells how far it is. */
        {"Retry-After: 1000000007\r\nDate: Sun, 09 Sep 2001 01:46:40 GMT\r\n", 7000},
        {"Retry-After: 1000000007.25\r\nDate: Sun, 09 Sep 2001 01:46:40 GMT\r\n", 7250},
        {"Retry-After: 1000000007250\r\nDate: Sun, 09 Sep 2001 01:46:40 GMT\r\n", 7250},
        {"Retry-After: 3999999999\r\nDate: Sun, 09 Sep 2001 01:46:40 GMT\r\n", UINT64_C(31622400000)},
        {"Retry-After: 1000000007\r\nDate: Sun, 09 Sep 2001 01:46:48 GMT\r\n", 0},
        {"Retry-After: 1000000007\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n", UINT64_C(31622400000)},
        {"Retry-After: 3999999999\r\nDate: Tue, 02 Oct 2096 07:06:30 GMT\r\n", 9000},
        {"Retry-After: 3999999999999\r\nDate: Tue, 02 Oct 2096 07:06:30 GMT\r\n", 9999},
        {"Retry-After: 4000000000\r\nDate: Tue, 02 Oct 2096 07:06:30 GMT\r\n", UINT64_C(31622400000)},
        {"Retry-After: 4000000000000\r\nDate: Tue, 02 Oct 2096 07:06:30 GMT\r\n", UINT64_C(31622400000)},
        {"Retry-After: 1000000000\r\nDate: Sun, 09 Sep 2001 01:46:39 GMT\r\n", 1000},
        {"Retry-After: 1000000000000\r\nDate: Sun, 09 Sep 2001 01:46:39 GMT\r\n", 1000},
        {"Retry-After: 1700000000\r\n", 0},
        {"Retry-After: 1700000000123\r\n", 0},

        /* Of no meaning. */
        {"Retry-After: 1e9\r\n", 0},
        {"Retry-After: 0x10\r\n", 0},
        {"Retry-After: .5\r\n", 0},
        {"Retry-After: 5.\r\n", 0},
        {"Retry-After: 1.2.3\r\n", 0},
        {"Retry-After: 1,5\r\n", 0},
        {"Retry-After: 5 6\r\n", 0},
        {"Retry-After: 5sx\r\n", 0},
        {"Retry-After: 5 apples\r\n", 0},
        {"Retry-After: s\r\n", 0},
        {"Retry-After: -0.5\r\n", 0},
        {"Retry-After: 2031-05-06T07:08:09Z\r\n", 0},
        {"Retry-After: NaN\r\n", 0},
        {"Retry-After: Infinity\r\n", 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        static char memory[HTTP_HEAD_MAX];
        struct http_response r;
        answer_with(&r, memory, cases[i].fields);
        if (http_retry_after(&r) != cases[i].milliseconds)
            fail_msg("%s%llu ms", cases[i].fields, (unsigned long long)http_retry_after(&r));
    }
}

static void a_rate_is_read_as_docker_hub_and_the_draft_write_it(void **state)
{
    static const struct {
        const char *fields;
        bool both;
        uint64_t remaining, window;
    } cases[] = {
        {"ratelimit-limit: 100;w=21600\r\nratelimit-remaining: 76;w=21600\r\n", true, 76, 21600},
        {"RateLimit-Remaining: 0;w=21600\r\n", true, 0, 21600},
        {"RateLimit-Remaining: 5; w=60\r\n", true, 5, 60},
        {"RateLimit-Remaining: 5 ;burst=3;W=60;x\r\n", true, 5, 60},
        {"RateLimit-Remaining: 5\r\nRateLimit-Reset: 50\r\n", true, 5, 50},
        {"RateLimit-Remaining: 5\r\nRateLimit-Limit: 100;w=3600\r\n", true, 5, 3600},
        {"RateLimit-Remaining: 5;w=10\r\nRateLimit-Reset: 50\r\nRateLimit-Limit: 9;w=70\r\n", true, 5,
         10},
        {"RateLimit-Remaining: 5\r\nRateLimit-Reset: 50\r\nRateLimit-Limit: 9;w=70\r\n", true, 5, 50},
        {"RateLimit-Remaining: 4294967295;w=1\r\n", true, UINT32_MAX, 1},
        {"", false, 0, 0},
        {"RateLimit-Remaining: 5\r\n", false, 0, 0},
        {"RateLimit-Remaining: 5;w=0\r\n", false, 0, 0},
        {"RateLimit-Remaining: 5;w=\r\n", false, 0, 0},
        {"RateLimit-Remaining: 5;w=x\r\n", false, 0, 0},
        {"RateLimit-Remaining: 5;w=99999999999\r\n", false, 0, 0},
        {"RateLimit-Remaining: ;w=10\r\n", false, 0, 0},
        {"RateLimit-Remaining: x;w=10\r\n", false, 0, 0},
        {"RateLimit-Remaining: -1;w=10\r\n", false, 0, 0},
        {"RateLimit-Remaining: 4294967296;w=1\r\n", false, 0, 0},
        {"RateLimit-Limit: 100;w=21600\r\n", false, 0, 0},
        {"RateLimit-Reset: 50\r\n", false, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        static char memory[HTTP_HEAD_MAX];
        struct http_response r;
        uint64_t remaining = 0, window = 0;
        answer_with(&r, memory, cases[i].fields);
        bool both = http_rate_limit(&r, &remaining, &window);
        if (both != cases[i].both ||
            (both && (remaining != cases[i].remaining || window != cases[i].window)))
            fail_msg("%s%d %llu %llu", cases[i].fields, both, (unsigned long long)remaining,
                     (unsigned long long)window);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_url_is_taken_apart),
        cmocka_unit_test(what_is_no_url_is_refused),
        cmocka_unit_test(references_are_resolved_as_the_standard_shows),
        cmocka_unit_test(references_are_resolved_from_any_base),
        cmocka_unit_test(a_result_that_does_not_fit_is_refused),
        cmocka_unit_test(origins_are_scheme_host_and_port),
        cmocka_unit_test(an_authority_names_the_port_where_it_matters),
        cmocka_unit_test(an_origin_is_written_with_its_scheme),
        cmocka_unit_test(values_in_a_query_are_encoded),
        cmocka_unit_test(a_request_is_written_to_the_byte),
        cmocka_unit_test(a_request_without_a_path_asks_for_the_root),
        cmocka_unit_test(a_request_through_a_proxy_has_the_whole_url),
        cmocka_unit_test(a_request_that_does_not_fit_is_poisoned),
        cmocka_unit_test(nothing_is_smuggled_into_a_request),
        cmocka_unit_test(nothing_is_smuggled_into_a_field),
        cmocka_unit_test(lists_are_taken_apart),
        cmocka_unit_test(token_characters_are_those_of_the_standard),
        cmocka_unit_test(fields_are_found_whatever_their_case),
        cmocka_unit_test(a_field_with_two_values_has_none),
        cmocka_unit_test(fields_are_listed_in_their_order),
        cmocka_unit_test(a_connection_is_kept_unless_something_ends_it),
        cmocka_unit_test(what_follows_an_answer_is_left_in_the_input),
        cmocka_unit_test(a_broken_answer_stays_broken),
        cmocka_unit_test(an_end_completes_what_has_no_other_end),
        cmocka_unit_test(an_answer_has_begun_with_its_first_byte),
        cmocka_unit_test(fields_behind_the_header_are_not_there),
        cmocka_unit_test(why_a_header_is_refused_is_told),
        cmocka_unit_test(nothing_of_one_answer_leaks_into_the_next),
        cmocka_unit_test(tls_instead_of_http_is_recognised),
        cmocka_unit_test(a_header_that_is_too_long_at_once_is_not_tls),
        cmocka_unit_test(an_http_date_is_read),
        cmocka_unit_test(every_month_of_an_http_date_is_known),
        cmocka_unit_test(what_is_no_http_date_is_refused),
        cmocka_unit_test(a_cut_http_date_is_refused),
        cmocka_unit_test(retry_after_is_read_in_all_forms),
        cmocka_unit_test(a_rate_is_read_as_docker_hub_and_the_draft_write_it),
    };
    return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
