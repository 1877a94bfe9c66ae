#include "bench/output/plot.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/output/curves.h"
#include "bench/output/plot_sheet.h"
#include "kernels/base/home.h"

extern char **environ;

static bool has_curve(const struct target_view *t)
{
    for (size_t i = 0; i < t->point_count; i++)
        if (curve_point_is_valid(&t->points[i]))
            return true;
    return false;
}

static void collect(struct sheet *s, const struct campaign *campaign, const char *model, const char *folder)
{
    s->campaign = campaign;
    s->model = model;
    s->count = 0;
    for (size_t i = 0; i < campaign->target_count && s->count < SHEET_TARGETS_MAX; i++)
        if (strcmp(campaign->targets[i].row.model, model) == 0 && has_curve(&campaign->targets[i]))
            s->targets[s->count++] = &campaign->targets[i];
    int used = snprintf(s->base, sizeof s->base, "%s/plots/", folder);
    for (const char *c = model; *c && used < SHEET_PATH - 64; c++)
        s->base[used++] = (char)(isalnum((unsigned char)*c) || strchr("_-", *c) ? *c : '_');
    s->base[used] = 0;
}

/* --- gnuplot --- */

/* First line of a file that says something, for the message. */
static void first_line(char *out, size_t size, const char *path)
{
    FILE *file = fopen(path, "r");
    *out = 0;
    while (file && fgets(out, (int)size, file)) {
        out[strcspn(out, "\r\n")] = 0;
        if (out[strspn(out, " \t^")])
            break;
    }
    if (file)
        fclose(file);
}

/* ST_UNSUPPORTED: there is no gnuplot. */
static enum status run_gnuplot(const struct sheet *s, struct err *err)
{
    char driver[SHEET_PATH + 64], log[SHEET_PATH + 64], line[300];
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status = 0;
    snprintf(driver, sizeof driver, "%s.gp", s->base);
    snprintf(log, sizeof log, "%s.log", s->base);
    char *argv[] = { (char[]){ "gnuplot" }, driver, NULL };
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, log, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    const int error = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error == ENOENT || error == EACCES || error == ENOTDIR)
        return ST_UNSUPPORTED;
    if (error)
        return err_set(err, ST_ENVIRONMENT, "gnuplot could not be started: %s", strerror(error));
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return ST_UNSUPPORTED;
    first_line(line, sizeof line, log);
    if (WIFSIGNALED(status))
        return err_set(err, ST_ENVIRONMENT, "gnuplot died of signal %d on %s", WTERMSIG(status), driver);
    if (WEXITSTATUS(status) != 0)
        return err_set(err, ST_ENVIRONMENT, "gnuplot failed on %s: %s", driver,
                       *line ? line : "it said nothing");
    unlink(log);
    return ST_OK;
}

/* --- all models --- */

static enum status add_files(struct plots *out, const struct sheet *s, struct err *err)
{
    for (size_t i = 0; plot_picture(i); i++) {
        const struct plot_picture *picture = plot_picture(i);
        if (!plot_has_picture(s, i))
            continue;
        struct plot_file *files = realloc(out->files, (out->count + 1) * sizeof *files);
        if (!files)
            return err_set(err, ST_INTERNAL, "not enough memory for the list of plots");
        out->files = files;
        struct plot_file *f = &files[out->count++];
        *f = (struct plot_file){ .model = "" };
        snprintf(f->model, sizeof f->model, "%s", s->model);
        snprintf(f->name, sizeof f->name, "%s", picture->name);
        snprintf(f->title, sizeof f->title, "%s: %s", s->model, picture->title);
        snprintf(f->svg, sizeof f->svg, "%.4000s-%s.svg", s->base, picture->name);
        snprintf(f->png, sizeof f->png, "%.4000s-%s.png", s->base, picture->name);
    }
    return ST_OK;
}

static enum status draw_model(struct plots *out, struct sheet *s, struct err *err)
{
    enum status st = plot_data_write(s, err);
    if (st == ST_OK)
        st = plot_driver_write(s, err);
    if (st == ST_OK)
        st = run_gnuplot(s, err);
    return st == ST_OK ? add_files(out, s, err) : st;
}

static enum status prepare(struct sheet *s, const char *folder, struct err *err)
{
    char path[SHEET_PATH];
    enum status st = home_path(s->scripts, "plots/style.gp", err);
    if (st != ST_OK)
        return st;
    *strrchr(s->scripts, '/') = 0;
    if (snprintf(path, sizeof path, "%s/plots", folder) > 3500)
        return err_set(err, ST_IO, "%.60s...: the path of the plots is too long", folder);
    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        return err_set(err, ST_IO, "%s: cannot be made: %s", path, strerror(errno));
    return ST_OK;
}

enum status plots_draw(struct plots *out, const struct campaign *campaign, const char *folder,
                       struct notes *notes, struct err *err)
{
    struct sheet *s = calloc(1, sizeof *s);
    *out = (struct plots){ .drawn = true };
    enum status st = s ? prepare(s, folder, err)
                       : err_set(err, ST_INTERNAL, "not enough memory for the plots");
    for (size_t i = 0; st == ST_OK && i < campaign->target_count; i++) {
        if (!curve_is_first_of_model(campaign, i))
            continue;
        collect(s, campaign, campaign->targets[i].row.model, folder);
        if (s->count)
            st = draw_model(out, s, err);
    }
    free(s);
    if (st == ST_UNSUPPORTED) {
        plots_free(out);
        notes_add(notes, "no plots: gnuplot is not installed (Debian, Ubuntu: apt-get install gnuplot-nox); "
                  "bench report draws them later from the same campaign");
        return ST_OK;
    }
    if (st != ST_OK)
        plots_free(out);
    return st;
}

void plots_free(struct plots *plots)
{
    free(plots->files);
    *plots = (struct plots){ 0 };
}
