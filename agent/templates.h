/* templates.h - sets of templates, by their digests: which ones are in use, and which are given up.
 * Filled first, sorted once, then asked, so that a bundle of thousands of works costs no more than
 * sorting it. */
#ifndef FEDLET_AGENT_TEMPLATES_H
#define FEDLET_AGENT_TEMPLATES_H

#include "agent/state.h"

struct agent_templates {
    struct fed_digest *at; /* of the arena */
    size_t n;
};

/* An empty set with room for so many. FED_ERR_NOMEM. */
FED_MUST_USE enum fed_err agent_templates_new(
    struct fed_alloc *arena, size_t room, struct agent_templates *out);
void agent_templates_add(struct agent_templates *set, const struct fed_digest *digest);
/* The version that the trial may go back to; NULL is fine. */
struct agent_trial;
void agent_templates_add_good(struct agent_templates *set, const struct agent_trial *trial);
/* Each once, in order. */
void agent_templates_sort(struct agent_templates *set);
/* In a set that is sorted. */
bool agent_templates_have(const struct agent_templates *set, const struct fed_digest *digest);

/* Adds the removal of those given up that are not used; both sorted. ops has room for given->n.
 * FED_ERR_NOMEM, FED_ERR_LIMIT. */
FED_MUST_USE enum fed_err agent_templates_put_removals(struct fed_alloc *arena,
    const struct agent_templates *given, const struct agent_templates *used,
    struct fed_store_op *ops, size_t *n);

/* Adds the removal of what the table's dirty entries give up with their rows: at most one template
 * each. FED_ERR_NOMEM, FED_ERR_LIMIT. */
FED_MUST_USE enum fed_err agent_templates_put_given(
    struct fed_alloc *arena, const struct agent_table *table, struct fed_store_op *ops, size_t *n);

#endif
