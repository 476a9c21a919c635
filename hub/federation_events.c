/* federation_events.c - see federation_events.h. */
#include "hub/federation_events.h"

#include <stdio.h>
#include <string.h>

#define QUEUE_MAX 256u
#define TURN_MAX 16u
#define TOKENS_MAX 200.0 /* a burst */
#define TOKENS_PER_MS 0.02
#define TURN_MS 20u
#define TELL_MS 60000u
#define NOT_SUPPORTED                                                                              \
    " cannot be set via template to avoid conflicting with controllers in member clusters. "       \
    "Consider using an override to add or remove elements from this collection."

struct queued {
    struct queued *next;
    char resource[320];
    char ns[64];
    char name[254];
    bool warning;
    char reason[48];
    char message[768];
};

struct hub_federation_events {
    struct fed_alloc *mem;
    struct fed_loop *loop;
    struct fed_log *log;
    struct hub_objects *objects;
    const struct hub_kinds *kinds;
    struct hub_events *events;
    struct fed_timer *timer;
    struct queued *first;
    struct queued **last;
    size_t n;
    double tokens;
    uint64_t tokens_ms;
    size_t left_out;
    uint64_t told_ms;
};

/* ---- recording ---- */
static const struct hub_kind *kind_of(const struct hub_kinds *kinds, const char *resource)
{
    for (size_t i = 0; i < hub_kinds_count(kinds); i++)
        if (strcmp(hub_kinds_at(kinds, i)->resource, resource) == 0)
            return hub_kinds_at(kinds, i);
    return NULL;
}

static void component_of(const char *kind, char out[96])
{
    size_t len = 0;

    for (; kind[len] && len < 80; len++)
        out[len] = (char)(kind[len] >= 'A' && kind[len] <= 'Z' ? kind[len] | 32 : kind[len]);
    snprintf(out + len, 96 - len, "-controller");
}

static void record_with(struct hub_federation_events *q, const struct queued *one,
    const struct hub_kind *kind, const struct fed_json *object)
{
    char component[96];
    char api_version[400];
    struct fed_span stored = fed_json_string(fed_json_get(object, "apiVersion"));

    component_of(kind->kind, component);
    if (fed_span_to_cstr(stored, api_version, sizeof api_version))
        return;
    hub_events_record(q->events, &(struct hub_event){.api_version = api_version,
                                     .kind = kind->kind,
                                     .ns = fed_span_text(one->ns),
                                     .name = fed_span_text(one->name),
                                     .uid = fed_json_string(fed_json_find(object, "metadata.uid")),
                                     .warning = one->warning,
                                     .reason = one->reason,
                                     .message = one->message,
                                     .component = component});
}

static void record(struct hub_federation_events *q, const struct queued *one)
{
    struct hub_object_ref ref = {
        fed_span_text(one->resource), fed_span_text(one->ns), fed_span_text(one->name)};
    const struct hub_kind *kind = kind_of(q->kinds, one->resource);
    struct fed_json_doc *doc;
    struct fed_json *object;
    struct fed_buf bytes;

    if (!kind || fed_json_doc_new(q->mem, &doc))
        return;
    fed_buf_init(&bytes, q->mem, FED_STORE_VALUE_MAX);
    if (!hub_objects_get(q->objects, &ref, &bytes, NULL) &&
        !fed_json_parse(doc, fed_buf_span(&bytes), &object, NULL))
        record_with(q, one, kind, object);
    fed_buf_fini(&bytes);
    fed_json_doc_free(doc);
}

static void schedule(struct hub_federation_events *q, uint64_t in_ms)
{
    q->loop->timer_set(q->loop->ctx, q->timer, fed_loop_now_ms(q->loop) + in_ms);
}

static void tell_left_out(struct hub_federation_events *q, uint64_t now_ms)
{
    if (q->left_out == 0 || (q->told_ms > 0 && now_ms < q->told_ms + TELL_MS))
        return;
    fed_log(q->log, FED_LOG_INFO,
        "events: %zu of federated objects left out: more than are recorded at once", q->left_out);
    q->left_out = 0;
    q->told_ms = now_ms;
}

