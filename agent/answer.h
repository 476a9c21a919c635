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
    char message[AGENT_MESSAGE_MAX +
                 1]; /* Status.message, else the beginning of the body, else the status number */
};

void agent_answer_read(
    struct fed_alloc *mem, const struct fed_kube_answer *answer, struct agent_answer *out);

/* What to do after an answer that is no success. */
enum agent_verdict {
    AGENT_VERDICT_RETRY,     /* the server's trouble: soon again, with back-off */
    AGENT_VERDICT_NAMESPACE, /* the namespace is missing: wait for it */
    AGENT_VERDICT_KIND,      /* the kind (or the object) is not there */
    AGENT_VERDICT_REFUSED    /* the object's trouble: slowly again */
};
enum agent_verdict agent_answer_verdict(const struct agent_answer *answer);

#endif
