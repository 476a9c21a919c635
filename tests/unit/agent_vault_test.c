/* agent_vault_test.c - what cannot be had again: kept a second time, put into a new state file, and
 * damaged ones set aside. */
#include "agent/vault.h"
#include "tests/unit/ports_base_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
    char dir[TEST_PATH_MAX];
    char db[TEST_PATH_MAX];
    char kept[TEST_PATH_MAX];
    struct fed_fs fs;
    struct agent_vault vault;
    struct fed_sqlite_store *sqlite;
    struct agent_state state;
    struct agent_identity identity;
};

static void open_state(struct world *w)
{
    struct fed_sqlite_options options = {
        .application_id = AGENT_STATE_APPLICATION_ID, .new_epoch = 7, .cache_kib = 128};
    struct fed_diag diag = {""};

    fed_sqlite_store_close(w->sqlite);
    w->sqlite = NULL;
    if (fed_sqlite_store_open(fed_alloc_system(), w->db, &options, &w->sqlite, &diag))
        fail_msg("%s", diag.text);
    agent_state_init(&w->state, fed_alloc_system(), fed_sqlite_store_port(w->sqlite));
    w->state.vault = &w->vault;
}

/* The state file is gone, and a new one in its place. */
static void lose_state(struct world *w)
{
    fed_sqlite_store_close(w->sqlite);
    w->sqlite = NULL;
    assert_int_equal(unlink(w->db), 0);
    open_state(w);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    uint8_t mark[FED_LINK_MARK_SIZE] = {0, 0, 0, 5, 1, 2, 3, 4};

    test_dir_make(w->dir);
    test_dir_path(w->dir, "state.db", w->db);
    test_dir_path(w->dir, AGENT_VAULT_FILE, w->kept);
    w->fs = fed_fs_posix(fed_alloc_system());
    w->vault = (struct agent_vault){.fs = &w->fs, .path = w->kept};
    open_state(w);
    snprintf(w->identity.cluster, sizeof w->identity.cluster, "edge");
    snprintf(w->identity.hubs[0], sizeof w->identity.hubs[0], "coaps://hub.test:5684");
    w->identity.n_hubs = 1;
    snprintf(w->identity.ca, sizeof w->identity.ca, "the CA");
    snprintf(w->identity.certificate, sizeof w->identity.certificate, "the certificate");
    assert_int_equal(agent_state_set_identity(&w->state, &w->identity, NULL), FED_OK);
    assert_int_equal(agent_state_set_mark(&w->state, mark, 4294967296 + 17, NULL), FED_OK);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    fed_sqlite_store_close(w->sqlite);
    test_dir_remove(w->dir);
    free(w);
    return 0;
}

static void a_lost_state_begins_with_what_is_kept(void **state)
{
    struct world *w = *state;
    struct agent_identity identity;
    uint8_t mark[FED_LINK_MARK_SIZE];
    int64_t unix_s = 0;

    lose_state(w);
    assert_int_equal(agent_state_identity(&w->state, &identity, NULL), FED_ERR_NOT_FOUND);
    assert_int_equal(agent_vault_restore(&w->state, NULL), FED_OK);
    assert_int_equal(agent_state_identity(&w->state, &identity, NULL), FED_OK);
    assert_memory_equal(&identity, &w->identity, sizeof identity);
    assert_int_equal(agent_state_mark(&w->state, mark, NULL), FED_OK);
    assert_int_equal(mark[3], 5);
    assert_int_equal(agent_state_time(&w->state, &unix_s, NULL), FED_OK);
    assert_true(unix_s == 4294967296 + 17);
    /* What is there counts, not what was kept. */
    snprintf(w->identity.cluster, sizeof w->identity.cluster, "other");
    w->state.vault = NULL;
    assert_int_equal(agent_state_set_identity(&w->state, &w->identity, NULL), FED_OK);
    w->state.vault = &w->vault;
    assert_int_equal(agent_vault_restore(&w->state, NULL), FED_OK);
    assert_int_equal(agent_state_identity(&w->state, &identity, NULL), FED_OK);
    assert_string_equal(identity.cluster, "other");
}

