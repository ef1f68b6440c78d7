/* A herd of devices that watch one tag, and what their registry gets to feel of it. Time is virtual: a queue of events. Each
 * device has an operation of the library and a schedule and an outage of the command's; the registry answers in bytes.
 *
 *   herd [--sample] [--case ID] [--devices N] [--curve]
 *
 * The rule: after each thing that happens, the time with more than twice the requests of the steady state adds up to one
 * interval at most; in the end everybody has the new digest; and nobody has said more than two lines about an outage. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cli/options.h"
#include "cli/outage.h"
#include "cli/output.h"
#include "cli/schedule.h"
#include "regtag.h"
#include "regtag_sha256.h"
#include "regtag_sockets.h"

#define SECOND ((uint64_t)1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define INTERVAL (INTERVAL_DEFAULT * SECOND)
#define BINS 12    /* an interval is divided into so many, */
#define LATENCY 20 /* milliseconds to an answer, and up to three times as much */
#define SEEDS 2    /* of each scene, with a smaller herd */
#define DEVICES 100000
#define DEVICES_SEEDS 10000
#define DEVICES_SAMPLE 1000
#define IMAGE "registry.test/agent:stable"
#define PAGE 4096u

/* ---- Scenes ---------------------------------------------------------------------------------- */

/* What the registry does from one time to another; it is well before and after that. */
enum way {
    WELL,
    REFUSES,    /* connections, and resets those that it has */
    FAILS,      /* 503 */
    IS_SILENT,  /* takes requests, and answers those that still wait when it is well again */
    LIMITS,     /* 429 with Retry-After: `pause` */
    LIMITS_ALL, /* 429 with a Retry-After that ends for all when it is well again */
};

struct scene {
    const char *name;
    enum way way;
    uint64_t interval;
    uint64_t from, to;
    uint64_t end; /* everybody has to have the new digest by then */
    uint64_t pause;
    uint64_t move; /* when the tag moves; 0: never */
    bool together; /* all boot at 0, and not in the course of an interval */
    unsigned
        most; /* twelfths of an interval with more than twice the steady rate; 0: an interval, as the rule says */
    bool whole; /* with all devices, and not only with the smaller herd */
};

/* The longest backoff with its jitter. */
#define BACK (15 * MINUTE * 3 / 2)

/* It begins when the devices have scattered. */
#define FROM(interval_, length)                                                                         \
    .interval = (interval_), .from = 3 * (interval_), .to = 3 * (interval_) + (length),                 \
    .move = 3 * (interval_) + (length) / 2
#define OUTAGE(length) FROM(INTERVAL, length), .end = 3 * INTERVAL + (length) + BACK
#define SHORT(length) FROM(INTERVAL, length), .end = 3 * INTERVAL + (length) + 6 * INTERVAL
#define BOOT .interval = INTERVAL, .together = true

static const struct scene SCENES[] = {
    {.name = "steady", .interval = INTERVAL, .end = 10 * INTERVAL, .whole = true},
    {.name = "move",
     .interval = INTERVAL,
     .move = 3 * INTERVAL,
     .end = 3 * INTERVAL + 90 * SECOND,
     .whole = true},
    {.name = "boot", BOOT, .move = INTERVAL, .end = 10 * INTERVAL, .whole = true},
    {.name = "boot-refused",
     BOOT,
     .way = REFUSES,
     .to = 10 * MINUTE,
     .move = MINUTE,
     .end = 10 * MINUTE + BACK},
    {.name = "boot-fails",
     BOOT,
     .way = FAILS,
     .to = 10 * MINUTE,
     .move = MINUTE,
     .end = 10 * MINUTE + BACK},
    {.name = "boot-silent",
     BOOT,
     .way = IS_SILENT,
     .to = 50 * SECOND,
     .move = SECOND,
     .end = 10 * INTERVAL},
    {.name = "boot-limit",
     BOOT,
     .way = LIMITS_ALL,
     .to = 10 * MINUTE,
     .move = SECOND,
     .end = 16 * MINUTE},
    {.name = "boot-limit-soon",
     BOOT,
     .way = LIMITS_ALL,
     .to = 30 * SECOND,
     .move = SECOND,
     .end = 10 * INTERVAL,
     .most = 1}, /* booting itself */
    {.name = "minute-refused", .way = REFUSES, SHORT(MINUTE), .whole = true},
    {.name = "minute-fails", .way = FAILS, SHORT(MINUTE)},
    {.name = "minute-silent", .way = IS_SILENT, SHORT(MINUTE)},
    {.name = "seconds-silent", .way = IS_SILENT, SHORT(15 * SECOND)},
    {.name = "hour-refused", .way = REFUSES, OUTAGE(HOUR), .whole = true},
    {.name = "hour-fails", .way = FAILS, OUTAGE(HOUR)},
    {.name = "hour-silent", .way = IS_SILENT, OUTAGE(HOUR)},
    {.name = "days-refused",
     .way = REFUSES,
     FROM(HOUR, 3 * DAY),
     .end = 3 * DAY + 5 * HOUR,
     .whole = true},
    {.name = "days-fails", .way = FAILS, FROM(HOUR, 3 * DAY), .end = 3 * DAY + 5 * HOUR},
    {.name = "limit-short", .way = LIMITS, .pause = 5 * SECOND, OUTAGE(10 * MINUTE)},
    {.name = "limit-long", .way = LIMITS, .pause = 10 * MINUTE, OUTAGE(20 * MINUTE)},
    {.name = "limit-until", .way = LIMITS_ALL, SHORT(10 * MINUTE), .whole = true},
    {.name = "limit-until-soon", .way = LIMITS_ALL, SHORT(30 * SECOND)},
};

