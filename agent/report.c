/* report.c - see report.h. The entries of the message under way are remembered, so that a lost
 * answer can put them back; an entry that is dropped stays in the table until its report was
 * answered. */
#include "agent/report.h"

#include "agent/consent.h"
#include "agent/trial.h"
#include "proto/bundle/report.h"
#include "proto/link/link.h"

#include <stdio.h>
#include <string.h>

#define TIMEOUT_MS 60000u
#define RETRY_FLOOR_MS 2000u
#define RETRY_CEILING_MS 60000u
#define ENTRIES_MAX 512u          /* of one message: at two bytes each it is full by then */
#define REMOVED_MAX 700u          /* of one message */
#define REMOVED_BYTES (40u << 10) /* of one message: leaves room for all else in FED_REPORT_MAX */
#define REMOTE_CHUNK (16u << 10)  /* messages with remote statuses may be larger */

struct agent_report {
    struct agent_ports ports;
    struct agent_table *table;
    struct agent_report_events events;
    struct fed_timer *timer;
    struct fed_timer *moved_timer; /* the next version that is due */
    struct fed_buf facts;
    bool facts_due;
    bool link_up;
    bool begun; /* the link was up once in this process */
    bool in_flight;
    bool full_due; /* the next message begins a full report */
    bool in_full;  /* messages of a full report are still to come */
    bool news;     /* something besides entries: the revision, a finished removal */
    bool leftover; /* entries that did not fit the message under way */
    bool urgent;   /* asked for while a message was under way */
    bool timer_set;
    uint32_t epoch; /* of the last message */
    uint64_t seq;   /* acknowledged last; 0: none by this process */
    uint64_t sent_seq;
    uint64_t knows;         /* of the hub (proto/link/knows.h) */
    uint64_t hold_until_ms; /* after a refusal, and at the beginning */
    struct agent_retry retry;
    struct agent_entry **sent; /* entries of the message under way */
    size_t n_sent;
    size_t cap_sent;
    bool sent_facts;
};

static uint64_t now_of(const struct agent_report *r)
{
    return fed_loop_now_ms(r->ports.loop);
}

static void set_timer(struct agent_report *r, uint64_t due_ms)
{
    agent_timer_at(&r->ports, r->timer, due_ms);
    r->timer_set = true;
}

static bool is_reported(const struct agent_entry *entry)
{
    return entry->in_manifest;
}

static bool has_news(const struct agent_report *r)
{
    if (r->full_due || r->in_full || r->news || r->facts_due)
        return true;
    for (size_t i = 0; i < r->table->n; i++) {
        if (r->table->at[i]->report_due)
            return true;
    }
    return false;
}

/* ---- building a message ---- */

struct message {
    struct fed_arena arena;
    struct fed_report report;
    struct fed_report_entry *entries;
    struct fed_report_removed *removed;
    struct fed_report_remote *remote;
    struct fed_report_scale *scales;
    size_t size;         /* estimate, of all but the removals */
    size_t removed_size; /* at most */
};

static size_t text_size(const char *text, size_t max)
{
    size_t len = text ? strlen(text) : 0;

    return len < max ? len : max;
}

/* Lists the removal, or notes that the list is cut: then the hub takes nothing for gone. */
static enum fed_err put_removed(
    struct agent_report *r, struct message *m, struct agent_entry *entry)
{
    const struct fed_work *w = &entry->work;
    const char *reason = entry->waits ? FED_CONSENT_REASON : entry->reason;
    const char *message = entry->waits ? AGENT_CONSENT_SAYS : entry->message;
    size_t size = w->api_version.len + w->kind.len + w->ns.len + w->name.len + 12 +
                  text_size(reason, FED_REPORT_REASON_MAX) +
                  text_size(message, FED_REPORT_MESSAGE_MAX);
    struct fed_buf id;

