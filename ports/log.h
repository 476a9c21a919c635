/* log.h - where sentences for operators go. Logic calls the functions; an implementation writes
 * lines.
 *
 * error: a person must act; warn: we cope; info: a state changed; debug: the rest. Secrets never.
 */
#ifndef FEDLET_PORTS_LOG_H
#define FEDLET_PORTS_LOG_H

#include "proto/base/err.h"

enum fed_log_level { FED_LOG_ERROR, FED_LOG_WARN, FED_LOG_INFO, FED_LOG_DEBUG };

struct fed_log {
    void *ctx;
    enum fed_log_level level; /* most detailed one that is written */
    void (*write)(void *ctx, enum fed_log_level level, const char *text);
};

/* log may be NULL: nothing is written. Text beyond 1,000 bytes is cut; control characters are
 * escaped. */
FED_PRINTF(3, 4)
void fed_log(struct fed_log *log, enum fed_log_level level, const char *format, ...);

/* ports/posix: lines on stderr, "LEVEL text"; with the journal's <N> prefix when JOURNAL_STREAM is
 * set. */
struct fed_log fed_log_stderr(enum fed_log_level level);

#endif
