/* internal.h - what the files of the API share: one request, its parsed parts, and how it is
 * answered.
 *
 * A request lives in its own arena. A handler either answers (respond.h part below) and returns
 * FED_OK, or returns an error after hub_fail; the dispatcher then sends the Status document. */
#ifndef FEDLET_HUB_API_INTERNAL_H
#define FEDLET_HUB_API_INTERNAL_H

#include "hub/access/audit.h"
#include "hub/access/federated.h"
#include "hub/access/rbac.h"
#include "hub/access/token.h"
#include "hub/access/uuid.h"
#include "hub/api/api.h"
#include "hub/api/go_text.h"
#include "hub/api/managed_fields.h"
#include "hub/limits.h"
#include "proto/object/selector.h"

#define HUB_VERSION_MINOR "34"
#define HUB_VERSION_MINOR_BEFORE "33"
#define HUB_GIT_VERSION "v1.34.0+fedhub"

struct hub_api_guest;
struct hub_held;
struct hub_token_secrets;
struct hub_watch;
struct hub_watches;
struct hub_last_list;
struct hub_label_index;
struct hub_metrics;
struct hub_request;

struct hub_api {
    struct hub_api_options options;
    struct fed_alloc *mem;
    struct hub_objects *objects;
    struct hub_kinds *kinds;
    struct hub_watches *watches;
    struct hub_namespaces *namespaces;
    struct hub_owners *owners;
    struct hub_namespace_objects *namespace_objects;
    struct hub_rbac *rbac;
    struct hub_federated_role *federated_role;
    struct hub_token_secrets *token_secrets; /* NULL without tokens */
    struct hub_kind_hooks secret_hooks;      /* what Secrets had before token Secrets came */
    uint8_t audit_prefix[8];                 /* of the ids of this process's requests */
    uint64_t n_requests;
    struct hub_last_list *last_list;
    struct hub_label_index *label_index;
    struct hub_crd_deletes *crd_deletes;
    struct hub_metrics *metrics;
    struct fed_buf openapi_root; /* of openapi_generation; 0: none */
    uint64_t openapi_generation;
    struct hub_held *held;      /* answers that wait for the store's sync, oldest first */
    struct hub_held **held_end; /* where the next one goes */
    size_t held_bytes;
    struct hub_objects_member member;  /* of the turn's commit */
    const struct hub_api_guest *guest; /* may be NULL */
};

/* ---- the path ---- */
enum hub_endpoint {
    HUB_ENDPOINT_UNKNOWN,
    HUB_ENDPOINT_HEALTH, /* /healthz /livez /readyz */
    HUB_ENDPOINT_VERSION,
    HUB_ENDPOINT_METRICS,
    HUB_ENDPOINT_CORE,      /* /api */
    HUB_ENDPOINT_GROUPS,    /* /apis */
    HUB_ENDPOINT_GROUP,     /* /apis/G */
    HUB_ENDPOINT_RESOURCES, /* /apis/G/V, /api/v1 */
    HUB_ENDPOINT_OPENAPI_V2,
    HUB_ENDPOINT_OPENAPI_V3,       /* root */
    HUB_ENDPOINT_OPENAPI_V3_GROUP, /* group and version are set */
    HUB_ENDPOINT_RESOURCE
};
struct hub_path {
    enum hub_endpoint endpoint;
    bool core; /* below /api */
    struct fed_span group;
    struct fed_span version;
    struct fed_span ns;
    struct fed_span resource;
    struct fed_span name;
    struct fed_span subresource;
};

