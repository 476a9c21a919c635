/* ports_base_store_test.c - SQLite behind ports/store.h: the conformance suite, and what is special
 * to a file. */
#include "ports/store.h"
#include "tests/unit/ports_base_dir.h"
#include "tests/unit/refused_writes.h"
#include "tests/unit/store_conformance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sqlite3.h>

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUR_ID 0x46454431u

struct world {
    char dir[TEST_PATH_MAX];
    char path[TEST_PATH_MAX];
    struct fed_sqlite_options options;
    struct fed_sqlite_store *sqlite;
    struct fed_store *store;
    struct fed_diag diag;
};

static enum fed_err try_open(struct world *w)
{
    enum fed_err err =
        fed_sqlite_store_open(fed_alloc_system(), w->path, &w->options, &w->sqlite, &w->diag);

    w->store = err ? NULL : fed_sqlite_store_port(w->sqlite);
    return err;
}

static void reopen(struct world *w)
{
    enum fed_err err;

    fed_sqlite_store_close(w->sqlite);
    w->sqlite = NULL;
    err = try_open(w);
    if (err)
        print_error("%s\n", w->diag.text);
    assert_int_equal(err, FED_OK);
}

static void begin(struct world *w, bool history)
{
    *w = (struct world){
        .options = {
            .history = history, .application_id = OUR_ID, .new_epoch = 7, .cache_kib = 128}};
    test_dir_make(w->dir);
    test_dir_path(w->dir, "state.db", w->path);
}

