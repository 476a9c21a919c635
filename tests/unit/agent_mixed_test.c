/* agent_mixed_test.c - everything at once: random bundles of works that depend on each other, are
 * replaced, watched, adopted, held, orphaned or on trial; epochs, orders, policies, refusals,
 * foreign changes, crashes, an API server and a hub that come and go. Nothing is deleted that is
 * not the federation's, nothing waits for ever, and quiet follows. SEED repeats one. */
#include "agent/policy.h"
#include "agent/wait.h"
#include "tests/unit/agent_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NS_PATH "/api/v1/namespaces/web"
#define MAPS "/api/v1/namespaces/web/configmaps/"
#define APP_PATH "/apis/apps/v1/namespaces/web/deployments/d"
#define NS "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\"}"
#define MAP(version, annotations)                                                                  \
    "{\"apiVersion\":\"v1\",\"data\":{\"version\":\"" version "\"},\"kind\":\"ConfigMap\","        \
    "\"metadata\":{\"annotations\":{" annotations "}}}"
#define APP(version, annotations)                                                                  \
    "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"annotations\":{"          \
    "" annotations "}},\"spec\":{\"replicas\":1,\"version\":\"" version "\"}}"
#define ON(names) "\"fedlet.io/depends-on\":\"" names "\""
#define REPLACE "\"fedlet.io/replace\":\"true\""
#define DEADLINE "\"fedlet.io/health-deadline\":\"1m\""
#define REPORT "\"fedlet.io/drift\":\"report\""
#define IMMUTABLE                                                                                  \
    "{\"kind\":\"Status\",\"reason\":\"Invalid\",\"message\":\"m\",\"details\":{\"causes\":["      \
    "{\"message\":\"Invalid value: 1: field is immutable\",\"field\":\"spec.x\"}]}}"
#define NO "{\"kind\":\"Status\",\"message\":\"no\"}"
#define STEPS 60u
#define HOUR_MS 3600000u
#define N_MAPS 8u

static const char *const maps[] = {MAP("1", ""), MAP("2", ""), MAP("1", REPLACE), MAP("3", REPLACE),
    MAP("2", REPORT), MAP("1", ON("Deployment/d")), MAP("2", ON("Deployment/d")),
    MAP("3", ON("ConfigMap/a")), MAP("4", REPORT "," REPLACE), MAP("5", DEADLINE),
    MAP("6", DEADLINE), MAP("7", "\"fedlet.io/replace\":\"x\"")};
/* Versions with an odd number get well. */
static const char *const apps[] = {APP("1", DEADLINE), APP("2", DEADLINE),
    APP("3", DEADLINE "," REPLACE), APP("4", DEADLINE "," REPORT), APP("5", ""),
    APP("6", DEADLINE "," ON("ConfigMap/a")), APP("7", ON("ConfigMap/b"))};
static const char *const names[N_MAPS] = {"a", "b", "c", "f", "g", "h", "i", "j"};

struct scarce { /* memory that is out now and then */
    struct fed_alloc alloc;
    uint32_t seed;
    unsigned one_in; /* 0: never */
};

struct model {
    struct world *w;
    struct scarce memory;
    uint32_t seed;
    uint32_t epoch;
    uint64_t revision;
    struct world_work works[N_MAPS + 2];
    size_t n;
    struct agent_policy *policy;
    bool limited;   /* by the policy */
    bool held[128]; /* by the first letter: once, and perhaps still while it waits for consent */
};

static unsigned draw(struct model *m, unsigned below)
{
    m->seed = m->seed * 1664525u + 1013904223u;
    return (m->seed >> 8) % below;
}

static void *scarce_resize(void *ctx, void *at, size_t old_size, size_t size)
{
    struct scarce *s = ctx;

    s->seed = s->seed * 1664525u + 1013904223u;
    if (size > 0 && s->one_in > 0 && (s->seed >> 8) % s->one_in == 0)
        return NULL;
    return fed_alloc_system()->resize(fed_alloc_system()->ctx, at, old_size, size);
}

/* ---- the member ---- */

static unsigned judge(
    void *ctx, const char *method, const char *path, const char *body, struct fed_buf *out)
{
    struct model *m = ctx;
    const struct world_object *o = world_object(m->w, path);

    (void)body;
    (void)out;
    if (strcmp(method, "DELETE") == 0 && o && !o->fields[0] && strcmp(o->managed, "true") != 0)
        fail_msg("%s is deleted, and is not ours", path);
    return 0;
}

static void tell(struct model *m, struct world_object *o, const char *type)
{
    if (!m->w->api_down)
        world_event(m->w, o, type);
}

