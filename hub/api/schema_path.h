/* schema_path.h - where a walk over a value is, "spec.placement.clusters[0].name": extended and cut
 * back while walking. What is longer than a cause tells is cut off. */
#ifndef FEDLET_HUB_API_SCHEMA_PATH_H
#define FEDLET_HUB_API_SCHEMA_PATH_H

#include "hub/api/schema.h"

struct hub_schema_path {
    char text[sizeof((struct hub_cause *)0)->field];
    size_t len;
};

/* Each extends the path, and gives what hub_schema_path_back cuts it back to. */
size_t hub_schema_path_member(struct hub_schema_path *path, struct fed_span key);
size_t hub_schema_path_index(struct hub_schema_path *path, size_t index);
/* As field.Path.Key: "[KEY]". */
size_t hub_schema_path_key(struct hub_schema_path *path, struct fed_span key);
void hub_schema_path_back(struct hub_schema_path *path, size_t before);

#endif
