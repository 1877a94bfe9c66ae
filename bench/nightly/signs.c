#include "bench/nightly/signs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/nightly/device_table.h"
#include "kernels/base/len.h"
#include "tuner/sign.h"

static const struct { enum sign sign; const char *fact; } facts[] = {
    { SIGN_REMAP, "remap_failure" },
    { SIGN_WIDTH, "pcie_width" },
    { SIGN_GENERATION, "pcie_generation" },
};
enum { FACTS = LEN(facts) };

/* --- facts ---------------------------------------------------------------------------------------------- */

/* "pcie_width" of cuda:0, "pcie_width.cuda:1" of the others. */
static bool is_fact_of(const struct field_row *f, const char *fact, const char *device)
{
    const char *rest = f->name + strlen(fact);
    if (strncmp(f->name, fact, strlen(fact)) != 0 || !f->is_number || *f->absent)
        return false;
    return strcmp(device, "cuda:0") == 0 ? !*rest : *rest == '.' && strcmp(rest + 1, device) == 0;
}

/* Keeps the largest: a link that rested for a moment is no worse link. `seen` has no name where nothing was told. */
static void keep_best(struct field_row seen[FACTS], const struct field_row *rows, size_t count, const char *device)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < FACTS; k++)
            if (is_fact_of(&rows[i], facts[k].fact, device) && (!*seen[k].name || rows[i].number > seen[k].number))
                seen[k] = rows[i];
}

static enum status see(struct field_row seen[FACTS], struct store *store, enum store_fields_of of, int64_t id,
                       const char *device, struct err *err)
{
    struct field_row *rows = NULL;
    size_t count = 0;
    enum status st = store_load_fields(&rows, &count, store, of, id, err);
    if (st == ST_OK)
        keep_best(seen, rows, count, device);
    free(rows);
    return st;
}

static enum status see_executions(struct field_row seen[FACTS], struct store *store, const struct night_target *targets,
                                  size_t count, enum night_part part, const char *device, struct err *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < count; i++)
        for (size_t e = 0; e < targets[i].counts[part] && st == ST_OK; e++)
            if (strcmp(targets[i].t->plan->device, device) == 0)
                st = see(seen, store, STORE_FIELDS_EXECUTION, targets[i].executions[part][e], device, err);
    return st;
}

static bool is_first_of_device(const struct night_target *targets, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (strcmp(targets[i].t->plan->device, targets[at].t->plan->device) == 0)
            return false;
    return true;
}

enum status signs_record(struct campaign_state *c, const struct night_target *targets, size_t count, struct err *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < count && st == ST_OK; i++) {
        struct field_row seen[FACTS] = { { .name = "" } };
        const char *device = targets[i].t->plan->device;
        if (!is_first_of_device(targets, i))
            continue;
        st = see_executions(seen, c->store, targets, count, NIGHT_NORMAL, device, err);
        for (size_t k = 0; k < FACTS && st == ST_OK; k++)
            if (*seen[k].name)
                st = store_append_environment(c->store, c->run.id, 0, &seen[k], 1, err);
    }
    return st;
}

/* --- readings ------------------------------------------------------------------------------------------- */

static struct sign_reading reading_of(const struct field_row seen[FACTS], bool throttled)
{
    struct sign_reading r;
    for (size_t s = 0; s < SIGN_COUNT; s++)
        r.value[s] = NAN;
    for (size_t k = 0; k < FACTS; k++)
        if (*seen[k].name)
            r.value[facts[k].sign] = seen[k].number;
    r.value[SIGN_THROTTLED] = throttled;
    return r;
}

static bool throttles(const struct night_target *t, enum night_part part)
{
    for (size_t k = 0; k < t->watch->count; k++)
        if (night_value_of(&t->t->history, t->executions[part], t->counts[part], t->watch->batches[k]).throttled)
            return true;
    return false;
}

/* Of tonight. *measured: some execution of the device was. */
static enum status read_part(struct sign_reading *out, bool *measured, const struct signs_ask *ask, enum night_part part,
                             const char *device, struct err *err)
{
    struct field_row seen[FACTS] = { { .name = "" } };
    bool throttled = false;
    *measured = false;
    for (size_t i = 0; i < ask->target_count; i++)
        if (strcmp(ask->targets[i].t->plan->device, device) == 0) {
            *measured = *measured || ask->targets[i].counts[part] > 0;
            throttled = throttled || throttles(&ask->targets[i], part);
        }
    enum status st = see_executions(seen, ask->store, ask->targets, ask->target_count, part, device, err);
    *out = reading_of(seen, throttled);
    return st;
}

/* --- the base ------------------------------------------------------------------------------------------- */

struct base {
    struct sign_reading nights[VERDICT_WINDOW]; /* [count] the newest first */
    size_t count;
    bool   accepted;                 /* it begins with an accept */
};

/* Start of the newest accept of the whole device; 0: none. */
static int64_t accepted_since(const struct judge_ask *past, const char *device)
{
    int64_t since = 0;
    for (size_t i = 0; i < past->accept_count; i++)
        if (!*past->accepts[i].series && strcmp(past->accepts[i].device, device) == 0)
            since = past->accepts[i].since_unix_s;
    return since;
}

