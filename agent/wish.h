/* wish.h - what a template asks of the agent itself: annotations of its metadata, after the
 * overrides of the cluster, so that an override may set them for one cluster. The annotations
 * themselves do not reach the member (proto/object/render.h).
 *
 *   fedlet.io/depends-on       other works of this bundle, comma separated, as KIND[.GROUP]/NAME
 *                              (same namespace, or cluster-scoped) or
 *                              KIND[.GROUP]/NAMESPACE/NAME: applied once those are healthy,
 *                              which in their turn are not removed before this one.
 *                              Without a group the first work of that kind and name counts.
 *   fedlet.io/replace          "true": delete and create again when an immutable field changes
 *   fedlet.io/drift            "report": tell of foreign changes, do not put them back;
 *                              "restore": as without the annotation
 *   fedlet.io/health-deadline  how long ("5m", Go's syntax, 1s to 24h) a new version may take to
 *                              become healthy before the last one that was is put back
 *   fedlet.io/status-fields    which members of the .status are reported to the hub, where it asks
 *                              for the status (proto/object/fields.h)
 *
 * Read when somebody first asks and kept with the entry; most works have none of these and pay one
 * look at their template for that. Unknown names are somebody else's; a known name with a value
 * that makes no sense is refused, since guessing could apply what must not be applied yet. */
#ifndef FEDLET_AGENT_WISH_H
#define FEDLET_AGENT_WISH_H

#include "agent/state.h"

#define AGENT_WISH_DEPENDENCIES_MAX 32u
#define AGENT_WISH_DEADLINE_MIN_MS 1000u
#define AGENT_WISH_DEADLINE_MAX_MS 86400000u

struct agent_dependency { /* spans into the wish */
    struct fed_span kind;
    struct fed_span group; /* "" for the core group; meaningless without has_group */
    struct fed_span ns;    /* "" when not given */
    struct fed_span name;
    bool has_group;
    struct agent_entry *found; /* NULL when there is none; agent_wish_look_up */
};

struct agent_wish {
    bool replace;
    bool report_drift;
    uint32_t deadline_ms;          /* 0: none */
    struct fed_span status_fields; /* "": all; fed_fields_parse took it */
    /* apply_order.c: what it knows, and the links of a walk along the dependencies. */
    uint32_t looked_up; /* in which round of the table */
    uint32_t judged;    /* in which round cyclic was found out */
    uint32_t walk;
    bool cyclic;
    bool replaced; /* deleted once already for this content */
    struct agent_entry *from;
    struct agent_entry *next;
    size_t n_dependencies;
    size_t size; /* of this allocation */
    struct agent_dependency dependencies[];
};

/* The entry's wish, never NULL on FED_OK; lives until the entry's work changes
 * (agent_entry_forget_wish). FED_ERR_INVALID with diag when an annotation makes no sense or the
 * overrides do not apply, FED_ERR_NOT_FOUND when the template is not in the store, FED_ERR_NOMEM,
 * the store's errors. */
FED_MUST_USE enum fed_err agent_wish_of(struct agent_state *state, struct agent_entry *entry,
    const struct agent_wish **out, struct fed_diag *diag);

/* The same from bytes, for whoever holds the template. *out is owned, NULL for no wishes. */
FED_MUST_USE enum fed_err agent_wish_read(struct fed_alloc *mem, struct fed_span blob,
    struct fed_span overrides, struct agent_wish **out, struct fed_diag *diag);
void agent_wish_free(struct fed_alloc *mem, struct agent_wish *wish); /* NULL is fine */

/* Finds the works that the entry's wish names: those of the bundle before those on their way out,
 * for an entry that is on its way out itself the other way round. Stands until the table's next
 * round. The entry has a wish. */
void agent_wish_look_up(const struct agent_table *table, struct agent_entry *entry);

#endif
