/* Answers that cannot become a document any more: long ones are given up on while they arrive, short ones are read to their
 * end, since their digest says more. What is said does not depend on how the bytes come. */
#include "signed.h"

#define LONG (64u * 1024 + 1)
#define MOST (1024u * 1024)
#define STATED "Content-Length: 1000000\r\n"
#define QUERY "?artifactType=application%2Fvnd.dev.sigstore.bundle.v0.3%2Bjson"

static struct run run; /* too large for the stack */
static char answer[LONG + 1024];
static size_t answer_size;

/* ---- What the registry says ------------------------------------------------------------------- */

static void say(const char *text)
{
    size_t size = strlen(text);
    assert_true(answer_size + size < sizeof answer);
    memcpy(answer + answer_size, text, size + 1);
    answer_size += size;
}

static void say_often(const char *text, size_t times)
{
    while (times--)
        say(text);
}

static void begin_answer(const char *type, const char *fields)
{
    answer_size = 0;
    say("HTTP/1.1 200 OK\r\nContent-Type: ");
    say(type);
    say("\r\n");
    say(fields);
    say("\r\n");
}

/* The answer is all that comes; behind it the connection stays, or is closed. */
static void answer_to(unsigned number, const char *request, enum wire_ending ending)
{
    run.wire.quirk[number] =
        (struct wire_quirk){.request = request, .times = 9, .instead = answer, .ending = ending};
}

static void prepare(size_t step)
{
    begin(&run);
    run.config.manifest_max = MOST;
    widen(&run, 2);
    run.wire.step = step;
}

/* ---- What is expected ------------------------------------------------------------------------- */

static const char *message(void)
{
    const char *text;
    regtag_error(run.regtag, &text);
    return text;
}

/* Without a wait for the rest, of which nothing is read. */
static void expect_given_up(enum regtag_status status, const char *part)
{
    expect_end(&run, status);
    if (!strstr(message(), part))
        fail_msg("expected \"%s\" in: %s", part, message());
    assert_true(run.wire.now < TIMEOUT);
    assert_false(run.wire.line[0].open);
    assert_int_equal(run.wire.puts, 0);
    finish(&run);
}

/* ---- Manifests -------------------------------------------------------------------------------- */

static const struct bad {
    const char *start, *more;
    unsigned times;
    const char *end, *problem;
} BAD[] = {
    {"<html>", "", 0, "", "is not valid JSON at byte 0: a value is missing"},
    {"", "[", 65, "", "is not valid JSON at byte 64: it is nested deeper than 64 levels"},
    {"", "{\"a\":", 65, "", "is not valid JSON at byte 320: it is nested deeper than 64 levels"},
    {"{\"a\" 1", "", 0, "", "is not valid JSON at byte 5: a ':' is missing after a key"},
    {"{}", " ", 300, "{}", "is not valid JSON at byte 302: something follows the end"},
    {"[", "0,", 256, "", "has more than 256 JSON values and keys"},
    {"[", "0,", 256, "{]", "has more than 256 JSON values and keys"},
    {"[", "0,", 255, "{]", "has more than 256 JSON values and keys"},
    {"[", "0,", 254, "{]", "is not valid JSON at byte 510: a key is missing"},
};

static void say_bad(const struct bad *bad)
{
    say(bad->start);
    say_often(bad->more, bad->times);
    say(bad->end);
}

static void a_manifest_is_given_up_at_its_first_bad_byte(void **state)
{
    static const char *const types[] = {"application/vnd.oci.image.manifest.v1+json", "application/json",
                                        "application/vnd.docker.distribution.manifest.v2+json"};
    (void)state;
    for (size_t i = 0; i < COUNT(BAD) * COUNT(types) * 3; i++) {
        prepare(i % 3 == 0 ? 1 : i % 3 == 1 ? 1000 : 0);
        begin_answer(types[i / 3 % COUNT(types)],
                     STATED "Docker-Content-Digest: "
                            "sha256:"
                            "0000000000000000000000000000000000000000000000000000000000000000\r\n");
        say_bad(&BAD[i / 3 / COUNT(types)]);
        answer_to(0, "GET base", WIRE_STAYS);
        assert_int_equal(regtag_manifest(run.regtag, "localhost/a:base"), REGTAG_OK);
        run_on(&run);
        expect_given_up(REGTAG_E_REFUSED, BAD[i / 3 / COUNT(types)].problem);
    }
}

