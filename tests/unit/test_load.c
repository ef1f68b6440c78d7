/* Images that are uploaded from a store of the caller: all of it or nothing, and only what its digests say; whatever the
 * store, the registry and the network do. */
#include "run.h"

#define ENTRIES_MAX 12
#define RETRIES 3
#define IMAGE_CONFIG "application/vnd.oci.image.config.v1+json"
#define LAYER "application/vnd.oci.image.layer.v1.tar"
#define TARGET "localhost/a:loaded"

struct entry {
    char digest[72];
    char *bytes, room[4096];
    size_t size;
    bool missing;
    unsigned reads; /* of one byte or more */
};

/* The store, and the operation that reads it. */
struct load {
    struct run run;
    struct entry entries[ENTRIES_MAX];
    size_t count;
    const char *image; /* the digest of the last one that was put together */
    const char *target;
    size_t most;    /* bytes a read; 0: any number */
    bool forward;   /* a pipe: does not go back */
    uint64_t next;  /* where it is, */
    const char *at; /* in this blob */
    unsigned calls, fails_at;
    unsigned odd_reads;           /* within a record of TLS */
    size_t in_step, most_in_step; /* bytes that were read in one step */
    uint64_t cut;                 /* 0, or after so many bytes that were sent the way breaks, */
    uint64_t cut_again;           /* and then again and again after so many */
};

static struct load f; /* too large for the stack */
static char large[400001];

/* ---- The store ------------------------------------------------------------------------------- */

static struct entry *find(const char *digest)
{
    for (size_t i = 0; i < f.count; i++)
        if (strcmp(f.entries[i].digest, digest) == 0 && !f.entries[i].missing)
            return &f.entries[i];
    return NULL;
}

static ptrdiff_t store_read(void *context, const char *digest, uint64_t offset, void *bytes, size_t size)
{
    struct entry *e = find(digest);
    assert_ptr_equal(context, &f);
    if (++f.calls == f.fails_at)
        return REGTAG_IO_FAILED;
    if (!e)
        return REGTAG_IO_CLOSED;
    if (size == 0)
        return 0;
    e->reads++;
    f.odd_reads += offset % 4096 != 0;
    if (f.forward && offset && (f.at != e->digest || offset != f.next))
        return REGTAG_IO_FAILED;
    assert_true(offset <= e->size);
    size_t rest = e->size - (size_t)offset, most = f.most && f.most < rest ? f.most : rest;
    size = size < most ? size : most;
    memcpy(bytes, e->bytes + offset, size);
    f.at = e->digest;
    f.next = offset + size;
    f.in_step += size;
    f.most_in_step = f.in_step > f.most_in_step ? f.in_step : f.most_in_step;
    return (ptrdiff_t)size;
}

static const char *store_problem(void *context)
{
    assert_ptr_equal(context, &f);
    return f.forward ? "it has gone by already" : "the stick was pulled out";
}

static struct entry *put(const char *bytes, size_t size)
{
    struct entry *e = &f.entries[f.count++];
    assert_true(f.count <= ENTRIES_MAX && (size <= sizeof e->room || bytes == large));
    e->bytes = size > sizeof e->room ? large : e->room;
    memmove(e->bytes, bytes, size);
    e->size = size;
    wire_digest(bytes, size, e->digest);
    return e;
}

static struct entry *put_text(const char *text)
{
    return put(text, strlen(text));
}

/* ---- Images ---------------------------------------------------------------------------------- */

static char text[16384];
static size_t used;

static void write(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    used += (size_t)vsnprintf(text + used, sizeof text - used, format, arguments);
    va_end(arguments);
    assert_true(used < sizeof text);
}

static void write_descriptor(const char *type, const struct entry *e, const char *more)
{
    write("{\"mediaType\":\"%s\",\"size\":%zu,\"digest\":\"%s\"%s}", type, e->size, e->digest, more);
}

static struct entry *end_manifest(void)
{
    struct entry *e = put(text, used);
    f.image = e->digest;
    return e;
}

/* A manifest with this config and this layer, or none. */
static struct entry *put_image(const char *config, const char *layer)
{
    const struct entry *c = put_text(config), *l = layer ? put_text(layer) : NULL;
    used = 0;
    write("{\"schemaVersion\":2,\"config\":");
    write_descriptor(IMAGE_CONFIG, c, "");
    write(",\"layers\":[");
    if (l)
        write_descriptor(LAYER, l, "");
    write("]}");
    return end_manifest();
}

static struct entry *put_index(const struct entry *const *children, size_t count)
{
    static const char *const architectures[] = {"amd64", "arm64", "arm", "386"};
    char more[100];
    used = 0;
    write("{\"schemaVersion\":2,\"manifests\":[");
    for (size_t i = 0; i < count; i++) {
        snprintf(more, sizeof more, ",\"platform\":{\"os\":\"linux\",\"architecture\":\"%s\"}",
                 architectures[i % 4]);
        write("%s", i ? "," : "");
        write_descriptor(OCI, children[i], more);
    }
    write("]}");
    return end_manifest();
}

#define FOX "The quick brown fox jumps over the lazy dog"
#define CONFIG_TEXT "{\"os\":\"linux\"}"

static void put_fox(void)
{
    put_image(CONFIG_TEXT, FOX);
}

/* ---- Running --------------------------------------------------------------------------------- */

static void begin_empty(void)
{
    memset(&f, 0, sizeof f);
    f.target = TARGET;
    begin(&f.run);
    f.run.config.retries = RETRIES;
    f.run.config.store =
        (struct regtag_store){.context = &f, .read = store_read, .problem = store_problem};
    begin_again(&f.run);
}

static void begin_fox(void)
{
    begin_empty();
    put_fox();
}

