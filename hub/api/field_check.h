/* field_check.h - whether a configuration fits the types of its kind, which server-side apply asks
 * before anything else. */
#ifndef FEDLET_HUB_API_FIELD_CHECK_H
#define FEDLET_HUB_API_FIELD_CHECK_H

#include "hub/api/field_walk.h"

#define HUB_FIELD_WHY_MAX (512u << 10) /* bytes about one configuration */

/* Whether an item may stand twice in a keyed list or a set: not in what is applied. */
enum hub_field_repeats { HUB_FIELD_REPEATS_REFUSED, HUB_FIELD_REPEATS_FINE };

/* FED_ERR_INVALID with what does not fit in why (empty before, and after FED_OK), in the words of
 * structured-merge-diff: ".spec.x: expected map, got &{7}"; several lines behind "errors:" when
 * there are several. Unlike a schema's rules it knows types only, and fields that nobody declared
 * are mistakes. FED_ERR_LIMIT: more is wrong than fits why. */
FED_MUST_USE enum fed_err hub_field_check(struct hub_field_context *c,
    const struct hub_schema_node *node, const struct fed_json *value,
    enum hub_field_repeats repeats, struct fed_buf *why);

#endif
