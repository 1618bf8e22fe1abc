/* Implied volatility of European options, to the precision the price allows.
 *
 * With the option out of the money, x = |log(F/K)|, s = vol sqrt(T), h = x/s, t = s/2 and the scaled tail
 * T(a) = N(-a) exp(a^2/2), the time value as a share of its bound min(F, K) is
 *     b = exp(-(h-t)^2/2) (T(h-t) - T(h+t)),      and      1 - b = exp(-(h-t)^2/2) (T(t-h) + T(t+h)).
 * Three regions, each with an objective that is nearly linear there: far below the inflection point
 * s = sqrt(2x) it is (-2 log b)^(-1/2), which the wing makes proportional to s; from there to b = 1/2 it is log b;
 * above, log(1 - b), so that no digit is lost under the upper bound. Three Householder steps of order four suffice
 * from the guesses below (worst after two: 9e-12). The difference of tails is summed as a Taylor series
 * where it cancels. The choice of regions and of logarithmic objectives follows P. Jaeckel, "Let's be rational"
 * (Wilmott, 2015); guesses, series and code are this module's own. */
#ifndef STRIKELOCK_IMPLIED_H
#define STRIKELOCK_IMPLIED_H

#include "kernels.h"
#include "vmath.h"

#define IV_STEPS 3

/* log(s/k) as v_log_ratio, with the quotient's rounding error put back; *rest is what the result leaves out. */
SL_INLINE vd v_log_ratio_exact(vd s, vd k, vd *rest) {
    vi shift = ((vi)s - (vi)k + 0x0008000000000000LL) & (long long)0xfff0000000000000ULL;
    vd ks = (vd)((vi)k + shift);
    vd e = (vd)((((vu)shift + 0x8000000000000000ULL) >> 52) | 0x4330000000000000ULL) - v_set(0x1p52 + 2048.0);
    vd num = s - ks, den = s + ks; /* num is exact: s/ks is within 1/2..2 */
    vd big = v_max(s, ks), den_low = v_min(s, ks) - (den - big);
    vd inv = v_set(1.0) / den;
    vd t = num * inv;
    vd t_low = v_fnma(t, den_low, v_residual(num, t, den)) * inv;
    vd z = t * t;
    vd low = v_fma(t * z, v_poly(z, SL_LOG_P, 8), v_fma(e, v_set(SL_LN2_LO), v_set(2.0) * t_low));
    vd whole = e * v_set(SL_LN2_HI), twice = t + t; /* whole is exact, and 0 or more than twice twice */
    vd head = whole + twice;
    vd from = v_sel(v_eq(e, v_zero()), twice, whole), other = v_sel(v_eq(e, v_zero()), whole, twice);
    low = low + (other - (head - from));
    vd result = head + low;
    *rest = low - (result - head);
    return result;
}

/* T(a) for a > -0.83: below zero T(a) = exp(a^2/2) - T(-a). */
SL_INLINE vd iv_tail(vd a) {
    vd right = v_tail(v_abs(a));
    vm left = v_lt(a, v_zero());
    if (!m_any(left)) return right;
    vd u = v_min(v_set(0.5) * a * a, v_set(0.34));
    vd grown = v_set(1.0) + v_fma(u * u, v_poly(u, SL_EXP_Q, 10), u);
    return v_sel(left, grown - right, right);
}

