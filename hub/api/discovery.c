/* discovery.c - /api, /apis, /apis/G, /apis/G/V in the old form, and the aggregated form of /api
 * and /apis.
 *
 * All from the table of kinds, and from the few reviews that are no stored kinds. */
#include "hub/api/internal.h"
#include "proto/base/text.h"
#include "proto/digest/sha256.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct hub_review reviews[] = {
    {"authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", false},
    {"authentication.k8s.io", "v1", "tokenreviews", "TokenReview", false},
    {"authorization.k8s.io", "v1", "localsubjectaccessreviews", "LocalSubjectAccessReview", true},
    {"authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", false},
    {"authorization.k8s.io", "v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview", false},
    {"authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", false},
};
#define N_REVIEWS (sizeof reviews / sizeof *reviews)

bool hub_review_is(const struct hub_path *path)
{
    for (size_t i = 0; i < N_REVIEWS; i++)
        if (fed_span_is(path->group, reviews[i].group) &&
            fed_span_is(path->version, reviews[i].version) &&
            fed_span_is(path->resource, reviews[i].plural))
            return reviews[i].namespaced == (path->ns.len > 0);
    return false;
}

const struct hub_review *hub_review_at(size_t index)
{
    return index < N_REVIEWS ? &reviews[index] : NULL;
}

/* ---- groups and versions ---- */
#define GROUPS_MAX 1024u
#define GROUP_VERSIONS_MAX 16u
struct group {
    const char *name;
    const char *versions[GROUP_VERSIONS_MAX]; /* preferred first */
    size_t n;
};
struct groups {
    struct group list[GROUPS_MAX];
    size_t n;
};

static struct group *group_of(struct groups *groups, const char *name)
{
    for (size_t i = 0; i < groups->n; i++)
        if (strcmp(groups->list[i].name, name) == 0)
            return &groups->list[i];
    if (groups->n == GROUPS_MAX)
        return NULL;
    groups->list[groups->n].name = name;
    return &groups->list[groups->n++];
}

static void group_add(struct groups *groups, const char *name, const char *version)
{
    struct group *group = group_of(groups, name);

    for (size_t i = 0; group && i < group->n; i++)
        if (strcmp(group->versions[i], version) == 0)
            return;
    if (group && group->n < GROUP_VERSIONS_MAX)
        group->versions[group->n++] = version;
}

/* "v12beta3": stability, then the numbers; others come last, by name. */
struct version_order {
    int stability; /* 3: v1, 2: beta, 1: alpha, 0: none of these */
    unsigned long major, minor;
};

static struct version_order version_order(const char *name)
{
    static const struct {
        const char *word;
        int stability;
    } words[] = {{"alpha", 1}, {"beta", 2}};
    struct version_order order = {0, 0, 0};
    char *at;

    if (name[0] != 'v' || name[1] < '1' || name[1] > '9')
        return order;
    order.major = strtoul(name + 1, &at, 10);
    if (*at == 0)
        order.stability = 3;
    for (size_t i = 0; i < 2; i++) {
        size_t len = strlen(words[i].word);
        char *end;

        if (strncmp(at, words[i].word, len) != 0 || at[len] < '1' || at[len] > '9')
            continue;
        order.minor = strtoul(at + len, &end, 10);
        order.stability = *end == 0 ? words[i].stability : 0;
    }
    return order;
}

int hub_version_cmp(const char *left, const char *right)
{
    struct version_order x = version_order(left);
    struct version_order y = version_order(right);

    if (x.stability != y.stability)
        return y.stability - x.stability;
    if (x.stability == 0)
        return strcmp(left, right);
    if (x.major != y.major)
        return x.major > y.major ? -1 : 1;
    return x.minor == y.minor ? 0 : (x.minor > y.minor ? -1 : 1);
}

static int version_cmp(const void *a, const void *b)
{
    return hub_version_cmp(*(const char *const *)a, *(const char *const *)b);
}

static struct groups *groups_collect(struct hub_request *r)
{
    struct groups *groups = fed_alloc_zero(r->mem, sizeof *groups);
    const struct hub_kinds *kinds = r->api->kinds;

