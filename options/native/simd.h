/* Vectors of doubles, one set of names for three instruction sets.
 *
 * SL_ISA is 512 (AVX-512 F+DQ+VL), 256 (AVX2 and FMA) or 0 (whatever the compiler's baseline is, through GCC's
 * vector extension). A vector is `vd` with SL_W lanes, a mask is `vm`. Without fast-math: NaN, infinities and
 * signed zeros behave as IEEE 754 says, and fused operations happen only where v_fma is written. */
#ifndef STRIKELOCK_SIMD_H
#define STRIKELOCK_SIMD_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifndef SL_ISA
#error "define SL_ISA before including simd.h"
#endif

#if SL_ISA
#include <immintrin.h>
#endif

#define SL_INLINE static inline __attribute__((always_inline, unused))

#if SL_ISA == 512

#define SL_W 8
typedef __m512d vd;
typedef long long vi __attribute__((vector_size(64)));
typedef unsigned long long vu __attribute__((vector_size(64)));
typedef __mmask8 vm;

SL_INLINE vd v_load(const double *p) { return _mm512_loadu_pd(p); }
SL_INLINE void v_store(double *p, vd a) { _mm512_storeu_pd(p, a); }
SL_INLINE vd v_set(double a) { return _mm512_set1_pd(a); }
SL_INLINE vd v_sqrt(vd a) { return _mm512_sqrt_pd(a); }
SL_INLINE vd v_fma(vd a, vd b, vd c) { return _mm512_fmadd_pd(a, b, c); }   /*  a b + c */
SL_INLINE vd v_fnma(vd a, vd b, vd c) { return _mm512_fnmadd_pd(a, b, c); } /* -a b + c */
SL_INLINE vd v_min(vd a, vd b) { return _mm512_min_pd(a, b); } /* b if either is NaN */
SL_INLINE vd v_max(vd a, vd b) { return _mm512_max_pd(a, b); }
SL_INLINE vd v_abs(vd a) { return _mm512_abs_pd(a); }
SL_INLINE vm v_lt(vd a, vd b) { return _mm512_cmp_pd_mask(a, b, _CMP_LT_OQ); }
SL_INLINE vm v_le(vd a, vd b) { return _mm512_cmp_pd_mask(a, b, _CMP_LE_OQ); }
SL_INLINE vm v_eq(vd a, vd b) { return _mm512_cmp_pd_mask(a, b, _CMP_EQ_OQ); }
SL_INLINE vd v_sel(vm m, vd a, vd b) { return _mm512_mask_blend_pd(m, b, a); } /* m ? a : b */
SL_INLINE vm m_and(vm a, vm b) { return (vm)(a & b); }
SL_INLINE vm m_or(vm a, vm b) { return (vm)(a | b); }
SL_INLINE vm m_xor(vm a, vm b) { return (vm)(a ^ b); }
SL_INLINE vm m_not(vm a) { return (vm)~a; }
SL_INLINE unsigned m_bits(vm a) { return a; }
SL_INLINE vd v_scale2(vd a, vd n) { return _mm512_scalef_pd(a, n); } /* a 2^n, gradual underflow */

#elif SL_ISA == 256

#define SL_W 4
typedef __m256d vd;
typedef long long vi __attribute__((vector_size(32)));
typedef unsigned long long vu __attribute__((vector_size(32)));
typedef __m256d vm;

SL_INLINE vd v_load(const double *p) { return _mm256_loadu_pd(p); }
SL_INLINE void v_store(double *p, vd a) { _mm256_storeu_pd(p, a); }
SL_INLINE vd v_set(double a) { return _mm256_set1_pd(a); }
SL_INLINE vd v_sqrt(vd a) { return _mm256_sqrt_pd(a); }
SL_INLINE vd v_fma(vd a, vd b, vd c) { return _mm256_fmadd_pd(a, b, c); }
SL_INLINE vd v_fnma(vd a, vd b, vd c) { return _mm256_fnmadd_pd(a, b, c); }
SL_INLINE vd v_min(vd a, vd b) { return _mm256_min_pd(a, b); }
SL_INLINE vd v_max(vd a, vd b) { return _mm256_max_pd(a, b); }
SL_INLINE vd v_abs(vd a) { return _mm256_andnot_pd(_mm256_set1_pd(-0.0), a); }
SL_INLINE vm v_lt(vd a, vd b) { return _mm256_cmp_pd(a, b, _CMP_LT_OQ); }
SL_INLINE vm v_le(vd a, vd b) { return _mm256_cmp_pd(a, b, _CMP_LE_OQ); }
SL_INLINE vm v_eq(vd a, vd b) { return _mm256_cmp_pd(a, b, _CMP_EQ_OQ); }
SL_INLINE vd v_sel(vm m, vd a, vd b) { return _mm256_blendv_pd(b, a, m); }
SL_INLINE vm m_and(vm a, vm b) { return _mm256_and_pd(a, b); }
SL_INLINE vm m_or(vm a, vm b) { return _mm256_or_pd(a, b); }
SL_INLINE vm m_xor(vm a, vm b) { return _mm256_xor_pd(a, b); }
SL_INLINE vm m_not(vm a) { return _mm256_xor_pd(a, _mm256_castsi256_pd(_mm256_set1_epi64x(-1))); }
SL_INLINE unsigned m_bits(vm a) { return (unsigned)_mm256_movemask_pd(a); }

