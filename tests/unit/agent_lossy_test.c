/* agent_lossy_test.c - power cuts under the agent's state. The VFS below SQLite keeps what was not
 * synced apart; a cut drops a part of it, tears some at 512 bytes, and never touches what a sync
 * promised. After each cut the state must open, and hold what was last acknowledged, or what was
 * asked for when the power went.
 *
 * LOSSY_CUTS=50000 for a long run, LOSSY_SEED=N for another one. */
#include "agent/state.h"
#include "agent/vault.h"
#include "tests/unit/ports_base_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#define FILES 8
#define WRITES 4096
#define SECTOR 512
#define KINDS_MAX 40000u

/* ---- chance ---- */

static uint64_t seed;

static uint32_t chance(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 11) % below;
}

/* ---- the disk ---- */

/* What a file has durably is in the real one; these came since its last sync, in their order. */
struct pending {
    uint8_t *bytes; /* NULL: the file's size becomes at */
    size_t len;
    sqlite3_int64 at;
};

struct disk_file {
    char name[TEST_PATH_MAX];
    struct pending writes[WRITES];
    size_t n;
    bool made; /* the folder was not synced since */
};

static struct disk {
    struct disk_file files[FILES];
    unsigned countdown; /* steps until the power goes; 0: it does not */
    bool off;
} disk;

struct lossy {
    sqlite3_file base;
    struct disk_file *file;
    sqlite3_int64 below[];
};

static sqlite3_vfs *unix_vfs;

static sqlite3_file *below(sqlite3_file *file)
{
    return (sqlite3_file *)((struct lossy *)file)->below;
}

/* One step of the machine's life. */
static bool is_dead(void)
{
    if (!disk.off && disk.countdown > 0 && --disk.countdown == 0)
        disk.off = true;
    return disk.off;
}

static struct disk_file *file_of(const char *name)
{
    for (size_t i = 0; i < FILES; i++)
        if (strcmp(disk.files[i].name, name) == 0)
            return &disk.files[i];
    for (size_t i = 0; i < FILES; i++)
        if (disk.files[i].name[0] == '\0') {
            snprintf(disk.files[i].name, sizeof disk.files[i].name, "%s", name);
            return &disk.files[i];
        }
    fail_msg("more files than %d", FILES);
    return NULL;
}

static void forget(struct disk_file *f)
{
    for (size_t i = 0; i < f->n; i++)
        free(f->writes[i].bytes);
    f->n = 0;
}

static void note(struct disk_file *f, const void *bytes, size_t len, sqlite3_int64 at)
{
    struct pending *w = &f->writes[f->n++];

    assert_true(f->n < WRITES);
    *w = (struct pending){.bytes = bytes ? malloc(len) : NULL, .len = len, .at = at};
    if (bytes)
        memcpy(w->bytes, bytes, len);
}

static int apply(FILE *f, const struct pending *w, size_t from, size_t to)
{
    if (!w->bytes) {
        fflush(f);
        return ftruncate(fileno(f), w->at);
    }
    return fseek(f, (long)(w->at + (sqlite3_int64)from), SEEK_SET) ||
           fwrite(w->bytes + from, 1, to - from, f) != to - from;
}

static FILE *open_real(const struct disk_file *f)
{
    FILE *file = fopen(f->name, "r+b");

    return file ? file : fopen(f->name, "w+b");
}

static void settle(struct disk_file *f)
{
    FILE *file;

    if (f->n == 0)
        return;
    file = open_real(f);
    assert_non_null(file);
    for (size_t i = 0; i < f->n; i++)
        assert_int_equal(apply(file, &f->writes[i], 0, f->writes[i].len), 0);
    fclose(file);
    forget(f);
}

/* What the medium kept of one write: all, nothing, or some sectors. */
static void cut_write(FILE *file, const struct pending *w)
{
    uint32_t kind = chance(4);

    if (!w->bytes) {
        if (kind >= 2)
            (void)apply(file, w, 0, 0);
        return;
    }
    for (size_t from = 0; from < w->len && kind > 0; from += SECTOR) {
        size_t to = from + SECTOR < w->len ? from + SECTOR : w->len;

        if (kind >= 2 || chance(2))
            (void)apply(file, w, from, to);
    }
}