    for (size_t i = 0; groups && i < hub_kinds_count(kinds); i++) {
        const struct hub_kind *kind = hub_kinds_at(kinds, i);

        for (size_t v = 0; v < kind->n_versions; v++)
            if (kind->versions[v].served)
                group_add(groups, kind->group, kind->versions[v].name);
    }
    for (size_t i = 0; groups && i < N_REVIEWS; i++)
        group_add(groups, reviews[i].group, reviews[i].version);
    for (size_t i = 0; groups && i < groups->n; i++)
        qsort(groups->list[i].versions, groups->list[i].n, sizeof *groups->list[i].versions,
            version_cmp);
    return groups;
}

/* ---- resources ---- */
static const char *const verbs_all[] = {
    "create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"};
/* The same for custom kinds, in the order in which they are shown. */
static const char *const verbs_custom[] = {
    "delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"};
static const char *const verbs_read[] = {"get", "list", "watch"};
static const char *const verbs_status[] = {"get", "patch", "update"};
static const char *const verbs_create[] = {"create"};

static void put_lower(struct fed_buf *out, const char *text)
{
    for (; *text; text++)
        fed_buf_put_u8(out, *text >= 'A' && *text <= 'Z' ? (uint8_t)(*text + 32) : (uint8_t)*text);
}

static void put_texts(struct fed_buf *out, const char *key, const char *const *list, size_t n)
{
    fed_buf_printf(out, ",\"%s\":[", key);
    for (size_t i = 0; i < n; i++) {
        fed_buf_put_text(out, i ? "," : "");
        hub_json_put_text(out, list[i]);
    }
    fed_buf_put_text(out, "]");
}

static void put_names(struct fed_buf *out, const char *key, const char *const *names, size_t n)
{
    if (n > 0)
        put_texts(out, key, names, n);
}

static const char *const verbs_namespaces[] = {
    "create", "delete", "get", "list", "patch", "update", "watch"};

/* Subresources of core kinds that have a form of their own. */
static const struct core_subresource {
    const char *plural;
    const char *name;
    const char *group; /* of its kind */
    const char *kind;
    const char *verb;
} core_subresources[] = {
    {"namespaces", "finalize", "", "Namespace", "update"},
    {"serviceaccounts", "token", "authentication.k8s.io", "TokenRequest", "create"},
};

static const struct core_subresource *core_subresource(const struct hub_kind *kind)
{
    for (size_t i = 0; i < sizeof core_subresources / sizeof *core_subresources; i++)
        if (kind->group[0] == 0 && strcmp(core_subresources[i].plural, kind->plural) == 0)
            return &core_subresources[i];
    return NULL;
}

static void put_verbs(struct fed_buf *out, const struct hub_kind *kind)
{
    if (kind->read_only)
        put_texts(out, "verbs", verbs_read, 3);
    else if (kind->hooks.transient)
        put_texts(out, "verbs", verbs_create, 1);
    else if (kind->group[0] == 0 && strcmp(kind->plural, "namespaces") == 0)
        put_texts(out, "verbs", verbs_namespaces, 7); /* never all of them at once */
    else
        put_texts(out, "verbs", kind->custom ? verbs_custom : verbs_all, 8);
}

static void old_resource(struct fed_buf *out, const struct hub_kind *kind,
    const struct hub_kind_version *version, bool first)
{
    const struct core_subresource *core = core_subresource(kind);

    fed_buf_printf(out,
        "%s{\"name\":\"%s\",\"singularName\":\"%s\",\"namespaced\":%s,\"kind\":\"%s\"",
        first ? "" : ",", kind->plural, kind->singular, kind->namespaced ? "true" : "false",
        kind->kind);
    put_verbs(out, kind);
    put_names(out, "shortNames", kind->short_names, kind->n_short_names);
    put_names(out, "categories", kind->categories, kind->n_categories);
    fed_buf_put_text(out, "}");
    if (core) {
        fed_buf_printf(out, ",{\"name\":\"%s/%s\",\"singularName\":\"\",\"namespaced\":%s,",
            kind->plural, core->name, kind->namespaced ? "true" : "false");
        if (core->group[0])
            fed_buf_printf(out, "\"group\":\"%s\",\"version\":\"v1\",", core->group);
        fed_buf_printf(out, "\"kind\":\"%s\"", core->kind);
        put_texts(out, "verbs", &core->verb, 1);
        fed_buf_put_text(out, "}");
    }
    if (version->status_subresource) {
        fed_buf_printf(out,
            ",{\"name\":\"%s/status\",\"singularName\":\"\",\"namespaced\":%s,\"kind\":\"%s\"",
            kind->plural, kind->namespaced ? "true" : "false", kind->kind);
        put_texts(out, "verbs", verbs_status, 3);
        fed_buf_put_text(out, "}");
    }
    if (version->scale.spec_path) {
        fed_buf_printf(out,
            ",{\"name\":\"%s/scale\",\"singularName\":\"\",\"namespaced\":%s,\"group\":"
            "\"autoscaling\",\"version\":\"v1\",\"kind\":\"Scale\"",
            kind->plural, kind->namespaced ? "true" : "false");
        put_texts(out, "verbs", verbs_status, 3);
        fed_buf_put_text(out, "}");
    }
    for (const char *const *name = kind->hooks.reads; name && *name; name++) {
        fed_buf_printf(out,
            ",{\"name\":\"%s/%s\",\"singularName\":\"\",\"namespaced\":%s,\"kind\":\"%s\"",
            kind->plural, *name, kind->namespaced ? "true" : "false", kind->kind);
        put_texts(out, "verbs", verbs_read, 1);
        fed_buf_put_text(out, "}");
    }
}

