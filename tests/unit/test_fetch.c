/* Layers and blobs that are downloaded: all bytes, each once, in order, and none that is not what the manifest
 * says; whatever the registry, the network and the caller do. */
#include "run.h"

#define IMAGE "localhost/a:files"
#define LAYERS_MAX 3
#define ROOM (256 * 1024)
#define RETRIES 3
#define ARTIFACT "application/vnd.oci.artifact.manifest.v1+json"
#define SHA512                                                                                            \
    "sha512:00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000" \
    "000000000000000000000000000000000000"

/* A layer of the manifest; `size` 0 means that of its bytes. */
struct layer {
    const char *title, *bytes, *digest, *type, *more;
    long long size;
};

/* What a caller of the library has of one blob. */
struct fetched {
    char *bytes;
    size_t size;
    unsigned begun_anew;
};

struct fetch {
    struct run run;
    const char *digest[LAYERS_MAX];
    struct fetched blob[LAYERS_MAX];
    size_t number; /* of the layer at hand */
    unsigned chosen, last;
    const char *have; /* NULL, or the bytes of layer 0 that are there already */
    size_t have_size, have_step;
    bool decline; /* at the first bytes of layer 0 */
    uint64_t cut; /* 0, or after so many bytes the connection breaks, again and again */
};

static const struct layer ONE[] = {{.title = "a", .bytes = "The quick brown fox"}};
#define FOX ONE[0].bytes
#define FOX_SIZE 19

/* ---- Running --------------------------------------------------------------------------------- */

static struct fetch f; /* too large for the stack */
static char room[LAYERS_MAX][ROOM];

static void push_layers(const struct layer *layers, size_t count, const char *type)
{
    char text[8192], title[256];
    bool artifact = strcmp(type, ARTIFACT) == 0;
    int used = artifact ? snprintf(text, sizeof text,
                                   "{\"mediaType\":\"%s\",\"artifactType\":\"a/b\",\"blobs\":[", type)
                        : snprintf(text, sizeof text, "{\"schemaVersion\":2,\"config\":%s,\"layers\":[",
                                   CONFIG);
    for (size_t i = 0; i < count; i++) {
        const struct layer *l = &layers[i];
        size_t size = strlen(l->bytes);
        f.digest[i] = wire_push_blob(&f.run.wire, l->bytes, size, l->digest);
        snprintf(title, sizeof title, "\"org.opencontainers.image.title\":\"%s\"",
                 l->title ? l->title : "");
        used +=
            snprintf(text + used, sizeof text - (size_t)used,
                     "%s{\"mediaType\":\"%s\",\"size\":%lld,\"digest\":\"%s\",\"annotations\":{%s%s}}",
                     i ? "," : "", l->type ? l->type : "a/b", l->size ? l->size : (long long)size,
                     f.digest[i], l->title ? title : "", l->more ? l->more : "");
        assert_true((size_t)used < sizeof text);
    }
    used += snprintf(text + used, sizeof text - (size_t)used, "]}");
    wire_push(&f.run.wire, "files", type, text, (size_t)used);
}

static void begin_empty(void)
{
    memset(&f, 0, sizeof f);
    for (size_t i = 0; i < LAYERS_MAX; i++)
        f.blob[i].bytes = room[i];
    begin(&f.run);
    f.run.fetches = true;
    f.run.config.retries = RETRIES;
    begin_again(&f.run);
}

static void begin_with(const struct layer *layers, size_t count)
{
    begin_empty();
    push_layers(layers, count, OCI);
    f.last = (unsigned)count;
}

static void give(void)
{
    size_t step = f.have_step ? f.have_step : f.have_size;
    for (size_t at = 0; f.have && at < f.have_size; at += step)
        regtag_have(f.run.regtag, f.have + at, f.have_size - at < step ? f.have_size - at : step);
    if (f.have)
        memcpy(f.blob[0].bytes, f.have, f.have_size);
    f.blob[0].size = f.have ? f.have_size : 0;
}

static void choose(unsigned number)
{
    f.number = number;
    regtag_choose(f.run.regtag, number);
    if (number == 0)
        give();
}

static void take_bytes(void)
{
    struct fetched *blob = &f.blob[f.number];
    uint64_t at;
    size_t size;
    const void *bytes = regtag_bytes(f.run.regtag, &at, &size);
    assert_true(size > 0);
    if (at == 0 && blob->size > 0) {
        assert_int_equal(blob->begun_anew++, 0);
        blob->size = 0;
    }
    assert_int_equal(at, blob->size);
    assert_true(size <= ROOM - blob->size);
    memcpy(blob->bytes + blob->size, bytes, size);
    blob->size += size;
    if (f.decline)
        regtag_decline(f.run.regtag, "the disk is full");
}

/* The connection breaks as soon as so many bytes have come since it broke last. */
static void cut_again(void)
{
    struct wire *w = &f.run.wire;
    if (f.cut && f.chosen && !w->fault.armed)
        w->fault = (struct wire_fault){.armed = true, .at = w->received + f.cut};
}

/* One step; chooses all layers, one after the other. */
static bool advance(void)
{
    bool more = step(&f.run);
    if (f.run.end == REGTAG_CHOOSE && f.chosen < f.last)
        choose(f.chosen++);
    else if (f.run.end == REGTAG_BYTES)
        take_bytes();
    cut_again();
    return more;
}

static void go_on(void)
{
    while (advance())
        ;
}

static void fetch_all(void)
{
    assert_int_equal(regtag_fetch(f.run.regtag, IMAGE), REGTAG_OK);
    go_on();
}

static void fetch_blob(const char *digest)
{
    char blob[200];
    snprintf(blob, sizeof blob, "localhost/a@%s", digest);
    f.last = 1;
    assert_int_equal(regtag_fetch_blob(f.run.regtag, blob), REGTAG_OK);
    go_on();
}

static void expect_bytes(size_t number, const char *bytes, size_t size)
{
    assert_int_equal(f.run.status[number], REGTAG_OK);
    assert_int_equal(f.blob[number].size, size);
    assert_memory_equal(f.blob[number].bytes, bytes, size);
}

