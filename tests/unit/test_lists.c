/* Lists of tags: what the caller wants of them, pages that lead nowhere, and answers that are no list. */
#include "run.h"

#define PAGE(link, tags)                                                                                \
    "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n" link                                                \
    "Content-Length: 29\r\n\r\n{\"name\":\"a\",\"tags\":[" tags "]}    "
#define NEXT(page) "Link: <" page ">; rel=\"next\"\r\n"

static struct run run; /* too large for the stack */
static char wanted[8];

static bool wants(void *context, const char *tag)
{
    (void)context;
    return strncmp(tag, wanted, strlen(wanted)) == 0;
}

static void quirk(unsigned number, const char *request, const char *answer)
{
    run.wire.quirk[number] = (struct wire_quirk){.request = request, .instead = answer, .times = 9};
}

static void list(bool digests, uint64_t limit)
{
    run.listed = 0;
    assert_int_equal((digests ? regtag_digests : regtag_list)(run.regtag, "localhost/a", limit),
                     REGTAG_OK);
    run_on(&run);
}

/* ---- What is wanted -------------------------------------------------------------------------- */

/* A text from a server is cut in a message. */
static void a_long_link_is_cut_in_a_message(void **state)
{
    char answer[1000], link[500], expected[600];
    const char *message;
    (void)state;
    snprintf(link, sizeof link, "ftp:%0397d", 0);
    snprintf(answer, sizeof answer,
             "HTTP/1.1 200 OK\r\nLink: <%s>; rel=\"next\"\r\nContent-Length: 12\r\n\r\n{\"tags\":[]} ",
             link);
    begin(&run);
    quirk(0, "GET list", answer);
    list(false, 0);
    expect_end(&run, REGTAG_E_PROTOCOL);
    regtag_error(run.regtag, &message);
    snprintf(expected, sizeof expected, "the Link to the next page is not a URL: %.400s", link);
    assert_string_equal(strstr(message, "the Link"), expected);
    finish(&run);
}

static void only_what_is_wanted_is_listed_and_counted(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        begin(&run);
        wire_push(&run.wire, "new-1", OCI, NEW, sizeof NEW - 1);
        wire_push(&run.wire, "other", OCI, NEW, sizeof NEW - 1);
        wire_push(&run.wire, "new-2", OCI, NEW, sizeof NEW - 1);
        run.wire.manners.page = 2;
        run.config.wants = wants;
        snprintf(wanted, sizeof wanted, "new");
        begin_again(&run);
        list(i % 2, i < 2 ? 0 : 2);
        expect_end(&run, REGTAG_OK);
        assert_int_equal(run.listed, i < 2 ? 3 : 2);
        assert_string_equal(run.name[0], "new");
        assert_string_equal(run.name[1], "new-1");
        assert_int_equal(run.wire.heads, i % 2 ? run.listed : 0);
        finish(&run);
    }
}

/* The limit is a page's size only if it is that small. */
static void a_limit_of_any_size_is_kept(void **state)
{
    static const uint64_t limits[] = {1, 2, 3, 999, 1000, UINT64_MAX};
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(limits); i++) {
        uint64_t limit = limits[i / 2];
        char asked[40];
        begin(&run);
        list(i % 2, limit);
        expect_end(&run, REGTAG_OK);
        assert_int_equal(run.listed, limit < 2 ? limit : 2);
        snprintf(asked, sizeof asked, "GET list?n=%llu\n",
                 (unsigned long long)(limit < 1000 ? limit : 1000));
        assert_memory_equal(run.wire.asked.data, asked, strlen(asked));
        finish(&run);
    }
}

/* ---- Pages ----------------------------------------------------------------------------------- */

/* A circle that does not lead back to the first page, nor to one that was marked. */
static void pages_that_form_a_circle_end_with_a_warning(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        bool empty = i >= 2;
        begin(&run);
        take_notes(&run, false);
        quirk(0, "GET list?n=", empty ? PAGE(NEXT("/1"), "   ") : PAGE(NEXT("/1"), "\"a\""));
        quirk(1, "GET 1", empty ? PAGE(NEXT("/2"), "   ") : PAGE(NEXT("/2"), "\"b\""));
        quirk(2, "GET 2", empty ? PAGE(NEXT("/3"), "   ") : PAGE(NEXT("/3"), "\"c\""));
        quirk(3, "GET 3", empty ? PAGE(NEXT("/3"), "   ") : PAGE(NEXT("/3"), "\"d\""));
        list(i % 2, 0);
        expect_end(&run, REGTAG_OK);
        assert_int_equal(run.listed, empty ? 0 : 4);
        assert_int_equal(run.wire.gets, i == 1 ? 8 : 4); /* the tags are gone: that is made sure of */
        assert_int_equal(count_of(run.notes, "!localhost/a: the list may be incomplete"), !empty);
        finish(&run);
    }
}

