/* authority.c - fedhub ca: what a person asks of the CA, beside a hub that runs or without one. The
 * files say how far a rotation is (hub/identity/rotation.c); a hub reads them when it starts. */
#include "hub/serve.h"

#include "hub/identity/identity.h"
#include "hub/store_file.h"
#include "proto/base/text.h"

#include <sys/stat.h>
#include <unistd.h>

#define NAMES_MAX 20u /* of clusters that are not there yet */
#define RESTART "It is so when fedhub has been restarted.\n"

struct authority {
    struct fed_alloc *mem;
    struct fed_fs fs;
    struct fed_crypto crypto;
    struct fed_fs_lock *lock;
    struct fed_linux_loop *loop;
    struct hub_identity *identity;
    struct fed_sqlite_store *store;
    struct hub_objects *objects;
    struct hub_identity_cas cas;
    size_t n;         /* clusters */
    size_t confirmed; /* of them, those that came with a certificate of the CA that issues */
    struct fed_buf missing;
};

/* ---- the clusters ---- */

static bool count(void *ctx, struct fed_span cluster, bool confirmed)
{
    struct authority *a = ctx;

    a->n++;
    a->confirmed += confirmed;
    if (confirmed || a->n - a->confirmed > NAMES_MAX + 1)
        return true;
    if (a->n - a->confirmed > NAMES_MAX)
        fed_buf_put_text(&a->missing, "  ...\n");
    else
        fed_buf_printf(&a->missing, "  " FED_SPAN_FMT "\n", FED_SPAN_ARG(cluster));
    return true;
}

/* Without a store there are no clusters. */
static enum fed_err count_clusters(
    struct authority *a, const struct hub_options *options, struct fed_diag *diag)
{
    char path[HUB_STORE_PATH_MAX];
    enum fed_err err = hub_store_path(options, "hub.db", path, diag);

    if (err || access(path, F_OK) != 0)
        return err;
    err = hub_store_open(a->mem, &a->crypto, options, path, &a->store, diag);
    if (!err)
        err = hub_objects_open(a->mem, NULL, fed_sqlite_store_port(a->store), &a->objects, diag);
    if (err)
        return err;
    hub_identity_attach_offline(a->identity, a->objects);
    err = hub_identity_members(a->identity, count, a, diag);
    return err ? err : fed_buf_err(&a->missing);
}

/* ---- open, close ---- */

/* Whoever asks, often root, the files are for the user whose the directory is: it runs the service.
 */
static enum fed_err keep_owner(const struct hub_options *options, struct fed_diag *diag)
{
    static const char *const files[] = {
        "ca.crt", "ca.key", "ca.old.crt", "ca.old.key", "ca.vouch.crt", HUB_CA_LOCK_FILE};
    struct stat owner;
    enum fed_err err = FED_OK;

    if (stat(options->data_dir, &owner))
        return fed_diag_set(diag, FED_ERR_IO, "%s: cannot be looked at", options->data_dir);
    for (size_t i = 0; !err && i < sizeof files / sizeof *files; i++) {
        char path[HUB_STORE_PATH_MAX];

        err = hub_store_path(options, files[i], path, diag);
        if (!err && access(path, F_OK) == 0 && chown(path, owner.st_uid, owner.st_gid))
            err = fed_diag_set(diag, FED_ERR_IO, "%s: cannot be given to user %lu", path,
                (unsigned long)owner.st_uid);
    }
    return err;
}

static enum fed_err authority_open(
    struct authority *a, const struct hub_options *options, struct fed_diag *diag)
{
    struct hub_identity_options identity = {.data_dir = options->data_dir, .offline = true};
    enum fed_err err;

    *a = (struct authority){.mem = fed_alloc_system()};
    a->fs = fed_fs_posix(a->mem);
    fed_buf_init(&a->missing, a->mem, 8192);
    err = hub_ca_lock(&a->fs, options, &a->lock, diag);
    if (!err) /* before anything fails: a hub takes it, too */
        err = keep_owner(options, diag);
    if (!err)
        err = fed_tls_crypto_open(a->mem, &a->crypto, diag);
    if (!err)
        err = fed_linux_loop_open(a->mem, &a->loop, diag);
    if (!err)
        err = hub_identity_open(a->mem, fed_linux_loop_port(a->loop), NULL, &a->fs, &a->crypto,
            &identity, &a->identity, diag);
    if (err)
        return err;
    hub_identity_cas(a->identity, &a->cas);
    return count_clusters(a, options, diag);
}

static void authority_close(struct authority *a)
{
    hub_identity_close(a->identity);
    hub_objects_close(a->objects);
    fed_sqlite_store_close(a->store);
    fed_linux_loop_close(a->loop);
    fed_tls_crypto_close(&a->crypto);
    fed_buf_fini(&a->missing);
    if (a->lock)
        a->fs.unlock(a->fs.ctx, a->lock);
}

/* ---- what is said ---- */

