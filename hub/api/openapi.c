/* openapi.c - OpenAPI v3 of the kinds: the root, and one document per group and version under a
 * hashed URL.
 *
 * kubectl needs paths with x-kubernetes-action and -group-version-kind, the fieldValidation
 * parameter on PATCH, and the kind on each schema. Of v2 it needs only that there is a document:
 * "2.0", a title, no paths, in protobuf. */
#include "hub/api/builtin.h"
#include "hub/api/core.h"
#include "hub/api/internal.h"

#include "proto/base/text.h"
#include "proto/digest/sha256.h"

#include <stdio.h>
#include <string.h>

static const uint8_t openapi_v2[] = {0x0a, 0x03, '2', '.', '0', 0x12, 0x09, 0x0a, 0x03, 'h', 'u',
    'b', 0x12, 0x02, 'v', '0', 0x42, 0x00};

/* What kubectl explain says of the members that every object and every list has: metav1's words. */
#define CONVENTIONS                                                                                \
    "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md"
#define API_VERSION_PROPERTY                                                                       \
    "\"apiVersion\":{\"type\":\"string\",\"description\":\"APIVersion defines the versioned "      \
    "schema of "                                                                                   \
    "this representation of an object. Servers should convert recognized schemas to the latest "   \
    "internal value, and may reject unrecognized values. More info: " CONVENTIONS "#resources\"}"
#define KIND_PROPERTY                                                                              \
    "\"kind\":{\"type\":\"string\",\"description\":\"Kind is a string value representing the "     \
    "REST "                                                                                        \
    "resource this object represents. Servers may infer this from the endpoint the client "        \
    "submits requests to. Cannot be updated. In CamelCase. More info: " CONVENTIONS                \
    "#types-kinds\"}"
#define REF(name) "\"allOf\":[{\"$ref\":\"#/components/schemas/" name "\"}]"

/* ---- schemas ---- */
/* "com.example.fed.v1.Thing": the group's words from the last to the first. */
static void put_schema_name(struct fed_buf *out, const struct hub_kind *kind, const char *version)
{
    struct fed_span rest = fed_span_text(kind->group[0] ? kind->group : "core");

    while (rest.len > 0) {
        size_t at = rest.len;

        while (at > 0 && rest.at[at - 1] != '.')
            at--;
        fed_buf_put(out, fed_span_sub(rest, at, rest.len));
        fed_buf_put_text(out, ".");
        rest.len = at > 0 ? at - 1 : 0;
    }
    fed_buf_printf(out, "%s.%s", version, kind->kind);
}

static void put_gvk(
    struct fed_buf *out, const struct hub_kind *kind, const char *version, const char *name)
{
    fed_buf_printf(
        out, "{\"group\":\"%s\",\"version\":\"%s\",\"kind\":\"%s\"}", kind->group, version, name);
}

/* What a schema refers to by name. */
static enum fed_err put_definitions(struct fed_buf *out, struct fed_json *definitions)
{
    struct fed_json_iter it;
    enum fed_err err = FED_OK;

    fed_json_iter_init(&it, definitions);
    while (!err && fed_json_iter_next(&it)) {
        hub_json_put(out, it.key);
        fed_buf_put_text(out, ":");
        err = fed_json_put(out, it.value);
        fed_buf_put_text(out, ",");
    }
    return err;
}

/* Says of a value that is a number or a text what it is in words that every reader knows. */
static enum fed_err say_int_or_string(struct fed_json_doc *doc, struct fed_json *node)
{
    struct fed_json *any;
    struct fed_json_iter it;
    enum fed_err err = FED_OK;

    if (fed_json_bool(fed_json_get(node, "x-kubernetes-int-or-string"), false) &&
        !fed_json_get(node, "anyOf")) {
        err = fed_json_parse(
            doc, FED_SPAN_LIT("[{\"type\":\"integer\"},{\"type\":\"string\"}]"), &any, NULL);
        if (!err)
            err = fed_json_set(doc, node, "anyOf", any);
    }
    fed_json_iter_init(&it, node);
    while (!err && fed_json_iter_next(&it))
        err = say_int_or_string(doc, it.value);
    return err;
}

