#include "bench/nightly/alpha.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/build.h"
#include "kernels/base/clock.h"
#include "tuner/verdict.h"

static const char kind[] = "backtest", name[] = "alpha";

enum status alpha_load(double *alpha, struct store *store, struct err *err)
{
    struct run_row *runs = NULL;
    struct field_row *fields = NULL;
    size_t run_count = 0, count = 0;
    *alpha = ALPHA_PUBLISHED;
    enum status st = store_load_runs(&runs, &run_count, store, kind, err);
    if (st == ST_OK && run_count) /* the newest first */
        st = store_load_fields(&fields, &count, store, STORE_FIELDS_RUN, runs[0].id, err);
    for (size_t i = 0; i < count; i++)
        if (strcmp(fields[i].name, name) == 0 && fields[i].is_number)
            *alpha = fmax(*alpha, fields[i].number);
    free(fields);
    store_free_runs(runs, run_count);
    return st;
}

enum status alpha_keep(struct store *store, double alpha, const char *argv_text, struct err *err)
{
    const int64_t now = clock_unix_s();
    struct run_row run = { .argv = argv_text, .config_text = "", .rule_version = VERDICT_RULE_VERSION,
                           .start_unix_s = now, .state = "running", .exit_code = -1 };
    struct field_row field = { .number = alpha, .is_number = true, .class_name = "context" };
    snprintf(run.kind, sizeof run.kind, "%s", kind);
    snprintf(run.build, sizeof run.build, "%s", build_text());
    snprintf(run.variant, sizeof run.variant, "%s", build_variant());
    snprintf(field.name, sizeof field.name, "%s", name);
    snprintf(field.source, sizeof field.source, "backtest");
    enum status st = store_append_run(store, &run, err);
    if (st == ST_OK)
        st = store_append_environment(store, run.id, 0, &field, 1, err);
    run.end_unix_s = now;
    run.exit_code = 0;
    snprintf(run.state, sizeof run.state, "done");
    return st == ST_OK ? store_append_run_state(store, &run, err) : st;
}
