/* agent_world_kube.c - the member's API server of agent_world.h: as much of Kubernetes' server-side
 * apply as the agent relies on. A field set is represented by the length and sum of the applied
 * body: equal bodies, equal fields. */
#include "tests/unit/agent_world_inner.h"

#include "agent/path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fed_kube_call {
    char method[8];
    char path[600];
    char body[8192];
    bool full; /* with contents */
    char user[100];
    fed_kube_done *done;
    void *ctx;
    struct fed_kube_call *next;
};

static void note(struct world *w, const char *method, const char *path)
{
    size_t len = strlen(w->requests);

    snprintf(w->requests + len, sizeof w->requests - len, "%s %s\n", method, path);
}

static enum fed_err request(void *ctx, const struct fed_kube_request *request, fed_kube_done *done,
    void *done_ctx, struct fed_kube_call **out)
{
    struct world *w = ctx;
    struct fed_kube_call **end = &w->calls;
    struct fed_kube_call *call;

    if (request->path[0] == '\0')
        return FED_ERR_NOMEM;
    call = calloc(1, sizeof *call);

    snprintf(call->method, sizeof call->method, "%s", request->method);
    snprintf(call->path, sizeof call->path, "%s", request->path);
    snprintf(call->user, sizeof call->user, "%s", request->impersonate ? request->impersonate : "");
    call->full = !request->accept || strcmp(request->accept, "application/json") == 0;
    assert_true(request->body.len < sizeof call->body);
    if (request->body.len > 0)
        memcpy(call->body, request->body.at, request->body.len);
    call->done = done;
    call->ctx = done_ctx;
    while (*end)
        end = &(*end)->next;
    *end = call;
    if (out)
        *out = call;
    return FED_OK;
}

static void take_out(struct world *w, struct fed_kube_call *call)
{
    struct fed_kube_call **at = &w->calls;

    while (*at != call)
        at = &(*at)->next;
    *at = call->next;
}

static void cancel(void *ctx, struct fed_kube_call *call)
{
    take_out(ctx, call);
    free(call);
}

static enum fed_err watch(void *ctx, const char *path, const char *accept,
    const struct fed_kube_watch_events *events, struct fed_kube_watch **out)
{
    struct world *w = ctx;

    (void)accept;
    if (path[0] == '\0')
        return FED_ERR_NOMEM;
    for (size_t i = 0; i < 16; i++) {
        if (w->watches[i].used)
            continue;
        w->watches[i] = (struct world_watch){.used = true, .events = *events};
        snprintf(w->watches[i].path, sizeof w->watches[i].path, "%s", path);
        w->watched++;
        *out = (struct fed_kube_watch *)&w->watches[i];
        return FED_OK;
    }
    return FED_ERR_LIMIT;
}

static void watch_cancel(void *ctx, struct fed_kube_watch *handle)
{
    (void)ctx;
    ((struct world_watch *)handle)->used = false;
}

void world_kube_init(struct world *w)
{
    w->kube = (struct fed_kube){.ctx = w,
        .request = request,
        .cancel = cancel,
        .watch = watch,
        .watch_cancel = watch_cancel};
}

void world_kube_cut(struct world *w)
{
    while (w->calls)
        cancel(w, w->calls);
    memset(w->watches, 0, sizeof w->watches);
}

/* ---- objects ---- */

struct world_object *world_object(struct world *w, const char *path)
{
    for (size_t i = 0; i < WORLD_OBJECTS; i++) {
        if (w->objects[i].used && strcmp(w->objects[i].path, path) == 0)
            return &w->objects[i];
    }
    return NULL;
}

struct world_object *world_add_object(struct world *w, const char *path, const char *managed)
{
    struct world_object *object = w->objects;

    while (object->used)
        object++;
    *object = (struct world_object){.used = true, .rv = ++w->next_rv, .generation = 1};
    snprintf(object->path, sizeof object->path, "%s", path);
    snprintf(object->uid, sizeof object->uid, "uid-%u", ++w->next_uid);
    snprintf(object->managed, sizeof object->managed, "%s", managed);
    return object;
}

