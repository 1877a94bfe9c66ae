#include "bench/output/progress.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bench/output/table.h"
#include "kernels/base/text.h"

/* --- the text --- */

struct text {
    char  *at;
    size_t size, used;
};

static void say(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = t->used < t->size ? vsnprintf(t->at + t->used, t->size - t->used, format, args) : 0;
    va_end(args);
    t->used += n > 0 ? (size_t)n : 0;
}

static bool has_sentence(const struct progress_event *e)
{
    return strcmp(e->phase, "note") == 0 || strcmp(e->phase, "warning") == 0 ||
           strcmp(e->phase, "target done") == 0;
}

static void say_best(struct text *t, const struct progress_event *e)
{
    if (!e->best_batch || !isfinite(e->best_images_per_s))
        return;
    say(t, "  best %d: %.4g images/s", e->best_batch, e->best_images_per_s);
    if (isfinite(e->best_low) && isfinite(e->best_high))
        say(t, " (%.4g..%.4g)", e->best_low, e->best_high);
}

static void say_round(struct text *t, const struct progress_event *e)
{
    if (e->round && strcmp(e->phase, "race") != 0)
        say(t, ", execution %d of %d", e->round, e->rounds);
    else if (e->round)
        say(t, ", round %d of at most %d", e->round, e->rounds);
    if (e->alive)
        say(t, ", %d size%s left", e->alive, e->alive == 1 ? "" : "s");
}

void progress_line_text(char *out, size_t size, const struct progress_event *e)
{
    struct text t = { .at = out, .size = size };
    char duration[32];
    *out = 0;
    if (e->target_count)
        say(&t, "[%d/%d] ", e->target_place, e->target_count);
    if (e->target)
        say(&t, "%s: ", e->target);
    if (has_sentence(e)) {
        say(&t, "%s%s", strcmp(e->phase, "warning") == 0 ? "warning: " : "", e->text ? e->text : "");
    } else {
        say(&t, "%s", e->phase);
        if (e->batch)
            say(&t, " batch %d", e->batch);
        say_round(&t, e);
        say_best(&t, e);
        if (e->left_ns) {
            text_of_duration(duration, sizeof duration, e->left_ns);
            say(&t, "  %s left", duration);
        }
    }
    for (char *c = out; *c; c++)
        if ((unsigned char)*c < 32 || *c == 127)
            *c = ' ';
}

/* --- showing it --- */

static void erase(struct progress_line *line)
{
    if (line->open)
        fputs("\r\033[K", line->file);
    line->open = false;
}

static void show_sentence(struct progress_line *line, const char *text, bool warning)
{
    erase(line);
    fprintf(line->file, "%s%s%s\n", line->colour && warning ? "\033[1;33m" : "", text,
            line->colour && warning ? "\033[0m" : "");
    fflush(line->file);
}

/* Cut to the width of the terminal, so that it stays one line. */
static void redraw(struct progress_line *line, const char *text)
{
    erase(line);
    fprintf(line->file, "%s%.*s%s", line->colour ? "\033[36m" : "",
            line->columns > 1 ? line->columns - 1 : 79, text, line->colour ? "\033[0m" : "");
    fflush(line->file);
    line->open = true;
}

static void tell(void *context, const struct progress_event *event)
{
    struct progress_line *line = context;
    char text[1024];
    const bool warning = strcmp(event->phase, "warning") == 0;
    const uint64_t now_ns = clock_now_ns(&line->clock);
    if (line->quiet && !warning)
        return;
    progress_line_text(text, sizeof text, event);
    if (has_sentence(event)) {
        show_sentence(line, text, warning);
        return;
    }
    const char *target = event->target ? event->target : "";
    const bool same = line->drawn_once && strcmp(line->phase, event->phase) == 0 &&
                      strcmp(line->target, target) == 0;
    if (same && now_ns - line->drawn_ns < (line->terminal ? PROGRESS_REDRAW_NS : PROGRESS_PLAIN_NS))
        return;
    line->drawn_ns = now_ns;
    line->drawn_once = true;
    snprintf(line->phase, sizeof line->phase, "%s", event->phase);
    snprintf(line->target, sizeof line->target, "%s", target);
    if (line->terminal && strlen(text) >= (size_t)line->columns) { /* what happens matters more than where */
        struct progress_event shorter = *event;
        shorter.target = NULL;
        progress_line_text(text, sizeof text, &shorter);
    }
    if (line->terminal)
        redraw(line, text);
    else
        show_sentence(line, text, false);
}

struct progress progress_line_open(struct progress_line *out, FILE *file, bool quiet)
{
    struct winsize size = { .ws_col = 0 };
    *out = (struct progress_line){ .file = file, .clock = clock_system(), .quiet = quiet, .columns = 80 };
    const char *term = getenv("TERM");
    out->terminal = isatty(fileno(file)) && term && strcmp(term, "dumb") != 0;
    out->colour = table_colour(file);
    if (out->terminal && ioctl(fileno(file), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        out->columns = size.ws_col;
    return (struct progress){ .tell = tell, .context = out };
}

void progress_line_close(struct progress_line *line)
{
    erase(line);
    fflush(line->file);
}
