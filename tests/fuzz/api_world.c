/* api_world.c - see api_world.h. */
#include "tests/fuzz/api_world.h"

#include "hub/limits.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SNAPSHOT_MAX (64u << 20)
#define OPS_MAX 4096u
#define RESTORES 4
#define REST_MS 7000u /* the collectors' retries are behind it */

/* ---- memory ---- */
union block { /* before each block: its size, which whoever frees it must know */
    size_t size;
    max_align_t align;
};

static void *count(void *ctx, void *at, size_t old_size, size_t size)
{
    struct api_memory *memory = ctx;
    union block *old = at ? (union block *)at - 1 : NULL;
    union block *got;

    FUZZ_CHECK((old ? old->size : 0) == old_size);
    memory->in_use = memory->in_use - old_size + size;
    if (size == 0) {
        free(old);
        return NULL;
    }
    got = realloc(old, sizeof *got + size);
    FUZZ_CHECK(got);
    got->size = size;
    return got + 1;
}

static void memory_init(struct api_memory *memory)
{
    memory->alloc = (struct fed_alloc){.ctx = memory, .resize = count};
    memory->in_use = 0;
}

/* ---- the loop ---- */
static uint64_t now_ms(void *ctx)
{
    return ((struct api_world *)ctx)->now_ms;
}

static int64_t unix_us(void *ctx)
{
    return (1800000000000 + (int64_t)((struct api_world *)ctx)->now_ms) * 1000;
}

static enum fed_err timer_new(
    void *ctx, fed_loop_call *call, void *call_ctx, struct fed_timer **out)
{
    struct api_world *w = ctx;

    for (size_t i = 0; i < API_WORLD_TIMERS; i++)
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
    timer->due_ms = due_ms ? due_ms : 1;
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
    struct api_world *w = ctx;

    if (w->n_calls == API_WORLD_CALLS)
        return FED_ERR_NOMEM;
    w->calls[w->n_calls].call = call;
    w->calls[w->n_calls++].ctx = call_ctx;
    return FED_OK;
}

void api_world_turn(struct api_world *w)
{
    while (w->n_calls > 0) {
        w->n_calls--;
        w->calls[w->n_calls].call(w->calls[w->n_calls].ctx);
    }
}

static struct fed_timer *next_due(struct api_world *w, uint64_t until_ms)
{
    struct fed_timer *next = NULL;

    for (size_t i = 0; i < API_WORLD_TIMERS; i++) {
        struct fed_timer *timer = &w->timers[i];

        if (timer->used && timer->due_ms != 0 && timer->due_ms <= until_ms &&
            (!next || timer->due_ms < next->due_ms))
            next = timer;
    }
    return next;
}

void api_world_pass(struct api_world *w, uint64_t ms)
{
    uint64_t until_ms = w->now_ms + ms;
    struct fed_timer *timer;
    unsigned calls = 0;

    while ((timer = next_due(w, until_ms)) != NULL) {
        FUZZ_CHECK(++calls < 100000); /* a timer that is always due is a loop without end */
        w->now_ms = timer->due_ms > w->now_ms ? timer->due_ms : w->now_ms;
        timer->due_ms = 0;
        timer->call(timer->ctx);
        api_world_turn(w);
    }
    w->now_ms = until_ms;
}

/* ---- keys that are none: the same each time, and quick ---- */
static enum fed_err next_random(void *ctx, uint8_t *out, size_t len)
{
    struct api_world *w = ctx;

    for (size_t i = 0; i < len; i++) {
        w->random = w->random * 6364136223846793005u + 1442695040888963407u;
        out[i] = (uint8_t)(w->random >> 56);
    }
    return FED_OK;
}

static enum fed_err key_public(
    void *ctx, struct fed_span key_pem, struct fed_buf *spki_der, struct fed_diag *diag)
{
    (void)ctx;
    (void)diag;
    fed_buf_put(spki_der, key_pem);
    return fed_buf_err(spki_der);
}

static enum fed_err sign(
    void *ctx, struct fed_span key_pem, struct fed_span message, uint8_t signature[64])
{
    struct fed_digest digest;
    enum fed_err err = fed_digest_of(message, &digest);

    (void)ctx;
    (void)key_pem;
    memcpy(signature, digest.bytes, 32);
    memcpy(signature + 32, digest.bytes, 32);
    return err;
}

