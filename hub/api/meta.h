/* meta.h - object metadata in requests: known members, rules, and the members that only the server
 * sets. */
#ifndef FEDLET_HUB_API_META_H
#define FEDLET_HUB_API_META_H

#include "hub/api/internal.h"

/* The metadata of a custom object as Go decodes it: types checked, zero values left out.
 * FED_ERR_INVALID with Go's sentence. */
FED_MUST_USE enum fed_err hub_meta_shape(
    struct hub_request *r, struct fed_json *object, struct fed_diag *diag);
/* Removes unknown members, also those of owner references; their paths, one per line, to unknown.
 */
void hub_meta_prune(struct hub_request *r, struct fed_json *metadata, struct fed_buf *unknown);
/* Names, labels, annotations, owner references, finalizers, managedFields. */
void hub_meta_validate(
    const struct hub_kind *kind, const struct fed_json *object, struct hub_causes *causes);
/* An object that is being deleted takes no finalizer that the live one lacks. */
void hub_meta_validate_update(const struct hub_kind *kind, const struct fed_json *live,
    const struct fed_json *object, struct hub_causes *causes);
/* Says what would be better named otherwise; live: NULL for a new object. */
void hub_meta_warn(
    struct hub_request *r, const struct fed_json *live, const struct fed_json *object);
/* Of owner references that are equal one stays, with a warning; patched: the object is what a patch
 * made of another. */
FED_MUST_USE enum fed_err hub_meta_single_owners(
    struct hub_request *r, struct fed_json *object, bool patched);
/* Fills metadata.name from generateName when there is no name. */
FED_MUST_USE enum fed_err hub_meta_generate_name(struct hub_request *r, struct fed_json *metadata);
/* uid, creationTimestamp, generation of a new object; whatever the client put there goes. */
FED_MUST_USE enum fed_err hub_meta_new(struct hub_request *r, struct fed_json *object);
/* The server's members as they are in live. */
FED_MUST_USE enum fed_err hub_meta_keep(
    struct hub_request *r, const struct fed_json *live, struct fed_json *object);

#endif
