/* user.c - fedctl user add, list, remove.
 *
 * A user is a ServiceAccount in the system namespace, labelled fedlet.io/user=NAME, with one
 * binding of the same label. The kubeconfig carries its token: without --ttl that of a Secret,
 * which counts until the user is removed, with --ttl one that ends by itself. A certificate could
 * not be taken back before its end. */
#include "cli/cli.h"
#include "proto/base/text.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define ACCOUNTS "/api/v1/namespaces/" CLI_SYSTEM_NAMESPACE "/serviceaccounts"
#define SECRETS "/api/v1/namespaces/" CLI_SYSTEM_NAMESPACE "/secrets"
#define RBAC "/apis/rbac.authorization.k8s.io/v1"
#define JSON "application/json"
#define PATH_SIZE 900u
#define TTL_MIN_MS (600u * 1000u)
#define TTL_MAX_MS (86400u * 1000u)
#define NAME_MAX_BYTES 55u /* NAME-token and the label's value stay valid */

struct user {
    struct cli *cli;
    const char *name;
    const char *role;  /* as given */
    const char *scope; /* namespace; NULL: everywhere */
    uint64_t ttl_ms;   /* 0: until it is removed */
    bool cluster_role;
    char role_name[254];
    struct fed_diag diag;
};

static enum fed_err ask(
    struct user *u, const char *method, const char *path, const char *body, struct fed_json **out)
{
    u->diag.text[0] = 0;
    return cli_ask(u->cli, method, path, body ? JSON : NULL, fed_span_text(body), out, &u->diag);
}

static enum cli_exit ask_failed(const struct user *u, enum fed_err err, const char *what)
{
    return cli_fail(
        "cannot %s %s: %s", what, u->name, u->diag.text[0] ? u->diag.text : fed_err_text(err));
}

/* ---- paths and bodies: every text in them is a checked name ---- */
static void bindings_path(const struct user *u, char out[PATH_SIZE])
{
    if (u->scope)
        snprintf(out, PATH_SIZE, RBAC "/namespaces/%s/rolebindings", u->scope);
    else
        snprintf(out, PATH_SIZE, RBAC "/clusterrolebindings");
}

static enum fed_err make_account(struct user *u)
{
    struct fed_json *answer;
    char body[PATH_SIZE];

    snprintf(body, sizeof body,
        "{\"apiVersion\":\"v1\",\"kind\":\"ServiceAccount\",\"metadata\":{\"name\":\"%s\","
        "\"labels\":{\"fedlet.io/user\":\"%s\"}}}",
        u->name, u->name);
    return ask(u, "POST", ACCOUNTS "?fieldManager=fedctl", body, &answer);
}

static enum fed_err make_binding(struct user *u)
{
    struct fed_json *answer;
    char list[PATH_SIZE];
    char path[PATH_SIZE + 32];
    char body[2 * PATH_SIZE];

    bindings_path(u, list);
    snprintf(path, sizeof path, "%s?fieldManager=fedctl", list);
    snprintf(body, sizeof body,
        "{\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"kind\":\"%s\",\"metadata\":{\"name\":"
        "\"fedlet:user:%s\",\"labels\":{\"fedlet.io/user\":\"%s\"}},\"roleRef\":{\"apiGroup\":"
        "\"rbac.authorization.k8s.io\",\"kind\":\"%s\",\"name\":\"%s\"},\"subjects\":[{\"kind\":"
        "\"ServiceAccount\",\"name\":\"%s\",\"namespace\":\"" CLI_SYSTEM_NAMESPACE "\"}]}",
        u->scope ? "RoleBinding" : "ClusterRoleBinding", u->name, u->name,
        u->cluster_role ? "ClusterRole" : "Role", u->role_name, u->name);
    return ask(u, "POST", path, body, &answer);
}

static enum fed_err remove_binding(struct user *u)
{
    struct fed_json *answer;
    char list[PATH_SIZE];
    char path[PATH_SIZE + 300];

