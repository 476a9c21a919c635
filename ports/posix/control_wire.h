/* control_wire.h - the control socket's wire, known to its two ends in this folder only.
 *
 * A stream socket in the file system, mode 0600. The client sends one line, "REQUEST\n". The server
 * answers "ok LENGTH\n" or "error LENGTH\n", LENGTH in decimal, then so many bytes (the document,
 * or the error's text), and closes. An answer that is shorter than its LENGTH was cut off. */
#ifndef FEDLET_PORTS_POSIX_CONTROL_WIRE_H
#define FEDLET_PORTS_POSIX_CONTROL_WIRE_H

#include "proto/base/err.h"
#include "proto/base/span.h"

#include <stdbool.h>

#include <sys/socket.h>
#include <sys/un.h>

#define FED_CONTROL_HEAD_MAX 32u /* of the answer's first line, its line feed included */

/* FED_ERR_LIMIT when the path is longer than such an address can be (107 bytes). */
FED_MUST_USE enum fed_err fed_control_address(
    const char *path, struct sockaddr_un *out, struct fed_diag *diag);

/* ---- control_http.c ---- */
/* The head of a request has its empty line. */
bool fed_control_http_is_whole(struct fed_span head);
/* The path of a GET, without its query. FED_ERR_INVALID; FED_ERR_UNSUPPORTED: another method. */
FED_MUST_USE enum fed_err fed_control_http_parse(struct fed_span head, struct fed_span *path);
/* "127.0.0.1:PORT", "[::1]:PORT". FED_ERR_INVALID with a sentence. */
FED_MUST_USE enum fed_err fed_control_loopback(
    const char *text, struct sockaddr_storage *out, socklen_t *len, struct fed_diag *diag);

#endif
