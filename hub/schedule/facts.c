/* facts.c - what agents said of pods, in memory and in rows (schedule.h). */
#include "hub/schedule/internal.h"

#include <stdio.h>
#include <string.h>

#define PREFIX_LEN 2u /* "p/" */
#define KEY_MAX 1200u
#define VALUE_MAX 40u
#define SETTLE_MS 10000u /* KubeFed's delay after a change in a member */

/* With its prefix; the map's key is what follows. */
static bool key_of(const struct hub_object_ref *target, struct fed_span cluster, char out[KEY_MAX],
    struct fed_span *key)
{
    int n = snprintf(out, KEY_MAX,
        "p/" FED_SPAN_FMT "%c" FED_SPAN_FMT "%c" FED_SPAN_FMT "%c" FED_SPAN_FMT,
        FED_SPAN_ARG(cluster), 0, FED_SPAN_ARG(target->resource), 0, FED_SPAN_ARG(target->ns), 0,
        FED_SPAN_ARG(target->name));

    *key = fed_span_of(out, n > 0 ? (size_t)n : 0);
    return n > 0 && (size_t)n < KEY_MAX;
}

static struct fed_span in_map(struct fed_span key)
{
    return fed_span_sub(key, PREFIX_LEN, key.len);
}

static void value_put(struct fed_buf *out, const struct schedule_fact *fact)
{
    fed_buf_put_varint(out, fact->replicas);
    fed_buf_put_varint(out, fact->ready);
    fed_buf_put_varint(out, fact->running);
    fed_buf_put_varint(out, fact->unschedulable);
}

static enum fed_err value_take(struct fed_span value, struct schedule_fact *out)
{
    uint32_t *const fields[] = {&out->replicas, &out->ready, &out->running, &out->unschedulable};
    enum fed_err err = FED_OK;

    for (size_t i = 0; !err && i < 4; i++) {
        uint64_t n = 0;

        err = fed_span_take_varint(&value, FED_REPORT_REPLICAS_MAX, &n);
        *fields[i] = (uint32_t)n;
    }
    return err ? err : value.len ? FED_ERR_INVALID : FED_OK;
}

const struct schedule_fact *schedule_fact_of(
    const struct hub_schedule *s, const struct hub_object_ref *target, struct fed_span cluster)
{
    char text[KEY_MAX];
    struct fed_span key;

    return key_of(target, cluster, text, &key) ? fed_map_get(&s->facts, in_map(key)) : NULL;
}

static void stage(struct hub_schedule *s, struct fed_span key, const struct schedule_fact *fact)
{
    struct fed_store_op op = {.key = key, .remove = !fact};
    struct fed_diag diag = {""};
    struct fed_buf value;
    enum fed_err err;

    fed_buf_init(&value, s->o.mem, VALUE_MAX);
    if (fact)
        value_put(&value, fact);
    op.value = fed_buf_span(&value);
    err = fed_buf_err(&value);
    if (!err)
        err = hub_objects_stage(s->o.objects, NULL, 0, &op, 1, NULL, &diag);
    if (!err && !hub_objects_flush_soon(s->o.objects))
        err = hub_objects_flush(s->o.objects, &diag);
    if (err) /* known until a restart; agents say it again when it changes */
        fed_log(s->o.log, FED_LOG_WARN, "replicas: what an agent told of pods is not stored: %s",
            diag.text[0] ? diag.text : fed_err_text(err));
    fed_buf_fini(&value);
}

static enum fed_err put(
    struct hub_schedule *s, struct fed_span key, const struct schedule_fact *fact, bool *changed)
{
    struct schedule_fact *known = fed_map_get(&s->facts, key);
    enum fed_err err;