static void before_step(void)
{
    struct wire *w = &f.run.wire;
    f.in_step = 0;
    if (!f.cut || w->fault.armed)
        return;
    w->fault = (struct wire_fault){.armed = true, .writing = true, .at = w->sent + f.cut};
    f.cut = f.cut_again;
}

static void load(void)
{
    assert_int_equal(regtag_load(f.run.regtag, f.image, f.target), REGTAG_OK);
    do
        before_step();
    while (step(&f.run));
    snprintf(f.run.digest, sizeof f.run.digest, "%s", regtag_result(f.run.regtag)->digest);
}

static void end(void)
{
    finish(&f.run);
}

static bool is_there(const struct entry *e)
{
    for (size_t i = 0; i < f.run.wire.blob_count; i++)
        if (strcmp(f.run.wire.blobs[i].digest, e->digest) == 0)
            return f.run.wire.blobs[i].bytes.size == e->size &&
                   memcmp(f.run.wire.blobs[i].bytes.data, e->bytes, e->size) == 0;
    return false;
}

static bool is_tagged(const char *tag)
{
    const struct wire_tag *t = wire_find(&f.run.wire, tag);
    return t && strcmp(t->digest, f.image) == 0;
}

/* All is in the registry, and the tag points at it. */
static void expect_loaded(void)
{
    expect_end(&f.run, REGTAG_OK);
    expect_outcome(&f.run, REGTAG_TAG_CREATED);
    assert_string_equal(f.run.digest, f.image);
    for (size_t i = 0; i < f.count; i++)
        assert_true(f.entries[i].missing || is_there(&f.entries[i]) ||
                    wire_find(&f.run.wire, f.entries[i].digest));
    assert_true(is_tagged("loaded"));
}

/* Uploads that were begun have been ended, and the tag is not there. */
static void expect_failure(enum regtag_status status, const char *words)
{
    expect_end(&f.run, status);
    expect_outcome(&f.run, REGTAG_TAG_FAILED);
    assert_int_equal(f.run.status[0], status);
    expect_text(&f.run, words);
    assert_null(wire_find(&f.run.wire, "loaded"));
    for (unsigned i = 0; i < f.run.wire.upload_count; i++)
        assert_true(f.run.wire.uploads[i].ended);
}

static void expect_all_moved(void)
{
    uint64_t moved, all;
    regtag_progress(f.run.regtag, &moved, &all);
    assert_int_equal(moved, strlen(CONFIG_TEXT FOX));
    assert_int_equal(all, moved);
}

/* ---- An image -------------------------------------------------------------------------------- */

static void an_image_is_uploaded_blobs_first(void **state)
{
    char expected[1024];
    (void)state;
    begin_fox();
    const char *config = f.entries[0].digest, *layer = f.entries[1].digest;
    load();
    expect_loaded();
    snprintf(expected, sizeof expected,
             "HEAD loaded\nHEAD %s\nPOST \nPATCH 1\nPUT 1?digest=%s\n"
             "HEAD %s\nPOST \nPATCH 2\nPUT 2?digest=%s\nHEAD loaded\nPUT loaded\n",
             config, config, layer, layer);
    expect_asked(&f.run, expected);
    assert_string_equal(f.run.wire.put_type, OCI);
    expect_all_moved();
    end();
}

static void blobs_that_are_there_are_not_read(void **state)
{
    (void)state;
    begin_fox();
    wire_push_blob(&f.run.wire, FOX, strlen(FOX), NULL);
    load();
    expect_loaded();
    assert_int_equal(f.entries[1].reads, 0);
    assert_true(f.entries[0].reads > 0);
    end();
}

static void expect_no_upload(void)
{
    assert_int_equal(f.run.wire.requests, f.run.wire.heads);
}

static void an_image_that_is_there_is_not_uploaded(void **state)
{
    (void)state;
    begin_fox();
    const struct entry *manifest = find(f.image);
    wire_push(&f.run.wire, "loaded", OCI, manifest->bytes, manifest->size);
    load();
    expect_end(&f.run, REGTAG_OK);
    expect_outcome(&f.run, REGTAG_TAG_UNCHANGED);
    expect_no_upload();
    end();
}

static void without_a_tag_it_is_uploaded_by_its_digest(void **state)
{
    (void)state;
    begin_fox();
    f.target = "localhost/a";
    f.run.uploads = 1; /* nothing is announced where no tag is moved */
    load();
    expect_end(&f.run, REGTAG_OK);
    expect_outcome(&f.run, REGTAG_TAG_CREATED);
    assert_true(is_tagged(f.image));
    assert_null(wire_find(&f.run.wire, "latest"));
    end();
}

static void a_dry_run_changes_nothing(void **state)
{
    (void)state;
    begin_fox();
    f.run.config.dry_run = true;
    begin_again(&f.run);
    load();
    expect_end(&f.run, REGTAG_OK);
    expect_outcome(&f.run, REGTAG_TAG_CREATED);
    expect_no_upload();
    end();
}

static void a_guard_keeps_the_tag(void **state)
{
    static const char *const absent[] = {"absent"};
    (void)state;
    begin_fox();
    f.target = "localhost/a:new";
    f.run.config.expected = absent;
    f.run.config.expected_count = 1;
    begin_again(&f.run);
    load();
    expect_end(&f.run, REGTAG_E_GUARD);
    expect_outcome(&f.run, REGTAG_TAG_FAILED);
    assert_true(IS_OLD(&f.run, "new"));
    expect_no_upload();
    end();
}

static void a_tag_is_moved(void **state)
{
    (void)state;
    begin_fox();
    f.target = "localhost/a:new";
    load();
    expect_end(&f.run, REGTAG_OK);
    expect_outcome(&f.run, REGTAG_TAG_MOVED);
    assert_string_equal(f.run.previous[0], digest_of_old());
    assert_int_equal(f.run.uploads, 1);
    assert_true(is_tagged("new"));
    end();
}

