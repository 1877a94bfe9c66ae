#include "bench/verbs/verbs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/measure/campaign.h"
#include "bench/measure/plan.h"
#include "bench/output/table.h"
#include "bench/verbs/files.h"
#include "kernels/base/json.h"
#include "kernels/base/len.h"
#include "kernels/base/text.h"

/* One line of the plan: a point of a target. */
struct point_line {
    char   model[RECORD_NAME], engine[RECORD_NAME], device[RECORD_NAME], precision[16], input[32];
    int    instances, threads, batch;
    uint64_t predicted_bytes;
    double predicted_s, images_per_s;
};
static const struct field point_fields[] = {
#define AT(field) .offset = offsetof(struct point_line, field)
    { .name = "model", .unit = "", AT(model), .type = FIELD_TEXT },
    { .name = "engine", .unit = "", AT(engine), .type = FIELD_TEXT },
    { .name = "device", .unit = "", AT(device), .type = FIELD_TEXT },
    { .name = "precision", .unit = "", AT(precision), .type = FIELD_TEXT },
    { .name = "input", .unit = "CxHxW", AT(input), .type = FIELD_TEXT },
    { .name = "instances", .unit = "", AT(instances), .type = FIELD_INT },
    { .name = "threads", .unit = "", AT(threads), .type = FIELD_INT },
    { .name = "batch", .unit = "images", AT(batch), .type = FIELD_INT },
    { .name = "predicted_memory", .unit = "bytes", AT(predicted_bytes), .type = FIELD_BYTES },
    { .name = "predicted_time", .unit = "s", AT(predicted_s), .type = FIELD_REAL, .digits = 1 },
    { .name = "images_per_s", .unit = "1/s", AT(images_per_s), .type = FIELD_REAL, .digits = 2 },
#undef AT
};

static void fill_line(struct point_line *line, const struct plan_target *t, const struct plan_point *p)
{
    snprintf(line->model, sizeof line->model, "%s", t->model.name);
    snprintf(line->engine, sizeof line->engine, "%s", t->engine->name);
    snprintf(line->device, sizeof line->device, "%s", t->device);
    snprintf(line->precision, sizeof line->precision, "%s", t->precision);
    snprintf(line->input, sizeof line->input, "%dx%dx%d", t->shape[0], t->shape[1], t->shape[2]);
    line->instances = t->instances;
    line->threads = t->threads;
    line->batch = p->batch;
    line->predicted_bytes = p->predicted_bytes;
    line->predicted_s = p->predicted_s;
    line->images_per_s = p->images_per_s;
}

static size_t count_points(const struct plan *plan)
{
    size_t count = 0;
    for (size_t i = 0; i < plan->target_count; i++)
        count += plan->targets[i].point_count;
    return count;
}

static void fill_lines(struct point_line *lines, const struct plan *plan)
{
    size_t at = 0;
    for (size_t i = 0; i < plan->target_count; i++)
        for (size_t k = 0; k < plan->targets[i].point_count; k++)
            fill_line(&lines[at++], &plan->targets[i], &plan->targets[i].points[k]);
}

static uint64_t budget_ns(const struct config *config, const struct plan *plan)
{
    return config->budget_set ? config->budget_ns : CAMPAIGN_BUDGET_NS * plan->target_count;
}

static void print_totals(const struct config *config, const struct plan *plan, size_t points)
{
    char predicted[32] = "-", budget[32] = "none";
    double seconds = plan_predicted_s(plan);
    if (!isnan(seconds))
        text_of_duration(predicted, sizeof predicted, (uint64_t)(seconds * 1e9));
    if (budget_ns(config, plan))
        text_of_duration(budget, sizeof budget, budget_ns(config, plan));
    printf("\n%zu target%s, %zu point%s%s; predicted time %s, budget %s\n", plan->target_count,
           plan->target_count == 1 ? "" : "s", points, points == 1 ? "" : "s",
           config->batches_auto ? " at most (auto ends where doubling no longer pays)" : "", predicted,
           budget);
}

static enum status print_json(const struct config *config, const struct plan *plan, const struct table *table,
                              struct err *err)
{
    double seconds = plan_predicted_s(plan);
    json_t *total = isnan(seconds) ? json_null() : json_real6(seconds);
    json_t *all = json_pack("{s:i, s:o, s:f, s:o}", "targets", (int)plan->target_count, "predicted_s", total,
                            "budget_s", (double)budget_ns(config, plan) / 1e9, "points", table_json(table));
    char *text = all ? json_write_text(all, JSON_INDENTED) : NULL;
    json_decref(all);
    if (!text)
        return err_set(err, ST_INTERNAL, "not enough memory to print the plan");
    fputs(text, stdout);
    free(text);
    return ST_OK;
}

static enum status print_plan(const struct config *config, const struct plan *plan, struct err *err)
{
    size_t points = count_points(plan);
    struct point_line *lines = calloc(points ? points : 1, sizeof *lines);
    if (!lines)
        return err_set(err, ST_INTERNAL, "not enough memory to print %zu points", points);
    fill_lines(lines, plan);
    struct table table = { .fields = point_fields, .field_count = LEN(point_fields), .rows = lines,
                           .row_size = sizeof *lines, .row_count = points, .marked = -1,
                           .colour = table_colour(stdout) };
    enum status st = ST_OK;
    if (config->json) {
        st = print_json(config, plan, &table, err);
    } else {
        table_write_text(stdout, &table);
        print_totals(config, plan, points);
    }
    free(lines);
    return st;
}

enum status verb_plan(const struct invocation *inv, struct err *err)
{
    const struct config *config = inv->config;
    struct store *store = NULL;
    struct plan plan;
    char path[FILES_PATH_MAX];
    enum status st = ST_OK;
    files_store_path(path, config->out);
    if (access(path, F_OK) == 0) /* without a store nothing is known, and that is no error */
        st = store_open(&store, path, STORE_READ, err);
    if (st == ST_OK)
        st = plan_make(&plan, config, store, err);
    if (st == ST_OK) {
        st = print_plan(config, &plan, err);
        plan_free(&plan);
    }
    store_close(store);
    return st;
}
