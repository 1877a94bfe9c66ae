#include "bench/measure/open_loop_record.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure/campaign.h"
#include "bench/measure/validity.h"
#include "kernels/base/len.h"
#include "tuner/queue.h"

#define PREFIX "open_loop."
#define GAPS PREFIX "gaps."          /* texts of gaps between arrivals in ns, numbered */
#define DIED "open_loop_died"        /* reasons of marks on a point; value: the rate */
#define SATURATED "open_loop_saturated"
#define LABEL "open_loop"            /* of the execution */
#define GAP_DIGITS 21                /* of a 64-bit number and a blank */

/* --- to the store --------------------------------------------------------------------------------------- */

static struct field_row field(const char *name, double number)
{
    struct field_row f = { .number = number, .is_number = true, .source = "bench", .class_name = "context" };
    snprintf(f.name, sizeof f.name, PREFIX "%s", name);
    return f;
}

/* The gaps from *first on, as many as one text holds; *first is the next one. */
static struct field_row gaps_field(const struct open_loop_ask *ask, size_t place, size_t *first)
{
    struct field_row f = { .source = "bench", .class_name = "context" };
    size_t used = 0;
    snprintf(f.name, sizeof f.name, GAPS "%06zu", place);
    for (; *first < ask->count && used + GAP_DIGITS < sizeof f.text; ++*first) {
        uint64_t before = *first ? ask->arrival_ns[*first - 1] : 0;
        used += (size_t)snprintf(f.text + used, sizeof f.text - used, "%s%" PRIu64, used ? " " : "",
                                 ask->arrival_ns[*first] - before);
    }
    return f;
}

static enum status store_plan(struct store *store, int64_t run, const struct open_loop_fact *fact,
                              uint64_t start_ns, struct err *err)
{
    const struct open_loop_ask *ask = &fact->ask;
    size_t most = 6 + ask->count * GAP_DIGITS / (RECORD_TEXT - GAP_DIGITS) + 1, n = 0;
    struct field_row *fields = calloc(most, sizeof *fields);
    if (!fields)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory for the plan of an open loop");
    fields[n++] = field("batch", ask->batch);
    fields[n++] = field("instances", ask->instances);
    fields[n++] = field("delay_ns", (double)ask->delay_ns);
    fields[n++] = field("rate", ask->rate);
    fields[n++] = field("requests", (double)ask->count);
    fields[n] = field("start_ns", 0);
    fields[n].is_number = false;
    snprintf(fields[n].text, sizeof fields[n].text, "%" PRIu64, start_ns);
    n++;
    for (size_t first = 0, place = 0; first < ask->count && n < most; place++)
        fields[n++] = gaps_field(ask, place, &first);
    enum status st = store_append_environment(store, run, fact->execution, fields, n, err);
    free(fields);
    return st;
}

/* What held the worker back is a mark on the execution. */
static enum status store_disturbance(struct store *store, const struct open_loop_fact *fact, struct err *err)
{
    struct mark_row mark = { .subject = "execution",
                             .subject_id = fact->execution,
                             .value = NAN,
                             .limit = NAN,
                             .rule_version = CAMPAIGN_RULE_VERSION };
    snprintf(mark.reason, sizeof mark.reason, "%s", fact->disturbed);
    return *fact->disturbed ? store_append_mark(store, &mark, err) : ST_OK;
}

static enum status store_call(struct store *store, const struct open_loop_fact *fact, size_t place,
                              uint64_t start_ns, struct err *err)
{
    const struct open_loop_call *call = &fact->calls[place];
    double images_per_s = call->images / ((double)call->service_ns / 1e9);
    struct block_row row = { .execution = fact->execution,
                             .place = (int)place,
                             .batch = call->executed,
                             .kind = BLOCK_OPEN_LOOP,
                             .start_ns = start_ns + call->sent_ns,
                             .end_ns = start_ns + call->answered_ns,
                             .worker_end_ns = call->service_ns,
                             .images = call->images,
                             .outputs = call->executed,
                             .iterations = 1,
                             .y = log(images_per_s),
                             .wall_images_per_s = images_per_s,
                             .valid = true };
    struct store_block_parts parts = { .samples = { .iteration_ns = &call->service_ns } };
    return store_append_block(store, &row, &parts, err);
}

