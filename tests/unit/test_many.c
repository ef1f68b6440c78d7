/* Tens of thousands of names and guards: what each of them takes does not grow with their number, and the deadline
 * holds. Comparisons of names are counted, since seconds would tell of the machine: the linker puts a counter in the
 * way of slice_equal. */
#include "run.h"

#include "base/slice.h"

#define FEW 5000
#define MANY (4 * FEW)
#define GUARDS 256 /* as many as the command takes */

bool __real_slice_equal(struct slice a, struct slice b);
bool __wrap_slice_equal(struct slice a, struct slice b);

static uint64_t comparisons;

bool __wrap_slice_equal(struct slice a, struct slice b)
{
    comparisons++;
    return __real_slice_equal(a, b);
}

static char texts[MANY][24], guards[MANY][32];
static const char *names[2 * MANY], *expected[MANY];

/* What there is to do: `count` names, then some of them again. */
struct task {
    const char *image;
    size_t count, given, guards;
    bool dry_run;
    uint64_t jump; /* milliseconds that pass once the first name is settled */
    size_t memory; /* 0: as much as usual; else what the manifest and both tables share */
    bool in_front; /* names differ at their beginning, not at their end */
};

static void make_texts(const struct task *task)
{
    for (size_t i = 0; i < task->count; i++) {
        if (task->in_front)
            snprintf(texts[i], sizeof texts[i], "%c.%zu", (int)('a' + i % 26), i / 26);
        else
            snprintf(texts[i], sizeof texts[i], "v%zu", i);
        snprintf(guards[i], sizeof guards[i], "%.20s=absent", texts[i]);
        expected[i] = guards[i];
    }
    for (size_t i = 0; i < task->given; i++)
        names[i] = texts[i < task->count ? i : i * 7919 % task->count];
}

struct done {
    uint64_t comparisons;
    size_t settled, in_order;
    enum regtag_status status;
    uint64_t now;
};

/* Unless the task says otherwise, with the memory that it has by default. */
static struct regtag *begin_large(struct run *run, const struct task *task, void **memory)
{
    struct regtag_config config = run->config;
    config.manifest_max = task->memory;
    config.tokens_max = 0;
    config.dry_run = task->dry_run;
    config.expected = expected;
    config.expected_count = task->guards;
    *memory = malloc(regtag_size(&config));
    assert_non_null(*memory);
    return regtag_init(*memory, regtag_size(&config), &config);
}

static void note_order(struct run *run, struct done *done)
{
    const char *name = regtag_result(run->regtag)->name;
    if (done->in_order < MANY && strcmp(name, names[done->in_order]) == 0)
        done->in_order++;
}

/* What a registry remembers for tests is not to grow with the names. */
static void forget_requests(struct wire *w)
{
    w->asked.size = 0;
    w->log.size = 0;
    for (size_t i = 0; i < WIRE_LINES; i++)
        w->line[i].log.size = 0;
}

static struct done perform(const struct task *task)
{
    struct done done = {0};
    struct run run;
    void *memory;
    make_texts(task);
    begin(&run);
    run.regtag = begin_large(&run, task, &memory);
    comparisons = 0;
    assert_int_equal(regtag_tag(run.regtag, task->image, names, task->given), REGTAG_OK);
    while (step(&run)) {
        if (run.end != REGTAG_SETTLED)
            continue;
        note_order(&run, &done);
        forget_requests(&run.wire);
        if (run.settled == 1)
            run.wire.now += task->jump;
    }
    done.comparisons = comparisons;
    done.settled = run.settled;
    done.status = regtag_error(run.regtag, NULL);
    done.now = run.wire.now;
    finish(&run);
    free(memory);
    return done;
}

/* Four times as many names, and guards if there are many, take four times as many comparisons, and a few more where
 * hashes collide; each with each would be sixteen times. */
static void expect_even_growth(const struct task *many)
{
    struct task few = *many;
    few.count = many->count / 4;
    few.given = many->given / 4;
    few.guards = many->guards > GUARDS ? many->guards / 4 : many->guards;
    uint64_t a = perform(&few).comparisons, b = perform(many).comparisons;
    if (b == 0 || b > 6 * a)
        fail_msg("%zu names: %llu comparisons, %zu names: %llu", few.given, (unsigned long long)a,
                 many->given, (unsigned long long)b);
}

