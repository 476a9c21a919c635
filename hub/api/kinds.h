/* kinds.h - which kinds the hub serves. Kinds are data: a new one is another entry, not another
 * function.
 *
 * Discovery, OpenAPI, routing, tables, validation and storage all read this one table. Core kinds
 * are put there when the hub starts; every other kind comes from a CustomResourceDefinition in the
 * store (crd.h), the hub's own kinds included. */
#ifndef FEDLET_HUB_API_KINDS_H
#define FEDLET_HUB_API_KINDS_H

#include "hub/api/schema.h"
#include "hub/store/objects.h"
#include "proto/object/json.h"

#define HUB_GROUP_MAX 253u
#define HUB_NAME_MAX 63u
#define HUB_KIND_VERSIONS_MAX 32u
#define HUB_KIND_COLUMNS_MAX 64u
#define HUB_KIND_NAMES_MAX 32u
#define HUB_KIND_SELECTABLE_MAX 8u

/* Texts and lists of a kind are borrowed by whoever fills one, and copied by hub_kinds_put. */
struct hub_column { /* additionalPrinterColumns of a CRD */
    const char *name;
    const char *type;        /* string, integer, number, boolean, date */
    const char *format;      /* NULL: none */
    const char *description; /* NULL: none */
    const char *json_path;   /* ".status.conditions[?(@.type==\"Ready\")].status" */
    int priority;
};

struct hub_scale {         /* the scale subresource; paths as in ".spec.replicas" */
    const char *spec_path; /* NULL: the version has none */
    const char *status_path;
    const char *selector_path; /* NULL: none */
};

struct hub_kind_version {
    const char *name; /* "v1beta1" */
    bool served;
    bool storage; /* exactly one */
    bool of_core; /* apiVersion is that of the core group: what events.k8s.io stores */
    bool status_subresource;
    bool deprecated;
    const char *deprecation_warning; /* NULL: the usual one */
    struct hub_scale scale;
    struct hub_schema *schema;
    const struct hub_core_type *core; /* see hub_kind.core */
    const struct hub_column *columns;
    size_t n_columns;
    const char *const *selectable; /* JSON paths that field selectors may use */
    size_t n_selectable;
};

struct hub_access;
struct hub_admission;
struct hub_core;
struct hub_core_type;
struct hub_kind;
struct hub_kind_read;
struct hub_request;
struct hub_user;

/* What the federation adds to the generic layer for one kind. Each may be NULL. */
struct hub_kind_hooks {
    void *ctx;
    /* Objects are only ever created: answered, with what admit puts into admission->answer, and
     * never stored. As reviews of Kubernetes, they need no name. */
    bool transient;
    /* Before an object is stored (defaulted and validated against the schema already). May change
     * admission->object; refuses with FED_ERR_FORBIDDEN (403), FED_ERR_INVALID (422, diag is the
     * message, field in admission) ... */
    enum fed_err (*admit)(void *ctx, struct hub_admission *admission, struct fed_diag *diag);
    /* Puts the kind's own defaults, after those of its schema and before its fields are given to
     * their managers. */
    enum fed_err (*fill)(void *ctx, struct fed_json_doc *doc, struct fed_json *object);
    /* On each read: adds joined parts, as status, to the tree. *revision is the object's and may be
     * raised. */
    enum fed_err (*compose)(void *ctx, const struct hub_object_ref *ref, struct fed_json_doc *doc,
        struct fed_json *object, uint64_t *revision);
    /* Between served versions, apiVersion included. Called only when they differ. */
    enum fed_err (*convert)(void *ctx, const struct hub_kind *kind, const char *to_version,
        struct fed_json_doc *doc, struct fed_json *object, struct fed_diag *diag);
    /* What else is read below an object, GET .../NAME/SUBRESOURCE: the names, NULL behind the last;
     * NULL: nothing. Whoever asks has the right to get that subresource. Refuses with
     * FED_ERR_NOT_FOUND, FED_ERR_FORBIDDEN, FED_ERR_INVALID; diag is the message. */
    const char *const *reads;
    enum fed_err (*read)(void *ctx, struct hub_kind_read *read, struct fed_diag *diag);
};

struct hub_kind_read {
    struct hub_object_ref ref;
    struct fed_span subresource;
    struct hub_request *request;
    /* A parameter of the query, the first of that name; empty: there is none. */
    struct fed_span (*param)(struct hub_kind_read *read, const char *name);
    /* Whether the user may do something else as well. */
    bool (*allows)(struct hub_kind_read *read, const struct hub_access *access);
    struct fed_buf *out; /* the answer, a JSON document */
};

