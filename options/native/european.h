/* European options: Black-Scholes-Merton on a spot, Black-76 on a forward, and inverse (coin-settled) options.
 *
 * With A1 = S e^{-qT}, A2 = K e^{-rT}, x = log(A1/A2), v = vol sqrt(T), the option out of the money is worth
 *     w = min(A1, A2) N(a) - max(A1, A2) N(-c),   a = v/2 - |x|/v,   c = v/2 + |x|/v,
 * where both terms share g = min(A1, A2) exp(-a^2/2): max(A1, A2) N(-c) = g N(-c) exp(c^2/2). The option in the
 * money is w + |A1 - A2|, so parity holds to the last rounding and no price leaves its bounds.
 * Lanes the formula is not safe for go one by one to sl_european_edge. */
#ifndef STRIKELOCK_EUROPEAN_H
#define STRIKELOCK_EUROPEAN_H

#include "kernels.h"
#include "vmath.h"

struct euro_in {
    vd s, k, t, vol, r, q;
};

/* What prices and Greeks are made of; for inverse options in coin, that is, divided by the spot. */
struct euro {
    vd a1, a2;   /* discounted spot and strike */
    vd w;        /* value of the option out of the money */
    vd root, v;  /* sqrt(T), vol sqrt(T) */
    vd m;        /* x / v */
    vd g;        /* min(a1, a2) exp(-a^2 / 2) */
    vd smaller;  /* min(a1, a2) */
    vd tail;     /* min N(-|a|) */
    vd outer;    /* max N(-c) */
    vm positive; /* a > 0 */
    vm above;    /* x > 0: the forward is above the strike */
    vm safe;
};

SL_INLINE vd euro_discount(vd product) {
    if (m_all(v_eq(product, v_zero()))) return v_set(1.0);
    return v_exp(v_neg(product));
}

SL_INLINE struct euro euro_core(enum sl_model model, const struct euro_in *in) {
    struct euro e;
    vd low = v_min(v_min(in->s, in->k), v_min(in->t, in->vol));
    vd high = v_max(v_max(in->s, in->k), v_max(in->t, in->vol));
    vd rt = in->r * in->t;
    vd qt = rt, carry = v_zero();
    if (model != SL_FORWARD) {
        qt = in->q * in->t;
        carry = (in->r - in->q) * in->t;
    }
    e.safe = m_and(m_and(v_lt(v_set(1e-60), low), v_lt(high, v_set(1e60))),
                   v_lt(v_max(v_abs(rt), v_abs(qt)), v_set(300.0)));
    vd x = v_log_ratio(in->s, in->k) + carry;
    vd d2 = euro_discount(rt);
    vd d1 = model == SL_FORWARD ? d2 : euro_discount(qt);
    if (model == SL_INVERSE) {
        e.a1 = d1;
        e.a2 = in->k / in->s * d2;
    } else {
        e.a1 = in->s * d1;
        e.a2 = in->k * d2;
    }
    e.root = v_sqrt(in->t);
    e.v = in->vol * e.root;
    e.m = x / e.v;
    e.above = v_lt(v_zero(), x);
    vd half = e.v * v_set(0.5), dist = v_abs(e.m);
    vd a = half - dist;
    vd c = v_min(half + dist, v_set(1e15));
    vd b = v_min(v_abs(a), v_set(1e15));
    e.smaller = v_min(e.a1, e.a2);
    e.g = v_fma(e.m, v_zero(), e.smaller * v_gauss(b)); /* min and max drop a NaN; this brings it back */
    e.tail = e.g * v_tail(b);
    e.outer = e.g * v_tail(c);
    e.positive = v_lt(v_zero(), a);
    e.w = v_max(v_zero(), v_sel(e.positive, e.smaller - e.tail, e.tail) - e.outer);
    return e;
}

SL_INLINE struct euro_in euro_load(enum sl_model model, const double *const *in, size_t i) {
    struct euro_in x = {v_load(in[0] + i), v_load(in[1] + i), v_load(in[2] + i),
                        v_load(in[3] + i), v_load(in[4] + i), v_zero()};
    if (model != SL_FORWARD) x.q = v_load(in[5] + i);
    return x;
}

