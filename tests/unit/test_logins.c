/* src/client: what a registry's challenge leads to: a password, a token, a question at /v2/, or an error that says what is
 * wrong; and to whom secrets go on the way. */
#include "run.h"

#define USER "somebody"
#define PASSWORD "a-password-of-this-test"
#define BASIC "Authorization: Basic c29tZWJvZHk6YS1wYXNzd29yZC1vZi10aGlzLXRlc3Q=\r\n"
#define IDENTITY "an-identity-token-of-this-test"
#define OF_TOKEN "Authorization: Basic PHRva2VuPjphbi1pZGVudGl0eS10b2tlbi1vZi10aGlzLXRlc3Q=\r\n"
#define OF_BOTH "Authorization: Basic c29tZWJvZHk6YW4taWRlbnRpdHktdG9rZW4tb2YtdGhpcy10ZXN0\r\n"
#define TOKEN "Authorization: Bearer a-token\r\n"
#define ASKED "GET /token?service=s&scope=repository%3Aa%3Apull HTTP/1.1\r\n"
#define REALM "realm=\"http://localhost/token\""
#define CHALLENGE(fields) "WWW-Authenticate: " fields "\r\n"
#define EMPTY "Content-Length: 0\r\n\r\n"
#define REFUSED(challenge) "HTTP/1.1 401 No\r\n" CHALLENGE(challenge) EMPTY
#define GOOD "HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n{\"token\":\"a-token\"}"

enum login { NOBODY, NONE, A_USER, AN_IDENTITY, BOTH };

static const struct regtag_credentials logins[] = {
    [NOBODY] = {.user = ""},
    [NONE] = {.user = NULL},
    [A_USER] = {.user = USER, .password = PASSWORD},
    [AN_IDENTITY] = {.identity_token = IDENTITY},
    [BOTH] = {.user = USER, .identity_token = IDENTITY},
};

/* ---- Running --------------------------------------------------------------------------------- */

static void quirk(struct run *run, unsigned number, const char *request, const char *answer)
{
    run->wire.quirk[number] = (struct wire_quirk){.request = request, .instead = answer};
}

static void begin_as(struct run *run, struct regtag_credentials credentials)
{
    begin(run);
    run->config.credentials = credentials;
    begin_again(run);
}

static void look(struct run *run)
{
    assert_int_equal(regtag_digest(run->regtag, "localhost/a:base"), REGTAG_OK);
    run_on(run);
}

static bool was_sent(const struct run *run, const char *text)
{
    return run->wire.log.data && strstr(run->wire.log.data, text);
}

/* `words`: of the message, or NULL if all is well; `sent`: what must be among all that was sent. */
static void expect_login(const struct run *run, enum regtag_status status, const char *words,
                         const char *sent)
{
    expect_end(run, status);
    if (words)
        expect_text(run, words);
    else
        assert_string_equal(run->digest, digest_of_new());
    if (sent && !was_sent(run, sent))
        fail_msg("not sent: %s", sent);
}

/* ---- Challenges ------------------------------------------------------------------------------ */

#define UNREADABLE "names a token server that is not a URL"

static const struct challenge {
    const char *fields;
    enum login login;
    enum regtag_status status;
    const char *words, *sent;
} challenges[] = {
    {CHALLENGE("Basic realm=\"x\""), A_USER, REGTAG_OK, NULL, BASIC},
    {CHALLENGE("basic"), A_USER, REGTAG_OK, NULL, BASIC},
    {CHALLENGE("Basic realm=\"x\""), NONE, REGTAG_E_DENIED, "none were found", NULL},
    {CHALLENGE("Basic realm=\"x\""), NOBODY, REGTAG_E_DENIED, "none were found", NULL},
    {CHALLENGE("Basic realm=\"x\""), AN_IDENTITY, REGTAG_E_DENIED, "none were found", NULL},
    {CHALLENGE("Bearer " REALM ",service=\"s\""), NONE, REGTAG_OK, NULL, ASKED},
    {CHALLENGE("Bearer " REALM ",scope=\"x\",service=\"s\""), A_USER, REGTAG_OK, NULL, BASIC},
    {CHALLENGE("Bearer " REALM), NONE, REGTAG_OK, NULL, "GET /token?scope="},
    {CHALLENGE("Bearer realm=\"/token?x=1\""), NONE, REGTAG_OK, NULL, "GET /token?x=1&scope="},
    {CHALLENGE("Bearer " REALM ",service=\"s\", Basic realm=\"x\""), A_USER, REGTAG_OK, NULL, ASKED},
    {CHALLENGE("Basic realm=\"x\", Bearer " REALM ",service=\"s\""), A_USER, REGTAG_OK, NULL, ASKED},
    {CHALLENGE("Basic") CHALLENGE("Bearer " REALM ",service=\"s\""), A_USER, REGTAG_OK, NULL, ASKED},
    {CHALLENGE("Bearer " REALM ",service=\"s\", Bearer realm=\"/other\""), NONE, REGTAG_OK, NULL, ASKED},
    {CHALLENGE("Bearer, Basic realm=\"x\""), A_USER, REGTAG_OK, NULL, BASIC},
    {CHALLENGE("=, Basic realm=\"x\""), A_USER, REGTAG_OK, NULL, BASIC},
    {CHALLENGE("Bearer"), A_USER, REGTAG_E_PROTOCOL, UNREADABLE ": \"\"", NULL},
    {CHALLENGE("Bearer realm=\"ftp://a.test/\""), A_USER, REGTAG_E_PROTOCOL,
     UNREADABLE ": \"ftp:", NULL},
    {CHALLENGE("Bearer realm=\"http://elsewhere.test/\""), A_USER, REGTAG_E_DENIED,
     "refused to use the token server http://elsewhere.test/", NULL},
    {CHALLENGE("Negotiate"), A_USER, REGTAG_E_DENIED, "a kind of authentication that is not supported",
     "GET /v2/ HTTP/1.1\r\n"},
};

