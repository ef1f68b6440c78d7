/* Moving and deleting tags: the look before, guards, confirming, dry runs; whatever the way does, and
 * whoever else moves the tag meanwhile. */
#include "run.h"

static const char *const one_name[] = {"new"};

/* Guards for the whole operation. They are read, not copied. */
static void guard_with(struct run *run, const char *const *expected, size_t count)
{
    run->config.expected = expected;
    run->config.expected_count = count;
    begin_again(run);
}

/* Neither HEAD nor GET tells where the tag "new" points. */
static void hide(struct run *run, unsigned status)
{
    run->wire.manners.head_status = status;
    run->wire.manners.get_status = status;
    run->wire.manners.only_tag = "new";
}

/* The same for one look, behind so many other requests: a HEAD and the GET that follows it. */
static void hide_once(struct run *run, unsigned after)
{
    run->wire.manners.fail_after = after;
    run->wire.manners.fail = 2;
    run->wire.manners.fail_status = 403;
}

/* ---- Outcomes -------------------------------------------------------------------------------- */

static void a_tag_that_was_not_there_is_created(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    wire_delete(&run.wire, "new");
    tag_one(&run);
    expect_end(&run, REGTAG_OK);
    expect_outcome(&run, REGTAG_TAG_CREATED);
    assert_int_equal(run.before[0], REGTAG_PREVIOUS_ABSENT);
    assert_string_equal(run.previous[0], "");
    assert_true(IS_NEW(&run, "new"));
    finish(&run);
}

static void a_tag_that_was_elsewhere_is_moved(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    tag_one(&run);
    expect_end(&run, REGTAG_OK);
    expect_outcome(&run, REGTAG_TAG_MOVED);
    assert_int_not_equal(run.before[0], REGTAG_PREVIOUS_ABSENT);
    assert_string_equal(run.previous[0], digest_of_old());
    assert_true(IS_NEW(&run, "new"));
    finish(&run);
}

static void a_tag_that_is_there_already_is_not_sent(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    wire_push(&run.wire, "new", OCI, NEW, sizeof NEW - 1);
    run.wire.manners.delay = 1000;
    tag_one(&run);
    expect_end(&run, REGTAG_OK);
    expect_outcome(&run, REGTAG_TAG_UNCHANGED);
    expect_asked(&run, "GET base\nHEAD new\n");
    assert_string_equal(run.previous[0], digest_of_new());
    assert_int_equal(run.uploads, 0);
    assert_int_equal(run.wire.now, 1000);
    finish(&run);
}

/* A token that allows pushing, and not looking; a broken registry. */
static void a_look_that_fails_stops_nothing(void **state)
{
    static const unsigned statuses[] = {400, 403, 405, 406, 412, 415, 418, 429, 500, 501, 503};
    (void)state;
    for (size_t i = 0; i < COUNT(statuses); i++) {
        for (unsigned close = 0; close < 2; close++) {
            struct run run;
            begin(&run);
            hide(&run, statuses[i]);
            run.wire.manners.close_after_each = close;
            tag_one(&run);
            expect_end(&run, REGTAG_OK);
            expect_outcome(&run, REGTAG_TAG_SET);
            assert_string_equal(run.previous[0], "");
            assert_int_not_equal(run.before[0], REGTAG_PREVIOUS_ABSENT);
            assert_true(IS_NEW(&run, "new"));
            finish(&run);
        }
    }
}

static void a_look_that_gets_no_answer_stops_nothing(void **state)
{
    (void)state;
    for (unsigned hang_up = 0; hang_up < 2; hang_up++) {
        struct run run;
        begin(&run);
        run.wire.manners.head_unanswered = true;
        run.wire.manners.hang_up_unanswered = hang_up;
        tag_one(&run);
        expect_end(&run, REGTAG_OK);
        expect_outcome(&run, REGTAG_TAG_SET);
        assert_true(IS_NEW(&run, "new"));
        if (hang_up)
            assert_int_equal(run.wire.now, 0);
        finish(&run);
    }
}

static void a_digest_that_is_none_is_not_taken_for_one(void **state)
{
    static const char *const digests[] = {"x", "sha256:00", "md5:00"};
    (void)state;
    for (size_t i = 0; i < COUNT(digests); i++) {
        struct run run;
        char field[128];
        begin(&run);
        run.wire.manners.no_head_digest = true;
        run.wire.manners.no_digest = true;
        snprintf(field, sizeof field, "Docker-Content-Digest: %s\r\n", digests[i]);
        assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", one_name, 1), REGTAG_OK);
        while (step(&run))
            if (run.wire.requests == 1)
                run.wire.manners.fields = field;
        assert_string_not_equal(run.previous[0], digests[i]);
        finish(&run);
    }
}

/* The digest of a signed schema 1 manifest is not that of its bytes; and too much is not read. */
static void what_cannot_be_weighed_is_not_told(void **state)
{
    (void)state;
    for (unsigned large = 0; large < 2; large++) {
        struct run run;
        char *manifest;
        begin(&run);
        size_t size = run.config.manifest_max + large;
        manifest = malloc(size);
        assert_non_null(manifest);
        memset(manifest, ' ', size);
        memcpy(manifest, OLD, sizeof OLD - 1);
        wire_push(&run.wire, "new", large ? OCI : SCHEMA1, manifest, size);
        free(manifest);
        run.wire.manners.no_digest = true;
        run.wire.manners.no_head_digest = true;
        tag_one(&run);
        expect_end(&run, REGTAG_OK);
        expect_outcome(&run, REGTAG_TAG_SET);
        assert_string_equal(run.previous[0], "");
        assert_true(IS_NEW(&run, "new"));
        finish(&run);
    }
}

static void a_manifest_that_fills_the_memory_is_weighed(void **state)
{
    struct run run;
    char digest[72], *manifest;
    (void)state;
    begin(&run);
    size_t size = run.config.manifest_max;
    manifest = malloc(size);
    assert_non_null(manifest);
    memset(manifest, ' ', size);
    memcpy(manifest, OLD, sizeof OLD - 1);
    wire_push(&run.wire, "new", OCI, manifest, size);
    wire_digest(manifest, size, digest);
    free(manifest);
    run.wire.manners.no_digest = true;
    run.wire.manners.no_head_digest = true;
    tag_one(&run);
    expect_end(&run, REGTAG_OK);
    expect_outcome(&run, REGTAG_TAG_MOVED);
    assert_string_equal(run.previous[0], digest);
    finish(&run);
}

static void each_of_many_tags_has_its_own_past(void **state)
{
    static const char *const names[] = {"x", "new", "same", "y"};
    struct run run;
    (void)state;
    begin(&run);
    wire_push(&run.wire, "same", OCI, NEW, sizeof NEW - 1);
    assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", names, COUNT(names)), REGTAG_OK);
    run_on(&run);
    expect_end(&run, REGTAG_OK);
    expect_asked(&run, "GET base\nHEAD x\nHEAD new\nHEAD same\nHEAD y\nPUT x\nPUT new\nPUT y\n");
    assert_int_equal(run.outcome[0], REGTAG_TAG_CREATED);
    assert_int_equal(run.outcome[1], REGTAG_TAG_MOVED);
    assert_int_equal(run.outcome[2], REGTAG_TAG_UNCHANGED);
    assert_int_equal(run.outcome[3], REGTAG_TAG_CREATED);
    assert_string_equal(run.previous[0], "");
    assert_string_equal(run.previous[1], digest_of_old());
    assert_string_equal(run.previous[2], digest_of_new());
    assert_string_equal(run.previous[3], "");
    finish(&run);
}

/* ---- The HEAD that follows ------------------------------------------------------------------- */

static void a_server_that_closes_behind_the_first_answer_gets_the_second_request_again(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct run run;
        begin(&run);
        run.wire.manners.close_first = true;
        run.wire.seed = seed;
        tag_one(&run);
        expect_end(&run, REGTAG_OK);
        expect_outcome(&run, REGTAG_TAG_MOVED);
        expect_asked(&run, "GET base\nHEAD new\nPUT new\n");
        assert_int_equal(run.wire.connections, 2);
        finish(&run);
    }
}

static void a_server_that_ignores_what_follows_is_asked_one_at_a_time(void **state)
{
    static const char *const names[] = {"x", "new", "z"};
    struct run run;
    (void)state;
    begin(&run);
    run.wire.manners.ignores_pipelined = true;
    run.config.stall = 5000;
    begin_again(&run);
    assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", names, 3), REGTAG_OK);
    run_on(&run);
    expect_end(&run, REGTAG_OK);
    expect_asked(&run, "GET base\nHEAD x\nHEAD new\nHEAD z\nPUT x\nPUT new\nPUT z\n");
    assert_int_equal(run.outcome[0], REGTAG_TAG_CREATED);
    assert_int_equal(run.outcome[1], REGTAG_TAG_MOVED);
    assert_int_equal(run.outcome[2], REGTAG_TAG_CREATED);
    assert_int_equal(run.wire.now, 2000);
    finish(&run);
}

