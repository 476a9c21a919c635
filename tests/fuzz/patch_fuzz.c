/* Merge patches and JSON patches. */
#include "proto/object/patch.h"
#include "tests/fuzz/two_texts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_change_run(fed_patch_json, data, size);
    fuzz_change_run(fed_patch_merge, data, size);
    return 0;
}
