/* place.c - one preference: from what is known to what is written. */
#include "hub/api/managed_fields.h"
#include "hub/schedule/internal.h"
#include "proto/base/bisect.h"
#include "proto/object/selector.h"
#include "proto/schedule/preferences.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANAGER "replica-scheduler"
#define TOLD_SHARES 8u /* clusters that an event names */

struct placing {
    struct hub_schedule *s;
    struct schedule_item *item;
    struct fed_arena arena;
    struct fed_json_doc *doc;
    const struct fed_json *preference;
    struct hub_object_ref target;
    struct fed_json *object; /* of the target */
    uint64_t revision;
    int64_t total;
    bool rebalance;
    struct fed_replicas_cluster *clusters;
    size_t n;
};

/* ---- events ---- */

/* Once, until something else is to be told. */
FED_PRINTF(4, 5)
static void tell(struct placing *p, bool warning, const char *reason, const char *format, ...)
{
    char message[768];
    va_list args;
    uint32_t hash;

    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    hash = fed_replicas_hash(fed_span_text(reason), fed_span_text(message));
    if (!p->s->o.events || p->item->told == hash)
        return;
    p->item->told = hash;
    hub_events_record(
        p->s->o.events, &(struct hub_event){.api_version = SCHEDULE_API_VERSION,
                            .kind = SCHEDULE_KIND,
                            .ns = p->item->ns,
                            .name = p->item->name,
                            .uid = fed_json_string(fed_json_find(p->preference, "metadata.uid")),
                            .warning = warning,
                            .reason = reason,
                            .message = message,
                            .component = MANAGER});
}

static void tell_shares(struct placing *p, const struct schedule_share *shares, size_t n)
{
    char text[600] = "";
    size_t len = 0;

    for (size_t i = 0; i < n && i < TOLD_SHARES && len < sizeof text; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s" FED_SPAN_FMT " %" PRId64,
            i ? ", " : "", FED_SPAN_ARG(shares[i].cluster), shares[i].replicas);
    if (n > TOLD_SHARES && len < sizeof text)
        snprintf(text + len, sizeof text - len, " and %zu more", n - TOLD_SHARES);
    tell(p, false, "Scheduled", "Replicas: %s", text);
}

/* ---- what is asked ---- */

static bool is_deleted(const struct fed_json *object)
{
    return fed_json_is_string(fed_json_find(object, "metadata.deletionTimestamp"));
}

static enum fed_err load(
    struct placing *p, const struct hub_object_ref *ref, struct fed_json **out, uint64_t *revision)
{
    struct fed_buf bytes;
    enum fed_err err;

    fed_buf_init(&bytes, p->s->o.mem, HUB_OBJECT_BYTES_MAX);
    err = hub_objects_get(p->s->o.objects, ref, &bytes, revision);
    if (!err)
        err = fed_json_parse(p->doc, fed_buf_span(&bytes), out, NULL);
    fed_buf_fini(&bytes);
    return err;
}

/* A kind that has replicas by itself, or a template that sets them. */
static bool has_replicas(const struct hub_scaled_type *type, const struct fed_json *object)
{
    static const char *const kinds[][2] = {{"apps/v1", "Deployment"}, {"apps/v1", "ReplicaSet"},
        {"apps/v1", "StatefulSet"}, {"v1", "ReplicationController"}};
    const struct fed_json *replicas = fed_json_find(object, "spec.template.spec.replicas");

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(type->target_api_version, kinds[i][0]) == 0 &&
            strcmp(type->target_kind, kinds[i][1]) == 0)
            return true;
    }
    return fed_json_type(replicas) == FED_JSON_INT;
}

/* FED_ERR_NOT_FOUND: there is nothing to do, and that was told where it is worth telling. */
static enum fed_err find_target(struct placing *p)
{
    struct fed_span kind = fed_json_string(fed_json_find(p->preference, "spec.targetKind"));
    struct hub_scaled_type type;
    enum fed_err err = hub_plan_scaled_type(p->s->o.plan, kind, &type);

