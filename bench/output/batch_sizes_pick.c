#include "bench/output/batch_sizes_entry.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench/output/curves.h"

/* --- output.for --- */

static bool same_or_any(const char *wanted, const char *name)
{
    return !*wanted || strcmp(wanted, "*") == 0 || strcmp(wanted, name) == 0;
}

static bool row_matches(const struct output_for *row, const struct target_row *t)
{
    return same_or_any(row->model, t->model) && same_or_any(row->engine, t->engine) &&
           same_or_any(row->device, t->device) && same_or_any(row->precision, t->precision);
}

enum status pick_check_rows(const struct campaign *campaign, const struct config *config, struct err *err)
{
    for (size_t r = 0; r < config->output_for_count; r++) {
        const struct output_for *row = &config->output_for[r];
        bool found = false;
        for (size_t t = 0; t < campaign->target_count; t++)
            found |= row_matches(row, &campaign->targets[t].row);
        if (!found)
            return err_set(err, ST_CONFIG,
                           "output.for.%s (engine %s, device %s, precision %s) matches no target of "
                           "campaign %s: name one that was measured",
                           *row->model ? row->model : "*", *row->engine ? row->engine : "any",
                           *row->device ? row->device : "any", *row->precision ? row->precision : "any",
                           campaign->run.name);
    }
    return ST_OK;
}

/* The row that rules a model: one with its name before one for any. NULL: none. */
static const struct output_for *row_of_model(const struct config *config, const char *model)
{
    const struct output_for *any = NULL;
    for (size_t r = 0; r < config->output_for_count; r++) {
        const struct output_for *row = &config->output_for[r];
        if (strcmp(row->model, model) == 0)
            return row;
        if (same_or_any(row->model, model))
            any = row;
    }
    return any;
}

/* --- which targets count --- */

static bool was_tried(const struct target_view *t)
{
    for (size_t i = 0; i < t->point_count; i++)
        if (t->points[i].has_estimate || t->points[i].has_prepared)
            return true;
    return t->has_decision;
}

static bool gate_failed(const struct target_view *t)
{
    return strcmp(curve_output_word(t), "failed") == 0;
}

/* NULL if the target may speak for its model, else the outcome. */
static const char *obstacle(const struct target_view *t)
{
    if (gate_failed(t))
        return "inaccurate";
    if (!t->has_decision)
        return *t->row.result ? t->row.result : "unfinished";
    const struct point_view *point = target_chosen(t);
    if (!point) /* sizes that were not reached may do */
        return strcmp(t->decision.cause, "budget") == 0 ? "unfinished" : "no_usable_size";
    return point->has_prepared && point->prepared.peak_bytes ? NULL : "memory_unknown";
}

static void describe_obstacle(struct pick *out, const struct target_view *t, const char *outcome)
{
    char no_size[DECIDED_TEXT];
    decided_claim(no_size, t);
    const char *text = no_size;
    if (strcmp(outcome, "unfinished") == 0 && t->has_decision && t->decision.batch)
        snprintf(no_size, sizeof no_size, "batch %d, which is in use, was not reached", t->decision.batch);
    if (strcmp(outcome, "memory_unknown") == 0)
        text = "the engine told no peak memory, without which the entry cannot be written";
    if (strcmp(outcome, "inaccurate") == 0)
        for (size_t i = 0; i < t->accuracy_count; i++)
            if (strcmp(t->accuracy[i].outcome, "failed") == 0 && *t->accuracy[i].detail)
                text = t->accuracy[i].detail;
    snprintf(out->outcome, sizeof out->outcome, "%s", outcome);
    snprintf(out->text, sizeof out->text, "%s", *text ? text : "no batch size could be decided");
}

/* --- the fastest, ties by cost --- */

static double rate_of(const struct target_view *t)
{
    return point_images_per_s(target_chosen(t));
}

static bool is_verified(const struct target_view *t)
{
    return target_chosen(t)->has_verified;
}

/* Negative if a costs less to run than b: fewer instances, fewer threads, less memory. */
static int compare_cost(const struct target_view *a, const struct target_view *b)
{
    uint64_t memory_a = target_chosen(a)->prepared.peak_bytes;
    uint64_t memory_b = target_chosen(b)->prepared.peak_bytes;
    if (a->row.instances != b->row.instances)
        return a->row.instances < b->row.instances ? -1 : 1;
    if (a->row.threads != b->row.threads)
        return a->row.threads < b->row.threads ? -1 : 1;
    return memory_a == memory_b ? 0 : memory_a < memory_b ? -1 : 1;
}

