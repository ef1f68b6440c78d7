/* Three rows of the table, as far as they need no process: bytes cut_off|corrupted|split. Every answer of an operation of
 * the library against the registry of wire.h is cut off behind each byte, or has each byte changed, or comes in pieces. */
#include "../unit/signed.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROOM 65536
#define EIGHT 8
#define SAMPLE 40 /* cases of a verb, for each kind of fault */
#define FOX "The quick brown fox jumps over the lazy dog"
#define STATUS(name) (1u << REGTAG_E_##name)

static struct run run; /* too large for the stack */

/* ---- What an operation says ------------------------------------------------------------------ */

static char said[ROOM], whole[ROOM]; /* by this one; and by one to which nothing happens */
static size_t said_size, whole_size, blob_at;
static unsigned chosen;
static struct regtag_descriptor parts[4];
static char part_digests[4][72];
static size_t part_count;

static void say(const void *bytes, size_t size)
{
    assert_true(size < sizeof said - said_size);
    memcpy(said + said_size, bytes, size);
    said_size += size;
}

static void say_result(void)
{
    const struct regtag_result *result = regtag_result(run.regtag);
    char line[512];
    if (result->status != REGTAG_OK)
        return;
    int size = snprintf(line, sizeof line, "%s %s %llu\n", result->name, result->digest,
                        (unsigned long long)result->size);
    say(line, (size_t)size);
}

static void say_document(void)
{
    size_t size;
    const char *document = regtag_document(run.regtag, &size);
    say(document, size);
}

/* Bytes of a blob come in order; from the beginning once more if those before were wrong. */
static void take_bytes(void)
{
    uint64_t at;
    size_t size;
    const void *bytes = regtag_bytes(run.regtag, &at, &size);
    said_size = blob_at + (size_t)at;
    say(bytes, size);
}

/* Only what is verified counts. */
static void end_blob(void)
{
    const struct regtag_result *result = regtag_result(run.regtag);
    char digest[72];
    wire_digest(said + blob_at, said_size - blob_at, digest);
    if (result->status != REGTAG_OK)
        said_size = blob_at;
    else if (strcmp(digest, result->digest) != 0)
        fail_msg("a wrong blob is said to be %s", result->digest);
    blob_at = said_size;
}

/* ---- The verbs ------------------------------------------------------------------------------- */

static const char *const names[] = {"new", "b", "c", "d", "e", "f", "g", "h"};

static void start_tag(void)
{
    assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", names, 1), REGTAG_OK);
}

/* With several connections these would not be on one. */
static void start_eight(void)
{
    assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", names, EIGHT), REGTAG_OK);
}

static void start_delete(void)
{
    assert_int_equal(regtag_delete(run.regtag, "localhost/a:new"), REGTAG_OK);
}

static void start_digest(void)
{
    assert_int_equal(regtag_digest(run.regtag, "localhost/a:base"), REGTAG_OK);
}

static void start_manifest(void)
{
    assert_int_equal(regtag_manifest(run.regtag, "localhost/a:base"), REGTAG_OK);
}

static void start_list(void)
{
    assert_int_equal(regtag_list(run.regtag, "localhost/a", 0), REGTAG_OK);
}

static void start_digests(void)
{
    assert_int_equal(regtag_digests(run.regtag, "localhost/a", 0), REGTAG_OK);
}

static void start_referrers(void)
{
    assert_int_equal(regtag_referrers(run.regtag, "localhost/a:base", NULL), REGTAG_OK);
}

static void start_fetch(void)
{
    run.fetches = true;
    assert_int_equal(regtag_fetch(run.regtag, "localhost/a:image"), REGTAG_OK);
}

static void start_save(void)
{
    run.fetches = true;
    assert_int_equal(regtag_save(run.regtag, "localhost/a:image"), REGTAG_OK);
}

static void with_token(void)
{
    run.wire.manners.realm = "http://localhost/token";
}

static void with_tags(void)
{
    run.wire.manners.page = 2;
    for (unsigned i = 1; i < 5; i++)
        wire_push(&run.wire, names[i], OCI, i % 2 ? OLD : NEW, i % 2 ? sizeof OLD - 1 : sizeof NEW - 1);
}

static void with_referrers(void)
{
    static const char *const two[] = {ZEROS, ZEROS};
    run.wire.manners.referrers_status = 200;
    push_index(&run, "referrers", two, 2, "a/b");
}

static const struct signed_layer SIGNATURE[1];

static void with_signature(void)
{
    struct signed_layer layer = SIGNATURE[0];
    layer.digest = digest_of_new();
    push_layers(&run, digest_of_new(), &layer, 1);
}

