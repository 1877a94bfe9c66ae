/* The parts of bench doctor that have no file: the classifier over facts, versions, children that hang. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bench/doctor/anonymous.h"
#include "bench/doctor/checks.h"
#include "bench/doctor/child.h"
#include "bench/doctor/doctor.h"
#include "bench/doctor/driver.h"
#include "bench/doctor/tree.h"
#include "kernels/base/gpu_codes.h"
#include "kernels/base/len.h"

/* --- versions ------------------------------------------------------------------------------------------- */

static const struct { const char *a, *b; int want; } versions[] = {
    { "570.86.15", "570.133.20", -1 }, { "570.133.20", "570.86.15", 1 }, { "570.133.20", "570.133.20", 0 },
    { "535.54.03", "535.104.05", -1 }, { "580.65.06", "575.57.08", 1 },  { "570.86", "570.86.15", -1 },
    { "535.183.01", "535.183.1", 0 },
};

static size_t versions_missed(int (*compare)(const char *a, const char *b))
{
    size_t missed = 0;
    for (size_t i = 0; i < LEN(versions); i++) {
        const int got = compare(versions[i].a, versions[i].b);
        missed += (got > 0) - (got < 0) != versions[i].want;
    }
    return missed;
}

static void versions_compare_as_dotted_numbers(void **state)
{
    (void)state;
    assert_int_equal(versions_missed(driver_compare_versions), 0);
    assert_true(versions_missed(strcmp) >= 3); /* the wrong twin: as texts 86 is newer than 133 */
}

/* --- the classifier of the mismatch --------------------------------------------------------------------- */

/* Both versions and both codes -> what is said; the table of the manual, row by row. */
static const struct {
    const char *module, *library;
    int nvml, cuda;
    enum level level;
    const char *outcome;
} rows[] = {
    { "570.133.20", "570.133.20", 0, 0, LEVEL_OK, "equal" },
    { "570.86.15", "570.133.20", 18, 0, LEVEL_FAIL, "mismatch" },
    { "570.86.15", "570.133.20", 0, 803, LEVEL_FAIL, "mismatch" },
    { "570.133.20", "570.86.15", 18, 0, LEVEL_FAIL, "mismatch" },
    { "570.133.20", "570.133.20", 18, 0, LEVEL_FAIL, "mismatch_hidden" },
    { "570.133.20", "570.133.20", 0, 803, LEVEL_FAIL, "mismatch_hidden" },
    { "570.86.15", "570.133.20", 0, 0, LEVEL_WARN, "tolerated" },
    { "", "570.133.20", 18, 0, LEVEL_FAIL, "mismatch_half" },
    { "570.86.15", "", 0, 803, LEVEL_FAIL, "mismatch_half" },
    { "", "570.133.20", 0, 0, LEVEL_UNREAD, "unread" },
    { "570.86.15", "570.133.20", 803, 18, LEVEL_WARN,
      "tolerated" }, /* each number in the other's list: no mismatch */
};

static struct facts *facts_of(const char *module, const char *library, int nvml, int cuda)
{
    struct facts *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->pci_count = 1;
    strcpy(f->pci[0].address, "0000:01:00.0");
    strcpy(f->module.text, module);
    static const char *const nodes[] = { "/dev/nvidia-uvm", "/dev/nvidia0", "/dev/nvidiactl" };
    for (size_t i = 0; i < LEN(nodes); i++)
        strcpy(f->nodes[f->node_count++].path, nodes[i]);
    strcpy(f->nvml_library.path, "/usr/lib/libnvidia-ml.so");
    strcpy(f->cuda_library.path, "/usr/lib/libcuda.so");
    strcpy(f->nvml_library.version, library);
    f->nvml.called = f->cuda.called = true;
    f->nvml.code = nvml;
    f->cuda.code = cuda;
    f->nvml.count = f->cuda.count = 1;
    return f;
}

static const struct finding *find(const struct findings *all, const char *id)
{
    for (size_t i = 0; i < all->count; i++)
        if (strcmp(all->list[i].id, id) == 0)
            return &all->list[i];
    return NULL;
}

