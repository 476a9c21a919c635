/* hub_gate_world.c - see hub_gate_world.h. */
#include "hub_gate_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const clusters[] = {"c1", "c2", "c3"};

struct hub_object_ref gate_ref(void)
{
    return (struct hub_object_ref){.resource = fed_span_text(W_CONFIGMAPS),
        .ns = fed_span_text("ns"),
        .name = fed_span_text("x")};
}

static struct fed_digest digest_of(char letter)
{
    struct fed_digest digest = {{0}};

    memset(digest.bytes, letter, sizeof digest.bytes);
    return digest;
}

static bool is_ours(const struct hub_object_ref *ref)
{
    return (fed_span_is(ref->resource, W_CONFIGMAPS) || fed_span_is(ref->resource, GATE_SECRETS)) &&
           fed_span_is(ref->name, "x");
}

/* ---- the gates ---- */

static enum fed_err taken(void *ctx, const struct hub_object_ref *ref, struct fed_span bytes,
    enum hub_gate_taking why, bool *governed)
{
    static const char *const words[] = {"loaded", "written", "undone"};
    struct gate_world *g = ctx;
    size_t len = strlen(g->log);
    struct fed_store_op op = {.value = fed_span_text("row")};

    if (!is_ours(ref))
        return FED_OK;
    snprintf(g->log + len, sizeof g->log - len, "%s%s%s", len ? " " : "", words[why],
        bytes.len ? "" : "(gone)");
    *governed = g->governed;
    if (g->refuses || !g->stages || why != HUB_GATE_WRITTEN)
        return g->refuses;
    op.key = fed_span_text(g->stages);
    return hub_objects_stage(g->w.objects, NULL, 0, &op, 1, NULL, NULL);
}

static enum hub_gate_answer choose(void *ctx, const struct hub_object_ref *ref,
    struct fed_span cluster, const struct fed_json *labels, struct hub_gate_choice *out)
{
    struct gate_world *g = ctx;
    struct fed_span zone = fed_json_string(fed_json_get(labels, "zone"));
    size_t which = 0;
    char answer;

    assert_true(is_ours(ref));
    g->chosen++;
    while (which < 3 && !fed_span_is(cluster, clusters[which]))
        which++;
    answer = g->answers[which];
    if (g->zone && zone.len == 1 && zone.at[0] == (uint8_t)g->zone)
        answer = 'a';
    out->digest = digest_of(answer);
    out->tries = which < 3 ? g->tries[which] : 0;
    return answer == '=' ? HUB_GATE_LATEST : answer == '-' ? HUB_GATE_NOTHING : HUB_GATE_VERSION;
}

static enum fed_err content(void *ctx, const struct hub_object_ref *ref,
    const struct fed_digest *digest, struct fed_buf *out)
{
    struct gate_world *g = ctx;
    char letter = (char)digest->bytes[0];

    assert_true(is_ours(ref));
    g->read++;
    if (letter < 'a' || letter > 'z' || !g->versions[letter - 'a'][0])
        return FED_ERR_NOT_FOUND;
    fed_buf_put_text(out, g->versions[letter - 'a']);
    return fed_buf_err(out);
}

static void why(
    void *ctx, const struct hub_object_ref *ref, struct fed_span cluster, struct fed_buf *out)
{
    (void)ctx;
    assert_true(is_ours(ref));
    fed_buf_printf(out, "wave of " FED_SPAN_FMT " has not begun", FED_SPAN_ARG(cluster));
}

/* Every write begins one. */
static enum fed_err outlook(void *ctx, const struct hub_object_ref *ref, struct fed_span bytes,
    struct hub_gate_outlook *out)
{
    const struct gate_world *g = ctx;

    if (g->refuses || !is_ours(ref))
        return g->refuses;
    *out = (struct hub_gate_outlook){
        .governed = true, .begins = bytes.len > 0, .policy = "careful", .message = "canary, rest"};
    return FED_OK;
}

static void *resize(void *ctx, void *at, size_t old_size, size_t size)
{
    struct gate_world *g = ctx;
    struct fed_alloc *system = fed_alloc_system();

    if (size > 0 && g->refuse_after >= 0 && g->refuse_after-- == 0) {
        g->refused = true;
        return NULL;
    }
    return system->resize(system->ctx, at, old_size, size);
}

/* ---- the world ---- */

