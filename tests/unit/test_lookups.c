/* Where a tag points, and what is there, from answers that do not say it outright; and what an upload is made to depend on. */
#include "run.h"

#define EMPTY "Content-Length: 0\r\n\r\n"
#define DIGITS "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct run run; /* too large for the stack */

static void quirk(unsigned number, const char *request, const char *answer, unsigned times)
{
    run.wire.quirk[number] = (struct wire_quirk){.request = request, .instead = answer, .times = times};
}

/* ---- By GET ---------------------------------------------------------------------------------- */

#define TYPED "Content-Type: application/vnd.oci.image.manifest.v1+json\r\n"
#define STATED "Docker-Content-Digest: %s\r\n"

/* Of the tag before it is moved: whether the answer to GET says where it points, if HEAD says nothing. */
static const struct {
    const char *fields;
    bool old_body, known;
} by_get[] = {
    {TYPED, true, true},
    {TYPED STATED, true, true},
    {STATED, true, true},
    {"", true, true},
    {"", false, false},
    {STATED, false, false},
    {TYPED STATED STATED, true, true},
    {TYPED STATED "Docker-Content-Digest: another\r\n", true, true},
    {"Content-Type: application/json\r\n" STATED "Docker-Content-Digest: another\r\n", true, true},
    {"Content-Type: application/json\r\n" STATED STATED, false, false},
    {"Content-Type: text/html\r\n", true, false},
    {"Content-Type: application/vnd.docker.distribution.manifest.v1+json\r\n", true, false},
    {TYPED "Docker-Content-Digest: sha256:" DIGITS "\r\n", true, false},
};

static void the_manifest_says_where_a_tag_points_if_it_is_sure(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(by_get); i++) {
        char fields[500], answer[1200];
        const char *body = by_get[i].old_body ? OLD : "{\"schemaVersion\":1,\"x\":[2]}";
        begin(&run);
        quirk(0, "HEAD new", "HTTP/1.1 405 No\r\n\r\n", 1);
        snprintf(fields, sizeof fields, by_get[i].fields, digest_of_old(), digest_of_old());
        snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\n%sContent-Length: %zu\r\n\r\n%s", fields,
                 strlen(body), body);
        quirk(1, "GET new", answer, 9);
        tag_one(&run);
        expect_end(&run, REGTAG_OK);
        if (run.outcome[0] != (by_get[i].known ? REGTAG_TAG_MOVED : REGTAG_TAG_SET))
            fail_msg("answer %zu: outcome %d", i, run.outcome[0]);
        assert_true(IS_NEW(&run, "new"));
        finish(&run);
    }
}

/* Of digest, HEAD states them. */
static void a_digest_that_is_none_is_not_believed(void **state)
{
    static const char *const stated[] = {"gibberish", "sha256:" DIGITS "\r\nDocker-Content-Digest: x",
                                         "sha512:" DIGITS DIGITS};
    (void)state;
    for (size_t i = 0; i < COUNT(stated); i++) {
        char answer[400];
        begin(&run);
        snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nDocker-Content-Digest: %s\r\n\r\n",
                 stated[i]);
        quirk(0, "HEAD ", answer, 1);
        quirk(1, "GET base", answer, 1);
        tag_one(&run);
        expect_end(&run, REGTAG_E_PROTOCOL);
        assert_true(IS_OLD(&run, "new"));
        finish(&run);

        begin(&run);
        quirk(0, "HEAD new", answer, 1);
        tag_one(&run);
        expect_end(&run, REGTAG_OK);
        expect_outcome(&run, REGTAG_TAG_SET);
        finish(&run);
        if (i == 2)
            continue;

        begin(&run);
        quirk(0, "HEAD base", answer, 1);
        assert_int_equal(regtag_digest(run.regtag, "localhost/a:base"), REGTAG_OK);
        run_on(&run);
        expect_end(&run, REGTAG_E_PROTOCOL);
        expect_text(&run, "malformed digest");
        finish(&run);
    }
}