    if (entry->report_due)
        r->sent[r->n_sent++] = entry;
    if (m->report.n_removed == REMOVED_MAX || m->removed_size + size > REMOVED_BYTES) {
        m->report.removed_cut = true;
        return FED_OK;
    }
    m->removed_size += size;
    fed_buf_init(&id, &m->arena.alloc, FED_WORK_ID_MAX);
    fed_work_put_id(&id, w);
    if (fed_buf_err(&id))
        return fed_buf_err(&id);
    m->removed[m->report.n_removed++] = (struct fed_report_removed){.id = fed_buf_span(&id),
        .state = entry->waits ? FED_WORK_WAITING : (enum fed_work_state)entry->state,
        .reason = fed_span_text(reason),
        .message = fed_span_text(message)};
    return FED_OK;
}

/* A failure is that of a creation as long as there is no object; what the label forbids is
 * always an update (KubeFed's managed dispatcher). */
static enum fed_work_deed deed_of(const struct agent_entry *entry)
{
    if (entry->state != FED_WORK_FAILED)
        return (enum fed_work_deed)entry->deed;
    return entry->uid[0] || strcmp(entry->reason, "ManagedLabelFalse") == 0 ? FED_DEED_UPDATED
                                                                            : FED_DEED_CREATED;
}

/* Why an applied object is not well comes before what else there is to say of it. */
static void say_why(
    const struct agent_report *r, const struct agent_entry *entry, struct fed_report_entry *out)
{
    if (entry->state == FED_WORK_APPLIED && !(r->knows & FED_LINK_KNOWS_NOTE))
        return;
    out->reason = fed_span_text(entry->reason);
    out->message = fed_span_text(entry->message);
    if (entry->state == FED_WORK_APPLIED && entry->health == FED_HEALTH_UNHEALTHY && entry->why) {
        out->reason = fed_span_text(agent_entry_why(entry));
        out->message = fed_span_text(agent_entry_why_message(entry));
    }
}

/* Names and version strings are copied: the entry may change while the message waits for its
 * answer. */
static enum fed_err put_entry(struct agent_report *r, struct message *m, struct agent_entry *entry)
{
    struct fed_report_entry *out = &m->entries[m->report.n_entries];
    struct fed_buf rv;
    uint64_t generation;
    uint64_t resource_version;

    agent_entry_version(entry, &generation, &resource_version);
    fed_buf_init(&rv, &m->arena.alloc, 32);
    fed_buf_printf(&rv, "%llu", (unsigned long long)resource_version);
    if (fed_buf_err(&rv))
        return fed_buf_err(&rv);
    *out = (struct fed_report_entry){.index = entry->index,
        .state = (enum fed_work_state)entry->state,
        .health = (enum fed_work_health)entry->health,
        .deed = deed_of(entry),
        .in_place = agent_trial_is_back(entry) && (r->knows & FED_LINK_KNOWS_IN_PLACE),
        .generation = generation};
    if (generation == 0)
        out->resource_version = fed_buf_span(&rv);
    say_why(r, entry, out);
    m->size +=
        4 + out->resource_version.len + out->reason.len + out->message.len + entry->remote_len;
    m->report.n_entries++;
    if (entry->remote && (r->knows & FED_LINK_KNOWS_STATUS))
        m->remote[m->report.n_remote++] = (struct fed_report_remote){
            .index = entry->index, .status = fed_span_of(entry->remote, entry->remote_len)};
    if (entry->scale_due && (r->knows & FED_LINK_KNOWS_SCALE)) {
        m->scales[m->report.n_scales] = entry->scale;
        m->scales[m->report.n_scales++].index = entry->index;
        m->size += 16;
    }
    entry->deed_sent = entry->state == FED_WORK_APPLIED && entry->deed != FED_DEED_NONE;
    r->sent[r->n_sent++] = entry;
    return FED_OK;
}

static bool fits(const struct message *m, const struct agent_entry *entry)
{
    size_t limit = entry->remote || m->report.n_remote ? REMOTE_CHUNK : AGENT_REPORT_CHUNK;
    size_t message = entry->message ? strlen(entry->message) : 0;

    if (m->report.n_entries == 0)
        return true;
    return m->report.n_entries < ENTRIES_MAX &&
           m->size + message + text_size(entry->why, AGENT_HEALTH_REASON_MAX) +
                   strlen(agent_entry_why_message(entry)) + entry->remote_len + 40 <=
               limit;
}

static enum fed_err put_entries(struct agent_report *r, struct message *m, bool *more)
{
    enum fed_err err = FED_OK;

