/* wish.c - see wish.h. */
#include "agent/wish.h"

#include "proto/base/text.h"
#include "proto/object/fields.h"
#include "proto/object/override.h"

#include <string.h>

#define PREFIX "fedlet.io/"

static const struct agent_wish no_wish = {0};

/* ---- one annotation ---- */

static enum fed_err refuse(struct fed_diag *diag, const char *name, const char *why)
{
    return fed_diag_set(diag, FED_ERR_INVALID, "metadata.annotations[" PREFIX "%s]: %s", name, why);
}

static struct fed_span trim(struct fed_span text)
{
    while (text.len > 0 && text.at[0] == ' ')
        text = fed_span_of(text.at + 1, text.len - 1);
    while (text.len > 0 && text.at[text.len - 1] == ' ')
        text.len--;
    return text;
}

static bool take_dependency(struct fed_span text, struct agent_dependency *out)
{
    struct fed_span rest = trim(text);
    struct fed_span type = {0};
    struct fed_span first = {0};

    *out = (struct agent_dependency){0};
    fed_span_split(&rest, '/', &type);
    fed_span_split(&rest, '/', &first);
    out->has_group = fed_span_find(type, '.') < type.len;
    fed_span_split(&type, '.', &out->kind);
    out->group = type;
    if (rest.len > 0)
        out->ns = first;
    out->name = rest.len > 0 ? rest : first;
    return out->kind.len > 0 && out->name.len > 0 &&
           fed_span_find(out->name, '/') == out->name.len &&
           (!out->has_group || out->group.len > 0) && !(rest.len > 0 && first.len == 0);
}

static enum fed_err read_dependencies(
    struct agent_wish *wish, struct fed_span text, struct fed_diag *diag)
{
    struct fed_span one;

    while (fed_span_split(&text, ',', &one)) {
        if (wish->n_dependencies == AGENT_WISH_DEPENDENCIES_MAX)
            return refuse(diag, "depends-on", "more than 32 works");
        if (!take_dependency(one, &wish->dependencies[wish->n_dependencies++]))
            return refuse(diag, "depends-on",
                "not a list of KIND[.GROUP]/NAME or KIND[.GROUP]/NAMESPACE/NAME");
    }
    return FED_OK;
}

static enum fed_err read_deadline(
    struct agent_wish *wish, struct fed_span text, struct fed_diag *diag)
{
    uint64_t ms;

    if (fed_text_duration_ms(text, &ms) || ms < AGENT_WISH_DEADLINE_MIN_MS ||
        ms > AGENT_WISH_DEADLINE_MAX_MS)
        return refuse(diag, "health-deadline", "not a duration from 1s to 24h, such as 5m");
    wish->deadline_ms = (uint32_t)ms;
    return FED_OK;
}

static enum fed_err read_fields(
    struct agent_wish *wish, struct fed_span text, struct fed_diag *diag)
{
    struct fed_fields fields;
    enum fed_err err = fed_fields_parse(text, &fields, diag);

    wish->status_fields = text;
    return err ? fed_diag_prefix(
                     diag, err, "metadata.annotations[" FED_FIELDS_STATUS_ANNOTATION "]")
               : FED_OK;
}

static enum fed_err read_one(
    struct agent_wish *wish, struct fed_span name, struct fed_span value, struct fed_diag *diag)
{
    if (fed_span_is(name, "depends-on"))
        return read_dependencies(wish, value, diag);
    if (fed_span_is(name, "health-deadline"))
        return read_deadline(wish, value, diag);
    if (fed_span_is(name, "status-fields"))
        return read_fields(wish, value, diag);
    if (fed_span_is(name, "replace")) {
        wish->replace = fed_span_is(value, "true");
        if (!wish->replace && !fed_span_is(value, "false"))
            return refuse(diag, "replace", "neither true nor false");
    } else if (fed_span_is(name, "drift")) {
        wish->report_drift = fed_span_is(value, "report");
        if (!wish->report_drift && !fed_span_is(value, "restore"))
            return refuse(diag, "drift", "neither report nor restore");
    }
    return FED_OK;
}

/* ---- all of them ---- */

static bool mentions(struct fed_span text)
{
    return text.len > 0 && memmem(text.at, text.len, PREFIX, sizeof PREFIX - 1);
}

/* Overrides write the name as a JSON pointer, in which the slash is "~1" (RFC 6901). */
static bool mentions_pointer(struct fed_span text)
{
    static const char escaped[] = "fedlet.io~1";

    return text.len > 0 && memmem(text.at, text.len, escaped, sizeof escaped - 1);
}

/* Reads into a wish with room for everything; its spans point into the annotations. */
static enum fed_err collect(
    const struct fed_json *annotations, struct agent_wish *wish, struct fed_diag *diag)
{
    static const size_t prefix = sizeof PREFIX - 1;
    struct fed_json_iter iter = fed_json_each(annotations);
    enum fed_err err = FED_OK;

    while (!err && fed_json_iter_next(&iter)) {
        if (iter.key.len > prefix && memcmp(iter.key.at, PREFIX, prefix) == 0)
            err = read_one(wish, fed_span_of(iter.key.at + prefix, iter.key.len - prefix),
                fed_json_string(iter.value), diag);
    }
    return err;
}

static void copy_span(struct fed_span *span, char **text)
{
    if (span->len == 0)
        return;
    memcpy(*text, span->at, span->len);
    *span = fed_span_of(*text, span->len);
    *text += span->len;
}

