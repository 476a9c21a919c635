/* hub_traffic_test.c - zones, windows, counters, budgets, and what a cluster shows of them. */
#include "hub_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "hub/traffic/internal.h"

#define MONDAY 1795996800 /* 2026-11-30T00:00:00Z */
#define HOUR 3600

/* ---- zones ---- */

static struct fed_buf read_zone(const char *name)
{
    struct fed_fs fs = fed_fs_posix(fed_alloc_system());
    struct fed_buf file;
    char path[128];

    snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", name);
    fed_buf_init(&file, fed_alloc_system(), HUB_ZONE_FILE_MAX);
    assert_int_equal(fs.read(fs.ctx, path, &file, NULL), FED_OK);
    return file;
}

/* The C library reads the same files: every few days of a century are as it has them. */
static void test_zones_are_as_the_system_has_them(void **state)
{
    static const char *const names[] = {"Europe/Berlin", "America/New_York", "Asia/Kolkata",
        "Australia/Lord_Howe", "America/St_Johns", "Africa/Casablanca", "Europe/Dublin",
        "America/Sao_Paulo", "Pacific/Chatham", "Etc/GMT+5", "UTC", "Antarctica/Troll"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct fed_buf file = read_zone(names[i]);
        struct hub_zone zone;

        assert_int_equal(hub_zone_parse(fed_alloc_system(), fed_buf_span(&file), &zone), FED_OK);
        setenv("TZ", names[i], 1);
        tzset();
        for (int64_t at = -1000000000; at < 4000000000; at += 199999) {
            time_t t = (time_t)at;
            struct tm local;

            localtime_r(&t, &local);
            if (hub_zone_offset(&zone, at) != local.tm_gmtoff)
                fail_msg("%s at %lld: %d, the system has %ld", names[i], (long long)at,
                    (int)hub_zone_offset(&zone, at), local.tm_gmtoff);
        }
        hub_zone_fini(&zone);
        fed_buf_fini(&file);
    }
    unsetenv("TZ");
    tzset();
}

/* Every file that is cut off, and every one with a byte that is another, is read or refused. */
static void test_damaged_zones(void **state)
{
    struct fed_buf file = read_zone("Europe/Berlin");
    struct hub_zone zone;

    (void)state;
    for (size_t len = 0; len < file.len; len++) {
        if (!hub_zone_parse(fed_alloc_system(), fed_span_of(file.at, len), &zone))
            hub_zone_fini(&zone);
    }
    for (size_t i = 0; i < file.len; i++) {
        file.at[i] ^= 0x81;
        if (!hub_zone_parse(fed_alloc_system(), fed_buf_span(&file), &zone)) {
            (void)hub_zone_offset(&zone, MONDAY);
            hub_zone_fini(&zone);
        }
        file.at[i] ^= 0x81;
    }
    assert_int_equal(
        hub_zone_parse(fed_alloc_system(), fed_span_text("no zone"), &zone), FED_ERR_TRUNCATED);
    assert_false(hub_zone_is_name(fed_span_text("../../etc/passwd")));
    assert_false(hub_zone_is_name(fed_span_text("/etc/localtime")));
    assert_true(hub_zone_is_name(fed_span_text("America/Argentina/Buenos_Aires")));
    fed_buf_fini(&file);
}

/* ---- windows ---- */

static struct hub_zone berlin;

static enum fed_err find_berlin(
    void *ctx, struct fed_span name, const struct hub_zone **out, struct fed_diag *diag)
{
    (void)ctx;
    if (!fed_span_is(name, "Europe/Berlin"))
        return fed_diag_set(diag, FED_ERR_INVALID, "no such zone");
    *out = &berlin;
    return FED_OK;
}

static int64_t end_at(const char *text, int64_t unix_s)
{
    struct hub_windows windows;
    struct fed_diag diag = {""};

    if (hub_windows_parse(fed_span_text(text), find_berlin, NULL, &windows, &diag))
        fail_msg("%s: %s", text, diag.text);
    return hub_windows_end(&windows, unix_s);
}

