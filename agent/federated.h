/* federated.h - which kinds are federated, as the hub said last (proto/link/link.h, "Kinds"). */
#ifndef FEDLET_AGENT_FEDERATED_H
#define FEDLET_AGENT_FEDERATED_H

#include "proto/link/link.h"

struct agent_federated {
    struct fed_link_kind *at; /* spans into bytes */
    size_t n;
    uint8_t *bytes; /* as the hub sent them */
    size_t len;
};

/* Takes a copy in place of what was there. FED_ERR_NOMEM, FED_ERR_LIMIT, and what
 * fed_link_kinds_take says; then nothing has changed. */
FED_MUST_USE enum fed_err agent_federated_set(
    struct agent_federated *federated, struct fed_alloc *mem, struct fed_span kinds);
void agent_federated_fini(struct agent_federated *federated, struct fed_alloc *mem);
bool agent_federated_has(
    const struct agent_federated *federated, struct fed_span api_version, struct fed_span plural);

#endif
