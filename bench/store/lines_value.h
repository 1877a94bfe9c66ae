/* lines_value.h - one value of a line of JSON on its way into a column. For bench/store/ only. */
#ifndef STORE_LINES_VALUE_H
#define STORE_LINES_VALUE_H

#include <jansson.h>

#include "bench/store/sql.h"

/* A column's value as it goes into the store. */
struct line_value {
    const char *name;
    const struct column *column;     /* NULL: the id that no struct has */
    enum { VALUE_NULL, VALUE_INT, VALUE_REAL, VALUE_TEXT, VALUE_BLOB } kind;
    int64_t integer;
    double  real;
    const char *text;                /* of the line's JSON, or `bytes` */
    void   *bytes;                   /* allocated: a blob, or text of any bytes */
    size_t  size;
};

/* What a column of this type may hold, for a sentence: "an integer". */
const char *lines_value_allowed(enum column_type type);
/* Takes it over; false: the column may not hold that. free(v->bytes) in any case. The text is the JSON's. */
bool lines_value_take(struct line_value *v, enum column_type type, const json_t *json);
/* Binds it as parameter `place`, if the statement has so many. Borrowed until the statement is reset. */
void lines_value_bind(sqlite3_stmt *stmt, int place, const struct line_value *v);

#endif
