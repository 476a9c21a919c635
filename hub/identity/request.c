/* request.c - join requests as objects: who may change what, and what follows from it.
 *
 * A person lets a waiting cluster in by setting spec.approved to true, and turns it away by setting
 * status.state to Denied or by deleting the request. The stored request is also the record of the
 * cluster's key: deleting an approved one cuts its cluster off, and deleting a KubeFedCluster takes
 * its request along, so that making the object again by hand does not let the old key back in. */
#include "hub/identity/internal.h"

#include <stdio.h>

/* ---- admission ---- */

static bool only_approval_differs(const struct hub_admission *admission)
{
    static const char *const fixed[] = {"token", "clusterName", "publicKey", "labels"};
    const struct fed_json *spec = fed_json_get(admission->object, "spec");
    const struct fed_json *before = fed_json_get(admission->before, "spec");

    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        const struct fed_json *a = fed_json_get(spec, fixed[i]);
        const struct fed_json *b = fed_json_get(before, fixed[i]);

        if ((a || b) && !(a && b && fed_json_eq(a, b)))
            return false;
    }
    return true;
}

static enum fed_err admit_spec(struct hub_admission *admission, struct fed_diag *diag)
{
    const struct fed_json *status = fed_json_get(admission->before, "status");
    bool approved = fed_json_bool(fed_json_find(admission->object, "spec.approved"), false);
    bool before = fed_json_bool(fed_json_find(admission->before, "spec.approved"), false);

    if (!only_approval_differs(admission)) {
        snprintf(admission->field, sizeof admission->field, "spec");
        return fed_diag_set(diag, FED_ERR_INVALID,
            "Forbidden: only spec.approved of a join request can be changed");
    }
    if (approved != before &&
        !fed_span_is(fed_json_string(fed_json_get(status, "state")), "Pending")) {
        snprintf(admission->field, sizeof admission->field, "spec.approved");
        return fed_diag_set(
            diag, FED_ERR_INVALID, "Forbidden: the request does not wait for approval");
    }
    if (!status) {
        fed_json_remove(admission->object, "status");
        return FED_OK;
    }
    return fed_json_set(
        admission->doc, admission->object, "status", fed_json_clone(admission->doc, status));
}

/* Only from Pending to Denied, with a message if wanted; the rest of the status stays as it was. */
static enum fed_err admit_status(struct hub_admission *admission, struct fed_diag *diag)
{
    const struct fed_json *before = fed_json_get(admission->before, "status");
    const struct fed_json *wanted = fed_json_get(admission->object, "status");
    struct fed_json *next;
    enum fed_err err;

    if (fed_json_eq(wanted, before))
        return FED_OK;
    if (!fed_span_is(fed_json_string(fed_json_get(before, "state")), "Pending") ||
        !fed_span_is(fed_json_string(fed_json_get(wanted, "state")), "Denied"))
        return fed_diag_set(diag, FED_ERR_FORBIDDEN,
            "the status of a join request is kept by the hub; a waiting one may be set to Denied");
    next = fed_json_clone(admission->doc, before);
    err = next ? fed_json_set_text(admission->doc, next, "state", "Denied") : FED_ERR_NOMEM;
    if (!err && fed_json_is_string(fed_json_get(wanted, "message")))
        err = fed_json_set_string(
            admission->doc, next, "message", fed_json_string(fed_json_get(wanted, "message")));
    return err ? err : fed_json_set(admission->doc, admission->object, "status", next);
}

static void warn_of_cut_off(struct hub_identity *identity, struct hub_admission *admission)
{
    struct identity_record cluster;
    struct fed_span name = fed_json_string(fed_json_find(admission->object, "metadata.name"));

    if (!identity->objects || !admission->warn)
        return;
    if (!identity_record_open(identity, HUB_CLUSTERS, name, &cluster) && cluster.object)
        admission->warn(admission, "this request is the record of its cluster's key: without it "
                                   "the cluster is cut off until it joins again");
    identity_record_close(&cluster);
}

static enum fed_err request_admit(void *ctx, struct hub_admission *admission, struct fed_diag *diag)
{
    switch (admission->operation) {
    case HUB_CREATE:
        return fed_diag_set(diag, FED_ERR_FORBIDDEN,
            "join requests are made by agents that join, with `fedlet join`");
    case HUB_UPDATE:
        return admission->subresource.len > 0 ? admit_status(admission, diag)
                                              : admit_spec(admission, diag);
    case HUB_DELETE:
        warn_of_cut_off(ctx, admission);
        return FED_OK;
    }
    return FED_OK;
}

void hub_identity_request_hooks(struct hub_identity *identity, struct hub_kind_hooks *hooks)
{
    *hooks = (struct hub_kind_hooks){.ctx = identity, .admit = request_admit};
}

/* ---- what follows ---- */

