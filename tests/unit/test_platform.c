/* --platform in the whole operation: tag, digest and manifest of the child of an index. */
#include "run.h"

static const char *const one_name[] = {"new"};

/* "index" has NEW for linux/amd64 and OLD for linux/arm64/v8; both are there by digest. */
static void set_out(struct run *run, const char *platform)
{
    char text[2048];
    int size;
    begin(run);
    size = snprintf(text, sizeof text,
                    "{\"schemaVersion\":2,\"manifests\":["
                    "{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%zu,"
                    "\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}},"
                    "{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%zu,"
                    "\"platform\":{\"os\":\"linux\",\"architecture\":\"arm64\",\"variant\":\"v8\"}}]}",
                    OCI, digest_of_new(), sizeof NEW - 1, OCI, digest_of_old(), sizeof OLD - 1);
    wire_push(&run->wire, "index", INDEX, text, (size_t)size);
    run->config.platform = platform;
    begin_again(run);
}

static void expect_asked_for(const struct run *run, const char *before, const char *digest,
                             const char *behind)
{
    char text[256];
    snprintf(text, sizeof text, "%s%s%s", before, digest, behind);
    expect_asked(run, text);
}

static void the_child_is_tagged(void **state)
{
    struct run run;
    (void)state;
    set_out(&run, "linux/amd64");
    assert_int_equal(regtag_tag(run.regtag, "localhost/a:index", one_name, 1), REGTAG_OK);
    run_on(&run);
    expect_end(&run, REGTAG_OK);
    expect_outcome(&run, REGTAG_TAG_MOVED);
    assert_true(IS_NEW(&run, "new"));
    assert_string_equal(run.digest, digest_of_new());
    /* What follows the GET of the index is not a look: the index is not what is tagged. */
    expect_asked_for(&run, "GET index\nGET ", digest_of_new(), "\nHEAD new\nPUT new\n");
    assert_int_equal(run.wire.connections, 1);
    finish(&run);
}

static void a_tag_that_points_at_the_child_already_is_unchanged(void **state)
{
    struct run run;
    (void)state;
    set_out(&run, "linux/arm64");
    assert_int_equal(regtag_tag(run.regtag, "localhost/a:index", one_name, 1), REGTAG_OK);
    run_on(&run);
    expect_end(&run, REGTAG_OK);
    expect_outcome(&run, REGTAG_TAG_UNCHANGED);
    assert_int_equal(run.wire.puts, 0);
    finish(&run);
}

static void the_digest_of_the_child_needs_the_index_only(void **state)
{
    struct run run;
    (void)state;
    set_out(&run, "linux/arm64/v8");
    assert_int_equal(regtag_digest(run.regtag, "localhost/a:index"), REGTAG_OK);
    run_on(&run);
    expect_end(&run, REGTAG_OK);
    assert_string_equal(run.digest, digest_of_old());
    expect_asked(&run, "GET index\n");
    finish(&run);
}

static void the_manifest_of_the_child_comes_byte_for_byte(void **state)
{
    struct run run;
    size_t size;
    (void)state;
    set_out(&run, "linux/arm64");
    assert_int_equal(regtag_manifest(run.regtag, "localhost/a:index"), REGTAG_OK);
    run_on(&run);
    expect_end(&run, REGTAG_OK);
    const char *document = regtag_document(run.regtag, &size);
    assert_int_equal(size, sizeof OLD - 1);
    assert_memory_equal(document, OLD, size);
    assert_string_equal(run.digest, digest_of_old());
    expect_asked_for(&run, "GET index\nGET ", digest_of_old(), "\n");
    finish(&run);
}

/* A child that is not what the index says is not uploaded. */
static void a_child_that_is_another_is_refused(void **state)
{
    struct run run;
    (void)state;
    set_out(&run, "linux/amd64");
    for (size_t i = 0; i < run.wire.tag_count; i++)
        if (strcmp(run.wire.tags[i].name, "new") == 0) /* is found by this digest, and is OLD */
            memcpy(run.wire.tags[i].digest, digest_of_new(), 72);
    memcpy(run.wire.tags[0].digest, ZEROS, 72);
    run.wire.manners.no_digest = true;
    assert_int_equal(regtag_tag(run.regtag, "localhost/a:index", one_name, 1), REGTAG_OK);
    run_on(&run);
    expect_end(&run, REGTAG_E_REFUSED);
    assert_int_equal(run.wire.puts, 0);
    finish(&run);
}

