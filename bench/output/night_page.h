/* night_page.h - the page of a night: the verdict in a sentence, what changed, a small picture of every series with the
 * band that it is held against, tonight's table, the command that repeats it. One file that loads nothing. */
#ifndef OUTPUT_NIGHT_PAGE_H
#define OUTPUT_NIGHT_PAGE_H

#include "bench/output/night_history.h"
#include "bench/output/night_table.h"
#include "kernels/base/err.h"

struct night_page {                  /* borrowed */
    struct night_view tonight;
    const struct history_view *series; /* [series_count], their last night is tonight's or an older one */
    size_t series_count;
    const char *command;
};
/* Statuses of template_write. */
enum status night_page_write(const struct night_page *page, const char *path, struct err *err);
/* The pictures alone, of up to 400 nights each, and what changed; page->tonight is not looked at. The same statuses. */
enum status night_page_write_history(const struct night_page *page, const char *path, struct err *err);

#endif
