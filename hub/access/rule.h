/* rule.h - PolicyRules: what one allows, and whether some cover others.
 *
 * Compiled once, when a role is stored; a decision walks flat arrays and allocates nothing. Source:
 * rbac.authorization.k8s.io/v1 PolicyRule, Kubernetes "Using RBAC Authorization". */
#ifndef FEDLET_HUB_ACCESS_RULE_H
#define FEDLET_HUB_ACCESS_RULE_H

#include "proto/object/json.h"

/* What is asked: of a resource, or (resource empty) of a path. */
struct hub_access {
    struct fed_span verb;
    struct fed_span group;
    struct fed_span resource;
    struct fed_span subresource;
    struct fed_span ns;
    struct fed_span name;
    struct fed_span path;
};

struct hub_texts {
    const struct fed_span *at;
    size_t n;
    bool all; /* "*" is among them */
};

struct hub_rule {
    struct hub_texts verbs;
    struct hub_texts groups;
    struct hub_texts resources; /* "pods", "pods/log", "*" "/scale", "*" */
    struct hub_texts names;     /* none: every name */
    struct hub_texts urls;      /* paths; a trailing * stands for any rest */
};

struct hub_rules { /* one block of memory */
    struct fed_alloc *mem;
    size_t size;
    size_t n;
    struct hub_rule *at;
};

/* From a role's "rules" (absent or null: none). FED_ERR_NOMEM. */
FED_MUST_USE enum fed_err hub_rules_read(
    struct fed_alloc *mem, const struct fed_json *rules, struct hub_rules **out);
void hub_rules_free(struct hub_rules *rules); /* NULL is fine */

bool hub_rule_allows(const struct hub_rule *rule, const struct hub_access *access);

/* One atomic right of a rule: a verb on a resource of a group (and of a name), or on a path. */
struct hub_right {
    struct fed_span verb;
    struct fed_span group;
    struct fed_span resource;
    struct fed_span name;
    bool named;
    struct fed_span url; /* not empty: a path's */
};
bool hub_rule_covers(const struct hub_rule *rule, const struct hub_right *right);

/* Calls for every atomic right of the rules; return false to stop. FED_ERR_LIMIT when there are
 * more than HUB_RIGHTS_MAX. */
#define HUB_RIGHTS_MAX 20000u
typedef bool hub_rights_each(void *ctx, const struct hub_right *right);
FED_MUST_USE enum fed_err hub_rules_each_right(
    const struct hub_rules *rules, hub_rights_each *each, void *ctx);

#endif
