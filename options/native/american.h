/* American options by the spectral collocation of Andersen, Lake and Offengenden, "High-performance American option
 * pricing" (Journal of Computational Finance 20, 2016), with two changes of our own: time is split by an angle, so
 * that the integrands are smooth at both ends and few quadrature points suffice, and the fixed-point iteration (their
 * system A) is Anderson-accelerated, because on its own it diverges where r / vol^2 is large.
 *
 * Everything is for a put; a call is the put with spot and strike, rate and dividend exchanged. The exercise boundary
 * is B(u) = X exp(-h(u)), X = K min(1, r/q), and h^2 is interpolated in sqrt(u). */
#ifndef STRIKELOCK_AMERICAN_H
#define STRIKELOCK_AMERICAN_H

#include "european.h"
#include "scheme.h"

#define AM_MAX_POINTS (SL_MAX_NODES * 64)
#define AM_MAX_UNKNOWNS (2 * SL_MAX_NODES)
#define AM_MAX_DEPTH 4
#define AM_FAR 8.0 /* standard deviations; one in 10^15 falls short */

struct am_put {
    double s, k, t, vol, r, q;
};

/* bell = exp(-d^2/2), and N(d) from it. */
SL_INLINE vd am_bell(vd d) { return v_exp(v_set(-0.5) * d * d); }
SL_INLINE vd am_cdf(vd d, vd bell) {
    vd tail = bell * v_tail(v_min(v_abs(d), v_set(1e15)));
    return v_sel(v_lt(v_zero(), d), v_set(1.0) - tail, tail);
}

SL_INLINE double am_sum(vd a) {
    double total = 0.0;
    for (int i = 0; i < SL_W; i++) total += v_lane(a, i);
    return total;
}

/* The boundary of the put that never expires, below that of every other; the spot it starts from is x. */
static double am_perpetual(const struct am_put *o, double x) {
    double a = 0.5 * o->vol * o->vol, b = o->r - o->q - a;
    double root = -(b + sqrt(b * b + 4.0 * a * fmax(o->r, 1e-12))) / (2.0 * a);
    return fmin(o->k * root / (root - 1.0), x * (1.0 - 1e-9));
}

/* First guess of h at the nodes: from X to the perpetual boundary as Bjerksund and Stensland's (1993) trigger. */
static void am_guess(const struct am_put *o, const struct sl_scheme *scheme, double x, double *h) {
    double perpetual = am_perpetual(o, x), scale = o->k * o->k / ((x - perpetual) * x);
    for (int i = 0; i < scheme->nodes; i++) {
        double z = sqrt(o->t) * scheme->share[i];
        double rate = fmin(0.0, ((o->r - o->q) * z * z - 2.0 * o->vol * z) * scale);
        h[i] = fmin(-log((perpetual + (x - perpetual) * exp(rate)) / x), 4.0 * o->vol * z);
    }
}

/* What a step needs of an option and does not change: e^{ru} and e^{qu} times the quadrature weights. */
struct am_work {
    double rate_bell[AM_MAX_POINTS];     /* r 2 sqrt(tau) / vol  cos psi w e^{ru} */
    double rate_cdf[AM_MAX_POINTS];      /* r 2 tau sin psi cos psi w e^{ru} */
    double dividend_bell[AM_MAX_POINTS]; /* the same two with q */
    double dividend_cdf[AM_MAX_POINTS];
    double square[AM_MAX_UNKNOWNS];      /* h^2 */
    double now[AM_MAX_UNKNOWNS], next[AM_MAX_UNKNOWNS];
    double most[AM_MAX_UNKNOWNS];        /* what h cannot exceed */
    double values[AM_MAX_DEPTH + 1][AM_MAX_UNKNOWNS], residuals[AM_MAX_DEPTH + 1][AM_MAX_UNKNOWNS];
};

