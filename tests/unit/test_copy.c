/* Images that are copied to another repository: blobs are mounted or streamed, whatever the target says on the way, and the
 * tag is set only when all is there. */
#include "run.h"

#define FOX "The quick brown fox jumps over the lazy dog"
#define EMPTY "Content-Length: 0\r\n\r\n"
#define ABSENT "HTTP/1.1 404 None\r\n" EMPTY
#define OF_FOX "sha256:d7a8fbb307d7809469ca9abcb0082e4f8d5651e46d3cdb762d02d0bf37c9e592"
#define OTHER "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
#define SOURCE "localhost/b:image"
#define TARGET "localhost/a:copy"

static struct run run; /* too large for the stack */
static char layer[72], config[72];
static char head_layer[80], head_config[80], get_layer[80];

/* ---- The registry: one for both sides; the target does not have the blobs -------------------- */

static void quirk(unsigned number, const char *request, const char *answer, unsigned times)
{
    run.wire.quirk[number] = (struct wire_quirk){.request = request, .instead = answer, .times = times};
}

static void prepare_layer(const char *bytes, size_t size)
{
    char manifest[600];
    begin(&run);
    run.config.retries = 2;
    widen(&run, 4);
    snprintf(config, sizeof config, "%s", wire_push_blob(&run.wire, "{}", 2, NULL));
    snprintf(layer, sizeof layer, "%s", wire_push_blob(&run.wire, bytes, size, NULL));
    int used = snprintf(manifest, sizeof manifest,
                        "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[{\"mediaType\":"
                        "\"application/vnd.oci.image.layer.v1.tar\",\"size\":%zu,\"digest\":\"%s\"}]}",
                        size, layer);
    wire_push(&run.wire, "image", OCI, manifest, (size_t)used);
    snprintf(head_layer, sizeof head_layer, "HEAD %s", layer);
    snprintf(head_config, sizeof head_config, "HEAD %s", config);
    snprintf(get_layer, sizeof get_layer, "GET %s", layer);
    quirk(0, head_layer, ABSENT, 1);
}

static void prepare(void)
{
    prepare_layer(FOX, sizeof FOX - 1);
}

static void copy(const char *source, const char *target)
{
    assert_int_equal(regtag_copy(run.regtag, source, target), REGTAG_OK);
    run_on(&run);
}

static size_t count(const char *request)
{
    return count_of(run.wire.asked.data, request);
}

static void expect_copied(void)
{
    expect_end(&run, REGTAG_OK);
    expect_outcome(&run, REGTAG_TAG_CREATED);
    const struct wire_tag *copied = wire_find(&run.wire, "copy"), *image = wire_find(&run.wire, "image");
    assert_non_null(copied);
    assert_string_equal(copied->digest, image->digest);
    assert_int_equal(run.uploads, 1);
}

static void expect_refused(enum regtag_status status, const char *words)
{
    expect_text(&run, words);
    expect_end(&run, status);
    expect_outcome(&run, REGTAG_TAG_FAILED);
    assert_null(wire_find(&run.wire, "copy"));
    assert_int_equal(run.wire.puts, 0);
}

static void expect_usage(const char *words)
{
    const char *text;
    regtag_error(run.regtag, &text);
    if (!strstr(text, words))
        fail_msg("\"%s\" is not in: %s", words, text);
    run_on(&run);
    expect_end(&run, REGTAG_E_USAGE);
    assert_true(regtag_next(run.regtag, &run.config));
    run.settled = 0;
}

static bool is_uploaded(const char *bytes, size_t size)
{
    for (size_t i = 0; i < run.wire.upload_count; i++)
        if (run.wire.uploads[i].ended && run.wire.uploads[i].bytes.size == size &&
            (size == 0 || memcmp(run.wire.uploads[i].bytes.data, bytes, size) == 0))
            return true;
    return false;
}

/* ---- Mounts ---------------------------------------------------------------------------------- */

#define MOUNTED "HTTP/1.1 201 Mounted\r\n" EMPTY

static void a_blob_of_the_same_registry_is_mounted(void **state)
{
    (void)state;
    prepare();
    quirk(1, "POST ?mount=", MOUNTED, 1);
    copy(SOURCE, TARGET);
    expect_copied();
    assert_int_equal(count("PATCH "), 0);
    assert_int_equal(count(get_layer), 0);
    finish(&run);
}

/* regtag.h: `target` of an origin is 1 on the side of the target, else 0, so that each side has its own proxies and CAs. */
static void each_side_has_connections_of_its_own(void **state)
{
    unsigned opened[2] = {0, 0};
    (void)state;
    prepare();
    assert_int_equal(regtag_copy(run.regtag, "registry.test/b:image", TARGET), REGTAG_OK);
    for (bool more = true; more;) {
        more = step(&run);
        for (unsigned i = 0; i < WIRE_LINES; i++) {
            const struct regtag_origin *origin = run.want[i].origin;
            if (!run.want[i].open)
                continue;
            assert_int_equal(origin->target, strcmp(origin->host, "localhost") == 0);
            opened[origin->target]++;
        }
    }
    expect_copied();
    assert_true(opened[0] && opened[1]);
    finish(&run);
}

/* The registry begins an upload instead, or refuses to mount anything. */
static void a_blob_that_is_not_mounted_is_streamed(void **state)
{
    static const struct {
        const char *answer;
        enum regtag_status status;
        const char *words;
    } ANSWERS[] = {
        {NULL, REGTAG_OK, NULL},
        {"HTTP/1.1 202 Begun\r\n" EMPTY, REGTAG_E_PROTOCOL, "does not say where to upload to"},
        {"HTTP/1.1 202 Begun\r\nLocation: \r\n" EMPTY, REGTAG_E_PROTOCOL, "does not say where"},
        {"HTTP/1.1 202 Begun\r\nLocation: ftp://x/\r\n" EMPTY, REGTAG_E_PROTOCOL, "does not say where"},
        {"HTTP/1.1 202 Begun\r\nLocation: /x\r\nLocation: /y\r\n" EMPTY, REGTAG_E_PROTOCOL,
         "does not say where"},
        {"HTTP/1.1 200 Odd\r\n" EMPTY, REGTAG_E_PROTOCOL, "does not fit the request"},
        {"HTTP/1.1 403 No\r\n" EMPTY, REGTAG_E_DENIED, "does not allow it"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(ANSWERS); i++) {
        prepare();
        quirk(1, "POST ?mount=", ANSWERS[i].answer, 1);
        if (!ANSWERS[i].answer)
            run.wire.quirk[1].request = NULL;
        copy(SOURCE, TARGET);
        if (ANSWERS[i].words)
            expect_refused(ANSWERS[i].status, ANSWERS[i].words);
        else {
            expect_copied();
            assert_true(is_uploaded(FOX, sizeof FOX - 1));
        }
        assert_int_equal(count("POST ?mount=sha256:"), 1);
        finish(&run);
    }
}

/* From TLS nothing leads to plain HTTP. */
static void an_upload_stays_encrypted(void **state)
{
    (void)state;
    for (unsigned plain = 0; plain < 2; plain++) {
        prepare();
        if (plain)
            quirk(1, "POST ?mount=", "HTTP/1.1 202 Begun\r\nLocation: http://registry.test/x\r\n" EMPTY,
                  1);
        copy("registry.test/b:image", "registry.test/a:copy");
        if (plain)
            expect_refused(REGTAG_E_PROTOCOL, "leads from TLS to plain HTTP");
        else
            expect_copied();
        finish(&run);
    }
}

/* Both names are in the request. */
static void repositories_may_have_long_names(void **state)
{
    char from[300], to[300];
    (void)state;
    prepare();
    snprintf(from, sizeof from, "localhost/%0240d:image", 0);
    snprintf(to, sizeof to, "localhost/%0250d:copy", 0);
    quirk(0, "HEAD sha256", ABSENT, 2);
    quirk(1, "POST ?mount=", MOUNTED, 2);
    copy(from, to);
    expect_copied();
    finish(&run);
}

/* Within a repository there is nothing to mount from. */
static void within_a_repository_blobs_are_there(void **state)
{
    (void)state;
    prepare();
    run.wire.quirk[0].request = NULL;
    copy("localhost/a:image", TARGET);
    expect_copied();
    assert_int_equal(count("POST "), 0);
    finish(&run);
}

/* ---- Uploads on another server --------------------------------------------------------------- */

#define TAKEN "HTTP/1.1 202 Taken\r\n" EMPTY

/* The answer to a POST: an upload at a URL of so many bytes. */
static const char *begun_at(const char *server, size_t size)
{
    static char answer[5000];
    int begun = snprintf(answer, sizeof answer, "HTTP/1.1 202 Begun\r\nLocation: ");
    int origin = snprintf(answer + begun, sizeof answer - (size_t)begun, "%s", server);
    memset(answer + begun + origin, 'p', size - (size_t)origin);
    snprintf(answer + begun + size, sizeof answer - (size_t)begun - size, "\r\n" EMPTY);
    return answer;
}

/* Its relative redirects lead on there, and not to the registry. */
static void the_server_of_an_upload_redirects_within_itself(void **state)
{
    static const size_t sizes[] = {20, 4000};
    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        prepare();
        quirk(1, "POST ", begun_at("http://u/", sizes[i]), 1);
        quirk(2, "PATCH ", TAKEN, 1);
        quirk(3, "PUT ", "HTTP/1.1 307 There\r\nLocation: /v2/a/manifests/more\r\n" EMPTY, 1);
        copy(SOURCE, TARGET);
        assert_non_null(strstr(run.wire.log.data, "PUT /v2/a/manifests/more HTTP/1.1\r\nHost: u\r\n"));
        finish(&run);
    }
}

