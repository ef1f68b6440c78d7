/* src/client: requests that are given up, whatever becomes of their answers: what follows them on the connection is answered
 * with what it asks for, on this connection or another one. */
#include "run.h"

#define FIRST "the bytes of the first layer"
#define SECOND "those of the second one"
#define PART "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345"

static struct run run; /* too large for the stack */
static char first[72], request[80];
static char bytes[200];
static size_t size;

/* ---- Two layers, of which the first is given up ---------------------------------------------- */

static void prepare(void)
{
    char manifest[1000];
    begin(&run);
    run.fetches = true;
    snprintf(first, sizeof first, "%s", wire_push_blob(&run.wire, FIRST, sizeof FIRST - 1, NULL));
    const char *second = wire_push_blob(&run.wire, SECOND, sizeof SECOND - 1, NULL);
    int used = snprintf(manifest, sizeof manifest,
                        "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":["
                        "{\"mediaType\":\"x/y\",\"size\":%zu,\"digest\":\"%s\"},"
                        "{\"mediaType\":\"x/y\",\"size\":%zu,\"digest\":\"%s\"}]}",
                        sizeof FIRST - 1, first, sizeof SECOND - 1, second);
    wire_push(&run.wire, "layers", OCI, manifest, (size_t)used);
    snprintf(request, sizeof request, "GET %s", first);
    run.wire.quirk[0].request = request;
    size = 0;
}

static void step_to(enum regtag_event event)
{
    while (step(&run) && run.end != event)
        if (run.end == REGTAG_BYTES) {
            uint64_t at;
            size_t count;
            const void *part = regtag_bytes(run.regtag, &at, &count);
            assert_true(at == size && size + count <= sizeof bytes);
            memcpy(bytes + size, part, count);
            size += count;
        }
    assert_int_equal(run.end, event);
}

/* The answer to the first one is still to come. */
static void choose_first(void)
{
    assert_int_equal(regtag_fetch(run.regtag, "localhost/a:layers"), REGTAG_OK);
    step_to(REGTAG_CHOOSE);
    regtag_choose(run.regtag, 0);
}

static void give_up_first(void)
{
    regtag_decline(run.regtag, "it is not wanted any more");
    step_to(REGTAG_SETTLED);
    step_to(REGTAG_CHOOSE);
    regtag_choose(run.regtag, 1);
}

static void expect_second(const char *what)
{
    step_to(REGTAG_SETTLED);
    if (run.status[1] != REGTAG_OK || size != sizeof SECOND - 1 || memcmp(bytes, SECOND, size) != 0)
        fail_msg("%s: status %d, %zu bytes", what, run.status[1], size);
    step_to(REGTAG_CHOOSE);
    assert_false(step(&run) && step(&run));
    assert_int_equal(regtag_error(run.regtag, NULL), REGTAG_E_OTHER); /* the first one */
    finish(&run);
}

/* ---- Answers that nobody wants --------------------------------------------------------------- */

static const struct {
    const char *what, *answer; /* NULL: as usual */
    enum wire_ending ending;
    unsigned connections; /* in the end */
} late[] = {
    {"it is read, and the connection goes on", NULL, WIRE_STAYS, 1},
    {"it ends with the connection", "HTTP/1.1 200 OK\r\n\r\nall", WIRE_CLOSES, 2},
    {"it is none", "SSH-2.0-OpenSSH\r\n", WIRE_STAYS, 2},
    {"it is of TLS", "\x15\x03\x03", WIRE_CLOSES, 2},
    {"its header is cut off", "HTTP/1.1 200 OK\r\nContent-", WIRE_CLOSES, 2},
    {"its body is cut off", PART, WIRE_CLOSES, 2},
    {"its body is torn off", PART, WIRE_RESETS, 2},
    {"the connection ends without it", "", WIRE_CLOSES, 2},
    {"the connection breaks without it", "", WIRE_RESETS, 2},
};

static ptrdiff_t (*read_whole)(void *context, unsigned connection, void *bytes, size_t size);

/* As of TLS, where nobody has said that this is the end. */
static ptrdiff_t read_cut(void *context, unsigned connection, void *to, size_t room)
{
    ptrdiff_t n = read_whole(context, connection, to, room);
    return n == REGTAG_IO_CLOSED ? REGTAG_IO_CUT : n;
}

static void an_answer_that_is_not_wanted_is_nobodys(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(late); i++) {
        prepare();
        run.wire.quirk[0].instead = late[i / 2].answer;
        run.wire.quirk[0].ending = late[i / 2].ending;
        run.wire.quirk[0].delay = 100;
        read_whole = run.config.transport.read;
        if (i % 2)
            run.config.transport.read = read_cut;
        begin_again(&run);
        choose_first();
        run.impatient = true;
        step(&run);
        run.impatient = false;
        give_up_first();
        expect_second(late[i / 2].what);
    }
}

