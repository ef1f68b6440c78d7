/* What regtag.h promises to programs that were compiled against another version of it, and how memory and
 * connections are handed over. */
#include <limits.h>

#include "registry/verb.h"
#include "run.h"

#define LOCAL "localhost/a:base"
#define CANARY '\xa5'

static const char *const one_name[] = {"new"};

/* ---- Version --------------------------------------------------------------------------------- */

static void the_version_is_that_of_the_makefile(void **state)
{
    unsigned major, minor, patch;
    int end = 0;
    (void)state;
    assert_int_equal(sscanf(REGTAG_VERSION, "%u.%u.%u%n", &major, &minor, &patch, &end), 3);
    assert_int_equal(REGTAG_VERSION[end], '\0');
    assert_int_equal(REGTAG_VERSION_NUMBER, 10000 * major + 100 * minor + patch);
    assert_int_equal(regtag_version(), REGTAG_VERSION_NUMBER);
}

/* ---- The size of the configuration ----------------------------------------------------------- */

/* As the header of 0.1 had it. */
struct config_of_0_1 {
    size_t size;
    struct {
        void *context;
        int (*start)(void *context);
        int (*update)(void *context, const void *bytes, size_t size);
        int (*finish)(void *context, unsigned char sum[32]);
    } hash;
    struct {
        void *context;
        ptrdiff_t (*read)(void *context, unsigned connection, void *bytes, size_t size);
        ptrdiff_t (*write)(void *context, unsigned connection, const void *bytes, size_t size);
        enum regtag_status (*failure)(void *context, unsigned connection, const char **text,
                                      bool *lasting);
        const char *(*proxy)(void *context, const struct regtag_origin *origin);
    } transport;
    struct {
        void *context;
        int (*bytes)(void *context, void *bytes, size_t size);
    } random;
    void (*trace)(void *context, enum regtag_trace kind, const char *text, size_t size);
    void *trace_context;
    bool trace_wire;
    uint64_t timeout, deadline, stall;
    unsigned retries;
    enum regtag_scheme scheme;
    struct {
        const char *user, *password, *identity_token, *bearer_token;
    } credentials;
    const char *const *allowed_realms;
    size_t allowed_realms_count, manifest_max, tokens_max;
    const char *platform;
    const char *const *expected;
    size_t expected_count;
    bool confirm, certain_absence, dry_run, keep, siblings;
};

#define SIZE_OF_0_2 (offsetof(struct regtag_config, connections) + sizeof(size_t))

/* Fails to compile where there is padding behind the last member: a program of 0.2 would count it among what it
 * knows, and a later library would read it as the member that took its place. */
typedef char nothing_behind[sizeof(struct regtag_config) == SIZE_OF_0_2 ? 1 : -1];

/* Fails to compile where a program of 0.1 would be taken for one of 0.2. */
typedef char sizes_differ[sizeof(struct config_of_0_1) < SIZE_OF_0_2 ? 1 : -1];

static bool is_taken(struct run *run, size_t size)
{
    run->config.size = size;
    size_t needed = regtag_size(&run->config);
    bool taken = regtag_init(run->block.data, run->block.size, &run->config) != NULL;
    assert_int_equal(needed != 0, taken);
    return taken;
}

static void headers_that_are_older_or_newer_are_refused(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    assert_false(is_taken(&run, sizeof(struct config_of_0_1)));
    for (size_t size = 0; size < sizeof run.config + 100; size++)
        assert_int_equal(is_taken(&run, size), size >= SIZE_OF_0_2 && size <= sizeof run.config);
    assert_false(is_taken(&run, SIZE_MAX));
    finish(&run);
}

/* A configuration is read as far as it says, and no further; sanitizers see to the latter. */
static void nothing_behind_the_configuration_is_read(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.config.size = SIZE_OF_0_2;
    struct regtag_config *config = malloc(SIZE_OF_0_2);
    assert_non_null(config);
    memcpy(config, &run.config, SIZE_OF_0_2);
    assert_int_equal(regtag_size(config), run.block.size);
    run.regtag = regtag_init(run.block.data, run.block.size, config);
    free(config);
    assert_non_null(run.regtag);
    tag_one(&run);
    expect_end(&run, REGTAG_OK);
    finish(&run);
}

/* ---- Connections ----------------------------------------------------------------------------- */

