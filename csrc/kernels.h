/* The argument blocks, numbers and tables that kernels.def makes.
 *
 * A kernel is a share of work: `kernel(args, share)` does part `share.index` of
 * `share.count` of the launch that `args` describes. See README.md. */
#ifndef CYGRAD_KERNELS_H
#define CYGRAD_KERNELS_H

#include <stdint.h>

/* Bytes of working memory, 64-byte aligned, that every share may overwrite. */
#define CG_SCRATCH_BYTES (4 << 20)

typedef struct {
    int64_t index, count;
    void *scratch;
} cg_share;

typedef void (*cg_kernel)(const void *args, cg_share share);

/* One argument block a kernel: cg_<name>_args. */
#define OUT(p) void *p;
#define IN(p) const void *p;
#define OUTS(p) void *const *p;
#define INS(p) const void *const *p;
#define IDX(p) const int64_t *p;
#define N(n) int64_t n;
#define S(s) double s;
#define SEED(s) uint64_t s;
#define KERNEL(name, fields) typedef struct { fields } cg_##name##_args;
#include "kernels.def"
#undef KERNEL
#undef OUT
#undef IN
#undef OUTS
#undef INS
#undef IDX
#undef N
#undef S
#undef SEED

/* One number a kernel: CG_<name>. */
#define KERNEL(name, fields) CG_##name,
enum {
#include "kernels.def"
    CG_KERNEL_COUNT
};
#undef KERNEL

enum { CG_FLOAT32, CG_FLOAT64, CG_DTYPE_COUNT };

/* The whole list, compiled for one CPU level. */
typedef struct {
    const char *name;
    cg_kernel run[CG_KERNEL_COUNT][CG_DTYPE_COUNT];
} cg_table;

/* dispatch.c: the levels of this build, best first, and the one in use. */
extern const char *const cg_kernel_names[CG_KERNEL_COUNT];
int cg_level_count(void);
const char *cg_level_name(int level);
int cg_level_supported(int level);
int cg_level(void);
void cg_use_level(int level);
cg_kernel cg_find(int kernel, int dtype);

/* Seen from outside the library, by tools that look for the threads of a process. */
#if defined(_WIN32)
#define CG_PUBLIC __declspec(dllexport)
#else
#define CG_PUBLIC __attribute__((visibility("default")))
#endif

/* pool.c: runs a launch, on as many threads as its cost (in nanoseconds of one core, roughly)
 * pays for. The results do not depend on how many those are. Returns 0, or -1 where there is no
 * memory to work in. */
int cg_run(cg_kernel kernel, const void *args, double cost);
int64_t cg_shares(double cost, int threads); /* how many shares that cost pays for, at least one */
void cg_use_one_thread(int only); /* whether launches of the calling thread run on it alone */
int cg_uses_one_thread(void);
CG_PUBLIC int cg_num_threads(void);
CG_PUBLIC void cg_set_num_threads(int threads);

#endif
