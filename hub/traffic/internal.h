/* internal.h - the counters' state, shared by its files. Not for others.
 *
 *   traffic.c   clusters, counting
 *   row.c       what of them is stored
 *   rules.c     what annotations say
 *   hold.c      when changes wait
 *   compose.c   status.link and the conditions */
#ifndef FEDLET_HUB_TRAFFIC_INTERNAL_H
#define FEDLET_HUB_TRAFFIC_INTERNAL_H

#include "hub/kubefed/errors.h"
#include "hub/traffic/series.h"
#include "hub/traffic/traffic.h"
#include "hub/traffic/window.h"
#include "proto/base/map.h"

#define TRAFFIC_BINDINGS 2u   /* further ones are counted with the last */
#define TRAFFIC_TICK_MS 5000u /* looks at the clock, while there are rules */
#define TRAFFIC_ROUND_MS 10u  /* timers count from when the loop's round began, a little ago */
#define TRAFFIC_WRITE_MS 3600000u
#define TRAFFIC_HEADERS 28u /* of IPv4 and UDP, of a datagram */
#define TRAFFIC_NEAR 80u    /* percent */

struct traffic_binding {
    char name[16];
    struct hub_traffic_counts month;
    struct hub_traffic_counts before; /* the last month */
};

struct traffic_rules {
    uint64_t monthly_bytes; /* 0: no limit */
    struct hub_windows windows;
    int64_t through_unix_s; /* until then nothing but a cordon holds; 0: never */
    bool cordoned;
};

enum traffic_level { TRAFFIC_WITHIN, TRAFFIC_NEAR_END, TRAFFIC_SPENT };
enum traffic_hold { TRAFFIC_FREE, TRAFFIC_QUIET, TRAFFIC_NO_BYTES, TRAFFIC_CORDONED };

struct traffic_cluster {
    char *name;
    uint64_t month; /* year * 12 + month - 1 */
    struct traffic_binding bindings[TRAFFIC_BINDINGS];
    size_t n_bindings;
    bool dirty; /* differs from its row */
    /* memory only */
    struct traffic_series *series; /* NULL: nothing was counted since the start, or no memory */
    unsigned sessions;
    int64_t connected_unix_s;
    char binding[16];
    char address[64];
    struct traffic_rules *rules; /* NULL: none */
    enum traffic_level level;
    int64_t level_unix_s; /* since when */
    enum traffic_hold hold;
    int64_t hold_unix_s;
    int64_t until_unix_s;   /* of the hold; 0: until somebody says so */
    uint64_t told_revision; /* with which watchers were told last */
};

struct traffic_zone {
    char name[HUB_ZONE_NAME_MAX + 1];
    struct hub_zone zone;
};

struct traffic_total {
    char name[16];
    struct hub_traffic_counts counts;
};

struct hub_traffic {
    struct hub_traffic_options options;
    struct fed_map clusters; /* name -> traffic_cluster */
    struct fed_map zones;    /* name -> traffic_zone */
    struct hub_subscription *subscription;
    struct fed_timer *tick;
    uint64_t tick_ms; /* when it fires; UINT64_MAX: it is not set */
    struct fed_timer *write;
    size_t n_rules; /* clusters with rules */
    struct traffic_total totals[TRAFFIC_BINDINGS];
    size_t n_totals;
    uint64_t step; /* of all series, under way */
    hub_traffic_collect *collect;
    void *collect_ctx;
    hub_traffic_tell *tell;
    void *tell_ctx;
    struct hub_kind_hooks inner; /* what was hooked before */
};

/* ---- traffic.c ---- */
struct traffic_cluster *traffic_find(struct hub_traffic *traffic, struct fed_span name);
uint64_t traffic_month(int64_t unix_s);
int64_t traffic_month_begin(uint64_t month); /* Unix seconds */
/* A new month begins, when it is one. */
void traffic_turn(struct hub_traffic *traffic, struct traffic_cluster *cluster);
struct hub_traffic_counts traffic_sum(const struct traffic_cluster *cluster, bool before);
uint64_t traffic_used(const struct traffic_cluster *cluster); /* of the budget */

/* ---- row.c ---- */
#define TRAFFIC_KEY_MAX 300u
/* Empty when the name is too long for one. */
struct fed_span traffic_row_key(const struct traffic_cluster *cluster, char key[TRAFFIC_KEY_MAX]);
FED_MUST_USE enum fed_err traffic_row_take(struct fed_span from, struct traffic_cluster *out);
/* Stages the cluster's row; its revision, 0 when that failed. */
uint64_t traffic_write(struct hub_traffic *traffic, struct traffic_cluster *cluster);

/* ---- rules.c ---- */
/* Of an object's annotations; what is wrong goes to errors, and is left out. NULL in *out: none. */
FED_MUST_USE enum fed_err traffic_rules_read(struct hub_traffic *traffic,
    const struct fed_json *object, struct hub_kubefed_errors *errors, struct traffic_rules **out);
void traffic_rules_free(struct hub_traffic *traffic, struct traffic_rules *rules);
void traffic_zones_fini(struct hub_traffic *traffic);
enum fed_err traffic_admit(void *ctx, struct hub_admission *admission, struct fed_diag *diag);

/* ---- hold.c ---- */
/* Looks at counters and clock, and tells plan and people what changed. */
void traffic_judge(struct hub_traffic *traffic, struct traffic_cluster *cluster);
void traffic_tick(void *traffic); /* the timer's call */
/* The next one comes in so long, or earlier. */
void traffic_tick_in(struct hub_traffic *traffic, uint64_t ms);
/* "quiet until 2026-11-30T17:00:00Z" */
void traffic_put_why(const struct traffic_cluster *cluster, char *out, size_t size);
const char *traffic_hold_reason(enum traffic_hold hold); /* "QuietWindow"; "" when free */

/* ---- compose.c ---- */
enum fed_err traffic_compose(void *ctx, const struct hub_object_ref *ref, struct fed_json_doc *doc,
    struct fed_json *object, uint64_t *revision);

#endif
