/* What moves only if it is signed: wherever its signature is, whatever else is there, and whatever the registry and the
 * network do. */
#include "signed.h"

#include "registry/signatures.h"

#define QUERY "?artifactType=application%2Fvnd.dev.sigstore.bundle.v0.3%2Bjson"
#define EMPTY "application/vnd.oci.empty.v1+json"

static struct run run; /* too large for the stack */

static const char *message(void)
{
    const char *text;
    regtag_error(run.regtag, &text);
    return text;
}

static void expect_moved(void)
{
    expect_end(&run, REGTAG_OK);
    expect_outcome(&run, REGTAG_TAG_MOVED);
    assert_true(IS_NEW(&run, "new"));
    finish(&run);
}

static void expect_refused(enum regtag_status status, const char *part)
{
    expect_end(&run, status);
    expect_outcome(&run, REGTAG_TAG_FAILED);
    expect_text(&run, part);
    assert_int_equal(run.wire.puts, 0);
    assert_int_equal(run.uploads, 0);
    assert_true(IS_OLD(&run, "new"));
    finish(&run);
}

/* The image has a signature of its own at the tag. */
static void sign_at_tag(unsigned key)
{
    struct signed_layer layer = {digest_of_new(), NULL, key};
    push_layers(&run, digest_of_new(), &layer, 1);
}

static const char *sign_in_bundle(unsigned key)
{
    return push_bundle(&run, digest_of_new(), digest_of_new(), SIGN, key);
}

static void list(const char *tag, const char *digest)
{
    push_index(&run, tag, &digest, 1, NULL);
}

/* ---- Where it is ----------------------------------------------------------------------------- */

static void test_a_signature_at_the_tag_is_found(void **state)
{
    char asked[1024];
    (void)state;
    begin_signed(&run, 1);
    sign_at_tag(0);
    tag_one(&run);
    snprintf(asked, sizeof asked, "GET base\nHEAD new\nGET %s\nGET %s%s\nGET %s\nGET %s\nPUT new\n",
             tag_of(digest_of_new(), ".sig"), digest_of_new(), QUERY, tag_of(digest_of_new(), ""),
             run.wire.blobs[0].digest);
    expect_asked(&run, asked);
    expect_moved();
}

static void test_the_three_places_are_asked_for_together(void **state)
{
    (void)state;
    begin_signed(&run, 1);
    run.wire.manners.delay = 1000;
    sign_at_tag(0);
    tag_one(&run);
    assert_int_equal(run.wire.taken[2].at, run.wire.taken[4].at);
    expect_moved();
}

static void test_a_bundle_that_the_registry_lists_is_found(void **state)
{
    (void)state;
    begin_signed(&run, 1);
    run.wire.manners.referrers_status = 200;
    list("referrers", sign_in_bundle(0));
    tag_one(&run);
    assert_int_equal(run.wire.requests, 8);
    expect_moved();
}

static void test_a_bundle_at_the_tag_without_suffix_is_found(void **state)
{
    const char *digest;
    (void)state;
    begin_signed(&run, 1);
    digest = sign_in_bundle(0);
    push_index(&run, tag_of(digest_of_new(), ""), &digest, 1, EMPTY);
    tag_one(&run);
    assert_int_equal(run.wire.requests, 8);
    expect_moved();
}

static void test_the_key_is_reported(void **state)
{
    (void)state;
    begin_signed(&run, 3);
    sign_at_tag(2);
    assert_int_equal(regtag_manifest(run.regtag, "localhost/a:base"), REGTAG_OK);
    run_on(&run);
    expect_end(&run, REGTAG_OK);
    assert_int_equal(regtag_result(run.regtag)->key, 2);
    assert_string_equal(run.digest, digest_of_new());
    finish(&run);
}

static void test_other_artifacts_are_not_downloaded(void **state)
{
    const char *digests[] = {ZEROS, ZEROS};
    (void)state;
    begin_signed(&run, 1);
    push_index(&run, tag_of(digest_of_new(), ""), digests, 2, "application/spdx+json");
    tag_one(&run);
    assert_int_equal(run.wire.requests, 5);
    expect_refused(REGTAG_E_UNSIGNED, "there is no signature");
}

/* ---- What is no signature of it -------------------------------------------------------------- */

static void test_nothing_moves_without_a_signature(void **state)
{
    (void)state;
    begin_signed(&run, 1);
    tag_one(&run);
    expect_text(&run, tag_of(digest_of_new(), ".sig"));
    expect_refused(REGTAG_E_UNSIGNED, "there is no signature");
}

static void test_another_key_is_not_enough(void **state)
{
    (void)state;
    begin_signed(&run, 2);
    sign_at_tag(2);
    tag_one(&run);
    expect_refused(REGTAG_E_UNSIGNED, "by another key");
    begin_signed(&run, 2);
    list(tag_of(digest_of_new(), ""), sign_in_bundle(2));
    tag_one(&run);
    expect_refused(REGTAG_E_UNSIGNED, "by another key");
}

static int has_no_memory(void *context, unsigned key, const struct regtag_part *parts, size_t count,
                         const void *signature, size_t size)
{
    (void)context, (void)key, (void)parts, (void)count, (void)signature, (void)size;
    return REGTAG_VERIFY_UNABLE;
}

