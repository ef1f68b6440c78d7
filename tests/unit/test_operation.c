/* The whole operation of regtag.h, step by step, against a registry in memory: whatever the way to it
 * does, the outcome that is told is what has happened, and nothing but the caller's block is touched. */
#include "run.h"

static const char IN_SCHEMA1[] =
    "{\"schemaVersion\":1,\"name\":\"a\",\"tag\":\"base\",\"architecture\":\"amd64\","
    "\"fsLayers\":[],\"history\":[]}";

static const char *const one_name[] = {"new"};

/* ---- What goes well -------------------------------------------------------------------------- */

static void one_tag_takes_three_requests_two_round_trips_and_one_connection(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.wire.manners.delay = 1000;
    tag_one(&run);
    expect_end(&run, REGTAG_OK);
    expect_truth(&run, "whole");
    assert_string_equal(run.digest, digest_of_new());
    assert_int_equal(run.outcome[0], REGTAG_TAG_MOVED);
    expect_asked(&run, "GET base\nHEAD new\nPUT new\n");
    assert_int_equal(run.wire.connections, 1);
    assert_int_equal(run.wire.now, 2 * 1000);
    assert_int_equal(run.uploads, 1);
    finish(&run);
}

static void many_tags_take_two_requests_each_sixteen_in_a_round_trip(void **state)
{
    struct run run;
    char names[100][8];
    const char *list[100];
    (void)state;
    begin(&run);
    run.wire.manners.delay = 100;
    for (size_t i = 0; i < 100; i++) {
        snprintf(names[i], sizeof names[i], "t%zu", i);
        list[i] = names[i];
    }
    assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", list, 100), REGTAG_OK);
    run_on(&run);
    expect_end(&run, REGTAG_OK);
    assert_int_equal(run.settled, 100);
    assert_int_equal(run.wire.requests, 2 * 100 + 1);
    assert_int_equal(run.wire.connections, 1);
    assert_int_equal(run.wire.now, (2 * 100 + 1 + 15) / 16 * 100);
    for (size_t i = 0; i < 100; i++) {
        assert_string_equal(run.name[i], names[i]);
        assert_int_equal(run.outcome[i], REGTAG_TAG_CREATED);
        assert_int_equal(run.before[i], REGTAG_PREVIOUS_ABSENT);
        assert_true(IS_NEW(&run, names[i]));
    }
    finish(&run);
}

static void a_name_given_twice_is_set_once(void **state)
{
    static const char *const names[] = {"x", "y", "x", "x", "y"};
    struct run run;
    (void)state;
    begin(&run);
    assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", names, COUNT(names)), REGTAG_OK);
    run_on(&run);
    expect_end(&run, REGTAG_OK);
    assert_int_equal(run.settled, 2);
    assert_int_equal(run.wire.puts, 2);
    finish(&run);
}

static void any_split_of_the_bytes_gives_the_same(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 400; seed++) {
        struct run run;
        begin(&run);
        run.wire.seed = seed;
        run.wire.step = seed < 20 ? (size_t)seed : 0;
        run.wire.manners.chunked = seed % 2;
        run.wire.manners.interim = seed % 3 == 0;
        run.impatient = seed % 5 == 0;
        tag_one(&run);
        expect_end(&run, REGTAG_OK);
        expect_truth(&run, "split");
        assert_int_equal(run.outcome[0], REGTAG_TAG_MOVED);
        assert_int_equal(run.wire.requests, 3);
        assert_int_equal(run.wire.connections, 1);
        finish(&run);
    }
}

static void the_upload_is_announced_before_it_is_sent(void **state)
{
    (void)state;
    for (unsigned absent = 0; absent < 2; absent++) {
        struct run run;
        begin(&run);
        if (absent)
            wire_delete(&run.wire, "new");
        run.refuses_upload = true;
        tag_one(&run);
        const struct regtag_result *result = regtag_result(run.regtag);
        assert_int_equal(run.end, REGTAG_UPLOAD);
        expect_asked(&run, "GET base\nHEAD new\n");
        assert_null(strstr(run.wire.log.data, "PUT"));
        assert_string_equal(result->name, "new");
        assert_string_equal(result->digest, digest_of_new());
        assert_string_equal(result->previous, absent ? "" : digest_of_old());
        assert_int_equal(result->before, absent ? REGTAG_PREVIOUS_ABSENT : REGTAG_PREVIOUS_KNOWN);
        assert_int_equal(result->outcome, REGTAG_TAG_PENDING);
        finish(&run);
    }
}

/* regtag.h: it leaves alone the tag that is announced, and all others. The reason is about none of them. */
static void what_is_declined_fails_for_the_reason_given(void **state)
{
    static const char *const names[] = {"new", "two"};
    struct run run;
    (void)state;
    begin(&run);
    assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", names, 2), REGTAG_OK);
    while (step(&run))
        if (run.end == REGTAG_UPLOAD)
            regtag_decline(run.regtag, "the journal is full");
        else if (run.end == REGTAG_SETTLED)
            assert_string_equal(regtag_result(run.regtag)->error,
                                "localhost/a:base: the journal is full");
    expect_end(&run, REGTAG_E_OTHER);
    assert_int_equal(run.settled, 2);
    assert_int_equal(run.wire.puts, 0);
    assert_true(IS_OLD(&run, "new") && !wire_find(&run.wire, "two"));
    finish(&run);
}

static void every_framing_of_an_answer_is_understood(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        struct run run;
        begin(&run);
        run.wire.manners.chunked = i & 1;
        run.wire.manners.close_after_each = i & 2;
        run.wire.manners.interim = i & 4;
        tag_one(&run);
        expect_end(&run, REGTAG_OK);
        assert_int_equal(run.wire.requests, 3);
        assert_int_equal(run.wire.connections, i & 2 ? 3 : 1);
        finish(&run);
    }
    struct run run;
    begin(&run);
    run.wire.manners.until_close = true;
    tag_one(&run);
    expect_end(&run, REGTAG_OK);
    finish(&run);
}

static void a_connection_closed_between_requests_is_opened_again(void **state)
{
    (void)state;
    for (unsigned late = 0; late < 2; late++) {
        static const char *const names[] = {"x", "new", "z"};
        struct run run;
        begin(&run);
        run.wire.manners.close_silently = !late;
        run.wire.manners.close_late = late;
        assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", names, COUNT(names)), REGTAG_OK);
        run_on(&run);
        expect_end(&run, REGTAG_OK);
        /* Only what is sent at once comes before the end shows: GET and HEAD. The uploads may have been acted on,
         * so that the tags are resolved before they are sent again, alone; two of them by GET, too. */
        assert_int_equal(run.wire.connections, late ? 9 : 7);
        assert_int_equal(run.wire.requests, late ? 12 : 7);
        assert_int_equal(run.outcome[0], REGTAG_TAG_CREATED);
        assert_int_equal(run.outcome[1], REGTAG_TAG_MOVED);
        assert_int_equal(run.outcome[2], REGTAG_TAG_CREATED);
        finish(&run);
    }
}

static void a_block_is_used_again(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.wire.manners.put_status = 500;
    tag_one(&run);
    expect_end(&run, REGTAG_E_SERVER_FAILED);
    run.wire.manners.put_status = 0;
    run.wire.requests = 0;
    run.settled = 0;
    assert_false(run.wire.line[0].open);
    begin_again(&run);
    tag_one(&run);
    expect_end(&run, REGTAG_OK);
    expect_truth(&run, "again");
    assert_int_equal(run.wire.requests, 3);
    finish(&run);
}

static void the_end_stays_the_end(void **state)
{
    (void)state;
    for (unsigned bad = 0; bad < 2; bad++) {
        struct run run;
        begin(&run);
        run.wire.manners.garbage = bad;
        tag_one(&run);
        enum regtag_event end = run.end;
        assert_false(run.wire.line[0].open);
        for (unsigned i = 0; i < 5; i++) {
            assert_int_equal(regtag_step(run.regtag, run.wire.now + i * TIMEOUT, run.want, WIRE_LINES),
                             end);
            assert_false(run.want[0].open || run.want[0].read || run.want[0].write || run.want[0].close);
        }
        finish(&run);
    }
}

