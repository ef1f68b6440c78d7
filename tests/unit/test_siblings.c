/* Tags that share a manifest, where a registry deletes it only whole: none is deleted that was not reported before, whatever
 * others do meanwhile. */
#include "run.h"

#define EMPTY "Content-Length: 0\r\n\r\n"

static struct run run; /* too large for the stack */

/* "new" points at OLD, and so do two others of many. */
static void prepare(unsigned others)
{
    char name[16];
    begin(&run);
    run.wire.manners.deletes_whole = true;
    run.config.siblings = true;
    begin_again(&run);
    wire_push(&run.wire, "sibling-1", OCI, OLD, sizeof OLD - 1);
    for (unsigned i = 0; i < others; i++) {
        snprintf(name, sizeof name, "t%u", i);
        wire_push(&run.wire, name, OCI, NEW, sizeof NEW - 1);
    }
    wire_push(&run.wire, "sibling-2", OCI, OLD, sizeof OLD - 1);
}

static void quirk(unsigned number, const char *request, const char *answer, unsigned after,
                  unsigned times)
{
    run.wire.quirk[number] =
        (struct wire_quirk){.request = request, .instead = answer, .after = after, .times = times};
}

static void expect_kept(enum regtag_status status, const char *words)
{
    expect_end(&run, status);
    expect_text(&run, words);
    expect_outcome(&run, status == REGTAG_E_UNCERTAIN ? REGTAG_TAG_UNCERTAIN : REGTAG_TAG_FAILED);
    assert_true(IS_OLD(&run, "new") && IS_OLD(&run, "sibling-1") && IS_OLD(&run, "sibling-2"));
    finish(&run);
}

static void the_manifest_goes_with_the_tags_that_were_reported(void **state)
{
    static const unsigned others[] = {0, 20, 80};
    (void)state;
    for (size_t i = 0; i < COUNT(others); i++) {
        prepare(others[i]);
        delete_one(&run);
        expect_end(&run, REGTAG_OK);
        expect_outcome(&run, REGTAG_TAG_DELETED);
        assert_int_equal(run.listed, 2);
        assert_null(wire_find(&run.wire, "new"));
        assert_null(wire_find(&run.wire, "sibling-1"));
        assert_non_null(wire_find(&run.wire, "base"));
        assert_int_equal(run.wire.now, 0); /* nothing was waited for */
        finish(&run);
    }
}

static void a_dry_run_reports_them(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        prepare(0);
        run.config.dry_run = true;
        run.config.siblings = i > 0;
        begin_again(&run);
        if (i == 2) {
            quirk(0, "HEAD new", "HTTP/1.1 500 No\r\n" EMPTY, 0, 9);
            quirk(1, "GET new", "HTTP/1.1 500 No\r\n" EMPTY, 0, 9);
        }
        delete_one(&run);
        expect_end(&run, REGTAG_OK);
        assert_int_equal(run.listed, i == 1 ? 2 : 0);
        assert_int_equal(run.wire.deletes, 0);
        finish(&run);
    }
}

/* ---- What is not known ----------------------------------------------------------------------- */

#define UNKNOWN "cannot tell which other tags would be deleted as well"

static const struct {
    const char *request, *answer;
    unsigned after; /* so many of them are answered well */
    enum regtag_status status;
    const char *words;
} unknown[] = {
    {"GET list", "HTTP/1.1 403 No\r\n" EMPTY, 0, REGTAG_E_DENIED, UNKNOWN},
    {"GET list", "HTTP/1.1 403 No\r\n" EMPTY, 1, REGTAG_E_DENIED, UNKNOWN},
    {"HEAD sibling-1", "HTTP/1.1 500 No\r\n" EMPTY, 0, REGTAG_E_SERVER_FAILED, UNKNOWN},
    {"HEAD sibling-2", "HTTP/1.1 500 No\r\n" EMPTY, 1, REGTAG_E_SERVER_FAILED, UNKNOWN},
    {"HEAD new", "HTTP/1.1 500 No\r\n" EMPTY, 1, REGTAG_E_SERVER_FAILED, UNKNOWN},
    {"DELETE sha256", "HTTP/1.1 403 No\r\n" EMPTY, 0, REGTAG_E_DENIED, "does not allow it"},
    {"DELETE sha256", "HTTP/1.1 405 No\r\n" EMPTY, 0, REGTAG_E_IMMUTABLE,
     "does not allow deleting manifests"},
    {"DELETE sha256", "HTTP/1.1 404 No\r\n" EMPTY, 0, REGTAG_E_IMMUTABLE,
     "the tag exists, but cannot be deleted"},
    {"DELETE sha256", "HTTP/1.1 500 No\r\n" EMPTY, 0, REGTAG_E_SERVER_FAILED, "the registry failed"},
};

/* What leaves out a tag that is there may leave out others, too: a proxy has an old one, or the registry filters it. */
static void a_list_without_the_tag_is_not_trusted(void **state)
{
    static const char *const lists[] = {"{\"tags\":null}", "{\"tags\":[\"base\",\"sibling-1\"]}"};
    char answer[200];
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(lists); i++) {
        prepare(0);
        snprintf(answer, sizeof answer, "HTTP/1.1 200 Tags\r\nContent-Length: %zu\r\n\r\n%s",
                 strlen(lists[i / 2]), lists[i / 2]);
        quirk(0, "GET list", answer, i % 2, 9);
        delete_one(&run);
        expect_kept(REGTAG_E_PROTOCOL, UNKNOWN);
    }
}

static void where_not_all_of_them_are_known_nothing_is_deleted(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(unknown); i++) {
        prepare(20);
        quirk(0, unknown[i].request, unknown[i].answer, unknown[i].after, 9);
        delete_one(&run);
        expect_kept(unknown[i].status, unknown[i].words);
    }
}

