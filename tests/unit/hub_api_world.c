/* hub_api_world.c - see hub_api_world.h. */
#include "hub_api_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- the HTTP server's face ---- */
static struct fed_span header(const struct fed_http_header *headers, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (fed_span_is(headers[i].name, name))
            return headers[i].value;
    return (struct fed_span){0};
}

static void answer(
    struct fed_http_exchange *x, unsigned status, const struct fed_http_header *headers, size_t n)
{
    assert_int_equal(x->status, 0); /* one answer */
    x->status = status;
    snprintf(x->content_type, sizeof x->content_type, FED_SPAN_FMT,
        FED_SPAN_ARG(header(headers, n, "content-type")));
    snprintf(
        x->warning, sizeof x->warning, FED_SPAN_FMT, FED_SPAN_ARG(header(headers, n, "warning")));
}

void fed_http_respond(struct fed_http_exchange *x, unsigned status,
    const struct fed_http_header *headers, size_t n_headers, struct fed_span body)
{
    answer(x, status, headers, n_headers);
    fed_buf_put(&x->body, body);
    x->ended = true;
}

struct fed_http_shared {
    struct fed_buf bytes;
    unsigned refs;
};

struct fed_http_shared *fed_http_shared_take(struct fed_buf *bytes)
{
    struct fed_http_shared *shared = fed_alloc_get(bytes->mem, sizeof *shared);

    if (!shared)
        return NULL;
    *shared = (struct fed_http_shared){*bytes, 1};
    fed_buf_init(bytes, bytes->mem, bytes->limit);
    return shared;
}

struct fed_http_shared *fed_http_shared_ref(struct fed_http_shared *shared)
{
    shared->refs++;
    return shared;
}

void fed_http_shared_unref(struct fed_http_shared *shared)
{
    struct fed_alloc *mem = shared ? shared->bytes.mem : NULL;

    if (!shared || --shared->refs > 0)
        return;
    fed_buf_fini(&shared->bytes);
    fed_alloc_free(mem, shared, sizeof *shared);
}

void fed_http_respond_shared(struct fed_http_exchange *x, unsigned status,
    const struct fed_http_header *headers, size_t n_headers, struct fed_http_shared *body)
{
    fed_http_respond(x, status, headers, n_headers, fed_buf_span(&body->bytes));
}

enum fed_err fed_http_stream_share(struct fed_http_exchange *x, struct fed_http_shared *bytes)
{
    return fed_http_stream_write(x, fed_buf_span(&bytes->bytes));
}

enum fed_err fed_http_stream_begin(struct fed_http_exchange *x, unsigned status,
    const struct fed_http_header *headers, size_t n_headers)
{
    answer(x, status, headers, n_headers);
    x->streaming = true;
    return FED_OK;
}

enum fed_err fed_http_stream_write(struct fed_http_exchange *x, struct fed_span bytes)
{
    assert_true(x->streaming && !x->ended);
    if (x->behind)
        return FED_ERR_LIMIT;
    fed_buf_put(&x->body, bytes);
    return FED_OK;
}

void fed_http_stream_end(struct fed_http_exchange *x)
{
    assert_true(x->streaming && !x->ended);
    x->ended = true;
}

const struct fed_http_request *fed_http_exchange_request(const struct fed_http_exchange *x)
{
    return &x->request;
}

void fed_http_exchange_set_user(struct fed_http_exchange *x, void *user)
{
    x->user = user;
}

void *fed_http_exchange_user(const struct fed_http_exchange *x)
{
    return x->user;
}

/* ---- the loop's face ---- */
static uint64_t now_ms(void *ctx)
{
    return ((struct world *)ctx)->now_ms;
}

static int64_t unix_us(void *ctx)
{
    return (1800000000000 + (int64_t)((struct world *)ctx)->now_ms) * 1000;
}

static enum fed_err timer_new(
    void *ctx, fed_loop_call *call, void *call_ctx, struct fed_timer **out)
{
    struct world *w = ctx;

    for (size_t i = 0; i < WORLD_TIMERS; i++)
        if (!w->timers[i].used) {
            w->timers[i] = (struct fed_timer){.call = call, .ctx = call_ctx, .used = true};
            *out = &w->timers[i];
            return FED_OK;
        }
    return FED_ERR_NOMEM;
}

static void timer_set(void *ctx, struct fed_timer *timer, uint64_t due_ms)
{
    (void)ctx;
    timer->due_ms = due_ms;
}

static void timer_stop(void *ctx, struct fed_timer *timer)
{
    (void)ctx;
    timer->due_ms = 0;
}

