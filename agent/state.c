/* state.c - see state.h. */
#include "agent/state.h"

#include "agent/templates.h"
#include "agent/trial.h"
#include "agent/vault.h"
#include "proto/doc/doc.h"

#include <string.h>

#define FLAG_MANIFEST 0x01u
#define FLAG_REMOVING 0x02u
#define FLAG_ORPHAN 0x04u
#define FLAG_KEPT 0x08u
#define FLAG_APPLIED 0x10u
#define FLAG_WAITS 0x20u
#define FLAG_UNCLEAR 0x40u
#define FLAGS_ALL 0x7fu
#define RECORD_MAX (FED_WORK_OVERRIDES_MAX + 8192u)
#define IDENTITY_MAX (32u << 10)
#define KEY_TRAFFIC "traffic"
#define KEY_KINDS "kinds"
#define KEY_MANIFEST "manifest"

void agent_state_init(struct agent_state *state, struct fed_alloc *mem, struct fed_store *store)
{
    *state = (struct agent_state){.mem = mem, .store = store};
    fed_consent_limit_default(&state->consent.limit);
    fed_consent_window_init(&state->consent.window, mem);
}

static void put_traffic(struct fed_buf *out, const struct agent_traffic *traffic)
{
    fed_buf_put_varint(out, traffic->month);
    fed_buf_put_varint(out, traffic->sent_bytes);
    fed_buf_put_varint(out, traffic->received_bytes);
}

/* Passes what the store said on. */
static enum fed_err noted(struct agent_state *state, enum fed_err err)
{
    fed_loop_call *damaged = state->damaged;

    if (err == FED_ERR_CORRUPT && damaged) {
        state->damaged = NULL; /* said once */
        damaged(state->damaged_ctx);
    }
    return err;
}

enum fed_err agent_state_commit(
    struct agent_state *state, const struct fed_store_op *ops, size_t n, struct fed_diag *diag)
{
    enum fed_err err = state->store->commit(state->store->ctx, NULL, 0, ops, n, NULL, diag);

    state->commits += !err;
    return noted(state, err);
}

/* With the counters, when there are any. Without memory for them they wait for the next one. */
static enum fed_err commit(
    struct agent_state *state, const struct fed_store_op *ops, size_t n, struct fed_diag *diag)
{
    struct fed_store_op *all;
    struct agent_traffic now;
    struct fed_buf value;
    enum fed_err err;

    if (!state->traffic || !state->traffic(state->traffic_ctx, &now))
        return agent_state_commit(state, ops, n, diag);
    fed_buf_init(&value, state->mem, 64);
    put_traffic(&value, &now);
    all = fed_buf_err(&value) ? NULL : fed_alloc_array(state->mem, n + 1, sizeof *all);
    if (all) {
        memcpy(all, ops, n * sizeof *all);
        all[n] =
            (struct fed_store_op){.key = fed_span_text(KEY_TRAFFIC), .value = fed_buf_span(&value)};
    }
    err = agent_state_commit(state, all ? all : ops, all ? n + 1 : n, diag);
    fed_alloc_free(state->mem, all, (n + 1) * sizeof *all);
    fed_buf_fini(&value);
    return err;
}

static enum fed_err commit_one(
    struct agent_state *state, const char *key, struct fed_span value, struct fed_diag *diag)
{
    struct fed_store_op op = {.key = fed_span_text(key), .value = value};

    return commit(state, &op, 1, diag);
}

static enum fed_err get(struct agent_state *state, const char *key, struct fed_buf *out)
{
    return noted(state, state->store->get(state->store->ctx, fed_span_text(key), out, NULL));
}

/* ---- identity ---- */

/* What the store has counts; a second time is tried again with the next change and the next start.
 */
static void keep_again(struct agent_state *state)
{
    enum fed_err err = agent_vault_keep(state, NULL);

    (void)err;
}

static enum fed_err copy_text(
    const struct fed_doc *doc, const char *key, char *out, size_t size, struct fed_diag *diag)
{
    const char *text = fed_doc_text(fed_doc_get(doc, key), NULL);

    if (!text || fed_span_to_cstr(fed_span_text(text), out, size))
        return fed_diag_set(diag, FED_ERR_CORRUPT, "identity: %s is missing or too long", key);
    return FED_OK;
}

