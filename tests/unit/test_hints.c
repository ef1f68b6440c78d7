/* What would help against an error: the library says it as an enum, and names no option or verb of the
 * command, which has its own words for it. */
#include "cli/hint.h"
#include "run.h"

#define LOCAL "localhost/a:base"

/* What the operation and its last tag say would help; and no message speaks for the command. */
static void expect_hint(const struct run *run, enum regtag_status status, enum regtag_hint hint)
{
    const char *text;
    expect_end(run, status);
    regtag_error(run->regtag, &text);
    if (regtag_hint(run->regtag) != hint)
        fail_msg("expected hint %d, got %d: %s", hint, regtag_hint(run->regtag), text);
    if (strstr(text, "--") || strstr(text, "\"regtag "))
        fail_msg("for the command only: %s", text);
}

static void ask_digest(struct run *run, const char *image)
{
    regtag_digest(run->regtag, image);
    run_on(run);
}

static void success_needs_no_help(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    tag_one(&run);
    expect_hint(&run, REGTAG_OK, REGTAG_HINT_NONE);
    assert_int_equal(run.hint[0], REGTAG_HINT_NONE);
    finish(&run);
}

static void most_errors_have_no_hint(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.wire.manners.put_status = 403;
    tag_one(&run);
    expect_hint(&run, REGTAG_E_DENIED, REGTAG_HINT_NONE);
    assert_int_equal(run.hint[0], REGTAG_HINT_NONE);
    finish(&run);
}

static void more_time_would_help(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.wire.manners.head_unanswered = true;
    ask_digest(&run, LOCAL);
    expect_hint(&run, REGTAG_E_TIMEOUT, REGTAG_HINT_TIMEOUT);
    expect_text(&run, "no complete answer came within 60 s");
    finish(&run);
}

/* The transport says what the connection waits for, and how long is added to that. */
static void more_time_would_help_to_connect(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.wire.connecting = WIRE_NEVER;
    run.wire.failure.text = "it could not be reached";
    ask_digest(&run, LOCAL);
    expect_hint(&run, REGTAG_E_NO_CONNECTION, REGTAG_HINT_TIMEOUT);
    expect_text(&run, ": port 80: it could not be reached within 60 s");
    finish(&run);
}

static void more_patience_would_help(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.config.stall = 1500;
    begin_again(&run);
    run.wire.manners.head_unanswered = true;
    ask_digest(&run, LOCAL);
    expect_hint(&run, REGTAG_E_TIMEOUT, REGTAG_HINT_STALL);
    expect_text(&run, "the answer has stalled for 2 s");
    finish(&run);
}

static void no_time_left_for_a_tag_has_the_same_hint(void **state)
{
    static const char *const names[] = {"one", "two"}, *const absent[] = {"absent"};
    (void)state;
    for (unsigned guarded = 0; guarded < 2; guarded++) {
        enum regtag_status status = guarded ? REGTAG_E_TIMEOUT : REGTAG_E_UNCERTAIN;
        struct run run;
        begin(&run);
        run.wire.manners.put_unanswered = run.wire.manners.head_unanswered = true;
        run.config.expected = absent;
        run.config.expected_count = guarded;
        begin_again(&run);
        assert_int_equal(regtag_tag(run.regtag, LOCAL, names, 2), REGTAG_OK);
        run_on(&run);
        expect_hint(&run, status, REGTAG_HINT_TIMEOUT);
        assert_int_equal(run.settled, 2);
        assert_int_equal(run.status[1], status);
        assert_int_equal(run.hint[0], REGTAG_HINT_TIMEOUT);
        assert_int_equal(run.hint[1], REGTAG_HINT_TIMEOUT);
        finish(&run);
    }
}

/* The caller comes back late, when an answer has long been there. */
static void no_time_left_has_a_hint_without_a_failed_request(void **state)
{
    static const char *const names[] = {"one", "two", "three"};
    static const char *guards[] = {"absent", NULL};
    char guard[100];
    struct run run;
    (void)state;
    begin(&run);
    snprintf(guard, sizeof guard, "two=%s", ZEROS);
    guards[1] = guard;
    run.config.expected = guards;
    run.config.expected_count = 2;
    begin_again(&run);
    wire_push(&run.wire, "two", OCI, OLD, sizeof OLD - 1);
    assert_int_equal(regtag_tag(run.regtag, LOCAL, names, 3), REGTAG_OK);
    while (run.wire.heads < 2)
        step(&run);
    run.wire.now += TIMEOUT;
    run_on(&run);
    expect_hint(&run, REGTAG_E_GUARD, REGTAG_HINT_NONE);
    assert_int_equal(run.settled, 3);
    assert_int_equal(run.status[2], REGTAG_E_TIMEOUT);
    assert_int_equal(run.hint[2], REGTAG_HINT_TIMEOUT);
    finish(&run);
}

