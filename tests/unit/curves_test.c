/* Tables, CSV and JSON of curves: golden texts, and what may not be given is `-`, empty or null. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench/output/curves.h"
#include "kernels/base/json.h"
#include "tests/unit/batch_sizes_fixture.h"
#include "tests/unit/campaign_fixture.h"

static char *shown(const struct campaign *campaign, const char *model)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    const struct show_options options = { .model = model };
    curves_show(file, campaign, &options);
    fclose(file);
    return text;
}

static char *csv_of(const struct campaign *campaign)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    curves_write_csv(file, campaign);
    fclose(file);
    return text;
}

static void golden_table(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    fixture_hrnet(f, "f32", 1);
    char *text = shown(&f->campaign, NULL);
    static const char want[] =
"hrnet  onednn  cpu:0  f32  2 threads  1 instance  3x256x256  e2e  5 GMAC per image  weights 4.71 MiB\n"
" batch  images_per_s  +-95%  service_p50  service_p95  service_p99  peak  rounds  blocks  iterations  output\n"
"images           1/s      %           ms           ms           ms   MiB\n"
"     1         15.80    0.7        63.29        65.82        67.72   410       6       6         600  verified\n"
"     2         15.90    0.5       125.79       130.82            -   520       6       6         300  verified\n"
"     4         17.21    0.5       232.42       241.72            -   741       6       6         150  verified  <- chosen: 4 is within 5 % of the best, 2 is not\n"
"     8         17.53    0.6       456.49            -            -  1180       6       6          75  verified\n"
"batch 4: coarse, not verified; 17.21 images/s (+- 0.5 %); the fastest is batch 8 with 17.53 images/s (1.8 % more)\n"
"memory: 8 fits, 16 does not (out_of_memory); peak 741 MiB at 4; limit 8.00 GiB\n"
"max_safe: 4 is the largest size that may be executed; larger and part-filled batches were not tried\n"
"first use: the first batch of 4 costs 322 ms more\n"
"accuracy: reference: passed, relL2 2.5e-06 (limit 0.0001), mask 0 % (limit 0.1 %)\n"
" batch  why\n"
"images\n"
"     1  slower                  1: 15.8 images/s\n"
"     2  slower                  2: 15.9 images/s\n"
"     4  chosen                  4: 17.2 images/s\n"
"     8  within_zone_but_larger  8: 17.5 images/s\n"
"    16  out_of_memory           16: 24.1 GiB wanted, 22.8 GiB free\n"
"    32  not_tried_failed        32: not tried\n"
"\n"
"environment\n"
"  cpu_model              Example CPU @ 3.20GHz\n"
"  cpu_cores              8\n"
"  cpu_threads            16\n"
"  cpu_quota              1.5\n"
"  memory_bytes           42949672960\n"
"  numa_nodes             1\n"
"  kernel                 6.1.0-13-amd64\n";
    if (!strstr(text, want))
        fail_msg("got\n%s", text);
    free(text);
    fixture_close(f);
}

static void one_model_only(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    fixture_hrnet(f, "f32", 1);
    snprintf(fixture_hrnet(f, "f32", 1)->row.model, RECORD_NAME, "unet");
    char *text = shown(&f->campaign, "unet");
    assert_null(strstr(text, "\nhrnet  "));
    assert_non_null(strstr(text, "\nunet  "));
    free(text);
    fixture_close(f);
}

static void caveats_are_seen_everywhere(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    struct target_view *t = fixture_hrnet(f, "f32", 1);
    char *text = shown(&f->campaign, NULL);
    assert_null(strstr(text, "NO MEASUREMENT"));
    assert_non_null(strstr(text, "verified"));
    free(text);
    snprintf(f->campaign.run.variant, sizeof f->campaign.run.variant, "san");
    t->row.scripted = true;
    t->accuracy_count = 0;
    text = shown(&f->campaign, NULL);
    assert_non_null(strstr(text, "NO MEASUREMENT TO RELY ON: sanitizer build, scripted engine"));
    assert_non_null(strstr(text, "unverified"));
    free(text);
    text = csv_of(&f->campaign);
    assert_non_null(strstr(text, "\"sanitizer build, scripted engine\""));
    free(text);
    json_t *json = curves_json(&f->campaign);
    assert_true(is_at(json, "targets.0.caveat", "\"sanitizer build, scripted engine\""));
    assert_true(is_at(json, "targets.0.output", "\"unverified\""));
    json_decref(json);
    fixture_close(f);
}

static void csv_lines(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    struct target_view *t = fixture_hrnet(f, "f32", 1);
    fixture_why(&t->points[0], "slower", "1: \"slow\", by 9 %");
    char *text = csv_of(&f->campaign), *line = text;
    int lines = 0;
    static const char head[] = "campaign,model,engine,device,precision,mode,threads,instances,channels,height,width,"
        "caveat,batch,images_per_s,images_per_s_low,images_per_s_high,verified_images_per_s,verified_images_per_s_low,"
        "verified_images_per_s_high,ratio_to_best,time_per_image_ms,service_p50_ms,service_p90_ms,service_p95_ms,"
        "service_p99_ms,joules_per_image,first_use_ms,predicted_bytes,peak_bytes,rounds,blocks,invalid_blocks,"
        "iterations,method,dominated_by,output,labels,why,text\n";
    assert_memory_equal(text, head, strlen(head));
    for (; (line = strchr(line, '\n')); line++)
        lines++;
    assert_int_equal(lines, 7);
    /* 15.8: interval 15.8 * exp(-+0.007); ratio 15.8 / 17.5252; peak 410.2 MiB */
    assert_non_null(strstr(text, "\n20260301-014502-7f3a,hrnet,onednn,cpu:0,f32,e2e,2,1,3,256,256,,1,15.8,15.6898,15.911,,,,"
                           "0.901559,63.2911,63.2911,,65.8228,67.7215,,80.5,410200000,430125875,6,6,0,600,race,,"
                           "verified,,"
                           "slower,\"1: \"\"slow\"\", by 9 %\"\n"));
    assert_non_null(strstr(text, ",16,,,,,,,,,,,,,,,,,0,0,0,0,,,,,out_of_memory,"));
    free(text);
    fixture_close(f);
}