/* Without a stall it costs a part of the time, and no more. */
static void a_server_that_ignores_what_follows_does_not_eat_all_the_time(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.wire.manners.ignores_pipelined = true;
    tag_one(&run);
    expect_end(&run, REGTAG_OK);
    expect_outcome(&run, REGTAG_TAG_MOVED);
    assert_true(run.wire.now <= TIMEOUT / 4);
    finish(&run);
}

/* Behind the upload of one name the look at the next one follows; its answer is not about the first. */
static void what_has_followed_an_upload_is_not_taken_for_a_look_at_its_own_tag(void **state)
{
    static const char *const names[] = {"x", "same"};
    (void)state;
    for (unsigned stored = 0; stored < 2; stored++) {
        struct run run;
        begin(&run);
        wire_push(&run.wire, "same", OCI, stored ? OLD : NEW, strlen(stored ? OLD : NEW));
        run.wire.manners.put_status = 500;
        run.wire.manners.stores_anyway = stored;
        assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", names, 2), REGTAG_OK);
        run_on(&run);
        expect_end(&run, stored ? REGTAG_OK : REGTAG_E_SERVER_FAILED);
        assert_int_equal(run.outcome[0], stored ? REGTAG_TAG_CREATED : REGTAG_TAG_FAILED);
        assert_int_equal(run.outcome[1], stored ? REGTAG_TAG_MOVED : REGTAG_TAG_UNCHANGED);
        finish(&run);
    }
}

static void nothing_follows_where_a_challenge_is_to_be_expected(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.wire.manners.realm = "http://localhost/token";
    run.config.credentials.user = "u";
    run.config.credentials.password = "p";
    begin_again(&run);
    tag_one(&run);
    expect_end(&run, REGTAG_OK);
    expect_asked(&run, "GET base\nGET token?service=s&scope=repository%3Aa%3Apull%2Cpush\n"
                       "GET base\nHEAD new\nPUT new\n");
    assert_int_equal(run.wire.connections, 1);
    finish(&run);
}

static void what_has_followed_a_request_that_was_challenged_is_drained(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct run run;
        begin(&run);
        run.wire.manners.realm = seed % 2 ? "http://localhost/token" : "http://127.0.0.1/token";
        run.wire.manners.chunked = seed % 3 == 0;
        run.wire.seed = seed;
        tag_one(&run);
        expect_end(&run, REGTAG_OK);
        expect_outcome(&run, REGTAG_TAG_MOVED);
        expect_asked(&run, "GET base\nHEAD new\nGET token?service=s&scope=repository%3Aa%3Apull%2Cpush\n"
                           "GET base\nHEAD new\nPUT new\n");
        assert_int_equal(run.wire.connections, seed % 2 ? 1 : 2);
        finish(&run);
    }
}

static void a_challenge_is_answered_though_what_has_followed_it_is_not(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.wire.manners.realm = "http://localhost/token";
    run.wire.manners.ignores_pipelined = true;
    run.config.stall = 5000;
    begin_again(&run);
    tag_one(&run);
    expect_end(&run, REGTAG_OK);
    expect_truth(&run, "ignored");
    finish(&run);
}

/* The other server sees neither the look nor the token. */
static void nothing_follows_to_where_a_redirection_leads(void **state)
{
    (void)state;
    for (unsigned token = 0; token < 2; token++) {
        struct run run;
        begin(&run);
        run.wire.manners.location = "http://storage.example/v2/a/manifests/base";
        run.wire.manners.realm = token ? "http://localhost/token" : NULL;
        begin_again(&run);
        tag_one(&run);
        expect_end(&run, REGTAG_OK);
        expect_outcome(&run, REGTAG_TAG_MOVED);
        const char *there = run.wire.line[1].log.data;
        assert_int_equal(
            count_of(there, "GET /v2/a/manifests/base HTTP/1.1\r\nHost: storage.example\r\n"), 1);
        assert_int_equal(count_of(there, " HTTP/1.1\r\n"), 1);
        assert_int_equal(count_of(there, "Authorization"), 0);
        assert_string_equal(run.wire.line[1].host, "storage.example");
        finish(&run);
    }
}

/* ---- Dry runs -------------------------------------------------------------------------------- */

static void a_dry_run_tells_what_would_be_and_changes_nothing(void **state)
{
    static const struct {
        bool absent, same, hidden;
        enum regtag_outcome outcome;
    } cases[] = {{true, false, false, REGTAG_TAG_CREATED},
                 {false, true, false, REGTAG_TAG_UNCHANGED},
                 {false, false, true, REGTAG_TAG_SET},
                 {false, false, false, REGTAG_TAG_MOVED}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct run run;
        begin(&run);
        if (cases[i].absent)
            wire_delete(&run.wire, "new");
        if (cases[i].same)
            wire_push(&run.wire, "new", OCI, NEW, sizeof NEW - 1);
        if (cases[i].hidden)
            hide(&run, 403);
        run.config.dry_run = true;
        begin_again(&run);
        tag_one(&run);
        expect_end(&run, REGTAG_OK);
        expect_outcome(&run, cases[i].outcome);
        assert_int_equal(run.uploads, 0);
        expect_asked(&run, cases[i].hidden ? "GET base\nHEAD new\nGET new\n" : "GET base\nHEAD new\n");
        finish(&run);
    }
}

static void a_dry_run_looks_at_guards(void **state)
{
    static const char *const expected[] = {"absent"};
    struct run run;
    (void)state;
    begin(&run);
    run.config.dry_run = true;
    guard_with(&run, expected, 1);
    tag_one(&run);
    expect_end(&run, REGTAG_E_GUARD);
    finish(&run);
}

/* ---- Confirming ------------------------------------------------------------------------------ */

static void a_confirmed_tag_is_read_back(void **state)
{
    static const char *const names[] = {"x", "new"};
    struct run run;
    (void)state;
    begin(&run);
    run.config.confirm = true;
    begin_again(&run);
    assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", names, 2), REGTAG_OK);
    run_on(&run);
    expect_end(&run, REGTAG_OK);
    expect_asked(&run, "GET base\nHEAD x\nHEAD new\nPUT x\nHEAD x\nPUT new\nHEAD new\n");
    assert_int_equal(run.outcome[0], REGTAG_TAG_CREATED);
    assert_int_equal(run.outcome[1], REGTAG_TAG_MOVED);
    finish(&run);
}

static void a_tag_that_someone_else_moved_behind_the_upload_is_not_confirmed(void **state)
{
    (void)state;
    for (unsigned deleted = 0; deleted < 2; deleted++) {
        struct run run;
        begin(&run);
        run.config.confirm = true;
        begin_again(&run);
        run.wire.rival = (struct wire_rival){4, "new", OCI, deleted ? NULL : RIVAL};
        tag_one(&run);
        expect_end(&run, REGTAG_E_NOT_CONFIRMED);
        expect_outcome(&run, REGTAG_TAG_FAILED);
        assert_string_equal(run.previous[0], digest_of_old());
        finish(&run);
    }
}

static void an_upload_that_cannot_be_read_back_is_uncertain(void **state)
{
    (void)state;
    for (unsigned how = 0; how < 3; how++) {
        struct run run;
        begin(&run);
        run.config.confirm = true;
        begin_again(&run);
        run.wire.manners.fail_after = 3;
        run.wire.manners.fail = 100;
        run.wire.manners.fail_status = how == 0 ? 403 : how == 1 ? 500 : 0;
        tag_one(&run);
        expect_end(&run, REGTAG_E_UNCERTAIN);
        expect_outcome(&run, REGTAG_TAG_UNCERTAIN);
        assert_true(IS_NEW(&run, "new"));
        finish(&run);
    }
}

/* ---- Guards: what they say ------------------------------------------------------------------- */

static void expect_usage(const char *const *expected, size_t count, bool delete)
{
    struct run run;
    begin(&run);
    guard_with(&run, expected, count);
    enum regtag_status status = delete ? regtag_delete(run.regtag, "localhost/a:new")
                                       : regtag_tag(run.regtag, "localhost/a:base", one_name, 1);
    if (status != REGTAG_E_USAGE)
        fail_msg("\"%s\" is taken for a guard", expected[count - 1]);
    run_on(&run);
    expect_end(&run, REGTAG_E_USAGE);
    assert_int_equal(run.wire.connections, 0);
    finish(&run);
}