int gate_world_open(void **state)
{
    static struct gate_world g;

    memset(&g, 0, sizeof g);
    hub_world_open_three(
        &g.w, (const char *const[]){"{'zone':'p'}", "{'zone':'q'}", "{'zone':'r'}"});
    g.gates = (struct hub_gates){.ctx = &g,
        .taken = taken,
        .choose = choose,
        .content = content,
        .why = why,
        .outlook = outlook};
    g.mem = (struct fed_alloc){.ctx = &g, .resize = resize};
    g.refuse_after = -1;
    g.governed = true;
    memcpy(g.answers, "====", 4);
    g.w.gates = &g.gates;
    g.w.plan_mem = &g.mem;
    hub_world_restart(&g.w);
    *state = &g;
    return 0;
}

int gate_world_close(void **state)
{
    struct gate_world *g = *state;

    hub_world_close(&g->w);
    return 0;
}

void gate_keep(struct gate_world *g, char letter, const char *spec)
{
    char *to = g->versions[letter - 'a'];

    snprintf(to, sizeof g->versions[0], "{'spec':%s}", spec);
    for (; *to; to++)
        *to = *to == '\'' ? '"' : *to;
}

void gate_put(struct gate_world *g, char letter, const char *spec)
{
    gate_keep(g, letter, spec);
    hub_world_put_map(&g->w, spec);
}

void gate_answer(struct gate_world *g, const char *answers)
{
    memcpy(g->answers, answers, strlen(answers));
}

void gate_turn(struct gate_world *g, const char *cluster, char answer)
{
    struct hub_object_ref ref = gate_ref();
    struct fed_span name = fed_span_text(cluster);

    g->answers[cluster[1] <= '3' ? cluster[1] - '1' : 3] = answer;
    assert_int_equal(hub_plan_regate(g->w.plan, &ref, &name, 1), FED_OK);
    hub_world_settle(&g->w);
}

void gate_turn_all(struct gate_world *g, const char *answers)
{
    struct hub_object_ref ref = gate_ref();

    gate_answer(g, answers);
    assert_int_equal(hub_plan_regate(g->w.plan, &ref, NULL, 0), FED_OK);
    hub_world_settle(&g->w);
}

/* ---- what is so ---- */

static const struct fed_work *work_in(struct gate_world *g, const char *cluster)
{
    const struct fed_manifest *manifest;

    if (hub_plan_manifest(g->w.plan, fed_span_text(cluster), &manifest))
        return NULL;
    for (size_t i = 0; i < manifest->n_works; i++)
        if (fed_span_is(manifest->works[i].kind, "ConfigMap") &&
            fed_span_is(manifest->works[i].name, "x"))
            return &manifest->works[i];
    return NULL;
}

const char *gate_have(struct gate_world *g)
{
    static char text[64];
    size_t len = 0;

    for (size_t i = 0; i < 3; i++) {
        const struct fed_work *work = work_in(g, clusters[i]);
        struct fed_span blob = fed_span_text("");
        struct fed_span key = fed_span_text("");

        if (work)
            assert_int_equal(hub_plan_blob(g->w.plan, &work->blob, &blob), FED_OK);
        for (size_t k = 0; k + 5 < blob.len; k++)
            if (memcmp(blob.at + k, "\"k\":\"", 5) == 0)
                key = fed_span_sub(blob, k + 5, 1);
        len += (size_t)snprintf(text + len, sizeof text - len, "%s" FED_SPAN_FMT "%s%s",
            i ? " " : "", FED_SPAN_ARG(key),
            !work     ? "-"
            : key.len ? ""
                      : "?",
            work && work->overrides.len ? "+" : "");
    }
    return text;
}

void gate_revisions(struct gate_world *g, uint64_t out[3])
{
    for (size_t i = 0; i < 3; i++)
        out[i] = hub_world_revision(&g->w, clusters[i]);
}

void gate_restart_is_same(struct gate_world *g)
{
    uint64_t before[3];
    uint64_t after[3];
    char have[64];

    snprintf(have, sizeof have, "%s", gate_have(g));
    gate_revisions(g, before);
    hub_world_restart(&g->w);
    gate_revisions(g, after);
    assert_string_equal(gate_have(g), have);
    assert_memory_equal(after, before, sizeof before);
}

const char *gate_said(struct gate_world *g, const char *cluster)
{
    static char text[512];
    const char *composed = hub_world_composed(&g->w, W_CONFIGMAPS, "ns", "x");
    const char *end;
    char name[32];

    snprintf(name, sizeof name, "{\"name\":\"%s\"", cluster);
    composed = strstr(composed, name);
    if (!composed)
        return "";
    end = strchr(composed, '}');
    snprintf(text, sizeof text, "%.*s", (int)(end - composed + 1), composed);
    return text;
}
