/* Matrix products. C is cut into tiles of GEMM_ROWS × GEMM_COLS elements, which a loop over k sums in registers; a strip is
 * the tiles of the same rows, one after the other, so that work they share is done once. B is read from packed panels that
 * stay in the caches, A in place; either the other way where that is faster. Columns too few to fill a vector are computed
 * as dot products (gemm_dots), or as the transpose of C (gemm_swapped).
 * Structure: Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008. */

#ifndef CYGRAD_GEMM_H
#define CYGRAD_GEMM_H

/* Rows of a tile, two vectors wide: the sums, two vectors of B and one element of A fill the registers. */
#if defined(__AVX512F__)
#define GEMM_ROWS 14
#elif defined(__aarch64__)
#define GEMM_ROWS 12
#elif defined(__AVX__)
#define GEMM_ROWS 6
#else
#define GEMM_ROWS 4
#endif

/* Storing a narrow tile is repeated for each number of rows if there are few, else one function for all. */
#if GEMM_ROWS <= 6
#define GEMM_NARROW INLINE
#define GEMM_UNROLL_NARROW _Pragma("GCC unroll 8")
#else
#define GEMM_NARROW static __attribute__((noinline))
#define GEMM_UNROLL_NARROW
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

/* The largest k of a block; bytes of a packed block of A (half of a second-level cache), of B, of the part of B that the
 * strips share, and of a transposed product. */
enum { GEMM_K = 1024, GEMM_A_BYTES = 512 << 10, GEMM_B_BYTES = 2 << 20, GEMM_GROUP_BYTES = 256 << 10,
       GEMM_SWAPPED_BYTES = 1 << 20 };

/* A tile prefetches its part of C before it sums, unless the sums are short; a strip, the next rows of a block of A of so
 * many elements that the first-level cache does not hold it. */
enum { GEMM_PREFETCH_K = 32, GEMM_PREFETCH_A = 32 << 10 };

enum { GEMM_LINEAR, GEMM_RELU }; /* the argument `activation` */

/* Each sum[i][j] of a tile of `rows` × `vecs` vectors, which are constants where it is used, so that registers hold the sums. */
#define GEMM_EACH_SUM(statement)       \
    _Pragma("GCC unroll 16")           \
    for (int i = 0; i < rows; i++)     \
        _Pragma("GCC unroll 2")        \
        for (int j = 0; j < vecs; j++) { statement; }

#endif

#define GEMM_COLS (2 * LANES)

/* A strided matrix: element (i, j) is p[i·row + j·col]. */
typedef struct { const real *p; int64_t row, col; } NAME(gemm_view);
#define gemm_view NAME(gemm_view)

static inline gemm_view NAME(gemm_part)(gemm_view x, int64_t i, int64_t j) {
    return (gemm_view){x.p + i * x.row + j * x.col, x.row, x.col};
}
#define gemm_part NAME(gemm_part)

/* The destination of a tile: C = sum (+ C) (+ bias), then the activation, then 0 where the mask is ≤ 0. */
typedef struct { real *c; int64_t ldc; const real *bias, *mask; int accumulate, relu; } NAME(gemm_target);
#define gemm_target NAME(gemm_target)

/* The same, starting at row i and column j. */
INLINE gemm_target NAME(gemm_target_at)(gemm_target to, int64_t i, int64_t j) {
    to.c += i * to.ldc + j;
    if (to.bias) to.bias += j;
    if (to.mask) to.mask += i * to.ldc + j;
    return to;
}

/* The columns of B for a strip: element j of row p of tile t is p[t·step + p·row + j]. The last vector of columns, if
 * partial, is at `edge`, padded. */
typedef struct { const real *p, *edge; int64_t step, row, edge_row; } NAME(gemm_columns);
#define gemm_columns NAME(gemm_columns)

/* Store the sums of a tile that is one vector wide, of which `lanes` elements are in C. */
GEMM_NARROW void NAME(gemm_store_narrow)(const vec *sum, int64_t rows, int64_t lanes, gemm_target to) {
    const int whole = lanes == LANES;
#define PART_OF(p) (whole ? LOAD(p) : NAME(load_part)(p, lanes, 0))
    GEMM_UNROLL_NARROW
    for (int64_t i = 0; i < rows; i++) {
        real *c = to.c + i * to.ldc;
        vec y = sum[i];
        if (to.accumulate) y += PART_OF(c);
        if (to.bias) y += PART_OF(to.bias);
        if (to.relu) y = (vec)((ivec)y & ~(ivec)(y < 0));
        if (to.mask) y = (vec)((ivec)y & ~(ivec)(PART_OF(to.mask + i * to.ldc) <= 0));
        if (whole) STORE(c, y);
        else NAME(store_part)(c, y, lanes);
    }
#undef PART_OF
}

