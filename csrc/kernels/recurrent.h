/* One layer of a recurrent network in one direction, over all steps of a sequence: Elman's network, LSTM (S. Hochreiter,
 * J. Schmidhuber, 1997) and GRU (K. Cho et al., 2014), with PyTorch's gates. The input's product stands in `gates` from the
 * start, for all steps; what remains of a step is the product of the state and the recurrent weight, and the gates. A share
 * takes rows of the batch through all steps, so that steps need no barrier between them.
 *
 * Arrays of all steps have `steps` × `batch` rows, or, for sequences of falling lengths, the rows that are left of the batch
 * at step t from row starts[t] on. Either way row i of the batch is row i of each step that it takes part in. */

#ifndef CYGRAD_RECURRENT_H
#define CYGRAD_RECURRENT_H

/* The argument `kind`: if not 0, the number of gates. */
enum { RECURRENT_RELU, RECURRENT_TANH, RECURRENT_GRU = 3, RECURRENT_LSTM };

/* The rows of the batch that go through the steps together, at most, and those that shares are made of. */
enum { RECURRENT_ROWS = 64, RECURRENT_BLOCK = 8 };

/* The rows that the steps have before step t. */
static inline int64_t cg_rows_before(const int64_t *starts, int64_t batch, int64_t t) { return starts ? starts[t] : t * batch; }

#endif

#define GEMM_COLS (2 * LANES)
#define gemm_view NAME(gemm_view)
#define gemm_part NAME(gemm_part)
#define gemm_target NAME(gemm_target)
#define gemm_columns NAME(gemm_columns)
#define gemm_span NAME(gemm_span)

/* w[k, n], of any strides, in the panels that matrix products read: packed[⌈n/GEMM_COLS⌉, k, GEMM_COLS]. */
KERNEL_BODY(pack_columns) {
    const cg_range r = cg_part(cg_ceil_div(a->n, GEMM_COLS), 1, share);
    for (int64_t q = r.begin; q < r.end; q++)
        NAME(gemm_pack)((real *)a->packed + q * GEMM_COLS * a->k, GEMM_COLS,
                        (gemm_view){(const real *)a->w + q * GEMM_COLS * a->col, a->row, a->col},
                        cg_min(GEMM_COLS, a->n - q * GEMM_COLS), a->k);
}

/* The product of rows of A, contiguous ones, and a packed matrix. */
static void NAME(recurrent_product)(int64_t rows, int64_t cols, int64_t k, gemm_view a, const real *packed, real *scratch,
                                    gemm_target to) {
    const int64_t whole = cols / LANES * LANES;
    const gemm_columns columns = {packed, packed + whole / GEMM_COLS * GEMM_COLS * k + whole % GEMM_COLS, GEMM_COLS * k,
                                  GEMM_COLS, GEMM_COLS};
    const gemm_span span = {0, rows, cg_ceil_div(rows, cg_ceil_div(rows, GEMM_ROWS))};
    const int pages_apart = a.row * (int64_t)sizeof(real) % 4096 == 0;
    NAME(gemm_block)(span, cols, k, a, pages_apart ? scratch : 0, columns, to);
}

/* The same for a state of zeros: what the target adds. */
static void NAME(recurrent_zero_product)(int64_t rows, int64_t cols, gemm_target to) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++)
            to.c[i * to.ldc + j] = (to.accumulate ? to.c[i * to.ldc + j] : 0) + (to.bias ? to.bias[j] : 0);
}

/* x[0..n) = y, or zeros if that is NULL */
static void NAME(recurrent_start)(real *x, const real *y, int64_t n) {
    if (y) memcpy(x, y, n * sizeof(real));
    else memset(x, 0, n * sizeof(real));
}

/* 1/(1 + e⁻ˣ), and 0 instead of subnormal numbers */
static CG_ELEMENTARY real NAME(gate)(real x) {
    const real e = NAME(exp_negative)(-NAME(abs)(x)), d = 1 + e;
    return NAME(select)(x < 0, e, 1) / d;
}

/* f of each lane */
#define EACH_LANE(f)                                             \
    INLINE vec NAME(f##_lanes)(vec x) {                          \
        real y[LANES];                                           \
        _Pragma("omp simd") for (int64_t q = 0; q < LANES; q++) y[q] = NAME(f)(x[q]); \
        return LOAD(y);                                          \
    }
