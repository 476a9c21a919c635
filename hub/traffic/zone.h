/* zone.h - a time zone as the system's database has it: RFC 8536, versions 1 to 4. Pure: the caller
 * reads the file.
 *
 * Leap seconds are skipped over, as Unix time has none. What a file says beyond its last transition
 * is its footer, a POSIX TZ string (RFC 8536 section 3.3); without one the last offset holds. */
#ifndef FEDLET_HUB_TRAFFIC_ZONE_H
#define FEDLET_HUB_TRAFFIC_ZONE_H

#include "proto/base/alloc.h"
#include "proto/base/span.h"

#define HUB_ZONE_FILE_MAX (64u << 10)
#define HUB_ZONE_TRANSITIONS_MAX 2000u
#define HUB_ZONE_NAME_MAX 64u

struct hub_zone_change { /* of each year, to or from daylight saving time */
    enum { HUB_ZONE_MONTH_WEEK_DAY, HUB_ZONE_JULIAN, HUB_ZONE_DAY } form;
    int month, week, day; /* JULIAN 1 to 365 without 29 February, DAY from 0 */
    int32_t time_s;       /* of the day, local; may be negative or beyond it */
};

struct hub_zone {
    struct fed_alloc *mem;
    size_t n;        /* transitions */
    int64_t *at;     /* when */
    int32_t *offset; /* seconds east of UTC from then on */
    int32_t first;   /* before the first */
    bool has_rule;   /* the footer's: after the last */
    bool has_dst;
    int32_t std_s, dst_s;
    struct hub_zone_change to_dst, from_dst;
};

/* Whether it can be a name of the database: "Europe/Berlin", "Etc/GMT+5". Nothing else becomes a
 * file's name. */
bool hub_zone_is_name(struct fed_span name);
/* FED_ERR_INVALID, FED_ERR_LIMIT, FED_ERR_TRUNCATED, FED_ERR_NOMEM; then *out is empty. */
FED_MUST_USE enum fed_err hub_zone_parse(
    struct fed_alloc *mem, struct fed_span file, struct hub_zone *out);
void hub_zone_fini(struct hub_zone *zone);
/* Seconds east of UTC at a Unix time. */
int32_t hub_zone_offset(const struct hub_zone *zone, int64_t unix_s);

#endif
