/* journal.h - one entry for the journal in its native protocol: a datagram of fields, each
 * NAME=VALUE and a newline (https://systemd.io/JOURNAL_NATIVE_PROTOCOL). */
#ifndef FEDLET_PORTS_POSIX_JOURNAL_H
#define FEDLET_PORTS_POSIX_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>

#define POSIX_JOURNAL_SOCKET "/run/systemd/journal/socket"
#define POSIX_JOURNAL_FIELDS_MAX 8u

struct posix_journal_field {
    const char *name;
    const char *value; /* up to a newline; NULL or "": the field is left out */
};

/* n is at most POSIX_JOURNAL_FIELDS_MAX. The socket is not kept: lines are rare, and the journal
 * may start anew between two of them. Never waits. false when it was not taken. */
bool posix_journal_send(const char *path, const struct posix_journal_field *fields, size_t n);

#endif
