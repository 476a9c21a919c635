/* gateway.c - see gateway.h: sessions come, go, and are told. */
#include "hub/gateway/internal.h"

#include <stdio.h>
#include <string.h>

/* ---- open, close ---- */

static void on_cluster(void *ctx, const struct hub_change *change);
static void on_join_request(void *ctx, const struct hub_change *change);

static enum fed_err subscribe(struct hub_gateway *gateway)
{
    enum fed_err err = hub_objects_subscribe(
        gateway->objects, FED_SPAN_LIT(HUB_CLUSTERS), on_cluster, gateway, &gateway->clusters);

    if (!err)
        err = hub_objects_subscribe(gateway->objects, FED_SPAN_LIT("joinrequests.fedlet.io"),
            on_join_request, gateway, &gateway->requests);
    if (!err)
        err = hub_objects_subscribe(gateway->objects,
            FED_SPAN_LIT("federatedtypeconfigs.core.kubefed.io"), gateway_kinds_changed, gateway,
            &gateway->types);
    return err;
}

enum fed_err hub_gateway_open(struct fed_alloc *mem, struct fed_loop *loop, struct fed_log *log,
    struct hub_objects *objects, struct hub_plan *plan, struct hub_status *status,
    struct hub_identity *identity, const struct hub_gateway_options *options,
    struct hub_gateway **out, struct fed_diag *diag)
{
    struct hub_gateway *gateway = fed_alloc_zero(mem, sizeof *gateway);
    enum fed_err err;

    if (!gateway)
        return fed_diag_set(diag, FED_ERR_NOMEM, "no memory for the gateway");
    gateway->mem = mem;
    gateway->loop = loop;
    gateway->log = log;
    gateway->objects = objects;
    gateway->plan = plan;
    gateway->status = status;
    gateway->identity = identity;
    gateway->heartbeat_s = options->heartbeat_s ? options->heartbeat_s : GATEWAY_HEARTBEAT_S;
    gateway->traffic = options->traffic;
    if (gateway->traffic)
        hub_traffic_on_collect(gateway->traffic, gateway_collect, gateway);
    hub_plan_on_orders(plan, gateway_orders_changed, gateway);
    fed_map_init(&gateway->sessions, mem);
    fed_map_init(&gateway->waiting, mem);
    gateway_cache_init(&gateway->cache, mem);
    gateway->held_end = &gateway->held;
    gateway->member = (struct hub_objects_member){.ctx = gateway, .settled = gateway_held_settle};
    hub_objects_join(objects, &gateway->member);
    err = loop->timer_new(loop->ctx, gateway_notify_drain, gateway, &gateway->drain);
    if (!err)
        err = gateway_knock_open(gateway);
    if (!err)
        err = subscribe(gateway);
    if (!err)
        err = gateway_mark_open(gateway);
    if (err) {
        hub_gateway_close(gateway);
        return fed_diag_set(diag, err, "the gateway cannot be opened: %s", fed_err_text(err));
    }
    *out = gateway;
    return FED_OK;
}

/* ---- sessions of agents that asked for nothing yet ---- */

static struct fed_span waiting_key(const struct gateway_session *session, char *out, size_t size)
{
    snprintf(out, size, "%s/%s", session->binding->link->name, session->name);
    return fed_span_text(out);
}

static void waits_no_more(struct gateway_session *session)
{
    char key[GATEWAY_WAITING_KEY_SIZE];

    if (!session->waits)
        return;
    session->waits = false;
    fed_map_remove(&session->binding->gateway->waiting, waiting_key(session, key, sizeof key));
}

/* One for each cluster and binding: an agent that makes handshake after handshake and asks for
 * nothing would else take the place of all others. What did count goes on until this one does. */
static enum fed_err session_wait(struct gateway_session *session)
{
    struct fed_map *waiting = &session->binding->gateway->waiting;
    char text[GATEWAY_WAITING_KEY_SIZE];
    struct fed_span key = waiting_key(session, text, sizeof text);
    struct gateway_session *older = fed_map_get(waiting, key);
    enum fed_err err = fed_map_put(waiting, key, session);

