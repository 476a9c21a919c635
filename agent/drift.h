/* drift.h - what of a member's object is not as the work asks for, and who made it so: from its
 * managedFields (Kubernetes, "Server-Side Apply", field management) and, where they are there, its
 * values.
 *
 * A field that the rendered work sets and that our managedFields entry does not have is lost. It
 * belongs to the manager whose entry has it now, the latest of several; to nobody when it was taken
 * away. Items of lists are matched by the keys under which the API server keeps them ("k:", "v:");
 * a list that it keeps as one is one field. */
#ifndef FEDLET_AGENT_DRIFT_H
#define FEDLET_AGENT_DRIFT_H

#include "proto/object/json.h"

#define AGENT_DRIFT_PATH_MAX 120u
#define AGENT_DRIFT_VALUE_MAX 48u
#define AGENT_DRIFT_TEXT_MAX 400u /* of the sentence */

struct agent_drift {
    char path[AGENT_DRIFT_PATH_MAX + 1];  /* "spec.template.spec.containers[web].image"; "": none */
    char manager[65];                     /* "" when nobody's entry has it */
    char subresource[25];                 /* through which it was written, "" for the object */
    char since[29];                       /* metav1.Time of that entry, "" */
    char ours[AGENT_DRIFT_VALUE_MAX + 1]; /* JSON, cut */
    char theirs[AGENT_DRIFT_VALUE_MAX + 1]; /* "" when it is gone or contents are not there */
    bool has_content;                       /* the object came with contents */
    size_t n;                               /* lost fields, of which the above is one */
};

/* Finds the lost fields. The one that is described is the first that somebody else has; when nobody
 * has any of them, the first.
 *   wanted  the rendered work
 *   object  the member's, or its metadata
 *   doc     for what is parsed on the way
 * Values of Secrets are never given (ours and theirs stay ""). */
void agent_drift_find(struct fed_json_doc *doc, const struct fed_json *wanted,
    const struct fed_json *object, struct agent_drift *out);

/* "spec.replicas is set by \"kubectl\" (scale) since 2026-01-02T03:04:05Z"; with values:
 * "spec.replicas is 5, not 2: set by ..."; without a manager "... was taken away". At most
 * AGENT_DRIFT_TEXT_MAX bytes. */
void agent_drift_put(struct fed_buf *out, const struct agent_drift *drift);

#endif
