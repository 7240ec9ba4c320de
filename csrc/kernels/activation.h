/* Activations, elementwise: forward and backward stand together. */

/* y = max(x, 0), and NaN stays NaN. */
KERNEL_BODY(relu) {
    const real *restrict x = a->x;
    real *restrict y = a->y;
    cg_range r = cg_part(a->n, CG_BLOCK, share);
    for (int64_t i = r.begin; i < r.end; i++)
        y[i] = x[i] < 0 ? 0 : x[i];
}

/* dx = dy·[y > 0] */
KERNEL_BODY(relu_backward) {
    const real *restrict dy = a->dy, *restrict y = a->y;
    real *restrict dx = a->dx;
    cg_range r = cg_part(a->n, CG_BLOCK, share);
    for (int64_t i = r.begin; i < r.end; i++)
        dx[i] = y[i] > 0 ? dy[i] : 0;
}
