/* proto_schedule_driver.c - compares the replica planner with another one's answers.
 *
 * In: lines of question, tab, answer, as proto/schedule/preferences.h describes them. Out: the
 * lines that differ, with what we answer, and at the end how many there were. Ends with 1 when one
 * differs. Not a test of its own: tests/schedule/run feeds it with KubeFed's answers. */
#include "proto/schedule/preferences.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES (1u << 20)

static enum fed_err answer(struct fed_json_doc *doc, struct fed_arena *arena,
    struct fed_span question, struct fed_buf *out, struct fed_diag *diag)
{
    struct fed_replicas_question asked;
    enum fed_err err = fed_replicas_question_read(arena, doc, question, &asked, diag);

    if (!err)
        err = fed_replicas_plan(fed_alloc_system(), asked.key, asked.total, asked.rebalance,
            asked.clusters, asked.n, diag);
    return err ? err : fed_replicas_answer_put(out, doc, &asked);
}

static bool agrees(struct fed_span line)
{
    struct fed_diag diag = {""};
    struct fed_json_doc *doc;
    struct fed_arena arena;
    struct fed_span question;
    struct fed_buf out;
    bool same;

    (void)fed_span_split(&line, '\t', &question);
    if (fed_json_doc_new(fed_alloc_system(), &doc))
        abort();
    fed_arena_init(&arena, fed_alloc_system(), 64u << 20);
    fed_buf_init(&out, fed_alloc_system(), LINE_MAX_BYTES);
    same = answer(doc, &arena, question, &out, &diag) == FED_OK &&
           fed_span_eq(fed_buf_span(&out), line);
    if (!same)
        printf("asked " FED_SPAN_FMT "\n it   " FED_SPAN_FMT "\n we   %s%s\n",
            FED_SPAN_ARG(question), FED_SPAN_ARG(line), fed_buf_cstr(&out), diag.text);
    fed_buf_fini(&out);
    fed_arena_fini(&arena);
    fed_json_doc_free(doc);
    return same;
}

int main(void)
{
    char *line = malloc(LINE_MAX_BYTES);
    unsigned long asked = 0;
    unsigned long differ = 0;

    while (line && fgets(line, LINE_MAX_BYTES, stdin)) {
        asked++;
        line[strcspn(line, "\n")] = '\0';
        differ += !agrees(fed_span_text(line));
    }
    free(line);
    printf("%lu questions, %lu differences\n", asked, differ);
    return asked == 0 || differ > 0;
}
