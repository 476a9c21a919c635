/* fetch_fuzz.c - a body that is fetched in blocks: what was kept of one is read and written the
 * same; and whatever comes in whatever order, only blocks of the body are asked for, and it is
 * complete when all of it is there. */
#include "ports/coap/fetch.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

#define SIZE_MAX_HERE 40000u

static void check_kept(struct fed_span from)
{
    struct fed_span left = from;
    struct fed_coap_fetch *f;
    struct fed_buf again;

    if (fed_coap_fetch_take_from(fed_alloc_system(), &left, SIZE_MAX_HERE, &f))
        return;
    fed_buf_init(&again, fed_alloc_system(), 2 * SIZE_MAX_HERE);
    fed_coap_fetch_put_to(f, &again);
    FUZZ_CHECK(fed_buf_err(&again) == FED_OK && fed_span_eq(fed_buf_span(&again), from));
    FUZZ_CHECK(f->count <= f->units);
    fed_buf_fini(&again);
    fed_coap_fetch_free(f);
}

static void check_ask(const struct fed_coap_fetch *f, const struct fed_coap_ask *ask)
{
    FUZZ_CHECK(ask->szx >= FED_COAP_SZX_SMALL && ask->szx <= FED_COAP_SZX_LARGE);
    FUZZ_CHECK((size_t)ask->num << (ask->szx + 4) < f->size);
    FUZZ_CHECK(!fed_coap_fetch_complete(f));
}

/* Each byte is a step: time that passes, what is asked for then, and an answer to one of the last
 * requests or to none. */
static void fetch(struct fed_coap_fetch *f, const uint8_t *body, struct fed_span steps)
{
    struct fed_coap_ask asked[16] = {{0}};
    uint64_t now_ms = 0;
    size_t n = 0;

    for (size_t i = 0; i < steps.len; i++) {
        struct fed_coap_ask a = asked[steps.at[i] % 16];
        size_t at = (size_t)a.num << (a.szx + 4);
        size_t len = (size_t)16 << a.szx;
        unsigned calls = 0;
        uint32_t rtt_ms;

        now_ms += (uint64_t)(steps.at[i] >> 6) * 400;
        while (fed_coap_fetch_next(f, now_ms, 300, &asked[n % 16])) {
            check_ask(f, &asked[n++ % 16]);
            FUZZ_CHECK(++calls <= 2 * FED_COAP_WINDOW_MAX);
        }
        if (a.szx == 0 || at >= f->size || (steps.at[i] & 0x20))
            continue;
        len = f->size - at < len ? f->size - at : len;
        fed_coap_fetch_received(f, a.num, a.szx, fed_span_of(body + at, len), now_ms, &rtt_ms);
        FUZZ_CHECK(f->count <= f->units && f->window.size >= FED_COAP_WINDOW_MIN &&
                   f->window.size <= FED_COAP_WINDOW_MAX);
    }
    FUZZ_CHECK(!fed_coap_fetch_complete(f) || memcmp(f->body, body, f->size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t body[SIZE_MAX_HERE];
    struct fed_span steps = fed_span_of(data, size);
    struct fed_coap_fetch *f;
    uint16_t len;

    check_kept(steps);
    if (fed_span_take_u16(&steps, &len) || len == 0 || len > SIZE_MAX_HERE)
        return 0;
    for (size_t i = 0; i < len; i++)
        body[i] = (uint8_t)(i * 2654435761u >> 11);
    if (fed_coap_fetch_new(fed_alloc_system(), len, &f))
        return 0;
    fed_coap_fetch_begin(f, len % 2 ? FED_COAP_SZX_LARGE : FED_COAP_SZX_SMALL, 0);
    fetch(f, body, steps);
    fed_coap_fetch_free(f);
    return 0;
}