static size_t size_with(unsigned connections)
{
    struct regtag_config config = {
        .size = sizeof config, .manifest_max = 1024, .tokens_max = 64, .connections = connections};
    return regtag_size(&config);
}

static void an_operation_has_at_least_two_connections(void **state)
{
    (void)state;
    assert_int_equal(size_with(0), size_with(REGTAG_CONNECTIONS_MIN));
    assert_int_equal(size_with(1), 0);
    assert_int_equal(size_with(REGTAG_CONNECTIONS_MAX + 1), 0);
    assert_int_equal(size_with(UINT_MAX), 0);
}

static void memory_grows_with_the_connections(void **state)
{
    size_t each = size_with(3) - size_with(2);
    (void)state;
    assert_true(each > 60 * 1024 && each <= REGTAG_CONNECTION_SIZE_MAX);
    for (unsigned n = REGTAG_CONNECTIONS_MIN; n <= REGTAG_CONNECTIONS_MAX; n++) {
        assert_int_equal(size_with(n), size_with(2) + (n - 2) * each);
        assert_true(size_with(n) <= REGTAG_SIZE(1024, 64, n));
    }
}

/* The index of the manifest and the manifest come last in the block, and before them the connections. */
static void expect_untouched_connections(const struct run *run, unsigned count)
{
    size_t size = count * (size_with(3) - size_with(2));
    size_t behind = run->config.manifest_max + run->config.tokens_max * 24;
    const char *data = run->block.data + run->block.size - behind - size;
    for (size_t i = 0; i < size; i++)
        if (data[i] != CANARY)
            fail_msg("byte %zu of %zu is touched", i, size);
}

static void connections_that_are_not_needed_are_not_touched(void **state)
{
    struct regtag_want want[REGTAG_CONNECTIONS_MAX];
    struct run run;
    (void)state;
    begin(&run);
    guard_free(&run.block);
    run.config.connections = REGTAG_CONNECTIONS_MAX;
    run.config.manifest_max = 1024;
    run.block = guard_end(NULL, regtag_size(&run.config));
    memset(run.block.data, CANARY, run.block.size);
    begin_again(&run);
    assert_int_equal(regtag_tag(run.regtag, LOCAL, one_name, 1), REGTAG_OK);
    for (enum regtag_event event = REGTAG_WAIT; event != REGTAG_DONE;) {
        event = regtag_step(run.regtag, run.wire.now, want, REGTAG_CONNECTIONS_MAX);
        assert_int_not_equal(event, REGTAG_ERROR);
        for (size_t i = WIRE_LINES; i < REGTAG_CONNECTIONS_MAX; i++)
            assert_false(want[i].close || want[i].open || want[i].read || want[i].write);
        wire_obey(&run.wire, want);
    }
    expect_untouched_connections(&run, REGTAG_CONNECTIONS_MAX - REGTAG_CONNECTIONS_MIN);
    guard_free(&run.block);
    wire_free(&run.wire);
}

/* ---- What connections want ------------------------------------------------------------------- */

/* The elements from `count` on have not been written to. */
static void expect_untouched(const struct regtag_want *want, size_t count, size_t all)
{
    const char *bytes = (const char *)(want + count);
    for (size_t i = 0; i < (all - count) * sizeof *want; i++)
        assert_int_equal(bytes[i], CANARY);
}

static void a_list_that_is_too_short_is_refused(void **state)
{
    (void)state;
    for (size_t count = 0; count < 6; count++) {
        struct regtag_want want[8];
        struct run run;
        bool enough = count >= REGTAG_CONNECTIONS_MIN;
        begin(&run);
        memset(want, CANARY, sizeof want);
        assert_int_equal(regtag_digest(run.regtag, LOCAL), REGTAG_OK);
        run.end = regtag_step(run.regtag, 0, count ? want : NULL, count);
        expect_untouched(want, count, COUNT(want));
        assert_int_equal(run.end, enough ? REGTAG_WAIT : REGTAG_ERROR);
        if (!enough)
            expect_end(&run, REGTAG_E_USAGE);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(want[i].open, enough && i == 0);
        finish(&run);
    }
}

