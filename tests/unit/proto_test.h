/* proto_test.h - what every unit test of proto includes: cmocka, and spans from literals. */
#ifndef FEDLET_TESTS_UNIT_PROTO_TEST_H
#define FEDLET_TESTS_UNIT_PROTO_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/buf.h"

#define TEXT(text) fed_span_text(text)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static inline void assert_span(struct fed_span got, const char *expected)
{
    if (!fed_span_is(got, expected))
        fail_msg("got \"" FED_SPAN_FMT "\", expected \"%s\"", FED_SPAN_ARG(got), expected);
}

#endif