static enum fed_err old_resources(struct hub_request *r, struct fed_buf *out)
{
    size_t shown = 0;

    fed_buf_printf(out,
        "{\"kind\":\"APIResourceList\",\"apiVersion\":\"v1\",\"groupVersion\":\"" FED_SPAN_FMT
        "%s" FED_SPAN_FMT "\",\"resources\":[",
        FED_SPAN_ARG(r->path.group), r->path.group.len ? "/" : "", FED_SPAN_ARG(r->path.version));
    for (size_t i = 0; i < hub_kinds_count(r->api->kinds); i++) {
        const struct hub_kind *kind = hub_kinds_at(r->api->kinds, i);

        const struct hub_kind_version *version = hub_kind_version_find(kind, r->path.version);

        if (version && fed_span_is(r->path.group, kind->group))
            old_resource(out, kind, version, shown++ == 0);
    }
    for (size_t i = 0; i < N_REVIEWS; i++) {
        if (!fed_span_is(r->path.group, reviews[i].group) ||
            !fed_span_is(r->path.version, reviews[i].version))
            continue;
        fed_buf_printf(
            out, "%s{\"name\":\"%s\",\"singularName\":\"", shown++ ? "," : "", reviews[i].plural);
        put_lower(out, reviews[i].kind);
        fed_buf_printf(out, "\",\"namespaced\":%s,\"kind\":\"%s\"",
            reviews[i].namespaced ? "true" : "false", reviews[i].kind);
        put_texts(out, "verbs", verbs_create, 1);
        fed_buf_put_text(out, "}");
    }
    fed_buf_put_text(out, "]}\n");
    return shown > 0 ? FED_OK : FED_ERR_NOT_FOUND;
}

static void old_group(struct fed_buf *out, const struct group *group, bool alone)
{
    fed_buf_printf(out, "{%s\"name\":\"%s\",\"versions\":[",
        alone ? "\"kind\":\"APIGroup\",\"apiVersion\":\"v1\"," : "", group->name);
    for (size_t i = 0; i < group->n; i++)
        fed_buf_printf(out, "%s{\"groupVersion\":\"%s/%s\",\"version\":\"%s\"}", i ? "," : "",
            group->name, group->versions[i], group->versions[i]);
    fed_buf_printf(out, "],\"preferredVersion\":{\"groupVersion\":\"%s/%s\",\"version\":\"%s\"}}",
        group->name, group->versions[0], group->versions[0]);
}

static void old_groups(struct fed_buf *out, const struct groups *groups)
{
    bool first = true;

    fed_buf_put_text(out, "{\"kind\":\"APIGroupList\",\"apiVersion\":\"v1\",\"groups\":[");
    for (size_t i = 0; i < groups->n; i++) {
        if (groups->list[i].name[0] == 0)
            continue;
        fed_buf_put_text(out, first ? "" : ",");
        old_group(out, &groups->list[i], false);
        first = false;
    }
    fed_buf_put_text(out, "]}\n");
}

