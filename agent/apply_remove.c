/* apply_remove.c - removal of what left the bundle (see apply.h). */
#include "agent/apply_inner.h"

#include "agent/path.h"
#include "agent/render.h"

#include <string.h>

void apply_drop(struct agent_entry *entry)
{
    agent_entry_plan(entry, AGENT_STEP_NONE, 0);
    entry->uid[0] = '\0';     /* should the work come back meanwhile, nothing there is ours */
    entry->report_due = true; /* its absence in the next report is the news */
    entry->dropped = true;
    entry->dirty = true;
}

/* seen: NULL when it was not looked at since. */
static void wait_gone(
    struct agent_apply *apply, struct agent_entry *entry, const struct agent_seen *seen)
{
    if (entry->seen_any) /* the watch said so already */
        agent_entry_plan(entry, AGENT_STEP_READ, apply_now(apply));
    else
        apply_retry(apply, entry, AGENT_STEP_READ, GONE_FLOOR_MS, GONE_CEILING_MS, 0);
    if (seen)
        apply_set_deleting(apply, entry, FED_WORK_REMOVING, "WaitingForRemoval", seen);
    else
        agent_entry_set(apply->table, entry, FED_WORK_REMOVING, "WaitingForRemoval", NULL);
}

static void start_release(
    struct agent_apply *apply, struct agent_entry *entry, const struct agent_seen *seen)
{
    apply_start_patch(apply, entry, AGENT_STEP_RELEASE, agent_render_release, seen);
}

static void leave_alone(struct agent_apply *apply, struct agent_entry *entry, const char *why)
{
    char name[AGENT_ENTRY_NAME_SIZE];

    fed_log(apply->ports.log, FED_LOG_WARN, "%s: left the bundle, but %s; left in place",
        agent_entry_name(entry, name), why);
    apply_drop(entry);
}

/* What was to be adopted and never was is somebody else's, and so is what has the label alone. */
static bool is_made(const struct agent_entry *entry)
{
    static const uint8_t never[sizeof entry->fields];

    return !entry->adopting && memcmp(entry->fields, never, sizeof never) != 0;
}

void apply_remove_seen(
    struct agent_apply *apply, struct agent_entry *entry, struct agent_seen *seen)
{
    bool same = is_made(entry) && entry->uid[0] && strcmp(entry->uid, seen->uid) == 0;

    if (fed_span_is(seen->managed, "false")) {
        leave_alone(apply, entry, "the object is labelled kubefed.io/managed=false");
    } else if (!same && !seen->has_fields) {
        leave_alone(apply, entry, "the object there is not the one that was applied");
    } else if (entry->orphan) {
        if (seen->has_managed || seen->has_fields)
            start_release(apply, entry, seen);
        else
            apply_drop(entry);
    } else if (seen->deleting) {
        wait_gone(apply, entry, seen);
    } else {
        memcpy(entry->uid, seen->uid, sizeof entry->uid);
        entry->step = AGENT_STEP_DELETE;
        entry->due_ms = apply_now(apply);
    }
}

void apply_start_delete(struct agent_apply *apply, struct agent_entry *entry)
{
    struct fed_buf path;
    struct fed_buf body;

    fed_buf_init(&path, apply->ports.mem, PATH_MAX_BYTES);
    fed_buf_init(&body, apply->ports.mem, 1024);
    agent_path_put_object(&path, &entry->work);
    agent_render_delete(&body, entry->uid, entry->work.options);
    apply_start(apply, entry, AGENT_STEP_DELETE,
        &(struct fed_kube_request){.method = "DELETE",
            .content_type = "application/json",
            .accept = AGENT_ACCEPT_METADATA},
        &path, &body);
    fed_buf_fini(&body);
    fed_buf_fini(&path);
}

static bool is_success(unsigned status)
{
    return status >= 200 && status < 300;
}

void apply_remove_answer(struct agent_apply *apply, struct agent_entry *entry, enum agent_step step,
    const struct fed_kube_answer *answer)
{
    bool release = step == AGENT_STEP_RELEASE;
    struct agent_answer refusal;

    if (answer->status == 404) {
        apply_drop(entry);
    } else if (is_success(answer->status) && release) {
        apply_drop(entry);
    } else if (is_success(answer->status)) {
        agent_retry_reset(&entry->retry);
        wait_gone(apply, entry, NULL);
    } else if (answer->status == 409 || (release && answer->status == 422)) {
        /* Another object, or changed since it was seen: look again. */
        apply_retry(apply, entry, AGENT_STEP_READ, RETRY_FLOOR_MS, RETRY_CEILING_MS, 0);
    } else {
        agent_answer_read(apply->ports.mem, answer, &refusal);
        apply_refused(apply, entry, AGENT_STEP_READ, &refusal, answer->retry_after_s,
            release ? "LabelRemovalFailed" : "DeletionFailed");
    }
}
