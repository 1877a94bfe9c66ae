/* The rules for a service of Compose files. */
#include "bench/doctor/compose.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bench/doctor/plan.h"
#include "kernels/base/len.h"
#include "kernels/base/text.h"

#define GIB 0x1p30
#define TIGHT 1.2                    /* a limit below this times what is planned is tight */
#define SHARED 0.05                  /* share of a GPU's memory in use: others work on it */

/* A code may stand here twice with two levels; `key` tells them apart. Pasted as it is into a service: */
#define RESERVATION "deploy: {resources: {reservations: {devices: [{driver: nvidia, <what>, capabilities: [gpu]}]}}}"

static const struct outcome rules[] = {
    { .name = "none", LEVEL_NOTE, "asks for no GPU", "to get one: " RESERVATION, .required = true },
    { .name = "reservation", LEVEL_NOTE, "asks for GPUs by deploy.resources.reservations.devices", NULL },
    { .name = "runtime", LEVEL_NOTE, "asks for GPUs by runtime: nvidia", NULL },
    { .name = "gpus", LEVEL_NOTE, "asks for GPUs by gpus: (Compose 2.30 or newer)", NULL },
    { .name = "elsewhere", LEVEL_UNREAD, "extends a service of another file, which is not read",
      "name that file too: --compose FILE,FILE" },
    { .name = "unknown_form", LEVEL_FAIL,
      "device_requests is a name of the Engine API, no Compose key: refused or ignored, depending on the version",
      "write " RESERVATION },
    { .name = "several_forms", LEVEL_WARN, "<forms> ask for GPUs at once", "keep the reservation",
      .key = "several_forms" },
    { .name = "several_forms", LEVEL_FAIL, "<forms> ask for different GPUs", "keep the reservation",
      .key = "several_forms_differ" },
    { .name = "no_capability", LEVEL_FAIL, "<what>", "capabilities: [gpu]" },
    { .name = "count_and_ids", LEVEL_FAIL, "count and device_ids exclude each other, and both are given",
      "keep one of them", .key = "count_and_ids" },
    { .name = "count_and_ids", LEVEL_NOTE, "neither count nor device_ids: all GPUs", NULL, .key = "neither" },
    { .name = "too_many", LEVEL_FAIL, "<asked>, this host has <count>", "ask for what is here", .key = "too_many" },
    { .name = "too_many", LEVEL_NOTE, "takes all GPUs, while others hold memory on <busy> of <count>", NULL,
      .key = "all_of_shared" },
    { .name = "driver", LEVEL_WARN, "driver is <driver>", "driver: nvidia" },
    { .name = "runtime_without_env", LEVEL_WARN,
      "runtime: nvidia, but neither the service nor a known image sets NVIDIA_VISIBLE_DEVICES: it may get no GPU",
      "use a reservation, or set NVIDIA_VISIBLE_DEVICES" },
    { .name = "not_a_list", LEVEL_FAIL, "CUDA_VISIBLE_DEVICES=<list> is no device list: CUDA takes it as no device",
      "leave CUDA_VISIBLE_DEVICES out: the container sees only what it was given", .key = "not_a_list" },
    { .name = "not_a_list", LEVEL_FAIL,
      "CUDA_VISIBLE_DEVICES is copied from NVIDIA_VISIBLE_DEVICES, which is <list>: CUDA takes that as no device",
      "leave CUDA_VISIBLE_DEVICES out: the container sees only what it was given", .key = "copied" },
    { .name = "renumbered", LEVEL_FAIL,
      "CUDA_VISIBLE_DEVICES names GPU <index>, but of <count> requested the container counts from 0: none is left",
      "leave it out, or count from 0" },
    { .name = "driver_capabilities", LEVEL_FAIL, "NVIDIA_DRIVER_CAPABILITIES has no compute: no CUDA inside",
      "compute,utility", .key = "no_compute" },
    { .name = "driver_capabilities", LEVEL_WARN, "NVIDIA_DRIVER_CAPABILITIES has no utility: no NVML inside",
      "compute,utility", .key = "no_utility" },
    { .name = "memory", LEVEL_FAIL, "memory limit <limit>, the plan needs <planned>",
      "raise the limit above <planned>, or lower the batch sizes", .key = "memory" },
    { .name = "memory", LEVEL_WARN, "memory limit <limit> is less than 20 % above the <planned> of the plan",
      "raise the limit, or lower the batch sizes", .key = "memory_tight" },
    { .name = "memory", LEVEL_WARN, "ML_MEMORY_LIMIT_GB=<own> is above the container's limit of <limit>",
      "keep the limit of the service below that of the container", .key = "memory_inside" },
    { .name = "cpus", LEVEL_WARN, "cpus <cpus>, but <threads> threads (<source>)", "raise cpus, or use <fit> threads" },
    { .name = "config_baked", LEVEL_NOTE,
      "no volume covers " COMPOSE_CONFIG ": the " COMPOSE_CONFIG_FILE " of the image is used", NULL },
    { .name = "config_file_mount", LEVEL_WARN,
      "a single file is mounted below " COMPOSE_CONFIG ": a file that replaces it is not seen inside",
      "mount the directory" },
    { .name = "start_period", LEVEL_WARN,
      "the health check allows <allowed> s, the first use of its models takes <needed> s",
      "start_period: <needed>s or more" },
    { .name = "dockerfile_unused", LEVEL_NOTE, "no service builds <names> beside its Dockerfile", NULL },
};
static const struct check compose_check = { .id = "compose", .outcomes = rules, .outcome_count = LEN(rules) };

