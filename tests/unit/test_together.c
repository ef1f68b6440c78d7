/* Several tags at a time: those that are declined, and answers of which one came twice. */
#include "run.h"

static const char *const two_names[] = {"new", "newer"};

static void decline(struct run *run)
{
    run->refuses_upload = true;
    run_on(run);
    assert_int_equal(run->end, REGTAG_UPLOAD);
    regtag_decline(run->regtag, "the disk is full");
    run->refuses_upload = false;
    run_on(run);
    expect_end(run, REGTAG_E_OTHER);
    expect_text(run, "the disk is full");
}

static void a_declined_deletion_deletes_nothing(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    assert_int_equal(regtag_delete(run.regtag, "localhost/a:new"), REGTAG_OK);
    decline(&run);
    expect_outcome(&run, REGTAG_TAG_FAILED);
    expect_asked(&run, "HEAD new\n");
    assert_true(IS_OLD(&run, "new"));
    finish(&run);
}

static void a_declined_tag_is_left_alone_and_so_are_those_after_it(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", two_names, COUNT(two_names)), REGTAG_OK);
    decline(&run);
    assert_int_equal(run.settled, COUNT(two_names));
    for (size_t i = 0; i < run.settled; i++) {
        assert_string_equal(run.name[i], two_names[i]);
        assert_int_equal(run.outcome[i], REGTAG_TAG_FAILED);
    }
    assert_int_equal(run.wire.puts, 0);
    assert_true(IS_OLD(&run, "new"));
    assert_null(wire_find(&run.wire, "newer"));
    finish(&run);
}

/* Nothing is to be moved, but the image is looked at. */
static void without_a_name_there_is_an_image_or_not(void **state)
{
    (void)state;
    for (unsigned absent = 0; absent < 2; absent++) {
        struct run run;
        begin(&run);
        assert_int_equal(
            regtag_tag(run.regtag, absent ? "localhost/a:none" : "localhost/a:base", NULL, 0),
            REGTAG_OK);
        run_on(&run);
        expect_end(&run, absent ? REGTAG_E_NOT_FOUND : REGTAG_OK);
        expect_asked(&run, absent ? "GET none\n" : "GET base\n");
        assert_int_equal(run.settled, 0);
        finish(&run);
    }
}

#define MANY 100u

static const char *many_names[MANY];

static void make_many_names(void)
{
    static char texts[MANY][8];
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(texts[i], sizeof texts[i], "m%02u", i);
        many_names[i] = texts[i];
    }
}

/* The caller may take its time, more than there is. */
static void without_time_the_names_that_are_left_fail(void **state)
{
    static struct run run;
    (void)state;
    make_many_names();
    begin(&run);
    assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", many_names, MANY), REGTAG_OK);
    while (step(&run))
        if (run.end == REGTAG_SETTLED && run.settled == 1)
            run.wire.now += TIMEOUT;
    expect_end(&run, REGTAG_E_TIMEOUT);
    assert_int_equal(run.settled, MANY);
    for (unsigned i = 0; i < MANY; i++)
        if (run.outcome[i] != REGTAG_TAG_UNCERTAIN)
            assert_int_equal(wire_find(&run.wire, many_names[i]) != NULL,
                             run.outcome[i] == REGTAG_TAG_CREATED);
    assert_int_equal(run.outcome[MANY - 1], REGTAG_TAG_FAILED);
    finish(&run);
}

/* Declines what has not been touched after so many events; answers arrive at different times. */
static void decline_after(unsigned events)
{
    static struct run run;
    begin(&run);
    run.wire.manners.delay = 10;
    run.wire.seed = 1 + events;
    widen(&run, 5);
    assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", many_names, MANY), REGTAG_OK);
    while (step(&run))
        if ((run.end == REGTAG_UPLOAD || run.end == REGTAG_SETTLED) && events-- == 0)
            regtag_decline(run.regtag, "the disk is full");
    assert_int_equal(run.settled, MANY);
    for (unsigned i = 0; i < MANY; i++) {
        assert_string_equal(run.name[i], many_names[i]);
        assert_int_equal(wire_find(&run.wire, many_names[i]) != NULL,
                         run.outcome[i] == REGTAG_TAG_CREATED);
    }
    if (run.wire.now >= TIMEOUT)
        fail_msg("it took %llu ms", (unsigned long long)run.wire.now);
    finish(&run);
}

