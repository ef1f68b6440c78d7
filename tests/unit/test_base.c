/* src/base: slices, numbers, the bounded writer, errors, Base64. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/calendar.h"
#include "base/error.h"
#include "base/slice.h"
#include "base/writer.h"
#include "guard.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void assert_slice(struct slice got, const char *expected)
{
    assert_int_equal(got.size, strlen(expected));
    if (got.size > 0)
        assert_memory_equal(got.data, expected, got.size);
}

/* ---- Slices ---------------------------------------------------------------------------------- */

static void a_slice_of_nothing_is_empty(void **state)
{
    (void)state;
    assert_int_equal(slice_of(NULL).size, 0);
    assert_int_equal(slice_of("").size, 0);
    assert_true(slice_equal(slice_of(NULL), slice_of("")));
    assert_true(slice_equal_nocase(slice_of(NULL), slice_of("")));
    assert_true(slice_starts(slice_of(NULL), slice_of(NULL)));
    assert_int_equal(slice_find(slice_of(NULL), 'a'), 0);
    assert_slice(slice_trim(slice_of(NULL)), "");
    assert_slice(slice_from(slice_of(NULL), 5), "");
    assert_slice(slice_head(slice_of(NULL), 5), "");
}

static void parts_never_reach_beyond_their_slice(void **state)
{
    struct slice s = SLICE("hello");
    (void)state;
    assert_slice(slice_from(s, 0), "hello");
    assert_slice(slice_from(s, 2), "llo");
    assert_slice(slice_from(s, 5), "");
    assert_slice(slice_from(s, 6), "");
    assert_slice(slice_from(s, SIZE_MAX), "");
    assert_slice(slice_head(s, 0), "");
    assert_slice(slice_head(s, 2), "he");
    assert_slice(slice_head(s, SIZE_MAX), "hello");
}

static void slices_are_compared_by_their_bytes(void **state)
{
    (void)state;
    assert_true(slice_equal(SLICE("a\0b"), SLICE("a\0b")));
    assert_false(slice_equal(SLICE("a\0b"), SLICE("a\0c")));
    assert_false(slice_equal(SLICE("a"), SLICE("A")));
    assert_false(slice_equal(SLICE("a"), SLICE("aa")));
    assert_true(slice_starts(SLICE("sha256:0"), SLICE("sha256:")));
    assert_true(slice_starts(SLICE("a"), SLICE("a")));
    assert_false(slice_starts(SLICE("a"), SLICE("ab")));
    assert_false(slice_starts(SLICE("ba"), SLICE("a")));
}

static void case_is_ascii_only(void **state)
{
    (void)state;
    assert_true(slice_equal_nocase(SLICE("Content-LENGTH"), SLICE("content-length")));
    assert_false(slice_equal_nocase(SLICE("a"), SLICE("b")));
    assert_false(slice_equal_nocase(SLICE("@"), SLICE("`")));
    assert_false(slice_equal_nocase(SLICE("["), SLICE("{")));
    assert_false(slice_equal_nocase(SLICE("\xc3\x89"), SLICE("\xc3\xa9")));
    assert_false(slice_equal_nocase(SLICE("\xc9"), SLICE("\xe9")));
}

static void parts_are_found(void **state)
{
    (void)state;
    assert_true(slice_contains(SLICE("immutable"), SLICE("immutable")));
    assert_true(slice_contains(SLICE("aab"), SLICE("ab")));
    assert_true(slice_contains(SLICE("a"), SLICE("")));
    assert_true(slice_contains(SLICE(""), SLICE("")));
    assert_false(slice_contains(SLICE(""), SLICE("a")));
    assert_false(slice_contains(SLICE("ab"), SLICE("abc")));
    assert_int_equal(slice_find(SLICE("abcb"), 'b'), 1);
    assert_int_equal(slice_find(SLICE("abc"), 'x'), 3);
    assert_int_equal(slice_find(SLICE("a\0b"), '\0'), 1);
}

