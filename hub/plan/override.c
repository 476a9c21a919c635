/* override.c - what is different in which cluster: spec.overrides of one object.
 *
 * An entry names one cluster (KubeFed's form) or selects clusters by label (ours). All entries that
 * a cluster matches apply, in the order of the list: their operations are joined, so that a later
 * one changes what an earlier one did. A cluster that only KubeFed's form speaks of gets the same
 * bytes as it always did. */
#include "proto/object/override.h"
#include "hub/plan/internal.h"
#include "proto/base/bisect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- parsing ---- */

static const struct fed_json *selector_of(const struct fed_json *entry)
{
    const struct fed_json *selector = fed_json_get(entry, "clusterSelector");

    return selector && fed_json_type(selector) != FED_JSON_NULL ? selector : NULL;
}

/* Whom the entry is for. An entry without either is for nobody, as in KubeFed. */
static enum fed_err parse_whom(struct hub_plan *plan, struct plan_version *version,
    const struct fed_json *from, struct plan_override *to, struct fed_diag *diag)
{
    const struct fed_json *selector = selector_of(from);
    enum fed_err err;

    to->cluster = plan_version_keep(version, fed_json_string(fed_json_get(from, "clusterName")));
    if (!to->cluster.at)
        return FED_ERR_NOMEM;
    if (!selector)
        return FED_OK;
    if (to->cluster.len)
        return fed_diag_set(
            diag, FED_ERR_INVALID, "clusterName and clusterSelector exclude each other");
    if (++version->n_selecting > PLAN_OVERRIDE_SELECTORS_MAX)
        return fed_diag_set(diag, FED_ERR_LIMIT, "more than %u entries with a clusterSelector",
            PLAN_OVERRIDE_SELECTORS_MAX);
    err = fed_selector_from_object(plan->mem, selector, &to->selector, diag);
    return err && err != FED_ERR_NOMEM ? fed_diag_prefix(diag, err, "clusterSelector") : err;
}

/* One entry, checked and made canonical. What is wrong with any refuses the object for all
 * clusters. */
static enum fed_err parse_entry(struct hub_plan *plan, struct plan_version *version,
    const struct fed_json *from, struct plan_override *to, struct fed_diag *diag)
{
    const struct fed_json *operations = fed_json_get(from, "clusterOverrides");
    struct fed_buf bytes;
    enum fed_err err = parse_whom(plan, version, from, to, diag);

    if (err || fed_json_count(operations) == 0)
        return err;
    err = fed_override_check(to->cluster, operations, diag);
    if (err)
        return err;
    fed_buf_init(&bytes, plan->mem, FED_WORK_OVERRIDES_MAX);
    err = fed_json_put_canonical(&bytes, operations);
    if (!err) {
        to->operations = plan_version_keep(version, fed_buf_span(&bytes));
        err = to->operations.at ? FED_OK : FED_ERR_NOMEM;
    }
    fed_buf_fini(&bytes);
    return err;
}

static int by_cluster(const void *a, const void *b)
{
    const struct plan_override *const *x = a;
    const struct plan_override *const *y = b;

    return fed_span_cmp((*x)->cluster, (*y)->cluster);
}

/* The entries with a name, sorted by it. No name stands twice, not even the empty one. */
static enum fed_err index_names(struct plan_version *version, struct fed_diag *diag)
{
    const struct plan_override **named =
        fed_alloc_array(&version->arena.alloc, version->n_overrides, sizeof *named);
    size_t n = 0;

    if (!named)
        return FED_ERR_NOMEM;
    for (size_t i = 0; i < version->n_overrides; i++)
        if (!version->overrides[i].selector)
            named[n++] = &version->overrides[i];
    qsort((void *)named, n, sizeof *named, by_cluster);
    for (size_t i = 1; i < n; i++)
        if (fed_span_eq(named[i - 1]->cluster, named[i]->cluster))
            return fed_diag_set(diag, FED_ERR_INVALID,
                "cluster \"" FED_SPAN_FMT "\" appears more than once",
                FED_SPAN_ARG(named[i]->cluster));
    version->named_overrides = named;
    version->n_named_overrides = n;
    return FED_OK;
}

static enum fed_err entry_wrong(
    const struct plan_override *entry, size_t index, enum fed_err err, struct fed_diag *diag)
{
    if (entry->cluster.len && !entry->selector)
        return err; /* which names the cluster */
    return fed_diag_prefix(diag, err, "overrides[%zu]", index);
}

enum fed_err plan_overrides_parse(struct hub_plan *plan, struct plan_version *version,
    const struct fed_json *overrides, struct fed_diag *diag)
{
    size_t n = fed_json_count(overrides);
    struct fed_json_iter it = fed_json_each(overrides);
    enum fed_err err = FED_OK;

    if (n == 0)
        return FED_OK;
    version->overrides = fed_alloc_array(&version->arena.alloc, n, sizeof *version->overrides);
    if (!version->overrides)
        return FED_ERR_NOMEM;
    for (size_t i = 0; !err && fed_json_iter_next(&it); i++) {
        struct plan_override *to = &version->overrides[version->n_overrides++];

        *to = (struct plan_override){.operations = fed_span_text("")};
        err = parse_entry(plan, version, it.value, to, diag);
        if (err && err != FED_ERR_NOMEM)
            err = entry_wrong(to, i, err, diag);
    }
    return err ? err : index_names(version, diag);
}

