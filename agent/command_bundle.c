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

/* ---- the sections ---- */

static void put_facts(struct bundle *b)
{
    const struct agent_config *config = &b->w->config;
    char now[FED_TEXT_TIME_SIZE];
    char path[AGENT_PATH_MAX];
    const char *const facts[][2] = {{"version", FEDLET_VERSION}, {"time", now},
        {"cluster", b->inspect->joined ? b->w->identity.cluster : ""},
        {"stateDir", config->state_dir}, {"kubeconfig", agent_world_kubeconfig(b->w)},
        {"link", config->link}, {"logLevel", config->log_level}, {"metrics", config->metrics},
        {"proxy", config->proxy[0] ? "named" : ""}, /* it may have a password */
        {"stateTrouble", b->inspect->state_trouble.text}};
    struct fed_doc *doc = fed_doc_new_object();

    fed_text_time(fed_loop_unix_s(b->w->ports.loop), now);
    for (size_t i = 0; i < sizeof facts / sizeof *facts && doc && !b->err; i++)
        b->err = fed_doc_set_text(doc, facts[i][0], facts[i][1]);
    if (doc && !b->err && agent_world_path(b->w, AGENT_STATE_FILE, path, NULL) == FED_OK)
        b->err = fed_doc_set_int(doc, "stateBytes", (int64_t)fed_host_file_bytes(path));
    put(b, "facts", "version, time, cluster, configuration without the proxy", doc);
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
static bool may_tell(const char *line)
{
    static const char *const words[] = {"Secret", "secrets", "fedlet1.", "PRIVATE KEY", "Bearer "};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(line, words[i]))
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
        if (line.len == 0 || !fed_text_is_utf8(line) || fed_span_to_cstr(line, text, sizeof text) ||
            may_tell(text))
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
    put_facts(b);
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
