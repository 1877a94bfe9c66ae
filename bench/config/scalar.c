/* The types of one value: switches, numbers, texts, words. */
#include "bench/config/row.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/text.h"

static enum status no_memory(const struct config_value *v, struct err *err)
{
    return err_set(err, ST_INTERNAL, "%s: not enough memory for the value", v->where);
}

/* The only item, or NULL if it is a list. */
static const char *single(const struct config_value *v)
{
    return v->whole;
}

static const char *as_written(const struct config_value *v)
{
    return v->whole ? v->whole : "a list";
}

/* --- switches ------------------------------------------------------------------------------------------- */

static void bool_allowed(char *out, size_t size, const struct config_row *row)
{
    (void)row;
    snprintf(out, size, "true or false");
}

static enum status bool_read(struct config *c, const struct config_row *row, const struct config_value *v,
                             struct err *err)
{
    const char *text = single(v);
    bool *field = config_field(c, row);
    if (!text || (strcmp(text, "true") != 0 && strcmp(text, "false") != 0))
        return config_refuse(row, v, as_written(v), NULL, err);
    *field = text[0] == 't';
    return ST_OK;
}

static bool bool_write(FILE *out, const struct config *c, const struct config_row *row)
{
    fputs(*(const bool *)config_field(c, row) ? "true" : "false", out);
    return true;
}

const struct config_type config_type_bool = { .read = bool_read,
                                              .write = bool_write,
                                              .allowed = bool_allowed };

/* --- numbers -------------------------------------------------------------------------------------------- */

static void int_allowed(char *out, size_t size, const struct config_row *row)
{
    snprintf(out, size, "a whole number %.0f..%.0f", row->min, row->max);
}

static enum status int_read(struct config *c, const struct config_row *row, const struct config_value *v,
                            struct err *err)
{
    int64_t value;
    const char *text = single(v);
    if (!text || text_int(&value, text) || (double)value < row->min || (double)value > row->max)
        return config_refuse(row, v, as_written(v), NULL, err);
    *(int *)config_field(c, row) = (int)value;
    return ST_OK;
}

static bool int_write(FILE *out, const struct config *c, const struct config_row *row)
{
    fprintf(out, "%d", *(const int *)config_field(c, row));
    return true;
}

const struct config_type config_type_int = { .read = int_read, .write = int_write, .allowed = int_allowed };

static void percent_allowed(char *out, size_t size, const struct config_row *row)
{
    snprintf(out, size, "a percentage %g%%..%g%%", row->min, row->max);
}

/* "5%" and "5" are both five percent; the field holds 0.05. */
static enum status percent_read(struct config *c, const struct config_row *row, const struct config_value *v,
                                struct err *err)
{
    double value;
    const char *text = single(v);
    if (!text || text_fraction(&value, text))
        return config_refuse(row, v, as_written(v), NULL, err);
    if (!strchr(text, '%'))
        value /= 100;
    if (value * 100 < row->min - 1e-9 || value * 100 > row->max + 1e-9)
        return config_refuse(row, v, text, NULL, err);
    *(double *)config_field(c, row) = value;
    return ST_OK;
}

static bool percent_write(FILE *out, const struct config *c, const struct config_row *row)
{
    fprintf(out, "%.10g%%", *(const double *)config_field(c, row) * 100);
    return true;
}

const struct config_type config_type_percent = { .read = percent_read, .write = percent_write,
                                                 .allowed = percent_allowed };

static void duration_allowed(char *out, size_t size, const struct config_row *row)
{
    const double most_h = row->max / 3600e9;
    if (row->min > 0)
        snprintf(out, size, "a time with its unit (90s, 40m, 24h), %.0f s to %.0f h", row->min / 1e9, most_h);
    else
        snprintf(out, size, "a time with its unit (500ms, 90s, 40m, 2h) of at most %.0f h, or 0", most_h);
}

static enum status duration_read(struct config *c, const struct config_row *row, const struct config_value *v,
                                 struct err *err)
{
    uint64_t value;
    const char *text = single(v);
    if (!text || text_duration_ns(&value, text) || (double)value > row->max ||
        (double)value < row->min)
        return config_refuse(row, v, as_written(v), NULL, err);
    *(uint64_t *)config_field(c, row) = value;
    return ST_OK;
}

