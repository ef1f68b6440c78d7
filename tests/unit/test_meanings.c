/* src/registry/meanings.c, src/client/answer.c: what each HTTP status means, by what was asked for; and whose words say
 * more than the status. The manual has it under EXIT STATUS, When the registry forbids it and DELETING A TAG. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "registry/meanings.h"
#include "regtag.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int meaning(const struct meaning *table, unsigned http, const char *body, struct error *e)
{
    static const struct answer_words NONE;
    struct answer_words words = NONE;
    struct http_response response = {.status = http, .head = words.text};
    answer_words_add(&words, slice_of(body));
    error_clear(e);
    return answer_error(table, &response, &words, SLICE(""), e);
}

struct expected {
    unsigned http;
    enum regtag_status status;
    const char *text;
    enum regtag_hint hint;
};

/* Whatever is asked for. RFC 9110, 15: a status beyond 599 counts as one of 5xx. */
static struct expected anywhere(unsigned http)
{
    static const struct expected ONES[] = {
        {400, REGTAG_E_OTHER, "does not understand the request", 0},
        {401, REGTAG_E_DENIED, "not authenticated", 0},
        {402, REGTAG_E_DENIED, "requires payment", 0},
        {403, REGTAG_E_DENIED, "does not allow it", 0},
        {407, REGTAG_E_DENIED, "the proxy requires a user and password", 0},
        {408, REGTAG_E_TIMEOUT, "timed out waiting for the request", 0},
        {410, REGTAG_E_NOT_FOUND, "gone for good", 0},
        {412, REGTAG_E_DENIED, "a policy", 0},
        {423, REGTAG_E_DENIED, "locked", 0},
        {429, REGTAG_E_SLOW_DOWN, "slow down", 0},
        {451, REGTAG_E_DENIED, "legal reasons", 0},
        {501, REGTAG_E_OTHER, "does not support the request", 0},
    };
    for (size_t i = 0; i < COUNT(ONES); i++)
        if (ONES[i].http == http)
            return ONES[i];
    if (http >= 500)
        return (struct expected){http, REGTAG_E_SERVER_FAILED, "the registry failed", 0};
    const char *text = http >= 400 || http < 100 ? "an unexpected answer"
                       : http >= 300             ? "a redirect that cannot be followed"
                                                 : "does not fit the request";
    return (struct expected){http, REGTAG_E_PROTOCOL, text, 0};
}

/* Of all statuses, only those of the list, which ends with 0, mean something else here than anywhere. */
static void expect_meanings(const struct meaning *table, const char *body, const struct expected *list)
{
    for (unsigned http = 0; http <= 999; http++) {
        struct expected x = anywhere(http);
        struct error e;
        for (const struct expected *one = list; one->http; one++)
            if (one->http == http)
                x = *one;
        int status = meaning(table, http, body, &e);
        if (status != (int)x.status || e.status != status || e.hint != (int)x.hint ||
            !strstr(e.text, x.text))
            fail_msg("HTTP %u \"%s\": status %d, hint %d, \"%s\"", http, body, status, e.hint, e.text);
    }
}

#define NOT_FOUND(http, text)                                                                           \
    {                                                                                                   \
        http, REGTAG_E_NOT_FOUND, text, REGTAG_HINT_NONE                                                \
    }
#define FIXED(http, text)                                                                               \
    {                                                                                                   \
        http, REGTAG_E_IMMUTABLE, text, REGTAG_HINT_NONE                                                \
    }
#define REFUSED(http, text)                                                                             \
    {                                                                                                   \
        http, REGTAG_E_REFUSED, text, REGTAG_HINT_NONE                                                  \
    }
#define WHOLE(http)                                                                                     \
    {                                                                                                   \
        http, REGTAG_E_IMMUTABLE, "only the manifest with all its tags", REGTAG_HINT_SIBLINGS           \
    }
#define END                                                                                             \
    {                                                                                                   \
        0, 0, NULL, 0                                                                                   \
    }

/* Referrers are asked for in many places. RFC 9110: 401 and 407 ask for credentials, 408 and 429 for another try. */
static bool may_be_unsupported(unsigned http)
{
    return http != 401 && http != 407 && http != 408 && http != 429 &&
           ((http >= 400 && http <= 499) || http == 501);
}

static void a_registry_without_referrers_is_known_by_any_refusal(void **state)
{
    (void)state;
    for (unsigned http = 0; http <= 999; http++)
        if (referrers_are_unsupported(http) != may_be_unsupported(http))
            fail_msg("HTTP %u", http);
}

static void what_is_not_there_is_gone(void **state)
{
    static const struct expected IMAGE[] = {{404, REGTAG_E_NOT_FOUND, "no such image", REGTAG_HINT_LIST},
                                            {410, REGTAG_E_NOT_FOUND, "no such image", REGTAG_HINT_LIST},
                                            END};
    static const struct expected BLOB[] = {NOT_FOUND(404, "does not have this blob"),
                                           NOT_FOUND(410, "does not have this blob"), END};
    static const struct expected LIST[] = {NOT_FOUND(404, "no such repository"),
                                           NOT_FOUND(410, "no such repository"), END};
    (void)state;
    expect_meanings(MANIFEST_MEANINGS, "", IMAGE);
    expect_meanings(BLOB_MEANINGS, "", BLOB);
    expect_meanings(LIST_MEANINGS, "", LIST);
}

