/* label_index.c - which objects of a resource may have a label, without reading them all.
 *
 * Lists by label are what informers with a selector begin with. The first one of a resource reads
 * every object and keeps a digest of its labels, some hundred bytes each; changes keep it right;
 * what nobody has asked for within a while is forgotten. The digests only narrow down: whoever asks
 * reads the candidates and looks at their labels. */
#include "hub/api/internal.h"
#include "proto/base/map.h"
#include "proto/object/json_text.h"

#include <stdlib.h>
#include <string.h>

#define OBJECTS_MAX 200000u /* in all; of more nothing is kept */
#define UNUSED_MS 600000u
#define PAIRS_MAX 64u /* an object with more labels is a candidate for everything */
#define ANY UINT64_MAX

struct item {
    size_t row;
    size_t n_pairs;
    struct fed_span key; /* namespace NUL name, behind the pairs */
    uint32_t pairs[];    /* a digest of each label and its value */
};

/* Two bits of each pair, so that a look at one word leaves out nearly all. */
struct row {
    uint64_t bits;
    struct item *item;
};

struct indexed { /* a resource */
    struct indexed *next;
    struct fed_map items;
    struct row *rows;
    size_t n;
    size_t cap;
    uint64_t used_ms;
    char resource[320];
};

struct hub_label_index {
    struct hub_api *api;
    struct fed_alloc *mem;
    struct hub_subscription *subscription;
    struct indexed *list;
    size_t n_objects;
};

/* ---- digests ---- */
static uint32_t digest_more(uint32_t digest, struct fed_span text)
{
    for (size_t i = 0; i < text.len; i++)
        digest = (digest ^ text.at[i]) * 16777619u; /* FNV-1a */
    return digest;
}

static uint32_t digest_of(struct fed_span key, struct fed_span value)
{
    uint32_t digest = digest_more(2166136261u, key);

    return digest_more(digest_more(digest, FED_SPAN_LIT("=")), value);
}

static uint64_t bits_of(uint32_t pair)
{
    return 1ull << (pair & 63) | 1ull << (pair >> 6 & 63);
}

/* Labels and values as the selector reads them from the text; false when there are too many. */
static bool pairs_of(struct fed_span bytes, uint32_t pairs[PAIRS_MAX], size_t *n)
{
    static const char *const keys[] = {"metadata"};
    struct fed_json_text_cursor c;
    struct fed_span metadata;
    struct fed_span labels;

    *n = 0;
    if (fed_json_text_first(bytes, keys, 1, &metadata) != 1 ||
        !fed_json_text_member(metadata, "labels", &labels))
        return true;
    fed_json_text_open(&c, labels);
    while (fed_json_text_next(&c)) {
        struct fed_span value = {0};

        if (*n == PAIRS_MAX)
            return false;
        (void)fed_json_text_string(c.value, &value);
        pairs[(*n)++] = digest_of(c.key, value);
    }
    return true;
}

/* ---- items ---- */
static size_t item_size(size_t n_pairs, size_t key_len)
{
    return sizeof(struct item) + n_pairs * sizeof(uint32_t) + key_len;
}

struct key {
    size_t len;
    uint8_t at[1024];
};

static bool key_of(const struct hub_object_ref *ref, struct key *key)
{
    key->len = ref->ns.len + 1 + ref->name.len;
    if (key->len > sizeof key->at)
        return false;
    if (ref->ns.len > 0)
        memcpy(key->at, ref->ns.at, ref->ns.len);
    key->at[ref->ns.len] = 0;
    memcpy(key->at + ref->ns.len + 1, ref->name.at, ref->name.len);
    return true;
}

static void item_remove(struct hub_label_index *index, struct indexed *in, struct fed_span key)
{
    struct item *item = fed_map_remove(&in->items, key);
    struct row *row = item ? &in->rows[item->row] : NULL;

    if (!item)
        return;
    *row = in->rows[--in->n];
    row->item->row = item->row;
    index->n_objects--;
    fed_alloc_free(index->mem, item, item_size(item->n_pairs, item->key.len));
}

static bool rows_grow(struct hub_label_index *index, struct indexed *in)
{
    size_t cap = in->cap ? in->cap * 2 : 256;
    struct row *rows;

    if (in->n < in->cap)
        return true;
    rows =
        index->mem->resize(index->mem->ctx, in->rows, in->cap * sizeof *rows, cap * sizeof *rows);
    if (!rows)
        return false;
    in->rows = rows;
    in->cap = cap;
    return true;
}