/* What is in flight then is told as it turns out, and nobody waits for the answers of what was withdrawn. */
static void many_tags_may_be_declined_at_any_time(void **state)
{
    (void)state;
    make_many_names();
    for (unsigned events = 0; events < 2 * MANY; events++)
        decline_after(events);
}

/* ---- Digests --------------------------------------------------------------------------------- */

#define TAGS 40u /* more than are in flight together */

/* Odd ones are at OLD, even ones at RIVAL. */
static void push_tags(struct run *run)
{
    char name[8];
    for (unsigned i = 0; i < TAGS; i++) {
        const char *manifest = i % 2 ? OLD : RIVAL;
        snprintf(name, sizeof name, "v%02u", i);
        wire_push(&run->wire, name, OCI, manifest, strlen(manifest));
    }
}

static const char *expected_digest(const char *name)
{
    if (*name == 'v')
        return name[2] % 2 ? digest_of_old() : digest_of_rival();
    return strcmp(name, "base") == 0 ? digest_of_new() : digest_of_old();
}

static void expect_digests(struct run *run)
{
    size_t count = 0;
    while (step(run)) {
        const struct regtag_result *result = regtag_result(run->regtag);
        if (run->end != REGTAG_LISTED)
            continue;
        assert_string_equal(result->digest, expected_digest(result->name));
        count++;
    }
    expect_end(run, REGTAG_OK);
    assert_int_equal(count, TAGS + 2);
}

/* An answer that came twice shifts those after it. One HEAD is refused, so that a GET is in flight among the
 * others, the last of them or the first. */
static void lookups_are_made_again_if_an_answer_came_twice(void **state)
{
    static const char *const refused[] = {"v03", "v13"};
    (void)state;
    for (unsigned i = 0; i < TAGS * COUNT(refused); i++) {
        struct run run;
        begin(&run);
        push_tags(&run);
        run.wire.manners.delay = 10; /* else none is in flight for long */
        run.wire.manners.head_status = 405;
        run.wire.manners.only_tag = refused[i / TAGS];
        run.wire.quirk[0] = (struct wire_quirk){.request = "HEAD v", .after = i % TAGS, .twice = true};
        assert_int_equal(regtag_digests(run.regtag, "localhost/a", 0), REGTAG_OK);
        expect_digests(&run);
        assert_int_equal(run.wire.quirks, 1);
        finish(&run);
    }
}

/* Of more tags than one connection takes at a time, but not of all. */
static void only_so_many_are_looked_up(void **state)
{
    struct run run;
    unsigned count = 0;
    (void)state;
    begin(&run);
    push_tags(&run);
    widen(&run, 5);
    assert_int_equal(regtag_digests(run.regtag, "localhost/a", 30), REGTAG_OK);
    while (step(&run))
        count += run.end == REGTAG_LISTED;
    expect_end(&run, REGTAG_OK);
    assert_int_equal(count, 30);
    assert_int_equal(run.wire.heads, 30);
    finish(&run);
}

/* In a block of the same size, other connections would be elsewhere. */
static void another_number_of_connections_is_another_operation(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.config.manifest_max = 1 << 20;
    run.config.keep = true;
    widen(&run, 3);
    assert_int_equal(regtag_digest(run.regtag, "localhost/a:base"), REGTAG_OK);
    run_on(&run);
    expect_end(&run, REGTAG_OK);
    struct regtag_config config = run.config;
    config.connections = 4;
    config.manifest_max -= regtag_size(&config) - regtag_size(&run.config);
    assert_int_equal(regtag_size(&config), regtag_size(&run.config));
    assert_false(regtag_next(run.regtag, &config));
    assert_true(regtag_next(run.regtag, &run.config));
    regtag_end(run.regtag);
    finish(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_declined_deletion_deletes_nothing),
        cmocka_unit_test(a_declined_tag_is_left_alone_and_so_are_those_after_it),
        cmocka_unit_test(without_a_name_there_is_an_image_or_not),
        cmocka_unit_test(only_so_many_are_looked_up),
        cmocka_unit_test(another_number_of_connections_is_another_operation),
        cmocka_unit_test(without_time_the_names_that_are_left_fail),
        cmocka_unit_test(many_tags_may_be_declined_at_any_time),
        cmocka_unit_test(lookups_are_made_again_if_an_answer_came_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
