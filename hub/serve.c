/* serve.c - puts the parts of the service together, in the order in which they need each other, and
 * takes them apart. */
#include "hub/serve.h"

#include "hub/access/audit.h"
#include "hub/access/token.h"
#include "hub/addresses.h"
#include "hub/agents.h"
#include "hub/api/api.h"
#include "hub/api/events.h"
#include "hub/api/federated_types.h"
#include "hub/console/console.h"
#include "hub/federation_events.h"
#include "hub/gateway/gateway.h"
#include "hub/kubefed/admit.h"
#include "hub/kubefed/config.h"
#include "hub/limits.h"
#include "hub/link_people.h"
#include "hub/plan/review.h"
#include "hub/rollout/rollout.h"
#include "hub/schedule/schedule.h"
#include "hub/store_file.h"
#include "ports/control.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define SHUTDOWN_GRACE_MS 3000u
#define DESCRIPTORS_OWN 64u /* store, listeners, loop, log, backups under way */
#define COMPACT_STEPS 10u   /* the history is cut by a tenth of its time each */
#define ADDRESSES_MAX (HUB_OPTIONS_ADVERTISE_MAX + 1u)
#define CHAIN_MAX (64u << 10)
#define TLS_PAGES 65536u /* three for each connection; 1.3 GB of address space */

struct service {
    const struct hub_options *options;
    struct fed_alloc *mem;
    struct fed_log log;
    struct fed_fs fs;
    struct fed_crypto crypto;
    bool crypto_open;
    struct fed_fs_lock *lock;
    struct fed_linux_loop *linux_loop;
    struct fed_loop *loop;
    struct hub_identity *identity;
    struct fed_sqlite_store *sqlite;
    struct hub_objects *objects;
    struct hub_kinds *kinds;
    struct hub_crds *crds;
    struct hub_rollouts *rollouts;
    struct hub_plan *plan;
    struct hub_status *status;
    struct hub_federated_types *types;
    struct hub_kubefed_config *config;
    struct hub_events *events;
    struct hub_federation_events *federation_events;
    struct hub_schedule *schedule;
    struct hub_tokens *tokens;
    struct hub_audit *audit;
    struct hub_api *api;
    struct hub_console *console;
    struct hub_traffic *traffic;
    struct hub_gateway *gateway;
    struct hub_link_people people;
    struct fed_http_server *http;
    struct hub_agents *agents;
    struct fed_timer *compact;
    uint64_t compact_at[COMPACT_STEPS]; /* revisions of the last steps */
    bool stopping;
};

/* ---- the parts, from the ground up ---- */
static void on_signal(void *ctx, int number);

/* A connection each, and what the rest of the hub needs. */
static void raise_descriptors(struct service *s)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit))
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_max < HUB_LIMIT_CONNECTIONS + DESCRIPTORS_OWN)
        fed_log(&s->log, FED_LOG_WARN,
            "hub: %llu descriptors are allowed, %u would be enough for all connections",
            (unsigned long long)limit.rlim_max, HUB_LIMIT_CONNECTIONS + DESCRIPTORS_OWN);
}

/* Connections never take the descriptors that the store needs. */
static unsigned descriptors_left(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur > UINT16_MAX)
        return UINT16_MAX;
    return limit.rlim_cur > 2 * DESCRIPTORS_OWN ? (unsigned)limit.rlim_cur - DESCRIPTORS_OWN
                                                : DESCRIPTORS_OWN;
}

/* The API comes first, but a quarter is for agents. */
static unsigned connections_max(void)
{
    unsigned most = descriptors_left() / 4 * 3;

    return most < HUB_LIMIT_CONNECTIONS ? most : HUB_LIMIT_CONNECTIONS;
}

static enum fed_err open_ground(struct service *s, struct fed_diag *diag)
{
    enum fed_err err = hub_store_lock(&s->fs, s->options, &s->lock, diag);

