/* load - makes load on a Kubernetes API server and says what it took.
 *
 *   load requests OPTION...   N connections, each with some requests in flight, closed loop
 *   load watch OPTION...      W watchers, then requests; until the last watcher has every event
 *
 * In target and body, @N@ is the number of the object, six digits; @G@ its last two digits; @T@ a
 * text that is new in each request. Every answer's status is checked, and with --marker that its
 * body has the marker as often as told. Prints one JSON object; its cpu_s is this program's own
 * processor time, so that one sees whether it was what limited. */
#include "tests/bench/load_conn.h"

#include <zlib.h>

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define CONNECTIONS_MAX 256u
#define WATCHERS_MAX 10000u
#define BODY_MAX (1u << 20)
#define ANSWER_MAX (256u << 20)
#define TARGET_MAX 1024u
#define LIMIT_MS 120000u
#define INFLATED_STEP 262144u

struct options {
    const char *kubeconfig;
    const char *method;
    const char *target;
    const char *type;
    const char *body_file;
    const char *marker;
    const char *watch_target;
    unsigned status;
    unsigned connections;
    unsigned in_flight;
    unsigned watchers;
    unsigned watch_connections;
    uint64_t count; /* requests in all; 0: as many as fit into seconds */
    uint64_t range; /* numbers are below it */
    uint64_t markers;
    double seconds;
    bool shuffle;
    bool gzip;
};

struct bench;

struct worker { /* one request in flight */
    struct load_call call;
    struct bench *bench;
    struct load_conn *conn;
    char target[TARGET_MAX];
    struct fed_buf body;
    struct fed_buf answer;
};

struct watcher {
    struct load_call call;
    struct bench *bench;
    bool open;
    uint64_t events;
    size_t matched; /* of line_start, in the present line */
};

struct bench {
    struct options options;
    struct load_net *net;
    struct fed_buf template;
    struct worker *workers;
    size_t n_workers;
    struct watcher *watchers;
    size_t n_open;
    size_t n_served; /* watchers that have every event */
    uint64_t started;
    uint64_t finished;
    uint64_t begun_ns;
    uint64_t end_ns; /* no request begins after it; 0: no such time */
    uint64_t last_ns;
    uint64_t answered_ns; /* last answer of a request */
    uint64_t token;
    float *latencies_ms;
    size_t latencies_cap;
};

static const char line_start[] = "{\"type\":\"ADDED\"";

static void die(const char *what, const char *why)
{
    fprintf(stderr, "load: %s%s%s\n", what, *why ? ": " : "", why);
    exit(1);
}

static void check(enum fed_err err, const struct fed_diag *diag, const char *what)
{
    if (err)
        die(what, diag && diag->text[0] ? diag->text : fed_err_text(err));
}

/* ---- requests ---- */
static void fill(struct fed_buf *out, struct fed_span from, uint64_t number, uint64_t token)
{
    fed_buf_clear(out);
    while (from.len > 0) {
        size_t at = fed_span_find(from, '@');
        struct fed_span place = fed_span_sub(from, at, 3);

        fed_buf_put(out, fed_span_sub(from, 0, at));
        if (fed_span_is(place, "@N@"))
            fed_buf_printf(out, "%06llu", (unsigned long long)number);
        else if (fed_span_is(place, "@G@"))
            fed_buf_printf(out, "%02llu", (unsigned long long)number % 100);
        else if (fed_span_is(place, "@T@"))
            fed_buf_printf(out, "%020llu", (unsigned long long)token);
        else
            fed_buf_put(out, fed_span_sub(place, 0, 1));
        from = fed_span_sub(from, at + (place.len == 3 && place.at[2] == '@' ? 3 : 1), from.len);
    }
}

/* Another order that visits each number once: a prime that divides no range we use. */
static uint64_t number_of(const struct options *o, uint64_t i)
{
    return (o->shuffle ? i * 7919u : i) % o->range;
}

