/* bootstrap.c - see bootstrap.h. */
#include "hub/access/bootstrap.h"

#include "hub/access/rbac.h"
#include "hub/access/uuid.h"
#include "proto/base/text.h"

#define AUTOUPDATE "rbac.authorization.kubernetes.io/autoupdate"

#define WRITES_MAX 64u
#define MEMORY_MAX (64u << 20) /* roles that people filled may be large */

struct bootstrap {
    struct fed_alloc *mem; /* an arena's */
    struct fed_loop *loop;
    struct fed_crypto *crypto;
    struct hub_objects *objects;
    struct fed_json_doc *doc;
    struct fed_diag *diag;
    struct hub_object_write writes[WRITES_MAX]; /* one commit for all */
    size_t n;
};

static struct fed_json *metadata_map(struct bootstrap *b, struct fed_json *object, const char *key)
{
    return fed_json_ensure_object(b->doc, fed_json_ensure_object(b->doc, object, "metadata"), key);
}

static enum fed_err mark(struct bootstrap *b, struct fed_json *object)
{
    struct fed_json *labels = metadata_map(b, object, "labels");
    struct fed_json *annotations = metadata_map(b, object, "annotations");
    enum fed_err err =
        fed_json_set_text(b->doc, labels, "kubernetes.io/bootstrapping", "rbac-defaults");

    if (!err)
        err = fed_json_set_text(b->doc, annotations, AUTOUPDATE, "true");
    return err ? err
               : fed_json_set_text(b->doc, object, "apiVersion", "rbac.authorization.k8s.io/v1");
}

static enum fed_err give_identity(struct bootstrap *b, struct fed_json *object)
{
    struct fed_json *metadata = fed_json_get(object, "metadata");
    char uid[HUB_UUID_SIZE];
    char now[FED_TEXT_TIME_SIZE];
    enum fed_err err = hub_uuid_new(b->crypto, uid);

    fed_text_time(fed_loop_unix_s(b->loop), now);
    if (!err)
        err = fed_json_set_text(b->doc, metadata, "uid", uid);
    return err ? err : fed_json_set_text(b->doc, metadata, "creationTimestamp", now);
}

static enum fed_err store(struct bootstrap *b, const struct hub_object_ref *ref,
    const struct fed_json *object, uint64_t expected)
{
    struct fed_buf bytes;
    enum fed_err err;

    if (b->n == WRITES_MAX)
        return FED_ERR_LIMIT;
    fed_buf_init(&bytes, b->mem, HUB_OBJECT_BYTES_MAX);
    err = fed_json_put(&bytes, object);
    if (!err)
        b->writes[b->n++] = (struct hub_object_write){
            .ref = *ref, .bytes = fed_buf_span(&bytes), .expected = expected};
    return err;
}

/* Members that the present object does not have. */
static enum fed_err add_members(
    struct bootstrap *b, struct fed_json *present, struct fed_json *wanted, bool *changed)
{
    struct fed_json_iter it;
    enum fed_err err = FED_OK;

    fed_json_iter_init(&it, wanted);
    while (!err && fed_json_iter_next(&it)) {
        if (fed_json_get_span(present, it.key))
            continue;
        *changed = true;
        err = fed_json_add_span(b->doc, present, it.key, fed_json_clone(b->doc, it.value));
    }
    return err;
}

struct covering {
    const struct hub_rules *have;
    bool all;
};

static bool is_covered(void *ctx, const struct hub_right *right)
{
    struct covering *c = ctx;

    for (size_t i = 0; i < c->have->n; i++)
        if (hub_rule_covers(&c->have->at[i], right))
            return true;
    c->all = false;
    return false;
}

static enum fed_err rule_is_covered(
    struct bootstrap *b, const struct hub_rules *have, const struct fed_json *rule, bool *covered)
{
    struct covering c = {have, true};
    struct fed_json *one = fed_json_new_array(b->doc);
    struct hub_rules *wanted;
    enum fed_err err = fed_json_append(one, fed_json_clone(b->doc, rule));

    if (!err)
        err = hub_rules_read(b->mem, one, &wanted);
    if (err)
        return err;
    err = hub_rules_each_right(wanted, is_covered, &c);
    hub_rules_free(wanted);
    *covered = c.all;
    return err;
}

/* A rule of ours of which some right is missing is added whole: roles only add up. */
static enum fed_err add_rules(
    struct bootstrap *b, struct fed_json *present, struct fed_json *wanted, bool *changed)
{
    struct fed_json *rules = fed_json_get(present, "rules");
    struct hub_rules *have;
    struct fed_json_iter it;
    enum fed_err err = FED_OK;

    if (!fed_json_is_array(rules)) {
        err = fed_json_set(b->doc, present, "rules", fed_json_new_array(b->doc));
        rules = fed_json_get(present, "rules");
    }
    if (!err)
        err = hub_rules_read(b->mem, rules, &have);
    if (err)
        return err;
    fed_json_iter_init(&it, fed_json_get(wanted, "rules"));
    while (!err && fed_json_iter_next(&it)) {
        bool covered = true;

        err = rule_is_covered(b, have, it.value, &covered);
        if (err || covered)
            continue;
        *changed = true;
        err = fed_json_append(rules, fed_json_clone(b->doc, it.value));
    }
    hub_rules_free(have);
    return err;
}

static bool has_item(struct fed_json *list, const struct fed_json *item)
{
    struct fed_json_iter it;

    fed_json_iter_init(&it, list);
    while (fed_json_iter_next(&it))
        if (fed_json_eq(it.value, item))
            return true;
    return false;
}

