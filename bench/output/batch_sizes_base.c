#include "bench/output/batch_sizes_write.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench/output/batch_sizes_rules.h"
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
        return ST_OK;
    }
    snprintf(out->name, sizeof out->name, "%s", config->base ? config->base : place);
    return read_document(&out->document, out->name, !config->base, err);
}

void batch_sizes_base_free(struct batch_sizes_base *base)
{
    json_decref(base->document);
    *base = (struct batch_sizes_base){ 0 };
}
