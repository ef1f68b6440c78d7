/* What an archive consists of besides blobs: the headers of a tar, the images of index.json, and which blobs there are.
 * tests/e2e/test_save.py has others read the whole. */
#include "run.h"

#include "cli/blob_list.h"
#include "cli/layout_writer.h"
#include "cli/tar_writer.h"

#define GIB (UINT64_C(1) << 30)

/* ---- Headers --------------------------------------------------------------------------------- */

static void expect_sum(const char block[TAR_BLOCK])
{
    unsigned sum = 0;
    char digits[8];
    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += i >= 148 && i < 156 ? ' ' : (unsigned char)block[i];
    snprintf(digits, sizeof digits, "%06o", sum);
    assert_memory_equal(block + 148, digits, 7);
    assert_int_equal(block[155], ' ');
}

static void a_header_has_nothing_by_chance(void **state)
{
    char block[TAR_BLOCK], same[TAR_BLOCK];
    (void)state;
    memset(block, 1, sizeof block);
    memset(same, 2, sizeof same);
    tar_write_header(block, "index.json", 01234567);
    tar_write_header(same, "index.json", 01234567);
    assert_memory_equal(block, same, sizeof block);
    assert_string_equal(block, "index.json");
    assert_memory_equal(block + 100,
                        "0000644\0"
                        "0000000\0"
                        "0000000",
                        24);
    assert_memory_equal(block + 124,
                        "00001234567\0"
                        "00000000000",
                        24);
    assert_memory_equal(block + 156, "0", 2);
    assert_memory_equal(block + 257, "ustar\00000", 9);
    expect_sum(block);
}

static void a_slash_at_the_end_makes_a_folder(void **state)
{
    char block[TAR_BLOCK];
    (void)state;
    tar_write_header(block, "blobs/", 0);
    assert_memory_equal(block + 100, "0000755", 8);
    assert_memory_equal(block + 156, "5", 2);
    expect_sum(block);
}

static void a_name_may_fill_its_field(void **state)
{
    char block[TAR_BLOCK], name[TAR_NAME_MAX + 1];
    (void)state;
    memset(name, 'n', TAR_NAME_MAX);
    name[TAR_NAME_MAX] = '\0';
    tar_write_header(block, name, 0);
    assert_memory_equal(block, name, TAR_NAME_MAX);
    assert_memory_equal(block + TAR_NAME_MAX, "0000644", 8);
    expect_sum(block);
}

static void large_sizes_are_in_base_256(void **state)
{
    static const struct {
        uint64_t size;
        const char *field;
    } CASES[] = {
        {0, "00000000000\0"},
        {8 * GIB - 1, "77777777777\0"},
        {8 * GIB, "\x80\0\0\0\0\0\0\x02\0\0\0\0"},
        {UINT64_C(0x0123456789abcdef), "\x80\0\0\0\x01\x23\x45\x67\x89\xab\xcd\xef"},
    };
    char block[TAR_BLOCK];
    (void)state;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        tar_write_header(block, "x", CASES[i].size);
        assert_memory_equal(block + 124, CASES[i].field, 12);
        expect_sum(block);
    }
}

static void content_is_padded_to_blocks(void **state)
{
    (void)state;
    assert_int_equal(tar_padding(0), 0);
    assert_int_equal(tar_padding(1), 511);
    assert_int_equal(tar_padding(512), 0);
    assert_int_equal(tar_padding(513), 511);
    assert_int_equal(tar_padding(8 * GIB + 511), 1);
}

/* ---- index.json ------------------------------------------------------------------------------ */

#define NAMED(annotations)                                                                              \
    "{\"mediaType\":\"a/b\",\"digest\":\"sha256:12\",\"size\":34,\"annotations\":{" annotations "}}"

static void images_are_named_for_everyone(void **state)
{
    static const struct {
        const char *reference;
        bool full;
        const char *text;
    } CASES[] = {
        {"host:5000/team/app:1.4", false,
         NAMED(
             "\"io.containerd.image.name\":\"host:5000/team/app:1.4\",\"org.opencontainers.image.ref.name\":\"1.4\"")},
        {"host:5000/team/app:1.4", true,
         NAMED("\"io.containerd.image.name\":\"host:5000/team/app:1.4\","
               "\"org.opencontainers.image.ref.name\":\"host:5000/team/app:1.4\"")},
        {"busybox", false,
         NAMED("\"io.containerd.image.name\":\"docker.io/library/busybox:latest\","
               "\"org.opencontainers.image.ref.name\":\"latest\"")},
        {"[::1]:5000/a", false,
         NAMED("\"io.containerd.image.name\":\"[::1]:5000/a:latest\","
               "\"org.opencontainers.image.ref.name\":\"latest\"")},
    };
    struct layout_entry image = {.media_type = "a/b", .digest = "sha256:12", .size = 34};
    (void)state;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        char text[LAYOUT_ENTRY_MAX];
        struct writer w = writer_to(text, sizeof text - 1);
        struct error e;
        error_clear(&e);
        assert_true(reference_parse(&image.reference, slice_of(CASES[i].reference), &e));
        image.full_name = CASES[i].full;
        write_layout_entry(&w, &image);
        text[w.used] = '\0';
        assert_false(w.overflow);
        assert_string_equal(text, CASES[i].text);
    }
}

