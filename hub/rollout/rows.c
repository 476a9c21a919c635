/* rows.c - what is stored of rollouts beside the objects: versions, records, rows (rollout.h). */
#include "hub/rollout/internal.h"

#include "proto/base/text.h"

#include <stdio.h>
#include <string.h>

#define PREFERENCES "replicaschedulingpreferences.scheduling.kubefed.io"
#define FORGET_MAX 30000u /* of one commit; what is left goes at the next start */

/* ---- versions ---- */

static struct fed_span version_key(
    const char *uid, const struct fed_digest *digest, char key[ROLLOUT_KEY_MAX])
{
    int n = snprintf(key, ROLLOUT_KEY_MAX - FED_DIGEST_SIZE, "V/%s/", uid);

    memcpy(key + n, digest->bytes, FED_DIGEST_SIZE);
    return fed_span_of(key, (size_t)n + FED_DIGEST_SIZE);
}

bool rollout_is_scaled(struct hub_rollouts *r, const struct hub_object_ref *ref, const char *kind)
{
    struct hub_object_ref preference = {FED_SPAN_LIT(PREFERENCES), ref->ns, ref->name};
    struct fed_json_doc *doc;
    struct fed_json *object;
    struct fed_buf bytes;
    bool scaled = false;

    fed_buf_init(&bytes, r->mem, HUB_OBJECT_BYTES_MAX);
    if (!hub_objects_get(r->objects, &preference, &bytes, NULL) &&
        !fed_json_doc_new(r->mem, &doc)) {
        scaled = !fed_json_parse(doc, fed_buf_span(&bytes), &object, NULL) &&
                 !fed_json_find(object, "metadata.deletionTimestamp") &&
                 fed_span_is(fed_json_string(fed_json_find(object, "spec.targetKind")), kind);
        fed_json_doc_free(doc);
    }
    fed_buf_fini(&bytes);
    return scaled;
}

void rollout_version_keep(struct hub_rollouts *r, const struct rollout_subject *s,
    const struct fed_digest *digest, struct fed_span bytes, struct rollout_ops *ops)
{
    char text[ROLLOUT_KEY_MAX];
    struct fed_span key = version_key(s->uid, digest, text);
    struct fed_buf stored;

    for (size_t i = 0; i < ops->n; i++) {
        if (!fed_span_eq(ops->list[i].key, key))
            continue;
        if (ops->list[i].remove) /* it was to go, and is needed again */
            rollout_ops_set(ops, i, bytes);
        return;
    }
    fed_buf_init(&stored, r->mem, FED_STORE_VALUE_MAX);
    if (hub_objects_get_row(r->objects, key, &stored, NULL))
        rollout_ops_add(ops, key, &bytes);
    fed_buf_fini(&stored);
}

enum fed_err rollout_version_load(struct hub_rollouts *r, const struct rollout_subject *s,
    const struct fed_digest *digest, struct fed_buf *out)
{
    char text[ROLLOUT_KEY_MAX];

    return hub_objects_get_row(r->objects, version_key(s->uid, digest, text), out, NULL);
}

static bool is_same(const struct rollout_version *a, const struct fed_digest *b)
{
    return a->has && b && fed_digest_eq(&a->digest, b);
}

static bool is_needed(const struct rollout_subject *s, const struct fed_digest *digest)
{
    const struct fed_digest *version;

    for (const struct rollout_paper *paper = s->papers; paper; paper = paper->next)
        if (is_same(&paper->from, digest) || is_same(&paper->to, digest))
            return true;
    for (size_t i = 0; s->engine && (version = hub_rollout_version(s->engine, i)); i++)
        if (fed_digest_eq(version, digest))
            return true;
    return is_same(&s->content, digest) || is_same(&s->base, digest);
}

static bool has_key(const struct rollout_ops *ops, struct fed_span key)
{
    for (size_t i = 0; i < ops->n; i++)
        if (fed_span_eq(ops->list[i].key, key))
            return true;
    return false;
}

