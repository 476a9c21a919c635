/* addresses.h - where the hub listens, as others reach it: URLs for people and for join tokens. */
#ifndef FEDLET_HUB_ADDRESSES_H
#define FEDLET_HUB_ADDRESSES_H

#include "hub/identity/identity.h"
#include "hub/options.h"

#define HUB_ADDRESS_URL_SIZE 320u

struct hub_address {
    char host[256]; /* without brackets */
    bool any;       /* 0.0.0.0 or [::] */
};

/* The host of "ADDRESS:PORT". FED_ERR_INVALID, FED_ERR_LIMIT with diag, which may be NULL. */
FED_MUST_USE enum fed_err hub_address_split(
    const char *listen, struct hub_address *out, struct fed_diag *diag);
/* How people on this machine reach what listens there. */
void hub_address_local(
    char out[HUB_ADDRESS_URL_SIZE], const char *scheme, const char *listen, uint16_t port);

/* The ports that the hub got. */
struct hub_addresses {
    uint16_t coap_port;
    uint16_t https_port;
};
/* Attaches the identity with the addresses of join tokens: the advertised names, else the address
 * that is listened on, else the host's name, each by CoAP and then by HTTPS, as agents try them in
 * this order. A token has room for eight; half of it is for each binding, and names beyond are
 * logged. */
FED_MUST_USE enum fed_err hub_addresses_attach(const struct hub_addresses *ports,
    const struct hub_options *options, struct fed_log *log, struct hub_identity *identity,
    struct hub_objects *objects, struct fed_diag *diag);

#endif
