#include "bench/nightly/events.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char build_name[] = "bench";

/* The value as text; what could not be read is no value. */
static bool value_of(char out[RECORD_TEXT], const struct field_row *field)
{
    if (*field->absent)
        return false;
    if (field->is_number)
        snprintf(out, RECORD_TEXT, "%.10g", field->number);
    else
        snprintf(out, RECORD_TEXT, "%s", field->text);
    return true;
}

/* The newest of that name: repeated names count by the last. */
static const struct field_row *find(const struct field_row *fields, size_t count, const char *name)
{
    for (size_t i = count; i-- > 0;)
        if (strcmp(fields[i].name, name) == 0)
            return &fields[i];
    return NULL;
}

static size_t compare(struct night_event *out, const struct field_row *then, size_t then_count,
                      const struct field_row *now, size_t now_count)
{
    size_t n = 0;
    for (size_t i = 0; i < now_count; i++) {
        struct night_event e = { .name = "" };
        const struct field_row *before = find(then, then_count, now[i].name);
        if (strcmp(now[i].class_name, "event") != 0 || find(now, now_count, now[i].name) != &now[i] ||
            !before || !value_of(e.was, before) || !value_of(e.is, &now[i]) || strcmp(e.was, e.is) == 0)
            continue;
        memcpy(e.name, now[i].name, sizeof e.name);
        out[n++] = e;
    }
    return n;
}

static size_t compare_builds(struct night_event *out, const struct run_row *then, const struct run_row *now)
{
    if (strcmp(then->build, now->build) == 0)
        return 0;
    *out = (struct night_event){ .name = "" };
    memcpy(out->name, build_name, sizeof build_name);
    memcpy(out->was, then->build, sizeof then->build);
    memcpy(out->is, now->build, sizeof now->build);
    return 1;
}

enum status night_events(struct night_event **out, size_t *count, struct store *store,
                         const struct run_row *then, const struct run_row *now, struct err *err)
{
    struct field_row *before = NULL, *after = NULL;
    size_t before_count = 0, after_count = 0;
    *out = NULL;
    *count = 0;
    enum status st = store_load_fields(&before, &before_count, store, STORE_FIELDS_RUN, then->id, err);
    if (st == ST_OK)
        st = store_load_fields(&after, &after_count, store, STORE_FIELDS_RUN, now->id, err);
    if (st == ST_OK && !(*out = calloc(after_count + 1, sizeof **out)))
        st = err_set(err, ST_OUT_OF_MEMORY, "not enough memory to compare two nights");
    if (st == ST_OK) {
        *count = compare(*out, before, before_count, after, after_count);
        *count += compare_builds(*out + *count, then, now);
    }
    free(before);
    free(after);
    return st;
}

static bool is_as_then(const struct night_event *e, const struct field_row *then, size_t count, bool same_build)
{
    char was[RECORD_TEXT];
    const struct field_row *field = find(then, count, e->name);
    if (strcmp(e->name, build_name) == 0)
        return same_build;
    return field && value_of(was, field) && strcmp(was, e->is) == 0;
}

enum status night_events_drop(struct night_event *events, size_t *count, struct store *store,
                              const struct run_row *then, const struct run_row *now, struct err *err)
{
    struct field_row *fields = NULL;
    size_t field_count = 0, kept = 0;
    if (*count == 0)
        return ST_OK;
    enum status st = store_load_fields(&fields, &field_count, store, STORE_FIELDS_RUN, then->id, err);
    for (size_t i = 0; i < *count && st == ST_OK; i++)
        if (!is_as_then(&events[i], fields, field_count, strcmp(then->build, now->build) == 0))
            events[kept++] = events[i];
    free(fields);
    *count = st == ST_OK ? kept : *count;
    return st;
}
