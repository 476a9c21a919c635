/* managed_fields.c - see managed_fields.h: the entries of managedFields, and what each kind of
 * write does to them.
 *
 * The algorithm is that of sigs.k8s.io/structured-merge-diff (merge/update.go; Copyright 2018 The
 * Kubernetes Authors, Apache License 2.0) and of the field managers around it in
 * k8s.io/apimachinery. Paths of all versions of a kind are compared as they are: the versions
 * served here name the same fields. */
#include "hub/api/managed_fields.h"

#include "hub/api/field_walk.h"
#include "proto/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX 1000u      /* of one object; more are as undecodable ones */
#define UPDATE_ENTRIES_MAX 10u /* then the oldest become one */
#define ARENA_MAX (64u << 20)  /* all sets of one write */
#define OLD_UPDATES "ancient-changes"
#define BEFORE_FIRST_APPLY "before-first-apply"
#define LAST_APPLIED "kubectl.kubernetes.io/last-applied-configuration"

struct entry {
    struct fed_span manager, api_version, subresource;
    bool apply;
    bool timed;
    int64_t unix_s;
    const struct hub_field_set *set;
};

struct op { /* one write */
    const struct hub_field_update *update;
    const struct hub_schema_node *root;
    struct fed_arena arena;
    struct hub_field_context c;
    struct entry *entries;
    size_t n;
};

static enum fed_err op_init(
    struct op *op, struct fed_json_doc *doc, const struct hub_field_update *update)
{
    *op = (struct op){.update = update, .root = hub_schema_root(update->schema)};
    fed_arena_init(&op->arena, fed_alloc_system(), ARENA_MAX);
    hub_field_context_init(&op->c, &op->arena.alloc, doc);
    op->entries = fed_alloc_array(&op->arena.alloc, ENTRIES_MAX + 2, sizeof *op->entries);
    return op->entries ? FED_OK : FED_ERR_NOMEM;
}

static void op_fini(struct op *op)
{
    hub_field_context_fini(&op->c);
    fed_arena_fini(&op->arena);
}

static const struct fed_json *stored_fields(const struct fed_json *object)
{
    return fed_json_get(fed_json_get(object, "metadata"), "managedFields");
}

/* ---- entries ---- */

static bool same_entry(const struct entry *a, const struct entry *b)
{
    return a->apply == b->apply && fed_span_eq(a->manager, b->manager) &&
           fed_span_eq(a->subresource, b->subresource) &&
           (a->apply || fed_span_eq(a->api_version, b->api_version));
}

static struct entry *entry_find(struct op *op, const struct entry *like)
{
    for (size_t i = 0; i < op->n; i++)
        if (same_entry(&op->entries[i], like))
            return &op->entries[i];
    return NULL;
}

/* The entry with this key; a new one without a set when there is none. */
static struct entry *entry_get(struct op *op, const struct entry *like)
{
    struct entry *entry = entry_find(op, like);

    if (entry)
        return entry;
    entry = &op->entries[op->n++];
    *entry = *like;
    entry->set = NULL;
    entry->timed = false;
    return entry;
}

static void drop_empty(struct op *op)
{
    size_t kept = 0;

    for (size_t i = 0; i < op->n; i++)
        if (op->entries[i].set)
            op->entries[kept++] = op->entries[i];
    op->n = kept;
}

static bool decode_entry(struct op *op, const struct fed_json *from)
{
    const struct fed_json *time = fed_json_get(from, "time");
    struct fed_span operation = fed_json_string(fed_json_get(from, "operation"));
    struct entry entry = {
        .manager = fed_json_string(fed_json_get(from, "manager")),
        .api_version = fed_json_string(fed_json_get(from, "apiVersion")),
        .subresource = fed_json_string(fed_json_get(from, "subresource")),
        .apply = fed_span_is(operation, "Apply"),
        .timed = fed_json_is_string(time),
    };

    if ((!entry.apply && !fed_span_is(operation, "Update")) || entry.api_version.len == 0 ||
        !fed_span_is(fed_json_string(fed_json_get(from, "fieldsType")), "FieldsV1"))
        return false;
    if (entry.timed && fed_text_time_parse(fed_json_string(time), &entry.unix_s))
        return false;
    entry.set = hub_field_set_decode(&op->c, fed_json_get(from, "fieldsV1"));
    if (op->c.err)
        return false;
    *entry_get(op, &entry) = entry;
    return true;
}