/* A HEAD may be refused where it was redirected to: in what way is nobody's business. */
static void a_head_that_is_refused_elsewhere_is_followed_by_get(void **state)
{
    static const unsigned statuses[] = {404, 409, 418, 429, 401, 500, 300};
    (void)state;
    for (size_t i = 0; i < COUNT(statuses); i++) {
        char answer[100];
        bool refused = statuses[i] == 404 || statuses[i] == 409 || statuses[i] == 418;
        begin(&run);
        quirk(0, "HEAD new", "HTTP/1.1 307 There\r\nLocation: http://elsewhere.test/x/there\r\n\r\n", 1);
        snprintf(answer, sizeof answer, "HTTP/1.1 %u No\r\n" EMPTY, statuses[i]);
        quirk(1, "HEAD there", answer, 1);
        run.config.certain_absence = true;
        begin_again(&run);
        tag_one(&run);
        expect_end(&run, REGTAG_OK);
        expect_outcome(&run, refused ? REGTAG_TAG_MOVED : REGTAG_TAG_SET);
        finish(&run);
    }
}

/* ---- Manifests ------------------------------------------------------------------------------- */

#define SCHEMA1_TEXT                                                                                    \
    "{\"schemaVersion\":1,\"name\":\"a\",\"tag\":\"base\",\"fsLayers\":[],\"history\":[]}"

static const struct {
    const char *fields, *body;
    enum regtag_status status;
    const char *words;
} manifests[] = {
    {"Content-Type: text/plain\r\n", NEW, REGTAG_OK, NULL},
    {"Content-Type: text/plain\r\n", "hello", REGTAG_E_PROTOCOL,
     "the answer is text/plain, not a manifest"},
    {"Content-Type: application/json\r\n", "hello", REGTAG_E_REFUSED, "not valid JSON"},
    {"", "hello", REGTAG_E_REFUSED, "not valid JSON"},
    {"Content-Type: text/html\r\n", NEW, REGTAG_E_PROTOCOL, "is there a registry at this address"},
    {"Content-Type: a/b+json\r\n", NEW, REGTAG_E_REFUSED, "a/b+json"},
    {"Content-Type: a/b\r\nContent-Type: c/d\r\n", NEW, REGTAG_E_REFUSED, "several media types"},
    {"Docker-Content-Digest: sha512:" DIGITS DIGITS "\r\n", NEW, REGTAG_E_PROTOCOL, "not a SHA-256"},
    {"Docker-Content-Digest: sha512\r\n", NEW, REGTAG_E_PROTOCOL, "malformed digest"},
    {"Docker-Content-Digest: sha256:" DIGITS "\r\n", NEW, REGTAG_E_REFUSED, "but the registry states"},
    {"Content-Encoding: gzip\r\n", NEW, REGTAG_E_PROTOCOL, "compressed"},
    {"", SCHEMA1_TEXT, REGTAG_E_SCHEMA1, "schema 1"},
};

static void only_a_manifest_is_tagged(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(manifests); i++) {
        char answer[1000];
        begin(&run);
        snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\n%sContent-Length: %zu\r\n\r\n%s",
                 manifests[i].fields, strlen(manifests[i].body), manifests[i].body);
        quirk(0, "GET base", answer, 9);
        tag_one(&run);
        expect_end(&run, manifests[i].status);
        if (manifests[i].words)
            expect_text(&run, manifests[i].words);
        assert_int_equal(IS_OLD(&run, "new"), manifests[i].status != REGTAG_OK);
        finish(&run);
    }
}

