/* main.c - fedlet: opens the outside world, runs one command in it, closes it.
 *
 * Exit codes: 0 done, 1 failed, 2 wrong usage. */
#include "agent/daemon.h"
#include "agent/enroll.h"
#include "agent/kube_lazy.h"
#include "agent/options.h"
#include "ports/control.h"
#include "ports/yaml.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/stat.h>

#define EXIT_USAGE 2
#define JOIN_TIMEOUT_MS 600000u
#define LEAVE_TIMEOUT_MS 300000u
#define STATUS_TIMEOUT_MS 5000u
#define STORE_CACHE_KIB 128u

/* All that a command may have open; zeros are closed. */
struct world {
    struct fed_alloc *mem;
    struct agent_config config;
    struct fed_log log;
    struct fed_fs fs;
    struct fed_fs_lock *lock;
    struct fed_crypto crypto;
    bool crypto_open;
    struct fed_linux_loop *loop;
    struct fed_sqlite_store *store;
    struct fed_coap_client *link;
    struct agent_kube_lazy kube;
    struct fed_kube_client *kube_client;
    struct agent_identity identity;
    struct fed_buf key_pem;
    struct agent_ports ports;
    struct fed_timer *timer; /* watchdog, or the command's time-out */
    uint64_t watchdog_ms;
    int exit_code;
};

static int fail(const struct fed_diag *diag, enum fed_err err)
{
    fprintf(stderr, "fedlet: %s\n", diag->text[0] ? diag->text : fed_err_text(err));
    return EXIT_FAILURE;
}

/* ---- configuration ---- */

struct one_document {
    struct agent_config *config;
    enum fed_err err;
    struct fed_diag *diag;
};

static bool on_document(void *ctx, size_t index, struct fed_span json)
{
    struct one_document *one = ctx;

    if (index > 0)
        one->err = fed_diag_set(one->diag, FED_ERR_INVALID, "more than one document");
    else
        one->err = agent_config_read(one->config, json, one->diag);
    return !one->err;
}

static enum fed_err read_config_file(struct world *w, const char *path, struct fed_diag *diag)
{
    struct one_document one = {.config = &w->config, .diag = diag};
    struct fed_buf text;
    enum fed_err err;

    fed_buf_init(&text, w->mem, AGENT_CONFIG_MAX);
    err = w->fs.read(w->fs.ctx, path, &text, diag);
    if (!err)
        err = fed_yaml_each_json(w->mem, fed_buf_span(&text), on_document, &one, diag);
    if (!err)
        err = one.err;
    fed_buf_fini(&text);
    return err ? fed_diag_prefix(diag, err, "%s", path) : FED_OK;
}

/* FED_ERR_INVALID is wrong usage, everything else a failure. */
static enum fed_err configure(
    struct world *w, const struct agent_options *options, struct fed_diag *diag)
{
    bool first_hub = true;
    enum fed_err err = FED_OK;

    agent_config_defaults(&w->config);
    if (options->config_file && read_config_file(w, options->config_file, diag))
        return FED_ERR_IO;
    for (size_t i = 0; i < options->n_overrides && !err; i++) {
        const char *option = options->overrides[i].option;

        err =
            agent_config_option(&w->config, option, options->overrides[i].value, &first_hub, diag);
        if (err == FED_ERR_NOT_FOUND)
            fed_diag_set(diag, err, "unknown option %s", option);
    }
    return err ? FED_ERR_INVALID : FED_OK;
}

static enum fed_err state_path(
    const struct world *w, const char *file, char out[AGENT_PATH_MAX], struct fed_diag *diag)
{
    int n = snprintf(out, AGENT_PATH_MAX, "%s/%s", w->config.state_dir, file);

    if (n < 0 || (size_t)n >= AGENT_PATH_MAX)
        return fed_diag_set(diag, FED_ERR_LIMIT, "the path of the state directory is too long");
    return FED_OK;
}

/* ---- opening and closing ---- */