/* ---- the query ---- */
enum hub_field_validation { HUB_VALIDATE_WARN, HUB_VALIDATE_STRICT, HUB_VALIDATE_IGNORE };
#define HUB_DRY_RUNS_MAX 8u
struct hub_query { /* as it stands, the first value of each; options.c checks what a verb uses */
    bool watch;
    bool allow_bookmarks;
    bool send_initial_events;
    bool has_send_initial_events;
    bool dry_run;
    bool verbose; /* of /healthz and its like */
    bool force;
    bool has_force;
    bool has_resource_version;
    uint64_t resource_version; /* of a list or watch, once its options are checked */
    struct fed_span resource_version_text;
    struct fed_span resource_version_match;
    uint64_t limit;     /* as above */
    uint64_t timeout_s; /* as above */
    struct fed_span limit_text;
    struct fed_span timeout_text;
    struct fed_span continue_token;
    struct fed_span label_selector;
    struct fed_span field_selector;
    struct fed_span field_manager;
    struct fed_span include_object; /* of tables: None, Metadata, Object */
    struct fed_span pretty;
    struct fed_span request_timeout; /* "timeout" */
    enum hub_field_validation field_validation;
    struct fed_span field_validation_text;
    struct fed_span dry_runs[HUB_DRY_RUNS_MAX];
    size_t n_dry_runs;
    struct fed_span propagation_policy; /* of a DELETE without a body */
    struct fed_span grace_period_text;
    struct fed_span orphan_dependents;
};

/* ---- Accept ---- */
enum hub_form { HUB_FORM_OBJECT, HUB_FORM_TABLE, HUB_FORM_PARTIAL, HUB_FORM_PARTIAL_LIST };
enum hub_text { HUB_TEXT_JSON, HUB_TEXT_PRETTY, HUB_TEXT_YAML };
enum hub_accepting { /* what the place can answer with */
    HUB_ACCEPT_PLAIN,
    HUB_ACCEPT_RESOURCE, /* also tables and metadata alone */
    HUB_ACCEPT_DISCOVERY /* also the aggregated form */
};
struct hub_accept {
    bool acceptable;
    bool routed; /* some range names a media type that there is */
    enum hub_form form;
    bool beta; /* of meta.k8s.io/v1beta1 */
    enum hub_text text;
    bool discovery_v2;
};

/* ---- field selectors ---- */
#define HUB_FIELD_TERMS_MAX 16u
struct hub_field_selector {
    struct {
        struct fed_span path;      /* constants */
        struct fed_span otherwise; /* looked at when the path leads to nothing; empty: nowhere */
        struct fed_span value;
        bool not_equal;
    } terms[HUB_FIELD_TERMS_MAX];
    size_t n;
};

enum hub_details { /* of a Status */
    HUB_DETAILS_NONE,
    HUB_DETAILS_EMPTY,
    HUB_DETAILS_RESOURCE, /* name, group, and the plural as kind */
    HUB_DETAILS_KIND,     /* name, group, kind */
    HUB_DETAILS_OPTIONS   /* of the query or of DeleteOptions, not of an object */
};
struct hub_failure {
    int code;           /* HTTP; 0: none */
    const char *reason; /* may be "" */
    const char *message;
    unsigned retry_after_s;
    enum hub_details details;
    const char *options;            /* CreateOptions ... */
    const char *kind;               /* that the object says to be; NULL: what it is */
    const char *group;              /* with kind */
    struct hub_access forbidden;    /* of a 403 by authorization: what details name */
    struct hub_causes *causes;      /* may be NULL */
    struct fed_span continue_token; /* in the Status' own metadata */
};

struct hub_request {
    struct hub_api *api;
    struct fed_http_exchange *exchange;
    const struct fed_http_request *http;
    struct fed_arena arena;
    struct fed_alloc *mem; /* the arena's */
    struct fed_json_doc *doc;
    struct hub_user user;
    struct hub_user *impersonator; /* who acts as user; NULL: themselves */
    struct hub_access access;      /* what is asked, as it was authorized */
    struct hub_reason reason;      /* why that is allowed */
    char audit_id[HUB_UUID_SIZE];
    enum fed_err undone; /* what it staged is not there, for this reason: nothing is run any more */
    const struct fed_diag *undone_diag;
    bool authorized;
    bool by_session; /* of a browser that signed in to the console */
    bool audited;
    struct hub_path path;
    struct hub_query query;
    struct hub_accept accept;
    const struct hub_kind *kind;
    const struct hub_kind_version *version; /* asked for */
    uint64_t started_us;                    /* of the loop's clock */
    uint64_t deadline_us;                   /* 0: none */
    struct hub_failure failure;
    struct fed_span warnings[HUB_LIMIT_WARNINGS];
    size_t n_warnings;
    struct fed_buf doubled; /* sentences about members that stand twice, one per line */
    bool answered;
    /* Of a strategic patch: the patch, which its refusals show instead of the object. Of an applied
     * configuration: what it calls itself, "NAMESPACE/NAME; GROUP/VERSION, Kind=KIND". Else NULL.
     */
    const char *patch_shown;
    const char *apply_subject;
};