static void expect_all(const struct task *task, enum regtag_status status)
{
    struct done done = perform(task);
    assert_int_equal(done.settled, task->count);
    assert_int_equal(done.in_order, task->count);
    assert_int_equal(done.status, status);
}

/* ---- Names ----------------------------------------------------------------------------------- */

static void names_of_an_image_that_is_not_there(void **state)
{
    const struct task task = {.image = "localhost/a:none", .count = MANY, .given = MANY};
    (void)state;
    expect_all(&task, REGTAG_E_NOT_FOUND);
    expect_even_growth(&task);
}

static void names_that_are_looked_at(void **state)
{
    const struct task task = {
        .image = "localhost/a:base", .count = MANY, .given = MANY, .dry_run = true};
    (void)state;
    expect_all(&task, REGTAG_OK);
    expect_even_growth(&task);
}

static void names_that_are_given_twice(void **state)
{
    const struct task task = {
        .image = "localhost/a:base", .count = MANY, .given = 2 * MANY, .dry_run = true};
    (void)state;
    expect_all(&task, REGTAG_OK);
    expect_even_growth(&task);
}

static void names_that_are_left_at_the_deadline(void **state)
{
    const struct task task = {
        .image = "localhost/a:base", .count = MANY, .given = MANY, .jump = 2 * TIMEOUT};
    (void)state;
    expect_all(&task, REGTAG_E_TIMEOUT);
    assert_int_equal(perform(&task).now, 2 * TIMEOUT); /* nothing is waited for behind it */
    expect_even_growth(&task);
}

/* ---- Guards ---------------------------------------------------------------------------------- */

static void a_guard_for_each_name(void **state)
{
    const struct task task = {.image = "localhost/a:none", .count = MANY, .given = MANY, .guards = MANY};
    (void)state;
    expect_all(&task, REGTAG_E_NOT_FOUND);
    expect_even_growth(&task);
}

static void a_guard_for_each_name_that_is_looked_at(void **state)
{
    const struct task task = {
        .image = "localhost/a:base", .count = MANY, .given = MANY, .guards = MANY, .dry_run = true};
    (void)state;
    expect_all(&task, REGTAG_OK);
    expect_even_growth(&task);
}

static void few_guards_for_many_names(void **state)
{
    const struct task task = {
        .image = "localhost/a:base", .count = MANY, .given = MANY, .guards = GUARDS, .dry_run = true};
    (void)state;
    expect_all(&task, REGTAG_OK);
    expect_even_growth(&task);
}

/* ---- Tables ---------------------------------------------------------------------------------- */

#define SOME 500 /* of which a table has 1024 slots, of 4 bytes */

/* Between the names and the guards: where there is just room for both tables, it takes no longer than with more. */
static void what_is_left_of_the_memory_is_divided_evenly(void **state)
{
    const struct task large = {
        .image = "localhost/a:base", .count = SOME, .given = SOME, .guards = SOME, .dry_run = true};
    struct task small = large;
    (void)state;
    small.memory = sizeof NEW - 1 + 2 * (1024 * 4 + 4); /* each may have to be aligned */
    expect_all(&small, REGTAG_OK);
    assert_int_equal(perform(&small).comparisons, perform(&large).comparisons);
}

/* a.17 and b.17, for instance. */
static void it_does_not_matter_where_names_differ(void **state)
{
    struct task task = {.image = "localhost/a:none", .count = SOME, .given = SOME};
    (void)state;
    uint64_t usual = perform(&task).comparisons;
    task.in_front = true;
    expect_all(&task, REGTAG_E_NOT_FOUND);
    assert_in_range(perform(&task).comparisons, SOME, 2 * usual);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_an_image_that_is_not_there),
        cmocka_unit_test(names_that_are_looked_at),
        cmocka_unit_test(names_that_are_given_twice),
        cmocka_unit_test(names_that_are_left_at_the_deadline),
        cmocka_unit_test(a_guard_for_each_name),
        cmocka_unit_test(a_guard_for_each_name_that_is_looked_at),
        cmocka_unit_test(few_guards_for_many_names),
        cmocka_unit_test(what_is_left_of_the_memory_is_divided_evenly),
        cmocka_unit_test(it_does_not_matter_where_names_differ),
    };
    if (getenv("ONLY"))
        cmocka_set_test_filter(getenv("ONLY"));
    return cmocka_run_group_tests_name("many", tests, NULL, NULL);
}