    if (err)
        return err;
    session->waits = true;
    if (older) {
        older->waits = false;
        gateway_session_cut(older);
    }
    return FED_OK;
}

static void session_free(struct gateway_session *session)
{
    struct hub_gateway *gateway = session->binding->gateway;

    waits_no_more(session);
    gateway_stranger_forget(session);
    gateway_notify_forget(session);
    if (session->newer)
        session->newer->older = session->older;
    else
        gateway->all = session->older;
    if (session->older)
        session->older->newer = session->newer;
    if (session->name)
        fed_alloc_free(gateway->mem, session->name, strlen(session->name) + 1);
    if (session->why)
        fed_alloc_free(gateway->mem, session->why, strlen(session->why) + 1);
    fed_alloc_free(gateway->mem, session, sizeof *session);
}

void hub_gateway_close(struct hub_gateway *gateway)
{
    if (!gateway)
        return;
    if (gateway->clusters)
        hub_objects_unsubscribe(gateway->clusters);
    if (gateway->requests)
        hub_objects_unsubscribe(gateway->requests);
    if (gateway->types)
        hub_objects_unsubscribe(gateway->types);
    if (gateway->traffic)
        hub_traffic_on_collect(gateway->traffic, NULL, NULL);
    hub_plan_on_orders(gateway->plan, NULL, NULL);
    hub_objects_leave(gateway->objects, &gateway->member);
    gateway_held_forget(gateway, NULL);
    gateway->loop->timer_free(gateway->loop->ctx, gateway->drain);
    while (gateway->all)
        session_free(gateway->all);
    gateway_knock_close(gateway);
    fed_map_fini(&gateway->sessions);
    fed_map_fini(&gateway->waiting);
    gateway_cache_fini(&gateway->cache);
    fed_alloc_free(gateway->mem, gateway, sizeof *gateway);
}

void gateway_session_forget(struct gateway_session *session)
{
    struct hub_gateway *gateway = session->binding->gateway;

    if (session->counts && fed_map_get(&gateway->sessions, fed_span_text(session->name)) == session)
        fed_map_remove(&gateway->sessions, fed_span_text(session->name));
    session_free(session);
}

void hub_gateway_forget(struct hub_gateway *gateway, const struct fed_link_calls *link)
{
    struct gateway_session *older;

    gateway_held_forget(gateway, link);
    for (struct gateway_session *session = gateway->all; session; session = older) {
        older = session->older;
        if (session->binding->link == link)
            gateway_session_forget(session);
    }
}

uint32_t hub_gateway_idle_ms(const struct hub_gateway *gateway)
{
    uint64_t idle_ms = (uint64_t)gateway->heartbeat_s * GATEWAY_IDLE_HEARTBEAT_MS;

    idle_ms = idle_ms < GATEWAY_IDLE_MIN_MS ? GATEWAY_IDLE_MIN_MS : idle_ms;
    return idle_ms > INT32_MAX ? INT32_MAX : (uint32_t)idle_ms;
}

void hub_gateway_stats(const struct hub_gateway *gateway, struct hub_gateway_stats *out)
{
    *out = gateway->stats;
    out->sessions = gateway->sessions.count;
    out->cache_bytes = gateway->cache.bytes;
}

void hub_gateway_on_copied(struct hub_gateway *gateway, hub_gateway_copied *copied, void *ctx)
{
    gateway->copied = copied;
    gateway->copied_ctx = ctx;
}

/* ---- sessions come and go ---- */

char *gateway_copy_text(struct fed_alloc *mem, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = fed_alloc_get(mem, size);

    if (copy)
        memcpy(copy, text, size);
    return copy;
}

