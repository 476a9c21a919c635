/* command_bundle.c - fedlet support-bundle: one JSON document of facts for who is to help.
 *
 * Nothing is masked by patterns: the document is made of what is known to be harmless. Keys,
 * tokens, the kubeconfig, the proxy's password and what objects contain are never read into it; an
 * API server's sentence about a Secret may quote it, and is left out by kind. */
#include "agent/check.h"
#include "agent/inspect.h"
#include "ports/host.h"
#include "proto/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUNDLE_MAX (1u << 20)
#define WORKS_MAX 2000u
#define LOG_MAX (256u << 10)
#define LOG_LINES "400"

struct bundle {
    struct agent_world *w;
    const struct agent_inspect *inspect;
    struct fed_doc *doc;
    struct fed_doc *manifest;
    enum fed_err err;
};

/* Puts a section in, and into the list of what is inside. Takes it. */
static void put(struct bundle *b, const char *name, const char *what, struct fed_doc *section)
{
    struct fed_doc *one = fed_doc_new_object();

    if (!b->err && (!section || !one))
        b->err = FED_ERR_NOMEM;
    if (!b->err)
        b->err = fed_doc_set_text(one, "name", name);
    if (!b->err)
        b->err = fed_doc_set_text(one, "what", what);
    if (b->err) {
        fed_doc_free(one);
        fed_doc_free(section);
        return;
    }
    b->err = fed_doc_append_take(b->manifest, one);
    if (b->err)
        fed_doc_free(section);
    else
        b->err = fed_doc_set_take(b->doc, name, section);
}

static void set_text(struct bundle *b, struct fed_doc *doc, const char *key, const char *value)
{
    if (!b->err && doc)
        b->err = fed_doc_set_text(doc, key, value);
}

static void set_int(struct bundle *b, struct fed_doc *doc, const char *key, uint64_t value)
{
    if (!b->err && doc)
        b->err =
            fed_doc_set_int(doc, key, value > FED_DOC_INT_MAX ? FED_DOC_INT_MAX : (int64_t)value);
}

/* ---- the sections ---- */

static void put_machine(struct bundle *b)
{
    struct fed_doc *doc = fed_doc_new_object();
    char now[FED_TEXT_TIME_SIZE];
    uint64_t bytes = 0;
    uint64_t files = 0;

    fed_text_time(fed_loop_unix_s(b->w->ports.loop), now);
    set_text(b, doc, "version", FEDLET_VERSION);
    set_text(b, doc, "time", now);
    set_int(b, doc, "memory_available_kib", fed_host_memory_kib());
    if (fed_host_space(b->w->config.state_dir, &bytes, &files, NULL) == FED_OK) {
        set_int(b, doc, "disk_free_kib", bytes >> 10);
        set_int(b, doc, "disk_free_files", files);
    }
    put(b, "machine", "version, time, memory, disk", doc);
}

static void put_config(struct bundle *b)
{
    const struct agent_config *config = &b->w->config;
    struct fed_doc *doc = fed_doc_new_object();

    set_text(b, doc, "stateDir", config->state_dir);
    set_text(b, doc, "kubeconfig", agent_world_kubeconfig(b->w));
    set_text(b, doc, "link", config->link);
    /* It may have a password. */
    set_text(b, doc, "proxy", config->proxy[0] ? "named here" : "as the environment says");
    set_text(b, doc, "logLevel", config->log_level);
    set_text(b, doc, "metrics", config->metrics);
    for (size_t i = 0; i < config->n_hubs; i++)
        set_text(b, doc, "hub", config->hubs[i]);
    put(b, "config", "the configuration, without the proxy's password", doc);
}

static void put_certificate(
    struct bundle *b, struct fed_doc *doc, const char *name, const char *pem)
{
    struct fed_crypto_cert_info info;
    struct fed_buf text;
    char time_text[FED_TEXT_TIME_SIZE];
    char key[40];

