/* command_install.c - fedlet install and uninstall: the service on a gateway with systemd.
 *
 * What is made: /usr/local/bin/fedlet, the units of units.h and the links that enable them, and the
 * state directory. No user: systemd makes one of the unit's name for as long as the service runs
 * (DynamicUser), and gives it the state directory, so that nothing of it is left in /etc/passwd.
 * All are files of ours; systemctl is run only to tell systemd of them. Each thing that is done is
 * said, and doing it again does only what is missing. With --root all happens below that folder,
 * for the tree of an image, and systemd is not told. */
#include "agent/units.h"
#include "agent/world.h"
#include "ports/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAM "/usr/local/bin/fedlet"
#define STATE_DIR "/var/lib/fedlet"
#define WANTS "/etc/systemd/system/multi-user.target.wants/"
#define TEXT_MAX 8192u

struct installing {
    struct agent_world *w;
    const struct agent_options *options;
    const char *root; /* "" for the machine's own */
    char kubeconfig[FED_KUBE_PATH_MAX];
    unsigned systemd; /* its version, 0: not known */
    bool dry_run;
    bool changed;
    struct fed_diag *diag;
};

static const char *const links[] = {"fedlet.service", "fedlet-kubeconfig.path"};
#define N_LINKS (sizeof links / sizeof *links)

static enum fed_err below_root(struct installing *in, const char *path, char out[AGENT_PATH_MAX])
{
    int n = snprintf(out, AGENT_PATH_MAX, "%s%s", in->root, path);

    return n < 0 || (size_t)n >= AGENT_PATH_MAX
               ? fed_diag_set(in->diag, FED_ERR_LIMIT, "--root: the path is too long")
               : FED_OK;
}

/* "writes PATH", "would write PATH"; what is as it is to be is said, too. */
static void say(struct installing *in, bool needed, const char *does, const char *path)
{
    if (!needed)
        printf("%s: as it is to be\n", path);
    else if (in->dry_run)
        printf("would: %s %s\n", does, path);
    else
        printf("%s %s\n", does, path);
    in->changed = in->changed || needed;
}

static enum fed_err make_parent(struct installing *in, const char *path)
{
    char folder[AGENT_PATH_MAX];

    snprintf(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = '\0';
    return in->w->fs.make_dir(in->w->fs.ctx, folder, 0755, in->diag);
}

/* ---- systemd ---- */

static enum fed_err systemctl(struct installing *in, const char *verb, const char *unit)
{
    const char *argv[] = {"systemctl", verb, unit, NULL};
    enum fed_err err;

    printf("%srun: systemctl %s%s%s\n", in->dry_run ? "would: " : "", verb, unit ? " " : "",
        unit ? unit : "");
    fflush(stdout);
    if (in->dry_run)
        return FED_OK;
    err = fed_host_run(argv, NULL, in->diag);
    return err;
}

/* "systemd 252 (252.38-1)" */
static void ask_version(struct installing *in)
{
    static const char *const argv[] = {"systemctl", "--version", NULL};
    struct fed_buf out;
    struct fed_span text;
    struct fed_span word;
    uint64_t version = 0;

    fed_buf_init(&out, in->w->mem, 4096);
    if (fed_host_run(argv, &out, NULL))
        fed_buf_clear(&out);
    text = fed_buf_span(&out);
    if (fed_span_split(&text, ' ', &word) && fed_span_is(word, "systemd") &&
        fed_span_split(&text, ' ', &word) && fed_span_to_u64(word, &version) == FED_OK)
        in->systemd = (unsigned)version;
    fed_buf_fini(&out);
}

static enum fed_err begin(struct installing *in)
{
    if (in->root[0])
        return FED_OK;
    if (!fed_host_is_there("/run/systemd/system"))
        return fed_diag_set(in->diag, FED_ERR_UNSUPPORTED,
            "this machine was not started by systemd: run `fedlet run` from its own service "
            "manager, or use --root for the tree of an image");
    if (!fed_host_is_root() && !in->dry_run)
        return fed_diag_set(in->diag, FED_ERR_FORBIDDEN,
            "only root may do that: `sudo fedlet %s`, or --dry-run to see what would be done",
            in->options->command == AGENT_COMMAND_INSTALL ? "install" : "uninstall");
    ask_version(in);
    return FED_OK;
}

/* ---- install ---- */

static enum fed_err choose_kubeconfig(struct installing *in)
{
    const char *named = in->w->config.kubeconfig;

