/* options.h - CreateOptions, UpdateOptions, PatchOptions, DeleteOptions and ListOptions: what
 * stands in the query (or the body of a DELETE), read and checked as kube-apiserver does.
 *
 * Nothing is checked before the verb that uses it is known: a bad limit= is no matter to a POST.
 * Source: k8s.io/apimachinery/pkg/apis/meta/{v1,internalversion}/validation, runtime.Convert_Slice.
 */
#ifndef FEDLET_HUB_API_OPTIONS_H
#define FEDLET_HUB_API_OPTIONS_H

#include "hub/api/internal.h"

/* fieldManager, dryRun, fieldValidation. name: "CreateOptions", "UpdateOptions". 422. */
FED_MUST_USE enum fed_err hub_options_write(struct hub_request *r, const char *name);
/* As above, and fieldManager or force as the patch demands. */
FED_MUST_USE enum fed_err hub_options_patch(struct hub_request *r, bool apply);
/* limit, timeoutSeconds, sendInitialEvents, resourceVersionMatch, selectors' absence is fine. 400,
 * 422. */
FED_MUST_USE enum fed_err hub_options_list(struct hub_request *r);
/* From the body, or from the query when there is none. 400, 415, 422. */
FED_MUST_USE enum fed_err hub_options_delete(struct hub_request *r, struct hub_delete_options *out);
/* Takes resourceVersion of the query as a number. */
FED_MUST_USE enum fed_err hub_options_resource_version(struct hub_request *r);
/* A manager's name: at most 128 bytes, all of them printable. */
void hub_options_check_manager(
    struct hub_causes *causes, const char *field, struct fed_span manager);

#endif
