/* What the image of a service does before its program starts: Dockerfile and entry points, as far as they lie in
 * the build folder. */
#include "bench/doctor/compose.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "kernels/base/len.h"
#include "kernels/base/text.h"

#define TEXT_MAX (1 << 20)
#define CUDA "CUDA_VISIBLE_DEVICES"
#define NVIDIA "NVIDIA_VISIBLE_DEVICES"

/* NULL: it is not there, or no plain file. */
static char *read_all(struct compose *c, const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode))
        return NULL;
    FILE *file = fopen(path, "re");
    char *text = file ? compose_room(c, TEXT_MAX, 1) : NULL;
    if (text)
        text[fread(text, 1, TEXT_MAX - 1, file)] = 0;
    if (file)
        fclose(file);
    return text;
}

/* --- assignments ------------------------------------------------------------------------------------------- */

/* What is given to the variable in this line of a Dockerfile, shell or Python, NULL: it is not set here.
 * NAME=x  ENV NAME x  ${NAME:=x}  os.environ["NAME"] = x */
static const char *assigned(const char *line, const char *name)
{
    for (const char *at = line; (at = strstr(at, name)); at++) {
        const char before = at > line ? at[-1] : ' ', *after = at + strlen(name);
        if (isalnum((unsigned char)before) || before == '_' || before == '$')
            continue;
        if (before == '{') {
            if (strncmp(after, ":=", 2) == 0)
                return after + 2;
            continue;
        }
        if (*after == '=')
            return after + 1;
        if ((*after == '"' || *after == '\'') && after[1] == ']')
            after += 2;
        else if (strncasecmp(line, "ENV ", 4) != 0)
            continue;
        after += strspn(after, " \t");
        if (*after == '=' && after[1] != '=')
            return after + 1 + strspn(after + 1, " \t");
        if (isspace((unsigned char)after[-1]) && *after)
            return after; /* ENV NAME x */
    }
    return NULL;
}

/* Takes what one line sets. */
static void take_line(struct compose *c, struct compose_image *image, const char *line, struct compose_place at)
{
    const char *cuda = assigned(line, CUDA), *nvidia = assigned(line, NVIDIA);
    if (nvidia) {
        nvidia += *nvidia == '"' || *nvidia == '\'';
        image->nvidia = (struct compose_text){
            compose_format(c, "%.*s", (int)strcspn(nvidia, " \t\"'\\;"), nvidia), false, at
        };
    }
    if (!cuda)
        return;
    const char *quoted = cuda + (*cuda == '"' || *cuda == '\'');
    if (strstr(cuda, NVIDIA))
        image->copied = at;
    else
        image->visible = (struct compose_text){
            compose_format(c, "%.*s", (int)strcspn(quoted, " \t\"'\\;&|)}"), quoted), false, at
        };
}

static void take_text(struct compose *c, struct compose_image *image, const char *path, char *text)
{
    int number = 1;
    for (char *line; (line = strsep(&text, "\n")); number++) {
        line += strspn(line, " \t");
        if (*line != '#')
            take_line(c, image, line, (struct compose_place){ path, number, 0 });
    }
}

/* --- entry points ------------------------------------------------------------------------------------------ */

static const char *name_in(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The file of the build folder that a COPY line puts at `entry`; NULL: none. */
static const char *copied_from(struct compose *c, const char *folder, const char *dockerfile, const char *entry)
{
    char *text = compose_room(c, strlen(dockerfile) + 1, 1);
    if (!text)
        return NULL;
    strcpy(text, dockerfile);
    for (char *line; (line = strsep(&text, "\n"));) {
        char from[512], to[512];
        line += strspn(line, " \t");
        if (sscanf(line, "%*[CcAa]%*[OoDd]%*[PpDd]%*[Yy] %511s %511s", from, to) != 2 &&
            sscanf(line, "ADD %511s %511s", from, to) != 2)
            continue;
        const size_t size = strlen(to);
        if (strcmp(name_in(from), name_in(entry)) == 0 || strcmp(to, entry) == 0)
            return compose_format(c, "%s/%s", folder, from);
        if (strncmp(entry, to, size) == 0 && (to[size - 1] == '/' || entry[size] == '/'))
            return compose_format(c, "%s/%s/%s", folder, from, entry + size + (entry[size] == '/'));
    }
    return NULL;
}

/* A word of an entry point that may be a file of the build folder. */
static void take_entry(struct compose *c, struct compose_image *image, const char *dockerfile, const char *word)
{
    const char *relative = word + (strncmp(word, "./", 2) == 0 ? 2 : 0);
    const char *paths[] = {
        dockerfile ? copied_from(c, image->folder, dockerfile, word) : NULL,
        *word == '/' ? NULL : compose_format(c, "%s/%s", image->folder, relative),
        compose_format(c, "%s/%s", image->folder, name_in(word)),
    };
    char *text = NULL;
    for (size_t i = 0; i < LEN(paths) && !text; i++)
        if (paths[i] && (text = read_all(c, paths[i])))
            take_text(c, image, paths[i], text);
}

/* Words that end as programs do, or are paths. */
static void take_words(struct compose *c, struct compose_image *image, const char *dockerfile, const char *text)
{
    char *copy = compose_room(c, strlen(text) + 1, 1), *rest = copy;
    if (!copy)
        return;
    strcpy(copy, text);
    for (char *word; (word = strsep(&rest, " \t\",[]'"));)
        if (text_ends_in(word, ".sh") || text_ends_in(word, ".py") || strchr(word, '/'))
            take_entry(c, image, dockerfile, word);
}

/* --- Dockerfile -------------------------------------------------------------------------------------------- */

/* Images that set NVIDIA_VISIBLE_DEVICES=all. */
static bool is_known(const char *image)
{
    static const char *const known[] = { "nvidia/cuda", "nvcr.io/nvidia/", "pytorch/pytorch", "nvidia/cudagl",
                                         "docker.io/nvidia/cuda", "docker.io/pytorch/pytorch" };
    for (size_t i = 0; i < LEN(known); i++)
        if (strncmp(image, known[i], strlen(known[i])) == 0)
            return true;
    return false;
}

static void take_dockerfile(struct compose *c, struct compose_image *image)
{
    const char *whole = read_all(c, image->dockerfile);
    char *text = whole ? compose_room(c, strlen(whole) + 1, 1) : NULL;
    if (!text)
        return;
    strcpy(text, whole);
    for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
        line += strspn(line, " \t");
        if (strncasecmp(line, "FROM ", 5) == 0)
            image->sets_nvidia |= is_known(line + 5 + strspn(line + 5, " "));
        if (strncasecmp(line, "ENTRYPOINT", 10) == 0 || strncasecmp(line, "CMD", 3) == 0)
            take_words(c, image, whole, line);
    }
    strcpy(text, whole);
    take_text(c, image, image->dockerfile, text);
}

