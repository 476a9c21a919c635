/* What an agent makes of a member's object: its health by the rule of each kind, its pods, and the
 * status that is reported. Answers always fit, and are text. */
#include "agent/pods.h"
#include "agent/remote.h"
#include "proto/base/text.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static const char *const kinds[][2] = {{"apps/v1", "Deployment"}, {"apps/v1", "ReplicaSet"},
    {"apps/v1", "StatefulSet"}, {"apps/v1", "DaemonSet"}, {"batch/v1", "Job"}, {"v1", "Pod"},
    {"v1", "PersistentVolumeClaim"}, {"v1", "Service"},
    {"apiextensions.k8s.io/v1", "CustomResourceDefinition"},
    {"apiregistration.k8s.io/v1", "APIService"}, {"autoscaling/v2", "HorizontalPodAutoscaler"},
    {"example.com/v1", "Gadget"}, {"v1", "ConfigMap"}};

static void check(const struct agent_health *health)
{
    FUZZ_CHECK(health->state >= FED_HEALTH_HEALTHY && health->state < FED_HEALTHS);
    FUZZ_CHECK(strlen(health->reason) <= AGENT_HEALTH_REASON_MAX);
    FUZZ_CHECK(strlen(health->message) <= AGENT_HEALTH_MESSAGE_MAX);
    FUZZ_CHECK(fed_text_is_utf8(fed_span_text(health->reason)));
    FUZZ_CHECK(fed_text_is_utf8(fed_span_text(health->message)));
}

static void judge(const struct fed_json *object)
{
    struct agent_pods_count count = {0};
    struct agent_health health;

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        agent_health_of(fed_span_text(kinds[i][0]), fed_span_text(kinds[i][1]), object, &health);
        check(&health);
    }
    agent_pods_judge(&count, object, 2000000000);
    if (count.worst.state == FED_HEALTH_UNHEALTHY)
        check(&count.worst);
}

static void report(struct fed_json *status)
{
    static const char *const fields[] = {"conditions[*].type, replicas, loadBalancer", ""};
    struct fed_buf out;

    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        fed_buf_init(&out, fed_alloc_system(), FED_REPORT_REMOTE_MAX);
        FUZZ_CHECK(
            agent_remote_put(fed_alloc_system(), fed_span_text(fields[i]), status, &out) == FED_OK);
        FUZZ_CHECK(fed_buf_err(&out) == FED_OK);
        fed_buf_fini(&out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fed_json_doc *doc = NULL;
    struct fed_json *object = NULL;

    FUZZ_CHECK(fed_json_doc_new(fed_alloc_system(), &doc) == FED_OK);
    if (fed_json_parse(doc, fed_span_of(data, size), &object, NULL) == FED_OK) {
        judge(object);
        report(fed_json_get(object, "status"));
    }
    fed_json_doc_free(doc);
    return 0;
}
