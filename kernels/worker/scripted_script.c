#include "kernels/worker/scripted_script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/len.h"
#include "kernels/base/text.h"
#include "kernels/base/yaml.h"
#include "kernels/worker/protocol.h"

/* Where a value stands, for messages. */
struct reader {
    const char *name;
    struct err *err;
};

struct section;

/* One key of one kind of map: how to read it, where it goes, what is allowed. */
struct row {
    const char *key;
    enum status (*read)(const struct reader *r, const struct yaml *y, const struct row *row, void *out);
    size_t offset, room;             /* room: bytes of a text, items of a list */
    double min, max;                 /* of numbers, in the unit of the struct */
    const char *const *words;        /* of a choice, ended by NULL; its index is stored */
    const struct section *section;   /* of a map or of the items of a list */
    size_t count_offset, item_size;  /* of a list of maps: where its count goes */
};
struct section {
    const char *name;
    const struct row *rows;
    size_t count;
    const void *presets;             /* an item before its keys are read */
    size_t size;
};

static enum status refuse(const struct reader *r, const struct yaml *y, const char *what, const char *allowed)
{
    return err_set(r->err, ST_CONFIG, "%s:%d:%d: %s must be %s, got %.60s", r->name, y->line, y->column, what, allowed,
                   y->kind == YAML_SCALAR ? y->text : y->kind == YAML_LIST ? "a list" : "a map");
}

static enum status refuse_range(const struct reader *r, const struct yaml *y, const struct row *row,
                                const char *kind)
{
    char allowed[96];
    snprintf(allowed, sizeof allowed, "%s %.15g..%.15g", kind, row->min, row->max);
    return refuse(r, y, row->key, allowed);
}

/* --- scalars --- */

static enum status read_int(const struct reader *r, const struct yaml *y, const struct row *row, void *out)
{
    int64_t value;
    if (y->kind != YAML_SCALAR || text_int(&value, y->text) != 0 || (double)value < row->min ||
        (double)value > row->max)
        return refuse_range(r, y, row, "an integer");
    *(int64_t *)out = value;
    return ST_OK;
}

static enum status read_real(const struct reader *r, const struct yaml *y, const struct row *row, void *out)
{
    double value;
    if (y->kind != YAML_SCALAR || text_fraction(&value, y->text) != 0 || value < row->min || value > row->max)
        return refuse_range(r, y, row, "a number");
    *(double *)out = value;
    return ST_OK;
}

static enum status read_duration(const struct reader *r, const struct yaml *y, const struct row *row,
                                 void *out)
{
    if (y->kind != YAML_SCALAR || text_duration_ns(out, y->text) != 0 || *(uint64_t *)out > (uint64_t)1 << 60)
        return refuse(r, y, row->key, "a duration such as 2ms");
    return ST_OK;
}

static enum status read_bytes(const struct reader *r, const struct yaml *y, const struct row *row, void *out)
{
    if (y->kind != YAML_SCALAR || text_bytes(out, y->text) != 0 || *(uint64_t *)out > (uint64_t)1 << 60)
        return refuse(r, y, row->key, "a size such as 64MiB");
    return ST_OK;
}

static enum status read_text(const struct reader *r, const struct yaml *y, const struct row *row, void *out)
{
    if (y->kind != YAML_SCALAR || strlen(y->text) >= row->room)
        return refuse(r, y, row->key, "a short text");
    strcpy(out, y->text);
    return ST_OK;
}

static enum status read_choice(const struct reader *r, const struct yaml *y, const struct row *row, void *out)
{
    char allowed[400] = "one of";
    for (int i = 0; row->words[i]; i++) {
        if (y->kind == YAML_SCALAR && strcmp(y->text, row->words[i]) == 0) {
            *(int *)out = i;
            return ST_OK;
        }
        snprintf(allowed + strlen(allowed), sizeof allowed - strlen(allowed), " %s", row->words[i]);
    }
    return refuse(r, y, row->key, allowed);
}