static void a_reference_does_not_choose_the_scheme(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    ask_digest(&run, "http://localhost/a");
    expect_hint(&run, REGTAG_E_USAGE, REGTAG_HINT_SCHEME);
    finish(&run);
}

static void a_port_that_speaks_tls_is_recognized(void **state)
{
    static const char *const answers[] = {
        "\x15\x03\x03\x01\x02\x02\x28",
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 31\r\n\r\nThis is an HTTPS port, use that."};
    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++) {
        struct run run;
        begin(&run);
        run.wire.quirk[0] =
            (struct wire_quirk){.request = "GET", .instead = answers[i], .ending = WIRE_CLOSES};
        regtag_manifest(run.regtag, LOCAL);
        run_on(&run);
        expect_hint(&run, REGTAG_E_PROTOCOL, REGTAG_HINT_SCHEME_TLS);
        finish(&run);
    }
}

static void a_token_server_can_be_allowed(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.wire.manners.realm = "http://10.1.2.3/token";
    ask_digest(&run, LOCAL);
    expect_hint(&run, REGTAG_E_DENIED, REGTAG_HINT_REALM);
    expect_text(&run, "http://10.1.2.3/token");
    finish(&run);
}

static void a_hint_survives_the_token_servers_name(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.wire.manners.realm = "http://127.0.0.1/token";
    run.wire.quirk[0] = (struct wire_quirk){.request = "GET token", .instead = ""};
    regtag_manifest(run.regtag, LOCAL);
    run_on(&run);
    expect_hint(&run, REGTAG_E_TIMEOUT, REGTAG_HINT_TIMEOUT);
    expect_text(&run, "no token from 127.0.0.1: ");
    finish(&run);
}

static void without_an_index_there_is_no_platform(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.config.platform = "linux/arm64";
    begin_again(&run);
    tag_one(&run);
    expect_hint(&run, REGTAG_E_NOT_FOUND, REGTAG_HINT_PLATFORM);
    assert_int_equal(run.hint[0], REGTAG_HINT_PLATFORM);
    finish(&run);
}

/* With one guard, which must stay valid. */
static void begin_guarded(struct run *run, const char *const *guard)
{
    begin(run);
    run->config.expected = guard;
    run->config.expected_count = 1;
    begin_again(run);
}

static void where_a_tag_must_point_is_said_by_a_guard(void **state)
{
    static const char *const guards[] = {"sha256:0"};
    struct run run;
    (void)state;
    begin_guarded(&run, guards);
    assert_int_equal(regtag_delete(run.regtag, "localhost/a:new"), REGTAG_E_USAGE);
    run_on(&run);
    expect_hint(&run, REGTAG_E_USAGE, REGTAG_HINT_EXPECTED);
    run.config.expected_count = 0;
    begin_again(&run);
    char image[100];
    snprintf(image, sizeof image, "localhost/a@%s", digest_of_new());
    assert_int_equal(regtag_delete(run.regtag, image), REGTAG_E_USAGE);
    run_on(&run);
    expect_hint(&run, REGTAG_E_USAGE, REGTAG_HINT_EXPECTED);
    finish(&run);
}

static void a_manifest_can_be_deleted_with_all_its_tags(void **state)
{
    struct run run;
    (void)state;
    begin(&run);
    run.wire.manners.deletes_whole = true;
    delete_one(&run);
    expect_hint(&run, REGTAG_E_IMMUTABLE, REGTAG_HINT_SIBLINGS);
    assert_int_equal(run.hint[0], REGTAG_HINT_SIBLINGS);
    finish(&run);
}

static void where_there_is_no_image_there_is_a_list(void **state)
{
    static const char *const names[] = {"one", "two"};
    struct run run;
    (void)state;
    begin(&run);
    assert_int_equal(regtag_tag(run.regtag, "localhost/a:nothing", names, 2), REGTAG_OK);
    run_on(&run);
    expect_hint(&run, REGTAG_E_NOT_FOUND, REGTAG_HINT_LIST);
    assert_int_equal(run.settled, 2);
    assert_int_equal(run.hint[0], REGTAG_HINT_LIST);
    assert_int_equal(run.hint[1], REGTAG_HINT_LIST);
    finish(&run);
}

/* The operation keeps the error of the first tag that fails, with its hint; each tag has its own. */
static void the_hint_is_that_of_the_same_error(void **state)
{
    static const char *const names[] = {"one", "two"};
    struct run run;
    (void)state;
    begin(&run);
    run.wire.quirk[0] = (struct wire_quirk){.request = "PUT one",
                                            .instead = "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"};
    run.wire.quirk[1] = (struct wire_quirk){.request = "PUT two", .instead = ""};
    assert_int_equal(regtag_tag(run.regtag, LOCAL, names, 2), REGTAG_OK);
    run_on(&run);
    expect_hint(&run, REGTAG_E_DENIED, REGTAG_HINT_NONE);
    assert_int_equal(run.hint[0], REGTAG_HINT_NONE);
    assert_int_equal(run.hint[1], REGTAG_HINT_TIMEOUT);
    finish(&run);
}

