/* Pooling. */
#include "harness.h"

#include <string.h>

/* Windows of an axis: size, kernel (0: adaptive), stride, padding, dilation, outputs */
typedef struct { int64_t n, kernel, stride, padding, dilation, out; } axis;
typedef struct { int64_t planes; axis rows, cols; } pooled;
static const pooled CASES[] = {
    {3, {6, 2, 2, 0, 1, 3}, {8, 2, 2, 0, 1, 4}}, {2, {7, 2, 2, 0, 1, 3}, {35, 2, 2, 0, 1, 17}},
    {2, {28, 2, 2, 0, 1, 14}, {28, 2, 2, 0, 1, 14}}, {5, {9, 3, 2, 1, 1, 5}, {37, 3, 2, 1, 1, 19}},
    {3, {11, 3, 1, 1, 1, 11}, {17, 3, 1, 1, 1, 17}}, {2, {7, 2, 2, 0, 1, 4}, {9, 2, 2, 0, 1, 5}},
    {2, {10, 3, 2, 1, 2, 4}, {37, 3, 2, 2, 2, 19}}, {2, {8, 5, 3, 2, 1, 3}, {40, 5, 3, 2, 1, 14}},
    {3, {1, 1, 1, 0, 1, 1}, {168, 3, 1, 1, 1, 168}}, {3, {7, 0, 1, 0, 1, 3}, {13, 0, 1, 0, 1, 5}},
    {300, {8, 8, 8, 0, 1, 1}, {8, 8, 8, 0, 1, 1}}, {2, {4, 0, 1, 0, 1, 7}, {5, 0, 1, 0, 1, 9}},
    {0, {4, 2, 2, 0, 1, 2}, {4, 2, 2, 0, 1, 2}}, {2, {1, 2, 1, 1, 2, 1}, {1, 2, 1, 1, 2, 1}},
    {2, {5, 1, 2, 0, 1, 3}, {39, 1, 2, 0, 1, 20}}, {1, {3, 2, 1, 0, 1, 2}, {600000, 600000, 1, 0, 1, 1}},
    {1, {3, 2, 1, 0, 1, 2}, {1100000, 2, 550000, 0, 1, 2}}, {1, {3, 2, 1, 0, 1, 0}, {4, 2, 1, 0, 1, 0}},
    /* pairs with padding, apart, along one axis; columns that are empty, or all in the padding; a part of each axis; no rows */
    {2, {5, 2, 2, 1, 1, 3}, {9, 2, 2, 1, 1, 5}}, {2, {6, 2, 2, 0, 2, 2}, {9, 2, 2, 0, 2, 4}}, {3, {6, 2, 2, 0, 1, 3}, {8, 2, 2, 1, 1, 5}},
    {2, {4, 2, 1, 0, 1, 3}, {1, 2, 1, 0, 1, 0}}, {3, {4, 2, 1, 0, 1, 3}, {1, 2, 1, 1, 2, 1}}, {3, {3, 3, 3, 0, 1, 1}, {5, 2, 4, 0, 1, 1}},
    {2, {0, 2, 1, 1, 1, 1}, {3, 2, 1, 0, 1, 2}},
};