/* --- lists and maps of scalars --- */

static enum status read_words(const struct reader *r, const struct yaml *y, const struct row *row, void *out)
{
    struct script_words *words = out;
    words->count = 0;
    if (y->kind != YAML_LIST || y->count > SCRIPT_ITEMS_MAX)
        return refuse(r, y, row->key, "a list of at most 16 words");
    for (size_t i = 0; i < y->count; i++) {
        const struct row item = { .key = row->key, .room = SCRIPT_WORD_MAX };
        enum status st = read_text(r, y->items[i], &item, words->items[words->count++]);
        if (st != ST_OK)
            return st;
    }
    return ST_OK;
}

static enum status read_sizes(const struct reader *r, const struct yaml *y, const struct row *row, void *out)
{
    struct script_sizes *sizes = out;
    sizes->count = 0;
    if (y->kind != YAML_LIST || y->count > SCRIPT_ITEMS_MAX)
        return refuse(r, y, row->key, "a list of at most 16 batch sizes");
    for (size_t i = 0; i < y->count; i++) {
        const struct row item = { .key = row->key, .min = 1, .max = PROTOCOL_BATCH_MAX };
        int64_t value;
        enum status st = read_int(r, y->items[i], &item, &value);
        if (st != ST_OK)
            return st;
        sizes->items[sizes->count++] = (int)value;
    }
    return ST_OK;
}

static enum status read_fields(const struct reader *r, const struct yaml *y, const struct row *row, void *out)
{
    struct script_fields *fields = out;
    fields->count = 0;
    if (y->kind != YAML_MAP || y->count > SCRIPT_ITEMS_MAX)
        return refuse(r, y, row->key, "a map of at most 16 values");
    for (size_t i = 0; i < y->count; i++) {
        struct script_field *f = &fields->items[fields->count++];
        const struct row item = { .key = y->keys[i]->text, .room = SCRIPT_WORD_MAX };
        enum status st = read_text(r, y->keys[i], &item, f->name);
        if (st == ST_OK)
            st = read_text(r, y->items[i], &item, f->text);
        if (st != ST_OK)
            return st;
        f->is_text = y->items[i]->quoted || text_fraction(&f->number, f->text) != 0;
    }
    return ST_OK;
}

static enum status read_numbers(const struct reader *r, const struct yaml *y, const struct row *row,
                                void *out)
{
    const struct script_fields *fields = out;
    enum status st = read_fields(r, y, row, out);
    for (size_t i = 0; st == ST_OK && i < fields->count; i++)
        if (fields->items[i].is_text || fields->items[i].number < row->min ||
            fields->items[i].number > row->max)
            st = refuse_range(r, y->items[i], row, "numbers");
    return st;
}

/* images_per_s: a list for 1, 2, 3 ..., or a map from size to rate with ascending sizes. */
static enum status read_points(const struct reader *r, const struct yaml *y, const struct row *row, void *out)
{
    struct script_curve *curve = out; /* the member's offset is 0 */
    const struct row size = { .key = row->key, .min = 1, .max = PROTOCOL_BATCH_MAX };
    const struct row rate = { .key = row->key, .min = 1e-6, .max = 1e9 };
    if (y->kind == YAML_SCALAR || y->count < 1 || y->count > SCRIPT_POINTS_MAX)
        return refuse(r, y, row->key, "a list or a map of 1 to 256 rates");
    for (size_t i = 0; i < y->count; i++) {
        struct script_point *p = &curve->points[i];
        int64_t batch = (int64_t)i + 1;
        enum status st = y->kind == YAML_MAP ? read_int(r, y->keys[i], &size, &batch) : ST_OK;
        if (st == ST_OK)
            st = read_real(r, y->items[i], &rate, &p->images_per_s);
        if (st != ST_OK)
            return st;
        if (i && batch <= p[-1].batch)
            return refuse(r, y->keys[i], "a batch size of images_per_s", "larger than the one before it");
        p->batch = (int)batch;
    }
    curve->count = y->count;
    return ST_OK;
}

