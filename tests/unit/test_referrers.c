/* What refers to an image: from the registry's list, page by page, or from the index at a tag. */
#include "signed.h"

#define MOST 64

static struct run run; /* too large for the stack */
static char listed[MOST][200];

static void list_of(const char *image, const char *type)
{
    run.listed = 0;
    assert_int_equal(regtag_referrers(run.regtag, image, type), REGTAG_OK);
    for (bool more = true; more;) {
        more = step(&run);
        const struct regtag_result *result = regtag_result(run.regtag);
        if (run.end == REGTAG_LISTED && run.listed <= MOST)
            snprintf(listed[run.listed - 1], sizeof listed[0], "%.12s %s %llu", result->digest,
                     result->name, (unsigned long long)result->size);
    }
}

static void list(const char *type)
{
    list_of("localhost/a:base", type);
}

static void expect_listed(size_t count, const char *first)
{
    expect_end(&run, REGTAG_OK);
    assert_int_equal(run.listed, count);
    if (first)
        assert_string_equal(listed[0], first);
    finish(&run);
}

static void expect_failed(enum regtag_status status, const char *part)
{
    expect_end(&run, status);
    expect_text(&run, part);
    finish(&run);
}

static const char *const TWO[] = {ZEROS, ZEROS};

static void test_the_registry_lists_them(void **state)
{
    (void)state;
    begin(&run);
    run.wire.manners.referrers_status = 200;
    push_index(&run, "referrers", TWO, 2, "a/b");
    list(NULL);
    char asked[256];
    snprintf(asked, sizeof asked, "GET base\nGET %s\n", digest_of_new());
    expect_asked(&run, asked);
    assert_string_equal(listed[1], "sha256:00000 a/b 101");
    expect_listed(2, "sha256:00000 a/b 100");
}

static void test_the_list_may_have_pages(void **state)
{
    (void)state;
    begin(&run);
    run.wire.manners.referrers_status = 200;
    run.wire.manners.referrers_fields = "Link: </v2/a/referrers/next>; rel=\"next\"\r\n";
    push_index(&run, "referrers", TWO, 2, "a/b");
    push_index(&run, "next", TWO, 1, "c/d");
    list("");
    assert_string_equal(listed[2], "sha256:00000 c/d 100");
    expect_listed(3, NULL);
}

/* What has been listed already must not come again, from elsewhere. */
static void test_behind_a_page_there_is_no_tag(void **state)
{
    static const unsigned statuses[] = {400, 403, 404, 405, 501};
    (void)state;
    for (size_t i = 0; i < COUNT(statuses); i++) {
        begin(&run);
        run.wire.manners.referrers_status = 200;
        run.wire.manners.referrers_fields = "Link: </v2/a/referrers/next>; rel=\"next\"\r\n";
        run.wire.manners.only_tag = "next";
        run.wire.manners.get_status = statuses[i];
        push_index(&run, "referrers", TWO, 2, "a/b");
        push_index(&run, tag_of(digest_of_new(), ""), TWO, 2, "a/b");
        list(NULL);
        assert_int_equal(run.end, REGTAG_ERROR);
        assert_int_equal(run.listed, 2);
        finish(&run);
    }
}

static void test_pages_that_form_a_circle_end(void **state)
{
    (void)state;
    begin(&run);
    take_notes(&run, false);
    run.wire.manners.referrers_status = 200;
    run.wire.manners.fields = "Link: <next>; rel=\"next\"\r\n";
    run.wire.manners.referrers_fields = run.wire.manners.fields;
    push_index(&run, "referrers", TWO, 1, "a/b");
    push_index(&run, "next", TWO, 1, "c/d");
    list(NULL);
    assert_non_null(strstr(run.notes, "!localhost/a: the list may be incomplete"));
    expect_listed(2, NULL);
}

static void test_pages_stay_with_the_registry(void **state)
{
    (void)state;
    begin(&run);
    run.wire.manners.referrers_status = 200;
    run.wire.manners.referrers_fields = "Link: <http://other.test/next>; rel=\"next\"\r\n";
    push_index(&run, "referrers", TWO, 1, "a/b");
    list(NULL);
    expect_failed(REGTAG_E_PROTOCOL, "another server");
}

static void test_without_such_a_list_there_is_a_tag(void **state)
{
    static const unsigned statuses[] = {400, 403, 404, 405, 501};
    (void)state;
    for (size_t i = 0; i < COUNT(statuses); i++) {
        begin(&run);
        run.wire.manners.referrers_status = statuses[i];
        push_index(&run, tag_of(digest_of_new(), ""), TWO, 2, "a/b");
        list(NULL);
        assert_int_equal(run.wire.requests, 3);
        expect_listed(2, "sha256:00000 a/b 100");
    }
}

