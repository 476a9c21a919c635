/* watch.h - what the files of watches share: handle_watch.c begins one, watches.c keeps the list of
 * them, watch_event.c makes and sends what they are told. */
#ifndef FEDLET_HUB_API_WATCH_H
#define FEDLET_HUB_API_WATCH_H

#include "hub/api/internal.h"
#include "proto/base/map.h"

struct hub_touch; /* of watches.c */

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
    size_t n_touches;
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

/* ---- watch_event.c ---- */
/* How the objects of a watch are shown; false: its kind or version is not served any more. */
bool hub_watch_view(const struct hub_watch *w, struct hub_view *view);
/* Whether an object is of the resource and namespace of a watch that is not over. */
bool hub_watch_wants(const struct hub_watch *w, const struct hub_object_ref *ref);
/* Tells one watch of a change; that may end it. */
void hub_watch_change_alone(struct hub_watch *w, const struct hub_change *change);
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
