/* field_entries.h - the entries of an object's managedFields: who owns what, since when. Shared by
 * managed_fields.c and field_scale.c. */
#ifndef FEDLET_HUB_API_FIELD_ENTRIES_H
#define FEDLET_HUB_API_FIELD_ENTRIES_H

#include "hub/api/field_set.h"

#define HUB_FIELD_ENTRIES_MAX 1000u /* of one object; more are as undecodable ones */

struct hub_field_entry {
    struct fed_span manager, api_version, subresource;
    bool apply;
    bool timed;
    int64_t unix_s;
    const struct hub_field_set *set;
};

struct hub_field_entries {
    struct fed_arena arena; /* of the sets */
    struct hub_field_context c;
    struct hub_field_entry *list; /* room for two more than may be decoded */
    size_t n;
};

/* doc outlives them. FED_ERR_NOMEM; fini is fine after that, too. */
FED_MUST_USE enum fed_err hub_field_entries_init(
    struct hub_field_entries *all, struct fed_json_doc *doc);
void hub_field_entries_fini(struct hub_field_entries *all);

/* Of the same manager: who applies is the same one in all versions. */
bool hub_field_entry_same(const struct hub_field_entry *a, const struct hub_field_entry *b);
/* In the order of managedFields. For qsort. */
int hub_field_entry_cmp(const void *a, const void *b);
/* NULL when there is none. */
struct hub_field_entry *hub_field_entries_find(
    struct hub_field_entries *all, const struct hub_field_entry *like);
/* The entry of the same manager; a new one without set and time when there is none. */
struct hub_field_entry *hub_field_entries_get(
    struct hub_field_entries *all, const struct hub_field_entry *like);
void hub_field_entries_drop_empty(struct hub_field_entries *all);

/* From metadata.managedFields of an object (NULL: none). Of two entries of one manager the later
 * one counts. false when they cannot be decoded (then there are none) or memory is out (c.err). */
bool hub_field_entries_decode(struct hub_field_entries *all, const struct fed_json *object);
/* To metadata.managedFields, sorted; none: the member goes. */
FED_MUST_USE enum fed_err hub_field_entries_encode(
    struct hub_field_entries *all, struct fed_json *object);

#endif
