/* Manifests and blobs of a repository that the caller chooses: each is verified, and one that fails does not keep it
 * from choosing another. */
#include "run.h"

#define IMAGE "localhost/a:image"
#define INDEX_TYPE "application/vnd.oci.image.index.v1+json"
#define ROOM 4096

static const char FOX[] = "The quick brown fox", DOG[] = "the lazy dog", EMPTY[] = "{}";

static struct run run; /* too large for the stack */
static char image[2048], indexes[2048];
static const char *fox, *dog, *config;
static char child[72];
static char got[ROOM]; /* the blob that was chosen last */
static size_t got_size;

/* ---- Running --------------------------------------------------------------------------------- */

static void push_image(const char *second)
{
    snprintf(
        image, sizeof image,
        "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[{\"mediaType\":\"a/b\",\"size\":%zu,"
        "\"digest\":\"%s\"},{\"mediaType\":\"a/b\",\"size\":%zu,\"digest\":\"%s\",\"urls\":[\"x\"]}]}",
        strlen(FOX), fox, strlen(DOG), second);
    wire_push(&run.wire, "image", OCI, image, strlen(image));
    wire_digest(image, strlen(image), child);
    wire_push(&run.wire, child, OCI, image, strlen(image));
}

static void push_index(void)
{
    snprintf(indexes, sizeof indexes,
             "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"%s\",\"size\":%zu,\"digest\":\"%s\","
             "\"platform\":{\"os\":\"linux\",\"architecture\":\"arm64\"}}]}",
             OCI, strlen(image), child);
    wire_push(&run.wire, "index", INDEX_TYPE, indexes, strlen(indexes));
}

static void to_choice(void)
{
    got_size = 0;
    while (step(&run) && run.end != REGTAG_CHOOSE)
        if (run.end == REGTAG_BYTES) {
            uint64_t at;
            size_t size;
            const void *bytes = regtag_bytes(run.regtag, &at, &size);
            assert_int_equal(at, got_size);
            assert_true(size <= ROOM - got_size);
            memcpy(got + got_size, bytes, size);
            got_size += size;
        }
}

static void begin_save(const char *text)
{
    begin(&run);
    run.fetches = true;
    begin_again(&run);
    config = wire_push_blob(&run.wire, EMPTY, strlen(EMPTY), NULL);
    fox = wire_push_blob(&run.wire, FOX, strlen(FOX), NULL);
    dog = wire_push_blob(&run.wire, DOG, strlen(DOG), NULL);
    push_image(dog);
    push_index();
    assert_int_equal(regtag_save(run.regtag, text), REGTAG_OK);
    to_choice();
}

static void choose_manifest(const char *digest)
{
    regtag_choose_manifest(run.regtag, digest);
    to_choice();
}

static void choose_blob(const char *digest, const char *bytes)
{
    regtag_choose_blob(run.regtag, digest, strlen(bytes));
    to_choice();
}

static void expect_blob(const char *bytes)
{
    assert_int_equal(run.end, REGTAG_CHOOSE);
    assert_int_equal(regtag_result(run.regtag)->status, REGTAG_OK);
    assert_int_equal(got_size, strlen(bytes));
    assert_memory_equal(got, bytes, got_size);
}

static void expect_manifest(const char *text, const char *type)
{
    char digest[72];
    size_t size;
    const char *document = regtag_document(run.regtag, &size);
    wire_digest(text, strlen(text), digest);
    assert_int_equal(run.end, REGTAG_CHOOSE);
    assert_string_equal(regtag_result(run.regtag)->digest, digest);
    assert_string_equal(regtag_media_type(run.regtag), type);
    assert_int_equal(size, strlen(text));
    assert_memory_equal(document, text, size);
}

static void expect_part(const char *digest, uint64_t size, bool manifest, bool elsewhere)
{
    struct regtag_descriptor part;
    assert_true(regtag_descriptor(run.regtag, &part));
    assert_string_equal(part.digest, digest);
    assert_int_equal(part.size, size);
    assert_int_equal(part.manifest, manifest);
    assert_int_equal(part.elsewhere, elsewhere);
}

static void expect_no_part(void)
{
    struct regtag_descriptor part;
    assert_false(regtag_descriptor(run.regtag, &part));
}

static void expect_status(enum regtag_status status, const char *words)
{
    assert_int_equal(regtag_result(run.regtag)->status, status);
    if (!strstr(regtag_result(run.regtag)->error, words))
        fail_msg("\"%s\" is not in: %s", words, regtag_result(run.regtag)->error);
}

static void end_with(enum regtag_status status)
{
    run_on(&run);
    expect_end(&run, status);
    finish(&run);
}

/* ---- Manifests and blobs --------------------------------------------------------------------- */