#define X64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void what_is_no_guard_is_refused_before_anything_is_sent(void **state)
{
    static const char *const guards[] = {
        "",
        "=",
        "=absent",
        "=sha256:" X64,
        "new",
        "new=",
        "new=new",
        "new==absent",
        "Absent",
        "absent ",
        " absent",
        "absent=new",
        "new=ABSENT",
        "sha256:",
        "sha256:" X64 "0",
        "sha256:0123456789abcdef",
        "sha256:" X64 "=absent",
        "SHA256:" X64,
        "new=sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef",
        "sha512:" X64 X64,
        "new=sha512:" X64 X64,
        "other=absent",
        "base=absent",
        "NEW=absent",
        "new =absent",
        "new= absent",
        "localhost/a:new=absent",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(guards); i++) {
        expect_usage(&guards[i], 1, false);
        expect_usage(&guards[i], 1, true);
    }
}

static void two_guards_for_the_same_are_refused(void **state)
{
    static const char *const pairs[][2] = {{"absent", "absent"},
                                           {"absent", "sha256:" X64},
                                           {"new=absent", "new=absent"},
                                           {"new=sha256:" X64, "new=absent"}};
    (void)state;
    for (size_t i = 0; i < COUNT(pairs); i++) {
        expect_usage(pairs[i], 2, false);
        expect_usage(pairs[i], 2, true);
    }
}

static void a_refused_guard_is_named(void **state)
{
    static const char *const expected[] = {"absent", "other=absent"};
    struct run run;
    const char *text;
    (void)state;
    begin(&run);
    guard_with(&run, expected, 2);
    assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", one_name, 1), REGTAG_E_USAGE);
    assert_int_equal(regtag_error(run.regtag, &text), REGTAG_E_USAGE);
    assert_non_null(strstr(text, "\"other=absent\""));
    finish(&run);
}

/* ---- Guards: what they do -------------------------------------------------------------------- */

static void a_guard_that_holds_lets_the_tag_be_moved(void **state)
{
    (void)state;
    for (unsigned named = 0; named < 2; named++) {
        struct run run;
        char text[128];
        const char *expected[] = {text};
        begin(&run);
        snprintf(text, sizeof text, "%s%s", named ? "new=" : "", digest_of_old());
        guard_with(&run, expected, 1);
        tag_one(&run);
        expect_end(&run, REGTAG_OK);
        expect_outcome(&run, REGTAG_TAG_MOVED);
        expect_asked(&run, "GET base\nHEAD new\nPUT new\n");
        finish(&run);
    }
}

static void a_guard_that_does_not_hold_leaves_the_tag_alone(void **state)
{
    static const struct {
        const char *expected;
        bool absent;
        const char *shown; /* in the message */
    } cases[] = {
        {"absent", false, NULL},
        {"new=absent", false, NULL},
        {"sha256:" X64, false, "sha256:" X64},
        {"new=sha256:" X64, false, "sha256:" X64},
        {"sha256:" X64, true, "sha256:" X64},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct run run;
        const char *text;
        begin(&run);
        if (cases[i].absent)
            wire_delete(&run.wire, "new");
        guard_with(&run, &cases[i].expected, 1);
        tag_one(&run);
        expect_end(&run, REGTAG_E_GUARD);
        expect_outcome(&run, REGTAG_TAG_FAILED);
        assert_int_equal(run.uploads, 0);
        assert_int_equal(run.wire.puts, 0);
        assert_int_equal(run.status[0], REGTAG_E_GUARD);
        assert_string_equal(run.previous[0], cases[i].absent ? "" : digest_of_old());
        regtag_error(run.regtag, &text);
        assert_non_null(strstr(text, cases[i].absent ? "does not exist" : digest_of_old()));
        assert_int_equal(strstr(cases[i].expected, "absent") != NULL,
                         strstr(text, "already exists") != NULL);
        if (cases[i].shown)
            assert_non_null(strstr(text, cases[i].shown));
        finish(&run);
    }
}

/* Where it should be is not where it may be moved from. */
static void a_guard_is_looked_at_though_the_tag_is_there_already(void **state)
{
    static const char *const absent[] = {"absent"};
    struct run run;
    const char *expected[1];
    (void)state;
    begin(&run);
    wire_push(&run.wire, "new", OCI, NEW, sizeof NEW - 1);
    guard_with(&run, absent, 1);
    tag_one(&run);
    expect_end(&run, REGTAG_E_GUARD);
    finish(&run);

    begin(&run);
    wire_push(&run.wire, "new", OCI, NEW, sizeof NEW - 1);
    expected[0] = digest_of_new();
    guard_with(&run, expected, 1);
    tag_one(&run);
    expect_end(&run, REGTAG_OK);
    expect_outcome(&run, REGTAG_TAG_UNCHANGED);
    finish(&run);
}

static void a_guard_for_one_tag_wins_over_the_one_for_all(void **state)
{
    (void)state;
    for (unsigned order = 0; order < 2; order++) {
        static const char *const names[] = {"x", "new", "y"};
        struct run run;
        char text[128];
        const char *expected[2];
        begin(&run);
        snprintf(text, sizeof text, "new=%s", digest_of_old());
        expected[order] = "absent";
        expected[!order] = text;
        guard_with(&run, expected, 2);
        assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", names, 3), REGTAG_OK);
        run_on(&run);
        expect_end(&run, REGTAG_OK);
        assert_int_equal(run.outcome[0], REGTAG_TAG_CREATED);
        assert_int_equal(run.outcome[1], REGTAG_TAG_MOVED);
        assert_int_equal(run.outcome[2], REGTAG_TAG_CREATED);
        finish(&run);
    }
}

static void a_guard_for_one_tag_does_not_hold_the_others(void **state)
{
    static const char *const names[] = {"x", "new", "y"};
    static const char *const expected[] = {"new=absent"};
    struct run run;
    (void)state;
    begin(&run);
    guard_with(&run, expected, 1);
    assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", names, 3), REGTAG_OK);
    run_on(&run);
    expect_end(&run, REGTAG_E_GUARD);
    assert_int_equal(run.outcome[0], REGTAG_TAG_CREATED);
    assert_int_equal(run.outcome[1], REGTAG_TAG_FAILED);
    assert_int_equal(run.status[1], REGTAG_E_GUARD);
    assert_int_equal(run.outcome[2], REGTAG_TAG_CREATED);
    assert_true(IS_OLD(&run, "new"));
    finish(&run);
}

static void a_tag_that_cannot_be_seen_is_left_alone_with_a_guard(void **state)
{
    static const struct {
        unsigned http;
        enum regtag_status status;
    } cases[] = {
        {400, REGTAG_E_GUARD},         {403, REGTAG_E_GUARD},     {405, REGTAG_E_GUARD},
        {412, REGTAG_E_GUARD},         {429, REGTAG_E_SLOW_DOWN}, {500, REGTAG_E_SERVER_FAILED},
        {503, REGTAG_E_SERVER_FAILED},
    };
    static const char *const guards[] = {"absent", "sha256:" X64, NULL};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (size_t g = 0; g < COUNT(guards); g++) {
            struct run run;
            const char *expected[] = {guards[g] ? guards[g] : digest_of_old()};
            begin(&run);
            hide(&run, cases[i].http);
            guard_with(&run, expected, 1);
            tag_one(&run);
            expect_end(&run, cases[i].status);
            expect_outcome(&run, REGTAG_TAG_FAILED);
            assert_int_equal(run.wire.puts, 0);
            assert_int_equal(run.uploads, 0);
            finish(&run);
        }
    }
}

static void a_tag_that_nobody_tells_of_is_left_alone_with_a_guard(void **state)
{
    (void)state;
    for (unsigned hang_up = 0; hang_up < 2; hang_up++) {
        struct run run;
        const char *expected[] = {digest_of_old()};
        begin(&run);
        run.wire.manners.head_unanswered = true;
        run.wire.manners.hang_up_unanswered = hang_up;
        guard_with(&run, expected, 1);
        tag_one(&run);
        expect_end(&run, hang_up ? REGTAG_E_NO_CONNECTION : REGTAG_E_TIMEOUT);
        expect_truth(&run, "unseen");
        assert_int_equal(run.wire.puts, 0);
        assert_true(run.wire.now <= TIMEOUT);
        finish(&run);
    }
}

static void a_guard_holds_where_the_digest_has_to_be_computed(void **state)
{
    (void)state;
    for (unsigned good = 0; good < 2; good++) {
        struct run run;
        const char *expected[] = {good ? digest_of_old() : ZEROS};
        begin(&run);
        run.wire.manners.no_digest = true;
        run.wire.manners.no_head_digest = true;
        guard_with(&run, expected, 1);
        tag_one(&run);
        expect_end(&run, good ? REGTAG_OK : REGTAG_E_GUARD);
        expect_outcome(&run, good ? REGTAG_TAG_MOVED : REGTAG_TAG_FAILED);
        expect_truth(&run, "computed");
        finish(&run);
    }
}