/* Which writes reached the medium has nothing to do with their order, in one file or between them.
 */
static void cut_power(void)
{
    for (size_t i = 0; i < FILES; i++) {
        struct disk_file *f = &disk.files[i];
        FILE *file = f->n > 0 && access(f->name, F_OK) == 0 ? fopen(f->name, "r+b") : NULL;

        for (size_t k = 0; file && k < f->n; k++)
            cut_write(file, &f->writes[k]);
        if (file)
            fclose(file);
        forget(f);
        /* A name that the folder did not hold yet. */
        if (f->made && chance(2))
            (void)unlink(f->name);
        f->made = false;
        f->name[0] = '\0';
    }
    disk.off = false;
    disk.countdown = 0;
}

/* ---- the VFS ---- */

static int lossy_close(sqlite3_file *file)
{
    struct disk_file *f = ((struct lossy *)file)->file;

    if (!disk.off)
        settle(f); /* the process lives on: what it wrote is there for the next one to read */
    return below(file)->pMethods->xClose(below(file));
}

/* The real file, and what is not there yet. */
static int lossy_read(sqlite3_file *file, void *out, int len, sqlite3_int64 at)
{
    struct disk_file *f = ((struct lossy *)file)->file;
    int rc;

    if (disk.off)
        return SQLITE_IOERR_READ;
    if (f->n > 0) {
        sqlite3_int64 size = 0;
        uint8_t *image;

        below(file)->pMethods->xFileSize(below(file), &size);
        for (size_t i = 0; i < f->n; i++)
            if (f->writes[i].at + (sqlite3_int64)f->writes[i].len > size)
                size = f->writes[i].at + (sqlite3_int64)f->writes[i].len;
        image = calloc(1, (size_t)size + 1);
        (void)below(file)->pMethods->xRead(below(file), image, (int)size, 0);
        below(file)->pMethods->xFileSize(below(file), &size);
        for (size_t i = 0; i < f->n; i++) {
            const struct pending *w = &f->writes[i];

            if (w->bytes) {
                memcpy(image + w->at, w->bytes, w->len);
                size = w->at + (sqlite3_int64)w->len > size ? w->at + (sqlite3_int64)w->len : size;
            } else {
                size = w->at;
            }
        }
        memset(out, 0, (size_t)len);
        if (at < size)
            memcpy(out, image + at, (size_t)(at + len <= size ? len : size - at));
        free(image);
        rc = at + len <= size ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
    } else {
        rc = below(file)->pMethods->xRead(below(file), out, len, at);
    }
    return rc;
}

static int lossy_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 at)
{
    if (is_dead())
        return SQLITE_IOERR_WRITE;
    note(((struct lossy *)file)->file, bytes, (size_t)len, at);
    return SQLITE_OK;
}

static int lossy_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    if (is_dead())
        return SQLITE_IOERR_TRUNCATE;
    note(((struct lossy *)file)->file, NULL, 0, size);
    return SQLITE_OK;
}

static int lossy_sync(sqlite3_file *file, int flags)
{
    (void)flags;
    if (is_dead())
        return SQLITE_IOERR_FSYNC;
    settle(((struct lossy *)file)->file);
    ((struct lossy *)file)->file->made = false; /* as SQLite syncs a new file's folder with it */
    return SQLITE_OK;
}

static int lossy_size(sqlite3_file *file, sqlite3_int64 *out)
{
    struct disk_file *f = ((struct lossy *)file)->file;
    int rc = below(file)->pMethods->xFileSize(below(file), out);

    for (size_t i = 0; i < f->n; i++) {
        const struct pending *w = &f->writes[i];

        if (!w->bytes)
            *out = w->at;
        else if (w->at + (sqlite3_int64)w->len > *out)
            *out = w->at + (sqlite3_int64)w->len;
    }
    return rc;
}

