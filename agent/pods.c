/* pods.c - see pods.h. A job per workload that is to be looked at; it holds a copy of the identity,
 * because the entry may be gone when an answer comes. */
#include "agent/pods.h"

#include "agent/path.h"
#include "agent/scan.h"
#include "proto/object/json.h"

#include <stdio.h>
#include <string.h>

#define LOOK_MS 1000u
#define ILL_MS 10000u /* most rollouts are through by then */
#define AGAIN_FLOOR_MS 15000u
#define AGAIN_CEILING_MS 600000u
#define ILL_CEILING_MS 3600000u /* nobody counts on its numbers */
#define NEXT_MAX_S 120          /* a clock that is off delays a look by no more */
#define INFLIGHT_MAX 2u
#define PAGE 100u
#define PAGES_MAX 200u /* 20,000 pods of one workload */
#define TIMEOUT_MS 60000u
#define PATH_BYTES_MAX 16384u
#define SELECTOR_BYTES_MAX 4096u
#define CONTINUE_MAX 4096u

enum job_state { JOB_WAITING, JOB_OBJECT, JOB_PODS };

struct job {
    struct job *next;
    struct agent_pods *pods;
    struct agent_entry *copy; /* of the work alone */
    enum job_state state;
    bool again;      /* something was seen meanwhile */
    uint64_t due_ms; /* while waiting */
    unsigned times;  /* looks since the last change */
    struct fed_kube_call *call;
    bool has_scale; /* it has spec.replicas */
    struct fed_report_scale scale;
    struct fed_buf selector; /* percent-encoded */
    unsigned pages;
    struct agent_pods_count count;
};

struct agent_pods {
    struct agent_ports ports;
    struct agent_table *table;
    struct agent_pods_events events;
    struct fed_timer *timer;
    struct job *jobs;
    unsigned inflight;
};

static uint64_t now_of(const struct agent_pods *p)
{
    return fed_loop_now_ms(p->ports.loop);
}

/* ---- jobs ---- */

static void arm(struct agent_pods *p)
{
    uint64_t next_ms = UINT64_MAX;

    agent_timer_stop(&p->ports, p->timer);
    for (const struct job *j = p->jobs; j && p->inflight < INFLIGHT_MAX; j = j->next) {
        if (j->state == JOB_WAITING && j->due_ms < next_ms)
            next_ms = j->due_ms;
    }
    if (next_ms != UINT64_MAX)
        agent_timer_at(&p->ports, p->timer, next_ms);
}

static void job_free(struct job *j)
{
    struct agent_pods *p = j->pods;
    struct job **at = &p->jobs;

    while (*at && *at != j)
        at = &(*at)->next;
    if (*at)
        *at = j->next;
    if (j->call)
        p->ports.kube->cancel(p->ports.kube->ctx, j->call);
    if (j->state != JOB_WAITING)
        p->inflight--;
    fed_buf_fini(&j->selector);
    agent_entry_free(p->ports.mem, j->copy);
    fed_alloc_free(p->ports.mem, j, sizeof *j);
}

static bool is_scaled(const struct agent_entry *entry)
{
    return entry->work.options & FED_WORK_SCALE;
}

/* Not well, and its pods may say why. */
static bool is_ill(const struct agent_entry *entry)
{
    return (entry->health == FED_HEALTH_PROGRESSING || entry->health == FED_HEALTH_UNHEALTHY) &&
           entry->work.ns.len > 0 &&
           agent_health_has_pods(entry->work.api_version, entry->work.kind);
}

/* The entry as it is now, NULL when nobody wants to know any more. */
static struct agent_entry *entry_of(const struct job *j)
{
    struct agent_entry *entry = agent_table_find(j->pods->table, &j->copy->work);

    return entry && entry->in_manifest && entry->uid[0] && (is_scaled(entry) || is_ill(entry))
               ? entry
               : NULL;
}

static void wait(struct job *j, uint64_t in_ms)
{
    struct agent_pods *p = j->pods;

    if (j->state != JOB_WAITING)
        p->inflight--;
    j->state = JOB_WAITING;
    j->due_ms = now_of(p) + (j->again ? LOOK_MS : in_ms);
    if (j->again)
        j->times = 0;
    j->again = false;
    arm(p);
}

/* While not all is ready: when the next pod has its minute, or with growing pauses. */
static uint64_t pause_of(struct job *j)
{
    int64_t next_s =
        j->count.next_unix_s ? j->count.next_unix_s + 1 - fed_loop_unix_s(j->pods->ports.loop) : 0;
    uint64_t pause_ms = AGAIN_FLOOR_MS;
    uint64_t ceiling_ms =
        j->copy->work.options & FED_WORK_SCALE ? AGAIN_CEILING_MS : ILL_CEILING_MS;

    if (j->count.next_unix_s)
        return next_s < 1 ? 1000u : (uint64_t)(next_s > NEXT_MAX_S ? NEXT_MAX_S : next_s) * 1000u;
    for (unsigned i = 0; i < j->times && pause_ms < ceiling_ms; i++)
        pause_ms *= 2;
    j->times++;
    return pause_ms < ceiling_ms ? pause_ms : ceiling_ms;
}