static enum fed_err identity_of(
    const struct fed_doc *doc, struct agent_identity *out, struct fed_diag *diag)
{
    const struct fed_doc *hubs = fed_doc_get(doc, "hubs");
    enum fed_err err = copy_text(doc, "cluster", out->cluster, sizeof out->cluster, diag);

    if (!err)
        err = copy_text(doc, "ca", out->ca, sizeof out->ca, diag);
    if (!err)
        err = copy_text(doc, "certificate", out->certificate, sizeof out->certificate, diag);
    if (!err && fed_doc_get(doc, "kubeconfig"))
        err = copy_text(doc, "kubeconfig", out->kubeconfig, sizeof out->kubeconfig, diag);
    if (err)
        return err;
    out->n_hubs = fed_doc_count(hubs);
    if (out->n_hubs == 0 || out->n_hubs > AGENT_HUBS_MAX)
        return fed_diag_set(diag, FED_ERR_CORRUPT, "identity: no usable hub addresses");
    for (size_t i = 0; i < out->n_hubs; i++) {
        const char *text = fed_doc_text(fed_doc_at(hubs, i), "");

        if (fed_span_to_cstr(fed_span_text(text), out->hubs[i], sizeof out->hubs[i]))
            return fed_diag_set(diag, FED_ERR_CORRUPT, "identity: over-long hub address");
    }
    return FED_OK;
}

enum fed_err agent_state_identity(
    struct agent_state *state, struct agent_identity *out, struct fed_diag *diag)
{
    struct fed_doc *doc = NULL;
    struct fed_buf text;
    enum fed_err err;

    fed_buf_init(&text, state->mem, IDENTITY_MAX);
    err = get(state, AGENT_STATE_IDENTITY, &text);
    if (err) {
        if (err == FED_ERR_NOT_FOUND)
            fed_diag_set(diag, err, "this directory has not joined a hub");
        goto done;
    }
    err = fed_doc_parse(fed_buf_span(&text), &doc, diag);
    if (err) {
        err = fed_diag_prefix(diag, err == FED_ERR_NOMEM ? err : FED_ERR_CORRUPT, "identity");
        goto done;
    }
    memset(out, 0, sizeof *out);
    err = identity_of(doc, out, diag);
done:
    fed_doc_free(doc);
    fed_buf_fini(&text);
    return err;
}

static enum fed_err identity_doc(const struct agent_identity *identity, struct fed_doc *doc)
{
    struct fed_doc *hubs = fed_doc_new_array();
    enum fed_err err = hubs ? FED_OK : FED_ERR_NOMEM;

    for (size_t i = 0; i < identity->n_hubs && !err; i++)
        err = fed_doc_append_text(hubs, identity->hubs[i]);
    if (err) {
        fed_doc_free(hubs);
        return err;
    }
    err = fed_doc_set_take(doc, "hubs", hubs);
    if (!err)
        err = fed_doc_set_text(doc, "cluster", identity->cluster);
    if (!err)
        err = fed_doc_set_text(doc, "ca", identity->ca);
    if (!err)
        err = fed_doc_set_text(doc, "certificate", identity->certificate);
    if (!err)
        err = fed_doc_set_text(doc, "kubeconfig", identity->kubeconfig);
    return err;
}

enum fed_err agent_state_set_identity(
    struct agent_state *state, const struct agent_identity *identity, struct fed_diag *diag)
{
    struct fed_doc *doc = fed_doc_new_object();
    struct fed_buf text;
    enum fed_err err;

    if (!doc)
        return FED_ERR_NOMEM;
    fed_buf_init(&text, state->mem, IDENTITY_MAX);
    err = identity_doc(identity, doc);
    if (!err)
        err = fed_doc_put(&text, doc);
    if (!err)
        err = commit_one(state, AGENT_STATE_IDENTITY, fed_buf_span(&text), diag);
    if (!err)
        keep_again(state);
    fed_buf_fini(&text);
    fed_doc_free(doc);
    return err;
}

/* ---- records ---- */

void agent_state_put_work_key(struct fed_buf *out, const struct fed_work *work)
{
    fed_buf_put_text(out, "w/");
    fed_buf_put(out, fed_work_group(work->api_version));
    fed_buf_put_u8(out, 0);
    fed_buf_put(out, work->kind);
    fed_buf_put_u8(out, 0);
    fed_buf_put(out, work->ns);
    fed_buf_put_u8(out, 0);
    fed_buf_put(out, work->name);
}

