/* files.h - where a campaign's files are, below the folder of --out:
 *   OUT/bench.sqlite, OUT/batch_sizes.json, OUT/production_batch_config.json and, per campaign,
 *   OUT/campaigns/NAME/ with curves.csv, curves.json, report.html and plots/.
 * Paths are written into the caller's struct; nothing is kept. */
#ifndef VERBS_FILES_H
#define VERBS_FILES_H

#include "bench/output/notes.h"
#include "bench/store/store.h"
#include "kernels/base/err.h"

#define FILES_PATH_MAX 4096

struct files {
    char store[FILES_PATH_MAX];
    char campaign[FILES_PATH_MAX];   /* folder */
    char report[FILES_PATH_MAX];
    char plots[FILES_PATH_MAX];
    int  pictures;                   /* how many plots were drawn; 0: gnuplot is missing (a note says so) */
};

/* OUT/bench.sqlite into out[FILES_PATH_MAX]. */
void files_store_path(char *out, const char *out_folder);
/* Opens the store of --out. STORE_WRITE makes the folder first. */
enum status files_open_store(struct store **out, const char *out_folder, enum store_mode mode,
                             struct err *err);
/* Loads a campaign from the store of --out; name NULL: the newest. campaign_free(*out). */
enum status files_load_campaign(struct campaign **out, const char *out_folder, const char *name,
                                struct err *err);
/* Paths of the campaign of that name; whether they are there is another question. */
void files_name(struct files *out, const char *out_folder, const char *campaign);
/* Writes curves, plots and, last, the page of the campaign. Notes get what has to be said beside. */
enum status files_write_campaign(struct files *out, const struct campaign *campaign, const char *out_folder,
                                 struct notes *notes, struct err *err);
/* OUT/nightly.html, the page of the newest night, into out[FILES_PATH_MAX]. */
void files_night_path(char *out, const char *out_folder);
/* Prints the notes to stderr, each with "note: " before it, and frees them. */
void files_print_notes(struct notes *notes);

#endif
