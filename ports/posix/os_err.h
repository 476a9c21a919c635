/* os_err.h - what an errno means to us, with the system's own sentence for the operator. */
#ifndef FEDLET_PORTS_POSIX_OS_ERR_H
#define FEDLET_PORTS_POSIX_OS_ERR_H

#include "proto/base/err.h"

/* ENOSPC and EDQUOT are FED_ERR_FULL; EACCES, EPERM and EROFS FED_ERR_FORBIDDEN; ENOENT and ENOTDIR
 * FED_ERR_NOT_FOUND; ENOMEM FED_ERR_NOMEM; all else FED_ERR_IO. */
enum fed_err fed_os_err(int error);

/* Sets "WHAT PATH: SYSTEM'S TEXT" ("cannot open /a/b: No such file or directory") for errno and
 * returns its code. */
enum fed_err fed_os_err_set(struct fed_diag *diag, const char *what, const char *path);

#endif
