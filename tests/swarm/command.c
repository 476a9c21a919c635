/* command.c - commands, a line each on stdin, and events, a line of JSON each on stdout:
 *
 *   ready [N]       "ready" once N (all) have a session in which they observe
 *   expect TEXT     "met" once all hold a blob that contains TEXT, and the hub has acknowledged a
 *                   report of each with that revision; times count from here
 *   progress        "progress": how far the last expectation is, in the form of "met"
 *   stats           "stats": what happened since the start
 *   report          all send a full report at once; then "met" as above
 *   fail FIRST N    the agents from FIRST on, so many, report at once that their works fail; then
 *                   "met" as above
 *   mend FIRST N    that they are applied
 *   drop            ends all sessions; each agent comes back by its back-off
 *   stop, start     ends all sessions until start
 *   quit
 *
 * "enrolled" is told without being asked. Times named _s are those of the monotonic clock. */
#include "tests/swarm/swarm.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096u

/* ---- writing ---- */

static void put_text(const char *key, const char *text)
{
    printf(",\"%s\":\"", key);
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;

        if (byte == '"' || byte == '\\')
            printf("\\%c", byte);
        else if (byte < 0x20)
            putchar(' ');
        else
            putchar(byte);
    }
    putchar('"');
}

static void put_end(void)
{
    printf("}\n");
    fflush(stdout);
}

void swarm_event_enrolled(struct swarm *swarm, uint64_t took_us)
{
    printf("{\"event\":\"enrolled\",\"agents\":%zu,\"took_ms\":%.1f", swarm->n,
        (double)took_us / 1000);
    put_end();
}

/* ---- an expectation ---- */

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* Nearest rank. */
static double percentile_ms(const uint64_t *us, size_t n, unsigned percent)
{
    size_t rank = (n * percent + 99) / 100;

    return n ? (double)us[rank ? rank - 1 : 0] / 1000 : 0;
}

static void put_times(const char *what, uint64_t *us, size_t n)
{
    qsort(us, n, sizeof *us, by_size);
    printf(",\"%s\":%zu,\"%s_p50_ms\":%.1f,\"%s_p99_ms\":%.1f,\"%s_last_ms\":%.1f", what, n, what,
        percentile_ms(us, n, 50), what, percentile_ms(us, n, 99), what, percentile_ms(us, n, 100));
}

static void put_expectation(struct swarm *swarm, const char *event)
{
    uint64_t *met = fed_alloc_array(swarm->mem, swarm->n, sizeof *met);
    uint64_t *told = fed_alloc_array(swarm->mem, swarm->n, sizeof *told);
    size_t n_met = 0;
    size_t n_told = 0;

    printf("{\"event\":\"%s\",\"agents\":%zu,\"asked_s\":%.6f", event, swarm->n,
        (double)swarm->expected_us / 1e6);
    put_text("text", swarm->blobs.expected);
    for (size_t i = 0; met && told && i < swarm->n; i++) {
        const struct swarm_agent *agent = &swarm->agents[i];

        if (agent->met)
            met[n_met++] = agent->met_us - swarm->expected_us;
        if (agent->told)
            told[n_told++] = agent->told_us - swarm->expected_us;
    }
    if (met && told) {
        put_times("met", met, n_met);
        put_times("told", told, n_told);
    }
    put_end();
    fed_alloc_free(swarm->mem, met, swarm->n * sizeof *met);
    fed_alloc_free(swarm->mem, told, swarm->n * sizeof *told);
}

static void check_met(struct swarm *swarm)
{
    if (!swarm->expecting || swarm->n_met < swarm->n || swarm->n_told < swarm->n)
        return;
    swarm->expecting = false;
    put_expectation(swarm, "met");
}

void swarm_event_met(struct swarm_agent *agent)
{
    struct swarm *swarm = agent->swarm;

    if (!swarm->expecting || agent->met || !swarm_bundle_meets(&agent->bundle, &swarm->blobs))
        return;
    agent->met = true;
    agent->met_us = fed_loop_clock_us(swarm->loop);
    agent->met_revision = agent->bundle.revision;
    swarm->n_met++;
    check_met(swarm);
}

void swarm_event_told(struct swarm_agent *agent)
{
    struct swarm *swarm = agent->swarm;

    if (!swarm->expecting || agent->told || !agent->met ||
        agent->report_revision < agent->met_revision)
        return;
    agent->told = true;
    agent->told_us = fed_loop_clock_us(swarm->loop);
    swarm->n_told++;
    check_met(swarm);
}

