/* internal.h - what the files of the console share. Not for others.
 *
 *   console.c    life, paths
 *   files.c      the page
 *   asked.c      what is read of a request
 *   keep.c       secrets given out; tries.c: guesses
 *   sign_in.c    sessions, links
 *   stream.c     what browsers are told as it happens; touched.c: which objects changed
 *   fleet.c      clusters at a glance, and since which version; fleet_put.c: as JSON
 *   column.c     one more figure of each cluster; texts.c: each text once
 *   search.c     the query box; query.c: its words
 *   metrics.c    what is counted of it
 *   bandwidth.c, audit_read.c, about.c   what their paths answer */
#ifndef FEDLET_HUB_CONSOLE_INTERNAL_H
#define FEDLET_HUB_CONSOLE_INTERNAL_H

#include "hub/api/guest.h"
#include "hub/console/asked.h"
#include "hub/console/bandwidth.h"
#include "hub/console/console.h"
#include "hub/console/fleet.h"
#include "hub/console/keep.h"
#include "hub/console/touched.h"
#include "hub/console/tries.h"

#define CONSOLE_SESSIONS_MAX 512u /* some 7 KiB each, and its token */
#define CONSOLE_USER_SESSIONS_MAX 16u
#define CONSOLE_LINKS_MAX 128u
#define CONSOLE_USER_LINKS_MAX 8u
#define CONSOLE_LINK_TTL_S 300
#define CONSOLE_LINK_TTL_MIN_S 10
#define CONSOLE_LINK_TTL_MAX_S 900
#define CONSOLE_STREAMS_MAX 256u
#define CONSOLE_USER_STREAMS_MAX 32u
#define CONSOLE_SWEEP_MS 10000u

enum console_path { /* as in console.c */
    CONSOLE_PAGE,   /* files */
    CONSOLE_SESSION,
    CONSOLE_LINKS,
    CONSOLE_FLEET,
    CONSOLE_STREAM,
    CONSOLE_BANDWIDTH,
    CONSOLE_COLUMN,
    CONSOLE_AUDIT,
    CONSOLE_AUDIT_VERIFY,
    CONSOLE_SEARCH,
    CONSOLE_ABOUT,
    CONSOLE_PATHS
};
enum console_sign_in { CONSOLE_ACCEPTED, CONSOLE_WRONG, CONSOLE_TURNED_AWAY, CONSOLE_SIGN_INS };

struct console_counts {                  /* since the start */
    uint64_t requests[CONSOLE_PATHS][6]; /* by the code's first digit */
    uint64_t sign_ins[CONSOLE_SIGN_INS];
    uint64_t stream_bytes; /* before HTTP and TLS */
    uint64_t stream_events;
    uint64_t resets;
    uint64_t behind; /* times that a stream was told nothing because it had not read the rest */
};

#define CONSOLE_COLUMNS 4u

struct console_column { /* as it was last made; column.c */
    struct fed_http_shared *body;
    uint64_t at_ms;
};

struct hub_console {
    struct hub_console_options options;
    struct fed_alloc *mem;
    struct hub_api_guest guest;
    struct console_keep sessions;
    struct console_keep links;
    struct console_tries tries;
    struct console_counts counts;
    struct fed_timer *sweep;
    struct console_fleet *fleet;
    struct console_stream *streams;
    size_t n_streams;
    struct fed_timer *tick; /* set while there are streams: ticking */
    bool ticking;
    bool stopping;
    uint64_t n_ticks;
    size_t told;           /* most bytes that a stream was sent in this tick */
    uint64_t fleet_due_ms; /* when what is new of the fleet is told again */
    struct console_column columns[CONSOLE_COLUMNS];
    struct console_bandwidth bandwidth;
    struct fed_timer *step;
    struct console_touched touched;
    struct console_touched touched_slow; /* for those that listen every 10 s */
    struct hub_subscription *subscription;
    uint64_t started_ms;
    int64_t started_unix_s;
};

/* ---- files.c ---- */
/* path: behind "/console/". */
enum fed_err console_serve_file(struct hub_request *r, struct fed_span path);
enum fed_err console_redirect(struct hub_request *r); /* to /console/ */

/* ---- sign_in.c ---- */
enum fed_err console_session(void *console, struct hub_request *r); /* of hub_api_guest */
/* Whether a token still counts. FED_ERR_BUSY when that cannot be said now. */
FED_MUST_USE enum fed_err console_check_token(struct hub_console *console, struct fed_span token);
/* *out NULL: nobody's. Errors are those of memory, or of too much to do. */
FED_MUST_USE enum fed_err console_find_session(
    struct hub_console *console, const struct fed_http_request *http, struct console_kept **out);
/* Ends the session when what it rests on does not count any more, or it is over. */
void console_check_session(struct hub_console *console, uint64_t id);
/* Whom the request's credentials stand for; the token is the request's, or the session's. */
FED_MUST_USE enum fed_err console_grant_of_request(
    struct hub_console *console, struct hub_request *r, struct console_grant *out);
enum fed_err console_handle_session(struct hub_console *console, struct hub_request *r);
enum fed_err console_handle_links(struct hub_console *console, struct hub_request *r);

/* ---- console.c ---- */
/* JSON that nobody may keep. At most 3 headers more. */
enum fed_err console_respond(
    struct hub_request *r, struct fed_buf *body, const struct fed_http_header *more, size_t n_more);
/* body NULL: none. */
enum fed_err console_respond_etag(
    struct hub_request *r, unsigned status, struct fed_http_shared *body, const char *etag);
enum console_path console_path_of(const struct hub_request *r);
extern const struct hub_access console_fleet_access;
/* The right that who looks at the fleet needs: to list KubeFedClusters. */
enum fed_err console_require_fleet(struct hub_request *r);
/* 405 when it is no GET or HEAD. */
enum fed_err console_require_read(struct hub_request *r);

/* ---- metrics.c ---- */
void console_answered(void *console, const struct hub_request *r, unsigned code); /* of the guest */

/* ---- stream.c ---- */
enum fed_err console_handle_stream(struct hub_console *console, struct hub_request *r);
void console_streams_tick(void *console);                                     /* timer's call */
void console_streams_changed(void *console, const struct hub_change *change); /* any object */
void console_streams_session_ended(void *console, uint64_t session);
void console_streams_closed(struct hub_console *console, const struct fed_http_exchange *exchange);
void console_streams_stop(struct hub_console *console);

/* ---- one file each ---- */
enum fed_err console_handle_fleet(struct hub_console *console, struct hub_request *r);
enum fed_err console_handle_column(struct hub_console *console, struct hub_request *r);
void console_columns_clear(struct hub_console *console);
enum fed_err console_handle_bandwidth(struct hub_console *console, struct hub_request *r);
enum fed_err console_handle_audit(struct hub_console *console, struct hub_request *r);
enum fed_err console_handle_audit_verify(struct hub_console *console, struct hub_request *r);
enum fed_err console_handle_search(struct hub_console *console, struct hub_request *r);
enum fed_err console_handle_about(struct hub_console *console, struct hub_request *r);

#endif
