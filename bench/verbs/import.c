#include "bench/verbs/verbs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/import/audit.h"
#include "bench/import/claims.h"
#include "bench/import/document.h"
#include "bench/output/table.h"
#include "bench/store/lines.h"
#include "bench/verbs/files.h"
#include "kernels/base/clock.h"
#include "kernels/base/json.h"
#include "kernels/base/len.h"
#include "kernels/base/sha256.h"
#include "kernels/base/text.h"

/* --- the table ------------------------------------------------------------------------------------------ */

struct model_line {
    char   model[RECORD_NAME];
    int    optimal, max_safe, incumbent;
    double images_per_s, memory_mib, p95_ms; /* claimed; NaN: not said */
};
static const struct field model_fields[] = {
#define AT(field) .offset = offsetof(struct model_line, field)
    { .name = "model", .unit = "", AT(model), .type = FIELD_TEXT },
    { .name = "incumbent", .unit = "images", AT(incumbent), .type = FIELD_INT },
    { .name = "optimal", .unit = "images", AT(optimal), .type = FIELD_INT },
    { .name = "max_safe", .unit = "images", AT(max_safe), .type = FIELD_INT },
    { .name = "claimed_images_per_s", .heading = "claimed_rate", .unit = "1/s", AT(images_per_s),
      .type = FIELD_REAL, .digits = 2 },
    { .name = "claimed_memory_mib", .heading = "claimed_memory", .unit = "MiB", AT(memory_mib),
      .type = FIELD_REAL, .digits = 0 },
    { .name = "claimed_p95_ms", .heading = "claimed_p95", .unit = "ms", AT(p95_ms), .type = FIELD_REAL,
      .digits = 1 },
#undef AT
};

static struct model_line line_of(const struct import_model_row *m)
{
    json_t *claims = json_read_text("claims", m->claims, strlen(m->claims), NULL);
    const double historic = import_number(claims, "expected_throughput");
    struct model_line line = { .optimal = m->optimal,
                               .max_safe = m->max_safe,
                               .incumbent = m->optimal < m->max_safe ? m->optimal : m->max_safe,
                               .images_per_s =
                                   isnan(historic) ? import_number(claims, "throughput_img_s") : historic,
                               .memory_mib = import_number(claims, "memory_limit_mb"),
                               .p95_ms = import_number(claims, "p95_latency_ms") };
    snprintf(line.model, sizeof line.model, "%s", m->model);
    json_decref(claims);
    return line;
}

static enum status print_table(const struct claims *claims, struct err *err)
{
    struct model_line *lines = calloc(claims->count + 1, sizeof *lines);
    if (!lines)
        return err_set(err, ST_INTERNAL, "not enough memory to print %zu models", claims->count);
    for (size_t i = 0; i < claims->count; i++)
        lines[i] = line_of(&claims->models[i]);
    const struct table table = { .fields = model_fields, .field_count = LEN(model_fields), .rows = lines,
                                 .row_size = sizeof *lines, .row_count = claims->count, .marked = -1,
                                 .colour = table_colour(stdout) };
    table_write_text(stdout, &table);
    free(lines);
    return ST_OK;
}

/* --- what the store has ----------------------------------------------------------------------------------
 */

struct earlier {
    struct import_document *documents; /* [count], newest first */
    size_t count;
};

/* What was imported before, without this very file. One that can no longer be read is left out. */
static enum status load_earlier(struct earlier *out, struct store *store, const char *sha256, struct err *err)
{
    struct import_row *rows = NULL;
    size_t count = 0;
    enum status st = store_load_imports(&rows, &count, store, err);
    *out = (struct earlier){ 0 };
    if (st == ST_OK && !(out->documents = calloc(count + 1, sizeof *out->documents)))
        st = err_set(err, ST_INTERNAL, "not enough memory for %zu earlier imports", count);
    for (size_t i = 0; st == ST_OK && i < count; i++)
        if (strcmp(rows[i].sha256, sha256) != 0 &&
            import_document_parse(&out->documents[out->count], "earlier", rows[i].bytes,
                                  strlen(rows[i].bytes), NULL) == ST_OK)
            out->count++;
    store_free_imports(rows, count);
    return st;
}

static void free_earlier(struct earlier *e)
{
    for (size_t i = 0; i < e->count; i++)
        import_document_free(&e->documents[i]);
    free(e->documents);
}

/* --- the verb ------------------------------------------------------------------------------------------- */

static enum status print_audit(const struct import_document *d, struct store *store, const char *sha256,
                               struct err *err)
{
    struct earlier earlier;
    struct notes findings = { 0 };
    enum status st = load_earlier(&earlier, store, sha256, err);
    if (st == ST_OK)
        audit_claims(&findings, d, earlier.documents, earlier.count);
    if (findings.count)
        printf("\nclaims that do not hold:\n");
    for (size_t i = 0; i < findings.count; i++)
        printf("  %s\n", findings.lines[i]);
    notes_free(&findings);
    free_earlier(&earlier);
    return st;
}

static void print_outcome(const struct import_row *row, size_t models, bool known, const char *path)
{
    char stamp[CLOCK_STAMP_SIZE];
    clock_stamp(stamp, row->time_unix_s);
    if (known)
        printf("\n%s was imported at %s already: nothing has changed\n", path, stamp);
    else
        printf(
            "\n%zu %s: bench tune begins with these sizes as the incumbent of every target (--fresh ignores "
            "them)\n",
            models, models == 1 ? "model" : "models");
}

static enum status take(const struct import_document *d, const struct claims *claims, struct store *store,
                        const char *path, struct err *err)
{
    struct import_row row = { .time_unix_s = clock_unix_s(), .bytes = d->text };
    bool known = false;
    sha256_of(row.sha256, d->text, d->size);
    enum status st = store_append_import(&known, store, &row, claims->models, claims->count, err);
    if (st == ST_OK)
        st = print_table(claims, err);
    if (st == ST_OK)
        st = print_audit(d, store, row.sha256, err);
    if (st == ST_OK)
        print_outcome(&row, claims->count, known, path);
    return st;
}

/* --- rows of another store ------------------------------------------------------------------------------ */

static enum status import_lines(const struct invocation *inv, struct err *err)
{
    struct store *store = NULL;
    struct store_lines_read read = { 0 };
    enum status st = files_open_store(&store, inv->config->out, STORE_WRITE, err);
    if (st == ST_OK)
        st = store_read_lines(&read, store, inv->words[0], err);
    if (st == ST_OK)
        printf("%lld rows are new, %lld were there already\n", (long long)read.added, (long long)read.known);
    store_close(store);
    return st;
}

enum status verb_import(const struct invocation *inv, struct err *err)
{
    const char *path = inv->words[0];
    struct import_document document;
    struct claims claims = { 0 };
    struct notes notes = { 0 };
    struct store *store = NULL;
    if (text_ends_in(path, ".jsonl"))
        return import_lines(inv, err);
    enum status st = import_document_read(&document, path, err);
    if (st == ST_OK)
        claims_note_form(&notes, &document, path);
    if (st == ST_OK)
        st = claims_read(&claims, &document, path, &notes, err);
    if (st == ST_OK)
        st = files_open_store(&store, inv->config->out, STORE_WRITE, err);
    if (st == ST_OK) {
        files_print_notes(&notes);
        st = take(&document, &claims, store, path, err);
    }
    notes_free(&notes);
    store_close(store);
    claims_free(&claims);
    import_document_free(&document);
    return st;
}
