/* field_walk.h - objects and field sets together: which paths an object has, what differs between
 * two objects, how an applied configuration merges, what remains when paths are removed.
 *
 * A schema node of NULL is a place without a schema: maps are granular, lists atomic. Values are
 * found by path element through sorted indexes, so none of this is quadratic in the length of a
 * list or map. */
#ifndef FEDLET_HUB_API_FIELD_WALK_H
#define FEDLET_HUB_API_FIELD_WALK_H

#include "hub/api/field_set.h"
#include "hub/api/schema.h"

/* The paths that a configuration states: leaves, atomic lists and maps, null and empty maps;
 * besides their children also items of keyed lists and sets and map keys that are no declared
 * field. */
const struct hub_field_set *hub_field_walk_set(
    struct hub_field_context *c, const struct hub_schema_node *node, const struct fed_json *value);

struct hub_field_changes {
    const struct hub_field_set *added, *modified, *removed;
};
/* What turns a into b. What appears or vanishes is a path itself besides its children. NULL stands
 * for an empty map. */
void hub_field_walk_compare(struct hub_field_context *c, const struct hub_schema_node *node,
    const struct fed_json *a, const struct fed_json *b, struct hub_field_changes *out);

/* A new value: live with config laid over it. NULL with c->err on error. config must pass
 * hub_field_check. */
struct fed_json *hub_field_walk_merge(struct hub_field_context *c,
    const struct hub_schema_node *node, const struct fed_json *live, const struct fed_json *config);

/* A new value without the paths of the set. What loses its last child becomes null. */
struct fed_json *hub_field_walk_remove(struct hub_field_context *c,
    const struct hub_schema_node *node, const struct fed_json *value,
    const struct hub_field_set *paths);

/* The set, and every declared field that lies above one of its paths. */
const struct hub_field_set *hub_field_walk_name_parents(struct hub_field_context *c,
    const struct hub_schema_node *node, const struct hub_field_set *set);

/* The path element of an item of a keyed list or a set; empty when it has none (an item without
 * keys, null, a list in a set). */
struct fed_span hub_field_walk_element(
    struct hub_field_context *c, const struct hub_schema_node *node, const struct fed_json *item);

#endif