/* ---- request.c ---- */
FED_MUST_USE enum fed_err hub_request_parse(struct hub_request *r);
bool hub_request_is_read(const struct fed_http_request *http); /* GET, HEAD */
struct fed_span hub_request_header(const struct hub_request *r, const char *name);
/* Media type without parameters, lower case. */
struct fed_span hub_request_content_type(struct hub_request *r);
/* Percent-decoded copy in the request's memory. FED_ERR_INVALID. */
FED_MUST_USE enum fed_err hub_percent_decode(
    struct fed_alloc *mem, struct fed_span in, bool plus, struct fed_span *out);
/* fieldManager, or the first part of User-Agent. */
struct fed_span hub_request_manager(const struct hub_request *r);
struct hub_object_ref hub_request_ref(const struct hub_request *r);
const char *hub_request_cstr(
    struct hub_request *r, struct fed_span text); /* "" when memory is out */
void hub_request_warn(struct hub_request *r, const char *text);
/* A parameter of the query, decoded, the first of that name; empty: there is none. */
struct fed_span hub_request_param(struct hub_request *r, const char *name);

/* ---- deadline.c ---- */
/* Reads timeout=. 400 for what is no duration. */
FED_MUST_USE enum fed_err hub_deadline_take(struct hub_request *r);
bool hub_deadline_is_over(const struct hub_api *api, uint64_t deadline_us);
struct fed_span hub_deadline_answer(void); /* the body of a 504 */

/* ---- negotiate.c ---- */
void hub_accept_parse(struct fed_span header, enum hub_accepting accepting, struct hub_accept *out);

/* ---- failure.c: each returns an error so that `return hub_fail...` reads well ---- */
FED_PRINTF(4, 5)
enum fed_err hub_fail(struct hub_request *r, int code, const char *reason, const char *format, ...);
enum fed_err hub_fail_not_found(struct hub_request *r);
/* Where nothing is: a plain page; a Status below /api and the groups that every API server has. In
 * api.c. */
enum fed_err hub_fail_unknown(struct hub_request *r);
/* 406: neither JSON nor YAML will do. In api.c. */
FED_MUST_USE enum fed_err hub_check_acceptable(struct hub_request *r);
enum fed_err hub_fail_causes(struct hub_request *r, struct hub_causes *causes); /* 422 */
/* The same of an object that says to be of another kind. */
enum fed_err hub_fail_causes_of(
    struct hub_request *r, const char *kind, const char *group, struct hub_causes *causes);
/* 422 with one cause. */
FED_PRINTF(4, 5)
enum fed_err hub_fail_field(
    struct hub_request *r, const char *field, const char *reason, const char *format, ...);
/* What an error of the store or of a hook means to the client. */
enum fed_err hub_fail_err(struct hub_request *r, enum fed_err err, const struct fed_diag *diag);
/* 422 that names the resource instead of the kind. */
enum fed_err hub_fail_resource(struct hub_request *r, struct hub_causes *causes);
/* 422 about a CreateOptions, ListOptions ... */
enum fed_err hub_fail_options(
    struct hub_request *r, const char *options, struct hub_causes *causes);
struct hub_causes *hub_causes_new(struct hub_request *r);
/* FieldValueInvalid: "Invalid value: "VALUE": " and the rest. */
FED_PRINTF(4, 5)
void hub_causes_invalid(
    struct hub_causes *causes, const char *field, struct fed_span value, const char *format, ...);
/* The Status document of r->failure. */
void hub_failure_put(const struct hub_request *r, struct fed_buf *out);
void hub_failure_respond(struct hub_request *r);
/* 503 when not even a Status can be made. */
void hub_respond_no_memory(struct fed_http_exchange *exchange);

