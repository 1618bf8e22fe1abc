/* The American put with two exercise boundaries: q < r < 0. Between Y(u) and B(u) it is exercised, and it is held both
 * above and below, because the strike earns negative interest. B starts at K, Y at K r/q; they may meet, and further
 * from expiry than that it is never right to exercise. (Andersen and Lake, "Fast American option pricing: the
 * double-boundary case", Wilmott 2021, give the theory.) Here both boundaries are unknowns of one system, the same
 * smooth-pasting form (A) for each, and one Anderson-accelerated iteration solves it. Included by american.h. */
#ifndef STRIKELOCK_AMERICAN_DOUBLE_H
#define STRIKELOCK_AMERICAN_DOUBLE_H

#define AM_GAP 1e-3     /* boundaries nearer than this, in log, count as met */
#define AM_BISECTIONS 40

/* One application: work->now holds log(K/B) at the nodes, then log(Y/Y(0)). gap = log(q/r) = log(K/Y(0)). */
static void am_double_step(const struct am_put *o, double horizon, const struct sl_scheme *scheme, double gap,
                           struct am_work *work) {
    int n = scheme->nodes;
    long points = (long)n * scheme->points;
    double lower = o->r - o->q - 0.5 * o->vol * o->vol;
    for (int i = 0; i < 2 * n; i++) work->square[i] = work->now[i] * work->now[i];
    for (int i = 0; i < n; i++) {
        double z = sqrt(horizon) * scheme->share[i], level[2] = {-work->now[i], work->now[n + i] - gap};
        vd top[2] = {v_zero(), v_zero()}, bottom[2] = {v_zero(), v_zero()};
        for (int k = 0; k < scheme->points; k += SL_W) {
            long at = (long)i * scheme->points + k;
            vd square_b = v_zero(), square_y = v_zero();
            for (int j = 0; j < n; j++) {
                vd part = v_load(scheme->matrix + j * points + at);
                square_b = v_fma(part, v_set(work->square[j]), square_b);
                square_y = v_fma(part, v_set(work->square[n + j]), square_y);
            }
            vd upper_log = v_neg(v_sqrt(v_max(square_b, v_zero())));
            vd lower_log = v_min(v_sqrt(v_max(square_y, v_zero())) - v_set(gap), upper_log);
            vd root = v_set(z) * v_load(scheme->sine + k), spread = v_set(o->vol) * root;
            vd drift = v_set(lower / o->vol) * root;
            for (int side = 0; side < 2; side++) {
                vd b2 = drift + (v_set(level[side]) - upper_log) / spread, b1 = b2 + spread;
                vd y2 = drift + (v_set(level[side]) - lower_log) / spread, y1 = y2 + spread;
                vd bell_b = am_bell(b1), bell_y = am_bell(y1);
                top[side] = v_fma(v_load(work->rate_bell + at), am_bell(b2) - am_bell(y2), top[side]);
                vd bells = (bell_b - bell_y) * v_set(SL_INV_SQRT_2PI);
                bottom[side] = v_fma(v_load(work->dividend_bell + at), bells, bottom[side]);
                vd reach = am_cdf(b1, bell_b) + am_cdf(v_neg(y1), bell_y);
                bottom[side] = v_fma(v_load(work->dividend_cdf + at), reach, bottom[side]);
            }
        }
        for (int side = 0; side < 2; side++) {
            double spread = o->vol * z, d2 = level[side] / spread + lower / o->vol * z, d1 = d2 + spread;
            double above = (exp(-0.5 * d2 * d2) / spread + am_sum(top[side])) * SL_INV_SQRT_2PI;
            double below = exp(-0.5 * d1 * d1) * SL_INV_SQRT_2PI / spread + 0.5 * erfc(-d1 * 0x1.6a09e667f3bcdp-1) +
                           am_sum(bottom[side]);
            double next = log(fmin(fmax(above / below, 1e-300), 1e300)) - (o->r - o->q) * z * z;
            next = side ? next + gap : -next;
            work->next[side * n + i] = fmin(fmax(next, 0.0), gap);
        }
    }
}

/* Both boundaries up to the horizon into work->now; whether they were found, and had not met. */
static int am_double_solve(const struct am_put *o, double horizon, const struct sl_scheme *scheme, double gap,
                           struct am_work *work) {
    struct am_put shorter = *o;
    int n = scheme->nodes;
    double worst = 1.0;
    shorter.t = horizon;
    am_weights(&shorter, scheme, work);
    for (int i = 0; i < 2 * n; i++) work->most[i] = gap;
    for (int i = 0; i < n; i++) {
        work->now[i] = fmin(o->vol * sqrt(horizon) * scheme->share[i], 0.45 * gap);
        work->now[n + i] = fmin(0.6 * o->vol * sqrt(horizon) * scheme->share[i], 0.45 * gap);
    }
    for (int step = 0; step < scheme->steps && worst >= scheme->tolerance; step++) {
        worst = 0.0;
        am_double_step(o, horizon, scheme, gap, work);
        for (int i = 0; i < 2 * n; i++) worst = fmax(worst, fabs(work->next[i] - work->now[i]));
        am_mix(2 * n, scheme->depth, step, work);
    }
    if (!(worst < 1e-7)) return 0;
    for (int i = 0; i < n; i++)
        if (work->now[i] + work->now[n + i] > gap - AM_GAP) return 0;
    return 1;
}

