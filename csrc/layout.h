/* What kernels.def says about each kernel, at run time: its arguments, how it cuts its work, what it costs. */
#ifndef CYGRAD_LAYOUT_H
#define CYGRAD_LAYOUT_H

#include "kernels.h"

/* Traits of an argument. */
enum {
    CG_ARRAY = 1,        /* the address of an array */
    CG_LIST = 2,         /* the addresses of `tensors` arrays */
    CG_TABLE = 4,        /* `tensors` sizes */
    CG_SIZE = 8,         /* an int64 */
    CG_SCALAR = 16,      /* another number */
    CG_READ = 32,        /* arrays that the kernel reads */
    CG_WRITTEN = 64,     /* arrays that the kernel writes */
    CG_ACCUMULATED = 128 /* arrays that are also read if the argument `accumulate` is set */
};

typedef struct {
    const char *name;
    int traits;
    int64_t offset;
} cg_field;

typedef struct {
    int64_t bytes;
    int64_t count;
    const cg_field *fields;
    const char *walk;
} cg_layout;

/* The arguments of a kernel, in order, and its walk. */
const cg_layout *cg_layout_of(int kernel);

/* Nanoseconds that a launch takes on one core, roughly. */
double cg_cost(int kernel, int dtype, const void *args);

#endif