/* Nobody has asked whether it has changed. */
static void a_304_to_a_plain_question_is_an_error(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        begin(&run);
        quirk(0, "HEAD base", "HTTP/1.1 405 No\r\n\r\n", 9);
        quirk(1, "GET base", "HTTP/1.1 304 Same\r\n\r\n", 9);
        if (i)
            assert_int_equal(regtag_digest(run.regtag, "localhost/a:base"), REGTAG_OK);
        else
            assert_int_equal(regtag_manifest(run.regtag, "localhost/a:base"), REGTAG_OK);
        run_on(&run);
        expect_end(&run, REGTAG_E_PROTOCOL);
        finish(&run);
    }
}

/* ---- SHA-256 that fails ---------------------------------------------------------------------- */

static struct regtag_hash hash;
static unsigned calls_left;

static bool fails(void)
{
    return calls_left == 0 || calls_left-- == 0;
}

static int start(void *context)
{
    return fails() || hash.start(context);
}

static int update(void *context, const void *bytes, size_t size)
{
    return fails() || hash.update(context, bytes, size);
}

static int finish_hash(void *context, unsigned char sum[32])
{
    return fails() || hash.finish(context, sum);
}

static void break_hash(unsigned calls)
{
    hash = run.config.hash;
    calls_left = calls;
    run.config.hash.start = start;
    run.config.hash.update = update;
    run.config.hash.finish = finish_hash;
    begin_again(&run);
}

/* At any call: no tag is set to a digest that nobody has computed, and none is said to have been anywhere. */
static void without_a_hash_nothing_is_known(void **state)
{
    bool over = false;
    (void)state;
    for (unsigned calls = 0; !over; calls++) {
        begin(&run);
        run.wire.manners.no_head_digest = true;
        break_hash(calls);
        tag_one(&run);
        expect_truth(&run, "without a hash");
        over = run.outcome[0] == REGTAG_TAG_MOVED;
        finish(&run);
        assert_true(calls < 100);
    }
}

/* That of an index: its images are not asked for. */
static void without_a_hash_an_index_leads_nowhere(void **state)
{
    (void)state;
    begin(&run);
    push_arm_index(&run);
    run.config.platform = "linux/arm";
    break_hash(0);
    assert_int_equal(regtag_manifest(run.regtag, "localhost/a:index"), REGTAG_OK);
    run_on(&run);
    assert_int_equal(run.end, REGTAG_ERROR);
    expect_text(&run, "SHA-256");
    expect_asked(&run, "GET index\n");
    assert_string_equal(run.digest, "");
    finish(&run);
}

static void without_a_hash_no_blob_is_good(void **state)
{
    bool good = false;
    (void)state;
    for (unsigned calls = 0; !good; calls++) {
        char blob[100];
        begin(&run);
        run.fetches = true;
        snprintf(blob, sizeof blob, "localhost/a@%s", wire_push_blob(&run.wire, "fox", 3, NULL));
        break_hash(calls);
        assert_int_equal(regtag_fetch_blob(run.regtag, blob), REGTAG_OK);
        while (step(&run))
            if (run.end == REGTAG_CHOOSE && run.settled == 0)
                regtag_choose(run.regtag, 0);
        good = run.status[0] == REGTAG_OK;
        assert_int_equal(run.settled, 1);
        finish(&run);
        assert_true(calls < 10);
    }
}

/* ---- Preconditions --------------------------------------------------------------------------- */

static const char *expected[1];

static void begin_guarded(const char *guard)
{
    begin(&run);
    expected[0] = guard;
    run.config.expected = expected;
    run.config.expected_count = 1;
    begin_again(&run);
}

