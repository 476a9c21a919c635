/* strategic.c - strategic merge patch, as far as core kinds on the hub need it.
 *
 * For metadata and flat data it is a merge patch in which "$..." directives are dropped, finalizers
 * are merged as a set, ownerReferences by uid. Source: Kubernetes "Update API objects in place
 * using kubectl patch". */
#include "hub/api/internal.h"

#include "proto/object/patch.h"

static enum fed_err drop_directives(struct fed_json *patch, unsigned depth)
{
    struct fed_json_iter it;
    enum fed_err err = depth > FED_JSON_DEPTH_MAX ? FED_ERR_LIMIT : FED_OK;

    fed_json_iter_init(&it, patch);
    while (!err && fed_json_iter_next(&it)) {
        if (fed_json_is_object(patch) && fed_span_starts(it.key, "$"))
            fed_json_iter_remove(&it);
        else
            err = drop_directives(it.value, depth + 1);
    }
    return err;
}

static bool same_item(const struct fed_json *a, const struct fed_json *b, const char *key)
{
    return key ? fed_json_eq(fed_json_get(a, key), fed_json_get(b, key)) : fed_json_eq(a, b);
}

static bool list_has(
    const struct fed_json *list, const struct fed_json *item, const char *key, size_t *at)
{
    for (*at = 0; *at < fed_json_count(list); (*at)++)
        if (same_item(fed_json_at(list, *at), item, key))
            return true;
    return false;
}

/* What patch says of a list that is merged: removals by "$deleteFromPrimitiveList" or
 * {"$patch":"delete"}. */
static enum fed_err merge_list(
    struct fed_json_doc *doc, struct fed_json *list, const struct fed_json *items, const char *key)
{
    enum fed_err err = FED_OK;

    for (size_t i = 0; !err && i < fed_json_count(items); i++) {
        const struct fed_json *item = fed_json_at(items, i);
        bool gone = fed_span_is(fed_json_string(fed_json_get(item, "$patch")), "delete");
        size_t at;
        bool has = list_has(list, item, key, &at);

        if (has && gone)
            fed_json_remove_at(list, at);
        else if (has && key)
            err = fed_json_replace_at(list, at, fed_json_clone(doc, item));
        else if (!has && !gone)
            err = fed_json_append(list, fed_json_clone(doc, item));
    }
    return err;
}

static enum fed_err merge_member(struct fed_json_doc *doc, struct fed_json *metadata,
    struct fed_json *patch_metadata, const char *name, const char *key, const char *removals)
{
    struct fed_json *items = fed_json_get(patch_metadata, name);
    struct fed_json *gone = fed_json_get(patch_metadata, removals);
    struct fed_json *list;
    enum fed_err err = FED_OK;

    if (!fed_json_is_array(items) && !fed_json_is_array(gone))
        return FED_OK;
    list = fed_json_clone(doc, fed_json_get(metadata, name));
    if (!list)
        list = fed_json_new_array(doc);
    if (!list)
        return FED_ERR_NOMEM;
    for (size_t i = 0; i < fed_json_count(gone); i++) {
        size_t at;

        if (list_has(list, fed_json_at(gone, i), NULL, &at))
            fed_json_remove_at(list, at);
    }
    err = merge_list(doc, list, items, key);
    return err ? err : fed_json_set(doc, patch_metadata, name, list);
}

enum fed_err hub_strategic_merge(struct fed_json_doc *doc, struct fed_json **target,
    const struct fed_json *patch, struct fed_diag *diag)
{
    struct fed_json *plain = fed_json_clone(doc, patch);
    struct fed_json *metadata = fed_json_get(*target, "metadata");
    struct fed_json *patch_metadata = fed_json_get(plain, "metadata");
    enum fed_err err = plain ? FED_OK : FED_ERR_NOMEM;

    /* Lists become whole lists here, so that the rest is a merge patch. */
    if (!err)
        err = merge_member(doc, metadata, patch_metadata, "finalizers", NULL,
            "$deleteFromPrimitiveList/finalizers");
    if (!err)
        err = merge_member(doc, metadata, patch_metadata, "ownerReferences", "uid", "$none");
    if (!err)
        err = drop_directives(plain, 0);
    return err ? err : fed_patch_merge(doc, target, plain, diag);
}