/* Lanes of a block that need the edges: recomputed one by one into every output. */
static __attribute__((noinline, cold, unused)) void euro_edges(
    enum sl_model model, unsigned lanes, size_t i, const double *const *in, double *const *out, int both,
    int count) {
    for (int lane = 0; lane < SL_W; lane++) {
        if (!(lanes >> lane & 1)) continue;
        size_t j = i + (size_t)lane;
        double sign = both ? 1.0 : in[6][j], q = model == SL_FORWARD ? in[4][j] : in[5][j];
        double edge[SL_GREEKS];
        if (both) {
            sl_european_edge(model, -1.0, in[0][j], in[1][j], in[2][j], in[3][j], in[4][j], q, edge);
            out[1][j] = edge[SL_PRICE];
        }
        sl_european_edge(model, sign, in[0][j], in[1][j], in[2][j], in[3][j], in[4][j], q, edge);
        out[0][j] = edge[SL_PRICE];
        for (int g = 1; g < count; g++) out[g + both][j] = edge[g];
    }
}

SL_INLINE void euro_price_block(enum sl_model model, size_t n, const double *const *in, double *const *out) {
    for (size_t i = 0; i < n; i += SL_W) {
        struct euro_in x = euro_load(model, in, i);
        vd sign = v_load(in[6] + i);
        struct euro e = euro_core(model, &x);
        v_store(out[0] + i, e.w + v_max(v_zero(), sign * (e.a1 - e.a2)));
        unsigned unsafe = ~m_bits(m_and(e.safe, v_eq(v_abs(sign), v_set(1.0)))) & SL_ALL;
        if (unsafe) euro_edges(model, unsafe, i, in, out, 0, 1);
    }
}

SL_INLINE void euro_call_put_block(enum sl_model model, size_t n, const double *const *in, double *const *out) {
    for (size_t i = 0; i < n; i += SL_W) {
        struct euro_in x = euro_load(model, in, i);
        struct euro e = euro_core(model, &x);
        vd diff = e.a1 - e.a2;
        v_store(out[0] + i, e.w + v_max(v_zero(), diff));
        v_store(out[1] + i, e.w + v_max(v_zero(), v_neg(diff)));
        unsigned unsafe = ~m_bits(e.safe) & SL_ALL;
        if (unsafe) euro_edges(model, unsafe, i, in, out, 1, 1);
    }
}

/* The eight Greeks into g[SL_DELTA..]; call says which lanes are calls. */
SL_INLINE void euro_greeks(enum sl_model model, const struct euro_in *in, const struct euro *e, vm call, vd *g) {
    /* a1 N(d1) and a2 N(d2) for a call, a1 N(-d1) and a2 N(-d2) for a put: each a tail or what a tail leaves */
    vm direct = m_xor(call, e->above); /* out of the money */
    vd small_leg = v_sel(m_xor(direct, e->positive), e->tail, e->smaller - e->tail);
    vd large_leg = v_sel(direct, e->outer, v_max(e->a1, e->a2) - e->outer);
    vd leg1 = v_sel(e->above, large_leg, small_leg);
    vd leg2 = v_sel(e->above, small_leg, large_leg);
    vd sign = v_sel(call, v_set(1.0), v_set(-1.0));

    vd inv_s = v_set(1.0) / in->s, inv_v = v_set(1.0) / e->v;
    vd inv_vol = e->root * inv_v, inv_root = in->vol * inv_v;
    vd inv_t = inv_root * inv_root;
    vd d1 = v_fma(e->v, v_set(0.5), e->m), d2 = v_fnma(e->v, v_set(0.5), e->m);
    vd density = e->g * v_set(SL_INV_SQRT_2PI); /* a1 phi(d1) = a2 phi(d2) */
    vd density_s = density * inv_s;
    vd q = in->r, carry = v_zero();
    if (model != SL_FORWARD) {
        q = in->q;
        carry = (in->r - q) * inv_v;
    }
    vd vega = density * e->root;
    vd decay = density * e->v * inv_t * v_set(0.5);
    vd moved = model == SL_INVERSE ? d1 : d2;
    vd d_time = v_fnma(moved * v_set(0.5), inv_t, carry); /* d d1 / dT, or d d2 / dT */

    g[SL_VEGA] = vega;
    g[SL_THETA] = v_fma(sign, q * leg1 - in->r * leg2, v_neg(decay));
    g[SL_VANNA] = v_neg(density_s * moved * inv_vol);
    g[SL_VOLGA] = vega * d1 * d2 * inv_vol;
    if (model == SL_INVERSE) {
        vd delta = sign * leg2 * inv_s;
        g[SL_DELTA] = delta;
        g[SL_GAMMA] = v_fma(v_set(-2.0) * delta, inv_s, density_s * inv_s * inv_v);
        g[SL_CHARM] = v_fma(in->r, delta, v_neg(density_s * d_time));
    } else {
        vd delta = sign * leg1 * inv_s;
        g[SL_DELTA] = delta;
        g[SL_GAMMA] = density_s * inv_s * inv_v;
        g[SL_CHARM] = v_fma(q, delta, v_neg(density_s * d_time));
    }
    g[SL_RHO] = sign * in->t * leg2;
    if (model == SL_FORWARD) g[SL_RHO] = v_neg(in->t * g[SL_PRICE]);
}

