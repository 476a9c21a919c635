/* world.c - see world.h. */
#include "agent/world.h"

#include "agent/limits.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STORE_CACHE_KIB 128u

const char *const agent_world_files[] = {AGENT_VAULT_FILE, AGENT_STATE_FILE,
    AGENT_STATE_FILE "-wal", AGENT_STATE_FILE "-shm", AGENT_STATE_FILE AGENT_VAULT_ASIDE "1",
    AGENT_STATE_FILE AGENT_VAULT_ASIDE "1-wal", AGENT_STATE_FILE AGENT_VAULT_ASIDE "2",
    AGENT_STATE_FILE AGENT_VAULT_ASIDE "2-wal", AGENT_STATE_SESSION_FILE, AGENT_STATE_PARTIAL_FILE,
    AGENT_STATE_KEY_FILE};
const size_t agent_n_world_files = sizeof agent_world_files / sizeof *agent_world_files;

int agent_world_fail(const struct fed_diag *diag, enum fed_err err)
{
    fprintf(stderr, "fedlet: %s\n", diag->text[0] ? diag->text : fed_err_text(err));
    return EXIT_FAILURE;
}

const char *agent_world_kubeconfig(const struct agent_world *w)
{
    return w->config.kubeconfig[0] ? w->config.kubeconfig : w->identity.kubeconfig;
}

void agent_world_hubs(
    const struct agent_world *w, const struct agent_config *config, struct agent_dial_options *out)
{
    bool configured = config->n_hubs > 0;

    out->hubs = (const char(*)[281])(configured ? config->hubs : w->identity.hubs);
    out->n_hubs = configured ? config->n_hubs : w->identity.n_hubs;
}

enum fed_err agent_world_path(
    const struct agent_world *w, const char *file, char out[AGENT_PATH_MAX], struct fed_diag *diag)
{
    int n = snprintf(out, AGENT_PATH_MAX, "%s/%s", w->config.state_dir, file);

    if (n < 0 || (size_t)n >= AGENT_PATH_MAX)
        return fed_diag_set(diag, FED_ERR_LIMIT, "the path of the state directory is too long");
    return FED_OK;
}

enum fed_err agent_world_open_store(struct agent_world *w, struct fed_diag *diag)
{
    struct fed_sqlite_options options = {
        .application_id = AGENT_STATE_APPLICATION_ID, .cache_kib = STORE_CACHE_KIB};
    char path[AGENT_PATH_MAX];
    enum fed_err err = agent_world_path(w, AGENT_STATE_FILE, path, diag);

    if (!err)
        err = w->crypto.random(
            w->crypto.ctx, (uint8_t *)&options.new_epoch, sizeof options.new_epoch);
    if (!err)
        err = fed_sqlite_store_open(w->mem, path, &options, &w->store, diag);
    if (!err)
        w->ports.store = fed_sqlite_store_port(w->store);
    return err;
}

static enum fed_err open_lock(struct agent_world *w, struct fed_diag *diag)
{
    char path[AGENT_PATH_MAX];
    enum fed_err err = w->fs.make_dir(w->fs.ctx, w->config.state_dir, 0700, diag);

    if (!err)
        err = agent_world_path(w, AGENT_STATE_LOCK_FILE, path, diag);
    if (!err)
        err = w->fs.lock(w->fs.ctx, path, &w->lock, diag);
    if (err == FED_ERR_BUSY)
        fed_diag_prefix(diag, err, "another fedlet uses this state directory, stop it first");
    return err;
}

/* A new store, also one that was made when there was no room for more, gets the identity of before.
 * Without one this directory has not joined. */
static enum fed_err restore(struct agent_world *w, struct fed_diag *diag)
{
    struct agent_state state = agent_world_state(w);
    enum fed_err err = agent_vault_restore(&state, diag);

    if (err == FED_ERR_CORRUPT)
        fed_log(&w->log, FED_LOG_ERROR, "%s", diag->text);
    return err == FED_ERR_CORRUPT || err == FED_ERR_NOT_FOUND ? FED_OK : err;
}

struct agent_state agent_world_state(struct agent_world *w)
{
    struct agent_state state;

    agent_state_init(&state, w->mem, w->ports.store);
    state.vault = &w->vault;
    return state;
}

