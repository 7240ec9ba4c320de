/* Loads, stores and reductions of vectors and parts of vectors. */

#define LOAD(p) (*(const vec *)(p))
#define STORE(p, v) (*(vec *)(p) = (v))

/* Interleaved halves of two vectors, x0 y0 x1 y1 …, a vector in reverse, and every other element of two vectors. */
#if CG_VECTOR_BYTES * 8 / CG_REAL_BITS == 16
#define ZIP_LOW(x, y) __builtin_shufflevector(x, y, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define ZIP_HIGH(x, y) __builtin_shufflevector(x, y, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#define REVERSE(x) __builtin_shufflevector(x, x, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define EVEN(x, y) __builtin_shufflevector(x, y, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)
#define ODD(x, y) __builtin_shufflevector(x, y, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31)
#elif CG_VECTOR_BYTES * 8 / CG_REAL_BITS == 8
#define ZIP_LOW(x, y) __builtin_shufflevector(x, y, 0, 8, 1, 9, 2, 10, 3, 11)
#define ZIP_HIGH(x, y) __builtin_shufflevector(x, y, 4, 12, 5, 13, 6, 14, 7, 15)
#define REVERSE(x) __builtin_shufflevector(x, x, 7, 6, 5, 4, 3, 2, 1, 0)
#define EVEN(x, y) __builtin_shufflevector(x, y, 0, 2, 4, 6, 8, 10, 12, 14)
#define ODD(x, y) __builtin_shufflevector(x, y, 1, 3, 5, 7, 9, 11, 13, 15)
#elif CG_VECTOR_BYTES * 8 / CG_REAL_BITS == 4
#define ZIP_LOW(x, y) __builtin_shufflevector(x, y, 0, 4, 1, 5)
#define ZIP_HIGH(x, y) __builtin_shufflevector(x, y, 2, 6, 3, 7)
#define REVERSE(x) __builtin_shufflevector(x, x, 3, 2, 1, 0)
#define EVEN(x, y) __builtin_shufflevector(x, y, 0, 2, 4, 6)
#define ODD(x, y) __builtin_shufflevector(x, y, 1, 3, 5, 7)
#else
#define ZIP_LOW(x, y) __builtin_shufflevector(x, y, 0, 2)
#define ZIP_HIGH(x, y) __builtin_shufflevector(x, y, 1, 3)
#define REVERSE(x) __builtin_shufflevector(x, x, 1, 0)
#define EVEN(x, y) __builtin_shufflevector(x, y, 0, 2)
#define ODD(x, y) __builtin_shufflevector(x, y, 1, 3)
#endif

/* x[0..n) and then `rest`, n ≤ LANES: a masked load where the level has one. */
INLINE vec NAME(load_part)(const real *x, int64_t n, real rest) {
    real y[LANES];
    const bits count = (bits)n;
#pragma omp simd
    for (bits q = 0; q < LANES; q++) y[q] = q < count ? x[q] : rest;
    return LOAD(y);
}

/* A vector of x[0..n), padded with zeros. */
INLINE vec NAME(load_some)(const real *x, int64_t n) { return n >= LANES ? LOAD(x) : NAME(load_part)(x, n, 0); }

/* x[0..n) = y, n ≤ LANES */
INLINE void NAME(store_part)(real *x, vec y, int64_t n) {
    const bits count = (bits)n;
#pragma omp simd
    for (bits q = 0; q < LANES; q++)
        if (q < count) x[q] = y[q];
}

/* x[0..n) = as many elements of y as fit */
INLINE void NAME(store_some)(real *x, vec y, int64_t n) {
    if (n >= LANES) STORE(x, y);
    else NAME(store_part)(x, y, n);
}

/* Σ of the lanes, as a tree: each round adds the halves of the vector, so that every sum then appears twice. */
INLINE real NAME(lane_sum)(vec x) {
#pragma GCC unroll 4
    for (int64_t n = LANES; n > 1; n /= 2) x = ZIP_LOW(x, x) + ZIP_HIGH(x, x);
    return x[0];
}

/* Σ of the lanes of each of LANES vectors, likewise: one vector of the sums, in order. Overwrites x. */
INLINE vec NAME(lane_sums)(vec x[]) {
#pragma GCC unroll 4
    for (int64_t n = LANES / 2; n > 0; n /= 2)
#pragma GCC unroll 8
        for (int64_t i = 0; i < n; i++) x[i] = ZIP_LOW(x[i], x[i + n]) + ZIP_HIGH(x[i], x[i + n]);
    return x[0];
}

/* Transpose LANES × LANES elements: log2(LANES) perfect shuffles of the rows. */
INLINE void NAME(transpose)(vec x[]) {
#pragma GCC unroll 4
    for (int64_t round = 1; round < LANES; round *= 2) {
        vec y[LANES];
#pragma GCC unroll 8
        for (int64_t i = 0; i < LANES / 2; i++) {
            y[2 * i] = ZIP_LOW(x[i], x[i + LANES / 2]);
            y[2 * i + 1] = ZIP_HIGH(x[i], x[i + LANES / 2]);
        }
#pragma GCC unroll 16
        for (int64_t i = 0; i < LANES; i++) x[i] = y[i];
    }
}

/* The larger of x and y lane by lane: y where x is NaN. */
INLINE vec NAME(larger)(vec x, vec y) {
    real z[LANES];
#pragma omp simd
    for (int64_t q = 0; q < LANES; q++) z[q] = x[q] > y[q] ? x[q] : y[q];
    return LOAD(z);
}
