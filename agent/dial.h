/* dial.h - choosing: over which binding and at which address the hub is reached, and when it is
 * tried (again). docs/protocol.md section 10 has the rules for others.
 *
 *             +------------- the wait is over --------------+
 *             v                                             |
 *   idle -> dialing -- no address answers, or asked to --> waiting
 *             |  ^
 *      hello  |  | the session is lost
 *             v  |
 *            in use (over HTTPS: CoAP is probed from time to time, and used when it answers)
 *
 * Each binding is a lane with its addresses, which are tried one after the other, each once in a
 * pass. A lane has got through when the hub answered its hello: a handshake alone proves little.
 * The second lane starts when the first has not got through within AGENT_DIAL_HEAD_START_MS, or
 * when its addresses are through; the lane that gets through first ends the other. CoAP goes first,
 * except while it is distrusted.
 *
 * CoAP is distrusted when HTTPS got through and CoAP did not, when it went silent within
 * AGENT_DIAL_TRUST_MS of getting through, and when the bundle was not here within
 * AGENT_DIAL_READY_MS. Then HTTPS is used, and CoAP is tried again after
 * AGENT_DIAL_PROBE_FLOOR_MS, doubling up to AGENT_DIAL_PROBE_CEILING_MS with each failure; half of
 * the wait is random. Only a CoAP session that lived for AGENT_DIAL_TRUST_MS without going silent
 * makes the wait short again: UDP that lets handshakes through and loses what follows is tried ever
 * more rarely, and does not flap.
 *
 * A session is of the certificate that it was begun with. When another one was stored before the
 * hub answered its hello, it has failed: who hears that a session is up may believe that it is of
 * the present one.
 *
 * A session that an orderly stop kept (session.h) is gone on with: no handshake, but a hello. When
 * the hub does not know it, the pass goes on as if there had been none. */
#ifndef FEDLET_AGENT_DIAL_H
#define FEDLET_AGENT_DIAL_H

#include "agent/ports.h"
#include "agent/session.h"
#include "agent/state.h"
#include "proto/link/link.h"

#define AGENT_DIAL_HEAD_START_MS 6000u
#define AGENT_DIAL_TRUST_MS 600000u
#define AGENT_DIAL_READY_MS 120000u
#define AGENT_DIAL_PROBE_FLOOR_MS 30000u
#define AGENT_DIAL_PROBE_CEILING_MS 3600000u

struct agent_dial;
struct agent_partial_place;

enum agent_dial_mode { AGENT_DIAL_AUTO, AGENT_DIAL_COAP_ONLY, AGENT_DIAL_HTTPS_ONLY };
/* "auto", "coap", "https"; auto for anything else. */
enum agent_dial_mode agent_dial_mode_of(const char *name);

enum agent_dial_binding { AGENT_DIAL_COAP, AGENT_DIAL_HTTPS, AGENT_DIAL_BINDINGS };

enum agent_dial_state {
    AGENT_DIAL_IDLE,
    AGENT_DIAL_WAITING,
    AGENT_DIAL_DIALING,
    AGENT_DIAL_IN_USE,
    AGENT_DIAL_STATES
};
const char *agent_dial_state_name(enum agent_dial_state state);

/* The longest wait, once a hub has been away for an hour. */
#define AGENT_DIAL_AWAY_S 2100u

struct agent_clock;

struct agent_dial_options {
    const struct agent_identity *identity; /* borrowed, and looked at anew for each session */
    struct fed_span key_pem;               /* borrowed */
    const char (*hubs)[281];               /* borrowed */
    size_t n_hubs;
    enum agent_dial_mode mode;
    const struct agent_session_place *session; /* borrowed; NULL: none is kept */
    struct agent_clock *clock;                 /* borrowed; NULL: the system's */
    const struct agent_partial_place *partial; /* of the user; borrowed; NULL: nothing is kept */
};