void agent_state_put_blob_key(struct fed_buf *out, const struct fed_digest *digest)
{
    fed_buf_put_text(out, "b/");
    fed_buf_put(out, fed_span_of(digest->bytes, sizeof digest->bytes));
}

void agent_state_put_head(
    struct fed_buf *out, uint32_t epoch, uint64_t revision, const uint8_t digest[16])
{
    fed_buf_put_u8(out, AGENT_STATE_FORMAT);
    fed_buf_put_u32(out, epoch);
    fed_buf_put_varint(out, revision);
    fed_buf_put(out, fed_span_of(digest, 16));
}

void agent_state_put_record(struct fed_buf *out, const struct agent_entry *entry)
{
    unsigned flags = (entry->in_manifest ? FLAG_MANIFEST : 0u) |
                     (entry->removing ? FLAG_REMOVING : 0u) | (entry->orphan ? FLAG_ORPHAN : 0u) |
                     (entry->kept ? FLAG_KEPT : 0u) | (entry->has_applied ? FLAG_APPLIED : 0u) |
                     (entry->waits ? FLAG_WAITS : 0u) | (entry->unclear ? FLAG_UNCLEAR : 0u);

    fed_buf_put_u8(out, AGENT_STATE_FORMAT);
    fed_buf_put_u8(out, (uint8_t)flags);
    fed_work_put(out, &entry->work);
    fed_buf_put(out, fed_span_of(entry->applied, sizeof entry->applied));
    fed_buf_put(out, fed_span_of(entry->fields, sizeof entry->fields));
    /* Of an object that is not the federation's yet it would say that it was. */
    fed_buf_put_string(out, fed_span_text(entry->adopting ? "" : entry->uid));
    fed_buf_put_varint(out, entry->generation);
    fed_buf_put_varint(out, entry->resource_version);
}

static enum fed_err take_fixed(struct fed_span *from, uint8_t *out, size_t len)
{
    struct fed_span bytes;
    enum fed_err err = fed_span_take_bytes(from, len, &bytes);

    if (!err)
        memcpy(out, bytes.at, len);
    return err;
}

static enum fed_err take_inventory(struct fed_span *from, struct agent_entry *entry)
{
    struct fed_span uid;
    enum fed_err err = take_fixed(from, entry->applied, sizeof entry->applied);

    if (!err)
        err = take_fixed(from, entry->fields, sizeof entry->fields);
    if (!err)
        err = fed_span_take_string(from, AGENT_UID_MAX, &uid);
    if (!err)
        err = fed_span_to_cstr(uid, entry->uid, sizeof entry->uid);
    if (!err)
        err = fed_span_take_varint(from, UINT64_MAX, &entry->generation);
    if (!err)
        err = fed_span_take_varint(from, UINT64_MAX, &entry->resource_version);
    if (!err && from->len != 0)
        err = FED_ERR_INVALID;
    return err;
}

static enum fed_err take_record(
    struct fed_alloc *mem, struct fed_span from, struct agent_entry **out, struct fed_diag *diag)
{
    struct agent_entry *entry;
    struct fed_work work;
    uint8_t format = 0;
    uint8_t flags = 0;
    enum fed_err err = fed_span_take_u8(&from, &format);

    if (!err && format != AGENT_STATE_FORMAT)
        return fed_diag_set(diag, FED_ERR_UNSUPPORTED, "work of format %u", format);
    if (!err)
        err = fed_span_take_u8(&from, &flags);
    if (!err && (flags & ~FLAGS_ALL))
        err = FED_ERR_INVALID;
    if (!err)
        err = fed_work_take(&from, &work, diag);
    if (err)
        return err;
    entry = agent_entry_new(mem, &work);
    if (!entry)
        return FED_ERR_NOMEM;
    entry->in_manifest = flags & FLAG_MANIFEST;
    entry->removing = flags & FLAG_REMOVING;
    entry->orphan = flags & FLAG_ORPHAN;
    entry->kept = flags & FLAG_KEPT;
    entry->has_applied = flags & FLAG_APPLIED;
    entry->waits = flags & FLAG_WAITS;
    entry->unclear = entry->waits && (flags & FLAG_UNCLEAR);
    err = take_inventory(&from, entry);
    if (err) {
        agent_entry_free(mem, entry);
        return err;
    }
    *out = entry;
    return FED_OK;
}

