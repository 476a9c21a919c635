/* taken_content.c - see taken_parts.h: what an object says, and what it said before. */
#include "hub/rollout/taken_parts.h"

#include <string.h>

int64_t rollout_incoming_generation(const struct fed_json *object)
{
    return fed_json_int(fed_json_find(object, "metadata.generation"), 0);
}

/* The version of some bytes of the object; kept with what ops commits when that is wanted. */
enum fed_err rollout_incoming_version(struct rollout_incoming *in, struct rollout_subject *s,
    struct fed_span bytes, int64_t generation, bool keep, struct rollout_version *out)
{
    struct fed_buf text;
    enum fed_err err;

    fed_buf_init(&text, in->r->mem, FED_STORE_VALUE_MAX);
    *out = (struct rollout_version){.generation = generation, .has = true};
    err = rollout_content_of(in->r, s, bytes, s->scaled, &out->digest, &text);
    if (!err && keep)
        rollout_version_keep(in->r, s, &out->digest, fed_buf_span(&text), &in->ops);
    fed_buf_fini(&text);
    return err;
}

struct looking { /* for what was stored before this write of the object, of the turn's */
    const struct hub_object_ref *ref;
    struct fed_span bytes;
    struct fed_span before;
    bool found;
};

static void look_staged(void *ctx, const struct hub_change *change)
{
    struct looking *looking = ctx;

    if (looking->found || change->type == HUB_CHANGE_TOUCHED ||
        !fed_span_eq(change->bytes, looking->bytes) ||
        !fed_span_eq(change->ref.name, looking->ref->name) ||
        !fed_span_eq(change->ref.ns, looking->ref->ns) ||
        !fed_span_eq(change->ref.resource, looking->ref->resource))
        return;
    looking->found = true;
    looking->before = change->before;
}

/* An object that nobody governed until this write: what clusters have is what it said before. */
enum fed_err rollout_incoming_former(struct rollout_incoming *in, struct rollout_subject *s)
{
    struct looking looking = {.ref = in->ref, .bytes = in->bytes};
    struct fed_json_doc *doc;
    struct fed_json *before;
    int64_t generation = 0;
    enum fed_err err;

    hub_objects_each_staged(in->r->objects, look_staged, &looking);
    if (looking.found && looking.before.len == 0)
        return FED_OK;  /* it is new: clusters have nothing */
    if (!looking.found) /* nobody knows */
        return rollout_incoming_generation(in->object) <= 1
                   ? FED_OK
                   : rollout_incoming_version(
                         in, s, in->bytes, rollout_incoming_generation(in->object), true, &s->base);
    err = fed_json_doc_new(in->r->mem, &doc);
    if (err)
        return err;
    if (!fed_json_parse(doc, looking.before, &before, NULL))
        generation = rollout_incoming_generation(before);
    fed_json_doc_free(doc);
    return rollout_incoming_version(in, s, looking.before, generation, true, &s->base);
}

/* The name of its content without what a scheduler maintains. */
enum fed_err rollout_incoming_scaled(
    struct rollout_incoming *in, const struct rollout_subject *s, struct fed_digest *out)
{
    struct fed_buf text;
    enum fed_err err;

    fed_buf_init(&text, in->r->mem, FED_STORE_VALUE_MAX);
    err = rollout_content_of(in->r, s, in->bytes, true, out, &text);
    fed_buf_fini(&text);
    return err;
}

/* The preference that scales it came or went: what is left out of the content is another part, of
 * the same content perhaps. */
enum fed_err rollout_incoming_rescale(struct rollout_incoming *in, struct rollout_subject *s,
    const struct rollout_version *next, bool *same)
{
    struct rollout_version former;
    struct fed_buf stored;
    enum fed_err err = FED_ERR_NOT_FOUND;

    *same = false;
    if (!s->content.has)
        return FED_OK;
    if (!s->scaled) {
        rollout_versions_freeze(in->r, s, in->bytes, &in->ops);
        err = rollout_incoming_scaled(in, s, &former.digest);
        *same = !err && fed_digest_eq(&former.digest, &s->content.digest);
        return err;
    }
    fed_buf_init(&stored, in->r->mem, FED_STORE_VALUE_MAX);
    err = rollout_version_load(in->r, s, &s->content.digest, &stored);
    if (!err)
        err = rollout_incoming_version(in, s, fed_buf_span(&stored), 0, false, &former);
    if (!err)
        *same = fed_digest_eq(&former.digest, &next->digest);
    fed_buf_fini(&stored);
    return err == FED_ERR_NOMEM ? err : FED_OK;
}
