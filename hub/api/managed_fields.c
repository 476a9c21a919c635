/* managed_fields.c - see managed_fields.h: what each kind of write does to the entries of
 * managedFields.
 *
 * The algorithm is that of sigs.k8s.io/structured-merge-diff (merge/update.go; Copyright 2018 The
 * Kubernetes Authors, Apache License 2.0) and of the field managers around it in
 * k8s.io/apimachinery. Paths of all versions of a kind are compared as they are: the versions
 * served here name the same fields. */
#include "hub/api/managed_fields.h"

#include "hub/api/field_check.h"
#include "hub/api/field_entries.h"
#include "proto/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UPDATE_ENTRIES_MAX 10u /* then the oldest become one */
#define OLD_UPDATES "ancient-changes"
#define BEFORE_FIRST_APPLY "before-first-apply"
#define LAST_APPLIED "kubectl.kubernetes.io/last-applied-configuration"

struct op { /* one write */
    const struct hub_field_update *update;
    const struct hub_schema_node *root;
    struct hub_field_entries all;
};

static enum fed_err op_init(
    struct op *op, struct fed_json_doc *doc, const struct hub_field_update *update)
{
    *op = (struct op){.update = update, .root = hub_schema_root(update->schema)};
    return hub_field_entries_init(&op->all, doc);
}

static void op_fini(struct op *op)
{
    hub_field_entries_fini(&op->all);
}

/* ---- what counts ---- */

static const char *const untracked[] = {"name", "namespace", "uid", "creationTimestamp", "selfLink",
    "clusterName", "generation", "resourceVersion", "managedFields"};
#define UNTRACKED (sizeof untracked / sizeof *untracked)