static void two_operations_know_nothing_of_each_other(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 100; seed++) {
        static const char *const names[] = {"p", "q"};
        struct run a, b;
        bool a_goes_on = true, b_goes_on = true;
        begin(&a);
        begin(&b);
        a.wire.seed = seed;
        b.wire.seed = seed * 7919;
        b.wire.manners.claim_put =
            "sha256:0000000000000000000000000000000000000000000000000000000000000000";
        assert_int_equal(regtag_tag(a.regtag, "localhost/a:base", names, 2), REGTAG_OK);
        assert_int_equal(regtag_tag(b.regtag, "localhost/a:new", names, 2), REGTAG_OK);
        while (a_goes_on || b_goes_on) {
            a_goes_on = a_goes_on && step(&a);
            b_goes_on = b_goes_on && step(&b);
        }
        expect_end(&a, REGTAG_OK);
        expect_end(&b, REGTAG_E_NOT_CONFIRMED);
        assert_true(IS_NEW(&a, "p") && IS_NEW(&a, "q"));
        assert_true(IS_OLD(&b, "p") && IS_OLD(&b, "q"));
        finish(&a);
        finish(&b);
    }
}

/* ---- Digest, manifest, list ------------------------------------------------------------------ */

static void the_digest_is_asked_for_with_head(void **state)
{
    struct run run;
    char digest[72];
    (void)state;
    begin(&run);
    assert_int_equal(regtag_digest(run.regtag, "localhost/a:new"), REGTAG_OK);
    run_on(&run);
    expect_end(&run, REGTAG_OK);
    wire_digest(OLD, sizeof OLD - 1, digest);
    assert_string_equal(run.digest, digest);
    assert_int_equal(run.wire.heads, 1);
    assert_int_equal(run.wire.requests, 1);
    finish(&run);
}

static void the_digest_is_computed_where_it_is_not_stated(void **state)
{
    struct run run;
    char digest[72];
    (void)state;
    begin(&run);
    run.wire.manners.no_digest = true;
    run.wire.manners.no_head_digest = true;
    assert_int_equal(regtag_digest(run.regtag, "localhost/a:new"), REGTAG_OK);
    run_on(&run);
    expect_end(&run, REGTAG_OK);
    wire_digest(OLD, sizeof OLD - 1, digest);
    assert_string_equal(run.digest, digest);
    assert_int_equal(run.wire.gets, 1);
    finish(&run);
}

static void a_manifest_comes_byte_for_byte(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct run run;
        size_t size;
        begin(&run);
        run.wire.seed = seed;
        run.wire.manners.chunked = seed % 2;
        assert_int_equal(regtag_manifest(run.regtag, "localhost/a:base"), REGTAG_OK);
        run_on(&run);
        expect_end(&run, REGTAG_OK);
        const char *document = regtag_document(run.regtag, &size);
        assert_int_equal(size, sizeof NEW - 1);
        assert_memory_equal(document, NEW, size);
        finish(&run);
    }
}

/* A manifest of exactly `size` bytes under the tag "large". */
static void push_large(struct run *run, size_t size)
{
    char *manifest = malloc(size);
    assert_non_null(manifest);
    memset(manifest, '\n', size);
    memcpy(manifest, OLD, sizeof OLD - 1);
    wire_push(&run->wire, "large", OCI, manifest, size);
    free(manifest);
}

static void a_manifest_fills_its_memory_to_the_last_byte(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct run run;
        begin(&run);
        run.wire.manners.chunked = i == 1;
        run.wire.manners.until_close = i == 2;
        push_large(&run, run.config.manifest_max);
        assert_int_equal(regtag_tag(run.regtag, "localhost/a:large", one_name, 1), REGTAG_OK);
        run_on(&run);
        expect_end(&run, REGTAG_OK);
        assert_int_equal(wire_find(&run.wire, "new")->manifest.size, run.config.manifest_max);
        finish(&run);
    }
}

static void a_manifest_that_is_a_byte_too_large_is_refused(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct run run;
        begin(&run);
        run.wire.manners.chunked = i == 1;
        run.wire.manners.until_close = i == 2;
        push_large(&run, run.config.manifest_max + 1);
        assert_int_equal(regtag_tag(run.regtag, "localhost/a:large", one_name, 1), REGTAG_OK);
        run_on(&run);
        expect_end(&run, REGTAG_E_REFUSED);
        expect_truth(&run, "too large");
        assert_int_equal(run.wire.puts, 0);
        finish(&run);
    }
}

static void fill_list(struct run *run, size_t count)
{
    while (run->wire.tag_count < count) {
        char name[16];
        snprintf(name, sizeof name, "t%zu", run->wire.tag_count);
        wire_push(&run->wire, name, OCI, OLD, sizeof OLD - 1);
    }
}

static void tags_are_listed_over_all_pages(void **state)
{
    (void)state;
    for (unsigned page = 0; page < 40; page++) {
        struct run run;
        begin(&run);
        fill_list(&run, 37);
        run.wire.manners.page = page;
        run.wire.manners.chunked = page % 2;
        run.wire.seed = page;
        assert_int_equal(regtag_list(run.regtag, "localhost/a", 0), REGTAG_OK);
        run_on(&run);
        expect_end(&run, REGTAG_OK);
        assert_int_equal(run.listed, 37);
        for (size_t i = 0; i < 37; i++)
            assert_string_equal(run.name[i], run.wire.tags[i].name);
        assert_int_equal(run.wire.requests, page ? (37 + page - 1) / page : 1);
        assert_int_equal(run.wire.connections, 1);
        finish(&run);
    }
}

static void a_list_ends_at_its_limit(void **state)
{
    (void)state;
    for (uint64_t limit = 1; limit < 40; limit++) {
        struct run run;
        begin(&run);
        fill_list(&run, 37);
        run.wire.manners.page = 5;
        assert_int_equal(regtag_list(run.regtag, "localhost/a", limit), REGTAG_OK);
        run_on(&run);
        expect_end(&run, REGTAG_OK);
        assert_int_equal(run.listed, limit < 37 ? limit : 37);
        assert_true(run.wire.requests <= (limit + 4) / 5);
        finish(&run);
    }
}

/* ---- Documents of lists ---------------------------------------------------------------------- */

#define LIST_HEAD "HTTP/1.1 200 OK\r\nConnection: close\r\n"

static void list_raw(struct run *run, const char *answer)
{
    begin(run);
    run->wire.manners.raw = answer;
    run->wire.manners.raw_size = strlen(answer);
    assert_int_equal(regtag_list(run->regtag, "localhost/a", 0), REGTAG_OK);
}

static void lists_are_read_as_registries_write_them(void **state)
{
    static const struct {
        const char *body;
        size_t count;
    } cases[] = {
        {"{\"tags\":[]}", 0},
        {"{\"tags\":null}", 0},
        {"{\"name\":\"a\",\"tags\":[\"a\",\"b\"]}\n", 2},
        {"{\"tags\":[\"a\"],\"name\":\"a\",\"x\":{\"tags\":[\"no\"]}}", 1},
        {"{\"x\":{\"tags\":[\"no\"]},\"tags\":[\"a\"]}", 1},
        {"{\"x\":[\"no\",[\"no\"]],\"tags\":[\"a\"]}", 1},
        {"{\"ta\\u0067s\":[\"\\u0061\"]}", 1},
        {"{\"tags\":[\"a\",1,null,{\"b\":\"c\"},[\"d\"],true,\"\",\"-x\",\"a b\",\"../x\",\"e\"]}", 2},
        {"{\"manifest\":{},\"name\":\"a\",\"tags\":[\"a\"],\"child\":[]}", 1},
        {" {\r\n\t\"tags\" : [ \"a\" , \"b\" ] } ", 2},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char answer[512];
        struct run run;
        snprintf(answer, sizeof answer, LIST_HEAD "Content-Length: %zu\r\n\r\n%s", strlen(cases[i].body),
                 cases[i].body);
        for (size_t split = 0; split < 4; split++) {
            list_raw(&run, answer);
            run.wire.step = split;
            run_on(&run);
            if (run.end != REGTAG_DONE || run.listed != cases[i].count)
                fail_msg("%s: %zu tags, status %d", cases[i].body, run.listed,
                         regtag_error(run.regtag, NULL));
            finish(&run);
        }
    }
}

