#include "bench/measure/plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure/block_rule.h"
#include "kernels/base/home.h"
#include "kernels/base/host.h"
#include "kernels/base/len.h"
#include "kernels/base/text.h"

/* A model and what the worker's `load` is asked for. */
struct named_model {
    struct model_config config;
    const char *ask;                 /* the file that was named; NULL: config.name */
};

/* Which precisions a kind of device has, and its engine where none is named. */
static const struct device_kind {
    const char *name, *engine;
    const char *precisions[4];
} device_kinds[] = {
    { "cpu", "onednn", { "f32", "bf16" } },
    { "cuda", "cuda", { "f32", "tf32", "f16", "bf16" } },
};
static const char *const default_device[] = { "cpu:0" }, *const default_precision[] = { "f32" };
static const int default_threads[] = { 0 }, default_instances[] = { 1 };

/* The lists of a configuration with their defaults: what is multiplied out. */
struct axes {
    const char *const *engines, *const *devices, *const *precisions;
    const char *kinds_engines[LEN(device_kinds)]; /* in place of engines that were not named */
    const int *threads, *instances;
    size_t engine_count, device_count, precision_count, thread_count, instance_count;
};

static const char *const *names_or(const struct name_list *list, const char *const *preset, size_t *count)
{
    *count = list->count ? list->count : 1;
    return list->count ? (const char *const *)list->names : preset;
}

static bool is_of_kind(const char *device, const struct device_kind *kind)
{
    const size_t size = strlen(kind->name);
    return strncmp(device, kind->name, size) == 0 && device[size] == ':';
}

/* The engine of each kind of device that is asked for. */
static void choose_engines(struct axes *a)
{
    a->engine_count = 0;
    for (size_t k = 0; k < LEN(device_kinds); k++)
        for (size_t i = 0; i < a->device_count; i++)
            if (is_of_kind(a->devices[i], &device_kinds[k])) {
                a->kinds_engines[a->engine_count++] = device_kinds[k].engine;
                break;
            }
    a->engines = NULL;
}

static const char *engine_name(const struct axes *a, size_t i)
{
    return a->engines ? a->engines[i] : a->kinds_engines[i];
}

static struct axes axes_of(const struct config *c)
{
    struct axes a = { .threads = c->threads.count ? c->threads.values : default_threads,
                      .thread_count = c->threads.count ? c->threads.count : LEN(default_threads),
                      .instances = c->instances.count ? c->instances.values : default_instances,
                      .instance_count = c->instances.count ? c->instances.count : LEN(default_instances) };
    a.devices = names_or(&c->devices, default_device, &a.device_count);
    a.precisions = names_or(&c->precisions, default_precision, &a.precision_count);
    a.engines = names_or(&c->engines, NULL, &a.engine_count);
    if (!a.engines)
        choose_engines(&a);
    return a;
}

/* --- checks --------------------------------------------------------------------------------------------- */

/* "cpu:0" is kind and number. */
static enum status check_device(const struct device_kind **out, const char *device, struct err *err)
{
    const char *colon = strchr(device, ':');
    size_t size = colon ? (size_t)(colon - device) : strlen(device);
    int64_t number;
    *out = NULL;
    for (size_t i = 0; i < LEN(device_kinds); i++)
        if (strlen(device_kinds[i].name) == size && strncmp(device, device_kinds[i].name, size) == 0)
            *out = &device_kinds[i];
    if (*out && colon && text_int(&number, colon + 1) == 0 && number >= 0 && number < 64)
        return ST_OK;
    const char *near = NULL;
    char word[32];
    const char *names[LEN(device_kinds)];
    for (size_t i = 0; i < LEN(device_kinds); i++)
        names[i] = device_kinds[i].name;
    snprintf(word, sizeof word, "%.*s", (int)size, device);
    near = *out ? word : text_nearest(word, names, LEN(names));
    return err_set(err, ST_USAGE, "device \"%.40s\" is unknown: a device is cpu:0, cuda:0, cuda:1 ...%s%s%s",
                   device, near ? " (did you mean " : "", near ? near : "", near ? ":0?)" : "");
}

