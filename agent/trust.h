/* trust.h - which CAs the agent trusts, and what makes it trust another one.
 *
 * A hub answers with its CAs as PEM: self-signed ones, which are to be trusted from then on instead
 * of those of before, and certificates by which one CA vouches for another (docs/protocol.md
 * section 3.4). A CA is taken when it is known already, by the pin of a token or because it is
 * trusted, or when a known one vouches for it: whoever can show a hub's certificate, but has no
 * CA's key, cannot bring in another CA. */
#ifndef FEDLET_AGENT_TRUST_H
#define FEDLET_AGENT_TRUST_H

#include "ports/crypto.h"
#include "proto/link/link.h"

#define AGENT_TRUST_CAS_MAX 4u

struct agent_trust {
    const struct fed_digest *pin; /* of a token; NULL: what is trusted now counts */
    struct fed_span known_pem;
};

/* What is to be trusted, from the hub's answer: the self-signed ones, in their order.
 * FED_ERR_INVALID for what cannot be read or is no CA, FED_ERR_FORBIDDEN for a CA that nobody known
 * vouches for, or when the pinned one is not among them, FED_ERR_LIMIT; each with diag. */
FED_MUST_USE enum fed_err agent_trust_take(struct fed_alloc *mem, struct fed_crypto *crypto,
    const struct agent_trust *trust, struct fed_span answer_pem, struct fed_buf *out,
    struct fed_diag *diag);

/* Whether a CA with that pin is among them. */
bool agent_trust_has(
    struct fed_crypto *crypto, struct fed_span cas_pem, const struct fed_digest *pin);

/* The mark of a set of CAs, as the hub's hello says it: first bytes of the SHA-256 of their pins,
 * smallest first. */
FED_MUST_USE enum fed_err agent_trust_mark(struct fed_crypto *crypto, struct fed_span cas_pem,
    uint8_t out[FED_LINK_TRUST_SIZE], struct fed_diag *diag);

#endif
