/* The allocator of arrays. It caches released blocks, so that a steady training step requests no memory from the system and
 * causes no page faults. Thread-safe, and safe after fork. */
#ifndef CYGRAD_ALLOCATOR_H
#define CYGRAD_ALLOCATOR_H

#include <stddef.h>
#include <stdint.h>

/* The alignment of every block, in bytes. */
#define CG_ALIGNMENT 64

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

cg_memory_stats cg_memory(void);
void cg_reset_peak(void);
void cg_empty_cache(void);
void cg_limit_cache(int64_t bytes);

#endif
