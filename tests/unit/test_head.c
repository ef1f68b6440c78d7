/* A HEAD that is not to be believed: a GET of the same tag decides wherever something depends on it. */
#include "run.h"

/* What a HEAD may be answered with where a GET finds the tag. */
static const unsigned statuses[] = {400, 402, 403, 404, 405, 406, 410, 412, 415, 423, 451, 501};

/* Whether that is because of the method, so that it is no use to send another one. */
static bool is_unsupported(unsigned status)
{
    return status == 400 || status == 405 || status == 501;
}

static void guard_with(struct run *run, const char *const *expected, size_t count)
{
    run->config.expected = expected;
    run->config.expected_count = count;
    begin_again(run);
}

/* ---- Guards ---------------------------------------------------------------------------------- */

static const struct guard_case {
    const char *prefix;
    enum { ABSENT, RIGHT, WRONG } kind;
} guards[] = {{"", ABSENT},    {"new=", ABSENT}, {"", RIGHT},
              {"new=", RIGHT}, {"", WRONG},      {"new=", WRONG}};

static void write_guard(char *guard, size_t size, const struct guard_case *g)
{
    snprintf(guard, size, "%s%s", g->prefix,
             g->kind == ABSENT  ? "absent"
             : g->kind == RIGHT ? digest_of_old()
                                : ZEROS);
}

static void a_guarded_tag_that_head_denies_is_found_by_get(void **state)
{
    (void)state;
    for (size_t s = 0; s < COUNT(statuses); s++) {
        for (size_t g = 0; g < COUNT(guards); g++) {
            for (unsigned no_digest = 0; no_digest < 2; no_digest++) {
                bool holds = guards[g].kind == RIGHT;
                struct run run;
                char guard[128];
                const char *expected[] = {guard};
                write_guard(guard, sizeof guard, &guards[g]);
                begin(&run);
                run.wire.manners.head_status = statuses[s];
                run.wire.manners.no_digest = no_digest;
                guard_with(&run, expected, 1);
                tag_one(&run);
                expect_end(&run, holds ? REGTAG_OK : REGTAG_E_GUARD);
                expect_outcome(&run, holds ? REGTAG_TAG_MOVED : REGTAG_TAG_FAILED);
                assert_string_equal(run.previous[0], digest_of_old());
                assert_int_not_equal(run.before[0], REGTAG_PREVIOUS_ABSENT);
                assert_true(holds ? IS_NEW(&run, "new") : IS_OLD(&run, "new"));
                expect_asked(&run, !holds      ? "GET base\nHEAD new\nGET new\n"
                                   : no_digest ? "GET base\nHEAD new\nGET new\nPUT new\nGET new\n"
                                               : "GET base\nHEAD new\nGET new\nPUT new\n");
                assert_int_equal(run.wire.connections, 1);
                finish(&run);
            }
        }
    }
}

static void a_guarded_tag_that_is_absent_costs_one_get_more(void **state)
{
    static const unsigned gets[] = {404, 410};
    (void)state;
    for (size_t s = 0; s < COUNT(statuses); s++) {
        for (size_t g = 0; g < COUNT(guards); g++) {
            for (unsigned seed = 0; seed < 8; seed++) {
                bool holds = guards[g].kind == ABSENT;
                struct run run;
                char guard[128];
                const char *expected[] = {guard};
                write_guard(guard, sizeof guard, &guards[g]);
                begin(&run);
                wire_delete(&run.wire, "new");
                run.wire.manners.absent_head = statuses[s];
                run.wire.manners.absent_get = gets[seed % 2];
                run.wire.manners.chunked = seed / 2 % 2;
                run.wire.seed = seed;
                run.wire.step = seed / 4;
                guard_with(&run, expected, 1);
                tag_one(&run);
                expect_end(&run, holds ? REGTAG_OK : REGTAG_E_GUARD);
                expect_outcome(&run, holds ? REGTAG_TAG_CREATED : REGTAG_TAG_FAILED);
                assert_int_equal(run.before[0], REGTAG_PREVIOUS_ABSENT);
                assert_int_equal(holds, IS_NEW(&run, "new"));
                expect_asked(&run, holds ? "GET base\nHEAD new\nGET new\nPUT new\n"
                                         : "GET base\nHEAD new\nGET new\n");
                assert_int_equal(run.wire.connections, 1);
                finish(&run);
            }
        }
    }
}