static int64_t begin_of(axis x, int64_t i) { return x.kernel ? i * x.stride - x.padding : i * x.n / x.out; }
static int64_t taps_of(axis x, int64_t i) { return x.kernel ? x.kernel : ((i + 1) * x.n + x.out - 1) / x.out - begin_of(x, i); }
static int64_t count_of(axis x, int64_t i, int padded) {
    int64_t count = 0;
    for (int64_t k = 0; k < taps_of(x, i); k++) {
        const int64_t p = begin_of(x, i) + k * x.dilation;
        count += padded && x.kernel ? p < x.n + x.padding : p >= 0 && p < x.n;
    }
    return count;
}
#define ROWS_OF(a) ((axis){(a)->height, (a)->row_kernel, (a)->row_stride, (a)->row_padding, (a)->row_dilation, (a)->out_height})
#define COLS_OF(a) ((axis){(a)->width, (a)->col_kernel, (a)->col_stride, (a)->col_padding, (a)->col_dilation, (a)->out_width})
/* for (position k of the plane in window i, j) */
#define IN_WINDOW(k, rows, cols, i, j)                                                                      \
    for (int64_t r_ = 0; r_ < taps_of(rows, i); r_++)                                                       \
        for (int64_t c_ = 0, p_ = begin_of(rows, i) + r_ * rows.dilation; c_ < taps_of(cols, j); c_++)      \
            for (int64_t q_ = begin_of(cols, j) + c_ * cols.dilation,                                       \
                         k = p_ < 0 || p_ >= rows.n || q_ < 0 || q_ >= cols.n ? -1 : p_ * cols.n + q_;      \
                 k >= 0; k = -1)

static int64_t index_at(const void *index, int64_t i) {
    return precision == CG_FLOAT32 ? ((const int32_t *)index)[i] : ((const int64_t *)index)[i];
}
static void put_index(void *index, int64_t i, int64_t v) {
    if (precision == CG_FLOAT32) ((int32_t *)index)[i] = (int32_t)v;
    else ((int64_t *)index)[i] = v;
}
static int64_t width_of_index(void) { return precision == CG_FLOAT32 ? 4 : 8; }

static int max_pool_build(void *args, int variant) {
    if (variant >= 2 * COUNT(CASES)) return 0;
    const pooled *p = CASES + variant / 2;
    const axis r = p->rows, c = p->cols;
    const int64_t n = p->planes * r.n * c.n, out = p->planes * r.out * c.out;
    *(cg_max_pool_args *)args = (cg_max_pool_args){
        output(out), bytes_output(out * width_of_index()), variant % 2 && n < 100000 ? rare_numbers(n) : numbers(n, -1, 1),
        p->planes, r.n, c.n, r.out, c.out, r.kernel, r.stride, r.padding, r.dilation, c.kernel, c.stride, c.padding, c.dilation};
    return 1;
}
static void max_pool_twin(const void *args) {
    const cg_max_pool_args *a = args;
    const axis rows = ROWS_OF(a), cols = COLS_OF(a);
    for (int64_t plane = 0, at = 0; plane < a->planes; plane++)
        for (int64_t i = 0; i < rows.out; i++)
            for (int64_t j = 0; j < cols.out; j++, at++) {
                double best = -INFINITY;
                int64_t where = -1;
                IN_WINDOW(k, rows, cols, i, j) {
                    const double v = get(a->x, plane * rows.n * cols.n + k);
                    if (where < 0 || v > best || isnan(v)) {
                        where = k;
                        best = v;
                    }
                }
                put(a->y, at, best), put_index(a->index, at, where);
            }
}

static int max_pool_backward_build(void *args, int variant) {
    if (variant >= COUNT(CASES)) return 0;
    const pooled *p = CASES + variant;
    const axis r = p->rows, c = p->cols;
    const int64_t size = r.n * c.n, out = r.out * c.out;
    const int pairs = r.kernel == 2 && r.stride == 2 && c.kernel == 2 && c.stride == 2 && 2 * r.out <= r.n && 2 * c.out <= c.n;
    void *index = flags(p->planes * out * width_of_index());
    for (int64_t k = 0; k < p->planes * out; k++) {
        const int64_t i = k % out / (c.out ? c.out : 1), j = k % (c.out ? c.out : 1);
        put_index(index, k, pairs ? (2 * i + (uniform(0, 1) < 0.5)) * c.n + 2 * j + (uniform(0, 1) < 0.5)
                                  : (int64_t)floor(uniform(-1, (double)size + 1)));
    }
    *(cg_max_pool_backward_args *)args = (cg_max_pool_backward_args){
        output(p->planes * size), numbers(p->planes * out, -1, 1), index, p->planes, r.n, c.n, r.out, c.out, pairs};
    return 1;
}
static void max_pool_backward_twin(const void *args) {
    const cg_max_pool_backward_args *a = args;
    const int64_t size = a->height * a->width, out = a->out_height * a->out_width;
    for (int64_t k = 0; k < a->planes * size; k++) put(a->dx, k, 0);
    for (int64_t k = 0; k < a->planes * out; k++) {
        const int64_t at = index_at(a->index, k), to = k / out * size + at;
        if (at >= 0 && at < size) put(a->dx, to, get(a->dx, to) + get(a->dy, k));
    }
}