static void a_blob_that_is_not_taken_is_refused(void **state)
{
    static const struct expected BLOB[] = {NOT_FOUND(404, "no such repository"),
                                           FIXED(405, "read-only"),
                                           REFUSED(413, "the blob is too large"),
                                           REFUSED(400, "rejects the blob"),
                                           REFUSED(409, "rejects the blob"),
                                           REFUSED(410, "rejects the blob"),
                                           REFUSED(411, "rejects the blob"),
                                           REFUSED(414, "rejects the blob"),
                                           REFUSED(415, "rejects the blob"),
                                           REFUSED(416, "rejects the blob"),
                                           END};
    (void)state;
    expect_meanings(PUSH_MEANINGS, "", BLOB);
}

#define MANIFEST_ALL                                                                                    \
    NOT_FOUND(404, "no such repository"), FIXED(405, "read-only"),                                      \
        FIXED(409, "does not allow moving this tag"), FIXED(412, "does not allow moving this tag"),     \
        FIXED(423, "does not allow moving this tag"),                                                   \
        FIXED(501, "does not support uploading this manifest"),                                         \
        REFUSED(413, "the manifest is too large"), REFUSED(415, "does not accept this media type")

static void a_manifest_that_is_not_taken_is_refused_or_the_tag_is_fixed(void **state)
{
    static const struct expected PLAIN[] = {MANIFEST_ALL, END};
    static const struct expected INVALID_TAG[] = {MANIFEST_ALL,
                                                  FIXED(400, "does not allow moving this tag"), END};
    static const struct expected INVALID_MANIFEST[] = {MANIFEST_ALL,
                                                       REFUSED(400, "rejects the manifest"), END};
    (void)state;
    expect_meanings(UPLOAD_MEANINGS, "", PLAIN);
    expect_meanings(UPLOAD_MEANINGS, "{\"errors\":[{\"code\":\"OTHER\"}]}", PLAIN);
    expect_meanings(UPLOAD_MEANINGS, "{\"errors\":[{\"code\":\"TAG_INVALID\"}]}", INVALID_TAG);
    expect_meanings(UPLOAD_MEANINGS, "{\"errors\":[{\"code\":\"MANIFEST_INVALID\"}]}", INVALID_MANIFEST);
    expect_meanings(UPLOAD_MEANINGS, "{\"errors\":[{\"code\":\"MANIFEST_UNVERIFIED\"}]}",
                    INVALID_MANIFEST);
}

static void a_tag_that_cannot_be_deleted_stays(void **state)
{
    static const struct expected TAG[] = {NOT_FOUND(404, "no such tag"),
                                          NOT_FOUND(410, "no such tag"),
                                          FIXED(409, "does not allow deleting this tag"),
                                          FIXED(412, "does not allow deleting this tag"),
                                          FIXED(423, "does not allow deleting this tag"),
                                          WHOLE(400),
                                          WHOLE(405),
                                          WHOLE(501),
                                          END};
    static const struct expected DIGEST[] = {NOT_FOUND(404, "no such tag"),
                                             NOT_FOUND(410, "no such tag"),
                                             FIXED(409, "does not allow deleting this tag"),
                                             FIXED(412, "does not allow deleting this tag"),
                                             FIXED(423, "does not allow deleting this tag"),
                                             FIXED(400, "does not allow deleting manifests"),
                                             FIXED(405, "does not allow deleting manifests"),
                                             FIXED(501, "does not allow deleting manifests"),
                                             END};
    (void)state;
    expect_meanings(DELETE_TAG_MEANINGS, "", TAG);
    expect_meanings(DELETE_DIGEST_MEANINGS, "", DIGEST);
}

/* Any refusal may say so (a 407 is a proxy's, who knows no tags), but nothing else. */
static void a_fixed_tag_is_known_by_the_words_of_any_refusal(void **state)
{
    static const struct {
        const struct meaning *table;
        const char *text;
    } places[] = {{UPLOAD_MEANINGS, "does not allow moving this tag"},
                  {DELETE_TAG_MEANINGS, "does not allow deleting this tag"},
                  {DELETE_DIGEST_MEANINGS, "does not allow deleting this tag"}};
    (void)state;
    for (size_t i = 0; i < COUNT(places); i++) {
        for (unsigned http = 0; http <= 999; http++) {
            struct error e, plain;
            int status = meaning(places[i].table, http, "the tag is immutable", &e);
            meaning(places[i].table, http, "", &plain);
            bool refused = http >= 400 && http <= 499 && http != 407;
            if (status != (refused ? REGTAG_E_IMMUTABLE : plain.status) ||
                e.hint != (refused ? REGTAG_HINT_NONE : plain.hint) ||
                (refused && !strstr(e.text, places[i].text)))
                fail_msg("HTTP %u: status %d, hint %d, \"%s\"", http, status, e.hint, e.text);
        }
    }
}

