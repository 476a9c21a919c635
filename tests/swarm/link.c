/* link.c - which binding carries an agent's session. */
#include "tests/swarm/swarm.h"

static void close_coap(void *owner)
{
    fed_coap_client_close(owner);
}

static void close_https(void *owner)
{
    fed_https_client_close(owner);
}

static enum fed_err open_https(struct fed_alloc *mem, struct fed_loop *loop,
    const struct fed_link_events *events, struct swarm_link *out, struct fed_diag *diag)
{
    struct fed_https_client_options options = {0};
    struct fed_https_client *client;
    enum fed_err err = fed_https_client_open(mem, loop, NULL, &options, events, &client, diag);

    if (!err)
        *out = (struct swarm_link){
            .port = fed_https_client_port(client), .close = close_https, .owner = client};
    return err;
}

enum fed_err swarm_link_open(struct fed_alloc *mem, struct fed_loop *loop, bool coap,
    const struct fed_link_events *events, struct swarm_link *out, struct fed_diag *diag)
{
    struct fed_coap_client *client;
    enum fed_err err;

    if (!coap)
        return open_https(mem, loop, events, out, diag);
    err = fed_coap_client_open(mem, loop, NULL, events, &client, diag);
    if (!err)
        *out = (struct swarm_link){
            .port = fed_coap_client_port(client), .close = close_coap, .owner = client};
    return err;
}

void swarm_link_close(struct swarm_link *link)
{
    if (link->close)
        link->close(link->owner);
    *link = (struct swarm_link){0};
}
