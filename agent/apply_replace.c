/* apply_replace.c - fields that cannot change in place (see wish.h, fedlet.io/replace).
 *
 * Replacing is deletion, so it is done for one content at most once, with the uid of the object
 * that was seen, after an answer that named nothing but immutable fields, and never for kinds that
 * hold what no template brings back, nor for an object that was never the federation's. */
#include "agent/apply_inner.h"

#include "agent/trial.h"
#include "agent/wish.h"

static bool holds_data(const struct fed_work *work)
{
    static const char *const kinds[] = {
        "Namespace", "CustomResourceDefinition", "PersistentVolumeClaim", "PersistentVolume"};

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (fed_span_is(work->kind, kinds[i]))
            return true;
    }
    return false;
}

static void leave(struct agent_apply *apply, struct agent_entry *entry,
    const struct agent_answer *answer, bool asked)
{
    char name[AGENT_ENTRY_NAME_SIZE];
    const char *what = "the annotation fedlet.io/replace: \"true\" has it deleted and made again";
    struct fed_diag message;

    if (holds_data(&entry->work))
        what = "its kind is never replaced, since what it holds would be lost";
    else if (entry->adopting)
        what = "it is somebody else's, and could not be adopted";
    else if (asked)
        what = "it was replaced for this version already";
    apply_again(apply, entry, AGENT_STEP_APPLY, AGENT_TROUBLE_IMMUTABLE, 0);
    fed_diag_set(&message, FED_OK, "%s: field is immutable; the object is left as it is: %s",
        answer->field, what);
    if (entry->retry.attempts <= 1)
        fed_log(
            apply->ports.log, FED_LOG_WARN, "%s: %s", agent_entry_name(entry, name), message.text);
    agent_entry_set(apply->table, entry, FED_WORK_FAILED, AGENT_REASON_IMMUTABLE, message.text);
}

static void say_replacing(struct agent_apply *apply, struct agent_entry *entry)
{
    agent_entry_set(apply->table, entry, FED_WORK_WAITING, AGENT_REASON_IMMUTABLE,
        "the object is being deleted, to be made again");
}

void apply_immutable(
    struct agent_apply *apply, struct agent_entry *entry, const struct agent_answer *answer)
{
    char name[AGENT_ENTRY_NAME_SIZE];
    const struct agent_wish *wish;
    bool asked = !agent_wish_of(apply->state, entry, &wish, NULL) && wish->replace;

    /* What was applied once in this content is not there for the first time; an earlier version
     * that comes back is (trial.h). */
    if (!asked || holds_data(&entry->work) || wish->replaced || entry->adopting ||
        (entry->has_applied && !agent_trial_is_back(entry))) {
        leave(apply, entry, answer, asked);
        return;
    }
    entry->wish->replaced = true;
    agent_entry_plan(entry, AGENT_STEP_DELETE, apply_now(apply));
    say_replacing(apply, entry);
    fed_log(apply->ports.log, FED_LOG_INFO, "%s: %s cannot change in place; replaced, as asked",
        agent_entry_name(entry, name), answer->field);
}

void apply_replace_answer(
    struct agent_apply *apply, struct agent_entry *entry, const struct fed_kube_answer *answer)
{
    struct agent_answer refusal;

    if (answer->status == 404 || answer->status == 409) { /* gone, or not the one that was seen */
        agent_entry_plan(entry, AGENT_STEP_READ, apply_now(apply));
    } else if (answer->status >= 200 && answer->status < 300) {
        agent_retry_reset(&entry->retry);
        apply_retry(apply, entry, AGENT_STEP_READ, GONE_FLOOR_MS, GONE_CEILING_MS, 0);
        if (entry->seen_any) /* the watch said so already */
            entry->due_ms = apply_now(apply);
        say_replacing(apply, entry);
    } else {
        agent_answer_read(apply->ports.mem, answer, &refusal);
        apply_refused(
            apply, entry, AGENT_STEP_DELETE, &refusal, answer->retry_after_s, "UpdateFailed");
    }
}
