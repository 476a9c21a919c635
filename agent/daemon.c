/* daemon.c - see daemon.h. */
#include "agent/daemon_inner.h"
#include "agent/wait.h"

#include <stdio.h>

#define PERSIST_FLOOR_MS 5000u

/* ---- persistence ---- */

static void persist_soon(struct agent_daemon *d)
{
    if (d->persist_set)
        return;
    d->persist_set = true;
    agent_timer_at(
        &d->ports, d->persist_timer, fed_loop_now_ms(d->ports.loop) + AGENT_PERSIST_DELAY_MS);
}

static void leave_check(struct agent_daemon *d)
{
    fed_loop_call *left = d->left;

    if (!left || agent_daemon_remaining(d) > 0)
        return;
    d->left = NULL;
    left(d->left_ctx);
}

static void persist(struct agent_daemon *d)
{
    struct fed_diag diag = {""};
    enum fed_err err = agent_state_persist(&d->state, &d->table, &diag);

    if (!err) {
        if (d->persist_retry.attempts > 0)
            fed_log(d->ports.log, FED_LOG_INFO, "state file: written again");
        agent_retry_reset(&d->persist_retry);
        agent_observe_sync(d->observe);
        leave_check(d);
        return;
    }
    d->persist_set = true;
    if (d->persist_retry.attempts == 0)
        d->persist_since_ms = fed_loop_now_ms(d->ports.loop);
    d->persist_next_ms = agent_retry_failed(&d->persist_retry, fed_loop_now_ms(d->ports.loop),
        PERSIST_FLOOR_MS, AGENT_PERSIST_CEILING_MS, agent_spread(&d->ports), 0);
    snprintf(d->persist_why, sizeof d->persist_why, "%.159s",
        diag.text[0] ? diag.text : fed_err_text(err));
    agent_timer_at(&d->ports, d->persist_timer, d->persist_next_ms);
    fed_log(d->ports.log, d->persist_retry.attempts <= 1 ? FED_LOG_ERROR : FED_LOG_DEBUG,
        "state file: %s; going on from memory, trying again",
        diag.text[0] ? diag.text : fed_err_text(err));
}

static void on_persist_timer(void *ctx)
{
    struct agent_daemon *d = ctx;

    d->persist_set = false;
    persist(d);
}

/* ---- events of the modules ---- */

static void on_changed(void *ctx, struct agent_entry *entry)
{
    struct agent_daemon *d = ctx;

    agent_wait_note(&d->ports, entry);
    agent_rollback_look(d->rollback, entry);
    agent_pods_ask(d->pods, entry);
    if (entry->dirty)
        persist_soon(d);
    agent_observe_want(d->observe, entry);
    if (entry->version_due)
        agent_report_moved(d->report);
    if (entry->report_due)
        agent_report_soon(d->report);
    agent_apply_moved(d->apply, entry);
}

static void on_scaled(void *ctx, const struct agent_entry *entry)
{
    struct agent_daemon *d = ctx;

    agent_pods_look(d->pods, entry);
}

static void on_settled(void *ctx)
{
    struct agent_daemon *d = ctx;

    agent_report_now(d->report);
}

static void on_trouble(void *ctx)
{
    struct agent_daemon *d = ctx;

    agent_probe_trouble(d->probe);
}

static void on_missing(void *ctx)
{
    struct agent_daemon *d = ctx;

    if (d->sync)
        agent_sync_pull_all(d->sync);
}

static bool on_asked_current(void *ctx)
{
    struct agent_daemon *d = ctx;

    return d->sync && agent_sync_is_current(d->sync);
}

static void on_persist(void *ctx)
{
    persist(ctx);
}

static void on_reachable(void *ctx, bool reachable)
{
    struct agent_daemon *d = ctx;

    if (reachable) {
        agent_apply_resume(d->apply);
        agent_rollback_resume(d->rollback);
        agent_observe_resume(d->observe);
        agent_pods_resume(d->pods);
    } else {
        agent_apply_pause(d->apply);
        agent_observe_pause(d->observe);
        agent_rollback_pause(d->rollback);
    }
}

