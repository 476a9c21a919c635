/* federated.c - see federated.h. */
#include "agent/federated.h"

#include <string.h>

static enum fed_err count_kinds(struct fed_alloc *mem, struct fed_span kinds, size_t *n)
{
    struct fed_link_kind *all = fed_alloc_array(mem, FED_LINK_KINDS_MAX, sizeof *all);
    enum fed_err err = all ? fed_link_kinds_take(kinds, all, FED_LINK_KINDS_MAX, n) : FED_ERR_NOMEM;

    fed_alloc_free(mem, all, FED_LINK_KINDS_MAX * sizeof *all);
    return err;
}

enum fed_err agent_federated_set(
    struct agent_federated *federated, struct fed_alloc *mem, struct fed_span kinds)
{
    struct agent_federated next = {.len = kinds.len};
    enum fed_err err =
        kinds.len > FED_LINK_KINDS_BYTES_MAX ? FED_ERR_LIMIT : count_kinds(mem, kinds, &next.n);

    if (err)
        return err;
    next.bytes = fed_alloc_get(mem, next.len);
    next.at = fed_alloc_array(mem, next.n + 1, sizeof *next.at);
    err = next.bytes && next.at ? FED_OK : FED_ERR_NOMEM;
    if (!err) {
        memcpy(next.bytes, kinds.at, kinds.len);
        err = fed_link_kinds_take(fed_span_of(next.bytes, next.len), next.at, next.n, &next.n);
    }
    if (err) {
        agent_federated_fini(&next, mem);
        return err;
    }
    agent_federated_fini(federated, mem);
    *federated = next;
    return FED_OK;
}

void agent_federated_fini(struct agent_federated *federated, struct fed_alloc *mem)
{
    fed_alloc_free(mem, federated->bytes, federated->len);
    fed_alloc_free(mem, federated->at, (federated->n + 1) * sizeof(struct fed_link_kind));
    *federated = (struct agent_federated){0};
}

bool agent_federated_has(
    const struct agent_federated *federated, struct fed_span api_version, struct fed_span plural)
{
    for (size_t i = 0; i < federated->n; i++) {
        if (fed_span_eq(federated->at[i].plural, plural) &&
            fed_span_eq(federated->at[i].api_version, api_version))
            return true;
    }
    return false;
}