static void am_weights(const struct am_put *o, const struct sl_scheme *scheme, struct am_work *work) {
    for (int i = 0; i < scheme->nodes; i++) {
        double z = sqrt(o->t) * scheme->share[i], tau = z * z, bell = 2.0 * z / o->vol;
        for (int k = 0; k < scheme->points; k += SL_W) {
            long at = (long)i * scheme->points + k;
            vd sine = v_load(scheme->sine + k), cosine = v_load(scheme->cosine + k);
            vd weight = v_load(scheme->weight + k) * cosine, u = v_set(tau) * cosine * cosine;
            vd interest = weight * v_exp(v_set(o->r) * u);
            v_store(work->rate_bell + at, v_set(o->r * bell) * interest);
            v_store(work->rate_cdf + at, v_set(o->r * 2.0 * tau) * sine * interest);
            vd grown = weight * v_exp(v_set(o->q) * u);
            v_store(work->dividend_bell + at, v_set(o->q * bell) * grown);
            v_store(work->dividend_cdf + at, v_set(o->q * 2.0 * tau) * sine * grown);
        }
    }
}

/* Which of the paper's two systems: A converges where rate and dividend are near or the dividend is larger, B where
 * the rate outweighs it, however strongly; there A, accelerated or not, breaks down once (r-q) sqrt(T) / vol passes 1. */
static int am_by_value(const struct am_put *o) { return o->r - o->q > 0.5 * o->vol * o->vol; }

/* One application of the system: from work->now to work->next. */
static void am_step(const struct am_put *o, const struct sl_scheme *scheme, double x, int by_value,
                    struct am_work *work) {
    long points = (long)scheme->nodes * scheme->points;
    double lower = o->r - o->q - 0.5 * o->vol * o->vol, from_strike = log(x / o->k);
    double top[SL_MAX_NODES], bottom[SL_MAX_NODES];
    for (int i = 0; i < scheme->nodes; i++) work->square[i] = work->now[i] * work->now[i];
    for (int i = 0; i < scheme->nodes; i++) {
        double z = sqrt(o->t) * scheme->share[i];
        vd sum_top = v_zero(), sum_bottom = v_zero(), here = v_set(work->now[i]);
        for (int k = 0; k < scheme->points; k += SL_W) {
            long at = (long)i * scheme->points + k;
            vd square = v_zero();
            for (int j = 0; j < scheme->nodes; j++)
                square = v_fma(v_load(scheme->matrix + j * points + at), v_set(work->square[j]), square);
            vd height = v_sqrt(v_max(square, v_zero()));
            vd root = v_set(z) * v_load(scheme->sine + k), spread = v_set(o->vol) * root;
            vd d2 = v_fma(v_set(lower / o->vol), root, (height - here) / spread);
            vd bell2 = am_bell(d2);
            if (by_value) sum_top = v_fma(v_load(work->rate_cdf + at), am_cdf(d2, bell2), sum_top);
            else sum_top = v_fma(v_load(work->rate_bell + at), bell2, sum_top);
            if (o->q != 0.0) {
                vd d1 = d2 + spread, bell = am_bell(d1);
                if (!by_value)
                    sum_bottom = v_fma(v_load(work->dividend_bell + at) * v_set(SL_INV_SQRT_2PI), bell, sum_bottom);
                sum_bottom = v_fma(v_load(work->dividend_cdf + at), am_cdf(d1, bell), sum_bottom);
            }
        }
        top[i] = am_sum(sum_top);
        bottom[i] = am_sum(sum_bottom);
    }
    for (int i = 0; i < scheme->nodes; i += SL_W) {
        vd z = v_set(sqrt(o->t)) * v_load(scheme->share + i), spread = v_set(o->vol) * z;
        vd d2 = v_fma(v_set(lower / o->vol), z, (v_set(from_strike) - v_load(work->now + i)) / spread);
        vd d1 = d2 + spread, scale = v_set(SL_INV_SQRT_2PI) / spread, bell = am_bell(d1);
        vd bell2 = am_bell(d2), above, below = am_cdf(d1, bell) + v_load(bottom + i);
        if (by_value) above = am_cdf(d2, bell2) + v_load(top + i);
        else {
            above = v_fma(bell2, scale, v_load(top + i) * v_set(SL_INV_SQRT_2PI));
            below = v_fma(bell, scale, below);
        }
        vd ratio = above / below;
        ratio = v_sel(v_lt(v_set(1e-300), ratio), ratio, v_set(1e-300));
        ratio = v_sel(v_lt(ratio, v_set(1e300)), ratio, v_set(1e300));
        vd next = v_fma(v_set(o->r - o->q) * z, z, v_set(from_strike)) - v_log(ratio);
        v_store(work->next + i, v_min(v_max(next, v_zero()), v_load(work->most + i)));
    }
}