/* The GET fails, too: nobody knows whether the tag is there. */
static void a_guarded_tag_that_get_does_not_tell_of_is_left_alone(void **state)
{
    static const struct {
        unsigned http;
        enum regtag_status status;
    } cases[] = {{400, REGTAG_E_GUARD},        {401, REGTAG_E_GUARD},     {403, REGTAG_E_GUARD},
                 {406, REGTAG_E_GUARD},        {429, REGTAG_E_SLOW_DOWN}, {500, REGTAG_E_SERVER_FAILED},
                 {502, REGTAG_E_SERVER_FAILED}};
    (void)state;
    for (size_t s = 0; s < COUNT(statuses); s++) {
        for (size_t i = 0; i < COUNT(cases); i++) {
            for (size_t g = 0; g < COUNT(guards); g++) {
                struct run run;
                char guard[128];
                const char *expected[] = {guard};
                write_guard(guard, sizeof guard, &guards[g]);
                begin(&run);
                run.wire.manners.head_status = statuses[s];
                run.wire.manners.get_status = cases[i].http;
                run.wire.manners.only_tag = "new";
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
}

static void a_guarded_tag_is_tried_again_by_get(void **state)
{
    (void)state;
    for (unsigned status = 0; status <= 503; status += 503) {
        static const char *const expected[] = {"absent"};
        struct run run;
        begin(&run);
        run.config.retries = 2;
        guard_with(&run, expected, 1);
        run.wire.manners.head_status = 404;
        run.wire.manners.fail_after = 2;
        run.wire.manners.fail = 2;
        run.wire.manners.fail_status = status;
        run.wire.manners.close_after_each = true; /* no connection has been used before */
        tag_one(&run);
        expect_end(&run, REGTAG_E_GUARD);
        expect_asked(&run, "GET base\nHEAD new\nGET new\nGET new\nGET new\n");
        assert_true(IS_OLD(&run, "new"));
        finish(&run);
    }
}

static void a_token_is_fetched_for_the_get_as_for_the_head(void **state)
{
    (void)state;
    for (unsigned absent = 0; absent < 2; absent++) {
        static const char *const expected[] = {"absent"};
        struct run run;
        begin(&run);
        if (absent)
            wire_delete(&run.wire, "new");
        run.wire.manners.realm = "http://localhost/token";
        run.wire.manners.token_life = 15;
        run.wire.manners.delay = 10;
        run.wire.manners.head_status = 404;
        guard_with(&run, expected, 1);
        tag_one(&run);
        expect_end(&run, absent ? REGTAG_OK : REGTAG_E_GUARD);
        assert_true(absent ? IS_NEW(&run, "new") : IS_OLD(&run, "new"));
        finish(&run);
    }
}

/* ---- Without a guard ------------------------------------------------------------------------- */

static void without_a_guard_a_404_is_believed_and_costs_nothing(void **state)
{
    (void)state;
    for (unsigned there = 0; there < 2; there++) {
        struct run run;
        begin(&run);
        if (!there)
            wire_delete(&run.wire, "new");
        run.wire.manners.head_status = 404;
        tag_one(&run);
        expect_end(&run, REGTAG_OK);
        expect_outcome(&run, REGTAG_TAG_CREATED);
        assert_int_equal(run.before[0], REGTAG_PREVIOUS_ABSENT);
        assert_true(IS_NEW(&run, "new"));
        expect_asked(&run, "GET base\nHEAD new\nPUT new\n");
        assert_int_equal(run.wire.connections, 1);
        finish(&run);
    }
}

static void without_a_guard_many_tags_take_two_requests_each(void **state)
{
    static const char *const names[] = {"x", "new", "y"};
    (void)state;
    for (unsigned lies = 0; lies < 2; lies++) {
        struct run run;
        begin(&run);
        run.wire.manners.head_status = lies ? 404 : 0;
        assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", names, COUNT(names)), REGTAG_OK);
        run_on(&run);
        expect_end(&run, REGTAG_OK);
        expect_asked(&run, "GET base\nHEAD x\nHEAD new\nHEAD y\nPUT x\nPUT new\nPUT y\n");
        assert_int_equal(run.outcome[0], REGTAG_TAG_CREATED);
        assert_int_equal(run.outcome[1], lies ? REGTAG_TAG_CREATED : REGTAG_TAG_MOVED);
        assert_int_equal(run.wire.connections, 1);
        finish(&run);
    }
}

static void without_a_guard_a_head_that_is_refused_leads_to_a_get(void **state)
{
    (void)state;
    for (size_t s = 0; s < COUNT(statuses); s++) {
        for (unsigned there = 0; statuses[s] != 404 && there < 2; there++) {
            struct run run;
            begin(&run);
            if (!there)
                wire_delete(&run.wire, "new");
            run.wire.manners.head_status = statuses[s];
            run.wire.manners.absent_head = statuses[s];
            tag_one(&run);
            expect_end(&run, REGTAG_OK);
            expect_outcome(&run, there ? REGTAG_TAG_MOVED : REGTAG_TAG_CREATED);
            assert_string_equal(run.previous[0], there ? digest_of_old() : "");
            expect_asked(&run, "GET base\nHEAD new\nGET new\nPUT new\n");
            assert_int_equal(run.wire.connections, 1);
            finish(&run);
        }
    }
}

/* Other answers are none to the question, and a GET would be answered no better. */
static void other_failures_of_a_head_do_not_lead_to_a_get(void **state)
{
    static const unsigned others[] = {409, 418, 429, 500, 503, 522};
    (void)state;
    for (size_t i = 0; i < COUNT(others); i++) {
        struct run run;
        begin(&run);
        run.wire.manners.head_status = others[i];
        tag_one(&run);
        expect_end(&run, REGTAG_OK);
        expect_outcome(&run, REGTAG_TAG_SET);
        expect_asked(&run, "GET base\nHEAD new\nPUT new\n");
        finish(&run);
    }
}

/* ---- From one look to the next --------------------------------------------------------------- */

static void once_get_has_contradicted_head_it_is_used_at_once(void **state)
{
    static const char *const names[] = {"new", "other", "third"};
    (void)state;
    for (size_t s = 0; s < COUNT(statuses); s++) {
        struct run run;
        const char *expected[] = {digest_of_old()};
        begin(&run);
        wire_push(&run.wire, "other", OCI, OLD, sizeof OLD - 1);
        wire_push(&run.wire, "third", OCI, OLD, sizeof OLD - 1);
        run.wire.manners.head_status = statuses[s];
        guard_with(&run, expected, 1);
        assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", names, COUNT(names)), REGTAG_OK);
        run_on(&run);
        expect_end(&run, REGTAG_OK);
        for (size_t i = 0; i < COUNT(names); i++)
            assert_int_equal(run.outcome[i], REGTAG_TAG_MOVED);
        expect_asked(&run, "GET base\nHEAD new\nGET new\nPUT new\nGET other\nPUT other\n"
                           "GET third\nPUT third\n");
        assert_int_equal(run.wire.connections, 1);
        finish(&run);
    }
}

/* One odd answer does not lead to a GET of each of a thousand tags. */
static void after_some_gets_head_is_tried_again(void **state)
{
    static char texts[40][8];
    const char *names[COUNT(texts)], *expected[] = {digest_of_old()};
    (void)state;
    for (size_t s = 0; s < COUNT(statuses); s++) {
        struct run run;
        begin(&run);
        for (size_t i = 0; i < COUNT(texts); i++) {
            snprintf(texts[i], sizeof texts[i], "v%zu", i);
            names[i] = texts[i];
            wire_push(&run.wire, texts[i], OCI, OLD, sizeof OLD - 1);
        }
        run.wire.manners.head_status = statuses[s];
        run.wire.manners.only_tag = "v0";
        guard_with(&run, expected, 1);
        assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", names, COUNT(names)), REGTAG_OK);
        run_on(&run);
        expect_end(&run, REGTAG_OK);
        assert_in_range(run.wire.gets, 2, 10);
        finish(&run);
    }
}

/* A 404 that is true says nothing against HEAD; that HEAD is not supported holds for other tags as well. */
static void where_get_agrees_that_a_tag_is_absent_head_is_used_again(void **state)
{
    static const char *const names[] = {"x", "y"}, *const expected[] = {"absent"};
    (void)state;
    for (size_t s = 0; s < COUNT(statuses); s++) {
        struct run run;
        begin(&run);
        run.wire.manners.absent_head = statuses[s];
        guard_with(&run, expected, 1);
        assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", names, COUNT(names)), REGTAG_OK);
        run_on(&run);
        expect_end(&run, REGTAG_OK);
        assert_int_equal(run.outcome[0], REGTAG_TAG_CREATED);
        assert_int_equal(run.outcome[1], REGTAG_TAG_CREATED);
        expect_asked(&run, is_unsupported(statuses[s])
                               ? "GET base\nHEAD x\nGET x\nPUT x\nGET y\nPUT y\n"
                               : "GET base\nHEAD x\nGET x\nPUT x\nHEAD y\nGET y\nPUT y\n");
        assert_int_equal(run.wire.connections, 1);
        finish(&run);
    }
}

/* ---- After the upload ------------------------------------------------------------------------ */

static void a_confirmed_tag_that_head_denies_is_read_back_by_get(void **state)
{
    (void)state;
    for (size_t s = 0; s < COUNT(statuses); s++) {
        for (unsigned deleted = 0; deleted < 2; deleted++) {
            struct run run;
            begin(&run);
            run.config.confirm = true;
            begin_again(&run);
            run.wire.manners.head_status = statuses[s];
            run.wire.manners.absent_head = statuses[s];
            run.wire.manners.head_right = 1;
            if (deleted)
                run.wire.rival = (struct wire_rival){4, "new", OCI, NULL};
            tag_one(&run);
            expect_end(&run, deleted ? REGTAG_E_NOT_CONFIRMED : REGTAG_OK);
            expect_outcome(&run, deleted ? REGTAG_TAG_FAILED : REGTAG_TAG_MOVED);
            expect_asked(&run, "GET base\nHEAD new\nPUT new\nHEAD new\nGET new\n");
            finish(&run);
        }
    }
}

/* Without a guard the first 404 is believed; what is in doubt is not decided by it. */
static void an_upload_in_doubt_is_found_by_get(void **state)
{
    (void)state;
    for (size_t s = 0; s < COUNT(statuses); s++) {
        for (unsigned how = 0; how < 3 * 2 * 2; how++) {
            unsigned guarded = how / 3 % 2, right = how / 6;
            struct run run;
            const char *expected[] = {digest_of_old()};
            begin(&run);
            run.wire.manners.head_status = statuses[s];
            run.wire.manners.head_right = right;
            run.wire.manners.put_unanswered = how % 3 < 2;
            run.wire.manners.hang_up_unanswered = how % 3 == 1;
            run.wire.manners.put_status = how % 3 == 2 ? 502 : 0;
            run.wire.manners.stores_anyway = how % 3 == 2;
            guard_with(&run, expected, guarded);
            tag_one(&run);
            expect_end(&run, REGTAG_OK);
            expect_outcome(&run, !right && !guarded && statuses[s] == 404 ? REGTAG_TAG_CREATED
                                                                          : REGTAG_TAG_MOVED);
            assert_true(IS_NEW(&run, "new"));
            assert_true(run.wire.puts == 1 || !guarded);
            finish(&run);
        }
    }
}

/* ---- Digests --------------------------------------------------------------------------------- */

static void ask_for_digest(struct run *run, const char *image)
{
    assert_int_equal(regtag_digest(run->regtag, image), REGTAG_OK);
    run_on(run);
}

static void ask_again(struct run *run, const char *known)
{
    regtag_again(run->regtag, known);
    run->wire.asked.size = 0;
    run_on(run);
}

static void keep(struct run *run)
{
    run->config.keep = true;
    begin_again(run);
}

/* Its secrets are wiped at the end, but for what is the caller's. */
static void a_bearer_token_is_sent_each_time(void **state)
{
    (void)state;
    for (unsigned keeps = 0; keeps < 2; keeps++) {
        struct run run;
        begin(&run);
        run.config.credentials.bearer_token = "a-bearer-token";
        run.config.keep = keeps;
        begin_again(&run);
        ask_for_digest(&run, "localhost/a:new");
        ask_again(&run, NULL);
        expect_end(&run, REGTAG_OK);
        assert_int_equal(count_of(run.wire.log.data, "Authorization: Bearer a-bearer-token\r\n"), 2);
        finish(&run);
    }
}

static void the_digest_of_a_tag_that_head_denies_is_got(void **state)
{
    (void)state;
    for (size_t s = 0; s < COUNT(statuses); s++) {
        for (unsigned pinned = 0; pinned < 2; pinned++) {
            struct run run;
            char image[128], asked[256];
            const char *reference = pinned ? digest_of_old() : "new";
            begin(&run);
            run.wire.manners.head_status = statuses[s];
            snprintf(image, sizeof image, "localhost/a%s%s", pinned ? "@" : ":", reference);
            snprintf(asked, sizeof asked, "HEAD %s\nGET %s\n", reference, reference);
            ask_for_digest(&run, image);
            expect_end(&run, REGTAG_OK);
            assert_string_equal(run.digest, digest_of_old());
            expect_asked(&run, asked);
            assert_int_equal(run.wire.connections, 1);
            finish(&run);
        }
    }
}

static void what_is_known_need_not_be_repeated_where_head_denies_it(void **state)
{
    (void)state;
    for (size_t s = 0; s < COUNT(statuses); s++) {
        struct run run;
        char condition[80];
        begin(&run);
        keep(&run);
        run.wire.manners.conditional = true;
        run.wire.manners.head_right = 1;
        run.wire.manners.head_status = statuses[s];
        snprintf(condition, sizeof condition, "\"%s\"", digest_of_old());
        ask_for_digest(&run, "localhost/a:new");
        expect_asked(&run, "HEAD new\n");
        ask_again(&run, digest_of_old());
        expect_end(&run, REGTAG_OK);
        assert_string_equal(run.digest, digest_of_old());
        assert_string_equal(run.wire.condition, condition);
        expect_asked(&run, "HEAD new\nGET new\n");
        ask_again(&run, digest_of_old());
        assert_string_equal(run.digest, digest_of_old());
        assert_string_equal(run.wire.condition, condition);
        /* A tag may have been created between the two requests, so that one contradiction proves nothing. */
        bool denied = statuses[s] == 403 || statuses[s] == 404 || statuses[s] == 410;
        expect_asked(&run, denied ? "HEAD new\nGET new\n" : "GET new\n");
        wire_push(&run.wire, "new", OCI, NEW, sizeof NEW - 1);
        ask_again(&run, digest_of_old());
        expect_end(&run, REGTAG_OK);
        assert_string_equal(run.digest, digest_of_new());
        expect_asked(&run, denied ? "GET new\n" : "HEAD new\nGET new\n");
        finish(&run);
    }
}

static void a_tag_that_get_does_not_find_either_is_absent(void **state)
{
    (void)state;
    for (size_t s = 0; s < COUNT(statuses); s++) {
        for (unsigned get = 404; get <= 410; get += 6) {
            struct run run;
            begin(&run);
            keep(&run);
            wire_delete(&run.wire, "new");
            run.wire.manners.absent_head = statuses[s];
            run.wire.manners.absent_get = get;
            ask_for_digest(&run, "localhost/a:new");
            expect_end(&run, REGTAG_E_NOT_FOUND);
            expect_text(&run, "MANIFEST_UNKNOWN"); /* which only the GET's body says */
            expect_asked(&run, "HEAD new\nGET new\n");
            ask_again(&run, NULL);
            expect_end(&run, REGTAG_E_NOT_FOUND);
            expect_asked(&run, is_unsupported(statuses[s]) ? "GET new\n" : "HEAD new\nGET new\n");
            wire_push(&run.wire, "new", OCI, NEW, sizeof NEW - 1);
            ask_again(&run, NULL);
            expect_end(&run, REGTAG_OK);
            assert_string_equal(run.digest, digest_of_new());
            assert_int_equal(run.wire.connections, 1);
            finish(&run);
        }
    }
}

/* That a HEAD says 404 is nothing that may be told if the GET does not say so. */
static void a_tag_that_get_does_not_tell_of_is_not_called_absent(void **state)
{
    static const struct {
        unsigned http;
        enum regtag_status status;
    } cases[] = {{400, REGTAG_E_OTHER},
                 {403, REGTAG_E_DENIED},
                 {406, REGTAG_E_PROTOCOL},
                 {429, REGTAG_E_SLOW_DOWN},
                 {500, REGTAG_E_SERVER_FAILED}};
    (void)state;
    for (size_t s = 0; s < COUNT(statuses); s++) {
        for (size_t i = 0; i < COUNT(cases); i++) {
            struct run run;
            begin(&run);
            run.wire.manners.head_status = statuses[s];
            run.wire.manners.get_status = cases[i].http;
            ask_for_digest(&run, "localhost/a:new");
            expect_end(&run, cases[i].status);
            finish(&run);
        }
    }
}

/* A 304 to If-None-Match that names a digest: the one that is known, or another. */
static const struct still_case {
    const char *fields; /* with the digest of NEW for %s */
    bool moved;
} stills[] = {
    {"", false},
    {"ETag: \"%s\"\r\n", true},
    {"ETag: W/\"%s\"\r\n", true},
    {"ETag: %s\r\n", true},
    {"Docker-Content-Digest: %s\r\n", true},
    {"Docker-Content-Digest: %s\r\nETag: \"%s\"\r\n", true},
    {"Docker-Content-Digest: %s\r\nETag: \"a\"\r\n", true},
    {"ETag: \"a\"\r\n", false},
    {"ETag: \"\r\n", false},
    {"ETag: \"%.12s\"\r\n", false},
};

/* `first` is answered with OLD; the next answer is a 304. */
static void say_still(struct run *run, const char *first, const struct still_case *c, char raw[2048])
{
    char fields[400];
    snprintf(fields, sizeof fields, c->fields, digest_of_new(), digest_of_new());
    run->wire.manners.raw_size =
        (size_t)snprintf(raw, 2048, "%s\xffHTTP/1.1 304 Not Modified\r\n%s\r\n", first, fields);
    run->wire.manners.raw = raw;
}

static void expect_still(struct run *run, const struct still_case *c, const char *asked)
{
    ask_again(run, digest_of_old());
    expect_end(run, REGTAG_OK);
    assert_string_equal(run->digest, c->moved ? digest_of_new() : digest_of_old());
    expect_asked(run, asked);
}

static void a_304_that_names_another_digest_is_a_move(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(stills); i++) {
        for (unsigned by_get = 0; by_get < 2; by_get++) {
            struct run run;
            char raw[2048], first[1024];
            begin(&run);
            keep(&run);
            if (by_get)
                snprintf(first, sizeof first,
                         "HTTP/1.1 405 No\r\n\r\n\xffHTTP/1.1 200 OK\r\nContent-Type: %s\r\n"
                         "Content-Length: %zu\r\n\r\n%s",
                         OCI, sizeof OLD - 1, OLD);
            else
                snprintf(first, sizeof first, "HTTP/1.1 200 OK\r\nDocker-Content-Digest: %s\r\n\r\n",
                         digest_of_old());
            say_still(&run, first, &stills[i], raw);
            ask_for_digest(&run, "localhost/a:new");
            assert_string_equal(run.digest, digest_of_old());
            expect_still(&run, &stills[i], by_get ? "GET new\n" : "HEAD new\n");
            finish(&run);
        }
    }
}

static void a_304_that_names_no_digest_or_not_the_pinned_one_is_refused(void **state)
{
    static const struct {
        bool pinned;
        const char *fields;
        enum regtag_status status;
    } cases[] = {{false, "Docker-Content-Digest: sha256:1\r\n", REGTAG_E_PROTOCOL},
                 {true, "ETag: \"%s\"\r\n", REGTAG_E_REFUSED}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct run run;
        char raw[2048], first[256], image[128];
        const struct still_case still = {cases[i].fields, false};
        begin(&run);
        keep(&run);
        snprintf(image, sizeof image, "localhost/a%s%s", cases[i].pinned ? "@" : ":",
                 cases[i].pinned ? digest_of_old() : "new");
        snprintf(first, sizeof first, "HTTP/1.1 200 OK\r\nDocker-Content-Digest: %s\r\n\r\n",
                 digest_of_old());
        say_still(&run, first, &still, raw);
        ask_for_digest(&run, image);
        ask_again(&run, digest_of_old());
        expect_end(&run, cases[i].status);
        finish(&run);
    }
}

/* One odd answer says little: after at most one GET more, HEAD is tried again. */
static void after_an_odd_answer_head_is_tried_again(void **state)
{
    (void)state;
    for (size_t s = 0; s < COUNT(statuses); s++) {
        for (unsigned times = 1; times < 12; times++) {
            struct run run;
            begin(&run);
            keep(&run);
            ask_for_digest(&run, "localhost/a:new");
            run.wire.manners.head_status = statuses[s];
            for (unsigned i = 0; i < times; i++)
                ask_again(&run, digest_of_old());
            run.wire.manners.head_status = 0;
            unsigned gets = run.wire.gets, heads = run.wire.heads;
            for (unsigned i = 0; i < 5; i++)
                ask_again(&run, digest_of_old());
            assert_in_range(run.wire.gets - gets, 0, 1);
            assert_int_equal(run.wire.gets - gets + run.wire.heads - heads, 5);
            finish(&run);
        }
    }
}

/* Nor is it the case for good that a HEAD states no digest. */
static void after_a_head_without_a_digest_head_is_tried_again(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    keep(&run);
    run.wire.manners.no_head_digest = true;
    ask_for_digest(&run, "localhost/a:new");
    expect_asked(&run, "HEAD new\nGET new\n");
    run.wire.manners.no_head_digest = false;
    ask_again(&run, NULL);
    expect_asked(&run, "GET new\n");
    ask_again(&run, NULL);
    expect_asked(&run, "HEAD new\n");
    ask_again(&run, NULL);
    expect_asked(&run, "HEAD new\n");
    finish(&run);
}

static void a_304_to_a_head_is_no_contradiction(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    keep(&run);
    run.wire.manners.conditional = true;
    ask_for_digest(&run, "localhost/a:new");
    for (unsigned i = 0; i < 4; i++) {
        run.wire.manners.head_status = i % 2 ? 0 : 404;
        ask_again(&run, digest_of_old());
        expect_asked(&run, i % 2 ? "HEAD new\n" : "HEAD new\nGET new\n");
    }
    finish(&run);
}

/* ---- Deleting -------------------------------------------------------------------------------- */

static void a_tag_that_head_denies_is_deleted(void **state)
{
    (void)state;
    for (size_t s = 0; s < COUNT(statuses); s++) {
        for (size_t g = 0; g <= COUNT(guards); g++) {
            bool guarded = g < COUNT(guards), done = !guarded || guards[g].kind == RIGHT;
            struct run run;
            char guard[128];
            const char *expected[] = {guard};
            write_guard(guard, sizeof guard, &guards[guarded ? g : 0]);
            begin(&run);
            run.wire.manners.head_status = statuses[s];
            run.wire.manners.absent_head = statuses[s];
            guard_with(&run, expected, guarded);
            delete_one(&run);
            expect_end(&run, done ? REGTAG_OK : REGTAG_E_GUARD);
            expect_outcome(&run, done ? REGTAG_TAG_DELETED : REGTAG_TAG_FAILED);
            assert_string_equal(run.previous[0], digest_of_old());
            assert_int_equal(done, wire_find(&run.wire, "new") == NULL);
            expect_asked(&run,
                         done ? "HEAD new\nGET new\nDELETE new\nGET new\n" : "HEAD new\nGET new\n");
            assert_int_equal(run.wire.connections, 1);
            finish(&run);
        }
    }
}

static void a_tag_that_get_does_not_find_either_cannot_be_deleted(void **state)
{
    (void)state;
    for (size_t s = 0; s < COUNT(statuses); s++) {
        for (unsigned get = 404; get <= 410; get += 6) {
            struct run run;
            begin(&run);
            wire_delete(&run.wire, "new");
            run.wire.manners.absent_head = statuses[s];
            run.wire.manners.absent_get = get;
            delete_one(&run);
            expect_end(&run, REGTAG_E_NOT_FOUND);
            expect_outcome(&run, REGTAG_TAG_FAILED);
            expect_asked(&run, "HEAD new\nGET new\n");
            finish(&run);
        }
    }
}

/* The look behind the DELETE is answered as if it had worked. */
static void a_deletion_without_effect_is_not_taken_for_one(void **state)
{
    (void)state;
    for (size_t s = 0; s < COUNT(statuses); s++) {
        for (unsigned guarded = 0; guarded < 2; guarded++) {
            struct run run;
            const char *expected[] = {digest_of_old()};
            begin(&run);
            run.wire.manners.deletes_never = true;
            run.wire.manners.head_status = statuses[s];
            run.wire.manners.head_right = 1;
            guard_with(&run, expected, guarded);
            delete_one(&run);
            expect_end(&run, REGTAG_E_UNCERTAIN);
            expect_outcome(&run, REGTAG_TAG_UNCERTAIN);
            expect_text(&run, digest_of_old());
            expect_asked(&run, "HEAD new\nDELETE new\nHEAD new\nGET new\n");
            assert_true(IS_OLD(&run, "new"));
            finish(&run);
        }
    }
}

/* "twin" points at the manifest that is deleted, "other" does not. */
static void a_sibling_that_head_denies_is_told(void **state)
{
    static const char *const denied[] = {"twin", "new", NULL};
    (void)state;
    for (size_t s = 0; s < COUNT(statuses); s++) {
        for (size_t d = 0; d < COUNT(denied); d++) {
            struct run run;
            begin(&run);
            wire_push(&run.wire, "twin", OCI, OLD, sizeof OLD - 1);
            wire_push(&run.wire, "other", OCI, NEW, sizeof NEW - 1);
            run.config.siblings = true;
            begin_again(&run);
            run.wire.manners.deletes_whole = true;
            run.wire.manners.head_status = statuses[s];
            run.wire.manners.only_tag = denied[d];
            assert_int_equal(regtag_delete(run.regtag, "localhost/a:new"), REGTAG_OK);
            while (step(&run))
                if (run.end == REGTAG_LISTED)
                    assert_string_equal(regtag_result(run.regtag)->name, "twin");
            expect_end(&run, REGTAG_OK);
            expect_outcome(&run, REGTAG_TAG_DELETED);
            assert_int_equal(run.listed, 1);
            assert_null(wire_find(&run.wire, "new"));
            assert_null(wire_find(&run.wire, "twin"));
            assert_true(IS_NEW(&run, "other"));
            finish(&run);
        }
    }
}

/* Of names of every length, in any order, and a tag that comes to them between the two looks. */
static void all_siblings_are_told_before_they_are_deleted(void **state)
{
    static const char *const names[] = {"twin", "a-much-longer-name-than-the-others", "b", "cc"};
    (void)state;
    for (unsigned rival = 0; rival < 2; rival++) {
        struct run run;
        begin(&run);
        for (size_t i = 0; i < COUNT(names); i++)
            wire_push(&run.wire, names[i], OCI, OLD, sizeof OLD - 1);
        wire_push(&run.wire, "other", OCI, NEW, sizeof NEW - 1);
        run.config.siblings = true;
        begin_again(&run);
        run.wire.manners.deletes_whole = true;
        if (rival)
            run.wire.rival = (struct wire_rival){10, "other", OCI, OLD};
        delete_one(&run);
        assert_int_equal(run.listed, COUNT(names));
        expect_end(&run, rival ? REGTAG_E_GUARD : REGTAG_OK);
        for (size_t i = 0; i < COUNT(names); i++)
            assert_true(rival ? IS_OLD(&run, names[i]) : !wire_find(&run.wire, names[i]));
        assert_true(rival ? IS_OLD(&run, "other") : IS_NEW(&run, "other"));
        finish(&run);
    }
}

static void nothing_is_deleted_where_get_does_not_tell_of_a_sibling(void **state)
{
    (void)state;
    for (size_t s = 0; s < COUNT(statuses); s++) {
        for (unsigned get = 403; get <= 500; get += 97) {
            struct run run;
            begin(&run);
            wire_push(&run.wire, "twin", OCI, OLD, sizeof OLD - 1);
            run.config.siblings = true;
            begin_again(&run);
            run.wire.manners.deletes_whole = true;
            run.wire.manners.head_status = statuses[s];
            run.wire.manners.get_status = get;
            run.wire.manners.only_tag = "twin";
            delete_one(&run);
            expect_end(&run, get == 403 ? REGTAG_E_DENIED : REGTAG_E_SERVER_FAILED);
            assert_true(IS_OLD(&run, "new"));
            assert_true(IS_OLD(&run, "twin"));
            finish(&run);
        }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_guarded_tag_that_head_denies_is_found_by_get),
        cmocka_unit_test(a_guarded_tag_that_is_absent_costs_one_get_more),
        cmocka_unit_test(a_guarded_tag_that_get_does_not_tell_of_is_left_alone),
        cmocka_unit_test(a_guarded_tag_is_tried_again_by_get),
        cmocka_unit_test(a_token_is_fetched_for_the_get_as_for_the_head),
        cmocka_unit_test(without_a_guard_a_404_is_believed_and_costs_nothing),
        cmocka_unit_test(without_a_guard_many_tags_take_two_requests_each),
        cmocka_unit_test(without_a_guard_a_head_that_is_refused_leads_to_a_get),
        cmocka_unit_test(other_failures_of_a_head_do_not_lead_to_a_get),
        cmocka_unit_test(once_get_has_contradicted_head_it_is_used_at_once),
        cmocka_unit_test(after_some_gets_head_is_tried_again),
        cmocka_unit_test(where_get_agrees_that_a_tag_is_absent_head_is_used_again),
        cmocka_unit_test(a_confirmed_tag_that_head_denies_is_read_back_by_get),
        cmocka_unit_test(an_upload_in_doubt_is_found_by_get),
        cmocka_unit_test(a_bearer_token_is_sent_each_time),
        cmocka_unit_test(the_digest_of_a_tag_that_head_denies_is_got),
        cmocka_unit_test(what_is_known_need_not_be_repeated_where_head_denies_it),
        cmocka_unit_test(a_tag_that_get_does_not_find_either_is_absent),
        cmocka_unit_test(a_tag_that_get_does_not_tell_of_is_not_called_absent),
        cmocka_unit_test(a_304_that_names_another_digest_is_a_move),
        cmocka_unit_test(a_304_that_names_no_digest_or_not_the_pinned_one_is_refused),
        cmocka_unit_test(after_an_odd_answer_head_is_tried_again),
        cmocka_unit_test(after_a_head_without_a_digest_head_is_tried_again),
        cmocka_unit_test(a_304_to_a_head_is_no_contradiction),
        cmocka_unit_test(a_tag_that_head_denies_is_deleted),
        cmocka_unit_test(a_tag_that_get_does_not_find_either_cannot_be_deleted),
        cmocka_unit_test(a_deletion_without_effect_is_not_taken_for_one),
        cmocka_unit_test(a_sibling_that_head_denies_is_told),
        cmocka_unit_test(all_siblings_are_told_before_they_are_deleted),
        cmocka_unit_test(nothing_is_deleted_where_get_does_not_tell_of_a_sibling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