static enum fed_err open_store(struct world *w, struct fed_diag *diag)
{
    struct fed_sqlite_options options = {
        .application_id = AGENT_STATE_APPLICATION_ID, .cache_kib = STORE_CACHE_KIB};
    char path[AGENT_PATH_MAX];
    enum fed_err err = state_path(w, AGENT_STATE_FILE, path, diag);

    if (!err)
        err = w->crypto.random(
            w->crypto.ctx, (uint8_t *)&options.new_epoch, sizeof options.new_epoch);
    if (!err)
        err = fed_sqlite_store_open(w->mem, path, &options, &w->store, diag);
    if (!err)
        w->ports.store = fed_sqlite_store_port(w->store);
    return err;
}

static enum fed_err open_lock(struct world *w, struct fed_diag *diag)
{
    char path[AGENT_PATH_MAX];
    enum fed_err err = w->fs.make_dir(w->fs.ctx, w->config.state_dir, 0700, diag);

    if (!err)
        err = state_path(w, AGENT_STATE_LOCK_FILE, path, diag);
    if (!err)
        err = w->fs.lock(w->fs.ctx, path, &w->lock, diag);
    if (err == FED_ERR_BUSY)
        fed_diag_prefix(diag, err, "another fedlet uses this state directory, stop it first");
    return err;
}

/* Loop, crypto, state directory and store. */
static enum fed_err open_world(struct world *w, struct fed_diag *diag)
{
    enum fed_err err = fed_linux_loop_open(w->mem, &w->loop, diag);

    w->log = fed_log_stderr(agent_config_log_level(&w->config));
    if (err)
        return err;
    err = fed_tls_crypto_open(w->mem, &w->crypto, diag);
    if (err)
        return err;
    w->crypto_open = true;
    w->ports = (struct agent_ports){
        .mem = w->mem, .loop = fed_linux_loop_port(w->loop), .log = &w->log, .crypto = &w->crypto};
    err = open_lock(w, diag);
    if (!err)
        err = open_store(w, diag);
    return err;
}

static enum fed_err open_kube(void *ctx, struct fed_kube **out, struct fed_diag *diag)
{
    struct world *w = ctx;
    const char *path = w->config.kubeconfig[0] ? w->config.kubeconfig : w->identity.kubeconfig;
    struct fed_kube_config config;
    enum fed_err err = fed_kube_config_load(w->mem, path[0] ? path : NULL, NULL, &config, diag);

    if (err)
        return err;
    err = fed_kube_client_open(w->mem, w->ports.loop, &w->log, &config, &w->kube_client, diag);
    fed_kube_config_fini(&config);
    if (!err)
        *out = fed_kube_client_port(w->kube_client);
    return err;
}

static void close_world(struct world *w)
{
    if (w->timer)
        w->ports.loop->timer_free(w->ports.loop->ctx, w->timer);
    if (w->link)
        fed_coap_client_close(w->link);
    if (w->kube_client)
        fed_kube_client_close(w->kube_client);
    if (w->store)
        fed_sqlite_store_close(w->store);
    w->fs.unlock(w->fs.ctx, w->lock);
    fed_buf_fini(&w->key_pem);
    if (w->crypto_open)
        fed_tls_crypto_close(&w->crypto);
    if (w->loop)
        fed_linux_loop_close(w->loop);
}

static enum fed_err not_joined(const struct world *w, struct fed_diag *diag)
{
    return fed_diag_set(
        diag, FED_ERR_NOT_FOUND, "%s has not joined a hub; use `fedlet join`", w->config.state_dir);
}

static enum fed_err read_key(struct world *w, struct fed_diag *diag)
{
    char path[AGENT_PATH_MAX];
    enum fed_err err = state_path(w, AGENT_STATE_KEY_FILE, path, diag);

    fed_buf_init(&w->key_pem, w->mem, 16384);
    if (!err)
        err = w->fs.read(w->fs.ctx, path, &w->key_pem, diag);
    return err == FED_ERR_NOT_FOUND ? not_joined(w, diag) : err;
}

