/* Strategic merge patches, by the rules of three types: lists that are sets (finalizers), lists
 * that are merged by a key (secrets, subjects of owners), maps. */
#include "hub/api/core.h"
#include "hub/api/internal.h"
#include "tests/fuzz/two_texts.h"

static const struct hub_core_type *type; /* of the present run */

static enum fed_err merge(struct fed_json_doc *doc, struct fed_json **root,
    const struct fed_json *change, struct fed_diag *diag)
{
    return hub_strategic_merge(doc, type, root, change, diag);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const kinds[] = {"ConfigMap", "ServiceAccount", "Namespace"};
    static struct hub_core *core;
    struct fed_diag diag;

    if (!core)
        FUZZ_CHECK(!hub_core_open(fed_alloc_system(), &core, &diag));
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        type = hub_core_find(core, FED_SPAN_LIT("v1"), fed_span_text(kinds[i]));
        FUZZ_CHECK(type);
        fuzz_change_run(merge, data, size);
    }
    return 0;
}