static struct item *item_new(struct fed_alloc *mem, struct fed_span bytes, const struct key *key)
{
    uint32_t pairs[PAIRS_MAX];
    size_t n;
    bool all = pairs_of(bytes, pairs, &n);
    struct item *item;

    if (!all)
        n = 0;
    item = fed_alloc_get(mem, item_size(n, key->len));
    if (!item)
        return NULL;
    *item = (struct item){.n_pairs = n, .row = all ? 0 : SIZE_MAX};
    memcpy(item->pairs, pairs, n * sizeof *pairs);
    memcpy(item->pairs + n, key->at, key->len);
    item->key = fed_span_of(item->pairs + n, key->len);
    return item;
}

/* false: it cannot be kept, and then nothing of the resource can. */
static bool item_put(struct hub_label_index *index, struct indexed *in,
    const struct hub_object_ref *ref, struct fed_span bytes)
{
    struct key key;
    struct item *item;
    struct row row = {.bits = 0};

    if (!key_of(ref, &key) || index->n_objects >= OBJECTS_MAX)
        return false;
    item_remove(index, in, fed_span_of(key.at, key.len));
    item = rows_grow(index, in) ? item_new(index->mem, bytes, &key) : NULL;
    if (!item)
        return false;
    if (fed_map_put(&in->items, item->key, item)) {
        fed_alloc_free(index->mem, item, item_size(item->n_pairs, key.len));
        return false;
    }
    row.item = item;
    row.bits = item->row == SIZE_MAX ? ANY : 0;
    for (size_t i = 0; i < item->n_pairs; i++)
        row.bits |= bits_of(item->pairs[i]);
    item->row = in->n;
    in->rows[in->n++] = row;
    index->n_objects++;
    return true;
}

/* ---- resources ---- */
static void forget(struct hub_label_index *index, struct indexed *in)
{
    struct indexed **at = &index->list;

    while (*at != in)
        at = &(*at)->next;
    *at = in->next;
    for (size_t i = 0; i < in->n; i++) {
        struct item *item = in->rows[i].item;

        fed_alloc_free(index->mem, item, item_size(item->n_pairs, item->key.len));
    }
    index->n_objects -= in->n;
    fed_map_fini(&in->items);
    fed_alloc_free(index->mem, in->rows, in->cap * sizeof(struct row));
    fed_alloc_free(index->mem, in, sizeof *in);
}

static struct indexed *find(const struct hub_label_index *index, struct fed_span resource)
{
    struct indexed *in = index->list;

    while (in && !fed_span_is(resource, in->resource))
        in = in->next;
    return in;
}

static void forget_unused(struct hub_label_index *index, uint64_t now_ms)
{
    struct indexed *next;

    for (struct indexed *in = index->list; in; in = next) {
        next = in->next;
        if (now_ms - in->used_ms >= UNUSED_MS)
            forget(index, in);
    }
}

struct reading {
    struct hub_label_index *index;
    struct indexed *in;
    bool ok;
};

static bool read_one(void *ctx, const struct hub_object *object)
{
    struct reading *reading = ctx;

    reading->ok = item_put(reading->index, reading->in, &object->ref, object->bytes);
    return reading->ok;
}

/* Reads every object of the resource. NULL when that cannot be kept. */
static struct indexed *read_all(struct hub_label_index *index, struct fed_span resource)
{
    struct indexed *in = fed_alloc_zero(index->mem, sizeof *in);
    struct reading reading = {index, in, true};

    if (!in || fed_span_to_cstr(resource, in->resource, sizeof in->resource)) {
        fed_alloc_free(index->mem, in, sizeof *in);
        return NULL;
    }
    fed_map_init(&in->items, index->mem);
    in->next = index->list;
    index->list = in;
    if (!hub_objects_list(
            index->api->objects, resource, (struct fed_span){0}, NULL, read_one, &reading) &&
        reading.ok)
        return in;
    forget(index, in);
    return NULL;
}

static void changed(void *ctx, const struct hub_change *change)
{
    struct hub_label_index *index = ctx;
    struct indexed *in = index->list ? find(index, change->ref.resource) : NULL;
    struct key key;

    if (!in || change->type == HUB_CHANGE_TOUCHED)
        return;
    if (change->type != HUB_CHANGE_DELETED) {
        if (!item_put(index, in, &change->ref, change->bytes))
            forget(index, in);
    } else if (key_of(&change->ref, &key)) {
        item_remove(index, in, fed_span_of(key.at, key.len));
    }
}

