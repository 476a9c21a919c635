/* sockets.h - several UDP sockets on one port, and the program in the kernel that chooses among
 * them; several TCP sockets that listen on another one. */
#ifndef FEDLET_PORTS_WORKER_SOCKETS_H
#define FEDLET_PORTS_WORKER_SOCKETS_H

#include "proto/base/err.h"

#include <stdint.h>

/* n sockets at listen ("0.0.0.0:5684"). A datagram whose first byte is 25 (tls12_cid, RFC 9146
 * section 4) goes to the one whose number is its connection ID's first byte modulo n, any other
 * one by the kernel's hash of both addresses: the same peer always meets the same socket, as long
 * as n and the order stay. FED_ERR_INVALID, FED_ERR_EXISTS (the port is taken), FED_ERR_NETWORK. */
FED_MUST_USE enum fed_err worker_sockets_open(
    const char *listen, unsigned n, int *fds, uint16_t *port, struct fed_diag *diag);

/* n TCP sockets that listen there; a connection goes to one of them by the hash of both addresses.
 * Errors as above. */
FED_MUST_USE enum fed_err worker_listeners_open(
    const char *listen, unsigned n, int *fds, uint16_t *port, struct fed_diag *diag);

#endif