/* "/apis/apps/v1/namespaces/NS/deployments/NAME": NS or "". */
static void names_of(const struct world_object *o, char ns[100], char name[100])
{
    const char *in = strstr(o->path, "/namespaces/");
    const char *last = strrchr(o->path, '/');

    snprintf(name, 100, "%s", last + 1);
    ns[0] = '\0';
    if (in && in + strlen("/namespaces") != last)
        snprintf(ns, 100, "%.*s", (int)strcspn(in + 12, "/"), in + 12);
}

static void put_other(struct fed_buf *out, const struct world_object *o)
{
    fed_buf_printf(out,
        "{\"manager\":\"%s\",\"operation\":\"Update\",\"time\":\"2026-01-02T00:00:00Z\"", o->other);
    if (o->other_part[0])
        fed_buf_printf(out, ",\"subresource\":\"%s\"", o->other_part);
    if (o->other_version[0])
        fed_buf_printf(out, ",\"apiVersion\":\"%s\"", o->other_version);
    if (o->other_fields[0])
        fed_buf_printf(out, ",\"fieldsV1\":%s", o->other_fields);
    fed_buf_put_u8(out, '}');
}

static void put_as(struct fed_buf *out, const struct world_object *o, const char *kind)
{
    char ns[100];
    char name[100];

    names_of(o, ns, name);
    fed_buf_put_u8(out, '{');
    if (kind)
        fed_buf_printf(out, "\"kind\":\"%s\",", kind);
    fed_buf_printf(out, "\"metadata\":{\"name\":\"%s\",", name);
    if (ns[0])
        fed_buf_printf(out, "\"namespace\":\"%s\",", ns);
    fed_buf_printf(out, "\"uid\":\"%s\",\"resourceVersion\":\"%u\",\"generation\":%u", o->uid,
        o->rv, o->generation);
    if (o->deleting)
        fed_buf_put_text(out, ",\"deletionTimestamp\":\"2026-01-02T00:00:00Z\"");
    if (o->managed[0])
        fed_buf_printf(out, ",\"labels\":{\"kubefed.io/managed\":\"%s\"}", o->managed);
    if (o->finalizers[0])
        fed_buf_printf(out, ",\"finalizers\":[%s]", o->finalizers);
    fed_buf_put_text(out, ",\"managedFields\":[");
    if (o->other[0] && !o->other_last)
        put_other(out, o);
    if (o->other[0] && !o->other_last && o->fields[0])
        fed_buf_put_u8(out, ',');
    if (o->fields[0] && o->twice)
        fed_buf_put_text(
            out, "{\"manager\":\"fedlet\",\"operation\":\"Apply\",\"fieldsV1\":{\"f:old\":{}}},");
    if (o->fields[0])
        fed_buf_printf(out,
            "{\"manager\":\"fedlet\",\"operation\":\"Apply\",\"fieldsV1\":{\"f:%s\":{}}}",
            o->fields);
    if (o->other[0] && o->other_last) {
        fed_buf_put_text(out, o->fields[0] ? "," : "");
        put_other(out, o);
    }
    fed_buf_put_text(out, "]}");
    if (o->spec[0])
        fed_buf_printf(out, ",\"spec\":%s", o->spec);
    if (o->status[0])
        fed_buf_printf(out, ",\"status\":%s", o->status);
    fed_buf_put_u8(out, '}');
}

static void put_object(struct fed_buf *out, const struct world_object *o)
{
    put_as(out, o, NULL);
}

void world_event(struct world *w, const struct world_object *object, const char *type)
{
    struct fed_buf line;
    char plural[100];
    const char *last = strrchr(object->path, '/');
    const char *from = last;

    while (*--from != '/')
        ;
    snprintf(plural, sizeof plural, "%.*s?", (int)(last - from), from);
    fed_buf_init(&line, fed_alloc_system(), 1u << 20);
    fed_buf_printf(&line, "{\"type\":\"%s\",\"object\":", type);
    put_object(&line, object);
    fed_buf_put_u8(&line, '}');
    for (size_t i = 0; i < 16; i++) {
        if (w->watches[i].used && strstr(w->watches[i].path, plural))
            w->watches[i].events.line(w->watches[i].events.ctx, fed_buf_span(&line));
    }
    fed_buf_fini(&line);
}

