/* about.c - the hub itself: version, age, size, ends of certificates, settings that are no secret.
 */
#include "hub/console/files.h"
#include "hub/console/internal.h"

#define BODY_MAX (64u << 10)

static void put_facts(const struct hub_console *console, struct fed_buf *out)
{
    struct hub_console_facts facts = {0};

    if (!console->options.facts)
        return;
    console->options.facts(console->options.facts_ctx, &facts);
    fed_buf_printf(out,
        ",\"store_bytes\":%llu,\"sessions\":%zu,\"ca_until_unix_s\":%lld,"
        "\"server_certificate_until_unix_s\":%lld",
        (unsigned long long)facts.store_bytes, facts.agents, (long long)facts.ca_until_unix_s,
        (long long)facts.server_until_unix_s);
}

static enum fed_err put_settings(const struct hub_console *console, struct fed_buf *out)
{
    enum fed_err err = FED_OK;

    fed_buf_put_text(out, ",\"settings\":");
    if (console->options.settings)
        err = console->options.settings(console->options.facts_ctx, out);
    else
        fed_buf_put_text(out, "{}");
    fed_buf_put_text(out, "}\n");
    return err;
}

enum fed_err console_handle_about(struct hub_console *console, struct hub_request *r)
{
    struct fed_loop *loop = console->options.loop;
    struct hub_plan_counts counts;
    struct fed_buf body;
    enum fed_err err = console_require_read(r);

    if (!err)
        err = console_require_fleet(r);
    if (err)
        return err;
    hub_plan_counts(console->options.plan, &counts);
    fed_buf_init(&body, r->mem, BODY_MAX);
    fed_buf_printf(&body,
        "{\"version\":\"" FEDLET_VERSION "\",\"console_built\":%s,\"epoch\":\"%08x\","
        "\"started_unix_s\":%lld,\"uptime_s\":%llu,\"clusters\":%zu,\"objects\":%zu,\"pairs\":%zu,"
        "\"revision\":%llu,\"browsers\":{\"sessions\":%zu,\"streams\":%zu}",
        console_is_built ? "true" : "false", (unsigned)hub_plan_epoch(console->options.plan),
        (long long)console->started_unix_s,
        (unsigned long long)(fed_loop_now_ms(loop) - console->started_ms) / 1000u, counts.clusters,
        counts.objects, counts.pairs,
        (unsigned long long)hub_objects_revision(console->options.objects),
        console->sessions.kept.count, console->n_streams);
    put_facts(console, &body);
    err = put_settings(console, &body);
    return err ? err : console_respond(r, &body, NULL, 0);
}
