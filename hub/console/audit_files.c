/* audit_files.c - see audit_files.h. */
#include "hub/console/audit_files.h"

#include <stdio.h>
#include <string.h>

#define PATH_BYTES 640u
#define HEAD_MAX (16u << 10) /* of a first line */

enum fed_err audit_require(struct hub_console *console, struct hub_request *r)
{
    static const struct hub_access access = {
        .verb = {(const uint8_t *)"get", 3}, .path = {(const uint8_t *)"/console/audit", 14}};
    enum fed_err err = console_require_read(r);

    if (!err)
        err = hub_identify_request(r);
    if (!err)
        err = hub_require(r, &access);
    if (!err && (!console->options.fs || !console->options.fs->read_part))
        return hub_fail(r, 404, "NotFound", "this hub keeps no audit log");
    return err;
}

static bool path_of(const struct hub_console *console, unsigned file, char out[PATH_BYTES])
{
    const char *dir = console->options.audit_dir;
    int n = file == 0 ? snprintf(out, PATH_BYTES, "%s/audit.log", dir)
                      : snprintf(out, PATH_BYTES, "%s/audit.log.%u", dir, file);

    return n > 0 && (size_t)n < PATH_BYTES;
}

enum fed_err audit_read_part(const struct hub_console *console, unsigned file, uint64_t offset,
    size_t max, struct fed_buf *out, uint64_t *size)
{
    struct fed_fs *fs = console->options.fs;
    char path[PATH_BYTES];

    return path_of(console, file, path) ? fs->read_part(fs->ctx, path, offset, max, out, size, NULL)
                                        : FED_ERR_NOT_FOUND;
}

enum fed_err audit_mark(const struct hub_console *console, unsigned file,
    char mark[AUDIT_MARK_DIGITS + 1], uint64_t *size)
{
    struct fed_digest digest;
    struct fed_span line;
    struct fed_buf head;
    enum fed_err err;

    fed_buf_init(&head, console->mem, HEAD_MAX);
    err = audit_read_part(console, file, 0, HEAD_MAX, &head, size);
    line = fed_buf_span(&head);
    line = fed_span_sub(line, 0, fed_span_find(line, '\n'));
    if (!err && head.len == 0)
        err = FED_ERR_NOT_FOUND;
    if (!err)
        err = fed_digest_of(line, &digest);
    for (size_t i = 0; !err && i < AUDIT_MARK_DIGITS / 2; i++)
        snprintf(mark + 2 * i, 3, "%02x", digest.bytes[i]);
    fed_buf_fini(&head);
    return err;
}

enum fed_err audit_place_read(struct fed_span text, struct audit_place *out)
{
    struct fed_span file;
    struct fed_span offset;
    uint64_t number = 0;

    if (!fed_span_split(&text, '-', &file) || !fed_span_split(&text, '-', &offset) ||
        fed_span_to_u64(file, &number) || number >= HUB_AUDIT_FILES_MAX ||
        fed_span_to_u64(offset, &out->offset) || text.len != AUDIT_MARK_DIGITS)
        return FED_ERR_INVALID;
    out->file = (unsigned)number;
    return fed_span_to_cstr(text, out->mark, sizeof out->mark);
}

enum fed_err audit_place_find(
    const struct hub_console *console, struct hub_request *r, struct audit_place *place)
{
    char mark[AUDIT_MARK_DIGITS + 1] = "";
    uint64_t size = 0;

    for (unsigned file = place->file; file < console->options.audit_files; file++) {
        enum fed_err err = audit_mark(console, file, mark, &size);

        if (err == FED_ERR_NOT_FOUND && file > 0)
            break;
        if (err && err != FED_ERR_NOT_FOUND)
            return err;
        if (!err && strcmp(mark, place->mark) == 0 && place->offset <= size) {
            place->file = file;
            return FED_OK;
        }
    }
    hub_fail(r, 410, "Expired", "the log went on, and this place is not in it any more");
    return FED_ERR_GONE;
}
