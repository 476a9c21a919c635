/* wire_vectors.h - the vectors of tests/wire/vectors, which a Python implementation of
 * docs/protocol.md made and reads too (tests/wire/protocol). */
#ifndef FEDLET_TESTS_UNIT_WIRE_VECTORS_H
#define FEDLET_TESTS_UNIT_WIRE_VECTORS_H

#include "proto/bundle/work.h"
#include "proto/object/json.h"
#include "tests/unit/proto_test.h"

struct vectors {
    struct fed_arena arena; /* everything of one file */
    struct fed_json_doc *doc;
    struct fed_json *root;
};

/* NAME of tests/wire/vectors/NAME.json; fails the test when it cannot be read. */
void vectors_open(struct vectors *v, const char *name);
void vectors_close(struct vectors *v);

/* Members of a case; all fail the test when there is no such member of that type. */
struct fed_span vector_text(const struct fed_json *v, const char *key);
struct fed_span vector_hex(struct vectors *vectors, const struct fed_json *v, const char *key);
int64_t vector_int(const struct fed_json *v, const char *key);
/* A number of up to 64 bits, written as text. */
uint64_t vector_u64(const struct fed_json *v, const char *key);
void vector_work(struct vectors *vectors, const struct fed_json *shown, struct fed_work *out);

/* Fails with the case's name unless err is what the case says; whether it is FED_OK. */
bool vector_expects(const struct fed_json *v, enum fed_err err, const struct fed_diag *diag);
void vector_bytes(const struct fed_json *v, struct fed_span got, struct fed_span expected);

#endif