SL_INLINE void euro_greeks_block(enum sl_model model, size_t n, const double *const *in, double *const *out) {
    for (size_t i = 0; i < n; i += SL_W) {
        struct euro_in x = euro_load(model, in, i);
        vd sign = v_load(in[6] + i), g[SL_GREEKS];
        struct euro e = euro_core(model, &x);
        g[SL_PRICE] = e.w + v_max(v_zero(), sign * (e.a1 - e.a2));
        euro_greeks(model, &x, &e, v_lt(v_zero(), sign), g);
        for (int j = 0; j < SL_GREEKS; j++) v_store(out[j] + i, g[j]);
        unsigned unsafe = ~m_bits(m_and(e.safe, v_eq(v_abs(sign), v_set(1.0)))) & SL_ALL;
        if (unsafe) euro_edges(model, unsafe, i, in, out, 0, SL_GREEKS);
    }
}

SL_INLINE void euro_call_put_greeks_block(enum sl_model model, size_t n, const double *const *in,
                                          double *const *out) {
    for (size_t i = 0; i < n; i += SL_W) {
        struct euro_in x = euro_load(model, in, i);
        vd g[SL_GREEKS];
        struct euro e = euro_core(model, &x);
        vd diff = e.a1 - e.a2;
        g[SL_PRICE] = e.w + v_max(v_zero(), diff);
        euro_greeks(model, &x, &e, v_le(v_zero(), v_zero()), g);
        v_store(out[0] + i, g[SL_PRICE]);
        v_store(out[1] + i, e.w + v_max(v_zero(), v_neg(diff)));
        for (int j = 1; j < SL_GREEKS; j++) v_store(out[j + 1] + i, g[j]);
        unsigned unsafe = ~m_bits(e.safe) & SL_ALL;
        if (unsafe) euro_edges(model, unsafe, i, in, out, 1, SL_GREEKS);
    }
}

#define SL_EUROPEAN(shape, model, suffix)                                                                   \
    static void euro_##shape##_##suffix(size_t n, const double *const *in, double *const *out) {            \
        euro_##shape##_block(model, n, in, out);                                                            \
    }
#define SL_EUROPEAN_MODELS(shape)                                                                           \
    SL_EUROPEAN(shape, SL_SPOT, spot)                                                                       \
    SL_EUROPEAN(shape, SL_FORWARD, forward)                                                                 \
    SL_EUROPEAN(shape, SL_INVERSE, inverse)
#define SL_EUROPEAN_TABLE(shape) {euro_##shape##_spot, euro_##shape##_forward, euro_##shape##_inverse}

SL_EUROPEAN_MODELS(price)
SL_EUROPEAN_MODELS(call_put)
SL_EUROPEAN_MODELS(greeks)
SL_EUROPEAN_MODELS(call_put_greeks)

#endif
