/* audit.c - see audit.h. */
#include "hub/access/audit.h"

#include "proto/base/text.h"

#include <stdio.h>
#include <string.h>

#define WAITING_MAX (256u << 10) /* bytes; one turn of the loop makes far fewer */
#define LINE_MAX_BYTES (16u << 10)
#define TEXT_MAX 512u /* of what a client chooses freely: names, user agent */
#define FILE_MIN (64u << 10)
#define CHAINED_MAX (3u * WAITING_MAX) /* the shortest lines double with it */
#define TAIL_MAX (2u * LINE_MAX_BYTES) /* read at the start, for the last line */

struct hub_audit {
    struct fed_alloc *mem;
    struct fed_loop *loop;
    struct fed_log *log;
    struct fed_fs *fs;
    char path[4096];
    uint64_t file_bytes;
    unsigned files;
    bool reads;
    struct fed_fs_file *file; /* NULL: it cannot be opened at present */
    uint64_t size;
    struct hub_chain chain; /* of the last line in the file */
    bool cut;               /* the file does not end with a line's end: power was lost */
    struct fed_buf waiting;
    size_t n_waiting;
    bool flush_due;
    struct fed_timer *timer;
    uint64_t lost;
    bool failing; /* said so in the log already */
    int64_t strangers_s;
    unsigned strangers;
    uint64_t unrecorded;
};

/* ---- one line ---- */
static bool is_plain(uint8_t c, bool utf8)
{
    return c >= ' ' && c != '"' && c != '\\' && c != 0x7f && (c < 0x80 || utf8);
}

static void put_text(struct fed_buf *out, struct fed_span text, size_t max)
{
    bool cut = text.len > max;
    bool utf8;
    size_t from = 0;

    text = fed_span_sub(text, 0, max);
    utf8 = fed_text_is_utf8(text);
    fed_buf_put_u8(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];

        if (is_plain(c, utf8))
            continue;
        fed_buf_put(out, fed_span_sub(text, from, i - from));
        from = i + 1;
        if (c == '"' || c == '\\')
            fed_buf_printf(out, "\\%c", c);
        else
            fed_buf_printf(out, "\\u%04x", c);
    }
    fed_buf_put(out, fed_span_sub(text, from, text.len));
    fed_buf_put_text(out, cut ? "...\"" : "\"");
}

static void put_member(struct fed_buf *out, const char *key, struct fed_span value)
{
    if (value.len == 0)
        return;
    fed_buf_put_text(out, ",\"");
    fed_buf_put_text(out, key);
    fed_buf_put_text(out, "\":");
    put_text(out, value, TEXT_MAX);
}

static void put_head(const struct hub_audit *audit, struct fed_buf *out)
{
    char now[FED_TEXT_TIME_SIZE];

    fed_text_time_micro(audit->loop->unix_us(audit->loop->ctx), now);
    fed_buf_put_text(out, "{\"time\":\"");
    fed_buf_put_text(out, now);
    fed_buf_put_text(out, "\"");
}

static void put_groups(struct fed_buf *out, const struct hub_user *user)
{
    for (size_t i = 0; i < user->n_groups; i++) {
        fed_buf_put_text(out, i ? "," : ",\"groups\":[");
        put_text(out, fed_span_text(user->groups[i]), TEXT_MAX);
    }
    if (user->n_groups > 0)
        fed_buf_put_text(out, "]");
}

static void put_access(struct fed_buf *out, const struct hub_access *access)
{
    put_member(out, "verb", access->verb);
    if (access->resource.len == 0) {
        put_member(out, "path", access->path);
        return;
    }
    put_member(out, "group", access->group);
    put_member(out, "resource", access->resource);
    put_member(out, "subresource", access->subresource);
    put_member(out, "namespace", access->ns);
    put_member(out, "name", access->name);
}

