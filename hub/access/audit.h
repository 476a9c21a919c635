/* audit.h - who did what: one JSON line per request that counts, in DIR/audit.log (0600).
 *
 * Recorded: requests that write, refused ones (401, 403), and every impersonation; with `reads` all
 * of them. A line: {"time","id","user","groups","impersonatedBy","verb","group","resource",
 * "subresource","namespace","name","path","code","dryRun","via","reason","source","agent"}; members
 * that would be empty are left out, "path" stands for what is no resource, "via" is "console" for a
 * browser that signed in, "reason" is the rule that allowed or the word of the refusal. Never
 * bodies, queries, tokens or other headers.
 *
 * A record says what was answered: one whose answer waits for the store's sync is made as a line
 * first, and added with the answer or forgotten with it. The record of a write is handed to the
 * kernel before its answer leaves, so it survives a crash of the hub (not a power cut: there is no
 * sync); others are written once per turn of the loop. The
 * file is renamed to audit.log.1 (.1 to .2 ...) when it would exceed its size, and the oldest goes.
 * A disk that is full, or any other failure, loses records and never a request: how many were lost
 * is logged, and recorded as {"time","lost":N} when writing works again. Of refusals to clients
 * without credentials at most HUB_AUDIT_STRANGERS_PER_S are recorded each second, the rest counted
 * as {"time","unrecorded":N}, so that strangers cannot push the history out.
 *
 * Every line has a last member "chain" (chain.h), which goes on over files and restarts; it is put
 * on when lines are written, so that what was lost or forgotten leaves no gap in it. */
#ifndef FEDLET_HUB_ACCESS_AUDIT_H
#define FEDLET_HUB_ACCESS_AUDIT_H

#include "hub/access/chain.h"
#include "hub/access/rule.h"
#include "hub/access/user.h"
#include "ports/fs.h"
#include "ports/log.h"
#include "ports/loop.h"

#define HUB_AUDIT_STRANGERS_PER_S 20u
#define HUB_AUDIT_FILES_MAX 100u

struct hub_audit;

struct hub_audit_options {
    const char *dir;
    uint64_t file_bytes; /* of one file, at least 64 KiB */
    unsigned files;      /* kept in all, the present one included: 1 to HUB_AUDIT_FILES_MAX */
    bool reads;
};

/* The file is opened at once. FED_ERR_LIMIT, FED_ERR_NOMEM, or what opening it says, with diag. */
FED_MUST_USE enum fed_err hub_audit_open(struct fed_alloc *mem, struct fed_loop *loop,
    struct fed_log *log, struct fed_fs *fs, const struct hub_audit_options *options,
    struct hub_audit **out, struct fed_diag *diag);
void hub_audit_close(struct hub_audit *audit); /* writes what waits; NULL is fine */

struct hub_audit_record {
    const char *id;
    const struct hub_user *user;         /* as whom it ran */
    const struct hub_user *impersonator; /* NULL: as themselves */
    const struct hub_access *access;
    unsigned code;
    bool writes;
    bool dry_run;
    bool console; /* of a browser that signed in */
    const char *reason;
    struct fed_span source;
    struct fed_span agent;
};
/* Decides whether it counts, and records it. */
void hub_audit_add(struct hub_audit *audit, const struct hub_audit_record *record);

/* The same in steps, for an answer that is not final yet. Appends the record's line, nothing when
 * it does not count; errors stick in out. */
void hub_audit_put(
    struct hub_audit *audit, const struct hub_audit_record *record, struct fed_buf *out);
/* Records a line; hub_audit_write hands it to the kernel. */
void hub_audit_add_line(struct hub_audit *audit, struct fed_span line);
/* Writes what waits. */
void hub_audit_write(struct hub_audit *audit);
/* Of the last line that was written. */
const struct hub_chain *hub_audit_chain(const struct hub_audit *audit);

#endif
