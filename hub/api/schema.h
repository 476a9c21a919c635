/* schema.h - structural schemas (OpenAPI v3 as CustomResourceDefinitions use it): prune, default,
 * validate.
 *
 * Source: Kubernetes "Extend the API with CRDs", structural schemas. Supported: type, properties,
 * additionalProperties, items, required, enum, pattern (POSIX extended subset that Kubernetes
 * documents use), minimum, maximum, minLength, maxLength, minItems, maxItems, format (int32, int64,
 * date-time, byte), nullable, default, x-kubernetes-int-or-string,
 * x-kubernetes-preserve-unknown-fields, x-kubernetes-list-type, x-kubernetes-list-map-keys,
 * x-kubernetes-map-type, x-kubernetes-embedded-resource. */
#ifndef FEDLET_HUB_API_SCHEMA_H
#define FEDLET_HUB_API_SCHEMA_H

#include "proto/object/json.h"

#define HUB_SCHEMA_BYTES_MAX (3u << 20) /* one version's schema: as large as a request may be */

struct hub_schema; /* immutable, reference-counted */

/* From an openAPIV3Schema document. apiVersion, kind, metadata are known for every root.
 * FED_ERR_INVALID with the path of what is not structural. */
FED_MUST_USE enum fed_err hub_schema_compile(struct fed_alloc *mem, const struct fed_json *openapi,
    struct hub_schema **out, struct fed_diag *diag);
/* Of a value inside an object: nothing is known but what stands there. */
FED_MUST_USE enum fed_err hub_schema_compile_value(struct fed_alloc *mem,
    const struct fed_json *openapi, struct hub_schema **out, struct fed_diag *diag);
struct hub_schema *hub_schema_ref(struct hub_schema *schema);
void hub_schema_unref(struct hub_schema *schema); /* NULL is fine */
/* The document it was compiled from, compact JSON: what OpenAPI v3 serves. */
struct fed_span hub_schema_openapi(const struct hub_schema *schema);

#define HUB_CAUSES_MAX 32u
#define HUB_CAUSE_MESSAGE_SIZE 1024u
struct hub_cause {   /* metav1.StatusCause */
    char reason[48]; /* FieldValueRequired, FieldValueInvalid, FieldValueNotSupported,
                        FieldValueTypeInvalid, FieldManagerConflict ... */
    char field[512]; /* spec.placement.clusters[0].name */
    char message[HUB_CAUSE_MESSAGE_SIZE];
};
struct hub_causes {
    struct hub_cause list[HUB_CAUSES_MAX];
    size_t n;          /* in the list */
    size_t more;       /* found beyond it */
    const char *whole; /* NULL, or what the first one says that is too long for its message */
};

/* NULL causes are fine: nothing is kept. */
FED_PRINTF(4, 5)
void hub_causes_add(
    struct hub_causes *causes, const char *reason, const char *field, const char *format, ...);

/* Removes members that the schema does not know. unknown (may be NULL): gets their paths, one per
 * line, for Strict and Warn. */
FED_MUST_USE enum fed_err hub_schema_prune(
    const struct hub_schema *schema, struct fed_json *object, struct fed_buf *unknown);
/* Puts defaults where members are absent, or null where they must not be; such a null without a
 * default goes. */
FED_MUST_USE enum fed_err hub_schema_default(
    const struct hub_schema *schema, struct fed_json_doc *doc, struct fed_json *object);
/* The same for what server-side apply made, where such a null stays for validation to refuse. */
FED_MUST_USE enum fed_err hub_schema_default_applied(
    const struct hub_schema *schema, struct fed_json_doc *doc, struct fed_json *object);
/* FED_ERR_INVALID when causes were found. */
FED_MUST_USE enum fed_err hub_schema_validate(
    const struct hub_schema *schema, const struct fed_json *object, struct hub_causes *causes);

/* The same for an update: what has not changed since `before` is not checked again, so that a rule
 * that came later does not stand in the way of other changes. */
FED_MUST_USE enum fed_err hub_schema_validate_update(const struct hub_schema *schema,
    const struct fed_json *object, const struct fed_json *before, struct hub_causes *causes);
/* The same for an update of the status alone, whose sentences name fields as seen from there. */
FED_MUST_USE enum fed_err hub_schema_validate_status(const struct hub_schema *schema,
    const struct fed_json *object, const struct fed_json *before, struct hub_causes *causes);
/* The same for a value whose place is known: path is before every field. */
FED_MUST_USE enum fed_err hub_schema_validate_value(const struct hub_schema *schema,
    const struct fed_json *value, const char *path, struct hub_causes *causes);

/* What server-side apply must know of a place in the tree. Walk from the root with member/item.
 * NULL schema (unknown place, preserve-unknown content): maps are granular, lists atomic, as for
 * untyped content of CRDs. */
struct hub_schema_node;
const struct hub_schema_node *hub_schema_root(const struct hub_schema *schema);
const struct hub_schema_node *hub_schema_member(
    const struct hub_schema_node *node, struct fed_span key);
const struct hub_schema_node *hub_schema_item(const struct hub_schema_node *node);
enum hub_list_type { HUB_LIST_ATOMIC, HUB_LIST_SET, HUB_LIST_MAP };
enum hub_list_type hub_schema_list_type(const struct hub_schema_node *node);
size_t hub_schema_list_keys(
    const struct hub_schema_node *node, const char *keys[8]); /* of a map-list */
bool hub_schema_map_atomic(const struct hub_schema_node *node);
/* A member that the schema declares by name (a struct field), not by additionalProperties or
 * preserve-unknown. */
bool hub_schema_is_declared(const struct hub_schema_node *node, struct fed_span key);
/* The default of a place; NULL when there is none. */
const struct fed_json *hub_schema_otherwise(const struct hub_schema_node *node);

#endif
