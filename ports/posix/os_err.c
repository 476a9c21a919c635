/* os_err.c - see os_err.h. */
#include "ports/posix/os_err.h"

#include <errno.h>
#include <string.h>

enum fed_err fed_os_err(int error)
{
    switch (error) {
    case ENOSPC:
    case EDQUOT:
        return FED_ERR_FULL;
    case EACCES:
    case EPERM:
    case EROFS:
        return FED_ERR_FORBIDDEN;
    case ENOENT:
    case ENOTDIR:
        return FED_ERR_NOT_FOUND;
    case ENOMEM:
        return FED_ERR_NOMEM;
    default:
        return FED_ERR_IO;
    }
}

enum fed_err fed_os_err_set(struct fed_diag *diag, const char *what, const char *path)
{
    int error = errno;

    return fed_diag_set(diag, fed_os_err(error), "%s %s: %s", what, path, strerror(error));
}
