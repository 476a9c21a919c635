/* watch.h - what the files of watches share: handle_watch.c begins one, watches.c keeps the list of
 * them, watch_touch.c gathers what is composed anew, watch_event.c makes and sends what they are
 * told, watch_right.c looks whether their users may still be told. */
#ifndef FEDLET_HUB_API_WATCH_H
#define FEDLET_HUB_API_WATCH_H

#include "hub/api/internal.h"
#include "proto/base/map.h"

struct hub_touch; /* of watch_touch.c */

/* While the store was at `told`, watches were told of touches since the revision `touched`, some of
 * them after events of later revisions. */
struct hub_late {
    uint64_t touched;
    uint64_t told;
};
#define HUB_WATCH_CHECK_MS 15000u /* between two looks at what a watch rests on */
#define HUB_LATE_MAX 600u         /* ticks with such touches: what more there were is one */

struct hub_watcher { /* a user who has watches */
    size_t n;
    size_t bytes; /* that they hold */
    char name[sizeof((struct hub_user *)0)->name];
};

struct hub_watch {
    struct hub_watch *next;
    struct hub_watches *owner;
    struct hub_watcher *watcher;
    struct fed_http_exchange *exchange; /* NULL: over, to be swept */
    struct fed_arena arena;
    size_t bytes; /* of the arena, as counted */
    /* What its right rests on, besides watcher, group, plural and ns. */
    struct fed_span uid;
    struct fed_span *groups;
    size_t n_groups;
    struct fed_span allowed_name;
    uint64_t checked_ms;
    struct fed_span group;
    struct fed_span plural;
    struct fed_span version;
    char resource[320];
    struct fed_span ns;
    struct fed_span include_object;
    struct fed_selector *labels;
    struct hub_field_selector fields;
    enum hub_form form;
    bool beta; /* see hub_view */
    bool bookmarks;
    bool columns_sent;
    uint64_t deadline_ms; /* 0: none */
    uint64_t bookmark_ms;
    uint64_t revision; /* of the last event or bookmark */
    uint64_t since;    /* events up to it are known to the client */
};

struct hub_watches {
    struct hub_api *api;
    struct hub_watch *list;
    size_t n;
    size_t bytes;            /* that all of them hold */
    struct fed_map watchers; /* by user name */
    struct hub_touch *touches;
    struct fed_map touched; /* the same, by object */
    struct hub_late late[HUB_LATE_MAX];
    size_t n_late;
    struct hub_subscription *subscription;
    struct fed_timer *timer;
    uint64_t kinds_generation; /* for which every watch was looked at */
    bool timer_set;
    bool busy; /* the list is being walked: do not free */
    bool stopped;
};

/* ---- watches.c ---- */
/* NULL: the user has no watch. */
struct hub_watcher *hub_watcher_find(
    const struct hub_watches *watches, const struct hub_user *user);
/* One more watch of that user, which hub_watch_free gives back; NULL when memory is out. */
struct hub_watcher *hub_watcher_take(struct hub_watches *watches, const struct hub_user *user);
void hub_watch_free(struct hub_watch *w);            /* one that is not in the list */
void hub_watches_sweep(struct hub_watches *watches); /* frees what is over; not while busy */
void hub_watches_arm(struct hub_watches *watches);   /* sets the timer when there is need of it */

/* ---- watch_touch.c ---- */
/* A touched object is told at once when it was quiet, else gathered. */
void hub_watches_touched(struct hub_watches *watches, const struct hub_change *change);
/* Tells what was gathered for long enough. */
void hub_touches_tick(struct hub_watches *watches, uint64_t now_ms);
/* Tells what was gathered so far: the next process does not know of it. */
void hub_touches_tell(struct hub_watches *watches);
void hub_touches_free(struct hub_watches *watches);
/* Whoever knows everything up to `since` may lack touches after this revision: those that are told
 * late. */
uint64_t hub_touches_known(const struct hub_watches *watches, uint64_t since);

/* ---- watch_right.c ---- */
/* Keeps whose watch it is, and what for, in its arena. */
FED_MUST_USE enum fed_err hub_watch_right_keep(struct hub_watch *w, const struct hub_request *r);
/* Whether its user may still watch: the right is held, and the ServiceAccount is there. Also when
 * that cannot be found out at present. */
bool hub_watch_right_holds(const struct hub_watch *w);

/* ---- watch_event.c ---- */
/* How the objects of a watch are shown; false: its kind or version is not served any more. */
bool hub_watch_view(const struct hub_watch *w, struct hub_view *view);
/* Whether an object is of the resource and namespace of a watch that is not over. */
bool hub_watch_wants(const struct hub_watch *w, const struct hub_object_ref *ref);
/* Tells one watch of a change; that may end it. */
void hub_watch_change_alone(struct hub_watch *w, const struct hub_change *change);
/* The same, as of another revision: one that is not below that of the commit which it shows. */
void hub_watch_change_as(
    struct hub_watch *w, const struct hub_change *change, uint64_t resource_version);
/* Tells all watches that want it, and that do not know it. */
void hub_watches_change(struct hub_watches *watches, const struct hub_change *change);
/* initial: the bookmark that ends the initial events. */
void hub_watch_bookmark(struct hub_watch *w, uint64_t revision, bool initial);
/* Sends a Status of 410 and ends the watch. */
void hub_watch_status(struct hub_watch *w, const char *message);
/* The exchange ended: by us (end: then it is ended in order) or by the peer. The watch is freed by
 * the next sweep. */
void hub_watch_over(struct hub_watch *w, bool end);

#endif
