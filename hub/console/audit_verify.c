/* audit_verify.c - whether the records of the audit log are those that were written (chain.h),
 * oldest first, a part at a time.
 *
 * A part reads at most READ_MAX bytes. It is asked with the next of the part before, which is a
 * place and the chain up to there. The first record of the oldest file is taken as it is: what came
 * before it was forgotten in order. The last part compares with what the hub wrote last, so that an
 * end that was cut off is found while the hub runs. */
#include "hub/console/audit_files.h"

#include <inttypes.h>
#include <string.h>

#define READ_MAX (1u << 20)
#define CHUNK (128u << 10)
#define BREAKS_MAX 20u /* told of one part; further ones are counted */
#define BODY_MAX (16u << 10)

struct part {
    struct hub_console *console;
    struct hub_request *r;
    struct audit_place place;
    struct hub_chain chain;
    size_t left; /* bytes that may be read still */
    bool over;
    uint64_t records;   /* that hold */
    uint64_t unchained; /* of a hub that made no chain, before the first that has one */
    uint64_t breaks;
    struct fed_buf told; /* of breaks */
};

static void tell_break(struct part *p, const char *why)
{
    if (p->breaks++ >= BREAKS_MAX)
        return;
    if (p->told.len > 0)
        fed_buf_put_u8(&p->told, ',');
    fed_buf_put_text(&p->told, "{\"file\":\"audit.log");
    if (p->place.file > 0)
        fed_buf_printf(&p->told, ".%u", p->place.file);
    fed_buf_printf(&p->told, "\",\"offset\":%" PRIu64 ",\"why\":\"%s\"}", p->place.offset, why);
}

static enum fed_err look_at_line(struct part *p, struct fed_span line)
{
    enum hub_chain_link link = HUB_CHAIN_HOLDS;
    enum fed_err err;

    if (line.len == 0)
        return FED_OK;
    err = hub_chain_check(&p->chain, line, &link);
    if (err)
        return err;
    if (link == HUB_CHAIN_HOLDS)
        p->records++;
    else if (link == HUB_CHAIN_BROKEN)
        tell_break(p, "this record was changed, or others before it were taken out or put in");
    else if (p->chain.at[0])
        tell_break(p, "this is no record that the hub wrote, or not all of it");
    else
        p->unchained++;
    return FED_OK;
}

/* The file is at its end: the next newer one, or all of it was seen. One that is not there, or has
 * nothing in it, shows in the chain behind it. */
static enum fed_err next_file(struct part *p)
{
    uint64_t size;
    enum fed_err err = FED_ERR_NOT_FOUND;

    p->place.offset = 0;
    while (err == FED_ERR_NOT_FOUND && p->place.file > 0)
        err = audit_mark(p->console, --p->place.file, p->place.mark, &size);
    p->over = err == FED_ERR_NOT_FOUND;
    return p->over ? FED_OK : err;
}

/* Whole lines of what was read; what is cut is the next chunk's, or the last of its file. */
static enum fed_err look_at_chunk(struct part *p, struct fed_span chunk, bool last)
{
    enum fed_err err = FED_OK;

    while (!err && chunk.len > 0) {
        size_t end = fed_span_find(chunk, '\n');

        if (end == chunk.len && !last && chunk.len < CHUNK)
            return FED_OK;
        if (end == chunk.len)
            tell_break(p, "this is no whole line");
        else
            err = look_at_line(p, fed_span_sub(chunk, 0, end));
        end = end < chunk.len ? end + 1 : end;
        p->place.offset += end;
        chunk = fed_span_sub(chunk, end, chunk.len);
    }
    return err;
}

static enum fed_err look(struct part *p)
{
    struct fed_buf chunk;
    enum fed_err err = FED_OK;

    fed_buf_init(&chunk, p->console->mem, CHUNK);
    while (!err && !p->over && p->left > 0) {
        uint64_t size = 0;

        fed_buf_clear(&chunk);
        err = audit_read_part(p->console, p->place.file, p->place.offset, CHUNK, &chunk, &size);
        if (!err && chunk.len == 0)
            err = next_file(p);
        else if (!err)
            err = look_at_chunk(p, fed_buf_span(&chunk), p->place.offset + chunk.len >= size);
        p->left -= chunk.len < p->left ? chunk.len : p->left;
    }
    fed_buf_fini(&chunk);
    return err;
}

/* ---- the question ---- */

static enum fed_err begin_at_oldest(struct part *p)
{
    uint64_t size;
    enum fed_err err = FED_ERR_NOT_FOUND;

    for (unsigned file = p->console->options.audit_files; err == FED_ERR_NOT_FOUND && file-- > 0;) {
        err = audit_mark(p->console, file, p->place.mark, &size);
        p->place.file = file;
    }
    p->over = err == FED_ERR_NOT_FOUND;
    return p->over ? FED_OK : err;
}

/* PLACE-CHAIN; no chain while none was found. */
static enum fed_err read_from(struct part *p, struct fed_span from)
{
    size_t dash = from.len;

    while (dash > 0 && from.at[dash - 1] != '-')
        dash--;
    if (dash == 0 || audit_place_read(fed_span_sub(from, 0, dash - 1), &p->place) ||
        (from.len != dash && from.len - dash != HUB_CHAIN_DIGITS) ||
        fed_span_to_cstr(fed_span_sub(from, dash, from.len), p->chain.at, sizeof p->chain.at))
        return hub_fail(p->r, 400, "BadRequest", "from is the next of an earlier answer");
    return audit_place_find(p->console, p->r, &p->place);
}

static void put_answer(struct part *p, struct fed_buf *out)
{
    fed_buf_printf(out,
        "{\"records\":%" PRIu64 ",\"unchained\":%" PRIu64 ",\"breaks\":%" PRIu64 ",\"broken\":[",
        p->records, p->unchained, p->breaks);
    fed_buf_put(out, fed_buf_span(&p->told));
    fed_buf_printf(out, "],\"chain\":\"%s\",\"next\":", p->chain.at);
    if (p->over)
        fed_buf_put_text(out, "null}\n");
    else
        fed_buf_printf(out, "\"%u-%" PRIu64 "-%s-%s\"}\n", p->place.file, p->place.offset,
            p->place.mark, p->chain.at);
}

enum fed_err console_handle_audit_verify(struct hub_console *console, struct hub_request *r)
{
    struct part p = {.console = console, .r = r, .left = READ_MAX};
    struct fed_span from = console_query(r->http->query, "from");
    struct fed_buf body;
    enum fed_err err = audit_require(console, r);

    if (!err)
        err = from.len > 0 ? read_from(&p, from) : begin_at_oldest(&p);
    if (err)
        return err;
    fed_buf_init(&p.told, r->mem, BODY_MAX);
    fed_buf_init(&body, r->mem, BODY_MAX);
    err = look(&p);
    if (!err && p.over && !hub_audit_ends_with(r->api, &p.chain))
        tell_break(&p, "the end is not what the hub wrote last");
    if (!err)
        err = fed_buf_err(&p.told);
    if (err)
        return err;
    put_answer(&p, &body);
    return console_respond(r, &body, NULL, 0);
}
