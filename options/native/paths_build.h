/* The body of one build of the path kernel: included by paths_<isa>.c after it has set SL_ISA and its target.
 *
 * Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011), one path
 * per lane, two steps per call: its four words make one radius and one angle of Box and Muller's transform. */
#include "paths.h"
#include "vmath.h"

#define PHILOX_M0 0xD2511F53ULL
#define PHILOX_M1 0xCD9E8D57ULL
#define PHILOX_W0 0x9E3779B9U
#define PHILOX_W1 0xBB67AE85U
#define PHILOX_ROUNDS 10

/* The product of the low 32 bits of each lane; the high bits of the operands don't matter. */
#if SL_ISA == 512
SL_INLINE vu v_mul32(vu a, uint64_t m) { return (vu)_mm512_mul_epu32((__m512i)a, _mm512_set1_epi64((long long)m)); }
#elif SL_ISA == 256
SL_INLINE vu v_mul32(vu a, uint64_t m) { return (vu)_mm256_mul_epu32((__m256i)a, _mm256_set1_epi64x((long long)m)); }
#elif defined(__SSE2__)
#include <emmintrin.h>
SL_INLINE vu v_mul32(vu a, uint64_t m) { return (vu)_mm_mul_epu32((__m128i)a, _mm_set1_epi64x((long long)m)); }
#else
SL_INLINE vu v_mul32(vu a, uint64_t m) { return (a & 0xffffffffULL) * m; }
#endif

struct round_keys {
    uint64_t first[PHILOX_ROUNDS], second[PHILOX_ROUNDS];
};

SL_INLINE struct round_keys schedule(uint64_t seed) {
    struct round_keys keys;
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int i = 0; i < PHILOX_ROUNDS; i++, k0 += PHILOX_W0, k1 += PHILOX_W1) {
        keys.first[i] = k0;
        keys.second[i] = k1;
    }
    return keys;
}

/* sin and cos of |x| <= pi/4, less than an ulp off; Taylor series, whose next terms are below 2^-54. */
SL_INLINE void v_sincos(vd x, vd *sine, vd *cosine) {
    static const double s[7] = {-0x1.5555555555555p-3,  0x1.1111111111111p-7,  -0x1.a01a01a01a01ap-13, 0x1.71de3a556c734p-19,
                                -0x1.ae64567f544e4p-26, 0x1.6124613a86d09p-33, -0x1.ae7f3e733b81fp-41};
    static const double c[7] = {0x1.5555555555555p-5,   -0x1.6c16c16c16c17p-10, 0x1.a01a01a01a01ap-16, -0x1.27e4fb7789f5cp-22,
                                0x1.1eed8eff8d898p-29, -0x1.93974a8c07c9dp-37, 0x1.ae7f3e733b81fp-45};
    vd z = x * x;
    *sine = v_fma(x * z, v_poly(z, s, 7), x);
    *cosine = v_fma(z * z, v_poly(z, c, 7), v_fnma(z, v_set(0.5), v_set(1.0)));
}

/* 52 random bits as a number in (0, 1), never at an end. */
SL_INLINE vd v_unit(vu bits) {
    return (vd)((bits >> 12) | 0x3ff0000000000000ULL) - v_set(1.0 - 0x1p-53);
}

/* Steps go in runs: first the random bits of all, then the normals, then the prices. Each loop's iterations are short
 * and independent, so that the processor has several under way; fused, one step waits for the last. */
#define RUN 32 /* steps, an even number */

/* Two words of 64 random bits for each pair of steps. */
SL_INLINE void v_bits(vu path, uint64_t pair, size_t pairs, uint64_t stream, const struct round_keys *keys, vu *bits) {
    for (size_t p = 0; p < pairs; p++) {
        vu c0 = path, c1 = path >> 32, c2 = (vu){0} + (pair + p), c3 = (vu){0} + stream;
#pragma GCC unroll 10
        for (int i = 0; i < PHILOX_ROUNDS; i++) {
            vu p0 = v_mul32(c0, PHILOX_M0), p1 = v_mul32(c2, PHILOX_M1);
            c0 = (p1 >> 32) ^ c1 ^ keys->first[i];
            c2 = (p0 >> 32) ^ c3 ^ keys->second[i];
            c1 = p1;
            c3 = p0;
        }
        bits[2 * p] = (c0 & 0xffffffffULL) | (c1 << 32);
        bits[2 * p + 1] = (c2 & 0xffffffffULL) | (c3 << 32);
    }
}

/* Two independent normals for each pair: the angle is pi/4 + x with |x| < pi/4, and two spare bits its quadrant. */
SL_INLINE void v_normals(size_t pairs, const vu *bits, vd *normals) {
    for (size_t p = 0; p < pairs; p++) {
        vu angle = bits[2 * p + 1];
        vd radius = v_sqrt(v_neg(v_log(v_unit(bits[2 * p]))));
        vd sine, cosine;
        v_sincos((v_unit(angle) - v_set(0.5)) * v_set(0x1.921fb54442d18p0), &sine, &cosine);
        normals[2 * p] = (vd)((vu)(radius * (cosine - sine)) ^ (angle << 63));
        normals[2 * p + 1] = (vd)((vu)(radius * (cosine + sine)) ^ ((angle << 62) & 0x8000000000000000ULL));
    }
}

SL_INLINE vu v_paths(uint64_t first) {
    vu lanes = {0};
    for (int i = 0; i < SL_W; i++) lanes[i] = first + (uint64_t)i;
    return lanes;
}