    *more = false;
    for (size_t i = 0; i < r->table->n && !err; i++) {
        struct agent_entry *entry = r->table->at[i];

        if ((entry->removing && !entry->dropped) || entry->waits) {
            err = put_removed(r, m, entry);
        } else if (!entry->report_due) {
            continue;
        } else if (!is_reported(entry)) {
            r->sent[r->n_sent++] = entry; /* told by its absence */
        } else if (!fits(m, entry)) {
            *more = true;
        } else {
            err = put_entry(r, m, entry);
        }
    }
    return err;
}

static enum fed_err build(struct agent_report *r, struct message *m, struct fed_buf *out)
{
    struct fed_alloc *mem = &m->arena.alloc;
    bool more = false;
    enum fed_err err;

    m->entries = fed_alloc_array(mem, ENTRIES_MAX, sizeof *m->entries);
    m->remote = fed_alloc_array(mem, ENTRIES_MAX, sizeof *m->remote);
    m->scales = fed_alloc_array(mem, ENTRIES_MAX, sizeof *m->scales);
    m->removed = fed_alloc_array(mem, REMOVED_MAX, sizeof *m->removed);
    r->cap_sent = r->table->n + 1;
    r->sent = fed_alloc_array(r->ports.mem, r->cap_sent, sizeof(struct agent_entry *));
    if (!m->entries || !m->remote || !m->scales || !m->removed || !r->sent)
        return FED_ERR_NOMEM;
    m->size = 24 + (r->facts_due ? r->facts.len : 0);
    err = put_entries(r, m, &more);
    if (err)
        return err;
    r->leftover = more;
    r->in_full = r->in_full && more;
    m->report.more = r->in_full;
    m->report.epoch = r->table->epoch;
    m->report.revision = r->table->revision;
    m->report.seq = r->seq + 1;
    m->report.entries = m->entries;
    m->report.removed = m->removed;
    m->report.remote = m->remote;
    m->report.scales = m->scales;
    if (r->facts_due)
        m->report.facts = fed_buf_span(&r->facts);
    fed_report_put(out, &m->report);
    return fed_buf_err(out);
}

/* ---- sending ---- */

static void free_sent(struct agent_report *r)
{
    for (size_t i = 0; i < r->n_sent; i++)
        r->sent[i]->reporting = false;
    fed_alloc_free(r->ports.mem, r->sent, r->cap_sent * sizeof(struct agent_entry *));
    r->sent = NULL;
    r->n_sent = 0;
    r->cap_sent = 0;
}

/* The hub has it (or takes the whole anew): what was not changed since is told. */
static void told(struct agent_report *r)
{
    r->seq = r->sent_seq;
    for (size_t i = 0; i < r->n_sent; i++) {
        r->sent[i]->reporting = false;
        if (r->sent[i]->deed_sent)
            r->sent[i]->deed = FED_DEED_NONE;
        r->sent[i]->deed_sent = false;
    }
    r->n_sent = 0;
    agent_table_sweep(r->table);
}

static void put_back(struct agent_report *r)
{
    for (size_t i = 0; i < r->n_sent; i++) {
        r->sent[i]->report_due = true;
        r->sent[i]->deed_sent = false;
    }
    r->facts_due = r->facts_due || r->sent_facts;
    r->news = true;
    r->full_due = true; /* what the hub holds now is not known for sure */
    r->in_full = false;
}

static void try_later(struct agent_report *r, uint32_t asked_s)
{
    r->hold_until_ms = agent_retry_failed(&r->retry, now_of(r), RETRY_FLOOR_MS, RETRY_CEILING_MS,
        agent_spread(&r->ports), asked_s > 3600 ? 3600000u : asked_s * 1000u);
    set_timer(r, r->hold_until_ms);
}

static void answered(struct agent_report *r, const struct fed_link_message *message)
{
    if (message->code / 100 == 2) {
        agent_retry_reset(&r->retry);
        told(r);
        return;
    }
    put_back(r);
    if (message->code == FED_LINK_CONFLICT) {
        fed_log(r->ports.log, FED_LOG_INFO, "report: the hub asks for a full one");
    } else {
        fed_log(r->ports.log, r->retry.attempts ? FED_LOG_DEBUG : FED_LOG_WARN,
            "report: the hub answered %u.%02u", message->code / 100, message->code % 100);
    }
    try_later(r, message->max_age_s);
}

