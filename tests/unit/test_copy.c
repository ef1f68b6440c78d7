/* Images that are copied from one repository to another: what is asked for, of which of the two, and what becomes of the
 * tag. Both are in the one registry of wire.h, which has the blobs of either. */
#include "run.h"

#define EMPTY "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
#define ABSENT "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
#define CREATED "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"

static struct run run; /* too large for the stack */

static void begin_copy(void)
{
    begin(&run);
    wire_push_blob(&run.wire, "{}", 2, EMPTY);
    widen(&run, 4);
}

static void target_has_no_blob(void)
{
    run.wire.quirk[0] = (struct wire_quirk){.request = "HEAD sha256:", .instead = ABSENT, .times = 100};
}

static void copy(const char *image, const char *target)
{
    assert_int_equal(regtag_copy(run.regtag, image, target), REGTAG_OK);
    run_on(&run);
}

static void expect_copied(void)
{
    expect_end(&run, REGTAG_OK);
    expect_outcome(&run, REGTAG_TAG_CREATED);
    assert_string_equal(run.digest, digest_of_new());
    assert_true(IS_NEW(&run, "copied"));
    finish(&run);
}

static bool was_sent(const char *part)
{
    for (unsigned i = 0; i < WIRE_LINES; i++)
        if (run.wire.line[i].log.data && strstr(run.wire.line[i].log.data, part))
            return true;
    return false;
}

/* ---- What is asked for ----------------------------------------------------------------------- */

static void blobs_that_are_there_are_not_copied(void **state)
{
    (void)state;
    begin_copy();
    copy("localhost/b:base", "localhost/a:copied");
    expect_asked(&run, "HEAD copied\nGET base\nHEAD " EMPTY "\nHEAD copied\nPUT copied\n");
    assert_true(was_sent("GET /v2/b/manifests/base HTTP"));
    assert_true(was_sent("PUT /v2/a/manifests/copied HTTP"));
    expect_copied();
}

static void blobs_of_the_same_registry_are_mounted(void **state)
{
    (void)state;
    begin_copy();
    target_has_no_blob();
    run.wire.quirk[1] = (struct wire_quirk){.request = "POST ?mount", .instead = CREATED};
    copy("localhost/b:base", "localhost/a:copied");
    expect_asked(&run, "HEAD copied\nGET base\nHEAD " EMPTY "\nPOST ?mount=" EMPTY "&from=b\n"
                       "HEAD copied\nPUT copied\n");
    assert_int_equal(run.wire.upload_count, 0);
    expect_copied();
}

static void blobs_that_cannot_be_mounted_are_copied(void **state)
{
    uint64_t moved, all;
    (void)state;
    begin_copy();
    target_has_no_blob();
    copy("localhost/b:base", "localhost/a:copied");
    assert_true(was_sent("GET /v2/b/blobs/" EMPTY " HTTP"));
    assert_int_equal(run.wire.upload_count, 1);
    assert_true(run.wire.uploads[0].ended);
    regtag_progress(run.regtag, &moved, &all);
    assert_int_equal(moved, 2);
    assert_int_equal(all, 2);
    expect_copied();
}

static void nothing_is_mounted_from_the_repository_itself(void **state)
{
    (void)state;
    begin_copy();
    target_has_no_blob();
    copy("localhost/a:base", "localhost/a:copied");
    assert_false(was_sent("mount="));
    expect_copied();
}

static void nothing_is_mounted_from_another_registry(void **state)
{
    (void)state;
    begin_copy();
    target_has_no_blob();
    copy("localhost:5000/b:base", "localhost/a:copied");
    assert_false(was_sent("mount="));
    expect_copied();
}

static void the_tag_is_that_of_the_image(void **state)
{
    (void)state;
    begin_copy();
    copy("localhost/b:base", "localhost/a");
    expect_end(&run, REGTAG_OK);
    expect_outcome(&run, REGTAG_TAG_UNCHANGED);
    assert_string_equal(run.name[0], "base");
    finish(&run);
}

static void an_image_by_its_digest_has_no_tag(void **state)
{
    char image[128];
    (void)state;
    begin_copy();
    snprintf(image, sizeof image, "localhost/b@%s", digest_of_old());
    wire_delete(&run.wire, "new");
    wire_push(&run.wire, digest_of_old(), OCI, OLD, sizeof OLD - 1);
    run.uploads = 1; /* nothing is announced where no tag is moved */
    copy(image, "localhost/a");
    expect_end(&run, REGTAG_OK);
    assert_null(wire_find(&run.wire, "latest"));
    finish(&run);
}

