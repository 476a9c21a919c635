/* hub_console_test.c - what of the console needs no HTTP: secrets that were given out, guesses,
 * what is read of requests and queries, names of what was touched. */
#include "hub/console/asked.h"
#include "hub/console/keep.h"
#include "hub/console/query.h"
#include "hub/console/touched.h"
#include "hub/console/tries.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- a clock and randomness that the test moves ---- */

static uint64_t clock_ms;
static int64_t wall_s;
static uint8_t random_byte;
static uint64_t ended[64];
static size_t n_ended;

static uint64_t fake_now(void *ctx)
{
    (void)ctx;
    return clock_ms;
}

static int64_t fake_unix(void *ctx)
{
    (void)ctx;
    return wall_s * 1000000;
}

static enum fed_err fake_random(void *ctx, uint8_t *out, size_t len)
{
    (void)ctx;
    memset(out, ++random_byte, len);
    return FED_OK;
}

static void on_ended(void *ctx, uint64_t id)
{
    (void)ctx;
    if (n_ended < 64)
        ended[n_ended++] = id;
}

static struct fed_loop loop = {.now_ms = fake_now, .unix_us = fake_unix};
static struct fed_crypto crypto = {.random = fake_random};

static struct console_keep keep_of(size_t max, size_t user_max, uint64_t idle_ms)
{
    struct console_keep keep = {.mem = fed_alloc_system(),
        .loop = &loop,
        .crypto = &crypto,
        .idle_ms = idle_ms,
        .max = max,
        .user_max = user_max,
        .ended = on_ended};

    clock_ms = 1000;
    wall_s = 1800000000;
    n_ended = 0;
    console_keep_init(&keep);
    return keep;
}

static struct console_grant grant_of(const char *name)
{
    struct console_grant grant = {.until_unix_s = 0};

    assert_int_equal(hub_user_set_name(&grant.user, fed_span_text(name)), FED_OK);
    return grant;
}

static struct console_kept *add(
    struct console_keep *keep, const char *name, char secret[CONSOLE_SECRET_SIZE])
{
    struct console_grant grant = grant_of(name);
    struct console_kept *kept = NULL;

    assert_int_equal(console_keep_add(keep, &grant, 60000, secret, &kept), FED_OK);
    return kept;
}

static struct console_kept *use(struct console_keep *keep, const char *secret)
{
    return console_keep_use(keep, fed_span_text(secret));
}

/* ---- what is kept ---- */

static void test_secret_is_found_and_nothing_else(void **state)
{
    struct console_keep keep = keep_of(8, 8, 0);
    char secret[CONSOLE_SECRET_SIZE];
    char other[CONSOLE_SECRET_SIZE];
    struct console_kept *kept = add(&keep, "ann", secret);

    (void)state;
    assert_int_equal(strlen(secret), CONSOLE_SECRET_SIZE - 1);
    assert_ptr_equal(use(&keep, secret), kept);
    assert_string_equal(kept->grant.user.name, "ann");
    memcpy(other, secret, sizeof other);
    other[0] = other[0] == 'A' ? 'B' : 'A';
    assert_null(use(&keep, other));
    assert_null(use(&keep, ""));
    assert_null(use(&keep, "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"));
    /* The secret is not among what is kept. */
    assert_null(memmem(kept, sizeof *kept, secret, CONSOLE_SECRET_SIZE - 1));
    console_keep_drop(&keep, kept);
    assert_null(use(&keep, secret));
    assert_int_equal(n_ended, 1);
    console_keep_fini(&keep);
}

static void test_life_and_idleness_end_it(void **state)
{
    struct console_keep keep = keep_of(8, 8, 10000);
    char secret[CONSOLE_SECRET_SIZE];
    uint64_t id = add(&keep, "ann", secret)->id;

    (void)state;
    for (int i = 0; i < 6; i++) { /* used, it lives for 60 s */
        clock_ms += 9999;
        assert_non_null(use(&keep, secret));
    }
    clock_ms = 61000;
    assert_null(use(&keep, secret));
    assert_int_equal(n_ended, 1);
    assert_int_equal(ended[0], id);
    add(&keep, "ann", secret);
    clock_ms += 10000; /* unused, for 10 s */
    console_keep_sweep(&keep);
    assert_int_equal(n_ended, 2);
    assert_null(use(&keep, secret));
    console_keep_fini(&keep);
}