/* Its URL may be signed, and is then as good as a password. */
static void the_signed_url_of_an_upload_is_not_shown(void **state)
{
    (void)state;
    prepare();
    take_notes(&run, true);
    quirk(
        1, "POST ",
        "HTTP/1.1 202 Begun\r\nLocation: https://elsewhere.test/v2/a/blobs/uploads/1?sig=hidden\r\n" EMPTY,
        1);
    quirk(2, "PATCH ", TAKEN, 1);
    quirk(3, "PUT 1?sig=", "HTTP/1.1 201 There\r\n" EMPTY, 1);
    copy(SOURCE, TARGET);
    expect_end(&run, REGTAG_OK);
    assert_non_null(strstr(run.wire.log.data, "PATCH /v2/a/blobs/uploads/1?sig=hidden HTTP/1.1\r\n"));
    assert_non_null(strstr(run.notes, ">PATCH /v2/a/blobs/uploads/1?***\n"));
    assert_null(strstr(run.notes, "hidden"));
    finish(&run);
}

/* A Location is relative to what was asked for (RFC 9110, 10.2.2): the repository's uploads, then the upload. */
static void the_url_of_an_upload_may_be_relative(void **state)
{
    static const char *const places[] = {"1", "./1?state=0", "//elsewhere.test/v2/a/blobs/uploads/1"};
    static const char *const next[] = {"1?state=x", "?state=x", "/v2/a/blobs/uploads/1?state=x"};
    (void)state;
    for (size_t i = 0; i < COUNT(places) * COUNT(next); i++) {
        char begun[200], taken[200], put[200];
        const char *server = i / COUNT(next) == 2 ? "elsewhere.test" : "localhost";
        prepare();
        snprintf(begun, sizeof begun, "HTTP/1.1 202 Begun\r\nLocation: %s\r\n" EMPTY,
                 places[i / COUNT(next)]);
        snprintf(taken, sizeof taken, "HTTP/1.1 202 Taken\r\nLocation: %s\r\n" EMPTY,
                 next[i % COUNT(next)]);
        snprintf(put, sizeof put, "PUT /v2/a/blobs/uploads/1?state=x&digest=%s HTTP/1.1\r\nHost: %s\r\n",
                 layer, server);
        quirk(1, "POST ", begun, 1);
        quirk(2, "PATCH 1", taken, 1);
        run.wire.quirk[1].done = run.wire.quirk[2].done = true;
        copy("registry.test/b:image", TARGET);
        expect_copied();
        assert_int_equal(count_of(run.wire.log.data, put), 1);
        finish(&run);
    }
}

/* Where an upload is, relative to the longest name of a repository, on a host with the longest name. */
static void the_url_of_an_upload_is_relative_to_a_long_one(void **state)
{
    char host[300], repository[300], target[700], patch[900], put[900];
    (void)state;
    prepare();
    snprintf(host, sizeof host, "%0*d.test:65535", 255 - 5, 0);
    snprintf(repository, sizeof repository, "%0*d", 255, 0);
    snprintf(target, sizeof target, "%s/%s:copy", host, repository);
    snprintf(patch, sizeof patch, "PATCH /v2/%s/blobs/uploads/17?state=x HTTP/1.1\r\nHost: %s\r\n",
             repository, host);
    snprintf(put, sizeof put, "PUT /v2/%s/blobs/uploads/18?digest=%s HTTP/1.1\r\nHost: %s\r\n",
             repository, layer, host);
    quirk(0, "HEAD ", ABSENT, 9);
    quirk(1, "POST ", "HTTP/1.1 202 Begun\r\nLocation: 17?state=x\r\n" EMPTY, 9);
    quirk(2, "PATCH 17", "HTTP/1.1 202 Taken\r\nLocation: 18\r\n" EMPTY, 9);
    quirk(3, "PUT 18", "HTTP/1.1 201 Created\r\n" EMPTY, 9);
    run.config.target.scheme = REGTAG_SCHEME_PLAIN;
    begin_again(&run);
    copy(SOURCE, target);
    expect_copied();
    assert_int_equal(count_of(run.wire.log.data, patch), 2); /* the config's, too */
    assert_int_equal(count_of(run.wire.log.data, put), 1);
    finish(&run);
}

/* The digest is added to it. */
static void an_upload_whose_url_leaves_no_room_for_the_digest_is_refused(void **state)
{
    enum { MOST = 4096 - 8 - 71 };
    (void)state;
    for (size_t size = MOST; size <= MOST + 1; size++) {
        prepare();
        quirk(1, "POST ", begun_at("http://u/", size), 1);
        quirk(2, "PATCH ", TAKEN, 1);
        quirk(3, "PUT ", "HTTP/1.1 201 Done\r\n" EMPTY, 1);
        copy(SOURCE, TARGET);
        if (size == MOST)
            expect_copied();
        else
            expect_refused(REGTAG_E_PROTOCOL, "does not say where to upload to");
        assert_null(strstr(run.wire.log.data, "Host: \r\n"));
        finish(&run);
    }
}

/* ---- Looks and commits that go wrong --------------------------------------------------------- */

static const struct {
    const char *request, *answer;
    unsigned times;
    enum regtag_status status;
    const char *words; /* NULL: it is copied nevertheless */
} troubles[] = {
    {"PUT 1?digest=", "HTTP/1.1 503 Later\r\n" EMPTY, 1, REGTAG_OK, NULL},
    {"PUT 1?digest=", "HTTP/1.1 201 Done\r\nDocker-Content-Digest: x\r\n" EMPTY, 1, REGTAG_OK, NULL},
    {"PUT 1?digest=", "HTTP/1.1 201 Done\r\nDocker-Content-Digest: " OTHER "\r\n" EMPTY, 1, REGTAG_OK,
     NULL},
    {"PUT 1?digest=", "HTTP/1.1 201 Done\r\nDocker-Content-Digest: " OF_FOX "\r\n" EMPTY, 1, REGTAG_OK,
     NULL},
    {"PUT 1?digest=", "HTTP/1.1 201 Done\r\n" EMPTY, 1, REGTAG_OK, NULL},
    {"PUT 1?digest=", "HTTP/1.1 400 No\r\n" EMPTY, 1, REGTAG_E_REFUSED, "rejects the blob"},
    {"PUT 1?digest=", "HTTP/1.1 300 Choose\r\n" EMPTY, 1, REGTAG_E_PROTOCOL, "300"},
    {"PUT 1?digest=", "HTTP/1.1 299 Done\r\n" EMPTY, 1, REGTAG_OK, NULL},
    {"PUT 1?digest=", "HTTP/1.1 302 There\r\nLocation: /x\r\n" EMPTY, 1, REGTAG_E_PROTOCOL, "redirect"},
    {"PUT 1?digest=", "HTTP/1.1 409 No\r\n" EMPTY, 1, REGTAG_E_REFUSED, "rejects the blob"},
    {"PUT 1?digest=", "HTTP/1.1 411 No\r\n" EMPTY, 1, REGTAG_E_REFUSED, "rejects the blob"},
    {"PUT 1?digest=", "HTTP/1.1 412 No\r\n" EMPTY, 1, REGTAG_E_DENIED, "a policy of the registry"},
    {"PATCH 1", "HTTP/1.1 400 No\r\n" EMPTY, 1, REGTAG_E_REFUSED, "rejects the blob"},
    {"PATCH 1", "HTTP/1.1 410 No\r\n" EMPTY, 1, REGTAG_E_REFUSED, "rejects the blob"},
    {"PATCH 1", "HTTP/1.1 413 No\r\n" EMPTY, 1, REGTAG_E_REFUSED, "too large"},
    {"PATCH 1", "HTTP/1.1 414 No\r\n" EMPTY, 1, REGTAG_E_REFUSED, "rejects the blob"},
    {"PATCH 1", "HTTP/1.1 415 No\r\n" EMPTY, 1, REGTAG_E_REFUSED, "rejects the blob"},
    {"PATCH 1", "HTTP/1.1 404 Gone\r\n" EMPTY, 1, REGTAG_OK, NULL},
    {"PATCH 1", "HTTP/1.1 416 Odd\r\n" EMPTY, 1, REGTAG_OK, NULL},
    {"PATCH 1", "HTTP/1.1 503 Later\r\n" EMPTY, 1, REGTAG_OK, NULL},
    {"PATCH 1", "HTTP/1.1 202 Part\r\nRange: 0-5\r\n" EMPTY, 1, REGTAG_OK, NULL},
    {"PATCH", "HTTP/1.1 503 Later\r\n" EMPTY, 9, REGTAG_E_SERVER_FAILED, "the registry failed"},
    {"PATCH 1", "SSH-2.0-OpenSSH\r\n", 1, REGTAG_E_PROTOCOL, "broke the protocol"},
    {"POST ", "HTTP/1.1 503 Later\r\n" EMPTY, 9, REGTAG_E_SERVER_FAILED, "the registry failed"},
};