/* One tile of `rows` × `vecs`·LANES, summed in registers; only `lanes` elements of the last vector are in C. */
INLINE void NAME(gemm_tile)(int rows, int vecs, int64_t lanes, int64_t k, gemm_view a, const real *b, int64_t b_row,
                            gemm_target to) {
    vec sum[GEMM_ROWS][2];
    if (k >= GEMM_PREFETCH_K) GEMM_EACH_SUM(__builtin_prefetch(to.c + i * to.ldc + j * LANES, 1, 2))
    GEMM_EACH_SUM(sum[i][j] = (vec){0})
    const real *a_p = a.p;
    for (int64_t p = 0; p < k; p++, a_p += a.col, b += b_row) {
        vec b_p[2];
#pragma GCC unroll 2
        for (int j = 0; j < vecs; j++) b_p[j] = LOAD(b + j * LANES);
        GEMM_EACH_SUM(sum[i][j] += a_p[i * a.row] * b_p[j])
    }
    if (vecs == 1) {
        vec narrow[GEMM_ROWS];
        GEMM_EACH_SUM(narrow[i] = sum[i][0])
        NAME(gemm_store_narrow)(narrow, rows, lanes, to);
        return;
    }
    if (to.accumulate) GEMM_EACH_SUM(sum[i][j] += LOAD(to.c + i * to.ldc + j * LANES))
    if (to.bias) GEMM_EACH_SUM(sum[i][j] += LOAD(to.bias + j * LANES))
    if (to.relu) GEMM_EACH_SUM(sum[i][j] = (vec)((ivec)sum[i][j] & ~(ivec)(sum[i][j] < 0)))
    if (to.mask) GEMM_EACH_SUM(sum[i][j] = (vec)((ivec)sum[i][j] & ~(ivec)(LOAD(to.mask + i * to.ldc + j * LANES) <= 0)))
    GEMM_EACH_SUM(STORE(to.c + i * to.ldc + j * LANES, sum[i][j]))
}

/* `rows` rows of C, tile by tile. */
INLINE void NAME(gemm_strip)(int rows, int64_t cols, int64_t k, gemm_view a, gemm_columns b, gemm_target to) {
    int64_t col = 0;
    for (; col + GEMM_COLS <= cols; col += GEMM_COLS, b.p += b.step) {
        NAME(gemm_tile)(rows, 2, LANES, k, a, b.p, b.row, to);
        to = NAME(gemm_target_at)(to, 0, GEMM_COLS);
    }
    for (; col < cols; col += LANES, b.p += LANES) {
        const int64_t lanes = cg_min(LANES, cols - col);
        const int whole = lanes == LANES;
        NAME(gemm_tile)(rows, 1, lanes, k, a, whole ? b.p : b.edge, whole ? b.row : b.edge_row, to);
        to = NAME(gemm_target_at)(to, 0, LANES);
    }
}

static void NAME(gemm_rows)(int64_t rows, int64_t cols, int64_t k, gemm_view a, gemm_columns b, gemm_target to) {
    switch (rows) { /* untested: no case for more rows, of which there are none */
#define GEMM_CASE(r) case r: NAME(gemm_strip)(r, cols, k, a, b, to); break;
    GEMM_EACH_ROWS(GEMM_CASE)
#undef GEMM_CASE
    }
}

/* to[p·width + i] = x[p, i] for p < k, i < count ≤ LANES, where columns of x are contiguous; then zeros up to i = LANES. */
INLINE void NAME(gemm_pack_transposed)(real *to, int64_t width, gemm_view x, int64_t count, int64_t k) {
    for (int64_t p = 0; p < k; p += LANES) {
        const int64_t n = cg_min(LANES, k - p);
        vec y[LANES];
#pragma GCC unroll 16
        for (int64_t i = 0; i < LANES; i++) {
            const real *from = x.p + i * x.col + p;
            y[i] = (vec){0};
            if (i < count) y[i] = NAME(load_some)(from, n);
        }
        NAME(transpose)(y);
#pragma GCC unroll 16
        for (int64_t i = 0; i < LANES; i++)
            if (i < n) STORE(to + (p + i) * width, y[i]);
    }
}

