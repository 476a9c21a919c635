/* short_form.h - between v1alpha2, the short form, and v1beta1 of federated workload kinds.
 *
 * In v1alpha2 the template of a workload kind may be a bare pod template (metadata.labels,
 * spec.containers). It is stored as the full template: the pod template, a selector of its labels,
 * one replica (where the kind has them), and an annotation that says it was short. While the stored
 * template is exactly what the short one makes, v1alpha2 shows the short one again, so that a
 * client which compares what it sent with what it sees finds no difference. */
#ifndef FEDLET_HUB_API_SHORT_FORM_H
#define FEDLET_HUB_API_SHORT_FORM_H

#include "hub/api/kinds.h"

#define HUB_SHORT_FORM_VERSION "v1alpha2"
#define HUB_SHORT_FORM_ANNOTATION "fedlet.io/short-form"

/* hub_kind_hooks.convert; ctx is not used. Kinds without a short form are left alone. */
enum fed_err hub_short_form_convert(void *ctx, const struct hub_kind *kind, const char *to_version,
    struct fed_json_doc *doc, struct fed_json *object, struct fed_diag *diag);

#endif
