/* database.c - see database.h. */
#include "ports/sqlite/database.h"

#include "ports/sqlite/sum.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADER_SIZE 100u
#define BUSY_MS 5000 /* for another process that looks or recovers */
/* A file with history up to this size is checked whole when it is opened, any other in any case. */
#define CHECKED_WHOLE (16u << 20)

/* ---- errors ---- */

enum fed_err fed_database_err(sqlite3 *db, int rc)
{
    int error = db ? sqlite3_system_errno(db) : 0;

    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return FED_OK;
    case SQLITE_NOMEM:
        return FED_ERR_NOMEM;
    case SQLITE_FULL:
        return FED_ERR_FULL;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return FED_ERR_CORRUPT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return FED_ERR_BUSY;
    case SQLITE_TOOBIG:
        return FED_ERR_LIMIT;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        if (rc == SQLITE_IOERR_NOMEM)
            return FED_ERR_NOMEM;
        if (rc == SQLITE_IOERR_DATA) /* sum.h */
            return FED_ERR_CORRUPT;
        return error == ENOSPC || error == EDQUOT ? FED_ERR_FULL : FED_ERR_IO;
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return FED_ERR_IO;
    default:
        return FED_ERR_INTERNAL;
    }
}

static const char *advice(enum fed_err err, int rc)
{
    if (err == FED_ERR_FULL)
        return "; free some space, nothing was lost";
    if (err == FED_ERR_CORRUPT)
        return "; move the file away and restore a backup";
    if ((rc & 0xff) == SQLITE_READONLY)
        return "; make the file and its folder writable";
    return "";
}

enum fed_err fed_database_err_set(
    struct fed_diag *diag, sqlite3 *db, int rc, const char *path, const char *what)
{
    enum fed_err err = fed_database_err(db, rc);
    int error = db ? sqlite3_system_errno(db) : 0;
    int kind = rc & 0xff;
    bool by_system = error && (kind == SQLITE_IOERR || kind == SQLITE_CANTOPEN);

    return fed_diag_set(diag, err, "%s: %s: %s%s%s%s", path, what, sqlite3_errstr(rc),
        by_system ? ": " : "", by_system ? strerror(error) : "", advice(err, rc));
}

static enum fed_err system_err_set(struct fed_diag *diag, const char *path, const char *what)
{
    bool full = errno == ENOSPC || errno == EDQUOT;

    return fed_diag_set(
        diag, full ? FED_ERR_FULL : FED_ERR_IO, "%s: %s: %s", path, what, strerror(errno));
}

static enum fed_err no_memory(struct fed_diag *diag, const char *path)
{
    return fed_diag_set(diag, FED_ERR_NOMEM, "%s: out of memory", path);
}

/* ---- small statements ---- */

enum fed_err fed_database_run(sqlite3 *db, const char *path, const char *sql, struct fed_diag *diag)
{
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);

    return rc == SQLITE_OK ? FED_OK : fed_database_err_set(diag, db, rc, path, "cannot set up");
}

enum fed_err fed_database_number(
    sqlite3 *db, const char *path, const char *sql, int64_t *out, struct fed_diag *diag)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    enum fed_err err = FED_OK;

    if (rc == SQLITE_OK)
        rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW && sqlite3_column_type(statement, 0) == SQLITE_INTEGER)
        *out = sqlite3_column_int64(statement, 0);
    else if (rc == SQLITE_ROW || rc == SQLITE_DONE || rc == SQLITE_ERROR)
        err = fed_diag_set(diag, FED_ERR_CORRUPT,
            "%s: lacks what belongs into it; move the file away and restore a backup", path);
    else
        err = fed_database_err_set(diag, db, rc, path, "cannot read");
    sqlite3_finalize(statement);
    return err;
}

/* ---- files ---- */

char *fed_database_path(struct fed_alloc *mem, const char *path, const char *suffix, size_t *size)
{
    size_t len = strlen(path);
    size_t more = strlen(suffix) + 1;
    char *out = fed_alloc_get(mem, len + more);

    if (!out)
        return NULL;
    memcpy(out, path, len);
    memcpy(out + len, suffix, more);
    *size = len + more;
    return out;
}