static void test_windows(void **state)
{
    static const struct {
        const char *text;
        int64_t at, end; /* from Monday on, hours; end -1: not quiet */
    } rows[] = {{"Mon-Fri 08:00-18:00", 8, 18}, {"Mon-Fri 08:00-18:00", 7, -1},
        {"Mon-Fri 08:00-18:00", 18, -1}, {"Mon-Fri 08:00-18:00", 5 * 24 + 9, -1},
        {"08:00-18:00 UTC", 6 * 24 + 9, 6 * 24 + 18}, {"Mon 08:00-18:00 +02:00", 6, 16},
        {"Mon 08:00-18:00 -02:00", 9, -1}, {"Mon 08:00-18:00 -02:00", 10, 20},
        {"Mon 08:00-18:00 Europe/Berlin", 7, 17}, /* an hour ahead, in winter */
        {"Mon 22:00-06:00", 23, 30}, {"Mon 22:00-06:00", 29, 30}, {"Mon 22:00-06:00", 5, -1},
        {"Sun 22:00-06:00", 5, 6}, {"Sat-Mon 08:00-09:00", 8, 9}, {"Sat-Mon 08:00-09:00", 32, -1},
        {"Mon,Wed-Thu 08:00-09:00", 56, 57}, {"Mon,Wed-Thu 08:00-09:00", 32, -1},
        {"Mon 08:00-12:00; Mon 12:00-13:00", 9, 13}, {"Mon 00:00-24:00;Tue 00:00-24:00", 1, 48},
        {"Mon 08:00-08:00", 8, 32}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t end = end_at(rows[i].text, MONDAY + rows[i].at * HOUR);

        if (end != (rows[i].end < 0 ? 0 : MONDAY + rows[i].end * HOUR))
            fail_msg("%s at %lld h: %lld", rows[i].text, (long long)rows[i].at,
                (long long)(end - MONDAY) / HOUR);
    }
    /* The last Sunday of March has 23 hours in Berlin: 2026-03-29, 01:00Z. */
    assert_int_equal(end_at("Sun 00:00-12:00 Europe/Berlin", 1774742400), 1774778400);
}

static void test_windows_that_are_none(void **state)
{
    static const char *const rows[] = {"", " ", ";", "Mon", "8:00-18:00", "08:00", "08:00-18",
        "24:00-25:00", "Mon-Fry 08:00-18:00", "Mon 08:60-18:00", "Mon 08:00-18:00 Mars/Base",
        "Mon 08:00-18:00 ../etc", "Mon 08:00-18:00 UTC UTC", "Mon 08:00-18:00 +19:00",
        "Mon Tue 08:00-18:00",
        "08:00-09:00;08:00-09:00;08:00-09:00;08:00-09:00;08:00-09:00;"
        "08:00-09:00;08:00-09:00;08:00-09:00;08:00-09:00"};
    struct hub_windows windows;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fed_diag diag = {""};

        if (!hub_windows_parse(fed_span_text(rows[i]), find_berlin, NULL, &windows, &diag))
            fail_msg("\"%s\" was taken", rows[i]);
        assert_true(diag.text[0]);
    }
}

/* ---- a world whose clock stands where it is put ---- */

struct world {
    struct hub_world hub;
    struct fed_fs fs;
    struct hub_traffic *traffic;
    char told[512];
};
static int64_t clock_s;

static int64_t stopped_clock(void *ctx)
{
    (void)ctx;
    return clock_s * 1000000;
}

static void on_tell(
    void *ctx, struct fed_span cluster, bool warning, const char *reason, const char *message)
{
    struct world *w = ctx;
    size_t len = strlen(w->told);

    (void)message;
    assert_true(warning);
    snprintf(
        w->told + len, sizeof w->told - len, FED_SPAN_FMT ":%s ", FED_SPAN_ARG(cluster), reason);
}

static void traffic_open(struct world *w)
{
    struct hub_traffic_options options = {.mem = fed_alloc_system(),
        .loop = w->hub.loop,
        .objects = w->hub.objects,
        .plan = w->hub.plan,
        .fs = &w->fs};
    struct fed_diag diag = {""};

    if (hub_traffic_open(&options, &w->traffic, &diag))
        fail_msg("%s", diag.text);
    hub_traffic_on_tell(w->traffic, on_tell, w);
    hub_world_settle(&w->hub);
}

