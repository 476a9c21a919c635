/* consent.h - removals in bulk that nobody ordered by name: when they wait for a person
 * (section 9.3 of docs/protocol.md). Hub and agent judge by the same rule, each by its own limit.
 *
 * A removal is ordered by name when its federated object, or the namespace of that, is deleted.
 * All others are counted: those of a change, and those that were let through before in the present
 * window and did not come back. A window begins with a removal that is let through, and ends when
 * none followed for FED_CONSENT_WINDOW_S and nothing waits; so ten steps of ten percent are one
 * removal of all.
 *
 * A limit as text: "share=30%,least=5", either part alone, or "off". */
#ifndef FEDLET_PROTO_BUNDLE_CONSENT_H
#define FEDLET_PROTO_BUNDLE_CONSENT_H

#include "proto/bundle/work.h"

#define FED_CONSENT_SHARE 30u /* percent of the cluster's works */
#define FED_CONSENT_LEAST 5u
#define FED_CONSENT_WINDOW_S 3600u
#define FED_CONSENT_TEXT_SIZE 40u
/* What a removal that waits at the agent says in reports. */
#define FED_CONSENT_REASON "RemovalAwaitsConsent"

struct fed_consent_limit {
    uint32_t share; /* more than that many percent wait; 100: none do */
    uint32_t least; /* fewer never do; at least 1 */
};
void fed_consent_limit_default(struct fed_consent_limit *out);
/* What the text does not say is as in the default. FED_ERR_INVALID with diag. */
FED_MUST_USE enum fed_err fed_consent_limit_parse(
    struct fed_span text, struct fed_consent_limit *out, struct fed_diag *diag);

/* Which work: the first half of the SHA-256 over group NUL kind NUL namespace NUL name, as
 * apiVersion is not part of an identity. */
#define FED_REMOVAL_ID_SIZE 16u
struct fed_removal_id {
    uint8_t bytes[FED_REMOVAL_ID_SIZE];
};
FED_MUST_USE enum fed_err fed_removal_id_of(
    const struct fed_work *work, struct fed_removal_id *out);
/* Of a text as fed_work_put_id writes it. FED_ERR_INVALID. */
FED_MUST_USE enum fed_err fed_removal_id_of_text(struct fed_span id, struct fed_removal_id *out);
int fed_removal_id_cmp(const void *a, const void *b); /* for qsort and bsearch */

/* What was let through in the present window. */
struct fed_consent_window {
    struct fed_alloc *mem;
    struct fed_removal_id *ids; /* none twice; passed ones at the end, until the next one is back */
    size_t n, cap;
    bool sorted;
    uint64_t end_ms; /* monotonic */
};
void fed_consent_window_init(struct fed_consent_window *window, struct fed_alloc *mem);
void fed_consent_window_fini(struct fed_consent_window *window);
/* Ends the window when its time has come; not while something waits. */
void fed_consent_turn(struct fed_consent_window *window, uint64_t now_ms, bool waits);
/* Whether n more removals have to wait, of that many works that are there. */
bool fed_consent_needed(const struct fed_consent_limit *limit,
    const struct fed_consent_window *window, uint64_t n, uint64_t works);
/* Room for n more, so that letting them through cannot fail. FED_ERR_NOMEM. */
FED_MUST_USE enum fed_err fed_consent_reserve(struct fed_consent_window *window, size_t n);
/* It was let through; only with room. */
void fed_consent_pass(
    struct fed_consent_window *window, const struct fed_removal_id *id, uint64_t now_ms);
/* It is there again: then it was not removed. */
void fed_consent_back(struct fed_consent_window *window, const struct fed_work *work);
/* Varint n, the ids. Appends; reads into a window without ids. */
void fed_consent_window_put(const struct fed_consent_window *window, struct fed_buf *out);
FED_MUST_USE enum fed_err fed_consent_window_take(
    struct fed_span *from, struct fed_consent_window *window);

/* The answer to GET /r: which of the works that left the manifest are to go, because their removal
 * was ordered by name or consented to. u8 format 1, varint n, n ids ascending, none twice. */
#define FED_REMOVALS_BYTES_MAX (16u + FED_WORKS_MAX * FED_REMOVAL_ID_SIZE)
void fed_removals_put(struct fed_buf *out, const struct fed_removal_id *ids, size_t n);
/* *ids point into bytes. FED_ERR_TRUNCATED, FED_ERR_LIMIT, FED_ERR_INVALID, FED_ERR_UNSUPPORTED. */
FED_MUST_USE enum fed_err fed_removals_take(
    struct fed_span bytes, const struct fed_removal_id **ids, size_t *n);

#endif
