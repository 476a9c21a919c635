/* gates.c - what the plan asks: which version of an object a cluster gets. */
#include "hub/rollout/internal.h"

#include <stdio.h>
#include <string.h>

static bool is(const struct rollout_version *version, const struct fed_digest *digest)
{
    return version->has && fed_digest_eq(&version->digest, digest);
}

static enum hub_gate_answer choose(void *ctx, const struct hub_object_ref *ref,
    struct fed_span cluster, const struct fed_json *labels, struct hub_gate_choice *out)
{
    const struct rollout_subject *s = rollout_subject_get(ctx, ref);
    struct fed_digest version;

    (void)labels;       /* the engine knows them */
    if (s && s->broken) /* its memory is not what is stored */
        return HUB_GATE_UNKNOWN;
    if (!s || (!s->engine && !s->waiting))
        return s && s->unborn ? HUB_GATE_NOTHING : HUB_GATE_LATEST;
    if (s->engine) {
        if (hub_rollout_answer(s->engine, cluster, &version) == HUB_ROLLOUT_ANSWER_NOTHING)
            return HUB_GATE_NOTHING;
        out->tries = hub_rollout_tries(s->engine, cluster);
    } else if (s->base.has) {
        version = s->base.digest;
    } else {
        return HUB_GATE_NOTHING;
    }
    if (is(&s->content, &version))
        return HUB_GATE_LATEST;
    out->digest = version;
    return HUB_GATE_VERSION;
}

static enum fed_err content(void *ctx, const struct hub_object_ref *ref,
    const struct fed_digest *digest, struct fed_buf *out)
{
    struct hub_rollouts *r = ctx;
    const struct rollout_subject *s = rollout_subject_get(r, ref);
    struct fed_buf version;
    struct fed_buf current;
    enum fed_err err;

    if (!s)
        return FED_ERR_NOT_FOUND;
    fed_buf_init(&version, r->mem, FED_STORE_VALUE_MAX);
    fed_buf_init(&current, r->mem, HUB_OBJECT_BYTES_MAX);
    err = rollout_version_load(r, s, digest, &version);
    if (!err && s->scaled)
        err = hub_objects_get(r->objects, ref, &current, NULL);
    if (!err)
        err = hub_rollout_content_refresh(
            r->mem, fed_buf_span(&version), fed_buf_span(&current), s->scaled, out);
    fed_buf_fini(&current);
    fed_buf_fini(&version);
    return err;
}

static void why(
    void *ctx, const struct hub_object_ref *ref, struct fed_span cluster, struct fed_buf *out)
{
    const struct rollout_subject *s = rollout_subject_get(ctx, ref);
    size_t start = out->len;
    size_t said;

    if (!s)
        return;
    if (s->trouble[0]) {
        fed_buf_printf(out, "rollout %s cannot be read: %s", s->unreadable, s->trouble);
        return;
    }
    if (s->waiting && s->waiting->queued) {
        fed_buf_printf(out, "rollout %s waits for the end of %s", s->waiting->name,
            s->present ? s->present->name : "the one before it");
        return;
    }
    if (s->waiting) {
        fed_buf_printf(out, "rollout %s waits: %s", s->waiting->name, s->message);
        return;
    }
    if (!s->engine || !s->present)
        return;
    fed_buf_printf(out, "rollout %s: ", s->present->name);
    said = out->len;
    hub_rollout_why(s->engine, cluster, out);
    if (out->len == said)
        fed_buf_cut(out, start);
}

static void federated(void *ctx)
{
    rollout_recheck_all(ctx);
}

static void held(void *ctx, struct fed_span cluster)
{
    rollout_cluster_moved(ctx, cluster);
}

/* ---- previews ---- */

static void put_waves(const struct hub_rollout_rules *rules, struct hub_gate_outlook *out)
{
    size_t len =
        (size_t)snprintf(out->message, sizeof out->message, "clusters change wave by wave: ");

    for (size_t i = 0; i < rules->n_waves && len < sizeof out->message; i++)
        len += (size_t)snprintf(out->message + len, sizeof out->message - len, "%s" FED_SPAN_FMT,
            i ? ", " : "", FED_SPAN_ARG(rules->waves[i].name));
}

static enum fed_err changes(
    struct hub_rollouts *r, const struct rollout_subject *s, struct fed_span bytes, bool *out)
{
    struct fed_digest digest;
    struct fed_buf text;
    enum fed_err err;

    fed_buf_init(&text, r->mem, FED_STORE_VALUE_MAX);
    err = rollout_content_of(r, s, bytes, s && s->scaled, &digest, &text);
    fed_buf_fini(&text);
    if (!err)
        *out = !s || !is(&s->content, &digest);
    return err == FED_ERR_NOMEM ? err : FED_OK;
}

static enum fed_err look_out(struct hub_rollouts *r, const struct hub_object_ref *ref,
    struct fed_span bytes, struct fed_json_doc *doc, struct hub_gate_outlook *out)
{
    const struct rollout_subject *s = rollout_subject_get(r, ref);
    struct rollout_governor by;
    struct fed_json *object;
    enum fed_err err = fed_json_parse(doc, bytes, &object, NULL);

    if (err)
        return err == FED_ERR_NOMEM ? err : FED_OK;
    rollout_govern(r, ref, fed_json_get(object, "metadata"), &by);
    out->governed = by.policy || by.blocked;
    if (by.blocked)
        snprintf(out->message, sizeof out->message, "the change waits: %.270s", by.message);
    if (!by.policy)
        return FED_OK;
    snprintf(out->policy, sizeof out->policy, "%s", by.policy->name);
    put_waves(by.policy->rules, out);
    return changes(r, s, bytes, &out->begins);
}

static enum fed_err outlook(void *ctx, const struct hub_object_ref *ref, struct fed_span bytes,
    struct hub_gate_outlook *out)
{
    struct hub_rollouts *r = ctx;
    struct fed_json_doc *doc;
    struct fed_buf stored;
    enum fed_err err = fed_json_doc_new(r->mem, &doc);

    if (err)
        return err;
    fed_buf_init(&stored, r->mem, HUB_OBJECT_BYTES_MAX);
    if (bytes.len == 0) {
        err = hub_objects_get(r->objects, ref, &stored, NULL);
        bytes = fed_buf_span(&stored);
    }
    if (!err)
        err = look_out(r, ref, bytes, doc, out);
    fed_buf_fini(&stored);
    fed_json_doc_free(doc);
    return err == FED_ERR_NOT_FOUND ? FED_OK : err;
}

void hub_rollouts_gates(struct hub_rollouts *r, struct hub_gates *out)
{
    *out = (struct hub_gates){.ctx = r,
        .taken = rollout_taken,
        .federated = federated,
        .choose = choose,
        .content = content,
        .why = why,
        .held = held,
        .outlook = outlook};
}
