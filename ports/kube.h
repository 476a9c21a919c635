/* kube.h - a Kubernetes API server as client sees it: kubeconfig, requests, watches.
 * Implementation: ports/kube on ports/http (one HTTP/2 connection). Source: Kubernetes API
 * concepts; kubeconfig v1. */
#ifndef FEDLET_PORTS_KUBE_H
#define FEDLET_PORTS_KUBE_H

#include "ports/log.h"
#include "ports/loop.h"
#include "proto/base/buf.h"

/* What a kubeconfig (or the in-cluster files) says, resolved to one cluster and one user. */
struct fed_kube_config {
    char server_host[254];
    uint16_t server_port;
    char base_path[256]; /* "" or "/prefix" */
    char tls_server_name[254];
    bool insecure_skip_tls_verify;
    char ns[254]; /* of the context, "default" when it has none */
    struct fed_buf ca_pem;
    struct fed_buf cert_pem;
    struct fed_buf key_pem;
    struct fed_buf token;  /* bearer token */
    char token_file[1024]; /* read again for each connection, when set */
    struct fed_buf files;  /* names of what was read, each ended by a NUL: when one of them is
                            * replaced, this is to be loaded again */
};
/* path NULL: $KUBECONFIG (files separated by colons: the first that has the context), else
 * ~/.kube/config, else the in-cluster ServiceAccount ($FEDLET_SERVICE_ACCOUNT_DIR, else
 * /var/run/secrets/kubernetes.io/serviceaccount). context NULL: the current one. Exec and
 * auth-provider plugins are refused with a sentence that says what to use instead. Paths in the
 * file are relative to it. */
FED_MUST_USE enum fed_err fed_kube_config_load(struct fed_alloc *mem, const char *path,
    const char *context, struct fed_kube_config *out, struct fed_diag *diag);
/* The same for the machine's own cluster: where nothing is named and this is no pod, the file of
 * fed_kube_config_find. */
FED_MUST_USE enum fed_err fed_kube_config_load_own(
    struct fed_alloc *mem, const char *path, struct fed_kube_config *out, struct fed_diag *diag);
void fed_kube_config_fini(struct fed_kube_config *config);
#define FED_KUBE_PATH_MAX 1024u
/* Where k3s, kubeadm and MicroK8s write the administrator's kubeconfig: the first that is there,
 * below root ("" for this machine's own; when root is NULL that is $FEDLET_HOST_ROOT, for who sees
 * the machine in another folder). FED_ERR_NOT_FOUND. */
FED_MUST_USE enum fed_err fed_kube_config_find(
    struct fed_alloc *mem, const char *root, char out[FED_KUBE_PATH_MAX]);

struct fed_kube_request {
    const char *method;       /* "GET", "PATCH" ... */
    const char *path;         /* "/api/v1/namespaces/x?fieldManager=fedlet", percent-encoded */
    const char *content_type; /* NULL without body */
    const char *accept;       /* NULL: application/json */
    const char *impersonate;  /* in whose name (Impersonate-User), NULL: our own */
    struct fed_span body;
    unsigned timeout_ms; /* 0: 30 s */
};
/* status is the HTTP status (0 when err is not FED_OK); body the whole answer. retry_after_s from
 * Retry-After, else 0. err is about transport only: a 404 is FED_OK with status 404. */
struct fed_kube_answer {
    unsigned status;
    struct fed_span body;
    unsigned retry_after_s;
};
typedef void fed_kube_done(
    void *ctx, enum fed_err err, const struct fed_kube_answer *answer, const struct fed_diag *diag);

struct fed_kube_watch_events {
    void *ctx;
    void (*open)(void *ctx);                       /* 200 came */
    void (*line)(void *ctx, struct fed_span line); /* one watch event, JSON */
    /* The watch is over (its pointer is dead). refusal: the answer when the server refused it, else
     * NULL. err FED_OK without one: the server ended it in order. */
    void (*ended)(void *ctx, enum fed_err err, const struct fed_kube_answer *refusal,
        const struct fed_diag *diag);
};

struct fed_kube_call;
struct fed_kube_watch;

struct fed_kube {
    void *ctx;
    /* Never calls back before it returned. out may be NULL. FED_ERR_LIMIT for a path that is
     * too long, or none (fed_buf_cstr without memory). */
    enum fed_err (*request)(void *ctx, const struct fed_kube_request *request, fed_kube_done *done,
        void *done_ctx, struct fed_kube_call **out);
    void (*cancel)(void *ctx, struct fed_kube_call *call); /* no done afterwards */
    /* path with watch=true and all parameters. A line longer than FED_KUBE_LINE_MAX ends it with
     * FED_ERR_LIMIT. */
    enum fed_err (*watch)(void *ctx, const char *path, const char *accept,
        const struct fed_kube_watch_events *events, struct fed_kube_watch **out);
    void (*watch_cancel)(void *ctx, struct fed_kube_watch *watch); /* no ended afterwards */
};
#define FED_KUBE_LINE_MAX (4u << 20)

struct fed_kube_client;
FED_MUST_USE enum fed_err fed_kube_client_open(struct fed_alloc *mem, struct fed_loop *loop,
    struct fed_log *log, const struct fed_kube_config *config, struct fed_kube_client **out,
    struct fed_diag *diag);
void fed_kube_client_close(struct fed_kube_client *client);
struct fed_kube *fed_kube_client_port(struct fed_kube_client *client);

/* The message of an answer for people: Status.message when the body is one, else its beginning. */
void fed_kube_answer_text(const struct fed_kube_answer *answer, struct fed_diag *diag);

#endif