static void test_what_cannot_be_verified_for_lack_of_memory_is_not_called_unsigned(void **state)
{
    (void)state;
    begin_signed(&run, 1);
    sign_at_tag(0);
    run.config.verify = has_no_memory;
    begin_signed_again(&run);
    tag_one(&run);
    expect_refused(REGTAG_E_OTHER, "there is not enough memory");
}

static void test_the_signature_of_another_image_is_refused(void **state)
{
    struct signed_layer layer = {digest_of_old(), NULL, 0};
    (void)state;
    begin_signed(&run, 1);
    push_layers(&run, digest_of_new(), &layer, 1);
    tag_one(&run);
    expect_refused(REGTAG_E_UNSIGNED, "another digest");
    begin_signed(&run, 1);
    list(tag_of(digest_of_new(), ""), push_bundle(&run, digest_of_new(), digest_of_old(), SIGN, 0));
    tag_one(&run);
    expect_refused(REGTAG_E_UNSIGNED, "another digest");
    begin_signed(&run, 1); /* it refers to the other image, and is only listed here */
    list(tag_of(digest_of_new(), ""), push_bundle(&run, digest_of_old(), digest_of_old(), SIGN, 0));
    tag_one(&run);
    expect_refused(REGTAG_E_UNSIGNED, "there is no signature");
}

static void test_an_attestation_is_no_signature(void **state)
{
    struct signed_layer layer = {digest_of_new(), "something else", 0};
    (void)state;
    begin_signed(&run, 1);
    list(tag_of(digest_of_new(), ""),
         push_bundle(&run, digest_of_new(), digest_of_new(), "https://slsa.dev/provenance/v1", 0));
    tag_one(&run);
    expect_refused(REGTAG_E_UNSIGNED, "attestation");
    begin_signed(&run, 1);
    push_layers(&run, digest_of_new(), &layer, 1);
    tag_one(&run);
    expect_refused(REGTAG_E_UNSIGNED, "attestation");
}

static void test_a_bad_signature_does_no_harm_to_a_good_one(void **state)
{
    struct signed_layer layers[] = {{digest_of_new(), NULL, 7},
                                    {digest_of_old(), NULL, 0},
                                    {digest_of_new(), "something else", 0},
                                    {digest_of_new(), NULL, 0}};
    (void)state;
    begin_signed(&run, 1);
    push_layers(&run, digest_of_new(), layers, COUNT(layers));
    tag_one(&run);
    expect_moved();
    begin_signed(&run, 1);
    push_layers(&run, digest_of_new(), layers, COUNT(layers) - 1);
    const char *bundles[] = {sign_in_bundle(7), ZEROS, sign_in_bundle(0)};
    push_index(&run, tag_of(digest_of_new(), ""), bundles, COUNT(bundles), NULL);
    tag_one(&run);
    expect_moved();
}

static void test_bytes_with_another_digest_are_no_signature(void **state)
{
    (void)state;
    begin_signed(&run, 1);
    sign_at_tag(0);
    run.wire.ranges.changed = 3;
    tag_one(&run);
    expect_refused(REGTAG_E_UNSIGNED, "malformed or ambiguous");
    begin_signed(&run, 1); /* another manifest in place of the bundle's */
    const char *wrong = sign_in_bundle(0);
    list(tag_of(digest_of_new(), ""), wrong);
    run.wire.quirk[0] = (struct wire_quirk){.request = "GET sha256:",
                                            .after = 1,
                                            .times = 9,
                                            .instead = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"};
    tag_one(&run);
    expect_refused(REGTAG_E_UNSIGNED, "malformed or ambiguous");
    begin_signed(
        &run, 1); /* or a byte of it is another, so that it has not the digest that is stated, either */
    wrong = sign_in_bundle(0);
    list(tag_of(digest_of_new(), ""), wrong);
    corrupt(&run, run.wire.tags[run.wire.tag_count - 2].name);
    tag_one(&run);
    expect_refused(REGTAG_E_UNSIGNED, "malformed or ambiguous");
}

/* The manifest at the tag, the registry's list, and the index at the other tag. */
static const char *sign_at(unsigned place)
{
    run.wire.manners.referrers_status = place == 1 ? 200 : 404;
    if (place == 0) {
        sign_at_tag(0);
        return tag_of(digest_of_new(), ".sig");
    }
    const char *tag = place == 1 ? "referrers" : tag_of(digest_of_new(), "");
    list(tag, sign_in_bundle(0));
    return tag;
}

static void test_each_place_must_have_the_digest_that_is_stated(void **state)
{
    (void)state;
    for (unsigned place = 0; place < 3; place++) {
        begin_signed(&run, 1);
        sign_at(place);
        run.wire.manners.no_digest = true;
        tag_one(&run);
        expect_moved();
        begin_signed(&run, 1);
        corrupt(&run, sign_at(place));
        tag_one(&run);
        expect_refused(REGTAG_E_UNSIGNED, "malformed or ambiguous");
        begin_signed(&run, 1); /* elsewhere there is a good one */
        corrupt(&run, sign_at(place));
        if (place)
            sign_at_tag(0);
        else
            list(tag_of(digest_of_new(), ""), sign_in_bundle(0));
        tag_one(&run);
        expect_moved();
    }
}

static void test_a_stated_digest_must_be_one_that_can_be_checked(void **state)
{
    (void)state;
    begin_signed(&run, 1);
    sign_at_tag(0);
    run.wire.quirk[0] = (struct wire_quirk){
        .request = "GET sha256-",
        .instead = "HTTP/1.1 200 OK\r\nDocker-Content-Digest: x\r\nContent-Length: 2\r\n\r\n{}"};
    tag_one(&run);
    expect_refused(REGTAG_E_PROTOCOL,
                   "cannot look for its signature: the registry states a malformed digest");
    begin_signed(&run, 1); /* that of a blob is known */
    sign_at_tag(0);
    run.wire.ranges.fields = "Docker-Content-Digest: x\r\n";
    tag_one(&run);
    expect_moved();
}

static void test_documents_that_are_none_are_no_signature(void **state)
{
    static const char *const texts[] = {"",
                                        "[]",
                                        "{}",
                                        "{\"manifests\":{}}",
                                        "{\"manifests\":[1]}",
                                        NEW,
                                        "{\"layers\":[],\"layers\":[]}",
                                        "<html>"};
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        begin_signed(&run, 1);
        run.wire.manners.referrers_status = 200;
        wire_push(&run.wire, "referrers", INDEX, texts[i], strlen(texts[i]));
        wire_push(&run.wire, tag_of(digest_of_new(), ""), INDEX, texts[i], strlen(texts[i]));
        wire_push(&run.wire, tag_of(digest_of_new(), ".sig"), OCI, texts[i], strlen(texts[i]));
        tag_one(&run);
        expect_refused(REGTAG_E_UNSIGNED, "not signed");
    }
}