static void what_is_no_list_is_refused(void **state)
{
    static const char *const bodies[] = {"",
                                         "{}",
                                         "[]",
                                         "[\"a\"]",
                                         "\"tags\"",
                                         "null",
                                         "{\"name\":\"a\"}",
                                         "{\"tags\":{}}",
                                         "{\"tags\":\"a\"}",
                                         "{\"tags\":1}",
                                         "{\"tags\":true}",
                                         "{\"tags\":[\"a\"]",
                                         "{\"tags\":[\"a\"",
                                         "{\"tags\":[\"a\"]}x",
                                         "{\"tags\":[\"a\"],}",
                                         "{\"tags\":[\"a\"],\"tags\":[\"b\"]}",
                                         "{\"tags\":[\"a\"],\"\\u0074ags\":[\"b\"]}",
                                         "{\"tags\":[\"a\" \"b\"]}",
                                         "{\"tags\":[\"\x80\"]}",
                                         "<html></html>"};
    (void)state;
    for (size_t i = 0; i < COUNT(bodies); i++) {
        char answer[512];
        struct run run;
        snprintf(answer, sizeof answer, LIST_HEAD "Content-Length: %zu\r\n\r\n%s", strlen(bodies[i]),
                 bodies[i]);
        list_raw(&run, answer);
        run_on(&run);
        if (regtag_error(run.regtag, NULL) != REGTAG_E_PROTOCOL)
            fail_msg("%s: status %d", bodies[i], regtag_error(run.regtag, NULL));
        finish(&run);
    }
}

static void tags_have_128_bytes_at_most(void **state)
{
    (void)state;
    for (size_t size = 100; size < 400; size++) {
        char answer[4096];
        char body[2048];
        char tag[512];
        struct run run;
        memset(tag, 't', size);
        tag[size] = '\0';
        snprintf(body, sizeof body, "{\"%s\":1,\"tags\":[\"%s\",\"z\"]}", tag, tag);
        snprintf(answer, sizeof answer, LIST_HEAD "Content-Length: %zu\r\n\r\n%s", strlen(body), body);
        list_raw(&run, answer);
        run.wire.step = size % 3;
        run_on(&run);
        expect_end(&run, REGTAG_OK);
        assert_int_equal(run.listed, size <= 128 ? 2 : 1);
        assert_string_equal(run.name[run.listed - 1], "z");
        if (run.listed == 2)
            assert_string_equal(run.name[0], tag);
        finish(&run);
    }
}

/* ---- What the registry says wrongly ---------------------------------------------------------- */

static void nothing_is_uploaded_under_another_digest(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.wire.manners.claim = ZEROS;
    tag_one(&run);
    expect_end(&run, REGTAG_E_REFUSED);
    expect_truth(&run, "claim");
    assert_int_equal(run.wire.puts, 0);
    assert_int_equal(run.uploads, 0);
    finish(&run);
}

static void nothing_is_uploaded_that_is_not_what_was_pinned(void **state)
{
    char image[128];
    struct run run;
    (void)state;
    begin(&run);
    run.wire.manners.no_digest = true;
    snprintf(run.wire.tags[0].digest, sizeof run.wire.tags[0].digest, "%s", ZEROS);
    snprintf(image, sizeof image, "localhost/a:base@%s", ZEROS);
    assert_int_equal(regtag_tag(run.regtag, image, one_name, 1), REGTAG_OK);
    run_on(&run);
    expect_end(&run, REGTAG_E_REFUSED);
    assert_int_equal(run.wire.puts, 0);
    finish(&run);
}

static void nothing_is_uploaded_that_is_no_manifest(void **state)
{
    static const char *const documents[] = {
        "",
        "{}",
        "[]",
        "{\"schemaVersion\":2}",
        "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[]",
        "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[],\"manifests\":[]}",
        "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[],\"Layers\":[]}",
        "<html></html>"};
    (void)state;
    for (size_t i = 0; i < COUNT(documents); i++) {
        struct run run;
        begin(&run);
        wire_push(&run.wire, "base", OCI, documents[i], strlen(documents[i]));
        tag_one(&run);
        expect_end(&run, REGTAG_E_REFUSED);
        expect_truth(&run, documents[i]);
        assert_int_equal(run.wire.puts, 0);
        finish(&run);
    }
}

static void schema_1_is_not_tagged(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    wire_push(&run.wire, "base", SCHEMA1, IN_SCHEMA1, sizeof IN_SCHEMA1 - 1);
    tag_one(&run);
    expect_end(&run, REGTAG_E_SCHEMA1);
    expect_truth(&run, "schema 1");
    assert_int_equal(run.wire.puts, 0);
    finish(&run);
}

static void another_digest_after_an_upload_is_told(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.wire.manners.claim_put = ZEROS;
    tag_one(&run);
    expect_end(&run, REGTAG_E_NOT_CONFIRMED);
    finish(&run);
}

static void an_upload_without_a_digest_is_looked_at(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.wire.manners.no_digest = true;
    tag_one(&run);
    expect_end(&run, REGTAG_OK);
    expect_outcome(&run, REGTAG_TAG_MOVED);
    expect_asked(&run, "GET base\nHEAD new\nPUT new\nHEAD new\n");
    assert_int_equal(run.wire.connections, 1);
    finish(&run);
}

static void where_no_digest_is_ever_stated_it_is_computed(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.wire.manners.no_digest = true;
    run.wire.manners.no_head_digest = true;
    tag_one(&run);
    expect_end(&run, REGTAG_OK);
    expect_truth(&run, "no digest");
    expect_outcome(&run, REGTAG_TAG_MOVED);
    expect_asked(&run, "GET base\nHEAD new\nGET new\nPUT new\nGET new\n");
    finish(&run);
}

static void an_upload_that_cannot_be_confirmed_is_uncertain(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.wire.manners.no_digest = true;
    run.wire.manners.head_status = 403;
    run.wire.manners.get_status = 403;
    run.wire.manners.only_tag = "new";
    tag_one(&run);
    expect_end(&run, REGTAG_E_UNCERTAIN);
    assert_int_equal(run.outcome[0], REGTAG_TAG_UNCERTAIN);
    finish(&run);
}

static void an_unanswered_upload_is_looked_at(void **state)
{
    (void)state;
    for (unsigned hang_up = 0; hang_up < 2; hang_up++) {
        struct run run;
        begin(&run);
        run.wire.manners.put_unanswered = true;
        run.wire.manners.hang_up_unanswered = hang_up;
        tag_one(&run);
        expect_end(&run, REGTAG_OK);
        expect_truth(&run, "unanswered");
        assert_true(run.wire.heads >= 1);
        assert_true(run.wire.now <= TIMEOUT);
        finish(&run);
    }
}

static void an_unanswered_upload_and_an_unanswered_look_are_uncertain(void **state)
{
    (void)state;
    for (unsigned hang_up = 0; hang_up < 2; hang_up++) {
        struct run run;
        begin(&run);
        run.wire.manners.put_unanswered = true;
        run.wire.manners.head_unanswered = true;
        run.wire.manners.hang_up_unanswered = hang_up;
        tag_one(&run);
        expect_end(&run, REGTAG_E_UNCERTAIN);
        assert_int_equal(run.outcome[0], REGTAG_TAG_UNCERTAIN);
        assert_true(run.wire.now <= TIMEOUT);
        finish(&run);
    }
}

