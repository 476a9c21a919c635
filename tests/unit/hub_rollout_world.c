/* hub_rollout_world.c - see hub_rollout_world.h. */
#include "hub_rollout_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char the_uid[40];

static void check(const struct rollout_world *w, bool is_so, const char *what)
{
    if (!is_so)
        fail_msg("%s: %s", w->where ? w->where : "", what);
}

static enum fed_err find_zone(
    void *ctx, struct fed_span name, const struct hub_zone **out, struct fed_diag *diag)
{
    static const struct hub_zone plus3 = {.first = 3 * 3600};
    static const struct hub_zone minus8 = {.first = -8 * 3600};

    (void)ctx;
    (void)diag;
    if (fed_span_is(name, "Test/Plus3"))
        *out = &plus3;
    else if (fed_span_is(name, "Test/Minus8"))
        *out = &minus8;
    else
        return FED_ERR_NOT_FOUND;
    return FED_OK;
}

size_t world_step_max;
bool world_cut_restarts;
bool world_rests;

static struct hub_rollout_options options(void)
{
    return (struct hub_rollout_options){.mem = fed_alloc_system(),
        .step_max = world_step_max,
        .uid = fed_span_text(the_uid),
        .find_zone = find_zone};
}

void world_init(struct rollout_world *w, const char *uid)
{
    struct hub_rollout_options o;

    memset(w, 0, sizeof *w);
    snprintf(the_uid, sizeof the_uid, "%s", uid);
    o = options();
    w->at = calloc(WORLD_CLUSTERS_MAX, sizeof *w->at);
    w->now = (struct hub_rollout_now){1795996800000, 1000}; /* 2026-11-30T00:00:00Z, a Monday */
    fed_buf_init(&w->record, fed_alloc_system(), HUB_ROLLOUT_RECORD_MAX * 4);
    assert_int_equal(hub_rollout_new(&o, w->now, &w->r), FED_OK);
}

void world_fini(struct rollout_world *w)
{
    hub_rollout_free(w->r);
    hub_rollout_rules_free(w->rules);
    fed_buf_fini(&w->record);
    free(w->at);
}

void world_rules(struct rollout_world *w, const char *json)
{
    char text[2048];
    char field[HUB_ROLLOUT_FIELD_MAX] = "";
    struct fed_diag diag = {""};
    struct fed_json_doc *doc;
    struct fed_json *spec;

    snprintf(text, sizeof text, "%s", json);
    for (char *at = text; *at; at++)
        *at = *at == '\'' ? '"' : *at;
    assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
    if (fed_json_parse(doc, fed_span_text(text), &spec, &diag))
        fail_msg("%s: %s: %s", w->where ? w->where : "", text, diag.text);
    hub_rollout_rules_free(w->rules);
    w->rules = NULL;
    if (hub_rollout_rules_read(fed_alloc_system(), spec, &w->rules, field, &diag))
        fail_msg("%s: %s: %s: %s", w->where ? w->where : "", text, field, diag.text);
    fed_json_doc_free(doc);
}

struct fed_digest world_digest(char letter)
{
    struct fed_digest digest = {{0}};

    if (letter != '-')
        memset(digest.bytes, letter, sizeof digest.bytes);
    return digest;
}

char world_letter(const struct fed_digest *digest)
{
    return (char)digest->bytes[0];
}

static char answer_of(const struct rollout_world *w, const struct world_cluster *c)
{
    struct fed_digest digest;

    if (hub_rollout_answer(w->r, fed_span_text(c->name), &digest) == HUB_ROLLOUT_ANSWER_NOTHING)
        return '-';
    return world_letter(&digest);
}

struct world_cluster *world_find(struct rollout_world *w, const char *name)
{
    for (size_t i = 0; i < w->n; i++)
        if (strcmp(w->at[i].name, name) == 0)
            return &w->at[i];
    fail_msg("%s: no cluster %s", w->where ? w->where : "", name);
    return NULL;
}

/* To an engine that rests. */
static bool is_known(const struct rollout_world *w, const struct world_cluster *c)
{
    struct hub_rollout_fact nothing = {.copy = HUB_ROLLOUT_COPY_UNKNOWN};

    return !hub_rollout_rest_is_news(w->r, fed_span_text(c->name), &nothing);
}

void world_tell(struct rollout_world *w, struct world_cluster *c)
{
    struct fed_json_doc *doc;
    struct fed_json *labels = NULL;

    if (hub_rollout_rests(w->r) && is_known(w, c) && !hub_rollout_rest_minds_labels(w->r))
        return;
    world_rise(w);
    assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
    if (c->labels[0])
        assert_int_equal(fed_json_parse(doc, fed_span_text(c->labels), &labels, NULL), FED_OK);
    assert_int_equal(hub_rollout_cluster(w->r, fed_span_text(c->name), labels), FED_OK);
    fed_json_doc_free(doc);
}

