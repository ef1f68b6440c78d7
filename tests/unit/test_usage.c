/* regtag.h: what cannot be done is refused before anything is sent; and calls that come at the wrong time do nothing. */
#include "run.h"

#include "oci/digest.h"
#include "oci/reference.h"

#define SHA512                                                                                            \
    "sha512:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab" \
    "cdef0123456789abcdef0123456789abcdef"

static struct run run; /* too large for the stack */

/* ---- Arguments ------------------------------------------------------------------------------- */

enum verb { TAG, DELETE, LIST, DIGESTS, DIGEST, MANIFEST, FETCH, BLOB, SAVE, REFERRERS, COPY, LOAD };

static enum regtag_status use(enum verb verb, const char *image)
{
    static const char *const names[] = {"new"};
    struct regtag *r = run.regtag;
    switch (verb) {
    case TAG: return regtag_tag(r, image, names, 1);
    case DELETE: return regtag_delete(r, image);
    case LIST: return regtag_list(r, image, 0);
    case DIGESTS: return regtag_digests(r, image, 0);
    case DIGEST: return regtag_digest(r, image);
    case MANIFEST: return regtag_manifest(r, image);
    case FETCH: return regtag_fetch(r, image);
    case BLOB: return regtag_fetch_blob(r, image);
    case SAVE: return regtag_save(r, image);
    case REFERRERS: return regtag_referrers(r, image, NULL);
    case COPY: return regtag_copy(r, image, "localhost/a:copy");
    default: return regtag_load(r, image, "localhost/a:loaded");
    }
}

static const struct {
    enum verb verb;
    const char *image, *platform, *words;
} uses[] = {
    {TAG, "localhost/a@" SHA512, NULL, "only sha256 digests can be checked"},
    {TAG, "localhost/a", "x", "is not a platform"},
    {DELETE, "localhost/a@sha256:x", NULL, ""},
    {DELETE, "localhost/a", NULL, "it is never guessed"},
    {DELETE, "localhost", NULL, "is only a host"},
    {LIST, "localhost", NULL, "is only a host"},
    {LIST, "localhost/a:b", NULL, "leave out tag and digest"},
    {LIST, "localhost/a@" SHA512, NULL, "leave out tag and digest"},
    {DIGESTS, "localhost", NULL, "is only a host"},
    {DIGESTS, "localhost/a:b", NULL, "leave out tag and digest"},
    {DIGESTS, "localhost/a@" SHA512, NULL, "leave out tag and digest"},
    {DIGEST, "localhost/a@" SHA512, NULL, "only sha256 digests can be checked"},
    {DIGEST, "localhost/a", "x", "is not a platform"},
    {MANIFEST, "localhost", NULL, "is only a host"},
    {MANIFEST, "localhost/a", "x", "is not a platform"},
    {FETCH, "localhost", NULL, "is only a host"},
    {FETCH, "localhost/a", "x", "is not a platform"},
    {BLOB, "localhost", NULL, "is only a host"},
    {BLOB, "localhost/a", NULL, "a blob is named by its digest"},
    {SAVE, "localhost", NULL, "is only a host"},
    {SAVE, "localhost/a", "x", "is not a platform"},
    {REFERRERS, "localhost", NULL, "is only a host"},
    {REFERRERS, "localhost/a", "x", "is not a platform"},
    {COPY, "localhost", NULL, "is only a host"},
    {COPY, "localhost/a", "x", "is not a platform"},
    {COPY, "localhost/a@" SHA512, NULL, "only sha256 digests can be checked"},
    {LOAD, "sha256:x", NULL, "is not a sha256 digest"},
    {LOAD, SHA512, NULL, "is not a sha256 digest"},
    {LOAD, "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", "x",
     "is not a platform"},
    {LOAD, "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", NULL,
     "there is no store to load from"},
};

static void expect_unused(const char *words)
{
    expect_text(&run, words);
    run_on(&run);
    expect_end(&run, REGTAG_E_USAGE);
    assert_int_equal(run.wire.requests + run.wire.connections, 0);
    finish(&run);
}

static void what_cannot_be_meant_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(uses); i++) {
        begin(&run);
        run.config.platform = uses[i].platform;
        widen(&run, 4);
        assert_int_equal(use(uses[i].verb, uses[i].image), REGTAG_E_USAGE);
        expect_unused(uses[i].words);
    }
}

/* The manual: what leads to a usage error is quoted, and a long text is cut. */
static void what_is_no_tag_is_quoted(void **state)
{
    static const char *const leave_out[] = {"a/b", "a:b", "/", ":"};
    static const char *const plain[] = {"", "a0b c", "a.b,", "-a"};
    char text[402], expected[500];
    const char *name = text, *message;
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(plain); i++) {
        bool reference = i < COUNT(leave_out);
        begin(&run);
        name = reference ? leave_out[i] : plain[i - COUNT(leave_out)];
        assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", &name, 1), REGTAG_E_USAGE);
        regtag_error(run.regtag, &message);
        snprintf(expected, sizeof expected, "\"%s\" is not a tag: %sa tag is 1 to 128 letters", name,
                 reference ? "leave out the repository; " : "");
        assert_memory_equal(message, expected, strlen(expected));
        finish(&run);
    }
    begin(&run);
    memset(text, 't', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    name = text;
    assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", &name, 1), REGTAG_E_USAGE);
    regtag_error(run.regtag, &message);
    snprintf(expected, sizeof expected, "\"%.400s\" is not a tag: a tag is", text);
    assert_memory_equal(message, expected, strlen(expected));
    finish(&run);
}

