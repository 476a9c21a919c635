/* templates.c - see templates.h. */
#include "agent/templates.h"

#include "agent/trial.h"
#include "agent/wish.h"

#include <stdlib.h>
#include <string.h>

enum fed_err agent_templates_new(struct fed_alloc *arena, size_t room, struct agent_templates *out)
{
    *out = (struct agent_templates){.at = fed_alloc_array(arena, room + 1, sizeof *out->at)};
    return out->at ? FED_OK : FED_ERR_NOMEM;
}

void agent_templates_add(struct agent_templates *set, const struct fed_digest *digest)
{
    set->at[set->n++] = *digest;
}

void agent_templates_add_good(struct agent_templates *set, const struct agent_trial *trial)
{
    if (trial && trial->good)
        agent_templates_add(set, &trial->good->work.blob);
}

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct fed_digest));
}

void agent_templates_sort(struct agent_templates *set)
{
    size_t kept = 0;

    qsort(set->at, set->n, sizeof *set->at, compare);
    for (size_t i = 0; i < set->n; i++)
        if (kept == 0 || compare(&set->at[kept - 1], &set->at[i]) != 0)
            set->at[kept++] = set->at[i];
    set->n = kept;
}

bool agent_templates_have(const struct agent_templates *set, const struct fed_digest *digest)
{
    return bsearch(digest, set->at, set->n, sizeof *set->at, compare) != NULL;
}

enum fed_err agent_templates_put_removals(struct fed_alloc *arena,
    const struct agent_templates *given, const struct agent_templates *used,
    struct fed_store_op *ops, size_t *n)
{
    for (size_t i = 0; i < given->n; i++) {
        struct fed_buf key;

        if (agent_templates_have(used, &given->at[i]))
            continue;
        fed_buf_init(&key, arena, FED_STORE_KEY_MAX);
        agent_state_put_blob_key(&key, &given->at[i]);
        if (fed_buf_err(&key))
            return fed_buf_err(&key);
        ops[(*n)++] = (struct fed_store_op){.key = fed_buf_span(&key), .remove = true};
    }
    return FED_OK;
}

/* ---- what works give up when they are written ---- */

static bool kept_blob(const struct agent_entry *entry)
{
    return entry->dropped && entry->wish && entry->wish->n_dependencies > 0;
}

/* Whether the commit gives the template up that the entry kept beyond its stay in the manifest
 * (stage.c), or one that its trial let go. */
static bool gives_up(const struct agent_entry *entry)
{
    return entry->dirty &&
           (kept_blob(entry) || (!entry->dropped && entry->trial && entry->trial->let_go));
}

struct giving {
    struct agent_templates kept; /* by works on their way out */
    struct agent_templates gone; /* versions that nobody goes back to */
    struct agent_templates used; /* by works that are held to what the hub said, and by trials */
    struct agent_templates also; /* and by works on their way out */
};

static enum fed_err giving_new(
    struct fed_alloc *arena, size_t n_giving, size_t n, struct giving *out)
{
    enum fed_err err = agent_templates_new(arena, n_giving, &out->kept);

    if (!err)
        err = agent_templates_new(arena, 2 * n_giving, &out->gone);
    if (!err)
        err = agent_templates_new(arena, 2 * n, &out->used);
    return err ? err : agent_templates_new(arena, 3 * n, &out->also);
}

static void giving_add(struct giving *g, const struct agent_entry *entry)
{
    const struct fed_digest *blob = &entry->work.blob;

    if (gives_up(entry) && kept_blob(entry))
        agent_templates_add(&g->kept, blob);
    else if (gives_up(entry))
        agent_templates_add(&g->gone, &entry->trial->gone);
    if (agent_entry_is_held_to(entry))
        agent_templates_add(&g->used, blob);
    else if (!entry->dropped)
        agent_templates_add(&g->also, blob);
    agent_templates_add_good(&g->used, entry->trial);
}

/* What is kept stays while a work on its way out has it, too; the rest goes when nobody is to be as
 * it says. A template of both kinds is of the first, so that it is given up once. */
static void giving_settle(struct giving *g)
{
    size_t n = g->gone.n;

    agent_templates_sort(&g->kept);
    g->gone.n = 0;
    for (size_t i = 0; i < n; i++)
        if (!agent_templates_have(&g->kept, &g->gone.at[i]))
            agent_templates_add(&g->gone, &g->gone.at[i]);
    agent_templates_sort(&g->gone);
    agent_templates_sort(&g->used);
    for (size_t i = 0; i < g->used.n; i++)
        agent_templates_add(&g->also, &g->used.at[i]);
    agent_templates_sort(&g->also);
}

enum fed_err agent_templates_put_given(
    struct fed_alloc *arena, const struct agent_table *table, struct fed_store_op *ops, size_t *n)
{
    struct giving g;
    size_t n_giving = 0;
    enum fed_err err;

    for (size_t i = 0; i < table->n; i++)
        n_giving += gives_up(table->at[i]);
    if (n_giving == 0)
        return FED_OK;
    err = giving_new(arena, n_giving, table->n, &g);
    if (err)
        return err;
    for (size_t i = 0; i < table->n; i++)
        giving_add(&g, table->at[i]);
    giving_settle(&g);
    err = agent_templates_put_removals(arena, &g.kept, &g.also, ops, n);
    return err ? err : agent_templates_put_removals(arena, &g.gone, &g.used, ops, n);
}