static enum fed_err approve(struct hub_identity *identity, struct identity_record *request,
    struct identity_record *cluster, struct fed_diag *diag)
{
    struct hub_object_write writes[2];
    bool new_cluster;
    enum fed_err err = identity_approve(identity, request, cluster, &new_cluster, diag);

    if (!err)
        err = identity_record_write(request, &writes[0]);
    if (!err && new_cluster)
        err = identity_record_write(cluster, &writes[1]);
    if (!err)
        err =
            hub_objects_commit(identity->objects, writes, new_cluster ? 2 : 1, NULL, 0, NULL, diag);
    if (!err)
        fed_log(identity->log, FED_LOG_INFO, "identity: cluster " FED_SPAN_FMT " was approved",
            FED_SPAN_ARG(request->name));
    return err;
}

static enum fed_err forget(
    struct hub_identity *identity, const struct identity_record *request, struct fed_diag *diag)
{
    struct hub_object_write write = {
        .ref = identity_record_ref(request), .expected = request->revision, .remove = true};
    enum fed_err err = hub_objects_commit(identity->objects, &write, 1, NULL, 0, NULL, diag);

    return err == FED_ERR_NOT_FOUND ? FED_OK : err;
}

static enum fed_err settle(
    struct hub_identity *identity, struct fed_span name, struct fed_diag *diag)
{
    struct identity_record request;
    struct identity_record cluster = {0};
    enum fed_err err = identity_record_open(identity, IDENTITY_REQUESTS, name, &request);

    if (!err && request.object) {
        err = identity_record_open(identity, HUB_CLUSTERS, name, &cluster);
        if (!err && identity_request_state_is(&request, "Pending") &&
            fed_json_bool(fed_json_find(request.object, "spec.approved"), false))
            err = approve(identity, &request, &cluster, diag);
        else if (!err && identity_request_state_is(&request, "Approved") && !cluster.object)
            err = forget(identity, &request, diag);
    }
    identity_record_close(&request);
    identity_record_close(&cluster);
    if (err)
        return fed_diag_prefix(diag, err, "join request " FED_SPAN_FMT, FED_SPAN_ARG(name));
    return FED_OK;
}

/* The cluster was deleted. One of its name may be there again, made within the same turn: that does
 * not bring the key back. A join that takes the name has flushed first, and comes after this. */
static enum fed_err forget_key(
    struct hub_identity *identity, struct fed_span name, struct fed_diag *diag)
{
    struct identity_record request;
    enum fed_err err = identity_record_open(identity, IDENTITY_REQUESTS, name, &request);

    if (!err && request.object && identity_request_state_is(&request, "Approved"))
        err = forget(identity, &request, diag);
    identity_record_close(&request);
    return err ? fed_diag_prefix(diag, err, "join request " FED_SPAN_FMT, FED_SPAN_ARG(name))
               : FED_OK;
}

static void settle_or_log(struct hub_identity *identity, struct fed_span name)
{
    struct fed_diag diag = {""};

    if (settle(identity, name, &diag))
        fed_log(identity->log, FED_LOG_ERROR,
            "identity: %s; tried again at the next change and start", diag.text);
}

void identity_on_request(void *ctx, const struct hub_change *change)
{
    if (change->type == HUB_CHANGE_MODIFIED)
        settle_or_log(ctx, change->ref.name);
}

void identity_on_cluster(void *ctx, const struct hub_change *change)
{
    struct hub_identity *identity = ctx;
    struct fed_diag diag = {""};

    if (change->type == HUB_CHANGE_DELETED && forget_key(identity, change->ref.name, &diag))
        fed_log(identity->log, FED_LOG_ERROR,
            "identity: %s; tried again at the next start; until then do not make its cluster again",
            diag.text);
}

/* ---- at the start ---- */

struct names {
    struct fed_buf text; /* each name behind a varint length: the store may not be changed while it
                            is listed */
};

static bool collect(void *ctx, const struct hub_object *object)
{
    struct names *names = ctx;

    fed_buf_put_string(&names->text, object->ref.name);
    return true;
}

enum fed_err identity_requests_settle(struct hub_identity *identity, struct fed_diag *diag)
{
    struct names names;
    struct fed_span rest;
    struct fed_span name;
    enum fed_err err;

    fed_buf_init(&names.text, identity->mem, 64u << 20);
    err = hub_objects_list(identity->objects, fed_span_text(IDENTITY_REQUESTS),
        FED_SPAN_LIT(HUB_SYSTEM_NAMESPACE), NULL, collect, &names);
    if (!err)
        err = fed_buf_err(&names.text);
    if (err) {
        fed_buf_fini(&names.text);
        return fed_diag_prefix(diag, err, "listing join requests");
    }
    rest = fed_buf_span(&names.text);
    while (rest.len > 0 && !fed_span_take_string(&rest, FED_STORE_KEY_MAX, &name))
        settle_or_log(identity, name);
    fed_buf_fini(&names.text);
    return FED_OK;
}
