/* hub_rollout_world.h - an engine in a world of its own: a store, clusters that say what the test
 * wants, a clock. Versions are letters.
 *
 * After each step the world stores what the engine says that changed, and nothing else, and checks
 * that nothing else did change. */
#ifndef FEDLET_TESTS_UNIT_HUB_ROLLOUT_WORLD_H
#define FEDLET_TESTS_UNIT_HUB_ROLLOUT_WORLD_H

#include "hub/rollout/engine.h"

#define WORLD_CLUSTERS_MAX 10000u

struct world_cluster {
    char name[32];
    char labels[96]; /* JSON, or empty */
    bool member;     /* of the object's clusters */
    bool in;
    int64_t out_since_ms;
    char answer; /* '-' nothing */
    unsigned tries;
    bool held;            /* what is new for it waits */
    int64_t held_until_s; /* 0: not known */
    bool kept;            /* its answer does */
    char sent;            /* the answer that it was sent */
    char has;             /* the version that it is known to have; '?' what its present answer is */
    enum hub_rollout_copy copy;
    enum hub_rollout_health health;
    char reason[32];
    bool stored;
    size_t row_len;
    uint8_t row[96];
    size_t wave; /* when the engine came to rest */
    /* for whoever plays the members */
    uint64_t due_ms;
    unsigned plan;
};

struct rollout_world {
    struct hub_rollout *r;
    struct hub_rollout_rules *rules;
    struct hub_rollout_now now;
    struct fed_buf record;
    size_t n;
    size_t writes; /* rows */
    size_t most;   /* of one commit */
    bool quiet;    /* no row is to be written */
    size_t rests;  /* how often its engine gave its clusters up */
    struct world_cluster *at;
    const char *where; /* for messages */
};

void world_init(struct rollout_world *w, const char *uid);
void world_fini(struct rollout_world *w);
/* With ' for ". */
void world_rules(struct rollout_world *w, const char *json);
struct world_cluster *world_add(struct rollout_world *w, const char *name, const char *labels);
struct world_cluster *world_find(struct rollout_world *w, const char *name);
void world_tell(struct rollout_world *w, struct world_cluster *c);  /* labels */
void world_reach(struct rollout_world *w, struct world_cluster *c); /* in or out */
void world_note(struct rollout_world *w, struct world_cluster *c);  /* copy */
void world_hold(struct rollout_world *w, struct world_cluster *c);
void world_gone(struct rollout_world *w, struct world_cluster *c);
void world_adopt(struct rollout_world *w, char version);
enum fed_err world_begin(struct rollout_world *w, char version);
void world_retell(struct rollout_world *w);
void world_step(struct rollout_world *w);
void world_wait(struct rollout_world *w, uint64_t ms);
/* The hub ends, and starts with what was stored. */
void world_restart(struct rollout_world *w);
/* Before what an engine that rests cannot do; does nothing with others. */
void world_rise(struct rollout_world *w);
/* Also of one that rests, as far as it is known: wave, state, version. */
enum fed_err world_view(
    struct rollout_world *w, const char *cluster, struct hub_rollout_cluster_view *out);
/* Engines rest wherever they may, and are made again when something is new, as the hub does it. */
extern bool world_rests;
/* Of every engine that is made: how much a step may change (0: no limit), and whether the hub is
 * killed wherever one was cut. */
extern size_t world_step_max;
extern bool world_cut_restarts;
/* Fails with where, when a version other than A to Z. */
char world_letter(const struct fed_digest *digest);
struct fed_digest world_digest(char letter);

#endif
