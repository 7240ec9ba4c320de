/* Rows of tokens, int64 [rows, cols], the first lengths[i] of them valid: dropped, swapped, replaced and inserted, each
 * with probability p. J. Wei, K. Zou (2019), "EDA: easy data augmentation techniques for boosting performance on text
 * classification tasks". Token j of row i draws the four words of counter offset + i·⌈cols/8⌉·8 + j. Both
 * precisions are one code. Synonyms of token t are synonyms[starts[t]] to synonyms[starts[t + 1] − 1]; tokens outside 0…vocabulary − 1
 * have none. */

#if CG_REAL_BITS == 32

typedef struct { uint32_t word[4]; } NAME(draw);

/* The words for token j of a row that starts at counter `first`; `words` caches their group. */
INLINE NAME(draw) NAME(draw_of)(uint32_t *words, uint64_t seed, uint64_t first, int64_t j) {
    const int64_t q = 2 * (j % PHILOX_WIDTH);
    if (q == 0) cg_philox(words, seed, first + (uint64_t)j);
    return (NAME(draw)){{words[q], words[q + 1], words[2 * PHILOX_WIDTH + q], words[2 * PHILOX_WIDTH + q + 1]}};
}

/* A word scaled to 0 … n − 1. */
INLINE int64_t NAME(below)(uint32_t word, int64_t n) { return (int64_t)((uint64_t)word * (uint64_t)n >> 32); }

/* One of the token's synonyms, or `none`. */
INLINE int64_t NAME(synonym)(const int64_t *starts, const int64_t *synonyms, int64_t vocabulary, int64_t token, uint32_t word,
                             int64_t none) {
    if (token < 0 || token >= vocabulary || starts[token] == starts[token + 1]) return none;
    return synonyms[starts[token] + NAME(below)(word, starts[token + 1] - starts[token])];
}

/* For every row of the share: its tokens x and y, their count n, and for each token j its draw d. */
#define EACH_ROW(out_cols)                                                                                     \
    const int64_t cols = a->cols, width = (out_cols);                                                          \
    const uint64_t limit = (uint64_t)(a->p * 4294967296.0);                                                    \
    const uint64_t draws = (uint64_t)cg_ceil_div(cols, PHILOX_WIDTH) * PHILOX_WIDTH;                           \
    cg_range r = cg_part(a->rows, cg_max(1, CG_BLOCK / cg_max(1, cols)), share);                               \
    for (int64_t i = r.begin; i < r.end; i++)
#define ROW                                                                                                    \
    const int64_t *restrict x = a->x + i * cols, n = a->lengths[i];                                            \
    const uint64_t first = a->offset + (uint64_t)i * draws;                                                    \
    int64_t *restrict y = (int64_t *)a->y + i * width;                                                         \
    uint32_t words[PHILOX_GROUP];
#define EACH_TOKEN                                                                                             \
    for (int64_t j = 0; j < n; j++)
#define DRAW const NAME(draw) d = NAME(draw_of)(words, a->seed, first, j); const int chosen = d.word[0] < limit;

/* y: the remaining tokens, at least one, then `padding`; kept[i] is their count. */
KERNEL_BODY(drop_tokens) {
    EACH_ROW(cols) {
        ROW
        int64_t kept = 0, only = 0;
        EACH_TOKEN {
            DRAW
            if (j == 0) only = NAME(below)(d.word[1], n);
            if (!chosen) y[kept++] = x[j];
        }
        if (n > 0 && kept == 0) y[kept++] = x[only];
        ((int64_t *)a->kept)[i] = kept;
        for (int64_t j = kept; j < width; j++) y[j] = a->padding;
    }
}

/* y: each token in turn is swapped with another of its row. */
KERNEL_BODY(swap_tokens) {
    EACH_ROW(cols) {
        ROW
        memcpy(y, x, cols * sizeof(int64_t));
        EACH_TOKEN {
            DRAW
            if (!chosen || n < 2) continue;
            int64_t other = NAME(below)(d.word[1], n - 1);
            other += other >= j;
            const int64_t token = y[j];
            y[j] = y[other], y[other] = token;
        }
    }
}

/* y: a token is replaced by one of its synonyms, if it has any. */
KERNEL_BODY(replace_tokens) {
    EACH_ROW(cols) {
        ROW
        memcpy(y, x, cols * sizeof(int64_t));
        EACH_TOKEN {
            DRAW
            if (chosen) y[j] = NAME(synonym)(a->starts, a->synonyms, a->vocabulary, x[j], d.word[1], x[j]);
        }
    }
}

/* y [rows, 2·cols]: a synonym of one of the row's tokens, if it has any, is inserted before a token; then `padding`.
 * kept[i] is the new count of tokens. */
KERNEL_BODY(insert_tokens) {
    EACH_ROW(2 * cols) {
        ROW
        int64_t kept = 0;
        EACH_TOKEN {
            DRAW
            const int64_t like = x[NAME(below)(d.word[1], n)];
            const int64_t found = NAME(synonym)(a->starts, a->synonyms, a->vocabulary, like, d.word[2], INT64_MIN);
            if (chosen && found != INT64_MIN) y[kept++] = found;
            y[kept++] = x[j];
        }
        ((int64_t *)a->kept)[i] = kept;
        for (int64_t j = kept; j < width; j++) y[j] = a->padding;
    }
}

#undef EACH_ROW
#undef ROW
#undef EACH_TOKEN
#undef DRAW

#else
#define drop_tokens_kernel_f64 drop_tokens_kernel_f32
#define swap_tokens_kernel_f64 swap_tokens_kernel_f32
#define replace_tokens_kernel_f64 replace_tokens_kernel_f32
#define insert_tokens_kernel_f64 insert_tokens_kernel_f32
#endif