    if (b->w->crypto.cert_info(b->w->crypto.ctx, fed_span_text(pem), &info, NULL))
        return;
    fed_buf_init(&text, b->w->mem, 128);
    fed_text_put_hex(&text, fed_span_of(info.fingerprint.bytes, sizeof info.fingerprint.bytes));
    snprintf(key, sizeof key, "%s_sha256", name);
    set_text(b, doc, key, fed_buf_cstr(&text));
    fed_text_time(info.not_before_unix_s, time_text);
    snprintf(key, sizeof key, "%s_not_before", name);
    set_text(b, doc, key, time_text);
    fed_text_time(info.not_after_unix_s, time_text);
    snprintf(key, sizeof key, "%s_not_after", name);
    set_text(b, doc, key, time_text);
    fed_buf_fini(&text);
}

static void put_identity(struct bundle *b)
{
    struct fed_doc *doc = fed_doc_new_object();

    if (b->inspect->joined) {
        set_text(b, doc, "cluster", b->w->identity.cluster);
        put_certificate(b, doc, "certificate", b->w->identity.certificate);
        put_certificate(b, doc, "ca", b->w->identity.ca);
    }
    set_text(b, doc, "state_trouble", b->inspect->state_trouble.text);
    put(b, "identity", "the cluster's name, fingerprints and life of its certificates", doc);
}

static void put_files(struct bundle *b)
{
    static const char *const files[] = {AGENT_STATE_FILE, AGENT_STATE_FILE "-wal",
        AGENT_STATE_SESSION_FILE, AGENT_STATE_PARTIAL_FILE, AGENT_STATE_KEY_FILE,
        AGENT_STATE_SOCKET};
    struct fed_doc *doc = fed_doc_new_object();
    char path[AGENT_PATH_MAX];

    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (agent_world_path(b->w, files[i], path, NULL) == FED_OK && fed_host_is_there(path))
            set_int(b, doc, files[i], fed_host_file_bytes(path));
    put(b, "files", "sizes of what is in the state directory, in bytes", doc);
}

static void put_works(struct bundle *b)
{
    const struct agent_table *table = &b->inspect->table;
    struct fed_doc *list = fed_doc_new_array();
    char name[AGENT_ENTRY_NAME_SIZE];
    char line[AGENT_ENTRY_NAME_SIZE + 64];

    for (size_t i = 0; i < table->n && i < WORKS_MAX && list && !b->err; i++) {
        const struct agent_entry *entry = table->at[i];

        snprintf(line, sizeof line, "%s: %s%s%s", agent_entry_name(entry, name),
            entry->has_applied ? "applied" : "not applied", entry->removing ? ", removing" : "",
            entry->kept ? ", kept" : "");
        b->err = fed_doc_append_text(list, line);
    }
    put(b, "works", "names of what the state file holds, and whether they were applied", list);
}

/* Names an object whose sentences may quote what is in it, or may be a token. */
static bool may_tell(struct fed_span line)
{
    static const char *const words[] = {"Secret", "secrets", "fedlet1.", "PRIVATE KEY", "Bearer "};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (memmem(line.at, line.len, words[i], strlen(words[i])))
            return true;
    return false;
}

static void put_log(struct bundle *b)
{
    static const char *const argv[] = {"journalctl", "--unit=fedlet", "--lines=" LOG_LINES,
        "--no-pager", "--quiet", "--output=short-iso", NULL};
    struct fed_doc *list = fed_doc_new_array();
    struct fed_buf out;
    struct fed_span rest;
    struct fed_span line;
    char text[1200];

    fed_buf_init(&out, b->w->mem, LOG_MAX);
    if (fed_host_run(argv, &out, NULL))
        fed_buf_clear(&out); /* there is no journal here, or too much in it */
    rest = fed_buf_span(&out);
    while (list && !b->err && rest.len > 0 && fed_span_split(&rest, '\n', &line)) {
        line = fed_span_sub(line, 0, sizeof text - 1);
        if (line.len == 0 || may_tell(line) || !fed_text_is_utf8(line) ||
            fed_span_to_cstr(line, text, sizeof text))
            continue;
        b->err = fed_doc_append_text(list, text);
    }
    fed_buf_fini(&out);
    put(b, "log", "the last lines in the journal, without those that name Secrets", list);
}