static void nothing_kept_is_no_member(void **state)
{
    struct world *w = *state;

    lose_state(w);
    assert_int_equal(unlink(w->kept), 0);
    assert_int_equal(agent_vault_restore(&w->state, NULL), FED_ERR_NOT_FOUND);
}

static void a_flipped_bit_is_not_believed(void **state)
{
    struct world *w = *state;
    struct agent_identity identity;
    struct fed_diag diag = {""};
    size_t len;
    unsigned char *file = test_file_read(w->kept, &len);

    lose_state(w);
    for (size_t at = 0; at <= len; at++) {
        if (at < len)
            file[at] ^= (unsigned char)(1u << at % 8);
        test_file_write(w->kept, file, at < len ? len : len - 1); /* and one that is cut short */
        assert_int_equal(agent_vault_restore(&w->state, &diag), FED_ERR_CORRUPT);
        assert_int_equal(agent_state_identity(&w->state, &identity, NULL), FED_ERR_NOT_FOUND);
        if (at < len)
            file[at] ^= (unsigned char)(1u << at % 8);
    }
    assert_non_null(strstr(diag.text, "join again"));
    free(file);
}

static void what_is_there_already_is_not_written(void **state)
{
    struct world *w = *state;
    struct fed_buf before;
    struct fed_buf after;

    fed_buf_init(&before, fed_alloc_system(), FED_FS_NAME_MAX);
    fed_buf_init(&after, fed_alloc_system(), FED_FS_NAME_MAX);
    assert_int_equal(w->fs.name(w->fs.ctx, w->kept, &before, NULL), FED_OK);
    assert_int_equal(agent_vault_keep(&w->state, NULL), FED_OK);
    assert_int_equal(w->fs.name(w->fs.ctx, w->kept, &after, NULL), FED_OK);
    assert_true(fed_span_eq(fed_buf_span(&before), fed_buf_span(&after)));
    fed_buf_fini(&before);
    fed_buf_fini(&after);
}

static void assert_file(struct world *w, const char *name, const char *content)
{
    char path[TEST_PATH_MAX];
    unsigned char *file;
    size_t len;

    test_dir_path(w->dir, name, path);
    if (!content) {
        assert_int_not_equal(access(path, F_OK), 0);
        return;
    }
    file = test_file_read(path, &len);
    assert_int_equal(len, strlen(content));
    assert_memory_equal(file, content, len);
    free(file);
}

static void two_are_set_aside(void **state)
{
    struct world *w = *state;
    char beside[TEST_PATH_MAX];

    fed_sqlite_store_close(w->sqlite);
    w->sqlite = NULL;
    test_file_write(w->db, "first", 5);
    test_dir_path(w->dir, "state.db-wal", beside);
    test_file_write(beside, "its log", 7);
    test_dir_path(w->dir, "state.db-shm", beside);
    test_file_write(beside, "x", 1);
    assert_int_equal(agent_vault_set_aside(&w->fs, w->db, NULL), FED_OK);
    assert_file(w, "state.db", NULL);
    assert_file(w, "state.db-wal", NULL);
    assert_file(w, "state.db-shm", NULL);
    assert_file(w, "state.db.damaged-1", "first");
    assert_file(w, "state.db.damaged-1-wal", "its log");
    test_file_write(w->db, "second", 6);
    assert_int_equal(agent_vault_set_aside(&w->fs, w->db, NULL), FED_OK);
    test_file_write(w->db, "third", 5);
    assert_int_equal(agent_vault_set_aside(&w->fs, w->db, NULL), FED_OK);
    assert_file(w, "state.db.damaged-1", "third");
    assert_file(w, "state.db.damaged-2", "second");
    assert_file(w, "state.db.damaged-2-wal", NULL);
    assert_file(w, "state.db.damaged-3", NULL);
    open_state(w);
    assert_int_equal(agent_vault_restore(&w->state, NULL), FED_OK);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_lost_state_begins_with_what_is_kept),
        TEST(nothing_kept_is_no_member),
        TEST(a_flipped_bit_is_not_believed),
        TEST(what_is_there_already_is_not_written),
        TEST(two_are_set_aside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
