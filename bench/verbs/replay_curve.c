#include "bench/verbs/replay.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/output/table.h"
#include "bench/replay/invented.h"
#include "bench/replay/replay.h"
#include "kernels/base/json.h"
#include "kernels/base/len.h"

struct replay_row {
    int    batch;
    double images_per_s, ratio, p50_ms, p95_ms, m, c;
    char   why[32], text[192];
};
static const struct field replay_fields[] = {
#define AT(field) .offset = offsetof(struct replay_row, field)
    { .name = "batch", .unit = "images", AT(batch), .type = FIELD_INT },
    { .name = "images_per_s", .unit = "1/s", AT(images_per_s), .type = FIELD_REAL, .digits = 5,
      .significant = true },
    { .name = "ratio_to_best", .unit = "", AT(ratio), .type = FIELD_REAL, .digits = 3 },
    { .name = "service_p50_ms", .heading = "service_p50", .unit = "ms", AT(p50_ms), .type = FIELD_REAL,
      .digits = 1 },
    { .name = "service_p95_ms", .heading = "service_p95", .unit = "ms", AT(p95_ms), .type = FIELD_REAL,
      .digits = 1 },
    { .name = "why", .unit = "", AT(why), .type = FIELD_TEXT },
    { .name = "text", .unit = "", AT(text), .type = FIELD_TEXT },
#undef AT
};

/* --- what is asked for ---------------------------------------------------------------------------------- */

static enum status read_ask(struct replay_ask *ask, struct noise *noise, const struct config *c,
                            struct err *err)
{
    enum status st = ST_OK;
    *ask = (struct replay_ask){ .within = c->within, .alpha = c->alpha, .seed = c->seed_set ? c->seed : 1,
                                .latency = c->objective == OBJECTIVE_LATENCY, .limit = c->limit };
    if (c->objective == OBJECTIVE_ENERGY)
        st = err_set(err, ST_USAGE, "--objective energy: a curve holds no energy, only rates and times");
    if (st == ST_OK && c->noise) {
        st = noise_read(noise, c->noise, err);
        ask->noise = noise;
    }
    return st;
}

/* --- rows ----------------------------------------------------------------------------------------------- */

static double best_y(const struct procedure_answer *p)
{
    double best = NAN;
    for (size_t i = 0; i < p->search.count; i++)
        if (p->whys[i].batch == p->decision.leader)
            best = p->whys[i].y;
    return best;
}

static struct replay_row row_of(const struct replay_ask *ask, const struct replay_answer *a, size_t i)
{
    const struct decide_why *why = &a->procedure->whys[i];
    const struct curve_point *p = curve_find(ask->curve, why->batch);
    struct replay_row r = { .batch = why->batch, .images_per_s = p ? p->images_per_s : NAN,
                            .ratio = exp(why->y - best_y(a->procedure)), .p50_ms = p ? p->p50_ms : NAN,
                            .p95_ms = p ? p->p95_ms : NAN, .m = why->m, .c = why->c };
    bool compared = why->rival && isfinite(why->m);
    if (why->why == WHY_SLOWER_COARSE || why->why == WHY_MIDPOINT_NO_GAIN)
        r.ratio = NAN; /* probes come in ascending order: they are not compared with rounds */
    snprintf(r.why, sizeof r.why, "%s", why_name(why->why));
    if (p && !p->ran)
        snprintf(r.text, sizeof r.text, "%.150s", p->note);
    else if (compared && ask->noise && isfinite(why->c))
        snprintf(r.text, sizeof r.text, "%s: %+.1f +- %.1f %% against %d", decide_why_text(why),
                 100 * expm1(why->m),
                 100 * why->c, why->rival);
    else if (compared)
        snprintf(r.text, sizeof r.text, "%s: %+.1f %% against %d", decide_why_text(why), 100 * expm1(why->m),
                 why->rival);
    else
        snprintf(r.text, sizeof r.text, "%s", decide_why_text(why));
    return r;
}

static void print_text(const struct replay_ask *ask, const struct replay_answer *a, const struct table *table)
{
    const struct procedure_answer *p = a->procedure;
    const struct decide_answer *d = &p->decision;
    if (ask->curve->origin[0])
        printf("%s\n\n", ask->curve->origin);
    table_write_text(stdout, table);
    if (d->batch)
        printf("\noptimal %d, max_safe %d, %s%s: %s\n", d->batch, a->max_safe.max_safe,
               decide_confidence_name(d->confidence), d->verified ? " and verified" : "", a->reason);
    if (ask->noise)
        printf("simulated: %zu blocks while probing, %zu in %zu rounds, %zu for the verification\n",
               p->coarse_blocks, p->race_blocks, p->rounds, p->verify_blocks);
    if (p->repeated)
        printf("%zu of these blocks were repeated because the machine throttled\n", p->repeated);
}