/* ---- all of it ---- */

static enum fed_err run_checks(struct bundle *b, struct fed_doc **findings, struct fed_diag *diag)
{
    struct agent_checks *c = fed_alloc_zero(b->w->mem, sizeof *c);
    struct fed_link_events events = agent_check_link_events(c);
    enum fed_err err = c ? FED_OK : FED_ERR_NOMEM;

    if (err)
        return err;
    *c = (struct agent_checks){.w = b->w,
        .whom = AGENT_CHECK_DOCTOR,
        .ignore = "",
        .joined = b->inspect->joined,
        .service = b->inspect->status,
        .service_trouble = b->inspect->service_trouble.text,
        .table = b->inspect->has_table ? &b->inspect->table : NULL,
        .state_trouble = b->inspect->state_trouble.text};
    err = agent_world_open_links(b->w, true, &events, &events, diag);
    if (!err) {
        agent_world_open_kube(b->w);
        err = agent_checks_run(c, diag);
    }
    agent_world_close_links(b->w);
    *findings = c->findings;
    fed_alloc_free(b->w->mem, c, sizeof *c);
    return err;
}

static enum fed_err fill(struct bundle *b, struct agent_inspect *inspect, struct fed_diag *diag)
{
    struct fed_doc *findings = NULL;

    b->inspect = inspect;
    put_machine(b);
    put_config(b);
    put_identity(b);
    put_files(b);
    if (!b->err)
        b->err = run_checks(b, &findings, diag);
    put(b, "doctor", "what `fedlet doctor` found", findings);
    if (inspect->status) {
        put(b, "status", "`fedlet status`; sentences about Secrets are left out", inspect->status);
        inspect->status = NULL;
    }
    if (inspect->has_table)
        put_works(b);
    put_log(b);
    if (b->err)
        fed_doc_free(b->manifest);
    else
        b->err = fed_doc_set_take(b->doc, "manifest", b->manifest);
    return b->err;
}

static enum fed_err write_out(struct bundle *b, const char *file, struct fed_diag *diag)
{
    struct fed_buf text;
    enum fed_err err;

    fed_buf_init(&text, b->w->mem, BUNDLE_MAX);
    err = fed_doc_put_pretty(&text, b->doc);
    if (!err && strcmp(file, "-") == 0)
        fwrite(text.at, 1, text.len, stdout);
    else if (!err)
        err = b->w->fs.write(b->w->fs.ctx, file, fed_buf_span(&text), 0600, diag);
    fed_buf_fini(&text);
    return err;
}

int agent_command_bundle(struct agent_world *w, const struct agent_options *options)
{
    struct bundle b = {.w = w, .doc = fed_doc_new_object(), .manifest = fed_doc_new_array()};
    struct agent_inspect inspect = {0};
    struct fed_diag diag = {""};
    enum fed_err err = b.doc && b.manifest ? FED_OK : FED_ERR_NOMEM;

    if (!err)
        err = fed_doc_set_text(b.doc, "format", "fedlet support bundle 1");
    if (!err)
        err = agent_inspect_open(w, true, &inspect, &diag);
    if (!err)
        err = fill(&b, &inspect, &diag);
    if (!err)
        err = write_out(&b, options->file, &diag);
    agent_inspect_close(&inspect);
    fed_doc_free(b.doc);
    if (err)
        return agent_world_fail(&diag, err);
    if (strcmp(options->file, "-") != 0)
        fprintf(stderr, "fedlet: wrote %s\n", options->file);
    return EXIT_SUCCESS;
}