static void words_have_nothing_else_in_them(void **state)
{
    (void)state;
    assert_true(slice_is_word(SLICE("azAZ09"), ""));
    assert_true(slice_is_word(SLICE("a_b-"), "-_"));
    assert_false(slice_is_word(SLICE(""), "-_"));
    assert_false(slice_is_word(SLICE("a.b"), "-_"));
    assert_false(slice_is_word(SLICE("a\0b"), "-_"));
}

static void only_spaces_and_tabs_are_trimmed(void **state)
{
    (void)state;
    assert_slice(slice_trim(SLICE(" \t a b \t")), "a b");
    assert_slice(slice_trim(SLICE(" \t ")), "");
    assert_slice(slice_trim(SLICE("\ra\n")), "\ra\n");
    assert_slice(slice_trim(SLICE("\va\f")), "\va\f");
}

static void splitting_yields_every_part_once(void **state)
{
    struct slice rest = SLICE("a,,b");
    (void)state;
    assert_slice(slice_split(&rest, ','), "a");
    assert_slice(slice_split(&rest, ','), "");
    assert_slice(slice_split(&rest, ','), "b");
    assert_null(rest.data);
    assert_int_equal(rest.size, 0);
    assert_slice(slice_split(&rest, ','), "");
}

static void splitting_tells_an_empty_last_part_from_none(void **state)
{
    struct slice rest = SLICE("a,");
    (void)state;
    assert_slice(slice_split(&rest, ','), "a");
    assert_non_null(rest.data);
    assert_slice(slice_split(&rest, ','), "");
    assert_null(rest.data);
}

/* ---- Numbers and characters ------------------------------------------------------------------ */

static void assert_number(const char *text, uint64_t max, uint64_t expected)
{
    struct guard g = guard_end(text, strlen(text));
    uint64_t number = 0;
    if (!slice_number((struct slice){g.data, g.size}, max, &number))
        fail_msg("\"%s\" is a number", text);
    if (number != expected)
        fail_msg("\"%s\" was read as %llu", text, (unsigned long long)number);
    guard_free(&g);
}

static void assert_no_number(const char *text, uint64_t max)
{
    struct guard g = guard_end(text, strlen(text));
    uint64_t number = 0;
    if (slice_number((struct slice){g.data, g.size}, max, &number))
        fail_msg("\"%s\" was read as %llu", text, (unsigned long long)number);
    guard_free(&g);
}

static void numbers_up_to_their_maximum_are_read(void **state)
{
    (void)state;
    assert_number("0", 0, 0);
    assert_number("0", UINT64_MAX, 0);
    assert_number("65535", 65535, 65535);
    assert_number("00000000000000000000000000065535", 65535, 65535);
    assert_number("18446744073709551615", UINT64_MAX, UINT64_MAX);
    assert_number("9223372036854775807", INT64_MAX, INT64_MAX);
    assert_number("10", 10, 10);
}

static void numbers_beyond_their_maximum_are_refused(void **state)
{
    (void)state;
    assert_no_number("1", 0);
    assert_no_number("11", 10);
    assert_no_number("20", 10);
    assert_no_number("65536", 65535);
    assert_no_number("65536", 65535);
    assert_no_number("131071", 65535);
    assert_no_number("9223372036854775808", INT64_MAX);
    assert_no_number("18446744073709551616", UINT64_MAX);
    assert_no_number("18446744073709551617", UINT64_MAX);
    assert_no_number("36893488147419103232", UINT64_MAX);
    assert_no_number("99999999999999999999999999999999999999", UINT64_MAX);
}

static void what_is_no_number_is_refused(void **state)
{
    static const char *const texts[] = {"",    " ",   "+1",       "-1",  "-0",  " 1",  "1 ",
                                        "1\n", "\t1", "0x1",      "1.0", "1e3", "1,0", "1_0",
                                        "a",   "1a",  "\xd9\xa1", ":",   "/"};
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_no_number(texts[i], UINT64_MAX);
    uint64_t number;
    assert_false(slice_number(SLICE("1\0"), UINT64_MAX, &number));
    assert_false(slice_number((struct slice){NULL, 0}, UINT64_MAX, &number));
}

