/* Recurrent layers. */
#include "harness.h"

/* Columns of a panel at the active level: two vectors. */
static int64_t panel(void) {
    const char *level = cg_level_name(cg_level());
    const int64_t bytes = !strcmp(level, "x86_v4") ? 64 : !strcmp(level, "x86_v3") ? 32 : 16;
    return 2 * bytes / (precision == CG_FLOAT32 ? 4 : 8);
}

/* k, n, whether columns are contiguous, else rows; 2: every second column */
static const int64_t MATRICES[][3] = {{0, 5, 0}, {5, 0, 0}, {1, 1, 0}, {3, 7, 1}, {17, 33, 0}, {17, 33, 1}, {33, 100, 2}, {9, 64, 1}};
static int pack_columns_build(void *args, int variant) {
    if (variant >= COUNT(MATRICES)) return 0;
    const int64_t k = MATRICES[variant][0], n = MATRICES[variant][1], form = MATRICES[variant][2], width = panel();
    *(cg_pack_columns_args *)args = (cg_pack_columns_args){
        output((n + width - 1) / width * width * k), numbers(2 * k * n, -1, 1), k, n, form == 1 ? 1 : form == 2 ? 2 * n : n,
        form == 1 ? k : form == 2 ? 2 : 1};
    return 1;
}
static void pack_columns_twin(const void *args) {
    const cg_pack_columns_args *a = args;
    const int64_t width = panel(), lanes = width / 2, padded = (a->n + lanes - 1) / lanes * lanes;
    for (int64_t p = 0; p < a->k; p++)
        for (int64_t j = 0; j < padded; j++)
            put(a->packed, j / width * width * a->k + p * width + j % width,
                j < a->n ? get(a->w, p * a->row + j * a->col) : 0);
}

/* Element (p, j) of a packed matrix of k rows. */
static double packed_at(const void *packed, int64_t k, int64_t p, int64_t j) {
    const int64_t width = panel();
    return get(packed, j / width * width * k + p * width + j % width);
}
static void *packed_numbers(int64_t k, int64_t n) {
    const double bound = 1 / sqrt((double)k + 1);
    return numbers((n + panel() - 1) / panel() * panel() * k, -bound, bound);
}

enum { RELU, TANH, GRU = 3, LSTM };
static const int64_t KINDS[] = {RELU, TANH, GRU, LSTM};

/* steps, batch, hidden, whether sequences have different lengths */
static const int64_t LAYERS[][4] = {{0, 3, 4, 0}, {3, 0, 4, 0}, {3, 2, 0, 0}, {1, 1, 1, 0}, {3, 5, 7, 0}, {2, 17, 16, 0}, {4, 9, 33, 1},
                                    {5, 3, 3, 1}, {2, 67, 5, 0}, {2, 3, 65, 0}, {2, 3, 256, 0}, {2, 2, 1024, 0}};
enum { FORMS = 4 }; /* reversed or not, with and without first states, bias and what comes from above */

/* The rows before each step, falling by two. */
static int64_t *starts_for(const int64_t *s) {
    int64_t values[8] = {0};
    if (!s[3]) return NULL;
    for (int64_t t = 0; t < s[0]; t++) values[t + 1] = values[t] + (s[1] - 2 * t > 1 ? s[1] - 2 * t : 1);
    return listed(s[0] + 1, values);
}
static int64_t before(const int64_t *starts, int64_t batch, int64_t t) { return starts ? starts[t] : t * batch; }
static int64_t gates_of(int64_t kind) { return kind ? kind : 1; }
static double at_or_zero(const void *p, int64_t i) { return p ? get(p, i) : 0; }
static double logistic(double x) { return 1 / (1 + exp(-x)); }