static void put_record(
    const struct hub_audit *audit, struct fed_buf *out, const struct hub_audit_record *record)
{
    put_head(audit, out);
    put_member(out, "id", fed_span_text(record->id));
    put_member(out, "user", fed_span_text(record->user->name));
    put_groups(out, record->user);
    if (record->impersonator)
        put_member(out, "impersonatedBy", fed_span_text(record->impersonator->name));
    put_access(out, record->access);
    fed_buf_printf(out, ",\"code\":%u", record->code);
    if (record->dry_run)
        fed_buf_put_text(out, ",\"dryRun\":true");
    if (record->console)
        fed_buf_put_text(out, ",\"via\":\"console\"");
    put_member(out, "reason", fed_span_text(record->reason));
    put_member(out, "source", record->source);
    put_member(out, "agent", record->agent);
    fed_buf_put_text(out, "}\n");
}

/* ---- the file ---- */
static void file_name(const struct hub_audit *audit, unsigned number, char *out, size_t size)
{
    if (number == 0)
        snprintf(out, size, "%s", audit->path);
    else
        snprintf(out, size, "%s.%u", audit->path, number);
}

static enum fed_err open_file(struct hub_audit *audit, struct fed_diag *diag)
{
    return audit->fs->append_open(
        audit->fs->ctx, audit->path, 0600, &audit->file, &audit->size, diag);
}

/* Renaming onto the last one forgets it. Names that are not there yet are passed over. */
static enum fed_err rotate(struct hub_audit *audit, struct fed_diag *diag)
{
    char from[sizeof audit->path + 16];
    char to[sizeof from];
    enum fed_err err = FED_OK;

    audit->fs->append_close(audit->fs->ctx, audit->file);
    audit->file = NULL;
    if (audit->files == 1)
        err = audit->fs->remove(audit->fs->ctx, audit->path, diag);
    for (unsigned number = audit->files - 1; !err && number > 0; number--) {
        file_name(audit, number - 1, from, sizeof from);
        file_name(audit, number, to, sizeof to);
        err = audit->fs->rename(audit->fs->ctx, from, to, diag);
        if (err == FED_ERR_NOT_FOUND)
            err = FED_OK;
    }
    return err ? err : open_file(audit, diag);
}

/* What waits, each line with its chain. */
static enum fed_err chain_waiting(
    const struct hub_audit *audit, struct hub_chain *chain, struct fed_buf *out)
{
    struct fed_span left = fed_buf_span(&audit->waiting);
    struct fed_span line;
    enum fed_err err = FED_OK;

    if (audit->cut) /* what was cut stays for itself */
        fed_buf_put_u8(out, '\n');
    while (!err && left.len > 0 && fed_span_split(&left, '\n', &line))
        err = hub_chain_put(chain, line, out);
    return err;
}

static enum fed_err write_bytes(
    struct hub_audit *audit, struct fed_span bytes, struct fed_diag *diag)
{
    enum fed_err err = audit->file ? FED_OK : open_file(audit, diag);

    if (!err && audit->size > 0 && audit->size + bytes.len > audit->file_bytes) {
        err = rotate(audit, diag);
        if (!err && audit->cut) { /* by the begin of another file, which no line's end is for */
            bytes = fed_span_sub(bytes, 1, bytes.len);
            audit->cut = false;
        }
    }
    if (!err)
        err = audit->fs->append(audit->fs->ctx, audit->file, bytes, diag);
    if (!err)
        audit->size += bytes.len;
    return err;
}

static enum fed_err write_waiting(struct hub_audit *audit, struct fed_diag *diag)
{
    struct hub_chain chain = audit->chain;
    struct fed_buf bytes;
    enum fed_err err;

    fed_buf_init(&bytes, audit->mem, CHAINED_MAX);
    err = chain_waiting(audit, &chain, &bytes);
    if (err)
        fed_diag_set(diag, err, "the audit log's chain: %s", fed_err_text(err));
    else
        err = write_bytes(audit, fed_buf_span(&bytes), diag);
    if (!err) {
        audit->chain = chain;
        audit->cut = false;
    }
    fed_buf_fini(&bytes);
    return err;
}

static void put_count(struct hub_audit *audit, const char *key, uint64_t n)
{
    put_head(audit, &audit->waiting);
    fed_buf_printf(&audit->waiting, ",\"%s\":%llu}\n", key, (unsigned long long)n);
}