static void what_is_not_even_an_object_is_no_registrys(void **state)
{
    static const struct {
        const char *body;
        enum regtag_status status;
        const char *problem;
    } cases[] = {{"<html>", REGTAG_E_PROTOCOL, "is there a registry"},
                 {"<style>{", REGTAG_E_PROTOCOL, "is there a registry"},
                 {"{<", REGTAG_E_REFUSED, "is not valid JSON at byte 1"}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases) * 2; i++) {
        prepare(i % 2);
        begin_answer("text/plain", STATED);
        say(cases[i / 2].body);
        answer_to(0, "GET base", WIRE_STAYS);
        tag_one(&run);
        expect_given_up(cases[i / 2].status, cases[i / 2].problem);
    }
}

static uint64_t received;

/* So many bytes that are no document, and the digest of others. */
static void get_bad(size_t size, bool stated, size_t step)
{
    char fields[200];
    prepare(step);
    snprintf(fields, sizeof fields, "Docker-Content-Digest: %s\r\n%s", digest_of_new(),
             stated ? "Content-Length: " : "");
    if (stated)
        snprintf(fields + strlen(fields), sizeof fields - strlen(fields), "%zu\r\n", size);
    begin_answer(OCI, fields);
    say_often("x", size);
    answer_to(0, "GET base", WIRE_CLOSES);
    assert_int_equal(regtag_manifest(run.regtag, "localhost/a:base"), REGTAG_OK);
    run_on(&run);
    received = run.wire.received;
}

static void of_a_short_one_the_digest_is_checked_first(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        get_bad(LONG - 1, i % 2, i / 2 * 1000);
        expect_given_up(REGTAG_E_REFUSED, "but the registry states");
        get_bad(LONG, i % 2, i / 2 * 1000);
        expect_given_up(REGTAG_E_REFUSED, "is not valid JSON at byte 0");
        if (i % 2) /* of what is stated, hardly any is needed */
            assert_true(received < 40000);
    }
}

static void a_long_manifest_is_read_to_its_end(void **state)
{
    static char manifest[2 * LONG];
    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        prepare(i % 2 ? 7 : 0);
        run.wire.manners.chunked = i / 2 == 1;
        run.wire.manners.until_close = i / 2 == 2;
        memset(manifest, ' ', sizeof manifest);
        memcpy(manifest, NEW, sizeof NEW - 1);
        wire_push(&run.wire, "base", OCI, manifest, sizeof manifest);
        tag_one(&run);
        expect_end(&run, REGTAG_OK);
        assert_true(points_at_bytes(&run, "new", manifest, sizeof manifest));
        finish(&run);
    }
}

/* What has come of an answer that is cut off does not count. */
static void a_retry_starts_anew(void **state)
{
    unsigned cut = 0;
    (void)state;
    for (unsigned at = 0; at < 500; at += 7) {
        prepare(0);
        run.config.retries = 1;
        begin_again(&run);
        run.wire.fault = (struct wire_fault){.armed = true, .at = at};
        assert_int_equal(regtag_manifest(run.regtag, "localhost/a:base"), REGTAG_OK);
        run_on(&run);
        expect_end(&run, REGTAG_OK);
        cut += run.wire.connections > 1;
        finish(&run);
    }
    assert_true(cut > 50);
}

/* ---- Lists of referrers ----------------------------------------------------------------------- */