    if (!err)
        err = fed_tls_pages_open(TLS_PAGES, diag);
    if (!err)
        err = fed_tls_crypto_open(s->mem, &s->crypto, diag);
    s->crypto_open = !err;
    raise_descriptors(s);
    if (!err)
        err = fed_linux_loop_open(s->mem, &s->linux_loop, diag);
    if (err)
        return err;
    s->loop = fed_linux_loop_port(s->linux_loop);
    err = fed_linux_loop_on_signal(s->linux_loop, SIGTERM, on_signal, s);
    if (!err)
        err = fed_linux_loop_on_signal(s->linux_loop, SIGINT, on_signal, s);
    signal(SIGPIPE, SIG_IGN);
    return err;
}

static enum fed_err open_identity(struct service *s, struct fed_diag *diag)
{
    const char *names[ADDRESSES_MAX];
    char own_name[256] = "";
    struct hub_identity_options options = {.data_dir = s->options->data_dir,
        .advertise = names,
        .certificate_life_s = s->options->certificate_life_s,
        .certificate_return_s = s->options->certificate_return_s};
    struct fed_fs_lock *ca_lock = NULL;
    struct hub_address at;
    enum fed_err err = hub_address_split(s->options->listen, &at, diag);

    for (size_t i = 0; i < s->options->n_advertise; i++)
        names[options.n_advertise++] = s->options->advertise[i];
    if (!err && !at.any)
        names[options.n_advertise++] = at.host;
    else if (options.n_advertise == 0 && gethostname(own_name, sizeof own_name - 1) == 0 &&
             own_name[0])
        names[options.n_advertise++] = own_name;
    if (!err) /* `fedhub ca` may be in the middle of a rotation */
        err = hub_ca_lock(&s->fs, s->options, &ca_lock, diag);
    if (!err)
        err = hub_identity_open(
            s->mem, s->loop, &s->log, &s->fs, &s->crypto, &options, &s->identity, diag);
    s->fs.unlock(s->fs.ctx, ca_lock);
    return err;
}

static enum fed_err open_definitions(struct service *s, struct fed_diag *diag)
{
    struct hub_crds_options options = {s->mem, s->loop, &s->log, s->objects, s->kinds, &s->crypto};

    return hub_crds_open(&options, &s->crds, diag);
}

static enum fed_err open_store(struct service *s, struct fed_diag *diag)
{
    char path[HUB_STORE_PATH_MAX];
    enum fed_err err = hub_store_path(s->options, "hub.db", path, diag);

    if (!err)
        err = hub_store_open(s->mem, &s->crypto, s->options, path, &s->sqlite, diag);
    if (!err)
        err =
            hub_objects_open(s->mem, s->loop, fed_sqlite_store_port(s->sqlite), &s->objects, diag);
    if (!err)
        err = hub_kinds_new(s->mem, &s->kinds);
    if (!err)
        err = hub_api_builtin_kinds(s->mem, s->kinds, diag);
    return err ? err : open_definitions(s, diag);
}

static void plan_changed(void *ctx, struct fed_span cluster, uint64_t revision)
{
    struct service *s = ctx;

    if (s->gateway)
        hub_gateway_plan_changed(s->gateway, cluster, revision);
    if (s->console)
        hub_console_planned(s->console, cluster);
}

static void plan_object_changed(void *ctx, const struct hub_object_ref *ref, uint64_t revision)
{
    struct service *s = ctx;

    hub_status_object_changed(s->status, ref, revision);
    hub_rollouts_planned(s->rollouts, ref);
    if (s->federation_events)
        hub_federation_events_planned(s->federation_events, s->plan, s->status, ref);
    if (s->schedule)
        hub_schedule_planned(s->schedule, ref);
}

static enum fed_err set_hooks(struct service *s)
{
    struct hub_kind_hooks hooks = {
        .admit = hub_kubefed_admit_config, .fill = hub_kubefed_fill_config};
    enum fed_err err = hub_kinds_hook(s->kinds, "core.kubefed.io", "kubefedconfigs", &hooks);

