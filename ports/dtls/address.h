/* address.h - a UDP peer's address as a key: compared, hashed, printed. */
#ifndef FEDLET_PORTS_DTLS_ADDRESS_H
#define FEDLET_PORTS_DTLS_ADDRESS_H

#include "proto/base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define DTLS_ADDRESS_TEXT_SIZE 72u /* "[ffff:...%4294967295]:65535" */

/* No padding, so that its bytes are its identity. IPv4 uses the first four bytes of ip. */
struct dtls_address {
    uint8_t ip[16];
    uint32_t scope; /* of link-local IPv6 */
    uint16_t port;  /* host order */
    uint16_t family;
};

/* "127.0.0.1:5684", "[::]:0", ":5684" (all addresses, IPv6 and IPv4). Literals only.
 * FED_ERR_INVALID. */
FED_MUST_USE enum fed_err dtls_address_parse(
    const char *text, struct dtls_address *out, struct fed_diag *diag);
FED_MUST_USE enum fed_err dtls_address_from_system(
    const struct sockaddr_storage *from, struct dtls_address *out);
socklen_t dtls_address_to_system(const struct dtls_address *address, struct sockaddr_storage *out);
bool dtls_address_eq(const struct dtls_address *a, const struct dtls_address *b);
uint64_t dtls_address_hash(const struct dtls_address *address, uint64_t seed);
void dtls_address_text(const struct dtls_address *address, char out[DTLS_ADDRESS_TEXT_SIZE]);

#endif