struct lint {
    struct judge *j;
    const struct compose_service *s;
};

/* From here on findings stand at this place. */
static struct judge *at(const struct lint *l, struct compose_place place)
{
    const char *file = place.file ? place.file : "";
    l->j->where = place.column ? judge_text(l->j, "%s:%d:%d: ", file, place.line, place.column)
                  : place.line ? judge_text(l->j, "%s:%d: ", file, place.line) : judge_text(l->j, "%s: ", file);
    return l->j;
}

/* A value that is needed and has none here: says so. */
static bool is_unread(const struct lint *l, const struct compose_text *text, const char *what)
{
    if (text && text->unread)
        judge_unread(at(l, text->at), what, "its variable has no value: no default, and not in .env");
    return text && text->unread;
}

/* --- what is asked for ------------------------------------------------------------------------------------- */

/* Which GPUs a form asks for. */
struct wanted {
    const char *form;                /* "count: 1" */
    bool known;                      /* else anything */
    bool all;
    int  count;                      /* of GPUs, if not all */
    const char *ids;                 /* sorted as given; NULL: any */
};

static bool is_number(const char *text)
{
    return text && *text && strspn(text, "0123456789") == strlen(text) && strlen(text) < 6;
}

/* May be printed: numbers and uuids, nothing else. */
static bool is_id(const char *text)
{
    return is_number(text) || (text && (strncmp(text, "GPU-", 4) == 0 || strncmp(text, "MIG-", 4) == 0) &&
                               strspn(text + 4, "0123456789abcdefABCDEF-/") == strlen(text + 4));
}

static bool is_word_for_all(const char *text)
{
    return text && (strcmp(text, "all") == 0 || strcmp(text, "-1") == 0);
}

static struct wanted wanted_by_ids(struct judge *j, const char *key, const struct compose_text *ids, size_t count)
{
    const char *list = "";
    for (size_t i = 0; i < count; i++)
        if (is_id(ids[i].text))
            list = judge_text(j, "%s%s%s", list, *list ? "," : "", ids[i].text);
        else
            return (struct wanted){ .form = key };
    return (struct wanted){ judge_text(j, "%s=%s", key, list), true, false, (int)count, list };
}

