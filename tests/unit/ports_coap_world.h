/* ports_coap_world.h - a hub's CoAP server, an agent's client and a bad network between them, in
 * one process over loopback. Everything asserts success. */
#ifndef FEDLET_TESTS_UNIT_PORTS_COAP_WORLD_H
#define FEDLET_TESTS_UNIT_PORTS_COAP_WORLD_H

#include "ports/link.h"
#include "tests/unit/ports_tls_pki.h"

#define RELAY_HELD_MAX 256u
#define RELAY_DATAGRAM_MAX 1500u

struct held {
    bool used;
    bool to_hub;
    uint64_t due_ms;
    size_t len;
    uint8_t bytes[RELAY_DATAGRAM_MAX];
};

/* Between agent and hub: percentages of datagrams that are lost, doubled, held back. */
struct relay {
    struct fed_loop *loop;
    int front;
    int back;
    uint16_t port;
    struct fed_watch *front_watch;
    struct fed_watch *back_watch;
    struct fed_timer *timer;
    uint8_t agent[128];
    uint32_t agent_len;
    uint64_t random;
    unsigned lose;
    unsigned twice;
    unsigned late;
    unsigned delay_ms;
    bool cut;
    unsigned drop; /* number of the datagram that is lost, from 1; 0: none */
    unsigned seen;
    unsigned mtu; /* larger datagrams vanish; 0: none */
    size_t to_agent_bytes;
    unsigned forwarded;
    unsigned lost;
    struct held held[RELAY_HELD_MAX];
};

struct world {
    struct pki pki;
    struct pki_id hub_id;
    struct pki_id agent_id;
    struct fed_linux_loop *linux_loop;
    struct fed_loop loop_with_count; /* counts the calls that a descriptor or timer makes */
    struct fed_loop *loop;
    struct fed_timer *guard;
    bool guard_rang;
    unsigned wakes;
    /* ---- hub ---- */
    struct fed_link_server *server;
    struct fed_link_session *session;
    char peer_name[256];
    char peer_address[64];
    unsigned opened;
    unsigned closed;
    unsigned alive;
    unsigned requests;
    unsigned notified_good;
    unsigned notified_bad;
    uint64_t notified_tag;
    struct fed_buf body;            /* what /b answers */
    struct fed_link_exchange *late; /* a request to /late, not answered yet */
    /* ---- agent ---- */
    struct fed_coap_client *client;
    struct fed_link *link;
    unsigned ups;
    unsigned downs;
    enum fed_err down_err;
    struct fed_diag down_diag;
    unsigned notifications;
    unsigned partials;
    uint64_t last_number;
    bool out_of_order;
    unsigned dones;
    enum fed_err done_err;
    unsigned done_code;
    uint32_t done_max_age_s;
    struct fed_buf done_body;
    struct fed_diag done_diag;
};

#define WORLD_TOKEN_ID "tok3n"
#define WORLD_TOKEN_KEY FED_SPAN_LIT("twenty bytes of token")

void world_init(struct world *w);
void world_fini(struct world *w);
void world_server_open(struct world *w);
struct fed_link_events world_agent_events(struct world *w);
/* Runs the loop until *counter is at least wanted; fails after timeout_ms. */
void world_until(struct world *w, const unsigned *counter, unsigned wanted, unsigned timeout_ms);
void world_run_ms(struct world *w, unsigned ms);
struct fed_link_client_identity world_agent_identity(const struct world *w);
struct fed_link_client_identity world_token_identity(void);
void world_connect(struct world *w, uint16_t port, const struct fed_link_client_identity *identity);
/* One request, waiting for its end. */
void world_get(struct world *w, const char *path, const char *query, unsigned timeout_ms);
void world_post(struct world *w, const char *path, struct fed_span payload);
void world_observe(struct world *w, unsigned timeout_ms);
fed_link_done world_done;
void world_body_fill(struct world *w, size_t size, unsigned seed);

void relay_init(struct relay *r, struct world *w, uint64_t seed);
void relay_fini(struct relay *r);

#endif