EACH_LANE(gate)
EACH_LANE(tanh)
#undef EACH_LANE
#define SIGMOID NAME(gate_lanes)
#define TANH NAME(tanh_lanes)

/* for (every vector of n elements) statement, which has its offset `j` and its `lanes` */
#define EACH_VECTOR(n, ...)                                                      \
    {                                                                            \
        int64_t j = 0, lanes = LANES;                                            \
        for (; j + LANES <= (n); j += LANES) __VA_ARGS__                         \
        if (lanes = (n) - j, lanes > 0) __VA_ARGS__                              \
    }
#define IN_OF(p) NAME(load_some)((p) + j, lanes)
#define IN_OR_ZERO(p) ((p) ? NAME(load_some)((p) + j, lanes) : (vec){0})
#define OUT_TO(p, v) NAME(store_some)((p) + j, v, lanes)

/* h = y = f(z) */
static void NAME(elman_row)(real *z, real *h, int64_t n, int relu) {
    if (relu) EACH_VECTOR(n, { vec x = IN_OF(z); x = (vec)((ivec)x & ~(ivec)(x < 0)); OUT_TO(z, x), OUT_TO(h, x); })
    else EACH_VECTOR(n, { const vec x = TANH(IN_OF(z)); OUT_TO(z, x), OUT_TO(h, x); })
}

/* i, f, o = σ(z), g = tanh z, c = f·c + i·g, h = o·tanh c; z becomes the gates. In two loops, since one chain of all these
 * functions would be too long for a processor to overlap it with the next. */
static void NAME(lstm_row)(real *z, real *c, real *kept, real *h, real *y, int64_t n) {
    EACH_VECTOR(n, {
        const vec i = SIGMOID(IN_OF(z)), f = SIGMOID(IN_OF(z + n)), g = TANH(IN_OF(z + 2 * n));
        const vec cell = f * IN_OF(c) + i * g;
        OUT_TO(z, i), OUT_TO(z + n, f), OUT_TO(z + 2 * n, g), OUT_TO(c, cell), OUT_TO(kept, cell);
    })
    EACH_VECTOR(n, {
        const vec o = SIGMOID(IN_OF(z + 3 * n)), state = o * TANH(IN_OF(c));
        OUT_TO(z + 3 * n, o), OUT_TO(h, state), OUT_TO(y, state);
    })
}

/* r, u = σ(z + p), m = tanh(z + r·p), h = m + u·(h − m); z becomes the gates, kept the third p */
static void NAME(gru_row)(real *z, const real *p, real *kept, real *h, real *y, int64_t n) {
    EACH_VECTOR(n, {
        const vec r = SIGMOID(IN_OF(z) + IN_OF(p)), u = SIGMOID(IN_OF(z + n) + IN_OF(p + n)), product = IN_OF(p + 2 * n);
        const vec m = TANH(IN_OF(z + 2 * n) + r * product), state = m + u * (IN_OF(h) - m);
        OUT_TO(z, r), OUT_TO(z + n, u), OUT_TO(z + 2 * n, m);
        OUT_TO(kept, product), OUT_TO(h, state), OUT_TO(y, state);
    })
}

/* Rows first..last of the batch through all steps. */
static void NAME(recurrent_rows)(const cg_recurrent_args *a, int64_t first, int64_t last, real *scratch) {
    const int64_t n = a->hidden, width = cg_max(1, a->kind) * n, count = last - first;
    real *h = (real *)a->h + first * n, *c = a->c ? (real *)a->c + first * n : 0;
    NAME(recurrent_start)(h, a->h0 ? (const real *)a->h0 + first * n : 0, count * n);
    if (c) NAME(recurrent_start)(c, a->c0 ? (const real *)a->c0 + first * n : 0, count * n);
    for (int64_t step = 0; step < a->steps; step++) {
        const int64_t t = a->reverse ? a->steps - 1 - step : step, before = cg_rows_before(a->starts, a->batch, t);
        const int64_t rows = cg_min(last, cg_rows_before(a->starts, a->batch, t + 1) - before) - first;
        const int64_t at = before + first;
        if (rows <= 0) continue;
        real *z = (real *)a->gates + at * width, *y = (real *)a->y + at * n, *kept = a->kept ? (real *)a->kept + at * n : 0;
        const int gru = a->kind == RECURRENT_GRU;
        const gemm_target to = {gru ? scratch : z, width, a->bias, 0, !gru, 0};
        if (step || a->h0)
            NAME(recurrent_product)(rows, width, n, (gemm_view){h, n, 1}, a->weight, scratch + count * width, to);
        else NAME(recurrent_zero_product)(rows, width, to);
        for (int64_t i = 0; i < rows; i++) {
            if (gru) NAME(gru_row)(z + i * width, scratch + i * width, kept + i * n, h + i * n, y + i * n, n);
            else if (c) NAME(lstm_row)(z + i * width, c + i * n, kept + i * n, h + i * n, y + i * n, n);
            else NAME(elman_row)(z + i * n, h + i * n, n, a->kind == RECURRENT_RELU);
        }
    }
}

