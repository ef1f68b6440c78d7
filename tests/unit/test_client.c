/* src/client: what its parts promise each other, at edges that an operation does not come to on its own. */
#include "run.h"

#include "client/client.h"

#define EMPTY "Content-Length: 0\r\n\r\n"

static struct regtag_config config;
static struct context context;
static struct connection connection; /* too large for the stack */

/* ---- A connection ---------------------------------------------------------------------------- */

static const char *answers; /* what can be read; then there is nothing, or `end` */
static ptrdiff_t end;
static size_t room; /* bytes that can be written */

static ptrdiff_t read_answers(void *unused, unsigned number, void *bytes, size_t size)
{
    size_t count = strlen(answers);
    (void)unused, (void)number;
    if (count == 0)
        return end;
    count = count < size ? count : size;
    memcpy(bytes, answers, count);
    answers += count;
    return (ptrdiff_t)count;
}

static ptrdiff_t write_some(void *unused, unsigned number, const void *bytes, size_t size)
{
    (void)unused, (void)number, (void)bytes;
    size = size < room ? size : room;
    room -= size;
    return size ? (ptrdiff_t)size : REGTAG_IO_AGAIN;
}

static void fail_somehow(void *unused, unsigned number, struct regtag_failure *f)
{
    (void)unused, (void)number;
    f->text = "somehow";
}

static const struct regtag_origin origin = {.host = "localhost", .port = 80};
static const struct body none;
static struct transfer transfers[3];
static size_t header_size;

static void write_header(void *sender, struct writer *w)
{
    (void)sender;
    for (size_t i = 0; i < header_size; i++)
        write_text(w, "x");
}

static void open_connection(void)
{
    memset(&config, 0, sizeof config);
    config.transport =
        (struct regtag_transport){.read = read_answers, .write = write_some, .failure = fail_somehow};
    context = (struct context){.config = &config, .deadline = 60000, .wake = 60000, .reads_left = 64};
    connection_init(&connection, &context, 0);
    connection_begin_step(&connection);
    answers = "";
    end = REGTAG_IO_AGAIN;
    room = SIZE_MAX;
    header_size = 20;
    for (size_t i = 0; i < COUNT(transfers); i++)
        transfers[i] = (struct transfer){.write_header = write_header, .body = &none};
}

static void send(unsigned number)
{
    connection_send(&connection, &origin, &transfers[number]);
    if (number == 0)
        connection.want_open = false; /* the caller has opened it */
}

static enum connection_event step_transfer(unsigned number)
{
    struct slice part;
    return connection_step(&transfers[number], &part);
}

/* Its answer is read all the same, before those of the others. */
static void behind_a_request_that_was_given_up_others_are_answered(void **state)
{
    (void)state;
    open_connection();
    send(0);
    assert_int_equal(step_transfer(0), CONNECTION_WAIT);
    connection_withdraw(&transfers[0]);
    assert_true(connection_can_pipeline(&connection, &origin));
    assert_false(
        connection_can_pipeline(&connection, &(struct regtag_origin){.host = "elsewhere.test"}));
    send(1);
    send(2);
    assert_int_equal(step_transfer(2), CONNECTION_WAIT);
    connection_begin_step(&connection);
    answers =
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n0HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n";
    assert_false(connection_idle(&connection));
    assert_int_equal(step_transfer(1), CONNECTION_HEAD);
    assert_int_equal(connection.response.status, 404);
    assert_int_equal(step_transfer(1), CONNECTION_END);
    connection_end(&connection);
}

/* Of two requests, of which so many bytes are sent, and both wait. */
static void give_up_the_first(size_t bytes)
{
    open_connection();
    send(0);
    room = bytes;
    assert_int_equal(step_transfer(0), CONNECTION_WAIT);
    send(1);
    assert_int_equal(step_transfer(1), CONNECTION_WAIT);
    connection_withdraw(&transfers[0]);
    connection_begin_step(&connection);
}

static void expect_the_second_lost(void)
{
    assert_int_equal(step_transfer(1), CONNECTION_LOST);
    assert_int_equal(connection.count, 0);
}

/* It takes those behind it along, and they are told that it was another one's. */
static void behind_a_request_that_was_given_up_others_are_lost_with_the_connection(void **state)
{
    static const ptrdiff_t ends[] = {REGTAG_IO_CLOSED, REGTAG_IO_FAILED};
    (void)state;
    for (size_t i = 0; i < COUNT(ends); i++) {
        give_up_the_first(SIZE_MAX);
        end = ends[i];
        expect_the_second_lost();
    }
}

