/* negotiate.c - the Accept header: JSON always, as a whole object, a Table, or metadata alone.
 *
 * Clients list protobuf first and take JSON; media types come in order of preference, q is not used
 * by any of them except to refuse (q=0). */
#include "hub/api/internal.h"

struct media {
    struct fed_span type;
    struct fed_span as;
    struct fed_span group;
    struct fed_span version;
    bool refused;
};

static struct fed_span trim(struct fed_span text)
{
    while (text.len > 0 && (text.at[0] == ' ' || text.at[0] == '\t'))
        text = fed_span_sub(text, 1, text.len);
    while (text.len > 0 && (text.at[text.len - 1] == ' ' || text.at[text.len - 1] == '\t'))
        text.len--;
    return text;
}

static void media_parse(struct fed_span text, struct media *out)
{
    struct fed_span part;

    *out = (struct media){0};
    if (!fed_span_split(&text, ';', &part))
        return;
    out->type = trim(part);
    while (fed_span_split(&text, ';', &part)) {
        struct fed_span value;
        size_t equals;

        part = trim(part);
        equals = fed_span_find(part, '=');
        value = trim(fed_span_sub(part, equals + 1, part.len));
        part = trim(fed_span_sub(part, 0, equals));
        if (fed_span_is(part, "as"))
            out->as = value;
        else if (fed_span_is(part, "g"))
            out->group = value;
        else if (fed_span_is(part, "v"))
            out->version = value;
        else if (fed_span_is(part, "q"))
            out->refused = fed_span_is(value, "0") || fed_span_is(value, "0.0");
    }
}

static bool is_json(const struct media *media)
{
    return fed_span_is(media->type, "application/json") || fed_span_is(media->type, "*/*") ||
           fed_span_is(media->type, "application/*");
}

/* Whether this media range settles the answer. */
static bool media_take(const struct media *media, struct hub_accept *out)
{
    bool yaml = fed_span_is(media->type, "application/yaml");

    if (media->refused || (!is_json(media) && !yaml))
        return false;
    if (media->as.len == 0) {
        out->yaml = yaml;
        return true;
    }
    if (yaml)
        return false;
    if (fed_span_is(media->as, "APIGroupDiscoveryList") && fed_span_is(media->version, "v2")) {
        out->discovery_v2 = true;
        return true;
    }
    if (!fed_span_is(media->group, "meta.k8s.io") || !fed_span_is(media->version, "v1"))
        return false;
    if (fed_span_is(media->as, "Table"))
        out->form = HUB_FORM_TABLE;
    else if (fed_span_is(media->as, "PartialObjectMetadata") ||
             fed_span_is(media->as, "PartialObjectMetadataList"))
        out->form = HUB_FORM_PARTIAL;
    else
        return false;
    return true;
}

void hub_accept_parse(struct fed_span header, struct hub_accept *out)
{
    struct fed_span range;
    struct media media;

    *out = (struct hub_accept){.acceptable = trim(header).len == 0};
    while (!out->acceptable && fed_span_split(&header, ',', &range)) {
        media_parse(range, &media);
        out->acceptable = media_take(&media, out);
    }
}
