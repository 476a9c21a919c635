/* uuid.c - see uuid.h. */
#include "hub/access/uuid.h"

void hub_uuid_format(const uint8_t bytes[16], char out[HUB_UUID_SIZE])
{
    static const char hex[] = "0123456789abcdef";
    char *at = out;

    for (size_t i = 0; i < 16; i++) {
        uint8_t b = bytes[i];

        if (i == 6)
            b = (uint8_t)((b & 0x0f) | 0x40);
        if (i == 8)
            b = (uint8_t)((b & 0x3f) | 0x80);
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        *at++ = hex[b >> 4];
        *at++ = hex[b & 15];
    }
    *at = 0;
}

enum fed_err hub_uuid_new(struct fed_crypto *crypto, char out[HUB_UUID_SIZE])
{
    uint8_t bytes[16];
    enum fed_err err = crypto->random(crypto->ctx, bytes, sizeof bytes);

    if (!err)
        hub_uuid_format(bytes, out);
    return err;
}
