#include "bench/verbs/files.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "bench/output/curves.h"
#include "bench/output/plot.h"
#include "bench/output/report.h"

static int make_one(const char *folder)
{
    struct stat info;
    if (mkdir(folder, 0777) == 0)
        return 0;
    if (errno == EEXIST || errno == EROFS) {
        int why = errno;
        if (stat(folder, &info) == 0 && S_ISDIR(info.st_mode))
            return 0;
        errno = why == EEXIST ? ENOTDIR : why;
    }
    return -1;
}

/* The folder and the ones above it. */
static enum status make_folder(const char *folder, struct err *err)
{
    char path[FILES_PATH_MAX];
    snprintf(path, sizeof path, "%s", folder);
    int failed = 0;
    for (char *slash = strchr(path + 1, '/'); slash && !failed; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        failed = make_one(path);
        *slash = '/';
    }
    if (!failed && make_one(path) == 0)
        return ST_OK;
    return err_set(err, ST_IO, "%s: the folder cannot be made: %s; name another one with --out", folder,
                   strerror(errno));
}

void files_store_path(char *out, const char *out_folder)
{
    snprintf(out, FILES_PATH_MAX, "%s/%s", out_folder, STORE_FILE);
}

void files_night_path(char *out, const char *out_folder)
{
    snprintf(out, FILES_PATH_MAX, "%.4000s/nightly.html", out_folder);
}

enum status files_open_store(struct store **out, const char *out_folder, enum store_mode mode,
                             struct err *err)
{
    char path[FILES_PATH_MAX];
    files_store_path(path, out_folder);
    *out = NULL;
    enum status st = mode == STORE_WRITE ? make_folder(out_folder, err) : ST_OK;
    return st == ST_OK ? store_open(out, path, mode, err) : st;
}

enum status files_load_campaign(struct campaign **out, const char *out_folder, const char *name,
                                struct err *err)
{
    struct store *store = NULL;
    *out = NULL;
    enum status st = files_open_store(&store, out_folder, STORE_READ, err);
    if (st == ST_OK)
        st = store_load_campaign(out, store, name, err);
    store_close(store);
    return st;
}

static int count_pictures(const struct plots *plots)
{
    int count = 0;
    for (size_t i = 0; plots->drawn && i < plots->count; i++)
        count += plots->files[i].png[0] != 0;
    return count;
}

void files_name(struct files *out, const char *out_folder, const char *campaign)
{
    files_store_path(out->store, out_folder);
    snprintf(out->campaign, sizeof out->campaign, "%.3000s/campaigns/%s", out_folder, campaign);
    snprintf(out->report, sizeof out->report, "%.4000s/report.html", out->campaign);
    snprintf(out->plots, sizeof out->plots, "%.4000s/plots", out->campaign);
    out->pictures = 0;
}

enum status files_write_campaign(struct files *out, const struct campaign *campaign, const char *out_folder,
                                 struct notes *notes, struct err *err)
{
    struct plots plots = { 0 };
    files_name(out, out_folder, campaign->run.name);
    enum status st = make_folder(out->campaign, err);
    if (st == ST_OK)
        st = curves_write_files(campaign, out->campaign, err);
    if (st == ST_OK && plots_draw(&plots, campaign, out->campaign, notes, err) != ST_OK) {
        notes_add(notes, "no plots: %s",
                  err->text); /* pictures are an extra: everything else is still written */
        *err = (struct err){ .status = ST_OK };
    }
    if (st == ST_OK)
        st = report_write(campaign, &plots, out->report, err);
    out->pictures = count_pictures(&plots);
    plots_free(&plots);
    return st;
}

void files_print_notes(struct notes *notes)
{
    for (size_t i = 0; i < notes->count; i++)
        fprintf(stderr, "note: %s\n", notes->lines[i]);
    notes_free(notes);
    *notes = (struct notes){ 0 };
}
