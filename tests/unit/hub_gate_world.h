/* hub_gate_world.h - a world of three clusters (hub_world.h) with gates that answer what a test
 * says: FederatedConfigMap ns/x (and FederatedSecret ns/x) is governed, and versions are kept under
 * a letter. */
#ifndef FEDLET_TESTS_UNIT_HUB_GATE_WORLD_H
#define FEDLET_TESTS_UNIT_HUB_GATE_WORLD_H

#include "hub_world.h"

#define GATE_ALL "'placement':{'clusterSelector':{}}"
#define GATE_DATA(k) "'template':{'data':{'k':'" k "'}}"
#define GATE_SECRETS "federatedsecrets.types.kubefed.io" /* of which there is no type */
#define GATE_SPEC(k) "{" GATE_DATA(k) "," GATE_ALL "}"

struct gate_world {
    struct hub_world w;
    struct hub_gates gates;
    bool governed;        /* answer of taken, for ns/x */
    enum fed_err refuses; /* the same, when it is none */
    const char *stages;   /* key of a row that taken stages; NULL: none */
    char answers[4];      /* of c1, c2, c3 and any other: '-' nothing, '=' latest, else a letter */
    char zone; /* of clusters with this label "zone", before the others; 0: none; the answer is a */
    char versions[26][1024]; /* JSON; "": none */
    char log[1024];          /* calls of taken: "loaded written undone(gone)" */
    unsigned tries[3];       /* of c1, c2, c3 */
    unsigned chosen, read;   /* calls of choose, content */
    struct fed_alloc mem;    /* of the plan; refuses the allocation that is counted down to */
    long refuse_after;       /* < 0: never */
    bool refused;
};

int gate_world_open(void **state); /* cmocka's */
int gate_world_close(void **state);
/* Keeps a version; spec in single quotes. */
void gate_keep(struct gate_world *g, char letter, const char *spec);
/* Writes ns/x; and keeps what it says under the letter. */
void gate_put(struct gate_world *g, char letter, const char *spec);
void gate_answer(struct gate_world *g, const char *answers); /* for all; the plan is not told */
/* The same for one, and the plan is told. */
void gate_turn(struct gate_world *g, const char *cluster, char answer);
void gate_turn_all(struct gate_world *g, const char *answers);
/* What each of c1 c2 c3 has of ns/x: value of data.k, "+" with overrides, "-" for nothing:
 * "2 1 -". */
const char *gate_have(struct gate_world *g);
void gate_revisions(struct gate_world *g, uint64_t out[3]);
/* Restarts, and nothing is other than before: contents, revisions. */
void gate_restart_is_same(struct gate_world *g);
/* What is said of the cluster in the composed status: "{...}"; "" when it is not in it. */
const char *gate_said(struct gate_world *g, const char *cluster);
struct hub_object_ref gate_ref(void);

#endif
