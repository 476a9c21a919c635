/* compose.c - status as it is read: KubeFed's form of the plan and of what the agents said.
 *
 * Words of status.clusters[].status and of conditions are KubeFed's. Where KubeFed would not have
 * written a status yet (a change is on its way to a reachable cluster) the word is Pending.
 * `message`, `health` and `version` are our additions; so are the words Held (a cluster's quiet
 * time) and Waiting (a rollout has not given it the latest version yet). */
#include "hub/status/internal.h"
#include "proto/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static enum fed_err set_time(
    struct fed_json_doc *doc, struct fed_json *object, const char *key, int64_t unix_s)
{
    char text[FED_TEXT_TIME_SIZE];

    fed_text_time(unix_s, text);
    return fed_json_set_text(doc, object, key, text);
}

/* ---- federated objects ---- */

#define CONSENT_SAID_MAX 900u
#define WHY_SIZE (FED_REPORT_REASON_MAX + FED_REPORT_MESSAGE_MAX + 3u)

struct cluster_word {
    const char *status; /* "" when the cluster is as wanted */
    const char *message;
    const char *health;                /* NULL when not known */
    char version[STATUS_VERSION_SIZE]; /* "" when not known */
    bool remote;                       /* its .status is stored */
    char said[CONSENT_SAID_MAX];       /* a message of its own */
    char why[WHY_SIZE];                /* message may point at it */
};

/* What is held of a work of the present manifest. *same: it is about the present content of it. */
static const struct status_work *held(struct hub_status *status,
    const struct status_cluster *cluster, const struct hub_planned_cluster *planned, bool *same)
{
    const struct status_view *view = &cluster->view;
    size_t index = planned->index;

    *same = index != SIZE_MAX && view->revision >= planned->since_revision;
    if (!planned->work ||
        (view->revision != planned->revision && !hub_plan_work_index(status->plan, planned->cluster,
                                                    view->revision, planned->work, &index)))
        return NULL;
    return index < view->n_works ? &view->works[index] : NULL;
}

const struct status_work *status_reported(struct hub_status *status,
    const struct status_cluster *cluster, const struct hub_planned_cluster *planned)
{
    bool same;
    const struct status_work *work = held(status, cluster, planned, &same);

    return same ? work : NULL;
}

void status_work_version(const struct status_work *work, char out[STATUS_VERSION_SIZE])
{
    out[0] = '\0';
    if (work && work->version)
        snprintf(
            out, STATUS_VERSION_SIZE, "%s:%" PRIu64, work->by_rv ? "rv" : "gen", work->version);
}

/* Why an object that was applied is not well: the machine word is no status of KubeFed's, which
 * stays that of a cluster that is as wanted. */
static void put_why(const char *reason, struct cluster_word *word)
{
    if (!reason[0])
        return;
    snprintf(
        word->why, sizeof word->why, "%s%s%s", reason, word->message[0] ? ": " : "", word->message);
    word->message = word->why;
}

static void word_of_work(const struct status_work *work, struct cluster_word *word)
{
    const char *reason = status_work_reason(work);

    word->message = status_work_message(work);
    if (!work) {
        word->status = "Pending";
        return;
    }
    status_work_version(work, word->version);
    if ((work->state == FED_WORK_APPLIED || strcmp(reason, "RolledBack") == 0) &&
        work->health != FED_HEALTH_UNKNOWN)
        word->health = fed_work_health_name(work->health); /* of what is in place */
    switch ((enum fed_work_state)work->state) {
    case FED_WORK_APPLIED:
        word->status = "";
        put_why(reason, word);
        return;
    case FED_WORK_FAILED:
        word->status = reason[0] ? reason : "UpdateFailed";
        return;
    default:
        word->status = reason[0] ? reason : "Pending";
        return;
    }
}

static void word_of_removal(
    const struct status_cluster *cluster, const struct fed_work *work, struct cluster_word *word)
{
    struct fed_buf id;

    fed_buf_init(&id, fed_alloc_system(), FED_WORK_ID_MAX);
    if (work)
        fed_work_put_id(&id, work);
    *word = (struct cluster_word){.status = "WaitingForRemoval", .message = ""};
    for (const struct status_removed *r = cluster ? cluster->view.removed : NULL; r; r = r->next) {
        const char *reason = r->id + strlen(r->id) + 1;

        if (!fed_work_id_same(fed_buf_span(&id), fed_span_text(r->id)))
            continue;
        if (r->state == FED_WORK_FAILED && reason[0])
            word->status = reason;
        word->message = reason + strlen(reason) + 1;
    }
    fed_buf_fini(&id);
}