static void on_facts(void *ctx, struct fed_span facts)
{
    struct agent_daemon *d = ctx;

    if (agent_report_facts(d->report, facts))
        fed_log(d->ports.log, FED_LOG_WARN, "facts about the cluster cannot be reported");
}

static void on_full(void *ctx)
{
    struct agent_daemon *d = ctx;

    agent_observe_refresh_status(d->observe);
}

static void on_up(void *ctx, uint64_t report_seq)
{
    struct agent_daemon *d = ctx;

    agent_report_hub_knows(d->report, agent_sync_hub_knows(d->sync));
    agent_report_link_up(d->report, report_seq);
    if (agent_sync_is_current(d->sync))
        agent_observe_current(d->observe);
}

static void on_removals(void *ctx)
{
    struct agent_daemon *d = ctx;

    agent_apply_kick(d->apply);
    agent_report_staged(d->report);
}

static void on_kinds(void *ctx, struct fed_span kinds)
{
    struct agent_daemon *d = ctx;
    struct fed_diag diag = {""};

    if (agent_observe_federated(d->observe, kinds)) {
        fed_log(d->ports.log, FED_LOG_WARN,
            "the hub's list of federated kinds cannot be read; the one before stays");
        return;
    }
    agent_sync_know_kinds(d->sync, kinds);
    if (agent_sync_is_current(d->sync))
        agent_observe_current(d->observe);
    if (agent_state_set_kinds(&d->state, kinds, &diag))
        fed_log(d->ports.log, FED_LOG_WARN,
            "state file: the federated kinds: %s; the next process asks for them again", diag.text);
}

/* As an earlier process heard of them: when the hub's are the same, nobody asks. */
static void recall_kinds(struct agent_daemon *d)
{
    struct fed_buf kinds;

    fed_buf_init(&kinds, d->ports.mem, FED_LINK_KINDS_BYTES_MAX);
    if (!agent_state_kinds(&d->state, &kinds) &&
        !agent_observe_federated(d->observe, fed_buf_span(&kinds)) && d->sync)
        agent_sync_know_kinds(d->sync, fed_buf_span(&kinds));
    fed_buf_fini(&kinds);
}

static void on_down(void *ctx)
{
    struct agent_daemon *d = ctx;

    agent_renew_down(d->renew);
    agent_report_link_down(d->report);
}

static void on_hello(
    void *ctx, const struct fed_link_hello *hello, const struct fed_link_hello_items *items)
{
    struct agent_daemon *d = ctx;

    agent_renew_up(d->renew, hello, items);
}

static bool on_ended(void *ctx, struct fed_link *link)
{
    struct agent_daemon *d = ctx;

    return agent_renew_ended(d->renew, link);
}

static void on_new_certificate(void *ctx)
{
    struct agent_daemon *d = ctx;

    agent_dial_again(agent_sync_dial(d->sync), "a new session with the new certificate");
}

static void on_not_renewed(void *ctx, const char *why, uint32_t asked_s)
{
    struct agent_daemon *d = ctx;

    agent_dial_not_renewed(agent_sync_dial(d->sync), why, asked_s);
}

static void note_waits(struct agent_daemon *d)
{
    for (size_t i = 0; i < d->table.n; i++)
        agent_wait_note(&d->ports, d->table.at[i]);
}

static void log_kept(struct agent_daemon *d)
{
    char name[AGENT_ENTRY_NAME_SIZE];

    for (size_t i = 0; i < d->table.n; i++) {
        if (d->table.at[i]->kept)
            fed_log(d->ports.log, FED_LOG_WARN,
                "%s: not named by the hub's new epoch, left in place",
                agent_entry_name(d->table.at[i], name));
    }
}

static void log_waiting(struct agent_daemon *d, size_t n)
{
    fed_log(d->ports.log, FED_LOG_WARN,
        "%zu works left the bundle and nobody is known to have ordered that by name: they stay as "
        "they are until the hub says what becomes of them",
        n);
}