static void test_the_image_itself_at_the_tag_is_no_list(void **state)
{
    (void)state;
    begin_signed(&run, 1);
    push_index(&run, "base", &(const char *){ZEROS}, 1, EMPTY);
    const char *digest = wire_find(&run.wire, "base")->digest;
    push_index(&run, tag_of(digest, ""), &(const char *){ZEROS}, 1, EMPTY);
    tag_one(&run);
    assert_int_equal(run.wire.requests, 5);
    expect_refused(REGTAG_E_UNSIGNED, "there is no signature");
}

/* ---- Platforms ------------------------------------------------------------------------------- */

#define PLATFORM_CHILD(digest, arch)                                                                    \
    "{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"size\":1,\"digest\":\"" digest     \
    "\",\"platform\":{\"os\":\"linux\",\"architecture\":\"" arch "\"}}"

/* `base` is an index with the image for arm64. Returns its digest. */
static const char *push_platforms(void)
{
    static char text[1024];
    wire_push(&run.wire, "child", OCI, NEW, sizeof NEW - 1);
    int size = snprintf(text, sizeof text,
                        "{\"schemaVersion\":2,\"manifests\":[" PLATFORM_CHILD("%s", "arm64") "]}",
                        digest_of_new());
    wire_push(&run.wire, "base", INDEX, text, (size_t)size);
    return wire_find(&run.wire, "base")->digest;
}

static void begin_platform(void)
{
    begin_signed(&run, 1);
    run.config.platform = "linux/arm64";
    begin_signed_again(&run);
}

static void test_a_child_is_signed_or_its_index_is(void **state)
{
    (void)state;
    begin_platform();
    push_platforms();
    sign_at_tag(0);
    tag_one(&run);
    expect_moved();
    begin_platform();
    const char *index = push_platforms();
    struct signed_layer layer = {index, NULL, 0};
    push_layers(&run, index, &layer, 1);
    tag_one(&run);
    expect_moved();
    begin_platform();
    push_platforms();
    tag_one(&run);
    expect_refused(REGTAG_E_UNSIGNED, "neither it nor its index");
    begin_platform(); /* the signature of another index, where this one's would be */
    index = push_platforms();
    layer.digest = digest_of_old();
    push_layers(&run, index, &layer, 1);
    tag_one(&run);
    expect_refused(REGTAG_E_UNSIGNED, "another digest");
}

/* ---- Registries ------------------------------------------------------------------------------ */

static void test_registries_say_in_many_ways_that_they_list_no_referrers(void **state)
{
    static const unsigned statuses[] = {400, 403, 404, 405, 406, 410, 415, 501};
    (void)state;
    for (size_t i = 0; i < COUNT(statuses); i++) {
        begin_signed(&run, 1);
        run.wire.manners.referrers_status = statuses[i];
        list(tag_of(digest_of_new(), ""), sign_in_bundle(0));
        tag_one(&run);
        expect_moved();
        begin_signed(&run, 1);
        run.wire.manners.referrers_status = statuses[i];
        tag_one(&run);
        expect_refused(REGTAG_E_UNSIGNED, "there is no signature");
    }
}