/* Of a list; or where it leads to, which may say 401. */
static void test_other_answers_are_failures(void **state)
{
    static const struct {
        const char *answer;
        enum regtag_status status;
    } ANSWERS[] = {
        {"HTTP/1.1 407 No\r\n", REGTAG_E_DENIED},
        {"HTTP/1.1 408 No\r\n", REGTAG_E_TIMEOUT},
        {"HTTP/1.1 429 No\r\n", REGTAG_E_SLOW_DOWN},
        {"HTTP/1.1 500 No\r\n", REGTAG_E_SERVER_FAILED},
        {"HTTP/1.1 300 Odd\r\n", REGTAG_E_PROTOCOL},
        {"HTTP/1.1 401 No\r\n", REGTAG_E_DENIED},
        {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n", REGTAG_E_PROTOCOL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(ANSWERS); i++) {
        char answer[100], request[100];
        begin(&run);
        snprintf(answer, sizeof answer, "%sContent-Length: 0\r\n\r\n", ANSWERS[i].answer);
        snprintf(request, sizeof request, "GET %s", digest_of_new());
        run.wire.quirk[0] = (struct wire_quirk){
            .request = request,
            .instead =
                "HTTP/1.1 307 There\r\nLocation: http://elsewhere.test/there\r\nContent-Length: 0\r\n\r\n"};
        run.wire.quirk[1] = (struct wire_quirk){.request = "GET there", .instead = answer, .times = 9};
        list(NULL);
        expect_failed(ANSWERS[i].status, "localhost/a:base");
    }
}

static void test_there_may_be_no_index(void **state)
{
    static const unsigned statuses[] = {404, 410, 403};
    (void)state;
    for (size_t i = 0; i < COUNT(statuses); i++) {
        char answer[100];
        begin(&run);
        snprintf(answer, sizeof answer, "HTTP/1.1 %u No\r\nContent-Length: 0\r\n\r\n", statuses[i]);
        run.wire.quirk[0] = (struct wire_quirk){.request = "GET sha256-", .instead = answer};
        list(NULL);
        if (i < 2)
            expect_listed(0, NULL);
        else
            expect_failed(REGTAG_E_DENIED, "does not allow it");
    }
}

/* No text can show it. */
static void test_a_type_with_a_nul_is_none(void **state)
{
    (void)state;
    begin(&run);
    push_index(&run, tag_of(digest_of_new(), ""), TWO, 1, "a\\u0000b");
    list(NULL);
    expect_listed(1, "sha256:00000  100");
}

/* An index is named by its digest, and one of its images is meant. */
static void test_a_platform_needs_a_lookup(void **state)
{
    char image[100];
    (void)state;
    begin(&run);
    run.config.platform = "linux/arm";
    begin_again(&run);
    push_arm_index(&run);
    push_index(&run, tag_of(digest_of_new(), ""), TWO, 1, "a/b");
    snprintf(image, sizeof image, "localhost/a@%s", wire_find(&run.wire, "index")->digest);
    list_of(image, NULL);
    expect_listed(1, "sha256:00000 a/b 100");
}

static void test_there_may_be_none(void **state)
{
    (void)state;
    begin(&run);
    list(NULL);
    assert_int_equal(run.wire.requests, 3);
    expect_listed(0, NULL);
    begin(&run);
    run.wire.manners.referrers_status = 200;
    push_index(&run, "referrers", TWO, 0, NULL);
    list(NULL);
    assert_int_equal(run.wire.requests, 2);
    expect_listed(0, NULL);
}

static void test_the_image_itself_at_the_tag_is_no_list(void **state)
{
    (void)state;
    begin(&run);
    wire_push(&run.wire, tag_of(digest_of_new(), ""), OCI, NEW, sizeof NEW - 1);
    list(NULL);
    expect_listed(0, NULL);
}

static void test_a_digest_needs_no_lookup(void **state)
{
    char image[128];
    (void)state;
    begin(&run);
    push_index(&run, tag_of(ZEROS, ""), TWO, 2, "a/b");
    snprintf(image, sizeof image, "localhost/a@%s", ZEROS);
    list_of(image, NULL);
    assert_int_equal(run.wire.requests, 2);
    expect_listed(2, NULL);
}

static void test_only_those_of_a_type(void **state)
{
    (void)state;
    begin(&run);
    run.wire.manners.referrers_status = 200;
    push_index(&run, "referrers", TWO, 2, "a/b+c");
    list("a/b+c");
    assert_non_null(strstr(run.wire.asked.data, "?artifactType=a%2Fb%2Bc\n"));
    expect_listed(2, NULL);
    begin(&run); /* the registry has not filtered */
    run.wire.manners.referrers_status = 200;
    push_index(&run, "referrers", TWO, 2, "a/b");
    list("a/b+c");
    expect_listed(0, NULL);
}

static void test_entries_without_what_they_need(void **state)
{
    static const char TEXT[] =
        "{\"manifests\":[1,{},{\"digest\":\"sha256:1\"},{\"digest\":\"sha256:"
        "1111111111111111111111111111111111111111111111111111111111111111\",\"artifactType\":7}]}";
    (void)state;
    begin(&run);
    run.wire.manners.referrers_status = 200;
    wire_push(&run.wire, "referrers", INDEX, TEXT, sizeof TEXT - 1);
    list(NULL);
    expect_listed(1, "sha256:11111  0");
}

static void test_what_is_no_list_is_refused(void **state)
{
    static const char *const texts[] = {
        "", "{}", "[]", "{\"manifests\":{}}", "<html>", "{\"manifests\":[],\"manifests\":[]}"};
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        begin(&run);
        run.wire.manners.referrers_status = 200;
        wire_push(&run.wire, "referrers", INDEX, texts[i], strlen(texts[i]));
        list(NULL);
        expect_failed(REGTAG_E_REFUSED, "the list of referrers");
    }
}