static void a_challenge_is_met_or_it_is_said_why_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(challenges); i++) {
        const struct challenge *c = &challenges[i];
        char answer[300];
        struct run run;
        begin_as(&run, logins[c->login]);
        snprintf(answer, sizeof answer, "HTTP/1.1 401 No\r\n%s" EMPTY, c->fields);
        quirk(&run, 0, "HEAD base", answer);
        quirk(&run, 1, "GET token", GOOD);
        quirk(&run, 2, "GET ", "HTTP/1.1 200 OK\r\n" EMPTY);
        look(&run);
        expect_login(&run, c->status, c->words, c->sent);
        if (c->sent && strcmp(c->sent, BASIC) != 0 && !c->words)
            assert_true(was_sent(&run, TOKEN));
        finish(&run);
    }
}

/* Longer than there is room for. */
static void a_challenge_of_any_length_is_an_error_that_is_told(void **state)
{
    static const struct {
        const char *before;
        size_t size;
    } LONG[] = {{"Bearer realm=\"/", 4096}, {"Bearer realm=\"/token\",service=\"", 256}};
    (void)state;
    for (size_t i = 0; i < COUNT(LONG); i++) {
        char filler[4100], answer[4400];
        struct run run;
        begin(&run);
        memset(filler, 'x', LONG[i].size);
        filler[LONG[i].size] = '\0';
        snprintf(answer, sizeof answer, REFUSED("%s%s\""), LONG[i].before, filler);
        quirk(&run, 0, "HEAD base", answer);
        look(&run);
        expect_login(&run, REGTAG_E_PROTOCOL, UNREADABLE, NULL);
        finish(&run);
    }
}

/* ---- A 401 that says nothing: /v2/ may ------------------------------------------------------- */

#define PONG(fields) "HTTP/1.1 401 No\r\n" fields EMPTY

static const struct challenge pongs[] = {
    {PONG(CHALLENGE("Basic realm=\"x\"")), A_USER, REGTAG_OK, NULL, BASIC},
    {PONG(CHALLENGE("Bearer " REALM ",service=\"s\"")), NONE, REGTAG_OK, NULL, ASKED},
    {PONG(""), A_USER, REGTAG_E_DENIED, "not supported", NULL},
    {PONG(CHALLENGE("Bearer")), A_USER, REGTAG_E_PROTOCOL, UNREADABLE, NULL},
    {"", A_USER, REGTAG_E_DENIED, "not authenticated, and the registry does not say how", NULL},
};

static void a_401_without_a_challenge_is_asked_for_one_at_v2(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(pongs); i++) {
        const struct challenge *c = &pongs[i];
        struct run run;
        begin_as(&run, logins[c->login]);
        quirk(&run, 0, "HEAD base", "HTTP/1.1 401 No\r\n" EMPTY);
        quirk(&run, 1, "GET token", GOOD);
        quirk(&run, 2, "GET ", c->fields);
        if (!*c->fields) {
            run.wire.quirk[2].ending = WIRE_RESETS;
            run.wire.quirk[2].times = 2; /* the first one ends an idle connection */
        }
        look(&run);
        expect_login(&run, c->status, c->words, c->sent);
        finish(&run);
    }
}

/* It is so again when the token is used up. */
static void it_is_asked_for_a_challenge_with_each_login(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.config.credentials = logins[A_USER];
    begin_again(&run);
    run.wire.manners.realm = "http://localhost/token";
    run.wire.manners.token_uses = 2;
    quirk(&run, 0, "GET base", "HTTP/1.1 401 No\r\n" EMPTY);
    quirk(&run, 1, "PUT new", "HTTP/1.1 401 No\r\n" EMPTY);
    tag_one(&run);
    expect_end(&run, REGTAG_OK);
    assert_true(IS_NEW(&run, "new"));
    assert_int_equal(count_of(run.wire.log.data, "GET /v2/ HTTP/1.1"), 2);
    assert_int_equal(run.wire.tokens, 2);
    finish(&run);
}

