/* hosts.c - handshakes under way, and those that wait for a place, of all and of each host. Whoever
 * answers cookies has an address of his own, but could take the room of all others by many
 * handshakes that he does not finish: each is waited for DTLS_HANDSHAKE_MS. A host is an address
 * without its port, or the 64 bits in front of an IPv6 address (RFC 4291 section 2.5.4), of which
 * its owner has all. Few hosts are under way at once, and the hash is nothing that they know: that
 * two share a counter is rare, and does no more than to let them share their part. */
#include "ports/dtls/internal.h"

#include <string.h>

#define PREFIX_SIZE 8u

static uint16_t *count_of(
    struct fed_dtls_server *server, uint16_t *counts, const struct dtls_address *address)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}; /* IPv4 at a socket of IPv6 */
    struct dtls_address host = *address;

    host.port = 0;
    if (host.family == AF_INET6 && memcmp(host.ip, mapped, sizeof(mapped)) != 0)
        memset(host.ip + PREFIX_SIZE, 0, sizeof(host.ip) - PREFIX_SIZE);
    return &counts[dtls_address_hash(&host, server->table.seed) % DTLS_HOSTS];
}

static unsigned part_of(unsigned all)
{
    unsigned most = all / DTLS_HOST_PART;

    if (most == 0)
        most = 1;
    return most > UINT16_MAX ? UINT16_MAX : most;
}

/* ---- handshakes ---- */

bool dtls_hosts_have_room(struct fed_dtls_server *server, const struct dtls_address *from)
{
    return server->handshakes + server->n_asked < server->handshakes_max &&
           *count_of(server, server->hosts, from) < part_of(server->handshakes_max);
}

void dtls_hosts_enter(struct fed_dtls_server *server, const struct dtls_address *from)
{
    ++*count_of(server, server->hosts, from);
}

void dtls_hosts_leave(struct fed_dtls_server *server, const struct dtls_address *from)
{
    --*count_of(server, server->hosts, from);
}

/* ---- the queue, which is as long as there are sessions at most ---- */

bool dtls_hosts_may_queue(struct fed_dtls_server *server, const struct dtls_address *from)
{
    return server->queue.length < server->sessions_max &&
           *count_of(server, server->queue.hosts, from) < part_of(server->sessions_max);
}

void dtls_hosts_queue(struct fed_dtls_server *server, const struct dtls_address *from)
{
    server->queue.length++;
    ++*count_of(server, server->queue.hosts, from);
}

void dtls_hosts_unqueue(struct fed_dtls_server *server, const struct dtls_address *from)
{
    server->queue.length--;
    --*count_of(server, server->queue.hosts, from);
}
