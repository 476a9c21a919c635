/* resolve.h - looking up names without holding up the loop.
 *
 * The system's resolver (hosts file, nsswitch, DNS) has no form that does not wait. Implementation:
 * ports/posix, which lets a short-lived child process wait for it. */
#ifndef FEDLET_PORTS_RESOLVE_H
#define FEDLET_PORTS_RESOLVE_H

#include "ports/loop.h"

#include <stddef.h>

#define FED_RESOLVE_MAX 16u /* addresses of one name; more are left out */

struct fed_resolve_address {
    uint8_t bytes[16];
    uint8_t len;    /* 4: IPv4, 16: IPv6 */
    uint32_t scope; /* interface of a link-local IPv6 address, else 0 */
};

struct fed_resolve; /* one look-up under way */

/* err FED_OK: n >= 1 addresses in the order in which they are to be tried. Else diag says why
 * (FED_ERR_NETWORK). The look-up is over and its pointer dead. */
typedef void fed_resolve_done(void *ctx, enum fed_err err,
    const struct fed_resolve_address *addresses, size_t n, const struct fed_diag *diag);

/* Whether host is an address itself ("192.0.2.1", "2001:db8::1", "fe80::1%eth0"), which nobody has
 * to be asked for. */
bool fed_resolve_literal(const char *host, struct fed_resolve_address *out);
/* Asks; done follows, never before it returned. The answer is fresh; when there is none, or none
 * within three seconds, it is the last that this process had for the name, if any.
 * FED_ERR_NOMEM, FED_ERR_NETWORK when no process can be made. */
FED_MUST_USE enum fed_err fed_resolve_start(struct fed_alloc *mem, struct fed_loop *loop,
    const char *host, fed_resolve_done *done, void *done_ctx, struct fed_resolve **out,
    struct fed_diag *diag);
void fed_resolve_cancel(struct fed_resolve *resolve); /* without done; NULL is fine */

#endif
