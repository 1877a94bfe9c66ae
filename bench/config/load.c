/* The types that say what load a service has to bear: limits on times, and when requests arrive. */
#include "bench/config/row.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/text.h"

/* A percentile above this needs more iterations than a campaign ever sees (46 000 for 99.99). */
#define PERCENTILE_MIN 1
#define PERCENTILE_MAX 99.99
#define LIMIT_MAX_NS UINT64_C(86400000000000)
#define RATE_MIN 1e-3
#define RATE_MAX 1e6

/* --- limits --------------------------------------------------------------------------------------------- */

#define LIMIT_WANTED "a limit like p95=300ms, or response:p95=300ms, with a percentile 1..99.99 and a time"

/* "99.9" as .999; -1 if it is no percentile. */
static int read_percentile(double *out, const char *text, size_t length)
{
    char digits[16];
    if (length == 0 || length >= sizeof digits || strspn(text, "0123456789.") < length)
        return -1;
    snprintf(digits, sizeof digits, "%.*s", (int)length, text);
    if (text_real(out, digits) || *out < PERCENTILE_MIN || *out > PERCENTILE_MAX)
        return -1;
    *out /= 100;
    return 0;
}

static int read_limit(struct latency_limit *out, const char *text)
{
    static const char prefix[] = "response:";
    uint64_t ns;
    out->response = strncmp(text, prefix, sizeof prefix - 1) == 0;
    text += out->response ? sizeof prefix - 1 : 0;
    const char *equals = strchr(text, '=');
    if (text[0] != 'p' || !equals ||
        read_percentile(&out->percentile, text + 1, (size_t)(equals - text) - 1) ||
        text_duration_ns(&ns, equals + 1) || ns == 0 || ns > LIMIT_MAX_NS)
        return -1;
    out->limit_ms = (double)ns / 1e6;
    return 0;
}

enum status latency_limit_read(struct latency_limit *out, const char *text, struct err *err)
{
    if (read_limit(out, text) == 0)
        return ST_OK;
    *out = (struct latency_limit){ 0 };
    return err_set(err, ST_USAGE, "the limit must be " LIMIT_WANTED ", got \"%.80s\"", text);
}

static void limit_allowed(char *out, size_t size, const struct config_row *row)
{
    (void)row;
    snprintf(out, size, "%s", LIMIT_WANTED);
}

static enum status limit_read(struct config *c, const struct config_row *row, const struct config_value *v,
                              struct err *err)
{
    struct latency_limit limit;
    if (!v->whole || read_limit(&limit, v->whole))
        return config_refuse(row, v, v->whole ? v->whole : "a list", NULL, err);
    *(struct latency_limit *)config_field(c, row) = limit;
    return ST_OK;
}

static bool limit_write(FILE *out, const struct config *c, const struct config_row *row)
{
    const struct latency_limit *limit = config_field(c, row);
    if (limit->percentile <= 0)
        return false;
    fprintf(out, "\"%sp%.10g=", limit->response ? "response:" : "", limit->percentile * 100);
    config_write_duration(out, (uint64_t)llround(limit->limit_ms * 1e6));
    fputs("\"", out);
    return true;
}

const struct config_type config_type_limit = { .read = limit_read, .write = limit_write,
                                               .allowed = limit_allowed };

/* --- arrivals ------------------------------------------------------------------------------------------- */

/* "20/s"; -1 if it is no rate. */
static int read_rate(double *out, const char *text)
{
    char number[32];
    size_t length = strlen(text);
    if (!text_ends_in(text, "/s") || length - 2 >= sizeof number ||
        strspn(text, "0123456789.eE") != length - 2)
        return -1;
    snprintf(number, sizeof number, "%.*s", (int)(length - 2), text);
    return text_real(out, number) || *out < RATE_MIN || *out > RATE_MAX ? -1 : 0;
}

static void arrivals_release(struct config *c, const struct config_row *row)
{
    struct arrivals *a = config_field(c, row);
    free(a->trace);
    *a = (struct arrivals){ 0 };
}

static enum status set_rate(struct config *c, const struct config_row *row, const struct config_value *v,
                            const char *text, struct err *err)
{
    double rate;
    if (!text || read_rate(&rate, text))
        return config_refuse(row, v, v->whole ? v->whole : "a list", NULL, err);
    arrivals_release(c, row);
    ((struct arrivals *)config_field(c, row))->rate = rate;
    return ST_OK;
}

static enum status set_trace(struct config *c, const struct config_row *row, const struct config_value *v,
                             const char *path, struct err *err)
{
    if (!path || !*path || strlen(path) > 4095)
        return config_refuse(row, v, v->whole ? v->whole : "a list", NULL, err);
    char *copy = strdup(path);
    if (!copy)
        return err_set(err, ST_INTERNAL, "%s: not enough memory for the value", v->where);
    arrivals_release(c, row);
    ((struct arrivals *)config_field(c, row))->trace = copy;
    return ST_OK;
}

static void arrivals_allowed(char *out, size_t size, const struct config_row *row)
{
    (void)row;
    snprintf(out, size, "poisson:RATE with a rate of 0.001/s to 1000000/s (poisson:20/s), or trace:FILE");
}

static enum status arrivals_read(struct config *c, const struct config_row *row, const struct config_value *v,
                                 struct err *err)
{
    const char *text = v->whole;
    if (text && strncmp(text, "trace:", 6) == 0)
        return set_trace(c, row, v, text + 6, err);
    return set_rate(c, row, v, text && strncmp(text, "poisson:", 8) == 0 ? text + 8 : text, err);
}

/* The shortest of the texts that read back to the same number. */
static void write_rate(FILE *out, double rate)
{
    char text[32];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, rate);
        if (strtod(text, NULL) == rate)
            break;
    }
    fprintf(out, "poisson:%s/s", text);
}

static bool arrivals_write(FILE *out, const struct config *c, const struct config_row *row)
{
    const struct arrivals *a = config_field(c, row);
    char *text = NULL;
    size_t size = 0;
    FILE *memory = a->trace || a->rate > 0 ? open_memstream(&text, &size) : NULL;
    if (!memory)
        return false;
    if (a->trace)
        fprintf(memory, "trace:%s", a->trace);
    else
        write_rate(memory, a->rate);
    bool written = fclose(memory) == 0 && text;
    if (written)
        config_write_quoted(out, text);
    free(text);
    return written;
}

const struct config_type config_type_arrivals = { .read = arrivals_read, .write = arrivals_write,
                                                  .release = arrivals_release, .allowed = arrivals_allowed };

static void rate_allowed(char *out, size_t size, const struct config_row *row)
{
    (void)row;
    snprintf(out, size, "a rate of 0.001/s to 1000000/s (20/s)");
}

static enum status rate_read(struct config *c, const struct config_row *row, const struct config_value *v,
                             struct err *err)
{
    return set_rate(c, row, v, v->whole, err);
}

const struct config_type config_type_rate = { .read = rate_read, .write = arrivals_write,
                                              .release = arrivals_release, .allowed = rate_allowed };

static void trace_allowed(char *out, size_t size, const struct config_row *row)
{
    snprintf(out, size, "a path of 1 to %.0f bytes", row->max);
}

static enum status trace_read(struct config *c, const struct config_row *row, const struct config_value *v,
                              struct err *err)
{
    return set_trace(c, row, v, v->whole, err);
}

const struct config_type config_type_trace = { .read = trace_read, .write = arrivals_write,
                                               .release = arrivals_release, .allowed = trace_allowed };