static void mismatch_follows_the_table(void **state)
{
    (void)state;
    const struct doctor_ask ask = { .only = "gpu.mismatch" };
    for (size_t i = 0; i < LEN(rows); i++) {
        struct findings all;
        struct facts *f = facts_of(rows[i].module, rows[i].library, rows[i].nvml, rows[i].cuda);
        assert_int_equal(findings_make(&all, f, &ask, NULL), ST_OK);
        const struct finding *said = find(&all, "gpu.mismatch");
        assert_non_null(said);
        assert_int_equal(said->level, rows[i].level);
        assert_string_equal(said->outcome, rows[i].outcome);
        if (said->level == LEVEL_FAIL || said->level == LEVEL_WARN) { /* both sides are always named */
            assert_non_null(strstr(said->sentence, *rows[i].module ? rows[i].module : "unknown"));
            assert_non_null(strstr(said->sentence, *rows[i].library ? rows[i].library : "unknown"));
        }
        findings_free(&all);
        free(f);
    }
}

static void same_facts_give_the_same_findings(void **state)
{
    (void)state;
    const struct doctor_ask ask = { .only = NULL };
    struct findings first, second;
    struct facts *f = facts_of("570.86.15", "570.133.20", 18, 0);
    assert_int_equal(findings_make(&first, f, &ask, NULL), ST_OK);
    assert_int_equal(findings_make(&second, f, &ask, NULL), ST_OK);
    assert_int_equal(first.count, second.count);
    for (size_t i = 0; i < first.count; i++) {
        assert_string_equal(first.list[i].sentence, second.list[i].sentence);
        assert_true(json_equal(first.list[i].read, second.list[i].read));
    }
    findings_free(&first);
    findings_free(&second);
    free(f);
}

/* --- codes ---------------------------------------------------------------------------------------------- */

static void every_code_has_one_row(void **state)
{
    (void)state;
    char text[512];
    size_t count = 0;
    for (const struct gpu_code *row; (row = gpu_code_row(count)); count++) {
        if (row->code >= 0)
            assert_ptr_equal(gpu_code_find(row->api, row->code), row);
        gpu_code_text(text, sizeof text, row->sentence, NULL, 0);
        assert_null(strchr(text, '<'));
    }
    assert_int_equal(count, 19); /* 7 of NVML, 11 of CUDA, and the row of all others */
    assert_string_equal(gpu_code_find(GPU_API_NVML, 18)->outcome, "mismatch");
    assert_string_equal(gpu_code_find(GPU_API_CUDA, 18)->outcome, "unknown");
    assert_string_equal(gpu_code_find(GPU_API_NVML, 803)->outcome, "unknown");
}

static void names_are_filled_in(void **state)
{
    (void)state;
    char text[64], little[8];
    const struct gpu_fill fills[] = { { "uid", "1000" }, { "none", NULL } };
    gpu_code_text(text, sizeof text, "user <uid>, <none>, <other>, 1 < 2", fills, LEN(fills));
    assert_string_equal(text, "user 1000, unknown, unknown, 1 < 2");
    gpu_code_text(little, sizeof little, "user <uid> and more", fills, LEN(fills));
    assert_string_equal(little, "user 10");
}

/* --- children ------------------------------------------------------------------------------------------- */