/* false when they cannot be decoded (then there are none) or memory is out. */
static bool decode_entries(struct op *op, const struct fed_json *list)
{
    struct fed_json_iter it;
    bool ok = fed_json_is_array(list) && fed_json_count(list) <= ENTRIES_MAX;

    op->n = 0;
    fed_json_iter_init(&it, ok ? (struct fed_json *)list : NULL);
    while (ok && fed_json_iter_next(&it))
        ok = decode_entry(op, it.value);
    if (ok)
        return true;
    op->n = 0;
    if (op->c.err == FED_ERR_INVALID || op->c.err == FED_ERR_LIMIT)
        op->c.err = FED_OK;
    return false;
}

static int entry_cmp(const void *a, const void *b)
{
    const struct entry *left = a;
    const struct entry *right = b;
    int64_t when[2] = {left->timed ? left->unix_s : 0, right->timed ? right->unix_s : 0};
    int order;

    if (left->apply != right->apply)
        return left->apply ? -1 : 1;
    if (when[0] != when[1])
        return when[0] < when[1] ? -1 : 1;
    order = fed_span_cmp(left->manager, right->manager);
    if (!order)
        order = fed_span_cmp(left->api_version, right->api_version);
    return order ? order : fed_span_cmp(left->subresource, right->subresource);
}

static enum fed_err encode_entry(
    struct fed_json_doc *doc, struct op *op, const struct entry *entry, struct fed_json *to)
{
    char time[FED_TEXT_TIME_SIZE];
    enum fed_err err = fed_json_set_string(doc, to, "apiVersion", entry->api_version);

    if (!err)
        err = fed_json_set_text(doc, to, "fieldsType", "FieldsV1");
    if (!err)
        err = fed_json_set(doc, to, "fieldsV1", hub_field_set_encode(&op->c, entry->set));
    if (!err)
        err = fed_json_set_string(doc, to, "manager", entry->manager);
    if (!err)
        err = fed_json_set_text(doc, to, "operation", entry->apply ? "Apply" : "Update");
    if (!err && entry->subresource.len > 0)
        err = fed_json_set_string(doc, to, "subresource", entry->subresource);
    if (err || !entry->timed)
        return err;
    fed_text_time(entry->unix_s, time);
    return fed_json_set_text(doc, to, "time", time);
}

/* Writes the entries into the object. */
static enum fed_err encode_entries(struct op *op, struct fed_json *object)
{
    struct fed_json_doc *doc = op->c.doc;
    struct fed_json *metadata = fed_json_ensure_object(doc, object, "metadata");
    struct fed_json *list = fed_json_new_array(doc);
    enum fed_err err = op->c.err;

    if (err)
        return err;
    if (!metadata || !list)
        return FED_ERR_NOMEM;
    fed_json_remove(metadata, "managedFields");
    if (op->n == 0)
        return FED_OK;
    qsort(op->entries, op->n, sizeof *op->entries, entry_cmp);
    for (size_t i = 0; !err && i < op->n; i++) {
        struct fed_json *one = fed_json_new_object(doc);

        err = one ? encode_entry(doc, op, &op->entries[i], one) : FED_ERR_NOMEM;
        if (!err)
            err = fed_json_append(list, one);
    }
    return err ? err : fed_json_set(doc, metadata, "managedFields", list);
}

/* ---- what counts ---- */

static const char *const untracked[] = {"name", "namespace", "uid", "creationTimestamp", "selfLink",
    "generation", "resourceVersion", "managedFields", "deletionTimestamp",
    "deletionGracePeriodSeconds"};
#define UNTRACKED (sizeof untracked / sizeof *untracked)

static bool is_untracked(struct fed_span key)
{
    for (size_t i = 0; i < UNTRACKED; i++)
        if (fed_span_is(key, untracked[i]))
            return true;
    return false;
}

