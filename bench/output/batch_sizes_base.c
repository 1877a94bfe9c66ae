#include "bench/output/batch_sizes_write.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench/import/document.h"
#include "bench/output/batch_sizes_rules.h"
#include "bench/store/store.h"
#include "kernels/base/clock.h"
#include "kernels/base/json.h"

static enum status check_base(const json_t *document, const char *path, bool in_place, struct err *err)
{
    const json_int_t schema = batch_sizes_schema(document);
    if (!json_is_object(json_object_get(document, "batch_configurations")))
        return err_set(err, ST_CONFIG, "%s: is no batch_sizes.json: it has no object batch_configurations",
                       path);
    if (schema > BATCH_SIZES_SCHEMA)
        return err_set(err, ST_CONFIG, "%s: has autotune.schema %" JSON_INTEGER_FORMAT ", this bench knows %d: %s", path,
                       schema, BATCH_SIZES_SCHEMA, in_place ? "it is not replaced, use the newer bench"
                                                            : "use the newer bench or another --base");
    return ST_OK;
}

static enum status read_document(json_t **out, const char *path, bool in_place, struct err *err)
{
    *out = json_read_file(path, BATCH_SIZES_MAX_BYTES, err);
    if (!*out) {
        if (err)
            err->status = ST_CONFIG;
        err_prefix(err, in_place ? "the file in place is broken, correct it or use --base none"
                                 : "the base cannot be used, name another or use --base none");
        return ST_CONFIG;
    }
    enum status st = check_base(*out, path, in_place, err);
    if (st != ST_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return st;
}

/* A file of a newer bench is never replaced, whatever the base is. One that cannot be
 * read is no such file. */
static enum status check_in_place(const char *path, struct err *err)
{
    json_t *document = json_read_file(path, BATCH_SIZES_MAX_BYTES, NULL);
    enum status st = batch_sizes_schema(document) > BATCH_SIZES_SCHEMA ? check_base(document, path, true, err) : ST_OK;
    json_decref(document);
    return st;
}

/* The newest import that is a batch_sizes.json; the second file has no entries to carry over. */
static enum status take_last_import(struct batch_sizes_base *out, struct store *store, struct err *err)
{
    struct import_row *rows = NULL;
    size_t count = 0;
    char stamp[CLOCK_STAMP_SIZE];
    enum status st = store_load_imports(&rows, &count, store, err);
    for (size_t i = 0; st == ST_OK && !out->document && i < count; i++) {
        struct import_document d;
        clock_stamp(stamp, rows[i].time_unix_s);
        snprintf(out->name, sizeof out->name, "the import of %s", stamp);
        st = import_document_parse(&d, out->name, rows[i].bytes, strlen(rows[i].bytes), err);
        if (st == ST_OK && !d.production)
            out->document = json_incref(d.root);
        if (st == ST_OK)
            import_document_free(&d);
    }
    store_free_imports(rows, count);
    if (!out->document)
        snprintf(out->name, sizeof out->name, "none");
    return st;
}

/* Without a file in place: what was imported last into the store of this folder. */
static enum status read_last_import(struct batch_sizes_base *out, const char *folder, struct err *err)
{
    char path[4096];
    struct store *store = NULL;
    snprintf(path, sizeof path, "%.4000s/%s", folder, STORE_FILE);
    if (access(path, F_OK) != 0)
        return ST_OK;
    struct err why = { .status = ST_OK };
    enum status st = store_open(&store, path, STORE_READ, &why);
    if (st == ST_CONFIG) /* it holds nothing yet, or who opens it for writing will say why not */
        return ST_OK;
    if (st != ST_OK)
        return err_set(err, st, "%s", why.text);
    st = take_last_import(out, store, err);
    store_close(store);
    return st;
}

enum status batch_sizes_base_read(struct batch_sizes_base *out, const struct config *config,
                                  const char *folder, struct err *err)
{
    char place[4096];
    *out = (struct batch_sizes_base){ 0 };
    snprintf(out->name, sizeof out->name, "none");
    if (snprintf(place, sizeof place, "%s/%s", folder, BATCH_SIZES_FILE) >= (int)sizeof place)
        return err_set(err, ST_CONFIG, "%s: the path is too long", folder);
    const bool there = access(place, F_OK) == 0;
    if (config->base) {
        enum status st = there ? check_in_place(place, err) : ST_OK;
        if (st != ST_OK || strcmp(config->base, "none") == 0)
            return st;
    } else if (!there) {
        return read_last_import(out, folder, err);
    }
    snprintf(out->name, sizeof out->name, "%s", config->base ? config->base : place);
    return read_document(&out->document, out->name, !config->base, err);
}

void batch_sizes_base_free(struct batch_sizes_base *base)
{
    json_decref(base->document);
    *base = (struct batch_sizes_base){ 0 };
}
