/* answer.c - what an API server's answer says to people. */
#include "ports/kube.h"
#include "proto/object/json.h"

void fed_kube_answer_text(const struct fed_kube_answer *answer, struct fed_diag *diag)
{
    struct fed_json_doc *doc = NULL;
    struct fed_json *root = NULL;
    struct fed_span message = {0};

    if (!fed_json_doc_new(fed_alloc_system(), &doc) &&
        !fed_json_parse(doc, answer->body, &root, NULL))
        message = fed_json_string(fed_json_get(root, "message"));
    if (message.len) {
        fed_diag_set(diag, FED_OK, FED_SPAN_FMT, FED_SPAN_ARG(message));
    } else {
        struct fed_span begin = fed_span_sub(answer->body, 0, 200);

        fed_diag_set(diag, FED_OK, "HTTP status %u%s" FED_SPAN_FMT, answer->status,
            begin.len ? ": " : "", FED_SPAN_ARG(begin));
    }
    fed_json_doc_free(doc);
}