/* Others are being looked up when one cannot be: their answers are read later, and the connection is kept. */
static void a_failed_look_at_siblings_keeps_the_connection(void **state)
{
    (void)state;
    prepare(4);
    run.config.keep = true;
    begin_again(&run);
    quirk(0, "HEAD sibling-1", "HTTP/1.1 403 No\r\n" EMPTY, 0, 9);
    quirk(1, "GET sibling-1", "HTTP/1.1 403 No\r\n" EMPTY, 0, 9);
    run.wire.quirk[2] = (struct wire_quirk){.request = "HEAD t", .delay = 500, .times = 9};
    delete_one(&run);
    expect_end(&run, REGTAG_E_DENIED);
    assert_true(run.wire.heads > 3);
    assert_true(regtag_next(run.regtag, &run.config));
    assert_int_equal(regtag_digest(run.regtag, "localhost/a:base"), REGTAG_OK);
    run_on(&run);
    expect_end(&run, REGTAG_OK);
    assert_string_equal(run.digest, digest_of_new());
    assert_int_equal(run.wire.connections, 1);
    finish(&run);
}

static void names_that_do_not_fit_are_not_known(void **state)
{
    (void)state;
    prepare(100);
    run.config.manifest_max = 200;
    widen(&run, 2);
    delete_one(&run);
    expect_kept(REGTAG_E_PROTOCOL, "more tags than fit in the memory");
}

/* Without leave, only the tag may go; nor without knowing which manifest it is. */
static void a_tag_alone_is_not_deleted_whole(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        prepare(0);
        run.config.siblings = i > 0;
        begin_again(&run);
        if (i) {
            quirk(0, "HEAD new", "HTTP/1.1 500 No\r\n" EMPTY, 0, 9);
            quirk(1, "GET new", "HTTP/1.1 500 No\r\n" EMPTY, 0, 9);
        }
        if (i == 2)
            quirk(2, "DELETE new", "HTTP/1.1 404 No\r\n" EMPTY, 0, 9);
        delete_one(&run);
        if (i == 2)
            expect_kept(REGTAG_E_UNCERTAIN, "uncertain whether");
        else
            expect_kept(REGTAG_E_IMMUTABLE, "cannot delete a tag alone");
    }
}

/* ---- Others ---------------------------------------------------------------------------------- */

static const struct {
    const char *tag, *manifest; /* NULL: deleted */
} rivals[] = {
    {"new", RIVAL},      {"new", NULL}, {"late", OLD},      {"sibling-1", RIVAL},
    {"sibling-1", NULL}, {"t3", OLD},   {"sibling-2", NEW},
};

/* Somebody else acts right before each request, once. */
static void what_others_do_meanwhile_is_noticed(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(rivals); i++) {
        bool over = false;
        for (unsigned at = 1; !over; at++) {
            char what[60];
            prepare(4);
            run.config.retries = 1;
            begin_again(&run);
            run.wire.rival = (struct wire_rival){
                .at = at, .tag = rivals[i / 2].tag, .type = OCI, .manifest = rivals[i / 2].manifest};
            if (i % 2)
                run.wire.quirk[0] = (struct wire_quirk){
                    .request = "DELETE sha256", .instead = "", .ending = WIRE_CLOSES};
            delete_one(&run);
            over = at > run.wire.requests;
            snprintf(what, sizeof what, "%s before request %u", rivals[i / 2].tag, at);
            bool deleted = run.outcome[0] == REGTAG_TAG_DELETED;
            if (deleted && wire_find(&run.wire, "new"))
                fail_msg("%s: it is there still", what);
            /* It was the last request that deleted: only what comes between may be missed. */
            if (deleted && strcmp(rivals[i / 2].tag, "late") == 0 && run.listed == 2 &&
                at + 10 < run.wire.requests && !wire_find(&run.wire, "late"))
                fail_msg("%s: it was deleted unreported", what);
            if (!deleted && run.outcome[0] != REGTAG_TAG_FAILED &&
                run.outcome[0] != REGTAG_TAG_UNCERTAIN)
                fail_msg("%s: outcome %d", what, run.outcome[0]);
            assert_non_null(wire_find(&run.wire, "base"));
            finish(&run);
        }
    }
}

/* A registry may say of a tag that is there that it is not, as it knows manifests alone. */
static void a_tag_that_is_not_found_is_deleted_with_its_siblings(void **state)
{
    char request[80];
    (void)state;
    prepare(0);
    quirk(0, "DELETE new", "HTTP/1.1 404 No\r\n" EMPTY, 0, 9);
    delete_one(&run);
    expect_end(&run, REGTAG_OK);
    expect_outcome(&run, REGTAG_TAG_DELETED);
    assert_int_equal(run.listed, 2);
    snprintf(request, sizeof request, "DELETE %s\n", digest_of_old());
    assert_int_equal(count_of(run.wire.asked.data, request), 1);
    assert_null(wire_find(&run.wire, "new"));
    finish(&run);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tag_that_is_not_found_is_deleted_with_its_siblings),
        cmocka_unit_test(the_manifest_goes_with_the_tags_that_were_reported),
        cmocka_unit_test(a_dry_run_reports_them),
        cmocka_unit_test(where_not_all_of_them_are_known_nothing_is_deleted),
        cmocka_unit_test(a_list_without_the_tag_is_not_trusted),
        cmocka_unit_test(a_failed_look_at_siblings_keeps_the_connection),
        cmocka_unit_test(names_that_do_not_fit_are_not_known),
        cmocka_unit_test(a_tag_alone_is_not_deleted_whole),
        cmocka_unit_test(what_others_do_meanwhile_is_noticed),
    };
    return cmocka_run_group_tests_name("siblings", tests, NULL, NULL);
}
