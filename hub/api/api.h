/* api.h - the hub's Kubernetes API: one HTTP handler over the table of kinds and the store of
 * objects.
 *
 * Source: Kubernetes API concepts (resource versions, watch, server-side apply, field validation)
 * and API conventions (Status, metadata). */
#ifndef FEDLET_HUB_API_API_H
#define FEDLET_HUB_API_API_H

#include "hub/api/kinds.h"
#include "hub/store/objects.h"
#include "ports/crypto.h"
#include "ports/http.h"
#include "ports/log.h"
#include "ports/loop.h"

struct hub_api;
struct hub_audit;
struct hub_tokens;

struct hub_api_options {
    struct fed_alloc *mem;
    struct fed_loop *loop;
    struct fed_log *log; /* may be NULL */
    struct hub_objects *objects;
    struct hub_kinds *kinds;
    struct fed_crypto *crypto; /* randomness for uids and generated names */
    struct hub_tokens *tokens; /* NULL: bearer tokens are neither made nor believed */
    struct hub_audit *audit;   /* may be NULL */
    /* Adds to GET /metrics, in Prometheus' text form; NULL: nothing. */
    void (*metrics)(void *ctx, struct fed_buf *out);
    void *metrics_ctx;
    struct fed_span ca_pem; /* for Secrets that hold a token and kube-root-ca.crt; may be empty */
};

/* All of options outlives the API. FED_ERR_NOMEM, FED_ERR_IO with diag. */
FED_MUST_USE enum fed_err hub_api_open(
    const struct hub_api_options *options, struct hub_api **out, struct fed_diag *diag);
/* The lines before a family's series (Prometheus' text format 0.0.4). */
void hub_metrics_put_head(
    struct fed_buf *out, const char *name, const char *type, const char *help);
/* Ends open watches, in order. */
void hub_api_close(struct hub_api *api);
/* Ends open watches, so that a server that shuts down need not wait for them. Later ones are
 * refused with 503. */
void hub_api_stop(struct hub_api *api);

/* fed_http_handler and fed_http_closed; ctx is the API. */
void hub_api_handle(
    void *ctx, struct fed_http_exchange *exchange, const struct fed_http_request *request);
/* metav1.Status of what the HTTP port refuses by itself: a fed_http_refusal. */
const char *hub_api_refusal(void *ctx, unsigned status, const char *why, struct fed_buf *body);
void hub_api_closed(void *ctx, struct fed_http_exchange *exchange);

/* Puts the built-in kinds into the table. FED_ERR_INVALID with diag. */
FED_MUST_USE enum fed_err hub_api_builtin_kinds(
    struct fed_alloc *mem, struct hub_kinds *kinds, struct fed_diag *diag);
/* First start: the namespaces and FederatedTypeConfigs that the hub begins with, when their store
 * is new. Every start: the roles of hub/access/bootstrap.h. */
FED_MUST_USE enum fed_err hub_api_seed(struct hub_api *api, struct fed_diag *diag);

#endif
