/* agent_world.h - a whole world for one agent in memory: clock, state file, hub and member API
 * server.
 *
 * Nothing happens by itself: world_settle answers what was asked and fires what is due, world_pass
 * moves the clock. */
#ifndef FEDLET_TESTS_AGENT_WORLD_H
#define FEDLET_TESTS_AGENT_WORLD_H

#include "agent/daemon.h"
#include "proto/bundle/report.h"

#define WORLD_REVISIONS 16
#define WORLD_WORKS 256
#define WORLD_OBJECTS 300
#define WORLD_LOG_MAX (512u << 10)

struct world_work { /* short form of a work */
    const char *kind;
    const char *ns;
    const char *name;
    const char *blob;
    const char *overrides;
    uint32_t options;
};

struct world_object { /* in the member */
    bool used;
    bool deleting;
    char path[300];
    char uid[40];
    unsigned rv;
    unsigned generation;
    char managed[8];        /* label value, "" for none */
    char fields[80];        /* of our managedFields entry, "" for none */
    bool twice;             /* there is an older one of ours, too */
    unsigned version;       /* data.version as it was applied last */
    char other[40];         /* another manager, "" for none */
    char other_fields[120]; /* fieldsV1 of its entry, "" for none */
    char other_part[16];    /* subresource of its entry, "" for none */
    char other_version[16]; /* apiVersion of its entry, "" for none */
    bool other_last;        /* it comes behind ours */
    char finalizers[80];    /* JSON strings, "" for none */
    char spec[200];         /* JSON, "" for none */
    char status[200];       /* JSON, "" for none */
};

enum world_lie { /* what a list says instead of what is there */
    WORLD_LIE_NONE,
    WORLD_LIE_EMPTY,
    WORLD_LIE_LOST,        /* without the first object */
    WORLD_LIE_MIDDLE,      /* the second page is 410 */
    WORLD_LIE_TORN,        /* half of the text */
    WORLD_LIE_UNVERSIONED, /* without resourceVersion */
    WORLD_LIE_REFUSED,     /* 500 */
    WORLD_LIES
};

struct world_watch {
    bool used;
    char path[300];
    struct fed_kube_watch_events events;
};

