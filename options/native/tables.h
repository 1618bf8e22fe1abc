/* Coefficients of the kernels' elementary functions, low order first.
   Written by benchmarks/fit_tables.py; do not edit by hand. */
#ifndef STRIKELOCK_TABLES_H
#define STRIKELOCK_TABLES_H

/* (exp(r) - 1 - r) / r^2 on |r| <= ln2/2; error of exp 3.7e-18 */
static const double SL_EXP_Q[10] = {
    0x1.000000000000ap-1,
    0x1.55555555554f9p-3,
    0x1.5555555550852p-5,
    0x1.1111111127ebfp-7,
    0x1.6c16c18435807p-10,
    0x1.a01a01297da90p-13,
    0x1.a01999e8dd623p-16,
    0x1.71df26e5d98bep-19,
    0x1.28ad9702e67dep-22,
    0x1.ad7d7ed88693dp-26,
};

/* (2 atanh(s) - 2 s) / s^3 in s^2 <= 0.0425; error of log 2.4e-19 */
static const double SL_LOG_P[8] = {
    0x1.555555555554bp-1,
    0x1.999999999d66bp-2,
    0x1.24924920b81bcp-2,
    0x1.c71c758cb4e57p-3,
    0x1.745c123b84b73p-3,
    0x1.3b3cae3e1f75cp-3,
    0x1.0d5bacbcca9adp-3,
    0x1.1e5acd6c5471ep-3,
};

/* T(a) = N(-a) exp(a^2/2) = P/Q for a >= 0; error 1.0e-17 */
static const double SL_TAIL_P[11] = {
    0x1.0000000000000p-1,
    0x1.b720d8f6335a8p-1,
    0x1.74240efaa8709p-1,
    0x1.93d2889abd98ap-2,
    0x1.342d726e129c5p-3,
    0x1.58606e279e88dp-5,
    0x1.1d29da090e04bp-7,
    0x1.5a4624ddca8d7p-10,
    0x1.2884f2f33cec5p-13,
    0x1.463c145d78d1bp-17,
    0x1.63c31f539e55ep-22,
};

/* its denominator */
static const double SL_TAIL_Q[12] = {
    0x1.0000000000000p+0,
    0x1.41b1814a6a86cp+1,
    0x1.7abe9e94bab5bp+1,
    0x1.1458b187dfa41p+1,
    0x1.1666aa9d5691bp+0,
    0x1.97dd0637517d8p-2,
    0x1.bcf9866f3775bp-4,
    0x1.6b2dd038c557bp-6,
    0x1.b52f36ef8ee29p-9,
    0x1.7480b329c1e4cp-12,
    0x1.98dfe2190d726p-16,
    0x1.bde1bd0954f4ap-21,
};

/* 1/sqrt(2 pi) - a T(a) = P/Q for a >= 0; error 1.9e-17 */
static const double SL_SLOPE_P[11] = {
    0x1.9884533d43650p-2,
    0x1.281d6da702713p-1,
    0x1.b11a7a3040dd5p-2,
    0x1.9cb5052137904p-3,
    0x1.18deffb57c592p-4,
    0x1.1bce741a206b1p-6,
    0x1.ae7aa93a663a2p-9,
    0x1.e49f40e1334dbp-12,
    0x1.856f737cdd425p-15,
    0x1.9761aac256a23p-19,
    0x1.ad8659201cd41p-24,
};

/* its denominator */
static const double SL_SLOPE_Q[13] = {
    0x1.0000000000000p+0,
    0x1.59fc9aeb909c3p+1,
    0x1.b9556f894924dp+1,
    0x1.6002fa2bb567fp+1,
    0x1.87fe7959daf96p+0,
    0x1.41ec8ee366416p-1,
    0x1.91311d81f16e4p-3,
    0x1.7fcbb99fb8d7fp-5,
    0x1.19272b1fc5e57p-7,
    0x1.35acd883206dap-10,
    0x1.eb3d366b11743p-14,
    0x1.fe93b6ccc3a5ep-18,
    0x1.0d2a2d1672a6bp-22,
};

#endif
