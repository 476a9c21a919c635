/* report.h - what travels from an agent to the hub: the state of its works, changed ones only.
 *
 * Layout (varints unless said):
 *   u8  format   1
 *   u8  flags    0x01 full: the hub forgets what it knew and takes this instead; 0x02 facts follow;
 *                0x04 more follows (a full report in several messages; it counts only when the last
 * one came) u32 epoch    big endian; with revision it says which manifest the indices mean revision
 * bundle revision that was staged last seq          number of this report, counts up from 1; a hub
 * that holds another seq than seq - 1 answers Conflict and the agent sends a full one n entries:
 * index as difference to the previous one; u8 state | health << 4 | deed << 6; then by state:
 * APPLIED: generation (0 when the kind has none), and only when 0: string resource_version; APPLIED
 * with a reason or a message travels as state 5, which is that and then string reason, string
 * message (for ends with FED_LINK_KNOWS_NOTE). FAILED,
 * WAITING, REMOVING: string reason (machine word, KubeFed's status where it has one), string
 * message; FAILED with an earlier version in place travels as state 6, which is that version and
 * then what follows FAILED (for ends with FED_LINK_KNOWS_IN_PLACE) [n_removed]  removals in
 * progress or failed that no longer have an index: string id, state, reason, message (flag 0x08);
 * the list stands whole in every report, so that what is not in it is done, except with flag 0x20:
 * more removals are under way than the list has room for, and absence says nothing [remote] flag
 * 0x10: n, then index as difference, string JSON (remoteStatus) [scales]     flag 0x40: n, then
 * index as difference, replicas, ready; when these two differ: running, unschedulable. Of works
 * with FED_WORK_SCALE, when it changed [facts] string: JSON document {"kubernetesVersion", "nodes",
 * ...} (flag 0x02) */
#ifndef FEDLET_PROTO_BUNDLE_REPORT_H
#define FEDLET_PROTO_BUNDLE_REPORT_H

#include "proto/bundle/work.h"

#define FED_REPORT_MAX (64u << 10)
#define FED_REPORT_MESSAGE_MAX 512u
#define FED_REPORT_REASON_MAX 63u
#define FED_REPORT_REMOTE_MAX (16u << 10)
#define FED_REPORT_FACTS_MAX 4096u

enum fed_work_state {
    FED_WORK_PENDING = 0,  /* staged, not tried yet */
    FED_WORK_APPLIED = 1,  /* the member holds it as asked */
    FED_WORK_FAILED = 2,   /* the member or rendering refused it; reason and message say why */
    FED_WORK_WAITING = 3,  /* waits for something named in message (namespace, CRD, API server) */
    FED_WORK_REMOVING = 4, /* deletion asked, object still there */
    FED_WORK_STATES
};
enum fed_work_deed {   /* for events. What the apply that led to APPLIED did, told once; of FAILED,
                        * what   was tried: CREATED or UPDATED, NONE when the agent does not say */
    FED_DEED_NONE = 0, /* nothing new */
    FED_DEED_CREATED = 1, /* the object was not there */
    FED_DEED_UPDATED = 2,
    FED_DEED_ADOPTED = 3 /* it was there, and not the federation's */
};
enum fed_work_health {
    FED_HEALTH_UNKNOWN = 0, /* no rule for this kind, or not looked yet */
    FED_HEALTH_HEALTHY = 1,
    FED_HEALTH_PROGRESSING = 2,
    FED_HEALTH_UNHEALTHY = 3,
    FED_HEALTHS
};
const char *fed_work_state_name(enum fed_work_state state);    /* "Pending" ... */
const char *fed_work_health_name(enum fed_work_health health); /* "Unknown" ... */

struct fed_report_entry {
    size_t index;
    enum fed_work_state state;
    enum fed_work_health health;
    enum fed_work_deed deed; /* only with APPLIED and FAILED */
    bool in_place;           /* of FAILED: an earlier version is, that of the next two */
    uint64_t generation;
    struct fed_span resource_version;
    struct fed_span reason; /* of APPLIED: something to say of it that is no failure, such as
                             * "Drifted" or why it is not well; mostly "" */
    struct fed_span message;
};
struct fed_report_removed { /* a work that is no longer in the manifest */
    struct fed_span id;     /* "apiVersion/Kind/namespace/name" */
    enum fed_work_state state;
    struct fed_span reason;
    struct fed_span message;
};
struct fed_report_remote {
    size_t index;
    struct fed_span status; /* JSON */
};
struct fed_report_scale { /* what a replica scheduler wants to know of a workload */
    size_t index;
    uint32_t replicas;      /* spec.replicas, in the member */
    uint32_t ready;         /* status.readyReplicas */
    uint32_t running;       /* pods that run and are ready; equal to ready where that is all */
    uint32_t unschedulable; /* pods that found no node for a minute */
};
#define FED_REPORT_REPLICAS_MAX 0x7fffffffu
struct fed_report {
    bool full;
    bool more;
    uint32_t epoch;
    uint64_t revision;
    uint64_t seq;
    const struct fed_report_entry *entries;
    size_t n_entries;
    const struct fed_report_removed *removed;
    size_t n_removed;
    bool removed_cut; /* removals are under way that are not listed */
    const struct fed_report_remote *remote;
    size_t n_remote;
    const struct fed_report_scale *scales;
    size_t n_scales;
    struct fed_span facts; /* empty: unchanged */
    struct fed_span bytes; /* of a decoded one: the whole message */
};

/* Errors stick in out (limit FED_REPORT_MAX). Messages longer than their limit are cut at a
 * character boundary. */
void fed_report_put(struct fed_buf *out, const struct fed_report *report);
/* Spans point into bytes; arrays are of the arena. Refuses indices that do not ascend, unknown
 * flags, trailing bytes. */
FED_MUST_USE enum fed_err fed_report_decode(
    struct fed_arena *arena, struct fed_span bytes, struct fed_report *out, struct fed_diag *diag);

#endif
