/* cudnn_inside.h - the inside of the fake cuDNN. Descriptors keep their attributes as they were given; a
 * graph of operations becomes a program, plain data that a plan copies, writes as text, and runs. */
#ifndef FAKE_CUDNN_INSIDE_H
#define FAKE_CUDNN_INSIDE_H

#include <cudnn_graph.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROGRAM_TENSORS 20
#define PROGRAM_STEPS 8

/* --- programs ------------------------------------------------------------------------------------------- */
struct tensor {
    int64_t id, dims[4], strides[4], alignment;
    int32_t type;               /* cudnnDataType_t */
    int32_t is_virtual, by_value;
};

enum step_kind { STEP_CONVOLUTION, STEP_CONVOLUTION_BACK, STEP_POINTWISE, STEP_STATS, STEP_ATTENTION, STEP_NORM };

/* Tensors by index; -1: none. */
struct step {
    int32_t kind, mode;         /* mode: cudnnPointwiseMode_t */
    int32_t src, other, third, dst, dst2, scale;
    int64_t pad[2], stride[2];  /* of a convolution */
};

struct program {
    struct tensor tensors[PROGRAM_TENSORS];
    struct step steps[PROGRAM_STEPS];
    int32_t tensor_count, step_count;
    int32_t engine;             /* row of the table in cudnn_plan.c */
    int32_t sm;
    int64_t workspace;          /* bytes */
    int32_t tf32;               /* products of f32 round their factors to tf32 */
    int32_t noise;              /* results differ from run to run */
};

/* What a run needs beside the program: one address per tensor (NULL: virtual), scalars by value. */
struct run {
    struct program program;
    void *at[PROGRAM_TENSORS];
    float by_value[PROGRAM_TENSORS];
    void *workspace;
    uint32_t number;            /* of the execution */
};

void program_run(void *run);    /* a fake_operation */

/* Bytes from the first to the last element. */
size_t tensor_span(const struct tensor *t);
size_t tensor_element(const struct tensor *t);

/* --- descriptors ---------------------------------------------------------------------------------------- */
struct attribute {
    cudnnBackendAttributeName_t name;
    bool children;              /* its values are descriptors */
    int64_t count;
    void *values;
    struct attribute *next;
};

struct descriptor {
    cudnnBackendDescriptorType_t type;
    bool final;
    struct attribute *attributes;
    struct program program;     /* of a graph, an engine, a configuration, a plan */
    char *text;                 /* of a device or a plan; owned */
    const struct descriptor *origin;    /* the graph of a configuration */
    struct descriptor *next;    /* of all that are alive */
};

/* Values of an attribute; NULL: not set. */
const void *attribute_get(const struct descriptor *d, cudnnBackendAttributeName_t name, int64_t *count);
/* The only descriptor of an attribute, if it is alive and final; else NULL. */
struct descriptor *attribute_child(const struct descriptor *d, cudnnBackendAttributeName_t name,
                                   int64_t index);
bool descriptor_alive(const struct descriptor *d);
bool descriptor_whole(const struct descriptor *d);  /* alive, and so is all that it is made of */

/* Notes why, for cudnnGetLastErrorString, and returns the code. */
cudnnStatus_t fail(cudnnStatus_t code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* --- cudnn_plan.c --------------------------------------------------------------------------------------- */
cudnnStatus_t graph_finalize(struct descriptor *graph);
/* Configurations that the heuristics list: their number, or those of them that fit. */
int64_t heuristics_count(const struct descriptor *heuristics);
void    heuristics_fill(const struct descriptor *heuristics, int64_t index, struct descriptor *config);
cudnnStatus_t plan_finalize(struct descriptor *plan);
cudnnStatus_t plan_text(struct descriptor *plan);       /* makes plan->text */
int64_t engine_index(const struct program *program);
/* Notes into values (room of them); how many there are. */
int64_t engine_notes(const struct program *program, bool numerical, int64_t room, int *values);
cudnnStatus_t plan_execute(const struct descriptor *plan, const struct descriptor *pack, cudaStream_t stream);
int device_sm(void);

#endif
