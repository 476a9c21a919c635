/* touched.c - see touched.h. */
#include "hub/console/touched.h"

#include "hub/api/internal.h"

#define NAME_MAX_BYTES 512u
#define EVENT_MAX (64u << 10)

void console_touched_init(struct console_touched *touched, struct fed_alloc *mem)
{
    *touched = (struct console_touched){.mem = mem};
}

void console_touched_clear(struct console_touched *touched)
{
    for (size_t i = 0; i < touched->n; i++) {
        struct console_touched_group *group = &touched->groups[i];

        fed_buf_fini(&group->resource);
        fed_buf_fini(&group->ns);
        fed_buf_fini(&group->names);
        fed_http_shared_unref(group->event);
        group->event = NULL;
    }
    touched->n = 0;
    touched->overflow = false;
}

static struct console_touched_group *group_of(
    struct console_touched *touched, const struct hub_object_ref *ref)
{
    struct console_touched_group *group;

    for (size_t i = 0; i < touched->n; i++) {
        group = &touched->groups[i];
        if (fed_span_eq(fed_buf_span(&group->ns), ref->ns) &&
            fed_span_eq(fed_buf_span(&group->resource), ref->resource))
            return group;
    }
    if (touched->n == CONSOLE_TOUCHED_GROUPS)
        return NULL;
    group = &touched->groups[touched->n++];
    *group = (struct console_touched_group){.n = 0};
    fed_buf_init(&group->resource, touched->mem, NAME_MAX_BYTES);
    fed_buf_init(&group->ns, touched->mem, NAME_MAX_BYTES);
    fed_buf_init(&group->names, touched->mem, EVENT_MAX / 2);
    fed_buf_put(&group->resource, ref->resource);
    fed_buf_put(&group->ns, ref->ns);
    if (!fed_buf_err(&group->resource) && !fed_buf_err(&group->ns))
        return group;
    fed_buf_fini(&group->resource);
    fed_buf_fini(&group->ns);
    touched->n--;
    return NULL;
}

static bool has_name(const struct console_touched_group *group, struct fed_span name)
{
    struct fed_span rest = fed_buf_span(&group->names);
    struct fed_span one;

    while (fed_span_split(&rest, 0, &one))
        if (fed_span_eq(one, name))
            return true;
    return false;
}

void console_touched_add(struct console_touched *touched, const struct hub_object_ref *ref)
{
    struct console_touched_group *group = group_of(touched, ref);

    if (!group) {
        touched->overflow = true;
        return;
    }
    if (group->all || has_name(group, ref->name))
        return;
    fed_buf_put(&group->names, ref->name);
    fed_buf_put_u8(&group->names, 0);
    group->n++;
    group->all = group->n > CONSOLE_TOUCHED_NAMES || fed_buf_err(&group->names);
    fed_http_shared_unref(group->event);
    group->event = NULL;
}

static void put_names(struct fed_buf *out, const struct console_touched_group *group)
{
    struct fed_span rest = fed_buf_span(&group->names);
    struct fed_span ns = fed_buf_span(&group->ns);
    const char *comma = "";
    struct fed_span name;
    uint8_t bytes[2 * NAME_MAX_BYTES];

    while (fed_span_split(&rest, 0, &name)) {
        struct fed_buf full = {.at = bytes, .cap = sizeof bytes, .limit = sizeof bytes};

        if (ns.len > 0) {
            fed_buf_put(&full, ns);
            fed_buf_put_u8(&full, '/');
        }
        fed_buf_put(&full, name);
        fed_buf_put_text(out, comma);
        hub_json_put(out, fed_buf_span(&full));
        comma = ",";
    }
}

struct fed_http_shared *console_touched_event(
    struct console_touched *touched, struct console_touched_group *group)
{
    struct fed_buf out;

    if (group->event)
        return group->event;
    fed_buf_init(&out, touched->mem, EVENT_MAX);
    fed_buf_put_text(&out, "event: touched\ndata: {\"resource\":");
    hub_json_put(&out, fed_buf_span(&group->resource));
    if (group->ns.len > 0) {
        fed_buf_put_text(&out, ",\"namespace\":");
        hub_json_put(&out, fed_buf_span(&group->ns));
    }
    fed_buf_put_text(&out, ",\"objects\":[");
    if (!group->all)
        put_names(&out, group);
    fed_buf_put_text(&out, group->all ? "],\"all\":true}\n\n" : "]}\n\n");
    if (!fed_buf_err(&out))
        group->event = fed_http_shared_take(&out);
    fed_buf_fini(&out);
    return group->event;
}

struct fed_span console_touched_anything(void)
{
    return FED_SPAN_LIT(
        "event: touched\ndata: {\"resource\":\"*\",\"objects\":[],\"all\":true}\n\n");
}
