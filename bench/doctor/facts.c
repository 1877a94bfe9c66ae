#include "bench/doctor/facts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bench/doctor/smoke.h"
#include "bench/doctor/tree.h"
#include "kernels/base/home.h"
#include "kernels/base/json.h"

#define FACTS_FILE_MAX ((size_t)16 << 20)

static enum status set_root(struct facts *f, const char *root, struct err *err)
{
    struct stat info;
    if (stat(root, &info) != 0)
        return err_set(err, ST_USAGE, "--root: %s: %s", root, strerror(errno));
    if (!S_ISDIR(info.st_mode))
        return err_set(err, ST_USAGE, "--root: %s: is no folder", root);
    snprintf(f->root, sizeof f->root, "%s", root);
    for (size_t end = strlen(f->root); end > 0 && f->root[end - 1] == '/'; end--)
        f->root[end - 1] = 0;
    return *f->root ? ST_OK : err_set(err, ST_USAGE, "--root: / is this machine: leave the flag out");
}

/* facts.json of the tree; without one everything that is no file was not told. */
static enum status read_answers(struct facts *f, struct err *err)
{
    char path[PROCFS_PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/facts.json", f->root);
    if (!tree_exists(f->root, "/facts.json")) {
        f->answers = json_object();
        return ST_OK;
    }
    f->answers = json_read_file(path, FACTS_FILE_MAX, err);
    if (!f->answers)
        return err_set(err, ST_CONFIG, "%s", err ? err->text : "");
    if (!json_is_object(f->answers))
        return err_set(err, ST_CONFIG, "%s: must be a JSON object", path);
    return ST_OK;
}

/* What the network of the smoke test must give: of our own file, also for a tree. */
static void read_expected(struct facts *f)
{
    char folder[HOME_PATH_MAX];
    struct model_config config;
    struct err err = { .status = ST_OK };
    if (home_path(folder, "configs/models", &err) != ST_OK ||
        model_config_read(&config, folder, SMOKE_MODEL, &err) != ST_OK)
        snprintf(f->smoke_absent, sizeof f->smoke_absent, "%s", err.text);
    else if (!config.has_expected)
        snprintf(f->smoke_absent, sizeof f->smoke_absent, "%.900s/%s.yaml has no key expected", folder, SMOKE_MODEL);
    else
        memcpy(f->smoke_expected, config.expected, sizeof f->smoke_expected);
}

enum status facts_read(struct facts **out, const char *root, const char *store_dir, unsigned parts,
                       const volatile sig_atomic_t *interrupt, struct err *err)
{
    struct facts *f = *out = calloc(1, sizeof *f);
    if (!f)
        return err_set(err, ST_INTERNAL, "not enough memory for the facts of the machine");
    enum status st = root ? set_root(f, root, err) : ST_OK;
    if (st != ST_OK)
        return st;
    facts_read_gpu(f);
    facts_read_cpu(f);
    if (parts & FACTS_SMOKE)
        read_expected(f);
    if (parts & FACTS_SAMPLES)
        facts_sample(f); /* before anything of ours is started */
    st = root ? read_answers(f, err) : facts_ask(f, store_dir, parts, interrupt, err);
    if (st == ST_OK)
        facts_take_answers(f);
    return st;
}

void facts_free(struct facts *f)
{
    if (!f)
        return;
    json_decref(f->answers);
    free(f->cpu.environment);
    free(f);
}

const char *facts_env(const struct facts *f, const char *name)
{
    return json_string_value(json_object_get(f->env, name));
}

const struct fact_engine *facts_engine(const struct facts *f, const char *name)
{
    for (size_t i = 0; i < f->engine_count; i++)
        if (strcmp(f->engines[i].name, name) == 0)
            return &f->engines[i];
    return NULL;
}