/* Where that leads to another server, its challenge is not the registry's. */
static void a_challenge_of_another_server_is_not_met(void **state)
{
    static const char *const fields[] = {PONG(CHALLENGE("Basic realm=\"x\"")),
                                         PONG(CHALLENGE("Bearer " REALM ",service=\"s\""))};
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(fields); i++) {
        struct run run;
        begin(&run);
        run.config.credentials = logins[A_USER];
        begin_again(&run);
        quirk(&run, 0, "HEAD base", "HTTP/1.1 401 No\r\n" EMPTY);
        quirk(&run, 1, "GET token", GOOD);
        quirk(&run, 2, "GET ",
              i % 2 ? "HTTP/1.1 302 There\r\nLocation: http://elsewhere.test/\r\n" EMPTY
                    : "HTTP/1.1 302 There\r\nLocation: /v3/\r\n" EMPTY);
        quirk(&run, 3, "GET ", fields[i / 2]);
        run.wire.quirk[3].after = 1;
        look(&run);
        if (i % 2) {
            expect_login(&run, REGTAG_E_DENIED, "the registry does not say how", NULL);
            assert_false(was_sent(&run, "Authorization: "));
        } else
            expect_login(&run, REGTAG_OK, NULL, i / 2 ? TOKEN : BASIC);
        finish(&run);
    }
}

/* ---- Tokens ---------------------------------------------------------------------------------- */

#define ANSWER(status) "HTTP/1.1 " status " Whatever\r\n" EMPTY
#define BODY(size, text) "HTTP/1.1 200 OK\r\nContent-Length: " size "\r\n\r\n" text

/* What a token server says to POST, and then to GET. */
static const struct server {
    const char *to_post, *to_get;
    enum login login;
    enum regtag_status status;
    const char *words, *sent;
} servers[] = {
    {GOOD, NULL, AN_IDENTITY, REGTAG_OK, NULL, "&refresh_token=" IDENTITY},
    {ANSWER("404"), GOOD, AN_IDENTITY, REGTAG_OK, NULL, OF_TOKEN},
    {ANSWER("405"), GOOD, BOTH, REGTAG_OK, NULL, OF_BOTH},
    {ANSWER("415"), GOOD, AN_IDENTITY, REGTAG_OK, NULL, OF_TOKEN},
    {ANSWER("501"), GOOD, AN_IDENTITY, REGTAG_OK, NULL, OF_TOKEN},
    {ANSWER("404"), ANSWER("404"), AN_IDENTITY, REGTAG_E_PROTOCOL, "no token server at this address",
     NULL},
    {ANSWER("403"), NULL, AN_IDENTITY, REGTAG_E_DENIED, "it rejects these credentials", NULL},
    {NULL, ANSWER("407"), A_USER, REGTAG_E_DENIED, "the proxy requires a user and password", NULL},
    {NULL, ANSWER("500"), A_USER, REGTAG_E_SERVER_FAILED, "it failed", NULL},
    {NULL, BODY("2", "{}"), A_USER, REGTAG_E_PROTOCOL, "it contains no token", NULL},
    {NULL, BODY("3", "{\"a"), A_USER, REGTAG_E_PROTOCOL, "no token from localhost", NULL},
    {NULL, BODY("2", "[]"), A_USER, REGTAG_E_PROTOCOL, "it is not a JSON object", NULL},
    {NULL, BODY("39", "{\"access_token\":\"a\",\"access_token\":\"b\"}"), A_USER, REGTAG_E_PROTOCOL,
     "it contains a token twice", NULL},
    {NULL, BODY("25", "{\"token\":\"a\",\"token\":\"b\"}"), A_USER, REGTAG_E_PROTOCOL,
     "it contains a token twice", NULL},
};

static void a_token_server_is_asked_in_the_way_that_it_knows(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(servers); i++) {
        const struct server *s = &servers[i];
        struct run run;
        begin_as(&run, logins[s->login]);
        quirk(&run, 0, "HEAD base", REFUSED("Bearer " REALM ",service=\"s\""));
        quirk(&run, 1, "POST token", s->to_post);
        quirk(&run, 2, "GET token", s->to_get);
        look(&run);
        expect_login(&run, s->status, s->words, s->sent);
        if (!s->words)
            assert_true(was_sent(&run, TOKEN));
        finish(&run);
    }
}

/* The root of a server is a token server, too. */
static void a_realm_needs_no_path(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    quirk(&run, 0, "HEAD base", REFUSED("Bearer realm=\"http://localhost\""));
    quirk(&run, 1, "GET ?scope=", GOOD);
    look(&run);
    expect_login(&run, REGTAG_OK, NULL, TOKEN);
    finish(&run);
}

/* What is too long is not sent cut off: no answer could say that it was. */
static void expect_too_long(struct regtag_credentials credentials, const char *refusal,
                            enum regtag_status status, const char *words, const char *unsent)
{
    struct run run;
    begin_as(&run, credentials);
    quirk(&run, 0, "HEAD base", refusal);
    look(&run);
    expect_login(&run, status, words, NULL);
    assert_false(was_sent(&run, unsent));
    finish(&run);
}