static struct wanted wanted_by_request(struct judge *j, const char *prefix, const struct compose_request *r)
{
    if (r->ids.at.file)
        return wanted_by_ids(j, judge_text(j, "%sdevice_ids", prefix), r->ids.items, r->ids.count);
    if (is_number(r->count.text))
        return (struct wanted){ judge_text(j, "%scount: %s", prefix, r->count.text), true, false, atoi(r->count.text),
                                NULL };
    if (is_word_for_all(r->count.text) || !r->count.at.file)
        return (struct wanted){ judge_text(j, "%scount: all", prefix), true, true, 0, NULL };
    return (struct wanted){ .form = judge_text(j, "%scount", prefix) };
}

/* Several entries of one list add up. */
static struct wanted wanted_by_requests(struct judge *j, const char *prefix, const struct compose_requests *all)
{
    struct wanted sum = wanted_by_request(j, prefix, &all->items[0]);
    for (size_t i = 1; i < all->count; i++) {
        const struct wanted w = wanted_by_request(j, prefix, &all->items[i]);
        sum = (struct wanted){ judge_text(j, "%s + %s", sum.form, w.form), sum.known && w.known, sum.all || w.all,
                               sum.count + w.count, NULL };
    }
    return sum;
}

/* NVIDIA_VISIBLE_DEVICES as runtime: nvidia takes it. */
static struct wanted wanted_by_runtime(struct judge *j, const struct compose_service *s)
{
    const struct compose_text *list = compose_variable(s, "NVIDIA_VISIBLE_DEVICES");
    struct wanted w = { .form = "runtime: nvidia" };
    if (!list || !list->text)
        return w;
    if (is_word_for_all(list->text))
        return (struct wanted){ "runtime: nvidia and NVIDIA_VISIBLE_DEVICES=all", true, true, 0, NULL };
    struct compose_text ids[64] = { { .text = NULL } };
    size_t count = 0;
    char *copy = strdup(list->text), *rest = copy, *item;
    while (copy && count < LEN(ids) && (item = strsep(&rest, ",")))
        ids[count++].text = judge_text(j, "%s", item + strspn(item, " "));
    free(copy);
    w = wanted_by_ids(j, "runtime: nvidia and NVIDIA_VISIBLE_DEVICES", ids, count);
    return w;
}

static bool has_runtime(const struct compose_service *s)
{
    return s->runtime.text && strcmp(s->runtime.text, "nvidia") == 0;
}

/* The working forms of a service. */
static size_t find_wanted(struct wanted out[3], struct judge *j, const struct compose_service *s)
{
    size_t count = 0;
    if (s->reserved.count)
        out[count++] = wanted_by_requests(j, "", &s->reserved);
    if (s->gpus.count)
        out[count++] = wanted_by_requests(j, "gpus: ", &s->gpus);
    if (has_runtime(s))
        out[count++] = wanted_by_runtime(j, s);
    return count;
}

static bool differ(const struct wanted *a, const struct wanted *b)
{
    if (!a->known || !b->known)
        return false;
    if (a->all || b->all)
        return !(a->all && b->all);
    return a->count != b->count || (a->ids && b->ids && strcmp(a->ids, b->ids) != 0);
}

/* --- rules ------------------------------------------------------------------------------------------------- */

/* "count: 2", as the pasted form wants it, from whatever form was tried. */
static struct gpu_fill pasted(struct judge *j, const struct compose_requests *tried)
{
    const struct compose_request *r = tried->count == 1 ? &tried->items[0] : NULL;
    if (r && r->ids.count && wanted_by_ids(j, "", r->ids.items, r->ids.count).known) {
        const char *list = "";
        for (size_t i = 0; i < r->ids.count; i++)
            list = judge_text(j, "%s%s\"%s\"", list, *list ? ", " : "", r->ids.items[i].text);
        return (struct gpu_fill){ "what", judge_text(j, "device_ids: [%s]", list) };
    }
    return (struct gpu_fill){ "what", judge_text(j, "count: %s", r && is_number(r->count.text) ? r->count.text : "all") };
}

