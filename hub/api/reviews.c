/* reviews.c - what may I, what may they, who am I, whose token is this: requests that are answered
 * and not stored.
 *
 * Source: authorization.k8s.io/v1 and authentication.k8s.io/v1, k8s.io/kubernetes
 * registry/authorization and registry/authentication. */
#include "hub/api/guest.h"

#include "proto/base/text.h"

#include <stdio.h>

/* ---- may they ---- */
static enum fed_err invalid(
    struct hub_request *r, const char *kind, const char *field, const char *value, const char *why)
{
    struct hub_causes *causes = hub_causes_new(r);

    if (!causes)
        return FED_ERR_NOMEM;
    hub_causes_add(causes, "FieldValueInvalid", field, "Invalid value: %s: %s", value, why);
    hub_fail(r, 422, "Invalid", "%s \"\" is invalid: %s: Invalid value: %s: %s", kind, field, value,
        why);
    r->failure.causes = causes;
    return FED_ERR_INVALID;
}

static enum fed_err check_spec(
    struct hub_request *r, const char *kind, const struct fed_json *body, bool other)
{
    const struct fed_json *spec = fed_json_get(body, "spec");
    bool resource = fed_json_get(spec, "resourceAttributes") != NULL;
    bool path = fed_json_get(spec, "nonResourceAttributes") != NULL;

    if (resource && path)
        return invalid(r, kind, "spec.nonResourceAttributes", "{}",
            "cannot be specified in combination with resourceAttributes");
    if (!resource && !path)
        return invalid(r, kind, "spec.resourceAttributes", "null",
            "exactly one of nonResourceAttributes or resourceAttributes must be specified");
    if (other && fed_json_string(fed_json_get(spec, "user")).len == 0 &&
        fed_json_count(fed_json_get(spec, "groups")) == 0)
        return invalid(
            r, kind, "spec.user", "\"\"", "at least one of user or group must be specified");
    return FED_OK;
}

static struct hub_access access_from(const struct fed_json *body)
{
    const struct fed_json *resource = fed_json_find(body, "spec.resourceAttributes");
    const struct fed_json *path = fed_json_find(body, "spec.nonResourceAttributes");

    return (struct hub_access){
        .verb = fed_json_string(fed_json_get(resource ? resource : path, "verb")),
        .group = fed_json_string(fed_json_get(resource, "group")),
        .resource = fed_json_string(fed_json_get(resource, "resource")),
        .subresource = fed_json_string(fed_json_get(resource, "subresource")),
        .ns = fed_json_string(fed_json_get(resource, "namespace")),
        .name = fed_json_string(fed_json_get(resource, "name")),
        .path = fed_json_string(fed_json_get(path, "path")),
    };
}

static enum fed_err put_decision(
    struct hub_request *r, struct fed_json *body, const struct hub_user *user)
{
    struct hub_access access = access_from(body);
    struct fed_json *status = fed_json_new_object(r->doc);
    struct hub_reason reason;
    bool allowed = hub_api_authorize(r->api, user, &access, &reason);
    enum fed_err err =
        status ? fed_json_set_bool(r->doc, status, "allowed", allowed) : FED_ERR_NOMEM;

    if (!err && reason.text[0])
        err = fed_json_set_text(r->doc, status, "reason", reason.text);
    return err ? err : fed_json_set(r->doc, body, "status", status);
}

static enum fed_err self_access(struct hub_request *r, struct fed_json *body)
{
    enum fed_err err = check_spec(r, "SelfSubjectAccessReview.authorization.k8s.io", body, false);

    return err ? err : put_decision(r, body, &r->user);
}

static enum fed_err user_too_large(struct hub_request *r)
{
    return hub_fail(r, 400, "BadRequest",
        "spec: at most %u groups of 127 bytes and a user of %u bytes", HUB_USER_GROUPS_MAX,
        HUB_USER_NAME_SIZE - 1);
}

static enum fed_err user_from(
    struct hub_request *r, const struct fed_json *spec, struct hub_user *user)
{
    struct fed_json_iter it;