static void test_a_failure_is_not_the_absence_of_a_signature(void **state)
{
    static const struct {
        unsigned http;
        enum regtag_status status;
    } failures[] = {{401, REGTAG_E_DENIED},
                    {429, REGTAG_E_SLOW_DOWN},
                    {500, REGTAG_E_SERVER_FAILED},
                    {503, REGTAG_E_SERVER_FAILED}};
    (void)state;
    for (size_t i = 0; i < COUNT(failures); i++) {
        begin_signed(&run, 1);
        run.wire.manners.referrers_status = failures[i].http;
        tag_one(&run);
        expect_refused(failures[i].status, "cannot look for its signature");
        begin_signed(&run, 1); /* elsewhere there is a good one */
        run.wire.manners.referrers_status = failures[i].http;
        sign_at_tag(0);
        tag_one(&run);
        expect_moved();
    }
}

static void test_tags_that_are_gone_are_absent(void **state)
{
    (void)state;
    begin_signed(&run, 1);
    run.wire.quirk[0] = (struct wire_quirk){.request = "GET sha256-",
                                            .times = 2,
                                            .instead = "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"};
    tag_one(&run);
    expect_refused(REGTAG_E_UNSIGNED, "there is no signature");
}

static void test_a_failing_blob_is_a_failure(void **state)
{
    (void)state;
    begin_signed(&run, 1);
    sign_at_tag(0);
    run.wire.quirk[0] =
        (struct wire_quirk){.request = "GET sha256:",
                            .after = 1,
                            .times = 9,
                            .instead = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"};
    tag_one(&run);
    expect_refused(REGTAG_E_SERVER_FAILED, "HTTP 502");
}

static void test_blobs_may_be_elsewhere(void **state)
{
    (void)state;
    begin_signed(&run, 1);
    run.wire.ranges.location = "http://storage.test/storage/";
    sign_at_tag(0);
    tag_one(&run);
    expect_moved();
}

static void test_a_registry_that_cannot_pipeline(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        begin_signed(&run, 1);
        run.config.retries = 3;
        begin_signed_again(&run);
        run.wire.manners.ignores_pipelined = i == 0;
        run.wire.manners.resets_pipelined = i == 1;
        run.wire.manners.refuses_pipelined = i == 2;
        run.wire.manners.closes_pipelined = i == 3;
        list(tag_of(digest_of_new(), ""), sign_in_bundle(0));
        tag_one(&run);
        expect_moved();
    }
}

static void test_an_answer_that_comes_twice_does_not_count(void **state)
{
    (void)state;
    begin_signed(&run, 1);
    run.wire.manners.delay = 1000; /* all three are sent before the first answer */
    run.wire.quirk[0] = (struct wire_quirk){.request = "GET sha256-", .twice = true};
    run.wire.manners.referrers_status = 200; /* the one that it would be taken for */
    list("referrers", sign_in_bundle(0));
    tag_one(&run);
    expect_moved();
}

#define REFUSAL "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"

/* Each answer then goes to the next place, until they are asked one by one. */
static void test_a_refusal_that_nobody_asked_for_does_not_count(void **state)
{
    (void)state;
    begin_signed(&run, 1);
    run.wire.manners.delay = 1000;
    run.wire.quirk[0] = (struct wire_quirk){.request = "GET sha256-", .before = REFUSAL};
    tag_one(&run);
    assert_int_equal(run.wire.requests, 9);
    expect_refused(REGTAG_E_UNSIGNED, "there is no signature");
}

/* What was noted of the index before stays, when the image's answers are of no use. */
static void test_a_failure_before_such_answers_counts(void **state)
{
    char request[2][100];
    (void)state;
    begin_platform();
    const char *index = push_platforms();
    run.wire.manners.delay = 1000;
    snprintf(request[0], sizeof request[0], "GET %s", tag_of(index, ".sig"));
    run.wire.quirk[0] = (struct wire_quirk){.request = request[0], .instead = REFUSAL};
    snprintf(request[1], sizeof request[1], "GET %s", tag_of(digest_of_new(), ".sig"));
    run.wire.quirk[1] = (struct wire_quirk){.request = request[1], .twice = true};
    tag_one(&run);
    assert_int_equal(run.wire.quirks, 2);
    expect_refused(REGTAG_E_DENIED, "cannot look for its signature");
}

/* ---- Pages ----------------------------------------------------------------------------------- */

/* The registry's list has a page that leads to another one. */
static void list_pages(const char *link, const char *const *digests, size_t count)
{
    run.wire.manners.referrers_status = 200;
    run.wire.manners.referrers_fields = link;
    push_index(&run, "referrers", digests, count, NULL);
}

static const char *const NONE[] = {ZEROS, ZEROS, ZEROS, ZEROS, ZEROS, ZEROS, ZEROS, ZEROS,
                                   ZEROS, ZEROS, ZEROS, ZEROS, ZEROS, ZEROS, ZEROS, ZEROS,
                                   ZEROS, ZEROS, ZEROS, ZEROS, ZEROS, ZEROS, ZEROS, ZEROS,
                                   ZEROS, ZEROS, ZEROS, ZEROS, ZEROS, ZEROS, ZEROS, ZEROS};
#define TO_NEXT "Link: </v2/a/referrers/next>; rel=\"next\"\r\n"

