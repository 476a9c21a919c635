/* stage.c - see stage.h. Three passes: compare (what changes), commit (rows), adopt (the table;
 * cannot fail). */
#include "agent/stage.h"

#include "agent/templates.h"
#include "agent/trial.h"
#include "agent/wish.h"
#include "proto/bundle/report.h"

#include <stdlib.h>
#include <string.h>

struct swap { /* an entry whose work gets new content */
    struct agent_entry *entry;
    struct agent_entry *fresh; /* carries the new block until it moves into entry */
    bool plan;                 /* the rendered object changes, or has to be looked at again */
    bool same;                 /* what decides it stays as it is: so does its trial */
    struct agent_trial *trial; /* else the next one, owned until it moves into entry */
    bool proven;
};

struct staging {
    struct agent_state *state;
    struct agent_table *table;
    struct fed_alloc *arena;
    const struct fed_frame *frame;
    uint64_t now_ms;
    bool new_epoch;
    bool again;      /* the first since this directory joined once more, of the same hub */
    bool wait;       /* those that nobody ordered stay for now */
    bool unclear;    /* for the frame does not say what was ordered */
    size_t n_wait;   /* of leaving, when they do */
    size_t n_pass;   /* when they do not */
    size_t n_window; /* ids in the window before that */
    struct agent_entry **next; /* the table's next array, from the table's memory */
    size_t n_next;
    size_t cap_next;
    struct swap *swaps;
    size_t n_swaps;
    struct agent_entry **added;
    size_t n_added;
    struct agent_entry **leaving;
    size_t n_leaving;
    struct fed_store_op *ops;
    size_t n_ops;
    size_t cap_ops;
    const struct fed_digest **travelled; /* the frame's blobs, in order of their digests */
};

/* ---- decoding ---- */

struct lookup {
    struct agent_state *state;
    struct fed_alloc *arena;
};

static enum fed_err look_up(void *ctx, const struct fed_digest *digest, struct fed_span *out)
{
    struct lookup *l = ctx;
    struct fed_buf blob;
    enum fed_err err;

    fed_buf_init(&blob, l->arena, FED_BLOB_MAX);
    err = agent_state_blob(l->state, digest, &blob);
    if (!err)
        *out = fed_buf_span(&blob);
    return err;
}

static enum fed_err check_head(
    const struct agent_table *table, const struct fed_frame_head *head, struct fed_diag *diag)
{
    if (!head->has_body)
        return fed_diag_set(diag, FED_ERR_CONFLICT, "the frame carries no changes");
    if (table->revision == 0)
        return FED_OK;
    if (head->epoch != table->epoch) {
        if (head->base_revision != 0)
            return fed_diag_set(diag, FED_ERR_CONFLICT, "a change of another epoch");
        return FED_OK;
    }
    if (head->revision < table->revision)
        return fed_diag_set(diag, FED_ERR_GONE,
            "revision %llu is older than revision %llu, which is in place",
            (unsigned long long)head->revision, (unsigned long long)table->revision);
    return FED_OK;
}

static enum fed_err decode(struct agent_state *state, struct agent_table *table,
    struct fed_arena *arena, struct fed_span bytes, struct fed_frame *out, struct fed_diag *diag)
{
    struct lookup l = {.state = state, .arena = &arena->alloc};
    struct fed_manifest base = {0};
    struct fed_frame_head head;
    struct fed_span from = bytes;
    enum fed_err err = fed_frame_head_take(&from, &head);

    if (err)
        return fed_diag_set(diag, err, "the frame's head cannot be read");
    err = check_head(table, &head, diag);
    if (!err)
        err = agent_table_manifest(table, &arena->alloc, &base);
    if (!err)
        err = fed_frame_decode(arena, bytes, &base, look_up, &l, out, diag);
    return err;
}

/* ---- comparing ---- */

static bool is_held(const struct fed_work *work)
{
    return work->options & FED_WORK_HELD;
}

