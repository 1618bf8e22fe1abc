"""Chains in memory, behind the same port as real ones: virtual time, a fee market, reorganisations, bad nodes."""
