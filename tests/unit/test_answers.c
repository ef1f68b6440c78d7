/* src/client: what is made of an answer that is no success: which status, whose words; where it leads to. */
#include "run.h"

#define EMPTY "Content-Length: 0\r\n\r\n"

static void quirk(struct run *run, unsigned number, const char *request, const char *answer)
{
    run->wire.quirk[number] = (struct wire_quirk){.request = request, .instead = answer};
}

static void look(struct run *run, const char *image)
{
    assert_int_equal(regtag_digest(run->regtag, image), REGTAG_OK);
    run_on(run);
}

/* ---- Errors ---------------------------------------------------------------------------------- */

#define ERRORS(members) "{\"errors\":[{" members "}]}"

static const struct {
    unsigned http;
    const char *body;
    enum regtag_status status;
    const char *words;
} refusals[] = {
    {403, ERRORS("\"code\":\"C\",\"message\":\"m\",\"detail\":\"d\""), REGTAG_E_DENIED,
     "(HTTP 403: C: m: d)"},
    {403, ERRORS("\"code\":\"C\",\"message\":\"m\",\"detail\":\"m\""), REGTAG_E_DENIED,
     "(HTTP 403: C: m)"},
    {403, ERRORS("\"other\":\"x\",\"code\":\"C\",\"detail\":{\"y\":\"z\"}"), REGTAG_E_DENIED,
     "(HTTP 403: C)"},
    {403, "{\"errors\":[{\"code\":\"C\",\"message\":\"cut o", REGTAG_E_DENIED, "(HTTP 403: C: cut o)"},
    {403, "{\"message\":\"m\"}", REGTAG_E_DENIED, "(HTTP 403: m)"},
    {403, "<html><TITLE>No entry</TITLE></html>", REGTAG_E_DENIED, "(HTTP 403: No entry)"},
    {403, "<html><p>No entry</p></html>", REGTAG_E_DENIED, "(HTTP 403)"},
    {403, "{\"x\":1}", REGTAG_E_DENIED, "(HTTP 403)"},
    {403, " no entry \nfor anybody", REGTAG_E_DENIED, "(HTTP 403: no entry)"},
    {403, "", REGTAG_E_DENIED, "(HTTP 403)"},
    {403, "the tag is immutable", REGTAG_E_IMMUTABLE, "does not allow moving this tag"},
    {403, "Immutability of tags", REGTAG_E_IMMUTABLE, "does not allow moving this tag"},
    {403, ERRORS("\"code\":\"TAG_IMMUTABLE\""), REGTAG_E_IMMUTABLE, "does not allow moving this tag"},
    {403, "this does not allow updating", REGTAG_E_IMMUTABLE, "does not allow moving this tag"},
    {403, "it is a protected tag", REGTAG_E_IMMUTABLE, "does not allow moving this tag"},
    {403, "Protected Tags stay", REGTAG_E_IMMUTABLE, "does not allow moving this tag"},
    {403, "it is a protected project", REGTAG_E_DENIED, "does not allow it"},
    {400, ERRORS("\"code\":\"MANIFEST_INVALID\""), REGTAG_E_REFUSED, "rejects the manifest"},
    {400, "The plain HTTP request was sent to HTTPS port", REGTAG_E_PROTOCOL, "this port speaks TLS"},
    {407, "", REGTAG_E_DENIED, "the proxy requires a user and password"},
    {413, "", REGTAG_E_REFUSED, "too large"},
    {520, "", REGTAG_E_SERVER_FAILED, "the registry failed"},
    {530, "", REGTAG_E_SERVER_FAILED, "the registry failed"},
    {599, "", REGTAG_E_SERVER_FAILED, "the registry failed"},
};

static void an_upload_that_is_refused_fails_in_the_registrys_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refusals); i++) {
        char answer[400];
        struct run run;
        begin(&run);
        snprintf(answer, sizeof answer, "HTTP/1.1 %u No\r\nContent-Length: %zu\r\n\r\n%s",
                 refusals[i].http, strlen(refusals[i].body), refusals[i].body);
        quirk(&run, 0, "PUT new", answer);
        tag_one(&run);
        expect_text(&run, refusals[i].words);
        expect_end(&run, refusals[i].status);
        expect_outcome(&run, REGTAG_TAG_FAILED);
        assert_true(IS_OLD(&run, "new"));
        finish(&run);
    }
}