static void where_there_is_no_child_nothing_is_done(void **state)
{
    static const struct {
        const char *image, *platform;
        enum regtag_status status;
    } cases[] = {{"localhost/a:index", "linux/riscv64", REGTAG_E_NOT_FOUND},
                 {"localhost/a:base", "linux/amd64", REGTAG_E_NOT_FOUND},
                 {"localhost/a:missing", "linux/amd64", REGTAG_E_NOT_FOUND}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (unsigned verb = 0; verb < 3; verb++) {
            struct run run;
            set_out(&run, cases[i].platform);
            if (verb == 0)
                assert_int_equal(regtag_tag(run.regtag, cases[i].image, one_name, 1), REGTAG_OK);
            else if (verb == 1)
                assert_int_equal(regtag_digest(run.regtag, cases[i].image), REGTAG_OK);
            else
                assert_int_equal(regtag_manifest(run.regtag, cases[i].image), REGTAG_OK);
            run_on(&run);
            expect_end(&run, cases[i].status);
            expect_asked(&run, i == 0 ? "GET index\n" : i == 1 ? "GET base\n" : "GET missing\n");
            assert_string_equal(run.digest, "");
            finish(&run);
        }
    }
}

static void the_message_tells_which_there_are(void **state)
{
    struct run run;
    (void)state;
    set_out(&run, "linux/riscv64");
    assert_int_equal(regtag_digest(run.regtag, "localhost/a:index"), REGTAG_OK);
    run_on(&run);
    expect_text(&run, "linux/amd64, linux/arm64/v8");
    finish(&run);
}

static void what_is_no_platform_is_refused_before_anything_is_sent(void **state)
{
    static const char *const platforms[] = {"linux",        "linux/",
                                            "/amd64",       "/",
                                            "linux//v7",    "linux/arm/",
                                            "a/b/c/d",      "linux/amd64 ",
                                            " linux/amd64", "linux/amd64,linux/arm"};
    (void)state;
    for (size_t i = 0; i < COUNT(platforms); i++) {
        struct run run;
        set_out(&run, platforms[i]);
        if (regtag_digest(run.regtag, "localhost/a:index") != REGTAG_E_USAGE)
            fail_msg("\"%s\" is taken for a platform", platforms[i]);
        run_on(&run);
        expect_end(&run, REGTAG_E_USAGE);
        assert_int_equal(run.wire.connections, 0);
        finish(&run);
    }
}

static void no_platform_is_the_image_itself(void **state)
{
    static const char *const none[] = {NULL, ""};
    (void)state;
    for (size_t i = 0; i < COUNT(none); i++) {
        struct run run;
        set_out(&run, none[i]);
        assert_int_equal(regtag_digest(run.regtag, "localhost/a:index"), REGTAG_OK);
        run_on(&run);
        expect_end(&run, REGTAG_OK);
        expect_asked(&run, "HEAD index\n");
        assert_string_equal(run.digest, wire_find(&run.wire, "index")->digest);
        finish(&run);
    }
}

static void a_child_is_asked_for_again(void **state)
{
    struct run run;
    (void)state;
    set_out(&run, "linux/amd64");
    run.config.keep = true;
    begin_again(&run);
    assert_int_equal(regtag_digest(run.regtag, "localhost/a:index"), REGTAG_OK);
    run_on(&run);
    assert_string_equal(run.digest, digest_of_new());
    for (unsigned i = 0; i < 3; i++) {
        regtag_again(run.regtag, NULL);
        run_on(&run);
        expect_end(&run, REGTAG_OK);
        assert_string_equal(run.digest, digest_of_new());
    }
    expect_asked(&run, "GET index\nGET index\nGET index\nGET index\n");
    assert_int_equal(run.wire.connections, 1);
    finish(&run);
}

static void a_fault_on_the_way_to_the_child_is_told_truly(void **state)
{
    (void)state;
    for (unsigned retries = 0; retries < 3; retries += 2) {
        bool hit = true;
        for (uint64_t at = 0; hit; at++) {
            struct run run;
            char when[64];
            set_out(&run, "linux/amd64");
            run.config.retries = retries;
            begin_again(&run);
            run.wire.fault = (struct wire_fault){true, false, at, at % 2, false};
            snprintf(when, sizeof when, "byte %llu", (unsigned long long)at);
            assert_int_equal(regtag_tag(run.regtag, "localhost/a:index", one_name, 1), REGTAG_OK);
            run_on(&run);
            expect_truth(&run, when);
            if (retries)
                expect_end(&run, REGTAG_OK);
            hit = !run.wire.fault.armed;
            finish(&run);
        }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_child_is_tagged),
        cmocka_unit_test(a_tag_that_points_at_the_child_already_is_unchanged),
        cmocka_unit_test(the_digest_of_the_child_needs_the_index_only),
        cmocka_unit_test(the_manifest_of_the_child_comes_byte_for_byte),
        cmocka_unit_test(a_child_that_is_another_is_refused),
        cmocka_unit_test(where_there_is_no_child_nothing_is_done),
        cmocka_unit_test(the_message_tells_which_there_are),
        cmocka_unit_test(what_is_no_platform_is_refused_before_anything_is_sent),
        cmocka_unit_test(no_platform_is_the_image_itself),
        cmocka_unit_test(a_child_is_asked_for_again),
        cmocka_unit_test(a_fault_on_the_way_to_the_child_is_told_truly),
    };
    if (getenv("ONLY"))
        cmocka_set_test_filter(getenv("ONLY"));
    return cmocka_run_group_tests_name("platform", tests, NULL, NULL);
}