static void after_a_page_that_fails_the_tags_so_far_are_listed(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        begin(&run);
        take_notes(&run, false);
        quirk(0, "GET list?n=", PAGE(NEXT("/1"), "\"a\""));
        quirk(1, "GET 1", "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");
        if (i >= 2)
            quirk(2, "HEAD a", "HTTP/1.1 500 No\r\n\r\n");
        list(i % 2, 0);
        assert_int_equal(run.end, REGTAG_ERROR);
        assert_int_equal(run.listed, 1);
        expect_text(&run, i == 3 ? "the registry failed" : "does not allow it");
        assert_int_equal(count_of(run.notes, "!localhost/a: the list may be incomplete"), i == 3);
        finish(&run);
    }
}

/* A failure of the list is the repository's, one of a lookup is the tag's. */
static void a_message_names_the_repository_or_the_tag(void **state)
{
    const char *message;
    (void)state;
    for (unsigned digests = 0; digests < 2; digests++) {
        begin(&run);
        quirk(0, "GET list", "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");
        list(digests, 0);
        expect_end(&run, REGTAG_E_DENIED);
        regtag_error(run.regtag, &message);
        assert_memory_equal(message, "localhost/a: ", 13);
        finish(&run);
    }
    begin(&run);
    quirk(0, "HEAD new", "HTTP/1.1 403 No\r\n\r\n");
    quirk(1, "GET new", "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");
    list(true, 0);
    expect_end(&run, REGTAG_E_DENIED);
    regtag_error(run.regtag, &message);
    assert_memory_equal(message, "localhost/a:new: ", 17);
    finish(&run);
}

/* ---- No list --------------------------------------------------------------------------------- */

#define TYPED(type) "HTTP/1.1 200 OK\r\n" type "Content-Length: 20\r\n\r\n{\"tags\":[\"only\"]}   "

static const struct {
    const char *answer, *words; /* NULL: it is one */
} answers[] = {
    {TYPED(""), NULL},
    {TYPED("Content-Type: text/plain; charset=utf-8\r\n"), NULL},
    {TYPED("Content-Type: a/b\r\nContent-Type: text/html\r\n"), NULL},
    {TYPED("Content-Type: text/html\r\n"), "the answer is a web page"},
    {TYPED("Content-Type: Text/HTML ;charset=utf-8\r\n"), "the answer is a web page"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", "it is not a JSON object"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "it contains no \"tags\""},
    {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{\"tags\":[]", "not a tag list"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"tags\":[}]", "not a tag list"},
};

static void what_is_no_list_is_an_error(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++) {
        begin(&run);
        quirk(0, "GET list?n=", answers[i].answer);
        list(false, 0);
        expect_end(&run, answers[i].words ? REGTAG_E_PROTOCOL : REGTAG_OK);
        assert_int_equal(run.listed, !answers[i].words);
        if (answers[i].words)
            expect_text(&run, answers[i].words);
        finish(&run);
    }
}

/* ---- Digests --------------------------------------------------------------------------------- */

static void push_tags(unsigned count)
{
    char name[16];
    for (unsigned i = 0; i < count; i++) {
        snprintf(name, sizeof name, "t%03u", i);
        wire_push(&run.wire, name, OCI, NEW, sizeof NEW - 1);
    }
}

/* Once nobody is there any more, the rest is not looked up. */
static void when_the_registry_is_gone_all_tags_are_listed_without_digests(void **state)
{
    (void)state;
    begin(&run);
    push_tags(100);
    run.wire.manners.close_after_each = true;
    widen(&run, 2);
    run.wire.fault = (struct wire_fault){.armed = true, .at = 4000, .lasting = true};
    list(true, 0);
    expect_end(&run, REGTAG_E_NO_CONNECTION);
    assert_int_equal(run.listed, 102);
    assert_true(run.wire.heads < 90);
    finish(&run);
}

/* A page with so many names; or with what is no name. */
static const char *page_of(unsigned count, const char *link, const char *entry)
{
    static char text[65536];
    int used = snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\n%sContent-Length: %u\r\n\r\n{\"tags\":[",
                        link, count * 8 + 10);
    for (unsigned i = 0; i < count; i++)
        used += entry ? snprintf(text + used, sizeof text - (size_t)used, "%7s%c", entry,
                                 i + 1 < count ? ',' : ']')
                      : snprintf(text + used, sizeof text - (size_t)used, "\"t%04u\"%c", i,
                                 i + 1 < count ? ',' : ']');
    assert_true((size_t)used + 2 < sizeof text);
    strcat(text, "}");
    return text;
}