static void an_upload_that_goes_wrong_is_begun_again_where_that_may_help(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(troubles); i++) {
        prepare();
        run.wire.manners.forgets_uploads = troubles[i].times > 1;
        quirk(1, troubles[i].request, troubles[i].answer, troubles[i].times);
        copy(SOURCE, TARGET);
        if (troubles[i].words)
            expect_refused(troubles[i].status, troubles[i].words);
        else
            expect_copied();
        bool refused = troubles[i].words && strncmp(troubles[i].answer, "HTTP/", 5) == 0;
        for (unsigned u = 0; refused && u < run.wire.upload_count; u++)
            assert_true(run.wire.uploads[u].ended);
        finish(&run);
    }
}

/* It was refused, and may be kept by the registry: that changes nothing. */
static void an_upload_that_cannot_be_ended_is_refused_all_the_same(void **state)
{
    static const char *const requests[] = {"PATCH 1", "PUT 1?digest="};
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(requests); i++) {
        prepare();
        quirk(1, requests[i / 2], "HTTP/1.1 400 No\r\n" EMPTY, 1);
        quirk(2, "DELETE 1", i % 2 ? "HTTP/1.1 503 No\r\n" EMPTY : "", 9);
        run.wire.quirk[2].ending = i % 2 ? WIRE_STAYS : WIRE_RESETS;
        copy(SOURCE, TARGET);
        expect_refused(REGTAG_E_REFUSED, "rejects the blob");
        assert_int_equal(count("DELETE 1"), 1);
        finish(&run);
    }
}

/* It is not there afterwards either: the tag must not lead to it. */
static void a_blob_that_is_confirmed_as_another_one_sets_no_tag(void **state)
{
    static const char *const answers[] = {
        "HTTP/1.1 201 Done\r\nDocker-Content-Digest: " OTHER "\r\n" EMPTY,
        "HTTP/1.1 201 Done\r\nDocker-Content-Digest: x\r\n" EMPTY,
    };
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(answers); i++) {
        prepare();
        run.wire.quirk[0].times = 99;
        quirk(1, "PUT 1?digest=", answers[i / 2], 1);
        quirk(2, "PUT 2?digest=", answers[i / 2], 1);
        quirk(3, "PUT 3?digest=", answers[i / 2], 1);
        copy(i % 2 ? SOURCE : "registry.test/b:image", TARGET);
        expect_refused(REGTAG_E_NOT_CONFIRMED, "the registry states another digest for the blob");
        finish(&run);
    }
}

/* It is not there afterwards either. */
static void a_blob_that_was_only_accepted_sets_no_tag(void **state)
{
    static const char *const puts[] = {"PUT 1?digest=", "PUT 2?digest=", "PUT 3?digest="};
    (void)state;
    prepare();
    run.wire.quirk[0].times = 99;
    for (unsigned i = 0; i < 3; i++)
        quirk(i + 1, puts[i], "HTTP/1.1 202 Accepted\r\n" EMPTY, 1);
    copy(SOURCE, TARGET);
    expect_refused(REGTAG_E_NOT_CONFIRMED, "does not confirm the blob");
    finish(&run);
}

/* An answer that states another digest is not about this blob, or this manifest. */
static void what_is_another_one_is_not_there(void **state)
{
    static const char *const there = "HTTP/1.1 200 There\r\nDocker-Content-Digest: " OTHER "\r\n" EMPTY;
    static const char *const mounted =
        "HTTP/1.1 201 Mounted\r\nDocker-Content-Digest: " OTHER "\r\n" EMPTY;
    (void)state;
    prepare();
    quirk(0, head_layer, there, 1);
    copy(SOURCE, TARGET);
    expect_copied();
    assert_true(is_uploaded(FOX, sizeof FOX - 1));
    finish(&run);
    prepare();
    quirk(1, "POST ?mount=", mounted, 9);
    copy(SOURCE, TARGET);
    expect_refused(REGTAG_E_NOT_CONFIRMED, "the registry states another digest for the blob");
    finish(&run);
}

/* What the registry says of an upload that was interrupted: the bytes before the end are here no more, and it is begun
 * again. */
static void an_upload_whose_state_is_of_no_use_is_begun_again(void **state)
{
    static const char *const states[] = {
        "HTTP/1.1 204 Here\r\nLocation: /v2/a/blobs/uploads/1\r\n\r\n",
        "HTTP/1.1 204 Here\r\nLocation: /v2/a/blobs/uploads/1\r\nRange: \r\n\r\n",
        "HTTP/1.1 204 Here\r\nLocation: /v2/a/blobs/uploads/1\r\nRange: 0-0\r\n\r\n",
        "HTTP/1.1 204 Here\r\nLocation: /v2/a/blobs/uploads/1\r\nRange: 5-10\r\n\r\n",
        "HTTP/1.1 204 Here\r\nLocation: /v2/a/blobs/uploads/1\r\nRange: bytes=0-999\r\n\r\n",
        "HTTP/1.1 204 Here\r\nLocation: /v2/a/blobs/uploads/1\r\nRange: 0-many\r\n\r\n",
        "HTTP/1.1 204 Here\r\nRange: 0-9\r\n\r\n",
        "HTTP/1.1 204 Here\r\nLocation: /v2/a/blobs/uploads/1\r\nRange: 0-9\r\nRange: 0-42\r\n\r\n",
        "HTTP/1.1 200 Here\r\nContent-Length: 0\r\n\r\n",
        ("HTTP/1.1 404 Gone\r\n" EMPTY),
    };
    (void)state;
    for (size_t i = 0; i < COUNT(states); i++) {
        prepare();
        quirk(1, "PATCH 1", "HTTP/1.1 503 Later\r\n" EMPTY, 1);
        quirk(2, "GET 1", states[i], 1);
        copy(SOURCE, TARGET);
        expect_copied();
        assert_int_equal(run.wire.upload_count, 2);
        assert_true(run.wire.uploads[0].ended);
        finish(&run);
    }
}

/* It is asked how far the upload has come only if it states another size than that of the blob. A Range that no upload
 * can have states none. */
static void a_range_that_makes_no_sense_is_none(void **state)
{
    static const char *const RANGES[2][4] = {
        {"0-42", "", "0-many", "0-9223372036854775807"},
        {"0-0", "0-41", "0-43", "0-9223372036854775806"},
    };
    (void)state;
    for (size_t i = 0; i < 8; i++) {
        char answer[200];
        prepare();
        snprintf(answer, sizeof answer,
                 "HTTP/1.1 202 Taken\r\nLocation: /v2/a/blobs/uploads/1\r\nRange: %s\r\n" EMPTY,
                 RANGES[i / 4][i % 4]);
        quirk(1, "PATCH 1", answer, 1);
        run.wire.quirk[1].done = true;
        copy(SOURCE, TARGET);
        expect_copied();
        assert_int_equal(count("GET 1"), i / 4);
        finish(&run);
    }
}