struct hub_kind {
    const char *group; /* "" for core */
    const char *kind;
    const char *list_kind; /* NULL: KIND and "List" */
    const char *plural;
    const char *singular; /* NULL: the kind in lower case */
    const char *const *short_names;
    size_t n_short_names;
    const char *const *categories;
    size_t n_categories;
    bool namespaced;
    bool read_only;                   /* get, list, watch only */
    const struct hub_core_type *core; /* what the table of core kinds says of it (core.h): accepts
                                         strategic merge patch; NULL for all others */
    bool counts_generation;           /* metadata.generation moves with the spec */
    bool custom;                      /* from a CustomResourceDefinition */
    bool terminating; /* its CustomResourceDefinition is being deleted: nothing new */
    /* What was stored at this revision or before it may have been written under another schema: it
     * is pruned and gets its defaults when it is read. After a start that is the revision of the
     * definition itself, which is never too early. */
    uint64_t schema_since;
    bool schema_moved; /* since this process serves the kind */
    struct hub_kind_version *versions;
    size_t n_versions; /* preferred first */
    /* Set by hub_kinds_put. */
    struct hub_kind_hooks hooks;
    const char *resource; /* "plural.group" or "plural": the store's resource; events.k8s.io keeps
                             its objects in that of core events. NULL when put: the usual one */
};

enum hub_operation { HUB_CREATE, HUB_UPDATE, HUB_DELETE };
struct hub_admission {
    enum hub_operation operation;
    const struct hub_kind *kind;
    struct fed_json_doc *doc;
    struct fed_json *object;       /* new state, storage version; for DELETE the present state */
    const struct fed_json *before; /* present state; NULL for CREATE */
    struct fed_span subresource;   /* empty or "status" */
    struct fed_span user;
    const struct hub_user *who;  /* the same, with groups */
    struct hub_request *request; /* for hooks of the API itself */
    bool dry_run;
    char field[256];           /* for a refusal: the field's path */
    struct hub_causes *causes; /* NULL, or several fields that are wrong: 422 without `field` */
    const char *refusal; /* NULL, or the sentence of a refusal that is too long for diag; in doc */
    struct fed_json *
        answer; /* NULL, or members that are merged into the answer of this request, never stored */
    /* Adds a Warning header to the answer. */
    void (*warn)(struct hub_admission *admission, const char *text);
    void *warnings;
    /* Whether the user may do something else as well. */
    bool (*allows)(struct hub_admission *admission, const struct hub_access *access);
    /* Raw store rows to be written in the same commit (e.g. a token's secret); spans must live in
     * doc's memory or be constants. Room for 4. */
    struct fed_store_op extra[4];
    size_t n_extra;
};

struct hub_kinds;
FED_MUST_USE enum fed_err hub_kinds_new(struct fed_alloc *mem, struct hub_kinds **out);
void hub_kinds_free(struct hub_kinds *kinds);
/* Adds or replaces (same group and plural) with a copy; references to the schemas are taken, the
 * caller keeps its own. FED_ERR_NOMEM, FED_ERR_LIMIT (4096 kinds, names longer than Kubernetes
 * allows). */
FED_MUST_USE enum fed_err hub_kinds_put(struct hub_kinds *kinds, const struct hub_kind *kind);
void hub_kinds_remove(struct hub_kinds *kinds, const char *group, const char *plural);
/* Sets the hooks of a kind that is there or will come; "*" as plural: every kind of the group
 * without its own. */
FED_MUST_USE enum fed_err hub_kinds_hook(struct hub_kinds *kinds, const char *group,
    const char *plural, const struct hub_kind_hooks *hooks);
const struct hub_kind *hub_kinds_find(
    const struct hub_kinds *kinds, struct fed_span group, struct fed_span plural);
const struct hub_kind *hub_kinds_by_kind(
    const struct hub_kinds *kinds, struct fed_span group, struct fed_span kind);
size_t hub_kinds_count(const struct hub_kinds *kinds);
const struct hub_kind *hub_kinds_at(
    const struct hub_kinds *kinds, size_t index); /* by group, then plural */
uint64_t hub_kinds_generation(
    const struct hub_kinds *kinds); /* moves with each change: discovery, OpenAPI, ETags */

/* The table that hub_kind.core points into (core.h); freed with the kinds. */
void hub_kinds_take_core(struct hub_kinds *kinds, struct hub_core *core);
const struct hub_core *hub_kinds_core(const struct hub_kinds *kinds);

/* A kind from a CustomResourceDefinition's spec (group, names, scope, versions[] with schema,
 * subresources, additionalPrinterColumns), plus our member "readOnly". Its texts live in spec's
 * document and in mem, an arena's allocator; shared schemas come from kinds (may be NULL). Ends
 * with hub_kind_fini. */
FED_MUST_USE enum fed_err hub_kind_from_spec(struct fed_alloc *mem, const struct hub_kinds *kinds,
    const struct fed_json *spec, struct hub_kind *out, struct fed_diag *diag);
void hub_kind_fini(struct hub_kind *kind); /* lets go of the schemas */
/* A schema of some kind that was compiled from the same document; NULL when there is none. */
struct hub_schema *hub_kinds_schema(const struct hub_kinds *kinds, const struct fed_json *openapi);

#endif