/* A registry may refuse the precondition, or not know any: then it is asked without, if the guard still holds. */
static void a_precondition_that_is_refused_is_left_out(void **state)
{
    static const unsigned statuses[] = {400, 412, 428, 501, 409};
    (void)state;
    for (size_t i = 0; i < 4 * COUNT(statuses); i++) {
        unsigned status = statuses[i / 4];
        bool deletes = i & 1, moved = i & 2;
        char answer[100];
        begin_guarded(digest_of_old());
        run.wire.manners.fields = "ETag: \"an-etag\"\r\n";
        snprintf(answer, sizeof answer, "HTTP/1.1 %u No\r\n" EMPTY, status);
        quirk(0, deletes ? "DELETE new" : "PUT new", answer, 1);
        if (moved)
            run.wire.rival =
                (struct wire_rival){.at = deletes ? 2 : 3, .tag = "new", .type = OCI, .manifest = RIVAL};
        if (deletes)
            delete_one(&run);
        else
            tag_one(&run);
        assert_int_equal(count_of(run.wire.log.data, "If-Match: \"an-etag\"\r\n"), 1);
        enum regtag_status good = status == 409 ? REGTAG_E_IMMUTABLE
                                  : moved       ? REGTAG_E_GUARD
                                                : REGTAG_OK;
        expect_end(&run, good);
        assert_int_equal(run.wire.puts + run.wire.deletes, good == REGTAG_OK ? 2 : 1);
        if (good != REGTAG_OK)
            assert_true(moved ? points_at(&run, "new", RIVAL) : IS_OLD(&run, "new"));
        finish(&run);
    }
}

/* Only a strong entity tag of visible characters can be sent back. */
static void an_etag_that_cannot_be_sent_back_is_none(void **state)
{
    static const struct {
        const char *etag;
        bool sent;
    } ETAGS[] = {
        {"\"good\"", true}, {"W/\"weak\"", false},          {"bare", false},    {"\"", false},
        {"\"open", false},  {"\"a\x7f\"", false},           {"\"a b\"", false}, {"\"a\"b\"", false},
        {"\"\"", true},     {"\"a\"\r\nETag: \"b\"", false}};
    (void)state;
    for (size_t i = 0; i < COUNT(ETAGS); i++) {
        char fields[60];
        begin_guarded(digest_of_old());
        snprintf(fields, sizeof fields, "ETag: %s\r\n", ETAGS[i].etag);
        run.wire.manners.fields = fields;
        tag_one(&run);
        expect_end(&run, REGTAG_OK);
        assert_int_equal(count_of(run.wire.log.data, "If-Match: "), ETAGS[i].sent);
        finish(&run);
    }
}

/* A tag that must not exist. */
static void a_tag_that_must_be_new_is_created_only_once(void **state)
{
    (void)state;
    begin_guarded("absent");
    wire_delete(&run.wire, "new");
    quirk(0, "PUT new", "HTTP/1.1 412 No\r\n" EMPTY, 1);
    run.wire.rival = (struct wire_rival){.at = 4, .tag = "new", .type = OCI, .manifest = NEW};
    tag_one(&run);
    assert_int_equal(count_of(run.wire.log.data, "If-None-Match: *\r\n"), 1);
    expect_end(&run, REGTAG_E_GUARD);
    assert_int_equal(run.wire.puts, 1);
    finish(&run);
}

/* The first upload was lost, and what has refused the second one is that the first one came after all. */
static void an_upload_that_arrives_late_is_ours(void **state)
{
    (void)state;
    for (unsigned at = 4; at < 8; at++) {
        begin_guarded(digest_of_old());
        run.config.retries = 2;
        begin_again(&run);
        run.wire.manners.fields = "ETag: \"1\"\r\n";
        quirk(0, "PUT new", "", 1);
        run.wire.quirk[0].ending = WIRE_RESETS;
        quirk(1, "PUT new", "HTTP/1.1 412 No\r\n" EMPTY, 1);
        run.wire.quirk[1].after = 1;
        run.wire.rival = (struct wire_rival){.at = at, .tag = "new", .type = OCI, .manifest = NEW};
        tag_one(&run);
        expect_end(&run, REGTAG_OK);
        expect_outcome(&run, REGTAG_TAG_MOVED);
        assert_string_equal(run.previous[0], digest_of_old());
        finish(&run);
    }
}

/* The same where the server has failed, and done it all the same, later: before a request that it refuses, or after one that
 * it did not understand. */
