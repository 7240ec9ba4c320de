/* Attention. */
#include "harness.h"

#include <string.h>

/* batch, heads, k_heads, length, keys, size, v_size */
static const int64_t SHAPES[][7] = {
    {2, 2, 2, 5, 7, 4, 3}, {1, 3, 1, 20, 20, 16, 16}, {2, 4, 2, 33, 17, 8, 9}, {1, 2, 2, 100, 40, 5, 16}, {1, 1, 1, 70, 150, 32, 8},
    {1, 2, 1, 3, 140, 3, 2}, {1, 1, 1, 4, 5, 0, 2}, {2, 1, 1, 0, 3, 2, 2}, {1, 1, 1, 3, 0, 2, 2}, {1, 1, 1, 97, 3, 2, 130},
    {1, 1, 1, 3, 9000, 2, 2}, {1, 2, 1, 5, 6, 130, 4}, {1, 2, 2, 5, 6, 130, 4},
    {1, 1, 1, 2, 81920, 2, 1}, /* the most keys in float64 */
    /* weights by keys: several vectors of queries; a block that keeps them and a last one that does not, with two heads each */
    {1, 2, 2, 49, 49, 12, 20}, {1, 4, 2, 129, 33, 6, 5}, {2, 4, 2, 65, 128, 9, 7},
};
/* open, causal, bytes, numbers (also one for a row, or every second), numbers along the keys only, dropped (also all), a scale
 * below 0, causal and dropped */
enum { VARIANTS = 8 };
typedef struct { int64_t batch, head, row; } steps;
static steps side_by_side(int64_t heads, int64_t rows, int64_t size) { return (steps){rows * heads * size, size, heads * size}; }
static steps apart(int64_t heads, int64_t rows, int64_t size) { return (steps){heads * rows * size, rows * size, size}; }

static int attention_build(void *args, int variant) {
    if (variant >= VARIANTS * COUNT(SHAPES)) return 0;
    const int64_t *z = SHAPES[variant / VARIANTS], b = z[0], h = z[1], g = z[2], l = z[3], e = z[5], w = z[6];
    const int64_t s = precision == CG_FLOAT32 && z[4] > 9000 ? 9000 : z[4]; /* sums of so many float32 are not as close */
    const int kind = variant % VARIANTS;
    if (s > 1000 && kind > 1) return attention_build(args, variant + 1);
    const steps q = kind % 2 ? side_by_side(h, l, e) : apart(h, l, e), k = kind % 3 ? side_by_side(g, s, e) : apart(g, s, e);
    const steps v = side_by_side(g, s, w), y = kind % 2 ? apart(h, l, w) : side_by_side(h, l, w);
    const int mask = kind == 2 ? CG_ATTENTION_BYTES : kind == 3 || kind == 4 ? CG_ATTENTION_NUMBERS : CG_ATTENTION_OPEN;
    const int wide = kind != 4; /* whether rows have masks of their own */
    const int64_t col = kind != 3 || s % 7 ? 1 : s == 7 ? 0 : 2, m_row = s * (col + !col);
    void *m = mask == CG_ATTENTION_BYTES ? (void *)flags(b * h * l * s)
              : mask == CG_ATTENTION_NUMBERS ? numbers(wide ? b * h * l * m_row : b * s, -1, 1) : NULL;
    for (int64_t j = 0; kind == 2 && l && j < s; j++) ((uint8_t *)m)[j] = 0; /* a query that sees no key */
    *(cg_attention_args *)args = (cg_attention_args){
        .y = output(b * h * l * w), .lse = output(b * h * l), .drawn = kind == 5 || kind == 7 ? integers_output(2) : NULL,
        .q = numbers(b * h * l * e, -1, 1), .k = numbers(b * g * s * e, -1, 1), .v = numbers(b * g * s * w, -1, 1), .mask = m,
        .batch = b, .heads = h, .k_heads = g, .length = l, .keys = s, .size = e, .v_size = w, .q_batch = q.batch, .q_head = q.head,
        .q_row = q.row, .k_batch = k.batch, .k_head = k.head, .k_row = k.row, .v_batch = v.batch, .v_head = v.head, .v_row = v.row,
        .y_batch = y.batch, .y_head = y.head, .y_row = y.row, .mask_batch = wide ? h * l * m_row : s, .mask_head = wide ? l * m_row : 0,
        .mask_row = wide ? m_row : 0, .mask_col = col, .mask_kind = mask, .causal = kind == 1 || kind == 7,
        .scale = kind == 6 ? -0.5 : 0.7, .p = kind == 5 && s == 5 ? 1 : kind == 5 || kind == 7 ? 0.3 : 0, .seed = 77, .offset = 1234567};
    return 1;
}

