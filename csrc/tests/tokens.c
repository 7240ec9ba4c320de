/* Rows of tokens dropped, swapped, replaced and inserted. The words of a token come from one counter each, so the twins
 * know no groups. */
#include "harness.h"

static const int64_t SHAPES[][2] = {{0, 3}, {1, 1}, {3, 5}, {7, 8}, {4, 9}, {300, 33}}; /* rows, cols */
static const double RATES[] = {0, 0.4, 1};
enum { VOCABULARY = 6, PADDING = -7 };
static const int64_t STARTS[VOCABULARY + 1] = {0, 2, 2, 3, 7, 7, 8}, SYNONYMS[] = {3, 4, 9, 1, 2, 3, 0, 5};
static const uint64_t SEED_OF_ALL = 0x123456789abcdefu, OFFSET_OF_ALL = 0xfffffff0u;

static int64_t *lengths_of(int64_t rows, int64_t cols) { return integers(rows, 0, cols + 1); }
static void draw(uint64_t seed, uint64_t offset, int64_t i, int64_t cols, int64_t j, uint32_t *words) {
    philox(seed, offset + (uint64_t)(i * ((cols + 7) / 8 * 8) + j), words);
}
static int chosen(double p, uint32_t word) { return word < p * 4294967296.0; }
static int64_t below(uint32_t word, int64_t n) { return (int64_t)((double)word / 4294967296.0 * (double)n); }

#define SIZE_AND_RATE                                                   \
    if (variant >= COUNT(RATES) * COUNT(SHAPES)) return 0;              \
    const int64_t rows = SHAPES[variant / 3][0], cols = SHAPES[variant / 3][1]; \
    const double p = RATES[variant % 3];

static int drop_tokens_build(void *args, int variant) {
    SIZE_AND_RATE
    *(cg_drop_tokens_args *)args = (cg_drop_tokens_args){integers_output(rows * cols), integers_output(rows),
        integers(rows * cols, -1, 8), lengths_of(rows, cols), rows, cols, PADDING, p, SEED_OF_ALL, OFFSET_OF_ALL};
    return 1;
}
static void drop_tokens_twin(const void *args) {
    const cg_drop_tokens_args *a = args;
    for (int64_t i = 0; i < a->rows; i++) {
        int64_t n = 0, *y = (int64_t *)a->y + i * a->cols;
        uint32_t words[4];
        for (int64_t j = 0; j < a->lengths[i]; j++) {
            draw(a->seed, a->offset, i, a->cols, j, words);
            if (!chosen(a->p, words[0])) y[n++] = a->x[i * a->cols + j];
        }
        if (n == 0 && a->lengths[i] > 0) {
            draw(a->seed, a->offset, i, a->cols, 0, words);
            y[n++] = a->x[i * a->cols + below(words[1], a->lengths[i])];
        }
        ((int64_t *)a->kept)[i] = n;
        while (n < a->cols) y[n++] = a->padding;
    }
}

static int swap_tokens_build(void *args, int variant) {
    SIZE_AND_RATE
    *(cg_swap_tokens_args *)args = (cg_swap_tokens_args){integers_output(rows * cols), integers(rows * cols, -1, 8),
        lengths_of(rows, cols), rows, cols, p, SEED_OF_ALL, OFFSET_OF_ALL};
    return 1;
}
static void swap_tokens_twin(const void *args) {
    const cg_swap_tokens_args *a = args;
    for (int64_t i = 0; i < a->rows; i++) {
        int64_t *y = (int64_t *)a->y + i * a->cols;
        for (int64_t j = 0; j < a->cols; j++) y[j] = a->x[i * a->cols + j];
        for (int64_t j = 0; j < a->lengths[i] && a->lengths[i] > 1; j++) {
            uint32_t words[4];
            draw(a->seed, a->offset, i, a->cols, j, words);
            int64_t other = below(words[1], a->lengths[i] - 1);
            if (other >= j) other++;
            if (chosen(a->p, words[0])) {
                const int64_t token = y[j];
                y[j] = y[other];
                y[other] = token;
            }
        }
    }
}

static int64_t synonym(int64_t token, uint32_t word, int64_t none) {
    if (token < 0 || token >= VOCABULARY) return none;
    const int64_t n = STARTS[token + 1] - STARTS[token];
    return n ? SYNONYMS[STARTS[token] + below(word, n)] : none;
}
static int replace_tokens_build(void *args, int variant) {
    SIZE_AND_RATE
    *(cg_replace_tokens_args *)args = (cg_replace_tokens_args){integers_output(rows * cols), integers(rows * cols, -1, 8),
        lengths_of(rows, cols), listed(VOCABULARY + 1, STARTS), listed(COUNT(SYNONYMS), SYNONYMS), rows, cols, VOCABULARY, p,
        SEED_OF_ALL, OFFSET_OF_ALL};
    return 1;
}
static void replace_tokens_twin(const void *args) {
    const cg_replace_tokens_args *a = args;
    for (int64_t at = 0; at < a->rows * a->cols; at++) {
        const int64_t i = at / a->cols, j = at % a->cols, token = a->x[at];
        uint32_t words[4];
        draw(a->seed, a->offset, i, a->cols, j, words);
        ((int64_t *)a->y)[at] = j < a->lengths[i] && chosen(a->p, words[0]) ? synonym(token, words[1], token) : token;
    }
}

static int insert_tokens_build(void *args, int variant) {
    SIZE_AND_RATE
    *(cg_insert_tokens_args *)args = (cg_insert_tokens_args){integers_output(2 * rows * cols), integers_output(rows),
        integers(rows * cols, -1, 8), lengths_of(rows, cols), listed(VOCABULARY + 1, STARTS),
        listed(COUNT(SYNONYMS), SYNONYMS), rows, cols, VOCABULARY, PADDING, p, SEED_OF_ALL, OFFSET_OF_ALL};
    return 1;
}
static void insert_tokens_twin(const void *args) {
    const cg_insert_tokens_args *a = args;
    for (int64_t i = 0; i < a->rows; i++) {
        const int64_t *x = a->x + i * a->cols, none = -1000;
        int64_t n = 0, *y = (int64_t *)a->y + 2 * i * a->cols;
        for (int64_t j = 0; j < a->lengths[i]; j++) {
            uint32_t words[4];
            draw(a->seed, a->offset, i, a->cols, j, words);
            const int64_t found = synonym(x[below(words[1], a->lengths[i])], words[2], none);
            if (chosen(a->p, words[0]) && found != none) y[n++] = found;
            y[n++] = x[j];
        }
        ((int64_t *)a->kept)[i] = n;
        while (n < 2 * a->cols) y[n++] = a->padding;
    }
}

#define TEST(name) {CG_##name, name##_build, name##_twin, 0}
static const test tests[] = {TEST(drop_tokens), TEST(swap_tokens), TEST(replace_tokens), TEST(insert_tokens)};
TESTS(token_tests, tests);
