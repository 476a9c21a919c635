/* sum.h - every page of a file with a sum over its bytes and its place, so that a flipped bit, or a
 * page that went elsewhere, is noticed when it is read and never believed.
 *
 * A VFS on top of the process's default one. The sum is in the last FED_SUM_SIZE bytes of each
 * page, which SQLite leaves to us when the file's header says so (file format, section 1.3.4:
 * reserved bytes, at 20); files whose header does not are passed through as they are. The WAL has
 * sums of its own, which SQLite checks when it takes one in.
 *
 * There is no shared memory: a file is used by one process, in PRAGMA locking_mode=EXCLUSIVE. So
 * there is no -shm file either, which a full disk would not let be made. */
#ifndef FEDLET_PORTS_SQLITE_SUM_H
#define FEDLET_PORTS_SQLITE_SUM_H

#include "proto/base/err.h"

#define FED_SUM_SIZE 8u
#define FED_SUM_VFS "fedlet-sums"

/* Makes it known to SQLite, once per process; again does nothing. */
FED_MUST_USE enum fed_err fed_sum_register(void);

#endif
