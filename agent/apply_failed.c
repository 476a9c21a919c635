/* apply_failed.c - requests that failed: what it means for the entry, and when the next one goes.
 */
#include "agent/apply_inner.h"

#include "agent/trial.h"

#include <string.h>

#define CONTENT_TRIES 3u                      /* of what only another content helps; then rarely */
#define RARE_MS (AGENT_TROUBLE_RARE_S * 500u) /* and up to twice that */
#define QUIET_MAX_S 10u

const char *apply_reason(const struct agent_entry *entry)
{
    if (agent_trial_is_back(entry))
        return AGENT_REASON_ROLLBACK_FAILED;
    return entry->uid[0] ? "UpdateFailed" : "CreationFailed";
}

void apply_retry(struct agent_apply *apply, struct agent_entry *entry, enum agent_step step,
    uint32_t floor_ms, uint32_t ceiling_ms, unsigned asked_s)
{
    uint32_t asked_ms = asked_s > 3600 ? 3600000u : asked_s * 1000u;

    /* By then somebody else may have made an object of that name, or has. */
    if (step == AGENT_STEP_APPLY && (!entry->uid[0] || entry->trouble == AGENT_TROUBLE_CONFLICT))
        step = AGENT_STEP_READ;
    entry->step = (uint8_t)step;
    entry->due_ms = agent_retry_failed(&entry->retry, apply_now(apply), floor_ms, ceiling_ms,
        agent_spread(&apply->ports), asked_ms);
}

static void log_refused(struct agent_apply *apply, const struct agent_entry *entry,
    enum agent_step step, const char *reason, const char *message)
{
    struct apply_line line;
    uint64_t wait_ms = entry->due_ms - apply_now(apply);

    /* The first time only: the same refusal again is no news. */
    fed_log_about(apply->ports.log, entry->retry.attempts <= 1 ? FED_LOG_WARN : FED_LOG_DEBUG,
        apply_about(&line, entry, reason), "%s: %s; again in %llu s", agent_step_name(step),
        message, (unsigned long long)(wait_ms + 999) / 1000);
}

void apply_again(struct agent_apply *apply, struct agent_entry *entry, enum agent_step step,
    enum agent_trouble trouble, unsigned asked_s)
{
    const struct agent_trouble_rule *rule = agent_trouble_rule(trouble);
    uint32_t floor_ms = rule->floor_ms;
    uint32_t ceiling_ms = rule->ceiling_ms;

    if (rule->content && !agent_trouble_rule((enum agent_trouble)entry->trouble)->content)
        agent_retry_reset(&entry->retry); /* of another kind of trouble */
    if (rule->content) {                  /* never at once: nothing has changed by itself */
        unsigned least_s = entry->retry.attempts == 0 ? floor_ms / 1000 : ceiling_ms / 1000;

        if (entry->retry.attempts + 1 >= CONTENT_TRIES) {
            floor_ms = ceiling_ms = RARE_MS;
            least_s = RARE_MS / 1000;
            entry->retry.wait_ms = 0;
        }
        asked_s = asked_s > least_s ? asked_s : least_s;
    }
    entry->trouble = (uint8_t)trouble;
    apply_retry(apply, entry, step, floor_ms, ceiling_ms, asked_s);
}

/* What the API server wants of all of us; bounded, since one aggregated API may be the one that
 * says so. */
static void leave_alone(struct agent_apply *apply, unsigned asked_s)
{
    uint32_t ms = asked_s < QUIET_MAX_S ? asked_s * 1000u : QUIET_MAX_S * 1000u;

    apply->quiet_ms = apply_now(apply) + ms;
}

/* One of those that found a namespace or kind missing tries again, for all. */
static void meet_obstacle(struct agent_apply *apply, struct agent_entry *entry)
{
    apply->scouting = true;
    if (apply_scout(apply, entry))
        apply_block(apply, entry, (enum agent_trouble)entry->trouble);
    else
        apply_await(apply, entry);
}

static void say(struct agent_apply *apply, struct agent_entry *entry,
    const struct agent_trouble_rule *rule, const struct agent_answer *answer, const char *reason)
{
    enum fed_work_state state = rule->state;
    struct fed_diag message;

    if (entry->removing)
        state = FED_WORK_REMOVING;
    else if (answer->status == 500 && rule->quiet)
        state = FED_WORK_FAILED; /* what it cannot do with an object is 500, too */
    fed_diag_set(&message, FED_OK, "%s: %s", rule->word, answer->message);
    agent_entry_set(apply->table, entry, state, reason, message.text);
}

/* The API server names a value that is of the wrong type, whosever it is. */
static void keep_secret(const struct agent_entry *entry, struct agent_answer *answer)
{
    char *value = strstr(answer->message, ", got ");

    if (value && fed_span_is(entry->work.kind, "Secret"))
        *value = '\0';
}

void apply_refused(struct agent_apply *apply, struct agent_entry *entry, enum agent_step step,
    struct agent_answer *answer, unsigned retry_after_s, const char *reason)
{
    enum agent_trouble trouble = agent_trouble_of(answer, retry_after_s);
    const struct agent_trouble_rule *rule;

    apply->counts.failed++;
    keep_secret(entry, answer);
    if (trouble == AGENT_TROUBLE_IMMUTABLE) /* of another request than an update */
        trouble = AGENT_TROUBLE_INVALID;
    rule = agent_trouble_rule(trouble);
    if (answer->status == 401)
        apply->events.trouble(apply->events.ctx);
    if (trouble == AGENT_TROUBLE_THROTTLED && retry_after_s > 0)
        leave_alone(apply, retry_after_s);
    apply_again(apply, entry, step, trouble, retry_after_s);
    if (!rule->quiet || (entry->retry.attempts > 1 && !entry->removing))
        say(apply, entry, rule, answer, reason);
    log_refused(apply, entry, step, rule->word, answer->message);
    if (trouble == AGENT_TROUBLE_KIND || trouble == AGENT_TROUBLE_NAMESPACE ||
        trouble == AGENT_TROUBLE_TERMINATING)
        meet_obstacle(apply, entry);
}

bool apply_parse(struct agent_apply *apply, struct agent_entry *entry, struct fed_json_doc *doc,
    struct fed_span body, struct agent_seen *out)
{
    struct fed_diag diag = {""};
    struct apply_line line;

    if (agent_seen_parse(apply->ports.mem, doc, body, entry->work.api_version, entry->work.kind,
            out, &diag) == FED_OK)
        return true;
    apply_retry(
        apply, entry, (enum agent_step)entry->step, REFUSED_FLOOR_MS, REFUSED_CEILING_MS, 0);
    fed_log_about(apply->ports.log, FED_LOG_WARN, apply_about(&line, entry, NULL), "%s", diag.text);
    return false;
}

void apply_unreachable(struct agent_apply *apply, struct agent_entry *entry, enum agent_step step,
    enum fed_err err, const struct fed_diag *diag)
{
    const char *text = diag && diag->text[0] ? diag->text : fed_err_text(err);
    struct fed_diag message;

    apply->counts.failed++;
    entry->nothing = entry->nothing && step != AGENT_STEP_APPLY; /* it may have got there */
    apply_again(apply, entry, step, AGENT_TROUBLE_UNREACHABLE, 0);
    fed_diag_set(&message, err, "member API server: %s", text);
    if (entry->retry.attempts > 1 && !entry->removing)
        agent_entry_set(apply->table, entry, FED_WORK_WAITING,
            entry->uid[0] ? "UpdateTimedOut" : "CreationTimedOut", message.text);
    log_refused(apply, entry, step, NULL, message.text);
    apply->events.trouble(apply->events.ctx);
}
