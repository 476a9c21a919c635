/* agent_world_hub.c - the hub of agent_world.h, behind a link without a network. */
#include "tests/unit/agent_world_inner.h"

#include "proto/bundle/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct world_op {
    enum { OP_UP, OP_REQUEST, OP_OBSERVE, OP_PING } what;
    char path[8];
    char query[64];
    struct fed_buf payload;
    unsigned held_code; /* the answer is made and in payload; 0: not */
    fed_link_done *done;
    void *ctx;
    struct world_op *next;
};

static struct world_op *add_op(struct world *w, int what, const char *path, const char *query,
    struct fed_span payload, fed_link_done *done, void *ctx)
{
    struct world_op *op = calloc(1, sizeof *op);
    struct world_op **end = &w->ops;

    op->what = what;
    snprintf(op->path, sizeof op->path, "%s", path ? path : "");
    snprintf(op->query, sizeof op->query, "%s", query ? query : "");
    fed_buf_init(&op->payload, fed_alloc_system(), 1u << 20);
    fed_buf_put(&op->payload, payload);
    op->done = done;
    op->ctx = ctx;
    while (*end)
        end = &(*end)->next;
    *end = op;
    return op;
}

static void op_free(struct world_op *op)
{
    fed_buf_fini(&op->payload);
    free(op);
}

static enum fed_err link_connect(void *ctx, const char *host, uint16_t port,
    const struct fed_link_client_identity *identity, unsigned timeout_ms, struct fed_diag *diag)
{
    struct world *w = ctx;

    (void)host;
    (void)port;
    (void)identity;
    (void)timeout_ms;
    (void)diag;
    w->connects++;
    add_op(w, OP_UP, NULL, NULL, (struct fed_span){0}, NULL, NULL);
    return FED_OK;
}

void world_link_cut(struct world *w)
{
    while (w->ops) {
        struct world_op *op = w->ops;

        w->ops = op->next;
        op_free(op);
    }
}

static void link_disconnect(void *ctx)
{
    struct world *w = ctx;

    while (w->ops) {
        struct world_op *op = w->ops;

        w->ops = op->next;
        if (op->done)
            op->done(op->ctx, FED_ERR_CLOSED, NULL, NULL);
        op_free(op);
    }
}

static enum fed_err link_request(void *ctx, enum fed_link_method method, const char *path,
    const char *query, struct fed_span payload, unsigned timeout_ms, fed_link_done *done,
    void *done_ctx)
{
    (void)method;
    (void)timeout_ms;
    add_op(ctx, OP_REQUEST, path, query, payload, done, done_ctx);
    return FED_OK;
}

static enum fed_err link_observe(void *ctx, const char *path, const char *query,
    unsigned timeout_ms, fed_link_done *done, void *done_ctx)
{
    (void)timeout_ms;
    add_op(ctx, OP_OBSERVE, path, query, (struct fed_span){0}, done, done_ctx);
    return FED_OK;
}

static enum fed_err link_ping(void *ctx, unsigned timeout_ms, fed_link_done *done, void *done_ctx)
{
    (void)timeout_ms;
    add_op(ctx, OP_PING, NULL, NULL, (struct fed_span){0}, done, done_ctx);
    return FED_OK;
}

static void link_stats(void *ctx, struct fed_link_stats *out)
{
    const struct world *w = ctx;

    *out = (struct fed_link_stats){
        .sent_bytes = w->sent_bytes ? w->sent_bytes : 1000, .received_bytes = 2000};
}

void world_link_init(struct world *w)
{
    w->link = (struct fed_link){.ctx = w,
        .connect = link_connect,
        .disconnect = link_disconnect,
        .request = link_request,
        .observe = link_observe,
        .ping = link_ping,
        .stats = link_stats};
}

/* ---- bundles ---- */

/* Blobs by digest: whatever any test published, remembered by its text. */
static const char *known_blobs[64];

static enum fed_err find_blob(void *ctx, const struct fed_digest *digest, struct fed_span *out)
{
    struct fed_digest d;

    (void)ctx;
    for (size_t i = 0; i < 64 && known_blobs[i]; i++) {
        *out = fed_span_text(known_blobs[i]);
        if (fed_digest_of(*out, &d) == FED_OK && fed_digest_eq(&d, digest))
            return FED_OK;
    }
    return FED_ERR_NOT_FOUND;
}

static void know_blob(const char *text)
{
    size_t i = 0;

    while (known_blobs[i] && strcmp(known_blobs[i], text) != 0)
        i++;
    known_blobs[i] = text;
}

static int by_identity(const void *a, const void *b)
{
    return fed_work_cmp(a, b);
}

