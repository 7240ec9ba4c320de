/* Memory for arrays: blocks that are kept when freed, so that a steady training step takes no page from
 * the system and faults none in. Thread-safe, and safe after fork. */
#ifndef CYGRAD_MEMORY_H
#define CYGRAD_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* Every block begins at a multiple of this many bytes. */
#define CG_ALIGNMENT 64

typedef struct {
    int64_t in_use;      /* bytes handed out */
    int64_t peak_in_use; /* the most that in_use has been */
    int64_t cached;      /* bytes kept for reuse */
    int64_t reused;      /* requests that a kept block answered */
    int64_t from_system; /* requests that went to the system */
} cg_memory_stats;

void *cg_allocate(size_t bytes); /* NULL where there is none */
void cg_release(void *block);    /* NULL is allowed */
size_t cg_block_bytes(const void *block);

cg_memory_stats cg_memory(void);
void cg_reset_peak(void);
void cg_empty_cache(void);
void cg_limit_cache(int64_t bytes);

#endif