static void characters_are_classified_for_all_bytes(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        char c = (char)byte;
        bool digit = byte >= '0' && byte <= '9';
        bool lower = byte >= 'a' && byte <= 'z';
        bool upper = byte >= 'A' && byte <= 'Z';
        assert_int_equal(is_digit(c), digit);
        assert_int_equal(is_lower(c), lower);
        assert_int_equal(is_alnum(c), digit || lower || upper);
        assert_int_equal(to_lower(c), (char)(upper ? byte - 'A' + 'a' : byte));
    }
}

static void hexadecimal_digits_have_either_case(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        static const char digits[] = "0123456789abcdefABCDEF";
        const char *found = byte ? strchr(digits, byte) : NULL;
        int value = found ? (int)(found - digits) : -1;
        assert_int_equal(hex_digit((char)byte), value > 15 ? value - 6 : value);
    }
}

/* ---- The writer ------------------------------------------------------------------------------ */

static void a_writer_fills_its_memory_to_the_last_byte(void **state)
{
    struct guard g = guard_end(NULL, 5);
    struct writer w = writer_to(g.data, g.size);
    (void)state;
    write_text(&w, "hel");
    write_char(&w, 'l');
    write_slice(&w, SLICE("o"));
    assert_false(w.overflow);
    assert_slice(written(&w), "hello");
    write_text(&w, "");
    assert_false(w.overflow);
    guard_free(&g);
}

static void what_does_not_fit_poisons_the_writer(void **state)
{
    struct guard g = guard_end(NULL, 5);
    struct writer w = writer_to(g.data, g.size);
    (void)state;
    write_text(&w, "abc");
    write_text(&w, "defg");
    assert_true(w.overflow);
    assert_slice(written(&w), "abc");
    write_char(&w, 'd');
    write_text(&w, "");
    write_number(&w, 7);
    write_format(&w, "%s", "e");
    write_escaped(&w, SLICE("f"));
    write_json_string(&w, SLICE("g"));
    assert_true(w.overflow);
    assert_slice(written(&w), "abc");
    guard_free(&g);
}

static void a_writer_without_memory_takes_nothing(void **state)
{
    struct writer w = writer_to(NULL, 0);
    (void)state;
    write_text(&w, "");
    write_slice(&w, (struct slice){NULL, 0});
    assert_false(w.overflow);
    write_char(&w, 'a');
    assert_true(w.overflow);
    assert_int_equal(written(&w).size, 0);
}

static void numbers_are_written_in_full(void **state)
{
    static const uint64_t numbers[] = {0,         1,          9,          10,
                                       99,        100,        4294967295, 4294967296,
                                       INT64_MAX, UINT64_MAX, 1000000000, 10000000000000000000u};
    (void)state;
    for (size_t i = 0; i < COUNT(numbers); i++) {
        char expected[32];
        char memory[32];
        struct writer w = writer_to(memory, sizeof memory);
        snprintf(expected, sizeof expected, "%llu", (unsigned long long)numbers[i]);
        write_number(&w, numbers[i]);
        assert_slice(written(&w), expected);
    }
}

static void a_number_that_does_not_fit_is_not_cut(void **state)
{
    char memory[3];
    struct writer w = writer_to(memory, sizeof memory);
    (void)state;
    write_number(&w, 1000);
    assert_true(w.overflow);
    assert_int_equal(written(&w).size, 0);
}

static void formats_are_those_of_printf(void **state)
{
    char memory[256];
    char expected[256];
    struct writer w = writer_to(memory, sizeof memory);
    struct slice s = SLICE("slice");
    (void)state;
    write_format(&w, "%s|%.*s|%u|%zu|%llu|%%|", "text", SLICE_ARG(s), 4294967295u, (size_t)12,
                 18446744073709551615ull);
    snprintf(expected, sizeof expected, "%s|%.*s|%u|%zu|%llu|%%|", "text", SLICE_ARG(s), 4294967295u,
             (size_t)12, 18446744073709551615ull);
    assert_false(w.overflow);
    assert_slice(written(&w), expected);
}

