/* hub_join_world.h - a hub_world with an identity on it, tokens as the API would store them, and
 * agents that ask. */
#ifndef FEDLET_TESTS_UNIT_HUB_JOIN_WORLD_H
#define FEDLET_TESTS_UNIT_HUB_JOIN_WORLD_H

#include "hub/identity/identity.h"
#include "hub_world.h"

struct join_world {
    struct hub_world hub;
    struct fed_loop loop; /* hub's, with a wall clock that can be moved */
    struct fed_crypto crypto;
    struct fed_fs fs;
    char dir[96];
    struct hub_identity *identity;
    int64_t certificate_life_s; /* taken at the next restart */
    int64_t certificate_return_s;
    struct fed_alloc mem; /* the identity's */
    long refuse_after;    /* so many more allocations; negative: all are given */
};
struct join_agent {
    char name[254];
    struct fed_buf key;  /* PEM */
    struct fed_buf spki; /* DER */
};

#define JW_TOKENS "jointokens.fedlet.io"
#define JW_REQUESTS "joinrequests.fedlet.io"

void join_world_open(struct join_world *w);
void join_world_close(struct join_world *w);
void join_world_restart(struct join_world *w);
void join_world_pass(int64_t seconds); /* moves the wall clock */
struct fed_span join_world_read(
    struct join_world *w, const char *file); /* of the data directory; "" when absent */
void join_world_write(struct join_world *w, const char *file, struct fed_span bytes);

/* Admission and commit of an object of a hooked kind, as the API does it; single quotes in json. */
enum fed_err join_world_create(struct join_world *w, const char *name, const char *json,
    bool dry_run, char token[FED_TOKEN_TEXT_MAX]);
enum fed_err join_world_update(struct join_world *w, const char *resource, const char *name,
    const char *json_patch, const char *subresource);
enum fed_err join_world_delete(struct join_world *w, const char *resource, const char *name);
/* A token that must be right. */
void join_world_token(
    struct join_world *w, const char *name, const char *spec, struct fed_token *out);
/* Text at a dotted path of a stored object; "(absent)" when there is no object. */
const char *join_world_text(
    struct join_world *w, const char *resource, const char *name, const char *dotted);

void join_agent_init(struct join_world *w, struct join_agent *agent, const char *name);
void join_agent_fini(struct join_agent *agent);
void join_agent_request(struct join_world *w, const struct join_agent *agent,
    const struct fed_token *token, struct fed_join_request *out);
enum fed_err join_agent_join(struct join_world *w, const struct join_agent *agent,
    const struct fed_token *token, struct fed_join_answer *answer, struct fed_diag *diag);

#endif