/* The rows of the share, as many together as there is working memory for. */
#define RECURRENT_EACH_ROWS(run)                                                                     \
    if (!a->hidden) return;                                                                          \
    const int64_t room = (CG_SCRATCH_BYTES - 1024) / (4 * a->hidden * (int64_t)sizeof(real));        \
    const int64_t most = cg_max(1, cg_min(RECURRENT_ROWS, room));                                    \
    const cg_range r = cg_part(a->batch, RECURRENT_BLOCK, share);                                    \
    for (int64_t i = r.begin; i < r.end; i += most) run(a, i, cg_min(i + most, r.end), share.scratch);

/* y and h of all steps from the products of the input in `gates`, which becomes the gates, or y (Elman). h and c receive the
 * last states. `kept` are the cells (LSTM) or the state's part of the candidate (GRU). h0 and c0 may be NULL for zeros, c
 * unless this is an LSTM. 4·hidden reals fit in the working memory. */
KERNEL_BODY(recurrent) { RECURRENT_EACH_ROWS(NAME(recurrent_rows)) }

/* dz = (dh + dy)·f′ */
static void NAME(elman_row_backward)(real *dz, const real *dh, const real *dy, const real *y, int64_t n, int relu) {
    EACH_VECTOR(n, {
        const vec out = IN_OF(y), g = IN_OF(dh) + IN_OR_ZERO(dy), positive = (vec)((ivec)g & ~(ivec)(out <= 0));
        vec d = g * (1 - out * out);
        if (relu) d = positive;
        OUT_TO(dz, d);
    })
}

/* With d = dh + dy and dc += d·o·(1 − tanh²c): di = dc·g·i·(1 − i), df = dc·c₋·f·(1 − f), dg = dc·i·(1 − g²),
 * do = d·tanh c·o·(1 − o), and dc of the step before = dc·f. c₋ is `prior`, NULL for zeros. */
static void NAME(lstm_row_backward)(real *dz, const real *dh, real *dc, const real *dy, const real *z, const real *kept,
                                    const real *prior, int64_t n) {
    EACH_VECTOR(n, {
        const vec i = IN_OF(z), f = IN_OF(z + n), g = IN_OF(z + 2 * n), o = IN_OF(z + 3 * n), t = TANH(IN_OF(kept));
        const vec d = IN_OF(dh) + IN_OR_ZERO(dy), cell = IN_OF(dc) + d * o * (1 - t * t);
        OUT_TO(dz, cell * g * i * (1 - i)), OUT_TO(dz + n, cell * IN_OR_ZERO(prior) * f * (1 - f));
        OUT_TO(dz + 2 * n, cell * i * (1 - g * g)), OUT_TO(dz + 3 * n, d * t * o * (1 - o));
        OUT_TO(dc, cell * f);
    })
}

/* With d = dh + dy: dm = d·(1 − u)·(1 − m²), dr = dm·p·r·(1 − r), du = d·(h₋ − m)·u·(1 − u), dp = dm·r, in this order, and dh
 * of the step before = d·u, before the product is added. p is `kept`, h₋ `prior`, NULL for zeros. */