static void on_answer(void *ctx, enum fed_err err, const struct fed_link_message *message,
    const struct fed_diag *diag)
{
    struct agent_report *r = ctx;

    (void)diag;
    if (!r->in_flight)
        return; /* the link went down meanwhile */
    r->in_flight = false;
    if (err) {
        put_back(r);
        try_later(r, 0);
    } else {
        answered(r, message);
    }
    free_sent(r);
    if (r->timer_set || !has_news(r))
        return;
    if (r->in_full || r->leftover || r->urgent)
        agent_report_now(r);
    else
        agent_report_soon(r);
}

static void begin_full(struct agent_report *r)
{
    r->full_due = false;
    r->in_full = true;
    for (size_t i = 0; i < r->table->n; i++) {
        r->table->at[i]->report_due = true;
        r->table->at[i]->scale_due = r->table->at[i]->scale_known;
    }
    r->facts_due = r->facts.len > 0;
    r->events.full(r->events.ctx);
}

static void mark_sent(struct agent_report *r)
{
    for (size_t i = 0; i < r->n_sent; i++) {
        struct agent_entry *entry = r->sent[i];

        entry->report_due = entry->scale_due = false;
        entry->version_due = false;
        entry->reporting = true;
        fed_alloc_free(r->ports.mem, entry->remote, entry->remote_len);
        entry->remote = NULL;
        entry->remote_len = 0;
    }
    r->sent_facts = r->facts_due;
    r->facts_due = false;
    r->news = false;
}

static void send(struct agent_report *r)
{
    struct message m = {0};
    struct fed_buf out;
    enum fed_err err;

    /* A hub that was restored may hold another message of the number that was acknowledged last:
     * the one whose answer was lost, before a full report took its place. */
    if (r->full_due || r->epoch != r->table->epoch)
        begin_full(r);
    r->epoch = r->table->epoch;
    m.report.full = r->in_full;
    fed_arena_init(&m.arena, r->ports.mem, 1u << 20);
    fed_buf_init(&out, r->ports.mem, FED_REPORT_MAX);
    err = build(r, &m, &out);
    if (!err)
        err = r->ports.link->request(r->ports.link->ctx, FED_LINK_POST, FED_LINK_PATH_REPORT, NULL,
            fed_buf_span(&out), TIMEOUT_MS, on_answer, r);
    if (err) {
        fed_log(r->ports.log, FED_LOG_WARN, "report: %s", fed_err_text(err));
        r->full_due = r->full_due || m.report.full;
        r->in_full = false;
        free_sent(r);
        try_later(r, 0);
    } else {
        r->in_flight = true;
        r->sent_seq = m.report.seq;
        mark_sent(r);
    }
    fed_buf_fini(&out);
    fed_arena_fini(&m.arena);
}

void agent_report_now(struct agent_report *r)
{
    uint64_t now_ms = now_of(r);

    r->urgent = r->in_flight;
    if (!r->link_up || r->in_flight || !has_news(r) || r->table->revision == 0)
        return; /* without a bundle there is nothing that a report could refer to */
    if (now_ms < r->hold_until_ms) {
        set_timer(r, r->hold_until_ms);
        return;
    }
    agent_timer_stop(&r->ports, r->timer);
    r->timer_set = false;
    send(r);
}

/* ---- versions that the member moves ---- */

/* One that kept moving while it waited waits longer the next time. */
static void pace(struct agent_entry *entry, uint64_t now_ms)
{
    uint32_t gap_ms = entry->version_gap_ms;

    if (gap_ms == 0 || now_ms - entry->version_ms > gap_ms)
        gap_ms = AGENT_VERSION_GAP_FLOOR_MS;
    else
        gap_ms =
            gap_ms < AGENT_VERSION_GAP_CEILING_MS / 2 ? gap_ms * 2 : AGENT_VERSION_GAP_CEILING_MS;
    entry->version_gap_ms = gap_ms;
    entry->version_ms = now_ms + gap_ms;
}

