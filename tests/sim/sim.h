/* sim.h - a hub and agents in one process, on one simulated clock and network.
 *
 * The hub is the product from its store to its gateway, the agents are the product from the link to
 * the member's API; simulated are the clock, the network between them (net.c), and the members' API
 * servers (tests/unit/agent_world.h). A history is drawn from a seed: changes of federated objects,
 * losses, partitions, crashes and restarts of either side, restores of the hub from a backup. The
 * same seed gives the same history.
 *
 *   clock.c    the hub's event loop
 *   hub.c      the hub's life and its objects
 *   net.c      the link of each agent
 *   watch.c    what must hold at every moment
 *   sim.c      histories */
#ifndef FEDLET_TESTS_SIM_H
#define FEDLET_TESTS_SIM_H

#include "hub/gateway/gateway.h"
#include "tests/unit/agent_world.h"

#define SIM_AGENTS 3u
#define SIM_MAPS 10u /* FederatedConfigMaps */
#define SIM_NEVER UINT64_MAX
#define SIM_KNOWN 64u /* manifests of one agent that the watch remembers */

struct sim;
struct sim_agent;

/* A federated object as it should be. */
struct sim_map {
    bool there;
    bool going;       /* its deletion is asked for */
    unsigned version; /* in its template; grows with every write, whatever becomes of the hub */
    unsigned placed;  /* a bit per agent */
    unsigned tuned;   /* in an override for c0; the template, and so the blob, stays the same */
};

/* ---- clock.c ---- */
struct sim_loop;
struct sim_loop *sim_loop_new(struct sim *sim);
void sim_loop_free(struct sim_loop *loop); /* all timers were given back */
struct fed_loop *sim_loop_port(struct sim_loop *loop);
uint64_t sim_loop_due(const struct sim_loop *loop);
/* One turn: what is due, what was deferred, then what waits for the turn's end, until nothing is
 * left to do now. */
void sim_loop_turn(struct sim_loop *loop);

/* ---- net.c ---- */
struct sim_session; /* as the hub sees it */
struct sim_event;   /* on its way, or a time-out */
struct sim_net {
    struct sim_event *events;
    unsigned loss;      /* per mille, of each message */
    unsigned delay_ms;  /* at most, of each message */
    unsigned long lost; /* of all histories, to show that there was something to survive */
};
struct fed_link sim_net_link(struct sim_agent *agent);
uint64_t sim_net_due(const struct sim *sim);
void sim_net_turn(struct sim *sim);          /* what is due arrives */
void sim_net_hub_gone(struct sim *sim);      /* without a word */
void sim_net_agent_gone(struct sim_agent *); /* without a word */
void sim_net_free(struct sim *sim);
const struct fed_link_calls *sim_net_gateway_link(void);

/* ---- watch.c ---- */
struct sim_known {
    struct fed_arena arena;
    struct fed_frame frame; /* its target is a manifest that the agent may hold */
};
struct sim_watch {
    struct sim_known known[SIM_KNOWN];
    size_t n_known;
    uint32_t epoch; /* the agent said that it holds */
    uint64_t revision;
    uint64_t acknowledged;        /* newest report that was answered 2.04 */
    bool ordered[SIM_MAPS];       /* its removal from this member was, at some time */
    bool by_name[SIM_MAPS];       /* since it was placed here last: by deletion or consent */
    bool passed[SIM_MAPS];        /* deleted without that, in this hour, and not there again */
    uint64_t passed_ms;           /* the last one */
    unsigned applied[SIM_MAPS];   /* version that the member has */
    unsigned went_back[SIM_MAPS]; /* restores of the hub when it last got an older one */
};
void sim_watch_sent(struct sim_agent *agent, struct fed_span frame);
void sim_watch_asked(struct sim_agent *agent, struct fed_span query);
void sim_watch_member(struct sim_agent *agent); /* after each of its turns */
void sim_watch_free(struct sim_agent *agent);

/* ---- the whole ---- */
struct sim_agent {
    struct sim *sim;
    unsigned number;
    char name[8]; /* "c0" */
    struct world *world;
    bool up;
    bool cut_off; /* partition */
    struct sim_session *session;
    uint64_t link; /* number of the present session or attempt; 0: none */
    struct sim_watch watch;
    struct fed_crypto_cert_info cert;
};

struct sim {
    uint64_t now_ms;
    int64_t unix_s;
    uint64_t random;
    bool trace;
    char dir[64];
    struct sim_net net;
    uint64_t next_link;
    /* the hub */
    bool hub_up;
    struct sim_loop *loop;
    struct fed_crypto *crypto; /* of all histories, as the next two */
    struct fed_fs *fs;
    const char *identity_dir;
    struct fed_sqlite_store *sqlite;
    struct hub_objects *objects;
    struct hub_plan *plan;
    struct hub_status *status;
    struct hub_identity *identity;
    struct hub_gateway *gateway;
    struct fed_link_server_events events;
    uint32_t epoch;
    unsigned restores;
    unsigned next_version;
    size_t consented;       /* removals that waited */
    bool written[SIM_MAPS]; /* at some time */
    struct sim_map maps[SIM_MAPS];
    bool has_backup;
    struct sim_map backup[SIM_MAPS];
    struct sim_agent agents[SIM_AGENTS];
};

uint32_t sim_random(struct sim *sim, uint32_t below);
bool sim_chance(struct sim *sim, unsigned per_mille);
void sim_trace(const struct sim *sim, const char *format, ...) FED_PRINTF(2, 3);
/* Ends the history: prints it with its seed. */
#define SIM_CHECK(sim, condition, ...)                                                             \
    do {                                                                                           \
        if (!(condition))                                                                          \
            sim_fail(sim, #condition, __VA_ARGS__);                                                \
    } while (0)
void sim_fail(const struct sim *sim, const char *condition, const char *format, ...)
    FED_PRINTF(3, 4);

/* ---- hub.c ---- */
void sim_hub_new(struct sim *sim); /* a new store with clusters and types */
void sim_hub_start(struct sim *sim);
void sim_hub_crash(struct sim *sim);
void sim_hub_free(struct sim *sim);
void sim_hub_backup(struct sim *sim);
void sim_hub_restore(struct sim *sim); /* the hub is down */
void sim_hub_write(struct sim *sim, unsigned map);
void sim_hub_delete(struct sim *sim, unsigned map);
/* Everything goes to the member by its placement, or leaves it when much is there; and what waits
 * for consent gets it: how many did.
 */
void sim_hub_turn_over(struct sim *sim, unsigned agent);
size_t sim_hub_consent(struct sim *sim);
/* A deletion that is over, as the store has it. */
void sim_hub_look(struct sim *sim);
const char *sim_hub_status(struct sim *sim, unsigned map); /* composed; "" when there is none */

#endif
