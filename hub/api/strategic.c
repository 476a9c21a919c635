/* strategic.c - strategic merge patch of core kinds, driven by their table (core.h).
 *
 * A merge patch in which lists that the table calls "merge" are merged, by their merge key or as
 * sets, and in which members that begin with "$" say more: $patch (replace, delete, merge),
 * $deleteFromPrimitiveList/LIST, $setElementOrder/LIST, $retainKeys. Source: Kubernetes "Update API
 * objects in place using kubectl patch" and the behaviour of apimachinery's util/strategicpatch,
 * after whose outline (Apache-2.0) the order of merged lists is computed. */
#include "hub/api/core.h"
#include "hub/api/internal.h"

#include <string.h>

#define MERGED_ITEMS_MAX 2048u /* merging compares each with each */
#define DELETE_FROM "$deleteFromPrimitiveList/"
#define SET_ORDER "$setElementOrder/"

struct merge {
    struct fed_json_doc *doc;
    struct fed_diag *diag;
};

static enum fed_err merge_map(struct merge *m, const struct hub_core_type *type,
    struct fed_json *original, struct fed_json *patch, struct fed_json **out);

/* ---- what is put in as it stands ---- */
static bool is_null(const struct fed_json *value)
{
    return fed_json_type(value) == FED_JSON_NULL;
}

static void drop_nulls(struct fed_json *value)
{
    struct fed_json_iter it;

    fed_json_iter_init(&it, value);
    while (fed_json_iter_next(&it)) {
        if (fed_json_is_object(value) && is_null(it.value))
            fed_json_iter_remove(&it);
        else
            drop_nulls(it.value);
    }
}

/* false: the value is nothing but a directive. */
static bool drop_directives(struct fed_json *value)
{
    struct fed_json_iter it;

    if (fed_json_get(value, "$patch"))
        return false;
    fed_json_iter_init(&it, value);
    while (fed_json_iter_next(&it))
        if (!drop_directives(it.value))
            fed_json_iter_remove(&it);
    return true;
}

/* ---- lists ---- */
static struct fed_json *key_of(const struct fed_json *item, struct fed_span key)
{
    return key.len > 0 ? fed_json_get_span(item, key) : (struct fed_json *)item;
}

/* Place of the item with the same key (or value) in the list; its length when it is not there. */
static size_t place_of(
    const struct fed_json *list, const struct fed_json *item, struct fed_span key)
{
    const struct fed_json *wanted = key_of(item, key);
    struct fed_json_iter it;

    fed_json_iter_init(&it, (struct fed_json *)list);
    while (fed_json_iter_next(&it)) {
        const struct fed_json *here = key_of(it.value, key);

        if (here && wanted && fed_json_eq(here, wanted))
            return it.index;
    }
    return fed_json_count(list);
}

static bool list_has(const struct fed_json *list, const struct fed_json *item, struct fed_span key)
{
    return place_of(list, item, key) < fed_json_count(list);
}

struct items {
    struct fed_json *at[2 * MERGED_ITEMS_MAX];
    size_t n;
};

/* Stable, by where they stand in order. */
static void sort_items(struct items *items, const struct fed_json *order, struct fed_span key)
{
    for (size_t i = 1; i < items->n; i++) {
        struct fed_json *item = items->at[i];
        size_t place = place_of(order, item, key);
        size_t j = i;

        while (j > 0 && place < place_of(order, items->at[j - 1], key)) {
            items->at[j] = items->at[j - 1];
            j--;
        }
        items->at[j] = item;
    }
}

/* The list in the order that the patch wants for its items, the server's own in between where they
 * stood: an item of the server goes first only when both stood in the original, in that order. */
static enum fed_err order_list(struct merge *m, struct fed_json *merged,
    const struct fed_json *wanted, const struct fed_json *before, struct fed_span key,
    struct fed_json **out)
{
    struct items *ours = fed_alloc_zero(fed_alloc_system(), 2 * sizeof *ours);
    struct items *theirs = ours ? ours + 1 : NULL;
    struct fed_json *list = fed_json_new_array(m->doc);
    struct fed_json_iter it;
    size_t present = fed_json_count(before);
    size_t i = 0;
    size_t j = 0;
    enum fed_err err = ours && list ? FED_OK : FED_ERR_NOMEM;