static bool more(struct bench *b)
{
    return (b->options.count == 0 || b->started < b->options.count) &&
           (b->end_ns == 0 || load_now_ns() < b->end_ns);
}

static void worker_next(struct worker *w)
{
    struct bench *b = w->bench;
    const struct options *o = &b->options;
    struct load_request request = {.method = o->method,
        .target = w->target,
        .content_type = b->template.len > 0 ? o->type : NULL,
        .gzip = o->gzip};
    uint64_t number = number_of(o, b->started);
    struct fed_buf target;

    fed_buf_init(&target, fed_alloc_system(), TARGET_MAX - 1);
    fill(&target, fed_span_text(o->target), number, b->token + b->started);
    snprintf(w->target, sizeof w->target, "%s", fed_buf_cstr(&target));
    fed_buf_fini(&target);
    fill(&w->body, fed_buf_span(&b->template), number, b->token + b->started);
    fed_buf_clear(&w->answer);
    w->call.body = fed_buf_span(&w->body);
    b->started++;
    check(load_send(w->conn, &request, &w->call), NULL, "sending");
}

static void on_answer_data(struct load_call *call, struct fed_span bytes)
{
    struct worker *w = call->ctx;

    fed_buf_put(&w->answer, bytes);
}

static struct fed_span inflated(struct fed_span from, struct fed_buf *out)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)from.at, .avail_in = (uInt)from.len};
    int rc = inflateInit2(&z, 31);

    while (rc == Z_OK) {
        z.next_out = fed_buf_room(out, INFLATED_STEP);
        if (!z.next_out)
            break;
        z.avail_out = INFLATED_STEP;
        rc = inflate(&z, Z_NO_FLUSH);
        fed_buf_grew(out, INFLATED_STEP - z.avail_out);
    }
    inflateEnd(&z);
    if (rc != Z_STREAM_END)
        die("an answer is not gzip", "");
    return fed_buf_span(out);
}

static uint64_t count_of(struct fed_span in, const char *marker)
{
    const uint8_t *end = in.at + in.len;
    size_t len = strlen(marker);
    uint64_t n = 0;

    for (const uint8_t *at = in.at; (at = memmem(at, (size_t)(end - at), marker, len)); at += len)
        n++;
    return n;
}

static void check_answer(const struct worker *w)
{
    const struct options *o = &w->bench->options;
    struct fed_span body = fed_buf_span(&w->answer);
    struct fed_buf plain;
    uint64_t n;

    if (w->call.status != o->status) {
        fprintf(stderr, "load: %s %s answered %u, not %u: " FED_SPAN_FMT "\n", o->method, w->target,
            w->call.status, o->status, FED_SPAN_ARG(body));
        exit(1);
    }
    if (!o->marker)
        return;
    fed_buf_init(&plain, fed_alloc_system(), ANSWER_MAX);
    if (w->call.gzip)
        body = inflated(body, &plain);
    n = count_of(body, o->marker);
    fed_buf_fini(&plain);
    if (n != o->markers) {
        fprintf(stderr, "load: %s %s has %s %llu times, not %llu\n", o->method, w->target,
            o->marker, (unsigned long long)n, (unsigned long long)o->markers);
        exit(1);
    }
}

static void keep_latency(struct bench *b, float ms)
{
    if (b->finished >= b->latencies_cap) {
        b->latencies_cap = b->latencies_cap ? b->latencies_cap * 2 : 16384;
        b->latencies_ms = realloc(b->latencies_ms, b->latencies_cap * sizeof *b->latencies_ms);
        if (!b->latencies_ms)
            die("out of memory", "");
    }
    b->latencies_ms[b->finished++] = ms;
}

/* Every request answered, and every watcher served. */
static void stop_when_done(struct bench *b)
{
    if (b->finished == b->started && !more(b) && b->n_served == b->options.watchers)
        load_net_stop(b->net);
}