static int recurrent_build(void *args, int variant) {
    if (variant >= FORMS * COUNT(KINDS) * COUNT(LAYERS)) return 0;
    const int64_t *s = LAYERS[variant / (FORMS * COUNT(KINDS))], kind = KINDS[variant / FORMS % COUNT(KINDS)], form = variant % FORMS;
    const int64_t batch = s[1], n = s[2], width = gates_of(kind) * n, *starts = starts_for(s);
    const int64_t rows = before(starts, batch, s[0]);
    void *gates = output_from(rows * width, -1, 1);
    *(cg_recurrent_args *)args = (cg_recurrent_args){
        kind < GRU ? gates : output(rows * n), kind < GRU ? NULL : output(rows * n), gates, output(batch * n),
        kind == LSTM ? output(batch * n) : NULL, form < 2 ? numbers(batch * n, -1, 1) : NULL,
        kind == LSTM && form < 2 ? numbers(batch * n, -1, 1) : NULL, packed_numbers(n, width), form % 2 ? numbers(width, -1, 1) : NULL,
        starts, s[0], batch, n, kind, form == 1 || form == 2};
    return 1;
}
/* One row of one step. */
static void recurrent_row(const cg_recurrent_args *a, int64_t row, int64_t i) {
    const int64_t n = a->hidden, width = gates_of(a->kind) * n;
    double *z = malloc((width + 1) * sizeof(double)), *p = malloc((width + 1) * sizeof(double));
    for (int64_t j = 0; j < width; j++) {
        p[j] = at_or_zero(a->bias, j);
        for (int64_t q = 0; q < n; q++) p[j] += get(a->h, i * n + q) * packed_at(a->weight, n, q, j);
        z[j] = get(a->gates, row * width + j) + (a->kind == GRU && j >= 2 * n ? 0 : p[j]);
    }
    for (int64_t j = 0; j < n; j++) {
        double h;
        if (a->kind == LSTM) {
            const double in = logistic(z[j]), f = logistic(z[n + j]), g = tanh(z[2 * n + j]), o = logistic(z[3 * n + j]);
            const double c = f * get(a->c, i * n + j) + in * g, gates[] = {in, f, g, o};
            h = o * tanh(c);
            put(a->c, i * n + j, c), put(a->kept, row * n + j, c);
            for (int q = 0; q < 4; q++) put(a->gates, row * width + q * n + j, gates[q]);
        } else if (a->kind == GRU) {
            const double r = logistic(z[j]), u = logistic(z[n + j]), m = tanh(z[2 * n + j] + r * p[2 * n + j]), gates[] = {r, u, m};
            h = (1 - u) * m + u * get(a->h, i * n + j);
            put(a->kept, row * n + j, p[2 * n + j]);
            for (int q = 0; q < 3; q++) put(a->gates, row * width + q * n + j, gates[q]);
        } else h = a->kind == RELU ? fmax(z[j], 0) : tanh(z[j]);
        put(a->y, row * n + j, h);
    }
    for (int64_t j = 0; j < n; j++) put(a->h, i * n + j, get(a->y, row * n + j));
    free(z), free(p);
}
static void recurrent_twin(const void *args) {
    const cg_recurrent_args *a = args;
    for (int64_t k = 0; k < a->batch * a->hidden; k++) {
        put(a->h, k, at_or_zero(a->h0, k));
        if (a->c) put(a->c, k, at_or_zero(a->c0, k));
    }
    for (int64_t step = 0; step < a->steps; step++) {
        const int64_t t = a->reverse ? a->steps - 1 - step : step, first = before(a->starts, a->batch, t);
        for (int64_t row = first; row < before(a->starts, a->batch, t + 1); row++) recurrent_row(a, row, row - first);
    }
}