    if (named[0] && (named[0] != '/' || strpbrk(named, " \t\n%:'\"\\$")))
        return fed_diag_set(in->diag, FED_ERR_INVALID,
            "--kubeconfig: \"%s\" must begin with / and have no blanks, colons, quotes, $ or %%",
            named);
    if (named[0])
        snprintf(in->kubeconfig, sizeof in->kubeconfig, "%s", named);
    else if (fed_kube_config_find(in->w->mem, in->root, in->kubeconfig) == FED_OK)
        memmove(in->kubeconfig, in->kubeconfig + strlen(in->root),
            strlen(in->kubeconfig) - strlen(in->root) + 1);
    else
        snprintf(in->kubeconfig, sizeof in->kubeconfig, "%s", AGENT_UNITS_KUBECONFIG);
    printf("kubeconfig: %s\n", in->kubeconfig);
    return FED_OK;
}

/* The unit's text with the kubeconfig that is used here. */
static void put_text(const struct installing *in, const char *text, struct fed_buf *out)
{
    const char *at;

    while ((at = strstr(text, AGENT_UNITS_KUBECONFIG)) != NULL) {
        fed_buf_put(out, fed_span_of(text, (size_t)(at - text)));
        fed_buf_put_text(out, in->kubeconfig);
        text = at + strlen(AGENT_UNITS_KUBECONFIG);
    }
    fed_buf_put_text(out, text);
}

static enum fed_err write_unit(struct installing *in, const struct agent_unit *unit)
{
    struct fed_fs *fs = &in->w->fs;
    char path[AGENT_PATH_MAX];
    struct fed_buf text;
    struct fed_buf is;
    bool same;
    enum fed_err err = below_root(in, unit->path, path);

    fed_buf_init(&text, in->w->mem, TEXT_MAX);
    fed_buf_init(&is, in->w->mem, TEXT_MAX);
    put_text(in, unit->text, &text);
    if (!err)
        err = fed_buf_err(&text);
    same = !err && fs->read(fs->ctx, path, &is, NULL) == FED_OK &&
           fed_span_eq(fed_buf_span(&is), fed_buf_span(&text));
    if (!err)
        say(in, !same, "write", path);
    if (!err && !same && !in->dry_run) {
        err = make_parent(in, path);
        if (!err)
            err = fs->write(fs->ctx, path, fed_buf_span(&text), 0644, in->diag);
    }
    fed_buf_fini(&is);
    fed_buf_fini(&text);
    return err;
}

static enum fed_err enable(struct installing *in, const char *unit)
{
    char target[120];
    char path[AGENT_PATH_MAX];
    char wants[200];
    bool changed = false;
    enum fed_err err;

    snprintf(wants, sizeof wants, WANTS "%s", unit);
    snprintf(target, sizeof target, "/etc/systemd/system/%s", unit);
    err = below_root(in, wants, path);
    if (!err && in->dry_run) {
        say(in, !fed_host_is_there(path), "link", path);
        return FED_OK;
    }
    if (!err)
        err = make_parent(in, path);
    if (!err)
        err = fed_host_link(target, path, &changed, in->diag);
    if (!err)
        say(in, changed, "link", path);
    return err;
}

static enum fed_err copy_program(struct installing *in)
{
    char from[AGENT_PATH_MAX];
    char path[AGENT_PATH_MAX];
    bool changed = false;
    enum fed_err err = below_root(in, PROGRAM, path);

    if (!err)
        err = fed_host_program(from, sizeof from, in->diag);
    if (!err && strcmp(from, path) == 0) {
        say(in, false, "", path);
        return FED_OK;
    }
    if (!err && in->dry_run) {
        say(in, true, "copy this program to", path);
        return FED_OK;
    }
    if (!err)
        err = make_parent(in, path);
    if (!err)
        err = fed_host_copy(from, path, 0755, &changed, in->diag);
    if (!err)
        say(in, changed, "copy this program to", path);
    return err;
}

static enum fed_err make_state_dir(struct installing *in)
{
    char path[AGENT_PATH_MAX];
    bool there;
    enum fed_err err = below_root(in, STATE_DIR, path);

    if (err)
        return err;
    there = fed_host_is_there(path);
    if (!there && !in->dry_run) {
        err = make_parent(in, path);
        if (!err)
            err = in->w->fs.make_dir(in->w->fs.ctx, path, 0700, in->diag);
    }
    if (!err)
        say(in, !there, "make the state directory", path);
    return err;
}

static enum fed_err start(struct installing *in)
{
    bool joined = fed_host_is_there(STATE_DIR "/" AGENT_STATE_KEY_FILE);
    enum fed_err err = systemctl(in, "daemon-reload", NULL);