void gateway_session_uncount(struct gateway_session *session)
{
    struct hub_gateway *gateway = session->binding->gateway;

    if (!session->counts)
        return;
    gateway_count(session);
    if (gateway->traffic)
        hub_traffic_disconnected(gateway->traffic, fed_span_text(session->name));
    if (fed_map_get(&gateway->sessions, fed_span_text(session->name)) == session)
        fed_map_remove(&gateway->sessions, fed_span_text(session->name));
    if (!session->away)
        hub_status_disconnected(gateway->status, fed_span_text(session->name));
    session->counts = false;
}

/* Takes it from the table; the link is closed by whoever calls, or is closed already. */
static void session_end(struct gateway_session *session)
{
    gateway_session_uncount(session);
    session_free(session);
}

void gateway_session_cut(struct gateway_session *session)
{
    const struct fed_link_calls *link = session->binding->link;
    struct fed_link_session *peer = session->link;

    link->set_user(peer, NULL);
    session_end(session);
    link->close(peer);
}

/* Sets role and name from what the peer proved. */
static enum fed_err session_identify(
    struct gateway_session *session, const struct fed_link_peer *peer)
{
    struct hub_gateway *gateway = session->binding->gateway;
    struct fed_diag diag = {""};
    struct fed_buf cluster;
    enum fed_err err = FED_OK;

    fed_buf_init(&cluster, gateway->mem, 1024);
    if (peer->cert) {
        err = hub_identity_cluster_of(gateway->identity, peer->cert, &cluster, &diag);
        session->role = err ? GATEWAY_REFUSED : GATEWAY_AGENT;
        session->begins_unix_s = peer->cert->not_before_unix_s;
        session->ends_unix_s = peer->cert->not_after_unix_s;
        if (!err && !gateway_certificate_counts(session))
            session->role = GATEWAY_EXPIRED;
    } else {
        session->role = peer->psk_identity ? GATEWAY_TOKEN : GATEWAY_NOBODY;
        fed_buf_put_text(&cluster, peer->psk_identity ? peer->psk_identity : "");
    }
    /* What fails for a moment (store, memory) is no refusal: the agent is told to come back
     * instead. */
    if (err == FED_ERR_FORBIDDEN) {
        session->why =
            gateway_copy_text(gateway->mem, diag.text[0] ? diag.text : fed_err_text(err));
        fed_buf_clear(&cluster);
        err = session->why ? FED_OK : FED_ERR_NOMEM;
    }
    if (!err)
        session->name = gateway_copy_text(gateway->mem, fed_buf_cstr(&cluster));
    if (!err && (!session->name || fed_buf_err(&cluster)))
        err = FED_ERR_NOMEM;
    fed_buf_fini(&cluster);
    return err;
}

enum fed_err gateway_session_count(struct gateway_session *session, const char *how)
{
    struct hub_gateway *gateway = session->binding->gateway;
    struct fed_span cluster = fed_span_text(session->name);
    struct gateway_session *older = fed_map_get(&gateway->sessions, cluster);
    enum fed_err err = fed_map_put(&gateway->sessions, cluster, session);

    if (err)
        return err;
    waits_no_more(session);
    session->counts = true;
    hub_status_connected(gateway->status, cluster, session->binding->link->name, session->address);
    gateway_knock_note(session);
    if (gateway->traffic)
        hub_traffic_connected(
            gateway->traffic, cluster, session->binding->link->name, session->address);
    fed_log(gateway->log, FED_LOG_INFO, "gateway: cluster %s %s by %s from %s%s", session->name,
        how, session->binding->link->name, session->address,
        older ? ", in place of its older session" : "");
    if (older)
        gateway_session_cut(older);
    return FED_OK;
}

static struct gateway_session *session_new(
    struct gateway_binding *binding, struct fed_link_session *link)
{
    struct hub_gateway *gateway = binding->gateway;
    struct gateway_session *session = fed_alloc_zero(gateway->mem, sizeof *session);

    if (!session)
        return NULL;
    session->binding = binding;
    session->link = link;
    session->kinds_told = gateway->kinds_moved;
    session->older = gateway->all;
    if (gateway->all)
        gateway->all->newer = session;
    gateway->all = session;
    return session;
}

