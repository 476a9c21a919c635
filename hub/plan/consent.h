/* consent.h - removals in bulk that nobody ordered by name wait for a person
 * (proto/bundle/consent.h has the rule). Not for others.
 *
 * A pair whose copy is to leave, by placement, selector, policy or label, is noted while its round
 * computes, and the notes of each cluster are judged together: all of them leave, or all of them
 * await consent. One that awaits it stays in the manifest and follows its template, so the member
 * goes on holding it. It ends by consent, by an order by name, or by being placed again; nothing
 * else ends it, neither time nor growth nor another limit. While something awaits consent whatever
 * else is to leave that cluster without an order joins it.
 *
 * What left by an order or by consent is listed until the cluster confirmed that it is gone: its
 * agent has a guard of its own, and asks (GET /r). What that guard holds back although it left the
 * manifest, the agent reports; it is shown and consented to with the rest.
 *
 * Row "x/" cluster, in the commit of the manifests that it explains: u8 format 2, the window,
 * varints milliseconds left of it, since (Unix seconds), the store's revision before, works; varint
 * n, each: string key of the item, u8 1 when consent was given and a policy's budget is still to
 * come; varint n, each of the orders: 16 bytes, varint revision (0: the row's own).
 *
 * A row that cannot be read is lost: what waited leaves the manifest with the rest, and the cluster
 * is not told what was ordered. Its agent, which gets a full frame, then leaves all of it in place
 * and reports it, so that a person consents once more. The row stays as it is until then, or until
 * the cluster has confirmed a manifest and holds nothing back. */
#ifndef FEDLET_HUB_PLAN_CONSENT_H
#define FEDLET_HUB_PLAN_CONSENT_H

#include "proto/bundle/consent.h"

struct hub_plan;
struct plan_item;
struct plan_pair;
struct plan_cluster;

enum plan_consent_state {
    PLAN_CONSENT_NONE,
    PLAN_CONSENT_NOTED,  /* until the round is judged */
    PLAN_CONSENT_AWAITS, /* the copy stays */
    PLAN_CONSENT_FREE,   /* few enough: it leaves in this round */
    PLAN_CONSENT_GIVEN   /* it leaves, as if ordered */
};

struct plan_order {
    struct fed_removal_id id;
    uint64_t revision; /* of the manifest that lacks it; 0 until that is staged */
};

/* Half of a SHA-256, in hex: whoever may add to what waits must not find another list of that name.
 */
#define PLAN_CONSENT_ID_SIZE 33u
#define PLAN_CONSENT_USER_SIZE 128u
struct plan_consent {
    struct fed_consent_limit limit; /* the cluster's own, when it has one */
    bool has_limit;
    struct fed_consent_window window;
    size_t n_noted, n_awaiting, n_given; /* pairs */
    size_t n_free;                       /* pairs, until their leave is durable */
    int64_t since_unix_s;                /* something waits; 0: nothing does */
    uint64_t began;                      /* the store's revision before that */
    size_t works;                        /* that there were then */
    struct plan_order *orders;           /* by id */
    size_t n_orders, cap_orders;
    struct fed_removal_id *asked; /* by id: the agent holds them back; none is in the manifest */
    size_t n_asked, cap_asked;
    char id[PLAN_CONSENT_ID_SIZE]; /* of what waits now, which consent names; "" for nothing */
    size_t told;                   /* how many waited when people were told last */
    char *user;        /* who wrote the consent that is admitted; owned, NULL: not known */
    bool given;        /* consent was taken in and is not durable yet */
    bool dirty;        /* its row is to be written */
    bool staged;       /* it is part of the commit */
    bool lost;         /* its row cannot be read */
    bool moved;        /* what waits, or how much */
    bool orders_moved; /* the agent is to ask */
    bool tell_given;   /* people are to be told */
    uint64_t told_revision;
};

#define PLAN_APPROVE_ANNOTATION "fedlet.io/approve-removal"
#define PLAN_CONSENT_ANNOTATION "fedlet.io/removal-consent"

/* ---- consent.c ---- */
void plan_consent_set(struct plan_pair *pair, enum plan_consent_state state);
/* Whether the object, or its namespace, is being deleted. */
bool plan_consent_is_ordered(struct hub_plan *plan, const struct plan_item *item);
/* Whether a copy that is to leave stays for now: it is noted, or awaits consent. */
bool plan_consent_keeps(struct hub_plan *plan, struct plan_item *item, struct plan_pair *pair);
/* Decides on what was noted, in all clusters or in one. */
FED_MUST_USE enum fed_err plan_consent_judge(struct hub_plan *plan);
FED_MUST_USE enum fed_err plan_consent_judge_cluster(
    struct hub_plan *plan, struct plan_cluster *cluster);
/* The annotations of the stored KubeFedCluster: its limit, and consent. */
FED_MUST_USE enum fed_err plan_consent_read(
    struct hub_plan *plan, struct fed_span cluster, struct fed_span bytes);
size_t plan_consent_waiting(const struct plan_cluster *cluster); /* works, wherever held back */
/* Whether what else is to leave without an order waits with them. */
bool plan_consent_joins(const struct hub_plan *plan, const struct plan_cluster *cluster);
/* The name that consent has to say is of what waits now, not of what waited in the last round.
 * FED_ERR_NOMEM: nothing may be consented to. */
FED_MUST_USE enum fed_err plan_consent_named(struct hub_plan *plan, struct plan_cluster *cluster);
/* The round's manifests are staged; what is staged is durable, or undone. */
FED_MUST_USE enum fed_err plan_consent_stage(struct hub_plan *plan);
void plan_consent_kept(struct hub_plan *plan);
FED_MUST_USE enum fed_err plan_consent_undone(struct hub_plan *plan);
void plan_consent_tell(void *plan); /* the timer's call */
void plan_consent_fini(struct hub_plan *plan, struct plan_consent *consent);

/* ---- consent_orders.c ---- */
/* The work leaves the cluster by an order or by consent; it is there again. */
FED_MUST_USE enum fed_err plan_order_add_id(
    struct hub_plan *plan, struct plan_cluster *cluster, const struct fed_removal_id *id);
/* Its id, and room for it: then adding it cannot fail. */
FED_MUST_USE enum fed_err plan_order_room(struct hub_plan *plan, struct plan_cluster *cluster,
    const struct fed_work *work, struct fed_removal_id *id);
void plan_consent_back(struct plan_cluster *cluster, const struct fed_work *work);
bool plan_order_has(const struct plan_cluster *cluster, const struct fed_removal_id *id);
/* The cluster confirmed a revision. */
void plan_orders_confirmed(struct hub_plan *plan, struct plan_cluster *cluster, uint64_t revision,
    const struct fed_span *still_there, size_t n);

/* ---- consent_row.c ---- */
FED_MUST_USE enum fed_err plan_consent_put(
    const struct plan_cluster *cluster, uint64_t now_ms, struct fed_buf *out);
/* Once items are loaded. */
FED_MUST_USE enum fed_err plan_consent_load(struct hub_plan *plan);

#endif
