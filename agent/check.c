/* check.c - see check.h: the table, and what is said. */
#include "agent/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BOTH (AGENT_CHECK_PREFLIGHT | AGENT_CHECK_DOCTOR)

static const struct row {
    const char *id; /* of what it says itself; more are in its source */
    unsigned whom;
    void (*begin)(struct agent_checks *c);
} rows[] = {
    {"token", AGENT_CHECK_PREFLIGHT, agent_check_token},
    {"service", AGENT_CHECK_DOCTOR, agent_check_service},
    {"dns", BOTH, agent_check_names},
    {"hub", BOTH, agent_check_hubs}, /* udp, dtls, tcp, tls, certificate */
    {"identity", AGENT_CHECK_DOCTOR, agent_check_identity},
    {"api-server", BOTH, agent_check_api_server},
    {"rights", BOTH, agent_check_rights},
    {"state-dir", BOTH, agent_check_state},
    {"memory", BOTH, agent_check_memory},
    {"clock", BOTH, agent_check_clock},
    {"works", AGENT_CHECK_DOCTOR, agent_check_works},
};
#define N_ROWS (sizeof rows / sizeof *rows)

static const char *const result_names[AGENT_CHECK_RESULTS] = {
    "ok", "warn", "fail", "skipped", "ignored"};

static bool is_ignored(const struct agent_checks *c, const char *id)
{
    struct fed_span rest = fed_span_text(c->ignore);
    struct fed_span one;

    while (fed_span_split(&rest, ',', &one))
        if (fed_span_is(one, id))
            return true;
    return false;
}

static enum fed_err put_finding(struct agent_checks *c, const char *id,
    enum agent_check_result result, const char *reason, const char *remedy)
{
    struct fed_doc *one = fed_doc_new_object();
    enum fed_err err = one ? FED_OK : FED_ERR_NOMEM;

    if (!err)
        err = fed_doc_set_text(one, "id", id);
    if (!err)
        err = fed_doc_set_text(one, "result", result_names[result]);
    if (!err)
        err = fed_doc_set_text(one, "reason", reason);
    if (!err && remedy)
        err = fed_doc_set_text(one, "remedy", remedy);
    if (err)
        fed_doc_free(one);
    return err ? err : fed_doc_append_take(c->findings, one);
}

void agent_check_say(struct agent_checks *c, const char *id, enum agent_check_result result,
    const char *remedy, const char *format, ...)
{
    char reason[600];
    va_list args;

    id = id ? id : rows[c->row].id;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    if ((result == AGENT_CHECK_FAIL || result == AGENT_CHECK_WARN) && is_ignored(c, id))
        result = AGENT_CHECK_IGNORED;
    if (result == AGENT_CHECK_OK || result == AGENT_CHECK_SKIPPED)
        remedy = NULL;
    c->n[result]++;
    if (!c->err)
        c->err = put_finding(c, id, result, reason, remedy);
    if (!c->text)
        return;
    printf(
        "%-7s %-11s %s\n", result == AGENT_CHECK_FAIL ? "FAIL" : result_names[result], id, reason);
    if (remedy)
        printf("%19s -> %s\n", "", remedy);
}

const char *agent_check_status(const struct agent_checks *c, const char *key, const char *inner)
{
    const struct fed_doc *value = fed_doc_get(c->service, key);

    return fed_doc_text(inner ? fed_doc_get(value, inner) : value, "");
}

bool agent_check_connected(const struct agent_checks *c)
{
    return fed_doc_bool(fed_doc_get(c->service, "connected"), false);
}

/* ---- one after the other ---- */

static void begin_row(void *ctx)
{
    struct agent_checks *c = ctx;

    while (c->row < N_ROWS && !(rows[c->row].whom & c->whom))
        c->row++;
    if (c->row == N_ROWS || c->err)
        agent_world_stop(c->w);
    else
        rows[c->row].begin(c);
}

void agent_check_next(struct agent_checks *c)
{
    struct fed_loop *loop = c->w->ports.loop;

    agent_timer_stop(&c->w->ports, c->timer);
    c->row++;
    if (loop->defer(loop->ctx, begin_row, c)) {
        c->err = FED_ERR_NOMEM;
        agent_world_stop(c->w);
    }
}

static void on_timer(void *ctx)
{
    struct agent_checks *c = ctx;

    c->late(c);
}

void agent_check_within(
    struct agent_checks *c, unsigned timeout_ms, void (*late)(struct agent_checks *c))
{
    c->late = late;
    agent_timer_at(&c->w->ports, c->timer, fed_loop_now_ms(c->w->ports.loop) + timeout_ms);
}

enum fed_err agent_checks_run(struct agent_checks *c, struct fed_diag *diag)
{
    struct fed_loop *loop = c->w->ports.loop;
    enum fed_err err = loop->timer_new(loop->ctx, on_timer, c, &c->timer);

    c->findings = fed_doc_new_array();
    if (!err && !c->findings)
        err = FED_ERR_NOMEM;
    if (!err)
        err = loop->defer(loop->ctx, begin_row, c);
    if (!err)
        err = fed_linux_loop_run(c->w->loop);
    fed_resolve_cancel(c->resolve);
    loop->timer_free(loop->ctx, c->timer);
    if (!err)
        err = c->err;
    return err ? fed_diag_set(diag, err, "the checks: %s", fed_err_text(err)) : FED_OK;
}
