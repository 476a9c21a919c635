/* plan.h - fedctl plan: what its files share. Not for others.
 *
 *   plan.c        the command
 *   plan_file.c   the file, and its objects as the hub would store them
 *   plan_ask.c    the questions to the hub: of objects, of policies, of clusters' labels
 *   plan_show.c   the answers, for people
 *
 * Each question is asked of the hub as it is now: objects are planned with its policies and labels,
 * policies and labels with its objects. */
#ifndef FEDLET_CLI_PLAN_H
#define FEDLET_CLI_PLAN_H

#include "cli/look.h"

struct plan {
    struct look *look;
    struct fed_json *documents; /* of the file */
    struct fed_json *objects;   /* federated ones and Namespaces, as they would be stored */
    struct fed_json *policies;  /* PlacementPolicies, the same */
    struct fed_json *clusters;  /* [{"name","labels"}]: of KubeFedClusters the labels that change;
                                   null: taken off */
    struct fed_json *scaled;    /* "KIND NS/NAME" of objects that a preference scales */
    struct fed_json *answers;   /* [{"because","status"}]; because: {"kind","names"}, absent of the
                                   objects */
    size_t refused;             /* by the hub's API */
    enum fed_err err;
    struct fed_diag diag;
};

/* Actions of a PlanReview; the first ones are changes. */
#define PLAN_ACTIONS 8u
#define PLAN_CHANGES 4u
extern const char *const plan_actions[PLAN_ACTIONS];

/* Reads the file into documents. */
FED_MUST_USE enum fed_err plan_read(struct plan *p);
/* Sorts documents into objects, policies and clusters, each after a dry run; says what is refused
 * or left out. */
void plan_take(struct plan *p);
/* "KIND NS/NAME" as a key of scaled. */
FED_MUST_USE enum fed_err plan_key(
    struct fed_span kind, struct fed_span ns, struct fed_span name, struct fed_buf *out);

/* Fills answers. */
FED_MUST_USE enum fed_err plan_ask(struct plan *p);
/* All answers as one status of a PlanReview; objects that follow from a policy or a cluster have
 * "because", those that a preference scales "scaled". NULL: out of memory. */
struct fed_json *plan_merged(struct plan *p);

void plan_print(struct plan *p, const struct fed_json *merged);

#endif
