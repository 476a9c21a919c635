/* trouble.h - what a failed attempt says about a work, and what follows: one row for each class of
 * trouble, told from the API server's answer (Kubernetes API conventions, "Response Status Kind";
 * the texts are those of kube-apiserver 1.34, kept in tests/unit/agent_answers.c).
 *
 * The word is the first of the work's message, "QuotaExceeded: ...", for programs; the state says
 * whether the work waits for something that goes away by itself. Pure. */
#ifndef FEDLET_AGENT_TROUBLE_H
#define FEDLET_AGENT_TROUBLE_H

#include "agent/answer.h"
#include "proto/bundle/report.h"

enum agent_trouble {
    AGENT_TROUBLE_NONE,
    AGENT_TROUBLE_UNREACHABLE, /* no answer: what became of the request is not known */
    AGENT_TROUBLE_SERVER,      /* 5xx, 401, 408 */
    AGENT_TROUBLE_THROTTLED,   /* 429; 503 with Retry-After */
    AGENT_TROUBLE_CONFLICT,    /* 409 */
    AGENT_TROUBLE_WEBHOOK,     /* an admission webhook could not be called */
    AGENT_TROUBLE_NAMESPACE,   /* the namespace is not there */
    AGENT_TROUBLE_TERMINATING, /* the namespace is being deleted */
    AGENT_TROUBLE_KIND,        /* the kind (or this version of it) is not served */
    AGENT_TROUBLE_QUOTA,
    AGENT_TROUBLE_FORBIDDEN, /* RBAC: the agent lacks a right */
    AGENT_TROUBLE_DENIED,    /* admission: a webhook, policy or plugin says no */
    AGENT_TROUBLE_TOO_LARGE,
    AGENT_TROUBLE_IMMUTABLE,  /* a field that cannot change in place; agent_answer.field */
    AGENT_TROUBLE_INVALID,    /* 400, 422 and other 4xx */
    AGENT_TROUBLE_DEPENDENCY, /* waits for another work (apply_order.c), no answer at all */
    AGENT_TROUBLES
};

/* Between two tries of what only another content helps, after the first three: at most. */
#define AGENT_TROUBLE_RARE_S 3600u

struct agent_trouble_rule {
    const char *word;
    enum fed_work_state state;
    uint32_t floor_ms; /* first full wait, doubling up to the ceiling */
    uint32_t ceiling_ms;
    /* Only another content, or somebody in the member, helps: three tries, then one now and then.
     */
    bool content;
    /* The first time is not told yet: mostly it is over with the next try. */
    bool quiet;
};

enum agent_trouble agent_trouble_of(const struct agent_answer *answer, unsigned retry_after_s);
const struct agent_trouble_rule *agent_trouble_rule(enum agent_trouble trouble);

#endif
