/* aggregate.c - ClusterRoles with an aggregationRule: the union of the rules of those they select.
 */
#include "hub/access/rbac.h"

#include "proto/object/selector.h"

struct aggregation {
    struct fed_alloc *mem;
    struct fed_json_doc *doc;
    struct fed_json *roles; /* array of objects, by name */
    uint64_t *revisions;
    size_t n;
    size_t cap;
    enum fed_err err;
};

static enum fed_err grow(struct aggregation *a)
{
    size_t cap = a->cap ? a->cap * 2 : 64;
    uint64_t *list;

    if (a->n < a->cap)
        return FED_OK;
    list = a->mem->resize(a->mem->ctx, a->revisions, a->cap * sizeof *list, cap * sizeof *list);
    if (!list)
        return FED_ERR_NOMEM;
    a->revisions = list;
    a->cap = cap;
    return FED_OK;
}

static bool collect(void *ctx, const struct hub_object *object)
{
    struct aggregation *a = ctx;
    struct fed_json *role;

    if (fed_json_parse(a->doc, object->bytes, &role, NULL))
        return true; /* the index has said so already */
    a->err = grow(a);
    if (!a->err)
        a->err = fed_json_append(a->roles, role);
    if (!a->err)
        a->revisions[a->n++] = object->revision;
    return !a->err;
}

static bool has_rule(struct fed_json *rules, const struct fed_json *rule)
{
    struct fed_json_iter it;

    fed_json_iter_init(&it, rules);
    while (fed_json_iter_next(&it))
        if (fed_json_eq(it.value, rule))
            return true;
    return false;
}

static enum fed_err add_rules(
    struct aggregation *a, struct fed_json *union_rules, struct fed_json *role)
{
    struct fed_json_iter it;
    enum fed_err err = FED_OK;

    fed_json_iter_init(&it, fed_json_get(role, "rules"));
    while (!err && fed_json_iter_next(&it))
        if (!has_rule(union_rules, it.value))
            err = fed_json_append(union_rules, fed_json_clone(a->doc, it.value));
    return err;
}

static bool same_name(const struct fed_json *a, const struct fed_json *b)
{
    return fed_span_eq(fed_json_string(fed_json_find(a, "metadata.name")),
        fed_json_string(fed_json_find(b, "metadata.name")));
}

static enum fed_err add_selected(struct aggregation *a, const struct fed_json *into,
    const struct fed_json *selector, struct fed_json *union_rules)
{
    struct fed_selector *compiled;
    struct fed_json_iter it;
    enum fed_err err = fed_selector_from_object(a->mem, selector, &compiled, NULL);

    if (err)
        return err == FED_ERR_NOMEM ? err : FED_OK; /* refused at the door; selects nothing */
    fed_json_iter_init(&it, a->roles);
    while (!err && fed_json_iter_next(&it))
        if (!same_name(it.value, into) &&
            fed_selector_match(compiled, fed_json_find(it.value, "metadata.labels")))
            err = add_rules(a, union_rules, it.value);
    fed_selector_free(compiled);
    return err;
}

static enum fed_err write_role(struct aggregation *a, struct hub_objects *objects,
    const struct fed_json *role, uint64_t revision, struct fed_diag *diag)
{
    struct hub_object_write write = {.ref = {FED_SPAN_LIT(HUB_RBAC_CLUSTER_ROLES), {0},
                                         fed_json_string(fed_json_find(role, "metadata.name"))},
        .expected = revision};
    struct fed_buf bytes;
    enum fed_err err;

    fed_buf_init(&bytes, a->mem, HUB_OBJECT_BYTES_MAX);
    err = fed_json_put(&bytes, role);
    write.bytes = fed_buf_span(&bytes);
    if (!err)
        err = hub_objects_commit(objects, &write, 1, NULL, 0, NULL, diag);
    fed_buf_fini(&bytes);
    return err == FED_ERR_CONFLICT ? FED_OK : err; /* that change brings us here again */
}

static enum fed_err bring_in_line(struct aggregation *a, struct hub_objects *objects,
    struct fed_json *role, uint64_t revision, struct fed_diag *diag)
{
    struct fed_json *rules = fed_json_new_array(a->doc);
    struct fed_json_iter it;
    enum fed_err err = rules ? FED_OK : FED_ERR_NOMEM;

    fed_json_iter_init(&it, fed_json_find(role, "aggregationRule.clusterRoleSelectors"));
    while (!err && fed_json_iter_next(&it))
        err = add_selected(a, role, it.value, rules);
    if (err || fed_json_eq(rules, fed_json_get(role, "rules")) ||
        (fed_json_count(rules) == 0 && fed_json_count(fed_json_get(role, "rules")) == 0))
        return err;
    err = fed_json_set(a->doc, role, "rules", rules);
    return err ? err : write_role(a, objects, role, revision, diag);
}

static enum fed_err aggregate_all(
    struct aggregation *a, struct hub_objects *objects, struct fed_diag *diag)
{
    struct fed_json_iter it;
    enum fed_err err = hub_objects_list(
        objects, FED_SPAN_LIT(HUB_RBAC_CLUSTER_ROLES), (struct fed_span){0}, NULL, collect, a);

    if (!err)
        err = a->err;
    fed_json_iter_init(&it, a->roles);
    while (!err && fed_json_iter_next(&it))
        if (fed_json_get(it.value, "aggregationRule"))
            err = bring_in_line(a, objects, it.value, a->revisions[it.index], diag);
    return err;
}

enum fed_err hub_rbac_aggregate(
    struct fed_alloc *mem, struct hub_objects *objects, struct fed_diag *diag)
{
    struct aggregation a = {.mem = mem};
    enum fed_err err = fed_json_doc_new(mem, &a.doc);

    if (!err)
        a.roles = fed_json_new_array(a.doc);
    if (!err && !a.roles)
        err = FED_ERR_NOMEM;
    if (!err)
        err = aggregate_all(&a, objects, diag);
    if (err && diag && !diag->text[0])
        fed_diag_set(diag, err, "%s", fed_err_text(err));
    fed_alloc_free(mem, a.revisions, a.cap * sizeof *a.revisions);
    fed_json_doc_free(a.doc);
    return err;
}