/* Without apiVersion, kind, metadata itself and what the server alone writes into it. */
static const struct hub_field_set *strip(struct op *op, const struct hub_field_set *set)
{
    struct hub_field_context *c = &op->c;
    const struct hub_field_set *metadata = hub_field_set_child(set, FED_SPAN_LIT("f:metadata"));
    const struct hub_field_set **only;

    set = hub_field_set_without(c, set, "f:apiVersion");
    set = hub_field_set_without(c, set, "f:kind");
    if (!metadata)
        return set;
    set = hub_field_set_without(c, set, "f:metadata");
    for (size_t i = 0; i < UNTRACKED; i++) {
        char name[64];

        snprintf(name, sizeof name, "f:%s", untracked[i]);
        metadata = hub_field_set_without(c, metadata, name);
    }
    only = hub_field_set_room(c, 1);
    if (!metadata || !only)
        return set;
    only[0] = hub_field_set_node(c, metadata->name, false, metadata->child, metadata->n);
    return hub_field_set_union(c, set, hub_field_set_node(c, (struct fed_span){0}, false, only, 1));
}

/* The status endpoint owns nothing but status, every other one everything else. */
static const struct hub_field_set *in_scope(struct op *op, const struct hub_field_set *set)
{
    if (fed_span_is(op->update->subresource, "status"))
        return hub_field_set_only(&op->c, set, "f:status");
    return hub_field_set_without(&op->c, set, "f:status");
}

static void changes(struct op *op, const struct fed_json *a, const struct fed_json *b,
    struct hub_field_changes *out)
{
    hub_field_walk_compare(&op->c, op->root, a, b, out);
    out->added = in_scope(op, out->added);
    out->modified = in_scope(op, out->modified);
    out->removed = in_scope(op, out->removed);
}

/* ---- update ---- */

static struct entry own_entry(const struct op *op, bool apply)
{
    struct fed_span manager = op->update->manager;

    return (struct entry){
        .manager = manager.len > 0 ? manager : FED_SPAN_LIT("unknown"),
        .api_version = op->update->api_version,
        .subresource = op->update->subresource,
        .apply = apply,
    };
}

/* What changed between a and b goes to the Update entry like own; everybody loses it, and what
 * vanished. */
static void take_changes(
    struct op *op, const struct entry *own, const struct fed_json *a, const struct fed_json *b)
{
    struct hub_field_context *c = &op->c;
    struct hub_field_changes diff;
    const struct hub_field_set *taken;
    const struct hub_field_set *gone;
    struct entry *entry;

    changes(op, a, b, &diff);
    taken = hub_field_set_union(c, diff.modified, diff.added);
    gone = hub_field_set_union(c, taken, diff.removed);
    for (size_t i = 0; i < op->n; i++)
        op->entries[i].set = hub_field_set_difference(c, op->entries[i].set, gone);
    taken = strip(op, taken);
    if (taken) {
        entry = entry_get(op, own);
        entry->set = hub_field_set_union(c, entry->set, taken);
        entry->timed = true;
        entry->unix_s = op->update->now_unix_s;
    }
    drop_empty(op);
}

/* Which of the client's and the stored entries hold. */
static void choose_entries(struct op *op, const struct fed_json *live, const struct fed_json *next)
{
    const struct fed_json *given = stored_fields(next);
    size_t n = fed_json_count(given);
    bool reset = fed_json_is_array(given) &&
                 (n == 0 || (n == 1 && fed_json_is_object(fed_json_at(given, 0)) &&
                                fed_json_count(fed_json_at(given, 0)) == 0));

    op->n = 0;
    if (op->update->subresource.len > 0)
        given = NULL;
    else if (reset)
        return;
    if (given && decode_entries(op, given) && op->n > 0)
        return;
    if (!op->c.err)
        (void)decode_entries(op, stored_fields(live));
}

static int older_cmp(const void *a, const void *b)
{
    const struct entry *left = a;
    const struct entry *right = b;

    if (left->apply != right->apply) /* the updates first */
        return left->apply ? 1 : -1;
    return entry_cmp(a, b);
}

static void merge_into(struct op *op, struct entry *into, struct entry *from)
{
    into->set = hub_field_set_union(&op->c, into->set, from->set);
    into->timed = from->timed;
    into->unix_s = from->unix_s;
    from->set = NULL;
}

/* Puts an Update entry together with the oldest one of its version, which becomes the bucket of
 * that version. How many entries that saves. */
static size_t fold_update(struct op *op, struct entry *from)
{
    struct entry bucket = {.manager = fed_span_text(OLD_UPDATES), .api_version = from->api_version};
    struct entry *present = entry_find(op, &bucket);
    struct entry *into = op->entries;

    while (into < from && !(into->set && fed_span_eq(into->api_version, from->api_version)))
        into++;
    if (into == from)
        return 0;
    merge_into(op, into, from);
    into->manager = bucket.manager;
    into->subresource = bucket.subresource;
    if (!present || present == into || !present->set)
        return 1;
    merge_into(op, into, present);
    return 2;
}