/* As it is with manifests: at the tag as on a page. */
static void test_a_list_must_have_the_digest_that_is_stated(void **state)
{
    (void)state;
    for (unsigned by_tag = 0; by_tag < 2; by_tag++) {
        char words[200];
        const char *tag = by_tag ? tag_of(digest_of_new(), "") : "referrers";
        begin(&run);
        run.wire.manners.referrers_status = by_tag ? 404 : 200;
        push_index(&run, tag, TWO, 2, "a/b");
        snprintf(words, sizeof words, ", but the registry states %s", wire_find(&run.wire, tag)->digest);
        corrupt(&run, tag);
        list(NULL);
        assert_int_equal(run.listed, 0);
        expect_text(&run, "the list of referrers that arrived is sha256:");
        expect_failed(REGTAG_E_REFUSED, words);
    }
}

static void test_without_a_stated_digest_a_list_is_believed(void **state)
{
    (void)state;
    for (unsigned by_tag = 0; by_tag < 2; by_tag++) {
        begin(&run);
        run.wire.manners.referrers_status = by_tag ? 404 : 200;
        run.wire.manners.no_digest = true;
        push_index(&run, by_tag ? tag_of(digest_of_new(), "") : "referrers", TWO, 2, "a/b");
        list(NULL);
        expect_listed(2, NULL);
    }
}

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define TEXT "{\"manifests\":[]}"

/* What is too long to be read to its end has no digest: there, the document is what is wrong. */
static void test_what_is_stated_must_be_a_digest_that_can_be_checked(void **state)
{
    static const struct {
        const char *fields, *body;
        enum regtag_status status;
        const char *words;
    } ANSWERS[] = {
        {"Content-Length: 16\r\n", TEXT, REGTAG_OK, NULL},
        {"Docker-Content-Digest: x\r\nContent-Length: 16\r\n", TEXT, REGTAG_E_PROTOCOL,
         "the registry states a malformed digest"},
        {"Docker-Content-Digest: sha512:" HEX HEX "\r\nContent-Length: 16\r\n", TEXT, REGTAG_E_PROTOCOL,
         "not a SHA-256"},
        {"Docker-Content-Digest: sha256:" HEX "\r\nContent-Length: 16\r\n", TEXT, REGTAG_E_REFUSED,
         "but the registry states sha256:" HEX},
        {"Docker-Content-Digest: sha256:" HEX "\r\nContent-Length: 3\r\n", "[}]", REGTAG_E_REFUSED,
         "but the registry states sha256:" HEX},
        {"Docker-Content-Digest: sha256:" HEX "\r\nContent-Length: 99999\r\n", "[}", REGTAG_E_REFUSED,
         "not valid JSON at byte 1"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(ANSWERS); i++) {
        char answer[400];
        begin(&run);
        snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\n%s\r\n%s", ANSWERS[i].fields,
                 ANSWERS[i].body);
        run.wire.quirk[0] = (struct wire_quirk){.request = "GET sha256-", .instead = answer};
        list(NULL);
        if (ANSWERS[i].words)
            expect_failed(ANSWERS[i].status, ANSWERS[i].words);
        else
            expect_listed(0, NULL);
    }
}