void plan_overrides_fini(struct plan_version *version)
{
    for (size_t i = 0; i < version->n_overrides; i++)
        fed_selector_free(version->overrides[i].selector);
    version->overrides = NULL;
    version->n_overrides = version->n_selecting = version->n_named_overrides = 0;
    version->named_overrides = NULL;
}

/* ---- what a cluster gets ---- */

struct among_named {
    const struct plan_version *version;
    struct fed_span name;
};

static int order_of_named(const void *ctx, size_t index)
{
    const struct among_named *among = ctx;

    return fed_span_cmp(among->version->named_overrides[index]->cluster, among->name);
}

static const struct plan_override *named_for(
    const struct plan_version *version, const struct plan_cluster *cluster)
{
    struct among_named among = {version, fed_span_text(cluster->name)};
    size_t index;

    return fed_bisect(version->n_named_overrides, order_of_named, &among, &index)
               ? version->named_overrides[index]
               : NULL;
}

void plan_overrides_match(const struct plan_version *version, const struct plan_cluster *cluster,
    struct plan_overrides *out)
{
    const struct plan_override *named = named_for(version, cluster);

    *out = (struct plan_overrides){.named = named && named->operations.len};
    if (version->n_selecting == 0) {
        if (out->named)
            out->entries[out->n++] = named;
        return;
    }
    for (size_t i = 0; i < version->n_overrides; i++) {
        const struct plan_override *entry = &version->overrides[i];

        if (entry->operations.len == 0)
            continue;
        if (entry->selector ? fed_selector_match(entry->selector, cluster->labels) : entry == named)
            out->entries[out->n++] = entry;
    }
}

enum fed_err plan_overrides_join(const struct plan_overrides *from, struct fed_buf *out)
{
    for (size_t i = 0; i < from->n; i++) {
        struct fed_span list = from->entries[i]->operations;

        fed_buf_put_u8(out, i ? ',' : '[');
        fed_buf_put(out, fed_span_sub(list, 1, list.len - 2));
    }
    fed_buf_put_u8(out, ']');
    return fed_buf_err(out);
}

struct fed_span plan_overrides_key(const struct plan_overrides *from)
{
    return fed_span_of((const void *)from->entries, from->n * sizeof from->entries[0]);
}

bool plan_overrides_differ(
    const struct plan_version *version, const struct fed_json *labels, const struct fed_json *other)
{
    for (size_t i = 0; version->n_selecting && i < version->n_overrides; i++) {
        const struct fed_selector *selector = version->overrides[i].selector;

        if (selector && fed_selector_match(selector, labels) != fed_selector_match(selector, other))
            return true;
    }
    return false;
}

/* ---- admission ---- */

static enum fed_err wrong(
    struct hub_admission *admission, size_t index, const char *member, struct fed_diag *diag)
{
    snprintf(admission->field, sizeof admission->field, "spec.overrides[%zu]%s", index, member);
    return fed_diag_prefix(diag, FED_ERR_INVALID, "Invalid value");
}

static enum fed_err admit_entry(struct hub_plan *plan, struct hub_admission *admission,
    const struct fed_json *entry, size_t index, struct fed_diag *diag)
{
    const struct fed_json *selector = selector_of(entry);
    bool named = fed_json_string(fed_json_get(entry, "clusterName")).len > 0;
    struct fed_selector *parsed = NULL;
    char text[160];
    enum fed_err err;

    if (!selector && !named) {
        snprintf(text, sizeof text,
            "spec.overrides[%zu]: neither clusterName nor clusterSelector: it is for no cluster",
            index);
        admission->warn(admission, text);
    }
    if (!selector)
        return FED_OK;
    if (named) {
        fed_diag_set(diag, FED_ERR_INVALID,
            "clusterName and clusterSelector exclude each other, one of them is for the entry");
        return wrong(admission, index, "", diag);
    }
    err = fed_selector_from_object(plan->mem, selector, &parsed, diag);
    fed_selector_free(parsed);
    return err && err != FED_ERR_NOMEM ? wrong(admission, index, ".clusterSelector", diag) : err;
}

enum fed_err plan_overrides_admit(
    struct hub_plan *plan, struct hub_admission *admission, struct fed_diag *diag)
{
    struct fed_json_iter it = fed_json_each(fed_json_find(admission->object, "spec.overrides"));
    size_t selecting = 0;
    enum fed_err err = FED_OK;

    for (size_t i = 0; !err && fed_json_iter_next(&it); i++) {
        err = admit_entry(plan, admission, it.value, i, diag);
        selecting += selector_of(it.value) != NULL;
        if (!err && selecting > PLAN_OVERRIDE_SELECTORS_MAX) {
            fed_diag_set(diag, FED_ERR_INVALID, "at most %u entries have a clusterSelector",
                PLAN_OVERRIDE_SELECTORS_MAX);
            err = wrong(admission, i, "", diag);
        }
    }
    return err;
}
