/* Images that are loaded only if they are signed: the signature is somewhere in what the store lists, whatever else is there,
 * and whatever the store does. */
#include "signed.h"

#define LIST "index.json"
#define OTHER_TYPE "application/vnd.example.sbom"

/* The store is a registry that nobody connects to; what is loaded goes to that of `run`. */
static struct run run;
static struct run *from; /* for the functions of signed.h, which put signatures into its registry */
static char list[16384];
static const char *failing; /* a digest, or LIST: reading fails */
static unsigned reads, hashes_left;
static size_t handed; /* bytes that were read */
static bool ended;    /* the tag "long" was read to its end */

/* ---- The store ------------------------------------------------------------------------------- */

static ptrdiff_t copy_part(const char *all, size_t size, uint64_t offset, void *bytes, size_t room)
{
    size_t rest = offset < size ? size - (size_t)offset : 0;
    size_t count = rest < room ? rest : room;
    if (count)
        memcpy(bytes, all + offset, count);
    handed += count;
    return (ptrdiff_t)count;
}

static ptrdiff_t store_read(void *context, const char *name, uint64_t offset, void *bytes, size_t size)
{
    const struct wire *w = context;
    const struct wire_tag *t = wire_find(w, name);
    reads++;
    if (failing && strcmp(name, failing) == 0)
        return REGTAG_IO_FAILED;
    if (strcmp(name, LIST) == 0)
        return copy_part(list, strlen(list), offset, bytes, size);
    if (t && strcmp(t->name, "long") == 0)
        ended = ended || offset == t->manifest.size;
    if (t)
        return copy_part(t->manifest.data, t->manifest.size, offset, bytes, size);
    for (size_t i = 0; i < w->blob_count; i++)
        if (strcmp(w->blobs[i].digest, name) == 0)
            return copy_part(w->blobs[i].bytes.data, w->blobs[i].bytes.size, offset, bytes, size);
    return REGTAG_IO_CLOSED;
}

static const char *store_problem(void *context)
{
    (void)context;
    return "the stick was pulled out";
}

/* ---- What is in it --------------------------------------------------------------------------- */

static void add_to_list(const char *digest, const char *more)
{
    size_t used = strlen(list);
    snprintf(list + used - 2, sizeof list - used,
             "%s{\"mediaType\":\"%s\",\"size\":2,\"digest\":\"%s\"%s}]}", used > 16 ? "," : "", OCI,
             digest, more);
}

static const char *named(const char *name)
{
    static char more[200];
    snprintf(more, sizeof more, ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"%s\"}", name);
    return more;
}

static void list_tag(const char *tag, const char *more)
{
    add_to_list(wire_find(&from->wire, tag)->digest, more);
}

/* Signatures in layers, as `cosign save` has them. */
static void sign(const char *image, unsigned key, const char *name)
{
    struct signed_layer layer = {image, NULL, key};
    push_layers(from, image, &layer, 1);
    list_tag(tag_of(image, ".sig"), name ? named(name) : "");
}

static void sign_in_bundle(const char *image, unsigned key, const char *more)
{
    add_to_list(push_bundle(from, image, image, SIGN, key), more);
}

/* The last blob, or the manifest at a tag, is other bytes than its digest says. */
static void spoil_blob(void)
{
    from->wire.blobs[from->wire.blob_count - 1].bytes.data[3] ^= 1;
}

static const char *last_blob(void)
{
    return from->wire.blobs[from->wire.blob_count - 1].digest;
}

/* ---- Running --------------------------------------------------------------------------------- */

static struct run source;

static int (*start)(void *context);

static int start_some(void *context)
{
    return hashes_left-- ? start(context) : 1;
}

static void prepare(void)
{
    from = &source;
    begin(from);
    wire_push_blob(&from->wire, "{}", 2, NULL); /* CONFIG */
    snprintf(list, sizeof list, "{\"manifests\":[]}");
    failing = NULL;
    reads = 0;
    handed = 0;
    ended = false;
    begin(&run);
    wire_delete(&run.wire, "base");
    run.config.keys = 2;
    run.config.verify = signed_verify;
    run.config.manifest_max = 64 * 1024;
    run.config.tokens_max = 2048;
    run.config.store = (struct regtag_store){
        .context = &from->wire, .read = store_read, .problem = store_problem, .list = LIST};
    widen(&run, 2);
}

