#include "bench/config/row.h"

#include <string.h>

#define HELP_COLUMN 26
#define HELP_WIDTH 100

/* Prints words from HELP_COLUMN on, broken at HELP_WIDTH; `used` columns of the first line are taken. */
static void print_wrapped(FILE *out, const char *text, size_t used)
{
    size_t column = used;
    if (used >= HELP_COLUMN) {
        fputc('\n', out);
        column = 0;
    }
    while (*text) {
        size_t length = strcspn(text, " ");
        if (column > HELP_COLUMN && column + 1 + length > HELP_WIDTH) {
            fputc('\n', out);
            column = 0;
        }
        if (column < HELP_COLUMN) {
            fprintf(out, "%*s", (int)(HELP_COLUMN - column), "");
            column = HELP_COLUMN;
        } else {
            fputc(' ', out);
            column++;
        }
        fprintf(out, "%.*s", (int)length, text);
        column += length;
        text += length + strspn(text + length, " ");
    }
    fputc('\n', out);
}

/* "[key batches; 1..4096; default auto]" */
static void describe(char *text, size_t size, const struct config_row *row)
{
    char allowed[256];
    const char *preset = row->preset_text ? row->preset_text : row->preset;
    row->type->allowed(allowed, sizeof allowed, row);
    snprintf(text, size, "%s%s%s%s%sdefault: %s]", row->key ? "[key " : "[", row->key ? row->key : "",
             row->key ? "; " : "", row->unit ? allowed : "", row->unit ? "; " : "", preset);
}

static void print_row(FILE *out, const struct config_row *row)
{
    char flag[64], about[512];
    bool on = row->preset && strcmp(row->preset, "true") == 0;
    if (row->flag)
        snprintf(flag, sizeof flag, "  --%s%s%s%s", on ? "no-" : "", row->flag, row->unit ? " " : "",
                 row->unit ? row->unit : "");
    else
        snprintf(flag, sizeof flag, "  (file only)");
    fputs(flag, out);
    snprintf(about, sizeof about, "%s%s", on ? "do not " : "", row->help);
    print_wrapped(out, about, strlen(flag));
    if (!row->unit && !row->key)
        return;
    describe(about, sizeof about, row);
    print_wrapped(out, about, 0);
}

void config_print_help(FILE *out, unsigned groups)
{
    static const struct { unsigned groups; const char *title; } titles[] = {
        { CONFIG_MODELS | CONFIG_TARGETS, "What is measured" },
        { CONFIG_BATCHES | CONFIG_DECIDE | CONFIG_SEED | CONFIG_MEMORY | CONFIG_REPLAY |
              CONFIG_QUEUE,
          "How it is measured and decided" },
        { CONFIG_DOCTOR | CONFIG_CHECK, "What is looked at" },
        { CONFIG_ACCEPT, "What is accepted" },
        { CONFIG_NIGHTLY, "What is told" },
        { CONFIG_HISTORY, "What is drawn" },
        { CONFIG_REPORT, "What the page is of" },
        { CONFIG_COMPARE, "What is compared" },
        { CONFIG_EXPORT, "How it is written" },
        { CONFIG_PRUNE, "What is taken out" },
        { CONFIG_FILES | CONFIG_OUT, "Where results go" },
        { CONFIG_RESUME | CONFIG_RUN | CONFIG_WHY | CONFIG_JSON | CONFIG_CSV | CONFIG_SOURCE, "This run" },
    };
    size_t count;
    const struct config_row *rows = config_rows(&count);
    for (size_t t = 0; t < sizeof titles / sizeof *titles; t++) {
        if (!(titles[t].groups & groups))
            continue;
        fprintf(out, "\n%s\n", titles[t].title);
        for (size_t i = 0; i < count; i++)
            if (rows[i].group & groups & titles[t].groups)
                print_row(out, &rows[i]);
    }
}