static void on_answer(struct load_call *call)
{
    struct worker *w = call->ctx;
    struct bench *b = w->bench;

    b->answered_ns = load_now_ns();
    keep_latency(b, (float)(b->answered_ns - call->sent_ns) / 1e6f);
    check_answer(w);
    if (more(b))
        worker_next(w);
    else
        stop_when_done(b);
    if (b->options.watchers == 0)
        b->last_ns = b->answered_ns;
}

static void workers_open(struct bench *b)
{
    const struct options *o = &b->options;
    struct load_conn *conn = NULL;
    struct fed_diag diag = {{0}};

    b->n_workers = (size_t)o->connections * o->in_flight;
    b->workers = calloc(b->n_workers, sizeof *b->workers);
    if (!b->workers)
        die("out of memory", "");
    for (size_t i = 0; i < b->n_workers; i++) {
        struct worker *w = &b->workers[i];

        if (i % o->in_flight == 0)
            check(load_conn_open(b->net, &conn, &diag), &diag, "connecting");
        w->bench = b;
        w->conn = conn;
        w->call = (struct load_call){.ctx = w, .data = on_answer_data, .done = on_answer};
        fed_buf_init(&w->body, fed_alloc_system(), BODY_MAX);
        fed_buf_init(&w->answer, fed_alloc_system(), ANSWER_MAX);
    }
}

static void workers_begin(struct bench *b)
{
    b->begun_ns = load_now_ns();
    if (b->options.seconds > 0)
        b->end_ns = b->begun_ns + (uint64_t)(b->options.seconds * 1e9);
    for (size_t i = 0; i < b->n_workers && more(b); i++)
        worker_next(&b->workers[i]);
}

/* ---- watchers ---- */
static void on_watch_head(struct load_call *call)
{
    struct watcher *w = call->ctx;
    struct bench *b = w->bench;

    if (call->status != 200)
        die("a watch was not answered 200", "");
    if (w->open)
        return;
    w->open = true;
    if (++b->n_open == b->options.watchers)
        load_net_stop(b->net);
}

static void watch_line(struct watcher *w)
{
    struct bench *b = w->bench;

    if (w->matched != sizeof line_start - 1)
        die("a watcher got something else than ADDED", "");
    w->matched = 0;
    if (++w->events > b->options.count)
        die("a watcher got more events than objects were made", "");
    if (w->events == b->options.count && ++b->n_served == b->options.watchers) {
        b->last_ns = load_now_ns();
        stop_when_done(b);
    }
}

static void on_watch_data(struct load_call *call, struct fed_span bytes)
{
    struct watcher *w = call->ctx;

    while (bytes.len > 0) {
        size_t i = 0;
        size_t end;

        while (w->matched < sizeof line_start - 1 && i < bytes.len &&
               bytes.at[i] == (uint8_t)line_start[w->matched]) {
            w->matched++;
            i++;
        }
        end = fed_span_find(fed_span_sub(bytes, i, bytes.len), '\n') + i;
        if (end < bytes.len)
            watch_line(w);
        bytes = fed_span_sub(bytes, end + 1, bytes.len);
    }
}

static void on_watch_done(struct load_call *call)
{
    (void)call;
    die("a watch ended", "");
}

static void watchers_open(struct bench *b)
{
    const struct options *o = &b->options;
    struct load_request request = {.method = "GET", .target = o->watch_target};
    struct load_conn *conns[CONNECTIONS_MAX];
    struct fed_diag diag = {{0}};

    b->watchers = calloc(o->watchers, sizeof *b->watchers);
    if (!b->watchers)
        die("out of memory", "");
    for (unsigned i = 0; i < o->watch_connections; i++)
        check(load_conn_open(b->net, &conns[i], &diag), &diag, "connecting");
    for (unsigned i = 0; i < o->watchers; i++) {
        struct watcher *w = &b->watchers[i];

        w->bench = b;
        w->call = (struct load_call){
            .ctx = w, .head = on_watch_head, .data = on_watch_data, .done = on_watch_done};
        check(load_send(conns[i % o->watch_connections], &request, &w->call), NULL, "sending");
    }
    check(load_net_run(b->net, LIMIT_MS, &diag), &diag, "opening the watches");
}

