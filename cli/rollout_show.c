/* rollout_show.c - see rollout.h: how one Rollout looks. */
#include "cli/rollout.h"

#include "proto/base/text.h"

#include <string.h>

#define BAR 20
#define FAILURES_SHOWN 10u
#define ACTIONS_SHOWN 5u

static struct fed_span text_at(const struct fed_json *from, const char *dotted)
{
    return fed_json_string(fed_json_find(from, dotted));
}

static int64_t number_at(const struct fed_json *from, const char *dotted)
{
    return fed_json_int(fed_json_find(from, dotted), 0);
}

struct fed_span rollout_phase(const struct fed_json *rollout)
{
    struct fed_span phase = text_at(rollout, "status.phase");

    return phase.len ? phase : FED_SPAN_LIT("Pending");
}

int64_t rollout_count(const struct fed_json *rollout, const char *what)
{
    return fed_json_int(fed_json_get(fed_json_find(rollout, "status.clusters"), what), 0);
}

static bool holds(const struct fed_json *rollout, const char *type)
{
    return fed_span_is(
        fed_json_string(fed_json_get(look_condition(rollout, type), "status")), "True");
}

enum rollout_verdict rollout_verdict(const struct fed_json *rollout)
{
    static const struct {
        const char *phase;
        enum rollout_verdict verdict;
    } table[] = {{"Complete", ROLLOUT_DONE}, {"RolledBack", ROLLOUT_FAILED},
        {"Aborted", ROLLOUT_FAILED}, {"Superseded", ROLLOUT_SUPERSEDED}, {"Paused", ROLLOUT_WAITS},
        {"AwaitingApproval", ROLLOUT_WAITS}};
    struct fed_span phase = rollout_phase(rollout);

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (fed_span_is(phase, table[i].phase))
            return table[i].verdict;
    if (fed_span_is(phase, "Pending") && holds(rollout, "PolicyConflict"))
        return ROLLOUT_WAITS;
    return ROLLOUT_GOES_ON;
}

bool rollout_is_over(const struct fed_json *rollout)
{
    enum rollout_verdict verdict = rollout_verdict(rollout);

    return verdict != ROLLOUT_GOES_ON && verdict != ROLLOUT_WAITS;
}

void rollout_put_object(const struct fed_json *rollout, struct fed_buf *out)
{
    fed_buf_printf(out, FED_SPAN_FMT " " FED_SPAN_FMT "/" FED_SPAN_FMT,
        FED_SPAN_ARG(text_at(rollout, "spec.object.kind")),
        FED_SPAN_ARG(text_at(rollout, "metadata.namespace")),
        FED_SPAN_ARG(text_at(rollout, "spec.object.name")));
}

void rollout_put_command(const struct fed_json *rollout, const char *verb, struct fed_buf *out)
{
    fed_buf_printf(out, "fedctl rollout %s -n " FED_SPAN_FMT " rollout/" FED_SPAN_FMT, verb,
        FED_SPAN_ARG(text_at(rollout, "metadata.namespace")),
        FED_SPAN_ARG(text_at(rollout, "metadata.name")));
}

/* ---- one line ---- */
void rollout_put_next(const struct fed_json *rollout, int64_t now_unix_s, struct fed_buf *out)
{
    const struct fed_json *next = fed_json_find(rollout, "status.next");
    int64_t when = look_time(fed_json_get(next, "when"));
    struct fed_span waits_for = text_at(next, "waitsFor");
    char age[FED_TEXT_TIME_SIZE];

    cli_put_clean(out, text_at(next, "what"));
    if (when > now_unix_s) {
        fed_text_age(when - now_unix_s, age);
        fed_buf_printf(out, " in %s", age);
    } else if (when > 0) {
        fed_buf_put_text(out, " now");
    }
    if (waits_for.len > 0) {
        fed_buf_put_text(out, text_at(next, "what").len ? "; waits for " : "waits for ");
        cli_put_clean(out, waits_for);
    }
}