/* The kind's schema with what every object has. */
static enum fed_err put_schema(struct hub_request *r, struct fed_buf *out,
    const struct hub_kind *kind, const char *version, struct fed_span text)
{
    static const char head[] =
        "{" API_VERSION_PROPERTY "," KIND_PROPERTY
        ",\"metadata\":{\"description\":\"Standard object's "
        "metadata. More info: " CONVENTIONS
        "#metadata\"," REF("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta") "}}";
    struct fed_json *schema;
    struct fed_json *properties;
    struct fed_json *own;
    struct fed_json_iter it;
    struct fed_buf gvk;
    struct fed_json *gvk_tree;
    enum fed_err err = fed_json_parse(r->doc, text, &schema, NULL);

    if (!err)
        err = fed_json_parse(r->doc, fed_span_text(head), &properties, NULL);
    if (err)
        return err;
    own = fed_json_clone(r->doc, fed_json_get(schema, "properties"));
    fed_json_iter_init(&it, own);
    while (!err && fed_json_iter_next(&it))
        if (!fed_json_get_span(properties, it.key))
            err = fed_json_set_span(r->doc, properties, it.key, fed_json_clone(r->doc, it.value));
    fed_buf_init(&gvk, r->mem, 1024);
    fed_buf_put_text(&gvk, "[");
    put_gvk(&gvk, kind, version, kind->kind);
    fed_buf_put_text(&gvk, "]");
    if (!err)
        err = fed_json_set(r->doc, schema, "properties", properties);
    if (!err)
        err = fed_json_parse(r->doc, fed_buf_span(&gvk), &gvk_tree, NULL);
    if (!err)
        err = fed_json_set(r->doc, schema, "x-kubernetes-group-version-kind", gvk_tree);
    if (!err)
        err = say_int_or_string(r->doc, schema);
    if (!err)
        err = put_definitions(out, fed_json_get(schema, "definitions"));
    fed_json_remove(schema, "definitions");
    fed_buf_put_text(out, "\"");
    put_schema_name(out, kind, version);
    fed_buf_put_text(out, "\":");
    if (!err)
        err = fed_json_put(out, schema);
    return err ? err : fed_buf_err(out);
}

static void put_list_schema(struct fed_buf *out, const struct hub_kind *kind, const char *version)
{
    fed_buf_put_text(out, ",\"");
    put_schema_name(out, kind, version);
    fed_buf_printf(out,
        "List\":{\"type\":\"object\",\"description\":\"%s is a list of "
        "%s\",\"required\":[\"items\"],"
        "\"properties\":{" API_VERSION_PROPERTY "," KIND_PROPERTY
        ",\"metadata\":{\"description\":\"Standard list metadata. More info: " CONVENTIONS
        "#types-kinds\"," REF(
            "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta") "},\"items\":{\"description\":\"List "
                                                             "of %s. More info: " CONVENTIONS
                                                             "\",\"type\":\"array\",\"items\":{",
        kind->list_kind, kind->kind, kind->plural);
    fed_buf_put_text(out, "\"$ref\":\"#/components/schemas/");
    put_schema_name(out, kind, version);
    fed_buf_put_text(out, "\"}}},\"x-kubernetes-group-version-kind\":[");
    put_gvk(out, kind, version, kind->list_kind);
    fed_buf_put_text(out, "]}");
}

/* ---- paths ---- */
#define PARAMETERS_MAX 10u
struct parameter {
    const char *name;
    const char *type;
};
static const struct parameter list_parameters[PARAMETERS_MAX + 1] = {
    {"allowWatchBookmarks", "boolean"}, {"continue", "string"}, {"fieldSelector", "string"},
    {"labelSelector", "string"}, {"limit", "integer"}, {"resourceVersion", "string"},
    {"resourceVersionMatch", "string"}, {"sendInitialEvents", "boolean"},
    {"timeoutSeconds", "integer"}, {"watch", "boolean"}};
static const struct parameter get_parameters[PARAMETERS_MAX + 1] = {{"resourceVersion", "string"}};
static const struct parameter write_parameters[PARAMETERS_MAX + 1] = {
    {"dryRun", "string"}, {"fieldManager", "string"}, {"fieldValidation", "string"}};