/* Encoded, each of its bytes takes three. */
static void an_identity_token_that_does_not_fit_is_not_sent(void **state)
{
    static char identity[16385];
    (void)state;
    memset(identity, '+', sizeof identity - 1);
    expect_too_long((struct regtag_credentials){.identity_token = identity}, REFUSED("Bearer " REALM),
                    REGTAG_E_CREDENTIALS, "the identity token is too long", "%2B%2B");
}

static void a_bearer_token_that_is_too_long_is_not_sent(void **state)
{
    static char bearer[16386];
    (void)state;
    memset(bearer, 'x', sizeof bearer - 1);
    expect_too_long((struct regtag_credentials){.bearer_token = bearer}, REFUSED("Basic"),
                    REGTAG_E_DENIED, "rejects the given bearer token", "Authorization");
}

/* ---- Refusals -------------------------------------------------------------------------------- */

static void what_was_refused_is_named(void **state)
{
    static const struct {
        struct regtag_credentials credentials;
        const char *challenge;
        enum regtag_status status;
        const char *words;
    } REFUSALS[] = {
        {{.bearer_token = "a-bearer-token"}, "Basic", REGTAG_E_DENIED, "rejects the given bearer token"},
        {{.user = USER, .password = PASSWORD}, "Basic", REGTAG_E_DENIED, "rejects these credentials"},
        {{.identity_token = IDENTITY}, "Bearer " REALM, REGTAG_E_DENIED, "rejects these credentials"},
        {{.user = NULL}, "Bearer " REALM, REGTAG_E_DENIED, "none were found"},
        {{.unavailable = "the helper is asleep"}, "Basic", REGTAG_E_CREDENTIALS, "the helper is asleep"},
        {{.unavailable = ""}, "Basic", REGTAG_E_DENIED, "none were found"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(REFUSALS); i++) {
        char answer[200];
        struct run run;
        begin_as(&run, REFUSALS[i].credentials);
        snprintf(answer, sizeof answer, REFUSED("%s"), REFUSALS[i].challenge);
        quirk(&run, 0, "HEAD base", answer);
        run.wire.quirk[0].times = 9;
        quirk(&run, 1, "POST token", GOOD);
        quirk(&run, 2, "GET token", GOOD);
        look(&run);
        expect_login(&run, REFUSALS[i].status, REFUSALS[i].words, NULL);
        finish(&run);
    }
}

/* The same if it is the token server that wants credentials; "" is no reason. */
static void why_there_are_no_credentials_is_said_instead_of_a_refusal(void **state)
{
    static const char *const reasons[] = {NULL, "", "the helper is asleep"};
    (void)state;
    for (size_t i = 0; i < COUNT(reasons); i++) {
        struct run run;
        begin_as(&run, (struct regtag_credentials){.unavailable = reasons[i]});
        quirk(&run, 0, "HEAD base", REFUSED("Bearer " REALM));
        quirk(&run, 1, "GET token", ANSWER("401"));
        look(&run);
        if (i == 2)
            expect_login(&run, REGTAG_E_CREDENTIALS, reasons[i], NULL);
        else
            expect_login(&run, REGTAG_E_DENIED, "it rejects these credentials", NULL);
        finish(&run);
        begin_as(&run, (struct regtag_credentials){.unavailable = reasons[i]});
        quirk(&run, 0, "HEAD base", REFUSED("Bearer " REALM));
        quirk(&run, 1, "GET token", ANSWER("407")); /* a proxy's: that is another login */
        look(&run);
        expect_login(&run, REGTAG_E_DENIED, "the proxy requires a user and password", NULL);
        finish(&run);
    }
}

/* A reason of any length is cut in a message, not left out. */
static void a_long_reason_is_cut(void **state)
{
    static char reason[1200];
    (void)state;
    for (size_t size = 960; size < 1060; size++) {
        struct run run;
        memset(reason, 'x', size);
        reason[size] = '\0';
        begin_as(&run, (struct regtag_credentials){.unavailable = reason});
        quirk(&run, 0, "HEAD base", REFUSED("Bearer " REALM));
        quirk(&run, 1, "GET token", ANSWER("401"));
        look(&run);
        expect_login(&run, REGTAG_E_CREDENTIALS, "no token from localhost: xxx", NULL);
        finish(&run);
    }
}

/* ---- Logins that do not last ----------------------------------------------------------------- */

/* The PUT is refused although the password was good for what came before it: that is no challenge, unless there is another
 * way to log in. */
static void a_password_is_not_tried_again_but_another_way_is(void **state)
{
    (void)state;
    for (unsigned bearer = 0; bearer < 2; bearer++) {
        struct run run;
        begin_as(&run, logins[A_USER]);
        quirk(&run, 0, "GET base", REFUSED("Basic"));
        quirk(&run, 1, "PUT new", bearer ? REFUSED("Bearer " REALM) : REFUSED("Basic"));
        quirk(&run, 2, "GET token", GOOD);
        tag_one(&run);
        expect_end(&run, bearer ? REGTAG_OK : REGTAG_E_DENIED);
        assert_int_equal(IS_NEW(&run, "new"), bearer);
        assert_int_equal(run.wire.puts, 1 + bearer);
        finish(&run);
    }
}

/* Until it has proved good, one request shows that: a password that is wrong is not sent many times. */
static void a_password_is_tried_once_for_all_names(void **state)
{
    static const char *const names[] = {"xa", "xb", "xc", "xd", "xe", "xf"};
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        bool good = i < 2;
        struct run run;
        begin(&run);
        run.wire.manners.delay = 10;
        run.config.credentials = logins[A_USER];
        widen(&run, i % 2 ? 5 : 2);
        quirk(&run, 0, "HEAD xa", REFUSED("Basic"));
        run.wire.quirk[0].delay = 500;
        run.wire.quirk[0].times = good ? 1 : 9;
        quirk(&run, 1, "GET base", REFUSED("Basic"));
        run.wire.quirk[1].times = good ? 1 : 9;
        if (good)
            run.wire.quirk[0].request = NULL;
        else
            quirk(&run, 2, "HEAD x", REFUSED("Basic"));
        run.wire.quirk[2].times = 99;
        assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", names, COUNT(names)), REGTAG_OK);
        run_on(&run);
        expect_end(&run, good ? REGTAG_OK : REGTAG_E_DENIED);
        assert_int_equal(run.settled, COUNT(names));
        if (!good)
            assert_true(count_of(run.wire.log.data, BASIC) <= 2);
        finish(&run);
    }
}