static void am_double_premium(const struct am_put *o, double horizon, const struct sl_scheme *scheme, double gap,
                              const struct am_work *work, double *out) {
    int n = scheme->nodes;
    double lower = o->r - o->q - 0.5 * o->vol * o->vol, log_spot = log(o->s / o->k), square[AM_MAX_UNKNOWNS];
    vd value = v_zero(), delta = v_zero(), gamma = v_zero(), one = v_set(1.0);
    for (int i = 0; i < 2 * n; i++) square[i] = work->now[i] * work->now[i];
    for (int k = 0; k < scheme->price_points; k += SL_W) {
        vd square_b = v_zero(), square_y = v_zero();
        for (int j = 0; j < n; j++) {
            vd part = v_load(scheme->price_matrix + (long)j * scheme->price_points + k);
            square_b = v_fma(part, v_set(square[j]), square_b);
            square_y = v_fma(part, v_set(square[n + j]), square_y);
        }
        vd edge[2] = {v_neg(v_sqrt(v_max(square_b, v_zero()))), v_zero()};
        edge[1] = v_min(v_sqrt(v_max(square_y, v_zero())) - v_set(gap), edge[0]);
        vd sine = v_load(scheme->price_sine + k), m = v_fma(v_set(horizon) * sine, sine, v_set(o->t - horizon));
        vd dm = v_set(2.0 * horizon) * sine * v_load(scheme->price_cosine + k) * v_load(scheme->price_weight + k);
        vd root = v_sqrt(m), spread = v_set(o->vol) * root, inv = one / spread;
        vd interest = v_set(o->r * o->k) * dm * v_exp(v_set(-o->r) * m);
        vd forgone = v_set(o->q) * dm * v_exp(v_set(-o->q) * m);
        for (int side = 0; side < 2; side++) {
            vd sign = v_set(side ? -1.0 : 1.0);
            vd d2 = v_fma(v_set(lower / o->vol), root, (v_set(log_spot) - edge[side]) * inv), d1 = d2 + spread;
            vd bell2 = am_bell(d2), bell1 = am_bell(d1), reached = am_cdf(v_neg(d1), bell1);
            value = v_fma(sign, interest * am_cdf(v_neg(d2), bell2) - v_set(o->s) * forgone * reached, value);
            vd slope2 = interest * bell2 * v_set(SL_INV_SQRT_2PI / o->s) * inv;
            vd slope1 = forgone * bell1 * v_set(SL_INV_SQRT_2PI) * inv;
            delta = v_fma(sign, slope1 - slope2 - forgone * reached, delta);
            vd bend = slope2 * v_fma(d2, inv, one) + slope1 * v_fnma(d1, inv, one);
            gamma = v_fma(sign * v_set(1.0 / o->s), bend, gamma);
        }
    }
    out[0] = am_sum(value);
    out[1] = am_sum(delta);
    out[2] = am_sum(gamma);
}

/* out holds the European value, delta and gamma, and takes the American ones. */
static void am_double_value(const struct am_put *o, const struct sl_scheme *scheme, double *out) {
    double gap = log(o->q / o->r), horizon = o->t, premium[3], low = 0.0, high = o->t;
    struct am_work work;
    if (!am_double_solve(o, horizon, scheme, gap, &work)) {
        /* they meet before: find the last time at which they had not, to a part in ten thousand */
        for (int i = 0; i < AM_BISECTIONS && high - low > 1e-4 * high; i++) {
            horizon = low > 0.0 ? 0.5 * (low + high) : 0.25 * high;
            if (am_double_solve(o, horizon, scheme, gap, &work)) low = horizon;
            else high = horizon;
        }
        if (low == 0.0) return;
        horizon = low;
        am_double_solve(o, horizon, scheme, gap, &work);
    }
    if (horizon == o->t && o->s <= o->k * exp(-work.now[0]) &&
        o->s >= o->k * exp(work.now[scheme->nodes] - gap)) {
        out[0] = o->k - o->s;
        out[1] = -1.0;
        out[2] = 0.0;
        return;
    }
    am_double_premium(o, horizon, scheme, gap, &work, premium);
    for (int i = 0; i < 3; i++) out[i] += i == 0 ? fmax(premium[0], 0.0) : premium[i];
    out[0] = fmax(out[0], am_certain(o));
}

#endif