/* T(h-t) - T(h+t) for small t: odd derivatives of T, by their recurrence. Eight terms: t <= 1/4. */
SL_INLINE vd iv_series(vd h, vd t) {
    static const double inverse_factorial[8] = {1.0, 0x1.5555555555555p-3, 0x1.1111111111111p-7,
                                                0x1.a01a01a01a01ap-13, 0x1.71de3a556c734p-19,
                                                0x1.ae64567f544e4p-26, 0x1.6124613a86d09p-33,
                                                0x1.ae7f3e733b81fp-41};
    /* each way to the first derivative is the better one on its side: relative errors count near zero, the tail's own far out */
    vd u0 = v_tail(h), near = v_fnma(h, u0, v_set(SL_INV_SQRT_2PI)), odd[8];
    vd u1 = v_sel(v_lt(h, v_set(0.5)), near, v_poly_split(h, h * h, SL_SLOPE_P, 11) / v_poly_split(h, h * h, SL_SLOPE_Q, 13));
    odd[0] = u1;
#pragma GCC unroll 8
    for (int n = 1; n < 8; n++) {
        vd u2 = v_fnma(h, u1, v_set(2.0 * n - 1.0) * u0);
        u0 = u2;
        u1 = v_fnma(h, u2, v_set(2.0 * n) * u1);
        odd[n] = u1;
    }
    vd z = t * t, sum = odd[7] * v_set(inverse_factorial[7]);
#pragma GCC unroll 8
    for (int n = 6; n >= 0; n--) sum = v_fma(sum, z, odd[n] * v_set(inverse_factorial[n]));
    return v_set(2.0) * t * sum;
}

/* Quantile a of the upper tail, N(-a) = p for p <= 1/2, to 5e-4 (Abramowitz and Stegun 26.2.23). */
SL_INLINE vd iv_quantile(vd p) {
    vd t = v_sqrt(v_set(-2.0) * v_log(p));
    vd top = v_fma(t, v_fma(t, v_set(0.010328), v_set(0.802853)), v_set(2.515517));
    vd bottom = v_fma(t, v_fma(t, v_fma(t, v_set(0.001308), v_set(0.189269)), v_set(1.432788)), v_set(1.0));
    return t - top / bottom;
}

struct iv_regions {
    vm wing, upper;
};

/* First s, within a fifth in the wing and a tenth elsewhere. b and c = 1 - b, both positive. */
SL_INLINE vd iv_guess(vd x, vd b, vd c, struct iv_regions *region) {
    vd sc = v_sqrt(v_set(2.0) * x); /* the inflection point, where d1 = 0 */
    vd bc = v_sel(v_lt(sc, v_set(1e-4)), sc * v_fnma(sc, v_set(0.25), v_set(SL_INV_SQRT_2PI)),
                  v_set(0.5) - v_tail(sc));
    region->upper = v_lt(v_set(0.5), b);
    region->wing = v_lt(b, v_set(0.5) * bc);

    vd u = (b - bc) * v_set(SL_SQRT_2PI);
    vd middle = v_fma(u, v_fma(u * u, v_set(1.0 / 12.0), v_set(1.0)), sc);
    vd s = middle;
    if (m_any(region->upper)) {
        vd share = v_set(1.0) / v_fma(v_set(0.7), sc, v_set(1.0));
        vd p = v_min(c / (v_set(1.0) + share), v_set(0.5));
        vd d = iv_quantile(p);
        s = v_sel(region->upper, d + v_sqrt(v_fma(d, d, v_set(2.0) * x)), s);
    }
    if (m_any(region->wing)) {
        /* k = -d1 from the normal model: phi(k)/k - N(-k) = b/x, its inverse fitted in w */
        vd floor = v_max(x, v_set(1e-280));
        vd ratio = floor / v_max(b, v_set(1e-290));
        vd grown = v_set(1.0) + ratio;
        vd w2 = v_set(2.0) * v_sel(v_lt(ratio, v_set(1e-3)), ratio, v_log(grown));
        vd w = v_sqrt(w2);
        vd top = v_fma(w, v_fma(w, v_set(0.02322320), v_set(0.01795027)), v_set(0.20688508));
        vd bottom = v_fma(w, v_fma(w, v_fma(w, v_set(0.02289145), v_set(0.03625711)), v_set(0.18821651)), v_set(1.0));
        vd k = w2 * top / bottom;
        s = v_sel(region->wing, v_set(2.0) * floor / (k + v_sqrt(v_fma(k, k, v_set(2.0) * x))), s);
    }
    return s;
}