/* Only so many Update entries: the oldest become one per version. */
static void cap_updates(struct op *op)
{
    size_t updates = 0;

    for (size_t i = 0; i < op->n; i++)
        updates += !op->entries[i].apply;
    if (updates <= UPDATE_ENTRIES_MAX)
        return;
    qsort(op->entries, op->n, sizeof *op->entries, older_cmp);
    for (size_t i = 1; updates > UPDATE_ENTRIES_MAX && i < op->n && !op->entries[i].apply; i++)
        if (op->entries[i].set)
            updates -= fold_update(op, &op->entries[i]);
    drop_empty(op);
}

enum fed_err hub_fields_update(struct fed_json_doc *doc, const struct hub_field_update *update,
    const struct fed_json *live, struct fed_json *next)
{
    struct op op;
    struct entry own;
    enum fed_err err = op_init(&op, doc, update);

    if (!err) {
        choose_entries(&op, live, next);
        own = own_entry(&op, false);
        if (op.n > 0 || !live) /* an object without entries is not tracked before it is applied */
            take_changes(&op, &own, live ? live : update->empty, next);
        cap_updates(&op);
        err = encode_entries(&op, next);
    }
    op_fini(&op);
    return err;
}

/* ---- apply ---- */

/* What kubectl applied on the client side and nobody changed since: server-side apply by kubectl
 * may take it over. */
static const struct hub_field_set *taken_over(struct op *op, const struct fed_json *live)
{
    struct fed_span text = fed_json_string(
        fed_json_get(fed_json_get(fed_json_get(live, "metadata"), "annotations"), LAST_APPLIED));
    struct hub_field_changes diff;
    struct fed_json *last;
    const struct hub_field_set *set;

    if (!fed_span_is(op->update->manager, "kubectl") || text.len == 0 ||
        fed_json_parse(op->c.doc, text, &last, NULL) || !fed_json_is_object(last))
        return NULL;
    set = hub_field_walk_set(&op->c, op->root, last);
    hub_field_walk_compare(&op->c, op->root, live, last, &diff);
    set = hub_field_set_difference(&op->c, set, diff.modified);
    set = hub_field_set_difference(&op->c, set, diff.added);
    return hub_field_set_difference(&op->c, set, diff.removed);
}

static const struct hub_field_set *named(struct op *op, const struct hub_field_set *set)
{
    return hub_field_walk_name_parents(&op->c, op->root, set);
}

static const struct hub_field_set *named_set_of(struct op *op, const struct fed_json *object)
{
    return named(op, hub_field_walk_set(&op->c, op->root, object));
}

/* Takes from merged what was applied last time and is owned by nobody now: removes all that was,
 * puts back what is owned, puts back what never was the manager's. */
static struct fed_json *prune(struct op *op, struct fed_json *merged,
    const struct hub_field_set *last, const struct hub_field_set *owned)
{
    struct hub_field_context *c = &op->c;
    const struct hub_field_set *before = named(op, last);
    const struct hub_field_set *all;
    const struct hub_field_set *kept;
    struct fed_json *pruned;

    owned = named(op, owned);
    if (!hub_field_set_difference(c, before, owned))
        return merged;
    all = named_set_of(op, merged);
    pruned = hub_field_walk_remove(c, op->root, merged, before);
    kept = hub_field_set_union(c, named_set_of(op, pruned), owned);
    pruned = hub_field_walk_remove(c, op->root, merged, hub_field_set_difference(c, all, kept));
    kept = named_set_of(op, pruned);
    return hub_field_walk_remove(c, op->root, merged,
        hub_field_set_intersection(c, hub_field_set_difference(c, all, kept), before));
}

static void conflict_cause(
    struct op *op, const struct entry *entry, struct fed_buf *path, struct hub_causes *causes)
{
    struct fed_buf message;
    struct hub_cause *cause;