enum status open_loop_store(struct store *store, int64_t run, const struct open_loop_fact *fact,
                            uint64_t start_ns, struct err *err)
{
    enum status st = store_plan(store, run, fact, start_ns, err);
    if (st == ST_OK)
        st = store_disturbance(store, fact, err);
    for (size_t i = 0; i < fact->call_count && st == ST_OK; i++)
        st = store_call(store, fact, i, start_ns, err);
    return st;
}

enum status open_loop_store_end(struct store *store, int64_t target, const struct open_loop_fact *fact,
                                struct err *err)
{
    struct mark_row mark = { .subject = "point", .subject_id = target, .batch = fact->ask.batch,
                             .value = fact->ask.rate, .limit = NAN, .rule_version = CAMPAIGN_RULE_VERSION };
    snprintf(mark.reason, sizeof mark.reason, "%s", fact->end == OPEN_LOOP_DIED ? DIED : SATURATED);
    return store_append_mark(store, &mark, err);
}

/* --- from the store ------------------------------------------------------------------------------------- */

static const struct field_row *find(const struct field_row *fields, size_t count, const char *name)
{
    for (size_t i = count; i-- > 0;)
        if (strncmp(fields[i].name, PREFIX, strlen(PREFIX)) == 0 &&
            strcmp(fields[i].name + strlen(PREFIX), name) == 0)
            return &fields[i];
    return NULL;
}

static double number_of(const struct field_row *fields, size_t count, const char *name)
{
    const struct field_row *f = find(fields, count, name);
    return f && f->is_number ? f->number : 0;
}

/* Arrivals from the texts of gaps, which stand in the order of their names; false: not all are there. */
static bool read_gaps(struct open_loop_ask *ask, const struct field_row *fields, size_t count)
{
    size_t next = 0;
    uint64_t now_ns = 0;
    for (size_t i = 0; i < count; i++) {
        const char *text = fields[i].text;
        if (strncmp(fields[i].name, GAPS, strlen(GAPS)) != 0)
            continue;
        for (char *end; *text && next < ask->count; text = end) {
            now_ns += strtoull(text, &end, 10);
            if (end == text)
                return false;
            ask->arrival_ns[next++] = now_ns;
        }
    }
    return next == ask->count;
}

/* The plan of an execution; fact->ask.arrival_ns stays NULL if it holds none. */
static enum status load_plan(struct open_loop_fact *fact, uint64_t *start_ns, struct store *store,
                             int64_t execution, struct err *err)
{
    struct field_row *fields = NULL;
    size_t count = 0;
    *fact = (struct open_loop_fact){ .execution = execution };
    enum status st = store_load_fields(&fields, &count, store, STORE_FIELDS_EXECUTION, execution, err);
    if (st != ST_OK)
        return st;
    const struct field_row *start = find(fields, count, "start_ns");
    fact->ask = (struct open_loop_ask){ .batch = (int)number_of(fields, count, "batch"),
                                        .instances = (int)number_of(fields, count, "instances"),
                                        .delay_ns = (uint64_t)number_of(fields, count, "delay_ns"),
                                        .rate = number_of(fields, count, "rate"),
                                        .count = (size_t)number_of(fields, count, "requests") };
    *start_ns = start ? strtoull(start->text, NULL, 10) : 0;
    bool known = fact->ask.count > 0 && fact->ask.batch >= 1 && fact->ask.instances >= 1 &&
                 fact->ask.instances <= QUEUE_INSTANCES_MAX;
    if (known) {
        fact->ask.arrival_ns = malloc(fact->ask.count * sizeof *fact->ask.arrival_ns);
        fact->calls = calloc(fact->ask.count, sizeof *fact->calls);
        if (!fact->ask.arrival_ns || !fact->calls)
            st = err_set(err, ST_OUT_OF_MEMORY, "not enough memory for %zu requests", fact->ask.count);
    }
    if (st != ST_OK || (known && !read_gaps(&fact->ask, fields, count)))
        open_loop_fact_free(fact);
    free(fields);
    return st;
}