/* World, key and identity of a directory that has joined. One that has not is left as it is. */
static enum fed_err open_joined(struct world *w, struct fed_diag *diag)
{
    struct agent_state state;
    enum fed_err err = read_key(w, diag);

    if (!err)
        err = open_world(w, diag);
    if (err)
        return err;
    agent_state_init(&state, w->mem, w->ports.store);
    err = agent_state_identity(&state, &w->identity, diag);
    return err == FED_ERR_NOT_FOUND ? not_joined(w, diag) : err;
}

static void stop_loop(void *ctx)
{
    struct world *w = ctx;

    w->ports.loop->stop(w->ports.loop->ctx);
}

static void on_signal(void *ctx, int number)
{
    (void)number;
    stop_loop(ctx);
}

static enum fed_err watch_signals(struct world *w)
{
    enum fed_err err = fed_linux_loop_on_signal(w->loop, SIGTERM, on_signal, w);

    return err ? err : fed_linux_loop_on_signal(w->loop, SIGINT, on_signal, w);
}

static enum fed_err start_timer(struct world *w, fed_loop_call *call, uint64_t after_ms)
{
    struct fed_loop *loop = w->ports.loop;
    enum fed_err err = loop->timer_new(loop->ctx, call, w, &w->timer);

    if (!err)
        loop->timer_set(loop->ctx, w->timer, fed_loop_now_ms(loop) + after_ms);
    return err;
}

/* ---- run ---- */

static void on_watchdog(void *ctx)
{
    struct world *w = ctx;

    fed_notify_service_manager("WATCHDOG=1");
    agent_timer_at(&w->ports, w->timer, fed_loop_now_ms(w->ports.loop) + w->watchdog_ms);
}

/* WATCHDOG_USEC of systemd (sd_watchdog_enabled(3)): twice as often as asked. */
static enum fed_err start_watchdog(struct world *w)
{
    const char *text = getenv("WATCHDOG_USEC");
    uint64_t us = 0;

    if (!text || fed_span_to_u64(fed_span_text(text), &us) || us < 2000)
        return FED_OK;
    w->watchdog_ms = us / 2000;
    return start_timer(w, on_watchdog, w->watchdog_ms);
}

static enum fed_err on_control(
    void *ctx, struct fed_span request, struct fed_buf *out, struct fed_diag *diag)
{
    if (fed_span_is(request, "status"))
        return agent_daemon_status_json(ctx, out);
    if (fed_span_is(request, "status text"))
        return agent_daemon_status_text(ctx, out);
    return fed_diag_set(diag, FED_ERR_UNSUPPORTED, "unknown request");
}

static enum fed_err serve(struct world *w, struct agent_daemon *daemon, struct fed_diag *diag)
{
    struct fed_control_server *control = NULL;
    char path[AGENT_PATH_MAX];
    enum fed_err err = state_path(w, AGENT_STATE_SOCKET, path, diag);

    if (!err)
        err = fed_control_server_open(
            w->mem, w->ports.loop, &w->log, path, on_control, daemon, &control, diag);
    if (!err)
        err = start_watchdog(w);
    if (!err)
        err = watch_signals(w);
    if (err)
        goto done;
    agent_daemon_start(daemon);
    fed_notify_service_manager("READY=1");
    err = fed_linux_loop_run(w->loop);
    fed_notify_service_manager("STOPPING=1");
    fed_log(&w->log, FED_LOG_INFO, "fedlet: stopped");
done:
    if (control)
        fed_control_server_close(control);
    return err;
}

static enum fed_err choose_hubs(
    struct world *w, struct agent_sync_options *out, struct fed_diag *diag)
{
    bool configured = w->config.n_hubs > 0;
    const char(*hubs)[281] = (const char(*)[281])(configured ? w->config.hubs : w->identity.hubs);
    size_t n = configured ? w->config.n_hubs : w->identity.n_hubs;

