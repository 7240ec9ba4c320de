/* Launches kept, to be run again: the layout of every argument block, and a runner that starts the threads once. */
#ifndef CYGRAD_PROGRAM_H
#define CYGRAD_PROGRAM_H

#include "kernels.h"

enum { CG_OUT, CG_IN, CG_OUTS, CG_INS, CG_IDX, CG_N, CG_S, CG_SEED };

typedef struct {
    const char *name;
    int kind;
    int64_t offset;
} cg_field;

typedef struct {
    int64_t bytes;
    int64_t count;
    const cg_field *fields;
} cg_layout;

/* The fields of a kernel's argument block, in order. */
const cg_layout *cg_layout_of(int kernel);

typedef struct {
    cg_kernel run;
    const void *args;
    double cost;          /* nanoseconds of one core, roughly */
    int64_t barrier;      /* whether the shares wait for each other before it */
    const int64_t *fault; /* NULL, or what the launch sets where its input is wrong: then the program ends */
} cg_step;

/* Runs steps in order. Returns the number of the step whose fault ended the run, `count` where there was none, −1 where
 * there is no memory to work in. */
int64_t cg_run_steps(const cg_step *steps, int64_t count);

/* Steps that are cut into the same blocks, and need of each other only the block that they are at. */
typedef struct {
    const cg_step *steps;
    int64_t count;
    int64_t blocks;
} cg_chain;

/* Runs a chain block by block, all its steps on one block, which stays in the cache: a kernel whose argument block is
 * the chain. */
void cg_run_chain(const void *chain, cg_share share);

/* Nanoseconds since some moment. */
double cg_now(void);

#endif