/* ---- respond.c ---- */
/* text/json helpers over a buffer; errors stick in it. */
void hub_json_put(struct fed_buf *out, struct fed_span text); /* quoted and escaped */
void hub_json_put_text(struct fed_buf *out, const char *text);
/* A body of application/json is written as YAML, or indented, where the client asked for that. */
enum fed_err hub_respond(struct hub_request *r, unsigned status, const char *content_type,
    struct fed_span body, const struct fed_http_header *more, size_t n_more);
/* 200 and JSON, of bytes that are not copied: shared, or the memory of a buffer (no arena's). */
enum fed_err hub_respond_shared(struct hub_request *r, struct fed_http_shared *body);
enum fed_err hub_respond_take(struct hub_request *r, struct fed_buf *body);
enum fed_err hub_respond_json(struct hub_request *r, unsigned status, const struct fed_json *value);
/* 400: includeObject of a table says something else than it can. */
FED_MUST_USE enum fed_err hub_check_table_options(struct hub_request *r);
const char *hub_go_struct(struct hub_request *r, const char *list); /* list: "" or "List" */
/* One object in the form asked for (object, table, metadata alone). Takes the object in the asked
 * version. */
enum fed_err hub_respond_object(struct hub_request *r, unsigned status, struct fed_json *object);
/* metav1.Status Success with details, as a delete answers. */
enum fed_err hub_respond_deleted(struct hub_request *r, struct fed_span name, struct fed_span uid);

/* ---- authenticate.c ---- */
/* Sets r->user: without an Authorization header from a session's cookie; from the client
 * certificate, else from a bearer token, else anonymous. A token that does not count is refused
 * whatever is asked for. */
FED_MUST_USE enum fed_err hub_authenticate(struct hub_request *r);

/* ---- impersonate.c ---- */
/* Follows the Impersonate-* headers, when the user may. */
FED_MUST_USE enum fed_err hub_impersonate(struct hub_request *r);

/* ---- hold.c ---- */
/* Answers, and records it, once what is staged is durable. shared: the body, when it is not NULL.
 */
void hub_hold(struct hub_request *r, unsigned status, const struct fed_http_header *headers,
    size_t n_headers, struct fed_span body, struct fed_http_shared *shared);
/* Stages, and sees to it that the flush comes at the end of the turn. */
FED_MUST_USE enum fed_err hub_stage(struct hub_api *api, const struct hub_object_write *write,
    const struct hub_admission *admission, uint64_t *revision, struct fed_diag *diag);
/* Answers a request whose answer was held and is not so: a read from what is there, anything else
 * with the error. In api.c. */
void hub_request_again(struct hub_api *api, struct fed_http_exchange *exchange,
    const char *audit_id, enum fed_err undone, const struct fed_diag *diag);
/* settled of the member of the turn's commit; ctx is the API. */
void hub_held_settle(void *ctx, enum fed_err err, const struct fed_diag *diag);
/* The exchange is over, what it wrote is not: that is still recorded. NULL: all are. */
void hub_held_forget(struct hub_api *api, const struct fed_http_exchange *exchange);

/* ---- authorize.c ---- */
/* The one place that decides. reason may be NULL. */
bool hub_api_authorize(const struct hub_api *api, const struct hub_user *user,
    const struct hub_access *access, struct hub_reason *reason);
/* Authenticates, impersonates, authorizes. */
FED_MUST_USE enum fed_err hub_authorize_request(struct hub_request *r);
/* The same object, another verb: what a write turns out to be. */
FED_MUST_USE enum fed_err hub_authorize_verb(struct hub_request *r, const char *verb);
/* 403 in kube-apiserver's words (401 for anonymous ones). reason may be empty. */
enum fed_err hub_fail_forbidden(
    struct hub_request *r, const struct hub_access *access, const char *reason);

/* ---- rbac_admit.c, token_secret.c ---- */
/* Validation of roles and bindings, and that nobody grants what they do not hold. */
FED_MUST_USE enum fed_err hub_rbac_hooks(struct hub_api *api);
/* Secrets of type kubernetes.io/service-account-token get their token once they are stored. */
FED_MUST_USE enum fed_err hub_token_secrets_open(
    struct hub_api *api, struct hub_token_secrets **out);
void hub_token_secrets_close(struct hub_token_secrets *secrets); /* NULL is fine */

