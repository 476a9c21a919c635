/* md5.c - MD5 (RFC 1321), our own: KubeFed's version names are MD5 sums, and the crypto library is
 * built without it, so that nothing else can come to use it. */
#include "proto/digest/sha256.h"

#include <string.h>

struct md5 {
    uint32_t a;
    uint32_t b;
    uint32_t c;
    uint32_t d;
};

/* floor(2^32 * abs(sin(i + 1))), RFC 1321 section 3.4. */
static const uint32_t sines[64] = {0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf,
    0x4787c62a, 0xa8304613, 0xfd469501, 0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122,
    0xfd987193, 0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d,
    0x02441453, 0xd8a1e681, 0xe7d3fbc8, 0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905,
    0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a, 0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44,
    0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70, 0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039,
    0xe6db99e5, 0x1fa27cf8, 0xc4ac5665, 0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3,
    0x8f0ccc92, 0xffeff47d, 0x85845dd1, 0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82,
    0xbd3af235, 0x2ad7d2bb, 0xeb86d391};
static const uint8_t shifts[4][4] = {
    {7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

/* The round function of step i, and the word of the block that it takes. */
static uint32_t mix(const struct md5 *s, unsigned i, unsigned *word)
{
    switch (i / 16) {
    case 0:
        *word = i;
        return (s->b & s->c) | (~s->b & s->d);
    case 1:
        *word = (5 * i + 1) % 16;
        return (s->d & s->b) | (~s->d & s->c);
    case 2:
        *word = (3 * i + 5) % 16;
        return s->b ^ s->c ^ s->d;
    default:
        *word = 7 * i % 16;
        return s->c ^ (s->b | ~s->d);
    }
}

static void md5_block(struct md5 *state, const uint8_t block[64])
{
    struct md5 s = *state;

    for (unsigned i = 0; i < 64; i++) {
        unsigned word;
        uint32_t sum = mix(&s, i, &word) + s.a + sines[i];
        const uint8_t *at = block + 4 * word;
        unsigned shift = shifts[i / 16][i % 4];

        sum +=
            (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
        s = (struct md5){
            .a = s.d, .b = s.b + (sum << shift | sum >> (32 - shift)), .c = s.b, .d = s.c};
    }
    state->a += s.a;
    state->b += s.b;
    state->c += s.c;
    state->d += s.d;
}

static void put_little(uint8_t *to, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> (8 * i));
}

enum fed_err fed_digest_md5(struct fed_span bytes, uint8_t out[16])
{
    struct md5 state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    uint64_t bits = (uint64_t)bytes.len * 8;
    uint8_t tail[128] = {0};
    size_t whole = bytes.len / 64 * 64;
    size_t rest = bytes.len - whole;
    size_t tail_len = rest < 56 ? 64 : 128;

    for (size_t i = 0; i < whole; i += 64)
        md5_block(&state, bytes.at + i);
    if (rest)
        memcpy(tail, bytes.at + whole, rest);
    tail[rest] = 0x80;
    put_little(tail + tail_len - 8, (uint32_t)bits);
    put_little(tail + tail_len - 4, (uint32_t)(bits >> 32));
    for (size_t i = 0; i < tail_len; i += 64)
        md5_block(&state, tail + i);
    put_little(out, state.a);
    put_little(out + 4, state.b);
    put_little(out + 8, state.c);
    put_little(out + 12, state.d);
    return FED_OK;
}