static void a_failed_upload_that_was_stored_is_seen(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.wire.manners.put_status = 502;
    run.wire.manners.stores_anyway = true;
    tag_one(&run);
    expect_end(&run, REGTAG_OK);
    expect_truth(&run, "502");
    finish(&run);
}

static void statuses_of_uploads_have_their_meanings(void **state)
{
    static const struct {
        unsigned http;
        enum regtag_status status;
    } cases[] = {{200, REGTAG_OK},
                 {201, REGTAG_OK},
                 {202, REGTAG_OK},
                 {400, REGTAG_E_IMMUTABLE},
                 {401, REGTAG_E_DENIED},
                 {403, REGTAG_E_DENIED},
                 {405, REGTAG_E_IMMUTABLE},
                 {409, REGTAG_E_IMMUTABLE},
                 {412, REGTAG_E_IMMUTABLE},
                 {413, REGTAG_E_REFUSED},
                 {429, REGTAG_E_SLOW_DOWN},
                 {500, REGTAG_E_SERVER_FAILED},
                 {503, REGTAG_E_SERVER_FAILED}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct run run;
        begin(&run);
        run.wire.manners.put_status = cases[i].http;
        tag_one(&run);
        if (regtag_error(run.regtag, NULL) != cases[i].status)
            fail_msg("HTTP %u became %d", cases[i].http, regtag_error(run.regtag, NULL));
        expect_truth(&run, "status");
        finish(&run);
    }
}

static void one_tag_that_fails_does_not_stop_the_others(void **state)
{
    static const char *const names[] = {"x", "y", "z"};
    struct run run;
    (void)state;
    begin(&run);
    run.wire.manners.put_status = 409;
    assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", names, 3), REGTAG_OK);
    while (step(&run)) {
        if (run.settled == 1)
            run.wire.manners.put_status = 0;
    }
    expect_end(&run, REGTAG_E_IMMUTABLE);
    assert_int_equal(run.settled, 3);
    assert_int_equal(run.outcome[0], REGTAG_TAG_FAILED);
    assert_int_equal(run.outcome[1], REGTAG_TAG_CREATED);
    assert_int_equal(run.outcome[2], REGTAG_TAG_CREATED);
    finish(&run);
}

static void every_name_has_its_line_when_there_is_no_image(void **state)
{
    static const char *const names[] = {"x", "y", "z"};
    struct run run;
    (void)state;
    begin(&run);
    assert_int_equal(regtag_tag(run.regtag, "localhost/a:missing", names, 3), REGTAG_OK);
    run_on(&run);
    expect_end(&run, REGTAG_E_NOT_FOUND);
    assert_int_equal(run.settled, 3);
    expect_asked(&run, "GET missing\nHEAD x\nHEAD y\nHEAD z\n");
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(run.outcome[i], REGTAG_TAG_FAILED);
        assert_int_equal(run.status[i], REGTAG_E_NOT_FOUND);
    }
    finish(&run);
}

static void an_early_refusal_is_read_while_the_upload_is_held_up(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    push_large(&run, run.config.manifest_max);
    run.wire.manners.refuses_early = true;
    run.wire.step = 100;
    assert_int_equal(regtag_tag(run.regtag, "localhost/a:large", one_name, 1), REGTAG_OK);
    run_on(&run);
    expect_end(&run, REGTAG_E_REFUSED);
    expect_truth(&run, "early");
    assert_true(run.wire.now < TIMEOUT);
    finish(&run);
}

static void what_is_no_http_is_told(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.wire.manners.garbage = true;
    tag_one(&run);
    expect_end(&run, REGTAG_E_PROTOCOL);
    expect_truth(&run, "garbage");
    finish(&run);
}

/* ---- Answers word by word -------------------------------------------------------------------- */

#define GOT_HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.oci.image.manifest.v1+json\r\n"
#define ANSWERS_MAX 8192

/* Lets the registry say this, one part up to a byte 0xff a request. `memory` has to stay. */
static void say(struct run *run, char memory[ANSWERS_MAX], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(memory, ANSWERS_MAX, format, arguments);
    va_end(arguments);
    assert_true(size > 0 && size < ANSWERS_MAX);
    run->wire.manners.raw = memory;
    run->wire.manners.raw_size = (size_t)size;
}

static void an_upload_is_confirmed_by_the_header_alone(void **state)
{
    struct run run;
    char answers[ANSWERS_MAX], digest[72];
    (void)state;
    begin(&run);
    wire_digest(OLD, sizeof OLD - 1, digest);
    say(&run, answers,
        GOT_HEAD "Content-Length: %zu\r\n\r\n%s\xff"
                 "HTTP/1.1 404 Not Found\r\nContent-Length: 99\r\n\r\n\xff"
                 "HTTP/1.1 201 Created\r\nDocker-Content-Digest: %s\r\nContent-Length: 99\r\n\r\nshort",
        sizeof OLD - 1, OLD, digest);
    tag_one(&run);
    expect_end(&run, REGTAG_OK);
    expect_outcome(&run, REGTAG_TAG_CREATED);
    assert_int_equal(run.wire.requests, 3);
    finish(&run);
}

static void an_error_is_told_though_its_words_are_cut(void **state)
{
    struct run run;
    char answers[ANSWERS_MAX];
    (void)state;
    begin(&run);
    say(&run, answers, "HTTP/1.1 404 Not Found\r\nContent-Length: 99\r\n\r\n{\"errors\":[{\"code\":");
    tag_one(&run);
    expect_end(&run, REGTAG_E_NOT_FOUND);
    finish(&run);
}

static void a_compressed_manifest_is_refused(void **state)
{
    static const char *const fields[] = {"Content-Encoding: gzip\r\n",
                                         "content-encoding: identity, gzip\r\n",
                                         "Content-Encoding: identity\r\nContent-Encoding: br\r\n"};
    (void)state;
    for (size_t i = 0; i < COUNT(fields); i++) {
        struct run run;
        char answers[ANSWERS_MAX];
        begin(&run);
        say(&run, answers, GOT_HEAD "%sContent-Length: %zu\r\n\r\n%s", fields[i], sizeof OLD - 1, OLD);
        tag_one(&run);
        expect_end(&run, REGTAG_E_PROTOCOL);
        assert_int_equal(run.wire.puts, 0);
        finish(&run);
    }
}

static void a_manifest_of_another_type_is_not_uploaded(void **state)
{
    static const char *const fields[] = {
        "Content-Type: text/html\r\n", "Content-Type: application/vnd.oci.image.config.v1+json\r\n",
        "Content-Type: application/vnd.oci.image.index.v1+json\r\n",
        "Content-Type: application/json\r\nContent-Type: text/html\r\n"};
    (void)state;
    for (size_t i = 0; i < COUNT(fields); i++) {
        struct run run;
        char answers[ANSWERS_MAX];
        begin(&run);
        say(&run, answers, "HTTP/1.1 200 OK\r\n%sContent-Length: %zu\r\n\r\n%s", fields[i],
            sizeof OLD - 1, OLD);
        tag_one(&run);
        assert_int_equal(run.end, REGTAG_ERROR);
        assert_int_equal(run.wire.puts, 0);
        finish(&run);
    }
}

static void a_stated_digest_that_is_none_is_refused(void **state)
{
    static const char *const digests[] = {"x", "sha256:", "sha256:00", "md5:00", "sha256:00, sha256:00"};
    (void)state;
    for (size_t i = 0; i < COUNT(digests); i++) {
        struct run run;
        char answers[ANSWERS_MAX];
        begin(&run);
        say(&run, answers, GOT_HEAD "Docker-Content-Digest: %s\r\nContent-Length: %zu\r\n\r\n%s",
            digests[i], sizeof OLD - 1, OLD);
        tag_one(&run);
        expect_end(&run, REGTAG_E_PROTOCOL);
        assert_int_equal(run.wire.puts, 0);
        finish(&run);
    }
}

/* A page of a list with one tag, and a Link field. */
#define PAGE(link, tag)                                                                                 \
    "HTTP/1.1 200 OK\r\nLink: " link "\r\nContent-Length: 15\r\n\r\n{\"tags\":[\"" tag "\"]}\xff"