    fed_json_iter_init(&it, err ? NULL : merged);
    while (fed_json_iter_next(&it)) {
        struct items *side = list_has(wanted, it.value, key) ? ours : theirs;

        side->at[side->n++] = it.value;
    }
    if (!err) {
        sort_items(ours, wanted, key);
        sort_items(theirs, before, key);
    }
    while (!err && (i < theirs->n || j < ours->n)) {
        bool left = j == ours->n;

        if (i < theirs->n && j < ours->n) {
            size_t a = place_of(before, theirs->at[i], key);
            size_t b = place_of(before, ours->at[j], key);

            left = a < present && b < present && a < b;
        }
        err = fed_json_append(list, fed_json_clone(m->doc, left ? theirs->at[i++] : ours->at[j++]));
    }
    fed_alloc_free(fed_alloc_system(), ours, 2 * sizeof *ours);
    *out = list;
    return err;
}

/* Duplicates go, the last item taking the place of each, as upstream does it. */
static void deduplicate(struct fed_json *list)
{
    for (size_t i = 0; i + 1 < fed_json_count(list); i++) {
        size_t j = i + 1;

        while (j < fed_json_count(list)) {
            size_t last = fed_json_count(list) - 1;
            struct fed_json *item = fed_json_at(list, last);

            if (!fed_json_eq(fed_json_at(list, i), fed_json_at(list, j))) {
                j++;
                continue;
            }
            fed_json_remove_at(list, last);
            if (j < last && fed_json_replace_at(list, j, item))
                return;
        }
    }
}

static enum fed_err append_clones(
    struct merge *m, struct fed_json *list, const struct fed_json *items)
{
    struct fed_json_iter it;
    enum fed_err err = FED_OK;

    fed_json_iter_init(&it, (struct fed_json *)items);
    while (!err && fed_json_iter_next(&it))
        err = fed_json_append(list, fed_json_clone(m->doc, it.value));
    return err;
}

static enum fed_err no_merge_key(struct merge *m, struct fed_span key)
{
    return fed_diag_set(m->diag, FED_ERR_INVALID,
        "an item of the list does not contain declared merge key: " FED_SPAN_FMT,
        FED_SPAN_ARG(key));
}

/* Items with "$patch" do what they say and leave the patch; replace empties the original. */
static enum fed_err special_items(
    struct merge *m, struct fed_span key, struct fed_json *original, struct fed_json *patch)
{
    struct fed_json_iter it;
    bool replace = false;

    fed_json_iter_init(&it, patch);
    while (fed_json_iter_next(&it)) {
        struct fed_span directive = fed_json_string(fed_json_get(it.value, "$patch"));

        if (!fed_json_get(it.value, "$patch"))
            continue;
        if (fed_span_is(directive, "delete")) {
            if (!key_of(it.value, key))
                return no_merge_key(m, key);
            while (list_has(original, it.value, key))
                fed_json_remove_at(original, place_of(original, it.value, key));
        } else if (fed_span_is(directive, "replace")) {
            replace = true;
        } else if (fed_span_is(directive, "merge")) {
            return fed_diag_set(
                m->diag, FED_ERR_INVALID, "merging lists cannot yet be specified in the patch");
        } else {
            return fed_diag_set(m->diag, FED_ERR_INVALID, "unknown patch type: " FED_SPAN_FMT,
                FED_SPAN_ARG(directive));
        }
        fed_json_iter_remove(&it);
    }
    if (!replace)
        return FED_OK;
    while (fed_json_count(original) > 0)
        fed_json_remove_at(original, fed_json_count(original) - 1);
    return FED_OK;
}

static enum fed_err merge_items(struct merge *m, const struct hub_core_field *field,
    struct fed_json *original, struct fed_json *patch)
{
    struct fed_json_iter it;
    enum fed_err err = FED_OK;