    *out = (struct agent_sync_options){
        .identity = &w->identity, .key_pem = fed_buf_span(&w->key_pem), .hubs = hubs, .n_hubs = n};
    for (size_t i = 0; i < n; i++) {
        if (fed_span_starts(fed_span_text(hubs[i]), "coaps://"))
            return FED_OK;
    }
    return fed_diag_set(diag, FED_ERR_UNSUPPORTED,
        "no coaps:// address of the hub is known, and https is not available in this build yet");
}

static enum fed_err open_run(struct world *w, struct agent_daemon_options *options,
    struct agent_sync_slot *slot, struct fed_diag *diag)
{
    struct fed_link_events events = agent_sync_link_events(slot);
    struct fed_crypto_cert_info info;
    enum fed_err err = open_joined(w, diag);

    if (!err)
        err = choose_hubs(w, &options->sync, diag);
    if (!err)
        err =
            w->crypto.cert_info(w->crypto.ctx, fed_span_text(w->identity.certificate), &info, diag);
    if (!err)
        err = fed_coap_client_open(w->mem, w->ports.loop, &w->log, &events, &w->link, diag);
    if (err)
        return err;
    options->slot = slot;
    options->certificate_not_after_unix_s = info.not_after_unix_s;
    w->ports.link = fed_coap_client_port(w->link);
    agent_kube_lazy_init(&w->kube, &w->log, open_kube, w);
    w->ports.kube = &w->kube.port;
    return FED_OK;
}

static int command_run(struct world *w, const struct agent_options *options)
{
    struct agent_daemon_options daemon_options = {0};
    struct agent_daemon *daemon = NULL;
    struct agent_sync_slot slot = {0};
    struct fed_diag diag = {""};
    enum fed_err err;

    (void)options;
    if (strcmp(w->config.link, "https") == 0) {
        fprintf(stderr, "fedlet: --link https is not available in this build yet; use coap\n");
        return EXIT_USAGE;
    }
    err = open_run(w, &daemon_options, &slot, &diag);
    if (!err)
        err = agent_daemon_new(&w->ports, &daemon_options, &daemon, &diag);
    if (!err)
        err = serve(w, daemon, &diag);
    agent_daemon_free(daemon);
    return err ? fail(&diag, err) : EXIT_SUCCESS;
}

/* ---- join ---- */

struct joining {
    struct world *w;
    const struct agent_options *options;
    struct fed_token token;
    struct agent_enroll *enroll;
    enum fed_err err;
    struct fed_diag diag;
};

static void on_join_done(
    void *ctx, enum fed_err err, const struct agent_identity *identity, const struct fed_diag *diag)
{
    struct joining *j = ctx;
    struct agent_state state;

    j->err = err;
    if (err) {
        j->diag = *diag;
    } else {
        j->w->identity = *identity;
        memcpy(
            j->w->identity.kubeconfig, j->w->config.kubeconfig, sizeof j->w->identity.kubeconfig);
        agent_state_init(&state, j->w->mem, j->w->ports.store);
        if (j->options->again)
            j->err = agent_state_join_again(&state, &j->diag);
        if (!j->err)
            j->err = agent_state_set_identity(&state, &j->w->identity, &j->diag);
    }
    stop_loop(j->w);
}

static void on_join_pending(void *ctx)
{
    struct joining *j = ctx;

    fprintf(stderr, "fedlet: waiting for approval: a person at the hub runs `fedctl approve %s`\n",
        j->options->name);
}

static enum fed_err read_token_file(struct joining *j, struct fed_diag *diag)
{
    struct fed_buf text;
    struct fed_span token;
    enum fed_err err;

    fed_buf_init(&text, j->w->mem, FED_TOKEN_TEXT_MAX + 2);
    err = j->w->fs.read(j->w->fs.ctx, j->options->token_file, &text, diag);
    token = fed_buf_span(&text);
    while (token.len > 0 && strchr("\r\n ", token.at[token.len - 1]))
        token.len--;
    if (!err)
        err = fed_token_parse(token, &j->token, diag);
    fed_buf_fini(&text);
    return err ? fed_diag_prefix(diag, err, "%s", j->options->token_file) : FED_OK;
}

