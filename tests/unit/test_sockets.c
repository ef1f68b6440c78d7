/* src/embed: what the sockets make of their hooks, over no network but the loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "regtag_blocking.h"
#include "regtag_sha256.h"
#include "regtag_sockets.h"

#define ROOM REGTAG_POLL_ENTRIES(1)

/* What the hooks answer, and how often they were called. */
static struct {
    ptrdiff_t count;
    struct regtag_failure failure;
    const char *address;
    unsigned resolved, cancelled, ended;
    struct regtag_origin proxy;
} hooks;

static struct regtag_socket memory[1];
static struct regtag_sockets sockets;
static struct regtag_transport transport;

static ptrdiff_t resolve(void *context, unsigned connection, const struct regtag_origin *origin,
                         struct regtag_address *list, size_t room, int *fd, struct regtag_failure *f)
{
    (void)context;
    (void)connection;
    (void)origin;
    (void)fd;
    assert_true(room > 0);
    hooks.resolved++;
    if (hooks.address)
        regtag_address_parse(&list[0], hooks.address);
    if (hooks.failure.status)
        *f = hooks.failure;
    return hooks.count;
}

static void cancel(void *context, unsigned connection)
{
    (void)context;
    assert_int_equal(connection, 0);
    hooks.cancelled++;
}

static const struct regtag_origin *choose(void *context, unsigned connection,
                                          const struct regtag_origin *origin, struct regtag_failure *f)
{
    (void)context;
    (void)connection;
    (void)origin;
    (void)f;
    return &hooks.proxy;
}

/* The proxy need not stay any longer. */
static void end(void *context, unsigned connection)
{
    (void)context;
    (void)connection;
    hooks.ended++;
    memset(&hooks.proxy, 'x', sizeof hooks.proxy);
}

static int begin(void **state)
{
    (void)state;
    memset(&hooks, 0, sizeof hooks);
    memset(memory, 0, sizeof memory);
    memset(&sockets, 0, sizeof sockets);
    sockets.sockets = memory;
    sockets.count = 1;
    sockets.resolver.resolve = resolve;
    sockets.resolver.cancel = cancel;
    transport = regtag_sockets_transport(&sockets);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    regtag_sockets_close(&sockets);
    return 0;
}

static void use_proxy(const char *host, uint16_t port)
{
    strcpy(hooks.proxy.host, host);
    hooks.proxy.port = port;
    sockets.proxies.choose = choose;
    sockets.proxies.end = end;
}

/* One call with this want; returns how long to wait. */
static uint64_t apply(uint64_t now, const struct regtag_want *want)
{
    struct pollfd list[ROOM];
    uint64_t until = UINT64_MAX;
    regtag_sockets_apply(&sockets, now, want, list, ROOM, &until);
    return until;
}

static void open_at(uint64_t now, uint16_t port)
{
    struct regtag_origin origin = {.port = port, .host = "name.test"};
    struct regtag_want want = {.open = true, .origin = &origin};
    apply(now, &want);
}

static void go_on(uint64_t now)
{
    struct regtag_want want = {.read = true};
    apply(now, &want);
}

static ptrdiff_t read_byte(void)
{
    char byte;
    return transport.read(transport.context, 0, &byte, 1);
}

static struct regtag_failure failure(void)
{
    struct regtag_failure f = {.lasting = false};
    assert_int_equal(read_byte(), REGTAG_IO_FAILED);
    transport.failure(transport.context, 0, &f);
    return f;
}

/* A port of the loopback where nobody listens. */
static uint16_t dead_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t size = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &size), 0);
    close(fd);
    return ntohs(a.sin_port);
}

static void a_lookup_that_is_over_is_not_cancelled(void **state)
{
    static const ptrdiff_t counts[] = {0, REGTAG_IO_FAILED, 1};
    (void)state;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        hooks.count = counts[i];
        hooks.address = "127.0.0.1";
        open_at(1, dead_port());
        regtag_sockets_close(&sockets);
        assert_int_equal(hooks.cancelled, 0);
    }
    assert_int_equal(hooks.resolved, 3);
}

static void a_lookup_that_is_not_over_is_cancelled_once(void **state)
{
    (void)state;
    hooks.count = REGTAG_IO_AGAIN;
    open_at(1, 1);
    go_on(2);
    assert_int_equal(read_byte(), REGTAG_IO_AGAIN);
    assert_int_equal(hooks.cancelled, 0);
    regtag_sockets_close(&sockets);
    regtag_sockets_close(&sockets);
    assert_int_equal(hooks.cancelled, 1);
}

static void a_lookup_fails_for_its_own_reason(void **state)
{
    struct regtag_failure unknown = {
        .status = REGTAG_E_OTHER, .text = "it is lost", .hint = REGTAG_HINT_LIST, .lasting = true};
    (void)state;
    hooks.failure = unknown;
    open_at(1, 1);
    struct regtag_failure f = failure();
    assert_int_equal(f.status, REGTAG_E_OTHER);
    assert_string_equal(f.text, "it is lost");
    assert_int_equal(f.hint, REGTAG_HINT_LIST);
    assert_true(f.lasting);
}