static void a_format_is_cut_at_any_size_and_poisons(void **state)
{
    static const char whole[] = "GET example: 42 of 7 bytes.";
    (void)state;
    for (size_t size = 0; size < sizeof whole - 1; size++) {
        struct guard g = guard_end(NULL, size);
        struct writer w = writer_to(g.data, g.size);
        write_format(&w, "%s %.*s: %u of %zu bytes.", "GET", 7, "example", 42u, (size_t)7);
        assert_true(w.overflow);
        assert_true(written(&w).size <= size);
        assert_memory_equal(written(&w).data, whole, written(&w).size);
        guard_free(&g);
    }
}

static void escaped_text_is_printable_and_unambiguous(void **state)
{
    char memory[2048];
    struct writer w = writer_to(memory, sizeof memory);
    (void)state;
    write_escaped(&w, SLICE("ok \x1b[2J\\\r\n\t\x7f\x80\xff\0!"));
    assert_slice(written(&w), "ok \\x1b[2J\\x5c\\x0d\\x0a\\x09\\x7f\\x80\\xff\\x00!");
}

static void escaped_text_is_cut_between_characters(void **state)
{
    (void)state;
    for (size_t size = 0; size < 9; size++) {
        struct guard g = guard_end(NULL, size);
        struct writer w = writer_to(g.data, g.size);
        write_escaped(&w, SLICE("a\x01\x02"));
        assert_true(w.overflow);
        assert_int_equal(written(&w).size, size == 0 ? 0 : size < 5 ? 1 : 5);
        guard_free(&g);
    }
}

static void json_strings_are_quoted(void **state)
{
    char memory[256];
    struct writer w = writer_to(memory, sizeof memory);
    (void)state;
    write_json_string(&w, SLICE("a\"b\\c\n\xc3\xa9\0"));
    assert_false(w.overflow);
    assert_slice(written(&w), "\"a\\\"b\\\\c\\\\x0a\\\\xc3\\\\xa9\\\\x00\"");
}

static void json_paths_keep_utf8_and_nothing_else(void **state)
{
    static const char *const CASES[][2] = {
        {"a\"b\\c\n", "\"a\\\"b\\\\c\\\\x0a\""},
        {"\xc3\xa9\xe2\x98\xba\xf0\x9f\x98\x80", "\"\xc3\xa9\xe2\x98\xba\xf0\x9f\x98\x80\""},
        {"\xc2\x80\xdf\xbf", "\"\xc2\x80\xdf\xbf\""},
        {"\xe0\xa0\x80\xef\xbf\xbf", "\"\xe0\xa0\x80\xef\xbf\xbf\""},
        {"\xed\x9f\xbf\xee\x80\x80", "\"\xed\x9f\xbf\xee\x80\x80\""},
        {"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", "\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\""},
        {"\xe0\xa0", "\"\\\\xe0\\\\xa0\""},
        {"\xf0\x8f\xbf\xbf", "\"\\\\xf0\\\\x8f\\\\xbf\\\\xbf\""}, /* overlong */
        {"\xc3", "\"\\\\xc3\""},
        {"\xe2\x98z", "\"\\\\xe2\\\\x98z\""},
        {"\xc0\x80", "\"\\\\xc0\\\\x80\""},            /* overlong */
        {"\xe0\x9f\xbf", "\"\\\\xe0\\\\x9f\\\\xbf\""}, /* overlong */
        {"\xed\xa0\x80", "\"\\\\xed\\\\xa0\\\\x80\""}, /* a surrogate */
        {"\xf5\x80\x80\x80", "\"\\\\xf5\\\\x80\\\\x80\\\\x80\""},
        {"\xf4\x90\x80\x80", "\"\\\\xf4\\\\x90\\\\x80\\\\x80\""},
    };
    char memory[256];
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct writer w = writer_to(memory, sizeof memory);
        write_json_path(&w, slice_of(CASES[i][0]));
        assert_slice(written(&w), CASES[i][1]);
    }
}

