/* Lines of tag --from, and operations that go on with the connections of the last one (regtag_next). */
#include "run.h"

#include "base/names.h"
#include "cli/tag_line.h"
#include "cli/targets.h"

/* ---- A line ---------------------------------------------------------------------------------- */

#define NONE NULL
#define LAST "localhost/a:base"

static struct tag_line line;

/* The words, with a '|' behind each; or the problem. */
static const char *split(const char *text, size_t size, size_t piece)
{
    static char words[2 * TAG_LINE_MAX];
    struct slice rest = {text, size};
    line.size = 0;
    while (rest.size) {
        struct slice part = slice_head(rest, piece);
        tag_line_add(&line, part);
        rest = slice_from(rest, part.size);
    }
    const char *problem = tag_line_split(&line);
    size_t used = 0;
    for (size_t i = 0; i < line.count; i++)
        used += (size_t)snprintf(words + used, sizeof words - used, "%s|", line.words[i]);
    words[used] = '\0';
    return problem ? problem : words;
}

static const struct {
    const char *text, *words;
} LINES[] = {
    {"", ""},
    {" \t ", ""},
    {"\r", ""},
    {"#", ""},
    {"# a b", ""},
    {"\t#a b", ""},
    {"a b", "a|b|"},
    {"a b\r", "a|b|"},
    {"a b \r", "a|b|"},
    {"a\tb\t \tc", "a|b|c|"},
    {"  a b  ", "a|b|"},
    {"a b # c", "a|b|"},
    {"a b #", "a|b|"},
    {"a b#c", "a|b#c|"},
    {"a b\rc", "a|b\rc|"},
    {"a b\r\r", "a|b\r|"},
    {"a", "a tag must follow the image"},
    {" a # b", "a tag must follow the image"},
};

static void a_line_has_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(LINES); i++)
        for (size_t piece = 1; piece < 12; piece++)
            assert_string_equal(split(LINES[i].text, strlen(LINES[i].text), piece), LINES[i].words);
}

static void a_nul_is_refused_wherever_it_is(void **state)
{
    static const char text[] = "a b c";
    (void)state;
    for (size_t at = 0; at < sizeof text - 1; at++) {
        char copy[sizeof text];
        memcpy(copy, text, sizeof text);
        copy[at] = '\0';
        assert_non_null(strstr(split(copy, sizeof text - 1, 3), "NUL"));
    }
    assert_non_null(strstr(split("# \0", 3, 3), "NUL"));
}

