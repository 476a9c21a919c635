/* err.c - see err.h. */
#include "proto/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *fed_err_text(enum fed_err err)
{
    static const char *const texts[] = {
#define FED_ERR_TEXT(name, text) text,
        FED_ERR_LIST(FED_ERR_TEXT)
#undef FED_ERR_TEXT
    };

    if ((unsigned)err >= sizeof texts / sizeof texts[0])
        return "unknown error";
    return texts[err];
}

/* vsnprintf that marks a cut and keeps to one line, whatever a library or a peer put into its text.
 */
static void format_cut(char *out, size_t size, const char *format, va_list args)
{
    int n = vsnprintf(out, size, format, args);

    if (n < 0)
        out[0] = '\0';
    else if ((size_t)n >= size)
        memcpy(out + size - 4, "...", 4);
    for (char *c = out; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = ' ';
    }
}

enum fed_err fed_diag_set(struct fed_diag *d, enum fed_err err, const char *format, ...)
{
    va_list args;

    if (!d)
        return err;
    va_start(args, format);
    format_cut(d->text, sizeof d->text, format, args);
    va_end(args);
    return err;
}

enum fed_err fed_diag_prefix(struct fed_diag *d, enum fed_err err, const char *format, ...)
{
    char prefix[sizeof d->text];
    char rest[sizeof d->text];
    va_list args;
    int n;

    if (!d)
        return err;
    va_start(args, format);
    format_cut(prefix, sizeof prefix, format, args);
    va_end(args);
    memcpy(rest, d->text, sizeof rest);
    n = snprintf(d->text, sizeof d->text, "%s: %s", prefix, rest[0] ? rest : fed_err_text(err));
    if (n < 0 || (size_t)n >= sizeof d->text)
        memcpy(d->text + sizeof d->text - 4, "...", 4);
    return err;
}
