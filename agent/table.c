/* table.c - see table.h. */
#include "agent/table.h"

#include "agent/trial.h"
#include "agent/wish.h"
#include "proto/digest/sha256.h"

#include <stdio.h>
#include <string.h>

const char *agent_step_name(enum agent_step step)
{
    static const char *const names[AGENT_STEPS] = {
        "nothing", "read", "apply", "delete", "release", "yield", "find"};

    return (unsigned)step < AGENT_STEPS ? names[step] : "?";
}

void agent_table_init(struct agent_table *table, struct fed_alloc *mem)
{
    *table = (struct agent_table){.mem = mem};
}

void agent_table_fini(struct agent_table *table)
{
    for (size_t i = 0; i < table->n; i++)
        agent_entry_free(table->mem, table->at[i]);
    fed_alloc_free(table->mem, table->at, table->cap * sizeof(struct agent_entry *));
    agent_table_init(table, table->mem);
}

static void set_text(struct fed_alloc *mem, char **at, const char *text)
{
    size_t len = text ? strlen(text) : 0;

    if (*at)
        fed_alloc_free(mem, *at, strlen(*at) + 1);
    *at = NULL;
    if (len == 0)
        return;
    if (len > AGENT_MESSAGE_MAX) {
        len = AGENT_MESSAGE_MAX;
        while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
            len--; /* not within a character */
    }
    *at = fed_alloc_get(mem, len + 1);
    if (!*at)
        return;
    memcpy(*at, text, len);
    (*at)[len] = '\0';
}

struct agent_entry *agent_entry_new(struct fed_alloc *mem, const struct fed_work *work)
{
    struct agent_entry *entry = fed_alloc_zero(mem, sizeof *entry);
    struct fed_buf block;
    struct fed_span rest;

    if (!entry)
        return NULL;
    fed_buf_init(&block, mem, FED_WORK_OVERRIDES_MAX + 4096u);
    fed_work_put(&block, work);
    rest = fed_buf_span(&block);
    if (fed_buf_err(&block))
        goto failed;
    entry->block = fed_alloc_get(mem, rest.len);
    if (!entry->block)
        goto failed;
    memcpy(entry->block, rest.at, rest.len);
    entry->block_len = rest.len;
    rest = fed_span_of(entry->block, entry->block_len);
    if (fed_work_take(&rest, &entry->work, NULL))
        goto failed;
    entry->reason = "";
    fed_buf_fini(&block);
    return entry;
failed:
    fed_buf_fini(&block);
    agent_entry_free(mem, entry);
    return NULL;
}

static size_t why_size(const char *why)
{
    size_t reason = strlen(why) + 1;

    return reason + strlen(why + reason) + 1;
}

/* Without memory nothing is known. */
static void set_why(
    struct fed_alloc *mem, struct agent_entry *entry, const struct agent_health *health)
{
    size_t reason = health ? strlen(health->reason) + 1 : 0;

    if (entry->why)
        fed_alloc_free(mem, entry->why, why_size(entry->why));
    entry->why = NULL;
    if (reason <= 1)
        return;
    entry->why = fed_alloc_get(mem, reason + strlen(health->message) + 1);
    if (!entry->why)
        return;
    memcpy(entry->why, health->reason, reason);
    memcpy(entry->why + reason, health->message, strlen(health->message) + 1);
}

const char *agent_entry_why(const struct agent_entry *entry)
{
    return entry->why ? entry->why : "";
}

const char *agent_entry_why_message(const struct agent_entry *entry)
{
    return entry->why ? entry->why + strlen(entry->why) + 1 : "";
}

void agent_entry_forget_wish(struct fed_alloc *mem, struct agent_entry *entry)
{
    agent_wish_free(mem, entry->wish);
    entry->wish = NULL;
    entry->wish_known = false;
}

void agent_entry_forget_fight(struct fed_alloc *mem, struct agent_entry *entry)
{
    if (entry->fight)
        set_text(mem, &entry->fight->what, NULL);
    fed_alloc_free(mem, entry->fight, sizeof *entry->fight);
    entry->fight = NULL;
}

void agent_entry_note_fight(struct fed_alloc *mem, struct agent_entry *entry, const char *what)
{
    if (entry->fight)
        set_text(mem, &entry->fight->what, what);
}

void agent_entry_free(struct fed_alloc *mem, struct agent_entry *entry)
{
    if (!entry)
        return;
    set_text(mem, &entry->message, NULL);
    set_why(mem, entry, NULL);
    agent_entry_forget_wish(mem, entry);
    agent_entry_forget_fight(mem, entry);
    agent_trial_free(mem, entry->trial);
    fed_alloc_free(mem, entry->remote, entry->remote_len);
    fed_alloc_free(mem, entry->block, entry->block_len);
    fed_alloc_free(mem, entry, sizeof *entry);
}

enum fed_err agent_entry_content(
    struct fed_alloc *mem, const struct fed_work *work, uint8_t out[AGENT_CONTENT_SIZE])
{
    struct fed_work render = *work;
    struct fed_digest digest;
    struct fed_buf text;
    enum fed_err err;

