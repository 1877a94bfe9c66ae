#include "bench/doctor/plan.h"

#include <stdio.h>
#include <string.h>

#include "kernels/base/json.h"

#define PLAN_FILE_MAX ((size_t)16 << 20)
#define MOST 65536

static enum status take_point(struct doctor_plan *plan, const json_t *point, const char *where, struct err *err)
{
    int64_t threads, instances;
    const char *device, *precision;
    const json_t *memory = json_object_get(point, "predicted_memory");
    if (!json_is_object(point))
        return err_set(err, ST_CONFIG, "%s must be an object, as bench plan --json prints it", where);
    if (json_get_text(&device, point, where, "device", err) != ST_OK ||
        json_get_text(&precision, point, where, "precision", err) != ST_OK ||
        json_get_int(&threads, point, where, "threads", 1, MOST, err) != ST_OK ||
        json_get_int(&instances, point, where, "instances", 1, MOST, err) != ST_OK)
        return ST_CONFIG;
    if (strncmp(device, "cpu", 3) != 0)
        return ST_OK;
    if (threads * instances > plan->threads)
        plan->threads = (int)(threads * instances);
    if (json_is_number(memory) && json_number_value(memory) > plan->memory_bytes)
        plan->memory_bytes = json_number_value(memory);
    plan->bf16 |= strcmp(precision, "bf16") == 0;
    return ST_OK;
}

enum status doctor_plan_read(struct doctor_plan *out, const char *path, struct err *err)
{
    char where[256];
    enum status st = ST_OK;
    *out = (struct doctor_plan){ 0 };
    json_t *file = json_read_file(path, PLAN_FILE_MAX, err);
    if (!file)
        return err_set(err, ST_CONFIG, "--plan: %s", err ? err->text : path);
    const json_t *points = json_object_get(file, "points");
    if (!json_is_array(points))
        st = err_set(err, ST_CONFIG, "--plan: %s: has no list \"points\": give what bench plan --json prints", path);
    for (size_t i = 0; st == ST_OK && i < json_array_size(points); i++) {
        snprintf(where, sizeof where, "--plan: %.200s: points[%zu]", path, i);
        st = take_point(out, json_array_get(points, i), where, err);
    }
    if (st != ST_OK && err)
        err->status = ST_CONFIG;
    json_decref(file);
    return st == ST_OK ? ST_OK : ST_CONFIG;
}
