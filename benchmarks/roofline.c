/* What this processor can do at best, for the rows of `strikelock bench pricing`: the same work in plain C, inlined
 * in one loop, with nothing around it: no checks, no edges, no dispatch, no Python. Build and run:
 *
 *     cc -O3 -march=native -ffp-contract=off -fno-math-errno -Ioptions/native benchmarks/roofline.c -lm -o roofline
 *     ./roofline
 *
 * Prints one JSON object: processor time for each option, or for one grid, the best of several runs. */
#if defined(__AVX512F__) && defined(__AVX512DQ__)
#define SL_ISA 512
#elif defined(__AVX2__) && defined(__FMA__)
#define SL_ISA 256
#else
#define SL_ISA 0
#endif
#include "vmath.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define OPTIONS 1000000L
#define BOOK 128
#define SCENARIOS 33

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); /* other processes do not count */
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static unsigned long long state = 20240229;
static double uniform(double low, double high) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return low + (high - low) * (double)(state >> 11) * 0x1p-53;
}

static double *column(long n, double low, double high) {
    double *a = aligned_alloc(64, (size_t)(n + 8) * sizeof(double));
    for (long i = 0; a && i < n + 8; i++) a[i] = uniform(low, high);
    return a;
}

static double *s, *k, *t, *vol, *r, *out[10];

/* Call and put: one logarithm, one root, two exponentials, two tails. */
static void call_put(void) {
    for (long i = 0; i < OPTIONS; i += SL_W) {
        vd S = v_load(s + i), K = v_load(k + i), T = v_load(t + i), R = v_load(r + i);
        vd v = v_load(vol + i) * v_sqrt(T), a2 = K * v_exp(v_neg(R * T));
        vd m = (v_log_ratio(S, K) + R * T) / v, half = v * v_set(0.5), dist = v_abs(m);
        vd a = half - dist, low = v_min(S, a2), g = low * v_exp(v_set(-0.5) * a * a), tail = g * v_tail(v_abs(a));
        vd w = v_sel(v_lt(v_zero(), a), low - tail, tail) - g * v_tail(half + dist), diff = S - a2;
        v_store(out[0] + i, w + v_max(diff, v_zero()));
        v_store(out[1] + i, w + v_max(v_neg(diff), v_zero()));
    }
}

static void greeks(void) {
    for (long i = 0; i < OPTIONS; i += SL_W) {
        vd S = v_load(s + i), K = v_load(k + i), T = v_load(t + i), R = v_load(r + i), sigma = v_load(vol + i);
        vd root = v_sqrt(T), v = sigma * root, a2 = K * v_exp(v_neg(R * T)), one = v_set(1.0);
        vd m = (v_log_ratio(S, K) + R * T) / v, half = v * v_set(0.5);
        vd d1 = m + half, d2 = m - half, g = S * v_exp(v_set(-0.5) * d1 * d1);
        vd t1 = g * v_tail(v_abs(d1)), t2 = g * v_tail(v_abs(d2)), inv_s = one / S, inv_v = one / v;
        vd leg1 = v_sel(v_lt(v_zero(), d1), S - t1, t1), leg2 = v_sel(v_lt(v_zero(), d2), a2 - t2, t2);
        vd price = leg1 - leg2, density = g * v_set(SL_INV_SQRT_2PI), inv_vol = root * inv_v;
        vd inv_root = sigma * inv_v, inv_t = inv_root * inv_root, vega = density * root, ds = density * inv_s;
        v_store(out[0] + i, price);
        v_store(out[1] + i, price - S + a2);
        v_store(out[2] + i, leg1 * inv_s);
        v_store(out[3] + i, ds * inv_s * inv_v);
        v_store(out[4] + i, vega);
        v_store(out[5] + i, v_neg(v_fma(density * v * inv_t, v_set(0.5), R * leg2)));
        v_store(out[6] + i, T * leg2);
        v_store(out[7] + i, v_neg(ds * d2 * inv_vol));
        v_store(out[8] + i, vega * d1 * d2 * inv_vol);
        v_store(out[9] + i, v_neg(ds * v_fma(d2 * v_set(-0.5), inv_t, R * inv_v)));
    }
}

/* The memory alone: five columns read, two written. */
static void traffic(void) {
    for (long i = 0; i < OPTIONS; i += SL_W) {
        vd sum = v_load(s + i) + v_load(k + i) + v_load(t + i), other = v_load(vol + i) + v_load(r + i);
        v_store(out[0] + i, sum);
        v_store(out[1] + i, other);
    }
}

static void scenarios(void) {
    double x[BOOK], a2[BOOK], root[BOOK];
    for (int i = 0; i < BOOK; i += SL_W) {
        vd S = v_load(s + i), K = v_load(k + i), T = v_load(t + i), R = v_load(r + i);
        v_store(x + i, v_log_ratio(S, K) + R * T);
        v_store(a2 + i, K * v_exp(v_neg(R * T)));
        v_store(root + i, v_sqrt(T));
    }
    for (int j = 0; j < SCENARIOS; j++) {
        vd factor = v_set(1.0 + 0.01 * j), moved = v_log(factor), shift = v_set(0.002 * j);
        for (int i = 0; i < BOOK; i += SL_W) {
            vd a1 = v_load(s + i) * factor, b2 = v_load(a2 + i), v = (v_load(vol + i) + shift) * v_load(root + i);
            vd dist = v_abs((v_load(x + i) + moved) / v), half = v * v_set(0.5), a = half - dist, low = v_min(a1, b2);
            vd g = low * v_exp(v_set(-0.5) * a * a), tail = g * v_tail(v_abs(a));
            vd w = v_sel(v_lt(v_zero(), a), low - tail, tail) - g * v_tail(half + dist);
            v_store(out[0] + j * BOOK + i, w + v_max(a1 - b2, v_zero()));
        }
    }
}

static double best(void (*work)(void), int runs, double per) {
    double least = 1e300;
    for (int i = 0; i < runs; i++) {
        double start = now();
        work();
        double took = now() - start;
        if (took < least) least = took;
    }
    return least / per;
}

int main(void) {
    s = column(OPTIONS, 80, 120);
    k = column(OPTIONS, 80, 120);
    t = column(OPTIONS, 0.1, 1.1);
    vol = column(OPTIONS, 0.1, 0.6);
    r = column(OPTIONS, 0.0, 0.05);
    for (int i = 0; i < 10; i++) out[i] = column(OPTIONS, 0, 1);
    printf("{\"lanes\": %d, \"memory_ns\": %.3f, \"european_ns\": %.3f, \"greeks_ns\": %.3f, \"scenario_us\": %.3f}\n",
           SL_W, best(traffic, 15, OPTIONS), best(call_put, 15, OPTIONS), best(greeks, 15, OPTIONS),
           best(scenarios, 400, 1000.0));
    return 0;
}
