/* ports_base_control_test.c - both ends of the control socket, and the service manager's one. */
#include "ports/control.h"
#include "tests/unit/ports_base_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define LARGE (FED_CONTROL_ANSWER_MAX)

struct world {
    char dir[TEST_PATH_MAX];
    char path[TEST_PATH_MAX];
    struct fed_linux_loop *linux_loop;
    struct fed_loop *loop;
    struct fed_control_server *server;
    struct fed_diag diag;
};

static enum fed_err handler(
    void *ctx, struct fed_span request, struct fed_buf *out, struct fed_diag *diag)
{
    struct world *w = ctx;

    if (fed_span_is(request, "stop")) {
        w->loop->stop(w->loop->ctx);
        return FED_OK;
    }
    if (fed_span_is(request, "fail"))
        return fed_diag_set(diag, FED_ERR_CONFLICT, "no: because");
    if (fed_span_is(request, "plain"))
        return FED_ERR_BUSY;
    if (fed_span_is(request, "large"))
        for (size_t i = 0; i < LARGE; i++)
            fed_buf_put_u8(out, (uint8_t)('a' + i % 26));
    else if (fed_span_is(request, "too large"))
        for (size_t i = 0; i < LARGE + 1; i++)
            fed_buf_put_u8(out, 'a');
    else
        fed_buf_printf(out, "{\"len\":%zu}", request.len);
    return FED_OK;
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    test_dir_make(w->dir);
    test_dir_path(w->dir, "control", w->path);
    assert_int_equal(fed_linux_loop_open(fed_alloc_system(), &w->linux_loop, NULL), FED_OK);
    w->loop = fed_linux_loop_port(w->linux_loop);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    fed_control_server_close(w->server);
    fed_linux_loop_close(w->linux_loop);
    test_dir_remove(w->dir);
    free(w);
    return 0;
}

static enum fed_err server_open(struct world *w)
{
    return fed_control_server_open(
        fed_alloc_system(), w->loop, NULL, w->path, handler, w, &w->server, &w->diag);
}

static enum fed_err ask(struct world *w, const char *request, struct fed_buf *out)
{
    return fed_control_ask(
        fed_alloc_system(), w->path, fed_span_text(request), 5000, out, &w->diag);
}

/* Serves in this process, asks in a child; the child's exit code is the line of the first failed
 * check, modulo 256. */
static void serve_while(struct world *w, int (*client)(struct world *w))
{
    int status = -1;
    pid_t child;

    if (!w->server)
        assert_int_equal(server_open(w), FED_OK);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct fed_buf out;
        int code = client(w);

        fed_buf_init(&out, fed_alloc_system(), 100);
        if (ask(w, "stop", &out))
            kill(getppid(), SIGKILL); /* else it would serve for ever */
        _exit(code);
    }
    assert_int_equal(fed_linux_loop_run(w->linux_loop), FED_OK);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(                                                                               \
                stderr, "%s:%d: not so: %s (%s)\n", __FILE__, __LINE__, #condition, w->diag.text); \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

static int client_asks(struct world *w)
{
    static char longest[FED_CONTROL_REQUEST_MAX + 2];
    struct fed_buf out;

    fed_buf_init(&out, fed_alloc_system(), 2u << 20);
    CHECK(ask(w, "status", &out) == FED_OK);
    CHECK(fed_span_is(fed_buf_span(&out), "{\"len\":6}"));
    fed_buf_clear(&out);
    CHECK(ask(w, "", &out) == FED_OK);
    CHECK(fed_span_is(fed_buf_span(&out), "{\"len\":0}"));
    fed_buf_clear(&out);
    CHECK(ask(w, "large", &out) == FED_OK);
    CHECK(out.len == LARGE && out.at[LARGE - 1] == 'a' + (LARGE - 1) % 26);
    fed_buf_clear(&out);
    memset(longest, 'x', FED_CONTROL_REQUEST_MAX);
    CHECK(ask(w, longest, &out) == FED_OK);
    CHECK(fed_span_is(fed_buf_span(&out), "{\"len\":4096}"));
    fed_buf_clear(&out);
    longest[FED_CONTROL_REQUEST_MAX] = 'x';
    CHECK(ask(w, longest, &out) == FED_ERR_INVALID);
    CHECK(ask(w, "two\nlines", &out) == FED_ERR_INVALID);
    CHECK(out.len == 0);
    fed_buf_fini(&out);
    return 0;
}

static void questions_are_answered(void **state)
{
    serve_while(*state, client_asks);
}

static int client_fails(struct world *w)
{
    struct fed_buf out;

    fed_buf_init(&out, fed_alloc_system(), 100);
    CHECK(ask(w, "fail", &out) == FED_ERR_INVALID);
    CHECK(strcmp(w->diag.text, "no: because") == 0);
    CHECK(ask(w, "plain", &out) == FED_ERR_INVALID);
    CHECK(strcmp(w->diag.text, "busy") == 0);
    CHECK(ask(w, "too large", &out) == FED_ERR_INVALID);
    CHECK(strcmp(w->diag.text, "larger than its limit") == 0);
    CHECK(ask(w, "large", &out) == FED_ERR_LIMIT); /* of our own buffer */
    fed_buf_fini(&out);
    return 0;
}

static void errors_of_the_service_come_back_as_text(void **state)
{
    serve_while(*state, client_fails);
}

static int raw_connect(struct world *w)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%.100s", w->path);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address)) {
        close(fd);
        return -1;
    }
    return fd;
}