static void run(void *ctx)
{
    struct hub_federation_events *q = ctx;
    uint64_t now_ms = fed_loop_now_ms(q->loop);

    q->tokens += (double)(now_ms - q->tokens_ms) * TOKENS_PER_MS;
    q->tokens = q->tokens > TOKENS_MAX ? TOKENS_MAX : q->tokens;
    q->tokens_ms = now_ms;
    for (size_t i = 0; q->first && i < TURN_MAX && q->tokens >= 1; i++) {
        struct queued *one = q->first;

        q->first = one->next;
        if (!q->first)
            q->last = &q->first;
        q->n--;
        q->tokens--;
        record(q, one);
        fed_alloc_free(q->mem, one, sizeof *one);
    }
    tell_left_out(q, now_ms);
    if (q->first)
        schedule(q, q->tokens >= 1 ? TURN_MS : 1000);
}

/* ---- queueing ---- */
static struct queued *add(struct hub_federation_events *q, const struct hub_object_ref *ref)
{
    struct queued *one = q->n < QUEUE_MAX ? fed_alloc_zero(q->mem, sizeof *one) : NULL;

    if (!one || fed_span_to_cstr(ref->resource, one->resource, sizeof one->resource) ||
        fed_span_to_cstr(ref->ns, one->ns, sizeof one->ns) ||
        fed_span_to_cstr(ref->name, one->name, sizeof one->name)) {
        fed_alloc_free(q->mem, one, sizeof *one);
        q->left_out++;
        return NULL;
    }
    if (!q->first)
        schedule(q, 0);
    *q->last = one;
    q->last = &one->next;
    q->n++;
    return one;
}

/* `ConfigMap "shop/web" in cluster "paris"` */
static int put_work(char *out, size_t size, struct fed_span kind, struct fed_span ns,
    struct fed_span name, struct fed_span cluster)
{
    return snprintf(out, size,
        FED_SPAN_FMT " \"" FED_SPAN_FMT "%s" FED_SPAN_FMT "\" in cluster \"" FED_SPAN_FMT "\"",
        FED_SPAN_ARG(kind), FED_SPAN_ARG(ns), ns.len ? "/" : "", FED_SPAN_ARG(name),
        FED_SPAN_ARG(cluster));
}

/* What is done in a cluster, and how KubeFed says so. */
enum operation { CREATE, UPDATE, DELETE };

static void tell_done(struct hub_federation_events *q, const struct hub_object_ref *ref,
    enum operation operation, const struct fed_work *work, struct fed_span cluster)
{
    static const char *const words[][2] = {
        {"Create", "Creating"}, {"Update", "Updating"}, {"Delete", "Deleting"}};
    struct queued *one = add(q, ref);
    char what[700];

    if (!one)
        return;
    put_work(what, sizeof what, work->kind, work->ns, work->name, cluster);
    snprintf(one->reason, sizeof one->reason, "%sInCluster", words[operation][0]);
    snprintf(one->message, sizeof one->message, "%s %s", words[operation][1], what);
}

static void tell_failed(struct hub_federation_events *q, const struct hub_object_ref *ref,
    enum operation operation, const struct fed_work *work, struct fed_span cluster,
    struct fed_span why)
{
    static const char *const words[][2] = {
        {"Create", "create"}, {"Update", "update"}, {"Delete", "delete"}};
    struct queued *one = add(q, ref);
    char what[700];

    if (!one)
        return;
    put_work(what, sizeof what, work->kind, work->ns, work->name, cluster);
    one->warning = true;
    snprintf(one->reason, sizeof one->reason, "%sInClusterFailed", words[operation][0]);
    snprintf(one->message, sizeof one->message, "Failed to %s %s: " FED_SPAN_FMT,
        words[operation][1], what, FED_SPAN_ARG(why));
}