void config_write_duration(FILE *out, uint64_t ns)
{
    static const struct { const char *unit; uint64_t ns;
    } units[] = {
        { "h", UINT64_C(3600000000000) },
        { "m", UINT64_C(60000000000) },
        { "s", 1000000000 },
        { "ms", 1000000 },
        { "us", 1000 },
        { "ns", 1 },
    };
    size_t i = 0;
    while (ns % units[i].ns != 0)
        i++;
    if (ns == 0)
        fputs("0", out);
    else
        fprintf(out, "%" PRIu64 "%s", ns / units[i].ns, units[i].unit);
}

static bool duration_write(FILE *out, const struct config *c, const struct config_row *row)
{
    if (row->given && !*(const bool *)((const char *)c + row->given))
        return false;
    config_write_duration(out, *(const uint64_t *)config_field(c, row));
    return true;
}

const struct config_type config_type_duration = { .read = duration_read, .write = duration_write,
                                                  .allowed = duration_allowed };

static void bytes_allowed(char *out, size_t size, const struct config_row *row)
{
    (void)row;
    snprintf(out, size, "a size of at least 1 byte (512MiB, 6GiB)");
}

static enum status bytes_read(struct config *c, const struct config_row *row, const struct config_value *v,
                              struct err *err)
{
    uint64_t value;
    const char *text = single(v);
    if (!text || text_bytes(&value, text) || value < 1 || (double)value > row->max)
        return config_refuse(row, v, as_written(v), NULL, err);
    *(uint64_t *)config_field(c, row) = value;
    return ST_OK;
}

static bool bytes_write(FILE *out, const struct config *c, const struct config_row *row)
{
    uint64_t value = *(const uint64_t *)config_field(c, row);
    if (value == 0)
        return false;
    if (value % (1u << 20) == 0)
        fprintf(out, "%" PRIu64 "MiB", value >> 20);
    else
        fprintf(out, "%" PRIu64 "B", value);
    return true;
}

const struct config_type config_type_bytes = { .read = bytes_read,
                                               .write = bytes_write,
                                               .allowed = bytes_allowed };

static void seed_allowed(char *out, size_t size, const struct config_row *row)
{
    (void)row;
    snprintf(out, size, "a whole number 0..9223372036854775807");
}

static enum status seed_read(struct config *c, const struct config_row *row, const struct config_value *v,
                             struct err *err)
{
    int64_t value;
    const char *text = single(v);
    if (!text || text_int(&value, text) || value < 0)
        return config_refuse(row, v, as_written(v), NULL, err);
    *(uint64_t *)config_field(c, row) = (uint64_t)value;
    return ST_OK;
}

static bool seed_write(FILE *out, const struct config *c, const struct config_row *row)
{
    if (row->given && !*(const bool *)((const char *)c + row->given))
        return false;
    fprintf(out, "%" PRIu64, *(const uint64_t *)config_field(c, row));
    return true;
}

const struct config_type config_type_seed = { .read = seed_read,
                                              .write = seed_write,
                                              .allowed = seed_allowed };

static void size_allowed(char *out, size_t size, const struct config_row *row)
{
    snprintf(out, size, "HxW (256x256) with sides of %.0f..%.0f", row->min, row->max);
}

/* One side; -1 if it is none. */
static int side(const char *text, const struct config_row *row)
{
    int64_t value;
    bool good = text[0] != '+' && text_int(&value, text) == 0 && (double)value >= row->min &&
                (double)value <= row->max;
    return good ? (int)value : -1;
}

/* Two ints that stand side by side: height, width; both 0 for auto. */
static enum status size_read(struct config *c, const struct config_row *row, const struct config_value *v,
                             struct err *err)
{
    char height[16];
    const char *text = single(v), *cross = text ? strchr(text, 'x') : NULL;
    int *sides = config_field(c, row);
    if (text && strcmp(text, "auto") == 0) {
        sides[0] = sides[1] = 0;
        return ST_OK;
    }
    if (!cross || (size_t)(cross - text) >= sizeof height)
        return config_refuse(row, v, as_written(v), NULL, err);
    snprintf(height, sizeof height, "%.*s", (int)(cross - text), text);
    int h = side(height, row), w = side(cross + 1, row);
    if (h < 0 || w < 0)
        return config_refuse(row, v, text, NULL, err);
    sides[0] = h;
    sides[1] = w;
    return ST_OK;
}