static int avg_pool_build(void *args, int variant) {
    if (variant >= 3 * COUNT(CASES)) return 0;
    const pooled *p = CASES + variant / 3;
    const axis r = p->rows, c = p->cols;
    *(cg_avg_pool_args *)args = (cg_avg_pool_args){
        output(p->planes * r.out * c.out), numbers(p->planes * r.n * c.n, -1, 1), p->planes, r.n, c.n, r.out, c.out, r.kernel,
        r.stride, r.padding, 1, c.kernel, c.stride, c.padding, 1, variant % 3 == 1, variant % 3 == 2 ? 3 : 0};
    return 1;
}
static void avg_pool_twin(const void *args) {
    const cg_avg_pool_args *a = args;
    const axis rows = ROWS_OF(a), cols = COLS_OF(a);
    for (int64_t plane = 0, at = 0; plane < a->planes; plane++)
        for (int64_t i = 0; i < rows.out; i++)
            for (int64_t j = 0; j < cols.out; j++, at++) {
                const double count = (double)(count_of(rows, i, (int)a->padded) * count_of(cols, j, (int)a->padded));
                double sum = 0;
                IN_WINDOW(k, rows, cols, i, j) sum += get(a->x, plane * rows.n * cols.n + k);
                put(a->y, at, sum / (a->divisor != 0 ? a->divisor : count));
            }
}

static int avg_pool_backward_build(void *args, int variant) {
    if (variant >= 3 * COUNT(CASES)) return 0;
    const pooled *p = CASES + variant / 3;
    const axis r = p->rows, c = p->cols;
    *(cg_avg_pool_backward_args *)args = (cg_avg_pool_backward_args){
        output(p->planes * r.n * c.n), numbers(p->planes * r.out * c.out, -1, 1), p->planes, r.n, c.n, r.out, c.out, r.kernel,
        r.stride, r.padding, 1, c.kernel, c.stride, c.padding, 1, variant % 3 == 1, variant % 3 == 2 ? 3 : 0};
    return 1;
}
static void avg_pool_backward_twin(const void *args) {
    const cg_avg_pool_backward_args *a = args;
    const axis rows = ROWS_OF(a), cols = COLS_OF(a);
    for (int64_t k = 0; k < a->planes * rows.n * cols.n; k++) put(a->dx, k, 0);
    for (int64_t plane = 0, at = 0; plane < a->planes; plane++)
        for (int64_t i = 0; i < rows.out; i++)
            for (int64_t j = 0; j < cols.out; j++, at++) {
                const double count = (double)(count_of(rows, i, (int)a->padded) * count_of(cols, j, (int)a->padded));
                const double d = get(a->dy, at) / (a->divisor != 0 ? a->divisor : count);
                IN_WINDOW(k, rows, cols, i, j) {
                    const int64_t to = plane * rows.n * cols.n + k;
                    put(a->dx, to, get(a->dx, to) + d);
                }
            }
}

static const test tests[] = {
    {CG_max_pool, max_pool_build, max_pool_twin, 0},
    {CG_max_pool_backward, max_pool_backward_build, max_pool_backward_twin, 8},
    {CG_avg_pool, avg_pool_build, avg_pool_twin, 64},
    {CG_avg_pool_backward, avg_pool_backward_build, avg_pool_backward_twin, 64},
};
TESTS(pool_tests, tests);