static void load(const char *digest)
{
    begin_again(&run);
    assert_int_equal(regtag_require_signature(run.regtag), REGTAG_OK);
    assert_int_equal(regtag_load(run.regtag, digest, "localhost/a:new"), REGTAG_OK);
    run_on(&run);
}

static void end(void)
{
    finish(&run);
    finish(from);
}

/* `words`: NULL if it is signed. */
static void expect(const char *what, enum regtag_status status, const char *words)
{
    const char *text;
    regtag_error(run.regtag, &text);
    if (regtag_error(run.regtag, NULL) != status || (words && !strstr(text, words)))
        fail_msg("%s: expected %d, \"%s\", got %d, %s", what, status, words ? words : "",
                 regtag_error(run.regtag, NULL), text);
    expect_end(&run, status);
    expect_outcome(&run, words ? REGTAG_TAG_FAILED : REGTAG_TAG_MOVED);
    assert_int_equal(IS_NEW(&run, "new"), !words);
    assert_int_equal(IS_OLD(&run, "new"), !!words);
    if (words)
        assert_int_equal(run.wire.puts, 0);
}

/* ---- Signatures ------------------------------------------------------------------------------ */

static void in_a_layer(void)
{
    sign(digest_of_new(), 1, NULL);
}

static void with_its_name(void)
{
    sign(digest_of_new(), 1, tag_of(digest_of_new(), ".sig"));
}

static void with_a_repository_in_its_name(void)
{
    char name[120];
    snprintf(name, sizeof name, "localhost/a:%s", tag_of(digest_of_new(), ".sig"));
    sign(digest_of_new(), 1, name);
}

/* Names of the same length, and shorter ones, that are not those of signatures. */
static void with_any_name(void)
{
    sign(digest_of_old(), 1, "latest");
    sign(digest_of_rival(), 1, tag_of(digest_of_rival(), ".att"));
    char name[80];
    snprintf(name, sizeof name, "%s", tag_of(digest_of_new(), ".sig"));
    name[3] = 'X';
    sign(digest_of_new(), 1, name);
}

static void in_a_bundle(void)
{
    sign_in_bundle(digest_of_new(), 1, ",\"artifactType\":\"" BUNDLE "\"");
}

static void in_the_last_layer(void)
{
    const struct signed_layer layers[] = {{digest_of_new(), NULL, 7},
                                          {digest_of_new(), "another type", 1},
                                          {digest_of_old(), NULL, 1},
                                          {digest_of_new(), NULL, 0}};
    push_layers(from, digest_of_new(), layers, COUNT(layers));
    list_tag(tag_of(digest_of_new(), ".sig"), "");
}

/* Nothing of what is before it is in the way. */
static void behind_what_is_none(void)
{
    static char text[] = "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[" CONFIG "]}";
    add_to_list("sha256:123", "");
    add_to_list(ZEROS, "");
    add_to_list(digest_of_new(), "");
    wire_push(&from->wire, "text", OCI, "no JSON", 7);
    list_tag("text", "");
    wire_push(&from->wire, "unsigned layer", OCI, text, sizeof text - 1);
    list_tag("unsigned layer", "");
    sign_in_bundle(digest_of_old(), 0, "");
    sign_in_bundle(digest_of_new(), 7, "");
    sign_in_bundle(digest_of_new(), 1, "");
    spoil_blob();
    sign_in_bundle(digest_of_new(), 0, "");
}

static void a_signature_is_found_wherever_the_list_leads_to_it(void **state)
{
    static void (*const ways[])(void) = {
        in_a_layer,        with_its_name,      with_a_repository_in_its_name, with_any_name, in_a_bundle,
        in_the_last_layer, behind_what_is_none};
    (void)state;
    for (size_t i = 0; i < COUNT(ways); i++) {
        char what[20];
        prepare();
        wire_push(&from->wire, "base", OCI, NEW, sizeof NEW - 1);
        ways[i]();
        load(digest_of_new());
        snprintf(what, sizeof what, "way %zu", i);
        expect(what, REGTAG_OK, NULL);
        end();
    }
}

