/* config.c - kubeconfig (v1) and the in-cluster ServiceAccount files, resolved to one server and
 * one user. */
#include "ports/fs.h"
#include "ports/kube.h"
#include "ports/yaml.h"
#include "proto/base/text.h"
#include "proto/object/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG_MAX (1u << 20)
#define PEM_MAX (256u << 10)
#define FILES_MAX (8u << 10)
#define SERVICE_ACCOUNT_DIR "/var/run/secrets/kubernetes.io/serviceaccount"

struct loading {
    struct fed_alloc *mem;
    struct fed_fs fs;
    struct fed_json_doc *doc;
    struct fed_json *root;
    char folder[1024]; /* of the kubeconfig, with a slash at the end; relative paths start there */
    bool chosen;       /* the context was found */
    char context[254]; /* the first current-context of several files; "" without one */
    bool own;          /* the machine's own cluster is meant, where none is named */
    struct fed_buf *files;
    struct fed_diag *diag;
};

static void config_init(struct fed_alloc *mem, struct fed_kube_config *config)
{
    *config = (struct fed_kube_config){.server_port = 0};
    fed_buf_init(&config->ca_pem, mem, PEM_MAX);
    fed_buf_init(&config->cert_pem, mem, PEM_MAX);
    fed_buf_init(&config->key_pem, mem, PEM_MAX);
    fed_buf_init(&config->token, mem, 64u << 10);
    fed_buf_init(&config->files, mem, FILES_MAX);
}

void fed_kube_config_fini(struct fed_kube_config *config)
{
    if (!config)
        return;
    fed_buf_fini(&config->ca_pem);
    fed_buf_fini(&config->cert_pem);
    fed_buf_fini(&config->key_pem);
    fed_buf_fini(&config->token);
    fed_buf_fini(&config->files);
}

/* Reads it, and notes its name. */
static enum fed_err read_file(struct loading *l, const char *path, struct fed_buf *out)
{
    enum fed_err err = l->fs.read(l->fs.ctx, path, out, l->diag);

    if (!err)
        fed_buf_put(l->files, fed_span_of(path, strlen(path) + 1));
    return err ? err : fed_buf_err(l->files);
}

/* "https://host:port/prefix", host perhaps in brackets. */
static enum fed_err server_parse(
    struct fed_span url, struct fed_kube_config *out, struct fed_diag *diag)
{
    struct fed_span rest = fed_span_sub(url, 8, url.len);
    struct fed_span host;
    struct fed_span base;
    uint64_t port = 443;
    size_t end;

    if (!fed_span_starts(url, "https://"))
        return fed_diag_set(diag, FED_ERR_UNSUPPORTED,
            "server \"" FED_SPAN_FMT "\": only https is supported", FED_SPAN_ARG(url));
    end = fed_span_find(rest, '/');
    base = fed_span_sub(rest, end, rest.len);
    rest = fed_span_sub(rest, 0, end);
    end = rest.len && rest.at[0] == '[' ? fed_span_find(rest, ']') : fed_span_find(rest, ':');
    host =
        rest.len && rest.at[0] == '[' ? fed_span_sub(rest, 1, end - 1) : fed_span_sub(rest, 0, end);
    rest = fed_span_sub(rest, rest.len && rest.at[0] == '[' ? end + 1 : end, rest.len);
    if (rest.len && (rest.at[0] != ':' || fed_span_to_u64(fed_span_sub(rest, 1, rest.len), &port) ||
                        port == 0 || port > 65535))
        return fed_diag_set(
            diag, FED_ERR_INVALID, "server \"" FED_SPAN_FMT "\": bad port", FED_SPAN_ARG(url));
    while (base.len && base.at[base.len - 1] == '/')
        base.len--;
    if (host.len == 0 || fed_span_to_cstr(host, out->server_host, sizeof out->server_host) ||
        fed_span_to_cstr(base, out->base_path, sizeof out->base_path))
        return fed_diag_set(
            diag, FED_ERR_INVALID, "server \"" FED_SPAN_FMT "\": bad address", FED_SPAN_ARG(url));
    out->server_port = (uint16_t)port;
    return FED_OK;
}

/* The entry of a list ("clusters", "users", "contexts") with that name; its inner object. */
static const struct fed_json *named(
    const struct loading *l, const char *list, const char *inner, struct fed_span name)
{
    const struct fed_json *all = fed_json_get(l->root, list);

    for (size_t i = 0; i < fed_json_count(all); i++) {
        const struct fed_json *entry = fed_json_at(all, i);

        if (fed_span_eq(fed_json_string(fed_json_get(entry, "name")), name))
            return fed_json_get(entry, inner);
    }
    return NULL;
}

