/* log.h - where sentences for operators go. Logic calls the functions; an implementation writes
 * lines.
 *
 * error: a person must act; warn: we cope; info: a state changed; debug: the rest. Secrets never.
 */
#ifndef FEDLET_PORTS_LOG_H
#define FEDLET_PORTS_LOG_H

#include "proto/base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum fed_log_level { FED_LOG_ERROR, FED_LOG_WARN, FED_LOG_INFO, FED_LOG_DEBUG };

/* What a line is about, for whoever keeps that apart from the sentence, which begins with the work
 * and ": ". NULL: nothing is said. */
struct fed_log_about {
    const char *work;   /* "Deployment shop/web" */
    const char *reason; /* a word: "UpdateFailed" */
};

struct fed_log {
    void *ctx;
    enum fed_log_level level; /* most detailed one that is written */
    void (*write)(void *ctx, enum fed_log_level level, const char *text);
    /* May be NULL: write gets the sentence alone. */
    void (*write_about)(
        void *ctx, enum fed_log_level level, const struct fed_log_about *about, const char *text);
};

/* log may be NULL: nothing is written. Text beyond 1,000 bytes is cut; control characters are
 * escaped. */
FED_PRINTF(3, 4)
void fed_log(struct fed_log *log, enum fed_log_level level, const char *format, ...);
FED_PRINTF(4, 5)
void fed_log_about(struct fed_log *log, enum fed_log_level level, const struct fed_log_about *about,
    const char *format, ...);

/* ports/posix: lines on stderr, "LEVEL text"; with the journal's <N> prefix when JOURNAL_STREAM is
 * set. */
struct fed_log fed_log_stderr(enum fed_log_level level);

/* The same for a service that nobody watches. A line that was written FED_LOG_BURST times within
 * FED_LOG_WINDOW_MS is left out until that time is over; then a line says how many were. Lines of
 * level debug are never left out: who asks for them wants all.
 *
 * Where stderr is the journal, lines go to its native socket, with the fields MESSAGE, PRIORITY,
 * SYSLOG_IDENTIFIER, and CLUSTER, WORK and REASON where they are known; while nobody listens there,
 * to stderr with its prefix.
 *
 * json: one object per line, {"time","level","message"} and "cluster", "work", "reason" where they
 * are known, time in UTC; always to stderr, still behind the journal's prefix when that is where it
 * goes. */
#define FED_LOG_BURST 3u
#define FED_LOG_WINDOW_MS 60000u
#define FED_LOG_SLOTS 8u
struct fed_log_lines {
    bool json;
    const char *cluster; /* NULL or "": not known; outlives the log */
    const char *journal; /* path of its socket, NULL: not used */
    void (*write)(void *ctx, enum fed_log_level level, const char *text); /* where lines go */
    void *write_ctx;
    uint64_t (*now_ms)(void); /* monotonic */
    struct fed_log_slot {
        uint64_t since_ms; /* its first line of the present window; 0: free */
        uint32_t hash;
        uint32_t n;
        enum fed_log_level level;
        char begin[64]; /* of the text, for the line that says how many */
    } slots[FED_LOG_SLOTS];
};
/* lines is the log's memory and outlives it; what was set in it before is forgotten. */
struct fed_log fed_log_lines_stderr(
    struct fed_log_lines *lines, enum fed_log_level level, bool json);

#endif