static void layers_are_uploaded_once_and_foreign_ones_never(void **state)
{
    (void)state;
    begin_empty();
    const struct entry *config = put_text(CONFIG_TEXT), *fox = put_text(FOX);
    struct entry *foreign = put_text("of a company in Redmond");
    used = 0;
    write("{\"schemaVersion\":2,\"config\":");
    write_descriptor(IMAGE_CONFIG, config, "");
    write(",\"layers\":[");
    write_descriptor(LAYER, fox, "");
    write(",");
    write_descriptor(LAYER, foreign, ",\"urls\":[\"https://elsewhere.test/layer\"]");
    write(",");
    write_descriptor(LAYER, fox, "");
    write("]}");
    end_manifest();
    foreign->missing = true;
    take_notes(&f.run, false);
    load();
    expect_loaded();
    assert_int_equal(f.run.wire.upload_count, 2);
    assert_non_null(strstr(f.run.notes, "!skipped sha256:"));
    end();
}

static void an_empty_blob_is_uploaded(void **state)
{
    (void)state;
    begin_empty();
    put_image(CONFIG_TEXT, "");
    load();
    expect_loaded();
    end();
}

/* ---- Media types ----------------------------------------------------------------------------- */

static void load_manifest(const char *manifest)
{
    begin_empty();
    put_text("{}"); /* CONFIG */
    f.image = put_text(manifest)->digest;
    load();
}

static void the_document_says_what_it_is(void **state)
{
    static const char docker[] = "application/vnd.docker.distribution.manifest.v2+json";
    static const char artifact[] = "application/vnd.oci.artifact.manifest.v1+json";
    char manifest[1024];
    (void)state;
    snprintf(manifest, sizeof manifest,
             "{\"schemaVersion\":2,\"mediaType\":\"%s\",\"config\":" CONFIG ",\"layers\":[]}", docker);
    load_manifest(manifest);
    expect_loaded();
    assert_string_equal(f.run.wire.put_type, docker);
    end();
    snprintf(manifest, sizeof manifest, "{\"mediaType\":\"%s\",\"artifactType\":\"a/b\"}", artifact);
    load_manifest(manifest);
    expect_end(&f.run, REGTAG_OK);
    assert_string_equal(f.run.wire.put_type, artifact);
    end();
}