/* ---- record.c ---- */
/* Gives the request its id, and writes it down as its answer leaves. */
void hub_request_number(struct hub_request *r);
void hub_request_record(struct hub_request *r, unsigned code);
/* The line of that record, for an answer that waits; errors stick in out. */
void hub_request_put_record(const struct hub_request *r, unsigned code, struct fed_buf *out);

/* ---- metrics.c ---- */
FED_MUST_USE enum fed_err hub_metrics_open(struct hub_api *api, struct hub_metrics **out);
void hub_metrics_close(struct hub_metrics *metrics);
void hub_metrics_count(struct hub_request *r, unsigned code); /* an answer */
bool hub_request_is_guests(const struct hub_request *r);
enum fed_err hub_handle_metrics(struct hub_request *r);

/* ---- token_request.c: POST serviceaccounts/NAME/token ---- */
bool hub_token_request_is(const struct hub_path *path);
enum fed_err hub_handle_token_request(struct hub_request *r);

/* ---- object.c: from stored bytes to what a client sees, and back ---- */
struct hub_view { /* how objects are shown */
    struct hub_api *api;
    const struct hub_kind *kind;
    const struct hub_kind_version *version;
    bool beta; /* tables and metadata alone are of meta.k8s.io/v1beta1 */
};
struct hub_view hub_view_of(const struct hub_request *r); /* as the request asks */
const struct hub_kind_version *hub_kind_storage(const struct hub_kind *kind);
const struct hub_kind_version *hub_kind_version_find(
    const struct hub_kind *kind, struct fed_span name);
/* Parses, composes, converts, sets apiVersion, kind and resourceVersion. revision: of the commit;
 * raised by compose. */
FED_MUST_USE enum fed_err hub_object_view(const struct hub_view *view, struct fed_json_doc *doc,
    const struct hub_object_ref *ref, struct fed_span bytes, uint64_t *revision,
    struct fed_json **out, struct fed_diag *diag);
/* Whether it may have been written under another schema than today's. */
static inline bool hub_object_is_old(const struct hub_kind *kind, uint64_t revision)
{
    return kind->custom && revision <= kind->schema_since;
}
/* Prunes and defaults such an object, in the version in which it is stored. */
FED_MUST_USE enum fed_err hub_object_renew(const struct hub_kind *kind, uint64_t revision,
    struct fed_json_doc *doc, struct fed_json *object);
/* Whether a view of the object is its stored text but for the resourceVersion: nothing is composed,
 * converted or renewed. Then *metadata is the text of its metadata. */
bool hub_object_is_plain(const struct hub_view *view, struct fed_span bytes, uint64_t revision,
    struct fed_span *metadata);
/* What hub_object_view shows of such an object, as text, but for the head, so many bytes of kind
 * and apiVersion; errors stick in out. */
void hub_object_put_plain(struct fed_buf *out, struct fed_span bytes, struct fed_span metadata,
    size_t head, uint64_t revision);
/* Objects of a Go type say what they are only when they stand alone, not in a list. */
bool hub_kind_is_typed(const struct hub_kind *kind);
void hub_object_anonymize(struct fed_json *object); /* takes kind and apiVersion away */
/* The length of kind and apiVersion at the front of a plain object's text; 0: they stand elsewhere.
 */
size_t hub_object_head(const struct hub_view *view, struct fed_span bytes);
/* As stored: parsed, in the storage version, nothing composed. FED_ERR_NOT_FOUND. */
FED_MUST_USE enum fed_err hub_object_load(struct hub_api *api, struct fed_json_doc *doc,
    const struct hub_object_ref *ref, struct fed_json **out, uint64_t *revision);
/* To another version of the kind; without a hook what that version's schema does not have is lost.
 */
FED_MUST_USE enum fed_err hub_object_convert(const struct hub_kind *kind,
    const struct hub_kind_version *to, struct fed_json_doc *doc, struct fed_json *object,
    struct fed_diag *diag);
/* Makes the metadata-only object. */
struct fed_json *hub_object_partial(
    const struct hub_view *view, struct fed_json_doc *doc, const struct fed_json *object);