#define EMPTY_PAGE(link)                                                                                \
    "HTTP/1.1 200 OK\r\nLink: " link "\r\nContent-Length: 11\r\n\r\n{\"tags\":[]}\xff"

static void list_pages(const char *pages, enum regtag_status status, size_t listed, unsigned requests)
{
    struct run run;
    char answers[ANSWERS_MAX];
    begin(&run);
    say(&run, answers, "%s", pages);
    assert_int_equal(regtag_list(run.regtag, "localhost/a", 0), REGTAG_OK);
    run_on(&run);
    expect_end(&run, status);
    if (run.listed != listed || run.wire.requests != requests)
        fail_msg("%zu tags, %u requests: %s", run.listed, run.wire.requests, pages);
    finish(&run);
}

static void pages_that_lead_in_a_circle_end(void **state)
{
    (void)state;
    list_pages(PAGE("</v2/a/tags/list?n=1000>; rel=next", "aa") PAGE("<>; rel=next", "bb"), REGTAG_OK, 1,
               1);
    list_pages(PAGE("<?p=2>; rel=next", "aa") PAGE("<?p=2>; rel=next", "bb") PAGE("", "cc"), REGTAG_OK,
               2, 2);
    list_pages(PAGE("<?p=2>; rel=next", "aa") PAGE("<?n=1000>; rel=next", "bb") PAGE("", "cc"),
               REGTAG_OK, 2, 2);
    list_pages(PAGE("<?p=2>; rel=next", "aa") PAGE("<?p=3>; rel=next", "bb")
                   PAGE("<?p=3>; rel=next", "cc") PAGE("", "dd"),
               REGTAG_OK, 3, 3);
}

static void pages_that_lead_elsewhere_are_refused(void **state)
{
    (void)state;
    list_pages(PAGE("<http://example.com/v2/a/tags/list>; rel=next", "aa"), REGTAG_E_PROTOCOL, 1, 1);
    list_pages(PAGE("<https://localhost/v2/a/tags/list>; rel=next", "aa"), REGTAG_E_PROTOCOL, 1, 1);
    list_pages(PAGE("<http://localhost:81/v2/a/tags/list>; rel=next", "aa"), REGTAG_E_PROTOCOL, 1, 1);
    list_pages(PAGE("</v2/a b>; rel=next", "aa"), REGTAG_E_PROTOCOL, 1, 1);
    list_pages(PAGE("<x; rel=next", "aa"), REGTAG_E_PROTOCOL, 1, 1);
}

static void several_link_fields_are_all_looked_at(void **state)
{
    (void)state;
    list_pages(PAGE("</x>; rel=prev\r\nlink: <?p=2>; rel=\"next\"\r\nLink: </y>; rel=last", "aa")
                   PAGE("", "bb"),
               REGTAG_OK, 2, 2);
}

static void empty_pages_do_not_go_on_for_ever(void **state)
{
    struct run run;
    char answers[ANSWERS_MAX];
    size_t size = 0;
    (void)state;
    for (unsigned i = 0; i < 60; i++)
        size +=
            (size_t)snprintf(answers + size, sizeof answers - size, EMPTY_PAGE("<?p=%u>; rel=next"), i);
    begin(&run);
    run.wire.manners.raw = answers;
    run.wire.manners.raw_size = size;
    assert_int_equal(regtag_list(run.regtag, "localhost/a", 0), REGTAG_OK);
    run_on(&run);
    expect_end(&run, REGTAG_OK);
    assert_true(run.wire.requests >= 2 && run.wire.requests < 60);
    finish(&run);
}

