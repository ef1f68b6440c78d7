/* A whole conversation, with several connections and with several requests in flight: the registry of wire.h, and between it and
 * the library something that does to the bytes what the input says, at each read and write. Where it only delays, cuts off and
 * closes, all that the operation says must be true; where it lies, at least nothing may be stored, or called right, that is not. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "harness.h"
#include "../layers.h"
#include "regtag.h"
#include "regtag_sha256.h"

#define STEPS_MAX 1000000u
#define TIMEOUT 60000
#define TAGS 24
#define CHOICES 4
#define PENDING_MAX 65536

#define MANIFEST(text)                                                                                  \
    "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"a/b\",\"size\":2,\"digest\":\"sha256:"            \
    "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\"},\"layers\":[],"                \
    "\"annotations\":{\"a\":\"" text "\"}}"
#define OCI "application/vnd.oci.image.manifest.v1+json"

static const char NEW[] = MANIFEST("new"), OLD[] = MANIFEST("old"), OTHER[] = MANIFEST("other");

/* ---- What is said instead, or besides ---------------------------------------------------------- */

#define SAYS(status, fields) "HTTP/1.1 " status "\r\n" fields "Content-Length: 0\r\n\r\n"
#define ZEROS "sha256:0000000000000000000000000000000000000000000000000000000000000000"

static const char *const ANSWERS[] = {
    SAYS("201 Created", ""),
    SAYS("201 Created", "Docker-Content-Digest: " ZEROS "\r\n"),
    SAYS("200 OK", "Docker-Content-Digest: " ZEROS "\r\n"),
    SAYS("202 Accepted", ""),
    SAYS("204 No Content", ""),
    SAYS("100 Continue", ""),
    SAYS("301 Moved", "Location: http://evil.test/v2/a/manifests/base\r\n"),
    SAYS("307 Moved", "Location: https://cdn.test/x\r\n"),
    SAYS("307 Moved", "Location: /v2/a/manifests/x0\r\n"),
    SAYS("400 Bad", "Connection: close\r\n"),
    SAYS("401 No", "WWW-Authenticate: Bearer realm=\"http://evil.test/t\",service=\"s\"\r\n"),
    SAYS("401 No", "WWW-Authenticate: Bearer realm=\"https://token.test/t\",service=\"s\"\r\n"),
    SAYS("401 No", "WWW-Authenticate: Bearer realm=\"http://127.0.0.1:5001/token\"\r\n"),
    SAYS("401 No", "WWW-Authenticate: Basic realm=\"a\"\r\n"),
    SAYS("403 No", ""),
    SAYS("404 No", ""),
    SAYS("405 No", ""),
    SAYS("409 Conflict", ""),
    SAYS("416 No", ""),
    SAYS("429 Too Many", "Retry-After: 1\r\n"),
    SAYS("500 Broken", ""),
    SAYS("503 Busy", "Retry-After: 2\r\n"),
    "HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{\"token\":\"x\"}\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{\"tags\":null}",
};

/* ---- The way ----------------------------------------------------------------------------------- */

enum ending { STAYS, CLOSED, FAILED };

struct way {
    struct regtag_origin origin;
    enum ending ending; /* what becomes of it behind what is pending */
    size_t pending;     /* bytes that have not been read yet */
    char bytes[PENDING_MAX];
};

static struct {
    struct wire wire;
    struct regtag_transport inner;
    struct way ways[WIRE_LINES];
    const uint8_t *script;
    size_t left;
    unsigned puts; /* that were looked at */
    bool lied,
        raw; /* something was said that the registry has not said; of that, something that is not in ANSWERS */
} net;

static uint8_t next(void)
{
    if (net.left == 0)
        return 0;
    net.left--;
    return *net.script++;
}

static void put(struct way *way, size_t at, const char *bytes, size_t size)
{
    size = size < PENDING_MAX - way->pending ? size : PENDING_MAX - way->pending;
    at = at < way->pending ? at : way->pending;
    memmove(way->bytes + at + size, way->bytes + at, way->pending - at);
    memcpy(way->bytes + at, bytes, size);
    way->pending += size;
}

