#include "bench/measure/campaign_begin.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/measure/comparability.h"
#include "bench/measure/device.h"
#include "bench/measure/open_loop.h"
#include "bench/measure/response_limits.h"
#include "bench/measure/validity.h"
#include "bench/telemetry/environment.h"
#include "kernels/base/host.h"
#include "kernels/base/sha256.h"

static const char tune[] = "tune";

/* --- limits --------------------------------------------------------------------------------------------- */

/* The reserve covers fragmentation and neighbours. */
static uint64_t memory_limit(const struct config *config)
{
    uint64_t available, limit = 0;
    if (host_memory_available(&available, NULL, 0))
        limit = (uint64_t)((double)available * (1 - config->reserve));
    if (config->memory_limit_bytes && (!limit || config->memory_limit_bytes < limit))
        limit = config->memory_limit_bytes;
    return limit;
}

static void set_up(struct campaign_state *c)
{
    const struct campaign_context *context = c->context;
    c->config = context->config;
    c->store = context->store;
    c->clock = clock_system();
    c->quality = clock_measure_quality(&c->clock);
    c->start_ns = campaign_now_ns(c);
    c->budget_ns = c->config->budget_set ? c->config->budget_ns
                                         : CAMPAIGN_BUDGET_NS * context->plan->target_count;
    c->memory_limit_bytes = memory_limit(c->config);
}

/* --- the run -------------------------------------------------------------------------------------------- */

static enum status draw_seed(uint64_t *seed, const struct config *config, struct err *err)
{
    *seed = config->seed;
    if (config->seed_set || getrandom(seed, sizeof *seed, 0) == (ssize_t)sizeof *seed)
        return ST_OK;
    return err_set(err, ST_ENVIRONMENT, "no random seed could be drawn: %s: give one with --seed",
                   strerror(errno));
}

static enum status begin_run(struct campaign_state *c, struct err *err)
{
    const struct campaign_context *x = c->context;
    struct run_row *run = &c->run;
    *run = (struct run_row){ .argv = x->argv_text ? x->argv_text : "",
                             .config_text = c->config->text ? c->config->text : "",
                             .rule_version = CAMPAIGN_RULE_VERSION,
                             .start_unix_s = clock_unix_s(),
                             .budget_ns = c->budget_ns,
                             .state = "running",
                             .exit_code = -1 };
    snprintf(run->kind, sizeof run->kind, "%s", x->kind ? x->kind : tune);
    snprintf(run->build, sizeof run->build, "%s", x->build ? x->build : "");
    snprintf(run->variant, sizeof run->variant, "%s", x->variant ? x->variant : "");
    sha256_of(run->config_sha256, run->config_text, strlen(run->config_text));
    enum status st = draw_seed(&run->seed, c->config, err);
    return st == ST_OK ? store_append_run(c->store, run, err) : st;
}

static enum status continue_run(struct campaign_state *c, const struct run_row *found, struct err *err)
{
    c->run = *found;
    c->run.argv = c->run.config_text = ""; /* they are in the store */
    snprintf(c->run.state, sizeof c->run.state, "running");
    c->run.exit_code = -1;
    c->run.end_unix_s = 0;
    return store_append_run_state(c->store, &c->run, err);
}

static enum status find_or_begin_run(struct campaign_state *c, bool *resumed, struct err *err)
{
    struct run_row *rows = NULL;
    size_t count = 0;
    enum status st = c->config->resume ? store_load_unfinished(&rows, &count, c->store, tune, err) : ST_OK;
    *resumed = st == ST_OK && count > 0;
    if (*resumed)
        c->run = rows[0];
    else if (st == ST_OK)
        st = begin_run(c, err);
    if (*resumed)
        c->run.argv = c->run.config_text = "";
    store_free_runs(rows, count);
    return st;
}

enum status campaign_find_config(char **text, struct store *store, struct err *err)
{
    struct run_row *rows = NULL;
    size_t count = 0;
    *text = NULL;
    enum status st = store_load_unfinished(&rows, &count, store, tune, err);
    if (st == ST_OK && count > 0 && !(*text = strdup(rows[0].config_text)))
        st = err_set(err, ST_OUT_OF_MEMORY, "not enough memory for the configuration of the campaign");
    store_free_runs(rows, count);
    return st;
}

/* --- the environment ------------------------------------------------------------------------------------ */

