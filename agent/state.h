/* state.h - what the agent keeps on disk: one store (STATE_DIR/state.db), what of it cannot be had
 * again once more (STATE_DIR/identity, vault.h), and the private key (STATE_DIR/key.pem, 0600).
 *
 * Rows of the store:
 *   "identity"  JSON {"cluster","hubs":[],"ca","certificate","kubeconfig"}
 *   "manifest"  u8 format 1, u32 epoch, varint revision, 16 bytes: first half of the manifest's
 *               digest
 *   "w/" group NUL kind NUL namespace NUL name
 *               u8 format 1, u8 flags (0x01 in the manifest, 0x02 removing, 0x04 orphan, 0x08 kept,
 *               0x10 applied, 0x20 waits, 0x40 unclear), the work (fed_work_put), 16 bytes applied
 *               content, 16 bytes fields, string uid, varints generation and resourceVersion
 *   "b/" 32 bytes digest
 *               the blob's bytes: those that works of the manifest, or waiting to go, use, and
 * those of works on their way out whose removal has an order; and those of versions that may have
 * to come back "h/" ...    such versions (trial.h) "traffic"   varints month (year * 12 + month -
 * 1), bytes sent, bytes received "kinds"     the hub's last answer to k, as it came "mark"      8
 * bytes that the hub's hello gave (section 6.2 of docs/protocol.md) "consent"   what the guard let
 * through (consent.h) "time"      varint: the hub's Unix seconds of that hello (clock.h)
 *
 * A bundle is staged whole in one commit before anything of it is applied, and the same commit puts
 * every new work into the inventory: nothing that was ever asked of the member is forgotten by a
 * crash. Results of applies follow later, many in one commit; losing them costs an apply that
 * changes nothing. What cannot be decoded is refused with FED_ERR_CORRUPT and left as it is. */
#ifndef FEDLET_AGENT_STATE_H
#define FEDLET_AGENT_STATE_H

#include "agent/consent.h"
#include "agent/table.h"
#include "ports/fs.h"
#include "ports/log.h"
#include "ports/loop.h"
#include "ports/store.h"
#include "proto/link/link.h"

#define AGENT_STATE_FILE "state.db"
#define AGENT_STATE_KEY_FILE "key.pem"
#define AGENT_STATE_LOCK_FILE "lock"
#define AGENT_STATE_SESSION_FILE "session"
#define AGENT_STATE_PARTIAL_FILE "partial"
#define AGENT_STATE_SOCKET "control.sock"
#define AGENT_STATE_IDENTITY "identity"
#define AGENT_STATE_MARK "mark"
#define AGENT_STATE_TIME "time"
#define AGENT_STATE_APPLICATION_ID 0x66646c74u /* "fdlt" */
#define AGENT_STATE_FORMAT 1u

/* The counters as they are now; false when there is nothing to write. */
struct agent_traffic;
typedef bool agent_state_traffic_now(void *ctx, struct agent_traffic *out);

struct agent_vault;
struct agent_state {
    struct fed_alloc *mem;
    struct fed_store *store;
    const struct agent_vault *vault; /* NULL: nothing is kept a second time */
    fed_loop_call *damaged;          /* the store was found damaged; NULL: nobody asks */
    void *damaged_ctx;
    uint64_t commits; /* made by this process */
    struct agent_consent consent;
    agent_state_traffic_now *traffic; /* NULL: nobody counts */
    void *traffic_ctx;
};

void agent_state_init(struct agent_state *state, struct fed_alloc *mem, struct fed_store *store);

/* Who we are. */
struct agent_identity {
    char cluster[254];
    size_t n_hubs;
    char hubs[AGENT_HUBS_MAX][281]; /* "coaps://HOST:PORT" */
    char ca[4096];                  /* PEM */
    char certificate[4096];         /* PEM */
    char kubeconfig[1024];          /* given when joining, "" for none */
};
/* FED_ERR_NOT_FOUND when this directory has not joined, FED_ERR_CORRUPT with diag. */
FED_MUST_USE enum fed_err agent_state_identity(
    struct agent_state *state, struct agent_identity *out, struct fed_diag *diag);
