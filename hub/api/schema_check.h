/* schema_check.h - the validation of a value by a schema: schema_check.c walks the value,
 * schema_scalar.c holds the rules of one value by itself. Not for others.
 *
 * What is checked, in which order, and the sentences are those of kube-openapi's validate and of
 * apiextensions-apiserver, because people search for them. */
#ifndef FEDLET_HUB_API_SCHEMA_CHECK_H
#define FEDLET_HUB_API_SCHEMA_CHECK_H

#include "hub/api/schema_node.h"
#include "hub/api/schema_path.h"

struct hub_schema_check {
    struct hub_schema_path path;
    const char *prefix; /* of the fields, not of the sentences: where the value is */
    struct hub_causes *causes;
};

#define HUB_SCHEMA_VALUE_TEXT 512u

/* Adds a cause; field: where, or "<nil>" as upstream has it for what is said of alternatives. */
FED_PRINTF(4, 5)
void hub_schema_cause(
    struct hub_schema_check *c, const char *reason, const char *field, const char *format, ...);

/* Values in sentences, as Go writes them; cut off behind "..." when they are too long. */
void hub_schema_value_text(const struct fed_json *value, char out[HUB_SCHEMA_VALUE_TEXT]);
void hub_schema_quoted_text(struct fed_span text, char out[HUB_SCHEMA_VALUE_TEXT]);

/* Whether the type fits. A format decides in the type's place for whatever is no string. */
bool hub_schema_check_type(
    struct hub_schema_check *c, const struct hub_schema_node *node, const struct fed_json *value);
void hub_schema_check_enum(
    struct hub_schema_check *c, const struct fed_json *enums, const struct fed_json *value);
/* The first of length and pattern that does not hold. */
void hub_schema_check_string(
    struct hub_schema_check *c, const struct hub_schema_rules *rules, struct fed_span text);
void hub_schema_check_format(
    struct hub_schema_check *c, const struct hub_schema_rules *rules, struct fed_span text);
/* Multiples and bounds; an integer is compared with the integer part of the bound. */
void hub_schema_check_number(
    struct hub_schema_check *c, const struct hub_schema_rules *rules, const struct fed_json *value);

#endif