/* What was asked for before is answered all the same: a registry may show one tag to anybody, and not another. */
static void a_refused_login_takes_nothing_from_what_is_in_flight(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    quirk(&run, 0, "HEAD base", REFUSED("Bearer realm=\"http://127.0.0.1/token\""));
    quirk(&run, 1, "GET token", ANSWER("403"));
    run.wire.quirk[2] = (struct wire_quirk){.request = "HEAD new", .delay = 100};
    run.wire.manners.delay = 10;
    assert_int_equal(regtag_digests(run.regtag, "localhost/a", 0), REGTAG_OK);
    run_on(&run);
    expect_login(&run, REGTAG_E_DENIED, "it rejects these credentials", NULL);
    expect_asked(&run, "GET list?n=1000\nHEAD base\nHEAD new\nGET token?scope=repository%3Aa%3Apull\n");
    assert_int_equal(run.listed, 2);
    assert_string_equal(run.name[1], "new");
    assert_string_equal(run.digest, digest_of_old());
    finish(&run);
}

/* Nor by the next operation, which fails with the same. */
static void a_password_that_was_refused_is_not_sent_by_the_next_operation(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.config.credentials = logins[A_USER];
    run.config.keep = true;
    begin_again(&run);
    quirk(&run, 0, "HEAD base", REFUSED("Basic"));
    run.wire.quirk[0].times = 9;
    look(&run);
    expect_login(&run, REGTAG_E_DENIED, "rejects these credentials", BASIC);
    unsigned requests = run.wire.requests;
    assert_true(regtag_next(run.regtag, &run.config));
    look(&run);
    expect_login(&run, REGTAG_E_DENIED, "rejects these credentials", NULL);
    assert_int_equal(run.wire.requests, requests);
    finish(&run);
}

/* The first name is looked up while the manifest is fetched, also if that shows whether the password is right. */
static void a_lookup_goes_with_the_manifest_that_tries_a_password(void **state)
{
    struct run run;
    (void)state;
    begin_as(&run, logins[A_USER]);
    run.wire.manners.delay = 10;
    quirk(&run, 0, "GET base", REFUSED("Basic"));
    tag_one(&run);
    expect_end(&run, REGTAG_OK);
    expect_asked(&run, "GET base\nGET base\nHEAD new\nPUT new\n");
    assert_int_equal(run.wire.taken[2].at, run.wire.taken[1].at);
    finish(&run);
}

/* A token that was not good any more is not sent again, though there is no other. */
static void a_refused_token_is_dropped_before_another_is_there(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.config.keep = true;
    begin_again(&run);
    run.wire.manners.realm = "http://127.0.0.1/token";
    run.wire.manners.token_says = ",\"expires_in\":3600";
    run.wire.manners.token_life = 10000;
    run.wire.manners.token_refusal = 500;
    look(&run);
    expect_end(&run, REGTAG_OK);
    run.wire.now += 20000;
    run.wire.manners.tokens_max = run.wire.tokens;
    assert_true(regtag_next(run.regtag, &run.config));
    look(&run);
    expect_end(&run, REGTAG_E_SERVER_FAILED);
    run.wire.manners.tokens_max = 0;
    unsigned at = run.wire.taken_count;
    assert_true(regtag_next(run.regtag, &run.config));
    look(&run);
    expect_end(&run, REGTAG_OK);
    assert_string_equal(run.wire.taken[at].authorization, "");
    finish(&run);
}

/* ---- Elsewhere ------------------------------------------------------------------------------- */

