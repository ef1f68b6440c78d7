/* What is done with an answer follows from the request's method: which redirects are followed, how long is
 * waited before the next attempt, and what counts as success. */
#include "run.h"

#define ELSEWHERE "elsewhere.test"
#define IDENTITY "an-identity-token-of-this-test"
#define USER "somebody"
#define PASSWORD "a-password-of-this-test"
#define BASIC "c29tZWJvZHk6YS1wYXNzd29yZC1vZi10aGlzLXRlc3Q=" /* USER:PASSWORD */

/* ---- Requests -------------------------------------------------------------------------------- */

enum verb { TAG, TAG_THREE, DELETE, DELETE_WHOLE, DIGEST, MANIFEST, LIST };

/* Every kind of request to a registry, and what leads to it. */
static const struct kind {
    enum verb verb;
    const char *method;
    unsigned after; /* so many requests of this method come before it */
    bool changes;
} kinds[] = {
    {TAG, "PUT", 0, true},       {TAG_THREE, "PUT", 0, true},       {TAG_THREE, "PUT", 1, true},
    {DELETE, "DELETE", 0, true}, {DELETE_WHOLE, "DELETE", 0, true}, {DELETE_WHOLE, "DELETE", 1, true},
    {TAG, "GET", 0, false},      {TAG, "HEAD", 0, false},           {DELETE, "HEAD", 0, false},
    {DELETE, "HEAD", 1, false},  {DELETE_WHOLE, "GET", 0, false},   {DIGEST, "HEAD", 0, false},
    {MANIFEST, "GET", 0, false}, {LIST, "GET", 0, false},
};

/* Three tags are set at a registry that does not say what it is. */
static void prepare(struct run *run, const struct kind *kind)
{
    begin(run);
    run->wire.manners.stranger = kind->verb == TAG_THREE;
    run->wire.manners.deletes_whole = kind->verb == DELETE_WHOLE;
    run->config.siblings = kind->verb == DELETE_WHOLE;
    begin_again(run);
}

static void let_fail(struct run *run, const struct kind *kind, unsigned times, unsigned status,
                     const char *fields)
{
    run->wire.manners.fail_method = kind->method;
    run->wire.manners.fail_after = kind->after;
    run->wire.manners.fail = times;
    run->wire.manners.fail_status = status;
    run->wire.manners.fail_fields = fields;
}

static void run_kind(struct run *run, const struct kind *kind)
{
    static const char *const names[] = {"new", "x", "y"};
    enum regtag_status status = REGTAG_E_OTHER;
    switch (kind->verb) {
    case TAG: status = regtag_tag(run->regtag, "localhost/a:base", names, 1); break;
    case TAG_THREE: status = regtag_tag(run->regtag, "localhost/a:base", names, 3); break;
    case DELETE:
    case DELETE_WHOLE: status = regtag_delete(run->regtag, "localhost/a:new"); break;
    case DIGEST: status = regtag_digest(run->regtag, "localhost/a:base"); break;
    case MANIFEST: status = regtag_manifest(run->regtag, "localhost/a:base"); break;
    case LIST: status = regtag_list(run->regtag, "localhost/a", 0); break;
    }
    assert_int_equal(status, REGTAG_OK);
    run_on(run);
}

static size_t requests_of(const struct run *run, const char *method)
{
    char line[16];
    snprintf(line, sizeof line, "%s ", method);
    return count_of(run->wire.asked.data, line);
}

/* How often the client has sent this, to whomever. */
static size_t count_sent(const struct run *run, const char *text)
{
    return run->wire.log.data ? count_of(run->wire.log.data, text) : 0;
}

/* The tag "new" is where it should be if it has been set, deleted, or left alone. */
static bool is_done(const struct run *run, const struct kind *kind)
{
    bool deletes = kind->verb == DELETE || kind->verb == DELETE_WHOLE;
    return deletes ? !wire_find(&run->wire, "new") : IS_NEW(run, "new");
}

/* ---- Redirects ------------------------------------------------------------------------------- */

static const unsigned redirects[] = {301, 302, 303, 307, 308};

static bool keeps_method(unsigned status)
{
    return status == 307 || status == 308;
}

static const char *const places[] = {
    "Location: /v2/a/manifests/moved\r\n",
    "Location: http://localhost/v2/a/manifests/moved\r\n",
    "Location: http://" ELSEWHERE "/v2/a/manifests/moved\r\n",
    "Location: //" ELSEWHERE "/v2/a/manifests/moved\r\n",
};