static void on_staged(void *ctx, const struct agent_staged *staged)
{
    struct agent_daemon *d = ctx;

    agent_apply_kick(d->apply); /* first of all: the change is on its way to the member */
    note_waits(d);
    if (staged->new_epoch)
        log_kept(d);
    agent_observe_sync(d->observe);
    if (agent_sync_is_current(d->sync))
        agent_observe_current(d->observe);
    agent_pods_sync(d->pods);
    agent_report_staged(d->report);
    if (staged->n_waiting)
        log_waiting(d, staged->n_waiting);
}

/* ---- life ---- */

static enum fed_err make_renew(struct agent_daemon *d, struct fed_diag *diag)
{
    struct agent_renew_options options = {
        .state = &d->state, .identity = d->options.identity, .key_pem = d->options.sync.key_pem};
    struct agent_renew_events events = {
        .ctx = d, .again = on_new_certificate, .failed = on_not_renewed};

    return agent_renew_new(&d->ports, &options, &events, &d->renew, diag);
}

static enum fed_err make_modules(struct agent_daemon *d, struct fed_diag *diag)
{
    struct agent_apply_events apply = {.ctx = d,
        .changed = on_changed,
        .settled = on_settled,
        .trouble = on_trouble,
        .missing = on_missing,
        .scaled = on_scaled};
    struct agent_pods_events pods = {.ctx = d, .changed = on_changed};
    struct agent_observe_events observe = {
        .ctx = d, .trouble = on_trouble, .current = on_asked_current};
    struct agent_rollback_events rollback = {
        .ctx = d, .changed = on_changed, .persist = on_persist};
    struct agent_probe_events probe = {.ctx = d, .reachable = on_reachable, .facts = on_facts};
    struct agent_report_events report = {.ctx = d, .full = on_full};
    struct agent_sync_events sync = {.ctx = d,
        .hello = on_hello,
        .ended = on_ended,
        .up = on_up,
        .down = on_down,
        .kinds = on_kinds,
        .removals = on_removals,
        .staged = on_staged};
    enum fed_err err =
        d->ports.loop->timer_new(d->ports.loop->ctx, on_persist_timer, d, &d->persist_timer);

    if (!err && d->options.sync.n_hubs > 0)
        err = agent_sync_new(&d->ports, &d->state, &d->table, &d->options.sync, &sync, &d->sync);
    if (!err && d->sync)
        d->ports.link = agent_dial_port(agent_sync_dial(d->sync));
    if (!err && d->sync && d->options.identity)
        err = make_renew(d, diag);
    if (!err)
        err = agent_apply_new(&d->ports, &d->state, &d->table, &apply, &d->apply);
    if (!err)
        err = agent_observe_new(&d->ports, &d->table, d->apply, &observe, &d->observe);
    if (!err)
        err =
            agent_rollback_new(&d->ports, &d->state, &d->table, d->apply, &rollback, &d->rollback);
    if (!err)
        err = agent_pods_new(&d->ports, &d->table, &pods, &d->pods);
    if (!err)
        err = agent_probe_new(&d->ports, &probe, &d->probe);
    if (!err)
        err = agent_report_new(&d->ports, &d->table, &report, &d->report);
    return err;
}

enum fed_err agent_daemon_new(const struct agent_ports *ports,
    const struct agent_daemon_options *options, struct agent_daemon **out, struct fed_diag *diag)
{
    struct agent_daemon *d = fed_alloc_zero(ports->mem, sizeof *d);
    enum fed_err err;

    if (!d)
        return FED_ERR_NOMEM;
    d->ports = *ports;
    d->options = *options;
    agent_state_init(&d->state, ports->mem, ports->store);
    d->state.consent.clock = ports->loop;
    agent_table_init(&d->table, ports->mem);
    d->state.vault = options->vault;
    err = agent_state_load(&d->state, &d->table, fed_loop_now_ms(ports->loop), diag);
    if (!err && options->removal_consent)
        agent_consent_limit(&d->state, &d->table, options->removal_consent);
    d->state.damaged = options->damaged; /* until here it is the caller's to mend */
    d->state.damaged_ctx = options->damaged_ctx;
    if (!err)
        err = agent_traffic_open(&d->traffic, &d->ports, &d->state, diag);
    if (!err)
        err = make_modules(d, diag);
    if (err) {
        agent_daemon_free(d);
        return err;
    }
    if (options->slot)
        options->slot->dial = d->sync ? agent_sync_dial(d->sync) : NULL;
    *out = d;
    return FED_OK;
}

