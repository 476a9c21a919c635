/* field_walk.c - see field_walk.h.
 *
 * Which paths a value has, and the order of merged lists, follow sigs.k8s.io/structured-merge-diff
 * (typed/tofieldset.go, compare.go, merge.go, remove.go; Copyright 2018 The Kubernetes Authors,
 * Apache License 2.0), so that a list merged here and one merged by kube-apiserver come out alike.
 */
#include "hub/api/field_walk.h"

#include <stdlib.h>
#include <string.h>

#define KEYS_MAX 8u

enum kind { ABSENT, NOTHING, SCALAR, LIST, MAP };

static enum kind kind_of(const struct fed_json *value)
{
    static const enum kind kinds[] = {
        [FED_JSON_ABSENT] = ABSENT,
        [FED_JSON_NULL] = NOTHING,
        [FED_JSON_BOOL] = SCALAR,
        [FED_JSON_INT] = SCALAR,
        [FED_JSON_REAL] = SCALAR,
        [FED_JSON_STRING] = SCALAR,
        [FED_JSON_ARRAY] = LIST,
        [FED_JSON_OBJECT] = MAP,
    };

    return kinds[fed_json_type(value)];
}

static bool has_content(const struct fed_json *value)
{
    return fed_json_count(value) > 0;
}

/* Replaced as a whole, and one path. */
static bool is_atomic(const struct hub_schema_node *node, enum kind kind)
{
    if (kind == MAP)
        return hub_schema_map_atomic(node);
    return kind != LIST || hub_schema_list_type(node) == HUB_LIST_ATOMIC;
}

/* ---- indexes: the children of a map or list by path element ---- */

struct item {
    struct fed_span name;
    struct fed_span key; /* of a map's member */
    struct fed_json *value;
    size_t at;
    bool repeated; /* an item with the same element stands before it (lists only) */
    bool twin;     /* or anywhere else */
};

struct items {
    struct item *list; /* sorted by name, then position */
    size_t n;
};

static int item_cmp(const void *a, const void *b)
{
    const struct item *left = a;
    const struct item *right = b;
    int order = fed_span_cmp(left->name, right->name);

    if (order)
        return order;
    return left->at < right->at ? -1 : left->at > right->at;
}