void rollout_version_forget(struct hub_rollouts *r, const struct rollout_subject *s,
    const struct rollout_version *version, struct rollout_ops *ops)
{
    char text[ROLLOUT_KEY_MAX];
    struct fed_span key;

    (void)r;
    if (!version->has || is_needed(s, &version->digest))
        return;
    key = version_key(s->uid, &version->digest, text);
    if (!has_key(ops, key)) /* from and to of one rollout, or of two */
        rollout_ops_add(ops, key, NULL);
}

static void freeze(struct hub_rollouts *r, const struct rollout_subject *s,
    const struct fed_digest *digest, struct fed_span current, struct rollout_ops *ops)
{
    char text[ROLLOUT_KEY_MAX];
    struct fed_span key = version_key(s->uid, digest, text);
    struct fed_buf version;
    struct fed_buf whole;
    struct fed_span value;
    enum fed_err err;

    if (ops->err || has_key(ops, key))
        return;
    fed_buf_init(&version, r->mem, FED_STORE_VALUE_MAX);
    fed_buf_init(&whole, r->mem, FED_STORE_VALUE_MAX);
    err = hub_objects_get_row(r->objects, key, &version, NULL);
    if (!err)
        err = hub_rollout_content_refresh(r->mem, fed_buf_span(&version), current, true, &whole);
    value = fed_buf_span(&whole);
    if (!err)
        rollout_ops_add(ops, key, &value);
    else if (err != FED_ERR_NOT_FOUND)
        ops->err = err;
    fed_buf_fini(&whole);
    fed_buf_fini(&version);
}

void rollout_versions_freeze(struct hub_rollouts *r, const struct rollout_subject *s,
    struct fed_span current, struct rollout_ops *ops)
{
    const struct fed_digest *version;

    for (const struct rollout_paper *paper = s->papers; paper; paper = paper->next) {
        if (paper->from.has)
            freeze(r, s, &paper->from.digest, current, ops);
        if (paper->to.has)
            freeze(r, s, &paper->to.digest, current, ops);
    }
    for (size_t i = 0; s->engine && (version = hub_rollout_version(s->engine, i)); i++)
        freeze(r, s, version, current, ops);
    if (s->base.has)
        freeze(r, s, &s->base.digest, current, ops);
    if (s->content.has)
        freeze(r, s, &s->content.digest, current, ops);
}

/* ---- rows ---- */

static struct fed_span row_key(const char *uid, struct fed_span cluster, char key[ROLLOUT_KEY_MAX])
{
    int n = snprintf(key, ROLLOUT_KEY_MAX, "w/%s/" FED_SPAN_FMT, uid, FED_SPAN_ARG(cluster));

    return fed_span_of(key, n > 0 && (size_t)n < ROLLOUT_KEY_MAX ? (size_t)n : 0);
}

struct putting {
    const struct rollout_subject *s;
    struct rollout_ops *ops;
    struct fed_buf row;
};

static void put_change(void *ctx, const struct hub_rollout_change *change)
{
    struct putting *p = ctx;
    char text[ROLLOUT_KEY_MAX];
    struct fed_span key = row_key(p->s->present->uid, change->cluster, text);
    struct fed_span value;
    enum fed_err err;

    if (change->row_gone) {
        rollout_ops_add(p->ops, key, NULL);
        return;
    }
    if (!change->row || p->ops->err)
        return;
    fed_buf_clear(&p->row);
    err = hub_rollout_row(p->s->engine, change->cluster, &p->row);
    value = fed_buf_span(&p->row);
    if (!err)
        rollout_ops_add(p->ops, key, &value);
    else if (err == FED_ERR_NOT_FOUND)
        rollout_ops_add(p->ops, key, NULL);
    else
        p->ops->err = err;
}