/* ---- aggregated ---- */
/* Of the core group a kind says neither group nor version. */
static void new_kind(struct fed_buf *out, const char *group, const char *version, const char *kind)
{
    if (!group[0])
        version = "";
    fed_buf_printf(out, "\"responseKind\":{\"group\":\"%s\",\"version\":\"%s\",\"kind\":\"%s\"}",
        group, version, kind);
}

static void new_resource(
    struct fed_buf *out, const struct hub_kind *kind, const struct hub_kind_version *at)
{
    const struct core_subresource *core = core_subresource(kind);
    const char *version = at->name;
    const char *separator = ",\"subresources\":[";

    fed_buf_printf(out, "{\"resource\":\"%s\",", kind->plural);
    new_kind(out, kind->group, version, kind->kind);
    fed_buf_printf(out, ",\"scope\":\"%s\",\"singularResource\":\"%s\"",
        kind->namespaced ? "Namespaced" : "Cluster", kind->singular);
    put_verbs(out, kind);
    put_names(out, "shortNames", kind->short_names, kind->n_short_names);
    put_names(out, "categories", kind->categories, kind->n_categories);
    if (core) {
        fed_buf_printf(out, "%s{\"subresource\":\"%s\",", separator, core->name);
        new_kind(out, core->group, "v1", core->kind);
        put_texts(out, "verbs", &core->verb, 1);
        fed_buf_put_text(out, "}");
        separator = ",";
    }
    if (at->status_subresource) {
        fed_buf_printf(out, "%s{\"subresource\":\"status\",", separator);
        new_kind(out, kind->group, version, kind->kind);
        put_texts(out, "verbs", verbs_status, 3);
        fed_buf_put_text(out, "}");
        separator = ",";
    }
    if (at->scale.spec_path) {
        fed_buf_printf(out, "%s{\"subresource\":\"scale\",", separator);
        new_kind(out, "autoscaling", "v1", "Scale");
        put_texts(out, "verbs", verbs_status, 3);
        fed_buf_put_text(out, "}");
        separator = ",";
    }
    for (const char *const *name = kind->hooks.reads; name && *name; name++) {
        fed_buf_printf(out, "%s{\"subresource\":\"%s\",", separator, *name);
        new_kind(out, kind->group, version, kind->kind);
        put_texts(out, "verbs", verbs_read, 1);
        fed_buf_put_text(out, "}");
        separator = ",";
    }
    fed_buf_put_text(out, separator[0] == ',' && separator[1] == 0 ? "]}" : "}");
}

static void new_version(
    struct fed_buf *out, const struct hub_kinds *kinds, const char *group, const char *version)
{
    bool first = true;

    fed_buf_printf(out, "{\"version\":\"%s\",\"freshness\":\"Current\",\"resources\":[", version);
    for (size_t i = 0; i < hub_kinds_count(kinds); i++) {
        const struct hub_kind *kind = hub_kinds_at(kinds, i);

        const struct hub_kind_version *at = hub_kind_version_find(kind, fed_span_text(version));

        if (!at || strcmp(kind->group, group) != 0)
            continue;
        fed_buf_put_text(out, first ? "" : ",");
        new_resource(out, kind, at);
        first = false;
    }
    for (size_t i = 0; i < N_REVIEWS; i++) {
        if (strcmp(reviews[i].group, group) != 0)
            continue;
        fed_buf_printf(out, "%s{\"resource\":\"%s\",", first ? "" : ",", reviews[i].plural);
        new_kind(out, group, version, reviews[i].kind);
        fed_buf_printf(out, ",\"scope\":\"%s\",\"singularResource\":\"",
            reviews[i].namespaced ? "Namespaced" : "Cluster");
        put_lower(out, reviews[i].kind);
        fed_buf_put_text(out, "\"");
        put_texts(out, "verbs", verbs_create, 1);
        fed_buf_put_text(out, "}");
        first = false;
    }
    fed_buf_put_text(out, "]}");
}

static void new_groups(
    struct fed_buf *out, const struct groups *groups, const struct hub_kinds *kinds, bool core)
{
    bool first = true;