/* ---- Errors ---------------------------------------------------------------------------------- */

static void the_first_error_stays(void **state)
{
    struct error e;
    (void)state;
    error_clear(&e);
    assert_int_equal(e.status, 0);
    assert_string_equal(e.text, "");
    assert_int_equal(error_set(&e, 9, "%s: %u", "first", 1u), 9);
    assert_int_equal(error_set(&e, 10, "second"), 10);
    assert_int_equal(e.status, 9);
    assert_string_equal(e.text, "first: 1");
    error_clear(&e);
    assert_int_equal(e.status, 0);
    assert_string_equal(e.text, "");
}

static void a_hint_belongs_to_the_first_error(void **state)
{
    struct error e;
    (void)state;
    error_clear(&e);
    error_set(error_hint(&e, 1), 9, "first");
    error_set(error_hint(&e, 2), 10, "second");
    assert_int_equal(e.hint, 1);
}

static void a_long_message_is_cut_and_ended(void **state)
{
    struct error e;
    char text[2 * ERROR_TEXT_MAX];
    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (size_t size = ERROR_TEXT_MAX - 3; size <= sizeof text - 1; size++) {
        error_clear(&e);
        error_set(&e, 1, "%s", text + sizeof text - 1 - size);
        assert_non_null(memchr(e.text, '\0', ERROR_TEXT_MAX));
        if (size < ERROR_TEXT_MAX)
            assert_int_equal(strlen(e.text), size);
        else
            assert_string_equal(e.text + strlen(e.text) - 4, "x...");
    }
}

/* What comes after a long name is why it is an error. */
static void a_long_message_keeps_its_end(void **state)
{
    struct error e;
    char name[4096];
    (void)state;
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    error_clear(&e);
    error_set(&e, 1, "%s: %.*s: %s", name, 900, name, "No such file");
    assert_string_equal(e.text + strlen(e.text) - sizeof "x...: No such file" + 1, "x...: No such file");
    error_clear(&e);
    error_set(&e, 1, "%s: %s", "file", name + sizeof name - 1000);
    assert_int_equal(strlen(e.text), sizeof "file: " - 1 + 999);
}

static void a_message_of_many_long_texts_is_cut(void **state)
{
    struct error e;
    char text[1000];
    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    error_clear(&e);
    error_set(&e, 1, "%s%s%s%s%s%s%s%s%s%s%s%s%s%s", text, text, text, text, text, text, text, text,
              text, text, text, text, text, text);
    assert_int_equal(e.status, 1);
    assert_in_range(strlen(e.text), ERROR_TEXT_MAX - 4, ERROR_TEXT_MAX - 1);
}

/* ---- Base64 ---------------------------------------------------------------------------------- */

static void assert_decoded(const char *text, struct slice expected)
{
    struct guard in = guard_end(text, strlen(text));
    struct guard out = guard_end(NULL, expected.size);
    struct slice decoded;
    if (!base64_decode((struct slice){in.data, in.size}, out.data, out.size, &decoded))
        fail_msg("\"%s\" was refused", text);
    assert_int_equal(decoded.size, expected.size);
    if (expected.size > 0)
        assert_memory_equal(decoded.data, expected.data, expected.size);
    guard_free(&in);
    guard_free(&out);
}