/* It is in the member as the last bundle wanted it: nothing happened while it waited. */
static bool is_current(const struct agent_entry *entry)
{
    return agent_entry_is_held_to(entry) && entry->has_applied && !entry->busy;
}

/* As bsearch has it: what is looked for, and a place of the list. */
static int compare_travelled(const void *a, const void *b)
{
    return memcmp((*(const struct fed_digest *const *)a)->bytes,
        (*(const struct fed_digest *const *)b)->bytes, FED_DIGEST_SIZE);
}

/* The template when it came with the frame; without bytes: the store has it. */
static struct fed_span travelled(const struct staging *s, const struct fed_digest *blob)
{
    const struct fed_digest **at =
        bsearch(&blob, s->travelled, s->frame->n_blobs, sizeof *s->travelled, compare_travelled);

    return at ? s->frame->blobs[*at - s->frame->blob_digests] : (struct fed_span){0};
}

static enum fed_err note_trial(
    struct staging *s, struct swap *swap, const uint8_t content[AGENT_CONTENT_SIZE])
{
    const struct fed_work *work = &swap->fresh->work;
    uint8_t before[AGENT_CONTENT_SIZE];
    bool wanted = false;
    enum fed_err err = agent_entry_content(s->table->mem, &swap->entry->work, before);

    swap->same = !err && memcmp(before, content, sizeof before) == 0;
    if (err || swap->same)
        return err;
    err = agent_trial_is_wanted(s->state, travelled(s, &work->blob), work, &wanted);
    return err ? err
               : agent_trial_next(s->table->mem, swap->entry, work, content, wanted, &swap->trial,
                     &swap->proven);
}

/* The object is as the version of that content asks for, or as the one that is back. */
static bool is_in_place(const struct swap *swap, const uint8_t content[AGENT_CONTENT_SIZE])
{
    const struct agent_entry *entry = swap->entry;

    if (swap->same && agent_trial_is_back(entry))
        return entry->step == AGENT_STEP_NONE;
    return entry->state == FED_WORK_APPLIED &&
           memcmp(content, entry->applied, AGENT_CONTENT_SIZE) == 0;
}

static enum fed_err note_swap(
    struct staging *s, struct agent_entry *entry, const struct fed_work *work)
{
    struct swap *swap = &s->swaps[s->n_swaps];
    uint8_t content[AGENT_CONTENT_SIZE];
    enum fed_err err = agent_entry_content(s->table->mem, work, content);

    if (err)
        return err;
    *swap = (struct swap){.entry = entry, .fresh = agent_entry_new(s->table->mem, work)};
    if (!swap->fresh)
        return FED_ERR_NOMEM;
    s->n_swaps++;
    err = note_trial(s, swap, content);
    swap->plan = !is_held(work) &&
                 (is_held(&entry->work) || !is_current(entry) || !is_in_place(swap, content));
    return err;
}

static enum fed_err note_added(struct staging *s, const struct fed_work *work)
{
    struct agent_entry *entry = agent_entry_new(s->table->mem, work);

    if (!entry)
        return FED_ERR_NOMEM;
    s->added[s->n_added++] = entry;
    s->next[s->n_next++] = entry;
    return FED_OK;
}

static void note_absent(struct staging *s, struct agent_entry *entry)
{
    s->next[s->n_next++] = entry;
    if (entry->in_manifest || (s->again && entry->kept) || (s->new_epoch && entry->waits))
        s->leaving[s->n_leaving++] = entry;
}

/* Merges the table and the target manifest, both sorted by identity. */
static enum fed_err compare(struct staging *s)
{
    const struct fed_manifest *target = &s->frame->target;
    enum fed_err err = FED_OK;
    size_t i = 0;
    size_t j = 0;