/* However many names are left: those that are being looked up then are listed, and the others are neither listed nor failures, so
 * that it ends at once. */
static void at_the_deadline_names_are_left_out(void **state)
{
    static const struct {
        unsigned names;
        const char *link, *next;
        const char *why; /* the list may be incomplete, if it may */
    } LISTS[] = {
        {6000, "", NULL,
         "no complete answer came"}, /* more than there is memory for: the page is not at its end */
        {200, "", NULL, "no time was left"},
        {200, NEXT("/next"), "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n",
         "the registry does not allow it"},
        {200, NEXT("/v2/a/tags/list?n=1000"), NULL, "no time was left"},
        {60, "", NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(LISTS); i++) {
        begin(&run);
        take_notes(&run, false);
        quirk(0, "GET list", page_of(LISTS[i].names, LISTS[i].link, NULL));
        if (LISTS[i].next)
            quirk(1, "GET next", LISTS[i].next);
        quirk(2, "HEAD t", "");
        run.wire.quirk[2].times = 9999;
        widen(&run, 2);
        list(true, 0);
        expect_end(&run, REGTAG_E_TIMEOUT);
        expect_text(&run, "localhost/a:t0000: port 80: no complete answer came");
        assert_in_range(run.listed, 1, 64);
        assert_int_equal(count_of(run.notes, "!localhost/a: the list may be incomplete"),
                         LISTS[i].why != NULL);
        if (LISTS[i].why)
            assert_non_null(strstr(run.notes, LISTS[i].why));
        assert_int_equal(run.wire.now, TIMEOUT);
        finish(&run);
    }
}

static void of_many_entries_that_are_no_tags_a_few_are_told(void **state)
{
    (void)state;
    for (unsigned count = 9; count < 13; count++)
        for (unsigned digests = 0; digests < 2; digests++) {
            begin(&run);
            take_notes(&run, false);
            quirk(0, "GET list", page_of(count, "", "\"-\""));
            list(digests, 0);
            expect_end(&run, REGTAG_OK);
            assert_int_equal(run.listed, 0);
            assert_int_equal(count_of(run.notes, "skipped \"-\", which is not a tag"),
                             count < 10 ? count : 10);
            assert_int_equal(count_of(run.notes, "skipped more that is not a tag"), count > 10);
            finish(&run);
        }
}

/* They wait for a page that has memory on its own connection: another one is for pages that have to wait themselves. */
static void with_memory_for_a_page_one_connection_is_enough(void **state)
{
    (void)state;
    begin(&run);
    push_tags(10);
    run.wire.manners.pace = 1;
    list(true, 0);
    expect_end(&run, REGTAG_OK);
    assert_int_equal(run.listed, 12);
    for (unsigned i = 0; i < run.wire.taken_count; i++)
        assert_int_equal(run.wire.taken[i].connection, 0);
    finish(&run);
}

/* How long a pipelined request is waited for, four times as long as for the first answer, does not shrink with later ones. */
static void a_registry_that_was_slow_once_may_be_slow_again(void **state)
{
    (void)state;
    begin(&run);
    run.wire.manners.delay = 10; /* both lookups are in flight */
    run.wire.quirk[0] = (struct wire_quirk){.request = "GET list", .delay = 1000};
    run.wire.quirk[1] = (struct wire_quirk){.request = "HEAD new", .delay = 3000};
    list(true, 0);
    expect_end(&run, REGTAG_OK);
    assert_int_equal(run.listed, 2);
    expect_asked(&run, "GET list?n=1000\nHEAD base\nHEAD new\n");
    finish(&run);
}

/* A pause until the deadline, or behind it, cannot be waited for. It holds up no other tag. */
static void a_pause_without_end_is_for_one_tag(void **state)
{
    static const unsigned pauses[] = {TIMEOUT / 1000, TIMEOUT / 1000 + 1};
    (void)state;
    for (size_t i = 0; i < COUNT(pauses); i++) {
        char answer[100];
        begin(&run);
        push_tags(40);
        snprintf(answer, sizeof answer, "HTTP/1.1 429 Slowly\r\nRetry-After: %u\r\n\r\n", pauses[i]);
        quirk(0, "HEAD t000", answer);
        list(true, 0);
        expect_end(&run, REGTAG_E_SLOW_DOWN);
        expect_text(&run, "localhost/a:t000: ");
        assert_int_equal(run.listed, 42);
        assert_int_equal(run.wire.heads, 42);
        assert_int_equal(run.wire.now, 0);
        finish(&run);
    }
}

/* In memory for a few names, lookups go over another connection while the page waits; also if they are redirected. */
static void in_little_memory_a_long_page_is_read_bit_by_bit(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        begin(&run);
        push_tags(100);
        run.config.manifest_max = 400;
        run.wire.step = 50;
        widen(&run, 2);
        if (i) {
            quirk(0, "HEAD t",
                  "HTTP/1.1 307 There\r\nLocation: http://elsewhere.test/v2/a/manifests/new\r\n\r\n");
            run.wire.quirk[0].times = 300;
        }
        list(true, 0);
        expect_end(&run, REGTAG_OK);
        assert_int_equal(run.listed, 102);
        finish(&run);
    }
}