struct choice {
    const struct campaign *campaign;
    const struct config *config;
    const char *model;
    const struct output_for *row;
};

static bool is_candidate(const struct choice *c, const struct target_view *t)
{
    return strcmp(t->row.model, c->model) == 0 && (c->config->allow_scripted || !t->row.scripted) &&
           (!c->row || row_matches(c->row, &t->row)) && !obstacle(t);
}

static const struct target_view *fastest(const struct choice *c)
{
    const struct target_view *best = NULL, *cheapest = NULL;
    for (size_t i = 0; i < c->campaign->target_count; i++) {
        const struct target_view *t = &c->campaign->targets[i];
        if (is_candidate(c, t) && (!best || target_is_faster(t, best)))
            best = t;
    }
    for (size_t i = 0; best && i < c->campaign->target_count; i++) {
        const struct target_view *t = &c->campaign->targets[i];
        if (!is_candidate(c, t) || is_verified(t) != is_verified(best) ||
            rate_of(t) < (1 - best->decision.x) * rate_of(best))
            continue;
        int cost = cheapest ? compare_cost(t, cheapest) : -1;
        if (cost < 0 || (cost == 0 && rate_of(t) > rate_of(cheapest)))
            cheapest = t;
    }
    return cheapest;
}

static void target_name(char *out, size_t size, const struct target_view *t)
{
    char more[48] = "";
    if (t->row.instances > 1)
        snprintf(more, sizeof more, " x%d", t->row.instances);
    snprintf(out, size, "%s %s %s%s, %.4g images/s%s", t->row.engine, t->row.device, t->row.precision, more,
             rate_of(t), is_verified(t) ? "" : " not verified");
}

/* Names the choice and what it was chosen among. */
static void note_choice(struct notes *notes, const struct choice *c, const struct target_view *chosen,
                        const char *rule)
{
    char others[512] = "", name[256];
    size_t used = 0;
    for (size_t i = 0; i < c->campaign->target_count; i++) {
        const struct target_view *t = &c->campaign->targets[i];
        if (t == chosen || strcmp(t->row.model, c->model) != 0 || obstacle(t) || used >= sizeof others)
            continue;
        target_name(name, sizeof name, t);
        used += (size_t)snprintf(others + used, sizeof others - used, "%s%s", used ? "; " : "", name);
    }
    target_name(name, sizeof name, chosen);
    notes_add(notes, "%s: the entry is made from %s (%s; others: %s)", c->model, name, rule, others);
}

enum status pick_target(struct pick *out, const struct campaign *campaign, const struct config *config,
                        const char *model, struct notes *notes, struct err *err)
{
    struct choice c = {
        .campaign = campaign, .config = config, .model = model, .row = row_of_model(config, model)
    };
    size_t targets = 0, refused = 0, matching = 0, decided = 0;
    *out = (struct pick){ 0 };
    for (size_t i = 0; i < campaign->target_count; i++) {
        const struct target_view *t = &campaign->targets[i];
        if (strcmp(t->row.model, model) != 0)
            continue;
        targets++;
        out->tried |= was_tried(t) || gate_failed(t);
        refused += t->row.scripted && !config->allow_scripted;
        matching += !c.row || row_matches(c.row, &t->row);
        decided += !obstacle(t) && (config->allow_scripted || !t->row.scripted);
        if ((!c.row || row_matches(c.row, &t->row)) && obstacle(t) && (!*out->outcome || was_tried(t)))
            describe_obstacle(out, t, obstacle(t));
    }
    if (targets && !matching)
        return err_set(err, ST_CONFIG,
                       "%s: output.for.%s (engine %s, device %s, precision %s) matches none of its "
                       "%zu targets in campaign %s: name one that was measured",
                       model, *c.row->model ? c.row->model : "*", *c.row->engine ? c.row->engine : "any",
                       *c.row->device ? c.row->device : "any", *c.row->precision ? c.row->precision : "any",
                       targets, campaign->run.name);
    if (targets && refused == targets)
        return err_set(err, ST_USAGE, "%s: only the scripted engine measured it, and that is no measurement: "
                       "--allow-scripted writes it, marked, for tests", model);
    out->target = fastest(&c);
    if (!out->target)
        return ST_OK;
    out->rule = decided == 1 && !c.row ? "only" : c.row ? "configured" : "fastest";
    if (decided > 1)
        note_choice(notes, &c, out->target, out->rule);
    return ST_OK;
}