void fed_database_remove(struct fed_alloc *mem, const char *path)
{
    static const char *const suffixes[] = {"", "-journal", "-wal", "-shm"};

    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        size_t size;
        char *name = fed_database_path(mem, path, suffixes[i], &size);

        if (!name)
            continue;
        (void)unlink(name);
        fed_alloc_free(mem, name, size);
    }
}

static enum fed_err sync_path(const char *path, size_t len, int flags, struct fed_diag *diag)
{
    char name[4096];
    int fd;
    enum fed_err err = FED_OK;

    if (len >= sizeof name)
        return fed_diag_set(diag, FED_ERR_LIMIT, "path is longer than %zu bytes", sizeof name - 1);
    memcpy(name, path, len);
    name[len] = '\0';
    fd = open(name, O_RDONLY | O_CLOEXEC | flags);
    if (fd < 0)
        return system_err_set(diag, name, "cannot open");
    if (fsync(fd) && errno != EINVAL)
        err = system_err_set(diag, name, "cannot sync");
    close(fd);
    return err;
}

enum fed_err fed_database_publish(const char *from, const char *to, struct fed_diag *diag)
{
    const char *slash = strrchr(to, '/');
    enum fed_err err = sync_path(from, strlen(from), 0, diag);

    if (err)
        return err;
    if (rename(from, to))
        return system_err_set(diag, to, "cannot create");
    if (!slash)
        return sync_path(".", 1, O_DIRECTORY, diag);
    return sync_path(to, slash == to ? 1 : (size_t)(slash - to), O_DIRECTORY, diag);
}

/* ---- looking before opening ---- */

static uint32_t u32_at(const uint8_t *header, size_t at)
{
    struct fed_span from = fed_span_of(header + at, 4);
    uint32_t value = 0;

    return fed_span_take_u32(&from, &value) ? 0 : value;
}

/* The WAL beside path: its size, 0 when there is none. */
static enum fed_err wal_size(
    struct fed_alloc *mem, const char *path, off_t *out, struct fed_diag *diag)
{
    size_t size;
    char *name = fed_database_path(mem, path, "-wal", &size);
    struct stat st;

    if (!name)
        return no_memory(diag, path);
    *out = stat(name, &st) ? 0 : st.st_size;
    fed_alloc_free(mem, name, size);
    return FED_OK;
}

/* SQLite file format, section 1.3: page size at 16, reserved bytes at 20, change counter at 24,
 * size in pages at 28 (valid when the counter equals that at 92), user version at 60, application
 * id at 68. */
static enum fed_err check_header(const char *path, const uint8_t header[HEADER_SIZE],
    off_t file_size, off_t wal, const struct fed_sqlite_options *options, struct fed_diag *diag)
{
    uint32_t newest = options->history ? FED_DATABASE_VERSION : FED_DATABASE_VERSION_PLAIN;
    uint64_t page = (uint64_t)header[16] << 8 | header[17];
    uint64_t pages = u32_at(header, 28);

    if (memcmp(header, "SQLite format 3", 16) != 0)
        return fed_diag_set(diag, FED_ERR_CORRUPT,
            "%s: is not a store, or its beginning is damaged; it was left as it is. Move it away "
            "and restore a backup",
            path);
    if (u32_at(header, 68) != options->application_id)
        return fed_diag_set(diag, FED_ERR_CORRUPT,
            "%s: belongs to another program (application id 0x%08" PRIx32
            "); it was left as it is. Name another file, or move this one away",
            path, u32_at(header, 68));
    if (u32_at(header, 60) > newest)
        return fed_diag_set(diag, FED_ERR_UNSUPPORTED,
            "%s: was written by a newer version (format %" PRIu32
            ", this program knows %u); it was left as it is. Install the newer version again",
            path, u32_at(header, 60), newest);
    if (!options->history && u32_at(header, 60) == newest && header[20] != FED_SUM_SIZE)
        return fed_diag_set(diag, FED_ERR_CORRUPT,
            "%s: its header is damaged; it was left as it is. Move it away and restore a backup",
            path);
    if (page == 1)
        page = 65536;
    /* What a WAL holds may not have reached the file yet. */
    if (wal == 0 && u32_at(header, 24) == u32_at(header, 92) && (uint64_t)file_size < page * pages)
        return fed_diag_set(diag, FED_ERR_CORRUPT,
            "%s: is cut short (%jd of %" PRIu64
            " bytes); it was left as it is. Move it away and restore a backup",
            path, (intmax_t)file_size, page * pages);
    return FED_OK;
}