/* Nothing of it may be taken for the answer to the next one. */
static void what_answers_a_request_that_was_given_up_oddly_ends_the_connection(void **state)
{
    static const char *const odd[] = {"SSH-2.0-OpenSSH\r\n\r\n",
                                      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"};
    (void)state;
    for (size_t early = 0; early < COUNT(odd); early++) {
        give_up_the_first(early ? 5 : SIZE_MAX);
        answers = odd[early];
        expect_the_second_lost();
    }
}

/* What follows it is sent on a new connection. */
static void a_request_that_was_given_up_unsent_does_not_follow_to_the_next_connection(void **state)
{
    (void)state;
    open_connection();
    room = 0;
    send(0);
    assert_int_equal(step_transfer(0), CONNECTION_WAIT);
    send(1);
    connection_withdraw(&transfers[0]);
    end = REGTAG_IO_CLOSED;
    assert_false(connection_idle(&connection));
    assert_true(connection.want_open);
    assert_int_equal(connection.count, 1);
    assert_ptr_equal(connection.queue[0].transfer, &transfers[1]);
    connection_end(&connection);
}

/* The caller has not opened the connection: what the transport has there is another one, or none. */
static void what_was_given_up_before_its_connection_was_opened_is_not_sent(void **state)
{
    (void)state;
    open_connection();
    send(0);
    send(1);
    connection.want_open = true;
    assert_int_equal(step_transfer(1), CONNECTION_WAIT);
    connection_withdraw(&transfers[0]);
    room = 100;
    connection_idle(&connection);
    assert_int_equal(room, 100);
    assert_true(connection.want_open);
    connection.want_open = false;
    assert_int_equal(step_transfer(1), CONNECTION_WAIT);
    assert_int_equal(room, 100 - header_size - 2);
    assert_true(transfers[1].sent);
    connection_end(&connection);
}

/* A server that greets, again and again, is listened to, but nothing more is sent to it. */
static void nothing_joins_where_the_server_speaks_unasked(void **state)
{
    (void)state;
    open_connection();
    send(0);
    send(1);
    for (unsigned greeting = 0; greeting < 2; greeting++) {
        assert_true(connection_can_pipeline(&connection, &origin));
        answers = "hello";
        assert_int_equal(step_transfer(1), CONNECTION_WAIT);
        assert_int_equal(connection.want_open, greeting == 0);
        connection.want_open = false;
    }
    assert_false(connection_can_pipeline(&connection, &origin));
    connection_end(&connection);
}

/* It is never sent in parts. */
static void a_header_that_does_not_fit_behind_another_waits(void **state)
{
    (void)state;
    open_connection();
    room = 0;
    send(0);
    assert_int_equal(step_transfer(0), CONNECTION_WAIT);
    send(1);
    size_t used = connection.out.used;
    header_size = sizeof connection.out_memory - 10;
    assert_int_equal(step_transfer(1), CONNECTION_WAIT);
    assert_int_equal(connection.out.used, used);
    room = SIZE_MAX;
    assert_int_equal(step_transfer(1), CONNECTION_WAIT);
    assert_true(transfers[0].sent && transfers[1].sent);
    connection_end(&connection);
}

/* ---- Exchanges ------------------------------------------------------------------------------- */

static struct wire registry; /* it and the client are too large for the stack */
static struct client client;
static struct connection connections[3];
static struct exchange exchanges[3];
static struct attempts tries[3];
static enum exchange_event events[3];

static void open_client(void)
{
    static const struct regtag_side side;
    static const struct regtag_origin home = {.host = "localhost", .port = 80, .registry = true};
    static const struct reference reference = {.repository = SLICE_INIT("a")};
    wire_init(&registry);
    wire_push(&registry, "base", OCI, NEW, sizeof NEW - 1);
    wire_push(&registry, "new", OCI, OLD, sizeof OLD - 1);
    memset(&config, 0, sizeof config);
    config.transport = wire_transport(&registry);
    memset(exchanges, 0, sizeof exchanges);
    client_init(&client, &config, &side, connections, 0, COUNT(connections));
    remote_turn_to(&client.remote, &home, &reference, "pull");
    remote_widen(&client.remote, 1);
}

static void close_client(void)
{
    client_end(&client);
    wire_free(&registry);
}

static void ask(unsigned number, enum method method, const char *tag, bool pipelined)
{
    const struct request q = {.method = method,
                              .place = PLACE_MANIFESTS,
                              .target = slice_of(tag),
                              .pipelined = pipelined,
                              .attempts = &tries[number]};
    events[number] = EXCHANGE_WAIT;
    client_begin(&client, &exchanges[number], &q);
}

static void step_exchanges(unsigned count)
{
    struct regtag_want want[WIRE_LINES] = {{.close = false}};
    struct slice part;
    client_begin_step(&client, registry.now, 60000);
    for (unsigned i = 0; i < count; i++)
        if (events[i] == EXCHANGE_WAIT)
            events[i] = client_step(&client, &exchanges[i], &part);
    client_end_step(&client, want, COUNT(connections));
    wire_obey(&registry, want);
    assert_null(registry.misuse);
}

/* The first of them may have a connection opened, and no time passes. */
static void take_steps(unsigned count)
{
    for (unsigned i = 0; i < 3; i++)
        step_exchanges(count);
}

static void quirk(unsigned number, const char *request, unsigned after, const char *answer)
{
    registry.quirk[number] = (struct wire_quirk){.request = request, .after = after, .instead = answer};
}

static void run_exchanges(void)
{
    while (registry.now < 5000 && (!events[0] || !events[1] || !events[2])) {
        step_exchanges(3);
        registry.now++;
    }
}

/* The registry closes it, and does not answer. */
static void lose(unsigned number)
{
    struct wire_line *line = &registry.line[number];
    line->out.size = line->out_at;
    line->ended = true;
}

static void expect_answers(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(events[i], EXCHANGE_END);
        assert_int_equal(exchanges[i].response->status, 200);
    }
}