static void an_image_is_saved(void **state)
{
    (void)state;
    begin_save(IMAGE);
    expect_no_part();
    choose_manifest("");
    expect_manifest(image, OCI);
    expect_part(config, 2, false, false);
    expect_part(fox, strlen(FOX), false, false);
    expect_part(dog, strlen(DOG), false, true);
    expect_no_part();
    choose_blob(config, EMPTY);
    expect_blob(EMPTY);
    choose_blob(fox, FOX);
    expect_blob(FOX);
    assert_int_equal(run.wire.gets, 3);
    assert_int_equal(run.wire.connections, 1);
    end_with(REGTAG_OK);
}

static void an_index_is_walked(void **state)
{
    (void)state;
    begin_save("localhost/a:index");
    choose_manifest("");
    expect_manifest(indexes, INDEX_TYPE);
    expect_part(child, strlen(image), true, false);
    expect_no_part();
    choose_manifest(child);
    expect_manifest(image, OCI);
    expect_part(config, 2, false, false);
    choose_manifest("");
    expect_manifest(indexes, INDEX_TYPE);
    end_with(REGTAG_OK);
}

/* Only a layer may be elsewhere: a config or a child with "urls" belongs to the image. */
static void a_config_or_a_child_with_urls_is_here(void **state)
{
    static const char digest[] =
        "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    char text[400];
    (void)state;
    for (unsigned index = 0; index < 2; index++) {
        begin_save(index ? "localhost/a:index" : IMAGE);
        snprintf(text, sizeof text,
                 "{\"schemaVersion\":2,\"%s\":%s{\"mediaType\":\"%s\",\"size\":2,\"digest\":\"%s\","
                 "\"urls\":[\"x\"]}%s}",
                 index ? "manifests" : "config", index ? "[" : "", OCI, digest,
                 index ? "]" : ",\"layers\":[]");
        wire_push(&run.wire, index ? "index" : "image", index ? INDEX_TYPE : OCI, text, strlen(text));
        choose_manifest("");
        expect_part(digest, 2, index, false);
        expect_no_part();
        end_with(REGTAG_OK);
    }
}

static void a_platform_is_for_the_image_alone(void **state)
{
    char index[72];
    (void)state;
    begin_save(IMAGE);
    wire_digest(indexes, strlen(indexes), index);
    wire_push(&run.wire, index, INDEX_TYPE, indexes, strlen(indexes));
    run.config.platform = "linux/arm64";
    begin_again(&run);
    assert_int_equal(regtag_save(run.regtag, "localhost/a:index"), REGTAG_OK);
    to_choice();
    choose_manifest("");
    expect_manifest(image, OCI);
    choose_manifest(index);
    expect_manifest(indexes, INDEX_TYPE);
    choose_manifest("");
    expect_manifest(image, OCI);
    end_with(REGTAG_OK);
}

static void blobs_need_no_manifest(void **state)
{
    (void)state;
    begin_save(IMAGE);
    choose_blob(dog, DOG);
    expect_blob(DOG);
    expect_no_part();
    choose_blob(fox, FOX);
    expect_blob(FOX);
    end_with(REGTAG_OK);
}

static void nothing_need_be_chosen(void **state)
{
    (void)state;
    begin_save(IMAGE);
    assert_int_equal(run.wire.gets, 0);
    end_with(REGTAG_OK);
}

static void what_is_no_digest_is_not_chosen(void **state)
{
    static const char *const WRONG[] = {
        "sha256:", "x", "sha256:44136FA", "image",
        ("sha512:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef01234567"
         "89abcdef0123456789abcdef0123456789abcdef")};
    (void)state;
    for (size_t i = 0; i < COUNT(WRONG); i++) {
        begin_save(IMAGE);
        regtag_choose_blob(run.regtag, WRONG[i], 1);
        regtag_choose_manifest(run.regtag, WRONG[i]);
        end_with(REGTAG_OK);
    }
}

static void the_last_choice_counts(void **state)
{
    (void)state;
    begin_save(IMAGE);
    regtag_choose_blob(run.regtag, fox, 1);
    regtag_choose_manifest(run.regtag, child);
    choose_blob(dog, DOG);
    expect_blob(DOG);
    assert_int_equal(run.wire.gets, 1);
    end_with(REGTAG_OK);
}

static void it_can_be_chosen_only_when_asked(void **state)
{
    (void)state;
    begin_save(IMAGE);
    choose_manifest("");
    end_with(REGTAG_OK);
    begin(&run);
    regtag_choose_blob(run.regtag, ZEROS, 1);
    regtag_choose_manifest(run.regtag, "");
    expect_no_part();
    regtag_have(run.regtag, "x", 1);
    finish(&run);
    begin_save(IMAGE);
    regtag_choose_blob(run.regtag, fox, strlen(FOX));
    step(&run);
    regtag_choose_blob(run.regtag, dog, strlen(DOG));
    regtag_choose_manifest(run.regtag, child);
    regtag_choose_manifest(run.regtag, "");
    to_choice();
    expect_blob(FOX);
    end_with(REGTAG_OK);
}

/* ---- Failures -------------------------------------------------------------------------------- */

