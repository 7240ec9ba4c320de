/* The allocator of arrays. It caches released blocks, so that a steady training step requests no memory from the system and
 * causes no page faults. Thread-safe, and safe after fork. */
#ifndef CYGRAD_ALLOCATOR_H
#define CYGRAD_ALLOCATOR_H

#include <stddef.h>
#include <stdint.h>

/* The alignment of every block, in bytes. */
#define CG_ALIGNMENT 64

/* Arrays of at least so many bytes come from this allocator. Smaller ones are left to malloc(), which reuses memory without
 * system calls. Where all are, a sanitizer sees the end of each of them: -DCG_POOL_BYTES=INT64_MAX. */
#ifndef CG_POOL_BYTES
#define CG_POOL_BYTES 8192
#endif

typedef struct {
    int64_t in_use;      /* bytes in allocated blocks */
    int64_t peak_in_use; /* the maximum of in_use */
    int64_t cached;      /* bytes in released blocks, for reuse */
    int64_t reused;      /* requests served from the cache */
    int64_t from_system; /* requests served by the system */
} cg_memory_stats;

void *cg_allocate(size_t bytes); /* NULL if out of memory */
void cg_release(void *block);    /* NULL is allowed */
size_t cg_block_bytes(const void *block);

/* malloc() and calloc(), through which all memory of this project is requested. */
void *cg_malloc(size_t bytes);
void *cg_calloc(size_t count, size_t bytes);

/* In a debug build, the n-th request to the system from now on finds no memory, for n > 0. Returns how many requests there
 * have been since the last call, −1 in other builds. */
int64_t cg_fail_request(int64_t n);

cg_memory_stats cg_memory(void);
void cg_reset_peak(void);
void cg_empty_cache(void);
void cg_limit_cache(int64_t bytes);

#endif
