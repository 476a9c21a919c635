/* rule.c - see rule.h. */
#include "hub/access/rule.h"

#include <string.h>

/* ---- compiling ---- */
static const char *const list_names[] = {
    "verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs"};
#define LISTS (sizeof list_names / sizeof *list_names)

struct sizes {
    size_t rules;
    size_t texts;
    size_t bytes;
};

static void measure(struct fed_json *rules, struct sizes *out)
{
    struct fed_json_iter it;

    fed_json_iter_init(&it, rules);
    while (fed_json_iter_next(&it)) {
        out->rules++;
        for (size_t i = 0; i < LISTS; i++) {
            struct fed_json_iter item;

            fed_json_iter_init(&item, fed_json_get(it.value, list_names[i]));
            while (fed_json_iter_next(&item)) {
                out->texts++;
                out->bytes += fed_json_string(item.value).len;
            }
        }
    }
}

struct filling {
    struct fed_span *texts;
    uint8_t *bytes;
};

static void fill_list(struct filling *fill, struct fed_json *list, struct hub_texts *out)
{
    struct fed_json_iter item;

    *out = (struct hub_texts){.at = fill->texts};
    fed_json_iter_init(&item, list);
    while (fed_json_iter_next(&item)) {
        struct fed_span text = fed_json_string(item.value);

        if (text.len > 0)
            memcpy(fill->bytes, text.at, text.len);
        *fill->texts++ = fed_span_of(fill->bytes, text.len);
        fill->bytes += text.len;
        out->n++;
        out->all = out->all || fed_span_is(text, "*");
    }
}

static void fill_rule(struct filling *fill, struct fed_json *from, struct hub_rule *out)
{
    struct hub_texts *const lists[LISTS] = {
        &out->verbs, &out->groups, &out->resources, &out->names, &out->urls};

    for (size_t i = 0; i < LISTS; i++)
        fill_list(fill, fed_json_get(from, list_names[i]), lists[i]);
}

enum fed_err hub_rules_read(
    struct fed_alloc *mem, const struct fed_json *rules, struct hub_rules **out)
{
    struct fed_json *list = (struct fed_json *)rules; /* only read */
    struct sizes sizes = {0};
    struct filling fill;
    struct hub_rules *made;
    struct fed_json_iter it;
    size_t size;

    if (!fed_json_is_array(rules))
        list = NULL;
    measure(list, &sizes);
    size = sizeof *made + sizes.rules * sizeof *made->at + sizes.texts * sizeof *fill.texts +
           sizes.bytes;
    made = fed_alloc_get(mem, size);
    if (!made)
        return FED_ERR_NOMEM;
    *made = (struct hub_rules){.mem = mem, .size = size};
    made->at = (struct hub_rule *)(void *)(made + 1);
    fill.texts = (struct fed_span *)(void *)(made->at + sizes.rules);
    fill.bytes = (uint8_t *)(fill.texts + sizes.texts);
    fed_json_iter_init(&it, list);
    while (fed_json_iter_next(&it))
        fill_rule(&fill, it.value, &made->at[made->n++]);
    *out = made;
    return FED_OK;
}

void hub_rules_free(struct hub_rules *rules)
{
    if (rules)
        fed_alloc_free(rules->mem, rules, rules->size);
}

/* ---- one decision ---- */
static bool holds(const struct hub_texts *texts, struct fed_span text)
{
    for (size_t i = 0; i < texts->n; i++)
        if (fed_span_eq(texts->at[i], text))
            return true;
    return false;
}

static bool is_joined(struct fed_span text, struct fed_span head, struct fed_span tail)
{
    return text.len == head.len + 1 + tail.len && text.at[head.len] == '/' &&
           fed_span_eq(fed_span_sub(text, 0, head.len), head) &&
           fed_span_eq(fed_span_sub(text, head.len + 1, tail.len), tail);
}

static bool resource_matches(
    const struct hub_texts *resources, struct fed_span resource, struct fed_span subresource)
{
    if (resources->all)
        return true;
    if (subresource.len == 0)
        return holds(resources, resource);
    for (size_t i = 0; i < resources->n; i++)
        if (is_joined(resources->at[i], resource, subresource) ||
            is_joined(resources->at[i], FED_SPAN_LIT("*"), subresource))
            return true;
    return false;
}