/* The registry need not keep what nobody will commit any more. */
static void an_upload_that_is_not_committed_is_ended(void **state)
{
    (void)state;
    for (unsigned times = 1; times < 9; times += 7) {
        prepare();
        run.wire.quirk[0].times = 9;
        quirk(1, "PUT ", "HTTP/1.1 503 Later\r\n" EMPTY, times);
        copy(SOURCE, TARGET);
        if (times == 1)
            expect_copied();
        else
            expect_refused(REGTAG_E_SERVER_FAILED, "the registry failed");
        for (unsigned u = 0; u < run.wire.upload_count; u++)
            assert_true(run.wire.uploads[u].ended);
        finish(&run);
    }
}

#define LARGE 5000

/* The answer comes in the middle of the upload: the registry has failed, or takes no more. What it then says to have ends
 * before the bytes that are at hand, and the DELETE of the upload may fail, too. */
static void what_is_not_at_hand_any_more_is_uploaded_anew(void **state)
{
    static const char *const answers[] = {"HTTP/1.1 503 Later\r\n" EMPTY, "HTTP/1.1 202 Here\r\n" EMPTY};
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(answers); i++) {
        static char bytes[LARGE];
        memset(bytes, 'x', sizeof bytes);
        prepare_layer(bytes, sizeof bytes);
        run.wire.step = 500;
        run.wire.early =
            (struct wire_early){.method = "PATCH", .at = 2000, .times = 1, .text = answers[i / 2]};
        quirk(1, "GET 1", "HTTP/1.1 204 Here\r\nLocation: /v2/a/blobs/uploads/1\r\nRange: 0-99\r\n\r\n",
              1);
        quirk(2, "DELETE 1", "", 1);
        run.wire.quirk[2].request = i % 2 ? "DELETE 1" : NULL;
        run.wire.quirk[2].ending = WIRE_RESETS;
        copy(SOURCE, TARGET);
        expect_copied();
        assert_int_equal(count("GET 1"), 1);
        assert_int_equal(count("DELETE 1"), 1);
        assert_true(is_uploaded(bytes, sizeof bytes));
        finish(&run);
    }
}

/* The source's answer, or that to the POST, comes first. */
static void a_layer_may_be_empty(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        prepare_layer("", 0);
        run.wire.quirk[1] = (struct wire_quirk){.request = i ? "POST " : get_layer, .delay = 500};
        run.impatient = i;
        copy("registry.test/b:image", TARGET);
        expect_copied();
        assert_int_equal(count("PATCH "), 0);
        assert_true(is_uploaded("", 0));
        finish(&run);
    }
}

/* All of it is there, or what follows is at hand. */
static void an_upload_goes_on_where_it_is(void **state)
{
    static const char *const states[] = {
        "HTTP/1.1 204 Here\r\nLocation: /v2/a/blobs/uploads/1\r\nRange: 0-42\r\n\r\n",
        "HTTP/1.1 200 Here\r\nLocation: /v2/a/blobs/uploads/1\r\nRange: bytes=0-42\r\nContent-Length: 0\r\n\r\n",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(states); i++) {
        prepare();
        quirk(1, "PATCH 1", "HTTP/1.1 503 Later\r\n" EMPTY, 1);
        run.wire.quirk[1].done = true;
        quirk(2, "GET 1", states[i], 1);
        copy(SOURCE, TARGET);
        expect_copied();
        assert_int_equal(run.wire.upload_count, 1);
        /* Nothing is left, and a range of no bytes cannot be stated. */
        assert_int_equal(count("PATCH 1"), 1);
        assert_true(is_uploaded(FOX, sizeof FOX - 1));
        finish(&run);
    }
}

static void a_blob_may_be_there_before_it_is_asked_for(void **state)
{
    static const char *const answers[] = {"HTTP/1.1 405 No HEAD\r\n" EMPTY, "HTTP/1.1 403 No\r\n" EMPTY,
                                          "HTTP/1.1 503 Later\r\n" EMPTY, ""};
    static const enum regtag_status statuses[] = {REGTAG_OK, REGTAG_E_DENIED, REGTAG_E_SERVER_FAILED,
                                                  REGTAG_E_NO_CONNECTION};
    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++) {
        prepare();
        quirk(0, head_layer, answers[i], i >= 2 ? 9 : 1);
        run.wire.quirk[0].ending = i == 3 ? WIRE_RESETS : WIRE_STAYS;
        copy(SOURCE, TARGET);
        if (i == 0)
            expect_copied();
        else
            expect_refused(statuses[i], "blob sha256:");
        finish(&run);
    }
}

/* The source does not have what its manifest names, or something else. */
/* The URL of a blob may be signed for GET only: then HEAD does not say whether it is there. */
static void a_head_that_is_refused_elsewhere_says_nothing_of_a_blob(void **state)
{
    static const char *const answers[] = {"HTTP/1.1 403 Signature\r\n" EMPTY,
                                          "HTTP/1.1 401 Login\r\n" EMPTY};
    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++) {
        prepare();
        quirk(0, head_layer,
              "HTTP/1.1 307 There\r\nLocation: http://elsewhere.test/layer?for=GET\r\n" EMPTY, 1);
        quirk(1, "HEAD layer", answers[i], 1);
        copy(SOURCE, TARGET);
        if (i)
            expect_refused(REGTAG_E_DENIED, "elsewhere.test: not authenticated");
        else
            expect_copied();
        finish(&run);
    }
}

static void what_the_source_does_not_have_is_not_copied(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        prepare();
        if (i == 0)
            quirk(1, get_layer, "HTTP/1.1 404 None\r\n" EMPTY, 9);
        else
            run.wire.ranges.changed = 3;
        copy(SOURCE, TARGET);
        if (i == 0)
            expect_refused(REGTAG_E_NOT_FOUND, "the registry does not have this blob");
        else
            expect_refused(REGTAG_E_REFUSED, "other ones");
        for (unsigned u = 0; u < run.wire.upload_count; u++)
            assert_true(run.wire.uploads[u].ended);
        finish(&run);
    }
}

/* ---- Other ends ------------------------------------------------------------------------------ */

static void what_cannot_be_copied_is_refused_before_anything_is_asked(void **state)
{
    static const struct {
        const char *source, *target, *words;
    } USES[] = {
        {"localhost/b", "localhost", "is only a host"},
        {"localhost", TARGET, "is only a host"},
        {SOURCE, "localhost/a@sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
         "the target has a digest"},
        {"localhost/b:X:y", TARGET, ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(USES); i++) {
        prepare();
        assert_int_equal(regtag_copy(run.regtag, USES[i].source, USES[i].target), REGTAG_E_USAGE);
        expect_text(&run, USES[i].words);
        run_on(&run);
        expect_end(&run, REGTAG_E_USAGE);
        assert_int_equal(run.wire.requests, 0);
        finish(&run);
    }
}

/* ---- Indexes --------------------------------------------------------------------------------- */

#define BY_DIGEST "HEAD sha256:"

/* An index of the image at `tag`, at the tag `name`; `digest` NULL: of that image. */
static const char *push_index(const char *name, const char *tag, const char *digest)
{
    char index[600];
    const struct wire_tag *child = wire_find(&run.wire, tag);
    int size = snprintf(index, sizeof index,
                        "{\"schemaVersion\":2,\"mediaType\":\"%s\",\"manifests\":[{\"mediaType\":\"%s\","
                        "\"size\":%zu,\"digest\":\"%s\"}]}",
                        INDEX, child->type, child->manifest.size, digest ? digest : child->digest);
    wire_push(&run.wire, name, INDEX, index, (size_t)size);
    return wire_find(&run.wire, name)->digest;
}

/* Nothing of it is in the target. */
static void prepare_index(void)
{
    prepare();
    quirk(0, BY_DIGEST, ABSENT, 99);
    push_index("index", "image", NULL);
}

static void expect_index_copied(void)
{
    expect_end(&run, REGTAG_OK);
    expect_outcome(&run, REGTAG_TAG_CREATED);
    assert_string_equal(wire_find(&run.wire, "copy")->digest, wire_find(&run.wire, "index")->digest);
}

static void an_index_is_copied_after_its_images(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        prepare_index();
        run.config.certain_absence = i & 1;
        if (i & 2)
            run.wire.quirk[3] = (struct wire_quirk){.request = "HEAD copy", .delay = 500};
        run.wire.manners.delay = 10;
        begin_again(&run);
        copy("localhost/b:index", TARGET);
        expect_index_copied();
        assert_int_equal(count("PUT sha256:"), 1);
        assert_true(is_uploaded(FOX, sizeof FOX - 1) && is_uploaded("{}", 2));
        finish(&run);
    }
}