enum fed_err agent_world_mend(struct agent_world *w, struct fed_diag *diag)
{
    char path[AGENT_PATH_MAX];
    enum fed_err err;

    fed_log(&w->log, FED_LOG_ERROR,
        "%s; it is set aside as " AGENT_STATE_FILE AGENT_VAULT_ASIDE
        "1, a new one begins with the bundle that the hub has; nothing is deleted",
        diag->text);
    agent_world_close_store(w);
    err = agent_world_path(w, AGENT_STATE_FILE, path, diag);
    if (!err)
        err = agent_vault_set_aside(&w->fs, path, diag);
    if (!err)
        err = agent_world_open_store(w, diag);
    return err ? err : restore(w, diag);
}

static enum fed_err open_state(struct agent_world *w, struct fed_diag *diag)
{
    enum fed_err err = agent_world_path(w, AGENT_VAULT_FILE, w->vault_path, diag);

    w->vault = (struct agent_vault){.fs = &w->fs, .path = w->vault_path};
    if (!err)
        err = agent_world_open_store(w, diag);
    if (err == FED_ERR_CORRUPT)
        return agent_world_mend(w, diag);
    return err ? err : restore(w, diag);
}

void agent_world_open_log(struct agent_world *w)
{
    w->log = fed_log_lines_stderr(
        &w->log_lines, agent_config_log_level(&w->config), strcmp(w->config.log, "json") == 0);
    w->log_lines.cluster = w->identity.cluster; /* "" until it is known */
}

enum fed_err agent_world_open_ports(struct agent_world *w, struct fed_diag *diag)
{
    enum fed_err err = fed_linux_loop_open(w->mem, &w->loop, diag);

    agent_world_open_log(w);
    if (err)
        return err;
    err = fed_tls_crypto_open(w->mem, &w->crypto, diag);
    if (err)
        return err;
    w->crypto_open = true;
    w->ports = (struct agent_ports){
        .mem = w->mem, .loop = fed_linux_loop_port(w->loop), .log = &w->log, .crypto = &w->crypto};
    return FED_OK;
}

enum fed_err agent_world_open(struct agent_world *w, struct fed_diag *diag)
{
    enum fed_err err = agent_world_open_ports(w, diag);

    if (!err)
        err = open_lock(w, diag);
    return err ? err : open_state(w, diag);
}

/* Over the names that the files have now (fed_fs.name): another when one was replaced. */
static uint64_t stamp_of(const struct agent_world *w)
{
    struct fed_span rest = fed_buf_span(&w->kube_files);
    struct fed_span path;
    struct fed_digest digest = {{0}};
    uint64_t stamp = 0;
    struct fed_buf names;

    fed_buf_init(&names, w->mem, 16384);
    while (rest.len > 0 && fed_span_split(&rest, '\0', &path)) {
        if (path.len && w->fs.name(w->fs.ctx, (const char *)path.at, &names, NULL))
            fed_buf_put_text(&names, "?");
        fed_buf_put_u8(&names, 0);
    }
    if (fed_digest_of(fed_buf_span(&names), &digest) == FED_OK)
        memcpy(&stamp, digest.bytes, sizeof stamp);
    fed_buf_fini(&names);
    return stamp;
}

static bool kube_changed(void *ctx)
{
    struct agent_world *w = ctx;

    return stamp_of(w) != w->kube_stamp;
}

static enum fed_err open_kube(void *ctx, struct fed_kube **out, struct fed_diag *diag)
{
    struct agent_world *w = ctx;
    const char *path = agent_world_kubeconfig(w);
    struct fed_kube_client *client = NULL;
    struct fed_kube_config config;
    enum fed_err err = fed_kube_config_load_own(w->mem, path[0] ? path : NULL, &config, diag);

    if (err)
        return err;
    err = fed_kube_client_open(w->mem, w->ports.loop, &w->log, &config, &client, diag);
    if (!err) {
        fed_buf_fini(&w->kube_files);
        w->kube_files = config.files;
        fed_buf_init(&config.files, w->mem, 0);
        w->kube_stamp = stamp_of(w);
        w->kube_before = w->kube_client;
        w->kube_client = client;
        *out = fed_kube_client_port(client);
    }
    fed_kube_config_fini(&config);
    return err;
}