static void test_a_bundle_on_another_page_is_found(void **state)
{
    char asked[1024];
    (void)state;
    begin_signed(&run, 1);
    list_pages(TO_NEXT, NONE, 1);
    const char *digest = sign_in_bundle(0);
    list("next", digest);
    tag_one(&run);
    snprintf(asked, sizeof asked,
             "GET base\nHEAD new\nGET %s\nGET %s%s\nGET %s\nGET %s\nGET next\nGET %s\nGET %s\nPUT new\n",
             tag_of(digest_of_new(), ".sig"), digest_of_new(), QUERY, tag_of(digest_of_new(), ""), ZEROS,
             digest, run.wire.blobs[0].digest);
    expect_asked(&run, asked);
    expect_moved();
}

static void test_another_page_is_asked_for_only_if_nothing_is_good(void **state)
{
    (void)state;
    for (unsigned place = 0; place < 3; place++) {
        begin_signed(&run, 1);
        sign_at(place);
        if (place == 1)
            run.wire.manners.referrers_fields = TO_NEXT;
        else
            list_pages(TO_NEXT, NONE, 1);
        tag_one(&run);
        assert_null(strstr(run.wire.asked.data, "GET next"));
        expect_moved();
    }
}

static void test_of_the_referrers_on_all_pages_32_are_looked_at(void **state)
{
    const char *digests[13];
    (void)state;
    for (size_t good = 11; good <= 12; good++) {
        begin_signed(&run, 1);
        list_pages(TO_NEXT, NONE, 20);
        for (size_t i = 0; i < COUNT(digests); i++)
            digests[i] = ZEROS;
        digests[good] = sign_in_bundle(0);
        push_index(&run, "next", digests, COUNT(digests), NULL);
        tag_one(&run);
        if (good == 11)
            expect_moved();
        else
            expect_refused(REGTAG_E_UNSIGNED, "no more than 32");
    }
    for (size_t count = 31; count <= 32; count++) { /* then there is no need for another page */
        begin_signed(&run, 1);
        list_pages(TO_NEXT, NONE, count);
        list("next", sign_in_bundle(0));
        tag_one(&run);
        if (count == 31)
            expect_moved();
        else
            expect_refused(REGTAG_E_UNSIGNED, "no more than 32");
    }
}

/* A registry that does not filter, and has more and more pages; or that has nothing on them. */
static void test_pages_without_end_are_given_up(void **state)
{
    (void)state;
    for (size_t count = 0; count < 2; count++) {
        begin_signed(&run, 1);
        take_notes(&run, false);
        begin_signed_again(&run);
        list_pages("Link: <more/next>; rel=\"next\"\r\n", NONE, 0);
        run.wire.manners.fields = run.wire.manners.referrers_fields;
        push_index(&run, "referrers", NONE, count, "application/spdx+json");
        push_index(&run, "next", NONE, count, "application/spdx+json");
        tag_one(&run);
        assert_int_equal(count_of(run.wire.asked.data, "GET next\n"), count ? 31 : 15);
        assert_int_equal(count_of(run.notes, "may be incomplete: the registry sends one empty page"),
                         !count);
        expect_refused(REGTAG_E_UNSIGNED, count ? "no more than 32" : "there is no signature");
    }
}

static void test_pages_that_form_a_circle_end(void **state)
{
    (void)state;
    for (size_t count = 0; count < 2; count++) {
        begin_signed(&run, 1);
        take_notes(&run, false);
        begin_signed_again(&run);
        run.wire.manners.fields = TO_NEXT;
        list_pages(TO_NEXT, NONE, count);
        push_index(&run, "next", NONE, count, NULL);
        tag_one(&run);
        assert_int_equal(count_of(run.wire.asked.data, "GET next\n"), 1);
        assert_int_equal(count_of(run.notes, "!localhost/a: the list may be incomplete"), count);
        expect_refused(REGTAG_E_UNSIGNED, "not signed");
    }
}

/* It is the source that has this list. */
static void test_of_a_copy_the_source_is_named(void **state)
{
    (void)state;
    begin_signed(&run, 1);
    take_notes(&run, false);
    widen(&run, 4);
    begin_signed_again(&run);
    run.wire.manners.fields = TO_NEXT;
    list_pages(TO_NEXT, NONE, 1);
    push_index(&run, "next", NONE, 1, NULL);
    assert_int_equal(regtag_copy(run.regtag, "localhost/a:base", "localhost/b:new"), REGTAG_OK);
    run_on(&run);
    assert_int_equal(count_of(run.notes, "!localhost/a: the list may be incomplete"), 1);
    expect_end(&run, REGTAG_E_UNSIGNED);
    finish(&run);
}

/* Unless there is a good one elsewhere, it is a failure: 404, too, since there was a page. */
static void test_a_page_that_fails_is_a_failure(void **state)
{
    static const unsigned statuses[] = {0, 400, 403, 404, 410, 500, 501};
    (void)state;
    for (size_t i = 0; i < COUNT(statuses); i++)
        for (unsigned is_signed = 0; is_signed < 2; is_signed++) {
            begin_signed(&run, 1);
            list_pages(i ? TO_NEXT : "Link: <http://other.test/next>; rel=\"next\"\r\n", NONE, 1);
            list("next", sign_in_bundle(0));
            if (is_signed)
                list(tag_of(digest_of_new(), ""), sign_in_bundle(0));
            run.wire.manners.only_tag = "next";
            run.wire.manners.get_status = statuses[i];
            tag_one(&run);
            assert_int_equal(run.wire.connections, 1);
            if (is_signed) {
                expect_moved();
                continue;
            }
            assert_int_not_equal(regtag_error(run.regtag, NULL), REGTAG_E_UNSIGNED);
            expect_text(&run, i ? "HTTP" : "leads to another server: http://other.test/next");
            expect_refused(regtag_error(run.regtag, NULL), "cannot look for its signature");
        }
}