static void drop(struct way *way, size_t at, size_t size)
{
    at = at < way->pending ? at : way->pending;
    size = size < way->pending - at ? size : way->pending - at;
    memmove(way->bytes + at, way->bytes + at + size, way->pending - at - size);
    way->pending -= size;
}

/* What the registry has said by now. */
static void fill(struct way *way, unsigned connection)
{
    ptrdiff_t n = 1;
    while (n > 0 && way->ending == STAYS && way->pending < PENDING_MAX) {
        n = net.inner.read(net.inner.context, connection, way->bytes + way->pending,
                           PENDING_MAX - way->pending);
        if (n > 0)
            way->pending += (size_t)n;
    }
    if (n == REGTAG_IO_CLOSED || n == REGTAG_IO_FAILED)
        way->ending = n == REGTAG_IO_CLOSED ? CLOSED : FAILED;
}

/* The next bytes of the input stand in the way, too. */
static void say_raw(struct way *way, size_t at, size_t size)
{
    size = size < net.left ? size : net.left;
    put(way, at, (const char *)net.script, size);
    net.script += size;
    net.left -= size;
    net.lied = net.raw = true;
}

static void say(struct way *way, size_t at)
{
    const char *text = ANSWERS[next() % (sizeof ANSWERS / sizeof ANSWERS[0])];
    put(way, at, text, strlen(text));
    net.lied = true;
}

/* What another connection was told. */
static void cross(struct way *way)
{
    struct way *other = &net.ways[next() % WIRE_LINES];
    if (other == way || other->pending == 0)
        return;
    put(way, 0, other->bytes, other->pending);
    other->pending = 0;
    net.lied = true;
}

/* Where an answer ends that has no body, or where something else in it does. */
static size_t after_head(const struct way *way)
{
    for (size_t i = 4; i <= way->pending; i++)
        if (memcmp(way->bytes + i - 4, "\r\n\r\n", 4) == 0)
            return i;
    return way->pending;
}

static void cut(struct way *way, enum ending ending)
{
    way->pending = next() % 2 ? 0 : way->pending < next() ? way->pending : way->pending / 2;
    way->ending = ending;
}

/* One thing happens; returns how many bytes are let through at most. */
static size_t happen(struct way *way)
{
    uint8_t what = next();
    switch (what % 16) {
    case 1: return 0;
    case 2: return 1;
    case 3: return next();
    case 4: net.wire.now += 100u * next(); return 0;
    case 5: cut(way, CLOSED); break;
    case 6: cut(way, FAILED); break;
    case 7: say(way, 0); break;
    case 8: say(way, way->pending); break;
    case 9: say(way, after_head(way)); break;
    case 10:
        way->pending = 0;
        say(way, 0);
        break;
    case 11: cross(way); break;
    case 12: say_raw(way, next(), 1 + what / 16u * 4); break;
    case 13:
        drop(way, next(), 1 + what / 16u);
        net.lied = true;
        break;
    case 14: { /* other bytes instead of these */
        size_t at = next();
        drop(way, at, 1 + what / 16u);
        say_raw(way, at, 1 + what / 16u);
        break;
    }
    case 15: return after_head(way); /* the header alone */
    default: break;
    }
    return PENDING_MAX;
}

static ptrdiff_t way_read(void *context, unsigned connection, void *bytes, size_t size)
{
    (void)context;
    expect(connection < WIRE_LINES && size > 0, "a read that cannot be");
    struct way *way = &net.ways[connection];
    fill(way, connection);
    if (net.left > 0) {
        size_t most = happen(way);
        size = size < most ? size : most;
        if (size == 0)
            return REGTAG_IO_AGAIN;
    }
    size = size < way->pending ? size : way->pending;
    if (size == 0)
        return way->ending == STAYS    ? REGTAG_IO_AGAIN
               : way->ending == CLOSED ? REGTAG_IO_CLOSED
                                       : REGTAG_IO_FAILED;
    memcpy(bytes, way->bytes, size);
    drop(way, 0, size);
    return (ptrdiff_t)size;
}

