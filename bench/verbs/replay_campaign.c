#include "bench/verbs/replay.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure/results_estimates.h"
#include "bench/output/table.h"
#include "bench/replay/campaign.h"
#include "bench/verbs/files.h"
#include "kernels/base/json.h"
#include "kernels/base/len.h"

enum { NAME_SIZE = 384 };

/* --- one table of why ----------------------------------------------------------------------------------- */

struct why_line {
    int    batch;
    double images_per_s, m, c;
    char   before[32], why[32], text[RECORD_TEXT];
};
#define AT(field) .offset = offsetof(struct why_line, field)
#define BATCH { .name = "batch", .unit = "images", AT(batch), .type = FIELD_INT }
#define RATE { .name = "images_per_s", .unit = "1/s", AT(images_per_s), .type = FIELD_REAL, .digits = 5, \
               .significant = true }
#define DATA { .name = "m", .unit = "ln", AT(m), .type = FIELD_REAL, .data_only = true }, \
             { .name = "c", .unit = "ln", AT(c), .type = FIELD_REAL, .data_only = true }
#define WHY { .name = "why", .unit = "", AT(why), .type = FIELD_TEXT }
#define TEXT { .name = "text", .unit = "", AT(text), .type = FIELD_TEXT }
static const struct field why_fields[] = { BATCH, RATE, DATA, WHY, TEXT };
static const struct field both_fields[] = {
    BATCH, RATE, DATA,
    { .name = "stored_why", .heading = "as stored", .unit = "", AT(before), .type = FIELD_TEXT },
    { .name = "why", .heading = "under these", .unit = "", AT(why), .type = FIELD_TEXT }, TEXT,
};
#undef AT

static const char *reason_of(const struct results *r, int batch)
{
    for (size_t i = 0; i < r->why_count; i++)
        if (r->whys[i].batch == batch)
            return r->whys[i].reason;
    return "-";
}

/* [results->why_count] lines, for free(); NULL if memory is out. */
static struct why_line *lines_of(const struct results *results, const struct results *before)
{
    struct why_line *lines = calloc(results->why_count + 1, sizeof *lines);
    for (size_t i = 0; lines && i < results->why_count; i++) {
        const struct why_row *w = &results->whys[i];
        lines[i] = (struct why_line){ .batch = w->batch, .images_per_s = results_rate_of(results, w->batch),
                                      .m = w->m, .c = w->c };
        snprintf(lines[i].before, sizeof lines[i].before, "%s", reason_of(before, w->batch));
        snprintf(lines[i].why, sizeof lines[i].why, "%s", w->reason);
        snprintf(lines[i].text, sizeof lines[i].text, "%s", w->text);
    }
    return lines;
}

static struct table table_of(const struct why_line *lines, const struct results *results, bool both)
{
    struct table table = { .fields = both ? both_fields : why_fields,
                           .field_count = both ? LEN(both_fields) : LEN(why_fields), .rows = lines,
                           .row_size = sizeof *lines, .row_count = results->why_count, .marked = -1,
                           .mark_text = "<- chosen", .colour = table_colour(stdout) };
    for (size_t i = 0; i < results->why_count; i++)
        if (strcmp(lines[i].why, "chosen") == 0)
            table.marked = (int)i;
    return table;
}

/* --- text ----------------------------------------------------------------------------------------------- */

static void name_target(char out[NAME_SIZE], const struct target_row *t)
{
    snprintf(out, NAME_SIZE, "%s %s %s %s, %dx%dx%d, %s, %d thread%s, %d instance%s", t->model, t->engine,
             t->device, t->precision, t->shape[0], t->shape[1], t->shape[2], t->mode, t->threads,
             t->threads == 1 ? "" : "s", t->instances, t->instances == 1 ? "" : "s");
}

static void print_decision(const char *label, const struct results *r)
{
    const struct decision_row *d = &r->decision;
    if (!r->has_decision)
        printf("%sno decision: nothing was tried\n", label);
    else if (!d->batch)
        printf("%s%s\n", label, d->reason);
    else
        printf("%soptimal %d, max_safe %d, %s%s%s%s: %s\n", label, d->optimal, d->max_safe, d->confidence,
               d->verified ? " and verified" : "", *d->cause ? ", " : "", d->cause, d->reason);
}