static void a_stated_digest_that_is_not_that_of_the_bytes_is_not_believed(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.wire.manners.no_head_digest = true;
    run.wire.manners.delay = 10; /* so that there is a step between a request and the next */
    assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", one_name, 1), REGTAG_OK);
    while (step(&run))
        run.wire.manners.claim = run.wire.requests == 2 ? ZEROS : NULL; /* what weighs it is the third */
    expect_asked(&run, "GET base\nHEAD new\nGET new\nPUT new\n");
    expect_end(&run, REGTAG_OK);
    expect_outcome(&run, REGTAG_TAG_SET);
    assert_string_equal(run.previous[0], "");
    finish(&run);
}

static void why_a_tag_cannot_be_seen_is_told(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    take_notes(&run, false);
    run.wire.quirk[0] = (struct wire_quirk){
        .request = "HEAD new",
        .instead = "HTTP/1.1 200 OK\r\nDocker-Content-Digest: sha256:12\r\nContent-Length: 9\r\n\r\n"};
    tag_one(&run);
    expect_end(&run, REGTAG_OK);
    expect_outcome(&run, REGTAG_TAG_SET);
    assert_non_null(
        strstr(run.notes, "cannot tell where new points: the registry states a malformed digest"));
    finish(&run);
}

/* ---- Preconditions --------------------------------------------------------------------------- */

/* What a lookup of "new" has stated, and what goes along with the guarded upload behind it. */
static void a_strong_etag_goes_back_unchanged(void **state)
{
#define TEN "xxxxxxxxxx"
#define FIFTY TEN TEN TEN TEN TEN
    static const struct {
        const char *fields, *sent; /* NULL: nothing */
    } cases[] = {
        {"", NULL},
        {"ETag: \"a\"\r\n", "If-Match: \"a\"\r\n"},
        {"etag:\"\"\r\n", "If-Match: \"\"\r\n"},
        {"ETag: \"!#$%&'*~\\/W/\"\r\n", "If-Match: \"!#$%&'*~\\/W/\"\r\n"},
        {"ETag: \"\x80\xff\"\r\n", "If-Match: \"\x80\xff\"\r\n"},
        {"ETag: \"a\"\r\nETag: \"a\"\r\n", "If-Match: \"a\"\r\n"},
        {"ETag: \"" FIFTY FIFTY TEN TEN "123456\"\r\n",
         "If-Match: \"" FIFTY FIFTY TEN TEN "123456\"\r\n"},
        {"ETag: \"" FIFTY FIFTY TEN TEN "1234567\"\r\n", NULL},
        {"ETag: W/\"a\"\r\n", NULL},
        {"ETag: w/\"a\"\r\n", NULL},
        {"ETag: a\r\n", NULL},
        {"ETag: *\r\n", NULL},
        {"ETag:\r\n", NULL},
        {"ETag: \"\r\n", NULL},
        {"ETag: \"a\r\n", NULL},
        {"ETag: a\"\r\n", NULL},
        {"ETag: 'a'\r\n", NULL},
        {"ETag: \"a b\"\r\n", NULL},
        {"ETag: \"a\tb\"\r\n", NULL},
        {"ETag: \"a\"b\"\r\n", NULL},
        {"ETag: \"a\", \"b\"\r\n", NULL},
        {"ETag: \"a\"\r\nETag: \"b\"\r\n", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *guard[] = {digest_of_old()};
        struct run run;
        begin(&run);
        run.wire.manners.fields = cases[i].fields;
        guard_with(&run, guard, 1);
        tag_one(&run);
        expect_end(&run, REGTAG_OK);
        const char *put = strstr(run.wire.log.data, "PUT /v2/a/manifests/new");
        assert_non_null(put);
        if (cases[i].sent ? !strstr(put, cases[i].sent) : strstr(run.wire.log.data, "If-Match") != NULL)
            fail_msg("%s", cases[i].fields);
        assert_null(strstr(run.wire.log.data, "If-None-Match"));
        finish(&run);
    }
}

/* Where the tag still is what the guard says, a registry that refuses the condition did not understand it. */
static void a_condition_that_is_refused_is_left_out(void **state)
{
    static const unsigned statuses[] = {400, 412, 428, 501, 402, 411, 413, 427};
    (void)state;
    for (size_t i = 0; i < COUNT(statuses); i++) {
        const char *guard[] = {digest_of_old()};
        struct run run;
        begin(&run);
        run.wire.manners.fields = "ETag: \"a\"\r\n";
        run.wire.manners.fail_method = "PUT";
        run.wire.manners.fail = 1;
        run.wire.manners.fail_status = statuses[i];
        guard_with(&run, guard, 1);
        tag_one(&run);
        if (i < 4)
            expect_end(&run, REGTAG_OK);
        else
            assert_int_equal(run.end, REGTAG_ERROR);
        expect_asked(&run, i < 4 ? "GET base\nHEAD new\nPUT new\nHEAD new\nPUT new\n"
                                 : "GET base\nHEAD new\nPUT new\n");
        assert_int_equal(count_of(run.wire.log.data, "If-Match: \"a\"\r\n"), 1);
        finish(&run);
    }
}

/* ---- Where tags do not move ------------------------------------------------------------------ */

static void a_tag_that_must_not_be_moved_and_is_there_is_unchanged(void **state)
{
    static const unsigned statuses[] = {400, 405, 409, 412};
    (void)state;
    for (size_t i = 0; i < COUNT(statuses); i++) {
        struct run run;
        begin(&run);
        wire_push(&run.wire, "new", OCI, NEW, sizeof NEW - 1);
        run.wire.manners.put_status = statuses[i];
        hide_once(&run, 1); /* it is not to be seen before */
        tag_one(&run);
        expect_end(&run, REGTAG_OK);
        expect_outcome(&run, REGTAG_TAG_UNCHANGED);
        expect_asked(&run, "GET base\nHEAD new\nGET new\nPUT new\nHEAD new\n");
        finish(&run);
    }
}

static void a_tag_that_was_seen_before_is_not_looked_at_when_it_must_not_be_moved(void **state)
{
    (void)state;
    for (unsigned absent = 0; absent < 2; absent++) {
        struct run run;
        begin(&run);
        if (absent)
            wire_delete(&run.wire, "new");
        run.wire.manners.put_status = 409;
        tag_one(&run);
        expect_end(&run, REGTAG_E_IMMUTABLE);
        expect_outcome(&run, REGTAG_TAG_FAILED);
        expect_asked(&run, "GET base\nHEAD new\nPUT new\n");
        finish(&run);
    }
}

/* What became of the first upload is not known, whatever becomes of the second. */
static void an_upload_that_was_not_answered_stays_uncertain_when_the_next_one_fails(void **state)
{
    static const unsigned statuses[] = {0, 403, 409, 413, 429, 500};
    (void)state;
    for (size_t i = 0; i < COUNT(statuses); i++) {
        struct run run;
        begin(&run);
        run.config.retries = 1;
        begin_again(&run);
        run.wire.manners.delay = 10; /* so that there is a step between a request and the next */
        hide(&run, 403);
        run.wire.manners.close_after_each = true;
        run.wire.manners.fail_method = "PUT";
        run.wire.manners.fail = 1; /* with a reset */
        run.wire.manners.stores_anyway = true;
        assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", one_name, 1), REGTAG_OK);
        while (step(&run))
            if (run.wire.puts == 1) {
                run.wire.manners.put_status = statuses[i];
                run.wire.manners.stores_anyway = false;
                run.wire.refused = statuses[i] == 0 && run.wire.heads == 3 ? 1 : 0;
            }
        assert_int_equal(run.wire.puts, statuses[i] == 0 ? 1 : 2);
        expect_end(&run, REGTAG_E_UNCERTAIN);
        expect_outcome(&run, REGTAG_TAG_UNCERTAIN);
        finish(&run);
    }
}

/* A guarded tag, which has the connection for itself, is declined: the one before it, whose upload got no answer, is looked
 * at on that connection. */
static void a_declined_guarded_tag_leaves_the_connection_to_others(void **state)
{
    static const char *const names[] = {"one", "new"};
    char guard[80];
    const char *expected[] = {guard};
    struct run run;
    (void)state;
    begin(&run);
    snprintf(guard, sizeof guard, "new=%s", digest_of_old());
    guard_with(&run, expected, 1);
    run.wire.quirk[0] = (struct wire_quirk){
        .request = "PUT one", .instead = "", .done = true, .delay = 500, .ending = WIRE_RESETS};
    assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", names, 2), REGTAG_OK);
    while (step(&run))
        if (run.end == REGTAG_UPLOAD && strcmp(regtag_result(run.regtag)->name, "new") == 0)
            regtag_decline(run.regtag, "it is not wanted any more");
    expect_end(&run, REGTAG_E_OTHER);
    assert_int_equal(run.outcome[0], REGTAG_TAG_CREATED);
    assert_int_equal(run.outcome[1], REGTAG_TAG_FAILED);
    assert_true(run.wire.now < TIMEOUT && IS_NEW(&run, "one") && IS_OLD(&run, "new"));
    finish(&run);
}

static int all_zeros(void *context, void *bytes, size_t size)
{
    (void)context;
    memset(bytes, 0, size);
    return 0;
}

/* Jitter is a part of the backoff, from nothing to all of it. */
static void a_backoff_may_be_none_at_all(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.config.retries = 1;
    run.config.random.bytes = all_zeros;
    run.wire.manners.close_after_each = true;
    begin_again(&run);
    assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", (const char *const[]){"new"}, 1),
                     REGTAG_OK);
    while (step(&run))
        if (run.end == REGTAG_UPLOAD)
            run.wire.refused = 1;
    expect_end(&run, REGTAG_OK);
    expect_outcome(&run, REGTAG_TAG_MOVED);
    assert_int_equal(run.wire.refused, 0);
    assert_int_equal(run.wire.now, 0);
    finish(&run);
}