/* "KEY-data" (base64) or the file named by KEY. Absent both: out stays empty. */
static enum fed_err data_or_file(
    struct loading *l, const struct fed_json *from, const char *key, struct fed_buf *out)
{
    struct fed_span file = fed_json_string(fed_json_get(from, key));
    char data_key[64];
    char path[2048];
    struct fed_span data;

    snprintf(data_key, sizeof data_key, "%s-data", key);
    data = fed_json_string(fed_json_get(from, data_key));
    if (data.len) {
        enum fed_err err = fed_text_base64(data, out);

        return err ? fed_diag_set(l->diag, err, "%s is not base64", data_key) : FED_OK;
    }
    if (file.len == 0)
        return FED_OK;
    if (snprintf(path, sizeof path, "%s" FED_SPAN_FMT, file.at[0] == '/' ? "" : l->folder,
            FED_SPAN_ARG(file)) >= (int)sizeof path)
        return fed_diag_set(l->diag, FED_ERR_LIMIT, "%s: path too long", key);
    return read_file(l, path, out);
}

static enum fed_err take_cluster(
    struct loading *l, const struct fed_json *cluster, struct fed_kube_config *out)
{
    enum fed_err err = server_parse(fed_json_string(fed_json_get(cluster, "server")), out, l->diag);

    if (err)
        return err;
    out->insecure_skip_tls_verify =
        fed_json_bool(fed_json_get(cluster, "insecure-skip-tls-verify"), false);
    if (fed_span_to_cstr(fed_json_string(fed_json_get(cluster, "tls-server-name")),
            out->tls_server_name, sizeof out->tls_server_name))
        return fed_diag_set(l->diag, FED_ERR_INVALID, "tls-server-name is too long");
    return data_or_file(l, cluster, "certificate-authority", &out->ca_pem);
}

static enum fed_err take_user(
    struct loading *l, const struct fed_json *user, struct fed_kube_config *out)
{
    struct fed_span token = fed_json_string(fed_json_get(user, "token"));
    struct fed_span token_file = fed_json_string(fed_json_get(user, "tokenFile"));
    enum fed_err err;

    if (fed_json_get(user, "exec") || fed_json_get(user, "auth-provider"))
        return fed_diag_set(l->diag, FED_ERR_UNSUPPORTED,
            "its user needs a credential plugin (exec or auth-provider), which is not supported: "
            "use a client certificate, or the token of a ServiceAccount "
            "(`kubectl create token`, in `token` or `tokenFile` of the user)");
    if (fed_json_get(user, "username"))
        return fed_diag_set(l->diag, FED_ERR_UNSUPPORTED,
            "its user has a password, which Kubernetes no longer takes");
    fed_buf_put(&out->token, token);
    if (token_file.len > 0 && snprintf(out->token_file, sizeof out->token_file, "%s" FED_SPAN_FMT,
                                  token_file.at[0] == '/' ? "" : l->folder,
                                  FED_SPAN_ARG(token_file)) >= (int)sizeof out->token_file)
        return fed_diag_set(l->diag, FED_ERR_LIMIT, "tokenFile: path too long");
    err = fed_buf_err(&out->token);
    if (!err)
        err = data_or_file(l, user, "client-certificate", &out->cert_pem);
    return err ? err : data_or_file(l, user, "client-key", &out->key_pem);
}

/* Of several files the first one that has a current-context says it for all. */
static struct fed_span context_name(struct loading *l, const char *context)
{
    struct fed_span name = fed_json_string(fed_json_get(l->root, "current-context"));

    if (context)
        return fed_span_text(context);
    if (l->context[0])
        return fed_span_text(l->context);
    if (fed_span_to_cstr(name, l->context, sizeof l->context))
        l->context[0] = '\0';
    return name;
}

static enum fed_err resolve(struct loading *l, const char *context, struct fed_kube_config *out)
{
    struct fed_span name = context_name(l, context);
    const struct fed_json *chosen = named(l, "contexts", "context", name);
    const struct fed_json *cluster;
    const struct fed_json *user;
    struct fed_span ns = fed_json_string(fed_json_get(chosen, "namespace"));
    enum fed_err err;

