/* sum.c - see sum.h. */
#include "ports/sqlite/sum.h"

#include <sqlite3.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PAGE_MIN 512
#define RESERVED_AT 20u

struct sum_file {
    sqlite3_file base;     /* what SQLite sees */
    bool summed;           /* as the header says, once it was read or written */
    sqlite3_int64 below[]; /* the file of the VFS below */
};

static sqlite3_file *below(sqlite3_file *file)
{
    return (sqlite3_file *)((struct sum_file *)file)->below;
}

/* Each step can be undone, so another word anywhere is another sum. */
static void sum(const uint8_t *page, size_t len, sqlite3_int64 place, uint8_t out[FED_SUM_SIZE])
{
    uint32_t a = (uint32_t)((uint64_t)place >> 9);
    uint32_t b = 0x66646c74u;

    for (size_t i = 0; i < len; i += 4) {
        uint32_t word = (uint32_t)page[i] | (uint32_t)page[i + 1] << 8 |
                        (uint32_t)page[i + 2] << 16 | (uint32_t)page[i + 3] << 24;

        a += word + b;
        b = (b << 7 | b >> 25) + a;
    }
    for (size_t i = 0; i < 4; i++) {
        out[i] = (uint8_t)(a >> (8 * i));
        out[4 + i] = (uint8_t)(b >> (8 * i));
    }
}

static bool is_page(int len, sqlite3_int64 at)
{
    return len >= PAGE_MIN && (len & (len - 1)) == 0 && at % len == 0;
}

static void look_at_header(struct sum_file *f, const uint8_t *bytes, int len, sqlite3_int64 at)
{
    if (at == 0 && len > (int)RESERVED_AT && memcmp(bytes, "SQLite format 3", 16) == 0)
        f->summed = bytes[RESERVED_AT] == FED_SUM_SIZE;
}

static int file_close(sqlite3_file *file)
{
    return below(file)->pMethods->xClose(below(file));
}

static int file_read(sqlite3_file *file, void *out, int len, sqlite3_int64 at)
{
    struct sum_file *f = (struct sum_file *)file;
    int rc = below(file)->pMethods->xRead(below(file), out, len, at);
    uint8_t is[FED_SUM_SIZE];
    size_t body;

    if (rc != SQLITE_OK)
        return rc;
    look_at_header(f, out, len, at);
    if (!f->summed || !is_page(len, at))
        return SQLITE_OK;
    body = (size_t)len - FED_SUM_SIZE;
    sum(out, body, at, is);
    return memcmp((const uint8_t *)out + body, is, sizeof is) == 0 ? SQLITE_OK : SQLITE_IOERR_DATA;
}

/* SQLite lends its own copy of the page, whose reserved bytes are ours. */
static int file_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 at)
{
    struct sum_file *f = (struct sum_file *)file;

    look_at_header(f, bytes, len, at);
    if (f->summed && is_page(len, at)) {
        size_t body = (size_t)len - FED_SUM_SIZE;

        sum(bytes, body, at, (uint8_t *)(uintptr_t)bytes + body);
    }
    return below(file)->pMethods->xWrite(below(file), bytes, len, at);
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return below(file)->pMethods->xTruncate(below(file), size);
}

static int file_sync(sqlite3_file *file, int flags)
{
    return below(file)->pMethods->xSync(below(file), flags);
}

static int file_size(sqlite3_file *file, sqlite3_int64 *out)
{
    return below(file)->pMethods->xFileSize(below(file), out);
}

static int file_lock(sqlite3_file *file, int level)
{
    return below(file)->pMethods->xLock(below(file), level);
}

static int file_unlock(sqlite3_file *file, int level)
{
    return below(file)->pMethods->xUnlock(below(file), level);
}

static int file_reserved(sqlite3_file *file, int *out)
{
    return below(file)->pMethods->xCheckReservedLock(below(file), out);
}

static int file_control(sqlite3_file *file, int op, void *arg)
{
    return below(file)->pMethods->xFileControl(below(file), op, arg);
}

static int file_sector(sqlite3_file *file)
{
    return below(file)->pMethods->xSectorSize(below(file));
}

static int file_device(sqlite3_file *file)
{
    return below(file)->pMethods->xDeviceCharacteristics(below(file));
}

/* Version 1: neither shared memory nor mapped pages, which would go past the sums. */
static const sqlite3_io_methods methods = {.iVersion = 1,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_device};

/* Journals, WALs and temporary files are the VFS's below. */
static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    sqlite3_vfs *base = sqlite3_vfs_find(NULL);
    struct sum_file *f = (struct sum_file *)file;
    int rc;

    (void)vfs;
    if (!(flags & SQLITE_OPEN_MAIN_DB))
        return base->xOpen(base, name, file, flags, out);
    f->summed = false;
    rc = base->xOpen(base, name, below(file), flags, out);
    f->base.pMethods = rc == SQLITE_OK ? &methods : NULL;
    return rc;
}

enum fed_err fed_sum_register(void)
{
    static sqlite3_vfs vfs; /* SQLite keeps it */
    sqlite3_vfs *base = sqlite3_vfs_find(NULL);

    if (sqlite3_vfs_find(FED_SUM_VFS))
        return FED_OK;
    if (!base)
        return FED_ERR_INTERNAL;
    vfs = *base;
    vfs.pNext = NULL;
    vfs.zName = FED_SUM_VFS;
    vfs.szOsFile += (int)sizeof(struct sum_file);
    vfs.xOpen = vfs_open;
    return sqlite3_vfs_register(&vfs, 0) == SQLITE_OK ? FED_OK : FED_ERR_INTERNAL;
}
