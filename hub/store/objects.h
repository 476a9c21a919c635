/* objects.h - Kubernetes objects in the store: immutable bytes under (resource, namespace, name),
 * and who hears of changes.
 *
 * Bytes are the object's compact JSON in its storage version, without metadata.resourceVersion:
 * that is the revision of the commit that wrote it, added when it is read. Key: "o/" resource NUL
 * namespace NUL name. Other hub state lives beside it under other prefixes ("s/" status rows, "b/"
 * bundle rows, "f/" federated types without a config, "p/" what agents say of pods, "n/" marks of
 * sessions, "t/" token secrets, "u/" bytes of clusters' links, "i/" identity, "V/" versions and
 * "w/" records and rows of rollouts) through the store port.
 *
 * Writes of one turn of the loop share one sync: they are staged, seen by reads at once, and become
 * durable, and known to subscribers, with the flush. Who answers somebody outside for what was
 * staged, or read while something was, and who keeps in memory what is staged, is a member of the
 * commit (struct hub_objects_member). */
#ifndef FEDLET_HUB_STORE_OBJECTS_H
#define FEDLET_HUB_STORE_OBJECTS_H

#include "ports/loop.h"
#include "ports/store.h"
#include "proto/base/buf.h"

#define HUB_SYSTEM_NAMESPACE "kube-federation-system" /* of the federation's own objects */
#define HUB_CLUSTERS "kubefedclusters.core.kubefed.io"
#define HUB_TYPE_CONFIGS "federatedtypeconfigs.core.kubefed.io"
#define HUB_OBJECT_BYTES_MAX (3u << 20) /* kube-apiserver's limit for a request body */

struct hub_objects;

struct hub_object_ref {
    struct fed_span
        resource;       /* "federateddeployments.types.kubefed.io"; core group: "namespaces" */
    struct fed_span ns; /* empty when cluster-scoped */
    struct fed_span name;
};

struct hub_object {
    struct hub_object_ref ref;
    struct fed_span bytes;
    uint64_t revision;
};

enum hub_change_type {
    HUB_CHANGE_ADDED,
    HUB_CHANGE_MODIFIED,
    HUB_CHANGE_DELETED,
    HUB_CHANGE_TOUCHED /* the stored bytes stay, but what is composed on read (status) changed */
};

struct hub_change {
    enum hub_change_type type;
    struct hub_object_ref ref;
    struct fed_span bytes;  /* after; for DELETED the last state */
    struct fed_span before; /* empty for ADDED; for TOUCHED the same as bytes */
    uint64_t revision;
};
/* Called once the change is durable, in commit order, never inside another subscriber's call for a
 * later change: changes made by a subscriber are delivered after the present one reached everybody.
 */
typedef void hub_objects_changed(void *ctx, const struct hub_change *change);

/* store and loop outlive it. loop NULL: what is to be flushed soon is flushed at once. */
FED_MUST_USE enum fed_err hub_objects_open(struct fed_alloc *mem, struct fed_loop *loop,
    struct fed_store *store, struct hub_objects **out, struct fed_diag *diag);
void hub_objects_close(struct hub_objects *objects);
/* Of the last commit, staged ones too. */
uint64_t hub_objects_revision(const struct hub_objects *objects);

/* Appends the bytes. FED_ERR_NOT_FOUND. */
FED_MUST_USE enum fed_err hub_objects_get(struct hub_objects *objects,
    const struct hub_object_ref *ref, struct fed_buf *bytes, uint64_t *revision);

/* Objects of a resource in key order; ns empty: all namespaces. Starts behind `after` (its ns and
 * name; NULL: from the start). Return false from each to stop. The store must not be changed from
 * inside. */
typedef bool hub_objects_each(void *ctx, const struct hub_object *object);
FED_MUST_USE enum fed_err hub_objects_list(struct hub_objects *objects, struct fed_span resource,
    struct fed_span ns, const struct hub_object_ref *after, hub_objects_each *each, void *ctx);

/* The same as of a past revision, and how many there are (behind `after`). FED_ERR_GONE when that
 * is forgotten, FED_ERR_INVALID for one to come. */
FED_MUST_USE enum fed_err hub_objects_list_at(struct hub_objects *objects, uint64_t revision,
    struct fed_span resource, struct fed_span ns, const struct hub_object_ref *after,
    hub_objects_each *each, void *ctx);
FED_MUST_USE enum fed_err hub_objects_count_at(struct hub_objects *objects, uint64_t revision,
    struct fed_span resource, struct fed_span ns, const struct hub_object_ref *after, size_t *out);

/* One write of a commit. expected: revision the object must have; 0: must not exist;
 * HUB_ANY_REVISION: whatever. */
