/* hub_rollouts_world.c - see hub_rollouts_world.h. */
#include "hub_rollouts_world.h"

#include "hub/access/user.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WAIT_MS 8000u

/* ---- life ---- */

static void *resize(void *ctx, void *at, size_t old_size, size_t size)
{
    struct rollout_world *r = ctx;

    if (size > 0 && r->refuse_after >= 0 && r->refuse_after-- == 0) {
        r->refused = true;
        return NULL;
    }
    at = fed_alloc_system()->resize(fed_alloc_system()->ctx, at, old_size, size);
    if (at || size == 0)
        r->bytes += size - old_size;
    return at;
}

static void before_plan(void *ctx, struct hub_world *w)
{
    struct rollout_world *r = ctx;
    struct hub_rollouts_options options = {.mem = &r->mem,
        .loop = w->loop,
        .log = &r->log,
        .objects = w->objects,
        .crypto = &r->crypto,
        .rest_ms = 1}; /* wherever it may */
    struct fed_diag diag = {""};

    if (hub_rollouts_open(&options, &r->rollouts, &diag))
        fail_msg("%s", diag.text);
    hub_rollouts_gates(r->rollouts, &r->gates);
    w->gates = &r->gates;
}

static void opened(void *ctx, struct hub_world *w)
{
    struct rollout_world *r = ctx;
    struct fed_diag diag = {""};

    if (hub_rollouts_attach(r->rollouts, w->plan, w->status, &diag))
        fail_msg("%s", diag.text);
    hub_rollouts_rollout_hooks(r->rollouts, &r->hooks);
    hub_rollouts_policy_hooks(r->rollouts, &r->policy_hooks);
}

static void planned(void *ctx, const struct hub_object_ref *ref)
{
    struct rollout_world *r = ctx;

    hub_rollouts_planned(r->rollouts, ref);
}

static void closing(void *ctx, struct hub_world *w)
{
    struct rollout_world *r = ctx;

    (void)w;
    hub_rollouts_detach(r->rollouts);
}

static void closed(void *ctx, struct hub_world *w)
{
    struct rollout_world *r = ctx;

    (void)w;
    hub_rollouts_close(r->rollouts);
}

static void on_log(void *ctx, enum fed_log_level level, const char *text)
{
    struct rollout_world *world = ctx;

    world->errors += level == FED_LOG_ERROR;
    fprintf(stderr, "%s\n", text);
}

int rollout_world_open(void **state)
{
    static struct rollout_world r;

    memset(&r, 0, sizeof r);
    r.refuse_after = -1;
    r.log = (struct fed_log){.ctx = &r, .level = FED_LOG_WARN, .write = on_log};
    r.mem = (struct fed_alloc){&r, resize};
    assert_int_equal(fed_tls_crypto_open(&r.mem, &r.crypto, NULL), FED_OK);
    r.part = (struct hub_world_part){&r, before_plan, opened, planned, closing, closed};
    hub_world_open_with(&r.w, &r.part);
    hub_world_make_three(&r.w, (const char *const[]){"{}", "{}", "{}"});
    *state = &r;
    return 0;
}

int rollout_world_close(void **state)
{
    struct rollout_world *r = *state;

    hub_world_close(&r->w);
    fed_tls_crypto_close(&r->crypto);
    return 0;
}

void rollout_restart(struct rollout_world *r)
{
    hub_world_restart(&r->w);
}

/* ---- agents ---- */

static void put_entry(const struct rollout_world *r, size_t cluster, const struct fed_work *work,
    struct fed_report_entry *out)
{
    bool bad = r->bad[cluster] && fed_span_is(work->kind, "ConfigMap");

    *out = (struct fed_report_entry){.state = FED_WORK_APPLIED,
        .health = bad ? FED_HEALTH_UNHEALTHY : FED_HEALTH_HEALTHY,
        .generation = 1,
        .reason = fed_span_text(bad ? r->bad[cluster] : ""),
        .message = fed_span_text(bad ? "0 of 3 pods ready" : "")};
    if (r->gave_up[cluster] && fed_span_is(work->kind, "ConfigMap") &&
        fed_span_is(work->overrides, r->gave_up[cluster])) {
        out->state = FED_WORK_FAILED;
        out->reason = fed_span_text("RolledBack");
    }
}

