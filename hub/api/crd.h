/* crd.h - CustomResourceDefinitions: objects in the store like any other, and the kinds that come
 * of them.
 *
 * Source: apiextensions.k8s.io/v1. A definition is checked, its names are weighed against those of
 * its group, and its conditions are written in the commit that stores it; the kind is served from
 * the same turn on. The hub's own kinds and the federated types are definitions, too: the hub
 * writes them, renews them when it knows better, and protects them. */
#ifndef FEDLET_HUB_API_CRD_H
#define FEDLET_HUB_API_CRD_H

#include "hub/api/kinds.h"
#include "ports/crypto.h"
#include "ports/log.h"
#include "ports/loop.h"

#define HUB_CRD_RESOURCE "customresourcedefinitions.apiextensions.k8s.io"
#define HUB_CRD_FINALIZER "customresourcecleanup.apiextensions.k8s.io"

struct hub_crds;

struct hub_crds_options {
    struct fed_alloc *mem;
    struct fed_loop *loop;
    struct fed_log *log; /* may be NULL */
    struct hub_objects *objects;
    struct hub_kinds *kinds; /* has the built-in ones */
    struct fed_crypto *crypto;
};

/* Writes the definitions of the hub's own kinds where they are missing or older than this program,
 * and serves what is in the store. All of options outlives it. */
FED_MUST_USE enum fed_err hub_crds_open(
    const struct hub_crds_options *options, struct hub_crds **out, struct fed_diag *diag);
void hub_crds_close(struct hub_crds *crds);

/* Keeps a definition: writes it when it is missing or was last written by the hub from another
 * spec, completes one that somebody else wrote (FED_ERR_FORBIDDEN when it is in conflict), and
 * protects it from now on: what is written over it is completed, too, and may not be in conflict.
 *   spec   of the definition, JSON
 *   owner  who needs it, for the refusal of a delete: "the hub itself", "FederatedTypeConfig x" */
FED_MUST_USE enum fed_err hub_crds_own(
    struct hub_crds *crds, struct fed_span spec, const char *owner, struct fed_diag *diag);
/* Lets go of all that an owner needs; the definitions stay, as any user's. */
void hub_crds_disown(struct hub_crds *crds, const char *owner);
/* Who needs a definition; NULL: nobody. */
const char *hub_crds_owner(const struct hub_crds *crds, struct fed_span name);

#endif