#define HUB_ANY_REVISION UINT64_MAX
struct hub_object_write {
    struct hub_object_ref ref;
    struct fed_span bytes; /* ignored when remove */
    uint64_t expected;
    bool remove;
};
/* All or nothing, together with raw store operations (for rows that belong to the objects).
 * FED_ERR_CONFLICT, FED_ERR_EXISTS (expected 0), FED_ERR_NOT_FOUND, FED_ERR_FULL, FED_ERR_IO. */
FED_MUST_USE enum fed_err hub_objects_commit(struct hub_objects *objects,
    const struct hub_object_write *writes, size_t n_writes, const struct fed_store_op *extra,
    size_t n_extra, uint64_t *revision, struct fed_diag *diag);

/* The same, durable only with the next flush. Flushes by itself when much is staged. */
FED_MUST_USE enum fed_err hub_objects_stage(struct hub_objects *objects,
    const struct hub_object_write *writes, size_t n_writes, const struct fed_store_op *extra,
    size_t n_extra, uint64_t *revision, struct fed_diag *diag);
/* Whether something is staged: what is read now may be undone. */
bool hub_objects_staged(const struct hub_objects *objects);
/* A flush at the end of this turn of the loop. false when that cannot be had (no memory): flush
 * now. */
FED_MUST_USE bool hub_objects_flush_soon(struct hub_objects *objects);
/* Asks the members what they add, makes durable what is staged, tells members and subscribers.
 * Whoever acts outside on what it reads flushes first; it may go on after an error, for then the
 * undone is not seen any more. FED_ERR_BUSY from inside a read or a member's prepare: nothing
 * happened. */
enum fed_err hub_objects_flush(struct hub_objects *objects, struct fed_diag *diag);
/* How often what was staged was made durable since this process started, and how often that
 * failed. */
void hub_objects_syncs(const struct hub_objects *objects, uint64_t *done, uint64_t *refused);
/* The changes that are staged, oldest first. Staging more in the call is fine. */
void hub_objects_each_staged(struct hub_objects *objects, hub_objects_changed *each, void *ctx);

/* Who has a part in what becomes durable together; any of the calls may be NULL. Members are called
 * in the order in which they joined, whoever flushed.
 *   prepare  a flush begins: the last moment to stage more, or to refuse all (hub_objects_refuse)
 *   ended    what was staged is durable (FED_OK), or was undone (its error) and is not seen any
 *            more; in this call hub_objects_each_staged still names it. Subscribers hear of it
 *            afterwards. Nothing may be staged here.
 *   settled  the same, after the subscribers heard: the time for answers. Of a flush by a
 *            subscriber inside a delivery it is told with the outer one. */
struct hub_objects_member {
    struct hub_objects_member *next; /* not the member's */
    void *ctx;
    void (*prepare)(void *ctx);
    void (*ended)(void *ctx, enum fed_err err, const struct fed_diag *diag);
    void (*settled)(void *ctx, enum fed_err err, const struct fed_diag *diag);
};
/* The member is kept until it leaves; not from inside one of its calls. */
void hub_objects_join(struct hub_objects *objects, struct hub_objects_member *member);
void hub_objects_leave(struct hub_objects *objects, struct hub_objects_member *member);
/* Only from inside a prepare: what this turn staged must not become durable. It is undone, and the
 * flush ends with that error and its sentence, for everybody who had a part in it. */
void hub_objects_refuse(struct hub_objects *objects, enum fed_err err, const char *why);

/* Tells subscribers that what is composed into the object changed as of a store revision (that of
 * the status row); once what is staged is settled, and then once however often it was said. */
void hub_objects_touch(
    struct hub_objects *objects, const struct hub_object_ref *ref, uint64_t revision);

/* resource empty: every resource. The subscription is freed with _unsubscribe, also from inside the
 * call. */
struct hub_subscription;
FED_MUST_USE enum fed_err hub_objects_subscribe(struct hub_objects *objects,
    struct fed_span resource, hub_objects_changed *changed, void *ctx,
    struct hub_subscription **out);
void hub_objects_unsubscribe(struct hub_subscription *subscription);

/* Changes of a resource after a revision, oldest first, for watches that resume. FED_ERR_GONE when
 * compacted, or when there are more than anybody should read (some were told then). Touches are not
 * part of it. The store must not be changed from inside. */
FED_MUST_USE enum fed_err hub_objects_since(struct hub_objects *objects, struct fed_span resource,
    uint64_t since, hub_objects_changed *each, void *ctx);
/* For the other prefixes; never write under "o/". It shows and makes durable state only: what is
 * staged is flushed first. Rows that may share the turn's sync are the `extra` of a
 * hub_objects_stage. */
struct fed_store *hub_objects_store(struct hub_objects *objects);
/* Reads a row of another prefix, staged or not. Appends its value. FED_ERR_NOT_FOUND. */
FED_MUST_USE enum fed_err hub_objects_get_row(
    struct hub_objects *objects, struct fed_span key, struct fed_buf *value, uint64_t *revision);

#endif