    bindings_path(u, list);
    snprintf(path, sizeof path, "%s/fedlet:user:%s", list, u->name);
    return ask(u, "DELETE", path, NULL, &answer);
}

static enum fed_err remove_account(struct user *u)
{
    struct fed_json *answer;
    char path[PATH_SIZE];

    snprintf(path, sizeof path, ACCOUNTS "/%s", u->name);
    return ask(u, "DELETE", path, NULL, &answer);
}

/* ---- the token ---- */
static enum fed_err token_with_end(struct user *u, struct fed_buf *out)
{
    struct fed_json *answer;
    char path[PATH_SIZE];
    char body[256];
    enum fed_err err;

    snprintf(path, sizeof path, ACCOUNTS "/%s/token", u->name);
    snprintf(body, sizeof body,
        "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"TokenRequest\",\"spec\":"
        "{\"expirationSeconds\":%llu}}",
        (unsigned long long)(u->ttl_ms / 1000));
    err = ask(u, "POST", path, body, &answer);
    if (!err)
        fed_buf_put(out, fed_json_string(fed_json_find(answer, "status.token")));
    return err ? err : fed_buf_err(out);
}

static enum fed_err token_of_secret(struct user *u, struct fed_buf *out)
{
    struct fed_json *answer;
    char path[PATH_SIZE];
    char body[PATH_SIZE];
    enum fed_err err;

    snprintf(body, sizeof body,
        "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"type\":\"kubernetes.io/"
        "service-account-token\",\"metadata\":{\"name\":\"%s-token\",\"labels\":"
        "{\"fedlet.io/user\":\"%s\"},\"annotations\":{\"kubernetes.io/service-account.name\":"
        "\"%s\"}}}",
        u->name, u->name, u->name);
    err = ask(u, "POST", SECRETS "?fieldManager=fedctl", body, &answer);
    snprintf(path, sizeof path, SECRETS "/%s-token", u->name);
    if (!err)
        err = ask(u, "GET", path, NULL, &answer);
    if (!err)
        err = fed_text_base64(fed_json_string(fed_json_find(answer, "data.token")), out);
    return err;
}

static enum fed_err get_token(struct user *u, struct fed_buf *out)
{
    enum fed_err err = u->ttl_ms ? token_with_end(u, out) : token_of_secret(u, out);

    if (!err && out->len == 0)
        err = fed_diag_set(&u->diag, FED_ERR_INVALID, "the hub answered without a token");
    return err;
}

/* ---- the kubeconfig ---- */
static void put_server(struct fed_buf *out, const struct fed_kube_config *config)
{
    bool six = strchr(config->server_host, ':') != NULL;

    fed_buf_printf(out, "    server: https://%s%s%s:%u%s\n", six ? "[" : "", config->server_host,
        six ? "]" : "", (unsigned)config->server_port, config->base_path);
    if (config->ca_pem.len > 0) {
        fed_buf_put_text(out, "    certificate-authority-data: ");
        fed_text_put_base64(out, fed_buf_span(&config->ca_pem));
        fed_buf_put_text(out, "\n");
    }
    if (config->tls_server_name[0] && strcmp(config->tls_server_name, config->server_host) != 0)
        fed_buf_printf(out, "    tls-server-name: %s\n", config->tls_server_name);
    if (config->insecure_skip_tls_verify)
        fed_buf_put_text(out, "    insecure-skip-tls-verify: true\n");
}