static void tell_warning(struct hub_federation_events *q, const struct hub_object_ref *ref,
    const char *reason, const char *before, const char *message)
{
    struct queued *one = add(q, ref);

    if (!one)
        return;
    one->warning = true;
    snprintf(one->reason, sizeof one->reason, "%s", reason);
    snprintf(one->message, sizeof one->message, "%s%s", before, message);
}

/* ---- what was planned ---- */

/* Nothing new can be sent, or what is there cannot be taken away. KubeFed tries first, and says so.
 */
static void tell_refused(struct hub_federation_events *q, struct hub_status *status,
    const struct hub_object_ref *ref, const struct hub_planned *planned,
    const struct hub_planned_cluster *cluster)
{
    bool there = cluster->work && hub_status_has_object(status, cluster->cluster, cluster->work);
    enum operation operation = there ? UPDATE : CREATE;

    if (strcmp(cluster->error, "DeletionFailed") == 0)
        operation = DELETE;
    else
        tell_done(q, ref, operation, &planned->target, cluster->cluster);
    tell_failed(
        q, ref, operation, &planned->target, cluster->cluster, fed_span_text(cluster->message));
}

static void tell_waiting(struct hub_federation_events *q, const struct hub_object_ref *ref,
    const struct hub_planned *planned)
{
    struct queued *one = NULL;
    size_t at = 0;

    for (size_t i = 0; i < planned->n_clusters; i++) {
        const struct hub_planned_cluster *cluster = &planned->clusters[i];
        int n;

        if (cluster->selected || !cluster->fresh || cluster->index != SIZE_MAX)
            continue;
        if (!one) {
            one = add(q, ref);
            if (!one)
                return;
            snprintf(one->reason, sizeof one->reason, "WaitForRemovalInCluster");
            n = snprintf(one->message, sizeof one->message,
                "Waiting for managed resources to be removed from the following "
                "clusters: " FED_SPAN_FMT,
                FED_SPAN_ARG(cluster->cluster));
        } else {
            n = snprintf(one->message + at, sizeof one->message - at, ", " FED_SPAN_FMT,
                FED_SPAN_ARG(cluster->cluster));
        }
        at += n > 0 ? (size_t)n : 0;
        if (at >= sizeof one->message) /* cut: hundreds of clusters */
            return;
    }
}

static void tell_clusters(struct hub_federation_events *q, struct hub_status *status,
    const struct hub_object_ref *ref, const struct hub_planned *planned)
{
    bool away = false;
    bool selected = false;

    for (size_t i = 0; i < planned->n_clusters; i++) {
        const struct hub_planned_cluster *cluster = &planned->clusters[i];

        selected = selected || cluster->selected;
        if (cluster->error[0])
            tell_refused(q, status, ref, planned, cluster);
        else if (!cluster->fresh)
            continue;
        else if (!cluster->selected && !planned->deleting && cluster->work)
            tell_done(q, ref, DELETE, cluster->work, cluster->cluster);
        else if (cluster->selected && !hub_status_is_ready(status, cluster->cluster, NULL))
            away = true;
    }
    if (away)
        tell_warning(q, ref, "ClusterNotReady", "", "Cluster not ready");
    if (selected && planned->template_annotations)
        tell_warning(q, ref, "AnnotationsNotSupported", "metadata.annotations", NOT_SUPPORTED);
    if (selected && planned->template_finalizers)
        tell_warning(q, ref, "FinalizersNotSupported", "metadata.finalizers", NOT_SUPPORTED);
}