FED_MUST_USE enum fed_err agent_state_set_identity(
    struct agent_state *state, const struct agent_identity *identity, struct fed_diag *diag);

/* For a directory that joins once more, because its cluster was unregistered: the inventory stays,
 * the bundle is forgotten. What was in place is kept (agent_entry.kept) until the first bundle says
 * what becomes of it (stage.h). FED_ERR_CORRUPT with diag, the store's errors; then nothing has
 * changed. */
FED_MUST_USE enum fed_err agent_state_join_again(struct agent_state *state, struct fed_diag *diag);

/* Fills the table from the file and checks the manifest against its digest. Works that differ from
 * what was applied last are planned at once, the others stand as applied until the member says
 * otherwise. FED_ERR_CORRUPT with diag. */
FED_MUST_USE enum fed_err agent_state_load(
    struct agent_state *state, struct agent_table *table, uint64_t now_ms, struct fed_diag *diag);
/* Writes what is dirty and frees what is dropped, in one commit; no commit when there is nothing.
 */
FED_MUST_USE enum fed_err agent_state_persist(
    struct agent_state *state, struct agent_table *table, struct fed_diag *diag);

/* Appends the blob. FED_ERR_NOT_FOUND. */
FED_MUST_USE enum fed_err agent_state_blob(
    struct agent_state *state, const struct fed_digest *digest, struct fed_buf *out);

struct agent_traffic {
    uint64_t month; /* year * 12 + month - 1, UTC */
    uint64_t sent_bytes;
    uint64_t received_bytes;
};
/* Zeros when there is none. */
FED_MUST_USE enum fed_err agent_state_traffic(
    struct agent_state *state, struct agent_traffic *out, struct fed_diag *diag);
FED_MUST_USE enum fed_err agent_state_set_traffic(
    struct agent_state *state, const struct agent_traffic *traffic, struct fed_diag *diag);

/* The newest mark of the hub's hellos. FED_ERR_NOT_FOUND. */
FED_MUST_USE enum fed_err agent_state_mark(
    struct agent_state *state, uint8_t out[FED_LINK_MARK_SIZE], struct fed_diag *diag);
/* With the hub's clock of that hello. */
FED_MUST_USE enum fed_err agent_state_set_mark(struct agent_state *state,
    const uint8_t mark[FED_LINK_MARK_SIZE], int64_t unix_s, struct fed_diag *diag);
/* The hub's clock as it was stored last; 0 when it never was. */
FED_MUST_USE enum fed_err agent_state_time(
    struct agent_state *state, int64_t *unix_s, struct fed_diag *diag);

/* From now on every commit writes the counters, too: they cost none of their own. now NULL: not any
 * more. */
void agent_state_offer_traffic(struct agent_state *state, agent_state_traffic_now *now, void *ctx);

/* Which kinds are federated, as the hub said last. Appends; FED_ERR_NOT_FOUND when it never did. */
FED_MUST_USE enum fed_err agent_state_kinds(struct agent_state *state, struct fed_buf *out);
FED_MUST_USE enum fed_err agent_state_set_kinds(
    struct agent_state *state, struct fed_span kinds, struct fed_diag *diag);

/* For staging: a commit without the counters, keys, and the record of an entry as it will be. */
FED_MUST_USE enum fed_err agent_state_commit(
    struct agent_state *state, const struct fed_store_op *ops, size_t n, struct fed_diag *diag);
void agent_state_put_work_key(struct fed_buf *out, const struct fed_work *work);
void agent_state_put_blob_key(struct fed_buf *out, const struct fed_digest *digest);
void agent_state_put_head(
    struct fed_buf *out, uint32_t epoch, uint64_t revision, const uint8_t digest[16]);
void agent_state_put_record(struct fed_buf *out, const struct agent_entry *entry);

#endif
