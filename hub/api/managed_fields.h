/* managed_fields.h - server-side apply and the bookkeeping of who owns which field.
 *
 * Source: Kubernetes "Server-Side Apply", structured merge and diff. Entries live in
 * metadata.managedFields of the object; inside, a field set is a sorted set of paths. The orderings
 * of merged lists follow sigs.k8s.io/structured-merge-diff (Apache-2.0). */
#ifndef FEDLET_HUB_API_MANAGED_FIELDS_H
#define FEDLET_HUB_API_MANAGED_FIELDS_H

#include "hub/api/schema.h"

#define HUB_FIELD_MANAGER_MAX 128u

struct hub_field_update {
    const struct hub_schema *schema;
    struct fed_span manager;
    struct fed_span api_version;
    struct fed_span subresource; /* empty, "status", "scale" */
    int64_t now_unix_s;
    bool force; /* apply only */
    /* Whether the kind has a version; entries of others are dropped. NULL: it has all. */
    bool (*knows_version)(void *ctx, struct fed_span api_version);
    void *ctx;
    const struct fed_json *empty; /* what an object has before anybody wrote it; NULL: nothing */
    bool untyped;                 /* what was given does not fit its types: nobody owns it */
    const char *subject;          /* apply only: what the configuration calls itself, for why */
};

/* Apply: merges config into live (NULL when the object does not exist) and gives the new object
 * with its managedFields. FED_ERR_CONFLICT with causes (reason FieldManagerConflict, message
 * `conflict with "m" using v1`, without the version when that was an apply too, field
 * `.spec.replicas`) unless force. FED_ERR_INVALID and FED_ERR_LIMIT with why, a whole sentence,
 * when config or live does not fit the types (field_check.h). Neither live nor config is changed.
 * What loses its last child to pruning is null in *out until hub_schema_default drops it. Nothing
 * that may change differs from live: the times stay, and *out equals live when the owners stay,
 * too. */
FED_MUST_USE enum fed_err hub_fields_apply(struct fed_json_doc *doc,
    const struct hub_field_update *update, const struct fed_json *live,
    const struct fed_json *config, struct fed_json **out, struct hub_causes *causes,
    struct fed_buf *why);

/* What an object calls itself: "NAMESPACE/NAME; GROUP/VERSION, Kind=KIND". */
void hub_field_subject(const struct fed_json *object, struct fed_buf *out);

/* Whether an object fits the types of its kind, items that stand twice aside. */
bool hub_fields_fit(
    struct fed_json_doc *doc, const struct hub_schema *schema, const struct fed_json *object);

/* Create, update, other patches: sets next's managedFields from what changed between live (NULL:
 * create) and next. managedFields that the client gave in next count: absent or undecodable: the
 * stored ones; [] or [{}]: reset; valid: as given (on subresources always the stored ones). */
FED_MUST_USE enum fed_err hub_fields_update(struct fed_json_doc *doc,
    const struct hub_field_update *update, const struct fed_json *live, struct fed_json *next);

#endif