    if (err || !type.namespaced) {
        tell(p, true, "TargetKindUnknown",
            "spec.targetKind: no namespaced type with kind \"" FED_SPAN_FMT "\" is federated",
            FED_SPAN_ARG(kind));
        return FED_ERR_NOT_FOUND;
    }
    if (!type.enabled) {
        tell(p, true, "TargetTypeDisabled",
            "spec.targetKind: propagation of " FED_SPAN_FMT " is disabled", FED_SPAN_ARG(kind));
        return FED_ERR_NOT_FOUND;
    }
    p->target = (struct hub_object_ref){
        .resource = fed_span_text(type.resource), .ns = p->item->ns, .name = p->item->name};
    err = load(p, &p->target, &p->object, &p->revision);
    if (err == FED_ERR_NOT_FOUND)
        tell(p, true, "TargetNotFound", "There is no " FED_SPAN_FMT " \"" FED_SPAN_FMT "\" yet",
            FED_SPAN_ARG(kind), FED_SPAN_ARG(p->item->name));
    if (err)
        return err;
    if (is_deleted(p->object))
        return FED_ERR_NOT_FOUND;
    if (!has_replicas(&type, p->object)) {
        tell(p, true, "TargetHasNoReplicas",
            "The template of " FED_SPAN_FMT " \"" FED_SPAN_FMT "\" sets no spec.replicas",
            FED_SPAN_ARG(kind), FED_SPAN_ARG(p->item->name));
        return FED_ERR_NOT_FOUND;
    }
    return FED_OK;
}

/* ---- clusters ---- */

/* NULL: every cluster. FED_ERR_NOT_FOUND: no cluster can match. */
static enum fed_err read_selector(struct placing *p, struct fed_selector **out)
{
    const struct fed_json *selector = fed_json_find(p->object, "spec.placement.clusterSelector");
    struct fed_diag diag = {""};
    enum fed_err err;

    *out = NULL;
    if (!fed_json_bool(fed_json_find(p->preference, "spec.intersectWithClusterSelector"), false))
        return FED_OK;
    if (!fed_json_is_object(selector)) /* as KubeFed: no selector selects nothing */
        return FED_ERR_NOT_FOUND;
    err = fed_selector_from_object(p->s->o.mem, selector, out, &diag);
    if (err && err != FED_ERR_NOMEM) {
        tell(p, true, "ComputePlacementFailed", "spec.placement.clusterSelector of the target: %s",
            diag.text);
        return FED_ERR_NOT_FOUND;
    }
    return err;
}

/* The name is copied: what is committed later may take the cluster along. */
static enum fed_err add_cluster(struct placing *p, struct fed_span name)
{
    uint8_t *copy = fed_alloc_get(&p->arena.alloc, name.len);

    if (!copy)
        return FED_ERR_NOMEM;
    memcpy(copy, name.at, name.len);
    p->clusters[p->n++] =
        (struct fed_replicas_cluster){.name = fed_span_of(copy, name.len), .capacity = -1};
    return FED_OK;
}

static enum fed_err find_clusters(struct placing *p)
{
    struct fed_selector *selector;
    struct fed_map_iter it;
    enum fed_err err = read_selector(p, &selector);

    p->clusters = fed_alloc_array(&p->arena.alloc, p->s->clusters.count + 1, sizeof *p->clusters);
    if (!p->clusters)
        err = FED_ERR_NOMEM;
    fed_map_iter_init(&it, &p->s->clusters);
    while (!err && fed_map_iter_next(&it)) {
        const struct schedule_cluster *cluster = it.value;

        if (!cluster->counted || !hub_plan_namespace_in(p->s->o.plan, p->item->ns, it.key) ||
            !hub_plan_may_be_in(p->s->o.plan, &p->target, it.key) ||
            (selector && !fed_selector_match(selector, cluster->labels)))
            continue;
        err = add_cluster(p, it.key);
    }
    fed_selector_free(selector);
    if (!err && p->n == 0)
        err = FED_ERR_NOT_FOUND;
    if (err == FED_ERR_NOT_FOUND)
        tell(p, true, "NoClusters", "No ready cluster is left that the namespace is placed in%s",
            fed_json_bool(fed_json_find(p->preference, "spec.intersectWithClusterSelector"), false)
                ? " and the target's clusterSelector selects"
                : "");
    return err;
}

/* ---- pods ---- */

struct among_planned {
    const struct hub_planned *planned;
    struct fed_span cluster;
};

static int order_of_planned(const void *ctx, size_t index)
{
    const struct among_planned *among = ctx;

    return fed_span_cmp(among->planned->clusters[index].cluster, among->cluster);
}

static const struct fed_work *placed_work(
    const struct hub_planned *planned, struct fed_span cluster)
{
    struct among_planned among = {planned, cluster};
    size_t index;

    return fed_bisect(planned->n_clusters, order_of_planned, &among, &index) &&
                   planned->clusters[index].selected && planned->clusters[index].index != SIZE_MAX
               ? planned->clusters[index].work
               : NULL;
}

/* KubeFed's clustersReplicaState: all ready is what runs; else the pods tell, and those that found
 * no node say how many there is room for. */
