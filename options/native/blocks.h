/* Memory for large results. A fresh array of megabytes costs more in page faults than the prices in it; blocks that
 * were freed are kept, up to a bound, and used again. Call under a lock. */
#ifndef STRIKELOCK_BLOCKS_H
#define STRIKELOCK_BLOCKS_H

#include <stddef.h>

#define SL_BLOCK_LEAST (1u << 20)       /* bytes: below it the allocator does as well */
#define SL_BLOCKS_KEPT (256u << 20)     /* bytes kept for reuse at most */

/* A block of that many bytes, aligned for vectors; NULL if memory is out. */
void *sl_block_take(size_t bytes);
/* Gives it back; it is kept or freed. */
void sl_block_give(void *data, size_t bytes);

#endif
