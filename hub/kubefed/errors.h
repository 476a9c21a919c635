/* errors.h - what is wrong with an object of core.kubefed.io, in the words of KubeFed's webhooks.
 *
 * Source: k8s.io/apimachinery pkg/util/validation/field (one error: "path: what: detail"; several:
 * "[first, second]", equal ones once), as KubeFed's admission webhooks return them. Clients and
 * people search for these texts, so they are kept to the letter. */
#ifndef FEDLET_HUB_KUBEFED_ERRORS_H
#define FEDLET_HUB_KUBEFED_ERRORS_H

#include "proto/object/json.h"

#define HUB_KUBEFED_ERRORS_MAX 32u /* what is beyond is counted, not told */
#define HUB_KUBEFED_ERROR_BYTES_MAX 4096u

struct hub_kubefed_errors {
    struct fed_alloc *mem;
    struct fed_buf list[HUB_KUBEFED_ERRORS_MAX];
    size_t n;
    size_t more;
};

void hub_kubefed_errors_init(struct hub_kubefed_errors *errors, struct fed_alloc *mem);
void hub_kubefed_errors_fini(struct hub_kubefed_errors *errors);
/* All of them as one sentence; nothing when there are none. Errors stick in out. */
void hub_kubefed_errors_put(const struct hub_kubefed_errors *errors, struct fed_buf *out);

void hub_kubefed_required(struct hub_kubefed_errors *errors, const char *path);
/* value: as Go shows it: hub_kubefed_invalid_text quotes, hub_kubefed_invalid does not. */
void hub_kubefed_invalid(
    struct hub_kubefed_errors *errors, const char *path, const char *value, const char *why);
void hub_kubefed_invalid_text(
    struct hub_kubefed_errors *errors, const char *path, struct fed_span value, const char *why);
void hub_kubefed_duplicate(
    struct hub_kubefed_errors *errors, const char *path, struct fed_span value);

/* The value must be one of the accepted (NULL ends them); empty: it is required. */
void hub_kubefed_check_enum(struct hub_kubefed_errors *errors, const char *path,
    struct fed_span value, const char *const *accepted);
/* RFC 1123 subdomain; RFC 1035 label, checked in lower case when folded. */
void hub_kubefed_check_subdomain(
    struct hub_kubefed_errors *errors, const char *path, struct fed_span value);
enum hub_kubefed_case { HUB_KUBEFED_CASE_AS_IS, HUB_KUBEFED_CASE_FOLDED };
void hub_kubefed_check_label(struct hub_kubefed_errors *errors, const char *path,
    struct fed_span value, enum hub_kubefed_case letters);

#endif