    while (!err && (i < s->table->n || j < target->n_works)) {
        struct agent_entry *old = i < s->table->n ? s->table->at[i] : NULL;
        const struct fed_work *work = j < target->n_works ? &target->works[j] : NULL;
        int order = !old ? 1 : !work ? -1 : fed_work_cmp(&old->work, work);

        if (order < 0) {
            note_absent(s, old);
            i++;
        } else if (order > 0) {
            err = note_added(s, work);
            j++;
        } else {
            s->next[s->n_next++] = old;
            if (!old->in_manifest || !fed_work_same(&old->work, work))
                err = note_swap(s, old, work);
            i++;
            j++;
        }
    }
    return err;
}

static enum fed_err make_room(struct staging *s)
{
    size_t n_target = s->frame->target.n_works;
    size_t n_old = s->table->n;

    s->cap_next = n_target + n_old + 1;
    s->cap_ops = 2 * n_target + 5 * n_old + s->frame->n_blobs + 2;
    s->swaps = fed_alloc_array(s->arena, n_old + 1, sizeof *s->swaps);
    s->added = fed_alloc_array(s->arena, n_target + 1, sizeof *s->added);
    s->leaving = fed_alloc_array(s->arena, n_old + 1, sizeof *s->leaving);
    s->ops = fed_alloc_array(s->arena, s->cap_ops, sizeof *s->ops);
    s->travelled = fed_alloc_array(s->arena, s->frame->n_blobs + 1, sizeof *s->travelled);
    s->next = fed_alloc_array(s->table->mem, s->cap_next, sizeof *s->next);
    if (!s->swaps || !s->added || !s->leaving || !s->ops || !s->travelled || !s->next)
        return FED_ERR_NOMEM;
    for (size_t i = 0; i < s->frame->n_blobs; i++)
        s->travelled[i] = &s->frame->blob_digests[i];
    qsort(s->travelled, s->frame->n_blobs, sizeof *s->travelled, compare_travelled);
    return FED_OK;
}

/* What the frame says of an entry that leaves; NULL for nothing. Its index is that of the base, by
 * which the frame's list ascends. */
