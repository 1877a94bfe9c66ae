#include "bench/output/batch_sizes_entry.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/output/batch_sizes_rules.h"
#include "bench/output/curves.h"

/* --- a measured entry --- */

static int smaller_of(int a, int b) /* 0: none */
{
    return !a || (b && b < a) ? b : a;
}

/* Of the sizes that were probed and of the part-filled batches. */
static int smallest_failed_above(const struct entry *e)
{
    int failed = 0;
    for (size_t i = 0; i < e->target->point_count; i++)
        if (e->target->points[i].batch > e->optimal && curve_point_failed(&e->target->points[i]))
            failed = smaller_of(failed, e->target->points[i].batch);
    for (size_t i = 0; i < e->target->fill_count; i++)
        if (e->target->fill[i].images > e->optimal && *e->target->fill[i].failed)
            failed = smaller_of(failed, e->target->fill[i].images);
    return failed;
}

/* The largest measured size that may be executed: the decision, or with "ceiling" the memory ceiling, or
 * the size below the smallest failed one if that is smaller. Memory of it is a measured peak, so only
 * measured sizes count. */
static const struct point_view *max_safe_point(const struct entry *e, const struct config *config)
{
    const struct decision_row *d = &e->target->decision;
    const struct point_view *best = e->point;
    int limit = config->max_safe_executed ? d->max_safe : e->ceiling_batch;
    const int failed = smallest_failed_above(e);
    if (failed && limit >= failed)
        limit = failed - 1;
    for (size_t i = 0; i < e->target->point_count; i++) {
        const struct point_view *p = &e->target->points[i];
        if (p->batch > best->batch && p->batch <= limit && p->batch <= e->ceiling_batch &&
            curve_point_is_valid(p) && p->has_prepared && p->prepared.peak_bytes)
            best = p;
    }
    return best;
}

/* Without a proved ceiling the largest size that ran is a lower bound of it. */
static void set_ceiling(struct entry *e)
{
    const struct decision_row *d = &e->target->decision;
    e->ceiling_batch = d->ceiling_batch;
    e->ceiling_is_lower_bound = d->ceiling_is_lower_bound;
    if (e->ceiling_batch >= e->optimal)
        return;
    e->ceiling_is_lower_bound = true;
    for (size_t i = 0; i < e->target->point_count; i++)
        if (curve_point_is_valid(&e->target->points[i]))
            e->ceiling_batch = e->target->points[i].batch; /* ascending: the last one is the largest */
}

static void fill_measured(struct entry *e, const struct pick *pick, const struct config *config)
{
    const struct decision_row *d = &pick->target->decision;
    e->measured = true;
    e->target = pick->target;
    e->target_rule = pick->rule;
    e->optimal = target_served_batch(pick->target);
    e->point = target_chosen(pick->target);
    snprintf(e->reason, sizeof e->reason, "%s", d->reason);
    set_ceiling(e);
    e->max_safe_point = max_safe_point(e, config);
    e->max_safe = e->max_safe_point->batch;
    e->memory_limit_mb = (int)ceil((double)e->max_safe_point->prepared.peak_bytes / BATCH_SIZES_MIB);
    e->images_per_s = point_images_per_s(e->point);
    e->p95_ms = point_p95_ms(e->point);
    e->production_optimized = target_is_verified(e->target) &&
        (strcmp(d->confidence, "decided") == 0 || strcmp(d->confidence, "within") == 0);
}

/* --- protection of an older, surer entry --- */

/* Did this campaign find that the old size cannot be used, does not keep its limit, or is slower for sure? */
static bool old_size_is_refuted(const struct target_view *t, json_int_t batch)
{
    const struct point_view *p = target_point(t, (int)batch);
    const bool failed = p && curve_point_failed(p);
    const char *why = p && p->has_why ? p->why.reason : "";
    bool failed_below = false;
    for (size_t i = 0; i < t->fill_count; i++)
        failed_below |= t->fill[i].images <= batch && *t->fill[i].failed;
    return failed || failed_below || strcmp(why, "slower") == 0 || strcmp(why, "over_slo") == 0;
}

