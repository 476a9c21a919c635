/* item.c - one federated object, as it is stored and parsed. */
#include "hub/plan/policy.h"
#include "proto/object/render.h"

#include <stdlib.h>
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
    item->error = "";
    fed_arena_init(&item->arena, plan->mem, PLAN_ITEM_BYTES_MAX);
    fed_map_init(&item->variants, plan->mem);
    if (item->key) {
        key_write(item->key, ref);
        item->resource = fed_span_of(item->key, ref->resource.len);
        item->ns = fed_span_of(item->key + ref->resource.len + 1, ref->ns.len);
        item->name = fed_span_of(item->key + ref->resource.len + ref->ns.len + 2, ref->name.len);
        err = fed_map_put(&plan->items, fed_span_of(item->key, item->key_len), item);
    }
    if (err) {
        fed_alloc_free(plan->mem, item->key, item->key_len);
        fed_alloc_free(plan->mem, item, sizeof *item);
        return err;
    }
    *out = item;
    return FED_OK;
}

void plan_item_forget_pieces(struct hub_plan *plan, struct plan_item *item)
{
    struct fed_map_iter it;

    plan_piece_unref(plan, item->shared);
    item->shared = NULL;
    fed_map_iter_init(&it, &item->variants);
    while (fed_map_iter_next(&it))
        plan_piece_unref(plan, it.value);
    fed_map_fini(&item->variants);
    fed_map_init(&item->variants, plan->mem);
}

static void forget_parsed(struct hub_plan *plan, struct plan_item *item)
{
    fed_selector_free(item->placement.selector);
    item->placement = (struct plan_placement){0};
    plan_blob_unref(plan, item->blob);
    item->blob = NULL;
    plan_overrides_fini(plan, item);
    item->labels = item->bound = fed_span_text("");
    item->error = "";
    item->message[0] = '\0';
    item->problem = HUB_PLACEMENT_OK;
    item->api_version = fed_span_text("");
    item->template_annotations = item->template_finalizers = false;
    fed_arena_fini(&item->arena);
    fed_arena_init(&item->arena, plan->mem, PLAN_ITEM_BYTES_MAX);
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
    forget_parsed(plan, item);
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
    fed_arena_fini(&item->arena);
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

struct fed_span plan_item_keep(struct plan_item *item, struct fed_span text)
{
    uint8_t *at = fed_alloc_get(&item->arena.alloc, text.len ? text.len : 1);

    if (!at)
        return fed_span_of(NULL, 0);
    if (text.len)
        memcpy(at, text.at, text.len);
    return fed_span_of(at, text.len);
}

static int by_name(const void *a, const void *b)
{
    const struct fed_span *x = a;
    const struct fed_span *y = b;

    return fed_span_cmp(*x, *y);
}

static enum fed_err parse_names(struct plan_item *item, const struct fed_json *clusters)
{
    size_t n = fed_json_count(clusters);
    struct fed_span *names = fed_alloc_array(&item->arena.alloc, n ? n : 1, sizeof *names);
    struct fed_json_iter it = fed_json_each(clusters);

    if (!names)
        return FED_ERR_NOMEM;
    for (size_t i = 0; i < n && fed_json_iter_next(&it); i++) {
        names[i] = plan_item_keep(item, fed_json_string(fed_json_get(it.value, "name")));
        if (!names[i].at)
            return FED_ERR_NOMEM;
    }
    qsort(names, n, sizeof *names, by_name);
    item->placement.names = names;
    item->placement.n_names = n;
    item->placement.mode = n ? PLAN_NAMES : PLAN_NONE;
    return FED_OK;
}

/* KubeFed's table: a list, even an empty one, beats the selector; a null counts as absent; nothing
 * at all selects nothing (or follows the namespace, where that is federated by its label). */
static enum fed_err parse_placement(
    struct hub_plan *plan, struct plan_item *item, const struct fed_json *placement)
{
    const struct fed_json *clusters = fed_json_get(placement, "clusters");
    const struct fed_json *selector = fed_json_get(placement, "clusterSelector");
    struct fed_diag diag = {""};
    enum fed_err err;

    item->placement.mode = PLAN_ABSENT;
    if (fed_json_is_array(clusters))
        return parse_names(item, clusters);
    if (!fed_json_is_object(selector))
        return FED_OK;
    err = fed_selector_from_object(plan->mem, selector, &item->placement.selector, &diag);
    if (err == FED_ERR_NOMEM)
        return err;
    if (err) {
        item->problem = HUB_PLACEMENT_COMPUTE_FAILED;
        memcpy(item->message, diag.text, sizeof item->message - 1);
        item->message[sizeof item->message - 1] = '\0';
        return FED_OK;
    }
    item->placement.mode = PLAN_SELECTOR;
    return FED_OK;
}

static enum fed_err canonical(
    struct hub_plan *plan, const struct fed_json *value, size_t limit, struct fed_buf *out)
{
    fed_buf_init(out, plan->mem, limit);
    return fed_json_put_canonical(out, value);
}

static void refuse(struct plan_item *item, const char *error, const char *message)
{
    size_t len = strlen(message);

    if (len >= sizeof item->message)
        len = sizeof item->message - 1;
    item->error = error;
    memcpy(item->message, message, len);
    item->message[len] = '\0';
}

static enum fed_err parse_template(struct hub_plan *plan, struct plan_item *item,
    struct fed_json_doc *doc, const struct fed_json *template)
{
    struct fed_json *empty = fed_json_new_object(doc);
    struct fed_span api_version = fed_json_string(fed_json_get(template, "apiVersion"));
    struct fed_buf bytes;
    enum fed_err err;

    if (!empty)
        return FED_ERR_NOMEM;
    if (template && !fed_json_is_object(template) && fed_json_type(template) != FED_JSON_NULL) {
        refuse(item, "ComputeResourceFailed", "spec.template is not an object");
        return FED_OK;
    }
    if (!fed_json_is_object(template))
        template = empty;
    item->template_annotations = fed_render_drops(fed_json_find(template, "metadata.annotations"));
    item->template_finalizers = fed_json_count(fed_json_find(template, "metadata.finalizers")) > 0;
    err = canonical(plan, template, FED_BLOB_MAX, &bytes);
    if (!err)
        err = plan_blob_get(plan, fed_buf_span(&bytes), &item->blob);
    if (err == FED_ERR_LIMIT) {
        refuse(item, "ComputeResourceFailed", "spec.template is larger than 1.5 MiB");
        err = FED_OK;
    }
    fed_buf_fini(&bytes);
    item->api_version = api_version.len ? plan_item_keep(item, api_version)
                                        : fed_span_text(item->type->target_api_version);
    return err;
}

static enum fed_err parse_overrides(
    struct hub_plan *plan, struct plan_item *item, const struct fed_json *overrides)
{
    struct fed_diag diag = {""};
    enum fed_err err = plan_overrides_parse(plan, item, overrides, &diag);

    if (err == FED_ERR_NOMEM || !err)
        return err;
    if (!diag.text[0])
        fed_diag_set(&diag, err, "%s", fed_err_text(err));
    fed_diag_prefix(&diag, err, "Error reading cluster overrides");
    refuse(item, "ApplyOverridesFailed", diag.text);
    return FED_OK;
}

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

static enum fed_err parse_metadata(struct plan_item *item, const struct fed_json *object)
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
    item->bound =
        plan_item_keep(item, fed_json_string(fed_json_get(annotations, PLAN_BOUND_ANNOTATION)));
    return item->bound.at ? FED_OK : FED_ERR_NOMEM;
}

