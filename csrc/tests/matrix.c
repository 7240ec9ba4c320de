/* Matrix products, sums and extremes over axes, gathering and scattering of rows. */
#include "harness.h"

/* m, n, k, whether A and B are transposed (2: every second element of rows and columns, 3: in reverse), batch, whether B is
 * the same in all, accumulate, bias (2: one for each of the batch); 1 for an activation, 2 for a mask, 3 for neither and no sums of rows */
static const int64_t PRODUCTS[][10] = {
    {0, 3, 2, 0, 0, 1, 0, 0, 0, 0},     {3, 0, 2, 0, 0, 1, 0, 0, 0, 0},      {2, 3, 0, 0, 0, 1, 0, 1, 1, 0},
    {1, 1, 1, 0, 0, 1, 0, 0, 0, 0},     {5, 7, 3, 0, 1, 1, 0, 0, 1, 1},      {14, 32, 16, 1, 0, 1, 0, 1, 0, 0},
    {15, 33, 17, 1, 1, 1, 0, 0, 1, 0},  {13, 31, 300, 0, 0, 1, 0, 1, 1, 1},  {64, 200, 5, 0, 1, 1, 0, 0, 1, 0},
    {257, 65, 257, 1, 0, 1, 0, 0, 0, 0}, {40, 300, 30, 0, 0, 1, 0, 0, 1, 1}, {300, 40, 30, 1, 1, 1, 0, 1, 0, 0},
    {4, 6, 5, 0, 1, 3, 0, 0, 0, 0},     {17, 33, 9, 1, 0, 5, 1, 0, 0, 0},    {1, 129, 64, 0, 1, 1, 0, 0, 1, 0},
    {129, 1, 64, 0, 0, 1, 0, 0, 0, 0},
    /* columns as dot products: one, several, with all that follows the sum in a tile, more than one block of k, batched */
    {200, 1, 100, 0, 1, 1, 0, 0, 1, 0}, {13, 3, 130, 0, 1, 1, 0, 1, 1, 1},   {1, 2, 1100, 0, 1, 1, 0, 0, 1, 1},
    {33, 34, 257, 0, 1, 1, 0, 1, 0, 2}, {7, 2, 129, 0, 1, 3, 1, 0, 0, 0},   {9, 3, 2050, 0, 1, 2, 0, 0, 0, 2},
    {20, 40, 30, 0, 1, 3, 0, 0, 2, 1},   {7, 9, 33, 1, 0, 10, 1, 0, 2, 0},
    {200, 100, 10, 0, 0, 1, 0, 0, 0, 2}, {15, 37, 1, 0, 0, 2, 0, 0, 1, 2},
    /* the transposed product: few columns, A transposed */
    {100, 10, 200, 1, 0, 1, 0, 0, 0, 0}, {64, 4, 32, 1, 0, 1, 0, 1, 0, 0},   {31, 1, 16, 1, 0, 1, 0, 0, 0, 0},
    {257, 20, 64, 1, 1, 1, 0, 1, 0, 0},  {100, 10, 200, 1, 0, 1, 0, 1, 0, 3},
    {20, 3, 2050, 1, 0, 1, 0, 0, 0, 0},
    /* not the transposed product: an activation, too large a product; sums of rows over more than one block of k */
    {20, 15, 30, 0, 0, 1, 0, 0, 0, 1},   {700, 400, 16, 1, 0, 1, 0, 0, 0, 0}, {40, 64, 2050, 1, 0, 1, 0, 0, 0, 0},
    /* any strides */
    {15, 35, 20, 2, 2, 1, 0, 0, 1, 0},   {70, 33, 19, 3, 3, 1, 0, 1, 0, 1},  {9, 10, 33, 2, 3, 2, 0, 0, 0, 0},
    {300, 40, 30, 3, 2, 1, 0, 0, 1, 0},  {20, 1100, 9, 2, 2, 1, 0, 0, 0, 0},
    /* A packed: rows pages apart, many columns; columns in more than one group */
    {20, 70, 1024, 0, 0, 1, 0, 0, 1, 0}, {18, 1100, 9, 0, 1, 1, 0, 0, 1, 1}, {30, 420, 160, 1, 0, 1, 0, 1, 0, 0},
    /* rows of a large A, not packed, asked for early; columns in more than one group */
    {66, 140, 516, 0, 0, 1, 0, 0, 0, 0},
};
/* Strides of a rows × cols matrix, and of a batch of them. */
typedef struct {
    const void *p;
    int64_t row, col, batch;
} strided;
static strided matrices(int64_t batch, int64_t rows, int64_t cols, int64_t kind) {
    const int64_t n = rows * cols, apart = kind == 2 ? 4 * n : n, bytes = precision == CG_FLOAT32 ? 4 : 8;
    const char *p = numbers(batch * apart, -1, 1);
    if (kind == 2) return (strided){p, 4 * cols, 2, apart};
    if (kind == 3) return (strided){p + (n ? n - 1 : 0) * bytes, -cols, -1, apart};
    return (strided){p, kind ? 1 : cols, kind ? rows : 1, apart};
}
static int gemm_build(void *args, int variant) {
    if (variant >= COUNT(PRODUCTS)) return 0;
    const int64_t *s = PRODUCTS[variant], m = s[0], n = s[1], k = s[2], batch = s[5], mask = s[9] == 2, each_bias = s[8] == 2;
    const strided a = matrices(batch, m, k, s[3]), b = matrices(s[6] ? 1 : batch, k, n, s[4]);
    *(cg_gemm_args *)args = (cg_gemm_args){
        output_from(batch * m * n, -1, 1), s[3] == 1 && s[9] != 3 ? output(batch * m) : NULL, a.p, b.p,
        s[8] ? numbers(each_bias ? batch * n : n, -1, 1) : NULL, mask ? numbers(batch * m * n, -1, 1) : NULL, m, n, k, n, a.row, a.col, b.row, b.col,
        batch, m * n, a.batch, s[6] ? 0 : b.batch, each_bias ? n : 0, s[7], s[9] == 1};
    return 1;
}
static void gemm_twin(const void *args) {
    const cg_gemm_args *a = args;
    for (int64_t b = 0; b < a->batch; b++)
        for (int64_t i = 0; i < a->m; i++)
            for (int64_t j = 0; j < a->n; j++) {
                const int64_t at = b * a->c_batch + i * a->ldc + j;
                double sum = (a->accumulate ? get(a->c, at) : 0) + (a->bias ? get(a->bias, b * a->bias_batch + j) : 0);
                for (int64_t p = 0; p < a->k; p++)
                    sum += get(a->a, b * a->a_batch + i * a->a_row + p * a->a_col) *
                           get(a->b, b * a->b_batch + p * a->b_row + j * a->b_col);
                put(a->c, at, (a->activation && sum < 0) || (a->mask && get(a->mask, at) <= 0) ? 0 : sum);
            }
    for (int64_t row = 0; a->row_sums && a->n && row < a->batch * a->m; row++) {
        const int64_t b = row / a->m, i = row % a->m;
        double sum = 0;
        for (int64_t p = 0; p < a->k; p++) sum += get(a->a, b * a->a_batch + i + p * a->a_col);
        put(a->row_sums, row, sum);
    }
}

