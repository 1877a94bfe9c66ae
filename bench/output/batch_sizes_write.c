#include "bench/output/batch_sizes_write.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/output/batch_sizes_check.h"
#include "bench/output/replace.h"
#include "kernels/base/json.h"

#define LOCK_NAME ".batch_sizes.lock"

struct output {
    const char *name;
    char *text;
    size_t size;
};

static enum status make_folder(const char *folder, struct err *err)
{
    if (mkdir(folder, 0777) == 0 || errno == EEXIST)
        return ST_OK;
    return err_set(err, ST_IO, "%s: cannot be made: %s: name another folder with --out", folder,
                   strerror(errno));
}

/* The folder in which the file really lies: a symlink is followed first. */
static enum status real_folder(char out[4096], const char *folder, struct err *err)
{
    char path[4096], resolved[4096];
    snprintf(path, sizeof path, "%s/%s", folder, BATCH_SIZES_FILE);
    enum status st = replace_resolve(resolved, path, err);
    if (st == ST_OK)
        snprintf(out, 4096, "%s", dirname(resolved));
    return st;
}

/* What a reader would find in the bytes that are about to be written. */
static enum status check_outputs(const struct output outputs[2], struct err *err)
{
    struct findings findings = { 0 };
    enum status st = ST_OK;
    for (int i = 0; i < 2 && st == ST_OK; i++)
        st = batch_sizes_check_text(&findings, outputs[i].name, outputs[i].text, outputs[i].size, err);
    if (st == ST_OK)
        st = batch_sizes_check_pair(&findings, outputs[0].text, outputs[0].size, outputs[1].text,
                                    outputs[1].size, err);
    batch_sizes_findings_free(&findings);
    if (st == ST_OK)
        return ST_OK;
    err_prefix(err, "nothing was written, the new file breaks its own rules");
    if (err)
        err->status = ST_INTERNAL;
    return ST_INTERNAL;
}

static enum status put_in_place(const struct output *output, const char *folder, struct notes *notes,
                                struct err *err)
{
    static const char *const words[] = { [REPLACED_NEW] = "written",
                                         [REPLACED_OLD] = "written, the old one is .bak",
                                         [REPLACED_NOTHING] = "unchanged" };
    char path[4096];
    enum replaced how;
    snprintf(path, sizeof path, "%s/%s", folder, output->name);
    enum status st = replace_file(&how, path, output->text, output->size, true, &replace_system, err);
    if (st == ST_OK)
        notes_add(notes, "%s: %s", path, words[how]);
    return st;
}

static enum status write_locked(const struct campaign *campaign, const struct config *config,
                                const char *folder, struct notes *notes, struct err *err)
{
    struct batch_sizes_base base = { 0 };
    struct batch_sizes_documents documents = { 0 };
    struct output outputs[2] = { { .name = BATCH_SIZES_FILE }, { .name = BATCH_SIZES_PRODUCTION } };
    enum status st = batch_sizes_base_read(&base, config, folder, err), built = ST_OK;
    if (st != ST_OK)
        goto out;
    notes_add(notes, "base (models that were not measured are carried over from it): %s", base.name);
    built = batch_sizes_build(&documents, campaign, config, base.document, notes, err);
    if (!documents.sizes) {
        st = built;
        goto out;
    }
    outputs[0].text = json_write_text(documents.sizes, JSON_INDENTED);
    outputs[1].text = json_write_text(documents.production, JSON_INDENTED);
    for (int i = 0; i < 2; i++)
        outputs[i].size = outputs[i].text ? strlen(outputs[i].text) : 0;
    struct err problem = { 0 }; /* err keeps the sentence of `built` unless something worse happens */
    if (!outputs[0].text || !outputs[1].text)
        st = err_set(&problem, ST_INTERNAL, "%s: not enough memory", folder);
    else
        st = check_outputs(outputs, &problem);
    for (int i = 0; i < 2 && st == ST_OK; i++)
        st = put_in_place(&outputs[i], folder, notes, &problem);
    if (st != ST_OK && err)
        *err = problem;
out:
    for (int i = 0; i < 2; i++)
        free(outputs[i].text);
    batch_sizes_documents_free(&documents);
    batch_sizes_base_free(&base);
    return st != ST_OK ? st : built;
}

enum status batch_sizes_write(const struct campaign *campaign, const struct config *config,
                              const char *folder, struct notes *notes, struct err *err)
{
    char place[4096];
    int lock = -1;
    if (strlen(folder) > 3500)
        return err_set(err, ST_CONFIG, "%.60s...: the path of the output folder is too long", folder);
    enum status st = make_folder(folder, err);
    if (st == ST_OK)
        st = real_folder(place, folder, err);
    if (st == ST_OK)
        st = replace_lock(&lock, place, LOCK_NAME, REPLACE_LOCK_NS, &replace_system, err);
    if (st == ST_OK)
        st = write_locked(campaign, config, folder, notes, err);
    if (lock >= 0)
        close(lock);
    return st;
}