/* The same for any x. */
INLINE void NAME(gemm_pack_rows)(real *to, int64_t width, gemm_view x, int64_t count, int64_t k) {
    if (x.col == 1 && count == LANES)
        for (int64_t p = 0; p < k; p++) STORE(to + p * width, LOAD(x.p + p * x.row));
    else if (x.col == 1)
        for (int64_t p = 0; p < k; p++) STORE(to + p * width, NAME(load_part)(x.p + p * x.row, count, 0));
    else
        for (int64_t p = 0; p < k; p++)
            for (int64_t i = 0; i < LANES; i++) to[p * width + i] = i < count ? x.p[p * x.row + i * x.col] : 0;
}

/* Pack x (k × count elements, count ≤ width) into rows of `width`, vector by vector. The last vector of a row, padded with
 * zeros, may extend into the next row, so it is written before the others. */
static void NAME(gemm_pack)(real *to, int64_t width, gemm_view x, int64_t count, int64_t k) {
    for (int64_t i = (count - 1) / LANES * LANES; i >= 0; i -= LANES)
        if (x.row == 1 && x.col != 1)
            NAME(gemm_pack_transposed)(to + i, width, gemm_part(x, 0, i), cg_min(LANES, count - i), k);
        else
            NAME(gemm_pack_rows)(to + i, width, gemm_part(x, 0, i), cg_min(LANES, count - i), k);
}

typedef struct { int64_t begin, end, step; } NAME(gemm_span);
#define gemm_span NAME(gemm_span)

/* Ask for `rows` rows of k contiguous elements, into the second-level cache: the first is too small for two strips. */
static void NAME(gemm_prefetch)(const real *x, int64_t row, int64_t rows, int64_t k) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t p = 0; p < k; p += 64 / (int64_t)sizeof(real)) __builtin_prefetch(x + i * row + p, 0, 2);
}

/* One block of C, of A (i rows × k), which is packed if there is room, and of B (k × j columns): columns in
 * groups whose part of B stays in the second-level cache. */
static void NAME(gemm_block)(gemm_span i, int64_t cols, int64_t k, gemm_view a, real *a_packed, gemm_columns b,
                             gemm_target to) {
    const int64_t tiles = cg_max(1, GEMM_GROUP_BYTES / (cg_max(1, k) * GEMM_COLS * (int64_t)sizeof(real)));
    const int prefetch = !a_packed && a.col == 1 && (i.end - i.begin) * k >= GEMM_PREFETCH_A;
    for (int64_t col = 0; col < cols; col += tiles * GEMM_COLS, b.p += tiles * b.step) {
        for (int64_t row = i.begin; row < i.end; row += i.step) {
            const int64_t rows = cg_min(i.step, i.end - row);
            gemm_view x = gemm_part(a, row - i.begin, 0);
            if (a_packed) {
                real *panel = a_packed + (row - i.begin) * k;
                if (!col) NAME(gemm_pack)(panel, rows, (gemm_view){x.p, x.col, x.row}, rows, k);
                x = (gemm_view){panel, 1, rows};
            }
            if (prefetch && !col) NAME(gemm_prefetch)(x.p + rows * x.row, x.row, cg_min(i.step, i.end - row - rows), k);
            NAME(gemm_rows)(rows, cg_min(tiles * GEMM_COLS, cols - col), k, x, b, NAME(gemm_target_at)(to, row, col));
        }
    }
}

/* sums[i] = Σ over k of row i of A (+ sums[i]), of a block that is packed or read next; a.row = 1 */
static void NAME(gemm_sum_rows)(real *sums, gemm_view a, int64_t rows, int64_t k, int accumulate) {
    enum { WIDTH = 64 };
    for (int64_t i = 0; i < rows; i += WIDTH) {
        const int64_t n = cg_min(WIDTH, rows - i);
        real part[WIDTH];
        NAME(sum_columns)(part, a.p + i, k, a.col, n, 1);
        for (int64_t q = 0; q < n; q++) sums[i + q] = part[q] + (accumulate ? sums[i + q] : 0);
    }
}