static void base64_is_decoded_in_both_alphabets(void **state)
{
    (void)state;
    assert_decoded("", SLICE(""));
    assert_decoded("Zg==", SLICE("f"));
    assert_decoded("Zm8=", SLICE("fo"));
    assert_decoded("Zm9v", SLICE("foo"));
    assert_decoded("Zm9vYg==", SLICE("foob"));
    assert_decoded("Zm9vYmE=", SLICE("fooba"));
    assert_decoded("Zm9vYmFy", SLICE("foobar"));
    assert_decoded("Zg", SLICE("f"));
    assert_decoded("Zm8", SLICE("fo"));
    assert_decoded("Cn0", SLICE("\n}"));
    assert_decoded("++//", SLICE("\xfb\xef\xff"));
    assert_decoded("--__", SLICE("\xfb\xef\xff"));
    assert_decoded("AAAA", SLICE("\0\0\0"));
    assert_decoded("dXNlcjpwYTpzcw==", SLICE("user:pa:ss"));
}

static void what_is_no_base64_is_refused(void **state)
{
    static const char *const texts[] = {
        "Z",    "Zm9vY", "=",     "==",     "Z===",     "Zg=",  "Zg===",   "Zm9v=",   "Zm9v==", "Zg==Zg",
        "Zm=v", "Zm 9v", " Zm9v", "Zm9v\n", "Zm9v\r\n", "Zm9*", "Zm9\xff", "Zm9\x80", "Zm9.",   "Zm9:"};
    char memory[64];
    struct slice decoded;
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        if (base64_decode(slice_of(texts[i]), memory, sizeof memory, &decoded))
            fail_msg("\"%s\" was taken", texts[i]);
    }
    assert_false(base64_decode(SLICE("Zm\0v"), memory, sizeof memory, &decoded));
}

/* RFC 4648, 4 and 5: 65 digits, of which two have another form. */
static void base64_has_no_other_digits(void **state)
{
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_";
    (void)state;
    for (int c = 0; c < 256; c++) {
        const char *at = c ? strchr(DIGITS, c) : NULL;
        size_t value = at ? (size_t)(at - DIGITS) : 0;
        char text[4] = {'A', 'A', 'A', (char)c}, bytes[3];
        struct slice decoded;
        bool good = base64_decode((struct slice){text, sizeof text}, bytes, sizeof bytes, &decoded);
        assert_int_equal(good, at || c == '='); /* which is padding */
        if (at)
            assert_int_equal((unsigned char)bytes[2], value < 64 ? value : value - 2);
    }
}

static void base64_that_does_not_fit_is_refused(void **state)
{
    struct guard out = guard_end(NULL, 5);
    struct slice decoded;
    (void)state;
    assert_false(base64_decode(SLICE("Zm9vYmFy"), out.data, out.size, &decoded));
    assert_false(base64_decode(SLICE("Zg=="), out.data, 0, &decoded));
    guard_free(&out);
}

static void base64_is_written_padded(void **state)
{
    static const char *const cases[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"},
                                           {"\xfb\xef\xff", "++//"},
                                           {"user:pa:ss", "dXNlcjpwYTpzcw=="}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct guard in = guard_end(cases[i][0], strlen(cases[i][0]));
        struct guard out = guard_end(NULL, strlen(cases[i][1]));
        struct writer w = writer_to(out.data, out.size);
        write_base64(&w, (struct slice){in.data, in.size});
        assert_false(w.overflow);
        assert_slice(written(&w), cases[i][1]);
        guard_free(&in);
        guard_free(&out);
    }
}

static void base64_of_all_bytes_is_read_back(void **state)
{
    char bytes[256], text[344], back[256];
    struct slice decoded;
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)i;
    for (size_t size = 0; size <= sizeof bytes; size++) {
        struct writer w = writer_to(text, sizeof text);
        write_base64(&w, (struct slice){bytes, size});
        assert_int_equal(w.used, (size + 2) / 3 * 4);
        assert_true(base64_decode(written(&w), back, sizeof back, &decoded));
        assert_int_equal(decoded.size, size);
        assert_memory_equal(back, bytes, size);
    }
}