static int setup(void **state)
{
    static const char *const labels[3] = {"{}", "{}", "{}"};
    static struct world w;

    memset(&w, 0, sizeof w);
    w.fs = fed_fs_posix(fed_alloc_system());
    hub_world_open_three(&w.hub, labels);
    clock_s = MONDAY + 7 * HOUR;
    w.hub.loop->unix_us = stopped_clock;
    traffic_open(&w);
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    hub_traffic_close(w->traffic);
    hub_world_close(&w->hub);
    return 0;
}

static void restart(struct world *w)
{
    hub_traffic_close(w->traffic);
    hub_world_restart(&w->hub);
    w->hub.loop->unix_us = stopped_clock;
    traffic_open(w);
}

static void annotate(struct world *w, const char *name, const char *annotations)
{
    char json[1024];

    snprintf(json, sizeof json, "{'metadata':{'name':'%s','labels':{},'annotations':%s},'spec':{}}",
        name, annotations);
    hub_world_put(&w->hub, W_CLUSTERS, W_SYSTEM, name, json);
}

static void look(struct world *w)
{
    traffic_tick(w->traffic);
    hub_world_settle(&w->hub);
}

static void move(
    struct world *w, const char *cluster, const char *binding, uint64_t from, uint64_t to)
{
    struct fed_link_stats more = {
        .received_bytes = from, .sent_bytes = to, .received_datagrams = 1, .sent_datagrams = 2};

    hub_traffic_count(w->traffic, fed_span_text(cluster), binding, &more);
}

/* What KubeFedCluster shows, on top of what the status puts there. */
static const char *shown(struct world *w, const char *cluster)
{
    static char text[8192];
    struct hub_object_ref ref = {.resource = FED_SPAN_LIT(HUB_CLUSTERS),
        .ns = FED_SPAN_LIT(HUB_SYSTEM_NAMESPACE),
        .name = fed_span_text(cluster)};
    struct hub_kind_hooks hooks;
    struct fed_json_doc *doc;
    struct fed_json *object;
    struct fed_buf out;
    uint64_t revision = 0;

    hub_status_connected(w->hub.status, ref.name, "coap", "192.0.2.1:1");
    hub_status_cluster_hooks(w->hub.status, &hooks);
    hub_traffic_cluster_hooks(w->traffic, &hooks);
    assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
    object = fed_json_new_object(doc);
    assert_int_equal(hooks.compose(hooks.ctx, &ref, doc, object, &revision), FED_OK);
    fed_buf_init(&out, fed_alloc_system(), sizeof text - 1);
    assert_int_equal(fed_json_put(&out, object), FED_OK);
    snprintf(text, sizeof text, "%s", fed_buf_cstr(&out));
    fed_buf_fini(&out);
    fed_json_doc_free(doc);
    return text;
}

static void sees(struct world *w, const char *cluster, const char *part)
{
    const char *all = shown(w, cluster);

    if (!strstr(all, part))
        fail_msg("%s\nis not in %s", part, all);
}

static void test_numbers_kept_short(void **state)
{
    (void)state;
    for (uint64_t value = 0; value < 5000000; value += 1 + value / 5000) {
        uint64_t kept = traffic_series_long(traffic_series_short(value));
        uint64_t error = kept > value ? kept - value : value - kept;

        if (value < 2048 ? error > 0 : error > value / 2048)
            fail_msg("%llu is kept as %llu", (unsigned long long)value, (unsigned long long)kept);
    }
    assert_int_equal(traffic_series_long(traffic_series_short(2047)), 2047);
    assert_int_equal(traffic_series_long(traffic_series_short(4095)), 4096); /* a digit more */
    assert_int_equal(traffic_series_short(UINT64_MAX), UINT16_MAX);
    assert_int_equal(traffic_series_short((UINT64_C(2047) << 31) + 1), UINT16_MAX);
    assert_int_equal(traffic_series_short((UINT64_C(2047) << 31) - 1), UINT16_MAX);
    assert_true(sizeof(struct traffic_series) <= 408);
}

