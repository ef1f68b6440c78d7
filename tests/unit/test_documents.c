/* What readers of documents tell beside what the vectors look at: the value of a number, and how long a token
 * is good for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "oci/json.h"
#include "oci/platform.h"
#include "oci/schema_version.h"
#include "oci/titles.h"
#include "regtag.h"
#include "client/token.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The whole part of the number in "[NUMBER]", its bytes coming `step` at a time. */
static uint32_t whole_of(const char *number, size_t step)
{
    char text[128];
    struct json j = {0};
    struct slice out;
    uint32_t whole = UINT32_MAX;
    bool in_number = false;
    size_t size = (size_t)snprintf(text, sizeof text, "[%s]", number);
    for (size_t i = 0; i < size; i += step) {
        struct slice piece = {text + i, size - i < step ? size - i : step};
        enum json_event event;
        while ((event = json_next(&j, &piece, &out)) != JSON_MORE) {
            if (event == JSON_BROKEN)
                fail_msg("%s: %s", number, j.problem);
            if (in_number)
                whole = j.whole;
            in_number = event == JSON_SCALAR;
        }
    }
    assert_true(json_end(&j));
    return whole;
}

static void the_whole_part_of_a_number_is_told(void **state)
{
    static const struct {
        const char *number;
        uint32_t whole;
    } cases[] = {{"0", 0},     {"7", 7},   {"10", 10},
                 {"300", 300}, {"3.9", 3}, {"12.000", 12},
                 {"5e3", 5},   {"0.5", 0}, {"999999999", 999999999}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        for (size_t step = 1; step < 5; step++)
            if (whole_of(cases[i].number, step) != cases[i].whole)
                fail_msg("%s: %u", cases[i].number, whole_of(cases[i].number, step));
}

/* It may be told as less than it is, not as little. */
static void a_huge_number_is_large(void **state)
{
    static const char *const numbers[] = {"1000000000",           "4294967295",
                                          "4294967296",           "4294967297",
                                          "18446744073709551616", "99999999999999999999999999999999"};
    (void)state;
    for (size_t i = 0; i < COUNT(numbers); i++) {
        uint32_t whole = whole_of(numbers[i], 1 + i % 3);
        if (whole < 100000000 || whole > 1000000000)
            fail_msg("%s: %u", numbers[i], whole);
    }
}

static void expect_expiry(const char *text, uint32_t expected)
{
    for (size_t step = 1; step < 40; step += 13) {
        static struct token_answer answer;
        struct guard g = guard_end(text, strlen(text));
        memset(&answer, 0, sizeof answer);
        for (size_t i = 0; i < g.size; i += step)
            token_answer_take(&answer,
                              (struct slice){g.data + i, g.size - i < step ? g.size - i : step});
        if (!token_answer_end(&answer))
            fail_msg("%s: %s", text, answer.problem);
        if (answer.expires_in != expected)
            fail_msg("%s: %u", text, answer.expires_in);
        guard_free(&g);
    }
}

static void a_token_answer_tells_how_long_it_is_good_for(void **state)
{
    (void)state;
    expect_expiry("{\"token\":\"a\"}", 0);
    expect_expiry("{\"token\":\"a\",\"expires_in\":300}", 300);
    expect_expiry("{\"expires_in\":300,\"token\":\"a\"}", 300);
    expect_expiry("{\"expires_in\" : 300 , \"access_token\":\"a\"}", 300);
    expect_expiry("{\"token\":\"a\",\"expires_in\":300.7}", 300);
    expect_expiry("{\"token\":\"a\",\"expires_\\u0069n\":300}", 300);
    expect_expiry("{\"token\":\"a\",\"expires_in\":300,\"issued_in\":5}", 300);
}

static void what_is_no_time_is_none(void **state)
{
    (void)state;
    expect_expiry("{\"token\":\"a\",\"expires_in\":\"300\"}", 0);
    expect_expiry("{\"token\":\"a\",\"expires_in\":null}", 0);
    expect_expiry("{\"token\":\"a\",\"expires_in\":true}", 0);
    expect_expiry("{\"token\":\"a\",\"expires_in\":-300}", 0);
    expect_expiry("{\"token\":\"a\",\"expires_in\":[300]}", 0);
    expect_expiry("{\"token\":\"a\",\"expires_in\":{\"expires_in\":300}}", 0);
    expect_expiry("{\"token\":\"a\",\"x\":{\"expires_in\":300}}", 0);
    expect_expiry("{\"token\":\"a\",\"x\":[\"expires_in\",300]}", 0);
    expect_expiry("{\"token\":\"expires_in\",\"x\":300}", 0);
    expect_expiry("{\"token\":\"a\",\"Expires_in\":300}", 0);
    expect_expiry("{\"token\":\"a\",\"expires_in_seconds\":300}", 0);
}

/* Whatever it is that nobody knows, and however long: nothing behind the struct is touched. */
static void long_texts_stay_within_their_memory(void **state)
{
    static const char *const formats[] = {"{\"%s\":1,\"token\":\"a\"}", "{\"token\":\"a\",\"%s\":1}",
                                          "{\"x\":\"%s\",\"token\":\"a\"}"};
    static char text[70000], document[70100];
    (void)state;
    for (size_t size = 1; size < sizeof text; size += size < 40 ? 1 : 13001) {
        memset(text, 'k', size);
        text[size] = '\0';
        for (size_t f = 0; f < COUNT(formats); f++) {
            for (size_t step = 1; step < 30; step += 7) {
                struct guard g = guard_end(NULL, sizeof(struct token_answer) / 16 * 16);
                struct token_answer *answer = (struct token_answer *)(void *)g.data;
                size_t length = (size_t)snprintf(document, sizeof document, formats[f], text);
                /* what there is of the token's memory behind the guard is never used here */
                memset(answer, 0, g.size);
                for (size_t i = 0; i < length; i += step)
                    token_answer_take(
                        answer, (struct slice){document + i, length - i < step ? length - i : step});
                if (!token_answer_end(answer))
                    fail_msg("%zu bytes: %s", size, answer->problem);
                assert_string_equal(answer->token, "a");
                for (size_t i = 2; i < TOKEN_MAX - 32; i++)
                    if (answer->token[i])
                        fail_msg("%zu bytes of a key are in the token's memory", size);
                guard_free(&g);
            }
        }
    }
}

/* ---- The version of a manifest's schema -------------------------------------------------------- */

static const struct version_case {
    const char *text;
    bool is_2;
} versions[] = {
    {"{\"schemaVersion\":2}", true},
    {"{\"a\":{\"schemaVersion\":1},\"schemaVersion\" : 2 , \"b\":[1]}", true},
    {"{\"schema\\u0056ersion\":2}", true},
    {"{\"schemaVersion\":1}", false},
    {"{\"schemaVersion\":\"2\"}", false},
    {"{\"schemaVersion\":[2]}", false},
    {"{\"schemaVersion\":{\"a\":2}}", false},
    {"{\"schemaVersions\":2}", false},
    {"{\"schemaVersio\":2}", false},
    {"{\"\":2}", false},
    {"{\"a\":\"schemaVersion\",\"b\":2}", false},
    {"{\"a\":{\"schemaVersion\":2}}", false},
    {"[\"schemaVersion\",2]", false},
    {"{\"schemaVersion\":2", false},
    {"{\"schemaVersion\":2}}", false},
    {"<html>", false},
    {"2", false},
    {"", false},
};

static void a_schema_version_is_read_in_pieces(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(versions); i++) {
        size_t size = strlen(versions[i].text);
        for (size_t step = 1; step <= size + 1; step++) {
            struct schema_version v = {.is_2 = false};
            for (size_t at = 0; at < size; at += step)
                schema_version_take(
                    &v, (struct slice){versions[i].text + at, size - at < step ? size - at : step});
            if (schema_version_is_2(&v) != versions[i].is_2)
                fail_msg("%s, %zu bytes at a time", versions[i].text, step);
        }
    }
}

