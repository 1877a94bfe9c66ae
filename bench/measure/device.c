#include "bench/measure/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure/comparability.h"

static const char source[] = "NVML of ";

bool device_is_fact(const struct field_row *row)
{
    return strncmp(row->source, source, sizeof source - 1) == 0;
}

/* --- the limit ------------------------------------------------------------------------------------------- */

/* The reserve covers fragmentation and neighbours. */
static void set_limit(struct campaign_device *d, const struct config *config, uint64_t all_bytes)
{
    uint64_t free_bytes;
    if (!gpu_memory_free(&free_bytes, d->gpu))
        free_bytes = all_bytes;
    d->limit_bytes = (uint64_t)((double)free_bytes * (1 - config->reserve));
    if (config->memory_limit_bytes && (!d->limit_bytes || config->memory_limit_bytes < d->limit_bytes))
        d->limit_bytes = config->memory_limit_bytes;
}

static void set_used(struct campaign_device *d)
{
    for (size_t i = 0; i < d->fact_count; i++)
        if (strncmp(d->facts[i].name, "device_memory_used_bytes", strlen("device_memory_used_bytes")) == 0 &&
            d->facts[i].is_number)
            d->used_bytes = (uint64_t)d->facts[i].number;
}

/* --- a resumed campaign ---------------------------------------------------------------------------------- */

/* Leaves the rows of one device. */
static size_t keep_own(struct field_row *rows, size_t count, const struct field_row *like)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].source, like->source) == 0)
            rows[kept++] = rows[i];
    return kept;
}

static enum status check_same(const struct campaign_device *d, const struct campaign_state *c, struct err *err)
{
    struct field_row *then = NULL;
    size_t count = 0;
    char was[RECORD_TEXT], is[RECORD_TEXT];
    enum status st = store_load_fields(&then, &count, c->store, STORE_FIELDS_RUN, c->run.id, err);
    if (st != ST_OK)
        return st;
    count = keep_own(then, count, &d->facts[0]);
    const char *field = comparability_field(was, is, then, count, d->facts, d->fact_count);
    if (field)
        st = err_set(err, ST_USAGE,
                     "campaign %s cannot be continued: %s of %s was \"%.200s\" when it began and is "
                     "\"%.200s\" now: begin a new one without --resume",
                     c->run.name, field, d->id, was, is);
    free(then);
    return st;
}

/* --- devices --------------------------------------------------------------------------------------------- */

static struct campaign_device *find(const struct campaign_state *c, const char *id)
{
    for (size_t i = 0; i < c->device_count; i++)
        if (strcmp(c->devices[i]->id, id) == 0)
            return c->devices[i];
    return NULL;
}

static enum status keep(struct campaign_state *c, struct campaign_device *d, struct err *err)
{
    struct campaign_device **moved = realloc(c->devices, (c->device_count + 1) * sizeof *moved);
    if (!moved)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for device %s", d->id);
    c->devices = moved;
    c->devices[c->device_count++] = d;
    return ST_OK;
}

static void release(struct campaign_device *d)
{
    if (d)
        gpu_close(d->gpu);
    free(d);
}

static enum status meet(struct campaign_device **out, struct campaign_state *c,
                        const struct worker_device *told, struct err *err)
{
    struct campaign_device *d = calloc(1, sizeof *d);
    *out = NULL;
    if (!d)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for device %s", told->id);
    snprintf(d->id, sizeof d->id, "%s", told->id);
    enum status st = gpu_open(&d->gpu, c->context->machine_root, told->uuid, err);
    if (st == ST_OK) {
        d->fact_count = gpu_facts(d->facts, d->gpu, d->id);
        set_used(d);
        set_limit(d, c->config, told->memory_bytes);
        st = check_same(d, c, err);
    }
    if (st == ST_OK)
        st = store_append_environment(c->store, c->run.id, 0, d->facts, d->fact_count, err);
    if (st == ST_OK)
        st = keep(c, d, err);
    if (st == ST_OK)
        *out = d;
    else
        release(d);
    return st;
}

enum status device_take(struct campaign_device **out, struct campaign_state *c,
                        const struct worker_device *told, struct err *err)
{
    *out = find(c, told->id);
    return *out ? gpu_check((*out)->gpu, err) : meet(out, c, told, err);
}

enum status device_record(struct campaign_device *d, struct campaign_state *c, int64_t execution,
                          struct err *err)
{
    struct field_row rows[GPU_FACTS_MAX];
    if (!gpu_is_known(d->gpu))
        return ST_OK;
    const size_t count = gpu_facts(rows, d->gpu, d->id);
    return store_append_environment(c->store, c->run.id, execution, rows, count, err);
}

enum status device_end_if_lost(struct campaign_state *c, struct target_state *t, struct err *err)
{
    struct err why = { 0 };
    char text[ERR_TEXT_MAX];
    if (gpu_check(t->device->gpu, &why) == ST_OK)
        return ST_OK;
    snprintf(text, sizeof text, "%s: %.800s", t->plan->name, why.text);
    return target_end(c, t, ST_ENVIRONMENT, WHY_NONE, text, err);
}

void devices_close(struct campaign_state *c)
{
    for (size_t i = 0; i < c->device_count; i++)
        release(c->devices[i]);
    free(c->devices);
    c->devices = NULL;
    c->device_count = 0;
}
