#include "bench/verbs/verbs.h"

#include "bench/doctor/doctor.h"

enum status verb_doctor(const struct invocation *inv, struct err *err)
{
    const struct config *config = inv->config;
    const struct doctor doctor = {
        .ask = { .require_gpu = config->require_gpu,
                 .require_engines = (const char *const *)config->require_engines.names,
                 .require_count = config->require_engines.count,
                 .only = config->only },
        .root = config->root,
        .json = config->json,
        .strict = config->strict,
    };
    return doctor_run(stdout, &doctor, inv->stop, err);
}
