/* compose.h - Compose files: read and merged as Compose does, then picked out into plain structures, which the
 * rules of compose_rules.c judge. Files of others hold secrets: of variables only those that the doctor knows are
 * kept (compose_knows), and no message quotes a file.
 * What compose_read gives, compose_free takes back; every text lives as long as the struct compose. */
#ifndef DOCTOR_COMPOSE_H
#define DOCTOR_COMPOSE_H

#include <stdbool.h>
#include <stddef.h>

#include "bench/doctor/checks.h"
#include "kernels/base/procfs.h"
#include "kernels/base/yaml.h"

#define COMPOSE_FILES_MAX 16
#define COMPOSE_CONFIG "/app/config"               /* where the service reads its file, in the container */
#define COMPOSE_CONFIG_FILE "batch_sizes.json"

struct compose_place {
    const char *file;                /* NULL: it does not stand anywhere */
    int line, column;                /* 0: of a file that is no Compose file, which has only a line, or neither */
};
/* A value as it reads after `${..}` was replaced. */
struct compose_text {
    const char *text;                /* NULL: not given, or unread */
    bool unread;                     /* from a variable that has no value here */
    struct compose_place at;
};
struct compose_texts {
    struct compose_place at;
    struct compose_text *items;
    size_t count;
};
/* One entry of `devices:`, `gpus:` or `device_requests:`. */
struct compose_request {
    struct compose_place at;
    struct compose_text driver, count;
    struct compose_texts ids, capabilities;
};
struct compose_requests {
    struct compose_place at;
    struct compose_request *items;
    size_t count;
};
struct compose_variable {
    const char *name;
    struct compose_text value;
};
struct compose_volume {
    struct compose_place at;
    const char *source, *target;     /* NULL: not told; source as a path of this machine */
    bool file;                       /* source is a single file */
};
struct compose_health {
    struct compose_place at;         /* .file NULL: no health check */
    bool unread;
    double start_period_s, interval_s, retries;
};
/* What Dockerfile and entry points do. */
struct compose_image {
    const char *folder;              /* of `build.context`; NULL: not built here */
    const char *dockerfile;          /* path; NULL: none found */
    bool sets_nvidia;                /* the image, or its base, is known to set NVIDIA_VISIBLE_DEVICES */
    struct compose_text nvidia;      /* NVIDIA_VISIBLE_DEVICES of an ENV line */
    struct compose_text visible;     /* CUDA_VISIBLE_DEVICES, set to a plain text */
    struct compose_place copied;     /* CUDA_VISIBLE_DEVICES is taken from NVIDIA_VISIBLE_DEVICES here */
};
struct compose_service {
    const char *name;
    struct compose_place at;
    struct compose_place extends_elsewhere;      /* it extends a service of another file, which was not read */
    struct compose_text runtime, memory, cpus;
    struct compose_requests reserved, gpus, unknown;
    struct compose_variable *environment;        /* those of compose_knows */
    size_t environment_count;
    struct compose_volume *volumes;
    size_t volume_count;
    struct compose_health health;
    struct compose_image image;
    double first_use_s;              /* of all models of its batch_sizes.json; NaN: not known */
    const char *dockerfile_unused;   /* name of one beside its own that no service names; NULL: none */
};
struct compose {
    struct compose_service *services;
    size_t count;
    char folder[PROCFS_PATH_MAX];    /* of the first file: paths are relative to it */
    struct compose_names {           /* of .env */
        struct compose_name { const char *name, *value; } *items;
        size_t count;
    } dotenv;
    void **kept;                     /* all memory of the structures */
    size_t kept_count;
    int kept_room;
    bool no_memory;
};

/* files[count], later ones over earlier ones. ST_CONFIG: a file is not there, is no YAML or no Compose file
 * (file:line:column); ST_IO; ST_INTERNAL: out of memory. *out is given to compose_free in every case. */
enum status compose_read(struct compose *out, const char *const *files, size_t count, struct err *err);
void compose_free(struct compose *c);

/* A variable that may be named and printed: of section env.results of the doctor, of the driver, or ML_*. */
bool compose_knows(const char *name);
/* The value of a variable of the service; NULL: not set. */
const struct compose_text *compose_variable(const struct compose_service *s, const char *name);

/* Appends what the rules find in a service. The judge's table of outcomes and name are set here. */
void compose_judge(struct judge *j, const struct compose_service *service);

/* --- inside of compose_*.c ------------------------------------------------------------------------------ */

/* compose_merge.c: the map `services` of all files, merged, extended. Freed with yaml_free. */
enum status compose_merge(struct yaml **out, const char *const *files, size_t count, struct err *err);
/* compose_text.c */
void *compose_room(struct compose *c, size_t count, size_t size);     /* zeroed; NULL only if no_memory */
const char *compose_format(struct compose *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* NAME=VALUE lines of an env file; none if it is not there. */
void compose_read_names(struct compose *c, struct compose_names *out, const char *path);
/* `${NAME}`, `${NAME:-default}`, `${NAME-default}`, `$NAME`, `$$` replaced; NULL: a variable has no value. */
const char *compose_expand(struct compose *c, const char *text);
/* The path as this machine has it: relative ones are below the folder of the first file. */
const char *compose_path(struct compose *c, const char *path);
/* compose_image.c: what image, Dockerfile and entry points do. service: the merged map; s->name is set. */
void compose_look_at_image(struct compose *c, struct compose_service *s, const struct yaml *service);
/* After all services: Dockerfiles that none of them names. */
void compose_find_unused(struct compose *c);
/* compose_pick.c: s is filled from its merged map. */
void compose_pick(struct compose *c, struct compose_service *s, const struct yaml *key, const struct yaml *map,
                  const char *const *files);
/* The scalar behind a key, expanded. map may be NULL. */
struct compose_text compose_pick_text(struct compose *c, const char *file, const struct yaml *node);

#endif
