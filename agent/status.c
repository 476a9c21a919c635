/* status.c - what `fedlet status` shows of a running agent (see daemon.h). */
#include "agent/daemon_inner.h"
#include "agent/wait.h"

#include "proto/base/text.h"
#include "proto/doc/doc.h"

#include <string.h>

struct counts {
    int64_t total;
    int64_t applied;
    int64_t pending; /* pending, waiting, and removals that are not done */
    int64_t failed;
    int64_t kept;
};

static struct counts count(const struct agent_daemon *d)
{
    struct counts c = {0};

    for (size_t i = 0; i < d->table.n; i++) {
        const struct agent_entry *entry = d->table.at[i];

        c.kept += entry->kept;
        if (!entry->in_manifest)
            continue;
        c.total++;
        if (entry->state == FED_WORK_APPLIED)
            c.applied++;
        else if (entry->state == FED_WORK_FAILED)
            c.failed++;
        else
            c.pending++;
    }
    return c;
}

/* Sets members of one object until one fails. */
struct setter {
    struct fed_doc *doc;
    enum fed_err err;
};

static void set_int(struct setter *s, const char *key, uint64_t value)
{
    if (!s->err)
        s->err = fed_doc_set_int(
            s->doc, key, value > FED_DOC_INT_MAX ? FED_DOC_INT_MAX : (int64_t)value);
}

static void set_text(struct setter *s, const char *key, const char *value)
{
    if (!s->err)
        s->err = fed_doc_set_text(s->doc, key, value);
}

static struct setter child(struct setter *parent)
{
    struct setter s = {.doc = fed_doc_new_object(), .err = parent->err};

    if (!s.doc)
        s.err = FED_ERR_NOMEM;
    return s;
}

static void set_child(struct setter *parent, const char *key, struct setter *s)
{
    if (!parent->err)
        parent->err = s->err;
    if (parent->err)
        fed_doc_free(s->doc);
    else
        parent->err = fed_doc_set_take(parent->doc, key, s->doc);
}

static void put_works(struct setter *s, const struct agent_daemon *d)
{
    struct counts c = count(d);
    struct setter works = child(s);

    set_int(&works, "total", (uint64_t)c.total);
    set_int(&works, "applied", (uint64_t)c.applied);
    set_int(&works, "pending", (uint64_t)c.pending);
    set_int(&works, "failed", (uint64_t)c.failed);
    set_int(&works, "removals_waiting", agent_consent_waiting(&d->table));
    set_child(s, "works", &works);
}

static void put_bytes(struct setter *s, struct agent_daemon *d)
{
    struct setter bytes = child(s);
    struct fed_link_stats process;
    struct agent_traffic month;

    agent_traffic_now(&d->traffic, &process, &month);
    set_int(&bytes, "sent", process.sent_bytes);
    set_int(&bytes, "received", process.received_bytes);
    set_int(&bytes, "month_sent", month.sent_bytes);
    set_int(&bytes, "month_received", month.received_bytes);
    set_child(s, "bytes", &bytes);
}

/* The way to the hub: what else there is, and when something is tried next. */
static void put_dial(
    struct setter *s, const struct agent_daemon *d, const struct agent_sync_status *link)
{
    struct setter dial = child(s);
    struct fed_doc *hubs = fed_doc_new_array();

    set_text(&dial, "state", agent_dial_state_name(link->dial.state));
    if (!dial.err && !hubs)
        dial.err = FED_ERR_NOMEM;
    for (size_t i = 0; i < d->options.sync.n_hubs && !dial.err; i++)
        dial.err = fed_doc_append_text(hubs, d->options.sync.hubs[i]);
    if (dial.err)
        fed_doc_free(hubs);
    else
        dial.err = fed_doc_set_take(dial.doc, "hubs", hubs);
    if (link->dial.next_try_unix_s > 0)
        set_int(&dial, "next_try_unix_s", (uint64_t)link->dial.next_try_unix_s);
    if (link->dial.coap_try_unix_s > 0)
        set_int(&dial, "coap_try_unix_s", (uint64_t)link->dial.coap_try_unix_s);
    if (!link->connected)
        set_text(&dial, "last_error", link->dial.why);
    set_child(s, "dial", &dial);
}

