/* key.c - where an object stands in the store: "o/" resource NUL namespace NUL name. */
#include "hub/store/internal.h"

#include <string.h>

static bool has_nul(struct fed_span part)
{
    return fed_span_find(part, 0) != part.len;
}

static enum fed_err key_put(struct objects_key *key, struct fed_span part)
{
    if (part.len > sizeof key->at - 2 - key->len)
        return FED_ERR_LIMIT;
    if (part.len > 0)
        memcpy(key->at + key->len, part.at, part.len);
    key->len += part.len;
    return FED_OK;
}

enum fed_err objects_key_prefix(
    struct objects_key *key, struct fed_span resource, struct fed_span ns)
{
    enum fed_err err;

    key->len = 0;
    if (resource.len == 0 || has_nul(resource) || has_nul(ns))
        return FED_ERR_INVALID;
    err = key_put(key, FED_SPAN_LIT("o/"));
    if (!err)
        err = key_put(key, resource);
    if (err)
        return err;
    key->at[key->len++] = 0;
    if (ns.len == 0)
        return FED_OK;
    err = key_put(key, ns);
    if (err)
        return err;
    key->at[key->len++] = 0;
    return FED_OK;
}

enum fed_err objects_key_of(struct objects_key *key, const struct hub_object_ref *ref)
{
    enum fed_err err = objects_key_prefix(key, ref->resource, ref->ns);

    if (err)
        return err;
    if (ref->ns.len == 0)
        key->at[key->len++] = 0;
    if (ref->name.len == 0 || has_nul(ref->name))
        return FED_ERR_INVALID;
    return key_put(key, ref->name);
}

bool objects_key_parse(struct fed_span key, struct hub_object_ref *ref)
{
    if (!fed_span_starts(key, "o/"))
        return false;
    key = fed_span_sub(key, 2, key.len);
    if (!fed_span_split(&key, 0, &ref->resource) || !fed_span_split(&key, 0, &ref->ns))
        return false;
    ref->name = key;
    return key.len > 0;
}