static void on_opened(void *ctx, struct fed_link_session *link, const struct fed_link_peer *peer)
{
    struct gateway_binding *binding = ctx;
    struct hub_gateway *gateway = binding->gateway;
    struct gateway_session *session = session_new(binding, link);
    const char *address = peer->address ? peer->address : "";
    enum fed_err err;

    binding->link->set_user(link, NULL);
    if (!session) {
        fed_log(gateway->log, FED_LOG_ERROR,
            "gateway: no memory for the session of %s; it is told to come back", address);
        return;
    }
    snprintf(session->address, sizeof session->address, "%s", address);
    err = session_identify(session, peer);
    if (!err && session->role == GATEWAY_AGENT)
        hub_identity_used(gateway->identity, fed_span_text(session->name), peer->cert);
    if (!err && peer->kept.len == 0 &&
        (session->role == GATEWAY_AGENT || session->role == GATEWAY_EXPIRED))
        err = session_wait(session);
    if (err) {
        fed_log(gateway->log, FED_LOG_ERROR, "gateway: session of %s: %s; it is told to come back",
            address, fed_err_text(err));
        session_free(session);
        return;
    }
    if (session->role == GATEWAY_AGENT)
        gateway_recall_note(session, peer);
    /* Those without a certificate are the business of their binding. */
    if (session->role == GATEWAY_TOKEN || session->role == GATEWAY_REFUSED)
        gateway_stranger_add(session);
    binding->link->set_user(link, session);
    _Static_assert(GATEWAY_AGENT + 1 == HUB_GATEWAY_PEERS, "each role has a counter");
    gateway->stats.opened[session->role]++;
    /* What cannot go on as it was is closed, so that its agent asks anew. */
    if (peer->kept.len > 0 &&
        (session->role != GATEWAY_AGENT || gateway_session_restore(session, peer->kept) ||
            gateway_session_count(session, "goes on")))
        gateway_session_cut(session);
    else if (session->away)
        hub_status_disconnected(gateway->status, fed_span_text(session->name));
}

void hub_gateway_quiet(struct hub_gateway *gateway, const struct fed_link_calls *link)
{
    struct gateway_session *older;

    gateway_knock_flush(gateway);
    for (struct gateway_session *session = gateway->all; session; session = older) {
        older = session->older;
        if (session->binding->link == link && (!session->counts || session->unheard))
            gateway_session_cut(session);
    }
}

static void on_closed(void *ctx, struct fed_link_session *link, const char *why)
{
    struct gateway_binding *binding = ctx;
    struct gateway_session *session = binding->link->user(link);

    if (!session)
        return;
    if (session->counts)
        fed_log(binding->gateway->log, FED_LOG_INFO, "gateway: cluster %s disconnected: %s",
            session->name, why ? why : "closed");
    session_end(session);
}

/* It goes on with the session in which it said that it goes away. */
static void session_back(struct gateway_session *session)
{
    struct hub_gateway *gateway = session->binding->gateway;

    session->away = false;
    hub_status_connected(gateway->status, fed_span_text(session->name),
        session->binding->link->name, session->address);
    fed_log(
        gateway->log, FED_LOG_INFO, "gateway: cluster %s is back in its session", session->name);
}

static void on_alive(void *ctx, struct fed_link_session *link)
{
    struct gateway_binding *binding = ctx;
    struct gateway_session *session = binding->link->user(link);

    if (!session || session->role != GATEWAY_AGENT)
        return;
    if (session->away)
        session_back(session);
    if (session->counts)
        hub_status_alive(binding->gateway->status, fed_span_text(session->name));
    /* A session does not outlive its certificate, also when it has asked for nothing: it comes back
     * with the new one, or for one. */
    if (!gateway_certificate_counts(session)) {
        fed_log(binding->gateway->log, FED_LOG_INFO,
            "gateway: the certificate of cluster %s has ended, or does not begin yet: its session "
            "is "
            "closed",
            session->name);
        gateway_session_cut(session);
        return;
    }
    /* It is back after a silence in which a change was lost, and cannot know: a new session tells
     * it. */
    if (session->unheard) {
        fed_log(binding->gateway->log, FED_LOG_INFO,
            "gateway: cluster %s missed a notification: its session is closed so that it asks "
            "anew",
            session->name);
        gateway_session_cut(session);
    }
}

