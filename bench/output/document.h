/* document.h - puts values into a JSON document so that nothing can be lost in silence: what cannot be put in
 * (no memory, NaN, infinity) sets `failed`, and a failed document is never written.
 * Objects that are passed in are borrowed, values are taken over (as in json_object_set_new). */
#ifndef OUTPUT_DOCUMENT_H
#define OUTPUT_DOCUMENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct document {
    bool failed;
};

void document_put(struct document *d, json_t *object, const char *key, json_t *value);
void document_append(struct document *d, json_t *array, json_t *value);
void document_int(struct document *d, json_t *object, const char *key, int64_t value);
void document_bool(struct document *d, json_t *object, const char *key, bool value);
/* 6 significant digits; NaN and infinity fail. */
void document_real(struct document *d, json_t *object, const char *key, double x);
/* The same; null if x is not finite. */
void document_real_or_null(struct document *d, json_t *object, const char *key, double x);
/* null if value is 0: not known. */
void document_int_or_null(struct document *d, json_t *object, const char *key, int64_t value);
/* Bytes that are no UTF-8 become `?`. */
void document_text(struct document *d, json_t *object, const char *key, const char *text);
/* null if text is "" or NULL. */
void document_text_or_null(struct document *d, json_t *object, const char *key, const char *text);
json_t *document_text_value(const char *text);
/* A new object under key; borrowed. Never NULL unless d->failed. */
json_t *document_object(struct document *d, json_t *object, const char *key);
json_t *document_array(struct document *d, json_t *object, const char *key);

#endif
