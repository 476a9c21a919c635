/* window.h - times of the week, as people write them:
 *
 *   WINDOWS = WINDOW { ";" WINDOW }          at most HUB_WINDOWS_MAX
 *   WINDOW  = [ DAYS " " ] TIME "-" TIME [ " " ZONE ]
 *   DAYS    = RANGE { "," RANGE }, RANGE = DAY [ "-" DAY ], DAY = Mon Tue Wed Thu Fri Sat Sun
 *   TIME    = HH:MM, from 00:00 to 24:00
 *   ZONE    = UTC, +HH:MM or -HH:MM, or a name of the time zone database; absent: UTC
 *
 * "Mon-Fri 08:00-18:00 Europe/Berlin". Without days it is every day. A window whose end is not
 * after its beginning goes on into the next day: "Fri 22:00-06:00" ends on Saturday. Sat-Mon goes
 * over Sunday. Pure: the caller knows the zones. */
#ifndef FEDLET_HUB_TRAFFIC_WINDOW_H
#define FEDLET_HUB_TRAFFIC_WINDOW_H

#include "hub/traffic/zone.h"

#define HUB_WINDOWS_MAX 8u
#define HUB_WINDOWS_TEXT_MAX 512u

struct hub_window {
    uint8_t days; /* bit 0: Monday */
    int from_min; /* of the local day on which it begins */
    int to_min;   /* the same; up to 24 hours after from */
    int32_t offset_s;
    const struct hub_zone *zone; /* NULL: offset_s */
};
struct hub_windows {
    size_t n;
    struct hub_window at[HUB_WINDOWS_MAX];
};

/* Looks a zone up; it lives as long as the windows. FED_ERR_NOT_FOUND. */
typedef enum fed_err hub_zone_find(
    void *ctx, struct fed_span name, const struct hub_zone **out, struct fed_diag *diag);

/* FED_ERR_INVALID, FED_ERR_LIMIT with a sentence in diag, and what find says. */
FED_MUST_USE enum fed_err hub_windows_parse(struct fed_span text, hub_zone_find *find, void *ctx,
    struct hub_windows *out, struct fed_diag *diag);
/* Unix seconds at which the windows that it is in are over, those that follow without a gap
 * included; 0 when it is in none. */
int64_t hub_windows_end(const struct hub_windows *windows, int64_t unix_s);
/* Unix seconds at which it is in a window next, unix_s itself when it is in one; 0 when that is not
 * within a fortnight (a window inside the hour that a change to daylight saving time leaves out
 * does not open on that day). */
int64_t hub_windows_next(const struct hub_windows *windows, int64_t unix_s);

#endif
