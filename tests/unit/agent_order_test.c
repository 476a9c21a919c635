/* agent_order_test.c - random works that depend on each other, in a member that refuses some of
 * them for a while or for ever, lets some become ready late or never, and sees the agent killed:
 * nothing is created before what it depends on is well, nothing is deleted before what depends on
 * it is gone, all that can be applied is, and quiet follows. Prints its seed; SEED repeats one. */
#include "tests/unit/agent_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define N_MAX 20u
#define FOREVER UINT64_MAX
#define HOUR_MS 3600000u
#define READY                                                                                      \
    "{\"observedGeneration\":100,\"replicas\":1,\"updatedReplicas\":1,\"readyReplicas\":1,"        \
    "\"availableReplicas\":1}"

struct node {
    char name[8];
    bool is_app;         /* a Deployment: its health counts */
    bool gets_ready;     /* sooner or later */
    bool ready;          /* in the member */
    uint64_t refused_ms; /* until then */
    unsigned refusal;
    bool on[N_MAX];
    bool stays; /* in the second bundle */
};

struct model {
    struct world *w;
    unsigned seed, n;
    struct node nodes[N_MAX];
};

static char blobs[N_MAX][1024];

static unsigned draw(struct model *m, unsigned below)
{
    m->seed = m->seed * 1103515245u + 12345u;
    return (m->seed >> 8) % below;
}

static void path_of(const struct node *node, char out[200])
{
    snprintf(out, 200, "%s/namespaces/web/%s/%s", node->is_app ? "/apis/apps/v1" : "/api/v1",
        node->is_app ? "deployments" : "configmaps", node->name);
}

static struct world_object *object_of(struct model *m, const struct node *node)
{
    char path[200];

    path_of(node, path);
    return world_object(m->w, path);
}

/* ---- the member ---- */

static unsigned judge_apply(struct model *m, struct node *node, struct fed_buf *out)
{
    static const unsigned statuses[] = {500, 503, 403, 422, 409, 504};

    for (unsigned i = 0; i < m->n && !object_of(m, node); i++) {
        const struct node *other = &m->nodes[i];

        if (!node->on[i] || (object_of(m, other) && (!other->is_app || other->ready)))
            continue;
        fail_msg("%s is created before %s is well", node->name, other->name);
    }
    if (m->w->now_ms >= node->refused_ms)
        return 0;
    fed_buf_put_text(out, "{\"kind\":\"Status\",\"message\":\"not now\"}");
    return statuses[node->refusal];
}

static bool reaches(const struct model *m, unsigned from, unsigned to);

static void judge_delete(struct model *m, const struct node *node)
{
    for (unsigned i = 0; i < m->n; i++) {
        const struct node *other = &m->nodes[i];

        if (other != node && other->on[node - m->nodes] && object_of(m, other) &&
            !reaches(m, (unsigned)(node - m->nodes), i))
            fail_msg("%s is deleted before %s is gone", node->name, other->name);
    }
}

static unsigned judge(
    void *ctx, const char *method, const char *path, const char *body, struct fed_buf *out)
{
    struct model *m = ctx;
    char own[200];

    for (unsigned i = 0; i < m->n; i++) {
        path_of(&m->nodes[i], own);
        if (strcmp(own, path) != 0)
            continue;
        if (strcmp(method, "DELETE") == 0)
            judge_delete(m, &m->nodes[i]);
        else if (body[0] == '{')
            return judge_apply(m, &m->nodes[i], out);
    }
    return 0;
}

static void become_ready(struct model *m, struct node *node)
{
    struct world_object *object = object_of(m, node);

    if (!object || node->ready || !node->is_app || !node->gets_ready)
        return;
    snprintf(object->spec, sizeof object->spec, "{\"replicas\":1}");
    snprintf(object->status, sizeof object->status, READY);
    object->rv = ++m->w->next_rv;
    node->ready = true;
    world_event(m->w, object, "MODIFIED");
}

/* ---- works ---- */

/* Mostly along the order of numbers, which makes no cycles. */
static void draw_dependencies(struct model *m, unsigned i, bool cycles)
{
    unsigned n = draw(m, 4);

    for (unsigned k = 0; k < n; k++) {
        unsigned other = draw(m, cycles && draw(m, 4) == 0 ? m->n : i + 1);

        if (other != i || cycles)
            m->nodes[i].on[other] = true;
    }
}

