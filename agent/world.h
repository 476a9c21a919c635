/* world.h - all that a command of fedlet may have open, and its opening and closing: main.c with
 * its commands, and the only place where the agent names implementations. Not for other files. */
#ifndef FEDLET_AGENT_WORLD_H
#define FEDLET_AGENT_WORLD_H

#include "agent/clock.h"
#include "agent/config.h"
#include "agent/dial.h"
#include "agent/kube_lazy.h"
#include "agent/options.h"
#include "agent/policy.h"
#include "agent/ports.h"
#include "agent/vault.h"

#define AGENT_EXIT_USAGE 2

/* All that is in a state directory of what was learnt: names, the key last. */
extern const char *const agent_world_files[];
extern const size_t agent_n_world_files;

/* Zeros are closed. */
struct agent_world {
    struct fed_alloc *mem;
    struct agent_config config;
    struct fed_log log;
    struct fed_log_lines log_lines;
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
    struct agent_clock clock;
    struct agent_kube_lazy kube;
    struct fed_kube_client *kube_client;
    struct fed_kube_client *kube_before; /* while another one takes over */
    struct fed_buf kube_files;   /* what kube_client was made of, as fed_kube_config has it */
    uint64_t kube_stamp;         /* of these files, as they were */
    struct agent_policy *policy; /* NULL: none is configured */
    struct agent_identity identity;
    struct fed_buf key_pem;
    struct agent_ports ports;
    struct fed_timer *timer; /* watchdog, or the command's time-out */
    uint64_t watchdog_ms;
    int exit_code;
};

/* Reads the options' file and puts the command line over it. FED_ERR_INVALID is wrong usage,
 * everything else a failure. */
FED_MUST_USE enum fed_err agent_world_configure(const struct agent_world *w,
    const struct agent_options *options, struct agent_config *out, struct fed_diag *diag);
/* A file of the state directory. FED_ERR_LIMIT. */
FED_MUST_USE enum fed_err agent_world_path(
    const struct agent_world *w, const char *file, char out[AGENT_PATH_MAX], struct fed_diag *diag);
/* The hub's addresses by that configuration, else those of the token: hubs and n_hubs of out. */
void agent_world_hubs(
    const struct agent_world *w, const struct agent_config *config, struct agent_dial_options *out);
/* The kubeconfig that was named, now or when joining; "" for none. */
const char *agent_world_kubeconfig(const struct agent_world *w);
/* As the configuration says, now and after it has changed. */
void agent_world_open_log(struct agent_world *w);
/* Loop, crypto and log: what looking takes. */
FED_MUST_USE enum fed_err agent_world_open_ports(struct agent_world *w, struct fed_diag *diag);
FED_MUST_USE enum fed_err agent_world_open_store(struct agent_world *w, struct fed_diag *diag);
/* Loop, crypto, state directory and store; a store that is damaged is mended. */
FED_MUST_USE enum fed_err agent_world_open(struct agent_world *w, struct fed_diag *diag);
/* Sets the store aside and opens a new one with the identity (vault.h). diag says what is wrong
 * with it, and goes into the log. */
FED_MUST_USE enum fed_err agent_world_mend(struct agent_world *w, struct fed_diag *diag);
/* The store's rows, as commands read and write them. */
struct agent_state agent_world_state(struct agent_world *w);
/* World, key, identity and clock of a directory that has joined: certificates are judged by that
 * clock from then on. One that has not is left as it is:
 * FED_ERR_NOT_FOUND with diag. */
FED_MUST_USE enum fed_err agent_world_open_joined(struct agent_world *w, struct fed_diag *diag);
/* That of the command line, of its file, or of stdin. FED_ERR_INVALID with a sentence. */
FED_MUST_USE enum fed_err agent_world_token(struct agent_world *w,
    const struct agent_options *options, struct fed_token *out, struct fed_diag *diag);
/* The links to the hub that the configuration allows: ports.coap and ports.https. has_coap: a
 * coaps:// address is known, so that where both may be used a proxy of the environment that cannot
 * be is a warning, and ports.https stays NULL. */
FED_MUST_USE enum fed_err agent_world_open_links(struct agent_world *w, bool has_coap,
    const struct fed_link_events *coap, const struct fed_link_events *https, struct fed_diag *diag);
/* The member's API server, opened when it is first used. */
void agent_world_open_kube(struct agent_world *w);
void agent_world_close_links(struct agent_world *w);
/* The YAML document of a file, as JSON; read is not called for an empty file. FED_ERR_INVALID for
 * more than one, the errors of fs, of the parser and of read; diag without the file's name. */
typedef enum fed_err agent_world_document(void *ctx, struct fed_span json, struct fed_diag *diag);
FED_MUST_USE enum fed_err agent_world_read(const struct agent_world *w, const char *path,
    size_t limit, agent_world_document *read, void *ctx, struct fed_diag *diag);
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
int agent_command_preflight(struct agent_world *w, const struct agent_options *options);
int agent_command_doctor(struct agent_world *w, const struct agent_options *options);
int agent_command_bundle(struct agent_world *w, const struct agent_options *options);
int agent_command_install(struct agent_world *w, const struct agent_options *options);
int agent_command_uninstall(struct agent_world *w, const struct agent_options *options);
int agent_command_rbac(struct agent_world *w, const struct agent_options *options);
int agent_command_leave(struct agent_world *w, const struct agent_options *options);

#endif