    fed_json_iter_init(&it, patch);
    while (!err && fed_json_iter_next(&it)) {
        size_t at = place_of(original, it.value, field->merge_key);
        struct fed_json *merged;

        if (!key_of(it.value, field->merge_key))
            return no_merge_key(m, field->merge_key);
        if (at == fed_json_count(original)) {
            err = fed_json_append(original, fed_json_clone(m->doc, it.value));
            continue;
        }
        err = merge_map(m, field->type, fed_json_clone(m->doc, fed_json_at(original, at)),
            fed_json_clone(m->doc, it.value), &merged);
        if (!err)
            err = fed_json_replace_at(original, at, merged);
    }
    return err;
}

static bool has_objects(const struct fed_json *list)
{
    return fed_json_is_object(fed_json_at(list, 0));
}

static enum fed_err check_items(
    struct merge *m, const struct fed_json *original, const struct fed_json *patch)
{
    const struct fed_json *lists[] = {original, patch};
    bool objects = has_objects(original) || has_objects(patch);

    if (fed_json_count(original) > MERGED_ITEMS_MAX || fed_json_count(patch) > MERGED_ITEMS_MAX)
        return fed_diag_set(m->diag, FED_ERR_LIMIT,
            "lists of more than %u items cannot be merged, only replaced", MERGED_ITEMS_MAX);
    for (size_t i = 0; i < 2; i++) {
        struct fed_json_iter it;

        fed_json_iter_init(&it, (struct fed_json *)lists[i]);
        while (fed_json_iter_next(&it)) {
            if (fed_json_is_array(it.value))
                return fed_diag_set(
                    m->diag, FED_ERR_UNSUPPORTED, "lists of lists are not supported");
            if (fed_json_is_object(it.value) != objects)
                return fed_diag_set(
                    m->diag, FED_ERR_INVALID, "list element types are not identical");
        }
    }
    return FED_OK;
}

/* patch is used up. */
static enum fed_err merge_list(struct merge *m, const struct hub_core_field *field,
    const struct fed_json *original, struct fed_json *patch, struct fed_json **out)
{
    struct fed_json *merged = fed_json_clone(m->doc, original);
    struct fed_span key = field ? field->merge_key : (struct fed_span){0};
    bool objects = has_objects(original) || has_objects(patch);
    enum fed_err err = merged ? check_items(m, original, patch) : FED_ERR_NOMEM;
    struct fed_json *before;

    if (err)
        return err;
    if (objects && key.len == 0)
        return fed_diag_set(m->diag, FED_ERR_INVALID, "cannot merge lists without merge key");
    if (!objects) {
        err = append_clones(m, merged, patch);
        deduplicate(merged);
        return err ? err : order_list(m, merged, patch, original, (struct fed_span){0}, out);
    }
    err = special_items(m, key, merged, patch);
    before = err ? NULL : fed_json_clone(m->doc, merged);
    if (!err)
        err = before ? merge_items(m, field, merged, patch) : FED_ERR_NOMEM;
    return err ? err : order_list(m, merged, patch, before, key, out);
}

static enum fed_err merge_any_list(struct merge *m, const struct hub_core_field *field,
    const struct fed_json *original, struct fed_json *patch, struct fed_json **out)
{
    if (field && field->merge)
        return merge_list(m, field, original, patch, out);
    *out = fed_json_clone(m->doc, patch);
    return *out ? FED_OK : FED_ERR_NOMEM;
}

static enum fed_err delete_from_list(struct merge *m, const struct fed_json *original,
    const struct fed_json *gone, struct fed_json **out)
{
    struct fed_json *list = fed_json_new_array(m->doc);
    struct fed_json_iter it;
    enum fed_err err = list ? check_items(m, original, gone) : FED_ERR_NOMEM;

    fed_json_iter_init(&it, (struct fed_json *)original);
    while (!err && fed_json_iter_next(&it))
        if (!list_has(gone, it.value, (struct fed_span){0}))
            err = fed_json_append(list, fed_json_clone(m->doc, it.value));
    *out = list;
    return err;
}

/* ---- directives of a map ---- */
static enum fed_err retain_keys(struct merge *m, struct fed_json *original, struct fed_json *patch)
{
    struct fed_json *keys = fed_json_get(patch, "$retainKeys");
    struct fed_json *sides[] = {patch, original};