/* Reads the header of a file that exists. POSIX drops a process's locks on a file when it closes
 * any descriptor of it, so a process opens one path once. */
static enum fed_err check_file(struct fed_alloc *mem, const char *path, int fd,
    const struct fed_sqlite_options *options, struct fed_diag *diag)
{
    uint8_t header[HEADER_SIZE];
    struct stat st;
    off_t wal;
    enum fed_err err = wal_size(mem, path, &wal, diag);
    ssize_t n;

    if (err)
        return err;
    if (fstat(fd, &st))
        return system_err_set(diag, path, "cannot read");
    n = pread(fd, header, sizeof header, 0);
    if (n < 0)
        return system_err_set(diag, path, "cannot read");
    if ((size_t)n < sizeof header)
        return fed_diag_set(diag, FED_ERR_CORRUPT,
            "%s: is empty or cut short (%zd bytes); it was left as it is. Move it away and "
            "restore a backup",
            path, n);
    return check_header(path, header, st.st_size, wal, options, diag);
}

/* *is_new when there is nothing at path. */
static enum fed_err look(struct fed_alloc *mem, const char *path,
    const struct fed_sqlite_options *options, bool *is_new, struct fed_diag *diag)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t wal;
    enum fed_err err;

    *is_new = fd < 0 && errno == ENOENT;
    if (*is_new) {
        err = wal_size(mem, path, &wal, diag);
        if (!err && wal > 0)
            err = fed_diag_set(diag, FED_ERR_CORRUPT,
                "%s: is missing, but %s-wal, a part of it, is there. Put it back, or move "
                "%s-wal away to begin with an empty store",
                path, path, path);
        return err;
    }
    if (fd < 0)
        return system_err_set(diag, path, "cannot open");
    err = check_file(mem, path, fd, options, diag);
    close(fd);
    return err;
}

/* ---- making ---- */

#define EXCLUSIVE "PRAGMA locking_mode=EXCLUSIVE;" /* sum.h */

#define LOG_MOVED                                                                                  \
    "CREATE INDEX IF NOT EXISTS log_moved ON log(id, key, deleted) WHERE " FED_DATABASE_MOVED ";"
#define LOG_OF_VERSION_2                                                                           \
    "CREATE INDEX log_key ON log(key);" /* and id: the row's number ends every entry */            \
        LOG_MOVED "INSERT INTO meta VALUES('log_bytes',0);"

/* For sums, in whatever is written whole from now on. */
static void reserve(sqlite3 *db)
{
    int size = FED_SUM_SIZE;

    (void)sqlite3_file_control(db, "main", SQLITE_FCNTL_RESERVE_BYTES, &size);
}

static const char *vfs_of(const struct fed_sqlite_options *options)
{
    return options->history ? NULL : FED_SUM_VFS;
}

static enum fed_err fill(
    sqlite3 *db, const char *path, const struct fed_sqlite_options *options, struct fed_diag *diag)
{
    char sql[1400];
    int n = snprintf(sql, sizeof sql,
        "%s"
        "PRAGMA page_size=4096;"
        "PRAGMA journal_mode=DELETE;"
        "PRAGMA synchronous=FULL;"
        "BEGIN IMMEDIATE;"
        "PRAGMA application_id=%" PRId32 ";"
        "PRAGMA user_version=%u;"
        "CREATE TABLE item(id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE,"
        " revision INTEGER NOT NULL, value BLOB NOT NULL);"
        "CREATE TABLE log(id INTEGER PRIMARY KEY, key BLOB NOT NULL,"
        " deleted INTEGER NOT NULL, value BLOB NOT NULL%s);"
        "CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
        "INSERT INTO meta VALUES('revision',1),('epoch',%" PRIu32
        "),('compacted',0),('history',%d);"
        "%s"
        "COMMIT;"
        "PRAGMA journal_mode=WAL;",
        options->history ? "" : EXCLUSIVE, (int32_t)options->application_id,
        options->history ? FED_DATABASE_VERSION : FED_DATABASE_VERSION_PLAIN,
        options->history ? ", before BLOB, before_revision INTEGER NOT NULL" : "",
        options->new_epoch, options->history ? 1 : 0, options->history ? LOG_OF_VERSION_2 : "");

    if (n < 0 || (size_t)n >= sizeof sql)
        return FED_ERR_INTERNAL;
    if (!options->history)
        reserve(db);
    return fed_database_run(db, path, sql, diag);
}

