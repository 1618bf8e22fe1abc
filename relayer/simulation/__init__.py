"""The real driver on simulated chains, against adversaries, faults and crashes, in virtual time."""