/* outer, count, inner */
static const int64_t MIDDLES[][3] = {{0, 3, 1}, {1, 1, 1}, {1, 4097, 1}, {5, 63, 1}, {300, 65, 1}, {3, 129, 7},
                                     {2, 70, 300}, {1, 500, 65}, {9, 1, 1}, {4, 3, 257}};
static void *with_nan(int64_t n) {
    void *p = numbers(n, -1, 1);
    for (int64_t i = 5; i < n; i += 1009) put(p, i, NAN);
    return p;
}
#define REDUCTION(name, start, step, scaled)                                                                 \
    static int name##_build(void *args, int variant) {                                                       \
        if (variant >= 2 * COUNT(MIDDLES)) return 0;                                                         \
        const int64_t *s = MIDDLES[variant / 2], n = s[0] * s[1] * s[2];                                     \
        *(cg_##name##_args *)args = (cg_##name##_args){                                                      \
            .y = output(s[0] * s[2]), .x = variant % 2 ? with_nan(n) : numbers(n, -1, 1),           \
            .outer = s[0], .count = s[1], .inner = s[2]};                                                                                 \
        scaled;                                                                                              \
        return 1;                                                                                            \
    }                                                                                                        \
    static void name##_twin(const void *args) {                                                              \
        const cg_##name##_args *a = args;                                                                    \
        for (int64_t o = 0; o < a->outer; o++)                                                               \
            for (int64_t i = 0; i < a->inner; i++) {                                                         \
                double y = start;                                                                            \
                for (int64_t c = 0; c < a->count; c++) {                                                     \
                    const double v = get(a->x, (o * a->count + c) * a->inner + i);                           \
                    step;                                                                                    \
                }                                                                                            \
                put(a->y, o * a->inner + i, y);                                                              \
            }                                                                                                \
    }