static void put_certificate(struct setter *s, const struct agent_daemon *d)
{
    struct setter certificate = child(s);
    struct agent_renew_status renew;

    agent_renew_status(d->renew, &renew);
    if (!certificate.err)
        certificate.err =
            fed_doc_set_int(certificate.doc, "not_after_unix_s", renew.not_after_unix_s);
    if (!certificate.err)
        certificate.err = fed_doc_set_int(certificate.doc, "renewal_unix_s", renew.due_unix_s);
    set_child(s, "certificate", &certificate);
}

static void put_member(struct setter *s, const struct agent_daemon *d)
{
    struct setter member = child(s);
    struct agent_probe_status probe;

    agent_probe_status(d->probe, &probe);
    if (!member.err)
        member.err = fed_doc_set_bool(member.doc, "reachable", probe.reachable);
    set_text(&member, "version", probe.version);
    set_text(&member, "health", probe.why);
    set_child(s, "api_server", &member);
}

/* The hub's time is what certificates are judged by; this machine's may be anything. */
static void put_clock(struct setter *s, const struct agent_daemon *d)
{
    struct setter clock = child(s);
    struct agent_renew_status renew;

    agent_renew_status(d->renew, &renew);
    set_text(&clock, "trust", renew.hub_known ? "hub" : "machine");
    if (renew.hub_known && !clock.err)
        clock.err = fed_doc_set_int(clock.doc, "ahead_s", renew.ahead_s);
    set_child(s, "clock", &clock);
}

struct waits {
    bool public;
    struct setter *parent;
    struct fed_doc *list;
    size_t n;
};

static void put_wait(void *ctx, const struct agent_wait *wait)
{
    struct waits *w = ctx;
    struct setter one;

    if (w->n++ >= AGENT_STATUS_WAITS_MAX || w->parent->err)
        return;
    one = child(w->parent);
    set_text(&one, "for", wait->what);
    if (wait->object && wait->object[0])
        set_text(&one, "object", wait->object);
    if (wait->reason && wait->reason[0])
        set_text(&one, "reason", wait->reason);
    if (!w->public || !fed_span_starts(fed_span_text(wait->object ? wait->object : ""), "Secret "))
        set_text(&one, "message", wait->message);
    if (wait->since_unix_s > 0)
        set_int(&one, "since_unix_s", (uint64_t)wait->since_unix_s);
    if (wait->next_try_unix_s > 0)
        set_int(&one, "next_try_unix_s", (uint64_t)wait->next_try_unix_s);
    if (wait->limit_s > 0)
        set_int(&one, "limit_s", wait->limit_s);
    w->parent->err = one.err;
    if (one.err)
        fed_doc_free(one.doc);
    else
        w->parent->err = fed_doc_append_take(w->list, one.doc);
}

static void put_waits(struct setter *s, struct agent_daemon *d, bool public)
{
    struct waits w = {.public = public, .parent = s, .list = fed_doc_new_array()};

    if (!w.list) {
        s->err = FED_ERR_NOMEM;
        return;
    }
    agent_daemon_waits(d, put_wait, &w);
    if (s->err)
        fed_doc_free(w.list);
    else
        s->err = fed_doc_set_take(s->doc, "waits", w.list);
    set_int(s, "n_waits", w.n);
}

static enum fed_err put_status(struct agent_daemon *d, bool public, struct fed_buf *out)
{
    struct setter s = {.doc = fed_doc_new_object()};
    struct agent_sync_status link;

    if (!s.doc)
        return FED_ERR_NOMEM;
    agent_sync_status(d->sync, &link);
    set_text(&s, "cluster", d->options.sync.identity->cluster);
    set_text(&s, "hub", link.dial.hub);
    set_text(&s, "link", link.dial.link);
    if (!s.err)
        s.err = fed_doc_set_bool(s.doc, "connected", link.connected);
    set_int(&s, "since_unix_s", link.since_unix_s < 0 ? 0 : (uint64_t)link.since_unix_s);
    put_dial(&s, d, &link);
    set_int(&s, "epoch", d->table.epoch);
    set_int(&s, "revision", d->table.revision);
    put_works(&s, d);
    put_bytes(&s, d);
    put_certificate(&s, d);
    if (!s.err)
        s.err = fed_doc_set_bool(s.doc, "clone_suspected", link.copied);
    put_member(&s, d);
    put_clock(&s, d);
    put_waits(&s, d, public);
    if (!s.err)
        s.err = fed_doc_put(out, s.doc);
    fed_doc_free(s.doc);
    return s.err ? s.err : fed_buf_err(out);
}