static void test_it_ends_with_what_it_rests_on(void **state)
{
    struct console_keep keep = keep_of(8, 8, 0);
    struct console_grant grant = grant_of("ann");
    char secret[CONSOLE_SECRET_SIZE];
    struct console_kept *kept;

    (void)state;
    grant.until_unix_s = wall_s;
    assert_int_equal(console_keep_add(&keep, &grant, 60000, secret, &kept), FED_ERR_FORBIDDEN);
    grant.until_unix_s = wall_s + 5;
    assert_int_equal(console_keep_add(&keep, &grant, 60000, secret, &kept), FED_OK);
    assert_int_equal(console_kept_until(&keep, kept), wall_s + 5);
    wall_s += 4;
    assert_non_null(use(&keep, secret));
    wall_s += 1;
    assert_null(use(&keep, secret));
    console_keep_fini(&keep);
}

static void test_the_oldest_gives_way(void **state)
{
    struct console_keep keep = keep_of(4, 2, 0);
    char secrets[6][CONSOLE_SECRET_SIZE];

    (void)state;
    add(&keep, "ann", secrets[0]);
    clock_ms++;
    add(&keep, "ann", secrets[1]);
    clock_ms++;
    assert_non_null(use(&keep, secrets[0])); /* used later than the other */
    clock_ms++;
    add(&keep, "ann", secrets[2]);
    assert_null(use(&keep, secrets[1]));
    clock_ms++;
    add(&keep, "bob", secrets[3]);
    clock_ms++;
    add(&keep, "cid", secrets[4]);
    clock_ms++;
    add(&keep, "dan", secrets[5]); /* of all: ann's first */
    assert_int_equal(keep.kept.count, 4);
    assert_null(use(&keep, secrets[0]));
    assert_non_null(use(&keep, secrets[5]));
    console_keep_drop_user(&keep, "bob");
    assert_null(use(&keep, secrets[3]));
    assert_non_null(use(&keep, secrets[4]));
    console_keep_fini(&keep);
}

static void test_the_token_is_a_copy(void **state)
{
    struct console_keep keep = keep_of(4, 4, 0);
    struct console_grant grant = grant_of("ann");
    char token[] = "abc.def.ghi";
    char secret[CONSOLE_SECRET_SIZE];
    struct console_kept *kept;

    (void)state;
    grant.token = fed_span_text(token);
    assert_int_equal(console_keep_add(&keep, &grant, 60000, secret, &kept), FED_OK);
    memset(token, 'x', sizeof token - 1);
    assert_true(fed_span_is(kept->grant.token, "abc.def.ghi"));
    console_keep_fini(&keep);
}

/* ---- memory that is refused ---- */

static long gives; /* so many times more; below 0: always */
static size_t in_use;

static void *refusing(void *ctx, void *old, size_t old_size, size_t new_size)
{
    struct fed_alloc *system = ctx;
    void *at;

    if (new_size > 0 && gives == 0)
        return NULL;
    gives -= gives > 0 && new_size > 0;
    at = system->resize(system->ctx, old, old_size, new_size);
    if (new_size == 0 || at)
        in_use += new_size - old_size;
    return at;
}

static void test_memory_is_refused(void **state)
{
    struct fed_alloc mem = {.ctx = fed_alloc_system(), .resize = refusing};
    struct console_keep keep = keep_of(8, 8, 0);
    struct console_grant grant = grant_of("ann");
    struct console_kept *kept = NULL;
    enum fed_err err = FED_ERR_NOMEM;
    char secret[CONSOLE_SECRET_SIZE];

    (void)state;
    in_use = 0;
    gives = -1;
    keep.mem = &mem;
    console_keep_init(&keep);
    grant.token = FED_SPAN_LIT("a.b.c");
    for (long n = 0; err == FED_ERR_NOMEM && n < 50; n++) {
        gives = n;
        err = console_keep_add(&keep, &grant, 60000, secret, &kept);
        if (err)
            assert_int_equal(keep.kept.count, 0);
    }
    assert_int_equal(err, FED_OK);
    gives = 0;
    assert_null(use(&keep, secret)); /* it cannot be looked up: nobody is signed in */
    gives = -1;
    assert_ptr_equal(use(&keep, secret), kept);
    console_keep_fini(&keep);
    assert_int_equal(in_use, 0);
}