SL_INLINE vm v_below(uint64_t first, uint64_t end) {
    vd lanes = v_zero();
    for (int i = 0; i < SL_W; i++) lanes[i] = (double)i;
    return v_lt(lanes, v_set((double)(int64_t)(end - first)));
}

/* What a group of SL_W paths gathers on its way. */
struct gathered {
    vd last, sum_log, least, greatest, sum;
};

SL_INLINE struct gathered walk_group(const struct sl_walk *walk, const struct round_keys *keys, uint64_t first, int range,
                                     size_t stride, double *trail) {
    struct gathered g = {v_zero(), v_zero(), v_set(INFINITY), v_set(-INFINITY), v_zero()};
    vu path = v_paths(first), bits[RUN];
    vd drift = v_set(walk->drift), scale = v_set(walk->scale), normals[RUN];
    for (size_t at = 0; at < walk->steps; at += RUN) {
        size_t steps = walk->steps - at < RUN ? walk->steps - at : RUN;
        v_bits(path, at / 2, (steps + 1) / 2, walk->stream, keys, bits);
        v_normals((steps + 1) / 2, bits, normals);
        for (size_t s = 0; s < steps; s++) {
            g.last = g.last + v_fma(scale, normals[s], drift);
            g.sum_log = g.sum_log + g.last;
            if (trail) v_store(trail + (at + s) * stride, g.last);
            else g.sum = g.sum + v_exp(g.last);
            if (!range) continue;
            g.least = v_min(g.least, g.last);
            g.greatest = v_max(g.greatest, g.last);
        }
    }
    return g;
}

static void asian_block(const struct sl_asian *asian, uint64_t first, size_t paths, double *sums) {
    const struct round_keys keys = schedule(asian->walk.seed);
    vd share = v_set(1.0 / asian->walk.steps), spot = v_set(asian->spot), strike = v_set(asian->strike);
    vd sign = v_set(asian->sign), total[SL_SUMS];
    for (int k = 0; k < SL_SUMS; k++) total[k] = v_zero();
    for (size_t at = 0; at < paths; at += SL_W) {
        struct gathered g = walk_group(&asian->walk, &keys, first + at, 0, 0, NULL);
        vd payoff = v_max(sign * (spot * (g.sum * share) - strike), v_zero());
        vd control = v_max(sign * (spot * v_exp(g.sum_log * share) - strike), v_zero());
        vm wanted = v_below(at, paths);
        vd y = v_sel(wanted, control, v_zero()), d = v_sel(wanted, payoff - control, v_zero());
        total[SL_SUM_D] = total[SL_SUM_D] + d;
        total[SL_SUM_DD] = v_fma(d, d, total[SL_SUM_DD]);
        total[SL_SUM_DY] = v_fma(d, y, total[SL_SUM_DY]);
        total[SL_SUM_Y] = total[SL_SUM_Y] + y;
        total[SL_SUM_YY] = v_fma(y, y, total[SL_SUM_YY]);
    }
    for (int k = 0; k < SL_SUMS; k++) {
        sums[k] = 0.0;
        for (int i = 0; i < SL_W; i++) sums[k] += v_lane(total[k], i);
    }
}

static void summaries_block(const struct sl_walk *walk, uint64_t first, size_t paths, size_t stride, double *out) {
    const struct round_keys keys = schedule(walk->seed);
    vd share = v_set(1.0 / walk->steps);
    for (size_t at = 0; at < paths; at += SL_W) {
        struct gathered g = walk_group(walk, &keys, first + at, 1, 0, NULL);
        v_store(out + SL_LAST * stride + at, g.last);
        v_store(out + SL_MEAN_LOG * stride + at, g.sum_log * share);
        v_store(out + SL_LEAST * stride + at, g.least);
        v_store(out + SL_GREATEST * stride + at, g.greatest);
        v_store(out + SL_MEAN * stride + at, g.sum * share);
    }
}

static void trails_block(const struct sl_walk *walk, uint64_t first, size_t paths, size_t stride, double *out) {
    const struct round_keys keys = schedule(walk->seed);
    for (size_t at = 0; at < paths; at += SL_W) walk_group(walk, &keys, first + at, 0, stride, out + at);
}

static void normal_block(size_t n, const double *x, double *out) {
    for (size_t i = 0; i < n; i += SL_W) v_store(out + i, v_cdf(v_load(x + i)));
}

/* In the lower tail exp(tail) N(x) / exp(-x^2 / 2), elsewhere exp(weight) N(x): see options/exotics/normal.py. */
static void tilted_block(size_t n, const double *weight, const double *tail, const double *x, double *out) {
    for (size_t i = 0; i < n; i += SL_W) {
        vd at = v_load(x + i), a = v_abs(at);
        vd far = v_sel(v_lt(v_set(1e20), a), v_set(1e20), a), near = v_sel(v_lt(v_set(40.0), a), v_set(40.0), a);
        vd ratio = v_tail(far);
        vd lower = v_exp(v_load(tail + i)) * ratio;
        vd upper = v_exp(v_load(weight + i)) * v_fnma(v_gauss(near), ratio, v_set(1.0));
        v_store(out + i, v_sel(v_lt(at, v_zero()), lower, upper));
    }
}

const struct sl_path_kernels SL_TABLE = {
    .name = SL_NAME,
    .asian = asian_block,
    .summaries = summaries_block,
    .trails = trails_block,
    .normal = normal_block,
    .tilted = tilted_block,
};
