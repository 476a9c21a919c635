/* sign_in.c - who signs in, with what, and for how long. */
#include "hub/console/internal.h"

#include "proto/doc/doc.h"

#include <stdio.h>
#include <string.h>

#define BODY_MAX 16384u
#define ANSWER_MAX 65536u
#define NAMESPACES_MAX 100u /* told of one user */
#define COOKIE_ATTRIBUTES "; Path=/; Secure; HttpOnly; SameSite=Strict"

/* ---- a request with a cookie ---- */

enum fed_err console_check_token(struct hub_console *console, struct fed_span token)
{
    struct hub_token_holder *holder = fed_alloc_zero(console->mem, sizeof *holder);
    struct fed_diag diag = {""};
    enum fed_err err = holder ? FED_OK : FED_ERR_NOMEM;

    if (!err)
        err = hub_tokens_verify(console->options.tokens, token, NULL, 0, holder, &diag);
    fed_alloc_free(console->mem, holder, sizeof *holder);
    return err;
}

enum fed_err console_find_session(
    struct hub_console *console, const struct fed_http_request *http, struct console_kept **out)
{
    struct console_kept *kept =
        console_keep_use(&console->sessions, console_cookie(http, CONSOLE_COOKIE));
    enum fed_err err = FED_OK;

    if (kept && kept->grant.token.len > 0)
        err = console_check_token(console, kept->grant.token);
    if (err == FED_ERR_UNAUTHENTICATED) {
        console_keep_drop(&console->sessions, kept);
        kept = NULL;
        err = FED_OK;
    }
    *out = err ? NULL : kept;
    return err;
}

void console_check_session(struct hub_console *console, uint64_t id)
{
    struct fed_map_iter it;

    fed_map_iter_init(&it, &console->sessions.kept);
    while (fed_map_iter_next(&it)) {
        struct console_kept *kept = it.value;

        if (kept->id != id)
            continue;
        if (kept->grant.token.len > 0 &&
            console_check_token(console, kept->grant.token) == FED_ERR_UNAUTHENTICATED)
            console_keep_drop(&console->sessions, kept);
        return;
    }
}

enum fed_err console_session(void *ctx, struct hub_request *r)
{
    struct console_kept *kept;
    enum fed_err err = console_find_session(ctx, r->http, &kept);

    if (err || !kept)
        return err ? err : FED_ERR_NOT_FOUND;
    r->user = kept->grant.user;
    r->by_session = true;
    if (hub_request_is_read(r->http) ||
        fed_span_is(console_header(r->http, "x-fedlet-console"), "1"))
        return FED_OK;
    hub_fail(r, 403, "Forbidden", "a write of the console carries the header X-Fedlet-Console: 1");
    return FED_ERR_FORBIDDEN;
}

/* ---- what is answered ---- */

static const char *method_of(const struct hub_request *r)
{
    if (r->by_session)
        return "session";
    return r->http->peer && r->http->peer->common_name[0] ? "certificate" : "token";
}

static void put_user(struct fed_buf *out, const struct hub_user *user, const char *method)
{
    fed_buf_put_text(out, "{\"user\":");
    hub_json_put_text(out, user->name);
    fed_buf_put_text(out, ",\"groups\":[");
    for (size_t i = 0; i < user->n_groups; i++) {
        if (i > 0)
            fed_buf_put_u8(out, ',');
        hub_json_put_text(out, user->groups[i]);
    }
    fed_buf_printf(out, "],\"method\":\"%s\"", method);
}

struct namespaces {
    struct fed_span at[NAMESPACES_MAX]; /* sorted */
    size_t n;
};

static bool add_namespace(void *ctx, struct fed_span ns)
{
    struct namespaces *all = ctx;
    size_t i = 0;

    while (i < all->n && fed_span_cmp(all->at[i], ns) < 0)
        i++;
    if (i < all->n && fed_span_eq(all->at[i], ns))
        return true;
    if (all->n == NAMESPACES_MAX)
        return false;
    memmove(&all->at[i + 1], &all->at[i], (all->n - i) * sizeof *all->at);
    all->at[i] = ns;
    all->n++;
    return true;
}

/* Where the user may be somebody, so that the page can ask what: whoever has rights in one
 * namespace alone may not list namespaces. */
static void put_namespaces(
    struct fed_buf *out, const struct hub_api *api, const struct hub_user *user)
{
    struct namespaces all = {.n = 0};