    hub_status_cluster_hooks(s->status, &hooks);
    hooks.admit = hub_kubefed_admit_cluster;
    hub_traffic_cluster_hooks(s->traffic, &hooks);
    hub_plan_consent_hooks(s->plan, &hooks);
    if (!err)
        err = hub_kinds_hook(s->kinds, "core.kubefed.io", "kubefedclusters", &hooks);
    hub_status_version_hooks(s->status, &hooks);
    if (!err)
        err = hub_kinds_hook(s->kinds, "core.kubefed.io", "propagatedversions", &hooks);
    if (!err)
        err = hub_kinds_hook(s->kinds, "core.kubefed.io", "clusterpropagatedversions", &hooks);
    hub_status_statuses_hooks(s->status, &hooks);
    if (!err)
        err = hub_kinds_hook(s->kinds, "core.kubefed.io", "federatedservicestatuses", &hooks);
    hub_identity_token_hooks(s->identity, &hooks);
    if (!err)
        err = hub_kinds_hook(s->kinds, "fedlet.io", "jointokens", &hooks);
    hub_plan_policy_hooks(s->plan, &hooks);
    if (!err)
        err = hub_kinds_hook(s->kinds, "fedlet.io", "placementpolicies", &hooks);
    hub_rollouts_policy_hooks(s->rollouts, &hooks);
    if (!err)
        err = hub_kinds_hook(s->kinds, "fedlet.io", "rolloutpolicies", &hooks);
    hub_rollouts_rollout_hooks(s->rollouts, &hooks);
    if (!err)
        err = hub_kinds_hook(s->kinds, "fedlet.io", "rollouts", &hooks);
    hub_identity_request_hooks(s->identity, &hooks);
    if (!err)
        err = hub_kinds_hook(s->kinds, "fedlet.io", "joinrequests", &hooks);
    hub_plan_review_hooks(s->plan, &hooks);
    return err ? err : hub_kinds_hook(s->kinds, "fedlet.io", "planreviews", &hooks);
}

static enum fed_err open_traffic(struct service *s, struct fed_diag *diag)
{
    struct hub_traffic_options options = {.mem = s->mem,
        .loop = s->loop,
        .log = &s->log,
        .objects = s->objects,
        .plan = s->plan,
        .fs = &s->fs};

    return hub_traffic_open(&options, &s->traffic, diag);
}

static enum fed_err open_plan(struct service *s, struct fed_diag *diag)
{
    struct hub_rollouts_options options = {.mem = s->mem,
        .loop = s->loop,
        .log = &s->log,
        .objects = s->objects,
        .fs = &s->fs,
        .crypto = &s->crypto};
    struct hub_gates gates;
    enum fed_err err = hub_rollouts_open(&options, &s->rollouts, diag);

    if (err)
        return err;
    hub_rollouts_gates(s->rollouts, &gates);
    return hub_plan_open(s->mem, s->loop, &s->log, s->objects, s->kinds, &gates, &s->plan, diag);
}

static enum fed_err open_federation(struct service *s, struct fed_diag *diag)
{
    struct hub_gateway_options gateway = {.heartbeat_s = (uint32_t)s->options->heartbeat_s};
    struct hub_kind_hooks hooks;
    enum fed_err err = hub_kubefed_config_open(s->mem, &s->log, s->objects, &s->config, diag);

    if (!err)
        err = open_plan(s, diag);
    if (!err)
        err = hub_status_open(
            s->mem, s->loop, &s->log, s->objects, s->plan, gateway.heartbeat_s, &s->status, diag);
    if (err)
        return err;
    hub_plan_on_change(s->plan, plan_changed, plan_object_changed, s);
    hub_plan_consent_limit(s->plan, &s->options->removal_consent);
    hub_status_federated_hooks(s->status, &hooks);
    hub_rollouts_federated_hooks(s->rollouts, &hooks);
    err = open_traffic(s, diag);
    gateway.traffic = s->traffic;
    if (!err)
        err = hub_federated_types_open(
            s->mem, &s->log, s->objects, s->kinds, s->crds, &hooks, &s->types, diag);
    if (!err)
        err = set_hooks(s);
    if (!err)
        hub_federated_types_follow(s->types, s->config);
    if (!err)
        err = hub_gateway_open(s->mem, s->loop, &s->log, s->objects, s->plan, s->status,
            s->identity, &gateway, &s->gateway, diag);
    return err ? err : hub_rollouts_attach(s->rollouts, s->plan, s->status, diag);
}

