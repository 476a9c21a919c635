/* name_rules.h - what Kubernetes allows as a name, label key, label value or finalizer, and the
 * sentence for what it does not.
 *
 * The sentences are kube-apiserver's, because people search for them. Source:
 * k8s.io/apimachinery/pkg/util/validation, pkg/api/validation. */
#ifndef FEDLET_HUB_API_NAME_RULES_H
#define FEDLET_HUB_API_NAME_RULES_H

#include "hub/api/internal.h"

enum hub_name_rule {
    HUB_NAME_SUBDOMAIN, /* RFC 1123 subdomain, at most 253 bytes */
    HUB_NAME_LABEL,     /* RFC 1123 label, at most 63 bytes */
    HUB_NAME_QUALIFIED, /* [subdomain/]name: label keys, finalizers */
    HUB_NAME_LABEL_VALUE,
    HUB_NAME_SEGMENT /* one segment of a path: roles and bindings */
};

/* Adds one cause of field for each rule that value breaks. */
void hub_name_check(
    struct hub_causes *causes, enum hub_name_rule rule, const char *field, struct fed_span value);
/* The same for a value that is shown as it is but checked in another spelling (annotation keys in
 * lower case, generateName without its dash). */
void hub_name_check_as(struct hub_causes *causes, enum hub_name_rule rule, const char *field,
    struct fed_span shown, struct fed_span value);
/* Whether a finalizer has neither a domain nor one of the names that are Kubernetes' own. */
bool hub_name_is_bare_finalizer(struct fed_span name);

#endif