static const struct kind {
    const char *kind;
    const char *api_version;
    const char *plural;
} world_kinds[] = {
    {"Namespace", "v1", "namespaces"},
    {"Deployment", "apps/v1", "deployments"},
    {"PersistentVolumeClaim", "v1", "persistentvolumeclaims"},
    {"Widget", "example.com/v1", "widgets"},
    {"CustomResourceDefinition", "apiextensions.k8s.io/v1", "customresourcedefinitions"},
    {"Secret", "v1", "secrets"},
    {"ConfigMap", "v1", "configmaps"},
};

static const struct kind *kind_of(const char *kind)
{
    size_t i = 0;

    while (strcmp(world_kinds[i].kind, kind) != 0 && strcmp(world_kinds[i].kind, "ConfigMap") != 0)
        i++;
    return &world_kinds[i];
}

static void fill_work(struct fed_work *work, const struct world_work *from)
{
    const struct kind *kind = kind_of(from->kind);

    *work = (struct fed_work){.api_version = fed_span_text(kind->api_version),
        .kind = fed_span_text(from->kind),
        .plural = fed_span_text(kind->plural),
        .ns = fed_span_text(from->ns),
        .name = fed_span_text(from->name),
        .options = from->options | (from->ns ? FED_WORK_NAMESPACED : 0u),
        .overrides = fed_span_text(from->overrides)};
    know_blob(from->blob);
    assert_int_equal(fed_digest_of(fed_span_text(from->blob), &work->blob), FED_OK);
    assert_int_equal(fed_work_check(work, NULL), FED_OK);
}

/* The oldest is forgotten when there are too many. */
void world_publish(
    struct world *w, uint32_t epoch, uint64_t revision, const struct world_work *works, size_t n)
{
    struct world_revision *r;

    assert_true(n <= WORLD_WORKS);
    if (w->n_revisions == WORLD_REVISIONS)
        memmove(w->revisions, w->revisions + 1, --w->n_revisions * sizeof *w->revisions);
    r = &w->revisions[w->n_revisions++];
    r->epoch = epoch;
    r->revision = revision;
    r->n_works = n;
    for (size_t i = 0; i < n; i++)
        fill_work(&r->works[i], &works[i]);
    qsort(r->works, n, sizeof *r->works, by_identity);
}

static struct fed_manifest manifest_of(const struct world_revision *r)
{
    return (struct fed_manifest){
        .epoch = r->epoch, .revision = r->revision, .works = r->works, .n_works = r->n_works};
}

static const struct world_revision *find_revision(
    const struct world *w, uint32_t epoch, uint64_t revision)
{
    for (size_t i = 0; i < w->n_revisions; i++) {
        if (w->revisions[i].revision == revision && w->revisions[i].epoch == epoch)
            return &w->revisions[i];
    }
    return NULL;
}

bool world_is_ordered(const struct world *w, const struct fed_work *work)
{
    struct fed_removal_id id;

    assert_int_equal(fed_removal_id_of(work, &id), FED_OK);
    for (size_t i = 0; i < w->n_orders; i++)
        if (fed_removal_id_cmp(&w->orders[i], &id) == 0)
            return true;
    return false;
}

static void encode(struct world *w, const struct world_revision *from,
    const struct world_revision *to, struct fed_buf *out)
{
    struct fed_manifest base = {.epoch = to->epoch};
    struct fed_manifest target = manifest_of(to);
    struct fed_work marked[WORLD_WORKS];

    if (from)
        base = manifest_of(from);
    for (size_t i = 0; i < base.n_works && w->hub_has_orders; i++) {
        marked[i] = base.works[i];
        marked[i].options |= world_is_ordered(w, &marked[i]) ? FED_WORK_ORDERED : 0;
    }
    if (w->hub_has_orders)
        base.works = marked;
    assert_int_equal(
        fed_frame_encode(fed_alloc_system(), &base, &target, find_blob, w, NULL, out), FED_OK);
    if (from && w->corrupt_delta)
        out->at[out->len - 1] ^= 0x55;
}

void world_order(struct world *w, const struct world_work *work)
{
    struct fed_work one;
    struct fed_removal_id id;

    fill_work(&one, work);
    assert_int_equal(fed_removal_id_of(&one, &id), FED_OK);
    for (size_t i = 0; i < w->n_orders; i++)
        if (fed_removal_id_cmp(&w->orders[i], &id) == 0)
            return;
    w->orders[w->n_orders++] = id;
}

void world_frame(struct world *w, uint64_t from, uint64_t to, struct fed_buf *out)
{
    uint32_t epoch = w->revisions[w->n_revisions - 1].epoch;

    fed_buf_init(out, fed_alloc_system(), FED_FRAME_MAX);
    encode(w, from ? find_revision(w, epoch, from) : NULL, find_revision(w, epoch, to), out);
}

