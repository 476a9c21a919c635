/* apply_failed.c - requests that failed: what it means for the entry, and when the next one goes.
 */
#include "agent/apply_inner.h"

const char *apply_reason(const struct agent_entry *entry)
{
    return entry->uid[0] ? "UpdateFailed" : "CreationFailed";
}

void apply_retry(struct agent_apply *apply, struct agent_entry *entry, enum agent_step step,
    uint32_t floor_ms, uint32_t ceiling_ms, unsigned asked_s)
{
    uint32_t asked_ms = asked_s > 3600 ? 3600000u : asked_s * 1000u;

    entry->step = (uint8_t)step;
    entry->due_ms = agent_retry_failed(&entry->retry, apply_now(apply), floor_ms, ceiling_ms,
        agent_spread(&apply->ports), asked_ms);
}

static void log_refused(struct agent_apply *apply, const struct agent_entry *entry,
    enum agent_step step, const char *message)
{
    char name[AGENT_ENTRY_NAME_SIZE];
    uint64_t wait_ms = entry->due_ms - apply_now(apply);

    /* The first time only: the same refusal again is no news. */
    fed_log(apply->ports.log, entry->retry.attempts <= 1 ? FED_LOG_WARN : FED_LOG_DEBUG,
        "%s: %s: %s; again in %llu s", agent_entry_name(entry, name), agent_step_name(step),
        message, (unsigned long long)(wait_ms + 999) / 1000);
}

void apply_refused(struct agent_apply *apply, struct agent_entry *entry, enum agent_step step,
    const struct agent_answer *answer, unsigned retry_after_s, const char *reason)
{
    enum agent_verdict verdict = agent_answer_verdict(answer);
    bool removing = entry->removing;

    apply->counts.failed++;
    if (answer->status == 401)
        apply->events.trouble(apply->events.ctx);
    switch (verdict) {
    case AGENT_VERDICT_RETRY:
        apply_retry(apply, entry, step, RETRY_FLOOR_MS, RETRY_CEILING_MS, retry_after_s);
        /* 500 is also what a server-side apply with fields of the wrong type is answered with. */
        if (entry->retry.attempts > 1 && !removing)
            agent_entry_set(apply->table, entry,
                answer->status == 500 ? FED_WORK_FAILED : FED_WORK_WAITING, reason,
                answer->message);
        break;
    case AGENT_VERDICT_NAMESPACE:
        apply_retry(apply, entry, step, MISSING_FLOOR_MS, RETRY_CEILING_MS, retry_after_s);
        agent_entry_set(apply->table, entry, FED_WORK_WAITING, reason, answer->message);
        break;
    case AGENT_VERDICT_KIND:
        apply_retry(apply, entry, step, MISSING_FLOOR_MS, REFUSED_CEILING_MS, retry_after_s);
        agent_entry_set(apply->table, entry, FED_WORK_FAILED, reason, answer->message);
        break;
    case AGENT_VERDICT_REFUSED:
        apply_retry(apply, entry, step, REFUSED_FLOOR_MS, REFUSED_CEILING_MS, retry_after_s);
        agent_entry_set(apply->table, entry, removing ? FED_WORK_REMOVING : FED_WORK_FAILED, reason,
            answer->message);
        break;
    }
    log_refused(apply, entry, step, answer->message);
}

bool apply_parse(struct agent_apply *apply, struct agent_entry *entry, struct fed_json_doc *doc,
    struct fed_span body, struct agent_seen *out)
{
    char name[AGENT_ENTRY_NAME_SIZE];
    struct fed_diag diag = {""};

    if (agent_seen_parse(apply->ports.mem, doc, body, entry->work.api_version, entry->work.kind,
            out, &diag) == FED_OK)
        return true;
    apply_retry(
        apply, entry, (enum agent_step)entry->step, REFUSED_FLOOR_MS, REFUSED_CEILING_MS, 0);
    fed_log(apply->ports.log, FED_LOG_WARN, "%s: %s", agent_entry_name(entry, name), diag.text);
    return false;
}

void apply_unreachable(struct agent_apply *apply, struct agent_entry *entry, enum agent_step step,
    enum fed_err err, const struct fed_diag *diag)
{
    const char *text = diag && diag->text[0] ? diag->text : fed_err_text(err);
    struct fed_diag message;

    apply->counts.failed++;
    apply_retry(apply, entry, step, RETRY_FLOOR_MS, RETRY_CEILING_MS, 0);
    fed_diag_set(&message, err, "member API server: %s", text);
    if (entry->retry.attempts > 1 && !entry->removing)
        agent_entry_set(apply->table, entry, FED_WORK_WAITING,
            entry->uid[0] ? "UpdateTimedOut" : "CreationTimedOut", message.text);
    log_refused(apply, entry, step, message.text);
    apply->events.trouble(apply->events.ctx);
}
