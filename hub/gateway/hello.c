/* hello.c - what both sides say of themselves before anything else. */
#include "hub/gateway/internal.h"

#include "proto/link/link.h"

/* What the agent has of the kinds is the same or not: then it does not ask. */
static enum fed_err kinds_digest(struct hub_gateway *gateway, struct fed_link_hello_items *items)
{
    struct fed_buf kinds;
    enum fed_err err;

    fed_buf_init(&kinds, gateway->mem, FED_LINK_KINDS_BYTES_MAX);
    gateway_kinds_put(gateway, &kinds);
    err = fed_buf_err(&kinds);
    if (!err)
        err = fed_link_kinds_digest(fed_buf_span(&kinds), items->kinds);
    fed_buf_fini(&kinds);
    items->has_kinds = !err;
    return err;
}

enum fed_err gateway_hello_take(struct gateway_session *session, struct fed_span query)
{
    struct fed_link_hello_query said;
    enum fed_err err = fed_link_hello_query_parse(query, &said);

    if (!err)
        hub_plan_agent_knows(
            session->binding->gateway->plan, fed_span_text(session->name), said.knows);
    return err;
}

enum fed_err gateway_hello_put(
    struct gateway_session *session, const struct fed_link_hello_items *items, struct fed_buf *out)
{
    struct hub_gateway *gateway = session->binding->gateway;
    struct fed_span cluster = fed_span_text(session->name);
    struct fed_link_hello hello = {.heartbeat_s = gateway->heartbeat_s,
        .epoch = hub_plan_epoch(gateway->plan),
        .report_seq = hub_status_report_seq(gateway->status, cluster),
        .unix_s = fed_loop_unix_s(gateway->loop)};
    struct fed_link_hello_items all = *items;
    enum fed_err err = kinds_digest(gateway, &all);

    if (err)
        return err;
    all.has_knows = true;
    all.knows = FED_LINK_KNOWS_ALL;
    session->kinds_told = gateway->kinds_moved;
    fed_link_hello_put(out, &hello);
    fed_link_hello_items_put(out, &all);
    return fed_buf_err(out);
}
