/* user.c - see user.h. */
#include "hub/access/user.h"

#include "proto/base/text.h"

#include <stdio.h>
#include <string.h>

void hub_user_init(struct hub_user *user)
{
    user->name[0] = 0;
    user->uid[0] = 0;
    user->n_groups = 0;
    user->n_extra = 0;
    user->anonymous = false;
}

enum fed_err hub_user_set_name(struct hub_user *user, struct fed_span name)
{
    return fed_span_to_cstr(name, user->name, sizeof user->name);
}

enum fed_err hub_user_add_group(struct hub_user *user, struct fed_span group)
{
    enum fed_err err;

    if (user->n_groups == HUB_USER_GROUPS_MAX)
        return FED_ERR_LIMIT;
    err = fed_span_to_cstr(group, user->groups[user->n_groups], sizeof user->groups[0]);
    if (!err)
        user->n_groups++;
    return err;
}

enum fed_err hub_user_add_extra(struct hub_user *user, struct fed_span key, struct fed_span value)
{
    size_t n = user->n_extra;
    enum fed_err err;

    if (n == HUB_USER_EXTRA_MAX)
        return FED_ERR_LIMIT;
    err = fed_span_to_cstr(key, user->extra[n].key, sizeof user->extra[n].key);
    if (!err)
        err = fed_span_to_cstr(value, user->extra[n].value, sizeof user->extra[n].value);
    if (!err)
        user->n_extra++;
    return err;
}

bool hub_user_in_group(const struct hub_user *user, const char *group)
{
    for (size_t i = 0; i < user->n_groups; i++)
        if (strcmp(user->groups[i], group) == 0)
            return true;
    return false;
}

bool hub_user_is_agent(const struct hub_user *user)
{
    return hub_user_in_group(user, HUB_GROUP_AGENTS);
}

bool hub_user_is_admin(const struct hub_user *user)
{
    return !hub_user_is_agent(user) && (hub_user_in_group(user, HUB_GROUP_MASTERS) ||
                                           hub_user_in_group(user, HUB_GROUP_ADMINS));
}

bool hub_user_service_account(struct fed_span user, struct fed_span *ns, struct fed_span *name)
{
    struct fed_span rest;

    if (!fed_span_starts(user, HUB_SERVICE_ACCOUNT_PREFIX))
        return false;
    rest = fed_span_sub(user, sizeof HUB_SERVICE_ACCOUNT_PREFIX - 1, user.len);
    if (!fed_span_split(&rest, ':', ns))
        return false;
    *name = rest;
    return fed_text_is_dns_label(*ns) && fed_text_is_dns_subdomain(*name);
}

enum fed_err hub_user_add_service_account_groups(struct hub_user *user, struct fed_span ns)
{
    char group[128];
    int len =
        snprintf(group, sizeof group, "system:serviceaccounts:" FED_SPAN_FMT, FED_SPAN_ARG(ns));
    enum fed_err err = hub_user_add_group(user, FED_SPAN_LIT("system:serviceaccounts"));

    if (len < 0 || (size_t)len >= sizeof group)
        return FED_ERR_LIMIT;
    return err ? err : hub_user_add_group(user, fed_span_text(group));
}

enum fed_err hub_user_of_service_account(
    struct hub_user *user, struct fed_span ns, struct fed_span name, struct fed_span uid)
{
    int len = snprintf(user->name, sizeof user->name,
        HUB_SERVICE_ACCOUNT_PREFIX FED_SPAN_FMT ":" FED_SPAN_FMT, FED_SPAN_ARG(ns),
        FED_SPAN_ARG(name));
    enum fed_err err = len < 0 || (size_t)len >= sizeof user->name ? FED_ERR_LIMIT : FED_OK;

    if (!err)
        err = fed_span_to_cstr(uid, user->uid, sizeof user->uid);
    if (!err)
        err = hub_user_add_service_account_groups(user, ns);
    return err ? err : hub_user_add_group(user, FED_SPAN_LIT(HUB_GROUP_AUTHENTICATED));
}