static int key_cmp(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

struct fed_span hub_field_walk_element(
    struct hub_field_context *c, const struct hub_schema_node *node, const struct fed_json *item)
{
    const struct hub_schema_node *inner = hub_schema_item(node);
    const struct fed_json *values[KEYS_MAX];
    const char *keys[KEYS_MAX];
    bool any = false;
    size_t n;

    if (hub_schema_list_type(node) == HUB_LIST_SET)
        return kind_of(item) == SCALAR ? hub_field_element_value(c, item) : (struct fed_span){0};
    if (kind_of(item) != MAP)
        return (struct fed_span){0};
    n = hub_schema_list_keys(node, keys);
    qsort(keys, n, sizeof *keys, key_cmp);
    for (size_t i = 0; i < n; i++) {
        values[i] = fed_json_get(item, keys[i]);
        if (!values[i])
            values[i] = hub_schema_otherwise(hub_schema_member(inner, fed_span_text(keys[i])));
        any = any || values[i];
    }
    return any ? hub_field_element_key(c, keys, values, n) : (struct fed_span){0};
}

static void index_mark(struct items *items, bool map)
{
    size_t kept = 0;

    for (size_t i = 0; i < items->n; i++) {
        bool same = kept > 0 && fed_span_eq(items->list[kept - 1].name, items->list[i].name);

        if (same && map) {
            items->list[kept - 1] =
                items->list[i]; /* of a key that stands twice the last one counts */
            continue;
        }
        items->list[kept] = items->list[i];
        if (same)
            items->list[kept].repeated = items->list[kept].twin = items->list[kept - 1].twin = true;
        kept++;
    }
    items->n = kept;
}

/* Children of a map or a list that is not atomic; nothing for any other value. Items without an
 * element are left out. */
static struct items index_items(
    struct hub_field_context *c, const struct hub_schema_node *node, const struct fed_json *value)
{
    bool map = kind_of(value) == MAP;
    struct items items = {0};
    struct fed_json_iter it;

    if (!has_content(value))
        return items;
    items.list = fed_alloc_array(c->mem, fed_json_count(value), sizeof *items.list);
    if (!items.list) {
        c->err = c->err ? c->err : FED_ERR_NOMEM;
        return items;
    }
    fed_json_iter_init(&it, (struct fed_json *)value);
    while (!c->err && fed_json_iter_next(&it)) {
        struct fed_span name =
            map ? hub_field_element_member(c, it.key) : hub_field_walk_element(c, node, it.value);

        if (name.len > 0)
            items.list[items.n++] =
                (struct item){.name = name, .key = it.key, .value = it.value, .at = it.index};
    }
    if (c->err)
        return (struct items){0};
    qsort(items.list, items.n, sizeof *items.list, item_cmp);
    index_mark(&items, map);
    return items;
}

static const struct item *items_find(const struct items *items, struct fed_span name)
{
    size_t low = 0;
    size_t high = items->n;

    while (low < high) { /* the first one with this name */
        size_t middle = low + (high - low) / 2;

        if (fed_span_cmp(items->list[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < items->n && fed_span_eq(items->list[low].name, name) ? &items->list[low] : NULL;
}

static const struct hub_schema_node *child_node(
    const struct hub_schema_node *node, bool map, const struct item *item)
{
    return map ? hub_schema_member(node, item->key) : hub_schema_item(node);
}

/* ---- the set of a configuration ---- */

static const struct hub_field_set *set_of(struct hub_field_context *c,
    const struct hub_schema_node *node, struct fed_span name, const struct fed_json *value,
    bool member);

static const struct hub_field_set *set_of_children(struct hub_field_context *c,
    const struct hub_schema_node *node, struct fed_span name, const struct fed_json *value,
    bool member)
{
    struct items items = index_items(c, node, value);
    const struct hub_field_set **child = hub_field_set_room(c, items.n);
    bool map = kind_of(value) == MAP;
    size_t n = 0;

    for (size_t i = 0; child && i < items.n; i++) {
        const struct item *item = &items.list[i];
        enum kind kind = kind_of(item->value);
        bool bare = kind == NOTHING || (kind == MAP && !has_content(item->value));

        if (item->repeated)
            continue;
        if (item->twin)
            child[n++] = hub_field_set_node(c, item->name, true, NULL, 0);
        else
            child[n++] = set_of(c, child_node(node, map, item), item->name, item->value,
                !map || bare || !hub_schema_is_declared(node, item->key));
    }
    return hub_field_set_node(c, name, member, child, child ? n : 0);
}

/* member: this path is in the set whatever the value is. */
static const struct hub_field_set *set_of(struct hub_field_context *c,
    const struct hub_schema_node *node, struct fed_span name, const struct fed_json *value,
    bool member)
{
    enum kind kind = kind_of(value);

    if (kind == NOTHING || is_atomic(node, kind))
        return hub_field_set_node(c, name, member || kind != NOTHING, NULL, 0);
    return set_of_children(c, node, name, value, member);
}

const struct hub_field_set *hub_field_walk_set(
    struct hub_field_context *c, const struct hub_schema_node *node, const struct fed_json *value)
{
    const struct hub_field_set *set =
        kind_of(value) == MAP ? set_of_children(c, node, (struct fed_span){0}, value, false) : NULL;

    return c->err ? NULL : set;
}

/* ---- what differs ---- */

#define CHANGES 3u

struct side { /* one place of two objects */
    const struct hub_schema_node *node;
    struct fed_span name;
    const struct fed_json *a, *b;
};

static void compare(
    struct hub_field_context *c, const struct side *at, struct hub_field_changes *out);

/* A leaf, or something that appeared or vanished: the path itself. */
static void compare_whole(
    struct hub_field_context *c, const struct side *at, struct hub_field_changes *out)
{
    const struct hub_field_set *self;

    if (at->a && at->b && fed_json_eq(at->a, at->b))
        return;
    self = hub_field_set_node(c, at->name, true, NULL, 0);
    if (!at->a)
        out->added = hub_field_set_union(c, out->added, self);
    else if (!at->b)
        out->removed = hub_field_set_union(c, out->removed, self);
    else
        out->modified = hub_field_set_union(c, out->modified, self);
}

static size_t count_twins(const struct items *items, size_t from)
{
    size_t n = 1;

    while (from + n < items->n && items->list[from + n].repeated)
        n++;
    return n;
}

/* Items of a list that stands with duplicates on one side or both: the element counts as one atomic
 * thing. */
static void compare_twins(struct hub_field_context *c, const struct side *at, const struct item *a,
    size_t n_a, const struct item *b, size_t n_b, struct hub_field_changes *out)
{
    const struct hub_field_set *self = hub_field_set_node(c, at->name, true, NULL, 0);
    struct side side = {at->node, at->name, n_a == 1 ? a->value : NULL, n_b == 1 ? b->value : NULL};
    bool same = n_a == n_b;

    if (side.a || side.b)
        compare(c, &side, out);
    if (n_a >= 2 && n_b >= 2) {
        for (size_t i = 0; same && i < n_a; i++)
            same = fed_json_eq(a[i].value, b[i].value);
        if (!same)
            out->modified = hub_field_set_union(c, out->modified, self);
    } else if (n_a >= 2) {
        out->removed = hub_field_set_union(c, out->removed, self);
    } else {
        out->added = hub_field_set_union(c, out->added, self);
    }
}

struct gather { /* the children of the three sets of a place, in order */
    const struct hub_field_set **child[CHANGES];
    size_t n;
};

static void gather_put(struct gather *to, const struct hub_field_changes *one)
{
    to->child[0][to->n] = one->added;
    to->child[1][to->n] = one->modified;
    to->child[2][to->n] = one->removed;
    to->n++;
}

static void compare_pair(struct hub_field_context *c, const struct side *at, bool map,
    const struct items *a, const struct items *b, size_t *i, size_t *j, struct gather *to)
{
    int order = *i == a->n ? 1 : *j == b->n ? -1 : fed_span_cmp(a->list[*i].name, b->list[*j].name);
    const struct item *left = order <= 0 ? &a->list[*i] : NULL;
    const struct item *right = order >= 0 ? &b->list[*j] : NULL;
    const struct item *any = left ? left : right;
    struct side side = {child_node(at->node, map, any), any->name, left ? left->value : NULL,
        right ? right->value : NULL};
    size_t n_left = left ? count_twins(a, *i) : 0;
    size_t n_right = right ? count_twins(b, *j) : 0;
    struct hub_field_changes one = {0};

    if (n_left > 1 || n_right > 1)
        compare_twins(c, &side, left, n_left, right, n_right, &one);
    else
        compare(c, &side, &one);
    gather_put(to, &one);
    *i += n_left;
    *j += n_right;
}

/* Children of two maps or two lists; what is of another kind counts as absent. */
static void compare_children(struct hub_field_context *c, const struct side *at, enum kind kind,
    struct hub_field_changes *out)
{
    struct items a = index_items(c, at->node, kind_of(at->a) == kind ? at->a : NULL);
    struct items b = index_items(c, at->node, kind_of(at->b) == kind ? at->b : NULL);
    const struct hub_field_set **sets[CHANGES] = {&out->added, &out->modified, &out->removed};
    struct gather gather = {.n = 0};
    size_t i = 0;
    size_t j = 0;

    for (size_t k = 0; k < CHANGES; k++) {
        gather.child[k] = hub_field_set_room(c, a.n + b.n);
        if (!gather.child[k])
            return;
    }
    while (!c->err && (i < a.n || j < b.n))
        compare_pair(c, at, kind == MAP, &a, &b, &i, &j, &gather);
    for (size_t k = 0; k < CHANGES; k++)
        *sets[k] = hub_field_set_union(
            c, *sets[k], hub_field_set_node(c, at->name, false, gather.child[k], gather.n));
}

/* As a value of one kind: a leaf or its children. true: it was a leaf. */
static bool compare_as(struct hub_field_context *c, const struct side *at, enum kind kind,
    struct hub_field_changes *out)
{
    bool content = (kind_of(at->a) == kind && has_content(at->a)) ||
                   (kind_of(at->b) == kind && has_content(at->b));

    if (is_atomic(at->node, kind) || !content) {
        compare_whole(c, at, out);
        return true;
    }
    compare_children(c, at, kind, out);
    return false;
}

static void compare(
    struct hub_field_context *c, const struct side *at, struct hub_field_changes *out)
{
    enum kind a = kind_of(at->a);
    enum kind b = kind_of(at->b);
    bool leaf;

    if (a == ABSENT || a == NOTHING) {
        leaf = compare_as(c, at, b == ABSENT ? a : b, out);
    } else if (b == ABSENT || b == NOTHING || a == b) {
        leaf = compare_as(c, at, a, out);
    } else { /* another kind of value: both views of it */
        compare_as(c, at, a, out);
        leaf = compare_as(c, at, b, out);
    }
    if (!leaf && (!at->a || !at->b))
        compare_whole(c, at, out);
}

void hub_field_walk_compare(struct hub_field_context *c, const struct hub_schema_node *node,
    const struct fed_json *a, const struct fed_json *b, struct hub_field_changes *out)
{
    struct side root = {node, {0}, a, b};

    *out = (struct hub_field_changes){0};
    if (has_content(a) || has_content(b))
        compare_children(c, &root, MAP, out);
}

/* ---- merge ---- */

static struct fed_json *made(struct hub_field_context *c, struct fed_json *value)
{
    if (!value && !c->err)
        c->err = FED_ERR_NOMEM;
    return value;
}

static struct fed_json *merge_map(struct hub_field_context *c, const struct hub_schema_node *node,
    const struct fed_json *live, const struct fed_json *config)
{
    struct items theirs = index_items(c, node, live);
    struct items ours = index_items(c, node, config);
    struct fed_json *out = made(c, fed_json_new_object(c->doc));
    struct fed_json_iter it;

    fed_json_iter_init(&it, (struct fed_json *)live);
    while (!c->err && fed_json_iter_next(&it)) {
        struct fed_span name = hub_field_element_member(c, it.key);
        const struct item *left = items_find(&theirs, name);
        const struct item *right = items_find(&ours, name);

        if (left && left->at == it.index &&
            fed_json_add_span(c->doc, out, it.key,
                hub_field_walk_merge(
                    c, hub_schema_member(node, it.key), it.value, right ? right->value : NULL)))
            made(c, NULL);
    }
    fed_json_iter_init(&it, (struct fed_json *)config);
    while (!c->err && fed_json_iter_next(&it)) {
        struct fed_span name = hub_field_element_member(c, it.key);
        const struct item *right = items_find(&ours, name);

        if (right && right->at == it.index && !items_find(&theirs, name) &&
            fed_json_add_span(c->doc, out, it.key, made(c, fed_json_clone(c->doc, it.value))))
            made(c, NULL);
    }
    return c->err ? NULL : out;
}

#define NONE SIZE_MAX

struct merge {                          /* two lists, left and right, and how their items meet */
    const struct hub_schema_node *node; /* of an item */
    const struct fed_json **left, **right;
    size_t *partner;               /* of each left item, or NONE */
    const struct fed_json **other; /* of each right item; NULL: none, or the left has it twice */
    bool *shared, *merged;         /* of each right item */
    size_t n_left, n_right;
    size_t next; /* the shared item that comes next in the right order, or NONE */
    struct fed_json *out;
};

static void merge_put(struct hub_field_context *c, struct merge *m, const struct fed_json *a,
    const struct fed_json *b)
{
    struct fed_json *one = hub_field_walk_merge(c, m->node, a, b);

    if (c->err || fed_json_append(m->out, one))
        made(c, NULL);
}

static void merge_next(struct merge *m)
{
    size_t from = m->next;

    for (m->next = NONE; from != NONE && ++from < m->n_right;)
        if (m->shared[from]) {
            m->next = from;
            return;
        }
}

static void merge_right(struct hub_field_context *c, struct merge *m, size_t right)
{
    m->merged[right] = true;
    merge_put(c, m, m->other[right], m->right[right]);
}

/* One step of upstream's loop: the left order rules until it meets an item that the right has in
 * another order. */
static void merge_step(struct hub_field_context *c, struct merge *m, size_t *l, size_t *r)
{
    bool left = *l < m->n_left;
    size_t partner = left ? m->partner[*l] : NONE;

    if (left && *r < m->n_right && partner == *r) {
        merge_right(c, m, *r);
        ++*l;
        ++*r;
        merge_next(m);
        return;
    }
    if (left && *r < m->n_right && partner != NONE && m->next != NONE && m->next != partner) {
        ++*l; /* shared, but not the one that comes next */
        return;
    }
    if (left && partner == NONE) {
        merge_put(c, m, m->left[*l], NULL);
        ++*l;
        return;
    }
    if (left && m->merged[partner])
        ++*l;
    if (*r < m->n_right) {
        merge_right(c, m, *r);
        if (m->next == *r)
            merge_next(m);
        ++*r;
    }
}

static bool merge_alloc(struct hub_field_context *c, struct merge *m)
{
    size_t n = m->n_left + m->n_right + 1;

    m->left = fed_alloc_array(c->mem, n, sizeof *m->left);
    m->right = fed_alloc_array(c->mem, n, sizeof *m->right);
    m->other = fed_alloc_array(c->mem, n, sizeof *m->other);
    m->partner = fed_alloc_array(c->mem, n, sizeof *m->partner);
    m->shared = fed_alloc_array(c->mem, n, sizeof *m->shared);
    m->merged = fed_alloc_array(c->mem, n, sizeof *m->merged);
    if (!m->left || !m->right || !m->other || !m->partner || !m->shared || !m->merged) {
        made(c, NULL);
        return false;
    }
    memset(m->left, 0, n * sizeof *m->left);
    memset(m->right, 0, n * sizeof *m->right);
    memset(m->other, 0, n * sizeof *m->other);
    memset(m->shared, 0, n * sizeof *m->shared);
    memset(m->merged, 0, n * sizeof *m->merged);
    return true;
}

static void merge_match(struct merge *m, const struct items *live, const struct items *config)
{
    for (size_t i = 0; i < live->n; i++) {
        const struct item *item = &live->list[i];
        const struct item *partner = items_find(config, item->name);

        m->left[item->at] = item->value;
        m->partner[item->at] = partner ? partner->at : NONE;
        if (!partner)
            continue;
        m->shared[partner->at] = true;
        if (!item->twin)
            m->other[partner->at] = item->value;
    }
    for (size_t i = 0; i < config->n; i++)
        m->right[config->list[i].at] = config->list[i].value;
    m->next = NONE;
    for (size_t i = m->n_right; i-- > 0;)
        if (m->shared[i])
            m->next = i;
}

static struct fed_json *merge_list(struct hub_field_context *c, const struct hub_schema_node *node,
    const struct fed_json *live, const struct fed_json *config)
{
    struct items theirs = index_items(c, node, live);
    struct items ours = index_items(c, node, config);
    struct merge m = {.node = hub_schema_item(node),
        .n_left = fed_json_count(live),
        .n_right = fed_json_count(config)};
    size_t l = 0;
    size_t r = 0;

    if (c->err || !merge_alloc(c, &m))
        return NULL;
    m.out = made(c, fed_json_new_array(c->doc));
    if (theirs.n != m.n_left ||
        ours.n != m.n_right) /* an item without its keys: nothing to merge by */
        return made(c, fed_json_clone(c->doc, config));
    merge_match(&m, &theirs, &ours);
    while (!c->err && (l < m.n_left || r < m.n_right))
        merge_step(c, &m, &l, &r);
    return c->err ? NULL : m.out;
}

struct fed_json *hub_field_walk_merge(struct hub_field_context *c,
    const struct hub_schema_node *node, const struct fed_json *live, const struct fed_json *config)
{
    enum kind a = kind_of(live);
    enum kind b = kind_of(config);

    if (b == ABSENT ||
        (b == NOTHING && (a == MAP || a == LIST) && !is_atomic(node, a) && has_content(live)))
        return made(c, fed_json_clone(c->doc, live));
    if (a != b || is_atomic(node, b) || (!has_content(live) && !has_content(config)))
        return made(c, fed_json_clone(c->doc, config));
    return b == MAP ? merge_map(c, node, live, config) : merge_list(c, node, live, config);
}

/* ---- remove ---- */

static struct fed_json *removed_children(struct hub_field_context *c,
    const struct hub_schema_node *node, const struct fed_json *value,
    const struct hub_field_set *paths, struct fed_json *out)
{
    bool map = kind_of(value) == MAP;
    struct fed_json_iter it;

    fed_json_iter_init(&it, (struct fed_json *)value);
    while (!c->err && fed_json_iter_next(&it)) {
        struct fed_span name =
            map ? hub_field_element_member(c, it.key) : hub_field_walk_element(c, node, it.value);
        const struct hub_field_set *path = hub_field_set_child(paths, name);
        const struct hub_schema_node *inner =
            map ? hub_schema_member(node, it.key) : hub_schema_item(node);
        struct fed_json *one;

        if (path && path->member)
            continue;
        one = path ? hub_field_walk_remove(c, inner, it.value, path)
                   : made(c, fed_json_clone(c->doc, it.value));
        if (c->err ||
            (map ? fed_json_add_span(c->doc, out, it.key, one) : fed_json_append(out, one)))
            made(c, NULL);
    }
    if (!c->err && fed_json_count(out) == 0)
        return made(c, fed_json_new_null(c->doc));
    return out;
}

struct fed_json *hub_field_walk_remove(struct hub_field_context *c,
    const struct hub_schema_node *node, const struct fed_json *value,
    const struct hub_field_set *paths)
{
    enum kind kind = kind_of(value);
    struct fed_json *out;

    if (kind == SCALAR)
        return made(c, fed_json_clone(c->doc, value));
    if ((kind != MAP && kind != LIST) || is_atomic(node, kind))
        return made(c, fed_json_new_null(c->doc));
    out = made(c, kind == MAP ? fed_json_new_object(c->doc) : fed_json_new_array(c->doc));
    return out ? removed_children(c, node, value, paths, out) : NULL;
}

/* ---- declared fields above ---- */

const struct hub_field_set *hub_field_walk_name_parents(struct hub_field_context *c,
    const struct hub_schema_node *node, const struct hub_field_set *set)
{
    const struct hub_field_set **child;

    if (!set || !node || set->n == 0)
        return set;
    child = hub_field_set_room(c, set->n);
    if (!child)
        return NULL;
    for (size_t i = 0; i < set->n; i++) {
        const struct hub_field_set *one = set->child[i];
        struct fed_span key = fed_span_sub(one->name, 2, one->name.len);
        bool field = fed_span_starts(one->name, "f:");
        const struct hub_schema_node *inner = field ? hub_schema_member(node, key)
                                              : fed_span_starts(one->name, "k:")
                                                  ? hub_schema_item(node)
                                                  : NULL;

        child[i] = hub_field_walk_name_parents(c, inner, one);
        if (child[i] && field && !one->member && hub_schema_is_declared(node, key))
            child[i] = hub_field_set_node(c, one->name, true, child[i]->child, child[i]->n);
    }
    return hub_field_set_node(c, set->name, set->member, child, set->n);
}