static enum fed_err read_token(struct joining *j, struct fed_diag *diag)
{
    char line[FED_TOKEN_TEXT_MAX + 2];
    const char *text = j->options->token;

    if (j->options->token_file)
        return read_token_file(j, diag);
    if (strcmp(text, "-") == 0) {
        if (!fgets(line, sizeof line, stdin))
            return fed_diag_set(diag, FED_ERR_INVALID, "no token on stdin");
        line[strcspn(line, "\r\n")] = '\0';
        text = line;
    }
    return fed_token_parse(fed_span_text(text), &j->token, diag);
}

/* FED_ERR_EXISTS when this directory is that member already, and is not to join once more;
 * FED_ERR_CONFLICT with diag when it is another. */
static enum fed_err check_joined(struct joining *j, struct fed_diag *diag)
{
    struct world *w = j->w;
    struct fed_crypto_cert_info ca;
    struct agent_state state;
    enum fed_err err;

    agent_state_init(&state, w->mem, w->ports.store);
    err = agent_state_identity(&state, &w->identity, diag);
    if (err == FED_ERR_NOT_FOUND)
        return FED_OK;
    if (!err)
        err = w->crypto.cert_info(w->crypto.ctx, fed_span_text(w->identity.ca), &ca, diag);
    if (err)
        return err;
    if (strcmp(w->identity.cluster, j->options->name) == 0 &&
        fed_digest_eq(&ca.public_key, &j->token.pin))
        return j->options->again ? FED_OK : FED_ERR_EXISTS;
    return fed_diag_set(diag, FED_ERR_CONFLICT,
        "%s has joined as \"%s\" already; leave first with `fedlet leave`", w->config.state_dir,
        w->identity.cluster);
}

/* A kubeconfig that cannot be used is better noticed now. */
static enum fed_err check_kubeconfig(struct world *w, struct fed_diag *diag)
{
    struct fed_kube_config config;
    enum fed_err err;

    if (!w->config.kubeconfig[0])
        return FED_OK;
    err = fed_kube_config_load(w->mem, w->config.kubeconfig, NULL, &config, diag);
    if (!err)
        fed_kube_config_fini(&config);
    return err;
}

static enum fed_err enroll(struct joining *j, struct fed_diag *diag)
{
    struct world *w = j->w;
    unsigned timeout_ms = j->options->timeout_ms;
    struct agent_enroll_options options = {.token = &j->token,
        .cluster = j->options->name,
        .labels = j->options->labels,
        .n_labels = j->options->n_labels,
        .timeout_ms = timeout_ms ? timeout_ms : JOIN_TIMEOUT_MS};
    struct agent_enroll_events events = {
        .ctx = j, .done = on_join_done, .pending = on_join_pending};
    struct agent_enroll_slot slot = {0};
    struct fed_link_events link = agent_enroll_link_events(&slot);
    char path[AGENT_PATH_MAX];
    enum fed_err err = state_path(w, AGENT_STATE_KEY_FILE, path, diag);

    fed_buf_init(&w->key_pem, w->mem, 16384);
    if (!err)
        err = agent_enroll_key(w->mem, &w->fs, &w->crypto, path, &w->key_pem, diag);
    if (!err)
        err = fed_coap_client_open(w->mem, w->ports.loop, &w->log, &link, &w->link, diag);
    if (err)
        return err;
    w->ports.link = fed_coap_client_port(w->link);
    options.key_pem = fed_buf_span(&w->key_pem);
    err = agent_enroll_new(&w->ports, &options, &events, &j->enroll, diag);
    if (err)
        return err;
    slot.enroll = j->enroll;
    j->err = FED_ERR_CLOSED;
    fed_diag_set(&j->diag, FED_ERR_CLOSED, "stopped before the hub answered");
    agent_enroll_start(j->enroll);
    err = fed_linux_loop_run(w->loop);
    slot.enroll = NULL;
    agent_enroll_free(j->enroll);
    if (!err && j->err) {
        *diag = j->diag;
        err = j->err;
    }
    return err;
}