/* The same words after a retry: the origin is out of reach of what stands before it. */
static void what_may_pass_is_tried_again(void **state)
{
    static const unsigned statuses[] = {408, 429, 500, 502, 504, 520, 524, 530};
    (void)state;
    for (size_t i = 0; i < COUNT(statuses); i++) {
        char answer[100];
        struct run run;
        begin(&run);
        run.config.retries = 1;
        begin_again(&run);
        snprintf(answer, sizeof answer, "HTTP/1.1 %u No\r\n" EMPTY, statuses[i]);
        quirk(&run, 0, "HEAD base", answer);
        look(&run, "localhost/a:base");
        expect_end(&run, REGTAG_OK);
        assert_int_equal(run.wire.heads, 2);
        finish(&run);
    }
}

/* RETRIES in the manual, for each status that a registry may answer with; a 401 asks for a login. */
static void only_what_may_pass_is_tried_again(void **state)
{
    static const unsigned passing[] = {408, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 530};
    (void)state;
    for (unsigned http = 402; http < 600; http++) {
        bool passes = false;
        char answer[100];
        struct run run;
        for (size_t i = 0; i < COUNT(passing); i++)
            passes = passes || passing[i] == http;
        begin(&run);
        run.config.retries = 1;
        begin_again(&run);
        snprintf(answer, sizeof answer, "HTTP/1.1 %u No\r\n" EMPTY, http);
        quirk(&run, 0, "GET base", answer);
        assert_int_equal(regtag_manifest(run.regtag, "localhost/a:base"), REGTAG_OK);
        run_on(&run);
        bool in_lines = http == 406; /* or the registry understands no list */
        if ((run.end == REGTAG_DONE) != (passes || in_lines) ||
            run.wire.gets != 1u + (passes || in_lines))
            fail_msg("HTTP %u: %u requests", http, run.wire.gets);
        finish(&run);
    }
}

#define DRAINED 65536

/* What is no content is read up to 64 KiB, which is cheaper than another connection. */
static void a_connection_is_kept_behind_a_refusal_of_64_kib(void **state)
{
    static char answer[DRAINED + 200];
    (void)state;
    for (unsigned more = 0; more < 2; more++) {
        struct run run;
        begin(&run);
        run.config.keep = true;
        begin_again(&run);
        int header = snprintf(answer, sizeof answer, "HTTP/1.1 404 No\r\nContent-Length: %u\r\n\r\n",
                              DRAINED + more);
        memset(answer + header, ' ', (size_t)DRAINED + more);
        answer[(size_t)header + DRAINED + more] = '\0';
        quirk(&run, 0, "GET none", answer);
        assert_int_equal(regtag_manifest(run.regtag, "localhost/a:none"), REGTAG_OK);
        run_on(&run);
        expect_end(&run, REGTAG_E_NOT_FOUND);
        assert_true(regtag_next(run.regtag, &run.config));
        assert_int_equal(regtag_manifest(run.regtag, "localhost/a:base"), REGTAG_OK);
        run_on(&run);
        expect_end(&run, REGTAG_OK);
        assert_int_equal(run.wire.connections, 1 + more);
        finish(&run);
    }
}

/* Before the header is out, an error is why there will be no other answer, and anything else is no answer. */
static void an_error_that_comes_too_early_is_told_in_its_words(void **state)
{
    static const struct {
        unsigned http;
        enum regtag_status status;
        const char *words;
    } cases[] = {{200, REGTAG_E_PROTOCOL, "an answer before the request"},
                 {399, REGTAG_E_PROTOCOL, "an answer before the request"},
                 {400, REGTAG_E_OTHER, "does not understand the request (HTTP 400: no entry)"},
                 {403, REGTAG_E_DENIED, "does not allow it (HTTP 403: no entry)"}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char answer[200];
        struct run run;
        begin(&run);
        run.wire.manners.close_after_each = true;
        snprintf(answer, sizeof answer, "HTTP/1.1 %u No\r\nContent-Length: 8\r\n\r\nno entry",
                 cases[i].http);
        run.wire.early = (struct wire_early){.method = "GET", .at = 9, .times = 1, .text = answer};
        assert_int_equal(regtag_manifest(run.regtag, "localhost/a:base"), REGTAG_OK);
        run_on(&run);
        expect_text(&run, cases[i].words);
        expect_end(&run, cases[i].status);
        finish(&run);
    }
}

