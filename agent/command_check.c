/* command_check.c - fedlet preflight and fedlet doctor: what there is to look at, gathered without
 * disturbing a service that runs; the checks themselves are in check.c. */
#include "agent/check.h"
#include "agent/inspect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the two commands ---- */

static enum fed_err print_json(const struct agent_checks *c)
{
    struct fed_doc *doc = fed_doc_new_object();
    struct fed_buf out;
    enum fed_err err = doc ? FED_OK : FED_ERR_NOMEM;

    fed_buf_init(&out, c->w->mem, FED_DOC_BYTES_MAX);
    if (!err)
        err = fed_doc_set_bool(doc, "ok", c->n[AGENT_CHECK_FAIL] == 0);
    if (!err)
        err = fed_doc_set_int(doc, "failed", c->n[AGENT_CHECK_FAIL]);
    if (!err)
        err = fed_doc_set_int(doc, "warned", c->n[AGENT_CHECK_WARN]);
    if (err)
        fed_doc_free(c->findings);
    else
        err = fed_doc_set_take(doc, "checks", c->findings);
    if (!err)
        err = fed_doc_put_pretty(&out, doc);
    if (!err) {
        fwrite(out.at, 1, out.len, stdout);
        putchar('\n');
    }
    fed_doc_free(doc);
    fed_buf_fini(&out);
    return err;
}

static int say_end(const struct agent_checks *c, bool bad)
{
    if (c->text)
        printf("\n%u ok, %u to look at, %u failed%s\n", c->n[AGENT_CHECK_OK],
            c->n[AGENT_CHECK_WARN], c->n[AGENT_CHECK_FAIL],
            c->n[AGENT_CHECK_IGNORED] ? ", some ignored" : "");
    return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}

static enum fed_err read_token(struct agent_world *w, const struct agent_options *options,
    struct fed_token *out, const struct fed_token **token, struct fed_diag *diag)
{
    enum fed_err err;

    if (!options->token && !options->token_file)
        return FED_OK;
    err = agent_world_token(w, options, out, diag);
    if (!err)
        *token = out;
    return err;
}

static int run(struct agent_world *w, const struct agent_options *options, unsigned whom)
{
    struct agent_checks *c = fed_alloc_zero(w->mem, sizeof *c);
    struct agent_inspect inspect = {0};
    struct fed_token token;
    struct fed_diag diag = {""};
    struct fed_link_events events;
    enum fed_err err = c ? FED_OK : FED_ERR_NOMEM;
    int code;

    if (err)
        return agent_world_fail(&diag, err);
    *c = (struct agent_checks){.w = w,
        .whom = whom,
        .ignore = options->ignore ? options->ignore : "",
        .text = !options->json};
    events = agent_check_link_events(c);
    err = read_token(w, options, &token, &c->token, &diag);
    if (!err)
        err = agent_inspect_open(w, false, &inspect, &diag);
    if (!err) {
        c->joined = inspect.joined;
        c->service = inspect.status;
        c->service_trouble = inspect.service_trouble.text;
        c->table = inspect.has_table ? &inspect.table : NULL;
        c->state_trouble = inspect.state_trouble.text;
        err = agent_world_open_links(w, true, &events, &events, &diag);
        if (!err) {
            agent_world_open_kube(w);
            err = agent_checks_run(c, &diag);
        }
        if (!err && options->json)
            err = print_json(c);
        else
            fed_doc_free(c->findings);
    }
    code = err ? agent_world_fail(&diag, err)
               : say_end(c, c->n[AGENT_CHECK_FAIL] > 0 ||
                                (whom == AGENT_CHECK_DOCTOR && c->n[AGENT_CHECK_WARN] > 0));
    agent_world_close_links(w); /* their events come to the checks */
    agent_inspect_close(&inspect);
    fed_alloc_free(w->mem, c, sizeof *c);
    return code;
}

int agent_command_preflight(struct agent_world *w, const struct agent_options *options)
{
    return run(w, options, AGENT_CHECK_PREFLIGHT);
}

int agent_command_doctor(struct agent_world *w, const struct agent_options *options)
{
    return run(w, options, AGENT_CHECK_DOCTOR);
}