static void failed(struct hub_audit *audit, const struct fed_diag *diag)
{
    audit->lost += audit->n_waiting;
    if (!audit->failing)
        fed_log(audit->log, FED_LOG_ERROR,
            "audit: %s; requests go on unrecorded until it works again", diag->text);
    audit->failing = true;
}

static void flush(struct hub_audit *audit)
{
    struct fed_diag diag = {{0}};

    if (audit->waiting.len == 0)
        return;
    if (audit->lost > 0)
        put_count(audit, "lost", audit->lost);
    if (fed_buf_err(&audit->waiting) || write_waiting(audit, &diag)) {
        failed(audit, &diag);
    } else {
        if (audit->failing)
            fed_log(audit->log, FED_LOG_INFO, "audit: works again, %llu records were lost",
                (unsigned long long)audit->lost);
        audit->failing = false;
        audit->lost = 0;
    }
    fed_buf_clear(&audit->waiting);
    audit->n_waiting = 0;
}

static void flush_later(void *ctx)
{
    struct hub_audit *audit = ctx;

    audit->flush_due = false;
    flush(audit);
}

/* ---- which records ---- */
static bool stranger_passes(struct hub_audit *audit)
{
    int64_t now = fed_loop_unix_s(audit->loop);

    if (now != audit->strangers_s) {
        audit->strangers_s = now;
        audit->strangers = 0;
        if (audit->unrecorded > 0) {
            put_count(audit, "unrecorded", audit->unrecorded);
            audit->n_waiting++;
        }
        audit->unrecorded = 0;
    }
    if (audit->strangers++ < HUB_AUDIT_STRANGERS_PER_S)
        return true;
    audit->unrecorded++;
    return false;
}

static bool counts(struct hub_audit *audit, const struct hub_audit_record *record)
{
    bool refused = record->code == 401 || record->code == 403;

    if (refused && record->user->anonymous)
        return stranger_passes(audit);
    return refused || record->writes || record->impersonator || audit->reads;
}

/* What was put behind `before` is one more record. */
static void added(struct hub_audit *audit, size_t before)
{
    if (fed_buf_err(&audit->waiting)) { /* no memory for this one; the others stay */
        audit->waiting.err = FED_OK;
        fed_buf_cut(&audit->waiting, before);
        audit->lost++;
    } else {
        audit->n_waiting++;
    }
    if (audit->waiting.len > WAITING_MAX - LINE_MAX_BYTES)
        flush(audit);
}

static void flush_soon(struct hub_audit *audit)
{
    if (audit->flush_due)
        return;
    audit->flush_due = true;
    audit->loop->timer_set(audit->loop->ctx, audit->timer, fed_loop_now_ms(audit->loop));
}

void hub_audit_add(struct hub_audit *audit, const struct hub_audit_record *record)
{
    size_t before = audit->waiting.len;

    if (!counts(audit, record))
        return;
    put_record(audit, &audit->waiting, record);
    added(audit, before);
    if (record->writes)
        flush(audit);
    else
        flush_soon(audit);
}

void hub_audit_put(
    struct hub_audit *audit, const struct hub_audit_record *record, struct fed_buf *out)
{
    if (counts(audit, record))
        put_record(audit, out, record);
}

void hub_audit_add_line(struct hub_audit *audit, struct fed_span line)
{
    size_t before = audit->waiting.len;

    if (line.len == 0)
        return;
    fed_buf_put(&audit->waiting, line);
    added(audit, before);
}

void hub_audit_write(struct hub_audit *audit)
{
    flush(audit);
}

const struct hub_chain *hub_audit_chain(const struct hub_audit *audit)
{
    return &audit->chain;
}

/* ---- where the chain is at the start ---- */
static enum fed_err read_tail(struct hub_audit *audit, unsigned number, struct fed_buf *out)
{
    char path[sizeof audit->path + 16];
    uint64_t size = 0;
    enum fed_err err;