#define SECRET "dXNlcjpiYTVpYyA1ZWNyZXQ=" /* user:ba5ic 5ecret */

/* Nobody sees the password but the registry and token servers. */
static void check_secret(const struct way *way, struct slice sent)
{
    const char *host = way->origin.host;
    bool may_see = way->origin.tls || strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0;
    if (strcmp(host, "cdn.test") == 0 && !net.raw)
        may_see = false;
    expect(may_see || (!slice_contains(sent, SLICE(SECRET)) && !slice_contains(sent, SLICE("5ecret"))),
           "a secret goes where it must not");
}

static ptrdiff_t way_write(void *context, unsigned connection, const void *bytes, size_t size)
{
    (void)context;
    expect(connection < WIRE_LINES && size > 0, "a write that cannot be");
    struct way *way = &net.ways[connection];
    check_secret(way, (struct slice){bytes, size});
    if (way->ending == FAILED)
        return REGTAG_IO_FAILED;
    if (way->ending == CLOSED)
        return (ptrdiff_t)size;
    if (net.left > 0) {
        uint8_t what = next();
        if (what % 8 == 7)
            return REGTAG_IO_AGAIN;
        if (what % 8 == 6)
            size = size < what / 8u + 1 ? size : what / 8u + 1;
    }
    return net.inner.write(net.inner.context, connection, bytes, size);
}

static void way_failure(void *context, unsigned connection, struct regtag_failure *f)
{
    (void)context;
    net.inner.failure(net.inner.context, connection, f);
}

static void obey(const struct regtag_want *want)
{
    wire_obey(&net.wire, want);
    for (unsigned i = 0; i < WIRE_LINES; i++) {
        if (!want[i].open)
            continue;
        net.ways[i].origin = *want[i].origin;
        net.ways[i].ending = STAYS;
        net.ways[i].pending = 0;
    }
}

/* Time passes until something can be done. */
static void wait(const struct regtag *r, const struct regtag_want *want)
{
    struct wire *w = &net.wire;
    uint64_t ready = wire_ready(w, want), until = regtag_until(r), at = ready < until ? ready : until;
    for (unsigned i = 0; i < WIRE_LINES; i++) {
        const struct way *way = &net.ways[i];
        bool heard = want[i].read && (way->pending > 0 || way->ending != STAYS);
        if (heard || (want[i].write && way->ending != STAYS))
            return;
    }
    /* What was not asked for may come at any time. */
    if (net.left > 0 && at > w->now + 50)
        at = w->now + 50;
    w->now = at > w->now ? at : w->now;
}

/* ---- The registry ------------------------------------------------------------------------------ */

static char tags[TAGS][8], digests[3][72];

/* Where a tag points at the beginning: at one of the manifests, or 3: nowhere. */
static unsigned place_of(unsigned tag)
{
    static const unsigned PLACES[] = {1, 3, 2, 1, 1, 0};
    return PLACES[tag % 6];
}

static void furnish(uint8_t manners)
{
    static const char *const MANIFESTS[] = {NEW, OLD, OTHER};
    struct wire *w = &net.wire;
    wire_init(w);
    wire_push_blob(w, "{}", 2, NULL);
    wire_push(w, "base", OCI, NEW, strlen(NEW));
    for (unsigned i = 0; i < 3; i++) {
        wire_digest(MANIFESTS[i], strlen(MANIFESTS[i]), digests[i]);
        wire_push(w, digests[i], OCI, MANIFESTS[i], strlen(MANIFESTS[i]));
    }
    for (unsigned i = 0; i < TAGS; i++) {
        snprintf(tags[i], sizeof tags[i], "x%u", i);
        if (place_of(i) < 3)
            wire_push(w, tags[i], OCI, MANIFESTS[place_of(i)], strlen(MANIFESTS[place_of(i)]));
    }
    w->manners.page = 10;
    w->manners.realm = manners & 1 ? "http://localhost:5001/token" : NULL;
    w->manners.token_says = ",\"expires_in\":300";
    w->manners.token_uses = manners & 2 ? 5 : 0;
    w->manners.close_after_each = manners & 4;
    w->manners.chunked = manners & 8;
    w->manners.no_digest = manners & 16;
    w->manners.no_head_digest = manners & 32;
    w->manners.close_late = manners & 64;
    w->manners.deletes_whole = manners & 128;
}

