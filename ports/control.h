/* control.h - a local socket in the state directory (mode 0600) by which the command line asks the
 * running service. One line in ("status"), one JSON document out. Implementation: ports/posix. */
#ifndef FEDLET_PORTS_CONTROL_H
#define FEDLET_PORTS_CONTROL_H

#include "ports/log.h"
#include "ports/loop.h"
#include "proto/base/buf.h"

#define FED_CONTROL_REQUEST_MAX 4096u
#define FED_CONTROL_ANSWER_MAX (1u << 20)

struct fed_control_server;
/* Writes the answer to out; FED_OK or an error whose text is sent instead. */
typedef enum fed_err fed_control_handler(
    void *ctx, struct fed_span request, struct fed_buf *out, struct fed_diag *diag);
FED_MUST_USE enum fed_err fed_control_server_open(struct fed_alloc *mem, struct fed_loop *loop,
    struct fed_log *log, const char *path, fed_control_handler *handler, void *ctx,
    struct fed_control_server **out, struct fed_diag *diag);
/* The same for what scrapes metrics: one GET of HTTP/1.x per connection, the request is its path,
 * the answer plain text. FED_ERR_NOT_FOUND of the handler is a 404.
 *   listen_at  "unix:PATH" (a socket of mode 0666), or "127.0.0.1:PORT" or "[::1]:PORT": whoever
 * may look must be on this machine */
FED_MUST_USE enum fed_err fed_control_http_open(struct fed_alloc *mem, struct fed_loop *loop,
    struct fed_log *log, const char *listen_at, fed_control_handler *handler, void *ctx,
    struct fed_control_server **out, struct fed_diag *diag);
/* That it could be listened there. FED_ERR_INVALID with a sentence. */
FED_MUST_USE enum fed_err fed_control_http_check(const char *listen_at, struct fed_diag *diag);
void fed_control_server_close(struct fed_control_server *server);
/* Blocking, for the command line. FED_ERR_NOT_FOUND when no service listens, FED_ERR_TIMEOUT. An
 * error that the service answered comes back as FED_ERR_INVALID with its text. */
FED_MUST_USE enum fed_err fed_control_ask(struct fed_alloc *mem, const char *path,
    struct fed_span request, unsigned timeout_ms, struct fed_buf *out, struct fed_diag *diag);

/* Tells the service manager (sd_notify protocol): "READY=1", "STOPPING=1", "WATCHDOG=1". No effect
 * without NOTIFY_SOCKET. */
void fed_notify_service_manager(const char *state);

#endif