static bool url_matches(struct fed_span pattern, struct fed_span path)
{
    size_t len = pattern.len;

    if (fed_span_eq(pattern, path))
        return true;
    while (len > 0 && pattern.at[len - 1] == '*')
        len--;
    return len < pattern.len && path.len >= len &&
           fed_span_eq(fed_span_sub(pattern, 0, len), fed_span_sub(path, 0, len));
}

static bool urls_match(const struct hub_texts *urls, struct fed_span path)
{
    for (size_t i = 0; i < urls->n; i++)
        if (url_matches(urls->at[i], path))
            return true;
    return false;
}

bool hub_rule_allows(const struct hub_rule *rule, const struct hub_access *access)
{
    if (!rule->verbs.all && !holds(&rule->verbs, access->verb))
        return false;
    if (access->resource.len == 0)
        return urls_match(&rule->urls, access->path);
    return (rule->groups.all || holds(&rule->groups, access->group)) &&
           resource_matches(&rule->resources, access->resource, access->subresource) &&
           (rule->names.n == 0 || holds(&rule->names, access->name));
}

/* ---- covering ---- */
static bool resource_covered(const struct hub_texts *resources, struct fed_span resource)
{
    size_t slash = fed_span_find(resource, '/');

    if (resources->all || holds(resources, resource))
        return true;
    return slash < resource.len && resource_matches(resources, FED_SPAN_LIT("*"),
                                       fed_span_sub(resource, slash + 1, resource.len));
}

bool hub_rule_covers(const struct hub_rule *rule, const struct hub_right *right)
{
    if (!rule->verbs.all && !holds(&rule->verbs, right->verb))
        return false;
    if (right->url.len > 0)
        return rule->names.n == 0 && urls_match(&rule->urls, right->url);
    return (rule->groups.all || holds(&rule->groups, right->group)) &&
           resource_covered(&rule->resources, right->resource) &&
           (rule->names.n == 0 || (right->named && holds(&rule->names, right->name)));
}

struct walk {
    hub_rights_each *each;
    void *ctx;
    size_t n;
    bool stopped;
    enum fed_err err;
};

static bool tell(struct walk *walk, const struct hub_right *right)
{
    if (walk->n++ == HUB_RIGHTS_MAX)
        walk->err = FED_ERR_LIMIT;
    else if (!walk->each(walk->ctx, right))
        walk->stopped = true;
    return !walk->err && !walk->stopped;
}

static bool tell_names(struct walk *walk, const struct hub_rule *rule, struct hub_right *right)
{
    if (rule->names.n == 0)
        return tell(walk, right);
    right->named = true;
    for (size_t i = 0; i < rule->names.n; i++) {
        right->name = rule->names.at[i];
        if (!tell(walk, right))
            return false;
    }
    return true;
}

static bool tell_resources(struct walk *walk, const struct hub_rule *rule)
{
    for (size_t g = 0; g < rule->groups.n; g++)
        for (size_t r = 0; r < rule->resources.n; r++)
            for (size_t v = 0; v < rule->verbs.n; v++) {
                struct hub_right right = {.verb = rule->verbs.at[v],
                    .group = rule->groups.at[g],
                    .resource = rule->resources.at[r]};

                if (!tell_names(walk, rule, &right))
                    return false;
            }
    return true;
}

static bool tell_urls(struct walk *walk, const struct hub_rule *rule)
{
    for (size_t u = 0; u < rule->urls.n; u++)
        for (size_t v = 0; v < rule->verbs.n; v++) {
            struct hub_right right = {.verb = rule->verbs.at[v], .url = rule->urls.at[u]};

            if (right.url.len > 0 && !tell(walk, &right))
                return false;
        }
    return true;
}

enum fed_err hub_rules_each_right(const struct hub_rules *rules, hub_rights_each *each, void *ctx)
{
    struct walk walk = {.each = each, .ctx = ctx};

    for (size_t i = 0; i < rules->n; i++)
        if (!tell_resources(&walk, &rules->at[i]) || !tell_urls(&walk, &rules->at[i]))
            break;
    return walk.err;
}