static void close_kube(void *ctx, struct fed_kube *kube)
{
    struct agent_world *w = ctx;
    struct fed_kube_client *before = w->kube_before;

    (void)kube;
    w->kube_before = NULL;
    fed_kube_client_close(before);
}

static const char *environment(const char *upper, const char *lower)
{
    const char *value = getenv(upper);

    if (!value || !value[0])
        value = getenv(lower);
    return value ? value : "";
}

/* A proxy that was asked for is for every hub; that of the environment as the environment says. */
static enum fed_err open_https(
    struct agent_world *w, const struct fed_link_events *events, struct fed_diag *diag)
{
    struct fed_https_client_options options = {.proxy = w->config.proxy};
    enum fed_err err;

    if (strcmp(w->config.proxy, "none") == 0) {
        options.proxy = NULL;
    } else if (!w->config.proxy[0]) {
        options.proxy = environment("HTTPS_PROXY", "https_proxy");
        options.no_proxy = environment("NO_PROXY", "no_proxy");
    }
    err = fed_https_client_open(w->mem, w->ports.loop, &w->log, &options, events, &w->https, diag);
    if (err)
        return w->config.proxy[0] ? err : fed_diag_prefix(diag, err, "HTTPS_PROXY");
    w->ports.https = fed_https_client_port(w->https);
    return FED_OK;
}

/* What the environment says is meant for many programs, most of which take more than we do. */
static bool can_do_without_https(const struct agent_world *w, bool has_coap, enum fed_err err)
{
    return has_coap && strcmp(w->config.link, "https") != 0 && !w->config.proxy[0] &&
           err != FED_ERR_NOMEM;
}

enum fed_err agent_world_open_links(struct agent_world *w, bool has_coap,
    const struct fed_link_events *coap, const struct fed_link_events *https, struct fed_diag *diag)
{
    enum fed_err err = FED_OK;

    if (strcmp(w->config.link, "https") != 0) {
        err = fed_coap_client_open(w->mem, w->ports.loop, &w->log, coap, &w->coap, diag);
        if (!err)
            w->ports.coap = fed_coap_client_port(w->coap);
    }
    if (!err && strcmp(w->config.link, "coap") != 0)
        err = open_https(w, https, diag);
    if (err && w->ports.coap && can_do_without_https(w, has_coap, err)) {
        fed_log(&w->log, FED_LOG_WARN, "%s; going on without https:// addresses", diag->text);
        diag->text[0] = '\0';
        err = FED_OK;
    }
    return err;
}

void agent_world_open_kube(struct agent_world *w)
{
    struct agent_kube_source source = {
        .ctx = w, .open = open_kube, .close = close_kube, .changed = kube_changed};

    agent_kube_lazy_init(&w->kube, w->ports.loop, &w->log, &source);
    w->ports.kube = &w->kube.port;
}

void agent_world_close_links(struct agent_world *w)
{
    fed_coap_client_close(w->coap);
    fed_https_client_close(w->https);
    w->coap = NULL;
    w->https = NULL;
    w->ports.coap = w->ports.https = NULL;
}

/* ---- policy ---- */

struct policy_file {
    struct fed_alloc *mem;
    struct agent_policy *policy;
};

static enum fed_err read_policy(void *ctx, struct fed_span json, struct fed_diag *diag)
{
    struct policy_file *file = ctx;

    return agent_policy_read(file->mem, json, &file->policy, diag);
}

enum fed_err agent_world_open_policy(struct agent_world *w, struct fed_diag *diag)
{
    struct policy_file file = {.mem = w->mem};
    enum fed_err err;

    if (!w->config.policy[0])
        return FED_OK;
    err = agent_world_read(w, w->config.policy, AGENT_POLICY_BYTES_MAX, read_policy, &file, diag);
    if (!err && !file.policy) /* an empty file says nothing, and nothing is not everything */
        err = fed_diag_set(diag, FED_ERR_INVALID, "an empty file; {} allows everything");
    if (err) {
        agent_policy_free(file.policy);
        return fed_diag_prefix(diag, err, "policy %s", w->config.policy);
    }
    agent_policy_free(w->policy);
    w->policy = file.policy;
    return FED_OK;
}