static void control(struct model *m)
{
    struct world_object *o = world_object(m->w, APP_PATH);
    char status[sizeof o->status];

    if (!o)
        return;
    snprintf(status, sizeof status,
        "{\"observedGeneration\":%u,\"replicas\":1,\"updatedReplicas\":1,\"readyReplicas\":%u,"
        "\"availableReplicas\":%u}",
        o->generation, o->version % 2, o->version % 2);
    if (strcmp(status, o->status) == 0)
        return;
    snprintf(o->status, sizeof o->status, "%s", status);
    o->rv = ++m->w->next_rv;
    tell(m, o, "MODIFIED");
}

static void pass(struct model *m, uint64_t ms)
{
    for (uint64_t at = 0; at < ms; at += 5000) {
        world_pass(m->w, 5000);
        control(m);
        world_settle(m->w);
    }
}

static void stop_lingering(struct model *m)
{
    m->w->linger = false;
    for (size_t i = 0; i < WORLD_OBJECTS; i++) {
        struct world_object *o = &m->w->objects[i];

        if (!o->used || !o->deleting)
            continue;
        tell(m, o, "DELETED");
        o->used = false;
    }
}

static void meddle(struct model *m)
{
    char path[sizeof MAPS + 8];
    struct world_object *o;

    snprintf(path, sizeof path, MAPS "%s", names[draw(m, N_MAPS)]);
    o = world_object(m->w, path);
    if (!o || strcmp(o->managed, "true") != 0)
        return;
    if (draw(m, 2)) {
        tell(m, o, "DELETED");
        o->used = false;
        return;
    }
    o->rv = ++m->w->next_rv;
    snprintf(o->fields, sizeof o->fields, "stolen-%u", o->rv);
    tell(m, o, "MODIFIED");
}

static void refuse(struct model *m)
{
    static const unsigned statuses[] = {422, 403, 500, 409, 0};
    unsigned i = draw(m, 5);

    m->w->refuse_path = m->w->refuse_path ? NULL : draw(m, 2) ? "configmaps" : "deployments";
    m->w->refuse_status = statuses[i];
    m->w->refuse_body = i == 0 ? IMMUTABLE : NO;
}

/* ---- the hub ---- */

static void add(struct model *m, struct world_work work, uint32_t options)
{
    bool held = draw(m, 6) == 0;

    work.options = options | (held ? FED_WORK_HELD : 0);
    m->held[(unsigned char)work.name[0] & 127] |= held;
    m->works[m->n++] = work;
}

static void publish(struct model *m)
{
    if (m->w->n_revisions + 1 >= WORLD_REVISIONS)
        return;
    m->n = 0;
    for (size_t i = 0; i < N_MAPS; i++) {
        if (draw(m, 4) > 0)
            add(m, (struct world_work){"ConfigMap", "web", names[i], maps[draw(m, 12)], NULL, 0},
                (draw(m, 2) ? FED_WORK_ADOPT : 0) | (draw(m, 8) == 0 ? FED_WORK_ORPHAN : 0));
    }
    if (draw(m, 4) > 0)
        add(m, (struct world_work){"Namespace", NULL, "web", NS, NULL, 0},
            draw(m, 2) ? FED_WORK_ADOPT : 0);
    if (draw(m, 5) > 0)
        add(m, (struct world_work){"Deployment", "web", "d", apps[draw(m, 7)], NULL, 0}, 0);
    if (draw(m, 6) == 0) {
        m->epoch++;
        m->revision = 0;
    }
    world_publish(m->w, m->epoch, ++m->revision, m->works, m->n);
    if (m->w->daemon && !m->w->hub_down)
        world_notify(m->w);
}

static void order(struct model *m)
{
    for (size_t i = 0; i < m->n; i++) {
        if (draw(m, 2))
            world_order(m->w, &m->works[i]);
    }
    world_notify_again(m->w);
}

/* ---- the agent ---- */

static void limit(struct model *m, bool on)
{
    m->limited = on;
    agent_daemon_set_policy(m->w->daemon, on ? m->policy : NULL);
}

static void boot(struct model *m)
{
    do
        world_boot(m->w);
    while (m->w->boot_err); /* as the service manager does it */
}

static void crash(struct model *m)
{
    world_crash(m->w);
    boot(m);
    limit(m, m->limited);
}

static void step(struct model *m)
{
    switch (draw(m, 14)) {
    case 0:
    case 1:
    case 2:
        publish(m);
        break;
    case 3:
        crash(m);
        break;
    case 4:
        m->w->api_down = !m->w->api_down;
        break;
    case 5:
        m->w->hub_down = !m->w->hub_down;
        break;
    case 6:
        refuse(m);
        break;
    case 7:
        limit(m, !m->limited);
        break;
    case 8:
        m->w->linger = true;
        break;
    case 9:
        stop_lingering(m);
        break;
    case 10:
        m->w->hub_has_no_base = !m->w->hub_has_no_base;
        break;
    case 11:
        order(m);
        break;
    case 12:
        meddle(m);
        break;
    default:
        break;
    }
    pass(m, 1000u * (1 + draw(m, 120)));
}