const char *hub_view_meta_version(const struct hub_view *view); /* of tables and metadata alone */
/* "GROUP/VERSION" or "VERSION" for core; size 330 is enough. */
void hub_api_version(
    const struct hub_kind *kind, const struct hub_kind_version *version, char out[330]);
/* Below 0: left is preferred (v2, v1, v1beta2, v1beta1, v1alpha1, others by name), as
 * apimachinery's version.CompareKubeAwareVersionStrings. */
int hub_version_cmp(const char *left, const char *right);
struct fed_span hub_meta(const struct fed_json *object, const char *key); /* metadata.KEY as text */
bool hub_object_has_finalizers(const struct fed_json *object);
/* Compact bytes to store: without resourceVersion. */
FED_MUST_USE enum fed_err hub_object_bytes(struct fed_json *object, struct fed_buf *out);

/* Which objects a listing found, kept while they are changed: the store may not be from inside it.
 */
#define HUB_REFS_MAX 200u
struct hub_refs { /* zero but for mem, in whose memory the names are */
    struct fed_alloc *mem;
    struct hub_object_ref list[HUB_REFS_MAX];
    size_t n;
    enum fed_err err; /* FED_ERR_NOMEM: not all were taken */
};
/* hub_objects_each; ctx is a struct hub_refs. Stops when it is full. */
bool hub_refs_take(void *ctx, const struct hub_object *object);

/* ---- select.c ---- */
/* labelSelector of the query, in mem. 400 in apimachinery's words. */
FED_MUST_USE enum fed_err hub_label_selector_parse(
    struct hub_request *r, struct fed_alloc *mem, struct fed_selector **out);
/* Values are copied into mem. */
FED_MUST_USE enum fed_err hub_field_selector_parse(struct hub_request *r, struct fed_alloc *mem,
    struct fed_span text, struct hub_field_selector *out);
bool hub_field_selector_match(
    const struct hub_field_selector *selector, const struct fed_json *object);
/* Selectors of name and namespace alone are decided by the object's key. */
bool hub_field_selector_is_of_ref(const struct hub_field_selector *selector);
bool hub_field_selector_match_ref(
    const struct hub_field_selector *selector, const struct hub_object_ref *ref);

/* ---- table.c ---- */
/* What every kind's columns of these names say, from metav1.ObjectMeta. */
#define HUB_COLUMN_NAME_TEXT                                                                       \
    "Name must be unique within a namespace. Is required when creating resources, although some "  \
    "resources may allow a client to request the generation of an appropriate name "               \
    "automatically. Name is primarily intended for creation idempotence and configuration "        \
    "definition. Cannot be updated. More info: "                                                   \
    "https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names"
#define HUB_COLUMN_AGE_TEXT                                                                        \
    "CreationTimestamp is a timestamp representing the server time when this object was created. " \
    "It is not guaranteed to be set in happens-before order across separate operations. Clients "  \
    "may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by "    \
    "the "                                                                                         \
    "system. Read-only. Null for lists. More info: "                                               \
    "https://git.k8s.io/community/contributors/devel/sig-architecture/"                            \
    "api-conventions.md#metadata"
void hub_table_begin(
    struct fed_buf *out, const struct hub_view *view, bool columns); /* up to "rows":[ */
void hub_table_row(struct fed_buf *out, const struct hub_view *view, const struct fed_json *object,
    struct fed_span include_object, int64_t now_unix_s);
/* remaining: objects behind the page, below 0: not told. */
void hub_table_end(
    struct fed_buf *out, uint64_t revision, struct fed_span continue_token, int64_t remaining);

/* ---- list_page.c ---- */
struct hub_page {
    uint64_t revision; /* whose state is shown */
    uint64_t limit;    /* 0: none */
    bool continues;
    struct hub_object_ref after; /* when it continues */
};
/* From continue, limit, resourceVersion and resourceVersionMatch, as kube-apiserver takes them. */
FED_MUST_USE enum fed_err hub_page_open(struct hub_request *r, struct hub_page *page);
/* The token of the page behind last. */
void hub_page_put_token(struct fed_buf *out, struct hub_request *r, const struct hub_page *page,
    const struct hub_object_ref *last);