void world_pass_minutes(struct world *w, unsigned minutes)
{
    char line[100];

    while (minutes--) {
        world_pass(w, 60000);
        snprintf(line, sizeof line,
            "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"%u\"}}}",
            w->next_rv);
        for (size_t i = 0; i < sizeof w->watches / sizeof *w->watches; i++) {
            if (w->watches[i].used)
                w->watches[i].events.line(w->watches[i].events.ctx, fed_span_text(line));
        }
        world_settle(w);
    }
}

/* ---- answers ---- */

static void status_body(struct fed_buf *out, unsigned code, const char *kind)
{
    fed_buf_printf(out,
        "{\"kind\":\"Status\",\"code\":%u,\"reason\":\"NotFound\",\"message\":\"%s not found\","
        "\"details\":{\"kind\":\"%s\"}}",
        code, kind, kind);
}

static bool namespace_missing(struct world *w, const char *path)
{
    const char *in = strstr(path, "/namespaces/");
    char ns_path[200];

    if (!in || !strchr(in + 12, '/'))
        return false;
    snprintf(
        ns_path, sizeof ns_path, "/api/v1/namespaces/%.*s", (int)strcspn(in + 12, "/"), in + 12);
    return !world_object(w, ns_path);
}

static unsigned version_of(const char *body)
{
    static const char key[] = "\"version\":\"";
    const char *at = strstr(body, key);

    return at ? (unsigned)strtoul(at + sizeof key - 1, NULL, 10) : 0;
}

/* Somebody else is as fast as the watch. */
static void rob(struct world *w, struct world_object *o)
{
    if (w->thefts == 0 || strcmp(o->path, w->thief_path) != 0)
        return;
    w->thefts--;
    o->rv = ++w->next_rv;
    snprintf(o->fields, sizeof o->fields, "stolen-%u", w->thefts);
    snprintf(o->other, sizeof o->other, "%s", w->thief);
    world_event(w, o, "MODIFIED");
}

/* Takes the uid that the body names out of it: it is no field. */
static void take_uid(char *body, char uid[40])
{
    static const char key[] = ",\"uid\":\"";
    char *at = strstr(body, key);
    size_t len = at ? strcspn(at + sizeof key - 1, "\"") : 0;

    snprintf(uid, 40, "%.*s", (int)len, at ? at + sizeof key - 1 : "");
    if (at)
        memmove(at, at + sizeof key + len, strlen(at + sizeof key + len) + 1);
}

/* As kube-apiserver does it: 409 when there is none, 422 when it is another. */
static unsigned refuse_uid(const struct world_object *o, const char *uid, struct fed_buf *out)
{
    if (!uid[0] || (o && strcmp(o->uid, uid) == 0))
        return 0;
    fed_buf_printf(out,
        o ? "{\"kind\":\"Status\",\"message\":\"metadata.uid: Invalid value: field is immutable\"}"
          : "{\"kind\":\"Status\",\"message\":\"uid mismatch\"}");
    return o ? 422 : 409;
}

static unsigned apply_object(
    struct world *w, const char *path, struct fed_kube_call *call, struct fed_buf *out)
{
    struct world_object *o = world_object(w, path);
    unsigned sum = 0;
    unsigned status;
    char fields[80];
    char uid[40];

    take_uid(call->body, uid);
    status = refuse_uid(o, uid, out);
    if (status)
        return status;
    for (const char *c = call->body; *c; c++)
        sum = sum * 31 + (unsigned char)*c;
    snprintf(fields, sizeof fields, "%zu-%u", strlen(call->body), sum);
    if (!o && namespace_missing(w, path)) {
        status_body(out, 404, "namespaces");
        return 404;
    }
    if (!o)
        o = world_add_object(w, path, "");
    if (strcmp(o->fields, fields) != 0 || strcmp(o->managed, "true") != 0) {
        o->rv = ++w->next_rv;
        o->generation++;
    }
    snprintf(o->fields, sizeof o->fields, "%s", fields);
    snprintf(o->managed, sizeof o->managed, "true");
    o->version = version_of(call->body);
    put_object(out, o);
    rob(w, o);
    return 200;
}

