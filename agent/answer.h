/* answer.h - what a refusing API server said: metav1.Status (Kubernetes API conventions, "Response
 * Status Kind"). */
#ifndef FEDLET_AGENT_ANSWER_H
#define FEDLET_AGENT_ANSWER_H

#include "agent/limits.h"
#include "ports/kube.h"

struct agent_answer {
    unsigned status;
    char reason[64];       /* "NotFound", "Invalid" ...; "" when the body is no Status */
    char details_kind[64]; /* resource that it is about, "namespaces" for a missing one */
    char field[128];       /* the first field that is immutable, "" when that is not the trouble */
    char part[128];        /* "spec.ports": what does not go together in there, or "" */
    char message[AGENT_MESSAGE_MAX +
                 1]; /* Status.message, else the beginning of the body, else the status number */
};

/* field: set when an update failed for nothing but fields that cannot change in place.
 * part: set when it failed for nothing but values in lists that are missing or there twice, and
 * fields that are there and may not be; the outermost list, or the map, of the first of them. */
void agent_answer_read(
    struct fed_alloc *mem, const struct fed_kube_answer *answer, struct agent_answer *out);

#endif