static void rule_form(const struct lint *l)
{
    const struct compose_service *s = l->s;
    if (s->extends_elsewhere.file)
        SAY(at(l, s->extends_elsewhere), "elsewhere", { "service", s->name });
    if (is_unread(l, &s->runtime, "runtime"))
        return;
    if (s->reserved.count)
        SAY(at(l, s->reserved.at), "reservation", { "form", "reservation" });
    if (has_runtime(s))
        SAY(at(l, s->runtime.at), "runtime", { "form", "runtime" });
    if (s->gpus.count)
        SAY(at(l, s->gpus.at), "gpus", { "form", "gpus" });
    if (s->unknown.at.file)
        SAY(at(l, s->unknown.at), "unknown_form", pasted(l->j, &s->unknown));
    else if (!s->reserved.count && !has_runtime(s) && !s->gpus.count)
        SAY(at(l, s->at), "none", pasted(l->j, &s->unknown));
}

static void rule_several(const struct lint *l)
{
    struct wanted forms[3];
    const size_t count = find_wanted(forms, l->j, l->s);
    const char *names = "";
    bool disagree = false;
    for (size_t i = 0; i < count; i++) {
        names = judge_text(l->j, "%s%s%s", names, !*names ? "" : i + 1 == count ? " and " : ", ", forms[i].form);
        for (size_t k = 0; k < i; k++)
            disagree |= differ(&forms[i], &forms[k]);
    }
    if (count > 1)
        SAY(at(l, l->s->reserved.count ? l->s->reserved.at : l->s->gpus.at),
            disagree ? "several_forms_differ" : "several_forms", { "forms", names });
}

static bool nvml_answered(const struct facts *f)
{
    return !*f->nvml.absent && f->nvml.called && f->nvml.code == 0 && f->nvml.count >= 0;
}

/* GPUs on which a process of somebody holds more than a trace of the memory. */
static int busy_gpus(const struct facts *f)
{
    int busy = 0;
    for (size_t i = 0; i < f->nvml.device_count; i++) {
        const json_t *used = json_object_get(f->nvml.devices[i].state, "memory_used"),
                     *total = json_object_get(f->nvml.devices[i].state, "memory_total"),
                     *processes = json_object_get(f->nvml.devices[i].state, "processes");
        busy += json_array_size(processes) > 0 && json_number_value(used) > SHARED * json_number_value(total);
    }
    return busy;
}

static bool is_here(const struct facts *f, const char *id)
{
    if (is_number(id))
        return atoi(id) < f->nvml.count;
    for (size_t i = 0; i < f->nvml.device_count; i++)
        if (strncasecmp(id, f->nvml.devices[i].uuid, strlen(id)) == 0)
            return true;
    return strncmp(id, "MIG-", 4) == 0; /* parts of GPUs are not listed */
}

static const char *gpus_text(struct judge *j, int count)
{
    return judge_text(j, "%d GPU%s", count, count == 1 ? "" : "s");
}

static void rule_too_many(const struct lint *l, const struct compose_request *r)
{
    const struct facts *f = l->j->facts;
    const struct gpu_fill count = { "count", gpus_text(l->j, f->nvml.count > 0 ? f->nvml.count : 0) };
    const struct compose_place place = r->count.at.file ? r->count.at : r->ids.at.file ? r->ids.at : r->at;
    if (is_unread(l, &r->count, "count"))
        return;
    if (!nvml_answered(f)) {
        judge_unread(at(l, place), "how many GPUs are here (NVML)", *f->nvml.absent ? f->nvml.absent : "it gave no answer");
        return;
    }
    if (is_number(r->count.text) && atoi(r->count.text) > f->nvml.count)
        SAY(at(l, place), "too_many", count, { "asked", judge_text(l->j, "count: %s", r->count.text) });
    for (size_t i = 0; i < r->ids.count; i++)
        if (is_id(r->ids.items[i].text) && !is_here(f, r->ids.items[i].text))
            SAY(at(l, r->ids.items[i].at), "too_many", count,
                { "asked", judge_text(l->j, "device_ids names %s", r->ids.items[i].text) });
    if (!r->ids.at.file && !is_number(r->count.text) && busy_gpus(f))
        SAY(at(l, place), "all_of_shared", count, { "busy", judge_text(l->j, "%d", busy_gpus(f)) });
}

