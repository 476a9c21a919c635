/* files.h - the console's files, embedded at build time as gzip (embed.cmake). */
#ifndef FEDLET_HUB_CONSOLE_FILES_H
#define FEDLET_HUB_CONSOLE_FILES_H

#include <stdbool.h>
#include <stddef.h>

struct console_file {
    const char *path; /* "index.html", "assets/NAME-HASH.js" */
    const char *etag; /* with its quotes */
    const unsigned char *gzip;
    size_t len;
};
extern const struct console_file console_files[];
extern const size_t console_n_files;
extern const bool console_is_built; /* false: the page that says how to build it */

#endif
