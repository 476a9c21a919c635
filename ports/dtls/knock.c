/* knock.c - a word to an agent whose session is not known here, because this server is younger than
 * it: an alert in the clear. It proves nothing and ends nothing: who gets it looks whether its
 * session lives (docs/protocol.md section 10.2). Only addresses that authenticated sessions came
 * from are told; a datagram never causes one, so that nobody can use us against others. A warning,
 * because somebody else may have the address by now, and a handshake under way from there: that one
 * goes on. */
#include "ports/dtls/internal.h"

static const uint8_t alert[] = {21, 0xfe, 0xfd, /* alert, DTLS 1.2 */
    0, 0,                                       /* epoch 0: in the clear */
    0, 0, 0, 0, 0, 0,                           /* record number */
    0, 2, 1, 90};                               /* warning, user_canceled */

void fed_dtls_server_knock(struct fed_dtls_server *server, const char *address)
{
    struct dtls_address to;
    struct sockaddr_storage system;
    socklen_t len;

    if (dtls_address_parse(address, &to, NULL) || to.port == 0)
        return;
    len = dtls_address_to_system(&to, &system);
    (void)sendto(server->fd, alert, sizeof alert, MSG_NOSIGNAL | MSG_DONTWAIT,
        (struct sockaddr *)&system, len);
}
