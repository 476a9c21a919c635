/* remedy.c - see remedy.h. */
#include "cli/remedy.h"

#include <string.h>

static const char *const state_names[CLI_STATES] = {
    "applied", "forbidden", "pending", "removing", "offline", "refused", "failed"};

static const struct word {
    const char *word;
    enum cli_state state;
    const char *remedy;
} words[] = {
    {"Pending", CLI_STATE_PENDING,
        "The agent has it within seconds; when this stays, look at `fedlet status` there."},
    {"Held", CLI_STATE_PENDING,
        "The cluster is in a quiet window, or its bytes of the month are spent; what cannot wait "
        "gets the annotation fedlet.io/urgent=true."},
    {"Waiting", CLI_STATE_PENDING,
        "A rollout has not given it the latest version yet; `fedctl rollout` shows how far it is "
        "and "
        "what it waits for."},
    {"AgentTooOld", CLI_STATE_REFUSED,
        "Update the agent of this cluster: it does not know what this asks for."},
    {"ForbiddenByPolicy", CLI_STATE_FORBIDDEN,
        "A PlacementPolicy leaves the cluster out; change the policy, or the placement."},
    {"WaitingForRemoval", CLI_STATE_REMOVING,
        "It is gone once the cluster says so; finalizers in the member may hold it."},
    {"ClusterNotReady", CLI_STATE_OFFLINE,
        "It is sent as soon as the cluster is heard of; on the gateway, `fedlet status` says what "
        "is wrong."},
    {"ApplyOverridesFailed", CLI_STATE_REFUSED,
        "Correct spec.overrides for this cluster: each path has to fit spec.template."},
    {"ComputeResourceFailed", CLI_STATE_REFUSED, "Correct spec.template."},
    {"ComputePlacementFailed", CLI_STATE_REFUSED, "Correct spec.placement.clusterSelector."},
    {"NamespaceNotFederated", CLI_STATE_REFUSED,
        "Create a FederatedNamespace of the namespace's name in it, or label the Namespace "
        "federated=true."},
    {"AlreadyExists", CLI_STATE_FAILED,
        "An object of this name is there and not managed: delete it in the member, or federate "
        "under another name."},
    {"ManagedLabelFalse", CLI_STATE_FAILED,
        "Take the label kubefed.io/managed=false off the object in the member."},
    {"Contested", CLI_STATE_FAILED,
        "Stop whoever the message names, or leave the field to it: take it out of spec.template, "
        "set spec.retainReplicas, or annotate the template with fedlet.io/drift: report."},
    {"Drifted", CLI_STATE_FAILED,
        "Make the object again in the member, or take fedlet.io/drift: report off spec.template."},
    {"BeingDeleted", CLI_STATE_PENDING,
        "It is made again once it is gone; when that takes long, look at the finalizers that the "
        "message names."},
    {"DeletionFailed", CLI_STATE_FAILED,
        "Look at the object in the member: its finalizers, its rights."},
    {"DeletionTimedOut", CLI_STATE_FAILED,
        "Look at the object in the member: a finalizer that nobody takes off holds it."},
    {"LabelRemovalFailed", CLI_STATE_FAILED,
        "Take the label kubefed.io/managed off in the member."},
    {"CreationTimedOut", CLI_STATE_FAILED,
        "The member's API server did not answer in time; the agent tries again."},
    {"UpdateTimedOut", CLI_STATE_FAILED,
        "The member's API server did not answer in time; the agent tries again."},
    {"DependencyNotReady", CLI_STATE_PENDING,
        "It goes out once what it depends on (fedlet.io/depends-on) is applied and healthy there."},
    {"DependencyCycle", CLI_STATE_FAILED,
        "Take one of the works out of the cycle: correct fedlet.io/depends-on."},
    {"ImmutableField", CLI_STATE_FAILED,
        "The field cannot change in place: annotate spec.template with fedlet.io/replace: \"true\" "
        "to have the object deleted and made again, or undo the change."},
    {"RolledBack", CLI_STATE_FAILED,
        "The version was not healthy in time, and the one before is in place: mend the template or "
        "this cluster's override; to try the same again, change its annotation fedlet.io/retry."},
    {"RollbackFailed", CLI_STATE_FAILED,
        "The version was not healthy in time, and the member refuses the one before: mend the "
        "template, or the object there."},
    {"RetrievalFailed", CLI_STATE_FAILED,
        "The agent cannot read the object in the member: look at its rights there."},
};

static const struct sentence { /* what a member's API server says */
    const char *part;
    const char *remedy;
} sentences[] = {
    {"exceeded quota", "Raise the ResourceQuota in the member, or ask for less by an override."},
    {"failed calling webhook",
        "The member cannot reach an admission webhook of its own: repair or remove that."},
    {"admission webhook",
        "A policy of the member refuses it: change the object, or the policy there."},
    {"denied the request",
        "A policy of the member refuses it: change the object, or the policy there."},
    {"Denied: ", "A policy of the member refuses it: change the object, or the policy there."},
    {"TooLarge: ", "Make the object smaller, or split it."},
    {"forbidden",
        "Give the agent the right in the member: `fedlet rbac` there prints what it needs."},
    {"immutable",
        "The field cannot change in place: delete the object in the member, or federate under a "
        "new name."},
    {"namespaces \"", "Federate the namespace to this cluster as well."},
    {"being terminated", "Wait until the namespace is gone in the member, or finish its deletion."},
    {"no matches for kind", "Install the CustomResourceDefinition in the member first."},
    {"could not find the requested resource",
        "Install the CustomResourceDefinition in the member first."},
    {"is invalid", "Correct spec.template, or this cluster's override, as the member says."},
    {"Invalid value", "Correct spec.template, or this cluster's override, as the member says."},
};

const char *cli_state_name(enum cli_state state)
{
    return state < CLI_STATES ? state_names[state] : "";
}

bool cli_state_is_settled(enum cli_state state)
{
    return state == CLI_STATE_APPLIED || state == CLI_STATE_FORBIDDEN;
}

static const struct word *find(struct fed_span word)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (fed_span_is(word, words[i].word))
            return &words[i];
    return NULL;
}

enum cli_state cli_state_of(struct fed_span word)
{
    const struct word *known = find(word);

    if (word.len == 0)
        return CLI_STATE_APPLIED;
    if (known)
        return known->state;
    return fed_span_ends(word, "Failed") || fed_span_ends(word, "TimedOut") ? CLI_STATE_FAILED
                                                                            : CLI_STATE_PENDING;
}

static bool contains(struct fed_span text, const char *part)
{
    size_t len = strlen(part);

    for (size_t i = 0; i + len <= text.len; i++)
        if (memcmp(text.at + i, part, len) == 0)
            return true;
    return false;
}

const char *cli_remedy(struct fed_span word, struct fed_span message)
{
    const struct word *known = find(word);

    if (word.len == 0)
        return "";
    if (known && known->state == CLI_STATE_REMOVING && contains(message, "--removal"))
        return "Consent with `fedctl approve CLUSTER --removal`, or put back what it was placed "
               "by.";
    if (known)
        return known->remedy;
    for (size_t i = 0; i < sizeof sentences / sizeof *sentences; i++)
        if (contains(message, sentences[i].part))
            return sentences[i].remedy;
    return cli_state_of(word) == CLI_STATE_FAILED
               ? "The agent tries again by itself; correct what the message names."
               : "The agent goes on by itself.";
}
