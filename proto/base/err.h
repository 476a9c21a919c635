/* err.h - the one error enumeration, and the sentence that goes with an error.
 *
 * A function that can fail returns enum fed_err and is marked FED_MUST_USE; outputs change only on
 * FED_OK. Where a person reads the reason, a struct fed_diag travels along: the place that knows
 * the cause sets it, callers prefix where they were ("bundle 41: work Deployment web/api: override
 * 2: no such path /spec/x/y"). */
#ifndef FEDLET_PROTO_BASE_ERR_H
#define FEDLET_PROTO_BASE_ERR_H

#if defined(__GNUC__)
#define FED_MUST_USE __attribute__((warn_unused_result))
#define FED_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define FED_MUST_USE
#define FED_PRINTF(fmt, args)
#endif

/* name, text */
#define FED_ERR_LIST(X)                                                                            \
    X(OK, "ok")                                                                                    \
    X(NOMEM, "out of memory")                                                                      \
    X(LIMIT, "larger than its limit")                                                              \
    X(INVALID, "invalid")                                                                          \
    X(TRUNCATED, "ends too early")                                                                 \
    X(UNSUPPORTED, "not supported")                                                                \
    X(NOT_FOUND, "not found")                                                                      \
    X(EXISTS, "exists already")                                                                    \
    X(CONFLICT, "changed meanwhile")                                                               \
    X(GONE, "too old")                                                                             \
    X(FORBIDDEN, "forbidden")                                                                      \
    X(UNAUTHENTICATED, "not authenticated")                                                        \
    X(DIGEST, "digest does not match")                                                             \
    X(CORRUPT, "corrupt")                                                                          \
    X(BUSY, "busy")                                                                                \
    X(TIMEOUT, "no answer in time")                                                                \
    X(CLOSED, "closed")                                                                            \
    X(NETWORK, "network error")                                                                    \
    X(TLS, "TLS error")                                                                            \
    X(IO, "input/output error")                                                                    \
    X(FULL, "no space left")                                                                       \
    X(INTERNAL, "internal error")

enum fed_err {
#define FED_ERR_ENUM(name, text) FED_ERR_##name,
    FED_ERR_LIST(FED_ERR_ENUM)
#undef FED_ERR_ENUM
};
#define FED_OK FED_ERR_OK

/* The text of the list above, never NULL, also for a number that is not in it. */
const char *fed_err_text(enum fed_err err);

/* Room for one sentence on one line: longer ones are cut at the end with "...", control characters
 * become spaces. Always NUL-terminated. */
struct fed_diag {
    char text[480];
};

/* Sets the sentence and returns err, so that `return fed_diag_set(d, FED_ERR_INVALID, "...")` reads
 * well. d may be NULL. */
FED_PRINTF(3, 4)
enum fed_err fed_diag_set(struct fed_diag *d, enum fed_err err, const char *format, ...);

/* Puts "PREFIX: " before the sentence and returns err. When no sentence was set, the text of err
 * follows the prefix. d may be NULL. */
FED_PRINTF(3, 4)
enum fed_err fed_diag_prefix(struct fed_diag *d, enum fed_err err, const char *format, ...);

#endif
