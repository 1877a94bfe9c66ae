/* The progress line: its text, how often it is shown, and that --quiet lets only warnings through. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/output/progress.h"

static struct progress_event measuring(void)
{
    return (struct progress_event){ .phase = "race", .target = "hrnet onednn cpu:0 f32", .target_place = 2,
                                    .target_count = 6, .batch = 4, .round = 3, .rounds = 40, .best_batch = 8,
                                    .best_images_per_s = 17.525, .best_low = 17.4, .best_high = 17.65,
                                    .left_ns = 125000000000u };
}

static void texts(void **state)
{
    (void)state;
    char text[256];
    struct progress_event e = measuring();
    progress_line_text(text, sizeof text, &e);
    assert_string_equal(text, "[2/6] hrnet onednn cpu:0 f32: race batch 4, round 3 of at most 40  best 8: 17.52 "
                        "images/s (17.4..17.65)  2 m 05 s left");
    e.best_low = (double)NAN;
    e.left_ns = 0;
    e.alive = 5;
    progress_line_text(text, sizeof text, &e);
    assert_string_equal(text, "[2/6] hrnet onednn cpu:0 f32: race batch 4, round 3 of at most 40, 5 sizes left  best 8: "
                        "17.52 images/s");
    e.alive = 0;
    e.phase = "verify";
    e.rounds = 3;
    progress_line_text(text, sizeof text, &e);
    assert_string_equal(text, "[2/6] hrnet onednn cpu:0 f32: verify batch 4, execution 3 of 3  best 8: 17.52 images/s");
    e.phase = "race";
    e.round = 0;
    progress_line_text(text, sizeof text, &e);
    assert_string_equal(text, "[2/6] hrnet onednn cpu:0 f32: race batch 4  best 8: 17.52 images/s");
    e = (struct progress_event){ .phase = "warning", .text = "two\nlines \033[2J" };
    progress_line_text(text, sizeof text, &e);
    assert_string_equal(text, "warning: two lines  [2J");
    e = measuring();
    progress_line_text(text, 10, &e); /* cut, not overrun */
    assert_string_equal(text, "[2/6] hrn");
}

struct shown {
    char *text;
    size_t size;
    FILE *file;
    uint64_t now_ns;
    struct progress_line line;
    struct progress progress;
};

static void open_shown(struct shown *s, bool quiet)
{
    *s = (struct shown){ .now_ns = 1 };
    s->file = open_memstream(&s->text, &s->size);
    s->progress = progress_line_open(&s->line, s->file, quiet);
    s->line.clock = clock_virtual(&s->now_ns);
}

static int lines_of(struct shown *s)
{
    int lines = 0;
    progress_line_close(&s->line);
    fclose(s->file);
    for (const char *c = s->text; (c = strchr(c, '\n')); c++)
        lines++;
    return lines;
}

static void plain_lines_keep_their_distance(void **state)
{
    (void)state;
    struct shown s;
    struct progress_event e = measuring();
    open_shown(&s, false);
    for (int i = 0; i < 100; i++, s.now_ns += 200000000) /* 20 s: at 0, 5, 10, 15 */
        progress_tell(&s.progress, &e);
    assert_int_equal(lines_of(&s), 4);
    assert_null(strchr(s.text, '\033'));
    assert_null(strchr(s.text, '\r'));
    free(s.text);
}

static void a_terminal_has_one_line(void **state)
{
    (void)state;
    struct shown s;
    struct progress_event e = measuring(), note = { .phase = "note", .text = "look" };
    open_shown(&s, false);
    s.line.terminal = true;
    s.line.columns = 40;
    for (int i = 0; i < 10; i++, s.now_ns += 50000000) /* 0.5 s, drawn every 0.1 s */
        progress_tell(&s.progress, &e);
    int drawn = 0;
    fflush(s.file);
    for (const char *c = s.text; (c = strstr(c, "[2/6]")); c++)
        drawn++;
    assert_int_equal(drawn, 5);
    assert_null(strchr(s.text, '\n'));
    progress_tell(&s.progress, &note); /* a sentence stays: the line is cleared before it */
    assert_int_equal(lines_of(&s), 1);
    assert_non_null(strstr(s.text, "\r\033[Klook\n"));
    free(s.text);
}

static void quiet_lets_warnings_through(void **state)
{
    (void)state;
    struct shown s;
    struct progress_event e = measuring(), warning = { .phase = "warning", .text = "the machine is shared" };
    open_shown(&s, true);
    progress_tell(&s.progress, &e);
    progress_tell(&s.progress, &warning);
    assert_int_equal(lines_of(&s), 1);
    assert_string_equal(s.text, "warning: the machine is shared\n");
    free(s.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts),
        cmocka_unit_test(plain_lines_keep_their_distance),
        cmocka_unit_test(a_terminal_has_one_line),
        cmocka_unit_test(quiet_lets_warnings_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