/* ---- What may go wrong ----------------------------------------------------------------------- */

/* The tag is not there, or it is what it is said to be. */
static void expect_copy_is_told_truly(const char *when)
{
    bool copied = IS_NEW(&run, "copied"), good = run.settled == 1 && is_good(run.outcome[0]);
    if (wire_find(&run.wire, "copied") && !copied)
        fail_msg("%s: the tag is something else", when);
    if (good != (run.end == REGTAG_DONE))
        fail_msg("%s: the end is %d, the outcome %d", when, run.end, run.outcome[0]);
    if (good && !copied)
        fail_msg("%s: it is said to be copied", when);
    if (copied && !good && run.outcome[0] != REGTAG_TAG_UNCERTAIN)
        fail_msg("%s: it is said not to be copied (%d)", when, run.outcome[0]);
}

static void a_fault_at_many_bytes_is_told_truly(void **state)
{
    (void)state;
    for (unsigned writing = 0; writing < 2; writing++) {
        bool over = false;
        for (uint64_t at = 0; !over; at += 11) {
            char when[64];
            begin_copy();
            target_has_no_blob();
            run.wire.fault = (struct wire_fault){
                .armed = true, .writing = writing, .at = at, .orderly = at & 1, .lasting = at & 2};
            copy("localhost/b:base", "localhost/a:copied");
            over = run.wire.fault.armed;
            snprintf(when, sizeof when, "%s after %u bytes", writing ? "writing" : "reading",
                     (unsigned)at);
            expect_copy_is_told_truly(when);
            finish(&run);
        }
    }
}

static void a_blob_with_other_bytes_is_not_copied(void **state)
{
    (void)state;
    begin_copy();
    target_has_no_blob();
    run.wire.ranges.changed = 1;
    copy("localhost/b:base", "localhost/a:copied");
    expect_end(&run, REGTAG_E_REFUSED);
    assert_null(wire_find(&run.wire, "copied"));
    assert_true(run.wire.uploads[0].ended);
    finish(&run);
}

/* ---- Usage ----------------------------------------------------------------------------------- */

static void expect_usage(const char *image, const char *target, const char *words)
{
    const char *text = "";
    assert_int_equal(regtag_copy(run.regtag, image, target), REGTAG_E_USAGE);
    run_on(&run);
    expect_end(&run, REGTAG_E_USAGE);
    regtag_error(run.regtag, &text);
    if (!strstr(text, words))
        fail_msg("\"%s\" is not in: %s", words, text);
    assert_int_equal(run.wire.connections, 0);
    begin_again(&run);
}

static void bad_usage_is_named(void **state)
{
    char sha512[9 + 128 + 32], target[128];
    (void)state;
    begin_copy();
    snprintf(sha512, sizeof sha512, "localhost/b@sha512:%0128d", 0);
    expect_usage("localhost/b:base", "localhost/A", "localhost/A");
    expect_usage("localhost/B:base", "localhost/a", "localhost/B");
    snprintf(target, sizeof target, "localhost/a@%s", digest_of_new());
    expect_usage("localhost/b:base", target, "the target has a digest");
    expect_usage(sha512, "localhost/a:copied", "only sha256 digests can be checked");
    run.config.platform = "arm";
    begin_again(&run);
    expect_usage("localhost/b:base", "localhost/a", "\"arm\" is not a platform");
    run.config.platform = NULL;
    widen(&run, 3);
    expect_usage("localhost/b:base", "localhost/a", "a copy needs 4 connections");
    finish(&run);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(blobs_that_are_there_are_not_copied),
        cmocka_unit_test(blobs_of_the_same_registry_are_mounted),
        cmocka_unit_test(blobs_that_cannot_be_mounted_are_copied),
        cmocka_unit_test(nothing_is_mounted_from_the_repository_itself),
        cmocka_unit_test(nothing_is_mounted_from_another_registry),
        cmocka_unit_test(the_tag_is_that_of_the_image),
        cmocka_unit_test(an_image_by_its_digest_has_no_tag),
        cmocka_unit_test(a_fault_at_many_bytes_is_told_truly),
        cmocka_unit_test(a_blob_with_other_bytes_is_not_copied),
        cmocka_unit_test(bad_usage_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