/* ---- The operation ----------------------------------------------------------------------------- */

enum task { TAG, TAG_MANY, DELETE, DIGESTS, MANIFEST_OF, COPY, LOAD, DIGEST_OF };

static ptrdiff_t store_read(void *context, const char *digest, uint64_t offset, void *bytes, size_t size)
{
    (void)context;
    struct slice s = strcmp(digest, digests[0]) == 0 ? slice_of(NEW) : SLICE("{}");
    s = offset < s.size ? slice_head(slice_from(s, (size_t)offset), size) : SLICE("");
    memcpy(bytes, s.data, s.size);
    return (ptrdiff_t)s.size;
}

static enum regtag_status begin(struct regtag *r, enum task task, bool by_digest)
{
    static const char *names[TAGS];
    static char image[128];
    for (unsigned i = 0; i < TAGS; i++)
        names[i] = tags[i];
    snprintf(image, sizeof image, "localhost/a%s%s", by_digest ? "@" : ":",
             by_digest ? digests[0] : "base");
    switch (task) {
    case TAG: return regtag_tag(r, image, names, 2);
    case TAG_MANY: return regtag_tag(r, image, names, TAGS);
    case DELETE: return regtag_delete(r, "localhost/a:x0");
    case DIGESTS: return regtag_digests(r, "localhost/a", 0);
    case MANIFEST_OF: return regtag_manifest(r, image);
    case COPY: return regtag_copy(r, image, "127.0.0.1:5002/a:x0");
    case LOAD: return regtag_load(r, digests[0], "localhost/a:x0");
    case DIGEST_OF: break;
    }
    return regtag_digest(r, image);
}

/* ---- What must be true --------------------------------------------------------------------------- */

static const char *points_at(const char *tag)
{
    const struct wire_tag *found = wire_find(&net.wire, tag);
    return found ? found->digest : "";
}

/* The tag is where it was, or at the image. */
static void check_place(const struct regtag_result *result, unsigned tag, enum task task)
{
    const char *before = place_of(tag) < 3 ? digests[place_of(tag)] : "";
    const char *now = points_at(tags[tag]), *set = task == DELETE ? "" : digests[0];
    bool good = result->status == REGTAG_OK;
    expect(strcmp(now, before) == 0 || strcmp(now, set) == 0,
           "it is neither where it was nor at the image");
    expect(!good || strcmp(now, set) == 0, "it is said to be done, and is not");
    expect(result->outcome != REGTAG_TAG_FAILED || strcmp(before, set) == 0 || strcmp(now, before) == 0,
           "it is said to have failed, and is done");
    expect(result->before != REGTAG_PREVIOUS_KNOWN || strcmp(result->previous, before) == 0,
           "it is said to have been elsewhere before");
    expect(result->before != REGTAG_PREVIOUS_ABSENT || !*before, "it is said not to have been there");
    expect(result->outcome != REGTAG_TAG_UNCHANGED || strcmp(before, set) == 0, "it has changed");
}

static void check_result(const struct regtag_result *result, enum regtag_event event, enum task task)
{
    for (unsigned i = 0; i < TAGS; i++) {
        if (strcmp(result->name, tags[i]) != 0 || net.lied)
            continue;
        if (event == REGTAG_SETTLED)
            check_place(result, i, task);
        if (event == REGTAG_LISTED && task == DIGESTS && result->status == REGTAG_OK)
            expect(strcmp(result->digest, points_at(tags[i])) == 0, "it is listed with another digest");
    }
}