struct agent_dial_events {
    void *ctx;
    /* A session is in use, its hello answered; items are what follows its fields. */
    void (*up)(void *ctx, const struct fed_link_hello *hello, struct fed_span items);
    /* The hub says over that link that the certificate has ended. true: another one is asked for,
     * and agent_dial_again or _not_renewed follows. NULL: never. */
    bool (*ended)(void *ctx, struct fed_link *link);
    /* It is over, or another one takes its place: up follows when there is a new one. */
    void (*down)(void *ctx);
    void (*notification)(void *ctx, const struct fed_link_message *message);
    void (*partial)(void *ctx); /* as struct fed_link_events has it */
    /* Sends the hello over that link. */
    enum fed_err (*hello)(
        void *ctx, struct fed_link *link, unsigned timeout_ms, fed_link_done *done, void *done_ctx);
    /* Nothing large is under way: the session may be exchanged for one over CoAP. */
    bool (*may_move)(void *ctx);
};

/* Why the user of a session gives it up. */
enum agent_dial_cause {
    AGENT_DIAL_SILENT, /* it does not answer */
    AGENT_DIAL_REFUSED /* it answered what cannot be gone on with */
};

/* That one of the hubs can be tried at all. FED_ERR_UNSUPPORTED with a sentence. */
FED_MUST_USE enum fed_err agent_dial_check(
    const struct agent_dial_options *options, struct fed_diag *diag);
/* links: of each binding, NULL for one that there is not. */
FED_MUST_USE enum fed_err agent_dial_new(const struct agent_ports *ports,
    const struct agent_dial_options *options, const struct agent_dial_events *events,
    struct agent_dial **out);
void agent_dial_free(struct agent_dial *dial);
void agent_dial_start(struct agent_dial *dial);
void agent_dial_stop(struct agent_dial *dial); /* ends everything; down is not called */
/* As stop, but the session in use is kept for the next start when that can be done, and when it was
 * made with the present certificate. */
void agent_dial_suspend(struct agent_dial *dial, uint32_t heartbeat_ms);
/* The session in use is one over HTTPS. */
bool agent_dial_is_https(const struct agent_dial *dial);
/* The session in use did its work once: the bundle is here. */
void agent_dial_ready(struct agent_dial *dial);
/* Gives up the session in use; down is called. asked_s: the hub wants to be left alone for so long,
 * 0 for nothing. */
void agent_dial_lost(
    struct agent_dial *dial, enum agent_dial_cause cause, const char *why, uint32_t asked_s);

/* The identity is another one: every session ends, and the hub is dialled at once. down is called
 * when one was in use. */
void agent_dial_again(struct agent_dial *dial, const char *why);
/* The certificate that has ended stays: the sessions that waited for another have failed. */
void agent_dial_not_renewed(struct agent_dial *dial, const char *why, uint32_t asked_s);

/* request, observe and ping go over the session in use (FED_ERR_CLOSED without one); stats are
 * those of both bindings, partial_get and _set of CoAP's. Sessions are nobody's but ours to make
 * and to end. */
struct fed_link *agent_dial_port(struct agent_dial *dial);

/* What the links' implementations are given when they are opened: dial may be NULL until it was
 * made. */
struct agent_dial_slot {
    struct agent_dial *dial;
    struct agent_dial_end {
        struct agent_dial_slot *slot;
        enum agent_dial_binding binding;
    } ends[AGENT_DIAL_BINDINGS];
};
struct fed_link_events agent_dial_link_events(
    struct agent_dial_slot *slot, enum agent_dial_binding binding);

/* Other addresses: n >= 1, borrowed, checked (agent_dial_check). Every session ends, and the hub is
 * dialled at once; down is called when one was in use. */
void agent_dial_hubs(struct agent_dial *dial, const char (*hubs)[281], size_t n);
/* What it waits for should have come that long ago. */
bool agent_dial_is_stuck(const struct agent_dial *dial, uint64_t by_ms);

struct agent_dial_counts {
    uint64_t full; /* sessions that came up with a handshake */
    uint64_t resumed;
    uint64_t failed;
};

struct agent_dial_status {
    enum agent_dial_state state;
    const char *hub;         /* address in use or tried last */
    const char *link;        /* "coap", "https": its binding */
    int64_t next_try_unix_s; /* while waiting, else 0 */
    int64_t coap_try_unix_s; /* when CoAP is tried again while HTTPS is in use, else 0 */
    const char *why;         /* the last failure, "" for none */
    struct agent_dial_counts counts;
};
void agent_dial_status(const struct agent_dial *dial, struct agent_dial_status *out);

#endif