static void answer_bundle(struct world *w, const char *query, struct fed_buf *out)
{
    const struct world_revision *latest;
    const struct world_revision *base;
    struct fed_frame_head head;
    struct fed_manifest manifest;
    struct fed_digest digest;
    uint32_t epoch;
    uint64_t revision;

    assert_int_equal(fed_link_bundle_query_parse(fed_span_text(query), &epoch, &revision), FED_OK);
    if (w->n_revisions == 0)
        return;
    latest = &w->revisions[w->n_revisions - 1];
    base =
        revision && epoch == latest->epoch && !(w->hub_has_no_base && revision != latest->revision)
            ? find_revision(w, epoch, revision)
            : NULL;
    if (base != latest) {
        encode(w, base, latest, out);
        return;
    }
    manifest = manifest_of(latest);
    assert_int_equal(fed_manifest_digest(&manifest, &digest), FED_OK);
    head = (struct fed_frame_head){
        .epoch = latest->epoch, .base_revision = 0, .revision = latest->revision};
    memcpy(head.digest, digest.bytes, sizeof head.digest);
    fed_frame_head_put(out, &head);
}

void world_notify(struct world *w)
{
    struct world_revision *latest = &w->revisions[w->n_revisions - 1];
    struct fed_link_message message = {.code = FED_LINK_CONTENT};
    struct fed_buf frame;

    fed_buf_init(&frame, fed_alloc_system(), FED_FRAME_MAX);
    encode(w,
        w->n_revisions > 1 && latest[-1].epoch == latest->epoch && !w->hub_has_no_base ? latest - 1
                                                                                       : NULL,
        latest, &frame);
    message.payload = fed_buf_span(&frame);
    w->link_events.notification(w->link_events.ctx, &message);
    fed_buf_fini(&frame);
    world_settle(w);
}

void world_notify_again(struct world *w)
{
    struct world_revision *latest = &w->revisions[w->n_revisions - 1];
    struct fed_link_message message = {.code = FED_LINK_CONTENT};
    struct fed_buf frame;
    struct fed_buf query;

    fed_buf_init(&frame, fed_alloc_system(), FED_FRAME_MAX);
    fed_buf_init(&query, fed_alloc_system(), 128);
    fed_link_bundle_query_put(&query, latest->epoch, latest->revision);
    answer_bundle(w, fed_buf_cstr(&query), &frame);
    message.payload = fed_buf_span(&frame);
    w->link_events.notification(w->link_events.ctx, &message);
    fed_buf_fini(&query);
    fed_buf_fini(&frame);
    world_settle(w);
}

/* ---- answers ---- */

static void note_state(struct world *w, const struct fed_report_entry *entry)
{
    assert_true(entry->index < WORLD_WORKS);
    w->hub_deeds[entry->index] = (uint8_t)entry->deed;
    snprintf(w->hub_states[entry->index], sizeof w->hub_states[0], "%s/%s %.*s %.*s",
        fed_work_state_name(entry->state), fed_work_health_name(entry->health),
        FED_SPAN_ARG(entry->reason), FED_SPAN_ARG(entry->message));
}

static unsigned take_report(struct world *w, struct fed_span payload)
{
    struct fed_diag diag = {""};
    struct fed_buf *copy;

    fed_arena_reset(&w->report_arena);
    copy = fed_alloc_zero(&w->report_arena.alloc, sizeof *copy);
    fed_buf_init(copy, &w->report_arena.alloc, FED_REPORT_MAX);
    fed_buf_put(copy, payload);
    if (fed_report_decode(&w->report_arena, fed_buf_span(copy), &w->report, &diag))
        fail_msg("report: %s", diag.text);
    w->reports++;
    if (w->report_code)
        return w->report_code;
    if (!w->report.full && w->report.seq != w->hub_seq + 1)
        return FED_LINK_CONFLICT;
    w->full_reports += w->report.full;
    w->hub_seq = w->report.seq;
    for (size_t i = 0; i < w->report.n_entries; i++)
        note_state(w, &w->report.entries[i]);
    return FED_LINK_CHANGED;
}

static unsigned put_kinds(struct fed_buf *out)
{
    static const struct fed_link_kind kinds[] = {
        {FED_SPAN_LIT("v1"), FED_SPAN_LIT("ConfigMap"), FED_SPAN_LIT("configmaps")},
        {FED_SPAN_LIT("v1"), FED_SPAN_LIT("Secret"), FED_SPAN_LIT("secrets")},
        {FED_SPAN_LIT("x.io/v1"), FED_SPAN_LIT("Gadget"), FED_SPAN_LIT("gadgets")}};

    fed_link_kinds_begin(out, 3);
    for (size_t i = 0; i < 3; i++)
        fed_link_kinds_add(out, &kinds[i]);
    return FED_LINK_CONTENT;
}

