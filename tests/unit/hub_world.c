/* hub_world.c - see hub_world.h. */
#include "hub_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static void on_changed(void *ctx, struct fed_span cluster, uint64_t revision)
{
    struct hub_world *w = ctx;

    (void)cluster;
    (void)revision;
    w->changed++;
}

static void on_object_changed(void *ctx, const struct hub_object_ref *ref, uint64_t revision)
{
    struct hub_world *w = ctx;

    if (w->status)
        hub_status_object_changed(w->status, ref, revision);
    if (w->part && w->part->planned)
        w->part->planned(w->part->ctx, ref);
}

/* As if each had been heard of: what is to leave them is waited for. */
static void all_in_reach(struct hub_world *w)
{
    struct fed_span name;

    for (size_t i = 0; (name = hub_plan_cluster_at(w->plan, i)).at; i++)
        hub_plan_away(w->plan, name, false);
}

static void open_all(struct hub_world *w)
{
    struct fed_sqlite_options options = {
        .history = true, .application_id = 1, .new_epoch = 0xabcd, .cache_kib = 256};
    struct fed_diag diag = {""};
    char path[96];

    snprintf(path, sizeof path, "%s/hub.db", w->dir);
    assert_int_equal(fed_linux_loop_open(fed_alloc_system(), &w->linux_loop, &diag), FED_OK);
    w->loop = fed_linux_loop_port(w->linux_loop);
    if (fed_sqlite_store_open(fed_alloc_system(), path, &options, &w->sqlite, &diag))
        fail_msg("%s", diag.text);
    assert_int_equal(hub_objects_open(fed_alloc_system(), w->loop, fed_sqlite_store_port(w->sqlite),
                         &w->objects, &diag),
        FED_OK);
    if (w->part && w->part->before_plan)
        w->part->before_plan(w->part->ctx, w);
    if (hub_plan_open(w->plan_mem ? w->plan_mem : fed_alloc_system(), w->loop, NULL, w->objects,
            NULL, w->gates, &w->plan, &diag))
        fail_msg("%s", diag.text);
    if (hub_status_open(
            fed_alloc_system(), w->loop, NULL, w->objects, w->plan, 120, &w->status, &diag))
        fail_msg("%s", diag.text);
    all_in_reach(w);
    hub_plan_on_change(w->plan, on_changed, on_object_changed, w);
    if (w->part && w->part->opened)
        w->part->opened(w->part->ctx, w);
}

static void close_all(struct hub_world *w)
{
    if (w->part && w->part->closing)
        w->part->closing(w->part->ctx, w);
    hub_status_close(w->status);
    w->status = NULL;
    hub_plan_close(w->plan);
    if (w->part && w->part->closed)
        w->part->closed(w->part->ctx, w);
    hub_objects_close(w->objects);
    fed_sqlite_store_close(w->sqlite);
    fed_linux_loop_close(w->linux_loop);
}

void hub_world_open(struct hub_world *w)
{
    hub_world_open_with(w, NULL);
}

void hub_world_open_with(struct hub_world *w, const struct hub_world_part *part)
{
    memset(w, 0, sizeof *w);
    w->part = part;
    snprintf(w->dir, sizeof w->dir, "/tmp/hub-world-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    open_all(w);
}

int hub_world_three(void **state)
{
    static struct hub_world w;

    hub_world_open_three(&w, (const char *const[]){"{}", "{}", "{}"});
    *state = &w;
    return 0;
}

int hub_world_end(void **state)
{
    hub_world_close(*state);
    return 0;
}

void hub_world_close(struct hub_world *w)
{
    static const char *const files[] = {"hub.db", "hub.db-wal", "hub.db-shm"};
    char path[96];

    close_all(w);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", w->dir, files[i]);
        unlink(path);
    }
    rmdir(w->dir);
}

void hub_world_restart(struct hub_world *w)
{
    close_all(w);
    open_all(w);
    hub_world_settle(w);
}

static void stop_loop(void *ctx)
{
    struct fed_loop *loop = ctx;

    loop->stop(loop->ctx);
}

void hub_world_settle(struct hub_world *w)
{
    /* A round may ask for another one; four are more than any change needs. */
    for (int i = 0; i < 4; i++) {
        assert_int_equal(w->loop->defer(w->loop->ctx, stop_loop, w->loop), FED_OK);
        assert_int_equal(fed_linux_loop_run(w->linux_loop), FED_OK);
    }
}

static struct hub_object_ref ref_of(const char *resource, const char *ns, const char *name)
{
    return (struct hub_object_ref){
        .resource = fed_span_text(resource), .ns = fed_span_text(ns), .name = fed_span_text(name)};
}

#define JSON_MAX 8192

static struct fed_span quoted(const char *json, char text[JSON_MAX])
{
    size_t len = strlen(json);