static char image[1024];

static void with_image(void)
{
    const char *config = wire_push_blob(&run.wire, "{}", 2, NULL);
    const char *fox = wire_push_blob(&run.wire, FOX, sizeof FOX - 1, NULL);
    snprintf(
        image, sizeof image,
        "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\","
        "\"size\":2,\"digest\":\"%s\"},\"layers\":[{\"mediaType\":\"a/b\",\"size\":%zu,"
        "\"digest\":\"%s\"}]}",
        config, sizeof FOX - 1, fox);
    wire_push(&run.wire, "image", OCI, image, strlen(image));
}

/* The same image, in the caller's store; its digest is that of `image`. */
static ptrdiff_t store_read(void *context, const char *digest, uint64_t offset, void *bytes, size_t size)
{
    const char *const all[] = {"{}", FOX, image};
    char known[72];
    (void)context;
    for (size_t i = 0; i < COUNT(all); i++) {
        wire_digest(all[i], strlen(all[i]), known);
        if (strcmp(known, digest) != 0)
            continue;
        size_t rest = strlen(all[i]) - (size_t)offset;
        size = size < rest ? size : rest;
        memcpy(bytes, all[i] + offset, size);
        return (ptrdiff_t)size;
    }
    return REGTAG_IO_CLOSED;
}

static const char *store_problem(void *context)
{
    (void)context;
    return "the stick was pulled out";
}

/* The registry has nothing of it. */
static void with_store(void)
{
    with_image();
    wire_delete(&run.wire, "image");
    while (run.wire.blob_count)
        free(run.wire.blobs[--run.wire.blob_count].bytes.data);
    memset(run.wire.blobs, 0, sizeof run.wire.blobs);
    run.config.store = (struct regtag_store){.read = store_read, .problem = store_problem};
}

static void start_load(void)
{
    static char digest[72];
    wire_digest(image, strlen(image), digest);
    assert_int_equal(regtag_load(run.regtag, digest, "localhost/a:new"), REGTAG_OK);
}

struct verb {
    const char *name;
    void (*prepare)(void); /* NULL, or before the operation is set up */
    void (*start)(void);
    size_t tags;     /* so many names are to be set, and nothing is said */
    bool loads;      /* to `image`; else to NEW */
    bool believes;   /* what the registry says cannot be verified */
    bool signature;  /* is required */
    size_t at_least; /* 0, or requests that are in flight on one connection */
};

static const struct verb VERBS[] = {
    {.name = "tag", .start = start_tag, .tags = 1},
    {.name = "tag-8", .start = start_eight, .tags = EIGHT, .at_least = EIGHT},
    {.name = "tag-token", .prepare = with_token, .start = start_tag, .tags = 1},
    {.name = "tag-8-token", .prepare = with_token, .start = start_eight, .tags = EIGHT},
    {.name = "tag-signed", .prepare = with_signature, .start = start_tag, .tags = 1, .signature = true},
    {.name = "load", .prepare = with_store, .start = start_load, .tags = 1, .loads = true},
    {.name = "delete", .start = start_delete},
    {.name = "digest", .start = start_digest, .believes = true},
    {.name = "manifest", .start = start_manifest},
    {.name = "verify", .prepare = with_signature, .start = start_manifest, .signature = true},
    {.name = "ls", .prepare = with_tags, .start = start_list, .believes = true},
    {.name = "ls-digests", .prepare = with_tags, .start = start_digests, .believes = true},
    {.name = "referrers", .prepare = with_referrers, .start = start_referrers, .believes = true},
    {.name = "fetch", .prepare = with_image, .start = start_fetch},
    {.name = "save", .prepare = with_image, .start = start_save},
};

/* ---- What happens to bytes on their way ------------------------------------------------------ */

enum fault { NOTHING, CUT, CHANGE, SPLIT, DRIP };

struct kind {
    const char *name;
    enum fault fault;
    bool orderly;     /* CUT: FIN, else RST */
    int mask;         /* CHANGE: exclusive or; 0: to NUL */
    unsigned retries; /* and the fault happens once */
};

static struct regtag_transport under; /* that of wire.h */
static const struct kind *fault;
static uint64_t fault_at, passed;
static bool paused;

/* Reading stops right before the byte, once. */
static ptrdiff_t read_split(unsigned connection, void *bytes, size_t size)
{
    if (passed == fault_at && !paused) {
        paused = true;
        return REGTAG_IO_AGAIN;
    }
    if (passed < fault_at && size > fault_at - passed)
        size = (size_t)(fault_at - passed);
    return under.read(under.context, connection, bytes, size);
}