static void use_fact(struct fed_replicas_cluster *cluster, const struct schedule_fact *fact)
{
    cluster->current = fact->ready == fact->replicas ? fact->ready : fact->running;
    if (fact->ready != fact->replicas && fact->unschedulable > 0)
        cluster->capacity =
            fact->replicas > fact->unschedulable ? fact->replicas - fact->unschedulable : 0;
}

static void forget_unplaced(struct placing *p, const struct hub_planned *planned)
{
    struct fed_map_iter it;

    fed_map_iter_init(&it, &p->s->clusters);
    while (fed_map_iter_next(&it)) {
        if (!placed_work(planned, it.key))
            schedule_fact_forget(p->s, &p->target, it.key);
    }
}

/* Whether some cluster holds the object already: its pods may run. Asked once, because a report on
 * what the preference itself changed says less for a moment. */
static bool may_run(struct placing *p, const struct hub_planned *planned)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct fed_work *work = placed_work(planned, p->clusters[i].name);

        if (work && hub_status_is_applied(p->s->o.status, p->clusters[i].name, work))
            return true;
    }
    return false;
}

/* FED_ERR_BUSY: pods run somewhere of which nothing is known yet, and there is time to wait. */
static enum fed_err read_facts(struct placing *p)
{
    struct hub_planned planned = {.n_clusters = 0};
    bool unknown = false;
    enum fed_err err = hub_plan_object(p->s->o.plan, &p->target, &planned);

    if (err && err != FED_ERR_NOT_FOUND)
        return err;
    forget_unplaced(p, &planned);
    for (size_t i = 0; i < p->n; i++) {
        const struct schedule_fact *fact = schedule_fact_of(p->s, &p->target, p->clusters[i].name);

        if (fact)
            use_fact(&p->clusters[i], fact);
        else
            unknown = unknown || placed_work(&planned, p->clusters[i].name);
    }
    if (!p->item->seen && !may_run(p, &planned))
        p->item->facts_by_ms = 0;
    p->item->seen = true;
    if (unknown && !p->rebalance && p->item->facts_by_ms > fed_loop_now_ms(p->s->o.loop))
        return FED_ERR_BUSY;
    p->item->facts_by_ms = 0;
    return FED_OK;
}

/* ---- writing ---- */

static const struct hub_kind *kind_of(const struct hub_kinds *kinds, struct fed_span resource)
{
    for (size_t i = 0; kinds && i < hub_kinds_count(kinds); i++) {
        if (fed_span_is(resource, hub_kinds_at(kinds, i)->resource))
            return hub_kinds_at(kinds, i);
    }
    return NULL;
}

/* Who wrote what, for those who apply. */
static enum fed_err note_manager(
    struct placing *p, const struct fed_json *live, struct fed_json *next)
{
    const struct hub_kind *kind = kind_of(p->s->o.kinds, p->target.resource);
    struct hub_field_update update = {.manager = FED_SPAN_LIT(MANAGER),
        .api_version = fed_json_string(fed_json_get(live, "apiVersion")),
        .now_unix_s = fed_loop_unix_s(p->s->o.loop)};

    for (size_t i = 0; kind && i < kind->n_versions; i++) {
        if (kind->versions[i].storage)
            update.schema = kind->versions[i].schema;
    }
    return update.schema ? hub_fields_update(p->doc, &update, live, next) : FED_OK;
}

static enum fed_err count_generation(struct placing *p, struct fed_json *object)
{
    struct fed_json *metadata = fed_json_ensure_object(p->doc, object, "metadata");

    return metadata ? fed_json_set_int(p->doc, metadata, "generation",
                          fed_json_int(fed_json_get(metadata, "generation"), 0) + 1)
                    : FED_ERR_NOMEM;
}

static enum fed_err commit(struct placing *p, struct fed_json *next, struct fed_diag *diag)
{
    struct hub_object_write write = {.ref = p->target, .expected = p->revision};
    struct fed_buf bytes;
    enum fed_err err = count_generation(p, next);

    if (!err)
        err = note_manager(p, p->object, next);
    fed_buf_init(&bytes, p->s->o.mem, HUB_OBJECT_BYTES_MAX);
    if (!err)
        err = fed_json_put(&bytes, next);
    write.bytes = fed_buf_span(&bytes);
    if (!err)
        err = hub_objects_commit(p->s->o.objects, &write, 1, NULL, 0, NULL, diag);
    fed_buf_fini(&bytes);
    return err == FED_ERR_NOT_FOUND ? FED_ERR_CONFLICT : err;
}