/* Its connection is claimed by a request that goes alone; those on the other one are not disturbed. */
static void what_was_lost_on_an_idle_connection_joins_what_is_in_flight_on_another(void **state)
{
    (void)state;
    open_client();
    registry.manners.delay = 10;
    ask(0, METHOD_HEAD, "base", true);
    ask(1, METHOD_HEAD, "new", true);
    take_steps(2); /* both connections are opened, */
    registry.now = 10;
    take_steps(2); /* and idle now */
    expect_answers(2);
    ask(0, METHOD_HEAD, "base", true);
    ask(1, METHOD_HEAD, "new", true);
    ask(2, METHOD_GET, "base", false);
    take_steps(3);
    lose(0);
    take_steps(3);
    const struct wire_asked *last = &registry.taken[registry.taken_count - 1];
    assert_string_equal(last->method, "GET");
    assert_int_equal(last->connection, 0);
    assert_true(last->first);
    assert_string_equal(last[-1].reference, "base");
    assert_int_equal(last[-1].connection, 2);
    assert_true(last[-1].pipelined);
    registry.now = 20;
    take_steps(3);
    expect_answers(3);
    assert_int_equal(registry.connections, 3);
    assert_int_equal(registry.requests, 6);
    close_client();
}

/* Others have been stepped already when it is given up: sent, or before its connection is up. */
static void those_that_wait_for_a_request_that_is_given_up_go_on(void **state)
{
    (void)state;
    for (unsigned sent = 0; sent < 2; sent++) {
        open_client();
        registry.connecting = sent ? 0 : WIRE_NEVER;
        registry.manners.delay = 10;
        events[0] = EXCHANGE_END;
        ask(1, METHOD_GET, "base", false);
        take_steps(2);
        assert_int_equal(exchanges[1].transfer.sent, sent);
        ask(0, METHOD_GET, "new", false);
        step_exchanges(2);
        assert_true(client.context.wake > client.context.now);
        client_cancel(&client, &exchanges[1]);
        assert_int_equal(client.context.wake, client.context.now);
        close_client();
    }
}

/* It was stepped before the other one, whose answer made it the first. */
static void the_clock_of_a_request_starts_when_it_is_its_turn(void **state)
{
    (void)state;
    open_client();
    client.remote.in_use = 2;
    config.stall = 5000;
    registry.manners.delay = 10;
    quirk(0, "HEAD new", 0, "HTTP/1.1 200 OK\r\n" EMPTY);
    registry.quirk[0].delay = 9000;
    events[0] = EXCHANGE_END;
    ask(1, METHOD_HEAD, "base", true);
    take_steps(2);
    ask(0, METHOD_HEAD, "new", true);
    take_steps(2);
    assert_true(exchanges[0].transfer.pipelined);
    registry.now = 10;
    step_exchanges(2);
    assert_int_equal(events[1], EXCHANGE_END);
    assert_int_equal(events[0], EXCHANGE_WAIT);
    assert_true(client.context.wake < 10000);
    close_client();
}