static void rule_count(const struct lint *l, const struct compose_request *r)
{
    if (r->count.at.file && r->ids.at.file)
        SAY(at(l, r->count.at), "count_and_ids", { "count", "given" });
    else if (!r->count.at.file && !r->ids.at.file)
        SAY(at(l, r->at), "neither", { "count", "all" });
    rule_too_many(l, r);
}

static void rule_capability(const struct lint *l, const struct compose_request *r)
{
    bool gpu = false;
    for (size_t i = 0; i < r->capabilities.count; i++) {
        if (is_unread(l, &r->capabilities.items[i], "capabilities"))
            return;
        gpu |= r->capabilities.items[i].text && strcmp(r->capabilities.items[i].text, "gpu") == 0;
    }
    if (!gpu)
        SAY(at(l, r->capabilities.at.file ? r->capabilities.at : r->at), "no_capability",
            { "what", r->capabilities.at.file ? "capabilities without gpu: no GPU is reserved"
                                              : "capabilities is missing, and Compose requires it" });
}

static void rule_requests(const struct lint *l)
{
    for (size_t i = 0; i < l->s->reserved.count; i++) {
        const struct compose_request *r = &l->s->reserved.items[i];
        rule_capability(l, r);
        rule_count(l, r);
        if (!is_unread(l, &r->driver, "driver") && (!r->driver.text || strcmp(r->driver.text, "nvidia") != 0))
            SAY(at(l, r->driver.at.file ? r->driver.at : r->at), "driver",
                { "driver", r->driver.at.file ? "not nvidia" : "missing" });
    }
    for (size_t i = 0; i < l->s->gpus.count; i++)
        rule_count(l, &l->s->gpus.items[i]);
}

static void rule_runtime(const struct lint *l)
{
    const struct compose_image *image = &l->s->image;
    if (has_runtime(l->s) && !compose_variable(l->s, "NVIDIA_VISIBLE_DEVICES") && !image->sets_nvidia &&
        !image->nvidia.at.file)
        SAY(at(l, l->s->runtime.at), "runtime_without_env", { "runtime", "nvidia" });
}

static const char *no_list(const char *text)
{
    static const char *const words[] = { "all", "none", "void" };
    for (size_t i = 0; text && i < LEN(words); i++)
        if (strcasecmp(text, words[i]) == 0)
            return words[i];
    return NULL;
}

/* The service's variable counts, else that of the image; the driver's images set all. */
static void rule_copied(const struct lint *l)
{
    const struct compose_image *image = &l->s->image;
    const struct compose_text *list = compose_variable(l->s, "NVIDIA_VISIBLE_DEVICES");
    const char *word = list && list->text ? no_list(list->text)
                       : image->nvidia.text ? no_list(image->nvidia.text) : "all, where images of the driver set it";
    if (image->copied.file && word && !is_unread(l, list, "NVIDIA_VISIBLE_DEVICES"))
        SAY(at(l, image->copied), "copied", { "list", word });
}

static void rule_not_a_list(const struct lint *l)
{
    const struct compose_text *own = compose_variable(l->s, "CUDA_VISIBLE_DEVICES"),
                              *image = &l->s->image.visible;
    if (is_unread(l, own, "CUDA_VISIBLE_DEVICES"))
        return;
    if (own && no_list(own->text))
        SAY(at(l, own->at), "not_a_list", { "list", no_list(own->text) });
    if (no_list(image->text))
        SAY(at(l, image->at), "not_a_list", { "list", no_list(image->text) });
    rule_copied(l);
}

