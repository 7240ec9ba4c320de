/* Matrix products. C is cut into tiles of GEMM_ROWS × GEMM_COLS numbers, which a loop over k sums in registers;
 * operands are read from packed panels that stay in the caches, or in place where packing would not pay.
 * Structure: Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008. */

#ifndef CYGRAD_GEMM_H
#define CYGRAD_GEMM_H

/* Rows of a tile, two vectors wide: the sums, two vectors of B and one number of A fill the registers. */
#if defined(__AVX512F__)
#define GEMM_ROWS 14
#elif defined(__aarch64__)
#define GEMM_ROWS 12
#elif defined(__AVX__)
#define GEMM_ROWS 6
#else
#define GEMM_ROWS 4
#endif

#define GEMM_EACH_ROWS(X) X(1) X(2) X(3) X(4) GEMM_EACH_ROWS_6(X) GEMM_EACH_ROWS_12(X) GEMM_EACH_ROWS_14(X)
#if GEMM_ROWS >= 6
#define GEMM_EACH_ROWS_6(X) X(5) X(6)
#else
#define GEMM_EACH_ROWS_6(X)
#endif
#if GEMM_ROWS >= 12
#define GEMM_EACH_ROWS_12(X) X(7) X(8) X(9) X(10) X(11) X(12)
#else
#define GEMM_EACH_ROWS_12(X)
#endif
#if GEMM_ROWS >= 14
#define GEMM_EACH_ROWS_14(X) X(13) X(14)
#else
#define GEMM_EACH_ROWS_14(X)
#endif

/* Numbers of k in a block, at most; bytes of a packed block of A (half of a second-level cache) and of B. */
enum { GEMM_K = 1024, GEMM_A_BYTES = 512 << 10, GEMM_B_BYTES = 2 << 20 };

/* A tile asks for its part of C before it sums, where the sums take longer than memory. */
enum { GEMM_PREFETCH_K = 128 };

enum { GEMM_LINEAR, GEMM_RELU }; /* the argument `activation` */

#endif

#define GEMM_COLS (2 * LANES)

/* A matrix somewhere in memory: element (i, j) is p[i·row + j·col]. */
typedef struct { const real *p; int64_t row, col; } NAME(gemm_view);
#define gemm_view NAME(gemm_view)

static inline gemm_view NAME(gemm_part)(gemm_view x, int64_t i, int64_t j) {
    return (gemm_view){x.p + i * x.row + j * x.col, x.row, x.col};
}
#define gemm_part NAME(gemm_part)

/* Where a tile goes: C = sum (+ C) (+ bias), then the activation. */
typedef struct { real *c; int64_t ldc; const real *bias; int accumulate, relu; } NAME(gemm_target);
#define gemm_target NAME(gemm_target)

/* One tile of `rows` × `vecs`·LANES, sums in registers. Rows of B are contiguous. */
static inline __attribute__((always_inline)) void
NAME(gemm_tile)(int rows, int vecs, int64_t k, gemm_view a, gemm_view b, gemm_target to) {
    vec sum[GEMM_ROWS][2];
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
        for (int j = 0; j < vecs; j++) {
            if (k >= GEMM_PREFETCH_K) __builtin_prefetch(to.c + i * to.ldc + j * LANES, 1);
            sum[i][j] = (vec){0};
        }
    const real *a_p = a.p, *b_p = b.p;
    for (int64_t p = 0; p < k; p++, a_p += a.col, b_p += b.row) {
        vec b_row[2];
#pragma GCC unroll 2
        for (int j = 0; j < vecs; j++) b_row[j] = *(const vec *)(b_p + j * LANES);
#pragma GCC unroll 16
        for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
            for (int j = 0; j < vecs; j++) sum[i][j] += a_p[i * a.row] * b_row[j];
    }
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
        for (int j = 0; j < vecs; j++) {
            vec *c = (vec *)(to.c + i * to.ldc + j * LANES), y = sum[i][j];
            if (to.accumulate) y += *c;
            if (to.bias) y += *(const vec *)(to.bias + j * LANES);
            if (to.relu) y = (vec)((ivec)y & ~(ivec)(y < 0));
            *c = y;
        }
}

static void NAME(gemm_full_tile)(int64_t rows, int64_t vecs, int64_t k, gemm_view a, gemm_view b, gemm_target to) {
    switch (rows * 2 + vecs) {
#define GEMM_CASE(r)                                                  \
    case r * 2 + 1: NAME(gemm_tile)(r, 1, k, a, b, to); break;        \
    case r * 2 + 2: NAME(gemm_tile)(r, 2, k, a, b, to); break;
    GEMM_EACH_ROWS(GEMM_CASE)
#undef GEMM_CASE
    }
}