static unsigned delete_object(
    struct world *w, const char *path, const char *body, struct fed_buf *out)
{
    struct world_object *o = world_object(w, path);

    if (!o) {
        status_body(out, 404, "things");
        return 404;
    }
    if (!strstr(body, o->uid)) {
        status_body(out, 409, "uid");
        return 409;
    }
    o->used = w->linger;
    o->deleting = true;
    return 200;
}

static unsigned list_objects(struct world *w, const char *path, struct fed_buf *out)
{
    char plural[100];
    size_t len = strcspn(path, "?");
    const char *from = path + len;
    size_t n = 0;
    size_t lost = 0;
    enum world_lie lie = w->lies > 0 ? w->lie : WORLD_LIE_NONE;
    size_t begin = out->len;

    w->lists++;
    w->lies -= lie != WORLD_LIE_NONE;
    if (lie == WORLD_LIE_REFUSED || (lie == WORLD_LIE_MIDDLE && strstr(path, "continue=x"))) {
        status_body(out, lie == WORLD_LIE_REFUSED ? 500 : 410, "");
        return lie == WORLD_LIE_REFUSED ? 500 : 410;
    }
    if (w->no_kind && strstr(path, "/configmaps?")) {
        status_body(out, 404, "");
        return 404;
    }
    if (strstr(path, "/gadgets?")) {
        w->gadgets_listed++;
        status_body(out, 404, "");
        return 404;
    }
    while (*--from != '/')
        ;
    snprintf(plural, sizeof plural, "%.*s/", (int)(path + len - from), from);
    fed_buf_put_text(out, "{\"metadata\":{");
    if (lie != WORLD_LIE_UNVERSIONED)
        fed_buf_printf(out, "\"resourceVersion\":\"%u\"", w->next_rv);
    fed_buf_printf(out, "%s},\"items\":[", lie == WORLD_LIE_MIDDLE ? ",\"continue\":\"x\"" : "");
    for (size_t i = 0; i < WORLD_OBJECTS; i++) {
        const struct world_object *o = &w->objects[i];
        const char *at = o->used ? strstr(o->path, plural) : NULL;

        if (!at || strchr(at + strlen(plural), '/') || strcmp(o->managed, "true") != 0 ||
            lie == WORLD_LIE_EMPTY || (lie == WORLD_LIE_LOST && lost++ == 0))
            continue;
        if (n++ > 0)
            fed_buf_put_u8(out, ',');
        put_object(out, o);
    }
    fed_buf_put_text(out, "]}");
    if (lie == WORLD_LIE_TORN)
        out->len = begin + (out->len - begin) / 2;
    return 200;
}

static unsigned release_object(struct world *w, const char *path, struct fed_buf *out)
{
    struct world_object *o = world_object(w, path);

    if (!o)
        return 404;
    o->managed[0] = o->fields[0] = '\0';
    o->rv = ++w->next_rv;
    put_object(out, o);
    return 200;
}

static unsigned get_object(struct world *w, const char *path, bool full, struct fed_buf *out)
{
    struct world_object *o = world_object(w, path);

    if (!o) {
        status_body(out, 404, "things");
        return 404;
    }
    put_as(out, o, full ? "Thing" : "PartialObjectMetadata");
    return 200;
}

/* What the API server says itself, before any kind is asked; 0: nothing. */
static unsigned respond_group(struct world *w, const char *path, struct fed_buf *out)
{
    static const char apps[] = "/apis/apps";

    if (strcmp(path, apps) == 0 && w->groups_status) {
        status_body(out, w->groups_status, "User \\\"fedlet\\\"");
        return w->groups_status;
    }
    if (strcmp(path, apps) == 0 && w->groups) {
        fed_buf_printf(out, "{\"kind\":\"APIGroup\",\"versions\":[%s]}", w->groups);
        return 200;
    }
    if (strncmp(path, apps, sizeof apps - 1) != 0 || !w->served ||
        strncmp(path + strlen("/apis/"), w->served, strlen(w->served)) == 0)
        return 0;
    fed_buf_put_text(out, "404 page not found\n");
    return 404;
}