/* ---- loading ---- */

struct loading {
    struct agent_state *state;
    struct agent_table *table;
    uint64_t now_ms;
    struct fed_diag *diag;
    enum fed_err err;
};

/* What has to be done for an entry that was just read. */
static enum fed_err resume(struct loading *l, struct agent_entry *entry)
{
    uint8_t content[AGENT_CONTENT_SIZE];
    enum fed_err err;

    entry->seen_rv = entry->resource_version;
    if (entry->removing) {
        entry->state = FED_WORK_REMOVING;
        agent_entry_plan(entry, AGENT_STEP_READ, l->now_ms);
        return FED_OK;
    }
    if (!agent_entry_is_held_to(entry))
        return FED_OK;
    if (entry->work.options & FED_WORK_HELD) {
        entry->state = entry->has_applied ? FED_WORK_APPLIED : FED_WORK_PENDING;
        return FED_OK;
    }
    err = agent_entry_content(l->table->mem, &entry->work, content);
    if (err)
        return err;
    if (entry->has_applied && memcmp(content, entry->applied, sizeof content) == 0) {
        entry->state = FED_WORK_APPLIED;
        return FED_OK;
    }
    entry->state = FED_WORK_PENDING;
    agent_entry_plan(entry, entry->uid[0] ? AGENT_STEP_APPLY : AGENT_STEP_READ, l->now_ms);
    return FED_OK;
}

static bool load_one(void *ctx, const struct fed_store_item *item)
{
    struct loading *l = ctx;
    struct agent_entry *entry = NULL;

    l->err = take_record(l->table->mem, item->value, &entry, l->diag);
    if (!l->err)
        l->err = resume(l, entry);
    if (!l->err)
        l->err = agent_table_append_take(l->table, entry);
    if (l->err)
        agent_entry_free(l->table->mem, entry);
    return !l->err;
}

static enum fed_err load_head(struct agent_state *state, struct agent_table *table)
{
    struct fed_buf text;
    struct fed_span from;
    uint8_t format = 0;
    enum fed_err err;

    fed_buf_init(&text, state->mem, 256);
    err = get(state, KEY_MANIFEST, &text);
    if (err == FED_ERR_NOT_FOUND) {
        fed_buf_fini(&text);
        return FED_OK;
    }
    from = fed_buf_span(&text);
    if (!err)
        err = fed_span_take_u8(&from, &format);
    if (!err && format != AGENT_STATE_FORMAT)
        err = FED_ERR_UNSUPPORTED;
    if (!err)
        err = fed_span_take_u32(&from, &table->epoch);
    if (!err)
        err = fed_span_take_varint(&from, UINT64_MAX, &table->revision);
    if (!err)
        err = take_fixed(&from, table->digest, sizeof table->digest);
    if (!err && from.len != 0)
        err = FED_ERR_INVALID;
    fed_buf_fini(&text);
    return err;
}

static enum fed_err check_digest(struct agent_state *state, struct agent_table *table)
{
    struct fed_arena arena;
    struct fed_manifest manifest;
    struct fed_digest digest;
    enum fed_err err;

    if (table->revision == 0)
        return table->n_manifest == 0 ? FED_OK : FED_ERR_INVALID;
    fed_arena_init(&arena, state->mem, AGENT_STAGE_ARENA_MAX);
    err = agent_table_manifest(table, &arena.alloc, &manifest);
    if (!err)
        err = fed_manifest_digest(&manifest, &digest);
    if (!err && memcmp(digest.bytes, table->digest, sizeof table->digest) != 0)
        err = FED_ERR_DIGEST;
    fed_arena_fini(&arena);
    return err;
}

enum fed_err agent_state_load(
    struct agent_state *state, struct agent_table *table, uint64_t now_ms, struct fed_diag *diag)
{
    struct fed_diag why = {""};
    struct loading l = {.state = state, .table = table, .now_ms = now_ms, .diag = &why};
    enum fed_err err = load_head(state, table);

