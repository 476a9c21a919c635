/* log.c - see ports/log.h: one line, one write. */
#include "ports/log.h"

#include "ports/posix/journal.h"

#include "proto/base/text.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TEXT_MAX 1000u
#define LINE_MAX_BYTES (TEXT_MAX * 4 + 1600u) /* escaped, with what JSON has around it */

/* Cuts to TEXT_MAX bytes at the beginning of a character. */
static void cut(char *text, size_t len)
{
    size_t at = TEXT_MAX;

    if (len <= TEXT_MAX)
        return;
    while (at > 0 && ((unsigned char)text[at] & 0xc0u) == 0x80u)
        at--;
    memcpy(text + at, "...", 4);
}

/* Bytes that begin a control character: C0, DEL, and C1 as UTF-8 writes it. */
static bool is_control(const unsigned char *at)
{
    if (at[0] < 0x20 || at[0] == 0x7f)
        return true;
    return at[0] == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f;
}

/* out has room for four times the text and a NUL. */
static void escape(const char *text, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *at = (const unsigned char *)text;

    for (; *at; at++) {
        if (!is_control(at)) {
            *out++ = (char)*at;
            continue;
        }
        if (*at == 0xc2)
            at++;
        *out++ = '\\';
        *out++ = 'x';
        *out++ = digits[*at >> 4];
        *out++ = digits[*at & 0xfu];
    }
    *out = '\0';
}

FED_PRINTF(4, 0)
static void put(struct fed_log *log, enum fed_log_level level, const struct fed_log_about *about,
    const char *format, va_list args)
{
    char text[TEXT_MAX + 8];
    char line[sizeof text * 4 + 1];
    int begin = 0;
    int n;

    if (!log || !log->write || level > log->level)
        return;
    if (about && about->work)
        begin = snprintf(text, sizeof text - 3, "%s: ", about->work);
    if (begin < 0 || (unsigned)begin >= TEXT_MAX)
        return;
    n = vsnprintf(text + begin, sizeof text - 3 - (size_t)begin, format, args);
    if (n < 0)
        return;
    cut(text, (size_t)(begin + n));
    escape(text, line);
    if (about && log->write_about)
        log->write_about(log->ctx, level, about, line);
    else
        log->write(log->ctx, level, line);
}

void fed_log(struct fed_log *log, enum fed_log_level level, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    put(log, level, NULL, format, args);
    va_end(args);
}

void fed_log_about(struct fed_log *log, enum fed_log_level level, const struct fed_log_about *about,
    const char *format, ...)
{
    va_list args;

    va_start(args, format);
    put(log, level, about, format, args);
    va_end(args);
}

/* ---- stderr ---- */

static void write_line(const char *line, size_t len)
{
    ssize_t n;

    /* A line that stderr does not take is lost: there is nobody else to tell. */
    do
        n = write(STDERR_FILENO, line, len);
    while (n < 0 && errno == EINTR);
}

static const char *const level_names[] = {"ERROR", "WARN", "INFO", "DEBUG"};

static void write_plain(void *ctx, enum fed_log_level level, const char *text)
{
    char line[LINE_MAX_BYTES];
    int n = snprintf(line, sizeof line, "%s %s\n", level_names[level], text);

    (void)ctx;
    if (n > 0 && (size_t)n < sizeof line)
        write_line(line, (size_t)n);
}

/* Levels as sd-daemon(3) and syslog(3) have them. */
static const char priorities[] = "3467";

static void write_journal(void *ctx, enum fed_log_level level, const char *text)
{
    char line[LINE_MAX_BYTES];
    int n = snprintf(line, sizeof line, "<%c>%s\n", priorities[level], text);

    (void)ctx;
    if (n > 0 && (size_t)n < sizeof line)
        write_line(line, (size_t)n);
}

static void write_bare(void *ctx, enum fed_log_level level, const char *text)
{
    char line[LINE_MAX_BYTES];
    int n = snprintf(line, sizeof line, "%s\n", text);

    (void)ctx;
    (void)level;
    if (n > 0 && (size_t)n < sizeof line)
        write_line(line, (size_t)n);
}

/* JOURNAL_STREAM is DEVICE:INODE of the journal's stream (systemd.exec(5)); when stderr is another
 * file the variable was inherited from somebody else. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat st;
    uintmax_t device;
    char *end;

    if (!stream || !isdigit((unsigned char)*stream) || fstat(STDERR_FILENO, &st))
        return false;
    device = strtoumax(stream, &end, 10);
    if (*end != ':' || !isdigit((unsigned char)end[1]) || device != (uintmax_t)st.st_dev)
        return false;
    return strtoumax(end + 1, &end, 10) == (uintmax_t)st.st_ino && *end == '\0';
}

struct fed_log fed_log_stderr(enum fed_log_level level)
{
    return (struct fed_log){
        .level = level, .write = stderr_is_journal() ? write_journal : write_plain};
}

/* ---- lines of a service ---- */

static uint64_t monotonic_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

