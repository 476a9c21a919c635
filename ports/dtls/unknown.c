/* unknown.c - what is said to a peer with a session that is not known here, because this server is
 * younger than it: an alert in the clear. It proves nothing and ends nothing: who gets it looks
 * whether its session lives (docs/protocol.md section 10.2). It is shorter than any record that it
 * answers, so that nobody can be flooded through us, and there are only so many in a second. */
#include "ports/dtls/internal.h"

#define SECOND_MS 1000u
#define PER_SECOND 2000u

static const uint8_t alert[] = {21, 0xfe, 0xfd, /* alert, DTLS 1.2 */
    0, 0,                                       /* epoch 0: in the clear */
    0, 0, 0, 0, 0, 0,                           /* record number */
    0, 2, 2, 10};                               /* fatal, unexpected_message */

static void say(struct fed_dtls_server *server, const struct dtls_address *to)
{
    struct sockaddr_storage system;
    socklen_t len = dtls_address_to_system(to, &system);

    (void)sendto(server->fd, alert, sizeof alert, MSG_NOSIGNAL | MSG_DONTWAIT,
        (struct sockaddr *)&system, len);
}

void dtls_unknown(struct fed_dtls_server *server, size_t incoming_len)
{
    uint64_t second = fed_loop_now_ms(server->loop) / SECOND_MS;

    if (incoming_len <= sizeof alert)
        return;
    if (second != server->unknown_second)
        server->unknown_count = 0;
    server->unknown_second = second;
    if (server->unknown_count++ < PER_SECOND)
        say(server, &server->from);
}

void fed_dtls_server_knock(struct fed_dtls_server *server, const char *address)
{
    struct dtls_address to;

    if (!dtls_address_parse(address, &to, NULL) && to.port != 0)
        say(server, &to);
}