/* 410: the page's state is forgotten; with a token that goes on with the present one. */
enum fed_err hub_page_expired(struct hub_request *r, const struct hub_page *page);
void hub_table_put_age(struct fed_buf *out, const struct fed_json *time, int64_t now_unix_s);

/* ---- core_cells.c ---- */
/* What stands in a column of a core kind. cell: a name of core_cells.c, or a path. */
void hub_core_put_cell(
    struct fed_buf *out, const char *cell, const struct fed_json *object, int64_t now_unix_s);

/* ---- json_path.c ---- */
/* Behind the path of a column of dates: shown as it is, not as an age. */
#define HUB_COLUMN_TIME "|time"
/* First value at the path; NULL when absent. */
const struct fed_json *hub_json_path(const struct fed_json *from, const char *path);

/* ---- decode.c ---- */
/* The body as an object (JSON, YAML; protobuf where the kind takes it). Checks syntax only. */
FED_MUST_USE enum fed_err hub_decode_body(struct hub_request *r, struct fed_json **out);

/* ---- protobuf.c ---- */
/* The Kubernetes envelope and the kinds of the table of core kinds to a tree. FED_ERR_UNSUPPORTED
 * for other kinds, FED_ERR_INVALID. */
FED_MUST_USE enum fed_err hub_protobuf_decode(const struct hub_core *core, struct fed_json_doc *doc,
    struct fed_span body, struct fed_json **out, struct fed_diag *diag);

/* ---- meta.c ---- */
FED_MUST_USE enum fed_err hub_write_uid(struct hub_api *api, char out[40]);

/* ---- handle_scale.c ---- */
enum fed_err hub_handle_scale(struct hub_request *r);
/* The Scale of an object. */
enum fed_err hub_scale_respond(struct hub_request *r, unsigned status, struct fed_json *object);
/* The replicas of an object whose version has a scale are counts. */
void hub_scale_validate(const struct hub_kind_version *version, const struct fed_json *object,
    struct hub_causes *causes);

/* ---- strategic.c ---- */
/* Applies a strategic merge patch to an object of the type. FED_ERR_INVALID; FED_ERR_UNSUPPORTED
 * for a patch of the wrong form; FED_ERR_LIMIT for lists that are too long to be merged. */
FED_MUST_USE enum fed_err hub_strategic_merge(struct fed_json_doc *doc,
    const struct hub_core_type *type, struct fed_json **target, const struct fed_json *patch,
    struct fed_diag *diag);

/* ---- delete.c ---- */
/* DeletionPropagation; the default is Background, or what finalizers on the object ask for. */
enum hub_propagation {
    HUB_PROPAGATE_DEFAULT,
    HUB_PROPAGATE_BACKGROUND,
    HUB_PROPAGATE_FOREGROUND,
    HUB_PROPAGATE_ORPHAN
};
#define HUB_FINALIZER_FOREGROUND "foregroundDeletion"
#define HUB_FINALIZER_ORPHAN "orphan"
struct hub_delete_options {
    bool dry_run;
    enum hub_propagation propagation;
    struct fed_span uid; /* preconditions */
    struct fed_span resource_version;
    struct fed_span policy; /* propagationPolicy; empty: not given */
    bool has_orphan;        /* orphanDependents was given */
    bool orphan;
    struct fed_span dry_runs[HUB_DRY_RUNS_MAX];
    size_t n_dry_runs;
};
/* Removes, or marks when finalizers hold it. *out: the object as left behind when it still exists,
 * else NULL (live is then what was removed). */
FED_MUST_USE enum fed_err hub_delete_object(struct hub_request *r, const struct hub_kind *kind,
    const struct hub_object_ref *ref, const struct hub_delete_options *options,
    struct fed_json **live, struct fed_json **left);

/* ---- handle_write.c ---- */
/* Notes the members that stand twice in the body, for hub_write_decoded and the writes of patches.
 * What is applied is refused, or warned of, at once. */
FED_MUST_USE enum fed_err hub_check_duplicates(struct hub_request *r, struct fed_json *body);

/* The finalize subresource of a namespace. In api.c. */
bool hub_finalize_is(const struct hub_request *r);