static void a_guard_that_cannot_be_checked_says_what_would_help(void **state)
{
    static const char *const guards[] = {"absent"};
    struct run run;
    (void)state;
    begin_guarded(&run, guards);
    run.wire.manners.head_unanswered = true;
    tag_one(&run);
    expect_hint(&run, REGTAG_E_TIMEOUT, REGTAG_HINT_TIMEOUT);
    assert_int_equal(run.hint[0], REGTAG_HINT_TIMEOUT);
    finish(&run);
}

/* Only the transport knows TLS. */
static void the_hints_of_the_transport_are_passed_on(void **state)
{
    static const enum regtag_hint hints[] = {REGTAG_HINT_SCHEME_PLAIN, REGTAG_HINT_CA,
                                             REGTAG_HINT_CERTIFICATE, REGTAG_HINT_CLOCK,
                                             REGTAG_HINT_ADDRESS};
    (void)state;
    for (size_t i = 0; i < COUNT(hints); i++)
        for (unsigned never = 0; never < 2; never++) {
            struct run run;
            begin(&run);
            run.wire.refused = !never;
            run.wire.connecting = never ? WIRE_NEVER : 0;
            run.wire.failure = (struct regtag_failure){
                .status = REGTAG_E_UNTRUSTED, .text = "it is not trusted", .hint = hints[i]};
            ask_digest(&run, LOCAL);
            expect_hint(&run, REGTAG_E_UNTRUSTED, hints[i]);
            finish(&run);
        }
}

static void a_first_part_that_is_no_host_may_be_meant_as_one(void **state)
{
    static const struct {
        const char *image;
        enum regtag_status status;
        enum regtag_hint hint, expected;
    } cases[] = {
        {"myhost/a", REGTAG_E_NO_CONNECTION, REGTAG_HINT_ADDRESS, REGTAG_HINT_HOST},
        {"myhost/a", REGTAG_E_NO_CONNECTION, REGTAG_HINT_NONE, REGTAG_HINT_HOST},
        {"myhost/a/b:c", REGTAG_E_NO_CONNECTION, REGTAG_HINT_NONE, REGTAG_HINT_HOST},
        {"myhost/a", REGTAG_E_UNTRUSTED, REGTAG_HINT_CA, REGTAG_HINT_CA},
        {"myhost/a", REGTAG_E_NO_CONNECTION, REGTAG_HINT_SCHEME_TLS, REGTAG_HINT_SCHEME_TLS},
        {"a", REGTAG_E_NO_CONNECTION, REGTAG_HINT_ADDRESS, REGTAG_HINT_ADDRESS},
        {"docker.io/a", REGTAG_E_NO_CONNECTION, REGTAG_HINT_ADDRESS, REGTAG_HINT_ADDRESS},
        {"docker.io/a/b", REGTAG_E_NO_CONNECTION, REGTAG_HINT_ADDRESS, REGTAG_HINT_ADDRESS},
        {"my.host/a", REGTAG_E_NO_CONNECTION, REGTAG_HINT_ADDRESS, REGTAG_HINT_ADDRESS},
        {"myhost:443/a", REGTAG_E_NO_CONNECTION, REGTAG_HINT_ADDRESS, REGTAG_HINT_ADDRESS},
        {"localhost/a", REGTAG_E_NO_CONNECTION, REGTAG_HINT_NONE, REGTAG_HINT_NONE},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct run run;
        begin(&run);
        run.wire.refused = true;
        run.wire.failure =
            (struct regtag_failure){.status = cases[i].status, .text = "why", .hint = cases[i].hint};
        ask_digest(&run, cases[i].image);
        expect_hint(&run, cases[i].status, cases[i].expected);
        finish(&run);
    }
}

/* ---- The command ----------------------------------------------------------------------------- */

/* Two hints begin with what the message names. */
static bool is_fixed(int hint)
{
    return hint != REGTAG_HINT_HOST && hint != REGTAG_HINT_LIST;
}

static void each_hint_has_words(void **state)
{
    (void)state;
    assert_string_equal(hint_message("why", REGTAG_HINT_NONE), "why");
    for (int hint = REGTAG_HINT_NONE + 1; hint <= REGTAG_HINT_CHOOSE; hint++) {
        const char *text = hint_message("a: why", hint);
        assert_memory_equal(text, "a: why; ", 8);
        assert_true(strstr(text, "--") || strstr(text, "\"regtag ") || hint == REGTAG_HINT_HOST);
    }
    assert_string_equal(hint_message("why", REGTAG_HINT_SCHEME_TLS), "why; try --tls");
}