/* How many GPUs the container will have; -1: not known. */
static int requested(const struct lint *l)
{
    struct wanted forms[3];
    const size_t count = find_wanted(forms, l->j, l->s);
    if (count == 0 || !forms[0].known)
        return -1;
    if (!forms[0].all)
        return forms[0].count;
    return nvml_answered(l->j->facts) ? l->j->facts->nvml.count : -1;
}

static void rule_renumbered(const struct lint *l)
{
    const struct compose_text *list = compose_variable(l->s, "CUDA_VISIBLE_DEVICES");
    const int count = requested(l);
    char *copy = list && list->text ? strdup(list->text) : NULL, *rest = copy, *item;
    while (copy && count > 0 && (item = strsep(&rest, ","))) {
        item += strspn(item, " ");
        if (is_number(item) && atoi(item) >= count) {
            SAY(at(l, list->at), "renumbered", { "index", judge_text(l->j, "%s", item) },
                { "count", judge_text(l->j, "%d", count) });
            break;
        }
    }
    free(copy);
}

static bool has_word(const char *list, const char *word)
{
    const size_t size = strlen(word);
    for (const char *found = list; (found = strstr(found, word)); found++)
        if ((found == list || !isalnum((unsigned char)found[-1])) && !isalnum((unsigned char)found[size]))
            return true;
    return false;
}

static void rule_capabilities(const struct lint *l)
{
    const struct compose_text *list = compose_variable(l->s, "NVIDIA_DRIVER_CAPABILITIES");
    if (!list || is_unread(l, list, "NVIDIA_DRIVER_CAPABILITIES") || !list->text || has_word(list->text, "all"))
        return;
    if (!has_word(list->text, "compute"))
        SAY(at(l, list->at), "no_compute", { "capability", "compute" });
    if (!has_word(list->text, "utility"))
        SAY(at(l, list->at), "no_utility", { "capability", "utility" });
}

/* "6g", "512mb", "1.5GB", "1048576"; 0: no size. */
static double bytes_of(const char *text)
{
    static const struct { char unit; double bytes; } units[] = { { 'b', 1 }, { 'k', 0x1p10 }, { 'm', 0x1p20 },
                                                                 { 'g', 0x1p30 }, { 't', 0x1p40 } };
    char *end;
    const double number = strtod(text, &end);
    if (end == text || !(number > 0))
        return 0;
    for (size_t i = 0; i < LEN(units); i++)
        if (tolower((unsigned char)*end) == units[i].unit)
            return number * units[i].bytes;
    return *end ? 0 : number;
}

static struct gpu_fill bytes_fill(struct judge *j, const char *name, double bytes)
{
    char text[64];
    text_of_bytes(text, sizeof text, (uint64_t)bytes);
    return (struct gpu_fill){ name, judge_text(j, "%s", text) };
}

static void rule_memory(const struct lint *l)
{
    struct judge *j = l->j;
    const struct compose_text *own = compose_variable(l->s, "ML_MEMORY_LIMIT_GB");
    const struct doctor_plan *plan = j->ask->plan;
    const double limit = l->s->memory.text ? bytes_of(l->s->memory.text) : 0;
    if (is_unread(l, &l->s->memory, "the memory limit") || !(limit > 0))
        return;
    const struct gpu_fill fill = bytes_fill(j, "limit", limit);
    if (plan && plan->memory_bytes > 0 && limit < TIGHT * plan->memory_bytes)
        SAY(at(l, l->s->memory.at), limit < plan->memory_bytes ? "memory" : "memory_tight", fill,
            bytes_fill(j, "planned", plan->memory_bytes));
    const double inside = own && own->text ? atof(own->text) : 0;
    if (!is_unread(l, own, "ML_MEMORY_LIMIT_GB") && inside * GIB > limit)
        SAY(at(l, own->at), "memory_inside", fill, { "own", judge_text(j, "%.4g", inside) });
}