/* Nobody answered, or not what was asked for. */
static void later(struct job *j)
{
    j->count.next_unix_s = 0;
    wait(j, pause_of(j));
}

static bool same(const struct fed_report_scale *a, const struct fed_report_scale *b)
{
    return a->replicas == b->replicas && a->ready == b->ready && a->running == b->running &&
           a->unschedulable == b->unschedulable;
}

/* What the object itself says to be unhealthy keeps its reason; its pods explain it. */
static void take_health(
    struct agent_pods *p, struct agent_entry *entry, const struct agent_health *worst)
{
    struct agent_health health = *worst;

    if (worst->state == FED_HEALTH_UNHEALTHY) {
        if (entry->health == FED_HEALTH_UNHEALTHY && !entry->pods_fail)
            agent_health_say(&health, FED_HEALTH_UNHEALTHY, fed_span_text(agent_entry_why(entry)),
                fed_span_text(worst->message));
        else
            entry->pods_fail = true;
    } else if (entry->pods_fail) { /* it gets on again */
        entry->pods_fail = false;
        agent_health_say(&health, FED_HEALTH_PROGRESSING, FED_SPAN_LIT("PodsNotReady"),
            FED_SPAN_LIT("its pods are on their way"));
    } else {
        return;
    }
    agent_entry_say_health(p->ports.mem, entry, &health);
    if (entry->report_due)
        p->events.changed(p->events.ctx, entry);
}

static void found(struct job *j)
{
    struct agent_pods *p = j->pods;
    struct agent_entry *entry = entry_of(j);

    if (!entry) {
        job_free(j);
        arm(p);
        return;
    }
    if (j->has_scale && is_scaled(entry) &&
        (!entry->scale_known || !same(&entry->scale, &j->scale))) {
        entry->scale = j->scale;
        entry->scale_known = entry->scale_due = entry->report_due = true;
        p->events.changed(p->events.ctx, entry);
    }
    if (is_ill(entry) && !entry->late)
        take_health(p, entry, &j->count.worst);
    if (j->scale.ready == j->scale.replicas && !is_ill(entry) && !j->again) {
        job_free(j);
        arm(p);
        return;
    }
    wait(j, pause_of(j));
}

/* ---- pods ---- */

static enum fed_err on_pod(void *ctx, struct fed_span item)
{
    struct job *j = ctx;
    struct fed_json_doc *doc = NULL;
    struct fed_json *pod;
    struct fed_arena arena;
    enum fed_err err;

    fed_arena_init(&arena, j->pods->ports.mem, AGENT_OBJECT_ARENA_MAX);
    err = fed_json_doc_new(&arena.alloc, &doc);
    if (!err)
        err = fed_json_parse(doc, item, &pod, NULL);
    if (!err) {
        agent_pods_take(&j->count, pod, fed_loop_unix_s(j->pods->ports.loop));
        agent_pods_judge(&j->count, pod, fed_loop_unix_s(j->pods->ports.loop));
    }
    fed_json_doc_free(doc);
    fed_arena_fini(&arena);
    return err;
}

static void list_pods(struct job *j, struct fed_span token);

/* Takes one page in; the token of the next one is copied to token, "" after the last. */
static enum fed_err take_page(struct job *j, struct fed_span body, char token[CONTINUE_MAX])
{
    struct fed_json_doc *doc = NULL;
    struct fed_json *meta = NULL;
    struct fed_span metadata = {0};
    struct fed_arena arena;
    enum fed_err err = agent_scan_list(body, on_pod, j, &metadata);

    fed_arena_init(&arena, j->pods->ports.mem, 64u << 10);
    if (!err)
        err = fed_json_doc_new(&arena.alloc, &doc);
    if (!err)
        err = fed_json_parse(doc, metadata, &meta, NULL);
    if (!err)
        err =
            fed_span_to_cstr(fed_json_string(fed_json_get(meta, "continue")), token, CONTINUE_MAX);
    fed_json_doc_free(doc);
    fed_arena_fini(&arena);
    return err;
}

static void refused(struct job *j, const char *what, unsigned status)
{
    char name[AGENT_ENTRY_NAME_SIZE];

    fed_log(j->pods->ports.log, j->times ? FED_LOG_DEBUG : FED_LOG_WARN,
        "%s: %s: the API server answered %u; again with pauses that grow",
        agent_entry_name(j->copy, name), what, status);
    later(j);
}