static void end(struct world *w)
{
    fed_sqlite_store_close(w->sqlite);
    w->sqlite = NULL;
    test_dir_remove(w->dir);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    begin(w, true);
    reopen(w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    end(*state);
    free(*state);
    return 0;
}

/* ---- the conformance suite ---- */

struct engine_ctx {
    struct world w;
    bool history;
};

static struct fed_store *engine_fresh(void *ctx, uint32_t epoch)
{
    struct engine_ctx *e = ctx;

    begin(&e->w, e->history);
    e->w.options.new_epoch = epoch;
    reopen(&e->w);
    return e->w.store;
}

static struct fed_store *engine_reopen(void *ctx)
{
    struct engine_ctx *e = ctx;

    e->w.options.new_epoch = 1; /* for new files only */
    reopen(&e->w);
    return e->w.store;
}

static struct fed_store *engine_renew(void *ctx, uint32_t epoch)
{
    struct engine_ctx *e = ctx;

    assert_int_equal(fed_sqlite_store_set_epoch(e->w.sqlite, epoch, NULL), FED_OK);
    return engine_reopen(e);
}

static void engine_refuse(void *ctx)
{
    (void)ctx;
    test_writes_refuse();
}

static void engine_allow(void *ctx)
{
    (void)ctx;
    test_writes_allow();
}

static void engine_drop(void *ctx)
{
    struct engine_ctx *e = ctx;

    assert_int_equal(fed_sqlite_store_verify(e->w.sqlite, NULL), FED_OK);
    end(&e->w);
}

/* ---- short forms ---- */

static enum fed_err put(struct world *w, const char *key, struct fed_span value)
{
    struct fed_store_op op = {.key = fed_span_text(key), .value = value};

    return w->store->commit(w->store->ctx, NULL, 0, &op, 1, NULL, &w->diag);
}

static void put_text(struct world *w, const char *key, const char *value)
{
    assert_int_equal(put(w, key, fed_span_text(value)), FED_OK);
}

static void assert_value(struct world *w, const char *key, const char *value)
{
    struct fed_buf got;

    fed_buf_init(&got, fed_alloc_system(), 1u << 20);
    assert_int_equal(w->store->get(w->store->ctx, fed_span_text(key), &got, NULL), FED_OK);
    assert_string_equal(fed_buf_cstr(&got), value);
    fed_buf_fini(&got);
}

/* Changes bytes of the closed file. */
static void damage(struct world *w, size_t at, const void *bytes, size_t len)
{
    size_t size;
    unsigned char *file;

    fed_sqlite_store_close(w->sqlite);
    w->sqlite = NULL;
    file = test_file_read(w->path, &size);
    assert_true(at + len <= size);
    memcpy(file + at, bytes, len);
    test_file_write(w->path, file, size);
    free(file);
}

/* The file is refused, named, and the same afterwards. */
static void assert_refused(struct world *w, enum fed_err err, const char *because)
{
    size_t len_before;
    size_t len_after;
    unsigned char *before = test_file_read(w->path, &len_before);
    unsigned char *after;

    memset(&w->diag, 0, sizeof w->diag);
    assert_int_equal(try_open(w), err);
    assert_null(w->sqlite);
    assert_non_null(strstr(w->diag.text, w->path));
    if (!strstr(w->diag.text, because))
        print_error("%s\n", w->diag.text);
    assert_non_null(strstr(w->diag.text, because));
    after = test_file_read(w->path, &len_after);
    assert_int_equal(len_before, len_after);
    assert_memory_equal(before, after, len_before);
    free(before);
    free(after);
}

/* ---- files that are refused ---- */

static void no_store_is_refused(void **state)
{
    struct world *w = *state;
    char text[5000];

    fed_sqlite_store_close(w->sqlite);
    w->sqlite = NULL;
    memset(text, 'x', sizeof text);
    test_file_write(w->path, text, sizeof text);
    assert_refused(w, FED_ERR_CORRUPT, "is not a store");
    test_file_write(w->path, text, 10);
    assert_refused(w, FED_ERR_CORRUPT, "cut short");
    test_file_write(w->path, text, 0);
    assert_refused(w, FED_ERR_CORRUPT, "empty");
}

static void another_programs_file_is_refused(void **state)
{
    struct world *w = *state;

    fed_sqlite_store_close(w->sqlite);
    w->sqlite = NULL;
    w->options.application_id = OUR_ID + 1;
    assert_refused(w, FED_ERR_CORRUPT, "belongs to another program");
    w->options.application_id = OUR_ID;
    reopen(w);
}

static void a_newer_version_is_refused(void **state)
{
    struct world *w = *state;
    static const unsigned char version[] = {0, 0, 0, 3};

    damage(w, 60, version, 4);
    assert_refused(w, FED_ERR_UNSUPPORTED, "newer version");
}

static void the_other_choice_of_history_is_refused(void **state)
{
    struct world *w = *state;

    fed_sqlite_store_close(w->sqlite);
    w->sqlite = NULL;
    w->options.history = false;
    assert_refused(w, FED_ERR_INVALID, "with a log of changes");
}

static void damage_anywhere_in_a_page_head_is_refused(void **state)
{
    struct world *w = *state;
    static const unsigned char garbage[16] = {0xde, 0xad, 0xbe, 0xef, 0xff, 0xff, 0xff, 0xff};
    char key[16];
    size_t size;
    unsigned char *good;

    for (unsigned i = 0; i < 200; i++) {
        snprintf(key, sizeof key, "key-%03u", i);
        put_text(w, key, "some value of some length, so that there are several pages");
    }
    fed_sqlite_store_close(w->sqlite);
    w->sqlite = NULL;
    good = test_file_read(w->path, &size);
    assert_true(size >= 8 * 4096);
    for (size_t page = 1; page < size / 4096; page++) {
        test_file_write(w->path, good, size);
        damage(w, page * 4096, garbage, sizeof garbage);
        assert_refused(w, FED_ERR_CORRUPT, "");
        assert_non_null(strstr(w->diag.text, "restore a backup"));
    }
    test_file_write(w->path, good, size - 4096);
    assert_refused(w, FED_ERR_CORRUPT, "cut short");
    test_file_write(w->path, good, size);
    reopen(w);
    assert_value(w, "key-199", "some value of some length, so that there are several pages");
    free(good);
}

static void a_missing_file_with_a_wal_is_refused(void **state)
{
    struct world *w = *state;
    char wal[TEST_PATH_MAX];

    fed_sqlite_store_close(w->sqlite);
    w->sqlite = NULL;
    test_dir_path(w->dir, "state.db-wal", wal);
    test_file_write(wal, "frames", 6);
    assert_int_equal(unlink(w->path), 0);
    assert_int_equal(try_open(w), FED_ERR_CORRUPT);
    assert_non_null(strstr(w->diag.text, "is missing"));
    assert_int_equal(access(w->path, F_OK), -1);
    assert_int_equal(unlink(wal), 0);
    reopen(w);
}

static void a_folder_that_is_not_there_is_named(void **state)
{
    struct world *w = *state;

    fed_sqlite_store_close(w->sqlite);
    w->sqlite = NULL;
    test_dir_path(w->dir, "none/state.db", w->path);
    assert_int_equal(try_open(w), FED_ERR_IO);
    assert_non_null(strstr(w->diag.text, w->path));
}

/* A kill in the middle of making a store leaves STORE.new, which is no obstacle. */
static void a_half_made_store_is_made_again(void **state)
{
    struct world *w = *state;
    char name[TEST_PATH_MAX];

    fed_sqlite_store_close(w->sqlite);
    w->sqlite = NULL;
    assert_int_equal(unlink(w->path), 0);
    test_dir_path(w->dir, "state.db.new", name);
    test_file_write(name, "half", 4);
    test_dir_path(w->dir, "state.db.new-journal", name);
    test_file_write(name, "half", 4);
    reopen(w);
    assert_int_equal(w->store->revision(w->store->ctx), 1);
    assert_int_equal(access(name, F_OK), -1);
}

/* ---- durability ---- */

/* Commits a counter for ever and tells each acknowledged one through the pipe. */
static void commit_for_ever(struct world *w, int tell)
{
    char large[6000];

    memset(large, 'v', sizeof large);
    for (uint64_t i = 1;; i++) {
        char key[24];
        char count[24];
        struct fed_store_op ops[2];

        snprintf(key, sizeof key, "data-%" PRIu64, i % 50);
        snprintf(count, sizeof count, "%" PRIu64, i);
        ops[0] = (struct fed_store_op){
            .key = fed_span_text(key), .value = fed_span_of(large, i * 37 % sizeof large)};
        ops[1] =
            (struct fed_store_op){.key = fed_span_text("count"), .value = fed_span_text(count)};
        if (w->store->commit(w->store->ctx, NULL, 0, ops, 2, NULL, NULL))
            _exit(1);
        if (write(tell, &i, sizeof i) != (ssize_t)sizeof i)
            _exit(2);
    }
}

static void kill_and_check(struct world *w, unsigned commits)
{
    uint64_t before = w->store->revision(w->store->ctx);
    uint64_t acknowledged = 0;
    uint64_t told;
    int ends[2];
    pid_t child;

    fed_sqlite_store_close(w->sqlite);
    w->sqlite = NULL;
    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        if (try_open(w))
            _exit(3);
        commit_for_ever(w, ends[1]);
    }
    close(ends[1]);
    while (read(ends[0], &told, sizeof told) == (ssize_t)sizeof told) {
        acknowledged = told;
        if (told == commits)
            kill(child, SIGKILL);
    }
    close(ends[0]);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_true(acknowledged >= commits);
    reopen(w);
    assert_int_equal(fed_sqlite_store_verify(w->sqlite, &w->diag), FED_OK);
    told = w->store->revision(w->store->ctx) - before;
    assert_true(told == acknowledged || told == acknowledged + 1);
    {
        char count[24];

        snprintf(count, sizeof count, "%" PRIu64, told);
        assert_value(w, "count", count);
    }
}

