/* warn.h - what is worth telling the writer of a federated object at once, in Warning headers.
 *
 * KubeFed says none of this when the object is written (its federated kinds have no webhook): it
 * shows in the status, in events, or not at all. Nothing here refuses anything. Each sentence
 * begins with the path of its field. */
#ifndef FEDLET_HUB_KUBEFED_WARN_H
#define FEDLET_HUB_KUBEFED_WARN_H

#include "proto/object/json.h"

#define HUB_KUBEFED_WARN_ENTRIES_MAX 64u /* clusters whose overrides are tried on the template */

/* What is known around the object. */
struct hub_kubefed_around {
    void *ctx;
    bool (*has_cluster)(void *ctx, struct fed_span name);
    bool (*is_federated)(void *ctx, struct fed_span ns); /* by a FederatedNamespace or its label */
    bool (*is_labelled)(void *ctx, struct fed_span ns);  /* by its label */
    bool namespaced;   /* the federated type is, and its target, too */
    bool is_namespace; /* FederatedNamespace */
    void (*warn)(void *warn_ctx, const char *text);
    void *warn_ctx;
};

/* object: as it is to be stored. doc: for what is tried, and thrown away with it. Where memory ends
 * so do the warnings. */
void hub_kubefed_warn(struct fed_json_doc *doc, const struct fed_json *object,
    const struct hub_kubefed_around *around);

#endif
