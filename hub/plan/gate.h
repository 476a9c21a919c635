/* gate.h - which version of an object a cluster gets, in the plan (gates.h). Not for others.
 *
 * A governed object's pairs ask when they are computed. A pair keeps the version of the answer, by
 * its slot in the object's list, so that it is parsed once while any has it. A pair whose answer
 * gives it nothing is withheld: REFUSED without a fault, or, where a copy is there, on its way out.
 */
#ifndef FEDLET_HUB_PLAN_GATE_H
#define FEDLET_HUB_PLAN_GATE_H

#include "hub/plan/internal.h"

/* A version that pairs have besides the latest one. */
struct plan_earlier {
    struct plan_version *version; /* NULL: the slot is free */
    size_t refs;                  /* pairs; 0 with a version: about to get one, or free */
    bool stale;                   /* its bytes are asked for again */
    struct fed_digest digest;     /* its name */
    struct fed_digest bytes;      /* digest of what was parsed */
};

/* What a pair is to be made of. */
struct plan_choice {
    struct plan_version *version; /* NULL: nothing, or an error */
    uint8_t slot;                 /* of it, from 1; 0: the latest */
    unsigned tries;               /* gates.h */
    bool unknown;                 /* with an error: what is durable stays */
    const char *error;            /* KubeFed's word, "" */
    struct fed_diag diag;         /* the sentence of an error */
};

/* ---- gate.c ---- */
/* FED_ERR_NOMEM only; another error is kept in the choice. */
FED_MUST_USE enum fed_err plan_gate_choose(struct hub_plan *plan, struct plan_item *item,
    const struct plan_cluster *cluster, struct plan_choice *out);
/* The pair has the version of that slot. */
void plan_gate_note(
    struct hub_plan *plan, struct plan_item *item, struct plan_pair *pair, uint8_t slot);
/* Whether the cluster, which the latest version selects, gets something of what was chosen, or is
 * told what is wrong with it. */
bool plan_choice_places(struct hub_plan *plan, const struct plan_item *item,
    const struct plan_choice *choice, const struct plan_cluster *cluster);
/* Nothing is there yet, and nothing is sent; what is there all the same leaves. Where the version's
 * own placement cannot be computed, what is there stays. */
FED_MUST_USE enum fed_err plan_pair_withhold(struct hub_plan *plan, struct plan_item *item,
    const struct plan_choice *choice, struct plan_cluster *cluster);
/* What its versions say is to be asked for again, and their works are made anew. */
void plan_gate_stale(struct hub_plan *plan, struct plan_item *item);
void plan_gate_forget_pieces(struct hub_plan *plan, struct plan_item *item);
void plan_gate_fini(struct hub_plan *plan, struct plan_item *item);
/* A federated object comes in (bytes empty: it goes), and is governed or not from now on: tells
 * whoever decides, before it is parsed. item NULL: it is new. */
FED_MUST_USE enum fed_err plan_gate_taken(struct hub_plan *plan, const struct plan_type *type,
    const struct hub_object_ref *ref, struct fed_span bytes, bool *governed);

/* ---- gate_ask.c ---- */
/* Computes the pairs that were asked for alone; nothing of them is left, or all are dirty. */
FED_MUST_USE enum fed_err plan_regated_compute(struct hub_plan *plan, struct plan_item *item);
void plan_regated_forget(struct plan_item *item); /* all were computed */
/* The commit was undone, and with it, perhaps, the answers. */
void plan_regated_undone(struct hub_plan *plan);
/* Why the pair has not the latest version, NULL when it has; valid until _forget_why. */
const char *plan_gate_why(
    struct hub_plan *plan, const struct plan_item *item, const struct plan_pair *pair);
void plan_gate_forget_why(struct hub_plan *plan);
/* What a write would bring; out is zero. */
FED_MUST_USE enum fed_err plan_gate_outlook(struct hub_plan *plan, const struct plan_type *type,
    const struct hub_object_ref *ref, struct fed_span bytes, struct hub_gate_outlook *out);

#endif