#define SCENES_COUNT (sizeof SCENES / sizeof SCENES[0])

/* ---- The world ------------------------------------------------------------------------------- */

struct line {
    bool open, refused;
    uint64_t since, arrival; /* of the connection; of the answer: UINT64_MAX: there is none */
    unsigned size, taken;    /* of the answer */
    char answer[400];
};

struct device {
    struct regtag *operation;
    struct schedule schedule;
    struct outage outage;
    struct line line; /* to the registry: no other one is needed */
    uint64_t begun;
    unsigned retries;
    unsigned said; /* lines about the outage */
    bool polling;
    const char *has; /* a digest, or NULL */
};

struct event {
    uint64_t at;
    unsigned device;
};

static const char *const DIGESTS[] = {
    "sha256:1111111111111111111111111111111111111111111111111111111111111111",
    "sha256:2222222222222222222222222222222222222222222222222222222222222222",
};

static const struct scene *scene;
static unsigned count;
static struct device *devices, *current;
static struct event *heap; /* one for each device, the next one first */
static unsigned char *memory;
static size_t stride;
static uint64_t now, random_state;
static struct regtag_sha256_context hash;
static unsigned *bins; /* requests, and attempts to connect that were refused */
static uint64_t served_last;

static uint64_t bin_size(void)
{
    return scene->interval / BINS;
}

static void *need(void *p)
{
    if (!p || p == MAP_FAILED) {
        perror("herd");
        exit(2);
    }
    return p;
}