    hub_user_init(user);
    if (hub_user_set_name(user, fed_json_string(fed_json_get(spec, "user"))))
        return user_too_large(r);
    fed_json_iter_init(&it, fed_json_get(spec, "groups"));
    while (fed_json_iter_next(&it))
        if (hub_user_add_group(user, fed_json_string(it.value)))
            return user_too_large(r);
    return FED_OK;
}

static enum fed_err other_access(struct hub_request *r, struct fed_json *body)
{
    struct hub_user *user = fed_alloc_zero(r->mem, sizeof *user);
    enum fed_err err = user ? check_spec(r, "SubjectAccessReview.authorization.k8s.io", body, true)
                            : FED_ERR_NOMEM;

    if (!err)
        err = user_from(r, fed_json_get(body, "spec"), user);
    return err ? err : put_decision(r, body, user);
}

static enum fed_err other_namespace(struct hub_request *r, const char *kind, struct fed_span ns)
{
    char value[80];

    snprintf(value, sizeof value, "\"%.63s\"", hub_request_cstr(r, ns));
    return invalid(
        r, kind, "spec.resourceAttributes.namespace", value, "must match metadata.namespace");
}

static enum fed_err local_access(struct hub_request *r, struct fed_json *body)
{
    static const char kind[] = "LocalSubjectAccessReview.authorization.k8s.io";
    const struct fed_json *resource = fed_json_find(body, "spec.resourceAttributes");
    struct hub_user *user = fed_alloc_zero(r->mem, sizeof *user);
    enum fed_err err = user ? check_spec(r, kind, body, true) : FED_ERR_NOMEM;

    if (!err && !resource)
        err = invalid(
            r, kind, "spec.nonResourceAttributes", "{}", "disallowed on this kind of request");
    if (!err && !fed_span_eq(fed_json_string(fed_json_get(resource, "namespace")), r->path.ns))
        err = other_namespace(r, kind, fed_json_string(fed_json_get(resource, "namespace")));
    if (!err)
        err = user_from(r, fed_json_get(body, "spec"), user);
    return err ? err : put_decision(r, body, user);
}

/* ---- what may I ---- */
struct rule_list {
    struct fed_json_doc *doc;
    struct fed_json *resources;
    struct fed_json *paths;
    enum fed_err err;
};

static enum fed_err put_texts(struct fed_json_doc *doc, struct fed_json *object, const char *key,
    const struct hub_texts *texts)
{
    struct fed_json *list = fed_json_new_array(doc);
    enum fed_err err = fed_json_set(doc, object, key, list);

    for (size_t i = 0; !err && i < texts->n; i++)
        err = fed_json_append(list, fed_json_new_string(doc, texts->at[i]));
    return err;
}

static enum fed_err put_resource_rule(struct rule_list *list, const struct hub_rule *rule)
{
    struct fed_json *object = fed_json_new_object(list->doc);
    enum fed_err err = object ? put_texts(list->doc, object, "verbs", &rule->verbs) : FED_ERR_NOMEM;

    if (!err)
        err = put_texts(list->doc, object, "apiGroups", &rule->groups);
    if (!err)
        err = put_texts(list->doc, object, "resources", &rule->resources);
    if (!err && rule->names.n > 0)
        err = put_texts(list->doc, object, "resourceNames", &rule->names);
    return err ? err : fed_json_append(list->resources, object);
}

static enum fed_err put_path_rule(struct rule_list *list, const struct hub_rule *rule)
{
    struct fed_json *object = fed_json_new_object(list->doc);
    enum fed_err err = object ? put_texts(list->doc, object, "verbs", &rule->verbs) : FED_ERR_NOMEM;

    if (!err)
        err = put_texts(list->doc, object, "nonResourceURLs", &rule->urls);
    return err ? err : fed_json_append(list->paths, object);
}

static bool put_rule(void *ctx, const struct hub_rule *rule)
{
    struct rule_list *list = ctx;

    if (rule->resources.n > 0)
        list->err = put_resource_rule(list, rule);
    if (!list->err && rule->urls.n > 0)
        list->err = put_path_rule(list, rule);
    return !list->err;
}

/* Admins hold everything by their group; as a rule there is a binding that says so as well. */
static void put_everything(struct rule_list *list)
{
    static const struct fed_span any[] = {{(const uint8_t *)"*", 1}};
    static const struct hub_texts all = {any, 1, true};
    const struct hub_rule rule = {.verbs = all, .groups = all, .resources = all, .urls = all};

    put_rule(list, &rule);
}