/* It is on its way out, as KubeFed's word says, and stays until somebody consents. */
static void word_of_consent(
    struct hub_status *status, const struct hub_planned_cluster *planned, struct cluster_word *word)
{
    struct hub_plan_consent consent;
    struct fed_buf text;

    *word = (struct cluster_word){.status = "WaitingForRemoval", .message = ""};
    fed_buf_init(&text, fed_alloc_system(), CONSENT_SAID_MAX - 1);
    if (hub_plan_consent(status->plan, planned->cluster, &consent))
        hub_plan_consent_say(&consent, planned->cluster, &text);
    if (!fed_buf_err(&text) && text.len > 0) {
        memcpy(word->said, text.at, text.len);
        word->said[text.len] = '\0';
        word->message = word->said;
    }
    fed_buf_fini(&text);
}

/* A rollout has not given it the latest version: so it says, unless what it has is in trouble. */
static void word_of_gate(const struct status_work *work, const struct hub_planned_cluster *planned,
    struct cluster_word *word)
{
    if (planned->work)
        word_of_work(work, word);
    if (word->status[0]) {
        word->message = word->message[0] ? word->message : planned->held;
        return;
    }
    word->status = "Waiting";
    if (word->message[0])
        snprintf(
            word->said, sizeof word->said, "%s; what it has: %s", planned->held, word->message);
    word->message = word->message[0] ? word->said : planned->held;
}

static void word_of(
    struct hub_status *status, const struct hub_planned_cluster *planned, struct cluster_word *word)
{
    const struct status_cluster *cluster = status_cluster_get(status, planned->cluster);
    const struct status_work *work;
    bool same = false;

    if (planned->awaits_consent) {
        word_of_consent(status, planned, word);
        return;
    }
    *word = (struct cluster_word){.status = "", .message = ""};
    if (status_policy_word(planned, &word->status, &word->message))
        return;
    if (planned->selected && planned->error[0])
        *word = (struct cluster_word){.status = planned->error, .message = planned->message};
    else if (!planned->selected)
        word_of_removal(cluster, planned->work, word);
    else if (!cluster || !cluster->ready)
        *word = (struct cluster_word){
            .status = "ClusterNotReady", .message = planned->gated ? planned->held : ""};
    work = cluster ? held(status, cluster, planned, &same) : NULL;
    word->remote = work && work->remote;
    if (!planned->selected || planned->error[0] || !cluster || !cluster->ready)
        return;
    if (planned->gated)
        word_of_gate(same ? work : NULL, planned, word);
    else if (planned->held)
        *word = (struct cluster_word){
            .status = "Held", .message = planned->held, .remote = word->remote};
    else
        word_of_work(same ? work : NULL, word);
}

/* KubeFed counts a cluster without remoteStatus as one to be checked, so that kinds without
 * .status, as ConfigMap, never get well once their status is collected. Here what was propagated
 * decides alone: no status to show is no trouble. */
static enum fed_err put_remote(struct hub_status *status, struct fed_json_doc *doc,
    struct fed_json *entry, const struct hub_planned_cluster *planned)
{
    struct fed_json *remote = NULL;
    enum fed_err err = status_remote_get(status, planned->cluster, planned->work, doc, &remote);

    return err || !remote ? err : fed_json_set(doc, entry, "remoteStatus", remote);
}

static enum fed_err put_cluster(struct hub_status *status, struct fed_json_doc *doc,
    struct fed_json *list, const struct hub_planned *of, const struct hub_planned_cluster *planned,
    bool *all_well)
{
    struct fed_json *entry = fed_json_new_object(doc);
    struct cluster_word word;
    enum fed_err err = fed_json_append(list, entry);

    word_of(status, planned, &word);
    *all_well = *all_well && (word.status[0] == '\0' || planned->policy == HUB_POLICY_FORBIDS);
    if (!err)
        err = fed_json_set_string(doc, entry, "name", planned->cluster);
    if (!err && word.status[0])
        err = fed_json_set_text(doc, entry, "status", word.status);
    if (!err && word.message[0])
        err = fed_json_set_text(doc, entry, "message", word.message);
    if (!err && word.health)
        err = fed_json_set_text(doc, entry, "health", word.health);
    if (!err && word.version[0])
        err = fed_json_set_text(doc, entry, "version", word.version);
    if (!err && word.remote && of->collect == HUB_COLLECT_REMOTE)
        err = put_remote(status, doc, entry, planned);
    return err;
}

static enum fed_err put_propagation(struct hub_status *status, const struct hub_object_ref *ref,
    struct fed_json_doc *doc, struct fed_json *to, const char *reason, const char *message)
{
    struct status_object *seen = status_object_get(status, ref);
    struct fed_json *conditions = fed_json_new_array(doc);
    struct fed_json *condition = fed_json_new_object(doc);
    enum fed_err err;

