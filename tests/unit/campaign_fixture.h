/* campaign_fixture.h - hand-made campaigns for the tests of the outputs: a few points per target, all numbers given.
 * fixture_open makes one, fixture_target adds targets, fixture_point points; fixture_close takes everything back. */
#ifndef CAMPAIGN_FIXTURE_H
#define CAMPAIGN_FIXTURE_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/config/config.h"
#include "bench/store/record.h"

#define FIXTURE_TARGETS 8
#define FIXTURE_POINTS 10
#define FIXTURE_ROWS 12

struct fixture {
    struct campaign campaign;
    struct config config;
    struct target_view targets[FIXTURE_TARGETS];
    struct point_view points[FIXTURE_TARGETS][FIXTURE_POINTS];
    struct accuracy_row accuracy[FIXTURE_TARGETS];
    struct look_row looks[FIXTURE_TARGETS][FIXTURE_ROWS];
    struct verify_row verifications[FIXTURE_TARGETS][FIXTURE_ROWS];
    struct fill_row fill[FIXTURE_TARGETS][FIXTURE_ROWS];
    struct field_row environment[8];
    char argv[80], config_text[80];
};

static inline void fixture_fact(struct fixture *f, const char *name, const char *text, double number)
{
    struct field_row *row = &f->environment[f->campaign.environment_count++];
    *row = (struct field_row){ .number = number, .is_number = !text };
    snprintf(row->name, sizeof row->name, "%s", name);
    snprintf(row->text, sizeof row->text, "%s", text ? text : "");
    snprintf(row->source, sizeof row->source, "/proc/cpuinfo");
    snprintf(row->class_name, sizeof row->class_name, "key");
}

/* 2026-03-01 01:45:02 to 02:14:07 UTC; a CPU with 8 cores and 40 GiB. */
static inline struct fixture *fixture_open(void)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct run_row *run = &f->campaign.run;
    if (!f)
        abort();
    *run = (struct run_row){ .seed = 7, .rule_version = 1, .start_unix_s = 1772329502, .end_unix_s = 1772331247,
                             .argv = f->argv, .config_text = f->config_text };
    snprintf(f->argv, sizeof f->argv, "bench tune --model hrnet --input 256x256");
    snprintf(f->config_text, sizeof f->config_text, "within: 5%%\n");
    snprintf(run->name, sizeof run->name, "20260301-014502-7f3a");
    snprintf(run->kind, sizeof run->kind, "tune");
    snprintf(run->build, sizeof run->build, "0.3.0 abc1234");
    snprintf(run->variant, sizeof run->variant, "release");
    snprintf(run->state, sizeof run->state, "done");
    f->campaign.environment = f->environment;
    f->campaign.targets = f->targets;
    fixture_fact(f, "cpu_model", "Example CPU @ 3.20GHz", 0);
    fixture_fact(f, "cpu_cores", NULL, 8);
    fixture_fact(f, "cpu_threads", NULL, 16);
    fixture_fact(f, "cpu_quota", NULL, 1.5);
    fixture_fact(f, "memory_bytes", NULL, 42949672960.0);
    fixture_fact(f, "numa_nodes", NULL, 1);
    fixture_fact(f, "kernel", "6.1.0-13-amd64", 0);
    f->config = (struct config){ .within = 0.05, .alpha = 0.05, .reserve = 0.1, .max_safe_executed = true,
                                 .max_age_days = 90 };
    return f;
}

static inline void fixture_close(struct fixture *f)
{
    free(f);
}

