/* The argument blocks and the index of kernels, from kernels.def; the levels; the runner of launches.
 *
 * A kernel does one share of the work of a launch: `kernel(args, share)` does share `share.index` of `share.count` of the
 * launch that `args` describes. See README.md. */
#ifndef CYGRAD_KERNELS_H
#define CYGRAD_KERNELS_H

#include <stdint.h>

/* Elements in a block. The size of a block never depends on the number of shares, so that no result does. */
#ifndef CG_BLOCK
#define CG_BLOCK 4096
#endif

/* Elements for which relu_masked writes one group of mask bits: 64 bytes. */
#define CG_MASK_GROUP 512
_Static_assert(CG_BLOCK % CG_MASK_GROUP == 0, "blocks must hold whole groups of mask bits");

/* Bytes of working memory, 64-byte aligned, that every share may overwrite. */
#define CG_SCRATCH_BYTES (4 << 20)

/* Attention: kinds of masks (none; bytes, 0 for a hidden key; numbers that are added), queries in a block and in a single
 * block, and the bytes of working memory for their weights, behind that of the products. */
enum { CG_ATTENTION_OPEN, CG_ATTENTION_BYTES, CG_ATTENTION_NUMBERS };
enum { CG_ATTENTION_ROWS = 64, CG_ATTENTION_SINGLE = 96, CG_ATTENTION_MEMORY = 1280 << 10 };

/* The distance of two rows of weights: whole vectors of every level. */
static inline int64_t cg_attention_width(int64_t keys) { return (keys + 15) / 16 * 16; }

/* The queries of a block: fewer if two rows of weights for each, of numbers of `bytes`, would not fit. */
static inline int64_t cg_attention_rows(int64_t length, int64_t keys, int64_t bytes) {
    const int64_t row = 2 * bytes * (keys > 0 ? cg_attention_width(keys) : 1);
    const int64_t fit = row < CG_ATTENTION_MEMORY ? CG_ATTENTION_MEMORY / row : 1;
    const int64_t rows = length > CG_ATTENTION_SINGLE ? CG_ATTENTION_ROWS : length > 0 ? length : 1;
    return rows < fit ? rows : fit;
}

typedef struct {
    int64_t index, count;
    void *scratch;
} cg_share;

typedef void (*cg_kernel)(const void *args, cg_share share);

/* The argument block of each kernel: cg_<name>_args. */
#define FIELD(type, name, traits) type name;
#define KERNEL(name, walk, wide, cost, fields) typedef struct { fields } cg_##name##_args;
#include "kernels.def"
#undef KERNEL
#undef FIELD

/* The index of each kernel: CG_<name>. */
#define KERNEL(name, walk, wide, cost, fields) CG_##name,
enum {
#include "kernels.def"
    CG_KERNEL_COUNT
};
#undef KERNEL

enum { CG_FLOAT32, CG_FLOAT64, CG_DTYPE_COUNT };

/* All kernels, compiled for one CPU level. NULL: the kernel of the next lower level serves this one too. */
typedef struct {
    const char *name;
    cg_kernel run[CG_KERNEL_COUNT][CG_DTYPE_COUNT];
} cg_table;

/* dispatch.c: the levels of this build, best first, and the active one. */
extern const char *const cg_kernel_names[CG_KERNEL_COUNT];
int cg_level_count(void);
const char *cg_level_name(int level);
int cg_level_supported(int level);
int cg_level(void);
void cg_use_level(int level);
cg_kernel cg_find(int kernel, int dtype);

/* What an x86-64 processor and the operating system say: register c of CPUID leaf 1, b of leaf 7, c of leaf 80000001h, and the
 * bits of XCR0. */
typedef struct {
    unsigned leaf1, leaf7, extended;
    uint64_t saved_state;
} cg_features;
int cg_psabi_level(cg_features features); /* 1, 3 or 4 */

/* Exported for tools such as threadpoolctl, which look for the thread pools of a process. */
#if defined(_WIN32)
#define CG_PUBLIC __declspec(dllexport)
#else
#define CG_PUBLIC __attribute__((visibility("default")))
#endif

/* pool.c: runs a launch on as many threads as its cost (nanoseconds on one core, roughly) justifies. Results do not depend
 * on the thread count. Returns 0, or -1 if working memory could not be allocated. */
int cg_run(cg_kernel kernel, const void *args, double cost);
/* The number of shares that a cost justifies where each must have a cost of at least `least`; at least 1. */
int64_t cg_shares(double cost, double least, int threads);
void cg_use_one_thread(int only); /* whether launches from the calling thread stay on it */
int cg_uses_one_thread(void);
CG_PUBLIC int cg_num_threads(void);
CG_PUBLIC void cg_set_num_threads(int threads);

#endif