    if (!err)
        err = state->store->range(
            state->store->ctx, FED_SPAN_LIT("w/"), FED_SPAN_LIT("w0"), 0, load_one, &l);
    if (!err)
        err = l.err;
    if (!err)
        err = agent_consent_load(state, now_ms);
    if (!err) {
        agent_table_reindex(table);
        err = check_digest(state, table);
    }
    if (!err)
        err = agent_trial_load(state, table, now_ms);
    if (err == FED_OK || err == FED_ERR_NOMEM || err == FED_ERR_IO)
        return err;
    if (err == FED_ERR_UNSUPPORTED)
        return fed_diag_set(diag, err,
            "the stored bundle was written by a newer version (%s); nothing was changed. Install "
            "the newer version again",
            why.text[0] ? why.text : fed_err_text(err));
    return fed_diag_set(diag, FED_ERR_CORRUPT,
        "the stored bundle cannot be read (%s); nothing was changed",
        why.text[0] ? why.text : fed_err_text(err));
}

/* ---- persisting ---- */

static enum fed_err put_entry_op(
    struct fed_alloc *arena, const struct agent_entry *entry, struct fed_store_op *op)
{
    struct fed_buf key;
    struct fed_buf value;

    fed_buf_init(&key, arena, FED_STORE_KEY_MAX);
    fed_buf_init(&value, arena, RECORD_MAX);
    agent_state_put_work_key(&key, &entry->work);
    if (!entry->dropped)
        agent_state_put_record(&value, entry);
    if (fed_buf_err(&key))
        return fed_buf_err(&key);
    if (fed_buf_err(&value))
        return fed_buf_err(&value);
    *op = (struct fed_store_op){
        .key = fed_buf_span(&key), .value = fed_buf_span(&value), .remove = entry->dropped};
    return FED_OK;
}

/* An entry has a row, its trial another one, and one template is given up at most. */
#define OPS_OF_ENTRY 3u

static enum fed_err persist_ops(struct agent_state *state, struct agent_table *table,
    struct fed_alloc *arena, size_t n_dirty, struct fed_diag *diag)
{
    struct fed_store_op *ops = fed_alloc_array(arena, n_dirty * OPS_OF_ENTRY + 1, sizeof *ops);
    enum fed_err err = ops ? FED_OK : FED_ERR_NOMEM;
    size_t n = 0;

    for (size_t i = 0; i < table->n && !err; i++) {
        const struct agent_entry *entry = table->at[i];

        if (!entry->dirty)
            continue;
        err = put_entry_op(arena, entry, &ops[n++]);
        if (!err)
            err = agent_trial_put_op(
                arena, entry, entry->dropped ? NULL : entry->trial, entry->proven, ops, &n);
    }
    if (!err)
        err = agent_templates_put_given(arena, table, ops, &n);
    if (!err && table->forgotten)
        ops[n++] = (struct fed_store_op){.key = FED_SPAN_LIT(KEY_MANIFEST), .remove = true};
    return err ? err : commit(state, ops, n, diag);
}

enum fed_err agent_state_persist(
    struct agent_state *state, struct agent_table *table, struct fed_diag *diag)
{
    struct fed_arena arena;
    size_t n_dirty = 0;
    enum fed_err err;

    for (size_t i = 0; i < table->n; i++)
        n_dirty += table->at[i]->dirty;
    if (n_dirty == 0 && !table->forgotten)
        return FED_OK;
    fed_arena_init(&arena, state->mem, AGENT_STAGE_ARENA_MAX);
    err = persist_ops(state, table, &arena.alloc, n_dirty, diag);
    fed_arena_fini(&arena);
    if (err)
        return err;
    for (size_t i = 0; i < table->n; i++) {
        if (table->at[i]->dirty)
            agent_trial_written(table->at[i]);
        table->at[i]->dirty = false;
    }
    table->forgotten = false;
    agent_table_sweep(table);
    return FED_OK;
}

enum fed_err agent_state_blob(
    struct agent_state *state, const struct fed_digest *digest, struct fed_buf *out)
{
    uint8_t key[2 + FED_DIGEST_SIZE] = {'b', '/'};

    memcpy(key + 2, digest->bytes, FED_DIGEST_SIZE);
    return noted(
        state, state->store->get(state->store->ctx, fed_span_of(key, sizeof key), out, NULL));
}

/* ---- traffic ---- */

enum fed_err agent_state_traffic(
    struct agent_state *state, struct agent_traffic *out, struct fed_diag *diag)
{
    struct agent_traffic traffic = {0};
    struct fed_buf text;
    struct fed_span from;
    enum fed_err err;