static ptrdiff_t way_read(void *context, unsigned connection, void *bytes, size_t size)
{
    (void)context;
    ptrdiff_t got = fault->fault == SPLIT ? read_split(connection, bytes, size)
                                          : under.read(under.context, connection, bytes, size);
    if (got <= 0)
        return got;
    if (fault->fault == CHANGE && fault_at >= passed && fault_at < passed + (uint64_t)got) {
        char *byte = (char *)bytes + (fault_at - passed);
        *byte = (char)(fault->mask ? *byte ^ fault->mask : 0);
    }
    passed += (uint64_t)got;
    return got;
}

static ptrdiff_t way_write(void *context, unsigned connection, const void *bytes, size_t size)
{
    (void)context;
    return under.write(under.context, connection, bytes, size);
}

static void way_failure(void *context, unsigned connection, struct regtag_failure *failure)
{
    (void)context;
    under.failure(under.context, connection, failure);
}

static void arm(const struct kind *kind, uint64_t at)
{
    fault = kind;
    fault_at = at;
    passed = 0;
    paused = false;
    run.wire.step = kind->fault == DRIP ? 1 : 0;
    if (kind->fault == CUT)
        run.wire.fault = (struct wire_fault){.armed = true, .at = at, .orderly = kind->orderly};
}

/* ---- Running --------------------------------------------------------------------------------- */

static const struct kind NO_FAULT = {.name = "none"};

static void set_up(const struct verb *verb)
{
    begin(&run);
    run.config.manifest_max = 32 * 1024;
    run.config.tokens_max = 1024;
    if (verb->signature) {
        run.config.keys = 1;
        run.config.verify = signed_verify;
    }
    if (verb->prepare)
        verb->prepare();
    under = run.config.transport;
    run.config.transport =
        (struct regtag_transport){.read = way_read, .write = way_write, .failure = way_failure};
    widen(&run, 2);
}

/* The next blob, or none. */
static void choose(bool saves)
{
    unsigned number = chosen++;
    struct regtag_layer layer;
    if (!saves && regtag_layer(run.regtag, number, &layer))
        regtag_choose(run.regtag, number);
    else if (saves && number == 0)
        regtag_choose_manifest(run.regtag, "");
    else if (saves && number - 1 < part_count)
        regtag_choose_blob(run.regtag, part_digests[number - 1], parts[number - 1].size);
}

/* The manifest that was to be saved, or a blob. */
static void settle_saved(void)
{
    if (part_count > 0 || regtag_result(run.regtag)->status != REGTAG_OK) {
        end_blob();
        return;
    }
    say_document();
    while (part_count < COUNT(parts) && regtag_descriptor(run.regtag, &parts[part_count])) {
        snprintf(part_digests[part_count], 72, "%s", parts[part_count].digest);
        part_count++;
    }
    blob_at = said_size;
}

static void on_event(const struct verb *verb)
{
    bool saves = verb->start == start_save;
    if (run.end == REGTAG_LISTED)
        say_result();
    else if (run.end == REGTAG_BYTES)
        take_bytes();
    else if (run.end == REGTAG_CHOOSE)
        choose(saves);
    else if (run.end == REGTAG_SETTLED && saves)
        settle_saved();
    else if (run.end == REGTAG_SETTLED && verb->start == start_fetch)
        end_blob();
}

static void operate(const struct verb *verb, const struct kind *kind, uint64_t at)
{
    run.config.retries = kind->retries;
    begin_again(&run);
    if (verb->signature)
        assert_int_equal(regtag_require_signature(run.regtag), REGTAG_OK);
    said_size = blob_at = part_count = run.settled = run.listed = chosen = 0;
    run.wire.now = 0;
    if (verb->loads)
        run.uploads = 1; /* blobs go where a changed Location says, which is not announced */
    arm(kind, at);
    verb->start();
    while (step(&run))
        on_event(verb);
    if (run.end != REGTAG_DONE)
        return;
    if (verb->start == start_digest)
        say_result();
    else if (verb->start == start_manifest)
        say_document();
}

/* What is there, and everybody's connections, as when another process begins. */
static void leave(void)
{
    for (size_t i = 0; i < WIRE_LINES; i++)
        run.wire.line[i].open = false;
    run.wire.fault = (struct wire_fault){0};
}

/* ---- What holds ------------------------------------------------------------------------------ */

