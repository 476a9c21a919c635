/* client_upload.c - requests that do not fit one datagram: blocks one after the other, each when
 * the hub has said 2.31 to the one before (RFC 7959 section 2.5). */
#include "ports/coap/client.h"

#include <string.h>

static size_t block_size(const struct fed_coap_client_upload *u)
{
    return (size_t)16 << u->szx;
}

uint32_t fed_coap_upload_option(const struct fed_coap_client_upload *u)
{
    bool more = u->len - u->at > block_size(u);

    return (uint32_t)(u->at / block_size(u)) << 4 | (uint32_t)more << 3 | u->szx;
}

struct fed_span fed_coap_upload_block(const struct fed_coap_client_upload *u)
{
    return fed_span_sub(fed_span_of(u->bytes, u->len), u->at, block_size(u));
}

enum fed_err fed_coap_upload_begin(
    struct fed_coap_client *client, struct fed_coap_request *r, struct fed_span payload)
{
    struct fed_coap_client_upload *u = fed_alloc_get(client->mem, sizeof(*u) + payload.len);

    if (!u)
        return FED_ERR_NOMEM;
    u->at = 0;
    u->szx = client->small_requests ? FED_COAP_SZX_SMALL : FED_COAP_SZX_LARGE;
    u->len = payload.len;
    memcpy(u->bytes, payload.at, payload.len);
    r->upload = u;
    return FED_OK;
}

void fed_coap_upload_continue(struct fed_coap_client *client, struct fed_coap_request *r)
{
    struct fed_coap_client_upload *u = r->upload;

    if (u->len - u->at <= block_size(u)) {
        fed_coap_request_finish(
            client, r, FED_ERR_INVALID, NULL, "the hub wants more than there is");
        return;
    }
    u->at += block_size(u);
    if (fed_coap_request_send(client, r, fed_coap_upload_block(u)))
        fed_coap_request_finish(client, r, FED_ERR_NETWORK, NULL, "a block cannot be sent");
}