    if (!seen || !conditions || !condition)
        return FED_ERR_NOMEM;
    status_times_see(status, seen, reason);
    err = fed_json_set(doc, to, "conditions", conditions);
    if (!err)
        err = fed_json_append(conditions, condition);
    if (!err)
        err = fed_json_set_text(doc, condition, "type", "Propagation");
    if (!err)
        err = fed_json_set_text(doc, condition, "status", reason[0] ? "False" : "True");
    if (!err && reason[0])
        err = fed_json_set_text(doc, condition, "reason", reason);
    if (!err && message[0])
        err = fed_json_set_text(doc, condition, "message", message);
    if (!err)
        err = set_time(doc, condition, "lastUpdateTime", seen->update_unix_s);
    if (!err)
        err = set_time(doc, condition, "lastTransitionTime", seen->transition_unix_s);
    return err;
}

/* What a cluster that is out of reach still has to remove is waited for by nobody, and not shown:
 * as in KubeFed, which skips clusters that are neither selected nor ready. */
static bool is_left_behind(struct hub_status *status, const struct hub_planned_cluster *planned)
{
    return !planned->selected && planned->policy == HUB_POLICY_FREE && planned->index == SIZE_MAX &&
           !hub_status_is_ready(status, planned->cluster, NULL);
}

static enum fed_err put_clusters(struct hub_status *status, struct fed_json_doc *doc,
    struct fed_json *to, const struct hub_planned *planned, bool *all_well)
{
    struct fed_json *list;
    enum fed_err err = FED_OK;

    if (planned->n_clusters == 0 || planned->problem == HUB_PLACEMENT_COMPUTE_FAILED)
        return FED_OK;
    list = fed_json_new_array(doc);
    if (!list)
        return FED_ERR_NOMEM;
    for (size_t i = 0; !err && i < planned->n_clusters; i++)
        if (!is_left_behind(status, &planned->clusters[i]))
            err = put_cluster(status, doc, list, planned, &planned->clusters[i], all_well);
    return err || fed_json_count(list) == 0 ? err : fed_json_set(doc, to, "clusters", list);
}

/* What was touched since the hub started is known; before that, no row is older than what it told.
 */
uint64_t status_composed_revision(
    struct hub_status *status, const struct hub_object_ref *ref, const struct hub_planned *planned)
{
    struct status_object *seen = status_object_get(status, ref);

    if (!seen || seen->revision)
        return seen ? seen->revision : 0;
    for (size_t i = 0; i < planned->n_clusters; i++) {
        const struct status_cluster *cluster =
            status_cluster_get(status, planned->clusters[i].cluster);

        if (cluster && cluster->row_revision > seen->revision)
            seen->revision = cluster->row_revision;
    }
    return seen->revision;
}

enum fed_err status_compose_federated(void *ctx, const struct hub_object_ref *ref,
    struct fed_json_doc *doc, struct fed_json *object, uint64_t *revision)
{
    static const char *const problems[] = {"", "NamespaceNotFederated", "ComputePlacementFailed"};
    struct hub_status *status = ctx;
    struct hub_planned planned;
    struct fed_json *to;
    bool all_well = true;
    const char *reason;
    uint64_t composed;
    enum fed_err err = hub_plan_object(status->plan, ref, &planned);

    if (err == FED_ERR_NOT_FOUND)
        return FED_OK;
    to = fed_json_new_object(doc);
    if (err || !to)
        return err ? err : FED_ERR_NOMEM;
    err = fed_json_set(doc, object, "status", to);
    if (!err)
        err = fed_json_set_int(doc, to, "observedGeneration", planned.observed_generation);
    if (!err)
        err = put_clusters(status, doc, to, &planned, &all_well);
    reason = planned.problem ? problems[planned.problem] : all_well ? "" : "CheckClusters";
    if (!err)
        err = put_propagation(status, ref, doc, to, reason,
            planned.problem == HUB_PLACEMENT_COMPUTE_FAILED ? planned.message : "");
    if (!err)
        err = status_put_restricted(doc, to, &planned);
    composed = status_composed_revision(status, ref, &planned);
    if (!err && composed > *revision)
        *revision = composed;
    return err;
}

/* ---- clusters ---- */

struct condition {
    const char *type;
    const char *status;
    const char *reason;
    char message[256];
};

static enum fed_err put_condition(struct fed_json_doc *doc, struct fed_json *list,
    const struct condition *from, int64_t probe_unix_s, int64_t transition_unix_s)
{
    struct fed_json *to = fed_json_new_object(doc);
    enum fed_err err = fed_json_append(list, to);

    if (!err)
        err = fed_json_set_text(doc, to, "type", from->type);
    if (!err)
        err = fed_json_set_text(doc, to, "status", from->status);
    if (!err)
        err = set_time(doc, to, "lastProbeTime", probe_unix_s);
    if (!err)
        err = set_time(doc, to, "lastTransitionTime", transition_unix_s);
    if (!err)
        err = fed_json_set_text(doc, to, "reason", from->reason);
    if (!err)
        err = fed_json_set_text(doc, to, "message", from->message);
    return err;
}