static void a_list_must_be_long_enough_for_all_connections(void **state)
{
    struct regtag_want want[5];
    struct run run;
    (void)state;
    begin(&run);
    run.config.connections = 5;
    guard_free(&run.block);
    run.block = guard_end(NULL, regtag_size(&run.config));
    begin_again(&run);
    assert_int_equal(regtag_digest(run.regtag, LOCAL), REGTAG_OK);
    assert_int_equal(regtag_step(run.regtag, 0, want, 5), REGTAG_WAIT);
    run.end = regtag_step(run.regtag, 0, want, 4);
    expect_end(&run, REGTAG_E_USAGE);
    guard_free(&run.block);
    wire_free(&run.wire);
}

static void a_list_that_becomes_too_short_ends_the_operation(void **state)
{
    struct regtag_want want[WIRE_LINES];
    struct run run;
    (void)state;
    begin(&run);
    assert_int_equal(regtag_tag(run.regtag, LOCAL, one_name, 1), REGTAG_OK);
    while (run.end != REGTAG_UPLOAD)
        step(&run);
    memset(want, CANARY, sizeof want);
    run.end = regtag_step(run.regtag, run.wire.now, want, 1);
    expect_end(&run, REGTAG_E_USAGE);
    assert_true(want[0].close);
    expect_untouched(want, 1, COUNT(want));
    assert_int_equal(run.wire.puts, 0);
    finish(&run);
}

static void the_end_needs_no_list(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    tag_one(&run);
    assert_int_equal(regtag_step(run.regtag, run.wire.now, NULL, 0), REGTAG_DONE);
    expect_end(&run, REGTAG_OK);
    finish(&run);
}

/* ---- The origin of a connection -------------------------------------------------------------- */

/* Each connection that is opened is to the registry or not; `others` of them are not. */
static void expect_origins(struct run *run, unsigned others)
{
    unsigned opened = 0, not_registry = 0;
    for (bool more = true; more;) {
        more = step(run);
        for (unsigned i = 0; i < WIRE_LINES; i++) {
            const struct regtag_origin *origin = run->want[i].origin;
            if (!run->want[i].open)
                continue;
            opened++;
            not_registry += !origin->registry;
            assert_int_equal(origin->registry, i == 0);
            assert_int_equal(origin->registry, strcmp(origin->host, "localhost") == 0);
            assert_int_equal(origin->reserved[0] | origin->reserved[1], 0);
            assert_null(run->want[i].reserved);
        }
    }
    expect_end(run, REGTAG_OK);
    assert_true(opened > not_registry);
    assert_int_equal(not_registry, others);
}

