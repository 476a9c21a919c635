/* agent_report_test.c - many removals at once: what the report lists, and what it says of the rest.
 */
#include "agent/report.h"
#include "proto/bundle/report.h"
#include "proto/link/link.h"
#include "tests/unit/agent_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define REMOVALS 1000u

struct desk { /* a report, its table, and the hub's end of the link */
    struct world *world;
    struct fed_link link;
    struct agent_ports ports;
    struct agent_table table;
    struct agent_report *report;
    struct fed_buf message;
    fed_link_done *done;
    void *done_ctx;
};

static enum fed_err take_request(void *ctx, enum fed_link_method method, const char *path,
    const char *query, struct fed_span payload, unsigned timeout_ms, fed_link_done *done,
    void *done_ctx)
{
    struct desk *d = ctx;

    (void)query;
    (void)timeout_ms;
    assert_int_equal(method, FED_LINK_POST);
    assert_string_equal(path, FED_LINK_PATH_REPORT);
    fed_buf_clear(&d->message);
    fed_buf_put(&d->message, payload);
    d->done = done;
    d->done_ctx = done_ctx;
    return FED_OK;
}

static void ignore(void *ctx)
{
    (void)ctx;
}

static void desk_open(struct desk *d, const char *reason, const char *message)
{
    struct agent_report_events events = {.full = ignore};

    *d = (struct desk){.world = world_new()};
    d->link = (struct fed_link){.ctx = d, .request = take_request};
    d->ports = (struct agent_ports){.mem = fed_alloc_system(),
        .loop = &d->world->loop,
        .log = &d->world->log,
        .crypto = &d->world->crypto,
        .link = &d->link};
    fed_buf_init(&d->message, fed_alloc_system(), FED_REPORT_MAX);
    agent_table_init(&d->table, fed_alloc_system());
    d->table.revision = 9;
    for (unsigned i = 0; i < REMOVALS; i++) {
        struct fed_work work = {.api_version = FED_SPAN_LIT("v1"),
            .kind = FED_SPAN_LIT("ConfigMap"),
            .plural = FED_SPAN_LIT("configmaps"),
            .ns = FED_SPAN_LIT("shop"),
            .options = FED_WORK_NAMESPACED};
        struct agent_entry *entry;
        char name[32];

        snprintf(name, sizeof name, "settings-%04u", i);
        work.name = fed_span_text(name);
        entry = agent_entry_new(fed_alloc_system(), &work);
        assert_non_null(entry);
        entry->removing = true;
        agent_entry_set(&d->table, entry, FED_WORK_REMOVING, reason, message);
        assert_int_equal(agent_table_append_take(&d->table, entry), FED_OK);
    }
    assert_int_equal(agent_report_new(&d->ports, &d->table, &events, &d->report), FED_OK);
    agent_report_link_up(d->report, 0);
    assert_int_equal(d->message.len, 0); /* the first one waits for what the member says */
    world_pass(d->world, AGENT_REPORT_FIRST_MS);
}

static void desk_close(struct desk *d)
{
    agent_report_link_down(d->report);
    agent_report_free(d->report);
    agent_table_fini(&d->table);
    fed_buf_fini(&d->message);
    world_free(d->world);
}

/* The message that was sent last. */
static void read_message(struct desk *d, struct fed_arena *arena, struct fed_report *out)
{
    struct fed_diag diag = {""};

    fed_arena_init(arena, fed_alloc_system(), 1u << 20);
    if (fed_report_decode(arena, fed_buf_span(&d->message), out, &diag))
        fail_msg("report: %s", diag.text);
}

static void expect_cut(struct desk *d, size_t at_least)
{
    struct fed_arena arena;
    struct fed_report report;

    assert_true(d->message.len > 0);
    read_message(d, &arena, &report);
    assert_in_range(report.n_removed, at_least, REMOVALS - 1);
    assert_true(report.removed_cut);
    assert_int_equal(report.revision, 9);
    fed_arena_fini(&arena);
}

static void test_what_is_not_listed_is_not_done(void **state)
{
    struct fed_link_message changed = {.code = FED_LINK_CHANGED};
    struct fed_arena arena;
    struct fed_report report;
    struct desk d;

    (void)state;
    desk_open(&d, "WaitingForRemoval", NULL);
    expect_cut(&d, 500);
    /* All but the first and the last are gone: the next report lists them, and says that this is
     * all. */
    for (size_t i = 1; i + 1 < d.table.n; i++) {
        d.table.at[i]->dropped = true;
        d.table.at[i]->report_due = true;
    }
    d.done(d.done_ctx, FED_OK, &changed, NULL);
    agent_report_now(d.report);
    read_message(&d, &arena, &report);
    assert_int_equal(report.n_removed, 2);
    assert_false(report.removed_cut);
    assert_true(fed_span_is(report.removed[1].id, "v1/ConfigMap/shop/settings-0999"));
    fed_arena_fini(&arena);
    desk_close(&d);
}

/* A restored hub says the number that was acknowledged last, and may hold another message of it. */
static void test_new_epoch(void **state)
{
    struct fed_link_message changed = {.code = FED_LINK_CHANGED};
    struct fed_arena arena;
    struct fed_report report;
    struct desk d;

    (void)state;
    desk_open(&d, "WaitingForRemoval", NULL);
    d.done(d.done_ctx, FED_OK, &changed, NULL);
    for (unsigned epoch = 0; epoch <= 1; epoch++) {
        agent_report_link_down(d.report);
        d.table.epoch = epoch;
        agent_report_staged(d.report);
        agent_report_link_up(d.report, 1 + epoch);
        agent_report_now(d.report);
        read_message(&d, &arena, &report);
        assert_int_equal(report.seq, 2 + epoch);
        assert_int_equal(report.full, epoch == 1);
        fed_arena_fini(&arena);
        d.done(d.done_ctx, FED_OK, &changed, NULL);
    }
    desk_close(&d);
}

/* Long sentences of the member's API server must not make the message too large to be sent at all.
 */
static void test_long_messages_still_fit(void **state)
{
    char message[FED_REPORT_MESSAGE_MAX + 1];
    struct desk d;

    (void)state;
    memset(message, 'm', sizeof message - 1);
    message[sizeof message - 1] = '\0';
    desk_open(&d, "DeletionFailed", message);
    expect_cut(&d, 50);
    desk_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_not_listed_is_not_done),
        cmocka_unit_test(test_new_epoch),
        cmocka_unit_test(test_long_messages_still_fit),
    };

    return cmocka_run_group_tests_name("agent_report", tests, NULL, NULL);
}
