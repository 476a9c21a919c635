/* check.h - named checks of everything that the agent needs, one after the other: `fedlet
 * preflight` before joining, `fedlet doctor` when something is wrong. One table (check.c) says
 * which check is for whom; each finding names the layer, what was seen, and what to do. Program
 * only, as world.h.
 *
 * Nothing is changed by looking: the state directory is read, the hub sees a handshake and at most
 * one question that any agent may ask, the API server sees GET and self-reviews. Every question has
 * a time limit. */
#ifndef FEDLET_AGENT_CHECK_H
#define FEDLET_AGENT_CHECK_H

#include "agent/world.h"
#include "ports/resolve.h"
#include "proto/doc/doc.h"

#define AGENT_CHECK_PREFLIGHT 0x01u
#define AGENT_CHECK_DOCTOR 0x02u

#define AGENT_CHECK_DISK_LOW (64u << 20) /* bytes: state, its log, and a bundle beside */
#define AGENT_CHECK_DISK_NONE (4u << 20)
#define AGENT_CHECK_MEMORY_LOW_KIB 32768u /* of the unit's MemoryMax, what a large bundle takes */
#define AGENT_CHECK_CLOCK_OFF_S 60
#define AGENT_CHECK_HUB_MS 8000u
#define AGENT_CHECK_API_MS 5000u
/* Before this the clock was never set: the time of this release. */
#define AGENT_CHECK_RELEASE_UNIX_S 1764000000

enum agent_check_result {
    AGENT_CHECK_OK,
    AGENT_CHECK_WARN, /* it goes on, not as it should */
    AGENT_CHECK_FAIL,
    AGENT_CHECK_SKIPPED,
    AGENT_CHECK_IGNORED,
    AGENT_CHECK_RESULTS
};

struct agent_checks {
    struct agent_world *w;
    unsigned whom;                   /* one of the two bits above */
    const char *ignore;              /* ids, separated by commas; "" for none */
    const struct fed_token *token;   /* NULL: none was given */
    bool joined;                     /* w->identity and w->key_pem are there */
    const struct fed_doc *service;   /* status of the running one, NULL: none runs */
    const char *service_trouble;     /* why not, "" for none */
    const struct agent_table *table; /* of a dead one's state file, NULL: not read */
    const char *state_trouble;       /* why not, "" for none */
    bool text;                       /* findings are printed as they come */

    struct fed_doc *findings;
    enum fed_err err;
    unsigned n[AGENT_CHECK_RESULTS];
    size_t row; /* of the table */
    struct fed_timer *timer;
    void (*late)(struct agent_checks *c);
    /* ---- check_hub.c ---- */
    size_t hub;
    size_t n_hubs;
    const char *hubs[AGENT_HUBS_MAX];
    struct fed_link_address address;
    struct fed_link *link;
    struct fed_resolve *resolve;
    uint64_t began_ms;
    unsigned n_through; /* addresses over which the hub answered */
    bool by_coap;       /* one of them */
    /* ---- check_member.c ---- */
    size_t right;
    char denied[400];
};

/* Runs all of the table that are for whom, within the loop. */
FED_MUST_USE enum fed_err agent_checks_run(struct agent_checks *checks, struct fed_diag *diag);

/* ---- for the checks ---- */
/* One finding; remedy NULL for none. id NULL: that of the row. */
FED_PRINTF(5, 6)
void agent_check_say(struct agent_checks *c, const char *id, enum agent_check_result result,
    const char *remedy, const char *format, ...);
/* The row is through: the next begins, later from the loop. */
void agent_check_next(struct agent_checks *c);
/* late is called when _next was not by then. */
void agent_check_within(
    struct agent_checks *c, unsigned timeout_ms, void (*late)(struct agent_checks *c));
/* A text of the service's status by two keys, "" when absent. */
const char *agent_check_status(const struct agent_checks *c, const char *key, const char *inner);
bool agent_check_connected(const struct agent_checks *c);

/* ---- what the rows begin ---- */
void agent_check_token(struct agent_checks *c);
void agent_check_service(struct agent_checks *c);
void agent_check_names(struct agent_checks *c);
void agent_check_hubs(struct agent_checks *c);
void agent_check_identity(struct agent_checks *c);
void agent_check_api_server(struct agent_checks *c);
void agent_check_rights(struct agent_checks *c);
void agent_check_state(struct agent_checks *c);
void agent_check_memory(struct agent_checks *c);
void agent_check_clock(struct agent_checks *c);
void agent_check_works(struct agent_checks *c);

/* ---- check_hub.c: the events of the two links, for agent_world_open_links ---- */
struct fed_link_events agent_check_link_events(struct agent_checks *c);

#endif