static void put_blob(const struct model *m, unsigned i)
{
    char names[600] = "";

    for (unsigned k = 0; k < m->n; k++) {
        if (m->nodes[i].on[k])
            snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s/%s",
                names[0] ? "," : "", m->nodes[k].is_app ? "Deployment" : "ConfigMap",
                m->nodes[k].name);
    }
    snprintf(blobs[i], sizeof blobs[i],
        "{\"apiVersion\":\"%s\",\"kind\":\"%s\",\"metadata\":{\"annotations\":{"
        "\"fedlet.io/depends-on\":\"%s\"},\"labels\":{\"n\":\"%u\"}}}",
        m->nodes[i].is_app ? "apps/v1" : "v1", m->nodes[i].is_app ? "Deployment" : "ConfigMap",
        names, i);
}

static void draw_nodes(struct model *m)
{
    bool cycles = draw(m, 3) == 0;

    m->n = 3 + draw(m, N_MAX - 2);
    for (unsigned i = 0; i < m->n; i++) {
        struct node *node = &m->nodes[i];

        snprintf(node->name, sizeof node->name, "n%02u", draw(m, 2) ? i : 99 - i);
        node->is_app = draw(m, 2) == 0;
        node->gets_ready = draw(m, 8) != 0;
        node->refusal = draw(m, 6);
        if (draw(m, 3) == 0)
            node->refused_ms = draw(m, 10) == 0 ? FOREVER : m->w->now_ms + draw(m, 200) * 1000u;
        node->stays = draw(m, 3) == 0;
    }
    for (unsigned i = 0; i < m->n; i++)
        draw_dependencies(m, i, cycles);
    for (unsigned i = 0; i < m->n; i++)
        put_blob(m, i);
}

static void publish(struct model *m, uint64_t revision)
{
    struct world_work works[N_MAX];
    size_t n = 0;

    for (unsigned i = 0; i < m->n; i++) {
        const struct node *node = &m->nodes[i];

        if (revision == 1 || node->stays)
            works[n++] = (struct world_work){
                node->is_app ? "Deployment" : "ConfigMap", "web", node->name, blobs[i], NULL, 0};
    }
    world_publish(m->w, 7, revision, works, n);
}

/* ---- what is to come of it ---- */

static bool reaches(const struct model *m, unsigned from, unsigned to)
{
    bool seen[N_MAX] = {false};
    bool grown = true;

    memcpy(seen, m->nodes[from].on, sizeof seen);
    while (grown) {
        grown = false;
        for (unsigned i = 0; i < m->n; i++) {
            for (unsigned k = 0; k < m->n && seen[i]; k++) {
                grown = grown || (m->nodes[i].on[k] && !seen[k]);
                seen[k] = seen[k] || m->nodes[i].on[k];
            }
        }
    }
    return seen[to];
}

static bool is_to_be_applied(const struct model *m, unsigned i)
{
    if (reaches(m, i, i) || m->nodes[i].refused_ms == FOREVER)
        return false;
    for (unsigned k = 0; k < m->n; k++) {
        if (m->nodes[i].on[k] &&
            (!is_to_be_applied(m, k) || (m->nodes[k].is_app && !m->nodes[k].gets_ready)))
            return false;
    }
    return true;
}

static bool is_to_wait(const struct model *m, unsigned i)
{
    for (unsigned k = 0; k < m->n; k++) {
        if (m->nodes[i].on[k] &&
            (!is_to_be_applied(m, k) || (m->nodes[k].is_app && !m->nodes[k].gets_ready)))
            return true;
    }
    return false;
}

static const char *told(const struct model *m, unsigned i)
{
    const struct world_revision *r = &m->w->revisions[m->w->n_revisions - 1];

    for (size_t k = 0; k < r->n_works; k++) {
        if (fed_span_is(r->works[k].name, m->nodes[i].name))
            return m->w->hub_states[k];
    }
    return "";
}