/* Anderson's mixing: the next iterate is the affine combination of the last few whose linearised residual is least.
 * Differences are made orthogonal one after the other; one that adds nothing new is dropped. */
static void am_mix(int n, int depth, int step, struct am_work *work) {
    double *value = work->values[step % (AM_MAX_DEPTH + 1)], *residual = work->residuals[step % (AM_MAX_DEPTH + 1)];
    double basis[AM_MAX_DEPTH][AM_MAX_UNKNOWNS], shift[AM_MAX_DEPTH][AM_MAX_UNKNOWNS];
    double left[AM_MAX_UNKNOWNS], mixed[AM_MAX_UNKNOWNS];
    int columns = step < depth ? step : depth, kept = 0, valid = 1;
    for (int i = 0; i < n; i++) {
        value[i] = mixed[i] = work->next[i];
        residual[i] = left[i] = work->next[i] - work->now[i];
    }
    for (int c = 0; c < columns; c++) {
        int newer = (step - c) % (AM_MAX_DEPTH + 1), older = (step - c - 1) % (AM_MAX_DEPTH + 1);
        double before = 0.0, after = 0.0, along = 0.0;
        for (int i = 0; i < n; i++) {
            basis[kept][i] = work->residuals[newer][i] - work->residuals[older][i];
            shift[kept][i] = work->values[newer][i] - work->values[older][i];
            before += basis[kept][i] * basis[kept][i];
        }
        for (int b = 0; b < kept; b++) {
            double dot = 0.0;
            for (int i = 0; i < n; i++) dot += basis[kept][i] * basis[b][i];
            for (int i = 0; i < n; i++) {
                basis[kept][i] -= dot * basis[b][i];
                shift[kept][i] -= dot * shift[b][i];
            }
        }
        for (int i = 0; i < n; i++) after += basis[kept][i] * basis[kept][i];
        if (!(after > 1e-20 * before)) continue;
        after = 1.0 / sqrt(after);
        for (int i = 0; i < n; i++) {
            basis[kept][i] *= after;
            shift[kept][i] *= after;
            along += basis[kept][i] * left[i];
        }
        for (int i = 0; i < n; i++) {
            left[i] -= along * basis[kept][i];
            mixed[i] -= along * shift[kept][i];
        }
        kept++;
    }
    for (int i = 0; i < n; i++) valid &= mixed[i] >= 0.0 && mixed[i] <= work->most[i];
    memcpy(work->now, valid ? mixed : work->next, sizeof(double) * (size_t)n);
}

/* h at the nodes into work->now; returns how far the last step still moved it, or infinity if it ran into a bound: the
 * perpetual boundary (with a tenth to spare), or eight standard deviations, which no boundary reaches. */
static double am_solve(const struct am_put *o, const struct sl_scheme *scheme, double x, int by_value,
                       struct am_work *work) {
    double best = INFINITY, worst = INFINITY, last = fmin(1.1 * log(x / am_perpetual(o, x)), 700.0);
    int stale = 0;
    for (int i = 0; i < scheme->nodes; i++) {
        double z = sqrt(o->t) * scheme->share[i];
        work->most[i] = fmin(last, 8.0 * o->vol * z + fabs(o->r - o->q) * z * z);
    }
    am_weights(o, scheme, work);
    am_guess(o, scheme, x, work->now);
    for (int step = 0; step < scheme->steps; step++) {
        worst = 0.0;
        am_step(o, scheme, x, by_value, work);
        for (int i = 0; i < scheme->nodes; i++) worst = fmax(worst, fabs(work->next[i] - work->now[i]));
        am_mix(scheme->nodes, scheme->depth, step, work);
        stale = worst < best ? 0 : stale + 1;
        best = fmin(best, worst);
        if (worst < scheme->tolerance || (stale == 4 && best < 1e-8)) break; /* or no better for rounding */
    }
    for (int i = 0; i < scheme->nodes; i++)
        if (work->now[i] >= work->most[i]) return INFINITY;
    return worst;
}

