/* ports_sqlite_sum_test.c - the store of an agent on flash: flipped bits, other versions of the
 * file, what a crash leaves beside it, disks that are full. */
#include "ports/sqlite/sum.h"
#include "ports/store.h"
#include "tests/unit/ports_base_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#define OUR_ID 0x46454431u
#define ROWS 60u

struct world {
    char dir[TEST_PATH_MAX];
    char path[TEST_PATH_MAX];
    uint32_t cache_kib;
    struct fed_sqlite_store *sqlite;
    struct fed_store *store;
    struct fed_diag diag;
};

static enum fed_err try_open(struct world *w)
{
    struct fed_sqlite_options options = {
        .application_id = OUR_ID, .new_epoch = 7, .cache_kib = w->cache_kib};
    enum fed_err err =
        fed_sqlite_store_open(fed_alloc_system(), w->path, &options, &w->sqlite, &w->diag);

    w->store = err ? NULL : fed_sqlite_store_port(w->sqlite);
    return err;
}

static void shut(struct world *w)
{
    fed_sqlite_store_close(w->sqlite);
    w->sqlite = NULL;
}

static void reopen(struct world *w)
{
    shut(w);
    if (try_open(w))
        fail_msg("%s", w->diag.text);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    test_dir_make(w->dir);
    test_dir_path(w->dir, "state.db", w->path);
    w->cache_kib = 128;
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    shut(w);
    test_dir_remove(w->dir);
    free(w);
    return 0;
}

static void value_of(unsigned i, char key[16], char value[700])
{
    snprintf(key, 16, "w/%03u", i);
    memset(value, 'a' + (int)(i % 26), 699);
    value[1 + i * 11] = '\0';
}

static void fill(struct world *w)
{
    for (unsigned i = 0; i < ROWS; i++) {
        char key[16];
        char value[700];
        struct fed_store_op op;

        value_of(i, key, value);
        op = (struct fed_store_op){.key = fed_span_text(key), .value = fed_span_text(value)};
        assert_int_equal(w->store->commit(w->store->ctx, NULL, 0, &op, 1, NULL, &w->diag), FED_OK);
    }
}

static void assert_filled(struct world *w)
{
    size_t n = 0;

    assert_int_equal(
        w->store->count(w->store->ctx, fed_span_text("w/"), fed_span_text("w0"), &n), FED_OK);
    assert_int_equal(n, ROWS);
    for (unsigned i = 0; i < ROWS; i++) {
        char key[16];
        char value[700];
        struct fed_buf out;

        value_of(i, key, value);
        fed_buf_init(&out, fed_alloc_system(), 1000);
        assert_int_equal(w->store->get(w->store->ctx, fed_span_text(key), &out, NULL), FED_OK);
        assert_true(fed_span_is(fed_buf_span(&out), value));
        fed_buf_fini(&out);
    }
}

/* Every bit of some bytes, one bit of every 13th: none is believed, whatever page it is in. */
static void a_flipped_bit_is_noticed(void **state)
{
    struct world *w = *state;
    unsigned char *file;
    size_t size;
    size_t flips = 0;

    reopen(w);
    fill(w);
    shut(w);
    file = test_file_read(w->path, &size);
    assert_true(size > 8 * 4096);
    for (size_t at = 0; at < size; at += at < 120 ? 1 : 13) {
        for (unsigned bit = at < 120 ? 0 : (unsigned)(at % 8); bit < 8; bit += at < 120 ? 1 : 8) {
            enum fed_err err;

            file[at] ^= (unsigned char)(1u << bit);
            test_file_write(w->path, file, size);
            err = try_open(w);
            file[at] ^= (unsigned char)(1u << bit);
            if (err != FED_ERR_CORRUPT && err != FED_ERR_UNSUPPORTED)
                fail_msg("bit %u of byte %zu: %d %s", bit, at, (int)err, w->diag.text);
            flips++;
        }
    }
    print_message("%zu flips\n", flips);
    test_file_write(w->path, file, size);
    free(file);
    reopen(w);
    assert_filled(w);
}