static void a_kill_loses_nothing_that_was_acknowledged(void **state)
{
    struct world *w = *state;

    for (unsigned i = 0; i < 12; i++)
        kill_and_check(w, 1 + i * 23);
}

static bool count_one(void *ctx, const struct fed_store_item *item)
{
    (void)item;
    ++*(size_t *)ctx;
    return true;
}

static void a_full_disk_refuses_and_later_goes_on(void **state)
{
    struct world *w = *state;
    char filler[TEST_PATH_MAX];
    char large[100000];
    uint64_t before;
    size_t changes = 0;
    enum fed_err err = FED_OK;

    fed_sqlite_store_close(w->sqlite);
    w->sqlite = NULL;
    if (!test_dir_limit(w->dir, 1024)) {
        skip();
        return;
    }
    reopen(w);
    memset(large, 'v', sizeof large);
    put_text(w, "a", "1");
    test_dir_path(w->dir, "filler", filler);
    test_fill_disk(filler);
    for (unsigned i = 0; i < 3; i++) {
        before = w->store->revision(w->store->ctx);
        err = put(w, "big", fed_span_of(large, sizeof large));
        assert_int_equal(err, FED_ERR_FULL);
        assert_non_null(strstr(w->diag.text, w->path));
        assert_int_equal(w->store->revision(w->store->ctx), before);
        assert_value(w, "a", "1");
    }
    assert_int_equal(unlink(filler), 0);
    put_text(w, "b", "2");
    assert_int_equal(w->store->revision(w->store->ctx), 3);
    assert_int_equal(w->store->changes(w->store->ctx, 1, fed_span_text(""), fed_span_text(""),
                         count_one, &changes),
        FED_OK);
    assert_int_equal(changes, 2);
    reopen(w);
    assert_value(w, "b", "2");
    assert_int_equal(fed_sqlite_store_verify(w->sqlite, &w->diag), FED_OK);
}