static enum status check_environment(const struct campaign_state *c, struct err *err)
{
    struct field_row *then = NULL;
    size_t count = 0;
    char was[RECORD_TEXT], is[RECORD_TEXT];
    enum status st = store_load_fields(&then, &count, c->store, STORE_FIELDS_RUN, c->run.id, err);
    if (st != ST_OK)
        return st;
    size_t host = 0; /* devices are compared when a worker tells them */
    for (size_t i = 0; i < count; i++)
        if (!device_is_fact(&then[i]))
            then[host++] = then[i];
    const char *field = comparability_field(was, is, then, host, c->environment, c->environment_count);
    free(then);
    if (!field)
        return ST_OK;
    return err_set(err, ST_USAGE,
                   "campaign %s cannot be continued: %s was \"%.200s\" when it began and is \"%.200s\" now: "
                   "begin a new one without --resume",
                   c->run.name, field, was, is);
}

static enum status record_environment(struct campaign_state *c, bool resumed, struct err *err)
{
    enum status st = environment_read(&c->environment, &c->environment_count, NULL, 0, err);
    if (st == ST_OK && resumed)
        st = check_environment(c, err);
    if (st == ST_OK)
        st = store_append_environment(c->store, c->run.id, 0, c->environment, c->environment_count, err);
    return st;
}

/* --- the targets ---------------------------------------------------------------------------------------- */

static void fill_row(struct target_row *row, const struct campaign_state *c, const struct plan_target *p,
                     size_t place)
{
    *row = (struct target_row){ .run = c->run.id,
                                .place = (int)place,
                                .threads = p->threads,
                                .instances = p->instances,
                                .shape = { p->shape[0], p->shape[1], p->shape[2] } };
    snprintf(row->model, sizeof row->model, "%s", p->model.name);
    snprintf(row->engine, sizeof row->engine, "%s", p->engine->name);
    snprintf(row->device, sizeof row->device, "%s", p->device);
    snprintf(row->precision, sizeof row->precision, "%s", p->precision);
    snprintf(row->mode, sizeof row->mode, "%s", p->mode);
    snprintf(row->key, sizeof row->key, "%s", p->key);
}

/* Blocks that steal or contention hit, for the rule of shared machines. */
static enum status count_shared(struct campaign_state *c, const struct target_state *t, struct err *err)
{
    struct mark_row *marks = NULL;
    size_t count = 0;
    int64_t last = 0;
    enum status st = store_load_marks(&marks, &count, c->store, t->row.id, err);
    for (size_t i = 0; st == ST_OK && i < count; i++) {
        bool shared = strcmp(marks[i].reason, validity_name(VALIDITY_STEAL)) == 0 ||
                      strcmp(marks[i].reason, validity_name(VALIDITY_CONTENDED)) == 0;
        if (strcmp(marks[i].subject, "block") == 0 && shared && marks[i].subject_id != last) {
            c->blocks_shared++;
            last = marks[i].subject_id; /* both marks of one block stand side by side */
        }
    }
    free(marks);
    c->blocks_seen += t->history.count;
    c->shared_machine = c->shared_machine || validity_machine_is_shared(c->blocks_seen, c->blocks_shared);
    return st;
}

/* What is stored of a target. One that had ended is tried again: what ended it may be gone. */
static enum status continue_target(struct campaign_state *c, struct target_state *t,
                                   const struct target_row *row, struct err *err)
{
    char was[RECORD_TEXT], is[RECORD_TEXT];
    const char *field = comparability_key_field(was, is, row->key, t->plan->key);
    if (field)
        return err_set(err, ST_USAGE,
                       "campaign %s cannot be continued: %s of target %zu was %.200s when it began and is "
                       "%.200s now: begin a new one without --resume",
                       c->run.name, field, (size_t)(t - c->targets) + 1, was, is);
    t->row = *row;
    enum status st = history_load(&t->history, c->store, row->id, t->plan->mode, err);
    if (st == ST_OK)
        st = count_shared(c, t, err);
    if (st == ST_OK && *row->result) {
        t->row.result[0] = t->row.detail[0] = 0;
        st = store_append_target_state(c->store, &t->row, err);
    }
    return st;
}