/* Who holds it already has met it now, and told of it when no report is due. */
static void expect(struct swarm *swarm, const char *text)
{
    swarm_blobs_expect(&swarm->blobs, text);
    swarm->expecting = true;
    swarm->expected_us = fed_loop_clock_us(swarm->loop);
    swarm->n_met = swarm->n_told = 0;
    for (size_t i = 0; i < swarm->n; i++)
        swarm->agents[i].met = swarm->agents[i].told = false;
    for (size_t i = 0; i < swarm->n; i++) {
        struct swarm_agent *agent = &swarm->agents[i];

        swarm_event_met(agent);
        if (agent->met && !agent->news && !agent->reporting && !agent->report_full)
            swarm_event_told(agent);
    }
}

/* Nothing is expected but the reports themselves. */
static void report(struct swarm *swarm)
{
    swarm->expecting = true;
    swarm->expected_us = fed_loop_clock_us(swarm->loop);
    swarm->n_met = swarm->n;
    swarm->n_told = 0;
    for (size_t i = 0; i < swarm->n; i++) {
        struct swarm_agent *agent = &swarm->agents[i];

        agent->met = true;
        agent->told = false;
        agent->met_us = swarm->expected_us;
        agent->met_revision = agent->bundle.revision;
        swarm_report_full(agent);
    }
}

/* The others have told already. */
static void report_state(struct swarm *swarm, bool failing, const char *text)
{
    struct fed_span rest = fed_span_text(text);
    struct fed_span first;
    uint64_t from;
    uint64_t n;

    if (!fed_span_split(&rest, ' ', &first) || fed_span_to_u64(first, &from) ||
        fed_span_to_u64(rest, &n) || from >= swarm->n || n == 0 || n > swarm->n - from) {
        fed_log(swarm->log, FED_LOG_ERROR, "there are no agents \"%s\"", text);
        return;
    }
    swarm->expecting = true;
    swarm->expected_us = fed_loop_clock_us(swarm->loop);
    swarm->n_met = swarm->n;
    swarm->n_told = swarm->n - (size_t)n;
    for (size_t i = 0; i < swarm->n; i++) {
        struct swarm_agent *agent = &swarm->agents[i];

        agent->met = true;
        agent->told = i < from || i >= from + n;
        agent->met_us = agent->told_us = swarm->expected_us;
        agent->met_revision = agent->bundle.revision;
        if (agent->told)
            continue;
        agent->failing = failing;
        swarm_report_full(agent);
    }
}

/* ---- sessions ---- */

static void check_ready(struct swarm *swarm)
{
    if (!swarm->ready_asked || swarm->n_at[SWARM_READY] < swarm->ready_wanted)
        return;
    swarm->ready_asked = false;
    printf("{\"event\":\"ready\",\"agents\":%zu,\"ready\":%zu,\"took_ms\":%.1f", swarm->n,
        swarm->n_at[SWARM_READY],
        (double)(fed_loop_clock_us(swarm->loop) - swarm->ready_us) / 1000);
    put_end();
}

void swarm_event_ready(struct swarm_agent *agent)
{
    check_ready(agent->swarm);
}

static void ask_ready(struct swarm *swarm, const char *text)
{
    uint64_t n;

    swarm->ready_asked = true;
    swarm->ready_wanted = swarm->n;
    if (!fed_span_to_u64(fed_span_text(text), &n) && n < swarm->n)
        swarm->ready_wanted = (size_t)n;
    swarm->ready_us = fed_loop_clock_us(swarm->loop);
    check_ready(swarm);
}

/* ---- counts ---- */

static void put_bytes(const struct swarm *swarm)
{
    struct fed_link_stats all = {0};

    for (size_t i = 0; i < swarm->n; i++) {
        struct fed_link *port = swarm->agents[i].link.port;
        struct fed_link_stats one = {0};

        port->stats(port->ctx, &one);
        all.sent_bytes += one.sent_bytes;
        all.received_bytes += one.received_bytes;
        all.sent_datagrams += one.sent_datagrams;
        all.received_datagrams += one.received_datagrams;
    }
    printf(",\"sent_bytes\":%" PRIu64 ",\"received_bytes\":%" PRIu64 ",\"sent_datagrams\":%" PRIu64
           ",\"received_datagrams\":%" PRIu64,
        all.sent_bytes, all.received_bytes, all.sent_datagrams, all.received_datagrams);
}

