/* field_scale.c - see field_scale.h. */
#include "hub/api/field_scale.h"

#include "hub/api/field_entries.h"

#define PATH_STEPS_MAX 16u /* definitions with more are taken for one of so many */

/* The set of ".spec.replicas" alone. */
static const struct hub_field_set *path_set(struct hub_field_context *c, const char *path)
{
    struct fed_span rest = fed_span_text(path[0] == '.' ? path + 1 : path);
    struct fed_span steps[PATH_STEPS_MAX];
    const struct hub_field_set *set = NULL;
    size_t n = 0;

    while (n < PATH_STEPS_MAX && fed_span_split(&rest, '.', &steps[n]))
        n++;
    for (size_t i = n + 1; i-- > 0 && !c->err;) {
        const struct hub_field_set **child = hub_field_set_room(c, 1);
        struct fed_span name =
            i > 0 ? hub_field_element_member(c, steps[i - 1]) : (struct fed_span){0};

        if (child)
            child[0] = set;
        set = hub_field_set_node(c, name, i == n, child, child && set ? 1 : 0);
    }
    return set;
}

static const struct hub_field_replicas *version_of(
    const struct hub_field_scale *kind, struct fed_span api_version)
{
    for (size_t i = 0; i < kind->n; i++)
        if (fed_span_is(api_version, kind->versions[i].api_version))
            return &kind->versions[i];
    return NULL;
}

/* The replicas as entries of this version name them; NULL: it has none, or there is no such
 * version. */
static const struct hub_field_set *replicas_of(struct hub_field_context *c,
    const struct hub_field_scale *kind, const struct hub_field_entry *entry)
{
    const struct hub_field_replicas *version = version_of(kind, entry->api_version);

    return version && version->path ? path_set(c, version->path) : NULL;
}

static bool owns(struct hub_field_context *c, const struct hub_field_entry *entry,
    const struct hub_field_set *replicas)
{
    return replicas && !hub_field_set_difference(c, replicas, entry->set) && !c->err;
}

enum fed_err hub_field_scale_take(struct fed_json_doc *doc, const struct hub_field_scale *kind,
    const struct fed_json *object, struct fed_json *scale)
{
    struct hub_field_entries all;
    enum fed_err err = hub_field_entries_init(&all, doc);

    if (!err)
        (void)hub_field_entries_decode(&all, object);
    for (size_t i = 0; i < all.n; i++) {
        struct hub_field_entry *entry = &all.list[i];

        if (!owns(&all.c, entry, replicas_of(&all.c, kind, entry))) {
            entry->set = NULL;
            continue;
        }
        entry->set = path_set(&all.c, ".spec.replicas");
        entry->api_version = FED_SPAN_LIT(HUB_SCALE_API_VERSION);
    }
    hub_field_entries_drop_empty(&all);
    if (!err)
        err = hub_field_entries_encode(&all, scale);
    hub_field_entries_fini(&all);
    return err;
}

/* Takes the replicas from an entry of the object unless its manager is one of the Scale, too, who
 * is then settled. */
static void settle(struct hub_field_entries *all, struct hub_field_entry *entry,
    const struct hub_field_set *replicas, struct hub_field_entries *of_scale)
{
    struct hub_field_entry *same = hub_field_entries_find(of_scale, entry);

    if (same)
        same->set = NULL;
    else
        entry->set = hub_field_set_difference(&all->c, entry->set, replicas);
}

static void give(struct hub_field_entries *all, const struct hub_field_scale *kind,
    struct hub_field_entries *of_scale, const char *api_version)
{
    struct hub_field_entry own = {.api_version = fed_span_text(api_version)};
    const struct hub_field_set *in_scale = path_set(&of_scale->c, ".spec.replicas");
    size_t n = all->n;

    for (size_t i = 0; i < n; i++) {
        struct hub_field_entry *entry = &all->list[i];
        const struct hub_field_set *replicas = replicas_of(&all->c, kind, entry);

        if (!version_of(kind, entry->api_version))
            entry->set = NULL;
        else if (owns(&all->c, entry, replicas))
            settle(all, entry, replicas, of_scale);
    }
    for (size_t i = 0; i < of_scale->n && all->n < HUB_FIELD_ENTRIES_MAX; i++) {
        struct hub_field_entry *entry = &all->list[all->n];

        if (!of_scale->list[i].set || !owns(&of_scale->c, &of_scale->list[i], in_scale))
            continue;
        *entry = of_scale->list[i];
        entry->api_version = own.api_version;
        entry->set = replicas_of(&all->c, kind, &own);
        entry->timed = false;
        all->n++;
    }
    hub_field_entries_drop_empty(all);
}

enum fed_err hub_field_scale_give(struct fed_json_doc *doc, const struct hub_field_scale *kind,
    const char *api_version, const struct fed_json *scale, struct fed_json *object)
{
    struct hub_field_entries all;
    struct hub_field_entries of_scale;
    enum fed_err err = hub_field_entries_init(&all, doc);
    enum fed_err also = hub_field_entries_init(&of_scale, doc);

    if (!err)
        err = also;
    if (!err) {
        (void)hub_field_entries_decode(&all, object);
        (void)hub_field_entries_decode(&of_scale, scale);
        give(&all, kind, &of_scale, api_version);
        err = of_scale.c.err;
    }
    if (!err)
        err = hub_field_entries_encode(&all, object);
    hub_field_entries_fini(&of_scale);
    hub_field_entries_fini(&all);
    return err;
}
