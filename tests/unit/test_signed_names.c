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

/* In a bundle, which the registry lists on its second page. */
static void sign_on_next_page(void)
{
    const char *digest = push_bundle(&run, digest_of_new(), digest_of_new(), SIGN, 0);
    run.wire.manners.referrers_status = 200;
    run.wire.manners.referrers_fields = "Link: </v2/a/referrers/next>; rel=\"next\"\r\n";
    push_index(&run, "referrers", &(const char *){ZEROS}, 1, NULL);
    push_index(&run, "next", &digest, 1, NULL);
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

/* What was begun before goes on, and the signature has to wait for the hash. */
static void a_signature_waits_for_the_hash(void **state)
{
    (void)state;
    make_names();
    for (unsigned bundle = 0; bundle < 2; bundle++) {
        begin_signed(&run, 1);
        sign(bundle);
        wire_push(&run.wire, names[0], OCI, OLD, sizeof OLD - 1);
        run.wire.manners.no_digest = run.wire.manners.no_head_digest = true;
        run.wire.quirk[0] = (struct wire_quirk){.request = "GET base", .delay = 100};
        run.wire.quirk[1] = (struct wire_quirk){.request = "GET n", .delay = 1000};
        widen(&run, 5);
        begin_signed_again(&run);
        assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", names, 1), REGTAG_OK);
        run_on(&run);
        expect_end(&run, REGTAG_OK);
        expect_outcome(&run, REGTAG_TAG_MOVED);
        assert_true(IS_NEW(&run, names[0]));
        finish(&run);
    }
}

/* ---- On two connections -------------------------------------------------------------------------- */

/* More than go out on one connection. The image and the names in odd places are asked for on connection 0, the others on 2,
 * which stays busy: the registry does not say yet where the last two there point. */
#define WIDE 18u
#define FIRST 14u
#define SECOND 16u

static void begin_wide(bool paged)
{
    begin_signed(&run, 1);
    if (paged)
        sign_on_next_page();
    else
        sign(false);
    make_names();
    names[FIRST] = "xa";
    names[SECOND] = "xb";
    for (unsigned i = 0; i < WIDE; i++)
        wire_push(&run.wire, names[i], OCI, OLD, sizeof OLD - 1);
    run.wire.manners.delay = 10;
    run.wire.quirk[0] = (struct wire_quirk){.request = "HEAD x", .times = 2, .instead = ""};
    run.wire.quirk[1] = (struct wire_quirk){.request = "GET base", .delay = 20};
    widen(&run, 3);
    begin_signed_again(&run);
    assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", names, WIDE), REGTAG_OK);
}

/* The request that came so many behind the first of these, or NULL. */
static const struct wire_asked *asked(const char *method, const char *reference, unsigned after)
{
    for (unsigned i = 0; i < run.wire.taken_count; i++) {
        const struct wire_asked *a = &run.wire.taken[i];
        if (strcmp(a->method, method) == 0 && strcmp(a->reference, reference) == 0 && after-- == 0)
            return a;
    }
    return NULL;
}

static void say_digest(void)
{
    char text[160];
    snprintf(text, sizeof text,
             "HTTP/1.1 200 OK\r\nDocker-Content-Digest: %s\r\nContent-Length: 9\r\n\r\n",
             digest_of_old());
    wire_say(&run.wire, 2, text);
}

static void expect_all_moved(void)
{
    expect_end(&run, REGTAG_OK);
    assert_int_equal(run.settled, WIDE);
    for (unsigned i = 0; i < WIDE; i++) {
        assert_int_equal(run.outcome[i], REGTAG_TAG_MOVED);
        assert_string_equal(run.previous[i], digest_of_old());
        assert_true(IS_NEW(&run, names[i]));
    }
    finish(&run);
}

/* At a time; what comes on that connection before it is not held up. */
static void say_at(uint64_t time, const char *text)
{
    struct wire_line *line = &run.wire.line[2];
    line->pause_at = line->out.size;
    line->pause_until = time;
    wire_say(&run.wire, 2, text);
}

/* A name needs a login while the three places are on their way, and follows them: what they are counts when that is
 * answered, too, and no later; or not at all if it is answered twice. */
static void a_signature_waits_for_what_follows_its_places(void **state)
{
    const char *place = tag_of(digest_of_new(), ""); /* and so begins the other tag */
    (void)state;
    for (unsigned twice = 0; twice < 2; twice++) {
        unsigned said = 0;
        begin_wide(false);
        run.wire.quirk[2] = (struct wire_quirk){.request = "GET sha256-", .delay = 500};
        run.wire.quirk[3] =
            (struct wire_quirk){.request = "HEAD xa", .after = 1, .delay = 500, .twice = twice};
        while (step(&run)) {
            if (said == 0 && asked("HEAD", "xb", 0)) {
                say_at(30, "HTTP/1.1 401 No\r\nContent-Length: 0\r\n"
                           "WWW-Authenticate: Bearer realm=\"http://127.0.0.1/token\"\r\n\r\n");
                said = 1;
            }
            if (asked("GET", place, 0))
                run.wire.manners.realm = "http://127.0.0.1/token";
            if (said == 1 && asked("HEAD", "xa", 1)) {
                say_digest();
                said = 2;
            }
        }
        expect_end(&run, REGTAG_OK);
        const struct wire_asked *behind = asked("HEAD", "xa", 1);
        assert_int_equal(behind->connection, asked("GET", place, 0)->connection);
        if (twice)
            assert_non_null(asked("GET", place, 2));
        else {
            assert_null(asked("GET", place, 2));
            assert_int_equal(asked("GET", run.wire.blobs[0].digest, 0)->at, behind->at + 500);
        }
        expect_all_moved();
    }
}

/* A name is hashed when the signature arrives, or a page of referrers: it is not hashed in between. */
static void a_signature_does_not_disturb_what_is_being_hashed(void **state)
{
    (void)state;
    for (unsigned paged = 0; paged < 2; paged++) {
        bool said = false, answered = false;
        char request[160];
        begin_wide(paged);
        const char *first = paged ? ZEROS : run.wire.blobs[0].digest;
        snprintf(request, sizeof request, "GET %s", paged ? "next" : first);
        run.wire.quirk[2] = (struct wire_quirk){.request = request, .delay = 100};
        run.wire.quirk[3] = (struct wire_quirk){.request = "GET xb", .instead = ""};
        while (step(&run)) {
            if (!said && asked("GET", first, 0)) {
                say_digest();
                wire_say(&run.wire, 2, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
                said = true;
            }
            if (!answered && asked("GET", "xb", 0)) {
                char head[160];
                snprintf(head, sizeof head,
                         "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n{", OCI,
                         sizeof OLD - 1);
                wire_say(&run.wire, 2, head);
                say_at(run.wire.now + 200, &OLD[1]);
                answered = true;
            }
        }
        assert_int_equal(asked("GET", "xb", 0)->connection, 2);
        expect_all_moved();
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
        cmocka_unit_test(a_signature_waits_for_what_follows_its_places),
        cmocka_unit_test(a_signature_does_not_disturb_what_is_being_hashed),
        cmocka_unit_test(a_signature_waits_for_the_hash),
        cmocka_unit_test(an_index_is_copied_with_its_images_if_it_is_signed),
        cmocka_unit_test(names_are_hashed_while_a_signature_is_looked_for),
    };
    return cmocka_run_group_tests_name("signed names", tests, NULL, NULL);
}
