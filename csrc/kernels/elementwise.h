/* Arithmetic of two operands. x and y have steps of their own along rows and columns, so that a scalar, a row
 * or a column is broadcast without a copy: element (i, j) of x is x[i·x_row + j·x_col]. */

/* out[rows, cols] = expression of u = x, v = y; a step along columns is 0 or 1 */
#define ARITHMETIC(name, expression)                                                         \
    INLINE void NAME(name##_row)(real *restrict out, const real *x, const real *y,           \
                                 int64_t x_step, int64_t y_step, int64_t n) {                \
        for (int64_t j = 0; j < n; j++) {                                                    \
            const real u = x[j * x_step], v = y[j * y_step];                                 \
            out[j] = expression;                                                             \
        }                                                                                    \
    }                                                                                        \
    static void NAME(name##_part)(real *out, const real *x, const real *y,                   \
                                  int64_t x_step, int64_t y_step, int64_t n) {               \
        if (x_step && y_step) NAME(name##_row)(out, x, y, 1, 1, n);                          \
        else if (x_step) NAME(name##_row)(out, x, y, 1, 0, n);                               \
        else if (y_step) NAME(name##_row)(out, x, y, 0, 1, n);                               \
        else NAME(name##_row)(out, x, y, 0, 0, n);                                           \
    }                                                                                        \
    KERNEL_BODY(name) {                                                                      \
        const real *x = a->x, *y = a->y;                                                     \
        real *out = a->out;                                                                  \
        cg_range r = cg_part(a->rows * a->cols, CG_BLOCK, share);                            \
        while (r.begin < r.end) {                                                            \
            int64_t i = r.begin / a->cols, j = r.begin % a->cols;                            \
            int64_t n = cg_min(a->cols - j, r.end - r.begin);                                \
            NAME(name##_part)(out + r.begin, x + i * a->x_row + j * a->x_col,                \
                              y + i * a->y_row + j * a->y_col, a->x_col, a->y_col, n);       \
            r.begin += n;                                                                    \
        }                                                                                    \
    }

ARITHMETIC(add, u + v)
ARITHMETIC(sub, u - v)
ARITHMETIC(mul, u * v)
ARITHMETIC(div, u / v)

/* y = x, bytes of any kind */
KERNEL_BODY(copy) {
    cg_range r = cg_part(a->bytes, CG_BLOCK * (int64_t)sizeof(real), share);
    if (r.begin < r.end) memcpy((char *)a->y + r.begin, (const char *)a->x + r.begin, (size_t)(r.end - r.begin));
}

/* y ← y + 1, one int64 */
KERNEL_BODY(count) {
    if (!share.index) ++*(int64_t *)a->y;
}

#undef ARITHMETIC