static int lossy_lock(sqlite3_file *file, int level)
{
    return below(file)->pMethods->xLock(below(file), level);
}

static int lossy_unlock(sqlite3_file *file, int level)
{
    return below(file)->pMethods->xUnlock(below(file), level);
}

static int lossy_reserved(sqlite3_file *file, int *out)
{
    return below(file)->pMethods->xCheckReservedLock(below(file), out);
}

static int lossy_control(sqlite3_file *file, int op, void *arg)
{
    return op == SQLITE_FCNTL_SIZE_HINT || op == SQLITE_FCNTL_CHUNK_SIZE
               ? SQLITE_NOTFOUND
               : below(file)->pMethods->xFileControl(below(file), op, arg);
}

static int lossy_sector(sqlite3_file *file)
{
    (void)file;
    return 4096;
}

static int lossy_device(sqlite3_file *file)
{
    (void)file;
    return 0; /* promises nothing */
}

static const sqlite3_io_methods methods = {.iVersion = 1,
    .xClose = lossy_close,
    .xRead = lossy_read,
    .xWrite = lossy_write,
    .xTruncate = lossy_truncate,
    .xSync = lossy_sync,
    .xFileSize = lossy_size,
    .xLock = lossy_lock,
    .xUnlock = lossy_unlock,
    .xCheckReservedLock = lossy_reserved,
    .xFileControl = lossy_control,
    .xSectorSize = lossy_sector,
    .xDeviceCharacteristics = lossy_device};

static int lossy_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    struct lossy *l = (struct lossy *)file;
    int exists = 0;
    int rc;

    (void)vfs;
    if (!name || disk.off)
        return SQLITE_CANTOPEN;
    unix_vfs->xAccess(unix_vfs, name, SQLITE_ACCESS_EXISTS, &exists);
    rc = unix_vfs->xOpen(unix_vfs, name, below(file), flags, out);
    l->base.pMethods = rc == SQLITE_OK ? &methods : NULL;
    if (rc == SQLITE_OK) {
        l->file = file_of(name);
        l->file->made |= !exists;
    }
    return rc;
}

static int lossy_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    (void)vfs;
    if (is_dead())
        return SQLITE_IOERR_DELETE;
    forget(file_of(name));
    file_of(name)->made = false;
    return unix_vfs->xDelete(unix_vfs, name, sync);
}

static void install(void)
{
    static sqlite3_vfs vfs;

    assert_int_equal(sqlite3_initialize(), SQLITE_OK);
    unix_vfs = sqlite3_vfs_find("unix");
    vfs = *unix_vfs;
    vfs.pNext = NULL;
    vfs.zName = "lossy";
    vfs.szOsFile += (int)sizeof(struct lossy);
    vfs.xOpen = lossy_open;
    vfs.xDelete = lossy_delete;
    assert_int_equal(sqlite3_vfs_register(&vfs, 1), SQLITE_OK);
}

/* ---- the agent's state on it ---- */

/* One number says it all: the mark, the size of the kinds and the counters follow from it. */
struct world {
    char dir[TEST_PATH_MAX];
    char path[TEST_PATH_MAX];
    struct fed_sqlite_store *sqlite;
    struct agent_state state;
    uint32_t acknowledged;
    uint32_t asked;
};

static enum fed_err open_state(struct world *w, struct fed_diag *diag)
{
    struct fed_sqlite_options options = {
        .application_id = AGENT_STATE_APPLICATION_ID, .new_epoch = 7, .cache_kib = 128};
    enum fed_err err =
        fed_sqlite_store_open(fed_alloc_system(), w->path, &options, &w->sqlite, diag);

    if (!err)
        agent_state_init(&w->state, fed_alloc_system(), fed_sqlite_store_port(w->sqlite));
    return err;
}

static size_t kinds_size(uint32_t n)
{
    return (size_t)n * 2654435761u % KINDS_MAX;
}