struct world {
    /* loop */
    struct fed_loop loop;
    uint64_t now_ms;
    int64_t unix_s;
    struct fed_timer *timers;
    /* store */
    struct fed_store store;
    struct world_row {
        uint8_t *key, *value;
        size_t key_len, value_len;
    } rows[2048];
    size_t n_rows;
    unsigned commits;
    enum fed_err commit_err; /* refuses commits */
    /* member */
    struct fed_kube kube;
    struct world_object objects[WORLD_OBJECTS];
    unsigned next_rv, next_uid;
    const char *healthz; /* what /healthz says with 500, NULL: ok */
    const char *nodes;   /* items of the list of nodes, NULL: none */
    const char *pods;    /* items of every list of pods, NULL: none */
    char pods_path[600]; /* that was asked for last, "" for none */
    bool api_down;
    bool api_hold;           /* requests wait */
    const char *refuse_path; /* PATCHes whose path contains it get refuse_status and refuse_body */
    unsigned refuse_status;  /* 0: the connection breaks */
    const char *refuse_body;
    enum world_lie lie;
    unsigned lies;      /* so many lists lie, then they tell the truth */
    unsigned lists;     /* asked for */
    unsigned page_max;  /* what asks for more items at once gets too much to be taken; 0: never */
    unsigned watched;   /* watches opened */
    unsigned fail_gets; /* so many looks at one object are answered 500 */
    const char *reader; /* who alone may look at one object; NULL: everybody */
    bool no_kind;       /* config maps are no kind of the member */
    const char *served; /* the one version of apps that has its kinds: "apps/v2"; NULL: all have */
    const char *groups; /* versions of apps, as its discovery lists them; NULL: there is no apps */
    unsigned groups_status; /* of a refusal to say that; 0: none */
    const char *thief;      /* a manager that changes what was applied to thief_path at once */
    const char *thief_path;
    unsigned thefts; /* so many times */
    unsigned refuse_retry_after_s;
    /* Asked before any other write; returns the status of a refusal that it wrote, 0 for none. */
    unsigned (*judge)(
        void *ctx, const char *method, const char *path, const char *body, struct fed_buf *out);
    void *judge_ctx;
    bool linger; /* deleted objects stay, with a deletionTimestamp */
    struct fed_kube_call *calls;
    struct world_watch watches[16];
    char requests[WORLD_LOG_MAX]; /* "METHOD path\n" of everything but probes and lists */
    char last_body[8192];
    /* hub */
    struct fed_link link;
    struct fed_link_events link_events;
    struct world_op *ops;
    bool hub_down;
    bool hub_has_kinds;  /* GET /k: ConfigMap, Secret, and Gadget, which the member has not */
    uint64_t sent_bytes; /* as the link counts; 0: 1000 */
    uint64_t hub_knows;  /* 0: it is of before that was said */
    unsigned kinds_asked;
    unsigned kinds_code;  /* of the answer to GET /k; 0: as it should be */
    bool consent_off;     /* the agent's own guard */
    bool hub_has_orders;  /* GET /r */
    bool hub_has_no_base; /* every frame is a full one */
    bool hold_orders;     /* the answer to GET /r, as it was then, stays on the way */
    struct fed_removal_id orders[WORLD_WORKS];
    size_t n_orders;
    unsigned removals_asked;
    unsigned gadgets_listed;
    bool pings_lost;
    bool hold_observe;    /* the answer, as it was when it was asked for, stays on the way */
    bool corrupt_delta;   /* spoils every frame that is not a full one */
    unsigned report_code; /* 0: 2.04 */
    uint64_t hub_seq;
    uint32_t hub_mark;      /* number of the mark that the hello gives; 0: none */
    bool hub_saw_copy;      /* ... and that somebody came with an older one */
    char hello_query[64];   /* of the last hello */
    char observe_query[64]; /* of the last observation */
    struct world_revision {
        uint32_t epoch;
        uint64_t revision;
        struct fed_work works[WORLD_WORKS];
        size_t n_works;
    } revisions[WORLD_REVISIONS];
    size_t n_revisions;
    unsigned connects, pulls, observes, full_reports, reports;
    struct fed_arena report_arena;
    struct fed_report report;          /* the last one */
    uint8_t hub_deeds[WORLD_WORKS];    /* as reported last */
    char hub_states[WORLD_WORKS][640]; /* by index: "Applied/Healthy reason message" */
    /* the agent */
    struct fed_alloc *mem; /* NULL: the system's, which is never out */
    enum fed_err boot_err; /* of the last world_boot, where memory may be out */
    struct fed_crypto crypto;
    struct fed_log log;
    char log_text[WORLD_LOG_MAX];
    struct agent_identity identity;
    struct agent_dial_slot slot;
    const struct agent_partial_place *partial; /* NULL: nowhere */
    struct agent_daemon *daemon;
};

struct world *world_new(void);
void world_free(struct world *w);
void world_boot(struct world *w);  /* starts the agent and settles */
void world_crash(struct world *w); /* ends it without letting it write anything */
void world_settle(struct world *w);
void world_pass(struct world *w, uint64_t ms);
/* For several worlds on one clock: when the next timer is due (UINT64_MAX: none), and to be there.
 */
uint64_t world_due(const struct world *w);
void world_turn(struct world *w, uint64_t now_ms, int64_t unix_s);

/* The hub's next bundle; world_notify tells a connected agent. */
void world_publish(
    struct world *w, uint32_t epoch, uint64_t revision, const struct world_work *works, size_t n);
void world_notify(struct world *w);
void world_notify_again(struct world *w); /* a head of the revision that was told last */
/* The removal of that work is ordered, as frames and GET /r say. */
void world_order(struct world *w, const struct world_work *work);
bool world_is_ordered(const struct world *w, const struct fed_work *work);
/* A frame between two published revisions (0: full), to be freed by fed_buf_fini. */
void world_frame(struct world *w, uint64_t from, uint64_t to, struct fed_buf *out);

struct world_object *world_object(struct world *w, const char *path);
struct world_object *world_add_object(struct world *w, const char *path, const char *managed);
/* Tells the watches of its kind. type: "MODIFIED", "DELETED". */
void world_event(struct world *w, const struct world_object *object, const char *type);
/* Lets minutes pass, with a bookmark to every watch in each, as API servers send them. */
void world_pass_minutes(struct world *w, unsigned minutes);
/* How often a line beginning with this was requested. */
unsigned world_asked(const struct world *w, const char *request);
void world_forget_requests(struct world *w);

/* Whether the agent has logged that. */
bool world_logged(const struct world *w, const char *text);
/* The hub's word for the work begins so: "Applied/Healthy reason message". */
void world_assert_state(const struct world *w, size_t index, const char *expected);

#endif