static enum fed_err make_at(struct fed_alloc *mem, const char *path, const char *temporary,
    const struct fed_sqlite_options *options, struct fed_diag *diag)
{
    sqlite3 *db = NULL;
    int rc;
    enum fed_err err;

    fed_database_remove(mem, temporary);
    rc = sqlite3_open_v2(
        temporary, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs_of(options));
    if (rc != SQLITE_OK)
        err = fed_database_err_set(diag, db, rc, temporary, "cannot create");
    else
        err = fill(db, temporary, options, diag);
    rc = sqlite3_close(db);
    if (!err && rc != SQLITE_OK)
        err = fed_database_err_set(diag, NULL, rc, temporary, "cannot close");
    if (!err)
        err = fed_database_publish(temporary, path, diag);
    if (err)
        fed_database_remove(mem, temporary);
    return err;
}

static enum fed_err make(struct fed_alloc *mem, const char *path,
    const struct fed_sqlite_options *options, struct fed_diag *diag)
{
    size_t size;
    char *temporary = fed_database_path(mem, path, ".new", &size);
    enum fed_err err;

    if (!temporary)
        return no_memory(diag, path);
    err = make_at(mem, path, temporary, options, diag);
    fed_alloc_free(mem, temporary, size);
    return err;
}

/* ---- opening ---- */

static enum fed_err check_whole(sqlite3 *db, const char *path, struct fed_diag *diag)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &statement, NULL);
    enum fed_err err = FED_OK;

    if (rc == SQLITE_OK)
        rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(statement, 0);

        if (!text || strcmp(text, "ok") != 0)
            err = fed_diag_set(diag, FED_ERR_CORRUPT,
                "%s: is damaged: %s; it was left as it is. Move it away and restore a backup", path,
                text ? text : "out of memory");
    } else {
        err = fed_database_err_set(diag, db, rc, path, "is damaged");
    }
    sqlite3_finalize(statement);
    return err;
}

/* All that can show damage, before anything may write. */
static enum fed_err check_open(
    sqlite3 *db, const char *path, const struct fed_sqlite_options *options, struct fed_diag *diag)
{
    int64_t history = 0;
    int64_t pages = 0;
    enum fed_err err = fed_database_number(db, path, "PRAGMA page_count", &pages, diag);

    if (!err && (!options->history || pages <= (int64_t)(CHECKED_WHOLE / 4096u)))
        err = check_whole(db, path, diag);
    if (!err)
        err = fed_database_number(
            db, path, "SELECT value FROM meta WHERE name='history'", &history, diag);
    if (!err && (history != 0) != options->history)
        err = fed_diag_set(diag, FED_ERR_INVALID, "%s: was made %s a log of changes", path,
            history ? "with" : "without");
    return err;
}

/* Gives a version 1 its sums: rewritten in one transaction. Without room for that it stays what it
 * is until the next time. A crash between the two steps leaves a version 1 with sums, for which the
 * first one changes nothing. */
static enum fed_err upgrade_plain(sqlite3 *db, const char *path, struct fed_diag *diag)
{
    int64_t version = 0;
    enum fed_err err = fed_database_number(db, path, "PRAGMA user_version", &version, diag);

