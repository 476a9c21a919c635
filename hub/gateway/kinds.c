/* kinds.c - which kinds are federated, as agents ask for it; and who is told that it changed. */
#include "hub/gateway/internal.h"

#include "proto/link/link.h"

struct listing {
    struct fed_link_kind at[FED_LINK_KINDS_MAX];
    size_t n;
};

static bool add(void *ctx, const struct hub_federated_kind *kind)
{
    struct listing *l = ctx;

    l->at[l->n++] = (struct fed_link_kind){.api_version = fed_span_text(kind->api_version),
        .kind = fed_span_text(kind->kind),
        .plural = fed_span_text(kind->plural)};
    return l->n < FED_LINK_KINDS_MAX;
}

void gateway_kinds_put(struct hub_gateway *gateway, struct fed_buf *out)
{
    struct listing listing;

    listing.n = 0;
    hub_plan_kinds(gateway->plan, add, &listing);
    fed_link_kinds_begin(out, listing.n);
    for (size_t i = 0; i < listing.n; i++)
        fed_link_kinds_add(out, &listing.at[i]);
}

/* The same head again makes the agent ask for its kinds and its orders. */
void gateway_orders_changed(void *ctx, struct fed_span cluster)
{
    struct hub_gateway *gateway = ctx;
    struct gateway_session *session = fed_map_get(&gateway->sessions, cluster);

    if (!session || !session->observing)
        return;
    session->kinds_due = true;
    gateway_notify_want(session);
}

/* Types are written for other reasons, too: their status, the form of their objects. */
void gateway_kinds_changed(void *ctx, const struct hub_change *change)
{
    struct hub_gateway *gateway = ctx;
    struct fed_digest digest;
    struct fed_buf kinds;
    enum fed_err err;

    (void)change;
    fed_buf_init(&kinds, gateway->mem, FED_LINK_KINDS_BYTES_MAX);
    gateway_kinds_put(gateway, &kinds);
    err = fed_buf_err(&kinds);
    if (!err)
        err = fed_digest_of(fed_buf_span(&kinds), &digest);
    fed_buf_fini(&kinds);
    if (err || fed_digest_eq(&digest, &gateway->kinds))
        return; /* without memory agents hear of it when they ask next */
    gateway->kinds = digest;
    gateway->kinds_moved++;
    for (struct gateway_session *session = gateway->all; session; session = session->older) {
        session->kinds_due = session->observing;
        gateway_notify_want(session);
    }
}
