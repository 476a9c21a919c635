/* apply_clash.c - what others have in a part of the object, beside which the template's cannot
 * stand.
 *
 * Server-side apply tells the items of a list by keys (a Service's ports by number and protocol),
 * and takes away those only that nobody else owns. A port of another number, that somebody else
 * made of ours or keeps as well as we did, stays beside the template's; as both have the same name,
 * the API server refuses the apply, and would for ever. So it does when a default is in the way:
 * Recreate does not go with rollingUpdate. So the list or map is set whole, by a JSON patch, and
 * the apply follows. The patch makes fields ours by Update, too, and an apply takes nothing away
 * that is: that entry of managedFields is taken off, whenever an apply shows it. Each of both goes
 * at most once before an apply. */
#include "agent/apply_inner.h"
#include "agent/path.h"
#include "agent/render.h"

static enum fed_err put_part(
    struct agent_apply *apply, struct agent_entry *entry, const char *part, struct fed_buf *out)
{
    struct fed_json_doc *doc = NULL;
    struct fed_json *wanted = NULL;
    struct fed_diag diag = {""};
    struct fed_arena arena;
    struct fed_buf body;
    const char *reason;
    enum fed_err err;

    fed_buf_init(&body, apply->ports.mem, AGENT_BODY_MAX);
    fed_arena_init(&arena, apply->ports.mem, AGENT_OBJECT_ARENA_MAX);
    err = apply_policy_render(apply, entry, &body, &reason, &diag);
    if (!err)
        err = fed_json_doc_new(&arena.alloc, &doc);
    if (!err)
        err = fed_json_parse(doc, fed_buf_span(&body), &wanted, NULL);
    if (!err)
        err = agent_render_part(out, entry->uid, part, fed_json_find(wanted, part));
    fed_json_doc_free(doc);
    fed_arena_fini(&arena);
    fed_buf_fini(&body);
    return err;
}

static void start_set(struct agent_apply *apply, struct agent_entry *entry,
    const struct agent_answer *refusal, const struct fed_buf *body)
{
    struct apply_line line;
    struct fed_buf path;

    fed_log_about(apply->ports.log, FED_LOG_INFO, apply_about(&line, entry, NULL),
        "%s is set whole: what others have there may be in the way (%s)", refusal->part,
        refusal->message);
    fed_buf_init(&path, apply->ports.mem, PATH_MAX_BYTES);
    agent_path_put_object(&path, &entry->work);
    fed_buf_put_text(&path, "?fieldManager=" AGENT_FIELD_MANAGER);
    if (apply_start(apply, entry, AGENT_STEP_YIELD,
            &(struct fed_kube_request){.method = "PATCH",
                .content_type = "application/json-patch+json",
                .accept = AGENT_ACCEPT_METADATA},
            &path, body))
        entry->clash = AGENT_CLASH_SET;
    fed_buf_fini(&path);
}

bool apply_clash_settle(
    struct agent_apply *apply, struct agent_entry *entry, const struct agent_answer *refusal)
{
    bool may = refusal->part[0] && entry->uid[0] && entry->clash == AGENT_CLASH_NONE;
    struct fed_buf body;

    entry->clash = AGENT_CLASH_NONE;
    if (!may)
        return false;
    fed_buf_init(&body, apply->ports.mem, AGENT_BODY_MAX);
    may = put_part(apply, entry, refusal->part, &body) == FED_OK;
    if (may)
        start_set(apply, entry, refusal, &body);
    fed_buf_fini(&body);
    return may;
}

bool apply_clash_tidy(
    struct agent_apply *apply, struct agent_entry *entry, const struct agent_seen *seen)
{
    struct agent_seen update = *seen;

    if (!seen->has_update || entry->clash == AGENT_CLASH_TIDIED) {
        entry->clash = AGENT_CLASH_NONE;
        return false;
    }
    update.has_fields = true; /* of that entry, and the label stays */
    update.fields_index = seen->update_index;
    update.fields_all = 0;
    update.has_managed = false;
    entry->clash = AGENT_CLASH_TIDIED;
    apply_start_patch(apply, entry, AGENT_STEP_YIELD, agent_render_release, &update);
    return true;
}
