/* again.c - a directory that joins once more (state.h): in one commit the inventory is kept and the
 * bundle forgotten. */
#include "agent/trial.h"

#define ROWS 4u /* besides works and blobs: mark, time, manifest, kinds */

struct listing {
    struct fed_alloc *arena;
    struct fed_store_op *ops; /* removals of blobs */
    size_t n;
    size_t cap;
    enum fed_err err;
};

static bool count_blob(void *ctx, const struct fed_store_item *item)
{
    struct listing *l = ctx;

    (void)item;
    l->cap++;
    return true;
}

static bool drop_blob(void *ctx, const struct fed_store_item *item)
{
    struct listing *l = ctx;
    struct fed_buf key;

    if (l->n == l->cap) {
        l->err = FED_ERR_CORRUPT; /* counted in this process, which has the lock */
        return false;
    }
    fed_buf_init(&key, l->arena, FED_STORE_KEY_MAX);
    fed_buf_put(&key, item->key);
    l->err = fed_buf_err(&key);
    l->ops[l->n++] = (struct fed_store_op){.key = fed_buf_span(&key), .remove = true};
    return !l->err;
}

/* What is being removed goes on: it was asked for by name. */
static enum fed_err keep(
    struct fed_alloc *arena, struct agent_entry *entry, struct fed_store_op *op)
{
    struct fed_buf key;
    struct fed_buf value;

    entry->kept = entry->kept || !entry->removing;
    entry->in_manifest = entry->waits = entry->unclear = false;
    fed_buf_init(&key, arena, FED_STORE_KEY_MAX);
    fed_buf_init(&value, arena, FED_WORK_OVERRIDES_MAX + 8192u);
    agent_state_put_work_key(&key, &entry->work);
    agent_state_put_record(&value, entry);
    if (fed_buf_err(&key))
        return fed_buf_err(&key);
    if (fed_buf_err(&value))
        return fed_buf_err(&value);
    *op = (struct fed_store_op){.key = fed_buf_span(&key), .value = fed_buf_span(&value)};
    return FED_OK;
}

/* Its templates go, too; what is in place stays so. */
static enum fed_err drop_trial(struct listing *l, const struct agent_entry *entry)
{
    struct fed_buf key;

    if (!entry->trial_row)
        return FED_OK;
    fed_buf_init(&key, l->arena, FED_STORE_KEY_MAX);
    agent_trial_put_key(&key, &entry->work);
    l->ops[l->n++] = (struct fed_store_op){.key = fed_buf_span(&key), .remove = true};
    return fed_buf_err(&key);
}

static enum fed_err put_ops(
    struct agent_state *state, struct agent_table *table, struct listing *l, struct fed_buf *head)
{
    static const uint8_t none[sizeof table->digest];
    const struct fed_span from = FED_SPAN_LIT("b/");
    const struct fed_span to = FED_SPAN_LIT("b0");
    enum fed_err err = state->store->range(state->store->ctx, from, to, 0, count_blob, l);

    if (err)
        return err;
    l->ops = fed_alloc_array(l->arena, l->cap + 2 * table->n + ROWS, sizeof *l->ops);
    if (!l->ops)
        return FED_ERR_NOMEM;
    err = state->store->range(state->store->ctx, from, to, 0, drop_blob, l);
    err = err ? err : l->err;
    for (size_t i = 0; i < table->n && !err; i++)
        err = keep(l->arena, table->at[i], &l->ops[l->n++]);
    for (size_t i = 0; i < table->n && !err; i++)
        err = drop_trial(l, table->at[i]);
    if (err)
        return err;
    fed_buf_init(head, l->arena, 64);
    agent_state_put_head(head, table->epoch, 0, none);
    /* Whichever machine had the identity: it is this one now. */
    l->ops[l->n++] = (struct fed_store_op){.key = FED_SPAN_LIT(AGENT_STATE_MARK), .remove = true};
    l->ops[l->n++] = (struct fed_store_op){.key = FED_SPAN_LIT(AGENT_STATE_TIME), .remove = true};
    l->ops[l->n++] =
        (struct fed_store_op){.key = FED_SPAN_LIT("manifest"), .value = fed_buf_span(head)};
    /* Strays are those of the next federation, which says so before anything is let go of. */
    l->ops[l->n++] = (struct fed_store_op){.key = FED_SPAN_LIT("kinds"), .remove = true};
    return fed_buf_err(head);
}

enum fed_err agent_state_join_again(struct agent_state *state, struct fed_diag *diag)
{
    struct fed_arena arena;
    struct agent_table table;
    struct listing l = {.arena = &arena.alloc};
    struct fed_buf head;
    enum fed_err err;

    fed_arena_init(&arena, state->mem, AGENT_STAGE_ARENA_MAX);
    agent_table_init(&table, state->mem);
    err = agent_state_load(state, &table, 0, diag);
    if (!err)
        err = put_ops(state, &table, &l, &head);
    if (!err)
        err = state->store->commit(state->store->ctx, NULL, 0, l.ops, l.n, NULL, diag);
    state->commits += !err;
    agent_table_fini(&table);
    fed_consent_window_fini(&state->consent.window);
    fed_arena_fini(&arena);
    return err;
}
