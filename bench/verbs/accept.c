#include <stdio.h>
#include <string.h>

#include "bench/nightly/past.h"
#include "bench/verbs/files.h"
#include "bench/verbs/verbs.h"
#include "kernels/base/clock.h"

/* --- whom it is about ----------------------------------------------------------------------------------- */

/* The one series that has the text in its name. */
static enum status find_series(struct accept_row *row, const struct past *past, const char *text,
                               struct err *err)
{
    const struct history_view *found = NULL;
    for (size_t i = 0; i < past->series_count; i++) {
        const struct history_view *series = &past->series[i];
        if (strcmp(series->name, text) != 0 && !strstr(series->name, text))
            continue;
        if (found && strcmp(found->name, text) != 0 && strcmp(series->name, text) != 0)
            return err_set(
                err, ST_USAGE,
                "--series: \"%.80s\" is in the names of \"%.120s\" and \"%.120s\": name one of them",
                text, found->name, series->name);
        if (!found || strcmp(found->name, text) != 0)
            found = series;
    }
    if (!found)
        return err_set(err, ST_USAGE,
                       "--series: no series has \"%.80s\" in its name: bench history lists them", text);
    snprintf(row->series, sizeof row->series, "%s", found->nights[0].row->series);
    snprintf(row->device, sizeof row->device, "%s", found->nights[0].row->device);
    return ST_OK;
}

static enum status find_device(struct accept_row *row, const struct past *past, const char *device,
                               struct err *err)
{
    for (size_t i = 0; i < past->row_count; i++)
        if (strcmp(past->rows[i].device, device) == 0) {
            snprintf(row->device, sizeof row->device, "%s", device);
            return ST_OK;
        }
    return err_set(err, ST_USAGE, "--device: no night measured on %.60s", device);
}

static enum status check(struct accept_row *row, const struct past *past, const struct config *c,
                         struct err *err)
{
    bool device = c->devices_named && c->devices.count == 1;
    if (!!c->series == device)
        return err_set(err, ST_USAGE,
                       "say what is accepted: --series TEXT or --device DEVICE, one of the two");
    if (!c->since || !c->reason)
        return err_set(err, ST_USAGE, "--%s is missing: an accept says since which night, and why",
                       c->since ? "reason" : "since");
    const struct run_row *night = past_night(past, c->since);
    if (!night)
        return err_set(err, ST_USAGE,
                       "--since: there was no night \"%.80s\": give its name, its date, or last",
                       c->since);
    *row = (struct accept_row){ .since_unix_s = night->start_unix_s, .time_unix_s = clock_unix_s() };
    snprintf(row->reason, sizeof row->reason, "%s", c->reason);
    return device ? find_device(row, past, c->devices.names[0], err) : find_series(row, past, c->series, err);
}

enum status verb_accept(const struct invocation *inv, struct err *err)
{
    struct store *store = NULL;
    struct past past = { 0 };
    struct accept_row row;
    enum status st = files_open_store(&store, inv->config->out, STORE_WRITE, err);
    if (st == ST_OK)
        st = past_load(&past, store, err);
    if (st == ST_OK)
        st = check(&row, &past, inv->config, err);
    if (st == ST_OK)
        st = store_append_accept(store, &row, err);
    if (st == ST_OK)
        printf("accepted for %s since night %s: the next nights are compared with the nights from there on\n",
               *row.series ? inv->config->series : row.device, past_night(&past, inv->config->since)->name);
    past_free(&past);
    store_close(store);
    return st;
}