/* ---- Redirects ------------------------------------------------------------------------------- */

static const struct {
    const char *image, *location, *words;
} nowhere[] = {
    {"localhost/a:base", "", "redirects without saying where (HTTP 307)"},
    {"localhost/a:base", "Location: \r\n", "redirects without saying where (HTTP 307)"},
    {"localhost/a:base", "Location: /x\r\nLocation: /y\r\n",
     "redirects without saying where (HTTP 307)"},
    {"localhost/a:base", "Location: ftp://x/\r\n",
     "to something that is not a URL: \"ftp://x/\" (HTTP 307)"},
    {"localhost/a:base", "Location: https://elsewhere.test/x?sig=hidden|\r\n",
     "to something that is not a URL: \"https://elsewhere.test/x\" (HTTP 307)"},
    {"registry.test/a:base", "Location: http://registry.test/x\r\n",
     "from TLS to plain HTTP (HTTP 307)"},
    {"localhost/a:base", "Location: /v2/a/manifests/base\r\n", "more than 5 times (HTTP 307)"},
};

static void a_redirect_that_cannot_be_followed_is_an_error(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(nowhere); i++) {
        char answer[200];
        struct run run;
        begin(&run);
        snprintf(answer, sizeof answer, "HTTP/1.1 307 There\r\n%s" EMPTY, nowhere[i].location);
        quirk(&run, 0, "HEAD base", answer);
        run.wire.quirk[0].times = 9;
        look(&run, nowhere[i].image);
        expect_end(&run, REGTAG_E_PROTOCOL);
        expect_text(&run, nowhere[i].words);
        finish(&run);
    }
}

/* What a server redirects to may be a signed URL, which is as good as a password. */
static void a_signed_url_is_followed_but_not_shown(void **state)
{
    struct run run;
    char there[200];
    (void)state;
    begin(&run);
    run.config.stall = UINT64_MAX;
    take_notes(&run, true);
    snprintf(there, sizeof there,
             "HTTP/1.1 200 OK\r\nDocker-Content-Digest: %s\r\nLocation: /y?sig=shown\r\n" EMPTY,
             digest_of_new());
    quirk(&run, 0, "HEAD base", "HTTP/1.1 307 There\r\nLocation: /v2/a/manifests/x?sig=shown\r\n" EMPTY);
    quirk(&run, 1, "HEAD x?sig=",
          "HTTP/1.1 307 There\r\nLocation: https://elsewhere.test/blob?sig=hidden\r\n" EMPTY);
    quirk(&run, 2, "HEAD blob?sig=hidden", there);
    look(&run, "localhost/a:base");
    expect_end(&run, REGTAG_OK);
    assert_string_equal(run.digest, digest_of_new());
    assert_non_null(strstr(run.notes, "<Location: /v2/a/manifests/x?sig=shown\n"));
    assert_non_null(strstr(run.notes, ">HEAD /v2/a/manifests/x?sig=shown HTTP/1.1\n"));
    assert_non_null(strstr(run.notes, "<Location: https://elsewhere.test/blob?***\n"));
    assert_non_null(strstr(run.notes, ">HEAD /blob?***\n"));
    assert_non_null(strstr(run.notes, "<Location: /y?***\n"));
    assert_null(strstr(run.notes, "hidden"));
    finish(&run);
}

