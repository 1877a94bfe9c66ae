/* template.h - a page from a template of plots/: text with places {{name}}, each written by a function. Everything that
 * comes from outside goes through html.h there. {{style}} is plots/page.css, the same for all pages. */
#ifndef OUTPUT_TEMPLATE_H
#define OUTPUT_TEMPLATE_H

#include <stddef.h>
#include <stdio.h>

#include "kernels/base/err.h"

struct template_place {
    const char *name;
    void (*write)(FILE *file, const void *context);
};

/* Writes the page to path (beside, then renamed). name: "report.html", below plots/. What is filled in is not looked at
 * again. ST_ENVIRONMENT: the template or page.css is missing, or lacks a place; ST_IO: the path; ST_INTERNAL: memory. */
enum status template_write(const char *path, const char *name, const struct template_place *places, size_t count,
                           const void *context, struct err *err);

#endif