static void a_failure_does_not_end_it(void **state)
{
    (void)state;
    begin_save(IMAGE);
    run.wire.ranges.instead = "something else fully";
    choose_blob(fox, FOX);
    expect_status(REGTAG_E_REFUSED, fox);
    run.wire.ranges.instead = NULL;
    choose_blob(dog, DOG);
    expect_blob(DOG);
    choose_manifest(ZEROS);
    expect_status(REGTAG_E_NOT_FOUND, ZEROS);
    expect_no_part();
    choose_manifest(child);
    expect_manifest(image, OCI);
    end_with(REGTAG_E_REFUSED);
}

static void a_manifest_is_the_one_that_was_chosen(void **state)
{
    (void)state;
    begin_save(IMAGE);
    run.wire.quirk[0] = (struct wire_quirk){
        .request = "GET sha256:",
        .instead =
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/vnd.oci.image.manifest.v1+json\r\n\r\n{}"};
    choose_manifest(child);
    expect_status(REGTAG_E_REFUSED, "another one");
    expect_no_part();
    end_with(REGTAG_E_REFUSED);
}

static void what_it_refers_to_must_be_checkable(void **state)
{
    char sha512[136] = "sha512:";
    (void)state;
    begin_save(IMAGE);
    memset(sha512 + strlen(sha512), '0', 128);
    push_image(sha512);
    choose_manifest("");
    expect_status(REGTAG_E_REFUSED, "sha512:000");
    expect_no_part();
    end_with(REGTAG_E_REFUSED);
}

static void schema_1_is_refused(void **state)
{
    (void)state;
    begin_save(IMAGE);
    wire_push(&run.wire, "image", SCHEMA1, "{\"schemaVersion\":1}", 19);
    choose_manifest("");
    expect_status(REGTAG_E_SCHEMA1, "schema 1");
    end_with(REGTAG_E_SCHEMA1);
}

static void a_blob_can_be_declined(void **state)
{
    (void)state;
    begin_save(IMAGE);
    regtag_choose_blob(run.regtag, fox, strlen(FOX));
    while (step(&run) && run.end != REGTAG_BYTES)
        ;
    regtag_decline(run.regtag, "the disk is full");
    to_choice();
    expect_status(REGTAG_E_OTHER, "the disk is full");
    choose_blob(dog, DOG);
    expect_blob(DOG);
    end_with(REGTAG_E_OTHER);
}

static void a_manifest_is_not_declined(void **state)
{
    (void)state;
    begin_save(IMAGE);
    regtag_choose_manifest(run.regtag, "");
    step(&run);
    regtag_decline(run.regtag, "the disk is full");
    to_choice();
    expect_manifest(image, OCI);
    end_with(REGTAG_OK);
}

static void only_the_rest_is_asked_for(void **state)
{
    (void)state;
    begin_save(IMAGE);
    regtag_choose_blob(run.regtag, fox, strlen(FOX));
    regtag_have(run.regtag, FOX, 10);
    while (step(&run) && run.end != REGTAG_BYTES)
        ;
    uint64_t at;
    size_t size;
    const void *bytes = regtag_bytes(run.regtag, &at, &size);
    assert_int_equal(at, 10);
    assert_memory_equal(bytes, FOX + 10, size);
    to_choice();
    end_with(REGTAG_OK);
}

static void a_broken_connection_is_continued(void **state)
{
    static char text[2000];
    (void)state;
    begin_save(IMAGE);
    run.config.retries = 3;
    begin_again(&run);
    memset(text, 'x', sizeof text - 1);
    const char *digest = wire_push_blob(&run.wire, text, sizeof text - 1, NULL);
    assert_int_equal(regtag_save(run.regtag, IMAGE), REGTAG_OK);
    to_choice();
    run.wire.fault = (struct wire_fault){.armed = true, .at = run.wire.received + 1000};
    choose_blob(digest, text);
    expect_blob(text);
    assert_false(run.wire.fault.armed);
    end_with(REGTAG_OK);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_image_is_saved),
        cmocka_unit_test(an_index_is_walked),
        cmocka_unit_test(a_config_or_a_child_with_urls_is_here),
        cmocka_unit_test(a_platform_is_for_the_image_alone),
        cmocka_unit_test(blobs_need_no_manifest),
        cmocka_unit_test(nothing_need_be_chosen),
        cmocka_unit_test(what_is_no_digest_is_not_chosen),
        cmocka_unit_test(the_last_choice_counts),
        cmocka_unit_test(it_can_be_chosen_only_when_asked),
        cmocka_unit_test(a_failure_does_not_end_it),
        cmocka_unit_test(a_manifest_is_the_one_that_was_chosen),
        cmocka_unit_test(what_it_refers_to_must_be_checkable),
        cmocka_unit_test(schema_1_is_refused),
        cmocka_unit_test(a_blob_can_be_declined),
        cmocka_unit_test(a_manifest_is_not_declined),
        cmocka_unit_test(only_the_rest_is_asked_for),
        cmocka_unit_test(a_broken_connection_is_continued),
    };
    if (getenv("ONLY"))
        cmocka_set_test_filter(getenv("ONLY"));
    return cmocka_run_group_tests_name("save", tests, NULL, NULL);
}