/* --- JSON ----------------------------------------------------------------------------------------------- */

/* The object `decision` of batch_sizes.json. */
static json_t *decision_json(const struct replay_answer *a)
{
    const struct decide_answer *d = &a->procedure->decision;
    json_t *none = json_null();
    return json_pack("{s:o, s:s, s:b, s:o, s:s, s:o, s:{s:n, s:n, s:s}}",
                     "batch", d->batch ? json_integer(d->batch) : none,
                     "confidence", decide_confidence_name(d->confidence), "verified", d->verified,
                     "cause", d->cause != RACE_CAUSE_NONE ? json_string(race_cause_name(d->cause)) : none,
                     "reason", a->reason, "pending", d->pending ? json_integer(d->pending) : none,
                     "incumbent", "batch", "source", "outcome", decide_outcome_name(d->outcome));
}

static enum status print_json(const struct replay_ask *ask, const struct replay_answer *a,
                              const struct table *table,
                              struct err *err)
{
    const struct procedure_answer *p = a->procedure;
    const struct decide_answer *d = &p->decision;
    json_t *all = json_pack("{s:o, s:o, s:o, s:o}", "decision", decision_json(a),
                            "optimal_batch_size", d->batch ? json_integer(d->batch) : json_null(),
                            "max_safe_batch_size", d->batch ? json_integer(a->max_safe.max_safe)
                                                        : json_null(),
                            "curve", table_json(table));
    if (all && ask->noise)
        json_object_set_new(all, "simulated", json_pack("{s:I, s:I, s:I, s:I, s:I}",
                            "coarse_blocks", (json_int_t)p->coarse_blocks, "race_blocks",
                            (json_int_t)p->race_blocks, "rounds", (json_int_t)p->rounds, "verify_blocks",
                            (json_int_t)p->verify_blocks, "repeated", (json_int_t)p->repeated));
    char *text = all ? json_write_text(all, JSON_INDENTED) : NULL;
    json_decref(all);
    if (!text)
        return err_set(err, ST_INTERNAL, "not enough memory to print the decision");
    fputs(text, stdout);
    free(text);
    return ST_OK;
}

/* --- the verb ------------------------------------------------------------------------------------------- */

static enum status outcome_of(const struct replay_answer *a, struct err *err)
{
    const struct decide_answer *d = &a->procedure->decision;
    if (!d->batch)
        return err_set(err, ST_BAD_NEWS, "%s", a->reason);
    return d->confidence >= DECIDE_WITHIN ? ST_OK : ST_UNDECIDED;
}

static enum status print_answer(const struct replay_ask *ask, const struct replay_answer *a, bool json,
                                struct err *err)
{
    struct replay_row rows[SEARCH_SIZES_MAX];
    struct table table = { .fields = replay_fields,
                           .field_count = LEN(replay_fields),
                           .rows = rows, .row_size = sizeof *rows, .row_count = a->procedure->search.count,
                           .marked = -1, .mark_text = "<- chosen", .colour = table_colour(stdout) };
    for (size_t i = 0; i < table.row_count; i++) {
        rows[i] = row_of(ask, a, i);
        if (a->procedure->whys[i].why == WHY_CHOSEN)
            table.marked = (int)i;
    }
    if (json)
        return print_json(ask, a, &table, err);
    print_text(ask, a, &table);
    return ST_OK;
}

/* A plain word names an invented curve, everything else is a path. */
static enum status open_curve(struct recorded_curve *out, const char *name, struct err *err)
{
    bool word = !strchr(name, '/') && !strchr(name, '.');
    return word ? invented_curve(out, name, err) : curve_read(out, name, err);
}

enum status replay_a_curve(const struct invocation *inv, struct err *err)
{
    struct recorded_curve curve = { 0 };
    struct replay_ask ask;
    struct replay_answer answer = { 0 };
    struct noise noise;
    enum status st = read_ask(&ask, &noise, inv->config, err);
    if (st == ST_OK)
        st = open_curve(&curve, inv->config->curve, err);
    ask.curve = &curve;
    if (st == ST_OK)
        st = replay_curve(&answer, &ask, err);
    if (st == ST_OK)
        st = print_answer(&ask, &answer, inv->config->json, err);
    if (st == ST_OK)
        st = outcome_of(&answer, err);
    replay_free(&answer);
    curve_free(&curve);
    return st;
}