static const struct parameter patch_parameters[PARAMETERS_MAX + 1] = {{"dryRun", "string"},
    {"fieldManager", "string"}, {"fieldValidation", "string"}, {"force", "boolean"}};
static const struct parameter delete_parameters[PARAMETERS_MAX + 1] = {{"dryRun", "string"},
    {"gracePeriodSeconds", "integer"},
    {"ignoreStoreReadErrorWithClusterBreakingPotential", "boolean"},
    {"orphanDependents", "boolean"}, {"propagationPolicy", "string"}};

struct operation {
    const char *method;
    const char *action;
    const char *id; /* with which the operation's name begins */
    const struct parameter *parameters;
};
static const struct operation collection_operations[] = {{"get", "list", "list", list_parameters},
    {"post", "post", "create", write_parameters},
    {"delete", "deletecollection", "delete", list_parameters}};
static const struct operation object_operations[] = {{"get", "get", "read", get_parameters},
    {"put", "put", "replace", write_parameters}, {"patch", "patch", "patch", patch_parameters},
    {"delete", "delete", "delete", delete_parameters}};
static const struct operation review_operations[] = {{"post", "post", "create", write_parameters}};
static const struct operation status_operations[] = {{"get", "get", "read", get_parameters},
    {"put", "put", "replace", write_parameters}, {"patch", "patch", "patch", patch_parameters}};

struct place { /* of a path */
    const struct hub_kind *kind;
    const char *version;
    const char *suffix; /* behind the plural */
    const char *id;     /* behind the kind: "Status" */
    bool all_namespaces;
};

static void put_parameters(struct fed_buf *out, const struct parameter *list)
{
    for (size_t i = 0; list[i].name; i++)
        fed_buf_printf(out,
            "%s{\"name\":\"%s\",\"in\":\"query\",\"schema\":{\"type\":\"%s\",\"uniqueItems\":true}"
            "}",
            i ? "," : "", list[i].name, list[i].type);
}

/* "fed.example.com" as FedExampleCom. */
static void put_camel(struct fed_buf *out, const char *text)
{
    bool upper = true;

    for (; *text; text++) {
        bool lower = *text >= 'a' && *text <= 'z';

        if (*text == '.' || *text == '-')
            upper = true;
        else {
            fed_buf_put_u8(out, (uint8_t)(upper && lower ? *text - 32 : *text));
            upper = false;
        }
    }
}

/* "listFedExampleComV1NamespacedThing", "deleteFedExampleComV1CollectionThing". */
static void put_operation_id(
    struct fed_buf *out, const struct place *place, const struct operation *operation)
{
    const struct hub_kind *kind = place->kind;

    fed_buf_printf(out, ",\"operationId\":\"%s", operation->id);
    put_camel(out, kind->group[0] ? kind->group : "core");
    put_camel(out, place->version);
    fed_buf_printf(out, "%s%s%s%s%s\"",
        strcmp(operation->action, "deletecollection") == 0 ? "Collection" : "",
        kind->namespaced && !place->all_namespaces ? "Namespaced" : "", kind->kind, place->id,
        place->all_namespaces ? "ForAllNamespaces" : "");
}

static void put_operation(
    struct fed_buf *out, const struct place *place, const struct operation *operation)
{
    const struct hub_kind *kind = place->kind;
    const char *version = place->version;

    fed_buf_printf(out, "\"%s\":{\"parameters\":[", operation->method);
    if (!place->all_namespaces) /* there they stand beside the one operation */
        put_parameters(out, operation->parameters);
    fed_buf_put_text(out, "]");
    put_operation_id(out, place, operation);
    fed_buf_put_text(out,
        ",\"responses\":{\"200\":{\"description\":\"OK\",\"content\":{\"application/json\":{"
        "\"schema\":{\"$ref\":\"#/components/schemas/");
    put_schema_name(out, kind, version);
    fed_buf_printf(out,
        "%s\"}}}}},\"x-kubernetes-action\":\"%s\",\"x-kubernetes-group-version-kind\":",
        strcmp(operation->action, "list") == 0 ? "List" : "", operation->action);
    put_gvk(out, kind, version, kind->kind);
    fed_buf_put_text(out, "}");
}