static enum fed_err open_access(struct service *s, struct fed_diag *diag)
{
    struct hub_audit_options audit = {.dir = s->options->data_dir,
        .file_bytes = (uint64_t)s->options->audit_file_kib << 10,
        .files = (unsigned)s->options->audit_files,
        .reads = s->options->audit_reads != 0};
    enum fed_err err = hub_tokens_open(s->mem, s->loop, &s->crypto, s->objects,
        hub_identity_token_key_pem(s->identity), &s->tokens, diag);

    return err ? err : hub_audit_open(s->mem, s->loop, &s->log, &s->fs, &audit, &s->audit, diag);
}

/* Two machines came as one cluster: an event beside the condition. */
static void on_copied(void *ctx, struct fed_span cluster, const char *message)
{
    struct service *s = ctx;

    hub_events_record(s->events, &(struct hub_event){.api_version = "core.kubefed.io/v1beta1",
                                     .kind = "KubeFedCluster",
                                     .ns = FED_SPAN_LIT(HUB_SYSTEM_NAMESPACE),
                                     .name = cluster,
                                     .warning = true,
                                     .reason = "CloneSuspected",
                                     .message = message,
                                     .component = "kubefedcluster-controller"});
}

static enum fed_err open_schedule(struct service *s, struct fed_diag *diag)
{
    struct hub_schedule_options options = {.mem = s->mem,
        .loop = s->loop,
        .log = &s->log,
        .objects = s->objects,
        .kinds = s->kinds,
        .plan = s->plan,
        .status = s->status,
        .events = s->events};

    return hub_schedule_open(&options, &s->schedule, diag);
}

static void put_metrics(void *ctx, struct fed_buf *out)
{
    struct service *s = ctx;

    hub_link_people_metrics(&s->people, out);
    if (s->console)
        hub_console_metrics(s->console, out);
}

static enum fed_err open_api(struct service *s, struct fed_diag *diag)
{
    struct hub_api_options options = {.mem = s->mem,
        .loop = s->loop,
        .log = &s->log,
        .objects = s->objects,
        .kinds = s->kinds,
        .crypto = &s->crypto,
        .tokens = s->tokens,
        .audit = s->audit,
        .metrics = put_metrics,
        .metrics_ctx = s,
        .ca_pem = hub_identity_ca_pem(s->identity)};
    enum fed_err err = hub_events_open(s->mem, s->loop, &s->log, s->objects, &s->events);

    if (!err)
        err = hub_federation_events_open(
            s->mem, s->loop, &s->log, s->objects, s->kinds, s->events, &s->federation_events);
    if (!err)
        hub_status_on_outcome(s->status, hub_federation_events_told, s->federation_events);
    if (!err)
        hub_rollouts_tell(s->rollouts, s->events);
    s->people = (struct hub_link_people){.mem = s->mem,
        .objects = s->objects,
        .events = s->events,
        .gateway = s->gateway,
        .agents = &s->agents,
        .traffic = s->traffic,
        .plan = s->plan,
        .status = s->status};
    if (!err)
        hub_traffic_on_tell(s->traffic, hub_link_people_tell, &s->people);
    if (!err)
        hub_plan_on_consent(s->plan, hub_link_people_tell, &s->people);
    if (!err)
        hub_gateway_on_copied(s->gateway, on_copied, s);
    if (!err)
        err = hub_api_open(&options, &s->api, diag);
    if (!err)
        err = hub_api_seed(s->api, diag);
    return err ? err
               : hub_kubefed_config_ensure(s->config, &s->crypto, fed_loop_unix_s(s->loop), diag);
}

static int64_t end_of(struct service *s, struct fed_span cert_pem)
{
    struct fed_crypto_cert_info *info = fed_alloc_zero(s->mem, sizeof *info);
    int64_t until = 0;

    if (info && !s->crypto.cert_info(s->crypto.ctx, cert_pem, info, NULL))
        until = info->not_after_unix_s;
    fed_alloc_free(s->mem, info, sizeof *info);
    return until;
}

