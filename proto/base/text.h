/* text.h - hex, base64, times and names as the protocols write them. */
#ifndef FEDLET_PROTO_BASE_TEXT_H
#define FEDLET_PROTO_BASE_TEXT_H

#include "proto/base/buf.h"

/* Lower-case hex. */
void fed_text_put_hex(struct fed_buf *out, struct fed_span bytes);
/* Either case, even length: FED_ERR_INVALID, FED_ERR_LIMIT when more than size bytes. */
FED_MUST_USE enum fed_err fed_text_hex(
    struct fed_span text, uint8_t *out, size_t size, size_t *len);

/* RFC 4648 section 4 with padding, and section 5 (URL-safe) without. Decoding is strict: no spaces,
 * correct padding, unused bits zero: FED_ERR_INVALID. */
void fed_text_put_base64(struct fed_buf *out, struct fed_span bytes);
void fed_text_put_base64url(struct fed_buf *out, struct fed_span bytes);
FED_MUST_USE enum fed_err fed_text_base64(struct fed_span text, struct fed_buf *out);
FED_MUST_USE enum fed_err fed_text_base64url(struct fed_span text, struct fed_buf *out);

/* RFC 3339 in UTC with whole seconds, as Kubernetes writes metav1.Time: 2026-11-22T18:23:33Z. */
#define FED_TEXT_TIME_SIZE 32
void fed_text_time(int64_t unix_s, char out[FED_TEXT_TIME_SIZE]);
/* Also with microseconds: metav1.MicroTime. */
void fed_text_time_micro(int64_t unix_us, char out[FED_TEXT_TIME_SIZE]);
/* Accepts fractions and offsets. FED_ERR_INVALID. */
FED_MUST_USE enum fed_err fed_text_time_parse(struct fed_span text, int64_t *unix_s);

/* A duration for a table's AGE column, as kubectl prints it (k8s.io/apimachinery
 * duration.HumanDuration): 5s, 3m12s, 17m, 4h20m, 26h, 5d3h, 90d, 2y31d ... Negative gives "0s"
 * down to -1 s, else "<invalid>". */
void fed_text_age(int64_t seconds, char out[FED_TEXT_TIME_SIZE]);
/* Go's duration syntax ("1h30m", "250ms") to milliseconds. FED_ERR_INVALID, FED_ERR_LIMIT. */
FED_MUST_USE enum fed_err fed_text_duration_ms(struct fed_span text, uint64_t *out);

/* Kubernetes names: RFC 1123 label (<= 63) and subdomain (<= 253), qualified label key and label
 * value. */
bool fed_text_is_dns_label(struct fed_span text);
bool fed_text_is_dns_subdomain(struct fed_span text);
bool fed_text_is_label_key(struct fed_span text);
bool fed_text_is_label_value(struct fed_span text); /* may be empty */
/* Their forms alone, of any length, for whoever says which of the two is wrong. */
bool fed_text_has_label_form(struct fed_span text);
bool fed_text_has_subdomain_form(struct fed_span text);
bool fed_text_has_qualified_form(struct fed_span text);
/* Well-formed UTF-8 (RFC 3629: no surrogates, shortest form). */
bool fed_text_is_utf8(struct fed_span text);

#endif