static void put_counts(const struct fed_json *rollout, struct fed_buf *out)
{
    static const char *const more[] = {
        "healthy", "failed", "deferred", "held", "updating", "pending", "returned"};

    fed_buf_printf(out, "%lld/%lld updated", (long long)rollout_count(rollout, "updated"),
        (long long)rollout_count(rollout, "total"));
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        if (rollout_count(rollout, more[i]) > 0)
            fed_buf_printf(out, ", %lld %s", (long long)rollout_count(rollout, more[i]), more[i]);
}

void rollout_put_line(const struct fed_json *rollout, struct fed_buf *out)
{
    struct fed_span wave = text_at(rollout, "status.wave");
    const struct fed_json *next = fed_json_find(rollout, "status.next");

    cli_put_clean(out, text_at(rollout, "metadata.name"));
    fed_buf_put_u8(out, ' ');
    cli_put_clean(out, rollout_phase(rollout));
    if (wave.len > 0 && rollout_verdict(rollout) != ROLLOUT_DONE) {
        fed_buf_put_text(out, " wave ");
        cli_put_clean(out, wave);
    }
    fed_buf_put_text(out, ": ");
    put_counts(rollout, out);
    if (text_at(next, "what").len > 0) {
        fed_buf_put_text(out, "; next: ");
        cli_put_clean(out, text_at(next, "what"));
    }
    if (text_at(next, "when").len > 0) {
        fed_buf_put_text(out, " at ");
        cli_put_clean(out, text_at(next, "when"));
    }
    if (text_at(next, "waitsFor").len > 0) {
        fed_buf_put_text(out, "; waits for ");
        cli_put_clean(out, text_at(next, "waitsFor"));
    }
}

/* ---- the head ---- */
static void print_field(const char *name, struct fed_buf *value, FILE *to)
{
    if (value->len > 0)
        fprintf(to, "%-11s%s\n", name, fed_buf_cstr(value));
    fed_buf_clear(value);
}

static enum cli_color phase_color(const struct fed_json *rollout)
{
    struct fed_span phase = rollout_phase(rollout);

    switch (rollout_verdict(rollout)) {
    case ROLLOUT_DONE:
        return CLI_GREEN;
    case ROLLOUT_FAILED:
        return CLI_RED;
    case ROLLOUT_WAITS:
        return CLI_YELLOW;
    default:
        return fed_span_is(phase, "RollingBack") ? CLI_RED : CLI_PLAIN;
    }
}

static void print_phase(const struct fed_json *rollout, FILE *to)
{
    struct fed_span phase = rollout_phase(rollout);
    struct fed_span wave = text_at(rollout, "status.wave");
    enum cli_color color = phase_color(rollout);

    fputs("Phase      ", to);
    cli_paint(to, color);
    fprintf(to, FED_SPAN_FMT, FED_SPAN_ARG(phase));
    if (color != CLI_PLAIN)
        cli_paint(to, CLI_PLAIN);
    if (wave.len > 0 && !rollout_is_over(rollout))
        fprintf(to, ", wave " FED_SPAN_FMT, FED_SPAN_ARG(wave));
    fputc('\n', to);
}

static void put_version(
    const struct fed_json *rollout, const char *generation, const char *digest, struct fed_buf *out)
{
    struct fed_span hex = text_at(rollout, digest);

    fed_buf_printf(out, "generation %lld", (long long)number_at(rollout, generation));
    if (hex.len > 0)
        fed_buf_printf(out, " (" FED_SPAN_FMT ")", FED_SPAN_ARG(fed_span_sub(hex, 0, 12)));
}

static void put_change(const struct fed_json *rollout, struct fed_buf *out)
{
    struct fed_span by = text_at(rollout, "spec.changedBy");

    if (fed_json_find(rollout, "spec.from")) {
        put_version(rollout, "spec.from.generation", "spec.from.digest", out);
        fed_buf_put_text(out, " to ");
    } else {
        fed_buf_put_text(out, "new, ");
    }
    put_version(rollout, "spec.to.generation", "spec.to.digest", out);
    if (by.len > 0)
        fed_buf_put_text(out, ", by ");
    cli_put_clean(out, by);
}