static void json_nulls(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    fixture_hrnet(f, "f32", 1);
    json_t *json = curves_json(&f->campaign);
    assert_true(is_at(json, "targets.0.curve.3.service_p95_ms", "null")); /* 75 iterations */
    assert_true(is_at(json, "targets.0.curve.4.images_per_s", "null"));
    assert_true(is_at(json, "targets.0.curve.2.images_per_s", "17.21"));
    assert_true(is_at(json, "targets.0.decision.batch", "4"));
    assert_true(is_at(json, "environment.cpu_quota", "1.5"));
    json_decref(json);
    fixture_close(f);
}

static void control_characters_stay_out(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    struct target_view *t = fixture_hrnet(f, "f32", 1);
    snprintf(t->decision.reason, sizeof t->decision.reason, "bad \033[2J reason");
    fixture_why(&t->points[1], "slower", "2: \033]0;title\007");
    char *text = shown(&f->campaign, NULL);
    assert_null(strchr(text, '\033'));
    assert_null(strchr(text, '\007'));
    assert_non_null(strstr(text, "bad ?[2J reason"));
    free(text);
    fixture_close(f);
}

static void the_whole_procedure_is_in_the_data(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    struct target_view *t = fixture_whole(f, "f32", 1);
    t->decision.break_even_against = 1;
    t->decision.break_even_images = 63;
    t->decision.break_even_calls = 16;
    json_t *json = curves_json(&f->campaign), *target = at(json, "targets.0");
    assert_true(is_at(target, "curve.2.verified_images_per_s_low", "17.17"));
    assert_true(is_at(target, "decision.optimal", "4"));
    assert_true(is_at(target, "decision.max_safe", "8"));
    assert_true(is_at(target, "decision.limit", "null"));
    assert_true(is_at(target, "decision.noise_floor", "0.0035"));
    assert_true(is_at(target, "decision.incumbent", "{\"batch\":8,\"source\":\"import\",\"outcome\":\"replaced\"}"));
    assert_true(is_at(target, "decision.memory", "{\"ceiling_batch\":8,\"ceiling_is_lower_bound\":false,"
                      "\"first_failed_batch\":16,\"first_failed_why\":\"out_of_memory\"}"));
    assert_true(is_at(target, "decision.break_even", "{\"against\":1,\"images\":63,\"calls\":16}"));
    assert_true(is_at(target, "decision.open_loop", "null"));
    assert_int_equal(json_array_size(at(target, "looks")), 7);
    assert_true(is_at(target, "looks.0.outcome", "\"slower\""));
    assert_true(is_at(target, "looks.0.m", "-0.1036"));
    assert_int_equal(json_array_size(at(target, "verification")), 6);
    assert_true(is_at(target, "verification.0.images_per_s", "17.17"));
    assert_int_equal(json_array_size(at(target, "fill")), 8);
    assert_true(is_at(target, "fill.6", "{\"images\":7,\"service_p50_ms\":470.0,\"ms_per_image\":67.1429,\"advice\":"
                      "\"pad\",\"as\":\"8\",\"as_ms\":456.5,\"iterations\":6,\"first_use_ms\":563.5,\"failed\":null}"));
    json_decref(json);
    fixture_close(f);
}

static void details_as_csv(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    fixture_whole(f, "f32", 1);
    char *text = NULL, *folder = scratch_open();
    assert_int_equal(curves_write_files(&f->campaign, folder, NULL), ST_OK);
    text = slurp(folder, "fill.csv");
    assert_non_null(strstr(text, "campaign,target,images,service_p50_ms,ms_per_image,advice,as,as_ms,iterations,"
                           "first_use_ms,failed\n20260301-014502-7f3a,,1,58.1,58.1,exact,1,58.1,6,80.5,\n"));
    free(text);
    text = slurp(folder, "looks.csv");
    assert_non_null(strstr(text, "\n20260301-014502-7f3a,,9,9,4,8,-0.0181,0.003,8,0.009,0.1,holds\n"));
    free(text);
    text = slurp(folder, "verification.csv");
    /* ln(1 - 0.019) = -0.0191828 */
    assert_non_null(strstr(text, "\n20260301-014502-7f3a,,1,4,17.17,,-0.0191828\n"));
    free(text);
    assert_non_null(text = slurp(folder, "curves.csv"));
    free(text);
    scratch_close(folder);
    fixture_close(f);
}