/* A long one would take longer than another connection. */
static void a_long_answer_is_not_waited_for(void **state)
{
    static char answer[70100];
    (void)state;
    prepare();
    snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n%070000d", 0);
    run.wire.quirk[0].instead = answer;
    run.wire.quirk[0].delay = 100;
    choose_first();
    step(&run);
    give_up_first();
    expect_second("a long answer");
}

/* Up to 64 KiB, its connection is worth more. */
static void a_short_answer_is_read_to_its_end(void **state)
{
    static char answer[70000];
    (void)state;
    for (unsigned more = 0; more < 2; more++) {
        prepare();
        snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Length: %u\r\n\r\n%0*d",
                 65536 + more, (int)(65536 + more), 0);
        run.wire.quirk[0].instead = answer;
        run.wire.quirk[0].delay = 100;
        choose_first();
        step(&run);
        give_up_first();
        step_to(REGTAG_SETTLED);
        assert_int_equal(run.status[1], REGTAG_OK);
        assert_int_equal(run.wire.connections, 1 + more);
        finish(&run);
    }
}

/* Two seconds, or until the time is up. */
static void an_answer_that_never_comes_is_waited_for_a_while(void **state)
{
    (void)state;
    for (unsigned hurry = 0; hurry < 2; hurry++) {
        prepare();
        run.wire.quirk[0].instead = "";
        run.config.timeout = hurry ? 1000 : TIMEOUT;
        begin_again(&run);
        choose_first();
        run.impatient = true;
        step(&run);
        run.impatient = false;
        uint64_t since = run.wire.now;
        give_up_first();
        if (!hurry) {
            expect_second("no answer");
            continue;
        }
        step_to(REGTAG_SETTLED);
        assert_int_equal(run.status[1], REGTAG_E_TIMEOUT);
        assert_true(run.wire.now - since <= 1000);
        finish(&run);
    }
}

/* ---- Requests that were not sent ------------------------------------------------------------- */

static void answer_is_not_heard_yet(struct wire_line *c)
{
    c->speak_at = run.wire.now + 100;
    run.wire.early = (struct wire_early){
        .method = "GET", .at = 20, .times = 1, .text = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"};
}

static void nothing_is_taken(struct wire_line *c)
{
    c->blocked = true;
}

static void ends(struct wire_line *c)
{
    c->blocked = false;
    c->ended = true;
}

static void breaks(struct wire_line *c)
{
    ends(c);
    c->dead = true;
}

static void speaks(struct wire_line *c)
{
    c->blocked = false;
    wire_say(&run.wire, 0, "HTTP/1.1 408 Too slow\r\nContent-Length: 0\r\n\r\n");
}

static void goes_on(struct wire_line *c)
{
    c->blocked = false;
}

static const struct {
    const char *what;
    void (*before)(struct wire_line *c), (*after)(struct wire_line *c);
} unsent[] = {
    {"the answer has come before the request", answer_is_not_heard_yet, goes_on},
    {"the connection takes it in the end", nothing_is_taken, goes_on},
    {"the connection ends", nothing_is_taken, ends},
    {"the connection breaks", nothing_is_taken, breaks},
    {"the server speaks unasked", nothing_is_taken, speaks},
};

/* The blob that is chosen, after one step. */
static void decline_at_once(void)
{
    run.impatient = true;
    step(&run);
    run.impatient = false;
    assert_int_equal(run.end, REGTAG_WAIT);
    regtag_decline(run.regtag, "it is not wanted any more");
    step_to(REGTAG_SETTLED);
    step_to(REGTAG_CHOOSE);
}

static void a_request_that_was_given_up_unsent_is_in_nobodys_way(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(unsent); i++) {
        prepare();
        run.wire.quirk[0].request = NULL;
        choose_first();
        unsent[i].before(&run.wire.line[0]);
        decline_at_once();
        unsent[i].after(&run.wire.line[0]);
        regtag_choose(run.regtag, 1);
        expect_second(unsent[i].what);
    }
}