static void put_path(
    struct fed_buf *out, const struct place *place, const struct operation *operations, size_t n)
{
    const struct hub_kind *kind = place->kind;

    fed_buf_printf(out, "\"/%s%s%s/%s%s/%s%s\":{", kind->group[0] ? "apis" : "api",
        kind->group[0] ? "/" : "", kind->group, place->version,
        kind->namespaced && !place->all_namespaces ? "/namespaces/{namespace}" : "", kind->plural,
        place->suffix);
    for (size_t i = 0; i < n; i++) {
        if (kind->read_only && operations[i].method[0] != 'g')
            continue;
        fed_buf_put_text(out, i ? "," : "");
        put_operation(out, place, &operations[i]);
    }
    if (place->all_namespaces) {
        fed_buf_put_text(out, ",\"parameters\":[");
        put_parameters(out, operations[0].parameters);
        fed_buf_put_text(out, "]");
    }
    fed_buf_put_text(out, "}");
}

static void put_paths(
    struct fed_buf *out, const struct hub_kind *kind, const struct hub_kind_version *at)
{
    struct place place = {kind, at->name, "", "", false};

    if (kind->hooks.transient) {
        put_path(out, &place, review_operations, 1);
        return;
    }
    put_path(out, &place, collection_operations, 3);
    fed_buf_put_text(out, ",");
    place.suffix = "/{name}";
    put_path(out, &place, object_operations, 4);
    if (kind->namespaced) {
        fed_buf_put_text(out, ",");
        put_path(out, &(struct place){kind, at->name, "", "", true}, collection_operations, 1);
    }
    if (at->status_subresource) {
        fed_buf_put_text(out, ",");
        put_path(out, &(struct place){kind, at->name, "/{name}/status", "Status", false},
            status_operations, 3);
    }
    if (at->scale.spec_path) {
        fed_buf_put_text(out, ",");
        put_path(out, &(struct place){kind, at->name, "/{name}/scale", "Scale", false},
            status_operations, 3);
    }
}

static bool review_is_asked(const struct hub_request *r, const struct hub_review *review)
{
    return fed_span_is(r->path.group, review->group) &&
           fed_span_is(r->path.version, review->version);
}

/* A review has no list, and its objects are only posted. */
static enum fed_err put_review(struct hub_request *r, const struct hub_review *review,
    struct fed_buf *out, struct fed_buf *paths)
{
    const struct hub_kind kind = {.group = review->group,
        .kind = review->kind,
        .plural = review->plural,
        .namespaced = review->namespaced};
    const struct hub_core_type *type;
    struct fed_buf text;
    enum fed_err err;

    fed_buf_init(&text, r->mem, HUB_LIMIT_ANSWER_BYTES);
    fed_buf_printf(&text, "%s/%s", review->group, review->version);
    type = hub_core_find(
        hub_kinds_core(r->api->kinds), fed_buf_span(&text), fed_span_text(review->kind));
    if (!type)
        return FED_ERR_NOT_FOUND;
    fed_buf_clear(&text);
    hub_core_put_schema(&text, type);
    err = fed_buf_err(&text);
    if (!err)
        err = put_schema(r, out, &kind, review->version, fed_buf_span(&text));
    fed_buf_put_text(out, ",");
    put_path(paths, &(struct place){&kind, review->version, "", "", false}, review_operations, 1);
    return err;
}

static enum fed_err put_group(struct hub_request *r, struct fed_buf *out)
{
    struct fed_buf paths;
    size_t shown = 0;
    enum fed_err err = FED_OK;

