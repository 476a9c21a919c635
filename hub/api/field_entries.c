/* field_entries.c - see field_entries.h. */
#include "hub/api/field_entries.h"

#include "proto/base/text.h"

#include <stdlib.h>

#define ARENA_MAX (64u << 20) /* all sets of one write */

enum fed_err hub_field_entries_init(struct hub_field_entries *all, struct fed_json_doc *doc)
{
    *all = (struct hub_field_entries){.n = 0};
    fed_arena_init(&all->arena, fed_alloc_system(), ARENA_MAX);
    hub_field_context_init(&all->c, &all->arena.alloc, doc);
    all->list = fed_alloc_array(&all->arena.alloc, HUB_FIELD_ENTRIES_MAX + 2, sizeof *all->list);
    return all->list ? FED_OK : FED_ERR_NOMEM;
}

void hub_field_entries_fini(struct hub_field_entries *all)
{
    hub_field_context_fini(&all->c);
    fed_arena_fini(&all->arena);
}

bool hub_field_entry_same(const struct hub_field_entry *a, const struct hub_field_entry *b)
{
    return a->apply == b->apply && fed_span_eq(a->manager, b->manager) &&
           fed_span_eq(a->subresource, b->subresource) &&
           (a->apply || fed_span_eq(a->api_version, b->api_version));
}

struct hub_field_entry *hub_field_entries_find(
    struct hub_field_entries *all, const struct hub_field_entry *like)
{
    for (size_t i = 0; i < all->n; i++)
        if (hub_field_entry_same(&all->list[i], like))
            return &all->list[i];
    return NULL;
}

struct hub_field_entry *hub_field_entries_get(
    struct hub_field_entries *all, const struct hub_field_entry *like)
{
    struct hub_field_entry *entry = hub_field_entries_find(all, like);

    if (entry)
        return entry;
    entry = &all->list[all->n++];
    *entry = *like;
    entry->set = NULL;
    entry->timed = false;
    return entry;
}

void hub_field_entries_drop_empty(struct hub_field_entries *all)
{
    size_t kept = 0;

    for (size_t i = 0; i < all->n; i++)
        if (all->list[i].set)
            all->list[kept++] = all->list[i];
    all->n = kept;
}

static bool decode_entry(struct hub_field_entries *all, const struct fed_json *from)
{
    const struct fed_json *time = fed_json_get(from, "time");
    struct fed_span operation = fed_json_string(fed_json_get(from, "operation"));
    struct hub_field_entry entry = {
        .manager = fed_json_string(fed_json_get(from, "manager")),
        .api_version = fed_json_string(fed_json_get(from, "apiVersion")),
        .subresource = fed_json_string(fed_json_get(from, "subresource")),
        .apply = fed_span_is(operation, "Apply"),
        .timed = fed_json_is_string(time),
    };

    if ((!entry.apply && !fed_span_is(operation, "Update")) || entry.api_version.len == 0 ||
        !fed_span_is(fed_json_string(fed_json_get(from, "fieldsType")), "FieldsV1"))
        return false;
    if (entry.timed && fed_text_time_parse(fed_json_string(time), &entry.unix_s))
        return false;
    entry.set = hub_field_set_decode(&all->c, fed_json_get(from, "fieldsV1"));
    if (all->c.err)
        return false;
    *hub_field_entries_get(all, &entry) = entry;
    return true;
}

bool hub_field_entries_decode(struct hub_field_entries *all, const struct fed_json *object)
{
    const struct fed_json *list = fed_json_get(fed_json_get(object, "metadata"), "managedFields");
    struct fed_json_iter it;
    bool ok = fed_json_is_array(list) && fed_json_count(list) <= HUB_FIELD_ENTRIES_MAX;

    all->n = 0;
    fed_json_iter_init(&it, ok ? (struct fed_json *)list : NULL);
    while (ok && fed_json_iter_next(&it))
        ok = decode_entry(all, it.value);
    if (ok)
        return true;
    all->n = 0;
    if (all->c.err == FED_ERR_INVALID || all->c.err == FED_ERR_LIMIT)
        all->c.err = FED_OK;
    return false;
}

int hub_field_entry_cmp(const void *a, const void *b)
{
    const struct hub_field_entry *left = a;
    const struct hub_field_entry *right = b;
    int64_t when[2] = {left->timed ? left->unix_s : 0, right->timed ? right->unix_s : 0};
    int order;

    if (left->apply != right->apply)
        return left->apply ? -1 : 1;
    if (when[0] != when[1])
        return when[0] < when[1] ? -1 : 1;
    order = fed_span_cmp(left->manager, right->manager);
    if (!order)
        order = fed_span_cmp(left->api_version, right->api_version);
    return order ? order : fed_span_cmp(left->subresource, right->subresource);
}

static enum fed_err encode_entry(struct fed_json_doc *doc, struct hub_field_entries *all,
    const struct hub_field_entry *entry, struct fed_json *to)
{
    char time[FED_TEXT_TIME_SIZE];
    enum fed_err err = fed_json_set_string(doc, to, "apiVersion", entry->api_version);

    if (!err)
        err = fed_json_set_text(doc, to, "fieldsType", "FieldsV1");
    if (!err)
        err = fed_json_set(doc, to, "fieldsV1", hub_field_set_encode(&all->c, entry->set));
    if (!err && entry->manager.len > 0)
        err = fed_json_set_string(doc, to, "manager", entry->manager);
    if (!err)
        err = fed_json_set_text(doc, to, "operation", entry->apply ? "Apply" : "Update");
    if (!err && entry->subresource.len > 0)
        err = fed_json_set_string(doc, to, "subresource", entry->subresource);
    if (err || !entry->timed)
        return err;
    fed_text_time(entry->unix_s, time);
    return fed_json_set_text(doc, to, "time", time);
}

enum fed_err hub_field_entries_encode(struct hub_field_entries *all, struct fed_json *object)
{
    struct fed_json_doc *doc = all->c.doc;
    struct fed_json *metadata = fed_json_ensure_object(doc, object, "metadata");
    struct fed_json *list = fed_json_new_array(doc);
    enum fed_err err = all->c.err;

    if (err)
        return err;
    if (!metadata || !list)
        return FED_ERR_NOMEM;
    fed_json_remove(metadata, "managedFields");
    if (all->n == 0)
        return FED_OK;
    qsort(all->list, all->n, sizeof *all->list, hub_field_entry_cmp);
    for (size_t i = 0; !err && i < all->n; i++) {
        struct fed_json *one = fed_json_new_object(doc);

        err = one ? encode_entry(doc, all, &all->list[i], one) : FED_ERR_NOMEM;
        if (!err)
            err = fed_json_append(list, one);
    }
    return err ? err : fed_json_set(doc, metadata, "managedFields", list);
}