/* What the target has under its digest is another one. */
static void an_image_that_is_another_one_is_uploaded(void **state)
{
    (void)state;
    prepare_index();
    quirk(0, BY_DIGEST, "HTTP/1.1 200 There\r\nDocker-Content-Digest: " OTHER "\r\n" EMPTY, 99);
    quirk(1, head_layer, ABSENT, 1);
    copy("localhost/b:index", TARGET);
    expect_index_copied();
    assert_int_equal(count("PUT sha256:"), 1);
    finish(&run);
}

static const struct {
    const char *request, *answer; /* NULL: none */
    enum regtag_status status;
    const char *words;
} children[] = {
    {"PUT sha256:", "HTTP/1.1 403 No\r\n" EMPTY, REGTAG_E_DENIED, "does not allow it"},
    {"PUT sha256:", "HTTP/1.1 201 Done\r\n" EMPTY, REGTAG_OK, NULL},
    {"PUT sha256:", "HTTP/1.1 201 Done\r\nDocker-Content-Digest: x\r\n" EMPTY, REGTAG_OK, NULL},
    {"PUT sha256:",
     "HTTP/1.1 201 Done\r\nDocker-Content-Digest: "
     "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\r\n" EMPTY,
     REGTAG_E_NOT_CONFIRMED, "but the registry confirms"},
    {"PUT sha256:", "", REGTAG_E_NO_CONNECTION, "closed"},
    {NULL, "HTTP/1.1 503 Later\r\n" EMPTY, REGTAG_E_SERVER_FAILED, "the registry failed"},
    {NULL, "", REGTAG_E_NO_CONNECTION, "closed"},
};

static void an_image_of_an_index_that_cannot_be_uploaded_sets_no_tag(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(children); i++) {
        char request[80];
        prepare_index();
        snprintf(request, sizeof request, "HEAD %s", wire_find(&run.wire, "image")->digest);
        quirk(1, BY_DIGEST, ABSENT, 99);
        quirk(0, children[i].request ? children[i].request : request, children[i].answer, 9);
        if (!*children[i].answer)
            run.wire.quirk[0].ending = WIRE_CLOSES;
        copy("localhost/b:index", TARGET);
        if (children[i].words)
            expect_refused(children[i].status, children[i].words);
        else
            expect_index_copied();
        finish(&run);
    }
}

static void what_cannot_be_checked_or_is_too_deep_is_not_copied(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        char name[8] = "index", parent[8];
        prepare_index();
        if (i == 0)
            push_index(
                "index", "image",
                "sha512:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef01234567"
                "89abcdef0123456789abcdef0123456789abcdef");
        for (unsigned depth = 0; i == 1 && depth < 5; depth++) {
            snprintf(parent, sizeof parent, "deep%u", depth);
            push_index(parent, name, NULL);
            memcpy(name, parent, sizeof name);
        }
        snprintf(parent, sizeof parent, "%s", name);
        char source[40];
        snprintf(source, sizeof source, "localhost/b:%s", parent);
        copy(source, TARGET);
        expect_refused(REGTAG_E_REFUSED, i ? "more than 4 deep" : "cannot be checked");
        finish(&run);
    }
}

/* ---- Without a tag --------------------------------------------------------------------------- */

#define REFERRER "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[],\"subject\":" CONFIG "}"

static void copy_digest(const char *tag)
{
    char source[120];
    snprintf(source, sizeof source, "localhost/b@%s", wire_find(&run.wire, tag)->digest);
    run.uploads = 1; /* nothing is announced where no tag is moved */
    copy(source, "localhost/a");
}

static void without_a_tag_it_is_copied_by_its_digest(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        prepare();
        take_notes(&run, false);
        wire_push(&run.wire, "referrer", OCI, REFERRER, sizeof REFERRER - 1);
        run.wire.manners.delay = 10;
        run.config.dry_run = i == 1;
        begin_again(&run);
        if (i)
            quirk(0, BY_DIGEST, ABSENT, 9);
        if (i == 3)
            run.wire.manners.put_fields = "OCI-Subject: sha256:x\r\n";
        if (i == 4)
            quirk(1, "PUT sha256:", "HTTP/1.1 403 No\r\n" EMPTY, 1);
        copy_digest(i < 2 || i == 4 ? "image" : "referrer");
        expect_end(&run, i == 4 ? REGTAG_E_DENIED : REGTAG_OK);
        expect_outcome(&run, i == 4 ? REGTAG_TAG_FAILED : i ? REGTAG_TAG_CREATED : REGTAG_TAG_UNCHANGED);
        assert_int_equal(count("PUT sha256:"), i >= 2);
        assert_int_equal(count_of(run.notes, "!localhost/a: the registry does not list referrers"),
                         i == 2);
        finish(&run);
    }
}

/* Guards for all tags hold, since there is none; others are for a tag that is not to be set. */
static void without_a_tag_there_is_nothing_to_guard(void **state)
{
    static const struct {
        const char *guard, *words;
    } GUARDS[] = {
        {"absent", NULL},
        {OTHER, NULL},
        {"copy=absent", "this tag is not among those to change"},
        {"sha256:x", "must be DIGEST"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(GUARDS); i++) {
        char source[120];
        prepare();
        run.config.expected = &GUARDS[i].guard;
        run.config.expected_count = 1;
        begin_again(&run);
        if (!GUARDS[i].words) {
            copy_digest("image");
            expect_end(&run, REGTAG_OK);
            expect_outcome(&run, REGTAG_TAG_UNCHANGED);
        } else {
            snprintf(source, sizeof source, "localhost/b@%s", wire_find(&run.wire, "image")->digest);
            assert_int_equal(regtag_copy(run.regtag, source, "localhost/a"), REGTAG_E_USAGE);
            expect_usage(GUARDS[i].words);
        }
        finish(&run);
    }
}

/* ---- Guards, and second thoughts ------------------------------------------------------------- */

static void a_guarded_tag_is_looked_at_again_after_the_blobs(void **state)
{
    static const char *const absent[] = {"absent"};
    (void)state;
    prepare();
    run.config.expected = absent;
    run.config.expected_count = 1;
    run.wire.manners.delay = 10;
    begin_again(&run);
    quirk(1, "POST ?mount=", MOUNTED, 1);
    copy(SOURCE, TARGET);
    expect_copied();
    assert_int_equal(count("HEAD copy"), 2);
    finish(&run);
}

/* Nothing is copied for a tag that must not be touched. If it may be touched a moment later, nothing is there yet. */
static void a_guard_that_holds_too_late_sets_no_tag(void **state)
{
    static const char *const expected[] = {"absent"};
    (void)state;
    for (unsigned unknown = 0; unknown < 2; unknown++) {
        prepare();
        run.config.expected = expected;
        run.config.expected_count = 1;
        begin_again(&run);
        if (unknown)
            quirk(1, "HEAD copy", "HTTP/1.1 500 Odd\r\n" EMPTY, 3);
        else
            wire_push(&run.wire, "copy", OCI, OLD, sizeof OLD - 1);
        run.wire.rival = (struct wire_rival){.at = 3, .tag = "copy"};
        copy(SOURCE, TARGET);
        expect_end(&run, unknown ? REGTAG_E_SERVER_FAILED : REGTAG_E_GUARD);
        expect_outcome(&run, REGTAG_TAG_FAILED);
        assert_int_equal(run.wire.puts, 0);
        assert_int_equal(run.uploads, 0);
        assert_string_equal(run.previous[0], unknown ? "" : digest_of_old());
        finish(&run);
    }
}

/* The registry denies to HEAD what it has. */
static void a_guard_does_not_take_a_head_for_an_answer(void **state)
{
    const char *expected[] = {digest_of_old()};
    (void)state;
    prepare();
    run.config.expected = expected;
    run.config.expected_count = 1;
    begin_again(&run);
    wire_push(&run.wire, "copy", OCI, OLD, sizeof OLD - 1);
    quirk(1, "HEAD copy", ABSENT, 9);
    copy(SOURCE, TARGET);
    expect_end(&run, REGTAG_OK);
    expect_outcome(&run, REGTAG_TAG_MOVED);
    assert_true(is_uploaded(FOX, sizeof FOX - 1));
    finish(&run);
}

static void a_copy_may_be_declined_before_the_tag_is_set(void **state)
{
    (void)state;
    for (unsigned early = 0; early < 2; early++) {
        prepare();
        quirk(1, "POST ?mount=", MOUNTED, 1);
        run.refuses_upload = true;
        assert_int_equal(regtag_copy(run.regtag, SOURCE, TARGET), REGTAG_OK);
        if (early)
            regtag_decline(run.regtag, "there is nothing to decline yet");
        while (step(&run))
            ;
        assert_int_equal(run.end, REGTAG_UPLOAD);
        regtag_decline(run.regtag, "it is not wanted any more");
        run.refuses_upload = false;
        run_on(&run);
        expect_refused(REGTAG_E_OTHER, "it is not wanted any more");
        finish(&run);
    }
}

/* At any step, not only when it is asked for: then it changes nothing. */
static void a_copy_is_not_stopped_where_nothing_is_announced(void **state)
{
    (void)state;
    for (unsigned steps = 0;; steps++) {
        prepare();
        run.wire.manners.delay = 10;
        assert_int_equal(regtag_copy(run.regtag, SOURCE, TARGET), REGTAG_OK);
        bool goes_on = true;
        for (unsigned i = 0; goes_on && i < steps; i++)
            goes_on = step(&run);
        if (run.end != REGTAG_UPLOAD)
            regtag_decline(run.regtag, "it is not wanted any more");
        if (goes_on)
            run_on(&run);
        expect_copied();
        finish(&run);
        if (!goes_on)
            break;
    }
}

/* The registry states no digest, so that both the tag and the image have to be hashed, and there is one hash for both. */
static void the_tag_is_hashed_while_the_image_comes(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        prepare();
        wire_push(&run.wire, "copy", OCI, OLD, sizeof OLD - 1);
        run.wire.manners.no_digest = run.wire.manners.no_head_digest = true;
        run.wire.manners.pace = 1;
        run.wire.quirk[1] =
            (struct wire_quirk){.request = i ? "GET image" : "GET copy", .delay = 200 * i};
        run.config.dry_run = i == 2;
        begin_again(&run);
        copy("registry.test/b:image", TARGET);
        expect_end(&run, REGTAG_OK);
        expect_outcome(&run, REGTAG_TAG_MOVED);
        assert_string_equal(run.previous[0], digest_of_old());
        finish(&run);
    }
}