static void put_record(const struct rollout_subject *s, struct rollout_ops *ops)
{
    char text[ROLLOUT_KEY_MAX];
    struct fed_span key = row_key(s->present->uid, fed_span_text(""), text);
    struct fed_buf record;
    struct fed_span value;

    fed_buf_init(&record, &ops->arena.alloc, HUB_ROLLOUT_RECORD_MAX + 16);
    fed_buf_put_varint(&record, (uint64_t)s->present->applied);
    hub_rollout_record(s->engine, &record);
    value = fed_buf_span(&record);
    if (fed_buf_err(&record) && !ops->err)
        ops->err = fed_buf_err(&record);
    rollout_ops_add(ops, key, &value);
}

void rollout_rows_put(
    struct hub_rollouts *r, const struct rollout_subject *s, struct rollout_ops *ops)
{
    struct putting p = {.s = s, .ops = ops};

    fed_buf_init(&p.row, r->mem, HUB_ROLLOUT_ROW_MAX);
    hub_rollout_each_changed(s->engine, put_change, &p);
    put_record(s, ops);
    fed_buf_fini(&p.row);
}

/* All that is stored of a rollout; limit 0: of it all. */
static enum fed_err each_row(
    struct hub_rollouts *r, const char *uid, size_t limit, fed_store_each *each, void *ctx)
{
    struct fed_store *store = hub_objects_store(r->objects);
    char from_text[ROLLOUT_KEY_MAX];
    char to_text[ROLLOUT_KEY_MAX];
    struct fed_span from = row_key(uid, fed_span_text(""), from_text);
    struct fed_span to = row_key(uid, fed_span_text(""), to_text);

    to_text[to.len - 1]++; /* '/' and what follows it */
    return store->range(store->ctx, from, to, limit, each, ctx);
}

static bool is_one(void *ctx, const struct fed_store_item *item)
{
    bool *found = ctx;

    (void)item;
    *found = true;
    return false;
}

bool rollout_rows_are_there(struct hub_rollouts *r, const char *uid)
{
    bool found = false;

    return each_row(r, uid, 1, is_one, &found) || found;
}

static bool remove_item(void *ctx, const struct fed_store_item *item)
{
    rollout_ops_add(ctx, item->key, NULL);
    return true;
}

enum fed_err rollout_rows_each_removed(
    struct hub_rollouts *r, const char *uid, size_t limit, struct rollout_ops *ops)
{
    enum fed_err err = each_row(r, uid, limit, remove_item, ops);

    return err ? err : ops->err;
}

void rollout_rows_forget(
    struct hub_rollouts *r, const struct rollout_paper *paper, struct rollout_ops *ops)
{
    char text[ROLLOUT_KEY_MAX];

    rollout_ops_add(ops, row_key(paper->uid, fed_span_text(""), text), NULL);
    rollout_sweep_add(r, paper);
}

/* ---- reading ---- */

struct recalling {
    struct rollout_subject *s;
    size_t prefix;
    struct fed_diag *diag;
    enum fed_err err;
};

static bool recall_row(void *ctx, const struct fed_store_item *item)
{
    struct recalling *recalling = ctx;
    struct fed_span cluster = fed_span_sub(item->key, recalling->prefix, item->key.len);

    if (cluster.len == 0)
        return true; /* the record */
    recalling->err = hub_rollout_recall(recalling->s->engine, cluster, item->value);
    if (recalling->err)
        fed_diag_set(recalling->diag, recalling->err, "row of cluster " FED_SPAN_FMT ": %s",
            FED_SPAN_ARG(cluster), fed_err_text(recalling->err));
    return !recalling->err;
}

enum fed_err rollout_rows_recall(struct hub_rollouts *r, struct rollout_subject *s,
    const struct rollout_paper *paper, struct fed_diag *diag)
{
    char text[ROLLOUT_KEY_MAX];
    struct recalling recalling = {
        .s = s, .prefix = row_key(paper->uid, fed_span_text(""), text).len, .diag = diag};
    enum fed_err err = each_row(r, paper->uid, 0, recall_row, &recalling);

    return err ? err : recalling.err;
}

