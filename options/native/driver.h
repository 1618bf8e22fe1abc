/* Runs a block function over arrays of any shape and strides, in one or more threads. */
#ifndef STRIKELOCK_DRIVER_H
#define STRIKELOCK_DRIVER_H

#include <stddef.h>

#include "kernels.h"

#define SL_MAX_DIMS 32

enum sl_layout { SL_CONSTANT, SL_CONTIGUOUS, SL_STRIDED };

/* One input as it lies in memory; strides in bytes over the job's shape, 0 where it is broadcast. */
struct sl_input {
    const char *data;
    enum sl_layout layout;
    ptrdiff_t strides[SL_MAX_DIMS];
};

struct sl_job {
    sl_block block;
    int inputs, outputs, dims;
    size_t shape[SL_MAX_DIMS];
    size_t count; /* product of the shape */
    struct sl_input input[SL_MAX_INPUTS];
    double *out[SL_MAX_OUTPUTS]; /* contiguous, in C order, count elements each */
};

/* Fills in every input's layout from its strides. */
void sl_prepare(struct sl_job *job);
/* Runs the job; no more threads than asked for, than processors this process may use, or than the work fills. */
void sl_run(const struct sl_job *job, int threads);

/* Calls work(context, index) once for every index below count, spread over at most `threads` threads. */
void sl_parallel(void (*work)(void *context, size_t index), void *context, size_t count, int threads);
/* Threads to use for a request: 0 asks for all processors this process may use, more is cut to that. */
int sl_thread_count(int requested);

#endif