    if (causes->n == HUB_CAUSES_MAX) {
        causes->more++;
        return;
    }
    fed_buf_init(&message, &op->arena.alloc, 4096);
    fed_buf_printf(&message, "conflict with \"" FED_SPAN_FMT "\"", FED_SPAN_ARG(entry->manager));
    if (entry->subresource.len > 0)
        fed_buf_printf(
            &message, " with subresource \"" FED_SPAN_FMT "\"", FED_SPAN_ARG(entry->subresource));
    if (!entry->apply)
        fed_buf_printf(&message, " using " FED_SPAN_FMT, FED_SPAN_ARG(entry->api_version));
    cause = &causes->list[causes->n++];
    snprintf(cause->reason, sizeof cause->reason, "FieldManagerConflict");
    snprintf(cause->field, sizeof cause->field, "%s", fed_buf_cstr(path));
    snprintf(cause->message, sizeof cause->message, "%s", fed_buf_cstr(&message));
}

/* Paths of a level first, then what is below, as kube-apiserver lists them. */
static void list_conflicts(struct op *op, const struct entry *entry,
    const struct hub_field_set *set, struct fed_buf *path, struct hub_causes *causes)
{
    for (unsigned below = 0; below < 2; below++) {
        for (size_t i = 0; i < set->n; i++) {
            const struct hub_field_set *child = set->child[i];
            size_t before = path->len;

            hub_field_element_show(&op->c, child->name, path);
            if (below)
                list_conflicts(op, entry, child, path, causes);
            else if (child->member)
                conflict_cause(op, entry, path, causes);
            fed_buf_cut(path, before);
        }
    }
}

static enum fed_err find_conflicts(struct op *op, const struct entry *own,
    const struct hub_field_set *taken, const struct hub_field_set *allowed,
    struct hub_causes *causes)
{
    enum fed_err err = FED_OK;
    struct fed_buf path;

    fed_buf_init(&path, fed_alloc_system(), HUB_FIELD_ELEMENT_MAX);
    for (size_t i = 0; i < op->n; i++) {
        const struct entry *entry = &op->entries[i];
        const struct hub_field_set *set;

        if (same_entry(entry, own))
            continue;
        set = hub_field_set_intersection(&op->c, entry->set, taken);
        set = hub_field_set_difference(&op->c, set, allowed);
        if (!set)
            continue;
        err = FED_ERR_CONFLICT;
        list_conflicts(op, entry, set, &path, causes);
    }
    fed_buf_fini(&path);
    return err;
}

static bool members_eq(struct fed_json *a, struct fed_json *b, bool (*ignored)(struct fed_span))
{
    struct fed_json *sides[2] = {a, b};

    for (size_t i = 0; i < 2; i++) {
        struct fed_json_iter it;

        fed_json_iter_init(&it, sides[i]);
        while (fed_json_iter_next(&it))
            if (!ignored(it.key) && !fed_json_eq(it.value, fed_json_get_span(sides[1 - i], it.key)))
                return false;
    }
    return true;
}

static bool is_metadata_or_status(struct fed_span key)
{
    return fed_span_is(key, "metadata") || fed_span_is(key, "status");
}

/* Whether nothing differs that this endpoint may change. */
static bool same_object(
    const struct op *op, const struct fed_json *live, const struct fed_json *next)
{
    if (fed_span_is(op->update->subresource, "status")) {
        const struct fed_json *a = fed_json_get(live, "status");
        const struct fed_json *b = fed_json_get(next, "status");

        return live && (a == b || fed_json_eq(a, b));
    }
    return live &&
           members_eq((struct fed_json *)live, (struct fed_json *)next, is_metadata_or_status) &&
           members_eq(fed_json_get(live, "metadata"), fed_json_get(next, "metadata"), is_untracked);
}

static const struct hub_field_set *all_sets(struct op *op)
{
    const struct hub_field_set *all = NULL;

    for (size_t i = 0; i < op->n; i++)
        all = hub_field_set_union(&op->c, all, op->entries[i].set);
    return all;
}

/* Everybody else loses what the apply changed or removed. */
static void give_up(struct op *op, const struct entry *own, const struct hub_field_changes *diff)
{
    for (size_t i = 0; i < op->n; i++) {
        struct entry *entry = &op->entries[i];

        if (same_entry(entry, own))
            continue;
        entry->set = hub_field_set_difference(&op->c, entry->set, diff->modified);
        entry->set = hub_field_set_difference(&op->c, entry->set, diff->added);
        entry->set = hub_field_set_difference(&op->c, entry->set, diff->removed);
    }
}

