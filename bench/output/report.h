/* report.h - one HTML page of a campaign that needs nothing else: verdicts, pictures inside, tables,
 * environment, the command that repeats it. */
#ifndef OUTPUT_REPORT_H
#define OUTPUT_REPORT_H

#include "bench/output/plot.h"
#include "bench/store/record.h"
#include "kernels/base/err.h"

/* Writes the page to path (beside, then renamed). plots may be NULL or not drawn: then the page says so.
 * ST_ENVIRONMENT: the template plots/report.html is missing or lacks a place; ST_IO: the path. */
enum status report_write(const struct campaign *campaign, const struct plots *plots, const char *path,
                         struct err *err);

#endif
