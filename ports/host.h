/* host.h - the machine that we run on: space, memory, files that are installed, and the few
 * programs of it that we ask. Implementation: ports/posix. */
#ifndef FEDLET_PORTS_HOST_H
#define FEDLET_PORTS_HOST_H

#include "proto/base/buf.h"

#include <stdbool.h>
#include <stdint.h>

/* 0 when it is not there. */
uint64_t fed_host_file_bytes(const char *path);
bool fed_host_is_there(const char *path); /* a dangling link, too */
/* What may be written in the folder's file system without being root, and how many files made.
 * FED_ERR_NOT_FOUND, FED_ERR_FORBIDDEN, FED_ERR_IO. */
FED_MUST_USE enum fed_err fed_host_space(
    const char *path, uint64_t *free_bytes, uint64_t *free_files, struct fed_diag *diag);
/* Memory that new work can have without swapping (MemAvailable), in KiB; 0 for not known. */
uint64_t fed_host_memory_kib(void);
bool fed_host_is_root(void);
/* ---- installing: each says FED_OK with *changed false when all is as wanted ---- */
FED_MUST_USE enum fed_err fed_host_copy(
    const char *from, const char *to, unsigned mode, bool *changed, struct fed_diag *diag);
FED_MUST_USE enum fed_err fed_host_link(
    const char *target, const char *path, bool *changed, struct fed_diag *diag);
/* A file, a link, an empty folder. */
FED_MUST_USE enum fed_err fed_host_remove(const char *path, bool *changed, struct fed_diag *diag);
/* The running program's own file. FED_ERR_IO. */
FED_MUST_USE enum fed_err fed_host_program(char *out, size_t size, struct fed_diag *diag);
/* Runs a program, found by PATH, without a shell and waits for it; what it prints is appended to
 * out, NULL for nowhere (stderr goes where ours goes). FED_ERR_IO with its exit code in diag, 127
 * when there is none. */
FED_MUST_USE enum fed_err fed_host_run(
    const char *const *argv, struct fed_buf *out, struct fed_diag *diag);

#endif