/* Nobody waits for it: the connection is closed, and those behind it go out again. */
static void behind_a_request_that_was_given_up_and_is_not_answered_others_go_on(void **state)
{
    (void)state;
    open_client();
    client.remote.in_use = 2;
    config.stall = 5000;
    registry.manners.delay = 10;
    quirk(0, "HEAD base", 0, "");
    registry.quirk[0].delay = WIRE_NEVER / 2;
    events[2] = EXCHANGE_END;
    ask(1, METHOD_HEAD, "base", true);
    events[0] = EXCHANGE_END;
    take_steps(2);
    ask(0, METHOD_HEAD, "new", true);
    take_steps(2);
    assert_true(exchanges[0].transfer.pipelined);
    client_cancel(&client, &exchanges[1]);
    events[1] = EXCHANGE_END;
    step_exchanges(2);
    assert_true(client.context.wake <= 5000);
    run_exchanges();
    assert_true(registry.now < 5000);
    assert_int_equal(events[0], EXCHANGE_END);
    assert_int_equal(exchanges[0].response->status, 200);
    close_client();
}

/* That it was sent behind another one says nothing about a server that was not reached yet: it has the time of any other. */
static void behind_a_request_that_was_given_up_others_wait_for_the_connection(void **state)
{
    (void)state;
    for (unsigned opened = 0; opened < 2; opened++) {
        open_client();
        client.remote.in_use = 2;
        config.stall = 5000;
        registry.connecting = 3000;
        events[0] = events[2] = EXCHANGE_END;
        ask(1, METHOD_HEAD, "base", true);
        if (opened)
            take_steps(2);
        ask(0, METHOD_HEAD, "new", true);
        client_begin_step(&client, 0, 60000);
        for (unsigned i = 2; i-- > 0;)
            exchange_step(&exchanges[i], &(struct slice){NULL, 0});
        assert_true(exchanges[0].transfer.pipelined);
        client_cancel(&client, &exchanges[1]);
        events[1] = EXCHANGE_END;
        run_exchanges();
        expect_answers(1);
        assert_int_equal(registry.connections, 1);
        close_client();
    }
}

/* It was stepped before the one that found out that their connection has ended. */
static void what_is_lost_with_another_request_goes_out_again_at_once(void **state)
{
    (void)state;
    open_client();
    client.remote.in_use = 2;
    registry.manners.delay = 10;
    events[0] = events[2] = EXCHANGE_END;
    ask(1, METHOD_HEAD, "base", true);
    take_steps(2);
    ask(0, METHOD_HEAD, "new", true);
    take_steps(2);
    assert_true(exchanges[0].transfer.pipelined);
    lose(0);
    step_exchanges(2);
    assert_int_equal(events[1], EXCHANGE_FAILED);
    assert_int_equal(events[0], EXCHANGE_WAIT);
    assert_int_equal(client.context.wake, client.context.now);
    run_exchanges();
    expect_answers(1);
    close_client();
}

/* ---- Logins ---------------------------------------------------------------------------------- */

/* Whoever has waited for a login goes on, though what it was for was given up behind it in the same step. */
static void those_that_wait_for_a_login_that_is_given_up_go_on(void **state)
{
    (void)state;
    open_client();
    registry.manners.realm = "http://localhost/token";
    registry.manners.delay = 10;
    events[0] = EXCHANGE_END;
    ask(1, METHOD_HEAD, "base", false);
    take_steps(2);
    registry.now = 10;
    take_steps(2); /* the answer was 401, and a token is asked for */
    assert_ptr_equal(client.logging_in, &exchanges[1]);
    ask(0, METHOD_HEAD, "new", false);
    step_exchanges(2);
    assert_int_equal(client.context.wake, 60000);
    client_cancel(&client, &exchanges[1]);
    assert_int_equal(client.context.wake, client.context.now);
    close_client();
}

/* It waits for the connection, and then for the login, which is redirected, too. */
static void a_login_does_not_wait_for_a_redirect_that_waits_for_it(void **state)
{
    static const struct regtag_credentials credentials = {.user = "a", .password = "b"};
    (void)state;
    open_client();
    client.remote.auth.credentials = &credentials;
    registry.manners.delay = 10;
    wire_push(&registry, "old", OCI, OLD, sizeof OLD - 1);
    quirk(0, "HEAD new", 0, "HTTP/1.1 307 There\r\nLocation: /v2/a/manifests/base\r\n" EMPTY);
    quirk(1, "HEAD base", 0, "HTTP/1.1 401 No\r\n" EMPTY);
    quirk(2, "GET ", 0, "HTTP/1.1 301 There\r\nLocation: /v2\r\n" EMPTY);
    quirk(3, "GET ", 1, "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"x\"\r\n" EMPTY);
    registry.quirk[0].times = 9;
    ask(0, METHOD_HEAD, "new", false);
    ask(1, METHOD_HEAD, "base", true);
    ask(2, METHOD_HEAD, "old", false);
    run_exchanges();
    expect_answers(3);
    close_client();
}

