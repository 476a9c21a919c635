/* scan.h - the items of a Kubernetes list, one after the other, without a tree of the whole: a page
 * of 500 objects costs the memory of one. Reads JSON text (RFC 8259) by structure only; each item
 * is checked when it is parsed itself. */
#ifndef FEDLET_AGENT_SCAN_H
#define FEDLET_AGENT_SCAN_H

#include "proto/base/span.h"

/* item: the JSON text of one element of "items". Any error ends the scan and is its result. */
typedef enum fed_err agent_scan_each(void *ctx, struct fed_span item);

/* Calls each for every item and gives the text of "metadata" (empty when absent).
 * FED_ERR_INVALID when the text is no object or ends too early. */
FED_MUST_USE enum fed_err agent_scan_list(
    struct fed_span text, agent_scan_each *each, void *ctx, struct fed_span *metadata);

#endif