/* Columns of C as dot products of rows of A and columns of B, both contiguous: LANES rows at a time, whose sums become one
 * vector. This is faster if most of a vector of columns would be empty. */
static int NAME(gemm_dots_pay)(gemm_view a, gemm_view b, int64_t cols, int64_t k) {
    return a.col == 1 && b.row == 1 && 2 * cols * (k + 4 * LANES) <= k * LANES;
}

static void NAME(gemm_dots)(int64_t rows, int64_t cols, int64_t k, gemm_view a, gemm_view b, gemm_target to) {
    for (int64_t i = 0; i < rows; i += LANES)
        for (int64_t j = 0; j < cols; j++) {
            const int64_t n = cg_min(LANES, rows - i);
            const real *b_p = b.p + j * b.col, *a_p[LANES];
            vec sum[LANES];
#pragma GCC unroll 16
            for (int64_t q = 0; q < LANES; q++) a_p[q] = a.p + (i + cg_min(q, n - 1)) * a.row, sum[q] = (vec){0};
            int64_t p = 0;
            for (; p + LANES <= k; p += LANES)
#pragma GCC unroll 16
                for (int64_t q = 0; q < LANES; q++) sum[q] += LOAD(a_p[q] + p) * LOAD(b_p + p);
            if (p < k)
#pragma GCC unroll 16
                for (int64_t q = 0; q < LANES; q++)
                    sum[q] += NAME(load_part)(a_p[q] + p, k - p, 0) * NAME(load_part)(b_p + p, k - p, 0);
            const vec sums = NAME(lane_sums)(sum);
            for (int64_t q = 0; q < n; q++) {
                real *c = to.c + (i + q) * to.ldc + j, y = sums[q];
                if (to.accumulate) y += *c;
                if (to.bias) y += to.bias[j];
                if (to.relu && y < 0) y = 0;
                *c = to.mask && to.mask[(i + q) * to.ldc + j] <= 0 ? 0 : y;
            }
        }
}

/* Rows i and columns j of one product: blocks of B, within them of k, within them of A. */
static void NAME(gemm_region)(const cg_gemm_args *g, gemm_view a, gemm_view b, gemm_target c, real *row_sums, gemm_span i,
                              gemm_span j, void *scratch) {
    real *a_panels = scratch, *b_panels = a_panels + (GEMM_A_BYTES + 1024) / sizeof(real);
    int64_t k_blocks = cg_max(1, cg_ceil_div(g->k, GEMM_K)), k_step = cg_max(1, cg_ceil_div(g->k, k_blocks));
    int64_t i_step = GEMM_A_BYTES / (k_step * (int64_t)sizeof(real)) / i.step * i.step;
    int64_t j_step = GEMM_B_BYTES / (k_step * (int64_t)sizeof(real)) / j.step * j.step;
    /* rows of A a multiple of a page apart would evict each other from the first-level cache */
    int pages_apart = a.row && a.row * (int64_t)sizeof(real) % 4096 == 0;
    int pack_a = j.end - j.begin > (pages_apart ? 2 : 32) * GEMM_COLS;
    int pack_b = b.col != 1 || i.end - i.begin > 5 * GEMM_ROWS;
    for (int64_t col = j.begin; col < j.end; col += j_step)
        for (int64_t p = 0; p == 0 || p < g->k; p += k_step) {
            const int64_t all = cg_min(j_step, j.end - col), whole = all / LANES * LANES, k = cg_min(k_step, g->k - p);
            const int64_t cols = NAME(gemm_dots_pay)(a, b, all - whole, k_step) ? whole : all;
            const int last = p + k == g->k;
            gemm_view from = gemm_part(b, p, col);
            gemm_target to = NAME(gemm_target_at)(c, 0, col);
            to.accumulate |= p > 0;
            if (!last) to.bias = to.mask = 0, to.relu = 0;
            gemm_columns columns = {from.p, b_panels, GEMM_COLS, from.row, LANES};
            if (pack_b) {
                for (int64_t q = 0; q < cols; q += GEMM_COLS)
                    NAME(gemm_pack)(b_panels + q * k, GEMM_COLS, gemm_part(from, 0, q), cg_min(GEMM_COLS, cols - q), k);
                columns = (gemm_columns){b_panels, b_panels + whole / GEMM_COLS * GEMM_COLS * k + whole % GEMM_COLS,
                                         GEMM_COLS * k, GEMM_COLS, GEMM_COLS};
            } else if (whole < cols) NAME(gemm_pack)(b_panels, LANES, gemm_part(from, 0, whole), cols - whole, k);
            for (int64_t row = i.begin; row < i.end; row += i_step) {
                gemm_span rows = {row, cg_min(row + i_step, i.end), i.step};
                gemm_view a_block = gemm_part(a, row, p);
                if (row_sums && col == 0)
                    NAME(gemm_sum_rows)(row_sums + row, a_block, rows.end - row, k, p > 0);
                NAME(gemm_block)(rows, cols, k, a_block, pack_a ? a_panels : 0, columns, to);
            }
            if (cols < all)
                NAME(gemm_dots)(i.end - i.begin, all - cols, k, gemm_part(a, i.begin, p), gemm_part(from, 0, cols),
                                NAME(gemm_target_at)(to, i.begin, cols));
        }
}

