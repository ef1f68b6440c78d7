/* src/client: a transport that behaves oddly, within its contract or not quite; and servers that speak before they are asked. */
#include "run.h"

static struct run run; /* too large for the stack */

static void look(void)
{
    assert_int_equal(regtag_digest(run.regtag, "localhost/a:base"), REGTAG_OK);
    run_on(&run);
}

/* ---- The transport --------------------------------------------------------------------------- */

static ptrdiff_t write_nothing(void *context, unsigned connection, const void *bytes, size_t size)
{
    (void)context, (void)connection, (void)bytes, (void)size;
    return REGTAG_IO_FAILED;
}

/* Nothing can be sent, and no answer waits to be read: there is nothing to wait for. */
static void what_cannot_be_sent_is_not_waited_for(void **state)
{
    (void)state;
    begin(&run);
    run.config.transport.write = write_nothing;
    begin_again(&run);
    look();
    expect_end(&run, REGTAG_E_NO_CONNECTION);
    expect_text(&run, "the way is broken");
    assert_true(run.wire.now < 1000);
    finish(&run);
}

static bool slow_failure;

static ptrdiff_t read_late(void *context, unsigned connection, void *bytes, size_t size)
{
    const struct wire *w = context;
    (void)connection, (void)bytes, (void)size;
    return slow_failure && w->now >= TIMEOUT ? REGTAG_IO_FAILED : REGTAG_IO_AGAIN;
}

/* A connection that is not up when time is up says what it has waited for, or why it has failed just then. */
static void what_has_kept_a_connection_is_told(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        begin(&run);
        slow_failure = i;
        run.wire.connecting = WIRE_NEVER;
        run.wire.failure = (struct regtag_failure){.status = REGTAG_E_NO_CONNECTION, .text = "no route"};
        run.config.transport.read = read_late;
        begin_again(&run);
        look();
        expect_end(&run, REGTAG_E_NO_CONNECTION);
        expect_text(&run, i ? "no route" : "no route within 60 s");
        assert_int_equal(run.wire.now, TIMEOUT);
        finish(&run);
    }
}

/* ---- Servers that speak first ---------------------------------------------------------------- */

/* Byte by byte, empty lines are no answer; many of them are nothing to send anything after. */
static void empty_lines_are_no_answer(void **state)
{
    static const char *const greetings[] = {"\r\n", "\r\n\r\n",
                                            "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n"};
    static const char *const names[] = {"new", "x", "y"};
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(greetings); i++) {
        begin(&run);
        run.wire.manners.greeting = greetings[i / 2];
        run.wire.manners.greet = i % 2 ? 9 : 1;
        run.wire.step = i >= 4 ? 1 : 0;
        run.config.timeout = 9000;
        begin_again(&run);
        assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", names, COUNT(names)), REGTAG_OK);
        run_on(&run);
        assert_int_equal(run.settled, 3);
        for (size_t n = 0; n < 3; n++)
            assert_int_equal(is_good(run.outcome[n]), run.end == REGTAG_DONE);
        assert_int_equal(run.end == REGTAG_DONE, i < 5);
        finish(&run);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_sent_is_not_waited_for),
        cmocka_unit_test(what_has_kept_a_connection_is_told),
        cmocka_unit_test(empty_lines_are_no_answer),
    };
    return cmocka_run_group_tests_name("transports", tests, NULL, NULL);
}