/* Only one at a time can be redirected; the others wait. */
static void several_requests_are_redirected_one_after_the_other(void **state)
{
    static const char *const names[] = {"xa", "xb", "xc"};
    struct run run;
    (void)state;
    begin(&run);
    quirk(&run, 0, "HEAD x",
          "HTTP/1.1 307 There\r\nLocation: http://elsewhere.test/v2/a/manifests/base\r\n" EMPTY);
    run.wire.quirk[0].times = 9; /* those that wait ask anew */
    assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", names, COUNT(names)), REGTAG_OK);
    run_on(&run);
    expect_end(&run, REGTAG_OK);
    assert_int_equal(run.settled, 3);
    for (size_t i = 0; i < COUNT(names); i++)
        assert_int_equal(run.outcome[i], REGTAG_TAG_UNCHANGED);
    assert_int_equal(run.wire.puts, 0);
    finish(&run);
}

/* A pause that it is asked for there is nobody else's. */
static void a_redirect_that_is_followed_again_later_holds_up_no_other(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.config.retries = 1;
    begin_again(&run);
    wire_push(&run.wire, "x", OCI, OLD, sizeof OLD - 1);
    run.wire.manners.delay = 10;
    quirk(&run, 0, "HEAD base",
          "HTTP/1.1 307 There\r\nLocation: http://elsewhere.test/v2/a/manifests/x\r\n" EMPTY);
    run.wire.quirk[0].times = 2;
    quirk(&run, 1, "HEAD x", "HTTP/1.1 503 Later\r\nRetry-After: 10\r\n" EMPTY);
    quirk(&run, 2, "HEAD new",
          "HTTP/1.1 307 There\r\nLocation: http://elsewhere.test/v2/a/manifests/new\r\n" EMPTY);
    run.wire.quirk[2].times = 2;
    assert_int_equal(regtag_digests(run.regtag, "localhost/a", 2), REGTAG_OK);
    run_on(&run);
    expect_end(&run, REGTAG_OK);
    expect_asked(&run,
                 "GET list?n=2\nHEAD base\nHEAD new\nHEAD x\nHEAD new\nHEAD new\nHEAD base\nHEAD x\n");
    assert_true(run.wire.asked_at[5] < 100);
    assert_int_equal(run.wire.asked_at[6], run.wire.asked_at[3] + 10 + 10000);
    assert_string_equal(run.name[1], "new");
    assert_string_equal(run.digest, digest_of_old());
    finish(&run);
}

/* A proxy takes one request at a time. The one for the manifest has waited for the connection, and comes first there; it is
 * redirected, too, and then waits for the look. */
static void a_look_that_was_redirected_is_not_left_behind(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.config.retries = 1;
    begin_again(&run);
    wire_push(&run.wire, "to", OCI, NEW, sizeof NEW - 1);
    wire_push(&run.wire, "from", OCI, OLD, sizeof OLD - 1);
    run.wire.manners.delay = 10;
    quirk(&run, 0, "GET base", "HTTP/1.1 503 Later\r\n" EMPTY);
    quirk(&run, 1, "GET base", "HTTP/1.1 307 There\r\nLocation: /v2/a/manifests/to\r\n" EMPTY);
    run.wire.quirk[1].after = 1;
    run.wire.quirk[1].times = 2; /* behind the look it asks anew */
    quirk(&run, 2, "HEAD new", "HTTP/1.1 400 Bad\r\nConnection: close\r\n" EMPTY);
    quirk(&run, 3, "HEAD new", "HTTP/1.1 307 There\r\nLocation: /v2/a/manifests/from\r\n" EMPTY);
    run.wire.quirk[3].after = 1;
    run.wire.quirk[3].delay = 600;
    tag_one(&run);
    expect_end(&run, REGTAG_OK);
    expect_outcome(&run, REGTAG_TAG_MOVED);
    assert_string_equal(run.previous[0], digest_of_old());
    expect_asked(&run, "GET base\nHEAD new\nHEAD new\nGET base\nHEAD from\nGET base\nGET to\nPUT new\n");
    assert_int_equal(run.wire.now, 10 + 600 + 5 * 10);
    finish(&run);
}

static void a_redirect_from_tls_to_tls_is_followed(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    quirk(&run, 0, "HEAD moved",
          "HTTP/1.1 307 There\r\nLocation: https://elsewhere.test/v2/a/manifests/base\r\n" EMPTY);
    look(&run, "registry.test/a:moved");
    expect_end(&run, REGTAG_OK);
    assert_string_equal(run.digest, digest_of_new());
    finish(&run);
}

