#include "bench/doctor/compose.h"

#include <stdio.h>
#include <string.h>

#include "bench/doctor/doctor.h"
#include "kernels/base/text.h"

/* --- reading ----------------------------------------------------------------------------------------------- */

static void set_folder(struct compose *c, const char *file)
{
    const char *slash = strrchr(file, '/');
    const int size = slash ? (int)(slash - file) : 1;
    snprintf(c->folder, sizeof c->folder, "%.*s", size > 0 ? size : 1, slash ? file : ".");
}

enum status compose_read(struct compose *out, const char *const *files, size_t count, struct err *err)
{
    struct yaml *services = NULL;
    *out = (struct compose){ 0 };
    enum status st = compose_merge(&services, files, count, err);
    if (st != ST_OK)
        return st == ST_IO ? err_set(err, ST_CONFIG, "%s", err ? err->text : "") : st;
    set_folder(out, files[0]);
    compose_read_names(out, &out->dotenv, compose_path(out, ".env"));
    out->services = compose_room(out, services->count, sizeof *out->services);
    const char **names = compose_room(out, count, sizeof *names);
    for (size_t i = 0; names && i < count; i++)
        names[i] = compose_format(out, "%s", files[i]);
    for (size_t i = 0; out->services && names && i < services->count; i++)
        compose_pick(out, &out->services[out->count++], services->keys[i], services->items[i], names);
    compose_find_unused(out);
    yaml_free(services);
    return out->no_memory ? err_set(err, ST_INTERNAL, "not enough memory for the services") : ST_OK;
}

bool compose_knows(const char *name)
{
    return checks_know_variable(name) || strncmp(name, "NVIDIA_", 7) == 0 || strncmp(name, "ML_", 3) == 0;
}

/* --- which services ---------------------------------------------------------------------------------------- */

static bool has_to_do_with_gpus(const struct compose_service *s)
{
    bool known = s->reserved.count || s->gpus.count || s->unknown.at.file || s->runtime.at.file;
    for (size_t i = 0; i < s->environment_count; i++) {
        const char *name = s->environment[i].name;
        known |= strncmp(name, "ML_", 3) == 0 || strncmp(name, "CUDA_", 5) == 0 || strncmp(name, "NVIDIA_", 7) == 0;
    }
    return known;
}

static bool is_chosen(const struct compose *c, const struct compose_service *s, const char *service)
{
    bool any = false;
    if (service)
        return strcmp(s->name, service) == 0;
    for (size_t i = 0; i < c->count; i++)
        any |= has_to_do_with_gpus(&c->services[i]);
    return !any || has_to_do_with_gpus(s);
}

static enum status check_service(const struct compose *c, const char *service, struct err *err)
{
    const char *names[64], *near;
    size_t count = 0;
    for (size_t i = 0; i < c->count; i++)
        if (service && strcmp(c->services[i].name, service) == 0)
            return ST_OK;
        else if (count < sizeof names / sizeof *names)
            names[count++] = c->services[i].name;
    if (!service)
        return ST_OK;
    near = text_nearest(service, names, count);
    return err_set(err, ST_USAGE, "--service: there is no service \"%.80s\" in these files%s%s%s", service,
                   near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "");
}

/* --- judging ----------------------------------------------------------------------------------------------- */

static enum status judge_services(struct findings *out, const struct compose *c, const struct facts *facts,
                                  const struct doctor *doctor, struct err *err)
{
    struct judge j = { .facts = facts, .ask = &doctor->ask, .required = doctor->ask.require_gpu, .out = out };
    for (size_t i = 0; i < c->count; i++)
        if (is_chosen(c, &c->services[i], doctor->service))
            compose_judge(&j, &c->services[i]);
    return judge_end(&j, err);
}

static enum status verdict(const struct findings *f, bool strict)
{
    const size_t worse = f->of_level[LEVEL_WARN] + f->of_level[LEVEL_UNREAD];
    return f->of_level[LEVEL_FAIL] || (strict && worse) ? ST_BAD_NEWS : ST_OK;
}

enum status doctor_compose(FILE *out, const struct doctor *doctor, const volatile sig_atomic_t *interrupt,
                           struct err *err)
{
    struct compose compose;
    struct facts *facts = NULL;
    struct findings findings = { 0 };
    enum status st = compose_read(&compose, doctor->compose, doctor->compose_count, err);
    if (st == ST_OK)
        st = check_service(&compose, doctor->service, err);
    if (st == ST_OK)
        st = facts_read(&facts, doctor->root, NULL, FACTS_NVML, interrupt, err);
    if (st == ST_OK)
        st = judge_services(&findings, &compose, facts, doctor, err);
    if (st == ST_OK)
        st = print_verdict(out, doctor, &findings, verdict(&findings, doctor->strict), err);
    findings_free(&findings);
    facts_free(facts);
    compose_free(&compose);
    return st;
}