/* ---- None ------------------------------------------------------------------------------------ */

static void nothing(void)
{
}

static void no_list(void)
{
    run.config.store.list = NULL;
    in_a_layer();
}

static void a_list_that_is_none(void)
{
    in_a_layer();
    list[0] = '[';
}

static void of_another_image(void)
{
    sign(digest_of_old(), 1, NULL);
}

static void by_another_key(void)
{
    sign(digest_of_new(), 7, NULL);
}

static void in_a_bundle_by_another_key(void)
{
    sign_in_bundle(digest_of_new(), 7, "");
}

static void of_another_type(void)
{
    sign_in_bundle(digest_of_new(), 1, ",\"artifactType\":\"" OTHER_TYPE "\"");
}

static void named_for_another_image(void)
{
    sign(digest_of_new(), 1, tag_of(digest_of_old(), ".sig"));
}

static void named_for_another_image_in_a_repository(void)
{
    char name[120];
    snprintf(name, sizeof name, "localhost/a:%s", tag_of(digest_of_old(), ".sig"));
    sign(digest_of_new(), 1, name);
}

static void a_payload_that_is_missing(void)
{
    in_a_layer();
    memset(from->wire.blobs[from->wire.blob_count - 1].digest, 'x', 10);
}

static void a_payload_that_is_another(void)
{
    in_a_layer();
    spoil_blob();
}

static void a_bundle_that_is_another(void)
{
    in_a_bundle();
    spoil_blob();
}

static void a_manifest_that_is_another(void)
{
    in_a_layer();
    from->wire.tags[from->wire.tag_count - 1].manifest.data[0] = ' ';
}

static void a_signature_that_is_none(void)
{
    static const char HEAD[] =
        "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[{\"mediaType\":"
        "\"application/vnd.dev.cosign.simplesigning.v1+json\",\"size\":2,"
        "\"digest\":\"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f"
        "61caaff8a\",\"annotations\":{\"dev.cosignproject.cosign/signature\":\"*\"}}]}";
    wire_push(&from->wire, "malformed", OCI, HEAD, sizeof HEAD - 1);
    list_tag("malformed", "");
}

/* Of as many as there are, no more than 32 are looked at. */
static void sign_too_often(const char *image)
{
    struct signed_layer layers[34];
    for (size_t i = 0; i < COUNT(layers); i++)
        layers[i] = (struct signed_layer){image, NULL, i + 1 < COUNT(layers) ? 7 : 1};
    push_layers(from, image, layers, COUNT(layers));
    list_tag(tag_of(image, ".sig"), named(tag_of(image, ".sig")));
}

static void behind_too_many(void)
{
    sign_too_often(digest_of_new());
}

/* It says that it is a bundle, and has none. */
static void a_bundle_that_is_not_there(void)
{
    char manifest[600];
    int size =
        snprintf(manifest, sizeof manifest,
                 "{\"schemaVersion\":2,\"artifactType\":\"" BUNDLE "\",\"config\":" CONFIG
                 ",\"layers\":[],\"subject\":{\"mediaType\":\"%s\",\"size\":2,\"digest\":\"%s\"}}",
                 OCI, digest_of_new());
    wire_push(&from->wire, "empty", OCI, manifest, (size_t)size);
    list_tag("empty", "");
}

static const struct {
    void (*prepare)(void);
    const char *words;
} unsigned_ways[] = {
    {a_bundle_that_is_not_there, "malformed"},
    {nothing, "it is not signed with a required key"},
    {no_list, "it is not signed with a required key"},
    {a_list_that_is_none, "it is not signed with a required key"},
    {of_another_image, "another digest"},
    {by_another_key, "by another key"},
    {in_a_bundle_by_another_key, "by another key"},
    {of_another_type, "it is not signed with a required key"},
    {named_for_another_image, "it is not signed with a required key"},
    {named_for_another_image_in_a_repository, "it is not signed with a required key"},
    {a_payload_that_is_missing, "malformed"},
    {a_payload_that_is_another, "malformed"},
    {a_bundle_that_is_another, "malformed"},
    {a_manifest_that_is_another, "it is not signed with a required key"},
    {a_signature_that_is_none, "malformed"},
    {behind_too_many, "but at no more than 32 signatures"},
};