static enum status check_precision(const struct device_kind *kind, const char *device, const char *precision,
                                   struct err *err)
{
    char known[64] = "";
    size_t count = 0;
    for (size_t i = 0; i < LEN(kind->precisions) && kind->precisions[i]; i++, count++) {
        if (strcmp(kind->precisions[i], precision) == 0)
            return ST_OK;
        strcat(strcat(known, i ? ", " : ""), kind->precisions[i]);
    }
    const char *near = text_nearest(precision, kind->precisions, count);
    return err_set(err, ST_USAGE, "precision \"%.40s\" does not exist on %s: allowed are %s%s%s%s", precision,
                   device, known, near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
}

static bool has_precision(const char *device, const char *precision)
{
    for (size_t k = 0; k < LEN(device_kinds); k++)
        for (size_t i = 0; is_of_kind(device, &device_kinds[k]) && i < LEN(device_kinds[k].precisions) &&
                           device_kinds[k].precisions[i]; i++)
            if (strcmp(device_kinds[k].precisions[i], precision) == 0)
                return true;
    return false;
}

/* With several devices a precision need not exist on each, but on one; and each device must have one of them. */
static enum status check_precisions(const struct axes *a, struct err *err)
{
    for (size_t p = 0; p < a->precision_count; p++) {
        size_t d = 0;
        while (d < a->device_count && !has_precision(a->devices[d], a->precisions[p]))
            d++;
        const struct device_kind *kind;
        enum status st = d < a->device_count ? ST_OK : check_device(&kind, a->devices[0], err);
        if (st == ST_OK && d == a->device_count)
            st = check_precision(kind, a->devices[0], a->precisions[p], err);
        if (st != ST_OK)
            return st;
    }
    for (size_t d = 0; d < a->device_count; d++) {
        size_t p = 0;
        while (p < a->precision_count && !has_precision(a->devices[d], a->precisions[p]))
            p++;
        const struct device_kind *kind;
        enum status st = p < a->precision_count ? ST_OK : check_device(&kind, a->devices[d], err);
        if (st == ST_OK && p == a->precision_count)
            st = check_precision(kind, a->devices[d], a->precisions[0], err);
        if (st != ST_OK)
            return st;
    }
    return ST_OK;
}

/* Every device needs an engine that runs on it, every engine that was named a device. */
static enum status check_engines(const struct axes *a, const struct plan *p, struct err *err)
{
    for (size_t d = 0; d < a->device_count; d++) {
        const struct device_kind *kind;
        size_t e = 0;
        enum status st = check_device(&kind, a->devices[d], err);
        if (st != ST_OK)
            return st;
        while (e < p->engine_count && !engine_config_runs_on(&p->engines[e], a->devices[d]))
            e++;
        if (e == p->engine_count)
            return err_set(err, ST_USAGE,
                           "no engine that is asked for (%s%s) runs on %s: use --engine %s or --device %s:0",
                           p->engines[0].name, p->engine_count > 1 ? ", ..." : "", a->devices[d],
                           kind->engine, p->engines[0].kind_cuda ? "cuda" : "cpu");
    }
    for (size_t e = 0; e < p->engine_count; e++) {
        size_t d = 0;
        while (d < a->device_count && !engine_config_runs_on(&p->engines[e], a->devices[d]))
            d++;
        if (d == a->device_count)
            return err_set(err, ST_USAGE, "engine %s does not run on %s%s: add --device %s:0", p->engines[e].name,
                           a->devices[0], a->device_count > 1 ? " or another device that is asked for" : "",
                           p->engines[e].kind_cuda ? "cuda" : "cpu");
    }
    return ST_OK;
}

/* Threads of one instance for an asked number (0: all that may be used, shared out among the instances). One
 * instance of one thread is always allowed. */
static enum status resolve_threads(int *out, int asked, int instances, struct err *err)
{
    double quota;
    char each[48] = "";
    int cpus = host_threads(&quota, NULL, 0), shared = cpus / instances;
    *out = asked ? asked : shared ? shared : 1;
    if (*out * instances <= 1 || *out <= shared)
        return ST_OK;
    if (instances > 1)
        snprintf(each, sizeof each, " in each of %d instances", instances);
    if (quota > 0 && (int)quota <= cpus)
        return err_set(err, ST_USAGE,
                       "threads is %d%s, but the CPU quota of this cgroup is %.3g CPUs: use at most %d%s", *out,
                       each, quota, cpus, *each ? " in all" : "");
    return err_set(err, ST_USAGE, "threads is %d%s, but this process may use %d CPUs: use at most %d%s", *out,
                   each, cpus, cpus, *each ? " in all" : "");
}

/* --- points --------------------------------------------------------------------------------------------- */

static int compare_int(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* Powers of two of the ascent, or the given sizes in order without doubles. */
static enum status list_batches(int *out, size_t *count, const struct config *c, struct err *err)
{
    *count = 0;
    if (c->batches_auto) {
        for (int b = 1; b <= c->max_batch && *count < PLAN_BATCHES_MAX; b *= 2)
            out[(*count)++] = b;
        return ST_OK;
    }
    if (c->batches.count == 0 || c->batches.count > PLAN_BATCHES_MAX)
        return err_set(err, ST_USAGE,
                       "batches has %zu sizes, 1 to %d are allowed: use a shorter list, or auto",
                       c->batches.count, PLAN_BATCHES_MAX);
    memcpy(out, c->batches.values, c->batches.count * sizeof *out);
    qsort(out, c->batches.count, sizeof *out, compare_int);
    for (size_t i = 0; i < c->batches.count; i++)
        if (*count == 0 || out[*count - 1] != out[i])
            out[(*count)++] = out[i];
    return ST_OK;
}

/* Time to probe a size and to take part in the rounds before the first look of a race. */
static double predicted_s(const struct store_earlier *e)
{
    enum { PROBE_ITERATIONS = 2, COARSE_BLOCKS = 3, LEAST_ROUNDS = 6 };
    static const uint64_t block_ns = 100000000;
    if (!isfinite(e->images_per_s) || e->images_per_s <= 0)
        return NAN;
    double t_iter_s = e->batch / e->images_per_s;
    double block_s = (double)block_expected_ns(block_ns, (uint64_t)(t_iter_s * 1e9)) / 1e9;
    return (double)e->prepare_ns / 1e9 + PROBE_ITERATIONS * t_iter_s +
           (COARSE_BLOCKS + LEAST_ROUNDS) * block_s;
}

static void predict(struct plan_point *p, const struct store_earlier *earlier, size_t count)
{
    p->predicted_s = p->images_per_s = NAN;
    for (size_t i = 0; i < count; i++)
        if (earlier[i].batch == p->batch) {
            p->predicted_bytes = earlier[i].peak_bytes;
            p->images_per_s = earlier[i].images_per_s;
            p->predicted_s = predicted_s(&earlier[i]);
        }
}

static enum status fill_points(struct plan_target *t, const struct config *c, struct store *store,
                               struct err *err)
{
    int batches[PLAN_BATCHES_MAX];
    struct store_earlier *earlier = NULL;
    size_t earlier_count = 0;
    enum status st = list_batches(batches, &t->point_count, c, err);
    t->predicted_s = NAN;
    if (st == ST_OK && store)
        st = store_load_earlier(&earlier, &earlier_count, store, t->key, err);
    if (st == ST_OK && store)
        st = store_load_spent(&t->predicted_s, store, t->key, err);
    if (st == ST_OK && !(t->points = calloc(t->point_count ? t->point_count : 1, sizeof *t->points)))
        st = err_set(err, ST_OUT_OF_MEMORY, "not enough memory for the plan");
    for (size_t i = 0; st == ST_OK && i < t->point_count; i++) {
        t->points[i].batch = batches[i];
        predict(&t->points[i], earlier, earlier_count);
    }
    t->batches_auto = c->batches_auto;
    free(earlier);
    return st;
}

/* --- targets -------------------------------------------------------------------------------------------- */

/* One combination of the axes. */
struct combination {
    const struct named_model *model;
    const struct engine_config *engine;
    const char *device, *precision;
    int threads, instances;
    bool several_threads, several_instances;
};

static void add_count(struct plan_target *t, int count, const char *of_what)
{
    size_t used = strlen(t->name);
    snprintf(t->name + used, sizeof t->name - used, " %d %s%s", count, of_what, count == 1 ? "" : "s");
}

static void write_names(struct plan_target *t, const struct combination *x)
{
    snprintf(t->key, sizeof t->key, "%s|%s|%s|%s|%d|%d|%dx%dx%d|%s", t->model.name, t->engine->name,
             t->device, t->precision, t->threads, t->instances, t->shape[0], t->shape[1], t->shape[2],
             t->mode);
    snprintf(t->name, sizeof t->name, "%s %s %s %s", t->model.name, t->engine->name, t->device, t->precision);
    if (x->several_instances)
        add_count(t, t->instances, "instance");
    if (x->several_threads)
        add_count(t, t->threads, "thread");
}

static enum status make_target(struct plan_target *t, const struct combination *x, const struct config *c,
                               struct store *store, struct err *err)
{
    const struct device_kind *kind;
    const int *input = x->model->config.input;
    *t = (struct plan_target){ .model = x->model->config,
                               .model_file = x->model->ask,
                               .engine = x->engine,
                               .instances = x->instances,
                               .shape = { input[0], c->input_h ? c->input_h : input[1],
                                          c->input_w ? c->input_w : input[2] } };
    snprintf(t->device, sizeof t->device, "%s", x->device);
    snprintf(t->precision, sizeof t->precision, "%s", x->precision);
    snprintf(t->mode, sizeof t->mode, "%s", c->mode && *c->mode ? c->mode : "e2e");
    enum status st = check_device(&kind, x->device, err);
    if (st == ST_OK)
        st = check_precision(kind, x->device, x->precision, err);
    if (st == ST_OK)
        st = model_config_check_size(&t->model, t->shape, err);
    if (st == ST_OK)
        st = resolve_threads(&t->threads, x->threads, x->instances, err);
    if (st != ST_OK)
        return st;
    write_names(t, x);
    return fill_points(t, c, store, err);
}

static bool planned_already(const struct plan *p, const char *key)
{
    for (size_t i = 0; i < p->target_count; i++)
        if (strcmp(p->targets[i].key, key) == 0)
            return true;
    return false;
}

/* A combination that comes out like an earlier one (threads 0 and 2 on 2 CPUs) is one target. */
static enum status add_target(struct plan *p, const struct combination *x, const struct config *c,
                              struct store *store, struct err *err)
{
    struct plan_target *t = &p->targets[p->target_count];
    enum status st = make_target(t, x, c, store, err);
    if (st != ST_OK || planned_already(p, t->key)) {
        free(t->points);
        t->points = NULL;
        return st;
    }
    p->target_count++;
    return ST_OK;
}

static enum status multiply_out(struct plan *p, const struct axes *a, const struct named_model *models,
                                size_t model_count, const struct config *c, struct store *store,
                                struct err *err)
{
    size_t per_precision = a->instance_count * a->thread_count;
    size_t per_engine = a->device_count * a->precision_count * per_precision;
    size_t total = model_count * p->engine_count * per_engine;
    p->targets = calloc(total ? total : 1, sizeof *p->targets);
    if (!p->targets)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for a plan of %zu targets", total);
    enum status st = ST_OK;
    for (size_t i = 0; i < total && st == ST_OK; i++) {
        size_t rest = i % per_engine;
        struct combination x = {
            .model = &models[i / (p->engine_count * per_engine)],
            .engine = &p->engines[i / per_engine % p->engine_count],
            .device = a->devices[rest / (per_precision * a->precision_count)],
            .precision = a->precisions[rest / per_precision % a->precision_count],
            .instances = a->instances[rest / a->thread_count % a->instance_count],
            .threads = a->threads[rest % a->thread_count],
            .several_threads = a->thread_count > 1,
            .several_instances = a->instance_count > 1,
        };
        if (engine_config_runs_on(x.engine, x.device) && has_precision(x.device, x.precision))
            st = add_target(p, &x, c, store, err);
    }
    return st;
}

static enum status read_models(struct named_model **out, size_t *count, const struct config *c,
                               struct err *err)
{
    char folder[HOME_PATH_MAX];
    struct model_config *all = NULL;
    size_t all_count = 0;
    enum status st = home_path(folder, "configs/models", err);
    if (st == ST_OK && c->all_models)
        st = model_config_list(&all, &all_count, folder, err);
    if (st != ST_OK)
        return st;
    *out = calloc(all_count + c->models.count + 1, sizeof **out);
    for (size_t i = 0; *out && i < all_count; i++)
        if (all[i].served)
            (*out)[(*count)++].config = all[i];
    free(all);
    if (!*out)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for the plan");
    for (size_t i = 0; i < c->models.count && st == ST_OK; i++) {
        struct named_model *m = &(*out)[(*count)++];
        m->ask = strchr(c->models.names[i], '/') ? c->models.names[i] : NULL;
        st = model_config_read(&m->config, folder, c->models.names[i], err);
    }
    if (st == ST_OK && *count == 0)
        st = err_set(err, ST_USAGE,
                     c->all_models ? "%s: no model there is served: name one with --model"
                                   : "nothing to measure: use --all-models, or name models with --model",
                     folder);
    return st;
}

static enum status read_engines(struct plan *p, const struct axes *a, struct err *err)
{
    p->engines = calloc(a->engine_count + 1, sizeof *p->engines);
    if (!p->engines)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for the plan");
    enum status st = ST_OK;
    while (st == ST_OK && p->engine_count < a->engine_count) {
        st = engine_config_read(&p->engines[p->engine_count], engine_name(a, p->engine_count), err);
        if (st == ST_OK)
            p->engine_count++;
    }
    return st;
}

enum status plan_make(struct plan *out, const struct config *config, struct store *store, struct err *err)
{
    struct axes axes = axes_of(config);
    struct named_model *models = NULL;
    size_t model_count = 0;
    *out = (struct plan){ 0 };
    enum status st = read_models(&models, &model_count, config, err);
    if (st == ST_OK)
        st = read_engines(out, &axes, err);
    if (st == ST_OK)
        st = check_engines(&axes, out, err);
    if (st == ST_OK)
        st = check_precisions(&axes, err);
    if (st == ST_OK)
        st = multiply_out(out, &axes, models, model_count, config, store, err);
    free(models);
    if (st != ST_OK)
        plan_free(out);
    return st;
}

double plan_predicted_s(const struct plan *p)
{
    double total = 0;
    for (size_t i = 0; i < p->target_count; i++)
        total += p->targets[i].predicted_s;
    return total;
}

void plan_keep(struct plan *p, bool (*keep)(void *context, const struct plan_target *target), void *context)
{
    size_t n = 0;
    for (size_t i = 0; i < p->target_count; i++)
        if (keep(context, &p->targets[i]))
            p->targets[n++] = p->targets[i];
        else
            free(p->targets[i].points);
    p->target_count = n;
}

/* What `all` has room for. */
static void take_over(struct plan *all, struct plan *from)
{
    for (size_t i = 0; i < from->target_count; i++) {
        struct plan_target *t = &all->targets[all->target_count++];
        *t = from->targets[i];
        t->engine = all->engines + all->engine_count + (t->engine - from->engines);
    }
    for (size_t i = 0; i < from->engine_count; i++)
        all->engines[all->engine_count++] = from->engines[i];
    free(from->targets);
    free(from->engines);
    *from = (struct plan){ 0 };
}

enum status plan_append(struct plan *p, struct plan *more, struct err *err)
{
    struct plan all = { .engines = calloc(p->engine_count + more->engine_count + 1, sizeof *all.engines),
                        .targets = calloc(p->target_count + more->target_count + 1, sizeof *all.targets) };
    if (!all.engines || !all.targets) {
        free(all.engines);
        free(all.targets);
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for a plan");
    }
    take_over(&all, p);
    take_over(&all, more);
    *p = all;
    return ST_OK;
}

void plan_free(struct plan *p)
{
    for (size_t i = 0; i < p->target_count; i++)
        free(p->targets[i].points);
    for (size_t i = 0; i < p->engine_count; i++)
        engine_config_free(&p->engines[i]);
    free(p->targets);
    free(p->engines);
    *p = (struct plan){ 0 };
}
