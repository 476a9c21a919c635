/* message.h - CoAP messages (RFC 7252 section 3) as hub and agent read and write them: no
 * allocation, every length limited. One reader serves both: of an option that only requests carry
 * the agent sees that it is there and does not look, and the other way round. */
#ifndef FEDLET_PORTS_COAP_MESSAGE_H
#define FEDLET_PORTS_COAP_MESSAGE_H

#include "proto/base/span.h"

#define FED_COAP_TOKEN_MAX 8u
#define FED_COAP_OPTIONS_MAX 32u /* more in one message is nothing that our peers send */
#define FED_COAP_PATH_MAX 64u    /* our resources have names of one letter */
#define FED_COAP_QUERY_MAX 256u
#define FED_COAP_ETAG_MAX 8u
#define FED_COAP_SZX_MAX 6u        /* blocks of 1,024 bytes */
#define FED_COAP_MESSAGE_MAX 1232u /* fits a packet of 1,280 bytes, the least that IPv6 carries */

enum fed_coap_type { FED_COAP_CON, FED_COAP_NON, FED_COAP_ACK, FED_COAP_RST };

/* Code byte of a code written c * 100 + dd (ports/link.h). */
#define FED_COAP_CODE(code) ((uint8_t)((code) / 100u << 5 | (code) % 100u))
#define FED_COAP_CODE_EMPTY 0u
#define FED_COAP_CODE_GET 1u
#define FED_COAP_CODE_POST 2u

/* Registered numbers: RFC 7252 section 5.10, RFC 7641 section 2, RFC 7959 sections 2.1 and 4. */
enum fed_coap_option_number {
    FED_COAP_OPTION_URI_HOST = 3,
    FED_COAP_OPTION_ETAG = 4,
    FED_COAP_OPTION_OBSERVE = 6,
    FED_COAP_OPTION_URI_PORT = 7,
    FED_COAP_OPTION_URI_PATH = 11,
    FED_COAP_OPTION_MAX_AGE = 14,
    FED_COAP_OPTION_URI_QUERY = 15,
    FED_COAP_OPTION_BLOCK2 = 23,
    FED_COAP_OPTION_BLOCK1 = 27,
    FED_COAP_OPTION_SIZE2 = 28,
    FED_COAP_OPTION_SIZE1 = 60
};

struct fed_coap_message {
    enum fed_coap_type type;
    uint8_t code;
    uint16_t mid;
    uint8_t token[FED_COAP_TOKEN_MAX];
    size_t token_len;
    bool has_observe;
    uint32_t observe;
    bool has_block2;
    uint32_t block2_num;
    bool block2_more;
    unsigned block2_szx;
    bool has_block1;
    uint32_t block1_num;
    bool block1_more;
    unsigned block1_szx;
    size_t etag_len; /* of the first ETag */
    uint8_t etag[FED_COAP_ETAG_MAX];
    bool has_max_age;
    uint32_t max_age_s;
    uint32_t size2;  /* 0: not said */
    size_t path_len; /* segments joined by '/' */
    char path[FED_COAP_PATH_MAX];
    size_t query_len; /* joined by '&' */
    char query[FED_COAP_QUERY_MAX];
    struct fed_span payload; /* points into what was parsed */
};

enum fed_coap_verdict {
    FED_COAP_GOOD,
    FED_COAP_IGNORE,     /* nothing may be answered */
    FED_COAP_MALFORMED,  /* a CON is answered with a reset (RFC 7252 section 4.2) */
    FED_COAP_BAD_OPTION, /* a critical option that we do not know: 4.02 */
    FED_COAP_BAD_REQUEST /* an option that we know has a value that we do not take: 4.00 */
};

/* Takes one datagram apart. Type and mid are set unless the verdict is FED_COAP_IGNORE, code and
 * token also for the last two verdicts. */
enum fed_coap_verdict fed_coap_message_parse(struct fed_span bytes, struct fed_coap_message *out);

/* Writes one message into a buffer of the caller; options in ascending order. What does not fit
 * sticks as failed. */
struct fed_coap_writer {
    uint8_t bytes[FED_COAP_MESSAGE_MAX];
    size_t len;
    unsigned option; /* number of the last one */
    bool failed;
};
void fed_coap_writer_begin(struct fed_coap_writer *w, enum fed_coap_type type, uint8_t code,
    uint16_t mid, const uint8_t *token, size_t token_len);
void fed_coap_writer_option(
    struct fed_coap_writer *w, enum fed_coap_option_number number, struct fed_span value);
void fed_coap_writer_uint(
    struct fed_coap_writer *w, enum fed_coap_option_number number, uint32_t value);
void fed_coap_writer_payload(
    struct fed_coap_writer *w, struct fed_span payload); /* last; empty writes nothing */

#endif