void world_reach(struct rollout_world *w, struct world_cluster *c)
{
    if (hub_rollout_rests(w->r))
        return;
    assert_true(
        hub_rollout_reach(w->r, fed_span_text(c->name), c->in ? 0 : c->out_since_ms, w->now));
}

void world_note(struct rollout_world *w, struct world_cluster *c)
{
    struct hub_rollout_fact fact = {.version = world_digest(c->has),
        .copy = c->copy,
        .health = c->health,
        .reason = fed_span_text(c->reason),
        .message = FED_SPAN_LIT("as the test says")};

    if (hub_rollout_rests(w->r)) {
        if (hub_rollout_rest_is_news(w->r, fed_span_text(c->name), &fact))
            world_rise(w);
        return;
    }
    assert_int_equal(hub_rollout_note(w->r, fed_span_text(c->name), &fact, w->now), FED_OK);
}

void world_hold(struct rollout_world *w, struct world_cluster *c)
{
    struct hub_rollout_hold hold = {
        .held = c->held, .kept = c->kept, .until_unix_s = c->held_until_s};

    if (!c->held) {
        c->kept = hold.kept = false;
        c->sent = c->answer;
    }
    if (!hub_rollout_rests(w->r))
        hub_rollout_hold(w->r, fed_span_text(c->name), &hold, w->now);
}

struct world_cluster *world_add(struct rollout_world *w, const char *name, const char *labels)
{
    struct world_cluster *c = &w->at[w->n++];

    assert_true(w->n <= WORLD_CLUSTERS_MAX);
    memset(c, 0, sizeof *c);
    snprintf(c->name, sizeof c->name, "%s", name);
    snprintf(c->labels, sizeof c->labels, "%s", labels);
    c->member = true;
    c->in = true;
    world_tell(w, c);
    world_reach(w, c);
    c->answer = answer_of(w, c);
    c->has = '-';
    c->sent = c->answer;
    return c;
}

void world_gone(struct rollout_world *w, struct world_cluster *c)
{
    world_rise(w);
    c->member = false;
    hub_rollout_cluster_gone(w->r, fed_span_text(c->name));
}

/* ---- the store ---- */

static void store_row(struct rollout_world *w, struct world_cluster *c)
{
    struct fed_buf row;

    fed_buf_init(&row, fed_alloc_system(), HUB_ROLLOUT_ROW_MAX);
    assert_int_equal(hub_rollout_row(w->r, fed_span_text(c->name), &row), FED_OK);
    assert_true(row.len <= sizeof c->row);
    memcpy(c->row, row.at, row.len);
    c->row_len = row.len;
    c->stored = true;
    check(w, !w->quiet, "made again it writes a row");
    w->writes++;
    fed_buf_fini(&row);
}

/* Names are c0, c1 ... where there are many. */
static struct world_cluster *find_fast(struct rollout_world *w, struct fed_span name)
{
    char text[32];
    uint64_t index;

    if (!fed_span_to_u64(fed_span_sub(name, 1, name.len), &index) && index < w->n &&
        fed_span_is(name, w->at[index].name))
        return &w->at[index];
    assert_int_equal(fed_span_to_cstr(name, text, sizeof text), FED_OK);
    return world_find(w, text);
}

static void on_change(void *ctx, const struct hub_rollout_change *change)
{
    struct rollout_world *w = ctx;
    struct world_cluster *c = find_fast(w, change->cluster);

    check(w, !change->row || !change->row_gone, "a row is written and deleted");
    if (change->answer) {
        char answer = answer_of(w, c);
        unsigned tries = hub_rollout_tries(w->r, change->cluster);

        if (answer != c->answer ||
            tries != c->tries) { /* the plan sends it: nothing is known of the new copy */
            c->copy = HUB_ROLLOUT_COPY_UNKNOWN;
            c->health = HUB_ROLLOUT_HEALTH_UNKNOWN;
            c->answer = answer;
            c->tries = tries;
            c->has = answer;
            c->sent = c->held ? c->sent : answer;
            c->kept = c->sent != answer;
        }
    }
    if (change->row)
        store_row(w, c);
    if (change->row_gone)
        c->stored = false;
}