    if (!keys)
        return FED_OK;
    if (!fed_json_is_array(keys))
        return fed_diag_set(m->diag, FED_ERR_UNSUPPORTED, "invalid patch format of retainKeys");
    for (size_t side = 0; side < 2; side++) {
        struct fed_json_iter it;

        fed_json_iter_init(&it, sides[side]);
        while (fed_json_iter_next(&it)) {
            bool kept = false;

            for (size_t i = 0; !kept && i < fed_json_count(keys); i++)
                kept = fed_span_eq(fed_json_string(fed_json_at(keys, i)), it.key);
            if (kept || fed_span_is(it.key, "$retainKeys"))
                continue;
            if (side == 1)
                fed_json_iter_remove(&it);
            else if (!is_null(it.value) && !fed_span_starts(it.key, DELETE_FROM) &&
                     !fed_span_starts(it.key, SET_ORDER))
                return fed_diag_set(
                    m->diag, FED_ERR_UNSUPPORTED, "invalid patch format of retainKeys");
        }
    }
    fed_json_remove(patch, "$retainKeys");
    return FED_OK;
}

/* The items of the patch come in the order that it wants. */
static enum fed_err check_order(struct merge *m, const struct fed_json *items,
    const struct fed_json *order, struct fed_span key)
{
    struct fed_json_iter item;
    size_t at = 0;

    if (fed_json_count(order) == 0)
        return FED_OK;
    fed_json_iter_init(&item, (struct fed_json *)items);
    while (fed_json_iter_next(&item)) {
        const struct fed_json *wanted = key_of(item.value, key);

        if (fed_json_get(item.value, "$patch"))
            continue;
        while (at < fed_json_count(order) &&
               !(wanted && key_of(fed_json_at(order, at), key) &&
                   fed_json_eq(wanted, key_of(fed_json_at(order, at), key))))
            at++;
        if (at == fed_json_count(order))
            return fed_diag_set(m->diag, FED_ERR_INVALID,
                "The order in patch list doesn't match $setElementOrder list");
        at++;
    }
    return FED_OK;
}

static enum fed_err set_order(struct merge *m, const struct hub_core_type *type,
    struct fed_json *original, struct fed_json *patch, struct fed_span name,
    const struct fed_json *order)
{
    const struct hub_core_field *field = hub_core_field(type, name);
    const struct fed_json *before = fed_json_get_span(original, name);
    struct fed_json *items = fed_json_get_span(patch, name);
    struct fed_span key = field ? field->merge_key : (struct fed_span){0};
    struct fed_json *merged = NULL;
    enum fed_err err;

    if (!fed_json_is_array(order) || (before && !fed_json_is_array(before)) ||
        (items && !fed_json_is_array(items)))
        return fed_diag_set(
            m->diag, FED_ERR_INVALID, "expected a []interface {}, but received another");
    if (fed_json_count(order) > MERGED_ITEMS_MAX)
        return fed_diag_set(m->diag, FED_ERR_LIMIT, "more than %u items", MERGED_ITEMS_MAX);
    if (!field || !field->list)
        return fed_diag_set(m->diag, FED_ERR_INVALID,
            "unable to find api field for the json field \"" FED_SPAN_FMT "\"", FED_SPAN_ARG(name));
    err = items ? check_order(m, items, order, key) : FED_OK;
    if (!err && !items && !before)
        return FED_OK;
    if (!err)
        err = check_items(m, before, items);
    if (!err && fed_json_count(before) + fed_json_count(items) == 0)
        err = fed_diag_set(m->diag, FED_ERR_INVALID, "no elements in any of the given slices");
    if (!err && items && before)
        err = merge_any_list(m, field, before, items, &merged);
    else if (!err) {
        merged = fed_json_clone(m->doc, items ? items : before);
        if (!merged)
            err = FED_ERR_NOMEM;
        else if (items)
            drop_directives(merged);
    }
    if (!err)
        err = order_list(m, merged, order, before, key, &merged);
    if (!err)
        err = fed_json_set_span(m->doc, original, name, merged);
    fed_json_remove_span(patch, name);
    return err;
}

