/* policy.c - see policy.h. */
#include "agent/policy_inner.h"

#include "agent/limits.h"
#include "proto/base/text.h"
#include "proto/doc/doc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_MAX (1u << 20)

bool agent_glob(struct fed_span pattern, struct fed_span text)
{
    size_t p = 0;
    size_t t = 0;
    size_t star = SIZE_MAX;
    size_t from = 0; /* what the last star has taken ends here */

    while (t < text.len) {
        if (p < pattern.len && pattern.at[p] == '*') {
            star = p++;
            from = t;
        } else if (p < pattern.len && pattern.at[p] == text.at[t]) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++from;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.at[p] == '*')
        p++;
    return p == pattern.len;
}

/* ---- the file ---- */

struct reading {
    struct agent_policy *policy;
    struct fed_diag *diag;
};

static enum fed_err copy(struct reading *r, const char *text, struct fed_span *out)
{
    size_t len = strlen(text);
    char *at = fed_alloc_get(&r->policy->arena.alloc, len + 1);

    if (!at)
        return FED_ERR_NOMEM;
    memcpy(at, text, len + 1);
    *out = fed_span_of(at, len);
    return FED_OK;
}

static enum fed_err read_list(
    struct reading *r, const char *key, const struct fed_doc *list, struct policy_list *out)
{
    size_t n = fed_doc_count(list);
    enum fed_err err = FED_OK;

    if (!list)
        return FED_OK;
    if (!fed_doc_is_array(list))
        return fed_diag_set(
            r->diag, FED_ERR_INVALID, "%s.%s: must be a list of texts", key, fed_doc_key(list));
    if (n > AGENT_POLICY_PATTERNS_MAX)
        return fed_diag_set(r->diag, FED_ERR_LIMIT, "%s.%s: more than %u", key, fed_doc_key(list),
            AGENT_POLICY_PATTERNS_MAX);
    out->given = true;
    out->at = fed_alloc_array(&r->policy->arena.alloc, n + 1, sizeof *out->at);
    if (!out->at)
        return FED_ERR_NOMEM;
    for (size_t i = 0; i < n && !err; i++) {
        const char *text = fed_doc_text(fed_doc_at(list, i), "");

        if (!text[0] || strlen(text) > AGENT_POLICY_PATTERN_MAX)
            return fed_diag_set(r->diag, FED_ERR_INVALID,
                "%s.%s[%zu]: must be a text of up to %u bytes", key, fed_doc_key(list), i,
                AGENT_POLICY_PATTERN_MAX);
        err = copy(r, text, &out->at[out->n++]);
    }
    return err;
}

static enum fed_err read_rule(
    struct reading *r, const struct fed_doc *root, const char *key, struct policy_rule *out)
{
    static const char *const keys[] = {"allow", "deny", NULL};
    const struct fed_doc *rule = fed_doc_get(root, key);
    enum fed_err err = FED_OK;

    if (!rule)
        return FED_OK;
    if (!fed_doc_is_object(rule))
        return fed_diag_set(r->diag, FED_ERR_INVALID, "%s: must hold allow and deny", key);
    err = fed_doc_only(rule, keys, r->diag);
    if (err)
        return fed_diag_prefix(r->diag, err, "%s", key);
    err = read_list(r, key, fed_doc_get(rule, "allow"), &out->allow);
    return err ? err : read_list(r, key, fed_doc_get(rule, "deny"), &out->deny);
}

/* "NAME" or, where with_ns, "NAMESPACE/NAME". */
static enum fed_err read_account(struct reading *r, const char *key, const struct fed_doc *value,
    bool needs_ns, struct policy_account *out)
{
    struct fed_span text = {0};
    enum fed_err err = copy(r, fed_doc_text(value, ""), &text);
    size_t slash = fed_span_find(text, '/');

    if (err)
        return err;
    if (slash < text.len) {
        out->ns = fed_span_sub(text, 0, slash);
        out->name = fed_span_sub(text, slash + 1, text.len);
    } else {
        out->name = text;
    }
    if (!fed_text_is_dns_subdomain(out->name) || (needs_ns && slash == text.len) ||
        (slash < text.len && !fed_text_is_dns_label(out->ns)))
        return fed_diag_set(r->diag, FED_ERR_INVALID, "%s: must be %s", key,
            needs_ns ? "NAMESPACE/NAME of a ServiceAccount"
                     : "NAME or NAMESPACE/NAME of a ServiceAccount");
    return FED_OK;
}

static int longer_first(const void *a, const void *b)
{
    size_t left = ((const struct policy_account *)a)->pattern.len;
    size_t right = ((const struct policy_account *)b)->pattern.len;

    return left > right ? -1 : left < right;
}