static void timer_free(void *ctx, struct fed_timer *timer)
{
    (void)ctx;
    if (timer)
        *timer = (struct fed_timer){.used = false};
}

static enum fed_err turn_end(void *ctx, fed_loop_call *call, void *call_ctx)
{
    struct world *w = ctx;

    if (w->n_calls == WORLD_CALLS)
        return FED_ERR_NOMEM;
    w->calls[w->n_calls].call = call;
    w->calls[w->n_calls++].ctx = call_ctx;
    return FED_OK;
}

void world_turn(struct world *w)
{
    while (w->n_calls > 0) {
        w->n_calls--;
        w->calls[w->n_calls].call(w->calls[w->n_calls].ctx);
    }
}

static struct fed_timer *next_due(struct world *w, uint64_t until_ms)
{
    struct fed_timer *next = NULL;

    for (size_t i = 0; i < WORLD_TIMERS; i++) {
        struct fed_timer *timer = &w->timers[i];

        if (timer->used && timer->due_ms != 0 && timer->due_ms <= until_ms &&
            (!next || timer->due_ms < next->due_ms))
            next = timer;
    }
    return next;
}

void world_pass(struct world *w, uint64_t ms)
{
    uint64_t until_ms = w->now_ms + ms;
    struct fed_timer *timer;
    unsigned calls = 0;

    while ((timer = next_due(w, until_ms)) != NULL) {
        assert_true(calls++ < WORLD_REST); /* else it never comes to rest */
        w->now_ms = timer->due_ms > w->now_ms ? timer->due_ms : w->now_ms;
        timer->due_ms = 0;
        timer->call(timer->ctx);
        world_turn(w);
    }
    w->now_ms = until_ms;
}

static enum fed_err next_random(void *ctx, uint8_t *out, size_t len)
{
    struct world *w = ctx;

    for (size_t i = 0; i < len; i++)
        out[i] = w->random++;
    return FED_OK;
}

/* ---- memory ---- */
union block { /* before each block: its size, which whoever frees it must know */
    size_t size;
    max_align_t align;
};

static void *ration(void *ctx, void *at, size_t old_size, size_t size)
{
    struct world_memory *memory = ctx;
    union block *old = at ? (union block *)at - 1 : NULL;
    union block *got;

    assert_int_equal(old ? old->size : 0, old_size);
    if (size > old_size && memory->left == 0) {
        memory->refused = true;
        return NULL;
    }
    if (size > old_size && memory->left > 0)
        memory->left--;
    memory->in_use = memory->in_use - old_size + size;
    if (size == 0) {
        free(old);
        return NULL;
    }
    got = realloc(old, sizeof *got + size);
    assert_non_null(got);
    got->size = size;
    return got + 1;
}

void world_ration(struct world *w, long left)
{
    w->memory.left = left;
    w->memory.refused = false;
}

/* ---- the file of the audit log ---- */
static enum fed_err log_open(void *ctx, const char *path, unsigned mode, struct fed_fs_file **out,
    uint64_t *size, struct fed_diag *diag)
{
    (void)path;
    (void)mode;
    (void)diag;
    *out = ctx;
    *size = 0;
    return FED_OK;
}

static enum fed_err log_append(
    void *ctx, struct fed_fs_file *file, struct fed_span bytes, struct fed_diag *diag)
{
    struct world *w = ctx;

    (void)file;
    (void)diag;
    if (w->audited.len + bytes.len > w->audited.limit)
        fed_buf_clear(&w->audited);
    fed_buf_put(&w->audited, bytes);
    return fed_buf_err(&w->audited);
}

static void log_close(void *ctx, struct fed_fs_file *file)
{
    (void)ctx;
    (void)file;
}

size_t world_audited(const struct world *w, const char *part)
{
    struct fed_span rest = fed_buf_span(&w->audited);
    struct fed_span line;
    size_t n = 0;

    while (fed_span_split(&rest, '\n', &line))
        n += line.len > 0 && memmem(line.at, line.len, part, strlen(part)) != NULL;
    return n;
}