    if (!chosen)
        return fed_diag_set(l->diag, FED_ERR_NOT_FOUND,
            name.len ? "no context \"" FED_SPAN_FMT "\"" : "no current-context" FED_SPAN_FMT,
            FED_SPAN_ARG(name));
    l->chosen = true;
    cluster = named(l, "clusters", "cluster", fed_json_string(fed_json_get(chosen, "cluster")));
    user = named(l, "users", "user", fed_json_string(fed_json_get(chosen, "user")));
    if (!cluster)
        return fed_diag_set(l->diag, FED_ERR_NOT_FOUND,
            "context \"" FED_SPAN_FMT "\" names a cluster that is not there", FED_SPAN_ARG(name));
    if (ns.len == 0)
        ns = fed_span_text("default");
    if (fed_span_to_cstr(ns, out->ns, sizeof out->ns))
        return fed_diag_set(l->diag, FED_ERR_INVALID, "namespace is too long");
    err = take_cluster(l, cluster, out);
    return err || !user ? err : take_user(l, user, out);
}

static bool take_document(void *ctx, size_t index, struct fed_span json)
{
    struct loading *l = ctx;

    (void)index;
    if (fed_json_parse(l->doc, json, &l->root, l->diag))
        l->root = NULL;
    return false;
}

static enum fed_err load_file(
    struct loading *l, const char *path, const char *context, struct fed_kube_config *out)
{
    const char *slash = strrchr(path, '/');
    struct fed_buf text;
    enum fed_err err;

    fed_buf_init(&text, l->mem, CONFIG_MAX);
    snprintf(l->folder, sizeof l->folder, "%.*s", slash ? (int)(slash - path + 1) : 0, path);
    err = read_file(l, path, &text);
    if (!err)
        err = fed_json_doc_new(l->mem, &l->doc);
    if (!err)
        err = fed_yaml_each_json(l->mem, fed_buf_span(&text), take_document, l, l->diag);
    if (!err && !fed_json_is_object(l->root))
        err = fed_diag_set(l->diag, FED_ERR_INVALID, "is no kubeconfig");
    if (!err)
        err = resolve(l, context, out);
    fed_json_doc_free(l->doc);
    l->doc = NULL;
    l->root = NULL;
    fed_buf_fini(&text);
    if (err == FED_ERR_FORBIDDEN)
        fed_diag_set(l->diag, err, "cannot be read: as root, or see LoadCredential in the unit");
    return err ? fed_diag_prefix(l->diag, err, "kubeconfig %s", path) : FED_OK;
}

/* What a pod finds in SERVICE_ACCOUNT_DIR: token, ca.crt and namespace. Another folder is named by
 * FEDLET_SERVICE_ACCOUNT_DIR, for who runs outside of a container with such files. */
static enum fed_err read_service_account(struct loading *l, struct fed_kube_config *out)
{
    const char *folder = getenv("FEDLET_SERVICE_ACCOUNT_DIR");
    char path[sizeof out->token_file];
    struct fed_buf ns;
    enum fed_err err;

    if (!folder || !*folder)
        folder = SERVICE_ACCOUNT_DIR;
    if (snprintf(out->token_file, sizeof out->token_file, "%s/token", folder) >=
            (int)sizeof out->token_file ||
        snprintf(path, sizeof path, "%s/namespace", folder) >= (int)sizeof path)
        return fed_diag_set(l->diag, FED_ERR_LIMIT, "FEDLET_SERVICE_ACCOUNT_DIR: path too long");
    fed_buf_init(&ns, l->mem, sizeof out->ns - 1);
    err = l->fs.read(l->fs.ctx, path, &ns, NULL);
    snprintf(out->ns, sizeof out->ns, "%s", err ? "default" : fed_buf_cstr(&ns));
    fed_buf_fini(&ns);
    snprintf(path, sizeof path, "%s/ca.crt", folder);
    return read_file(l, path, &out->ca_pem);
}

static enum fed_err load_in_cluster(struct loading *l, struct fed_kube_config *out)
{
    const char *host = getenv("KUBERNETES_SERVICE_HOST");
    const char *port = getenv("KUBERNETES_SERVICE_PORT");
    uint64_t number = 0;

    if (!host || !port || fed_span_to_u64(fed_span_text(port), &number) || number == 0 ||
        number > 65535 ||
        fed_span_to_cstr(fed_span_text(host), out->server_host, sizeof out->server_host))
        return fed_diag_set(l->diag, FED_ERR_NOT_FOUND,
            "no kubeconfig: none was named, KUBECONFIG is not set, ~/.kube/config is not there%s, "
            "and this is not a pod",
            l->own ? " and none of k3s, kubeadm or MicroK8s" : "");
    out->server_port = (uint16_t)number;
    return read_service_account(l, out);
}