/* Those whose time has come become news; the timer is set for the next one. */
static void ripen(struct agent_report *r)
{
    uint64_t now_ms = now_of(r);
    uint64_t next_ms = UINT64_MAX;
    bool any = false;

    agent_timer_stop(&r->ports, r->moved_timer);
    for (size_t i = 0; i < r->table->n; i++) {
        struct agent_entry *entry = r->table->at[i];

        if (!entry->version_due) {
            continue;
        } else if (entry->version_ms > now_ms) {
            next_ms = entry->version_ms < next_ms ? entry->version_ms : next_ms;
        } else {
            pace(entry, now_ms);
            entry->version_due = false;
            entry->report_due = any = true;
        }
    }
    if (any)
        agent_report_soon(r);
    if (next_ms != UINT64_MAX)
        agent_timer_at(&r->ports, r->moved_timer, next_ms);
}

static void on_moved_timer(void *ctx)
{
    ripen(ctx);
}

void agent_report_moved(struct agent_report *r)
{
    ripen(r);
}

static void on_timer(void *ctx)
{
    struct agent_report *r = ctx;

    r->timer_set = false;
    agent_report_now(r);
}

void agent_report_soon(struct agent_report *r)
{
    if (!r->timer_set && !r->in_flight && r->link_up)
        set_timer(r, now_of(r) + AGENT_REPORT_COALESCE_MS);
}

void agent_report_staged(struct agent_report *r)
{
    r->news = true;
    if (r->in_full) {
        r->in_full = false;
        r->full_due = true;
    }
    agent_report_soon(r);
}

enum fed_err agent_report_facts(struct agent_report *r, struct fed_span facts)
{
    if (fed_span_eq(fed_buf_span(&r->facts), facts))
        return FED_OK;
    fed_buf_clear(&r->facts);
    fed_buf_put(&r->facts, facts);
    if (fed_buf_err(&r->facts))
        return fed_buf_err(&r->facts);
    r->facts_due = true;
    agent_report_now(r);
    return FED_OK;
}

void agent_report_hub_knows(struct agent_report *r, uint64_t knows)
{
    r->knows = knows;
}

void agent_report_link_up(struct agent_report *r, uint64_t hub_seq)
{
    r->link_up = true;
    r->hold_until_ms = r->begun ? 0 : now_of(r) + AGENT_REPORT_FIRST_MS;
    r->begun = true;
    agent_retry_reset(&r->retry);
    if (r->seq == 0 || hub_seq != r->seq) {
        r->seq = hub_seq;
        r->full_due = true;
        r->in_full = false;
    }
    agent_report_now(r);
}

void agent_report_link_down(struct agent_report *r)
{
    r->link_up = false;
    agent_timer_stop(&r->ports, r->timer);
    r->timer_set = false;
    if (r->in_flight) {
        r->in_flight = false;
        put_back(r);
        free_sent(r);
    }
    r->full_due = r->full_due || r->in_full;
    r->in_full = false;
}

enum fed_err agent_report_new(const struct agent_ports *ports, struct agent_table *table,
    const struct agent_report_events *events, struct agent_report **out)
{
    struct agent_report *r = fed_alloc_zero(ports->mem, sizeof *r);
    enum fed_err err;

    if (!r)
        return FED_ERR_NOMEM;
    r->ports = *ports;
    r->table = table;
    r->events = *events;
    r->knows = FED_LINK_KNOWS_FIRST;
    fed_buf_init(&r->facts, ports->mem, FED_REPORT_FACTS_MAX);
    err = ports->loop->timer_new(ports->loop->ctx, on_timer, r, &r->timer);
    if (!err)
        err = ports->loop->timer_new(ports->loop->ctx, on_moved_timer, r, &r->moved_timer);
    if (err) {
        agent_report_free(r);
        return err;
    }
    *out = r;
    return FED_OK;
}

void agent_report_free(struct agent_report *r)
{
    if (!r)
        return;
    free_sent(r);
    fed_buf_fini(&r->facts);
    r->ports.loop->timer_free(r->ports.loop->ctx, r->timer);
    r->ports.loop->timer_free(r->ports.loop->ctx, r->moved_timer);
    fed_alloc_free(r->ports.mem, r, sizeof *r);
}
