/* plan.c - fedctl plan: what would go where if these objects were stored.
 *
 * Each object is first written as a dry run, as `kubectl replace` or `create` would write it, so
 * that validation, defaults and rights are those of the real write; then the hub is asked for
 * PlanReviews. Nothing is stored. */
#include "cli/plan.h"
#include "cli/review.h"

#include "ports/yaml.h"

#include <string.h>

static enum cli_exit print_yaml(struct plan *p, const struct fed_json *status)
{
    enum cli_exit code = CLI_DONE;
    struct fed_buf yaml;

    fed_buf_init(&yaml, p->look->cli->mem, 4 * FED_YAML_PUT_BYTES_MAX);
    if (review_put_yaml(p->look, status, &yaml, &p->diag))
        code = cli_fail("too large for YAML; -o json has no limit");
    else
        fwrite(yaml.at, 1, yaml.len, stdout);
    fed_buf_fini(&yaml);
    return code;
}

static enum cli_exit print_plan(struct plan *p, const struct fed_json *status)
{
    if (p->look->cli->json)
        cli_print_json(status);
    else if (p->look->cli->output && strcmp(p->look->cli->output, "yaml") == 0)
        return print_yaml(p, status);
    else
        plan_print(p, status);
    return CLI_DONE;
}

static bool changes_something(const struct fed_json *status)
{
    const struct fed_json *totals = fed_json_get(status, "totals");

    for (size_t i = 0; i < PLAN_CHANGES; i++)
        if (fed_json_int(fed_json_get(totals, plan_actions[i]), 0) > 0)
            return true;
    return false;
}

static enum fed_err make_lists(struct plan *p)
{
    struct fed_json_doc *doc = p->look->cli->doc;

    p->documents = fed_json_new_array(doc);
    p->objects = fed_json_new_array(doc);
    p->policies = fed_json_new_array(doc);
    p->clusters = fed_json_new_array(doc);
    p->scaled = fed_json_new_object(doc);
    p->answers = fed_json_new_array(doc);
    return p->documents && p->objects && p->policies && p->clusters && p->scaled && p->answers
               ? FED_OK
               : FED_ERR_NOMEM;
}

/* CLI_DONE when there is something to ask about. */
static enum cli_exit take_file(struct plan *p)
{
    enum fed_err err = make_lists(p);

    if (!err)
        err = plan_read(p);
    if (err)
        return cli_fail("%s", cli_why(&p->diag, err));
    if (look_kinds(p->look, &p->diag) || look_clusters(p->look, &p->diag))
        return cli_fail("cannot read kinds and clusters: %s", p->diag.text);
    plan_take(p);
    if (p->err)
        return cli_fail("%s", cli_why(&p->diag, p->err));
    if (p->refused > 0)
        return cli_fail("the hub would refuse %zu of %zu objects; nothing is planned", p->refused,
            fed_json_count(p->documents));
    if (fed_json_count(p->objects) + fed_json_count(p->policies) + fed_json_count(p->clusters) == 0)
        return cli_fail("%s has no federated object, and none else that can be planned",
            strcmp(p->look->file, "-") == 0 ? "standard input" : p->look->file);
    return CLI_DONE;
}

static enum cli_exit run(struct plan *p)
{
    enum cli_exit code = take_file(p);
    const struct fed_json *status;
    enum fed_err err;

    if (code != CLI_DONE)
        return code;
    err = plan_ask(p);
    if (err)
        return cli_fail("%s", cli_why(&p->diag, err));
    status = plan_merged(p);
    if (!status)
        return cli_fail("%s", fed_err_text(FED_ERR_NOMEM));
    code = print_plan(p, status);
    return code == CLI_DONE && p->look->exit_code && changes_something(status) ? CLI_FAILED : code;
}

enum cli_exit cli_plan(struct cli *cli, const struct cli_command *self, int argc, char **argv)
{
    struct look look;
    struct plan p = {.look = &look, .diag = {""}};
    enum cli_exit code = look_options(&look, cli, self, "naef", &argc, &argv);

    if (code == CLI_DONE && argc > 0)
        code = cli_misuse(self, "takes no arguments: -f names the file");
    if (code == CLI_DONE && !look.file)
        code = cli_misuse(self, "needs -f FILE");
    if (code == CLI_DONE)
        code = run(&p);
    look_fini(&look);
    return code;
}
