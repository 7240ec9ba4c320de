/* Every kernel of kernels.def against its plain twin: at every CPU level that this machine has, in both precisions, at sizes
 * around what the kernels cut by, and with 1, 2, 3 and 7 shares, whose bits must agree. Arrays have exactly the bytes that
 * they need, so that AddressSanitizer sees a step too far. */
#ifndef CYGRAD_TESTS_HARNESS_H
#define CYGRAD_TESTS_HARNESS_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../kernels.h"

/* The precision under test: CG_FLOAT32 or CG_FLOAT64. */
extern int precision;

/* Element i of an array of that precision, as a double. */
static inline double get(const void *p, int64_t i) {
    return precision == CG_FLOAT32 ? ((const float *)p)[i] : ((const double *)p)[i];
}
static inline void put(void *p, int64_t i, double v) {
    if (precision == CG_FLOAT32) ((float *)p)[i] = (float)v;
    else ((double *)p)[i] = v;
}

/* Arrays of one call, freed after it: numbers in [low, high], class numbers below `limit`, lists of arrays. An output is set
 * back to what it held at first before every run, and compared after it. */
void *numbers(int64_t n, double low, double high);
void *rare_numbers(int64_t n); /* NaN, infinities, zeros, subnormals, and the ends of what exp can do */
void *output(int64_t n);
void *output_from(int64_t n, double low, double high);
void put_first(void *output, int64_t i, double v); /* element i of what an output holds at first */
void *doubles_output(int64_t n);
uint8_t *bytes_output(int64_t n);
uint8_t *flags(int64_t n);
int64_t *integers_output(int64_t n);
int64_t *integers(int64_t n, int64_t low, int64_t limit);
int64_t *listed(int64_t n, const int64_t *values);
void **list(int64_t n, void *const *arrays);
double uniform(double low, double high);
void philox(uint64_t seed, uint64_t counter, uint32_t x[4]); /* Philox 4×32-10 for one counter, word by word */

/* A test: `build` fills the argument block for variant 0, 1, …, and returns 0 when there is no such variant; `twin` does what
 * the kernel does, plainly. Results may differ by `tolerance` float32 roundings of their largest number. */
typedef struct {
    int kernel;
    int (*build)(void *args, int variant);
    void (*twin)(const void *args);
    double tolerance;
} test;

/* The tests of one file. */
typedef struct {
    const test *tests;
    int count;
} test_list;

extern const test_list elementwise_tests, matrix_tests, conv_tests, row_tests, norm_tests, many_tests, image_tests, recurrent_tests, token_tests, pool_tests,
    head_tests;

void test_services(void); /* services.c, after all kernels, before there are many workers */

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))
#define TESTS(name, array) const test_list name = {array, COUNT(array)}

/* Sizes around registers of 4 to 16 lanes and blocks. */
static const int64_t SIZES[] = {0, 1, 3, 4, 5, 15, 16, 17, 31, 33, 63, 65, CG_BLOCK - 1, CG_BLOCK, CG_BLOCK + 1, 9001};

#endif