static enum fed_err join(struct joining *j, struct fed_diag *diag)
{
    enum fed_err err = read_token(j, diag);

    if (!err)
        err = check_kubeconfig(j->w, diag);
    if (!err)
        err = open_world(j->w, diag);
    if (!err)
        err = watch_signals(j->w);
    if (!err)
        err = check_joined(j, diag);
    return err ? err : enroll(j, diag);
}

static int command_join(struct world *w, const struct agent_options *options)
{
    struct joining *j = fed_alloc_zero(w->mem, sizeof *j);
    struct fed_diag diag = {""};
    enum fed_err err = j ? FED_OK : FED_ERR_NOMEM;

    if (!err) {
        j->w = w;
        j->options = options;
        err = join(j, &diag);
    }
    fed_alloc_free(w->mem, j, sizeof *j);
    if (err && err != FED_ERR_EXISTS)
        return fail(&diag, err);
    if (err == FED_ERR_EXISTS && diag.text[0]) /* the name is taken at the hub */
        return fail(&diag, err);
    printf("%s as %s\n", err ? "joined already" : "joined", w->identity.cluster);
    return EXIT_SUCCESS;
}

/* ---- status ---- */

static int command_status(struct world *w, const struct agent_options *options)
{
    const char *request = options->json ? "status" : "status text";
    struct fed_diag diag = {""};
    struct fed_buf answer;
    char path[AGENT_PATH_MAX];
    enum fed_err err = state_path(w, AGENT_STATE_SOCKET, path, &diag);

    fed_buf_init(&answer, w->mem, FED_CONTROL_ANSWER_MAX);
    if (!err)
        err = fed_control_ask(
            w->mem, path, fed_span_text(request), STATUS_TIMEOUT_MS, &answer, &diag);
    if (err == FED_ERR_NOT_FOUND)
        fed_diag_set(&diag, err,
            "no service runs on %s; start it with `systemctl start fedlet` or "
            "`fedlet run`",
            w->config.state_dir);
    if (!err) {
        fwrite(answer.at, 1, answer.len, stdout);
        if (options->json)
            putchar('\n');
    }
    fed_buf_fini(&answer);
    return err ? fail(&diag, err) : EXIT_SUCCESS;
}

/* ---- leave ---- */

static void on_left(void *ctx)
{
    struct world *w = ctx;

    w->exit_code = EXIT_SUCCESS;
    stop_loop(w);
}

static enum fed_err forget(struct world *w, struct fed_diag *diag)
{
    static const char *const files[] = {
        AGENT_STATE_FILE, AGENT_STATE_FILE "-wal", AGENT_STATE_FILE "-shm", AGENT_STATE_KEY_FILE};
    char path[AGENT_PATH_MAX];
    enum fed_err err = FED_OK;

    fed_sqlite_store_close(w->store);
    w->store = NULL;
    for (size_t i = 0; i < sizeof files / sizeof *files && !err; i++) {
        err = state_path(w, files[i], path, diag);
        if (!err)
            err = w->fs.remove(w->fs.ctx, path, diag);
    }
    return err;
}

static enum fed_err leave(
    struct world *w, const struct agent_options *options, size_t *remaining, struct fed_diag *diag)
{
    struct agent_daemon_options daemon_options = {0};
    struct agent_daemon *daemon = NULL;
    unsigned timeout_ms = options->timeout_ms ? options->timeout_ms : LEAVE_TIMEOUT_MS;
    enum fed_err err = open_joined(w, diag);