static enum fed_err parse_spec(struct hub_plan *plan, struct plan_item *item,
    struct fed_json_doc *doc, const struct fed_json *object)
{
    const struct fed_json *spec = fed_json_get(object, "spec");
    enum fed_err err = parse_placement(plan, item, fed_json_get(spec, "placement"));

    item->retain_replicas = fed_json_bool(fed_json_get(spec, "retainReplicas"), false);
    if (!err)
        err = parse_template(plan, item, doc, fed_json_get(spec, "template"));
    if (!err)
        err = parse_overrides(plan, item, fed_json_get(spec, "overrides"));
    return err;
}

enum fed_err plan_item_parse(struct hub_plan *plan, struct plan_item *item, struct fed_span bytes)
{
    struct fed_json_doc *doc;
    struct fed_json *object;
    enum fed_err err = fed_json_doc_new(plan->mem, &doc);

    if (err)
        return err;
    forget_parsed(plan, item);
    item->gone = false;
    err = fed_json_parse(doc, bytes, &object, NULL);
    if (!err)
        err = parse_metadata(item, object);
    if (!err)
        err = parse_spec(plan, item, doc, object);
    item->system = is_system_namespace(item->name);
    item->ignored =
        item->type->is_namespace && (!fed_span_eq(item->ns, item->name) || item->system);
    fed_json_doc_free(doc);
    return err;
}

static enum fed_err keep_labels(
    struct hub_plan *plan, struct plan_item *item, const struct fed_json *labels)
{
    struct fed_buf text;
    enum fed_err err;

    if (!fed_json_is_object(labels))
        return FED_OK;
    err = canonical(plan, labels, HUB_OBJECT_BYTES_MAX, &text);
    if (!err) {
        item->labels = plan_item_keep(item, fed_buf_span(&text));
        err = item->labels.at ? FED_OK : FED_ERR_NOMEM;
    }
    fed_buf_fini(&text);
    return err;
}

enum fed_err plan_item_parse_namespace(
    struct hub_plan *plan, struct plan_item *item, struct fed_span bytes)
{
    struct fed_json_doc *doc;
    struct fed_json *object;
    enum fed_err err = fed_json_doc_new(plan->mem, &doc);

    if (err)
        return err;
    forget_parsed(plan, item);
    item->gone = false;
    err = fed_json_parse(doc, bytes, &object, NULL);
    if (!err) {
        const struct fed_json *labels = fed_json_find(object, "metadata.labels");

        err = parse_metadata(item, object);
        item->has_finalizer = false;
        item->system = is_system_namespace(item->name);
        item->label_federated =
            fed_span_is(fed_json_string(fed_json_get(labels, "federated")), "true") &&
            !item->system;
        item->api_version = fed_span_text("v1");
        if (!err)
            err = keep_labels(plan, item, labels);
        if (!err)
            err = plan_blob_get(plan, fed_span_text("{}"), &item->blob);
    }
    fed_json_doc_free(doc);
    return err;
}