static void on_page(
    void *ctx, enum fed_err err, const struct fed_kube_answer *answer, const struct fed_diag *diag)
{
    struct job *j = ctx;
    char token[CONTINUE_MAX];

    (void)diag;
    j->call = NULL;
    if (err) {
        later(j); /* the probe tells of a server that is away */
    } else if (answer->status != 200) {
        refused(j, "list of its pods", answer->status);
    } else if (take_page(j, answer->body, token)) {
        later(j);
    } else if (token[0] && j->pages < PAGES_MAX) {
        list_pods(j, fed_span_text(token));
    } else {
        j->scale.running = j->count.running;
        j->scale.unschedulable = j->count.unschedulable;
        found(j);
    }
}

static void list_pods(struct job *j, struct fed_span token)
{
    struct agent_pods *p = j->pods;
    struct fed_buf path;
    enum fed_err err;

    j->pages++;
    fed_buf_init(&path, p->ports.mem, PATH_BYTES_MAX + 3 * CONTINUE_MAX);
    fed_buf_put_text(&path, "/api/v1/namespaces/");
    agent_path_put_escaped(&path, j->copy->work.ns);
    fed_buf_printf(&path, "/pods?limit=%u&labelSelector=", PAGE);
    fed_buf_put(&path, fed_buf_span(&j->selector));
    if (token.len > 0) {
        fed_buf_put_text(&path, "&continue=");
        agent_path_put_escaped(&path, token);
    }
    err = fed_buf_err(&path);
    if (!err)
        err = p->ports.kube->request(p->ports.kube->ctx,
            &(struct fed_kube_request){
                .method = "GET", .path = fed_buf_cstr(&path), .timeout_ms = TIMEOUT_MS},
            on_page, j, &j->call);
    fed_buf_fini(&path);
    if (err) {
        j->call = NULL;
        later(j);
    }
}

/* ---- the object ---- */

static uint32_t replicas_of(const struct fed_json *v)
{
    int64_t n = fed_json_int(v, 0);

    return n < 0 ? 0 : n > (int64_t)FED_REPORT_REPLICAS_MAX ? FED_REPORT_REPLICAS_MAX : (uint32_t)n;
}

static void read_object(struct job *j, const struct fed_json *object)
{
    const struct fed_json *replicas = fed_json_find(object, "spec.replicas");
    struct fed_buf selector;
    const struct agent_entry *entry = entry_of(j);
    bool ill = entry && is_ill(entry);
    bool selects;

    j->has_scale = fed_json_type(replicas) == FED_JSON_INT;
    if (!j->has_scale && !ill) { /* nothing to spread */
        struct agent_pods *p = j->pods;

        job_free(j);
        arm(p);
        return;
    }
    j->scale = (struct fed_report_scale){.replicas = replicas_of(replicas),
        .ready = replicas_of(fed_json_find(object, "status.readyReplicas"))};
    j->scale.running = j->scale.ready;
    j->count = (struct agent_pods_count){0};
    j->pages = 0;
    fed_buf_init(&selector, j->pods->ports.mem, SELECTOR_BYTES_MAX);
    selects = (j->scale.ready != j->scale.replicas || ill) && j->copy->work.ns.len > 0 &&
              agent_pods_selector(&selector, fed_json_find(object, "spec.selector"));
    if (selects) {
        fed_buf_clear(&j->selector);
        agent_path_put_escaped(&j->selector, fed_buf_span(&selector));
    }
    fed_buf_fini(&selector);
    if (selects) {
        j->state = JOB_PODS;
        list_pods(j, (struct fed_span){0});
    } else {
        found(j);
    }
}

static void on_object(
    void *ctx, enum fed_err err, const struct fed_kube_answer *answer, const struct fed_diag *diag)
{
    struct job *j = ctx;
    struct agent_pods *p = j->pods;
    struct fed_json_doc *doc = NULL;
    struct fed_json *object;
    struct fed_arena arena;

    (void)diag;
    j->call = NULL;
    if (err) {
        later(j);
        return;
    }
    if (answer->status == 404) { /* it is seen again when it is made again */
        job_free(j);
        arm(p);
        return;
    }
    if (answer->status != 200) {
        refused(j, "look at its replicas", answer->status);
        return;
    }
    fed_arena_init(&arena, p->ports.mem, AGENT_OBJECT_ARENA_MAX);
    if (fed_json_doc_new(&arena.alloc, &doc) || fed_json_parse(doc, answer->body, &object, NULL))
        later(j);
    else
        read_object(j, object);
    fed_json_doc_free(doc);
    fed_arena_fini(&arena);
}