/* The early exercise premium and its first two derivatives in the spot. */
static void am_premium(const struct am_put *o, const struct sl_scheme *scheme, double x, const double *h, double *out) {
    double square[SL_MAX_NODES], lower = o->r - o->q - 0.5 * o->vol * o->vol, log_spot = log(o->s / x);
    vd value = v_zero(), delta = v_zero(), gamma = v_zero(), one = v_set(1.0);
    for (int i = 0; i < scheme->nodes; i++) square[i] = h[i] * h[i];
    for (int k = 0; k < scheme->price_points; k += SL_W) {
        vd sum = v_zero();
        for (int j = 0; j < scheme->nodes; j++)
            sum = v_fma(v_load(scheme->price_matrix + (long)j * scheme->price_points + k), v_set(square[j]), sum);
        vd height = v_sqrt(v_max(sum, v_zero()));
        vd sine = v_load(scheme->price_sine + k), root = v_set(sqrt(o->t)) * sine, m = root * root;
        vd dm = v_set(2.0 * o->t) * sine * v_load(scheme->price_cosine + k) * v_load(scheme->price_weight + k);
        vd spread = v_set(o->vol) * root;
        vd d2 = v_fma(v_set(lower / o->vol), root, (v_set(log_spot) + height) / spread), d1 = d2 + spread;
        vd bell2 = am_bell(d2), bell1 = am_bell(d1);
        vd interest = v_set(o->r * o->k) * dm * v_exp(v_set(-o->r) * m);
        vd forgone = v_set(o->q) * dm * v_exp(v_set(-o->q) * m); /* per unit of spot */
        vd reached = am_cdf(v_neg(d1), bell1);
        value = value + interest * am_cdf(v_neg(d2), bell2) - v_set(o->s) * forgone * reached;
        vd inv = one / spread;
        vd slope2 = interest * bell2 * v_set(SL_INV_SQRT_2PI / o->s) * inv;
        vd slope1 = forgone * bell1 * v_set(SL_INV_SQRT_2PI) * inv;
        delta = delta - slope2 + slope1 - forgone * reached;
        gamma = gamma + v_set(1.0 / o->s) * (slope2 * v_fma(d2, inv, one) + slope1 * v_fnma(d1, inv, one));
    }
    out[0] = am_sum(value);
    out[1] = am_sum(delta);
    out[2] = am_sum(gamma);
}

/* Best of exercising at one time chosen now: the value without volatility, a lower bound with it. */
static double am_certain(const struct am_put *o) {
    double best = fmax(o->k - o->s, o->k * exp(-o->r * o->t) - o->s * exp(-o->q * o->t));
    double ratio = o->r * o->k / (o->q * o->s);
    if (ratio > 0.0 && isfinite(ratio) && o->r != o->q) {
        double at = log(ratio) / (o->r - o->q);
        if (at > 0.0 && at < o->t) best = fmax(best, o->k * exp(-o->r * at) - o->s * exp(-o->q * at));
    }
    return fmax(best, 0.0);
}

static void am_european(const struct am_put *o, double *out) {
    double lanes[7][SL_W], results[SL_GREEKS][SL_W];
    const double *in[7];
    double *to[SL_GREEKS], terms[7] = {o->s, o->k, o->t, o->vol, o->r, o->q, -1.0};
    for (int i = 0; i < 7; i++) {
        for (int j = 0; j < SL_W; j++) lanes[i][j] = terms[i];
        in[i] = lanes[i];
    }
    for (int i = 0; i < SL_GREEKS; i++) to[i] = results[i];
    euro_greeks_block(SL_SPOT, SL_W, in, to);
    for (int i = 0; i < 3; i++) out[i] = results[i][0];
}

#include "american_double.h"

/* The scheme these terms need: a strong drift, or much volatility, wants more points. */
static const struct sl_scheme *am_choose(const struct am_put *o, enum sl_precision precision) {
    double spread = o->vol * sqrt(o->t), drift = fabs(o->r - o->q) * o->t / spread;
    if (precision == SL_FAST && (drift > 1.5 || spread > 1.5)) precision = drift > 6.0 ? SL_HIGH : SL_MIDDLE;
    return &sl_schemes[precision][o->r < o->q ? SL_EVEN : SL_GATHERED];
}

/* Solves, and where the iteration does not settle tries without acceleration, on other nodes and by the other system,
 * and at last on fewer of them, and keeps what settled best. Leaves h in work->now, and returns the scheme it is on. */