    hub_user_namespaces(api, user, add_namespace, &all);
    fed_buf_put_text(out, ",\"namespaces\":[");
    for (size_t i = 0; i < all.n; i++)
        fed_buf_printf(out, "%s\"" FED_SPAN_FMT "\"", i ? "," : "", FED_SPAN_ARG(all.at[i]));
    fed_buf_put_text(out, "]");
}

static enum fed_err respond_session(struct hub_console *console, struct hub_request *r,
    const struct console_kept *kept, const struct fed_http_header *more, size_t n_more)
{
    struct fed_buf body;

    fed_buf_init(&body, r->mem, ANSWER_MAX);
    put_user(&body, kept ? &kept->grant.user : &r->user, kept ? "session" : method_of(r));
    put_namespaces(&body, console->options.api, kept ? &kept->grant.user : &r->user);
    if (kept)
        fed_buf_printf(&body, ",\"expires_unix_s\":%lld,\"idle_s\":%lld",
            (long long)console_kept_until(&console->sessions, kept),
            (long long)console->options.idle_s);
    else if (r->http->peer)
        fed_buf_printf(
            &body, ",\"expires_unix_s\":%lld", (long long)r->http->peer->not_after_unix_s);
    fed_buf_put_text(&body, "}\n");
    return console_respond(r, &body, more, n_more);
}

static enum fed_err show_session(struct hub_console *console, struct hub_request *r)
{
    struct console_kept *kept = NULL;
    enum fed_err err = hub_identify_request(r);

    if (!err && r->user.anonymous)
        r->audited = true; /* the page asks so whether somebody is signed in: nothing to record */
    if (!err)
        err = hub_require_user(r);
    if (!err && r->by_session)
        err = console_find_session(console, r->http, &kept);
    return err ? err : respond_session(console, r, kept, NULL, 0);
}

/* ---- signing in ---- */

static enum fed_err wrong(struct hub_console *console, struct hub_request *r, const char *what)
{
    console->counts.sign_ins[CONSOLE_WRONG]++;
    console_tries_wrong(
        &console->tries, r->http->peer_address, fed_loop_now_ms(console->options.loop));
    fed_log(console->options.log, FED_LOG_INFO,
        "console: a sign-in from " FED_SPAN_FMT " did not count: %s",
        FED_SPAN_ARG(r->http->peer_address), what);
    hub_fail(r, 401, "Unauthorized", "%s", what);
    return FED_ERR_UNAUTHENTICATED;
}

static enum fed_err grant_of_token(struct hub_console *console, struct hub_request *r,
    const char *token, struct console_grant *out)
{
    struct hub_token_holder *holder = fed_alloc_zero(r->mem, sizeof *holder);
    struct fed_diag diag = {""};
    enum fed_err err = holder ? FED_OK : FED_ERR_NOMEM;

    if (!err && !console->options.tokens)
        return wrong(console, r, "this hub takes no tokens");
    if (!err)
        err = hub_tokens_verify(
            console->options.tokens, fed_span_text(token), NULL, 0, holder, &diag);
    if (err == FED_ERR_UNAUTHENTICATED)
        return wrong(console, r, "the token does not count, or no longer");
    if (err)
        return err;
    *out = (struct console_grant){.user = holder->user, .token = fed_span_text(token)};
    return FED_OK;
}

/* Uses the link up. The grant's token is a copy in the request's memory. */
static enum fed_err grant_of_code(
    struct hub_console *console, struct hub_request *r, const char *code, struct console_grant *out)
{
    struct console_kept *link = console_keep_use(&console->links, fed_span_text(code));
    const char *token;

    if (!link)
        return wrong(console, r, "the link was used before, is over, or never was");
    token = hub_request_cstr(r, link->grant.token);
    if (link->grant.token.len > 0 && !token[0])
        return FED_ERR_NOMEM;
    *out = link->grant;
    out->token = fed_span_text(token);
    console_keep_drop(&console->links, link);
    if (out->token.len > 0 && console_check_token(console, out->token))
        return wrong(console, r, "what the link rests on does not count any more");
    return FED_OK;
}

static enum fed_err read_grant(
    struct hub_console *console, struct hub_request *r, struct console_grant *out)
{
    static const char *const keys[] = {"token", "code", NULL};
    struct fed_diag diag = {""};
    struct fed_doc *doc = NULL;
    const char *token;
    const char *code;
    enum fed_err err;

