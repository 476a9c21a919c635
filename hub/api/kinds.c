/* kinds.c - the table of kinds: an array sorted by group and plural, and the hooks that were set by
 * name. */
#include "hub/api/kinds.h"

#include <stdio.h>
#include <string.h>

#define KINDS_MAX 4096u

struct hook_entry {
    struct hook_entry *next;
    char group[254];
    char plural[64];
    struct hub_kind_hooks hooks;
};

struct hub_kinds {
    struct fed_alloc *mem;
    struct hub_kind **list;
    size_t n;
    size_t cap;
    uint64_t generation;
    struct hook_entry *hooks;
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

static void schemas_unref(const struct hub_kind *kind)
{
    for (size_t i = 0; i < kind->n_versions; i++)
        hub_schema_unref(kind->versions[i].schema);
}

static void kind_free(struct hub_kinds *kinds, struct hub_kind *kind)
{
    schemas_unref(kind);
    fed_alloc_free(kinds->mem, kind, sizeof *kind);
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
    struct hub_kind *copy = fed_alloc_get(kinds->mem, sizeof *copy);
    enum fed_err err = copy ? FED_OK : FED_ERR_NOMEM;

    if (!err) {
        *copy = *kind;
        hooks_assign(kinds, copy);
        if (at < kinds->n && kind_is(kinds->list[at], group, plural)) {
            kind_free(kinds, kinds->list[at]);
            kinds->list[at] = copy;
        } else {
            err = kinds_insert(kinds, at, copy);
        }
    }
    if (err) {
        schemas_unref(kind);
        fed_alloc_free(kinds->mem, copy, sizeof *copy);
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