static void what_is_no_manifest_is_refused(void **state)
{
    static const struct {
        const char *manifest, *words;
        enum regtag_status status;
    } cases[] = {
        {"{\"schemaVersion\":2}", "what kind of manifest", REGTAG_E_REFUSED},
        {"{\"mediaType\":\"text/html\"}", "text/html", REGTAG_E_REFUSED},
        {"[]", "what kind of manifest", REGTAG_E_REFUSED},
        {"", "JSON", REGTAG_E_REFUSED},
        {"{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[],\"manifests\":[]}", "CVE-2021-41190",
         REGTAG_E_REFUSED},
        {"{\"schemaVersion\":1,\"name\":\"a\",\"fsLayers\":[],\"history\":[]}", "schema 1",
         REGTAG_E_SCHEMA1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        load_manifest(cases[i].manifest);
        expect_failure(cases[i].status, cases[i].words);
        expect_text(&f.run, "localhost/a@sha256:");
        expect_no_upload();
        end();
    }
}

static void a_manifest_fits_to_the_last_byte(void **state)
{
    static char manifest[4096];
    (void)state;
    for (int surplus = -1; surplus <= 1; surplus++) {
        begin_empty();
        put_text("{}");
        size_t limit = 1024;
        snprintf(manifest, sizeof manifest, "%-*s", (int)limit + surplus,
                 "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[]}");
        f.image = put_text(manifest)->digest;
        f.run.config.manifest_max = limit;
        widen(&f.run, 2);
        assert_int_equal(f.run.config.manifest_max % 16, 0);
        if (f.run.config.manifest_max != limit)
            fail_msg("the limit is %zu", f.run.config.manifest_max);
        load();
        if (surplus <= 0)
            expect_loaded();
        else
            expect_failure(REGTAG_E_REFUSED, "larger than the limit of 1024 bytes");
        end();
    }
}

/* A long one is given up before its digest is known; a short one is another one, first of all. */
static void a_manifest_that_is_no_document_is_not_read_to_its_end(void **state)
{
    static const struct {
        size_t size, most;
        unsigned reads;
        const char *words;
    } cases[] = {{65536, 0, 2, "what is to be loaded is another manifest"},
                 {65537, 0, 2, "is not valid JSON at byte 0: a value is missing"},
                 {400000, 0, 2, "is not valid JSON at byte 0: a value is missing"},
                 {400000, 1000, 66, "is not valid JSON at byte 0: a value is missing"}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        begin_empty();
        f.run.config.manifest_max = 512 * 1024;
        widen(&f.run, 2);
        memset(large, 'x', sizeof large - 1);
        struct entry *e = put(large, cases[i].size);
        e->digest[7] ^= 1;
        f.image = e->digest;
        f.most = cases[i].most;
        load();
        assert_int_equal(e->reads, cases[i].reads);
        expect_failure(REGTAG_E_REFUSED, cases[i].words);
        end();
    }
}

static void a_long_manifest_is_read_to_its_end(void **state)
{
    static const char manifest[] = "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[]}";
    (void)state;
    for (size_t most = 0; most <= 1000; most += 1000) {
        begin_empty();
        put_text("{}");
        f.run.config.manifest_max = 512 * 1024;
        widen(&f.run, 2);
        memset(large, ' ', sizeof large - 1);
        memcpy(large + 300000, manifest, sizeof manifest - 1);
        f.image = put(large, 400000)->digest;
        f.most = most;
        load();
        expect_loaded();
        end();
    }
}

/* ---- Indexes --------------------------------------------------------------------------------- */

static void begin_index(struct entry *children[3])
{
    begin_empty();
    children[0] = put_image("{\"a\":1}", "first");
    children[1] = put_image("{\"a\":2}", "second");
    children[2] = put_image("{\"a\":3}", NULL);
    put_index((const struct entry *const *)children, 3);
}

static void the_children_of_an_index_come_first(void **state)
{
    struct entry *children[3];
    char requests[100];
    (void)state;
    begin_index(children);
    f.run.uploads = 1; /* children are not announced */
    load();
    expect_loaded();
    const char *asked = f.run.wire.asked.data, *before = asked;
    for (size_t i = 0; i < 3; i++) {
        snprintf(requests, sizeof requests, "PUT %s\n", children[i]->digest);
        const char *at = strstr(asked, requests);
        assert_true(at && at > before);
        before = at;
    }
    assert_true(strstr(asked, "PUT loaded\n") > before);
    end();
}

/* They are all there; each is seen at the second attempt only. */
static void one_child_does_not_use_up_the_retries_of_the_next(void **state)
{
    struct entry *children[3];
    char requests[3][100];
    (void)state;
    begin_index(children);
    f.run.config.retries = 1;
    begin_again(&f.run);
    for (size_t i = 0; i < 3; i++) {
        snprintf(requests[i], sizeof requests[i], "HEAD %s", children[i]->digest);
        wire_push(&f.run.wire, children[i]->digest, OCI, children[i]->bytes, children[i]->size);
        f.run.wire.quirk[i] = (struct wire_quirk){
            .request = requests[i], .instead = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"};
    }
    load();
    expect_end(&f.run, REGTAG_OK);
    assert_true(is_tagged("loaded"));
    end();
}

/* A child that the registry has taken before all of it was sent may not be there, unless the registry knows its digest. */
static void a_child_is_not_taken_before_it_was_sent(void **state)
{
    (void)state;
    for (unsigned stated = 0; stated < 2; stated++) {
        struct entry *children[3];
        char answer[200];
        begin_index(children);
        snprintf(answer, sizeof answer, "HTTP/1.1 201 Created\r\n%s%s\r\nContent-Length: 0\r\n\r\n",
                 stated ? "Docker-Content-Digest: " : "Docker-Content-Digest:",
                 stated ? children[0]->digest : "");
        f.run.wire.early = (struct wire_early){.method = "PUT", .at = 450, .times = 1, .text = answer};
        f.run.uploads = 1;
        load();
        assert_int_equal(f.run.wire.early.times, 0);
        if (stated)
            expect_end(&f.run, REGTAG_OK);
        else
            expect_failure(REGTAG_E_PROTOCOL, "has not taken the whole manifest sha256:");
        end();
    }
}

/* An index in an index, and one that is there. */
static void an_index_may_have_indexes(void **state)
{
    const struct entry *both[2];
    (void)state;
    for (int there = 0; there < 2; there++) {
        begin_empty();
        const struct entry *child = put_image("{\"a\":1}", "first");
        both[0] = put_index(&child, 1);
        both[1] = put_image("{\"a\":2}", "second");
        put_index(both, 2);
        if (there)
            wire_push(&f.run.wire, both[0]->digest, INDEX, both[0]->bytes, both[0]->size);
        f.run.uploads = 1;
        load();
        expect_end(&f.run, REGTAG_OK);
        assert_true(is_tagged("loaded"));
        assert_int_equal(f.run.wire.upload_count, there ? 2 : 4);
        end();
    }
}

/* The index does not fit beside its children, and is read again. */
static void a_small_memory_is_enough(void **state)
{
    struct entry *children[3];
    (void)state;
    begin_index(children);
    f.run.uploads = 1;
    f.run.config.manifest_max = find(f.image)->size;
    widen(&f.run, 2);
    load();
    expect_loaded();
    assert_true(find(f.image)->reads > 3);
    end();
}

static void missing_children_are_named_before_anything_is_uploaded(void **state)
{
    struct entry *children[3];
    char words[200];
    (void)state;
    begin_index(children);
    children[1]->missing = children[2]->missing = true;
    load();
    snprintf(words, sizeof words, "missing: linux/arm64 %s, linux/arm %s", children[1]->digest,
             children[2]->digest);
    expect_failure(REGTAG_E_REFUSED, words);
    expect_no_upload();
    end();
}

static void many_missing_children_are_not_all_named(void **state)
{
    const struct entry *children[10];
    (void)state;
    begin_empty();
    struct entry *child = put_image("{\"a\":1}", NULL);
    for (size_t i = 0; i < COUNT(children); i++)
        children[i] = child;
    put_index(children, COUNT(children));
    child->missing = true;
    load();
    expect_failure(REGTAG_E_REFUSED, " ...");
    end();
}

static void a_missing_child_with_a_long_name_is_noticed(void **state)
{
    char more[700];
    (void)state;
    begin_empty();
    struct entry *child = put_image("{\"a\":1}", NULL);
    snprintf(more, sizeof more, ",\"platform\":{\"os\":\"%0600d\",\"architecture\":\"arm\"}", 0);
    used = 0;
    write("{\"schemaVersion\":2,\"manifests\":[");
    write_descriptor(OCI, child, more);
    write("]}");
    end_manifest();
    child->missing = true;
    load();
    expect_failure(REGTAG_E_REFUSED, "missing:  ...");
    end();
}

static void a_platform_that_is_there_is_enough(void **state)
{
    struct entry *children[3];
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        begin_index(children);
        children[i]->missing = true;
        children[2]->missing = true;
        f.run.config.platform = "linux/arm64";
        begin_again(&f.run);
        f.image = children[1]->digest;
        const char *child = f.image;
        f.image = f.entries[f.count - 1].digest;
        load();
        f.image = child;
        if (i == 0) {
            expect_end(&f.run, REGTAG_OK);
            assert_true(is_tagged("loaded"));
        } else
            expect_failure(REGTAG_E_REFUSED, "it is missing");
        end();
    }
}

static void a_platform_has_to_be_in_the_index(void **state)
{
    struct entry *children[3];
    (void)state;
    begin_index(children);
    f.run.config.platform = "linux/s390x";
    begin_again(&f.run);
    load();
    expect_failure(REGTAG_E_NOT_FOUND, "no image for linux/s390x");
    end();
}

static void a_child_that_cannot_be_checked_is_refused(void **state)
{
    (void)state;
    begin_empty();
    used = 0;
    write(
        "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"%s\",\"size\":2,\"digest\":\"sha512:%0128d\"}]}",
        OCI, 0);
    end_manifest();
    load();
    expect_failure(REGTAG_E_REFUSED, "cannot be checked");
    end();
}

/* It is named, and not the child before it. */
static void an_index_that_cannot_be_checked_is_named(void **state)
{
    char words[200];
    (void)state;
    begin_fox();
    const struct entry *child = &f.entries[f.count - 1];
    used = 0;
    write("{\"schemaVersion\":2,\"manifests\":[");
    write_descriptor(OCI, child, "");
    write(",{\"mediaType\":\"%s\",\"size\":2,\"digest\":\"sha512:%0128d\"}]}", OCI, 0);
    end_manifest();
    load();
    snprintf(words, sizeof words, "localhost/a@%s: a manifest has a digest", f.image);
    expect_failure(REGTAG_E_REFUSED, words);
    end();
}

/* Wherever the store fails, also where it is only asked whether a child is there. */
static void an_index_is_not_loaded_from_a_store_that_fails(void **state)
{
    (void)state;
    for (unsigned at = 1;; at++) {
        struct entry *children[3];
        begin_index(children);
        f.fails_at = at;
        load();
        bool failed = f.calls >= at;
        if (failed)
            expect_failure(REGTAG_E_OTHER, "the stick was pulled out");
        else
            expect_loaded();
        end();
        if (!failed)
            break;
    }
}

/* As many blobs at a time as there are connections, but not more than memory has been divided for. */
static void with_many_connections_memory_is_divided(void **state)
{
    static struct regtag_sha256_context contexts[17];
    struct regtag_hash hashes[17];
    (void)state;
    begin_fox();
    for (size_t i = 0; i < COUNT(hashes); i++)
        hashes[i] = regtag_sha256(&contexts[i]);
    f.run.config.hashes = hashes;
    f.run.config.hashes_count = COUNT(hashes);
    widen(&f.run, 18);
    assert_int_equal(regtag_load(f.run.regtag, f.image, f.target), REGTAG_OK);
    end();
}

/* What goes into one write is whole records of TLS, but for the end. */
static void a_blob_is_read_in_whole_records(void **state)
{
    (void)state;
    begin_empty();
    memset(large, 'x', sizeof large - 1);
    const struct entry *c = put_text(CONFIG_TEXT), *l = put(large, sizeof large - 1);
    used = 0;
    write("{\"schemaVersion\":2,\"config\":");
    write_descriptor(IMAGE_CONFIG, c, "");
    write(",\"layers\":[");
    write_descriptor(LAYER, l, "");
    write("]}");
    const struct entry *m = end_manifest();
    load();
    expect_loaded();
    assert_true(l->reads > 2);
    assert_int_equal(f.odd_reads, m->reads - 1 + c->reads - 1 + 1); /* where each has ended */
    end();
}

/* ---- Wrong and missing bytes ------------------------------------------------------------------ */

static void a_missing_blob_is_named_before_it_is_begun(void **state)
{
    char words[200];
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        begin_fox();
        f.entries[i].missing = true;
        load();
        snprintf(words, sizeof words, "blob %s: it is missing", f.entries[i].digest);
        expect_failure(REGTAG_E_REFUSED, words);
        assert_int_equal(f.run.wire.upload_count, i);
        end();
    }
}

