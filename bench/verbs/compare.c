#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/output/compare.h"
#include "bench/verbs/files.h"
#include "bench/verbs/verbs.h"
#include "kernels/base/json.h"

static struct table table_of(const struct compare_row *rows, size_t count, bool colour)
{
    return (struct table){ .fields = compare_fields, .field_count = compare_field_count, .rows = rows,
                           .row_size = sizeof *rows, .row_count = count, .marked = -1, .colour = colour };
}

static enum status print_json(const struct table *table, const struct campaign *a, const struct campaign *b,
                              struct err *err)
{
    json_t *rows = table_json(table);
    json_t *all = rows ? json_pack("{s:i, s:s, s:s, s:o}", "schema", 1, "a", a->run.name, "b", b->run.name, "rows", rows)
                       : NULL;
    char *text = all ? json_write_text(all, JSON_INDENTED) : NULL;
    json_decref(all);
    if (!text)
        return err_set(err, ST_INTERNAL, "not enough memory to print the comparison");
    fputs(text, stdout);
    free(text);
    return ST_OK;
}

/* Bad news: at a size that A decided for, B is surely slower. */
static const struct compare_row *first_loss(const struct compare_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (rows[i].chosen && strcmp(rows[i].word, "slower") == 0)
            return &rows[i];
    return NULL;
}

static enum status show(const struct invocation *inv, const struct campaign *a, const struct campaign *b, struct err *err)
{
    struct compare_row *rows;
    size_t count;
    compare_rows(&rows, &count, a, b);
    if (!rows)
        return err_set(err, ST_INTERNAL, "not enough memory for the comparison");
    const struct table table = table_of(rows, count, table_colour(stdout));
    enum status st = ST_OK;
    if (count == 0)
        st = err_set(err, ST_USAGE, "campaigns %s and %s have no batch size of the same work in common", a->run.name,
                     b->run.name);
    else if (inv->config->json)
        st = print_json(&table, a, b, err);
    else if (inv->config->csv)
        table_write_csv(stdout, &table, true);
    else {
        printf("a  %s  %s\nb  %s  %s\n\n", a->run.name, a->run.build, b->run.name, b->run.build);
        table_write_text(stdout, &table);
    }
    const struct compare_row *loss = st == ST_OK ? first_loss(rows, count) : NULL;
    if (loss)
        st = err_set(err, ST_BAD_NEWS, "%s: b is slower at batch %d, which a decided for (%.3f, at most %.3f of its rate)",
                     loss->target_a, loss->batch, loss->ratio.value, loss->ratio.high);
    free(rows);
    return st;
}

enum status verb_compare(const struct invocation *inv, struct err *err)
{
    struct campaign *a = NULL, *b = NULL;
    const char *out = inv->config->out;
    enum status st = files_load_campaign(&a, out, inv->words[0], err);
    if (st == ST_OK)
        st = files_load_campaign(&b, inv->config->with ? inv->config->with : out, inv->words[1], err);
    if (st == ST_OK)
        st = show(inv, a, b, err);
    campaign_free(a);
    campaign_free(b);
    return st;
}
