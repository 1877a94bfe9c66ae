/* batch_sizes_fixture.h - documents and folders for the tests of batch_sizes.json. */
#ifndef BATCH_SIZES_FIXTURE_H
#define BATCH_SIZES_FIXTURE_H

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/json.h"

/* A file in the shape of 2025-09: written by hand, no autotune, raw UTF-8, a throughput and a limit that need all
 * their digits, rows of a model that has no entry any more, a key that nobody knows. Values are made up. */
static const char historic_file[] =
    "{\"optimization_timestamp\": \"2025-08-27 16:39:25\",\n"
    " \"gpu_info\": {\"device_name\": \"NVIDIA RTX A5000\", \"total_memory_gb\": 23.55780029296875, "
    "\"driver_version\": \"12.1\"},\n"
    " \"batch_configurations\": {\n"
    "  \"sperm\": {\"optimal_batch_size\": 1, \"max_safe_batch_size\": 2, \"expected_throughput\": 3.3000000000000003, "
    "\"memory_limit_mb\": 2000, \"p95_latency_ms\": 450.0, \"production_optimized\": true, "
    "\"note\": \"m\xC4\x9B\xC5\x99" "eno\", \"extra\": [1, null]},\n"
    "  \"hrnet\": {\"optimal_batch_size\": 8, \"max_safe_batch_size\": 16, \"expected_throughput\": 7.89, "
    "\"memory_limit_mb\": 6362}},\n"
    " \"dynamic_batching\": {\"enabled\": true, \"max_queue_delay_ms\": 5, \"timeout_ms\": 50},\n"
    " \"memory_reserve_percent\": 15,\n"
    " \"unknown_key\": {\"a\": 17.3},\n"
    " \"detailed_results\": {\"hrnet\": {\"optimization_result\": {\"optimal_batch_size\": 12, "
    "\"memory_limit_mb\": 21710.86875}},\n"
    "  \"resunet_small\": {\"optimization_result\": {\"optimal_batch_size\": 4, \"memory_limit_mb\": 21710.86875}, "
    "\"all_test_results\": []}}}";

static inline json_t *historic(void)
{
    return json_read_text("historic", historic_file, strlen(historic_file), NULL);
}

/* Value at a dotted path; NULL: none. */
static inline json_t *at(json_t *root, const char *path)
{
    char copy[256], *save = NULL;
    snprintf(copy, sizeof copy, "%s", path);
    for (char *part = strtok_r(copy, ".", &save); part && root; part = strtok_r(NULL, ".", &save))
        root = json_is_array(root) ? json_array_get(root, (size_t)atoi(part)) : json_object_get(root, part);
    return root;
}

/* Does the value at path print as `want`? Prints both if not. */
static inline int is_at(json_t *root, const char *path, const char *want)
{
    json_t *value = at(root, path);
    char *text = value ? json_write_text(value, JSON_LINE) : NULL;
    const int same = strcmp(text ? text : "nothing", want) == 0;
    if (!same)
        fprintf(stderr, "# %s is %s, wanted %s\n", path, text ? text : "nothing", want);
    free(text);
    return same;
}

/* A new folder below TMPDIR; removed with all it holds by scratch_close. */
static inline char *scratch_open(void)
{
    static const char form[] = "%s/bench-output-XXXXXX";
    const char *place = getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
    char *folder = malloc(strlen(place) + sizeof form);
    if (!folder)
        abort();
    sprintf(folder, form, place);
    if (!mkdtemp(folder))
        abort();
    return folder;
}

static inline void scratch_close(char *folder)
{
    char command[4200];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0)
        abort();
    free(folder);
}

static inline char *in_folder(char *out, size_t size, const char *folder, const char *name)
{
    snprintf(out, size, "%s/%s", folder, name);
    return out;
}

/* Whole file; NULL if it is not there. */
static inline char *slurp(const char *folder, const char *name)
{
    char path[4400];
    FILE *file = fopen(in_folder(path, sizeof path, folder, name), "rb");
    char *text = file ? calloc(1, 1 << 20) : NULL;
    if (text && fread(text, 1, (1 << 20) - 1, file) == 0)
        text[0] = 0;
    if (file)
        fclose(file);
    return text;
}

static inline void spill(const char *folder, const char *name, const char *text)
{
    char path[4400];
    FILE *file = fopen(in_folder(path, sizeof path, folder, name), "wb");
    if (!file || fwrite(text, 1, strlen(text), file) != strlen(text) || fclose(file) != 0)
        abort();
}

#endif
