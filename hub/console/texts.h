/* texts.h - a table of texts of which each is said once, and named by its index. */
#ifndef FEDLET_HUB_CONSOLE_TEXTS_H
#define FEDLET_HUB_CONSOLE_TEXTS_H

#include "proto/base/buf.h"
#include "proto/base/map.h"

struct console_texts { /* text -> its index + 1 */
    struct fed_map map;
    struct fed_buf json; /* the texts, between commas; its error is the caller's to look at */
};

/* max: bytes of the JSON. */
void console_texts_init(struct console_texts *texts, struct fed_alloc *mem, size_t max);
void console_texts_fini(struct console_texts *texts);
FED_MUST_USE enum fed_err console_texts_index(
    struct console_texts *texts, struct fed_span text, size_t *out);

#endif