/* A change that is sent to a page it was not meant for would change something there, or show it the manifest. */
static void a_change_follows_no_redirect_that_is_for_questions(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(kinds); k++) {
        for (size_t i = 0; i < COUNT(redirects) * COUNT(places); i++) {
            unsigned status = redirects[i / COUNT(places)];
            const char *place = places[i % COUNT(places)];
            struct run run;
            if (!kinds[k].changes || keeps_method(status))
                continue;
            prepare(&run, &kinds[k]);
            let_fail(&run, &kinds[k], 1, status, place);
            run_kind(&run, &kinds[k]);
            expect_end(&run, REGTAG_E_PROTOCOL);
            if (count_sent(&run, "Host: " ELSEWHERE) || count_sent(&run, "/moved"))
                fail_msg("%s, %u, %s is followed", kinds[k].method, status, place);
            if (kinds[k].after == 0) {
                assert_true(IS_OLD(&run, "new"));
                assert_int_equal(run.outcome[0], REGTAG_TAG_FAILED);
            }
            if (kinds[k].verb == TAG_THREE)
                for (size_t n = 0; n < 3; n++) {
                    assert_int_equal(is_good(run.outcome[n]), n != kinds[k].after);
                    assert_int_equal(IS_NEW(&run, run.name[n]), n != kinds[k].after);
                }
            finish(&run);
        }
    }
}

/* The only request to that host: its head, in `text`, and its body. */
static const char *sent_to(const struct run *run, const char *host, char *text, size_t size)
{
    const char *log = run->wire.log.data;
    char field[80];
    snprintf(field, sizeof field, "\r\nHost: %s\r\n", host);
    assert_int_equal(count_sent(run, field), 1);
    const char *start = strstr(log, field), *end = strstr(start, "\r\n\r\n") + 4;
    while (start > log && start[-1] != '\n') /* the line above is the first of a request */
        start--;
    snprintf(text, size, "%.*s", (int)(end - start), start);
    return end;
}

/* It is the same request there, with the same body; but who asks is not told there. */
static void a_change_is_sent_on_where_its_method_is_kept(void **state)
{
    static const unsigned statuses[] = {307, 308};
    (void)state;
    for (size_t k = 0; k < COUNT(kinds); k++) {
        for (size_t s = 0; s < COUNT(statuses); s++) {
            struct run run;
            char fields[200], head[2000];
            const char *reference = kinds[k].verb == DELETE_WHOLE && kinds[k].after ? digest_of_old()
                                    : kinds[k].verb == TAG_THREE && kinds[k].after  ? "x"
                                                                                    : "new";
            if (!kinds[k].changes)
                continue;
            prepare(&run, &kinds[k]);
            run.config.credentials.user = USER;
            run.config.credentials.password = PASSWORD;
            begin_again(&run);
            run.wire.manners.realm = "http://127.0.0.1/token";
            snprintf(fields, sizeof fields, "Location: http://" ELSEWHERE "/v2/a/manifests/%s\r\n",
                     reference);
            let_fail(&run, &kinds[k], 1, statuses[s], fields);
            run_kind(&run, &kinds[k]);
            expect_end(&run, REGTAG_OK);
            assert_true(is_done(&run, &kinds[k]));
            const char *body = sent_to(&run, ELSEWHERE, head, sizeof head);
            assert_int_equal(strncmp(head, kinds[k].method, strlen(kinds[k].method)), 0);
            assert_null(strstr(head, "Authorization"));
            if (strcmp(kinds[k].method, "PUT") == 0)
                assert_int_equal(memcmp(body, NEW, sizeof NEW - 1), 0);
            finish(&run);
        }
    }
}

static void a_question_follows_all_redirects(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(kinds); k++) {
        for (size_t s = 0; s < COUNT(redirects); s++) {
            struct run run;
            const char *reference = kinds[k].verb == LIST || kinds[k].verb == DELETE_WHOLE ? "tags/list"
                                    : kinds[k].verb == DELETE || strcmp(kinds[k].method, "HEAD") == 0
                                        ? "manifests/new"
                                        : "manifests/base";
            char fields[200];
            if (kinds[k].changes)
                continue;
            prepare(&run, &kinds[k]);
            snprintf(fields, sizeof fields, "Location: http://" ELSEWHERE "/v2/a/%s\r\n", reference);
            let_fail(&run, &kinds[k], 1, redirects[s], fields);
            run_kind(&run, &kinds[k]);
            expect_end(&run, REGTAG_OK);
            assert_int_equal(count_sent(&run, "Host: " ELSEWHERE "\r\n"), 1);
            finish(&run);
        }
    }
}

