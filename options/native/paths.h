/* Simulated paths of a geometric Brownian motion: what the three builds of the kernel offer to the binding.
 *
 * Every normal is a function of (seed, stream, path, step) alone, by a counter-based generator: the result of a run
 * does not depend on how its paths are spread over threads. */
#ifndef STRIKELOCK_PATHS_H
#define STRIKELOCK_PATHS_H

#include <stddef.h>
#include <stdint.h>

#define SL_PATH_BLOCK 512 /* paths whose sums are added up together, in order: a multiple of the widest vector */

/* The logarithm of price over spot starts at 0 and moves by drift + scale * normal in each step. */
struct sl_walk {
    uint64_t seed;
    uint32_t stream;
    uint32_t steps;
    double drift, scale;
};

/* Payoffs on the arithmetic mean, and on the geometric mean as their control; sign is +1 or -1. */
struct sl_asian {
    struct sl_walk walk;
    double sign, spot, strike;
};

/* With y the control's payoff and d the difference of payoffs: sums of d, d^2, d y, y, y^2. */
enum { SL_SUM_D, SL_SUM_DD, SL_SUM_DY, SL_SUM_Y, SL_SUM_YY, SL_SUMS };

/* Per path: the final logarithm, its mean, its least and greatest value over the steps, the mean price over spot. */
enum { SL_LAST, SL_MEAN_LOG, SL_LEAST, SL_GREATEST, SL_MEAN, SL_SUMMARIES };

/* Philox4x32-10 on the host's words: c and k in, c out. */
void sl_philox(uint32_t c[4], const uint32_t k[2]);

/* The entry points take a build's name ("avx512", "avx2", "baseline", "auto"); sl_paths_build says which is meant,
 * NULL if it is unknown or the processor lacks it. first counts paths and is a multiple of SL_PATH_BLOCK. */
const struct sl_path_kernels *sl_paths_build(const char *name);
const char *sl_paths_name(const struct sl_path_kernels *build);

/* out: SL_SUMS doubles per block of paths. */
void sl_asian_sums(const struct sl_path_kernels *build, const struct sl_asian *asian, uint64_t first, size_t paths,
                   int threads, double *out);
/* A row of the following holds one double per path and is a multiple of SL_PAD long, as `paths` rounded up.
 * out: SL_SUMMARIES rows. */
void sl_summaries(const struct sl_path_kernels *build, const struct sl_walk *walk, uint64_t first, size_t paths,
                  int threads, double *out);
/* out: walk->steps rows, the logarithm after each step. */
void sl_trails(const struct sl_path_kernels *build, const struct sl_walk *walk, uint64_t first, size_t paths,
               int threads, double *out);

/* The normal distribution function of n numbers; and exp(weight) times it where tail = weight - x^2 / 2 is known. */
void sl_normal(const struct sl_path_kernels *build, size_t n, const double *x, double *out);
void sl_tilted_normal(const struct sl_path_kernels *build, size_t n, const double *weight, const double *tail,
                      const double *x, double *out);

/* One block of at most SL_PATH_BLOCK paths; `stride` is the length of a row of out. A group of lanes is written
 * whole, so the last may run over `paths` into the padding of its row. */
struct sl_path_kernels {
    const char *name;
    void (*asian)(const struct sl_asian *asian, uint64_t first, size_t paths, double *sums);
    void (*summaries)(const struct sl_walk *walk, uint64_t first, size_t paths, size_t stride, double *out);
    void (*trails)(const struct sl_walk *walk, uint64_t first, size_t paths, size_t stride, double *out);
    /* n is a multiple of SL_PAD */
    void (*normal)(size_t n, const double *x, double *out);
    void (*tilted)(size_t n, const double *weight, const double *tail, const double *x, double *out);
};

#endif