static int client_is_rude(struct world *w)
{
    static char flood[3 * FED_CONTROL_REQUEST_MAX];
    struct fed_buf out;
    char byte;
    int fd;

    fed_buf_init(&out, fed_alloc_system(), 100);
    /* Goes away at once, goes away in the middle, does not take its answer, never ends its line. */
    close(raw_connect(w));
    fd = raw_connect(w);
    CHECK(write(fd, "stat", 4) == 4);
    close(fd);
    fd = raw_connect(w);
    CHECK(write(fd, "large\n", 6) == 6);
    close(fd);
    fd = raw_connect(w);
    memset(flood, 'x', sizeof flood);
    (void)!send(fd, flood, sizeof flood, MSG_NOSIGNAL);
    while (read(fd, &byte, 1) > 0)
        ;
    close(fd);
    /* Those that only hang take places, not the service. */
    for (int i = 0; i < 7; i++)
        CHECK(raw_connect(w) >= 0);
    CHECK(ask(w, "status", &out) == FED_OK);
    fed_buf_fini(&out);
    return 0;
}

static void rude_clients_do_not_harm(void **state)
{
    serve_while(*state, client_is_rude);
}

static void the_socket_is_for_its_owner_only_and_goes_at_the_end(void **state)
{
    struct world *w = *state;
    struct stat st;

    assert_int_equal(server_open(w), FED_OK);
    assert_int_equal(stat(w->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    fed_control_server_close(w->server);
    w->server = NULL;
    assert_int_equal(access(w->path, F_OK), -1);
}

static void without_service_nothing_is_found(void **state)
{
    struct world *w = *state;
    struct fed_buf out;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    fed_buf_init(&out, fed_alloc_system(), 100);
    assert_int_equal(ask(w, "status", &out), FED_ERR_NOT_FOUND);
    assert_non_null(strstr(w->diag.text, w->path));
    /* The socket of a killed service: bound by nobody. */
    snprintf(address.sun_path, sizeof address.sun_path, "%.100s", w->path);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    close(fd);
    assert_int_equal(ask(w, "status", &out), FED_ERR_NOT_FOUND);
    serve_while(w, client_asks); /* takes its place */
    fed_buf_fini(&out);
}

static void a_second_service_and_foreign_files_are_refused(void **state)
{
    struct world *w = *state;
    struct fed_control_server *second = NULL;

    assert_int_equal(server_open(w), FED_OK);
    assert_int_equal(fed_control_server_open(
                         fed_alloc_system(), w->loop, NULL, w->path, handler, w, &second, &w->diag),
        FED_ERR_BUSY);
    fed_control_server_close(w->server);
    w->server = NULL;
    test_file_write(w->path, "mine", 4);
    assert_int_equal(server_open(w), FED_ERR_EXISTS);
    assert_int_equal(access(w->path, F_OK), 0);
}

static void a_path_that_is_too_long_is_refused(void **state)
{
    struct world *w = *state;
    char path[200];
    struct fed_buf out;

    memset(path, 'a', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    fed_buf_init(&out, fed_alloc_system(), 100);
    assert_int_equal(fed_control_server_open(
                         fed_alloc_system(), w->loop, NULL, path, handler, w, &w->server, &w->diag),
        FED_ERR_LIMIT);
    assert_int_equal(
        fed_control_ask(fed_alloc_system(), path, FED_SPAN_LIT("x"), 10, &out, &w->diag),
        FED_ERR_LIMIT);
    assert_non_null(strstr(w->diag.text, "107"));
}

/* Nobody runs the loop, so nobody answers. */
static void a_silent_service_times_out(void **state)
{
    struct world *w = *state;
    struct fed_buf out;

    fed_buf_init(&out, fed_alloc_system(), 100);
    assert_int_equal(server_open(w), FED_OK);
    assert_int_equal(
        fed_control_ask(fed_alloc_system(), w->path, FED_SPAN_LIT("status"), 50, &out, &w->diag),
        FED_ERR_TIMEOUT);
    assert_non_null(strstr(w->diag.text, w->path));
}

/* ---- HTTP ---- */

static enum fed_err http_handler(
    void *ctx, struct fed_span request, struct fed_buf *out, struct fed_diag *diag)
{
    struct world *w = ctx;

    if (fed_span_is(request, "/stop"))
        w->loop->stop(w->loop->ctx);
    else if (!fed_span_is(request, "/metrics"))
        return fed_diag_set(diag, FED_ERR_NOT_FOUND, "only /metrics");
    fed_buf_put_text(out, "a 1\n");
    return FED_OK;
}

static int http_connect(const struct world *w)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    memcpy(address.sun_path, w->path, strlen(w->path) + 1);
    return connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 ? fd : -1;
}

/* Sends the pieces one by one; whether the answer begins so. */
static int http_says(const struct world *w, const char *one, const char *two, const char *begins)
{
    char answer[1000] = "";
    size_t len = 0;
    ssize_t n;
    int fd = http_connect(w);

    if (fd < 0 || write(fd, one, strlen(one)) < 0)
        return 1;
    if (two[0]) {
        usleep(20000); /* so that it comes by itself */
        if (write(fd, two, strlen(two)) < 0)
            return 1;
    }
    while (len < sizeof answer - 1 && (n = read(fd, answer + len, sizeof answer - 1 - len)) > 0)
        len += (size_t)n;
    close(fd);
    answer[len] = '\0';
    if (strncmp(answer, begins, strlen(begins)) == 0)
        return 0;
    fprintf(stderr, "%s%s: %s\n", one, two, answer);
    return 1;
}

static int ask_http(struct world *w)
{
    char flood[FED_CONTROL_REQUEST_MAX + 600];
    int bad;

    memset(flood, 'a', sizeof flood - 1);
    flood[sizeof flood - 1] = '\0';
    bad = http_says(w, "GET /metrics?x=1 HTTP/1.1\r\n", "Host: x\r\n\r\n",
              "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
              "Content-Length: 4\r\nConnection: close\r\n\r\na 1\n") ||
          http_says(w, "GET /metrics HTTP/1.0\n", "\n", "HTTP/1.1 200 OK\r\n") ||
          http_says(w, "GET / HTTP/1.1\r\n\r\n", "", "HTTP/1.1 404 Not Found\r\n") ||
          http_says(w, "POST /metrics HTTP/1.1\r\n\r\n", "", "HTTP/1.1 405 ") ||
          http_says(w, "status\n\n", "", "HTTP/1.1 400 ") ||
          http_says(w, "GET metrics HTTP/1.1\r\n\r\n", "", "HTTP/1.1 400 ") ||
          http_says(w, flood, "", "HTTP/1.1 400 ");
    return bad | http_says(w, "GET /stop HTTP/1.1\r\n", "\r\n", "HTTP/1.1 200 OK\r\n");
}

static void a_scrape_is_answered(void **state)
{
    struct world *w = *state;
    char at[TEST_PATH_MAX + 8];
    struct stat st;
    pid_t pid;
    int status;

    snprintf(at, sizeof at, "unix:%s", w->path);
    assert_int_equal(fed_control_http_open(fed_alloc_system(), w->loop, NULL, at, http_handler, w,
                         &w->server, &w->diag),
        FED_OK);
    assert_int_equal(stat(w->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0666);
    pid = fork();
    if (pid == 0)
        _exit(ask_http(w));
    assert_int_equal(fed_linux_loop_run(w->linux_loop), FED_OK);
    fed_control_server_close(w->server); /* what it still holds goes out or is dropped */
    w->server = NULL;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_not_equal(stat(w->path, &st), 0);
}

static void metrics_are_for_this_machine_only(void **state)
{
    static const char *const good[] = {
        "unix:/run/fedlet/metrics.sock", "127.0.0.1:9100", "[::1]:9100"};
    static const char *const bad[] = {"", "0.0.0.0:9100", "[::]:9100", "192.0.2.1:9100", "9100",
        ":9100", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:1x",
        "unix:metrics.sock", "localhost:1", "[::1]9100"};
    struct fed_diag diag = {""};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(fed_control_http_check(good[i], &diag), FED_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (fed_control_http_check(bad[i], &diag) != FED_ERR_INVALID)
            fail_msg("%s was taken", bad[i]);
}

static void the_service_manager_is_told(void **state)
{
    struct world *w = *state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    char text[64] = "";

    fed_notify_service_manager("READY=1"); /* nobody to tell */
    snprintf(address.sun_path, sizeof address.sun_path, "%.100s", w->path);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    setenv("NOTIFY_SOCKET", w->path, 1);
    fed_notify_service_manager("READY=1");
    assert_int_equal(recv(fd, text, sizeof text, MSG_DONTWAIT), 7);
    assert_string_equal(text, "READY=1");
    close(fd);
    fed_notify_service_manager("STOPPING=1"); /* the manager is gone */
    unsetenv("NOTIFY_SOCKET");
}

static void the_service_manager_may_have_an_abstract_name(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    char name[64];
    char text[64] = "";
    int n = snprintf(name, sizeof name, "@fedlet-test-%ld", (long)getpid());

    (void)state;
    memcpy(address.sun_path + 1, name + 1, (size_t)n - 1);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address,
                         (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n)),
        0);
    setenv("NOTIFY_SOCKET", name, 1);
    fed_notify_service_manager("WATCHDOG=1");
    assert_int_equal(recv(fd, text, sizeof text, MSG_DONTWAIT), 10);
    unsetenv("NOTIFY_SOCKET");
    close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(questions_are_answered),
        TEST(errors_of_the_service_come_back_as_text),
        TEST(rude_clients_do_not_harm),
        TEST(the_socket_is_for_its_owner_only_and_goes_at_the_end),
        TEST(without_service_nothing_is_found),
        TEST(a_second_service_and_foreign_files_are_refused),
        TEST(a_path_that_is_too_long_is_refused),
        TEST(a_silent_service_times_out),
        TEST(a_scrape_is_answered),
        TEST(metrics_are_for_this_machine_only),
        TEST(the_service_manager_is_told),
        TEST(the_service_manager_may_have_an_abstract_name),
    };

    unsetenv("NOTIFY_SOCKET");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
