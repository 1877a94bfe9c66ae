#include "bench/verbs/verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/output/curves.h"
#include "bench/output/details.h"
#include "bench/output/table.h"
#include "bench/output/why_table.h"
#include "bench/verbs/files.h"
#include "kernels/base/clock.h"
#include "kernels/base/json.h"

/* --- the list of campaigns ------------------------------------------------------------------------------ */

struct campaign_line {
    char campaign[32], state[16], started[CLOCK_STAMP_SIZE], ended[CLOCK_STAMP_SIZE];
    int  exit_code;
    char command[RECORD_TEXT];
};

static const struct field campaign_fields[] = {
#define AT(field) .offset = offsetof(struct campaign_line, field)
    { .name = "campaign", .unit = "", AT(campaign), .type = FIELD_TEXT },
    { .name = "state", .unit = "", AT(state), .type = FIELD_TEXT },
    { .name = "started", .unit = "UTC", AT(started), .type = FIELD_TEXT },
    { .name = "ended", .unit = "UTC", AT(ended), .type = FIELD_TEXT },
    { .name = "exit", .unit = "", AT(exit_code), .type = FIELD_INT },
    { .name = "command", .unit = "", AT(command), .type = FIELD_TEXT },
#undef AT
};

static struct campaign_line line_of(const struct run_row *run)
{
    struct campaign_line line = { .exit_code = run->exit_code };
    snprintf(line.campaign, sizeof line.campaign, "%s", run->name);
    snprintf(line.state, sizeof line.state, "%s", run->state);
    clock_stamp(line.started, run->start_unix_s);
    if (run->end_unix_s)
        clock_stamp(line.ended, run->end_unix_s);
    snprintf(line.command, sizeof line.command, "%s", run->argv ? run->argv : "");
    return line;
}

/* Prints a JSON value and frees it. */
static enum status print_json(json_t *value, struct err *err)
{
    char *text = value ? json_write_text(value, JSON_INDENTED) : NULL;
    json_decref(value);
    if (!text)
        return err_set(err, ST_INTERNAL, "not enough memory to print the campaign");
    fputs(text, stdout);
    free(text);
    return ST_OK;
}

static enum status print_campaigns(const struct config *config, const struct campaign_line *lines,
                                   size_t count, struct err *err)
{
    struct table table = { .fields = campaign_fields,
                           .field_count = sizeof campaign_fields / sizeof *campaign_fields,
                           .rows = lines,
                           .row_size = sizeof *lines,
                           .row_count = count,
                           .marked = -1,
                           .colour = table_colour(stdout) };
    if (config->json)
        return print_json(table_json(&table), err);
    if (config->csv)
        table_write_csv(stdout, &table, true);
    else
        table_write_text(stdout, &table);
    return ST_OK;
}

static enum status show_list(const struct config *config, struct err *err)
{
    struct store *store = NULL;
    struct run_row *runs = NULL;
    size_t count = 0;
    enum status st = files_open_store(&store, config->out, STORE_READ, err);
    if (st == ST_OK)
        st = store_load_runs(&runs, &count, store, "tune", err);
    struct campaign_line *lines = calloc(count ? count : 1, sizeof *lines);
    if (st == ST_OK && !lines)
        st = err_set(err, ST_INTERNAL, "not enough memory for %zu campaigns", count);
    for (size_t i = 0; st == ST_OK && i < count; i++)
        lines[i] = line_of(&runs[i]);
    if (st == ST_OK)
        st = print_campaigns(config, lines, count, err);
    free(lines);
    store_free_runs(runs, count);
    store_close(store);
    return st;
}

/* --- one campaign --------------------------------------------------------------------------------------- */

/* All tables of a campaign, a blank line between them. */
static void write_all_csv(const struct campaign *campaign)
{
    curves_write_csv(stdout, campaign);
    for (enum detail detail = 0; detail < DETAIL_OF_COUNT; detail++) {
        putchar('\n');
        detail_write_csv(stdout, campaign, detail);
    }
}

static enum status show_one(const struct config *config, const char *name, struct err *err)
{
    struct campaign *campaign = NULL;
    enum status st = files_load_campaign(&campaign, config->out, name, err);
    if (st != ST_OK)
        return st;
    if (config->json)
        st = print_json(curves_json(campaign), err);
    else if (config->csv && config->why)
        write_all_csv(campaign);
    else if (config->csv)
        curves_write_csv(stdout, campaign);
    else if (config->why)
        why_show(stdout, campaign, NULL, table_colour(stdout));
    else
        curves_show(stdout, campaign, &(struct show_options){ .colour = table_colour(stdout) });
    campaign_free(campaign);
    return st;
}

enum status verb_show(const struct invocation *inv, struct err *err)
{
    const char *name = inv->word_count ? inv->words[0] : NULL;
    if (inv->config->json && inv->config->csv)
        return err_set(err, ST_USAGE, "--json and --csv exclude each other: leave one of them out");
    if (name && strcmp(name, "campaigns") == 0)
        return show_list(inv->config, err);
    return show_one(inv->config, name, err);
}
