/* crd_walk.h - the checks of a definition's schemas: where they are, and what they note there. Not
 * for others than hub/api/crd_*.c.
 *
 * Recursion is bounded by the depth of a parsed document. */
#ifndef FEDLET_HUB_API_CRD_WALK_H
#define FEDLET_HUB_API_CRD_WALK_H

#include "hub/api/crd_parts.h"
#include "hub/api/internal.h"

struct hub_crd_walk {
    struct hub_causes *causes;
    struct fed_alloc *mem;
    char path[4096]; /* of the schema that is looked at */
    size_t len;
};

/* Adds to the path; what it returns leads back. A path that is too long is cut. */
FED_PRINTF(2, 3) size_t hub_crd_go(struct hub_crd_walk *w, const char *format, ...);
void hub_crd_back(struct hub_crd_walk *w, size_t before);

/* Notes something about a field of the schema ("": the schema itself): a cause with that reason; or
 * with that of a value that is forbidden, lacking, or not valid. */
FED_PRINTF(4, 5)
void hub_crd_note(
    struct hub_crd_walk *w, const char *reason, const char *child, const char *format, ...);
void hub_crd_forbid(struct hub_crd_walk *w, const char *child, const char *why);
void hub_crd_require(struct hub_crd_walk *w, const char *child, const char *why);
void hub_crd_refuse(
    struct hub_crd_walk *w, const char *child, struct fed_span value, const char *why);

/* A text and a flag of the schema; empty, false when absent. */
struct fed_span hub_crd_text(const struct fed_json *schema, const char *key);
bool hub_crd_flag(const struct fed_json *schema, const char *key);

/* ---- crd_structural.c ---- */
/* path: of the schema. Causes are in the order of their fields. FED_ERR_NOMEM. */
FED_MUST_USE enum fed_err hub_crd_check_structural(const struct fed_json *schema, const char *path,
    struct fed_alloc *mem, struct hub_causes *causes);
int hub_crd_cause_cmp(const void *a, const void *b); /* by field, then message */

/* ---- crd_openapi.c ---- */
void hub_crd_check_openapi(struct hub_crd_walk *w, const struct fed_json *schema, bool root);

#endif