/* --- maps and lists of maps by table --- */

static const struct row *find_row(const struct section *s, const char *key)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->rows[i].key, key) == 0)
            return &s->rows[i];
    return NULL;
}

static enum status unknown_key(const struct reader *r, const struct yaml *key, const struct section *s)
{
    const char *names[32], *nearest;
    for (size_t i = 0; i < s->count; i++)
        names[i] = s->rows[i].key;
    nearest = text_nearest(key->text, names, s->count);
    return err_set(r->err, ST_CONFIG, "%s:%d:%d: %s has no key %.60s%s%s%s", r->name, key->line, key->column,
                   s->name, key->text, nearest ? ", did you mean " : "", nearest ? nearest : "",
                   nearest ? "?" : "");
}

static enum status read_section(const struct reader *r, const struct yaml *y, const struct section *s,
                                void *out)
{
    if (y->kind != YAML_MAP)
        return refuse(r, y, s->name, "a map");
    for (size_t i = 0; i < y->count; i++) {
        const struct row *row = find_row(s, y->keys[i]->text);
        if (!row)
            return unknown_key(r, y->keys[i], s);
        enum status st = row->read(r, y->items[i], row, (char *)out + row->offset);
        if (st != ST_OK)
            return st;
    }
    return ST_OK;
}

static enum status read_map(const struct reader *r, const struct yaml *y, const struct row *row, void *out)
{
    return read_section(r, y, row->section, out);
}

static enum status read_list(const struct reader *r, const struct yaml *y, const struct row *row, void *out)
{
    const struct section *s = row->section;
    if (y->kind != YAML_LIST || y->count > SCRIPT_ITEMS_MAX)
        return refuse(r, y, row->key, "a list of at most 16 maps");
    for (size_t i = 0; i < y->count; i++) {
        void *item = (char *)out + i * s->size;
        memcpy(item, s->presets, s->size);
        enum status st = read_section(r, y->items[i], s, item);
        if (st != ST_OK)
            return st;
    }
    size_t *count = (void *)((char *)out - row->offset + row->count_offset);
    *count = y->count;
    return ST_OK;
}

/* --- the tables --- */

#define AT(s, member) .offset = offsetof(struct s, member)
#define SECTION(label, table, item) { .name = label, .rows = table, .count = LEN(table), .presets = &(item), \
                                      .size = sizeof(item) }

static const char *const time_words[] = { "virtual", "real", "busy", NULL };
static const char *const per_words[] = { "iteration", "block", "second", NULL };
static const char *const tick_words[] = { "iteration", "block", NULL };
static const char *const noise_words[] = { "normal", "ar1", NULL };
static const char *const drift_words[] = { "settle", "line", NULL };
static const char *const limit_words[] = { "error", "kill", NULL };
static const char *const at_words[] = { "load",   "prepare", "run",     "iteration",
                                        "memory", "output",  "profile", NULL };
static const char *const do_words[] = { "crash",       "exit",          "kill",        "hang",
                                        "stubborn",    "garbage",       "error",       "short",
                                        "other_batch", "claim_outputs", "claim_batch", "claim_count",
                                        "claim_time",  "nan",           "swap",        "zero",
                                        NULL };

