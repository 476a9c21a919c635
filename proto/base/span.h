/* span.h - borrowed bytes, and the cursor that every decoder reads with.
 *
 * A span never owns. Text in a span is not NUL-terminated; print it with FED_SPAN_FMT /
 * FED_SPAN_ARG. */
#ifndef FEDLET_PROTO_BASE_SPAN_H
#define FEDLET_PROTO_BASE_SPAN_H

#include "proto/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fed_span {
    const uint8_t *at; /* may be NULL when len is 0 */
    size_t len;
};

#define FED_SPAN_FMT "%.*s"
#define FED_SPAN_ARG(span) (int)((span).len > 4096 ? 4096 : (span).len), (const char *)(span).at
/* A string literal as a span. */
#define FED_SPAN_LIT(text) ((struct fed_span){(const uint8_t *)("" text), sizeof(text) - 1})

struct fed_span fed_span_of(const void *at, size_t len);
struct fed_span fed_span_text(const char *text); /* NULL gives the empty span */
bool fed_span_eq(struct fed_span a, struct fed_span b);
bool fed_span_is(struct fed_span a, const char *text);
bool fed_span_starts(struct fed_span a, const char *prefix);
bool fed_span_ends(struct fed_span a, const char *suffix);
/* Bytewise, shorter first when one is a prefix of the other: <0, 0, >0. */
int fed_span_cmp(struct fed_span a, struct fed_span b);
/* First index of the byte, or a.len. */
size_t fed_span_find(struct fed_span a, uint8_t byte);
/* From index at, at most len bytes; clipped to the span. */
struct fed_span fed_span_sub(struct fed_span a, size_t at, size_t len);
/* Splits at the first separator: *head is what is before it, the rest stays in *rest (empty when
 * there was none). false when *rest is empty at the start. "a//b" gives "a", "", "b". */
bool fed_span_split(struct fed_span *rest, uint8_t separator, struct fed_span *head);
/* Decimal digits only, no sign, no space, no leading zero unless it is "0". FED_ERR_INVALID,
 * FED_ERR_LIMIT. */
FED_MUST_USE enum fed_err fed_span_to_u64(struct fed_span a, uint64_t *out);
/* Copies into a C string. FED_ERR_LIMIT when it does not fit with its NUL, FED_ERR_INVALID when it
 * holds a NUL. */
FED_MUST_USE enum fed_err fed_span_to_cstr(struct fed_span a, char *out, size_t size);

/* The cursor: each take moves the front of *from. FED_ERR_TRUNCATED when too short; then nothing
 * moves. Numbers are big endian. */
FED_MUST_USE enum fed_err fed_span_take_u8(struct fed_span *from, uint8_t *out);
FED_MUST_USE enum fed_err fed_span_take_u16(struct fed_span *from, uint16_t *out);
FED_MUST_USE enum fed_err fed_span_take_u32(struct fed_span *from, uint32_t *out);
FED_MUST_USE enum fed_err fed_span_take_u64(struct fed_span *from, uint64_t *out);
/* LEB128, shortest form required (FED_ERR_INVALID otherwise), value <= max (FED_ERR_LIMIT). */
FED_MUST_USE enum fed_err fed_span_take_varint(struct fed_span *from, uint64_t max, uint64_t *out);
FED_MUST_USE enum fed_err fed_span_take_bytes(
    struct fed_span *from, size_t len, struct fed_span *out);
/* A varint length, at most max (FED_ERR_LIMIT), then that many bytes. */
FED_MUST_USE enum fed_err fed_span_take_string(
    struct fed_span *from, size_t max, struct fed_span *out);

#endif