/* Of another program's reference it is said what makes it one. A transport such as "docker:" is in front of a host. */
static void what_a_scheme_is_is_told(void **state)
{
    static const struct {
        const char *image, *scheme;
        enum regtag_hint hint;
    } cases[] = {
        {"https://a.test/b", "https://", REGTAG_HINT_SCHEME},
        {"http://a.test/b", "http://", REGTAG_HINT_SCHEME},
        {"docker://a.test/b", "docker://", REGTAG_HINT_NONE},
        {"a.b+c-d://e/f", "a.b+c-d://", REGTAG_HINT_NONE},
        {"docker:a.test/b", "docker:", REGTAG_HINT_NONE},
        {"d+:A/b", "d+:", REGTAG_HINT_NONE},
        {"d-:localhost/b", "d-:", REGTAG_HINT_NONE},
        {"d.:a.test/b", "d.:", REGTAG_HINT_NONE},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char expected[200];
        const char *message;
        begin(&run);
        assert_int_equal(regtag_digest(run.regtag, cases[i].image), REGTAG_E_USAGE);
        regtag_error(run.regtag, &message);
        snprintf(expected, sizeof expected, "\"%s\" is not a reference: leave out the \"%s\"",
                 cases[i].image, cases[i].scheme);
        assert_string_equal(message, expected);
        assert_int_equal(regtag_hint(run.regtag), cases[i].hint);
        finish(&run);
    }
}

/* As it comes from a script whose variable is unset. */
static void what_is_empty_is_named(void **state)
{
    static const char *const cases[][2] = {
        {"", "the repository"},    {"a.test/", "the repository"}, {"/a", "the host"},
        {"a.test:/b", "the port"}, {"a.test/b:", "the tag"},      {"a:", "the tag"},
        {"a@", "the digest"},      {"a:@sha256:x", "the tag"},    {"a.test/:b", "the repository"}};
    char text[402], expected[500];
    struct reference reference;
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct error e = {.status = 0};
        assert_false(reference_parse(&reference, slice_of(cases[i][0]), &e));
        snprintf(expected, sizeof expected,
                 "\"%s\" is not a reference: %s is empty; is a variable unset?", cases[i][0],
                 cases[i][1]);
        assert_string_equal(e.text, expected);
    }
    struct error e = {.status = 0};
    memset(text, 'A', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_false(reference_parse(&reference, slice_of(text), &e));
    snprintf(expected, sizeof expected, "\"%.400s\" is not a reference: ", text);
    assert_memory_equal(e.text, expected, strlen(expected));
}

/* Docker's rule: the first part is a host if there is a '.', a ':' or an upper-case letter in it. */
static void an_upper_case_letter_makes_a_host(void **state)
{
    (void)state;
    for (char c = '!'; c < 0x7f; c++) {
        char image[16];
        struct reference reference;
        struct error e = {.status = 0};
        bool upper = c >= 'A' && c <= 'Z', lower = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        snprintf(image, sizeof image, "%c/b", c);
        bool good = reference_parse(&reference, slice_of(image), &e);
        if (good != (upper || lower))
            fail_msg("%s: %s", image, e.text);
        if (good)
            assert_true(slice_equal(reference.registry,
                                    upper ? slice_head(slice_of(image), 1) : SLICE("docker.io")));
    }
}

/* RFC 4648, 8, in lower case only, as the specification of images wants it. */
static void a_digest_has_lower_case_digits_only(void **state)
{
    char digest[] = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    (void)state;
    for (int c = 0; c < 256; c++) {
        digest[40] = (char)c;
        bool good = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
        assert_int_equal(digest_valid((struct slice){digest, sizeof digest - 1}), good);
    }
}

static void a_copy_needs_connections_for_both_sides(void **state)
{
    (void)state;
    begin(&run);
    widen(&run, 3);
    assert_int_equal(use(COPY, "localhost/b:base"), REGTAG_E_USAGE);
    expect_unused("a copy needs 4 connections");
}

/* ---- Calls at the wrong time ----------------------------------------------------------------- */

static void declining_where_there_is_nothing_to_decline_does_nothing(void **state)
{
    (void)state;
    begin(&run);
    regtag_decline(run.regtag, "no verb");
    regtag_again(run.regtag, NULL);
    assert_int_equal(use(DIGEST, "localhost/a:base"), REGTAG_OK);
    regtag_decline(run.regtag, "a verb that changes nothing");
    run_on(&run);
    regtag_decline(run.regtag, "it is over");
    expect_end(&run, REGTAG_OK);
    assert_string_equal(run.digest, digest_of_new());
    assert_string_equal(regtag_media_type(run.regtag), "");
    finish(&run);
}