static void assert_steps(struct world *w, const char *cluster, const char *want)
{
    struct hub_traffic_steps steps;
    char got[512] = "";

    hub_traffic_steps(w->traffic, fed_span_text(cluster), &steps);
    for (size_t i = 0; i < steps.n; i++)
        if (steps.from[i] || steps.to[i] || i + 1 == steps.n)
            snprintf(got + strlen(got), sizeof got - strlen(got), "%zu:%llu/%llu ", i,
                (unsigned long long)steps.from[i], (unsigned long long)steps.to[i]);
    assert_string_equal(got, want);
}

/* By both bindings; silence is steps of nothing; after a day a step is gone. */
static void test_a_day_of_one_cluster(void **state)
{
    struct world *w = *state;

    assert_steps(w, "c1", "0:0/0 ");
    move(w, "c1", "coap", 100, 1000);
    move(w, "c1", "https", 1, 2);
    move(w, "c2", "coap", 7, 7);
    assert_steps(w, "c1", "0:101/1002 ");
    hub_traffic_step(w->traffic);
    assert_steps(w, "c1", "0:101/1002 1:0/0 ");
    for (size_t i = 0; i < 10; i++)
        hub_traffic_step(w->traffic);
    move(w, "c1", "coap", 5, 6);
    assert_steps(w, "c1", "0:101/1002 11:5/6 ");
    assert_steps(w, "c2", "0:7/7 11:0/0 ");
    assert_steps(w, "c3", "11:0/0 ");
    for (size_t i = 0; i < HUB_TRAFFIC_STEPS - 12; i++)
        hub_traffic_step(w->traffic);
    assert_steps(w, "c1", "0:101/1002 11:5/6 95:0/0 ");
    hub_traffic_step(w->traffic);
    move(w, "c1", "coap", 8, 9);
    assert_steps(w, "c1", "10:5/6 95:8/9 ");
    for (size_t i = 0; i < 1000; i++)
        hub_traffic_step(w->traffic);
    assert_steps(w, "c1", "95:0/0 ");
    assert_steps(w, "c2", "95:0/0 ");
}

static void test_counters(void **state)
{
    struct world *w = *state;
    struct hub_traffic_counts total;
    const char *binding;

    hub_traffic_connected(w->traffic, FED_SPAN_LIT("c1"), "coap", "192.0.2.7:4000");
    move(w, "c1", "coap", 100, 1000);
    move(w, "c1", "https", 1, 2);
    sees(w, "c1",
        "\"binding\":\"coap\",\"address\":\"192.0.2.7:4000\",\"connectedSince\":\"2026-11-"
        "30T07:00:00Z\",\"month\":\"2026-11\",\"bytes\":{\"fromCluster\":101,"
        "\"toCluster\":1002,\"total\":1103,\"datagramsFromCluster\":2,");
    restart(w);
    sees(w, "c1", "\"fromCluster\":101,\"toCluster\":1002");
    assert_null(strstr(shown(w, "c1"), "connectedSince"));
    clock_s = MONDAY + 24 * HOUR; /* December */
    move(w, "c1", "coap", 5, 6);
    sees(w, "c1", "\"month\":\"2026-12\",\"bytes\":{\"fromCluster\":5,\"toCluster\":6,");
    sees(w, "c1", "\"lastMonth\":{\"fromCluster\":101,\"toCluster\":1002,");
    clock_s = MONDAY + 23 * HOUR; /* put back over the turn */
    move(w, "c1", "coap", 5, 6);
    sees(w, "c1", "\"month\":\"2026-12\",\"bytes\":{\"fromCluster\":10,\"toCluster\":12,");
    clock_s = MONDAY + 80 * 24 * HOUR;
    sees(w, "c1", "\"month\":\"2027-02\",\"bytes\":{\"fromCluster\":0,");
    sees(w, "c1", "\"lastMonth\":{\"fromCluster\":0,");
    assert_true(hub_traffic_total(w->traffic, 0, &binding, &total));
    assert_string_equal(binding, "coap");
    assert_int_equal(total.from_bytes, 10); /* of this process */
    assert_false(hub_traffic_total(w->traffic, 1, &binding, &total));
    hub_world_remove(&w->hub, W_CLUSTERS, W_SYSTEM, "c1");
    hub_world_cluster(&w->hub, "c1", "{}");
    assert_null(strstr(shown(w, "c1"), "\"month\""));
}