/* As often as `retries` says. */
static void an_image_that_comes_at_the_last_attempt_is_copied(void **state)
{
    (void)state;
    for (unsigned failures = 2; failures <= 3; failures++) {
        prepare();
        quirk(1, "GET image", "HTTP/1.1 503 Later\r\n" EMPTY, failures);
        copy(SOURCE, TARGET);
        if (failures == 2)
            expect_copied();
        else
            expect_end(&run, REGTAG_E_SERVER_FAILED);
        assert_int_equal(count("GET image\n"), 3);
        finish(&run);
    }
}

/* ---- Several blobs --------------------------------------------------------------------------- */

/* Whenever one blob fails, the other is given up, and its upload is ended. */
static void if_one_blob_fails_the_other_is_given_up_at_any_time(void **state)
{
    static struct regtag_sha256_context contexts[2];
    const struct regtag_hash hashes[] = {regtag_sha256(&contexts[0]), regtag_sha256(&contexts[1])};
    static const char *const sources[] = {SOURCE, "registry.test/b:image"};
    (void)state;
    for (unsigned i = 0; i < 12; i++) {
        for (uint64_t delay = 50; delay < 1200; delay += 100) {
            prepare();
            run.config.retries = i / 2 == 3 ? 0 : 2;
            run.config.hashes = hashes;
            run.config.hashes_count = COUNT(hashes);
            widen(&run, 6);
            run.wire.manners.delay = 100;
            run.wire.quirk[0].times = 9;
            quirk(1, head_config, "HTTP/1.1 403 No\r\n" EMPTY, 1);
            run.wire.quirk[1].delay = delay;
            if (i / 2 == 1)
                quirk(2, "PUT 1", "HTTP/1.1 503 Later\r\n" EMPTY, 1);
            if (i / 2 >= 2)
                quirk(2, "PATCH 1", "HTTP/1.1 404 Gone\r\n" EMPTY, 1);
            if (i / 2 == 3)
                quirk(3, "DELETE 1", "HTTP/1.1 500 No\r\n" EMPTY, 9);
            if (i / 2 == 4)
                quirk(2, "POST ", "HTTP/1.1 403 No\r\n" EMPTY, 9);
            if (i / 2 == 5)
                quirk(2, "POST ", "SSH-2.0-OpenSSH\r\n", 9);
            copy(sources[i % 2], TARGET);
            expect_refused(i / 2 == 3 || i / 2 == 5 ? run.status[0] : REGTAG_E_DENIED, "blob sha256:");
            for (unsigned u = 0; i / 2 != 3 && u < run.wire.upload_count; u++)
                assert_true(run.wire.uploads[u].ended);
            finish(&run);
        }
    }
}

#define DOG "the lazy dog"

/* One digest twice is one blob; one that cannot be checked is refused. */
static void each_layer_is_copied_once(void **state)
{
    static const char *const unknown =
        "sha512:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef01234567"
        "89abcdef0123456789abcdef0123456789abcdef";
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        char manifest[1200];
        prepare();
        const char *dog = wire_push_blob(&run.wire, DOG, sizeof DOG - 1, NULL);
        int used =
            snprintf(manifest, sizeof manifest,
                     "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":["
                     "{\"mediaType\":\"a/b\",\"size\":%zu,\"digest\":\"%s\"},"
                     "{\"mediaType\":\"a/b\",\"size\":%zu,\"digest\":\"%s\"},"
                     "{\"mediaType\":\"a/b\",\"size\":%zu,\"digest\":\"%s\"}]}",
                     sizeof FOX - 1, layer, sizeof DOG - 1, i ? unknown : dog, sizeof FOX - 1, layer);
        wire_push(&run.wire, "image", OCI, manifest, (size_t)used);
        run.wire.quirk[0].request = "HEAD sha256:";
        run.wire.quirk[0].times = 9;
        copy(SOURCE, TARGET);
        if (i)
            expect_refused(REGTAG_E_REFUSED, "only sha256 digests can be checked");
        else {
            expect_copied();
            assert_int_equal(run.wire.upload_count, 3);
            assert_true(is_uploaded(FOX, sizeof FOX - 1) && is_uploaded(DOG, sizeof DOG - 1));
        }
        finish(&run);
    }
}

/* One digest, first of a layer that is stored elsewhere, then of one that is not, or the other way round. */
static void a_foreign_layer_does_not_hide_another_one(void **state)
{
    static const char *const urls[] = {",\"urls\":[\"https://elsewhere.test/x\"]", ""};
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        char manifest[1200];
        prepare();
        int used = snprintf(manifest, sizeof manifest,
                            "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":["
                            "{\"mediaType\":\"a/b\",\"size\":%zu,\"digest\":\"%s\"%s},"
                            "{\"mediaType\":\"a/b\",\"size\":%zu,\"digest\":\"%s\"%s}]}",
                            sizeof FOX - 1, layer, urls[i], sizeof FOX - 1, layer, urls[!i]);
        wire_push(&run.wire, "image", OCI, manifest, (size_t)used);
        copy(SOURCE, TARGET);
        expect_copied();
        assert_true(is_uploaded(FOX, sizeof FOX - 1));
        finish(&run);
    }
}

/* As an artifact's empty config and its only layer are. */
static void a_layer_may_be_the_config_as_well(void **state)
{
    (void)state;
    prepare();
    const char *manifest = "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[" CONFIG "]}";
    wire_push(&run.wire, "image", OCI, manifest, strlen(manifest));
    quirk(0, head_config, ABSENT, 9);
    copy(SOURCE, TARGET);
    expect_copied();
    assert_int_equal(run.wire.upload_count, 1);
    finish(&run);
}

/* ---- Two repositories, one token ----------------------------------------------------------------- */