static void a_missing_manifest_is_named(void **state)
{
    (void)state;
    begin_fox();
    f.entries[2].missing = true;
    load();
    expect_failure(REGTAG_E_REFUSED, f.image);
    expect_text(&f.run, "it is missing");
    end();
}

static void every_byte_counts(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++)
        for (size_t at = 0; at == 0 || at < f.entries[i].size; at++) {
            begin_fox();
            f.most = at % 7;
            f.entries[i].bytes[at] ^= 0x20;
            load();
            expect_failure(REGTAG_E_REFUSED, i < 2 ? "the bytes that arrived are other ones"
                                                   : "what is to be loaded is another manifest");
            assert_false(is_there(&f.entries[1]));
            finish(&f.run);
        }
}

static void a_blob_of_another_size_is_refused(void **state)
{
    (void)state;
    for (int change = -1; change <= 1; change += 2) {
        begin_fox();
        f.entries[1].size = (size_t)((int)f.entries[1].size + change);
        load();
        expect_failure(REGTAG_E_REFUSED, change < 0 ? "42 bytes instead of 43" : "more than 43 bytes");
        end();
    }
}

static void a_store_may_fail_at_every_read(void **state)
{
    unsigned calls = 0;
    (void)state;
    begin_fox();
    load();
    calls = f.calls;
    end();
    assert_true(calls > 6);
    for (unsigned at = 1; at <= calls; at++) {
        begin_fox();
        f.fails_at = at;
        load();
        expect_failure(REGTAG_E_OTHER, "the stick was pulled out");
        end();
    }
}