static bool is_bound_to_everything(const struct hub_request *r)
{
    struct hub_access any = {
        .verb = FED_SPAN_LIT("*"), .group = FED_SPAN_LIT("*"), .resource = FED_SPAN_LIT("*")};

    return hub_rbac_allows(r->api->rbac, &r->user, &any, NULL);
}

static enum fed_err self_rules(struct hub_request *r, struct fed_json *body)
{
    struct fed_span ns = fed_json_string(fed_json_find(body, "spec.namespace"));
    struct rule_list list = {
        r->doc, fed_json_new_array(r->doc), fed_json_new_array(r->doc), FED_OK};
    struct fed_json *status = fed_json_new_object(r->doc);
    enum fed_err err = status && list.resources && list.paths ? FED_OK : FED_ERR_NOMEM;

    if (ns.len == 0)
        return hub_fail(r, 400, "BadRequest", "no namespace on request");
    if (!err && hub_user_is_admin(&r->user) && !is_bound_to_everything(r))
        put_everything(&list);
    if (!err && !list.err && !hub_user_is_agent(&r->user))
        hub_rbac_rules_of(r->api->rbac, &r->user, ns, put_rule, &list);
    if (!err)
        err = list.err;
    if (!err)
        err = fed_json_set(r->doc, status, "resourceRules", list.resources);
    if (!err)
        err = fed_json_set(r->doc, status, "nonResourceRules", list.paths);
    if (!err)
        err = fed_json_set_bool(r->doc, status, "incomplete", false);
    return err ? err : fed_json_set(r->doc, body, "status", status);
}

void hub_user_namespaces(const struct hub_api *api, const struct hub_user *user,
    hub_rbac_namespace_each *each, void *ctx)
{
    hub_rbac_namespaces_of(api->rbac, user, each, ctx);
}

/* ---- who ---- */
static enum fed_err put_extra(
    struct hub_request *r, struct fed_json *info, const struct hub_user *user)
{
    struct fed_json *extra = fed_json_ensure_object(r->doc, info, "extra");
    enum fed_err err = extra ? FED_OK : FED_ERR_NOMEM;

    for (size_t i = 0; !err && i < user->n_extra; i++) {
        struct fed_json *list = fed_json_get(extra, user->extra[i].key);

        if (!list) {
            list = fed_json_new_array(r->doc);
            err = fed_json_set(r->doc, extra, user->extra[i].key, list);
        }
        if (!err)
            err = fed_json_append(list, fed_json_new_text(r->doc, user->extra[i].value));
    }
    return err;
}

static enum fed_err put_user(
    struct hub_request *r, struct fed_json *status, const char *key, const struct hub_user *user)
{
    struct fed_json *info = fed_json_ensure_object(r->doc, status, key);
    struct fed_json *groups = fed_json_new_array(r->doc);
    enum fed_err err =
        info && groups ? fed_json_set_text(r->doc, info, "username", user->name) : FED_ERR_NOMEM;

    if (!err && user->uid[0])
        err = fed_json_set_text(r->doc, info, "uid", user->uid);
    for (size_t i = 0; !err && i < user->n_groups; i++)
        err = fed_json_append(groups, fed_json_new_text(r->doc, user->groups[i]));
    if (!err)
        err = fed_json_set(r->doc, info, "groups", groups);
    return err || user->n_extra == 0 ? err : put_extra(r, info, user);
}

static enum fed_err self_user(struct hub_request *r, struct fed_json *body)
{
    struct fed_json *status;
    char now[FED_TEXT_TIME_SIZE];

    fed_json_remove(body, "status");
    status = fed_json_ensure_object(r->doc, body, "status");
    fed_text_time(fed_loop_unix_s(r->api->options.loop), now);
    if (!status ||
        fed_json_set_text(r->doc, fed_json_get(body, "metadata"), "creationTimestamp", now))
        return FED_ERR_NOMEM;
    return put_user(r, status, "userInfo", &r->user);
}