static void report(struct rollout_world *r, size_t cluster)
{
    static const char *const names[] = {"c1", "c2", "c3"};
    static const char facts[] = "{\"healthz\":\"ok\"}";
    struct fed_span name = fed_span_text(names[cluster]);
    struct fed_report_entry entries[16];
    const struct fed_manifest *manifest;
    struct fed_diag diag = {""};
    struct fed_report report = {.full = true,
        .epoch = hub_plan_epoch(r->w.plan),
        .entries = entries,
        .facts = fed_span_text(facts)};

    if (r->silent[cluster] || hub_plan_manifest(r->w.plan, name, &manifest))
        return;
    report.revision = manifest->revision;
    report.seq = ++r->seq[cluster];
    for (size_t i = 0; i < manifest->n_works && i < 16; i++) {
        put_entry(r, cluster, &manifest->works[i], &entries[i]);
        entries[i].index = i;
        report.n_entries++;
    }
    hub_status_connected(r->w.status, name, "coap", "127.0.0.1:1");
    if (hub_status_report(r->w.status, name, &report, &diag))
        print_message("report of %s: %s\n", names[cluster], diag.text);
    (void)hub_objects_flush(r->w.objects, NULL);
}

void rollout_run(struct rollout_world *r, unsigned ms)
{
    uint64_t end_ms;

    hub_world_settle(&r->w);
    end_ms = fed_loop_now_ms(r->w.loop) + ms;
    do {
        for (size_t i = 0; i < 3; i++)
            report(r, i);
        hub_world_wait(10);
        hub_world_settle(&r->w);
    } while (fed_loop_now_ms(r->w.loop) < end_ms);
}

void rollout_wait(struct rollout_world *r, const char *name, const char *text)
{
    for (unsigned waited = 0; waited < WAIT_MS; waited += 10) {
        if (strstr(rollout_shown(r, name), text))
            return;
        rollout_run(r, 0);
    }
    fail_msg("no %s in %s", text, rollout_shown(r, name));
}

void rollout_wait_have(struct rollout_world *r, const char *have)
{
    for (unsigned waited = 0; waited < WAIT_MS && strcmp(rollout_have(r), have) != 0; waited += 10)
        rollout_run(r, 0);
    assert_string_equal(rollout_have(r), have);
}

/* ---- writing ---- */

void rollout_policy(struct rollout_world *r, const char *name, const char *spec)
{
    char json[2048];

    snprintf(
        json, sizeof json, "{'metadata':{'name':'%s','namespace':'ns'},'spec':{%s}}", name, spec);
    hub_world_put(&r->w, R_POLICIES, "ns", name, json);
}

void rollout_put(struct rollout_world *r, char letter, const char *more)
{
    static int generation;
    char json[2048];

    snprintf(json, sizeof json,
        "{'apiVersion':'types.kubefed.io/"
        "v1beta1','kind':'FederatedConfigMap','metadata':{'name':'x',"
        "'namespace':'ns','uid':'u-x','generation':%d,'finalizers':['kubefed.io/"
        "sync-controller']%s},"
        "'spec':{'template':{'data':{'k':'%c'}},'placement':{'clusterSelector':{}}}}",
        ++generation, more, letter);
    hub_world_put(&r->w, W_CONFIGMAPS, "ns", "x", json);
}

static void say_nothing(struct hub_admission *admission, const char *text)
{
    (void)admission;
    (void)text;
}

static enum fed_err store(struct rollout_world *r, const char *name, const struct fed_json *object)
{
    struct hub_object_write write = {.expected = HUB_ANY_REVISION,
        .ref = {fed_span_text(R_ROLLOUTS), fed_span_text("ns"), fed_span_text(name)}};
    struct fed_buf bytes;
    enum fed_err err;

    fed_buf_init(&bytes, fed_alloc_system(), HUB_OBJECT_BYTES_MAX);
    err = fed_json_put(&bytes, object);
    write.bytes = fed_buf_span(&bytes);
    if (!err)
        err = hub_objects_commit(r->w.objects, &write, 1, NULL, 0, NULL, NULL);
    fed_buf_fini(&bytes);
    return err;
}

enum fed_err rollout_do(
    struct rollout_world *r, const char *name, const char *action, const char **refusal)
{
    static struct fed_diag diag;
    static struct hub_user ann;
    struct hub_kind kind = {.resource = R_ROLLOUTS};
    struct hub_admission admission = {.operation = HUB_UPDATE,
        .kind = &kind,
        .user = fed_span_text("ann"),
        .who = &ann,
        .warn = say_nothing};
    struct fed_json *annotations;
    struct fed_json *before;
    enum fed_err err;

    diag.text[0] = 0;
    assert_int_equal(fed_json_doc_new(fed_alloc_system(), &admission.doc), FED_OK);
    assert_int_equal(
        fed_json_parse(admission.doc, fed_span_text(rollout_shown(r, name)), &before, NULL),
        FED_OK);
    admission.before = before;
    admission.object = fed_json_clone(admission.doc, before);
    annotations = fed_json_ensure_object(
        admission.doc, fed_json_get(admission.object, "metadata"), "annotations");
    assert_int_equal(fed_json_set_text(admission.doc, annotations, "fedlet.io/action", action), 0);
    assert_int_equal(
        fed_json_set_text(admission.doc, annotations, "fedlet.io/reason", "because"), FED_OK);
    err = r->hooks.admit(r->hooks.ctx, &admission, &diag);
    if (!err)
        err = store(r, name, admission.object);
    fed_json_doc_free(admission.doc);
    hub_world_settle(&r->w);
    if (refusal)
        *refusal = diag.text;
    return err;
}