static void bytes_may_come_in_any_pieces(void **state)
{
    (void)state;
    for (size_t most = 1; most < 50; most++) {
        begin_fox();
        f.most = most;
        f.run.wire.step = most % 5;
        load();
        expect_loaded();
        end();
    }
}

/* ---- Connections ----------------------------------------------------------------------------- */

static void expect_loaded_after_cut(const char *what, uint64_t at)
{
    bool good = is_good(f.run.outcome[0]);
    if (f.run.settled != 1 || (good && !is_tagged("loaded")) || good != (f.run.end == REGTAG_DONE))
        fail_msg("cut %s after %llu bytes: outcome %d", what, (unsigned long long)at, f.run.outcome[0]);
    if (!good)
        fail_msg("cut %s after %llu bytes: it was given up", what, (unsigned long long)at);
    assert_true(is_there(&f.entries[0]) && is_there(&f.entries[1]));
    expect_all_moved();
}

/* `forward`: a pipe cannot go back, so what it has handed over may be lost. */
static void cut_everywhere(bool forward, size_t loses, bool forgets, uint64_t stride)
{
    uint64_t total[2] = {0, 0};
    for (int writing = 0; writing < 2; writing++)
        for (uint64_t at = 0; at == 0 || at < total[writing]; at += stride) {
            begin_fox();
            f.forward = forward;
            f.most = 16;
            f.run.wire.manners.upload_loses = loses;
            f.run.wire.manners.forgets_uploads = forgets;
            f.run.wire.fault = (struct wire_fault){.armed = true, .writing = writing, .at = at};
            load();
            total[0] = f.run.wire.received > total[0] ? f.run.wire.received : total[0];
            total[1] = f.run.wire.sent > total[1] ? f.run.wire.sent : total[1];
            if (!forward || is_good(f.run.outcome[0]))
                expect_loaded_after_cut(writing ? "writing" : "reading", at);
            else
                expect_failure(REGTAG_E_OTHER, "it has gone by already");
            end();
        }
}

static void a_connection_may_break_at_every_byte(void **state)
{
    (void)state;
    cut_everywhere(false, 0, false, 1);
}

static void what_got_lost_is_read_again(void **state)
{
    (void)state;
    cut_everywhere(false, 20, false, 1);
}

/* Also if it had all been read and found to be right. */
static void what_the_registry_did_not_keep_is_read_again(void **state)
{
    (void)state;
    for (size_t loses = 1; loses <= strlen(FOX) - 2; loses++) {
        begin_fox();
        f.most = 16;
        f.run.wire.manners.delay = 10;
        f.run.wire.manners.upload_loses = loses;
        f.run.wire.manners.fail_method = "PATCH";
        f.run.wire.manners.fail_after = 1;
        f.run.wire.manners.fail = 1;
        f.run.wire.manners.fail_status = 500;
        load();
        expect_loaded();
        expect_all_moved();
        assert_int_equal(f.run.wire.upload_count, 2);
        end();
    }
}

static void an_upload_that_is_forgotten_begins_anew(void **state)
{
    (void)state;
    cut_everywhere(false, 0, true, 5);
}

static void a_pipe_may_not_go_back(void **state)
{
    (void)state;
    cut_everywhere(true, 20, false, 5);
}

static void without_a_loss_a_pipe_need_not_go_back(void **state)
{
    (void)state;
    cut_everywhere(true, 0, false, 5);
}

/* Progress is what the registry has, not what was handed over. */
static void attempts_end_where_nothing_arrives(void **state)
{
    (void)state;
    memset(large, 'a', sizeof large - 1);
    begin_empty();
    put_image("{}", large);
    f.cut = 90000;
    f.cut_again = 80000;
    f.run.wire.manners.upload_loses = sizeof large;
    load();
    expect_end(&f.run, REGTAG_E_NO_CONNECTION);
    expect_outcome(&f.run, REGTAG_TAG_FAILED);
    assert_int_equal(f.run.wire.upload_count, 1 + RETRIES + 1); /* the config's, and each attempt's */
    end();
}

static uint64_t send_large(uint64_t cut)
{
    memset(large, 'a', sizeof large - 1);
    begin_empty();
    put_image("{}", large);
    f.run.wire.manners.upload_loses = 5000;
    f.run.wire.fault = (struct wire_fault){.armed = cut > 0, .writing = true, .at = cut};
    load();
    expect_loaded();
    uint64_t sent = f.run.wire.sent;
    end();
    return sent;
}

/* However fast they go, others get their turn, and the time is looked at. */
static void a_step_is_short(void **state)
{
    (void)state;
    send_large(0);
    assert_true(f.most_in_step > 100000 && f.most_in_step < 150000);
}

static void an_upload_goes_on_where_it_broke(void **state)
{
    uint64_t whole = send_large(0);
    (void)state;
    for (uint64_t cut = 10000; cut < sizeof large; cut += 30000)
        assert_true(send_large(cut) < whole + 5000 + 1000);
}

/* Strictly one after the other with one hash, so that a pipe will do. */
static void one_blob_at_a_time_or_several(void **state)
{
    static struct regtag_sha256_context contexts[2];
    const struct regtag_hash hashes[] = {regtag_sha256(&contexts[0]), regtag_sha256(&contexts[1])};
    (void)state;
    for (size_t count = 0; count <= 2; count++) {
        begin_fox();
        f.run.config.hashes = count ? hashes : NULL;
        f.run.config.hashes_count = count;
        f.run.wire.manners.delay = 10;
        widen(&f.run, 4);
        load();
        expect_loaded();
        const char *second = strstr(f.run.wire.asked.data, f.entries[1].digest);
        const char *commit = strstr(f.run.wire.asked.data, "PUT 1?digest=");
        if (REGTAG_CONNECTIONS_MAX >= 6)
            assert_int_equal(second < commit, count == 2);
        end();
    }
}