static void expect_fox(void)
{
    expect_end(&f.run, REGTAG_OK);
    assert_int_equal(f.run.settled, 1);
    expect_bytes(0, FOX, FOX_SIZE);
}

/* Ends with this status, and the blob is not said to be right. */
static void expect_refusal(enum regtag_status status, const char *words)
{
    expect_end(&f.run, status);
    assert_int_equal(f.run.settled, 1);
    assert_int_equal(f.run.status[0], status);
    expect_text(&f.run, words);
}

/* The Range of each request for a blob, "-" for none. */
static void expect_ranges(const char *ranges)
{
    char got[1024] = "";
    for (size_t i = 0; i < f.run.wire.taken_count; i++) {
        const struct wire_asked *asked = &f.run.wire.taken[i];
        if (strchr(asked->reference, ':'))
            snprintf(got + strlen(got), sizeof got - strlen(got), "%s ",
                     *asked->range ? asked->range + strlen("bytes=") : "-");
    }
    assert_string_equal(got, ranges);
}

static void end_fetch(void)
{
    finish(&f.run);
}

/* ---- Layers ---------------------------------------------------------------------------------- */

static const struct layer THREE[] = {
    {.title = "a", .bytes = "first", .type = "text/plain"},
    {.title = "b/c d", .bytes = "the second one", .type = "application/x-nobody-knows"},
    {.title = NULL, .bytes = "3", .more = "\"io.deis.oras.content.unpack\":\"true\""},
};

static void expect_three(void)
{
    expect_end(&f.run, REGTAG_OK);
    assert_int_equal(f.run.settled, 3);
    for (size_t i = 0; i < 3; i++)
        expect_bytes(i, THREE[i].bytes, strlen(THREE[i].bytes));
    assert_string_equal(f.run.name[1], "b/c d");
}

static void a_layer_is_fetched(void **state)
{
    (void)state;
    begin_with(ONE, 1);
    fetch_all();
    expect_fox();
    expect_ranges("- ");
    assert_string_equal(f.run.name[0], "a");
    assert_int_equal(f.run.wire.gets, 2);
    assert_int_equal(f.run.wire.connections, 1);
    end_fetch();
}

static void layers_are_fetched_one_after_the_other(void **state)
{
    (void)state;
    begin_with(THREE, 3);
    fetch_all();
    expect_three();
    assert_int_equal(f.run.wire.gets, 4);
    assert_int_equal(f.run.wire.connections, 1);
    end_fetch();
}

static void blobs_of_an_artifact_are_layers(void **state)
{
    (void)state;
    begin_empty();
    push_layers(THREE, 3, ARTIFACT);
    f.last = 3;
    fetch_all();
    expect_three();
    end_fetch();
}

static void nothing_need_be_chosen(void **state)
{
    (void)state;
    begin_with(THREE, 3);
    f.last = 0;
    fetch_all();
    expect_end(&f.run, REGTAG_OK);
    assert_int_equal(f.run.settled, 0);
    assert_int_equal(f.run.wire.gets, 1);
    end_fetch();
}

/* regtag.h: without a choice the operation ends with the next step. A choice that comes later is none. */
static void after_the_end_nothing_can_be_chosen(void **state)
{
    (void)state;
    begin_with(THREE, 3);
    f.last = 0;
    fetch_all();
    expect_end(&f.run, REGTAG_OK);
    assert_string_equal(regtag_result(f.run.regtag)->name, "");
    regtag_choose(f.run.regtag, 1);
    assert_string_equal(regtag_result(f.run.regtag)->name, "");
    assert_false(step(&f.run));
    expect_end(&f.run, REGTAG_OK);
    assert_int_equal(f.run.wire.gets, 1);
    end_fetch();
}

static void expect_layer(uint64_t number)
{
    struct regtag_layer layer;
    const struct layer *expected = &THREE[number < 3 ? number : 0];
    assert_int_equal(regtag_layer(f.run.regtag, number, &layer), number < 3);
    if (number >= 3)
        return;
    assert_string_equal(layer.digest, f.digest[number]);
    assert_string_equal(layer.title, expected->title ? expected->title : "");
    assert_string_equal(layer.media_type, expected->type ? expected->type : "a/b");
    assert_int_equal(layer.size, strlen(expected->bytes));
    assert_int_equal(layer.packed, expected->more != NULL);
}

/* Whatever is described in the meantime: the blob at hand stays the same. */
static void layers_are_described_in_any_order_and_at_any_time(void **state)
{
    static const uint64_t numbers[] = {0, 1, 2, 3, 2, 1, 0, UINT64_MAX, 1, 4, 0, 2, 2};
    (void)state;
    begin_with(THREE, 3);
    assert_int_equal(regtag_fetch(f.run.regtag, IMAGE), REGTAG_OK);
    bool more = true;
    for (size_t i = 0; more; i++) {
        more = advance();
        if (f.run.end == REGTAG_SETTLED)
            assert_string_equal(regtag_result(f.run.regtag)->digest, f.digest[f.number]);
        for (size_t k = 0; f.chosen && k < 1 + i % 3; k++)
            expect_layer(numbers[(i + k) % COUNT(numbers)]);
    }
    for (size_t i = 0; i < COUNT(numbers); i++)
        expect_layer(numbers[i]);
    expect_three();
    end_fetch();
}

