/* policy_inner.h - shared by policy.c (the file, kinds, namespaces, accounts) and policy_pods.c
 * (what stands in objects). */
#ifndef FEDLET_AGENT_POLICY_INNER_H
#define FEDLET_AGENT_POLICY_INNER_H

#include "agent/policy.h"

#include "proto/object/json.h"

struct policy_list {
    struct fed_span *at;
    size_t n;
    bool given; /* an empty list of what is allowed allows nothing */
};

struct policy_rule {
    struct policy_list allow;
    struct policy_list deny;
};

struct policy_account {
    struct fed_span pattern;
    struct fed_span ns; /* "" for the object's */
    struct fed_span name;
};

struct agent_policy {
    struct fed_alloc *mem;
    struct fed_arena arena; /* of all spans and arrays */
    struct policy_rule kinds;
    struct policy_rule namespaces;
    struct policy_rule images;
    bool namespaced_only;
    bool baseline;
    struct policy_account *accounts; /* longest pattern first */
    size_t n_accounts;
    struct policy_account cluster_account; /* name "" for none */
};

typedef bool policy_match(struct fed_span pattern, struct fed_span text);

/* The rule lets text pass. Else diag says which of its lists, and what. */
bool policy_passes(const struct policy_rule *rule, policy_match *match, const char *key,
    const char *what, struct fed_span text, struct fed_diag *diag);
/* Images and pod security, wherever containers stand in the object. */
enum fed_err policy_check_pods(
    const struct agent_policy *policy, const struct fed_json *object, struct fed_diag *diag);

#endif
