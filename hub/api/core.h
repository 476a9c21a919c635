/* core.h - the kinds that every Kubernetes API server has, from the table
 * hub/api/builtin/core.table (made by hub/api/builtin/compile, which describes the format).
 *
 * What the table says of a type drives the schema (validation, server-side apply, OpenAPI),
 * protobuf bodies, strategic merge patches, and the shape in which Go's JSON encoder would write
 * it. */
#ifndef FEDLET_HUB_API_CORE_H
#define FEDLET_HUB_API_CORE_H

#include "hub/api/kinds.h"

enum hub_core_basis {
    HUB_CORE_STRING,
    HUB_CORE_BOOL,
    HUB_CORE_INT32,
    HUB_CORE_INT64,
    HUB_CORE_FLOAT64,
    HUB_CORE_BYTES,      /* base64 in JSON */
    HUB_CORE_TIME,       /* RFC 3339, null when not set */
    HUB_CORE_MICRO_TIME, /* the same with microseconds */
    HUB_CORE_RAW,        /* any JSON, in protobuf as its text in field 1 */
    HUB_CORE_LIST,       /* a list that is a message of its own in protobuf */
    HUB_CORE_UNION,      /* a struct of which JSON shows only the member that is set */
    HUB_CORE_STRUCT
};

struct hub_core_type;
struct hub_core_field {
    struct fed_span name;
    struct fed_span go; /* the type as the table has it: "map[string][]byte", "*bool" */
    unsigned number;    /* in protobuf */
    const struct hub_core_type *type; /* of the value, or of the items of a list or map */
    bool list;
    bool map; /* keys are strings */
    bool pointer;
    bool omit_empty; /* JSON leaves it out when empty; a struct that is no pointer never is */
    bool omit_zero;  /* also such a struct */
    bool required;
    enum hub_list_type list_type;
    struct fed_span keys; /* of a map-list, separated by commas */
    bool atomic;          /* a map or struct that server-side apply takes whole */
    /* strategic merge patch: lists are replaced unless merge; by merge_key, or as a set when it is
     * empty */
    bool merge;
    struct fed_span merge_key;
};
struct hub_core_type {
    struct fed_span name; /* "meta.ObjectMeta"; of a scalar its Go name */
    enum hub_core_basis basis;
    bool atomic;
    const struct hub_core_type *item; /* of HUB_CORE_LIST */
    struct hub_core_field *fields;    /* of structs and unions */
    size_t n_fields;
};

struct hub_core; /* the table in memory; immutable */

/* Reads the embedded table. FED_ERR_NOMEM; FED_ERR_INVALID with the line. */
FED_MUST_USE enum fed_err hub_core_open(
    struct fed_alloc *mem, struct hub_core **out, struct fed_diag *diag);
void hub_core_close(struct hub_core *core);
/* The type behind a kind, stored or not. NULL when the table has none. DeleteOptions are found
 * under every version, as every group of a real server accepts them. */
const struct hub_core_type *hub_core_find(
    const struct hub_core *core, struct fed_span api_version, struct fed_span kind);
const struct hub_core_field *hub_core_field(
    const struct hub_core_type *type, struct fed_span name); /* NULL when there is none */
const struct hub_core_field *hub_core_field_number(
    const struct hub_core_type *type, unsigned number);
/* Puts the stored kinds of the table into kinds, which takes the table. */
FED_MUST_USE enum fed_err hub_core_kinds(
    struct fed_alloc *mem, struct hub_core *core, struct hub_kinds *kinds, struct fed_diag *diag);
/* The OpenAPI schema of a kind, without apiVersion, kind and metadata. */
void hub_core_put_schema(struct fed_buf *out, const struct hub_core_type *type);
/* The object as Go would decode it and write it again: types checked, zero values left out or put
 * in, times and base64 in their one form. Members that the type does not have stay. Works in place.
 * FED_ERR_INVALID with Go's sentence. */
FED_MUST_USE enum fed_err hub_core_shape(struct fed_alloc *mem, struct fed_json_doc *doc,
    const struct hub_core_type *type, struct fed_json *object, struct fed_diag *diag);
/* The same for what a strategic patch or an apply made, refused in the sentences of apimachinery's
 * converter of unstructured objects. */
FED_MUST_USE enum fed_err hub_core_convert(struct fed_alloc *mem, struct fed_json_doc *doc,
    const struct hub_core_type *type, struct fed_json *object, struct fed_diag *diag);
/* What storing does to an object: an empty list that is shown at all is null from then on. */
FED_MUST_USE enum fed_err hub_core_settle(
    const struct hub_core_type *type, struct fed_json_doc *doc, struct fed_json *object);
/* Defaults of the kind, and what is written in one form only (a Secret's text becomes data). */
FED_MUST_USE enum fed_err hub_core_default(
    const struct hub_kind *kind, struct fed_json_doc *doc, struct fed_json *object);
/* The rules of the kind beyond types and metadata. before: the present object in the same version;
 * NULL: create. */
void hub_core_validate(const struct hub_kind *kind, struct fed_json *object,
    const struct fed_json *before, struct hub_causes *causes);
/* What the finalize subresource of a namespace sets. */
void hub_core_validate_finalize(const struct fed_json *object, struct hub_causes *causes);
void hub_core_validate_namespace_status(const struct fed_json *object, struct hub_causes *causes);
/* The convert hook of both kinds of Event. */
enum fed_err hub_core_event_convert(void *ctx, const struct hub_kind *kind, const char *to_version,
    struct fed_json_doc *doc, struct fed_json *object, struct fed_diag *diag);

#endif