/* ---- Platforms ------------------------------------------------------------------------------- */

static void a_child_is_listed_with_what_it_says_about_itself(void **state)
{
    static const char *const cases[][2] = {
        {"{\"digest\":\"d\"}", "d"},
        {"{\"digest\":\"d\",\"platform\":{\"os\":\"a\",\"architecture\":\"b\"}}", "a/b d"},
        {"{\"platform\":{\"os\":\"a\",\"architecture\":\"b\",\"variant\":\"c\",\"os.version\":\"1\"}}",
         "a/b/c 1"},
    };
    static jsmntok_t tokens[32];
    static struct document_key keys[16];
    const struct document_memory memory = {tokens, keys, COUNT(tokens)};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[32];
        struct document d;
        struct error e = {.status = 0};
        struct writer w = writer_to(text, sizeof text);
        assert_true(document_index(&d, slice_of(cases[i][0]), &memory, "it", &e));
        platform_list(&w, &d, 0);
        assert_int_equal(w.used, strlen(cases[i][1]));
        assert_memory_equal(text, cases[i][1], w.used);
    }
}

static void an_escape_is_the_utf8_of_its_unit(void **state)
{
    static const struct {
        const char *text, *utf8;
    } escapes[] = {{"[\"\\u007f\"]", "\x7f"},         {"[\"\\u0080\"]", "\xc2\x80"},
                   {"[\"\\u05ea\"]", "\xd7\xaa"},     {"[\"\\u07ff\"]", "\xdf\xbf"},
                   {"[\"\\u0800\"]", "\xe0\xa0\x80"}, {"[\"\\u9a7c\"]", "\xe9\xa9\xbc"},
                   {"[\"\\ufffe\"]", "\xef\xbf\xbe"}};
    (void)state;
    for (size_t i = 0; i < COUNT(escapes); i++) {
        struct json j = {0};
        struct slice in = slice_of(escapes[i].text), text;
        assert_int_equal(json_next(&j, &in, &text), JSON_ARRAY);
        assert_int_equal(json_next(&j, &in, &text), JSON_TEXT);
        assert_int_equal(text.size, strlen(escapes[i].utf8));
        assert_memory_equal(text.data, escapes[i].utf8, text.size);
    }
}