/* ---- open, close ---- */
static void open_all(struct world *w)
{
    static const struct hub_kind_hooks none = {.ctx = NULL};
    struct fed_alloc *mem = &w->memory.alloc;
    struct fed_sqlite_options sqlite = {
        .history = true, .application_id = 1, .new_epoch = 1, .cache_kib = 256};
    struct hub_crds_options crds = {.mem = mem, .loop = &w->loop, .crypto = &w->crypto};
    struct hub_api_options options = {.mem = mem, .loop = &w->loop, .crypto = &w->crypto};
    struct hub_audit_options audit = {.dir = w->dir, .file_bytes = UINT64_MAX, .files = 1};
    struct fed_diag diag = {""};
    char path[96];

    snprintf(path, sizeof path, "%s/hub.db", w->dir);
    assert_int_equal(fed_sqlite_store_open(mem, path, &sqlite, &w->sqlite, &diag), FED_OK);
    assert_int_equal(
        hub_objects_open(mem, &w->loop, fed_sqlite_store_port(w->sqlite), &w->objects, &diag),
        FED_OK);
    assert_int_equal(hub_kinds_new(mem, &w->kinds), FED_OK);
    if (hub_api_builtin_kinds(mem, w->kinds, &diag))
        fail_msg("%s", diag.text);
    crds.objects = w->objects;
    crds.kinds = w->kinds;
    if (hub_crds_open(&crds, &w->crds, &diag))
        fail_msg("%s", diag.text);
    assert_int_equal(
        hub_federated_types_open(mem, NULL, w->objects, w->kinds, w->crds, &none, &w->types, &diag),
        FED_OK);
    options.objects = w->objects;
    options.kinds = w->kinds;
    assert_int_equal(hub_audit_open(mem, &w->loop, NULL, &w->fs, &audit, &w->audit, &diag), FED_OK);
    options.audit = w->audit;
    assert_int_equal(hub_api_open(&options, &w->api, &diag), FED_OK);
    if (hub_api_seed(w->api, &diag))
        fail_msg("%s", diag.text);
    assert_int_equal(hub_events_open(mem, &w->loop, NULL, w->objects, &w->events), FED_OK);
}

static void close_all(struct world *w)
{
    hub_events_close(w->events);
    hub_api_close(w->api);
    hub_audit_close(w->audit);
    hub_federated_types_close(w->types);
    hub_crds_close(w->crds);
    hub_kinds_free(w->kinds);
    hub_objects_close(w->objects);
    fed_sqlite_store_close(w->sqlite);
    for (size_t i = 0; i < WORLD_TIMERS; i++)
        assert_false(w->timers[i].used);
    assert_int_equal(w->memory.in_use, 0);
}

void world_open(struct world *w)
{
    memset(w, 0, sizeof *w);
    w->memory.alloc = (struct fed_alloc){.ctx = &w->memory, .resize = ration};
    w->memory.left = -1;
    snprintf(w->dir, sizeof w->dir, "/tmp/hub-api-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    w->now_ms = 1000;
    w->loop = (struct fed_loop){.ctx = w,
        .now_ms = now_ms,
        .unix_us = unix_us,
        .timer_new = timer_new,
        .timer_set = timer_set,
        .timer_stop = timer_stop,
        .timer_free = timer_free,
        .turn_end = turn_end};
    w->crypto = (struct fed_crypto){.ctx = w, .random = next_random};
    w->fs = (struct fed_fs){
        .ctx = w, .append_open = log_open, .append = log_append, .append_close = log_close};
    fed_buf_init(&w->audited, fed_alloc_system(), 1u << 20);
    snprintf(w->peer.common_name, sizeof w->peer.common_name, "admin");
    snprintf(w->peer.organizations[0], sizeof w->peer.organizations[0], "system:masters");
    w->peer.n_organizations = 1;
    w->accept = "application/json";
    open_all(w);
}

void world_close(struct world *w)
{
    static const char *const files[] = {"hub.db", "hub.db-wal", "hub.db-shm"};
    char path[96];

    close_all(w);
    fed_buf_fini(&w->last.body);
    fed_buf_fini(&w->audited);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", w->dir, files[i]);
        unlink(path);
    }
    rmdir(w->dir);
}

void world_restart(struct world *w)
{
    close_all(w);
    open_all(w);
}

/* ---- requests ---- */
static void send(struct world *w, struct fed_http_exchange *x, const char *method,
    const char *target, const char *type, struct fed_span body)
{
    struct fed_span all = fed_span_text(target);
    size_t mark = fed_span_find(all, '?');
    const struct fed_http_header headers[] = {
        {FED_SPAN_LIT("accept"), fed_span_text(w->accept)},
        {FED_SPAN_LIT("user-agent"), FED_SPAN_LIT("test/1")},
        {FED_SPAN_LIT("content-type"), fed_span_text(type)},
    };

    *x = (struct fed_http_exchange){.request = {.method = fed_span_text(method),
                                        .path = fed_span_sub(all, 0, mark),
                                        .query = fed_span_sub(all, mark + 1, all.len),
                                        .headers = x->headers,
                                        .n_headers = 3,
                                        .body = body,
                                        .peer = w->peer.common_name[0] ? &w->peer : NULL}};
    memcpy(x->headers, headers, sizeof headers);
    fed_buf_init(&x->body, fed_alloc_system(), 64u << 20);
    hub_api_handle(w->api, x, &x->request);
}

