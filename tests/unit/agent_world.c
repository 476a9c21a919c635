/* agent_world.c - see agent_world.h: loop and store, the agent's life. */
#include "tests/unit/agent_world.h"

#include "tests/unit/agent_world_inner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- loop ---- */

struct fed_timer {
    struct world *w;
    fed_loop_call *call;
    void *ctx;
    bool set;
    uint64_t due_ms;
    struct fed_timer *next;
};

static uint64_t now_ms(void *ctx)
{
    return ((struct world *)ctx)->now_ms;
}

static int64_t unix_us(void *ctx)
{
    return ((struct world *)ctx)->unix_s * 1000000;
}

static enum fed_err timer_new(
    void *ctx, fed_loop_call *call, void *call_ctx, struct fed_timer **out)
{
    struct world *w = ctx;
    struct fed_timer *timer = calloc(1, sizeof *timer);

    *timer = (struct fed_timer){.w = w, .call = call, .ctx = call_ctx, .next = w->timers};
    w->timers = timer;
    *out = timer;
    return FED_OK;
}

static void timer_set(void *ctx, struct fed_timer *timer, uint64_t due_ms)
{
    (void)ctx;
    timer->set = true;
    timer->due_ms = due_ms;
}

static void timer_stop(void *ctx, struct fed_timer *timer)
{
    (void)ctx;
    timer->set = false;
}

static void timer_free(void *ctx, struct fed_timer *timer)
{
    struct world *w = ctx;
    struct fed_timer **at = &w->timers;

    if (!timer)
        return;
    while (*at != timer)
        at = &(*at)->next;
    *at = timer->next;
    free(timer);
}

static struct fed_timer *first_timer(const struct world *w)
{
    struct fed_timer *first = NULL;

    for (struct fed_timer *t = w->timers; t; t = t->next) {
        if (t->set && (!first || t->due_ms < first->due_ms))
            first = t;
    }
    return first;
}

void world_settle(struct world *w)
{
    for (unsigned rounds = 0;; rounds++) {
        struct fed_timer *t = first_timer(w);

        assert_true(rounds < 100000); /* a loop without end */
        if (world_kube_step(w) || world_link_step(w))
            continue;
        if (!t || t->due_ms > w->now_ms)
            return;
        t->set = false;
        t->call(t->ctx);
    }
}

void world_pass(struct world *w, uint64_t ms)
{
    uint64_t until_ms = w->now_ms + ms;

    world_settle(w);
    for (;;) {
        struct fed_timer *t = first_timer(w);

        if (!t || t->due_ms > until_ms)
            break;
        w->unix_s += (int64_t)(t->due_ms - w->now_ms) / 1000;
        w->now_ms = t->due_ms;
        world_settle(w);
    }
    w->now_ms = until_ms;
}

uint64_t world_due(const struct world *w)
{
    const struct fed_timer *first = first_timer(w);

    return first ? first->due_ms : UINT64_MAX;
}

void world_turn(struct world *w, uint64_t now_ms_new, int64_t unix_s)
{
    w->now_ms = now_ms_new;
    w->unix_s = unix_s;
    world_settle(w);
}

/* ---- store ---- */

static int find_row(struct world *w, struct fed_span key, size_t *at)
{
    for (*at = 0; *at < w->n_rows; (*at)++) {
        int order = fed_span_cmp(fed_span_of(w->rows[*at].key, w->rows[*at].key_len), key);

        if (order >= 0)
            return order == 0;
    }
    return 0;
}

static enum fed_err store_get(
    void *ctx, struct fed_span key, struct fed_buf *value, uint64_t *revision)
{
    struct world *w = ctx;
    size_t at;

    (void)revision;
    if (!find_row(w, key, &at))
        return FED_ERR_NOT_FOUND;
    fed_buf_put(value, fed_span_of(w->rows[at].value, w->rows[at].value_len));
    return fed_buf_err(value);
}

static enum fed_err store_range(void *ctx, struct fed_span from, struct fed_span to, size_t limit,
    fed_store_each *each, void *each_ctx)
{
    struct world *w = ctx;

    (void)limit;
    for (size_t i = 0; i < w->n_rows; i++) {
        struct fed_store_item item = {.key = fed_span_of(w->rows[i].key, w->rows[i].key_len),
            .value = fed_span_of(w->rows[i].value, w->rows[i].value_len)};

        if (fed_span_cmp(item.key, from) >= 0 && fed_span_cmp(item.key, to) < 0 &&
            !each(each_ctx, &item))
            break;
    }
    return FED_OK;
}

static uint8_t *copy(struct fed_span bytes)
{
    uint8_t *at = malloc(bytes.len + 1);

    if (bytes.len > 0)
        memcpy(at, bytes.at, bytes.len);
    return at;
}

