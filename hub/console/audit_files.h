/* audit_files.h - places in the files of the audit log, shared by who reads it. Not for others.
 *
 * A place is FILE-OFFSET-MARK: the mark is of the file's first line, so that a file is found again
 * after it was renamed to the next number, and not taken for another one. */
#ifndef FEDLET_HUB_CONSOLE_AUDIT_FILES_H
#define FEDLET_HUB_CONSOLE_AUDIT_FILES_H

#include "hub/console/internal.h"

#define AUDIT_MARK_DIGITS 16u

struct audit_place {
    unsigned file;
    uint64_t offset;
    char mark[AUDIT_MARK_DIGITS + 1];
};

/* The right to read the log, of a request that reads; and that there is one. */
FED_MUST_USE enum fed_err audit_require(struct hub_console *console, struct hub_request *r);
/* At most max bytes from offset of audit.log (0), audit.log.1 ... FED_ERR_NOT_FOUND. */
FED_MUST_USE enum fed_err audit_read_part(const struct hub_console *console, unsigned file,
    uint64_t offset, size_t max, struct fed_buf *out, uint64_t *size);
/* The mark of a file and its size. FED_ERR_NOT_FOUND when there is none, or nothing in it. */
FED_MUST_USE enum fed_err audit_mark(const struct hub_console *console, unsigned file,
    char mark[AUDIT_MARK_DIGITS + 1], uint64_t *size);
FED_MUST_USE enum fed_err audit_place_read(struct fed_span text, struct audit_place *out);
/* Where the place is by now: its file may have been renamed meanwhile. Answers 410 when it is not
 * there any more. */
FED_MUST_USE enum fed_err audit_place_find(
    const struct hub_console *console, struct hub_request *r, struct audit_place *place);

#endif
