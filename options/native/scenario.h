/* A book under scenarios: every option at every pair of a spot move and a volatility move. What does not change from
 * scenario to scenario (logarithms, discounts, roots) is computed once per option. */
#ifndef STRIKELOCK_SCENARIO_H
#define STRIKELOCK_SCENARIO_H

#include "european.h"

static void scenario_block(const struct sl_grid *grid, size_t block) {
    double x0[SL_GRID_BLOCK], a1[SL_GRID_BLOCK], a2[SL_GRID_BLOCK], root[SL_GRID_BLOCK], vol[SL_GRID_BLOCK];
    double sign[SL_GRID_BLOCK], row[SL_GRID_BLOCK];
    size_t first = block * SL_GRID_BLOCK, n = grid->options - first;
    if (n > SL_GRID_BLOCK) n = SL_GRID_BLOCK;
    for (size_t i = 0; i < n; i += SL_W) {
        double lanes[7][SL_W];
        for (int k = 0; k < 7; k++)
            for (int j = 0; j < SL_W; j++)
                lanes[k][j] = grid->input[k][(i + (size_t)j < n ? first + i + (size_t)j : first) * grid->step[k]];
        vd s = v_load(lanes[0]), k = v_load(lanes[1]), t = v_load(lanes[2]), r = v_load(lanes[4]), q = v_load(lanes[5]);
        vd low = v_min(v_min(s, k), t), high = v_max(v_max(s, k), t), v = v_load(lanes[3]), kind = v_load(lanes[6]);
        vd rt = r * t, qt = q * t;
        vm safe = m_and(m_and(v_lt(v_set(1e-60), low), v_lt(high, v_set(1e60))),
                        m_and(v_lt(v_max(v_abs(rt), v_abs(qt)), v_set(300.0)), v_eq(v_abs(kind), v_set(1.0))));
        safe = m_and(safe, m_and(v_le(v_zero(), v), v_lt(v, v_set(1e60))));
        vd x = v_log_ratio(v_sel(safe, s, v_set(1.0)), v_sel(safe, k, v_set(1.0))) + (r - q) * t;
        v_store(x0 + i, x + v_zero() * (s + k)); /* NaN and infinity go through */
        v_store(a1 + i, s * euro_discount(qt));
        v_store(a2 + i, k * euro_discount(rt));
        v_store(root + i, v_sqrt(t));
        v_store(vol + i, v);
        /* an option the fast formula is not for is priced by the slow one, under a sign of NaN */
        v_store(sign + i, v_sel(safe, kind, v_set(NAN)));
    }
    for (size_t m = 0; m < grid->scenarios; m++) {
        vd factor = v_set(grid->factor[m]), shift = v_set(grid->shift[m]), log_factor = v_set(grid->log_factor[m]);
        double *to = grid->out + m * grid->options + first;
        for (size_t i = 0; i < n; i += SL_W) {
            vd b1 = v_load(a1 + i) * factor, b2 = v_load(a2 + i), x = v_load(x0 + i) + log_factor;
            vd v = v_max(v_set(1e-30), (v_load(vol + i) + shift) * v_load(root + i));
            vd dist = v_abs(x / v), half = v * v_set(0.5), a = half - dist;
            vd c = v_min(half + dist, v_set(1e15)), b = v_min(v_abs(a), v_set(1e15)), smaller = v_min(b1, b2);
            vd g = smaller * v_gauss(b), tail = g * v_tail(b), outer = g * v_tail(c);
            vd w = v_max(v_zero(), v_sel(v_lt(v_zero(), a), smaller - tail, tail) - outer);
            vd price = w + v_max(v_zero(), v_load(sign + i) * (b1 - b2));
            price = v_fma(v, v_zero(), price); /* min and max drop a NaN; this brings it back */
            if (i + SL_W <= n) v_store(to + i, price);
            else {
                v_store(row, price);
                memcpy(to + i, row, (n - i) * sizeof(double));
            }
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (sign[i] == sign[i]) continue;
        for (size_t m = 0; m < grid->scenarios; m++) {
            double greeks[SL_GREEKS], v[7];
            for (int k = 0; k < 7; k++) v[k] = grid->input[k][(first + i) * grid->step[k]];
            double moved = v[3] + grid->shift[m];
            sl_european_edge(SL_SPOT, v[6], v[0] * grid->factor[m], v[1], v[2], v[3] >= 0.0 && moved < 0.0 ? 0.0 : moved,
                             v[4], v[5], greeks);
            grid->out[m * grid->options + first + i] = greeks[SL_PRICE];
        }
    }
}

#endif
