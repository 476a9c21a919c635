/* trial.c - see trial.h. */
#include "agent/trial.h"

#include "agent/wish.h"

#include <stdio.h>
#include <string.h>

#define FORMAT 1u
#define FLAG_PROVEN 0x01u
#define FLAG_BACK 0x02u
#define FLAG_GOOD 0x04u
#define FLAGS_ALL 0x07u
#define ROW_MAX (FED_WORK_OVERRIDES_MAX + 8192u)

void agent_trial_free(struct fed_alloc *mem, struct agent_trial *trial)
{
    if (!trial)
        return;
    agent_entry_free(mem, trial->good);
    fed_alloc_free(mem, trial, sizeof *trial);
}

struct agent_trial *agent_trial_of(struct fed_alloc *mem, struct agent_entry *entry)
{
    if (!entry->trial)
        entry->trial = fed_alloc_zero(mem, sizeof *entry->trial);
    return entry->trial;
}

bool agent_trial_is_back(const struct agent_entry *entry)
{
    return entry->trial && entry->trial->back;
}

struct fed_work agent_trial_in_effect(const struct agent_entry *entry)
{
    struct fed_work work = entry->work;

    if (agent_trial_is_back(entry)) {
        work = entry->trial->good->work;
        work.options = entry->work.options;
    }
    return work;
}

static void say_back(const struct agent_entry *entry, struct fed_diag *out)
{
    char digest[2 * 4 + 1];
    const uint8_t *bytes = entry->trial->good->work.blob.bytes;

    snprintf(digest, sizeof digest, "%02x%02x%02x%02x", bytes[0], bytes[1], bytes[2], bytes[3]);
    fed_diag_set(out, FED_OK,
        "%s; the last version that was healthy, of template %s, is in place until the template or "
        "its overrides change",
        entry->trial->wrong, digest);
}

void agent_trial_settled(struct agent_table *table, struct agent_entry *entry)
{
    struct fed_diag message;

    if (!agent_trial_is_back(entry)) {
        agent_entry_set(table, entry, FED_WORK_APPLIED, "", NULL);
        return;
    }
    say_back(entry, &message);
    agent_entry_set(table, entry, FED_WORK_FAILED, AGENT_REASON_ROLLED_BACK, message.text);
}

static void let_go(struct fed_alloc *mem, struct agent_trial *trial)
{
    if (!trial->good)
        return;
    trial->gone = trial->good->work.blob;
    trial->let_go = true;
    agent_entry_free(mem, trial->good);
    trial->good = NULL;
}

void agent_trial_passed(struct fed_alloc *mem, struct agent_entry *entry)
{
    entry->proven = true;
    if (!agent_trial_of(mem, entry))
        return; /* known to this process alone */
    let_go(mem, entry->trial);
    entry->trial->back = entry->trial->runs = false;
    entry->trial->began_ms = entry->trial->spent_ms = 0;
    entry->dirty = true;
}

/* ---- staging ---- */

enum fed_err agent_trial_is_wanted(
    struct agent_state *state, struct fed_span blob, const struct fed_work *work, bool *out)
{
    struct agent_wish *wish = NULL;
    struct fed_buf stored;
    enum fed_err err = FED_OK;

    fed_buf_init(&stored, state->mem, FED_BLOB_MAX);
    if (blob.len == 0) {
        err = agent_state_blob(state, &work->blob, &stored);
        blob = fed_buf_span(&stored);
    }
    if (!err)
        err = agent_wish_read(state->mem, blob, work->overrides, &wish, NULL);
    *out = (err && err != FED_ERR_NOT_FOUND) || (wish && wish->deadline_ms > 0);
    agent_wish_free(state->mem, wish);
    fed_buf_fini(&stored);
    return err == FED_ERR_NOMEM || err == FED_ERR_IO ? err : FED_OK;
}

static enum fed_err same_content(struct fed_alloc *mem, const struct fed_work *work,
    uint32_t options, const uint8_t content[AGENT_CONTENT_SIZE], bool *same)
{
    struct fed_work with = *work;
    uint8_t mine[AGENT_CONTENT_SIZE];
    enum fed_err err;

    with.options = options;
    err = agent_entry_content(mem, &with, mine);
    *same = !err && memcmp(mine, content, sizeof mine) == 0;
    return err;
}