static void without_a_good_signature_nothing_is_loaded(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(unsigned_ways); i++) {
        char what[20];
        prepare();
        unsigned_ways[i].prepare();
        load(digest_of_new());
        snprintf(what, sizeof what, "way %zu", i);
        expect(what, REGTAG_E_UNSIGNED, unsigned_ways[i].words);
        end();
    }
}

static int has_no_memory(void *context, unsigned key, const struct regtag_part *parts, size_t count,
                         const void *signature, size_t size)
{
    (void)context, (void)key, (void)parts, (void)count, (void)signature, (void)size;
    return REGTAG_VERIFY_UNABLE;
}

static void what_cannot_be_verified_for_lack_of_memory_is_not_called_unsigned(void **state)
{
    (void)state;
    prepare();
    by_another_key();
    run.config.verify = has_no_memory;
    load(digest_of_new());
    expect("no memory", REGTAG_E_OTHER, "there is not enough memory");
    end();
}

/* ---- An index -------------------------------------------------------------------------------- */

static const char *push_new_index(void)
{
    char index[600];
    int size =
        snprintf(index, sizeof index,
                 "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"%s\",\"size\":%zu,"
                 "\"digest\":\"%s\",\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}}]}",
                 OCI, sizeof NEW - 1, digest_of_new());
    wire_push(&from->wire, "index", INDEX, index, (size_t)size);
    return wire_find(&from->wire, "index")->digest;
}

static void with_a_platform_the_image_or_its_index_must_be_signed(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        char index[72];
        prepare();
        run.config.platform = "linux/amd64";
        snprintf(index, sizeof index, "%s", push_new_index());
        if (i == 1)
            sign(index, 1, NULL);
        if (i == 2)
            sign(digest_of_new(), 1, NULL);
        load(index);
        expect(i == 1 ? "the index" : "the image", i ? REGTAG_OK : REGTAG_E_UNSIGNED,
               i ? NULL : "neither it nor its index is signed");
        end();
    }
}

/* As many signatures of the one as of the other. */
static void somebody_else_may_have_signed_one_of_them_often(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        char index[72];
        prepare();
        run.config.platform = "linux/amd64";
        snprintf(index, sizeof index, "%s", push_new_index());
        sign_too_often(i % 2 ? digest_of_new() : index);
        if (i < 2)
            sign(i ? index : digest_of_new(), 1, NULL);
        load(index);
        expect(i % 2 ? "the image" : "the index", i < 2 ? REGTAG_OK : REGTAG_E_UNSIGNED,
               i < 2 ? NULL : "no more than 32 signatures of each");
        end();
    }
}

/* Whoever signs an index vouches for the digests in it. */
static void with_its_index_every_image_is_signed(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        char index[72];
        prepare();
        snprintf(index, sizeof index, "%s", push_new_index());
        if (i)
            sign(index, 1, NULL);
        load(index);
        expect_end(&run, i ? REGTAG_OK : REGTAG_E_UNSIGNED);
        assert_int_equal(
            wire_find(&run.wire, "new") && strcmp(wire_find(&run.wire, "new")->digest, index) == 0, i);
        end();
    }
}

/* ---- Failures -------------------------------------------------------------------------------- */

/* That a signature cannot be read is not that there is none; unless another one is good. */
static void a_store_that_fails_is_no_proof(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        char digest[72] = LIST;
        prepare();
        sign_in_bundle(digest_of_new(), 1, "");
        if (i == 1 || i == 5)
            snprintf(digest, sizeof digest, "%s", last_blob());
        if (i == 2)
            snprintf(digest, sizeof digest, "%s", from->wire.tags[from->wire.tag_count - 1].digest);
        if (i >= 3)
            sign(digest_of_new(), 0, NULL);
        if (i == 3)
            snprintf(digest, sizeof digest, "%s", last_blob());
        if (i == 4)
            add_to_list(digest_of_old(), "");
        failing = digest;
        load(digest_of_new());
        if (i == 3 || i == 5)
            expect("another one is good", REGTAG_OK, NULL);
        else
            expect("it cannot be read", REGTAG_E_OTHER, "the stick was pulled out");
        end();
    }
}