/* Before REGTAG_CHOOSE, after a failure, and in operations of other kinds. */
static void layers_are_not_described_before_they_are_known(void **state)
{
    struct regtag_layer layer;
    (void)state;
    for (unsigned kind = 0; kind < 4; kind++) {
        begin_with(THREE, 3);
        if (kind == 1)
            wire_delete(&f.run.wire, "files");
        memset(f.run.block.data + 60000, 0xa5, kind == 3 ? 9000 : 0);
        begin_again(&f.run);
        bool fetches = kind < 2;
        assert_int_equal(fetches     ? regtag_fetch(f.run.regtag, IMAGE)
                         : kind == 2 ? regtag_digest(f.run.regtag, IMAGE)
                                     : REGTAG_OK,
                         REGTAG_OK);
        for (bool more = true; more && f.run.end != REGTAG_CHOOSE; more = step(&f.run)) {
            assert_false(regtag_layer(f.run.regtag, 0, &layer));
            regtag_choose(f.run.regtag, 0);
            regtag_have(f.run.regtag, "x", 1);
        }
        assert_int_equal(regtag_layer(f.run.regtag, 0, &layer), kind == 0);
        end_fetch();
    }
}

static void a_layer_that_is_not_there_cannot_be_chosen(void **state)
{
    (void)state;
    begin_with(THREE, 3);
    assert_int_equal(regtag_fetch(f.run.regtag, IMAGE), REGTAG_OK);
    while (f.run.end != REGTAG_CHOOSE)
        step(&f.run);
    regtag_choose(f.run.regtag, 3);
    run_on(&f.run);
    expect_end(&f.run, REGTAG_OK);
    assert_int_equal(f.run.wire.gets, 1);
    end_fetch();
}

static void the_last_choice_counts(void **state)
{
    (void)state;
    begin_with(THREE, 3);
    assert_int_equal(regtag_fetch(f.run.regtag, IMAGE), REGTAG_OK);
    while (f.run.end != REGTAG_CHOOSE)
        step(&f.run);
    regtag_choose(f.run.regtag, 0);
    regtag_have(f.run.regtag, "fir", 3);
    choose(1);
    f.chosen = f.last;
    go_on();
    regtag_choose(f.run.regtag, 2); /* too late */
    expect_end(&f.run, REGTAG_OK);
    assert_int_equal(f.run.settled, 1);
    assert_int_equal(f.blob[1].size, strlen(THREE[1].bytes));
    assert_int_equal(f.run.wire.gets, 2);
    end_fetch();
}

static void texts_that_do_not_fit_or_have_a_nul_are_left_out(void **state)
{
    char type[400], title[2000];
    const struct layer layers[] = {{.title = "a\\u0000b", .bytes = "x", .type = type},
                                   {.title = "\\ud800", .bytes = "y", .type = "a\\/b"},
                                   {.title = "\\u00fc \\ud83d\\ude00", .bytes = "z"}};
    struct regtag_layer layer;
    (void)state;
    memset(title, 'x', sizeof title);
    for (size_t size = 255; size < 257; size++) {
        memset(type, 'x', size);
        type[size] = '\0';
        begin_with(layers, 3);
        fetch_all();
        assert_true(regtag_layer(f.run.regtag, 0, &layer));
        assert_string_equal(layer.title, "");
        assert_string_equal(layer.media_type, size == 255 ? type : "");
        assert_true(regtag_layer(f.run.regtag, 1, &layer));
        assert_string_equal(layer.title, "");
        assert_string_equal(layer.media_type, "a/b");
        assert_true(regtag_layer(f.run.regtag, 2, &layer));
        assert_string_equal(layer.title, "\xc3\xbc \xf0\x9f\x98\x80");
        end_fetch();
    }
}

/* The others are fetched nevertheless. */
static void a_digest_that_cannot_be_checked_is_refused(void **state)
{
    const struct layer layers[] = {{.title = "a", .bytes = "x", .digest = SHA512},
                                   {.title = "b", .bytes = "y"}};
    (void)state;
    begin_with(layers, 2);
    fetch_all();
    expect_end(&f.run, REGTAG_E_REFUSED);
    expect_text(&f.run, "localhost/a@sha512:0000");
    assert_int_equal(f.run.status[0], REGTAG_E_REFUSED);
    expect_bytes(1, "y", 1);
    assert_int_equal(f.run.wire.gets, 2);
    end_fetch();
}

static void an_empty_blob_needs_no_request(void **state)
{
    const struct layer layers[] = {{.title = "a", .bytes = ""}};
    (void)state;
    begin_with(layers, 1);
    fetch_all();
    expect_end(&f.run, REGTAG_OK);
    expect_bytes(0, "", 0);
    assert_int_equal(f.run.wire.gets, 1);
    end_fetch();
}

static void a_missing_blob_is_not_found(void **state)
{
    (void)state;
    begin_with(ONE, 1);
    snprintf(f.run.wire.blobs[0].digest, sizeof f.run.wire.blobs[0].digest, "gone");
    fetch_all();
    expect_refusal(REGTAG_E_NOT_FOUND, "the registry does not have this blob");
    end_fetch();
}

/* ---- Manifests without layers ---------------------------------------------------------------- */

static char index_text[2000];

static void push_index(const char *platform)
{
    const struct wire_tag *image = wire_find(&f.run.wire, "files");
    int size = snprintf(index_text, sizeof index_text,
                        "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"%s\",\"size\":%zu,"
                        "\"digest\":\"%s\"%s}]}",
                        OCI, image->manifest.size, image->digest, platform);
    wire_push(&f.run.wire, "index", INDEX, index_text, (size_t)size);
}

static void fetch_index(const char *platform)
{
    f.run.config.platform = platform;
    begin_again(&f.run);
    assert_int_equal(regtag_fetch(f.run.regtag, "localhost/a:index"), REGTAG_OK);
    go_on();
}

#define PLATFORM ",\"platform\":{\"os\":\"linux\",\"architecture\":\"arm64\"}"

static void an_index_needs_a_platform(void **state)
{
    (void)state;
    begin_with(ONE, 1);
    push_index(PLATFORM);
    fetch_index(NULL);
    expect_end(&f.run, REGTAG_E_USAGE);
    expect_text(&f.run, "linux/arm64");
    assert_int_equal(regtag_hint(f.run.regtag), REGTAG_HINT_CHOOSE);
    assert_int_equal(f.run.wire.gets, 1);
    end_fetch();

    begin_with(ONE, 1);
    push_index(PLATFORM);
    fetch_index("linux/arm64");
    expect_fox();
    end_fetch();
}