static void store(struct rollout_world *w)
{
    size_t before = w->writes;

    hub_rollout_each_changed(w->r, on_change, w);
    if (w->writes - before > w->most)
        w->most = w->writes - before;
    if (hub_rollout_record_changed(w->r)) {
        fed_buf_clear(&w->record);
        hub_rollout_record(w->r, &w->record);
        check(w, fed_buf_span(&w->record).len <= HUB_ROLLOUT_RECORD_MAX, "the record is too long");
    }
    hub_rollout_kept(w->r);
    for (size_t i = 0; i < w->n; i++) {
        if (!w->at[i].member)
            w->at[i].stored = false;
        else if (answer_of(w, &w->at[i]) != w->at[i].answer ||
                 hub_rollout_tries(w->r, fed_span_text(w->at[i].name)) != w->at[i].tries)
            fail_msg(
                "%s: the answer of %s changed in silence", w->where ? w->where : "", w->at[i].name);
    }
}

/* ---- rest ---- */

static void recall(struct rollout_world *w)
{
    for (size_t i = 0; i < w->n; i++)
        if (w->at[i].stored)
            assert_int_equal(hub_rollout_recall(w->r, fed_span_text(w->at[i].name),
                                 fed_span_of(w->at[i].row, w->at[i].row_len)),
                FED_OK);
}

static void tell_all(struct rollout_world *w)
{
    world_retell(w);
    for (size_t i = 0; i < w->n; i++) {
        if (!w->at[i].member)
            continue;
        world_reach(w, &w->at[i]);
        world_hold(w, &w->at[i]);
        world_note(w, &w->at[i]);
    }
}

void world_rise(struct rollout_world *w)
{
    if (!hub_rollout_rests(w->r))
        return;
    recall(w);
    assert_int_equal(hub_rollout_rise(w->r, w->now), FED_OK);
    check(w, !hub_rollout_rests(w->r), "it still rests");
    tell_all(w);
}

enum fed_err world_view(
    struct rollout_world *w, const char *cluster, struct hub_rollout_cluster_view *out)
{
    const struct world_cluster *c = find_fast(w, fed_span_text(cluster));

    if (!hub_rollout_rests(w->r))
        return hub_rollout_cluster_view(w->r, fed_span_text(cluster), out);
    if (!c->member)
        return FED_ERR_NOT_FOUND;
    *out = (struct hub_rollout_cluster_view){
        .state = HUB_ROLLOUT_HEALTHY, .wave = c->wave, .version = hub_rollout_to(w->r)};
    return FED_OK;
}

/* What it says without its clusters. */
static void put_all(struct rollout_world *w, struct fed_buf *out)
{
    struct hub_rollout_condition list[HUB_ROLLOUT_CONDITIONS_MAX];
    size_t n = hub_rollout_conditions(w->r, list);
    struct hub_rollout_view view;
    struct fed_diag diag;

    hub_rollout_view(w->r, &view);
    fed_buf_put(out, fed_span_of(&view.counts, sizeof view.counts));
    fed_buf_printf(out, "%d %zu %zu %s\n", view.phase, view.wave, view.n_waves, view.next.what);
    for (size_t i = 0; i < view.n_waves; i++) {
        struct hub_rollout_wave_view wave;

        hub_rollout_wave_view(w->r, i, &wave);
        fed_buf_put(out, fed_span_of(&wave.counts, sizeof wave.counts));
        fed_buf_printf(out, "%d %zu\n", wave.phase, wave.concurrency);
    }
    for (size_t i = 0; i < n; i++)
        fed_buf_printf(out, "%s %s %s\n", list[i].type, list[i].reason, list[i].message);
    for (int action = HUB_ROLLOUT_PAUSE; action <= HUB_ROLLOUT_UNDO; action++) {
        diag = (struct fed_diag){""};
        fed_buf_printf(out, "%d %s\n",
            hub_rollout_may(w->r, (enum hub_rollout_action)action, FED_SPAN_LIT(""), &diag),
            diag.text);
    }
    for (size_t i = 0; i <= w->n; i++) {
        struct world_cluster stranger = {.name = "stranger"};
        struct world_cluster *c = i < w->n ? &w->at[i] : &stranger;

        fed_buf_printf(
            out, "%c %u ", answer_of(w, c), hub_rollout_tries(w->r, fed_span_text(c->name)));
        hub_rollout_why(w->r, fed_span_text(c->name), out);
    }
    hub_rollout_record(w->r, out);
}

