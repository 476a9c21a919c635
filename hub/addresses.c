/* addresses.c - see addresses.h. */
#include "hub/addresses.h"

#include "proto/link/link.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum fed_err hub_address_split(const char *listen, struct hub_address *out, struct fed_diag *diag)
{
    struct fed_span text = fed_span_text(listen);
    size_t colon = text.len;
    struct fed_span host;
    uint64_t port;

    while (colon > 0 && text.at[colon - 1] != ':')
        colon--;
    if (colon == 0 || fed_span_to_u64(fed_span_sub(text, colon, text.len), &port) || port > 65535)
        return fed_diag_set(
            diag, FED_ERR_INVALID, "%s: not ADDRESS:PORT with a port from 0 to 65535", listen);
    host = fed_span_sub(text, 0, colon - 1);
    if (fed_span_starts(host, "[") && fed_span_ends(host, "]"))
        host = fed_span_sub(host, 1, host.len - 2);
    out->any = host.len == 0 || fed_span_is(host, "0.0.0.0") || fed_span_is(host, "::");
    return fed_span_to_cstr(host, out->host, sizeof out->host)
               ? fed_diag_set(diag, FED_ERR_INVALID, "%s: the address is too long", listen)
               : FED_OK;
}

static void put_url(struct fed_buf *out, const char *scheme, const char *host, uint16_t port)
{
    bool six = strchr(host, ':') != NULL;

    fed_buf_printf(
        out, "%s://%s%s%s:%u", scheme, six ? "[" : "", host, six ? "]" : "", (unsigned)port);
}

/* How people on this machine reach what listens there. */
void hub_address_local(
    char out[HUB_ADDRESS_URL_SIZE], const char *scheme, const char *listen, uint16_t port)
{
    struct hub_address at = {.any = true};
    struct fed_buf url;

    fed_buf_init(&url, fed_alloc_system(), HUB_ADDRESS_URL_SIZE - 1);
    if (hub_address_split(listen, &at, NULL))
        at.any = true;
    put_url(&url, scheme, at.any ? "127.0.0.1" : at.host, port);
    snprintf(out, HUB_ADDRESS_URL_SIZE, "%s", fed_buf_cstr(&url));
    fed_buf_fini(&url);
}

/* ---- of a join token ---- */
struct list {
    const struct hub_options *options;
    struct fed_buf urls[FED_TOKEN_ADDRESSES_MAX];
    const char *texts[FED_TOKEN_ADDRESSES_MAX];
    size_t n;
};
#define OF_A_BINDING (FED_TOKEN_ADDRESSES_MAX / 2)

static void add(struct list *list, const char *scheme, const char *host, uint16_t port)
{
    struct fed_buf *url = &list->urls[list->n];

    fed_buf_init(url, fed_alloc_system(), HUB_ADDRESS_URL_SIZE);
    put_url(url, scheme, host, port);
    list->texts[list->n++] = fed_buf_cstr(url);
}

static enum fed_err add_all(
    struct list *list, const char *scheme, const char *listen, uint16_t port, struct fed_diag *diag)
{
    const struct hub_options *options = list->options;
    struct hub_address at;
    char own_name[256] = "";
    enum fed_err err = hub_address_split(listen, &at, diag);

    if (err)
        return err;
    for (size_t i = 0; i < options->n_advertise && i < OF_A_BINDING; i++)
        add(list, scheme, options->advertise[i], port);
    if (options->n_advertise > 0)
        return FED_OK;
    if (!at.any)
        add(list, scheme, at.host, port);
    else if (gethostname(own_name, sizeof own_name - 1) == 0)
        add(list, scheme, own_name, port);
    return FED_OK;
}

enum fed_err hub_addresses_attach(const struct hub_addresses *ports,
    const struct hub_options *options, struct fed_log *log, struct hub_identity *identity,
    struct hub_objects *objects, struct fed_diag *diag)
{
    struct list list = {.options = options};
    enum fed_err err = add_all(&list, "coaps", options->coap_listen, ports->coap_port, diag);

    if (!err)
        err = add_all(&list, "https", options->agent_listen, ports->https_port, diag);
    if (!err && options->n_advertise > OF_A_BINDING)
        fed_log(log, FED_LOG_WARN,
            "hub: join tokens name the first %u of the %zu advertised names: there is no room for "
            "more",
            OF_A_BINDING, options->n_advertise);
    if (!err)
        err = hub_identity_attach(identity, objects, list.texts, list.n, diag);
    for (size_t i = 0; i < list.n; i++)
        fed_buf_fini(&list.urls[i]);
    return err;
}
