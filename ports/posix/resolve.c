/* resolve.c - see ports/resolve.h. A child asks the system's resolver and writes what it learned
 * into a pipe: u8 0 and the addresses, or u8 1 and a sentence. Our processes have one thread, so a
 * fork is whole; the child keeps nothing but its end of the pipe, so that no socket or lock lives
 * on in it.
 *
 * The last good answers are kept, for when there is no other: whoever has the address proves who he
 * is, so one that is out of date costs a try, while a site whose resolver fails would be cut off
 * from a hub that is still there. */
#include "ports/resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT_MAX 200u
#define HOST_MAX 253u     /* RFC 1035 section 2.3.4 */
#define KEPT_MAX 4u       /* names: a hub by two bindings or two names, an API server */
#define PATIENCE_MS 3000u /* with a resolver that says nothing, when there is an answer of before  \
                           */

struct answer {
    uint8_t failed;
    uint32_t n;
    struct fed_resolve_address addresses[FED_RESOLVE_MAX];
    char text[TEXT_MAX];
};

struct kept {
    char host[HOST_MAX + 1]; /* "": none */
    size_t n;
    struct fed_resolve_address addresses[FED_RESOLVE_MAX];
};

static struct kept kept[KEPT_MAX]; /* of the process, as the resolver's own settings are */
static unsigned kept_next;

struct fed_resolve {
    struct fed_alloc *mem;
    struct fed_loop *loop;
    fed_resolve_done *done;
    void *done_ctx;
    pid_t child;
    int fd;
    struct fed_watch *watch;
    struct fed_timer *timer; /* NULL unless an answer is kept */
    char host[HOST_MAX + 1];
    size_t len; /* bytes of the answer that are here */
    union {
        struct answer answer;
        uint8_t bytes[sizeof(struct answer)];
    } in;
};

bool fed_resolve_literal(const char *host, struct fed_resolve_address *out)
{
    const char *percent = strchr(host, '%');
    char bare[INET6_ADDRSTRLEN];
    size_t len = percent ? (size_t)(percent - host) : strlen(host);

    *out = (struct fed_resolve_address){.len = 4};
    if (inet_pton(AF_INET, host, out->bytes) == 1)
        return true;
    if (len >= sizeof(bare))
        return false;
    memcpy(bare, host, len);
    bare[len] = 0;
    out->len = 16;
    out->scope = percent ? if_nametoindex(percent + 1) : 0;
    return inet_pton(AF_INET6, bare, out->bytes) == 1 && (!percent || out->scope);
}

/* ---- the child ---- */

static void add(struct answer *a, const struct addrinfo *found)
{
    struct fed_resolve_address *to = &a->addresses[a->n];

    if (found->ai_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)found->ai_addr;

        to->len = 4;
        memcpy(to->bytes, &v4->sin_addr, 4);
    } else if (found->ai_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)found->ai_addr;

        to->len = 16;
        memcpy(to->bytes, &v6->sin6_addr, 16);
        to->scope = v6->sin6_scope_id;
    } else {
        return;
    }
    a->n++;
}

static void look_up(const char *host, struct answer *a)
{
    /* Only kinds of addresses that this machine has itself, RFC 6724 order. */
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *found = NULL;
    int rc = getaddrinfo(host, NULL, &hints, &found);

    for (const struct addrinfo *at = rc ? NULL : found; at && a->n < FED_RESOLVE_MAX;
         at = at->ai_next)
        add(a, at);
    a->failed = a->n == 0;
    if (a->failed)
        snprintf(a->text, sizeof(a->text), "%s",
            rc == EAI_SYSTEM ? strerror(errno)
            : rc             ? gai_strerror(rc)
                             : "no address");
}

static _Noreturn void child_run(const char *host, int fd)
{
    struct answer a;
    size_t sent = 0;

    memset(&a, 0, sizeof(a));
    for (int other = (int)sysconf(_SC_OPEN_MAX) > 4096 ? 4096 : (int)sysconf(_SC_OPEN_MAX);
         other > 2; other--)
        if (other != fd)
            close(other);
    look_up(host, &a);
    while (sent < sizeof(a)) {
        ssize_t n = write(fd, (const uint8_t *)&a + sent, sizeof(a) - sent);

        if (n < 0 && errno != EINTR)
            break;
        sent += n > 0 ? (size_t)n : 0;
    }
    _exit(0);
}

/* ---- answers of before ---- */

static struct kept *find(const char *host)
{
    for (unsigned i = 0; i < KEPT_MAX; i++)
        if (host[0] && strcmp(kept[i].host, host) == 0)
            return &kept[i];
    return NULL;
}

