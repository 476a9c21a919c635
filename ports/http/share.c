/* share.c - see share.h. */
#include "ports/http/share.h"

#include <stdio.h>

static bool over(size_t n, size_t max)
{
    return max && n > max;
}

struct fed_http_share *fed_http_share_take(struct fed_http_shares *shares, const char *name)
{
    struct fed_span key = fed_span_text(name);
    struct fed_http_share *share = fed_map_get(&shares->by_name, key);

    if (!share) {
        share = fed_alloc_zero(shares->mem, sizeof(*share));
        if (!share)
            return NULL;
        share->all = shares;
        snprintf(share->name, sizeof(share->name), "%s", name);
        if (fed_map_put(&shares->by_name, fed_span_text(share->name), share)) {
            fed_alloc_free(shares->mem, share, sizeof(*share));
            return NULL;
        }
    }
    share->n_conns++;
    return share;
}

void fed_http_share_drop(struct fed_http_share *share)
{
    struct fed_http_shares *shares = share->all;

    if (--share->n_conns)
        return;
    (void)fed_map_remove(&shares->by_name, fed_span_text(share->name));
    fed_alloc_free(shares->mem, share, sizeof(*share));
}

bool fed_http_share_ask(struct fed_http_share *share, size_t n)
{
    struct fed_http_shares *all = share->all;

    if (all &&
        (over(share->asked + n, all->asked_max) || over(all->asked + n, all->asked_total_max)))
        return false;
    share->asked += n;
    if (all)
        all->asked += n;
    return true;
}

void fed_http_share_asked_less(struct fed_http_share *share, size_t n)
{
    share->asked -= n;
    if (share->all)
        share->all->asked -= n;
}

bool fed_http_share_may_answer(const struct fed_http_share *share, size_t own)
{
    const struct fed_http_shares *all = share->all;

    if (!all || share->answered == 0)
        return true;
    if (own <= FED_HTTP_SHARE_READS)
        return !fed_http_share_full(share);
    return !over(share->answered, all->answered_max / 2) &&
           !over(all->answered, all->answered_total_max / 2);
}

bool fed_http_share_full(const struct fed_http_share *share)
{
    const struct fed_http_shares *all = share->all;

    return all && (over(share->answered, all->answered_max) ||
                      over(all->answered, all->answered_total_max));
}

void fed_http_share_answered(struct fed_http_share *share, size_t before, size_t now)
{
    share->answered = share->answered - before + now;
    if (!share->all)
        return;
    share->all->answered = share->all->answered - before + now;
    if (share->parked.first && now < before)
        share->all->eased(share->all->ctx, share);
}