static const struct fed_frame_removed *removal_of(
    const struct staging *s, const struct agent_entry *entry)
{
    size_t low = 0;
    size_t high = entry->in_manifest ? s->frame->n_removed : 0;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (s->frame->removed[mid].base_index == entry->index)
            return &s->frame->removed[mid];
        if (s->frame->removed[mid].base_index < entry->index)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

/* The frame's removals carry the hub's last word on orphaning; without it the work's own option
 * counts. */
static bool is_orphaned(const struct staging *s, const struct agent_entry *entry)
{
    const struct fed_frame_removed *removed;

    if (s->again)
        return true;
    removed = removal_of(s, entry);
    return (removed ? removed->options : entry->work.options) & FED_WORK_ORPHAN;
}

/* ---- what may leave ---- */

/* Nobody ordered it, and there is something that it would take from the member. */
static bool is_counted(const struct staging *s, const struct agent_entry *entry)
{
    const struct fed_frame_removed *removed = removal_of(s, entry);

    return !s->again && !s->new_epoch && !is_orphaned(s, entry) && agent_consent_counts(entry) &&
           !(removed && (removed->options & FED_FRAME_ORDERED));
}

static bool stays(const struct staging *s, const struct agent_entry *entry)
{
    return s->wait && is_counted(s, entry);
}

/* They are let through, unless nothing comes of it. */
static enum fed_err pass(struct staging *s, size_t n)
{
    struct fed_consent_window *window = &s->state->consent.window;
    struct fed_removal_id id;
    enum fed_err err = fed_consent_reserve(window, n);

    s->n_window = window->n;
    for (size_t i = 0; i < s->n_leaving && !err; i++) {
        if (!is_counted(s, s->leaving[i]))
            continue;
        err = fed_removal_id_of(&s->leaving[i]->work, &id);
        if (err)
            break;
        fed_consent_pass(window, &id, s->now_ms);
        s->n_pass++;
    }
    return err;
}

/* All of them, or none: they are one removal. */
static enum fed_err judge(struct staging *s)
{
    size_t n = 0;

    for (size_t i = 0; i < s->n_leaving; i++)
        n += is_counted(s, s->leaving[i]);
    s->unclear = n > 0 && s->frame->head.base_revision == 0;
    s->wait =
        n > 0 && (s->unclear || agent_consent_needed(&s->state->consent, s->table, n, s->now_ms));
    s->n_wait = s->wait ? n : 0;
    if (n == 0 || s->wait)
        return FED_OK;
    return pass(s, n);
}

/* How the entry will be. */
static void leave(const struct staging *s, const struct agent_entry *entry, struct agent_entry *as)
{
    as->waits = stays(s, entry);
    as->unclear = as->waits && s->unclear;
    as->orphan = !as->waits && is_orphaned(s, entry);
    as->kept = s->new_epoch;
    as->removing = !s->new_epoch && !as->waits;
    as->in_manifest = false;
}

/* ---- writing ---- */

static void add_op(struct staging *s, struct fed_span key, struct fed_span value)
{
    s->ops[s->n_ops++] = (struct fed_store_op){.key = key, .value = value};
}

/* The row of an entry as it will be; `as` is a copy with the future flags. */
static enum fed_err put_row(struct staging *s, const struct agent_entry *as)
{
    struct fed_buf key;
    struct fed_buf value;

    fed_buf_init(&key, s->arena, FED_STORE_KEY_MAX);
    fed_buf_init(&value, s->arena, FED_WORK_OVERRIDES_MAX + 8192u);
    agent_state_put_work_key(&key, &as->work);
    agent_state_put_record(&value, as);
    if (fed_buf_err(&key))
        return fed_buf_err(&key);
    if (fed_buf_err(&value))
        return fed_buf_err(&value);
    add_op(s, fed_buf_span(&key), fed_buf_span(&value));
    return FED_OK;
}

static enum fed_err put_trials(struct staging *s)
{
    enum fed_err err = FED_OK;

    for (size_t i = 0; i < s->n_swaps && !err; i++) {
        const struct swap *swap = &s->swaps[i];

        if (!swap->same)
            err = agent_trial_put_op(
                s->arena, swap->entry, swap->trial, swap->proven, s->ops, &s->n_ops);
    }
    for (size_t i = 0; i < s->n_leaving && !err && !s->new_epoch; i++) {
        if (!stays(s, s->leaving[i]))
            err = agent_trial_put_op(s->arena, s->leaving[i], NULL, false, s->ops, &s->n_ops);
    }
    return err;
}

static enum fed_err put_rows(struct staging *s)
{
    enum fed_err err = FED_OK;

    for (size_t i = 0; i < s->n_added && !err; i++) {
        struct agent_entry as = *s->added[i];

        as.in_manifest = true;
        err = put_row(s, &as);
    }
    for (size_t i = 0; i < s->n_swaps && !err; i++) {
        struct agent_entry as = *s->swaps[i].entry;

        as.work = s->swaps[i].fresh->work;
        as.in_manifest = true;
        as.removing = as.orphan = as.kept = as.waits = as.unclear = false;
        as.has_applied = as.has_applied && !s->swaps[i].plan;
        err = put_row(s, &as);
    }
    for (size_t i = 0; i < s->n_leaving && !err; i++) {
        struct agent_entry as = *s->leaving[i];

        leave(s, s->leaving[i], &as);
        err = put_row(s, &as);
    }
    return err;
}

static enum fed_err put_blob(
    struct staging *s, const struct fed_digest *digest, struct fed_span bytes)
{
    struct fed_buf key;

    fed_buf_init(&key, s->arena, FED_STORE_KEY_MAX);
    agent_state_put_blob_key(&key, digest);
    if (fed_buf_err(&key))
        return fed_buf_err(&key);
    add_op(s, fed_buf_span(&key), bytes);
    return FED_OK;
}

/* What says in which order works are removed outlives their stay in the manifest, also across a
 * restart; it goes with the row (state.c). */
static bool keeps_blob(const struct staging *s, struct agent_entry *leaving)
{
    const struct agent_wish *wish;

    return !s->new_epoch && !agent_wish_of(s->state, leaving, &wish, NULL) &&
           wish->n_dependencies > 0;
}

/* What waits, or will, is enforced from its last template. */
static void add_waiting(const struct staging *s, struct agent_templates *used)
{
    size_t swap = 0;

    for (size_t i = 0; i < s->n_leaving; i++)
        if (stays(s, s->leaving[i]))
            agent_templates_add(used, &s->leaving[i]->work.blob);
    for (size_t i = 0; i < s->n_next && !s->new_epoch; i++) {
        if (swap < s->n_swaps && s->swaps[swap].entry == s->next[i])
            swap++; /* in the bundle again; both lists have one order */
        else if (s->next[i]->waits)
            agent_templates_add(used, &s->next[i]->work.blob);
    }
}

/* What the target uses, and what may have to come back. */
static enum fed_err find_used(struct staging *s, struct agent_templates *used)
{
    const struct fed_manifest *target = &s->frame->target;
    enum fed_err err = agent_templates_new(
        s->arena, target->n_works + 2 * s->n_next + s->table->n + s->n_swaps, used);

    if (err)
        return err;
    add_waiting(s, used);
    for (size_t i = 0; i < target->n_works; i++)
        agent_templates_add(used, &target->works[i].blob);
    for (size_t i = 0; i < s->table->n; i++)
        s->table->at[i]->trial_ends = false;
    for (size_t i = 0; i < s->n_swaps; i++) {
        agent_templates_add_good(used, s->swaps[i].same ? NULL : s->swaps[i].trial);
        s->swaps[i].entry->trial_ends = !s->swaps[i].same;
    }
    for (size_t i = 0; i < s->n_leaving; i++)
        s->leaving[i]->trial_ends = !s->new_epoch && !stays(s, s->leaving[i]);
    for (size_t i = 0; i < s->table->n; i++) {
        if (!s->table->at[i]->trial_ends)
            agent_templates_add_good(used, s->table->at[i]->trial);
    }
    agent_templates_sort(used);
    return FED_OK;
}

static void add_old(struct agent_templates *to, const struct agent_entry *entry, bool kept)
{
    if (!kept)
        agent_templates_add(to, &entry->work.blob);
    if (!entry->trial_ends)
        return;
    agent_templates_add_good(to, entry->trial);
    if (entry->trial && entry->trial->let_go)
        agent_templates_add(to, &entry->trial->gone);
}

/* Drops the blobs that nothing uses any more. Works with equal templates share a blob, so it may be
 * given up several times at once; the store takes each key once. */
static enum fed_err drop_blobs(struct staging *s, const struct agent_templates *used)
{
    struct agent_templates given;
    enum fed_err err = agent_templates_new(s->arena, 3 * (s->n_swaps + s->n_leaving), &given);

    if (err)
        return err;
    for (size_t i = 0; i < s->n_swaps; i++)
        add_old(&given, s->swaps[i].entry, false);
    for (size_t i = 0; i < s->n_leaving; i++)
        add_old(&given, s->leaving[i], keeps_blob(s, s->leaving[i]));
    agent_templates_sort(&given);
    return agent_templates_put_removals(s->arena, &given, used, s->ops, &s->n_ops);
}

/* Stores the blobs that travelled and drops those that nobody needs. */
static enum fed_err put_blobs(struct staging *s)
{
    struct agent_templates used;
    enum fed_err err = find_used(s, &used);

    for (size_t i = 0; i < s->frame->n_blobs && !err; i++) {
        if (agent_templates_have(&used, &s->frame->blob_digests[i]))
            err = put_blob(s, &s->frame->blob_digests[i], s->frame->blobs[i]);
    }
    return err ? err : drop_blobs(s, &used);
}

static enum fed_err write_all(struct staging *s, struct fed_diag *diag)
{
    const struct fed_frame_head *head = &s->frame->head;
    struct fed_buf value;
    struct fed_buf passed;
    enum fed_err err = put_rows(s);

    if (!err)
        err = put_trials(s);
    if (!err)
        err = put_blobs(s);
    if (err)
        return err;
    fed_buf_init(&value, s->arena, 64);
    agent_state_put_head(&value, head->epoch, head->revision, head->digest);
    if (fed_buf_err(&value))
        return fed_buf_err(&value);
    add_op(s, FED_SPAN_LIT("manifest"), fed_buf_span(&value));
    if (s->n_pass > 0) {
        fed_buf_init(&passed, s->arena, AGENT_STAGE_ARENA_MAX);
        agent_consent_put(&s->state->consent, &passed);
        if (fed_buf_err(&passed))
            return fed_buf_err(&passed);
        add_op(s, FED_SPAN_LIT(AGENT_CONSENT_ROW), fed_buf_span(&passed));
    }
    err = agent_state_commit(s->state, s->ops, s->n_ops, diag);
    return err ? fed_diag_prefix(diag, err, "state file") : FED_OK;
}

/* ---- taking it into the table ---- */

static void adopt_trial(struct staging *s, struct swap *swap)
{
    struct agent_entry *entry = swap->entry;

    if (swap->same)
        return;
    agent_trial_free(s->table->mem, entry->trial);
    entry->trial = swap->trial;
    swap->trial = NULL;
    entry->trial_row = entry->trial;
    entry->proven = swap->proven;
    entry->pods_fail = entry->late = false;
}

static void adopt_swap(struct staging *s, struct swap *swap)
{
    struct agent_entry *entry = swap->entry;
    /* What was refused (a label, an object of somebody else) is looked at again first, and so is
     * what nobody looked at. */
    bool look = !agent_entry_is_held_to(entry) || is_held(&entry->work) || !entry->uid[0] ||
                entry->state == FED_WORK_FAILED;
    uint8_t *block = entry->block;
    size_t block_len = entry->block_len;

    if (!agent_entry_is_held_to(entry))
        fed_consent_back(&s->state->consent.window, &entry->work);
    adopt_trial(s, swap);
    entry->work = swap->fresh->work;
    entry->block = swap->fresh->block;
    entry->block_len = swap->fresh->block_len;
    swap->fresh->block = block;
    swap->fresh->block_len = block_len;
    agent_entry_free(s->table->mem, swap->fresh);
    swap->fresh = NULL;
    agent_entry_forget_wish(s->table->mem, entry);
    entry->in_manifest = true;
    entry->removing = entry->orphan = entry->kept = entry->dropped = false;
    entry->waits = entry->unclear = false;
    if (!(entry->work.options & FED_WORK_STATUS))
        memset(entry->remote_digest, 0, sizeof entry->remote_digest);
    if (is_held(&entry->work)) { /* what is under way is the last */
        entry->again = entry->busy;
        agent_entry_plan(entry, AGENT_STEP_NONE, 0);
    }
    if (!swap->plan) {
        entry->report_due = true;
        entry->status_wanted = entry->work.options & FED_WORK_STATUS;
        return;
    }
    agent_entry_set(s->table, entry, FED_WORK_PENDING, "", NULL);
    entry->report_due = true;
    entry->has_applied = false;
    entry->verify = false;
    entry->again = entry->busy;
    agent_entry_forget_fight(s->table->mem, entry);
    agent_entry_plan(entry, look ? AGENT_STEP_READ : AGENT_STEP_APPLY, s->now_ms);
}

static void adopt_leaving(struct staging *s, struct agent_entry *entry)
{
    struct agent_entry as = *entry;

    leave(s, entry, &as);
    entry->waits = as.waits;
    entry->unclear = as.unclear;
    entry->orphan = as.orphan;
    entry->kept = as.kept;
    entry->removing = as.removing;
    entry->in_manifest = false;
    if (entry->waits) { /* nothing changes for it, and the hub is told */
        entry->report_due = true;
        return;
    }
    entry->again = entry->busy;
    if (!entry->kept) {
        agent_trial_free(s->table->mem, entry->trial);
        entry->trial = NULL;
        entry->trial_row = entry->proven = false;
    }
    if (entry->kept) {
        agent_entry_plan(entry, AGENT_STEP_NONE, 0);
        return;
    }
    agent_entry_set(s->table, entry, FED_WORK_REMOVING, "", NULL);
    entry->report_due = true;
    agent_entry_plan(entry, AGENT_STEP_READ, s->now_ms);
}

static void adopt(struct staging *s)
{
    struct agent_table *table = s->table;

    for (size_t i = 0; i < s->n_leaving; i++)
        adopt_leaving(s, s->leaving[i]);
    for (size_t i = 0; i < s->n_swaps; i++)
        adopt_swap(s, &s->swaps[i]);
    for (size_t i = 0; i < s->n_added; i++) {
        fed_consent_back(&s->state->consent.window, &s->added[i]->work);
        s->added[i]->in_manifest = true;
        s->added[i]->report_due = true;
        agent_entry_plan(s->added[i],
            is_held(&s->added[i]->work) ? AGENT_STEP_NONE : AGENT_STEP_READ, s->now_ms);
    }
    fed_alloc_free(table->mem, table->at, table->cap * sizeof(struct agent_entry *));
    table->at = s->next;
    table->n = s->n_next;
    table->cap = s->cap_next;
    table->epoch = s->frame->head.epoch;
    table->revision = s->frame->head.revision;
    memcpy(table->digest, s->frame->head.digest, sizeof table->digest);
    agent_table_reindex(table);
}

static void give_up(struct staging *s)
{
    if (s->n_pass > 0) /* of which a full window took none */
        s->state->consent.window.n = s->n_window;
    for (size_t i = 0; i < s->n_swaps; i++) {
        agent_entry_free(s->table->mem, s->swaps[i].fresh);
        agent_trial_free(s->table->mem, s->swaps[i].trial);
    }
    for (size_t i = 0; i < s->n_added; i++)
        agent_entry_free(s->table->mem, s->added[i]);
    fed_alloc_free(s->table->mem, s->next, s->cap_next * sizeof *s->next);
}

enum fed_err agent_stage(struct agent_state *state, struct agent_table *table,
    struct fed_span bytes, uint64_t now_ms, struct agent_staged *out, struct fed_diag *diag)
{
    struct fed_arena arena;
    struct fed_frame frame;
    struct staging s = {
        .state = state, .table = table, .arena = &arena.alloc, .frame = &frame, .now_ms = now_ms};
    enum fed_err err;

    fed_arena_init(&arena, state->mem, AGENT_STAGE_ARENA_MAX);
    err = decode(state, table, &arena, bytes, &frame, diag);
    if (err)
        goto done;
    s.new_epoch = table->revision != 0 && frame.head.epoch != table->epoch;
    s.again = table->revision == 0 && frame.head.epoch == table->epoch;
    err = make_room(&s);
    if (!err)
        err = compare(&s);
    if (!err)
        err = judge(&s);
    if (!err)
        err = write_all(&s, diag);
    if (err) {
        give_up(&s);
        goto done;
    }
    adopt(&s);
    *out = (struct agent_staged){.n_changed = s.n_swaps + s.n_added,
        .n_removed = s.new_epoch ? 0 : s.n_leaving - s.n_wait,
        .n_waiting = s.n_wait,
        .n_released = s.again ? s.n_leaving : 0,
        .n_kept = s.new_epoch ? s.n_leaving : 0,
        .new_epoch = s.new_epoch};
done:
    fed_arena_fini(&arena);
    return err;
}