const char *rollout_policy_refusal(struct rollout_world *r, const char *spec)
{
    static char field[256];
    struct hub_kind kind = {.resource = R_POLICIES};
    struct hub_admission admission = {.operation = HUB_CREATE, .kind = &kind, .warn = say_nothing};
    struct fed_diag diag = {""};
    char text[1024];
    enum fed_err err;

    snprintf(text, sizeof text, "{'metadata':{'name':'p','namespace':'ns'},'spec':%s}", spec);
    for (char *c = text; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    assert_int_equal(fed_json_doc_new(fed_alloc_system(), &admission.doc), FED_OK);
    assert_int_equal(
        fed_json_parse(admission.doc, fed_span_text(text), &admission.object, NULL), FED_OK);
    err = r->policy_hooks.admit(r->policy_hooks.ctx, &admission, &diag);
    fed_json_doc_free(admission.doc);
    assert_true(err == FED_OK || (err == FED_ERR_INVALID && diag.text[0]));
    snprintf(field, sizeof field, "%s", err ? admission.field : "");
    return field;
}

/* ---- looking ---- */

const char *rollout_composed(
    const struct hub_kind_hooks *hooks, const struct hub_object_ref *ref, const char *stored)
{
    static char text[16384];
    struct fed_json_doc *doc;
    struct fed_json *object;
    struct fed_buf out;
    uint64_t revision = 0;

    assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
    assert_int_equal(fed_json_parse(doc, fed_span_text(stored), &object, NULL), FED_OK);
    assert_int_equal(hooks->compose(hooks->ctx, ref, doc, object, &revision), FED_OK);
    fed_buf_init(&out, fed_alloc_system(), sizeof text - 1);
    assert_int_equal(fed_json_put(&out, object), FED_OK);
    snprintf(text, sizeof text, "%s", fed_buf_cstr(&out));
    fed_buf_fini(&out);
    fed_json_doc_free(doc);
    return text;
}

const char *rollout_policy_shown(struct rollout_world *r, const char *name)
{
    struct hub_object_ref ref = {
        fed_span_text(R_POLICIES), fed_span_text("ns"), fed_span_text(name)};

    return rollout_composed(&r->policy_hooks, &ref, "{}");
}

const char *rollout_shown(struct rollout_world *r, const char *name)
{
    return hub_world_stored(&r->w, R_ROLLOUTS, "ns", name);
}

static char value_in(struct rollout_world *r, const char *cluster)
{
    const struct fed_manifest *manifest;
    struct fed_span blob;

    if (hub_plan_manifest(r->w.plan, fed_span_text(cluster), &manifest))
        return '-';
    for (size_t i = 0; i < manifest->n_works; i++) {
        if (!fed_span_is(manifest->works[i].kind, "ConfigMap"))
            continue;
        if (manifest->works[i].options & FED_WORK_HELD)
            return '=';
        assert_int_equal(hub_plan_blob(r->w.plan, &manifest->works[i].blob, &blob), FED_OK);
        for (size_t k = 0; k + 6 < blob.len; k++)
            if (memcmp(blob.at + k, "\"k\":\"", 5) == 0)
                return (char)blob.at[k + 5];
    }
    return '-';
}

const char *rollout_have(struct rollout_world *r)
{
    static char text[8];

    snprintf(
        text, sizeof text, "%c %c %c", value_in(r, "c1"), value_in(r, "c2"), value_in(r, "c3"));
    return text;
}

static bool count_row(void *ctx, const struct fed_store_item *item)
{
    size_t *n = ctx;

    (void)item;
    ++*n;
    return true;
}

size_t rollout_rows(struct rollout_world *r, const char *prefix)
{
    struct fed_store *store = hub_objects_store(r->w.objects);
    char end[8];
    size_t n = 0;

    snprintf(end, sizeof end, "%s", prefix);
    end[strlen(end) - 1]++;
    assert_int_equal(
        store->range(store->ctx, fed_span_text(prefix), fed_span_text(end), 0, count_row, &n), 0);
    return n;
}

void rollout_wait_no_rows(struct rollout_world *r, const char *prefix)
{
    for (unsigned waited = 0; waited < WAIT_MS && rollout_rows(r, prefix) > 0; waited += 10)
        rollout_run(r, 0);
    assert_int_equal(rollout_rows(r, prefix), 0);
}