/* One connection is for all servers but the registry, one after the other. */
static void a_redirect_does_not_lead_to_the_token_server(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    wire_push(&run.wire, "moved", OCI, NEW, sizeof NEW - 1);
    quirk(&run, 0, "HEAD base", REFUSED("Bearer realm=\"http://127.0.0.1/token\""));
    quirk(&run, 1, "GET token", GOOD);
    quirk(&run, 2, "HEAD base",
          "HTTP/1.1 307 There\r\nLocation: http://elsewhere.test/v2/a/manifests/moved\r\n" EMPTY);
    run.wire.quirk[2].after = 1;
    look(&run);
    expect_login(&run, REGTAG_OK, NULL, "Host: elsewhere.test\r\n");
    assert_string_equal(run.wire.line[1].host, "elsewhere.test");
    finish(&run);
}

/* base, at NEW, and new, which is somewhere else at RIVAL. */
static void look_up_two(struct run *run)
{
    const char *const digests[] = {digest_of_new(), digest_of_rival()};
    size_t listed = 0;
    assert_int_equal(regtag_digests(run->regtag, "localhost/a", 2), REGTAG_OK);
    while (step(run))
        if (run->end == REGTAG_LISTED)
            assert_string_equal(regtag_result(run->regtag)->digest, digests[listed++ % 2]);
    expect_end(run, REGTAG_OK);
    assert_int_equal(listed, 2);
}

/* What was asked on the connection to other servers: two tokens, and then the tag. */
static void expect_one_after_the_other(const struct wire *w)
{
    unsigned count = 0;
    for (unsigned i = 0; i < w->taken_count; i++) {
        const struct wire_asked *a = &w->taken[i];
        if (a->connection != 1)
            continue;
        assert_int_equal(strncmp(a->reference, "token?", 6) == 0, count < 2);
        assert_int_equal(a->first, count != 1); /* the token server's serves for both tokens */
        assert_false(a->pipelined);
        count++;
    }
    assert_int_equal(count, 3);
    assert_string_equal(w->line[1].host, "elsewhere.test");
}

/* A lookup is redirected while that connection waits for a token, which another lookup needs. */
static void a_redirect_waits_for_the_token_server(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    wire_push(&run.wire, "moved", OCI, RIVAL, sizeof RIVAL - 1);
    run.wire.manners.delay = 10; /* both lookups are in flight */
    run.wire.manners.realm = "http://127.0.0.1/token";
    run.wire.manners.token_uses = 1; /* that of the list is used up */
    quirk(&run, 0, "HEAD new",
          "HTTP/1.1 307 There\r\nLocation: http://elsewhere.test/v2/a/manifests/moved\r\n" EMPTY);
    run.wire.quirk[0].times = 2; /* it is asked for again when there is a token */
    look_up_two(&run);
    expect_one_after_the_other(&run.wire);
    assert_int_equal(run.wire.tokens, 2);
    assert_int_equal(count_of(run.wire.line[1].log.data, "Authorization: "), 0);
    finish(&run);
}

/* What a redirect leads to may want a password of its own: it does not get ours. */
static void a_401_from_where_a_redirect_leads_to_is_no_challenge(void **state)
{
    struct run run;
    (void)state;
    begin_as(&run, logins[A_USER]);
    quirk(&run, 0, "HEAD base",
          "HTTP/1.1 307 There\r\nLocation: http://elsewhere.test/v2/a/manifests/moved\r\n" EMPTY);
    quirk(&run, 1, "HEAD moved", REFUSED("Basic"));
    quirk(&run, 2, "GET base", REFUSED("Basic"));
    look(&run);
    expect_end(&run, REGTAG_E_DENIED);
    expect_text(&run, "elsewhere.test: not authenticated");
    assert_false(was_sent(&run, "Authorization"));
    finish(&run);
}

/* ---- Trace ----------------------------------------------------------------------------------- */

static const char *proxy_login;

static const char *proxy(void *context, const struct regtag_origin *origin)
{
    (void)context;
    return strcmp(origin->host, "elsewhere.test") ? proxy_login : NULL;
}

/* Through a proxy, TLS has a tunnel, and requests in it are as without one. */
static void with_tls_a_proxy_sees_no_request(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    proxy_login = "Basic dXNlcjpwYXNz";
    run.config.transport.proxy = proxy;
    begin_again(&run);
    assert_int_equal(regtag_digest(run.regtag, "registry.test/a:base"), REGTAG_OK);
    run_on(&run);
    expect_end(&run, REGTAG_OK);
    assert_true(was_sent(&run, "HEAD /v2/a/manifests/base HTTP/1.1\r\n"));
    assert_false(was_sent(&run, "Proxy-Authorization"));
    finish(&run);
}