static void test_a_page_must_have_the_digest_that_is_stated(void **state)
{
    (void)state;
    begin_signed(&run, 1);
    list_pages(TO_NEXT, NONE, 1);
    list("next", sign_in_bundle(0));
    corrupt(&run, "next");
    tag_one(&run);
    expect_refused(REGTAG_E_UNSIGNED, "malformed or ambiguous");
}

/* Where the answers do not count, the list is asked for from its beginning. */
static void test_behind_answers_that_do_not_count_the_first_page_comes_again(void **state)
{
    (void)state;
    begin_signed(&run, 1);
    run.wire.manners.delay = 1000;
    list_pages(TO_NEXT, (const char *[]){sign_in_bundle(0)}, 1);
    push_index(&run, "next", NONE, 1, NULL);
    run.wire.quirk[0] =
        (struct wire_quirk){.request = "GET sha256-", .after = 1, .twice = true}; /* the last of them */
    tag_one(&run);
    assert_int_equal(run.wire.quirks, 1);
    assert_int_equal(count_of(run.wire.asked.data, QUERY), 2);
    assert_int_equal(count_of(run.wire.asked.data, "GET next"), 0);
    expect_moved();
}

/* The registry lists those of the index, too many of them, but not the image's. */
static void test_a_page_for_the_index_is_none_for_the_image(void **state)
{
    char request[100];
    (void)state;
    begin_platform();
    push_platforms();
    list_pages(TO_NEXT, NONE, COUNT(NONE));
    snprintf(request, sizeof request, "GET %s?", digest_of_new());
    run.wire.quirk[0] = (struct wire_quirk){.request = request, .times = 9, .instead = REFUSAL};
    tag_one(&run);
    assert_int_equal(count_of(run.wire.asked.data, QUERY), 2);
    assert_int_equal(count_of(run.wire.asked.data, "GET next"), 0);
    expect_refused(REGTAG_E_UNSIGNED, "no more than 32 of each");
}

/* ---- Limits ---------------------------------------------------------------------------------- */

static void test_of_many_signatures_32_are_looked_at(void **state)
{
    struct signed_layer layers[33];
    (void)state;
    for (size_t good = 31; good <= 32; good++) {
        begin_signed(&run, 1);
        for (size_t i = 0; i < COUNT(layers); i++)
            layers[i] = (struct signed_layer){digest_of_new(), NULL, i == good ? 0 : 7};
        push_layers(&run, digest_of_new(), layers, COUNT(layers));
        tag_one(&run);
        if (good == 31)
            expect_moved();
        else
            expect_refused(REGTAG_E_UNSIGNED, "no more than 32");
    }
}

static void test_of_many_referrers_32_are_looked_at(void **state)
{
    const char *digests[33];
    (void)state;
    for (size_t good = 31; good <= 32; good++) {
        begin_signed(&run, 1);
        for (size_t i = 0; i < COUNT(digests); i++)
            digests[i] = ZEROS;
        digests[good] = sign_in_bundle(0);
        push_index(&run, tag_of(digest_of_new(), ""), digests, COUNT(digests), EMPTY);
        tag_one(&run);
        if (good == 31)
            expect_moved();
        else
            expect_refused(REGTAG_E_UNSIGNED, "no more than 32");
    }
}

/* Of the index and of the image as many, whichever of them somebody else has signed so often. */
static void test_of_a_child_as_many_are_looked_at_as_of_its_index(void **state)
{
    struct signed_layer layers[33], good = {.key = 0};
    const char *digests[33];
    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        begin_platform();
        const char *index = push_platforms();
        const char *foreign = i % 2 ? digest_of_new() : index;
        good.digest = i % 2 ? index : digest_of_new();
        for (size_t k = 0; k < COUNT(layers); k++)
            layers[k] = (struct signed_layer){foreign, NULL, 7};
        digests[0] = push_bundle(&run, foreign, foreign, SIGN, 7);
        for (size_t k = 1; k < COUNT(digests); k++)
            digests[k] = digests[0];
        if (i / 2 != 1)
            push_layers(&run, foreign, layers, COUNT(layers));
        else
            push_index(&run, tag_of(foreign, ""), digests, COUNT(digests), NULL);
        if (i / 2 < 2)
            push_layers(&run, good.digest, &good, 1);
        tag_one(&run);
        if (i / 2 < 2)
            expect_moved();
        else
            expect_refused(REGTAG_E_UNSIGNED, "no more than 32 of each");
    }
}

