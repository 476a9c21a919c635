/* renew.h - the agent's certificate over years: a new one in time, one for one that has ended, and
 * the CAs that the hub's certificates are of.
 *
 * Two thirds into its life the agent asks for another certificate for the same key (resource c),
 * each agent of a fleet at another time of the twelfth that follows. It does so, too, when the
 * hub's hello names other CAs than those that are trusted here, and when the hub says that the
 * certificate has ended. What comes is checked, stored in one commit, and used from the next
 * session on, which is made within a day. Times are the hub's, as its hello told them, or else this
 * machine's. */
#ifndef FEDLET_AGENT_RENEW_H
#define FEDLET_AGENT_RENEW_H

#include "agent/ports.h"
#include "agent/state.h"
#include "proto/link/link.h"

#define AGENT_RENEW_FLOOR_MS 60000u /* after a failure; a twelfth of the life when that is less */
#define AGENT_RENEW_CEILING_MS 21600000u
#define AGENT_RENEW_TRUST_SPREAD_S 600 /* when the hub's CAs changed */
#define AGENT_RENEW_SESSION_SPREAD_S 86400

struct agent_renew;

struct agent_renew_options {
    struct agent_state *state;
    struct agent_identity *identity; /* borrowed, and changed when another certificate is stored */
    struct fed_span key_pem;         /* borrowed */
};

struct agent_renew_events {
    void *ctx;
    /* Another certificate is stored: time for a session with it. */
    void (*again)(void *ctx);
    /* One that has ended was not exchanged. */
    void (*failed)(void *ctx, const char *why, uint32_t asked_s);
};

/* FED_ERR_INVALID with diag for an identity that cannot be read. */
FED_MUST_USE enum fed_err agent_renew_new(const struct agent_ports *ports,
    const struct agent_renew_options *options, const struct agent_renew_events *events,
    struct agent_renew **out, struct fed_diag *diag);
void agent_renew_free(struct agent_renew *renew);

/* All of these take NULL, which does nothing.
 *
 * A session is up, with this hello. ports' link is that session. */
void agent_renew_up(struct agent_renew *renew, const struct fed_link_hello *hello,
    const struct fed_link_hello_items *items);
void agent_renew_down(struct agent_renew *renew);
/* The hub says over that link that the certificate has ended. true: another one is asked for, and
 * again or failed follows. false, too, for ten seconds after one was stored. */
bool agent_renew_ended(struct agent_renew *renew, struct fed_link *link);

struct agent_renew_status {
    int64_t not_after_unix_s;
    int64_t due_unix_s; /* when another one is asked for */
    int64_t not_before_unix_s;
    bool hub_known;  /* the hub told its time */
    int64_t ahead_s; /* by which this machine's clock is ahead of it */
};
void agent_renew_status(const struct agent_renew *renew, struct agent_renew_status *out);

#endif