static void an_index_without_platforms_needs_a_digest(void **state)
{
    (void)state;
    begin_with(ONE, 1);
    push_index("");
    fetch_index(NULL);
    expect_end(&f.run, REGTAG_E_USAGE);
    expect_text(&f.run, "by the digest");
    assert_int_equal(regtag_hint(f.run.regtag), REGTAG_HINT_NONE);
    end_fetch();
}

static void schema_1_has_no_layers(void **state)
{
    static const char text[] = "{\"schemaVersion\":1,\"name\":\"a\",\"fsLayers\":[],\"history\":[]}";
    (void)state;
    begin_empty();
    wire_push(&f.run.wire, "files", SCHEMA1, text, sizeof text - 1);
    fetch_all();
    expect_end(&f.run, REGTAG_E_SCHEMA1);
    end_fetch();
}

static void titles_are_checked_before_anything_is_chosen(void **state)
{
    const struct layer layers[] = {{.title = "a", .bytes = "x"}, {.title = "../b", .bytes = "y"}};
    struct regtag_layer layer;
    (void)state;
    for (unsigned names = 0; names < 2; names++) {
        begin_with(layers, 2);
        f.run.config.titles_are_names = names;
        begin_again(&f.run);
        fetch_all();
        expect_end(&f.run, names ? REGTAG_E_REFUSED : REGTAG_OK);
        assert_int_equal(f.chosen, names ? 0 : 2);
        assert_int_equal(regtag_layer(f.run.regtag, 0, &layer), !names);
        end_fetch();
    }
}

/* ---- A blob alone ---------------------------------------------------------------------------- */

/* Its size shows when it comes. */
static void a_blob_has_no_size_before_it_is_asked_for(void **state)
{
    struct regtag_layer layer;
    char blob[200];
    (void)state;
    begin_with(ONE, 1);
    snprintf(blob, sizeof blob, "localhost/a@%s", f.digest[0]);
    assert_int_equal(regtag_fetch_blob(f.run.regtag, blob), REGTAG_OK);
    while (step(&f.run) && f.run.end != REGTAG_CHOOSE)
        ;
    assert_true(regtag_layer(f.run.regtag, 0, &layer));
    assert_int_equal(layer.size, UINT64_MAX);
    assert_false(step(&f.run));
    expect_end(&f.run, REGTAG_OK);
    end_fetch();
}

/* No range was asked for. */
static void a_416_to_a_plain_question_is_an_error(void **state)
{
    char request[80];
    (void)state;
    begin_with(ONE, 1);
    snprintf(request, sizeof request, "GET %s", f.digest[0]);
    f.run.wire.quirk[0] = (struct wire_quirk){
        .request = request, .instead = "HTTP/1.1 416 Odd\r\nContent-Length: 0\r\n\r\n", .times = 9};
    fetch_blob(f.digest[0]);
    assert_int_equal(f.run.status[0], REGTAG_E_PROTOCOL);
    assert_int_equal(f.run.wire.gets, 1);
    end_fetch();
}

static void a_blob_is_fetched_by_its_digest(void **state)
{
    struct regtag_layer layer;
    (void)state;
    for (unsigned chunked = 0; chunked < 2; chunked++) {
        begin_with(ONE, 1);
        f.run.wire.manners.chunked = chunked;
        fetch_blob(f.digest[0]);
        expect_fox();
        assert_int_equal(f.run.wire.gets, 1);
        assert_true(regtag_layer(f.run.regtag, 0, &layer));
        assert_int_equal(layer.size, chunked ? UINT64_MAX : FOX_SIZE);
        assert_string_equal(layer.digest, f.digest[0]);
        assert_string_equal(layer.title, "");
        assert_string_equal(layer.media_type, "");
        assert_false(layer.packed);
        assert_false(regtag_layer(f.run.regtag, 1, &layer));
        end_fetch();
    }
}

static void a_blob_is_named_by_its_digest(void **state)
{
    static const char *const names[] = {"localhost/a", "localhost/a:b", "localhost/a@" SHA512, "?"};
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        begin_empty();
        assert_int_equal(regtag_fetch_blob(f.run.regtag, names[i]), REGTAG_E_USAGE);
        go_on();
        expect_end(&f.run, REGTAG_E_USAGE);
        end_fetch();
    }
}

static void a_blob_that_is_another_one_is_refused(void **state)
{
    (void)state;
    for (unsigned chunked = 0; chunked < 2; chunked++) {
        begin_with(ONE, 1);
        f.run.wire.manners.chunked = chunked;
        f.run.wire.ranges.instead = "something else";
        fetch_blob(f.digest[0]);
        expect_refusal(REGTAG_E_REFUSED, "are other ones, sha256:");
        end_fetch();
    }
}

/* ---- Bytes that are there already ------------------------------------------------------------ */

/* How the registry answers; `alone`: the blob without its manifest, so that its size is not known. */
struct way {
    bool alone, ignored, refused, chunked;
    size_t most;
};

static const struct way WAYS[] = {
    {false, false, false, false, 0}, {false, true, false, false, 0}, {false, false, true, false, 0},
    {false, false, false, true, 0},  {false, true, false, true, 0},  {false, false, true, true, 0},
    {false, false, false, false, 4}, {true, false, false, false, 0}, {true, true, false, false, 0},
    {true, false, true, false, 0},   {true, false, false, true, 0},  {true, true, false, true, 0},
    {true, false, true, true, 0},    {true, false, false, false, 4},
};

static void begin_way(const struct way *way)
{
    begin_with(ONE, 1);
    f.run.wire.ranges.ignored = way->ignored;
    f.run.wire.ranges.refused = way->refused;
    f.run.wire.ranges.most = way->most;
    f.run.wire.manners.chunked = way->chunked;
}

static void fetch_way(const struct way *way)
{
    if (way->alone)
        fetch_blob(f.digest[0]);
    else
        fetch_all();
}