    if (r->http->body.len > BODY_MAX)
        return hub_fail(r, 413, "RequestEntityTooLarge", "at most %u bytes", BODY_MAX);
    err = fed_doc_parse(r->http->body, &doc, &diag);
    if (!err)
        err = fed_doc_only(doc, keys, &diag);
    token = fed_doc_text(fed_doc_get(doc, "token"), "");
    code = fed_doc_text(fed_doc_get(doc, "code"), "");
    if (err || !token[0] == !code[0])
        err = hub_fail(r, 400, "BadRequest", "a sign-in is {\"token\": ...} or {\"code\": ...}%s%s",
            diag.text[0] ? ": " : "", diag.text);
    else
        err = token[0] ? grant_of_token(console, r, token, out)
                       : grant_of_code(console, r, code, out);
    if (!err && token[0]) { /* the document's text goes */
        out->token = fed_span_text(hub_request_cstr(r, out->token));
        err = out->token.len > 0 ? FED_OK : FED_ERR_NOMEM;
    }
    fed_doc_free(doc);
    return err;
}

/* Before anything is read: a page of another site, a form, a guesser. */
static enum fed_err check_attempt(struct hub_console *console, struct hub_request *r)
{
    unsigned wait_s = console_tries_wait_s(
        &console->tries, r->http->peer_address, fed_loop_now_ms(console->options.loop));
    enum fed_err err = hub_check_same_site(r);

    if (err)
        return err;
    if (!fed_span_is(hub_request_content_type(r), "application/json"))
        return hub_fail(r, 415, "UnsupportedMediaType", "a sign-in is application/json");
    if (wait_s > 0) {
        console->counts.sign_ins[CONSOLE_TURNED_AWAY]++;
        hub_fail(r, 429, "TooManyRequests", "too many sign-ins that did not count");
        r->failure.retry_after_s = wait_s;
        return FED_ERR_BUSY;
    }
    return FED_OK;
}

static enum fed_err sign_in(struct hub_console *console, struct hub_request *r)
{
    struct console_grant *grant = fed_alloc_zero(r->mem, sizeof *grant);
    struct console_kept *before;
    struct console_kept *kept;
    char secret[CONSOLE_SECRET_SIZE];
    char cookie[160];
    struct fed_http_header header = {FED_SPAN_LIT("set-cookie"), {0}};
    enum fed_err err = hub_user_set_name(&r->user, FED_SPAN_LIT(HUB_USER_ANONYMOUS));

    r->user.anonymous = true; /* until it counts, also in the record */
    r->access.path = r->http->path;
    r->access.verb = FED_SPAN_LIT("post");
    if (!err)
        err = grant ? check_attempt(console, r) : FED_ERR_NOMEM;
    if (!err)
        err = read_grant(console, r, grant);
    if (err)
        return err;
    r->user = grant->user;
    err = hub_require_user(r);
    if (err)
        return err;
    /* A cookie that was there does not become another user's. */
    before = console_keep_use(&console->sessions, console_cookie(r->http, CONSOLE_COOKIE));
    if (before)
        console_keep_drop(&console->sessions, before);
    err = console_keep_add(
        &console->sessions, grant, (uint64_t)console->options.session_s * 1000u, secret, &kept);
    if (err == FED_ERR_FORBIDDEN)
        return wrong(console, r, "what the link rests on is over");
    if (err)
        return err;
    console->counts.sign_ins[CONSOLE_ACCEPTED]++;
    r->by_session = true;
    snprintf(cookie, sizeof cookie, CONSOLE_COOKIE "=%s" COOKIE_ATTRIBUTES "; Max-Age=%lld", secret,
        (long long)console->options.session_s);
    header.value = fed_span_text(cookie);
    return respond_session(console, r, kept, &header, 1);
}

/* ---- signing out ---- */

static enum fed_err sign_out(struct hub_console *console, struct hub_request *r)
{
    static const struct fed_http_header forget = {FED_SPAN_LIT("set-cookie"),
        FED_SPAN_LIT(CONSOLE_COOKIE "=" COOKIE_ATTRIBUTES "; Max-Age=0")};
    struct console_kept *kept = NULL;
    struct fed_buf body;
    enum fed_err err = hub_identify_request(r);

