/* api_fuzz.c - whole requests into the hub's API: HTTP, dispatch, every handler, the store.
 *
 * An input is one connection. Its first byte says how the rest is meant:
 *   '1' '2'  bytes of HTTP/1.1, or of HTTP/2 behind the preface; the second byte names the user
 *   a u n    requests as text, over HTTP/2: whose they are (an admin, one with few rights, one
 *            without a certificate), a line feed, then requests with a line "--" between them.
 *            A request is "METHOD TARGET", header lines, an empty line, the body; "PASS MS" lets
 *            time go by, "LEAVE" ends the connection and begins another one. $TOKEN stands for a
 *            ServiceAccount's token, $UID for the uid of the ConfigMap "a", $VERSION for the
 *            revision of the store, $BEFORE for the one two commits ago.
 *
 * After each input: every request was answered or its connection closed; every failure is a Status
 * with the code of the answer; who may not read Secrets was not shown one; what the connection took
 * is given back, and the API holds about what it held before; each stored object is whole; another
 * client is served. */
#include "tests/fuzz/api_world.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <string.h>

#define WORLD_RUNS 500u        /* then everything is closed, which shows what was not given back */
#define GROWTH_MAX (24u << 20) /* caches: history, the last list, the index of labels */
#define TEXT_MAX (1u << 20)    /* of an input whose words were replaced */
#define TOKEN_OF "/api/v1/namespaces/default/serviceaccounts/bot/token"

#define CANARY "Y2FuYXJ5LTViZDFlOTk1" /* in the Secret default/s */

static struct run {
    struct api_world world;
    bool open;
    unsigned runs;
    struct fed_http_session *session;
    int32_t next_stream;
    const struct fed_crypto_cert_info *peer;
    bool secrets_hidden; /* from this user */
    size_t handled;
    size_t ended;
    unsigned status;       /* of the last answer */
    struct fed_buf answer; /* its body */
    struct fed_buf token;  /* of the ServiceAccount default/bot */
    char uid[64];          /* of the ConfigMap default/a */
} run;

/* ---- answers ---- */
static struct fed_span header_of(const struct fed_http_header *headers, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (fed_span_is(headers[i].name, name))
            return headers[i].value;
    return (struct fed_span){0};
}

static void check_status(struct fed_span body, unsigned code)
{
    struct fed_json_doc *doc;
    struct fed_json *status;
    struct fed_span message;
    struct fed_span reason;

    FUZZ_CHECK(!fed_json_doc_new(fed_alloc_system(), &doc));
    FUZZ_CHECK(!fed_json_parse(doc, body, &status, NULL));
    FUZZ_CHECK(fed_span_is(fed_json_string(fed_json_get(status, "kind")), "Status"));
    FUZZ_CHECK(fed_span_is(fed_json_string(fed_json_get(status, "apiVersion")), "v1"));
    FUZZ_CHECK(fed_span_is(fed_json_string(fed_json_get(status, "status")), "Failure"));
    FUZZ_CHECK(fed_json_int(fed_json_get(status, "code"), 0) == (int64_t)code);
    message = fed_json_string(fed_json_get(status, "message"));
    FUZZ_CHECK(message.len > 0);
    reason = fed_json_string(fed_json_get(status, "reason"));
    /* The disk is in order; what is left are kube-apiserver's own, for what a client did wrong. */
    if (fed_span_is(reason, "InternalError") &&
        !fed_span_starts(message, "Impersonate-Group, -Uid or -Extra- is given")) {
        fprintf(stderr, FED_SPAN_FMT "\n", FED_SPAN_ARG(body));
        FUZZ_CHECK(false);
    }
    fed_json_doc_free(doc);
}

static void check_json(struct fed_span body)
{
    struct fed_json_doc *doc;
    struct fed_json *value;

    FUZZ_CHECK(!fed_json_doc_new(fed_alloc_system(), &doc));
    FUZZ_CHECK(!fed_json_parse(doc, body, &value, NULL));
    fed_json_doc_free(doc);
}