static const struct sl_scheme *am_settle(const struct am_put *o, enum sl_precision precision,
                                         const struct sl_scheme *scheme, double x, struct am_work *work) {
    enum sl_precision finer = precision == SL_HIGH ? SL_HIGH : SL_MIDDLE;
    int usual = o->r < o->q ? SL_EVEN : SL_GATHERED, other = o->r < o->q ? SL_GATHERED : SL_EVEN;
    const struct sl_scheme *order[8] = {
        &sl_schemes[finer][usual],     &sl_schemes[finer][other],     &sl_schemes[finer][SL_GATHERED],
        &sl_schemes[finer][SL_EVEN],   &sl_schemes[SL_MIDDLE][usual], &sl_schemes[SL_MIDDLE][other],
        &sl_schemes[SL_FAST][usual],   &sl_schemes[SL_FAST][other],
    };
    const struct sl_scheme *found = scheme;
    double enough = fmax(1e-8, 10.0 * scheme->tolerance), kept[SL_MAX_NODES];
    double least = am_solve(o, scheme, x, am_by_value(o), work);
    memcpy(kept, work->now, sizeof kept);
    for (int i = 0; i < 8 && !(least <= enough); i++) {
        struct sl_scheme tried = *order[i];
        int other_system = i == 2 || i == 3;
        if (i == 0) tried.depth = 0;
        if (i > 3) tried.tolerance = 1e-10; /* fewer nodes than asked for, but settled */
        double moved = am_solve(o, &tried, x, other_system ? !am_by_value(o) : am_by_value(o), work);
        if (moved < least) {
            least = moved;
            found = order[i];
            memcpy(kept, work->now, sizeof kept);
        }
    }
    memcpy(work->now, kept, sizeof kept);
    return found;
}

/* Price, delta and gamma of a put. The terms are inside the model: positive, finite, vol sqrt(t) > 0. */
static void am_put_value(const struct am_put *given, enum sl_precision precision, double *out) {
    struct am_put shorter = *given;
    const struct am_put *o = &shorter;
    const struct sl_scheme *scheme;
    double x, premium[3], drift = given->r - given->q - 0.5 * given->vol * given->vol;
    struct am_work work;
    if (given->r > 0.0 && drift * sqrt(given->t) > AM_FAR * given->vol) {
        /* the spot is carried out of reach: what is later has no value left, and would only blur the quadrature */
        double root = AM_FAR * given->vol / drift;
        shorter.t = root * root;
    }
    am_european(o, out);
    if (o->r <= 0.0 && o->q >= o->r) return; /* waiting costs nothing */
    if (o->r < 0.0) {
        am_double_value(o, &sl_schemes[precision][SL_DOUBLE], out);
        return;
    }
    scheme = am_choose(o, precision);
    x = o->q > 0.0 ? o->k * fmin(1.0, o->r / o->q) : o->k;
    scheme = am_settle(o, precision, scheme, x, &work);
    if (o->s <= x * exp(-work.now[0])) {
        out[0] = o->k - o->s;
        out[1] = -1.0;
        out[2] = 0.0;
        return;
    }
    am_premium(o, scheme, x, work.now, premium);
    for (int i = 0; i < 3; i++) out[i] += i == 0 ? fmax(premium[0], 0.0) : premium[i];
    out[0] = fmax(out[0], am_certain(given));
    out[1] = fmin(fmax(out[1], -fmax(1.0, exp(-o->q * o->t))), 0.0);
    out[2] = fmax(out[2], 0.0);
}

/* Price, delta and gamma of either kind: a call is a put with spot and strike, rate and dividend exchanged, and its
 * derivatives follow from the value being homogeneous in the two. */
static void am_value(double sign, const struct am_put *o, enum sl_precision precision, double *out) {
    if (sign < 0.0) {
        am_put_value(o, precision, out);
        return;
    }
    struct am_put mirror = {o->k, o->s, o->t, o->vol, o->q, o->r};
    double ratio = o->k / o->s, delta;
    am_put_value(&mirror, precision, out);
    delta = (out[0] - o->k * out[1]) / o->s;
    out[2] *= ratio * ratio;
    if (out[0] == o->s - o->k && out[1] == -1.0) delta = 1.0;
    out[1] = delta;
}

static int am_regular(double sign, const struct am_put *o) {
    double least = fmin(fmin(o->s, o->k), fmin(o->t, o->vol)), most = fmax(fmax(o->s, o->k), fmax(o->t, o->vol));
    return fabs(sign) == 1.0 && least > 1e-60 && most < 1e60 && fabs(o->r * o->t) < 300.0 &&
           fabs(o->q * o->t) < 300.0 && o->vol * sqrt(o->t) < 100.0 && o->s / o->k < 1e30 && o->k / o->s < 1e30;
}