static void a_name_of_a_proxy_is_told_from_that_of_the_registry(void **state)
{
    struct regtag_failure unknown = {.status = REGTAG_E_NO_CONNECTION, .text = "it is lost"};
    (void)state;
    use_proxy("proxy.test", 3128);
    hooks.failure = unknown;
    open_at(1, 1);
    assert_string_equal(failure().text, "the proxy proxy.test:3128: it is lost");
    assert_int_equal(hooks.ended, 1);

    use_proxy("proxy.test", 3128);
    sockets.resolver.resolve = NULL;
    open_at(2, 1);
    assert_string_equal(failure().text, "the proxy proxy.test:3128: not a numeric address");
    assert_int_equal(hooks.ended, 2);
}

static void a_proxy_that_cannot_be_reached_is_named(void **state)
{
    char expected[128];
    uint16_t port = dead_port();
    (void)state;
    hooks.count = 1;
    hooks.address = "127.0.0.1";
    use_proxy("::1", port);
    open_at(1, 1);
    for (uint64_t now = 2; read_byte() == REGTAG_IO_AGAIN; now++)
        go_on(now);
    snprintf(expected, sizeof expected, "the proxy [::1]:%u: could not be reached at 127.0.0.1: %s",
             (unsigned)port, strerror(ECONNREFUSED));
    struct regtag_failure f = failure();
    assert_int_equal(f.status, REGTAG_E_NO_CONNECTION);
    assert_string_equal(f.text, expected);
    assert_int_equal(hooks.ended, 1);
}

/* ---- Calls ----------------------------------------------------------------------------------- */

#define TOKEN "a-token-that-is-sent"

static size_t count_token(const char *bytes, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i + sizeof TOKEN - 1 <= size; i++)
        count += memcmp(bytes + i, TOKEN, sizeof TOKEN - 1) == 0;
    return count;
}

/* A process with a registry that has nothing. */
static pid_t serve_nothing(uint16_t *port)
{
    static const char NONE[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t size = sizeof a;
    char request[4096];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, size), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &size), 0);
    *port = ntohs(a.sin_port);
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        int peer = accept(fd, NULL, NULL);
        while (read(peer, request, sizeof request) > 0 && write(peer, NONE, sizeof NONE - 1) > 0)
            ;
        _exit(0);
    }
    close(fd);
    return child;
}

static size_t held; /* how often the memory had the token at the event */

static bool abandon(void *context, enum regtag_event event, const struct regtag_result *result)
{
    const struct regtag_call *call = context;
    (void)event;
    (void)result;
    held = count_token(call->memory, call->size);
    return false;
}

/* Also where connections are kept: nothing can follow an operation that is not over. */
static void a_call_that_is_abandoned_keeps_neither_secrets_nor_connections(void **state)
{
    enum { MANIFEST = 4096, TOKENS = 64 };
    static uint64_t operation[REGTAG_SIZE(MANIFEST, TOKENS, 2) / sizeof(uint64_t)];
    static struct regtag_socket two[2];
    static struct regtag_sockets both = {.sockets = two, .count = 2};
    static const char *const NAMES[] = {"new"};
    struct regtag_sha256_context hash;
    (void)state;
    for (int keep = 0; keep < 2; keep++) {
        uint16_t port;
        char image[64];
        pid_t server = serve_nothing(&port);
        struct regtag_config config = {.size = sizeof config,
                                       .hash = regtag_sha256(&hash),
                                       .transport = regtag_sockets_transport(&both),
                                       .timeout = 60000,
                                       .credentials = {.bearer_token = TOKEN},
                                       .manifest_max = MANIFEST,
                                       .tokens_max = TOKENS,
                                       .keep = keep};
        struct regtag_call call = {.memory = operation,
                                   .size = sizeof operation,
                                   .config = &config,
                                   .sockets = &both,
                                   .on_event = abandon,
                                   .event_context = &call};
        both.resolver = regtag_blocking_resolver();
        snprintf(image, sizeof image, "127.0.0.1:%u/a:base", port);
        assert_int_equal(regtag_call_tag(&call, image, NAMES, 1), REGTAG_E_NOT_FOUND);
        assert_true(held > 0);
        assert_int_equal(count_token((char *)operation, sizeof operation), 0);
        int status;
        assert_int_equal(waitpid(server, &status, 0), server);
        assert_int_equal(status, 0); /* it ends with the connection */
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_lookup_that_is_over_is_not_cancelled, begin, finish),
        cmocka_unit_test_setup_teardown(a_lookup_that_is_not_over_is_cancelled_once, begin, finish),
        cmocka_unit_test_setup_teardown(a_lookup_fails_for_its_own_reason, begin, finish),
        cmocka_unit_test_setup_teardown(a_name_of_a_proxy_is_told_from_that_of_the_registry, begin,
                                        finish),
        cmocka_unit_test_setup_teardown(a_proxy_that_cannot_be_reached_is_named, begin, finish),
        cmocka_unit_test(a_call_that_is_abandoned_keeps_neither_secrets_nor_connections),
    };
    return cmocka_run_group_tests_name("sockets", tests, NULL, NULL);
}
