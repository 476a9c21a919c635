/* journal.c - see journal.h. */
#include "ports/posix/journal.h"

#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static size_t add(struct iovec *to, const char *text)
{
    /* sendmsg only reads. */
    *to = (struct iovec){.iov_base = (void *)(uintptr_t)text, .iov_len = strcspn(text, "\n")};
    return 1;
}

static size_t add_field(struct iovec *to, const struct posix_journal_field *field)
{
    static char newline[] = "\n";
    size_t n = 0;

    if (!field->value || !field->value[0])
        return 0;
    n += add(&to[n], field->name);
    n += add(&to[n], "=");
    n += add(&to[n], field->value);
    to[n++] = (struct iovec){.iov_base = newline, .iov_len = 1};
    return n;
}

bool posix_journal_send(const char *path, const struct posix_journal_field *fields, size_t n)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct iovec parts[4 * POSIX_JOURNAL_FIELDS_MAX];
    struct msghdr message = {.msg_name = &address, .msg_namelen = sizeof address, .msg_iov = parts};
    bool sent;
    int fd;

    if (strlen(path) >= sizeof address.sun_path)
        return false;
    memcpy(address.sun_path, path, strlen(path));
    for (size_t i = 0; i < n; i++)
        message.msg_iovlen += add_field(&parts[message.msg_iovlen], &fields[i]);
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
    close(fd);
    return sent;
}