static void am_price_block(enum sl_precision precision, size_t n, const double *const *in, double *const *out) {
    for (size_t i = 0; i < n; i++) {
        struct am_put o = {in[0][i], in[1][i], in[2][i], in[3][i], in[4][i], in[5][i]};
        double value[SL_GREEKS];
        if (am_regular(in[6][i], &o)) am_value(in[6][i], &o, precision, value);
        else sl_american_edge(in[6][i], o.s, o.k, o.t, o.vol, o.r, o.q, value);
        out[0][i] = value[0];
    }
}

/* Fourth-order central difference from the values at -2, -1, 1 and 2 steps; and the second difference. */
static double am_slope(const double *f, double step) {
    return (8.0 * (f[2] - f[1]) - (f[3] - f[0])) / (12.0 * step);
}
static double am_bend(const double *f, double middle, double step) {
    return (16.0 * (f[1] + f[2]) - (f[0] + f[3]) - 30.0 * middle) / (12.0 * step * step);
}

/* Delta and gamma from the integrals, theta from the equation the price obeys, the others as differences of whole
 * solutions, which are smooth in every parameter. */
static void am_greeks(double sign, const struct am_put *o, enum sl_precision precision, double *out) {
    static const double at[4] = {-2.0, -1.0, 1.0, 2.0};
    double value[3], price[4], delta[4], step = 0.01 * o->vol;
    am_value(sign, o, precision, value);
    for (int i = 0; i < SL_GREEKS; i++) out[i] = 0.0;
    out[SL_PRICE] = value[0];
    out[SL_DELTA] = value[1];
    out[SL_GAMMA] = value[2];
    if (fabs(value[1]) == 1.0 && value[2] == 0.0) return; /* exercised now */
    out[SL_THETA] = o->r * value[0] - (o->r - o->q) * o->s * value[1] -
                    0.5 * o->vol * o->vol * o->s * o->s * value[2];
    for (int i = 0; i < 4; i++) {
        struct am_put moved = *o;
        moved.vol += at[i] * step;
        am_value(sign, &moved, precision, value);
        price[i] = value[0];
        delta[i] = value[1];
    }
    out[SL_VEGA] = am_slope(price, step);
    out[SL_VANNA] = am_slope(delta, step);
    out[SL_VOLGA] = am_bend(price, out[SL_PRICE], step);
    step = 2e-4;
    for (int i = 0; i < 4; i++) {
        struct am_put moved = *o;
        moved.r += at[i] * step;
        am_value(sign, &moved, precision, value);
        price[i] = value[0];
    }
    out[SL_RHO] = am_slope(price, step);
    step = 0.005 * o->t;
    for (int i = 0; i < 4; i++) {
        struct am_put moved = *o;
        moved.t += at[i] * step;
        am_value(sign, &moved, precision, value);
        delta[i] = value[1];
    }
    out[SL_CHARM] = -am_slope(delta, step);
}

static void am_greeks_block(enum sl_precision precision, size_t n, const double *const *in, double *const *out) {
    for (size_t i = 0; i < n; i++) {
        struct am_put o = {in[0][i], in[1][i], in[2][i], in[3][i], in[4][i], in[5][i]};
        double value[SL_GREEKS];
        if (am_regular(in[6][i], &o)) am_greeks(in[6][i], &o, precision, value);
        else sl_american_edge(in[6][i], o.s, o.k, o.t, o.vol, o.r, o.q, value);
        for (int g = 0; g < SL_GREEKS; g++) out[g][i] = value[g];
    }
}

static void american_fast(size_t n, const double *const *in, double *const *out) {
    am_price_block(SL_FAST, n, in, out);
}
static void american_high(size_t n, const double *const *in, double *const *out) {
    am_price_block(SL_HIGH, n, in, out);
}
static void american_greeks_fast(size_t n, const double *const *in, double *const *out) {
    am_greeks_block(SL_FAST, n, in, out);
}
static void american_greeks_high(size_t n, const double *const *in, double *const *out) {
    am_greeks_block(SL_HIGH, n, in, out);
}

#endif
