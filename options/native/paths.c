/* Picks a build of the path kernel, and spreads blocks of paths over threads. */
#include "paths.h"

#include <string.h>

#include "driver.h"

extern const struct sl_path_kernels sl_paths_baseline;
#if defined(__x86_64__)
extern const struct sl_path_kernels sl_paths_avx2;
extern const struct sl_path_kernels sl_paths_avx512;

static int has_avx512(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
}
static int has_avx2(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
}
#endif

const struct sl_path_kernels *sl_paths_build(const char *name) {
    int any = strcmp(name, "auto") == 0;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if ((any || strcmp(name, "avx512") == 0) && has_avx512()) return &sl_paths_avx512;
    if ((any || strcmp(name, "avx2") == 0) && has_avx2()) return &sl_paths_avx2;
#endif
    if (any || strcmp(name, "baseline") == 0) return &sl_paths_baseline;
    return NULL;
}

const char *sl_paths_name(const struct sl_path_kernels *build) { return build->name; }

void sl_philox(uint32_t c[4], const uint32_t k[2]) {
    uint32_t k0 = k[0], k1 = k[1];
    for (int i = 0; i < 10; i++, k0 += 0x9E3779B9U, k1 += 0xBB67AE85U) {
        uint64_t p0 = (uint64_t)0xD2511F53U * c[0], p1 = (uint64_t)0xCD9E8D57U * c[2];
        c[0] = (uint32_t)(p1 >> 32) ^ c[1] ^ k0;
        c[2] = (uint32_t)(p0 >> 32) ^ c[3] ^ k1;
        c[1] = (uint32_t)p1;
        c[3] = (uint32_t)p0;
    }
}

struct run {
    const struct sl_path_kernels *build;
    const struct sl_asian *asian;
    const struct sl_walk *walk;
    void (*block)(const struct sl_walk *, uint64_t, size_t, size_t, double *);
    uint64_t first;
    size_t paths;
    double *out;
};

static size_t size_of(const struct run *run, size_t block) {
    size_t left = run->paths - block * SL_PATH_BLOCK;
    return left < SL_PATH_BLOCK ? left : SL_PATH_BLOCK;
}

static void sum_block(void *context, size_t block) {
    const struct run *run = context;
    run->build->asian(run->asian, run->first + block * SL_PATH_BLOCK, size_of(run, block), run->out + block * SL_SUMS);
}

static void row_block(void *context, size_t block) {
    const struct run *run = context;
    size_t at = block * SL_PATH_BLOCK;
    size_t stride = (run->paths + SL_PAD - 1) / SL_PAD * SL_PAD;
    run->block(run->walk, run->first + at, size_of(run, block), stride, run->out + at);
}

static size_t blocks(size_t paths) { return (paths + SL_PATH_BLOCK - 1) / SL_PATH_BLOCK; }

void sl_asian_sums(const struct sl_path_kernels *build, const struct sl_asian *asian, uint64_t first, size_t paths,
                   int threads, double *out) {
    struct run run = {build, asian, NULL, NULL, first, paths, out};
    sl_parallel(sum_block, &run, blocks(paths), threads);
}

void sl_summaries(const struct sl_path_kernels *build, const struct sl_walk *walk, uint64_t first, size_t paths,
                  int threads, double *out) {
    struct run run = {build, NULL, walk, build->summaries, first, paths, out};
    sl_parallel(row_block, &run, blocks(paths), threads);
}

void sl_trails(const struct sl_path_kernels *build, const struct sl_walk *walk, uint64_t first, size_t paths, int threads,
               double *out) {
    struct run run = {build, NULL, walk, build->trails, first, paths, out};
    sl_parallel(row_block, &run, blocks(paths), threads);
}

void sl_normal(const struct sl_path_kernels *build, size_t n, const double *x, double *out) {
    size_t whole = n / SL_PAD * SL_PAD, rest = n - whole;
    double lanes[2][SL_PAD] = {{0}};
    build->normal(whole, x, out);
    if (!rest) return;
    memcpy(lanes[0], x + whole, rest * sizeof(double));
    build->normal(SL_PAD, lanes[0], lanes[1]);
    memcpy(out + whole, lanes[1], rest * sizeof(double));
}

void sl_tilted_normal(const struct sl_path_kernels *build, size_t n, const double *weight, const double *tail,
                      const double *x, double *out) {
    size_t whole = n / SL_PAD * SL_PAD, rest = n - whole;
    double lanes[4][SL_PAD] = {{0}};
    build->tilted(whole, weight, tail, x, out);
    if (!rest) return;
    memcpy(lanes[0], weight + whole, rest * sizeof(double));
    memcpy(lanes[1], tail + whole, rest * sizeof(double));
    memcpy(lanes[2], x + whole, rest * sizeof(double));
    build->tilted(SL_PAD, lanes[0], lanes[1], lanes[2], lanes[3]);
    memcpy(out + whole, lanes[3], rest * sizeof(double));
}