/* A member whose value is text without control characters; nothing for NULL. */
static size_t put_member(char out[LINE_MAX_BYTES], size_t at, const char *name, const char *value)
{
    const size_t room = LINE_MAX_BYTES - 64; /* for the line's ends */
    bool utf8 = value && fed_text_is_utf8(fed_span_text(value));

    if (!value || !*value || at + strlen(name) >= room)
        return at;
    at += (size_t)snprintf(out + at, room - at, "%s\"%s\":\"", at > 1 ? "," : "", name);
    for (; *value && at < room; value++) {
        if (*value == '"' || *value == '\\')
            out[at++] = '\\';
        out[at++] = !utf8 && (*value & 0x80) ? '?' : *value;
    }
    out[at++] = '"';
    return at;
}

static void put_json(char out[LINE_MAX_BYTES], const struct fed_log_lines *l,
    enum fed_log_level level, const struct fed_log_about *about, const char *text)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    char time_text[FED_TEXT_TIME_SIZE];
    size_t at = 1;

    fed_text_time((int64_t)time(NULL), time_text);
    out[0] = '{';
    at = put_member(out, at, "time", time_text);
    at = put_member(out, at, "level", names[level]);
    at = put_member(out, at, "cluster", l->cluster);
    at = put_member(out, at, "work", about->work);
    at = put_member(out, at, "reason", about->reason);
    at = put_member(out, at, "message", text);
    memcpy(out + at, "}", 2);
}

static bool put_fields(const struct fed_log_lines *l, enum fed_log_level level,
    const struct fed_log_about *about, const char *text)
{
    const char priority[] = {priorities[level], '\0'};
    const struct posix_journal_field fields[] = {{"MESSAGE", text}, {"PRIORITY", priority},
        {"SYSLOG_IDENTIFIER", program_invocation_short_name}, {"CLUSTER", l->cluster},
        {"WORK", about->work}, {"REASON", about->reason}};

    return posix_journal_send(l->journal, fields, sizeof fields / sizeof *fields);
}

static void put_out(struct fed_log_lines *l, enum fed_log_level level,
    const struct fed_log_about *about, const char *text)
{
    char line[LINE_MAX_BYTES];

    if (l->journal && put_fields(l, level, about, text))
        return;
    if (l->json) {
        put_json(line, l, level, about, text);
        text = line;
    }
    l->write(l->write_ctx, level, text);
}

static uint32_t hash_of(enum fed_log_level level, const char *text)
{
    uint32_t hash = 2166136261u + (uint32_t)level; /* FNV-1a */

    for (; *text; text++)
        hash = (hash ^ (uint8_t)*text) * 16777619u;
    return hash;
}

static const struct fed_log_about nothing;

/* The window is over: what was left out is said. */
static void slot_end(struct fed_log_lines *l, struct fed_log_slot *slot)
{
    char text[160];

    if (slot->since_ms && slot->n > FED_LOG_BURST) {
        snprintf(text, sizeof text, "%u more lines like this were left out: %s...",
            slot->n - FED_LOG_BURST, slot->begin);
        put_out(l, slot->level, &nothing, text);
    }
    slot->since_ms = 0;
}

/* That of the line, or the one whose window began first for it. */
static struct fed_log_slot *slot_for(
    struct fed_log_lines *l, enum fed_log_level level, const char *text, uint64_t now_ms)
{
    uint32_t hash = hash_of(level, text);
    struct fed_log_slot *oldest = l->slots;
    size_t len;

    for (size_t i = 0; i < FED_LOG_SLOTS; i++) {
        struct fed_log_slot *slot = &l->slots[i];

        if (slot->since_ms && now_ms - slot->since_ms >= FED_LOG_WINDOW_MS)
            slot_end(l, slot);
        if (slot->since_ms && slot->hash == hash)
            return slot;
        if (slot->since_ms < oldest->since_ms)
            oldest = slot;
    }
    slot_end(l, oldest);
    *oldest = (struct fed_log_slot){.since_ms = now_ms, .hash = hash, .level = level};
    len = strnlen(text, sizeof oldest->begin - 1);
    while (len > 0 && ((unsigned char)text[len] & 0xc0u) == 0x80u)
        len--;
    memcpy(oldest->begin, text, len);
    return oldest;
}

static void write_limited_about(
    void *ctx, enum fed_log_level level, const struct fed_log_about *about, const char *text)
{
    struct fed_log_lines *l = ctx;

    if (level != FED_LOG_DEBUG && ++slot_for(l, level, text, l->now_ms())->n > FED_LOG_BURST)
        return;
    put_out(l, level, about, text);
}

static void write_limited(void *ctx, enum fed_log_level level, const char *text)
{
    write_limited_about(ctx, level, &nothing, text);
}

struct fed_log fed_log_lines_stderr(
    struct fed_log_lines *lines, enum fed_log_level level, bool json)
{
    *lines = (struct fed_log_lines){.json = json, .now_ms = monotonic_ms};
    if (stderr_is_journal()) {
        lines->write = write_journal;
        lines->journal = json ? NULL : POSIX_JOURNAL_SOCKET;
    } else {
        lines->write = json ? write_bare : write_plain;
    }
    return (struct fed_log){
        .ctx = lines, .level = level, .write = write_limited, .write_about = write_limited_about};
}
