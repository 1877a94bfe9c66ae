#include "bench/store/lines_value.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool take_array(struct line_value *v, const json_t *array, size_t width)
{
    const size_t count = json_array_size(array);
    char *bytes = v->bytes = malloc(count * width + 1);
    if (!bytes)
        return false;
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(array, i);
        const int64_t number = json_integer_value(item);
        if (!json_is_integer(item) || (width < sizeof number && (number < 0 || number >> (8 * width))))
            return false;
        memcpy(bytes + i * width, &number, width);
    }
    bytes[count * width] = 0;
    v->size = count * width;
    return true;
}

static bool take_integer(struct line_value *v, const json_t *json)
{
    v->kind = VALUE_INT;
    v->integer = json_integer_value(json);
    return json_is_integer(json);
}

static bool take_real(struct line_value *v, const json_t *json)
{
    const char *text = json_string_value(json);
    v->kind = VALUE_REAL;
    v->real = text ? (*text == '-' ? -(double)INFINITY : (double)INFINITY) : json_number_value(json);
    return text ? strcmp(text, "Infinity") == 0 || strcmp(text, "-Infinity") == 0 : json_is_number(json);
}

static bool take_text(struct line_value *v, const json_t *json)
{
    v->kind = VALUE_TEXT;
    if (json_is_array(json)) {
        if (!take_array(v, json, 1))
            return false;
        v->text = v->bytes;
        return true;
    }
    v->text = json_string_value(json);
    v->size = json_string_length(json);
    return v->text;
}

static bool is_kind(const char *text)
{
    for (int kind = 0; text && kind < BLOCK_KIND_COUNT; kind++)
        if (strcmp(text, table_kind_name((enum block_kind)kind)) == 0)
            return true;
    return false;
}

const char *lines_value_allowed(enum column_type type)
{
    static const char *const names[] = {
        [COLUMN_ID] = "an integer", [COLUMN_ONE] = "an integer", [COLUMN_I64] = "an integer",
        [COLUMN_U64] = "an integer", [COLUMN_INT] = "an integer", [COLUMN_BOOL] = "0 or 1",
        [COLUMN_REAL] = "a number, null, \"Infinity\" or \"-Infinity\"", [COLUMN_CHARS] = "a text or null",
        [COLUMN_TEXT] = "a text or null", [COLUMN_SHAPE] = "a text such as \"3x256x256\"",
        [COLUMN_KIND] = "a kind of block", [COLUMN_U64S] = "integers or null",
        [COLUMN_F32S] = "integers 0..4294967295 or null",
    };
    return names[type];
}

bool lines_value_take(struct line_value *v, enum column_type type, const json_t *json)
{
    const bool is_null = json_is_null(json);
    v->kind = VALUE_NULL;
    switch (type) {
    case COLUMN_REAL: return is_null || take_real(v, json);
    case COLUMN_CHARS:
    case COLUMN_TEXT:
    case COLUMN_SHAPE: return is_null || take_text(v, json);
    case COLUMN_KIND: return take_text(v, json) && is_kind(v->text);
    case COLUMN_U64S:
    case COLUMN_F32S:
        if (is_null)
            return true;
        v->kind = VALUE_BLOB;
        return json_is_array(json) && take_array(v, json, type == COLUMN_F32S ? sizeof(uint32_t) : sizeof(uint64_t));
    case COLUMN_BOOL: return take_integer(v, json) && (v->integer == 0 || v->integer == 1);
    default: return take_integer(v, json);
    }
}

void lines_value_bind(sqlite3_stmt *stmt, int place, const struct line_value *v)
{
    if (place > sqlite3_bind_parameter_count(stmt))
        return;
    switch (v->kind) {
    case VALUE_NULL: sqlite3_bind_null(stmt, place); break;
    case VALUE_INT: sqlite3_bind_int64(stmt, place, v->integer); break;
    case VALUE_REAL: sqlite3_bind_double(stmt, place, v->real); break;
    case VALUE_TEXT: sqlite3_bind_text64(stmt, place, v->text, v->size, SQLITE_STATIC, SQLITE_UTF8); break;
    case VALUE_BLOB: sqlite3_bind_blob64(stmt, place, v->bytes, v->size, SQLITE_STATIC); break;
    }
}
