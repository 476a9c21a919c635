/* log.c - see ports/log.h: one line, one write. */
#include "ports/log.h"

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
#include <unistd.h>

#define TEXT_MAX 1000u

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

void fed_log(struct fed_log *log, enum fed_log_level level, const char *format, ...)
{
    char text[TEXT_MAX + 8];
    char line[sizeof text * 4 + 1];
    va_list args;
    int n;

    if (!log || !log->write || level > log->level)
        return;
    va_start(args, format);
    n = vsnprintf(text, sizeof text - 3, format, args);
    va_end(args);
    if (n < 0)
        return;
    cut(text, (size_t)n);
    escape(text, line);
    log->write(log->ctx, level, line);
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

static void write_plain(void *ctx, enum fed_log_level level, const char *text)
{
    static const char *const names[] = {"ERROR", "WARN", "INFO", "DEBUG"};
    char line[TEXT_MAX * 4 + 64];
    int n = snprintf(line, sizeof line, "%s %s\n", names[level], text);

    (void)ctx;
    if (n > 0 && (size_t)n < sizeof line)
        write_line(line, (size_t)n);
}

/* Levels as sd-daemon(3) has them. */
static void write_journal(void *ctx, enum fed_log_level level, const char *text)
{
    static const int priorities[] = {3, 4, 6, 7};
    char line[TEXT_MAX * 4 + 64];
    int n = snprintf(line, sizeof line, "<%d>%s\n", priorities[level], text);

    (void)ctx;
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
