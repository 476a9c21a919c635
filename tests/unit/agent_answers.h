/* agent_answers.h - refusals of real API servers, for tests. */
#ifndef FEDLET_TESTS_AGENT_ANSWERS_H
#define FEDLET_TESTS_AGENT_ANSWERS_H

#include "agent/trouble.h"

struct agent_answer_row {
    unsigned status;
    const char *body;
    enum agent_trouble trouble;
    const char *field; /* that is immutable, "" for none */
};
extern const struct agent_answer_row agent_answer_rows[];
extern const size_t agent_answer_n_rows;

#endif
