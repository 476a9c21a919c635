/* restricted.c - what PlacementPolicies do to an object, in its status.
 *
 * A cluster that is left out is no trouble: the object is where it may be, so Propagation does not
 * speak of it. The condition PlacementRestricted does, and each cluster's entry. A copy that waits
 * for its removal is on its way out, as KubeFed's WaitingForRemoval says. */
#include "hub/status/internal.h"

#include <stdio.h>

bool status_policy_word(
    const struct hub_planned_cluster *planned, const char **status, const char **message)
{
    if (planned->policy == HUB_POLICY_FREE)
        return false;
    *status = planned->policy == HUB_POLICY_FORBIDS ? "ForbiddenByPolicy" : "WaitingForRemoval";
    *message = planned->message;
    return true;
}

static const char *first_policy(const struct hub_planned *planned)
{
    for (size_t i = 0; i < planned->n_clusters; i++)
        if (planned->clusters[i].policy == HUB_POLICY_FORBIDS)
            return planned->clusters[i].message;
    return "";
}

static void describe(const struct hub_planned *planned, char *out, size_t size)
{
    const char *first = first_policy(planned);
    size_t len = 0;

    if (planned->n_forbidden)
        len = (size_t)snprintf(
            out, size, "left out of %zu clusters (%.160s ...)", planned->n_forbidden, first);
    if (planned->n_waiting && len < size)
        snprintf(out + len, size - len, "%sin %zu clusters the object waits for its removal",
            len ? "; " : "", planned->n_waiting);
}

enum fed_err status_put_restricted(
    struct fed_json_doc *doc, struct fed_json *status, const struct hub_planned *planned)
{
    struct fed_json *conditions = fed_json_get(status, "conditions");
    struct fed_json *one;
    char message[400] = "";
    enum fed_err err;

    if (planned->n_forbidden + planned->n_waiting == 0 || !conditions)
        return FED_OK;
    describe(planned, message, sizeof message);
    one = fed_json_new_object(doc);
    err = fed_json_append(conditions, one);
    if (!err)
        err = fed_json_set_text(doc, one, "type", "PlacementRestricted");
    if (!err)
        err = fed_json_set_text(doc, one, "status", "True");
    if (!err)
        err = fed_json_set_text(doc, one, "reason", "ForbiddenByPolicy");
    return err ? err : fed_json_set_text(doc, one, "message", message);
}
