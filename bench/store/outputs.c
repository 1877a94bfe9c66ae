/* Outputs of the gate's reference: computed once, kept as f32 values with a digest. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/store/sql.h"
#include "kernels/base/sha256.h"

/* Number of values of a shape; 0 if it is none. */
static size_t values_of(const int shape[3])
{
    size_t values = 1;
    for (int i = 0; i < 3; i++) {
        if (shape[i] < 1 || values > INT_MAX / sizeof(float) / (size_t)shape[i])
            return 0;
        values *= (size_t)shape[i];
    }
    return values;
}

static enum status copy_values(float **out, const int shape[3], struct store *s, sqlite3_stmt *stmt,
                               int first, struct err *err)
{
    const void *blob = sqlite3_column_blob(stmt, first);
    const size_t bytes = (size_t)sqlite3_column_bytes(stmt, first);
    const char *stored = (const char *)sqlite3_column_text(stmt, first + 1);
    char digest[SHA256_HEX_SIZE];
    if (blob)
        sha256_of(digest, blob, bytes);
    if (!blob || bytes == 0 || bytes != values_of(shape) * sizeof(float) || !stored ||
        strcmp(stored, digest) != 0)
        return err_set(err, ST_IO,
                       "%s is damaged: a stored reference output does not match its digest; move the file "
                       "away, or go back to a copy of it",
                       s->path);
    *out = malloc(bytes);
    if (!*out)
        return sql_out_of_memory(s, err);
    memcpy(*out, blob, bytes);
    return ST_OK;
}

static const char find_text[] = "SELECT output_shape, values_f32, digest FROM output WHERE origin = ?1 AND "
                                "model_sha256 = ?2 AND image_sha256 = ?3 AND shape = ?4";

enum status store_find_output(float **out, int output_shape[3], struct store *s,
                              const struct store_output_key *key, struct err *err)
{
    char shape[48];
    sqlite3_stmt *stmt = NULL;
    bool found = false;
    *out = NULL;
    sqlite3_snprintf(sizeof shape, shape, "%dx%dx%d", key->shape[0], key->shape[1], key->shape[2]);
    enum status st = sql_prepare(&stmt, s, find_text, err);
    if (st == ST_OK) {
        const char *const values[] = { key->origin, key->model_sha256, key->image_sha256, shape };
        for (int i = 0; i < 4; i++)
            sqlite3_bind_text(stmt, i + 1, values[i], -1, SQLITE_STATIC);
        st = sql_step(&found, s, stmt, err);
    }
    if (st == ST_OK && found) {
        const char *text = (const char *)sqlite3_column_text(stmt, 0);
        if (!text || sscanf(text, "%dx%dx%d", &output_shape[0], &output_shape[1], &output_shape[2]) != 3)
            memset(output_shape, 0, 3 * sizeof *output_shape);
        st = copy_values(out, output_shape, s, stmt, 1, err);
    }
    sqlite3_finalize(stmt);
    return st;
}

enum status store_append_output(struct store *s, const struct store_output_key *key,
                                const int output_shape[3], const float *values, struct err *err)
{
    const size_t bytes = values_of(output_shape) * sizeof(float);
    struct output_entry entry = { .origin = key->origin, .model_sha256 = key->model_sha256,
                                  .image_sha256 = key->image_sha256 };
    char digest[SHA256_HEX_SIZE];
    sqlite3_stmt *stmt = NULL;
    if (bytes == 0)
        return err_set(err, ST_INTERNAL, "an output of shape %dx%dx%d cannot be kept", output_shape[0],
                       output_shape[1], output_shape[2]);
    memcpy(entry.shape, key->shape, sizeof entry.shape);
    memcpy(entry.output_shape, output_shape, sizeof entry.output_shape);
    sha256_of(digest, values, bytes);
    entry.digest = digest;
    enum status st = sql_prepare_insert(&stmt, s, &table_output, err);
    if (st == ST_OK) {
        sql_bind_row(stmt, &table_output, &entry);
        sqlite3_bind_blob64(stmt, sql_place_of(&table_output, "values_f32"), values, bytes, SQLITE_STATIC);
        const int rc = sqlite3_step(stmt);
        if (rc != SQLITE_DONE && rc != SQLITE_CONSTRAINT_UNIQUE) /* the first of a key stays */
            st = sql_fail(s, rc, err);
    }
    sqlite3_finalize(stmt);
    return st;
}