/* Another request, on another connection, was redirected meanwhile, in vain: this one does not go there. */
static void behind_a_login_a_request_goes_nowhere_else(void **state)
{
    static const char *const names[] = {"n1", "a", "b", "c", "d", "e", "f", "g", "h",
                                        "i",  "j", "k", "l", "m", "n", "o", "p", "n2"};
    struct run run;
    (void)state;
    begin(&run);
    widen(&run, 5);
    wire_push(&run.wire, "n2", OCI, NEW, sizeof NEW - 1);
    quirk(&run, 0, "HEAD n1", "HTTP/1.1 307 There\r\nLocation: /v2/a/manifests/n3\r\n" EMPTY);
    quirk(&run, 1, "HEAD n3", REFUSED("Bearer " REALM));
    quirk(&run, 2, "HEAD n2", "HTTP/1.1 302 There\r\nLocation: ftp://x/\r\n" EMPTY);
    quirk(&run, 3, "GET token", GOOD);
    run.wire.quirk[2].delay = 300;
    run.wire.quirk[3].delay = 600;
    assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", names, COUNT(names)), REGTAG_OK);
    run_on(&run);
    assert_string_equal(run.name[0], "n1");
    assert_int_equal(run.outcome[0], REGTAG_TAG_CREATED);
    assert_true(IS_NEW(&run, "n1"));
    assert_int_equal(count_of(run.wire.asked.data, "HEAD n1\n"), 2);
    assert_int_equal(count_of(run.wire.asked.data, "HEAD n2\n"), 1);
    finish(&run);
}

/* Nor one that a registry repeats: what was given, and what a token server has given. */
static void no_token_is_traced(void **state)
{
    (void)state;
    for (unsigned given = 0; given < 2; given++) {
        struct run run;
        begin(&run);
        run.config.credentials =
            (struct regtag_credentials){.bearer_token = given ? "bearer-secret" : NULL};
        take_notes(&run, true);
        if (!given)
            quirk(&run, 0, "HEAD base", REFUSED("Bearer " REALM));
        quirk(&run, 1, "GET token",
              "HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\n{\"token\":\"bearer-secret\"}");
        quirk(&run, 2, "HEAD base", "HTTP/1.1 404 No\r\nX: bearer-secret\r\n" EMPTY);
        run.wire.quirk[2].after = !given;
        look(&run);
        expect_login(&run, REGTAG_OK, NULL, "Authorization: Bearer bearer-secret\r\n");
        assert_null(strstr(run.notes, "bearer-secret"));
        assert_non_null(strstr(run.notes, "<X: *************\n"));
        finish(&run);
    }
}

/* There is no secret in it, and it says what a token is for. What a redirect leads to is another matter. */
static void the_url_of_a_token_server_is_traced(void **state)
{
    struct run run;
    (void)state;
    begin_as(&run, logins[NONE]);
    take_notes(&run, true);
    quirk(&run, 0, "HEAD base", REFUSED("Bearer realm=\"https://elsewhere.test/token\",service=\"s\""));
    quirk(&run, 1, "GET token", GOOD);
    quirk(&run, 2, "HEAD base",
          "HTTP/1.1 307 There\r\nLocation: https://elsewhere.test/x?sig=1\r\n" EMPTY);
    run.wire.quirk[2].after = 1;
    quirk(&run, 3, "HEAD x?sig=1", "HTTP/1.1 404 No\r\n" EMPTY);
    look(&run);
    assert_non_null(strstr(run.notes, ">GET /token?service=s&scope=repository%3Aa%3Apull HTTP/1.1\n"));
    assert_non_null(strstr(run.notes, ">HEAD /x?***\n"));
    finish(&run);
}

/* Promise 5: at the end, no secret is left in the memory of the operation. */
static void at_the_end_no_token_is_left(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 3; kind++) {
        bool given = kind == 1; /* else by the registry, or by another server */
        struct run run;
        begin_as(&run, (struct regtag_credentials){.bearer_token = given ? "bearer-secret" : NULL});
        if (!given)
            quirk(&run, 0, "HEAD base",
                  kind ? REFUSED("Bearer realm=\"http://127.0.0.1/token\"") : REFUSED("Bearer " REALM));
        quirk(&run, 1, "GET token",
              "HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\n{\"token\":\"bearer-secret\"}");
        look(&run);
        expect_login(&run, REGTAG_OK, NULL, "Authorization: Bearer bearer-secret\r\n");
        for (size_t i = 0; i + 13 <= run.block.size; i++)
            if (memcmp(run.block.data + i, "bearer-secret", 13) == 0)
                fail_msg("it is at %zu of %zu", i, run.block.size);
        finish(&run);
    }
}

/* The same of what a password and an identity token are sent as. */
static void at_the_end_no_password_is_left(void **state)
{
    static const char *const encoded[] = {[A_USER] = "c29tZWJvZHk6", [AN_IDENTITY] = IDENTITY};
    (void)state;
    for (unsigned kind = 0; kind < 3; kind++) {
        enum login login = kind ? AN_IDENTITY : A_USER;
        struct run run;
        begin_as(&run, logins[login]);
        quirk(&run, 0, "HEAD base", login == A_USER ? REFUSED("Basic") : REFUSED("Bearer " REALM));
        quirk(&run, 1, "POST token", kind == 1 ? GOOD : "HTTP/1.1 404 No\r\n" EMPTY);
        quirk(&run, 2, "GET token", GOOD);
        look(&run);
        expect_login(&run, REGTAG_OK, NULL, encoded[login]);
        size_t size = strlen(encoded[login]);
        for (size_t i = 0; i + size <= run.block.size; i++)
            if (memcmp(run.block.data + i, encoded[login], size) == 0)
                fail_msg("it is at %zu of %zu", i, run.block.size);
        finish(&run);
    }
}

