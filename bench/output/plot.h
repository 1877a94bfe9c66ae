/* plot.h - pictures of a campaign by gnuplot: the scripts are plots/NAME.gp, the numbers go through files in
 * the campaign's folder, so that a picture can be drawn again by hand. */
#ifndef OUTPUT_PLOT_H
#define OUTPUT_PLOT_H

#include <stdbool.h>
#include <stddef.h>

#include "bench/output/notes.h"
#include "bench/store/record.h"
#include "kernels/base/err.h"

struct plot_file {
    char model[RECORD_NAME], name[32];   /* name of plots/NAME.gp: "throughput", "latency", "pareto", ... */
    char title[160];                     /* for the page */
    char svg[4096], png[4096];           /* paths; "" if it was not drawn */
};
struct plots {
    struct plot_file *files;
    size_t count;
    bool   drawn;                        /* false: gnuplot is missing; notes say what to install */
};

/* Draws all plots of all models that have a curve into folder/plots (made if missing; folder must exist) as
 * MODEL-NAME.svg and .png, with their data beside them as MODEL-NAME.tsv. gnuplot missing: ST_OK, out->drawn
 * is false and a note says what to install. ST_IO: the folder; ST_ENVIRONMENT: the scripts are missing or
 * gnuplot failed (its first line is in err). plots_free takes back. */
enum status plots_draw(struct plots *out, const struct campaign *campaign, const char *folder,
                       struct notes *notes, struct err *err);
void plots_free(struct plots *plots);

#endif
