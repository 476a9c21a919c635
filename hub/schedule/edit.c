/* edit.c - the shares, as a federated object holds them. Pure.
 *
 * As KubeFed's plugin does (pkg/schedulingtypes/plugin.go): the list of clusters is replaced when
 * its names differ; each share is the value of the cluster's first override of /spec/replicas,
 * which is added when there is none; others lose theirs; everything else stays as and where it is.
 */
#include "hub/schedule/internal.h"
#include "proto/base/bisect.h"

/* ---- placement ---- */

struct among_shares {
    const struct schedule_share *shares;
    struct fed_span cluster;
};

static int order_of_shares(const void *ctx, size_t index)
{
    const struct among_shares *among = ctx;

    return fed_span_cmp(among->shares[index].cluster, among->cluster);
}

static bool find_share(
    const struct schedule_share *shares, size_t n, struct fed_span cluster, size_t *index)
{
    struct among_shares among = {shares, cluster};

    return fed_bisect(n, order_of_shares, &among, index);
}

/* Whether the list names just the clusters of the shares, each once, in whatever order. */
static bool names_agree(
    struct fed_json *list, const struct schedule_share *shares, size_t n, uint8_t *seen)
{
    struct fed_json_iter it;
    size_t index;

    if (!fed_json_is_array(list) || fed_json_count(list) != n)
        return false;
    for (size_t i = 0; i < n; i++)
        seen[i] = 0;
    fed_json_iter_init(&it, list);
    while (fed_json_iter_next(&it)) {
        if (!find_share(shares, n, fed_json_string(fed_json_get(it.value, "name")), &index) ||
            seen[index])
            return false;
        seen[index] = 1;
    }
    return true;
}

static enum fed_err set_names(struct fed_json_doc *doc, struct fed_json *placement,
    const struct schedule_share *shares, size_t n)
{
    struct fed_json *list = fed_json_new_array(doc);
    enum fed_err err = fed_json_set(doc, placement, "clusters", list);

    for (size_t i = 0; !err && i < n; i++) {
        struct fed_json *one = fed_json_new_object(doc);

        err = one ? fed_json_set_string(doc, one, "name", shares[i].cluster) : FED_ERR_NOMEM;
        if (!err)
            err = fed_json_append(list, one);
    }
    return err;
}

/* ---- overrides ---- */

static bool is_replicas(const struct fed_json *operation)
{
    return fed_span_is(fed_json_string(fed_json_get(operation, "path")), SCHEDULE_PATH);
}

static struct fed_json *find_replicas(struct fed_json *operations)
{
    struct fed_json_iter it;

    fed_json_iter_init(&it, operations);
    while (fed_json_iter_next(&it)) {
        if (is_replicas(it.value))
            return it.value;
    }
    return NULL;
}

/* A removal of the field would undo the value. */
static bool says(const struct fed_json *operation, int64_t replicas)
{
    const struct fed_json *value = fed_json_get(operation, "value");

    return fed_json_int(value, -1) == replicas &&
           !fed_span_is(fed_json_string(fed_json_get(operation, "op")), "remove");
}

static enum fed_err add_replicas(
    struct fed_json_doc *doc, struct fed_json *operations, int64_t replicas)
{
    struct fed_json *operation = fed_json_new_object(doc);
    enum fed_err err =
        operation ? fed_json_set_text(doc, operation, "path", SCHEDULE_PATH) : FED_ERR_NOMEM;

    if (!err)
        err = fed_json_set_int(doc, operation, "value", replicas);
    return err ? err : fed_json_append(operations, operation);
}

static enum fed_err set_replicas(
    struct fed_json_doc *doc, struct fed_json *entry, int64_t replicas, bool *changed)
{
    struct fed_json *operations = fed_json_get(entry, "clusterOverrides");
    struct fed_json *operation = find_replicas(operations);

    if (operation && says(operation, replicas))
        return FED_OK;
    *changed = true;
    if (operation) {
        if (fed_span_is(fed_json_string(fed_json_get(operation, "op")), "remove"))
            fed_json_remove(operation, "op");
        return fed_json_set_int(doc, operation, "value", replicas);
    }
    if (!fed_json_is_array(operations)) {
        enum fed_err err;

        operations = fed_json_new_array(doc);
        err = fed_json_set(doc, entry, "clusterOverrides", operations);
        if (err)
            return err;
    }
    return add_replicas(doc, operations, replicas);
}