static void check_first(struct model *m)
{
    for (unsigned i = 0; i < m->n; i++) {
        const char *word = is_to_be_applied(m, i) ? "Applied"
                           : reaches(m, i, i)     ? "Failed/Unknown DependencyCycle"
                           : is_to_wait(m, i)     ? "Waiting/Unknown DependencyNotReady"
                                                  : "";

        if (strncmp(told(m, i), word, strlen(word)) != 0)
            fail_msg("%s: \"%s\", not \"%s\"", m->nodes[i].name, told(m, i), word);
        if (!is_to_be_applied(m, i))
            assert_null(object_of(m, &m->nodes[i]));
    }
}

/* Something that stays depends on it, or on something that does. */
static bool is_needed(struct model *m, unsigned i)
{
    for (unsigned k = 0; k < m->n; k++) {
        if (k != i && m->nodes[k].on[i] && object_of(m, &m->nodes[k]) && !reaches(m, i, k) &&
            (m->nodes[k].stays || is_needed(m, k)))
            return true;
    }
    return false;
}

static void check_last(struct model *m)
{
    unsigned needed = 0;

    for (unsigned i = 0; i < m->n; i++) {
        bool kept = !m->nodes[i].stays && object_of(m, &m->nodes[i]) && is_needed(m, i);

        needed += kept;
        assert_true(m->nodes[i].stays || kept || !object_of(m, &m->nodes[i]));
    }
    for (size_t i = 0; i < m->w->n_rows; i++) {
        unsigned of = 0;

        while (of < m->n && m->w->rows[i].key[0] == 'b' &&
               (strlen(blobs[of]) != m->w->rows[i].value_len ||
                   memcmp(blobs[of], m->w->rows[i].value, m->w->rows[i].value_len) != 0))
            of++;
        assert_true(m->w->rows[i].key[0] != 'b' ||
                    (of < m->n && (m->nodes[of].stays || object_of(m, &m->nodes[of]))));
    }
    assert_int_equal(m->w->report.n_removed, needed);
}

/* ---- the run ---- */

static void happen(struct model *m, unsigned steps)
{
    for (unsigned i = 0; i < steps; i++) {
        struct node *node = &m->nodes[draw(m, m->n)];

        world_pass(m->w, draw(m, 20000));
        switch (draw(m, 8)) {
        case 0:
            world_crash(m->w);
            world_boot(m->w);
            break;
        case 1: /* a finalizer comes off */
            if (object_of(m, node) && object_of(m, node)->deleting)
                object_of(m, node)->used = false;
            break;
        default:
            become_ready(m, node);
        }
    }
}

static void quiet(struct model *m)
{
    for (unsigned i = 0; i < 2 * m->n; i++) {
        for (unsigned k = 0; k < m->n; k++)
            become_ready(m, &m->nodes[k]);
        world_pass(m->w, HOUR_MS);
    }
    world_forget_requests(m->w);
    world_pass(m->w, HOUR_MS);
    assert_in_range(world_asked(m->w, "GET") + world_asked(m->w, "PATCH"), 0, 150 * m->n);
}

static void run(unsigned seed)
{
    struct model m = {.w = world_new(), .seed = seed};

    m.w->consent_off = true; /* what leaves goes at once, however much it is */
    printf("# seed %u\n", seed);
    m.w->judge = judge;
    m.w->judge_ctx = &m;
    world_add_object(m.w, "/api/v1/namespaces/web", "");
    draw_nodes(&m);
    publish(&m, 1);
    world_boot(m.w);
    happen(&m, 20);
    quiet(&m);
    check_first(&m);
    m.w->linger = true;
    publish(&m, 2);
    world_notify(m.w);
    happen(&m, 20);
    m.w->linger = false;
    for (unsigned i = 0; i < m.n; i++) {
        for (unsigned k = 0; k < m.n; k++) {
            if (object_of(&m, &m.nodes[k]) && object_of(&m, &m.nodes[k])->deleting)
                object_of(&m, &m.nodes[k])->used = false;
        }
        world_pass(m.w, 60000);
    }
    check_last(&m);
    world_free(m.w);
}

static void test_random(void **state)
{
    const char *seed = getenv("SEED");

    (void)state;
    if (seed) {
        run((unsigned)strtoul(seed, NULL, 10));
        return;
    }
    for (unsigned i = 1; i <= 100; i++)
        run(i * 7919u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