    assert_true(len < JSON_MAX);
    for (size_t i = 0; i <= len; i++)
        text[i] = (char)(json[i] == '\'' ? '"' : json[i]);
    return fed_span_text(text);
}

void hub_world_put(
    struct hub_world *w, const char *resource, const char *ns, const char *name, const char *json)
{
    struct hub_object_write write = {
        .ref = ref_of(resource, ns, name), .expected = HUB_ANY_REVISION};
    struct fed_diag diag = {""};
    char text[JSON_MAX];

    write.bytes = quoted(json, text);
    if (hub_objects_commit(w->objects, &write, 1, NULL, 0, NULL, &diag))
        fail_msg("%s", diag.text);
    hub_world_settle(w);
}

void hub_world_stage(
    struct hub_world *w, const char *resource, const char *ns, const char *name, const char *json)
{
    struct hub_object_write write = {
        .ref = ref_of(resource, ns, name), .expected = HUB_ANY_REVISION, .remove = json == NULL};
    char text[JSON_MAX];

    write.bytes = quoted(json ? json : "", text);
    assert_int_equal(hub_objects_stage(w->objects, &write, 1, NULL, 0, NULL, NULL), FED_OK);
}

void hub_world_remove(struct hub_world *w, const char *resource, const char *ns, const char *name)
{
    struct hub_object_write write = {
        .ref = ref_of(resource, ns, name), .expected = HUB_ANY_REVISION, .remove = true};
    struct fed_diag diag = {""};

    if (hub_objects_commit(w->objects, &write, 1, NULL, 0, NULL, &diag))
        fail_msg("%s", diag.text);
    hub_world_settle(w);
}

void hub_world_cluster(struct hub_world *w, const char *name, const char *labels)
{
    char json[512];

    snprintf(json, sizeof json, "{'metadata':{'name':'%s','labels':%s},'spec':{}}", name, labels);
    hub_world_put(w, W_CLUSTERS, W_SYSTEM, name, json);
    hub_plan_away(w->plan, fed_span_text(name), false);
}

static void put_type(struct hub_world *w, const char *group, const char *version, const char *kind,
    const char *plural, const char *scope, const char *federated_scope)
{
    char json[1024];
    char name[128];

    snprintf(name, sizeof name, "%s%s%s", plural, group[0] ? "." : "", group);
    snprintf(json, sizeof json,
        "{'metadata':{'name':'%s'},'spec':{'propagation':'Enabled','targetType':{'group':'%s','"
        "version':'%s','kind':"
        "'%s','pluralName':'%s','scope':'%s'},'federatedType':{'group':'types.kubefed.io','version'"
        ":'v1beta1','kind':"
        "'Federated%s','pluralName':'federated%s','scope':'%s'}}}",
        name, group, version, kind, plural, scope, kind, plural, federated_scope);
    hub_world_put(w, W_TYPES, W_SYSTEM, name, json);
}

void hub_world_types(struct hub_world *w)
{
    put_type(w, "", "v1", "Namespace", "namespaces", "Cluster", "Namespaced");
    put_type(w, "", "v1", "ConfigMap", "configmaps", "Namespaced", "Namespaced");
    put_type(w, "apps", "v1", "Deployment", "deployments", "Namespaced", "Namespaced");
    put_type(
        w, "rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", "Cluster", "Cluster");
}

const char *hub_world_works(struct hub_world *w, const char *cluster)
{
    static char text[4096];
    const struct fed_manifest *manifest;
    size_t len = 0;

    text[0] = '\0';
    if (hub_plan_manifest(w->plan, fed_span_text(cluster), &manifest))
        return "(none)";
    for (size_t i = 0; i < manifest->n_works; i++) {
        const struct fed_work *work = &manifest->works[i];

        len += (size_t)snprintf(text + len, sizeof text - len,
            "%s" FED_SPAN_FMT "/" FED_SPAN_FMT "/" FED_SPAN_FMT "%s%s%s", len ? "," : "",
            FED_SPAN_ARG(work->kind), FED_SPAN_ARG(work->ns), FED_SPAN_ARG(work->name),
            work->overrides.len ? "+" : "", work->options & FED_WORK_HELD ? "=" : "",
            work->options & FED_WORK_ORPHAN ? "!" : "");
        assert_true(len < sizeof text);
    }
    return text;
}

uint64_t hub_world_revision(struct hub_world *w, const char *cluster)
{
    const struct fed_manifest *manifest;

    assert_int_equal(hub_plan_manifest(w->plan, fed_span_text(cluster), &manifest), FED_OK);
    return manifest->revision;
}

const char *hub_world_stored(
    struct hub_world *w, const char *resource, const char *ns, const char *name)
{
    static char text[8192];
    struct hub_object_ref ref = ref_of(resource, ns, name);
    struct fed_buf bytes;