static void put_row(struct world *w, const struct fed_store_op *op)
{
    struct world_row *row;
    size_t at;
    bool found = find_row(w, op->key, &at);

    row = &w->rows[at];
    if (found) {
        free(row->value);
        free(row->key);
    }
    if (op->remove) {
        if (found)
            memmove(row, row + 1, (--w->n_rows - at) * sizeof *row);
        return;
    }
    if (!found) {
        assert_true(w->n_rows < 2048);
        memmove(row + 1, row, (w->n_rows++ - at) * sizeof *row);
    }
    *row = (struct world_row){.key = copy(op->key),
        .key_len = op->key.len,
        .value = copy(op->value),
        .value_len = op->value.len};
}

static enum fed_err store_commit(void *ctx, const struct fed_store_compare *compares,
    size_t n_compares, const struct fed_store_op *ops, size_t n_ops, uint64_t *revision,
    struct fed_diag *diag)
{
    struct world *w = ctx;

    (void)compares;
    (void)n_compares;
    (void)revision;
    if (w->commit_err)
        return fed_diag_set(diag, w->commit_err, "no room");
    for (size_t i = 0; i < n_ops; i++)
        put_row(w, &ops[i]);
    w->commits++;
    return FED_OK;
}

/* ---- the agent ---- */

static enum fed_err fake_random(void *ctx, uint8_t *out, size_t len)
{
    (void)ctx;
    memset(out, 127, len);
    return FED_OK;
}

static void write_log(void *ctx, enum fed_log_level level, const char *text)
{
    struct world *w = ctx;
    size_t len = strlen(w->log_text);

    (void)level;
    if (getenv("WORLD_TRACE"))
        fprintf(stderr, "%8llu %s\n", (unsigned long long)w->now_ms, text);
    snprintf(w->log_text + len, sizeof w->log_text - len, "%s\n", text);
}

struct world *world_new(void)
{
    struct world *w = calloc(1, sizeof *w);

    w->now_ms = 1000000;
    w->unix_s = 1795000000;
    w->loop = (struct fed_loop){.ctx = w,
        .now_ms = now_ms,
        .unix_us = unix_us,
        .timer_new = timer_new,
        .timer_set = timer_set,
        .timer_stop = timer_stop,
        .timer_free = timer_free};
    w->store = (struct fed_store){
        .ctx = w, .get = store_get, .range = store_range, .commit = store_commit};
    w->crypto = (struct fed_crypto){.ctx = w, .random = fake_random};
    w->log = (struct fed_log){.ctx = w, .level = FED_LOG_INFO, .write = write_log};
    w->next_rv = 100;
    snprintf(w->identity.cluster, sizeof w->identity.cluster, "cluster1");
    snprintf(w->identity.hubs[0], sizeof w->identity.hubs[0], "coaps://hub.test:5684");
    w->identity.n_hubs = 1;
    fed_arena_init(&w->report_arena, fed_alloc_system(), 1u << 20);
    world_kube_init(w);
    world_link_init(w);
    return w;
}

void world_boot(struct world *w)
{
    bool https = w->identity.hubs[0][0] == 'h'; /* the address says what the link is */
    struct agent_ports ports = {.mem = w->mem ? w->mem : fed_alloc_system(),
        .loop = &w->loop,
        .log = &w->log,
        .crypto = &w->crypto,
        .store = &w->store,
        .kube = &w->kube,
        .coap = https ? NULL : &w->link,
        .https = https ? &w->link : NULL};
    static const struct fed_consent_limit off = {.share = 100, .least = 1};
    struct agent_daemon_options options = {.sync = {.identity = &w->identity,
                                               .hubs = (const char(*)[281])w->identity.hubs,
                                               .n_hubs = 1,
                                               .partial = w->partial},
        .slot = &w->slot};
    struct fed_diag diag = {""};

    w->link_events = agent_dial_link_events(&w->slot, https ? AGENT_DIAL_HTTPS : AGENT_DIAL_COAP);
    if (w->consent_off)
        options.removal_consent = &off;
    w->daemon = NULL;
    w->boot_err = agent_daemon_new(&ports, &options, &w->daemon, &diag);
    if (w->boot_err == FED_ERR_NOMEM && w->mem)
        return;
    if (w->boot_err)
        fail_msg("%s", diag.text);
    agent_daemon_start(w->daemon);
    world_settle(w);
}

void world_crash(struct world *w)
{
    enum fed_err was = w->commit_err;

    w->commit_err = FED_ERR_IO;
    agent_daemon_free(w->daemon);
    w->daemon = NULL;
    w->commit_err = was;
    world_kube_cut(w);
    world_link_cut(w);
}

void world_free(struct world *w)
{
    agent_daemon_free(w->daemon);
    world_kube_cut(w);
    world_link_cut(w);
    assert_null(w->timers); /* everything was given back */
    for (size_t i = 0; i < w->n_rows; i++) {
        free(w->rows[i].key);
        free(w->rows[i].value);
    }
    fed_arena_fini(&w->report_arena);
    free(w);
}

bool world_logged(const struct world *w, const char *text)
{
    return strstr(w->log_text, text) != NULL;
}

void world_assert_state(const struct world *w, size_t index, const char *expected)
{
    if (strncmp(w->hub_states[index], expected, strlen(expected)) != 0)
        fail_msg("work %zu: \"%s\", expected \"%s\"", index, w->hub_states[index], expected);
}