/* The first failure is told. */
static void several_failures_are_one(void **state)
{
    char digest[72];
    (void)state;
    prepare();
    sign_in_bundle(digest_of_new(), 1, "");
    snprintf(digest, sizeof digest, "%s", from->wire.tags[from->wire.tag_count - 1].digest);
    add_to_list(digest, "");
    failing = digest;
    load(digest_of_new());
    expect("twice", REGTAG_E_OTHER, "the stick was pulled out");
    end();
}

/* Whenever SHA-256 fails, nothing is loaded. */
static void without_a_hash_nothing_is_signed(void **state)
{
    unsigned tries = 0;
    (void)state;
    for (enum regtag_event last = REGTAG_ERROR; last != REGTAG_DONE; tries++) {
        prepare();
        sign(digest_of_new(), 1, NULL);
        start = run.config.hash.start;
        run.config.hash.start = start_some;
        hashes_left = tries;
        load(digest_of_new());
        last = run.end;
        assert_int_equal(IS_NEW(&run, "new"), last == REGTAG_DONE);
        if (last != REGTAG_DONE)
            assert_true(IS_OLD(&run, "new"));
        end();
    }
    assert_true(tries > 3);
}

/* ---- Memory ---------------------------------------------------------------------------------- */

/* In any memory that takes the manifest: signed, or not found to be. */
static void what_does_not_fit_is_not_there(void **state)
{
    bool found = false;
    (void)state;
    for (size_t size = sizeof NEW; !found; size += 64) {
        prepare();
        sign(digest_of_new(), 1, NULL);
        run.config.manifest_max = size;
        widen(&run, 2);
        load(digest_of_new());
        found = run.end == REGTAG_DONE;
        if (found)
            expect("it fits", REGTAG_OK, NULL);
        else
            expect("it does not fit", REGTAG_E_UNSIGNED, "it is not signed");
        end();
        assert_true(size < 16384);
    }
}

/* It has no signature, and the next one counts. A short one is read, but has none either. */
static void what_is_no_document_is_not_read_to_its_end(void **state)
{
    static char text[400000];
    static const size_t sizes[] = {1000, 65536, 65537, 400000};
    (void)state;
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        prepare();
        run.config.manifest_max = 512 * 1024;
        widen(&run, 2);
        wire_push(&from->wire, "base", OCI, NEW, sizeof NEW - 1);
        wire_push(&from->wire, "long", OCI, text, sizes[i]);
        list_tag("long", "");
        in_a_layer();
        load(digest_of_new());
        expect("behind it", REGTAG_OK, NULL);
        assert_true(handed > (sizes[i] < 65536 ? sizes[i] : 65536) && handed < 140000);
        assert_int_equal(ended, sizes[i] <= 65536);
        end();
    }
    memset(text, ' ', 70000); /* so that it begins well */
    prepare();
    run.config.manifest_max = 512 * 1024;
    widen(&run, 2);
    wire_push(&from->wire, "base", OCI, NEW, sizeof NEW - 1);
    wire_push(&from->wire, "long", OCI, text, sizeof text);
    list_tag("long", "");
    in_a_layer();
    load(digest_of_new());
    expect("behind it", REGTAG_OK, NULL);
    assert_in_range(handed, 70000, 140000);
    end();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_its_index_every_image_is_signed),
        cmocka_unit_test(a_signature_is_found_wherever_the_list_leads_to_it),
        cmocka_unit_test(without_a_good_signature_nothing_is_loaded),
        cmocka_unit_test(what_cannot_be_verified_for_lack_of_memory_is_not_called_unsigned),
        cmocka_unit_test(with_a_platform_the_image_or_its_index_must_be_signed),
        cmocka_unit_test(somebody_else_may_have_signed_one_of_them_often),
        cmocka_unit_test(a_store_that_fails_is_no_proof),
        cmocka_unit_test(several_failures_are_one),
        cmocka_unit_test(without_a_hash_nothing_is_signed),
        cmocka_unit_test(what_does_not_fit_is_not_there),
        cmocka_unit_test(what_is_no_document_is_not_read_to_its_end),
    };
    return cmocka_run_group_tests_name("store signatures", tests, NULL, NULL);
}