static inline struct target_view *fixture_target(struct fixture *f, const char *model, const char *precision)
{
    size_t place = f->campaign.target_count++;
    struct target_view *t = &f->targets[place];
    struct target_row *row = &t->row;
    *row = (struct target_row){ .id = (int64_t)place + 1, .place = (int)place, .threads = 2, .instances = 1,
                                .shape = { 3, 256, 256 }, .parameters = 1234567, .weight_bytes = 4938268,
                                .macs_per_image = 5000000000u, .memory_limit_bytes = 8589934592u,
                                .device_memory_bytes = 17179869184u };
    snprintf(row->model, sizeof row->model, "%s", model);
    snprintf(row->engine, sizeof row->engine, "onednn");
    snprintf(row->device, sizeof row->device, "cpu:0");
    snprintf(row->precision, sizeof row->precision, "%s", precision);
    snprintf(row->mode, sizeof row->mode, "e2e");
    snprintf(row->key_sha256, sizeof row->key_sha256, "%064d", (int)place + 1);
    snprintf(row->model_sha256, sizeof row->model_sha256, "%064d", 9);
    snprintf(row->engine_versions, sizeof row->engine_versions, "{\"onednn\":\"2.6.3\"}");
    snprintf(row->device_name, sizeof row->device_name, "Example CPU @ 3.20GHz");
    t->points = f->points[place];
    t->looks = f->looks[place];
    t->verifications = f->verifications[place];
    t->fill = f->fill[place];
    t->accuracy = &f->accuracy[place];
    t->accuracy_count = 1;
    snprintf(t->accuracy->check, sizeof t->accuracy->check, "reference");
    snprintf(t->accuracy->outcome, sizeof t->accuracy->outcome, "passed");
    t->accuracy->rel_l2 = 2.5e-6;
    t->accuracy->rel_l2_limit = 1e-4;
    t->accuracy->mask = 0;
    t->accuracy->mask_limit = 1e-3;
    return t;
}

/* A point that ran: rate, half the interval in percent, peak in MiB. Ascending batch. */
static inline struct point_view *fixture_point(struct target_view *t, int batch, double images_per_s, double percent,
                                               double peak_mib)
{
    struct point_view *p = &t->points[t->point_count++];
    const double none = (double)NAN;
    *p = (struct point_view){ .batch = batch, .has_estimate = true, .has_prepared = true, .has_why = true,
                              .first_use_ms = 80.5 * batch };
    p->estimate = (struct estimate_row){ .batch = batch, .y = log(images_per_s), .y_low = none, .y_high = none,
                                         .wall_images_per_s = images_per_s * 0.99, .executions = 1, .rounds = 6,
                                         .blocks = 6, .iterations = 600 / batch, .half_width = percent / 100,
                                         .service_p50_ms = 1000 * batch / images_per_s, .service_p90_ms = none,
                                         .service_p95_ms = none, .service_p99_ms = none };
    snprintf(p->estimate.method, sizeof p->estimate.method, "race");
    snprintf(p->estimate.kind, sizeof p->estimate.kind, percent > 0 ? "fixed" : "none");
    if (percent > 0) {
        p->estimate.y_low = log(images_per_s) - percent / 100;
        p->estimate.y_high = log(images_per_s) + percent / 100;
    }
    if (p->estimate.iterations >= 130)
        p->estimate.service_p95_ms = 1040 * batch / images_per_s;
    if (p->estimate.iterations >= 600)
        p->estimate.service_p99_ms = 1070 * batch / images_per_s;
    p->prepared = (struct prepared_row){ .batch = batch, .peak_bytes = (uint64_t)(peak_mib * 1048576),
                                         .before_bytes = 300 * 1048576, .after_bytes = 298 * 1048576,
                                         .predicted_bytes = (uint64_t)(peak_mib * 1000000) };
    snprintf(p->prepared.result, sizeof p->prepared.result, "feasible");
    p->why = (struct why_row){ .batch = batch, .m = none, .c = none };
    return p;
}

/* A size that did not run. */
static inline struct point_view *fixture_failure(struct target_view *t, int batch, const char *reason,
                                                 const char *text)
{
    struct point_view *p = &t->points[t->point_count++];
    *p = (struct point_view){ .batch = batch, .has_why = true, .has_prepared = strncmp(reason, "not_tried", 9) != 0,
                              .first_use_ms = (double)NAN };
    snprintf(p->prepared.result, sizeof p->prepared.result, "%s", reason);
    snprintf(p->why.reason, sizeof p->why.reason, "%s", reason);
    snprintf(p->why.text, sizeof p->why.text, "%s", text);
    return p;
}