/* ---- Deleting -------------------------------------------------------------------------------- */

static void a_tag_is_deleted_and_looked_at_again(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    delete_one(&run);
    expect_end(&run, REGTAG_OK);
    expect_outcome(&run, REGTAG_TAG_DELETED);
    expect_asked(&run, "HEAD new\nDELETE new\nHEAD new\nGET new\n");
    assert_string_equal(run.previous[0], digest_of_old());
    assert_string_equal(run.name[0], "new");
    assert_int_equal(run.uploads, 1);
    assert_int_equal(run.wire.connections, 1);
    assert_null(wire_find(&run.wire, "new"));
    assert_non_null(wire_find(&run.wire, "base"));
    finish(&run);
}

static void a_deletion_is_announced_before_it_is_sent(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.refuses_upload = true;
    delete_one(&run);
    assert_int_equal(run.end, REGTAG_UPLOAD);
    assert_string_equal(regtag_result(run.regtag)->name, "new");
    assert_string_equal(regtag_result(run.regtag)->digest, "");
    assert_string_equal(regtag_result(run.regtag)->previous, digest_of_old());
    expect_asked(&run, "HEAD new\n");
    finish(&run);
}

static void a_tag_that_is_not_there_cannot_be_deleted(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    wire_delete(&run.wire, "new");
    delete_one(&run);
    expect_end(&run, REGTAG_E_NOT_FOUND);
    expect_outcome(&run, REGTAG_TAG_FAILED);
    assert_int_equal(run.wire.deletes, 0);
    finish(&run);
}

static void what_names_no_tag_is_not_deleted(void **state)
{
    static const char *const images[] = {"localhost/a@sha256:" X64, "localhost/a:new@sha256:" X64,
                                         "localhost/a:", "", "localhost:80"};
    (void)state;
    for (size_t i = 0; i < COUNT(images); i++) {
        struct run run;
        begin(&run);
        if (regtag_delete(run.regtag, images[i]) != REGTAG_E_USAGE)
            fail_msg("\"%s\" is taken", images[i]);
        run_on(&run);
        expect_end(&run, REGTAG_E_USAGE);
        assert_int_equal(run.wire.connections, 0);
        finish(&run);
    }
}

static void a_tag_that_cannot_be_seen_is_deleted_without_a_guard(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    hide_once(&run, 0);
    delete_one(&run);
    expect_end(&run, REGTAG_OK);
    expect_outcome(&run, REGTAG_TAG_DELETED);
    assert_string_equal(run.previous[0], "");
    finish(&run);
}

static void a_deletion_is_guarded(void **state)
{
    static const struct {
        const char *expected; /* NULL: what it is */
        bool absent;
        enum regtag_status status;
    } cases[] = {{NULL, false, REGTAG_OK},
                 {"absent", false, REGTAG_E_GUARD},
                 {"sha256:" X64, false, REGTAG_E_GUARD},
                 {"new=sha256:" X64, false, REGTAG_E_GUARD},
                 {"sha256:" X64, true, REGTAG_E_GUARD},
                 {"absent", true, REGTAG_E_NOT_FOUND}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct run run;
        const char *expected[] = {cases[i].expected ? cases[i].expected : digest_of_old()};
        begin(&run);
        if (cases[i].absent)
            wire_delete(&run.wire, "new");
        guard_with(&run, expected, 1);
        delete_one(&run);
        expect_end(&run, cases[i].status);
        assert_int_equal(run.wire.deletes, cases[i].status == REGTAG_OK);
        expect_outcome(&run, cases[i].status == REGTAG_OK ? REGTAG_TAG_DELETED : REGTAG_TAG_FAILED);
        finish(&run);
    }
}

static void a_dry_deletion_deletes_nothing(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.config.dry_run = true;
    begin_again(&run);
    delete_one(&run);
    expect_end(&run, REGTAG_OK);
    expect_outcome(&run, REGTAG_TAG_DELETED);
    expect_asked(&run, "HEAD new\n");
    assert_int_equal(run.uploads, 0);
    finish(&run);
}

static void statuses_of_deletions_have_their_meanings(void **state)
{
    static const struct {
        unsigned http;
        enum regtag_status status;
    } cases[] = {{200, REGTAG_OK},
                 {202, REGTAG_OK},
                 {204, REGTAG_OK},
                 {400, REGTAG_E_IMMUTABLE},
                 {401, REGTAG_E_DENIED},
                 {403, REGTAG_E_DENIED},
                 {405, REGTAG_E_IMMUTABLE},
                 {409, REGTAG_E_IMMUTABLE},
                 {412, REGTAG_E_IMMUTABLE},
                 {429, REGTAG_E_SLOW_DOWN},
                 {500, REGTAG_E_SERVER_FAILED},
                 {503, REGTAG_E_SERVER_FAILED}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct run run;
        begin(&run);
        run.wire.manners.delete_status = cases[i].http;
        delete_one(&run);
        if (regtag_error(run.regtag, NULL) != cases[i].status)
            fail_msg("HTTP %u became %d", cases[i].http, regtag_error(run.regtag, NULL));
        expect_outcome(&run, cases[i].status ? REGTAG_TAG_FAILED : REGTAG_TAG_DELETED);
        assert_int_equal(wire_find(&run.wire, "new") == NULL, cases[i].status == REGTAG_OK);
        finish(&run);
    }
}

static void a_deletion_that_was_taken_and_shows_no_effect_is_uncertain(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.wire.manners.deletes_never = true;
    delete_one(&run);
    expect_end(&run, REGTAG_E_UNCERTAIN);
    expect_outcome(&run, REGTAG_TAG_UNCERTAIN);
    finish(&run);
}

static void a_failed_or_unanswered_deletion_is_looked_at(void **state)
{
    (void)state;
    for (unsigned how = 0; how < 3; how++) {
        struct run run;
        begin(&run);
        run.wire.manners.delete_status = how == 0 ? 502 : 0;
        run.wire.manners.deletes_anyway = how == 0;
        run.wire.manners.delete_unanswered = how > 0;
        run.wire.manners.hang_up_unanswered = how == 2;
        delete_one(&run);
        expect_end(&run, REGTAG_OK);
        expect_outcome(&run, REGTAG_TAG_DELETED);
        assert_true(run.wire.now <= TIMEOUT);
        finish(&run);
    }
}

static void an_unanswered_deletion_and_an_unanswered_look_are_uncertain(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.wire.manners.delete_unanswered = true;
    run.wire.manners.hang_up_unanswered = true;
    run.wire.manners.fail_method = "HEAD";
    run.wire.manners.fail_after = 1;
    run.wire.manners.fail = 100;
    delete_one(&run);
    expect_end(&run, REGTAG_E_UNCERTAIN);
    expect_outcome(&run, REGTAG_TAG_UNCERTAIN);
    finish(&run);
}

/* A look that fails takes nothing from what an earlier one has seen. */
static void a_retried_deletion_keeps_its_past_though_it_cannot_be_seen_again(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.config.retries = 1;
    begin_again(&run);
    run.wire.manners.fail_method = "DELETE";
    run.wire.manners.fail = 1;
    run.wire.manners.fail_status = 429;
    run.wire.quirk[0] = (struct wire_quirk){
        .request = "HEAD new", .instead = "HTTP/1.1 500 No\r\n\r\n", .after = 1, .times = 1};
    delete_one(&run);
    expect_end(&run, REGTAG_OK);
    expect_outcome(&run, REGTAG_TAG_DELETED);
    assert_int_equal(run.wire.quirk[0].seen > 1, true);
    assert_string_equal(run.previous[0], digest_of_old());
    finish(&run);
}

/* The first DELETE gets no answer, and may be tried twice more. */
static void lose_the_deletion(struct run *run)
{
    run->config.retries = 2;
    begin_again(run);
    run->wire.quirk[0] =
        (struct wire_quirk){.request = "DELETE new", .instead = "", .ending = WIRE_RESETS};
}

