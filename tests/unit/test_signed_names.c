/* Several names of an image whose signature is looked for: there is one hash for all of them, and all is in flight together. */
#include "signed.h"

#define NAMES 40u /* more than are in flight together */

static struct run run; /* too large for the stack */
static const char *names[NAMES];

static void make_names(void)
{
    static char texts[NAMES][8];
    for (unsigned i = 0; i < NAMES; i++) {
        snprintf(texts[i], sizeof texts[i], "n%02u", i);
        names[i] = texts[i];
    }
}

static void sign(bool bundle)
{
    const struct signed_layer layer = {digest_of_new(), NULL, 0};
    if (!bundle) {
        push_layers(&run, digest_of_new(), &layer, 1);
        return;
    }
    const char *digest = push_bundle(&run, digest_of_new(), digest_of_new(), SIGN, 0);
    push_index(&run, tag_of(digest_of_new(), ""), &digest, 1, NULL);
}

/* Without digests in the answers, each name's manifest is hashed, as are those of the signature. */
static void names_are_hashed_while_a_signature_is_looked_for(void **state)
{
    (void)state;
    make_names();
    for (unsigned i = 0; i < 24; i++) {
        begin_signed(&run, 1);
        sign(i & 1);
        for (unsigned n = 0; n < NAMES; n++)
            wire_push(&run.wire, names[n], OCI, OLD, sizeof OLD - 1);
        run.wire.manners.no_digest = run.wire.manners.no_head_digest = i & 2;
        run.wire.manners.delay = 10;
        run.wire.manners.pace = i & 4 ? 1 : 0;
        run.wire.seed = i / 8;
        run.wire.quirk[0] = (struct wire_quirk){
            .request = i & 1 ? "HEAD n" : "GET sha256:", .times = NAMES, .delay = i & 1 ? 30 : 200};
        run.wire.quirk[1] = (struct wire_quirk){.request = "GET n", .times = NAMES, .delay = 100};
        widen(&run, i < 8 ? 2 : 5);
        begin_signed_again(&run);
        assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", names, NAMES), REGTAG_OK);
        run_on(&run);
        expect_end(&run, REGTAG_OK);
        assert_int_equal(run.settled, NAMES);
        for (unsigned n = 0; n < NAMES; n++) {
            assert_int_equal(run.outcome[n], REGTAG_TAG_MOVED);
            assert_true(IS_NEW(&run, names[n]));
        }
        finish(&run);
    }
}

/* Whoever signs an index vouches for the digests in it. */
static void an_index_is_copied_with_its_images_if_it_is_signed(void **state)
{
    (void)state;
    for (unsigned is_signed = 0; is_signed < 2; is_signed++) {
        char index[600], digest[72];
        begin_signed(&run, 1);
        wire_push_blob(&run.wire, "{}", 2, NULL);
        int size = snprintf(index, sizeof index,
                            "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"%s\",\"size\":%zu,"
                            "\"digest\":\"%s\"}]}",
                            OCI, sizeof NEW - 1, digest_of_new());
        wire_push(&run.wire, "index", INDEX, index, (size_t)size);
        snprintf(digest, sizeof digest, "%s", wire_find(&run.wire, "index")->digest);
        const struct signed_layer layer = {digest, NULL, 0};
        if (is_signed)
            push_layers(&run, digest, &layer, 1);
        char request[80];
        snprintf(request, sizeof request, "HEAD %s", digest_of_new());
        run.wire.quirk[0] = (struct wire_quirk){
            .request = request, .instead = "HTTP/1.1 404 None\r\nContent-Length: 0\r\n\r\n", .times = 9};
        widen(&run, 4);
        begin_signed_again(&run);
        assert_int_equal(regtag_copy(run.regtag, "localhost/b:index", "localhost/a:copy"), REGTAG_OK);
        run_on(&run);
        expect_end(&run, is_signed ? REGTAG_OK : REGTAG_E_UNSIGNED);
        expect_outcome(&run, is_signed ? REGTAG_TAG_CREATED : REGTAG_TAG_FAILED);
        assert_int_equal(wire_find(&run.wire, "copy") != NULL, is_signed);
        finish(&run);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_index_is_copied_with_its_images_if_it_is_signed),
        cmocka_unit_test(names_are_hashed_while_a_signature_is_looked_for),
    };
    return cmocka_run_group_tests_name("signed names", tests, NULL, NULL);
}
