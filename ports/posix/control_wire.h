/* control_wire.h - the control socket's wire, known to its two ends in this folder only.
 *
 * A stream socket in the file system, mode 0600. The client sends one line, "REQUEST\n". The server
 * answers "ok LENGTH\n" or "error LENGTH\n", LENGTH in decimal, then so many bytes (the document,
 * or the error's text), and closes. An answer that is shorter than its LENGTH was cut off. */
#ifndef FEDLET_PORTS_POSIX_CONTROL_WIRE_H
#define FEDLET_PORTS_POSIX_CONTROL_WIRE_H

#include "proto/base/err.h"

#include <sys/socket.h>
#include <sys/un.h>

#define FED_CONTROL_HEAD_MAX 32u /* of the answer's first line, its line feed included */

/* FED_ERR_LIMIT when the path is longer than such an address can be (107 bytes). */
FED_MUST_USE enum fed_err fed_control_address(
    const char *path, struct sockaddr_un *out, struct fed_diag *diag);

#endif