/* What hubs say since docs/protocol.md section 11. */
static void tell_more(const struct world *w, struct fed_buf *out)
{
    struct fed_link_hello_items items = {.has_knows = true, .knows = w->hub_knows};
    struct fed_buf kinds;

    if (w->hub_knows == 0)
        return;
    fed_buf_init(&kinds, fed_alloc_system(), FED_LINK_KINDS_BYTES_MAX);
    if (w->hub_has_kinds) {
        put_kinds(&kinds);
        assert_int_equal(fed_link_kinds_digest(fed_buf_span(&kinds), items.kinds), FED_OK);
        items.has_kinds = true;
    }
    fed_link_hello_items_put(out, &items);
    fed_buf_fini(&kinds);
}

/* What the hub says of marks. */
static void put_mark(struct world *w, const char *query, struct fed_buf *out)
{
    struct fed_link_hello_items items = {.has_mark = w->hub_mark > 0, .copied = w->hub_saw_copy};

    snprintf(w->hello_query, sizeof w->hello_query, "%s", query);
    for (size_t i = 0; i < 4; i++)
        items.mark[i] = (uint8_t)(w->hub_mark >> (24 - 8 * i));
    fed_link_hello_items_put(out, &items);
}

static unsigned answer_op(struct world *w, struct world_op *op, struct fed_buf *out)
{
    struct fed_link_hello hello = {.heartbeat_s = 60,
        .epoch = w->n_revisions ? w->revisions[w->n_revisions - 1].epoch : 0,
        .report_seq = w->hub_seq,
        .unix_s = w->unix_s};

    if (strcmp(op->path, FED_LINK_PATH_KINDS) == 0) {
        w->kinds_asked++;
        if (w->kinds_code)
            return w->kinds_code;
        return w->hub_has_kinds ? put_kinds(out) : FED_LINK_NOT_FOUND;
    } else if (strcmp(op->path, FED_LINK_PATH_REMOVALS) == 0) {
        w->removals_asked++;
        if (!w->hub_has_orders)
            return FED_LINK_NOT_FOUND;
        qsort(w->orders, w->n_orders, sizeof *w->orders, fed_removal_id_cmp);
        fed_removals_put(out, w->orders, w->n_orders);
    } else if (strcmp(op->path, FED_LINK_PATH_HELLO) == 0) {
        fed_link_hello_put(out, &hello);
        tell_more(w, out);
        put_mark(w, op->query, out);
    } else if (strcmp(op->path, FED_LINK_PATH_REPORT) == 0) {
        return take_report(w, fed_buf_span(&op->payload));
    } else {
        w->pulls += op->what == OP_REQUEST;
        w->observes += op->what == OP_OBSERVE;
        if (op->what == OP_OBSERVE)
            snprintf(w->observe_query, sizeof w->observe_query, "%s", op->query);
        answer_bundle(w, op->query, out);
    }
    return FED_LINK_CONTENT;
}

static void finish(struct world *w, struct world_op *op)
{
    struct fed_link_message message = {0};
    struct fed_diag diag = {"no answer"};
    struct fed_buf payload;

    fed_buf_init(&payload, fed_alloc_system(), FED_FRAME_MAX);
    if (op->what == OP_UP && w->hub_down) {
        w->link_events.down(w->link_events.ctx, FED_ERR_TIMEOUT, &diag);
    } else if (op->what == OP_UP) {
        w->link_events.up(w->link_events.ctx);
    } else if (op->what == OP_PING) {
        op->done(op->ctx, w->pings_lost ? FED_ERR_TIMEOUT : FED_OK, NULL, &diag);
    } else if (op->held_code) {
        message.code = op->held_code;
        message.payload = fed_buf_span(&op->payload);
        op->done(op->ctx, FED_OK, &message, NULL);
    } else {
        message.code = answer_op(w, op, &payload);
        message.payload = fed_buf_span(&payload);
        op->done(op->ctx, FED_OK, &message, NULL);
    }
    fed_buf_fini(&payload);
}

bool world_link_step(struct world *w)
{
    struct world_op *op = w->ops;

    if (!op)
        return false;
    if ((op->what == OP_OBSERVE && w->hold_observe) ||
        (w->hold_orders && strcmp(op->path, FED_LINK_PATH_REMOVALS) == 0)) {
        if (!op->held_code)
            op->held_code = answer_op(w, op, &op->payload);
        return false;
    }
    w->ops = op->next;
    finish(w, op);
    op_free(op);
    return true;
}