struct loading {
    struct open_loop_fact *fact;
    uint64_t start_ns;
    size_t   requests;               /* answered by the calls so far */
};

static enum status take_call(void *context, const struct store_block *block, struct err *err)
{
    struct loading *l = context;
    const struct block_row *row = &block->row;
    (void)err;
    if (row->kind != BLOCK_OPEN_LOOP || row->execution != l->fact->execution || row->images < 1 ||
        l->requests + (size_t)row->images > l->fact->ask.count)
        return ST_OK;
    l->fact->calls[l->fact->call_count++] =
        (struct open_loop_call){ .images = row->images,
                                 .executed = row->batch,
                                 .sent_ns = row->start_ns - l->start_ns,
                                 .answered_ns = row->end_ns - l->start_ns,
                                 .service_ns = row->worker_end_ns - row->worker_start_ns };
    l->requests += (size_t)row->images;
    return ST_OK;
}

static void find_disturbance(struct open_loop_fact *fact, const struct mark_row *marks, size_t count)
{
    static const enum validity_rule rules[] = { VALIDITY_QUOTA, VALIDITY_THERMAL };
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < LEN(rules); k++)
            if (marks[i].subject_id == fact->execution && strcmp(marks[i].subject, "execution") == 0 &&
                strcmp(marks[i].reason, validity_name(rules[k])) == 0)
                snprintf(fact->disturbed, sizeof fact->disturbed, "%s", validity_name(rules[k]));
}

static enum status load_loop(struct open_loops *out, struct store *store, int64_t target, int64_t execution,
                             const struct mark_row *marks, size_t mark_count, struct err *err)
{
    struct open_loop_fact fact;
    struct loading l = { .fact = &fact };
    enum status st = load_plan(&fact, &l.start_ns, store, execution, err);
    if (st == ST_OK && fact.ask.arrival_ns)
        st = store_visit_blocks(store, target, false, take_call, &l, err);
    find_disturbance(&fact, marks, mark_count);
    if (st == ST_OK && fact.ask.arrival_ns && l.requests == fact.ask.count)
        return open_loops_add(out, &fact, err);
    open_loop_fact_free(&fact);
    return st;
}

static enum status load_ends(struct open_loops *out, const struct mark_row *marks, size_t count,
                             struct err *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < count && st == ST_OK; i++) {
        bool died = strcmp(marks[i].reason, DIED) == 0;
        struct open_loop_fact fact = { .end = died ? OPEN_LOOP_DIED : OPEN_LOOP_SATURATED,
                                       .ask = { .batch = marks[i].batch, .rate = marks[i].value } };
        if (strcmp(marks[i].subject, "point") == 0 && (died || strcmp(marks[i].reason, SATURATED) == 0))
            st = open_loops_add(out, &fact, err);
    }
    return st;
}

enum status open_loops_load(struct open_loops *out, struct store *store, int64_t target, struct err *err)
{
    struct execution_row *executions = NULL;
    struct mark_row *marks = NULL;
    size_t count = 0, mark_count = 0;
    *out = (struct open_loops){ 0 };
    enum status st = store_load_marks(&marks, &mark_count, store, target, err);
    if (st == ST_OK)
        st = load_ends(out, marks, mark_count, err); /* before the complete ones: those count */
    if (st == ST_OK)
        st = store_load_executions(&executions, &count, store, target, err);
    for (size_t i = 0; i < count && st == ST_OK; i++)
        if (strcmp(executions[i].label, LABEL) == 0)
            st = load_loop(out, store, target, executions[i].id, marks, mark_count, err);
    free(marks);
    store_free_executions(executions, count);
    if (st != ST_OK)
        open_loops_free(out);
    return st;
}
