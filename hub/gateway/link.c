/* link.c - the gateway on the functions of ports/link.h. */
#include "hub/gateway/gateway.h"

const struct hub_gateway_link *hub_gateway_link_coap(void)
{
    static const struct hub_gateway_link link = {.name = "coap",
        .set_user = fed_link_session_set_user,
        .user = fed_link_session_user,
        .close = fed_link_session_close,
        .answer = fed_link_answer,
        .notify = fed_link_notify,
        .stats = fed_link_session_stats};

    return &link;
}

const struct hub_gateway_link *hub_gateway_link_workers(void)
{
    static const struct hub_gateway_link link = {.name = "coap",
        .set_user = fed_worker_session_set_user,
        .user = fed_worker_session_user,
        .close = fed_worker_session_close,
        .answer = fed_worker_answer,
        .notify = fed_worker_notify,
        .stats = fed_worker_session_stats};

    return &link;
}

const struct hub_gateway_link *hub_gateway_link_https(void)
{
    static const struct hub_gateway_link link = {.name = "https",
        .set_user = fed_https_session_set_user,
        .user = fed_https_session_user,
        .close = fed_https_session_close,
        .answer = fed_https_answer,
        .notify = fed_https_notify,
        .stats = fed_https_session_stats};

    return &link;
}

const struct hub_gateway_link *hub_gateway_link_https_workers(void)
{
    static const struct hub_gateway_link link = {.name = "https",
        .set_user = fed_worker_https_set_user,
        .user = fed_worker_https_user,
        .close = fed_worker_https_close,
        .answer = fed_worker_answer,
        .notify = fed_worker_https_notify,
        .stats = fed_worker_https_stats};

    return &link;
}
