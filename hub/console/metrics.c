/* metrics.c - what is counted of the console, in Prometheus' text form. Every label is one of a few
 * words of our own. */
#include "hub/console/internal.h"

void console_answered(void *ctx, const struct hub_request *r, unsigned code)
{
    struct hub_console *console = ctx;

    console->counts.requests[console_path_of(r)][code / 100 < 6 ? code / 100 : 5]++;
}

static void put_one(
    struct fed_buf *out, const char *name, const char *type, const char *help, uint64_t value)
{
    hub_metrics_put_head(out, name, type, help);
    fed_buf_printf(out, "%s %llu\n", name, (unsigned long long)value);
}

/* Of what never was there is no series. */
static void put_requests(struct fed_buf *out, const struct console_counts *counts)
{
    static const char name[] = "fedhub_console_requests_total";
    static const char *const paths[CONSOLE_PATHS] = {[CONSOLE_PAGE] = "page",
        [CONSOLE_SESSION] = "session",
        [CONSOLE_LINKS] = "links",
        [CONSOLE_FLEET] = "fleet",
        [CONSOLE_STREAM] = "stream",
        [CONSOLE_BANDWIDTH] = "bandwidth",
        [CONSOLE_COLUMN] = "column",
        [CONSOLE_AUDIT] = "audit",
        [CONSOLE_AUDIT_VERIFY] = "audit_verify",
        [CONSOLE_SEARCH] = "search",
        [CONSOLE_ABOUT] = "about"};

    hub_metrics_put_head(out, name, "counter",
        "Answers to browsers by path and class of the code, those of the Kubernetes API left out.");
    for (size_t path = 0; path < CONSOLE_PATHS; path++)
        for (unsigned class = 1; class < 6; class ++)
            if (counts->requests[path][class] > 0)
                fed_buf_printf(out, "%s{code=\"%uxx\",path=\"%s\"} %llu\n", name, class,
                    paths[path], (unsigned long long)counts->requests[path][class]);
}

static void put_sign_ins(struct fed_buf *out, const struct console_counts *counts)
{
    static const char name[] = "fedhub_console_sign_ins_total";
    static const char *const results[CONSOLE_SIGN_INS] = {[CONSOLE_ACCEPTED] = "accepted",
        [CONSOLE_WRONG] = "wrong",
        [CONSOLE_TURNED_AWAY] = "turned_away"};

    hub_metrics_put_head(out, name, "counter",
        "Sign-ins with a link or a token; turned away are those of an address that was wrong too "
        "often.");
    for (size_t i = 0; i < CONSOLE_SIGN_INS; i++)
        fed_buf_printf(out, "%s{result=\"%s\"} %llu\n", name, results[i],
            (unsigned long long)counts->sign_ins[i]);
}

void hub_console_metrics(const struct hub_console *console, struct fed_buf *out)
{
    const struct console_counts *counts = &console->counts;

    put_one(out, "fedhub_console_sessions", "gauge", "Sessions of browsers.",
        console->sessions.kept.count);
    put_one(out, "fedhub_console_streams", "gauge", "Open event streams of browsers.",
        console->n_streams);
    put_sign_ins(out, counts);
    put_requests(out, counts);
    put_one(out, "fedhub_console_stream_events_total", "counter", "Events sent to streams.",
        counts->stream_events);
    put_one(out, "fedhub_console_stream_bytes_total", "counter",
        "Bytes of events sent to streams, before TLS.", counts->stream_bytes);
    put_one(out, "fedhub_console_stream_resets_total", "counter",
        "Times that a stream was told to fetch the whole fleet.", counts->resets);
    put_one(out, "fedhub_console_stream_behind_total", "counter",
        "Times that a stream was told nothing because it had not taken what was sent before.",
        counts->behind);
}
