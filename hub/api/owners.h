/* owners.h - what the files of garbage collection share: owners.c keeps the index and the queue,
 * owners_work.c does what is to be done about one object. Not for others. */
#ifndef FEDLET_HUB_API_OWNERS_H
#define FEDLET_HUB_API_OWNERS_H

#include "hub/api/internal.h"
#include "proto/base/map.h"

#define HUB_OWNERS_REFS_MAX 64u /* more than that are not looked at: the object is kept */
#define HUB_OWNERS_UID_SIZE 64u

struct hub_owners_node;
struct hub_owner { /* one per uid that somebody refers to */
    char uid[HUB_OWNERS_UID_SIZE];
    struct hub_owners_node **dependents;
    size_t n;
    size_t cap;
};

struct hub_owner_reference {
    struct hub_owner *owner;
    size_t slot; /* of this node among the owner's dependents */
    bool blocks;
};

struct hub_owners_node {
    struct fed_span key; /* resource NUL namespace NUL name, behind the struct */
    struct hub_object_ref ref;
    struct hub_owner_reference *refs;
    size_t n_refs;
    size_t cap_refs;
    /* its own, while it is deleted in the foreground; else empty */
    char waiting_uid[HUB_OWNERS_UID_SIZE];
    bool queued;
    bool busy;  /* being worked on: stays */
    bool again; /* failed: with the next retry */
    struct hub_owners_node *next;
};

struct hub_owners {
    struct hub_api *api;
    struct hub_subscription *subscription;
    struct fed_timer *timer;
    struct fed_map nodes;          /* key to node */
    struct fed_map owners;         /* uid to owner */
    struct fed_map waiting;        /* own uid to node: deleted in the foreground */
    struct hub_owners_node *first; /* the queue */
    struct hub_owners_node **last;
    uint64_t kinds_generation;
    bool retry;
};

/* ---- owners.c ---- */
/* Has an object worked on, unless that is to come already. */
void hub_owners_enqueue(struct hub_owners *owners, struct hub_owners_node *node);

/* ---- owners_work.c ---- */
bool hub_owners_is_deleted(const struct fed_json *object);
bool hub_owners_waits(const struct fed_json *object);   /* deleted in the foreground */
bool hub_owners_orphans(const struct fed_json *object); /* deleted with the policy Orphan */
/* Does what is to be done about an object now: deletes it, takes references away, or takes the
 * finalizer away that it waited behind. On any error it is tried again later. */
FED_MUST_USE enum fed_err hub_owners_attempt(
    struct hub_owners *owners, struct hub_owners_node *node);

#endif