enum fed_err agent_trial_next(struct fed_alloc *mem, const struct agent_entry *old,
    const struct fed_work *work, const uint8_t content[AGENT_CONTENT_SIZE], bool wanted,
    struct agent_trial **out, bool *proven)
{
    const struct fed_work *good = old->proven                      ? &old->work
                                  : old->trial && old->trial->good ? &old->trial->good->work
                                                                   : NULL;
    struct agent_trial *next;
    enum fed_err err = FED_OK;

    *out = NULL;
    *proven = false;
    if (!wanted)
        return FED_OK;
    next = fed_alloc_zero(mem, sizeof *next);
    if (!next)
        return FED_ERR_NOMEM;
    if (good)
        err = same_content(mem, good, work->options, content, proven);
    if (!err && good && !*proven) {
        next->good = agent_entry_new(mem, good);
        err = next->good ? FED_OK : FED_ERR_NOMEM;
    }
    if (err)
        agent_trial_free(mem, next);
    else
        *out = next;
    return err;
}

/* ---- rows ---- */

void agent_trial_put_key(struct fed_buf *out, const struct fed_work *work)
{
    size_t at = out->len;

    agent_state_put_work_key(out, work);
    if (!fed_buf_err(out))
        out->at[at] = 'h';
}

void agent_trial_put_row(struct fed_buf *out, const struct agent_trial *trial, bool proven)
{
    fed_buf_put_u8(out, FORMAT);
    fed_buf_put_u8(out, (uint8_t)((proven ? FLAG_PROVEN : 0u) | (trial->back ? FLAG_BACK : 0u) |
                                  (trial->good ? FLAG_GOOD : 0u)));
    fed_buf_put_varint(out, trial->began_ms);
    if (trial->good)
        fed_work_put(out, &trial->good->work);
    if (trial->back)
        fed_buf_put_string(out, fed_span_text(trial->wrong));
}

enum fed_err agent_trial_put_op(struct fed_alloc *arena, const struct agent_entry *entry,
    const struct agent_trial *next, bool proven, struct fed_store_op *ops, size_t *n)
{
    struct fed_buf key;
    struct fed_buf value;

    if (!next && !entry->trial_row)
        return FED_OK;
    fed_buf_init(&key, arena, FED_STORE_KEY_MAX);
    fed_buf_init(&value, arena, ROW_MAX);
    agent_trial_put_key(&key, &entry->work);
    if (next)
        agent_trial_put_row(&value, next, proven);
    if (fed_buf_err(&key))
        return fed_buf_err(&key);
    if (fed_buf_err(&value))
        return fed_buf_err(&value);
    ops[(*n)++] = (struct fed_store_op){
        .key = fed_buf_span(&key), .value = fed_buf_span(&value), .remove = !next};
    return FED_OK;
}

void agent_trial_written(struct agent_entry *entry)
{
    entry->trial_row = entry->trial && !entry->dropped;
    if (entry->trial)
        entry->trial->let_go = false;
}

/* ---- loading ---- */

struct loading {
    struct agent_state *state;
    struct agent_table *table;
    enum fed_err err;
};

static bool take_part(struct fed_span *key, struct fed_span *out)
{
    size_t len = fed_span_find(*key, 0);

    *out = fed_span_sub(*key, 0, len);
    if (len == key->len)
        return false;
    *key = fed_span_sub(*key, len + 1, key->len);
    return true;
}

/* The entry that the row's key names. */
static struct agent_entry *entry_of(const struct agent_table *table, struct fed_span key)
{
    char api_version[FED_WORK_API_VERSION_MAX + 3];
    struct fed_work work = {0};
    struct fed_span group;

    key = fed_span_sub(key, 2, key.len);
    if (!take_part(&key, &group) || !take_part(&key, &work.kind) || !take_part(&key, &work.ns) ||
        group.len > FED_WORK_API_VERSION_MAX)
        return NULL;
    work.name = key;
    snprintf(api_version, sizeof api_version, "%.*s%sv", (int)group.len, (const char *)group.at,
        group.len ? "/" : "");
    work.api_version = fed_span_text(api_version);
    return agent_table_find(table, &work);
}

