/* The basis of all families: the vector width of the level, and the division of work into shares. */
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

/* Functions that are inlined into every loop, so that it can be vectorized: but called where the compiler optimizes for
 * size, or not at all, and vectorizes nothing. */
#if defined(__OPTIMIZE_SIZE__) || !defined(__OPTIMIZE__)
#define CG_ELEMENTARY inline
#else
#define CG_ELEMENTARY inline __attribute__((always_inline))
#endif

typedef struct { int64_t begin, end; } cg_range;

static inline int64_t cg_min(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t cg_max(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t cg_ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/* baseⁿ for n ≥ 0, by squaring: the same bits with every C library */
static inline double cg_power(double base, int64_t n) {
    double result = 1;
    for (; n > 0; n >>= 1, base *= base)
        if (n & 1) result *= base;
    return result;
}

/* The range of 0..n for this share: whole blocks of `block`, in order. */
static inline cg_range cg_part(int64_t n, int64_t block, cg_share share) {
    int64_t blocks = cg_ceil_div(n, block);
    int64_t first = blocks * share.index / share.count;
    int64_t last = blocks * (share.index + 1) / share.count;
    return (cg_range){cg_min(first * block, n), cg_min(last * block, n)};
}

/* A range of one of many arrays, which are cut into blocks of CG_BLOCK elements, indexed through all arrays. */
typedef struct {
    int64_t tensor, begin, end; /* elements begin..end of array `tensor` */
    int64_t block;              /* the index of its first block */
    int64_t passed;             /* blocks of the arrays before it */
} cg_span;

/* The next span of blocks first..last, or one with tensor = tensors. */
static inline cg_span cg_next_span(cg_span p, const int64_t *sizes, int64_t tensors, int64_t first, int64_t last) {
    while (++p.tensor < tensors) {
        int64_t blocks = cg_ceil_div(sizes[p.tensor], CG_BLOCK);
        int64_t from = cg_max(first - p.passed, 0), to = cg_min(last - p.passed, blocks);
        p.block = p.passed + from;
        p.passed += blocks;
        if (from < to) {
            p.begin = from * CG_BLOCK, p.end = cg_min(to * CG_BLOCK, sizes[p.tensor]);
            break;
        }
    }
    return p;
}

/* for (span of the share's part of the blocks of all arrays): the block `a` has sizes, tensors and blocks. */
#define CG_NEXT_SPAN(span, a, share)                                                                   \
    cg_next_span(span, (a)->sizes, (a)->tensors, (a)->blocks * (share).index / (share).count,          \
                  (a)->blocks * ((share).index + 1) / (share).count)
#define CG_EACH_SPAN(span, a, share)                                                                   \
    for (cg_span span = CG_NEXT_SPAN(((cg_span){.tensor = -1}), a, share); span.tensor < (a)->tensors; \
         span = CG_NEXT_SPAN(span, a, share))

#endif
