/* probe.c - see probe.h. */
#include "agent/probe.h"

#include "agent/nodes.h"
#include "agent/path.h"
#include "agent/pods.h"
#include "agent/retry.h"
#include "agent/scan.h"
#include "proto/base/text.h"
#include "proto/doc/doc.h"
#include "proto/object/json.h"

#include <stdio.h>
#include <string.h>

#define PROBE_PERIOD_MS 60000u
#define PROBE_TIMEOUT_MS 5000u
#define UNWELL_PERIOD_MS 5000u
#define RETRY_FLOOR_MS 500u
#define RETRY_CEILING_MS 10000u
#define FAILURES_BELIEVED 3u /* in a row: KubeFed's default failureThreshold */
#define NODES_PERIOD_MS 600000u
#define NODES_TIMEOUT_MS 30000u
#define NODES_PATH "/api/v1/nodes?limit=50"
#define PENDING_PATH "/api/v1/pods?fieldSelector=status.phase%3DPending&limit=50"
#define NODES_PAGES_MAX 200u
#define CONTINUE_MAX 4096u
#define VERSION_ARENA_MAX (256u << 10)

enum reach { REACH_UNKNOWN, REACH_YES, REACH_NO };

struct agent_probe {
    struct agent_ports ports;
    struct agent_probe_events events;
    struct fed_timer *timer;
    struct fed_kube_call *call;
    struct agent_retry failing;
    enum reach reach;
    uint64_t since_ms; /* of reach */
    uint64_t next_ms;
    unsigned unwell; /* answers in a row that were not ok */
    struct agent_nodes nodes;
    struct agent_nodes counting; /* the pages of a list that came so far */
    bool pending;                /* of pods without a node, after that of the nodes */
    unsigned pages;
    uint64_t nodes_ms; /* listed next */
    char version[64];
    char healthz[128];
};

static void again_at(struct agent_probe *probe, uint64_t due_ms)
{
    probe->next_ms = due_ms;
    agent_timer_at(&probe->ports, probe->timer, due_ms);
}

static void again_in(struct agent_probe *probe, uint64_t wait_ms)
{
    again_at(probe, fed_loop_now_ms(probe->ports.loop) + wait_ms);
}

static enum fed_err put_facts(struct agent_probe *probe, struct fed_buf *out)
{
    struct fed_doc *doc = fed_doc_new_object();
    enum fed_err err;

    if (!doc)
        return FED_ERR_NOMEM;
    err = fed_doc_set_text(doc, "kubernetesVersion", probe->version);
    if (!err)
        err = fed_doc_set_text(doc, "healthz", probe->healthz);
    if (!err)
        err = fed_doc_set_text(doc, "agentVersion", FEDLET_VERSION);
    if (!err)
        err = agent_nodes_put(&probe->nodes, doc);
    if (!err)
        err = fed_doc_put(out, doc);
    fed_doc_free(doc);
    return err ? err : fed_buf_err(out);
}

static void tell_facts(struct agent_probe *probe)
{
    struct fed_buf text;

    fed_buf_init(&text, probe->ports.mem, 4096);
    if (put_facts(probe, &text) == FED_OK)
        probe->events.facts(probe->events.ctx, fed_buf_span(&text));
    fed_buf_fini(&text);
}

static void set_reach(struct agent_probe *probe, enum reach reach)
{
    if (probe->reach == reach)
        return;
    probe->reach = reach;
    probe->since_ms = fed_loop_now_ms(probe->ports.loop);
    if (reach == REACH_YES)
        fed_log(probe->ports.log, FED_LOG_INFO, "member API server: reachable, %s",
            probe->version[0] ? probe->version : "version not known");
    else
        fed_log(probe->ports.log, FED_LOG_WARN, "member API server: %s; trying on", probe->healthz);
    probe->events.reachable(probe->events.ctx, reach == REACH_YES);
}

/* Cuts at a character boundary: the text becomes part of a JSON document. */
static void set_health(struct agent_probe *probe, const char *prefix, const char *text)
{
    size_t len;

    snprintf(probe->healthz, sizeof probe->healthz, "%s%s", prefix, text);
    len = strlen(probe->healthz);
    while (len > 0 && !fed_text_is_utf8(fed_span_of(probe->healthz, len)))
        len--;
    probe->healthz[len] = '\0';
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)probe->healthz[i] < 0x20)
            probe->healthz[i] = ' ';
    }
}

static void failed(struct agent_probe *probe, const char *why)
{
    uint64_t now_ms = fed_loop_now_ms(probe->ports.loop);
    uint64_t due_ms;

    probe->unwell = 0;
    due_ms = agent_retry_failed(
        &probe->failing, now_ms, RETRY_FLOOR_MS, RETRY_CEILING_MS, agent_spread(&probe->ports), 0);

    again_at(probe, due_ms);
    if (probe->failing.attempts < FAILURES_BELIEVED)
        return;
    set_health(probe, "unreachable: ", why);
    set_reach(probe, REACH_NO);
    tell_facts(probe);
}

