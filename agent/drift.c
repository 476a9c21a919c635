/* drift.c - see drift.h. */
#include "agent/drift.h"

#include "agent/seen.h"

#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 64u
#define KEY_MAX 512u

struct step { /* one level down: a member of a map, or an item of a list */
    struct fed_span member;
    const struct fed_json *item; /* NULL: a member */
    size_t index;                /* of the item */
};

struct walk {
    struct fed_json_doc *doc;
    const struct fed_json *managers; /* metadata.managedFields */
    const struct fed_json *object;
    bool secret;
    struct step steps[DEPTH_MAX];
    size_t depth;
    struct agent_drift *out;
};

/* ---- fieldsV1 ---- */

/* The keys of an item, as far as it says them itself: the API server's have defaults, too. */
static bool has_keys(const struct fed_json *item, const struct fed_json *keys)
{
    struct fed_json_iter it = fed_json_each(keys);
    bool any = false;

    while (fed_json_iter_next(&it)) {
        const struct fed_json *value = fed_json_get_span(item, it.key);

        if (value && !fed_json_eq(value, it.value))
            return false;
        any = any || value;
    }
    return any;
}

static bool is_item(struct fed_json_doc *doc, struct fed_span key, const struct fed_json *item)
{
    struct fed_json *parsed = NULL;

    if (key.len < 3 || key.at[1] != ':' || (key.at[0] != 'k' && key.at[0] != 'v') ||
        fed_json_parse(doc, fed_span_sub(key, 2, key.len - 2), &parsed, NULL))
        return false;
    return key.at[0] == 'v' ? fed_json_eq(parsed, item) : has_keys(item, parsed);
}

static const struct fed_json *child_of(
    struct fed_json_doc *doc, const struct fed_json *fields, const struct step *step)
{
    char key[KEY_MAX];
    struct fed_json_iter it = fed_json_each(fields);
    int n;

    if (!step->item) {
        n = snprintf(key, sizeof key, "f:" FED_SPAN_FMT, FED_SPAN_ARG(step->member));
        return n > 0 && (size_t)n < sizeof key ? fed_json_get(fields, key) : NULL;
    }
    while (fed_json_iter_next(&it)) {
        if (is_item(doc, it.key, step->item))
            return it.value;
    }
    return NULL;
}

/* Nothing below is told apart: a value, or a list or map that is kept as one. */
static bool is_leaf(const struct fed_json *fields)
{
    return fed_json_count(fields) == (fed_json_get(fields, ".") ? 1u : 0u);
}

static bool has_steps(const struct walk *w, const struct fed_json *fields)
{
    for (size_t i = 0; i < w->depth; i++) {
        fields = child_of(w->doc, fields, &w->steps[i]);
        if (!fields)
            return false;
        if (is_leaf(fields))
            return true;
    }
    return true;
}

static bool is_ours(const struct fed_json *entry)
{
    return fed_span_is(fed_json_string(fed_json_get(entry, "manager")), AGENT_FIELD_MANAGER) &&
           fed_span_is(fed_json_string(fed_json_get(entry, "operation")), "Apply");
}

/* The entry of somebody else that has the field, the latest of them. */
static const struct fed_json *owner_of(const struct walk *w)
{
    struct fed_json_iter it = fed_json_items(w->managers);
    const struct fed_json *found = NULL;
    struct fed_span latest = {0};

    while (fed_json_iter_next(&it)) {
        struct fed_span time = fed_json_string(fed_json_get(it.value, "time"));

        if (is_ours(it.value) || (found && fed_span_cmp(time, latest) < 0) ||
            !has_steps(w, fed_json_get(it.value, "fieldsV1")))
            continue;
        found = it.value;
        latest = time; /* RFC 3339 in UTC: text order is time order */
    }
    return found;
}

/* ---- telling ---- */

static void copy(char *out, size_t size, struct fed_span text)
{
    size_t len = text.len < size - 1 ? text.len : size - 1;

    while (len > 0 && len < text.len && (text.at[len] & 0xc0) == 0x80)
        len--;
    for (size_t i = 0; i < len; i++)
        out[i] = text.at[i] < 0x20 || text.at[i] == 0x7f ? ' ' : (char)text.at[i];
    out[len] = '\0';
}

static void put_step(struct fed_buf *out, const struct step *step)
{
    struct fed_span name =
        step->item ? fed_json_string(fed_json_get(step->item, "name")) : step->member;

    if (step->item && name.len == 0)
        fed_buf_printf(out, "[%zu]", step->index);
    else if (step->item || fed_span_find(name, '.') < name.len)
        fed_buf_printf(out, "[" FED_SPAN_FMT "]", FED_SPAN_ARG(name));
    else
        fed_buf_printf(out, "%s" FED_SPAN_FMT, out->len ? "." : "", FED_SPAN_ARG(name));
}

static void put_path(const struct walk *w, struct agent_drift *out)
{
    struct fed_buf path;

    fed_buf_init(&path, fed_alloc_system(), 64u << 10);
    for (size_t i = 0; i < w->depth; i++)
        put_step(&path, &w->steps[i]);
    copy(out->path, sizeof out->path, fed_buf_span(&path));
    fed_buf_fini(&path);
}

static void put_value(char *out, size_t size, const struct fed_json *value)
{
    struct fed_buf text;

    fed_buf_init(&text, fed_alloc_system(), 4u << 20);
    if (value && fed_json_put_canonical(&text, value) == FED_OK)
        copy(out, size, fed_buf_span(&text));
    fed_buf_fini(&text);
}