static const struct row curve_rows[] = {
    { .key = "images_per_s", .read = read_points, .offset = 0 },
    { .key = "fixed", .read = read_duration, AT(script_curve, fixed_ns) },
    { .key = "per_image", .read = read_duration, AT(script_curve, per_image_ns) },
};
static const struct row stages_rows[] = {
    { .key = "h2d", .read = read_real, AT(script_stages, h2d), .min = 0, .max = 0.5 },
    { .key = "d2h", .read = read_real, AT(script_stages, d2h), .min = 0, .max = 0.5 },
};
static const struct row noise_rows[] = {
    { .key = "kind", .read = read_choice, AT(script_noise, kind), .words = noise_words },
    { .key = "per", .read = read_choice, AT(script_noise, per), .words = tick_words },
    { .key = "sigma", .read = read_real, AT(script_noise, sigma), .min = 0, .max = 10 },
    { .key = "rho", .read = read_real, AT(script_noise, rho), .min = -0.9999, .max = 0.9999 },
};
static const struct row drift_rows[] = {
    { .key = "kind", .read = read_choice, AT(script_drift, kind), .words = drift_words },
    { .key = "per", .read = read_choice, AT(script_drift, per), .words = per_words },
    { .key = "size", .read = read_real, AT(script_drift, size), .min = -10, .max = 10 },
    { .key = "over", .read = read_real, AT(script_drift, over), .min = 1e-6, .max = 1e12 },
};
static const struct row spike_rows[] = {
    { .key = "per", .read = read_choice, AT(script_spike, per), .words = tick_words },
    { .key = "probability", .read = read_real, AT(script_spike, probability), .min = 0, .max = 1 },
    { .key = "size", .read = read_real, AT(script_spike, size), .min = -10, .max = 10 },
    { .key = "spread", .read = read_real, AT(script_spike, spread), .min = 0, .max = 10 },
};
static const struct row throttle_rows[] = {
    { .key = "from", .read = read_int, AT(script_throttle, from), .min = 1, .max = 1e9 },
    { .key = "to", .read = read_int, AT(script_throttle, to), .min = 0, .max = 1e9 },
    { .key = "every", .read = read_int, AT(script_throttle, every), .min = 1, .max = 1e9 },
    { .key = "batch", .read = read_int, AT(script_throttle, batch), .min = 0, .max = PROTOCOL_BATCH_MAX },
    { .key = "after", .read = read_duration, AT(script_throttle, after_ns) },
    { .key = "factor", .read = read_real, AT(script_throttle, factor), .min = 0.001, .max = 1000 },
    { .key = "telemetry", .read = read_fields, AT(script_throttle, telemetry) },
};
static const struct row memory_rows[] = {
    { .key = "fixed", .read = read_bytes, AT(script_memory, fixed_bytes) },
    { .key = "per_image", .read = read_bytes, AT(script_memory, per_image_bytes) },
    { .key = "peak_factor", .read = read_real, AT(script_memory, peak_factor), .min = 0.1, .max = 100 },
    { .key = "limit", .read = read_bytes, AT(script_memory, limit_bytes) },
    { .key = "fails", .read = read_sizes, AT(script_memory, fails) },
    { .key = "on_limit", .read = read_choice, AT(script_memory, on_limit), .words = limit_words },
    { .key = "hold", .read = read_bytes, AT(script_memory, hold_bytes) },
};
static const struct row output_rows[] = {
    { .key = "channels", .read = read_int, AT(script_output, channels), .min = 1, .max = 64 },
    { .key = "error", .read = read_numbers, AT(script_output, error), .min = 0, .max = 10 },
};
static const struct row layer_rows[] = {
    { .key = "name", .read = read_text, AT(script_layer, name), .room = SCRIPT_WORD_MAX },
    { .key = "op", .read = read_text, AT(script_layer, op), .room = 24 },
    { .key = "implementation", .read = read_text, AT(script_layer, implementation), .room = SCRIPT_WORD_MAX },
    { .key = "share", .read = read_real, AT(script_layer, share), .min = 0, .max = 1 },
    { .key = "flops", .read = read_int, AT(script_layer, flops), .min = 0, .max = 1e18 },
    { .key = "bytes", .read = read_int, AT(script_layer, bytes), .min = 0, .max = 1e18 },
};
static const struct row fault_rows[] = {
    { .key = "at", .read = read_choice, AT(script_fault, at), .words = at_words },
    { .key = "do", .read = read_choice, AT(script_fault, action), .words = do_words },
    { .key = "call", .read = read_int, AT(script_fault, call), .min = 1, .max = 1e9 },
    { .key = "times", .read = read_int, AT(script_fault, times), .min = 0, .max = 1e9 },
    { .key = "batch", .read = read_int, AT(script_fault, batch), .min = 1, .max = PROTOCOL_BATCH_MAX },
    { .key = "signal", .read = read_int, AT(script_fault, signal), .min = 1, .max = 31 },
    { .key = "code", .read = read_int, AT(script_fault, code), .min = 0, .max = 255 },
    { .key = "hold", .read = read_bytes, AT(script_fault, hold_bytes) },
    { .key = "lasts", .read = read_duration, AT(script_fault, lasts_ns) },
    { .key = "after", .read = read_duration, AT(script_fault, after_ns) },
    { .key = "kind", .read = read_text, AT(script_fault, kind), .room = SCRIPT_WORD_MAX },
    { .key = "message", .read = read_text, AT(script_fault, message), .room = SCRIPT_PATH_MAX },
    { .key = "text", .read = read_text, AT(script_fault, text), .room = SCRIPT_PATH_MAX },
    { .key = "once", .read = read_text, AT(script_fault, once), .room = SCRIPT_PATH_MAX },
};