static void work_answers(int fd, const void *context)
{
    child_say(fd, json_pack("{s:s}", "calling", "first"));
    child_say(fd, json_pack("{s:s, s:n}", "name", (const char *)context, "calling"));
}
static void work_hangs(int fd, const void *context)
{
    (void)context;
    child_say(fd, json_pack("{s:s, s:s}", "found", "library", "calling", "nvmlInit_v2"));
    signal(SIGTERM, SIG_IGN);
    for (;;)
        pause();
}
static void work_crashes(int fd, const void *context)
{
    (void)context;
    child_say(fd, json_pack("{s:s}", "calling", "cuInit"));
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
}
static void work_prints(int fd, const void *context)
{
    (void)context;
    (void)!write(fd, "no JSON\n", 8);
}
static void work_says_much(int fd, const void *context)
{
    (void)context;
    char text[4096];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    for (int i = 0; i < 64; i++) /* four times what a pipe holds */
        child_say(fd, json_pack("{s:s, s:i}", "text", text, "last", i));
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static const char *word(const struct child *c, const char *key)
{
    const char *text = json_string_value(json_object_get(c->answer, key));
    return text ? text : "";
}

static void children_end_each_in_its_way(void **state)
{
    (void)state;
    struct child c[] = {
        { .work = work_answers, .context = "one", .limit_ns = 20 * CHILD_S },
        { .work = work_hangs, .limit_ns = CHILD_S / 2 },
        { .work = work_crashes, .limit_ns = 20 * CHILD_S },
        { .work = work_prints, .limit_ns = 20 * CHILD_S },
        { .work = work_says_much, .limit_ns = 20 * CHILD_S },
    };
    const double begin = seconds();
    assert_true(children_run(c, LEN(c), NULL));
    assert_true(seconds() - begin < 10);
    assert_true(!c[0].late && !c[0].crashed);
    assert_string_equal(word(&c[0], "name"), "one");
    assert_true(json_is_null(json_object_get(c[0].answer, "calling")));
    assert_true(c[1].late && !c[1].crashed);
    assert_string_equal(word(&c[1], "found"), "library"); /* what was said before the hang is kept */
    assert_string_equal(word(&c[1], "calling"), "nvmlInit_v2");
    assert_int_equal(kill(c[1].pid, 0), -1); /* and it is gone */
    assert_true(c[2].crashed && !c[2].late);
    assert_string_equal(word(&c[2], "calling"), "cuInit");
    assert_true(c[3].crashed);
    assert_true(!c[4].crashed && !c[4].late);
    assert_int_equal(json_integer_value(json_object_get(c[4].answer, "last")), 63);
    for (size_t i = 0; i < LEN(c); i++)
        json_decref(c[i].answer);
}

static void an_interrupt_ends_the_wait(void **state)
{
    (void)state;
    const volatile sig_atomic_t now = 1;
    struct child c = { .work = work_hangs, .limit_ns = 20 * CHILD_S };
    const double begin = seconds();
    children_run(&c, 1, &now);
    assert_true(seconds() - begin < 5);
    json_decref(c.answer);
}

/* --- trees ---------------------------------------------------------------------------------------------- */

static void put_file(const char *root, const char *path, const char *text)
{
    char full[512];
    snprintf(full, sizeof full, "%s%s", root, path);
    const int fd = open(full, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}
static void put_link(const char *root, const char *path, const char *target)
{
    char full[512];
    snprintf(full, sizeof full, "%s%s", root, path);
    assert_int_equal(symlink(target, full), 0);
}

static void links_stay_inside_the_root(void **state)
{
    (void)state;
    char root[] = "/tmp/doctor-test-XXXXXX", inside[PROCFS_PATH_MAX], text[64], command[128];
    assert_non_null(mkdtemp(root));
    snprintf(command, sizeof command, "%s/etc", root);
    assert_int_equal(mkdir(command, 0700), 0);
    put_file(root, "/etc/real", "of the tree\n");
    put_link(root, "/etc/absolute", "/etc/real");
    put_link(root, "/etc/relative", "real");
    put_link(root, "/etc/up", "../../../../../../etc/real");
    put_link(root, "/folder", "/etc");
    put_link(root, "/etc/loop", "loop");
    put_link(root, "/etc/outside", "/etc/passwd"); /* is there on the machine, not in the tree */
    static const char *const good[] = { "/etc/real", "/etc/absolute",    "/etc/relative",
                                        "/etc/up",   "/folder/absolute", "//etc/./../etc/real" };
    for (size_t i = 0; i < LEN(good); i++) {
        assert_true(tree_resolve(inside, root, good[i]));
        assert_string_equal(inside, "/etc/real");
        assert_true(tree_read(text, sizeof text, root, good[i]));
        assert_string_equal(text, "of the tree");
    }
    assert_false(tree_resolve(inside, root, "/etc/loop"));
    assert_int_equal(errno, ELOOP);
    assert_false(tree_exists(root, "/etc/outside"));
    snprintf(command, sizeof command, "rm -r %s", root);
    assert_int_equal(system(command), 0);
}

/* A machine with a GPU under WSL, whose driver answers as facts.json says. */
static void make_tree(char *root, const char *facts)
{
    static const char *const folders[] = { "/sys", "/sys/bus", "/sys/bus/pci", "/sys/bus/pci/devices", "/dev", "/usr",
                                           "/usr/lib", "/usr/lib/wsl", "/usr/lib/wsl/lib" };
    char full[512];
    assert_non_null(mkdtemp(root));
    for (size_t i = 0; i < LEN(folders); i++) {
        snprintf(full, sizeof full, "%s%s", root, folders[i]);
        assert_int_equal(mkdir(full, 0700), 0);
    }
    put_file(root, "/dev/dxg", "");
    put_file(root, "/usr/lib/wsl/lib/libcuda.so.1", "");
    put_file(root, "/usr/lib/wsl/lib/libnvidia-ml.so.1", "");
    put_file(root, "/facts.json", facts);
}

#define NVML(code) "\"nvml\": {\"init\": " #code ", \"driver_version\": \"570.1\", \"version\": \"12.570.1\", \"count\": 1}"
#define CUDA(code) "\"cuda\": {\"init\": " #code ", \"driver_version\": 12080, \"count\": 1}"

static void the_first_fault_of_gpus_is_told(void **state)
{
    (void)state;
    static const struct { const char *facts, *want; } trees[] = {
        { "{\"env\": {}, " NVML(0) ", " CUDA(0) "}", "" },
        { "{\"env\": {}, " NVML(17) ", " CUDA(0) "}",
          "gpu.nvml: the operating system or a device cgroup blocks the GPU (NVML 17)" },
        { "{\"env\": {}, " NVML(0) ", " CUDA(100) "}", "gpu.cuda: CUDA sees no device (CUDA 100)" },
        { "{\"env\": {\"CUDA_VISIBLE_DEVICES\": \"\"}, " NVML(0) ", " CUDA(0) "}",
          "gpu.visibility: CUDA_VISIBLE_DEVICES=\"\": every GPU is hidden" }, /* a note, were no GPU wanted */
    };
    for (size_t i = 0; i < LEN(trees); i++) {
        char root[] = "/tmp/doctor-test-XXXXXX", command[128], sentence[512] = "not written";
        struct err err = { .status = ST_OK };
        make_tree(root, trees[i].facts);
        assert_int_equal(doctor_gpu_fault(sentence, sizeof sentence, root, NULL, &err), ST_OK);
        assert_string_equal(sentence, trees[i].want);
        snprintf(command, sizeof command, "rm -r %s", root);
        assert_int_equal(system(command), 0);
    }
    char sentence[8] = "not";
    assert_int_equal(doctor_gpu_fault(sentence, sizeof sentence, "/no/such/tree", NULL, NULL), ST_USAGE);
    assert_string_equal(sentence, "");
}

static void names_of_a_machine_are_replaced(void **state)
{
    (void)state;
    static const struct { const char *text, *want; } texts[] = {
        { "GPU-2f1c0a9e-1111-2222-3333-444444444444", "GPU-00000001-0000-0000-0000-000000000000" },
        { "MIG-2f1c0a9e-1111-2222-3333-555555555555/1", "MIG-00000002-0000-0000-0000-000000000000/1" },
        { "GPU-2F1C0A9E-1111-2222-3333-444444444444,x", "GPU-00000001-0000-0000-0000-000000000000,x" },
        { "0000:65:00.0", "0000:01:00.0" },
        { "GPU 00000000:65:00.0 has fallen off", "GPU 00000000:01:00.0 has fallen off" },
        { "0000:17:00.0 0000:65:00.0", "0000:02:00.0 0000:01:00.0" },
        { "/docker/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "/docker/id1" },
        { "/home/alice/lib:/home/alice2/x", "/home/user/lib:/home/alice2/x" },
        { "alice@node17 on node171", "user@host on node171" },
        { "570.133.20 12.570.133.20 0x10de 2.1", "570.133.20 12.570.133.20 0x10de 2.1" }, /* versions stay */
        { "", "" },
    };
    struct anonymous a = { .host = "node17", .user = "alice", .home = "/home/alice" };
    for (size_t i = 0; i < LEN(texts); i++) {
        char *out = anonymous_text(&a, texts[i].text);
        assert_string_equal(out, texts[i].want);
        free(out);
    }
    json_t *value = json_pack("{s:[s, i], s:{s:s}}", "a", "0000:17:00.0", 5, "alice", "b", "alice");
    json_t *want = json_pack("{s:[s, i], s:{s:s}}", "a", "0000:02:00.0", 5, "alice", "b", "user");
    json_t *out = anonymous_json(&a, value);
    assert_true(json_equal(out, want));
    json_decref(out);
    json_decref(want);
    json_decref(value);
    anonymous_close(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_compare_as_dotted_numbers),
        cmocka_unit_test(mismatch_follows_the_table),
        cmocka_unit_test(same_facts_give_the_same_findings),
        cmocka_unit_test(every_code_has_one_row),
        cmocka_unit_test(names_are_filled_in),
        cmocka_unit_test(children_end_each_in_its_way),
        cmocka_unit_test(an_interrupt_ends_the_wait),
        cmocka_unit_test(links_stay_inside_the_root),
        cmocka_unit_test(the_first_fault_of_gpus_is_told),
        cmocka_unit_test(names_of_a_machine_are_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
