/* put.h - members of a JSON object, of which the first error sticks; what is empty is left out. */
#ifndef FEDLET_HUB_ROLLOUT_PUT_H
#define FEDLET_HUB_ROLLOUT_PUT_H

#include "proto/base/text.h"
#include "proto/object/json.h"

struct rollout_put {
    struct fed_json_doc *doc;
    enum fed_err err;
};

static inline void put_span(
    struct rollout_put *p, struct fed_json *to, const char *key, struct fed_span text)
{
    if (!p->err && text.len > 0)
        p->err = fed_json_set_string(p->doc, to, key, text);
}

static inline void put_text(
    struct rollout_put *p, struct fed_json *to, const char *key, const char *text)
{
    put_span(p, to, key, fed_span_text(text));
}

static inline void put_int(
    struct rollout_put *p, struct fed_json *to, const char *key, int64_t value)
{
    if (!p->err)
        p->err = fed_json_set_int(p->doc, to, key, value);
}

static inline void put_time(
    struct rollout_put *p, struct fed_json *to, const char *key, int64_t unix_s)
{
    char text[FED_TEXT_TIME_SIZE];

    if (unix_s <= 0)
        return;
    fed_text_time(unix_s, text);
    put_text(p, to, key, text);
}

/* A new object as a member. NULL after an error, which every call above stands. */
static inline struct fed_json *put_object(
    struct rollout_put *p, struct fed_json *to, const char *key)
{
    struct fed_json *object = fed_json_new_object(p->doc);

    if (!p->err)
        p->err = fed_json_set(p->doc, to, key, object);
    return object;
}

static inline struct fed_json *put_array(
    struct rollout_put *p, struct fed_json *to, const char *key)
{
    struct fed_json *array = fed_json_new_array(p->doc);

    if (!p->err)
        p->err = fed_json_set(p->doc, to, key, array);
    return array;
}

/* A new object as an item. */
static inline struct fed_json *put_item(struct rollout_put *p, struct fed_json *array)
{
    struct fed_json *object = fed_json_new_object(p->doc);

    if (!p->err)
        p->err = fed_json_append(array, object);
    return object;
}

#endif