/* Where it may: then it answers as before, and has the same rows when it is made again. */
static void rest(struct rollout_world *w)
{
    struct fed_buf before;
    struct fed_buf after;
    uint8_t row[96];

    if (!world_rests || !hub_rollout_may_rest(w->r))
        return;
    fed_buf_init(&before, fed_alloc_system(), 64u << 20);
    fed_buf_init(&after, fed_alloc_system(), 64u << 20);
    put_all(w, &before);
    for (size_t i = 0; i < w->n; i++) {
        struct hub_rollout_cluster_view view;

        if (w->at[i].member && !world_view(w, w->at[i].name, &view))
            w->at[i].wave = view.wave;
    }
    assert_int_equal(hub_rollout_rest(w->r), FED_OK);
    put_all(w, &after);
    check(w, fed_span_eq(fed_buf_span(&before), fed_buf_span(&after)), "at rest it says another");
    recall(w);
    assert_int_equal(hub_rollout_rise(w->r, w->now), FED_OK);
    fed_buf_clear(&after);
    put_all(w, &after);
    check(
        w, fed_span_eq(fed_buf_span(&before), fed_buf_span(&after)), "made again it says another");
    for (size_t i = 0; i < w->n; i++) {
        struct world_cluster *c = &w->at[i];

        if (!c->member)
            continue;
        memcpy(row, c->row, sizeof row);
        store_row(w, c);
        w->writes--;
        check(w, memcmp(row, c->row, c->row_len) == 0, "made again it has another row");
    }
    tell_all(w);
    assert_int_equal(hub_rollout_step(w->r, w->now), FED_OK);
    check(w, !hub_rollout_record_changed(w->r), "made again it changes its record");
    w->quiet = true;
    store(w);
    w->quiet = false;
    assert_int_equal(hub_rollout_rest(w->r), FED_OK);
    w->rests++;
    fed_buf_fini(&before);
    fed_buf_fini(&after);
}

/* With all its parts, where it is cut. */
static void step_whole(struct rollout_world *w)
{
    bool cut;

    do {
        assert_int_equal(hub_rollout_step(w->r, w->now), FED_OK);
        cut = hub_rollout_is_cut(w->r);
        check(w, hub_rollout_due(w->r) == cut, "it is due after a step");
        store(w);
        if (cut && world_cut_restarts)
            world_restart(w);
    } while (cut);
    rest(w);
}

void world_step(struct rollout_world *w)
{
    step_whole(w);
    for (size_t i = 0; i < w->n; i++)
        if (w->at[i].member && w->at[i].held)
            world_hold(w, &w->at[i]);
    if (hub_rollout_due(w->r))
        step_whole(w);
}

/* As a hub does: when it says so, and not before. */
void world_wait(struct rollout_world *w, uint64_t ms)
{
    uint64_t end_ms = w->now.mono_ms + ms;

    while (w->now.mono_ms < end_ms) {
        uint64_t wake_ms = hub_rollout_wake_ms(w->r);
        uint64_t next = wake_ms < end_ms ? wake_ms : end_ms;

        if (next <= w->now.mono_ms)
            next = w->now.mono_ms + 1;
        w->now.unix_ms += (int64_t)(next - w->now.mono_ms);
        w->now.mono_ms = next;
        if (wake_ms <= next)
            world_step(w);
    }
    world_step(w);
}

void world_adopt(struct rollout_world *w, char version)
{
    struct fed_digest digest = world_digest(version);

    hub_rollout_adopt(w->r, &digest);
    for (size_t i = 0; i < w->n; i++)
        if (w->at[i].member && w->at[i].answer == '-')
            w->at[i].sent = w->at[i].has = w->at[i].answer = version;
    store(w);
}

void world_retell(struct rollout_world *w)
{
    for (size_t i = 0; i < w->n; i++)
        if (w->at[i].member)
            world_tell(w, &w->at[i]);
    hub_rollout_ready(w->r);
}

enum fed_err world_begin(struct rollout_world *w, char version)
{
    struct fed_digest digest = world_digest(version);
    enum fed_err err;

    world_rise(w);
    err = hub_rollout_begin(w->r, w->rules, &digest, w->now);
    if (err)
        return err;
    for (size_t i = 0; i < w->n; i++)
        w->at[i].stored = false;
    world_retell(w);
    for (size_t i = 0; i < w->n; i++)
        if (w->at[i].member)
            world_reach(w, &w->at[i]);
    world_step(w);
    return FED_OK;
}

void world_restart(struct rollout_world *w)
{
    struct hub_rollout_options o = options();
    struct hub_rollout_view view;
    enum fed_err err;

    hub_rollout_view(w->r, &view);
    hub_rollout_free(w->r);
    w->now.mono_ms += 777777; /* another machine's */
    err = hub_rollout_open(&o, view.phase == HUB_ROLLOUT_NONE ? NULL : w->rules,
        fed_buf_span(&w->record), w->now, &w->r);
    check(w, !err, "the record is not understood");
    recall(w);
    for (size_t i = 0; i < w->n; i++)
        if (w->at[i].member && !w->at[i].in)
            w->at[i].out_since_ms = w->now.unix_ms;
    tell_all(w);
    store(w);
}