static void test_touched_without_memory(void **state)
{
    static struct console_touched touched;
    struct fed_alloc mem = {.ctx = fed_alloc_system(), .resize = refusing};
    struct hub_object_ref ref = {FED_SPAN_LIT("r.g"), FED_SPAN_LIT("ns"), FED_SPAN_LIT("one")};

    (void)state;
    in_use = 0;
    console_touched_init(&touched, &mem);
    for (long n = 0; n < 6; n++) { /* what is not named is "anything" */
        gives = n;
        console_touched_add(&touched, &ref);
        assert_true(touched.overflow || touched.groups[0].all || touched.groups[0].n == 1);
        if (touched.n > 0)
            (void)console_touched_event(&touched, &touched.groups[0]);
        gives = -1;
        console_touched_clear(&touched);
    }
    assert_int_equal(in_use, 0);
}

/* ---- guesses ---- */

static void test_guesses(void **state)
{
    static struct console_tries tries;
    struct fed_span one = FED_SPAN_LIT("192.0.2.1:5000");
    struct fed_span six = FED_SPAN_LIT("[2001:db8::1]:5000");
    char address[32];

    (void)state;
    for (unsigned i = 0; i < CONSOLE_TRIES_MAX; i++) {
        assert_int_equal(console_tries_wait_s(&tries, one, 1000), 0);
        console_tries_wrong(&tries, one, 1000 + i);
    }
    assert_int_equal(console_tries_wait_s(&tries, one, 2000), 59);
    assert_int_equal(console_tries_wait_s(&tries, FED_SPAN_LIT("192.0.2.1:6000"), 2000), 59);
    assert_int_equal(console_tries_wait_s(&tries, FED_SPAN_LIT("192.0.2.10:5000"), 2000), 0);
    assert_int_equal(console_tries_wait_s(&tries, six, 2000), 0);
    assert_int_equal(console_tries_wait_s(&tries, one, 61000), 0);
    console_tries_wrong(&tries, one, 61000); /* a new minute */
    assert_int_equal(console_tries_wait_s(&tries, one, 61000), 0);
    for (unsigned i = 0; i < 2 * CONSOLE_TRIES_ADDRESSES; i++) { /* no room is without end */
        snprintf(address, sizeof address, "10.0.%u.%u:1", i / 256, i % 256);
        console_tries_wrong(&tries, fed_span_text(address), 62000 + i);
    }
    assert_int_equal(console_tries_wait_s(&tries, fed_span_text(address), 63000), 0);
}

/* ---- what is read of a request ---- */

static struct fed_http_request with(const struct fed_http_header *headers, size_t n)
{
    return (struct fed_http_request){.headers = headers, .n_headers = n};
}

static void test_cookies(void **state)
{
    static const struct {
        const char *header;
        const char *value;
    } cases[] = {{"__Host-fedhub=abc", "abc"}, {"a=b; __Host-fedhub=abc; c=d", "abc"},
        {"a=b;__Host-fedhub=abc", "abc"}, {"__Host-fedhubx=no; __Host-fedhub=yes", "yes"},
        {"x__Host-fedhub=no", ""}, {"__Host-fedhub", ""}, {"__Host-fedhub=", ""},
        {"__host-fedhub=no", ""}, {"__Host-fedhub=one; __Host-fedhub=two", "one"}, {"", ""},
        {";;;=;", ""}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fed_http_header headers[2] = {{FED_SPAN_LIT("x"), FED_SPAN_LIT("__Host-fedhub=no")},
            {FED_SPAN_LIT("cookie"), fed_span_text(cases[i].header)}};
        struct fed_http_request http = with(headers, 2);

        if (!fed_span_is(console_cookie(&http, CONSOLE_COOKIE), cases[i].value))
            fail_msg("%s", cases[i].header);
    }
}

