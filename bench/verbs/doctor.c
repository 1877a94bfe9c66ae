#include "bench/verbs/verbs.h"

#include "bench/doctor/compose.h"
#include "bench/doctor/doctor.h"
#include "bench/doctor/plan.h"
#include "bench/doctor/repetitions.h"
#include "bench/measure/conformance.h"
#include "bench/verbs/files.h"

/* --compose A B, or --compose A,B */
static enum status take_files(const char *files[COMPOSE_FILES_MAX], size_t *count, const struct invocation *inv,
                              struct err *err)
{
    const struct name_list *named = &inv->config->compose;
    *count = 0;
    if (!named->count && inv->word_count)
        return err_set(err, ST_USAGE, "doctor takes no words, got \"%.80s\" (files go behind --compose)",
                       inv->words[0]);
    if (!named->count && inv->config->service)
        return err_set(err, ST_USAGE, "--service names a service of --compose, which is not given");
    if (named->count + inv->word_count > COMPOSE_FILES_MAX)
        return err_set(err, ST_USAGE, "--compose: %zu files, at most %d are merged",
                       named->count + inv->word_count, COMPOSE_FILES_MAX);
    for (size_t i = 0; i < named->count; i++)
        files[(*count)++] = named->names[i];
    for (size_t i = 0; i < inv->word_count; i++)
        files[(*count)++] = inv->words[i];
    return ST_OK;
}

/* The cases of the worker protocol, on a small input. */
static enum status try_worker(const struct config *config, char *command, struct err *err)
{
    char *words[CONFORMANCE_WORDS + 1];
    struct conformance_result result;
    const struct conformance_ask ask = {
        .command = words,
        .model = config->models.count ? config->models.names[0] : "hrnet",
        .shape = { 3, config->input_h ? config->input_h : 64, config->input_w ? config->input_w : 64 },
        .only = config->only,
        .out = stdout,
    };
    if (config->json || config->models.count > 1)
        return err_set(err, ST_USAGE, "--worker %s", config->json ? "prints lines, no JSON" : "takes one model");
    conformance_split(words, command);
    return words[0] ? conformance_run(&result, &ask, err) : err_set(err, ST_USAGE, "--worker: the command is empty");
}

static enum status tell_repetitions(const struct invocation *inv, struct err *err)
{
    struct store *store = NULL;
    if (inv->word_count > 1)
        return err_set(err, ST_USAGE, "--repetitions takes one campaign or night, got \"%.80s\" too", inv->words[1]);
    enum status st = files_open_store(&store, inv->config->out, STORE_READ, err);
    if (st == ST_OK)
        st = doctor_repetitions(stdout, store, inv->word_count ? inv->words[0] : NULL, inv->config->json, err);
    store_close(store);
    return st;
}

static enum status check_questions(const struct config *config, struct err *err)
{
    if ((config->worker != NULL) + config->repetitions + (config->compose.count > 0) + (config->record != NULL) > 1)
        return err_set(err, ST_USAGE, "--worker, --repetitions, --compose and --record are questions of their own: give "
                       "one of them");
    if (config->record && config->root)
        return err_set(err, ST_USAGE, "--record writes a tree of this machine, --root reads another: give one of them");
    return ST_OK;
}

enum status verb_doctor(const struct invocation *inv, struct err *err)
{
    const struct config *config = inv->config;
    const char *files[COMPOSE_FILES_MAX];
    struct doctor_plan plan;
    struct doctor doctor = {
        .ask = { .require_gpu = config->require_gpu,
                 .smoke = config->smoke,
                 .plan = config->plan ? &plan : NULL,
                 .require_engines = (const char *const *)config->require_engines.names,
                 .require_count = config->require_engines.count,
                 .only = config->only },
        .root = config->root,
        .out = config->out,
        .record = config->record,
        .compose = files,
        .service = config->service,
        .json = config->json,
        .strict = config->strict,
    };
    enum status st = check_questions(config, err);
    if (st != ST_OK)
        return st;
    if (config->worker)
        return try_worker(config, config->worker, err);
    if (config->repetitions)
        return tell_repetitions(inv, err);
    st = take_files(files, &doctor.compose_count, inv, err);
    if (st == ST_OK && config->plan)
        st = doctor_plan_read(&plan, config->plan, err);
    if (st != ST_OK)
        return st;
    return doctor.compose_count ? doctor_compose(stdout, &doctor, inv->stop, err)
                                : doctor_run(stdout, &doctor, inv->stop, err);
}