/* Of a key that is there twice, a message has so many bytes. */
static void a_long_key_is_cut_in_a_message(void **state)
{
    static jsmntok_t tokens[8];
    static struct document_key keys[4];
    const struct document_memory memory = {tokens, keys, COUNT(tokens)};
    char text[400], expected[200];
    struct document d;
    struct error e = {.status = 0};
    (void)state;
    snprintf(text, sizeof text, "{\"%0101d\":1,\"%0101d\":1}", 0, 0);
    snprintf(expected, sizeof expected, "it has the key \"%0100d\" twice in one object", 0);
    assert_false(document_index(&d, slice_of(text), &memory, "it", &e));
    assert_string_equal(e.text, expected);
}

/* "" and "unknown" are those of attestations; any other system is one. */
static void a_child_without_a_system_is_no_image(void **state)
{
    static const char *const systems[] = {"", "unknown", "x", "linux"};
    static jsmntok_t tokens[64];
    static struct document_key keys[32];
    const struct document_memory memory = {tokens, keys, COUNT(tokens)};
    (void)state;
    for (size_t i = 0; i < COUNT(systems); i++) {
        char text[256], digest[DIGEST_SHA256_SIZE + 1], expected[128];
        struct error e = {.status = 0};
        snprintf(text, sizeof text,
                 "{\"manifests\":[{\"platform\":{\"os\":\"%s\",\"architecture\":\"a\"}}]}", systems[i]);
        snprintf(expected, sizeof expected, "%s%s", i < 2 ? "" : systems[i], i < 2 ? "" : "/a");
        assert_false(platform_child(slice_of(text),
                                    media_type_find(SLICE("application/vnd.oci.image.index.v1+json")),
                                    &memory, SLICE("other/b"), digest, &e));
        assert_int_equal(e.status, REGTAG_E_NOT_FOUND);
        assert_int_equal(strstr(e.text, "/a") != NULL, i >= 2);
        assert_non_null(strstr(e.text, expected));
    }
}

/* ---- Titles ---------------------------------------------------------------------------------- */