static void print_compared(const struct replayed *r, const struct replayed_target *t)
{
    if (!r->ended)
        puts("not compared: the campaign has not ended, its blocks may be newer than its results");
    else if (*t->difference)
        printf("differs from what is stored: %s\n", t->difference);
    else
        puts("bit-equal to what is stored");
}

static enum status print_target(const struct replayed *r, const struct replayed_target *t, struct err *err)
{
    const struct results *shown = t->other ? t->other : t->again;
    struct why_line *lines = lines_of(shown, t->again);
    char name[NAME_SIZE];
    if (!lines)
        return err_set(err, ST_OUT_OF_MEMORY, "not enough memory to print a decision");
    struct table table = table_of(lines, shown, t->other != NULL);
    name_target(name, &t->stored->row);
    printf("\n%s\n", name);
    if (shown->why_count)
        table_write_text(stdout, &table);
    print_decision(t->other ? "as stored:   " : "", t->again);
    if (t->other)
        print_decision("under these: ", t->other);
    print_compared(r, t);
    free(lines);
    return ST_OK;
}

static void print_limit(const struct latency_limit *limit)
{
    if (limit->percentile > 0)
        printf(", %sp%.10g <= %.10g ms", limit->response ? "response " : "", 100 * limit->percentile,
               limit->limit_ms);
}

static void print_rules(const char *label, const struct config *c)
{
    printf("%swithin %.4g %%, alpha %.4g %%, %s", label, 100 * c->within, 100 * c->alpha,
           objective_name(c->objective));
    print_limit(&c->limit);
    putchar('\n');
}

static enum status print_text(const struct replayed *r, const struct config *other, struct err *err)
{
    size_t blocks = 0;
    enum status st = ST_OK;
    for (size_t i = 0; i < r->count; i++)
        blocks += r->targets[i].history.count;
    printf("campaign %s (%s), decided again from %zu stored blocks\n", r->campaign->run.name,
           r->campaign->run.state, blocks);
    print_rules(other ? "as stored:   " : "", &r->config);
    if (other) {
        print_rules("under these: ", other);
        puts("(the blocks are those that were measured for the parameters as stored)");
    }
    for (size_t i = 0; i < r->count && st == ST_OK; i++)
        st = print_target(r, &r->targets[i], err);
    return st;
}

/* --- JSON ----------------------------------------------------------------------------------------------- */

static json_t *size_json(int batch)
{
    return batch ? json_integer(batch) : json_null();
}

static json_t *text_json(const char *text)
{
    return *text ? json_string(text) : json_null();
}

static json_t *rules_json(const struct config *c)
{
    const struct latency_limit *l = &c->limit;
    const char *kind = l->response ? "response" : "service";
    json_t *limit = l->percentile == 0 ? json_null()
                                       : json_pack("{s:s, s:f, s:f}", "kind", kind, "percentile",
                                                   l->percentile, "limit_ms", l->limit_ms);
    return json_pack("{s:f, s:f, s:s, s:o}", "within", c->within, "alpha", c->alpha, "objective",
                     objective_name(c->objective), "limit", limit);
}

static json_t *results_json(const struct results *r, const struct results *before)
{
    const struct decision_row *d = &r->decision;
    struct why_line *lines = lines_of(r, before);
    if (!lines)
        return NULL;
    struct table table = table_of(lines, r, r != before);
    json_t *decision = !r->has_decision ? json_null()
        : json_pack("{s:o, s:o, s:o, s:s, s:b, s:o, s:o, s:o, s:s}", "batch", size_json(d->batch), "optimal",
                    size_json(d->optimal), "max_safe", size_json(d->max_safe), "confidence", d->confidence,
                    "verified", d->verified, "cause", text_json(d->cause), "leader", size_json(d->leader),
                    "pending", size_json(d->pending), "reason", d->reason);
    json_t *out = json_pack("{s:o, s:o}", "decision", decision, "why", table_json(&table));
    free(lines);
    return out;
}

