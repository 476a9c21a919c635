/* fetch.h - which blocks of a large answer to ask for, and when (RFC 7959 section 2.4). Pure: the
 * caller brings time and blocks, and sends what it is told to.
 *
 * Plain Block2 takes a round trip for each block and stands still for seconds at each loss. The hub
 * answers any block by itself, so several are asked for at once and what is missing is asked for
 * again: when answers to later requests have passed it, or after a time.
 *
 * How many at once is the window. It grows while that costs nobody anything: as long as round trips
 * stay as short as the shortest and no more is lost than with a small window. So it fills a long
 * path, and one that loses at random, but neither a queue nor a line that drops what is too much.
 *
 * Blocks have 1,024 bytes (SZX 6). When none of that size arrives, they are asked for with 256
 * bytes (SZX 4, RFC 7252 section 4.6): the path may not carry more. Now and then one large block is
 * tried, as only the path knows. The body is counted in units of 256 bytes. */
#ifndef FEDLET_PORTS_COAP_FETCH_H
#define FEDLET_PORTS_COAP_FETCH_H

#include "proto/base/buf.h"

#define FED_COAP_SZX_LARGE 6u
#define FED_COAP_SZX_SMALL 4u
#define FED_COAP_UNIT 256u
#define FED_COAP_WINDOW 10u       /* blocks under way at first: RFC 6928's ten segments */
#define FED_COAP_WINDOW_MIN 4u    /* where a queue is full of what we asked for */
#define FED_COAP_WINDOW_MAX 64u   /* fits a receive buffer of Linux's default size */
#define FED_COAP_PASSED_MAX 3u    /* lost when so many that were asked for later are here */
#define FED_COAP_SENDS_LARGE 3u   /* of one large block, before small ones are tried */
#define FED_COAP_SILENT_LARGE 11u /* repetitions of any while nothing comes: the same, */
                                  /* and before FED_COAP_SILENT_SENDS ends the session */
#define FED_COAP_PROBE_BLOCKS 32u /* small ones between two trials of a large one, at first */

/* One block that was asked for. */
struct fed_coap_slot {
    bool used;
    bool due; /* answers to later requests passed it */
    bool probe;
    uint8_t szx;
    uint8_t sends;
    unsigned passed;
    uint32_t unit;
    uint32_t rto_ms;
    uint64_t first_ms; /* asked for the first time */
    uint64_t sent_ms;
    uint64_t first_order; /* of sending: the first time, */
    uint64_t order;       /* and the last */
};

struct fed_coap_count {
    uint32_t arrived;
    uint32_t missed;
};

struct fed_coap_window {
    uint32_t size;
    bool slow;          /* it had to shrink once: from then on it grows by little */
    uint32_t least_ms;  /* shortest round trip */
    uint32_t recent_ms; /* smoothed; 0: none measured */
    uint64_t round_ms;  /* a round is a round trip: it began then */
    unsigned rounds;
    struct fed_coap_count round;
    struct fed_coap_count before; /* in the round before */
    struct fed_coap_count base;   /* with a small window: the path's own losses */
};

struct fed_coap_fetch {
    struct fed_alloc *mem;
    uint8_t *body;
    size_t size;
    uint8_t *have; /* a bit per unit */
    uint32_t units;
    uint32_t count; /* of those that are here */
    uint32_t next;  /* none below it was never asked for */
    unsigned szx;   /* of what is asked for next */
    uint64_t order;
    unsigned backoff;   /* waits are doubled so often until a round trip is measured (RFC 6298) */
    unsigned silent;    /* repetitions since anything came */
    uint64_t quiet_ms;  /* and when the next may go */
    uint64_t large_ms;  /* last time that a large block came */
    bool probing;       /* a large block is on trial */
    uint32_t small;     /* small ones since the last trial */
    uint32_t probe_gap; /* until the next trial */
    struct fed_coap_window window;
    struct fed_coap_slot slots[FED_COAP_WINDOW_MAX];
};

struct fed_coap_ask {
    uint32_t num;
    unsigned szx;
};

/* A body of size bytes, of which nothing is here. FED_ERR_NOMEM. */
FED_MUST_USE enum fed_err fed_coap_fetch_new(
    struct fed_alloc *mem, size_t size, struct fed_coap_fetch **out);
void fed_coap_fetch_free(struct fed_coap_fetch *fetch);
/* What is under way is forgotten (another session), what is here stays. now_ms begins the first
 * round; szx is the size of blocks to begin with. */
void fed_coap_fetch_begin(struct fed_coap_fetch *fetch, unsigned szx, uint64_t now_ms);
/* Takes a block that nobody asked for here: the first one. false: not a block of this body. */
bool fed_coap_fetch_put(
    struct fed_coap_fetch *fetch, uint32_t num, unsigned szx, struct fed_span payload);
/* What to ask for now; called until it is false. rto_ms: how long to wait for an answer. */
bool fed_coap_fetch_next(
    struct fed_coap_fetch *fetch, uint64_t now_ms, uint32_t rto_ms, struct fed_coap_ask *out);
/* An answer. *rtt_ms: how long it took, 0 when that cannot be said (Karn's rule). false: a
 * duplicate, or nothing that was asked for. */
bool fed_coap_fetch_received(struct fed_coap_fetch *fetch, uint32_t num, unsigned szx,
    struct fed_span payload, uint64_t now_ms, uint32_t *rtt_ms);
/* When fed_coap_fetch_next may have something to ask for again; UINT64_MAX: nothing is under way.
 */
uint64_t fed_coap_fetch_due(const struct fed_coap_fetch *fetch);
static inline bool fed_coap_fetch_complete(const struct fed_coap_fetch *fetch)
{
    return fetch->count == fetch->units;
}

/* ---- keeping ---- */
/* Size of the body, which units are here, and those and no others. Errors stick in out. */
void fed_coap_fetch_put_to(const struct fed_coap_fetch *fetch, struct fed_buf *out);
/* FED_ERR_INVALID for anything else, and for bodies larger than size_max; FED_ERR_NOMEM. */
FED_MUST_USE enum fed_err fed_coap_fetch_take_from(
    struct fed_alloc *mem, struct fed_span *from, size_t size_max, struct fed_coap_fetch **out);

#endif
