/* hub_rollouts_world.h - a world of three clusters (hub_world.h) with the real rollouts, and agents
 * that report what they are told to: for tests of the controller. */
#ifndef FEDLET_TESTS_UNIT_HUB_ROLLOUTS_WORLD_H
#define FEDLET_TESTS_UNIT_HUB_ROLLOUTS_WORLD_H

#include "hub/rollout/rollout.h"
#include "hub_world.h"

#define R_POLICIES "rolloutpolicies.fedlet.io"
#define R_ROLLOUTS "rollouts.fedlet.io"
#define R_NAME(n) "federatedconfigmap-x-" n
#define R_CANARY "'waves':[{'name':'canary','clusters':{'names':['c1']},'approval':'Required'}]"

struct rollout_world {
    struct hub_world w;
    struct hub_world_part part;
    struct hub_rollouts *rollouts;
    struct fed_crypto crypto;
    struct fed_log log;
    unsigned errors; /* lines of that level */
    struct hub_gates gates;
    struct hub_kind_hooks hooks;        /* of Rollouts */
    struct hub_kind_hooks policy_hooks; /* of RolloutPolicies */
    struct fed_alloc mem; /* of the rollouts; refuses the one that is counted down to */
    long refuse_after;    /* < 0: never */
    bool refused;
    size_t bytes;           /* that the rollouts have */
    uint64_t seq[3];        /* of the clusters' reports */
    bool silent[3];         /* no reports */
    const char *bad[3];     /* reason why its ConfigMap is not healthy; NULL: it is */
    const char *gave_up[3]; /* overrides of the work that the agent went back from; NULL: none */
};

int rollout_world_open(void **state); /* cmocka's */
int rollout_world_close(void **state);
void rollout_restart(struct rollout_world *r);
void rollout_policy(struct rollout_world *r, const char *name, const char *spec);
/* Writes ns/x, whose data.k is the letter; more: in its metadata, as in ",'labels':{}". */
void rollout_put(struct rollout_world *r, char letter, const char *more);
/* Agents report, and the loop runs, until the text is in the status of that rollout. */
void rollout_wait(struct rollout_world *r, const char *name, const char *text);
/* The same for a number of milliseconds, whatever becomes of it. */
void rollout_run(struct rollout_world *r, unsigned ms);
/* What each of c1 c2 c3 has of ns/x: value of data.k, "-" for nothing, "=" for whatever it had when
 * the hub stopped: "2 1 -". */
const char *rollout_have(struct rollout_world *r);
void rollout_wait_have(struct rollout_world *r, const char *have);
/* The stored Rollout, "(absent)". */
const char *rollout_shown(struct rollout_world *r, const char *name);
/* As a patch of its annotations: admitted and stored. *refusal: why not, "". */
enum fed_err rollout_do(
    struct rollout_world *r, const char *name, const char *action, const char **refusal);
/* What a reader gets of that object, until the next call. */
const char *rollout_composed(
    const struct hub_kind_hooks *hooks, const struct hub_object_ref *ref, const char *stored);
/* The policy's status, composed. */
const char *rollout_policy_shown(struct rollout_world *r, const char *name);
/* Of a policy with that spec: the field for which it is refused, "" when it is not. */
const char *rollout_policy_refusal(struct rollout_world *r, const char *spec);
/* Rows that are stored under "w/" and "V/". */
size_t rollout_rows(struct rollout_world *r, const char *prefix);
/* Runs until there is none of them; fails the test when that does not come. */
void rollout_wait_no_rows(struct rollout_world *r, const char *prefix);

#endif