static void hold(const char *bytes, size_t size, size_t step)
{
    f.have = bytes;
    f.have_size = size;
    f.have_step = step;
}

static void right_bytes_are_kept(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(WAYS); i++)
        for (size_t size = 1; size <= FOX_SIZE; size++) {
            begin_way(&WAYS[i]);
            hold(FOX, size, 1 + size % 3);
            fetch_way(&WAYS[i]);
            expect_fox();
            bool refused = WAYS[i].alone && WAYS[i].refused && size < FOX_SIZE;
            assert_int_equal(f.blob[0].begun_anew, refused);
            end_fetch();
        }
}

static void only_the_rest_is_asked_for(void **state)
{
    (void)state;
    begin_with(ONE, 1);
    hold(FOX, 7, 0);
    fetch_all();
    expect_fox();
    expect_ranges("7- ");
    end_fetch();
}

static void nothing_is_asked_for_if_all_is_there(void **state)
{
    (void)state;
    begin_with(ONE, 1);
    hold(FOX, FOX_SIZE, 0);
    fetch_all();
    expect_fox();
    expect_ranges("");
    end_fetch();
}

/* Wrong, too many, or both; and right ones with more behind. */
static void wrong_bytes_are_fetched_anew(void **state)
{
    static const char *const wrong[] = {"t", "The quick brown f0", "The quick brown f0x",
                                        "The quick brown fox!", "something else that is longer"};
    (void)state;
    for (size_t i = 0; i < COUNT(WAYS); i++)
        for (size_t k = 0; k < COUNT(wrong); k++) {
            begin_way(&WAYS[i]);
            hold(wrong[k], strlen(wrong[k]), 5);
            fetch_way(&WAYS[i]);
            expect_fox();
            assert_int_equal(f.blob[0].begun_anew, 1);
            end_fetch();
        }
}

static void what_is_still_wrong_then_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(WAYS); i++)
        for (size_t size = 1; size <= FOX_SIZE + 1; size++) {
            begin_way(&WAYS[i]);
            hold("The quick brown foxes", size, 0);
            f.run.wire.ranges.instead = "The quick brown fo?";
            if (size == FOX_SIZE)
                f.have = "the quick brown fox";
            fetch_way(&WAYS[i]);
            expect_refusal(REGTAG_E_REFUSED, "are other ones, sha256:");
            assert_true(f.run.wire.gets <= 12);
            end_fetch();
        }
}

/* The manifest's digest is that of the bytes that are there, but not its size. */
static void bytes_of_another_size_are_not_right(void **state)
{
    const struct layer layers[] = {{.title = "a", .bytes = FOX, .size = FOX_SIZE - 1}};
    (void)state;
    begin_with(layers, 1);
    hold(FOX, FOX_SIZE, 0);
    fetch_all();
    expect_refusal(REGTAG_E_REFUSED, "it has 19 bytes instead of 18");
    end_fetch();
}

static void bytes_are_had_only_of_a_chosen_layer(void **state)
{
    (void)state;
    begin_with(ONE, 1);
    assert_int_equal(regtag_fetch(f.run.regtag, IMAGE), REGTAG_OK);
    regtag_have(f.run.regtag, "x", 1);
    while (f.run.end != REGTAG_CHOOSE)
        step(&f.run);
    regtag_have(f.run.regtag, "x", 1);
    regtag_choose(f.run.regtag, 0);
    f.chosen = 1;
    while (f.run.end != REGTAG_BYTES)
        advance();
    regtag_have(f.run.regtag, "x", 1);
    go_on();
    expect_fox();
    end_fetch();
}

/* ---- Answers that are not right -------------------------------------------------------------- */

static void every_byte_counts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(WAYS); i++)
        for (size_t changed = 1; changed <= FOX_SIZE; changed++) {
            begin_way(&WAYS[i]);
            f.run.wire.ranges.changed = changed;
            fetch_way(&WAYS[i]);
            expect_refusal(REGTAG_E_REFUSED, "are other ones, sha256:");
            assert_int_equal(f.blob[0].begun_anew, 0);
            end_fetch();
        }
}

/* On the way to the rest of what is there: it is taken for wrong itself, and all of it is fetched. */
static void a_byte_that_is_changed_once_costs_a_download(void **state)
{
    (void)state;
    begin_with(ONE, 1);
    hold(FOX, 7, 0);
    f.run.wire.ranges.changed = 10;
    f.run.wire.ranges.changed_times = 1;
    fetch_all();
    expect_fox();
    expect_ranges("7- - ");
    end_fetch();
}