static int cannot_start(void *context)
{
    (void)context;
    return 1;
}

static void test_without_a_hash_nothing_is_listed(void **state)
{
    char image[128];
    (void)state;
    begin(&run);
    run.config.hash.start = cannot_start;
    begin_again(&run);
    push_index(&run, tag_of(ZEROS, ""), TWO, 2, "a/b");
    snprintf(image, sizeof image, "localhost/a@%s", ZEROS);
    list_of(image, NULL);
    assert_int_equal(run.listed, 0);
    expect_failed(REGTAG_E_OTHER, "SHA-256 failed");
}

static void test_a_page_that_is_too_large_is_refused(void **state)
{
    static char text[MANIFEST_MAX + 100];
    (void)state;
    begin(&run);
    run.wire.manners.referrers_status = 200;
    memset(text, ' ', sizeof text);
    wire_push(&run.wire, "referrers", INDEX, text, sizeof text);
    list(NULL);
    expect_failed(REGTAG_E_REFUSED, "is larger than");
}

static void test_failures_are_failures(void **state)
{
    (void)state;
    begin(&run);
    run.wire.manners.referrers_status = 500;
    list(NULL);
    expect_failed(REGTAG_E_SERVER_FAILED, "HTTP 500");
    begin(&run);
    run.wire.manners.absent_get = 403;
    list(NULL);
    expect_failed(REGTAG_E_DENIED, "HTTP 403");
    begin(&run);
    list_of("localhost/a:none", NULL);
    expect_failed(REGTAG_E_NOT_FOUND, "no such image");
}

static void test_wrong_use(void **state)
{
    static char type[300];
    (void)state;
    begin(&run);
    memset(type, 'a', sizeof type - 1);
    assert_int_equal(regtag_referrers(run.regtag, "localhost/a:base", type), REGTAG_E_USAGE);
    begin_again(&run);
    assert_int_equal(regtag_referrers(run.regtag, "localhost", NULL), REGTAG_E_USAGE);
    finish(&run);
}

static void test_one_byte_at_a_time(void **state)
{
    (void)state;
    begin(&run);
    run.wire.step = 1;
    push_index(&run, tag_of(digest_of_new(), ""), TWO, 2, "a/b");
    list(NULL);
    expect_listed(2, "sha256:00000 a/b 100");
}

static void test_cut_at_every_byte(void **state)
{
    bool struck = true;
    (void)state;
    for (uint64_t at = 0; struck; at++) {
        begin(&run);
        run.config.retries = 1;
        begin_again(&run);
        run.wire.fault = (struct wire_fault){.armed = true, .at = at, .orderly = at % 2};
        push_index(&run, tag_of(digest_of_new(), ""), TWO, 2, "a/b");
        list(NULL);
        struck = !run.wire.fault.armed;
        expect_listed(2, "sha256:00000 a/b 100");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_registry_lists_them),
        cmocka_unit_test(test_the_list_may_have_pages),
        cmocka_unit_test(test_behind_a_page_there_is_no_tag),
        cmocka_unit_test(test_pages_that_form_a_circle_end),
        cmocka_unit_test(test_pages_stay_with_the_registry),
        cmocka_unit_test(test_without_such_a_list_there_is_a_tag),
        cmocka_unit_test(test_other_answers_are_failures),
        cmocka_unit_test(test_there_may_be_no_index),
        cmocka_unit_test(test_a_type_with_a_nul_is_none),
        cmocka_unit_test(test_a_platform_needs_a_lookup),
        cmocka_unit_test(test_there_may_be_none),
        cmocka_unit_test(test_the_image_itself_at_the_tag_is_no_list),
        cmocka_unit_test(test_a_digest_needs_no_lookup),
        cmocka_unit_test(test_only_those_of_a_type),
        cmocka_unit_test(test_entries_without_what_they_need),
        cmocka_unit_test(test_what_is_no_list_is_refused),
        cmocka_unit_test(test_a_list_must_have_the_digest_that_is_stated),
        cmocka_unit_test(test_without_a_stated_digest_a_list_is_believed),
        cmocka_unit_test(test_what_is_stated_must_be_a_digest_that_can_be_checked),
        cmocka_unit_test(test_without_a_hash_nothing_is_listed),
        cmocka_unit_test(test_a_page_that_is_too_large_is_refused),
        cmocka_unit_test(test_failures_are_failures),
        cmocka_unit_test(test_wrong_use),
        cmocka_unit_test(test_one_byte_at_a_time),
        cmocka_unit_test(test_cut_at_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