static bool is_protected(const json_t *base, const char *model, const struct target_view *t)
{
    const json_t *old = batch_sizes_model(base, model);
    const json_t *decision = json_object_get(old, "decision");
    const char *key = json_string_value(json_object_get(json_object_get(old, "target"), "key_sha256"));
    json_t *ours = json_pack("{s:s, s:b}", "confidence", t->decision.confidence, "verified",
                             t->decision.verified);
    bool surer = batch_sizes_confidence(decision) > batch_sizes_confidence(ours);
    json_decref(ours);
    return json_is_true(json_object_get(old, "measured")) && key && *key &&
           strcmp(key, t->row.key_sha256) == 0 && surer &&
           !old_size_is_refuted(t, json_integer_value(json_object_get(decision, "batch")));
}

/* --- the list --- */

static bool is_in(const struct name_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->names[i], name) == 0)
            return true;
    return false;
}

static struct entry *find(const struct entries *all, const char *model)
{
    for (size_t i = 0; i < all->count; i++)
        if (strcmp(all->items[i].model, model) == 0)
            return &all->items[i];
    return NULL;
}

static void add_once(struct entries *out, const struct config *config, const char *model)
{
    if (!find(out, model) && !is_in(&config->output_drop, model))
        out->items[out->count++].model = model;
}

static void worsen(struct entries *out, enum status st, const char *model, const char *text)
{
    if (out->worst == ST_BAD_NEWS || (out->worst == st))
        return;
    out->worst = st;
    snprintf(out->why, sizeof out->why, "%s%s%s", model, *model ? ": " : "", text);
}

/* Checks an entry that is carried over; a missing one is what stops the writing. */
static enum status check_carried(const struct entry *e, const json_t *base, struct err *err)
{
    const json_t *old = json_object_get(json_object_get(base, "batch_configurations"), e->model);
    const json_t *ceiling = json_object_get(json_object_get(batch_sizes_model(base, e->model), "memory"),
                                            "ceiling_batch");
    const char *key;
    char text[256];
    if (!old)
        return err_set(err, ST_CONFIG,
                       "model %s is in output.models but has no decision and no old entry: measure it "
                       "or drop it",
                       e->model);
    if (!batch_sizes_entry_is_sound(old, json_integer_value(ceiling), &key, text, sizeof text))
        return err_set(err, ST_CONFIG,
                       "the old entry of %s cannot be carried over: %s: measure it, correct the base "
                       "or drop it (output.drop)",
                       e->model, text);
    return ST_OK;
}

static enum status no_decision(struct entry *e, const struct pick *pick, const struct run_row *run,
                               bool has_old, struct entries *out, struct notes *notes, struct err *err)
{
    bool cut = strcmp(pick->outcome, "unfinished") == 0;
    char text[RECORD_TEXT + 40];
    snprintf(text, sizeof text, "%s%s", pick->text, cut ? " before the campaign ended" : "");
    if (!has_old)
        return err_set(err, ST_CONFIG,
                       "model %s has no decision and no old entry (%s): measure it or drop it "
                       "(output.drop)",
                       e->model, text);
    snprintf(e->attempt, sizeof e->attempt, "%s", cut && *run->state ? run->state : pick->outcome);
    notes_add(notes, "%s: %s; the old entry stays", e->model, text);
    worsen(out, cut ? ST_UNDECIDED : ST_BAD_NEWS, e->model, text);
    return ST_OK;
}

static bool was_cut_short(const struct run_row *run)
{
    return strcmp(run->state, "budget") == 0 || strcmp(run->state, "interrupted") == 0;
}

static void note_protected(struct notes *notes, const char *model, const json_t *base,
                           const struct decision_row *new)
{
    const json_t *old = json_object_get(batch_sizes_model(base, model), "decision");
    notes_add(notes, "%s: the old entry stays: it is surer (%s, %s) than this campaign's (%s, %s)", model,
              json_string_value(json_object_get(old, "confidence")),
              json_is_true(json_object_get(old, "verified")) ? "verified" : "not verified", new->confidence,
              new->verified ? "verified" : "not verified");
}