static void base64_that_does_not_fit_poisons(void **state)
{
    (void)state;
    for (size_t size = 0; size < 8; size++) {
        struct guard out = guard_end(NULL, size);
        struct writer w = writer_to(out.data, out.size);
        write_base64(&w, SLICE("fooba"));
        assert_true(w.overflow);
        guard_free(&out);
    }
}

/* ---- Dates ----------------------------------------------------------------------------------- */

/* Counted in the most stupid way: day by day. */
static void every_day_from_1970_to_2400_has_its_number(void **state)
{
    static const unsigned days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t expected = 0, seconds;
    (void)state;
    for (unsigned year = 1970; year <= 2400; year++) {
        bool leap = year % 400 == 0 || (year % 4 == 0 && year % 100 != 0);
        for (unsigned month = 1; month <= 12; month++) {
            unsigned last = days[month - 1] + (month == 2 && leap);
            for (unsigned day = 1; day <= last; day++) {
                struct calendar c = {year, month, day, 0, 0, 0};
                if (!calendar_seconds(&c, &seconds) || seconds != expected)
                    fail_msg("%u-%u-%u: %lld", year, month, day, (long long)seconds);
                expected += 86400;
            }
            struct calendar c = {year, month, last + 1, 0, 0, 0};
            if (calendar_seconds(&c, &seconds))
                fail_msg("%u-%u-%u is a day", year, month, last + 1);
        }
    }
}

static void hours_minutes_and_seconds_add_up(void **state)
{
    struct calendar c = {1970, 1, 1, 23, 59, 59};
    int64_t seconds;
    (void)state;
    assert_true(calendar_seconds(&c, &seconds));
    assert_int_equal(seconds, 86399);
    c.second = 60; /* a leap second is the one behind it */
    assert_true(calendar_seconds(&c, &seconds));
    assert_int_equal(seconds, 86400);
    c = (struct calendar){1970, 1, 1, 1, 2, 3};
    assert_true(calendar_seconds(&c, &seconds));
    assert_int_equal(seconds, 3723);
    c = (struct calendar){9999, 12, 31, 23, 59, 59};
    assert_true(calendar_seconds(&c, &seconds));
    assert_int_equal(seconds, 253402300799);
}

static void moments_that_there_are_not_are_refused(void **state)
{
    static const struct calendar none[] = {
        {1969, 12, 31, 23, 59, 59}, {10000, 1, 1, 0, 0, 0}, {0, 1, 1, 0, 0, 0},
        {2000, 0, 1, 0, 0, 0},      {2000, 13, 1, 0, 0, 0}, {2000, 1, 0, 0, 0, 0},
        {2000, 1, 32, 0, 0, 0},     {2000, 2, 30, 0, 0, 0}, {1900, 2, 29, 0, 0, 0},
        {2100, 2, 29, 0, 0, 0},     {2023, 2, 29, 0, 0, 0}, {2000, 1, 1, 24, 0, 0},
        {2000, 1, 1, 0, 60, 0},     {2000, 1, 1, 0, 0, 61}, {2000, UINT32_MAX, 1, 0, 0, 0},
    };
    int64_t seconds;
    (void)state;
    for (size_t i = 0; i < COUNT(none); i++)
        if (calendar_seconds(&none[i], &seconds))
            fail_msg("%u-%u-%u %u:%u:%u is taken", none[i].year, none[i].month, none[i].day,
                     none[i].hour, none[i].minute, none[i].second);
}

static void times_beyond_the_calendar_are_its_first_or_last(void **state)
{
    struct calendar c;
    (void)state;
    calendar_of(-1, &c);
    assert_int_equal(c.year, 1970);
    assert_int_equal(c.second, 0);
    calendar_of(INT64_MAX, &c);
    assert_int_equal(c.year, 9999);
    assert_int_equal(c.second, 59);
}

