/* The edges of the European model, one option at a time: limits at zero time, volatility, price and strike, and
 * regular inputs of extreme size. Compiled once, for the baseline processor. */
#include "kernels.h"
#include "tables.h"

#include <math.h>

#define INV_SQRT_2PI 0x1.9884533d43651p-2

/* N(-a) exp(a^2/2), as v_tail. */
static double tail(double a) {
    double p = SL_TAIL_P[10], q = SL_TAIL_Q[11];
    if (a > 1e15) return INV_SQRT_2PI / a;
    for (int i = 9; i >= 0; i--) p = p * a + SL_TAIL_P[i];
    for (int i = 10; i >= 0; i--) q = q * a + SL_TAIL_Q[i];
    return p / q;
}

struct edge {
    enum sl_model model;
    double sign, s, k, t, vol, r, q;
    double a1, a2; /* discounted spot and strike, in coin for inverse options */
    double x;      /* log(a1 / a2) */
};

/* Overflowed values are no numbers; they must not pass for prices. */
static void drop_infinities(double *out) {
    for (int i = 0; i < SL_GREEKS; i++)
        if (!isfinite(out[i])) out[i] = NAN;
}

/* Greeks of a payoff that is certain: exercised in share `itm` (1, 0, or 1/2 exactly on the strike). */
static void certain(const struct edge *e, double itm, double *out) {
    double leg1 = itm * e->a1, leg2 = itm * e->a2, inverse = e->model == SL_INVERSE;
    double discount = exp(-e->q * e->t);
    out[SL_PRICE] = fmax(0.0, e->sign * (e->a1 - e->a2));
    out[SL_THETA] = e->sign * ((leg1 != 0.0 ? e->q * leg1 : 0.0) - (leg2 != 0.0 ? e->r * leg2 : 0.0));
    out[SL_VEGA] = out[SL_VANNA] = out[SL_VOLGA] = 0.0;
    out[SL_DELTA] = inverse ? e->sign * leg2 / e->s : e->sign * itm * discount;
    out[SL_GAMMA] = inverse ? -2.0 * out[SL_DELTA] / e->s : 0.0;
    out[SL_CHARM] = (inverse ? e->r : e->q) * out[SL_DELTA];
    out[SL_RHO] = e->model == SL_FORWARD ? -e->t * out[SL_PRICE] : e->sign * e->t * leg2;
}

/* On the strike with v = vol sqrt(T) -> 0: what has no finite limit stays NaN. */
static void kink(const struct edge *e, double *out) {
    double unit = e->model == SL_INVERSE ? 1.0 / e->s : exp(-e->q * e->t); /* a1 per unit of spot */
    if (e->model == SL_INVERSE) unit *= e->a1;
    certain(e, 0.5, out);
    out[SL_GAMMA] = NAN;
    if (e->t > 0.0) {
        double spread = (e->model == SL_INVERSE ? -0.5 : 0.5) * sqrt(e->t);
        out[SL_VEGA] = e->a1 * INV_SQRT_2PI * sqrt(e->t);
        out[SL_VANNA] = unit * INV_SQRT_2PI * spread;
        if (e->r != e->q) out[SL_CHARM] = NAN;
    } else {
        out[SL_CHARM] = NAN;
        out[SL_THETA] = NAN;
        if (e->r != e->q || e->vol == 0.0) out[SL_VANNA] = NAN;
    }
}

/* The kernel's formula in plain doubles, for values whose squares or products leave the range. */
static void regular(const struct edge *e, double v, double *out) {
    double dist = fabs(e->x) / v, root = sqrt(e->t), m = e->x / v;
    double a = 0.5 * v - dist, c = 0.5 * v + dist;
    double small = fmin(e->a1, e->a2), large = fmax(e->a1, e->a2);
    double g = small * exp(-0.5 * a * a);
    double body = g * tail(fabs(a)), outer = g * tail(c);
    double w = fmax(0.0, (a > 0.0 ? small - body : body) - outer);
    int above = e->x > 0.0, direct = (e->sign > 0.0) != above;
    double small_leg = direct != (a > 0.0) ? body : small - body, large_leg = direct ? outer : large - outer;
    double leg1 = above ? large_leg : small_leg, leg2 = above ? small_leg : large_leg;
    double d1 = m + 0.5 * v, d2 = m - 0.5 * v, density = g * INV_SQRT_2PI, density_s = density / e->s;
    double moved = e->model == SL_INVERSE ? d1 : d2;
    double d_time = (e->r - e->q) / v - moved / (2.0 * e->t);
    int none = density == 0.0; /* then d1, d2 may be infinite, and their products with it are 0 all the same */

    out[SL_PRICE] = w + fmax(0.0, e->sign * (e->a1 - e->a2));
    out[SL_VEGA] = density * root;
    out[SL_THETA] = e->sign * (e->q * leg1 - e->r * leg2) - (none ? 0.0 : density * v / (2.0 * e->t));
    out[SL_VANNA] = none ? 0.0 : -density_s * moved / e->vol;
    out[SL_VOLGA] = none ? 0.0 : density * root * d1 * d2 / e->vol;
    out[SL_DELTA] = e->sign * (e->model == SL_INVERSE ? leg2 : leg1) / e->s;
    out[SL_GAMMA] = none ? 0.0 : density_s / e->s / v;
    if (e->model == SL_INVERSE) out[SL_GAMMA] -= 2.0 * out[SL_DELTA] / e->s;
    out[SL_CHARM] = (e->model == SL_INVERSE ? e->r : e->q) * out[SL_DELTA] - (none ? 0.0 : density_s * d_time);
    out[SL_RHO] = e->model == SL_FORWARD ? -e->t * out[SL_PRICE] : e->sign * e->t * leg2;
}

static int outside(const struct edge *e) {
    return !(isfinite(e->s) && isfinite(e->k) && isfinite(e->t) && isfinite(e->vol) && isfinite(e->r) &&
             isfinite(e->q) && e->s >= 0.0 && e->k >= 0.0 && e->t >= 0.0 && e->vol >= 0.0 &&
             fabs(e->sign) == 1.0);
}

void sl_european_edge(enum sl_model model, double sign, double s, double k, double t, double vol, double r,
                      double q, double *out) {
    struct edge e = {model, sign, s, k, t, vol, r, q, 0.0, 0.0, 0.0};
    double v = vol * sqrt(t);
    for (int i = 0; i < SL_GREEKS; i++) out[i] = NAN;
    if (outside(&e)) return;
    e.a1 = (model == SL_INVERSE ? 1.0 : s) * exp(-q * t);
    e.a2 = (model == SL_INVERSE ? k / s : k) * exp(-r * t);
    if (!isfinite(e.a1) || !isfinite(e.a2)) return;
    if (s == 0.0 || k == 0.0 || v == 0.0) {
        if (s > 0.0 && e.a1 == e.a2) kink(&e, out);
        else certain(&e, sign * (e.a1 - e.a2) > 0.0 ? 1.0 : 0.0, out);
    } else {
        e.x = log(s) - log(k) + (r - q) * t;
        if (s < 2.0 * k && k < 2.0 * s) e.x = log1p((s - k) / k) + (r - q) * t;
        regular(&e, v, out);
    }
    drop_infinities(out);
}
