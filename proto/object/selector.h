/* selector.h - Kubernetes label selectors: the string form of requests, and the object form of
 * placements.
 *
 * Source: apimachinery labels.Parse and metav1.LabelSelector. */
#ifndef FEDLET_PROTO_OBJECT_SELECTOR_H
#define FEDLET_PROTO_OBJECT_SELECTOR_H

#include "proto/object/json.h"

#define FED_SELECTOR_TERMS_MAX 256u

struct fed_selector; /* immutable; matches everything when it has no terms */

/* What apimachinery puts before most of what it says of a selector. */
#define FED_SELECTOR_REQUIREMENT "unable to parse requirement: "
enum fed_selector_what {
    FED_SELECTOR_SYNTAX, /* diag is apimachinery's whole sentence */
    FED_SELECTOR_KEY,    /* the key is none */
    FED_SELECTOR_VALUE,  /* the value is none */
    FED_SELECTOR_NUMBER  /* the value is no integer */
};
struct fed_selector_fault {
    enum fed_selector_what what;
    struct fed_span text; /* all of it; key and value are inside */
    struct fed_span key;
    struct fed_span value;
    size_t index; /* of the value among the term's, in the order of text */
};
/* "app in (a,b),tier!=x,!old,env". text is borrowed only for the call. FED_ERR_INVALID with diag
 * and fault (may be NULL), FED_ERR_LIMIT. */
FED_MUST_USE enum fed_err fed_selector_parse(struct fed_alloc *mem, struct fed_span text,
    struct fed_selector **out, struct fed_selector_fault *fault, struct fed_diag *diag);
/* metav1.LabelSelector: {"matchLabels":{},"matchExpressions":[{"key","operator","values"}]}. An
 * operator other than In, NotIn, Exists, DoesNotExist, or a wrong value list, is FED_ERR_INVALID
 * with diag. */
FED_MUST_USE enum fed_err fed_selector_from_object(struct fed_alloc *mem,
    const struct fed_json *object, struct fed_selector **out, struct fed_diag *diag);
void fed_selector_free(struct fed_selector *selector);
/* labels: the metadata.labels object, or NULL. */
bool fed_selector_match(const struct fed_selector *selector, const struct fed_json *labels);
/* The same for the text of metadata.labels (json_text.h), empty when there are none. Valid labels
 * need no escapes; a value with escapes counts as empty. */
bool fed_selector_match_text(const struct fed_selector *selector, struct fed_span labels);
/* A label and the one value that it must have, of the first term that says so; false: there is
 * none. They live as long as the selector. */
bool fed_selector_requires(
    const struct fed_selector *selector, struct fed_span *key, struct fed_span *value);
bool fed_selector_is_everything(const struct fed_selector *selector); /* it has no terms */

#endif