    fed_buf_put_text(out,
        "{\"kind\":\"APIGroupDiscoveryList\",\"apiVersion\":\"apidiscovery.k8s.io/v2\","
        "\"metadata\":{},\"items\":[");
    for (size_t i = 0; i < groups->n; i++) {
        const struct group *group = &groups->list[i];

        if ((group->name[0] == 0) != core)
            continue;
        fed_buf_put_text(out, first ? "{\"metadata\":{" : ",{\"metadata\":{");
        if (group->name[0])
            fed_buf_printf(out, "\"name\":\"%s\"", group->name);
        fed_buf_put_text(out, "},\"versions\":[");
        for (size_t v = 0; v < group->n; v++) {
            fed_buf_put_text(out, v ? "," : "");
            new_version(out, kinds, group->name, group->versions[v]);
        }
        fed_buf_put_text(out, "]}");
        first = false;
    }
    fed_buf_put_text(out, "]}\n");
}

static enum fed_err fill(struct hub_request *r, struct fed_buf *out)
{
    struct groups *groups = groups_collect(r);
    bool core = r->path.endpoint == HUB_ENDPOINT_CORE;

    if (!groups)
        return FED_ERR_NOMEM;
    if (r->path.endpoint == HUB_ENDPOINT_RESOURCES)
        return old_resources(r, out);
    if (r->path.endpoint == HUB_ENDPOINT_GROUP) {
        for (size_t i = 0; i < groups->n; i++)
            if (r->path.group.len > 0 && fed_span_is(r->path.group, groups->list[i].name)) {
                old_group(out, &groups->list[i], true);
                return FED_OK;
            }
        return FED_ERR_NOT_FOUND;
    }
    if (r->accept.discovery_v2)
        new_groups(out, groups, r->api->kinds, core);
    else if (core)
        fed_buf_put_text(out, "{\"kind\":\"APIVersions\",\"versions\":[\"v1\"],"
                              "\"serverAddressByClientCIDRs\":[]}\n");
    else
        old_groups(out, groups);
    return FED_OK;
}

/* The documents of groups, and of the versions of custom kinds, are there whatever the method. */
static bool takes_method(const struct hub_request *r)
{
    switch (r->path.endpoint) {
    case HUB_ENDPOINT_GROUPS:
    case HUB_ENDPOINT_GROUP:
        return true;
    case HUB_ENDPOINT_RESOURCES:
        if (!r->path.core && !hub_group_is_of_kubernetes(r))
            return true;
        break;
    default:
        break;
    }
    return fed_span_is(r->http->method, "GET");
}

/* Of the content, as upstream: clients keep the tags of a hub that was started since. */
static enum fed_err tag_of(struct hub_request *r, struct fed_span content, char out[48])
{
    struct fed_digest digest;
    struct fed_buf hex;
    enum fed_err err = fed_digest_of(content, &digest);

    if (err)
        return err;
    fed_buf_init(&hex, r->mem, 64);
    fed_text_put_hex(&hex, fed_span_of(digest.bytes, 16));
    snprintf(out, 48, "\"%s\"", fed_buf_cstr(&hex));
    return fed_buf_err(&hex);
}

enum fed_err hub_handle_discovery(struct hub_request *r)
{
    struct fed_http_header headers[3] = {{FED_SPAN_LIT("vary"), FED_SPAN_LIT("Accept")},
        {FED_SPAN_LIT("etag"), {0}}, {FED_SPAN_LIT("cache-control"), FED_SPAN_LIT("public")}};
    bool aggregated = r->accept.discovery_v2 && (r->path.endpoint == HUB_ENDPOINT_CORE ||
                                                    r->path.endpoint == HUB_ENDPOINT_GROUPS);
    struct fed_buf out;
    char etag[48];
    enum fed_err err;

    if (!takes_method(r))
        return hub_fail(r, 405, "MethodNotAllowed",
            "the server does not allow this method on the requested resource");
    err = hub_check_acceptable(r);
    if (err)
        return err;
    fed_buf_init(&out, r->mem, HUB_LIMIT_ANSWER_BYTES);
    err = fill(r, &out);
    if (err == FED_ERR_NOT_FOUND)
        return hub_fail_unknown(r);
    if (!err)
        err = fed_buf_err(&out);
    if (!err)
        err = tag_of(r, fed_buf_span(&out), etag);
    if (err)
        return err;
    headers[1].value = fed_span_text(etag);
    if (aggregated && fed_span_is(hub_request_header(r, "if-none-match"), etag))
        return hub_respond(r, 304, NULL, (struct fed_span){0}, headers, 3);
    return hub_respond(r, 200,
        aggregated ? "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
                   : "application/json",
        fed_buf_span(&out), headers, aggregated ? 3 : 0);
}
