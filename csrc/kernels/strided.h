/* Copies between arrays of any layout: parts of arrays, transposes, fills. */

/* y[j·y_step] = x[j·x_step] for j < n, or += */
INLINE void NAME(strided_row)(real *y, const real *x, int64_t n, int64_t y_step, int64_t x_step, int accumulate) {
    if (accumulate)
        for (int64_t j = 0; j < n; j++) y[j * y_step] += x[j * x_step];
    else
        for (int64_t j = 0; j < n; j++) y[j * y_step] = x[j * x_step];
}

/* Rows of y, contiguous, from columns of x: LANES × LANES elements at a time, of which `rows` ≤ LANES count. */
INLINE void NAME(strided_transpose)(real *y, const real *x, int64_t rows, int64_t cols, int64_t y_row, int64_t x_col) {
    for (int64_t j = 0; j < cols; j += LANES) {
        const int64_t n = cg_min(LANES, cols - j);
        vec part[LANES];
#pragma GCC unroll 16
        for (int64_t q = 0; q < LANES; q++) {
            part[q] = (vec){0};
            if (q < n) part[q] = NAME(load_some)(x + (j + q) * x_col, rows);
        }
        NAME(transpose)(part);
#pragma GCC unroll 16
        for (int64_t i = 0; i < LANES; i++)
            if (i < rows) NAME(store_some)(y + i * y_row + j, part[i], n);
    }
}

/* A tile of at most LANES rows. */
static void NAME(strided_tile)(const cg_strided_args *a, real *y, const real *x, int64_t rows, int64_t cols) {
    if (a->y3 == 1 && a->x2 == 1 && a->x3 != 1 && !a->accumulate) {
        NAME(strided_transpose)(y, x, rows, cols, a->y2, a->x3);
        return;
    }
    for (int64_t i = 0; i < rows; i++, y += a->y2, x += a->x2)
        if (a->y3 == 1 && a->x3 == 1) NAME(strided_row)(y, x, cols, 1, 1, a->accumulate != 0);
        else if (a->y3 == 1 && a->x3 == 0) NAME(strided_row)(y, x, cols, 1, 0, a->accumulate != 0);
        else NAME(strided_row)(y, x, cols, a->y3, a->x3, a->accumulate != 0);
}

/* y[i0, i1, i2, i3] = x[i0, i1, i2, i3], or += if `accumulate` is set, with steps in elements of any sign, and of 0 in x.
 * Nothing is computed without it: elements may be anything of the size of a float or a double. */
KERNEL_BODY(strided) {
    const int64_t bands = cg_ceil_div(a->n2, LANES), chunks = cg_ceil_div(a->n3, CG_BLOCK);
    const cg_range r = cg_part(a->n0 * a->n1 * bands * chunks, 1, share);
    for (int64_t tile = r.begin; tile < r.end; tile++) {
        const int64_t col = tile % chunks * CG_BLOCK, row = tile / chunks % bands * LANES, outer = tile / chunks / bands;
        const int64_t i0 = outer / a->n1, i1 = outer % a->n1;
        NAME(strided_tile)(a, (real *)a->y + i0 * a->y0 + i1 * a->y1 + row * a->y2 + col * a->y3,
                           (const real *)a->x + i0 * a->x0 + i1 * a->x1 + row * a->x2 + col * a->x3,
                           cg_min(LANES, a->n2 - row), cg_min(CG_BLOCK, a->n3 - col));
    }
}
