/* store.h - revisioned keys: what hub and agent keep on disk.
 *
 * The model of etcd's key space, narrow enough for SQLite and etcd alike: every commit raises one
 * store revision, all keys it writes carry that revision, a compare on a key's revision makes
 * writes conditional, and (when history is on) every change can be read again by revision until it
 * is compacted. A commit that returned FED_OK is durable.
 *
 * Many commits may share one sync: each is staged, is seen by every read at once, has a revision of
 * its own, and is durable with the next flush. Whoever stages tells nobody before the flush.
 *
 * Keys are bytes, compared bytewise, at most FED_STORE_KEY_MAX. Source of the model: etcd v3 API
 * guarantees. */
#ifndef FEDLET_PORTS_STORE_H
#define FEDLET_PORTS_STORE_H

#include "proto/base/buf.h"

#define FED_STORE_KEY_MAX 1024u
#define FED_STORE_VALUE_MAX (8u << 20)
#define FED_STORE_OPS_MAX 65536u

struct fed_store_item {
    struct fed_span key;
    struct fed_span value; /* of a deletion: the value until then */
    uint64_t revision;     /* of its last change */
    /* only in changes: */
    bool deleted;
    bool existed;           /* before the change */
    struct fed_span before; /* of a put: the value until then */
};

struct fed_store_compare {
    struct fed_span key;
    uint64_t revision; /* the key must be at exactly this revision; 0: must not exist */
};

struct fed_store_op {
    struct fed_span key;
    struct fed_span value;
    bool remove; /* else put */
};

/* Return false to stop early. Spans are valid during the call only. */
typedef bool fed_store_each(void *ctx, const struct fed_store_item *item);

struct fed_store {
    void *ctx;
    uint64_t (*revision)(void *ctx); /* of the last commit, staged ones too; 1 for a new store */
    uint32_t (*epoch)(void *ctx);    /* random number given at creation and at each restore */
    /* Appends the value. FED_ERR_NOT_FOUND. revision may be NULL. */
    enum fed_err (*get)(void *ctx, struct fed_span key, struct fed_buf *value, uint64_t *revision);
    /* Keys in [from, to), ascending; limit 0: all. An empty to has no end, here and below. The
     * store must not be changed during the call (commit says FED_ERR_BUSY); reading in it is fine.
     */
    enum fed_err (*range)(void *ctx, struct fed_span from, struct fed_span to, size_t limit,
        fed_store_each *each, void *each_ctx);
    /* Keys in [from, to): how many. */
    enum fed_err (*count)(void *ctx, struct fed_span from, struct fed_span to, size_t *out);
    /* The same as of a past revision. FED_ERR_GONE when what changed after it is forgotten in part,
     * FED_ERR_INVALID for one to come, FED_ERR_UNSUPPORTED without history. */
    enum fed_err (*range_at)(void *ctx, uint64_t revision, struct fed_span from, struct fed_span to,
        size_t limit, fed_store_each *each, void *each_ctx);
    enum fed_err (*count_at)(
        void *ctx, uint64_t revision, struct fed_span from, struct fed_span to, size_t *out);
    /* All or nothing. FED_ERR_CONFLICT when a compare fails, FED_ERR_FULL, FED_ERR_IO,
     * FED_ERR_LIMIT with diag. A remove of an absent key is no change, and a commit without any
     * change leaves the revision as it is. A key is at most once in ops and never empty:
     * FED_ERR_INVALID. revision may be NULL. What was staged before becomes durable with it, or is
     * undone with it as flush says; a commit that is refused (CONFLICT, INVALID, LIMIT, BUSY)
     * leaves it staged. */
    enum fed_err (*commit)(void *ctx, const struct fed_store_compare *compares, size_t n_compares,
        const struct fed_store_op *ops, size_t n_ops, uint64_t *revision, struct fed_diag *diag);
    /* A commit that is durable only with the next flush (or commit) that says FED_OK; an engine may
     * make it durable at once. Errors as commit; one that is no refusal undoes all that is staged.
     */
    enum fed_err (*stage)(void *ctx, const struct fed_store_compare *compares, size_t n_compares,
        const struct fed_store_op *ops, size_t n_ops, uint64_t *revision, struct fed_diag *diag);
    /* Makes durable what is staged; FED_OK when nothing is. FED_ERR_BUSY from inside a read: it
     * stays staged. Any other error undoes it: keys, history and revision are what they were at the
     * last flush or commit, and the next commit finds the store in order. */
    enum fed_err (*flush)(void *ctx, struct fed_diag *diag);
    bool (*staged)(void *ctx); /* whether a flush is due */
    /* Takes back what is staged, as a flush that fails does. NULL: not offered. Not from inside a
     * read. */
    void (*undo)(void *ctx);
    /* Changes with revision > since to keys in [from, to), in the order of their revision.
     * FED_ERR_GONE when since is older than the last compaction. FED_ERR_UNSUPPORTED without
     * history. */
    enum fed_err (*changes)(void *ctx, uint64_t since, struct fed_span from, struct fed_span to,
        fed_store_each *each, void *each_ctx);
    /* Forgets history up to and including revision. Flushes first. FED_ERR_INVALID for one to come,
     * FED_ERR_UNSUPPORTED. */
    enum fed_err (*compact)(void *ctx, uint64_t revision);
};

/* ---- ports/sqlite ---- */
struct fed_sqlite_store;
struct fed_sqlite_options {
    bool history;            /* keep a change log (hub); the agent has none */
    uint32_t application_id; /* refuses a file of another program */
    uint32_t new_epoch;      /* random, used when the file is new */
    uint32_t cache_kib;      /* page cache */
    uint32_t history_kib;    /* the log forgets its oldest part beyond that; 0: no limit */
};
/* Opens or creates. WAL, synchronous=FULL, one writer. FED_ERR_CORRUPT with diag when the file is
 * damaged or of another program (it is left untouched), FED_ERR_UNSUPPORTED when it was written by
 * a newer version, FED_ERR_INVALID when it was made with the other choice of history, FED_ERR_FULL,
 * FED_ERR_IO. A process opens one path once at a time.
 * Without history every page has a sum, so that FED_ERR_CORRUPT can come from any read, the whole
 * file is read when it is opened, and no other process can open it meanwhile (ports/sqlite/sum.h).
 */
FED_MUST_USE enum fed_err fed_sqlite_store_open(struct fed_alloc *mem, const char *path,
    const struct fed_sqlite_options *options, struct fed_sqlite_store **out, struct fed_diag *diag);
void fed_sqlite_store_close(struct fed_sqlite_store *sqlite);
struct fed_store *fed_sqlite_store_port(struct fed_sqlite_store *sqlite);
/* Full check of the file and of the store's own invariants. FED_ERR_CORRUPT with the first finding.
 */
FED_MUST_USE enum fed_err fed_sqlite_store_verify(
    struct fed_sqlite_store *sqlite, struct fed_diag *diag);
/* Consistent copy while in use. FED_ERR_EXISTS when something is at path. */
FED_MUST_USE enum fed_err fed_sqlite_store_backup(
    struct fed_sqlite_store *sqlite, const char *path, struct fed_diag *diag);
/* Gives the store another epoch (after a restore): history is forgotten and the revision jumps by
 * FED_SQLITE_EPOCH_JUMP, so that no number from the time that was lost names a state of now. */
#define FED_SQLITE_EPOCH_JUMP ((uint64_t)1 << 32)
FED_MUST_USE enum fed_err fed_sqlite_store_set_epoch(
    struct fed_sqlite_store *sqlite, uint32_t epoch, struct fed_diag *diag);

#endif