static void put_ca(struct fed_buf *out, const char *title, const struct hub_identity_ca *ca)
{
    char until[FED_TEXT_TIME_SIZE];

    fed_text_time(ca->not_after_unix_s, until);
    fed_buf_printf(out, "%-10s%s, until %s\n          pin ", title, ca->name, until);
    fed_text_put_hex(out, fed_span_of(ca->pin.bytes, sizeof ca->pin.bytes));
    fed_buf_put_text(out, "\n");
}

static void put_state(struct fed_buf *out, const struct authority *a)
{
    static const char *const states[] = {[HUB_ROTATION_NONE] = "one CA",
        [HUB_ROTATION_OVERLAP] = "overlap: agents get certificates of the new CA, the hub itself "
                                 "shows one of the old CA",
        [HUB_ROTATION_SWITCHED] = "switched: the hub shows a certificate of the new CA, agents of "
                                  "the old CA are let in"};

    fed_buf_printf(out, "State:    %s\n", states[a->cas.state]);
    if (a->cas.state == HUB_ROTATION_NONE)
        return;
    fed_buf_printf(
        out, "Clusters: %zu of %zu came with a certificate of the new CA\n", a->confirmed, a->n);
    if (a->n > a->confirmed) {
        fed_buf_put_text(out, "not yet:\n");
        fed_buf_put(out, fed_buf_span(&a->missing));
    }
    if (!a->cas.bridged)
        fed_buf_put_text(out, "The old CA cannot lead to the new one (made before that was "
                              "possible): whoever is not there when the hub switches joins "
                              "again.\n");
}

static enum fed_err status(
    struct authority *a, enum hub_ca_force force, struct fed_buf *out, struct fed_diag *diag)
{
    (void)force;
    (void)diag;
    put_ca(out, "CA:", &a->cas.now);
    if (a->cas.state != HUB_ROTATION_NONE)
        put_ca(out, "Old CA:", &a->cas.old);
    put_state(out, a);
    return FED_OK;
}

static enum fed_err rotate(
    struct authority *a, enum hub_ca_force force, struct fed_buf *out, struct fed_diag *diag)
{
    enum fed_err err = hub_identity_rotate(a->identity, diag);

    (void)force;
    if (!err)
        fed_buf_put_text(out,
            "A new CA was made. Restart fedhub: agents get their certificates of it then, and "
            "both CAs count.\nCopy admin.kubeconfig and the kubeconfigs of people anew before "
            "`fedhub ca drop`.\n");
    return err;
}

static enum fed_err check_missing(
    const struct authority *a, const char *what, enum hub_ca_force force, struct fed_diag *diag)
{
    if (force == HUB_CA_FORCE || a->n == a->confirmed)
        return FED_OK;
    return fed_diag_set(diag, FED_ERR_CONFLICT,
        "%zu of %zu clusters did not come with a certificate of the new CA yet, and %s: see "
        "`fedhub ca status`; --force does it all the same",
        a->n - a->confirmed, a->n, what);
}

static enum fed_err finish(
    struct authority *a, enum hub_ca_force force, struct fed_buf *out, struct fed_diag *diag)
{
    enum fed_err err = FED_OK;

    if (a->cas.state == HUB_ROTATION_OVERLAP && !a->cas.bridged)
        err = check_missing(a, "will have to join again", force, diag);
    if (!err)
        err = hub_identity_switch(a->identity, diag);
    if (!err)
        fed_buf_put_text(out,
            "The hub's own certificate is made by the new CA. " RESTART
            "Clusters that were away are let in until the old CA ends or is dropped.\n");
    return err;
}

static enum fed_err drop(
    struct authority *a, enum hub_ca_force force, struct fed_buf *out, struct fed_diag *diag)
{
    enum fed_err err = FED_OK;

    if (a->cas.state != HUB_ROTATION_NONE)
        err = check_missing(a, "will have to join again", force, diag);
    if (!err)
        err = hub_identity_drop(a->identity, diag);
    if (!err)
        fed_buf_put_text(out, "The old CA counts no more. " RESTART);
    return err;
}

static const struct action {
    const char *name;
    enum fed_err (*run)(
        struct authority *a, enum hub_ca_force force, struct fed_buf *out, struct fed_diag *diag);
} actions[] = {{"status", status}, {"rotate", rotate}, {"finish", finish}, {"drop", drop}};

static const struct action *find(const char *name)
{
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        if (fed_span_is(fed_span_text(name), actions[i].name))
            return &actions[i];
    return NULL;
}

bool hub_ca_action(const char *name)
{
    return find(name) != NULL;
}

enum fed_err hub_ca(const struct hub_options *options, const char *name, enum hub_ca_force force,
    struct fed_buf *out, struct fed_diag *diag)
{
    const struct action *action = find(name);
    struct authority a;
    enum fed_err err;

    if (!action)
        return fed_diag_set(diag, FED_ERR_NOT_FOUND, "there is no such action: %.80s", name);
    err = authority_open(&a, options, diag);
    if (!err)
        err = action->run(&a, force, out, diag);
    if (!err)
        err = keep_owner(options, diag);
    authority_close(&a);
    return err ? err : fed_buf_err(out);
}