/* A mount needs a token for both, whichever way it is asked for. */
static void one_token_is_for_both_repositories(void **state)
{
    (void)state;
    for (unsigned posts = 0; posts < 2; posts++) {
        prepare();
        run.wire.quirk[0].request = NULL;
        if (posts)
            run.config.target.credentials.identity_token = "an-identity-token";
        begin_again(&run);
        quirk(1, "HEAD copy",
              "HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer realm=\"http://localhost/token\"\r\n" EMPTY,
              1);
        quirk(2, posts ? "POST token" : "GET token",
              "HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n{\"token\":\"a-token\"}", 1);
        copy(SOURCE, TARGET);
        expect_copied();
        assert_int_equal(
            count_of(run.wire.log.data,
                     posts ? "scope=repository%3Aa%3Apull%2Cpush+repository%3Ab%3Apull"
                           : "scope=repository%3Aa%3Apull%2Cpush&scope=repository%3Ab%3Apull"),
            1);
        finish(&run);
    }
}

/* Each side has its own settings, wherever it is sent to. */
static void the_target_may_be_redirected(void **state)
{
    (void)state;
    prepare();
    run.wire.quirk[0].request = NULL;
    quirk(1, "HEAD copy",
          "HTTP/1.1 307 There\r\nLocation: http://elsewhere.test/v2/a/manifests/base\r\n" EMPTY, 9);
    copy(SOURCE, TARGET);
    expect_end(&run, REGTAG_OK);
    expect_outcome(&run, REGTAG_TAG_MOVED);
    assert_string_equal(run.previous[0], digest_of_new());
    finish(&run);
}

/* As many blobs at the same time as there is memory for. */
static void a_copy_takes_many_connections(void **state)
{
    (void)state;
    prepare();
    widen(&run, 18);
    assert_int_equal(regtag_copy(run.regtag, SOURCE, TARGET), REGTAG_OK);
    finish(&run);
}

/* ---- Two registries -------------------------------------------------------------------------- */

static bool was_sent_to(unsigned connection, const char *text)
{
    return run.wire.line[connection].log.data && strstr(run.wire.line[connection].log.data, text);
}

static void between_two_registries_blobs_are_streamed(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        prepare();
        quirk(1, get_layer, i == 1 ? "HTTP/1.1 503 Later\r\n" EMPTY : NULL, 1);
        if (i == 2)
            quirk(1, "POST ", "HTTP/1.1 201 Odd\r\n" EMPTY, 1);
        if (i == 3)
            quirk(1, "PATCH 1", "HTTP/1.1 202 Here\r\nLocation: /v2/a/blobs/uploads/1?state=x\r\n" EMPTY,
                  1);
        run.wire.quirk[1].done = i == 3;
        copy("registry.test/b:image", TARGET);
        assert_true(was_sent_to(2, "GET /v2/b/manifests/image HTTP/1.1\r\nHost: registry.test\r\n"));
        assert_true(was_sent_to(0, "HEAD /v2/a/manifests/copy HTTP/1.1\r\nHost: localhost\r\n"));
        if (i == 2)
            expect_refused(REGTAG_E_PROTOCOL, "does not fit the request");
        else
            expect_copied();
        if (i == 3)
            assert_int_equal(count_of(run.wire.log.data, "/1?state=x&digest=sha256:"), 1);
        finish(&run);
    }
}

/* While the source hangs there is nothing to send: the upload waits, and goes on when more comes, if that is soon. */
static void a_source_that_stalls_does_not_end_the_upload(void **state)
{
    static const struct {
        uint64_t stall;
        const char *pause;
        unsigned looks;
    } cases[] = {{1000, NULL, 0}, {1000, "9", 2}, {UINT64_MAX / 2, "9", 0}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char later[100];
        prepare();
        run.config.stall = cases[i].stall;
        begin_again(&run);
        snprintf(later, sizeof later, "HTTP/1.1 503 Later\r\nRetry-After: %s\r\n" EMPTY,
                 cases[i].pause ? cases[i].pause : "");
        quirk(1, get_layer, "HTTP/1.1 200 OK\r\nContent-Length: 43\r\n\r\nThe quick ", 1);
        run.wire.quirk[1].ending = i == 2 ? WIRE_RESETS : WIRE_STAYS;
        quirk(2, cases[i].pause ? get_layer : NULL, later, 1);
        run.wire.quirk[2].after = 1;
        copy("registry.test/b:image", TARGET);
        expect_copied();
        assert_int_equal(count("GET 1\n"), cases[i].looks);
        assert_true(is_uploaded(FOX, sizeof FOX - 1));
        finish(&run);
    }
}

/* The registry has all of the blob before the source says that this was all. */
static void the_end_of_a_blob_may_come_late(void **state)
{
    unsigned since = 0;
    (void)state;
    prepare();
    quirk(1, get_layer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2b\r\n" FOX "\r\n", 1);
    run.impatient = true;
    assert_int_equal(regtag_copy(run.regtag, "registry.test/b:image", TARGET), REGTAG_OK);
    while (step(&run)) {
        since += run.wire.upload_count && run.wire.uploads[0].bytes.size == sizeof FOX - 1;
        if (since == 4) {
            assert_int_equal(count("PUT 1"), 0);
            wire_say(&run.wire, 2, "0\r\n\r\n");
        }
    }
    expect_copied();
    assert_true(is_uploaded(FOX, sizeof FOX - 1));
    finish(&run);
}

/* ---- One after the other --------------------------------------------------------------------- */

/* Connections and tokens of both sides are for the next copy. */
static void prepare_kept(void)
{
    prepare();
    run.config.keep = true;
    begin_again(&run);
}

static void copy_next(const char *source, const char *target)
{
    assert_true(regtag_next(run.regtag, &run.config));
    run.settled = 0;
    copy(source, target);
}

static void another_copy_has_the_same_connections(void **state)
{
    static const char *const targets[] = {"localhost/a:two", "localhost/a:three"};
    (void)state;
    prepare_kept();
    run.wire.quirk[0].times = 9;
    copy("registry.test/b:image", TARGET);
    expect_copied();
    unsigned connections = run.wire.connections;
    for (size_t i = 0; i < COUNT(targets); i++) {
        copy_next("registry.test/b:image", targets[i]);
        expect_end(&run, REGTAG_OK);
        expect_outcome(&run, REGTAG_TAG_CREATED);
        assert_non_null(wire_find(&run.wire, strrchr(targets[i], ':') + 1));
    }
    assert_int_equal(run.wire.connections, connections);
    assert_int_equal(connections, 2);
    copy_next("registry.test/b:image", "localhost:81/a:five");
    expect_end(&run, REGTAG_OK);
    assert_int_equal(run.wire.connections, connections + 1);
    finish(&run);
}

/* Here, that the source reads Accept only with one media type on each line. */
static void another_copy_knows_what_the_last_one_has_learned(void **state)
{
    (void)state;
    prepare_kept();
    quirk(1, "GET image", "HTTP/1.1 406 What\r\n" EMPTY, 1);
    copy("registry.test/b:image", TARGET);
    expect_copied();
    assert_int_equal(count("GET image"), 2);
    size_t before = run.wire.line[2].log.size;
    copy_next("registry.test/b:image", "localhost/a:two");
    expect_end(&run, REGTAG_OK);
    assert_int_equal(count("GET image"), 3);
    assert_true(count_of(run.wire.line[2].log.data + before, "\r\nAccept: ") > 1);
    finish(&run);
}

/* The login to the target is also for the repository that blobs are mounted from. */
static void another_copy_has_the_tokens_that_serve_it(void **state)
{
    static const struct {
        const char *source, *target;
        unsigned tokens;
    } steps[] = {
        {SOURCE, TARGET, 2},
        {SOURCE, "localhost/a:two", 2},
        {"localhost/c:image", "localhost/a:three", 4}, /* both sides are about another repository */
        {"localhost/c:image", "localhost/d:four", 5},
        {"localhost/d:image", "localhost/d:five", 7}, /* nothing is mounted */
        {"localhost/d:image", "localhost/d:six", 7}};
    (void)state;
    prepare_kept();
    run.wire.quirk[0].request = NULL;
    run.wire.manners.realm = "http://localhost/token";
    run.wire.manners.token_says = ",\"expires_in\":300";
    run.wire.manners.tokens_stay = true;
    begin_again(&run);
    for (size_t i = 0; i < COUNT(steps); i++) {
        if (i)
            assert_true(regtag_next(run.regtag, &run.config));
        run.settled = 0;
        copy(steps[i].source, steps[i].target);
        expect_end(&run, REGTAG_OK);
        assert_int_equal(run.wire.tokens, steps[i].tokens);
    }
    finish(&run);
}

/* Where a connection is of no use any more, there is another one. */
static void a_copy_that_fails_leaves_the_others_alone(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        prepare_kept();
        run.config.retries = 0;
        begin_again(&run);
        run.wire.quirk[0].times = 9;
        copy("registry.test/b:image", TARGET);
        expect_copied();
        if (i == 0)
            quirk(1, "PUT two", "HTTP/1.1 500 No\r\n" EMPTY, 1);
        if (i == 1)
            quirk(1, get_layer, "HTTP/1.1 404 None\r\n" EMPTY, 1);
        if (i == 2)
            quirk(1, "PATCH 2", "", 1);
        if (i == 3)
            run.wire.ranges.changed = 1;
        if (i == 4)
            quirk(1, "PUT two", "", 2); /* the idle connection may have been reset before the first */
        run.wire.quirk[1].ending = i >= 2 ? WIRE_RESETS : WIRE_STAYS;
        copy_next("registry.test/b:image", "localhost/a:two");
        assert_int_not_equal(run.status[0], REGTAG_OK);
        assert_null(wire_find(&run.wire, "two"));
        run.wire.ranges.changed = 0;
        copy_next("registry.test/b:image", "localhost/a:three");
        expect_end(&run, REGTAG_OK);
        expect_outcome(&run, REGTAG_TAG_CREATED);
        finish(&run);
    }
}