/* The server greets, as only other servers do, or breaks the first connection. */
static void one_that_was_given_up_while_connecting_is_in_nobodys_way(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        char blob[100];
        prepare();
        run.wire.quirk[0].request = NULL;
        run.wire.connecting = 500;
        run.wire.manners.greeting = "HTTP/1.1 408 Too slow\r\nContent-Length: 0\r\n\r\n";
        run.wire.manners.greet = i < 2;
        run.wire.manners.ends_on_greeting = i == 1;
        run.wire.refused = i == 2;
        run.config.retries = 1;
        begin_again(&run);
        snprintf(blob, sizeof blob, "localhost/a@%s", first);
        assert_int_equal(regtag_fetch_blob(run.regtag, blob), REGTAG_OK);
        step_to(REGTAG_CHOOSE);
        regtag_choose(run.regtag, 0);
        decline_at_once();
        regtag_choose(run.regtag, 0);
        step_to(REGTAG_SETTLED);
        assert_int_equal(run.status[1], REGTAG_OK);
        assert_int_equal(size, sizeof FIRST - 1);
        finish(&run);
    }
}

/* ---- An early answer behind one in time ------------------------------------------------------- */

static struct regtag_transport whole; /* which takes any number of bytes */

/* Takes no more than the rest of a header. */
static ptrdiff_t write_header(void *context, unsigned connection, const void *header, size_t length)
{
    const char *text = header;
    for (size_t i = 4; i < length; i++)
        if (memcmp(text + i - 4, "\r\n\r\n", 4) == 0)
            length = i;
    return whole.write(context, connection, header, length);
}

/* Both are read at once, and what is missing of the second request is sent before the first answer is over. The registry
 * answers it again then, which is no answer to the next one. */
static void an_answer_too_early_behind_another_ends_the_connection(void **state)
{
    static const char *const names[] = {"n1", "n2", "n3"};
    (void)state;
    begin(&run);
    whole = run.config.transport;
    run.config.transport.write = write_header;
    begin_again(&run);
    wire_push(&run.wire, "n1", OCI, OLD, sizeof OLD - 1);
    run.wire.quirk[0] = (struct wire_quirk){.request = "HEAD n3", .delay = 300};
    run.wire.early = (struct wire_early){.method = "HEAD",
                                         .at = 10,
                                         .text = "HTTP/1.1 404 None\r\nContent-Length: 0\r\n\r\n",
                                         .times = 1};
    assert_int_equal(regtag_tag(run.regtag, "localhost/a:base", names, COUNT(names)), REGTAG_OK);
    run_on(&run);
    assert_int_equal(run.wire.early.times, 0);
    assert_int_equal(run.outcome[1], REGTAG_TAG_CREATED);
    assert_int_equal(run.outcome[2], REGTAG_TAG_CREATED);
    assert_int_equal(run.wire.connections, 2);
    finish(&run);
}

#define CHALLENGE                                                                                       \
    "HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer realm=\"http://localhost/token\"\r\n"                  \
    "Content-Length: 0\r\n\r\n"

/* The first layer wants a token, which takes its time; the second one does not wait for it. */
static void a_login_that_is_not_needed_any_more_is_given_up(void **state)
{
    (void)state;
    prepare();
    run.wire.quirk[0].instead = CHALLENGE;
    run.wire.quirk[1] = (struct wire_quirk){.request = "GET token", .delay = 1000};
    choose_first();
    run.impatient = true;
    while (!strstr(run.wire.asked.data, "GET token"))
        step(&run);
    run.impatient = false;
    give_up_first();
    expect_second("a login");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_login_that_is_not_needed_any_more_is_given_up),
        cmocka_unit_test(an_answer_that_is_not_wanted_is_nobodys),
        cmocka_unit_test(a_long_answer_is_not_waited_for),
        cmocka_unit_test(a_short_answer_is_read_to_its_end),
        cmocka_unit_test(an_answer_that_never_comes_is_waited_for_a_while),
        cmocka_unit_test(a_request_that_was_given_up_unsent_is_in_nobodys_way),
        cmocka_unit_test(one_that_was_given_up_while_connecting_is_in_nobodys_way),
        cmocka_unit_test(an_answer_too_early_behind_another_ends_the_connection),
    };
    return cmocka_run_group_tests_name("withdrawn", tests, NULL, NULL);
}