static void a_blob_of_another_size_is_refused(void **state)
{
    static const struct {
        const char *instead, *words, *chunked_words;
    } cases[] = {
        {"", "it has 0 bytes instead of 19", "it has 0 bytes instead of 19"},
        {"The quick brown fo", "it has 18 bytes instead of 19", "it has 18 bytes instead of 19"},
        {"The quick brown fox.", "it has 20 bytes instead of 19", "it has more than 19 bytes"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        for (unsigned chunked = 0; chunked < 2; chunked++) {
            begin_with(ONE, 1);
            f.run.wire.ranges.instead = cases[i].instead;
            f.run.wire.manners.chunked = chunked;
            f.run.wire.step = 1;
            fetch_all();
            expect_refusal(REGTAG_E_REFUSED, chunked ? cases[i].chunked_words : cases[i].words);
            assert_true(f.blob[0].size <= FOX_SIZE);
            end_fetch();
        }
}

/* Of ranges, as far as the registry is concerned: all of it is asked for, and bytes are not handed out twice. */
static void a_wrong_range_is_not_taken(void **state)
{
    static const char *const fields[] = {
        "",
        "Content-Range: bytes 6-18/19\r\n",
        "Content-Range: bytes 8-18/19\r\n",
        "Content-Range: bytes 0-18/19\r\n",
        "Content-Range: bytes 7-18/20\r\n",
        "Content-Range: bytes 7-18/5\r\n",
        "Content-Range: bytes 7-18/99999999999999999999\r\n",
        "Content-Range: bytes 7-18\r\n",
        "Content-Range: bytes 7-many/19\r\n",
        "Content-Range: bytes 7/19\r\n",
        "Content-Range: bytes -7-18/19\r\n",
        "Content-Range: bytes */19\r\n",
        "Content-Range: pages 7-18/19\r\n",
        "Content-Range: bytes 7-18/19\r\nContent-Range: bytes 6-18/19\r\n",
        "Content-Type: multipart/byteranges; boundary=x\r\n",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(fields); i++) {
        begin_with(ONE, 1);
        hold(FOX, 7, 0);
        f.run.wire.ranges.content_range = fields[i];
        fetch_all();
        expect_fox();
        expect_ranges("7- - ");
        assert_int_equal(f.blob[0].begun_anew, 0);
        end_fetch();
    }
}

static void a_range_need_not_state_the_size(void **state)
{
    (void)state;
    for (unsigned alone = 0; alone < 2; alone++) {
        begin_with(ONE, 1);
        hold(FOX, 7, 0);
        f.run.wire.ranges.content_range = "Content-Range: bytes 7-18/*\r\n";
        fetch_way(&(struct way){.alone = alone});
        expect_fox();
        expect_ranges("7- ");
        end_fetch();
    }
}

/* A 206 that nobody asked for. */
static void a_part_is_not_all(void **state)
{
    (void)state;
    begin_with(ONE, 1);
    f.run.wire.quirk[0] = (struct wire_quirk){
        .request = "GET sha256:",
        .times = RETRIES + 1,
        .instead = "HTTP/1.1 206 Part\r\nContent-Range: bytes 0-18/19\r\nContent-Length: 19\r\n\r\n"
                   "The quick brown fox"};
    fetch_all();
    expect_refusal(REGTAG_E_PROTOCOL, "does not fit the request");
    end_fetch();
}

static void a_compressed_blob_is_refused(void **state)
{
    (void)state;
    for (unsigned identity = 0; identity < 2; identity++) {
        begin_with(ONE, 1);
        f.run.wire.ranges.fields =
            identity ? "Content-Encoding: Identity\r\n" : "Content-Encoding: gzip\r\n";
        fetch_all();
        if (identity)
            expect_fox();
        else
            expect_refusal(REGTAG_E_PROTOCOL, "compressed");
        end_fetch();
    }
}

/* ---- Connections that break ------------------------------------------------------------------ */

static uint64_t received_before_blob(const struct way *way)
{
    begin_way(way);
    if (way->alone)
        fetch_blob(ZEROS);
    else {
        f.last = 0;
        fetch_all();
    }
    uint64_t received = way->alone ? 0 : f.run.wire.received;
    end_fetch();
    return received;
}

static uint64_t received_at_all(const struct way *way)
{
    begin_way(way);
    fetch_way(way);
    expect_fox();
    uint64_t received = f.run.wire.received;
    end_fetch();
    return received;
}

/* Wherever it breaks: the bytes are right, in order, and none comes twice. */
static void a_broken_connection_is_continued(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(WAYS); i++) {
        uint64_t first = received_before_blob(&WAYS[i]), last = received_at_all(&WAYS[i]);
        for (uint64_t at = first; at <= last; at++) {
            begin_way(&WAYS[i]);
            f.run.wire.step = (at + i) & 1;
            f.run.wire.fault = (struct wire_fault){.armed = true, .at = at, .orderly = (at + i) & 2};
            fetch_way(&WAYS[i]);
            expect_fox();
            assert_int_equal(f.blob[0].begun_anew, 0);
            assert_true(f.run.wire.gets <= 9);
            end_fetch();
        }
    }
}

/* All bytes have come, but the last chunk has not. */
static void a_416_at_the_end_is_the_end(void **state)
{
    const struct way way = {.chunked = true};
    uint64_t all = received_at_all(&way);
    (void)state;
    begin_way(&way);
    f.run.wire.fault = (struct wire_fault){.armed = true, .at = all - 1};
    fetch_way(&way);
    expect_fox();
    expect_ranges("- 19- ");
    end_fetch();
}

static void what_ends_with_the_connection_is_continued_too(void **state)
{
    (void)state;
    for (uint64_t missing = 0; missing < FOX_SIZE; missing++) {
        uint64_t all = 0;
        for (unsigned broken = 0; broken < 2; broken++) {
            begin_with(ONE, 1);
            f.run.wire.manners.until_close = true;
            if (broken)
                f.run.wire.fault =
                    (struct wire_fault){.armed = true, .at = all - missing, .orderly = true};
            fetch_all();
            expect_fox();
            all = f.run.wire.received;
            end_fetch();
        }
    }
}

/* Bytes and pauses by chance. */
static void bytes_may_come_in_any_pieces(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 200; seed++) {
        const struct way *way = &WAYS[seed % COUNT(WAYS)];
        begin_way(way);
        f.run.wire.seed = seed;
        f.run.impatient = seed % 2;
        f.run.config.retries = 20;
        begin_again(&f.run);
        f.cut = way->ignored || way->refused ? 0 : 400 + seed;
        fetch_way(way);
        expect_fox();
        end_fetch();
    }
}

static char large[200 * 1024 + 1];

static void begin_large(void)
{
    const struct layer layers[] = {{.title = "a", .bytes = large}};
    for (size_t i = 0; i < sizeof large - 1; i++)
        large[i] = (char)('a' + i * i % 23);
    begin_with(layers, 1);
}

/* An attempt that brought something is not in vain. */
static void attempts_are_counted_anew_after_some_bytes(void **state)
{
    static const struct {
        uint64_t cut;
        bool ignored, good;
    } cases[] = {
        {66 * 1024, false, true},
        {33 * 1024, false, true},
        {10 * 1024, false, false},
        {66 * 1024, true, false}, /* it always comes from the beginning: nothing new */
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        begin_large();
        f.run.config.retries = 2;
        begin_again(&f.run);
        f.run.wire.ranges.ignored = cases[i].ignored;
        f.cut = cases[i].cut;
        fetch_all();
        expect_end(&f.run, cases[i].good ? REGTAG_OK : REGTAG_E_NO_CONNECTION);
        if (cases[i].good)
            expect_bytes(0, large, sizeof large - 1);
        end_fetch();
    }
}