static enum status fill(struct entry *e, const struct campaign *campaign, const struct config *config,
                        json_t *base, struct entries *out, struct notes *notes, struct err *err)
{
    struct pick pick;
    enum status st = pick_target(&pick, campaign, config, e->model, notes, err);
    const bool has_old = json_object_get(json_object_get(base, "batch_configurations"), e->model) != NULL;
    if (st != ST_OK)
        return st;
    if (pick.target && strcmp(pick.target->decision.confidence, "undecided") == 0)
        worsen(out, ST_UNDECIDED, e->model, pick.target->decision.reason);
    if (pick.target && !is_protected(base, e->model, pick.target)) {
        fill_measured(e, &pick, config);
        return ST_OK;
    }
    if (pick.target)
        note_protected(notes, e->model, base, &pick.target->decision);
    else if (pick.tried && (st = no_decision(e, &pick, &campaign->run, has_old, out, notes, err)) != ST_OK)
        return st;
    return check_carried(e, base, err);
}

/* A model that the end of the campaign left without a size, and that has no old entry, is left out and named:
 * it must not keep the others from being written. */
static bool is_left_out(const struct campaign *campaign, const struct config *config, const json_t *base,
                        const char *model)
{
    struct pick pick;
    struct notes unused = { 0 };
    enum status st = pick_target(&pick, campaign, config, model, &unused, NULL);
    notes_free(&unused);
    const bool unfinished = strcmp(pick.outcome, "unfinished") == 0 && was_cut_short(&campaign->run);
    return st == ST_OK && !pick.target && (!pick.tried || unfinished) &&
           !is_in(&config->output_models, model) &&
           !json_object_get(json_object_get(base, "batch_configurations"), model);
}

static enum status list_models(struct entries *out, const struct campaign *campaign,
                               const struct config *config, json_t *base, struct notes *notes,
                               struct err *err)
{
    json_t *old = json_object_get(base, "batch_configurations"), *unused;
    const char *model;
    out->items = calloc(json_object_size(old) + campaign->target_count + config->output_models.count + 1,
                        sizeof *out->items);
    if (!out->items)
        return err_set(err, ST_INTERNAL, "not enough memory for the list of models");
    json_object_foreach(old, model, unused)
        add_once(out, config, model);
    for (size_t i = 0; i < campaign->target_count; i++) {
        const char *name = campaign->targets[i].row.model;
        bool first = i == 0 || strcmp(name, campaign->targets[i - 1].row.model) != 0;
        const bool left_out = is_left_out(campaign, config, base, name);
        if (left_out && first)
            notes_add(notes, "%s: has no size yet and no old entry: it is not in the file", name);
        else if (!left_out)
            add_once(out, config, name);
    }
    for (size_t i = 0; i < config->output_models.count; i++)
        add_once(out, config, config->output_models.names[i]);
    return ST_OK;
}

enum status batch_sizes_entries(struct entries *out, const struct campaign *campaign,
                                const struct config *config, json_t *base, struct notes *notes,
                                struct err *err)
{
    *out = (struct entries){ 0 };
    enum status st = list_models(out, campaign, config, base, notes, err);
    for (size_t i = 0; st == ST_OK && i < out->count; i++)
        st = fill(&out->items[i], campaign, config, base, out, notes, err);
    if (st == ST_OK && was_cut_short(&campaign->run))
        worsen(out, ST_UNDECIDED, "",
               strcmp(campaign->run.state, "budget") == 0
                   ? "the budget ended the campaign early: what was written is the best so far, bench tune "
                     "--resume goes on"
                   : "the campaign was interrupted: what was written is the best so far, bench tune --resume "
                     "goes on");
    if (st != ST_OK)
        batch_sizes_entries_free(out);
    return st;
}

void batch_sizes_entries_free(struct entries *entries)
{
    free(entries->items);
    *entries = (struct entries){ 0 };
}