static void look_at(struct job *j)
{
    struct agent_pods *p = j->pods;
    struct fed_buf path;
    enum fed_err err;

    fed_buf_init(&path, p->ports.mem, PATH_BYTES_MAX);
    agent_path_put_object(&path, &j->copy->work);
    err = fed_buf_err(&path);
    j->state = JOB_OBJECT;
    j->again = false;
    p->inflight++;
    if (!err)
        err = p->ports.kube->request(p->ports.kube->ctx,
            &(struct fed_kube_request){
                .method = "GET", .path = fed_buf_cstr(&path), .timeout_ms = TIMEOUT_MS},
            on_object, j, &j->call);
    fed_buf_fini(&path);
    if (err) {
        j->call = NULL;
        later(j);
    }
}

static void on_timer(void *ctx)
{
    struct agent_pods *p = ctx;
    uint64_t now_ms = now_of(p);
    struct job *next;

    for (struct job *j = p->jobs; j && p->inflight < INFLIGHT_MAX; j = next) {
        next = j->next;
        if (j->state != JOB_WAITING || j->due_ms > now_ms)
            continue;
        if (entry_of(j))
            look_at(j);
        else
            job_free(j);
    }
    arm(p);
}

/* ---- asking ---- */

static struct job *job_of(struct agent_pods *p, const struct fed_work *work)
{
    for (struct job *j = p->jobs; j; j = j->next) {
        if (fed_work_cmp(&j->copy->work, work) == 0)
            return j;
    }
    return NULL;
}

static struct job *job_new(struct agent_pods *p, const struct fed_work *work)
{
    struct job *j = fed_alloc_zero(p->ports.mem, sizeof *j);

    if (!j)
        return NULL;
    j->copy = agent_entry_new(p->ports.mem, work);
    if (!j->copy) {
        fed_alloc_free(p->ports.mem, j, sizeof *j);
        return NULL;
    }
    j->pods = p;
    fed_buf_init(&j->selector, p->ports.mem, 3 * SELECTOR_BYTES_MAX);
    j->due_ms = UINT64_MAX;
    j->next = p->jobs;
    p->jobs = j;
    return j;
}

static void look(struct agent_pods *p, const struct agent_entry *entry, uint64_t due_ms)
{
    struct job *j = job_of(p, &entry->work);

    if (!j)
        j = job_new(p, &entry->work);
    if (!j)
        return; /* with its next change */
    if (j->state != JOB_WAITING) {
        j->again = true;
        return;
    }
    j->times = 0;
    if (due_ms < j->due_ms)
        j->due_ms = due_ms;
    arm(p);
}

void agent_pods_look(struct agent_pods *p, const struct agent_entry *entry)
{
    if (is_scaled(entry) && entry->in_manifest)
        look(p, entry, now_of(p) + LOOK_MS);
}

void agent_pods_ask(struct agent_pods *p, const struct agent_entry *entry)
{
    if (entry->in_manifest && entry->state == FED_WORK_APPLIED && is_ill(entry) &&
        !job_of(p, &entry->work))
        look(p, entry, now_of(p) + ILL_MS);
}

void agent_pods_resume(struct agent_pods *p)
{
    uint64_t due_ms = now_of(p) + LOOK_MS;

    for (struct job *j = p->jobs; j; j = j->next) {
        j->times = 0;
        j->due_ms = j->due_ms < due_ms ? j->due_ms : due_ms;
    }
    arm(p);
}

void agent_pods_sync(struct agent_pods *p)
{
    for (size_t i = 0; i < p->table->n; i++) {
        struct agent_entry *entry = p->table->at[i];

        if (!(entry->work.options & FED_WORK_SCALE) || !entry->in_manifest)
            entry->scale_known = entry->scale_due = false;
        else if (!entry->scale_known && entry->uid[0])
            agent_pods_look(p, entry);
    }
}

/* ---- life ---- */

enum fed_err agent_pods_new(const struct agent_ports *ports, struct agent_table *table,
    const struct agent_pods_events *events, struct agent_pods **out)
{
    struct agent_pods *p = fed_alloc_zero(ports->mem, sizeof *p);
    enum fed_err err;

    if (!p)
        return FED_ERR_NOMEM;
    p->ports = *ports;
    p->table = table;
    p->events = *events;
    err = ports->loop->timer_new(ports->loop->ctx, on_timer, p, &p->timer);
    if (err) {
        fed_alloc_free(ports->mem, p, sizeof *p);
        return err;
    }
    *out = p;
    return FED_OK;
}

void agent_pods_free(struct agent_pods *p)
{
    if (!p)
        return;
    while (p->jobs)
        job_free(p->jobs);
    p->ports.loop->timer_free(p->ports.loop->ctx, p->timer);
    fed_alloc_free(p->ports.mem, p, sizeof *p);
}