static int recurrent_backward_build(void *args, int variant) {
    if (variant >= FORMS * COUNT(KINDS) * COUNT(LAYERS)) return 0;
    const int64_t *s = LAYERS[variant / (FORMS * COUNT(KINDS))], kind = KINDS[variant / FORMS % COUNT(KINDS)], form = variant % FORMS;
    const int64_t batch = s[1], n = s[2], width = gates_of(kind) * n, *starts = starts_for(s);
    const int64_t rows = before(starts, batch, s[0]);
    *(cg_recurrent_backward_args *)args = (cg_recurrent_backward_args){
        output(rows * (kind == GRU ? 4 * n : width)), output(batch * n), kind == LSTM ? output(batch * n) : NULL,
        form != 3 ? numbers(2 * rows * n + n, -1, 1) : NULL, form % 2 ? numbers(batch * n, -1, 1) : NULL,
        kind == LSTM && form % 2 ? numbers(batch * n, -1, 1) : NULL, numbers(rows * n, -0.9, 0.9),
        kind < GRU ? NULL : numbers(rows * n, -1, 1), numbers(rows * width, kind < GRU ? -0.9 : 0.1, 0.9),
        form < 2 ? numbers(batch * n, -1, 1) : NULL, kind == LSTM && form < 2 ? numbers(batch * n, -1, 1) : NULL,
        packed_numbers(width, n), starts, s[0], batch, n, kind, form == 1 || form == 2, form == 1 ? n : batch * n + 1,
        form == 1 && !starts ? s[0] * n : n};
    return 1;
}
/* dz of one element, and the part of dh that does not come from the product; `prior` is h or c of the step before. */
static double backward_element(const cg_recurrent_backward_args *a, int64_t t, int64_t row, int64_t i, int64_t j, double prior) {
    const int64_t n = a->hidden, width = gates_of(a->kind) * n;
    const void *z = a->gates;
    const double d = get(a->dh, i * n + j) + at_or_zero(a->dy, (a->starts ? row * n : t * a->dy_step + i * a->dy_row) + j);
    if (a->kind == LSTM) {
        const double in = get(z, row * width + j), f = get(z, row * width + n + j), g = get(z, row * width + 2 * n + j);
        const double o = get(z, row * width + 3 * n + j), t = tanh(get(a->kept, row * n + j));
        const double dc = get(a->dc, i * n + j) + d * o * (1 - t * t);
        const double dz[] = {dc * g * in * (1 - in), dc * prior * f * (1 - f), dc * in * (1 - g * g), d * t * o * (1 - o)};
        for (int q = 0; q < 4; q++) put(a->dz, row * width + q * n + j, dz[q]);
        put(a->dc, i * n + j, dc * f);
        return 0;
    }
    if (a->kind == GRU) {
        const double r = get(z, row * width + j), u = get(z, row * width + n + j), m = get(z, row * width + 2 * n + j);
        const double dm = d * (1 - u) * (1 - m * m), dr = dm * get(a->kept, row * n + j) * r * (1 - r);
        const double dz[] = {dm, dr, d * (prior - m) * u * (1 - u), dm * r};
        for (int q = 0; q < 4; q++) put(a->dz, row * 4 * n + q * n + j, dz[q]);
        return d * u;
    }
    const double y = get(z, row * n + j);
    put(a->dz, row * n + j, a->kind == RELU ? (y <= 0 ? 0 : d) : d * (1 - y * y));
    return 0;
}
static void recurrent_backward_twin(const void *args) {
    const cg_recurrent_backward_args *a = args;
    const int64_t n = a->hidden, width = gates_of(a->kind) * n, stride = a->kind == GRU ? 4 * n : width, from = a->kind == GRU ? n : 0;
    const void *states = a->kind == LSTM ? a->kept : a->y, *initial = a->kind == LSTM ? a->c0 : a->h0;
    for (int64_t k = 0; k < a->batch * n; k++) {
        put(a->dh, k, at_or_zero(a->dh_n, k));
        if (a->dc) put(a->dc, k, at_or_zero(a->dc_n, k));
    }
    for (int64_t step = a->steps - 1; step >= 0; step--) {
        const int64_t t = a->reverse ? a->steps - 1 - step : step, p = a->reverse ? t + 1 : t - 1;
        const int64_t first = before(a->starts, a->batch, t), rows = before(a->starts, a->batch, t + 1) - first;
        for (int64_t i = 0; i < rows; i++) {
            const int64_t row = first + i;
            const int follows = step && i < before(a->starts, a->batch, p + 1) - before(a->starts, a->batch, p);
            for (int64_t j = 0; j < n; j++) {
                const int64_t at = follows ? (before(a->starts, a->batch, p) + i) * n + j : i * n + j;
                const double rest = backward_element(a, t, row, i, j, follows ? get(states, at) : at_or_zero(initial, at));
                if (step || a->h0 || a->kind == GRU) put(a->dh, i * n + j, rest);
            }
            if (!step && !a->h0) continue;
            for (int64_t j = 0; j < n; j++) {
                double sum = get(a->dh, i * n + j);
                for (int64_t q = 0; q < width; q++) sum += get(a->dz, row * stride + from + q) * packed_at(a->weight, width, q, j);
                put(a->dh, i * n + j, sum);
            }
        }
    }
}

static const test tests[] = {
    {CG_pack_columns, pack_columns_build, pack_columns_twin, 0},
    {CG_recurrent, recurrent_build, recurrent_twin, 64},
    {CG_recurrent_backward, recurrent_backward_build, recurrent_backward_twin, 64},
};
TESTS(recurrent_tests, tests);