/* The first one is good for the lookups only. */
static void a_second_token_takes_the_place_of_the_first(void **state)
{
    static const char *const names[] = {"xa"};
    struct run run;
    (void)state;
    begin(&run);
    quirk(&run, 0, "GET base", REFUSED("Bearer " REALM));
    quirk(&run, 1, "GET token",
          "HTTP/1.1 200 OK\r\nContent-Length: 23\r\n\r\n{\"token\":\"first-token\"}");
    quirk(&run, 2, "GET token", GOOD);
    run.wire.quirk[2].after = 1;
    quirk(&run, 3, "PUT xa", REFUSED("Bearer " REALM));
    assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", names, COUNT(names)), REGTAG_OK);
    run_on(&run);
    expect_end(&run, REGTAG_OK);
    assert_true(was_sent(&run, "Authorization: Bearer first-token\r\n"));
    assert_true(was_sent(&run, TOKEN));
    assert_true(IS_NEW(&run, "xa"));
    finish(&run);
}

static void no_login_is_traced(void **state)
{
    static const char *const proxies[] = {NULL, "", "Basic dXNlcjpwYXNz"};
    (void)state;
    for (size_t i = 0; i < COUNT(proxies); i++) {
        struct run run;
        begin(&run);
        proxy_login = proxies[i];
        run.config.credentials = logins[A_USER];
        run.config.transport.proxy = proxy;
        take_notes(&run, true);
        quirk(&run, 0, "HEAD base",
              "HTTP/1.1 401 No\r\n" CHALLENGE("Basic") "X: dXNlcjpwYXNz\r\n" EMPTY);
        look(&run);
        expect_login(&run, REGTAG_OK, NULL, BASIC);
        assert_non_null(strstr(run.notes, ">Authorization: ***\n"));
        assert_null(strstr(run.notes, "c29tZ"));
        bool through = proxies[i], login = through && *proxies[i];
        assert_int_equal(count_of(run.notes, ">HEAD http://localhost/v2/"), through ? 2 : 0);
        assert_int_equal(count_of(run.notes, ">Proxy-Authorization: ***\n"), login ? 2 : 0);
        assert_int_equal(was_sent(&run, "Proxy-Authorization: Basic dXNlcjpwYXNz\r\n"), login);
        if (login)
            assert_non_null(strstr(run.notes, "<X: ************\n"));
        finish(&run);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_challenge_is_met_or_it_is_said_why_not),
        cmocka_unit_test(a_challenge_of_any_length_is_an_error_that_is_told),
        cmocka_unit_test(a_401_without_a_challenge_is_asked_for_one_at_v2),
        cmocka_unit_test(it_is_asked_for_a_challenge_with_each_login),
        cmocka_unit_test(a_challenge_of_another_server_is_not_met),
        cmocka_unit_test(a_token_server_is_asked_in_the_way_that_it_knows),
        cmocka_unit_test(no_token_is_traced),
        cmocka_unit_test(the_url_of_a_token_server_is_traced),
        cmocka_unit_test(at_the_end_no_token_is_left),
        cmocka_unit_test(at_the_end_no_password_is_left),
        cmocka_unit_test(a_second_token_takes_the_place_of_the_first),
        cmocka_unit_test(a_long_reason_is_cut),
        cmocka_unit_test(a_realm_needs_no_path),
        cmocka_unit_test(an_identity_token_that_does_not_fit_is_not_sent),
        cmocka_unit_test(what_was_refused_is_named),
        cmocka_unit_test(why_there_are_no_credentials_is_said_instead_of_a_refusal),
        cmocka_unit_test(a_bearer_token_that_is_too_long_is_not_sent),
        cmocka_unit_test(a_password_is_not_tried_again_but_another_way_is),
        cmocka_unit_test(a_password_is_tried_once_for_all_names),
        cmocka_unit_test(a_password_that_was_refused_is_not_sent_by_the_next_operation),
        cmocka_unit_test(a_lookup_goes_with_the_manifest_that_tries_a_password),
        cmocka_unit_test(a_refused_token_is_dropped_before_another_is_there),
        cmocka_unit_test(a_redirect_does_not_lead_to_the_token_server),
        cmocka_unit_test(a_redirect_waits_for_the_token_server),
        cmocka_unit_test(a_refused_login_takes_nothing_from_what_is_in_flight),
        cmocka_unit_test(with_tls_a_proxy_sees_no_request),
        cmocka_unit_test(a_401_from_where_a_redirect_leads_to_is_no_challenge),
        cmocka_unit_test(behind_a_login_a_request_goes_nowhere_else),
        cmocka_unit_test(no_login_is_traced),
    };
    return cmocka_run_group_tests_name("logins", tests, NULL, NULL);
}