/* Whichever two of them, and in either order. */
static void any_two_titles_may_be_in_each_others_way(void **state)
{
    static const char *const pairs[][2] = {{"m", "m"}, {"m", "m/n"}, {"m/n", "m"}};
    static jsmntok_t tokens[128];
    static struct document_key keys[64];
    const struct document_memory memory = {tokens, keys, COUNT(tokens)};
    (void)state;
    for (size_t p = 0; p < COUNT(pairs); p++)
        for (unsigned first = 0; first < 8; first++)
            for (unsigned second = first; second < 8; second++) {
                char text[1000];
                struct writer w = writer_to(text, sizeof text);
                struct document d;
                struct error e = {.status = 0};
                write_text(&w, "{\"layers\":[");
                for (unsigned i = 0; i < 8; i++) {
                    char own[2] = {(char)("bdhloqtz"[i]), '\0'};
                    write_format(&w, "%s{\"annotations\":{\"org.opencontainers.image.title\":\"%s\"}}",
                                 i ? "," : "",
                                 i == second  ? pairs[p][1]
                                 : i == first ? pairs[p][0]
                                              : own);
                }
                write_text(&w, "]}");
                assert_true(document_index(&d, written(&w), &memory, "it", &e));
                bool good = titles_check(&d, &memory, &e);
                if (good != (first == second)) /* then the second one is alone */
                    fail_msg("%.*s: %s", SLICE_ARG(written(&w)), e.text);
            }
}

static void a_long_title_is_cut_in_a_message(void **state)
{
    static jsmntok_t tokens[32];
    static struct document_key keys[16];
    const struct document_memory memory = {tokens, keys, COUNT(tokens)};
    char text[400], expected[200];
    struct document d;
    struct error e = {.status = 0};
    (void)state;
    snprintf(text, sizeof text,
             "{\"layers\":[{\"annotations\":{\"org.opencontainers.image.title\":\"/%0100d\"}}]}", 0);
    snprintf(expected, sizeof expected, "the title \"/%099d\" of a layer is not a plain file name", 0);
    assert_true(document_index(&d, slice_of(text), &memory, "it", &e));
    assert_false(titles_check(&d, &memory, &e));
    assert_memory_equal(e.text, expected, strlen(expected));
}

/* ---- Keys and texts -------------------------------------------------------------------------- */

static int sign(int number)
{
    return (number > 0) - (number < 0);
}

/* By their characters, whatever their escapes; one of them may come before all others. */
static void texts_have_an_order(void **state)
{
    static const char *const plain[] = {"",  "\\t",           " ", "/", "/a", "a", "\\u0061a",
                                        "b", "\\ud83d\\ude00"};
    static const char *const slash[] = {"", "/", "/a", "\\t", " ", "a", "a/", "a\\t", "ab"};
    (void)state;
    for (size_t i = 0; i < COUNT(plain); i++)
        for (size_t j = 0; j < COUNT(plain); j++) {
            int expected = (i > j) - (i < j);
            assert_int_equal(
                sign(document_compare(slice_of(plain[i]), slice_of(plain[j]), NO_CHARACTER)), expected);
            assert_int_equal(sign(document_compare(slice_of(slash[i]), slice_of(slash[j]), '/')),
                             expected);
        }
}

/* Of more keys than are compared each with each: whichever it is, and wherever they stand. */
static void any_key_may_be_the_one_that_is_there_twice(void **state)
{
    static jsmntok_t tokens[64];
    static struct document_key keys[32];
    const struct document_memory memory = {tokens, keys, COUNT(tokens)};
    (void)state;
    for (unsigned count = 2; count <= 20; count++)
        for (unsigned twice = 0; twice < count; twice++)
            for (unsigned at = 0; at < count; at++) {
                char text[400];
                struct writer w = writer_to(text, sizeof text);
                struct document d;
                struct error e = {.status = 0};
                for (unsigned i = 0; i < count; i++)
                    write_format(&w, "%s\"k%u\":1", i ? "," : "{", at != twice && i == at ? twice : i);
                write_text(&w, "}");
                bool good = document_index(&d, written(&w), &memory, "it", &e);
                if (good != (at == twice))
                    fail_msg("%.*s: %s", SLICE_ARG(written(&w)), e.text);
            }
}