/* A login is for the token server that the registry has named, and for no other. */
static void a_token_server_sends_no_login_on(void **state)
{
    static const char *const token_places[] = {"Location: http://" ELSEWHERE "/token\r\n",
                                               "Location: //" ELSEWHERE "/token\r\n"};
    (void)state;
    for (unsigned post = 0; post < 2; post++) {
        for (size_t i = 0; i < COUNT(redirects) * COUNT(token_places); i++) {
            unsigned status = redirects[i / COUNT(token_places)];
            struct run run;
            begin(&run);
            run.wire.manners.realm = "http://127.0.0.1/token";
            run.wire.manners.fail_method = post ? "POST" : "GET";
            run.wire.manners.fail_after = post ? 0 : 1; /* the GET that is challenged */
            run.wire.manners.fail = 1;
            run.wire.manners.fail_status = status;
            run.wire.manners.fail_fields = token_places[i % COUNT(token_places)];
            if (post)
                run.config.credentials.identity_token = IDENTITY;
            else {
                run.config.credentials.user = USER;
                run.config.credentials.password = PASSWORD;
            }
            begin_again(&run);
            tag_one(&run);
            assert_int_equal(count_sent(&run, post ? IDENTITY : BASIC), 1);
            if (post && !keeps_method(status))
                assert_int_equal(count_sent(&run, "Host: " ELSEWHERE), 0);
            assert_int_equal(requests_of(&run, "PUT"), IS_NEW(&run, "new"));
            assert_int_equal(run.end == REGTAG_DONE, IS_NEW(&run, "new"));
            finish(&run);
        }
    }
}

/* ---- Pauses ---------------------------------------------------------------------------------- */

static const struct {
    const char *fields;
    uint64_t milliseconds;
} pauses[] = {
    {"Retry-After: 7\r\n", 7000},
    {"Date: Fri, 31 Dec 1999 23:59:50 GMT\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n", 9000},
};

#define DELAY                                                                                           \
    10 /* milliseconds before an answer: what is sent before it comes could not know of the pause */

/* The number of the request that was the first to fail: of this method, after so many others. */
static unsigned failed_request(const struct run *run, const char *method, unsigned after)
{
    unsigned number = 0;
    for (const char *line = run->wire.asked.data; *line; line = strchr(line, '\n') + 1, number++)
        if (strncmp(line, method, strlen(method)) == 0 && line[strlen(method)] == ' ' && after-- == 0)
            return number;
    fail_msg("there was no such %s", method);
    return 0;
}

static bool is_of(const struct run *run, unsigned number, const char *method)
{
    const char *line = run->wire.asked.data;
    while (number-- > 0)
        line = strchr(line, '\n') + 1;
    return strncmp(line, method, strlen(method)) == 0 && line[strlen(method)] == ' ';
}

/* The next attempt comes after the pause. A server that has failed may have done it nevertheless, so it may
 * be looked at before; one that has refused is left alone. */
static void expect_pause(const struct run *run, const char *method, unsigned after, uint64_t pause,
                         bool failed)
{
    unsigned number = failed_request(run, method, after);
    uint64_t asked = run->wire.asked_at[number], again = asked + DELAY + pause;
    bool tried_again = false;
    for (unsigned i = number + 1; i < run->wire.requests; i++) {
        bool early = run->wire.asked_at[i] > asked && run->wire.asked_at[i] < again;
        bool same = is_of(run, i, method);
        if (early && (same || !failed))
            fail_msg("%s, number %u: number %u is sent %llu ms later:\n%s", method, number, i,
                     (unsigned long long)(run->wire.asked_at[i] - asked), run->wire.asked.data);
        tried_again = tried_again || (same && run->wire.asked_at[i] >= again);
    }
    if (!tried_again)
        fail_msg("%s, number %u is not sent again:\n%s", method, number, run->wire.asked.data);
}

static void every_request_is_sent_again_after_the_pause_that_was_asked_for(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(kinds); k++) {
        for (size_t i = 0; i < 2 * COUNT(pauses); i++) {
            unsigned status = i % 2 ? 503 : 429;
            struct run run;
            prepare(&run, &kinds[k]);
            run.config.retries = 1;
            begin_again(&run);
            run.wire.manners.delay = DELAY;
            let_fail(&run, &kinds[k], 1, status, pauses[i / 2].fields);
            run_kind(&run, &kinds[k]);
            if (!(kinds[k].verb == DELETE && kinds[k].after)) /* what is read back may be uncertain */
                expect_end(&run, REGTAG_OK);
            expect_pause(&run, kinds[k].method, kinds[k].after, pauses[i / 2].milliseconds,
                         status == 503 && kinds[k].changes);
            finish(&run);
        }
    }
}