/* Solves for s = vol sqrt(T), given b, c = 1 - b and their logarithms. The last step compares b or c themselves, not
 * their logarithms, whose rounding grows with them; `tiny` says that b is too small for that. */
SL_INLINE vd iv_solve(vd x, vd x_rest, vd b, vd c, vd log_b, vd log_c, int tiny) {
    struct iv_regions region;
    vd s = iv_guess(x, b, c, &region);
    vd target = v_sel(region.upper, log_c, log_b);
    vd one = v_set(1.0), half = v_set(0.5);
    for (int step = 0; step < IV_STEPS; step++) {
        int last = step == IV_STEPS - 1 && !tiny;
        vd inv = one / s, h = x / s, t = half * s, gap = h - t, sum = h + t;
        vd near = iv_tail(v_sel(region.upper, v_neg(gap), gap)), far = v_tail(sum);
        vd d = v_sel(region.upper, near + far, near - far);
        vm series = m_and(m_not(region.upper), m_and(v_lt(t, v_set(0.25)), v_lt(x, v_set(4.0))));
        if (m_any(series)) d = v_sel(series, iv_series(h, v_min(t, v_set(0.25))), d);
        /* derivatives of the level L: L1 = L', r2 = b''/b', r3 = b'''/b' */
        vd l1 = v_set(SL_INV_SQRT_2PI) / d;
        l1 = v_sel(region.upper, v_neg(l1), l1);
        vd hs = h * inv, r2 = v_fma(h, hs, v_neg(half * t));
        vd r3 = v_fma(r2, r2, v_fma(v_set(-3.0) * hs, hs, v_set(-0.25)));
        vd nu, g2 = r2, g3 = r3;
        if (last) {
            /* what the roundings of x, h and gap leave out moves the bell by gap times as much */
            vd h_rest = (v_residual(x, h, s) + x_rest) * inv;
            vd gap_rest = h_rest + v_sel(v_lt(h, t), (h - (gap + t)), (h - gap) - t);
            vd bell = v_gauss(gap);
            vd reached = v_fnma(bell * gap, gap_rest, bell) * d;
            nu = (v_sel(region.upper, c, b) - reached) / (reached * l1);
            s = s + nu * v_fma(half * g2, nu, one) / v_fma(nu, v_fma(g3 * v_set(1.0 / 6.0), nu, g2), one);
            break;
        }
        vd level = v_fma(v_neg(half) * gap, gap, v_log(d));
        g2 = r2 - l1;
        g3 = v_fma(l1, v_fma(v_set(2.0), l1, v_set(-3.0) * r2), r3);
        nu = (target - level) / l1;
        if (m_any(region.wing)) { /* the chain rule for (-2 L)^(-1/2) */
            vd share = level / target, inv_level = one / level;
            vd a = v_set(-1.5) * inv_level, bb = v_set(3.75) * inv_level * inv_level;
            vd bent = nu * v_set(2.0) * share / (one + v_sqrt(v_abs(share)));
            nu = v_sel(region.wing, bent, nu);
            g3 = v_sel(region.wing, v_fma(bb * l1, l1, v_fma(v_set(3.0) * a * g2, l1, g3)), g3);
            g2 = v_sel(region.wing, v_fma(a, l1, g2), g2);
        }
        vd move = nu * v_fma(half * g2, nu, one) / v_fma(nu, v_fma(g3 * v_set(1.0 / 6.0), nu, g2), one);
        s = v_min(v_max(s + move, v_set(0.25) * s), v_set(4.0) * s);
    }
    return s;
}

