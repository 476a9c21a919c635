/* duration.h - durations as Go writes and reads them: "1m30s", "300ms", "5m0s".
 *
 * Source: Go time.ParseDuration and Duration.String, which KubeFed's metav1.Duration uses. */
#ifndef FEDLET_HUB_KUBEFED_DURATION_H
#define FEDLET_HUB_KUBEFED_DURATION_H

#include "proto/base/buf.h"

#define HUB_DURATION_TEXT_SIZE 32u

/* Nanoseconds. FED_ERR_INVALID for anything else, one beyond int64 included. */
FED_MUST_USE enum fed_err hub_duration_parse(struct fed_span text, int64_t *ns);
/* The one spelling: hours, minutes and seconds as they are needed; ms, us (as µs) or ns below a
 * second. */
void hub_duration_text(int64_t ns, char out[HUB_DURATION_TEXT_SIZE]);

#endif
