/* content.c - see content.h. */
#include "hub/rollout/content.h"
#include "proto/base/map.h"

static const char *const members[] = {"overrides", "placement", "template"};

/* ---- what a scheduler maintains ---- */

static bool is_replicas(const struct fed_json *operation)
{
    return fed_span_is(fed_json_string(fed_json_get(operation, "path")), "/spec/replicas");
}

/* A single cluster's entry; those of a selector are people's. */
static bool is_single(const struct fed_json *entry)
{
    return fed_json_string(fed_json_get(entry, "clusterName")).len > 0;
}

static void drop_operations(struct fed_json *entry)
{
    struct fed_json *operations = fed_json_get(entry, "clusterOverrides");
    struct fed_json_iter it;

    if (!fed_json_is_array(operations))
        return;
    fed_json_iter_init(&it, operations);
    while (fed_json_iter_next(&it))
        if (is_replicas(it.value))
            fed_json_iter_remove(&it);
}

/* Entries that then say nothing are the scheduler's, and so is a list of nothing else. */
static void drop_shares(struct fed_json *spec)
{
    struct fed_json *overrides = fed_json_get(spec, "overrides");
    struct fed_json_iter it;

    if (!fed_json_is_array(overrides))
        return;
    fed_json_iter_init(&it, overrides);
    while (fed_json_iter_next(&it)) {
        if (!is_single(it.value))
            continue;
        drop_operations(it.value);
        if (fed_json_count(fed_json_get(it.value, "clusterOverrides")) == 0)
            fed_json_iter_remove(&it);
    }
    if (fed_json_count(overrides) == 0)
        fed_json_remove(spec, "overrides");
}

static void drop_scheduled(struct fed_json *spec)
{
    struct fed_json *placement = fed_json_get(spec, "placement");

    drop_shares(spec);
    fed_json_remove(placement, "clusters");
    if (fed_json_is_object(placement) && fed_json_count(placement) == 0)
        fed_json_remove(spec, "placement");
}

/* ---- a version ---- */

/* The object's content as a tree of doc. */
static enum fed_err content_of(
    struct fed_json_doc *doc, struct fed_span object, bool scaled, struct fed_json **out)
{
    struct fed_json *root;
    struct fed_json *content = fed_json_new_object(doc);
    struct fed_json *spec = fed_json_ensure_object(doc, content, "spec");
    struct fed_json *from;
    enum fed_err err = spec ? fed_json_parse(doc, object, &root, NULL) : FED_ERR_NOMEM;

    if (err)
        return err;
    from = fed_json_get(root, "spec");
    if (!fed_json_is_object(root) || (from && !fed_json_is_object(from)))
        return FED_ERR_INVALID;
    for (size_t i = 0; !err && i < sizeof members / sizeof *members; i++) {
        const struct fed_json *v = fed_json_get(from, members[i]);

        if (v)
            err = fed_json_set(doc, spec, members[i], fed_json_clone(doc, v));
    }
    if (!err && scaled)
        drop_scheduled(spec);
    *out = content;
    return err;
}

static enum fed_err put(struct fed_buf *out, const struct fed_json *content, size_t before)
{
    enum fed_err err = fed_json_put_canonical(out, content);

    if (err)
        fed_buf_cut(out, before);
    return err;
}

enum fed_err hub_rollout_content(
    struct fed_alloc *mem, struct fed_span object, bool scaled, struct fed_buf *out)
{
    struct fed_json_doc *doc = NULL;
    struct fed_json *content;
    size_t before = out->len;
    enum fed_err err = fed_json_doc_new(mem, &doc);

    if (!err)
        err = content_of(doc, object, scaled, &content);
    if (!err)
        err = put(out, content, before);
    fed_json_doc_free(doc);
    return err;
}

/* ---- refreshing ---- */

/* The version's entries by cluster: a fleet has as many of them as clusters. */
static enum fed_err map_entries(struct fed_map *entries, const struct fed_json *overrides)
{
    enum fed_err err = FED_OK;

    for (struct fed_json_iter it = fed_json_items(overrides); !err && fed_json_iter_next(&it);)
        if (is_single(it.value))
            err = fed_map_put(
                entries, fed_json_string(fed_json_get(it.value, "clusterName")), it.value);
    return err;
}