static void test_an_image_that_leaves_no_memory_is_refused(void **state)
{
    (void)state;
    for (size_t room = 16; room <= 8192; room += 16) {
        begin_signed(&run, 1);
        run.config.manifest_max = (sizeof NEW - 1 + room) / 16 * 16;
        widen(&run, 2);
        begin_signed_again(&run);
        list(tag_of(digest_of_new(), ""), sign_in_bundle(0));
        tag_one(&run);
        if (regtag_error(run.regtag, NULL) == REGTAG_E_REFUSED ||
            regtag_error(run.regtag, NULL) == REGTAG_E_UNSIGNED)
            expect_refused(regtag_error(run.regtag, NULL), "sign");
        else
            expect_moved();
    }
}

/* The block ends on a page, so that what the alignment takes is less than what is added: it just does, or a little more. */
static void test_memory_is_used_to_its_last_byte(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 32; i++) {
        begin_signed(&run, 1);
        run.config.tokens_max += i % 2;
        run.config.manifest_max = sizeof NEW - 1 + sizeof(struct signatures) + i / 2;
        widen(&run, 2);
        begin_signed_again(&run);
        tag_one(&run);
        expect_refused(REGTAG_E_UNSIGNED, "there is no signature");
    }
}

/* ---- Whoever is asked ------------------------------------------------------------------------ */

static void test_keys_without_the_requirement_are_refused(void **state)
{
    const char *const names[] = {"new"};
    (void)state;
    begin_signed(&run, 1);
    begin_again(&run);
    assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", names, 1), REGTAG_E_USAGE);
    begin_again(&run);
    assert_int_equal(regtag_digest(run.regtag, "localhost/a:base"), REGTAG_E_USAGE);
    finish(&run);
}

static void test_the_requirement_without_keys_is_refused(void **state)
{
    const char *const names[] = {"new"};
    (void)state;
    begin(&run);
    assert_int_equal(regtag_require_signature(run.regtag), REGTAG_E_USAGE);
    assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", names, 1), REGTAG_E_USAGE);
    begin_again(&run);
    run.config.keys = 1;
    begin_again(&run);
    assert_int_equal(regtag_require_signature(run.regtag), REGTAG_E_USAGE);
    finish(&run);
}

static void test_layers_are_offered_only_if_signed(void **state)
{
    (void)state;
    for (unsigned key = 0; key < 2; key++) {
        begin_signed(&run, 1);
        sign_at_tag(key);
        assert_int_equal(regtag_fetch(run.regtag, "localhost/a:base"), REGTAG_OK);
        bool chosen = false;
        while (step(&run))
            chosen = chosen || run.end == REGTAG_CHOOSE;
        assert_int_equal(chosen, key == 0);
        expect_end(&run, key == 0 ? REGTAG_OK : REGTAG_E_UNSIGNED);
        finish(&run);
    }
    begin_signed(&run, 1);
    char blob[128];
    snprintf(blob, sizeof blob, "localhost/a@%s", ZEROS);
    assert_int_equal(regtag_fetch_blob(run.regtag, blob), REGTAG_E_USAGE);
    finish(&run);
}

static void test_many_names_wait_for_the_signature(void **state)
{
    char memory[40][8];
    const char *names[40];
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        snprintf(memory[i], sizeof memory[i], "n%zu", i);
        names[i] = memory[i];
    }
    for (unsigned key = 0; key < 2; key++)
        for (unsigned seed = 0; seed < 20; seed++) {
            begin_signed(&run, 1);
            widen(&run, 4);
            begin_signed_again(&run);
            run.wire.seed = seed;
            run.wire.manners.no_head_digest = seed % 2;
            if (seed / 2 % 2)
                list_pages(TO_NEXT, NONE, 1);
            list(seed / 2 % 2 ? "next" : tag_of(digest_of_new(), ""), sign_in_bundle(key));
            assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", names, COUNT(names)), REGTAG_OK);
            run_on(&run);
            expect_end(&run, key == 0 ? REGTAG_OK : REGTAG_E_UNSIGNED);
            assert_int_equal(run.wire.puts, key == 0 ? COUNT(names) : 0);
            finish(&run);
        }
}

/* A lookup's connection that fails says nothing about signatures. */
static void test_lookups_that_fail_do_not_end_the_search(void **state)
{
    char memory[40][8];
    const char *names[40];
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        snprintf(memory[i], sizeof memory[i], "n%zu", i);
        names[i] = memory[i];
    }
    for (unsigned seed = 0; seed < 100; seed++) {
        begin_signed(&run, 1);
        widen(&run, 4);
        begin_signed_again(&run);
        run.wire.seed = seed;
        run.wire.fault = (struct wire_fault){.armed = true};
        run.wire.fault_on = 3 + seed % 2;
        list(tag_of(digest_of_new(), ""), sign_in_bundle(0));
        assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", names, COUNT(names)), REGTAG_OK);
        run_on(&run);
        if (regtag_error(run.regtag, NULL) == REGTAG_E_UNSIGNED)
            fail_msg("seed %u: %s", seed, message());
        finish(&run);
    }
}

/* ---- The network ----------------------------------------------------------------------------- */