    if (!err)
        err = systemctl(in, "start", "fedlet-kubeconfig.path");
    if (!err && joined)
        err = systemctl(in, in->changed ? "restart" : "start", "fedlet.service");
    if (!err && !joined)
        printf("next: `fedlet preflight TOKEN`, `fedlet join TOKEN --name CLUSTER`, `systemctl "
               "start fedlet`\n");
    return err;
}

static enum fed_err install(struct installing *in)
{
    enum fed_err err = begin(in);

    if (!err)
        err = choose_kubeconfig(in);
    if (!err)
        err = copy_program(in);
    for (size_t i = 0; i < agent_n_units && !err; i++)
        if (agent_units[i].before == 0 || (in->systemd && in->systemd < agent_units[i].before))
            err = write_unit(in, &agent_units[i]);
    for (size_t i = 0; i < N_LINKS && !err; i++)
        err = enable(in, links[i]);
    if (!err)
        err = make_state_dir(in);
    return err || in->root[0] ? err : start(in);
}

/* ---- uninstall ---- */

static enum fed_err remove_one(struct installing *in, const char *below)
{
    char path[AGENT_PATH_MAX];
    bool changed = false;
    enum fed_err err = below_root(in, below, path);

    if (err)
        return err;
    if (in->dry_run)
        changed = fed_host_is_there(path);
    else
        err = fed_host_remove(path, &changed, in->diag);
    if (!err && changed)
        say(in, true, "remove", path);
    return err;
}

/* Only what is ours goes; a folder with anything else in it stays, and is named. */
static enum fed_err purge(struct installing *in)
{
    /* systemd keeps that of a dynamic user in private/, behind a link. */
    static const char *const folders[] = {"/var/lib/private/fedlet", STATE_DIR};
    char path[AGENT_PATH_MAX];
    enum fed_err err = FED_OK;

    for (size_t k = 0; k < 2 && !err; k++) {
        for (size_t i = 0; i < agent_n_world_files + 2 && !err; i++) {
            snprintf(path, sizeof path, "%s/%s", folders[k],
                i < agent_n_world_files    ? agent_world_files[i]
                : i == agent_n_world_files ? AGENT_STATE_SOCKET
                                           : AGENT_STATE_LOCK_FILE);
            err = remove_one(in, path);
        }
        if (!err && remove_one(in, folders[k]))
            printf("%s%s: not empty, it stays\n", in->root, folders[k]);
    }
    return err;
}

static enum fed_err stop(struct installing *in)
{
    enum fed_err err = FED_OK;

    for (size_t i = 0; i < N_LINKS && !err; i++) {
        char path[AGENT_PATH_MAX];

        snprintf(path, sizeof path, "/etc/systemd/system/%s", links[i]);
        if (fed_host_is_there(path))
            err = systemctl(in, "stop", links[i]);
    }
    return err;
}

static enum fed_err uninstall(struct installing *in)
{
    char path[200];
    enum fed_err err = begin(in);

    if (!err && !in->root[0])
        err = stop(in);
    for (size_t i = 0; i < N_LINKS && !err; i++) {
        snprintf(path, sizeof path, WANTS "%s", links[i]);
        err = remove_one(in, path);
    }
    for (size_t i = 0; i < agent_n_units && !err; i++)
        err = remove_one(in, agent_units[i].path);
    (void)remove_one(in, "/etc/systemd/system/fedlet.service.d"); /* when it is empty */
    if (!err)
        err = remove_one(in, PROGRAM);
    if (!err && in->options->purge)
        err = purge(in);
    if (!err && !in->changed)
        printf("nothing of it is here\n");
    if (!err && !in->options->purge)
        printf("%s%s stays; --purge removes it, too\n", in->root, STATE_DIR);
    return err || in->root[0] || !in->changed ? err : systemctl(in, "daemon-reload", NULL);
}

static int run(struct agent_world *w, const struct agent_options *options,
    enum fed_err (*what)(struct installing *in))
{
    struct fed_diag diag = {""};
    struct installing in = {.w = w,
        .options = options,
        .root = options->root ? options->root : "",
        .dry_run = options->dry_run,
        .diag = &diag};
    enum fed_err err = what(&in);

    fflush(stdout);
    return err ? agent_world_fail(&diag, err) : EXIT_SUCCESS;
}

int agent_command_install(struct agent_world *w, const struct agent_options *options)
{
    return run(w, options, install);
}

int agent_command_uninstall(struct agent_world *w, const struct agent_options *options)
{
    return run(w, options, uninstall);
}
