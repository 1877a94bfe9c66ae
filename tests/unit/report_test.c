/* Plots and the page: files of the right kind, texts that stay texts, nothing loaded from elsewhere, and a machine
 * without gnuplot. Needs plots/ (here, in BENCH_HOME, or in a folder above this program). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "bench/output/html.h"
#include "bench/output/plot.h"
#include "bench/output/report.h"
#include "tests/unit/batch_sizes_fixture.h"
#include "tests/unit/campaign_fixture.h"

static const char evil[] = "it's \"`touch hacked` $(x) <script>alert(1)</script>&_^{x}\\\n%d";

static bool has_gnuplot(void)
{
    return system("gnuplot --version > /dev/null 2>&1") == 0;
}

static struct fixture *two_models(void)
{
    struct fixture *f = fixture_open();
    fixture_hrnet(f, "f32", 1);
    fixture_hrnet(f, "bf16", 1.7);
    struct target_view *t = fixture_hrnet(f, "f32", 0.5);
    snprintf(t->row.model, sizeof t->row.model, "%s", evil);
    snprintf(t->row.engine, sizeof t->row.engine, "%s", evil);
    snprintf(t->decision.reason, sizeof t->decision.reason, "%s", evil);
    snprintf(t->points[4].why.text, sizeof t->points[4].why.text, "%s", evil);
    return f;
}

static int count_of(const char *text, const char *part)
{
    int count = 0;
    for (; (text = strstr(text, part)); text++)
        count++;
    return count;
}

static void pictures_are_drawn(void **state)
{
    (void)state;
    if (!has_gnuplot()) {
        print_message("gnuplot is not installed: nothing to draw with\n");
        skip();
    }
    char *folder = scratch_open();
    struct fixture *f = two_models();
    struct plots plots;
    struct notes notes = { 0 };
    struct err err = { .text = "" };
    if (plots_draw(&plots, &f->campaign, folder, &notes, &err) != ST_OK)
        fail_msg("%s", err.text);
    assert_true(plots.drawn);
    assert_int_equal(plots.count, 10); /* five of each model */
    for (size_t i = 0; i < plots.count; i++) {
        char head[16] = "";
        FILE *png = fopen(plots.files[i].png, "rb"), *svg = fopen(plots.files[i].svg, "rb");
        assert_non_null(png);
        assert_non_null(svg);
        assert_int_equal(fread(head, 1, 8, png), 8);
        assert_memory_equal(head, "\x89PNG\r\n\x1a\n", 8);
        assert_int_equal(fread(head, 1, 5, svg), 5);
        assert_memory_equal(head, "<?xml", 5);
        fclose(png);
        fclose(svg);
    }
    char *svg = slurp("", plots.files[0].svg);
    assert_non_null(strstr(svg, "rgb( 31,  95, 168)")); /* f32 is blue, bf16 orange, in every picture */
    assert_non_null(strstr(svg, "rgb(217, 115,  13)"));
    assert_non_null(strstr(svg, "images/s"));
    assert_non_null(strstr(svg, "chosen: 4"));
    assert_null(strstr(svg, "no measurement"));
    free(svg);
    assert_int_not_equal(access("hacked", F_OK), 0);
    plots_free(&plots);
    notes_free(&notes);
    fixture_close(f);
    scratch_close(folder);
}

