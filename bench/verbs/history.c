#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/nightly/past.h"
#include "bench/output/night_page.h"
#include "bench/output/table.h"
#include "bench/verbs/files.h"
#include "bench/verbs/verbs.h"
#include "kernels/base/json.h"

static bool is_wanted(const struct history_view *series, const struct invocation *inv)
{
    return inv->word_count == 0 || strstr(series->name, inv->words[0]);
}

static enum status print_json(const struct past *past, const struct invocation *inv, struct err *err)
{
    json_t *all = json_array();
    for (size_t i = 0; all && i < past->series_count; i++)
        if (is_wanted(&past->series[i], inv))
            json_array_append_new(all, night_history_json(&past->series[i]));
    json_t *document = all ? json_pack("{s:i, s:o}", "schema", 1, "series", all) : NULL;
    char *text = document ? json_write_text(document, JSON_INDENTED) : NULL;
    json_decref(document);
    if (!text)
        return err_set(err, ST_INTERNAL, "not enough memory to print the nights");
    fputs(text, stdout);
    free(text);
    return ST_OK;
}

static enum status print(const struct past *past, const struct invocation *inv, struct err *err)
{
    size_t shown = 0;
    if (inv->config->json)
        return print_json(past, inv, err);
    for (size_t i = 0; i < past->series_count; i++) {
        if (!is_wanted(&past->series[i], inv))
            continue;
        if (inv->config->csv)
            night_history_csv(stdout, &past->series[i], shown == 0);
        else {
            fputs(shown ? "\n" : "", stdout);
            night_history_write(stdout, &past->series[i], table_colour(stdout));
        }
        shown++;
    }
    if (shown == 0)
        return err_set(err, ST_USAGE,
                       "no series has \"%.80s\" in its name: bench history without a word lists all",
                       inv->words[0]);
    return ST_OK;
}

/* The series that were asked for, as pictures. */
static enum status draw(const struct past *past, const struct invocation *inv, struct err *err)
{
    struct history_view *wanted = calloc(past->series_count + 1, sizeof *wanted);
    size_t count = 0;
    if (!wanted)
        return err_set(err, ST_INTERNAL, "not enough memory to draw the nights");
    for (size_t i = 0; i < past->series_count; i++)
        if (is_wanted(&past->series[i], inv))
            wanted[count++] = past->series[i];
    const struct night_page page = { .series = wanted, .series_count = count, .command = inv->argv_text };
    enum status st = night_page_write_history(&page, inv->config->plot, err);
    free(wanted);
    return st;
}

enum status verb_history(const struct invocation *inv, struct err *err)
{
    struct store *store = NULL;
    struct past past = { 0 };
    enum status st = files_open_store(&store, inv->config->out, STORE_READ, err);
    if (st == ST_OK)
        st = past_load(&past, store, err);
    if (st == ST_OK)
        st = print(&past, inv, err);
    if (st == ST_OK && inv->config->plot)
        st = draw(&past, inv, err);
    past_free(&past);
    store_close(store);
    return st;
}
