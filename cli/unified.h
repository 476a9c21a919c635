/* unified.h - the difference of two texts as `diff -u` shows it. Pure. */
#ifndef FEDLET_CLI_UNIFIED_H
#define FEDLET_CLI_UNIFIED_H

#include "proto/base/buf.h"

/* Appends "--- NAME", "+++ NAME" and hunks with three lines of context; nothing when the texts are
 * equal. The shortest edit, except where that would take more than some 16 MiB of memory: then
 * everything between the equal beginning and the equal end counts as replaced. FED_ERR_NOMEM, or
 * what sticks in out. */
FED_MUST_USE enum fed_err cli_unified_put(struct fed_alloc *mem, struct fed_span old_name,
    struct fed_span old_text, struct fed_span new_name, struct fed_span new_text,
    struct fed_buf *out);

#endif
