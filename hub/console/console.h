/* console.h - the web console: its files, who signs in to it, and what it asks the hub that is no
 * Kubernetes object.
 *
 * A guest of the API (hub/api/guest.h) below /console/. The page itself may be had by anybody; data
 * by who may. docs/console.md says which rights each path takes. Everything here is memory, bounded
 * (internal.h), and gone with the process: sessions and links too. */
#ifndef FEDLET_HUB_CONSOLE_CONSOLE_H
#define FEDLET_HUB_CONSOLE_CONSOLE_H

#include "hub/access/token.h"
#include "hub/api/api.h"
#include "hub/plan/plan.h"
#include "hub/status/status.h"
#include "hub/traffic/traffic.h"
#include "ports/fs.h"

struct hub_console;

/* What `about` says of the hub. */
struct hub_console_facts {
    int64_t ca_until_unix_s;
    int64_t server_until_unix_s;
    uint64_t store_bytes;
    size_t agents; /* sessions */
};

struct hub_console_options { /* all outlive it */
    struct fed_alloc *mem;
    struct fed_loop *loop;
    struct fed_log *log; /* may be NULL */
    struct fed_crypto *crypto;
    struct hub_objects *objects;
    struct hub_api *api;
    struct hub_plan *plan;
    struct hub_status *status;
    struct hub_traffic *traffic; /* NULL: no bandwidth */
    struct hub_tokens *tokens;   /* NULL: nobody signs in with a token */
    struct fed_fs *fs;           /* the audit log's files */
    const char *audit_dir;
    unsigned audit_files;
    int64_t session_s; /* how long a session lasts, and how long without a request */
    int64_t idle_s;
    void (*facts)(void *ctx, struct hub_console_facts *out);  /* NULL: none are told */
    enum fed_err (*settings)(void *ctx, struct fed_buf *out); /* as a JSON object; NULL: none */
    void *facts_ctx;
};
/* Becomes the API's guest. FED_ERR_NOMEM, and what reading the clusters says, with diag. */
FED_MUST_USE enum fed_err hub_console_open(
    const struct hub_console_options *options, struct hub_console **out, struct fed_diag *diag);
/* Ends streams in order. */
void hub_console_stop(struct hub_console *console);
void hub_console_close(struct hub_console *console); /* NULL is fine */

/* Adds to GET /metrics. */
void hub_console_metrics(const struct hub_console *console, struct fed_buf *out);

/* Told by the plan: a cluster's manifest changed. */
void hub_console_planned(struct hub_console *console, struct fed_span cluster);

#endif
