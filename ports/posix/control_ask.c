/* control_ask.c - the command line's end of the control socket; see ports/control.h and
 * control_wire.h. */
#include "ports/control.h"

#include "ports/posix/control_wire.h"
#include "ports/posix/os_err.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* One question under way. */
struct question {
    const char *path;
    int fd;
    uint64_t until_ms; /* monotonic */
    struct fed_diag *diag;
};

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

/* Waits for the events of poll(2); events 0 waits for wait_ms alone. */
static enum fed_err wait_for(struct question *q, short events, int wait_ms)
{
    struct pollfd one = {.fd = events ? q->fd : -1, .events = events};
    uint64_t now = now_ms();

    if (now >= q->until_ms)
        return fed_diag_set(q->diag, FED_ERR_TIMEOUT, "%s: no answer in time", q->path);
    if ((uint64_t)wait_ms > q->until_ms - now)
        wait_ms = (int)(q->until_ms - now);
    if (poll(&one, 1, wait_ms) < 0 && errno != EINTR)
        return fed_os_err_set(q->diag, "cannot wait for", q->path);
    return FED_OK;
}

static enum fed_err question_connect(struct question *q, const struct sockaddr_un *address)
{
    while (connect(q->fd, (const struct sockaddr *)address, sizeof *address)) {
        enum fed_err err = FED_OK;

        if (errno == ENOENT || errno == ECONNREFUSED)
            return fed_diag_set(q->diag, FED_ERR_NOT_FOUND,
                "no service is running (nobody listens on %s)", q->path);
        if (errno == EAGAIN)
            err = wait_for(q, 0, 20); /* its queue is full; there is no event for that */
        else if (errno != EINTR)
            err = fed_os_err_set(q->diag, "cannot connect to", q->path);
        if (err)
            return err;
    }
    return FED_OK;
}

static enum fed_err question_send(struct question *q, struct fed_span rest)
{
    while (rest.len > 0) {
        ssize_t n = send(q->fd, rest.at, rest.len, MSG_NOSIGNAL);
        enum fed_err err = FED_OK;

        if (n >= 0)
            rest = fed_span_sub(rest, (size_t)n, rest.len);
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            err = wait_for(q, POLLOUT, 1000);
        else if (errno != EINTR)
            err = fed_os_err_set(q->diag, "cannot send to", q->path);
        if (err)
            return err;
    }
    return FED_OK;
}

/* All until the service closes. */
static enum fed_err question_read(struct question *q, struct fed_buf *answer)
{
    uint8_t part[4096];

    for (;;) {
        ssize_t n = recv(q->fd, part, sizeof part, 0);
        enum fed_err err = FED_OK;

        if (n == 0)
            return FED_OK;
        if (n > 0)
            fed_buf_put(answer, fed_span_of(part, (size_t)n));
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            err = wait_for(q, POLLIN, 1000);
        else if (errno != EINTR)
            err = fed_os_err_set(q->diag, "cannot read from", q->path);
        if (!err && fed_buf_err(answer))
            err = fed_diag_set(q->diag, fed_buf_err(answer), "answer of %s: %s", q->path,
                fed_err_text(fed_buf_err(answer)));
        if (err)
            return err;
    }
}

/* Takes the head "ok LENGTH\n" or "error LENGTH\n" off the answer. */
static enum fed_err take_head(struct fed_span *answer, bool *ok)
{
    size_t line = fed_span_find(fed_span_sub(*answer, 0, FED_CONTROL_HEAD_MAX), '\n');
    struct fed_span head = fed_span_sub(*answer, 0, line);
    struct fed_span word;
    uint64_t len;

    *answer = fed_span_sub(*answer, line + 1, answer->len);
    if (!fed_span_split(&head, ' ', &word) || fed_span_to_u64(head, &len))
        return FED_ERR_TRUNCATED;
    *ok = fed_span_is(word, "ok");
    if (len != answer->len || (!*ok && !fed_span_is(word, "error")))
        return FED_ERR_TRUNCATED;
    return FED_OK;
}

static enum fed_err take_answer(struct question *q, struct fed_span answer, struct fed_buf *out)
{
    bool ok;
    enum fed_err err = take_head(&answer, &ok);

    if (err)
        return fed_diag_set(
            q->diag, FED_ERR_CLOSED, "%s: the service ended before it had answered", q->path);
    if (!ok)
        return fed_diag_set(q->diag, FED_ERR_INVALID, FED_SPAN_FMT, FED_SPAN_ARG(answer));
    fed_buf_put(out, answer);
    err = fed_buf_err(out);
    if (err)
        return fed_diag_set(q->diag, err, "answer of %s: %s", q->path, fed_err_text(err));
    return FED_OK;
}

static enum fed_err question_ask(struct question *q, struct fed_alloc *mem,
    const struct sockaddr_un *address, struct fed_span request, struct fed_buf *out)
{
    struct fed_buf answer;
    enum fed_err err = question_connect(q, address);

    fed_buf_init(&answer, mem, FED_CONTROL_ANSWER_MAX + FED_CONTROL_HEAD_MAX);
    if (!err)
        err = question_send(q, request);
    if (!err)
        err = question_send(q, FED_SPAN_LIT("\n"));
    if (!err)
        err = question_read(q, &answer);
    if (!err)
        err = take_answer(q, fed_buf_span(&answer), out);
    fed_buf_fini(&answer);
    return err;
}

enum fed_err fed_control_ask(struct fed_alloc *mem, const char *path, struct fed_span request,
    unsigned timeout_ms, struct fed_buf *out, struct fed_diag *diag)
{
    struct question q = {.path = path, .until_ms = now_ms() + timeout_ms, .diag = diag};
    struct sockaddr_un address;
    enum fed_err err = fed_control_address(path, &address, diag);

    if (err)
        return err;
    if (request.len > FED_CONTROL_REQUEST_MAX || fed_span_find(request, '\n') < request.len)
        return fed_diag_set(diag, FED_ERR_INVALID, "a request is one line of at most %u bytes",
            FED_CONTROL_REQUEST_MAX);
    q.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (q.fd < 0)
        return fed_os_err_set(diag, "cannot make a socket for", path);
    err = question_ask(&q, mem, &address, request, out);
    close(q.fd);
    return err;
}
