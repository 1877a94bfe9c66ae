#include "bench/output/document.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/json.h"
#include "kernels/base/text.h"

void document_put(struct document *d, json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) != 0)
        d->failed = true;
}

void document_append(struct document *d, json_t *array, json_t *value)
{
    if (json_array_append_new(array, value) != 0)
        d->failed = true;
}

void document_int(struct document *d, json_t *object, const char *key, int64_t value)
{
    document_put(d, object, key, json_integer(value));
}

void document_bool(struct document *d, json_t *object, const char *key, bool value)
{
    document_put(d, object, key, json_boolean(value));
}

void document_real(struct document *d, json_t *object, const char *key, double x)
{
    document_put(d, object, key, json_real6(x));
}

void document_real_or_null(struct document *d, json_t *object, const char *key, double x)
{
    document_put(d, object, key, isfinite(x) ? json_real6(x) : json_null());
}

void document_int_or_null(struct document *d, json_t *object, const char *key, int64_t value)
{
    document_put(d, object, key, value ? json_integer(value) : json_null());
}

json_t *document_text_value(const char *text)
{
    json_t *value = json_string(text);
    if (value)
        return value;
    char *plain = strdup(text);
    for (char *c = plain; c && *c; c++) {
        const size_t size = text_utf8_size(c);
        if (size == 0)
            *c = '?';
        else
            c += size - 1;
    }
    value = plain ? json_string(plain) : NULL;
    free(plain);
    return value;
}

void document_text(struct document *d, json_t *object, const char *key, const char *text)
{
    document_put(d, object, key, document_text_value(text));
}

void document_text_or_null(struct document *d, json_t *object, const char *key, const char *text)
{
    document_put(d, object, key, text && *text ? document_text_value(text) : json_null());
}

json_t *document_object(struct document *d, json_t *object, const char *key)
{
    json_t *value = json_object();
    document_put(d, object, key, value);
    return value;
}

json_t *document_array(struct document *d, json_t *object, const char *key)
{
    json_t *value = json_array();
    document_put(d, object, key, value);
    return value;
}