/* Back from another server it waits for the connection that the token server needs. */
static void a_login_does_not_wait_for_a_connection_that_is_claimed_by_what_waits_for_it(void **state)
{
    (void)state;
    open_client();
    client.remote.in_use = 2;
    config.retries = 1;
    registry.manners.realm = "http://localhost/token";
    registry.manners.delay = 10;
    quirk(0, "HEAD new", 0, "HTTP/1.1 307 There\r\nLocation: http://elsewhere.test/x\r\n" EMPTY);
    quirk(1, "HEAD x", 0,
          "HTTP/1.1 307 There\r\nLocation: http://localhost/v2/a/manifests/new\r\n" EMPTY);
    quirk(2, "GET token", 0, "HTTP/1.1 503 Later\r\n" EMPTY);
    registry.quirk[1].delay = 15;
    events[2] = EXCHANGE_END;
    ask(0, METHOD_HEAD, "new", false);
    ask(1, METHOD_HEAD, "base", false);
    run_exchanges();
    expect_answers(2);
    close_client();
}

/* It has a token that has expired, and no use for another one: those that come later would wait for its login. */
static void what_is_in_vain_does_not_log_in(void **state)
{
    (void)state;
    open_client();
    client.remote.auth.scheme = AUTH_BEARER;
    snprintf(client.remote.auth.realm, sizeof client.remote.auth.realm, "http://localhost/token");
    client.remote.auth.refused = true;
    ask(0, METHOD_HEAD, "new", false);
    ask(1, METHOD_HEAD, "base", false);
    step_exchanges(2);
    assert_int_equal(events[0], EXCHANGE_FAILED);
    assert_int_equal(events[1], EXCHANGE_FAILED);
    assert_null(client.logging_in);
    close_client();
}

/* ---- Retries --------------------------------------------------------------------------------- */

static void nothing_is_tried_again_when_time_is_up(void **state)
{
    static struct remote remote;
    const struct error problem = {.status = REGTAG_E_NO_CONNECTION};
    (void)state;
    open_connection();
    config.retries = 9;
    remote.context = &context;
    for (uint64_t now = context.deadline - 1; now <= context.deadline + 1; now++) {
        struct attempts attempts = {.failed = 0};
        uint64_t resume;
        context.now = now;
        assert_false(retry_later(&remote, &attempts, &problem, 0, &resume));
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(behind_a_request_that_was_given_up_others_are_answered),
        cmocka_unit_test(behind_a_request_that_was_given_up_others_are_lost_with_the_connection),
        cmocka_unit_test(what_answers_a_request_that_was_given_up_oddly_ends_the_connection),
        cmocka_unit_test(a_request_that_was_given_up_unsent_does_not_follow_to_the_next_connection),
        cmocka_unit_test(what_was_given_up_before_its_connection_was_opened_is_not_sent),
        cmocka_unit_test(those_that_wait_for_a_request_that_is_given_up_go_on),
        cmocka_unit_test(the_clock_of_a_request_starts_when_it_is_its_turn),
        cmocka_unit_test(behind_a_request_that_was_given_up_and_is_not_answered_others_go_on),
        cmocka_unit_test(behind_a_request_that_was_given_up_others_wait_for_the_connection),
        cmocka_unit_test(what_is_lost_with_another_request_goes_out_again_at_once),
        cmocka_unit_test(a_login_does_not_wait_for_a_redirect_that_waits_for_it),
        cmocka_unit_test(a_login_does_not_wait_for_a_connection_that_is_claimed_by_what_waits_for_it),
        cmocka_unit_test(those_that_wait_for_a_login_that_is_given_up_go_on),
        cmocka_unit_test(what_is_in_vain_does_not_log_in),
        cmocka_unit_test(nothing_joins_where_the_server_speaks_unasked),
        cmocka_unit_test(a_header_that_does_not_fit_behind_another_waits),
        cmocka_unit_test(what_was_lost_on_an_idle_connection_joins_what_is_in_flight_on_another),
        cmocka_unit_test(nothing_is_tried_again_when_time_is_up),
    };
    return cmocka_run_group_tests_name("client", tests, NULL, NULL);
}
