/* consent.c - see consent.h. */
#include "agent/consent.h"

#include "agent/state.h"
#include "agent/templates.h"
#include "agent/trial.h"
#include "agent/wish.h"

#include <stdlib.h>
#include <string.h>

#define ROW_FORMAT 1u
#define ROW_MAX (64u + 2u * FED_WORKS_MAX * FED_REMOVAL_ID_SIZE)

size_t agent_consent_waiting(const struct agent_table *table)
{
    size_t n = 0;

    for (size_t i = 0; i < table->n; i++)
        n += table->at[i]->waits;
    return n;
}

/* A work that was held while its type was stopped may be nowhere but in the manifest; so is one
 * that was looked for, and refused ever since. One that was not looked for yet may be there from
 * before.
 */
bool agent_consent_counts(const struct agent_entry *entry)
{
    if (entry->uid[0] || entry->has_applied)
        return true;
    return !(entry->work.options & FED_WORK_HELD) && (entry->busy || !entry->nothing);
}

bool agent_consent_needed(
    struct agent_consent *consent, const struct agent_table *table, size_t n, uint64_t now_ms)
{
    size_t clear = 0;
    size_t waiting = 0;

    for (size_t i = 0; i < table->n; i++) {
        waiting += table->at[i]->waits;
        clear += table->at[i]->waits && !table->at[i]->unclear;
    }
    fed_consent_turn(&consent->window, now_ms, clear > 0);
    return clear > 0 ||
           fed_consent_needed(&consent->limit, &consent->window, n, table->n_manifest + waiting);
}

/* ---- the row ---- */

static int64_t wall_clock(const struct agent_consent *consent)
{
    return consent->clock ? fed_loop_unix_s(consent->clock) : 0;
}

void agent_consent_put(const struct agent_consent *consent, struct fed_buf *out)
{
    int64_t unix_s = wall_clock(consent);

    fed_buf_put_u8(out, ROW_FORMAT);
    fed_consent_window_put(&consent->window, out);
    fed_buf_put_varint(out, unix_s > 0 ? (uint64_t)unix_s : 0);
}

static enum fed_err take(struct agent_consent *consent, struct fed_span from, uint64_t now_ms)
{
    int64_t unix_s = wall_clock(consent);
    uint64_t then = 0;
    uint8_t format = 0;
    enum fed_err err = fed_span_take_u8(&from, &format);

    if (!err && format != ROW_FORMAT)
        err = FED_ERR_UNSUPPORTED;
    if (!err)
        err = fed_consent_window_take(&from, &consent->window);
    if (!err)
        err = fed_span_take_varint(&from, INT64_MAX, &then);
    if (err == FED_ERR_NOMEM)
        return err;
    if (err || from.len > 0)
        return FED_ERR_CORRUPT;
    if (unix_s < (int64_t)then || unix_s - (int64_t)then < (int64_t)FED_CONSENT_WINDOW_S)
        consent->window.end_ms = now_ms + FED_CONSENT_WINDOW_S * 1000u;
    return FED_OK;
}

enum fed_err agent_consent_load(struct agent_state *state, uint64_t now_ms)
{
    struct fed_store *store = state->store;
    struct fed_buf row;
    enum fed_err err;

    fed_buf_init(&row, state->mem, ROW_MAX);
    err = store->get(store->ctx, FED_SPAN_LIT(AGENT_CONSENT_ROW), &row, NULL);
    if (!err)
        err = take(&state->consent, fed_buf_span(&row), now_ms);
    fed_buf_fini(&row);
    return err == FED_ERR_NOT_FOUND ? FED_OK : err;
}

void agent_consent_limit(
    struct agent_state *state, struct agent_table *table, const struct fed_consent_limit *limit)
{
    state->consent.limit = *limit;
    for (size_t i = 0; limit->share >= 100 && i < table->n; i++)
        table->at[i]->unclear = table->at[i]->waits;
}

/* ---- the hub's word ---- */

struct answering {
    struct agent_state *state;
    struct agent_table *table;
    struct fed_alloc *arena;
    const struct fed_removal_id *ids;
    size_t n_ids;
    bool *ordered; /* by place in the table: those that wait and that the hub named */
    bool few;      /* what is unclear and was not ordered may go */
    struct fed_store_op *ops;
    size_t n_ops;
    uint64_t now_ms;
    size_t passed;
};

static bool is_ordered(const struct answering *a, const struct agent_entry *entry)
{
    struct fed_removal_id id;

    return a->n_ids > 0 && fed_removal_id_of(&entry->work, &id) == FED_OK &&
           bsearch(&id, a->ids, a->n_ids, sizeof id, fed_removal_id_cmp) != NULL;
}

/* Once for each: an id is a digest. */
static enum fed_err find_orders(struct answering *a)
{
    a->ordered = fed_alloc_zero(a->arena, a->table->n + 1);
    if (!a->ordered)
        return FED_ERR_NOMEM;
    for (size_t i = 0; i < a->table->n; i++)
        a->ordered[i] = a->table->at[i]->waits && is_ordered(a, a->table->at[i]);
    return FED_OK;
}

static bool goes(const struct answering *a, size_t i)
{
    const struct agent_entry *entry = a->table->at[i];

    return entry->waits && (a->ordered[i] || (entry->unclear && a->few));
}

/* Whether it changes at all: what was unclear and has to wait is clear from now on. */
static bool moves(const struct answering *a, size_t i)
{
    return goes(a, i) || (a->table->at[i]->waits && a->table->at[i]->unclear);
}

static void become(struct agent_entry *entry, bool gone)
{
    entry->waits = !gone;
    entry->unclear = false;
    entry->removing = gone;
    entry->orphan = entry->orphan && gone;
}