static void a_line_has_a_longest_length(void **state)
{
    static char text[3 * TAG_LINE_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 2 ? ' ' : 'a';
    for (size_t piece = 1; piece <= sizeof text; piece = 2 * piece + 1) {
        split(text, TAG_LINE_MAX, piece);
        assert_int_equal(line.count, TAG_LINE_MAX / 2);
        assert_non_null(strstr(split(text, TAG_LINE_MAX + 1, piece), "4096 bytes"));
        assert_non_null(strstr(split(text, sizeof text, piece), "4096 bytes"));
    }
    memset(text, 'a', TAG_LINE_MAX);
    text[1] = ' ';
    split(text, TAG_LINE_MAX, 100);
    assert_int_equal(strlen(line.words[1]), TAG_LINE_MAX - 2);
}

/* ---- Targets --------------------------------------------------------------------------------- */

static void a_target_is_found_among_as_many_as_are_remembered(void **state)
{
    static uint64_t slots[TARGETS_SLOTS];
    struct targets t = {slots, 0};
    (void)state;
    for (uint64_t i = 0; i < 3 * TARGETS_SLOTS; i++)
        assert_true(targets_add(&t, i * 0x9e3779b97f4a7c15u));
    for (uint64_t i = 0; i < 3 * TARGETS_SLOTS; i++)
        assert_int_equal(targets_add(&t, i * 0x9e3779b97f4a7c15u), i >= TARGETS_MAX);
    assert_int_equal(t.count, TARGETS_MAX);
}

/* ---- The next operation ---------------------------------------------------------------------- */

static void keep(struct run *run)
{
    begin(run);
    run->config.keep = true;
    begin_again(run);
}

static void next(struct run *run)
{
    assert_true(regtag_next(run->regtag, &run->config));
    run->settled = 0;
}

static void tag(struct run *run, const char *image, const char *name)
{
    static const char *names[1];
    names[0] = name;
    assert_int_equal(regtag_tag(run->regtag, image, names, 1), REGTAG_OK);
    run_on(run);
}

static void the_next_operation_has_the_same_connection(void **state)
{
    struct run run;
    (void)state;
    keep(&run);
    tag(&run, "localhost/a:base", "one");
    next(&run);
    tag(&run, "localhost/a:base", "two");
    expect_end(&run, REGTAG_OK);
    next(&run);
    regtag_digest(run.regtag, "localhost/a:two");
    run_on(&run);
    expect_end(&run, REGTAG_OK);
    assert_string_equal(regtag_result(run.regtag)->digest, digest_of_new());
    assert_int_equal(run.wire.connections, 1);
    assert_true(IS_NEW(&run, "one") && IS_NEW(&run, "two"));
    finish(&run);
}

/* After the image was not found, the lookups of its names are still to be answered. */
static void what_was_not_answered_yet_is_read_later(void **state)
{
    struct run run;
    (void)state;
    keep(&run);
    run.wire.quirk[0] = (struct wire_quirk){.request = "HEAD new", .delay = 500};
    tag(&run, "localhost/a:none", "new");
    expect_end(&run, REGTAG_E_NOT_FOUND);
    next(&run);
    tag(&run, "localhost/a:base", "two");
    expect_end(&run, REGTAG_OK);
    assert_int_equal(run.wire.connections, 1);
    assert_true(IS_NEW(&run, "two") && IS_OLD(&run, "new"));
    finish(&run);
}

static void another_registry_has_another_connection(void **state)
{
    static const char *const images[] = {"localhost/a:base", "localhost:81/a:base", "127.0.0.1/a:base"};
    struct run run;
    (void)state;
    keep(&run);
    for (size_t i = 0; i < COUNT(images); i++) {
        tag(&run, images[i], "new");
        expect_end(&run, REGTAG_OK);
        assert_int_equal(run.wire.connections, i + 1);
        next(&run);
    }
    finish(&run);
}

/* None stays open to one that nobody asks any more. */
static void the_connections_to_the_last_registry_are_closed(void **state)
{
    static char texts[60][8];
    static const char *names[60];
    struct run run;
    (void)state;
    begin(&run);
    run.config.keep = true;
    run.wire.manners.delay = 10;
    widen(&run, 5);
    for (size_t i = 0; i < COUNT(names); i++) {
        snprintf(texts[i], sizeof texts[i], "n%zu", i);
        names[i] = texts[i];
    }
    assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", names, COUNT(names)), REGTAG_OK);
    run_on(&run);
    expect_end(&run, REGTAG_OK);
    assert_int_equal(run.wire.connections, 4);
    next(&run);
    tag(&run, "localhost:81/a:base", "new");
    expect_end(&run, REGTAG_OK);
    unsigned open = 0;
    for (size_t i = 0; i < WIRE_LINES; i++)
        open += run.wire.line[i].open;
    assert_int_equal(open, 2); /* for the manifest and for the lookup */
    finish(&run);
}

/* Somebody else may have the same name there. */
static void a_password_does_not_go_to_the_next_registry(void **state)
{
    struct run run;
    (void)state;
    keep(&run);
    run.config.credentials = (struct regtag_credentials){.bearer_token = "secret"};
    begin_again(&run);
    tag(&run, "localhost/a:base", "one");
    assert_string_equal(run.wire.authorization, "Bearer secret");
    run.config.credentials.bearer_token = NULL;
    next(&run);
    tag(&run, "localhost:81/a:base", "two");
    expect_end(&run, REGTAG_OK);
    assert_string_equal(run.wire.authorization, "");
    run.config.credentials.bearer_token = "another";
    next(&run);
    tag(&run, "localhost/a:base", "three");
    assert_string_equal(run.wire.authorization, "Bearer another");
    finish(&run);
}

static void a_token_is_for_one_repository(void **state)
{
    static const struct {
        const char *image;
        unsigned tokens;
    } steps[] = {{"localhost/a:base", 1},
                 {"localhost/a:new", 1},
                 {"localhost/b:base", 2},
                 {"localhost/b:base", 2}};
    struct run run;
    (void)state;
    keep(&run);
    run.wire.manners.realm = "http://localhost/token";
    run.wire.manners.token_says = ",\"expires_in\":300";
    for (size_t i = 0; i < COUNT(steps); i++) {
        tag(&run, steps[i].image, "x");
        assert_int_equal(run.wire.tokens, steps[i].tokens);
        next(&run);
    }
    regtag_digest(run.regtag, "localhost/b:base");
    run_on(&run);
    assert_int_equal(run.wire.tokens, 3); /* it asks for less */
    finish(&run);
}

static void an_idle_connection_that_has_ended_is_replaced(void **state)
{
    static const char *const names[] = {"one", "two", "three"};
    struct run run;
    (void)state;
    for (int late = 0; late < 2; late++) {
        keep(&run);
        run.wire.manners.close_silently = !late;
        run.wire.manners.close_late = late;
        for (size_t i = 0; i < COUNT(names); i++) {
            tag(&run, "localhost/a:base", names[i]);
            expect_end(&run, REGTAG_OK);
            assert_true(IS_NEW(&run, names[i]));
            next(&run);
        }
        finish(&run);
    }
}

static void only_the_same_memory_will_do(void **state)
{
    struct run run;
    (void)state;
    keep(&run);
    struct regtag_config other = run.config;
    other.connections = 3;
    assert_false(regtag_next(run.regtag, &other));
    other = run.config;
    other.manifest_max += 16;
    assert_false(regtag_next(run.regtag, &other));
    other = run.config;
    other.size = 1;
    assert_false(regtag_next(run.regtag, &other));
    tag_one(&run);
    expect_end(&run, REGTAG_OK);
    finish(&run);
}

/* Whatever it was waiting for: a login, or the answer to a guarded request, which has a connection for itself. */
static bool leave_after(unsigned steps)
{
    static const char *const names[] = {"new"};
    const char *expected[] = {digest_of_old()};
    struct run run;
    bool left = true;
    keep(&run);
    run.wire.manners.realm = "http://localhost/token";
    run.wire.manners.delay = 5;
    run.config.expected = expected;
    run.config.expected_count = 1;
    begin_again(&run);
    regtag_tag(run.regtag, "localhost/a:base", names, 1);
    for (unsigned i = 0; i < steps && left; i++)
        left = step(&run);
    if (!left)
        expect_end(&run, REGTAG_OK);
    run.config.expected_count = 0;
    next(&run);
    regtag_digest(run.regtag, "localhost/a:base");
    run_on(&run);
    expect_end(&run, REGTAG_OK);
    assert_string_equal(run.digest, digest_of_new());
    next(&run);
    tag(&run, "localhost/a:base", "two");
    expect_end(&run, REGTAG_OK);
    assert_true(IS_NEW(&run, "two"));
    finish(&run);
    return left;
}

/* One that was left waited for a connection: the next one does not. */
static void nobody_waits_for_what_was_left(void **state)
{
    (void)state;
    for (unsigned steps = 1; steps < 6; steps++) {
        static const char *const names[] = {"new"};
        struct run run;
        keep(&run);
        run.config.credentials = (struct regtag_credentials){.user = "user", .password = "password"};
        run.wire.manners.delay = 500;
        begin_again(&run);
        regtag_tag(run.regtag, "localhost/a:base", names, 1);
        for (unsigned i = 0; i < steps; i++)
            assert_true(step(&run));
        next(&run);
        regtag_digest(run.regtag, "localhost/a:base");
        run_on(&run);
        expect_end(&run, REGTAG_OK);
        assert_string_equal(run.digest, digest_of_new());
        finish(&run);
    }
}

static void an_operation_may_be_left_at_any_step(void **state)
{
    unsigned steps = 0;
    (void)state;
    while (leave_after(steps))
        steps++;
    assert_in_range(steps, 10, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_words),
        cmocka_unit_test(a_nul_is_refused_wherever_it_is),
        cmocka_unit_test(a_line_has_a_longest_length),
        cmocka_unit_test(a_target_is_found_among_as_many_as_are_remembered),
        cmocka_unit_test(the_next_operation_has_the_same_connection),
        cmocka_unit_test(what_was_not_answered_yet_is_read_later),
        cmocka_unit_test(another_registry_has_another_connection),
        cmocka_unit_test(the_connections_to_the_last_registry_are_closed),
        cmocka_unit_test(a_password_does_not_go_to_the_next_registry),
        cmocka_unit_test(a_token_is_for_one_repository),
        cmocka_unit_test(an_idle_connection_that_has_ended_is_replaced),
        cmocka_unit_test(only_the_same_memory_will_do),
        cmocka_unit_test(nobody_waits_for_what_was_left),
        cmocka_unit_test(an_operation_may_be_left_at_any_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