static size_t find(struct fed_span in, const char *word)
{
    const uint8_t *at = in.len ? memmem(in.at, in.len, word, strlen(word)) : NULL;

    return at ? (size_t)(at - in.at) : in.len;
}

static void check_secrets(struct fed_span sent)
{
    FUZZ_CHECK(!run.secrets_hidden || find(sent, CANARY) == sent.len);
}

static void check_answer(
    unsigned code, const struct fed_http_header *headers, size_t n_headers, struct fed_span body)
{
    struct fed_span type = header_of(headers, n_headers, "content-type");

    check_secrets(body);
    for (size_t i = 0; i < n_headers; i++)
        FUZZ_CHECK(fed_http_header_ok(&headers[i]));
    if (fed_span_starts(type, "application/json"))
        check_json(body);
    /* Where nothing is, a page says so; of OpenAPI documents that are none there is none, either.
     */
    if (code >= 400 && !(code == 404 && (fed_span_starts(type, "text/plain") ||
                                            (type.len == 0 && body.len == 0)))) {
        FUZZ_CHECK(fed_span_is(type, "application/json"));
        check_status(body, code);
    }
    if (getenv("FUZZ_API_SHOW")) /* for whoever looks into one input */
        fprintf(stderr, "%u " FED_SPAN_FMT "\n", code, FED_SPAN_ARG(fed_span_sub(body, 0, 400)));
    run.status = code;
    fed_buf_clear(&run.answer);
    fed_buf_put(&run.answer, body);
}

/* The linker puts these between the hub and the port. */
void __wrap_fed_http_respond(struct fed_http_exchange *exchange, unsigned status,
    const struct fed_http_header *headers, size_t n_headers, struct fed_span body);
void __real_fed_http_respond(struct fed_http_exchange *exchange, unsigned status,
    const struct fed_http_header *headers, size_t n_headers, struct fed_span body);
void __wrap_fed_http_respond_shared(struct fed_http_exchange *exchange, unsigned status,
    const struct fed_http_header *headers, size_t n_headers, struct fed_http_shared *body);
void __real_fed_http_respond_shared(struct fed_http_exchange *exchange, unsigned status,
    const struct fed_http_header *headers, size_t n_headers, struct fed_http_shared *body);
enum fed_err __wrap_fed_http_stream_share(
    struct fed_http_exchange *exchange, struct fed_http_shared *bytes);
enum fed_err __real_fed_http_stream_share(
    struct fed_http_exchange *exchange, struct fed_http_shared *bytes);
void __wrap_fed_http_stream_end(struct fed_http_exchange *exchange);
void __real_fed_http_stream_end(struct fed_http_exchange *exchange);

void __wrap_fed_http_respond(struct fed_http_exchange *exchange, unsigned status,
    const struct fed_http_header *headers, size_t n_headers, struct fed_span body)
{
    run.ended++;
    check_answer(status, headers, n_headers, body);
    __real_fed_http_respond(exchange, status, headers, n_headers, body);
}

void __wrap_fed_http_respond_shared(struct fed_http_exchange *exchange, unsigned status,
    const struct fed_http_header *headers, size_t n_headers, struct fed_http_shared *body)
{
    run.ended++;
    check_answer(status, headers, n_headers, body->bytes);
    __real_fed_http_respond_shared(exchange, status, headers, n_headers, body);
}

enum fed_err __wrap_fed_http_stream_share(
    struct fed_http_exchange *exchange, struct fed_http_shared *bytes)
{
    check_secrets(bytes->bytes);
    return __real_fed_http_stream_share(exchange, bytes);
}

void __wrap_fed_http_stream_end(struct fed_http_exchange *exchange)
{
    run.ended++;
    __real_fed_http_stream_end(exchange);
}

static void on_request(
    void *ctx, struct fed_http_exchange *exchange, const struct fed_http_request *request)
{
    run.handled++;
    hub_api_handle(ctx, exchange, request);
}