/* What the console says of the hub. */
static void facts(void *ctx, struct hub_console_facts *out)
{
    struct service *s = ctx;
    struct hub_gateway_stats stats;
    char path[HUB_STORE_PATH_MAX];

    hub_gateway_stats(s->gateway, &stats);
    out->agents = stats.sessions;
    out->ca_until_unix_s = end_of(s, hub_identity_ca_pem(s->identity));
    out->server_until_unix_s = end_of(s, hub_identity_server_cert_pem(s->identity));
    if (!hub_store_path(s->options, "hub.db", path, NULL))
        (void)s->fs.read_part(s->fs.ctx, path, 0, 0, NULL, &out->store_bytes, NULL);
}

static enum fed_err settings(void *ctx, struct fed_buf *out)
{
    const struct service *s = ctx;

    return hub_options_json(s->options, out);
}

static enum fed_err open_console(struct service *s, struct fed_diag *diag)
{
    struct hub_console_options options = {.mem = s->mem,
        .loop = s->loop,
        .log = &s->log,
        .crypto = &s->crypto,
        .objects = s->objects,
        .api = s->api,
        .plan = s->plan,
        .status = s->status,
        .traffic = s->traffic,
        .tokens = s->tokens,
        .fs = &s->fs,
        .audit_dir = s->options->data_dir,
        .audit_files = (unsigned)s->options->audit_files,
        .session_s = s->options->console_session_s,
        .idle_s = s->options->console_idle_s,
        .facts = facts,
        .facts_ctx = s,
        .settings = settings};

    return hub_console_open(&options, &s->console, diag);
}

static enum fed_err open_http(struct service *s, struct fed_diag *diag)
{
    struct fed_http_server_options options = {
        .listen = s->options->listen,
        .cert_pem = hub_identity_server_cert_pem(s->identity),
        .key_pem = hub_identity_server_key_pem(s->identity),
        .client_ca_pem = hub_identity_ca_pem(s->identity),
        .refusal = hub_api_refusal,
        .body_max = HUB_LIMIT_BODY_BYTES,
        .header_max = HUB_LIMIT_HEADER_BYTES,
        .queue_max = HUB_LIMIT_STREAM_QUEUE,
        .streams_max = HUB_LIMIT_STREAMS,
        .connections_max = connections_max(),
        .client_connections_max = HUB_LIMIT_CLIENT_CONNECTIONS,
        .client_requests_max = HUB_LIMIT_CLIENT_REQUEST_BYTES,
        .requests_max = HUB_LIMIT_REQUEST_BYTES,
        .client_answers_max = HUB_LIMIT_CLIENT_ANSWER_BYTES,
        .answers_max = HUB_LIMIT_ANSWERS_BYTES,
        .header_timeout_ms = HUB_LIMIT_HANDSHAKE_MS,
        .idle_timeout_ms = HUB_LIMIT_IDLE_MS,
    };
    enum fed_err err = fed_http_server_open(
        s->mem, s->loop, &s->log, &options, hub_api_handle, hub_api_closed, s->api, &s->http, diag);

    return err ? fed_diag_prefix(diag, err, "API at %s", s->options->listen) : FED_OK;
}

/* What agents by HTTPS are shown: the CA goes along, so that who joins can check its pin. */
static void put_chain(const struct hub_identity *identity, struct fed_buf *out)
{
    fed_buf_put(out, hub_identity_server_cert_pem(identity));
    fed_buf_put_text(out, "\n");
    fed_buf_put(out, hub_identity_ca_pem(identity));
}

static enum fed_err open_agents(struct service *s, struct fed_diag *diag)
{
    struct fed_buf chain;
    struct hub_agents_parts parts = {.mem = s->mem,
        .loop = s->loop,
        .log = &s->log,
        .fs = &s->fs,
        .crypto = &s->crypto,
        .gateway = s->gateway,
        .options = s->options,
        .epoch = hub_plan_epoch(s->plan),
        .heartbeat_s = (uint32_t)s->options->heartbeat_s,
        .trust = hub_identity_trust(s->identity),
        .descriptors = descriptors_left(),
        .descriptors_here = descriptors_left() - connections_max(),
        .cert_pem = hub_identity_server_cert_pem(s->identity),
        .key_pem = hub_identity_server_key_pem(s->identity),
        .client_ca_pem = hub_identity_ca_pem(s->identity)};
    enum fed_err err;