static void a_hint_of_a_later_library_has_no_words(void **state)
{
    (void)state;
    assert_string_equal(hint_message("why", REGTAG_HINT_CHOOSE + 1), "why");
    assert_string_equal(hint_message("why", 1000), "why");
    assert_string_equal(hint_message("why", -1), "why");
}

static void a_long_message_is_cut_and_not_its_hint(void **state)
{
    char message[ERROR_TEXT_MAX];
    (void)state;
    memset(message, 'x', sizeof message - 1);
    message[sizeof message - 1] = '\0';
    for (int hint = REGTAG_HINT_NONE + 1; hint <= REGTAG_HINT_CHOOSE; hint++) {
        if (!is_fixed(hint))
            continue;
        char words[ERROR_TEXT_MAX];
        snprintf(words, sizeof words, "%s", hint_message("", hint));
        const char *text = hint_message(message, hint);
        assert_true(strlen(text) > 900 && strlen(text) < ERROR_TEXT_MAX);
        assert_string_equal(strchr(text, ';'), words);
    }
}

static void the_list_is_that_of_the_repository(void **state)
{
    static const char *const images[] = {":latest", ":5000", "@sha256:"};
    char message[ERROR_TEXT_MAX], expected[2 * ERROR_TEXT_MAX], name[REPOSITORY_MAX + 300];
    (void)state;
    snprintf(name, sizeof name, "reg.test:5000/%0*d", REPOSITORY_MAX, 0);
    for (size_t i = 0; i < 2 * COUNT(images); i++) {
        const char *shown = i % 2 ? name : "reg.test:5000/a/b";
        snprintf(message, sizeof message, "%s%s%.*s: no such: image", shown, images[i / 2],
                 i / 2 == 2 ? 64 : 0, ZEROS + 7);
        snprintf(expected, sizeof expected, "%s; \"regtag ls %s\" lists the tags", message, shown);
        assert_string_equal(hint_message(message, REGTAG_HINT_LIST), expected);
    }
}

static void a_host_is_named_and_so_is_how_to_write_it(void **state)
{
    char message[ERROR_TEXT_MAX];
    (void)state;
    assert_string_equal(
        hint_message("myhost/a/b:c: why", REGTAG_HINT_HOST),
        "myhost/a/b:c: why; \"myhost\" was taken for part of a name on Docker Hub; if it is a "
        "host, write \"myhost:443/...\"");
    memset(message, 'x', sizeof message - 1);
    message[sizeof message - 1] = '\0';
    const char *text = hint_message(message, REGTAG_HINT_HOST);
    assert_int_equal(strlen(text), ERROR_TEXT_MAX - 1);
    assert_non_null(strstr(text, ":443/...\""));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_is_named_and_so_is_how_to_write_it),
        cmocka_unit_test(a_first_part_that_is_no_host_may_be_meant_as_one),
        cmocka_unit_test(success_needs_no_help),
        cmocka_unit_test(most_errors_have_no_hint),
        cmocka_unit_test(more_time_would_help),
        cmocka_unit_test(more_time_would_help_to_connect),
        cmocka_unit_test(more_patience_would_help),
        cmocka_unit_test(no_time_left_for_a_tag_has_the_same_hint),
        cmocka_unit_test(no_time_left_has_a_hint_without_a_failed_request),
        cmocka_unit_test(a_reference_does_not_choose_the_scheme),
        cmocka_unit_test(a_port_that_speaks_tls_is_recognized),
        cmocka_unit_test(a_token_server_can_be_allowed),
        cmocka_unit_test(a_hint_survives_the_token_servers_name),
        cmocka_unit_test(without_an_index_there_is_no_platform),
        cmocka_unit_test(where_a_tag_must_point_is_said_by_a_guard),
        cmocka_unit_test(a_manifest_can_be_deleted_with_all_its_tags),
        cmocka_unit_test(where_there_is_no_image_there_is_a_list),
        cmocka_unit_test(the_hint_is_that_of_the_same_error),
        cmocka_unit_test(a_guard_that_cannot_be_checked_says_what_would_help),
        cmocka_unit_test(the_hints_of_the_transport_are_passed_on),
        cmocka_unit_test(each_hint_has_words),
        cmocka_unit_test(the_list_is_that_of_the_repository),
        cmocka_unit_test(a_hint_of_a_later_library_has_no_words),
        cmocka_unit_test(a_long_message_is_cut_and_not_its_hint),
    };
    return cmocka_run_group_tests_name("hints", tests, NULL, NULL);
}