/* Three rows in one commit: small, of several pages, and one that comes and goes. */
static enum fed_err put(struct world *w, uint32_t n)
{
    static uint8_t bytes[KINDS_MAX];
    uint8_t mark[4] = {(uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
    struct fed_store_op ops[3] = {
        {.key = FED_SPAN_LIT("mark"), .value = fed_span_of(mark, sizeof mark)},
        {.key = FED_SPAN_LIT("kinds"), .value = fed_span_of(bytes, kinds_size(n))},
        {.key = FED_SPAN_LIT("w/now and then"),
            .value = fed_span_of(mark, sizeof mark),
            .remove = n % 3 == 0}};

    memset(bytes, (int)(n & 0xff), sizeof bytes);
    w->asked = n;
    return agent_state_commit(&w->state, ops, 3, NULL);
}

/* The number that is there; all rows must be of it. */
static uint32_t read_back(struct world *w)
{
    struct fed_buf mark;
    struct fed_buf kinds;
    uint32_t n = 0;
    enum fed_err err;

    fed_buf_init(&mark, fed_alloc_system(), 64);
    fed_buf_init(&kinds, fed_alloc_system(), KINDS_MAX + 1);
    err = w->state.store->get(w->state.store->ctx, FED_SPAN_LIT("mark"), &mark, NULL);
    if (err != FED_ERR_NOT_FOUND) {
        assert_int_equal(err, FED_OK);
        for (size_t i = 0; i < 4; i++)
            n = n << 8 | mark.at[i];
        assert_int_equal(agent_state_kinds(&w->state, &kinds), FED_OK);
        assert_int_equal(kinds.len, kinds_size(n));
        for (size_t i = 0; i < kinds.len; i++)
            assert_int_equal(kinds.at[i], n & 0xff);
        fed_buf_clear(&mark);
        err = w->state.store->get(w->state.store->ctx, FED_SPAN_LIT("w/now and then"), &mark, NULL);
        assert_int_equal(err, n % 3 == 0 ? FED_ERR_NOT_FOUND : FED_OK);
    }
    fed_buf_fini(&kinds);
    fed_buf_fini(&mark);
    return n;
}

static void one_life(struct world *w, unsigned cut)
{
    struct fed_diag diag = {""};
    uint32_t n;

    if (open_state(w, &diag))
        fail_msg("cut %u: it does not open: %s", cut, diag.text);
    n = read_back(w);
    if (n != w->acknowledged && n != w->asked)
        fail_msg("cut %u: %u is there, %u was acknowledged, %u asked for", cut, n, w->acknowledged,
            w->asked);
    assert_int_equal(fed_sqlite_store_verify(w->sqlite, &diag), FED_OK);
    w->acknowledged = w->asked = n;
    disk.countdown = 1 + chance(150);
    while (!disk.off) {
        if (!put(w, w->acknowledged + 1))
            w->acknowledged = w->asked;
        if (!disk.off && chance(12) == 0) { /* an orderly end between two starts */
            fed_sqlite_store_close(w->sqlite);
            w->sqlite = NULL;
            if (!disk.off && open_state(w, &diag) && !disk.off)
                fail_msg("cut %u: it does not open again: %s", cut, diag.text);
            if (!w->sqlite)
                break;
        }
    }
    fed_sqlite_store_close(w->sqlite);
    w->sqlite = NULL;
    cut_power();
}

static void test_power_cuts(void **state)
{
    const char *cuts_text = getenv("LOSSY_CUTS");
    const char *seed_text = getenv("LOSSY_SEED");
    unsigned cuts = cuts_text ? (unsigned)strtoul(cuts_text, NULL, 10) : 2000;
    struct world *w = calloc(1, sizeof *w);

    (void)state;
    seed = (seed_text ? strtoull(seed_text, NULL, 10) : 1) * UINT64_C(0x9e3779b97f4a7c15);
    install();
    test_dir_make(w->dir);
    test_dir_path(w->dir, "state.db", w->path);
    for (unsigned cut = 0; cut < cuts; cut++)
        one_life(w, cut);
    print_message("%u cuts, %u changes acknowledged\n", cuts, w->acknowledged);
    assert_true(w->acknowledged > cuts);
    test_dir_remove(w->dir);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_power_cuts)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
