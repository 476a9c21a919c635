/* observe_inner.h - what the files of observe share: observe.c (life, when what is tried),
 * observe_kinds.c (which kinds), observe_list.c, observe_watch.c. */
#ifndef FEDLET_AGENT_OBSERVE_INNER_H
#define FEDLET_AGENT_OBSERVE_INNER_H

#include "agent/federated.h"
#include "agent/observe.h"
#include "agent/stray.h"

#define SELECTOR "labelSelector=kubefed.io%2Fmanaged%3Dtrue"
#define PATH_MAX_BYTES 8192u
#define CONTINUE_MAX 4096u

enum kind_state { KIND_WAITING, KIND_LISTING, KIND_WATCHING };

struct kind {
    struct agent_observe *observe;
    char *names; /* api_version, plural, kind, owned */
    size_t names_len;
    struct fed_span api_version;
    struct fed_span plural;
    struct fed_span kind;
    bool full;
    bool strays_only; /* no work is of this kind */
    bool missing;     /* the API server had no such kind when it was asked last */
    bool paid;        /* what is under way took of the budget of retries */
    enum kind_state state;
    char rv[64]; /* where to go on; "" asks for a list */
    struct fed_kube_call *call;
    struct fed_kube_watch *watch;
    struct agent_retry retry;
    uint64_t due_ms; /* while waiting */
    uint64_t opened_ms;
    uint64_t heard_ms; /* while watching: the last event or bookmark */
    uint64_t known_rv; /* while listing: newest of its objects when the list was asked for */
    uint64_t
        ahead_rv;    /* while listing: the least that is known of an object that was older in it */
    unsigned pages;  /* of the list that is being read */
    unsigned halved; /* so often: a page was more than is taken */
    bool strays;     /* more than can be dealt with at once: another list finds them */
};

struct agent_observe {
    struct agent_ports ports;
    struct agent_table *table;
    struct agent_apply *apply;
    struct agent_observe_events events;
    struct agent_stray *stray;
    struct fed_timer *timer;
    struct kind **kinds;
    size_t n_kinds;
    size_t cap_kinds;
    struct agent_federated federated;
    struct agent_budget retries; /* requests that only repeat what failed */
    size_t turn;                 /* which kind is the first to get of that */
    struct kind *asked;          /* is listed for all, to compare histories; NULL: none */
    uint64_t newest_rv;          /* that was known then; 0: nothing is to be compared */
    bool paused;
};

/* ---- observe.c ---- */
uint64_t observe_now(const struct agent_observe *o);
/* Sets the timer for the next kind that is due. */
void observe_arm(struct agent_observe *o);
/* The kind is tried again later; asked_s is the API server's wish. */
void observe_retry(struct kind *k, unsigned asked_s);
/* What it did came to something. */
void observe_succeeded(struct kind *k);
/* Refusals only: what fails in transport is the probe's to say, once. */
void observe_log(struct kind *k, const char *what, const char *why);
/* An object of the kind as a list or an event shows it. NULL: of no work. */
struct agent_entry *observe_entry(struct kind *k, const struct agent_seen *seen);
/* With the label and of no work, present or past. */
void observe_stray(struct kind *k, const struct agent_seen *seen);

/* ---- observe_kinds.c ---- */
bool observe_is_of(const struct kind *k, const struct agent_entry *entry);
/* Ends what is under way; the kind waits. */
void observe_stop(struct kind *k);
void observe_kind_free(struct agent_observe *o, struct kind *k);
/* More strays were there than could be dealt with, and there is room again. */
void observe_stray_room(void *ctx);

/* ---- observe_list.c, observe_watch.c ---- */
/* token: of the next page; empty for a new list. */
void observe_list(struct kind *k, struct fed_span token);
/* The API server was away since its version, or may have been: one kind is listed for all, if none
 * is yet. */
void observe_doubt(struct kind *k);
/* Another kind than that is listed for all; but may be NULL. */
void observe_ask_other(struct agent_observe *o, const struct kind *but);
/* From k->rv on. */
void observe_watch(struct kind *k);

#endif