static bool size_write(FILE *out, const struct config *c, const struct config_row *row)
{
    const int *sides = config_field(c, row);
    if (sides[0] == 0)
        fputs("auto", out);
    else
        fprintf(out, "%dx%d", sides[0], sides[1]);
    return true;
}

_Static_assert(offsetof(struct config, input_w) == offsetof(struct config, input_h) + sizeof(int),
               "height and width are read as two ints side by side");
const struct config_type config_type_size = { .read = size_read,
                                              .write = size_write,
                                              .allowed = size_allowed };

/* --- texts and words ------------------------------------------------------------------------------------ */

static void text_allowed(char *out, size_t size, const struct config_row *row)
{
    snprintf(out, size, "a text of 1 to %.0f bytes", row->max);
}

static void text_release(struct config *c, const struct config_row *row)
{
    char **field = config_field(c, row);
    free(*field);
    *field = NULL;
}

static enum status replace_text(struct config *c, const struct config_row *row, const struct config_value *v,
                                struct err *err)
{
    char *copy = strdup(v->whole);
    if (!copy)
        return no_memory(v, err);
    text_release(c, row);
    *(char **)config_field(c, row) = copy;
    return ST_OK;
}

static enum status text_read(struct config *c, const struct config_row *row, const struct config_value *v,
                             struct err *err)
{
    const char *text = single(v);
    if (!text || !*text || (double)strlen(text) > row->max)
        return config_refuse(row, v, text ? text : "a list", NULL, err);
    return replace_text(c, row, v, err);
}

void config_write_quoted(FILE *out, const char *text)
{
    fputc('"', out);
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        if (*p == '"' || *p == '\\')
            fprintf(out, "\\%c", *p);
        else if (*p < 0x20 || *p == 0x7f)
            fprintf(out, "\\x%02x", *p);
        else
            fputc(*p, out);
    fputc('"', out);
}

static bool text_write(FILE *out, const struct config *c, const struct config_row *row)
{
    const char *text = *(char *const *)config_field(c, row);
    if (!text)
        return false;
    config_write_quoted(out, text);
    return true;
}

const struct config_type config_type_text = { .read = text_read, .write = text_write, .release = text_release,
                                              .allowed = text_allowed };

static void choice_allowed(char *out, size_t size, const struct config_row *row)
{
    size_t used = (size_t)snprintf(out, size, "one of");
    for (size_t i = 0; i < row->choice_count && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s %s", i ? "," : "", row->choices[i]);
}

/* Place of the word in the choices; -1 after the refusal. */
static int choice_find(const struct config_row *row, const struct config_value *v, struct err *err)
{
    const char *text = single(v);
    for (size_t i = 0; text && i < row->choice_count; i++)
        if (strcmp(text, row->choices[i]) == 0)
            return (int)i;
    config_refuse(row, v, as_written(v), text ? text_nearest(text, row->choices, row->choice_count) : NULL,
                  err);
    return -1;
}

static enum status choice_read(struct config *c, const struct config_row *row, const struct config_value *v,
                               struct err *err)
{
    return choice_find(row, v, err) < 0 ? err->status : replace_text(c, row, v, err);
}

const struct config_type config_type_choice = {
    .read = choice_read, .write = text_write, .release = text_release, .allowed = choice_allowed
};

static enum status objective_read(struct config *c, const struct config_row *row,
                                  const struct config_value *v, struct err *err)
{
    int place = choice_find(row, v, err);
    if (place < 0)
        return err->status;
    *(enum objective *)config_field(c, row) = (enum objective)place;
    return ST_OK;
}

static bool objective_write(FILE *out, const struct config *c, const struct config_row *row)
{
    fputs(row->choices[*(const enum objective *)config_field(c, row)], out);
    return true;
}

const struct config_type config_type_objective = { .read = objective_read, .write = objective_write,
                                                   .allowed = choice_allowed };

/* Two words for a bool: the first is true. */
static enum status either_read(struct config *c, const struct config_row *row, const struct config_value *v,
                               struct err *err)
{
    int place = choice_find(row, v, err);
    if (place < 0)
        return err->status;
    *(bool *)config_field(c, row) = place == 0;
    return ST_OK;
}

static bool either_write(FILE *out, const struct config *c, const struct config_row *row)
{
    fputs(row->choices[*(const bool *)config_field(c, row) ? 0 : 1], out);
    return true;
}

const struct config_type config_type_either = { .read = either_read, .write = either_write,
                                                .allowed = choice_allowed };
