/* database.h - one SQLite file of ours: its form, opening it without harm, and what SQLite's errors
 * mean.
 *
 * The file (PRAGMA user_version 2, or 3 without history; application_id is given by the program
 * that owns it):
 *
 *   item  id, key (unique), revision of the last change, value
 *   log   id, key, deleted, value, before, before_revision
 *                                    every change, when history is on; id is revision * 65536 + n,
 *                                    n counting the changes of one commit from 0; before is the
 *                                    value until then, of a deletion value is; before_revision is
 *                                    0 when there was none
 *   meta  name, value                revision, epoch, compacted (history up to and including it is
 *                                    forgotten), history, log_bytes (FED_DATABASE_LOG_BYTES)
 *
 * A log of version 1 has no before: opening it forgets its history and makes it version 2. A file
 * without history has a sum in every page (sum.h) from version 3 on, as flash forgets; one of
 * version 1 is rewritten with them when it is opened, in one transaction, and used as it is while
 * there is no room for that.
 *
 * A new file is made complete under PATH.new and then renamed, so a file that exists is never half
 * made. */
#ifndef FEDLET_PORTS_SQLITE_DATABASE_H
#define FEDLET_PORTS_SQLITE_DATABASE_H

#include "ports/store.h"

#include <sqlite3.h>

#define FED_DATABASE_VERSION 2u
#ifndef FED_DATABASE_VERSION_PLAIN
#define FED_DATABASE_VERSION_PLAIN 3u /* without history */
#endif
#define FED_DATABASE_LOG_SHIFT 16u    /* 65536 = FED_STORE_OPS_MAX changes in one commit */
/* What a row of the log counts as, and the same in SQL. */
#define FED_DATABASE_LOG_ROW 32u
#define FED_DATABASE_LOG_BYTES "(32+length(key)+length(value)+coalesce(length(before),0))"
/* The changes after which there is a key more or less; the index log_moved has them alone, by their
 * time, so that counting a past state reads nothing else. A file of version 2 that lacks it gets
 * it when it is opened. */
#define FED_DATABASE_MOVED "(deleted OR before_revision=0)"

/* What the error that db has just returned means. db may be NULL. */
enum fed_err fed_database_err(sqlite3 *db, int rc);
/* Sets "PATH: WHAT: SQLite's text" with advice where there is some, and returns the code. */
enum fed_err fed_database_err_set(
    struct fed_diag *diag, sqlite3 *db, int rc, const char *path, const char *what);

/* Runs statements without results. */
FED_MUST_USE enum fed_err fed_database_run(
    sqlite3 *db, const char *path, const char *sql, struct fed_diag *diag);
/* The one number that a statement gives. FED_ERR_CORRUPT when it gives none. */
FED_MUST_USE enum fed_err fed_database_number(
    sqlite3 *db, const char *path, const char *sql, int64_t *out, struct fed_diag *diag);

/* Opens the store at path, making it when nothing is there; errors as fed_sqlite_store_open. */
FED_MUST_USE enum fed_err fed_database_open(struct fed_alloc *mem, const char *path,
    const struct fed_sqlite_options *options, sqlite3 **out, struct fed_diag *diag);

/* Path and suffix in one allocated text of *size bytes; NULL when memory is refused. */
char *fed_database_path(struct fed_alloc *mem, const char *path, const char *suffix, size_t *size);
/* Moves a complete file to its name, durably. */
FED_MUST_USE enum fed_err fed_database_publish(
    const char *from, const char *to, struct fed_diag *diag);
/* Removes a file and what SQLite keeps beside it. */
void fed_database_remove(struct fed_alloc *mem, const char *path);

#endif
