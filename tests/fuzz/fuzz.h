/* fuzz.h - what every fuzz target includes. */
#ifndef FEDLET_TESTS_FUZZ_FUZZ_H
#define FEDLET_TESTS_FUZZ_FUZZ_H

#include "proto/base/buf.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Stays on in release builds, unlike assert. */
#define FUZZ_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

#endif
