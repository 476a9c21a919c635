/* records.h - the body of an observation over HTTPS: records of u32 length (big endian) and so many
 * bytes, as they come (docs/protocol.md). Pure.
 *
 * The first is the answer, the others are notifications; empty ones keep the connection alive and
 * are not shown. */
#ifndef FEDLET_PORTS_HTTPS_RECORDS_H
#define FEDLET_PORTS_HTTPS_RECORDS_H

#include "proto/base/buf.h"

struct fed_https_records {
    struct fed_buf body; /* of the present record, as far as it came */
    uint8_t head[4];
    size_t n_head;
    size_t left; /* of the body */
    bool begun;  /* the first is through */
    bool shown;  /* body was given out, and is forgotten next */
};

/* max: the largest record. Memory is taken as bytes come, not as the length says. */
void fed_https_records_init(struct fed_https_records *r, struct fed_alloc *mem, size_t max);
void fed_https_records_fini(struct fed_https_records *r);
/* Takes from the front of *from until a record is whole or nothing is left. *whole: *record is one,
 * until the next call. FED_ERR_LIMIT for one that says it is larger than max, FED_ERR_NOMEM. */
FED_MUST_USE enum fed_err fed_https_records_take(
    struct fed_https_records *r, struct fed_span *from, bool *whole, struct fed_span *record);

#endif