/* A copy of its own, with what its spans point at behind it. */
static struct agent_wish *settle(struct fed_alloc *mem, const struct agent_wish *wish)
{
    size_t fixed = sizeof *wish + wish->n_dependencies * sizeof *wish->dependencies;
    size_t size = fixed + wish->status_fields.len;
    struct agent_wish *out;
    char *text;

    for (size_t i = 0; i < wish->n_dependencies; i++) {
        const struct agent_dependency *d = &wish->dependencies[i];

        size += d->kind.len + d->group.len + d->ns.len + d->name.len;
    }
    out = fed_alloc_get(mem, size);
    if (!out)
        return NULL;
    memcpy(out, wish, fixed);
    out->size = size;
    text = (char *)out + fixed;
    copy_span(&out->status_fields, &text);
    for (size_t i = 0; i < out->n_dependencies; i++) {
        copy_span(&out->dependencies[i].kind, &text);
        copy_span(&out->dependencies[i].group, &text);
        copy_span(&out->dependencies[i].ns, &text);
        copy_span(&out->dependencies[i].name, &text);
    }
    return out;
}

static enum fed_err read_tree(struct fed_alloc *mem, struct fed_alloc *arena, struct fed_json *root,
    struct agent_wish **out, struct fed_diag *diag)
{
    struct agent_wish *all = fed_alloc_zero(
        arena, sizeof *all + AGENT_WISH_DEPENDENCIES_MAX * sizeof *all->dependencies);
    enum fed_err err;

    if (!all)
        return FED_ERR_NOMEM;
    err = collect(fed_json_find(root, "metadata.annotations"), all, diag);
    if (err || !(all->replace || all->report_drift || all->deadline_ms || all->n_dependencies ||
                   all->status_fields.len > 0))
        return err;
    *out = settle(mem, all);
    return *out ? FED_OK : FED_ERR_NOMEM;
}

enum fed_err agent_wish_read(struct fed_alloc *mem, struct fed_span blob, struct fed_span overrides,
    struct agent_wish **out, struct fed_diag *diag)
{
    struct fed_arena arena;
    struct fed_json_doc *doc = NULL;
    struct fed_json *root = NULL;
    struct fed_json *operations = NULL;
    enum fed_err err;

    *out = NULL;
    if (!mentions(blob) && !mentions(overrides) && !mentions_pointer(overrides))
        return FED_OK;
    fed_arena_init(&arena, mem, AGENT_OBJECT_ARENA_MAX);
    err = fed_json_doc_new(&arena.alloc, &doc);
    if (!err)
        err = fed_json_parse(doc, blob, &root, diag);
    if (!err && overrides.len > 0)
        err = fed_json_parse(doc, overrides, &operations, diag);
    if (!err && operations)
        err = fed_override_apply(doc, &root, operations, diag);
    if (!err)
        err = read_tree(mem, &arena.alloc, root, out, diag);
    fed_json_doc_free(doc);
    fed_arena_fini(&arena);
    return err;
}

void agent_wish_free(struct fed_alloc *mem, struct agent_wish *wish)
{
    if (wish)
        fed_alloc_free(mem, wish, wish->size);
}

enum fed_err agent_wish_of(struct agent_state *state, struct agent_entry *entry,
    const struct agent_wish **out, struct fed_diag *diag)
{
    struct fed_buf blob;
    enum fed_err err = FED_OK;

    if (!entry->wish_known) {
        fed_buf_init(&blob, state->mem, FED_BLOB_MAX);
        err = agent_state_blob(state, &entry->work.blob, &blob);
        if (err == FED_ERR_NOT_FOUND)
            fed_diag_set(diag, err, "the template is missing in the agent's state");
        if (!err)
            err = agent_wish_read(
                state->mem, fed_buf_span(&blob), entry->work.overrides, &entry->wish, diag);
        fed_buf_fini(&blob);
        entry->wish_known = !err;
    }
    *out = entry->wish ? entry->wish : &no_wish;
    return err;
}

/* ---- dependencies ---- */

static bool is_meant(
    const struct agent_entry *entry, struct fed_span ns, const struct agent_dependency *d)
{
    const struct fed_work *work = &entry->work;

    if (!fed_span_eq(work->kind, d->kind) || !fed_span_eq(work->name, d->name))
        return false;
    if (d->has_group && !fed_span_eq(fed_work_group(work->api_version), d->group))
        return false;
    if (d->ns.len > 0)
        return fed_span_eq(work->ns, d->ns);
    return work->ns.len == 0 || fed_span_eq(work->ns, ns);
}

/* leaving: among the works on their way out, otherwise among those of the bundle. */
static struct agent_entry *find(const struct agent_table *table, struct fed_span ns,
    const struct agent_dependency *dependency, bool leaving)
{
    for (size_t i = 0; i < table->n; i++) {
        struct agent_entry *entry = table->at[i];

        if ((leaving ? entry->removing && !entry->dropped : agent_entry_is_held_to(entry)) &&
            is_meant(entry, ns, dependency))
            return entry;
    }
    return NULL;
}

void agent_wish_look_up(const struct agent_table *table, struct agent_entry *entry)
{
    struct agent_wish *wish = entry->wish;

    if (wish->looked_up == table->round)
        return;
    for (size_t i = 0; i < wish->n_dependencies; i++) {
        struct agent_dependency *d = &wish->dependencies[i];

        d->found = find(table, entry->work.ns, d, entry->removing);
        if (!d->found)
            d->found = find(table, entry->work.ns, d, !entry->removing);
    }
    wish->looked_up = table->round;
}