static enum fed_err verify(
    void *ctx, struct fed_span spki_der, struct fed_span message, const uint8_t signature[64])
{
    uint8_t right[64];
    enum fed_err err = sign(ctx, spki_der, message, right);

    return err ? err : memcmp(right, signature, 64) == 0 ? FED_OK : FED_ERR_FORBIDDEN;
}

/* ---- the audit log ---- */
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

/* Each line is a JSON document, whatever the requests put into it. */
static enum fed_err log_append(
    void *ctx, struct fed_fs_file *file, struct fed_span bytes, struct fed_diag *diag)
{
    struct fed_span line;

    (void)ctx;
    (void)file;
    (void)diag;
    while (fed_span_split(&bytes, '\n', &line)) {
        struct fed_json_doc *doc;
        struct fed_json *record;

        if (line.len == 0)
            continue;
        FUZZ_CHECK(!fed_json_doc_new(fed_alloc_system(), &doc));
        FUZZ_CHECK(!fed_json_parse(doc, line, &record, NULL));
        fed_json_doc_free(doc);
    }
    return FED_OK;
}

static void log_close(void *ctx, struct fed_fs_file *file)
{
    (void)ctx;
    (void)file;
}

/* ---- open, close ---- */
/* The files are open: without names they go with the process, however it ends. */
static void drop_names(const struct api_world *w)
{
    static const char *const files[] = {"hub.db", "hub.db-wal", "hub.db-shm"};
    char path[96];

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", w->dir, files[i]);
        unlink(path);
    }
    FUZZ_CHECK(!rmdir(w->dir));
}

static void open_store(struct api_world *w, struct fed_diag *diag)
{
    struct fed_alloc *mem = &w->hub_memory.alloc;
    struct fed_sqlite_options sqlite = {.history = true,
        .application_id = 1,
        .new_epoch = 1,
        .cache_kib = 1024,
        .history_kib = 4096};
    struct hub_crds_options crds = {.mem = mem, .loop = &w->loop, .crypto = &w->crypto};
    static const struct hub_kind_hooks none = {.ctx = NULL};
    char path[96];

    snprintf(path, sizeof path, "%s/hub.db", w->dir);
    FUZZ_CHECK(!fed_sqlite_store_open(mem, path, &sqlite, &w->sqlite, diag));
    FUZZ_CHECK(!hub_objects_open(
        mem, &w->loop, fed_sqlite_store_port(w->sqlite), &w->objects, diag));
    FUZZ_CHECK(!hub_kinds_new(mem, &w->kinds));
    FUZZ_CHECK(!hub_api_builtin_kinds(mem, w->kinds, diag));
    crds.objects = w->objects;
    crds.kinds = w->kinds;
    FUZZ_CHECK(!hub_crds_open(&crds, &w->crds, diag));
    FUZZ_CHECK(!hub_federated_types_open(
        mem, NULL, w->objects, w->kinds, w->crds, &none, &w->types, diag));
}

static void open_api(struct api_world *w, struct fed_diag *diag)
{
    struct fed_alloc *mem = &w->hub_memory.alloc;
    struct hub_audit_options audit = {
        .dir = w->dir, .file_bytes = UINT64_MAX, .files = 1, .reads = true};
    struct hub_api_options options = {.mem = mem,
        .loop = &w->loop,
        .crypto = &w->crypto,
        .objects = w->objects,
        .kinds = w->kinds,
        .ca_pem = FED_SPAN_LIT("-----BEGIN CERTIFICATE-----\n")};

    FUZZ_CHECK(!hub_tokens_open(
        mem, &w->loop, &w->crypto, w->objects, FED_SPAN_LIT("a key"), &w->tokens, diag));
    FUZZ_CHECK(!hub_audit_open(mem, &w->loop, NULL, &w->fs, &audit, &w->audit, diag));
    FUZZ_CHECK(!hub_events_open(mem, &w->loop, NULL, w->objects, &w->events));
    options.tokens = w->tokens;
    options.audit = w->audit;
    FUZZ_CHECK(!hub_api_open(&options, &w->api, diag));
    FUZZ_CHECK(!hub_api_seed(w->api, diag));
}

