/* hub_rollout_sim.h - a fleet that lives: members that take their time, refuse, fall ill and get
 * lost, people who act, hubs that restart; and what must hold all the time. */
#ifndef FEDLET_TESTS_UNIT_HUB_ROLLOUT_SIM_H
#define FEDLET_TESTS_UNIT_HUB_ROLLOUT_SIM_H

#include "hub_rollout_world.h"

#define SIM_WAVES_MAX 6u

struct sim_share {
    bool given, percent;
    unsigned value;
};
struct sim_wave {
    unsigned soak_s;
    bool approval;
    struct sim_share concurrency, failures;
    int from_h, to_h; /* UTC; both 0: at any time */
    bool approved;    /* by this test */
};
struct sim_rules {
    char json[2048];
    size_t n_waves; /* with rest */
    struct sim_wave waves[SIM_WAVES_MAX];
    struct sim_share failures;
    unsigned min_reported, deadline_s;
    bool rollback, hold;
};

/* What the test knows of each cluster by itself. */
struct sim_cluster {
    char before;      /* its answer before the step */
    bool touched;     /* it was given another version than `from` */
    bool forgiven;    /* failed when a person went on */
    uint64_t good_ms; /* it said that all is well; 0: it did not */
    uint64_t due_ms;  /* it says the next */
    unsigned stage;   /* of what it says */
    unsigned illness; /* what it will say */
    unsigned tries;   /* before the step */
};

struct sim {
    struct rollout_world w;
    struct sim_rules rules;
    struct sim_cluster *clusters;
    char from, to, next; /* letters */
    unsigned quality[26];
    uint64_t seed;
    bool trace;
    bool calm; /* no clock is set, and nothing held */
    uint64_t trail;               /* a hash of all that was seen */
    enum hub_rollout_phase phase; /* before the step */
    int64_t wave_start[SIM_WAVES_MAX];
};

unsigned sim_below(struct sim *s, unsigned n);
bool sim_chance(struct sim *s, unsigned percent);
/* Random rules, compiled into the world. */
void sim_rules(struct sim *s);
/* A step, and all that must hold behind it. */
void sim_step(struct sim *s);
void sim_check_begin(struct sim *s); /* behind world_begin */
void sim_check_waits(struct sim *s);
void sim_fail(struct sim *s, const char *what);

#endif