static void only_the_registry_is_the_registry(void **state)
{
    static const struct {
        const char *realm, *location;
        unsigned others;
    } cases[] = {
        {NULL, NULL, 0},
        {"http://127.0.0.1/token", NULL, 1},
        {NULL, "http://127.0.0.1/v2/a/manifests/base", 1},
        /* The registry by another name of the same origin. */
        {"http://LOCALHOST:80/token", NULL, 0},
        {NULL, "http://LocalHost:80/v2/a/manifests/new", 0},
        {NULL, "/v2/a/manifests/new", 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct run run;
        begin(&run);
        run.wire.manners.realm = cases[i].realm;
        run.wire.manners.location = cases[i].location;
        run.wire.manners.close_after_each = i % 2;
        assert_int_equal(regtag_manifest(run.regtag, LOCAL), REGTAG_OK);
        expect_origins(&run, cases[i].others);
        finish(&run);
    }
}

/* ---- Where a tag pointed before -------------------------------------------------------------- */

static void where_a_tag_pointed_is_known_unknown_or_nowhere(void **state)
{
    static const struct {
        const char *tag;
        unsigned get_status; /* 0, or why it cannot be seen where the tag points */
        enum regtag_outcome outcome;
        enum regtag_previous before;
    } cases[] = {
        {"new", 0, REGTAG_TAG_MOVED, REGTAG_PREVIOUS_KNOWN},
        {"fresh", 0, REGTAG_TAG_CREATED, REGTAG_PREVIOUS_ABSENT},
        {"new", 403, REGTAG_TAG_SET, REGTAG_PREVIOUS_UNKNOWN},
        {"base", 0, REGTAG_TAG_UNCHANGED, REGTAG_PREVIOUS_KNOWN},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct run run;
        begin(&run);
        run.wire.manners.only_tag = "new";
        run.wire.manners.head_status = run.wire.manners.get_status = cases[i].get_status;
        assert_int_equal(regtag_tag(run.regtag, LOCAL, &cases[i].tag, 1), REGTAG_OK);
        run_on(&run);
        expect_outcome(&run, cases[i].outcome);
        assert_int_equal(run.before[0], cases[i].before);
        finish(&run);
    }
}

static void where_a_deleted_tag_pointed_is_told(void **state)
{
    (void)state;
    for (unsigned absent = 0; absent < 2; absent++) {
        struct run run;
        begin(&run);
        if (absent)
            wire_delete(&run.wire, "new");
        delete_one(&run);
        expect_outcome(&run, absent ? REGTAG_TAG_FAILED : REGTAG_TAG_DELETED);
        assert_int_equal(run.before[0], absent ? REGTAG_PREVIOUS_ABSENT : REGTAG_PREVIOUS_KNOWN);
        finish(&run);
    }
}

/* A result begins anew with each tag. */
static void what_is_known_of_one_tag_is_not_told_of_the_next(void **state)
{
    static const char *const names[] = {"new", "fresh", "base"};
    struct run run;
    (void)state;
    begin(&run);
    assert_int_equal(regtag_tag(run.regtag, LOCAL, names, 3), REGTAG_OK);
    run_on(&run);
    expect_end(&run, REGTAG_OK);
    assert_int_equal(run.before[0], REGTAG_PREVIOUS_KNOWN);
    assert_int_equal(run.before[1], REGTAG_PREVIOUS_ABSENT);
    assert_int_equal(run.before[2], REGTAG_PREVIOUS_KNOWN);
    finish(&run);
}

/* ---- Failures of the transport --------------------------------------------------------------- */

static void say_nothing(void *context, unsigned connection, struct regtag_failure *f)
{
    (void)context;
    (void)connection;
    assert_true(f->status == REGTAG_OK && !f->text && f->hint == REGTAG_HINT_NONE && !f->lasting);
}

/* Whatever a transport leaves out: a failure does not become a success. */
static void a_failure_without_a_status_is_a_failure(void **state)
{
    (void)state;
    for (unsigned never = 0; never < 2; never++) {
        struct run run;
        begin(&run);
        run.config.transport.failure = say_nothing;
        begin_again(&run);
        run.wire.refused = 1;
        run.wire.connecting = never ? WIRE_NEVER : 0;
        assert_int_equal(regtag_digest(run.regtag, LOCAL), REGTAG_OK);
        run_on(&run);
        expect_end(&run, REGTAG_E_NO_CONNECTION);
        finish(&run);
    }
}

/* A verb that no longer knows what it waits for. */
static enum regtag_event wait_for_ever(struct regtag *r)
{
    (void)r;
    return REGTAG_WAIT;
}

static void an_operation_that_waits_for_nothing_ends_all_the_same(void **state)
{
    static const struct verb STUCK = {.actions = "pull", .step = wait_for_ever};
    static struct run run;
    (void)state;
    begin(&run);
    assert_int_equal(regtag_digest(run.regtag, LOCAL), REGTAG_OK);
    run.regtag->verb = &STUCK;
    run.impatient = true;
    while (step(&run))
        run.wire.now += 100;
    expect_end(&run, REGTAG_E_TIMEOUT);
    assert_in_range(run.wire.now, TIMEOUT, TIMEOUT + 1000);
    finish(&run);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_version_is_that_of_the_makefile),
        cmocka_unit_test(headers_that_are_older_or_newer_are_refused),
        cmocka_unit_test(nothing_behind_the_configuration_is_read),
        cmocka_unit_test(an_operation_has_at_least_two_connections),
        cmocka_unit_test(memory_grows_with_the_connections),
        cmocka_unit_test(connections_that_are_not_needed_are_not_touched),
        cmocka_unit_test(a_list_that_is_too_short_is_refused),
        cmocka_unit_test(a_list_must_be_long_enough_for_all_connections),
        cmocka_unit_test(a_list_that_becomes_too_short_ends_the_operation),
        cmocka_unit_test(the_end_needs_no_list),
        cmocka_unit_test(only_the_registry_is_the_registry),
        cmocka_unit_test(where_a_tag_pointed_is_known_unknown_or_nowhere),
        cmocka_unit_test(where_a_deleted_tag_pointed_is_told),
        cmocka_unit_test(what_is_known_of_one_tag_is_not_told_of_the_next),
        cmocka_unit_test(a_failure_without_a_status_is_a_failure),
        cmocka_unit_test(an_operation_that_waits_for_nothing_ends_all_the_same),
    };
    return cmocka_run_group_tests_name("contract", tests, NULL, NULL);
}