static enum fed_err add_items(
    struct bootstrap *b, struct fed_json *present, struct fed_json *wanted, bool *changed)
{
    struct fed_json_iter it;
    enum fed_err err = FED_OK;

    fed_json_iter_init(&it, wanted);
    while (!err && fed_json_iter_next(&it))
        if (!has_item(present, it.value)) {
            *changed = true;
            err = fed_json_append(present, fed_json_clone(b->doc, it.value));
        }
    return err;
}

static enum fed_err merge_list(struct bootstrap *b, struct fed_json *present,
    struct fed_json *wanted, const char *key, bool *changed)
{
    struct fed_json *list = fed_json_get(wanted, key);

    if (!list)
        return FED_OK;
    if (!fed_json_is_array(fed_json_get(present, key))) {
        *changed = true;
        return fed_json_set(b->doc, present, key, fed_json_clone(b->doc, list));
    }
    return add_items(b, fed_json_get(present, key), list, changed);
}

static enum fed_err merge_role(
    struct bootstrap *b, struct fed_json *present, struct fed_json *wanted, bool *changed)
{
    struct fed_json *aggregation = fed_json_get(wanted, "aggregationRule");

    if (!aggregation)
        return add_rules(b, present, wanted, changed);
    if (!fed_json_is_object(fed_json_get(present, "aggregationRule"))) {
        *changed = true;
        return fed_json_set(
            b->doc, present, "aggregationRule", fed_json_clone(b->doc, aggregation));
    }
    return merge_list(
        b, fed_json_get(present, "aggregationRule"), aggregation, "clusterRoleSelectors", changed);
}

static enum fed_err reconcile(struct bootstrap *b, const struct hub_object_ref *ref,
    struct fed_json *wanted, struct fed_span bytes, uint64_t revision)
{
    struct fed_json *present;
    bool changed = false;
    enum fed_err err = fed_json_parse(b->doc, bytes, &present, b->diag);

    if (err)
        return err;
    if (fed_span_is(fed_json_string(
                        fed_json_get(fed_json_find(present, "metadata.annotations"), AUTOUPDATE)),
            "false"))
        return FED_OK;
    err = add_members(
        b, metadata_map(b, present, "labels"), fed_json_find(wanted, "metadata.labels"), &changed);
    if (!err)
        err = add_members(b, metadata_map(b, present, "annotations"),
            fed_json_find(wanted, "metadata.annotations"), &changed);
    if (!err && fed_json_get(wanted, "roleRef"))
        err = merge_list(b, present, wanted, "subjects", &changed);
    else if (!err)
        err = merge_role(b, present, wanted, &changed);
    return err || !changed ? err : store(b, ref, present, revision);
}

static enum fed_err bring_in(struct bootstrap *b, struct fed_json *wanted)
{
    bool binding = fed_json_get(wanted, "roleRef") != NULL;
    struct hub_object_ref ref = {
        binding ? FED_SPAN_LIT(HUB_RBAC_CLUSTER_BINDINGS) : FED_SPAN_LIT(HUB_RBAC_CLUSTER_ROLES),
        {0}, fed_json_string(fed_json_find(wanted, "metadata.name"))};
    struct fed_buf bytes;
    uint64_t revision = 0;
    enum fed_err err = mark(b, wanted);

    if (err)
        return err;
    fed_buf_init(&bytes, b->mem, FED_STORE_VALUE_MAX);
    err = hub_objects_get(b->objects, &ref, &bytes, &revision);
    if (err == FED_ERR_NOT_FOUND) {
        err = give_identity(b, wanted);
        if (!err && !binding && !fed_json_get(wanted, "rules"))
            err = fed_json_set(b->doc, wanted, "rules", fed_json_new_array(b->doc));
        if (!err)
            err = store(b, &ref, wanted, 0);
    } else if (!err) {
        err = reconcile(b, &ref, wanted, fed_buf_span(&bytes), revision);
    }
    fed_buf_fini(&bytes);
    return err ? fed_diag_prefix(b->diag, err, FED_SPAN_FMT " " FED_SPAN_FMT,
                     FED_SPAN_ARG(ref.resource), FED_SPAN_ARG(ref.name))
               : FED_OK;
}

static enum fed_err bring_in_all(struct bootstrap *b)
{
    struct fed_json *list = NULL;
    struct fed_json_iter it;
    enum fed_err err = fed_json_parse(
        b->doc, fed_span_of(hub_access_bootstrap_text, hub_access_bootstrap_size), &list, b->diag);

    fed_json_iter_init(&it, list);
    while (!err && fed_json_iter_next(&it))
        err = bring_in(b, it.value);
    if (!err && b->n > 0)
        err = hub_objects_commit(b->objects, b->writes, b->n, NULL, 0, NULL, b->diag);
    return err;
}

enum fed_err hub_access_bootstrap(struct fed_alloc *mem, struct fed_loop *loop,
    struct fed_crypto *crypto, struct hub_objects *objects, struct fed_diag *diag)
{
    struct bootstrap b = {.loop = loop, .crypto = crypto, .objects = objects, .diag = diag};
    struct fed_arena arena;
    enum fed_err err;

    fed_arena_init(&arena, mem, MEMORY_MAX);
    b.mem = &arena.alloc;
    err = fed_json_doc_new(b.mem, &b.doc);
    if (!err)
        err = bring_in_all(&b);
    fed_json_doc_free(b.doc);
    fed_arena_fini(&arena);
    if (!err)
        err = hub_rbac_aggregate(mem, objects, diag);
    return err ? fed_diag_prefix(diag, err, "first roles") : FED_OK;
}