static void put_ago(const struct fed_json *time, int64_t now_unix_s, struct fed_buf *out)
{
    char age[FED_TEXT_TIME_SIZE];
    int64_t at = look_time(time);

    if (at == 0)
        return;
    fed_text_age(now_unix_s - at, age);
    fed_buf_printf(out, "%s ago", age);
}

static void put_times(const struct fed_json *rollout, int64_t now_unix_s, struct fed_buf *out)
{
    put_ago(fed_json_find(rollout, "status.startTime"), now_unix_s, out);
    if (text_at(rollout, "status.endTime").len > 0) {
        fed_buf_put_text(out, ", ended ");
        put_ago(fed_json_find(rollout, "status.endTime"), now_unix_s, out);
    }
}

/* What somebody is to do now. */
static void put_hint(const struct fed_json *rollout, struct fed_buf *out)
{
    static const char *const verbs[][2] = {{"AwaitingApproval", "approve"}, {"Paused", "resume"},
        {"RolledBack", "retry"}, {"Aborted", "retry"}};

    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (fed_span_is(rollout_phase(rollout), verbs[i][0]))
            rollout_put_command(rollout, verbs[i][1], out);
}

static void print_head(const struct fed_json *rollout, int64_t now_unix_s, FILE *to)
{
    struct fed_buf line;

    fed_buf_init(&line, fed_alloc_system(), 1u << 16);
    cli_put_clean(&line, text_at(rollout, "metadata.name"));
    fed_buf_put_text(&line, " of ");
    rollout_put_object(rollout, &line);
    print_field("Rollout", &line, to);
    print_phase(rollout, to);
    put_change(rollout, &line);
    print_field("Change", &line, to);
    cli_put_clean(&line, text_at(rollout, "spec.policy"));
    print_field("Policy", &line, to);
    put_times(rollout, now_unix_s, &line);
    print_field("Started", &line, to);
    put_counts(rollout, &line);
    print_field("Clusters", &line, to);
    rollout_put_next(rollout, now_unix_s, &line);
    print_field("Next", &line, to);
    put_hint(rollout, &line);
    print_field("Do", &line, to);
    fed_buf_fini(&line);
}

/* ---- waves ---- */
static int64_t of_wave(const struct fed_json *wave, const char *what)
{
    return fed_json_int(fed_json_get(wave, what), 0);
}

/* Healthy ones, ones that have it and are not, failed ones; every kind that there is is seen. */
static void put_bar(const struct fed_json *wave, struct fed_buf *out)
{
    int64_t total = of_wave(wave, "total");
    int64_t parts[] = {
        of_wave(wave, "healthy"), of_wave(wave, "updating"), of_wave(wave, "failed")};
    int used = 0;

    for (size_t i = 0; i < 3; i++) {
        int64_t cells = total > 0 ? parts[i] * BAR / total : 0;

        if (cells == 0 && parts[i] > 0)
            cells = 1;
        for (; cells > 0 && used < BAR; cells--, used++)
            fed_buf_put_u8(out, (uint8_t) "#>x"[i]);
    }
    for (; used < BAR; used++)
        fed_buf_put_u8(out, '.');
}