/* RFC 8259, 7 and RFC 3629, 3: half a pair is no character, and what is next to them is. */
static void a_text_is_written_as_utf8_but_for_half_a_pair(void **state)
{
    static const char *const cases[][2] = {
        {"\\u007f", "\x7f"},
        {"\\u0080", "\xc2\x80"},
        {"\\u07ff", "\xdf\xbf"},
        {"\\u0800", "\xe0\xa0\x80"},
        {"\\ud7ff", "\xed\x9f\xbf"},
        {"\\ud800", NULL},
        {"\\udbff", NULL},
        {"\\udc00", NULL},
        {"\\udfff", NULL},
        {"\\ue000", "\xee\x80\x80"},
        {"\\uffff", "\xef\xbf\xbf"},
        {"\\ud800\\udc00", "\xf0\x90\x80\x80"},
        {"\\ud800\\udc01", "\xf0\x90\x80\x81"},
        {"\\udbff\\udfff", "\xf4\x8f\xbf\xbf"},
    };
    static jsmntok_t tokens[4];
    static struct document_key keys[2];
    const struct document_memory memory = {tokens, keys, COUNT(tokens)};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[32], memory_of_text[8];
        struct writer w = writer_to(memory_of_text, sizeof memory_of_text);
        struct document d;
        struct error e = {.status = 0};
        snprintf(text, sizeof text, "\"%s\"", cases[i][0]);
        assert_true(document_index(&d, slice_of(text), &memory, "it", &e));
        assert_int_equal(document_write(&d, 0, &w), cases[i][1] != NULL);
        if (cases[i][1] && !slice_equal(written(&w), slice_of(cases[i][1])))
            fail_msg("%s: %.*s", cases[i][0], SLICE_ARG(written(&w)));
    }
}

/* As many as there is room for: nothing behind them is looked at. */
static void all_the_memory_for_values_can_be_used(void **state)
{
    static const char *const texts[] = {"{\"a\":1,\"b\":[2]}", "[[1],[2],[]]", "[1,2,3,4,{}]",
                                        "{\"a\":{\"b\":{\"c\":1}}}"};
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        for (unsigned count = 5; count < 9; count++) {
            struct guard tokens = guard_end(NULL, count * sizeof(jsmntok_t));
            struct guard keys = guard_end(NULL, count / 2 * sizeof(struct document_key));
            const struct document_memory memory = {(jsmntok_t *)(void *)tokens.data,
                                                   (struct document_key *)(void *)keys.data, count};
            struct document d;
            struct error e = {.status = 0};
            bool good = document_index(&d, slice_of(texts[i]), &memory, "it", &e);
            assert_int_equal(good, count >= (i == 3 ? 7 : 6));
            bool alike = false;
            if (good && document_is_object(&d, 0))
                assert_int_equal(document_member(&d, 0, SLICE("none"), &alike), NO_VALUE);
            for (int one = good ? document_first(&d, 0) : NO_VALUE; one != NO_VALUE;)
                one = document_next(&d, one);
            guard_free(&tokens);
            guard_free(&keys);
        }
    }
}

/* ---- Documents in parts ---------------------------------------------------------------------- */

static jsmntok_t some_tokens[6];
static struct document_key some_keys[3];
static const struct document_memory SIX = {some_tokens, some_keys, COUNT(some_tokens)};

/* Whether it is accepted when it comes `step` bytes at a time; *e says why not. *taken: whether it was taken to its end. */
static bool index_in_parts(const char *text, size_t step, bool *taken, struct error *e)
{
    struct document_scan s = {0};
    struct document d;
    *taken = true;
    for (struct slice rest = slice_of(text); rest.size && *taken; rest = slice_from(rest, step))
        *taken = document_scan_take(&s, slice_head(rest, step), SIX.tokens_max);
    assert_true(*taken || !document_scan_take(&s, SLICE(" "), SIX.tokens_max));
    *e = (struct error){.status = 0};
    return document_index_scanned(&d, slice_of(text), &s, &SIX, "it", e);
}