static const char map[] = "{'template':{'data':{'k':'%d'}},'placement':{'clusterSelector':{}}}";

static void put_map(struct world *w, int value)
{
    char spec[256];

    snprintf(spec, sizeof spec, map, value);
    hub_world_put_map(&w->hub, spec);
}

static void test_quiet_window_holds_and_releases(void **state)
{
    struct world *w = *state;
    uint64_t before;

    put_map(w, 1);
    annotate(w, "c1", "{'fedlet.io/quiet-windows':'Mon-Fri 08:00-18:00 Europe/Berlin'}");
    before = hub_world_revision(&w->hub, "c1");
    put_map(w, 2);
    assert_int_equal(hub_world_revision(&w->hub, "c1"), before);
    sees(w, "c1",
        "\"held\":{\"reason\":\"QuietWindow\",\"until\":\"2026-11-30T17:00:00Z\","
        "\"changes\":1}");
    sees(w, "c1", "\"type\":\"ChangesHeld\",\"status\":\"True\"");
    restart(w);
    assert_int_equal(hub_world_revision(&w->hub, "c1"), before);
    clock_s = MONDAY + 17 * HOUR - 1;
    look(w);
    assert_int_equal(hub_world_revision(&w->hub, "c1"), before);
    clock_s++;
    look(w);
    assert_true(hub_world_revision(&w->hub, "c1") > before);
    assert_null(strstr(shown(w, "c1"), "ChangesHeld"));
    clock_s = MONDAY + 24 * HOUR + 8 * HOUR;
    look(w);
    before = hub_world_revision(&w->hub, "c1");
    put_map(w, 3);
    assert_int_equal(hub_world_revision(&w->hub, "c1"), before);
    annotate(w, "c1", "{}"); /* the window goes */
    assert_true(hub_world_revision(&w->hub, "c1") > before);
}

static uint64_t next_look_ms(struct world *w)
{
    return w->traffic->tick_ms - fed_loop_now_ms(w->hub.loop);
}

/* Its end is looked at when it comes, and no change of a cluster puts that off. */
static void test_a_hold_ends_at_its_time(void **state)
{
    struct world *w = *state;

    clock_s = MONDAY + 17 * HOUR - 60;
    annotate(w, "c1", "{'fedlet.io/quiet-windows':'Mon-Fri 08:00-17:00'}");
    assert_in_range(next_look_ms(w), 1, TRAFFIC_TICK_MS);
    clock_s = MONDAY + 17 * HOUR - 2;
    look(w);
    assert_in_range(next_look_ms(w), 1, 2000 + TRAFFIC_ROUND_MS);
    annotate(w, "c2", "{'fedlet.io/cordon':'true'}");
    assert_in_range(next_look_ms(w), 1, 2000 + TRAFFIC_ROUND_MS);
}

static void test_cordon_holds_until_it_is_taken_away(void **state)
{
    struct world *w = *state;
    uint64_t before;

    put_map(w, 1);
    annotate(w, "c1", "{'fedlet.io/cordon':'true'}");
    before = hub_world_revision(&w->hub, "c1");
    put_map(w, 2);
    assert_int_equal(hub_world_revision(&w->hub, "c1"), before);
    sees(w, "c1", "\"held\":{\"reason\":\"Cordoned\",\"changes\":1}"); /* and no end */
    sees(w, "c1", "\"reason\":\"Cordoned\",\"message\":\"the cluster is cordoned");
    clock_s = MONDAY + 40 * 24 * HOUR;
    restart(w);
    look(w);
    assert_int_equal(hub_world_revision(&w->hub, "c1"), before);
    annotate(w, "c1", "{'fedlet.io/cordon':'false'}");
    assert_true(hub_world_revision(&w->hub, "c1") > before);
    assert_null(strstr(shown(w, "c1"), "ChangesHeld"));
}