    if (err || version >= (int64_t)FED_DATABASE_VERSION_PLAIN)
        return err;
    reserve(db);
    err = fed_database_run(db, path, "VACUUM;PRAGMA user_version=3;", diag);
    if (err != FED_ERR_FULL && err != FED_ERR_IO)
        return err;
    if (diag)
        diag->text[0] = '\0';
    return FED_OK;
}

/* Makes version 2 of a version 1 with history, whose log it forgets. */
static enum fed_err upgrade(
    sqlite3 *db, const char *path, const struct fed_sqlite_options *options, struct fed_diag *diag)
{
    int64_t version = 0;
    enum fed_err err;

    if (!options->history)
        return upgrade_plain(db, path, diag);
    err = fed_database_number(db, path, "PRAGMA user_version", &version, diag);
    if (!err && version >= (int64_t)FED_DATABASE_VERSION)
        return fed_database_run(db, path, LOG_MOVED, diag);
    if (err)
        return err;
    err = fed_database_run(db, path,
        "BEGIN IMMEDIATE;"
        "DROP TABLE log;"
        "CREATE TABLE log(id INTEGER PRIMARY KEY, key BLOB NOT NULL,"
        " deleted INTEGER NOT NULL, value BLOB NOT NULL,"
        " before BLOB, before_revision INTEGER NOT NULL);" LOG_OF_VERSION_2
        "UPDATE meta SET value=(SELECT value FROM meta WHERE name='revision')"
        " WHERE name='compacted';"
        "PRAGMA user_version=2;"
        "COMMIT;",
        diag);
    if (err && !sqlite3_get_autocommit(db))
        (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return err;
}

static enum fed_err configure(
    sqlite3 *db, const char *path, const struct fed_sqlite_options *options, struct fed_diag *diag)
{
    char sql[400];
    int n = snprintf(sql, sizeof sql,
        "%s"
        "PRAGMA trusted_schema=OFF;"
        "PRAGMA cell_size_check=ON;"
        "PRAGMA synchronous=FULL;"
        "PRAGMA cache_size=-%" PRIu32 ";"
        "PRAGMA journal_size_limit=4194304;" /* a WAL that grew larger is cut again */
        "PRAGMA wal_autocheckpoint=500;",
        options->history ? "" : EXCLUSIVE,
        options->cache_kib > 0 && options->cache_kib <= (1u << 20) ? options->cache_kib : 256u);

    if (n < 0 || (size_t)n >= sizeof sql)
        return FED_ERR_INTERNAL;
    sqlite3_busy_timeout(db, BUSY_MS);
    return fed_database_run(db, path, sql, diag);
}

static enum fed_err open_existing(const char *path, const struct fed_sqlite_options *options,
    sqlite3 **out, struct fed_diag *diag)
{
    sqlite3 *db = NULL;
    int rc =
        sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_EXRESCODE, vfs_of(options));
    enum fed_err err = FED_OK;

    /* Until it is known to be sound, closing it must not write into it either. */
    if (rc == SQLITE_OK)
        rc = sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (rc != SQLITE_OK)
        err = fed_database_err_set(diag, db, rc, path, "cannot open");
    else if (sqlite3_db_readonly(db, "main") == 1)
        err = fed_database_err_set(diag, NULL, SQLITE_READONLY, path, "cannot open");
    if (!err)
        err = configure(db, path, options, diag);
    if (!err)
        err = check_open(db, path, options, diag);
    if (!err)
        err = upgrade(db, path, options, diag);
    if (err) {
        sqlite3_close(db);
        return err;
    }
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    *out = db;
    return FED_OK;
}

enum fed_err fed_database_open(struct fed_alloc *mem, const char *path,
    const struct fed_sqlite_options *options, sqlite3 **out, struct fed_diag *diag)
{
    bool is_new = false;
    enum fed_err err;

    if (sqlite3_initialize() != SQLITE_OK) /* built without doing so by itself */
        return fed_diag_set(diag, FED_ERR_INTERNAL, "%s: SQLite cannot start", path);
    err = options->history ? FED_OK : fed_sum_register();
    if (!err)
        err = look(mem, path, options, &is_new, diag);
    if (!err && is_new)
        err = make(mem, path, options, diag);
    if (!err)
        err = open_existing(path, options, out, diag);
    return err;
}