static void open_http(struct api_world *w)
{
    w->engine = (struct fed_http_engine){.mem = &w->http_memory.alloc,
        .loop = &w->loop,
        .refusal = hub_api_refusal,
        .body_max = HUB_LIMIT_BODY_BYTES,
        .header_max = HUB_LIMIT_HEADER_BYTES,
        .queue_max = HUB_LIMIT_STREAM_QUEUE,
        .streams_max = HUB_LIMIT_STREAMS,
        .idle_timeout_ms = HUB_LIMIT_IDLE_MS,
        .header_timeout_ms = HUB_LIMIT_HANDSHAKE_MS};
}

void api_world_open(struct api_world *w)
{
    struct fed_diag diag = {""};

    memset(w, 0, sizeof *w);
    memory_init(&w->hub_memory);
    memory_init(&w->http_memory);
    fed_buf_init(&w->snapshot, fed_alloc_system(), SNAPSHOT_MAX);
    snprintf(w->dir, sizeof w->dir, "%s/fuzz-api-XXXXXX",
        access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    FUZZ_CHECK(mkdtemp(w->dir));
    w->now_ms = 1000;
    w->loop = (struct fed_loop){.ctx = w,
        .now_ms = now_ms,
        .unix_us = unix_us,
        .timer_new = timer_new,
        .timer_set = timer_set,
        .timer_stop = timer_stop,
        .timer_free = timer_free,
        .turn_end = turn_end};
    w->crypto = (struct fed_crypto){
        .ctx = w, .random = next_random, .key_public = key_public, .sign = sign, .verify = verify};
    w->fs = (struct fed_fs){
        .ctx = w, .append_open = log_open, .append = log_append, .append_close = log_close};
    open_store(w, &diag);
    open_api(w, &diag);
    drop_names(w);
    open_http(w);
}

void api_world_close(struct api_world *w)
{
    hub_events_close(w->events);
    hub_api_close(w->api);
    hub_audit_close(w->audit);
    hub_tokens_close(w->tokens);
    hub_federated_types_close(w->types);
    hub_crds_close(w->crds);
    hub_kinds_free(w->kinds);
    hub_objects_close(w->objects);
    fed_sqlite_store_close(w->sqlite);
    for (size_t i = 0; i < API_WORLD_TIMERS; i++)
        FUZZ_CHECK(!w->timers[i].used);
    FUZZ_CHECK(w->hub_memory.in_use == 0);
    FUZZ_CHECK(w->http_memory.in_use == 0);
    fed_buf_fini(&w->snapshot);
}

/* ---- what is stored ---- */
static void each_object(struct api_world *w, fed_store_each *each, void *ctx)
{
    struct fed_store *store = hub_objects_store(w->objects);

    FUZZ_CHECK(!store->range(store->ctx, FED_SPAN_LIT("o/"), FED_SPAN_LIT("o0"), 0, each, ctx));
}

/* "o/" resource NUL namespace NUL name */
static struct hub_object_ref ref_of(struct fed_span key)
{
    struct fed_span rest = fed_span_sub(key, 2, key.len);
    struct hub_object_ref ref;

    FUZZ_CHECK(fed_span_split(&rest, 0, &ref.resource));
    FUZZ_CHECK(fed_span_split(&rest, 0, &ref.ns));
    ref.name = rest;
    return ref;
}

static void check_object(struct fed_span key, struct fed_span value)
{
    struct hub_object_ref ref = ref_of(key);
    struct fed_json_doc *doc;
    struct fed_json *object;

    FUZZ_CHECK(!fed_json_doc_new(fed_alloc_system(), &doc));
    FUZZ_CHECK(!fed_json_parse(doc, value, &object, NULL));
    FUZZ_CHECK(fed_span_eq(fed_json_string(fed_json_find(object, "metadata.name")), ref.name));
    FUZZ_CHECK(fed_span_eq(fed_json_string(fed_json_find(object, "metadata.namespace")), ref.ns));
    FUZZ_CHECK(fed_json_string(fed_json_find(object, "metadata.uid")).len == 36);
    FUZZ_CHECK(fed_json_string(fed_json_find(object, "metadata.creationTimestamp")).len > 0);
    FUZZ_CHECK(!fed_json_find(object, "metadata.resourceVersion"));
    FUZZ_CHECK(fed_json_string(fed_json_get(object, "kind")).len > 0);
    FUZZ_CHECK(fed_json_string(fed_json_get(object, "apiVersion")).len > 0);
    fed_json_doc_free(doc);
}

static void put_item(struct fed_buf *out, const struct fed_store_item *item)
{
    fed_buf_put_u32(out, (uint32_t)item->key.len);
    fed_buf_put_u32(out, (uint32_t)item->value.len);
    fed_buf_put(out, item->key);
    fed_buf_put(out, item->value);
}

static bool take_item(struct fed_span *from, struct fed_span *key, struct fed_span *value)
{
    uint32_t lens[2];

    if (fed_span_take_u32(from, &lens[0]) || fed_span_take_u32(from, &lens[1]))
        return false;
    *key = fed_span_sub(*from, 0, lens[0]);
    *value = fed_span_sub(*from, lens[0], lens[1]);
    *from = fed_span_sub(*from, lens[0] + lens[1], from->len);
    return true;
}

static bool keep_item(void *ctx, const struct fed_store_item *item)
{
    put_item(ctx, item);
    return true;
}

void api_world_keep(struct api_world *w)
{
    fed_buf_clear(&w->snapshot);
    each_object(w, keep_item, &w->snapshot);
    FUZZ_CHECK(!fed_buf_err(&w->snapshot));
    w->kept_memory = w->hub_memory.in_use;
    w->kept_revision = hub_objects_revision(w->objects);
}

/* Both are in the order of keys: a merge gives what is to be written. */
struct difference {
    struct fed_buf now; /* a snapshot of what is there */
    struct hub_object_write writes[OPS_MAX];
    size_t n;
};

static void note(struct difference *d, struct fed_span key, struct fed_span value, bool remove)
{
    if (d->n == OPS_MAX)
        return; /* the rest with the next round */
    d->writes[d->n++] = (struct hub_object_write){
        .ref = ref_of(key), .bytes = value, .expected = HUB_ANY_REVISION, .remove = remove};
}

static void compare(const struct api_world *w, struct difference *d)
{
    struct fed_span was = fed_buf_span(&w->snapshot);
    struct fed_span is = fed_buf_span(&d->now);
    struct fed_span key[2] = {{0}};
    struct fed_span value[2] = {{0}};
    bool more[2] = {take_item(&was, &key[0], &value[0]), take_item(&is, &key[1], &value[1])};

    while (more[0] || more[1]) {
        int order = !more[0] ? 1 : !more[1] ? -1 : fed_span_cmp(key[0], key[1]);

        if (order > 0 || (order == 0 && !fed_span_eq(value[0], value[1])))
            check_object(key[1], value[1]);
        if (order < 0)
            note(d, key[0], value[0], false);
        else if (order > 0)
            note(d, key[1], value[1], true);
        else if (!fed_span_eq(value[0], value[1]))
            note(d, key[0], value[0], false);
        if (order <= 0)
            more[0] = take_item(&was, &key[0], &value[0]);
        if (order >= 0)
            more[1] = take_item(&is, &key[1], &value[1]);
    }
}

bool api_world_restore(struct api_world *w)
{
    static struct difference d;
    size_t left = 1;

    if (hub_objects_revision(w->objects) == w->kept_revision)
        return true;
    for (int i = 0; i < RESTORES && left > 0; i++) {
        fed_buf_init(&d.now, fed_alloc_system(), SNAPSHOT_MAX);
        d.n = 0;
        each_object(w, keep_item, &d.now);
        compare(w, &d);
        left = d.n;
        if (left > 0 &&
            hub_objects_commit(w->objects, d.writes, d.n, NULL, 0, NULL, NULL) == FED_OK)
            api_world_pass(w, REST_MS);
        fed_buf_fini(&d.now);
    }
    w->kept_revision = hub_objects_revision(w->objects);
    return left == 0;
}
