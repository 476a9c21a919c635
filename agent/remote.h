/* remote.h - the .status of a member's object as the hub gets it (FED_WORK_STATUS).
 *
 * The fields that the template asks for (fedlet.io/status-fields, wish.h), or whole; as canonical
 * JSON, up to FED_REPORT_REMOTE_MAX. A larger one loses members, the largest first (by its
 * canonical bytes; of equal ones the first in order), until it fits; their names stand in the
 * member "fedlet.io/omitted", in order. One that is no object, or does not fit after
 * AGENT_REMOTE_OMITTED_MAX, is left out whole: null. */
#ifndef FEDLET_AGENT_REMOTE_H
#define FEDLET_AGENT_REMOTE_H

#include "proto/bundle/report.h"
#include "proto/object/json.h"

#define AGENT_REMOTE_OMITTED_MAX 32u
#define AGENT_REMOTE_OMITTED "fedlet.io/omitted"

/* Appends it; nothing for null. status may lose members.
 *   fields  what of it is wanted, "": all of it
 * FED_ERR_NOMEM, FED_ERR_LIMIT; FED_ERR_INVALID for fields that fed_fields_parse refuses. */
FED_MUST_USE enum fed_err agent_remote_put(
    struct fed_alloc *mem, struct fed_span fields, struct fed_json *status, struct fed_buf *out);

#endif