    if (!err)
        err = hub_require_user(r);
    if (!err && r->by_session)
        err = console_find_session(console, r->http, &kept);
    if (err)
        return err;
    if (kept)
        console_keep_drop(&console->sessions, kept);
    if (fed_span_is(console_query(r->http->query, "all"), "true")) {
        console_keep_drop_user(&console->sessions, r->user.name);
        console_keep_drop_user(&console->links, r->user.name);
    }
    fed_buf_init(&body, r->mem, 16);
    fed_buf_put_text(&body, "{}\n");
    return console_respond(r, &body, &forget, 1);
}

enum fed_err console_handle_session(struct hub_console *console, struct hub_request *r)
{
    if (hub_request_is_read(r->http))
        return show_session(console, r);
    if (fed_span_is(r->http->method, "POST"))
        return sign_in(console, r);
    if (fed_span_is(r->http->method, "DELETE"))
        return sign_out(console, r);
    return hub_fail(r, 405, "MethodNotAllowed", "a session is made, shown and ended");
}

/* ---- links ---- */

static enum fed_err read_ttl(struct hub_request *r, int64_t *out)
{
    static const char *const keys[] = {"ttl_s", NULL};
    struct fed_diag diag = {""};
    struct fed_doc *doc = NULL;
    enum fed_err err;

    *out = CONSOLE_LINK_TTL_S;
    if (r->http->body.len == 0)
        return FED_OK;
    err = fed_doc_parse(r->http->body, &doc, &diag);
    if (!err)
        err = fed_doc_only(doc, keys, &diag);
    if (!err && fed_doc_get(doc, "ttl_s"))
        err = fed_doc_int(
            fed_doc_get(doc, "ttl_s"), CONSOLE_LINK_TTL_MIN_S, CONSOLE_LINK_TTL_MAX_S, out);
    fed_doc_free(doc);
    return err ? hub_fail(r, 400, "BadRequest",
                     "a link lasts from %d to %d seconds: {\"ttl_s\": ...}", CONSOLE_LINK_TTL_MIN_S,
                     CONSOLE_LINK_TTL_MAX_S)
               : FED_OK;
}

/* A link's session ends with what its maker's rights rest on. */
enum fed_err console_grant_of_request(
    struct hub_console *console, struct hub_request *r, struct console_grant *out)
{
    struct fed_span header = hub_request_header(r, "authorization");
    struct console_kept *kept = NULL;
    enum fed_err err = r->by_session ? console_find_session(console, r->http, &kept) : FED_OK;

    if (err)
        return err;
    *out = (struct console_grant){.user = r->user};
    if (kept) {
        out->token = kept->grant.token;
        out->until_unix_s = console_kept_until(&console->sessions, kept);
    } else if (r->http->peer && r->http->peer->common_name[0]) { /* as hub_authenticate has it */
        out->until_unix_s = r->http->peer->not_after_unix_s;
    } else {
        out->token = fed_span_sub(header, fed_span_find(header, ' '), header.len);
        while (out->token.len > 0 && out->token.at[0] == ' ')
            out->token = fed_span_sub(out->token, 1, out->token.len);
    }
    return FED_OK;
}

enum fed_err console_handle_links(struct hub_console *console, struct hub_request *r)
{
    struct console_grant *grant = fed_alloc_zero(r->mem, sizeof *grant);
    struct console_kept *kept;
    char secret[CONSOLE_SECRET_SIZE];
    struct fed_buf body;
    int64_t ttl_s;
    enum fed_err err = grant ? hub_identify_request(r) : FED_ERR_NOMEM;

    if (!err)
        err = hub_require_user(r);
    if (!err && !fed_span_is(r->http->method, "POST"))
        return hub_fail(r, 405, "MethodNotAllowed", "links are made with POST");
    if (!err && r->impersonator)
        return hub_fail(r, 403, "Forbidden", "nobody makes a link for somebody else");
    if (!err)
        err = read_ttl(r, &ttl_s);
    if (!err)
        err = console_grant_of_request(console, r, grant);
    if (!err)
        err = console_keep_add(&console->links, grant, (uint64_t)ttl_s * 1000u, secret, &kept);
    if (err)
        return err;
    fed_buf_init(&body, r->mem, BODY_MAX);
    fed_buf_printf(&body,
        "{\"code\":\"%s\",\"url_path\":\"/console/#code=%s\",\"expires_unix_s\":%lld}\n", secret,
        secret, (long long)console_kept_until(&console->links, kept));
    return console_respond(r, &body, NULL, 0);
}