REDUCTION(sum, 0, y += v * a->scale, ((cg_sum_args *)args)->scale = 0.25)
REDUCTION(max, -INFINITY, y = v > y || v != v ? v : y, (void)0)
REDUCTION(min, INFINITY, y = v < y || v != v ? v : y, (void)0)

static int sum_blocks_build(void *args, int variant) {
    if (variant >= COUNT(SIZES)) return 0;
    const int64_t n = SIZES[variant];
    *(cg_sum_blocks_args *)args = (cg_sum_blocks_args){output((n + CG_BLOCK - 1) / CG_BLOCK), numbers(n, 0, 1), n};
    return 1;
}
static void sum_blocks_twin(const void *args) {
    const cg_sum_blocks_args *a = args;
    double sum = 0;
    for (int64_t i = 0; i < a->n; i++) {
        sum = i % CG_BLOCK ? sum + get(a->x, i) : get(a->x, i);
        put(a->partial, i / CG_BLOCK, sum);
    }
}

/* count, rows, cols */
static const int64_t TABLES[][3] = {{0, 3, 4}, {1, 1, 1}, {7, 3, 5}, {50, 9, 65}, {300, 17, 200}};
static int gather_rows_build(void *args, int variant) {
    if (variant >= COUNT(TABLES)) return 0;
    const int64_t *s = TABLES[variant], bytes = precision == CG_FLOAT32 ? 4 : 8;
    *(cg_gather_rows_args *)args = (cg_gather_rows_args){output(s[0] * s[2]), numbers(s[1] * s[2], -1, 1),
                                                         integers(s[0], 0, s[1]), s[0], s[2] * bytes};
    return 1;
}
static void gather_rows_twin(const void *args) {
    const cg_gather_rows_args *a = args;
    for (int64_t i = 0; i < a->count; i++)
        for (int64_t j = 0; j < a->row_bytes; j++)
            ((char *)a->y)[i * a->row_bytes + j] = ((const char *)a->x)[a->index[i] * a->row_bytes + j];
}
static int scatter_rows_build(void *args, int variant) {
    if (variant >= 2 * COUNT(TABLES)) return 0;
    const int64_t *s = TABLES[variant / 2];
    *(cg_scatter_rows_args *)args = (cg_scatter_rows_args){output(s[1] * s[2]), numbers(s[0] * s[2], -1, 1),
                                                           integers(s[0], 0, s[1]), s[0], s[1], s[2], variant % 2 - 1};
    return 1;
}
static void scatter_rows_twin(const void *args) {
    const cg_scatter_rows_args *a = args;
    for (int64_t i = 0; i < a->rows * a->cols; i++) put(a->dx, i, 0);
    for (int64_t i = 0; i < a->count; i++)
        for (int64_t j = 0; a->index[i] != a->padding && j < a->cols; j++) {
            const int64_t at = a->index[i] * a->cols + j;
            put(a->dx, at, get(a->dx, at) + get(a->dy, i * a->cols + j));
        }
}

static const test tests[] = {
    {CG_gemm, gemm_build, gemm_twin, 32},
    {CG_sum, sum_build, sum_twin, 32}, {CG_max, max_build, max_twin, 0}, {CG_min, min_build, min_twin, 0},
    {CG_sum_blocks, sum_blocks_build, sum_blocks_twin, 16},
    {CG_gather_rows, gather_rows_build, gather_rows_twin, 0},
    {CG_scatter_rows, scatter_rows_build, scatter_rows_twin, 32},
};
TESTS(matrix_tests, tests);
