/* html.h - text into HTML: everything that comes from outside is escaped here, and nowhere else. */
#ifndef OUTPUT_HTML_H
#define OUTPUT_HTML_H

#include <stdio.h>

#include "bench/output/table.h"

/* Writes text so that it is only text, also inside an attribute: & < > " ' are escaped, control characters
 * and bytes that are no UTF-8 become `?`. */
void html_text(FILE *file, const char *text);
/* The same table that table_write_text shows, as <table> with a units row. */
void html_table(FILE *file, const struct table *table);
/* An SVG file as an element of the page: without prolog, comments and namespace attributes, and only
 * if it holds nothing that acts or loads (script, event handlers, foreignObject, links). Returns 0, or
 * -1: nothing was written. */
int html_svg(FILE *file, const char *path, const char *label);

#endif
