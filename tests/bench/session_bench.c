/* session_bench.c - what a connected agent costs a gateway worker: 1,000 sessions with certificates
 * and connection IDs, opened by a second process; then all of them saved, and gone on with. Prints
 * `NAME VALUE UNIT` lines. */
#include "ports/link.h"
#include "tests/unit/ports_dtls_client.h"

#include <malloc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SESSIONS 1000u
#define BATCH 100u /* handshakes at once */

static struct pki pki;
static struct pki_id hub_id;
static struct pki_id agent_id;

static struct bench {
    struct fed_linux_loop *linux_loop;
    struct fed_loop *loop;
    struct fed_link_server *server;
    unsigned wanted;
    unsigned opened;
    unsigned alive;
    struct fed_buf saved[SESSIONS];
    size_t n_saved;
    size_t saved_bytes;
} b;

static void on_opened(void *ctx, struct fed_link_session *session, const struct fed_link_peer *peer)
{
    (void)ctx;
    (void)session;
    (void)peer;
    b.opened++;
}

static void on_closed(void *ctx, struct fed_link_session *session, const char *why)
{
    (void)ctx;
    (void)session;
    fprintf(stderr, "session_bench: a session was closed: %s\n", why);
    exit(1);
}

/* Each client sends one ping when its handshake is over, which also is what lets buffers shrink. */
static void on_alive(void *ctx, struct fed_link_session *session)
{
    (void)ctx;
    (void)session;
    if (++b.alive == b.wanted)
        b.loop->stop(b.loop->ctx);
}

static void on_request(void *ctx, struct fed_link_session *session,
    struct fed_link_exchange *exchange, const struct fed_link_server_request *request)
{
    (void)ctx;
    (void)session;
    (void)request;
    fed_link_answer(exchange, FED_LINK_NOT_FOUND, fed_span_text(""), 0);
}

static void server_open(uint16_t port)
{
    struct fed_link_server_events events = {
        .opened = on_opened, .closed = on_closed, .alive = on_alive, .request = on_request};
    char listen[32];
    struct fed_link_server_options options = {.listen = listen,
        .cert_pem = pki_cert(&hub_id),
        .key_pem = pki_key(&hub_id),
        .client_ca_pem = pki_cert(&pki.ca)};
    struct fed_diag diag = {""};

    snprintf(listen, sizeof listen, "127.0.0.1:%u", (unsigned)port);
    if (fed_coap_server_open(
            fed_alloc_system(), b.loop, NULL, &options, &events, &b.server, &diag)) {
        fprintf(stderr, "session_bench: %s\n", diag.text);
        exit(1);
    }
}

/* ---- the clients' process ---- */

static void clients(uint16_t port)
{
    static const uint8_t ping[] = {0x40, 0, 0, 1};
    struct client_options options = {.id = &agent_id, .ca = &pki.ca};
    struct client *all = calloc(SESSIONS, sizeof *all);

    for (unsigned from = 0; all && from < SESSIONS; from += BATCH) {
        unsigned open = 0;

        for (unsigned i = from; i < from + BATCH; i++)
            client_init(&all[i], port, &options);
        while (open < BATCH) {
            open = 0;
            for (unsigned i = from; i < from + BATCH; i++) {
                bool before = all[i].open;

                client_step(&all[i]);
                if (all[i].open && !before)
                    client_send(&all[i], ping, sizeof ping);
                open += all[i].open;
            }
            usleep(1000);
        }
    }
    pause();
}

/* ---- figures ---- */

static size_t rss_bytes(void)
{
    unsigned long pages[2] = {0, 0};
    FILE *file = fopen("/proc/self/statm", "r");

    if (!file || fscanf(file, "%lu %lu", &pages[0], &pages[1]) != 2)
        exit(1);
    fclose(file);
    return pages[1] * (size_t)sysconf(_SC_PAGESIZE);
}

static void on_saved(
    void *ctx, struct fed_link_session *session, struct fed_span saved, unsigned steer)
{
    struct fed_buf *to = &b.saved[b.n_saved++];

    (void)ctx;
    (void)session;
    (void)steer;
    fed_buf_init(to, fed_alloc_system(), FED_LINK_SAVED_MAX);
    fed_buf_put(to, saved);
    b.saved_bytes += saved.len;
}

static void save_and_restore(uint16_t port)
{
    uint64_t since_us = fed_loop_clock_us(b.loop);
    unsigned failed = 0;

    fed_coap_server_save(b.server, on_saved, NULL);
    printf("session_save_1000 %.1f ms\n", (double)(fed_loop_clock_us(b.loop) - since_us) / 1000);
    printf("session_saved_bytes %zu bytes\n", b.saved_bytes / SESSIONS);
    fed_coap_server_close(b.server);
    server_open(port);
    since_us = fed_loop_clock_us(b.loop);
    for (size_t i = 0; i < b.n_saved; i++) {
        failed += fed_coap_server_restore(
                      b.server, fed_buf_span(&b.saved[i]), fed_span_text("x"), 10) != FED_OK;
        fed_buf_fini(&b.saved[i]);
    }
    printf("session_restore_1000 %.1f ms\n", (double)(fed_loop_clock_us(b.loop) - since_us) / 1000);
    if (b.n_saved != SESSIONS || failed)
        fprintf(stderr, "session_bench: %zu of %u saved, %u not gone on with\n", b.n_saved,
            SESSIONS, failed);
}

int main(void)
{
    struct fed_diag diag = {""};
    size_t before;
    uint16_t port;
    pid_t child;

    pki_init(&pki);
    pki_issue(&pki, &pki.ca, "hub", "hub.test", -60, 3600, &hub_id);
    pki_issue(&pki, &pki.ca, "agent", NULL, -60, 3600, &agent_id);
    if (fed_linux_loop_open(fed_alloc_system(), &b.linux_loop, &diag))
        return 1;
    b.loop = fed_linux_loop_port(b.linux_loop);
    server_open(0);
    port = fed_coap_server_port(b.server);
    b.wanted = SESSIONS;
    before = rss_bytes();
    child = fork();
    if (child == 0) {
        close_range(3, ~0u, 0); /* the server's */
        clients(port);
        _exit(0);
    }
    if (fed_linux_loop_run(b.linux_loop))
        return 1;
    printf("session_bytes %zu bytes\n", (rss_bytes() - before) / SESSIONS);
    malloc_trim(0);
    printf("session_bytes_trimmed %zu bytes\n", (rss_bytes() - before) / SESSIONS);
    save_and_restore(port);
    malloc_trim(0);
    printf("session_bytes_restored %zu bytes\n", (rss_bytes() - before) / SESSIONS);
    fed_coap_server_close(b.server);
    fed_linux_loop_close(b.linux_loop);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return 0;
}
