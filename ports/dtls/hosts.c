/* hosts.c - handshakes under way, of all and of each host. Whoever answers cookies has an address
 * of his own, but could take the room of all others by many handshakes that he does not finish:
 * each is waited for DTLS_HANDSHAKE_MS. A host is an address without its port, or the 64 bits in
 * front of an IPv6 address (RFC 4291 section 2.5.4), of which its owner has all. Few hosts are
 * under way at once, and the hash is nothing that they know: that two share a counter is rare, and
 * does no more than to let them share their part. */
#include "ports/dtls/internal.h"

#include <string.h>

#define PREFIX_SIZE 8u

static uint16_t *count_of(struct fed_dtls_server *server, const struct dtls_address *address)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}; /* IPv4 at a socket of IPv6 */
    struct dtls_address host = *address;

    host.port = 0;
    if (host.family == AF_INET6 && memcmp(host.ip, mapped, sizeof(mapped)) != 0)
        memset(host.ip + PREFIX_SIZE, 0, sizeof(host.ip) - PREFIX_SIZE);
    return &server->hosts[dtls_address_hash(&host, server->table.seed) % DTLS_HOSTS];
}

bool dtls_hosts_have_room(struct fed_dtls_server *server, const struct dtls_address *from)
{
    unsigned most = server->handshakes_max / DTLS_HOST_PART;

    if (most == 0)
        most = 1;
    if (most > UINT16_MAX)
        most = UINT16_MAX;
    return server->handshakes + server->n_waiting < server->handshakes_max &&
           *count_of(server, from) < most;
}

void dtls_hosts_enter(struct fed_dtls_server *server, const struct dtls_address *from)
{
    ++*count_of(server, from);
}

void dtls_hosts_leave(struct fed_dtls_server *server, const struct dtls_address *from)
{
    --*count_of(server, from);
}
