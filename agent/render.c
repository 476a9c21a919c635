/* render.c - see render.h. */
#include "agent/render.h"

#include "agent/trial.h"
#include "proto/object/render.h"

enum fed_err agent_render_apply(struct agent_state *state, const struct agent_entry *entry,
    struct fed_buf *out, const char **reason, struct fed_diag *diag)
{
    struct fed_work work = agent_trial_in_effect(entry);
    struct fed_buf blob;
    enum fed_err err;

    if (!entry->uid[0])
        work.options &= ~FED_WORK_RETAIN_REPLICAS;
    fed_buf_init(&blob, state->mem, FED_BLOB_MAX);
    err = agent_state_blob(state, &work.blob, &blob);
    if (err) {
        *reason = "ComputeResourceFailed";
        fed_diag_set(diag, err, "the template is missing in the agent's state");
        goto done;
    }
    err = fed_render_work_onto(
        state->mem, &work, fed_span_text(entry->uid), fed_buf_span(&blob), out, diag);
    if (err)
        *reason = work.overrides.len > 0 ? "ApplyOverridesFailed" : "ComputeResourceFailed";
done:
    fed_buf_fini(&blob);
    return err;
}

void agent_render_delete(struct fed_buf *out, const char *uid, uint32_t options)
{
    static const char *const policies[] = {[FED_WORK_DELETE_DEFAULT] = "Background",
        [FED_WORK_DELETE_ORPHAN] = "Orphan",
        [FED_WORK_DELETE_BACKGROUND] = "Background",
        [FED_WORK_DELETE_FOREGROUND] = "Foreground"};

    fed_buf_printf(out,
        "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\",\"propagationPolicy\":\"%s\","
        "\"preconditions\":{\"uid\":\"%s\"}",
        policies[FED_WORK_DELETE_POLICY(options)], uid);
    if (options & FED_WORK_GRACE)
        fed_buf_printf(out, ",\"gracePeriodSeconds\":%u", options >> FED_WORK_GRACE_SHIFT);
    fed_buf_put_u8(out, '}');
}

void agent_render_yield(struct fed_buf *out, const struct agent_seen *seen)
{
    fed_buf_printf(out,
        "[{\"op\":\"test\",\"path\":\"/metadata/resourceVersion\",\"value\":\"%llu\"},"
        "{\"op\":\"remove\",\"path\":\"/metadata/managedFields/%zu/fieldsV1/f:spec/f:replicas\"}]",
        (unsigned long long)seen->resource_version, seen->fields_index);
}

enum fed_err agent_render_part(
    struct fed_buf *out, const char *uid, const char *part, const struct fed_json *value)
{
    enum fed_err err;

    if (!fed_json_is_array(value) && !fed_json_is_object(value))
        return FED_ERR_NOT_FOUND;
    fed_buf_printf(out,
        "[{\"op\":\"test\",\"path\":\"/metadata/uid\",\"value\":\"%s\"},"
        "{\"op\":\"replace\",\"path\":\"/",
        uid);
    for (; *part; part++)
        fed_buf_put_u8(out, *part == '.' ? '/' : (uint8_t)*part);
    fed_buf_put_text(out, "\",\"value\":");
    err = fed_json_put(out, value);
    fed_buf_put_text(out, "}]");
    return err ? err : fed_buf_err(out);
}

bool agent_render_retains(struct fed_alloc *mem, const struct agent_entry *entry)
{
    struct fed_work work = agent_trial_in_effect(entry);

    return (work.options & FED_WORK_RETAIN_REPLICAS) && !fed_render_sets_replicas(mem, &work);
}

void agent_render_release(struct fed_buf *out, const struct agent_seen *seen)
{
    fed_buf_printf(out,
        "[{\"op\":\"test\",\"path\":\"/metadata/resourceVersion\",\"value\":\"%llu\"}",
        (unsigned long long)seen->resource_version);
    /* From behind, as what is behind one moves up when it goes. */
    for (size_t i = seen->has_fields ? seen->fields_index + 1 : 0; i-- > 0;)
        if (i == seen->fields_index || (i < 64 && seen->fields_all >> i & 1))
            fed_buf_printf(out, ",{\"op\":\"remove\",\"path\":\"/metadata/managedFields/%zu\"}", i);
    if (seen->has_managed)
        fed_buf_put_text(
            out, ",{\"op\":\"remove\",\"path\":\"/metadata/labels/kubefed.io~1managed\"}");
    fed_buf_put_u8(out, ']');
}