/* entrypoint and command of the service: inline shell, and files of the build folder. */
static void take_start(struct compose *c, struct compose_image *image, const char *file, const struct yaml *node)
{
    const size_t count = !node ? 0 : node->kind == YAML_LIST ? node->count : 1;
    for (size_t i = 0; i < count; i++) {
        const struct yaml *item = node->kind == YAML_LIST ? node->items[i] : node;
        if (item->kind != YAML_SCALAR)
            continue;
        take_line(c, image, item->text, (struct compose_place){ file, item->line, item->column });
        if (image->folder)
            take_words(c, image, image->dockerfile ? read_all(c, image->dockerfile) : NULL, item->text);
    }
}

void compose_look_at_image(struct compose *c, struct compose_service *s, const struct yaml *service)
{
    const struct yaml *build = yaml_get(service, "build");
    const struct compose_text name = compose_pick_text(c, s->at.file, yaml_get(service, "image")),
                              folder = compose_pick_text(c, s->at.file, yaml_get(build, "context")),
                              dockerfile = compose_pick_text(c, s->at.file, yaml_get(build, "dockerfile"));
    struct compose_image *image = &s->image;
    struct stat info;
    image->sets_nvidia = name.text && !build && is_known(name.text);
    if (build && !folder.unread)
        image->folder = compose_path(c, folder.text ? folder.text : ".");
    if (image->folder && !dockerfile.unread) {
        const char *relative = dockerfile.text ? dockerfile.text : "Dockerfile";
        const char *path = *relative == '/' ? relative : compose_format(c, "%s/%s", image->folder, relative);
        image->dockerfile = stat(path, &info) == 0 ? path : NULL;
    }
    if (image->dockerfile)
        take_dockerfile(c, image);
    take_start(c, image, s->at.file, yaml_get(service, "entrypoint"));
    take_start(c, image, s->at.file, yaml_get(service, "command"));
}

/* --- Dockerfiles that nobody names ------------------------------------------------------------------------- */

static bool is_dockerfile(const char *name)
{
    return (strncasecmp(name, "Dockerfile", 10) == 0 || text_ends_in(name, ".Dockerfile") ||
            text_ends_in(name, ".dockerfile")) &&
           !text_ends_in(name, ".dockerignore");
}

static bool is_used(const struct compose *c, const char *path)
{
    struct stat info, used;
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode))
        return true;
    for (size_t i = 0; i < c->count; i++) {
        const char *other = c->services[i].image.dockerfile;
        if (other && stat(other, &used) == 0 && used.st_ino == info.st_ino && used.st_dev == info.st_dev)
            return true;
    }
    return false;
}

static void find_unused_beside(struct compose *c, struct compose_service *s)
{
    const char *own = s->image.dockerfile;
    const char *folder = compose_format(c, "%.*s", (int)(name_in(own) - own), own);
    struct dirent **names;
    const int count = scandir(*folder ? folder : ".", &names, NULL, alphasort);
    const char *all = "";
    for (int i = 0; i < count; i++) {
        if (is_dockerfile(names[i]->d_name) && !is_used(c, compose_format(c, "%s%s", folder, names[i]->d_name)))
            all = compose_format(c, "%s%s%s", all, *all ? ", " : "", names[i]->d_name);
        free(names[i]);
    }
    if (count >= 0)
        free(names);
    s->dockerfile_unused = *all ? all : NULL;
}

void compose_find_unused(struct compose *c)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->services[i].image.dockerfile)
            find_unused_beside(c, &c->services[i]);
}
