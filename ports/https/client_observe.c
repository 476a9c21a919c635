/* client_observe.c - the observation: the first record is its answer, the others are
 * notifications. */
#include "ports/https/client.h"

static bool is_alive(const struct fed_https_client *client, struct fed_https_request *r)
{
    const struct fed_https_request *at = client->requests;

    while (at && at != r)
        at = at->next;
    return at != NULL;
}

/* The first record of a newer observation ends the older one. */
static void replace_others(struct fed_https_request *r)
{
    struct fed_https_request *next;

    for (struct fed_https_request *at = r->client->requests; at; at = next) {
        next = at->next;
        if (at != r && at->kind == FED_HTTPS_KIND_OBSERVE && at->answered)
            fed_https_request_free(at);
    }
}

static void on_record(struct fed_https_request *r, struct fed_span record)
{
    struct fed_https_client *client = r->client;
    struct fed_link_message m = {.code = FED_LINK_CONTENT, .payload = record};

    if (r->answered) {
        client->events.notification(client->events.ctx, &m);
        return;
    }
    r->answered = true;
    r->deadline_ms = FED_HTTPS_NEVER;
    replace_others(r);
    fed_https_client_arm(client);
    r->done(r->done_ctx, FED_OK, &m, NULL);
}

void fed_https_request_records(struct fed_https_request *r, struct fed_span bytes)
{
    struct fed_https_client *client = r->client;
    struct fed_diag diag = {""};

    while (bytes.len > 0) {
        struct fed_span record;
        bool whole;
        enum fed_err err = fed_https_records_take(&r->records, &bytes, &whole, &record);

        if (err) {
            fed_diag_set(&diag, err, "%s: a notification %s", client->peer, fed_err_text(err));
            fed_https_client_fail(client, err, &diag);
            return;
        }
        if (whole)
            on_record(r, record);
        else
            fed_https_partial_tell(r);
        /* Its owner may have ended the session, or asked for another observation. */
        if (client->state != FED_HTTPS_UP || !is_alive(client, r))
            return;
    }
}
