/* table.c - sessions by address and by connection ID. */
#include "ports/dtls/internal.h"

#include <string.h>

#define BUCKETS_FIRST 64u

static size_t bucket_of_address(const struct dtls_table *table, const struct dtls_address *address)
{
    return (size_t)dtls_address_hash(address, table->seed) & (table->buckets - 1);
}

/* The IDs are random and our own: their bytes are the hash. */
static size_t bucket_of_cid(const struct dtls_table *table, const uint8_t cid[DTLS_CID_SIZE])
{
    uint64_t hash;

    memcpy(&hash, cid, sizeof(hash));
    return (size_t)hash & (table->buckets - 1);
}

static void link_address(struct dtls_table *table, struct fed_dtls_session *session)
{
    struct fed_dtls_session **head =
        &table->by_address[bucket_of_address(table, &session->address)];

    session->next_by_address = *head;
    *head = session;
}

static void link_cid(struct dtls_table *table, struct fed_dtls_session *session)
{
    struct fed_dtls_session **head = &table->by_cid[bucket_of_cid(table, session->cid)];

    session->next_by_cid = *head;
    *head = session;
}

static void unlink_address(struct dtls_table *table, struct fed_dtls_session *session)
{
    struct fed_dtls_session **at = &table->by_address[bucket_of_address(table, &session->address)];

    while (*at && *at != session)
        at = &(*at)->next_by_address;
    if (*at)
        *at = session->next_by_address;
    session->next_by_address = NULL;
}

enum fed_err dtls_table_init(struct dtls_table *table, struct fed_alloc *mem)
{
    struct dtls_table t = {.buckets = BUCKETS_FIRST};

    if (fed_mbed_random(NULL, (unsigned char *)&t.seed, sizeof(t.seed)) != 0)
        return FED_ERR_INTERNAL;
    t.by_address = fed_alloc_zero(mem, BUCKETS_FIRST * sizeof(struct fed_dtls_session *));
    t.by_cid = fed_alloc_zero(mem, BUCKETS_FIRST * sizeof(struct fed_dtls_session *));
    *table = t;
    return t.by_address && t.by_cid ? FED_OK : FED_ERR_NOMEM;
}

void dtls_table_fini(struct dtls_table *table, struct fed_alloc *mem)
{
    fed_alloc_free(mem, table->by_address, table->buckets * sizeof(struct fed_dtls_session *));
    fed_alloc_free(mem, table->by_cid, table->buckets * sizeof(struct fed_dtls_session *));
    *table = (struct dtls_table){0};
}

/* Twice the buckets; without memory for them the chains just get longer. */
static void grow(struct dtls_table *table, struct fed_alloc *mem)
{
    struct dtls_table bigger = {
        .buckets = table->buckets * 2, .count = table->count, .seed = table->seed};

    bigger.by_address = fed_alloc_zero(mem, bigger.buckets * sizeof(struct fed_dtls_session *));
    bigger.by_cid = fed_alloc_zero(mem, bigger.buckets * sizeof(struct fed_dtls_session *));
    if (!bigger.by_address || !bigger.by_cid) {
        dtls_table_fini(&bigger, mem);
        return;
    }
    for (size_t i = 0; i < table->buckets; i++) {
        struct fed_dtls_session *next;

        for (struct fed_dtls_session *s = table->by_cid[i]; s; s = next) {
            next = s->next_by_cid;
            link_cid(&bigger, s);
            link_address(&bigger, s);
        }
    }
    dtls_table_fini(table, mem);
    *table = bigger;
}

void dtls_table_add(
    struct dtls_table *table, struct fed_alloc *mem, struct fed_dtls_session *session)
{
    if (table->count >= table->buckets)
        grow(table, mem);
    link_address(table, session);
    link_cid(table, session);
    table->count++;
}

void dtls_table_remove(struct dtls_table *table, struct fed_dtls_session *session)
{
    struct fed_dtls_session **at = &table->by_cid[bucket_of_cid(table, session->cid)];

    while (*at && *at != session)
        at = &(*at)->next_by_cid;
    if (!*at)
        return;
    *at = session->next_by_cid;
    session->next_by_cid = NULL;
    unlink_address(table, session);
    table->count--;
}

void dtls_table_move(
    struct dtls_table *table, struct fed_dtls_session *session, const struct dtls_address *address)
{
    unlink_address(table, session);
    session->address = *address;
    link_address(table, session);
}

struct fed_dtls_session *dtls_table_by_address(
    const struct dtls_table *table, const struct dtls_address *address, enum dtls_state state)
{
    struct fed_dtls_session *s = table->by_address[bucket_of_address(table, address)];

    while (s && !(s->state == state && dtls_address_eq(&s->address, address)))
        s = s->next_by_address;
    return s;
}

struct fed_dtls_session *dtls_table_without_cid(
    const struct dtls_table *table, const struct dtls_address *address)
{
    struct fed_dtls_session *s = table->by_address[bucket_of_address(table, address)];

    while (s && !(s->state == DTLS_OPEN && !s->with_cid && dtls_address_eq(&s->address, address)))
        s = s->next_by_address;
    return s;
}

struct fed_dtls_session *dtls_table_by_cid(
    const struct dtls_table *table, const uint8_t cid[DTLS_CID_SIZE])
{
    struct fed_dtls_session *s = table->by_cid[bucket_of_cid(table, cid)];

    while (s && memcmp(s->cid, cid, DTLS_CID_SIZE) != 0)
        s = s->next_by_cid;
    return s;
}

struct fed_dtls_session *dtls_table_any(const struct dtls_table *table)
{
    for (size_t i = 0; i < table->buckets; i++) {
        if (table->by_cid[i])
            return table->by_cid[i];
    }
    return NULL;
}