static enum fed_err put_holder(
    struct hub_request *r, struct fed_json *status, const struct hub_token_holder *holder)
{
    struct fed_json *audiences = fed_json_new_array(r->doc);
    enum fed_err err = fed_json_set(r->doc, status, "audiences", audiences);

    for (size_t i = 0; !err && i < holder->n_audiences; i++)
        err = fed_json_append(audiences, fed_json_new_text(r->doc, holder->audiences[i]));
    return err ? err : put_user(r, status, "user", &holder->user);
}

static enum fed_err put_no_holder(
    struct hub_request *r, struct fed_json *status, const char *reason)
{
    char text[sizeof((struct fed_diag *)0)->text + 32];

    snprintf(text, sizeof text, "[invalid bearer token, %s]", reason);
    if (!fed_json_ensure_object(r->doc, status, "user"))
        return FED_ERR_NOMEM;
    return fed_json_set_text(r->doc, status, "error", text);
}

static enum fed_err take_audiences(struct hub_request *r, const struct fed_json *spec,
    struct fed_span out[HUB_TOKEN_AUDIENCES_MAX], size_t *n)
{
    struct fed_json_iter it;

    fed_json_iter_init(&it, fed_json_get(spec, "audiences"));
    while (fed_json_iter_next(&it)) {
        if (*n == HUB_TOKEN_AUDIENCES_MAX)
            return hub_fail(
                r, 400, "BadRequest", "spec.audiences: at most %u", HUB_TOKEN_AUDIENCES_MAX);
        out[(*n)++] = fed_json_string(it.value);
    }
    return FED_OK;
}

static enum fed_err token_review(struct hub_request *r, struct fed_json *body)
{
    const struct fed_json *spec = fed_json_get(body, "spec");
    struct fed_span token = fed_json_string(fed_json_get(spec, "token"));
    struct hub_token_holder *holder = fed_alloc_zero(r->mem, sizeof *holder);
    struct fed_span audiences[HUB_TOKEN_AUDIENCES_MAX];
    struct fed_json *status;
    struct fed_diag diag = {{0}};
    size_t n = 0;
    enum fed_err err;

    if (token.len == 0)
        return hub_fail(
            r, 400, "BadRequest", "token is required for TokenReview in authentication");
    fed_json_remove(body, "status");
    status = fed_json_ensure_object(r->doc, body, "status");
    err = status && holder ? take_audiences(r, spec, audiences, &n) : FED_ERR_NOMEM;
    if (err)
        return err;
    err = r->api->options.tokens
              ? hub_tokens_verify(r->api->options.tokens, token, audiences, n, holder, &diag)
              : fed_diag_set(&diag, FED_ERR_UNAUTHENTICATED, "this hub makes no tokens");
    if (!err) {
        err = fed_json_set_bool(r->doc, status, "authenticated", true);
        return err ? err : put_holder(r, status, holder);
    }
    if (err != FED_ERR_UNAUTHENTICATED)
        return err;
    return put_no_holder(r, status, diag.text);
}

static const struct review {
    const char *plural;
    enum fed_err (*answer)(struct hub_request *r, struct fed_json *body);
} reviews[] = {
    {"selfsubjectaccessreviews", self_access},
    {"subjectaccessreviews", other_access},
    {"localsubjectaccessreviews", local_access},
    {"selfsubjectrulesreviews", self_rules},
    {"selfsubjectreviews", self_user},
    {"tokenreviews", token_review},
};

enum fed_err hub_handle_review(struct hub_request *r)
{
    struct fed_json *body = NULL;
    enum fed_err err;

    if (!fed_span_is(r->http->method, "POST") || r->path.name.len > 0)
        return hub_fail(r, 405, "MethodNotAllowed",
            "the server does not allow this method on the requested resource");
    err = hub_decode_body(r, &body);
    if (err)
        return err;
    if (!fed_json_is_object(body) || !fed_json_ensure_object(r->doc, body, "metadata"))
        return hub_fail(r, 400, "BadRequest", "the body is not a review");
    err = FED_ERR_NOT_FOUND;
    for (size_t i = 0; i < sizeof reviews / sizeof *reviews; i++)
        if (fed_span_is(r->path.resource, reviews[i].plural))
            err = reviews[i].answer(r, body);
    return err ? err : hub_respond_json(r, 201, body);
}