/* Zone, limit, verification and part-filled batches: of one target only, the other has none of them. */
static void a_whole_campaign_is_drawn(void **state)
{
    (void)state;
    if (!has_gnuplot())
        skip();
    char *folder = scratch_open(), *svg, *data;
    struct fixture *f = fixture_open();
    struct decision_row *d = &fixture_whole(f, "f32", 1)->decision;
    fixture_hrnet(f, "bf16", 1.7);
    snprintf(d->slo_kind, sizeof d->slo_kind, "service");
    d->slo_percentile = 0.95;
    d->slo_limit_ms = 300;
    struct plots plots;
    struct notes notes = { 0 };
    struct err err = { .text = "" };
    if (plots_draw(&plots, &f->campaign, folder, &notes, &err) != ST_OK)
        fail_msg("%s", err.text);
    static const struct { const char *name, *text; } rows[] = {
        { "throughput", "diamond: verified" }, { "throughput", "shaded: within 5 % of the best" },
        { "latency", "limit of p95: 300 ms" }, { "pareto", "limit of p95: 300 ms" }, { "fill", "f32 split" },
    };
    assert_int_equal(plots.count, 6);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t k = 0; k < plots.count; k++) {
            if (strcmp(plots.files[k].name, rows[i].name) != 0)
                continue;
            svg = slurp("", plots.files[k].svg);
            if (!strstr(svg, rows[i].text))
                fail_msg("%s lacks %s", rows[i].name, rows[i].text);
            free(svg);
        }
    data = slurp(folder, "plots/hrnet-fill.tsv"); /* 5 images: 440 ms, as 4 + 1 290.5 ms */
    assert_non_null(strstr(data, "\n5\t440\t290.5\tsplit\n"));
    free(data);
    data = slurp(folder, "plots/hrnet-targets.tsv"); /* the published rate and its range; without one the race */
    assert_non_null(strstr(data, "\n1\t17.21\t17.17\t17.25\n2\t29.257\t"));
    free(data);
    plots_free(&plots);
    fixture_close(f);
    scratch_close(folder);
}

static void caveat_is_in_the_picture(void **state)
{
    (void)state;
    if (!has_gnuplot())
        skip();
    char *folder = scratch_open();
    struct fixture *f = fixture_open();
    fixture_hrnet(f, "f32", 1)->row.scripted = true;
    struct plots plots;
    struct notes notes = { 0 };
    assert_int_equal(plots_draw(&plots, &f->campaign, folder, &notes, NULL), ST_OK);
    for (size_t i = 0; i < plots.count; i++) {
        char *svg = slurp("", plots.files[i].svg);
        assert_non_null(strstr(svg, "no measurement: scripted engine"));
        free(svg);
    }
    plots_free(&plots);
    fixture_close(f);
    scratch_close(folder);
}

static void odd_curves_are_drawn(void **state) /* one point; no interval; no percentile; no memory; nothing valid */
{
    (void)state;
    if (!has_gnuplot())
        skip();
    char *folder = scratch_open();
    struct fixture *f = fixture_open();
    struct plots plots;
    struct notes notes = { 0 };
    struct err err = { .text = "" };
    struct target_view *t = fixture_target(f, "one", "tf32");
    struct point_view *p = fixture_point(t, 3, 0.004, 0, 0);
    p->estimate.service_p50_ms = (double)NAN;
    t = fixture_target(f, "none", "f32");
    fixture_failure(t, 1, "crashed", "1: died");
    t = fixture_target(f, "large", "f16");
    for (int b = 1, i = 0; i < 8; b *= 3, i++)
        fixture_point(t, b, 40000, 2, 9);
    if (plots_draw(&plots, &f->campaign, folder, &notes, &err) != ST_OK)
        fail_msg("%s", err.text);
    /* nothing of the model without a curve; of "one" no memory and no choice, of "large" no choice */
    assert_int_equal(plots.count, 3 + 4);
    plots_free(&plots);
    fixture_close(f);
    scratch_close(folder);
}

static void without_gnuplot(void **state)
{
    (void)state;
    char *folder = scratch_open(), path[4200], *old = strdup(getenv("PATH"));
    struct fixture *f = two_models();
    struct plots plots;
    struct notes notes = { 0 };
    struct err err = { .text = "" };
    setenv("PATH", folder, 1);
    const enum status st = plots_draw(&plots, &f->campaign, folder, &notes, &err);
    setenv("PATH", old, 1);
    assert_int_equal(st, ST_OK);
    assert_false(plots.drawn);
    assert_int_equal(notes.count, 1);
    assert_non_null(strstr(notes.lines[0], "gnuplot-nox"));
    in_folder(path, sizeof path, folder, "report.html");
    assert_int_equal(report_write(&f->campaign, &plots, path, &err), ST_OK);
    char *page = slurp("", path);
    assert_non_null(strstr(page, "No plots: gnuplot was not found"));
    free(page);
    free(old);
    plots_free(&plots);
    notes_free(&notes);
    fixture_close(f);
    scratch_close(folder);
}

