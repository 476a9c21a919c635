/* user.h - who asks: a name and groups, as a certificate, a token or an impersonation gives them.
 *
 * Source: k8s.io/apiserver user.Info. Fixed sizes: what does not fit is refused where it enters,
 * never cut. */
#ifndef FEDLET_HUB_ACCESS_USER_H
#define FEDLET_HUB_ACCESS_USER_H

#include "proto/base/span.h"

#define HUB_USER_GROUPS_MAX 32u
#define HUB_USER_EXTRA_MAX 8u
#define HUB_USER_NAME_SIZE                                                                         \
    352u /* system:serviceaccount: + namespace + : + name, each at its longest */

#define HUB_GROUP_MASTERS "system:masters"
#define HUB_GROUP_ADMINS "fedlet:admins"
#define HUB_GROUP_AGENTS "fedlet:agents"
#define HUB_GROUP_AUTHENTICATED "system:authenticated"
#define HUB_GROUP_UNAUTHENTICATED "system:unauthenticated"
#define HUB_USER_ANONYMOUS "system:anonymous"
#define HUB_SERVICE_ACCOUNT_PREFIX "system:serviceaccount:"

struct hub_user {
    char name[HUB_USER_NAME_SIZE];
    char uid[64];
    char groups[HUB_USER_GROUPS_MAX][128];
    size_t n_groups;
    struct {
        char key[96];
        char value[160];
    } extra[HUB_USER_EXTRA_MAX]; /* a key may stand several times, once per value */
    size_t n_extra;
    bool anonymous; /* no credentials came */
};

/* Nobody yet: no name, no groups. */
void hub_user_init(struct hub_user *user);
/* FED_ERR_LIMIT when one more does not fit, or one is too long; FED_ERR_INVALID for a NUL in it. */
FED_MUST_USE enum fed_err hub_user_set_name(struct hub_user *user, struct fed_span name);
FED_MUST_USE enum fed_err hub_user_add_group(struct hub_user *user, struct fed_span group);
FED_MUST_USE enum fed_err hub_user_add_extra(
    struct hub_user *user, struct fed_span key, struct fed_span value);
bool hub_user_in_group(const struct hub_user *user, const char *group);
/* An agent's certificate is an agent's, whatever else stands in it. */
bool hub_user_is_agent(const struct hub_user *user);
/* May do everything without a rule that says so. */
bool hub_user_is_admin(const struct hub_user *user);
/* The parts of system:serviceaccount:NS:NAME, both valid names; false for any other name. */
bool hub_user_service_account(struct fed_span user, struct fed_span *ns, struct fed_span *name);
/* Name, uid and the groups that every ServiceAccount's token gives. FED_ERR_LIMIT. */
FED_MUST_USE enum fed_err hub_user_of_service_account(
    struct hub_user *user, struct fed_span ns, struct fed_span name, struct fed_span uid);
FED_MUST_USE enum fed_err hub_user_add_service_account_groups(
    struct hub_user *user, struct fed_span ns);

#endif
