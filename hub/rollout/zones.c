/* zones.c - time zones by name, read once. */
#include "hub/rollout/internal.h"

#include <stdio.h>

#define ZONE_DIR "/usr/share/zoneinfo"
#define PATH_SIZE 256u

static enum fed_err read_zone(struct hub_rollouts *r, struct rollout_zone *zone)
{
    const struct fed_fs *fs = r->o.fs;
    char path[PATH_SIZE];
    struct fed_buf file;
    int n =
        snprintf(path, sizeof path, "%s/%s", r->o.zone_dir ? r->o.zone_dir : ZONE_DIR, zone->name);
    enum fed_err err = !fs || n < 0 || (size_t)n >= sizeof path ? FED_ERR_NOT_FOUND : FED_OK;

    fed_buf_init(&file, r->mem, HUB_ZONE_FILE_MAX);
    if (!err)
        err = fs->read(fs->ctx, path, &file, NULL);
    if (!err)
        err = hub_zone_parse(r->mem, fed_buf_span(&file), &zone->zone);
    fed_buf_fini(&file);
    return err;
}

static enum fed_err add_zone(
    struct hub_rollouts *r, struct fed_span name, const struct hub_zone **out)
{
    struct rollout_zone *zone = fed_alloc_zero(r->mem, sizeof *zone);
    enum fed_err err;

    if (!zone)
        return FED_ERR_NOMEM;
    err = fed_span_to_cstr(name, zone->name, sizeof zone->name);
    if (!err)
        err = read_zone(r, zone);
    if (!err) {
        err = fed_map_put(&r->zones, name, zone);
        if (!err) {
            *out = &zone->zone;
            return FED_OK;
        }
        hub_zone_fini(&zone->zone);
    }
    fed_alloc_free(r->mem, zone, sizeof *zone);
    return err;
}

/* Kept until the hub ends: there are some hundred names at most. */
enum fed_err rollout_zone_find(
    void *ctx, struct fed_span name, const struct hub_zone **out, struct fed_diag *diag)
{
    struct hub_rollouts *r = ctx;
    struct rollout_zone *zone = fed_map_get(&r->zones, name);
    enum fed_err err = FED_ERR_NOT_FOUND;

    if (zone) {
        *out = &zone->zone;
        return FED_OK;
    }
    if (hub_zone_is_name(name))
        err = add_zone(r, name, out);
    if (!err || err == FED_ERR_NOMEM)
        return err;
    return fed_diag_set(diag, FED_ERR_NOT_FOUND,
        "time zone \"" FED_SPAN_FMT "\" is not in this machine's database",
        FED_SPAN_ARG(fed_span_sub(name, 0, HUB_ZONE_NAME_MAX)));
}

void rollout_zones_fini(struct hub_rollouts *r)
{
    struct fed_map_iter it;

    fed_map_iter_init(&it, &r->zones);
    while (fed_map_iter_next(&it)) {
        struct rollout_zone *zone = it.value;

        hub_zone_fini(&zone->zone);
        fed_alloc_free(r->mem, zone, sizeof *zone);
    }
    fed_map_fini(&r->zones);
}