/* Only as many as have come since. */
static void attempts_are_counted_again_after_that(void **state)
{
    (void)state;
    begin_large();
    f.run.config.retries = 2;
    begin_again(&f.run);
    f.cut = 66 * 1024;
    assert_int_equal(regtag_fetch(f.run.regtag, IMAGE), REGTAG_OK);
    while (advance())
        f.cut = f.blob[0].size > 60 * 1024 ? 1024 : 66 * 1024;
    expect_refusal(REGTAG_E_NO_CONNECTION, "");
    assert_int_equal(f.run.wire.gets, 4);
    end_fetch();
}

/* Those that were there already do not count as progress. */
static void bytes_that_were_there_are_no_progress(void **state)
{
    (void)state;
    begin_large();
    f.run.config.retries = 1;
    begin_again(&f.run);
    hold(large, 100 * 1024, 0);
    f.run.wire.quirk[0] = (struct wire_quirk){
        .request = "GET sha256:", .instead = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"};
    f.cut = 1024;
    fetch_all();
    expect_refusal(REGTAG_E_NO_CONNECTION, "");
    assert_int_equal(f.run.wire.gets, 3);
    end_fetch();
}

static void without_retries_what_has_come_is_kept(void **state)
{
    (void)state;
    begin_large();
    f.run.config.retries = 0;
    begin_again(&f.run);
    f.cut = 50 * 1024;
    fetch_all();
    expect_refusal(REGTAG_E_NO_CONNECTION, "");
    assert_true(f.blob[0].size > 40 * 1024);
    assert_memory_equal(f.blob[0].bytes, large, f.blob[0].size);
    end_fetch();
}

/* ---- Time ------------------------------------------------------------------------------------ */

/* Slow from the blob on. */
static void fetch_slowly(uint64_t pace)
{
    assert_int_equal(regtag_fetch(f.run.regtag, IMAGE), REGTAG_OK);
    while (advance())
        if (f.chosen)
            f.run.wire.manners.pace = pace;
}

static void the_deadline_holds_in_the_middle_of_a_blob(void **state)
{
    (void)state;
    begin_large();
    fetch_slowly(100);
    expect_refusal(REGTAG_E_TIMEOUT, "within 60 s");
    assert_int_equal(regtag_hint(f.run.regtag), REGTAG_HINT_TIMEOUT);
    assert_int_equal(f.run.wire.now, TIMEOUT);
    assert_memory_equal(f.blob[0].bytes, large, f.blob[0].size);
    end_fetch();
}

static void a_blob_that_stalls_is_given_up(void **state)
{
    (void)state;
    begin_large();
    f.run.config.stall = 1000;
    f.run.config.retries = 1;
    begin_again(&f.run);
    fetch_slowly(5000);
    expect_refusal(REGTAG_E_TIMEOUT, "has stalled for 1 s");
    assert_int_equal(regtag_hint(f.run.regtag), REGTAG_HINT_STALL);
    assert_int_equal(f.run.wire.gets, 3);
    end_fetch();
}

/* ---- The caller ------------------------------------------------------------------------------ */

static void a_blob_can_be_declined(void **state)
{
    (void)state;
    begin_with(THREE, 3);
    assert_int_equal(regtag_fetch(f.run.regtag, IMAGE), REGTAG_OK);
    while (advance()) {
        f.decline = f.chosen == 1;
        if (f.run.end == REGTAG_BYTES && f.decline) {
            regtag_decline(f.run.regtag, "the disk is full");
            regtag_decline(f.run.regtag, "the disk is still full");
        }
        if (f.run.end == REGTAG_CHOOSE)
            regtag_decline(f.run.regtag, "there is nothing to decline");
    }
    expect_end(&f.run, REGTAG_E_OTHER);
    expect_text(&f.run, ": the disk is still full");
    assert_int_equal(f.run.settled, 3);
    assert_int_equal(f.run.status[0], REGTAG_E_OTHER);
    expect_bytes(1, THREE[1].bytes, strlen(THREE[1].bytes));
    expect_bytes(2, THREE[2].bytes, strlen(THREE[2].bytes));
    end_fetch();
}

static unsigned hash_calls_left;

static int update_for_a_while(void *context, const void *bytes, size_t size)
{
    struct regtag_hash hash = regtag_sha256(context);
    return hash_calls_left && hash_calls_left-- ? hash.update(context, bytes, size) : 1;
}

static void a_failed_hash_fails_the_blob(void **state)
{
    (void)state;
    for (unsigned calls = 0; calls < FOX_SIZE; calls++) {
        begin_with(ONE, 1);
        f.run.config.hash.update = update_for_a_while;
        begin_again(&f.run);
        f.run.wire.step = 1;
        hash_calls_left = calls;
        fetch_blob(f.digest[0]);
        expect_refusal(REGTAG_E_OTHER, "SHA-256 failed");
        end_fetch();
    }
}

/* ---- Redirects and logins -------------------------------------------------------------------- */

#define STORAGE "http://127.0.0.1:9000/storage/"

static void begin_redirected(void)
{
    begin_with(ONE, 1);
    f.run.config.credentials.user = "joe";
    f.run.config.credentials.password = "secret";
    begin_again(&f.run);
    f.run.wire.manners.realm = "http://localhost/token";
    f.run.wire.ranges.location = STORAGE;
}

/* The registry sees the token, the storage does not; it sees the Range. */
static void expect_discretion(const char *range)
{
    unsigned redirected = 0;
    for (size_t i = 0; i < f.run.wire.taken_count; i++) {
        const struct wire_asked *asked = &f.run.wire.taken[i];
        if (asked->connection != 1)
            continue;
        assert_string_equal(asked->authorization, "");
        assert_string_equal(asked->range, redirected++ == 0 ? "" : range);
    }
    assert_true(redirected >= 1);
    assert_null(strstr(f.run.wire.line[1].log.data, "secret\r\n"));
    assert_null(strstr(f.run.wire.line[1].log.data, "Bearer"));
}

static void a_blob_may_be_elsewhere(void **state)
{
    (void)state;
    begin_redirected();
    fetch_all();
    expect_fox();
    expect_discretion("");
    end_fetch();
}

/* Continued by way of the registry, since the URL may be good for once. */
static void a_blob_that_is_elsewhere_is_continued(void **state)
{
    (void)state;
    for (unsigned ignored = 0; ignored < 2; ignored++) {
        uint64_t all = 0;
        for (unsigned broken = 0; broken < 2; broken++) {
            begin_redirected();
            f.run.wire.ranges.ignored = ignored;
            f.run.wire.fault_on = 2;
            if (broken)
                f.run.wire.fault = (struct wire_fault){.armed = true, .at = all - 9};
            fetch_all();
            expect_fox();
            expect_ranges(broken ? "- - 10- 10- " : "- - ");
            expect_discretion("bytes=10-");
            all = f.run.wire.line[1].received;
            end_fetch();
        }
    }
}

static void errors_of_the_storage_are_named(void **state)
{
    (void)state;
    begin_redirected();
    f.run.wire.ranges.status = 403;
    fetch_all();
    expect_refusal(REGTAG_E_DENIED, "127.0.0.1:9000: ");
    end_fetch();
}

static void a_token_that_expires_is_renewed(void **state)
{
    uint64_t all = 0;
    (void)state;
    for (unsigned broken = 0; broken < 2; broken++) {
        begin_redirected();
        f.run.wire.ranges.location = NULL;
        f.run.wire.manners.token_uses = 1;
        if (broken)
            f.run.wire.fault = (struct wire_fault){.armed = true, .at = all - 9};
        fetch_all();
        expect_fox();
        assert_int_equal(f.run.wire.tokens, broken ? 3 : 2);
        all = f.run.wire.received;
        end_fetch();
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_layer_is_fetched),
        cmocka_unit_test(layers_are_fetched_one_after_the_other),
        cmocka_unit_test(blobs_of_an_artifact_are_layers),
        cmocka_unit_test(nothing_need_be_chosen),
        cmocka_unit_test(after_the_end_nothing_can_be_chosen),
        cmocka_unit_test(layers_are_described_in_any_order_and_at_any_time),
        cmocka_unit_test(layers_are_not_described_before_they_are_known),
        cmocka_unit_test(a_layer_that_is_not_there_cannot_be_chosen),
        cmocka_unit_test(the_last_choice_counts),
        cmocka_unit_test(texts_that_do_not_fit_or_have_a_nul_are_left_out),
        cmocka_unit_test(a_digest_that_cannot_be_checked_is_refused),
        cmocka_unit_test(an_empty_blob_needs_no_request),
        cmocka_unit_test(a_missing_blob_is_not_found),
        cmocka_unit_test(an_index_needs_a_platform),
        cmocka_unit_test(an_index_without_platforms_needs_a_digest),
        cmocka_unit_test(schema_1_has_no_layers),
        cmocka_unit_test(titles_are_checked_before_anything_is_chosen),
        cmocka_unit_test(a_blob_is_fetched_by_its_digest),
        cmocka_unit_test(a_blob_has_no_size_before_it_is_asked_for),
        cmocka_unit_test(a_416_to_a_plain_question_is_an_error),
        cmocka_unit_test(a_blob_is_named_by_its_digest),
        cmocka_unit_test(a_blob_that_is_another_one_is_refused),
        cmocka_unit_test(right_bytes_are_kept),
        cmocka_unit_test(only_the_rest_is_asked_for),
        cmocka_unit_test(nothing_is_asked_for_if_all_is_there),
        cmocka_unit_test(wrong_bytes_are_fetched_anew),
        cmocka_unit_test(what_is_still_wrong_then_is_refused),
        cmocka_unit_test(bytes_of_another_size_are_not_right),
        cmocka_unit_test(bytes_are_had_only_of_a_chosen_layer),
        cmocka_unit_test(every_byte_counts),
        cmocka_unit_test(a_byte_that_is_changed_once_costs_a_download),
        cmocka_unit_test(a_blob_of_another_size_is_refused),
        cmocka_unit_test(a_wrong_range_is_not_taken),
        cmocka_unit_test(a_range_need_not_state_the_size),
        cmocka_unit_test(a_part_is_not_all),
        cmocka_unit_test(a_compressed_blob_is_refused),
        cmocka_unit_test(a_broken_connection_is_continued),
        cmocka_unit_test(a_416_at_the_end_is_the_end),
        cmocka_unit_test(what_ends_with_the_connection_is_continued_too),
        cmocka_unit_test(bytes_may_come_in_any_pieces),
        cmocka_unit_test(attempts_are_counted_anew_after_some_bytes),
        cmocka_unit_test(attempts_are_counted_again_after_that),
        cmocka_unit_test(bytes_that_were_there_are_no_progress),
        cmocka_unit_test(without_retries_what_has_come_is_kept),
        cmocka_unit_test(the_deadline_holds_in_the_middle_of_a_blob),
        cmocka_unit_test(a_blob_that_stalls_is_given_up),
        cmocka_unit_test(a_blob_can_be_declined),
        cmocka_unit_test(a_failed_hash_fails_the_blob),
        cmocka_unit_test(a_blob_may_be_elsewhere),
        cmocka_unit_test(a_blob_that_is_elsewhere_is_continued),
        cmocka_unit_test(errors_of_the_storage_are_named),
        cmocka_unit_test(a_token_that_expires_is_renewed),
    };
    if (getenv("ONLY"))
        cmocka_set_test_filter(getenv("ONLY"));
    return cmocka_run_group_tests_name("fetch", tests, NULL, NULL);
}