/* Weight of key j for query i of a head before dropout in *before, and after it */
typedef struct {
    int64_t batch, heads, group, length, keys, size, v_size;
    const void *q, *k, *v, *mask;
    steps qs, ks, vs, ms;
    int64_t mask_col;
    int mask_kind, causal;
    double scale, p;
    uint64_t seed, offset;
} problem;
#define PROBLEM(a, seed_, offset_)                                                                                           \
    {(a)->batch, (a)->heads, (a)->k_heads ? (a)->heads / (a)->k_heads : 1, (a)->length, (a)->keys, (a)->size, (a)->v_size,    \
     (a)->q, (a)->k, (a)->v, (a)->mask, {(a)->q_batch, (a)->q_head, (a)->q_row}, {(a)->k_batch, (a)->k_head, (a)->k_row},      \
     {(a)->v_batch, (a)->v_head, (a)->v_row}, {(a)->mask_batch, (a)->mask_head, (a)->mask_row}, (a)->mask_col,                 \
     (int)(a)->mask_kind, (int)(a)->causal, (a)->scale, (a)->p, seed_, offset_}
static int64_t at(steps s, int64_t b, int64_t h, int64_t i, int64_t j) { return b * s.batch + h * s.head + i * s.row + j; }

static double score(const problem *x, int64_t b, int64_t h, int64_t i, int64_t j) {
    double sum = 0;
    if (x->causal && j > i) return -INFINITY;
    for (int64_t e = 0; e < x->size; e++) sum += get(x->q, at(x->qs, b, h, i, e)) * get(x->k, at(x->ks, b, h / x->group, j, e));
    const int64_t m = at(x->ms, b, h, i, j * x->mask_col);
    if (x->mask_kind == CG_ATTENTION_BYTES && !((const uint8_t *)x->mask)[m]) return -INFINITY;
    return sum * x->scale + (x->mask_kind == CG_ATTENTION_NUMBERS ? get(x->mask, m) : 0);
}
/* 0, or 1/(1 − p) */
static double kept(const problem *x, int64_t b, int64_t h, int64_t i, int64_t j) {
    if (!(x->p > 0)) return 1;
    const int64_t bytes = precision == CG_FLOAT32 ? 4 : 8, width = (x->keys + 15) / 16 * 16;
    const int64_t rows = cg_attention_rows(x->length, x->keys, bytes), blocks = (x->length + rows - 1) / rows;
    const int64_t block = (b * x->heads + h) * blocks + i / rows, number = i % rows * width + j;
    uint32_t words[4];
    const int64_t word = number / 2;
    philox(x->seed, x->offset + (uint64_t)(block * ((rows * width + 63) / 64) * 8 + word / 32 * 8 + word % 16 / 2), words);
    const uint32_t half = words[word % 32 / 16 * 2 + word % 2] >> (number % 2 ? 16 : 0) & 0xffff;
    return half < (uint32_t)(x->p * 65536 + 0.5) ? 0 : 1 / (1 - x->p);
}
static double lse_of(const problem *x, int64_t b, int64_t h, int64_t i) {
    double top = -INFINITY, sum = 0;
    for (int64_t j = 0; j < x->keys; j++) top = fmax(top, score(x, b, h, i, j));
    if (top == -INFINITY) return INFINITY;
    for (int64_t j = 0; j < x->keys; j++) sum += exp(score(x, b, h, i, j) - top);
    return top + log(sum);
}
static void attention_twin(const void *args) {
    const cg_attention_args *a = args;
    const problem x = PROBLEM(a, a->seed, a->offset);
    if (a->drawn) ((uint64_t *)a->drawn)[0] = a->seed, ((uint64_t *)a->drawn)[1] = a->offset;
    for (int64_t b = 0; b < x.batch; b++)
        for (int64_t h = 0; h < x.heads; h++)
            for (int64_t i = 0; i < x.length; i++) {
                const double lse = lse_of(&x, b, h, i);
                const int64_t to = at((steps){a->y_batch, a->y_head, a->y_row}, b, h, i, 0);
                put(a->lse, (b * x.heads + h) * x.length + i, lse);
                for (int64_t e = 0; e < x.v_size; e++) put(a->y, to + e, 0);
                for (int64_t j = 0; j < x.keys; j++) {
                    const double w = exp(score(&x, b, h, i, j) - lse) * kept(&x, b, h, i, j);
                    for (int64_t e = 0; e < x.v_size; e++)
                        put(a->y, to + e, get(a->y, to + e) + w * get(x.v, at(x.vs, b, h / x.group, j, e)));
                }
            }
}