static void begin(struct model *m, uint32_t seed, unsigned one_in)
{
    *m = (struct model){.w = world_new(),
        .memory = {.seed = seed, .one_in = one_in},
        .seed = seed * 7919u + 13,
        .epoch = 7};
    m->memory.alloc = (struct fed_alloc){.ctx = &m->memory, .resize = scarce_resize};
    m->w->mem = &m->memory.alloc;
    assert_int_equal(agent_policy_read(fed_alloc_system(),
                         fed_span_text("{\"kinds\":{\"deny\":[\"ConfigMap\",\"Namespace\"]}}"),
                         &m->policy, NULL),
        FED_OK);
    m->w->now_ms = 100000000;
    m->w->hub_knows = UINT64_MAX;
    m->w->hub_has_orders = true;
    m->w->judge = judge;
    m->w->judge_ctx = m;
    if (draw(m, 2))
        world_add_object(m->w, NS_PATH, draw(m, 2) ? "" : "false");
    world_add_object(m->w, MAPS "f", ""); /* somebody else's, one of them for good */
    world_add_object(m->w, MAPS "g", "false");
    publish(m);
    boot(m);
}

/* All that stood in the way is gone. */
static void calm(struct model *m)
{
    m->w->api_down = m->w->hub_down = m->w->hub_has_no_base = false;
    m->w->refuse_path = NULL;
    m->memory.one_in = 0;
    stop_lingering(m);
    limit(m, false);
    pass(m, HOUR_MS); /* the last bundle may take the namespace away */
    if (!world_object(m->w, NS_PATH))
        world_event(m->w, world_add_object(m->w, NS_PATH, ""), "ADDED");
    pass(m, 3 * HOUR_MS);
}

struct waiting {
    const struct model *m;
    uint32_t seed;
};

/* "a" of "ConfigMap web/a", "w" of "Namespace web". */
static unsigned first_letter(const char *name)
{
    const char *from = strrchr(name, '/');

    if (!from)
        from = strrchr(name, ' ');
    return from ? (unsigned char)from[1] & 127 : 0;
}

/* What still waits says why, and it is one of what may last. */
static void on_wait(void *ctx, const struct agent_wait *wait)
{
    static const char *const lasting[] = {"DependencyNotReady", "DependencyCycle", "RolledBack",
        "AlreadyExists", "ManagedLabelFalse", "ImmutableField", "ComputeResourceFailed",
        "WaitingForRemoval", "Drifted", FED_CONSENT_REASON};
    const struct waiting *waiting = ctx;

    for (size_t i = 0; i < sizeof lasting / sizeof *lasting; i++) {
        if (wait->reason && strcmp(wait->reason, lasting[i]) == 0)
            return;
    }
    if (waiting->m->held[first_letter(wait->object)])
        return;
    fail_msg("seed %u: %s waits: %s %s", (unsigned)waiting->seed, wait->object,
        wait->reason ? wait->reason : "", wait->message);
}

static void run(uint32_t seed, unsigned one_in)
{
    struct model m;
    struct waiting waiting = {.m = &m, .seed = seed};

    begin(&m, seed, one_in);
    for (unsigned i = 0; i < STEPS; i++)
        step(&m);
    calm(&m);
    agent_daemon_waits(m.w->daemon, on_wait, &waiting);
    assert_null(agent_daemon_stuck(m.w->daemon));
    world_forget_requests(m.w);
    pass(&m, HOUR_MS);
    if (strlen(m.w->requests) > 8000)
        fail_msg("seed %u: no quiet: %.500s", (unsigned)seed, m.w->requests);
    world_free(m.w);
    agent_policy_free(m.policy);
}

static void run_all(unsigned one_in)
{
    const char *only = getenv("SEED");
    uint64_t number;

    for (uint32_t seed = 1; seed <= 60 && !only; seed++)
        run(seed, one_in);
    if (only) {
        assert_int_equal(fed_span_to_u64(fed_span_text(only), &number), FED_OK);
        run((uint32_t)number, one_in);
    }
}

static void test_whatever_happens(void **state)
{
    (void)state;
    run_all(0);
}

static void test_short_of_memory(void **state)
{
    (void)state;
    run_all(200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whatever_happens), cmocka_unit_test(test_short_of_memory)};

    return cmocka_run_group_tests_name("agent_mixed", tests, NULL, NULL);
}