static void gnuplot_that_fails_is_named(void **state)
{
    (void)state;
    char *folder = scratch_open(), path[4300], *old = strdup(getenv("PATH"));
    struct fixture *f = two_models();
    struct plots plots;
    struct notes notes = { 0 };
    struct err err = { .text = "" };
    spill(folder, "gnuplot", "#!/bin/sh\necho 'line 7: unknown terminal' >&2\nexit 1\n");
    chmod(in_folder(path, sizeof path, folder, "gnuplot"), 0755);
    setenv("PATH", folder, 1);
    const enum status st = plots_draw(&plots, &f->campaign, folder, &notes, &err);
    setenv("PATH", old, 1);
    assert_int_equal(st, ST_ENVIRONMENT);
    assert_non_null(strstr(err.text, "line 7: unknown terminal"));
    free(old);
    fixture_close(f);
    scratch_close(folder);
}

static void the_page_stands_alone(void **state)
{
    (void)state;
    char *folder = scratch_open(), path[4200];
    struct fixture *f = two_models();
    struct plots plots = { .drawn = false };
    struct notes notes = { 0 };
    struct err err = { .text = "" };
    if (has_gnuplot())
        assert_int_equal(plots_draw(&plots, &f->campaign, folder, &notes, &err), ST_OK);
    if (report_write(&f->campaign, &plots, in_folder(path, sizeof path, folder, "report.html"), &err) != ST_OK)
        fail_msg("%s", err.text);
    char *page = slurp("", path);
    static const char *const never[] = { "http:", "https:", "<script", "src=", "url(", "@import", "<link", "{{", "}}",
                                         "NaN", "nan&" };
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        if (strstr(page, never[i]))
            fail_msg("the page holds %s", never[i]);
    assert_non_null(strstr(page, "&lt;script&gt;alert(1)"));
    assert_non_null(strstr(page, "<b>Batch 4</b> gives <b>17.21 images/s</b>"));
    assert_non_null(strstr(page, "bench tune --model hrnet --input 256x256 --seed 7"));
    assert_non_null(strstr(page, "Example CPU @ 3.20GHz"));
    assert_non_null(strstr(page, "prefers-color-scheme: dark"));
    assert_int_equal(count_of(page, "the fastest target of this model"), 1); /* hrnet has two, the other model one */
    assert_int_equal(count_of(page, "<svg"), (int)plots.count);
    assert_int_equal(count_of(page, "<svg"), count_of(page, "</svg>"));
    assert_int_equal(count_of(page, "<table"), count_of(page, "</table>"));
    free(page);
    plots_free(&plots);
    notes_free(&notes);
    fixture_close(f);
    scratch_close(folder);
}

static void the_page_defends_the_size(void **state)
{
    (void)state;
    char *folder = scratch_open(), path[4200];
    struct fixture *f = fixture_open();
    fixture_whole(f, "f32", 1);
    struct decision_row *d = &fixture_whole(f, "bf16", 1.7)->decision;
    snprintf(d->confidence, sizeof d->confidence, "undecided");
    snprintf(d->cause, sizeof d->cause, "margin");
    assert_int_equal(report_write(&f->campaign, NULL, in_folder(path, sizeof path, folder, "r.html"), NULL), ST_OK);
    char *page = slurp("", path);
    static const char *const parts[] = {
        "gives <b>17.21 images/s</b> (17.17 to 17.25 over 3 fresh executions)",
        "Use batch 4: it is the smallest size within 5 % of the best throughput",
        "<dt>zone</dt><dd>16.65 images/s and more", "-9.8 (-10.3 to -9.4)", "How the race went",
        "Verification in fresh executions", "run 5 as 4 + 1", "class=\"verdict open\"", "batch 4: undecided (margin)",
        "<dt>next</dt><dd>a size lies right at the margin",
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!strstr(page, parts[i]))
            fail_msg("the page lacks %s", parts[i]);
    assert_int_equal(count_of(page, "<details"), count_of(page, "</details>"));
    free(page);
    fixture_close(f);
    scratch_close(folder);
}

