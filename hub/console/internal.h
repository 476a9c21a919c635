/* internal.h - what the files of the console share. Not for others.
 *
 *   console.c    life, paths
 *   files.c      the page
 *   asked.c      what is read of a request
 *   keep.c       secrets given out; tries.c: guesses
 *   sign_in.c    sessions, links
 *   fleet.c      clusters at a glance, and since which version; fleet_put.c: as JSON */
#ifndef FEDLET_HUB_CONSOLE_INTERNAL_H
#define FEDLET_HUB_CONSOLE_INTERNAL_H

#include "hub/api/guest.h"
#include "hub/console/asked.h"
#include "hub/console/console.h"
#include "hub/console/fleet.h"
#include "hub/console/keep.h"
#include "hub/console/tries.h"

#define CONSOLE_SESSIONS_MAX 512u /* some 7 KiB each, and its token */
#define CONSOLE_USER_SESSIONS_MAX 16u
#define CONSOLE_LINKS_MAX 128u
#define CONSOLE_USER_LINKS_MAX 8u
#define CONSOLE_LINK_TTL_S 300
#define CONSOLE_LINK_TTL_MIN_S 10
#define CONSOLE_LINK_TTL_MAX_S 900
#define CONSOLE_SWEEP_MS 10000u

struct hub_console {
    struct hub_console_options options;
    struct fed_alloc *mem;
    struct hub_api_guest guest;
    struct console_keep sessions;
    struct console_keep links;
    struct console_tries tries;
    struct fed_timer *sweep;
    struct console_fleet *fleet;
    uint64_t started_ms;
    int64_t started_unix_s;
};

/* ---- files.c ---- */
/* path: behind "/console/". */
enum fed_err console_serve_file(struct hub_request *r, struct fed_span path);
enum fed_err console_redirect(struct hub_request *r); /* to /console/ */

/* ---- sign_in.c ---- */
enum fed_err console_session(void *console, struct hub_request *r); /* of hub_api_guest */
enum fed_err console_handle_session(struct hub_console *console, struct hub_request *r);
enum fed_err console_handle_links(struct hub_console *console, struct hub_request *r);

/* ---- console.c ---- */
/* JSON that nobody may keep. At most 3 headers more. */
enum fed_err console_respond(
    struct hub_request *r, struct fed_buf *body, const struct fed_http_header *more, size_t n_more);
/* body NULL: none. */
enum fed_err console_respond_etag(
    struct hub_request *r, unsigned status, struct fed_http_shared *body, const char *etag);
extern const struct hub_access console_fleet_access;
/* The right that who looks at the fleet needs: to list KubeFedClusters. */
enum fed_err console_require_fleet(struct hub_request *r);
/* 405 when it is no GET or HEAD. */
enum fed_err console_require_read(struct hub_request *r);

/* ---- fleet_put.c ---- */
enum fed_err console_handle_fleet(struct hub_console *console, struct hub_request *r);

#endif
