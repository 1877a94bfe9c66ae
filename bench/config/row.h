/* row.h - inside of bench/config: one row per setting, and what each type of value can do.
 * Rows and types are constant; values are borrowed for the call. */
#ifndef CONFIG_ROW_H
#define CONFIG_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "bench/config/config.h"
#include "kernels/base/yaml.h"

struct config_type;

struct config_row {
    const char *key;                 /* in the file, dots for maps ("output.dir"); NULL: command line only */
    const char *flag;                /* without the dashes; NULL: file only */
    const struct config_type *type;
    unsigned group;                  /* one of enum config_group */
    const char *unit;                /* what stands for the value in --help: "LIST"; NULL: a switch */
    double min, max;                 /* of the value, or of every item */
    const char *const *choices;      /* allowed words, or NULL */
    size_t choice_count;
    const char *preset;              /* as it would stand in the file; NULL: none */
    const char *preset_text;         /* how --help names the default; NULL: the preset itself */
    const char *help;
    /* Is there a thing of this name? Asked of every item if config_ask.look_up; NULL: any name will do. */
    enum status (*look_up)(const char *name, struct err *err);
    size_t offset;                   /* of the field in struct config */
    size_t given;                    /* of a bool that becomes true if the value stands anywhere; 0: none */
    size_t named; /* of a bool that becomes true if it stands on the command line; 0: none */
};

/* A value as it was written: items of a list, or a text cut at its commas. */
struct config_value {
    const char *where;               /* "--batches" or "tune.yaml:7:12", for messages */
    const char *key;                 /* "batches"; NULL on the command line */
    char      **items;
    size_t      count;
    const char *whole;               /* the text before it was cut; NULL for a YAML list */
    const struct yaml *node;         /* NULL on the command line and for presets */
    const char *file;                /* of node */
};

struct config_type {
    /* Replaces the field by the value. */
    enum status (*read)(struct config *c, const struct config_row *row, const struct config_value *v,
                        struct err *err);
    /* Writes the field as it would stand in a file, without a newline; false: nothing to write (unset). */
    bool (*write)(FILE *out, const struct config *c, const struct config_row *row);
    /* Frees what the field owns and zeroes it; NULL: owns nothing. */
    void (*release)(struct config *c, const struct config_row *row);
    /* "whole numbers 1..4096": what the row allows. */
    void (*allowed)(char *out, size_t size, const struct config_row *row);
};

extern const struct config_type config_type_bool, config_type_int, config_type_threads, config_type_batches,
    config_type_size, config_type_names, config_type_text, config_type_choice, config_type_either,
    config_type_percent, config_type_duration, config_type_counts, config_type_objective, config_type_limit,
    config_type_arrivals, config_type_rate, config_type_trace,
    config_type_bytes, config_type_seed, config_type_output_for, config_type_night_series;

const struct config_row *config_rows(size_t *count);
/* look_up of models and engines: ST_OK, or the sentence with the nearest known name. */
enum status config_look_up_model(const char *name, struct err *err);
enum status config_look_up_engine(const char *name, struct err *err);

/* The i-th item as a value of its own that stands where the item stands; `where` has room for its place. */
struct config_value config_item(char *where, size_t size, const struct config_value *v, size_t i);

static inline void *config_field(const struct config *c, const struct config_row *row)
{
    return (char *)(size_t)c + row->offset;
}

/* "WHERE: KEY must be ALLOWED, got "GOT" (did you mean "NEAR"?)"; ST_USAGE on the command line, else
 * ST_CONFIG. near may be NULL. */
enum status config_refuse(const struct config_row *row, const struct config_value *v, const char *got,
                          const char *near, struct err *err);
/* The same of one node inside the value. */
enum status config_refuse_node(const struct config_row *row, const struct config_value *v, const struct yaml *at,
                               const char *near, struct err *err);

/* Writes a time in the largest unit that holds it as a whole number: "90s", "300ms"; "0". */
void config_write_duration(FILE *out, uint64_t ns);

/* Writes text in double quotes, escaped as YAML wants it. */
void config_write_quoted(FILE *out, const char *text);

#endif
