/* builtin.h - the documents of hub/api/builtin and hub/api/definitions, embedded at build time. */
#ifndef FEDLET_HUB_API_BUILTIN_H
#define FEDLET_HUB_API_BUILTIN_H

#include <stddef.h>

struct hub_builtin {
    const char *name;
    const unsigned char *text;
    size_t len;
};
extern const struct hub_builtin hub_builtins[];
extern const size_t hub_builtins_count;
extern const struct hub_builtin hub_core_table; /* core.table: see core.h */
extern const struct hub_builtin
    hub_meta_table; /* OpenAPI schemas of metadata: members of an object */
/* Specs of the CustomResourceDefinitions of the hub's own kinds. */
extern const struct hub_builtin hub_definitions[];
extern const size_t hub_definitions_count;
extern const struct hub_builtin hub_federated_schema; /* of every federated type: see
                                                         federated_types.h */

#endif