static void test_one_byte_at_a_time(void **state)
{
    (void)state;
    for (unsigned way = 0; way < 3; way++) {
        begin_signed(&run, 1);
        run.wire.step = 1;
        if (way == 0)
            sign_at_tag(0);
        else
            list(way == 1 ? tag_of(digest_of_new(), "") : "next", sign_in_bundle(0));
        if (way == 2)
            list_pages(TO_NEXT, NONE, 1);
        tag_one(&run);
        expect_moved();
    }
}

/* Wherever the connection breaks: with retries it is found, and without them nothing moves by mistake. */
static void test_cut_at_every_byte(void **state)
{
    (void)state;
    for (unsigned way = 0; way < 4; way++) {
        unsigned retries = way % 2;
        bool struck = true;
        for (uint64_t at = 0; struck; at++) {
            begin_signed(&run, 1);
            run.config.retries = retries;
            begin_signed_again(&run);
            run.wire.fault = (struct wire_fault){.armed = true, .at = at, .orderly = at % 2};
            if (way >= 2)
                list_pages(TO_NEXT, NONE, 1);
            list(way < 2 ? tag_of(digest_of_new(), "") : "next", sign_in_bundle(0));
            tag_one(&run);
            struck = !run.wire.fault.armed;
            expect_truth(&run, "cut");
            if (retries ? run.end != REGTAG_DONE : regtag_error(run.regtag, NULL) == REGTAG_E_UNSIGNED)
                fail_msg("cut at %u: %s", (unsigned)at, message());
            finish(&run);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_signature_at_the_tag_is_found),
        cmocka_unit_test(test_the_three_places_are_asked_for_together),
        cmocka_unit_test(test_a_bundle_that_the_registry_lists_is_found),
        cmocka_unit_test(test_a_bundle_at_the_tag_without_suffix_is_found),
        cmocka_unit_test(test_the_key_is_reported),
        cmocka_unit_test(test_other_artifacts_are_not_downloaded),
        cmocka_unit_test(test_nothing_moves_without_a_signature),
        cmocka_unit_test(test_another_key_is_not_enough),
        cmocka_unit_test(test_what_cannot_be_verified_for_lack_of_memory_is_not_called_unsigned),
        cmocka_unit_test(test_the_signature_of_another_image_is_refused),
        cmocka_unit_test(test_an_attestation_is_no_signature),
        cmocka_unit_test(test_a_bad_signature_does_no_harm_to_a_good_one),
        cmocka_unit_test(test_bytes_with_another_digest_are_no_signature),
        cmocka_unit_test(test_each_place_must_have_the_digest_that_is_stated),
        cmocka_unit_test(test_a_stated_digest_must_be_one_that_can_be_checked),
        cmocka_unit_test(test_documents_that_are_none_are_no_signature),
        cmocka_unit_test(test_the_image_itself_at_the_tag_is_no_list),
        cmocka_unit_test(test_a_child_is_signed_or_its_index_is),
        cmocka_unit_test(test_registries_say_in_many_ways_that_they_list_no_referrers),
        cmocka_unit_test(test_a_failure_is_not_the_absence_of_a_signature),
        cmocka_unit_test(test_tags_that_are_gone_are_absent),
        cmocka_unit_test(test_a_failing_blob_is_a_failure),
        cmocka_unit_test(test_blobs_may_be_elsewhere),
        cmocka_unit_test(test_a_registry_that_cannot_pipeline),
        cmocka_unit_test(test_an_answer_that_comes_twice_does_not_count),
        cmocka_unit_test(test_a_refusal_that_nobody_asked_for_does_not_count),
        cmocka_unit_test(test_a_failure_before_such_answers_counts),
        cmocka_unit_test(test_a_bundle_on_another_page_is_found),
        cmocka_unit_test(test_another_page_is_asked_for_only_if_nothing_is_good),
        cmocka_unit_test(test_of_the_referrers_on_all_pages_32_are_looked_at),
        cmocka_unit_test(test_pages_without_end_are_given_up),
        cmocka_unit_test(test_pages_that_form_a_circle_end),
        cmocka_unit_test(test_of_a_copy_the_source_is_named),
        cmocka_unit_test(test_a_page_that_fails_is_a_failure),
        cmocka_unit_test(test_a_page_must_have_the_digest_that_is_stated),
        cmocka_unit_test(test_behind_answers_that_do_not_count_the_first_page_comes_again),
        cmocka_unit_test(test_a_page_for_the_index_is_none_for_the_image),
        cmocka_unit_test(test_of_many_signatures_32_are_looked_at),
        cmocka_unit_test(test_of_many_referrers_32_are_looked_at),
        cmocka_unit_test(test_of_a_child_as_many_are_looked_at_as_of_its_index),
        cmocka_unit_test(test_memory_is_used_to_its_last_byte),
        cmocka_unit_test(test_an_image_that_leaves_no_memory_is_refused),
        cmocka_unit_test(test_keys_without_the_requirement_are_refused),
        cmocka_unit_test(test_the_requirement_without_keys_is_refused),
        cmocka_unit_test(test_layers_are_offered_only_if_signed),
        cmocka_unit_test(test_many_names_wait_for_the_signature),
        cmocka_unit_test(test_lookups_that_fail_do_not_end_the_search),
        cmocka_unit_test(test_one_byte_at_a_time),
        cmocka_unit_test(test_cut_at_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
