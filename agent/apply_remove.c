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

    entry->searched = false;
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

/* ---- another version ----
 *
 * A kind that is not served any more by the version of the bundle may be so by another one of its
 * group, with all its objects. */

/* Of an object that is not there the API server says which kind it would be of; of a path that it
 * does not know, nothing. The core group has one version. */
static bool is_absence(const struct agent_apply *apply, const struct agent_entry *entry,
    const struct fed_kube_answer *answer)
{
    struct agent_answer said;

    if (answer->status != 404 || fed_work_group(entry->work.api_version).len == 0)
        return answer->status == 404;
    agent_answer_read(apply->ports.mem, answer, &said);
    return said.details_kind[0] != '\0';
}

void apply_remove_absent(
    struct agent_apply *apply, struct agent_entry *entry, const struct fed_kube_answer *answer)
{
    struct fed_buf path;

    if (is_absence(apply, entry, answer)) {
        apply_drop(entry);
        return;
    }
    fed_buf_init(&path, apply->ports.mem, PATH_MAX_BYTES);
    fed_buf_put_text(&path, "/apis/");
    agent_path_put_escaped(&path, fed_work_group(entry->work.api_version));
    apply_start(
        apply, entry, AGENT_STEP_FIND, &(struct fed_kube_request){.method = "GET"}, &path, NULL);
    fed_buf_fini(&path);
}

/* Behind the one that was tried, at first the first other one; empty: there is none left. */
static struct fed_span next_version(const struct agent_entry *entry, const struct fed_json *group)
{
    struct fed_json_iter it = fed_json_items(fed_json_get(group, "versions"));
    struct fed_span first = {0};
    bool passed = false;

    while (fed_json_iter_next(&it)) {
        struct fed_span version = fed_json_string(fed_json_get(it.value, "groupVersion"));

        if (fed_span_eq(version, entry->work.api_version))
            passed = entry->searched;
        else if (passed)
            return version;
        else if (first.len == 0)
            first = version;
    }
    return passed ? (struct fed_span){0} : first;
}

static enum fed_err take_version(
    struct agent_apply *apply, struct agent_entry *entry, struct fed_span version)
{
    uint8_t *block = entry->block;
    size_t block_len = entry->block_len;
    struct fed_work work = entry->work;
    struct agent_entry *as;

    work.api_version = version;
    if (!fed_span_eq(fed_work_group(version), fed_work_group(entry->work.api_version)) ||
        fed_work_check(&work, NULL))
        return FED_ERR_INVALID;
    as = agent_entry_new(apply->table->mem, &work);
    if (!as)
        return FED_ERR_NOMEM;
    entry->work = as->work;
    entry->block = as->block;
    entry->block_len = as->block_len;
    as->block = block;
    as->block_len = block_len;
    agent_entry_free(apply->table->mem, as);
    entry->dirty = entry->searched = true;
    return FED_OK;
}

static void find(struct agent_apply *apply, struct agent_entry *entry, const struct fed_json *group)
{
    struct fed_span version = next_version(entry, group);
    struct apply_line line;

    if (version.len == 0) { /* nor is the kind: its objects went with it */
        apply_drop(entry);
    } else if (take_version(apply, entry, version)) {
        apply_retry(apply, entry, AGENT_STEP_READ, REFUSED_FLOOR_MS, REFUSED_CEILING_MS, 0);
    } else {
        fed_log_about(apply->ports.log, FED_LOG_INFO, apply_about(&line, entry, NULL),
            "its version is not served any more: looked for as " FED_SPAN_FMT,
            FED_SPAN_ARG(entry->work.api_version));
        entry->step = AGENT_STEP_READ;
        entry->due_ms = apply_now(apply);
    }
}

void apply_find_answer(
    struct agent_apply *apply, struct agent_entry *entry, const struct fed_kube_answer *answer)
{
    struct agent_answer refusal;
    struct fed_json_doc *doc = NULL;
    struct fed_json *group = NULL;
    struct fed_arena arena;

    if (answer->status != 200 && answer->status != 404) {
        agent_answer_read(apply->ports.mem, answer, &refusal);
        apply_refused(
            apply, entry, AGENT_STEP_READ, &refusal, answer->retry_after_s, "RetrievalFailed");
        return;
    }
    fed_arena_init(&arena, apply->ports.mem, AGENT_OBJECT_ARENA_MAX);
    if (answer->status == 200 &&
        (fed_json_doc_new(&arena.alloc, &doc) || fed_json_parse(doc, answer->body, &group, NULL) ||
            fed_json_count(fed_json_get(group, "versions")) == 0))
        apply_retry(apply, entry, AGENT_STEP_READ, REFUSED_FLOOR_MS, REFUSED_CEILING_MS, 0);
    else
        find(apply, entry, group);
    fed_json_doc_free(doc);
    fed_arena_fini(&arena);
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

    if (is_absence(apply, entry, answer)) {
        apply_drop(entry);
    } else if (is_success(answer->status) && release) {
        apply_drop(entry);
    } else if (is_success(answer->status)) {
        agent_retry_reset(&entry->retry);
        wait_gone(apply, entry, NULL);
    } else if (answer->status == 404 || answer->status == 409 ||
               (release && answer->status == 422)) {
        /* Another version or object, or changed since it was seen: look again. */
        apply_retry(apply, entry, AGENT_STEP_READ, RETRY_FLOOR_MS, RETRY_CEILING_MS, 0);
    } else {
        agent_answer_read(apply->ports.mem, answer, &refusal);
        apply_refused(apply, entry, AGENT_STEP_READ, &refusal, answer->retry_after_s,
            release ? "LabelRemovalFailed" : "DeletionFailed");
    }
}
