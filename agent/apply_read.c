/* apply_read.c - what a look at the member's object leads to (see apply.h). */
#include "agent/apply_inner.h"

#include "agent/render.h"

#include <string.h>

static void refuse(
    struct agent_apply *apply, struct agent_entry *entry, const char *reason, const char *message)
{
    struct apply_line line;

    entry->nothing = !entry->uid[0];
    if (strcmp(entry->reason, reason) != 0)
        fed_log_about(
            apply->ports.log, FED_LOG_WARN, apply_about(&line, entry, reason), "%s", message);
    apply_retry(apply, entry, AGENT_STEP_READ, REFUSED_FLOOR_MS, REFUSED_CEILING_MS, 0);
    agent_entry_set(apply->table, entry, FED_WORK_FAILED, reason, message);
}

/* The apply, after a look. One that failed before goes on with its pauses; what was in its way is
 * over. */
static void go_on(struct agent_apply *apply, struct agent_entry *entry)
{
    if (entry->trouble == AGENT_TROUBLE_NONE)
        agent_retry_reset(&entry->retry);
    entry->step = AGENT_STEP_APPLY;
    entry->due_ms = apply_now(apply);
}

/* May the object that is there be made what the work asks for? */
static void consider(
    struct agent_apply *apply, struct agent_entry *entry, const struct agent_seen *seen)
{
    bool ours = fed_span_is(seen->managed, "true") || seen->has_fields ||
                (entry->uid[0] && !entry->adopting && strcmp(entry->uid, seen->uid) == 0);

    if (fed_span_is(seen->managed, "false")) {
        refuse(apply, entry, "ManagedLabelFalse",
            "Unable to manage the object which has label kubefed.io/managed: false");
    } else if (!ours && !(entry->work.options & FED_WORK_ADOPT)) {
        refuse(apply, entry, "AlreadyExists", "Resource pre-exist in cluster");
    } else if (seen->deleting) {
        apply_retry(apply, entry, AGENT_STEP_READ, GONE_FLOOR_MS, GONE_CEILING_MS, 0);
        apply_set_deleting(apply, entry, FED_WORK_WAITING, apply_reason(entry), seen);
    } else {
        memcpy(entry->uid, seen->uid, sizeof entry->uid);
        entry->nothing = false;
        entry->adopting = !ours;
        entry->yielded = !seen->has_replicas;
        if (!entry->yielded && agent_render_retains(apply->ports.mem, entry))
            apply_start_yield(apply, entry, seen);
        else
            go_on(apply, entry);
    }
}

static void absent(struct agent_apply *apply, struct agent_entry *entry)
{
    if (apply_drift_absent(apply, entry))
        return;
    entry->uid[0] = '\0';
    /* An apply of which nobody knows may yet come to something. */
    entry->nothing = entry->nothing || (entry->trouble != AGENT_TROUBLE_UNREACHABLE &&
                                           entry->trouble != AGENT_TROUBLE_SERVER);
    entry->adopting = false;
    go_on(apply, entry);
}

static void present(
    struct agent_apply *apply, struct agent_entry *entry, const struct fed_kube_answer *answer)
{
    struct fed_json_doc *doc = NULL;
    struct fed_arena arena;
    struct agent_seen seen;

    fed_arena_init(&arena, apply->ports.mem, AGENT_OBJECT_ARENA_MAX);
    if (fed_json_doc_new(&arena.alloc, &doc)) {
        apply_retry(apply, entry, AGENT_STEP_READ, REFUSED_FLOOR_MS, REFUSED_CEILING_MS, 0);
    } else if (apply_parse(apply, entry, doc, answer->body, &seen)) {
        if (entry->removing)
            apply_remove_seen(apply, entry, &seen);
        else if (!apply_drift_present(apply, entry, &seen))
            consider(apply, entry, &seen);
    }
    fed_json_doc_free(doc);
    fed_arena_fini(&arena);
}

/* ---- patches before an apply ---- */

void apply_start_yield(
    struct agent_apply *apply, struct agent_entry *entry, const struct agent_seen *seen)
{
    apply_start_patch(apply, entry, AGENT_STEP_YIELD, agent_render_yield, seen);
}

void apply_yield_answer(
    struct agent_apply *apply, struct agent_entry *entry, const struct fed_kube_answer *answer)
{
    struct agent_answer refusal;
    bool listed = entry->clash == AGENT_CLASH_SET;

    if (answer->status == 200 && listed) {
        go_on(apply, entry);
    } else if (answer->status == 200) {
        entry->yielded = entry->yielded || entry->clash == AGENT_CLASH_NONE;
        agent_entry_plan(entry, AGENT_STEP_APPLY, apply_now(apply));
    } else if (answer->status == 404 || answer->status == 409 ||
               (answer->status == 422 && !listed)) {
        /* Gone, or changed since it was seen: look again. */
        apply_retry(apply, entry, AGENT_STEP_READ, RETRY_FLOOR_MS, RETRY_CEILING_MS, 0);
    } else {
        agent_answer_read(apply->ports.mem, answer, &refusal);
        entry->clash = AGENT_CLASH_NONE;
        apply_refused(apply, entry, listed ? AGENT_STEP_APPLY : AGENT_STEP_READ, &refusal,
            answer->retry_after_s, listed ? apply_reason(entry) : "FieldRetentionFailed");
    }
}

void apply_read_answer(
    struct agent_apply *apply, struct agent_entry *entry, const struct fed_kube_answer *answer)
{
    struct agent_answer refusal;

    if (answer->status == 200) {
        present(apply, entry, answer);
    } else if (answer->status == 404 && entry->removing) {
        apply_remove_absent(apply, entry, answer);
    } else if (answer->status == 404) {
        absent(apply, entry);
    } else {
        agent_answer_read(apply->ports.mem, answer, &refusal);
        apply_refused(
            apply, entry, AGENT_STEP_READ, &refusal, answer->retry_after_s, "RetrievalFailed");
    }
}