    *changed = !known || memcmp(known, fact, sizeof *fact) != 0;
    if (known) {
        *known = *fact;
        return FED_OK;
    }
    known = fed_alloc_get(s->o.mem, sizeof *known);
    if (!known)
        return FED_ERR_NOMEM;
    *known = *fact;
    err = fed_map_put(&s->facts, key, known);
    if (err)
        fed_alloc_free(s->o.mem, known, sizeof *known);
    return err;
}

void schedule_facts_told(void *ctx, const struct hub_object_ref *ref, struct fed_span cluster,
    const struct fed_report_scale *scale)
{
    struct hub_schedule *s = ctx;
    struct schedule_fact fact = {
        scale->replicas, scale->ready, scale->running, scale->unschedulable};
    struct schedule_item *item;
    char text[KEY_MAX];
    struct fed_span key;
    bool changed = false;

    if (!key_of(ref, cluster, text, &key) || put(s, in_map(key), &fact, &changed) || !changed)
        return;
    stage(s, key, &fact);
    if (!key_of(ref, (struct fed_span){0}, text, &key))
        return;
    /* The tail "ns NUL name" is a preference's own key. */
    item = fed_map_get(
        &s->items, fed_span_sub(key, key.len - ref->ns.len - 1 - ref->name.len, key.len));
    if (item)
        schedule_queue(s, item, item->facts_by_ms ? 0 : SETTLE_MS);
}

void schedule_fact_forget(
    struct hub_schedule *s, const struct hub_object_ref *target, struct fed_span cluster)
{
    char text[KEY_MAX];
    struct fed_span key;
    struct schedule_fact *fact;

    if (!key_of(target, cluster, text, &key))
        return;
    fact = fed_map_remove(&s->facts, in_map(key));
    if (!fact)
        return;
    fed_alloc_free(s->o.mem, fact, sizeof *fact);
    stage(s, key, NULL);
}

void schedule_facts_forget_cluster(struct hub_schedule *s, struct fed_span cluster)
{
    struct fed_map_iter it;

    fed_map_iter_init(&it, &s->facts);
    while (fed_map_iter_next(&it)) {
        char text[KEY_MAX];
        struct fed_span name;
        struct fed_span rest = it.key;

        if (it.key.len + PREFIX_LEN > sizeof text || !fed_span_split(&rest, '\0', &name) ||
            !fed_span_eq(name, cluster))
            continue;
        memcpy(text, "p/", PREFIX_LEN);
        memcpy(text + PREFIX_LEN, it.key.at, it.key.len);
        rest = fed_span_of(text, it.key.len + PREFIX_LEN);
        fed_alloc_free(
            s->o.mem, fed_map_remove(&s->facts, in_map(rest)), sizeof(struct schedule_fact));
        stage(s, rest, NULL);
    }
}

/* ---- life ---- */

struct loading {
    struct hub_schedule *s;
    enum fed_err err;
};

static bool load_one(void *ctx, const struct fed_store_item *item)
{
    struct loading *loading = ctx;
    struct schedule_fact fact = {0};
    bool changed;

    loading->err = value_take(item->value, &fact);
    if (!loading->err)
        loading->err = put(loading->s, in_map(item->key), &fact, &changed);
    return loading->err == FED_OK;
}

enum fed_err schedule_facts_load(struct hub_schedule *s, struct fed_diag *diag)
{
    struct fed_store *store = hub_objects_store(s->o.objects);
    struct loading loading = {.s = s};
    enum fed_err err =
        store->range(store->ctx, FED_SPAN_LIT("p/"), FED_SPAN_LIT("p0"), 0, load_one, &loading);

    err = err ? err : loading.err;
    return err ? fed_diag_set(diag, err, "replicas: a row of what agents told of pods is damaged")
               : FED_OK;
}

void schedule_facts_fini(struct hub_schedule *s)
{
    struct fed_map_iter it;

    fed_map_iter_init(&it, &s->facts);
    while (fed_map_iter_next(&it))
        fed_alloc_free(s->o.mem, it.value, sizeof(struct schedule_fact));
    fed_map_fini(&s->facts);
}
