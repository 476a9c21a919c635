/* fleet.h - every cluster at a glance, and in which version of the whole its glance became what it
 * is, so that what changed since any version can be said without a log of changes.
 *
 * A cluster has a number as long as this process knows it, which no other gets after it: those
 * who were told of it before need not be told again when others come and leave. Who left is
 * remembered for the last CONSOLE_LEFT_MAX; who has not heard of one before those begins anew
 * (reset). Work is done when somebody looks: what was told to have changed is looked at then, and,
 * a part at each look, everything else, for what time alone does.
 * Versions begin at the Unix time in ms at which the process began: those of another process are
 * not taken for its own. */
#ifndef FEDLET_HUB_CONSOLE_FLEET_H
#define FEDLET_HUB_CONSOLE_FLEET_H

#include "hub/status/status.h"
#include "ports/http.h"
#include "proto/base/map.h"

#define CONSOLE_LABELS_MAX 4096u /* bytes of a cluster's labels; further ones are not shown */
#define CONSOLE_LOOKS 10u        /* after so many, every cluster was looked at */
#define CONSOLE_LEFT_MAX 1024u   /* clusters that left, of which pages can still be told */

struct console_fleet_cluster {
    char *name;
    char *labels; /* key NUL value NUL ..., sorted as stored */
    size_t labels_len;
    uint64_t id;
    uint64_t born; /* version in which it came */
    uint64_t labelled;
    struct hub_status_glance glance;
    uint64_t changed; /* version of the glance */
    bool dirty;
    bool gone;
    struct console_fleet_cluster *next_dirty;
};

struct console_fleet_left {
    uint64_t id;
    uint64_t version;
};

struct console_fleet {
    struct fed_alloc *mem;
    struct fed_loop *loop;
    struct hub_objects *objects;
    struct hub_status *status;
    struct hub_subscription *subscription;
    struct fed_map by_name;
    struct console_fleet_cluster **list; /* by name */
    size_t n, cap;
    size_t gone;   /* in list, and not in by_name */
    bool unsorted; /* list */
    bool moved;    /* somebody came, left or has other labels since the last look */
    uint64_t next_id;
    struct console_fleet_left left[CONSOLE_LEFT_MAX]; /* a ring */
    uint64_t n_left;                                  /* ever */
    struct console_fleet_cluster *dirty;
    uint64_t version;
    uint64_t begun; /* the first one: numbers are of this process, and of no other */
    uint64_t reset; /* what changed since any version from this one on can be said */
    uint64_t looked_ms;
    size_t next_look;
    /* The last snapshot, shared between those that ask. */
    struct fed_http_shared *snapshot;
    uint64_t snapshot_version;
    int64_t snapshot_unix_s;
    /* And the last changes. */
    struct fed_http_shared *changes;
    uint64_t changes_from, changes_to;
    /* Called when something may have changed. May be NULL. */
    void (*stirred)(void *ctx);
    void *stirred_ctx;
};

FED_MUST_USE enum fed_err console_fleet_open(struct fed_alloc *mem, struct fed_loop *loop,
    struct hub_objects *objects, struct hub_status *status, struct console_fleet **out,
    struct fed_diag *diag);
void console_fleet_close(struct console_fleet *fleet); /* NULL is fine */
/* Looks at the cluster at the next look. */
void console_fleet_stir(struct console_fleet *fleet, struct fed_span cluster);
/* Brings the list up to date, at most twice a second. */
void console_fleet_look(struct console_fleet *fleet);

/* ---- fleet_put.c ---- */
/* Whether it is among those of the present version: one that nobody has looked at yet comes with
 * the next. */
bool console_fleet_is_there(
    const struct console_fleet *fleet, const struct console_fleet_cluster *cluster);
/* The numbers of those that are there, in the list's order, each as the difference to the one
 * before, between commas. */
void console_fleet_put_ids(struct fed_buf *out, const struct console_fleet *fleet);
/* The snapshot as of now; the reference stays with the fleet. NULL when memory is out. */
struct fed_http_shared *console_fleet_snapshot(struct console_fleet *fleet);
/* Whether all that changed since that version can be said as changes. */
bool console_fleet_follows(const struct console_fleet *fleet, uint64_t version);
/* The event of what changed since; the reference stays with the fleet. NULL when memory is out. */
struct fed_http_shared *console_fleet_changes(struct console_fleet *fleet, uint64_t since);

#endif