/* ---- report ---- */
static double cpu_s(void)
{
    struct rusage used;

    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static int compare_ms(const void *a, const void *b)
{
    float x = *(const float *)a;
    float y = *(const float *)b;

    return (x > y) - (x < y);
}

static double percentile(const struct bench *b, unsigned percent)
{
    return b->finished ? (double)b->latencies_ms[(b->finished - 1) * percent / 100] : 0;
}

static void report(struct bench *b, double cpu_before_s)
{
    double seconds = (double)(b->last_ns - b->begun_ns) / 1e9;

    qsort(b->latencies_ms, b->finished, sizeof *b->latencies_ms, compare_ms);
    printf("{\"requests\":%llu,\"seconds\":%.4f,\"per_second\":%.1f,\"p50_ms\":%.3f,"
           "\"p99_ms\":%.3f,\"bytes\":%llu,\"cpu_s\":%.3f",
        (unsigned long long)b->finished, seconds, (double)b->finished / seconds, percentile(b, 50),
        percentile(b, 99), (unsigned long long)load_net_bytes(b->net), cpu_s() - cpu_before_s);
    if (b->options.watchers > 0)
        printf(",\"events\":%llu,\"events_per_second\":%.1f,\"write_seconds\":%.4f",
            (unsigned long long)(b->options.watchers * b->options.count),
            (double)(b->options.watchers * b->options.count) / seconds,
            (double)(b->answered_ns - b->begun_ns) / 1e9);
    printf("}\n");
}

/* ---- command line ---- */
static const char usage[] =
    "load - makes load on a Kubernetes API server and says what it took\n"
    "\n"
    "usage: load requests|watch --kubeconfig FILE --target PATH [OPTION]...\n"
    "\n"
    "  --method GET --target PATH [--type TYPE --body FILE]   the request; @N@ number, @G@ its "
    "last\n"
    "                             two digits, @T@ always new\n"
    "  --status 200               what each answer must be\n"
    "  --marker TEXT --markers N  how often each answer's body must have the text\n"
    "  --connections 8 --in-flight 1\n"
    "  --count N, --seconds S     ends by whichever comes first\n"
    "  --range N, --shuffle       numbers are below N (default: count), in another order\n"
    "  --gzip                     accept compressed answers, as Go's clients do\n"
    "  --watch-target PATH --watchers N --watch-connections N\n"
    "\n"
    "example: load requests --kubeconfig k --target /api/v1/namespaces/x/configmaps/c-@N@ --range "
    "10 --seconds 2\n";

static const struct option names[] = {{"kubeconfig", 1, NULL, 'k'}, {"method", 1, NULL, 'm'},
    {"target", 1, NULL, 't'}, {"type", 1, NULL, 'y'}, {"body", 1, NULL, 'b'},
    {"status", 1, NULL, 's'}, {"marker", 1, NULL, 'r'}, {"markers", 1, NULL, 'R'},
    {"connections", 1, NULL, 'c'}, {"in-flight", 1, NULL, 'f'}, {"count", 1, NULL, 'n'},
    {"seconds", 1, NULL, 'S'}, {"range", 1, NULL, 'N'}, {"shuffle", 0, NULL, 'u'},
    {"gzip", 0, NULL, 'z'}, {"watch-target", 1, NULL, 'T'}, {"watchers", 1, NULL, 'w'},
    {"watch-connections", 1, NULL, 'C'}, {"help", 0, NULL, 'h'}, {NULL, 0, NULL, 0}};

static uint64_t number(const char *text, uint64_t most)
{
    uint64_t n;

    if (fed_span_to_u64(fed_span_text(text), &n) || n > most)
        die("not a number, or too large", text);
    return n;
}

static void option_set(struct options *o, int which, const char *value)
{
    switch (which) {
    case 'k':
        o->kubeconfig = value;
        break;
    case 'm':
        o->method = value;
        break;
    case 't':
        o->target = value;
        break;
    case 'y':
        o->type = value;
        break;
    case 'b':
        o->body_file = value;
        break;
    case 's':
        o->status = (unsigned)number(value, 599);
        break;
    case 'r':
        o->marker = value;
        break;
    case 'R':
        o->markers = number(value, UINT32_MAX);
        break;
    case 'c':
        o->connections = (unsigned)number(value, CONNECTIONS_MAX);
        break;
    case 'f':
        o->in_flight = (unsigned)number(value, 250);
        break;
    case 'n':
        o->count = number(value, UINT32_MAX);
        break;
    case 'S':
        o->seconds = strtod(value, NULL);
        break;
    case 'N':
        o->range = number(value, 999999);
        break;
    case 'u':
        o->shuffle = true;
        break;
    case 'z':
        o->gzip = true;
        break;
    case 'T':
        o->watch_target = value;
        break;
    case 'w':
        o->watchers = (unsigned)number(value, WATCHERS_MAX);
        break;
    case 'C':
        o->watch_connections = (unsigned)number(value, CONNECTIONS_MAX);
        break;
    case 'h':
        printf("%s", usage);
        exit(0);
    default:
        exit(2);
    }
}

static void options_parse(int argc, char **argv, struct options *o)
{
    int which;

    *o = (struct options){.method = "GET",
        .type = "application/json",
        .status = 200,
        .connections = 8,
        .in_flight = 1,
        .watch_connections = 10};
    while ((which = getopt_long(argc, argv, "h", names, NULL)) != -1)
        option_set(o, which, optarg);
    if (o->range == 0)
        o->range = o->count > 0 ? o->count : 1;
    if (optind != argc - 1 || !o->kubeconfig || !o->target || (o->count == 0 && o->seconds <= 0) ||
        o->connections == 0 || o->in_flight == 0 || o->watch_connections == 0 ||
        (strcmp(argv[optind], "watch") == 0) != (o->watchers > 0) ||
        (o->watchers > 0 && (!o->watch_target || o->count == 0))) {
        fprintf(stderr, "%s", usage);
        exit(2);
    }
}

static void read_template(struct bench *b)
{
    FILE *file;
    uint8_t *room;

    fed_buf_init(&b->template, fed_alloc_system(), BODY_MAX);
    if (!b->options.body_file)
        return;
    file = fopen(b->options.body_file, "rb");
    room = fed_buf_room(&b->template, BODY_MAX);
    if (!file || !room)
        die("cannot read", b->options.body_file);
    fed_buf_grew(&b->template, fread(room, 1, BODY_MAX, file));
    fclose(file);
}

int main(int argc, char **argv)
{
    struct bench b = {.token = (uint64_t)time(NULL) * 1000000u};
    struct fed_kube_config config;
    struct fed_diag diag = {{0}};
    double cpu_before_s;

    options_parse(argc, argv, &b.options);
    read_template(&b);
    check(fed_kube_config_load(fed_alloc_system(), b.options.kubeconfig, NULL, &config, &diag),
        &diag, "kubeconfig");
    check(load_net_open(&config, &b.net, &diag), &diag, "TLS");
    workers_open(&b);
    if (b.options.watchers > 0)
        watchers_open(&b);
    cpu_before_s = cpu_s();
    workers_begin(&b);
    check(load_net_run(b.net, LIMIT_MS, &diag), &diag, "running");
    report(&b, cpu_before_s);
    load_net_close(b.net);
    fed_kube_config_fini(&config);
    return 0;
}