/* A first request that got no answer was carried out after all, and the second one finds nothing. */
static void a_deletion_that_comes_late_is_ours(void **state)
{
    (void)state;
    for (unsigned at = 3; at < 7; at++) {
        struct run run;
        begin(&run);
        lose_the_deletion(&run);
        run.wire.rival = (struct wire_rival){.at = at, .tag = "new"};
        delete_one(&run);
        expect_end(&run, REGTAG_OK);
        expect_outcome(&run, REGTAG_TAG_DELETED);
        assert_null(wire_find(&run.wire, "new"));
        finish(&run);
    }
}

/* The same, but it is there still. */
static void a_tag_that_is_there_after_a_lost_deletion_is_not_deleted(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    lose_the_deletion(&run);
    run.wire.quirk[1] = (struct wire_quirk){.request = "DELETE new",
                                            .instead = "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n",
                                            .after = 1,
                                            .times = 9};
    delete_one(&run);
    assert_int_equal(run.end, REGTAG_ERROR);
    assert_true(IS_OLD(&run, "new"));
    assert_int_not_equal(run.outcome[0], REGTAG_TAG_DELETED);
    finish(&run);
}

/* The second look says where the tag is, and not why the first one could not. */
static void what_the_second_look_shows_is_told(void **state)
{
    char words[120];
    struct run run;
    (void)state;
    begin(&run);
    run.wire.quirk[0] = (struct wire_quirk){.request = "HEAD new", .instead = "HTTP/1.1 500 No\r\n\r\n"};
    run.wire.quirk[1] =
        (struct wire_quirk){.request = "PUT new", .instead = "", .times = 9, .ending = WIRE_RESETS};
    tag_one(&run);
    expect_end(&run, REGTAG_E_UNCERTAIN);
    expect_outcome(&run, REGTAG_TAG_UNCERTAIN);
    snprintf(words, sizeof words, "a second look: it points to %s", digest_of_old());
    expect_text(&run, words);
    finish(&run);
}

/* ---- Whoever calls late ---------------------------------------------------------------------- */

/* The program writes its journal, and that takes longer than there is time. */
static void nothing_is_changed_behind_the_deadline(void **state)
{
    (void)state;
    for (unsigned delete = 0; delete < 2; delete ++) {
        struct run run;
        begin(&run);
        run.refuses_upload = true;
        if (delete)
            delete_one(&run);
        else
            tag_one(&run);
        assert_int_equal(run.end, REGTAG_UPLOAD);
        run.refuses_upload = false;
        run.wire.now = 3 * TIMEOUT;
        run_on(&run);
        expect_end(&run, REGTAG_E_TIMEOUT);
        expect_outcome(&run, REGTAG_TAG_FAILED);
        assert_int_equal(run.wire.puts + run.wire.deletes, 0);
        assert_int_equal(run.wire.now, 3 * TIMEOUT);
        finish(&run);
    }
}

/* ---- Faults at every byte -------------------------------------------------------------------- */

/* How an operation is set out, whatever happens to it then. */
struct setting {
    const char *label;
    bool delete, guarded, confirm, absent;
    unsigned retries;
    struct wire_manners manners;
};

static const struct setting settings[] = {
    {.label = "tag, retried", .retries = 2},
    {.label = "tag, guarded", .guarded = true},
    {.label = "tag, guarded, retried", .guarded = true, .retries = 2},
    {.label = "tag, confirmed", .confirm = true},
    {.label = "tag, guarded, confirmed, retried", .guarded = true, .confirm = true, .retries = 2},
    {.label = "tag, weighed, guarded, retried",
     .guarded = true,
     .retries = 2,
     .manners = {.no_digest = true, .no_head_digest = true}},
    {.label = "tag, new, guarded, retried", .guarded = true, .absent = true, .retries = 2},
    {.label = "tag, token, guarded, retried",
     .guarded = true,
     .retries = 2,
     .manners = {.realm = "http://127.0.0.1/token"}},
    {.label = "delete", .delete = true},
    {.label = "delete, retried", .delete = true, .retries = 2},
    {.label = "delete, guarded, retried", .delete = true, .guarded = true, .retries = 2},
    {.label = "tag, HEAD 404, guarded, retried",
     .guarded = true,
     .retries = 2,
     .manners = {.head_status = 404}},
    {.label = "tag, HEAD 404 from the second on, guarded, confirmed, retried",
     .guarded = true,
     .confirm = true,
     .retries = 2,
     .manners = {.head_status = 404, .head_right = 1}},
    {.label = "tag, HEAD 405, guarded, retried",
     .guarded = true,
     .retries = 2,
     .manners = {.head_status = 405}},
    {.label = "tag, new, HEAD 403, guarded, retried",
     .guarded = true,
     .absent = true,
     .retries = 2,
     .manners = {.head_status = 404, .absent_head = 403}},
    {.label = "delete, HEAD 404, retried",
     .delete = true,
     .retries = 2,
     .manners = {.head_status = 404}},
    {.label = "delete, HEAD 404 from the second on, guarded, retried",
     .delete = true,
     .guarded = true,
     .retries = 2,
     .manners = {.head_status = 404, .head_right = 1}},
};

static void set_out(struct run *run, const struct setting *s, const char **expected)
{
    begin(run);
    if (s->absent)
        wire_delete(&run->wire, "new");
    run->wire.watched = "new";
    run->wire.manners = s->manners;
    run->config.retries = s->retries;
    run->config.confirm = s->confirm;
    run->config.expected = expected;
    run->config.expected_count = s->guarded;
    *expected = s->absent ? "absent" : digest_of_old();
    begin_again(run);
}

/* Nothing is changed but what was seen to be as expected, and nothing is told but what has happened. */
static void expect_right(const struct run *run, const struct setting *s, const char *when)
{
    const char *expected = s->absent ? "absent" : digest_of_old();
    enum regtag_outcome outcome = run->outcome[0];
    bool good = is_good(outcome);
    if (run->settled != 1)
        fail_msg("%s: %zu names are settled", when, run->settled);
    for (unsigned i = 0; s->guarded && i < run->wire.changes; i++) {
        if (strcmp(run->wire.upon[i], expected) != 0)
            fail_msg("%s: it was changed upon %s", when, run->wire.upon[i]);
    }
    bool elsewhere = s->delete &&run->wire.rival.at; /* someone else may have deleted it */
    if (good && run->wire.changes == 0 && !elsewhere)
        fail_msg("%s: it is said to be done (%d), and nothing was", when, outcome);
    if (outcome == REGTAG_TAG_FAILED && run->wire.changes > 0 &&
        run->status[0] != REGTAG_E_NOT_CONFIRMED && run->wire.rival.at == 0)
        fail_msg("%s: it is said not to be done (%d), and was", when, run->status[0]);
    if ((outcome == REGTAG_TAG_DELETED) != (good && s->delete))
        fail_msg("%s: the outcome is %d", when, outcome);
    if (outcome == REGTAG_TAG_CREATED && !s->absent && run->wire.rival.at == 0)
        fail_msg("%s: it is said to be created", when);
    if (outcome == REGTAG_TAG_MOVED && s->absent && run->wire.rival.at == 0)
        fail_msg("%s: it is said to have moved", when);
    if (outcome == REGTAG_TAG_UNCHANGED)
        fail_msg("%s: it is said to be unchanged", when);
    if (s->guarded && good && outcome == REGTAG_TAG_SET)
        fail_msg("%s: it was guarded, and is said to have been unknown", when);
    if ((outcome == REGTAG_TAG_UNCERTAIN) != (run->status[0] == REGTAG_E_UNCERTAIN))
        fail_msg("%s: the outcome is %d, the status %d", when, outcome, run->status[0]);
    if (run->wire.now > TIMEOUT)
        fail_msg("%s: it took %llu ms", when, (unsigned long long)run->wire.now);
}

/* Without a rival: where the tag is in the end. */
static void expect_place(const struct run *run, const struct setting *s, const char *when)
{
    bool there = wire_find(&run->wire, "new") != NULL;
    bool was = s->absent ? !there : IS_OLD(run, "new");
    bool done = s->delete ? !there : IS_NEW(run, "new");
    if (!was && !done)
        fail_msg("%s: the tag is neither where it was nor where it should be", when);
    if (is_good(run->outcome[0]) != done && run->outcome[0] != REGTAG_TAG_UNCERTAIN)
        fail_msg("%s: the outcome is %d, status %d, but in truth %s", when, run->outcome[0],
                 run->status[0], done ? "it is done" : "it is not");
}

static void run_setting(struct run *run, const struct setting *s)
{
    if (s->delete)
        delete_one(run);
    else
        tag_one(run);
}

