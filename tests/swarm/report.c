/* report.c - what an agent says of its works: applied, at once, unless it was told to say that they
 * fail. Sequence and waits are
 * those of docs/protocol.md, section 9.1. */
#include "tests/swarm/swarm.h"

#define COALESCE_MS 1000u
#define REQUEST_TIMEOUT_MS 60000u
#define RETRY_FLOOR_MS 2000u
#define RETRY_CEILING_MS 60000u

static const char facts[] = "{\"kubernetesVersion\":\"v1.34.4\",\"healthz\":\"ok\",\"nodes\":3,"
                            "\"allocatable\":{\"cpu\":\"12000m\",\"memory\":\"25165824Ki\"},"
                            "\"region\":\"eu-west\",\"zones\":[\"a\",\"b\"]}";

static void set_timer(struct swarm_agent *agent, uint64_t due_ms)
{
    agent->report_set = true;
    agent->swarm->loop->timer_set(agent->swarm->loop->ctx, agent->report_timer, due_ms);
}

void swarm_report_soon(struct swarm_agent *agent)
{
    if (agent->at == SWARM_READY && !agent->report_set && !agent->reporting)
        set_timer(agent, swarm_now_ms(agent->swarm) + COALESCE_MS);
}

static void wait_after_failure(struct swarm_agent *agent, uint32_t asked_s)
{
    agent->report_full = true; /* nobody knows whether it arrived */
    set_timer(
        agent, agent_retry_failed(&agent->report_retry, swarm_now_ms(agent->swarm), RETRY_FLOOR_MS,
                   RETRY_CEILING_MS, swarm_spread(agent->swarm), asked_s * 1000u));
}

static void taken(struct swarm_agent *agent)
{
    agent->swarm->counts.reports++;
    agent->hub_seq++;
    agent_retry_reset(&agent->report_retry);
    swarm_event_told(agent);
    if (agent->news || agent->report_full)
        swarm_report_soon(agent);
}

static void refused(
    struct swarm_agent *agent, enum fed_err err, const struct fed_link_message *message)
{
    struct swarm_counts *counts = &agent->swarm->counts;

    if (!err && message->code == FED_LINK_CONFLICT) {
        counts->conflicts++;
        agent->report_full = true;
        if (agent->report_retry.attempts == 0) {
            agent->report_retry.attempts++; /* once at once */
            set_timer(agent, swarm_now_ms(agent->swarm));
            return;
        }
    } else if (!err && message->code == FED_LINK_UNAVAILABLE) {
        counts->later++;
    } else {
        counts->errors++;
        if (err)
            swarm_trouble(agent->swarm, "%s: report: %s", agent->name, fed_err_text(err));
        else
            swarm_trouble(agent->swarm, "%s: report: %u.%02u " FED_SPAN_FMT, agent->name,
                message->code / 100, message->code % 100, FED_SPAN_ARG(message->payload));
    }
    wait_after_failure(agent, err ? 0 : message->max_age_s);
}

static void on_answer(void *ctx, enum fed_err err, const struct fed_link_message *message,
    const struct fed_diag *diag)
{
    struct swarm_agent *agent = ctx;

    (void)diag;
    if (!agent->reporting || err == FED_ERR_CLOSED)
        return;
    agent->reporting = false;
    if (!err && message->code == FED_LINK_CHANGED)
        taken(agent);
    else
        refused(agent, err, message);
}

/* What it says is no longer dirty: should it be lost, the next report is a full one. */
static enum fed_err put_report(struct swarm_agent *agent, struct fed_buf *out)
{
    struct swarm_bundle *bundle = &agent->bundle;
    struct fed_report report = {.full = agent->report_full,
        .epoch = bundle->epoch,
        .revision = bundle->revision,
        .seq = agent->hub_seq + 1,
        .facts = agent->report_full ? fed_span_text(facts) : (struct fed_span){0}};
    size_t size = (bundle->n_works + 1) * sizeof(struct fed_report_entry);
    struct fed_report_entry *entries = fed_alloc_get(agent->swarm->mem, size);

    if (!entries)
        return FED_ERR_NOMEM;
    for (size_t i = 0; i < bundle->n_works; i++) {
        struct swarm_note *note = &bundle->notes[i];

        if (!report.full && !note->dirty)
            continue;
        entries[report.n_entries++] = (struct fed_report_entry){.index = i,
            .state = agent->failing ? FED_WORK_FAILED : FED_WORK_APPLIED,
            .health = agent->failing ? FED_HEALTH_UNKNOWN : FED_HEALTH_HEALTHY,
            .deed = (enum fed_work_deed)note->deed,
            .reason = fed_span_text(agent->failing ? "UpdateFailed" : ""),
            .message = fed_span_text(agent->failing ? "as the swarm was told" : ""),
            .generation = note->generation};
        note->dirty = false;
        note->deed = FED_DEED_NONE;
    }
    report.entries = entries;
    fed_report_put(out, &report);
    fed_alloc_free(agent->swarm->mem, entries, size);
    return fed_buf_err(out);
}

static void send_report(struct swarm_agent *agent)
{
    struct fed_buf body;
    enum fed_err err;

    fed_buf_init(&body, agent->swarm->mem, FED_REPORT_MAX);
    err = put_report(agent, &body);
    if (!err)
        err = agent->link.port->request(agent->link.port->ctx, FED_LINK_POST, FED_LINK_PATH_REPORT,
            NULL, fed_buf_span(&body), REQUEST_TIMEOUT_MS, on_answer, agent);
    fed_buf_fini(&body);
    if (err) {
        agent->swarm->counts.errors++;
        swarm_trouble(agent->swarm, "%s: report: %s", agent->name, fed_err_text(err));
        wait_after_failure(agent, 0);
        return;
    }
    agent->reporting = true;
    agent->report_revision = agent->bundle.revision;
    agent->report_full = agent->news = false;
}

void swarm_report_timer(void *ctx)
{
    struct swarm_agent *agent = ctx;

    agent->report_set = false;
    if (agent->at == SWARM_READY && !agent->reporting && (agent->news || agent->report_full))
        send_report(agent);
}

void swarm_report_full(struct swarm_agent *agent)
{
    agent->report_full = true;
    if (agent->at == SWARM_READY && !agent->reporting)
        set_timer(agent, swarm_now_ms(agent->swarm));
}

void swarm_report_up(struct swarm_agent *agent)
{
    if (agent->news || agent->report_full)
        swarm_report_soon(agent);
}

void swarm_report_down(struct swarm_agent *agent)
{
    if (agent->reporting)
        agent->report_full = true;
    agent->reporting = false;
    agent->report_set = false;
    agent->swarm->loop->timer_stop(agent->swarm->loop->ctx, agent->report_timer);
}