/* Neither the window nor the spent month counts for a while; a cordon does. */
static void test_what_waits_is_let_through(void **state)
{
    struct world *w = *state;
    uint64_t before;

    put_map(w, 1);
    annotate(
        w, "c1", "{'fedlet.io/quiet-windows':'Mon 00:00-24:00','fedlet.io/monthly-bytes':'1k'}");
    move(w, "c1", "coap", 1000, 1000);
    look(w);
    before = hub_world_revision(&w->hub, "c1");
    put_map(w, 2);
    assert_int_equal(hub_world_revision(&w->hub, "c1"), before);
    annotate(w, "c1",
        "{'fedlet.io/quiet-windows':'Mon 00:00-24:00','fedlet.io/monthly-bytes':'1k',"
        "'fedlet.io/let-through-until':'2026-11-30T13:00:00Z'}");
    assert_true(hub_world_revision(&w->hub, "c1") > before);
    assert_null(strstr(shown(w, "c1"), "ChangesHeld"));
    before = hub_world_revision(&w->hub, "c1");
    put_map(w, 3);
    assert_true(hub_world_revision(&w->hub, "c1") > before);
    clock_s = MONDAY + 13 * HOUR;
    look(w);
    before = hub_world_revision(&w->hub, "c1");
    put_map(w, 4);
    assert_int_equal(hub_world_revision(&w->hub, "c1"), before);
    sees(w, "c1", "\"held\":{\"reason\":\"MonthlyBytesSpent\"");
    annotate(w, "c1",
        "{'fedlet.io/cordon':'true','fedlet.io/let-through-until':'2027-11-30T13:00:00Z'}");
    assert_int_equal(hub_world_revision(&w->hub, "c1"), before);
    sees(w, "c1", "\"held\":{\"reason\":\"Cordoned\"");
}

/* The hub was away at the end of the window, and somebody took it away meanwhile. */
static void test_what_waited_is_let_go_after_a_start(void **state)
{
    struct world *w = *state;
    uint64_t before;

    put_map(w, 1);
    annotate(w, "c1", "{'fedlet.io/quiet-windows':'Mon 00:00-24:00'}");
    before = hub_world_revision(&w->hub, "c1");
    put_map(w, 2);
    hub_traffic_close(w->traffic);
    annotate(w, "c1", "{}");
    traffic_open(w);
    assert_true(hub_world_revision(&w->hub, "c1") > before);
}

static void test_budget(void **state)
{
    struct world *w = *state;
    uint64_t before;

    put_map(w, 1);
    annotate(w, "c1", "{'fedlet.io/monthly-bytes':'10k'}");
    before = hub_world_revision(&w->hub, "c1");
    move(w, "c1", "coap", 4000, 3900); /* and 84 of headers */
    look(w);
    assert_string_equal(w->told, "");
    move(w, "c1", "coap", 0, 0);
    look(w);
    assert_string_equal(w->told, "c1:MonthlyBytesNearEnd ");
    sees(w, "c1", "\"budget\":{\"bytes\":10000,\"used\":8068,\"percent\":80}");
    sees(w, "c1", "\"type\":\"MonthlyBytesSpent\",\"status\":\"False\"");
    put_map(w, 2);
    assert_true(hub_world_revision(&w->hub, "c1") > before);
    before = hub_world_revision(&w->hub, "c1");
    move(w, "c1", "coap", 1000, 1000);
    look(w);
    assert_string_equal(w->told, "c1:MonthlyBytesNearEnd c1:MonthlyBytesSpent ");
    put_map(w, 3);
    assert_int_equal(hub_world_revision(&w->hub, "c1"), before);
    sees(w, "c1", "\"held\":{\"reason\":\"MonthlyBytesSpent\",\"until\":\"2026-12-01T00:00:00Z\"");
    restart(w);
    assert_int_equal(hub_world_revision(&w->hub, "c1"), before);
    assert_string_equal(w->told, "c1:MonthlyBytesNearEnd c1:MonthlyBytesSpent "); /* once */
    clock_s = MONDAY + 24 * HOUR;
    look(w);
    assert_true(hub_world_revision(&w->hub, "c1") > before);
    sees(w, "c1", "\"type\":\"MonthlyBytesSpent\",\"status\":\"False\"");
}