static enum fed_err read_accounts(struct reading *r, const struct fed_doc *map)
{
    struct agent_policy *policy = r->policy;
    size_t n = fed_doc_count(map);
    enum fed_err err = FED_OK;

    if (!map)
        return FED_OK;
    if (!fed_doc_is_object(map) || n > AGENT_POLICY_PATTERNS_MAX)
        return fed_diag_set(r->diag, FED_ERR_INVALID,
            "serviceAccounts: must map up to %u namespaces to accounts", AGENT_POLICY_PATTERNS_MAX);
    policy->accounts = fed_alloc_array(&policy->arena.alloc, n + 1, sizeof *policy->accounts);
    if (!policy->accounts)
        return FED_ERR_NOMEM;
    for (size_t i = 0; i < n && !err; i++) {
        const struct fed_doc *value = fed_doc_at(map, i);
        struct policy_account *account = &policy->accounts[policy->n_accounts++];

        *account = (struct policy_account){0};
        err = copy(r, fed_doc_key(value), &account->pattern);
        if (!err)
            err = read_account(r, "serviceAccounts", value, false, account);
    }
    qsort(policy->accounts, policy->n_accounts, sizeof *policy->accounts, longer_first);
    return err;
}

static enum fed_err read_pod_security(struct reading *r, const struct fed_doc *root)
{
    const struct fed_doc *value = fed_doc_get(root, "podSecurity");
    const char *level = fed_doc_text(value, value ? "" : "privileged");

    r->policy->baseline = strcmp(level, "baseline") == 0;
    if (!r->policy->baseline && strcmp(level, "privileged") != 0)
        return fed_diag_set(
            r->diag, FED_ERR_INVALID, "podSecurity: must be privileged or baseline");
    return FED_OK;
}

static enum fed_err read_cluster_scoped(struct reading *r, const struct fed_doc *root)
{
    const struct fed_doc *value = fed_doc_get(root, "clusterScoped");

    if (value && fed_doc_bool(value, true) != fed_doc_bool(value, false))
        return fed_diag_set(r->diag, FED_ERR_INVALID, "clusterScoped: must be true or false");
    r->policy->namespaced_only = !fed_doc_bool(value, true);
    return FED_OK;
}

static enum fed_err read_all(struct reading *r, const struct fed_doc *root)
{
    static const char *const keys[] = {"kinds", "namespaces", "images", "clusterScoped",
        "podSecurity", "serviceAccounts", "clusterServiceAccount", NULL};
    const struct fed_doc *account = fed_doc_get(root, "clusterServiceAccount");
    struct agent_policy *policy = r->policy;
    enum fed_err err;

    if (!fed_doc_is_object(root))
        return fed_diag_set(r->diag, FED_ERR_INVALID, "not a document of keys and values");
    err = fed_doc_only(root, keys, r->diag);
    if (!err)
        err = read_rule(r, root, "kinds", &policy->kinds);
    if (!err)
        err = read_rule(r, root, "namespaces", &policy->namespaces);
    if (!err)
        err = read_rule(r, root, "images", &policy->images);
    if (!err)
        err = read_pod_security(r, root);
    if (!err)
        err = read_accounts(r, fed_doc_get(root, "serviceAccounts"));
    if (!err && account)
        err = read_account(r, "clusterServiceAccount", account, true, &policy->cluster_account);
    return err ? err : read_cluster_scoped(r, root);
}

enum fed_err agent_policy_read(
    struct fed_alloc *mem, struct fed_span json, struct agent_policy **out, struct fed_diag *diag)
{
    struct agent_policy *policy = fed_alloc_zero(mem, sizeof *policy);
    struct reading r = {.policy = policy, .diag = diag};
    struct fed_doc *root = NULL;
    enum fed_err err;

    *out = NULL;
    if (!policy)
        return FED_ERR_NOMEM;
    policy->mem = mem;
    fed_arena_init(&policy->arena, mem, ARENA_MAX);
    err = json.len > AGENT_POLICY_BYTES_MAX ? FED_ERR_LIMIT : fed_doc_parse(json, &root, diag);
    if (!err)
        err = read_all(&r, root);
    fed_doc_free(root);
    if (err)
        agent_policy_free(policy);
    else
        *out = policy;
    return err;
}

void agent_policy_free(struct agent_policy *policy)
{
    if (!policy)
        return;
    fed_arena_fini(&policy->arena);
    fed_alloc_free(policy->mem, policy, sizeof *policy);
}

/* ---- judging ---- */

static bool is_in(const struct policy_list *list, policy_match *match, struct fed_span text)
{
    for (size_t i = 0; i < list->n; i++) {
        if (match(list->at[i], text))
            return true;
    }
    return false;
}

