/* texts.c - see texts.h. */
#include "hub/console/texts.h"
#include "hub/api/guest.h"

void console_texts_init(struct console_texts *texts, struct fed_alloc *mem, size_t max)
{
    fed_map_init(&texts->map, mem);
    fed_buf_init(&texts->json, mem, max);
}

void console_texts_fini(struct console_texts *texts)
{
    fed_map_fini(&texts->map);
    fed_buf_fini(&texts->json);
}

enum fed_err console_texts_index(struct console_texts *texts, struct fed_span text, size_t *out)
{
    uintptr_t at = (uintptr_t)fed_map_get(&texts->map, text);
    enum fed_err err;

    if (at == 0) {
        at = (uintptr_t)texts->map.count + 1;
        err = fed_map_put(&texts->map, text, (void *)at);
        if (err)
            return err;
        if (at > 1)
            fed_buf_put_u8(&texts->json, ',');
        hub_json_put(&texts->json, text);
    }
    *out = at - 1;
    return FED_OK;
}
