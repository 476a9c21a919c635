/* item.c - one federated object, as it is stored and parsed. */
#include "hub/plan/gate.h"
#include "hub/plan/policy.h"

#include <string.h>

/* ---- items ---- */

static size_t key_size(const struct hub_object_ref *ref)
{
    return ref->resource.len + ref->ns.len + ref->name.len + 2;
}

static void key_write(char *to, const struct hub_object_ref *ref)
{
    const struct fed_span parts[] = {ref->resource, ref->ns, ref->name};

    for (size_t i = 0; i < 3; i++) {
        if (parts[i].len)
            memcpy(to, parts[i].at, parts[i].len);
        to += parts[i].len;
        if (i < 2)
            *to++ = '\0';
    }
}

struct plan_item *plan_item_get(struct hub_plan *plan, const struct hub_object_ref *ref)
{
    char key[1024];
    size_t size = key_size(ref);

    if (size > sizeof key)
        return NULL;
    key_write(key, ref);
    return fed_map_get(&plan->items, fed_span_of(key, size));
}

enum fed_err plan_item_new(struct hub_plan *plan, const struct hub_object_ref *ref,
    struct plan_type *type, struct plan_item **out)
{
    struct plan_item *item = fed_alloc_zero(plan->mem, sizeof *item);
    enum fed_err err = FED_ERR_NOMEM;

    if (!item)
        return err;
    item->type = type;
    item->key_len = key_size(ref);
    item->key = fed_alloc_get(plan->mem, item->key_len);
    if (item->key && !plan_version_new(plan, &item->latest)) {
        key_write(item->key, ref);
        item->resource = fed_span_of(item->key, ref->resource.len);
        item->ns = fed_span_of(item->key + ref->resource.len + 1, ref->ns.len);
        item->name = fed_span_of(item->key + ref->resource.len + ref->ns.len + 2, ref->name.len);
        err = fed_map_put(&plan->items, fed_span_of(item->key, item->key_len), item);
    }
    if (err) {
        plan_version_free(plan, item->latest);
        fed_alloc_free(plan->mem, item->key, item->key_len);
        fed_alloc_free(plan->mem, item, sizeof *item);
        return err;
    }
    *out = item;
    return FED_OK;
}

void plan_item_forget_pieces(struct hub_plan *plan, struct plan_item *item)
{
    plan_version_forget_pieces(plan, item->latest);
    plan_gate_forget_pieces(plan, item);
}

static void untouch(struct hub_plan *plan, struct plan_item *item)
{
    struct plan_item **link = &plan->touched;

    while (item->listed && *link) {
        if (*link == item) {
            *link = item->next_touched;
            item->listed = false;
            return;
        }
        link = &(*link)->next_touched;
    }
}

void plan_item_free(struct hub_plan *plan, struct plan_item *item)
{
    for (size_t i = 0; i < item->n_pairs; i++) {
        plan_pair_set_policy(plan, item, &item->pairs[i], NULL, false);
        plan_pair_unlist(&item->pairs[i]);
        if (item->pairs[i].piece)
            item->pairs[i].piece->owner = NULL;
        plan_pair_fini(plan, &item->pairs[i]);
    }
    untouch(plan, item);
    fed_alloc_free(plan->mem, item->policies, item->cap_policies * sizeof *item->policies);
    fed_alloc_free(plan->mem, item->recalled, item->recalled_size);
    fed_alloc_free(plan->mem, item->pairs, item->cap_pairs * sizeof *item->pairs);
    plan_version_free(plan, item->latest);
    plan_gate_fini(plan, item);
    /* A preview's item stands in for another one, which may be back by now. */
    if (fed_map_get(&plan->items, fed_span_of(item->key, item->key_len)) == item)
        fed_map_remove(&plan->items, fed_span_of(item->key, item->key_len));
    fed_alloc_free(plan->mem, item->key, item->key_len);
    fed_alloc_free(plan->mem, item, sizeof *item);
}

void plan_item_touch(struct hub_plan *plan, struct plan_item *item)
{
    item->told = true;
    if (item->listed)
        return;
    item->listed = true;
    item->next_touched = plan->touched;
    plan->touched = item;
}

void plan_item_mark(struct hub_plan *plan, struct plan_item *item)
{
    item->dirty = true;
    item->policies_stamp = 0; /* they are looked up again */
    plan_item_touch(plan, item);
    plan_round_want(plan);
}

/* ---- parsing ---- */

bool plan_has_finalizer(const struct fed_json *object)
{
    const struct fed_json *finalizers = fed_json_find(object, "metadata.finalizers");

    for (size_t i = 0; i < fed_json_count(finalizers); i++) {
        if (fed_span_is(fed_json_string(fed_json_at(finalizers, i)), PLAN_FINALIZER))
            return true;
    }
    return false;
}

static bool is_system_namespace(struct fed_span ns)
{
    return fed_span_is(ns, "kube-system") || fed_span_is(ns, "kube-public") ||
           fed_span_is(ns, "default") || fed_span_is(ns, HUB_SYSTEM_NAMESPACE);
}