/* Two pages that changed their places have good sums of their own. */
static void a_page_in_another_place_is_noticed(void **state)
{
    struct world *w = *state;
    unsigned char page[4096];
    unsigned char *file;
    size_t size;

    reopen(w);
    fill(w);
    shut(w);
    file = test_file_read(w->path, &size);
    memcpy(page, file + 5 * 4096, 4096);
    memcpy(file + 5 * 4096, file + 6 * 4096, 4096);
    memcpy(file + 6 * 4096, page, 4096);
    test_file_write(w->path, file, size);
    free(file);
    assert_int_equal(try_open(w), FED_ERR_CORRUPT);
}

/* A page goes bad while the store is open. */
static void damage_under_an_open_store_is_noticed(void **state)
{
    struct world *w = *state;
    enum fed_err err = FED_OK;
    unsigned char *file;
    size_t size;
    FILE *f;

    reopen(w);
    fill(w);
    w->cache_kib = 1;
    reopen(w); /* the WAL is in the file now */
    file = test_file_read(w->path, &size);
    f = fopen(w->path, "r+b"); /* in its place, as bits flip */
    assert_non_null(f);
    for (size_t at = 4096 + 100; at < size; at += 4096) {
        fseek(f, (long)at, SEEK_SET);
        fputc(file[at] ^ 1, f);
    }
    fclose(f);
    free(file);
    for (unsigned i = 0; i < ROWS && !err; i++) {
        char key[16];
        char value[700];
        struct fed_buf out;

        value_of(i, key, value);
        fed_buf_init(&out, fed_alloc_system(), 1000);
        err = w->store->get(w->store->ctx, fed_span_text(key), &out, NULL);
        assert_true(err || fed_span_is(fed_buf_span(&out), value)); /* from the cache */
        fed_buf_fini(&out);
    }
    assert_int_equal(err, FED_ERR_CORRUPT);
}

/* ---- versions ---- */

static void sql(struct world *w, const char *text)
{
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_initialize(), SQLITE_OK);
    assert_int_equal(sqlite3_open(w->path, &db), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(db));
    sqlite3_close(db);
}

/* As agents made it before there were sums. */
static void make_version_1(struct world *w)
{
    sqlite3 *db = NULL;

    sql(w, "PRAGMA page_size=4096;BEGIN;PRAGMA application_id=1178944561;PRAGMA user_version=1;"
           "CREATE TABLE item(id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE,"
           " revision INTEGER NOT NULL, value BLOB NOT NULL);"
           "CREATE TABLE log(id INTEGER PRIMARY KEY, key BLOB NOT NULL,"
           " deleted INTEGER NOT NULL, value BLOB NOT NULL);"
           "CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
           "INSERT INTO meta VALUES('revision',61),('epoch',7),('compacted',0),('history',0);"
           "COMMIT;PRAGMA journal_mode=WAL;");
    assert_int_equal(sqlite3_open(w->path, &db), SQLITE_OK);
    for (unsigned i = 0; i < ROWS; i++) {
        sqlite3_stmt *put = NULL;
        char key[16];
        char value[700];

        value_of(i, key, value);
        assert_int_equal(
            sqlite3_prepare_v2(
                db, "INSERT INTO item(key,revision,value) VALUES(?1,?2,?3)", -1, &put, NULL),
            SQLITE_OK);
        sqlite3_bind_blob(put, 1, key, (int)strlen(key), SQLITE_STATIC);
        sqlite3_bind_int(put, 2, (int)i + 2);
        sqlite3_bind_blob(put, 3, value, (int)strlen(value), SQLITE_STATIC);
        assert_int_equal(sqlite3_step(put), SQLITE_DONE);
        sqlite3_finalize(put);
    }
    sqlite3_close(db);
}

static unsigned byte_at(struct world *w, size_t at)
{
    size_t size;
    unsigned char *file = test_file_read(w->path, &size);
    unsigned byte = at < size ? file[at] : 256;

    free(file);
    return byte;
}

static void an_older_version_gets_its_sums(void **state)
{
    struct world *w = *state;

    make_version_1(w);
    assert_int_equal(byte_at(w, 20), 0);
    reopen(w);
    assert_filled(w);
    assert_int_equal(w->store->revision(w->store->ctx), ROWS + 1);
    shut(w);
    assert_int_equal(byte_at(w, 20), FED_SUM_SIZE);
    assert_int_equal(byte_at(w, 63), 3);
    reopen(w);
    assert_filled(w);
}