static void warnings_of_the_page(void **state)
{
    (void)state;
    char *folder = scratch_open(), path[4200];
    struct fixture *f = fixture_open();
    struct mark_row mark = { .subject = "target", .reason = "shared_machine" };
    struct target_view *t = fixture_hrnet(f, "f32", 1);
    t->marks = &mark;
    t->mark_count = 1;
    t->accuracy_count = 0;
    snprintf(f->campaign.run.variant, sizeof f->campaign.run.variant, "debug");
    snprintf(f->campaign.run.state, sizeof f->campaign.run.state, "interrupted");
    assert_int_equal(report_write(&f->campaign, NULL, in_folder(path, sizeof path, folder, "r.html"), NULL), ST_OK);
    char *page = slurp("", path);
    assert_non_null(strstr(page, "Measured by a debug or sanitizer build"));
    assert_non_null(strstr(page, "did not run to its end (interrupted)"));
    assert_non_null(strstr(page, "hrnet: shared_machine"));
    assert_non_null(strstr(page, "Accuracy was not checked."));
    assert_non_null(strstr(page, "No measurement to rely on: debug build"));
    free(page);
    fixture_close(f);
    scratch_close(folder);
}

static void pictures_that_act_stay_out(void **state)
{
    (void)state;
    static const struct { const char *svg; int taken; } rows[] = {
        { "<?xml version='1'?><svg viewBox=\"0 0 1 1\" xmlns=\"http://www.w3.org/2000/svg\"><g/></svg>", 1 },
        { "<svg><script>x</script></svg>", 0 },
        { "<svg onload=x></svg>", 0 },
        { "<svg><a href='https://x'/></svg>", 0 },
        { "no picture", 0 },
        { "", 0 },
    };
    char *folder = scratch_open(), path[4200];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *text = NULL;
        size_t size = 0;
        FILE *file = open_memstream(&text, &size);
        spill(folder, "a.svg", rows[i].svg);
        assert_int_equal(html_svg(file, in_folder(path, sizeof path, folder, "a.svg"), "a \"b\""),
                         rows[i].taken ? 0 : -1);
        fclose(file);
        if (rows[i].taken)
            assert_string_equal(text, "<svg role=\"img\" aria-label=\"a &quot;b&quot;\" viewBox=\"0 0 1 1\"><g/></svg>");
        else
            assert_int_equal(size, 0);
        free(text);
    }
    scratch_close(folder);
}

static void texts_are_escaped(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    html_text(file, "<a href=\"x\">&'\001\xFF\xC4\x9B");
    fclose(file);
    assert_string_equal(text, "&lt;a href=&quot;x&quot;&gt;&amp;&#39;??\xC4\x9B");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_are_drawn),
        cmocka_unit_test(a_whole_campaign_is_drawn),
        cmocka_unit_test(caveat_is_in_the_picture),
        cmocka_unit_test(odd_curves_are_drawn),
        cmocka_unit_test(without_gnuplot),
        cmocka_unit_test(gnuplot_that_fails_is_named),
        cmocka_unit_test(the_page_stands_alone),
        cmocka_unit_test(the_page_defends_the_size),
        cmocka_unit_test(warnings_of_the_page),
        cmocka_unit_test(pictures_that_act_stay_out),
        cmocka_unit_test(texts_are_escaped),
    };
    if (access("plots/style.gp", R_OK) == 0) /* started in the tree, built elsewhere */
        setenv("BENCH_HOME", ".", 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