/* What the member has in place of the item: the one of the same name, or the same value. */
static const struct fed_json *item_like(const struct fed_json *list, const struct step *step)
{
    const struct fed_json *name = fed_json_get(step->item, "name");
    struct fed_json_iter it = fed_json_items(list);

    if (!name && fed_json_is_object(step->item))
        return fed_json_is_array(list) ? fed_json_at(list, step->index) : NULL;
    while (fed_json_iter_next(&it)) {
        if (name ? fed_json_eq(fed_json_get(it.value, "name"), name)
                 : fed_json_eq(it.value, step->item))
            return it.value;
    }
    return NULL;
}

static const struct fed_json *value_there(const struct walk *w)
{
    const struct fed_json *value = w->object;

    for (size_t i = 0; i < w->depth && value; i++)
        value = w->steps[i].item ? item_like(value, &w->steps[i])
                                 : fed_json_get_span(value, w->steps[i].member);
    return value;
}

/* A lost field: told when it is the first, or the first with a culprit. */
static void note_lost(struct walk *w, const struct fed_json *wanted)
{
    struct agent_drift *out = w->out;
    const struct fed_json *owner;

    out->n++;
    if (out->manager[0])
        return;
    owner = owner_of(w);
    if (!owner && out->path[0])
        return;
    put_path(w, out);
    copy(out->manager, sizeof out->manager, fed_json_string(fed_json_get(owner, "manager")));
    copy(out->subresource, sizeof out->subresource,
        fed_json_string(fed_json_get(owner, "subresource")));
    copy(out->since, sizeof out->since, fed_json_string(fed_json_get(owner, "time")));
    out->ours[0] = out->theirs[0] = '\0';
    if (w->secret)
        return;
    put_value(out->ours, sizeof out->ours, wanted);
    put_value(out->theirs, sizeof out->theirs, value_there(w));
}

/* ---- walking ---- */

/* Names an object, or is never part of an apply's fields. */
static bool is_identity(const struct walk *w, struct fed_span key)
{
    static const char *const top[] = {"apiVersion", "kind", "status"};
    static const char *const meta[] = {"name", "namespace", "uid", "resourceVersion", "generation",
        "creationTimestamp", "deletionTimestamp", "selfLink", "managedFields"};
    const char *const *names = w->depth == 0 ? top : meta;
    size_t n = w->depth == 0 ? sizeof top / sizeof *top : sizeof meta / sizeof *meta;

    if (w->depth > 1 || (w->depth == 1 && !fed_span_is(w->steps[0].member, "metadata")))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (fed_span_is(key, names[i]))
            return true;
    }
    return false;
}

static void compare(struct walk *w, const struct fed_json *wanted, const struct fed_json *ours);

static void compare_step(struct walk *w, const struct step *step, const struct fed_json *wanted,
    const struct fed_json *ours)
{
    const struct fed_json *mine = child_of(w->doc, ours, step);

    w->steps[w->depth++] = *step;
    if (mine ? !is_leaf(mine) : fed_json_is_object(wanted) && fed_json_count(wanted) > 0)
        compare(w, wanted, mine);
    else if (!mine)
        note_lost(w, wanted);
    w->depth--;
}

/* Recursion ends with the template's own depth, at most DEPTH_MAX; what is deeper is not told
 * apart. */
static void compare(struct walk *w, const struct fed_json *wanted, const struct fed_json *ours)
{
    struct fed_json_iter it = fed_json_each(wanted);
    size_t index = 0;

    if (w->depth == DEPTH_MAX)
        return;
    while (fed_json_iter_next(&it)) {
        struct step step = {.member = it.key, .index = index++};

        if (fed_json_is_array(wanted))
            step.item = it.value;
        else if (fed_json_type(it.value) == FED_JSON_NULL || is_identity(w, it.key))
            continue;
        compare_step(w, &step, it.value, ours);
    }
}

void agent_drift_find(struct fed_json_doc *doc, const struct fed_json *wanted,
    const struct fed_json *object, struct agent_drift *out)
{
    struct walk w = {.doc = doc,
        .managers = fed_json_find(object, "metadata.managedFields"),
        .object = object,
        .secret = fed_span_is(fed_json_string(fed_json_get(wanted, "kind")), "Secret"),
        .out = out};
    struct fed_json_iter it = fed_json_items(w.managers);
    const struct fed_json *ours = NULL;
    struct fed_span kind = fed_json_string(fed_json_get(object, "kind"));

    *out = (struct agent_drift){
        .has_content = !w.secret && kind.len > 0 && !fed_span_is(kind, "PartialObjectMetadata")};
    while (fed_json_iter_next(&it)) {
        if (is_ours(it.value) && !fed_json_get(it.value, "subresource"))
            ours = fed_json_get(it.value, "fieldsV1");
    }
    compare(&w, wanted, ours);
}

void agent_drift_put(struct fed_buf *out, const struct agent_drift *d)
{
    if (!d->path[0]) {
        fed_buf_put_text(out, "fields that the work sets are not its own any more");
        return;
    }
    fed_buf_put_text(out, d->path);
    if (d->has_content && d->ours[0]) {
        if (d->theirs[0])
            fed_buf_printf(out, " is %s, not %s", d->theirs, d->ours);
        else
            fed_buf_printf(out, " is gone, not %s", d->ours);
        fed_buf_put_text(out, d->manager[0] ? ": set by " : ": taken away");
    } else {
        fed_buf_put_text(out, d->manager[0] ? " is set by " : " was taken away");
    }
    if (d->manager[0])
        fed_buf_printf(out, "\"%s\"", d->manager);
    if (d->subresource[0])
        fed_buf_printf(out, " (%s)", d->subresource);
    if (d->since[0])
        fed_buf_printf(out, " at %s", d->since);
    if (d->n > 1)
        fed_buf_printf(out, ", and %zu more", d->n - 1);
}