bool policy_passes(const struct policy_rule *rule, policy_match *match, const char *key,
    const char *what, struct fed_span text, struct fed_diag *diag)
{
    bool denied = is_in(&rule->deny, match, text);

    if (!denied && (!rule->allow.given || is_in(&rule->allow, match, text)))
        return true;
    fed_diag_set(diag, FED_ERR_FORBIDDEN,
        "the policy of this gateway does not allow the %s " FED_SPAN_FMT " (%s.%s)", what,
        FED_SPAN_ARG(text), key, denied ? "deny" : "allow");
    return false;
}

/* text is KIND.GROUP, or KIND in the core group; a pattern without a group means all of them. */
static bool kind_matches(struct fed_span pattern, struct fed_span text)
{
    if (fed_span_find(pattern, '.') == pattern.len)
        text = fed_span_sub(text, 0, fed_span_find(text, '.'));
    return agent_glob(pattern, text);
}

static bool kind_passes(
    const struct agent_policy *policy, const struct fed_work *work, struct fed_diag *diag)
{
    struct fed_span group = fed_work_group(work->api_version);
    char text[FED_WORK_KIND_MAX + FED_WORK_API_VERSION_MAX + 2];
    int n = snprintf(text, sizeof text, FED_SPAN_FMT "%s" FED_SPAN_FMT, FED_SPAN_ARG(work->kind),
        group.len > 0 ? "." : "", FED_SPAN_ARG(group));

    return n > 0 && (size_t)n < sizeof text &&
           policy_passes(&policy->kinds, kind_matches, "kinds", "kind", fed_span_text(text), diag);
}

static bool is_namespace(const struct fed_work *work)
{
    return fed_span_is(work->kind, "Namespace") && fed_span_is(work->api_version, "v1");
}

static bool place_passes(
    const struct agent_policy *policy, const struct fed_work *work, struct fed_diag *diag)
{
    struct fed_span ns = is_namespace(work) ? work->name : work->ns;

    if (ns.len > 0)
        return policy_passes(&policy->namespaces, agent_glob, "namespaces", "namespace", ns, diag);
    if (!policy->namespaced_only)
        return true;
    fed_diag_set(diag, FED_ERR_FORBIDDEN,
        "the policy of this gateway does not allow objects outside of namespaces (clusterScoped)");
    return false;
}

/* The API server takes an object for the kind that it says, where that kind is served; an override
 * of the whole object could say another one than was judged. */
static enum fed_err check_object(const struct agent_policy *policy, const struct fed_work *work,
    const struct fed_json *root, struct fed_diag *diag)
{
    if (!fed_span_eq(fed_json_string(fed_json_get(root, "kind")), work->kind))
        return fed_diag_set(diag, FED_ERR_FORBIDDEN, "the object is of another kind than its work");
    if (!policy->baseline && !policy->images.allow.given && !policy->images.deny.given)
        return FED_OK;
    return policy_check_pods(policy, root, diag);
}

enum fed_err agent_policy_check(const struct agent_policy *policy, struct fed_alloc *mem,
    const struct fed_work *work, struct fed_span object, struct fed_diag *diag)
{
    struct fed_json_doc *doc = NULL;
    struct fed_json *root = NULL;
    struct fed_arena arena;
    enum fed_err err;

    if (!policy)
        return FED_OK;
    if (!kind_passes(policy, work, diag) || !place_passes(policy, work, diag))
        return FED_ERR_FORBIDDEN;
    fed_arena_init(&arena, mem, AGENT_OBJECT_ARENA_MAX);
    err = fed_json_doc_new(&arena.alloc, &doc);
    if (!err)
        err = fed_json_parse(doc, object, &root, diag);
    if (!err)
        err = check_object(policy, work, root, diag);
    fed_json_doc_free(doc);
    fed_arena_fini(&arena);
    return err;
}

/* ---- accounts ---- */

bool agent_policy_account(
    const struct agent_policy *policy, const struct fed_work *work, struct agent_account *out)
{
    const struct policy_account *found = NULL;

    if (!policy)
        return false;
    if (work->ns.len == 0)
        found = policy->cluster_account.name.len > 0 ? &policy->cluster_account : NULL;
    for (size_t i = 0; i < policy->n_accounts && work->ns.len > 0 && !found; i++) {
        if (agent_glob(policy->accounts[i].pattern, work->ns))
            found = &policy->accounts[i];
    }
    if (!found)
        return false;
    *out =
        (struct agent_account){.ns = found->ns.len > 0 ? found->ns : work->ns, .name = found->name};
    return true;
}

void agent_account_user(const struct agent_account *account, char out[AGENT_USER_SIZE])
{
    snprintf(out, AGENT_USER_SIZE, "system:serviceaccount:" FED_SPAN_FMT ":" FED_SPAN_FMT,
        FED_SPAN_ARG(account->ns), FED_SPAN_ARG(account->name));
}