static void put_stats(struct swarm *swarm)
{
    const struct swarm_counts *c = &swarm->counts;
    const struct {
        const char *name;
        uint64_t value;
    } all[] = {{"sessions", c->sessions}, {"lost", c->lost}, {"failed", c->failed},
        {"frames", c->frames}, {"full_frames", c->full}, {"notifications", c->notified},
        {"pulls", c->pulls}, {"refused", c->refused}, {"older", c->older}, {"reports", c->reports},
        {"conflicts", c->conflicts}, {"later", c->later}, {"errors", c->errors},
        {"pings", c->pings}, {"pings_lost", c->pings_lost}};

    printf("{\"event\":\"stats\",\"agents\":%zu", swarm->n);
    for (size_t i = 0; i < SWARM_ATS; i++)
        printf(",\"%s\":%zu", swarm_at_name((enum swarm_at)i), swarm->n_at[i]);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        printf(",\"%s\":%" PRIu64, all[i].name, all[i].value);
    put_bytes(swarm);
    put_text("trouble", swarm->trouble);
    put_end();
}

/* ---- reading ---- */

static void quit(struct swarm *swarm)
{
    swarm->loop->stop(swarm->loop->ctx);
}

static void do_command(struct swarm *swarm, const char *word, const char *rest)
{
    static const struct {
        const char *word;
        void (*call)(struct swarm *swarm);
    } plain[] = {{"stats", put_stats}, {"drop", swarm_fleet_drop}, {"stop", swarm_fleet_stop},
        {"start", swarm_fleet_start}, {"report", report}, {"quit", quit}};

    if (strcmp(word, "ready") == 0) {
        ask_ready(swarm, rest);
        return;
    }
    if (strcmp(word, "expect") == 0) {
        expect(swarm, rest);
        return;
    }
    if (strcmp(word, "fail") == 0 || strcmp(word, "mend") == 0) {
        report_state(swarm, strcmp(word, "fail") == 0, rest);
        return;
    }
    if (strcmp(word, "progress") == 0) {
        put_expectation(swarm, "progress");
        return;
    }
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        if (strcmp(word, plain[i].word) == 0) {
            plain[i].call(swarm);
            return;
        }
    }
    fed_log(swarm->log, FED_LOG_ERROR, "there is no command \"%s\"", word);
}

static void do_line(struct swarm *swarm, struct fed_span line)
{
    char text[LINE_MAX_BYTES];
    char *rest;

    if (line.len == 0 || fed_span_to_cstr(line, text, sizeof text))
        return;
    rest = strchr(text, ' ');
    if (rest)
        *rest++ = 0;
    do_command(swarm, text, rest ? rest : "");
}

static void on_input(void *ctx, unsigned events)
{
    struct swarm *swarm = ctx;
    uint8_t *room = fed_buf_room(&swarm->line, 1024);
    ssize_t n = room ? read(STDIN_FILENO, room, 1024) : 0;

    (void)events;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) { /* whoever started us is gone */
        quit(swarm);
        return;
    }
    fed_buf_grew(&swarm->line, (size_t)n);
    for (;;) {
        struct fed_span all = fed_buf_span(&swarm->line);
        size_t len = fed_span_find(all, '\n');

        if (len == all.len)
            break;
        do_line(swarm, fed_span_sub(all, 0, len));
        fed_buf_drop(&swarm->line, len + 1);
    }
}

enum fed_err swarm_command_open(struct swarm *swarm, struct fed_diag *diag)
{
    fed_buf_init(&swarm->line, swarm->mem, 2 * LINE_MAX_BYTES);
    fcntl(STDIN_FILENO, F_SETFL, fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);
    if (swarm->loop->watch_new(
            swarm->loop->ctx, STDIN_FILENO, FED_LOOP_READ, on_input, swarm, &swarm->input))
        return fed_diag_set(diag, FED_ERR_INVALID, "stdin must be a pipe or a terminal");
    return FED_OK;
}

void swarm_command_close(struct swarm *swarm)
{
    if (swarm->input)
        swarm->loop->watch_free(swarm->loop->ctx, swarm->input);
    fed_buf_fini(&swarm->line);
}
