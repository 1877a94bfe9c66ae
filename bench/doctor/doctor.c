#include "bench/doctor/doctor.h"

#include "bench/doctor/record.h"
#include "kernels/base/text.h"

#define IDS_MAX 64

static enum status unknown_prefix(const char *only, struct err *err)
{
    const char *ids[IDS_MAX], *near;
    size_t count = 0;
    for (; count < IDS_MAX && check_at(count); count++)
        ids[count] = check_at(count)->id;
    near = text_nearest(only, ids, count);
    return err_set(err, ST_USAGE, "--only: no check begins with \"%.80s\"%s%s%s", only,
                   near ? " (did you mean \"" : "; bench doctor prints all", near ? near : "",
                   near ? "\"?)" : "");
}

static enum status verdict(const struct findings *f, bool strict)
{
    if (f->of_level[LEVEL_FAIL])
        return ST_ENVIRONMENT;
    return strict && f->of_level[LEVEL_WARN] + f->of_level[LEVEL_UNREAD] ? ST_BAD_NEWS : ST_OK;
}

/* Writes the tree, and takes its facts in place of the machine's: what is printed is what it says to others. */
static enum status record(struct facts **facts, const char *dir, unsigned parts, const volatile sig_atomic_t *interrupt,
                          struct err *err)
{
    const enum status st = record_write(dir, *facts, err);
    facts_free(*facts);
    *facts = NULL;
    return st == ST_OK ? facts_read(facts, dir, NULL, parts, interrupt, err) : st;
}

enum status doctor_run(FILE *out, const struct doctor *doctor, const volatile sig_atomic_t *interrupt,
                       struct err *err)
{
    unsigned parts;
    struct facts *facts = NULL;
    struct findings findings = { 0 };
    if (!findings_parts(&parts, &doctor->ask))
        return unknown_prefix(doctor->ask.only, err);
    enum status st = facts_read(&facts, doctor->root, doctor->out, parts, interrupt, err);
    if (st == ST_OK && doctor->record)
        st = record(&facts, doctor->record, parts, interrupt, err);
    if (st == ST_OK)
        st = findings_make(&findings, facts, &doctor->ask, err);
    if (st == ST_OK && findings.count == 0) /* "engine.none" begins like a check, but nothing is called so */
        st = unknown_prefix(doctor->ask.only, err);
    if (st == ST_OK)
        st = print_verdict(out, doctor, &findings, verdict(&findings, doctor->strict), err);
    findings_free(&findings);
    facts_free(facts);
    return st;
}

static const struct finding *first_fail(const struct findings *f)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->list[i].level == LEVEL_FAIL)
            return &f->list[i];
    return NULL;
}

enum status doctor_gpu_fault(char *sentence, size_t size, const char *root, const volatile sig_atomic_t *interrupt,
                             struct err *err)
{
    const struct doctor_ask ask = { .require_gpu = true, .only = "gpu." };
    unsigned parts;
    struct facts *facts = NULL;
    struct findings findings = { 0 };
    *sentence = 0;
    findings_parts(&parts, &ask);
    enum status st = facts_read(&facts, root, NULL, parts, interrupt, err);
    if (st == ST_OK)
        st = findings_make(&findings, facts, &ask, err);
    const struct finding *fault = st == ST_OK ? first_fail(&findings) : NULL;
    if (fault)
        snprintf(sentence, size, "%s: %s", fault->id, fault->sentence);
    findings_free(&findings);
    facts_free(facts);
    return st;
}
