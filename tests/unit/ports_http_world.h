/* ports_http_world.h - a real loop, certificates, a server and a client in one process, for the
 * tests of ports/http. */
#ifndef FEDLET_TESTS_PORTS_HTTP_WORLD_H
#define FEDLET_TESTS_PORTS_HTTP_WORLD_H

#include "ports/http.h"

#define WORLD_STREAMS 16
#define WORLD_DEADLINE_MS 60000u

struct pem {
    struct fed_buf cert;
    struct fed_buf key;
};

struct world {
    struct fed_linux_loop *linux_loop;
    struct fed_loop *loop;
    struct fed_crypto crypto;
    struct pem ca;
    struct pem other_ca;
    struct pem server_pem;
    struct pem client_pem;
    struct pem stranger_pem; /* of other_ca */
    struct fed_http_server *server;
    struct fed_http_exchange *streams[WORLD_STREAMS]; /* begun at /stream, in order */
    unsigned n_streams;
    unsigned n_handled;
    unsigned n_closed;
    unsigned n_done; /* shutdown */
    struct fed_timer *deadline;
    bool late;
};

/* What a call came to. */
struct outcome {
    struct world *world;
    unsigned n_done;
    enum fed_err err;
    unsigned status;
    char content_type[64];
    char encoding[32];
    struct fed_buf body; /* of streams: all data */
    unsigned heads;
    char diag[480];
    struct fed_http_call *cancel_at_head;
};

void world_open(struct world *w);
void world_close(struct world *w);
/* Starts the server; options may be NULL. listen, certificates and body_max are filled in. */
void world_serve(struct world *w, const struct fed_http_server_options *options);
struct fed_http_client_options world_client_options(struct world *w);
struct fed_http_client *world_client(
    struct world *w, const struct fed_http_client_options *options);

typedef bool world_condition(void *ctx);
/* Runs the loop until the condition holds; fails the test after WORLD_DEADLINE_MS. */
void world_until(struct world *w, world_condition *condition, void *ctx);
void world_run_ms(struct world *w, unsigned ms);

void outcome_init(struct outcome *o, struct world *w);
void outcome_fini(struct outcome *o);
struct fed_http_call *world_call(struct fed_http_client *client, struct outcome *o,
    const char *method, const char *target, struct fed_span body);
/* GET with one header. */
struct fed_http_call *world_call_with(struct fed_http_client *client, struct outcome *o,
    const char *target, const struct fed_http_header *header);
struct fed_http_call *world_stream_with(struct fed_http_client *client, struct outcome *o,
    const char *target, const struct fed_http_header *header);
struct fed_http_call *world_stream(
    struct fed_http_client *client, struct outcome *o, const char *target);
bool outcome_done(void *outcome);
/* A call and its end. */
void world_ask(struct world *w, struct fed_http_client *client, struct outcome *o,
    const char *method, const char *target, struct fed_span body);

#endif