static struct fed_json *ensure_array(
    struct fed_json_doc *doc, struct fed_json *object, const char *key)
{
    struct fed_json *list = fed_json_get(object, key);

    if (fed_json_is_array(list))
        return list;
    list = fed_json_new_array(doc);
    return fed_json_set(doc, object, key, list) ? NULL : list;
}

/* Where the scheduler would put it: behind the entry's own operations. */
static enum fed_err add_share(struct fed_json_doc *doc, struct fed_map *entries,
    struct fed_json *overrides, struct fed_span cluster, const struct fed_json *operation)
{
    struct fed_json *entry = fed_map_get(entries, cluster);
    struct fed_json *operations;
    enum fed_err err = FED_OK;

    if (!entry) {
        entry = fed_json_new_object(doc);
        err = entry ? fed_json_set_string(doc, entry, "clusterName", cluster) : FED_ERR_NOMEM;
        if (!err)
            err = fed_json_append(overrides, entry);
        if (!err)
            err = fed_map_put(entries, cluster, entry);
        if (err)
            return err;
    }
    operations = ensure_array(doc, entry, "clusterOverrides");
    return operations ? fed_json_append(operations, fed_json_clone(doc, operation)) : FED_ERR_NOMEM;
}

static enum fed_err add_shares_of(struct fed_json_doc *doc, struct fed_map *entries,
    struct fed_json *overrides, const struct fed_json *entry)
{
    struct fed_span cluster = fed_json_string(fed_json_get(entry, "clusterName"));
    enum fed_err err = FED_OK;

    for (struct fed_json_iter it = fed_json_items(fed_json_get(entry, "clusterOverrides"));
         !err && fed_json_iter_next(&it);)
        if (is_replicas(it.value))
            err = add_share(doc, entries, overrides, cluster, it.value);
    return err;
}

static enum fed_err add_shares(struct fed_json_doc *doc, struct fed_alloc *mem,
    struct fed_json *overrides, const struct fed_json *current)
{
    struct fed_map entries;
    enum fed_err err;

    fed_map_init(&entries, mem);
    err = map_entries(&entries, overrides);
    for (struct fed_json_iter it = fed_json_items(fed_json_get(current, "overrides"));
         !err && fed_json_iter_next(&it);)
        if (is_single(it.value))
            err = add_shares_of(doc, &entries, overrides, it.value);
    fed_map_fini(&entries);
    return err;
}

static enum fed_err add_scheduled(struct fed_json_doc *doc, struct fed_alloc *mem,
    struct fed_json *spec, const struct fed_json *current)
{
    const struct fed_json *clusters = fed_json_find(current, "placement.clusters");
    struct fed_json *overrides = ensure_array(doc, spec, "overrides");
    enum fed_err err = overrides ? FED_OK : FED_ERR_NOMEM;

    if (!err && clusters) {
        struct fed_json *placement = fed_json_ensure_object(doc, spec, "placement");

        err = placement ? fed_json_set(doc, placement, "clusters", fed_json_clone(doc, clusters))
                        : FED_ERR_NOMEM;
    }
    if (!err)
        err = add_shares(doc, mem, overrides, current);
    if (!err && fed_json_count(overrides) == 0)
        fed_json_remove(spec, "overrides");
    return err;
}

enum fed_err hub_rollout_content_refresh(struct fed_alloc *mem, struct fed_span version,
    struct fed_span current, bool scaled, struct fed_buf *out)
{
    struct fed_json_doc *doc = NULL;
    struct fed_json *old;
    struct fed_json *now = NULL;
    size_t before = out->len;
    enum fed_err err = fed_json_doc_new(mem, &doc);

    /* What an old version says of the scheduler's is stale, also when it became scaled later. */
    if (!err)
        err = content_of(doc, version, scaled, &old);
    if (!err && scaled)
        err = fed_json_parse(doc, current, &now, NULL);
    if (!err && scaled)
        err = add_scheduled(doc, mem, fed_json_get(old, "spec"), fed_json_get(now, "spec"));
    if (!err)
        err = put(out, old, before);
    fed_json_doc_free(doc);
    return err;
}