#else

#define SL_W 2
typedef double vd __attribute__((vector_size(16)));
typedef long long vi __attribute__((vector_size(16)));
typedef unsigned long long vu __attribute__((vector_size(16)));
typedef vi vm;

SL_INLINE vd v_load(const double *p) { vd a; memcpy(&a, p, sizeof a); return a; }
SL_INLINE void v_store(double *p, vd a) { memcpy(p, &a, sizeof a); }
SL_INLINE vd v_set(double a) { return (vd){a, a}; }
SL_INLINE vd v_sqrt(vd a) { return (vd){__builtin_sqrt(a[0]), __builtin_sqrt(a[1])}; }
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
SL_INLINE vd v_fma(vd a, vd b, vd c) { return (vd){__builtin_fma(a[0], b[0], c[0]), __builtin_fma(a[1], b[1], c[1])}; }
SL_INLINE vd v_fnma(vd a, vd b, vd c) { return v_fma(-a, b, c); }
#define SL_HAS_FMA 1
#else
SL_INLINE vd v_fma(vd a, vd b, vd c) { return a * b + c; }
SL_INLINE vd v_fnma(vd a, vd b, vd c) { return c - a * b; }
#define SL_HAS_FMA 0
#endif
SL_INLINE vm v_lt(vd a, vd b) { return a < b; }
SL_INLINE vm v_le(vd a, vd b) { return a <= b; }
SL_INLINE vm v_eq(vd a, vd b) { return a == b; }
SL_INLINE vd v_sel(vm m, vd a, vd b) { return (vd)((m & (vi)a) | (~m & (vi)b)); }
SL_INLINE vd v_min(vd a, vd b) { return v_sel(a < b, a, b); }
SL_INLINE vd v_max(vd a, vd b) { return v_sel(a > b, a, b); }
SL_INLINE vd v_abs(vd a) { return (vd)((vu)a & 0x7fffffffffffffffULL); }
SL_INLINE vm m_and(vm a, vm b) { return a & b; }
SL_INLINE vm m_or(vm a, vm b) { return a | b; }
SL_INLINE vm m_xor(vm a, vm b) { return a ^ b; }
SL_INLINE vm m_not(vm a) { return ~a; }
SL_INLINE unsigned m_bits(vm a) { return (unsigned)(a[0] & 1) | ((unsigned)(a[1] & 1) << 1); }

#endif

#ifndef SL_HAS_FMA
#define SL_HAS_FMA 1
#endif

#define SL_ALL ((1u << SL_W) - 1u)
SL_INLINE int m_any(vm a) { return m_bits(a) != 0; }
SL_INLINE int m_all(vm a) { return m_bits(a) == SL_ALL; }
SL_INLINE vd v_zero(void) { return v_set(0.0); }
SL_INLINE vd v_neg(vd a) { return (vd)((vu)a ^ 0x8000000000000000ULL); }
SL_INLINE vd v_copysign(vd a, vd s) {
    return (vd)(((vu)a & 0x7fffffffffffffffULL) | ((vu)s & 0x8000000000000000ULL));
}
SL_INLINE double v_lane(vd a, int i) { return a[i]; }

/* Nearest integer of |a| < 2^51, as a double; adding 1.5 2^52 leaves it in the low bits of the sum. */
#define SL_ROUND_MAGIC 0x1.8p52
SL_INLINE vd v_round(vd a) { return (a + v_set(SL_ROUND_MAGIC)) - v_set(SL_ROUND_MAGIC); }
/* 2^n for an integral n within -1022..1023. */
SL_INLINE vd v_pow2i(vd n) { return (vd)(((vu)(n + v_set(SL_ROUND_MAGIC)) + 1023ULL) << 52); }

#if SL_ISA != 512
/* In two steps, so that results below the normal range lose bits gradually and those above become infinite. */
SL_INLINE vd v_scale2(vd a, vd n) {
    vd half = v_round(n * v_set(0.5));
    return a * v_pow2i(half) * v_pow2i(n - half);
}
#endif

/* c - a b, rounded once or nearly so: without a fused operation by Dekker's product of Veltkamp's halves. */
SL_INLINE vd v_residual(vd c, vd a, vd b) {
#if SL_HAS_FMA
    return v_fnma(a, b, c);
#else
    vd p = a * b, ta = a * v_set(134217729.0), tb = b * v_set(134217729.0);
    vd ah = ta - (ta - a), bh = tb - (tb - b), al = a - ah, bl = b - bh;
    vd err = ((ah * bh - p) + ah * bl + al * bh) + al * bl;
    return (c - p) - err;
#endif
}
/* a^2 - sq, for sq the rounded square. */
SL_INLINE vd v_sq_err(vd a, vd sq) { return v_neg(v_residual(sq, a, a)); }

#endif
