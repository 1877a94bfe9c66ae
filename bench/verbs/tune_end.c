#include "bench/verbs/tune_end.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/output/again.h"
#include "bench/output/batch_sizes_write.h"
#include "bench/output/curves.h"
#include "bench/output/decided.h"
#include "bench/output/side_by_side.h"
#include "bench/output/table.h"
#include "kernels/base/len.h"
#include "kernels/base/text.h"

/* Was anything measured at another size than the models' own? Then the answer is not yet the service's. */
static bool is_smaller(const struct plan *plan)
{
    for (size_t i = 0; i < plan->target_count; i++)
        if (plan->targets[i].shape[1] < plan->targets[i].model.input[1] ||
            plan->targets[i].shape[2] < plan->targets[i].model.input[2])
            return true;
    return false;
}

/* The values of a target's text that the plan has, each once. */
static void print_distinct(const char *flag, const struct plan *plan, const char *(*text)(const struct plan_target *))
{
    const char *comma = "";
    printf(" %s ", flag);
    for (size_t i = 0; i < plan->target_count; i++) {
        size_t k = 0;
        while (strcmp(text(&plan->targets[k]), text(&plan->targets[i])) != 0)
            k++;
        if (k < i)
            continue;
        printf("%s%s", comma, text(&plan->targets[i]));
        comma = ",";
    }
}
static const char *precision_of(const struct plan_target *t)
{
    return t->precision;
}
static const char *engine_of(const struct plan_target *t)
{
    return t->engine->name;
}
static const char *model_of(const struct plan_target *t)
{
    return t->model_file ? t->model_file : t->model.name;
}

/* Without what makes a run small. A file of --config may do that too: what was measured is named instead. */
static void print_production_command(const char *program, const struct campaign *campaign,
                                     const struct plan *plan)
{
    static const char *const dropped[] = { "--input", "--batches", "--max-batch", "--budget", "--config",
                                           "--seed",  "--resume!", "--quiet!",    NULL };
    const char *argv = campaign->run.argv ? campaign->run.argv : "";
    const bool by_file = again_has(argv, "--config");
    char *command = again_command(program, argv, dropped);
    if (!command)
        return;
    printf("\nThe same at production size:\n  %s", command);
    if (by_file && !again_has(argv, "--all-models") && !again_has(argv, "--model"))
        print_distinct("--model", plan, model_of);
    if (by_file && !again_has(argv, "--engine"))
        print_distinct("--engine", plan, engine_of);
    if (by_file && !again_has(argv, "--precision"))
        print_distinct("--precision", plan, precision_of);
    putchar('\n');
    free(command);
}

/* One line for each target whose answer could be surer. */
static void print_next_steps(const char *program, const struct campaign *campaign)
{
    char text[DECIDED_TEXT];
    int steps = 0;
    char *command = again_campaign(program, &campaign->run);
    for (size_t i = 0; command && i < campaign->target_count; i++) {
        const struct target_row *row = &campaign->targets[i].row;
        decided_next_step(text, &campaign->targets[i]);
        if (*text)
            printf("next    %s %s %s %s: %s\n", row->model, row->engine, row->device, row->precision, text);
        steps += *text != 0;
    }
    if (steps)
        printf("        again: %s\n", command);
    free(command);
}

/* From the start to the end: with its pauses, if the campaign was resumed. */
static void print_time(const struct campaign *campaign, const struct plan *plan)
{
    const struct run_row *run = &campaign->run;
    const double predicted = plan_predicted_s(plan);
    char text[32];
    if (run->end_unix_s < run->start_unix_s)
        return;
    text_of_duration(text, sizeof text, (uint64_t)(run->end_unix_s - run->start_unix_s) * 1000000000u);
    printf("time    %s", run->end_unix_s == run->start_unix_s ? "under 1 s" : text);
    if (isfinite(predicted) && predicted > 0) {
        text_of_duration(text, sizeof text, (uint64_t)(predicted * 1e9));
        printf(" (%s were predicted)", text);
    }
    if (run->budget_ns) {
        text_of_duration(text, sizeof text, run->budget_ns);
        printf(" of at most %s", text);
    }
    putchar('\n');
}

/* What the exit code says, in words. */
static void print_outcome(const struct campaign *campaign)
{
    static const char *const words[] = { "decided", "within", "undecided", "coarse" };
    static const char *const texts[] = { "decided", "within the zone", "undecided", "only probed" };
    size_t counts[LEN(words)] = { 0 }, verified = 0, none = campaign->target_count;
    for (size_t i = 0; i < campaign->target_count; i++) {
        const struct target_view *t = &campaign->targets[i];
        for (size_t k = 0; target_served_batch(t) && k < LEN(words); k++)
            if (strcmp(t->decision.confidence, words[k]) == 0)
                counts[k]++, none--;
        verified += target_is_verified(t);
    }
    const char *comma = " ";
    printf("result  %zu target%s:", campaign->target_count, campaign->target_count == 1 ? "" : "s");
    for (size_t k = 0; k < LEN(words); k++)
        if (counts[k]) {
            printf("%s%zu %s", comma, counts[k], texts[k]);
            comma = ", ";
        }
    if (none)
        printf("%s%zu without a size", comma, none);
    printf("; %zu verified in fresh executions\n", verified);
}

static void print_out_flag(const char *out)
{
    if (strcmp(out, "results") == 0)
        return;
    fputs(" --out ", stdout);
    again_quote(stdout, out);
}

void tune_end_print(const struct tune_end *end)
{
    const struct files *files = end->files;
    curves_summary(stdout, end->campaign, table_colour(stdout));
    putchar('\n');
    if (side_by_side_applies(end->campaign)) {
        side_write_text(stdout, end->campaign, NULL, table_colour(stdout));
        putchar('\n');
    }
    print_next_steps(end->program, end->campaign);
    print_outcome(end->campaign);
    print_time(end->campaign, end->plan);
    if (end->wrote_sizes)
        printf("sizes   %s/%s\n        %s/%s\n", end->out, BATCH_SIZES_FILE, end->out,
               BATCH_SIZES_PRODUCTION);
    printf("curves  %s/curves.csv, curves.json\n", files->campaign);
    if (files->pictures)
        printf("plots   %s (%d, as .svg and .png)\n", files->plots, files->pictures);
    printf("page    %s\nstore   %s\nwhy     ", files->report, files->store);
    again_quote(stdout, end->program);
    printf(" show --why %s", end->campaign->run.name);
    print_out_flag(end->out);
    putchar('\n');
    if (is_smaller(end->plan))
        print_production_command(end->program, end->campaign, end->plan);
}
