/* rest.c - engines of rollouts that are over give their clusters up, and have them again when they
 * need them: the rows are in the store. */
#include "hub/rollout/internal.h"

/* ---- giving up ---- */

static bool may_rest(const struct rollout_subject *s)
{
    return !s->unsettled && !s->broken && !s->going && !s->waiting && !s->respec && !s->untold &&
           !s->resync && !s->looked && !s->regate_all && s->told && hub_rollout_may_rest(s->engine);
}

void rollout_rest(struct hub_rollouts *r, struct rollout_subject *s)
{
    uint64_t now_ms = fed_loop_now_ms(r->o.loop);
    uint64_t rest_ms = r->o.rest_ms ? r->o.rest_ms : ROLLOUT_REST_MS;

    if (!may_rest(s)) /* if that is over, something moves */
        return;
    if (!s->quiet_ms)
        s->quiet_ms = now_ms;
    if (now_ms < s->quiet_ms + rest_ms)
        rollout_due(r, s, s->quiet_ms + rest_ms - now_ms);
    else if (hub_rollout_rest(s->engine)) /* memory is out, of all things */
        s->quiet_ms = 0;
}

/* ---- having them again ---- */

enum fed_err rollout_rouse(struct hub_rollouts *r, struct rollout_subject *s, struct fed_diag *diag)
{
    enum fed_err err;

    if (!s->engine || !hub_rollout_rests(s->engine))
        return FED_OK;
    err = s->present ? rollout_rows_recall(r, s, s->present, diag) : FED_ERR_CORRUPT;
    if (err)
        hub_rollout_lie_down(s->engine);
    else
        err = hub_rollout_rise(s->engine, rollout_now(r));
    if (err && err != FED_ERR_NOMEM) /* another hub stepped it; or it cannot be read */
        rollout_break(r, s);
    if (err)
        return diag && diag->text[0] ? err : fed_diag_set(diag, err, "rows: %s", fed_err_text(err));
    s->untold = s->resync = true;
    s->quiet_ms = s->stepped_ms = 0;
    rollout_due(r, s, 0);
    return FED_OK;
}