/* The second one is redirected while a token is fetched for the first one, which then has to ask anew. */
static void another_redirect_may_come_between_a_login_and_what_it_is_for(void **state)
{
    static const char *const names[] = {"xa", "xb"};
    struct run run;
    (void)state;
    begin(&run);
    run.wire.manners.delay = 10;
    widen(&run, 5);
    quirk(&run, 0, "HEAD x", "HTTP/1.1 307 There\r\nLocation: /v2/a/manifests/moved\r\n" EMPTY);
    run.wire.quirk[0].times = 9;
    quirk(&run, 1, "HEAD moved",
          "HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer realm=\"http://localhost/token\"\r\n" EMPTY);
    run.wire.quirk[2] = (struct wire_quirk){
        .request = "GET token",
        .instead = "HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n{\"token\":\"a-token\"}",
        .delay = 500};
    run.wire.quirk[3] =
        (struct wire_quirk){.request = "HEAD xb", .instead = run.wire.quirk[0].instead, .delay = 200};
    struct wire_quirk first = run.wire.quirk[0];
    run.wire.quirk[0] = run.wire.quirk[3];
    run.wire.quirk[3] = first;
    wire_push(&run.wire, "moved", OCI, OLD, sizeof OLD - 1);
    assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", names, COUNT(names)), REGTAG_OK);
    run_on(&run);
    expect_end(&run, REGTAG_OK);
    for (size_t i = 0; i < COUNT(names); i++)
        assert_string_equal(run.previous[i], digest_of_old());
    finish(&run);
}

/* ---- Pipelines ----------------------------------------------------------------------------------- */

/* That of a server that knows no pipelines has others. */
static void a_400_in_a_registrys_words_is_no_reason_to_send_it_alone(void **state)
{
    static const char *const names[] = {"xa", "xb", "xc"};
    static const char *const bodies[] = {"Bad Request",
                                         "{\"errors\":[{\"code\":\"MANIFEST_INVALID\"}]}"};
    (void)state;
    for (size_t own = 0; own < COUNT(bodies); own++) {
        char answer[200];
        struct run run;
        begin(&run);
        run.wire.manners.delay = 10;
        snprintf(answer, sizeof answer,
                 "HTTP/1.1 400 No\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
                 strlen(bodies[own]), bodies[own]);
        quirk(&run, 0, "PUT xb", answer);
        run.wire.quirk[0].ending = WIRE_CLOSES;
        assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", names, COUNT(names)), REGTAG_OK);
        run_on(&run);
        expect_end(&run, own ? REGTAG_E_REFUSED : REGTAG_OK);
        assert_int_equal(wire_find(&run.wire, "xb") != NULL, !own);
        assert_non_null(wire_find(&run.wire, "xc"));
        finish(&run);
    }
}

/* ---- Lines of Accept ------------------------------------------------------------------------- */

static size_t count_lines(const struct run *run)
{
    return count_of(run->wire.log.data, "Accept: application/vnd.oci.image.index.v1+json\r\n");
}

#define LACKS "HTTP/1.1 406 No\r\n" EMPTY

/* Some registries understand no list of media types: they are asked again, and in lines from then on. */
static void a_registry_that_takes_no_list_gets_lines(void **state)
{
    (void)state;
    for (unsigned misread = 0; misread < 3; misread++) {
        struct run run;
        begin(&run);
        run.config.platform = "linux/arm";
        begin_again(&run);
        push_arm_index(&run);
        quirk(&run, 0, "GET index", LACKS);
        run.wire.quirk[0].times = misread == 1 ? 2 : 1;
        if (misread == 2)
            quirk(&run, 1, "GET sha256", LACKS);
        assert_int_equal(regtag_manifest(run.regtag, "localhost/a:index"), REGTAG_OK);
        run_on(&run);
        expect_end(&run, misread ? REGTAG_E_PROTOCOL : REGTAG_OK);
        assert_int_equal(count_lines(&run), misread == 1 ? 1 : 2);
        assert_int_equal(run.wire.gets, misread == 1 ? 2 : 3);
        finish(&run);
    }
}