enum fed_err rollout_engine_recall(struct hub_rollouts *r, struct rollout_subject *s,
    struct rollout_paper *paper, struct hub_rollout_rules *rules, struct fed_diag *diag)
{
    struct hub_rollout_options options = rollout_engine_options(r, s);
    char text[ROLLOUT_KEY_MAX];
    struct fed_buf row;
    struct fed_span record;
    uint64_t applied;
    enum fed_err err;

    fed_buf_init(&row, r->mem, HUB_ROLLOUT_RECORD_MAX + 16);
    err = hub_objects_get_row(r->objects, row_key(paper->uid, fed_span_text(""), text), &row, NULL);
    record = fed_buf_span(&row);
    if (!err && fed_span_take_varint(&record, INT64_MAX, &applied))
        err = FED_ERR_CORRUPT;
    if (!err)
        err = hub_rollout_open(&options, rules, record, rollout_now(r), &s->engine);
    fed_buf_fini(&row);
    if (err)
        return err == FED_ERR_NOT_FOUND ? err
                                        : fed_diag_set(diag, err, "record: %s", fed_err_text(err));
    if (!fed_digest_eq(hub_rollout_to(s->engine), &paper->to.digest))
        return fed_diag_set(diag, FED_ERR_CORRUPT, "record: of another version than spec.to");
    paper->applied = (int64_t)applied;
    s->present = paper;
    s->rules = hub_rollout_rules_keep(rules);
    s->untold = true;
    return rollout_rows_recall(r, s, paper, diag);
}

/* ---- what nobody needs ---- */

struct collecting {
    struct hub_rollouts *r;
    struct fed_map uids; /* of subjects and of present papers */
    struct rollout_ops ops;
};

static bool collect_row(void *ctx, const struct fed_store_item *item)
{
    struct collecting *c = ctx;
    struct fed_span rest = fed_span_sub(item->key, 2, item->key.len);
    struct fed_span uid = fed_span_sub(rest, 0, fed_span_find(rest, '/'));

    if (!fed_map_get(&c->uids, uid))
        rollout_ops_add(&c->ops, item->key, NULL);
    return !c->ops.err && c->ops.n < FORGET_MAX;
}

static enum fed_err collect_uids(struct collecting *c)
{
    struct fed_map_iter it;
    enum fed_err err = FED_OK;

    fed_map_iter_init(&it, &c->r->subjects);
    while (!err && fed_map_iter_next(&it)) {
        struct rollout_subject *s = it.value;

        err = fed_map_put(&c->uids, fed_span_text(s->uid), s);
        if (!err && s->present)
            err = fed_map_put(&c->uids, fed_span_text(s->present->uid), s);
        for (struct rollout_paper *p = s->broken ? s->papers : NULL; !err && p; p = p->next)
            err = fed_map_put(&c->uids, fed_span_text(p->uid), s);
    }
    return err;
}

enum fed_err rollout_rows_collect(struct hub_rollouts *r, struct fed_diag *diag)
{
    static const char *const ranges[][2] = {{"V/", "V0"}, {"w/", "w0"}};
    struct fed_store *store = hub_objects_store(r->objects);
    struct collecting c = {.r = r};
    enum fed_err err;

    if (r->lost) /* whose rows they are cannot be said */
        return FED_OK;
    fed_map_init(&c.uids, r->mem);
    rollout_ops_init(&c.ops, r->mem);
    err = collect_uids(&c);
    for (size_t i = 0; !err && i < 2; i++)
        err = store->range(store->ctx, fed_span_text(ranges[i][0]), fed_span_text(ranges[i][1]), 0,
            collect_row, &c);
    if (!err)
        err = c.ops.err;
    if (!err && c.ops.n > 0)
        err = store->commit(store->ctx, NULL, 0, c.ops.list, c.ops.n, NULL, diag);
    fed_map_fini(&c.uids);
    rollout_ops_fini(&c.ops);
    return err;
}
