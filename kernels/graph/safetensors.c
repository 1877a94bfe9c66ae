#include "kernels/graph/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/json.h"

#define METADATA "__metadata__"
#define PREFIX_BYTES 8

struct range { /* of the data, in bytes */
    uint64_t begin, end;
    const char *name;
};

static enum status read_prefix(uint64_t *header_bytes, const char *name, const unsigned char *bytes,
                               size_t size, struct err *err)
{
    if (size < PREFIX_BYTES)
        return err_set(err, ST_MODEL,
                       "%s: %zu bytes are no .safetensors file, it begins with 8 bytes of header size", name,
                       size);
    *header_bytes = 0;
    for (int i = PREFIX_BYTES - 1; i >= 0; i--)
        *header_bytes = *header_bytes << 8 | bytes[i];
    if (*header_bytes > SAFETENSORS_HEADER_MAX)
        return err_set(err, ST_MODEL, "%s: a header of %llu bytes, at most %u are allowed", name,
                       (unsigned long long)*header_bytes, SAFETENSORS_HEADER_MAX);
    if (*header_bytes > size - PREFIX_BYTES)
        return err_set(err, ST_MODEL, "%s: the header has %llu bytes but the file has %zu: it is truncated",
                       name, (unsigned long long)*header_bytes, size);
    return ST_OK;
}

static void shape_text(char *out, size_t size, const int *dims, int rank)
{
    size_t used = (size_t)snprintf(out, size, "[");
    for (int i = 0; i < rank && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%d", i > 0 ? "," : "", dims[i]);
    if (used < size)
        snprintf(out + used, size - used, "]");
}

static bool same_shape(const json_t *shape, const struct param *p)
{
    if (!json_is_array(shape) || json_array_size(shape) != (size_t)p->rank)
        return false;
    for (int i = 0; i < p->rank; i++) {
        const json_t *item = json_array_get(shape, (size_t)i);
        if (!json_is_integer(item) || json_integer_value(item) != p->dims[i])
            return false;
    }
    return true;
}

static enum status wrong_shape(const char *name, const struct param *p, const json_t *shape, struct err *err)
{
    char want[64];
    shape_text(want, sizeof want, p->dims, p->rank);
    char *got = shape ? json_dumps(shape, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    enum status st = err_set(err, ST_MODEL, "%s: %s has the shape %.200s, the network needs %s", name,
                             p->name, got ? got : "nothing", want);
    free(got);
    return st;
}

/* The two offsets; they must hold exactly the tensor and lie inside the data. */
static enum status read_range(struct range *out, const char *name, const struct param *p,
                              const json_t *offsets, uint64_t data_bytes, struct err *err)
{
    const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end) ||
        json_integer_value(begin) < 0 || json_integer_value(end) < json_integer_value(begin))
        return err_set(err, ST_MODEL, "%s: %s needs data_offsets [begin, end] with 0 <= begin <= end", name,
                       p->name);
    out->begin = (uint64_t)json_integer_value(begin);
    out->end = (uint64_t)json_integer_value(end);
    out->name = p->name;
    if (out->end > data_bytes)
        return err_set(err, ST_MODEL,
                       "%s: %s ends at byte %llu of the data, there are %llu: the file is truncated", name,
                       p->name, (unsigned long long)out->end, (unsigned long long)data_bytes);
    if (out->end - out->begin != p->count * sizeof(float))
        return err_set(err, ST_MODEL, "%s: %s has %llu bytes, its shape needs %zu", name, p->name,
                       (unsigned long long)(out->end - out->begin), p->count * sizeof(float));
    return ST_OK;
}

static enum status read_tensor(struct range *out, const char *name, const struct param *p,
                               const json_t *header, uint64_t data_bytes, struct err *err)
{
    const json_t *tensor = json_object_get(header, p->name);
    if (!tensor)
        return err_set(err, ST_MODEL, "%s: the tensor %s is missing", name, p->name);
    const json_t *dtype = json_object_get(tensor, "dtype");
    if (!json_is_string(dtype) || strcmp(json_string_value(dtype), "F32") != 0)
        return err_set(err, ST_MODEL, "%s: %s has the dtype %.40s, it must be F32", name, p->name,
                       json_is_string(dtype) ? json_string_value(dtype) : "nothing");
    const json_t *shape = json_object_get(tensor, "shape");
    if (!same_shape(shape, p))
        return wrong_shape(name, p, shape, err);
    return read_range(out, name, p, json_object_get(tensor, "data_offsets"), data_bytes, err);
}

