/* crd_unenforced.c - what of a definition's schemas the hub does not enforce: rules in CEL, and
 * patterns that it cannot compile. */
#include "hub/api/crd_walk.h"
#include "hub/api/pattern.h"

#include <string.h>

struct unenforced {
    struct hub_crd_walk walk;
    bool patterns;
    size_t *n;
    struct fed_buf *out;
};

static void name_unenforced(struct unenforced *u, struct fed_span what)
{
    fed_buf_printf(u->out, "%s%s: %.*s", (*u->n)++ ? "; " : "", u->walk.path,
        (int)(what.len > 200 ? 200 : what.len), (const char *)what.at);
}

static void find_unenforced(struct unenforced *u, const struct fed_json *node);

static void find_below(struct unenforced *u, const struct fed_json *node, const char *key)
{
    struct fed_json *child = fed_json_get(node, key);
    bool named = strcmp(key, "properties") == 0;
    struct fed_json_iter it;
    size_t before;

    if (fed_json_is_object(child) && !named) {
        before = hub_crd_go(&u->walk, ".%s", key);
        find_unenforced(u, child);
        hub_crd_back(&u->walk, before);
        return;
    }
    fed_json_iter_init(&it, child);
    while (fed_json_iter_next(&it)) {
        before = named ? hub_crd_go(&u->walk, "." FED_SPAN_FMT, FED_SPAN_ARG(it.key))
                       : hub_crd_go(&u->walk, ".%s[%zu]", key, it.index);
        find_unenforced(u, it.value);
        hub_crd_back(&u->walk, before);
    }
}

static void find_unenforced(struct unenforced *u, const struct fed_json *node)
{
    static const char *const below[] = {
        "properties", "items", "additionalProperties", "not", "allOf", "anyOf", "oneOf"};
    const struct fed_json *rules = fed_json_get(node, "x-kubernetes-validations");
    struct fed_span text = hub_crd_text(node, "pattern");
    struct hub_pattern *pattern = NULL;

    for (struct fed_json_iter it = fed_json_items(rules); !u->patterns && fed_json_iter_next(&it);)
        name_unenforced(u, hub_crd_text(it.value, "rule"));
    if (u->patterns && text.len > 0 && hub_pattern_new(u->walk.mem, text, &pattern, NULL))
        name_unenforced(u, text);
    hub_pattern_free(pattern);
    for (size_t i = 0; i < sizeof below / sizeof *below; i++)
        find_below(u, node, below[i]);
}

void hub_crd_unenforced(const struct fed_json *spec, bool patterns, size_t *n, struct fed_buf *what)
{
    const struct fed_json *versions = fed_json_get(spec, "versions");
    struct unenforced *u = fed_alloc_zero(fed_alloc_system(), sizeof *u);

    for (struct fed_json_iter it = fed_json_items(versions); u && fed_json_iter_next(&it);) {
        const struct fed_json *version = it.value;

        *u = (struct unenforced){
            .walk.mem = fed_alloc_system(), .patterns = patterns, .n = n, .out = what};
        hub_crd_go(&u->walk, FED_SPAN_FMT, FED_SPAN_ARG(hub_crd_text(version, "name")));
        find_unenforced(u, fed_json_find(version, "schema.openAPIV3Schema"));
    }
    fed_alloc_free(fed_alloc_system(), u, sizeof *u);
}