    render.options &= FED_WORK_NAMESPACED | FED_WORK_RETAIN_REPLICAS;
    fed_buf_init(&text, mem, FED_WORK_OVERRIDES_MAX + 4096u);
    fed_work_put(&text, &render);
    err = fed_buf_err(&text);
    if (!err)
        err = fed_digest_of(fed_buf_span(&text), &digest);
    fed_buf_fini(&text);
    if (!err)
        memcpy(out, digest.bytes, AGENT_CONTENT_SIZE);
    return err;
}

static bool same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

void agent_entry_set(struct agent_table *table, struct agent_entry *entry,
    enum fed_work_state state, const char *reason, const char *message)
{
    if (entry->state == state && same_text(entry->reason, reason) &&
        same_text(entry->message, message))
        return;
    entry->state = (uint8_t)state;
    entry->reason = reason;
    set_text(table->mem, &entry->message, message);
    entry->report_due = true;
}

void agent_entry_say_health(
    struct fed_alloc *mem, struct agent_entry *entry, const struct agent_health *health)
{
    if (entry->health != (uint8_t)health->state ||
        (health->state == FED_HEALTH_UNHEALTHY &&
            !same_text(agent_entry_why(entry), health->reason)))
        entry->report_due = true;
    entry->health = (uint8_t)health->state;
    if (!same_text(agent_entry_why(entry), health->reason) ||
        !same_text(agent_entry_why_message(entry), health->message))
        set_why(mem, entry, health);
}

void agent_entry_set_health(
    struct fed_alloc *mem, struct agent_entry *entry, const struct agent_health *health)
{
    if ((health->state == FED_HEALTH_PROGRESSING && entry->pods_fail) ||
        (health->state != FED_HEALTH_HEALTHY && entry->late))
        return;
    entry->pods_fail = entry->late = false;
    agent_entry_say_health(mem, entry, health);
}

void agent_entry_version(
    const struct agent_entry *entry, uint64_t *generation, uint64_t *resource_version)
{
    bool moved = entry->moved_rv > entry->resource_version;

    *generation = moved ? entry->moved_generation : entry->generation;
    *resource_version = moved ? entry->moved_rv : entry->resource_version;
}

void agent_entry_plan(struct agent_entry *entry, enum agent_step step, uint64_t due_ms)
{
    entry->step = (uint8_t)step;
    entry->due_ms = due_ms;
    entry->trouble = 0;
    agent_retry_reset(&entry->retry);
}

const char *agent_entry_name(const struct agent_entry *entry, char out[AGENT_ENTRY_NAME_SIZE])
{
    const struct fed_work *w = &entry->work;

    snprintf(out, AGENT_ENTRY_NAME_SIZE, FED_SPAN_FMT " " FED_SPAN_FMT "%s" FED_SPAN_FMT,
        FED_SPAN_ARG(w->kind), FED_SPAN_ARG(w->ns), w->ns.len > 0 ? "/" : "",
        FED_SPAN_ARG(w->name));
    return out;
}

struct agent_entry *agent_table_find(const struct agent_table *table, const struct fed_work *work)
{
    size_t low = 0;
    size_t high = table->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = fed_work_cmp(&table->at[mid]->work, work);

        if (order == 0)
            return table->at[mid];
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

static enum fed_err grow(struct agent_table *table)
{
    size_t cap = table->cap ? table->cap * 2 : 16;
    struct agent_entry **at;

    if (table->n < table->cap)
        return FED_OK;
    at = table->mem->resize(table->mem->ctx, table->at, table->cap * sizeof *at, cap * sizeof *at);
    if (!at)
        return FED_ERR_NOMEM;
    table->at = at;
    table->cap = cap;
    return FED_OK;
}

enum fed_err agent_table_append_take(struct agent_table *table, struct agent_entry *entry)
{
    enum fed_err err;

    if (table->n > 0 && fed_work_cmp(&table->at[table->n - 1]->work, &entry->work) >= 0)
        return FED_ERR_INVALID;
    err = grow(table);
    if (err)
        return err;
    table->at[table->n++] = entry;
    return FED_OK;
}

void agent_table_sweep(struct agent_table *table)
{
    size_t kept = 0;

    for (size_t i = 0; i < table->n; i++) {
        struct agent_entry *entry = table->at[i];

        if (entry->dropped && !entry->busy && !entry->dirty && !entry->report_due &&
            !entry->reporting)
            agent_entry_free(table->mem, entry);
        else
            table->at[kept++] = entry;
    }
    table->round += table->n != kept;
    table->n = kept;
}

void agent_table_reindex(struct agent_table *table)
{
    uint32_t index = 0;

    for (size_t i = 0; i < table->n; i++) {
        if (table->at[i]->in_manifest)
            table->at[i]->index = index++;
    }
    table->n_manifest = index;
    table->round++;
}

enum fed_err agent_table_manifest(
    const struct agent_table *table, struct fed_alloc *mem, struct fed_manifest *out)
{
    struct fed_work *works = NULL;
    size_t n = 0;

    if (table->n_manifest > 0) {
        works = fed_alloc_array(mem, table->n_manifest, sizeof *works);
        if (!works)
            return FED_ERR_NOMEM;
    }
    for (size_t i = 0; i < table->n && n < table->n_manifest; i++) {
        if (table->at[i]->in_manifest)
            works[n++] = table->at[i]->work;
    }
    *out = (struct fed_manifest){
        .epoch = table->epoch, .revision = table->revision, .works = works, .n_works = n};
    return FED_OK;
}
