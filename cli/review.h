/* review.h - asking the hub for a PlanReview (fedlet.io/v1alpha1). */
#ifndef FEDLET_CLI_REVIEW_H
#define FEDLET_CLI_REVIEW_H

#include "cli/look.h"

/* Posts spec, which goes into the question, and gives the answer's status, which is in no
 * container.
 */
FED_MUST_USE enum fed_err review_ask(
    struct look *look, struct fed_json *spec, struct fed_json **status, struct fed_diag *diag);
/* A JSON value as YAML with sorted members. */
FED_MUST_USE enum fed_err review_put_yaml(
    struct look *look, const struct fed_json *value, struct fed_buf *out, struct fed_diag *diag);

#endif