static enum status check_surplus(const char *name, const struct graph *g, json_t *header, struct err *err)
{
    const size_t metadata = json_object_get(header, METADATA) ? 1 : 0;
    if (json_object_size(header) - metadata == (size_t)g->param_count)
        return ST_OK; /* every param was found, so there is no other */
    const char *key;
    json_t *value;
    json_object_foreach(header, key, value) {
        bool known = strcmp(key, METADATA) == 0;
        for (int i = 0; i < g->param_count && !known; i++)
            known = strcmp(key, g->params[i].name) == 0;
        if (!known)
            return err_set(err, ST_MODEL, "%s: the tensor %.120s is surplus, %s has none of this name", name,
                           key, g->model);
    }
    return err_set(err, ST_INTERNAL, "%s: %zu tensors for %d parameters", name, json_object_size(header),
                   g->param_count);
}

static int by_begin(const void *a, const void *b)
{
    const struct range *x = a, *y = b;
    return x->begin < y->begin ? -1 : x->begin > y->begin;
}

/* Sorts the ranges: the data must be covered from the first byte to the last, each byte once. */
static enum status check_cover(const char *name, struct range *ranges, size_t count, uint64_t data_bytes,
                               struct err *err)
{
    uint64_t end = 0;
    if (count > 0)
        qsort(ranges, count, sizeof *ranges, by_begin);
    for (size_t i = 0; i < count; i++) {
        if (ranges[i].begin != end)
            return err_set(err, ST_MODEL, "%s: %s begins at byte %llu of the data, %s", name, ranges[i].name,
                           (unsigned long long)ranges[i].begin,
                           ranges[i].begin < end ? "inside of another tensor"
                                                 : "after bytes that belong to none");
        end = ranges[i].end;
    }
    if (end != data_bytes)
        return err_set(err, ST_MODEL, "%s: %llu bytes of data after the last tensor", name,
                       (unsigned long long)(data_bytes - end));
    return ST_OK;
}

static enum status locate_in(size_t *at, const struct graph *g, const char *name, json_t *header,
                             uint64_t data_at, uint64_t data_bytes, struct err *err)
{
    struct range *ranges = malloc(sizeof *ranges * (size_t)(g->param_count + 1));
    if (!ranges)
        return err_set(err, ST_OUT_OF_MEMORY, "no memory for %d tensors", g->param_count);
    enum status st = ST_OK;
    for (int i = 0; i < g->param_count && st == ST_OK; i++) {
        st = read_tensor(&ranges[i], name, &g->params[i], header, data_bytes, err);
        at[i] = st == ST_OK ? (size_t)(data_at + ranges[i].begin) : 0;
    }
    if (st == ST_OK)
        st = check_surplus(name, g, header, err);
    if (st == ST_OK)
        st = check_cover(name, ranges, (size_t)g->param_count, data_bytes, err);
    free(ranges);
    return st;
}

enum status safetensors_locate(size_t *at, const struct graph *g, const char *name, const void *bytes,
                               size_t size, struct err *err)
{
    uint64_t header_bytes = 0;
    enum status st = read_prefix(&header_bytes, name, bytes, size, err);
    if (st != ST_OK)
        return st;
    struct err json_err = { .status = ST_OK };
    json_t *header = json_read_text("header", (const char *)bytes + PREFIX_BYTES, (size_t)header_bytes,
                                    &json_err);
    if (!header)
        return err_set(err, ST_MODEL, "%s: %.700s", name, json_err.text);
    const uint64_t data_at = PREFIX_BYTES + header_bytes;
    st = json_is_object(header) ? locate_in(at, g, name, header, data_at, size - data_at, err)
                                : err_set(err, ST_MODEL, "%s: the header is no JSON object", name);
    json_decref(header);
    return st;
}

static json_t *tensor_entry(const struct param *p, size_t begin)
{
    json_t *shape = json_array();
    for (int i = 0; i < p->rank; i++)
        json_array_append_new(shape, json_integer(p->dims[i]));
    return json_pack("{s:s, s:o, s:[I,I]}", "dtype", "F32", "shape", shape, "data_offsets", (json_int_t)begin,
                     (json_int_t)(begin + p->count * sizeof(float)));
}

char *safetensors_header(const struct graph *g, size_t *size)
{
    json_t *header = json_object();
    size_t begin = 0;
    int failed = header == NULL;
    for (int i = 0; i < g->param_count && !failed; i++) {
        failed = json_object_set_new(header, g->params[i].name, tensor_entry(&g->params[i], begin)) != 0;
        begin += g->params[i].count * sizeof(float);
    }
    char *text = failed ? NULL : json_dumps(header, JSON_COMPACT), *out = NULL;
    json_decref(header);
    if (text) {
        const size_t used = strlen(text);
        *size = (PREFIX_BYTES + used + 63) / 64 * 64;
        out = malloc(*size);
        if (out) {
            memset(out, ' ', *size);
            for (int i = 0; i < PREFIX_BYTES; i++)
                out[i] = (char)((*size - PREFIX_BYTES) >> (8 * i) & 0xff);
            memcpy(out + PREFIX_BYTES, text, used);
        }
        free(text);
    }
    return out;
}
