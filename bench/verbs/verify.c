#include "bench/verbs/verbs.h"

#include <stdio.h>

#include "bench/output/batch_sizes_check.h"

enum status verb_verify(const struct invocation *inv, struct err *err)
{
    struct findings findings = { 0 };
    char line[1024];
    const char *path = inv->words[0];
    enum status st = batch_sizes_check_file(&findings, path, err);
    for (size_t i = 0; i < findings.count; i++) {
        batch_sizes_finding_text(line, sizeof line, &findings.items[i]);
        puts(line);
    }
    if (findings.summary[0] && (st == ST_OK || st == ST_BAD_NEWS))
        printf("%s: %s\n", findings.summary, st == ST_OK ? "every rule holds" : "NOT GOOD");
    batch_sizes_findings_free(&findings);
    return st;
}