static const struct script_noise noise_preset = { .sigma = 0.01 };
static const struct script_drift drift_preset = { .over = 60 };
static const struct script_spike spike_preset = { .probability = 0 };
static const struct script_throttle throttle_preset = { .from = 1, .every = 1, .factor = 1 };
static const struct script_layer layer_preset = { .name = "layer",
                                                  .op = "conv",
                                                  .implementation = "scripted" };
static const struct script_fault fault_preset = {
    .at = AT_RUN, .call = 1, .times = 1, .signal = 11, .code = 1, .lasts_ns = UINT64_C(3600000000000),
    .kind = "internal", .message = "the script says so", .text = "this line is no answer",
};
/* the parts of a script that are read in place keep what script_preset gave them */
static const struct section curve_section = { "curve", curve_rows, LEN(curve_rows), NULL, 0 };
static const struct section stages_section = { "stages", stages_rows, LEN(stages_rows), NULL, 0 };
static const struct section memory_section = { "memory", memory_rows, LEN(memory_rows), NULL, 0 };
static const struct section output_section = { "output", output_rows, LEN(output_rows), NULL, 0 };
static const struct section noise_section = SECTION("noise", noise_rows, noise_preset);
static const struct section drift_section = SECTION("drift", drift_rows, drift_preset);
static const struct section spike_section = SECTION("spikes", spike_rows, spike_preset);
static const struct section throttle_section = SECTION("throttle", throttle_rows, throttle_preset);
static const struct section layer_section = SECTION("layers", layer_rows, layer_preset);
static const struct section fault_section = SECTION("faults", fault_rows, fault_preset);

static enum status read_stages(const struct reader *r, const struct yaml *y, const struct row *row, void *out)
{
    ((struct script_stages *)out)->given = true;
    return read_map(r, y, row, out);
}