static void a_document_in_parts_is_the_same(void **state)
{
    static const char *const texts[] = {"[0,1,2,3,4]",
                                        "{\"a\":1,\"b\":{}}",
                                        "[[],[],[],[],[]]",
                                        "[{},{},{},{},{}]",
                                        "[\"\",true,-1.5e3,null,\"\\u00e9\"]",
                                        " [0,1,2,3,4] ",
                                        "[0,1,2,3,4,5]",
                                        "{\"a\":1,\"b\":2,\"c\":3}",
                                        "[[],[],[],[],[],[]]",
                                        "[\"\",\"\",\"\",\"\",\"\",\"\"]",
                                        "",
                                        "[",
                                        "[0,1,2,3,4",
                                        "x",
                                        "[0}",
                                        "{\"a\" 1}",
                                        "[0,1,2,3,4,}",
                                        "{\"a\":1,\"a\":2}",
                                        "1",
                                        "[] []",
                                        "[0,1,2,3,4,5"};
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct error whole = {.status = 0}, parts;
        struct document d;
        bool good = document_index(&d, slice_of(texts[i]), &SIX, "it", &whole), taken;
        for (size_t step = 1; step < 20; step++) {
            if (index_in_parts(texts[i], step, &taken, &parts) != good || (good && !taken))
                fail_msg("%s: %s", texts[i], parts.text);
            if (!good && strcmp(parts.text, whole.text) != 0 && !strstr(parts.text, "more than 6"))
                fail_msg("%s: %s; %s", texts[i], parts.text, whole.text);
        }
    }
}

/* Where the first of too many begins, whatever follows. */
static void too_many_values_are_noticed_at_the_first(void **state)
{
    static const struct {
        const char *text;
        size_t taken; /* before the part that is too much */
    } cases[] = {{"[0,1,2,3,4,5", 11}, {"[[],[],[],[],[],{", 16}, {"{\"a\":1,\"b\":2,\"c\":3", 16}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct document_scan s = {0};
        struct slice text = slice_of(cases[i].text);
        assert_true(document_scan_take(&s, slice_head(text, cases[i].taken), 6));
        assert_false(document_scan_take(&s, slice_from(text, cases[i].taken), 6));
        assert_null(s.json.problem);
        assert_int_equal(s.values, 7);
    }
}

/* Else whoever has written it would be told that it is too large. */
static void of_a_whole_text_what_is_no_json_is_told_first(void **state)
{
    static const char *const cases[][2] = {
        {"[0,1,2,3,4,5,}", "it is not valid JSON at byte 13: a value is missing"},
        {"[0,1,2,3,4,5", "it is not valid JSON at byte 12: it ends too early"},
        {"[0,1,2,3,4,5]", "it has more than 6 JSON values and keys, the limit of this build"}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct document d;
        struct error e = {.status = 0};
        assert_false(document_index(&d, slice_of(cases[i][0]), &SIX, "it", &e));
        assert_string_equal(e.text, cases[i][1]);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_escape_is_the_utf8_of_its_unit),
        cmocka_unit_test(a_long_key_is_cut_in_a_message),
        cmocka_unit_test(a_child_without_a_system_is_no_image),
        cmocka_unit_test(any_two_titles_may_be_in_each_others_way),
        cmocka_unit_test(a_long_title_is_cut_in_a_message),
        cmocka_unit_test(texts_have_an_order),
        cmocka_unit_test(any_key_may_be_the_one_that_is_there_twice),
        cmocka_unit_test(a_text_is_written_as_utf8_but_for_half_a_pair),
        cmocka_unit_test(all_the_memory_for_values_can_be_used),
        cmocka_unit_test(a_document_in_parts_is_the_same),
        cmocka_unit_test(too_many_values_are_noticed_at_the_first),
        cmocka_unit_test(of_a_whole_text_what_is_no_json_is_told_first),
        cmocka_unit_test(the_whole_part_of_a_number_is_told),
        cmocka_unit_test(a_huge_number_is_large),
        cmocka_unit_test(a_token_answer_tells_how_long_it_is_good_for),
        cmocka_unit_test(what_is_no_time_is_none),
        cmocka_unit_test(long_texts_stay_within_their_memory),
        cmocka_unit_test(a_schema_version_is_read_in_pieces),
        cmocka_unit_test(a_child_is_listed_with_what_it_says_about_itself),
    };
    return cmocka_run_group_tests_name("documents", tests, NULL, NULL);
}