static enum fed_err take_good(
    struct fed_alloc *mem, struct fed_span *from, struct agent_trial *trial)
{
    struct fed_work work;
    enum fed_err err = fed_work_take(from, &work, NULL);

    if (err)
        return err;
    trial->good = agent_entry_new(mem, &work);
    return trial->good ? FED_OK : FED_ERR_NOMEM;
}

static enum fed_err take_row(
    struct fed_alloc *mem, struct fed_span from, struct agent_trial *trial, bool *proven)
{
    struct fed_span wrong = {0};
    uint8_t format = 0;
    uint8_t flags = 0;
    enum fed_err err = fed_span_take_u8(&from, &format);

    if (!err)
        err = fed_span_take_u8(&from, &flags);
    if (!err &&
        (format != FORMAT || (flags & ~FLAGS_ALL) || ((flags & FLAG_BACK) && !(flags & FLAG_GOOD))))
        err = FED_ERR_INVALID;
    if (!err)
        err = fed_span_take_varint(&from, UINT64_MAX, &trial->began_ms);
    if (!err && (flags & FLAG_GOOD))
        err = take_good(mem, &from, trial);
    if (!err && (flags & FLAG_BACK))
        err = fed_span_take_string(&from, AGENT_TRIAL_WRONG_MAX, &wrong);
    if (!err && from.len != 0)
        err = FED_ERR_INVALID;
    if (!err)
        err = fed_span_to_cstr(wrong, trial->wrong, sizeof trial->wrong);
    trial->back = flags & FLAG_BACK;
    *proven = flags & FLAG_PROVEN;
    return err;
}

static bool load_one(void *ctx, const struct fed_store_item *item)
{
    struct loading *l = ctx;
    struct fed_alloc *mem = l->table->mem;
    struct agent_entry *entry = entry_of(l->table, item->key);
    struct agent_trial *trial = fed_alloc_zero(mem, sizeof *trial);
    bool proven = false;
    enum fed_err err = trial ? take_row(mem, item->value, trial, &proven) : FED_ERR_NOMEM;

    if (entry)
        entry->trial_row = true;
    if (err || !entry) {
        agent_trial_free(mem, trial);
        l->err = err == FED_ERR_NOMEM ? err : FED_OK;
        return !l->err;
    }
    entry->trial = trial;
    entry->proven = proven;
    return true;
}

/* As it was left: the version that is back stands, or is put back now. */
static enum fed_err resume(struct agent_table *table, struct agent_entry *entry, uint64_t now_ms)
{
    struct fed_work work = agent_trial_in_effect(entry);
    uint8_t content[AGENT_CONTENT_SIZE];
    enum fed_err err = agent_entry_content(table->mem, &work, content);

    if (err)
        return err;
    agent_trial_settled(table, entry);
    if (entry->has_applied && memcmp(content, entry->applied, sizeof content) == 0)
        agent_entry_plan(entry, AGENT_STEP_NONE, 0);
    else
        agent_entry_plan(entry, entry->uid[0] ? AGENT_STEP_APPLY : AGENT_STEP_READ, now_ms);
    return FED_OK;
}

enum fed_err agent_trial_load(struct agent_state *state, struct agent_table *table, uint64_t now_ms)
{
    struct loading l = {.state = state, .table = table};
    enum fed_err err = state->store->range(
        state->store->ctx, FED_SPAN_LIT("h/"), FED_SPAN_LIT("h0"), 0, load_one, &l);

    if (!err)
        err = l.err;
    for (size_t i = 0; i < table->n && !err; i++) {
        struct agent_entry *entry = table->at[i];

        if (!entry->trial)
            continue;
        /* The time before this process counts as long as the machine did not start anew; the clock
         * begins again then. */
        if (entry->trial->began_ms > now_ms)
            entry->trial->began_ms = 0;
        else if (entry->trial->began_ms != 0)
            entry->trial->spent_ms = now_ms - entry->trial->began_ms;
        if (!agent_trial_is_back(entry) || !agent_entry_is_held_to(entry))
            continue;
        if (entry->work.options & FED_WORK_HELD)
            agent_trial_settled(table, entry); /* nothing more is done for it */
        else
            err = resume(table, entry, now_ms);
    }
    return err;
}