static void NAME(gru_row_backward)(real *dz, real *dh, const real *dy, const real *z, const real *kept, const real *prior,
                                   int64_t n) {
    EACH_VECTOR(n, {
        const vec r = IN_OF(z), u = IN_OF(z + n), m = IN_OF(z + 2 * n), d = IN_OF(dh) + IN_OR_ZERO(dy);
        const vec dm = d * (1 - u) * (1 - m * m);
        OUT_TO(dz, dm), OUT_TO(dz + n, dm * IN_OF(kept) * r * (1 - r));
        OUT_TO(dz + 2 * n, d * (IN_OR_ZERO(prior) - m) * u * (1 - u)), OUT_TO(dz + 3 * n, dm * r);
        OUT_TO(dh, d * u);
    })
}

/* Rows first..last of the batch through all steps, the last first. */
static void NAME(recurrent_rows_backward)(const cg_recurrent_backward_args *a, int64_t first, int64_t last, real *scratch) {
    const int gru = a->kind == RECURRENT_GRU, lstm = a->kind == RECURRENT_LSTM;
    const int64_t n = a->hidden, width = cg_max(1, a->kind) * n, stride = gru ? 4 * n : width, count = last - first;
    const real *states = lstm ? a->kept : a->y, *initial = lstm ? a->c0 : a->h0;
    real *dh = (real *)a->dh + first * n, *dc = lstm ? (real *)a->dc + first * n : 0;
    NAME(recurrent_start)(dh, a->dh_n ? (const real *)a->dh_n + first * n : 0, count * n);
    if (dc) NAME(recurrent_start)(dc, a->dc_n ? (const real *)a->dc_n + first * n : 0, count * n);
    for (int64_t step = a->steps - 1; step >= 0; step--) {
        const int64_t t = a->reverse ? a->steps - 1 - step : step, before = cg_rows_before(a->starts, a->batch, t);
        const int64_t rows = cg_min(last, cg_rows_before(a->starts, a->batch, t + 1) - before) - first;
        if (rows <= 0) continue;
        /* the step that was computed before this one, and how many rows it has */
        const int64_t p = a->reverse ? t + 1 : t - 1, prior = step ? cg_rows_before(a->starts, a->batch, p) : 0;
        const int64_t priors = step ? cg_rows_before(a->starts, a->batch, p + 1) - prior : 0;
        for (int64_t i = 0; i < rows; i++) {
            const int64_t row = first + i, at = before + row;
            const real *x = row < priors ? states + (prior + row) * n : initial ? initial + row * n : 0;
            const int64_t place = a->starts ? at * a->dy_row : t * a->dy_step + row * a->dy_row;
            const real *dy = a->dy ? (const real *)a->dy + place : 0, *z = (const real *)a->gates + at * width;
            const real *kept = a->kept ? (const real *)a->kept + at * n : 0;
            real *dz = (real *)a->dz + at * stride;
            if (gru) NAME(gru_row_backward)(dz, dh + i * n, dy, z, kept, x, n);
            else if (lstm) NAME(lstm_row_backward)(dz, dh + i * n, dc + i * n, dy, z, kept, x, n);
            else NAME(elman_row_backward)(dz, dh + i * n, dy, z, n, a->kind == RECURRENT_RELU);
        }
        const gemm_view dz = {(const real *)a->dz + (before + first) * stride + (gru ? n : 0), stride, 1};
        const gemm_target to = {dh, n, 0, 0, gru, 0};
        if (step || a->h0) NAME(recurrent_product)(rows, n, width, dz, a->weight, scratch, to);
    }
}

/* dz, the gradient of what the gates are functions of: [rows, kind·hidden], but of GRU [rows, 4·hidden], the candidate's
 * part of the input, r, u, the candidate's part of the state. dh and dc are those of the first states if h0 is not NULL.
 * dy, dh_n and dc_n may be NULL for zeros; rows of dy are contiguous, its steps and rows `dy_step` and `dy_row` apart. */
KERNEL_BODY(recurrent_backward) { RECURRENT_EACH_ROWS(NAME(recurrent_rows_backward)) }

#undef RECURRENT_EACH_ROWS
#undef SIGMOID
#undef TANH
#undef EACH_VECTOR
#undef IN_OF
#undef IN_OR_ZERO
#undef OUT_TO
#undef GEMM_COLS
#undef gemm_view
#undef gemm_part
#undef gemm_target
#undef gemm_columns
#undef gemm_span