static inline void fixture_why(struct point_view *p, const char *reason, const char *text)
{
    snprintf(p->why.reason, sizeof p->why.reason, "%s", reason);
    snprintf(p->why.text, sizeof p->why.text, "%s", text);
}

/* Decides for a batch that has a point; the larger valid ones get a why of their own. */
static inline void fixture_decide(struct target_view *t, int batch, const char *confidence, const char *reason)
{
    struct decision_row *d = &t->decision;
    t->has_decision = true;
    const double none = (double)NAN;
    *d = (struct decision_row){ .batch = batch, .optimal = batch, .x = 0.05, .alpha = 0.05, .memory_reserve = 0.1,
                                .max_safe = batch, .noise_floor = none, .slo_percentile = none, .slo_limit_ms = none,
                                .control_m = none, .control_c = none, .queue_rate = none, .queue_delay_ms = none,
                                .queue_p95_ms = none, .queue_limit_ms = none };
    snprintf(d->objective, sizeof d->objective, "throughput");
    snprintf(d->confidence, sizeof d->confidence, "%s", confidence);
    snprintf(d->reason, sizeof d->reason, "%s", reason);
    for (size_t i = 0; i < t->point_count; i++) {
        struct point_view *p = &t->points[i];
        char text[RECORD_TEXT];
        if (*p->why.reason)
            continue;
        snprintf(text, sizeof text, "%d: %.1f images/s", p->batch, exp(p->estimate.y));
        fixture_why(p, p->batch == batch ? "chosen" : p->batch < batch ? "slower" : "within_zone_but_larger", text);
    }
}

/* hrnet in one precision: 1, 2, 4, 8 ran, 16 failed, 32 was not tried; 4 is chosen. p95 at 1, 2, 4. */
static inline struct target_view *fixture_hrnet(struct fixture *f, const char *precision, double scale)
{
    struct target_view *t = fixture_target(f, "hrnet", precision);
    fixture_point(t, 1, 15.8 * scale, 0.7, 410.2);
    fixture_point(t, 2, 15.9 * scale, 0.5, 520.4);
    fixture_point(t, 4, 17.21 * scale, 0.5, 740.9);
    fixture_point(t, 8, 17.5252 * scale, 0.6, 1180);
    fixture_failure(t, 16, "out_of_memory", "16: 24.1 GiB wanted, 22.8 GiB free");
    fixture_failure(t, 32, "not_tried_failed", "32: not tried");
    fixture_decide(t, 4, "coarse", "4 is within 5 % of the best, 2 is not");
    t->decision.leader = 8;
    t->decision.ceiling_batch = 8;
    t->decision.first_failed_batch = 16;
    snprintf(t->decision.first_failed_why, sizeof t->decision.first_failed_why, "out_of_memory");
    return t;
}

/* --- the whole procedure --- */

static inline void fixture_look(struct target_view *t, int round, int i, int j, double m, double c, const char *outcome)
{
    struct look_row *r = &t->looks[t->look_count++];
    *r = (struct look_row){ .look = round, .n = round, .i = i, .j = j, .m = m, .se = c / 3, .df = round - 1, .c = c,
                            .r1 = 0.1 };
    snprintf(r->outcome, sizeof r->outcome, "%s", outcome);
}

/* A member in three executions: its rates, and its differences to the leader in percent. */
static inline void fixture_verify(struct target_view *t, struct point_view *p, const double rates[3],
                                  const double percents[3])
{
    struct estimate_row *e = &p->verified;
    *e = p->estimate;
    for (int i = 0; i < 3; i++)
        t->verifications[t->verification_count++] = (struct verify_row){
            .batch = p->batch, .execution = i + 1, .y = log(rates[i]), .q = log(1 + percents[i] / 100) };
    e->y_low = log(rates[0]);
    e->y = log(rates[1]);
    e->y_high = log(rates[2]);
    e->executions = 3;
    e->rounds = 9;
    e->blocks = 18;
    e->iterations = 36;
    e->service_p95_ms = (double)NAN;
    snprintf(e->method, sizeof e->method, "verify");
    snprintf(e->kind, sizeof e->kind, "range");
    p->has_verified = true;
}

