/* daemon.h - the running agent: the modules joined over one table.
 *
 * frame -> sync stages it -> apply starts at once -> report when the answers are in
 * member's API server -> observe -> apply (drift, health) -> report
 * probe pauses apply and observe while the API server is away; with the hub away everything else
 * goes on. */
#ifndef FEDLET_AGENT_DAEMON_H
#define FEDLET_AGENT_DAEMON_H

#include "agent/policy.h"
#include "agent/rbac.h"
#include "agent/sync.h"

struct agent_daemon;

struct agent_daemon_options {
    struct agent_dial_options sync; /* sync.n_hubs 0: no link at all (fedlet leave) */
    struct agent_dial_slot *slot;   /* filled in, so that the links' events arrive */
    const struct fed_consent_limit *removal_consent; /* NULL: as without a setting */
    struct agent_identity *identity; /* that of sync, which new certificates change; NULL: there are
                                      * none */
    const struct agent_vault *vault; /* NULL: nothing is kept a second time */
    fed_loop_call *damaged; /* the store was found damaged while in use; NULL: nobody asks */
    void *damaged_ctx;
};

/* Reads the state into memory. FED_ERR_CORRUPT with diag. All pointers in ports must be set; link
 * is of no use, coap or https only with hubs. */
FED_MUST_USE enum fed_err agent_daemon_new(const struct agent_ports *ports,
    const struct agent_daemon_options *options, struct agent_daemon **out, struct fed_diag *diag);
void agent_daemon_start(struct agent_daemon *daemon);
/* Writes what is not yet on disk and ends everything. */
void agent_daemon_free(struct agent_daemon *daemon);

/* Other addresses of the hub, n >= 1, borrowed, and checked with agent_dial_check: it is dialled
 * anew. */
void agent_daemon_hubs(struct agent_daemon *daemon, const char (*hubs)[281], size_t n);
/* Looks at the member's API server now. */
void agent_daemon_look(struct agent_daemon *daemon);

/* The document of `fedlet status -o json` and, with text, what people read. */
FED_MUST_USE enum fed_err agent_daemon_status_json(
    struct agent_daemon *daemon, struct fed_buf *out);
/* The same for other eyes: without what an API server said about a Secret, which may quote it. */
FED_MUST_USE enum fed_err agent_daemon_status_public(
    struct agent_daemon *daemon, struct fed_buf *out);
FED_MUST_USE enum fed_err agent_daemon_status_text(
    struct agent_daemon *daemon, struct fed_buf *out);

/* "connected over coap; revision 12; works: 40, 38 applied, 2 failed", for the service manager. */
void agent_daemon_summary(struct agent_daemon *daemon, struct fed_buf *out);
/* Prometheus' text format (version 0.0.4). state_bytes: of the state file, 0 for not known. */
FED_MUST_USE enum fed_err agent_daemon_metrics(
    struct agent_daemon *daemon, uint64_t state_bytes, struct fed_buf *out);

/* Plans the removal (or release) of everything in the inventory, for `fedlet leave`; left is called
 * once when nothing is left. */
void agent_daemon_leave(
    struct agent_daemon *daemon, bool keep_objects, fed_loop_call *left, void *left_ctx);
/* What this gateway allows from now on, NULL for everything; borrowed until the next one is set. */
void agent_daemon_set_policy(struct agent_daemon *daemon, const struct agent_policy *policy);
/* The rights that the daemon's works take; request as agent_rbac_request writes it. */
FED_MUST_USE enum fed_err agent_daemon_rbac(struct agent_daemon *daemon, struct fed_span request,
    struct fed_buf *out, struct fed_diag *diag);

/* Entries whose objects are not yet gone. */
size_t agent_daemon_remaining(const struct agent_daemon *daemon);

#endif