enum fed_err agent_daemon_status_json(struct agent_daemon *d, struct fed_buf *out)
{
    return put_status(d, false, out);
}

enum fed_err agent_daemon_status_public(struct agent_daemon *d, struct fed_buf *out)
{
    return put_status(d, true, out);
}

/* ---- for people ---- */

static void list_works(const struct agent_daemon *d, struct fed_buf *out)
{
    char name[AGENT_ENTRY_NAME_SIZE];
    size_t listed = 0;

    for (size_t i = 0; i < d->table.n; i++) {
        const struct agent_entry *entry = d->table.at[i];
        bool shown = entry->kept || entry->waits || (entry->removing && !entry->dropped) ||
                     (entry->in_manifest && (entry->state != FED_WORK_APPLIED || entry->reason[0]));

        if (!shown)
            continue;
        if (listed++ == AGENT_STATUS_LIST_MAX) {
            fed_buf_put_text(out, "  ...\n");
            return;
        }
        fed_buf_printf(out, "  %-9s %s",
            entry->kept    ? "Kept"
            : entry->waits ? "Leaving"
                           : fed_work_state_name((enum fed_work_state)entry->state),
            agent_entry_name(entry, name));
        if (entry->kept)
            fed_buf_put_text(out, ": not named by the hub's new epoch, left in place");
        else if (entry->waits)
            fed_buf_put_text(out, ": " FED_CONSENT_REASON);
        else if (entry->reason[0] || entry->message)
            fed_buf_printf(out, ": %s%s%s", entry->reason,
                entry->reason[0] && entry->message ? ": " : "",
                entry->message ? entry->message : "");
        fed_buf_put_u8(out, '\n');
    }
}

/* What is in place and not well. */
static void list_ill(const struct agent_daemon *d, struct fed_buf *out)
{
    char name[AGENT_ENTRY_NAME_SIZE];
    size_t listed = 0;

    for (size_t i = 0; i < d->table.n; i++) {
        const struct agent_entry *entry = d->table.at[i];
        const char *message = agent_entry_why_message(entry);

        if (!entry->in_manifest || entry->state != FED_WORK_APPLIED || !entry->why)
            continue;
        if (listed++ == AGENT_STATUS_LIST_MAX) {
            fed_buf_put_text(out, "  ...\n");
            return;
        }
        fed_buf_printf(out, "  %-11s %s: %s%s%s\n",
            fed_work_health_name((enum fed_work_health)entry->health),
            agent_entry_name(entry, name), agent_entry_why(entry), message[0] ? ": " : "", message);
    }
}

struct wait_text {
    struct agent_daemon *d;
    struct fed_buf *out;
    size_t n;
};

static void list_wait(void *ctx, const struct agent_wait *wait)
{
    struct wait_text *t = ctx;
    int64_t now_s = fed_loop_unix_s(t->d->ports.loop);
    char text[FED_TEXT_TIME_SIZE];

    if (t->n == AGENT_STATUS_LIST_MAX)
        fed_buf_put_text(t->out, "  ...\n");
    if (t->n++ >= AGENT_STATUS_LIST_MAX)
        return;
    if (t->n == 1)
        fed_buf_put_text(t->out, "Waits:\n");
    fed_buf_printf(t->out, "  %s%s%s: %s", wait->what, wait->object && wait->object[0] ? " " : "",
        wait->object ? wait->object : "", wait->message);
    if (wait->since_unix_s > 0) {
        fed_text_age(now_s - wait->since_unix_s, text);
        fed_buf_printf(t->out, "; for %s", text);
    }
    if (wait->next_try_unix_s > 0) {
        int64_t left_s = wait->next_try_unix_s - now_s;

        fed_buf_printf(t->out, "; next try in %lld s, at most every %lu s",
            (long long)(left_s > 0 ? left_s : 0), (unsigned long)wait->limit_s);
    }
    fed_buf_put_u8(t->out, '\n');
}