/* KubeFed's three outcomes of a probe; here the agent probes and the hub listens for the agent. */
static size_t conditions_of(
    const struct hub_status *status, const struct status_cluster *cluster, struct condition out[2])
{
    char time[FED_TEXT_TIME_SIZE];

    if (cluster->ready) {
        out[0] = (struct condition){"Ready", "True", "ClusterReady", "/healthz responded with ok"};
        return 1;
    }
    if (cluster->liveness == STATUS_HEARD && cluster->healthz[0] &&
        strncmp(cluster->healthz, STATUS_UNREACHABLE, strlen(STATUS_UNREACHABLE)) != 0) {
        out[0] = (struct condition){
            "Ready", "False", "ClusterNotReady", "/healthz responded without ok"};
        out[1] = (struct condition){"Offline", "False", "ClusterReachable", "cluster is reachable"};
        return 2;
    }
    out[0] = (struct condition){"Offline", "True", "ClusterNotReachable", ""};
    if (cluster->liveness == STATUS_HEARD && !cluster->healthz[0]) {
        snprintf(out[0].message, sizeof out[0].message,
            "cluster is not reachable: its agent has not reported yet");
    } else if (cluster->liveness == STATUS_HEARD) {
        snprintf(out[0].message, sizeof out[0].message, "cluster is not reachable: %s",
            cluster->healthz + strlen(STATUS_UNREACHABLE));
    } else {
        fed_text_time(cluster->heard_unix_s ? cluster->heard_unix_s : status->started_unix_s, time);
        snprintf(out[0].message, sizeof out[0].message,
            cluster->heard_unix_s ? "cluster is not reachable: its agent was last heard at %s"
                                  : "cluster is not reachable: its agent has not been heard since "
                                    "the hub started at %s",
            time);
    }
    return 1;
}

/* What KubeFed has fields for and, since its 0.7, never fills; and what the nodes amount to. */
static enum fed_err put_nodes(
    const struct status_cluster *cluster, struct fed_json_doc *doc, struct fed_json *to)
{
    static const char *const members[] = {
        "region", "zones", "nodes", "allocatable", "unschedulablePods"};
    struct fed_json *facts;
    enum fed_err err =
        fed_json_parse(doc, fed_span_of(cluster->facts, cluster->facts_len), &facts, NULL);

    for (size_t i = 0; !err && i < sizeof members / sizeof *members; i++) {
        struct fed_json *value = fed_json_get(facts, members[i]);

        if (value)
            err = fed_json_set(doc, to, members[i], fed_json_clone(doc, value));
    }
    return err;
}

enum fed_err status_compose_cluster(void *ctx, const struct hub_object_ref *ref,
    struct fed_json_doc *doc, struct fed_json *object, uint64_t *revision)
{
    struct hub_status *status = ctx;
    struct status_cluster *cluster = status_cluster_get(status, ref->name);
    struct status_object *seen = status_object_get(status, ref);
    int64_t now = fed_loop_unix_s(status->loop);
    struct condition conditions[2];
    struct fed_json *list;
    struct fed_json *to;
    size_t n;
    enum fed_err err;

    if (!cluster)
        return FED_OK;
    to = fed_json_new_object(doc);
    list = fed_json_new_array(doc);
    err = fed_json_set(doc, object, "status", to);
    if (!err)
        err = fed_json_set(doc, to, "conditions", list);
    n = conditions_of(status, cluster, conditions);
    for (size_t i = 0; !err && i < n; i++)
        err = put_condition(doc, list, &conditions[i],
            cluster->heard_unix_s ? cluster->heard_unix_s : now,
            cluster->transition_unix_s ? cluster->transition_unix_s : now);
    if (!err)
        err = status_copied_put(cluster, doc, list);
    if (!err && cluster->kubernetes_version[0] && cluster->ready)
        err = fed_json_set_text(doc, to, "kubernetesVersion", cluster->kubernetes_version);
    if (!err && cluster->agent_version[0])
        err = fed_json_set_text(doc, to, "agentVersion", cluster->agent_version);
    if (!err && cluster->has_nodes)
        err = put_nodes(cluster, doc, to);
    if (seen && seen->revision == 0)
        seen->revision = cluster->row_revision;
    if (!err && seen && seen->revision > *revision)
        *revision = seen->revision;
    return err;
}