static bool is_there(struct fed_alloc *mem, const char *path)
{
    struct fed_fs fs = fed_fs_posix(mem);
    struct fed_buf probe;
    enum fed_err err;

    fed_buf_init(&probe, mem, CONFIG_MAX);
    err = fs.read(fs.ctx, path, &probe, NULL);
    fed_buf_fini(&probe);
    return err != FED_ERR_NOT_FOUND;
}

enum fed_err fed_kube_config_find(
    struct fed_alloc *mem, const char *root, char out[FED_KUBE_PATH_MAX])
{
    static const char *const places[] = {"/etc/rancher/k3s/k3s.yaml", "/etc/kubernetes/admin.conf",
        "/var/snap/microk8s/current/credentials/client.config"};

    if (!root)
        root = getenv("FEDLET_HOST_ROOT");
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char path[FED_KUBE_PATH_MAX];

        if (snprintf(path, sizeof path, "%s%s", root ? root : "", places[i]) < (int)sizeof path &&
            is_there(mem, path)) {
            memcpy(out, path, sizeof path);
            return FED_OK;
        }
    }
    return FED_ERR_NOT_FOUND;
}

/* The file to read, or NULL for the in-cluster way. */
static const char *find_file(struct loading *l, const char *path, char found[FED_KUBE_PATH_MAX])
{
    const char *home = getenv("HOME");

    if (path)
        return path;
    if (home &&
        snprintf(found, FED_KUBE_PATH_MAX, "%s/.kube/config", home) < (int)FED_KUBE_PATH_MAX &&
        is_there(l->mem, found))
        return found;
    if (!l->own || getenv("KUBERNETES_SERVICE_HOST") || fed_kube_config_find(l->mem, NULL, found))
        return NULL;
    return found;
}

/* KUBECONFIG may list files, separated by colons. The first that has the context counts; files that
 * are not there are passed over, and when none fits the first complaint is the answer. */
static enum fed_err load_listed(
    struct loading *l, const char *list, const char *context, struct fed_kube_config *out)
{
    struct fed_span rest = fed_span_text(list);
    struct fed_span one;
    struct fed_diag first = {""};
    enum fed_err answer = FED_ERR_NOT_FOUND;

    while (fed_span_split(&rest, ':', &one)) {
        char path[1024];
        enum fed_err err = FED_ERR_NOT_FOUND;

        if (one.len == 0)
            continue;
        if (fed_span_to_cstr(one, path, sizeof path))
            return fed_diag_set(l->diag, FED_ERR_LIMIT, "KUBECONFIG: path too long");
        err = load_file(l, path, context, out);
        if (err != FED_ERR_NOT_FOUND || l->chosen)
            return err;
        if (!first.text[0] && l->diag)
            first = *l->diag;
        answer = err;
    }
    return fed_diag_set(
        l->diag, answer, "%s", first.text[0] ? first.text : "KUBECONFIG names no file");
}

static enum fed_err load(
    struct loading *l, const char *path, const char *context, struct fed_kube_config *out)
{
    const char *list = getenv("KUBECONFIG");
    struct fed_kube_config config;
    char found[FED_KUBE_PATH_MAX];
    enum fed_err err;

    config_init(l->mem, &config);
    l->files = &config.files;
    if (!path && list && *list) {
        err = load_listed(l, list, context, &config);
    } else {
        path = find_file(l, path, found);
        err = path ? load_file(l, path, context, &config) : load_in_cluster(l, &config);
    }
    if (err) {
        fed_kube_config_fini(&config);
        return err;
    }
    *out = config;
    return FED_OK;
}

enum fed_err fed_kube_config_load(struct fed_alloc *mem, const char *path, const char *context,
    struct fed_kube_config *out, struct fed_diag *diag)
{
    struct loading l = {.mem = mem, .fs = fed_fs_posix(mem), .diag = diag};

    return load(&l, path, context, out);
}

enum fed_err fed_kube_config_load_own(
    struct fed_alloc *mem, const char *path, struct fed_kube_config *out, struct fed_diag *diag)
{
    struct loading l = {.mem = mem, .fs = fed_fs_posix(mem), .own = true, .diag = diag};

    return load(&l, path, NULL, out);
}