static void a_guard_is_looked_at_after_the_pause(void **state)
{
    static const struct kind kind = {TAG, "HEAD", 0, false};
    const char *const expected[] = {digest_of_old()};
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(pauses); i++) {
        struct run run;
        begin(&run);
        run.config.retries = 1;
        run.config.expected = expected;
        run.config.expected_count = 1;
        begin_again(&run);
        run.wire.manners.delay = DELAY;
        let_fail(&run, &kind, 1, i % 2 ? 503 : 429, pauses[i / 2].fields);
        tag_one(&run);
        expect_end(&run, REGTAG_OK);
        expect_pause(&run, "HEAD", 0, pauses[i / 2].milliseconds, false);
        finish(&run);
    }
}

static void a_token_server_is_asked_again_after_the_pause(void **state)
{
    (void)state;
    for (unsigned post = 0; post < 2; post++) {
        for (size_t i = 0; i < 2 * COUNT(pauses); i++) {
            const struct kind kind = {TAG, post ? "POST" : "GET", post ? 0 : 1, false};
            struct run run;
            begin(&run);
            run.config.retries = 1;
            run.config.credentials.identity_token = post ? IDENTITY : NULL;
            begin_again(&run);
            run.wire.manners.realm = "http://127.0.0.1/token";
            run.wire.manners.delay = DELAY;
            let_fail(&run, &kind, 1, i % 2 ? 503 : 429, pauses[i / 2].fields);
            tag_one(&run);
            expect_end(&run, REGTAG_OK);
            expect_pause(&run, kind.method, kind.after, pauses[i / 2].milliseconds, false);
            finish(&run);
        }
    }
}

/* ---- What confirms an upload ----------------------------------------------------------------- */

#define FIELD "Docker-Content-Digest: "
#define DIGITS "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* Nothing in these tells which SHA-256 the tag has; %s is the right digest. */
static const char *const unconfirmed[] = {
    "",
    FIELD "\r\n",
    FIELD "gibberish\r\n",
    FIELD "sha256:\r\n",
    FIELD "sha256:abc\r\n",
    FIELD "sha256:" DIGITS "0\r\n",
    FIELD "sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef\r\n",
    FIELD "%s, %s\r\n",
    FIELD "\"%s\"\r\n",
    FIELD "sha512:" DIGITS DIGITS "\r\n",
    FIELD "md5:0123456789abcdef0123456789abcdef\r\n",
    FIELD "%s\r\n" FIELD "sha256:" DIGITS "\r\n",
    FIELD "sha256:" DIGITS "\r\n" FIELD "%s\r\n",
    "OCI-Tag: new, x, y\r\n",
    "Location: /v2/a/manifests/%s\r\n",
    "ETag: \"%s\"\r\n",
};

static const unsigned taken[] = {200, 201, 202, 204};

/* A registry whose answer to PUT is this, and that has done it or not. */
static void answer_put_with(struct run *run, const struct kind *kind, unsigned status,
                            const char *fields, bool stored)
{
    static char text[600];
    snprintf(text, sizeof text, fields, digest_of_new(), digest_of_new());
    prepare(run, kind);
    run->wire.manners.no_digest = true;
    run->wire.manners.put_status = status;
    run->wire.manners.put_fields = text;
    run->wire.manners.stores_never = !stored;
}

/* Whether the tag was looked at after the last upload of it. */
static bool is_looked_at(const struct run *run, const char *name)
{
    char put[40], head[40], get[40];
    const char *last = NULL;
    snprintf(put, sizeof put, "PUT %s\n", name);
    snprintf(head, sizeof head, "HEAD %s\n", name);
    snprintf(get, sizeof get, "GET %s\n", name);
    for (const char *p = run->wire.asked.data; (p = strstr(p, put)); p++)
        last = p;
    return last && (strstr(last, head) || strstr(last, get));
}

