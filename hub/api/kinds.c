/* kinds.c - the table of kinds: an array sorted by group and plural, and the hooks that were set by
 * name. */
#include "hub/api/kinds.h"

#include "hub/api/core.h"

#include <stdio.h>
#include <string.h>

#define KINDS_MAX 4096u

struct hook_entry {
    struct hook_entry *next;
    char group[254];
    char plural[64];
    struct hub_kind_hooks hooks;
};

/* A kind and all that it points to, in one block. */
struct block {
    struct hub_kind kind; /* first: hub_kinds_at hands it out */
    size_t size;
};

struct hub_kinds {
    struct fed_alloc *mem;
    struct hub_kind **list;
    size_t n;
    size_t cap;
    uint64_t generation;
    struct hook_entry *hooks;
    struct hub_core *core;
};

enum fed_err hub_kinds_new(struct fed_alloc *mem, struct hub_kinds **out)
{
    struct hub_kinds *kinds = fed_alloc_zero(mem, sizeof *kinds);

    if (!kinds)
        return FED_ERR_NOMEM;
    kinds->mem = mem;
    kinds->generation = 1;
    *out = kinds;
    return FED_OK;
}

void hub_kind_fini(struct hub_kind *kind)
{
    for (size_t i = 0; i < kind->n_versions; i++)
        hub_schema_unref(kind->versions[i].schema);
    kind->n_versions = 0;
}

static void kind_free(struct hub_kinds *kinds, struct hub_kind *kind)
{
    if (!kind)
        return;
    hub_kind_fini(kind);
    fed_alloc_free(kinds->mem, kind, ((struct block *)(void *)kind)->size);
}

/* ---- a copy in one block: written twice, first to learn its size, with at NULL ---- */
#define ALIGNMENT sizeof(void *)
struct pack {
    uint8_t *at;
    size_t used;
};