static void expect_store(const struct verb *verb)
{
    char digest[72];
    for (size_t i = 0; i < run.wire.blob_count; i++) {
        const struct wire_blob *blob = &run.wire.blobs[i];
        wire_digest(blob->bytes.data, blob->bytes.size, digest);
        if (strcmp(digest, blob->digest) != 0)
            fail_msg("a wrong blob is kept at %s", blob->digest);
    }
    for (size_t i = 0; i < verb->tags; i++) {
        const struct wire_tag *tag = wire_find(&run.wire, names[i]);
        if (tag && !points_at(&run, names[i], verb->loads ? image : NEW) &&
            !(i == 0 && IS_OLD(&run, names[i])))
            fail_msg("%s is neither old nor new", names[i]);
    }
}

/* What is told of a name is what has become of it. */
static void expect_names(const struct verb *verb, bool lied)
{
    for (size_t i = 0; i < run.settled && i < verb->tags; i++) {
        bool new = points_at(&run, run.name[i], verb->loads ? image : NEW);
        if (is_good(run.outcome[i]) && !new)
            fail_msg("%s is said to be set", run.name[i]);
        if (run.outcome[i] == REGTAG_TAG_FAILED && new && !lied)
            fail_msg("%s is said not to be set", run.name[i]);
    }
}

static void expect_done(const struct verb *verb, bool lied)
{
    bool deletes = verb->start == start_delete;
    if (verb->tags && run.settled != verb->tags)
        fail_msg("done, and %zu names are settled", run.settled);
    for (size_t i = 0; i < verb->tags; i++)
        if (!points_at(&run, names[i], verb->loads ? image : NEW))
            fail_msg("done, and %s is not new", names[i]);
    if (deletes && wire_find(&run.wire, "new"))
        fail_msg("done, and it is not deleted");
    if (!(lied && verb->believes) && (said_size != whole_size || memcmp(said, whole, said_size) != 0))
        fail_msg("done, and it said: %.*s", (int)said_size, said);
}