static void a_full_disk_refuses_a_new_store_and_leaves_nothing(void **state)
{
    struct world *w = *state;
    char filler[TEST_PATH_MAX];
    char name[TEST_PATH_MAX];

    fed_sqlite_store_close(w->sqlite);
    w->sqlite = NULL;
    if (!test_dir_limit(w->dir, 64)) {
        skip();
        return;
    }
    test_dir_path(w->dir, "filler", filler);
    test_fill_disk(filler);
    assert_int_equal(try_open(w), FED_ERR_FULL);
    assert_int_equal(access(w->path, F_OK), -1);
    test_dir_path(w->dir, "state.db.new", name);
    assert_int_equal(access(name, F_OK), -1);
    assert_int_equal(unlink(filler), 0);
    reopen(w);
}

/* ---- the rest ---- */

static uint64_t stamp(const char *path)
{
    struct stat st;

    if (stat(path, &st))
        return 0;
    return (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec +
           (uint64_t)st.st_size;
}

static void reading_and_refusing_write_nothing(void **state)
{
    struct world *w = *state;
    char wal[TEST_PATH_MAX];
    struct fed_store_compare compare = {.key = fed_span_text("a"), .revision = 1};
    struct fed_store_op op = {.key = fed_span_text("a")};
    struct fed_store_op absent = {.key = fed_span_text("none"), .remove = true};
    uint64_t file;
    uint64_t log;
    size_t n = 0;

    put_text(w, "a", "1");
    test_dir_path(w->dir, "state.db-wal", wal);
    file = stamp(w->path);
    log = stamp(wal);
    usleep(20000);
    assert_value(w, "a", "1");
    assert_int_equal(
        w->store->count(w->store->ctx, fed_span_text(""), fed_span_text(""), &n), FED_OK);
    assert_int_equal(
        w->store->commit(w->store->ctx, &compare, 1, &op, 1, NULL, NULL), FED_ERR_CONFLICT);
    assert_int_equal(w->store->commit(w->store->ctx, NULL, 0, &absent, 1, NULL, NULL), FED_OK);
    assert_int_equal(stamp(w->path), file);
    assert_int_equal(stamp(wal), log);
}

static void the_epoch_can_be_changed(void **state)
{
    struct world *w = *state;

    assert_int_equal(w->store->epoch(w->store->ctx), 7);
    assert_int_equal(fed_sqlite_store_set_epoch(w->sqlite, 0xffffffffu, &w->diag), FED_OK);
    assert_int_equal(w->store->epoch(w->store->ctx), 0xffffffffu);
    reopen(w);
    assert_int_equal(w->store->epoch(w->store->ctx), 0xffffffffu);
}

/* No number that a client has from before names a state of now. */
static void another_epoch_forgets_history_and_jumps(void **state)
{
    struct world *w = *state;
    size_t n = 0;

    put_text(w, "a", "1");
    assert_int_equal(fed_sqlite_store_set_epoch(w->sqlite, 9, &w->diag), FED_OK);
    assert_int_equal(w->store->revision(w->store->ctx), 2 + FED_SQLITE_EPOCH_JUMP);
    reopen(w);
    assert_int_equal(w->store->revision(w->store->ctx), 2 + FED_SQLITE_EPOCH_JUMP);
    for (uint64_t since = 1; since < 1000000; since = since * 3 + 1)
        assert_int_equal(w->store->changes(w->store->ctx, since, fed_span_text(""),
                             fed_span_text(""), count_one, &n),
            FED_ERR_GONE);
    assert_int_equal(n, 0);
    assert_value(w, "a", "1");
    put_text(w, "a", "2");
    assert_int_equal(fed_sqlite_store_verify(w->sqlite, &w->diag), FED_OK);
}

/* The oldest part goes by itself when there is too much. */
static void history_has_a_limit_in_bytes(void **state)
{
    struct world *w = *state;
    char large[8000];
    struct stat st;
    size_t n = 0;
    size_t kept = 0;

    w->options.history_kib = 256;
    reopen(w);
    memset(large, 'v', sizeof large);
    for (unsigned i = 0; i < 400; i++)
        assert_int_equal(put(w, "a", fed_span_of(large, sizeof large)), FED_OK);
    assert_int_equal(
        w->store->changes(w->store->ctx, 1, fed_span_text(""), fed_span_text(""), count_one, &n),
        FED_ERR_GONE);
    assert_int_equal(w->store->changes(w->store->ctx, w->store->revision(w->store->ctx) - 12,
                         fed_span_text(""), fed_span_text(""), count_one, &kept),
        FED_OK);
    assert_int_equal(kept, 12); /* 2 x 8000 bytes each */
    assert_int_equal(fed_sqlite_store_verify(w->sqlite, &w->diag), FED_OK);
    reopen(w); /* its size is remembered */
    assert_int_equal(put(w, "a", fed_span_of(large, sizeof large)), FED_OK);
    assert_int_equal(fed_sqlite_store_verify(w->sqlite, &w->diag), FED_OK);
    assert_int_equal(stat(w->path, &st), 0);
    assert_true(st.st_size < 2 << 20);
}

static void run_sql(struct world *w, const char *sql)
{
    sqlite3 *db = NULL;

    fed_sqlite_store_close(w->sqlite);
    w->sqlite = NULL;
    assert_int_equal(sqlite3_open(w->path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        print_error("%s\n", sqlite3_errmsg(db));
    assert_int_equal(sqlite3_errcode(db), SQLITE_OK);
    sqlite3_close(db);
}

static void a_log_of_version_1_is_forgotten_and_renewed(void **state)
{
    struct world *w = *state;
    size_t n = 0;

    put_text(w, "a", "1");
    put_text(w, "b", "2");
    run_sql(w, "BEGIN; CREATE TABLE old AS SELECT id, key, deleted, value FROM log; DROP TABLE log;"
               "CREATE TABLE log(id INTEGER PRIMARY KEY, key BLOB NOT NULL,"
               " deleted INTEGER NOT NULL, value BLOB NOT NULL);"
               "INSERT INTO log SELECT id, key, deleted, value FROM old; DROP TABLE old;"
               "DELETE FROM meta WHERE name='log_bytes'; PRAGMA user_version=1; COMMIT;");
    reopen(w);
    assert_value(w, "a", "1");
    assert_int_equal(w->store->revision(w->store->ctx), 3);
    assert_int_equal(
        w->store->changes(w->store->ctx, 2, fed_span_text(""), fed_span_text(""), count_one, &n),
        FED_ERR_GONE);
    put_text(w, "a", "3");
    assert_int_equal(
        w->store->changes(w->store->ctx, 3, fed_span_text(""), fed_span_text(""), count_one, &n),
        FED_OK);
    assert_int_equal(n, 1);
    reopen(w);
    assert_int_equal(fed_sqlite_store_verify(w->sqlite, &w->diag), FED_OK);
}

/* Files of this version were made without it for a while. */
static void an_index_that_is_missing_is_made(void **state)
{
    struct world *w = *state;
    size_t n = 0;

    put_text(w, "a", "1");
    put_text(w, "b", "2");
    run_sql(w, "DROP INDEX log_moved");
    reopen(w);
    assert_int_equal(
        w->store->count_at(w->store->ctx, 2, fed_span_text(""), fed_span_text(""), &n), FED_OK);
    assert_int_equal(n, 1);
    assert_int_equal(fed_sqlite_store_verify(w->sqlite, &w->diag), FED_OK);
}

static void a_backup_is_a_whole_store(void **state)
{
    struct world *w = *state;
    char copy[TEST_PATH_MAX];
    struct world other = {.options = w->options};

    put_text(w, "a", "1");
    put_text(w, "b", "2");
    test_dir_path(w->dir, "copy.db", copy);
    assert_int_equal(fed_sqlite_store_backup(w->sqlite, copy, &w->diag), FED_OK);
    assert_int_equal(fed_sqlite_store_backup(w->sqlite, copy, &w->diag), FED_ERR_EXISTS);
    assert_non_null(strstr(w->diag.text, copy));
    put_text(w, "b", "3"); /* goes on */
    memcpy(other.path, copy, sizeof copy);
    reopen(&other);
    assert_value(&other, "b", "2");
    assert_int_equal(other.store->revision(other.store->ctx), 3);
    assert_int_equal(fed_sqlite_store_verify(other.sqlite, &other.diag), FED_OK);
    put_text(&other, "c", "4");
    fed_sqlite_store_close(other.sqlite);
}

/* Damage that the file's own form does not show: a byte inside a value's copy in the log. */
static void verification_finds_what_the_file_form_does_not_show(void **state)
{
    struct world *w = *state;
    size_t size;
    size_t at;
    unsigned char *file;

    put_text(w, "a", "a-value-to-be-found");
    fed_sqlite_store_close(w->sqlite);
    w->sqlite = NULL;
    file = test_file_read(w->path, &size);
    for (at = 0; at + 19 <= size && memcmp(file + at, "a-value-to-be-found", 19) != 0; at++)
        ;
    free(file);
    assert_true(at + 19 <= size);
    damage(w, at, "A", 1);
    reopen(w);
    assert_int_equal(fed_sqlite_store_verify(w->sqlite, &w->diag), FED_ERR_CORRUPT);
    assert_non_null(strstr(w->diag.text, "last change is not in the log"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(no_store_is_refused),
        TEST(another_programs_file_is_refused),
        TEST(a_newer_version_is_refused),
        TEST(the_other_choice_of_history_is_refused),
        TEST(damage_anywhere_in_a_page_head_is_refused),
        TEST(a_missing_file_with_a_wal_is_refused),
        TEST(a_folder_that_is_not_there_is_named),
        TEST(a_half_made_store_is_made_again),
        TEST(a_kill_loses_nothing_that_was_acknowledged),
        TEST(a_full_disk_refuses_and_later_goes_on),
        TEST(a_full_disk_refuses_a_new_store_and_leaves_nothing),
        TEST(reading_and_refusing_write_nothing),
        TEST(the_epoch_can_be_changed),
        TEST(another_epoch_forgets_history_and_jumps),
        TEST(history_has_a_limit_in_bytes),
        TEST(a_log_of_version_1_is_forgotten_and_renewed),
        TEST(an_index_that_is_missing_is_made),
        TEST(a_backup_is_a_whole_store),
        TEST(verification_finds_what_the_file_form_does_not_show),
    };
    struct engine_ctx with = {.history = true};
    struct engine_ctx without = {.history = false};
    struct store_engine hub = {.name = "sqlite with history",
        .history = true,
        .fresh = engine_fresh,
        .reopen = engine_reopen,
        .renew = engine_renew,
        .refuse = engine_refuse,
        .allow = engine_allow,
        .drop = engine_drop,
        .ctx = &with};
    struct store_engine agent = hub;

    agent.name = "sqlite without history";
    agent.history = false;
    agent.ctx = &without;
    return store_conformance_run(&hub) + store_conformance_run(&agent) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
