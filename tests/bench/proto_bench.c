/* proto_bench OBJECTS - how long frames take, alone: no network, no disk.
 *
 * OBJECTS holds one Kubernetes object as JSON per line; each becomes a work of one cluster.
 * Measured are the full frame of all of them and the frame of one image tag changed in the first
 * Deployment. Prints "NAME VALUE UNIT" lines; a time is the median of many rounds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/bundle/frame.h"

#define WORKS_MAX 1000u
#define FILE_MAX (16u << 20)
#define FULL_ROUNDS 31u
#define CHANGE_ROUNDS 301u
#define ARENA_MAX (64u << 20)
#define EPOCH 7u

static const char tag_before[] = ":t0\"";
static const char tag_after[] = ":t1\"";

struct blob {
    struct fed_digest digest;
    struct fed_span bytes;
};
struct bench {
    struct fed_buf text;    /* the file */
    struct fed_buf changed; /* the first Deployment with the other tag */
    struct blob blobs[WORKS_MAX + 1];
    size_t n_blobs;
    struct fed_work works[WORKS_MAX];
    struct fed_work works_after[WORKS_MAX];
    char names[WORKS_MAX][16];
    struct fed_manifest empty;
    struct fed_manifest before;
    struct fed_manifest after;
};

static void die(const char *what)
{
    fprintf(stderr, "proto_bench: %s\n", what);
    exit(1);
}

static void check(enum fed_err err, const char *what)
{
    if (err) {
        fprintf(stderr, "proto_bench: %s: %s\n", what, fed_err_text(err));
        exit(1);
    }
}

static double now_us(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec * 1e6 + (double)at.tv_nsec / 1e3;
}

static void read_file(const char *path, struct fed_buf *out)
{
    FILE *file = fopen(path, "rb");
    uint8_t part[65536];
    size_t n;

    if (!file)
        die("the file of objects cannot be opened");
    while ((n = fread(part, 1, sizeof part, file)) > 0)
        fed_buf_put(out, fed_span_of(part, n));
    fclose(file);
    check(fed_buf_err(out), path);
}

static enum fed_err look_up(void *ctx, const struct fed_digest *digest, struct fed_span *out)
{
    const struct bench *b = ctx;

    for (size_t i = 0; i < b->n_blobs; i++) {
        if (fed_digest_eq(&b->blobs[i].digest, digest)) {
            *out = b->blobs[i].bytes;
            return FED_OK;
        }
    }
    return FED_ERR_NOT_FOUND;
}

static const struct blob *add_blob(struct bench *b, struct fed_span bytes)
{
    struct blob *blob = &b->blobs[b->n_blobs++];

    blob->bytes = bytes;
    check(fed_digest_of(bytes, &blob->digest), "digest");
    return blob;
}

/* Position of text in bytes, or bytes.len. */
static size_t find_text(struct fed_span bytes, const char *text)
{
    size_t len = strlen(text);

    for (size_t i = 0; i + len <= bytes.len; i++) {
        if (memcmp(bytes.at + i, text, len) == 0)
            return i;
    }
    return bytes.len;
}

static void add_work(struct bench *b, struct fed_span object)
{
    size_t i = b->before.n_works++;

    if (i == WORKS_MAX)
        die("too many objects");
    snprintf(b->names[i], sizeof b->names[i], "object-%04zu", i);
    b->works[i] = (struct fed_work){.api_version = FED_SPAN_LIT("apps/v1"),
        .kind = FED_SPAN_LIT("Deployment"),
        .plural = FED_SPAN_LIT("deployments"),
        .ns = FED_SPAN_LIT("bench"),
        .name = fed_span_text(b->names[i]),
        .options = FED_WORK_NAMESPACED,
        .blob = add_blob(b, object)->digest};
}