#define LIST(member, number) .read = read_list, AT(script, member), .count_offset = offsetof(struct script, number)
static const struct row script_rows[] = {
    { .key = "seed", .read = read_int, AT(script, seed), .min = 0, .max = 9007199254740992.0 },
    { .key = "time", .read = read_choice, AT(script, time), .words = time_words },
    { .key = "load", .read = read_duration, AT(script, load_ns) },
    { .key = "prepare", .read = read_duration, AT(script, prepare_ns) },
    { .key = "first", .read = read_real, AT(script, first), .min = 0.001, .max = 1e6 },
    { .key = "curve", .read = read_map, AT(script, curve), .section = &curve_section },
    { .key = "speed", .read = read_numbers, AT(script, speed), .min = 1e-6, .max = 1e6 },
    { .key = "stages", .read = read_stages, AT(script, stages), .section = &stages_section },
    { .key = "noise", LIST(noise, noise_count), .section = &noise_section },
    { .key = "drift", LIST(drift, drift_count), .section = &drift_section },
    { .key = "spikes", LIST(spikes, spike_count), .section = &spike_section },
    { .key = "throttle", LIST(throttle, throttle_count), .section = &throttle_section },
    { .key = "telemetry", .read = read_fields, AT(script, telemetry) },
    { .key = "memory", .read = read_map, AT(script, memory), .section = &memory_section },
    { .key = "can", .read = read_words, AT(script, can) },
    { .key = "precisions", .read = read_words, AT(script, precisions) },
    { .key = "devices", .read = read_words, AT(script, devices) },
    { .key = "device_memory", .read = read_bytes, AT(script, device_memory_bytes) },
    { .key = "device_uuid", .read = read_text, AT(script, device_uuid), .room = SCRIPT_WORD_MAX },
    { .key = "clock_skew", .read = read_real, AT(script, clock_skew), .min = 0.1, .max = 10 },
    { .key = "output", .read = read_map, AT(script, output), .section = &output_section },
    { .key = "layers", LIST(layers, layer_count), .section = &layer_section },
    { .key = "faults", LIST(faults, fault_count), .section = &fault_section },
};
static const struct section script_section = { "the script", script_rows, LEN(script_rows), NULL, 0 };

static void set_words(struct script_words *words, const char *first, const char *second)
{
    if (words->count)
        return;
    snprintf(words->items[words->count++], SCRIPT_WORD_MAX, "%s", first);
    if (second)
        snprintf(words->items[words->count++], SCRIPT_WORD_MAX, "%s", second);
}

static enum status check_faults(const struct script *s, const char *name, struct err *err)
{
    for (size_t i = 0; i < s->fault_count; i++)
        if (s->faults[i].action == DO_ERROR && strcmp(s->faults[i].kind, status_kind(ST_INTERNAL)) != 0 &&
            status_of_kind(s->faults[i].kind) == ST_INTERNAL)
            return err_set(err, ST_CONFIG, "%s: fault %zu: the protocol has no error kind \"%s\"", name,
                           i + 1, s->faults[i].kind);
    return ST_OK;
}

static enum status read_tree(struct script *out, const char *name, const struct yaml *y, struct err *err)
{
    const struct reader r = { name, err };
    memset(out, 0, sizeof *out);
    out->seed = 1;
    out->load_ns = 50000000;
    out->prepare_ns = 5000000;
    out->first = out->clock_skew = out->memory.peak_factor = 1;
    out->device_memory_bytes = (uint64_t)16 << 30;
    out->memory.fixed_bytes = (uint64_t)100 << 20;
    out->memory.per_image_bytes = (uint64_t)10 << 20;
    out->output.channels = 1;
    enum status st = read_section(&r, y, &script_section, out);
    if (st == ST_OK)
        st = check_faults(out, name, err);
    if (st != ST_OK)
        return st;
    if (!out->curve.count && !out->curve.fixed_ns && !out->curve.per_image_ns)
        out->curve.per_image_ns = 10000000;
    set_words(&out->precisions, "f32", "bf16");
    set_words(&out->devices, "cpu:0", NULL);
    return ST_OK;
}

enum status script_read(struct script *out, const char *path, struct err *err)
{
    struct yaml *y = NULL;
    enum status st = yaml_read_file(&y, path, err);
    if (st == ST_OK)
        st = read_tree(out, path, y, err);
    yaml_free(y);
    return st;
}

enum status script_read_text(struct script *out, const char *name, const char *text, size_t size,
                             struct err *err)
{
    struct yaml *y = NULL;
    enum status st = yaml_read_text(&y, name, text, size, err);
    if (st == ST_OK)
        st = read_tree(out, name, y, err);
    yaml_free(y);
    return st;
}

double script_number(const struct script_fields *fields, const char *name, double otherwise)
{
    for (size_t i = 0; i < fields->count; i++)
        if (!fields->items[i].is_text && strcmp(fields->items[i].name, name) == 0)
            return fields->items[i].number;
    return otherwise;
}