/* Also those that did not ask for anything yet. */
static void cut_all(struct hub_gateway *gateway, struct fed_span cluster)
{
    struct gateway_session *older;

    for (struct gateway_session *session = gateway->all; session; session = older) {
        older = session->older;
        if ((session->role != GATEWAY_AGENT && session->role != GATEWAY_EXPIRED) ||
            !fed_span_is(cluster, session->name))
            continue;
        fed_log(gateway->log, FED_LOG_INFO,
            "gateway: cluster %s is no longer registered: its session is closed", session->name);
        gateway_session_cut(session);
    }
}

/* A cluster is gone: its name may be another machine's next. */
static void on_cluster(void *ctx, const struct hub_change *change)
{
    if (change->type != HUB_CHANGE_DELETED || !fed_span_is(change->ref.ns, HUB_SYSTEM_NAMESPACE))
        return;
    cut_all(ctx, change->ref.name);
    gateway_mark_forget(ctx, change->ref.name);
    gateway_knock_gone(ctx, change->ref.name);
    gateway_recall_forget(ctx, change->ref.name);
}

/* The record of its key is gone, or a person decided which of two machines counts. */
static void on_join_request(void *ctx, const struct hub_change *change)
{
    if (!fed_span_is(change->ref.ns, HUB_SYSTEM_NAMESPACE))
        return;
    if (change->type == HUB_CHANGE_DELETED) {
        cut_all(ctx, change->ref.name);
        gateway_recall_forget(ctx, change->ref.name);
    } else if (change->type == HUB_CHANGE_MODIFIED) {
        gateway_mark_request(ctx, change);
    }
}

/* ---- the rest ---- */

static void on_notified(void *ctx, struct fed_link_session *link, uint64_t tag, bool delivered)
{
    struct gateway_binding *binding = ctx;
    struct gateway_session *session = binding->link->user(link);

    if (session)
        gateway_notified(session, tag, delivered);
}

static void on_unfit(void *ctx, struct fed_link_session *link, uint64_t tag)
{
    struct gateway_binding *binding = ctx;
    struct gateway_session *session = binding->link->user(link);

    if (session)
        gateway_notify_unfit(session, tag);
}

static enum fed_err on_psk(void *ctx, struct fed_span token_id, struct fed_buf *key)
{
    struct gateway_binding *binding = ctx;

    return hub_identity_psk(binding->gateway->identity, token_id, key);
}

static enum fed_err on_recall(void *ctx, struct fed_span id, struct fed_buf *recall)
{
    struct gateway_binding *binding = ctx;

    return gateway_recall(binding->gateway, id, recall);
}

enum fed_err hub_gateway_bind(struct hub_gateway *gateway, const struct fed_link_calls *link,
    struct fed_link_server_events *out)
{
    struct gateway_binding *binding;

    if (gateway->n_bindings == GATEWAY_BINDINGS)
        return FED_ERR_LIMIT;
    binding = &gateway->bindings[gateway->n_bindings++];
    *binding = (struct gateway_binding){.gateway = gateway, .link = link};
    *out = (struct fed_link_server_events){.ctx = binding,
        .opened = on_opened,
        .closed = on_closed,
        .alive = on_alive,
        .request = gateway_request,
        .notified = on_notified,
        .unfit = on_unfit,
        .psk = on_psk,
        .recall = on_recall};
    return FED_OK;
}

void hub_gateway_plan_changed(void *ctx, struct fed_span cluster, uint64_t revision)
{
    struct hub_gateway *gateway = ctx;
    struct gateway_session *session = fed_map_get(&gateway->sessions, cluster);

    if (session && session->told != revision)
        gateway_notify_want(session);
}