    if (err)
        return err;
    agent_kube_lazy_init(&w->kube, &w->log, open_kube, w);
    w->ports.kube = &w->kube.port;
    err = agent_daemon_new(&w->ports, &daemon_options, &daemon, diag);
    if (!err)
        err = watch_signals(w);
    if (!err)
        err = start_timer(w, stop_loop, timeout_ms);
    if (!err) {
        w->exit_code = EXIT_FAILURE;
        agent_daemon_start(daemon);
        agent_daemon_leave(daemon, options->keep_objects, on_left, w);
        err = fed_linux_loop_run(w->loop);
        *remaining = agent_daemon_remaining(daemon);
    }
    agent_daemon_free(daemon);
    return err;
}

static int command_leave(struct world *w, const struct agent_options *options)
{
    struct fed_diag diag = {""};
    size_t remaining = 0;
    enum fed_err err = leave(w, options, &remaining, &diag);

    if (!err && w->exit_code != EXIT_SUCCESS)
        err = fed_diag_set(&diag, FED_ERR_TIMEOUT,
            "%zu objects are still in the cluster; nothing else was changed, run it again",
            remaining);
    if (!err)
        err = forget(w, &diag);
    if (err)
        return fail(&diag, err);
    printf("left as %s\n", w->identity.cluster);
    fprintf(stderr,
        "fedlet: the hub still lists this cluster; there, run\n"
        "  kubectl -n kube-federation-system delete kubefedcluster %s\n",
        w->identity.cluster);
    return EXIT_SUCCESS;
}

/* ---- the rest ---- */

static int command_config(struct world *w, const struct agent_options *options)
{
    struct fed_buf text;

    if (options->check) {
        printf("%s: ok\n", options->config_file);
        return EXIT_SUCCESS;
    }
    fed_buf_init(&text, w->mem, AGENT_CONFIG_MAX);
    agent_config_sample(&text);
    fwrite(text.at, 1, text.len, stdout);
    fed_buf_fini(&text);
    return EXIT_SUCCESS;
}

static int command_version(struct world *w, const struct agent_options *options)
{
    (void)w;
    printf(options->json ? "{\"version\":\"%s\"}\n" : "fedlet %s\n", FEDLET_VERSION);
    return EXIT_SUCCESS;
}

static int command_help(struct world *w, const struct agent_options *options)
{
    (void)w;
    (void)options;
    fputs(agent_options_help(AGENT_COMMAND_HELP), stdout);
    return EXIT_SUCCESS;
}

static int (*const commands[AGENT_COMMANDS])(struct world *, const struct agent_options *) = {
    [AGENT_COMMAND_JOIN] = command_join,
    [AGENT_COMMAND_RUN] = command_run,
    [AGENT_COMMAND_STATUS] = command_status,
    [AGENT_COMMAND_LEAVE] = command_leave,
    [AGENT_COMMAND_CONFIG] = command_config,
    [AGENT_COMMAND_VERSION] = command_version,
    [AGENT_COMMAND_HELP] = command_help,
};

static int usage(const struct fed_diag *diag)
{
    fprintf(stderr, "fedlet: %s; see `fedlet --help`\n", diag->text);
    return EXIT_USAGE;
}

/* What could not be written, to a full disk or a closed pipe, was not done. */
static int close_output(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    fprintf(stderr, "fedlet: cannot write to standard output: %s\n", strerror(errno));
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    static struct world w;
    static struct agent_options options;
    struct fed_diag diag = {""};
    enum fed_err err = agent_options_parse(argc, argv, &options, &diag);
    int code;

    if (err)
        return usage(&diag);
    if (options.help) {
        fputs(agent_options_help(options.command), stdout);
        return close_output(EXIT_SUCCESS);
    }
    umask(077); /* the bundle may hold Secrets */
    w.mem = fed_alloc_system();
    w.fs = fed_fs_posix(w.mem);
    err = configure(&w, &options, &diag);
    if (err)
        return err == FED_ERR_INVALID ? usage(&diag) : fail(&diag, err);
    code = commands[options.command](&w, &options);
    close_world(&w);
    return close_output(code);
}