void agent_daemon_start(struct agent_daemon *d)
{
    agent_apply_pause(d->apply);
    agent_observe_pause(d->observe);
    recall_kinds(d);
    agent_observe_sync(d->observe);
    agent_pods_sync(d->pods); /* what an earlier process knew */
    agent_probe_start(d->probe);
    note_waits(d);
    if (d->sync)
        agent_sync_start(d->sync);
}

static void stop(struct agent_daemon *d)
{
    struct fed_diag diag = {""};

    if (d->sync) {
        agent_sync_stop(d->sync);
        agent_traffic_store(&d->traffic);
    }
    if (d->apply && agent_state_persist(&d->state, &d->table, &diag))
        fed_log(d->ports.log, FED_LOG_WARN, "state file: %s", diag.text);
}

void agent_daemon_free(struct agent_daemon *d)
{
    if (!d)
        return;
    stop(d);
    if (d->options.slot)
        d->options.slot->dial = NULL;
    agent_traffic_close(&d->traffic);
    agent_sync_free(d->sync);
    agent_renew_free(d->renew);
    agent_report_free(d->report);
    agent_probe_free(d->probe);
    agent_pods_free(d->pods);
    agent_rollback_free(d->rollback);
    agent_observe_free(d->observe);
    agent_apply_free(d->apply);
    d->ports.loop->timer_free(d->ports.loop->ctx, d->persist_timer);
    agent_table_fini(&d->table);
    fed_consent_window_fini(&d->state.consent.window);
    fed_alloc_free(d->ports.mem, d, sizeof *d);
}

/* ---- what may change while it runs ---- */

void agent_daemon_hubs(struct agent_daemon *d, const char (*hubs)[281], size_t n)
{
    d->options.sync.hubs = hubs;
    d->options.sync.n_hubs = n;
    if (d->sync)
        agent_dial_hubs(agent_sync_dial(d->sync), hubs, n);
}

void agent_daemon_look(struct agent_daemon *d)
{
    agent_probe_trouble(d->probe);
}

/* ---- what the gateway allows ---- */

void agent_daemon_set_policy(struct agent_daemon *d, const struct agent_policy *policy)
{
    d->policy = policy;
    agent_apply_set_policy(d->apply, policy);
}

enum fed_err agent_daemon_rbac(
    struct agent_daemon *d, struct fed_span request, struct fed_buf *out, struct fed_diag *diag)
{
    struct agent_rbac_options options;

    if (agent_rbac_parse(request, &options))
        return fed_diag_set(diag, FED_ERR_UNSUPPORTED, "unknown request");
    options.policy = d->policy;
    agent_rbac_put(&d->table, &options, out);
    return fed_buf_err(out);
}

/* ---- leaving ---- */

size_t agent_daemon_remaining(const struct agent_daemon *d)
{
    size_t n = 0;

    for (size_t i = 0; i < d->table.n; i++)
        n += d->table.at[i]->removing && !d->table.at[i]->dropped;
    return n;
}

void agent_daemon_leave(
    struct agent_daemon *d, bool keep_objects, fed_loop_call *left, void *left_ctx)
{
    uint64_t now_ms = fed_loop_now_ms(d->ports.loop);

    d->left = left;
    d->left_ctx = left_ctx;
    for (size_t i = 0; i < d->table.n; i++) {
        struct agent_entry *entry = d->table.at[i];

        entry->orphan = entry->orphan || keep_objects || entry->kept;
        entry->removing = true;
        entry->in_manifest = entry->kept = entry->waits = entry->unclear = false;
        entry->dirty = true;
        agent_entry_set(&d->table, entry, FED_WORK_REMOVING, "", NULL);
        agent_entry_plan(entry, AGENT_STEP_READ, now_ms);
    }
    d->table.revision = 0;
    d->table.forgotten = true;
    agent_table_reindex(&d->table);
    persist_soon(d);
    agent_apply_kick(d->apply);
}
