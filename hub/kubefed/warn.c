/* warn.c - see warn.h. */
#include "hub/kubefed/warn.h"

#include "hub/kubefed/config.h"
#include "proto/base/map.h"
#include "proto/object/override.h"
#include "proto/object/render.h"
#include "proto/object/selector.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TEXT_MAX 512u
#define SHOWN(span) FED_SPAN_ARG(fed_span_sub((span), 0, 128))

FED_PRINTF(2, 3) static void say(const struct hub_kubefed_around *around, const char *format, ...)
{
    char text[TEXT_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    around->warn(around->warn_ctx, text);
}

static struct fed_span text_at(const struct fed_json *from, const char *key)
{
    return fed_json_string(fed_json_get(from, key));
}

/* ---- where it is ---- */
static bool is_system(struct fed_span ns)
{
    return fed_span_is(ns, "default") || fed_span_is(ns, "kube-system") ||
           fed_span_is(ns, "kube-public") || fed_span_is(ns, HUB_SYSTEM_NAMESPACE);
}

static void warn_of_place(const struct hub_kubefed_around *around, const struct fed_json *object)
{
    struct fed_span ns = text_at(fed_json_get(object, "metadata"), "namespace");
    struct fed_span name = text_at(fed_json_get(object, "metadata"), "name");

    if (around->is_namespace && !fed_span_eq(name, ns))
        say(around,
            "metadata.name: a FederatedNamespace federates the namespace that it is in and has its "
            "name, \"" FED_SPAN_FMT "\": this one is ignored",
            SHOWN(ns));
    else if (around->is_namespace && is_system(ns))
        say(around, "metadata.namespace: \"" FED_SPAN_FMT "\" is never propagated", SHOWN(ns));
    else if (!around->is_namespace && around->namespaced && !around->is_federated(around->ctx, ns))
        say(around,
            "metadata.namespace: \"" FED_SPAN_FMT
            "\" is not federated: no cluster gets the object until the namespace has a "
            "FederatedNamespace of its name",
            SHOWN(ns));
}

/* ---- placement ---- */
/* false: nothing is wrong with the term's operator and its values. */
static bool warn_of_term(
    const struct hub_kubefed_around *around, size_t index, const struct fed_json *term)
{
    struct fed_span operator= text_at(term, "operator");
    bool takes = fed_span_is(operator, "In") || fed_span_is(operator, "NotIn");
    bool bare = fed_span_is(operator, "Exists") || fed_span_is(operator, "DoesNotExist");
    size_t n = fed_json_count(fed_json_get(term, "values"));
    char path[96];

    snprintf(path, sizeof path, "spec.placement.clusterSelector.matchExpressions[%zu]", index);
    if (!takes && !bare)
        say(around,
            "%s.operator: \"" FED_SPAN_FMT
            "\" is not one of In, NotIn, Exists, DoesNotExist: placement cannot be computed",
            path, SHOWN(operator));
    else if (takes && n == 0)
        say(around, "%s.values: " FED_SPAN_FMT " needs at least one: placement cannot be computed",
            path, SHOWN(operator));
    else if (bare && n > 0)
        say(around, "%s.values: " FED_SPAN_FMT " takes none: placement cannot be computed", path,
            SHOWN(operator));
    else
        return false;
    return true;
}

/* Keys and values that are no labels are named as a whole. */
static void warn_of_selector(
    const struct hub_kubefed_around *around, const struct fed_json *selector)
{
    const struct fed_json *terms = fed_json_get(selector, "matchExpressions");
    struct fed_selector *made = NULL;
    struct fed_diag diag = {""};
    bool named = false;

    for (struct fed_json_iter it = fed_json_items(terms); fed_json_iter_next(&it);)
        named = warn_of_term(around, it.index, it.value) || named;
    if (!named &&
        fed_selector_from_object(fed_alloc_system(), selector, &made, &diag) == FED_ERR_INVALID)
        say(around, "spec.placement.clusterSelector: %s: placement cannot be computed", diag.text);
    fed_selector_free(made);
}

static void warn_of_names(const struct hub_kubefed_around *around, const struct fed_json *list,
    const char *member, const char *field)
{
    struct fed_json_iter it = fed_json_each(list);

    for (size_t i = 0; fed_json_iter_next(&it); i++) {
        struct fed_span name = text_at(it.value, member);

        if (name.len > 0 && !around->has_cluster(around->ctx, name))
            say(around, "%s[%zu].%s: no cluster \"" FED_SPAN_FMT "\" is registered", field, i,
                member, SHOWN(name));
    }
}

static void warn_of_placement(
    const struct hub_kubefed_around *around, const struct fed_json *object)
{
    const struct fed_json *placement = fed_json_find(object, "spec.placement");
    const struct fed_json *clusters = fed_json_get(placement, "clusters");
    const struct fed_json *selector = fed_json_get(placement, "clusterSelector");
    struct fed_span ns = text_at(fed_json_get(object, "metadata"), "namespace");

    if (fed_json_is_array(clusters))
        warn_of_names(around, clusters, "name", "spec.placement.clusters");
    else if (fed_json_is_object(selector))
        warn_of_selector(around, selector);
    else if (!(around->namespaced || around->is_namespace) || !around->is_labelled(around->ctx, ns))
        say(around,
            "spec.placement: neither clusters nor clusterSelector is given: no cluster gets the "
            "object");
}

/* ---- template ---- */
static void warn_of_template(
    const struct hub_kubefed_around *around, const struct fed_json *metadata)
{
    static const char text[] =
        "spec.template.metadata.%s: is not propagated; an override can set it";

    if (fed_render_drops(fed_json_get(metadata, "annotations")))
        say(around, text, "annotations");
    if (fed_json_count(fed_json_get(metadata, "finalizers")) > 0)
        say(around, text, "finalizers");
}

/* The template as overrides find it. */
static struct fed_json *start_of(
    struct fed_json_doc *doc, const struct fed_json *template, struct fed_span name)
{
    struct fed_json *root =
        fed_json_is_object(template) ? fed_json_clone(doc, template) : fed_json_new_object(doc);
    struct fed_json *metadata = root ? fed_json_ensure_object(doc, root, "metadata") : NULL;

    if (!metadata)
        return NULL;
    fed_json_remove(metadata, "annotations");
    fed_json_remove(metadata, "finalizers");
    return fed_json_set_string(doc, metadata, "name", name) ? NULL : root;
}

/* ---- overrides ---- */
/* Whether the text was met before. */
static bool met_before(struct fed_map *met, struct fed_span text)
{
    enum fed_err err;

    if (fed_map_get(met, text))
        return true;
    err = fed_map_put(met, text, met);
    (void)err; /* where memory ends so do the warnings */
    return false;
}

static bool is_forbidden(struct fed_span path)
{
    return fed_span_is(path, "/metadata/namespace") || fed_span_is(path, "/metadata/name") ||
           fed_span_is(path, "/metadata/generateName") || fed_span_is(path, "/kind");
}

/* One operation: false when it cannot be applied, and nothing behind it is tried. */
static bool try_operation(const struct hub_kubefed_around *around, struct fed_json_doc *doc,
    struct fed_json **root, const struct fed_json *operation, const char *field)
{
    struct fed_json *alone = fed_json_new_array(doc);
    struct fed_diag diag = {""};

    if (!alone || fed_json_append(alone, fed_json_clone(doc, operation)))
        return false;
    if (!fed_override_apply(doc, root, alone, &diag))
        return true;
    say(around, "%s: %s: this cluster does not get it (ApplyOverridesFailed)", field, diag.text);
    return false;
}

static void warn_of_operations(const struct hub_kubefed_around *around, struct fed_json_doc *doc,
    size_t entry, const struct fed_json *operations, struct fed_json *root)
{
    struct fed_json_iter it = fed_json_each(operations);
    bool trying = root != NULL;
    struct fed_map met;

    fed_map_init(&met, fed_alloc_system());
    for (size_t i = 0; i < FED_OVERRIDE_OPS_MAX && fed_json_iter_next(&it); i++) {
        struct fed_span path = text_at(it.value, "path");
        char field[80];

        snprintf(field, sizeof field, "spec.overrides[%zu].clusterOverrides[%zu].path", entry, i);
        if (is_forbidden(path))
            say(around,
                "%s: " FED_SPAN_FMT
                " may not be overridden: no cluster gets the object (ApplyOverridesFailed)",
                field, SHOWN(path));
        else if (met_before(&met, path))
            say(around,
                "%s: " FED_SPAN_FMT
                " stands twice: no cluster gets the object (ApplyOverridesFailed)",
                field, SHOWN(path));
        else if (path.len > 0 && path.at[0] != '/')
            say(around,
                "%s: \"" FED_SPAN_FMT "\" does not begin with a slash: what is before the first "
                "slash is left out",
                field, SHOWN(path));
        trying = trying && try_operation(around, doc, &root, it.value, field);
    }
    fed_map_fini(&met);
}

static void warn_of_overrides(const struct hub_kubefed_around *around, struct fed_json_doc *doc,
    const struct fed_json *object)
{
    const struct fed_json *overrides = fed_json_find(object, "spec.overrides");
    struct fed_span name = text_at(fed_json_get(object, "metadata"), "name");
    struct fed_json_iter it = fed_json_each(overrides);
    struct fed_map met;

    warn_of_names(around, overrides, "clusterName", "spec.overrides");
    fed_map_init(&met, fed_alloc_system());
    for (size_t i = 0; fed_json_iter_next(&it); i++) {
        struct fed_span cluster = text_at(it.value, "clusterName");
        struct fed_json *root = NULL;

        /* KubeFed's rule; entries that select by label may be many. */
        if (!fed_json_get(it.value, "clusterSelector") && met_before(&met, cluster))
            say(around,
                "spec.overrides[%zu].clusterName: \"" FED_SPAN_FMT
                "\" stands twice: no cluster gets the object (ApplyOverridesFailed)",
                i, SHOWN(cluster));
        if (i < HUB_KUBEFED_WARN_ENTRIES_MAX)
            root = start_of(doc, fed_json_find(object, "spec.template"), name);
        warn_of_operations(around, doc, i, fed_json_get(it.value, "clusterOverrides"), root);
    }
    fed_map_fini(&met);
}

void hub_kubefed_warn(struct fed_json_doc *doc, const struct fed_json *object,
    const struct hub_kubefed_around *around)
{
    warn_of_place(around, object);
    warn_of_placement(around, object);
    warn_of_template(around, fed_json_find(object, "spec.template.metadata"));
    warn_of_overrides(around, doc, object);
}