static enum fed_err put_kubeconfig(
    const struct user *u, const struct fed_buf *token, struct fed_buf *out)
{
    fed_buf_put_text(out, "apiVersion: v1\nkind: Config\nclusters:\n- name: fedlet\n  cluster:\n");
    put_server(out, u->cli->config);
    fed_buf_printf(out, "users:\n- name: \"%s\"\n  user:\n    token: ", u->name);
    fed_buf_put(out, fed_buf_span(token));
    fed_buf_printf(out,
        "\ncontexts:\n- name: \"%s@fedlet\"\n  context:\n    cluster: fedlet\n    user: \"%s\"\n",
        u->name, u->name);
    if (u->scope)
        fed_buf_printf(out, "    namespace: \"%s\"\n", u->scope);
    fed_buf_printf(out, "current-context: \"%s@fedlet\"\n", u->name);
    return fed_buf_err(out);
}

static enum fed_err write_out(struct user *u, const struct fed_buf *text)
{
    const char *file = u->cli->output;

    if (file && strcmp(file, "-") != 0)
        return u->cli->fs->write(u->cli->fs->ctx, file, fed_buf_span(text), 0600, &u->diag);
    printf(FED_SPAN_FMT, (int)text->len, (const char *)text->at);
    return FED_OK;
}

static enum fed_err hand_over(struct user *u)
{
    struct fed_buf token;
    struct fed_buf text;
    enum fed_err err;

    fed_buf_init(&token, u->cli->mem, 16384);
    fed_buf_init(&text, u->cli->mem, 1u << 20);
    err = get_token(u, &token);
    if (!err)
        err = put_kubeconfig(u, &token, &text);
    if (!err)
        err = write_out(u, &text);
    fed_buf_fini(&token);
    fed_buf_fini(&text);
    return err;
}

/* ---- add ---- */
static enum fed_err role_there(struct user *u, const char *path)
{
    struct fed_json *answer;

    return ask(u, "GET", path, NULL, &answer);
}

/* admin, author, operator, viewer are ours; any other name is a Role of the namespace or a
 * ClusterRole. */
static enum fed_err find_role(struct user *u)
{
    static const char *const ours[] = {"admin", "author", "operator", "viewer"};
    char path[PATH_SIZE];
    enum fed_err err = FED_ERR_NOT_FOUND;

    snprintf(u->role_name, sizeof u->role_name, "%s", u->role);
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (strcmp(u->role, ours[i]) == 0)
            snprintf(u->role_name, sizeof u->role_name, "fedlet:%s", u->role);
    u->cluster_role = false;
    if (u->scope) {
        snprintf(path, sizeof path, RBAC "/namespaces/%s/roles/%s", u->scope, u->role_name);
        err = role_there(u, path);
    }
    if (err != FED_ERR_NOT_FOUND)
        return err;
    u->cluster_role = true;
    snprintf(path, sizeof path, RBAC "/clusterroles/%s", u->role_name);
    return role_there(u, path);
}