static void blobs_are_not_mixed_up(void **state)
{
    static struct regtag_sha256_context contexts[2];
    const struct regtag_hash hashes[] = {regtag_sha256(&contexts[0]), regtag_sha256(&contexts[1])};
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        begin_fox();
        f.run.config.hashes = hashes;
        f.run.config.hashes_count = 2;
        f.run.wire.seed = seed;
        f.most = seed % 16;
        widen(&f.run, 4);
        load();
        expect_loaded();
        end();
    }
}

static void if_one_blob_fails_so_does_the_other(void **state)
{
    static struct regtag_sha256_context contexts[2];
    const struct regtag_hash hashes[] = {regtag_sha256(&contexts[0]), regtag_sha256(&contexts[1])};
    (void)state;
    begin_fox();
    f.run.config.hashes = hashes;
    f.run.config.hashes_count = 2;
    f.entries[0].bytes[3] ^= 1;
    f.most = 1;
    widen(&f.run, 4);
    load();
    expect_failure(REGTAG_E_REFUSED, f.entries[0].digest);
    end();
}

/* The layer that cannot be checked has its turn while another one is under way. */
static void if_one_blob_cannot_be_checked_the_other_fails(void **state)
{
    static struct regtag_sha256_context contexts[2];
    const struct regtag_hash hashes[] = {regtag_sha256(&contexts[0]), regtag_sha256(&contexts[1])};
    char commit[100];
    (void)state;
    begin_empty();
    const struct entry *config = put_text(CONFIG_TEXT), *fox = put_text(FOX);
    used = 0;
    write("{\"schemaVersion\":2,\"config\":");
    write_descriptor(IMAGE_CONFIG, config, "");
    write(",\"layers\":[");
    write_descriptor(LAYER, fox, "");
    write(",{\"mediaType\":\"%s\",\"size\":2,\"digest\":\"sha512:%0128d\"}]}", LAYER, 0);
    end_manifest();
    f.run.config.hashes = hashes;
    f.run.config.hashes_count = 2;
    f.most = 1;
    widen(&f.run, 4);
    wire_push_blob(&f.run.wire, config->bytes, config->size, NULL);
    load();
    expect_failure(REGTAG_E_REFUSED, "only sha256 digests can be checked");
    snprintf(commit, sizeof commit, "PUT 1?digest=%s", fox->digest);
    assert_null(strstr(f.run.wire.asked.data, commit));
    end();
}

/* The token server is the registry itself, and one connection to it carries a blob for long: another one is free. */
static void a_login_does_not_wait_for_an_upload(void **state)
{
    static struct regtag_sha256_context contexts[2];
    const struct regtag_hash hashes[] = {regtag_sha256(&contexts[0]), regtag_sha256(&contexts[1])};
    char head[80];
    uint64_t at = 0;
    (void)state;
    begin_fox();
    const struct entry *c = &f.entries[0], *first = &f.entries[1], *second = put_text("a second layer");
    f.entries[2].missing = true; /* the manifest without it */
    used = 0;
    write("{\"schemaVersion\":2,\"config\":");
    write_descriptor(IMAGE_CONFIG, c, "");
    write(",\"layers\":[");
    write_descriptor(LAYER, first, "");
    write(",");
    write_descriptor(LAYER, second, "");
    write("]}");
    end_manifest();
    snprintf(head, sizeof head, "HEAD %s", second->digest);
    f.run.config.hashes = hashes;
    f.run.config.hashes_count = 2;
    f.run.wire.manners.realm = "http://localhost/token";
    f.run.wire.quirk[0] = (struct wire_quirk){.request = "PATCH 1", .delay = 5000};
    f.run.wire.quirk[1] = (struct wire_quirk){
        .request = head,
        .instead =
            "HTTP/1.1 401 Expired\r\nWWW-Authenticate: Bearer realm=\"/token\"\r\nContent-Length: 0\r\n\r\n"};
    widen(&f.run, 4);
    load();
    expect_loaded();
    assert_int_equal(f.run.wire.tokens, 2);
    for (unsigned i = 0; i < f.run.wire.taken_count; i++)
        if (strncmp(f.run.wire.taken[i].reference, "token", 5) == 0)
            at = f.run.wire.taken[i].at;
    assert_true(at < 5000);
    end();
}

#define UNAUTHORIZED(challenge)                                                                         \
    "HTTP/1.1 401 No\r\nWWW-Authenticate: " challenge "\r\nContent-Length: 0\r\n\r\n"

/* One blob was asked about before any login, and the refusal comes when the other one has led to two: that is no challenge
 * for a third. */
static void a_late_refusal_leads_to_no_other_login(void **state)
{
    static struct regtag_sha256_context contexts[2];
    const struct regtag_hash hashes[] = {regtag_sha256(&contexts[0]), regtag_sha256(&contexts[1])};
    char heads[2][80];
    unsigned asked = 0;
    (void)state;
    if (REGTAG_CONNECTIONS_MAX < 6)
        return; /* one blob at a time */
    begin_fox();
    for (unsigned i = 0; i < 2; i++)
        snprintf(heads[i], sizeof heads[i], "HEAD %s", f.entries[i].digest);
    f.run.config.credentials = (struct regtag_credentials){.user = "user", .password = "pass"};
    f.run.config.hashes = hashes;
    f.run.config.hashes_count = 2;
    f.run.wire.manners.delay = 10;
    f.run.wire.quirk[0] =
        (struct wire_quirk){.request = heads[0], .instead = UNAUTHORIZED("Basic"), .delay = 500};
    f.run.wire.quirk[1] = (struct wire_quirk){.request = heads[1], .instead = UNAUTHORIZED("Basic")};
    f.run.wire.quirk[2] = (struct wire_quirk){
        .request = "POST ", .instead = UNAUTHORIZED("Bearer realm=\"http://localhost/token\"")};
    f.run.wire.quirk[3] = (struct wire_quirk){
        .request = "GET token",
        .times = 9,
        .instead = "HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n{\"token\":\"a-token\"}"};
    widen(&f.run, 4);
    load();
    expect_loaded();
    assert_int_equal(count_of(f.run.wire.asked.data, "GET token?"), 1);
    for (unsigned i = 0; i < f.run.wire.taken_count; i++) {
        const struct wire_asked *a = &f.run.wire.taken[i];
        if (strcmp(a->reference, f.entries[0].digest) == 0)
            assert_string_equal(a->authorization, asked++ ? "Bearer a-token" : "");
    }
    assert_int_equal(asked, 2);
    end();
}

