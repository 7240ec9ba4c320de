/* Programs: recorded launches that run again and again. The layout of every argument block, and a runner that starts
 * the threads once for all launches. */
#ifndef CYGRAD_PROGRAM_H
#define CYGRAD_PROGRAM_H

#include "kernels.h"

typedef struct {
    cg_kernel run;
    const void *args;
    double cost;          /* nanoseconds of one core, roughly */
    int64_t barrier;      /* whether all shares wait for each other before it */
    const int64_t *fault; /* NULL, or an integer that the launch sets to 0 or more on bad input: the program ends */
} cg_step;

/* Runs steps in order. Returns the index of the step whose fault ended the run, `count` if there was none, −1 if it is
 * out of memory. */
int64_t cg_run_steps(const cg_step *steps, int64_t count);

/* A word that grows from one run of a program to the next: an address in an argument block, a count, an offset. */
typedef struct {
    void *word; /* 64 bits */
    uint64_t increment;
} cg_advance;

/* Runs the steps in order, `times` times, and advances all words after each run. Returns the number of complete runs;
 * if a fault ended the next one, `*ended` is the index of its step. −1 if it is out of memory. */
int64_t cg_run_loop(const cg_step *steps, int64_t count, int64_t times, const cg_advance *words, int64_t word_count,
                    int64_t *ended);

/* Steps that are cut into the same blocks, and of each other's results need only the current block. */
typedef struct {
    const cg_step *steps;
    int64_t count;
    int64_t blocks;
} cg_chain;

/* Runs a chain block by block: all steps on one block, which stays in the cache, before the next block. It is a kernel
 * whose argument block is the chain. */
void cg_run_chain(const void *chain, cg_share share);

/* Nanoseconds since a fixed time. */
double cg_now(void);

#endif