static void name_image(const char *reference, char text[LAYOUT_ENTRY_MAX])
{
    struct layout_entry image = {
        .media_type = "a/b", .digest = "sha256:12", .size = 34, .full_name = true};
    struct writer w = writer_to(text, LAYOUT_ENTRY_MAX - 1);
    struct error e;
    error_clear(&e);
    assert_true(reference_parse(&image.reference, slice_of(reference), &e));
    write_layout_entry(&w, &image);
    assert_false(w.overflow);
    text[w.used] = '\0';
}

static void a_digest_is_no_tag(void **state)
{
    char text[LAYOUT_ENTRY_MAX], reference[200], expected[LAYOUT_ENTRY_MAX];
    (void)state;
    snprintf(reference, sizeof reference, "host.example/app@%s", ZEROS);
    name_image(reference, text);
    snprintf(expected, sizeof expected, NAMED("\"io.containerd.image.name\":\"host.example/app@%s\""),
             ZEROS);
    assert_string_equal(text, expected);

    snprintf(reference, sizeof reference, "host.example/app:x@%s", ZEROS);
    name_image(reference, text);
    assert_non_null(strstr(text, "\"io.containerd.image.name\":\"host.example/app:x\""));
}

static void the_longest_reference_fits(void **state)
{
    char text[LAYOUT_ENTRY_MAX], reference[1000] = "", part[64];
    (void)state;
    memset(part, 'h', 63);
    part[63] = '\0';
    for (unsigned i = 0; i < 3; i++)
        snprintf(reference + strlen(reference), sizeof reference - strlen(reference), "%s.", part);
    snprintf(reference + strlen(reference), sizeof reference - strlen(reference), "%.61s:65535/", part);
    memset(reference + strlen(reference), 'r', 255); /* the rest is zeros */
    size_t used = strlen(reference);
    reference[used] = ':';
    memset(reference + used + 1, 't', 128);
    name_image(reference, text);
}

/* ---- The list of blobs ----------------------------------------------------------------------- */

static struct blob_list list; /* too large for the stack */

static struct listed_blob blob(unsigned number, bool manifest)
{
    struct listed_blob b = {.size = number, .manifest = manifest};
    memcpy(b.sum + 20, &number, sizeof number);
    return b;
}

static bool add(unsigned number, bool manifest)
{
    struct listed_blob b = blob(number, manifest);
    return blob_list_add(&list, &b);
}

static unsigned next_manifest(void)
{
    const struct listed_blob *b = blob_list_manifest(&list);
    return b ? (unsigned)b->size : 0;
}

static void each_is_listed_once(void **state)
{
    (void)state;
    memset(&list, 0, sizeof list);
    assert_true(add(1, true) && add(2, false) && add(3, true) && add(2, false) && add(1, true));
    assert_true(add(1, false));
    assert_int_equal(list.count, 3);
    assert_int_equal(next_manifest(), 1);
    assert_true(add(4, true));
    assert_int_equal(next_manifest(), 3);
    assert_int_equal(next_manifest(), 4);
    assert_int_equal(next_manifest(), 0);
}

static void what_turns_out_to_be_a_manifest_becomes_one(void **state)
{
    (void)state;
    memset(&list, 0, sizeof list);
    assert_true(add(1, true) && add(2, false) && add(3, true));
    assert_int_equal(next_manifest(), 1);
    assert_int_equal(next_manifest(), 3);
    assert_true(add(2, true));
    assert_int_equal(list.count, 3);
    assert_int_equal(next_manifest(), 2);
    assert_int_equal(next_manifest(), 0);
}

static void a_full_list_takes_only_what_it_has(void **state)
{
    (void)state;
    memset(&list, 0, sizeof list);
    for (list.count = 0; list.count < SAVE_BLOBS_MAX; list.count++)
        list.list[list.count] = blob(list.count + 1, false);
    assert_false(add(SAVE_BLOBS_MAX + 1, false));
    assert_true(add(SAVE_BLOBS_MAX, false));
    assert_true(add(SAVE_BLOBS_MAX, true));
    assert_int_equal(next_manifest(), SAVE_BLOBS_MAX);
}

static void digests_are_read(void **state)
{
    char text[DIGEST_SHA256_SIZE + 1];
    unsigned char sum[32];
    (void)state;
    sum_of_digest(digest_of_new(), sum);
    digest_from_sum(sum, text);
    assert_string_equal(text, digest_of_new());
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_has_nothing_by_chance),
        cmocka_unit_test(a_slash_at_the_end_makes_a_folder),
        cmocka_unit_test(a_name_may_fill_its_field),
        cmocka_unit_test(large_sizes_are_in_base_256),
        cmocka_unit_test(content_is_padded_to_blocks),
        cmocka_unit_test(images_are_named_for_everyone),
        cmocka_unit_test(a_digest_is_no_tag),
        cmocka_unit_test(the_longest_reference_fits),
        cmocka_unit_test(each_is_listed_once),
        cmocka_unit_test(what_turns_out_to_be_a_manifest_becomes_one),
        cmocka_unit_test(a_full_list_takes_only_what_it_has),
        cmocka_unit_test(digests_are_read),
    };
    if (getenv("ONLY"))
        cmocka_set_test_filter(getenv("ONLY"));
    return cmocka_run_group_tests_name("archive", tests, NULL, NULL);
}
