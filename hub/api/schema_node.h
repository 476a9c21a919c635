/* schema_node.h - the compiled form of a structural schema, shared by schema.c (compile, walk) and
 * those that use it (schema_prune.c: prune, default; schema_check.c and schema_scalar.c: validate).
 * Not for others. */
#ifndef FEDLET_HUB_API_SCHEMA_NODE_H
#define FEDLET_HUB_API_SCHEMA_NODE_H

#include "hub/api/pattern.h"
#include "hub/api/schema.h"

enum hub_schema_type {
    HUB_SCHEMA_ANY, /* no type given */
    HUB_SCHEMA_OBJECT,
    HUB_SCHEMA_ARRAY,
    HUB_SCHEMA_STRING,
    HUB_SCHEMA_INTEGER,
    HUB_SCHEMA_NUMBER,
    HUB_SCHEMA_BOOLEAN
};

struct hub_schema_property {
    struct fed_span key; /* in the source document */
    struct hub_schema_node *node;
};

/* What only validation asks for, and most nodes do not have. */
struct hub_schema_rules {
    bool has_minimum, has_maximum;
    bool above_minimum, below_maximum; /* the bound itself is out */
    double minimum, maximum;
    double multiple_of;             /* 0: none */
    int64_t min_length, max_length; /* characters; -1: none, as below */
    int64_t min_items, max_items;
    int64_t min_properties, max_properties;
    unsigned format;                   /* of format.h */
    struct fed_span pattern_text;      /* empty: none */
    struct hub_pattern *pattern;       /* NULL also when it cannot be enforced (crd.h) */
    const struct fed_json *enums;      /* array, or NULL */
    struct hub_schema_node **junctors; /* allOf, then anyOf, then oneOf */
    size_t n_junctors;
    size_t n_all, n_any, n_one;
    struct hub_schema_node *inverted; /* not */
};

struct hub_schema_node {
    enum hub_schema_type type;
    bool nullable;
    bool int_or_string;
    bool formatted; /* a string whose format may also be written as another scalar */
    bool preserve_unknown;
    bool embedded; /* x-kubernetes-embedded-resource, and the root: apiVersion, kind, metadata are
                      known */
    bool map_atomic;
    enum hub_list_type list_type;
    struct hub_schema_property *properties; /* sorted by key */
    size_t n_properties;
    struct hub_schema_node *additional; /* additionalProperties with a schema */
    bool additional_any;                /* additionalProperties: true */
    struct hub_schema_node *items;
    const struct fed_json *required;  /* array of strings, or NULL */
    const struct fed_json *otherwise; /* default, or NULL */
    const struct fed_json *list_keys; /* array of strings, or NULL */
    struct hub_schema_rules *rules;   /* NULL: none */
    struct hub_schema_node *next;     /* all nodes of a schema, for freeing */
};

struct hub_schema {
    struct fed_alloc *mem;
    unsigned refs;
    struct fed_json_doc *doc; /* enums, defaults and names: nodes point into it */
    struct fed_buf source;
    struct hub_schema_node *root;
    struct hub_schema_node *nodes;
};

/* NULL when the schema declares no such property. */
const struct hub_schema_property *hub_schema_property(
    const struct hub_schema_node *node, struct fed_span key);
/* apiVersion, kind or metadata at the root or in an embedded resource. */
bool hub_schema_is_type_meta(const struct hub_schema_node *node, struct fed_span key);

#endif