static void check_upload(bool by_digest)
{
    static char answer[LAYER_ANSWER_MAX];
    const struct wire *w = &net.wire;
    char digest[72];
    if (w->puts == net.puts)
        return;
    net.puts = w->puts;
    wire_digest(w->put_body.data, w->put_body.size, digest);
    expect(layer_run("manifest", w->put_type, w->put_body.data, w->put_body.size, 0, answer,
                     sizeof answer) == LAYER_ACCEPTED,
           "what was uploaded is no valid manifest");
    expect((!by_digest && net.lied) || strcmp(digest, digests[0]) == 0, "another manifest was uploaded");
}

static void check_end(struct regtag *r, enum regtag_event event, enum task task, bool by_digest)
{
    const char *text;
    enum regtag_status status = regtag_error(r, &text);
    expect((event == REGTAG_DONE) == (status == REGTAG_OK), "event and status differ");
    expect((status == REGTAG_OK) == (*text == '\0'), "status and text differ");
    if (status != REGTAG_OK || (net.lied && !by_digest))
        return;
    if (task == MANIFEST_OF) {
        size_t size;
        const char *document = regtag_document(r, &size);
        expect(size == strlen(NEW) && memcmp(document, NEW, size) == 0, "another manifest");
    }
    if (task == DIGEST_OF)
        expect(strcmp(regtag_result(r)->digest, digests[0]) == 0, "another digest");
}

static void run(struct regtag *r, enum task task, bool by_digest)
{
    struct regtag_want want[WIRE_LINES];
    enum regtag_event event;
    unsigned steps = 0;
    do {
        event = regtag_step(r, net.wire.now, want, WIRE_LINES);
        expect(net.wire.misuse == NULL, net.wire.misuse ? net.wire.misuse : "");
        expect(++steps < STEPS_MAX, "it does not end");
        check_upload(by_digest || task == LOAD);
        check_result(regtag_result(r), event, task);
        obey(want);
        if (event == REGTAG_WAIT)
            wait(r, want);
    } while (event != REGTAG_DONE && event != REGTAG_ERROR);
    check_end(r, event, task, by_digest);
}

/* Bytes: the task, and above it whether by digest, and login; manners; how often it is tried again, and options; then the script. */
void fuzz_conversation(const struct harness *h, const uint8_t *data, size_t size)
{
    struct regtag_sha256_context hash;
    (void)h;
    if (size < CHOICES)
        return;
    furnish(data[1]);
    net.inner = wire_transport(&net.wire);
    memset(net.ways, 0, sizeof net.ways);
    net.script = data + CHOICES;
    net.left = size - CHOICES;
    net.lied = net.raw = false;
    net.puts = 0;
    struct regtag_config config = {
        .size = sizeof config,
        .hash = regtag_sha256(&hash),
        .transport = {.read = way_read, .write = way_write, .failure = way_failure},
        .store = {.read = store_read},
        .timeout = TIMEOUT,
        .retries = data[2] & 3,
        .stall = data[2] & 4 ? 10000 : 0,
        .confirm = data[2] & 8,
        .certain_absence = data[2] & 16,
        .siblings = false,
        .manifest_max = 4096,
        .tokens_max = 128,
        .connections = 2 + data[3] % (WIRE_LINES - 1)};
    if (data[0] & 64)
        config.credentials = (struct regtag_credentials){.user = "user", .password = "ba5ic 5ecret"};
    config.target.credentials = config.credentials;
    enum task task = (enum task)(data[0] % 8);
    if (task == COPY && config.connections < 4)
        config.connections = 4;
    size_t block_size = regtag_size(&config);
    void *block = malloc(block_size);
    struct regtag *r = regtag_init(block, block_size, &config);
    expect(r != NULL, "the block was not taken");
    expect(begin(r, task, data[0] & 32) == REGTAG_OK, "it was not taken");
    run(r, task, data[0] & 32);
    wire_free(&net.wire);
    free(block);
}