/* ---- asking ---- */
static bool has_pair(const struct item *item, uint32_t pair)
{
    for (size_t i = 0; i < item->n_pairs; i++)
        if (item->pairs[i] == pair)
            return true;
    return false;
}

static bool is_in(const struct item *item, struct fed_span ns)
{
    return ns.len == 0 || (item->key.len > ns.len && item->key.at[ns.len] == 0 &&
                              memcmp(item->key.at, ns.at, ns.len) == 0);
}

static int compare_keys(const void *a, const void *b)
{
    return fed_span_cmp((*(struct item *const *)a)->key, (*(struct item *const *)b)->key);
}

static size_t candidates(
    const struct indexed *in, struct fed_span ns, uint32_t pair, struct item **out)
{
    uint64_t bits = bits_of(pair);
    size_t n = 0;

    for (size_t i = 0; i < in->n; i++) {
        const struct row *row = &in->rows[i];

        if ((row->bits & bits) == bits && (row->bits == ANY || has_pair(row->item, pair)) &&
            is_in(row->item, ns))
            out[n++] = row->item;
    }
    return n;
}

static enum fed_err each_of(struct hub_label_index *index, struct fed_span resource,
    struct item *const *items, size_t n, const struct key *after, hub_objects_each *each, void *ctx)
{
    struct fed_buf bytes;
    enum fed_err err = FED_OK;
    bool more = true;

    fed_buf_init(&bytes, index->mem, FED_STORE_VALUE_MAX);
    for (size_t i = 0; i < n && more && !err; i++) {
        struct fed_span key = items[i]->key;
        struct hub_object object = {.ref.resource = resource};

        if (after && fed_span_cmp(key, fed_span_of(after->at, after->len)) <= 0)
            continue;
        object.ref.name = key;
        (void)fed_span_split(&object.ref.name, 0, &object.ref.ns);
        fed_buf_clear(&bytes);
        err = hub_objects_get(index->api->objects, &object.ref, &bytes, &object.revision);
        object.bytes = fed_buf_span(&bytes);
        if (!err)
            more = each(ctx, &object);
    }
    fed_buf_fini(&bytes);
    return err;
}

enum fed_err hub_label_index_list(struct hub_label_index *index, struct fed_span resource,
    struct fed_span ns, const struct hub_object_ref *after, const struct fed_selector *labels,
    hub_objects_each *each, void *ctx)
{
    uint64_t now_ms = fed_loop_now_ms(index->api->options.loop);
    struct indexed *in;
    struct item **items;
    struct fed_span key;
    struct fed_span value;
    struct key from;
    size_t room;
    size_t n;
    enum fed_err err;

    /* What is staged is not in the index yet. */
    if (hub_objects_staged(index->api->objects) || !fed_selector_requires(labels, &key, &value) ||
        (after && !key_of(after, &from)))
        return FED_ERR_UNSUPPORTED;
    forget_unused(index, now_ms);
    in = find(index, resource);
    if (!in)
        in = read_all(index, resource);
    if (!in)
        return FED_ERR_UNSUPPORTED;
    in->used_ms = now_ms;
    room = in->n + 1;
    items = fed_alloc_array(index->mem, room, sizeof(struct item *));
    if (!items)
        return FED_ERR_NOMEM;
    n = candidates(in, ns, digest_of(key, value), items);
    qsort(items, n, sizeof(struct item *), compare_keys);
    err = each_of(index, resource, items, n, after ? &from : NULL, each, ctx);
    fed_alloc_free(index->mem, items, room * sizeof(struct item *));
    return err;
}

/* ---- life ---- */
enum fed_err hub_label_index_open(struct hub_api *api, struct hub_label_index **out)
{
    struct hub_label_index *index = fed_alloc_zero(api->mem, sizeof *index);
    enum fed_err err;

    if (!index)
        return FED_ERR_NOMEM;
    index->api = api;
    index->mem = api->mem;
    err = hub_objects_subscribe(
        api->objects, (struct fed_span){0}, changed, index, &index->subscription);
    if (err) {
        fed_alloc_free(api->mem, index, sizeof *index);
        return err;
    }
    *out = index;
    return FED_OK;
}

void hub_label_index_close(struct hub_label_index *index)
{
    if (!index)
        return;
    hub_objects_unsubscribe(index->subscription);
    while (index->list)
        forget(index, index->list);
    fed_alloc_free(index->mem, index, sizeof *index);
}