    fed_buf_init(&chain, s->mem, CHAIN_MAX);
    put_chain(s->identity, &chain);
    parts.chain_pem = fed_buf_span(&chain);
    err = fed_buf_err(&chain);
    if (!err)
        err = hub_agents_open(&parts, &s->agents, diag);
    fed_buf_fini(&chain);
    return err;
}

/* The hub's certificate was made again: who comes from now on is shown it. */
static void on_renewed(void *ctx)
{
    struct service *s = ctx;
    struct fed_span cert = hub_identity_server_cert_pem(s->identity);
    struct fed_span key = hub_identity_server_key_pem(s->identity);
    struct fed_span ca = hub_identity_ca_pem(s->identity);
    struct fed_diag diag = {""};
    struct fed_buf chain;
    enum fed_err err;

    if (!s->agents) /* on its way to the end */
        return;
    err = fed_http_server_certificate(s->http, cert, key, ca, &diag);
    fed_buf_init(&chain, s->mem, CHAIN_MAX);
    put_chain(s->identity, &chain);
    if (!err)
        err = fed_buf_err(&chain);
    if (!fed_buf_err(&chain))
        hub_agents_certificate(s->agents, cert, fed_buf_span(&chain), key, ca);
    fed_buf_fini(&chain);
    if (err)
        fed_log(&s->log, FED_LOG_ERROR,
            "hub: the new certificate is not shown before a restart: %s",
            diag.text[0] ? diag.text : fed_err_text(err));
}

/* ---- compaction: the history of the last minutes stays, for watches that resume ---- */
static void compact(void *ctx)
{
    struct service *s = ctx;
    struct fed_store *store = hub_objects_store(s->objects);
    uint64_t step_ms = (uint64_t)s->options->history_s * 1000u / COMPACT_STEPS;

    if (s->compact_at[0] > 0 && store->compact(store->ctx, s->compact_at[0]))
        fed_log(&s->log, FED_LOG_WARN, "store: history not compacted, next try in %llu s",
            (unsigned long long)step_ms / 1000u);
    memmove(s->compact_at, s->compact_at + 1, (COMPACT_STEPS - 1) * sizeof *s->compact_at);
    s->compact_at[COMPACT_STEPS - 1] = hub_objects_revision(s->objects);
    s->loop->timer_set(s->loop->ctx, s->compact, fed_loop_now_ms(s->loop) + step_ms);
}

/* Sessions are counted while they are there. */
static void count_last(struct service *s)
{
    if (!s->traffic)
        return;
    hub_traffic_save(s->traffic);
    hub_traffic_on_collect(s->traffic, NULL, NULL);
}

/* ---- start and end ---- */
static enum fed_err announce(struct service *s, struct fed_diag *diag)
{
    uint16_t coap_port = hub_agents_port(s->agents);
    uint16_t https_port = hub_agents_https_port(s->agents);
    char api_url[320];
    char coap_url[320];
    char https_url[320];
    struct hub_addresses addresses = {.coap_port = coap_port, .https_port = https_port};
    enum fed_err err =
        hub_addresses_attach(&addresses, s->options, &s->log, s->identity, s->objects, diag);

    hub_address_local(api_url, "https", s->options->listen, fed_http_server_port(s->http));
    hub_address_local(coap_url, "coaps", s->options->coap_listen, coap_port);
    hub_address_local(https_url, "https", s->options->agent_listen, https_port);
    if (!err)
        err = hub_identity_write_admin(s->identity, api_url, diag);
    if (err)
        return err;
    hub_identity_on_renewed(s->identity, on_renewed, s);
    printf("fedhub: ready api=%s coap=%s agents=%s\n", api_url, coap_url, https_url);
    fflush(stdout);
    fed_notify_service_manager("READY=1");
    hub_agents_go(s->agents);
    return FED_OK;
}

static enum fed_err start(struct service *s, struct fed_diag *diag)
{
    static enum fed_err (*const steps[])(struct service * s, struct fed_diag * diag) = {open_ground,
        open_identity, open_store, open_federation, open_access, open_api, open_schedule,
        open_console, open_http, open_agents, announce};
    enum fed_err err = FED_OK;

