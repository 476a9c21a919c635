/* share.h - what one client has of the server, so that none can have all of it: connections, bytes
 * of requests, bytes of answers, turns.
 *
 * A client is the common name of a certificate; until the handshake is over, and without a
 * certificate, it is an address (of IPv6 the first 64 bits). Programs may share a certificate: the
 * connections of one client take turns among each other, and half of the room for its answers is
 * for those connections that read theirs. */
#ifndef FEDLET_PORTS_HTTP_SHARE_H
#define FEDLET_PORTS_HTTP_SHARE_H

#include "proto/base/map.h"

#include <stdbool.h>
#include <stddef.h>

struct fed_http_conn;

#define FED_HTTP_SHARE_NAME_MAX 300u

struct fed_http_conns { /* a queue of connections */
    struct fed_http_conn *first;
    struct fed_http_conn *last;
};

struct fed_http_share {
    struct fed_http_shares *all; /* NULL: one that limits nothing */
    size_t n_conns;
    size_t n_handshakes;           /* of them, not finished yet */
    size_t asked;                  /* bytes of headers and bodies that are held */
    size_t answered;               /* bytes of answers that the client has not taken yet */
    struct fed_http_conns waiting; /* for a turn */
    struct fed_http_conns parked;  /* for room in answered */
    struct fed_http_share *next;   /* of those with waiting connections */
    bool has_turn;                 /* is among them */
    char name[FED_HTTP_SHARE_NAME_MAX];
};

struct fed_http_shares {
    struct fed_alloc *mem;
    struct fed_map by_name;
    size_t asked;
    size_t answered;
    size_t asked_max; /* of one client; 0: no limit, as below */
    size_t asked_total_max;
    size_t answered_max;
    size_t answered_total_max;
    struct fed_http_share *turn; /* whose turn is next */
    struct fed_http_share *turn_last;
    void (*eased)(void *ctx, struct fed_http_share *share); /* a parked one may go on */
    void *ctx;
};

/* One more connection of that client; NULL when memory is refused. */
struct fed_http_share *fed_http_share_take(struct fed_http_shares *shares, const char *name);
/* One less. */
void fed_http_share_drop(struct fed_http_share *share);
/* Whether n more bytes of requests may be held; they are counted then. */
bool fed_http_share_ask(struct fed_http_share *share, size_t n);
void fed_http_share_asked_less(struct fed_http_share *share, size_t n);
/* An exchange's answer waits with `now` bytes, where it was `before`. */
void fed_http_share_answered(struct fed_http_share *share, size_t before, size_t now);
/* A connection reads its answers while no more than that of them waits. */
#define FED_HTTP_SHARE_READS 65536u
/* Whether another request may be answered on a connection that has not taken `own` bytes yet: more
 * than half of the room is left, or there is room and it reads. */
bool fed_http_share_may_answer(const struct fed_http_share *share, size_t own);
/* Whether the answers that wait take all of the room. */
bool fed_http_share_full(const struct fed_http_share *share);

#endif
