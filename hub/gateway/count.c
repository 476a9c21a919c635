/* count.c - the bytes of agents' sessions, passed on as they grow. */
#include "hub/gateway/internal.h"

void gateway_count(struct gateway_session *session)
{
    const struct fed_link_calls *link = session->binding->link;
    struct hub_gateway *gateway = session->binding->gateway;
    struct fed_link_stats now;
    struct fed_link_stats more;

    if (!gateway->traffic || !link->stats || !session->counts)
        return;
    link->stats(session->link, &now);
    more = (struct fed_link_stats){.sent_bytes = now.sent_bytes - session->counted.sent_bytes,
        .received_bytes = now.received_bytes - session->counted.received_bytes,
        .sent_datagrams = now.sent_datagrams - session->counted.sent_datagrams,
        .received_datagrams = now.received_datagrams - session->counted.received_datagrams};
    session->counted = now;
    hub_traffic_count(gateway->traffic, fed_span_text(session->name), link->name, &more);
}

void gateway_collect(void *ctx, struct fed_span cluster)
{
    struct hub_gateway *gateway = ctx;
    struct gateway_session *session;

    if (cluster.len > 0) {
        session = fed_map_get(&gateway->sessions, cluster);
        if (session)
            gateway_count(session);
        return;
    }
    for (session = gateway->all; session; session = session->older)
        gateway_count(session);
}
