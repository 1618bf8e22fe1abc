#define _GNU_SOURCE
#include "blocks.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define MOST 64
#define PAGE (2u << 20)   /* a huge page */
#define SHIFT 192u        /* bytes: neighbours start on different cache sets */
#define SHIFTS 21u

static struct kept {
    void *data;
    size_t bytes;
} kept[MOST];
static int count;
static size_t total;
static unsigned turn;

static void drop(int i) {
    total -= kept[i].bytes;
    memmove(&kept[i], &kept[i + 1], sizeof kept[0] * (size_t)(count - i - 1));
    count--;
}

/* The address given out is shifted within an allocation that starts on a huge page, whose start stands before it. */
static void *unshifted(void *data) { return ((void **)data)[-1]; }

void *sl_block_take(size_t bytes) {
    void *start;
    char *data;
    for (int i = count - 1; i >= 0; i--)
        if (kept[i].bytes == bytes) {
            void *found = kept[i].data;
            drop(i);
            return found;
        }
    if (posix_memalign(&start, PAGE, bytes + SHIFT * (SHIFTS + 1)) != 0) return NULL;
#ifdef MADV_HUGEPAGE
    madvise(start, bytes, MADV_HUGEPAGE);
#endif
    data = (char *)start + SHIFT * (1 + turn++ % SHIFTS);
    ((void **)data)[-1] = start;
    return data;
}

void sl_block_give(void *data, size_t bytes) {
    if (bytes > SL_BLOCKS_KEPT / 2) {
        free(unshifted(data));
        return;
    }
    while (count == MOST || (count > 0 && total + bytes > SL_BLOCKS_KEPT)) { /* the oldest go first */
        void *old = kept[0].data;
        drop(0);
        free(unshifted(old));
    }
    kept[count].data = data;
    kept[count++].bytes = bytes;
    total += bytes;
}