    fed_buf_init(&paths, r->mem, HUB_LIMIT_ANSWER_BYTES);
    fed_buf_put_text(out,
        "{\"openapi\":\"3.0.0\",\"info\":{\"title\":\"fedhub\",\"version\":\"" HUB_GIT_VERSION
        "\"},\"components\":{\"schemas\":{");
    for (size_t i = 0; !err && i < hub_kinds_count(r->api->kinds); i++) {
        const struct hub_kind *kind = hub_kinds_at(r->api->kinds, i);
        const struct hub_kind_version *version = hub_kind_version_find(kind, r->path.version);

        if (!fed_span_is(r->path.group, kind->group) || !version)
            continue;
        err = put_schema(r, out, kind, version->name, hub_schema_openapi(version->schema));
        put_list_schema(out, kind, version->name);
        fed_buf_put_text(out, ",");
        fed_buf_put_text(&paths, shown++ ? "," : "");
        put_paths(&paths, kind, version);
    }
    for (size_t i = 0; !err && hub_review_at(i); i++)
        if (review_is_asked(r, hub_review_at(i))) {
            fed_buf_put_text(&paths, shown++ ? "," : "");
            err = put_review(r, hub_review_at(i), out, &paths);
        }
    fed_buf_put(out, fed_span_of(hub_meta_table.text, hub_meta_table.len));
    fed_buf_put_text(out, "}},\"paths\":{");
    fed_buf_put(out, fed_buf_span(&paths));
    fed_buf_put_text(out, "}}\n");
    if (err || fed_buf_err(&paths))
        return err ? err : fed_buf_err(&paths);
    return shown > 0 ? FED_OK : FED_ERR_NOT_FOUND;
}

/* ---- root ---- */
/* The document depends on the kinds alone: their schemas and the program's version are its hash. */
static void put_hash(
    struct hub_request *r, struct fed_span group, struct fed_span version, char out[65])
{
    struct fed_buf text;
    struct fed_digest digest;
    struct fed_buf hex;

    fed_buf_init(&text, r->mem, HUB_LIMIT_ANSWER_BYTES);
    fed_buf_put_text(&text, FEDLET_VERSION);
    for (size_t i = 0; i < hub_kinds_count(r->api->kinds); i++) {
        const struct hub_kind *kind = hub_kinds_at(r->api->kinds, i);
        const struct hub_kind_version *at = hub_kind_version_find(kind, version);

        if (!fed_span_is(group, kind->group) || !at)
            continue;
        fed_buf_printf(&text, "\n%s %s %d %d ", kind->plural, kind->kind, kind->namespaced,
            at->status_subresource + 2 * (at->scale.spec_path != NULL));
        fed_buf_put(&text, hub_schema_openapi(at->schema));
    }
    if (fed_buf_err(&text) || fed_digest_of(fed_buf_span(&text), &digest))
        digest = (struct fed_digest){{0}}; /* no hash: the document is then asked for each time */
    fed_buf_init(&hex, r->mem, 65);
    fed_text_put_hex(&hex, fed_span_of(digest.bytes, 32));
    snprintf(out, 65, "%s", fed_buf_cstr(&hex));
}

static void put_root_path(
    struct hub_request *r, struct fed_buf *out, const char *group, const char *version, bool *first)
{
    const char *root = group[0] ? "apis/" : "api";
    char hash[65];

    put_hash(r, fed_span_text(group), fed_span_text(version), hash);
    fed_buf_printf(out, "%s\"%s%s/%s\":{\"serverRelativeURL\":\"/openapi/v3/%s%s/%s?hash=%s\"}",
        *first ? "" : ",", root, group, version, root, group, version, hash);
    *first = false;
}

static void put_root(struct hub_request *r, struct fed_buf *out)
{
    struct fed_span last_group = {0};
    struct fed_span seen[64];
    size_t n_seen = 0;
    bool first = true;

    fed_buf_put_text(out, "{\"paths\":{");
    for (size_t i = 0; i < hub_kinds_count(r->api->kinds); i++) {
        const struct hub_kind *kind = hub_kinds_at(r->api->kinds, i);

        if (!fed_span_is(last_group, kind->group) || i == 0)
            n_seen = 0;
        last_group = fed_span_text(kind->group);
        for (size_t v = 0; v < kind->n_versions; v++) {
            struct fed_span version = fed_span_text(kind->versions[v].name);
            bool done = !kind->versions[v].served || n_seen == 64;

            for (size_t s = 0; s < n_seen; s++)
                done = done || fed_span_eq(seen[s], version);
            if (done)
                continue;
            seen[n_seen++] = version;
            put_root_path(r, out, kind->group, kind->versions[v].name, &first);
        }
    }
    for (size_t i = 0; hub_review_at(i); i++)
        if (i == 0 || strcmp(hub_review_at(i)->group, hub_review_at(i - 1)->group) != 0)
            put_root_path(r, out, hub_review_at(i)->group, hub_review_at(i)->version, &first);
    fed_buf_put_text(out, "}}\n");
}