static unsigned respond(struct world *w, struct fed_kube_call *call, struct fed_buf *out)
{
    unsigned said;
    char path[600];

    snprintf(path, sizeof path, "%.*s", (int)strcspn(call->path, "?"), call->path);
    if (strcmp(path, "/healthz") == 0) {
        fed_buf_put_text(out, w->healthz ? w->healthz : "ok");
        return w->healthz ? 500 : 200;
    }
    if (strcmp(path, "/api/v1/nodes") == 0) {
        fed_buf_printf(out, "{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[%s]}",
            w->nodes ? w->nodes : "");
        return 200;
    }
    if (strcmp(path, "/version") == 0) {
        fed_buf_put_text(out, "{\"gitVersion\":\"v1.34.4\"}");
        return 200;
    }
    if (strstr(path, "/pods")) {
        if (strstr(path, "/namespaces/")) /* of one workload, not all that wait for a node */
            snprintf(w->pods_path, sizeof w->pods_path, "%s", call->path);
        fed_buf_printf(out, "{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[%s]}",
            w->pods ? w->pods : "");
        return 200;
    }
    said = respond_group(w, path, out);
    if (strstr(call->path, "labelSelector="))
        return said ? said : list_objects(w, call->path, out);
    note(w, call->method, path);
    if (said)
        return said;
    if (strcmp(call->method, "GET") == 0 && w->fail_gets > 0) {
        w->fail_gets--;
        return 500;
    }
    if (strcmp(call->method, "GET") == 0 && w->reader && strcmp(w->reader, call->user) != 0) {
        status_body(out, 403, "User \\\"somebody else\\\"");
        return 403;
    }
    if (strcmp(call->method, "GET") == 0)
        return get_object(w, path, call->full, out);
    memcpy(w->last_body, call->body, sizeof w->last_body);
    if (w->judge) {
        unsigned status = w->judge(w->judge_ctx, call->method, path, call->body, out);

        if (status)
            return status;
    }
    if (strcmp(call->method, "DELETE") == 0)
        return delete_object(w, path, call->body, out);
    if (w->refuse_path && strstr(path, w->refuse_path)) {
        fed_buf_put_text(out, w->refuse_body);
        return w->refuse_status;
    }
    if (w->no_kind && strstr(path, "/configmaps/")) {
        status_body(out, 404, "");
        return 404;
    }
    if (call->body[0] == '[')
        return release_object(w, path, out);
    assert_non_null(strstr(call->path, "fieldManager=fedlet&force=true&fieldValidation=Ignore"));
    return apply_object(w, path, call, out);
}

static bool is_too_much(const struct world *w, const struct fed_kube_call *call)
{
    const char *limit = strstr(call->path, "&limit=");

    return w->page_max > 0 && limit && strtoul(limit + 7, NULL, 10) > w->page_max;
}

bool world_kube_step(struct world *w)
{
    struct fed_kube_call *call = w->calls;
    struct fed_kube_answer answer = {0};
    struct fed_diag diag = {"connection refused"};
    struct fed_buf body;

    if (!call || w->api_hold)
        return false;
    take_out(w, call);
    fed_buf_init(&body, fed_alloc_system(), 1u << 20);
    if (!w->api_down) {
        answer.status = respond(w, call, &body);
        answer.body = fed_buf_span(&body);
        answer.retry_after_s = answer.status == 429 ? w->refuse_retry_after_s : 0;
    }
    if (is_too_much(w, call))
        call->done(call->ctx, FED_ERR_LIMIT, NULL, &diag);
    else if (answer.status == 0)
        call->done(call->ctx, FED_ERR_NETWORK, NULL, &diag);
    else
        call->done(call->ctx, FED_OK, &answer, NULL);
    fed_buf_fini(&body);
    free(call);
    return true;
}

unsigned world_asked(const struct world *w, const char *wanted)
{
    unsigned n = 0;
    const char *at = w->requests;

    while ((at = strstr(at, wanted))) {
        if (at == w->requests || at[-1] == '\n')
            n++;
        at++;
    }
    return n;
}

void world_forget_requests(struct world *w)
{
    w->requests[0] = '\0';
}