static void a_change_that_a_server_makes_after_it_has_failed_is_ours(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        bool deletes = i & 1, refused_first = i & 2;
        const char *request = deletes ? "DELETE new" : "PUT new";
        begin_guarded(digest_of_old());
        run.config.retries = 2;
        begin_again(&run);
        run.wire.manners.fields = "ETag: \"1\"\r\n";
        quirk(refused_first, request, "HTTP/1.1 500 No\r\n" EMPTY, 1);
        quirk(!refused_first, request, "HTTP/1.1 412 No\r\n" EMPTY, 1);
        run.wire.quirk[1].after = 1;
        run.wire.rival = (struct wire_rival){.at = (deletes ? 5u : 6u) + refused_first,
                                             .tag = "new",
                                             .type = OCI,
                                             .manifest = deletes ? NULL : NEW};
        if (deletes)
            delete_one(&run);
        else
            tag_one(&run);
        expect_end(&run, REGTAG_OK);
        expect_outcome(&run, deletes ? REGTAG_TAG_DELETED : REGTAG_TAG_MOVED);
        assert_string_equal(run.previous[0], digest_of_old());
        finish(&run);
    }
}

/* As a 404 to the next attempt shows. */
static void what_is_missing_after_a_server_has_failed_was_deleted(void **state)
{
    (void)state;
    begin(&run);
    run.config.retries = 2;
    begin_again(&run);
    quirk(0, "DELETE new", "HTTP/1.1 500 No\r\n" EMPTY, 1);
    run.wire.rival = (struct wire_rival){.at = 5, .tag = "new"};
    delete_one(&run);
    expect_end(&run, REGTAG_OK);
    expect_outcome(&run, REGTAG_TAG_DELETED);
    assert_int_equal(count_of(run.wire.asked.data, "DELETE new"), 2);
    finish(&run);
}

static int (*real_start)(void *context);
static unsigned starts;

static int start_once(void *context)
{
    return starts++ ? 1 : real_start(context);
}

/* That of the manifest succeeds, that of what the tag points at does not. */
static void without_a_second_hash_a_tag_is_set_from_somewhere(void **state)
{
    (void)state;
    begin(&run);
    starts = 0;
    real_start = run.config.hash.start;
    run.config.hash.start = start_once;
    run.wire.manners.no_head_digest = true;
    run.wire.quirk[0] = (struct wire_quirk){.request = "HEAD new", .delay = 500};
    begin_again(&run);
    tag_one(&run);
    expect_end(&run, REGTAG_OK);
    assert_int_equal(run.before[0], REGTAG_PREVIOUS_UNKNOWN);
    assert_true(IS_NEW(&run, "new"));
    finish(&run);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_upload_that_arrives_late_is_ours),
        cmocka_unit_test(a_change_that_a_server_makes_after_it_has_failed_is_ours),
        cmocka_unit_test(what_is_missing_after_a_server_has_failed_was_deleted),
        cmocka_unit_test(without_a_second_hash_a_tag_is_set_from_somewhere),
        cmocka_unit_test(the_manifest_says_where_a_tag_points_if_it_is_sure),
        cmocka_unit_test(a_digest_that_is_none_is_not_believed),
        cmocka_unit_test(a_head_that_is_refused_elsewhere_is_followed_by_get),
        cmocka_unit_test(only_a_manifest_is_tagged),
        cmocka_unit_test(a_304_to_a_plain_question_is_an_error),
        cmocka_unit_test(without_a_hash_nothing_is_known),
        cmocka_unit_test(without_a_hash_an_index_leads_nowhere),
        cmocka_unit_test(without_a_hash_no_blob_is_good),
        cmocka_unit_test(a_precondition_that_is_refused_is_left_out),
        cmocka_unit_test(an_etag_that_cannot_be_sent_back_is_none),
        cmocka_unit_test(a_tag_that_must_be_new_is_created_only_once),
    };
    return cmocka_run_group_tests_name("lookups", tests, NULL, NULL);
}