static enum fed_err apply(struct op *op, const struct fed_json *live, const struct fed_json *config,
    struct fed_json **out, struct hub_causes *causes)
{
    static const char *const name_path[] = {"f:metadata", "f:name"};
    struct hub_field_context *c = &op->c;
    struct entry like = own_entry(op, true);
    struct fed_json *next = hub_field_walk_merge(c, op->root, live, config);
    struct entry *own = entry_get(op, &like);
    const struct hub_field_set *last = own->set;
    struct hub_field_changes diff;
    const struct hub_field_set *taken;

    own->api_version = like.api_version;
    own->set = hub_field_set_union(c, in_scope(op, hub_field_walk_set(c, op->root, config)),
        hub_field_set_path(c, name_path, 2));
    if (last && !c->err)
        next = prune(op, next, last, all_sets(op));
    if (c->err)
        return c->err;
    own->set = strip(op, own->set);
    changes(op, live, next, &diff);
    taken = hub_field_set_union(c, diff.modified, diff.added);
    if (!op->update->force && find_conflicts(op, &like, taken, taken_over(op, live), causes))
        return c->err ? c->err : FED_ERR_CONFLICT;
    give_up(op, &like, &diff);
    if (!same_object(op, live, next)) {
        own->timed = true;
        own->unix_s = op->update->now_unix_s;
    }
    drop_empty(op);
    *out = next;
    return c->err;
}

/* Members of metadata that lost their last child go; below the root the schema's owner decides
 * about nulls. */
static void drop_null_metadata(struct fed_json *object)
{
    struct fed_json_iter it;

    fed_json_iter_init(&it, fed_json_get(object, "metadata"));
    while (fed_json_iter_next(&it))
        if (fed_json_type(it.value) == FED_JSON_NULL)
            fed_json_iter_remove(&it);
}

/* kubectl's own annotation follows what kubectl applies here, so that a later client-side apply
 * finds it right. */
static enum fed_err note_last_applied(
    struct op *op, const struct fed_json *config, struct fed_json *next)
{
    struct fed_json *annotations = fed_json_get(fed_json_get(next, "metadata"), "annotations");
    struct fed_json_doc *doc = op->c.doc;
    struct fed_json *copy;
    struct fed_buf text;
    enum fed_err err;

    if (!fed_span_is(op->update->manager, "kubectl") || op->update->subresource.len > 0 ||
        fed_json_string(fed_json_get(annotations, LAST_APPLIED)).len == 0)
        return FED_OK;
    copy = fed_json_clone(doc, config);
    if (!copy)
        return FED_ERR_NOMEM;
    fed_json_remove(fed_json_get(fed_json_get(copy, "metadata"), "annotations"), LAST_APPLIED);
    fed_buf_init(&text, fed_alloc_system(), FED_JSON_BYTES_MAX);
    hub_field_put_json(&op->c, &text, copy);
    fed_buf_put_text(&text, "\n");
    err = fed_buf_err(&text);
    if (!err)
        err = fed_json_set_string(doc, annotations, LAST_APPLIED, fed_buf_span(&text));
    fed_buf_fini(&text);
    return err;
}

enum fed_err hub_fields_apply(struct fed_json_doc *doc, const struct hub_field_update *update,
    const struct fed_json *live, const struct fed_json *config, struct fed_json **out,
    struct hub_causes *causes)
{
    size_t before = causes->n + causes->more;
    struct fed_json *next = NULL;
    struct entry first;
    struct op op;
    enum fed_err err = op_init(&op, doc, update);

    if (!err) {
        hub_field_walk_check(&op.c, op.root, config, causes);
        err = op.c.err ? op.c.err : causes->n + causes->more > before ? FED_ERR_INVALID : FED_OK;
    }
    if (!err) {
        (void)decode_entries(&op, stored_fields(live));
        first = own_entry(&op, false);
        first.manager = fed_span_text(BEFORE_FIRST_APPLY);
        if (live && op.n == 0)
            take_changes(&op, &first, update->empty, live);
        err = op.c.err ? op.c.err : apply(&op, live, config, &next, causes);
    }
    if (!err) {
        drop_null_metadata(next);
        err = note_last_applied(&op, config, next);
    }
    if (!err)
        err = encode_entries(&op, next);
    op_fini(&op);
    if (!err)
        *out = next;
    return err;
}