/* Three blocks: an interval from 3 to 80 images/s is no "+- 500 %". */
static void absurd_percentages_are_dashes(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    struct target_view *t = fixture_hrnet(f, "f32", 1);
    t->points[2].estimate.y_low = log(3);
    t->points[2].estimate.y_high = log(80);
    char *text = shown(&f->campaign, NULL);
    assert_non_null(strstr(text, "     4         17.21      -       232.42"));
    assert_non_null(strstr(text, "batch 4: coarse, not verified; 17.21 images/s (3 to 80);"));
    free(text);
    text = csv_of(&f->campaign);
    assert_non_null(strstr(text, ",4,17.21,3,80,"));
    free(text);
    fixture_close(f);
}

static void summary_has_a_line_per_target(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    char *text = NULL;
    size_t size = 0;
    fixture_hrnet(f, "f32", 1);
    struct target_view *t = fixture_target(f, "unet", "bf16");
    snprintf(t->row.detail, sizeof t->row.detail, "bf16 needs AVX-512");
    FILE *file = open_memstream(&text, &size);
    curves_summary(file, &f->campaign, false);
    fclose(file);
    assert_string_equal(text, 
        "model  engine  device  precision   batch  images_per_s   low  high  max_safe  service_p50  peak  confidence  "
        "output    result\n"
        "                                  images           1/s   1/s   1/s    images           ms   MiB\n"
        "hrnet  onednn  cpu:0   f32             4          17.2  17.1  17.3         4          232   741  coarse      "
        "verified\n"
        "unet   onednn  cpu:0   bf16            -             -     -     -         -            -     -              "
        "          bf16 needs AVX-512\n");
    free(text);
    fixture_close(f);
}

static void targets_are_told_apart(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    char *text = NULL;
    size_t size = 0;
    fixture_hrnet(f, "f32", 1);
    fixture_hrnet(f, "f32", 1.9)->row.instances = 2;
    FILE *file = open_memstream(&text, &size);
    curves_summary(file, &f->campaign, false);
    fclose(file);
    assert_null(strstr(text, "threads"));
    assert_non_null(strstr(text, "  instances  "));
    assert_non_null(strstr(text, "f32                2       4          32.7"));
    free(text);
    fixture_close(f);
}

/* A mark without a limit shows none; what a median hides is said with both rates. */
static void marks_and_skew_are_warned_of(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    struct mark_row marks[] = {
        { .subject = "point", .batch = 1, .reason = "memory_model_off", .value = 1.364, .limit = 1.1 },
        { .subject = "point", .batch = 4, .reason = "died", .value = 3, .limit = (double)NAN } };
    char *text = NULL;
    size_t size = 0;
    fixture_hrnet(f, "f32", 1);
    struct target_view *t = &f->targets[0];
    t->marks = marks;
    t->mark_count = 2;
    snprintf(t->points[0].estimate.labels, sizeof t->points[0].estimate.labels, "skewed");
    t->points[0].estimate.y = log(100);
    t->points[0].estimate.wall_images_per_s = 50;
    FILE *file = open_memstream(&text, &size);
    curves_show(file, &f->campaign, &(struct show_options){ 0 });
    fclose(file);
    assert_non_null(strstr(text, "warning: batch 1: memory_model_off (1.364, limit 1.1)\n"));
    assert_non_null(strstr(text, "warning: batch 4: died (round 3)\n"));
    assert_null(strstr(text, "nan"));
    char want[120];
    snprintf(want, sizeof want, "warning: batch %d: skewed: 50 images/s by the wall clock, 100 by the median\n",
             t->points[0].batch);
    assert_non_null(strstr(text, want));
    free(text);
    fixture_close(f);
}

static void colours_by_wish(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    char *text = NULL;
    size_t size = 0;
    fixture_hrnet(f, "f32", 1);
    FILE *file = open_memstream(&text, &size);
    curves_show(file, &f->campaign, &(struct show_options){ .colour = true });
    fclose(file);
    assert_non_null(strstr(text, "\033["));
    free(text);
    assert_false(table_colour(stdout) && getenv("NO_COLOR"));
    fixture_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_table),
        cmocka_unit_test(one_model_only),
        cmocka_unit_test(caveats_are_seen_everywhere),
        cmocka_unit_test(csv_lines),
        cmocka_unit_test(json_nulls),
        cmocka_unit_test(control_characters_stay_out),
        cmocka_unit_test(the_whole_procedure_is_in_the_data),
        cmocka_unit_test(details_as_csv),
        cmocka_unit_test(absurd_percentages_are_dashes),
        cmocka_unit_test(summary_has_a_line_per_target),
        cmocka_unit_test(targets_are_told_apart),
        cmocka_unit_test(marks_and_skew_are_warned_of),
        cmocka_unit_test(colours_by_wish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