static void test_lists_of_headers(void **state)
{
    (void)state;
    assert_true(console_takes_gzip(FED_SPAN_LIT("gzip, deflate, br")));
    assert_true(console_takes_gzip(FED_SPAN_LIT("br;q=1.0, gzip;q=0.8")));
    assert_true(console_takes_gzip(FED_SPAN_LIT("*")));
    assert_false(console_takes_gzip(FED_SPAN_LIT("")));
    assert_false(console_takes_gzip(FED_SPAN_LIT("identity")));
    assert_false(console_takes_gzip(FED_SPAN_LIT("gzip;q=0, *")));
    assert_false(console_takes_gzip(FED_SPAN_LIT("gzip; q=0.000")));
    assert_true(console_takes_gzip(FED_SPAN_LIT("gzip; q=0.001")));
    assert_true(console_wants_page(FED_SPAN_LIT("text/html,application/xml;q=0.9,*/*;q=0.8")));
    assert_false(console_wants_page(FED_SPAN_LIT("*/*")));
    assert_false(console_wants_page(FED_SPAN_LIT("text/event-stream")));
    assert_true(console_etag_matches(FED_SPAN_LIT("W/\"7\""), FED_SPAN_LIT("W/\"7\"")));
    assert_true(console_etag_matches(FED_SPAN_LIT("\"3\", \"7\""), FED_SPAN_LIT("W/\"7\"")));
    assert_true(console_etag_matches(FED_SPAN_LIT("*"), FED_SPAN_LIT("\"7\"")));
    assert_false(console_etag_matches(FED_SPAN_LIT("W/\"70\""), FED_SPAN_LIT("W/\"7\"")));
    assert_false(console_etag_matches(FED_SPAN_LIT(""), FED_SPAN_LIT("W/\"7\"")));
    assert_true(fed_span_is(console_query(FED_SPAN_LIT("a=1&q=x%20y&q=2"), "q"), "x%20y"));
    assert_int_equal(console_query(FED_SPAN_LIT("aq=1&q"), "q").len, 0);
}

/* ---- queries ---- */

static struct console_words words_of(const char *text)
{
    struct console_words words;
    struct fed_diag diag = {""};

    if (console_query_read(fed_alloc_system(), fed_span_text(text), &words, &diag))
        fail_msg("%s: %s", text, diag.text);
    return words;
}

static void test_queries_match(void **state)
{
    static char labels[] = "region\0north\0tier\0web";
    struct console_fleet_cluster cluster = {.name = (char *)(uintptr_t) "Shop-17-berlin",
        .labels = labels,
        .labels_len = sizeof labels,
        .glance = {.connectivity = HUB_OFFLINE, .delivery = HUB_DRIFTED}};
    static const struct {
        const char *query;
        bool matches;
    } cases[] = {{"", true}, {"shop", true}, {"BERLIN 17", true}, {"berlin 18", false},
        {"shop-*", true}, {"*-berlin", true}, {"*17*", true}, {"hop-*", false}, {"*", true},
        {"s*1*n", true}, {"s*1*x", false}, {"***********n", true}, {"region=north", true},
        {"region=north tier=web", true}, {"region=north tier!=web", false}, {"!zone", true},
        {"zone", false}, {"region in (north, south)", true}, {"region notin (north)", false},
        {"state:offline", true}, {"state:online", false}, {"state:online state:offline", true},
        {"state:offline state:drifted", true}, {"state:offline state:failed", false},
        {"state:offline region=north shop-*", true}, {"  shop   17  ", true}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct console_words words = words_of(cases[i].query);

        if (console_query_has_cluster(&words, &cluster) != cases[i].matches)
            fail_msg("\"%s\"", cases[i].query);
        console_query_fini(&words);
    }
}

