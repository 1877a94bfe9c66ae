#include "bench/output/night_page.h"

#include <math.h>
#include <string.h>

#include "bench/output/html.h"
#include "bench/output/night_picture.h"
#include "bench/output/template.h"
#include "kernels/base/len.h"

#define SHOWN_MOST 90                /* nights in a picture of the page */
#define CHANGES_MOST 30              /* nights in the list of changes */

/* --- words ---------------------------------------------------------------------------------------------- */

static void write_title(FILE *file, const void *context)
{
    const struct night_page *p = context;
    fprintf(file, "bench nightly: ");
    html_text(file, p->tonight.verdict);
}

static void write_change(FILE *file, const char *name, const char *was, const char *is)
{
    fprintf(file, "<span>");
    html_text(file, name);
    fprintf(file, " ");
    html_text(file, was);
    fprintf(file, " &rarr; ");
    html_text(file, is);
    fprintf(file, "</span>");
}

/* What may be the cause of a red night: its changes since the night before stand below, with those of all nights. */
static void write_suspects(FILE *file, const struct night_view *n)
{
    if (!n->events_of_base || n->event_count == 0)
        return;
    fprintf(file, "<p>As on no night of the base: ");
    for (size_t i = 0; i < n->event_count; i++) {
        fputs(i ? ", " : "", file);
        write_change(file, n->events[i].name, n->events[i].was, n->events[i].is);
    }
    fprintf(file, "</p>");
}

static void write_verdict(FILE *file, const void *context)
{
    const struct night_view *n = &((const struct night_page *)context)->tonight;
    const char *class = night_class(n->verdict);
    fprintf(file, "<div class=\"verdict %s\"><p><b>", strcmp(class, "good") == 0 ? "" : class);
    html_text(file, n->verdict);
    fprintf(file, "</b> ");
    html_text(file, n->sentence);
    fprintf(file, "</p><p class=\"faint\">night ");
    html_text(file, n->name);
    fprintf(file, ", number %zu; %zu series, one false alarm in %.0f nights</p>", n->nights, n->count,
            1 / n->alpha_budget);
    write_suspects(file, n);
    if (*n->gap && strcmp(n->gap, n->sentence) != 0) {
        fprintf(file, "<p class=\"warn\">");
        html_text(file, n->gap);
        fprintf(file, "</p>");
    }
    if (*n->advice) {
        fprintf(file, "<p class=\"warn\">");
        html_text(file, n->advice);
        fprintf(file, "</p>");
    }
    fprintf(file, "</div>\n");
}

/* --- what changed ---------------------------------------------------------------------------------------- */

/* The series with most nights: its nights stand for all. NULL: there is none. */
static const struct history_view *longest(const struct night_page *p)
{
    const struct history_view *found = NULL;
    for (size_t i = 0; i < p->series_count; i++)
        if (!found || p->series[i].count > found->count)
            found = &p->series[i];
    return found;
}

/* Series whose new level begins with this night. */
static size_t write_accepts(FILE *file, const struct night_page *p, int64_t run)
{
    size_t count = 0;
    for (size_t i = 0; i < p->series_count; i++)
        for (size_t n = 0; n < p->series[i].count; n++) {
            const struct history_night *night = &p->series[i].nights[n];
            if (!night->accepted || night->row->run != run)
                continue;
            if (file) {
                fprintf(file, "<span>new level accepted: ");
                html_text(file, p->series[i].name);
                fprintf(file, "</span>");
            }
            count++;
        }
    return count;
}

static bool has_changed(const struct night_page *p, const struct history_night *n)
{
    return n->event_count > 0 || write_accepts(NULL, p, n->row->run) > 0;
}

static void write_night_changes(FILE *file, const struct night_page *p, const struct history_night *n)
{
    char date[NIGHT_DATE_SIZE];
    fprintf(file, "<dt>%s</dt><dd>", night_date(date, n->start_unix_s));
    for (size_t e = 0; e < n->event_count; e++)
        write_change(file, n->events[e].name, n->events[e].was, n->events[e].is);
    write_accepts(file, p, n->row->run);
    fprintf(file, "</dd>\n");
}

/* Night by night, the newest first: what the dashed lines of the pictures are. */
static void write_changes(FILE *file, const void *context)
{
    const struct night_page *p = context;
    const struct history_view *all = longest(p);
    size_t shown = 0;
    for (size_t i = all ? all->count : 0; i-- > 0 && shown < CHANGES_MOST;) {
        if (!has_changed(p, &all->nights[i]))
            continue;
        if (shown++ == 0)
            fprintf(file, "<h2>What changed</h2>\n<dl class=\"changes\">");
        write_night_changes(file, p, &all->nights[i]);
    }
    if (shown)
        fprintf(file, "</dl>\n");
}

/* --- pictures ------------------------------------------------------------------------------------------- */

/* The grave ones first, else by name. */
static void write_series(FILE *file, const void *context)
{
    static const char *const order[] = { "bad", "open", "good", "" };
    const struct night_page *p = context;
    for (size_t o = 0; o < LEN(order); o++)
        for (size_t i = 0; i < p->series_count; i++) {
            const struct history_view *series = &p->series[i];
            const char *word = night_row_word(series->nights[series->count - 1].row);
            if (night_picture_has_values(series) && strcmp(night_class(word), order[o]) == 0)
                night_picture_write(file, series, SHOWN_MOST);
        }
}

static void write_tonight(FILE *file, const void *context)
{
    night_table_html(file, &((const struct night_page *)context)->tonight);
}

static void write_command(FILE *file, const void *context)
{
    html_text(file, ((const struct night_page *)context)->command);
}

enum status night_page_write(const struct night_page *page, const char *path, struct err *err)
{
    static const struct template_place places[] = {
        { "title", write_title },   { "verdict", write_verdict }, { "changes", write_changes },
        { "series", write_series }, { "tonight", write_tonight }, { "command", write_command },
    };
    return template_write(path, "night.html", places, LEN(places), page, err);
}

/* --- the history alone ---------------------------------------------------------------------------------- */

static void write_history(FILE *file, const void *context)
{
    const struct night_page *p = context;
    for (size_t i = 0; i < p->series_count; i++)
        if (night_picture_has_values(&p->series[i]))
            night_picture_write(file, &p->series[i], NIGHT_PICTURE_MOST);
}

enum status night_page_write_history(const struct night_page *page, const char *path, struct err *err)
{
    static const struct template_place places[] = {
        { "changes", write_changes }, { "series", write_history }, { "command", write_command },
    };
    return template_write(path, "history.html", places, LEN(places), page, err);
}