    fed_buf_init(&text, state->mem, 64);
    err = get(state, KEY_TRAFFIC, &text);
    if (err == FED_ERR_NOT_FOUND) {
        err = FED_OK;
        goto done;
    }
    from = fed_buf_span(&text);
    if (!err)
        err = fed_span_take_varint(&from, UINT64_MAX, &traffic.month);
    if (!err)
        err = fed_span_take_varint(&from, UINT64_MAX, &traffic.sent_bytes);
    if (!err)
        err = fed_span_take_varint(&from, UINT64_MAX, &traffic.received_bytes);
    if (err && err != FED_ERR_NOMEM && err != FED_ERR_IO)
        err = fed_diag_set(diag, FED_ERR_CORRUPT, "the stored traffic counters cannot be read");
done:
    fed_buf_fini(&text);
    if (!err)
        *out = traffic;
    return err;
}

enum fed_err agent_state_set_traffic(
    struct agent_state *state, const struct agent_traffic *traffic, struct fed_diag *diag)
{
    struct fed_buf text;
    enum fed_err err;

    fed_buf_init(&text, state->mem, 64);
    put_traffic(&text, traffic);
    err = fed_buf_err(&text);
    if (!err) {
        struct fed_store_op op = {.key = fed_span_text(KEY_TRAFFIC), .value = fed_buf_span(&text)};

        err = agent_state_commit(state, &op, 1, diag);
    }
    fed_buf_fini(&text);
    return err;
}

/* ---- mark ---- */

enum fed_err agent_state_mark(
    struct agent_state *state, uint8_t out[FED_LINK_MARK_SIZE], struct fed_diag *diag)
{
    struct fed_buf bytes;
    enum fed_err err;

    fed_buf_init(&bytes, state->mem, 64);
    err = get(state, AGENT_STATE_MARK, &bytes);
    if (!err && bytes.len != FED_LINK_MARK_SIZE)
        err = fed_diag_set(diag, FED_ERR_CORRUPT, "the stored mark of the hub cannot be read");
    if (!err)
        memcpy(out, bytes.at, FED_LINK_MARK_SIZE);
    fed_buf_fini(&bytes);
    return err;
}

enum fed_err agent_state_set_mark(struct agent_state *state, const uint8_t mark[FED_LINK_MARK_SIZE],
    int64_t unix_s, struct fed_diag *diag)
{
    struct fed_store_op ops[2] = {
        {.key = FED_SPAN_LIT(AGENT_STATE_MARK), .value = fed_span_of(mark, FED_LINK_MARK_SIZE)},
        {.key = FED_SPAN_LIT(AGENT_STATE_TIME)}};
    struct fed_buf time;
    enum fed_err err;

    fed_buf_init(&time, state->mem, 16);
    fed_buf_put_varint(&time, unix_s > 0 ? (uint64_t)unix_s : 0);
    ops[1].value = fed_buf_span(&time);
    err = fed_buf_err(&time);
    if (!err)
        err = commit(state, ops, 2, diag);
    if (!err)
        keep_again(state);
    fed_buf_fini(&time);
    return err;
}

enum fed_err agent_state_time(struct agent_state *state, int64_t *unix_s, struct fed_diag *diag)
{
    struct fed_buf bytes;
    struct fed_span from;
    uint64_t time = 0;
    enum fed_err err;

    fed_buf_init(&bytes, state->mem, 64);
    err = get(state, AGENT_STATE_TIME, &bytes);
    from = fed_buf_span(&bytes);
    if (!err && fed_span_take_varint(&from, INT64_MAX, &time))
        err = fed_diag_set(diag, FED_ERR_CORRUPT, "the stored time of the hub cannot be read");
    fed_buf_fini(&bytes);
    if (!err || err == FED_ERR_NOT_FOUND)
        *unix_s = (int64_t)time;
    return err == FED_ERR_NOT_FOUND ? FED_OK : err;
}

void agent_state_offer_traffic(struct agent_state *state, agent_state_traffic_now *now, void *ctx)
{
    state->traffic = now;
    state->traffic_ctx = ctx;
}

/* ---- kinds ---- */

enum fed_err agent_state_kinds(struct agent_state *state, struct fed_buf *out)
{
    return get(state, KEY_KINDS, out);
}

enum fed_err agent_state_set_kinds(
    struct agent_state *state, struct fed_span kinds, struct fed_diag *diag)
{
    return commit_one(state, KEY_KINDS, kinds, diag);
}