static enum fed_err set_orders(struct merge *m, const struct hub_core_type *type,
    struct fed_json *original, struct fed_json *patch)
{
    struct fed_json *copy = fed_json_clone(m->doc, patch);
    struct fed_json_iter it;
    enum fed_err err = copy ? FED_OK : FED_ERR_NOMEM;

    fed_json_iter_init(&it, copy);
    while (!err && fed_json_iter_next(&it)) {
        if (!fed_span_starts(it.key, SET_ORDER))
            continue;
        fed_json_remove_span(patch, it.key);
        err = set_order(m, type, original, patch,
            fed_span_sub(it.key, sizeof SET_ORDER - 1, it.key.len), it.value);
    }
    return err;
}

/* ---- maps ---- */
static enum fed_err put_new(
    struct merge *m, struct fed_json *original, struct fed_span key, const struct fed_json *value)
{
    struct fed_json *copy = fed_json_clone(m->doc, value);

    if (!copy)
        return FED_ERR_NOMEM;
    drop_nulls(copy);
    if (drop_directives(copy))
        return fed_json_set_span(m->doc, original, key, copy);
    fed_json_remove_span(original, key);
    return FED_OK;
}

static enum fed_err merge_member(struct merge *m, const struct hub_core_type *type,
    struct fed_json *original, struct fed_span key, struct fed_json *value)
{
    bool gone = fed_span_starts(key, DELETE_FROM);
    struct fed_span name = gone ? fed_span_sub(key, sizeof DELETE_FROM - 1, key.len) : key;
    const struct hub_core_field *field = hub_core_field(type, name);
    struct fed_json *there = fed_json_get_span(original, name);
    bool map = field && field->map;
    struct fed_json *merged;
    enum fed_err err;

    if (is_null(value)) {
        fed_json_remove_span(original, name);
        return FED_OK;
    }
    if (!there || fed_json_type(there) != fed_json_type(value))
        return gone ? FED_OK : put_new(m, original, name, value);
    if (fed_json_is_object(there))
        err = merge_map(m, field && !map ? field->type : NULL, there, value, &merged);
    else if (fed_json_is_array(there))
        err = gone ? delete_from_list(m, there, value, &merged)
                   : merge_any_list(m, field, there, value, &merged);
    else
        return put_new(m, original, name, value);
    return err || merged == there ? err : fed_json_set_span(m->doc, original, name, merged);
}

static enum fed_err merge_map(struct merge *m, const struct hub_core_type *type,
    struct fed_json *original, struct fed_json *patch, struct fed_json **out)
{
    struct fed_json *directive = fed_json_get(patch, "$patch");
    struct fed_json_iter it;
    enum fed_err err;

    if (!original || !patch)
        return FED_ERR_NOMEM;
    if (directive) {
        bool replace = fed_span_is(fed_json_string(directive), "replace");

        if (!replace && !fed_span_is(fed_json_string(directive), "delete"))
            return fed_diag_set(m->diag, FED_ERR_INVALID, "unknown patch type: " FED_SPAN_FMT,
                FED_SPAN_ARG(fed_json_string(directive)));
        fed_json_remove(patch, "$patch");
        *out = replace ? fed_json_clone(m->doc, patch) : fed_json_new_object(m->doc);
        return *out ? FED_OK : FED_ERR_NOMEM;
    }
    err = retain_keys(m, original, patch);
    if (!err)
        err = set_orders(m, type, original, patch);
    fed_json_iter_init(&it, patch);
    while (!err && fed_json_iter_next(&it))
        err = merge_member(m, type, original, it.key, it.value);
    *out = original;
    return err;
}

enum fed_err hub_strategic_merge(struct fed_json_doc *doc, const struct hub_core_type *type,
    struct fed_json **target, const struct fed_json *patch, struct fed_diag *diag)
{
    struct merge m = {.doc = doc, .diag = diag};

    return merge_map(&m, type, fed_json_clone(doc, *target), fed_json_clone(doc, patch), target);
}