/* One for all clusters that a policy forbids: there may be thousands. */
static void tell_restricted(struct hub_federation_events *q, const struct hub_object_ref *ref,
    const struct hub_planned *planned)
{
    const struct hub_planned_cluster *first = planned->clusters;
    struct queued *one = add(q, ref);

    if (!one)
        return;
    while (first->policy == HUB_POLICY_FREE)
        first++;
    one->warning = true;
    snprintf(one->reason, sizeof one->reason, "ForbiddenByPolicy");
    snprintf(one->message, sizeof one->message,
        "Left out of %zu clusters, waiting for removal from %zu: cluster \"" FED_SPAN_FMT
        "\": %.300s",
        planned->n_forbidden, planned->n_held, FED_SPAN_ARG(first->cluster), first->message);
}

void hub_federation_events_planned(struct hub_federation_events *q, struct hub_plan *plan,
    struct hub_status *status, const struct hub_object_ref *ref)
{
    struct hub_planned planned;

    if (hub_plan_is_misnamed(plan, ref))
        tell_warning(q, ref, "InvalidName", "",
            "The name of a federated namespace must match the name of its containing namespace.");
    else if (hub_plan_object(plan, ref, &planned))
        return;
    else if (planned.problem == HUB_PLACEMENT_COMPUTE_FAILED)
        tell_warning(
            q, ref, "ComputePlacementFailed", "Failed to compute placement: ", planned.message);
    else {
        if (planned.n_forbidden + planned.n_held > 0)
            tell_restricted(q, ref, &planned);
        tell_clusters(q, status, ref, &planned);
    }
    if (hub_plan_object(plan, ref, &planned) == FED_OK && planned.deleting && !planned.orphan)
        tell_waiting(q, ref, &planned);
}

/* ---- what became of it ---- */

static void tell_applied(struct hub_federation_events *q, const struct hub_status_outcome *outcome)
{
    if (outcome->deed != FED_DEED_UPDATED)
        tell_done(q, &outcome->ref, CREATE, outcome->work, outcome->cluster);
    if (outcome->deed == FED_DEED_ADOPTED)
        tell_failed(q, &outcome->ref, CREATE, outcome->work, outcome->cluster,
            fed_span_text("An update will be attempted instead of a creation due to an existing "
                          "resource"));
    if (outcome->deed != FED_DEED_CREATED)
        tell_done(q, &outcome->ref, UPDATE, outcome->work, outcome->cluster);
}

void hub_federation_events_told(void *ctx, const struct hub_status_outcome *outcome)
{
    enum operation operation = outcome->deed == FED_DEED_CREATED ? CREATE : UPDATE;

    if (outcome->state != FED_WORK_FAILED) {
        tell_applied(ctx, outcome);
        return;
    }
    tell_done(ctx, &outcome->ref, operation, outcome->work, outcome->cluster);
    tell_failed(ctx, &outcome->ref, operation, outcome->work, outcome->cluster, outcome->message);
}

/* ---- open and close ---- */
enum fed_err hub_federation_events_open(struct fed_alloc *mem, struct fed_loop *loop,
    struct fed_log *log, struct hub_objects *objects, const struct hub_kinds *kinds,
    struct hub_events *events, struct hub_federation_events **out)
{
    struct hub_federation_events *q = fed_alloc_zero(mem, sizeof *q);
    enum fed_err err;

    if (!q)
        return FED_ERR_NOMEM;
    *q = (struct hub_federation_events){.mem = mem,
        .loop = loop,
        .log = log,
        .objects = objects,
        .kinds = kinds,
        .events = events,
        .last = &q->first,
        .tokens = TOKENS_MAX,
        .tokens_ms = fed_loop_now_ms(loop)};
    err = loop->timer_new(loop->ctx, run, q, &q->timer);
    if (err) {
        fed_alloc_free(mem, q, sizeof *q);
        return err;
    }
    *out = q;
    return FED_OK;
}

void hub_federation_events_close(struct hub_federation_events *q)
{
    if (!q)
        return;
    q->loop->timer_free(q->loop->ctx, q->timer);
    while (q->first) {
        struct queued *one = q->first;

        q->first = one->next;
        fed_alloc_free(q->mem, one, sizeof *one);
    }
    fed_alloc_free(q->mem, q, sizeof *q);
}