/* ---- admission ---- */

static void test_annotations_are_checked(void **state)
{
    static const char *const good[] = {"{}", "{'fedlet.io/monthly-bytes':'1'}",
        "{'fedlet.io/monthly-bytes':'50Mi','fedlet.io/quiet-windows':'08:00-18:00'}",
        "{'fedlet.io/quiet-windows':'Mon 08:00-18:00 Europe/Berlin'}"};
    static const char *const bad[][2] = {
        {"{'fedlet.io/monthly-bytes':'50MB'}",
            "metadata.annotations[fedlet.io/monthly-bytes]: Invalid value: \"50MB\": must be"},
        {"{'fedlet.io/monthly-bytes':'0'}", "Invalid value: \"0\""},
        {"{'fedlet.io/monthly-bytes':'99999Ti'}", "Invalid value: \"99999Ti\""},
        {"{'fedlet.io/monthly-bytes':'-1'}", "Invalid value: \"-1\""},
        {"{'fedlet.io/cordon':'yes'}", "metadata.annotations[fedlet.io/cordon]: Invalid value: "
                                       "\"yes\": must be true or false"},
        {"{'fedlet.io/let-through-until':'soon'}",
            "[fedlet.io/let-through-until]: Invalid value: \"soon\": must be a time"},
        {"{'fedlet.io/quiet-windows':''}", "Invalid value: \"\""},
        {"{'fedlet.io/quiet-windows':'Mon 08:00-18:00 Europe/Nowhere'}",
            "metadata.annotations[fedlet.io/quiet-windows]: Invalid value: \"Mon 08:00-18:00 "
            "Europe/Nowhere\": time zone \"Europe/Nowhere\" is not in this machine's database"}};
    struct world *w = *state;
    struct hub_kind_hooks hooks = {.ctx = NULL};

    hub_traffic_cluster_hooks(w->traffic, &hooks);
    for (size_t i = 0; i < 4 + sizeof bad / sizeof *bad; i++) {
        struct hub_admission admission = {.operation = HUB_UPDATE};
        struct fed_diag diag = {""};
        struct fed_buf text;
        enum fed_err err;

        fed_buf_init(&text, fed_alloc_system(), 1024);
        fed_buf_printf(&text, "{'metadata':{'annotations':%s}}", i < 4 ? good[i] : bad[i - 4][0]);
        for (size_t c = 0; c < text.len; c++)
            text.at[c] = text.at[c] == '\'' ? '"' : text.at[c];
        assert_int_equal(fed_json_doc_new(fed_alloc_system(), &admission.doc), FED_OK);
        assert_int_equal(
            fed_json_parse(admission.doc, fed_buf_span(&text), &admission.object, &diag), FED_OK);
        err = hooks.admit(hooks.ctx, &admission, &diag);
        assert_int_equal(err, i < 4 ? FED_OK : FED_ERR_FORBIDDEN);
        if (err && !strstr(admission.refusal, bad[i - 4][1]))
            fail_msg("%s\nis not in %s", bad[i - 4][1], admission.refusal);
        fed_json_doc_free(admission.doc);
        fed_buf_fini(&text);
    }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zones_are_as_the_system_has_them),
        cmocka_unit_test(test_damaged_zones),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_windows_that_are_none),
        cmocka_unit_test(test_numbers_kept_short),
        CASE(test_a_day_of_one_cluster),
        CASE(test_counters),
        CASE(test_quiet_window_holds_and_releases),
        CASE(test_a_hold_ends_at_its_time),
        CASE(test_cordon_holds_until_it_is_taken_away),
        CASE(test_what_waits_is_let_through),
        CASE(test_what_waited_is_let_go_after_a_start),
        CASE(test_budget),
        CASE(test_annotations_are_checked),
    };
    struct fed_buf file = read_zone("Europe/Berlin");
    int failed;

    if (hub_zone_parse(fed_alloc_system(), fed_buf_span(&file), &berlin))
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    hub_zone_fini(&berlin);
    fed_buf_fini(&file);
    return failed;
}