static void *pack_take(struct pack *pack, size_t size)
{
    void *at = pack->at ? pack->at + pack->used : NULL;

    pack->used += (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return at;
}

static const char *pack_text(struct pack *pack, const char *text)
{
    size_t size = text ? strlen(text) + 1 : 0;
    char *at = text ? pack_take(pack, size) : NULL;

    if (at)
        memcpy(at, text, size);
    return at;
}

static const char *const *pack_texts(struct pack *pack, const char *const *list, size_t n)
{
    const char **at = pack_take(pack, n * sizeof *at);

    for (size_t i = 0; i < n; i++) {
        const char *text = pack_text(pack, list[i]);

        if (at)
            at[i] = text;
    }
    return at;
}

static const struct hub_column *pack_columns(
    struct pack *pack, const struct hub_column *list, size_t n)
{
    struct hub_column *at = pack_take(pack, n * sizeof *at);

    for (size_t i = 0; i < n; i++) {
        struct hub_column column = {.name = pack_text(pack, list[i].name),
            .type = pack_text(pack, list[i].type),
            .format = pack_text(pack, list[i].format ? list[i].format : ""),
            .description = pack_text(pack, list[i].description ? list[i].description : ""),
            .json_path = pack_text(pack, list[i].json_path),
            .priority = list[i].priority};

        if (at)
            at[i] = column;
    }
    return at;
}

static void pack_version(
    struct pack *pack, const struct hub_kind_version *from, struct hub_kind_version *to)
{
    struct hub_kind_version version = *from;

    version.name = pack_text(pack, from->name);
    version.deprecation_warning = pack_text(pack, from->deprecation_warning);
    version.scale = (struct hub_scale){pack_text(pack, from->scale.spec_path),
        pack_text(pack, from->scale.status_path), pack_text(pack, from->scale.selector_path)};
    version.columns = pack_columns(pack, from->columns, from->n_columns);
    version.selectable = pack_texts(pack, from->selectable, from->n_selectable);
    if (to) {
        *to = version;
        hub_schema_ref(version.schema);
    }
}

static const char *pack_default(struct pack *pack, const char *given, const char *kind, bool lower)
{
    char text[HUB_NAME_MAX + 8];

    if (given && given[0])
        return pack_text(pack, given);
    snprintf(text, sizeof text, "%s%s", kind, lower ? "" : "List");
    for (size_t i = 0; lower && text[i]; i++)
        if (text[i] >= 'A' && text[i] <= 'Z')
            text[i] = (char)(text[i] + ('a' - 'A'));
    return pack_text(pack, text);
}

static void pack_kind(struct pack *pack, const struct hub_kind *from)
{
    struct block *block = pack_take(pack, sizeof *block);
    struct hub_kind_version *versions = pack_take(pack, from->n_versions * sizeof *versions);
    struct hub_kind kind = *from;
    char resource[HUB_GROUP_MAX + HUB_NAME_MAX + 2];

    snprintf(
        resource, sizeof resource, "%s%s%s", from->plural, from->group[0] ? "." : "", from->group);
    kind.group = pack_text(pack, from->group);
    kind.kind = pack_text(pack, from->kind);
    kind.plural = pack_text(pack, from->plural);
    kind.list_kind = pack_default(pack, from->list_kind, from->kind, false);
    kind.singular = pack_default(pack, from->singular, from->kind, true);
    kind.resource = pack_text(pack, from->resource ? from->resource : resource);
    kind.short_names = pack_texts(pack, from->short_names, from->n_short_names);
    kind.categories = pack_texts(pack, from->categories, from->n_categories);
    kind.versions = versions;
    for (size_t i = 0; i < from->n_versions; i++)
        pack_version(pack, &from->versions[i], versions ? &versions[i] : NULL);
    if (block)
        block->kind = kind;
}

static struct hub_kind *kind_copy(struct hub_kinds *kinds, const struct hub_kind *from)
{
    struct pack pack = {NULL, 0};
    size_t size;

    pack_kind(&pack, from);
    size = pack.used;
    pack = (struct pack){fed_alloc_zero(kinds->mem, size), 0};
    if (!pack.at)
        return NULL;
    pack_kind(&pack, from);
    ((struct block *)(void *)pack.at)->size = size;
    return (struct hub_kind *)(void *)pack.at;
}

void hub_kinds_free(struct hub_kinds *kinds)
{
    if (!kinds)
        return;
    for (size_t i = 0; i < kinds->n; i++)
        kind_free(kinds, kinds->list[i]);
    while (kinds->hooks) {
        struct hook_entry *entry = kinds->hooks;

        kinds->hooks = entry->next;
        fed_alloc_free(kinds->mem, entry, sizeof *entry);
    }
    hub_core_close(kinds->core);
    fed_alloc_free(kinds->mem, kinds->list, kinds->cap * sizeof *kinds->list);
    fed_alloc_free(kinds->mem, kinds, sizeof *kinds);
}

/* Index of the first kind that is not before (group, plural). */
static size_t kinds_place(
    const struct hub_kinds *kinds, struct fed_span group, struct fed_span plural)
{
    size_t low = 0;
    size_t high = kinds->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = fed_span_cmp(fed_span_text(kinds->list[middle]->group), group);

        if (order == 0)
            order = fed_span_cmp(fed_span_text(kinds->list[middle]->plural), plural);
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool kind_is(const struct hub_kind *kind, struct fed_span group, struct fed_span plural)
{
    return fed_span_is(group, kind->group) && fed_span_is(plural, kind->plural);
}

static void hooks_assign(const struct hub_kinds *kinds, struct hub_kind *kind)
{
    const struct hook_entry *general = NULL;

    for (const struct hook_entry *entry = kinds->hooks; entry; entry = entry->next) {
        if (strcmp(entry->group, kind->group) != 0)
            continue;
        if (strcmp(entry->plural, kind->plural) == 0) {
            kind->hooks = entry->hooks;
            return;
        }
        if (strcmp(entry->plural, "*") == 0)
            general = entry;
    }
    if (general)
        kind->hooks = general->hooks;
}

static enum fed_err kinds_grow(struct hub_kinds *kinds)
{
    size_t cap = kinds->cap ? kinds->cap * 2 : 32;
    struct hub_kind **list;

    if (kinds->n < kinds->cap)
        return FED_OK;
    if (kinds->n >= KINDS_MAX)
        return FED_ERR_LIMIT;
    list = kinds->mem->resize(
        kinds->mem->ctx, kinds->list, kinds->cap * sizeof *list, cap * sizeof *list);
    if (!list)
        return FED_ERR_NOMEM;
    kinds->list = list;
    kinds->cap = cap;
    return FED_OK;
}

static enum fed_err kinds_insert(struct hub_kinds *kinds, size_t at, struct hub_kind *kind)
{
    enum fed_err err = kinds_grow(kinds);

    if (err)
        return err;
    memmove(kinds->list + at + 1, kinds->list + at, (kinds->n - at) * sizeof *kinds->list);
    kinds->list[at] = kind;
    kinds->n++;
    return FED_OK;
}

enum fed_err hub_kinds_put(struct hub_kinds *kinds, const struct hub_kind *kind)
{
    struct fed_span group = fed_span_text(kind->group);
    struct fed_span plural = fed_span_text(kind->plural);
    size_t at = kinds_place(kinds, group, plural);
    struct hub_kind *copy;
    enum fed_err err = FED_OK;

    if (group.len > HUB_GROUP_MAX || plural.len > HUB_NAME_MAX || strlen(kind->kind) > HUB_NAME_MAX)
        return FED_ERR_LIMIT;
    copy = kind_copy(kinds, kind);
    if (!copy)
        return FED_ERR_NOMEM;
    hooks_assign(kinds, copy);
    if (at < kinds->n && kind_is(kinds->list[at], group, plural)) {
        kind_free(kinds, kinds->list[at]);
        kinds->list[at] = copy;
    } else {
        err = kinds_insert(kinds, at, copy);
    }
    if (err) {
        kind_free(kinds, copy);
        return err;
    }
    kinds->generation++;
    return FED_OK;
}

void hub_kinds_remove(struct hub_kinds *kinds, const char *group, const char *plural)
{
    struct fed_span group_span = fed_span_text(group);
    struct fed_span plural_span = fed_span_text(plural);
    size_t at = kinds_place(kinds, group_span, plural_span);

    if (at >= kinds->n || !kind_is(kinds->list[at], group_span, plural_span))
        return;
    kind_free(kinds, kinds->list[at]);
    memmove(kinds->list + at, kinds->list + at + 1, (kinds->n - at - 1) * sizeof *kinds->list);
    kinds->n--;
    kinds->generation++;
}

static struct hook_entry *hooks_find(struct hub_kinds *kinds, const char *group, const char *plural)
{
    for (struct hook_entry *entry = kinds->hooks; entry; entry = entry->next)
        if (strcmp(entry->group, group) == 0 && strcmp(entry->plural, plural) == 0)
            return entry;
    return NULL;
}

enum fed_err hub_kinds_hook(struct hub_kinds *kinds, const char *group, const char *plural,
    const struct hub_kind_hooks *hooks)
{
    struct hook_entry *entry = hooks_find(kinds, group, plural);

    if (!entry) {
        enum fed_err err;

        entry = fed_alloc_zero(kinds->mem, sizeof *entry);
        if (!entry)
            return FED_ERR_NOMEM;
        err = fed_span_to_cstr(fed_span_text(group), entry->group, sizeof entry->group);
        if (!err)
            err = fed_span_to_cstr(fed_span_text(plural), entry->plural, sizeof entry->plural);
        if (err) {
            fed_alloc_free(kinds->mem, entry, sizeof *entry);
            return err;
        }
        entry->next = kinds->hooks;
        kinds->hooks = entry;
    }
    entry->hooks = *hooks;
    for (size_t i = 0; i < kinds->n; i++)
        hooks_assign(kinds, kinds->list[i]);
    return FED_OK;
}

const struct hub_kind *hub_kinds_find(
    const struct hub_kinds *kinds, struct fed_span group, struct fed_span plural)
{
    size_t at = kinds_place(kinds, group, plural);

    return at < kinds->n && kind_is(kinds->list[at], group, plural) ? kinds->list[at] : NULL;
}

const struct hub_kind *hub_kinds_by_kind(
    const struct hub_kinds *kinds, struct fed_span group, struct fed_span kind)
{
    for (size_t i = 0; i < kinds->n; i++)
        if (fed_span_is(group, kinds->list[i]->group) && fed_span_is(kind, kinds->list[i]->kind))
            return kinds->list[i];
    return NULL;
}

size_t hub_kinds_count(const struct hub_kinds *kinds)
{
    return kinds->n;
}

const struct hub_kind *hub_kinds_at(const struct hub_kinds *kinds, size_t index)
{
    return index < kinds->n ? kinds->list[index] : NULL;
}

uint64_t hub_kinds_generation(const struct hub_kinds *kinds)
{
    return kinds->generation;
}

struct hub_schema *hub_kinds_schema(const struct hub_kinds *kinds, const struct fed_json *openapi)
{
    struct fed_buf text;
    struct hub_schema *found = NULL;

    if (!kinds)
        return NULL;
    fed_buf_init(&text, kinds->mem, HUB_SCHEMA_BYTES_MAX);
    if (!fed_json_put(&text, openapi))
        for (size_t i = 0; i < kinds->n && !found; i++)
            for (size_t v = 0; v < kinds->list[i]->n_versions && !found; v++)
                if (fed_span_eq(hub_schema_openapi(kinds->list[i]->versions[v].schema),
                        fed_buf_span(&text)))
                    found = kinds->list[i]->versions[v].schema;
    fed_buf_fini(&text);
    return found;
}

void hub_kinds_take_core(struct hub_kinds *kinds, struct hub_core *core)
{
    hub_core_close(kinds->core);
    kinds->core = core;
}

const struct hub_core *hub_kinds_core(const struct hub_kinds *kinds)
{
    return kinds->core;
}