static void read_metadata(struct plan_item *item, const struct fed_json *object)
{
    const struct fed_json *annotations = fed_json_find(object, "metadata.annotations");

    item->generation = fed_json_int(fed_json_find(object, "metadata.generation"), 0);
    item->deleting = fed_json_is_string(fed_json_find(object, "metadata.deletionTimestamp"));
    item->orphan =
        fed_span_is(fed_json_string(fed_json_get(annotations, "kubefed.io/orphan")), "true");
    item->urgent =
        fed_span_is(fed_json_string(fed_json_get(annotations, PLAN_URGENT_ANNOTATION)), "true");
    item->has_finalizer = plan_has_finalizer(object);
    plan_delete_options_parse(item, fed_json_get(annotations, "kubefed.io/deleteoption"));
    item->system = is_system_namespace(item->name);
}

static enum fed_err keep_bound(
    struct plan_version *version, const struct fed_json *object, struct fed_span *out)
{
    const struct fed_json *annotations = fed_json_find(object, "metadata.annotations");

    *out = plan_version_keep(
        version, fed_json_string(fed_json_get(annotations, PLAN_BOUND_ANNOTATION)));
    return out->at ? FED_OK : FED_ERR_NOMEM;
}

/* What can fail was done: it is the latest one. */
static void take_version(struct hub_plan *plan, struct plan_item *item,
    struct plan_version *version, struct fed_span bound)
{
    plan_version_free(plan, item->latest);
    item->latest = version;
    item->labels = fed_span_text("");
    item->bound = bound;
}

/* A document and an empty version to parse into. */
static enum fed_err begin(struct hub_plan *plan, struct plan_item *item, struct fed_span bytes,
    struct fed_json_doc **doc, struct fed_json **object, struct plan_version **version)
{
    enum fed_err err = fed_json_doc_new(plan->mem, doc);

    if (err)
        return err;
    item->gone = false;
    err = fed_json_parse(*doc, bytes, object, NULL);
    if (!err)
        err = plan_version_new(plan, version);
    if (err)
        fed_json_doc_free(*doc);
    return err;
}

enum fed_err plan_item_parse(struct hub_plan *plan, struct plan_item *item, struct fed_span bytes)
{
    struct plan_version *version;
    struct fed_json_doc *doc;
    struct fed_json *object;
    const struct fed_json *spec;
    struct fed_span bound;
    enum fed_err err = begin(plan, item, bytes, &doc, &object, &version);

    if (err)
        return err;
    spec = fed_json_get(object, "spec");
    err = plan_version_parse(plan, version, item->type, doc, spec);
    if (!err)
        err = keep_bound(version, object, &bound);
    if (err) {
        plan_version_free(plan, version);
    } else {
        take_version(plan, item, version, bound);
        read_metadata(item, object);
        item->retain_replicas = fed_json_bool(fed_json_get(spec, "retainReplicas"), false);
        item->ignored =
            item->type->is_namespace && (!fed_span_eq(item->ns, item->name) || item->system);
    }
    fed_json_doc_free(doc);
    return err;
}

static enum fed_err keep_labels(struct hub_plan *plan, struct plan_version *version,
    const struct fed_json *labels, struct fed_span *out)
{
    struct fed_buf text;
    enum fed_err err;

    *out = fed_span_text("");
    if (!fed_json_is_object(labels))
        return FED_OK;
    fed_buf_init(&text, plan->mem, HUB_OBJECT_BYTES_MAX);
    err = fed_json_put_canonical(&text, labels);
    if (!err) {
        *out = plan_version_keep(version, fed_buf_span(&text));
        err = out->at ? FED_OK : FED_ERR_NOMEM;
    }
    fed_buf_fini(&text);
    return err;
}

enum fed_err plan_item_parse_namespace(
    struct hub_plan *plan, struct plan_item *item, struct fed_span bytes)
{
    struct plan_version *version;
    struct fed_json_doc *doc;
    struct fed_json *object;
    const struct fed_json *labels;
    struct fed_span bound;
    struct fed_span kept;
    enum fed_err err = begin(plan, item, bytes, &doc, &object, &version);

    if (err)
        return err;
    labels = fed_json_find(object, "metadata.labels");
    version->api_version = fed_span_text("v1");
    err = keep_bound(version, object, &bound);
    if (!err)
        err = keep_labels(plan, version, labels, &kept);
    if (!err)
        err = plan_blob_get(plan, fed_span_text("{}"), &version->blob);
    if (err) {
        plan_version_free(plan, version);
    } else {
        take_version(plan, item, version, bound);
        read_metadata(item, object);
        item->labels = kept;
        item->has_finalizer = false;
        item->label_federated =
            fed_span_is(fed_json_string(fed_json_get(labels, "federated")), "true") &&
            !item->system;
    }
    fed_json_doc_free(doc);
    return err;
}