static void keep(const char *host, const struct answer *a)
{
    struct kept *k = find(host);

    if (!host[0])
        return; /* longer than names are */
    if (!k)
        k = &kept[kept_next++ % KEPT_MAX];
    memcpy(k->host, host, sizeof(k->host));
    k->n = a->n;
    memcpy(k->addresses, a->addresses, sizeof(k->addresses));
}

/* ---- the parent ---- */

static void release(struct fed_resolve *r)
{
    int status;

    if (r->watch)
        r->loop->watch_free(r->loop->ctx, r->watch);
    r->loop->timer_free(r->loop->ctx, r->timer);
    if (r->fd >= 0)
        close(r->fd);
    if (r->child > 0) {
        kill(r->child, SIGKILL); /* it has said all, or nobody listens any more */
        while (waitpid(r->child, &status, 0) < 0 && errno == EINTR)
            ;
    }
    fed_alloc_free(r->mem, r, sizeof(*r));
}

static void conclude(struct fed_resolve *r)
{
    struct answer a = r->in.answer;
    bool whole = r->len == sizeof(a) && a.n <= FED_RESOLVE_MAX;
    fed_resolve_done *done = r->done;
    const struct kept *before = find(r->host);
    void *ctx = r->done_ctx;
    struct fed_diag diag = {""};

    if (whole && !a.failed) {
        keep(r->host, &a);
    } else if (before) {
        a.n = (uint32_t)before->n;
        memcpy(a.addresses, before->addresses, sizeof(a.addresses));
    }
    release(r);
    if (before || (whole && !a.failed)) {
        done(ctx, FED_OK, a.addresses, a.n, NULL);
        return;
    }
    a.text[TEXT_MAX - 1] = 0;
    fed_diag_set(&diag, FED_ERR_NETWORK, "the name cannot be resolved: %s",
        whole ? a.text : "the resolver ended without an answer");
    done(ctx, FED_ERR_NETWORK, NULL, 0, &diag);
}

static void on_ready(void *ctx, unsigned events)
{
    struct fed_resolve *r = ctx;
    ssize_t n = read(r->fd, r->in.bytes + r->len, sizeof(r->in) - r->len);

    (void)events;
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n > 0)
        r->len += (size_t)n;
    if (n <= 0 || r->len == sizeof(r->in))
        conclude(r);
}

static void on_patience(void *ctx)
{
    conclude(ctx);
}

static enum fed_err start_child(struct fed_resolve *r, const char *host, struct fed_diag *diag)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
        return fed_diag_set(diag, FED_ERR_NETWORK, "look-up: pipe: %s", strerror(errno));
    r->fd = ends[0];
    (void)fcntl(ends[1], F_SETFL, 0); /* the child may wait */
    r->child = fork();
    if (r->child == 0)
        child_run(host, ends[1]);
    close(ends[1]);
    if (r->child < 0)
        return fed_diag_set(diag, FED_ERR_NETWORK, "look-up: fork: %s", strerror(errno));
    return r->loop->watch_new(r->loop->ctx, r->fd, FED_LOOP_READ, on_ready, r, &r->watch);
}

/* Without memory for a timer it is waited as long as the resolver takes. */
static void start_timer(struct fed_resolve *r)
{
    if (find(r->host) && !r->loop->timer_new(r->loop->ctx, on_patience, r, &r->timer))
        r->loop->timer_set(r->loop->ctx, r->timer, fed_loop_now_ms(r->loop) + PATIENCE_MS);
}

enum fed_err fed_resolve_start(struct fed_alloc *mem, struct fed_loop *loop, const char *host,
    fed_resolve_done *done, void *done_ctx, struct fed_resolve **out, struct fed_diag *diag)
{
    struct fed_resolve *r = fed_alloc_zero(mem, sizeof(*r));
    enum fed_err err;

    if (!r)
        return fed_diag_set(diag, FED_ERR_NOMEM, "look-up: out of memory");
    r->mem = mem;
    r->loop = loop;
    r->done = done;
    r->done_ctx = done_ctx;
    r->fd = -1;
    if (strlen(host) <= HOST_MAX)
        memcpy(r->host, host, strlen(host));
    err = start_child(r, host, diag);
    if (err) {
        release(r);
        return err;
    }
    start_timer(r);
    *out = r;
    return FED_OK;
}

void fed_resolve_cancel(struct fed_resolve *resolve)
{
    if (resolve)
        release(resolve);
}