static void a_repository_that_is_not_there_is_not_found(void **state)
{
    struct run run;
    char answers[ANSWERS_MAX];
    (void)state;
    begin(&run);
    say(&run, answers, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(regtag_list(run.regtag, "localhost/a", 0), REGTAG_OK);
    run_on(&run);
    expect_end(&run, REGTAG_E_NOT_FOUND);
    expect_text(&run, "repository");
    finish(&run);
}

static void a_web_page_is_no_list(void **state)
{
    static const char *const types[] = {"text/html", "Text/HTML ; charset=utf-8", "text/html; x",
                                        "text/html:x", "text/plain"};
    (void)state;
    for (size_t i = 0; i < COUNT(types); i++) {
        struct run run;
        char answers[ANSWERS_MAX];
        const char *text;
        begin(&run);
        say(&run, answers, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: 4\r\n\r\n<h1>",
            types[i]);
        assert_int_equal(regtag_list(run.regtag, "localhost/a", 0), REGTAG_OK);
        run_on(&run);
        expect_end(&run, REGTAG_E_PROTOCOL);
        regtag_error(run.regtag, &text);
        if ((strstr(text, "web page") != NULL) != (i < 3))
            fail_msg("%s: %s", types[i], text);
        finish(&run);
    }
}

static void where_head_is_not_allowed_get_is_used(void **state)
{
    (void)state;
    for (unsigned status = 405; status <= 501; status += 96) {
        struct run run;
        char digest[72];
        begin(&run);
        run.wire.manners.head_status = status;
        assert_int_equal(regtag_digest(run.regtag, "localhost/a:new"), REGTAG_OK);
        run_on(&run);
        expect_end(&run, REGTAG_OK);
        wire_digest(OLD, sizeof OLD - 1, digest);
        assert_string_equal(run.digest, digest);
        assert_int_equal(run.wire.requests, 2);
        finish(&run);
    }
}

static void a_pinned_digest_is_compared_with_the_stated_one(void **state)
{
    struct run run;
    char image[128], digest[72];
    (void)state;
    begin(&run);
    wire_digest(OLD, sizeof OLD - 1, digest);
    snprintf(image, sizeof image, "localhost/a:base@%s", digest);
    run.wire.manners.claim = ZEROS;
    assert_int_equal(regtag_digest(run.regtag, image), REGTAG_OK);
    run_on(&run);
    expect_end(&run, REGTAG_E_REFUSED);
    assert_non_null(strstr(run.wire.log.data, "/v2/a/manifests/sha256:"));
    finish(&run);
}

/* ---- What is sent ---------------------------------------------------------------------------- */

static void the_requests_are_what_registries_want(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    tag_one(&run);
    const char *log = run.wire.log.data;
    assert_int_equal(strncmp(log, "GET /v2/a/manifests/base HTTP/1.1\r\nHost: localhost\r\n", 51), 0);
    assert_int_equal(count_of(log, "HEAD /v2/a/manifests/new HTTP/1.1\r\nHost: localhost\r\n"), 1);
    assert_int_equal(count_of(log, "\r\nAccept: "), 2);
    assert_int_equal(count_of(log, "\r\nAccept-Encoding: identity\r\n"), 3);
    assert_int_equal(count_of(log, "q="), 0);
    assert_int_equal(count_of(log, "*/*"), 0);
    assert_int_equal(count_of(log, "application/vnd."), 2 * 7 + 1 + 1);
    assert_int_equal(count_of(log, "\r\nUser-Agent: regtag/"), 3);
    assert_int_equal(count_of(log, "PUT /v2/a/manifests/new HTTP/1.1\r\nHost: localhost\r\n"), 1);
    assert_int_equal(count_of(log, "\r\nContent-Type: application/vnd.oci.image.manifest.v1+json\r\n"),
                     1);
    assert_int_equal(count_of(log, "\r\nContent-Length: "), 1);
    assert_int_equal(count_of(log, "Transfer-Encoding"), 0);
    assert_int_equal(count_of(log, "If-None-Match"), 0);
    finish(&run);
}

static void the_type_is_sent_without_its_parameters(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    snprintf(run.wire.tags[0].type, sizeof run.wire.tags[0].type, "%s; charset=utf-8", OCI);
    tag_one(&run);
    expect_end(&run, REGTAG_OK);
    assert_string_equal(run.wire.put_type, OCI);
    finish(&run);
}

static void requests_and_answers_can_be_followed(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    take_notes(&run, true);
    tag_one(&run);
    expect_end(&run, REGTAG_OK);
    assert_int_equal(strncmp(run.notes, ">GET /v2/a/manifests/base HTTP/1.1\n>Host: localhost\n", 52),
                     0);
    assert_int_equal(count_of(run.notes, "\n>HEAD /v2/a/manifests/new HTTP/1.1\n"), 1);
    assert_int_equal(count_of(run.notes, "\n>PUT /v2/a/manifests/new HTTP/1.1\n"), 1);
    assert_int_equal(count_of(run.notes, "\n<HTTP/1.1 200 Whatever\n"), 2);
    assert_int_equal(count_of(run.notes, "\n<HTTP/1.1 201 Whatever\n"), 1);
    assert_int_equal(count_of(run.notes, "\n<Docker-Content-Digest: sha256:"), 3);
    assert_int_equal(count_of(run.notes, "schemaVersion"), 0);
    finish(&run);
}

static char long_login[16384];

static const char *proxy_with_long_login(void *context, const struct regtag_origin *origin)
{
    (void)context;
    (void)origin;
    return long_login;
}

/* A proxy's login and a token, each as long as it may be and more: together they do not fit. */
static void a_request_that_does_not_fit_is_not_sent_in_part(void **state)
{
    static char token[REGTAG_TOKEN_MAX + 1];
    struct run run;
    (void)state;
    memset(long_login, 'l', sizeof long_login - 1);
    memset(token, 't', sizeof token - 1);
    begin(&run);
    run.config.transport.proxy = proxy_with_long_login;
    run.config.credentials.bearer_token = token;
    begin_again(&run);
    tag_one(&run);
    expect_end(&run, REGTAG_E_OTHER);
    assert_int_equal(run.wire.requests, 0);
    assert_int_equal(run.wire.connections, 0);
    finish(&run);
}

static void a_connection_that_is_to_be_closed_is_not_used_again(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.wire.manners.says_close = true;
    tag_one(&run);
    expect_end(&run, REGTAG_OK);
    /* What comes behind an answer that says so does not count (RFC 9112, 9.6). */
    expect_asked(&run, "GET base\nHEAD new\nHEAD new\nPUT new\n");
    assert_int_equal(run.wire.connections, 3);
    expect_outcome(&run, REGTAG_TAG_MOVED);
    finish(&run);
}

/* A manifest with `count` members in an object, or elements in an array, that no one knows. */
static void push_tokens(struct run *run, bool array, unsigned count)
{
    char text[8192];
    size_t size =
        (size_t)snprintf(text, sizeof text, "{\"schemaVersion\":2,\"config\":%s,\"layers\":[],\"x\":%s",
                         CONFIG, array ? "[" : "{");
    for (unsigned i = 0; i < count; i++)
        size +=
            (size_t)(array ? snprintf(text + size, sizeof text - size, "%s0", i ? "," : "")
                           : snprintf(text + size, sizeof text - size, "%s\"k%u\":0", i ? "," : "", i));
    size += (size_t)snprintf(text + size, sizeof text - size, "%s}", array ? "]" : "}");
    wire_push(&run->wire, "base", OCI, text, size);
}

static void tokens_fill_their_memory_to_the_last_one(void **state)
{
    static const struct {
        bool array;
        unsigned count;
        enum regtag_status status;
    } cases[] = {
        {true, TOKENS_MAX - 15, REGTAG_OK},        {true, TOKENS_MAX - 14, REGTAG_E_REFUSED},
        {false, (TOKENS_MAX - 15) / 2, REGTAG_OK}, {false, (TOKENS_MAX - 15) / 2 + 1, REGTAG_E_REFUSED},
        {true, 2 * TOKENS_MAX, REGTAG_E_REFUSED},  {false, 2 * TOKENS_MAX, REGTAG_E_REFUSED}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct run run;
        begin(&run);
        push_tokens(&run, cases[i].array, cases[i].count);
        tag_one(&run);
        expect_end(&run, cases[i].status);
        finish(&run);
    }
}

/* ---- Time ------------------------------------------------------------------------------------ */

static void expect_time(const struct run *run, enum regtag_status status)
{
    expect_end(run, status);
    if (run->wire.now > TIMEOUT)
        fail_msg("it ended after %llu ms", (unsigned long long)run->wire.now);
}

static void a_connection_that_never_comes_up_ends_in_time(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.wire.connecting = WIRE_NEVER;
    tag_one(&run);
    expect_time(&run, REGTAG_E_NO_CONNECTION);
    expect_truth(&run, "never");
    finish(&run);
}

static void a_server_that_never_answers_ends_in_time(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.wire.manners.delay = 10 * TIMEOUT;
    tag_one(&run);
    expect_time(&run, REGTAG_E_TIMEOUT);
    expect_truth(&run, "delay");
    finish(&run);
}

static void a_server_that_sends_a_byte_a_second_ends_in_time(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.wire.manners.pace = 1000;
    tag_one(&run);
    expect_time(&run, REGTAG_E_TIMEOUT);
    expect_truth(&run, "pace");
    finish(&run);
}

static void a_body_without_end_ends(void **state)
{
    (void)state;
    for (unsigned verb = 0; verb < 3; verb++) {
        struct run run;
        begin(&run);
        run.wire.manners.endless = true;
        if (verb == 0)
            tag_one(&run);
        else if (verb == 1)
            assert_int_equal(regtag_list(run.regtag, "localhost/a", 0), REGTAG_OK);
        else
            assert_int_equal(regtag_manifest(run.regtag, "localhost/a:missing"), REGTAG_OK);
        run_on(&run);
        assert_int_equal(run.end, REGTAG_ERROR);
        assert_true(run.wire.received < (64u << 20));
        finish(&run);
    }
}

static void no_time_at_all_ends_at_once(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.config.timeout = 0;
    begin_again(&run);
    tag_one(&run);
    assert_int_equal(run.end, REGTAG_ERROR);
    expect_truth(&run, "no time");
    assert_int_equal(run.wire.requests, 0);
    finish(&run);
}

static void slow_is_not_too_slow(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.wire.connecting = 5000;
    run.wire.manners.delay = 20000;
    tag_one(&run);
    expect_end(&run, REGTAG_OK);
    finish(&run);
}

static void the_clock_may_begin_anywhere(void **state)
{
    static const uint64_t starts[] = {
        0, 1, 1000, UINT32_MAX - 5u, (uint64_t)UINT32_MAX + 1, UINT64_MAX / 2};
    (void)state;
    for (size_t i = 0; i < COUNT(starts); i++) {
        struct run run;
        begin(&run);
        run.wire.now = starts[i];
        run.wire.manners.delay = 20000;
        tag_one(&run);
        expect_end(&run, REGTAG_OK);
        finish(&run);
    }
}

static void a_timeout_without_bounds_is_no_timeout_at_once(void **state)
{
    static const uint64_t timeouts[] = {UINT64_MAX, UINT64_MAX - 4999, UINT64_MAX / 2};
    (void)state;
    for (size_t i = 0; i < COUNT(timeouts); i++) {
        struct run run;
        begin(&run);
        run.config.timeout = timeouts[i];
        begin_again(&run);
        run.wire.now = 5000;
        run.wire.manners.delay = 20000;
        tag_one(&run);
        expect_end(&run, REGTAG_OK);
        finish(&run);
    }
}

/* ---- Faults at every byte -------------------------------------------------------------------- */

/* Tags "new" with a fault, and the manners of the registry. */
static enum regtag_event tag_with_fault(struct wire_fault fault, struct wire_manners manners,
                                        const char *when)
{
    struct run run;
    begin(&run);
    run.wire.manners = manners;
    run.wire.fault = fault;
    run.wire.seed = fault.at % 3;
    tag_one(&run);
    expect_truth(&run, when);
    if (run.wire.now > TIMEOUT)
        fail_msg("%s: it took %llu ms", when, (unsigned long long)run.wire.now);
    enum regtag_event end = run.end;
    finish(&run);
    return end;
}

/* Breaks the way at every byte in turn, until it is not reached any more. */
static void sweep(bool writing, bool orderly, bool lasting, struct wire_manners manners)
{
    for (uint64_t at = 0; at < 3000; at++) {
        char when[128];
        struct wire_fault fault = {true, writing, at, orderly, lasting};
        snprintf(when, sizeof when, "%s %s %s at byte %llu", writing ? "writing" : "reading",
                 orderly ? "ends" : "fails", lasting ? "for good" : "once", (unsigned long long)at);
        tag_with_fault(fault, manners, when);
    }
}

static void a_fault_at_any_byte_sent_is_told_truly(void **state)
{
    (void)state;
    sweep(true, false, false, (struct wire_manners){0});
    sweep(true, false, true, (struct wire_manners){0});
}

static void a_fault_at_any_byte_received_is_told_truly(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        sweep(false, i & 1, i & 2, (struct wire_manners){0});
        sweep(false, i & 1, i & 2, (struct wire_manners){.chunked = true, .interim = true});
        sweep(false, i & 1, i & 2, (struct wire_manners){.no_digest = true});
    }
}