static void a_registry_that_takes_a_list_gets_no_lines(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.config.platform = "linux/arm";
    begin_again(&run);
    push_arm_index(&run);
    assert_int_equal(regtag_manifest(run.regtag, "localhost/a:index"), REGTAG_OK);
    run_on(&run);
    expect_end(&run, REGTAG_OK);
    assert_int_equal(run.wire.gets, 2);
    assert_int_equal(count_lines(&run), 0);
    finish(&run);
}

/* An operation that goes on after it has learned that its registry wants lines. */
static void begin_with_lines(struct run *run)
{
    begin(run);
    run->config.keep = true;
    begin_again(run);
    quirk(run, 0, "GET base", LACKS);
    assert_int_equal(regtag_manifest(run->regtag, "localhost/a:base"), REGTAG_OK);
    run_on(run);
    expect_end(run, REGTAG_OK);
}

/* What is known of one registry says nothing about the next. */
static void the_next_registry_gets_a_list_again(void **state)
{
    struct run run;
    (void)state;
    begin_with_lines(&run);
    assert_int_equal(count_lines(&run), 1);
    for (unsigned other = 0; other < 2; other++) {
        assert_true(regtag_next(run.regtag, &run.config));
        assert_int_equal(regtag_manifest(run.regtag, other ? "localhost:81/a:base" : "localhost/a:base"),
                         REGTAG_OK);
        run_on(&run);
        expect_end(&run, REGTAG_OK);
        assert_int_equal(count_lines(&run), 2);
    }
    finish(&run);
}

#define IN_SCHEMA1                                                                                      \
    "{\"schemaVersion\":1,\"name\":\"a\",\"tag\":\"base\",\"architecture\":\"amd64\",\"fsLayers\":[],\"history\":[]}"

/* An error shows nothing about the lines. */
static void what_is_absent_is_absent_in_lines_too(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    quirk(&run, 0, "GET none", LACKS);
    assert_int_equal(regtag_manifest(run.regtag, "localhost/a:none"), REGTAG_OK);
    run_on(&run);
    expect_end(&run, REGTAG_E_NOT_FOUND);
    assert_int_equal(count_lines(&run), 1);
    finish(&run);
}

/* Once it is known, schema 1 is no reason to ask once more. */
static void schema_1_is_not_asked_for_in_lines_again(void **state)
{
    struct run run;
    (void)state;
    begin_with_lines(&run);
    wire_push(&run.wire, "base", SCHEMA1, IN_SCHEMA1, sizeof IN_SCHEMA1 - 1);
    assert_true(regtag_next(run.regtag, &run.config));
    assert_int_equal(regtag_manifest(run.regtag, "localhost/a:base"), REGTAG_OK);
    run_on(&run);
    expect_end(&run, REGTAG_OK);
    assert_int_equal(run.wire.gets, 3);
    assert_int_equal(count_lines(&run), 2);
    finish(&run);
}

/* ---- Unchanged ------------------------------------------------------------------------------- */

/* A registry may repeat the digest, or not; or name another one, and is believed. */
static void a_304_leaves_the_digest_or_states_another(void **state)
{
    const char *const stated[] = {NULL, digest_of_new(), digest_of_old(), "gibberish"};
    (void)state;
    for (size_t i = 0; i < COUNT(stated); i++) {
        char answer[200];
        struct run run;
        begin(&run);
        look(&run, "localhost/a:base");
        snprintf(answer, sizeof answer, "HTTP/1.1 304 Same\r\n%s%s\r\n\r\n",
                 stated[i] ? "Docker-Content-Digest: " : "X: y", stated[i] ? stated[i] : "");
        quirk(&run, 0, "HEAD base", answer);
        regtag_again(run.regtag, digest_of_new());
        run_on(&run);
        expect_end(&run, i < 3 ? REGTAG_OK : REGTAG_E_PROTOCOL);
        if (i < 3)
            assert_string_equal(run.digest, stated[i] ? stated[i] : digest_of_new());
        finish(&run);
    }
}

