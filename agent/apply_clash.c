/* apply_clash.c - what others have in a part of the object, beside which the template's cannot
 * stand.
 *
 * Server-side apply tells the items of a list by keys (a Service's ports by number and protocol),
 * and takes away those only that nobody else owns. A port of another number, that somebody else
 * made of ours or keeps as well as we did, stays beside the template's; as both have the same name,
 * the API server refuses the apply, and would for ever. So it does when a default is in the way:
 * Recreate does not go with rollingUpdate. So the list or map is set whole, by a JSON patch, and
 * the apply follows. The patch makes fields ours by Update, too, and an apply takes nothing away
 * that is. So whenever an apply shows that entry of managedFields, its fields are moved to the one
 * of our applies, and another apply follows: what the template has given up meanwhile goes with
 * that, where it would stay for ever if the fields were nobody's. A part is set at most once before
 * an apply; entries are moved a few times, as others' writes may come between. */
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

static const struct fed_json *managed_at(const struct agent_seen *seen, size_t index)
{
    return fed_json_at(fed_json_find(seen->object, "metadata.managedFields"), index);
}

/* A set of fields is a tree of objects, as deep as a document may be. */
static enum fed_err join(
    struct fed_json_doc *doc, struct fed_json *fields, const struct fed_json *more)
{
    struct fed_json_iter it = fed_json_each(more);
    enum fed_err err = FED_OK;

    while (!err && fed_json_iter_next(&it)) {
        struct fed_json *same = fed_json_get_span(fields, it.key);

        err = same ? join(doc, same, it.value)
                   : fed_json_add_span(doc, fields, it.key, fed_json_clone(doc, it.value));
    }
    return err;
}

/* Our fields by Apply and those by Update; only of one version are they told by the same names. */
static enum fed_err put_fields(struct fed_buf *out, const struct agent_seen *seen)
{
    const struct fed_json *apply = managed_at(seen, seen->fields_index);
    const struct fed_json *update = managed_at(seen, seen->update_index);
    const struct fed_json *more = fed_json_get(update, "fieldsV1");
    struct fed_json_doc *doc = NULL;
    struct fed_json *fields;
    enum fed_err err = fed_json_doc_new(out->mem, &doc);

    if (err)
        return err;
    fields = fed_json_clone(doc, fed_json_get(apply, "fieldsV1"));
    if (!fields)
        err = FED_ERR_NOMEM;
    else if (more && fed_span_eq(fed_json_string(fed_json_get(apply, "apiVersion")),
                         fed_json_string(fed_json_get(update, "apiVersion"))))
        err = join(doc, fields, more);
    if (!err)
        err = fed_json_put(out, fields);
    fed_json_doc_free(doc);
    return err;
}

static enum fed_err put_test(struct fed_buf *out, const struct agent_seen *seen, size_t index)
{
    enum fed_err err;

    fed_buf_printf(
        out, "{\"op\":\"test\",\"path\":\"/metadata/managedFields/%zu\",\"value\":", index);
    err = fed_json_put(out, managed_at(seen, index));
    fed_buf_put_text(out, "},");
    return err;
}

/* If both are where and as they were seen. Not the resourceVersion: who does the object's work
 * writes its status right after each apply. Where that moves the entries, it is tried again. */
static void put_move(struct fed_buf *out, const struct agent_seen *seen)
{
    enum fed_err err;

    fed_buf_put_u8(out, '[');
    err = put_test(out, seen, seen->fields_index);
    if (!err)
        err = put_test(out, seen, seen->update_index);
    fed_buf_printf(out,
        "{\"op\":\"replace\",\"path\":\"/metadata/managedFields/%zu/fieldsV1\",\"value\":",
        seen->fields_index);
    if (!err)
        err = put_fields(out, seen);
    fed_buf_printf(
        out, "},{\"op\":\"remove\",\"path\":\"/metadata/managedFields/%zu\"}]", seen->update_index);
    if (err && !out->err)
        out->err = err;
}

bool apply_clash_tidy(
    struct agent_apply *apply, struct agent_entry *entry, const struct agent_seen *seen)
{
    if (!seen->has_update || !seen->has_fields || entry->clash == AGENT_CLASH_LAST) {
        entry->clash = AGENT_CLASH_NONE;
        return false;
    }
    entry->clash = entry->clash < AGENT_CLASH_MOVED ? AGENT_CLASH_MOVED : entry->clash + 1;
    apply_start_patch(apply, entry, AGENT_STEP_YIELD, put_move, seen);
    return true;
}