/* A tile of which only `cols` columns exist in C (and bias): it is made in a full one. */
static void NAME(gemm_edge_tile)(int64_t rows, int64_t cols, int64_t k, gemm_view a, gemm_view b, gemm_target to) {
    real tile[GEMM_ROWS * GEMM_COLS], bias[GEMM_COLS];
    int64_t vecs = cg_ceil_div(cols, LANES), width = vecs * LANES;
    for (int64_t i = 0; to.accumulate && i < rows; i++)
        for (int64_t j = 0; j < width; j++) tile[i * width + j] = j < cols ? to.c[i * to.ldc + j] : 0;
    for (int64_t j = 0; to.bias && j < width; j++) bias[j] = j < cols ? to.bias[j] : 0;
    gemm_target full = {tile, width, to.bias ? bias : 0, to.accumulate, to.relu};
    NAME(gemm_full_tile)(rows, vecs, k, a, b, full);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++) to.c[i * to.ldc + j] = tile[i * width + j];
}

/* Transposes LANES × LANES numbers: log2(LANES) perfect shuffles of the rows. */
static inline __attribute__((always_inline)) void NAME(transpose)(vec x[]) {
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

/* to[p·width + i] = from[i·stride + p] for p < k, i < count ≤ LANES; up to LANES numbers after i = count are
 * overwritten with anything, which is why the last strip of a panel, the only one that is not full, is filled first. */
static void NAME(gemm_pack_transposed)(real *to, int64_t width, const real *from, int64_t stride, int64_t count, int64_t k) {
    int64_t p = 0;
    for (; p + LANES <= k; p += LANES) {
        vec x[LANES];
#pragma GCC unroll 16
        for (int64_t i = 0; i < LANES; i++) x[i] = i < count ? *(const vec *)(from + i * stride + p) : (vec){0};
        NAME(transpose)(x);
#pragma GCC unroll 16
        for (int64_t i = 0; i < LANES; i++) *(vec *)(to + (p + i) * width) = x[i];
    }
    for (; p < k; p++)
        for (int64_t i = 0; i < count; i++) to[p * width + i] = from[i * stride + p];
}

/* Packs x (k × count numbers, count ≤ width) into rows of `width`, the rest of each row zero. */
static void NAME(gemm_pack)(real *to, int64_t width, gemm_view x, int64_t count, int64_t k) {
    if (x.row == 1 && x.col != 1) {
        for (int64_t i = (count - 1) / LANES * LANES; i >= 0; i -= LANES)
            NAME(gemm_pack_transposed)(to + i, width, x.p + i * x.col, x.col, cg_min(LANES, count - i), k);
        for (int64_t p = 0; count < width && p < k; p++)
            for (int64_t i = count; i < width; i++) to[p * width + i] = 0;
        return;
    }
    for (int64_t p = 0; p < k; p++) {
        for (int64_t i = 0; i < count; i++) to[p * width + i] = x.p[p * x.row + i * x.col];
        for (int64_t i = count; i < width; i++) to[p * width + i] = 0;
    }
}

typedef struct { int64_t begin, end, step; } NAME(gemm_span);
#define gemm_span NAME(gemm_span)

/* The tiles of one block of C, of A (i rows × k) and of B (k × j columns), packed or in place. */
static void NAME(gemm_block)(gemm_span i, gemm_span j, int64_t k, gemm_view a, int a_packed, gemm_view b,
                             const real *b_packed, gemm_target to) {
    for (int64_t col = j.begin; col < j.end; col += j.step) {
        int64_t cols = cg_min(j.step, j.end - col);
        int64_t width = cg_ceil_div(cols, LANES) * LANES;
        gemm_view b_tile = b_packed ? (gemm_view){b_packed + (col - j.begin) * k, width, 1}
                                    : gemm_part(b, 0, col - j.begin);
        for (int64_t row = i.begin; row < i.end; row += i.step) {
            int64_t rows = cg_min(i.step, i.end - row);
            gemm_view a_tile = a_packed ? (gemm_view){a.p + (row - i.begin) * k, 1, rows}
                                        : gemm_part(a, row - i.begin, 0);
            gemm_target tile = to;
            tile.c += row * to.ldc + col;
            if (to.bias) tile.bias += col;
            if (cols == width) NAME(gemm_full_tile)(rows, width / LANES, k, a_tile, b_tile, tile);
            else NAME(gemm_edge_tile)(rows, cols, k, a_tile, b_tile, tile);
        }
    }
}

/* sums[i] = Σ of k numbers of row i of A (+ sums[i]), of a block that is packed or read next; a.row = 1 */
static void NAME(gemm_sum_rows)(real *sums, gemm_view a, int64_t rows, int64_t k, int accumulate) {
    enum { WIDTH = 64 };
    for (int64_t i = 0; i < rows; i += WIDTH) {
        const int64_t n = cg_min(WIDTH, rows - i);
        real part[WIDTH];
        NAME(sum_columns)(part, a.p + i, k, a.col, n, 1);
        for (int64_t q = 0; q < n; q++) sums[i + q] = part[q] + (accumulate ? sums[i + q] : 0);
    }
}

/* Rows i and columns j of one product: blocks of B, within them of k, within them of A. */
static void NAME(gemm_region)(const cg_gemm_args *g, gemm_view a, gemm_view b, real *c, gemm_span i, gemm_span j,
                              void *scratch) {
    real *a_panels = scratch, *b_panels = a_panels + (GEMM_A_BYTES + 1024) / sizeof(real);
    int64_t k_blocks = cg_max(1, cg_ceil_div(g->k, GEMM_K)), k_step = cg_max(1, cg_ceil_div(g->k, k_blocks));
    int64_t i_step = GEMM_A_BYTES / (k_step * (int64_t)sizeof(real)) / i.step * i.step;
    int64_t j_step = GEMM_B_BYTES / (k_step * (int64_t)sizeof(real)) / j.step * j.step;
    int pack_a = j.end - j.begin > 4 * GEMM_COLS;
    int pack_b = b.col != 1 || i.end - i.begin > 4 * GEMM_ROWS;
    for (int64_t col = j.begin; col < j.end; col += j_step)
        for (int64_t p = 0; p == 0 || p < g->k; p += k_step) {
            gemm_span cols = {col, cg_min(col + j_step, j.end), j.step};
            int64_t k = cg_min(k_step, g->k - p);
            int last = p + k == g->k;
            gemm_target to = {c, g->ldc, last ? g->bias : 0, p > 0 || g->accumulate,
                              last && g->activation == GEMM_RELU};
            for (int64_t q = cols.begin; q < cols.end; q += j.step) {
                int64_t count = cg_min(j.step, cols.end - q), width = cg_ceil_div(count, LANES) * LANES;
                if (pack_b || count < width)
                    NAME(gemm_pack)(b_panels + (q - col) * k, width, gemm_part(b, p, q), count, k);
            }
            for (int64_t row = i.begin; row < i.end; row += i_step) {
                gemm_span rows = {row, cg_min(row + i_step, i.end), i.step};
                gemm_view a_block = gemm_part(a, row, p);
                if (g->row_sums && col == 0)
                    NAME(gemm_sum_rows)((real *)g->row_sums + row, a_block, rows.end - row, k, p > 0);
                for (int64_t q = row; pack_a && q < rows.end; q += i.step) {
                    gemm_view x = gemm_part(a, q, p);
                    int64_t count = cg_min(i.step, rows.end - q);
                    NAME(gemm_pack)(a_panels + (q - row) * k, count, (gemm_view){x.p, x.col, x.row}, count, k);
                }
                if (pack_a) a_block.p = a_panels;
                int64_t whole = (cols.end - cols.begin) / LANES * LANES + cols.begin;
                if (pack_b || whole == cols.end) {
                    NAME(gemm_block)(rows, cols, k, a_block, pack_a, gemm_part(b, p, col), pack_b ? b_panels : 0, to);
                    continue;
                }
                int64_t edge = (cols.end - cols.begin) / j.step * j.step + cols.begin;
                gemm_span inner = {cols.begin, edge, j.step}, outer = {edge, cols.end, j.step};
                NAME(gemm_block)(rows, inner, k, a_block, pack_a, gemm_part(b, p, col), 0, to);
                NAME(gemm_block)(rows, outer, k, a_block, pack_a, b, b_panels + (edge - col) * k, to);
            }
        }
}

/* C[m, n] = A[m, k]·B[k, n] (+ C) (+ bias[n]), then the activation; `batch` such products, `…_batch` apart.
 * Strides of A and B are in elements, of any sign or zero; rows of C are contiguous, ldc apart. row_sums[m] = Σ A over
 * k, unless it is NULL: then a_row and batch are 1. */
KERNEL_BODY(gemm) {
    if (a->m == 0 || a->n == 0) return;
    int64_t row_tiles = cg_ceil_div(a->m, GEMM_ROWS), col_tiles = cg_ceil_div(a->n, GEMM_COLS);
    int64_t row_step = cg_ceil_div(a->m, row_tiles), col_step = GEMM_COLS;
    int by_rows = row_tiles >= col_tiles;
    int64_t tiles = by_rows ? row_tiles : col_tiles;
    cg_range r = cg_part(a->batch * tiles, 1, share);
    while (r.begin < r.end) {
        int64_t batch = r.begin / tiles, first = r.begin % tiles, last = cg_min(tiles, first + r.end - r.begin);
        gemm_span i = {0, a->m, row_step}, j = {0, a->n, col_step};
        if (by_rows) i.begin = first * row_step, i.end = cg_min(last * row_step, a->m);
        else j.begin = first * col_step, j.end = cg_min(last * col_step, a->n);
        gemm_view x = {(const real *)a->a + batch * a->a_batch, a->a_row, a->a_col};
        gemm_view y = {(const real *)a->b + batch * a->b_batch, a->b_row, a->b_col};
        NAME(gemm_region)(a, x, y, (real *)a->c + batch * a->c_batch, i, j, share.scratch);
        r.begin += last - first;
    }
}

#undef GEMM_COLS
#undef gemm_view
#undef gemm_part
#undef gemm_target
#undef gemm_span