static enum fed_err add_row(struct answering *a, size_t i)
{
    struct agent_entry as = *a->table->at[i];
    struct fed_buf key;
    struct fed_buf value;

    become(&as, goes(a, i));
    fed_buf_init(&key, a->arena, FED_STORE_KEY_MAX);
    fed_buf_init(&value, a->arena, FED_WORK_OVERRIDES_MAX + 8192u);
    agent_state_put_work_key(&key, &as.work);
    agent_state_put_record(&value, &as);
    if (fed_buf_err(&key) || fed_buf_err(&value))
        return FED_ERR_NOMEM;
    a->ops[a->n_ops++] =
        (struct fed_store_op){.key = fed_buf_span(&key), .value = fed_buf_span(&value)};
    return FED_OK;
}

/* Its template says in which order works are removed, and goes with its row (stage.c). */
static bool says_order(const struct answering *a, struct agent_entry *entry)
{
    const struct agent_wish *wish;

    return agent_wish_of(a->state, entry, &wish, NULL) == FED_OK && wish->n_dependencies > 0;
}

/* The templates of those that go, unless somebody stays who has the same. */
static enum fed_err add_blobs(struct answering *a)
{
    struct agent_templates used;
    struct agent_templates given;
    enum fed_err err = agent_templates_new(a->arena, 2 * a->table->n, &used);

    if (!err)
        err = agent_templates_new(a->arena, a->table->n, &given);
    for (size_t i = 0; i < a->table->n && !err; i++) {
        struct agent_entry *entry = a->table->at[i];

        if (goes(a, i) && !says_order(a, entry))
            agent_templates_add(&given, &entry->work.blob);
        else if (agent_entry_is_held_to(entry))
            agent_templates_add(&used, &entry->work.blob);
        agent_templates_add_good(&used, entry->trial);
    }
    if (err)
        return err;
    agent_templates_sort(&given);
    agent_templates_sort(&used);
    return agent_templates_put_removals(a->arena, &given, &used, a->ops, &a->n_ops);
}

static enum fed_err add_passed(struct answering *a)
{
    struct fed_buf value;

    fed_buf_init(&value, a->arena, ROW_MAX);
    agent_consent_put(&a->state->consent, &value);
    if (fed_buf_err(&value))
        return fed_buf_err(&value);
    a->ops[a->n_ops++] = (struct fed_store_op){
        .key = FED_SPAN_LIT(AGENT_CONSENT_ROW), .value = fed_buf_span(&value)};
    return FED_OK;
}

/* Undone when nothing came of it. */
static enum fed_err pass(struct answering *a, const struct agent_entry *entry)
{
    struct fed_consent_window *window = &a->state->consent.window;
    struct fed_removal_id id;
    enum fed_err err = fed_removal_id_of(&entry->work, &id);

    if (!err)
        err = fed_consent_reserve(window, 1);
    if (err)
        return err;
    fed_consent_pass(window, &id, a->now_ms);
    a->passed++;
    return FED_OK;
}

static enum fed_err add_ops(struct answering *a)
{
    enum fed_err err = FED_OK;

    a->ops = fed_alloc_array(a->arena, 2 * a->table->n + 1, sizeof *a->ops);
    if (!a->ops)
        return FED_ERR_NOMEM;
    for (size_t i = 0; !err && i < a->table->n; i++) {
        if (moves(a, i))
            err = add_row(a, i);
        if (!err && goes(a, i) && !a->ordered[i])
            err = pass(a, a->table->at[i]);
    }
    if (!err)
        err = add_blobs(a);
    if (!err && a->passed > 0)
        err = add_passed(a);
    return err;
}

static size_t adopt(struct answering *a, uint64_t now_ms)
{
    size_t n = 0;

    for (size_t i = 0; i < a->table->n; i++) {
        struct agent_entry *entry = a->table->at[i];
        bool gone = goes(a, i);

        if (!moves(a, i))
            continue;
        become(entry, gone);
        entry->report_due = true;
        if (!gone)
            continue;
        entry->again = entry->busy;
        if (entry->trial) /* there is no version to go back to any more */
            agent_trial_passed(a->table->mem, entry);
        entry->proven = false;
        agent_entry_set(a->table, entry, FED_WORK_REMOVING, "", NULL);
        agent_entry_plan(entry, AGENT_STEP_READ, now_ms);
        n++;
    }
    return n;
}

enum fed_err agent_consent_answer(struct agent_state *state, struct agent_table *table,
    const struct fed_removal_id *ids, size_t n_ids, uint64_t now_ms, size_t *n,
    struct fed_diag *diag)
{
    struct fed_arena arena;
    struct answering a = {
        .state = state, .table = table, .ids = ids, .n_ids = n_ids, .now_ms = now_ms};
    size_t unclear = 0;
    size_t n_window;
    enum fed_err err;

    fed_arena_init(&arena, state->mem, AGENT_STAGE_ARENA_MAX);
    a.arena = &arena.alloc;
    err = find_orders(&a);
    for (size_t i = 0; i < table->n && !err; i++)
        unclear += table->at[i]->unclear && !a.ordered[i];
    if (!err)
        a.few = !agent_consent_needed(&state->consent, table, unclear, now_ms);
    n_window = state->consent.window.n;
    if (!err)
        err = add_ops(&a);
    if (!err && a.n_ops > 0)
        err = agent_state_commit(state, a.ops, a.n_ops, diag);
    if (err)
        state->consent.window.n = n_window;
    else
        *n = adopt(&a, now_ms);
    fed_arena_fini(&arena);
    return err;
}
