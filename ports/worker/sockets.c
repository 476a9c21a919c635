/* sockets.c - see sockets.h. */
#include "ports/worker/sockets.h"

#include "ports/dtls/address.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#define SOCKET_BUFFER (4 * 1024 * 1024) /* a burst of notifications and its acknowledgements */
#define CONTENT_CID 25u
#define CID_AT 11u          /* behind type, version, epoch and sequence number */
#define BY_HASH 0xffffffffu /* no number of a socket: the kernel takes its hash */

#define BACKLOG 1024

struct place {
    const char *listen;
    const char *protocol;
};

static enum fed_err failed(const struct place *at, struct fed_diag *diag)
{
    return fed_diag_set(diag, errno == EADDRINUSE ? FED_ERR_EXISTS : FED_ERR_NETWORK,
        "cannot listen on %s (%s): %s", at->listen, at->protocol, strerror(errno));
}

static void buffer_raise(int fd, int force, int plain)
{
    int size = SOCKET_BUFFER;

    if (setsockopt(fd, SOL_SOCKET, force, &size, sizeof size) != 0)
        (void)setsockopt(fd, SOL_SOCKET, plain, &size, sizeof size);
}

static int share(int fd)
{
    int on = 1;

    return setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
}

/* The first one is bound alone, so that a port that somebody else has is refused, also when they
 * would share it; the others join it. */
static enum fed_err bind_at(
    int fd, struct dtls_address *address, bool first, const struct place *at, struct fed_diag *diag)
{
    struct sockaddr_storage system;
    socklen_t len = dtls_address_to_system(address, &system);

    if ((!first && share(fd) != 0) || bind(fd, (struct sockaddr *)&system, len) != 0 ||
        (first && share(fd) != 0))
        return failed(at, diag);
    len = sizeof system;
    if (getsockname(fd, (struct sockaddr *)&system, &len) != 0)
        return failed(at, diag);
    return dtls_address_from_system(&system, address);
}

static enum fed_err socket_open(struct dtls_address *address, bool first, const struct place *at,
    int *out, struct fed_diag *diag)
{
    *out = socket(address->family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*out < 0)
        return failed(at, diag);
    buffer_raise(*out, SO_RCVBUFFORCE, SO_RCVBUF);
    buffer_raise(*out, SO_SNDBUFFORCE, SO_SNDBUF);
    return bind_at(*out, address, first, at, diag);
}

static enum fed_err listener_open(struct dtls_address *address, bool first, const struct place *at,
    int *out, struct fed_diag *diag)
{
    int on = 1;
    int off = 0;

    *out = socket(address->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*out < 0)
        return failed(at, diag);
    (void)setsockopt(*out, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address->family == AF_INET6)
        (void)setsockopt(*out, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    return bind_at(*out, address, first, at, diag);
}

static enum fed_err steer(int fd, unsigned n, const struct place *at, struct fed_diag *diag)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CONTENT_CID, 0, 3),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, CID_AT),
        BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, n),
        BPF_STMT(BPF_RET | BPF_A, 0),
        BPF_STMT(BPF_RET | BPF_K, BY_HASH),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};

    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program) == 0)
        return FED_OK;
    return failed(at, diag);
}

static void close_all(int *fds, unsigned n)
{
    while (n > 0)
        if (fds[--n] >= 0)
            close(fds[n]);
}

enum fed_err worker_sockets_open(
    const char *listen, unsigned n, int *fds, uint16_t *port, struct fed_diag *diag)
{
    struct place at = {listen, "UDP"};
    struct dtls_address address;
    unsigned opened = 0;
    enum fed_err err = dtls_address_parse(listen, &address, diag);

    for (; !err && opened < n; opened++)
        err = socket_open(&address, opened == 0, &at, &fds[opened], diag);
    if (!err && n > 1)
        err = steer(fds[0], n, &at, diag);
    if (err)
        close_all(fds, opened);
    else
        *port = address.port;
    return err;
}

/* All are bound before the first one listens: a connection that comes at once is nobody's else. */
enum fed_err worker_listeners_open(
    const char *listen_at, unsigned n, int *fds, uint16_t *port, struct fed_diag *diag)
{
    struct place at = {listen_at, "TCP"};
    struct dtls_address address;
    unsigned opened = 0;
    enum fed_err err = dtls_address_parse(listen_at, &address, diag);

    for (; !err && opened < n; opened++)
        err = listener_open(&address, opened == 0, &at, &fds[opened], diag);
    for (unsigned i = 0; !err && i < n; i++)
        if (listen(fds[i], BACKLOG) != 0)
            err = failed(&at, diag);
    if (err)
        close_all(fds, opened);
    else
        *port = address.port;
    return err;
}