static void put_wave_state(
    const struct fed_json *rollout, const struct fed_json *wave, int64_t now, struct fed_buf *out)
{
    struct fed_span phase = text_at(wave, "phase");
    struct fed_span by = text_at(wave, "approvedBy");

    if (rollout_is_over(rollout) && !fed_span_is(phase, "Done") && !fed_span_is(phase, "Empty"))
        fed_buf_put_text(out, fed_span_is(phase, "Waiting") ? "did not begin" : "ended here");
    else if (fed_span_is(phase, "AwaitingApproval"))
        fed_buf_put_text(out, "waits for approval");
    else
        for (size_t i = 0; i < phase.len; i++)
            fed_buf_put_u8(out, (uint8_t)(i == 0 ? phase.at[i] | 0x20 : phase.at[i]));
    if (rollout_is_over(rollout) && !fed_span_is(phase, "Done"))
        return;
    if (fed_span_is(phase, "Soaking") && text_at(wave, "healthySince").len > 0) {
        fed_buf_put_text(out, ", healthy since ");
        put_ago(fed_json_get(wave, "healthySince"), now, out);
    } else if (fed_span_is(phase, "Done") && text_at(wave, "endTime").len > 0) {
        fed_buf_put_u8(out, ' ');
        put_ago(fed_json_get(wave, "endTime"), now, out);
    } else if (fed_span_is(phase, "Running") && of_wave(wave, "concurrency") > 0) {
        fed_buf_printf(out, ", %lld at once", (long long)of_wave(wave, "concurrency"));
    }
    if (by.len > 0)
        fed_buf_put_text(out, ", approved by ");
    cli_put_clean(out, by);
}

static enum cli_color wave_color(const struct fed_json *wave)
{
    struct fed_span phase = text_at(wave, "phase");

    if (of_wave(wave, "failed") > 0)
        return CLI_RED;
    if (fed_span_is(phase, "AwaitingApproval") || fed_span_is(phase, "Empty"))
        return CLI_YELLOW;
    return fed_span_is(phase, "Waiting") ? CLI_DIM : CLI_PLAIN;
}

/* Failures beside what is allowed of them: 1/2. */
static void put_failures(const struct fed_json *wave, struct fed_buf *out)
{
    fed_buf_printf(out, "%lld", (long long)of_wave(wave, "failed"));
    if (fed_json_get(wave, "failuresAllowed"))
        fed_buf_printf(out, "/%lld", (long long)of_wave(wave, "failuresAllowed"));
}

#define WAVE_COLUMNS 8u

static void add_wave(struct cli_rows *rows, const struct fed_json *rollout,
    const struct fed_json *wave, bool last, int64_t now)
{
    static const char *const counts[] = {"total", NULL, "healthy", NULL, "deferred", "held", NULL};
    struct fed_buf cells[WAVE_COLUMNS];
    const char *texts[WAVE_COLUMNS];

    for (size_t i = 0; i < WAVE_COLUMNS; i++)
        fed_buf_init(&cells[i], fed_alloc_system(), 4096);
    fed_buf_put_text(&cells[0], last ? "`- " : "|- ");
    cli_put_clean(&cells[0], text_at(wave, "name"));
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (counts[i])
            fed_buf_printf(&cells[i + 1], "%lld", (long long)of_wave(wave, counts[i]));
    put_bar(wave, &cells[2]);
    put_failures(wave, &cells[4]);
    put_wave_state(rollout, wave, now, &cells[7]);
    for (size_t i = 0; i < WAVE_COLUMNS; i++)
        texts[i] = fed_buf_cstr(&cells[i]);
    cli_rows_add(rows, wave_color(wave), texts);
    for (size_t i = 0; i < WAVE_COLUMNS; i++)
        fed_buf_fini(&cells[i]);
}

static void print_waves(const struct fed_json *rollout, int64_t now, FILE *to)
{
    static const char *const head[WAVE_COLUMNS] = {
        "WAVE", "CLUSTERS", "PROGRESS", "HEALTHY", "FAILED", "DEFERRED", "HELD", "STATE"};
    const struct fed_json *waves = fed_json_find(rollout, "status.waves");
    size_t n = fed_json_count(waves);
    struct cli_rows rows;

    if (n == 0)
        return;
    fputc('\n', to);
    cli_rows_init(&rows, WAVE_COLUMNS);
    cli_rows_add(&rows, CLI_PLAIN, head);
    for (struct fed_json_iter it = fed_json_items(waves); fed_json_iter_next(&it);)
        add_wave(&rows, rollout, it.value, --n == 0, now);
    cli_rows_print(&rows, to);
}

/* ---- why ---- */
static void print_clean(struct fed_span text, FILE *to)
{
    struct fed_buf clean;

    fed_buf_init(&clean, fed_alloc_system(), 1u << 16);
    cli_put_clean(&clean, text);
    fputs(fed_buf_cstr(&clean), to);
    fed_buf_fini(&clean);
}

