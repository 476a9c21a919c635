/* Files of time zones, and windows as people write them: one byte chooses. */
#include "hub/traffic/window.h"
#include "tests/fuzz/fuzz.h"

static enum fed_err find(
    void *ctx, struct fed_span name, const struct hub_zone **out, struct fed_diag *diag)
{
    static const struct hub_zone zone = {.first = 3600};

    (void)ctx;
    (void)diag;
    FUZZ_CHECK(hub_zone_is_name(name));
    *out = &zone;
    return FED_OK;
}

static void zone(struct fed_span bytes)
{
    static const int64_t times[] = {
        INT32_MIN, -1, 0, 1, 951782400, 1795996800, INT32_MAX, 7258118400};
    struct hub_zone parsed;

    if (hub_zone_parse(fed_alloc_system(), bytes, &parsed))
        return;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        int32_t offset = hub_zone_offset(&parsed, times[i]);

        FUZZ_CHECK(offset >= -30 * 3600 && offset <= 30 * 3600);
    }
    hub_zone_fini(&parsed);
}

static void windows(struct fed_span text)
{
    struct hub_windows parsed;
    struct fed_diag diag = {""};

    if (hub_windows_parse(text, find, NULL, &parsed, &diag)) {
        FUZZ_CHECK(diag.text[0]);
        return;
    }
    for (int64_t at = 1795996800; at < 1795996800 + 8 * 86400; at += 4567) {
        int64_t end = hub_windows_end(&parsed, at);

        int64_t next = hub_windows_next(&parsed, at);

        FUZZ_CHECK(end == 0 || end > at);
        FUZZ_CHECK(end ? next == at : next == 0 || (next > at && hub_windows_end(&parsed, next)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fed_span bytes = fed_span_of(data, size);

    if (size == 0)
        return 0;
    if (data[0] == 'T')
        zone(bytes);
    else
        windows(bytes);
    return 0;
}