static void on_closed(void *ctx, struct fed_http_exchange *exchange)
{
    run.ended++;
    hub_api_closed(ctx, exchange);
}

static const char *on_refusal(void *ctx, unsigned status, const char *why, struct fed_buf *body)
{
    const char *type = hub_api_refusal(ctx, status, why, body);

    if (!fed_buf_err(body))
        check_status(fed_buf_span(body), status);
    return type;
}

/* ---- a connection ---- */
static void no_wake(void *ctx)
{
    (void)ctx;
}

/* The turn of the loop in which bytes came; the peer takes all that is sent. */
static void take_turn(void)
{
    api_world_turn(&run.world);
    for (int i = 0; i < 64; i++) {
        if (!run.session->closing)
            fed_http_session_pull(run.session);
        fed_http_session_reap(run.session);
        if (fed_http_queue_len(&run.session->out) == 0)
            break;
        fed_http_queue_fini(&run.session->out);
    }
}

static void feed(struct fed_span bytes)
{
    fed_http_session_feed(run.session, bytes);
}

static void connect(bool http2)
{
    struct fed_http_session_options options = {.engine = &run.world.engine,
        .http2 = http2,
        .peer = run.peer,
        .address = FED_SPAN_LIT("127.0.0.1:9"),
        .wake = no_wake};

    FUZZ_CHECK(!fed_http_session_new(&options, &run.session));
    run.next_stream = 1;
    if (!http2)
        return;
    feed(FED_SPAN_LIT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    /* SETTINGS_INITIAL_WINDOW_SIZE and the connection's window: as large as they can be. */
    feed(FED_SPAN_LIT("\0\0\6\4\0\0\0\0\0\0\4\x7f\xff\xff\xff"));
    feed(FED_SPAN_LIT("\0\0\4\x8\0\0\0\0\0\x7f\xff\0\0"));
    take_turn();
}

static void leave(void)
{
    take_turn();
    fed_http_session_free(run.session);
    run.session = NULL;
    api_world_turn(&run.world);
    FUZZ_CHECK(run.handled == run.ended);
    FUZZ_CHECK(run.world.http_memory.in_use == 0);
}

/* ---- HTTP/2, as much as a client needs ---- */
static void put_frame(uint8_t type, uint8_t flags, struct fed_span payload)
{
    uint8_t head[9] = {(uint8_t)(payload.len >> 16), (uint8_t)(payload.len >> 8),
        (uint8_t)payload.len, type, flags, 0, 0, (uint8_t)(run.next_stream >> 8),
        (uint8_t)run.next_stream};

    feed(fed_span_of(head, sizeof head));
    feed(payload);
}

static void put_text(struct fed_buf *out, struct fed_span text)
{
    size_t left = text.len;

    if (left < 127) {
        fed_buf_put_u8(out, (uint8_t)left);
    } else {
        fed_buf_put_u8(out, 127);
        for (left -= 127; left >= 128; left >>= 7)
            fed_buf_put_u8(out, (uint8_t)(left | 128));
        fed_buf_put_u8(out, (uint8_t)left);
    }
    fed_buf_put(out, text);
}

static void put_field(struct fed_buf *out, struct fed_span name, struct fed_span value)
{
    fed_buf_put_u8(out, 0); /* RFC 7541 section 6.2.2: kept in no table */
    put_text(out, name);
    put_text(out, value);
}

static void put_headers(struct fed_buf *out, struct fed_span lines)
{
    struct fed_span line;

    while (fed_span_split(&lines, '\n', &line)) {
        size_t colon = fed_span_find(line, ':');
        struct fed_span value = fed_span_sub(line, colon + 1, line.len);

        while (value.len > 0 && value.at[0] == ' ')
            value = fed_span_sub(value, 1, value.len);
        if (colon > 0)
            put_field(out, fed_span_sub(line, 0, colon), value);
    }
}

static void send_request(
    struct fed_span method, struct fed_span target, struct fed_span headers, struct fed_span body)
{
    struct fed_buf block;
    struct fed_span rest;

    if (run.session->closing || run.next_stream > 60000)
        return;
    fed_buf_init(&block, fed_alloc_system(), TEXT_MAX);
    put_field(&block, FED_SPAN_LIT(":method"), method);
    put_field(&block, FED_SPAN_LIT(":scheme"), FED_SPAN_LIT("https"));
    put_field(&block, FED_SPAN_LIT(":path"), target);
    put_field(&block, FED_SPAN_LIT(":authority"), FED_SPAN_LIT("hub"));
    put_headers(&block, headers);
    rest = fed_buf_span(&block);
    for (uint8_t type = 1; type == 1 || rest.len > 0; type = 9) { /* HEADERS, CONTINUATION */
        struct fed_span piece = fed_span_sub(rest, 0, 16384);

        rest = fed_span_sub(rest, piece.len, rest.len);
        put_frame(
            type, (uint8_t)((rest.len == 0 ? 4 : 0) | (type == 1 && body.len == 0 ? 1 : 0)), piece);
    }
    while (body.len > 0) {
        struct fed_span piece = fed_span_sub(body, 0, 16384);

        body = fed_span_sub(body, piece.len, body.len);
        put_frame(0, body.len == 0 ? 1 : 0, piece);
    }
    run.next_stream += 2;
    fed_buf_fini(&block);
}

/* ---- requests as text ---- */
/* Cuts at the word, which goes. */
static struct fed_span cut(struct fed_span *rest, const char *word)
{
    size_t at = find(*rest, word);
    struct fed_span head = fed_span_sub(*rest, 0, at);

    *rest = fed_span_sub(*rest, at + strlen(word), rest->len);
    return head;
}

static void one_request(struct fed_span text)
{
    struct fed_span head = cut(&text, "\n\n");
    struct fed_span line = cut(&head, "\n");
    struct fed_span method = cut(&line, " ");
    uint64_t ms;

    if (fed_span_is(method, "PASS")) {
        if (!fed_span_to_u64(line, &ms))
            api_world_pass(&run.world, ms % 200000);
    } else if (fed_span_is(method, "LEAVE")) {
        leave();
        connect(true);
    } else {
        send_request(method, line, head, text);
    }
    take_turn();
}

/* The text with the words that stand for something replaced. */
static void put_replaced(struct fed_buf *out, struct fed_span text)
{
    unsigned long long now = hub_objects_revision(run.world.objects);
    char version[24];
    char before[24];
    struct {
        const char *word;
        struct fed_span by;
    } words[] = {{"$TOKEN", fed_buf_span(&run.token)}, {"$UID", fed_span_text(run.uid)},
        {"$VERSION", {0}}, {"$BEFORE", {0}}, {"$", FED_SPAN_LIT("$")}};

    snprintf(version, sizeof version, "%llu", now);
    snprintf(before, sizeof before, "%llu", now - 2);
    words[2].by = fed_span_text(version);
    words[3].by = fed_span_text(before);
    while (text.len > 0) {
        size_t at = fed_span_find(text, '$');
        size_t i = 0;

        fed_buf_put(out, fed_span_sub(text, 0, at));
        text = fed_span_sub(text, at, text.len);
        if (text.len == 0)
            return;
        while (!fed_span_starts(text, words[i].word))
            i++;
        fed_buf_put(out, words[i].by);
        text = fed_span_sub(text, strlen(words[i].word), text.len);
    }
}

static void requests(struct fed_span text)
{
    while (text.len > 0) {
        struct fed_span one = cut(&text, "\n--\n");
        struct fed_buf whole;

        fed_buf_init(&whole, fed_alloc_system(), TEXT_MAX);
        put_replaced(&whole, one);
        if (!fed_buf_err(&whole))
            one_request(fed_buf_span(&whole));
        fed_buf_fini(&whole);
    }
}

/* ---- users ---- */
static const struct fed_crypto_cert_info *user(uint8_t name)
{
    static const struct fed_crypto_cert_info admin = {
        .common_name = "admin", .organizations = {"system:masters"}, .n_organizations = 1};
    static const struct fed_crypto_cert_info ann = {
        .common_name = "ann", .organizations = {"dev"}, .n_organizations = 1};

    return name == 'u' ? &ann : name == 'n' ? NULL : &admin;
}

/* ---- the world ---- */
static void begin(void)
{
    struct fed_buf text;

    fed_buf_init(&text, fed_alloc_system(), TEXT_MAX);
    for (const char *const *one = api_beginning; *one; one++) {
        fed_buf_clear(&text);
        for (const char *at = *one; *at; at++)
            fed_buf_put_u8(&text, (uint8_t)(*at == '\'' ? '"' : *at));
        requests(fed_buf_span(&text));
    }
    fed_buf_fini(&text);
}

static void ask(const char *method, const char *target, const char *body)
{
    send_request(fed_span_text(method), fed_span_text(target),
        FED_SPAN_LIT("content-type: application/json"), fed_span_text(body));
    take_turn();
}

static void put_found(const char *path, struct fed_buf *out)
{
    struct fed_json_doc *doc;
    struct fed_json *value;

    FUZZ_CHECK(run.status < 300);
    FUZZ_CHECK(!fed_json_doc_new(fed_alloc_system(), &doc));
    FUZZ_CHECK(!fed_json_parse(doc, fed_buf_span(&run.answer), &value, NULL));
    fed_buf_clear(out);
    fed_buf_put(out, fed_json_string(fed_json_find(value, path)));
    FUZZ_CHECK(out->len > 0);
    fed_json_doc_free(doc);
}

static void open_world(void)
{
    struct fed_buf text;

    api_world_open(&run.world);
    run.world.engine.handler = on_request;
    run.world.engine.closed = on_closed;
    run.world.engine.refusal = on_refusal;
    run.world.engine.ctx = run.world.api;
    run.open = true;
    run.runs = 0;
    run.handled = run.ended = 0;
    fed_buf_init(&run.answer, fed_alloc_system(), 64u << 20);
    fed_buf_init(&run.token, fed_alloc_system(), 1u << 16);
    fed_buf_init(&text, fed_alloc_system(), 64);
    run.peer = user('a');
    connect(true);
    begin();
    ask("GET", "/api/v1/namespaces/default/configmaps/a", "");
    put_found("metadata.uid", &text);
    snprintf(run.uid, sizeof run.uid, "%s", fed_buf_cstr(&text));
    ask("POST", TOKEN_OF, "{\"spec\":{\"expirationSeconds\":86400}}");
    put_found("status.token", &run.token);
    leave();
    fed_buf_fini(&text);
    api_world_pass(&run.world, 20000);
    api_world_keep(&run.world);
}

static void close_world(void)
{
    api_world_close(&run.world);
    fed_buf_fini(&run.answer);
    fed_buf_fini(&run.token);
    run.open = false;
}

/* Somebody else, on a connection of their own. */
static void check_service(void)
{
    run.peer = user('a');
    run.secrets_hidden = false;
    connect(true);
    ask("GET", "/api/v1/namespaces/default", "");
    FUZZ_CHECK(run.status == 200);
    leave();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fed_span rest = fed_span_of(data, size);

    if (size < 2)
        return 0;
    if (!run.open)
        open_world();
    run.peer = user(data[data[0] == '1' || data[0] == '2']);
    /* Who knows it already proves nothing. */
    run.secrets_hidden =
        run.peer != user('a') && find(rest, "canary") == size && find(rest, CANARY) == size;
    connect(data[0] != '1');
    if (data[0] == '1' || data[0] == '2')
        feed(fed_span_sub(rest, 2, size));
    else
        requests(fed_span_sub(rest, fed_span_find(rest, '\n') + 1, size));
    leave();
    check_service();
    if (!api_world_restore(&run.world) || ++run.runs % WORLD_RUNS == 0)
        close_world();
    else
        FUZZ_CHECK(run.world.hub_memory.in_use < run.world.kept_memory + GROWTH_MAX);
    return 0;
}