static inline void fixture_fill(struct target_view *t, int images, double ms, const char *advice, int first, int second)
{
    struct fill_row *r = &t->fill[t->fill_count++];
    *r = (struct fill_row){ .images = images, .service_p50_ms = ms, .iterations = 6, .first_use_ms = 80.5 * images,
                            .as = { first, second } };
    snprintf(r->advice, sizeof r->advice, "%s", advice);
}

static inline void fixture_compared(struct point_view *p, const char *reason, int rival, double m, double c,
                                    const char *text)
{
    fixture_why(p, reason, text);
    p->why.rival = rival;
    p->why.m = m;
    p->why.c = c;
    p->why.n = 9;
}

/* What a full campaign shows of fixture_hrnet: 4 of the candidates 1, 2, 4, 8 is decided and verified, in place of 8;
 * 8 may be executed too, so the fill table goes to 8. Differences are logarithms of the ratios of the rates. */
static inline struct target_view *fixture_whole(struct fixture *f, const char *precision, double scale)
{
    struct target_view *t = fixture_hrnet(f, precision, scale);
    struct decision_row *d = &t->decision;
    fixture_compared(&t->points[0], "slower", 8, -0.1036, 0.005, "1: 15.8 images/s, 9.8 % below 8: slower than the "
                     "allowed margin below the best");
    fixture_compared(&t->points[1], "slower", 8, -0.0973, 0.004, "2: 15.9 images/s, 9.3 % below 8: slower than the "
                     "allowed margin below the best");
    fixture_compared(&t->points[2], "chosen", 8, -0.0181, 0.009, "4: 17.21 images/s, 1.8 % below 8, the smallest "
                     "within 5 %");
    fixture_compared(&t->points[3], "within_zone_but_larger", 0, (double)NAN, (double)NAN, "8: 17.53 images/s, the "
                     "best: fast enough, but larger than the chosen size");
    fixture_look(t, 6, 1, 8, -0.1036, 0.012, "slower");
    fixture_look(t, 6, 2, 8, -0.0973, 0.013, "slower");
    fixture_look(t, 6, 4, 8, -0.018, 0.04, "open");
    fixture_look(t, 6, 8, 4, 0.018, 0.04, "holds");
    fixture_look(t, 6, 4, 4, -0.001, 0.004, "control");
    fixture_look(t, 9, 4, 8, -0.0181, 0.009, "holds");
    fixture_look(t, 9, 4, 4, -0.0012, 0.003, "control");
    fixture_verify(t, &t->points[2], (const double[]){ 17.17 * scale, 17.21 * scale, 17.25 * scale },
                   (const double[]){ -1.9, -1.8, -1.7 });
    fixture_verify(t, &t->points[3], (const double[]){ 17.48 * scale, 17.5252 * scale, 17.56 * scale },
                   (const double[]){ 0, 0, 0 });
    for (int n = 1; n <= 4; n++)
        fixture_fill(t, n, 58.1 * n / scale, "exact", n, 0);
    fixture_fill(t, 5, 440 / scale, "split", 4, 1);
    fixture_fill(t, 6, 445 / scale, "split", 4, 2);
    fixture_fill(t, 7, 470 / scale, "pad", 8, 0);
    fixture_fill(t, 8, 456.5 / scale, "exact", 8, 0);
    fixture_decide(t, 4, "decided", "4 is within 5 % of the best, 2 is not");
    d->verified = true;
    d->leader = 8;
    d->candidates = 4;
    d->noise_floor = 0.0035;
    d->control_m = -0.0012;
    d->control_c = 0.003;
    d->incumbent = 8;
    snprintf(d->incumbent_source, sizeof d->incumbent_source, "import");
    snprintf(d->incumbent_outcome, sizeof d->incumbent_outcome, "replaced");
    d->ceiling_batch = 8;
    d->first_failed_batch = 16;
    snprintf(d->first_failed_why, sizeof d->first_failed_why, "out_of_memory");
    d->max_safe = 8;
    d->break_even_against = 8; /* what was in use; 4 is slower in all: never */
    d->break_even_images = d->break_even_calls = -1;
    return t;
}

#endif