/* As long as it is not known again. */
static void a_query_that_is_repeated_begins_without_a_digest(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    look(&run, "localhost/a:base");
    assert_string_equal(regtag_result(run.regtag)->digest, digest_of_new());
    wire_delete(&run.wire, "base");
    regtag_again(run.regtag, NULL);
    assert_string_equal(regtag_result(run.regtag)->digest, "");
    run_on(&run);
    expect_end(&run, REGTAG_E_NOT_FOUND);
    assert_string_equal(regtag_result(run.regtag)->digest, "");
    finish(&run);
}

/* Whose last word is no digest, and who then fails: nobody knows where the tag is. */
static void why_an_upload_is_uncertain_is_told(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    quirk(&run, 0, "PUT new", "HTTP/1.1 201 Made\r\n" EMPTY);
    quirk(&run, 1, "HEAD new", "HTTP/1.1 500 No\r\n" EMPTY);
    run.wire.quirk[1].after = 1;
    run.wire.quirk[1].times = 9;
    quirk(&run, 2, "GET new", "HTTP/1.1 500 No\r\n" EMPTY);
    run.wire.quirk[2].times = 9;
    tag_one(&run);
    expect_text(&run, "the registry accepted the upload, but stated no digest");
    expect_end(&run, REGTAG_E_UNCERTAIN);
    expect_outcome(&run, REGTAG_TAG_UNCERTAIN);
    finish(&run);
}

/* A manifest's text is cut in a message. */
static void a_long_media_type_is_cut_in_a_message(void **state)
{
    char manifest[400], expected[300];
    struct run run;
    (void)state;
    begin(&run);
    snprintf(manifest, sizeof manifest,
             "{\"schemaVersion\":2,\"mediaType\":\"%0101d\",\"config\":" CONFIG ",\"layers\":[]}", 0);
    wire_push(&run.wire, "base", OCI, manifest, strlen(manifest));
    assert_int_equal(regtag_manifest(run.regtag, "localhost/a:base"), REGTAG_OK);
    run_on(&run);
    snprintf(expected, sizeof expected, "its mediaType is \"%0100d\", but it was sent as %s", 0, OCI);
    expect_text(&run, expected);
    expect_end(&run, REGTAG_E_REFUSED);
    finish(&run);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_upload_that_is_refused_fails_in_the_registrys_words),
        cmocka_unit_test(what_may_pass_is_tried_again),
        cmocka_unit_test(an_error_that_comes_too_early_is_told_in_its_words),
        cmocka_unit_test(the_next_registry_gets_a_list_again),
        cmocka_unit_test(a_query_that_is_repeated_begins_without_a_digest),
        cmocka_unit_test(why_an_upload_is_uncertain_is_told),
        cmocka_unit_test(a_long_media_type_is_cut_in_a_message),
        cmocka_unit_test(only_what_may_pass_is_tried_again),
        cmocka_unit_test(a_connection_is_kept_behind_a_refusal_of_64_kib),
        cmocka_unit_test(a_registry_that_takes_a_list_gets_no_lines),
        cmocka_unit_test(a_redirect_that_cannot_be_followed_is_an_error),
        cmocka_unit_test(a_signed_url_is_followed_but_not_shown),
        cmocka_unit_test(several_requests_are_redirected_one_after_the_other),
        cmocka_unit_test(a_redirect_that_is_followed_again_later_holds_up_no_other),
        cmocka_unit_test(a_look_that_was_redirected_is_not_left_behind),
        cmocka_unit_test(a_registry_that_takes_no_list_gets_lines),
        cmocka_unit_test(what_is_absent_is_absent_in_lines_too),
        cmocka_unit_test(a_redirect_from_tls_to_tls_is_followed),
        cmocka_unit_test(a_400_in_a_registrys_words_is_no_reason_to_send_it_alone),
        cmocka_unit_test(another_redirect_may_come_between_a_login_and_what_it_is_for),
        cmocka_unit_test(schema_1_is_not_asked_for_in_lines_again),
        cmocka_unit_test(a_304_leaves_the_digest_or_states_another),
    };
    return cmocka_run_group_tests_name("answers", tests, NULL, NULL);
}