static void a_query_is_repeated_only_if_it_was_one(void **state)
{
    (void)state;
    begin(&run);
    assert_int_equal(use(DIGEST, "localhost"), REGTAG_E_USAGE);
    regtag_again(run.regtag, NULL); /* it never began */
    assert_int_equal(use(MANIFEST, "localhost/a:base"), REGTAG_E_USAGE);
    begin_again(&run);
    assert_int_equal(use(MANIFEST, "localhost/a:base"), REGTAG_OK);
    run_on(&run);
    regtag_again(run.regtag, digest_of_new()); /* it is another verb */
    assert_int_equal(step(&run), false);
    assert_int_equal(run.wire.requests, 1);
    assert_string_equal(regtag_media_type(run.regtag), OCI);
    finish(&run);
}

/* "sha256" and 64 characters may still be no digest. */
static void what_is_no_digest_is_no_condition(void **state)
{
    static const char *const known[] = {
        NULL, "", "gibberish", SHA512,
        "sha256:44136FA355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"};
    (void)state;
    for (size_t i = 0; i < COUNT(known); i++) {
        begin(&run);
        run.wire.manners.conditional = true;
        assert_int_equal(use(DIGEST, "localhost/a:base"), REGTAG_OK);
        run_on(&run);
        regtag_again(run.regtag, known[i]);
        run_on(&run);
        expect_end(&run, REGTAG_OK);
        assert_string_equal(run.wire.condition, "");
        finish(&run);
    }
}

/* A block of the same size may be divided otherwise. */
static void the_next_operation_needs_the_same_memory(void **state)
{
    (void)state;
    begin(&run);
    run.config.keep = true;
    widen(&run, 2);
    tag_one(&run);
    struct regtag_config other = run.config;
    other.connections = 3;
    other.manifest_max -= regtag_size(&other) - regtag_size(&run.config);
    if (regtag_size(&other) == regtag_size(&run.config))
        assert_false(regtag_next(run.regtag, &other));
    other = run.config;
    other.manifest_max *= 100;
    assert_false(regtag_next(run.regtag, &other));
    assert_true(regtag_next(run.regtag, &run.config));
    regtag_end(run.regtag);
    finish(&run);
}

/* ---- Time ------------------------------------------------------------------------------------ */

static void the_earlier_of_deadline_and_timeout_counts(void **state)
{
    static const struct {
        uint64_t timeout, deadline, end;
    } TIMES[] = {{9000, 0, 10000}, {9000, 5000, 5000}, {9000, 50000, 10000}, {UINT64_MAX, 7000, 7000}};
    (void)state;
    for (size_t i = 0; i < COUNT(TIMES); i++) {
        begin(&run);
        run.wire.now = 1000;
        run.wire.manners.head_unanswered = true;
        run.config.timeout = TIMES[i].timeout;
        run.config.deadline = TIMES[i].deadline;
        begin_again(&run);
        assert_int_equal(use(DIGEST, "localhost/a:base"), REGTAG_OK);
        run_on(&run);
        expect_end(&run, REGTAG_E_TIMEOUT);
        assert_int_equal(run.wire.now, TIMES[i].end);
        finish(&run);
    }
}

/* ---- Messages -------------------------------------------------------------------------------- */

/* The host, but only the host, is left out where the reference names it. */
static void a_message_names_the_host_once(void **state)
{
    static const struct {
        const char *image, *text;
    } IMAGES[] = {
        {"n/x:base", "n/x:base: no such image (HTTP 404: MANIFEST_UNKNOWN: no)"},
        {"localhost/a:base", "localhost/a:base: no such image (HTTP 404: MANIFEST_UNKNOWN: no)"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(IMAGES); i++) {
        const char *text;
        begin(&run);
        wire_delete(&run.wire, "base");
        assert_int_equal(use(MANIFEST, IMAGES[i].image), REGTAG_OK);
        run_on(&run);
        expect_end(&run, REGTAG_E_NOT_FOUND);
        regtag_error(run.regtag, &text);
        assert_string_equal(text, IMAGES[i].text);
        finish(&run);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_meant_is_refused),
        cmocka_unit_test(what_is_no_tag_is_quoted),
        cmocka_unit_test(what_a_scheme_is_is_told),
        cmocka_unit_test(what_is_empty_is_named),
        cmocka_unit_test(an_upper_case_letter_makes_a_host),
        cmocka_unit_test(a_digest_has_lower_case_digits_only),
        cmocka_unit_test(a_copy_needs_connections_for_both_sides),
        cmocka_unit_test(declining_where_there_is_nothing_to_decline_does_nothing),
        cmocka_unit_test(a_query_is_repeated_only_if_it_was_one),
        cmocka_unit_test(what_is_no_digest_is_no_condition),
        cmocka_unit_test(the_next_operation_needs_the_same_memory),
        cmocka_unit_test(the_earlier_of_deadline_and_timeout_counts),
        cmocka_unit_test(a_message_names_the_host_once),
    };
    return cmocka_run_group_tests_name("usage", tests, NULL, NULL);
}