/* The first one goes, as with KubeFed, which allows no second. true when nothing else is left. */
static bool drop_replicas(struct fed_json *entry, bool *changed)
{
    struct fed_json *operations = fed_json_get(entry, "clusterOverrides");
    struct fed_json_iter it;

    fed_json_iter_init(&it, operations);
    while (fed_json_iter_next(&it)) {
        if (!is_replicas(it.value))
            continue;
        fed_json_iter_remove(&it);
        *changed = true;
        return fed_json_count(operations) == 0;
    }
    return false;
}

static enum fed_err edit_entries(struct fed_json_doc *doc, struct fed_json *overrides,
    const struct schedule_share *shares, size_t n, uint8_t *seen, bool *changed,
    struct fed_diag *diag)
{
    struct fed_json_iter it;
    enum fed_err err = FED_OK;
    size_t index;

    for (size_t i = 0; i < n; i++)
        seen[i] = 0;
    fed_json_iter_init(&it, overrides);
    while (!err && fed_json_iter_next(&it)) {
        struct fed_span cluster = fed_json_string(fed_json_get(it.value, "clusterName"));

        if (cluster.len == 0) /* for the clusters of a selector, not for one */
            continue;
        if (!find_share(shares, n, cluster, &index)) {
            if (drop_replicas(it.value, changed))
                fed_json_iter_remove(&it);
            continue;
        }
        if (seen[index])
            return fed_diag_set(diag, FED_ERR_INVALID,
                "spec.overrides: cluster " FED_SPAN_FMT " appears more than once",
                FED_SPAN_ARG(cluster));
        seen[index] = 1;
        err = set_replicas(doc, it.value, shares[index].replicas, changed);
    }
    return err;
}

static enum fed_err add_entries(struct fed_json_doc *doc, struct fed_json *overrides,
    const struct schedule_share *shares, size_t n, const uint8_t *seen, bool *changed)
{
    enum fed_err err = FED_OK;

    for (size_t i = 0; !err && i < n; i++) {
        struct fed_json *entry;

        if (seen[i])
            continue;
        entry = fed_json_new_object(doc);
        err = entry ? fed_json_set_string(doc, entry, "clusterName", shares[i].cluster)
                    : FED_ERR_NOMEM;
        if (!err)
            err = set_replicas(doc, entry, shares[i].replicas, changed);
        if (!err)
            err = fed_json_append(overrides, entry);
    }
    return err;
}

/* ---- both ---- */

static enum fed_err edit(struct fed_json_doc *doc, struct fed_json *spec,
    const struct schedule_share *shares, size_t n, uint8_t *seen, bool *changed,
    struct fed_diag *diag)
{
    struct fed_json *placement = fed_json_ensure_object(doc, spec, "placement");
    struct fed_json *overrides = fed_json_get(spec, "overrides");
    enum fed_err err = FED_OK;

    if (!placement)
        return FED_ERR_NOMEM;
    if (!names_agree(fed_json_get(placement, "clusters"), shares, n, seen)) {
        *changed = true;
        err = set_names(doc, placement, shares, n);
    }
    if (!err && !fed_json_is_array(overrides)) {
        overrides = fed_json_new_array(doc);
        err = fed_json_set(doc, spec, "overrides", overrides);
    }
    if (!err)
        err = edit_entries(doc, overrides, shares, n, seen, changed, diag);
    return err ? err : add_entries(doc, overrides, shares, n, seen, changed);
}

enum fed_err schedule_edit(struct fed_json_doc *doc, struct fed_json *object,
    const struct schedule_share *shares, size_t n, bool *changed, struct fed_diag *diag)
{
    struct fed_json *spec = fed_json_ensure_object(doc, object, "spec");
    struct fed_alloc *mem = fed_alloc_system();
    uint8_t *seen = fed_alloc_zero(mem, n + 1);
    bool edited = false;
    enum fed_err err = spec && seen ? FED_OK : FED_ERR_NOMEM;

    if (!err)
        err = edit(doc, spec, shares, n, seen, &edited, diag);
    fed_alloc_free(mem, seen, n + 1);
    if (!err)
        *changed = edited;
    return err;
}