    fed_buf_init(&bytes, fed_alloc_system(), HUB_OBJECT_BYTES_MAX);
    snprintf(text, sizeof text, "%s",
        hub_objects_get(w->objects, &ref, &bytes, NULL) ? "(absent)" : fed_buf_cstr(&bytes));
    fed_buf_fini(&bytes);
    return text;
}

void hub_world_wait(unsigned ms)
{
    struct timespec wait = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

    nanosleep(&wait, NULL);
}

const char *hub_world_composed(
    struct hub_world *w, const char *resource, const char *ns, const char *name)
{
    static char text[8192];
    struct hub_object_ref ref = ref_of(resource, ns, name);
    struct hub_kind_hooks hooks;
    struct fed_json_doc *doc;
    struct fed_json *object;
    struct fed_buf bytes;
    uint64_t revision;

    if (strcmp(resource, W_CLUSTERS) == 0)
        hub_status_cluster_hooks(w->status, &hooks);
    else if (strcmp(resource, W_VERSIONS) == 0 || strcmp(resource, W_CLUSTER_VERSIONS) == 0)
        hub_status_version_hooks(w->status, &hooks);
    else if (strcmp(resource, W_SERVICE_STATUSES) == 0)
        hub_status_statuses_hooks(w->status, &hooks);
    else
        hub_status_federated_hooks(w->status, &hooks);
    fed_buf_init(&bytes, fed_alloc_system(), HUB_OBJECT_BYTES_MAX);
    if (hub_objects_get(w->objects, &ref, &bytes, &revision))
        return "(absent)";
    assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
    assert_int_equal(fed_json_parse(doc, fed_buf_span(&bytes), &object, NULL), FED_OK);
    assert_int_equal(hooks.compose(hooks.ctx, &ref, doc, object, &revision), FED_OK);
    fed_buf_clear(&bytes);
    assert_int_equal(fed_json_put(&bytes,
                         fed_json_get(object, "status") ? fed_json_get(object, "status") : object),
        FED_OK);
    snprintf(text, sizeof text, "%s", fed_buf_cstr(&bytes));
    fed_buf_fini(&bytes);
    fed_json_doc_free(doc);
    return text;
}

void hub_world_open_three(struct hub_world *w, const char *const labels[3])
{
    hub_world_open(w);
    hub_world_make_three(w, labels);
}

void hub_world_make_three(struct hub_world *w, const char *const labels[3])
{
    static const char *const names[] = {"c1", "c2", "c3"};

    hub_world_types(w);
    for (size_t i = 0; i < 3; i++)
        hub_world_cluster(w, names[i], labels[i]);
    hub_world_put(w, W_NAMESPACES, "ns", "ns",
        "{'metadata':{'name':'ns','namespace':'ns'},'spec':{'placement':{'clusterSelector':{}}}}");
}

void hub_world_put_map(struct hub_world *w, const char *spec)
{
    char json[2048];

    snprintf(json, sizeof json,
        "{'metadata':{'name':'x','namespace':'ns','generation':1,'finalizers':['kubefed.io/"
        "sync-controller']},'spec':%s}",
        spec);
    hub_world_put(w, W_CONFIGMAPS, "ns", "x", json);
}

void hub_world_put_deleting_map(struct hub_world *w, const char *metadata)
{
    char json[512];

    snprintf(json, sizeof json,
        "{'metadata':{'name':'x','namespace':'ns','generation':2,'deletionTimestamp':"
        "'2026-01-01T00:00:00Z','finalizers':['kubefed.io/sync-controller']%s},'spec':{'placement':"
        "{'clusterSelector':{}}}}",
        metadata);
    hub_world_put(w, W_CONFIGMAPS, "ns", "x", json);
}

size_t hub_world_maps(struct hub_world *w, const char *cluster)
{
    const struct fed_manifest *manifest;
    size_t n = 0;

    assert_int_equal(hub_plan_manifest(w->plan, fed_span_text(cluster), &manifest), FED_OK);
    for (size_t i = 0; i < manifest->n_works; i++)
        n += fed_span_is(manifest->works[i].kind, "ConfigMap");
    return n;
}

void hub_world_confirm(struct hub_world *w, const char *cluster)
{
    hub_plan_removed(w->plan, fed_span_text(cluster), hub_world_revision(w, cluster), NULL, 0);
    hub_world_settle(w);
}

const char *hub_world_where(struct hub_world *w, const char *work)
{
    static const char *const clusters[] = {"c1", "c2", "c3"};
    static char text[16];

    text[0] = '\0';
    for (size_t i = 0; i < 3; i++)
        if (strstr(hub_world_works(w, clusters[i]), work))
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", text[0] ? " " : "",
                clusters[i]);
    return text;
}
