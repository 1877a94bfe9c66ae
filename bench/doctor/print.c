#include "bench/doctor/doctor.h"

#include <stdlib.h>
#include <string.h>

#include "bench/output/paint.h"
#include "bench/output/table.h"
#include "kernels/base/build.h"
#include "kernels/base/clock.h"
#include "kernels/base/json.h"

#define ID_WIDTH 18
#define REMEDY_COLUMN 8

static const char *colour_of(const struct paint *paint, enum level level)
{
    return level == LEVEL_OK                            ? paint->good
           : level == LEVEL_WARN || level == LEVEL_FAIL ? paint->warn
                                                        : paint->dim;
}

static void print_finding(FILE *out, const struct finding *f, const struct paint *paint)
{
    fprintf(out, "%s%-6s%s  %-*s  ", colour_of(paint, f->level), level_name(f->level), paint->off, ID_WIDTH,
            f->id);
    paint_plain(out, f->sentence);
    fputc('\n', out);
    if (!f->remedy)
        return;
    fprintf(out, "%*s-> ", REMEDY_COLUMN, "");
    paint_plain(out, f->remedy);
    fputc('\n', out);
}

void print_findings(FILE *out, const struct findings *findings, bool colour)
{
    const struct paint paint = paint_of(colour);
    const struct finding *cause = findings_first_cause(findings);
    for (size_t i = 0; i < findings->count; i++)
        print_finding(out, &findings->list[i], &paint);
    fputc('\n', out);
    for (int level = 0; level < LEVEL_COUNT; level++)
        fprintf(out, "%s%zu %s", level ? ", " : "", findings->of_level[level], level_name((enum level)level));
    if (cause) {
        fprintf(out, "; first cause: %s: ", cause->id);
        paint_plain(out, cause->sentence);
    }
    fputc('\n', out);
}

static json_t *finding_json(const struct finding *f)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s?, s:O}", "id", f->id, "level", level_name(f->level), "outcome",
                     f->outcome, "sentence", f->sentence, "remedy", f->remedy, "read", f->read);
}

enum status print_findings_json(FILE *out, const struct findings *findings, int exit_code, struct err *err)
{
    char at[CLOCK_STAMP_SIZE];
    json_t *checks = json_array();
    clock_stamp(at, clock_unix_s());
    for (size_t i = 0; i < findings->count; i++)
        json_array_append_new(checks,
                              finding_json(&findings->list[i])); /* NULL: refused, the count is checked */
    json_t *all = json_pack("{s:i, s:s, s:s, s:i, s:O}", "schema", 1, "bench_version", build_version(), "at",
                            at, "exit_code", exit_code, "checks", checks);
    char *text =
        all && json_array_size(checks) == findings->count ? json_write_text(all, JSON_INDENTED) : NULL;
    json_decref(checks);
    json_decref(all);
    if (!text)
        return err_set(err, ST_INTERNAL, "not enough memory to print the checks");
    fputs(text, out);
    free(text);
    return ST_OK;
}

enum status print_verdict(FILE *out, const struct doctor *doctor, const struct findings *findings,
                          enum status verdict, struct err *err)
{
    if (doctor->json) {
        const enum status printed = print_findings_json(out, findings, status_exit(verdict), err);
        if (printed != ST_OK)
            return printed;
    } else
        print_findings(out, findings, table_colour(out));
    return verdict == ST_OK ? ST_OK : err_set(err, verdict, "%s", ""); /* all has been said */
}
