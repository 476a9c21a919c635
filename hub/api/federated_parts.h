/* federated_parts.h - what the files of federated_types.h share. Not for others. */
#ifndef FEDLET_HUB_API_FEDERATED_PARTS_H
#define FEDLET_HUB_API_FEDERATED_PARTS_H

#include "hub/api/federated_types.h"

/* ---- federated_definition.c ---- */
/* The spec of the CustomResourceDefinition. FED_ERR_NOMEM, FED_ERR_LIMIT. */
FED_MUST_USE enum fed_err hub_federated_definition(
    struct fed_alloc *mem, const struct fed_json *config, struct fed_buf *out);

/* ---- federated_config.c ---- */
/* Keeps KubeFed's finalizer on a FederatedTypeConfig that is not being deleted. */
FED_MUST_USE enum fed_err hub_federated_config_keep(struct hub_admission *admission);
/* Takes it off one that is, once the plan has stopped the type: in the commit that said so, before
 * anybody heard of it. revision: of config. */
FED_MUST_USE enum fed_err hub_federated_config_finish(struct hub_objects *objects,
    struct fed_alloc *mem, const struct hub_object_ref *ref, struct fed_json *config,
    uint64_t revision);
/* KubeFed's status: a propagation controller runs for an enabled type, once namespaces are one; a
 * status controller for services whose status is collected in objects of their own. */
FED_MUST_USE enum fed_err hub_federated_config_status(struct fed_json_doc *doc,
    struct fed_json *config, const struct hub_kubefed_settings *settings, bool has_namespaces);

#endif