static void a_fault_at_any_byte_is_told_truly(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(settings); i++) {
        for (unsigned kind = 0; kind < 5; kind++) {
            /* writing fails; reading fails or ends; once or for good */
            bool writing = kind == 4, orderly = kind & 1, lasting = kind & 2;
            bool hit = true;
            for (uint64_t at = 0; hit; at++) {
                struct run run;
                const char *expected;
                char when[160];
                set_out(&run, &settings[i], &expected);
                run.wire.fault = (struct wire_fault){true, writing, at, orderly, lasting};
                run.wire.seed = at % 3;
                snprintf(when, sizeof when, "%s: %s %s %s at byte %llu", settings[i].label,
                         writing ? "writing" : "reading", orderly ? "ends" : "fails",
                         lasting ? "for good" : "once", (unsigned long long)at);
                run_setting(&run, &settings[i]);
                expect_right(&run, &settings[i], when);
                expect_place(&run, &settings[i], when);
                if (settings[i].retries && !orderly && !lasting && !is_good(run.outcome[0]))
                    fail_msg("%s: one fault is not got over: status %d", when, run.status[0]);
                hit = !run.wire.fault.armed;
                finish(&run);
            }
        }
    }
}

/* What was not sent whole cannot have been taken: that is no doubt, and needs no look. */
static void an_upload_that_was_not_sent_whole_has_failed(void **state)
{
    uint64_t begins = 0, ends = 1;
    (void)state;
    for (uint64_t at = 0; at < ends; at++) {
        struct run run;
        begin(&run);
        run.wire.manners.close_after_each = true; /* so that no connection has been used before */
        run.wire.fault = (struct wire_fault){at > 0, true, begins + at, false, false};
        tag_one(&run);
        if (at == 0) { /* nothing breaks yet */
            expect_end(&run, REGTAG_OK);
            begins = (uint64_t)(strstr(run.wire.log.data, "PUT /") - run.wire.log.data);
            ends = run.wire.sent - begins;
            assert_true(ends > sizeof NEW);
        } else {
            expect_end(&run, REGTAG_E_NO_CONNECTION);
            expect_outcome(&run, REGTAG_TAG_FAILED);
            assert_int_equal(run.wire.heads, 1);
        }
        finish(&run);
    }
}

/* Each request in turn fails, with each of these, so many times, and what it asks for is done or not. */
static void a_failure_at_any_request_is_told_truly(void **state)
{
    static const unsigned statuses[] = {0, 500, 503, 403, 409, 429};
    (void)state;
    for (size_t i = 0; i < COUNT(settings); i++) {
        for (unsigned choice = 0; choice < 9 * 3 * 2 * COUNT(statuses); choice++) {
            struct run run;
            const char *expected;
            char when[160];
            unsigned after = choice % 9, times = 1 + choice / 9 % 3, done = choice / 27 % 2;
            unsigned status = statuses[choice / 54];
            /* An error is believed, unless it is the server's and what follows can be seen. */
            bool anyway =
                done && (status == 0 || (status >= 500 && (times == 1 || settings[i].retries)));
            set_out(&run, &settings[i], &expected);
            run.wire.manners.fail_after = after;
            run.wire.manners.fail = times;
            run.wire.manners.fail_status = status;
            run.wire.manners.stores_anyway = anyway;
            run.wire.manners.deletes_anyway = anyway;
            snprintf(when, sizeof when, "%s: %u at %u, %u times%s", settings[i].label, status, after + 1,
                     times, anyway ? ", done nevertheless" : "");
            run_setting(&run, &settings[i]);
            expect_right(&run, &settings[i], when);
            expect_place(&run, &settings[i], when);
            finish(&run);
        }
    }
}

/* ---- Someone else ---------------------------------------------------------------------------- */

/* With someone else who moves the tag, or deletes it, right before the k-th request, for every k. */
static void whoever_else_moves_the_tag_is_never_overwritten_once_that_was_seen(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(settings); i++) {
        for (unsigned k = 1; k < 12; k++) {
            for (unsigned failure = 0; failure < 2 * 12; failure++) {
                struct run run;
                const char *expected;
                char when[160];
                set_out(&run, &settings[i], &expected);
                run.wire.rival = (struct wire_rival){k, "new", OCI,
                                                     failure % 2 && !settings[i].absent ? NULL : RIVAL};
                run.wire.manners.fail_after = failure / 2;
                run.wire.manners.fail = failure / 2 > 0;
                run.wire.manners.stores_anyway = failure % 3 == 0;
                run.wire.manners.deletes_anyway = failure % 3 == 0;
                snprintf(when, sizeof when, "%s: moved before request %u, failure %u", settings[i].label,
                         k, failure);
                run_setting(&run, &settings[i]);
                expect_right(&run, &settings[i], when);
                finish(&run);
            }
        }
    }
}

static void a_tag_that_moves_before_the_look_is_left_alone_with_a_guard(void **state)
{
    (void)state;
    for (unsigned k = 1; k < 6; k++) {
        static const struct setting guarded = {.label = "guarded", .guarded = true, .confirm = true};
        struct run run;
        const char *expected;
        set_out(&run, &guarded, &expected);
        run.wire.rival = (struct wire_rival){k, "new", OCI, RIVAL};
        tag_one(&run);
        if (k <= 2) { /* GET, HEAD */
            expect_end(&run, REGTAG_E_GUARD);
            assert_true(points_at(&run, "new", RIVAL));
            assert_string_equal(run.previous[0], digest_of_rival());
        } else if (k == 3) { /* PUT: this window cannot be closed from here */
            expect_end(&run, REGTAG_OK);
            assert_true(IS_NEW(&run, "new"));
        } else if (k == 4) { /* the HEAD that reads it back */
            expect_end(&run, REGTAG_E_NOT_CONFIRMED);
            assert_true(points_at(&run, "new", RIVAL));
        } else
            expect_end(&run, REGTAG_OK);
        finish(&run);
    }
}

/* An upload that got no answer is not simply sent again: the tag is looked at first. */
static void a_guarded_upload_is_not_repeated_upon_what_someone_else_did(void **state)
{
    (void)state;
    for (unsigned status = 0; status <= 503; status += 503) {
        for (unsigned anyway = 0; anyway < 2; anyway++) {
            static const struct setting guarded = {.label = "guarded", .guarded = true, .retries = 4};
            struct run run;
            const char *expected;
            set_out(&run, &guarded, &expected);
            run.wire.manners.fail_method = "PUT";
            run.wire.manners.fail = 1;
            run.wire.manners.fail_status = status;
            run.wire.manners.stores_anyway = anyway;
            run.wire.manners.close_after_each = true; /* so that no connection has been used before */
            run.wire.rival = (struct wire_rival){4, "new", OCI, RIVAL};
            tag_one(&run);
            assert_true(points_at(&run, "new", RIVAL));
            assert_int_equal(run.wire.puts, 1);
            /* Without an answer it is not known whether it was set, and then moved. Waiting changes nothing. */
            expect_end(&run, status ? REGTAG_E_GUARD : REGTAG_E_UNCERTAIN);
            assert_int_equal(run.wire.now, 0);
            finish(&run);
        }
    }
}

/* Over a connection that has been used before, a request that got no answer is simply sent again; but not
 * this one. */
static void a_guarded_upload_is_sent_once(void **state)
{
    (void)state;
    for (unsigned moved = 0; moved < 2; moved++) {
        static const struct setting guarded = {.label = "guarded", .guarded = true};
        struct run run;
        const char *expected;
        set_out(&run, &guarded, &expected);
        run.wire.manners.put_unanswered = true;
        run.wire.manners.hang_up_unanswered = true;
        if (moved)
            run.wire.rival = (struct wire_rival){4, "new", OCI, RIVAL};
        tag_one(&run);
        expect_asked(&run, "GET base\nHEAD new\nPUT new\nHEAD new\n");
        expect_end(&run, moved ? REGTAG_E_UNCERTAIN : REGTAG_OK);
        assert_true(points_at(&run, "new", moved ? RIVAL : NEW));
        finish(&run);
    }
}

static void a_guarded_deletion_is_not_repeated_upon_what_someone_else_did(void **state)
{
    static const struct setting guarded = {
        .label = "guarded", .delete = true, .guarded = true, .retries = 4};
    struct run run;
    const char *expected;
    (void)state;
    set_out(&run, &guarded, &expected);
    run.wire.manners.fail_method = "DELETE";
    run.wire.manners.fail = 1;
    run.wire.manners.close_after_each = true; /* so that no connection has been used before */
    run.wire.rival = (struct wire_rival){3, "new", OCI, RIVAL};
    delete_one(&run);
    expect_end(&run, REGTAG_E_UNCERTAIN);
    assert_true(points_at(&run, "new", RIVAL));
    assert_int_equal(run.wire.deletes, 1);
    assert_int_equal(run.wire.now, 0);
    finish(&run);
}

