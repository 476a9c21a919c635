/* trouble.c - see trouble.h. */
#include "agent/trouble.h"

#include <string.h>

#define SECOND 1000u
#define MINUTE 60000u

static const struct agent_trouble_rule rules[AGENT_TROUBLES] = {
    [AGENT_TROUBLE_UNREACHABLE] = {"", FED_WORK_WAITING, SECOND / 2, MINUTE, false, true},
    [AGENT_TROUBLE_SERVER] = {"ServerTrouble", FED_WORK_WAITING, SECOND / 2, MINUTE, false, true},
    [AGENT_TROUBLE_THROTTLED] = {"Throttled", FED_WORK_WAITING, SECOND / 2, MINUTE, false, true},
    [AGENT_TROUBLE_CONFLICT] = {"Conflict", FED_WORK_WAITING, SECOND / 2, MINUTE, false, true},
    [AGENT_TROUBLE_WEBHOOK] = {"WebhookUnavailable", FED_WORK_WAITING, SECOND, 5 * MINUTE, false,
        false},
    [AGENT_TROUBLE_NAMESPACE] = {"NamespaceMissing", FED_WORK_WAITING, SECOND, MINUTE, false,
        false},
    [AGENT_TROUBLE_TERMINATING] = {"NamespaceTerminating", FED_WORK_WAITING, SECOND, MINUTE, false,
        false},
    [AGENT_TROUBLE_KIND] = {"KindMissing", FED_WORK_WAITING, SECOND / 2, 5 * MINUTE, false, false},
    [AGENT_TROUBLE_QUOTA] = {"QuotaExceeded", FED_WORK_FAILED, 5 * SECOND, 5 * MINUTE, false,
        false},
    [AGENT_TROUBLE_FORBIDDEN] = {"Forbidden", FED_WORK_FAILED, 5 * SECOND, 5 * MINUTE, false,
        false},
    [AGENT_TROUBLE_DENIED] = {"Denied", FED_WORK_FAILED, 5 * SECOND, 2 * MINUTE, true, false},
    [AGENT_TROUBLE_TOO_LARGE] = {"TooLarge", FED_WORK_FAILED, 5 * SECOND, 2 * MINUTE, true, false},
    [AGENT_TROUBLE_IMMUTABLE] = {"", FED_WORK_FAILED, 5 * SECOND, 2 * MINUTE, true, false},
    [AGENT_TROUBLE_INVALID] = {"Invalid", FED_WORK_FAILED, 5 * SECOND, 2 * MINUTE, true, false},
};

static const struct { /* the first that fits */
    unsigned status;  /* 0: any */
    const char *part; /* of the message; NULL: any */
    enum agent_trouble trouble;
} answers[] = {
    {429, NULL, AGENT_TROUBLE_THROTTLED},
    {409, NULL, AGENT_TROUBLE_CONFLICT},
    {413, NULL, AGENT_TROUBLE_TOO_LARGE},
    {404, NULL, AGENT_TROUBLE_KIND},
    {500, "failed calling webhook", AGENT_TROUBLE_WEBHOOK},
    {500, "request is too large", AGENT_TROUBLE_TOO_LARGE},
    /* Fields that the kind does not have, or of another type. */
    {500, "failed to create typed patch object", AGENT_TROUBLE_INVALID},
    {403, "because it is being terminated", AGENT_TROUBLE_TERMINATING},
    {403, "exceeded quota", AGENT_TROUBLE_QUOTA},
    {403, "User \"", AGENT_TROUBLE_FORBIDDEN},
    {403, "user \"", AGENT_TROUBLE_FORBIDDEN}, /* of a role with more than the agent has */
    {403, NULL, AGENT_TROUBLE_DENIED},
    {0, "denied the request", AGENT_TROUBLE_DENIED}, /* webhooks choose their status */
    {0, "denied request", AGENT_TROUBLE_DENIED},     /* ValidatingAdmissionPolicy */
    {422, "Too long: ", AGENT_TROUBLE_TOO_LARGE},
    {422, "metadata.uid: ", AGENT_TROUBLE_CONFLICT}, /* another object than the one we know */
    {401, NULL, AGENT_TROUBLE_SERVER},
    {408, NULL, AGENT_TROUBLE_SERVER},
};

enum agent_trouble agent_trouble_of(const struct agent_answer *answer, unsigned retry_after_s)
{
    if (answer->field[0])
        return AGENT_TROUBLE_IMMUTABLE;
    if (answer->status == 404 && strcmp(answer->details_kind, "namespaces") == 0)
        return AGENT_TROUBLE_NAMESPACE;
    if (answer->status == 503 && retry_after_s > 0)
        return AGENT_TROUBLE_THROTTLED;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        if ((answers[i].status == 0 || answers[i].status == answer->status) &&
            (!answers[i].part || strstr(answer->message, answers[i].part)))
            return answers[i].trouble;
    }
    return answer->status >= 500 ? AGENT_TROUBLE_SERVER : AGENT_TROUBLE_INVALID;
}

const struct agent_trouble_rule *agent_trouble_rule(enum agent_trouble trouble)
{
    return &rules[trouble];
}
