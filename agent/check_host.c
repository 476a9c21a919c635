/* check_host.c - the machine: clock, disk, memory, the service and what it says of its works. See
 * check.h. */
#include "agent/check.h"

#include "agent/trust.h"
#include "ports/host.h"
#include "proto/base/text.h"

#include <inttypes.h>
#include <string.h>

/* ---- the token ---- */

void agent_check_token(struct agent_checks *c)
{
    int64_t now_s = fed_loop_unix_s(c->w->ports.loop);
    char end[FED_TEXT_TIME_SIZE];

    if (!c->token) {
        agent_check_say(c, NULL, AGENT_CHECK_SKIPPED, NULL, "none was given");
    } else {
        fed_text_time(c->token->expires_unix_s, end);
        if (c->token->expires_unix_s < now_s)
            agent_check_say(c, NULL, AGENT_CHECK_FAIL,
                "make another one: `fedctl token create`; or is this clock wrong?",
                "it ended at %s by this machine's clock", end);
        else
            agent_check_say(
                c, NULL, AGENT_CHECK_OK, NULL, "token %s is good until %s", c->token->id, end);
    }
    agent_check_next(c);
}

/* ---- the clock ---- */

static const char remedy_clock[] = "set the clock (`timedatectl set-ntp true`)";

static bool check_against_certificate(struct agent_checks *c, int64_t now_s, const char *now)
{
    struct fed_crypto_cert_info info;
    char limit[FED_TEXT_TIME_SIZE];

    if (!c->joined || c->w->crypto.cert_info(
                          c->w->crypto.ctx, fed_span_text(c->w->identity.certificate), &info, NULL))
        return true;
    if (now_s >= info.not_before_unix_s)
        return true;
    fed_text_time(info.not_before_unix_s, limit);
    agent_check_say(c, NULL, AGENT_CHECK_FAIL, remedy_clock,
        "it is %s here, before this agent's certificate was made (%s)", now, limit);
    return false;
}

static bool check_against_hub(struct agent_checks *c, const char *now)
{
    const struct fed_doc *ahead = fed_doc_get(fed_doc_get(c->service, "clock"), "ahead_s");
    int64_t s = 0;

    if (fed_doc_int(ahead, -FED_DOC_INT_MAX, FED_DOC_INT_MAX, &s) ||
        (s <= AGENT_CHECK_CLOCK_OFF_S && s >= -AGENT_CHECK_CLOCK_OFF_S))
        return true;
    agent_check_say(c, NULL, AGENT_CHECK_WARN, remedy_clock,
        "it is %s here, %" PRId64 " s %s the hub's clock", now, s < 0 ? -s : s,
        s < 0 ? "behind" : "ahead of");
    return false;
}

void agent_check_clock(struct agent_checks *c)
{
    int64_t now_s = fed_loop_unix_s(c->w->ports.loop);
    char now[FED_TEXT_TIME_SIZE];

    fed_text_time(now_s, now);
    if (now_s < AGENT_CHECK_RELEASE_UNIX_S)
        agent_check_say(c, NULL, AGENT_CHECK_FAIL, remedy_clock,
            "it is %s here, before this program was made: the clock was never set", now);
    else if (check_against_certificate(c, now_s, now) && check_against_hub(c, now))
        agent_check_say(c, NULL, AGENT_CHECK_OK, NULL, "it is %s here", now);
    agent_check_next(c);
}

/* ---- disk and memory ---- */

static const char remedy_disk[] = "make room; until then the agent goes on from memory";

void agent_check_state(struct agent_checks *c)
{
    const char *dir = c->w->config.state_dir;
    uint64_t bytes = 0;
    uint64_t files = 0;
    bool there = fed_host_is_there(dir);
    bool changed;
    struct fed_diag diag = {""};
    enum fed_err err = FED_OK;

    if (c->whom == AGENT_CHECK_PREFLIGHT)
        err = c->w->fs.make_dir(c->w->fs.ctx, dir, 0700, &diag);
    if (!err)
        err = fed_host_space(dir, &bytes, &files, &diag);
    if (!err && !there)
        err = fed_host_remove(dir, &changed, &diag); /* as it was before */
    if (err)
        agent_check_say(c, NULL, AGENT_CHECK_FAIL,
            "run as root, or name another folder: --state-dir", "%s", diag.text);
    else if (c->state_trouble[0])
        agent_check_say(c, NULL, AGENT_CHECK_FAIL,
            "start the service: a damaged file is set aside and made anew; one of a newer version "
            "needs that version",
            "%s", c->state_trouble);
    else if (bytes < AGENT_CHECK_DISK_NONE || files < 8)
        agent_check_say(c, NULL, AGENT_CHECK_FAIL, remedy_disk,
            "%s: %" PRIu64 " KiB are free, and %" PRIu64 " files", dir, bytes >> 10, files);
    else if (bytes < AGENT_CHECK_DISK_LOW)
        agent_check_say(c, NULL, AGENT_CHECK_WARN, remedy_disk, "%s: only %" PRIu64 " MiB are free",
            dir, bytes >> 20);
    else
        agent_check_say(
            c, NULL, AGENT_CHECK_OK, NULL, "%s: %" PRIu64 " MiB are free", dir, bytes >> 20);
    agent_check_next(c);
}

void agent_check_memory(struct agent_checks *c)
{
    uint64_t kib = fed_host_memory_kib();

    if (kib == 0)
        agent_check_say(c, NULL, AGENT_CHECK_SKIPPED, NULL, "/proc/meminfo does not say");
    else if (kib < AGENT_CHECK_MEMORY_LOW_KIB)
        agent_check_say(c, NULL, AGENT_CHECK_WARN,
            "the agent needs 3 MiB, and up to 32 for a large bundle", "%" PRIu64 " KiB are free",
            kib);
    else
        agent_check_say(c, NULL, AGENT_CHECK_OK, NULL, "%" PRIu64 " MiB are free", kib >> 10);
    agent_check_next(c);
}