static void a_fault_without_keep_alive_is_told_truly(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++)
        sweep(false, i & 1, i & 2, (struct wire_manners){.close_after_each = true});
    sweep(true, false, false, (struct wire_manners){.close_late = true});
    sweep(true, false, true, (struct wire_manners){.close_silently = true});
}

/* A registry with manners and a fault by chance. */
static void behave_by_chance(struct run *run, uint64_t seed)
{
    struct wire_manners *m = &run->wire.manners;
    uint64_t x = seed * 11400714819323198485u;
    x ^= x >> 29;
    m->no_digest = (x & 7) == 0;
    m->no_head_digest = (x >> 3 & 15) == 0;
    m->put_unanswered = (x >> 7 & 7) == 0;
    m->head_unanswered = (x >> 10 & 7) == 0;
    m->hang_up_unanswered = x >> 13 & 1;
    m->close_after_each = (x >> 14 & 3) == 0;
    m->close_silently = (x >> 16 & 3) == 0;
    m->close_late = (x >> 18 & 3) == 0;
    m->chunked = x >> 20 & 1;
    m->interim = (x >> 21 & 3) == 0;
    m->put_status = (x >> 23 & 7) == 0 ? 409 : 0;
    m->delay = (x >> 26 & 3) * 10000;
    run->wire.refused = (unsigned)(x >> 28 & 7) == 0;
    run->wire.connecting = x >> 31 & 1023;
    run->wire.fault =
        (struct wire_fault){x >> 41 & 1, x >> 42 & 1, (x >> 43) % 2500, x >> 60 & 1, x >> 61 & 1};
    run->wire.seed = seed;
    run->impatient = (x >> 62 & 3) == 0;
}

static void whatever_happens_by_chance_is_told_truly(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 6000; seed++) {
        struct run run;
        char when[32];
        begin(&run);
        behave_by_chance(&run, seed);
        snprintf(when, sizeof when, "seed %llu", (unsigned long long)seed);
        tag_one(&run);
        expect_truth(&run, when);
        if (run.wire.now > TIMEOUT + 1)
            fail_msg("%s: it took %llu ms", when, (unsigned long long)run.wire.now);
        finish(&run);
    }
}

/* ---- The caller ------------------------------------------------------------------------------ */

static void bad_references_and_names_are_refused_before_anything_is_sent(void **state)
{
    static const char *const images[] = {
        "",        " ",  "A", "localhost/", "localhost/a:", "localhost/a@sha256:0", "http://localhost/a",
        "../../x", "a\n"};
    static const char *const names[] = {"", ".", "-a", "a/b", "a:b", "a b", "a\n", "../x", "\xc3\xa9"};
    (void)state;
    for (size_t i = 0; i < COUNT(images); i++) {
        struct run run;
        begin(&run);
        assert_int_equal(regtag_tag(run.regtag, images[i], one_name, 1), REGTAG_E_USAGE);
        run_on(&run);
        expect_end(&run, REGTAG_E_USAGE);
        assert_int_equal(run.wire.connections, 0);
        finish(&run);
    }
    for (size_t i = 0; i < COUNT(names); i++) {
        const char *list[] = {"good", names[i]};
        struct run run;
        begin(&run);
        assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", list, 2), REGTAG_E_USAGE);
        run_on(&run);
        expect_end(&run, REGTAG_E_USAGE);
        assert_int_equal(run.wire.connections, 0);
        finish(&run);
    }
}

static void a_list_wants_a_repository(void **state)
{
    static const char *const images[] = {"localhost/a:b", "localhost/a@sha256:", ""};
    (void)state;
    for (size_t i = 0; i < COUNT(images); i++) {
        struct run run;
        begin(&run);
        assert_int_equal(regtag_list(run.regtag, images[i], 0), REGTAG_E_USAGE);
        run_on(&run);
        expect_end(&run, REGTAG_E_USAGE);
        finish(&run);
    }
}

static void memory_that_does_not_do_is_refused(void **state)
{
    struct run run;
    struct regtag_config config;
    (void)state;
    begin(&run);
    config = run.config;
    assert_null(regtag_init(NULL, run.block.size, &config));
    assert_null(regtag_init(run.block.data, run.block.size - 1, &config));
    assert_null(regtag_init(run.block.data, 0, &config));
    config.manifest_max = 1024;
    assert_null(regtag_init(run.block.data + 1, run.block.size - 1, &config));
    finish(&run);
}

static void sizes_beyond_all_memory_are_refused(void **state)
{
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX / 2, SIZE_MAX / 16};
    struct run run;
    (void)state;
    begin(&run);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct regtag_config config = run.config;
        config.manifest_max = sizes[i];
        assert_null(regtag_init(run.block.data, run.block.size, &config));
        config = run.config;
        config.tokens_max = sizes[i];
        assert_null(regtag_init(run.block.data, run.block.size, &config));
    }
    finish(&run);
}

static void a_step_without_a_task_is_an_error(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run_on(&run);
    assert_int_equal(run.end, REGTAG_ERROR);
    assert_int_equal(run.wire.connections, 0);
    finish(&run);
}

static int hash_failure(void *context)
{
    (void)context;
    return -1;
}

static int hash_update_failure(void *context, const void *bytes, size_t size)
{
    (void)context;
    (void)bytes;
    (void)size;
    return -1;
}

static int hash_finish_failure(void *context, unsigned char sum[32])
{
    (void)context;
    memset(sum, 0, 32);
    return -1;
}

static void nothing_is_uploaded_when_the_hash_fails(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct run run;
        begin(&run);
        run.wire.manners.no_digest = true;
        if (i == 0)
            run.config.hash.start = hash_failure;
        else if (i == 1)
            run.config.hash.update = hash_update_failure;
        else
            run.config.hash.finish = hash_finish_failure;
        begin_again(&run);
        tag_one(&run);
        expect_end(&run, REGTAG_E_OTHER);
        expect_truth(&run, "hash");
        assert_int_equal(run.wire.puts, 0);
        finish(&run);
    }
}

static void tokens_that_run_out_are_told(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.config.tokens_max = 8;
    begin_again(&run);
    tag_one(&run);
    expect_end(&run, REGTAG_E_REFUSED);
    expect_text(&run, "8");
    assert_int_equal(run.wire.puts, 0);
    finish(&run);
}