    if (!audit->fs->read_part)
        return FED_ERR_UNSUPPORTED;
    file_name(audit, number, path, sizeof path);
    err = audit->fs->read_part(audit->fs->ctx, path, 0, 1, out, &size, NULL);
    fed_buf_clear(out);
    if (!err)
        err = audit->fs->read_part(audit->fs->ctx, path, size > TAIL_MAX ? size - TAIL_MAX : 0,
            TAIL_MAX, out, &size, NULL);
    return err;
}

/* The chain of the last line that has one; false: there is none. */
static bool last_chain(struct fed_span text, struct hub_chain *out)
{
    size_t end = text.len;

    while (end > 0) {
        struct hub_chain chain = {""};
        enum hub_chain_link link;
        size_t from = end;

        while (from > 0 && text.at[from - 1] != '\n')
            from--;
        if (!hub_chain_check(&chain, fed_span_sub(text, from, end - from), &link) &&
            link == HUB_CHAIN_HOLDS) {
            *out = chain;
            return true;
        }
        end = from > 0 ? from - 1 : 0;
    }
    return false;
}

/* A file that was begun and is empty yet has its chain in the one before. */
static void find_chain(struct hub_audit *audit)
{
    struct fed_buf tail;
    bool found = false;

    hub_chain_begin(&audit->chain);
    fed_buf_init(&tail, audit->mem, TAIL_MAX);
    for (unsigned number = 0; !found && number < 2 && number < audit->files; number++) {
        fed_buf_clear(&tail);
        if (read_tail(audit, number, &tail))
            continue;
        if (number == 0)
            audit->cut = tail.len > 0 && tail.at[tail.len - 1] != '\n';
        found = last_chain(fed_buf_span(&tail), &audit->chain);
    }
    fed_buf_fini(&tail);
    fed_log(audit->log, FED_LOG_INFO, "audit: the chain goes on from %s", audit->chain.at);
}

enum fed_err hub_audit_open(struct fed_alloc *mem, struct fed_loop *loop, struct fed_log *log,
    struct fed_fs *fs, const struct hub_audit_options *options, struct hub_audit **out,
    struct fed_diag *diag)
{
    struct hub_audit *audit = fed_alloc_zero(mem, sizeof *audit);
    struct fed_diag trouble = {{0}};
    enum fed_err err;
    int len;

    if (!audit)
        return fed_diag_set(diag, FED_ERR_NOMEM, "no memory for the audit log");
    audit->mem = mem;
    audit->loop = loop;
    audit->log = log;
    audit->fs = fs;
    audit->file_bytes = options->file_bytes < FILE_MIN ? FILE_MIN : options->file_bytes;
    audit->files = options->files;
    audit->reads = options->reads;
    fed_buf_init(&audit->waiting, mem, WAITING_MAX);
    len = snprintf(audit->path, sizeof audit->path, "%s/audit.log", options->dir);
    if (len < 0 || (size_t)len >= sizeof audit->path)
        err = fed_diag_set(diag, FED_ERR_LIMIT, "the path of the data directory is too long");
    else if (options->files < 1 || options->files > HUB_AUDIT_FILES_MAX)
        err = fed_diag_set(diag, FED_ERR_LIMIT, "1 to %u audit files", HUB_AUDIT_FILES_MAX);
    else
        err = loop->timer_new(loop->ctx, flush_later, audit, &audit->timer);
    if (!err)
        find_chain(audit);
    if (!err && open_file(audit, &trouble))
        failed(audit, &trouble); /* the hub serves all the same, and tries again at each record */
    if (err) {
        hub_audit_close(audit);
        return err;
    }
    *out = audit;
    return FED_OK;
}

void hub_audit_close(struct hub_audit *audit)
{
    if (!audit)
        return;
    flush(audit);
    if (audit->chain.at[0])
        fed_log(audit->log, FED_LOG_INFO, "audit: the chain ends at %s", audit->chain.at);
    audit->fs->append_close(audit->fs->ctx, audit->file);
    if (audit->timer)
        audit->loop->timer_free(audit->loop->ctx, audit->timer);
    fed_buf_fini(&audit->waiting);
    fed_alloc_free(audit->mem, audit, sizeof *audit);
}
