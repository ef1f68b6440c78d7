/* What stands where a signature is looked for, and is none: the image is not tagged, and it is said why. */
#include "signed.h"

#define EMPTY "Content-Length: 0\r\n\r\n"

static struct run run; /* too large for the stack */

static void quirk(unsigned number, const char *request, const char *answer)
{
    run.wire.quirk[number] = (struct wire_quirk){.request = request, .instead = answer, .times = 9};
}

static void sign_at_tag(unsigned key)
{
    struct signed_layer layer = {digest_of_new(), NULL, key};
    push_layers(&run, digest_of_new(), &layer, 1);
}

static void push_text(const char *tag, const char *type, const char *text)
{
    wire_push(&run.wire, tag, type, text, strlen(text));
}

/* ---- What there may be ----------------------------------------------------------------------- */

static void an_index_at_the_tag(void)
{
    push_index(&run, tag_of(digest_of_new(), ".sig"), NULL, 0, NULL);
}

static void no_json_at_the_tag(void)
{
    push_text(tag_of(digest_of_new(), ".sig"), OCI, "hello");
}

static void an_image_among_the_referrers(void)
{
    push_text(tag_of(digest_of_new(), ""), OCI, OLD);
}

static void referrers_that_cannot_be_checked(void)
{
    static const char text[] =
        "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"manifests\":[{"
        "\"mediaType\":\"a/b\",\"size\":1,\"digest\":\"sha512:"
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
        "0123456789abcdef0123456789abcdef\"}]}";
    push_text(tag_of(digest_of_new(), ""), INDEX, text);
}

static void a_referrer_that_is_no_manifest(void)
{
    const char *digests[1];
    push_text("odd", OCI,
              "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\"}");
    digests[0] = wire_find(&run.wire, "odd")->digest;
    push_index(&run, tag_of(digest_of_new(), ""), digests, 1, NULL);
}

static void layers_without_signatures(void)
{
    push_text(tag_of(digest_of_new(), ".sig"), OCI,
              "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[" CONFIG "," CONFIG "]}");
}

static void a_compressed_tag(void)
{
    sign_at_tag(0);
    quirk(0, "GET sha256-", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n" EMPTY);
}

static void a_tag_that_is_refused(void)
{
    sign_at_tag(0);
    quirk(0, "GET sha256-", "HTTP/1.1 403 No\r\n" EMPTY);
}

static void a_payload_that_is_refused(void)
{
    static char request[80];
    sign_at_tag(0);
    snprintf(request, sizeof request, "GET %s", run.wire.blobs[run.wire.blob_count - 1].digest);
    quirk(0, request, "HTTP/1.1 403 No\r\n" EMPTY);
}

static void time_that_runs_out(void)
{
    sign_at_tag(7);
    run.wire.quirk[0] = (struct wire_quirk){.request = "GET sha256:", .delay = TIMEOUT};
}

static void a_payload_that_is_cut_off(void)
{
    static char request[80];
    sign_at_tag(0);
    snprintf(request, sizeof request, "GET %s", run.wire.blobs[run.wire.blob_count - 1].digest);
    quirk(0, request, "");
    run.wire.quirk[0].ending = WIRE_CLOSES;
}

static const struct {
    void (*prepare)(void);
    enum regtag_status status;
    const char *words;
} places[] = {
    {an_index_at_the_tag, REGTAG_E_UNSIGNED, "malformed"},
    {no_json_at_the_tag, REGTAG_E_UNSIGNED, "malformed"},
    {an_image_among_the_referrers, REGTAG_E_UNSIGNED, "it is not signed with a required key"},
    {referrers_that_cannot_be_checked, REGTAG_E_UNSIGNED, "it is not signed with a required key"},
    {a_referrer_that_is_no_manifest, REGTAG_E_UNSIGNED, "malformed"},
    {layers_without_signatures, REGTAG_E_UNSIGNED, "it is not signed with a required key"},
    {a_compressed_tag, REGTAG_E_PROTOCOL, "cannot look for its signature: the answer is compressed"},
    {a_tag_that_is_refused, REGTAG_E_DENIED, "cannot look for its signature"},
    {a_payload_that_is_refused, REGTAG_E_DENIED, "cannot look for its signature"},
    {time_that_runs_out, REGTAG_E_TIMEOUT, "cannot look for its signature"},
    {a_payload_that_is_cut_off, REGTAG_E_NO_CONNECTION, "cannot look for its signature"},
};

static void what_is_no_signature_tags_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(places); i++) {
        const char *text;
        begin_signed(&run, 2);
        places[i].prepare();
        tag_one(&run);
        regtag_error(run.regtag, &text);
        if (regtag_error(run.regtag, NULL) != places[i].status || !strstr(text, places[i].words))
            fail_msg("place %zu: %d, %s", i, regtag_error(run.regtag, NULL), text);
        expect_outcome(&run, REGTAG_TAG_FAILED);
        assert_true(IS_OLD(&run, "new"));
        assert_int_equal(run.wire.puts + run.uploads, 0);
        finish(&run);
    }
}