    for (size_t i = 0; !err && i < sizeof steps / sizeof *steps; i++)
        err = steps[i](s, diag);
    if (!err)
        err = s->loop->timer_new(s->loop->ctx, compact, s, &s->compact);
    if (!err)
        compact(s);
    return err;
}

static void finish(struct service *s)
{
    if (s->objects)
        (void)hub_objects_flush(s->objects, NULL); /* acknowledges what waits for it */
    count_last(s);
    hub_agents_close(s->agents);
    fed_http_server_close(s->http);
    hub_gateway_close(s->gateway);
    hub_console_close(s->console);
    s->console = NULL;
    hub_api_close(s->api);
    hub_audit_close(s->audit);
    hub_tokens_close(s->tokens);
    if (s->status)
        hub_status_on_outcome(s->status, NULL, NULL);
    if (s->traffic)
        hub_traffic_on_tell(s->traffic, NULL, NULL);
    hub_federation_events_close(s->federation_events);
    s->federation_events = NULL;
    hub_schedule_close(s->schedule);
    s->schedule = NULL;
    hub_rollouts_detach(s->rollouts);
    hub_events_close(s->events);
    hub_federated_types_close(s->types);
    hub_traffic_close(s->traffic);
    hub_status_close(s->status);
    hub_plan_close(s->plan);
    hub_rollouts_close(s->rollouts);
    hub_kubefed_config_close(s->config);
    hub_identity_close(s->identity);
    hub_crds_close(s->crds);
    hub_kinds_free(s->kinds);
    hub_objects_close(s->objects);
    fed_sqlite_store_close(s->sqlite);
    if (s->compact)
        s->loop->timer_free(s->loop->ctx, s->compact);
    fed_linux_loop_close(s->linux_loop);
    if (s->crypto_open)
        fed_tls_crypto_close(&s->crypto);
    s->fs.unlock(s->fs.ctx, s->lock);
}

static void on_shut_down(void *ctx)
{
    struct service *s = ctx;

    s->loop->stop(s->loop->ctx);
}

/* Agents' sessions are saved, or closed. */
static void on_agents_closed(void *ctx)
{
    struct service *s = ctx;

    hub_agents_close(s->agents);
    s->agents = NULL;
    hub_console_stop(s->console);
    hub_api_stop(s->api);
    fed_http_server_shutdown(s->http, SHUTDOWN_GRACE_MS, on_shut_down, s);
}

static void on_agents_asked(void *ctx)
{
    struct service *s = ctx;

    (void)hub_objects_flush(s->objects, NULL); /* acknowledges what waits for it */
}

static void on_agents_saved(void *ctx)
{
    struct service *s = ctx;

    if (s->loop->defer(s->loop->ctx, on_agents_closed, s))
        s->loop->stop(s->loop->ctx);
}

static void on_signal(void *ctx, int number)
{
    struct service *s = ctx;

    if (s->stopping || !s->http || !s->api || !s->agents) {
        s->loop->stop(s->loop->ctx);
        return;
    }
    s->stopping = true;
    fed_log(&s->log, FED_LOG_INFO, "hub: signal %d, stopping", number);
    fed_notify_service_manager("STOPPING=1");
    count_last(s);
    hub_agents_stop(s->agents, on_agents_asked, on_agents_saved, s);
}

enum fed_err hub_serve(const struct hub_options *options, struct fed_diag *diag)
{
    struct fed_alloc *mem = fed_alloc_system();
    struct service *s = fed_alloc_zero(mem, sizeof *s);
    enum fed_err err;

    if (!s)
        return fed_diag_set(diag, FED_ERR_NOMEM, "no memory to start with");
    s->options = options;
    s->mem = mem;
    s->log = fed_log_stderr((enum fed_log_level)options->log_level);
    s->fs = fed_fs_posix(mem);
    /* Keys are in this memory: no other process of the user, not even a worker that was taken over,
     * may look into it, and no core file is written. */
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    err = start(s, diag);
    if (!err)
        err = fed_linux_loop_run(s->linux_loop);
    finish(s);
    fed_alloc_free(mem, s, sizeof *s);
    return err;
}