/* What was said before a failure is of what is said without one. */
static void expect_lines(void)
{
    whole[whole_size] = said[said_size] = '\0';
    for (char *line = said, *end; (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        if (!strstr(whole, line))
            fail_msg("failed, and it said: %s", line);
    }
}

static void expect_rule(const struct verb *verb, const struct kind *kind, uint32_t allowed)
{
    const char *text = "";
    bool lied = kind->fault == CHANGE;
    enum regtag_status status = regtag_error(run.regtag, &text);
    if (lied && verb->signature)
        allowed |= STATUS(UNSIGNED);
    if (run.wire.now > TIMEOUT + 1000)
        fail_msg("ended after %llu ms", (unsigned long long)run.wire.now);
    expect_store(verb);
    expect_names(verb, lied);
    if ((status == REGTAG_OK) != (run.end == REGTAG_DONE) || (status != REGTAG_OK) != (*text != '\0'))
        fail_msg("status %d, %s", (int)status, text);
    if (status == REGTAG_OK)
        expect_done(verb, lied);
    else if (!(allowed >> status & 1))
        fail_msg("status %d: %s", (int)status, text);
    if (!lied && status != REGTAG_OK && !run.fetches)
        expect_lines();
}

/* ---- The rows -------------------------------------------------------------------------------- */

struct row {
    const char *name;
    uint32_t allowed; /* statuses */
    struct kind kinds[4];
};

static const struct row ROWS[] = {
    {.name = "cut_off",
     .allowed = STATUS(NO_CONNECTION) | STATUS(PROTOCOL) | STATUS(UNCERTAIN),
     .kinds = {{.name = "fin", .fault = CUT, .orderly = true},
               {.name = "rst", .fault = CUT},
               {.name = "fin-retried", .fault = CUT, .orderly = true, .retries = 2},
               {.name = "rst-retried", .fault = CUT, .retries = 2}}},
    {.name = "corrupted",
     .allowed = STATUS(OTHER) | STATUS(NOT_FOUND) | STATUS(DENIED) | STATUS(TIMEOUT) | STATUS(PROTOCOL) |
                STATUS(REFUSED) | STATUS(IMMUTABLE) | STATUS(SLOW_DOWN) | STATUS(NOT_CONFIRMED) |
                STATUS(SERVER_FAILED) | STATUS(UNCERTAIN), /* whatever the changed number stands for */
     .kinds = {{.name = "bit", .fault = CHANGE, .mask = 0x01},
               {.name = "case", .fault = CHANGE, .mask = 0x20},
               {.name = "nul", .fault = CHANGE}}},
    {.name = "split", .kinds = {{.name = "two", .fault = SPLIT}, {.name = "one", .fault = DRIP}}},
};

/* In both processes: where the one that runs the cases has come to. */
struct shared {
    unsigned long long next, cases, failures;
    char name[80]; /* of the case at hand */
    unsigned statuses[20];
};

static struct shared *shared;
static const struct row *row;
static bool sampled;
static const char *only; /* NULL, or one case */

static void try_case(const struct verb *verb, const struct kind *kind, uint64_t at)
{
    set_up(verb);
    operate(verb, kind, at);
    shared->statuses[regtag_error(run.regtag, NULL)]++;
    expect_rule(verb, kind, row->allowed);
    leave();
    operate(verb, &NO_FAULT, 0);
    if (run.end != REGTAG_DONE && !(verb->start == start_delete && !wire_find(&run.wire, "new")))
        fail_msg("the second run fails");
    expect_store(verb);
    finish(&run);
}

static uint64_t try_whole(const struct verb *verb)
{
    snprintf(shared->name, sizeof shared->name, "wire/%s/none/0", verb->name);
    set_up(verb);
    operate(verb, &NO_FAULT, 0);
    expect_end(&run, REGTAG_OK);
    memcpy(whole, said, said_size);
    whole_size = said_size;
    size_t pipelined = 0, most = 0;
    for (unsigned i = 0; i < run.wire.taken_count; i++) {
        pipelined = run.wire.taken[i].pipelined ? pipelined + 1 : 1;
        most = pipelined > most ? pipelined : most;
    }
    if (most < verb->at_least)
        fail_msg("%s: only %zu requests were in flight", verb->name, most);
    finish(&run);
    return passed;
}

/* Those of one kind, from `shared->next` on; `number` is that of the first. */
static unsigned long long try_kind(const struct verb *verb, const struct kind *kind, uint64_t size,
                                   unsigned long long number)
{
    char *name = shared->name;
    uint64_t step = sampled && size > SAMPLE ? size / SAMPLE : 1;
    uint64_t count = kind->fault == DRIP ? 1 : size;
    for (uint64_t at = 0; at < count; at += step, number++) {
        snprintf(name, sizeof shared->name, "wire/%s/%s/%llu", verb->name, kind->name,
                 (unsigned long long)at);
        if (number < shared->next || (only && strcmp(only, name) != 0))
            continue;
        shared->next = number + 1;
        shared->cases++;
        try_case(verb, kind, at);
    }
    return number;
}

static void try_all(void)
{
    unsigned long long number = 0;
    for (size_t i = 0; i < COUNT(VERBS); i++) {
        uint64_t size = try_whole(&VERBS[i]);
        for (size_t k = 0; k < COUNT(row->kinds) && row->kinds[k].name; k++)
            number = try_kind(&VERBS[i], &row->kinds[k], size, number);
    }
}

/* A case that fails ends the process; the next one goes on behind it. */
static bool try_rest(void)
{
    int status;
    unsigned long long before = shared->next;
    pid_t child = fork();
    if (child == 0) {
        dup2(STDOUT_FILENO, STDERR_FILENO);
        try_all();
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        abort();
    if (status == 0)
        return false;
    shared->failures++;
    printf("%s: ended with %d; again: bytes %s --case %s\n", shared->name, status, row->name,
           shared->name);
    fflush(stdout);
    return shared->next > before;
}

static bool read_arguments(int argc, char **argv)
{
    for (size_t i = 0; i < COUNT(ROWS); i++)
        if (argc > 1 && strcmp(argv[1], ROWS[i].name) == 0)
            row = &ROWS[i];
    for (int i = 2; i < argc; i++)
        if (strcmp(argv[i], "--sample") == 0)
            sampled = true;
        else if (strcmp(argv[i], "--case") == 0 && i + 1 < argc)
            only = argv[++i];
        else
            return false;
    return row != NULL;
}

int main(int argc, char **argv)
{
    if (!read_arguments(argc, argv)) {
        fprintf(stderr, "usage: bytes cut_off|corrupted|split [--sample] [--case NAME]\n");
        return 2;
    }
    FILE *file = tmpfile();
    if (!file || ftruncate(fileno(file), sizeof *shared) != 0)
        abort();
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
    if (shared == MAP_FAILED)
        abort();
    while (try_rest())
        ;
    for (unsigned i = 0; i < 20; i++)
        if (shared->statuses[i] > 0)
            fprintf(stderr, "status %2u: %u\n", i, shared->statuses[i]);
    printf("%llu cases, %llu failures\n", shared->cases, shared->failures);
    return shared->failures > 0;
}