static void rule_cpus(const struct lint *l)
{
    struct judge *j = l->j;
    const struct compose_text *variable = compose_variable(l->s, "OMP_NUM_THREADS");
    const struct doctor_plan *plan = j->ask->plan;
    const double cpus = l->s->cpus.text ? atof(l->s->cpus.text) : 0;
    if (is_unread(l, &l->s->cpus, "cpus") || !(cpus > 0))
        return;
    const int fit = cpus >= 1 ? (int)cpus : 1, wanted = variable && variable->text ? atoi(variable->text) : 0;
    const struct gpu_fill limit = { "cpus", judge_text(j, "%.4g", cpus) },
                          fitting = { "fit", judge_text(j, "%d", fit) };
    if (plan && plan->threads > cpus)
        SAY(at(l, l->s->cpus.at), "cpus", limit, fitting, { "threads", judge_text(j, "%d", plan->threads) },
            { "source", "of the plan" });
    if (!is_unread(l, variable, "OMP_NUM_THREADS") && wanted > cpus)
        SAY(at(l, l->s->cpus.at), "cpus", limit, fitting, { "threads", judge_text(j, "%d", wanted) },
            { "source", "OMP_NUM_THREADS" });
}

/* Is path the folder, or a folder above it? */
static bool covers(const char *path, const char *folder)
{
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/')
        size--;
    return strncmp(folder, path, size) == 0 && (!folder[size] || folder[size] == '/' || size == 1);
}

static void rule_config(const struct lint *l)
{
    bool covered = false;
    for (size_t i = 0; i < l->s->volume_count; i++) {
        const struct compose_volume *v = &l->s->volumes[i];
        if (!v->target)
            continue;
        const bool below = covers(COMPOSE_CONFIG, v->target);
        covered |= below || covers(v->target, COMPOSE_CONFIG);
        if (below && v->file)
            SAY(at(l, v->at), "config_file_mount", { "target", COMPOSE_CONFIG });
    }
    if (!covered)
        SAY(at(l, l->s->at), "config_baked", { "target", COMPOSE_CONFIG });
}

/* Failures count only after the start period, and then `retries` of them, an interval apart. */
static void rule_start_period(const struct lint *l)
{
    const struct compose_health *h = &l->s->health;
    const double allowed = h->start_period_s + h->retries * h->interval_s;
    if (!h->at.file || isnan(l->s->first_use_s))
        return;
    if (h->unread)
        judge_unread(at(l, h->at), "the times of the health check", "no value, or no duration");
    else if (allowed < l->s->first_use_s)
        SAY(at(l, h->at), "start_period", { "allowed", judge_text(l->j, "%.4g", allowed) },
            { "needed", judge_text(l->j, "%.0f", ceil(l->s->first_use_s)) });
}

static void rule_dockerfile(const struct lint *l)
{
    if (l->s->dockerfile_unused)
        SAY(at(l, (struct compose_place){ l->s->image.dockerfile, 0, 0 }), "dockerfile_unused",
            { "names", l->s->dockerfile_unused });
}

void compose_judge(struct judge *j, const struct compose_service *service)
{
    static void (*const looks[])(const struct lint *) = {
        rule_form, rule_several, rule_requests, rule_runtime, rule_not_a_list, rule_renumbered, rule_capabilities,
        rule_memory, rule_cpus, rule_config, rule_start_period, rule_dockerfile,
    };
    const struct lint l = { j, service };
    j->check = &compose_check;
    j->name = service->name;
    for (size_t i = 0; i < LEN(looks); i++)
        looks[i](&l);
    j->where = NULL;
}