/* One option of any magnitude. NaN where no volatility gives the price. */
static __attribute__((noinline, cold, unused)) double iv_edge(double sign, double price, double f, double k,
                                                              double t, double r) {
    double grown, undiscounted, intrinsic, w, c, smaller, log_b, log_c, x;
    int scale;
    if (!(isfinite(price) && isfinite(f) && isfinite(k) && isfinite(t) && isfinite(r) && price >= 0.0 && f > 0.0 &&
          k > 0.0 && t > 0.0 && fabs(sign) == 1.0))
        return NAN;
    grown = exp(r * t);
    undiscounted = price * grown;
    if (!isfinite(undiscounted) || grown == 0.0) return NAN;
    frexp(fmax(f, k), &scale);
    f = ldexp(f, -scale);
    k = ldexp(k, -scale);
    undiscounted = ldexp(undiscounted, -scale);
    smaller = fmin(f, k);
    intrinsic = fmax(0.0, sign * (f - k));
    c = (sign > 0.0 ? f : k) - undiscounted;
    w = undiscounted - intrinsic;
    if (c <= 0.0) return NAN;
    if (w <= 0.0) return w >= (r == 0.0 ? 0.0 : -0x1p-52 * (f + k)) ? 0.0 : NAN;
    if (smaller == 0.0) return NAN;
    log_b = log(w) - log(smaller);
    log_c = log(c) - log(smaller);
    x = f < 2.0 * k && k < 2.0 * f ? fabs(log1p((f - k) / k)) : fabs(log(f) - log(k));
    vd s = iv_solve(v_set(x), v_zero(), v_set(exp(log_b)), v_set(exp(log_c)), v_set(log_b), v_set(log_c),
                    log_b < -600.0);
    return v_lane(s, 0) / sqrt(t);
}

/* in: price, forward, strike, years, rate, sign; out: vol */
static void implied_block(size_t n, const double *const *in, double *const *out) {
    for (size_t i = 0; i < n; i += SL_W) {
        vd price = v_load(in[0] + i), f = v_load(in[1] + i), k = v_load(in[2] + i), t = v_load(in[3] + i);
        vd r = v_load(in[4] + i), sign = v_load(in[5] + i);
        vd rt = r * t, grown = v_set(1.0);
        if (!m_all(v_eq(rt, v_zero()))) grown = v_exp(rt);
        vm call = v_lt(v_zero(), sign);
        vd low = v_min(f, k), high = v_max(f, k);
        /* f - k = hi + lo exactly */
        vd hi = f - k, part = hi - f, lo = (f - (hi - part)) - (k + part);
        vm in_money = v_lt(v_zero(), sign * hi);
        hi = v_sel(in_money, v_abs(hi), v_zero());
        lo = v_sel(in_money, sign * lo, v_zero());
        vd w = v_fma(price, grown, v_neg(hi)) - lo;
        vd c = v_fnma(price, grown, v_sel(call, f, k));
        vd b = w / low;
        vm safe = m_and(m_and(v_lt(v_set(1e-60), v_min(low, t)), v_lt(v_max(high, t), v_set(1e60))),
                        m_and(v_lt(v_abs(rt), v_set(300.0)), v_eq(v_abs(sign), v_set(1.0))));
        safe = m_and(safe, m_and(v_lt(v_set(1e-290), b), v_lt(v_zero(), c)));
        safe = m_and(safe, v_lt(hi, price * grown)); /* at the bound itself the rounding decides */
        b = v_sel(safe, b, v_set(0.25));
        vd share = v_sel(safe, c / low, v_set(0.75));
        f = v_sel(safe, f, v_set(1.0));
        k = v_sel(safe, k, v_set(1.0));
        vd rest, x = v_log_ratio_exact(f, k, &rest);
        rest = v_sel(v_lt(x, v_zero()), v_neg(rest), rest);
        x = v_abs(x);
        vd s = iv_solve(x, rest, b, share, v_log(b), v_log(share), 0);
        v_store(out[0] + i, s / v_sqrt(t));
        unsigned unsafe = ~m_bits(safe) & SL_ALL;
        for (int lane = 0; unsafe >> lane; lane++)
            if (unsafe >> lane & 1) {
                size_t j = i + (size_t)lane;
                out[0][j] = iv_edge(in[5][j], in[0][j], in[1][j], in[2][j], in[3][j], in[4][j]);
            }
    }
}

#endif