static void read_version(struct agent_probe *probe, struct fed_span body)
{
    struct fed_json_doc *doc = NULL;
    struct fed_json *root = NULL;
    struct fed_arena arena;
    char version[sizeof probe->version];

    fed_arena_init(&arena, probe->ports.mem, VERSION_ARENA_MAX);
    if (fed_json_doc_new(&arena.alloc, &doc) == FED_OK &&
        fed_json_parse(doc, body, &root, NULL) == FED_OK &&
        fed_span_to_cstr(
            fed_json_string(fed_json_get(root, "gitVersion")), version, sizeof version) == FED_OK &&
        version[0])
        memcpy(probe->version, version, sizeof version);
    fed_json_doc_free(doc);
    fed_arena_fini(&arena);
}

static void ask(
    struct agent_probe *probe, const char *path, uint32_t timeout_ms, fed_kube_done *done)
{
    struct fed_kube *kube = probe->ports.kube;
    enum fed_err err = kube->request(kube->ctx,
        &(struct fed_kube_request){.method = "GET", .path = path, .timeout_ms = timeout_ms}, done,
        probe, &probe->call);

    if (err) {
        probe->call = NULL;
        failed(probe, fed_err_text(err));
    }
}

/* ---- nodes: now and then, page by page ---- */

static void count_pod(struct agent_probe *probe, const struct fed_json *pod)
{
    struct agent_pods_count count = {0};

    agent_pods_take(&count, pod, fed_loop_unix_s(probe->ports.loop));
    probe->counting.unschedulable += count.unschedulable;
}

static enum fed_err on_listed(void *ctx, struct fed_span item)
{
    struct agent_probe *probe = ctx;
    struct fed_json_doc *doc = NULL;
    struct fed_json *object = NULL;
    struct fed_arena arena;
    enum fed_err err;

    fed_arena_init(&arena, probe->ports.mem, AGENT_OBJECT_ARENA_MAX);
    err = fed_json_doc_new(&arena.alloc, &doc);
    if (!err)
        err = fed_json_parse(doc, item, &object, NULL);
    if (!err && probe->pending)
        count_pod(probe, object);
    else if (!err)
        agent_nodes_take(&probe->counting, object);
    fed_json_doc_free(doc);
    fed_arena_fini(&arena);
    return err;
}

/* "" behind the last page. */
static enum fed_err read_continue(
    struct agent_probe *probe, struct fed_span metadata, char out[CONTINUE_MAX])
{
    struct fed_json_doc *doc = NULL;
    struct fed_json *meta = NULL;
    struct fed_arena arena;
    enum fed_err err;

    fed_arena_init(&arena, probe->ports.mem, VERSION_ARENA_MAX);
    err = fed_json_doc_new(&arena.alloc, &doc);
    if (!err)
        err = fed_json_parse(doc, metadata, &meta, NULL);
    if (!err)
        err = fed_span_to_cstr(fed_json_string(fed_json_get(meta, "continue")), out, CONTINUE_MAX);
    fed_json_doc_free(doc);
    fed_arena_fini(&arena);
    return err;
}

static void on_page(
    void *ctx, enum fed_err err, const struct fed_kube_answer *answer, const struct fed_diag *diag);

static void next_page(struct agent_probe *probe, const char *token)
{
    struct fed_buf path;

    fed_buf_init(&path, probe->ports.mem, sizeof PENDING_PATH + 3 * CONTINUE_MAX + 16);
    fed_buf_put_text(&path, probe->pending ? PENDING_PATH : NODES_PATH);
    if (token[0]) {
        fed_buf_put_text(&path, "&continue=");
        agent_path_put_escaped(&path, fed_span_text(token));
    }
    if (!fed_buf_err(&path))
        ask(probe, fed_buf_cstr(&path), NODES_TIMEOUT_MS, on_page);
    fed_buf_fini(&path);
}

/* The nodes are told with what is known of pods; who may not list those has none to tell of. */
static void counted(struct agent_probe *probe)
{
    if (!probe->pending) {
        probe->pending = true;
        probe->pages = 0;
        next_page(probe, "");
        return;
    }
    probe->nodes = probe->counting;
    tell_facts(probe);
}