#define ELSEWHERE                                                                                       \
    "HTTP/1.1 307 There\r\nLocation: http://elsewhere.test/v2/a/tags/list\r\nContent-Length: 0\r\n\r\n"

/* The page comes slowly, so that the first lookups were meant for its connection, or wait on it behind a later page. */
static void a_page_that_fills_the_memory_late_is_read_on(void **state)
{
    static const unsigned pages[] = {0, 0, 12, 16, 20, 51, 70};
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(pages); i++) {
        begin(&run);
        push_tags(100);
        run.config.manifest_max = i % 2 ? 240 : 180;
        run.wire.manners.pace = 1;
        run.wire.manners.delay = 50;
        run.wire.manners.page = pages[i / 2];
        if (i == 1) /* it comes from elsewhere, so that its connection is another one */
            run.wire.quirk[0] = (struct wire_quirk){.request = "GET list", .instead = ELSEWHERE};
        widen(&run, 2);
        list(true, 0);
        expect_end(&run, REGTAG_OK);
        assert_int_equal(run.listed, 102);
        assert_true(run.wire.now < 40000);
        finish(&run);
    }
}

/* The second page has more names than there are places for, and it waits for those that were sent behind its GET. They go out again
 * over the other connection, once, and the page's connection stays. */
static void lookups_behind_a_page_that_waits_for_them_are_sent_again(void **state)
{
    (void)state;
    begin(&run);
    push_tags(126);
    run.config.manifest_max = 180;
    run.wire.manners.delay = 50;
    run.wire.manners.page = 64;
    widen(&run, 2);
    list(true, 0);
    expect_end(&run, REGTAG_OK);
    assert_int_equal(run.listed, 128);
    assert_in_range(run.wire.heads, 128 + 1, 128 + 15);
    assert_int_equal(run.wire.gets, 2);
    assert_int_equal(run.wire.connections, 2);
    assert_true(run.wire.now < 1000);
    finish(&run);
}

/* So are tokens meanwhile, which expire. */
static void a_login_does_not_wait_for_the_page(void **state)
{
    static const char *const realms[] = {"http://127.0.0.1/token", "http://localhost/token"};
    (void)state;
    for (size_t i = 0; i < COUNT(realms); i++) {
        begin(&run);
        push_tags(100);
        run.config.manifest_max = 500;
        run.wire.step = 50;
        run.wire.manners.realm = realms[i];
        run.wire.manners.token_says = ",\"expires_in\":1";
        run.wire.manners.delay = 300;
        widen(&run, 2);
        list(true, 0);
        expect_end(&run, REGTAG_OK);
        assert_int_equal(run.listed, 102);
        assert_true(run.wire.tokens > 2);
        finish(&run);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_link_is_cut_in_a_message),
        cmocka_unit_test(only_what_is_wanted_is_listed_and_counted),
        cmocka_unit_test(a_limit_of_any_size_is_kept),
        cmocka_unit_test(pages_that_form_a_circle_end_with_a_warning),
        cmocka_unit_test(after_a_page_that_fails_the_tags_so_far_are_listed),
        cmocka_unit_test(what_is_no_list_is_an_error),
        cmocka_unit_test(when_the_registry_is_gone_all_tags_are_listed_without_digests),
        cmocka_unit_test(at_the_deadline_names_are_left_out),
        cmocka_unit_test(of_many_entries_that_are_no_tags_a_few_are_told),
        cmocka_unit_test(a_message_names_the_repository_or_the_tag),
        cmocka_unit_test(with_memory_for_a_page_one_connection_is_enough),
        cmocka_unit_test(a_registry_that_was_slow_once_may_be_slow_again),
        cmocka_unit_test(a_pause_without_end_is_for_one_tag),
        cmocka_unit_test(in_little_memory_a_long_page_is_read_bit_by_bit),
        cmocka_unit_test(a_page_that_fills_the_memory_late_is_read_on),
        cmocka_unit_test(lookups_behind_a_page_that_waits_for_them_are_sent_again),
        cmocka_unit_test(a_login_does_not_wait_for_the_page),
    };
    return cmocka_run_group_tests_name("lists", tests, NULL, NULL);
}
