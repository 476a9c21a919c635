/* kinds.h - which kinds the hub serves. Kinds are data: a new federated type is another entry, not
 * another function.
 *
 * Discovery, OpenAPI, routing, tables, validation and storage all read this one table. Built-in
 * kinds come from hub/api/builtin/ (JSON documents shaped like CustomResourceDefinition specs,
 * embedded at build time); federated ones are made from FederatedTypeConfig objects. */
#ifndef FEDLET_HUB_API_KINDS_H
#define FEDLET_HUB_API_KINDS_H

#include "hub/api/schema.h"
#include "hub/store/objects.h"
#include "proto/object/json.h"

#define HUB_KIND_VERSIONS_MAX 4u
#define HUB_KIND_COLUMNS_MAX 16u
#define HUB_KIND_NAMES_MAX 8u

struct hub_column { /* additionalPrinterColumns of a CRD */
    char name[64];
    char type[16]; /* string, integer, boolean, date */
    char format[16];
    char description[160];
    char json_path[192]; /* ".status.conditions[?(@.type==\"Ready\")].status" */
    int priority;
};

struct hub_kind_version {
    char name[64]; /* "v1beta1" */
    bool served;
    bool storage; /* exactly one */
    struct hub_schema *schema;
    struct hub_column columns[HUB_KIND_COLUMNS_MAX];
    size_t n_columns;
};

struct hub_admission;
struct hub_kind;

/* What the federation adds to the generic layer for one kind. Each may be NULL. */
struct hub_kind_hooks {
    void *ctx;
    /* Before an object is stored (defaulted and validated against the schema already). May change
     * admission->object; refuses with FED_ERR_FORBIDDEN (403), FED_ERR_INVALID (422, diag is the
     * message, field in admission) ... */
    enum fed_err (*admit)(void *ctx, struct hub_admission *admission, struct fed_diag *diag);
    /* On each read: adds joined parts, as status, to the tree. *revision is the object's and may be
     * raised. */
    enum fed_err (*compose)(void *ctx, const struct hub_object_ref *ref, struct fed_json_doc *doc,
        struct fed_json *object, uint64_t *revision);
    /* Between served versions, apiVersion included. Called only when they differ. */
    enum fed_err (*convert)(void *ctx, const struct hub_kind *kind, const char *to_version,
        struct fed_json_doc *doc, struct fed_json *object, struct fed_diag *diag);
};

struct hub_kind {
    char group[254]; /* "" for core */
    char kind[64];
    char list_kind[72];
    char plural[64];
    char singular[64];
    char short_names[HUB_KIND_NAMES_MAX][64];
    size_t n_short_names;
    char categories[HUB_KIND_NAMES_MAX][64];
    size_t n_categories;
    bool namespaced;
    bool status_subresource;
    bool read_only;         /* get, list, watch only */
    bool strategic_patches; /* core kinds: accept strategic merge patch and protobuf bodies */
    struct hub_kind_version versions[HUB_KIND_VERSIONS_MAX];
    size_t n_versions; /* preferred first */
    struct hub_kind_hooks hooks;
    char resource[320]; /* "plural.group" or "plural": the store's resource */
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
    bool dry_run;
    char field[256]; /* for a refusal: the field's path */
    struct fed_json *
        answer; /* NULL, or members that are merged into the answer of this request, never stored */
    /* Adds a Warning header to the answer. */
    void (*warn)(struct hub_admission *admission, const char *text);
    void *warnings;
    /* Raw store rows to be written in the same commit (e.g. a token's secret); spans must live in
     * doc's memory or be constants. Room for 4. */
    struct fed_store_op extra[4];
    size_t n_extra;
};

struct hub_kinds;
FED_MUST_USE enum fed_err hub_kinds_new(struct fed_alloc *mem, struct hub_kinds **out);
void hub_kinds_free(struct hub_kinds *kinds);
/* Adds or replaces (same group and plural). Takes the schemas, also on failure. FED_ERR_NOMEM,
 * FED_ERR_LIMIT (4096). */
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

/* A kind from a document shaped like a CustomResourceDefinition's spec (group, names, scope,
 * versions[] with schema, subresources, additionalPrinterColumns), plus our members "readOnly",
 * "strategicPatches". */
FED_MUST_USE enum fed_err hub_kind_from_spec(struct fed_alloc *mem, const struct fed_json *spec,
    struct hub_kind *out, struct fed_diag *diag);

#endif
