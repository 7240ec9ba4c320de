/* What every family stands on: the level's vector width and the cutting of work into shares. */
#ifndef CYGRAD_KERNEL_H
#define CYGRAD_KERNEL_H

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "../kernels.h"

#if defined(__AVX512F__)
#define CG_VECTOR_BYTES 64
#elif defined(__AVX__)
#define CG_VECTOR_BYTES 32
#else
#define CG_VECTOR_BYTES 16
#endif

/* Elements in a block: no result depends on how many shares the blocks are dealt to. */
#define CG_BLOCK 4096

typedef struct { int64_t begin, end; } cg_range;

static inline int64_t cg_min(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t cg_max(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t cg_ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/* The part of 0..n that belongs to this share: whole blocks of `block`, in order. */
static inline cg_range cg_part(int64_t n, int64_t block, cg_share share) {
    int64_t blocks = cg_ceil_div(n, block);
    int64_t first = blocks * share.index / share.count;
    int64_t last = blocks * (share.index + 1) / share.count;
    return (cg_range){cg_min(first * block, n), cg_min(last * block, n)};
}

#endif
