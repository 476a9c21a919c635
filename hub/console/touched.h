/* touched.h - names of objects that changed since it was last emptied, by resource and namespace,
 * as events of a stream. Bounded: what is too much for a group becomes "all", what is too many
 * groups becomes one event that names nothing. */
#ifndef FEDLET_HUB_CONSOLE_TOUCHED_H
#define FEDLET_HUB_CONSOLE_TOUCHED_H

#include "hub/store/objects.h"
#include "ports/http.h"

#define CONSOLE_TOUCHED_GROUPS 64u
#define CONSOLE_TOUCHED_NAMES 100u

struct console_touched_group {
    struct fed_buf resource;
    struct fed_buf ns;
    struct fed_buf names; /* NUL behind each */
    size_t n;
    bool all; /* more than there is room for */
    struct fed_http_shared *event;
};
struct console_touched {
    struct fed_alloc *mem;
    struct console_touched_group groups[CONSOLE_TOUCHED_GROUPS];
    size_t n;
    bool overflow;
};

void console_touched_init(struct console_touched *touched, struct fed_alloc *mem);
void console_touched_clear(struct console_touched *touched); /* also before it goes */
void console_touched_add(struct console_touched *touched, const struct hub_object_ref *ref);
/* The group's event; the reference stays with the group. NULL when memory is out. */
struct fed_http_shared *console_touched_event(
    struct console_touched *touched, struct console_touched_group *group);
/* The event that says: anything may have changed. */
struct fed_span console_touched_anything(void);

#endif