/* ---- Usage ----------------------------------------------------------------------------------- */

static void expect_usage(const char *digest, const char *target, const char *words)
{
    assert_int_equal(regtag_load(f.run.regtag, digest, target), REGTAG_E_USAGE);
    run_on(&f.run);
    expect_end(&f.run, REGTAG_E_USAGE);
    expect_text(&f.run, words);
    assert_int_equal(f.run.wire.connections, 0);
    begin_again(&f.run);
}

static void bad_usage_is_named(void **state)
{
    char target[200];
    (void)state;
    begin_fox();
    snprintf(target, sizeof target, "localhost/a@%s", f.image);
    expect_usage(f.image, target, "the target has a digest");
    expect_usage(f.image, "localhost/A", "localhost/A");
    expect_usage("base", TARGET, "\"base\" is not a sha256 digest");
    expect_usage("sha256:12", TARGET, "not a sha256 digest");
    f.run.config.platform = "arm";
    begin_again(&f.run);
    expect_usage(f.image, TARGET, "\"arm\" is not a platform");
    f.run.config.platform = NULL;
    f.run.config.store.read = NULL;
    begin_again(&f.run);
    expect_usage(f.image, TARGET, "no store");
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_image_is_uploaded_blobs_first),
        cmocka_unit_test(a_child_that_cannot_be_checked_is_refused),
        cmocka_unit_test(an_index_that_cannot_be_checked_is_named),
        cmocka_unit_test(an_index_is_not_loaded_from_a_store_that_fails),
        cmocka_unit_test(a_blob_is_read_in_whole_records),
        cmocka_unit_test(with_many_connections_memory_is_divided),
        cmocka_unit_test(blobs_that_are_there_are_not_read),
        cmocka_unit_test(an_image_that_is_there_is_not_uploaded),
        cmocka_unit_test(without_a_tag_it_is_uploaded_by_its_digest),
        cmocka_unit_test(a_dry_run_changes_nothing),
        cmocka_unit_test(a_guard_keeps_the_tag),
        cmocka_unit_test(a_tag_is_moved),
        cmocka_unit_test(layers_are_uploaded_once_and_foreign_ones_never),
        cmocka_unit_test(an_empty_blob_is_uploaded),
        cmocka_unit_test(the_document_says_what_it_is),
        cmocka_unit_test(what_is_no_manifest_is_refused),
        cmocka_unit_test(a_manifest_fits_to_the_last_byte),
        cmocka_unit_test(a_manifest_that_is_no_document_is_not_read_to_its_end),
        cmocka_unit_test(a_long_manifest_is_read_to_its_end),
        cmocka_unit_test(the_children_of_an_index_come_first),
        cmocka_unit_test(one_child_does_not_use_up_the_retries_of_the_next),
        cmocka_unit_test(a_child_is_not_taken_before_it_was_sent),
        cmocka_unit_test(an_index_may_have_indexes),
        cmocka_unit_test(a_small_memory_is_enough),
        cmocka_unit_test(missing_children_are_named_before_anything_is_uploaded),
        cmocka_unit_test(many_missing_children_are_not_all_named),
        cmocka_unit_test(a_missing_child_with_a_long_name_is_noticed),
        cmocka_unit_test(a_platform_that_is_there_is_enough),
        cmocka_unit_test(a_platform_has_to_be_in_the_index),
        cmocka_unit_test(a_missing_blob_is_named_before_it_is_begun),
        cmocka_unit_test(a_missing_manifest_is_named),
        cmocka_unit_test(every_byte_counts),
        cmocka_unit_test(a_blob_of_another_size_is_refused),
        cmocka_unit_test(a_store_may_fail_at_every_read),
        cmocka_unit_test(bytes_may_come_in_any_pieces),
        cmocka_unit_test(a_connection_may_break_at_every_byte),
        cmocka_unit_test(what_got_lost_is_read_again),
        cmocka_unit_test(what_the_registry_did_not_keep_is_read_again),
        cmocka_unit_test(an_upload_that_is_forgotten_begins_anew),
        cmocka_unit_test(a_pipe_may_not_go_back),
        cmocka_unit_test(without_a_loss_a_pipe_need_not_go_back),
        cmocka_unit_test(attempts_end_where_nothing_arrives),
        cmocka_unit_test(a_step_is_short),
        cmocka_unit_test(an_upload_goes_on_where_it_broke),
        cmocka_unit_test(one_blob_at_a_time_or_several),
        cmocka_unit_test(blobs_are_not_mixed_up),
        cmocka_unit_test(if_one_blob_fails_so_does_the_other),
        cmocka_unit_test(if_one_blob_cannot_be_checked_the_other_fails),
        cmocka_unit_test(a_login_does_not_wait_for_an_upload),
        cmocka_unit_test(a_late_refusal_leads_to_no_other_login),
        cmocka_unit_test(bad_usage_is_named),
    };
    if (getenv("ONLY"))
        cmocka_set_test_filter(getenv("ONLY"));
    return cmocka_run_group_tests_name("load", tests, NULL, NULL);
}