/* Whether Cᵀ = Bᵀ·Aᵀ fills its vectors better by at least a tenth, as for the gradient of a weight with few inputs. */
static int NAME(gemm_swap_pays)(const cg_gemm_args *g) {
    const int plain = g->batch == 1 && !g->bias && !g->mask && g->activation == GEMM_LINEAR && g->a_row == 1;
    return plain && g->k >= 16 && g->m * g->n * (int64_t)sizeof(real) <= GEMM_SWAPPED_BYTES &&
           11 * g->n * cg_ceil_div(g->m, LANES) <= 10 * g->m * cg_ceil_div(g->n, LANES);
}

/* The share's rows of C as columns of Cᵀ, in working memory, with the same bits. */
static void NAME(gemm_swapped)(const cg_gemm_args *g, cg_share share) {
    const cg_range r = cg_part(g->m, GEMM_COLS, share);
    const int64_t width = r.end - r.begin;
    if (!width) return;
    const cg_gemm_args plain = {.k = g->k};
    real *swapped = (real *)((char *)share.scratch + CG_SCRATCH_BYTES - GEMM_SWAPPED_BYTES);
    gemm_view a = {(const real *)g->a + r.begin, 1, g->a_col}, b = {g->b, g->b_row, g->b_col};
    gemm_span i = {0, g->n, cg_ceil_div(g->n, cg_ceil_div(g->n, GEMM_ROWS))}, j = {0, width, GEMM_COLS};
    NAME(gemm_region)(&plain, (gemm_view){b.p, b.col, b.row}, (gemm_view){a.p, a.col, a.row},
                      (gemm_target){swapped, width, 0, 0, 0, 0}, 0, i, j, share.scratch);
    if (g->row_sums) NAME(gemm_sum_rows)((real *)g->row_sums + r.begin, a, width, g->k, 0);
    for (int64_t row = 0; row < width; row++) {
        real *c = (real *)g->c + (r.begin + row) * g->ldc;
        for (int64_t col = 0; col < g->n; col++)
            c[col] = swapped[col * width + row] + (g->accumulate ? c[col] : 0);
    }
}

/* C[m, n] = A[m, k]·B[k, n] (+ C) (+ bias[n]), then the activation; with a mask[m, n] in the layout of C, 0 where
 * that is ≤ 0, as in the gradient of ReLU. `batch` such products, `…_batch` apart. Strides of A and B are in elements, of
 * any sign or zero; rows of C are contiguous, ldc apart. row_sums[batch, m] = Σ A over k, unless it is NULL: then a_row is
 * 1. */
KERNEL_BODY(gemm) {
    if (a->m == 0 || a->n == 0) return;
    if (NAME(gemm_swap_pays)(a)) {
        NAME(gemm_swapped)(a, share);
        return;
    }
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
        gemm_target z = {a->c, a->ldc, a->bias, a->mask, a->accumulate, a->activation == GEMM_RELU};
        real *row_sums = a->row_sums ? (real *)a->row_sums + batch * a->m : 0;
        z.c += batch * a->c_batch;
        if (z.bias) z.bias += batch * a->bias_batch;
        if (z.mask) z.mask += batch * a->c_batch;
        NAME(gemm_region)(a, x, y, z, row_sums, i, j, share.scratch);
        r.begin += last - first;
    }
}

#undef GEMM_COLS
#undef gemm_view
#undef gemm_part
#undef gemm_target
#undef gemm_columns
#undef gemm_span