static json_t *target_json(const struct replayed *r, const struct replayed_target *t)
{
    const struct target_row *row = &t->stored->row;
    json_t *equal = r->ended ? json_boolean(!*t->difference) : json_null();
    json_t *out = json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:o, s:o, s:o}", "model", row->model, "engine",
                            row->engine, "device", row->device, "precision", row->precision, "key", row->key,
                            "blocks", (int)t->history.count, "bit_equal", equal, "difference",
                            text_json(r->ended ? t->difference : ""), "again",
                            results_json(t->again, t->again));
    if (out && t->other)
        json_object_set_new(out, "other", results_json(t->other, t->again));
    return out;
}

static enum status print_json(const struct replayed *r, const struct config *other, struct err *err)
{
    json_t *targets = json_array();
    for (size_t i = 0; i < r->count; i++)
        json_array_append_new(targets, target_json(r, &r->targets[i]));
    json_t *all = json_pack("{s:s, s:s, s:o, s:o}", "campaign", r->campaign->run.name, "state",
                            r->campaign->run.state, "rules", rules_json(&r->config), "targets", targets);
    if (all && other)
        json_object_set_new(all, "other_rules", rules_json(other));
    char *text = all ? json_write_text(all, JSON_INDENTED) : NULL;
    json_decref(all);
    if (!text)
        return err_set(err, ST_INTERNAL, "not enough memory to print the decisions");
    fputs(text, stdout);
    free(text);
    return ST_OK;
}

/* --- the verb ------------------------------------------------------------------------------------------- */

static enum status first_difference(const struct replayed *r, struct err *err)
{
    char name[NAME_SIZE];
    for (size_t i = 0; i < r->count && r->ended; i++)
        if (*r->targets[i].difference) {
            name_target(name, &r->targets[i].stored->row);
            return err_set(err, ST_BAD_NEWS, "campaign %s does not replay to what is stored: %s: %s",
                           r->campaign->run.name, name, r->targets[i].difference);
        }
    return ST_OK;
}

static enum status outcome_of_other(const struct replayed *r, struct err *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < r->count; i++) {
        const struct results *o = r->targets[i].other;
        if (!o || !o->has_decision)
            continue;
        if (!o->decision.batch)
            return err_set(err, ST_BAD_NEWS, "%s under these parameters: %s", r->targets[i].stored->row.model,
                           o->decision.reason);
        const char *confidence = o->decision.confidence;
        bool sure = strcmp(confidence, "decided") == 0 || strcmp(confidence, "within") == 0;
        st = sure ? st : ST_UNDECIDED;
    }
    return st;
}

static bool same_rules(const struct config *a, const struct config *b)
{
    return a->within == b->within && a->alpha == b->alpha && a->objective == b->objective &&
           a->limit.percentile == b->limit.percentile && a->limit.limit_ms == b->limit.limit_ms &&
           a->limit.response == b->limit.response;
}

/* The settings of the campaign under the flags of now. */
static enum status read_other(struct config *out, const struct invocation *inv, const struct replayed *r,
                              struct err *err)
{
    const char *words[1];
    size_t word_count;
    struct config_ask ask = *inv->ask;
    ask.base_text = r->campaign->run.config_text;
    return config_read(out, words, &word_count, &ask, err);
}

static enum status decide_and_print(struct replayed *r, const struct invocation *inv, struct err *err)
{
    struct config other = { 0 };
    enum status st = read_other(&other, inv, r, err);
    bool differs = st == ST_OK && !same_rules(&other, &r->config);
    if (differs)
        st = replayed_decide(r, &other, err);
    if (st == ST_OK)
        st = inv->config->json ? print_json(r, differs ? &other : NULL, err)
                               : print_text(r, differs ? &other : NULL, err);
    if (st == ST_OK)
        st = first_difference(r, err);
    if (st == ST_OK)
        st = outcome_of_other(r, err);
    config_free(&other);
    return st;
}

enum status replay_a_campaign(const struct invocation *inv, struct err *err)
{
    struct store *store = NULL;
    struct replayed *r = NULL;
    enum status st = files_open_store(&store, inv->config->out, STORE_READ, err);
    if (st == ST_OK)
        st = replayed_open(&r, store, inv->word_count ? inv->words[0] : NULL, err);
    store_close(store);
    if (st == ST_OK)
        st = decide_and_print(r, inv, err);
    replayed_close(r);
    return st;
}