static int by_name(const void *a, const void *b)
{
    const struct schedule_share *x = a;
    const struct schedule_share *y = b;

    return fed_span_cmp(x->cluster, y->cluster);
}

static enum fed_err make_shares(struct placing *p, struct schedule_share **out, int64_t *placed)
{
    struct schedule_share *shares = fed_alloc_array(&p->arena.alloc, p->n, sizeof *shares);

    if (!shares)
        return FED_ERR_NOMEM;
    *placed = 0;
    for (size_t i = 0; i < p->n; i++) {
        const struct fed_replicas_cluster *cluster = &p->clusters[i];

        *placed += cluster->planned;
        shares[i] = (struct schedule_share){cluster->name, cluster->planned + cluster->overflow};
    }
    qsort(shares, p->n, sizeof *shares, by_name);
    *out = shares;
    return FED_OK;
}

static enum fed_err write_shares(struct placing *p, struct fed_diag *diag)
{
    struct fed_json *next = fed_json_clone(p->doc, p->object);
    struct fed_diag why = {""};
    struct schedule_share *shares;
    bool changed = false;
    int64_t placed;
    enum fed_err err = next ? make_shares(p, &shares, &placed) : FED_ERR_NOMEM;

    if (!err)
        err = schedule_edit(p->doc, next, shares, p->n, &changed, &why);
    if (err == FED_ERR_INVALID) {
        tell(p, true, "OverridesInvalid", "The target's %s", why.text);
        return FED_OK;
    }
    if (!err && changed) {
        err = commit(p, next, diag);
        if (!err)
            tell_shares(p, shares, p->n);
    }
    if (err)
        return err;
    if (placed < p->total)
        tell(p, true, "ReplicasUnplaced",
            "%" PRId64 " of %" PRId64 " replicas have no place: weights, maxima and the room in "
            "the clusters leave none",
            p->total - placed, p->total);
    else if (!changed)
        p->item->told = 0;
    return FED_OK;
}

static enum fed_err plan(struct placing *p)
{
    struct fed_preferences preferences;
    struct fed_diag diag = {""};
    enum fed_err err = fed_preferences_read(
        &p->arena, fed_json_find(p->preference, "spec.clusters"), &preferences, &diag);
    char key[512];

    if (err)
        fed_diag_prefix(&diag, err, "spec.clusters");
    for (size_t i = 0; !err && i < p->n; i++)
        p->clusters[i].preference = fed_preferences_of(&preferences, p->clusters[i].name);
    snprintf(key, sizeof key, FED_SPAN_FMT "/" FED_SPAN_FMT, FED_SPAN_ARG(p->item->ns),
        FED_SPAN_ARG(p->item->name));
    if (!err)
        err = fed_replicas_plan(
            p->s->o.mem, fed_span_text(key), p->total, p->rebalance, p->clusters, p->n, &diag);
    if (err == FED_ERR_INVALID || err == FED_ERR_LIMIT) {
        tell(p, true, "PreferencesInvalid", "%s", diag.text);
        return FED_ERR_NOT_FOUND;
    }
    return err;
}

static enum fed_err place(struct placing *p, struct fed_diag *diag)
{
    struct hub_object_ref ref = {
        .resource = FED_SPAN_LIT(SCHEDULE_PREFERENCES), .ns = p->item->ns, .name = p->item->name};
    struct fed_json *preference = NULL;
    enum fed_err err = load(p, &ref, &preference, NULL);

    p->preference = preference;
    if (!err && is_deleted(preference))
        return FED_OK;
    if (!err) {
        p->total = fed_json_int(fed_json_find(preference, "spec.totalReplicas"), 0);
        p->rebalance = fed_json_bool(fed_json_find(preference, "spec.rebalance"), false);
        err = find_target(p);
    }
    if (!err)
        err = find_clusters(p);
    if (!err)
        err = read_facts(p);
    if (!err)
        err = plan(p);
    if (!err)
        err = write_shares(p, diag);
    return err == FED_ERR_NOT_FOUND ? FED_OK : err;
}

enum fed_err schedule_place(
    struct hub_schedule *s, struct schedule_item *item, struct fed_diag *diag)
{
    struct placing p = {.s = s, .item = item};
    enum fed_err err;

    if (!s->settings.scheduler)
        return FED_OK;
    err = fed_json_doc_new(s->o.mem, &p.doc);
    if (err)
        return err;
    fed_arena_init(&p.arena, s->o.mem, SCHEDULE_ARENA_MAX);
    err = place(&p, diag);
    fed_arena_fini(&p.arena);
    fed_json_doc_free(p.doc);
    return err;
}