static void the_origin_is_that_of_the_reference(void **state)
{
    static const struct {
        const char *image;
        enum regtag_scheme scheme;
        const char *host;
        unsigned port;
        bool tls;
    } cases[] = {
        {"busybox", REGTAG_SCHEME_DEFAULT, "registry-1.docker.io", 443, true},
        {"docker.io/a/b", REGTAG_SCHEME_DEFAULT, "registry-1.docker.io", 443, true},
        {"example.com/a", REGTAG_SCHEME_DEFAULT, "example.com", 443, true},
        {"example.com:5000/a", REGTAG_SCHEME_DEFAULT, "example.com", 5000, true},
        {"example.com/a", REGTAG_SCHEME_PLAIN, "example.com", 80, false},
        {"localhost/a", REGTAG_SCHEME_DEFAULT, "localhost", 80, false},
        {"localhost/a", REGTAG_SCHEME_TLS, "localhost", 443, true},
        {"localhost:5000/a", REGTAG_SCHEME_DEFAULT, "localhost", 5000, false},
        {"127.0.0.1/a", REGTAG_SCHEME_DEFAULT, "127.0.0.1", 80, false},
        {"127.255.255.254:1/a", REGTAG_SCHEME_DEFAULT, "127.255.255.254", 1, false},
        {"[::1]:5000/a", REGTAG_SCHEME_DEFAULT, "::1", 5000, false},
        {"[::2]/a", REGTAG_SCHEME_DEFAULT, "::2", 443, true},
        {"128.0.0.1/a", REGTAG_SCHEME_DEFAULT, "128.0.0.1", 443, true},
        {"127.0.0.1.example.com/a", REGTAG_SCHEME_DEFAULT, "127.0.0.1.example.com", 443, true},
        {"127.example.com/a", REGTAG_SCHEME_DEFAULT, "127.example.com", 443, true},
        {"localhost.example.com/a", REGTAG_SCHEME_DEFAULT, "localhost.example.com", 443, true},
        {"1270.0.0.1/a", REGTAG_SCHEME_DEFAULT, "1270.0.0.1", 443, true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct run run;
        begin(&run);
        run.config.scheme = cases[i].scheme;
        begin_again(&run);
        assert_int_equal(regtag_digest(run.regtag, cases[i].image), REGTAG_OK);
        assert_int_equal(regtag_step(run.regtag, 0, run.want, WIRE_LINES), REGTAG_WAIT);
        assert_true(run.want[0].open);
        const struct regtag_origin *origin = run.want[0].origin;
        assert_string_equal(origin->host, cases[i].host);
        assert_int_equal(origin->port, cases[i].port);
        if (origin->tls != cases[i].tls)
            fail_msg("%s", cases[i].image);
        finish(&run);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_tag_takes_three_requests_two_round_trips_and_one_connection),
        cmocka_unit_test(many_tags_take_two_requests_each_sixteen_in_a_round_trip),
        cmocka_unit_test(a_name_given_twice_is_set_once),
        cmocka_unit_test(any_split_of_the_bytes_gives_the_same),
        cmocka_unit_test(the_upload_is_announced_before_it_is_sent),
        cmocka_unit_test(what_is_declined_fails_for_the_reason_given),
        cmocka_unit_test(every_framing_of_an_answer_is_understood),
        cmocka_unit_test(a_connection_closed_between_requests_is_opened_again),
        cmocka_unit_test(a_block_is_used_again),
        cmocka_unit_test(the_end_stays_the_end),
        cmocka_unit_test(two_operations_know_nothing_of_each_other),
        cmocka_unit_test(the_digest_is_asked_for_with_head),
        cmocka_unit_test(the_digest_is_computed_where_it_is_not_stated),
        cmocka_unit_test(a_manifest_comes_byte_for_byte),
        cmocka_unit_test(a_manifest_fills_its_memory_to_the_last_byte),
        cmocka_unit_test(a_manifest_that_is_a_byte_too_large_is_refused),
        cmocka_unit_test(tags_are_listed_over_all_pages),
        cmocka_unit_test(a_list_ends_at_its_limit),
        cmocka_unit_test(lists_are_read_as_registries_write_them),
        cmocka_unit_test(what_is_no_list_is_refused),
        cmocka_unit_test(tags_have_128_bytes_at_most),
        cmocka_unit_test(nothing_is_uploaded_under_another_digest),
        cmocka_unit_test(nothing_is_uploaded_that_is_not_what_was_pinned),
        cmocka_unit_test(nothing_is_uploaded_that_is_no_manifest),
        cmocka_unit_test(schema_1_is_not_tagged),
        cmocka_unit_test(another_digest_after_an_upload_is_told),
        cmocka_unit_test(an_upload_without_a_digest_is_looked_at),
        cmocka_unit_test(where_no_digest_is_ever_stated_it_is_computed),
        cmocka_unit_test(an_upload_that_cannot_be_confirmed_is_uncertain),
        cmocka_unit_test(an_unanswered_upload_is_looked_at),
        cmocka_unit_test(an_unanswered_upload_and_an_unanswered_look_are_uncertain),
        cmocka_unit_test(a_failed_upload_that_was_stored_is_seen),
        cmocka_unit_test(statuses_of_uploads_have_their_meanings),
        cmocka_unit_test(one_tag_that_fails_does_not_stop_the_others),
        cmocka_unit_test(every_name_has_its_line_when_there_is_no_image),
        cmocka_unit_test(an_early_refusal_is_read_while_the_upload_is_held_up),
        cmocka_unit_test(what_is_no_http_is_told),
        cmocka_unit_test(an_upload_is_confirmed_by_the_header_alone),
        cmocka_unit_test(an_error_is_told_though_its_words_are_cut),
        cmocka_unit_test(a_compressed_manifest_is_refused),
        cmocka_unit_test(a_manifest_of_another_type_is_not_uploaded),
        cmocka_unit_test(a_stated_digest_that_is_none_is_refused),
        cmocka_unit_test(pages_that_lead_in_a_circle_end),
        cmocka_unit_test(pages_that_lead_elsewhere_are_refused),
        cmocka_unit_test(several_link_fields_are_all_looked_at),
        cmocka_unit_test(empty_pages_do_not_go_on_for_ever),
        cmocka_unit_test(a_repository_that_is_not_there_is_not_found),
        cmocka_unit_test(a_web_page_is_no_list),
        cmocka_unit_test(where_head_is_not_allowed_get_is_used),
        cmocka_unit_test(a_pinned_digest_is_compared_with_the_stated_one),
        cmocka_unit_test(the_requests_are_what_registries_want),
        cmocka_unit_test(the_type_is_sent_without_its_parameters),
        cmocka_unit_test(requests_and_answers_can_be_followed),
        cmocka_unit_test(a_request_that_does_not_fit_is_not_sent_in_part),
        cmocka_unit_test(a_connection_that_is_to_be_closed_is_not_used_again),
        cmocka_unit_test(tokens_fill_their_memory_to_the_last_one),
        cmocka_unit_test(a_connection_that_never_comes_up_ends_in_time),
        cmocka_unit_test(a_server_that_never_answers_ends_in_time),
        cmocka_unit_test(a_server_that_sends_a_byte_a_second_ends_in_time),
        cmocka_unit_test(a_body_without_end_ends),
        cmocka_unit_test(no_time_at_all_ends_at_once),
        cmocka_unit_test(slow_is_not_too_slow),
        cmocka_unit_test(the_clock_may_begin_anywhere),
        cmocka_unit_test(a_timeout_without_bounds_is_no_timeout_at_once),
        cmocka_unit_test(a_fault_at_any_byte_sent_is_told_truly),
        cmocka_unit_test(a_fault_at_any_byte_received_is_told_truly),
        cmocka_unit_test(a_fault_without_keep_alive_is_told_truly),
        cmocka_unit_test(whatever_happens_by_chance_is_told_truly),
        cmocka_unit_test(bad_references_and_names_are_refused_before_anything_is_sent),
        cmocka_unit_test(a_list_wants_a_repository),
        cmocka_unit_test(memory_that_does_not_do_is_refused),
        cmocka_unit_test(sizes_beyond_all_memory_are_refused),
        cmocka_unit_test(a_step_without_a_task_is_an_error),
        cmocka_unit_test(nothing_is_uploaded_when_the_hash_fails),
        cmocka_unit_test(tokens_that_run_out_are_told),
        cmocka_unit_test(the_origin_is_that_of_the_reference),
    };
    return cmocka_run_group_tests_name("operation", tests, NULL, NULL);
}