static int attention_backward_build(void *args, int variant) {
    cg_attention_args f = {0};
    if (!attention_build(&f, variant)) return 0;
    const int64_t b = f.batch, h = f.heads, g = f.k_heads, l = f.length, s = f.keys, e = f.size, w = f.v_size;
    attention_twin(&f); /* its outputs are inputs here */
    void *y = numbers(b * h * l * w, 0, 1), *lse = numbers(b * h * l, 0, 1);
    for (int64_t i = 0; i < b * h * l * w; i++) put(y, i, get(f.y, i));
    for (int64_t i = 0; i < b * h * l; i++) put(lse, i, get(f.lse, i));
    int64_t *drawn = integers(2, 0, 1);
    drawn[0] = (int64_t)f.seed, drawn[1] = (int64_t)f.offset;
    const steps q = apart(h, l, e), k = side_by_side(g, s, e), v = apart(g, s, w), d = apart(h, l, w);
    *(cg_attention_backward_args *)args = (cg_attention_backward_args){
        .dq = output(b * h * l * e), .dk = output(b * g * s * e), .dv = output(b * g * s * w), .dy = numbers(b * h * l * w, -1, 1),
        .q = f.q, .k = f.k, .v = f.v, .mask = f.mask, .y = y, .lse = lse, .drawn = f.drawn ? drawn : NULL, .batch = b, .heads = h,
        .k_heads = g, .length = l, .keys = s, .size = e, .v_size = w, .dq_batch = q.batch, .dq_head = q.head, .dq_row = q.row,
        .dk_batch = k.batch, .dk_head = k.head, .dk_row = k.row, .dv_batch = v.batch, .dv_head = v.head, .dv_row = v.row,
        .dy_batch = d.batch, .dy_head = d.head, .dy_row = d.row, .q_batch = f.q_batch, .q_head = f.q_head, .q_row = f.q_row,
        .k_batch = f.k_batch, .k_head = f.k_head, .k_row = f.k_row, .v_batch = f.v_batch, .v_head = f.v_head, .v_row = f.v_row,
        .y_batch = f.y_batch, .y_head = f.y_head, .y_row = f.y_row, .mask_batch = f.mask_batch, .mask_head = f.mask_head,
        .mask_row = f.mask_row, .mask_col = f.mask_col, .mask_kind = f.mask_kind, .causal = f.causal, .scale = f.scale, .p = f.p};
    return 1;
}
static void add(void *to, int64_t i, double v) { put(to, i, get(to, i) + v); }
static void attention_backward_twin(const void *args) {
    const cg_attention_backward_args *a = args;
    const uint64_t *drawn = a->drawn;
    const problem x = PROBLEM(a, drawn ? drawn[0] : 0, drawn ? drawn[1] : 0);
    const steps dq = {a->dq_batch, a->dq_head, a->dq_row}, dk = {a->dk_batch, a->dk_head, a->dk_row};
    const steps dv = {a->dv_batch, a->dv_head, a->dv_row}, dy = {a->dy_batch, a->dy_head, a->dy_row};
    const steps y = {a->y_batch, a->y_head, a->y_row};
    const int64_t g = x.heads / x.group;
    for (int64_t i = 0; i < x.batch * x.heads * x.length * x.size; i++) put(a->dq, i, 0);
    for (int64_t i = 0; i < x.batch * g * x.keys * x.size; i++) put(a->dk, i, 0);
    for (int64_t i = 0; i < x.batch * g * x.keys * x.v_size; i++) put(a->dv, i, 0);
    for (int64_t b = 0; b < x.batch; b++)
        for (int64_t h = 0; h < x.heads; h++)
            for (int64_t i = 0; i < x.length; i++) {
                const double lse = get(a->lse, (b * x.heads + h) * x.length + i);
                double d = 0;
                for (int64_t e = 0; e < x.v_size; e++) d += get(a->dy, at(dy, b, h, i, e)) * get(a->y, at(y, b, h, i, e));
                for (int64_t j = 0; j < x.keys; j++) {
                    const double p = exp(score(&x, b, h, i, j) - lse), m = kept(&x, b, h, i, j);
                    const int64_t group = h / x.group;
                    double slope = 0;
                    for (int64_t e = 0; e < x.v_size; e++) {
                        const double up = get(a->dy, at(dy, b, h, i, e));
                        slope += up * get(x.v, at(x.vs, b, group, j, e));
                        add(a->dv, at(dv, b, group, j, e), p * m * up);
                    }
                    const double ds = p * (slope * m - d) * x.scale;
                    for (int64_t e = 0; e < x.size; e++) {
                        add(a->dq, at(dq, b, h, i, e), ds * get(x.k, at(x.ks, b, group, j, e)));
                        add(a->dk, at(dk, b, group, j, e), ds * get(x.q, at(x.qs, b, h, i, e)));
                    }
                }
            }
}

static const test tests[] = {
    {CG_attention, attention_build, attention_twin, 64},
    {CG_attention_backward, attention_backward_build, attention_backward_twin, 256},
};
TESTS(head_tests, tests);
