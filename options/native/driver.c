#define _GNU_SOURCE
#include "driver.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define BLOCK 256            /* elements: a block's inputs stay in the first-level cache */
#define CHUNK (64 * BLOCK)   /* elements one thread takes at a time */
#define MAX_THREADS 256

int sl_thread_count(int requested) {
    int available = 1;
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) available = CPU_COUNT(&set);
#else
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    if (online > 0) available = (int)online;
#endif
    if (available > MAX_THREADS) available = MAX_THREADS;
    return requested <= 0 || requested > available ? available : requested;
}

struct team {
    void (*work)(void *, size_t);
    void *context;
    size_t count;
    atomic_size_t next;
};

static void *member(void *argument) {
    struct team *team = argument;
    for (size_t i; (i = atomic_fetch_add(&team->next, 1)) < team->count;) team->work(team->context, i);
    return NULL;
}

/* Threads live for one call: nothing to clean up at exit or after a fork, and none idle beside other pools. */
void sl_parallel(void (*work)(void *, size_t), void *context, size_t count, int threads) {
    pthread_t others[MAX_THREADS];
    struct team team = {work, context, count, 0};
    int started = 0, wanted = threads == 1 ? 1 : sl_thread_count(threads);
    if ((size_t)wanted > count) wanted = (int)count;
    while (started < wanted - 1 && pthread_create(&others[started], NULL, member, &team) == 0) started++;
    member(&team);
    for (int i = 0; i < started; i++) pthread_join(others[i], NULL);
}

void sl_prepare(struct sl_job *job) {
    for (int k = 0; k < job->inputs; k++) {
        struct sl_input *in = &job->input[k];
        ptrdiff_t dense = sizeof(double);
        int constant = 1, contiguous = 1;
        for (int d = job->dims - 1; d >= 0; d--) {
            if (job->shape[d] == 1) continue;
            if (in->strides[d] != 0) constant = 0;
            if (in->strides[d] != dense) contiguous = 0;
            dense *= (ptrdiff_t)job->shape[d];
        }
        in->layout = constant ? SL_CONSTANT : contiguous ? SL_CONTIGUOUS : SL_STRIDED;
    }
}

static void gather(const struct sl_job *job, const struct sl_input *in, size_t start, size_t n, double *to) {
    size_t index[SL_MAX_DIMS];
    const char *at = in->data;
    int last = job->dims - 1;
    for (int d = last; d >= 0; d--) {
        index[d] = start % job->shape[d];
        start /= job->shape[d];
        at += (ptrdiff_t)index[d] * in->strides[d];
    }
    for (size_t done = 0; done < n;) {
        size_t run = job->shape[last] - index[last];
        ptrdiff_t step = in->strides[last];
        if (run > n - done) run = n - done;
        for (size_t i = 0; i < run; i++) memcpy(&to[done + i], at + (ptrdiff_t)i * step, sizeof(double));
        done += run;
        at += (ptrdiff_t)run * step;
        index[last] += run;
        for (int d = last; d > 0 && index[d] == job->shape[d]; d--) {
            at += in->strides[d - 1] - (ptrdiff_t)job->shape[d] * in->strides[d];
            index[d] = 0;
            index[d - 1]++;
        }
    }
}

/* One chunk: whole blocks straight from and to memory where it is contiguous, the rest through buffers. */
static void run_chunk(void *context, size_t chunk) {
    const struct sl_job *job = context;
    double in_buffer[SL_MAX_INPUTS][BLOCK] __attribute__((aligned(64)));
    double out_buffer[SL_MAX_OUTPUTS][BLOCK] __attribute__((aligned(64)));
    const double *in[SL_MAX_INPUTS] = {0};
    double *out[SL_MAX_OUTPUTS] = {0};
    size_t at = chunk * CHUNK, end = at + CHUNK < job->count ? at + CHUNK : job->count;
    for (int k = 0; k < job->inputs; k++) {
        if (job->input[k].layout != SL_CONSTANT) continue;
        size_t fill = end - at < BLOCK ? (end - at + SL_PAD - 1) / SL_PAD * SL_PAD : BLOCK;
        for (size_t i = 0; i < fill; i++) in_buffer[k][i] = *(const double *)job->input[k].data;
        in[k] = in_buffer[k];
    }
    while (at < end) {
        size_t n = end - at < BLOCK ? end - at : BLOCK, whole = n / SL_PAD * SL_PAD, padded = n;
        if (whole) n = padded = whole;
        else padded = SL_PAD;
        for (int k = 0; k < job->inputs; k++) {
            const struct sl_input *input = &job->input[k];
            if (input->layout == SL_CONSTANT) continue;
            if (input->layout == SL_CONTIGUOUS && padded == n) {
                in[k] = (const double *)input->data + at;
                continue;
            }
            if (input->layout == SL_CONTIGUOUS) memcpy(in_buffer[k], (const double *)input->data + at, n * sizeof(double));
            else gather(job, input, at, n, in_buffer[k]);
            for (size_t i = n; i < padded; i++) in_buffer[k][i] = in_buffer[k][0];
            in[k] = in_buffer[k];
        }
        for (int k = 0; k < job->outputs; k++) out[k] = padded == n ? job->out[k] + at : out_buffer[k];
        job->block(padded, in, out);
        for (int k = 0; padded != n && k < job->outputs; k++) memcpy(job->out[k] + at, out_buffer[k], n * sizeof(double));
        at += n;
    }
}

void sl_run(const struct sl_job *job, int threads) {
    size_t chunks = (job->count + CHUNK - 1) / CHUNK;
    sl_parallel(run_chunk, (void *)job, chunks, threads);
}
