/* negotiate.c - the Accept header: which text, JSON or YAML, and of what: the object, a Table, or
 * metadata alone.
 *
 * Source: apiserver pkg/endpoints/handlers/negotiation and RequestScope.AllowsMediaTypeTransform;
 * goautoneg.ParseAccept for the order. Protobuf, which clients list first, is passed over: all of
 * them list JSON, too. */
#include "hub/api/internal.h"

#include <stdlib.h>
#include <string.h>

#define CLAUSES_MAX 32u /* those behind are not looked at */
#define META_GROUP "meta.k8s.io"

struct clause {
    struct fed_span type;
    struct fed_span subtype;
    double q;
    struct fed_span as;
    struct fed_span group;
    struct fed_span version;
    bool converts; /* says as, g or v */
    bool watch;    /* stream=watch */
    bool other_stream;
    bool other_server; /* sv= of another version than v1 */
    bool pretty;
};
struct clauses {
    struct clause list[CLAUSES_MAX];
    size_t n;
};

static struct fed_span trim(struct fed_span text)
{
    while (text.len > 0 && text.at[0] == ' ')
        text = fed_span_sub(text, 1, text.len);
    while (text.len > 0 && text.at[text.len - 1] == ' ')
        text.len--;
    return text;
}

static double take_q(struct fed_span text)
{
    char number[16];

    return fed_span_to_cstr(text, number, sizeof number) ? 0 : strtod(number, NULL);
}

static void take_param(struct clause *clause, struct fed_span part)
{
    size_t equals = fed_span_find(part, '=');
    struct fed_span key = trim(fed_span_sub(part, 0, equals));
    struct fed_span value = fed_span_sub(part, equals + 1, part.len);
    struct fed_span *to = fed_span_is(key, "as")  ? &clause->as
                          : fed_span_is(key, "g") ? &clause->group
                          : fed_span_is(key, "v") ? &clause->version
                                                  : NULL;

    if (value.len == 0 || fed_span_find(value, '=') < value.len)
        return;
    value = trim(value);
    if (to) {
        *to = value;
        clause->converts = true;
    } else if (fed_span_is(key, "q")) {
        clause->q = take_q(value);
    } else if (fed_span_is(key, "stream") && value.len > 0) {
        clause->watch = fed_span_is(value, "watch");
        clause->other_stream = !clause->watch;
    } else if (fed_span_is(key, "sv")) {
        clause->other_server = value.len > 0 && !fed_span_is(value, "v1");
    } else if (fed_span_is(key, "pretty")) {
        clause->pretty = fed_span_is(value, "1");
    }
}

static bool clause_parse(struct fed_span text, struct clause *out)
{
    struct fed_span part;
    size_t slash;

    *out = (struct clause){.q = 1};
    if (!fed_span_split(&text, ';', &part))
        return false;
    slash = fed_span_find(part, '/');
    out->type = trim(fed_span_sub(part, 0, slash));
    out->subtype = trim(fed_span_sub(part, slash + 1, part.len));
    if (slash + 1 >= part.len && fed_span_is(out->type, "*"))
        out->subtype = FED_SPAN_LIT("*");
    else if (slash + 1 >= part.len || fed_span_find(out->subtype, '/') < out->subtype.len)
        return false;
    while (fed_span_split(&text, ';', &part))
        take_param(out, part);
    return true;
}

static bool is_before(const struct clause *a, const struct clause *b)
{
    if (a->q != b->q)
        return a->q > b->q;
    if (fed_span_is(a->type, "*") != fed_span_is(b->type, "*"))
        return fed_span_is(b->type, "*");
    return fed_span_is(b->subtype, "*") && !fed_span_is(a->subtype, "*");
}

/* In order of preference, as they stand where that is equal. */
static void clauses_parse(struct fed_span header, struct clauses *out)
{
    struct fed_span text;
    struct clause clause;

    out->n = 0;
    while (out->n < CLAUSES_MAX && fed_span_split(&header, ',', &text)) {
        size_t at = out->n;

        if (!clause_parse(trim(text), &clause))
            continue;
        for (; at > 0 && is_before(&clause, &out->list[at - 1]); at--)
            out->list[at] = out->list[at - 1];
        out->list[at] = clause;
        out->n++;
    }
}

static bool matches(const struct clause *clause, const char *subtype)
{
    if (fed_span_is(clause->type, "*"))
        return fed_span_is(clause->subtype, "*");
    return fed_span_is(clause->type, "application") &&
           (fed_span_is(clause->subtype, subtype) || fed_span_is(clause->subtype, "*"));
}

/* What a resource can be turned into. */
static bool take_conversion(const struct clause *clause, struct hub_accept *out)
{
    out->beta = fed_span_is(clause->version, "v1beta1");
    if (!fed_span_is(clause->group, META_GROUP) ||
        (!out->beta && !fed_span_is(clause->version, "v1")))
        return false;
    out->form = fed_span_is(clause->as, "Table")                       ? HUB_FORM_TABLE
                : fed_span_is(clause->as, "PartialObjectMetadata")     ? HUB_FORM_PARTIAL
                : fed_span_is(clause->as, "PartialObjectMetadataList") ? HUB_FORM_PARTIAL_LIST
                                                                       : HUB_FORM_OBJECT;
    return out->form != HUB_FORM_OBJECT;
}

static bool is_discovery_v2(const struct clause *clause)
{
    return fed_span_is(clause->as, "APIGroupDiscoveryList") &&
           fed_span_is(clause->group, "apidiscovery.k8s.io") && fed_span_is(clause->version, "v2");
}

/* Whether the clause settles it. */
static bool take(const struct clause *clause, enum hub_accepting accepting, struct hub_accept *out)
{
    bool json = matches(clause, "json");

    *out = (struct hub_accept){.text = !json            ? HUB_TEXT_YAML
                                       : clause->pretty ? HUB_TEXT_PRETTY
                                                        : HUB_TEXT_JSON};
    if ((!json && !matches(clause, "yaml")) || clause->other_stream || (clause->watch && !json))
        return false;
    if (clause->other_server && accepting == HUB_ACCEPT_RESOURCE)
        return false;
    if (!clause->converts)
        return true;
    return accepting == HUB_ACCEPT_RESOURCE && take_conversion(clause, out);
}

/* The aggregated form comes before everything else, wherever it stands. */
static bool take_discovery(const struct clauses *clauses, struct hub_accept *out)
{
    for (size_t i = 0; i < clauses->n; i++)
        if (matches(&clauses->list[i], "json") && is_discovery_v2(&clauses->list[i])) {
            *out = (struct hub_accept){.acceptable = true, .routed = true, .discovery_v2 = true};
            return true;
        }
    return false;
}

void hub_accept_parse(struct fed_span header, enum hub_accepting accepting, struct hub_accept *out)
{
    struct clauses clauses;
    struct hub_accept one = {.acceptable = header.len == 0};

    clauses_parse(header, &clauses);
    if (accepting == HUB_ACCEPT_DISCOVERY && take_discovery(&clauses, &one)) {
        *out = one;
        return;
    }
    for (size_t i = 0; i < clauses.n && !one.acceptable; i++)
        one.acceptable = take(&clauses.list[i], accepting, &one);
    if (!one.acceptable)
        one = (struct hub_accept){.acceptable = false};
    for (size_t i = 0; i < clauses.n; i++)
        one.routed = one.routed || matches(&clauses.list[i], "json") ||
                     matches(&clauses.list[i], "yaml") ||
                     matches(&clauses.list[i], "vnd.kubernetes.protobuf");
    *out = one;
}