static void a_list_of_referrers_is_given_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(BAD) * 4; i++) {
        char request[200];
        bool at_tag = i % 2;
        prepare(i / 2 % 2);
        snprintf(request, sizeof request, "GET %s", digest_of_new());
        if (at_tag)
            request[sizeof "GET sha256" - 1] = '-';
        begin_answer(INDEX, STATED);
        say_bad(&BAD[i / 4]);
        answer_to(0, request, WIRE_STAYS);
        char image[200];
        snprintf(image, sizeof image, "localhost/a@%s", digest_of_new());
        assert_int_equal(regtag_referrers(run.regtag, image, NULL), REGTAG_OK);
        run_on(&run);
        expect_given_up(REGTAG_E_REFUSED, BAD[i / 4].problem);
    }
}

/* ---- Signatures ------------------------------------------------------------------------------- */

static void prepare_signed(void)
{
    begin_signed(&run, 1);
    run.config.manifest_max = 4 * MOST;
    widen(&run, 2);
    begin_signed_again(&run);
}

/* At the tag with .sig, in the registry's list, at the tag without .sig. */
static void answer_at(unsigned place)
{
    static char requests[3][200];
    snprintf(requests[0], sizeof requests[0], "GET %s", tag_of(digest_of_new(), ".sig"));
    snprintf(requests[1], sizeof requests[1], "GET %s%s", digest_of_new(), QUERY);
    snprintf(requests[2], sizeof requests[2], "GET %s", tag_of(digest_of_new(), ""));
    begin_answer(place ? INDEX : OCI, STATED);
    say("<html>");
    if (place == 2) /* which the other one begins with */
        run.wire.quirk[0] = (struct wire_quirk){.request = requests[0], .times = 9};
    answer_to(1, requests[place], WIRE_STAYS);
}

/* It is no signature, which is no reason to stop looking. */
static void where_signatures_may_be_nothing_else_is_waited_for(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        unsigned place = i / 2;
        bool is_signed = i % 2;
        struct signed_layer layer = {digest_of_new(), NULL, 0};
        prepare_signed();
        answer_at(place);
        const char *bundle = push_bundle(&run, digest_of_new(), digest_of_new(), SIGN, 0);
        if (is_signed && place)
            push_layers(&run, digest_of_new(), &layer, 1);
        else if (is_signed)
            push_index(&run, tag_of(digest_of_new(), ""), &bundle, 1, NULL);
        tag_one(&run);
        assert_true(run.wire.quirks > 0);
        assert_true(run.wire.now < TIMEOUT);
        expect_end(&run, is_signed ? REGTAG_OK : REGTAG_E_UNSIGNED);
        assert_int_equal(IS_NEW(&run, "new"), is_signed);
        finish(&run);
    }
}

static void a_signature_that_is_no_document_is_given_up(void **state)
{
    (void)state;
    for (unsigned bundle = 0; bundle < 2; bundle++) {
        struct signed_layer layer = {digest_of_new(), NULL, 0};
        char request[200];
        prepare_signed();
        if (bundle)
            push_index(&run, tag_of(digest_of_new(), ""),
                       &(const char *){push_bundle(&run, digest_of_new(), digest_of_new(), SIGN, 0)}, 1,
                       NULL);
        else
            push_layers(&run, digest_of_new(), &layer, 1);
        snprintf(request, sizeof request, "GET %s", run.wire.blobs[0].digest);
        begin_answer("application/octet-stream", STATED);
        say("<html>");
        answer_to(0, request, WIRE_STAYS);
        tag_one(&run);
        assert_int_equal(run.wire.quirks, 1);
        assert_true(run.wire.now < TIMEOUT);
        expect_end(&run, REGTAG_E_UNSIGNED);
        assert_non_null(strstr(message(), "malformed"));
        finish(&run);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_manifest_is_given_up_at_its_first_bad_byte),
        cmocka_unit_test(what_is_not_even_an_object_is_no_registrys),
        cmocka_unit_test(of_a_short_one_the_digest_is_checked_first),
        cmocka_unit_test(a_long_manifest_is_read_to_its_end),
        cmocka_unit_test(a_retry_starts_anew),
        cmocka_unit_test(a_list_of_referrers_is_given_up),
        cmocka_unit_test(where_signatures_may_be_nothing_else_is_waited_for),
        cmocka_unit_test(a_signature_that_is_no_document_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
