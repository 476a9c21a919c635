/* world.h - all that a command of fedlet may have open, and its opening and closing: main.c with
 * its commands, and the only place where the agent names implementations. Not for other files. */
#ifndef FEDLET_AGENT_WORLD_H
#define FEDLET_AGENT_WORLD_H

#include "agent/config.h"
#include "agent/kube_lazy.h"
#include "agent/options.h"
#include "agent/policy.h"
#include "agent/ports.h"
#include "agent/vault.h"

#define AGENT_EXIT_USAGE 2

/* Zeros are closed. */
struct agent_world {
    struct fed_alloc *mem;
    struct agent_config config;
    struct fed_log log;
    struct fed_fs fs;
    struct fed_fs_lock *lock;
    struct fed_crypto crypto;
    bool crypto_open;
    struct fed_linux_loop *loop;
    struct fed_sqlite_store *store;
    struct agent_vault vault;
    char vault_path[AGENT_PATH_MAX];
    bool damaged; /* the store, while it was in use */
    struct fed_coap_client *coap;
    struct fed_https_client *https;
    struct agent_kube_lazy kube;
    struct fed_kube_client *kube_client;
    struct agent_policy *policy; /* NULL: none is configured */
    struct agent_identity identity;
    struct fed_buf key_pem;
    struct agent_ports ports;
    struct fed_timer *timer; /* watchdog, or the command's time-out */
    uint64_t watchdog_ms;
    int exit_code;
};

/* A file of the state directory. FED_ERR_LIMIT. */
FED_MUST_USE enum fed_err agent_world_path(
    const struct agent_world *w, const char *file, char out[AGENT_PATH_MAX], struct fed_diag *diag);
/* Loop, crypto, state directory and store; a store that is damaged is mended. */
FED_MUST_USE enum fed_err agent_world_open(struct agent_world *w, struct fed_diag *diag);
/* Sets the store aside and opens a new one with the identity (vault.h). diag says what is wrong
 * with it, and goes into the log. */
FED_MUST_USE enum fed_err agent_world_mend(struct agent_world *w, struct fed_diag *diag);
/* The store's rows, as commands read and write them. */
struct agent_state agent_world_state(struct agent_world *w);
/* World, key and identity of a directory that has joined. One that has not is left as it is:
 * FED_ERR_NOT_FOUND with diag. */
FED_MUST_USE enum fed_err agent_world_open_joined(struct agent_world *w, struct fed_diag *diag);
/* The links to the hub that the configuration allows: ports.coap and ports.https. has_coap: a
 * coaps:// address is known, so that where both may be used a proxy of the environment that cannot
 * be is a warning, and ports.https stays NULL. */
FED_MUST_USE enum fed_err agent_world_open_links(struct agent_world *w, bool has_coap,
    const struct fed_link_events *coap, const struct fed_link_events *https, struct fed_diag *diag);
/* The member's API server, opened when it is first used. */
void agent_world_open_kube(struct agent_world *w);
/* The gateway's policy, when one is configured; in w->policy. On failure the one before stays. */
FED_MUST_USE enum fed_err agent_world_open_policy(struct agent_world *w, struct fed_diag *diag);
void agent_world_close_store(struct agent_world *w);
void agent_world_close(struct agent_world *w);

/* SIGTERM and SIGINT stop the loop. */
FED_MUST_USE enum fed_err agent_world_watch_signals(struct agent_world *w);
FED_MUST_USE enum fed_err agent_world_start_timer(
    struct agent_world *w, fed_loop_call *call, uint64_t after_ms);
void agent_world_stop(void *w);
/* Says what went wrong: the exit code. */
int agent_world_fail(const struct fed_diag *diag, enum fed_err err);

/* ---- commands: each returns the exit code ---- */
int agent_command_run(struct agent_world *w, const struct agent_options *options);
int agent_command_join(struct agent_world *w, const struct agent_options *options);
int agent_command_rbac(struct agent_world *w, const struct agent_options *options);
int agent_command_leave(struct agent_world *w, const struct agent_options *options);

#endif