static void print_names(const struct fed_json *group, FILE *to)
{
    const struct fed_json *names = fed_json_get(group, "clusters");
    int64_t left = fed_json_int(fed_json_get(group, "count"), 0) - (int64_t)fed_json_count(names);
    const char *between = "";

    fputs("      in ", to);
    for (struct fed_json_iter it = fed_json_items(names); fed_json_iter_next(&it);) {
        fputs(between, to);
        print_clean(fed_json_string(it.value), to);
        between = ", ";
    }
    if (left > 0)
        fprintf(to, " and %lld more", (long long)left);
    fputc('\n', to);
}

static void print_failures(const struct fed_json *rollout, FILE *to)
{
    const struct fed_json *groups = fed_json_find(rollout, "status.failures");
    size_t shown = 0;

    if (fed_json_count(groups) > 0)
        fputs("\nFailures\n", to);
    for (struct fed_json_iter it = fed_json_items(groups); fed_json_iter_next(&it);) {
        struct fed_span message = text_at(it.value, "message");

        if (shown++ == FAILURES_SHOWN)
            break;
        cli_paint(to, CLI_RED);
        fprintf(to, "  %lld x ", (long long)fed_json_int(fed_json_get(it.value, "count"), 0));
        print_clean(text_at(it.value, "reason"), to);
        fputs(message.len ? ": " : "", to);
        print_clean(message, to);
        cli_paint(to, CLI_PLAIN);
        fputc('\n', to);
        print_names(it.value, to);
    }
    if (fed_json_count(groups) > FAILURES_SHOWN)
        fprintf(to, "  and %zu causes more\n", fed_json_count(groups) - FAILURES_SHOWN);
}

/* Conditions that tell of something wrong; Progressing and Healthy repeat what is above. */
static bool needs_somebody(const struct fed_json *condition)
{
    struct fed_span type = text_at(condition, "type");

    return fed_span_is(text_at(condition, "status"), "True") && !fed_span_is(type, "Progressing") &&
           !fed_span_is(type, "Healthy");
}

static void print_conditions(const struct fed_json *rollout, FILE *to)
{
    const struct fed_json *list = fed_json_find(rollout, "status.conditions");
    const char *title = "\nConditions\n";

    for (struct fed_json_iter it = fed_json_items(list); fed_json_iter_next(&it);) {
        if (!needs_somebody(it.value))
            continue;
        fprintf(to, "%s  ", title);
        print_clean(text_at(it.value, "type"), to);
        fputs(": ", to);
        print_clean(text_at(it.value, "message"), to);
        fputc('\n', to);
        title = "";
    }
}

static void print_actions(const struct fed_json *rollout, FILE *to)
{
    const struct fed_json *list = fed_json_find(rollout, "status.actions");
    size_t n = fed_json_count(list);

    if (n > 0)
        fputs("\nActions\n", to);
    for (size_t i = n > ACTIONS_SHOWN ? n - ACTIONS_SHOWN : 0; i < n; i++) {
        const struct fed_json *one = fed_json_at(list, i);
        struct fed_span wave = text_at(one, "wave");
        struct fed_span reason = text_at(one, "reason");

        fputs("  ", to);
        print_clean(text_at(one, "time"), to);
        fputs("  ", to);
        print_clean(text_at(one, "action"), to);
        fputs(wave.len ? " (wave " : "", to);
        print_clean(wave, to);
        fputs(wave.len ? ") by " : " by ", to);
        print_clean(text_at(one, "user"), to);
        fputs(reason.len ? ": " : "", to);
        print_clean(reason, to);
        fputc('\n', to);
    }
}

void rollout_print(const struct fed_json *rollout, int64_t now_unix_s, FILE *to)
{
    print_head(rollout, now_unix_s, to);
    print_waves(rollout, now_unix_s, to);
    print_failures(rollout, to);
    print_conditions(rollout, to);
    print_actions(rollout, to);
}