void agent_daemon_summary(struct agent_daemon *d, struct fed_buf *out)
{
    struct counts c = count(d);
    struct agent_sync_status link;

    agent_sync_status(d->sync, &link);
    fed_buf_printf(out,
        "%s over %s; API server %s; revision %llu; works: %lld, %lld applied, %lld pending, %lld "
        "failed",
        link.connected ? "connected" : "not connected", link.dial.link,
        agent_probe_is_reachable(d->probe) ? "reachable" : "not reachable",
        (unsigned long long)d->table.revision, (long long)c.total, (long long)c.applied,
        (long long)c.pending, (long long)c.failed);
}

static void text_link(
    const struct agent_daemon *d, const struct agent_sync_status *link, struct fed_buf *out)
{
    int64_t now_s = fed_loop_unix_s(d->ports.loop);
    char since[FED_TEXT_TIME_SIZE];

    fed_text_time(link->since_unix_s, since);
    fed_buf_printf(out, "Hub:         %s, %s since %s\n", link->dial.hub,
        link->connected ? "connected" : "not connected", since);
    if (!link->connected && link->dial.why[0])
        fed_buf_printf(out, "Last error:  %s\n", link->dial.why);
    if (link->dial.next_try_unix_s > 0)
        fed_buf_printf(
            out, "Next try:    in %lld s\n", (long long)(link->dial.next_try_unix_s - now_s));
    if (link->dial.coap_try_unix_s > 0)
        fed_buf_printf(out, "CoAP:        does not get through, next try in %lld s\n",
            (long long)(link->dial.coap_try_unix_s - now_s));
    if (d->options.sync.n_hubs > 1)
        fed_buf_put_text(out, "Addresses:  ");
    for (size_t i = 0; i < d->options.sync.n_hubs && d->options.sync.n_hubs > 1; i++)
        fed_buf_printf(out, " %s", d->options.sync.hubs[i]);
    if (d->options.sync.n_hubs > 1)
        fed_buf_put_text(out, "\n");
}

enum fed_err agent_daemon_status_text(struct agent_daemon *d, struct fed_buf *out)
{
    struct counts c = count(d);
    struct agent_sync_status link;
    struct fed_link_stats process;
    struct agent_traffic month;
    char until[FED_TEXT_TIME_SIZE];
    char due[FED_TEXT_TIME_SIZE];
    struct agent_renew_status renew;

    agent_sync_status(d->sync, &link);
    agent_traffic_now(&d->traffic, &process, &month);
    agent_renew_status(d->renew, &renew);
    fed_text_time(renew.not_after_unix_s, until);
    fed_text_time(renew.due_unix_s, due);
    fed_buf_printf(out, "Cluster:     %s\n", d->options.sync.identity->cluster);
    text_link(d, &link, out);
    fed_buf_printf(out, "API server:  %s\n",
        agent_probe_is_reachable(d->probe) ? "reachable" : "not reachable");
    fed_buf_printf(out, "Bundle:      revision %llu of epoch %lu\n",
        (unsigned long long)d->table.revision, (unsigned long)d->table.epoch);
    fed_buf_printf(out, "Works:       %lld: %lld applied, %lld pending, %lld failed\n",
        (long long)c.total, (long long)c.applied, (long long)c.pending, (long long)c.failed);
    if (agent_consent_waiting(&d->table) > 0)
        fed_buf_printf(out,
            "Removals:    %zu works left the bundle and stay until somebody consents at the hub: "
            "fedctl approve %s --removal\n",
            agent_consent_waiting(&d->table), d->options.sync.identity->cluster);
    fed_buf_printf(out, "Traffic:     %llu B sent, %llu B received; this month %llu and %llu\n",
        (unsigned long long)process.sent_bytes, (unsigned long long)process.received_bytes,
        (unsigned long long)month.sent_bytes, (unsigned long long)month.received_bytes);
    fed_buf_printf(
        out, "Certificate: valid until %s, a new one is asked for from %s on\n", until, due);
    if (link.copied)
        fed_buf_put_text(out,
            "Clone:       another machine came to the hub with this identity and was refused\n");
    list_works(d, out);
    list_ill(d, out);
    agent_daemon_waits(d, list_wait, &(struct wait_text){.d = d, .out = out});
    return fed_buf_err(out);
}