/* The number was not written yet when the power went. */
static void an_upgrade_that_broke_off_is_completed(void **state)
{
    struct world *w = *state;

    make_version_1(w);
    reopen(w);
    shut(w);
    sql(w, "PRAGMA journal_mode=DELETE;"); /* writes page 1 without a sum, as a check of the test */
    assert_int_equal(try_open(w), FED_ERR_CORRUPT);
    assert_int_equal(unlink(w->path), 0);
    make_version_1(w);
    {
        sqlite3 *db = NULL;
        int reserve = FED_SUM_SIZE;

        assert_int_equal(fed_sum_register(), FED_OK);
        assert_int_equal(
            sqlite3_open_v2(w->path, &db, SQLITE_OPEN_READWRITE, FED_SUM_VFS), SQLITE_OK);
        assert_int_equal(
            sqlite3_exec(db, "PRAGMA locking_mode=EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
        sqlite3_file_control(db, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserve);
        assert_int_equal(sqlite3_exec(db, "VACUUM", NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
    }
    assert_int_equal(byte_at(w, 20), FED_SUM_SIZE);
    assert_int_equal(byte_at(w, 63), 1);
    reopen(w);
    assert_filled(w);
    shut(w);
    assert_int_equal(byte_at(w, 63), 3);
}

static void a_newer_version_is_left_as_it_is(void **state)
{
    struct world *w = *state;
    unsigned char *before;
    unsigned char *after;
    size_t len_before;
    size_t len_after;

    make_version_1(w);
    sql(w, "PRAGMA user_version=4");
    before = test_file_read(w->path, &len_before);
    assert_int_equal(try_open(w), FED_ERR_UNSUPPORTED);
    assert_non_null(strstr(w->diag.text, "written by a newer version (format 4, this program "
                                         "knows 3)"));
    after = test_file_read(w->path, &len_after);
    assert_int_equal(len_before, len_after);
    assert_memory_equal(before, after, len_before);
    free(before);
    free(after);
}

/* ---- disks ---- */

static void a_full_disk_opens_and_waits_with_the_upgrade(void **state)
{
    struct world *w = *state;
    char filler[TEST_PATH_MAX];

    if (!test_dir_limit(w->dir, 4096)) {
        skip();
        return;
    }
    make_version_1(w);
    test_dir_path(w->dir, "filler", filler);
    test_fill_disk(filler);
    reopen(w);
    assert_filled(w);
    shut(w);
    assert_int_equal(byte_at(w, 63), 1);
    assert_int_equal(unlink(filler), 0);
    reopen(w);
    assert_filled(w);
    shut(w);
    assert_int_equal(byte_at(w, 63), 3);
    /* And one with sums. */
    test_fill_disk(filler);
    reopen(w);
    assert_filled(w);
    shut(w);
    assert_int_equal(unlink(filler), 0);
}

/* The process ended without a word: the WAL has what the file has not, and an older program left
 * its -shm. */
static void what_a_crash_leaves_is_taken_in(void **state)
{
    struct world *w = *state;
    char from[TEST_PATH_MAX];
    char to[TEST_PATH_MAX];
    unsigned char *wal;
    unsigned char *file;
    size_t wal_len;
    size_t file_len;

    reopen(w);
    fill(w);
    file = test_file_read(w->path, &file_len);
    test_dir_path(w->dir, "state.db-wal", from);
    wal = test_file_read(from, &wal_len);
    assert_true(wal_len > 4096);
    shut(w);
    test_file_write(w->path, file, file_len);
    test_file_write(from, wal, wal_len);
    test_dir_path(w->dir, "state.db-shm", to);
    test_file_write(to, "stale", 5);
    free(file);
    free(wal);
    reopen(w);
    assert_filled(w);
    assert_int_equal(fed_sqlite_store_verify(w->sqlite, &w->diag), FED_OK);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_flipped_bit_is_noticed),
        TEST(a_page_in_another_place_is_noticed),
        TEST(damage_under_an_open_store_is_noticed),
        TEST(an_older_version_gets_its_sums),
        TEST(an_upgrade_that_broke_off_is_completed),
        TEST(a_newer_version_is_left_as_it_is),
        TEST(a_full_disk_opens_and_waits_with_the_upgrade),
        TEST(what_a_crash_leaves_is_taken_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