static bool is_role_name(const char *text)
{
    for (const char *c = text; *c; c++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:", *c))
            return false;
    return text[0] && strlen(text) < 254 && strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
}

static enum cli_exit read_ttl(const struct cli_command *self, const char *text, struct user *u)
{
    if (fed_text_duration_ms(fed_span_text(text), &u->ttl_ms) || u->ttl_ms < TTL_MIN_MS ||
        u->ttl_ms > TTL_MAX_MS)
        return cli_misuse(self, "--ttl takes a duration from 10m to 24h, not \"%s\"", text);
    return CLI_DONE;
}

static enum cli_exit read_options(
    const struct cli_command *self, int argc, char **argv, struct user *u)
{
    static const struct option options[] = {{"role", required_argument, NULL, 'r'},
        {"namespace", required_argument, NULL, 'n'}, {"ttl", required_argument, NULL, 't'},
        {NULL, 0, NULL, 0}};
    int c;

    optind = 1;
    opterr = 0;
    while ((c = getopt_long(argc, argv, "n:", options, NULL)) != -1) {
        if (c == 'r')
            u->role = optarg;
        else if (c == 'n')
            u->scope = optarg;
        else if (c == 't' && read_ttl(self, optarg, u) != CLI_DONE)
            return CLI_USAGE;
        else if (c == '?')
            return cli_misuse(self, "unknown option or missing value: %s", argv[optind - 1]);
    }
    if (argc - optind != 1)
        return cli_misuse(self, "needs one name");
    u->name = argv[optind];
    if (!cli_is_name(u->name) || strlen(u->name) > NAME_MAX_BYTES)
        return cli_misuse(self,
            "\"%s\" is not a user's name (RFC 1123: a-z, 0-9, '-', '.'; at most %u)", u->name,
            NAME_MAX_BYTES);
    if (!u->role)
        return cli_misuse(
            self, "needs --role admin, author, operator, viewer or the name of a role");
    if (!is_role_name(u->role))
        return cli_misuse(self, "--role \"%s\" is not the name of a role", u->role);
    if (u->scope && !cli_is_name(u->scope))
        return cli_misuse(self, "--namespace \"%s\" is not the name of one", u->scope);
    return CLI_DONE;
}

/* What was made so far goes again: a user is there whole or not at all. */
static enum cli_exit give_up(struct user *u, enum fed_err err, bool bound)
{
    struct fed_diag why = u->diag;

    if ((bound && remove_binding(u)) || remove_account(u))
        fprintf(stderr, "fedctl: parts of %s are left: fedctl user remove %s\n", u->name, u->name);
    u->diag = why;
    return ask_failed(u, err, "add");
}

static enum cli_exit report(const struct user *u)
{
    const char *file = u->cli->output;

    if (file && strcmp(file, "-") != 0)
        fprintf(stderr, "user %s may act as %s%s%s; kubeconfig in %s\n", u->name, u->role_name,
            u->scope ? " in namespace " : "", u->scope ? u->scope : "", file);
    return CLI_DONE;
}

enum cli_exit cli_user_add(struct cli *cli, const struct cli_command *self, int argc, char **argv)
{
    struct user u = {.cli = cli};
    enum fed_err err;

    if (read_options(self, argc, argv, &u) != CLI_DONE)
        return CLI_USAGE;
    if (cli->json)
        return cli_misuse(self, "-o takes the file of the kubeconfig here");
    err = find_role(&u);
    if (err == FED_ERR_NOT_FOUND)
        return cli_fail("there is no role %s%s%s; `kubectl get clusterroles` shows those there are",
            u.role_name, u.scope ? " for namespace " : "", u.scope ? u.scope : "");
    if (!err)
        err = make_account(&u);
    if (err == FED_ERR_CONFLICT)
        return cli_fail("there is a user %s already; fedctl user remove %s", u.name, u.name);
    if (err)
        return ask_failed(&u, err, "add");
    err = make_binding(&u);
    if (err)
        return give_up(&u, err, false);
    err = hand_over(&u);
    return err ? give_up(&u, err, true) : report(&u);
}

/* ---- list, remove ---- */
static struct fed_span label_of(const struct fed_json *object)
{
    return fed_json_string(
        fed_json_get(fed_json_find(object, "metadata.labels"), "fedlet.io/user"));
}

static const struct fed_json *binding_of(const struct fed_json *list, struct fed_span name)
{
    const struct fed_json *items = fed_json_get(list, "items");

    for (struct fed_json_iter it = fed_json_items(items); fed_json_iter_next(&it);)
        if (fed_span_eq(label_of(it.value), name))
            return it.value;
    return NULL;
}

struct listing {
    struct fed_json *accounts;
    struct fed_json *everywhere;
    struct fed_json *somewhere;
};

static enum fed_err get_listing(struct user *u, struct listing *out)
{
    enum fed_err err =
        ask(u, "GET", ACCOUNTS "?labelSelector=fedlet.io%2Fuser", NULL, &out->accounts);

    if (!err)
        err = ask(u, "GET", RBAC "/clusterrolebindings?labelSelector=fedlet.io%2Fuser", NULL,
            &out->everywhere);
    return err ? err
               : ask(u, "GET", RBAC "/rolebindings?labelSelector=fedlet.io%2Fuser", NULL,
                     &out->somewhere);
}

static void add_row(struct cli *cli, struct cli_table *table, const struct listing *listing,
    const struct fed_json *account)
{
    struct fed_span name = fed_json_string(fed_json_find(account, "metadata.name"));
    const struct fed_json *binding = binding_of(listing->everywhere, name);
    char cells[4][64] = {"", "-", "*", "-"};
    const char *row[4] = {cells[0], cells[1], cells[2], cells[3]};
    int64_t unix_s;

    snprintf(cells[0], sizeof cells[0], FED_SPAN_FMT, FED_SPAN_ARG(name));
    if (!binding) {
        binding = binding_of(listing->somewhere, name);
        snprintf(cells[2], sizeof cells[2], FED_SPAN_FMT,
            FED_SPAN_ARG(fed_json_string(fed_json_find(binding, "metadata.namespace"))));
    }
    if (binding)
        snprintf(cells[1], sizeof cells[1], FED_SPAN_FMT,
            FED_SPAN_ARG(fed_json_string(fed_json_find(binding, "roleRef.name"))));
    if (!fed_text_time_parse(
            fed_json_string(fed_json_find(account, "metadata.creationTimestamp")), &unix_s))
        fed_text_age(fed_loop_unix_s(cli->loop) - unix_s, cells[3]);
    cli_table_add(table, row);
}

enum cli_exit cli_user_list(struct cli *cli, const struct cli_command *self, int argc, char **argv)
{
    static const char *const head[] = {"NAME", "ROLE", "NAMESPACE", "AGE"};
    struct user u = {.cli = cli};
    struct listing listing = {0};
    struct cli_table table;
    const struct fed_json *items;

    (void)argv;
    if (argc > 1)
        return cli_misuse(self, "takes no arguments");
    if (get_listing(&u, &listing))
        return cli_fail("cannot list users: %s", u.diag.text);
    items = fed_json_get(listing.accounts, "items");
    if (cli->json) {
        cli_print_json(items);
        return CLI_DONE;
    }
    cli_table_init(&table, 4);
    cli_table_add(&table, head);
    for (struct fed_json_iter it = fed_json_items(items); fed_json_iter_next(&it);)
        add_row(cli, &table, &listing, it.value);
    cli_table_print(&table);
    return CLI_DONE;
}

/* The binding first: rights end before names do. */
static enum fed_err remove_all(struct user *u, const struct listing *listing)
{
    const struct fed_json *binding = binding_of(listing->somewhere, fed_span_text(u->name));
    char ns[64];
    enum fed_err err;

    if (binding && !fed_span_to_cstr(fed_json_string(fed_json_find(binding, "metadata.namespace")),
                       ns, sizeof ns))
        u->scope = ns;
    err = remove_binding(u);
    u->scope = NULL;
    if (err && err != FED_ERR_NOT_FOUND)
        return err;
    return remove_account(u); /* the hub takes its Secret with it */
}

enum cli_exit cli_user_remove(
    struct cli *cli, const struct cli_command *self, int argc, char **argv)
{
    struct user u = {.cli = cli};
    struct listing listing = {0};
    enum fed_err err;

    if (argc != 2)
        return cli_misuse(self, "needs the name of one user");
    u.name = argv[1];
    if (!cli_is_name(u.name))
        return cli_misuse(self, "\"%s\" is not a user's name", u.name);
    err = get_listing(&u, &listing);
    if (!err && !binding_of(listing.accounts, fed_span_text(u.name)))
        return cli_fail("there is no user %s; `fedctl user list` shows those there are", u.name);
    if (!err)
        err = remove_all(&u, &listing);
    if (err)
        return ask_failed(&u, err, "remove");
    fprintf(stderr, "user %s removed; what it holds does not count any more\n", u.name);
    return CLI_DONE;
}