void agent_world_close_store(struct agent_world *w)
{
    fed_sqlite_store_close(w->store);
    w->store = NULL;
}

void agent_world_close(struct agent_world *w)
{
    fed_tls_judge_by(NULL);
    if (w->timer)
        w->ports.loop->timer_free(w->ports.loop->ctx, w->timer);
    agent_world_close_links(w);
    fed_kube_client_close(w->kube_client);
    fed_buf_fini(&w->kube_files);
    if (w->store)
        agent_world_close_store(w);
    agent_policy_free(w->policy);
    w->fs.unlock(w->fs.ctx, w->lock);
    fed_buf_fini(&w->key_pem);
    if (w->crypto_open)
        fed_tls_crypto_close(&w->crypto);
    if (w->loop)
        fed_linux_loop_close(w->loop);
}

static enum fed_err not_joined(const struct agent_world *w, struct fed_diag *diag)
{
    return fed_diag_set(
        diag, FED_ERR_NOT_FOUND, "%s has not joined a hub; use `fedlet join`", w->config.state_dir);
}

static enum fed_err read_key(struct agent_world *w, struct fed_diag *diag)
{
    char path[AGENT_PATH_MAX];
    enum fed_err err = agent_world_path(w, AGENT_STATE_KEY_FILE, path, diag);

    fed_buf_init(&w->key_pem, w->mem, 16384);
    if (!err)
        err = w->fs.read(w->fs.ctx, path, &w->key_pem, diag);
    return err == FED_ERR_NOT_FOUND ? not_joined(w, diag) : err;
}

static enum fed_err open_clock(struct agent_world *w, struct fed_diag *diag)
{
    struct agent_state state = agent_world_state(w);
    struct fed_crypto_cert_info info = {.not_before_unix_s = 0};
    struct fed_tls_times times;
    int64_t floor_unix_s = 0;
    enum fed_err err = agent_state_time(&state, &floor_unix_s, diag);

    if (err)
        return err;
    /* One that cannot be read is the renewal's to say. */
    if (!w->crypto.cert_info(w->crypto.ctx, fed_span_text(w->identity.certificate), &info, NULL) &&
        info.not_before_unix_s > floor_unix_s)
        floor_unix_s = info.not_before_unix_s;
    agent_clock_init(&w->clock, w->ports.loop, floor_unix_s);
    w->ports.clock = &w->clock;
    times = agent_clock_times(&w->clock);
    fed_tls_judge_by(&times);
    return FED_OK;
}

enum fed_err agent_world_open_joined(struct agent_world *w, struct fed_diag *diag)
{
    struct agent_state state;
    struct fed_diag kept = {""};
    enum fed_err err = read_key(w, diag);

    if (!err)
        err = agent_world_open(w, diag);
    if (err)
        return err;
    state = agent_world_state(w);
    err = agent_state_identity(&state, &w->identity, diag);
    if (!err && agent_vault_keep(&state, &kept))
        fed_log(&w->log, FED_LOG_WARN, "the identity is not kept a second time: %s", kept.text);
    if (!err)
        err = open_clock(w, diag);
    return err == FED_ERR_NOT_FOUND ? not_joined(w, diag) : err;
}

void agent_world_stop(void *ctx)
{
    struct agent_world *w = ctx;

    w->ports.loop->stop(w->ports.loop->ctx);
}

static void on_signal(void *ctx, int number)
{
    (void)number;
    agent_world_stop(ctx);
}

enum fed_err agent_world_watch_signals(struct agent_world *w)
{
    enum fed_err err = fed_linux_loop_on_signal(w->loop, SIGTERM, on_signal, w);

    return err ? err : fed_linux_loop_on_signal(w->loop, SIGINT, on_signal, w);
}

enum fed_err agent_world_start_timer(struct agent_world *w, fed_loop_call *call, uint64_t after_ms)
{
    struct fed_loop *loop = w->ports.loop;
    enum fed_err err = loop->timer_new(loop->ctx, call, w, &w->timer);

    if (!err)
        loop->timer_set(loop->ctx, w->timer, fed_loop_now_ms(loop) + after_ms);
    return err;
}