/* The run from which on nights are of the base: with an accept the first that it covers. */
static int64_t first_run(const struct judge_ask *past, int64_t since_unix_s)
{
    int64_t first = INT64_MAX;
    for (size_t i = 0; i < past->run_count; i++)
        if (past->runs[i].start_unix_s >= since_unix_s && past->runs[i].id < first)
            first = past->runs[i].id;
    return since_unix_s ? first : 0;
}

/* Rows [from, upto) are one night: does it belong to the base, and did it throttle? */
static bool is_of_base(bool *throttled, const struct judge_ask *past, size_t from, size_t upto, const char *device,
                       bool accepted)
{
    bool known = false, odd = false;
    *throttled = false;
    for (size_t i = from; i < upto; i++) {
        const struct night_row *row = &past->earlier[i];
        if (strcmp(row->device, device) != 0)
            continue;
        known = true;
        odd = odd || strcmp(row->verdict, verdict_name(VERDICT_INCONCLUSIVE)) == 0 ||
              (night_row_is_machine(row) && row->flagged && !accepted);
        *throttled = *throttled || strcmp(row->validity, "THROTTLED") == 0;
    }
    return known && !odd;
}

static enum status take_base(struct base *out, const struct signs_ask *ask, const char *device, struct err *err)
{
    const struct judge_ask *past = ask->past;
    const int64_t since = accepted_since(past, device), first = first_run(past, since);
    enum status st = ST_OK;
    *out = (struct base){ .accepted = since != 0 };
    for (size_t upto = past->earlier_count, from; upto > 0 && st == ST_OK && out->count < VERDICT_WINDOW; upto = from) {
        struct field_row seen[FACTS] = { { .name = "" } };
        const int64_t run = past->earlier[upto - 1].run;
        bool throttled;
        for (from = upto; from > 0 && past->earlier[from - 1].run == run;)
            from--;
        if (run < first || !is_of_base(&throttled, past, from, upto, device, out->accepted))
            continue;
        st = see(seen, ask->store, STORE_FIELDS_RUN, run, device, err);
        out->nights[out->count++] = reading_of(seen, throttled);
    }
    return st;
}

/* --- the verdict ---------------------------------------------------------------------------------------- */

static void tell(struct night_row *row, enum sign sure)
{
    const char *regressed = verdict_name(VERDICT_REGRESSED);
    row->flagged = true;
    if (strcmp(row->verdict, regressed) == 0)
        return;
    if (sure != SIGN_COUNT) {
        snprintf(row->verdict, sizeof row->verdict, "%s", regressed);
        snprintf(row->path, sizeof row->path, "%s", sign_name(sure));
    } else if (!*row->verdict || strcmp(row->verdict, verdict_name(VERDICT_OK)) == 0)
        snprintf(row->verdict, sizeof row->verdict, "%s", verdict_name(VERDICT_NOISE));
}

/* The device's newest earlier row showed a sign: without it tonight, it has recovered. */
static void tell_recovered(struct night_row *row, const struct judge_ask *past)
{
    for (size_t i = past->earlier_count; i-- > 0;)
        if (strcmp(past->earlier[i].series, row->series) == 0) {
            bool sign = sign_text(past->earlier[i].path) != NULL;
            if (sign && !*row->path)
                snprintf(row->path, sizeof row->path, "%s", JUDGE_RECOVERED);
            return;
        }
}

static enum status judge_device(struct night_row *row, bool *ask_again, const struct signs_ask *ask, struct err *err)
{
    struct base base;
    struct sign_reading now, again;
    bool measured, confirmed;
    enum status st = take_base(&base, ask, row->device, err);
    if (st == ST_OK)
        st = read_part(&now, &measured, ask, NIGHT_NORMAL, row->device, err);
    if (st == ST_OK)
        st = read_part(&again, &confirmed, ask, NIGHT_CONFIRM, row->device, err);
    if (st != ST_OK || !measured || (base.count < VERDICT_LEARN && !base.accepted))
        return st;
    if (sign_of(base.nights, base.count, &now, NULL) == SIGN_COUNT) {
        tell_recovered(row, ask->past);
        return ST_OK;
    }
    *ask_again = *ask_again || !confirmed;
    tell(row, confirmed ? sign_of(base.nights, base.count, &now, &again) : SIGN_COUNT);
    return ST_OK;
}

/* What a device tells of itself is one incident, however many groups its series are in. */
static bool speaks_for_device(const struct night_row *rows, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (night_row_is_machine(&rows[i]) && strcmp(rows[i].device, rows[at].device) == 0)
            return false;
    return night_row_is_machine(&rows[at]);
}

enum status signs_judge(struct night_row *rows, size_t count, bool *ask_again, const struct signs_ask *ask,
                        struct err *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < count && st == ST_OK; i++)
        if (speaks_for_device(rows, i) && strcmp(rows[i].verdict, verdict_name(VERDICT_INCONCLUSIVE)) != 0)
            st = judge_device(&rows[i], ask_again, ask, err);
    return st;
}