static void test_queries_of_objects(void **state)
{
    struct hub_object_ref ref = {FED_SPAN_LIT("federateddeployments.types.kubefed.io"),
        FED_SPAN_LIT("shop"), FED_SPAN_LIT("web")};
    static const struct {
        const char *query;
        bool matches;
    } cases[] = {{"web", true}, {"ns:shop", true}, {"ns:sh*", true}, {"ns:other", false},
        {"kind:deployments", true}, {"kind:deployment", true}, {"kind:federateddeployments", true},
        {"kind:services", false}, {"ns:shop kind:deploy* w*", true}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct console_words words = words_of(cases[i].query);

        if (console_query_has_object(&words, &ref) != cases[i].matches)
            fail_msg("\"%s\"", cases[i].query);
        console_query_fini(&words);
    }
}

static void test_queries_that_are_none(void **state)
{
    static const char *const bad[] = {
        "state:red", "who:me", ":", "a=b=c", "region in (", "a=/", "1 2 3 4 5 6 7 8 9"};
    char longer[CONSOLE_QUERY_MAX + 2];

    (void)state;
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    for (size_t i = 0; i <= sizeof bad / sizeof *bad; i++) {
        const char *text = i < sizeof bad / sizeof *bad ? bad[i] : longer;
        struct console_words words;
        struct fed_diag diag = {""};
        enum fed_err err =
            console_query_read(fed_alloc_system(), fed_span_text(text), &words, &diag);

        if ((err != FED_ERR_INVALID && err != FED_ERR_LIMIT) || !diag.text[0])
            fail_msg("\"%s\": %s", text, fed_err_text(err));
        console_query_fini(&words);
    }
}

/* ---- what was touched ---- */

static void touch(
    struct console_touched *touched, const char *resource, const char *ns, const char *name)
{
    struct hub_object_ref ref = {fed_span_text(resource), fed_span_text(ns), fed_span_text(name)};

    console_touched_add(touched, &ref);
}

static void test_touched(void **state)
{
    static struct console_touched touched;
    char name[32];

    (void)state;
    console_touched_init(&touched, fed_alloc_system());
    touch(&touched, "r.g", "ns", "one");
    touch(&touched, "r.g", "ns", "one");
    touch(&touched, "r.g", "ns", "two");
    touch(&touched, "r.g", "other", "one");
    touch(&touched, "s.g", "", "all");
    assert_int_equal(touched.n, 3);
    assert_int_equal(touched.groups[0].n, 2);
    for (unsigned i = 0; i < 2 * CONSOLE_TOUCHED_NAMES; i++) {
        snprintf(name, sizeof name, "n%u", i);
        touch(&touched, "r.g", "ns", name);
    }
    assert_true(touched.groups[0].all);
    assert_true(touched.groups[0].n <= CONSOLE_TOUCHED_NAMES + 1);
    assert_non_null(console_touched_event(&touched, &touched.groups[0]));
    assert_ptr_equal(console_touched_event(&touched, &touched.groups[0]), touched.groups[0].event);
    for (unsigned i = 0; i < 2 * CONSOLE_TOUCHED_GROUPS; i++) {
        snprintf(name, sizeof name, "ns%u", i);
        touch(&touched, "r.g", name, "x");
    }
    assert_int_equal(touched.n, CONSOLE_TOUCHED_GROUPS);
    assert_true(touched.overflow);
    console_touched_clear(&touched);
    assert_int_equal(touched.n, 0);
    assert_false(touched.overflow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_secret_is_found_and_nothing_else),
        cmocka_unit_test(test_life_and_idleness_end_it),
        cmocka_unit_test(test_it_ends_with_what_it_rests_on),
        cmocka_unit_test(test_the_oldest_gives_way),
        cmocka_unit_test(test_the_token_is_a_copy),
        cmocka_unit_test(test_memory_is_refused),
        cmocka_unit_test(test_touched_without_memory),
        cmocka_unit_test(test_guesses),
        cmocka_unit_test(test_cookies),
        cmocka_unit_test(test_lists_of_headers),
        cmocka_unit_test(test_queries_match),
        cmocka_unit_test(test_queries_of_objects),
        cmocka_unit_test(test_queries_that_are_none),
        cmocka_unit_test(test_touched),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