/* ---- Words ----------------------------------------------------------------------------------- */

/* nginx says so with a 400. */
static void only_a_400_that_mentions_https_is_about_tls(void **state)
{
    (void)state;
    static const struct expected TLS[] = {
        {400, REGTAG_E_PROTOCOL, "this port speaks TLS, not plain HTTP", REGTAG_HINT_SCHEME_TLS}, END};
    static const struct meaning NONE[] = {{.text = NULL}};
    expect_meanings(NONE, "", (const struct expected[]){END});
    expect_meanings(NONE, "The plain HTTP request was sent to HTTPS port", TLS);
}

/* The manual: the proxy wants a password. It is of no use where there is only another way to log in. */
static void a_proxy_that_takes_no_password_is_told_apart(void **state)
{
    static const char *const offers[] = {"", "Proxy-Authenticate: Basic realm=x\r\n\r\n",
                                         "Proxy-Authenticate: Negotiate\r\n\r\n"};
    (void)state;
    for (size_t i = 0; i < COUNT(offers); i++) {
        struct answer_words words = {.size = 0};
        char head[64];
        struct error e;
        snprintf(head, sizeof head, "%s", offers[i]);
        struct http_response response = {.status = 407, .head = head, .head_size = strlen(head)};
        error_clear(&e);
        assert_int_equal(answer_error(ANSWER_MEANINGS, &response, &words, SLICE(""), &e),
                         REGTAG_E_DENIED);
        assert_int_equal(strstr(e.text, "requires a user and password") != NULL, i < 2);
        response.status = 406;
        error_clear(&e);
        assert_int_equal(answer_error(ANSWER_MEANINGS, &response, &words, SLICE(""), &e),
                         REGTAG_E_PROTOCOL);
    }
}

static void an_error_is_headed_by_who_has_sent_it(void **state)
{
    struct answer_words words = {.size = 0};
    struct http_response response = {.status = 503, .head = words.text};
    struct error e;
    (void)state;
    answer_words_add(&words, SLICE("<html><title></title></html>"));
    error_clear(&e);
    answer_error(ANSWER_MEANINGS, &response, &words, SLICE("a.test: "), &e);
    assert_string_equal(e.text, "a.test: the registry failed; try again later (HTTP 503)");
    meaning(ANSWER_MEANINGS, 503, " \n", &e);
    assert_string_equal(e.text, "the registry failed; try again later (HTTP 503)");
}

/* Spaces up to the end of the memory: no byte behind it is looked at. */
static void words_of_nothing_are_none(void **state)
{
    struct guard g = guard_end(NULL, sizeof(struct answer_words));
    struct answer_words *words = (struct answer_words *)(void *)g.data;
    struct http_response response = {.status = 503, .head = words->text};
    struct error e;
    (void)state;
    words->size = sizeof words->text;
    memset(words->text, ' ', sizeof words->text);
    error_clear(&e);
    answer_error(ANSWER_MEANINGS, &response, words, SLICE(""), &e);
    assert_string_equal(e.text, "the registry failed; try again later (HTTP 503)");
    guard_free(&g);
}

/* The beginning of a body is kept, however it comes. */
static void words_beyond_their_memory_are_dropped(void **state)
{
    static char body[ANSWER_WORDS_MAX + 2];
    (void)state;
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (char)('a' + i % 26);
    for (size_t first = 0; first <= sizeof body; first++) {
        struct {
            struct answer_words words;
            char behind[sizeof body];
        } memory;
        memset(&memory, '#', sizeof memory);
        memory.words.size = 0;
        answer_words_add(&memory.words, (struct slice){body, first});
        answer_words_add(&memory.words, (struct slice){body + first, sizeof body - first});
        assert_int_equal(memory.words.size, ANSWER_WORDS_MAX);
        assert_memory_equal(memory.words.text, body, ANSWER_WORDS_MAX);
        for (size_t i = 0; i < sizeof memory.behind; i++)
            assert_int_equal(memory.behind[i], '#');
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_registry_without_referrers_is_known_by_any_refusal),
        cmocka_unit_test(what_is_not_there_is_gone),
        cmocka_unit_test(a_blob_that_is_not_taken_is_refused),
        cmocka_unit_test(a_manifest_that_is_not_taken_is_refused_or_the_tag_is_fixed),
        cmocka_unit_test(a_tag_that_cannot_be_deleted_stays),
        cmocka_unit_test(a_fixed_tag_is_known_by_the_words_of_any_refusal),
        cmocka_unit_test(only_a_400_that_mentions_https_is_about_tls),
        cmocka_unit_test(a_proxy_that_takes_no_password_is_told_apart),
        cmocka_unit_test(an_error_is_headed_by_who_has_sent_it),
        cmocka_unit_test(words_of_nothing_are_none),
        cmocka_unit_test(words_beyond_their_memory_are_dropped),
    };
    return cmocka_run_group_tests_name("meanings", tests, NULL, NULL);
}