static void so_many_digits_are_taken_and_what_stands_behind_them(void **state)
{
    static const struct {
        const char *text;
        size_t digits;
        char behind;
        bool taken;
        unsigned number;
        const char *rest;
    } cases[] = {
        {"1994 x", 4, ' ', true, 1994, "x"}, {"1994", 4, '\0', true, 1994, ""},
        {"19945", 4, '\0', true, 1994, "5"}, {"07:", 2, ':', true, 7, ""},
        {"07", 2, ':', false, 0, ""},        {"7:", 2, ':', false, 0, ""},
        {"07.", 2, ':', false, 0, ""},       {"+7:", 2, ':', false, 0, ""},
        {" 7:", 2, ':', false, 0, ""},       {"", 1, '\0', false, 0, ""},
        {"0x", 2, '\0', false, 0, ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct guard g = guard_end(cases[i].text, strlen(cases[i].text));
        struct slice s = {g.data, g.size};
        unsigned number = 0;
        if (take_digits(&s, cases[i].digits, cases[i].behind, &number) != cases[i].taken)
            fail_msg("%s", cases[i].text);
        if (cases[i].taken) {
            assert_int_equal(number, cases[i].number);
            assert_slice(s, cases[i].rest);
        }
        guard_free(&g);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slice_of_nothing_is_empty),
        cmocka_unit_test(parts_never_reach_beyond_their_slice),
        cmocka_unit_test(slices_are_compared_by_their_bytes),
        cmocka_unit_test(case_is_ascii_only),
        cmocka_unit_test(parts_are_found),
        cmocka_unit_test(words_have_nothing_else_in_them),
        cmocka_unit_test(only_spaces_and_tabs_are_trimmed),
        cmocka_unit_test(splitting_yields_every_part_once),
        cmocka_unit_test(splitting_tells_an_empty_last_part_from_none),
        cmocka_unit_test(numbers_up_to_their_maximum_are_read),
        cmocka_unit_test(numbers_beyond_their_maximum_are_refused),
        cmocka_unit_test(what_is_no_number_is_refused),
        cmocka_unit_test(characters_are_classified_for_all_bytes),
        cmocka_unit_test(hexadecimal_digits_have_either_case),
        cmocka_unit_test(a_writer_fills_its_memory_to_the_last_byte),
        cmocka_unit_test(what_does_not_fit_poisons_the_writer),
        cmocka_unit_test(a_writer_without_memory_takes_nothing),
        cmocka_unit_test(numbers_are_written_in_full),
        cmocka_unit_test(a_number_that_does_not_fit_is_not_cut),
        cmocka_unit_test(formats_are_those_of_printf),
        cmocka_unit_test(a_format_is_cut_at_any_size_and_poisons),
        cmocka_unit_test(escaped_text_is_printable_and_unambiguous),
        cmocka_unit_test(escaped_text_is_cut_between_characters),
        cmocka_unit_test(json_strings_are_quoted),
        cmocka_unit_test(json_paths_keep_utf8_and_nothing_else),
        cmocka_unit_test(the_first_error_stays),
        cmocka_unit_test(a_hint_belongs_to_the_first_error),
        cmocka_unit_test(a_long_message_is_cut_and_ended),
        cmocka_unit_test(a_long_message_keeps_its_end),
        cmocka_unit_test(a_message_of_many_long_texts_is_cut),
        cmocka_unit_test(base64_is_decoded_in_both_alphabets),
        cmocka_unit_test(what_is_no_base64_is_refused),
        cmocka_unit_test(base64_has_no_other_digits),
        cmocka_unit_test(base64_that_does_not_fit_is_refused),
        cmocka_unit_test(base64_is_written_padded),
        cmocka_unit_test(base64_of_all_bytes_is_read_back),
        cmocka_unit_test(base64_that_does_not_fit_poisons),
        cmocka_unit_test(every_day_from_1970_to_2400_has_its_number),
        cmocka_unit_test(hours_minutes_and_seconds_add_up),
        cmocka_unit_test(moments_that_there_are_not_are_refused),
        cmocka_unit_test(times_beyond_the_calendar_are_its_first_or_last),
        cmocka_unit_test(so_many_digits_are_taken_and_what_stands_behind_them),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
