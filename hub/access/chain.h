/* chain.h - records of the audit log hang together, so that none can be changed, taken out, put in
 * or moved without what follows showing it.
 *
 * A record's last member is "chain": the first 32 hex digits of the SHA-256 of the chain of the
 * record before it followed by the record as it is without its own; before the first one that is 32
 * zeros. With a shell: printf %s "$before$record" | sha256sum | cut -c1-32. It is no signature:
 * whoever may write the file can make all of it anew, and cut its end off, so the hub logs where
 * the chain is when it starts and when it stops, and knows meanwhile. Pure. */
#ifndef FEDLET_HUB_ACCESS_CHAIN_H
#define FEDLET_HUB_ACCESS_CHAIN_H

#include "proto/base/buf.h"

#define HUB_CHAIN_DIGITS 32u

struct hub_chain {
    char at[HUB_CHAIN_DIGITS + 1]; /* "": whatever the next record says is taken */
};

void hub_chain_begin(struct hub_chain *chain);
/* Appends the record (an object's text, without its newline) with its chain and a newline; the
 * chain moves on. Errors stick in out; FED_ERR_INVALID for what is no object. */
FED_MUST_USE enum fed_err hub_chain_put(
    struct hub_chain *chain, struct fed_span record, struct fed_buf *out);

enum hub_chain_link {
    HUB_CHAIN_HOLDS,
    HUB_CHAIN_BROKEN, /* this record, or what came before it, is not what was written */
    HUB_CHAIN_NONE    /* it has no chain: it is of an older hub, or of somebody else */
};
/* Looks at a line as it is in the file, without its newline. The chain moves on to what the line
 * says, also when it is broken, so that each break is found once. FED_ERR_NOMEM, FED_ERR_INTERNAL.
 */
FED_MUST_USE enum fed_err hub_chain_check(
    struct hub_chain *chain, struct fed_span line, enum hub_chain_link *out);

#endif