/* Wherever the registry is lost. */
static void a_registry_that_is_lost_is_no_proof(void **state)
{
    bool good = false;
    (void)state;
    for (uint64_t at = 0; !good; at += 97) {
        begin_signed(&run, 2);
        sign_at_tag(1);
        run.wire.fault = (struct wire_fault){.armed = true, .at = at, .lasting = true};
        tag_one(&run);
        good = run.end == REGTAG_DONE;
        assert_int_equal(IS_NEW(&run, "new"), good || run.status[0] == REGTAG_E_UNCERTAIN);
        finish(&run);
        assert_true(at < 100000);
    }
}

/* SHA-256 may fail at any call. */
static unsigned calls_left;
static struct regtag_hash hash;

static int start_some(void *context)
{
    return calls_left == 0 || calls_left-- == 0 || hash.start(context);
}

static void without_a_hash_nothing_is_signed(void **state)
{
    bool good = false;
    (void)state;
    for (unsigned calls = 1; !good; calls++) {
        begin_signed(&run, 2);
        sign_at_tag(1);
        hash = run.config.hash;
        calls_left = calls;
        run.config.hash.start = start_some;
        begin_signed_again(&run);
        tag_one(&run);
        good = run.end == REGTAG_DONE;
        assert_int_equal(IS_NEW(&run, "new"), good);
        finish(&run);
        assert_true(calls < 20);
    }
}

/* It is looked for in what a manifest leaves of the memory. */
static void a_manifest_may_leave_any_memory_for_its_signature(void **state)
{
    static char manifest[12000];
    (void)state;
    for (size_t filler = 0; filler < 6000; filler += filler ? 500 : 3990) {
        const char *text;
        begin_signed(&run, 2);
        run.config.manifest_max = 12000;
        widen(&run, 2);
        size_t size = run.config.manifest_max - filler;
        int used = snprintf(manifest, sizeof manifest, "%s", NEW);
        memset(manifest + used, ' ', size - (size_t)used);
        wire_push(&run.wire, "base", OCI, manifest, size);
        begin_signed_again(&run);
        tag_one(&run);
        regtag_error(run.regtag, &text);
        if (filler == 0) {
            expect_end(&run, REGTAG_E_REFUSED);
            assert_non_null(strstr(text, "no memory is left to look for its signature"));
        } else
            assert_int_equal(run.end, REGTAG_ERROR);
        assert_true(IS_OLD(&run, "new"));
        finish(&run);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_signature_tags_nothing),
        cmocka_unit_test(a_registry_that_is_lost_is_no_proof),
        cmocka_unit_test(without_a_hash_nothing_is_signed),
        cmocka_unit_test(a_manifest_may_leave_any_memory_for_its_signature),
    };
    return cmocka_run_group_tests_name("unsigned", tests, NULL, NULL);
}