/* The second manifest: as the first, with another image in the first object that has one. */
static void make_change(struct bench *b)
{
    memcpy(b->works_after, b->works, sizeof b->works);
    for (size_t i = 0; i < b->before.n_works; i++) {
        struct fed_span bytes = b->blobs[i].bytes;
        size_t at = find_text(bytes, tag_before);

        if (at == bytes.len)
            continue;
        fed_buf_put(&b->changed, fed_span_sub(bytes, 0, at));
        fed_buf_put_text(&b->changed, tag_after);
        fed_buf_put(&b->changed, fed_span_sub(bytes, at + strlen(tag_before), bytes.len));
        check(fed_buf_err(&b->changed), "the changed object");
        b->works_after[i].blob = add_blob(b, fed_buf_span(&b->changed))->digest;
        return;
    }
    die("no object has the image tag that is changed");
}

static void load(struct bench *b, const char *path)
{
    struct fed_span rest;
    struct fed_span line;

    fed_buf_init(&b->text, fed_alloc_system(), FILE_MAX);
    fed_buf_init(&b->changed, fed_alloc_system(), FILE_MAX);
    read_file(path, &b->text);
    rest = fed_buf_span(&b->text);
    b->before = (struct fed_manifest){.epoch = EPOCH, .revision = 1, .works = b->works};
    while (fed_span_split(&rest, '\n', &line))
        add_work(b, line);
    make_change(b);
    b->after = b->before;
    b->after.revision = 2;
    b->after.works = b->works_after;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

static void print_median(const char *name, double *times, size_t n)
{
    qsort(times, n, sizeof *times, by_value);
    printf("%s %.1f us\n", name, times[n / 2]);
}

static void encode(struct bench *b, const struct fed_manifest *base,
    const struct fed_manifest *target, struct fed_buf *out)
{
    fed_buf_clear(out);
    check(fed_frame_encode(fed_alloc_system(), base, target, look_up, b, NULL, out), "encoding");
}

static void decode(struct bench *b, const struct fed_manifest *base, struct fed_span bytes)
{
    struct fed_arena arena;
    struct fed_frame frame;
    struct fed_diag diag = {""};
    enum fed_err err;

    fed_arena_init(&arena, fed_alloc_system(), ARENA_MAX);
    err = fed_frame_decode(&arena, bytes, base, look_up, b, &frame, &diag);
    check(err, diag.text[0] ? diag.text : "decoding");
    if (frame.n_changed == 0)
        die("the decoded frame changes nothing");
    fed_arena_fini(&arena);
}

/* One frame, forth and back, rounds times. */
static void measure(struct bench *b, const char *name, const struct fed_manifest *base,
    const struct fed_manifest *target, size_t rounds)
{
    static double times[CHANGE_ROUNDS];
    char label[64];
    struct fed_buf frame;

    fed_buf_init(&frame, fed_alloc_system(), FED_FRAME_MAX);
    for (size_t i = 0; i < rounds; i++) {
        double before_us = now_us();

        encode(b, base, target, &frame);
        times[i] = now_us() - before_us;
    }
    snprintf(label, sizeof label, "proto_%s_encode", name);
    print_median(label, times, rounds);
    for (size_t i = 0; i < rounds; i++) {
        double before_us = now_us();

        decode(b, base, fed_buf_span(&frame));
        times[i] = now_us() - before_us;
    }
    snprintf(label, sizeof label, "proto_%s_decode", name);
    print_median(label, times, rounds);
    printf("proto_%s_frame %zu bytes\n", name, frame.len);
    fed_buf_fini(&frame);
}

int main(int argc, char **argv)
{
    static struct bench b;

    if (argc != 2) {
        fprintf(stderr, "usage: proto_bench OBJECTS\n");
        return 2;
    }
    load(&b, argv[1]);
    measure(&b, "full", &b.empty, &b.before, FULL_ROUNDS);
    measure(&b, "change", &b.before, &b.after, CHANGE_ROUNDS);
    fed_buf_fini(&b.text);
    fed_buf_fini(&b.changed);
    return 0;
}
