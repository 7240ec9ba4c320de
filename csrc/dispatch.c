/* Selects the CPU level at run time. Compiled with baseline flags and without link-time optimization: this code must not use
 * the instructions that it tests for. */
#include "kernels.h"

#include <stddef.h>

#if defined(__x86_64__) || defined(_M_X64)
#include <cpuid.h>
#define CG_X86 1
#else
#define CG_X86 0
#endif

extern const cg_table cg_table_baseline;
#if CG_X86
extern const cg_table cg_table_x86_v3, cg_table_x86_v4;
#endif

const char *const cg_kernel_names[CG_KERNEL_COUNT] = {
#define KERNEL(name, walk, wide, cost, fields) #name,
#include "kernels.def"
#undef KERNEL
};

#if CG_X86
enum { YMM_STATE = 0x06, ZMM_STATE = 0xe6 }; /* bits of XCR0: Intel SDM vol. 1, 13.3 */

static int has(uint64_t value, uint64_t mask) { return (value & mask) == mask; }

/* XCR0 */
static uint64_t os_saved_state(void) {
    unsigned low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

/* Words of a leaf that the processor lacks stay 0. */
static cg_features this_processor(void) {
    cg_features f = {0, 0, 0, 0};
    unsigned a, b, c, d;
    __get_cpuid(1, &a, &b, &f.leaf1, &d);
    __get_cpuid(0x80000001u, &a, &b, &f.extended, &d);
    __get_cpuid_count(7, 0, &a, &f.leaf7, &c, &d);
    if (has(f.leaf1, bit_OSXSAVE)) f.saved_state = os_saved_state(); /* untested: every system with AVX saves its state */
    return f;
}

/* The feature sets of the x86-64 psABI's microarchitecture levels 3 and 4. */
int cg_psabi_level(cg_features f) {
    if (!has(f.leaf1, bit_FMA | bit_MOVBE | bit_OSXSAVE | bit_AVX | bit_F16C) || !has(f.extended, bit_LZCNT)) return 1;
    if (!has(f.leaf7, bit_AVX2 | bit_BMI | bit_BMI2) || !has(f.saved_state, YMM_STATE)) return 1;
    const unsigned v4 = bit_AVX512F | bit_AVX512DQ | bit_AVX512CD | bit_AVX512BW | bit_AVX512VL;
    return has(f.leaf7, v4) && has(f.saved_state, ZMM_STATE) ? 4 : 3;
}
#endif

typedef struct {
    const cg_table *table;
    int psabi; /* the x86-64 psABI level that it requires */
} level;

static const level levels[] = {
#if CG_X86
    {&cg_table_x86_v4, 4},
    {&cg_table_x86_v3, 3},
#endif
    {&cg_table_baseline, 1},
};

static const level *active = &levels[sizeof levels / sizeof *levels - 1];

int cg_level_count(void) { return sizeof levels / sizeof *levels; }
const char *cg_level_name(int i) { return levels[i].table->name; }
int cg_level(void) { return (int)(active - levels); }
void cg_use_level(int i) { active = &levels[i]; }

int cg_level_supported(int i) {
#if CG_X86
    return cg_psabi_level(this_processor()) >= levels[i].psabi;
#else
    return i >= 0;
#endif
}

cg_kernel cg_find(int kernel, int dtype) {
    const level *best = active;
    while (!best->table->run[kernel][dtype]) best++;
    return best->table->run[kernel][dtype];
}