static void an_upload_without_the_digest_is_looked_up(void **state)
{
    (void)state;
    for (unsigned choice = 0; choice < 2 * 2 * COUNT(taken) * COUNT(unconfirmed); choice++) {
        const struct kind *kind = &kinds[choice % 2]; /* one tag, and three */
        bool stored = choice / 2 % 2;
        unsigned status = taken[choice / 4 % COUNT(taken)];
        const char *fields = unconfirmed[choice / 4 / COUNT(taken)];
        struct run run;
        answer_put_with(&run, kind, status, fields, stored);
        run_kind(&run, kind);
        assert_int_equal(run.settled, kind->verb == TAG ? 1 : 3);
        for (size_t i = 0; i < run.settled; i++) {
            enum regtag_outcome was = i == 0 ? REGTAG_TAG_MOVED : REGTAG_TAG_CREATED;
            enum regtag_outcome not = i == 0 ? REGTAG_TAG_FAILED : REGTAG_TAG_UNCERTAIN;
            if (run.outcome[i] != (stored ? was : not ))
                fail_msg("%u, \"%s\", %s: %s is said to be %d", status, fields,
                         stored ? "stored" : "not stored", run.name[i], run.outcome[i]);
            if (!is_looked_at(&run, run.name[i]))
                fail_msg("%u, \"%s\": %s is not looked at", status, fields, run.name[i]);
            assert_int_equal(run.status[i], stored   ? REGTAG_OK
                                            : i == 0 ? REGTAG_E_NOT_CONFIRMED
                                                     : REGTAG_E_UNCERTAIN);
        }
        finish(&run);
    }
}

static void an_upload_confirmed_with_another_digest_has_failed(void **state)
{
    (void)state;
    for (unsigned choice = 0; choice < 2 * COUNT(taken); choice++) {
        const struct kind *kind = &kinds[choice % 2];
        struct run run;
        answer_put_with(&run, kind, taken[choice / 2],
                        FIELD "sha256:" DIGITS "\r\nOCI-Tag: new, x, y\r\n", false);
        run_kind(&run, kind);
        expect_end(&run, REGTAG_E_NOT_CONFIRMED);
        for (size_t i = 0; i < run.settled; i++) {
            assert_int_equal(run.outcome[i], REGTAG_TAG_FAILED);
            assert_int_equal(run.status[i], REGTAG_E_NOT_CONFIRMED);
        }
        finish(&run);
    }
}

static void an_upload_confirmed_with_the_digest_needs_no_second_look(void **state)
{
    (void)state;
    for (unsigned choice = 0; choice < 2 * COUNT(taken); choice++) {
        const struct kind *kind = &kinds[choice % 2];
        struct run run;
        answer_put_with(&run, kind, taken[choice / 2], FIELD "%s\r\n", true);
        run_kind(&run, kind);
        expect_end(&run, REGTAG_OK);
        assert_int_equal(run.wire.heads, run.settled);
        assert_int_equal(run.wire.puts, run.settled);
        finish(&run);
    }
}

/* No answer to DELETE says what is gone: only looking does. */
static void a_deletion_counts_when_the_tag_is_gone(void **state)
{
    (void)state;
    for (unsigned choice = 0; choice < 2 * 2 * COUNT(taken); choice++) {
        const struct kind kind = {choice % 2 ? DELETE_WHOLE : DELETE, "DELETE", 0, true};
        bool done = choice / 2 % 2;
        struct run run;
        prepare(&run, &kind);
        run.wire.manners.delete_status = taken[choice / 4];
        run.wire.manners.deletes_never = !done;
        run_kind(&run, &kind);
        expect_end(&run, done ? REGTAG_OK : REGTAG_E_UNCERTAIN);
        expect_outcome(&run, done ? REGTAG_TAG_DELETED : REGTAG_TAG_UNCERTAIN);
        assert_string_equal(run.previous[0], digest_of_old());
        finish(&run);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_follows_no_redirect_that_is_for_questions),
        cmocka_unit_test(a_change_is_sent_on_where_its_method_is_kept),
        cmocka_unit_test(a_question_follows_all_redirects),
        cmocka_unit_test(a_token_server_sends_no_login_on),
        cmocka_unit_test(every_request_is_sent_again_after_the_pause_that_was_asked_for),
        cmocka_unit_test(a_guard_is_looked_at_after_the_pause),
        cmocka_unit_test(a_token_server_is_asked_again_after_the_pause),
        cmocka_unit_test(an_upload_without_the_digest_is_looked_up),
        cmocka_unit_test(an_upload_confirmed_with_another_digest_has_failed),
        cmocka_unit_test(an_upload_confirmed_with_the_digest_needs_no_second_look),
        cmocka_unit_test(a_deletion_counts_when_the_tag_is_gone),
    };
    if (getenv("ONLY"))
        cmocka_set_test_filter(getenv("ONLY"));
    return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