/* Without apiVersion, kind, metadata itself and what the server alone writes into it. */
static const struct hub_field_set *strip(struct op *op, const struct hub_field_set *set)
{
    struct hub_field_context *c = &op->all.c;
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

/* The status endpoint owns nothing of the spec, every other one nothing of the status. */
static const struct hub_field_set *in_scope(struct op *op, const struct hub_field_set *set)
{
    if (fed_span_is(op->update->subresource, "status"))
        return hub_field_set_without(&op->all.c, set, "f:spec");
    return hub_field_set_without(&op->all.c, set, "f:status");
}

static void changes(struct op *op, const struct fed_json *a, const struct fed_json *b,
    struct hub_field_changes *out)
{
    hub_field_walk_compare(&op->all.c, op->root, a, b, out);
    out->added = in_scope(op, out->added);
    out->modified = in_scope(op, out->modified);
    out->removed = in_scope(op, out->removed);
}

/* ---- update ---- */

static struct hub_field_entry own_entry(const struct op *op, bool apply)
{
    struct fed_span manager = op->update->manager;

    return (struct hub_field_entry){
        .manager = manager.len > 0 ? manager : FED_SPAN_LIT("unknown"),
        .api_version = op->update->api_version,
        .subresource = op->update->subresource,
        .apply = apply,
    };
}

/* What changed between a and b goes to the Update entry like own; everybody loses it, and what
 * vanished. */
static void take_changes(struct op *op, const struct hub_field_entry *own, const struct fed_json *a,
    const struct fed_json *b)
{
    struct hub_field_context *c = &op->all.c;
    struct hub_field_changes diff;
    const struct hub_field_set *taken;
    const struct hub_field_set *gone;
    struct hub_field_entry *entry;

    changes(op, a, b, &diff);
    taken = hub_field_set_union(c, diff.modified, diff.added);
    gone = hub_field_set_union(c, taken, diff.removed);
    for (size_t i = 0; i < op->all.n; i++)
        op->all.list[i].set = hub_field_set_difference(c, op->all.list[i].set, gone);
    taken = strip(op, taken);
    if (taken) {
        entry = hub_field_entries_get(&op->all, own);
        entry->set = hub_field_set_union(c, entry->set, taken);
        entry->timed = true;
        entry->unix_s = op->update->now_unix_s;
    }
    hub_field_entries_drop_empty(&op->all);
}

/* Which of the client's and the stored entries hold. */
static void choose_entries(struct op *op, const struct fed_json *live, const struct fed_json *next)
{
    const struct fed_json *given = fed_json_find(next, "metadata.managedFields");
    size_t n = fed_json_count(given);
    bool reset = fed_json_is_array(given) &&
                 (n == 0 || (n == 1 && fed_json_is_object(fed_json_at(given, 0)) &&
                                fed_json_count(fed_json_at(given, 0)) == 0));

    op->all.n = 0;
    if (op->update->subresource.len > 0)
        given = NULL;
    else if (reset)
        return;
    if (given && hub_field_entries_decode(&op->all, next) && op->all.n > 0)
        return;
    if (!op->all.c.err)
        (void)hub_field_entries_decode(&op->all, live);
}

static int older_cmp(const void *a, const void *b)
{
    const struct hub_field_entry *left = a;
    const struct hub_field_entry *right = b;

    if (left->apply != right->apply) /* the updates first */
        return left->apply ? 1 : -1;
    return hub_field_entry_cmp(a, b);
}

static void merge_into(struct op *op, struct hub_field_entry *into, struct hub_field_entry *from)
{
    into->set = hub_field_set_union(&op->all.c, into->set, from->set);
    into->timed = from->timed;
    into->unix_s = from->unix_s;
    from->set = NULL;
}

/* Puts an Update entry together with the oldest one of its version, which becomes the bucket of
 * that version. How many entries that saves. */
static size_t fold_update(struct op *op, struct hub_field_entry *from)
{
    struct hub_field_entry bucket = {
        .manager = fed_span_text(OLD_UPDATES), .api_version = from->api_version};
    struct hub_field_entry *present = hub_field_entries_find(&op->all, &bucket);
    struct hub_field_entry *into = op->all.list;

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

    for (size_t i = 0; i < op->all.n; i++)
        updates += !op->all.list[i].apply;
    if (updates <= UPDATE_ENTRIES_MAX)
        return;
    qsort(op->all.list, op->all.n, sizeof *op->all.list, older_cmp);
    for (size_t i = 1; updates > UPDATE_ENTRIES_MAX && i < op->all.n && !op->all.list[i].apply; i++)
        if (op->all.list[i].set)
            updates -= fold_update(op, &op->all.list[i]);
    hub_field_entries_drop_empty(&op->all);
}

static bool fits(struct op *op, const struct fed_json *object)
{
    struct fed_buf why;
    enum fed_err err;

    if (!object)
        return true;
    fed_buf_init(&why, fed_alloc_system(), HUB_FIELD_WHY_MAX);
    err = hub_field_check(&op->all.c, op->root, object, HUB_FIELD_REPEATS_FINE, &why);
    fed_buf_fini(&why);
    return err != FED_ERR_INVALID && err != FED_ERR_LIMIT;
}

/* What was written in a version that the kind does not have is nobody's any more. */
static void drop_unknown_versions(struct op *op)
{
    const struct hub_field_update *update = op->update;

    for (size_t i = 0; i < op->all.n && update->knows_version; i++)
        if (!update->knows_version(update->ctx, op->all.list[i].api_version))
            op->all.list[i].set = NULL;
    hub_field_entries_drop_empty(&op->all);
}

/* An object without entries is not tracked before it is applied; one that does not fit its types is
 * not tracked any more. */
static void track(struct op *op, const struct fed_json *live, const struct fed_json *next)
{
    struct hub_field_entry own = own_entry(op, false);

    if (op->all.n == 0 && live)
        return;
    if (op->update->untyped || !fits(op, live) || !fits(op, next)) {
        op->all.n = 0;
        return;
    }
    drop_unknown_versions(op);
    take_changes(op, &own, live ? live : op->update->empty, next);
}

bool hub_fields_fit(
    struct fed_json_doc *doc, const struct hub_schema *schema, const struct fed_json *object)
{
    struct hub_field_update update = {.schema = schema};
    struct op op;
    bool fit = !op_init(&op, doc, &update) && fits(&op, object);

    op_fini(&op);
    return fit;
}

enum fed_err hub_fields_update(struct fed_json_doc *doc, const struct hub_field_update *update,
    const struct fed_json *live, struct fed_json *next)
{
    struct op op;
    enum fed_err err = op_init(&op, doc, update);

    if (!err) {
        choose_entries(&op, live, next);
        track(&op, live, next);
        cap_updates(&op);
        err = hub_field_entries_encode(&op.all, next);
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
        fed_json_parse(op->all.c.doc, text, &last, NULL) || !fed_json_is_object(last))
        return NULL;
    set = hub_field_walk_set(&op->all.c, op->root, last);
    hub_field_walk_compare(&op->all.c, op->root, live, last, &diff);
    set = hub_field_set_difference(&op->all.c, set, diff.modified);
    set = hub_field_set_difference(&op->all.c, set, diff.added);
    return hub_field_set_difference(&op->all.c, set, diff.removed);
}

static const struct hub_field_set *named(struct op *op, const struct hub_field_set *set)
{
    return hub_field_walk_name_parents(&op->all.c, op->root, set);
}

static const struct hub_field_set *named_set_of(struct op *op, const struct fed_json *object)
{
    return named(op, hub_field_walk_set(&op->all.c, op->root, object));
}

/* Takes from merged what was applied last time and is owned by nobody now: removes all that was,
 * puts back what is owned, puts back what never was the manager's. */
static struct fed_json *prune(struct op *op, struct fed_json *merged,
    const struct hub_field_set *last, const struct hub_field_set *owned)
{
    struct hub_field_context *c = &op->all.c;
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

static void conflict_cause(struct op *op, const struct hub_field_entry *entry, struct fed_buf *path,
    struct hub_causes *causes)
{
    struct fed_buf message;
    struct hub_cause *cause;

    if (causes->n == HUB_CAUSES_MAX) {
        causes->more++;
        return;
    }
    fed_buf_init(&message, &op->all.arena.alloc, 4096);
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
static void list_conflicts(struct op *op, const struct hub_field_entry *entry,
    const struct hub_field_set *set, struct fed_buf *path, struct hub_causes *causes)
{
    const struct hub_field_set **child = hub_field_set_ordered(&op->all.c, set);

    for (unsigned below = 0; child && below < 2; below++) {
        for (size_t i = 0; i < set->n; i++) {
            size_t before = path->len;

            hub_field_element_show(&op->all.c, child[i]->name, path);
            if (below)
                list_conflicts(op, entry, child[i], path, causes);
            else if (child[i]->member)
                conflict_cause(op, entry, path, causes);
            fed_buf_cut(path, before);
        }
    }
}

static enum fed_err find_conflicts(struct op *op, const struct hub_field_entry *own,
    const struct hub_field_set *taken, const struct hub_field_set *allowed,
    struct hub_causes *causes)
{
    enum fed_err err = FED_OK;
    struct fed_buf path;

    fed_buf_init(&path, fed_alloc_system(), HUB_FIELD_ELEMENT_MAX);
    for (size_t i = 0; i < op->all.n; i++) {
        const struct hub_field_entry *entry = &op->all.list[i];
        const struct hub_field_set *set;

        if (hub_field_entry_same(entry, own))
            continue;
        set = hub_field_set_intersection(&op->all.c, entry->set, taken);
        set = hub_field_set_difference(&op->all.c, set, allowed);
        if (!set)
            continue;
        err = FED_ERR_CONFLICT;
        list_conflicts(op, entry, set, &path, causes);
    }
    fed_buf_fini(&path);
    return err;
}

/* All members but the one called so. */
static bool members_eq(struct fed_json *a, struct fed_json *b, const char *but)
{
    struct fed_json *sides[2] = {a, b};

    for (size_t i = 0; i < 2; i++) {
        struct fed_json_iter it;

        fed_json_iter_init(&it, sides[i]);
        while (fed_json_iter_next(&it))
            if (!fed_span_is(it.key, but) &&
                !fed_json_eq(it.value, fed_json_get_span(sides[1 - i], it.key)))
                return false;
    }
    return true;
}

/* Whether nothing differs but who owns what. */
static bool same_object(const struct fed_json *live, const struct fed_json *next)
{
    return live && members_eq((struct fed_json *)live, (struct fed_json *)next, "metadata") &&
           members_eq(
               fed_json_get(live, "metadata"), fed_json_get(next, "metadata"), "managedFields");
}

static const struct hub_field_set *all_sets(struct op *op)
{
    const struct hub_field_set *all = NULL;

    for (size_t i = 0; i < op->all.n; i++)
        all = hub_field_set_union(&op->all.c, all, op->all.list[i].set);
    return all;
}

/* Everybody else loses what the apply changed or removed. */
static void give_up(
    struct op *op, const struct hub_field_entry *own, const struct hub_field_changes *diff)
{
    for (size_t i = 0; i < op->all.n; i++) {
        struct hub_field_entry *entry = &op->all.list[i];

        if (hub_field_entry_same(entry, own))
            continue;
        entry->set = hub_field_set_difference(&op->all.c, entry->set, diff->modified);
        entry->set = hub_field_set_difference(&op->all.c, entry->set, diff->added);
        entry->set = hub_field_set_difference(&op->all.c, entry->set, diff->removed);
    }
}

static enum fed_err apply(struct op *op, const struct fed_json *live, const struct fed_json *config,
    struct fed_json **out, struct hub_causes *causes)
{
    static const char *const name_path[] = {"f:metadata", "f:name"};
    struct hub_field_context *c = &op->all.c;
    struct hub_field_entry like = own_entry(op, true);
    struct fed_json *next = hub_field_walk_merge(c, op->root, live, config);
    struct hub_field_changes diff;
    const struct hub_field_set *taken;
    const struct hub_field_set *last;
    struct hub_field_entry *own;

    drop_unknown_versions(op);
    own = hub_field_entries_get(&op->all, &like);
    last = own->set;
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
    if (!same_object(live, next)) {
        own->timed = true;
        own->unix_s = op->update->now_unix_s;
    }
    hub_field_entries_drop_empty(&op->all);
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
    struct fed_json_doc *doc = op->all.c.doc;
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
    hub_field_put_json(&op->all.c, &text, copy);
    fed_buf_put_text(&text, "\n");
    err = fed_buf_err(&text);
    if (!err)
        err = fed_json_set_string(doc, annotations, LAST_APPLIED, fed_buf_span(&text));
    fed_buf_fini(&text);
    return err;
}

/* Checks an object; why becomes a sentence about it. */
static enum fed_err check_object(struct op *op, const struct fed_json *object,
    enum hub_field_repeats repeats, const char *sentence, const char *subject, struct fed_buf *why)
{
    struct fed_buf mistakes;
    enum fed_err err;

    fed_buf_init(&mistakes, fed_alloc_system(), HUB_FIELD_WHY_MAX);
    err = hub_field_check(&op->all.c, op->root, object, repeats, &mistakes);
    if (err == FED_ERR_INVALID)
        fed_buf_printf(why, sentence, subject, fed_buf_cstr(&mistakes));
    if (err == FED_ERR_LIMIT)
        fed_buf_printf(why, sentence, subject, "more fields than can be named do not fit");
    fed_buf_fini(&mistakes);
    return err;
}

void hub_field_subject(const struct fed_json *object, struct fed_buf *out)
{
    const struct fed_json *metadata = fed_json_get(object, "metadata");
    struct fed_span api_version = fed_json_string(fed_json_get(object, "apiVersion"));

    fed_buf_printf(out, FED_SPAN_FMT "/" FED_SPAN_FMT "; %s" FED_SPAN_FMT ", Kind=" FED_SPAN_FMT,
        FED_SPAN_ARG(fed_json_string(fed_json_get(metadata, "namespace"))),
        FED_SPAN_ARG(fed_json_string(fed_json_get(metadata, "name"))),
        fed_span_find(api_version, '/') < api_version.len ? "" : "/", FED_SPAN_ARG(api_version),
        FED_SPAN_ARG(fed_json_string(fed_json_get(object, "kind"))));
}

/* A stored object that does not fit its types gets no owners, and cannot be applied to. */
static enum fed_err check_live(struct op *op, const struct fed_json *live, struct fed_buf *why)
{
    struct fed_buf subject;
    enum fed_err err;

    if (!live)
        return FED_OK;
    fed_buf_init(&subject, fed_alloc_system(), 4096);
    hub_field_subject(live, &subject);
    err = check_object(op, live, HUB_FIELD_REPEATS_FINE,
        op->all.n == 0 ? "failed to create manager for existing fields: failed to convert new "
                         "object (%s) to smd typed: %s"
                       : "failed to create typed live object (%s): %s",
        fed_buf_cstr(&subject), why);
    fed_buf_fini(&subject);
    return err;
}

static enum fed_err check_both(
    struct op *op, const struct fed_json *live, const struct fed_json *config, struct fed_buf *why)
{
    enum fed_err err = op->all.n == 0 ? check_live(op, live, why) : FED_OK;

    if (!err)
        err = check_object(op, config, HUB_FIELD_REPEATS_REFUSED,
            "failed to create typed patch object (%s): %s",
            op->update->subject ? op->update->subject : "", why);
    return err || op->all.n == 0 ? err : check_live(op, live, why);
}

enum fed_err hub_fields_apply(struct fed_json_doc *doc, const struct hub_field_update *update,
    const struct fed_json *live, const struct fed_json *config, struct fed_json **out,
    struct hub_causes *causes, struct fed_buf *why)
{
    struct fed_json *next = NULL;
    struct hub_field_entry first;
    struct op op;
    enum fed_err err = op_init(&op, doc, update);

    if (!err) {
        (void)hub_field_entries_decode(&op.all, live);
        err = op.all.c.err ? op.all.c.err : check_both(&op, live, config, why);
    }
    if (!err) {
        first = own_entry(&op, false);
        first.manager = fed_span_text(BEFORE_FIRST_APPLY);
        if (live && op.all.n == 0)
            take_changes(&op, &first, update->empty, live);
        err = op.all.c.err ? op.all.c.err : apply(&op, live, config, &next, causes);
    }
    if (!err) {
        drop_null_metadata(next);
        err = note_last_applied(&op, config, next);
    }
    if (!err)
        err = hub_field_entries_encode(&op.all, next);
    op_fini(&op);
    if (!err)
        *out = next;
    return err;
}
