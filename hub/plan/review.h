/* review.h - PlanReview (fedlet.io/v1alpha1): the preview as a kind of the API.
 *
 * Create only, never stored, as SubjectAccessReview is. Its schema, and with it the meaning of each
 * field, is hub/api/definitions/planreview.json. Who asks needs `update` on each object that stands
 * in for another (`create` when there is none), `get` on each reference; what follows from them is
 * shown to those who may get it, and else only counted. */
#ifndef FEDLET_HUB_PLAN_REVIEW_H
#define FEDLET_HUB_PLAN_REVIEW_H

#include "hub/plan/preview.h"

#define HUB_REVIEW_ROWS_MAX 200000u /* clusters shown in one answer */

void hub_plan_review_hooks(struct hub_plan *plan, struct hub_kind_hooks *hooks);

#endif
