"""Simulated paths: reproducible from a seed whatever the number of threads, with standard errors."""

from options._kernels import kernels
from options.montecarlo.early_exercise import Rule, fit, longstaff_schwartz
from options.montecarlo.engine import Run, Walk
from options.montecarlo.estimate import Estimate
from options.montecarlo.payoffs import asian, barrier, lookback

__all__ = [
    "Estimate",
    "Rule",
    "Run",
    "Walk",
    "asian",
    "barrier",
    "fit",
    "kernels",
    "longstaff_schwartz",
    "lookback",
]