/* Whoever may not list nodes has none to tell of; so does a list that broke off, until the next. */
static void on_page(
    void *ctx, enum fed_err err, const struct fed_kube_answer *answer, const struct fed_diag *diag)
{
    struct agent_probe *probe = ctx;
    char token[CONTINUE_MAX] = "";
    struct fed_span metadata = {0};

    probe->call = NULL;
    if (err) {
        failed(probe, diag && diag->text[0] ? diag->text : fed_err_text(err));
        return;
    }
    if (answer->status != 200 || agent_scan_list(answer->body, on_listed, probe, &metadata) ||
        read_continue(probe, metadata, token)) {
        if (probe->pending)
            counted(probe);
    } else if (token[0] && ++probe->pages < NODES_PAGES_MAX) {
        next_page(probe, token);
    } else {
        counted(probe);
    }
}

static void count_nodes(struct agent_probe *probe)
{
    probe->nodes_ms = fed_loop_now_ms(probe->ports.loop) + NODES_PERIOD_MS;
    probe->counting = (struct agent_nodes){0};
    probe->pending = false;
    probe->pages = 0;
    next_page(probe, "");
}

static void on_version(
    void *ctx, enum fed_err err, const struct fed_kube_answer *answer, const struct fed_diag *diag)
{
    struct agent_probe *probe = ctx;

    probe->call = NULL;
    if (err) {
        failed(probe, diag && diag->text[0] ? diag->text : fed_err_text(err));
        return;
    }
    if (answer->status == 200)
        read_version(probe, answer->body);
    agent_retry_reset(&probe->failing);
    set_reach(probe, REACH_YES);
    tell_facts(probe);
    again_in(probe, probe->unwell ? UNWELL_PERIOD_MS : PROBE_PERIOD_MS);
    if (fed_loop_now_ms(probe->ports.loop) >= probe->nodes_ms)
        count_nodes(probe);
}

static void on_health(
    void *ctx, enum fed_err err, const struct fed_kube_answer *answer, const struct fed_diag *diag)
{
    struct agent_probe *probe = ctx;
    struct agent_answer refusal;

    probe->call = NULL;
    if (err) {
        failed(probe, diag && diag->text[0] ? diag->text : fed_err_text(err));
        return;
    }
    if (answer->status == 401) {
        failed(probe, "the member's API server does not accept the agent's credentials");
        return;
    }
    if (answer->status == 200 || answer->status == 403) { /* not allowed to look: it answers */
        probe->unwell = 0;
        set_health(probe, "", "ok");
    } else if (++probe->unwell >= FAILURES_BELIEVED || strcmp(probe->healthz, "ok") != 0) {
        agent_answer_read(probe->ports.mem, answer, &refusal);
        set_health(probe, "", refusal.message);
    }
    ask(probe, "/version", PROBE_TIMEOUT_MS, on_version);
}

static void look(struct agent_probe *probe)
{
    if (probe->call) /* of the nodes: it ends by itself */
        again_in(probe, RETRY_FLOOR_MS);
    else
        ask(probe, "/healthz", PROBE_TIMEOUT_MS, on_health);
}

static void on_timer(void *ctx)
{
    look(ctx);
}

void agent_probe_start(struct agent_probe *probe)
{
    probe->since_ms = fed_loop_now_ms(probe->ports.loop);
    look(probe);
}

void agent_probe_trouble(struct agent_probe *probe)
{
    if (probe->reach == REACH_YES && probe->failing.attempts == 0)
        again_in(probe, 0); /* not from within the failed request */
}

void agent_probe_status(const struct agent_probe *probe, struct agent_probe_status *out)
{
    *out = (struct agent_probe_status){.reachable = probe->reach == REACH_YES,
        .since_ms = probe->since_ms,
        .next_ms = probe->next_ms,
        .why = probe->healthz,
        .version = probe->version};
}

bool agent_probe_is_reachable(const struct agent_probe *probe)
{
    return probe->reach == REACH_YES;
}

enum fed_err agent_probe_new(const struct agent_ports *ports,
    const struct agent_probe_events *events, struct agent_probe **out)
{
    struct agent_probe *probe = fed_alloc_zero(ports->mem, sizeof *probe);
    enum fed_err err;

    if (!probe)
        return FED_ERR_NOMEM;
    probe->ports = *ports;
    probe->events = *events;
    err = ports->loop->timer_new(ports->loop->ctx, on_timer, probe, &probe->timer);
    if (err) {
        fed_alloc_free(ports->mem, probe, sizeof *probe);
        return err;
    }
    *out = probe;
    return FED_OK;
}

void agent_probe_free(struct agent_probe *probe)
{
    if (!probe)
        return;
    if (probe->call)
        probe->ports.kube->cancel(probe->ports.kube->ctx, probe->call);
    probe->ports.loop->timer_free(probe->ports.loop->ctx, probe->timer);
    fed_alloc_free(probe->ports.mem, probe, sizeof *probe);
}