void world_send(struct world *w, struct fed_http_exchange *x, const char *method,
    const char *target, const char *body)
{
    send(w, x, method, target, "application/json", fed_span_text(body ? body : ""));
}

unsigned world_call(
    struct world *w, const char *method, const char *target, const char *type, const char *body)
{
    static char text[65536];
    size_t len = body ? strlen(body) : 0;

    assert_true(len < sizeof text);
    for (size_t i = 0; i < len; i++)
        text[i] = (char)(body[i] == '\'' ? '"' : body[i]);
    fed_buf_fini(&w->last.body);
    send(w, &w->last, method, target, type, fed_span_of(text, len));
    world_turn(w);
    assert_true(w->last.ended);
    return w->last.status;
}

const char *world_at(struct world *w, const char *dotted)
{
    static char out[65536];
    struct fed_json_doc *doc;
    struct fed_json *root;
    struct fed_json *value;
    struct fed_buf text;

    fed_buf_init(&text, fed_alloc_system(), sizeof out - 1);
    assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
    assert_int_equal(fed_json_parse(doc, fed_buf_span(&w->last.body), &root, NULL), FED_OK);
    value = fed_json_find(root, dotted);
    if (fed_json_is_string(value))
        fed_buf_put(&text, fed_json_string(value));
    else if (value)
        assert_int_equal(fed_json_put(&text, value), FED_OK);
    snprintf(out, sizeof out, "%s", fed_buf_cstr(&text));
    fed_json_doc_free(doc);
    fed_buf_fini(&text);
    return out;
}

bool world_says(const struct fed_http_exchange *x, const char *part)
{
    return x->body.len > 0 && memmem(x->body.at, x->body.len, part, strlen(part)) != NULL;
}

/* ---- watches ---- */
struct fed_http_exchange *world_watch(struct world *w, const char *target)
{
    struct fed_http_exchange *x = calloc(1, sizeof *x);

    assert_non_null(x);
    send(w, x, "GET", target, "", (struct fed_span){0});
    assert_int_not_equal(x->status, 0);
    return x;
}

void world_unwatch(struct world *w, struct fed_http_exchange *x)
{
    if (!x->ended)
        hub_api_closed(w->api, x);
    fed_buf_fini(&x->body);
    free(x);
}

static void put_one(char *out, size_t size, struct fed_json *event)
{
    size_t used = strlen(out);
    struct fed_span type = fed_json_string(fed_json_get(event, "type"));
    struct fed_span name = fed_json_string(fed_json_find(event, "object.metadata.name"));

    snprintf(out + used, size - used, "%s" FED_SPAN_FMT "%s" FED_SPAN_FMT, used ? "," : "",
        FED_SPAN_ARG(type), name.len ? " " : "", FED_SPAN_ARG(name));
}

const char *world_events(struct fed_http_exchange *x)
{
    static char out[4096];
    struct fed_span rest = fed_buf_span(&x->body);
    struct fed_span line;

    out[0] = 0;
    while (fed_span_split(&rest, '\n', &line)) {
        struct fed_json_doc *doc;
        struct fed_json *event;

        if (line.len == 0)
            continue;
        assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
        assert_int_equal(fed_json_parse(doc, line, &event, NULL), FED_OK);
        put_one(out, sizeof out, event);
        fed_json_doc_free(doc);
    }
    fed_buf_clear(&x->body);
    return out;
}

int world_setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    world_open(w);
    *state = w;
    return 0;
}

int world_teardown(void **state)
{
    world_close(*state);
    free(*state);
    return 0;
}

void world_make(struct world *w, const char *name, const char *more)
{
    char body[1024];

    snprintf(body, sizeof body,
        "{'kind':'ConfigMap','apiVersion':'v1','metadata':{'name':'%s'%s},'data':{'k':'1'}}", name,
        more);
    if (world_call(w, "POST", CM, JSON, body) != 201)
        fail_msg("%s", (const char *)w->last.body.at);
}

void world_must(struct world *w, unsigned status, const char *method, const char *target,
    const char *type, const char *body)
{
    if (world_call(w, method, target, type, body) != status)
        fail_msg("%s %s: %u " FED_SPAN_FMT, method, target, w->last.status,
            FED_SPAN_ARG(fed_buf_span(&w->last.body)));
}