static void a_deletion_that_was_done_in_spite_of_its_answer_has_its_past(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.config.retries = 1;
    begin_again(&run);
    run.wire.manners.fail_method = "DELETE";
    run.wire.manners.fail = 1;
    run.wire.manners.fail_status = 429;
    run.wire.manners.deletes_anyway = true;
    delete_one(&run);
    expect_end(&run, REGTAG_OK);
    expect_outcome(&run, REGTAG_TAG_DELETED);
    assert_string_equal(run.previous[0], digest_of_old());
    assert_int_not_equal(run.before[0], REGTAG_PREVIOUS_ABSENT);
    finish(&run);
}

/* By chance: manners, faults, a rival, and several names. */
static void whatever_happens_by_chance_no_guard_is_broken(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 8000; seed++) {
        struct run run;
        const char *expected;
        char when[32];
        uint64_t x = seed * 11400714819323198485u;
        x ^= x >> 29;
        struct setting s = settings[x % COUNT(settings)];
        x /= COUNT(settings);
        s.retries = x & 3;
        s.guarded = true;
        s.manners.close_after_each = (x >> 2 & 7) == 0;
        s.manners.close_silently = (x >> 5 & 7) == 0;
        s.manners.close_late = (x >> 8 & 7) == 0;
        s.manners.close_first = (x >> 11 & 3) == 0;
        s.manners.ignores_pipelined = (x >> 13 & 7) == 0;
        s.manners.delay = (x >> 16 & 3) * 3000;
        s.manners.fail_after = x >> 18 & 7;
        s.manners.fail = x >> 21 & 3;
        s.manners.fail_status = x >> 23 & 1 ? 503 : 0;
        s.manners.stores_anyway = (x >> 24 & 1) && s.manners.fail_status == 0;
        s.manners.deletes_anyway = s.manners.stores_anyway;
        s.manners.hang_up_unanswered = x >> 25 & 1;
        s.manners.put_unanswered = (x >> 26 & 15) == 0;
        set_out(&run, &s, &expected);
        if (x >> 30 & 1)
            run.wire.rival =
                (struct wire_rival){1 + (x >> 31 & 7), "new", OCI, x >> 34 & 3 ? RIVAL : NULL};
        run.wire.fault =
            (struct wire_fault){x >> 36 & 1, x >> 37 & 1, (x >> 38) % 2500, x >> 58 & 1, x >> 59 & 1};
        run.wire.seed = seed;
        run.impatient = (x >> 60 & 3) == 0;
        run.config.stall = x >> 62 & 1 ? 10000 : 0;
        begin_again(&run);
        snprintf(when, sizeof when, "seed %llu", (unsigned long long)seed);
        run_setting(&run, &s);
        expect_right(&run, &s, when);
        finish(&run);
    }
}

int main(void)
{
    if (getenv("ONLY"))
        cmocka_set_test_filter(getenv("ONLY"));
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tag_that_was_not_there_is_created),
        cmocka_unit_test(a_tag_that_was_elsewhere_is_moved),
        cmocka_unit_test(a_tag_that_is_there_already_is_not_sent),
        cmocka_unit_test(a_look_that_fails_stops_nothing),
        cmocka_unit_test(a_look_that_gets_no_answer_stops_nothing),
        cmocka_unit_test(a_digest_that_is_none_is_not_taken_for_one),
        cmocka_unit_test(what_cannot_be_weighed_is_not_told),
        cmocka_unit_test(a_manifest_that_fills_the_memory_is_weighed),
        cmocka_unit_test(each_of_many_tags_has_its_own_past),
        cmocka_unit_test(a_server_that_closes_behind_the_first_answer_gets_the_second_request_again),
        cmocka_unit_test(a_server_that_ignores_what_follows_is_asked_one_at_a_time),
        cmocka_unit_test(a_server_that_ignores_what_follows_does_not_eat_all_the_time),
        cmocka_unit_test(what_has_followed_an_upload_is_not_taken_for_a_look_at_its_own_tag),
        cmocka_unit_test(nothing_follows_where_a_challenge_is_to_be_expected),
        cmocka_unit_test(what_has_followed_a_request_that_was_challenged_is_drained),
        cmocka_unit_test(a_challenge_is_answered_though_what_has_followed_it_is_not),
        cmocka_unit_test(nothing_follows_to_where_a_redirection_leads),
        cmocka_unit_test(a_dry_run_tells_what_would_be_and_changes_nothing),
        cmocka_unit_test(a_dry_run_looks_at_guards),
        cmocka_unit_test(a_confirmed_tag_is_read_back),
        cmocka_unit_test(a_tag_that_someone_else_moved_behind_the_upload_is_not_confirmed),
        cmocka_unit_test(an_upload_that_cannot_be_read_back_is_uncertain),
        cmocka_unit_test(what_is_no_guard_is_refused_before_anything_is_sent),
        cmocka_unit_test(two_guards_for_the_same_are_refused),
        cmocka_unit_test(a_refused_guard_is_named),
        cmocka_unit_test(a_guard_that_holds_lets_the_tag_be_moved),
        cmocka_unit_test(a_guard_that_does_not_hold_leaves_the_tag_alone),
        cmocka_unit_test(a_guard_is_looked_at_though_the_tag_is_there_already),
        cmocka_unit_test(a_guard_for_one_tag_wins_over_the_one_for_all),
        cmocka_unit_test(a_guard_for_one_tag_does_not_hold_the_others),
        cmocka_unit_test(a_tag_that_cannot_be_seen_is_left_alone_with_a_guard),
        cmocka_unit_test(a_tag_that_nobody_tells_of_is_left_alone_with_a_guard),
        cmocka_unit_test(a_guard_holds_where_the_digest_has_to_be_computed),
        cmocka_unit_test(a_stated_digest_that_is_not_that_of_the_bytes_is_not_believed),
        cmocka_unit_test(why_a_tag_cannot_be_seen_is_told),
        cmocka_unit_test(a_strong_etag_goes_back_unchanged),
        cmocka_unit_test(a_condition_that_is_refused_is_left_out),
        cmocka_unit_test(a_tag_that_must_not_be_moved_and_is_there_is_unchanged),
        cmocka_unit_test(a_tag_that_was_seen_before_is_not_looked_at_when_it_must_not_be_moved),
        cmocka_unit_test(an_upload_that_was_not_answered_stays_uncertain_when_the_next_one_fails),
        cmocka_unit_test(a_tag_is_deleted_and_looked_at_again),
        cmocka_unit_test(a_deletion_is_announced_before_it_is_sent),
        cmocka_unit_test(a_tag_that_is_not_there_cannot_be_deleted),
        cmocka_unit_test(what_names_no_tag_is_not_deleted),
        cmocka_unit_test(a_tag_that_cannot_be_seen_is_deleted_without_a_guard),
        cmocka_unit_test(a_deletion_is_guarded),
        cmocka_unit_test(a_dry_deletion_deletes_nothing),
        cmocka_unit_test(statuses_of_deletions_have_their_meanings),
        cmocka_unit_test(a_deletion_that_was_taken_and_shows_no_effect_is_uncertain),
        cmocka_unit_test(a_declined_guarded_tag_leaves_the_connection_to_others),
        cmocka_unit_test(a_backoff_may_be_none_at_all),
        cmocka_unit_test(a_failed_or_unanswered_deletion_is_looked_at),
        cmocka_unit_test(a_retried_deletion_keeps_its_past_though_it_cannot_be_seen_again),
        cmocka_unit_test(a_deletion_that_comes_late_is_ours),
        cmocka_unit_test(a_tag_that_is_there_after_a_lost_deletion_is_not_deleted),
        cmocka_unit_test(what_the_second_look_shows_is_told),
        cmocka_unit_test(an_unanswered_deletion_and_an_unanswered_look_are_uncertain),
        cmocka_unit_test(nothing_is_changed_behind_the_deadline),
        cmocka_unit_test(a_fault_at_any_byte_is_told_truly),
        cmocka_unit_test(an_upload_that_was_not_sent_whole_has_failed),
        cmocka_unit_test(a_failure_at_any_request_is_told_truly),
        cmocka_unit_test(whoever_else_moves_the_tag_is_never_overwritten_once_that_was_seen),
        cmocka_unit_test(a_tag_that_moves_before_the_look_is_left_alone_with_a_guard),
        cmocka_unit_test(a_guarded_upload_is_not_repeated_upon_what_someone_else_did),
        cmocka_unit_test(a_guarded_upload_is_sent_once),
        cmocka_unit_test(a_guarded_deletion_is_not_repeated_upon_what_someone_else_did),
        cmocka_unit_test(a_deletion_that_was_done_in_spite_of_its_answer_has_its_past),
        cmocka_unit_test(whatever_happens_by_chance_no_guard_is_broken),
    };
    return cmocka_run_group_tests_name("moves", tests, NULL, NULL);
}