/* splitmix64 */
static uint64_t draw(void)
{
    uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static int random_fill(void *context, void *bytes, size_t size)
{
    uint64_t number = draw();
    (void)context;
    memcpy(bytes, &number, size < sizeof number ? size : sizeof number);
    return size > sizeof number;
}

/* What outage.c asks for. */
uint64_t regtag_clock(void)
{
    return now;
}

void output_error(const char *text)
{
    (void)text;
    current->said++;
}

/* ---- The registry ---------------------------------------------------------------------------- */

static enum way way_at(uint64_t time)
{
    return time >= scene->from && time < scene->to ? scene->way : WELL;
}

static const char *digest_at(uint64_t time)
{
    return DIGESTS[scene->move && time >= scene->move];
}

static void note_request(void)
{
    bins[now / bin_size()]++;
}

static void answer(struct line *l, uint64_t at, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int size = vsnprintf(l->answer, sizeof l->answer, format, list);
    va_end(list);
    if (size < 0 || (size_t)size >= sizeof l->answer)
        abort();
    l->size = (unsigned)size;
    l->taken = 0;
    l->arrival = at + LATENCY + draw() % (2 * LATENCY);
}

static void answer_well(struct line *l, uint64_t at, const char *request)
{
    const char *digest = digest_at(at);
    if (strstr(request, digest))
        answer(l, at, "HTTP/1.1 304 Not Modified\r\nDocker-Content-Digest: %s\r\nETag: \"%s\"\r\n\r\n",
               digest, digest);
    else
        answer(
            l, at,
            "HTTP/1.1 200 OK\r\nContent-Length: 528\r\nContent-Type: application/vnd.oci.image.manifest.v1+json\r\n"
            "Docker-Content-Digest: %s\r\nDocker-Distribution-Api-Version: registry/2.0\r\nETag: \"%s\"\r\n\r\n",
            digest, digest);
}

static void answer_limit(struct line *l, uint64_t pause)
{
    answer(l, now, "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\nRetry-After: %llu\r\n\r\n",
           (unsigned long long)((pause + SECOND - 1) / SECOND));
}

static void respond(struct line *l, const char *request)
{
    note_request();
    switch (way_at(now)) {
    case FAILS: answer(l, now, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"); break;
    case LIMITS: answer_limit(l, scene->pause); break;
    case LIMITS_ALL: answer_limit(l, scene->to - now); break;
    case IS_SILENT: answer_well(l, scene->to, request); break;
    default: answer_well(l, now, request); break;
    }
}

/* ---- The way to it --------------------------------------------------------------------------- */

static bool is_broken(const struct line *l)
{
    return l->refused || (way_at(now) == REFUSES && l->since < scene->from);
}

static void open_line(struct line *l)
{
    l->open = true;
    l->since = now;
    l->arrival = UINT64_MAX;
    l->refused = way_at(now) == REFUSES;
    if (l->refused)
        note_request();
}

static ptrdiff_t line_read(void *context, unsigned connection, void *bytes, size_t size)
{
    struct line *l = context;
    if (connection || !l->open)
        return REGTAG_IO_CLOSED;
    if (is_broken(l))
        return REGTAG_IO_FAILED;
    if (l->arrival > now)
        return REGTAG_IO_AGAIN;
    size_t left = l->size - l->taken;
    size = size < left ? size : left;
    memcpy(bytes, l->answer + l->taken, size);
    l->taken += (unsigned)size;
    if (l->taken == l->size)
        l->arrival = UINT64_MAX;
    return (ptrdiff_t)size;
}

/* A request comes in one piece: the library writes it into a buffer first. */
static ptrdiff_t line_write(void *context, unsigned connection, const void *bytes, size_t size)
{
    char request[4096];
    struct line *l = context;
    if (connection || !l->open || is_broken(l))
        return REGTAG_IO_FAILED;
    if (size < 4 || size >= sizeof request || memcmp((const char *)bytes + size - 4, "\r\n\r\n", 4) != 0)
        abort();
    memcpy(request, bytes, size);
    request[size] = '\0';
    respond(l, request);
    return (ptrdiff_t)size;
}

static void line_failure(void *context, unsigned connection, struct regtag_failure *f)
{
    (void)context;
    (void)connection;
    f->status = REGTAG_E_NO_CONNECTION;
    f->text = "could not be reached";
}

/* ---- A device: what cli/verb_watch.c does ---------------------------------------------------- */

static struct regtag_config config_for(struct device *d)
{
    struct regtag_config config;
    memset(&config, 0, sizeof config);
    config.size = sizeof config;
    config.hash = regtag_sha256(&hash);
    config.transport.context = &d->line;
    config.transport.read = line_read;
    config.transport.write = line_write;
    config.transport.failure = line_failure;
    config.random.bytes = random_fill;
    config.timeout = 60 * SECOND;
    config.stall = STALL_DEFAULT * SECOND;
    config.scheme = REGTAG_SCHEME_PLAIN;
    config.manifest_max = 1024;
    config.tokens_max = 16;
    config.keep = true;
    config.retries = d->retries = schedule_retries(&d->schedule, RETRIES_DEFAULT);
    return config;
}

static void begin_poll(struct device *d)
{
    d->begun = now;
    d->polling = true;
    if (d->operation && d->retries == schedule_retries(&d->schedule, RETRIES_DEFAULT)) {
        regtag_again(d->operation, d->has);
        return;
    }
    struct regtag_config config = config_for(d);
    if (!d->operation)
        d->operation = need(regtag_init(memory + (size_t)(d - devices) * stride, stride, &config));
    else if (!regtag_next(d->operation, &config))
        abort();
    if (regtag_digest(d->operation, IMAGE) != REGTAG_OK)
        abort();
}

static void take_answer(struct device *d)
{
    const char *digest = regtag_result(d->operation)->digest;
    outage_on_success(&d->outage, IMAGE, "answers again", false);
    schedule_on_answer(&d->schedule, now - d->begun);
    const char *has = DIGESTS[strcmp(digest, DIGESTS[1]) == 0];
    if (strcmp(digest, has) != 0)
        abort();
    if (d->has != has)
        served_last = now;
    d->has = has;
}

static void take_failure(struct device *d, int status)
{
    schedule_on_failure(&d->schedule);
    if (outage_on_failure(&d->outage, status))
        d->said++;
}

/* When the next poll is. */
static uint64_t end_poll(struct device *d)
{
    enum regtag_status status = regtag_error(d->operation, NULL);
    d->polling = false;
    if (status == REGTAG_OK)
        take_answer(d);
    else
        take_failure(d, (int)status);
    uint64_t wait = schedule_wait(&d->schedule, regtag_pause(d->operation), (uint16_t)draw());
    if (wait > SCHEDULE_IDLE_MAX)
        d->line.open = false;
    return now + wait;
}

/* Whether the operation is over; else *next is when to go on. */
static bool step(struct device *d, uint64_t *next)
{
    struct regtag_want want[REGTAG_CONNECTIONS_MIN];
    for (;;) {
        enum regtag_event event = regtag_step(d->operation, now, want, REGTAG_CONNECTIONS_MIN);
        if (want[0].close)
            d->line.open = false;
        if (event != REGTAG_WAIT)
            return true;
        if (want[0].open)
            open_line(&d->line);
        else
            break;
    }
    *next = regtag_until(d->operation);
    if (d->line.open && d->line.arrival < *next)
        *next = d->line.arrival;
    if (d->line.open && is_broken(&d->line))
        *next = now;
    return false;
}

static uint64_t run_device(struct device *d)
{
    uint64_t next;
    current = d;
    if (!d->polling)
        begin_poll(d);
    return step(d, &next) ? end_poll(d) : next;
}

/* ---- The herd -------------------------------------------------------------------------------- */

static void sink(unsigned i)
{
    struct event moved = heap[i];
    for (unsigned child = 2 * i + 1; child < count; child = 2 * i + 1) {
        child += child + 1 < count && heap[child + 1].at < heap[child].at;
        if (moved.at <= heap[child].at)
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = moved;
}

static uint64_t bins_of(const struct scene *s)
{
    return s->end * BINS / s->interval + 1;
}

static void set_up(const struct scene *s, unsigned seed)
{
    scene = s;
    now = served_last = 0;
    random_state = seed;
    memset(devices, 0, count * sizeof *devices);
    memset(bins, 0, bins_of(s) * sizeof *bins);
    for (unsigned i = 0; i < count; i++) {
        devices[i].schedule.interval = s->interval;
        devices[i].schedule.jitter = JITTER_DEFAULT;
        heap[i].at = s->together ? draw() % SECOND : draw() % s->interval;
        heap[i].device = i;
    }
    for (unsigned i = count / 2 + 1; i-- > 0;)
        sink(i);
}

static void play(void)
{
    while (heap[0].at < scene->end) {
        now = heap[0].at;
        heap[0].at = run_device(&devices[heap[0].device]);
        sink(0);
    }
}

/* ---- The rule -------------------------------------------------------------------------------- */

/* In a part of an interval; 1: as in the steady state, where each device has one request in each interval. */
static double rate(uint64_t bin)
{
    return (double)bins[bin] * BINS / count;
}

static unsigned behind(void)
{
    unsigned found = 0;
    for (unsigned i = 0; i < count; i++)
        found += devices[i].has != digest_at(scene->end);
    return found;
}

static unsigned most_said(void)
{
    unsigned most = 0;
    for (unsigned i = 0; i < count; i++)
        most = devices[i].said > most ? devices[i].said : most;
    return most;
}

struct verdict {
    double highest;
    unsigned excess; /* twelfths of an interval with more than twice the steady rate, after one event */
    unsigned behind, said;
};

/* Booting is an event, too. */
static bool is_event(uint64_t bin)
{
    return scene->way && (bin == scene->from / bin_size() || bin == scene->to / bin_size());
}

static struct verdict judge(void)
{
    struct verdict v = {.behind = behind(), .said = most_said()};
    unsigned excess = 0;
    for (uint64_t bin = 0; bin < scene->end / bin_size(); bin++) {
        excess = (is_event(bin) ? 0 : excess) + (rate(bin) > 2);
        v.excess = excess > v.excess ? excess : v.excess;
        v.highest = rate(bin) > v.highest ? rate(bin) : v.highest;
    }
    return v;
}

static bool is_good(const struct verdict *v)
{
    return v->excess <= (scene->most ? scene->most : BINS) && v->behind == 0 && v->said <= 2;
}

/* ---- Cases ----------------------------------------------------------------------------------- */

static void print_curve(const char *id)
{
    for (uint64_t bin = 0; bin < scene->end / bin_size(); bin++)
        printf("%s\t%llu\t%.3f\n", id, (unsigned long long)(bin * bin_size() / SECOND), rate(bin));
}

static unsigned long long excess_seconds(const struct verdict *v)
{
    return v->excess * bin_size() / SECOND;
}

static void tell(const char *id, const struct verdict *v)
{
    uint64_t since = scene->to > scene->move ? scene->to : scene->move;
    fprintf(stderr, "%-20s at most %5.2f times the steady rate, more than twice for %llu s", id,
            v->highest, excess_seconds(v));
    if (scene->move)
        fprintf(stderr, "; all have the new digest after %llu s",
                (unsigned long long)(served_last > since ? served_last - since : 0) / SECOND);
    fputc('\n', stderr);
}

/* Whether it kept the rule. */
static bool run_case(const struct scene *s, unsigned seed, const char *id, bool curve)
{
    set_up(s, seed);
    play();
    struct verdict v = judge();
    tell(id, &v);
    if (curve)
        print_curve(id);
    if (!is_good(&v))
        printf(
            "%s: more than twice the steady rate for %llu s (%.2f times), %u without the new digest, %u lines about an "
            "outage; repeat: build/adversity/herd --devices %u --case %s\n",
            id, excess_seconds(&v), v.highest, v.behind, v.said, count, id);
    fflush(stdout);
    return is_good(&v);
}

static void allocate(unsigned most)
{
    struct device sample;
    uint64_t longest = 0;
    memset(&sample, 0, sizeof sample);
    struct regtag_config config = config_for(&sample);
    stride = (regtag_size(&config) + PAGE - 1) / PAGE * PAGE;
    for (size_t i = 0; i < SCENES_COUNT; i++)
        longest = bins_of(&SCENES[i]) > longest ? bins_of(&SCENES[i]) : longest;
    memory = need(mmap(NULL, most * stride, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    devices = need(calloc(most, sizeof *devices));
    heap = need(calloc(most, sizeof *heap));
    bins = need(calloc(longest, sizeof *bins));
}

struct arguments {
    bool sample, curve;
    const char *only;
    unsigned devices; /* 0: as the case wants */
};

struct totals {
    unsigned cases, failures;
};

static void try_case(const struct arguments *a, const struct scene *s, unsigned seed, unsigned size,
                     struct totals *t)
{
    char id[64];
    snprintf(id, sizeof id, seed ? "%s-%u" : "%s", s->name, seed);
    if (a->only && strcmp(a->only, id) != 0)
        return;
    count = a->devices ? a->devices : size;
    t->cases++;
    t->failures += !run_case(s, seed, id, a->curve);
}

/* A sample leaves out what takes days. */
static void try_scene(const struct arguments *a, const struct scene *s, struct totals *t)
{
    if (a->sample && !a->only && s->to > DAY)
        return;
    if (s->whole && !a->sample)
        try_case(a, s, 0, DEVICES, t);
    for (unsigned seed = 1; seed <= (a->sample ? 1 : SEEDS); seed++)
        try_case(a, s, seed, a->sample ? DEVICES_SAMPLE : DEVICES_SEEDS, t);
}

static struct arguments parse(char **argv)
{
    struct arguments a = {false, false, NULL, 0};
    for (argv++; *argv; argv++)
        if (strcmp(*argv, "--sample") == 0)
            a.sample = true;
        else if (strcmp(*argv, "--curve") == 0)
            a.curve = true;
        else if (strcmp(*argv, "--case") == 0 && argv[1])
            a.only = *++argv;
        else if (strcmp(*argv, "--devices") == 0 && argv[1])
            a.devices = (unsigned)strtoul(*++argv, NULL, 10);
        else {
            fputs("herd [--sample] [--case ID] [--devices N] [--curve]\n", stderr);
            exit(2);
        }
    return a;
}

int main(int argc, char **argv)
{
    struct arguments a = parse(argv);
    struct totals t = {0, 0};
    (void)argc;
    allocate(a.devices ? a.devices : a.sample ? DEVICES_SAMPLE : DEVICES);
    for (size_t i = 0; i < SCENES_COUNT; i++)
        try_scene(&a, &SCENES[i], &t);
    printf("%u cases, %u failures\n", t.cases, t.failures);
    return t.failures || t.cases == 0;
}