/* ---- handlers, one file each ---- */
enum fed_err hub_handle_get(struct hub_request *r);
/* Whether it is one of the kind's reads (hub_kind_hooks.read). */
bool hub_read_is(const struct hub_kind *kind, struct fed_span subresource);
enum fed_err hub_handle_read(struct hub_request *r);
enum fed_err hub_handle_list(struct hub_request *r);
enum fed_err hub_handle_watch(struct hub_request *r);
enum fed_err hub_handle_create(struct hub_request *r);
enum fed_err hub_handle_update(struct hub_request *r);
enum fed_err hub_handle_patch(struct hub_request *r);
enum fed_err hub_handle_delete(struct hub_request *r);
enum fed_err hub_handle_delete_collection(struct hub_request *r);
enum fed_err hub_handle_discovery(struct hub_request *r);
enum fed_err hub_handle_openapi(struct hub_request *r);
enum fed_err hub_handle_review(struct hub_request *r);
struct hub_review { /* a kind that is only ever created */
    const char *group;
    const char *version;
    const char *plural;
    const char *kind;
    bool namespaced;
};
bool hub_review_is(const struct hub_path *path);
/* A group that every API server has, whose routes answer for all that is below them. In api.c. */
bool hub_group_is_of_kubernetes(const struct hub_request *r);
/* In the order of groups; NULL behind the last one. */
const struct hub_review *hub_review_at(size_t index);

/* ---- label_index.c ---- */
FED_MUST_USE enum fed_err hub_label_index_open(struct hub_api *api, struct hub_label_index **out);
void hub_label_index_close(struct hub_label_index *index);
/* As hub_objects_list, but only objects that may match; each looks itself. FED_ERR_UNSUPPORTED,
 * before anything was given to each: the selector, or the present moment, takes all objects. */
FED_MUST_USE enum fed_err hub_label_index_list(struct hub_label_index *index,
    struct fed_span resource, struct fed_span ns, const struct hub_object_ref *after,
    const struct fed_selector *labels, hub_objects_each *each, void *ctx);

/* ---- last_list.c ---- */
FED_MUST_USE enum fed_err hub_last_list_open(struct hub_api *api, struct hub_last_list **out);
void hub_last_list_close(struct hub_last_list *last);
/* What was answered to the same request when the store was as it is now; NULL: nothing that is
 * kept. The reference stays with the list. */
struct fed_http_shared *hub_last_list_find(
    const struct hub_last_list *last, const struct hub_request *r);
void hub_last_list_keep(struct hub_last_list *last, const struct hub_request *r, size_t size,
    struct fed_http_shared *bytes);

/* ---- watches.c ---- */
FED_MUST_USE enum fed_err hub_watches_open(struct hub_api *api, struct hub_watches **out);
void hub_watches_close(struct hub_watches *watches);
void hub_watches_stop(struct hub_watches *watches);
size_t hub_watches_count(const struct hub_watches *watches); /* that are open */
void hub_watches_closed(struct hub_watches *watches, struct fed_http_exchange *exchange);

/* ---- owners.c: garbage collection by owner references ---- */
struct hub_owners;
FED_MUST_USE enum fed_err hub_owners_open(struct hub_api *api, struct hub_owners **out);
void hub_owners_close(struct hub_owners *owners);

/* ---- namespace_objects.c: the default ServiceAccount and the CA in each namespace ---- */
struct hub_namespace_objects;
FED_MUST_USE enum fed_err hub_namespace_objects_open(
    struct hub_api *api, struct hub_namespace_objects **out);
void hub_namespace_objects_close(struct hub_namespace_objects *objects);

/* ---- namespaces.c ---- */
struct hub_namespaces;
FED_MUST_USE enum fed_err hub_namespaces_open(struct hub_api *api, struct hub_namespaces **out);
void hub_namespaces_close(struct hub_namespaces *namespaces);
/* ---- crd_delete.c ---- */
struct hub_crd_deletes;
FED_MUST_USE enum fed_err hub_crd_deletes_open(struct hub_api *api, struct hub_crd_deletes **out);
void hub_crd_deletes_close(struct hub_crd_deletes *deletes);

/* 404 when it is not there, 403 when it is being deleted. */
FED_MUST_USE enum fed_err hub_namespace_check(struct hub_request *r, struct fed_span ns);

#endif