/* The root holds the hash of every document. It is made once for each state of the kinds. */
static enum fed_err root_of(struct hub_request *r, struct fed_span *out)
{
    struct hub_api *api = r->api;
    uint64_t generation = hub_kinds_generation(api->kinds);
    enum fed_err err = FED_OK;

    if (api->openapi_generation != generation) {
        if (!api->openapi_root.mem)
            fed_buf_init(&api->openapi_root, api->mem, HUB_LIMIT_OPENAPI_ROOT);
        fed_buf_clear(&api->openapi_root);
        put_root(r, &api->openapi_root);
        err = fed_buf_err(&api->openapi_root);
        api->openapi_generation = err ? 0 : generation;
    }
    *out = fed_buf_span(&api->openapi_root);
    return err;
}

/* FED_ERR_NOT_FOUND: there is no such document. */
static enum fed_err hash_of(struct hub_request *r, char out[65])
{
    struct fed_span rest;
    struct fed_span line;
    char wanted[400];
    enum fed_err err = root_of(r, &rest);

    if (err)
        return err;
    snprintf(wanted, sizeof wanted,
        "/openapi/v3/%s%.*s/%.*s?hash=", r->path.group.len ? "apis/" : "api",
        (int)(r->path.group.len > 253 ? 0 : r->path.group.len), (const char *)r->path.group.at,
        (int)(r->path.version.len > 63 ? 0 : r->path.version.len),
        (const char *)r->path.version.at);
    while (fed_span_split(&rest, '"', &line))
        if (fed_span_starts(line, wanted)) {
            snprintf(out, 65, "%.64s", (const char *)line.at + strlen(wanted));
            return FED_OK;
        }
    return FED_ERR_NOT_FOUND;
}

static enum fed_err respond_group(struct hub_request *r)
{
    struct fed_buf out;
    enum fed_err err;
    struct fed_http_header headers[3] = {{FED_SPAN_LIT("etag"), {0}},
        {FED_SPAN_LIT("cache-control"), FED_SPAN_LIT("public, immutable")},
        {FED_SPAN_LIT("expires"), FED_SPAN_LIT("Fri, 31 Dec 2049 23:59:59 GMT")}};
    char hash[65];
    char etag[70];
    char wanted[80];
    bool hashed;

    err = hash_of(r, hash);
    if (err)
        return err;
    snprintf(etag, sizeof etag, "\"%s\"", hash);
    snprintf(wanted, sizeof wanted, "hash=%s", hash);
    hashed = fed_span_starts(r->http->query, wanted);
    headers[0].value = fed_span_text(etag);
    if (fed_span_is(hub_request_header(r, "if-none-match"), etag))
        return hub_respond(r, 304, NULL, (struct fed_span){0}, headers, 1);
    fed_buf_init(&out, r->mem, HUB_LIMIT_ANSWER_BYTES);
    err = put_group(r, &out);
    if (!err)
        err = fed_buf_err(&out);
    return err ? err
               : hub_respond(
                     r, 200, "application/json", fed_buf_span(&out), headers, hashed ? 3 : 1);
}

enum fed_err hub_handle_openapi(struct hub_request *r)
{
    struct fed_span root;
    enum fed_err err;

    if (!fed_span_is(r->http->method, "GET"))
        return hub_fail(r, 405, "MethodNotAllowed",
            "the server does not allow this method on the requested resource");
    if (r->path.endpoint == HUB_ENDPOINT_OPENAPI_V2)
        return hub_respond(r, 200, "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
            fed_span_of(openapi_v2, sizeof openapi_v2), NULL, 0);
    if (r->path.endpoint == HUB_ENDPOINT_OPENAPI_V3) {
        err = root_of(r, &root);
        return err ? err : hub_respond(r, 200, "application/json", root, NULL, 0);
    }
    err = respond_group(r);
    return err == FED_ERR_NOT_FOUND ? hub_respond(r, 404, NULL, (struct fed_span){0}, NULL, 0)
                                    : err;
}