static bool leave_after(unsigned steps)
{
    bool left = true;
    prepare_kept();
    run.wire.manners.realm = "http://localhost/token";
    run.wire.manners.tokens_stay = true;
    run.wire.manners.delay = 5;
    run.wire.quirk[0].times = 9;
    assert_int_equal(regtag_copy(run.regtag, "127.0.0.1/b:image", TARGET), REGTAG_OK);
    for (unsigned i = 0; i < steps && left; i++)
        left = step(&run);
    copy_next("127.0.0.1/b:image", "localhost/a:two");
    expect_end(&run, REGTAG_OK);
    expect_outcome(&run, REGTAG_TAG_CREATED);
    finish(&run);
    return left;
}

static void a_copy_may_be_left_at_any_step(void **state)
{
    unsigned steps = 0;
    (void)state;
    while (leave_after(steps))
        steps++;
    assert_in_range(steps, 10, 1000);
}

/* Their connections are shared out otherwise. */
static void only_a_copy_follows_a_copy(void **state)
{
    (void)state;
    for (unsigned after = 0; after < 2; after++) {
        prepare_kept();
        if (after) {
            copy(SOURCE, TARGET);
            expect_copied();
        } else {
            regtag_digest(run.regtag, "localhost/a:base");
            run_on(&run);
        }
        expect_end(&run, REGTAG_OK);
        unsigned requests = run.wire.requests;
        assert_true(regtag_next(run.regtag, &run.config));
        run.settled = 0;
        assert_int_equal(after ? regtag_digest(run.regtag, "localhost/a:base")
                               : regtag_copy(run.regtag, SOURCE, "localhost/a:two"),
                         REGTAG_E_USAGE);
        expect_usage("a copy can follow only a copy");
        assert_int_equal(run.wire.requests, requests);
        if (after)
            copy(SOURCE, "localhost/a:two");
        else {
            regtag_digest(run.regtag, "localhost/a:base");
            run_on(&run);
        }
        expect_end(&run, REGTAG_OK);
        regtag_end(run.regtag);
        finish(&run);
    }
}

/* Not even if none of them can be meant. */
static void a_copy_that_was_refused_may_be_followed(void **state)
{
    static const char *const sources[] = {"localhost", "localhost/b:X:y", "localhost/b@sha512:x"};
    (void)state;
    prepare_kept();
    quirk(1, "POST ?mount=", MOUNTED, 1);
    for (size_t i = 0; i < COUNT(sources); i++) {
        assert_int_equal(regtag_copy(run.regtag, sources[i], TARGET), REGTAG_E_USAGE);
        expect_usage("");
    }
    copy(SOURCE, TARGET);
    expect_copied();
    finish(&run);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_blob_of_the_same_registry_is_mounted),
        cmocka_unit_test(each_side_has_connections_of_its_own),
        cmocka_unit_test(a_blob_that_is_not_mounted_is_streamed),
        cmocka_unit_test(an_upload_stays_encrypted),
        cmocka_unit_test(repositories_may_have_long_names),
        cmocka_unit_test(within_a_repository_blobs_are_there),
        cmocka_unit_test(the_server_of_an_upload_redirects_within_itself),
        cmocka_unit_test(the_signed_url_of_an_upload_is_not_shown),
        cmocka_unit_test(the_url_of_an_upload_may_be_relative),
        cmocka_unit_test(the_url_of_an_upload_is_relative_to_a_long_one),
        cmocka_unit_test(an_upload_whose_url_leaves_no_room_for_the_digest_is_refused),
        cmocka_unit_test(an_upload_that_goes_wrong_is_begun_again_where_that_may_help),
        cmocka_unit_test(an_upload_that_cannot_be_ended_is_refused_all_the_same),
        cmocka_unit_test(a_blob_that_is_confirmed_as_another_one_sets_no_tag),
        cmocka_unit_test(a_blob_that_was_only_accepted_sets_no_tag),
        cmocka_unit_test(what_is_another_one_is_not_there),
        cmocka_unit_test(an_upload_whose_state_is_of_no_use_is_begun_again),
        cmocka_unit_test(a_range_that_makes_no_sense_is_none),
        cmocka_unit_test(an_upload_that_is_not_committed_is_ended),
        cmocka_unit_test(what_is_not_at_hand_any_more_is_uploaded_anew),
        cmocka_unit_test(a_layer_may_be_empty),
        cmocka_unit_test(an_upload_goes_on_where_it_is),
        cmocka_unit_test(a_blob_may_be_there_before_it_is_asked_for),
        cmocka_unit_test(a_head_that_is_refused_elsewhere_says_nothing_of_a_blob),
        cmocka_unit_test(what_the_source_does_not_have_is_not_copied),
        cmocka_unit_test(an_index_is_copied_after_its_images),
        cmocka_unit_test(an_image_that_is_another_one_is_uploaded),
        cmocka_unit_test(an_image_of_an_index_that_cannot_be_uploaded_sets_no_tag),
        cmocka_unit_test(what_cannot_be_checked_or_is_too_deep_is_not_copied),
        cmocka_unit_test(without_a_tag_it_is_copied_by_its_digest),
        cmocka_unit_test(without_a_tag_there_is_nothing_to_guard),
        cmocka_unit_test(a_guarded_tag_is_looked_at_again_after_the_blobs),
        cmocka_unit_test(a_guard_that_holds_too_late_sets_no_tag),
        cmocka_unit_test(a_guard_does_not_take_a_head_for_an_answer),
        cmocka_unit_test(a_copy_may_be_declined_before_the_tag_is_set),
        cmocka_unit_test(an_image_that_comes_at_the_last_attempt_is_copied),
        cmocka_unit_test(if_one_blob_fails_the_other_is_given_up_at_any_time),
        cmocka_unit_test(a_copy_is_not_stopped_where_nothing_is_announced),
        cmocka_unit_test(the_tag_is_hashed_while_the_image_comes),
        cmocka_unit_test(each_layer_is_copied_once),
        cmocka_unit_test(a_foreign_layer_does_not_hide_another_one),
        cmocka_unit_test(a_layer_may_be_the_config_as_well),
        cmocka_unit_test(the_target_may_be_redirected),
        cmocka_unit_test(a_copy_takes_many_connections),
        cmocka_unit_test(one_token_is_for_both_repositories),
        cmocka_unit_test(between_two_registries_blobs_are_streamed),
        cmocka_unit_test(a_source_that_stalls_does_not_end_the_upload),
        cmocka_unit_test(the_end_of_a_blob_may_come_late),
        cmocka_unit_test(another_copy_has_the_same_connections),
        cmocka_unit_test(another_copy_knows_what_the_last_one_has_learned),
        cmocka_unit_test(another_copy_has_the_tokens_that_serve_it),
        cmocka_unit_test(a_copy_that_fails_leaves_the_others_alone),
        cmocka_unit_test(a_copy_may_be_left_at_any_step),
        cmocka_unit_test(only_a_copy_follows_a_copy),
        cmocka_unit_test(a_copy_that_was_refused_may_be_followed),
        cmocka_unit_test(what_cannot_be_copied_is_refused_before_anything_is_asked),
    };
    return cmocka_run_group_tests_name("copy", tests, NULL, NULL);
}
