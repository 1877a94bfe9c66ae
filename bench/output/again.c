#include "bench/output/again.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./,:%@";

void again_quote(FILE *file, const char *word)
{
    const bool quotes = !*word || strspn(word, plain) != strlen(word);
    fputs(quotes ? "'" : "", file);
    for (; *word; word++)
        fputs(*word == '\'' ? "'\\''" : (char[]){ *word, 0 }, file);
    fputs(quotes ? "'" : "", file);
}

/* Bytes of the word at text: up to the next blank outside of quotes. */
static size_t word_size(const char *text)
{
    bool quoted = false;
    size_t size = 0;
    for (; text[size] && (quoted || text[size] != ' '); size++) {
        if (!quoted && text[size] == '\\' && text[size + 1])
            size++;
        else if (text[size] == '\'')
            quoted = !quoted;
    }
    return size;
}

/* Is the word this flag, alone or with its value behind "="? */
static bool is_flag(const char *word, size_t size, const char *flag, size_t length)
{
    return size >= length && strncmp(word, flag, length) == 0 && (size == length || word[length] == '=');
}

enum drop { DROP_NOT, DROP_WORD, DROP_WITH_VALUE };

static enum drop drop_of(const char *word, size_t size, const char *const *dropped)
{
    for (; *dropped; dropped++) {
        const size_t length = strcspn(*dropped, "!");
        if (is_flag(word, size, *dropped, length))
            return size > length || (*dropped)[length] == '!' ? DROP_WORD : DROP_WITH_VALUE;
    }
    return DROP_NOT;
}

static void write_kept(FILE *file, const char *text, const char *const *dropped)
{
    while (*text) {
        const size_t size = word_size(text);
        const enum drop drop = drop_of(text, size, dropped);
        if (drop == DROP_NOT && size)
            fprintf(file, " %.*s", (int)size, text);
        text += size;
        text += strspn(text, " ");
        if (drop == DROP_WITH_VALUE) {
            text += word_size(text);
            text += strspn(text, " ");
        }
    }
}

char *again_command(const char *program, const char *argv_text, const char *const *dropped)
{
    char *out = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&out, &size);
    if (!file)
        return NULL;
    again_quote(file, program);
    argv_text += word_size(argv_text);
    write_kept(file, argv_text + strspn(argv_text, " "), dropped);
    return fclose(file) == 0 ? out : NULL;
}

bool again_has(const char *argv_text, const char *flag)
{
    const size_t length = strlen(flag);
    while (*argv_text) {
        const size_t size = word_size(argv_text);
        if (is_flag(argv_text, size, flag, length))
            return true;
        argv_text += size;
        argv_text += strspn(argv_text, " ");
    }
    return false;
}

char *again_campaign(const char *program, const struct run_row *run)
{
    static const char *const same[] = { "--resume!", "--seed", NULL };
    static const char *const longer[] = { "--resume!", "--seed", "--budget", NULL };
    const bool more = strcmp(run->state, "budget") == 0 && run->budget_ns;
    const uint64_t minute_ns = 60000000000u, minutes = (3 * run->budget_ns + minute_ns - 1) / minute_ns;
    char *out, *command = again_command(program, run->argv ? run->argv : "", more ? longer : same);
    if (!command || !more)
        return command;
    if (asprintf(&out, "%s --budget %llum", command, (unsigned long long)minutes) < 0)
        out = NULL;
    free(command);
    return out;
}