static enum status begin_targets(struct campaign_state *c, const struct target_row *known, size_t known_count,
                                 struct err *err)
{
    const struct plan *plan = c->context->plan;
    enum status st = ST_OK;
    if (known_count > plan->target_count)
        return err_set(err, ST_USAGE,
                       "campaign %s cannot be continued: it has %zu targets and %zu are asked for now: begin "
                       "a new one without --resume",
                       c->run.name, known_count, plan->target_count);
    c->targets = calloc(plan->target_count ? plan->target_count : 1, sizeof *c->targets);
    if (!c->targets)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for %zu targets", plan->target_count);
    for (size_t i = 0; i < plan->target_count && st == ST_OK; i++) {
        struct target_state *t = &c->targets[i];
        t->plan = &plan->targets[i];
        t->gpu = strncmp(t->plan->device, "cpu:", 4) != 0;
        for (size_t k = 0; !t->plan->batches_auto && k < t->plan->point_count; k++)
            t->given[t->given_count++] = t->plan->points[k].batch;
        c->target_count++;
        if (c->config->limit.response)
            st = response_limits_open(&t->response, &c->config->limit, &c->config->arrivals,
                                      t->plan->instances, err);
        if (st != ST_OK)
            break;
        if (i < known_count) {
            st = continue_target(c, t, &known[i], err);
        } else {
            fill_row(&t->row, c, t->plan, i);
            st = store_append_target(c->store, &t->row, err);
        }
    }
    return st;
}

/* --- the gate's folder ---------------------------------------------------------------------------------- */

/* Beside the store, where results may be written anyway. */
static enum status make_folder(struct campaign_state *c, struct err *err)
{
    char path[sizeof c->folder];
    snprintf(path, sizeof path, "%s", store_path(c->store));
    char *slash = strrchr(path, '/');
    if (slash)
        *slash = 0;
    int size = snprintf(c->folder, sizeof c->folder, "%s/.gate-%s", slash ? path : ".", c->run.name);
    if (size < 0 || (size_t)size >= sizeof c->folder - 256)
        return err_set(err, ST_IO, "%s: the path is too long", path);
    if (mkdir(c->folder, 0700) == 0 || errno == EEXIST)
        return ST_OK;
    return err_set(err, ST_IO, "%s: cannot be made: %s", c->folder, strerror(errno));
}

static void remove_folder(const char *folder)
{
    char path[8192];
    DIR *dir = *folder ? opendir(folder) : NULL;
    for (struct dirent *e; dir && (e = readdir(dir));) {
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (e->d_name[0] != '.')
            unlink(path);
    }
    if (dir)
        closedir(dir);
    if (*folder)
        rmdir(folder);
}

/* --- begin and end -------------------------------------------------------------------------------------- */

static enum status resume_or_begin_targets(struct campaign_state *c, bool resumed, struct err *err)
{
    struct target_row *known = NULL;
    size_t count = 0;
    enum status st = resumed ? store_load_targets(&known, &count, c->store, c->run.id, err) : ST_OK;
    if (st == ST_OK)
        st = begin_targets(c, known, count, err);
    free(known);
    return st;
}

enum status campaign_begin(struct campaign_state *c, struct err *err)
{
    bool resumed = false;
    set_up(c);
    enum status st = open_loop_check(c->config, err);
    if (st == ST_OK)
        st = find_or_begin_run(c, &resumed, err);
    if (st == ST_OK)
        st = record_environment(c, resumed, err);
    if (st == ST_OK)
        st = resume_or_begin_targets(c, resumed, err);
    if (st == ST_OK && resumed) { /* only a campaign that fits is touched */
        struct run_row found = c->run;
        st = continue_run(c, &found, err);
    }
    if (st == ST_OK)
        st = make_folder(c, err);
    c->context->run = c->run.id;
    snprintf(c->context->run_name, sizeof c->context->run_name, "%s", c->run.name);
    return st;
}

enum status campaign_record_end(struct campaign_state *c, const char *state, int exit_code, struct err *err)
{
    c->run.end_unix_s = clock_unix_s();
    c->run.exit_code = exit_code;
    snprintf(c->run.state, sizeof c->run.state, "%s", state);
    return store_append_run_state(c->store, &c->run, err);
}

void campaign_release(struct campaign_state *c)
{
    remove_folder(c->folder);
    for (size_t i = 0; i < c->target_count; i++) {
        response_limits_close(c->targets[i].response);
        history_free(&c->targets[i].history);
    }
    devices_close(c);
    free(c->targets);
    free(c->environment);
    c->targets = NULL;
    c->environment = NULL;
    c->target_count = 0;
}