/* ---- the service, its identity ---- */

void agent_check_service(struct agent_checks *c)
{
    if (c->service_trouble[0])
        agent_check_say(c, NULL, AGENT_CHECK_FAIL,
            "`systemctl start fedlet`; `journalctl -u fedlet` says why it ended", "%s",
            c->service_trouble);
    else if (agent_check_connected(c))
        agent_check_say(c, NULL, AGENT_CHECK_OK, NULL, "it runs, connected to %s",
            agent_check_status(c, "hub", NULL));
    else
        agent_check_say(c, NULL, AGENT_CHECK_FAIL,
            "it tries on; the layers below say what is in its way",
            "it runs, and is not connected: %s",
            agent_check_status(c, "dial", "last_error")[0]
                ? agent_check_status(c, "dial", "last_error")
                : "it is dialling");
    if (fed_doc_bool(fed_doc_get(c->service, "clone_suspected"), false))
        agent_check_say(c, "clone", AGENT_CHECK_FAIL,
            "stop the other; then `fedctl approve CLUSTER --clone`",
            "another machine came to the hub with this cluster's identity");
    agent_check_next(c);
}

void agent_check_identity(struct agent_checks *c)
{
    struct fed_crypto_cert_info info;
    struct fed_diag diag = {""};
    struct agent_world *w = c->w;
    int64_t now_s = fed_loop_unix_s(w->ports.loop);
    char end[FED_TEXT_TIME_SIZE];

    if (!c->joined) {
        agent_check_say(c, NULL, AGENT_CHECK_FAIL, "`fedlet join` with a token of the hub",
            "%s has not joined a hub, or cannot be read", w->config.state_dir);
    } else if (w->crypto.cert_info(
                   w->crypto.ctx, fed_span_text(w->identity.certificate), &info, &diag) ||
               w->crypto.cert_check(w->crypto.ctx, fed_span_text(w->identity.certificate),
                   fed_span_text(w->identity.ca), fed_buf_span(&w->key_pem), &diag)) {
        agent_check_say(c, NULL, AGENT_CHECK_FAIL, "`fedlet join --again` with a new token",
            "certificate, key and CA do not fit together: %s", diag.text);
    } else {
        fed_text_time(info.not_after_unix_s, end);
        if (info.not_after_unix_s < now_s)
            agent_check_say(c, NULL, AGENT_CHECK_FAIL,
                "the hub exchanges it; too long ago: `fedlet join --again` with a new token",
                "the certificate of cluster %s ended at %s", w->identity.cluster, end);
        else
            agent_check_say(c, NULL, AGENT_CHECK_OK, NULL, "cluster %s, certificate until %s",
                w->identity.cluster, end);
    }
    agent_check_next(c);
}

/* ---- works ---- */

#define WORKS_SAID_MAX 20u

static const char remedy_work[] =
    "repair the federated object at the hub, or the rights here; it is tried on";

static void say_wait(struct agent_checks *c, const struct fed_doc *wait)
{
    const char *object = fed_doc_text(fed_doc_get(wait, "object"), "");
    int64_t now_s = fed_loop_unix_s(c->w->ports.loop);
    int64_t next_s = 0;

    if (fed_doc_int(fed_doc_get(wait, "next_try_unix_s"), 0, FED_DOC_INT_MAX, &next_s))
        next_s = 0;
    agent_check_say(c, NULL, AGENT_CHECK_WARN, remedy_work, "%s: %s; next try in %" PRId64 " s",
        object, fed_doc_text(fed_doc_get(wait, "message"), ""),
        next_s > now_s ? next_s - now_s : 0);
}

/* Of the running service; those that everything waits for are said by their own checks. */
static void check_waits(struct agent_checks *c)
{
    const struct fed_doc *waits = fed_doc_get(c->service, "waits");
    size_t said = 0;

    for (size_t i = 0; i < fed_doc_count(waits); i++) {
        const struct fed_doc *wait = fed_doc_at(waits, i);
        const char *what = fed_doc_text(fed_doc_get(wait, "for"), "");

        if (strcmp(what, "hub") == 0 || strcmp(what, "api-server") == 0 ||
            strcmp(what, "coap") == 0)
            continue;
        if (said++ < WORKS_SAID_MAX)
            say_wait(c, wait);
    }
    if (said > WORKS_SAID_MAX)
        agent_check_say(
            c, NULL, AGENT_CHECK_WARN, remedy_work, "and %zu more", said - (size_t)WORKS_SAID_MAX);
    if (said == 0)
        agent_check_say(c, NULL, AGENT_CHECK_OK, NULL, "none fails or waits");
}

/* Of the state file: what was applied is there, why something was not is not. */
static void check_table(struct agent_checks *c)
{
    size_t open = 0;
    size_t all = 0;

    for (size_t i = 0; i < c->table->n; i++) {
        const struct agent_entry *entry = c->table->at[i];

        all += entry->in_manifest;
        open += entry->removing || (entry->in_manifest && !entry->has_applied);
    }
    if (open)
        agent_check_say(c, NULL, AGENT_CHECK_WARN, "start the service",
            "%zu of %zu were not applied, or not removed, when the service ended", open, all);
    else
        agent_check_say(c, NULL, AGENT_CHECK_OK, NULL, "%zu, all were applied once", all);
}

void agent_check_works(struct agent_checks *c)
{
    if (c->service)
        check_waits(c);
    else if (c->table)
        check_table(c);
    else
        agent_check_say(c, NULL, AGENT_CHECK_SKIPPED, NULL, "nobody can be asked");
    agent_check_next(c);
}
